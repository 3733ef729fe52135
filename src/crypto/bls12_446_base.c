/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Secret multiples of the generators of BLS12-446, many at a time.
 *
 * A number k of the group is made odd (k or order - k) and written in 50 digits of 6 bits, each odd
 * and between -63 and 63; the table has the 32 odd multiples of every 64^i G. All numbers of a
 * batch take their step i together, so that the divisions of affine addition cost one inversion.
 *
 * Affine addition knows neither doubling nor infinity, and never meets them here: before step i the
 * sum S is odd and |S| < 64^i, and T = d 64^i is even and |T| >= 64^i, so that T = S or T = -S
 * could hold modulo the order only. In all steps but the last |S| + |T| is below the order. In the
 * last T + S is the odd number itself, between 0 and the order, and not 0 modulo it; T - S is odd
 * and less than three times the order away from 0, so that it could only be the order or minus
 * that. If T - S = order then T + S < order gives S < 0, hence order - 64^49 < T < order; but the
 * order is 20.28 times 64^49 and T is an odd multiple of that: there is none. If T - S = -order
 * then T + S > 0 gives S > order / 2, more than 64^49.
 */
#include <stdlib.h>

#include "crypto/bls12_446_internal.h"

enum {
	DIGIT_BITS = 6,
	DIGITS = 50,
	MULTIPLES = 1 << (DIGIT_BITS - 1),
	VALUE_TOP_BIT = DIGITS * DIGIT_BITS - 1,
};

struct bls12_446_base {
	enum bls12_446_group group;
	struct bls_affine table[DIGITS][MULTIPLES]; /* (2 j + 1) 64^i G, below the prime */
};

/* ---- tables; public ---- */

/* To affine, all with one inversion: what comes before each, then backwards. */
static void table_fill(struct bls12_446_base *b, const struct bls_point *points,
		       struct bls_coord *before)
{
	enum bls12_446_group g = b->group;
	struct bls_coord product = bls_coord_one, inverse, z;

	for (size_t i = 0; i < (size_t)DIGITS * MULTIPLES; i++) {
		before[i] = product;
		bls_coord_multiply(g, &product, &product, &points[i].z);
	}
	bls_coord_invert(g, &inverse, &product);
	for (size_t i = (size_t)DIGITS * MULTIPLES; i-- > 0;) {
		struct bls_affine *a = &b->table[i / MULTIPLES][i % MULTIPLES];

		bls_coord_multiply(g, &z, &inverse, &before[i]);
		bls_coord_multiply(g, &inverse, &inverse, &points[i].z);
		bls_coord_multiply(g, &a->x, &points[i].x, &z);
		bls_coord_multiply(g, &a->y, &points[i].y, &z);
		bls_coord_normalize(g, &a->x, &a->x);
		bls_coord_normalize(g, &a->y, &a->y);
	}
}

static void points_fill(enum bls12_446_group g, struct bls_point *points)
{
	const struct bls_affine *generator = bls_generator(g);
	struct bls_point power = {generator->x, generator->y, bls_coord_one}, twice;

	for (size_t i = 0; i < DIGITS; i++) {
		struct bls_point *row = &points[i * MULTIPLES];

		row[0] = power;
		bls_point_double(g, &twice, &power);
		for (size_t j = 1; j < MULTIPLES; j++)
			bls_point_add(g, &row[j], &row[j - 1], &twice);
		for (size_t j = 0; j < DIGIT_BITS; j++)
			bls_point_double(g, &power, &power);
	}
}

enum err bls12_446_base_new(struct bls12_446_base **ret_base, enum bls12_446_group group)
{
	struct bls12_446_base *b = calloc(1, sizeof(*b));
	struct bls_point *points = calloc((size_t)DIGITS * MULTIPLES, sizeof(*points));
	struct bls_coord *before = calloc((size_t)DIGITS * MULTIPLES, sizeof(*before));
	bool enough = b && points && before;

