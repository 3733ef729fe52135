/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Is this the answer to what we asked? Everything the gateway's contract will check is checked here
 * first, where a wrong answer costs a question and not a transaction: what the kind of request
 * demands (core_public.c, core_user.c), and an EIP-712 signature over exactly that, by the key that
 * the core names. Whether that key is one of this KMS is kms_signer.c's question.
 */
#include "connector/worker/internal.h"

enum {
	SIGNATURE_SIZE = 65,
	V_EVEN = 27, /* as contracts want it */
	V_ODD = 28,
	POINT_SIZE = 33,
	POINT_LONG_SIZE = 65,
	VEC_HEAD = 8
};

struct eip712_domain core_domain(const struct job *j)
{
	const struct contract_config *c = job_contract(j);

	return (struct eip712_domain){
		.name = bytes_str(c->domain_name),
		.version = bytes_str(c->domain_version),
		.chain_id = u256_from_u64(j->op.key.chain.v),
		.verifying_contract = j->op.key.contract,
	};
}

enum err core_handles_value(struct abi_value *ret_value, struct arena *a, const struct job *j)
{
	struct abi_value *handles = arena_alloc_array(a, j->request.handles_n, sizeof(*handles));

	if (!handles)
		return ERR_NOMEM;
	for (size_t i = 0; i < j->request.handles_n; i++)
		handles[i] = abi_hash(&j->request.handles[i]);
	*ret_value = abi_items(handles, j->request.handles_n);
	return ERR_OK;
}

/* verification_key: a bincode vector (u64 length, little endian) around the SEC1 point; the bare
 * point is taken too. */
static enum err key_address(const struct ecdsa *ecdsa, struct address *ret, struct bytes key)
{
	struct reader r = reader_of(key);

	if (key.n == VEC_HEAD + POINT_SIZE || key.n == VEC_HEAD + POINT_LONG_SIZE) {
		uint64_t n = reader_u64le(&r);

		key = reader_bytes(&r, n <= POINT_LONG_SIZE ? (size_t)n : SIZE_MAX);
		if (reader_end(&r) != ERR_OK)
			return ERR_MALFORMED;
	}
	return ecdsa_address_of_point(ecdsa, ret, key);
}

enum err core_signer(struct address *ret_signer, const struct job *j, struct bytes signature,
		     struct hash32 digest, struct err_note *note)
{
	if (signature.n != SIGNATURE_SIZE)
		return err_say(note, ERR_MISMATCH, "the signature has %zu bytes", signature.n);
	if (signature.p[SIGNATURE_SIZE - 1] != V_EVEN && signature.p[SIGNATURE_SIZE - 1] != V_ODD)
		return err_say(note, ERR_MISMATCH, "the signature's v is neither 27 nor 28");
	if (ecdsa_recover(j->worker->env.ecdsa, ret_signer, signature, digest) != ERR_OK)
		return err_say(note, ERR_MISMATCH, "the signature is not valid");
	return ERR_OK;
}

static enum err check_signature(struct address *ret_signer, const struct job *j,
				const struct core_reply *r, struct err_note *note)
{
	struct address signer, named;

	TRY(core_signer(&signer, j, r->external_signature, r->digest, note));
	if (key_address(j->worker->env.ecdsa, &named, r->verification_key) != ERR_OK)
		return err_say(note, ERR_MISMATCH, "the verification key is no secp256k1 point");
	if (!address_eq(signer, named))
		return err_say(note, ERR_MISMATCH,
			       "the signature is not by the core's verification key");
	*ret_signer = signer;
	return ERR_OK;
}

enum err decryption_accept(struct job *j, struct bytes message, struct err_note *note)
{
	struct bytes extra_data = extra_data_for_core(j->request.extra_data);
	struct core_reply r;

	TRY(j->kind->read(&r, &j->arena, j, message, note));
	/* Parties that sign different extra data split the vote, so what comes back must be what
	 * was sent. */
	if (!bytes_eq_var(r.extra_data, extra_data))
		return err_say(note, ERR_MISMATCH, "its extra data is not what was sent");
	TRY(check_signature(&j->signer, j, &r, note));

	const struct decryption_answer answer = {
		.result = r.result,
		.signature = r.external_signature,
		.extra_data = extra_data,
	};
	return decryption_answer_encode(&j->answer_bytes, &answer);
}
