/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Ciphertexts in all four formats. What decrypts does so to the value that schoolbook arithmetic
 * finds; the value fits its type; a byte more is refused.
 *
 * Input: u8 which vector || u8 type (0: the vector's own, else type + 1) || edits.
 */
#include <stdlib.h>

#include "fhe/client_key.h"
#include "fhe/compressed_list.h"
#include "fhe/decrypt.h"
#include "fhe/expanded.h"
#include "fhe/squashed_list.h"
#include "fuzz.h"

__extension__ typedef unsigned __int128 u128;

static const struct {
	const char *key, *file;
	enum fhe_format format;
	enum fhe_type type;
} vectors[] = {
	{"tfhe/ck_test.bin", "tfhe/nat_test_csq64.bin", FHE_BIG_COMPRESSED, FHE_UINT64},
	{"tfhe/ck_test.bin", "tfhe/nat_test_ccl.bin", FHE_SMALL_COMPRESSED, FHE_UINT64},
	{"tfhe/ck_test.bin", "tfhe/nat_test_sq8.bin", FHE_BIG_EXPANDED, FHE_UINT8},
	{"tfhe/ck_test.bin", "tfhe/nat_test_sqbool.bin", FHE_BIG_EXPANDED, FHE_BOOL},
	{"tfhe/ck_test.bin", "tfhe/nat_test_u64.bin", FHE_SMALL_EXPANDED, FHE_UINT64},
	{"tfhe/ck.bin", "tfhe/bool.bin", FHE_SMALL_EXPANDED, FHE_BOOL},
	{"tfhe/ck_full.bin", "tfhe/nat_full_ccl.bin", FHE_SMALL_COMPRESSED, FHE_UINT64},
	{"tfhe/ck.bin", "tfhe/nat_test_csq64.bin", FHE_BIG_COMPRESSED, FHE_UINT64},
	{"tfhe/ck.bin", "tfhe/nat_test_ccl.bin", FHE_SMALL_COMPRESSED, FHE_UINT64},
	{"tfhe/ck.bin", "tfhe/nat_test_sq8.bin", FHE_BIG_EXPANDED, FHE_UINT8},
	{"tfhe/ck.bin", "tfhe/i8.bin", FHE_SMALL_EXPANDED, FHE_UINT8}, /* signed: never decrypts */
};

static const struct fhe_client_key *key_of(size_t which)
{
	static struct fhe_client_key *keys[ARRAY_LEN(vectors)];

	if (!keys[which])
		FUZZ_OK(fhe_client_key_read(&keys[which], fuzz_vector(vectors[which].key), NULL));
	return keys[which];
}

/* ---- the simple reading: bits of a little-endian string, polynomials by the textbook ---- */

static u128 bits_at(struct bytes b, size_t at, unsigned n)
{
	u128 v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (u128)(b.p[(at + i) / 8] >> ((at + i) % 8) & 1) << i;
	return v;
}

/* Coefficient h of body - mask * key modulo X^n + 1, where a coefficient has `width` bits. */
static u128 glwe_phase(struct bytes words, unsigned width, size_t k, size_t n, struct bytes key,
		       size_t h)
{
	u128 phase = bits_at(words, (k * n + h) * width, width);

	for (size_t j = 0; j < k; j++)
		for (size_t t = 0; t < n; t++) {
			u128 a = bits_at(words, (j * n + (n + h - t) % n) * width, width);

			if (key.p[j * n + t])
				phase = t <= h ? phase - a : phase + a;
		}
	return phase;
}

static u128 lwe_phase(struct bytes words, unsigned width, struct bytes key)
{
	u128 phase = bits_at(words, key.n * width, width);

	for (size_t i = 0; i < key.n; i++)
		if (key.p[i])
			phase -= bits_at(words, i * width, width);
	return phase;
}

/* The `bits` below the padding of a number of `width` bits, rounded. */
static unsigned message(u128 phase, unsigned width, unsigned bits)
{
	unsigned below = width - 1 - bits;

	return (unsigned)((phase >> (below - 1)) + 1) >> 1 & ((1u << bits) - 1);
}

/* Adds v at bit `at` of the value, carrying over; what does not fit falls off. */
static void add_bits(uint8_t le[64], size_t at, unsigned v)
{
	v <<= at % 8;
	for (size_t i = at / 8; i < 64 && v > 0; i++) {
		v += le[i];
		le[i] = (uint8_t)v;
		v >>= 8;
	}
}

static void simple_list(uint8_t le[64], const struct fhe_client_key *k, struct bytes ct, bool big)
{
	struct fhe_packed_list s;
	struct fhe_packed_list c;
	struct fhe_item item;

	if (big)
		FUZZ_OK(fhe_squashed_list_read(&s, &k->params, ct, NULL));
	else
		FUZZ_OK(fhe_compressed_list_read(&c, &k->params, ct, NULL));
	CHECK(fhe_items_next(big ? &s.items : &c.items, &item));

	size_t n = big ? fhe_squashed_blocks(item) : item.blocks;

	for (size_t i = 0; i < n; i++) {
		size_t per = big ? s.lwe_per_glwe : c.lwe_per_glwe, h = i % per;
		const struct fhe_packed_glwe *sg = &s.glwe[i / per];
		const struct fhe_packed_glwe *cg = &c.glwe[i / per];

		if (big)
			add_bits(le, 4 * i,
				 message(glwe_phase(sg->words, 128, sg->glwe_dimension,
						    sg->polynomial_size,
						    fhe_client_key_bits(k, FHE_KEY_SNS_COMPRESSION),
						    h),
					 128, 4));
		else
			add_bits(le, 2 * i,
				 message(glwe_phase(cg->words, (unsigned)cg->log_modulus,
						    cg->glwe_dimension, cg->polynomial_size,
						    fhe_client_key_bits(k, FHE_KEY_COMPRESSION), h),
					 (unsigned)cg->log_modulus, 2));
	}
}

static void simple_expanded(uint8_t le[64], const struct fhe_client_key *k, struct bytes ct,
			    bool big)
{
	struct fhe_expanded v;
	struct fhe_block block;

	if (big)
		FUZZ_OK(fhe_big_expanded_read(&v, &k->params, ct, NULL));
	else
		FUZZ_OK(fhe_small_expanded_read(&v, &k->params, ct, NULL));
	for (size_t i = 0; fhe_blocks_next(&v.blocks, &block); i++) {
		unsigned width = big ? 128 : 64;
		unsigned m = message(lwe_phase(block.words, width, fhe_client_key_bits(k, v.key)),
				     width, 4);

		if (v.boolean)
			m = big ? m : m & 3;
		add_bits(le, (big ? 4 : 2) * i, m);
	}
}

static void check_value(const struct fhe_client_key *k, size_t which, enum fhe_type type,
			struct bytes ct, const struct fhe_plaintext *v)
{
	const struct fhe_type_row *row = fhe_type_find(type);
	enum fhe_format format = vectors[which].format;
	bool big = format == FHE_BIG_COMPRESSED || format == FHE_BIG_EXPANDED;
	uint8_t le[64] = {0};

	if (format == FHE_BIG_COMPRESSED || format == FHE_SMALL_COMPRESSED)
		simple_list(le, k, ct, big);
	else
		simple_expanded(le, k, ct, big);
	CHECK(v->n == row->size && v->n <= 32);
	/* Of the expanded small form the last carry falls off. */
	if (type == FHE_BOOL)
		le[0] = le[0] != 0;
	else if (row->bits % 8)
		le[0] &= (uint8_t)((1u << row->bits) - 1);
	CHECK(memcmp(v->le, le, v->n) == 0);
}

/* Reads under the parameters of a key, and writes what was read. */
static enum err copy(struct buf *out, const struct fhe_params *p, enum fhe_format format,
		     struct bytes ct)
{
	struct fhe_packed_list list;
	struct fhe_expanded v;

	switch (format) {
	case FHE_SMALL_COMPRESSED:
		TRY(fhe_compressed_list_read(&list, p, ct, NULL));
		return fhe_compressed_list_write(&list, out);
	case FHE_BIG_COMPRESSED:
		TRY(fhe_squashed_list_read(&list, p, ct, NULL));
		return fhe_squashed_list_write(&list, out);
	case FHE_SMALL_EXPANDED:
		TRY(fhe_small_expanded_read(&v, p, ct, NULL));
		return fhe_small_expanded_rewrite(&v, out);
	default:
		TRY(fhe_big_expanded_read(&v, p, ct, NULL));
		return fhe_big_expanded_rewrite(&v, out);
	}
}

/* Whatever is read: the newest form has at least as many bytes, and stays as it is. True if it was
 * read. */
static bool check_written(struct buf *once, const struct fhe_client_key *k, enum fhe_format format,
			  struct bytes ct)
{
	CLEANUP(buf_free) struct buf twice = buf_make(2 * ct.n + 4096);

	if (copy(once, &k->params, format, ct) != ERR_OK)
		return false;
	CHECK(once->n >= ct.n);
	FUZZ_OK(copy(&twice, &k->params, format, buf_view(once)));
	CHECK(bytes_eq_var(buf_view(once), buf_view(&twice)));
	return true;
}

/* And is of the same value. */
static void check_same(const struct fhe_client_key *k, enum fhe_format format, enum fhe_type type,
		       struct bytes newest, const struct fhe_plaintext *v)
{
	struct fhe_plaintext same;

	FUZZ_OK(fhe_decrypt(k, &same, type, format, newest, NULL));
	CHECK(same.n == v->n && memcmp(same.le, v->le, v->n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n);
	size_t which = fuzz_u8(&in) % ARRAY_LEN(vectors);
	uint8_t other = fuzz_u8(&in);
	enum fhe_type type = other ? (enum fhe_type)(other - 1) : vectors[which].type;
	const struct fhe_client_key *k = key_of(which);
	struct fhe_plaintext v = {.n = 99};
	struct err_note note = {0};
	struct bytes ct;

	if (n > 4096)
		return 0;
	ct = fuzz_patch(fuzz_vector(vectors[which].file), in);

	CLEANUP(buf_free) struct buf newest = buf_make(2 * ct.n + 4096);
	bool written = check_written(&newest, k, vectors[which].format, ct);

	if (fhe_decrypt(k, &v, type, vectors[which].format, ct, &note) == ERR_OK) {
		struct bytes longer = fuzz_patch(ct, BYTES_LIT("\x85\0\0\0\1\0"));

		CHECK(longer.n == ct.n + 1);
		check_value(k, which, type, ct, &v);
		CHECK(written);
		check_same(k, vectors[which].format, type, buf_view(&newest), &v);
		CHECK(fhe_decrypt(k, &v, type, vectors[which].format, longer, &note) != ERR_OK);
		fuzz_free(longer);
	} else {
		CHECK(v.n == 99 && note.text[0]);
	}
	fuzz_free(ct);
	return 0;
}
