/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Signcryption against a whole user decryption (userdec_n1_t0_extraempty.json), byte for byte: its
 * answer is one that the client library accepted. What the test adds is the way back, as the
 * client goes it, and keys that must be refused.
 */
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "core/signcrypt.h"
#include "core/user_decryption.h"
#include "crypto/aes_gcm.h"
#include "crypto/mlkem_internal.h"
#include "crypto/sha.h"
#include "net/protobuf.h"
#include "support.h"

enum {
	ITEMS = 8,
	SEALED_MAX = SIGNCRYPT_PLAINTEXT_SIZE_MAX + SIGNCRYPT_OVERHEAD,
};

/* ---- the vector ---- */

struct item {
	enum fhe_type type;
	struct buf plaintext, message, sealed;
};

struct vector {
	struct buf enc_key, dk, domain_name, domain_version, verification_key, payload;
	struct eip712_domain domain;
	struct hash32 handles[ITEMS], link, fingerprint, response_digest;
	struct address user;
	struct secret32 d, z;
	struct item items[ITEMS];
	struct signature65 external;
	struct signature64 internal;
	struct ecdsa *ecdsa;
	struct signing_key signer;
};

static struct vector v;

static void hex_of(const json_t *o, const char *key, uint8_t *out, size_t n)
{
	enum err e = ERR_OK;
	const char *text = json_get_str(o, key, &e);

	OK(e);
	OK(hex_decode_fixed(out, n, bytes_str(text)));
}

static struct buf hex_buf(const json_t *o, const char *key)
{
	struct buf b = buf_make(1 << 16);
	enum err e = ERR_OK;
	const char *text = json_get_str(o, key, &e);

	OK(e);
	OK(hex_decode(&b, bytes_str(text)));
	return b;
}

static struct buf text_buf(const json_t *o, const char *key)
{
	struct buf b = buf_make(1 << 10);
	enum err e = ERR_OK;

	OK(buf_add_str(&b, json_get_str(o, key, &e)));
	OK(e);
	return b;
}

static void read_items(const json_t *list)
{
	enum err e = ERR_OK;

	assert_int_equal(json_array_size(list), ITEMS);
	for (size_t i = 0; i < ITEMS; i++) {
		const json_t *o = json_array_get(list, i);

		v.items[i].type = (enum fhe_type)json_get_int(o, "fhe_type", &e);
		v.items[i].plaintext = hex_buf(o, "share_or_plaintext");
		v.items[i].message = hex_buf(o, "msg");
		v.items[i].sealed = hex_buf(o, "signcrypted_ciphertext");
	}
	OK(e);
}

static void read_response(const json_t *o)
{
	static const uint8_t seed[32] = {7};
	struct secret32 key;

	v.verification_key = hex_buf(o, "verification_key");
	v.payload = hex_buf(o, "payload");
	hex_of(o, "eip712_hash", v.response_digest.b, 32);
	hex_of(o, "external_signature", v.external.b, 65);
	hex_of(o, "internal_signature", v.internal.b, 64);
	hex_of(o, "server_sk", key.b, 32);
	OK(ecdsa_new(&v.ecdsa, seed));
	v.signer.ecdsa = v.ecdsa;
	OK(secret_copy(&v.signer.key, BYTES_OF(key.b)));
	OK(ecdsa_public_key(v.ecdsa, &v.signer.public_key, &key));
	OK(ecdsa_address(v.ecdsa, &v.signer.address, &key));
	read_items(json_object_get(o, "ciphertexts"));
}