	if (enough) {
		b->group = group;
		points_fill(group, points);
		table_fill(b, points, before);
	}
	free(points);
	free(before);
	if (!enough) {
		free(b);
		return ERR_NOMEM;
	}
	*ret_base = b;
	return ERR_OK;
}

void bls12_446_base_free(struct bls12_446_base *b)
{
	free(b);
}

/* ---- numbers to digits ---- */

/* One number of a batch and its sum so far. */
struct slot {
	/* (k + 64^50 - 1) / 2 for the odd number k: its digit j of 6 bits is (d + 63) / 2. */
	uint64_t digits[BLS12_446_SCALAR_LIMBS];
	uint64_t negative; /* a mask: k is order minus the number */
	struct bls_affine sum, step;
	struct bls_coord before;
};

static void slot_set(struct slot *s, const struct bls12_446_scalar *number)
{
	uint64_t v[BLS12_446_SCALAR_LIMBS], k[BLS12_446_SCALAR_LIMBS], borrow = 0;

	bls_scalar_value(v, number);
	s->negative = bls_mask(1 & ~v[0]);
	for (size_t i = 0; i < BLS12_446_SCALAR_LIMBS; i++) {
		uint64_t other = bls_subtract(bls_order.l[i], v[i], &borrow);

		k[i] = (v[i] & ~s->negative) | (other & s->negative);
	}
	for (size_t i = 0; i < BLS12_446_SCALAR_LIMBS; i++) {
		uint64_t above = i + 1 < BLS12_446_SCALAR_LIMBS ? k[i + 1] : 0;

		s->digits[i] = k[i] >> 1 | above << 63;
	}
	s->digits[VALUE_TOP_BIT / 64] |= UINT64_C(1) << VALUE_TOP_BIT % 64;
	secret_wipe(v, sizeof(v));
	secret_wipe(k, sizeof(k));
}

/* The six bits at a public place. */
static uint64_t slot_digit(const struct slot *s, size_t i)
{
	size_t at = i * DIGIT_BITS, word = at / 64, shift = at % 64;
	uint64_t v = s->digits[word] >> shift;

	if (shift > 64 - DIGIT_BITS && word + 1 < BLS12_446_SCALAR_LIMBS)
		v |= s->digits[word + 1] << (64 - shift);
	return v & ((1 << DIGIT_BITS) - 1);
}

/* ---- constant-time choice ---- */

static inline void coord_or_masked(enum bls12_446_group g, struct bls_coord *r,
				   const struct bls_coord *a, uint64_t mask)
{
	for (size_t c = 0; c < (size_t)g; c++)
		for (size_t i = 0; i < BLS_FIELD_LIMBS; i++)
			r->c[c].l[i] |= a->c[c].l[i] & mask;
}

/* a or -a */
static void coord_negate_if(enum bls12_446_group g, struct bls_coord *a, uint64_t mask)
{
	static const struct bls_coord zero;
	struct bls_coord opposite, r = zero;

	bls_coord_subtract(g, &opposite, &zero, a);
	coord_or_masked(g, &r, a, ~mask);
	coord_or_masked(g, &r, &opposite, mask);
	*a = r;
	secret_wipe(&r, sizeof(r));
	secret_wipe(&opposite, sizeof(opposite));
}

/* The whole row is read; `digit` is from 0 for -63 to 63 for 63. */
static void row_choose(enum bls12_446_group g, struct bls_affine *ret_point,
		       const struct bls_affine row[MULTIPLES], uint64_t digit)
{
	uint64_t negative = bls_mask(1 & ~(digit >> (DIGIT_BITS - 1)));
	uint64_t wanted = (digit ^ negative) & (MULTIPLES - 1);
	struct bls_affine r = {0};

	for (uint64_t j = 0; j < MULTIPLES; j++) {
		uint64_t mask = bls_mask(((j ^ wanted) - 1) >> 63);

		coord_or_masked(g, &r.x, &row[j].x, mask);
		coord_or_masked(g, &r.y, &row[j].y, mask);
	}
	coord_negate_if(g, &r.y, negative);
	*ret_point = r;
	secret_wipe(&r, sizeof(r));
}

