/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Payload, signatures and the whole answer: published values and real ciphertexts. */
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "base/rng.h"
#include "core/decryption.h"
#include "core/public_decryption.h"
#include "crypto/sha.h"
#include "net/protobuf.h"
#include "support.h"

struct world {
	struct ecdsa *ecdsa;
	struct signing_key signer;
	struct fhe_key_handles handles[2]; /* by enum key_set */
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	OK(ecdsa_new(&w->ecdsa, (uint8_t[32]){3}));
	test_signer(&w->signer, w->ecdsa);
	for (size_t i = 0; i < 2; i++) {
		struct buf object = key_object((enum key_set)i, test_key_id);

		OK(kms_fhe_key_handles_read(&w->handles[i], buf_view(&object), NULL));
		buf_free(&object);
	}
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 2; i++)
		kms_fhe_key_handles_free(&w->handles[i]);
	signing_key_free(&w->signer);
	ecdsa_free(w->ecdsa);
	free(w);
	return 0;
}

/* A request of the published domain with the handles aa…, bb… */
static struct decryption_request domain_request(const struct decryption_item *items, size_t n)
{
	struct decryption_request r = {
		.id = request_number(1),
		.domain = {.name = BYTES_LIT("Authorization token"),
			   .version = BYTES_LIT("1"),
			   .chain_id = u256_from_u64(8006)},
		.items = items,
		.items_n = n,
	};

	OK(hex_decode_fixed(r.domain.verifying_contract.b, 20,
			    BYTES_LIT("66f9664f97F2b50F62D13eA064982f936dE76657")));
	return r;
}

/* Upstream's pinned value: u16 16 and bool true under this domain, no extra data. */
static void test_published_digest(void **state)
{
	(void)state;
	struct decryption_item items[2] = {{.type = FHE_UINT16}, {.type = FHE_BOOL}};
	const struct fhe_plaintext values[2] = {{.le = {16, 0}, .n = 2}, {.le = {1}, .n = 1}};
	struct hash32 digest;
	char text[65];

	memset(items[0].handle.b, 0xaa, 32);
	memset(items[1].handle.b, 0xbb, 32);

	struct decryption_request r = domain_request(items, 2);

	OK(public_decryption_digest(&digest, &r, values));
	hex_encode(text, BYTES_OF(digest.b));
	assert_string_equal(text,
			    "c7b9ab84a782163ba1911d246e81387510b1f670871ccc7bcefaee95ebf033bf");

	r.extra_data = BYTES_LIT("\0");
	OK(public_decryption_digest(&digest, &r, values));
	hex_encode(text, BYTES_OF(digest.b));
	assert_string_not_equal(text,
				"c7b9ab84a782163ba1911d246e81387510b1f670871ccc7bcefaee95ebf033bf");
}

/* The bincode form, byte by byte. */
static void test_payload_layout(void **state)
{
	struct world *w = *state;
	const struct decryption_item items[2] = {{.type = FHE_UINT16}, {.type = FHE_UINT160}};
	const struct fhe_plaintext values[2] = {{.le = {0x34, 0x12}, .n = 2},
						{.le = {0xee}, .n = 20}};
	struct decryption_request r = domain_request(items, 2);
	struct buf payload = buf_make(1024), want = buf_make(1024);

	OK(public_decryption_payload(&payload, &r, values, &w->signer));
	OK(hex_decode(&want, BYTES_LIT("2900000000000000"
				       "2100000000000000")));
	OK(buf_add(&want, BYTES_OF(w->signer.public_key.b)));
	OK(hex_decode(&want, BYTES_LIT("0200000000000000"
				       "0200000000000000"
				       "3412"
				       "03000000"
				       "1400000000000000"
				       "ee00000000000000000000000000000000000000"
				       "07000000"
				       "01"
				       "4000000000000000")));
	OK(buf_add_str(&want, "0200000000000000000000000000000000000000000000000000000000000001"));
	assert_int_equal(payload.n, want.n);
	assert_memory_equal(payload.p, want.p, want.n);
	buf_free(&payload);
	buf_free(&want);
}

/* A value of 33 bytes has no word. */
static void test_value_too_wide(void **state)
{
	(void)state;
	const struct decryption_item item = {.type = FHE_UINT512};
	const struct fhe_plaintext value = {.n = 33};
	struct decryption_request r = domain_request(&item, 1);
	struct hash32 digest;

	assert_int_equal(public_decryption_digest(&digest, &r, &value), ERR_RANGE);
}

static enum err answer_make(struct world *w, enum key_set set, const struct request *q,
			    struct buf *answer, struct err_note *note)
{
	struct key_ring_entry entry = {.epoch_id = request_id_default_epoch,
				       .key_id = test_key_id,
				       .key = w->handles[set].client_key};
	const struct key_ring ring = {.v = &entry, .n = 1};
	struct buf message = request_pack(q);
	struct arena memory = protobuf_arena(buf_view(&message));
	struct decryption_request r;
	enum err e = decryption_request_read(&r, q->kind, &ring, buf_view(&message), &memory, note);

	if (e == ERR_OK)
		e = decryption_answer(answer, &r, &w->signer, rng_system(), note);
	buf_free(&message);
	arena_free(&memory);
	return e;
}

/* A ciphertext that tfhe-rs or node-tfhe made. */
struct real {
	enum key_set set;
	const char *vector;
	Kms__V1__CiphertextFormat format;
	enum fhe_type type;
	uint64_t value;
};

#define FORMAT(name) KMS__V1__CIPHERTEXT_FORMAT__##name

