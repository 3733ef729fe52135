/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Decryption requests as they reach the core. What is accepted says what protobuf-c alone finds in
 * the message, has the same digest however often it is read or packed, and another one when a
 * ciphertext is another.
 *
 * Input: u8: 0 or 1: a message of that kind as it is; otherwise one is made: see make().
 */
#include <stdlib.h>

#include "codec/safe_serialize.h"
#include "core/decryption_request.h"
#include "eth/text.h"
#include "net/protobuf.h"
#include "support_request.h"

enum {
	ITEMS_MAX = 4
};

static const struct address client = {{[19] = 8}};

/* 800 bytes of zeros are a key: every coefficient is below q. */
static struct bytes enc_key(void)
{
	static struct buf key;
	struct bincode_writer w = {.out = &key};

	if (key.n > 0)
		return buf_view(&key);
	key = buf_make(ENC_KEY_SIZE);
	safe_serialize_begin(&w, "UnifiedPublicEncKey");
	bincode_put_u32(&w, 0);
	bincode_put_u32(&w, 0);
	bincode_put_u64(&w, MLKEM_512_EK_SIZE);
	FUZZ_OK(bincode_end(&w));
	FUZZ_OK(buf_add_zero(&key, MLKEM_512_EK_SIZE));
	return buf_view(&key);
}

static void item_make(Kms__V1__TypedCiphertext *c, struct bytes *in)
{
	static uint8_t some[40];

	kms__v1__typed_ciphertext__init(c);
	c->ciphertext = protobuf_borrow(fuzz_part(in));
	if (c->ciphertext.len == 1 && c->ciphertext.data[0] == 'e')
		c->ciphertext.len = 0;
	c->fhe_type = (int32_t)fuzz_u8(in) - 1;
	c->external_handle = protobuf_borrow(bytes_from(some, fuzz_u8(in) % 36));
	c->ciphertext_format = (Kms__V1__CiphertextFormat)(fuzz_u8(in) % 6);
}

/* kind || request id || n || items || key id || domain present || domain || client || key edited ||
 * extra data || context || epoch || schemes || edits of the packed message */
static enum request_kind make(struct buf *out, struct bytes *in)
{
	enum request_kind kind =
		fuzz_u8(in) & 1 ? REQUEST_USER_DECRYPTION : REQUEST_PUBLIC_DECRYPTION;
	Kms__V1__UserDecryptionRequest m = KMS__V1__USER_DECRYPTION_REQUEST__INIT;
	Kms__V1__PublicDecryptionRequest pub = KMS__V1__PUBLIC_DECRYPTION_REQUEST__INIT;
	Kms__V1__RequestId ids[4];
	Kms__V1__TypedCiphertext items[ITEMS_MAX], *list[ITEMS_MAX];
	Kms__V1__SigningSchemeType schemes[3];
	Kms__V1__Eip712DomainMsg domain;
	char texts[4][REQUEST_ID_TEXT_SIZE], contract[ADDRESS_TEXT_SIZE], who[ADDRESS_TEXT_SIZE];

	m.request_id = fuzz_id(&ids[0], texts[0], (struct hash32){{2}}, in) ? &ids[0] : NULL;
	m.n_typed_ciphertexts = fuzz_u8(in) % (ITEMS_MAX + 1);
	m.typed_ciphertexts = list;
	for (size_t i = 0; i < m.n_typed_ciphertexts; i++) {
		item_make(&items[i], in);
		list[i] = &items[i];
	}
	m.key_id = fuzz_id(&ids[1], texts[1], fuzz_key_id, in) ? &ids[1] : NULL;
	m.domain = fuzz_u8(in) ? &domain : NULL;
	fuzz_domain(&domain, contract, in);
	address_to_text(who, fuzz_u8(in) % 4 ? client : fuzz_verifier);
	m.client_address = who;

	struct bytes key = fuzz_patch(enc_key(), fuzz_part(in));

	m.enc_key = protobuf_borrow(key);
	m.extra_data = protobuf_borrow(fuzz_part(in));
	m.context_id = fuzz_id(&ids[2], texts[2], request_id_default_context, in) ? &ids[2] : NULL;
	m.epoch_id = fuzz_id(&ids[3], texts[3], fuzz_ring()->v[0].epoch_id, in) ? &ids[3] : NULL;
	m.n_signing_schemes = fuzz_u8(in) % 4;
	m.signing_schemes = schemes;
	fuzz_schemes(schemes, m.n_signing_schemes, in);

