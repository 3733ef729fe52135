/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The other half of the KMSGeneration adapter: its calls and views. */
#include "base/limits.h"
#include "connector/adapters/key_generation.h"

enum {
	SCRATCH_MAX = 1 << 20
};

static enum err call(struct buf *out, const char *signature, const struct abi_value *args, size_t n)
{
	struct arena a CLEANUP(arena_free) = arena_make(SCRATCH_MAX);

	return abi_encode_call(&a, out, signature, args, n);
}

/* ---- answers ---- */

enum err prep_keygen_response_call(struct buf *out, struct u256 id, struct bytes signature)
{
	const struct abi_value args[] = {abi_uint(id), abi_bytes(signature)};

	return call(out, "prepKeygenResponse(uint256,bytes)", args, ARRAY_LEN(args));
}

enum err keygen_response_call(struct buf *out, struct u256 key_id, const struct key_digest *digests,
			      size_t n, struct bytes signature)
{
	struct arena a CLEANUP(arena_free) = arena_make(SCRATCH_MAX);
	struct abi_value list;

	TRY(key_digests_value(&a, &list, digests, n));

	const struct abi_value args[] = {abi_uint(key_id), list, abi_bytes(signature)};
	return call(out, "keygenResponse(uint256,(uint8,bytes)[],bytes)", args, ARRAY_LEN(args));
}

enum err crsgen_response_call(struct buf *out, struct u256 id, struct bytes crs_digest,
			      struct bytes signature)
{
	const struct abi_value args[] = {abi_uint(id), abi_bytes(crs_digest), abi_bytes(signature)};

	return call(out, "crsgenResponse(uint256,bytes,bytes)", args, ARRAY_LEN(args));
}

/* ---- views ---- */

static enum err result(struct arena *a, const struct abi_value **ret, const char *type_text,
		       struct bytes data)
{
	const struct abi_type *type;

	if (data.n == 0)
		return ERR_MALFORMED;
	TRY(abi_type_parse(a, &type, type_text));
	return abi_decode(a, ret, type, data);
}

static enum err call_id(struct buf *out, const char *signature, struct u256 id)
{
	const struct abi_value args[] = {abi_uint(id)};

	return call(out, signature, args, ARRAY_LEN(args));
}

enum err is_request_done_call(struct buf *out, struct u256 id)
{
	return call_id(out, "isRequestDone(uint256)", id);
}

enum err completed_key_ids_call(struct buf *out)
{
	return call(out, "getCompletedKeyIds()", NULL, 0);
}

enum err completed_crs_ids_call(struct buf *out)
{
	return call(out, "getCompletedCrsIds()", NULL, 0);
}

enum err key_info_call(struct buf *out, struct u256 key_id)
{
	return call_id(out, "getKeyInfo(uint256)", key_id);
}

enum err crs_materials_call(struct buf *out, struct u256 crs_id)
{
	return call_id(out, "getCrsMaterials(uint256)", crs_id);
}

enum err completed_ids_result(struct arena *a, const struct u256 **ret_ids, size_t *ret_n,
			      struct bytes data)
{
	const struct abi_value *v;

	TRY(result(a, &v, "(uint256[])", data));

	const struct abi_value *items = v->items;
	if (items->items_n > EPOCH_MATERIALS_MAX)
		return ERR_TOO_BIG;
	struct u256 *ids = arena_alloc_array(a, items->items_n, sizeof(*ids));
	if (!ids)
		return ERR_NOMEM;
	for (size_t i = 0; i < items->items_n; i++)
		ids[i] = items->items[i].word;
	*ret_ids = ids;
	*ret_n = items->items_n;
	return ERR_OK;
}

enum err key_info_result(struct arena *a, struct key_info *ret, struct bytes data)
{
	const struct abi_value *v;
	uint64_t params;

	/* (prepKeygenId, keyId, paramsType, keyDigests) */
	TRY(result(a, &v, "((uint256,uint256,uint8,(uint8,bytes)[]))", data));

	const struct abi_value *f = v->items[0].items;
	struct key_info k = {.prep_id = f[0].word, .key_id = f[1].word, .digests_n = f[3].items_n};
	struct key_digest *digests = arena_alloc_array(a, k.digests_n, sizeof(*digests));

	if (!digests)
		return ERR_NOMEM;
	if (u256_to_u64(&params, f[2].word) != ERR_OK || params > 1)
		return ERR_UNSUPPORTED;
	k.params = (uint8_t)params;
	for (size_t i = 0; i < k.digests_n; i++) {
		const struct abi_value *d = f[3].items[i].items;
		uint64_t type;

		TRY(u256_to_u64(&type, d[0].word));
		digests[i].type = (uint8_t)type;
		TRY(arena_copy(a, &digests[i].digest, d[1].bytes));
	}
	k.digests = digests;
	*ret = k;
	return ERR_OK;
}

enum err crs_materials_result(struct arena *a, struct bytes *ret_digest, struct bytes data)
{
	const struct abi_value *v;

	TRY(result(a, &v, "(string[],bytes)", data));
	return arena_copy(a, ret_digest, v->items[1].bytes);
}
