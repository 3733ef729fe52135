/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/gr.h"

#include <endian.h>

#include "mpc/gf16.h"

struct gr gr_point(unsigned party)
{
	struct gr a = {{0}};

	for (unsigned i = 0; i < GR_DEGREE; i++)
		a.c[i] = party >> i & 1;
	return a;
}

/* With X^4 = -X - 1, X^5 = -X^2 - X, X^6 = -X^3 - X^2. */
struct gr gr_mul(const struct gr *a, const struct gr *b)
{
	u128 p[2 * GR_DEGREE - 1] = {0};

	for (unsigned i = 0; i < GR_DEGREE; i++)
		for (unsigned k = 0; k < GR_DEGREE; k++)
			p[i + k] += a->c[i] * b->c[k];
	return (struct gr){{p[0] - p[4], p[1] - p[4] - p[5], p[2] - p[5] - p[6], p[3] - p[6]}};
}

struct gr gr_mul_x(struct gr a)
{
	return (struct gr){{-a.c[3], a.c[0] - a.c[3], a.c[1], a.c[2]}};
}

uint8_t gr_bits(const struct gr *a, unsigned plane)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < GR_DEGREE; i++)
		bits |= (unsigned)(a->c[i] >> plane & 1) << i;
	return (uint8_t)bits;
}

enum err gr_inv(struct gr *ret_inverse, const struct gr *a)
{
	uint8_t residue = gr_bits(a, 0);
	struct gr x = gr_point(gf16_inv_var(residue));

	if (residue == 0)
		return ERR_RANGE;
	/* Newton: each step doubles the bits that are right, from 1 to 128. */
	for (unsigned bits = 1; bits < 128; bits *= 2) {
		struct gr ax = gr_mul(a, &x);
		struct gr two_less = gr_sub(gr_scalar(2), ax);

		x = gr_mul(&x, &two_less);
	}
	*ret_inverse = x;
	return ERR_OK;
}

struct gr gr_pack(const struct gr *const shares[GR_DEGREE])
{
	struct gr sum = {{0}};

	for (unsigned i = GR_DEGREE; i-- > 0;) {
		sum = gr_mul_x(sum);
		if (shares[i])
			sum = gr_add(sum, *shares[i]);
	}
	return sum;
}

/* ---- encoded ---- */

void gr_put(uint8_t out[GR_SIZE], const struct gr *a)
{
	for (unsigned i = 0; i < GR_DEGREE; i++) {
		const uint64_t words[2] = {htole64((uint64_t)a->c[i]),
					   htole64((uint64_t)(a->c[i] >> 64))};

		memcpy(&out[16 * i], words, sizeof(words));
	}
}

struct gr gr_get(const uint8_t in[GR_SIZE])
{
	struct gr a;

	for (unsigned i = 0; i < GR_DEGREE; i++) {
		uint64_t words[2];

		memcpy(words, &in[16 * i], sizeof(words));
		a.c[i] = (u128)le64toh(words[1]) << 64 | le64toh(words[0]);
	}
	return a;
}
