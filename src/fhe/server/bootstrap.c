/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/server/bootstrap.h"

#include <stdlib.h>

#include "fhe/server/rns.h"
#include "fhe/server/seeded.h"
#include "fhe/team.h"

enum {
	/* Ciphertexts that a thread takes through the key together: the key is read once for all
	 * of them. */
	BATCH = 16,
};

struct fhe_bootstrap {
	struct fhe_part_shape shape;
	struct fhe_rns *rns;
	size_t input, rows; /* bits of the input key; rows of one GGSW ciphertext */
	uint64_t *values;   /* [input][prime][column][row][n] */
};

static size_t columns_of(const struct fhe_bootstrap *b)
{
	return b->shape.k + 1;
}

/* Values of one GGSW ciphertext. */
static size_t ggsw_size(const struct fhe_bootstrap *b)
{
	return fhe_rns_primes(b->rns) * columns_of(b) * b->rows * b->shape.n;
}

static uint64_t *values_at(const struct fhe_bootstrap *b, size_t bit, unsigned prime, size_t column)
{
	return &b->values[bit * ggsw_size(b) +
			  (prime * columns_of(b) + column) * b->rows * b->shape.n];
}

size_t fhe_bootstrap_input(const struct fhe_bootstrap *b)
{
	return b->input;
}

size_t fhe_bootstrap_output(const struct fhe_bootstrap *b)
{
	return b->shape.k * b->shape.n;
}

unsigned fhe_bootstrap_log2(const struct fhe_bootstrap *b)
{
	return (unsigned)__builtin_ctzll((unsigned long long)b->shape.n) + 1;
}

const char *fhe_bootstrap_kernel(const struct fhe_bootstrap *b)
{
	return fhe_rns_kernel(b->rns);
}

uint64_t fhe_bootstrap_memory(const struct fhe_bootstrap *b)
{
	return (uint64_t)b->input * ggsw_size(b) * sizeof(*b->values);
}

/* ---- the key ---- */

struct loading {
	struct fhe_bootstrap *b;
	const struct fhe_seeded *part;
	unsigned threads;
};

static void row_transform(struct fhe_bootstrap *b, size_t bit, size_t row, const uint8_t *words)
{
	const struct bytes all = bytes_from(words, columns_of(b) * b->shape.n * b->shape.width);
	size_t size = b->shape.n * b->shape.width;

	for (unsigned i = 0; i < fhe_rns_primes(b->rns); i++)
		for (size_t c = 0; c < columns_of(b); c++)
			fhe_rns_words(b->rns, i, bytes_sub(all, c * size, size).p,
				      &values_at(b, bit, i, c)[row * b->shape.n]);
}

/* A share of the key's bits, one after the other: one stream of masks. */
static enum err share_load(void *context, unsigned thread, size_t share)
{
	const struct loading *l = context;
	size_t first = l->b->input * share / l->threads;
	size_t end = l->b->input * (share + 1) / l->threads;
	struct fhe_seeded_rows rows;
	enum err e;

	(void)thread;
	TRY(fhe_seeded_rows_open(&rows, &l->b->shape, l->part, first * l->b->rows));
	e = ERR_OK;
	for (size_t r = first * l->b->rows; r < end * l->b->rows && e == ERR_OK; r++) {
		const uint8_t *words;

		e = fhe_seeded_rows_next(&rows, &words);
		if (e == ERR_OK)
			row_transform(l->b, r / l->b->rows, r % l->b->rows, words);
	}
	fhe_seeded_rows_close(&rows);
	return e;
}

static enum err values_load(struct fhe_bootstrap *b, const struct fhe_seeded *part,
			    unsigned threads, bool portable)
{
	struct loading l = {.b = b, .part = part, .threads = threads};

	TRY(fhe_rns_new(&b->rns, b->shape.n, b->shape.width, portable));
	if (!fhe_rns_fits(b->rns, b->rows, b->shape.base_log))
		return ERR_UNSUPPORTED;
	b->values = fhe_rns_alloc(b->input * ggsw_size(b));
	if (!b->values)
		return ERR_NOMEM;
	return fhe_team_run(threads, threads, share_load, &l);
}

