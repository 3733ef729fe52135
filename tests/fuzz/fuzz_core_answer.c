/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a core answers to the connector. Nothing is accepted but by a valid signature over the
 * result that goes on chain; the result says what the message says.
 *
 * Input: u8: 0 or 1: a reply of that kind as it is; otherwise one is made: u8 kind || u8 faults ||
 * u8 number of handles || per handle: u8 type, part: the value || edits
 */
#include "connector/worker/internal.h"
#include "crypto/keccak.h"
#include "eth/eip712.h"
#include "fuzz.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

enum {
	HANDLES = 3,
	MEMORY_MAX = 8 << 20
};

static const struct secret32 secret = {{[31] = 42}};

static struct ecdsa *curve(void)
{
	static struct ecdsa *e;

	if (!e)
		FUZZ_OK(ecdsa_new(&e, (const uint8_t[32]){1}));
	return e;
}

/* ---- the question ---- */

static struct connector_config config = {
	.decryption_contract = {.domain_name = "Decryption", .domain_version = "1"},
	.gateway_chain_id = 5,
};
static struct worker worker = {.env = {.config = &config}};
static struct hash32 handles[HANDLES];
static struct user_request user = {.user = {{[19] = 9}}, .public_key = BYTES_LIT("key")};

static void job_make(struct job *j, enum op_kind kind, size_t n)
{
	worker.env.ecdsa = curve();
	*j = (struct job){
		.worker = &worker,
		.kind = &work_kinds[kind],
		.op.key = {.contract = {{1}}, .kind = kind, .request_id = {{77}}},
		.request = {.handles = handles, .handles_n = n, .extra_data = BYTES_LIT("\1x")},
	};
	if (kind == OP_KIND_USER_DECRYPTION)
		j->request.user = &user;
}

/* ---- an answer ---- */

struct value {
	uint8_t type;
	struct bytes bytes;
};

static struct hash32 link_of(struct arena *a, const struct job *j)
{
	const struct eip712_domain domain = core_domain(j);
	struct abi_value list;
	struct hash32 link;

	FUZZ_OK(core_handles_value(&list, a, j));

	const struct abi_value members[] = {abi_bytes(user.public_key), list,
					    abi_address(user.user)};

	FUZZ_OK(eip712_digest(&link, &domain,
			      "UserDecryptionLinker(bytes publicKey,bytes32[] handles,"
			      "address userAddress)",
			      members, ARRAY_LEN(members)));
	return link;
}

static void pack(struct buf *out, struct arena *a, const struct job *j, const struct value *values,
		 uint8_t faults, struct bytes signature)
{
	Kms__V1__PublicDecryptionResponse pub = KMS__V1__PUBLIC_DECRYPTION_RESPONSE__INIT;
	Kms__V1__PublicDecryptionResponsePayload pub_payload =
		KMS__V1__PUBLIC_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__UserDecryptionResponse usr = KMS__V1__USER_DECRYPTION_RESPONSE__INIT;
	Kms__V1__UserDecryptionResponsePayload usr_payload =
		KMS__V1__USER_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedPlaintext plain[HANDLES], *plain_list[HANDLES];
	Kms__V1__TypedSigncryptedCiphertext sealed[HANDLES], *sealed_list[HANDLES];
	Kms__V1__RequestId id = KMS__V1__REQUEST_ID__INIT;
	struct hash32 link = {{0}};
	struct public_key33 point;
	uint8_t key[8 + 33] = {33};
	const bool is_user = j->request.user != NULL;

	FUZZ_OK(ecdsa_public_key(curve(), &point, &secret));
	memcpy(&key[8], point.b, 33);
	for (size_t i = 0; i < j->request.handles_n; i++) {
		kms__v1__typed_plaintext__init(&plain[i]);
		plain[i].fhe_type = values[i].type;
		plain[i].bytes = protobuf_borrow(values[i].bytes);
		plain_list[i] = &plain[i];
		kms__v1__typed_signcrypted_ciphertext__init(&sealed[i]);
		sealed[i].fhe_type = values[i].type;
		sealed[i].signcrypted_ciphertext = protobuf_borrow(values[i].bytes);
		sealed[i].external_handle = protobuf_borrow(BYTES_OF(handles[i].b));
		sealed_list[i] = &sealed[i];
	}
	id.request_id = (char *)(uintptr_t)(faults & 1 ? "00000000000000000000000000000000000000"
							 "0000000000000000000000004d"
						       : "77");
	pub_payload.verification_key =
		protobuf_borrow(bytes_from(faults & 2 ? &key[8] : key, faults & 2 ? 33 : 41));
	pub_payload.n_plaintexts = usr_payload.n_signcrypted_ciphertexts = j->request.handles_n;
	pub_payload.plaintexts = plain_list;
	pub_payload.request_id = faults & 4 ? &id : NULL;
	if (is_user)
		link = link_of(a, j);
	usr_payload.verification_key = pub_payload.verification_key;
	usr_payload.signcrypted_ciphertexts = sealed_list;
	usr_payload.digest = protobuf_borrow(BYTES_OF(link.b));
	usr_payload.party_id = 1;
	pub.payload = faults & 8 ? NULL : &pub_payload;
	usr.payload = faults & 8 ? NULL : &usr_payload;
	pub.extra_data = usr.extra_data = protobuf_borrow(j->request.extra_data);
	pub.external_signature = usr.external_signature = protobuf_borrow(signature);
	FUZZ_OK(protobuf_pack(out, is_user ? &usr.base : &pub.base));
}

