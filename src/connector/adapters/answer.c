/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/adapters/answer.h"

#include "connector/adapters/decryption.h"

enum {
	SELECTOR = 4,
	WORD = 32
};

/* ---- calls ---- */

static enum err decryption_call(struct buf *out, enum op_kind kind, struct u256 id,
				struct bytes stored)
{
	struct decryption_answer answer;

	TRY(decryption_answer_decode(&answer, kind, stored));
	return decryption_response_call(out, kind, id, &answer);
}

/* What is stored is the call, made when the answer was checked; its first argument is the id. */
static enum err verbatim_call(struct buf *out, const char *signature, struct u256 id,
			      struct bytes stored)
{
	uint8_t selector[SELECTOR];
	struct reader r = reader_of(stored);
	struct bytes head = reader_bytes(&r, SELECTOR), first = reader_bytes(&r, WORD);

	abi_selector(selector, signature);
	if (r.err != ERR_OK || memcmp(head.p, selector, SELECTOR) != 0 ||
	    !u256_eq(u256_from_be(first.p), id))
		return ERR_CORRUPT;
	return buf_add(out, stored);
}

static const char *const signatures[OP_KINDS] = {
	[OP_KIND_PREP_KEYGEN] = "prepKeygenResponse(uint256,bytes)",
	[OP_KIND_KEYGEN] = "keygenResponse(uint256,(uint8,bytes)[],bytes)",
	[OP_KIND_CRSGEN] = "crsgenResponse(uint256,bytes,bytes)",
	[OP_KIND_NEW_CONTEXT] = "confirmKmsContextCreation(uint256)",
	[OP_KIND_NEW_EPOCH] =
		"confirmEpochActivation(uint256,(uint256,uint256,(uint8,bytes)[],bytes)[],"
		"(uint256,uint256,bytes,bytes)[])",
};

enum err answer_call(struct buf *out, enum op_kind kind, struct u256 id, struct bytes stored)
{
	if (!op_kind_is_slow(kind))
		return decryption_call(out, kind, id, stored);
	if (kind >= OP_KINDS || !signatures[kind])
		return ERR_CORRUPT;
	return verbatim_call(out, signatures[kind], id, stored);
}

/* ---- reverts ---- */

/*
 * Errors of KMSGeneration and ProtocolConfig that an answer can end with; the rest are those of any
 * contract and are with Decryption's. A node that lags or a rotation in progress is transient, and
 * ends with the operation's age.
 */
static const struct {
	const char *signature, *name;
	enum err err;
} reverts[] = {
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
	/* Enough others have confirmed, or it was destroyed: ours is superfluous. */
	{"KmsContextNotPending(uint256)", "KmsContextNotPending", ERR_ALREADY_DONE},
	{"InvalidKmsEpoch(uint256)", "InvalidKmsEpoch", ERR_ALREADY_DONE},
	{"PrepKeygenNotRequested(uint256)", "PrepKeygenNotRequested", ERR_TRANSIENT},
	{"KeygenNotRequested(uint256)", "KeygenNotRequested", ERR_TRANSIENT},
	{"CrsgenNotRequested(uint256)", "CrsgenNotRequested", ERR_TRANSIENT},
	{"KeyManagementRequestPending()", "KeyManagementRequestPending", ERR_TRANSIENT},
	{"KmsContextCreationUnauthorized(address,uint256)", "KmsContextCreationUnauthorized",
	 ERR_TRANSIENT},
	{"EpochActivationUnauthorized(address,uint256)", "EpochActivationUnauthorized",
	 ERR_TRANSIENT},
	{"EpochActivationSignerDoesNotMatchTxSender(address,address)",
	 "EpochActivationSignerDoesNotMatchTxSender", ERR_TRANSIENT},
	{"KmsContextNotCreated(uint256)", "KmsContextNotCreated", ERR_TRANSIENT},
	{"EmptyKeyDigests(uint256)", "EmptyKeyDigests", ERR_BAD_REQUEST},
	{"EmptyEpochActivationAttestation(uint256)", "EmptyEpochActivationAttestation",
	 ERR_BAD_REQUEST},
};