enum err fhe_bootstrap_new(struct fhe_bootstrap **ret_key, const struct fhe_part_shape *shape,
			   const struct fhe_seeded *part, unsigned threads, bool portable)
{
	struct fhe_bootstrap *b;
	enum err e;

	if (shape->message != FHE_MESSAGE_GGSW || shape->rows == 0 || threads == 0 ||
	    threads > FHE_TEAM_THREADS_MAX)
		return ERR_RANGE;
	/* Below that a message has no place among the exponents. */
	if (shape->n < FHE_LUT_SIZE || shape->n > FHE_RNS_SIZE_MAX)
		return ERR_UNSUPPORTED;
	b = calloc(1, sizeof(*b));
	if (!b)
		return ERR_NOMEM;
	b->shape = *shape;
	b->rows = (shape->k + 1) * shape->level;
	b->input = shape->rows / b->rows;
	e = values_load(b, part, threads, portable);
	if (e != ERR_OK) {
		fhe_bootstrap_free(b);
		return e;
	}
	*ret_key = b;
	return ERR_OK;
}

void fhe_bootstrap_free(struct fhe_bootstrap *b)
{
	if (!b)
		return;
	fhe_rns_free(b->rns);
	free(b->values);
	free(b);
}

/* ---- the rotation ---- */

/* What one thread works in. */
struct work {
	fhe_u128 *sums;     /* [BATCH][column][n] */
	int64_t *digits;    /* [row][n] */
	uint64_t *values;   /* [row][n] */
	uint64_t *residues; /* [column][prime][n] */
};

static void work_free(struct work *w)
{
	free(w->sums);
	free(w->digits);
	free(w->values);
	free(w->residues);
}

static enum err work_alloc(struct work *w, const struct fhe_bootstrap *b, size_t batch)
{
	size_t n = b->shape.n;

	w->sums = calloc(batch * columns_of(b) * n, sizeof(*w->sums));
	w->digits = calloc(b->rows * n, sizeof(*w->digits));
	w->values = fhe_rns_alloc(b->rows * n);
	w->residues = fhe_rns_alloc(fhe_rns_primes(b->rns) * columns_of(b) * n);
	return w->sums && w->digits && w->values && w->residues ? ERR_OK : ERR_NOMEM;
}

/*
 * X^-body times the table: coefficient j is the value of the message whose place is nearest to j,
 * each has 2n / 32 places. The half box below zero comes in from above, negated.
 */
static void table_fill(const struct fhe_bootstrap *b, const struct fhe_rotation *r, fhe_u128 *sums)
{
	size_t n = b->shape.n, box = n / FHE_LUT_SIZE;
	fhe_u128 *body = &sums[b->shape.k * n];

	memset(sums, 0, columns_of(b) * n * sizeof(*sums));
	for (size_t j = 0; j < n; j++) {
		size_t at = (j + r->exponents[b->input]) % (2 * n);
		size_t message = (at % n + box / 2) / box;
		fhe_u128 value =
			message < FHE_LUT_SIZE ? r->lut->values[message] : 0 - r->lut->values[0];

		body[j] = at < n ? value : 0 - value;
	}
}

/*
 * (X^exponent - 1) * a, cut into balanced digits, finest first; what is below the finest is
 * rounded. Adding half a base at every level first leaves digits that do not depend on each other.
 */
