/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/server/keyswitch.h"

#include <stdlib.h>

#include "fhe/server/seeded.h"

/* All rows of a 64-bit part of LWE ciphertexts: shape->k + 1 words each. */
static enum err rows_expand(uint64_t **ret_words, const struct fhe_part_shape *shape,
			    const struct fhe_seeded *part)
{
	size_t size = shape->k + 1;
	uint64_t *words = calloc(shape->rows * size, sizeof(*words));
	struct fhe_seeded_rows rows = {0};
	enum err e;

	if (!words)
		return ERR_NOMEM;
	e = fhe_seeded_rows_open(&rows, shape, part, 0);
	for (size_t r = 0; r < shape->rows && e == ERR_OK; r++) {
		const uint8_t *row;

		e = fhe_seeded_rows_next(&rows, &row);
		for (size_t i = 0; i < size && e == ERR_OK; i++)
			words[r * size + i] = fhe_word_u64(row, i);
	}
	fhe_seeded_rows_close(&rows);
	if (e != ERR_OK) {
		free(words);
		return e;
	}
	*ret_words = words;
	return ERR_OK;
}

/* ---- key switch ---- */

enum err fhe_key_switch_new(struct fhe_key_switch *ret_key, const struct fhe_part_shape *shape,
			    const struct fhe_seeded *part)
{
	struct fhe_key_switch ks = {
		.output = shape->k,
		.base_log = shape->base_log,
		.level = shape->level,
	};

	if (shape->rows == 0 || shape->n != 1 || shape->width != 8 || shape->base_log >= 64)
		return ERR_UNSUPPORTED;
	ks.input = shape->rows / shape->level;
	TRY(rows_expand(&ks.rows, shape, part));
	*ret_key = ks;
	return ERR_OK;
}

void fhe_key_switch_free(struct fhe_key_switch *ks)
{
	free(ks->rows);
	*ks = (struct fhe_key_switch){0};
}

void fhe_key_switch_run(const struct fhe_key_switch *ks, const uint64_t *lwe, uint64_t *ret_lwe)
{
	const unsigned base_log = ks->base_log, level = ks->level, low = 64 - base_log * level;
	const uint64_t half = UINT64_C(1) << (base_log - 1), mask = 2 * half - 1;
	const size_t size = ks->output + 1;
	uint64_t offset = low > 0 ? UINT64_C(1) << (low - 1) : 0;
	const uint64_t *row = ks->rows;

	for (unsigned l = 0; l < level; l++)
		offset += half << (low + l * base_log);
	memset(ret_lwe, 0, size * sizeof(*ret_lwe));
	ret_lwe[ks->output] = lwe[ks->input];
	for (size_t i = 0; i < ks->input; i++) {
		uint64_t v = (lwe[i] + offset) >> low;

		for (unsigned l = 0; l < level; l++, v >>= base_log, row = &row[size]) {
			uint64_t digit = (v & mask) - half;

			for (size_t j = 0; j < size; j++)
				ret_lwe[j] -= digit * row[j];
		}
	}
}

/* ---- rounding ---- */

enum err fhe_rounding_new(struct fhe_rounding *ret_rounding, const struct fhe_mod_switch *technique,
			  size_t bits, const struct fhe_part_shape *shape,
			  const struct fhe_seeded *part)
{
	struct fhe_rounding r = {.technique = *technique, .bits = bits};

	if (technique->kind == FHE_MOD_SWITCH_DRIFT) {
		if (shape->rows == 0 || shape->k != bits)
			return ERR_UNSUPPORTED;
		r.zeros_n = shape->rows;
		TRY(rows_expand(&r.zeros, shape, part));
	}
	*ret_rounding = r;
	return ERR_OK;
}

void fhe_rounding_free(struct fhe_rounding *r)
{
	free(r->zeros);
	*r = (struct fhe_rounding){0};
}

/* To the nearest multiple of 2^(64 - log2), minus the number itself. */
static int64_t rounding_error(uint64_t v, unsigned log2)
{
	uint64_t unit = UINT64_C(1) << (64 - log2);

	return (int64_t)(((v + unit / 2) & ~(unit - 1)) - v);
}

/*
 * Rounding errors of the mask meet key bits that are 0 or 1: half their sum is what to expect. With
 * that added to the body, the error is centred; half a unit less, since a box of the table has its
 * middle half a place below its message.
 */
static void centre(const struct fhe_rounding *r, uint64_t *lwe, unsigned log2)
{
	__extension__ __int128 sum = 0;

	for (size_t i = 0; i < r->bits; i++)
		sum += rounding_error(lwe[i], log2);
	lwe[r->bits] += (uint64_t)(sum / 2) - (UINT64_C(1) << (64 - log2 - 1));
}

/*
 * How far the rounding of lwe + zero may carry: the expected error and r_sigma deviations around
 * it, in units of 2^-64; squared only where a root can be avoided. `zero` may be NULL.
 */
struct drift {
	double mean, variance;
};

static struct drift drift_of(const struct fhe_rounding *r, const uint64_t *lwe,
			     const uint64_t *zero, unsigned log2)
{
	double torus = 0x1p64, body;
	struct drift d = {.variance = r->technique.variance * torus * torus};
	size_t n = r->bits;

	for (size_t i = 0; i < n; i++) {
		double e = (double)rounding_error(lwe[i] + (zero ? zero[i] : 0), log2);

		d.mean -= e / 2;
		d.variance += e * e / 4;
	}
	body = (double)rounding_error(lwe[n] + (zero ? zero[n] : 0), log2);
	d.mean += body;
	return d;
}

/* Is |mean| + r_sigma * deviation at most `bound`? */
static bool drift_within(struct drift d, double r_sigma, double bound)
{
	double mean = d.mean < 0 ? -d.mean : d.mean, room = bound - mean;

	return room >= 0 && r_sigma * r_sigma * d.variance <= room * room;
}

/* The ciphertext itself if it is good enough, else with the first zero that makes it so; if none
 * does, with the one that leaves the smallest mean. */
static void drift_choose(const struct fhe_rounding *r, uint64_t *lwe, unsigned log2)
{
	struct drift d = drift_of(r, lwe, NULL, log2);
	const uint64_t *best = NULL;
	double best_mean = d.mean < 0 ? -d.mean : d.mean;

	for (size_t z = 0;
	     z < r->zeros_n && !drift_within(d, r->technique.r_sigma, r->technique.bound); z++) {
		const uint64_t *zero = &r->zeros[z * (r->bits + 1)];
		double mean;

		d = drift_of(r, lwe, zero, log2);
		mean = d.mean < 0 ? -d.mean : d.mean;
		if (mean < best_mean || drift_within(d, r->technique.r_sigma, r->technique.bound)) {
			best_mean = mean;
			best = zero;
		}
	}
	for (size_t i = 0; best && i <= r->bits; i++)
		lwe[i] += best[i];
}

void fhe_rounding_run(const struct fhe_rounding *r, uint64_t *lwe, unsigned log2,
		      uint32_t *ret_exponents)
{
	uint64_t unit = UINT64_C(1) << (64 - log2);

	if (r->technique.kind == FHE_MOD_SWITCH_CENTERED_MEAN)
		centre(r, lwe, log2);
	else if (r->technique.kind == FHE_MOD_SWITCH_DRIFT)
		drift_choose(r, lwe, log2);
	for (size_t i = 0; i <= r->bits; i++)
		ret_exponents[i] = (uint32_t)((lwe[i] + unit / 2) >> (64 - log2)) &
				   (uint32_t)((UINT64_C(1) << log2) - 1);
}
