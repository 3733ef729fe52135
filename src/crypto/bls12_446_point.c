/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Points of BLS12-446 in projective coordinates, and the check of points from outside.
 *
 * Addition and doubling are the complete formulas of J. Renes, C. Costello, L. Batina, "Complete
 * addition formulas for prime order elliptic curves", algorithms 7 and 9 (a = 0). Outside the
 * subgroup they may meet a pair of points whose difference has order two; the result then is
 * all zero and stays so, which no check accepts.
 */
#include "crypto/bls12_446_internal.h"

static const struct bls_affine generators[] = {
	[BLS12_446_G1] =
		{
			.x = {{{{0x6de131e14f6865b7, 0x12ce8dbd22427bcd, 0x81311f4ce56a6426,
				 0xdf2fd70c71f01b01, 0x143b198ad2172419, 0x2325e035886f24ce,
				 0x3b36b5d6d146eeee}}}},
			.y = {{{{0x438eb4854fb36266, 0xaac20a7b7785b11a, 0x67450e23e41d1f16,
				 0x96c5989a55cd4d1a, 0x27e972d9af0f1326, 0xceba4305152d3193,
				 0x0c2f6fda8c956733}}}},
		},
	[BLS12_446_G2] =
		{
			.x = {{{{0x3939945bf5612c73, 0x281758be67f63901, 0xf503e05b5f137705,
				 0x6354455454772577, 0xd716081a26fed2f7, 0x00361a0e452d4ad0,
				 0x3ae74b3b91003f87}},
			       {{0x86788413c826c3ec, 0x169c3ebfdae6f363, 0x9e871acc87e793fd,
				 0xe3923841b5368806, 0x067ee47fd08198d3, 0xc713fecb517a1356,
				 0x27a06a1228e488b2}}}},
			.y = {{{{0x9d6a6101005cb9d5, 0x9127db2be3ce6e86, 0xecbbcb98b7a54b74,
				 0xa5a52e599a6955b7, 0x1688b3c2ec43b81c, 0x963cb9a850a5b526,
				 0x3c1c70bcfe1b76f7}},
			       {{0xeb3244749fa4c3bf, 0x2279b50981d2004a, 0x53f83ba2ac96acee,
				 0x7b2cb15cb17f4829, 0x1b9850dbe7f62162, 0x1ceabf5dd7d2b5f3,
				 0x2b6f3fac0ba51f62}}}},
		},
};

const struct bls_affine *bls_generator(enum bls12_446_group g)
{
	return &generators[g];
}

/* ---- the group law ---- */

/* 3 b a */
static void multiply_3b(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a)
{
	struct bls_coord once, twice;

	bls_coord_multiply_b(g, &once, a);
	bls_coord_add(g, &twice, &once, &once);
	bls_coord_add(g, r, &twice, &once);
}

/* (a0 + a1) (b0 + b1) - p0 - p1: what is mixed of two products p0 = a0 b0, p1 = a1 b1. */
static void cross(enum bls12_446_group g, struct bls_coord *r, const struct bls_coord *a[2],
		  const struct bls_coord *b[2], const struct bls_coord *p0,
		  const struct bls_coord *p1)
{
	struct bls_coord sum_a, sum_b;

	bls_coord_add(g, &sum_a, a[0], a[1]);
	bls_coord_add(g, &sum_b, b[0], b[1]);
	bls_coord_multiply(g, &sum_a, &sum_a, &sum_b);
	bls_coord_subtract(g, &sum_a, &sum_a, p0);
	bls_coord_subtract(g, r, &sum_a, p1);
}

#define PAIR(first, second) ((const struct bls_coord *[2]){&(first), &(second)})

