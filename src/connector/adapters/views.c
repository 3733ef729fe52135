/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/adapters/views.h"

#include "base/limits.h"

enum {
	SCRATCH_MAX = 1 << 20
};

static enum err call(struct buf *out, const char *signature, const struct abi_value *args,
		     size_t args_n)
{
	struct arena arena CLEANUP(arena_free) = arena_make(SCRATCH_MAX);

	return abi_encode_call(&arena, out, signature, args, args_n);
}

static enum err result(struct arena *a, const struct abi_value **ret, const char *type_text,
		       struct bytes data)
{
	const struct abi_type *type;

	if (data.n == 0)
		return ERR_MALFORMED;
	TRY(abi_type_parse(a, &type, type_text));
	return abi_decode(a, ret, type, data);
}

/* ---- ACL and contexts ---- */

enum err acl_is_allowed_for_decryption_call(struct buf *out, const struct hash32 *handle)
{
	const struct abi_value args[] = {abi_hash(handle)};

	return call(out, "isAllowedForDecryption(bytes32)", args, ARRAY_LEN(args));
}

enum err acl_is_allowed_call(struct buf *out, const struct hash32 *handle, struct address account)
{
	const struct abi_value args[] = {abi_hash(handle), abi_address(account)};

	return call(out, "isAllowed(bytes32,address)", args, ARRAY_LEN(args));
}

enum err acl_is_delegated_call(struct buf *out, struct address delegator, struct address delegate,
			       struct address contract, const struct hash32 *handle)
{
	const struct abi_value args[] = {abi_address(delegator), abi_address(delegate),
					 abi_address(contract), abi_hash(handle)};

	return call(out, "isHandleDelegatedForUserDecryption(address,address,address,bytes32)",
		    args, ARRAY_LEN(args));
}

enum err acl_signatures_void_before_call(struct buf *out, struct address account)
{
	const struct abi_value args[] = {abi_address(account)};

	return call(out, "decryptionSignatureInvalidatedBefore(address)", args, ARRAY_LEN(args));
}

enum err account_is_valid_signature_call(struct buf *out, const struct hash32 *digest,
					 struct bytes signature)
{
	const struct abi_value args[] = {abi_hash(digest), abi_bytes(signature)};

	return call(out, "isValidSignature(bytes32,bytes)", args, ARRAY_LEN(args));
}

bool account_says_valid(struct bytes data)
{
	uint8_t magic[4];

	abi_selector(magic, "isValidSignature(bytes32,bytes)"); /* the standard takes it for yes */
	return data.n >= 32 && memcmp(data.p, magic, sizeof(magic)) == 0;
}

enum err config_is_valid_kms_context_call(struct buf *out, struct u256 context)
{
	const struct abi_value args[] = {abi_uint(context)};

	return call(out, "isValidKmsContext(uint256)", args, ARRAY_LEN(args));
}

enum err config_is_valid_epoch_for_context_call(struct buf *out, struct u256 context,
						struct u256 epoch)
{
	const struct abi_value args[] = {abi_uint(context), abi_uint(epoch)};

	return call(out, "isValidEpochForContext(uint256,uint256)", args, ARRAY_LEN(args));
}

/* ---- KMS nodes ---- */

enum err gateway_config_is_kms_signer_call(struct buf *out, struct address signer)
{
	const struct abi_value args[] = {abi_address(signer)};

	return call(out, "isKmsSigner(address)", args, ARRAY_LEN(args));
}

enum err gateway_config_is_kms_signer_for_context_call(struct buf *out, struct u256 context,
						       struct address signer)
{
	const struct abi_value args[] = {abi_uint(context), abi_address(signer)};

	return call(out, "isKmsSignerForContext(uint256,address)", args, ARRAY_LEN(args));
}

enum err view_bool_result(bool *ret_value, struct bytes data)
{
	struct arena arena CLEANUP(arena_free) = arena_make(SCRATCH_MAX);
	const struct abi_value *v;

	TRY(result(&arena, &v, "(bool)", data));
	*ret_value = !u256_is_zero(v->items[0].word);
	return ERR_OK;
}

enum err view_u256_result(struct u256 *ret_value, struct bytes data)
{
	struct arena arena CLEANUP(arena_free) = arena_make(SCRATCH_MAX);
	const struct abi_value *v;

	TRY(result(&arena, &v, "(uint256)", data));
	*ret_value = v->items[0].word;
	return ERR_OK;
}

/* ---- coprocessors ---- */

enum err gateway_config_signers_call(struct buf *out)
{
	return call(out, "getCoprocessorSigners()", NULL, 0);
}

enum err gateway_config_tx_senders_call(struct buf *out)
{
	return call(out, "getCoprocessorTxSenders()", NULL, 0);
}

enum err gateway_config_threshold_call(struct buf *out)
{
	return call(out, "getCoprocessorMajorityThreshold()", NULL, 0);
}

enum err gateway_config_coprocessor_call(struct buf *out, struct address tx_sender)
{
	const struct abi_value args[] = {abi_address(tx_sender)};

	return call(out, "getCoprocessor(address)", args, ARRAY_LEN(args));
}

enum err gateway_config_addresses_result(struct arena *a, const struct address **ret_list,
					 size_t *ret_n, struct bytes data)
{
	const struct abi_value *v;

	TRY(result(a, &v, "(address[])", data));

	const struct abi_value *items = v->items;
	if (items->items_n > COPROCESSORS_MAX)
		return ERR_TOO_BIG;
	struct address *list = arena_alloc_array(a, items->items_n, sizeof(*list));
	if (!list)
		return ERR_NOMEM;
	for (size_t i = 0; i < items->items_n; i++)
		list[i] = abi_as_address(&items->items[i]);
	*ret_list = list;
	*ret_n = items->items_n;
	return ERR_OK;
}

enum err gateway_config_threshold_result(size_t *ret_threshold, struct bytes data)
{
	struct arena arena CLEANUP(arena_free) = arena_make(SCRATCH_MAX);
	const struct abi_value *v;
	uint64_t n;

	TRY(result(&arena, &v, "(uint256)", data));
	if (u256_to_u64(&n, v->items[0].word) != ERR_OK || n == 0 || n > COPROCESSORS_MAX)
		return ERR_MISMATCH;
	*ret_threshold = (size_t)n;
	return ERR_OK;
}

enum err gateway_config_coprocessor_result(struct arena *a, struct coprocessor *ret,
					   struct bytes data)
{
	const struct abi_value *v;

	TRY(result(a, &v, "((address,address,string))", data));

	const struct abi_value *f = v->items[0].items;
	struct coprocessor c = {.tx_sender = abi_as_address(&f[0]),
				.signer = abi_as_address(&f[1])};
	if (f[2].bytes.n > URL_SIZE_MAX)
		return ERR_TOO_BIG;
	TRY(arena_copy(a, &c.bucket_url, f[2].bytes));
	*ret = c;
	return ERR_OK;
}
