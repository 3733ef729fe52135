/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Is this the answer to what we asked? Everything the gateway's contract will check is checked here
 * first, where a wrong answer costs a question and not a transaction: one plaintext per handle, of
 * its type and width, and an EIP-712 signature over exactly these, by the key that the core names.
 * Whether that key is one of this KMS is kms_signer.c's question.
 */
#include "base/hex.h"
#include "connector/worker/internal.h"
#include "eth/eip712.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

enum {
	WORD = 32,
	SIGNATURE_SIZE = 65,
	V_EVEN = 27, /* as contracts want it */
	V_ODD = 28,
	POINT_SIZE = 33,
	POINT_LONG_SIZE = 65,
	VEC_HEAD = 8
};

/* Bits of each FHE type that a public decryption returns; 0 = not one of them. */
static const unsigned type_bits[] = {
	[0] = 1, [2] = 8, [3] = 16, [4] = 32, [5] = 64, [6] = 128, [7] = 160, [8] = 256,
};

/* Little-endian plaintext -> big-endian word; false when the value has more bits than its type. */
static bool word_of(uint8_t word[WORD], struct bytes le, unsigned bits)
{
	memset(word, 0, WORD);
	if (le.n == 0 || le.n > WORD)
		return false;
	for (size_t i = 0; i < le.n; i++) {
		unsigned low = (unsigned)i * 8; /* first bit of this byte */

		if (low >= bits ? le.p[i] != 0 : bits - low < 8 && le.p[i] >> (bits - low) != 0)
			return false;
		word[WORD - 1 - i] = le.p[i];
	}
	return true;
}

static enum err read_result(struct arena *a, struct bytes *ret_result, const struct job *j,
			    const Kms__V1__PublicDecryptionResponsePayload *payload,
			    struct err_note *note)
{
	size_t n = j->request.handles_n;

	if (payload->n_plaintexts != n)
		return err_say(note, ERR_MISMATCH, "%zu plaintexts for %zu handles",
			       payload->n_plaintexts, n);
	uint8_t(*words)[WORD] = arena_alloc_array(a, n, WORD);
	if (!words)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const Kms__V1__TypedPlaintext *p = payload->plaintexts[i];
		unsigned type = handle_fhe_type(&j->request.handles[i]);

		if (p->fhe_type < 0 || (unsigned)p->fhe_type != type ||
		    type >= ARRAY_LEN(type_bits) || type_bits[type] == 0)
			return err_say(note, ERR_MISMATCH,
				       "plaintext %zu has FHE type %d, its handle %u", i,
				       (int)p->fhe_type, type);
		if (!word_of(words[i], protobuf_view(p->bytes), type_bits[type]))
			return err_say(note, ERR_MISMATCH, "plaintext %zu does not fit FHE type %u",
				       i, type);
	}
	*ret_result = bytes_from(words, n * WORD);
	return ERR_OK;
}

/* A core that echoes the id must echo ours. */
static enum err check_id(const struct job *j, const Kms__V1__RequestId *id, struct err_note *note)
{
	struct u256 want = j->op.key.request_id;
	uint8_t be[WORD];

	if (!id)
		return ERR_OK;
	if (hex_decode_fixed(be, sizeof(be), bytes_str(id->request_id)) != ERR_OK ||
	    !u256_eq(u256_from_be(be), want))
		return err_say(note, ERR_MISMATCH, "it names another request");
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

static enum err digest_of(struct hash32 *ret_digest, struct arena *a, const struct job *j,
			  const struct decryption_answer *answer)
{
	const struct connector_config *c = j->worker->env.config;
	const struct eip712_domain domain = {
		.name = bytes_str(c->decryption_contract.domain_name),
		.version = bytes_str(c->decryption_contract.domain_version),
		.chain_id = u256_from_u64(c->gateway_chain_id),
		.verifying_contract = j->op.key.contract,
	};
	struct abi_value *handles = arena_alloc_array(a, j->request.handles_n, sizeof(*handles));

	if (!handles)
		return ERR_NOMEM;
	for (size_t i = 0; i < j->request.handles_n; i++)
		handles[i] = abi_hash(&j->request.handles[i]);
	const struct abi_value values[] = {
		{.items = handles, .items_n = j->request.handles_n},
		abi_bytes(answer->result),
		abi_bytes(answer->extra_data),
	};
	return eip712_digest(ret_digest, &domain, EIP712_PUBLIC_DECRYPT, values, ARRAY_LEN(values));
}

static enum err check_signature(struct address *ret_signer, struct arena *a, const struct job *j,
				const struct decryption_answer *answer, struct bytes key,
				struct err_note *note)
{
	const struct ecdsa *ecdsa = j->worker->env.ecdsa;
	struct address signer, named;
	struct hash32 digest;

	if (answer->signature.n != SIGNATURE_SIZE)
		return err_say(note, ERR_MISMATCH, "the signature has %zu bytes",
			       answer->signature.n);
	if (answer->signature.p[SIGNATURE_SIZE - 1] != V_EVEN &&
	    answer->signature.p[SIGNATURE_SIZE - 1] != V_ODD)
		return err_say(note, ERR_MISMATCH, "the signature's v is neither 27 nor 28");
	TRY(digest_of(&digest, a, j, answer));
	if (ecdsa_recover(ecdsa, &signer, answer->signature, digest) != ERR_OK)
		return err_say(note, ERR_MISMATCH, "the signature is not valid");
	if (key_address(ecdsa, &named, key) != ERR_OK)
		return err_say(note, ERR_MISMATCH, "the verification key is no secp256k1 point");
	if (!address_eq(signer, named))
		return err_say(note, ERR_MISMATCH,
			       "the signature is not by the core's verification key");
	*ret_signer = signer;
	return ERR_OK;
}

enum err core_answer_read(struct decryption_answer *ret_answer, struct address *ret_signer,
			  struct arena *a, const struct job *j, struct bytes message,
			  struct err_note *note)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(message);
	struct bytes extra_data = extra_data_for_core(j->request.extra_data);
	struct decryption_answer answer;
	ProtobufCMessage *base;

	enum err e = protobuf_unpack(&base, &kms__v1__public_decryption_response__descriptor,
				     message, &memory);
	if (e != ERR_OK)
		return err_say(note, e, "it cannot be read: %s", err_name(e));

	const Kms__V1__PublicDecryptionResponse *m =
		(const Kms__V1__PublicDecryptionResponse *)base;
	if (!m->payload)
		return err_say(note, ERR_MISMATCH, "it has no payload");
	TRY(check_id(j, m->payload->request_id, note));
	TRY(read_result(a, &answer.result, j, m->payload, note));
	/* Parties that sign different extra data split the vote, so what comes back must be what
	 * was sent. */
	if (!bytes_eq_var(protobuf_view(m->extra_data), extra_data))
		return err_say(note, ERR_MISMATCH, "its extra data is not what was sent");
	TRY(arena_copy(a, &answer.signature, protobuf_view(m->external_signature)));
	answer.extra_data = extra_data;
	TRY(check_signature(ret_signer, a, j, &answer, protobuf_view(m->payload->verification_key),
			    note));
	*ret_answer = answer;
	return ERR_OK;
}