void bls_point_add(enum bls12_446_group g, struct bls_point *r, const struct bls_point *a,
		   const struct bls_point *b)
{
	struct bls_coord xx, yy, zz, xy, yz, xz, plus, minus, left, right;

	bls_coord_multiply(g, &xx, &a->x, &b->x);
	bls_coord_multiply(g, &yy, &a->y, &b->y);
	bls_coord_multiply(g, &zz, &a->z, &b->z);
	cross(g, &xy, PAIR(a->x, a->y), PAIR(b->x, b->y), &xx, &yy);
	cross(g, &yz, PAIR(a->y, a->z), PAIR(b->y, b->z), &yy, &zz);
	cross(g, &xz, PAIR(a->x, a->z), PAIR(b->x, b->z), &xx, &zz);
	multiply_3b(g, &zz, &zz);
	multiply_3b(g, &xz, &xz);
	bls_coord_add(g, &plus, &yy, &zz);
	bls_coord_subtract(g, &minus, &yy, &zz);
	bls_coord_add(g, &left, &xx, &xx);
	bls_coord_add(g, &xx, &left, &xx);

	bls_coord_multiply(g, &left, &xy, &minus);
	bls_coord_multiply(g, &right, &yz, &xz);
	bls_coord_subtract(g, &r->x, &left, &right);
	bls_coord_multiply(g, &left, &plus, &minus);
	bls_coord_multiply(g, &right, &xx, &xz);
	bls_coord_add(g, &r->y, &left, &right);
	bls_coord_multiply(g, &left, &plus, &yz);
	bls_coord_multiply(g, &right, &xx, &xy);
	bls_coord_add(g, &r->z, &left, &right);
}

void bls_point_double(enum bls12_446_group g, struct bls_point *r, const struct bls_point *a)
{
	struct bls_coord yy, yy8, yz, zz, xy, plus, minus;

	bls_coord_multiply(g, &yy, &a->y, &a->y);
	bls_coord_multiply(g, &yz, &a->y, &a->z);
	bls_coord_multiply(g, &zz, &a->z, &a->z);
	bls_coord_multiply(g, &xy, &a->x, &a->y);
	multiply_3b(g, &zz, &zz);
	bls_coord_add(g, &yy8, &yy, &yy);
	bls_coord_add(g, &yy8, &yy8, &yy8);
	bls_coord_add(g, &yy8, &yy8, &yy8);
	bls_coord_add(g, &plus, &yy, &zz);
	bls_coord_subtract(g, &minus, &yy, &zz);
	bls_coord_subtract(g, &minus, &minus, &zz);
	bls_coord_subtract(g, &minus, &minus, &zz);

	bls_coord_multiply(g, &r->x, &minus, &xy);
	bls_coord_add(g, &r->x, &r->x, &r->x);
	bls_coord_multiply(g, &zz, &zz, &yy8);
	bls_coord_multiply(g, &r->y, &minus, &plus);
	bls_coord_add(g, &r->y, &r->y, &zz);
	bls_coord_multiply(g, &r->z, &yy8, &yz);
}

/* ---- points from outside ---- */

static bool coord_read_var(enum bls12_446_group g, struct bls_coord *ret_coord, const uint8_t *in)
{
	for (size_t i = 0; i < (size_t)g; i++)
		if (!bls_fp_read_var(&ret_coord->c[i], &in[i * BLS12_446_FIELD_SIZE]))
			return false;
	return true;
}

static enum err affine_read_var(enum bls12_446_group g, struct bls_affine *ret_point,
				const uint8_t *p)
{
	struct bls_affine a;
	struct bls_coord left, right, b;

	if (!coord_read_var(g, &a.x, p) ||
	    !coord_read_var(g, &a.y, &p[(size_t)g * BLS12_446_FIELD_SIZE]))
		return ERR_MALFORMED;
	bls_coord_multiply(g, &left, &a.y, &a.y);
	bls_coord_multiply(g, &right, &a.x, &a.x);
	bls_coord_multiply(g, &right, &right, &a.x);
	bls_coord_multiply_b(g, &b, &bls_coord_one);
	bls_coord_add(g, &right, &right, &b);
	if (!bls_coord_equal_var(g, &left, &right))
		return ERR_MISMATCH;
	*ret_point = a;
	return ERR_OK;
}

/* Of the curve's parameter, 2^74 + 2^73 + 2^63 + 2^57 + 2^50 + 2^17 + 1, which the curve takes
 * negative: the bits below the highest. */
static const struct {
	uint64_t high, low;
} parameter = {0x200, 0x8204000000020001};

enum {
	PARAMETER_BITS = 74, /* below the highest */
};

