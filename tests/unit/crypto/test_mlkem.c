/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * ML-KEM against another implementation's vectors and 10 000 accumulated tests, its parts against
 * the formulas of FIPS 203, its checks against malformed keys. Each implementation that was built
 * goes through all of it; where there are two, they are compared as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/config.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/rng.h"
#include "crypto/mlkem_internal.h"
#include "crypto/sha.h"

#define assert_ok(expression) assert_int_equal((expression), ERR_OK)

static const char *const set_names[MLKEM_SETS] = {"ML-KEM-512", "ML-KEM-1024"};

static const struct mlkem_backend *const backends[] = {
	&mlkem_backend_own,
#ifdef MLKEM_BY_OPENSSL
	&mlkem_backend_openssl,
#endif
};

static json_t *vectors;

static int setup(void **state)
{
	struct buf text = buf_make(1 << 20);
	const char *folder = getenv("VECTORS");
	char path[1000];

	(void)state;
	assert_non_null(folder);
	(void)snprintf(path, sizeof(path), "%s/crypto/mlkem.json", folder);
	assert_ok(config_read_file(&text, path, NULL));
	assert_ok(json_parse(&vectors, buf_view(&text), 1 << 20, NULL));
	buf_free(&text);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

/* ---- vectors ---- */

struct vector {
	struct secret32 d, z, m, shared, rejected;
	uint8_t ek[MLKEM_EK_SIZE_MAX], dk[MLKEM_DK_SIZE_MAX];
	uint8_t ct[MLKEM_CT_SIZE_MAX], spoilt[MLKEM_CT_SIZE_MAX];
};

static void hex_member(const json_t *o, const char *key, uint8_t *out, size_t n)
{
	enum err e = ERR_OK;
	const char *text = json_get_str(o, key, &e);

	assert_ok(e);
	assert_ok(hex_decode_fixed(out, n, bytes_str(text)));
}

static struct vector vector_read(enum mlkem_set set, size_t i)
{
	struct mlkem_sizes s = mlkem_sizes(set);
	const json_t *o = json_object_get(vectors, set_names[set]);
	struct vector v;

	o = json_array_get(json_object_get(o, "tests"), i);
	hex_member(o, "d", v.d.b, 32);
	hex_member(o, "z", v.z.b, 32);
	hex_member(o, "m", v.m.b, 32);
	hex_member(o, "shared", v.shared.b, 32);
	hex_member(o, "rejected", v.rejected.b, 32);
	hex_member(o, "ek", v.ek, s.ek);
	hex_member(o, "dk", v.dk, s.dk);
	hex_member(o, "ct", v.ct, s.ct);
	hex_member(o, "spoilt", v.spoilt, s.ct);
	return v;
}

static void assert_vector(const struct mlkem_backend *b, enum mlkem_set set, const struct vector *v)
{
	struct mlkem_sizes s = mlkem_sizes(set);
	uint8_t ek[MLKEM_EK_SIZE_MAX], dk[MLKEM_DK_SIZE_MAX], ct[MLKEM_CT_SIZE_MAX];
	struct bytes ek_view = bytes_from(v->ek, s.ek), dk_view = bytes_from(v->dk, s.dk);
	struct secret32 shared;

	assert_ok(b->keygen(set, ek, dk, &v->d, &v->z));
	assert_memory_equal(ek, v->ek, s.ek);
	assert_memory_equal(dk, v->dk, s.dk);
	assert_ok(b->ek_check(set, ek_view));
	assert_ok(b->encaps(set, &shared, ct, ek_view, &v->m));
	assert_memory_equal(ct, v->ct, s.ct);
	assert_memory_equal(shared.b, v->shared.b, 32);
	assert_ok(b->decaps(set, &shared, dk_view, bytes_from(v->ct, s.ct)));
	assert_memory_equal(shared.b, v->shared.b, 32);
	assert_ok(b->decaps(set, &shared, dk_view, bytes_from(v->spoilt, s.ct)));
	assert_memory_equal(shared.b, v->rejected.b, 32);
}

static void known_answers(void **state)
{
	(void)state;
	for (enum mlkem_set set = MLKEM_512; set < MLKEM_SETS; set++) {
		const json_t *o = json_object_get(vectors, set_names[set]);
		size_t n = json_array_size(json_object_get(o, "tests"));

		assert_true(n >= 3);
		for (size_t i = 0; i < n; i++) {
			struct vector v = vector_read(set, i);

			for (size_t b = 0; b < ARRAY_LEN(backends); b++)
				assert_vector(backends[b], set, &v);
		}
	}
}

/* The functions of mlkem.h, which add lengths and the choice. */
static void public_functions(void **state)
{
	(void)state;
	for (enum mlkem_set set = MLKEM_512; set < MLKEM_SETS; set++) {
		struct mlkem_sizes s = mlkem_sizes(set);
		struct vector v = vector_read(set, 0);
		uint8_t ek[MLKEM_EK_SIZE_MAX], dk[MLKEM_DK_SIZE_MAX], ct[MLKEM_CT_SIZE_MAX];
		struct bytes ek_view = bytes_from(ek, s.ek), dk_view = bytes_from(dk, s.dk),
			     ct_view = bytes_from(ct, s.ct);
		struct secret32 shared;

		assert_ok(mlkem_keygen(set, ek, dk, &v.d, &v.z));
		assert_memory_equal(dk, v.dk, s.dk);
		assert_ok(mlkem_ek_check(set, ek_view));
		assert_ok(mlkem_encaps(set, &shared, ct, ek_view, &v.m));
		assert_memory_equal(ct, v.ct, s.ct);
		assert_memory_equal(shared.b, v.shared.b, 32);
		assert_ok(mlkem_decaps(set, &shared, dk_view, bytes_from(v.spoilt, s.ct)));
		assert_memory_equal(shared.b, v.rejected.b, 32);

		/* any other length, and outputs stay as they are */
		ek_view.n--;
		dk_view.n--;
		assert_int_equal(mlkem_ek_check(set, ek_view), ERR_MALFORMED);
		assert_int_equal(mlkem_encaps(set, &shared, ct, ek_view, &v.d), ERR_MALFORMED);
		assert_int_equal(mlkem_decaps(set, &shared, dk_view, ct_view), ERR_MALFORMED);
		dk_view.n++;
		ct_view.n--;
		assert_int_equal(mlkem_decaps(set, &shared, dk_view, ct_view), ERR_MALFORMED);
		assert_memory_equal(shared.b, v.rejected.b, 32);
		assert_memory_equal(ct, v.ct, s.ct);
	}
}

/* ---- accumulated ---- */

/* SHAKE128("") as an endless source: OpenSSL before 3.3 cannot go on squeezing. */
static uint8_t *stream_make(size_t n)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	assert_ok(shake128(p, n, NULL, 0));
	return p;
}