static int setup(void **state)
{
	struct buf text = vector_read("core/userdec_n1_t0_extraempty.json");
	const json_t *domain, *handles;
	uint8_t seed[64];
	enum err e = ERR_OK;
	json_t *o = NULL;

	(void)state;
	OK(json_parse(&o, buf_view(&text), 1 << 20, NULL));
	v.enc_key = hex_buf(o, "enc_key");
	v.dk = hex_buf(o, "mlkem_sk");
	hex_of(o, "mlkem_seed_d_z", seed, sizeof(seed));
	memcpy(v.d.b, seed, 32);
	memcpy(v.z.b, &seed[32], 32);
	hex_of(o, "enc_key_hash_SIGNCRYP", v.fingerprint.b, 32);
	hex_of(o, "link", v.link.b, 32);
	hex_of(o, "user_address", v.user.b, 20);
	domain = json_object_get(o, "domain");
	v.domain_name = text_buf(domain, "name");
	v.domain_version = text_buf(domain, "version");
	v.domain.name = buf_view(&v.domain_name);
	v.domain.version = buf_view(&v.domain_version);
	OK(u256_parse(&v.domain.chain_id, bytes_str(json_get_str(domain, "chainId", &e))));
	hex_of(domain, "verifyingContract", v.domain.verifying_contract.b, 20);
	handles = json_object_get(o, "handles");
	assert_int_equal(json_array_size(handles), ITEMS);
	for (size_t i = 0; i < ITEMS; i++)
		hex_of(json_array_get(handles, i), NULL, v.handles[i].b, 32);
	read_response(json_array_get(json_object_get(o, "responses"), 0));
	OK(e);
	json_decref(o);
	buf_free(&text);
	return 0;
}

static int teardown(void **state)
{
	struct buf *const bufs[] = {&v.enc_key,          &v.dk,
				    &v.domain_name,      &v.domain_version,
				    &v.verification_key, &v.payload};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		buf_free(bufs[i]);
	for (size_t i = 0; i < ITEMS; i++) {
		buf_free(&v.items[i].plaintext);
		buf_free(&v.items[i].message);
		buf_free(&v.items[i].sealed);
	}
	signing_key_free(&v.signer);
	ecdsa_free(v.ecdsa);
	return 0;
}

static struct enc_key key_of_vector(void)
{
	struct enc_key key;
	struct err_note note = {0};

	if (enc_key_read(&key, buf_view(&v.enc_key), &note) != ERR_OK)
		fail_msg("%s", note.text);
	return key;
}

static void assert_bytes(struct bytes got, struct bytes want)
{
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.p, want.p, want.n);
}

/* ---- randomness as it was ---- */

struct fixed_rng {
	struct rng base;
	struct bytes left;
};

static void fixed_fill(struct rng *r, uint8_t *out, size_t n)
{
	struct fixed_rng *f = CONTAINER_OF(r, struct fixed_rng, base);

	assert_true(n <= f->left.n);
	memcpy(out, f->left.p, n);
	f->left = bytes_sub(f->left, n, f->left.n - n);
}

/* The KEM's message and the nonce that an answer was made with: the owner of the key can tell. */
static void randomness_of(uint8_t out[44], struct bytes sealed)
{
	mlkem_kpke_decrypt(mlkem_params(MLKEM_512), out, v.dk.p,
			   bytes_sub(sealed, 20, MLKEM_512_CT_SIZE).p);
	memcpy(&out[32], sealed.p, 12);
}

/* ---- tests ---- */

static void key_and_link(void **state)
{
	struct enc_key key = key_of_vector();
	uint8_t ek[MLKEM_512_EK_SIZE], dk[MLKEM_512_DK_SIZE];
	struct signcrypt s;
	struct hash32 link;

	(void)state;
	OK(mlkem_keygen(MLKEM_512, ek, dk, &v.d, &v.z));
	assert_bytes(BYTES_OF(dk), buf_view(&v.dk));
	assert_bytes(key.ek, BYTES_OF(ek));
	assert_bytes(key.serialized, buf_view(&v.enc_key));
	OK(signcrypt_link(&link, &v.domain, &key, v.handles, ITEMS, v.user));
	assert_true(hash32_eq(link, v.link));
	OK(signcrypt_begin(&s, &v.signer, &key, v.user, link));
	assert_true(hash32_eq(s.user_fingerprint, v.fingerprint));

	/* every part counts */
	OK(signcrypt_link(&link, &v.domain, &key, v.handles, ITEMS - 1, v.user));
	assert_false(hash32_eq(link, v.link));
	OK(signcrypt_link(&link, &v.domain, &key, v.handles, ITEMS, v.signer.address));
	assert_false(hash32_eq(link, v.link));
}