	pub.request_id = m.request_id;
	pub.n_ciphertexts = m.n_typed_ciphertexts;
	pub.ciphertexts = list;
	pub.key_id = m.key_id;
	pub.domain = m.domain;
	pub.extra_data = m.extra_data;
	pub.context_id = m.context_id;
	pub.epoch_id = m.epoch_id;
	pub.n_signing_schemes = m.n_signing_schemes;
	pub.signing_schemes = schemes;
	FUZZ_OK(protobuf_pack(out, kind == REQUEST_USER_DECRYPTION ? &m.base : &pub.base));
	fuzz_free(key);
	return kind;
}

/* ---- what must hold ---- */

static void check_fields(const struct decryption_request *r, struct bytes message)
{
	Kms__V1__UserDecryptionRequest *u = NULL;
	Kms__V1__PublicDecryptionRequest *p = NULL;

	if (r->kind == REQUEST_USER_DECRYPTION)
		CHECK((u = kms__v1__user_decryption_request__unpack(NULL, message.n, message.p)));
	else
		CHECK((p = kms__v1__public_decryption_request__unpack(NULL, message.n, message.p)));
	CHECK(r->items_n == (u ? u->n_typed_ciphertexts : p->n_ciphertexts));
	CHECK(r->items_n > 0 && r->items_n <= HANDLES_PER_REQUEST_MAX);
	for (size_t i = 0; i < r->items_n; i++) {
		const Kms__V1__TypedCiphertext *c = u ? u->typed_ciphertexts[i] : p->ciphertexts[i];
		struct bytes handle = protobuf_view(c->external_handle);

		CHECK(bytes_eq_var(r->items[i].ciphertext, protobuf_view(c->ciphertext)));
		CHECK(handle.n >= 1 && handle.n <= 32);
		CHECK(bytes_eq_var(handle, bytes_sub(BYTES_OF(r->items[i].handle.b), 32 - handle.n,
						     handle.n)));
		CHECK((int)r->items[i].type == c->fhe_type);
	}
	CHECK(bytes_eq_var(r->extra_data, protobuf_view(u ? u->extra_data : p->extra_data)));
	CHECK(!u || bytes_eq_var(r->enc_key.serialized, protobuf_view(u->enc_key)));
	CHECK(!u || !address_eq(r->user, r->domain.verifying_contract));
	CHECK(hash32_eq(r->key_id, fuzz_key_id) && r->key);
	kms__v1__user_decryption_request__free_unpacked(u, NULL);
	kms__v1__public_decryption_request__free_unpacked(p, NULL);
}

static void check_again(const struct decryption_request *r, struct bytes message)
{
	struct bytes copy = fuzz_copy(message);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(copy);
	struct bytes first = r->items[0].ciphertext;
	struct decryption_request again;
	const uint8_t *at = memmem(copy.p, copy.n, first.p, first.n);

	FUZZ_OK(decryption_request_read(&again, r->kind, fuzz_ring(), copy, &memory, NULL));
	CHECK(hash32_eq(r->digest, again.digest));
	/* Long enough to stand in the message once. */
	if (first.n >= 16 && at &&
	    !memmem(at + 1, copy.n - (size_t)(at + 1 - copy.p), first.p, first.n)) {
		copy.n = message.n;
		((uint8_t *)(uintptr_t)at)[first.n / 2] ^= 1;
		arena_free(&memory);
		FUZZ_OK(decryption_request_read(&again, r->kind, fuzz_ring(), copy, &memory, NULL));
		CHECK(!hash32_eq(r->digest, again.digest));
	}
	fuzz_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(buf_free) struct buf packed = buf_make(1 << 20);
	struct bytes in = bytes_from(p, n < 8192 ? n : 8192), message;
	uint8_t what = fuzz_u8(&in);
	enum request_kind kind = what == 0 ? REQUEST_PUBLIC_DECRYPTION : REQUEST_USER_DECRYPTION;
	struct decryption_request r;
	struct err_note note = {0};

	if (what > 1) {
		kind = make(&packed, &in);
		message = fuzz_patch(buf_view(&packed), in);
	} else {
		message = fuzz_copy(in);
	}

	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	enum err e = decryption_request_read(&r, kind, fuzz_ring(), message, &memory, &note);

	if (e == ERR_OK) {
		check_fields(&r, message);
		check_again(&r, message);
	} else {
		CHECK(note.text[0]);
	}
	fuzz_free(message);
	return 0;
}