static const struct real reals[] = {
	{KEY_TEST, "tfhe/nat_test_csq64.bin", FORMAT(BigCompressed), FHE_UINT64, VALUE_U64},
	{KEY_FULL, "tfhe/nat_full_csq64.bin", FORMAT(BigCompressed), FHE_UINT64, VALUE_U64},
	{KEY_TEST, "tfhe/nat_test_sq8.bin", FORMAT(BigExpanded), FHE_UINT8, 0x5a},
	{KEY_TEST, "tfhe/nat_test_sqbool.bin", FORMAT(BigExpanded), FHE_BOOL, 1},
	{KEY_FULL, "tfhe/nat_full_sq8.bin", FORMAT(BigExpanded), FHE_UINT8, 0x5a},
	{KEY_TEST, "tfhe/nat_test_ccl.bin", FORMAT(SmallCompressed), FHE_UINT64, VALUE_U64},
	{KEY_FULL, "tfhe/nat_full_ccl.bin", FORMAT(SmallCompressed), FHE_UINT64, VALUE_U64},
	{KEY_TEST, "tfhe/nat_test_u64.bin", FORMAT(SmallExpanded), FHE_UINT64, VALUE_U64},
	{KEY_FULL, "tfhe/ck_full_u8.bin", FORMAT(SmallExpanded), FHE_UINT8, 0x5a},
};

static void real_ciphertext(struct world *w, const struct real *real)
{
	struct buf ciphertext = vector_read(real->vector), answer = {0};
	struct err_note note = {0};
	struct request q;

	request_init(&q, 3, buf_view(&ciphertext));
	q.m.n_ciphertexts = 3;
	for (size_t i = 0; i < q.m.n_ciphertexts; i++) {
		q.items[i].ciphertext_format = real->format;
		q.items[i].fhe_type = (int32_t)real->type;
	}
	q.m.extra_data = protobuf_borrow(BYTES_LIT("\0"));
	q.m.n_signing_schemes = 1;
	if (answer_make(w, real->set, &q, &answer, &note) != ERR_OK)
		fail_msg("%s: %s", real->vector, note.text);
	answer_check(buf_view(&answer), &q, real->value);
	buf_free(&ciphertext);
	buf_free(&answer);
}

static void test_real_ciphertexts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(reals); i++)
		real_ciphertext(*state, &reals[i]);
}

/* RFC 6979: the same request has the same answer, byte for byte. */
static void test_deterministic(void **state)
{
	struct world *w = *state;
	struct buf ciphertext = vector_read("tfhe/nat_test_csq64.bin");
	struct buf a = {0}, b = {0};
	struct request q;

	request_init(&q, 3, buf_view(&ciphertext));
	OK(answer_make(w, KEY_TEST, &q, &a, NULL));
	OK(answer_make(w, KEY_TEST, &q, &b, NULL));
	assert_true(bytes_eq_var(buf_view(&a), buf_view(&b)));
	buf_free(&ciphertext);
	buf_free(&a);
	buf_free(&b);
}

/* The entry that is wrong is named; nothing is answered. */
static void test_bad_ciphertexts(void **state)
{
	struct world *w = *state;
	struct buf good = vector_read("tfhe/nat_test_csq64.bin"),
		   other = vector_read("tfhe/nat_full_csq64.bin");
	struct buf answer = {0};
	struct err_note note;
	struct request q;

	request_init(&q, 3, buf_view(&good));
	q.m.n_ciphertexts = 3;
	q.items[2].ciphertext = protobuf_borrow(buf_view(&other)); /* of another parameter set */
	assert_int_not_equal(answer_make(w, KEY_TEST, &q, &answer, &note), ERR_OK);
	assert_non_null(strstr(note.text, "ciphertexts[2]"));
	q.items[2].ciphertext = protobuf_borrow(bytes_sub(buf_view(&good), 0, good.n - 1));
	assert_int_not_equal(answer_make(w, KEY_TEST, &q, &answer, &note), ERR_OK);
	q.items[2].ciphertext = protobuf_borrow(buf_view(&good));
	q.items[2].fhe_type = FHE_UINT32; /* the request claims another type */
	assert_int_equal(answer_make(w, KEY_TEST, &q, &answer, &note), ERR_MISMATCH);
	assert_int_equal(answer.n, 0);
	buf_free(&good);
	buf_free(&other);
	buf_free(&answer);
}

/* As many handles as a request may have fit into an answer. */
static void test_largest_answer(void **state)
{
	struct world *w = *state;
	static struct decryption_item items[HANDLES_PER_REQUEST_MAX];
	static struct fhe_plaintext values[HANDLES_PER_REQUEST_MAX];
	static const uint8_t extra[CORE_EXTRA_DATA_MAX];
	struct buf answer = buf_make(PUBLIC_DECRYPTION_ANSWER_MAX);

	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		items[i].type = FHE_UINT256;
		values[i].n = 32;
		memset(values[i].le, 0xff, 32);
	}

	struct decryption_request r = domain_request(items, ARRAY_LEN(items));

	r.extra_data = BYTES_OF(extra);
	r.wants_ecdsa = true;
	OK(public_decryption_sign(&answer, &r, values, &w->signer));
	buf_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_digest), cmocka_unit_test(test_payload_layout),
		cmocka_unit_test(test_value_too_wide),   cmocka_unit_test(test_real_ciphertexts),
		cmocka_unit_test(test_deterministic),    cmocka_unit_test(test_bad_ciphertexts),
		cmocka_unit_test(test_largest_answer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
