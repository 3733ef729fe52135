/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* KMSGeneration and ProtocolConfig as contracts: what they take for an answer, and what they tell
 * of what is complete. There is one key and one CRS from the beginning. */
#include "connector/adapters/protocol_config.h"
#include "eth/abi.h"
#include "sim.h"

enum {
	FIRST_KEY = 1,
	FIRST_CRS = 2,
	MATERIALS_N_MAX = 64,
	CRS_BITS = 2048
};

/* ---- answers ---- */

static const struct abi_value *arguments(struct arena *a, const char *type_text, struct bytes call)
{
	const struct abi_type *type;
	const struct abi_value *v;

	CHECK(abi_type_parse(a, &type, type_text) == ERR_OK);
	CHECK(abi_decode(a, &v, type, bytes_sub(call, 4, call.n - 4)) == ERR_OK);
	return v->items;
}

static bool signed_for(const struct request *r, struct bytes signature, struct hash32 digest)
{
	struct sim *s = r->chain->sim;
	struct address signer;

	return signature.n == sizeof(struct signature65) &&
	       signer_of(s, &signer, signature, digest) &&
	       address_eq(signer, s->contexts[r->context].signer);
}

static size_t digests_of(struct key_digest out[4], const struct abi_value *list)
{
	uint64_t type;

	CHECK(list->items_n <= 4);
	for (size_t i = 0; i < list->items_n; i++) {
		CHECK(u256_to_u64(&type, list->items[i].items[0].word) == ERR_OK);
		out[i] = (struct key_digest){(uint8_t)type, list->items[i].items[1].bytes};
	}
	return list->items_n;
}

static bool keygen_is_right(const struct request *r, const struct eip712_domain *d,
			    struct bytes call)
{
	CLEANUP(arena_free) struct arena a = arena_make(1 << 20);
	const struct abi_value *v = arguments(&a, "(uint256,(uint8,bytes)[],bytes)", call);
	struct key_digest digests[4];
	size_t n = digests_of(digests, &v[1]);
	struct hash32 digest;

	CHECK(keygen_digest(&digest, d, r->key.first, v[0].word, digests, n, &r->key) == ERR_OK);
	return n > 0 && signed_for(r, v[2].bytes, digest);
}

static bool epoch_is_right(const struct request *r, struct bytes call)
{
	CLEANUP(arena_free) struct arena a = arena_make(1 << 20);
	const struct eip712_domain d = key_domain(r->chain->sim, r->chain, true);
	const struct abi_value *v = arguments(&a,
					      "(uint256,(uint256,uint256,(uint8,bytes)[],bytes)[],"
					      "(uint256,uint256,bytes,bytes)[])",
					      call);
	bool right = v[1].items_n > 0 && v[2].items_n > 0;
	struct hash32 digest;

	for (size_t i = 0; i < v[1].items_n; i++) {
		const struct abi_value *k = v[1].items[i].items;
		struct key_digest digests[4];
		size_t n = digests_of(digests, &k[2]);

		CHECK(keygen_digest(&digest, &d, k[0].word, k[1].word, digests, n, &r->key) ==
		      ERR_OK);
		right = right && signed_for(r, k[3].bytes, digest);
	}
	for (size_t i = 0; i < v[2].items_n; i++) {
		const struct abi_value *c = v[2].items[i].items;

		CHECK(crsgen_digest(&digest, &d, c[0].word, c[1].word, c[2].bytes, &r->key) ==
		      ERR_OK);
		right = right && signed_for(r, c[3].bytes, digest);
	}
	return right;
}