/* ---- steps ---- */

/* Adds digit i to every sum. `step` first holds what is added, then its difference from the sum. */
static void batch_step(const struct bls12_446_base *b, struct slot *slots, size_t count, size_t i)
{
	enum bls12_446_group g = b->group;
	struct bls_coord product = bls_coord_one, inverse, slope, x;

	for (size_t j = 0; j < count; j++) {
		struct slot *s = &slots[j];

		row_choose(g, &s->step, b->table[i], slot_digit(s, i));
		bls_coord_subtract(g, &s->step.x, &s->step.x, &s->sum.x);
		bls_coord_subtract(g, &s->step.y, &s->step.y, &s->sum.y);
		s->before = product;
		bls_coord_multiply(g, &product, &product, &s->step.x);
	}
	bls_coord_invert(g, &inverse, &product);
	for (size_t j = count; j-- > 0;) {
		struct slot *s = &slots[j];

		bls_coord_multiply(g, &slope, &inverse, &s->before);
		bls_coord_multiply(g, &slope, &slope, &s->step.y);
		bls_coord_multiply(g, &inverse, &inverse, &s->step.x);
		/* slope^2 - x1 - x2, where x2 is x1 + step */
		bls_coord_multiply(g, &x, &slope, &slope);
		bls_coord_subtract(g, &x, &x, &s->step.x);
		bls_coord_subtract(g, &x, &x, &s->sum.x);
		bls_coord_subtract(g, &x, &x, &s->sum.x);
		bls_coord_subtract(g, &s->sum.x, &s->sum.x, &x);
		bls_coord_multiply(g, &slope, &slope, &s->sum.x);
		bls_coord_subtract(g, &s->sum.y, &slope, &s->sum.y);
		s->sum.x = x;
	}
	secret_wipe(&product, sizeof(product));
	secret_wipe(&inverse, sizeof(inverse));
	secret_wipe(&slope, sizeof(slope));
	secret_wipe(&x, sizeof(x));
}

static uint8_t *coord_write(enum bls12_446_group g, const struct bls_coord *a, uint8_t *out)
{
	for (size_t c = 0; c < (size_t)g; c++)
		bls_fp_write(&a->c[c], &out[c * BLS12_446_FIELD_SIZE]);
	return &out[(size_t)g * BLS12_446_FIELD_SIZE];
}

enum err bls12_446_batch_init(struct bls12_446_batch *batch)
{
	return secret_alloc(&batch->memory, BLS12_446_BATCH_MAX * sizeof(struct slot));
}

void bls12_446_batch_clear(struct bls12_446_batch *batch)
{
	secret_free(&batch->memory);
}

void bls12_446_base_powers(const struct bls12_446_base *base, struct bls12_446_batch *batch,
			   const struct bls12_446_scalar *a, uint64_t first, size_t count,
			   uint8_t *out)
{
	struct slot *slots = (struct slot *)(void *)batch->memory.p; /* aligned for anything */
	enum bls12_446_group g = base->group;
	struct bls12_446_scalar power;

	CHECK(count <= BLS12_446_BATCH_MAX);
	bls12_446_scalar_power(&power, a, first);
	for (size_t j = 0; j < count; j++) {
		slot_set(&slots[j], &power);
		row_choose(g, &slots[j].sum, base->table[0], slot_digit(&slots[j], 0));
		bls12_446_scalar_multiply(&power, &power, a);
	}
	secret_wipe(&power, sizeof(power));
	for (size_t i = 1; i < DIGITS; i++)
		batch_step(base, slots, count, i);
	for (size_t j = 0; j < count; j++) {
		struct slot *s = &slots[j];

		coord_negate_if(g, &s->sum.y, s->negative);
		out = coord_write(g, &s->sum.y, coord_write(g, &s->sum.x, out));
	}
}