static void take(void *out, size_t n, const uint8_t **source)
{
	memcpy(out, *source, n);
	*source = &(*source)[n];
}

/* d, z, m and a random ciphertext from SHAKE128(""); ek, ct, K, and K of the random ciphertext into
 * another SHAKE128. */
static void accumulate(const struct mlkem_backend *b, enum mlkem_set set, size_t rounds, char *text)
{
	struct mlkem_sizes s = mlkem_sizes(set);
	uint8_t *stream = stream_make(rounds * (96 + s.ct)), out[32];
	const uint8_t *source = stream;
	EVP_MD_CTX *sink = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestInit_ex(sink, EVP_shake128(), NULL), 1);
	for (size_t i = 0; i < rounds; i++) {
		uint8_t ek[MLKEM_EK_SIZE_MAX], dk[MLKEM_DK_SIZE_MAX];
		uint8_t ct[MLKEM_CT_SIZE_MAX], random[MLKEM_CT_SIZE_MAX];
		struct secret32 d, z, m, shared, again, rejected;

		take(d.b, 32, &source);
		take(z.b, 32, &source);
		take(m.b, 32, &source);
		take(random, s.ct, &source);
		assert_ok(b->keygen(set, ek, dk, &d, &z));
		assert_ok(b->encaps(set, &shared, ct, bytes_from(ek, s.ek), &m));
		assert_ok(b->decaps(set, &again, bytes_from(dk, s.dk), bytes_from(ct, s.ct)));
		assert_memory_equal(again.b, shared.b, 32);
		assert_ok(
			b->decaps(set, &rejected, bytes_from(dk, s.dk), bytes_from(random, s.ct)));
		assert_int_equal(EVP_DigestUpdate(sink, ek, s.ek), 1);
		assert_int_equal(EVP_DigestUpdate(sink, ct, s.ct), 1);
		assert_int_equal(EVP_DigestUpdate(sink, shared.b, 32), 1);
		assert_int_equal(EVP_DigestUpdate(sink, rejected.b, 32), 1);
	}
	assert_int_equal(EVP_DigestFinalXOF(sink, out, sizeof(out)), 1);
	hex_encode(text, BYTES_OF(out));
	EVP_MD_CTX_free(sink);
	free(stream);
}