static void sealed_as_in_the_vector(void **state)
{
	static const struct rng_ops ops = {.fill = fixed_fill};
	struct enc_key key = key_of_vector();
	struct buf out = buf_make(SEALED_MAX);
	struct signcrypt s;

	(void)state;
	OK(signcrypt_begin(&s, &v.signer, &key, v.user, v.link));
	for (size_t i = 0; i < ITEMS; i++) {
		const struct item *item = &v.items[i];
		uint8_t randomness[44];
		struct fixed_rng rng = {{&ops}, BYTES_OF(randomness)};

		randomness_of(randomness, buf_view(&item->sealed));
		buf_clear(&out);
		OK(signcrypt_seal(&out, &s, item->type, buf_view(&item->plaintext), &rng.base));
		assert_int_equal(out.n, item->plaintext.n + SIGNCRYPT_OVERHEAD);
		assert_bytes(buf_view(&out), buf_view(&item->sealed));
		assert_int_equal(rng.left.n, 0);
	}
	buf_free(&out);
}

static void answer_as_in_the_vector(void **state)
{
	struct enc_key key = key_of_vector();
	struct buf out = buf_make(1 << 16);
	struct signcrypted items[ITEMS];
	struct secret32 scalar = signing_key_scalar(&v.signer);
	uint8_t verification_key[VERIFICATION_KEY_SIZE];
	struct signature65 external;
	struct signature64 internal;
	struct hash32 digest;

	(void)state;
	signing_key_verification_key(verification_key, &v.signer);
	assert_bytes(BYTES_OF(verification_key), buf_view(&v.verification_key));
	for (size_t i = 0; i < ITEMS; i++)
		items[i] = (struct signcrypted){
			.type = v.items[i].type,
			.sealed = buf_view(&v.items[i].sealed),
			.external_handle = BYTES_OF(v.handles[i].b),
			.packing_factor = 1,
		};

	const struct signcrypt_payload payload = {.verification_key = verification_key,
						  .link = v.link,
						  .items = items,
						  .items_n = ITEMS,
						  .party_id = 1};

	OK(signcrypt_payload_encode(&out, &payload));
	assert_bytes(buf_view(&out), buf_view(&v.payload));
	OK(signcrypt_response_digest(&digest, &v.domain, &key, v.handles, ITEMS, buf_view(&out),
				     BYTES_NONE));
	assert_true(hash32_eq(digest, v.response_digest));
	OK(ecdsa_sign65(v.ecdsa, &external, &scalar, digest));
	assert_bytes(BYTES_OF(external.b), BYTES_OF(v.external.b));
	OK(ecdsa_sign_kms(v.ecdsa, &internal, &scalar, "USER_DEC", buf_view(&out)));
	assert_bytes(BYTES_OF(internal.b), BYTES_OF(v.internal.b));

	/* what does not fit leaves nothing behind */
	struct buf small = buf_make(v.payload.n - 1);

	assert_int_equal(signcrypt_payload_encode(&small, &payload), ERR_TOO_BIG);
	assert_int_equal(small.n, 0);
	buf_free(&small);
	buf_free(&out);
}