enum err answer_classify_revert(const char **ret_name, enum op_kind kind, struct bytes revert_data)
{
	for (size_t i = 0;
	     op_kind_is_slow(kind) && revert_data.n >= SELECTOR && i < ARRAY_LEN(reverts); i++) {
		uint8_t selector[SELECTOR];

		abi_selector(selector, reverts[i].signature);
		if (memcmp(selector, revert_data.p, SELECTOR) == 0) {
			*ret_name = reverts[i].name;
			return reverts[i].err;
		}
	}
	return decryption_classify_revert(ret_name, revert_data);
}

/* ---- causes ---- */

#define NO_SENDER "this account is not registered as the transaction sender of a KMS node"
#define NO_SIGNER "the key that the core signs with is not registered as a KMS node's"
#define NO_PAIR   "this account and the core's signing key are not registered for one KMS node"

/* By the names of both tables of reverts; who is not here is REVERT_OTHER. */
static const struct {
	const char *name;
	enum revert_cause cause;
	const char *hint;
} causes[] = {
	{"KmsNodeAlreadySigned", REVERT_ANSWERED, ""},
	{"KmsAlreadySignedForPrepKeygen", REVERT_ANSWERED, ""},
	{"KmsAlreadySignedForKeygen", REVERT_ANSWERED, ""},
	{"KmsAlreadySignedForCrsgen", REVERT_ANSWERED, ""},
	{"KmsContextCreationAlreadyConfirmed", REVERT_ANSWERED, ""},
	{"EpochActivationAlreadyConfirmed", REVERT_ANSWERED, ""},
	{"KmsContextNotPending", REVERT_ANSWERED, ""},
	{"InvalidKmsEpoch", REVERT_ANSWERED, ""},
	{"DecryptionNotRequested", REVERT_NOT_YET, ""},
	{"PrepKeygenNotRequested", REVERT_NOT_YET, ""},
	{"KeygenNotRequested", REVERT_NOT_YET, ""},
	{"CrsgenNotRequested", REVERT_NOT_YET, ""},
	{"KeyManagementRequestPending", REVERT_NOT_YET, ""},
	{"KmsContextNotCreated", REVERT_NOT_YET, ""},
	{"NotKmsTxSender", REVERT_REGISTRATION, NO_SENDER},
	{"KmsContextCreationUnauthorized", REVERT_REGISTRATION, NO_SENDER},
	{"EpochActivationUnauthorized", REVERT_REGISTRATION, NO_SENDER},
	{"NotKmsSigner", REVERT_REGISTRATION, NO_SIGNER},
	{"KmsSignerDoesNotMatchTxSender", REVERT_REGISTRATION, NO_PAIR},
	{"EpochActivationSignerDoesNotMatchTxSender", REVERT_REGISTRATION, NO_PAIR},
	{"InvalidKmsContext", REVERT_CONTEXT, "the context is not valid (any more, or yet)"},
	{"DecryptionContextMismatch", REVERT_CONTEXT, "it was answered for another context"},
	{"ECDSAInvalidSignature", REVERT_BAD_ANSWER, ""},
	{"ECDSAInvalidSignatureLength", REVERT_BAD_ANSWER, ""},
	{"ECDSAInvalidSignatureS", REVERT_BAD_ANSWER, ""},
	{"EmptyKeyDigests", REVERT_BAD_ANSWER, ""},
	{"EmptyEpochActivationAttestation", REVERT_BAD_ANSWER, ""},
	{"EnforcedPause", REVERT_PAUSED, "the contract is paused"},
};

enum revert_cause answer_revert_cause(const char **ret_hint, const char *name)
{
	*ret_hint = "";
	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (strcmp(name, causes[i].name) == 0) {
			*ret_hint = causes[i].hint;
			return causes[i].cause;
		}
	return REVERT_OTHER;
}
