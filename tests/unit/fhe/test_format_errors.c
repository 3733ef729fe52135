/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* SmallExpanded, SmallCompressed and BigExpanded that must be refused: asked for as something else,
 * under another key, cut, and with each field changed. */
#include "format_vectors.h"

/* Each vector as another type, as another format, under a key of other dimensions. */
static void refusals(void **state)
{
	struct fhe_client_key *full = client_key_of("ck_full.bin"),
			      *test = client_key_of("ck_test.bin"),
			      *plain = client_key_of("ck.bin");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		bool of_test = strcmp(vectors[i].key, "ck_test.bin") == 0;
		struct buf b = vector_read(vectors[i].file);
		struct bytes ct = buf_view(&b);

		for (int t = FHE_BOOL; t <= FHE_UINT256; t++)
			if ((enum fhe_type)t != vectors[i].type)
				assert_refused(of_test ? test : full, (enum fhe_type)t,
					       vectors[i].format, ct, ERR_MISMATCH);
		for (int f = FHE_SMALL_COMPRESSED; f <= FHE_BIG_EXPANDED; f++)
			if ((enum fhe_format)f != vectors[i].format)
				assert_refused(full, vectors[i].type, (enum fhe_format)f, ct,
					       ERR_MISMATCH);
		assert_refused(of_test ? full : test, vectors[i].type, vectors[i].format, ct,
			       ERR_MISMATCH);
		if (vectors[i].format != FHE_SMALL_EXPANDED)
			assert_refused(plain, vectors[i].type, vectors[i].format, ct,
				       ERR_UNSUPPORTED);
		buf_free(&b);
	}
	fhe_client_key_free(full);
	fhe_client_key_free(test);
	fhe_client_key_free(plain);
}

/* ---- hostile ---- */

struct attempt {
	const struct fhe_client_key *key;
	enum fhe_type type;
	enum fhe_format format;
};

static enum err try_decrypt(struct bytes object, void *ctx)
{
	const struct attempt *a = ctx;
	struct fhe_plaintext v;

	return fhe_decrypt(a->key, &v, a->type, a->format, object, NULL);
}

static void hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct fhe_client_key *k = client_key_of(vectors[i].key);
		struct buf b = vector_read(vectors[i].file);
		struct attempt a = {k, vectors[i].type, vectors[i].format};

		truncations_fail(buf_view(&b), try_decrypt, &a);
		fhe_client_key_free(k);
		buf_free(&b);
	}
}

/* The small vectors, each byte outside of long arrays. */
static void corruptions(void **state)
{
	static const struct {
		const char *file;
		enum fhe_type type;
		enum fhe_format format;
		size_t skip_from, skip_to;
	} rows[] = {
		{"nat_test_ccl.bin", FHE_UINT64, FHE_SMALL_COMPRESSED, 110, 110 + 320},
		{"nat_test_sqbool.bin", FHE_BOOL, FHE_BIG_EXPANDED, 98, 98 + 16 * 257},
		{"nat_test_sq8.bin", FHE_UINT8, FHE_BIG_EXPANDED, 106, 106 + 16 * 257 + 4100},
		{"nat_test_u64.bin", FHE_UINT64, FHE_SMALL_EXPANDED, 93, 69000},
	};
	struct fhe_client_key *k = client_key_of("ck_test.bin");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = vector_read(rows[i].file);
		struct attempt a = {k, rows[i].type, rows[i].format};

		corruptions_are_safe(buf_view(&b), rows[i].skip_from, rows[i].skip_to, try_decrypt,
				     &a);
		buf_free(&b);
	}
	fhe_client_key_free(k);
}

