/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Against vectors/crypto/bls12_446.txt, which a program in big integers made; its head says what
 * the lines are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/hex.h"
#include "base/rng.h"
#include "crypto/bls12_446_internal.h"

enum {
	WORDS_MAX = 8,
	VECTORS_SIZE_MAX = 1 << 20,
};

#define assert_ok(expression) assert_int_equal((expression), ERR_OK)

/* ---- lines of the vectors ---- */

struct line {
	struct bytes words[WORDS_MAX];
	size_t n;
};

static struct buf vectors;

static int setup(void **state)
{
	char path[1024];
	const char *dir = getenv("VECTORS");

	(void)state;
	vectors = buf_make(VECTORS_SIZE_MAX);
	assert_non_null(dir);
	(void)snprintf(path, sizeof(path), "%s/crypto/bls12_446.txt", dir);
	return config_read_file(&vectors, path, NULL) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	buf_free(&vectors);
	return 0;
}

static bool next_line(struct reader *r, struct line *l)
{
	struct bytes word = {r->in.p, 0};

	*l = (struct line){0};
	while (r->in.n > 0) {
		uint8_t c = reader_u8(r);

		if (c != ' ' && c != '\n') {
			word.n++;
			continue;
		}
		assert_true(l->n < WORDS_MAX);
		l->words[l->n++] = word;
		word = (struct bytes){r->in.p, 0};
		if (c == '\n')
			return true;
	}
	return false;
}

static bool word_is(struct bytes word, const char *text)
{
	return bytes_eq_var(word, bytes_str(text));
}

static enum bls12_446_group group_of(struct bytes word)
{
	assert_true(word_is(word, "1") || word_is(word, "2"));
	return word_is(word, "1") ? BLS12_446_G1 : BLS12_446_G2;
}

static struct bls_coord coord_of(enum bls12_446_group g, struct bytes hex)
{
	uint8_t raw[2 * BLS12_446_FIELD_SIZE];
	struct bls_coord r = {0};

	assert_ok(hex_decode_fixed(raw, (size_t)g * BLS12_446_FIELD_SIZE, hex));
	for (size_t i = 0; i < (size_t)g; i++)
		assert_true(bls_fp_read_var(&r.c[i], &raw[i * BLS12_446_FIELD_SIZE]));
	return r;
}

/* ---- field ---- */

/* The other representative of the same numbers: plus the prime. */
static struct bls_coord lifted(enum bls12_446_group g, struct bls_coord a)
{
	for (size_t i = 0; i < (size_t)g; i++) {
		static const uint64_t prime[BLS_FIELD_LIMBS] = {
			0x311c0026aab0aaab, 0x56ee4528c573b5cc, 0x824e6dc3e23acdee,
			0x0f75a64bbac71602, 0x0095a4b78a02fe32, 0x200fc34965aad640,
			0x3cdee0fb28c5e535,
		};
		uint64_t carry = 0;

		for (size_t j = 0; j < BLS_FIELD_LIMBS; j++) {
			bls_u128 t = (bls_u128)a.c[i].l[j] + prime[j] + carry;

			a.c[i].l[j] = (uint64_t)t;
			carry = (uint64_t)(t >> 64);
		}
	}
	return a;
}

static void check_below_twice(enum bls12_446_group g, const struct bls_coord *a)
{
	static const uint64_t top = 0x79bdc1f6518bca6a;

	for (size_t i = 0; i < (size_t)g; i++)
		assert_true(a->c[i].l[BLS_FIELD_LIMBS - 1] <= top);
}

static void check_field(enum bls12_446_group g, const struct line *l, struct bls_coord a,
			struct bls_coord b)
{
	struct bls_coord want, got;

	want = coord_of(g, l->words[4]);
	bls_coord_add(g, &got, &a, &b);
	check_below_twice(g, &got);
	assert_true(bls_coord_equal_var(g, &got, &want));
	want = coord_of(g, l->words[5]);
	bls_coord_subtract(g, &got, &a, &b);
	check_below_twice(g, &got);
	assert_true(bls_coord_equal_var(g, &got, &want));
	want = coord_of(g, l->words[6]);
	bls_coord_multiply(g, &got, &a, &b);
	check_below_twice(g, &got);
	assert_true(bls_coord_equal_var(g, &got, &want));
	want = coord_of(g, l->words[7]);
	bls_coord_invert(g, &got, &a);
	check_below_twice(g, &got);
	assert_true(bls_coord_equal_var(g, &got, &want));
}

static void field(void **state)
{
	struct reader r = reader_of(buf_view(&vectors));
	struct line l;
	size_t count = 0;

	(void)state;
	while (next_line(&r, &l)) {
		enum bls12_446_group g;
		struct bls_coord a, b;

		if (!word_is(l.words[0], "field"))
			continue;
		g = group_of(l.words[1]);
		a = coord_of(g, l.words[2]);
		b = coord_of(g, l.words[3]);
		check_field(g, &l, a, b);
		check_field(g, &l, lifted(g, a), b);
		check_field(g, &l, a, lifted(g, b));
		check_field(g, &l, lifted(g, a), lifted(g, b));
		count++;
	}
	assert_int_equal(count, 93);
}

/* Results may go where the arguments are. */
static void field_in_place(void **state)
{
	struct reader r = reader_of(buf_view(&vectors));
	struct line l;

	(void)state;
	while (next_line(&r, &l)) {
		struct bls_coord a, b, want;
		enum bls12_446_group g;

		if (!word_is(l.words[0], "field"))
			continue;
		g = group_of(l.words[1]);
		b = coord_of(g, l.words[3]);
		want = coord_of(g, l.words[6]);
		a = coord_of(g, l.words[2]);
		bls_coord_multiply(g, &a, &a, &b);
		assert_true(bls_coord_equal_var(g, &a, &want));
		a = coord_of(g, l.words[2]);
		bls_coord_multiply(g, &b, &a, &b);
		assert_true(bls_coord_equal_var(g, &b, &want));
		bls_coord_subtract(g, &a, &a, &a);
		assert_false(bls_coord_equal_var(g, &a, &bls_coord_one));
		bls_coord_add(g, &a, &a, &bls_coord_one);
		assert_true(bls_coord_equal_var(g, &a, &bls_coord_one));
	}
}

