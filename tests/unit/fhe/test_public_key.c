/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* CompactPublicKey: round trips, and an audit of the key equation body = mask * rev(s) + noise. */
#include "base/limits.h"
#include "fhe/negacyclic.h"
#include "fhe_test.h"

static struct fhe_compact_public_key public_key_of(struct bytes b)
{
	struct fhe_compact_public_key k;

	assert_ok(fhe_compact_public_key_read(&k, b, NULL));
	return k;
}

static void round_trips(void **state)
{
	static const char *const names[] = {"cpk.bin", "my_cpk.bin"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf b = vector_read(names[i]), out = buf_make(1 << 20);
		struct fhe_compact_public_key k = public_key_of(buf_view(&b));

		assert_ok(fhe_compact_public_key_write(&k, &out));
		assert_bytes_equal(buf_view(&out), buf_view(&b));
		buf_free(&out);
		buf_free(&b);
	}
}

/* The older ExpansionKind version is read and written as the current one. */
static void older_version(void **state)
{
	struct buf b = vector_read("cpk_v0.bin"), want = vector_read("cpk.bin"),
		   out = buf_make(1 << 20);
	struct fhe_compact_public_key k = public_key_of(buf_view(&b));

	(void)state;
	assert_ok(fhe_compact_public_key_write(&k, &out));
	assert_bytes_equal(buf_view(&out), buf_view(&want));
	buf_free(&out);
	buf_free(&b);
	buf_free(&want);
}

/* How many coefficients have noise beyond 2^bound, and how many have any. */
static void audit(const struct fhe_compact_public_key *k, struct bytes s, size_t *ret_beyond,
		  size_t *ret_noisy)
{
	size_t n = (size_t)k->params.dimension;

	assert_int_equal(s.n, n);
	*ret_beyond = *ret_noisy = 0;
	for (size_t h = 0; h < n; h++) {
		uint64_t e = fhe_word_u64(k->words.p, n + h) -
			     fhe_negacyclic_rev_u64(k->words.p, s.p, n, h);
		int64_t bound = (int64_t)1 << k->params.noise;

		*ret_beyond += (int64_t)e > bound || (int64_t)e < -bound;
		*ret_noisy += e != 0;
	}
}

static void assert_belongs(struct bytes public_key, struct bytes s)
{
	struct fhe_compact_public_key k = public_key_of(public_key);
	size_t beyond, noisy;

	audit(&k, s, &beyond, &noisy);
	assert_int_equal(beyond, 0);
	assert_in_range(noisy, s.n - 5, s.n);
}

/* Keys made by tfhe-rs and by an earlier independent program obey the equation; under another
 * secret nothing does. */
static void equation_on_vectors(void **state)
{
	struct buf cpk = vector_read("cpk.bin"), mine = vector_read("my_cpk.bin"),
		   words = vector_read("my_s.bin");
	struct fhe_client_key *ck = client_key_of("ck.bin");
	uint8_t s[2048];
	struct fhe_compact_public_key k;
	size_t beyond, noisy;

	(void)state;
	for (size_t i = 0; i < sizeof(s); i++)
		s[i] = (uint8_t)fhe_word_u64(words.p, i);
	assert_belongs(buf_view(&cpk), fhe_client_key_bits(ck, FHE_KEY_PKE));
	assert_belongs(buf_view(&mine), BYTES_OF(s));
	k = public_key_of(buf_view(&cpk));
	audit(&k, BYTES_OF(s), &beyond, &noisy);
	assert_true(beyond > 2000);
	fhe_client_key_free(ck);
	buf_free(&cpk);
	buf_free(&mine);
	buf_free(&words);
}

static void generated(void **state)
{
	struct fhe_client_key *ck = client_key_of("ck_full.bin");
	struct buf a = buf_make(1 << 20), b = buf_make(1 << 20);
	struct rng_seeded rng;
	struct fhe_compact_public_key k;

	(void)state;
	assert_ok(fhe_compact_public_key_generate(ck, rng_seeded_init(&rng, 1), &a));
	assert_int_equal(a.n, 33018 + 12);
	assert_belongs(buf_view(&a), fhe_client_key_bits(ck, FHE_KEY_PKE));
	k = public_key_of(buf_view(&a));
	assert_bytes_equal(k.tag, fhe_client_key_tag(ck));
	assert_ok(fhe_compact_public_key_generate(ck, &rng.base, &b));
	assert_false(bytes_eq_var(buf_view(&a), buf_view(&b)));
	fhe_client_key_free(ck);
	buf_free(&a);
	buf_free(&b);
}

static enum err try_public_key(struct bytes object, void *ctx)
{
	struct fhe_compact_public_key k;

	(void)ctx;
	return fhe_compact_public_key_read(&k, object, NULL);
}

static void hostile(void **state)
{
	struct buf b = vector_read("cpk.bin");

	(void)state;
	truncations_fail(buf_view(&b), try_public_key, NULL);
	corruptions_are_safe(buf_view(&b), 99, 32866, try_public_key, NULL);
	b.p[97] = 0xff; /* number of words */
	assert_int_equal(try_public_key(buf_view(&b), NULL), ERR_TOO_BIG);
	b.p[97] = 0;
	assert_ok(try_public_key(buf_view(&b), NULL));
	b.p[32914] = 4; /* dimension 1024 of the parameters, polynomials of 2048 */
	assert_int_equal(try_public_key(buf_view(&b), NULL), ERR_MALFORMED);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(older_version),
		cmocka_unit_test(equation_on_vectors),
		cmocka_unit_test(generated),
		cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests_name("fhe public key", tests, NULL, NULL);
}
