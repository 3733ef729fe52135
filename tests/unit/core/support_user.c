/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The user's side of a user decryption, as the client library goes it. */
#include "base/limits.h"
#include "codec/bincode.h"
#include "core/signcrypt.h"
#include "crypto/aes_gcm.h"
#include "crypto/sha.h"
#include "net/protobuf.h"
#include "support.h"

void user_payload_encode(struct buf *out, const Kms__V1__UserDecryptionResponsePayload *p)
{
	struct bincode_writer w = {.out = out};

	assert_non_null(p);
	bincode_put_vec(&w, protobuf_view(p->verification_key));
	bincode_put_vec(&w, protobuf_view(p->digest));
	bincode_put_u64(&w, p->n_signcrypted_ciphertexts);
	for (size_t i = 0; i < p->n_signcrypted_ciphertexts; i++) {
		const Kms__V1__TypedSigncryptedCiphertext *c = p->signcrypted_ciphertexts[i];

		bincode_put_u32(&w, (uint32_t)c->fhe_type);
		bincode_put_vec(&w, protobuf_view(c->signcrypted_ciphertext));
		bincode_put_vec(&w, protobuf_view(c->external_handle));
		bincode_put_u32(&w, c->packing_factor);
	}
	bincode_put_u32(&w, p->party_id);
	bincode_put_u32(&w, p->degree);
	OK(bincode_end(&w));
}

struct parties {
	struct ecdsa *ecdsa;
	struct signing_key signer;
	struct decryption_request request;
	struct buf message;
	struct arena memory;
	struct key_ring_entry entry;
};

static void parties_make(struct parties *p, const struct request *r)
{
	const struct key_ring keys = {.v = &p->entry, .n = 1};

	OK(ecdsa_new(&p->ecdsa, (uint8_t[32]){1}));
	test_signer(&p->signer, p->ecdsa);
	p->entry = (struct key_ring_entry){
		.epoch_id = request_id_default_epoch,
		.key_id = test_key_id,
		.key = (struct fhe_client_key *)(void *)p /* only its presence counts */};
	p->message = request_pack(r);
	p->memory = protobuf_arena(buf_view(&p->message));
	OK(decryption_request_read(&p->request, r->kind, &keys, buf_view(&p->message), &p->memory,
				   NULL));
}

static void parties_free(struct parties *p)
{
	signing_key_free(&p->signer);
	ecdsa_free(p->ecdsa);
	buf_free(&p->message);
	arena_free(&p->memory);
}

static void value_check(const struct parties *p, const struct test_user *user, struct bytes sealed,
			struct hash32 link, uint64_t value)
{
	struct buf text = buf_make(1 << 12);
	struct reader r = reader_of(sealed);
	struct bytes nonce = reader_bytes(&r, 12), ct, box, message;
	struct secret32 shared;
	struct signature64 signature;
	struct hash32 print, digest;
	uint8_t length[8] = {MLKEM_512_EK_SIZE & 0xff, MLKEM_512_EK_SIZE >> 8};

	assert_int_equal(reader_u64le(&r), MLKEM_512_CT_SIZE);
	ct = reader_bytes(&r, MLKEM_512_CT_SIZE);
	box = reader_bytes(&r, (size_t)reader_u64le(&r));
	OK(reader_end(&r));
	OK(mlkem_decaps(MLKEM_512, &shared, BYTES_OF(user->dk), ct));
	OK(aes_gcm_open(&text, &shared, nonce.p, BYTES_NONE, box));

	/* u64 8 || value || i32 type || u64 32 || link || signature || fingerprint */
	assert_int_equal(text.n, 8 + 8 + 4 + 8 + 32 + 64 + 32);
	assert_memory_equal(&text.p[8], &value, 8);
	assert_memory_equal(&text.p[28], link.b, 32);
	message = bytes_sub(buf_view(&text), 0, 60);
	memcpy(signature.b, &text.p[60], 64);

	struct buf key = buf_make(1 << 10);

	OK(buf_add(&key, BYTES_OF(length)));
	OK(buf_add(&key, bytes_from(&user->enc_key[69], MLKEM_512_EK_SIZE)));
	OK(kms_digest(&print, "SIGNCRYP", buf_view(&key)));
	OK(sha256(&digest,
		  (struct bytes[]){BYTES_LIT("USER_DEC"), message, BYTES_OF(user->address.b),
				   BYTES_OF(print.b)},
		  4));
	OK(ecdsa_verify64(p->ecdsa, p->signer.public_key, signature, digest));
	buf_free(&key);
	buf_free(&text);
}

static void signatures_check(const struct parties *p, const Kms__V1__UserDecryptionResponse *m,
			     const struct hash32 *handles)
{
	struct buf payload = buf_make(1 << 20);
	struct signature64 raw;
	struct address who;
	struct hash32 digest;

	user_payload_encode(&payload, m->payload);
	OK(sha256(&digest, (struct bytes[]){BYTES_LIT("USER_DEC"), buf_view(&payload)}, 2));
	assert_int_equal(m->signature.len, sizeof(raw.b));
	memcpy(raw.b, m->signature.data, sizeof(raw.b));
	OK(ecdsa_verify64(p->ecdsa, p->signer.public_key, raw, digest));
	OK(signcrypt_response_digest(&digest, &p->request.domain, &p->request.enc_key, handles,
				     p->request.items_n, buf_view(&payload),
				     p->request.extra_data));
	OK(ecdsa_recover(p->ecdsa, &who, protobuf_view(m->external_signature), digest));
	assert_memory_equal(who.b, p->signer.address.b, sizeof(who.b));
	buf_free(&payload);
}

void user_answer_check(struct bytes reply, const struct request *r, const struct test_user *user,
		       uint64_t value)
{
	struct arena memory = protobuf_arena(reply);
	struct hash32 handles[ITEMS_MAX], link;
	struct parties p;
	ProtobufCMessage *unpacked;

	parties_make(&p, r);
	OK(protobuf_unpack(&unpacked, &kms__v1__user_decryption_response__descriptor, reply,
			   &memory));

	const Kms__V1__UserDecryptionResponse *m =
		(const Kms__V1__UserDecryptionResponse *)unpacked;

	assert_non_null(m->payload);
	assert_int_equal(m->payload->n_signcrypted_ciphertexts, r->m.n_ciphertexts);
	assert_int_equal(m->payload->party_id, 1);
	assert_int_equal(m->payload->degree, 0);
	assert_true(bytes_eq_var(protobuf_view(m->extra_data), protobuf_view(r->m.extra_data)));
	assert_int_equal(m->n_signatures, r->m.n_signing_schemes > 0);
	for (size_t i = 0; i < p.request.items_n; i++)
		handles[i] = p.request.items[i].handle;
	OK(signcrypt_link(&link, &p.request.domain, &p.request.enc_key, handles, p.request.items_n,
			  user->address));
	assert_true(bytes_eq_var(protobuf_view(m->payload->digest), BYTES_OF(link.b)));
	for (size_t i = 0; i < p.request.items_n; i++) {
		const Kms__V1__TypedSigncryptedCiphertext *c =
			m->payload->signcrypted_ciphertexts[i];

		assert_int_equal(c->fhe_type, FHE_UINT64);
		assert_int_equal(c->packing_factor, 1);
		assert_true(bytes_eq_var(protobuf_view(c->external_handle),
					 protobuf_view(r->items[i].external_handle)));
		value_check(&p, user, protobuf_view(c->signcrypted_ciphertext), link, value);
	}
	signatures_check(&p, m, handles);
	parties_free(&p);
	arena_free(&memory);
}