/* ---- powers ---- */

struct fixed_rng {
	struct rng base;
	struct bytes bytes;
};

static void fixed_fill(struct rng *rng, uint8_t *out, size_t n)
{
	struct fixed_rng *f = CONTAINER_OF(rng, struct fixed_rng, base);

	assert_int_equal(n, f->bytes.n);
	memcpy(out, f->bytes.p, n);
}

static struct bls12_446_scalar scalar_of(struct bytes hex)
{
	static const struct rng_ops ops = {.fill = fixed_fill};
	uint8_t raw[56];
	struct fixed_rng rng = {.base = {.ops = &ops}, .bytes = BYTES_OF(raw)};
	struct bls12_446_scalar a;

	assert_ok(hex_decode_fixed(raw, sizeof(raw), hex));
	bls12_446_scalar_draw(&a, &rng.base);
	return a;
}

static void powers(void **state)
{
	struct reader r = reader_of(buf_view(&vectors));
	struct bls12_446_base *bases[3] = {NULL};
	struct bls12_446_batch batch;
	struct line l;
	size_t count = 0;

	(void)state;
	assert_ok(bls12_446_batch_init(&batch));
	assert_ok(bls12_446_base_new(&bases[1], BLS12_446_G1));
	assert_ok(bls12_446_base_new(&bases[2], BLS12_446_G2));
	while (next_line(&r, &l)) {
		uint8_t want[BLS12_446_G2_SIZE], got[2 * BLS12_446_G2_SIZE];
		struct bls12_446_scalar a;
		uint64_t exponent;

		if (!word_is(l.words[0], "power"))
			continue;
		a = scalar_of(l.words[1]);
		exponent = strtoull((const char *)l.words[2].p, NULL, 10);
		for (int g = BLS12_446_G1; g <= BLS12_446_G2; g++) {
			size_t size = bls12_446_point_size((enum bls12_446_group)g);

			assert_ok(hex_decode_fixed(want, size, l.words[2 + g]));
			bls12_446_base_powers(bases[g], &batch, &a, exponent, 1, got);
			assert_memory_equal(got, want, size);
			/* As the second of two. */
			bls12_446_base_powers(bases[g], &batch, &a, exponent - 1, 2, got);
			assert_memory_equal(&got[size], want, size);
		}
		count++;
	}
	assert_int_equal(count, 33);
	bls12_446_base_free(bases[1]);
	bls12_446_base_free(bases[2]);
	bls12_446_batch_clear(&batch);
}

/* A whole batch is what its points are alone. */
static void batches(void **state)
{
	struct bls12_446_base *base;
	struct bls12_446_batch batch;
	struct bls12_446_scalar a;
	struct rng_seeded rng;
	uint8_t *all = calloc(BLS12_446_BATCH_MAX, BLS12_446_G1_SIZE), one[BLS12_446_G1_SIZE];

	(void)state;
	assert_non_null(all);
	bls12_446_scalar_draw(&a, rng_seeded_init(&rng, 446));
	assert_ok(bls12_446_batch_init(&batch));
	assert_ok(bls12_446_base_new(&base, BLS12_446_G1));
	bls12_446_base_powers(base, &batch, &a, 100, BLS12_446_BATCH_MAX, all);
	for (size_t i = 0; i < BLS12_446_BATCH_MAX; i += 341) {
		bls12_446_base_powers(base, &batch, &a, 100 + i, 1, one);
		assert_memory_equal(&all[i * BLS12_446_G1_SIZE], one, sizeof(one));
	}
	bls12_446_base_powers(base, &batch, &a, 1, 0, one);
	bls12_446_base_free(base);
	bls12_446_batch_clear(&batch);
	free(all);
}

/* ---- points from outside ---- */

static void points(void **state)
{
	static const struct {
		const char *word;
		enum err curve, group;
	} verdicts[] = {
		{"good", ERR_OK, ERR_OK},
		{"outside", ERR_OK, ERR_MISMATCH},
		{"off", ERR_MISMATCH, ERR_MISMATCH},
		{"big", ERR_MALFORMED, ERR_MALFORMED},
	};
	struct reader r = reader_of(buf_view(&vectors));
	size_t counts[ARRAY_LEN(verdicts)] = {0};
	struct line l;

	(void)state;
	while (next_line(&r, &l)) {
		uint8_t raw[BLS12_446_G2_SIZE];
		enum bls12_446_group g;
		size_t i = 0;

		if (!word_is(l.words[0], "point"))
			continue;
		g = group_of(l.words[1]);
		assert_ok(hex_decode_fixed(raw, bls12_446_point_size(g), l.words[2]));
		while (i < ARRAY_LEN(verdicts) - 1 && !word_is(l.words[3], verdicts[i].word))
			i++;
		assert_true(word_is(l.words[3], verdicts[i].word));
		assert_int_equal(bls12_446_point_check_curve_var(g, raw), verdicts[i].curve);
		assert_int_equal(bls12_446_point_check_var(g, raw), verdicts[i].group);
		counts[i]++;
	}
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		assert_true(counts[i] >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(field),  cmocka_unit_test(field_in_place),
		cmocka_unit_test(powers), cmocka_unit_test(batches),
		cmocka_unit_test(points),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