/* Signed, if the part that is signed is well formed. */
static struct bytes make(struct arena *a, struct job *j, struct bytes in)
{
	CLEANUP(buf_free) struct buf out = buf_make(MEMORY_MAX);
	enum op_kind kind = fuzz_u8(&in) & 1 ? OP_KIND_USER_DECRYPTION : OP_KIND_PUBLIC_DECRYPTION;
	uint8_t faults = fuzz_u8(&in);
	size_t n = fuzz_u8(&in) % (HANDLES + 1);
	struct signature65 signature = {{0}};
	struct value values[HANDLES];
	struct core_reply reply;

	job_make(j, kind, n);
	for (size_t i = 0; i < n; i++) {
		values[i].type = fuzz_u8(&in);
		values[i].bytes = fuzz_part(&in);
		handles[i] = (struct hash32){{[0] = (uint8_t)i, [30] = values[i].type}};
	}
	pack(&out, a, j, values, faults, BYTES_NONE);
	if (j->kind->read(&reply, a, j, buf_view(&out), NULL) == ERR_OK) {
		FUZZ_OK(ecdsa_sign65(curve(), &signature, &secret, reply.digest));
		signature.b[64] ^= faults & 16;
		buf_clear(&out);
		pack(&out, a, j, values, faults, BYTES_OF(signature.b));
	}
	return fuzz_patch(buf_view(&out), in);
}

/* ---- what must hold ---- */

static void check_public(const struct job *j, struct bytes message, struct bytes result)
{
	Kms__V1__PublicDecryptionResponse *m =
		kms__v1__public_decryption_response__unpack(NULL, message.n, message.p);

	CHECK(m && m->payload && result.n == 32 * j->request.handles_n);
	for (size_t i = 0; i < j->request.handles_n; i++) {
		struct bytes le = protobuf_view(m->payload->plaintexts[i]->bytes);

		for (size_t k = 0; k < 32; k++)
			CHECK(result.p[32 * i + 31 - k] == (k < le.n ? le.p[k] : 0));
	}
	kms__v1__public_decryption_response__free_unpacked(m, NULL);
}

static void check_user(const struct job *j, struct bytes message, struct bytes result)
{
	Kms__V1__UserDecryptionResponse *m =
		kms__v1__user_decryption_response__unpack(NULL, message.n, message.p);
	size_t n = 8 + 8 + 32 + 8 + 4 + 4;

	CHECK(m && m->payload);
	n += m->payload->verification_key.len;
	for (size_t i = 0; i < j->request.handles_n; i++) {
		struct bytes sealed = protobuf_view(
			m->payload->signcrypted_ciphertexts[i]->signcrypted_ciphertext);

		CHECK(fuzz_holds(result, sealed));
		n += 4 + 8 + sealed.n + 8 + 32 + 4;
	}
	CHECK(result.n == n);
	kms__v1__user_decryption_response__free_unpacked(m, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena arena = arena_make(MEMORY_MAX);
	struct bytes in = bytes_from(p, n < 4096 ? n : 4096), message;
	uint8_t what = fuzz_u8(&in);
	struct decryption_answer answer;
	struct address ours;
	struct err_note note = {0};
	struct job j;

	job_make(&j, what == 0 ? OP_KIND_PUBLIC_DECRYPTION : OP_KIND_USER_DECRYPTION, 1);
	message = what > 1 ? make(&arena, &j, in) : fuzz_copy(in);

	j.arena = arena_make(MEMORY_MAX);
	j.answer_bytes = buf_make(MEMORY_MAX);

	enum err e = j.kind->accept(&j, message, &note);

	if (e == ERR_OK) {
		FUZZ_OK(ecdsa_address(curve(), &ours, &secret));
		CHECK(address_eq(j.signer, ours) || what <= 1);
		FUZZ_OK(decryption_answer_decode(&answer, j.op.key.kind,
						 buf_view(&j.answer_bytes)));
		CHECK(answer.signature.n == 65);
		CHECK(bytes_eq_var(answer.extra_data, j.request.extra_data));
		if (j.request.user)
			check_user(&j, message, answer.result);
		else
			check_public(&j, message, answer.result);
	} else {
		CHECK(note.text[0] || e == ERR_TOO_BIG);
	}
	buf_free(&j.answer_bytes);
	arena_free(&j.arena);
	fuzz_free(message);
	return 0;
}