static void digits_fill(const struct fhe_bootstrap *b, const fhe_u128 *a, size_t exponent,
			int64_t *digits)
{
	const size_t n = b->shape.n, stride = columns_of(b) * n;
	const unsigned base_log = b->shape.base_log, level = b->shape.level;
	const uint64_t half = UINT64_C(1) << (base_log - 1), mask = 2 * half - 1;
	const unsigned low = 128 - base_log * level;
	fhe_u128 offset = low > 0 ? (fhe_u128)1 << (low - 1) : 0;

	for (unsigned l = 0; l < level; l++)
		offset += (fhe_u128)half << (low + l * base_log);
	for (size_t j = 0; j < n; j++) {
		size_t from = (j + 2 * n - exponent) % (2 * n);
		fhe_u128 v = (from < n ? a[from] : 0 - a[from - n]) - a[j] + offset;

		v >>= low;
		for (unsigned l = 0; l < level; l++, v >>= base_log)
			digits[l * stride + j] = (int64_t)((uint64_t)v & mask) - (int64_t)half;
	}
}

/* sums += GGSW(bit) x ((X^exponent - 1) * sums) */
static void step(const struct fhe_bootstrap *b, const struct work *w, size_t bit, size_t exponent,
		 fhe_u128 *sums)
{
	size_t n = b->shape.n, columns = columns_of(b);
	unsigned primes = fhe_rns_primes(b->rns);

	for (size_t c = 0; c < columns; c++)
		digits_fill(b, &sums[c * n], exponent, &w->digits[c * n]);
	for (unsigned i = 0; i < primes; i++) {
		for (size_t r = 0; r < b->rows; r++)
			fhe_rns_digits(b->rns, i, &w->digits[r * n], &w->values[r * n]);
		for (size_t c = 0; c < columns; c++)
			fhe_rns_multiply(b->rns, i, b->rows, w->values, values_at(b, bit, i, c),
					 &w->residues[(c * primes + i) * n]);
	}
	for (size_t c = 0; c < columns; c++)
		fhe_rns_add(b->rns, &w->residues[c * primes * n], n, &sums[c * n]);
}

/* Coefficient 0 as an LWE ciphertext under the flat key. */
static void extract(const struct fhe_bootstrap *b, const fhe_u128 *sums, fhe_u128 *ret_lwe)
{
	size_t n = b->shape.n, k = b->shape.k;

	for (size_t j = 0; j < k; j++) {
		ret_lwe[j * n] = sums[j * n];
		for (size_t t = 1; t < n; t++)
			ret_lwe[j * n + t] = 0 - sums[j * n + n - t];
	}
	ret_lwe[k * n] = sums[k * n];
}

struct running {
	const struct fhe_bootstrap *b;
	const struct fhe_rotation *rotations;
	size_t rotations_n, batch;
};

static enum err batch_run(void *context, unsigned thread, size_t job)
{
	const struct running *run = context;
	const struct fhe_bootstrap *b = run->b;
	const struct fhe_rotation *rotations = &run->rotations[job * run->batch];
	size_t left = run->rotations_n - job * run->batch,
	       count = left < run->batch ? left : run->batch;
	size_t size = columns_of(b) * b->shape.n;
	CLEANUP(work_free) struct work w = {0};

	(void)thread;
	TRY(work_alloc(&w, b, count));
	for (size_t i = 0; i < count; i++)
		table_fill(b, &rotations[i], &w.sums[i * size]);
	for (size_t bit = 0; bit < b->input; bit++)
		for (size_t i = 0; i < count; i++)
			if (rotations[i].exponents[bit] != 0)
				step(b, &w, bit, rotations[i].exponents[bit], &w.sums[i * size]);
	for (size_t i = 0; i < count; i++)
		extract(b, &w.sums[i * size], rotations[i].ret_lwe);
	return ERR_OK;
}

enum err fhe_bootstrap_run(const struct fhe_bootstrap *b, const struct fhe_rotation *rotations,
			   size_t rotations_n, unsigned threads)
{
	struct running run = {.b = b, .rotations = rotations, .rotations_n = rotations_n};

	if (threads == 0 || threads > FHE_TEAM_THREADS_MAX)
		return ERR_RANGE;
	if (rotations_n == 0)
		return ERR_OK;
	run.batch = (rotations_n + threads - 1) / threads;
	if (run.batch > BATCH)
		run.batch = BATCH;
	return fhe_team_run(threads, (rotations_n + run.batch - 1) / run.batch, batch_run, &run);
}