static void accumulated(void **state)
{
	static const struct {
		const char *member;
		size_t rounds;
	} rows[] = {{"accumulated_100", 100}, {"accumulated_10000", 10000}};

	(void)state;
	for (enum mlkem_set set = MLKEM_512; set < MLKEM_SETS; set++) {
		const json_t *o = json_object_get(vectors, set_names[set]);

		for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
			for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
				enum err e = ERR_OK;
				const char *want = json_get_str(o, rows[i].member, &e);
				char text[65];

				assert_ok(e);
				accumulate(backends[b], set, rows[i].rounds, text);
				assert_string_equal(text, want);
			}
		}
	}
}

/* ---- parts ---- */

/* Formulas 4.7 and 4.8 in whole numbers, for every input. */
static void compression(void **state)
{
	static const unsigned ds[] = {1, 4, 5, 10, 11};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ds); i++) {
		unsigned d = ds[i], two_d = 1u << d;

		for (unsigned x = 0; x < MLKEM_Q; x++) {
			unsigned rounded = (2 * two_d * x + MLKEM_Q) / (2 * MLKEM_Q);

			assert_int_equal(mlkem_compress((uint16_t)x, d), rounded % two_d);
		}
		for (unsigned y = 0; y < two_d; y++) {
			unsigned rounded = (2 * MLKEM_Q * y + two_d) / (2 * two_d);

			assert_int_equal(mlkem_decompress((uint16_t)y, d), rounded);
			assert_int_equal(mlkem_compress((uint16_t)rounded, d), y);
		}
	}
}

static struct mlkem_poly poly_random(struct rng *rng, uint64_t bound)
{
	struct mlkem_poly f;

	for (size_t i = 0; i < MLKEM_N; i++)
		f.c[i] = (uint16_t)rng_below(rng, bound);
	return f;
}

static void encoding(void **state)
{
	static const unsigned ds[] = {1, 4, 5, 10, 11, 12};
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 5);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ds); i++) {
		unsigned d = ds[i];
		uint8_t b[MLKEM_POLY_SIZE + 1] = {0};
		struct mlkem_poly f = poly_random(rng, d == 12 ? MLKEM_Q : 1u << d), back;

		b[32 * d] = 0x5a;
		mlkem_byte_encode(b, &f, d);
		assert_int_equal(b[32 * d], 0x5a);
		for (size_t bit = 0; bit < (size_t)MLKEM_N * d; bit++)
			assert_int_equal(b[bit / 8] >> bit % 8 & 1, f.c[bit / d] >> bit % d & 1);
		mlkem_byte_decode(&back, b, d);
		assert_memory_equal(&back, &f, sizeof(f));
	}
}

/* MultiplyNTTs against the product modulo X^256 + 1, also for the largest coefficients. */
static void transform(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 6);

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct mlkem_poly f = poly_random(rng, MLKEM_Q), g = poly_random(rng, MLKEM_Q);
		struct mlkem_poly h = {0}, back;

		if (round == 0)
			for (size_t i = 0; i < MLKEM_N; i++)
				f.c[i] = g.c[i] = MLKEM_Q - 1;

		int64_t want[MLKEM_N] = {0};

		for (size_t i = 0; i < MLKEM_N; i++)
			for (size_t j = 0; j < MLKEM_N; j++)
				want[(i + j) % MLKEM_N] +=
					(i + j < MLKEM_N ? 1 : -1) * (int64_t)f.c[i] * g.c[j];

		back = f;
		mlkem_ntt(&back);
		mlkem_ntt_inverse(&back);
		assert_memory_equal(&back, &f, sizeof(f));
		mlkem_ntt(&f);
		mlkem_ntt(&g);
		mlkem_multiply_ntts_add(&h, &f, &g);
		mlkem_multiply_ntts_add(&h, &f, &g); /* h is added to: twice the product */
		mlkem_ntt_inverse(&h);
		for (size_t i = 0; i < MLKEM_N; i++) {
			int64_t w = 2 * want[i] % MLKEM_Q;

			assert_int_equal(h.c[i], w < 0 ? w + MLKEM_Q : w);
		}
	}
}

/* ---- checks ---- */

static void put_coefficient(uint8_t *ek, size_t i, unsigned v)
{
	uint8_t *b = &ek[3 * (i / 2)];

	if (i % 2 == 0) {
		b[0] = (uint8_t)v;
		b[1] = (uint8_t)((b[1] & 0xf0) | v >> 8);
	} else {
		b[1] = (uint8_t)((b[1] & 0x0f) | (v & 15) << 4);
		b[2] = (uint8_t)(v >> 4);
	}
}

