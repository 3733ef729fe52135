/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/server/packing.h"

#include <stdlib.h>

#include "fhe/server/seeded.h"
#include "fhe/team.h"

enum {
	BASE_LOG_MAX = 62
};

struct packing {
	const struct fhe_part_shape *shape;
	const struct fhe_seeded *part;
	const fhe_u128 *lwes;
	size_t lwes_n, input;
	unsigned threads;
	fhe_u128 *sums; /* of each thread, a GLWE */
};

static size_t glwe_size(const struct fhe_part_shape *s)
{
	return (s->k + 1) * s->n;
}

static void add_times(fhe_u128 *sum, const fhe_u128 *row, size_t n, uint64_t factor)
{
	for (size_t h = 0; h < n; h++)
		sum[h] += row[h] * factor;
}

static void subtract_times(fhe_u128 *sum, const fhe_u128 *row, size_t n, uint64_t factor)
{
	for (size_t h = 0; h < n; h++)
		sum[h] -= row[h] * factor;
}

/* sum -= digit * X^shift * row, one polynomial after the other: what passes X^n comes back negated.
 */
static void row_subtract(const struct fhe_part_shape *s, fhe_u128 *sum, const fhe_u128 *row,
			 int64_t digit, size_t shift)
{
	uint64_t size = digit < 0 ? 0 - (uint64_t)digit : (uint64_t)digit;
	size_t n = s->n, stay = n - shift;

	for (size_t c = 0; c <= s->k; c++, sum = &sum[n], row = &row[n]) {
		if (digit < 0) {
			add_times(&sum[shift], row, stay, size);
			subtract_times(sum, &row[stay], shift, size);
		} else {
			subtract_times(&sum[shift], row, stay, size);
			add_times(sum, &row[stay], shift, size);
		}
	}
}

/* The digits of one mask word of every ciphertext: [level, finest first][lwes_n]. */
static void digits_fill(const struct packing *p, size_t word, int64_t *digits)
{
	const unsigned base_log = p->shape->base_log, level = p->shape->level;
	const unsigned low = 128 - base_log * level;
	const uint64_t half = UINT64_C(1) << (base_log - 1), mask = 2 * half - 1;
	fhe_u128 offset = low > 0 ? (fhe_u128)1 << (low - 1) : 0;

	for (unsigned l = 0; l < level; l++)
		offset += (fhe_u128)half << (low + l * base_log);
	for (size_t i = 0; i < p->lwes_n; i++) {
		fhe_u128 v = (p->lwes[i * (p->input + 1) + word] + offset) >> low;

		for (unsigned l = 0; l < level; l++, v >>= base_log)
			digits[l * p->lwes_n + i] = (int64_t)((uint64_t)v & mask) - (int64_t)half;
	}
}

/* Words [first, end) of the masks. */
static enum err words_pack(const struct packing *p, struct fhe_seeded_rows *rows, size_t first,
			   size_t end, int64_t *digits, fhe_u128 *row, fhe_u128 *sum)
{
	for (size_t word = first; word < end; word++) {
		digits_fill(p, word, digits);
		for (unsigned l = 0; l < p->shape->level; l++) {
			const uint8_t *bytes;

			TRY(fhe_seeded_rows_next(rows, &bytes));
			for (size_t h = 0; h < glwe_size(p->shape); h++)
				row[h] = fhe_word_u128(bytes, h);
			for (size_t i = 0; i < p->lwes_n; i++)
				row_subtract(p->shape, sum, row, digits[l * p->lwes_n + i], i);
		}
	}
	return ERR_OK;
}

static enum err share_pack(void *context, unsigned thread, size_t share)
{
	const struct packing *p = context;
	size_t first = p->input * share / p->threads, end = p->input * (share + 1) / p->threads;
	int64_t *digits = calloc(p->shape->level * p->lwes_n, sizeof(*digits));
	fhe_u128 *row = calloc(glwe_size(p->shape), sizeof(*row));
	struct fhe_seeded_rows rows = {0};
	enum err e = digits && row ? ERR_OK : ERR_NOMEM;

	(void)thread;
	if (e == ERR_OK)
		e = fhe_seeded_rows_open(&rows, p->shape, p->part, first * p->shape->level);
	if (e == ERR_OK)
		e = words_pack(p, &rows, first, end, digits, row,
			       &p->sums[share * glwe_size(p->shape)]);
	fhe_seeded_rows_close(&rows);
	free(row);
	free(digits);
	return e;
}

enum err fhe_packing_run(const struct fhe_part_shape *shape, const struct fhe_seeded *part,
			 const fhe_u128 *lwes, size_t lwes_n, unsigned threads, fhe_u128 *ret_glwe)
{
	size_t size = glwe_size(shape);
	struct packing p = {
		.shape = shape, .part = part, .lwes = lwes, .lwes_n = lwes_n, .threads = threads};
	enum err e;

	if (lwes_n == 0 || lwes_n > shape->n || threads == 0 || threads > FHE_TEAM_THREADS_MAX)
		return ERR_RANGE;
	if (shape->rows == 0 || shape->width != 16 || shape->base_log > BASE_LOG_MAX)
		return ERR_UNSUPPORTED;
	p.input = shape->rows / shape->level;
	p.sums = calloc(threads * size, sizeof(*p.sums));
	if (!p.sums)
		return ERR_NOMEM;
	e = fhe_team_run(threads, threads, share_pack, &p);
	if (e == ERR_OK) {
		memset(ret_glwe, 0, size * sizeof(*ret_glwe));
		for (size_t t = 0; t < threads; t++)
			for (size_t h = 0; h < size; h++)
				ret_glwe[h] += p.sums[t * size + h];
		for (size_t i = 0; i < lwes_n; i++)
			ret_glwe[shape->k * shape->n + i] += lwes[i * (p.input + 1) + p.input];
	}
	free(p.sums);
	return e;
}