static void multiply_by_parameter(enum bls12_446_group g, struct bls_point *p)
{
	struct bls_point sum = *p;

	for (unsigned i = PARAMETER_BITS; i-- > 0;) {
		uint64_t word = i < 64 ? parameter.low : parameter.high;

		bls_point_double(g, &sum, &sum);
		if (word >> i % 64 & 1)
			bls_point_add(g, &sum, &sum, p);
	}
	*p = sum;
}

/*
 * Endomorphisms that on the subgroup multiply by a power of the parameter x and nowhere else do:
 *  - G1: (x, y) to (beta x, y) with beta^3 = 1, which satisfies f^2 + f + 1 = 0. Where f = -x^2,
 *    the order x^4 - x^2 + 1 vanishes.
 *  - G2: Frobenius carried over from the curve that this one is a twist of; f^2 - (x + 1) f + p = 0
 *    (p the prime). Where f = x, p - x = (x - 1)^2 / 3 times the order vanishes, and (x - 1)^2 / 3
 *    has no factor in common with the cofactor of G2.
 * M. Scott, "A note on group membership tests for G1, G2 and GT on BLS pairing-friendly curves".
 */
static const struct bls_coord beta = {{
	{{0x7d20c39ea764ce86, 0x028745fdcb47d798, 0x836c1a65f29d61e4, 0x88e78e5161904eb3,
	  0xd2a6a3a381a66c5f, 0xdc65d6c0e399475d, 0x0ff4d2f3c6c2a668}},
}};
static const struct bls_coord frobenius_x = {{
	{{0}},
	{{0xb3fb3c88034bdc25, 0x5466ff2afa2bde33, 0xfee2535def9d6c0a, 0x868e17fa5936c74e,
	  0x2def0114085c91d2, 0x43a9ec8882118ee2, 0x2cea0e0762033ecc}},
}};
static const struct bls_coord frobenius_y = {{
	{{0x9bbc578891c3e8de, 0xd0147f3d5cfcac36, 0xbdde196823ef31ba, 0x8dc009edc8bd9c4d,
	  0xa1200a386fca36f4, 0x488d9fe9c164438c, 0x0edc8164eb5084c6}},
	{{0x955fa89e18ecc1cd, 0x86d9c5eb68770995, 0xc470545bbe4b9c33, 0x81b59c5df20979b4,
	  0x5f759a7f1a38c73d, 0xd782235fa44692b3, 0x2e025f963d75606e}},
}};

static void endomorphism(enum bls12_446_group g, struct bls_affine *p)
{
	static const struct bls_fp zero;

	if (g == BLS12_446_G1) {
		bls_coord_multiply(g, &p->x, &p->x, &beta);
		return;
	}
	bls_fp_subtract(&p->x.c[1], &zero, &p->x.c[1]);
	bls_fp_subtract(&p->y.c[1], &zero, &p->y.c[1]);
	bls_coord_multiply(g, &p->x, &p->x, &frobenius_x);
	bls_coord_multiply(g, &p->y, &p->y, &frobenius_y);
}

static bool in_subgroup_var(enum bls12_446_group g, const struct bls_affine *p)
{
	static const struct bls_coord zero;
	struct bls_point q = {p->x, p->y, bls_coord_one};
	struct bls_affine image = *p;

	multiply_by_parameter(g, &q);
	if (g == BLS12_446_G1)
		multiply_by_parameter(g, &q);
	/* The image must be -q, in either group. */
	endomorphism(g, &image);
	bls_coord_subtract(g, &q.y, &zero, &q.y);
	bls_coord_multiply(g, &image.x, &image.x, &q.z);
	bls_coord_multiply(g, &image.y, &image.y, &q.z);
	return !bls_coord_equal_var(g, &q.z, &zero) && bls_coord_equal_var(g, &image.x, &q.x) &&
	       bls_coord_equal_var(g, &image.y, &q.y);
}

enum err bls12_446_point_check_curve_var(enum bls12_446_group group, const uint8_t *p)
{
	struct bls_affine a;

	return affine_read_var(group, &a, p);
}

enum err bls12_446_point_check_var(enum bls12_446_group group, const uint8_t *p)
{
	struct bls_affine a;

	TRY(affine_read_var(group, &a, p));
	return in_subgroup_var(group, &a) ? ERR_OK : ERR_MISMATCH;
}