/* Randomness for all of it, and the whole answer comes out. */
static void node_answers_as_in_the_vector(void **state)
{
	static const struct rng_ops ops = {.fill = fixed_fill};
	struct decryption_item items[ITEMS] = {0};
	struct fhe_plaintext values[ITEMS] = {0};
	uint8_t randomness[ITEMS][44];
	struct fixed_rng rng = {{&ops}, {&randomness[0][0], sizeof(randomness)}};
	struct buf answer = buf_make(USER_DECRYPTION_ANSWER_MAX), payload = buf_make(1 << 16);
	struct decryption_request r = {
		.kind = REQUEST_USER_DECRYPTION,
		.domain = v.domain,
		.items = items,
		.items_n = ITEMS,
		.user = v.user,
		.enc_key = key_of_vector(),
	};
	struct arena memory = arena_make(1 << 20);
	ProtobufCMessage *unpacked;

	(void)state;
	for (size_t i = 0; i < ITEMS; i++) {
		const struct item *item = &v.items[i];

		items[i].type = item->type;
		items[i].handle = v.handles[i];
		items[i].external_handle = BYTES_OF(v.handles[i].b);
		values[i].n = item->plaintext.n;
		memcpy(values[i].le, item->plaintext.p, item->plaintext.n);
		randomness_of(randomness[i], buf_view(&item->sealed));
	}
	OK(user_decryption_sign(&answer, &r, values, &v.signer, &rng.base));
	assert_int_equal(rng.left.n, 0);
	OK(protobuf_unpack(&unpacked, &kms__v1__user_decryption_response__descriptor,
			   buf_view(&answer), &memory));

	const Kms__V1__UserDecryptionResponse *m =
		(const Kms__V1__UserDecryptionResponse *)unpacked;

	assert_bytes(protobuf_view(m->external_signature), BYTES_OF(v.external.b));
	assert_bytes(protobuf_view(m->signature), BYTES_OF(v.internal.b));
	assert_int_equal(m->n_signatures, 0);
	user_payload_encode(&payload, m->payload);
	assert_bytes(buf_view(&payload), buf_view(&v.payload));
	buf_free(&payload);
	buf_free(&answer);
	arena_free(&memory);
}

/* The user's side: decapsulate, open, check the server's fingerprint and the signature. */
static void open_as_the_user(struct buf *ret_message, struct bytes sealed,
			     const struct signcrypt *s)
{
	CLEANUP(buf_free) struct buf text = buf_make(SEALED_MAX), covered = buf_make(SEALED_MAX);
	struct reader r = reader_of(sealed);
	struct bytes nonce = reader_bytes(&r, 12), ct, box, message;
	struct signature64 signature;
	struct secret32 shared;
	struct hash32 digest;

	assert_int_equal(reader_u64le(&r), MLKEM_512_CT_SIZE);
	ct = reader_bytes(&r, MLKEM_512_CT_SIZE);
	box = reader_bytes(&r, (size_t)reader_u64le(&r));
	OK(reader_end(&r));
	OK(mlkem_decaps(MLKEM_512, &shared, buf_view(&v.dk), ct));
	OK(aes_gcm_open(&text, &shared, nonce.p, BYTES_NONE, box));
	assert_true(text.n > 96);
	message = bytes_sub(buf_view(&text), 0, text.n - 96);
	memcpy(signature.b, &text.p[message.n], 64);
	assert_memory_equal(&text.p[text.n - 32], s->server_fingerprint.b, 32);
	OK(buf_add_str(&covered, "USER_DEC"));
	OK(buf_add(&covered, message));
	OK(buf_add(&covered, BYTES_OF(v.user.b)));
	OK(buf_add(&covered, BYTES_OF(v.fingerprint.b)));

	const struct bytes parts = buf_view(&covered);

	OK(sha256(&digest, &parts, 1));
	OK(ecdsa_verify64(v.ecdsa, v.signer.public_key, signature, digest));
	OK(buf_add(ret_message, message));
}

static void the_user_reads_it(void **state)
{
	static uint8_t long_text[SIGNCRYPT_PLAINTEXT_SIZE_MAX + 1];
	static const size_t sizes[] = {0, 1, 32, 8200, SIGNCRYPT_PLAINTEXT_SIZE_MAX};
	struct enc_key key = key_of_vector();
	struct buf out = buf_make(SEALED_MAX), message = buf_make(SEALED_MAX);
	struct signcrypt s;

	(void)state;
	OK(signcrypt_begin(&s, &v.signer, &key, v.user, v.link));
	for (size_t i = 0; i < ITEMS; i++) {
		buf_clear(&message);
		open_as_the_user(&message, buf_view(&v.items[i].sealed), &s);
		assert_bytes(buf_view(&message), buf_view(&v.items[i].message));
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		memset(long_text, (int)i, sizeof(long_text));
		buf_clear(&out);
		buf_clear(&message);
		OK(signcrypt_seal(&out, &s, FHE_UINT64, bytes_from(long_text, sizes[i]),
				  rng_system()));
		open_as_the_user(&message, buf_view(&out), &s);
		assert_int_equal(message.n, sizes[i] + 52);
		if (sizes[i])
			assert_memory_equal(&message.p[8], long_text, sizes[i]);
		assert_int_equal(message.p[8 + sizes[i]], FHE_UINT64);
		assert_memory_equal(&message.p[message.n - 32], v.link.b, 32);
	}
	buf_clear(&out);
	assert_int_equal(signcrypt_seal(&out, &s, FHE_UINT64, BYTES_OF(long_text), rng_system()),
			 ERR_RANGE);

	struct buf small = buf_make(SIGNCRYPT_OVERHEAD);

	assert_int_equal(signcrypt_seal(&small, &s, FHE_BOOL, BYTES_LIT("\1"), rng_system()),
			 ERR_TOO_BIG);
	assert_int_equal(small.n, 0);
	buf_free(&small);
	buf_free(&out);
	buf_free(&message);
}

