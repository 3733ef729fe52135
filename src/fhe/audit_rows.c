/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Everything here is secret but places and shapes: differences become masks, masks choose. */
#include "fhe/audit_internal.h"

/* What decides about a coefficient; the same for all of a row. */
struct measure {
	fhe_u128 bound;    /* of the noise */
	fhe_u128 half;     /* half the distance of two messages */
	uint64_t messages; /* all ones if there is more than one message */
	unsigned scale;
};

static struct measure measure_of(const struct fhe_part_shape *s, size_t row)
{
	struct fhe_part_row at = fhe_part_row_of(s, row);
	bool zero = s->message == FHE_MESSAGE_ZERO;
	unsigned step = zero ? 8 * s->width : 8 * s->width - s->base_log * at.level;

	return (struct measure){
		.bound = (fhe_u128)1 << s->noise,
		.half = (fhe_u128)1 << (step - 1),
		.messages = zero ? 0 : UINT64_MAX,
		.scale = fhe_audit_scale(s->noise),
	};
}

/* All ones if a > b, for a and b up to 2^127. */
static inline uint64_t above_mask(fhe_u128 a, fhe_u128 b)
{
	uint64_t mask = 0 - (uint64_t)((b - a) >> 127);

	__asm__("" : "+r"(mask));
	return mask;
}

static inline uint64_t choose(uint64_t mask, uint64_t yes, uint64_t no)
{
	return (yes & mask) | (no & ~mask);
}

/* `difference`: of a body and what it must be, as a signed number. */
static inline void count(struct fhe_audit_tally *t, const struct measure *m, fhe_u128 difference,
			 uint64_t place)
{
	uint64_t sign = 0 - (uint64_t)(difference >> 127);
	fhe_u128 wide_sign = (fhe_u128)sign << 64 | sign;
	fhe_u128 size = (difference ^ wide_sign) - wide_sign;
	uint64_t bad = above_mask(size, m->bound);
	uint64_t other = above_mask(size, m->half - 1) & m->messages & bad;
	/* At most 2^62: what is beyond its bound does not count. */
	uint64_t noise = (uint64_t)size & ~bad, scaled = noise >> m->scale;
	fhe_u128 wide = noise;

	t->sum += (wide ^ wide_sign) - wide_sign;
	t->squares += (fhe_u128)scaled * scaled;
	t->right += ~bad & 1;
	t->wrong_messages += other & 1;
	t->too_large += bad & ~other & 1;
	t->noise_max = choose(above_mask(noise, t->noise_max), noise, t->noise_max);
	place |= ~bad;
	t->first = choose(above_mask(t->first, place), place, t->first);
}

static inline fhe_u128 difference_64(const uint8_t *body, size_t i, fhe_u128 expected)
{
	return fhe_noise_wide(fhe_word_u64(body, i) - (uint64_t)expected);
}

enum err fhe_audit_rows(const struct fhe_rows *rows, struct fhe_row_worker *w, size_t first,
			size_t rows_n, const uint8_t *bodies, struct fhe_audit_tally *tally)
{
	const struct fhe_part_shape *s = rows->shape;
	size_t mask_size = fhe_part_mask_size(s);

	TRY(aes_ctr_seek(w->masks, s->mask_at + (uint64_t)first * mask_size));
	for (size_t j = 0; j < rows_n; j++) {
		const uint8_t *body = &bodies[j * s->n * s->width];
		uint64_t place = (uint64_t)(first + j) * s->n;
		struct measure m = measure_of(s, first + j);
		const fhe_u128 *expected;

		TRY(aes_ctr_fill(w->masks, w->mask.p, mask_size));
		expected = fhe_row_expect(rows, w, first + j);
		for (size_t i = 0; i < s->n; i++)
			count(tally, &m,
			      s->width == 8 ? difference_64(body, i, expected[i])
					    : fhe_word_u128(body, i) - expected[i],
			      place + i);
	}
	return ERR_OK;
}

void fhe_audit_tally_add(struct fhe_audit_tally *to, const struct fhe_audit_tally *from)
{
	to->sum += from->sum;
	to->squares += from->squares;
	to->right += from->right;
	to->wrong_messages += from->wrong_messages;
	to->too_large += from->too_large;
	to->noise_max =
		choose(above_mask(from->noise_max, to->noise_max), from->noise_max, to->noise_max);
	to->first = choose(above_mask(to->first, from->first), from->first, to->first);
}