/* Every coefficient at q - 1, q, q + 1 and 4095 (7.2, modulus check). */
static void modulus_check(void **state)
{
	static const unsigned values[] = {MLKEM_Q - 1, MLKEM_Q, MLKEM_Q + 1, 4095};

	(void)state;
	for (enum mlkem_set set = MLKEM_512; set < MLKEM_SETS; set++) {
		struct mlkem_sizes s = mlkem_sizes(set);
		struct vector v = vector_read(set, 0);
		size_t n = (s.ek - 32) / 3 * 2;

		for (size_t i = 0; i < n; i++) {
			for (size_t j = 0; j < ARRAY_LEN(values); j++) {
				uint8_t ek[MLKEM_EK_SIZE_MAX];
				struct bytes view = bytes_from(ek, s.ek);
				enum err want = values[j] < MLKEM_Q ? ERR_OK : ERR_MALFORMED;

				memcpy(ek, v.ek, s.ek);
				put_coefficient(ek, i, values[j]);
				for (size_t b = 0; b < ARRAY_LEN(backends); b++)
					assert_int_equal(backends[b]->ek_check(set, view), want);
			}
		}
	}
}

static void bad_keys(void **state)
{
	(void)state;
	for (enum mlkem_set set = MLKEM_512; set < MLKEM_SETS; set++) {
		struct mlkem_sizes s = mlkem_sizes(set);
		struct vector v = vector_read(set, 1);
		size_t pke = s.dk - s.ek - 64;
		/* in ek, in its hash */
		const size_t places[] = {pke, pke + s.ek - 1, pke + s.ek, pke + s.ek + 31};
		uint8_t ct[MLKEM_CT_SIZE_MAX] = {0x5a};
		struct secret32 shared = {{0x5a}};

		for (size_t i = 0; i < ARRAY_LEN(places); i++) {
			v.dk[places[i]] ^= 1;
			for (size_t b = 0; b < ARRAY_LEN(backends); b++)
				assert_int_equal(backends[b]->decaps(set, &shared,
								     bytes_from(v.dk, s.dk),
								     bytes_from(v.ct, s.ct)),
						 ERR_MALFORMED);
			v.dk[places[i]] ^= 1;
		}
		put_coefficient(v.ek, 7, MLKEM_Q);
		assert_int_equal(mlkem_encaps(set, &shared, ct, bytes_from(v.ek, s.ek), &v.m),
				 ERR_MALFORMED);
		assert_int_equal(shared.b[0], 0x5a);
		assert_int_equal(ct[0], 0x5a);
	}
}

/*
 * A flipped bit in any byte of a ciphertext gives J(z || c): a low bit, which mostly leaves the
 * message as it was, so that nothing but the comparison tells; and another.
 */
static void implicit_rejection(void **state)
{
	(void)state;
	for (enum mlkem_set set = MLKEM_512; set < MLKEM_SETS; set++) {
		struct mlkem_sizes s = mlkem_sizes(set);
		struct vector v = vector_read(set, 2);
		struct bytes dk = bytes_from(v.dk, s.dk), ct = bytes_from(v.ct, s.ct);
		const struct bytes parts[] = {BYTES_OF(v.z.b), ct};

		for (size_t i = 0; i < 2 * s.ct; i++) {
			uint8_t flip = (uint8_t)(i % 2 ? 1 : 1u << i / 2 % 8);
			struct secret32 shared, want;

			v.ct[i / 2] ^= flip;
			assert_ok(shake256(want.b, 32, parts, 2));
			for (size_t b = 0; b < ARRAY_LEN(backends); b++) {
				assert_ok(backends[b]->decaps(set, &shared, dk, ct));
				assert_memory_equal(shared.b, want.b, 32);
			}
			v.ct[i / 2] ^= flip;
		}
	}
}

/* Where OpenSSL has ML-KEM it is the one that is used. */
static void choice(void **state)
{
	(void)state;
	assert_string_equal(mlkem_backend()->name, ARRAY_LEN(backends) == 2 ? "openssl" : "own");
	if (ARRAY_LEN(backends) == 1)
		assert_true(OPENSSL_VERSION_NUMBER < 0x30500000L);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers), cmocka_unit_test(public_functions),
		cmocka_unit_test(accumulated),   cmocka_unit_test(compression),
		cmocka_unit_test(encoding),      cmocka_unit_test(transform),
		cmocka_unit_test(modulus_check), cmocka_unit_test(bad_keys),
		cmocka_unit_test(choice),        cmocka_unit_test(implicit_rejection),
	};

	return cmocka_run_group_tests_name("crypto mlkem", tests, setup, teardown);
}