/* Fields by their place; what is wrong with each is found before anything is computed. */
static const struct {
	size_t vector; /* row of `vectors` */
	size_t at;
	uint8_t value;
	enum err want;
} cases[] = {
	/* u8.bin */
	{0, 57, 3, ERR_UNSUPPORTED},     /* FheUint version */
	{0, 61, 1, ERR_UNSUPPORTED},     /* wrapper */
	{0, 65, 1, ERR_UNSUPPORTED},     /* BaseRadix */
	{0, 69, 3, ERR_UNSUPPORTED},     /* blocks: what follows is no tag */
	{0, 71, 1, ERR_TOO_BIG},         /* 65540 blocks */
	{0, 77, 0, ERR_UNSUPPORTED},     /* Ciphertext version */
	{0, 81, 1, ERR_UNSUPPORTED},     /* LweCiphertext version */
	{0, 88, 1, ERR_TOO_BIG},         /* words */
	{0, 16489, 1, ERR_UNSUPPORTED},  /* modulus */
	{0, 16505, 63, ERR_UNSUPPORTED}, /* its width */
	{0, 16517, 16, ERR_UNSUPPORTED}, /* degree */
	{0, 16541, 8, ERR_UNSUPPORTED},  /* message modulus */
	{0, 16553, 8, ERR_UNSUPPORTED},  /* carry modulus */
	{0, 16565, 1, ERR_UNSUPPORTED},  /* atomic pattern */
	{0, 16573, 1, ERR_UNSUPPORTED},  /* order */
	{0, 66082, 2, ERR_TOO_BIG},      /* tag length */
	{0, 66094, 17, ERR_TOO_BIG},     /* metadata length */
	{0, 66093, 1, ERR_TRUNCATED},
	/* bool.bin */
	{1, 57, 3, ERR_UNSUPPORTED},
	{1, 73, 1, ERR_UNSUPPORTED}, /* LweCiphertext version */
	/* nat_full_ccl.bin */
	{4, 74, 4, ERR_UNSUPPORTED}, /* list versions */
	{4, 78, 1, ERR_UNSUPPORTED},
	{4, 82, 1, ERR_UNSUPPORTED},
	{4, 86, 0, ERR_UNSUPPORTED}, /* no GLWE, and then not meta data */
	{4, 87, 1, ERR_TOO_BIG},
	{4, 1706, 3, ERR_UNSUPPORTED}, /* log_modulus */
	{4, 1706, 11, ERR_MISMATCH},
	{4, 1706, 65, ERR_UNSUPPORTED},
	{4, 1714, 0x22, ERR_MALFORMED}, /* initial_len */
	{4, 1726, 5, ERR_MISMATCH},     /* glwe_dimension */
	{4, 1739, 2, ERR_MISMATCH},     /* polynomial_size */
	{4, 1750, 32, ERR_MALFORMED},   /* bodies */
	{4, 1762, 1, ERR_UNSUPPORTED},  /* modulus */
	{4, 1786, 0, ERR_UNSUPPORTED},  /* no meta data */
	{4, 1786, 2, ERR_UNSUPPORTED},
	{4, 1823, 8, ERR_UNSUPPORTED}, /* message modulus */
	{4, 1864, 0, ERR_UNSUPPORTED}, /* lwe_per_glwe 0 */
	{4, 1863, 1, ERR_MISMATCH},    /* 257 */
	{4, 1887, 31, ERR_MALFORMED},  /* 31 blocks: bodies do not match */
	{4, 1927, 3, ERR_TRUNCATED},   /* metadata of three items */
	{4, 1927, 1, ERR_MALFORMED},   /* of one: bytes are left over */
	/* nat_full_sq8.bin */
	{6, 70, 2, ERR_UNSUPPORTED},     /* version */
	{6, 82, 3, ERR_UNSUPPORTED},     /* blocks: what follows is none */
	{6, 90, 1, ERR_UNSUPPORTED},     /* block version */
	{6, 65678, 64, ERR_UNSUPPORTED}, /* modulus */
	{6, 65690, 16, ERR_UNSUPPORTED}, /* degree */
	{6, 131354, 6, ERR_MALFORMED},   /* original blocks */
	{6, 131354, 3, ERR_MISMATCH},    /* two packed blocks, but no uint8 */
	{6, 131366, 1, ERR_MISMATCH},    /* state: another key */
	{6, 131366, 2, ERR_UNSUPPORTED},
};

static void fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t v = cases[i].vector;
		struct fhe_client_key *k = client_key_of(vectors[v].key);
		struct buf b = vector_read(vectors[v].file);
		struct attempt a = {k, vectors[v].type, vectors[v].format};
		enum err e;

		b.p[cases[i].at] = cases[i].value;
		e = try_decrypt(buf_view(&b), &a);
		if (e != cases[i].want)
			fail_msg("%s byte %zu = %u: %s instead of %s", vectors[v].file, cases[i].at,
				 cases[i].value, err_name(e), err_name(cases[i].want));
		fhe_client_key_free(k);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(hostile),
		cmocka_unit_test(corruptions),
		cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests_name("fhe format errors", tests, NULL, NULL);
}