/* Two answers to the same question share no randomness. */
static void fresh_each_time(void **state)
{
	struct enc_key key = key_of_vector();
	struct buf a = buf_make(SEALED_MAX), b = buf_make(SEALED_MAX);
	struct signcrypt s;

	(void)state;
	OK(signcrypt_begin(&s, &v.signer, &key, v.user, v.link));
	OK(signcrypt_seal(&a, &s, FHE_BOOL, BYTES_LIT("\1"), rng_system()));
	OK(signcrypt_seal(&b, &s, FHE_BOOL, BYTES_LIT("\1"), rng_system()));
	assert_memory_not_equal(a.p, b.p, 12);
	assert_memory_not_equal(&a.p[20], &b.p[20], 32);
	buf_free(&a);
	buf_free(&b);
}

static void refused_keys(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
		{0, 4},   {8, '1'},                                    /* header version */
		{11, 1},                                               /* mode */
		{15, 4},  {23, '2'},                                   /* versioning scheme */
		{26, 20}, {34, 'X'},                                   /* name */
		{53, 1},                                               /* version */
		{57, 1},                                               /* variant MlKem1024 */
		{57, 2},  {61, 0x21}, {61, 0x1f}, {64, 1}, {68, 0x80}, /* length */
	};
	struct buf b = buf_make(2000);
	struct enc_key key = {.serialized = {.n = 77}};
	struct err_note note;

	(void)state;
	OK(buf_add(&b, buf_view(&v.enc_key)));
	assert_int_equal(b.n, ENC_KEY_SIZE);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		uint8_t before = b.p[changes[i].at];

		assert_int_not_equal(before, changes[i].value);
		b.p[changes[i].at] = changes[i].value;
		note = (struct err_note){0};
		assert_int_equal(enc_key_read(&key, buf_view(&b), &note), ERR_MALFORMED);
		assert_int_not_equal(note.text[0], 0);
		b.p[changes[i].at] = before;
	}
	OK(enc_key_read(&key, buf_view(&b), NULL));
	key = (struct enc_key){.serialized = {.n = 77}};

	/* a coefficient of q: 3329 = 0xd01 */
	b.p[69] = 0x01;
	b.p[70] = (uint8_t)((b.p[70] & 0xf0) | 0x0d);
	assert_int_equal(enc_key_read(&key, buf_view(&b), &note), ERR_MALFORMED);

	for (size_t n = 0; n < ENC_KEY_SIZE; n++)
		assert_int_equal(enc_key_read(&key, bytes_sub(buf_view(&v.enc_key), 0, n), &note),
				 ERR_MALFORMED);
	buf_clear(&b);
	OK(buf_add(&b, buf_view(&v.enc_key)));
	OK(buf_add_u8(&b, 0));
	assert_int_equal(enc_key_read(&key, buf_view(&b), &note), ERR_MALFORMED);
	assert_int_equal(key.serialized.n, 77);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_and_link),
		cmocka_unit_test(sealed_as_in_the_vector),
		cmocka_unit_test(answer_as_in_the_vector),
		cmocka_unit_test(node_answers_as_in_the_vector),
		cmocka_unit_test(the_user_reads_it),
		cmocka_unit_test(fresh_each_time),
		cmocka_unit_test(refused_keys),
	};

	return cmocka_run_group_tests_name("core signcrypt", tests, setup, teardown);
}