const char *keys_judge(struct request *r, struct bytes call)
{
	CLEANUP(arena_free) struct arena a = arena_make(1 << 20);
	const struct eip712_domain d = key_domain(r->chain->sim, r->chain, false);
	const struct request *prep;
	const struct abi_value *v;
	struct hash32 digest;
	bool right = true;

	if (r->kind == OP_KIND_PREP_KEYGEN) {
		v = arguments(&a, "(uint256,bytes)", call);
		CHECK(prep_keygen_digest(&digest, &d, v[0].word, &r->key) == ERR_OK);
		right = signed_for(r, v[1].bytes, digest);
	} else if (r->kind == OP_KIND_KEYGEN) {
		prep = request_at(r->chain, OP_KIND_PREP_KEYGEN, r->key.first.w[0]);
		if (!prep || (prep->answered_by == 0 && !prep->given_up))
			return "KeyManagementRequestPending()";
		right = keygen_is_right(r, &d, call);
	} else if (r->kind == OP_KIND_CRSGEN) {
		v = arguments(&a, "(uint256,bytes,bytes)", call);
		CHECK(crsgen_digest(&digest, &d, v[0].word, r->key.first, v[1].bytes, &r->key) ==
		      ERR_OK);
		right = signed_for(r, v[2].bytes, digest);
	} else if (r->kind == OP_KIND_NEW_EPOCH) {
		if (r->chain->sim->contexts[r->context].created_from > r->chain->head)
			return "KmsContextNotCreated(uint256)";
		right = epoch_is_right(r, call);
	}
	return right ? NULL : "NotKmsSigner(address)";
}

/* ---- views ---- */

static bool is_complete(const struct request *r, uint64_t block)
{
	return r->answered_by > 0 && r->answered_at <= block && r->block != UINT64_MAX &&
	       !(r->given_up && r->given_up_at <= block);
}

static void give_ids(const struct chain *c, enum op_kind kind, uint64_t first, uint64_t block,
		     struct buf *out)
{
	const struct sim *s = c->sim;
	struct abi_value ids[MATERIALS_N_MAX];
	size_t n = 0;

	ids[n++] = abi_uint(u256_from_u64(first));
	for (size_t i = 0; i < s->requests_n; i++) {
		const struct request *r = s->requests[i];

		if (r->chain == c && r->kind == kind && is_complete(r, block)) {
			CHECK(n < ARRAY_LEN(ids));
			ids[n++] = abi_uint(u256_from_u64(r->id));
		}
	}
	const struct abi_value list = abi_items(ids, n);
	give(out, "(uint256[])", &list, 1);
}

static void give_key(struct chain *c, uint64_t id, struct buf *out)
{
	const struct request *r = request_at(c, OP_KIND_KEYGEN, id);
	const struct hash32 material = key_material(id);
	const struct abi_value digest[] = {abi_uint(u256_from_u64(0)),
					   abi_bytes(BYTES_OF(material.b))};
	const struct abi_value row = abi_items(digest, 2);
	const struct abi_value info[] = {r ? abi_uint(r->key.first) : abi_uint(U256_ZERO),
					 abi_uint(u256_from_u64(id)), abi_uint(u256_from_u64(1)),
					 abi_items(&row, 1)};
	const struct abi_value v = abi_items(info, ARRAY_LEN(info));

	give(out, "((uint256,uint256,uint8,(uint8,bytes)[]))", &v, 1);
}

static bool is_done(const struct chain *c, uint64_t id, uint64_t block)
{
	const struct sim *s = c->sim;

	for (size_t i = 0; i < s->requests_n; i++) {
		const struct request *r = s->requests[i];

		if (r->chain != c || r->id != id || r->kind < OP_KIND_PREP_KEYGEN ||
		    r->kind > OP_KIND_CRSGEN)
			continue;
		if ((r->given_up && r->given_up_at <= block) ||
		    (r->answered_by > 0 && r->answered_at <= block))
			return true;
	}
	return false;
}

bool keys_view(struct chain *c, struct bytes call, uint64_t block, struct buf *out)
{
	if (is_call(call, "isRequestDone(uint256)")) {
		give_number(out, is_done(c, call_number(call, 0), block) ? 1 : 0);
	} else if (is_call(call, "getCompletedKeyIds()")) {
		give_ids(c, OP_KIND_KEYGEN, FIRST_KEY, block, out);
	} else if (is_call(call, "getCompletedCrsIds()")) {
		give_ids(c, OP_KIND_CRSGEN, FIRST_CRS, block, out);
	} else if (is_call(call, "getKeyInfo(uint256)")) {
		give_key(c, call_number(call, 0), out);
	} else if (is_call(call, "getCrsMaterials(uint256)")) {
		const struct hash32 material = key_material(call_number(call, 0));
		const struct abi_value v[] = {abi_items(NULL, 0), abi_bytes(BYTES_OF(material.b))};

		give(out, "(string[],bytes)", v, ARRAY_LEN(v));
	} else {
		return false;
	}
	return true;
}
