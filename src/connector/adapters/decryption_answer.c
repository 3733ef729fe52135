/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The other half of the Decryption adapter: the answer, its call, and what a revert of it means. */
#include "connector/adapters/decryption.h"

/* u32 length || bytes, three times: result, signature, extra data. */
enum err decryption_answer_encode(struct buf *out, const struct decryption_answer *a)
{
	const struct bytes parts[] = {a->result, a->signature, a->extra_data};
	size_t before = out->n;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		enum err e = parts[i].n > UINT32_MAX ? ERR_TOO_BIG
						     : buf_add_u32be(out, (uint32_t)parts[i].n);

		if (e == ERR_OK)
			e = buf_add(out, parts[i]);
		if (e != ERR_OK) {
			out->n = before;
			return e;
		}
	}
	return ERR_OK;
}

static const struct {
	const char *call;
	size_t result_unit; /* its length is a multiple of this */
} kinds[OP_KINDS] = {
	[OP_KIND_PUBLIC_DECRYPTION] = {"publicDecryptionResponse(uint256,bytes,bytes,bytes)", 32},
	[OP_KIND_USER_DECRYPTION] = {"userDecryptionResponse(uint256,bytes,bytes,bytes)", 1},
};

enum err decryption_answer_decode(struct decryption_answer *ret, enum op_kind kind,
				  struct bytes stored)
{
	struct reader r = reader_of(stored);
	struct decryption_answer a = {0};

	a.result = reader_bytes(&r, reader_u32be(&r));
	a.signature = reader_bytes(&r, reader_u32be(&r));
	a.extra_data = reader_bytes(&r, reader_u32be(&r));
	if (reader_end(&r) != ERR_OK || a.signature.n != 65 ||
	    a.result.n % kinds[kind].result_unit != 0)
		return ERR_CORRUPT;
	*ret = a;
	return ERR_OK;
}

enum err decryption_response_call(struct buf *out, enum op_kind kind, struct u256 request_id,
				  const struct decryption_answer *a)
{
	struct arena arena CLEANUP(arena_free) = arena_make(4 << 20);
	const struct abi_value args[] = {
		abi_uint(request_id),
		abi_bytes(a->result),
		abi_bytes(a->signature),
		abi_bytes(a->extra_data),
	};

	return abi_encode_call(&arena, out, kinds[kind].call, args, ARRAY_LEN(args));
}

enum err decryption_is_done_call(struct buf *out, struct u256 request_id)
{
	struct arena arena CLEANUP(arena_free) = arena_make(1 << 16);
	const struct abi_value args[] = {abi_uint(request_id)};

	return abi_encode_call(&arena, out, "isDecryptionDone(uint256)", args, ARRAY_LEN(args));
}

/*
 * Errors that response calls can end with: those of Decryption, KMSGeneration and ProtocolConfig.
 * A node that lags or a rotation in progress is transient; the caller bounds how often. A
 * confirmation after the quorum is superseded, which is as good as done. Error(string) and Panic
 * are no errors of these contracts: a proxy or a node in between, tried again.
 */
static const struct {
	const char *signature;
	const char *name;
	enum err err;
} reverts[] = {
	{"KmsNodeAlreadySigned(uint256,address)", "KmsNodeAlreadySigned", ERR_ALREADY_DONE},
	{"KmsAlreadySignedForPrepKeygen(uint256,address)", "KmsAlreadySignedForPrepKeygen",
	 ERR_ALREADY_DONE},
	{"KmsAlreadySignedForKeygen(uint256,address)", "KmsAlreadySignedForKeygen",
	 ERR_ALREADY_DONE},
	{"KmsAlreadySignedForCrsgen(uint256,address)", "KmsAlreadySignedForCrsgen",
	 ERR_ALREADY_DONE},
	{"KmsContextCreationAlreadyConfirmed(address,uint256)",
	 "KmsContextCreationAlreadyConfirmed", ERR_ALREADY_DONE},
	{"EpochActivationAlreadyConfirmed(address,uint256)", "EpochActivationAlreadyConfirmed",
	 ERR_ALREADY_DONE},
	{"KmsContextNotPending(uint256)", "KmsContextNotPending", ERR_ALREADY_DONE},
	{"InvalidKmsEpoch(uint256)", "InvalidKmsEpoch", ERR_ALREADY_DONE},
	{"DecryptionNotRequested(uint256)", "DecryptionNotRequested", ERR_TRANSIENT},
	{"PrepKeygenNotRequested(uint256)", "PrepKeygenNotRequested", ERR_TRANSIENT},
	{"KeygenNotRequested(uint256)", "KeygenNotRequested", ERR_TRANSIENT},
	{"CrsgenNotRequested(uint256)", "CrsgenNotRequested", ERR_TRANSIENT},
	{"KeyManagementRequestPending()", "KeyManagementRequestPending", ERR_TRANSIENT},
	{"NotKmsTxSender(address)", "NotKmsTxSender", ERR_TRANSIENT},
	{"NotKmsSigner(address)", "NotKmsSigner", ERR_TRANSIENT},
	{"KmsSignerDoesNotMatchTxSender(address,address)", "KmsSignerDoesNotMatchTxSender",
	 ERR_TRANSIENT},
	{"InvalidKmsContext(uint256)", "InvalidKmsContext", ERR_TRANSIENT},
	{"EnforcedPause()", "EnforcedPause", ERR_TRANSIENT},
	{"Error(string)", "Error", ERR_TRANSIENT},
	{"Panic(uint256)", "Panic", ERR_TRANSIENT},
	{"DecryptionContextMismatch(uint256,uint256,uint256)", "DecryptionContextMismatch",
	 ERR_BAD_REQUEST},
	{"ECDSAInvalidSignature()", "ECDSAInvalidSignature", ERR_BAD_REQUEST},
	{"ECDSAInvalidSignatureLength(uint256)", "ECDSAInvalidSignatureLength", ERR_BAD_REQUEST},
	{"ECDSAInvalidSignatureS(bytes32)", "ECDSAInvalidSignatureS", ERR_BAD_REQUEST},
};

enum err decryption_classify_revert(const char **ret_name, struct bytes revert_data)
{
	*ret_name = "unknown revert";
	for (size_t i = 0; revert_data.n >= 4 && i < ARRAY_LEN(reverts); i++) {
		uint8_t selector[4];

		abi_selector(selector, reverts[i].signature);
		if (memcmp(selector, revert_data.p, sizeof(selector)) == 0) {
			*ret_name = reverts[i].name;
			return reverts[i].err;
		}
	}
	return ERR_TRANSIENT;
}
