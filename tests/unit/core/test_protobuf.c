/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Hostile protocol buffers: nothing may cost more than its bound, cut text or pass for another
 * message. */
#include "base/limits.h"
#include "net/protobuf.h"
#include "support.h"

static enum err unpack(const ProtobufCMessageDescriptor *d, struct bytes in, size_t *ret_used)
{
	struct arena memory = protobuf_arena(in);
	ProtobufCMessage *m;
	enum err e = protobuf_unpack(&m, d, in, &memory);

	if (ret_used)
		*ret_used = memory.used;
	assert_true(memory.used <= memory.size_max);
	arena_free(&memory);
	return e;
}

static enum err unpack_request(struct bytes in)
{
	return unpack(&kms__v1__public_decryption_request__descriptor, in, NULL);
}

/* `n` times the same bytes. */
static struct buf repeat(struct bytes what, size_t n)
{
	struct buf b = buf_make(what.n * n);

	for (size_t i = 0; i < n; i++)
		OK(buf_add(&b, what));
	return b;
}

static void test_round_trip(void **state)
{
	(void)state;
	struct buf ciphertext = repeat(BYTES_LIT("x"), 300000);
	struct request r;

	request_init(&r, 7, buf_view(&ciphertext));
	r.m.n_ciphertexts = 3;
	r.schemes[0] = KMS__V1__SIGNING_SCHEME_TYPE__MLDSA87;
	r.m.n_signing_schemes = 1;

	struct buf packed = request_pack(&r), again = buf_make(packed.n);
	struct arena memory = protobuf_arena(buf_view(&packed));
	ProtobufCMessage *m;

	OK(protobuf_unpack(&m, &kms__v1__public_decryption_request__descriptor, buf_view(&packed),
			   &memory));
	assert_true(memory.used < packed.n + 8192);
	OK(protobuf_pack(&again, m));
	assert_true(bytes_eq_var(buf_view(&packed), buf_view(&again)));
	arena_free(&memory);
	buf_free(&packed);
	buf_free(&again);
	buf_free(&ciphertext);
}

static void test_empty_is_a_message(void **state)
{
	(void)state;
	OK(unpack(&kms__v1__empty__descriptor, BYTES_NONE, NULL));
	OK(unpack_request(BYTES_NONE));
}

/* Every cut of a valid message is malformed, or a shorter valid message; never a crash, never more
 * memory. */
static void test_every_truncation(void **state)
{
	(void)state;
	struct request r;

	request_init(&r, 7, BYTES_LIT("ciphertext"));

	struct buf packed = request_pack(&r);
	size_t malformed = 0;

	for (size_t n = 0; n < packed.n; n++) {
		/* A copy of exact size, so that reading beyond it is seen. */
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, packed.p, n);
		enum err e = unpack_request(bytes_from(copy, n));

		assert_true(e == ERR_OK || e == ERR_MALFORMED);
		malformed += e == ERR_MALFORMED;
		free(copy);
	}
	assert_true(malformed > packed.n / 2);
	buf_free(&packed);
}

static void test_bombs(void **state)
{
	(void)state;
	/* Five million empty ciphertexts in 10 MiB; as many empty unknown fields; packed schemes;
	 * nested health peers. */
	const struct {
		struct bytes unit;
		size_t n;
		const ProtobufCMessageDescriptor *d;
	} rows[] = {
		{BYTES_LIT("\x12\x00"), 5 << 20, &kms__v1__public_decryption_request__descriptor},
		{BYTES_LIT("\x7a\x00"), 5 << 20, &kms__v1__public_decryption_request__descriptor},
		{BYTES_LIT("\x40\x00"), 5 << 20, &kms__v1__public_decryption_request__descriptor},
		{BYTES_LIT("\x0a\x02\x32\x00"), 1 << 20,
		 &kms__v1__health_status_response__descriptor},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = repeat(rows[i].unit, rows[i].n);

		assert_int_equal(unpack(rows[i].d, buf_view(&b), NULL), ERR_TOO_BIG);
		buf_free(&b);
	}

	/* One packed field of a million numbers: four times its size as an array. */
	struct buf numbers = buf_make(2 << 20);

	OK(buf_add(&numbers, BYTES_LIT("\x42\x80\x80\x40")));
	OK(buf_add_zero(&numbers, 1 << 20));
	assert_int_equal(unpack_request(buf_view(&numbers)), ERR_TOO_BIG);
	buf_free(&numbers);
}

/* As many fields as allowed, each a message: the arena is the bound that counts. */
static void test_fields_at_the_limit(void **state)
{
	(void)state;
	struct buf b = repeat(BYTES_LIT("\x12\x00"), PROTOBUF_FIELDS_MAX);
	size_t used;
	enum err e = unpack(&kms__v1__public_decryption_request__descriptor, buf_view(&b), &used);

	assert_true(e == ERR_OK || e == ERR_TOO_BIG);
	assert_true(used <= 2 * b.n + PROTOBUF_ARENA_EXTRA);
	buf_free(&b);
	b = repeat(BYTES_LIT("\x12\x00"), 4096);
	OK(unpack_request(buf_view(&b)));
	buf_free(&b);
}

static void test_malformed(void **state)
{
	(void)state;
	const struct {
		const char *what;
		struct bytes in;
	} rows[] = {
		{"field 0", BYTES_LIT("\x02\x00")},
		{"field above 2^29", BYTES_LIT("\xfa\xff\xff\xff\xff\x01\x00")},
		{"group start", BYTES_LIT("\x0b\x0c")},
		{"group end", BYTES_LIT("\x0c")},
		{"wire type 6", BYTES_LIT("\x0e\x00")},
		{"varint without end",
		 BYTES_LIT("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")},
		{"length beyond the end", BYTES_LIT("\x2a\x05"
						    "abcd")},
		{"length of 2^63", BYTES_LIT("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f")},
		{"inner length beyond the inner end", BYTES_LIT("\x0a\x03\x0a\x05"
								"a")},
		{"text with a NUL", BYTES_LIT("\x0a\x05\x0a\x03"
					      "a\0b")},
		{"text that is not UTF-8", BYTES_LIT("\x0a\x04\x0a\x02\xc3\x28")},
		{"overlong UTF-8", BYTES_LIT("\x0a\x04\x0a\x02\xc0\x80")},
		{"message field sent as a number", BYTES_LIT("\x08\x01")},
		{"cut fixed64", BYTES_LIT("\x79\x01\x02")},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (unpack_request(rows[i].in) != ERR_MALFORMED)
			fail_msg("%s: %s", rows[i].what, err_name(unpack_request(rows[i].in)));
}

/* Seeded garbage and seeded damage: any answer, no crash, bounded memory (also what the sanitizers
 * watch). */
static void test_damage(void **state)
{
	(void)state;
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 20261120);
	struct request r;

	request_init(&r, 7, BYTES_LIT("some ciphertext bytes"));
	r.m.n_ciphertexts = 4;

	struct buf packed = request_pack(&r);

	for (unsigned i = 0; i < 20000; i++) {
		struct buf copy = buf_make(packed.n);

		OK(buf_add(&copy, buf_view(&packed)));
		for (uint64_t k = rng_below(rng, 4) + 1; k > 0; k--)
			copy.p[rng_below(rng, copy.n)] = (uint8_t)rng_below(rng, 256);
		enum err e = unpack_request(buf_view(&copy));

		assert_true(e == ERR_OK || e == ERR_MALFORMED || e == ERR_TOO_BIG);
		buf_free(&copy);
	}
	buf_free(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty_is_a_message),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_fields_at_the_limit),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
