/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/keygen/rows.h"

#include "fhe/negacyclic.h"

enum err fhe_rows_init(struct fhe_rows *ret_rows, const struct fhe_part_shape *shape,
		       const struct fhe_client_key *k)
{
	struct fhe_rows rows = {
		.shape = shape,
		.input = fhe_client_key_bits(k, shape->input),
		.key = fhe_client_key_bits(k, shape->key),
	};
	enum err e;

	if (shape->n > 1) {
		TRY(fhe_ntt_new(&rows.ntt, shape->n));
		e = fhe_ntt_key_new(&rows.ntt_key, rows.ntt, rows.key, shape->reversed);
		if (e != ERR_OK) {
			fhe_ntt_free(rows.ntt);
			return e;
		}
	}
	*ret_rows = rows;
	return ERR_OK;
}

void fhe_rows_clear(struct fhe_rows *rows)
{
	fhe_ntt_key_free(&rows->ntt_key);
	fhe_ntt_free(rows->ntt);
	*rows = (struct fhe_rows){0};
}

/* ---- one thread's room ---- */

/* How the secret room of a row is divided: the sum, the transforms, the noise. */
struct division {
	size_t transforms, noise, size; /* offsets, then all */
};

static struct division division_of(size_t n)
{
	struct division d = {.transforms = n * sizeof(fhe_u128)};

	d.noise = d.transforms + fhe_ntt_scratch_size(n);
	d.size = d.noise + n * fhe_noise_size(FHE_NOISE_MAX) + FHE_NOISE_READ;
	return d;
}

enum err fhe_row_worker_init(struct fhe_row_worker *w, struct aes_ctr *masks,
			     struct aes_ctr *secrets, const struct fhe_parts *parts)
{
	size_t n_max = 0, mask_max = 0;
	uint8_t *place;
	enum err e;

	for (int i = 0; i < FHE_PART_COUNT; i++) {
		const struct fhe_part_shape *s = &parts->shape[i];

		n_max = s->n > n_max ? s->n : n_max;
		mask_max = fhe_part_mask_size(s) > mask_max ? fhe_part_mask_size(s) : mask_max;
	}
	*w = (struct fhe_row_worker){
		.masks = masks, .secrets = secrets, .mask = buf_make(mask_max)};
	e = buf_add_space(&w->mask, mask_max, &place);
	if (e == ERR_OK)
		e = secret_alloc(&w->work, division_of(n_max).size);
	if (e != ERR_OK)
		fhe_row_worker_clear(w);
	return e;
}

void fhe_row_worker_clear(struct fhe_row_worker *w)
{
	aes_ctr_free(w->masks);
	aes_ctr_free(w->secrets);
	buf_free(&w->mask);
	secret_free(&w->work);
	*w = (struct fhe_row_worker){0};
}

/* ---- one row ---- */

/* sum of mask_j(X) * S_j(X) */
static void mask_times_key(const struct fhe_rows *rows, const uint8_t *mask, fhe_u128 *sum,
			   uint64_t *transforms)
{
	const struct fhe_part_shape *s = rows->shape;

	if (rows->ntt)
		fhe_ntt_product(&rows->ntt_key, mask, s->width, sum, transforms);
	else if (s->width == 8)
		sum[0] = fhe_rotated_dot_u64(mask, rows->key.p, s->k, 0);
	else
		sum[0] = fhe_dot_u128(mask, rows->key.p, s->k);
}

static void noise_add(const struct fhe_part_shape *s, const uint8_t *noise, fhe_u128 *sum)
{
	size_t size = fhe_noise_size(s->noise);

	for (size_t i = 0; i < s->n; i++)
		sum[i] += fhe_noise_wide(fhe_noise_of(&noise[i * size], s->noise));
}

/* The bit of the input key is a mask for all that is added. */
static void message_add(const struct fhe_rows *rows, size_t row, fhe_u128 *sum)
{
	const struct fhe_part_shape *s = rows->shape;
	struct fhe_part_row at = fhe_part_row_of(s, row);
	unsigned shift = 8 * s->width - s->base_log * at.level;
	fhe_u128 bit;

	if (s->message == FHE_MESSAGE_ZERO)
		return;
	bit = rows->input.p[at.bit];
	if (s->message == FHE_MESSAGE_BIT || at.ggsw_row == s->k) {
		sum[0] += bit << shift;
		return;
	}
	for (size_t i = 0; i < s->n; i++)
		sum[i] -= ((0 - bit) & rows->key.p[at.ggsw_row * s->n + i]) << shift;
}

static void body_put(const struct fhe_part_shape *s, const fhe_u128 *sum, uint8_t *out)
{
	if (s->width == 8) {
		for (size_t i = 0; i < s->n; i++)
			fhe_word_put_u64(out, i, (uint64_t)sum[i]);
		return;
	}
	for (size_t i = 0; i < s->n; i++)
		fhe_word_put_u128(out, i, sum[i]);
}

fhe_u128 *fhe_row_expect(const struct fhe_rows *rows, struct fhe_row_worker *w, size_t row)
{
	struct division d = division_of(rows->shape->n);
	/* Secrets are aligned for anything. */
	fhe_u128 *sum = (fhe_u128 *)(void *)w->work.p;

	mask_times_key(rows, w->mask.p, sum, (uint64_t *)(void *)&w->work.p[d.transforms]);
	message_add(rows, row, sum);
	return sum;
}

enum err fhe_rows_fill(const struct fhe_rows *rows, struct fhe_row_worker *w, size_t first,
		       size_t count, uint8_t *out)
{
	const struct fhe_part_shape *s = rows->shape;
	size_t mask_size = fhe_part_mask_size(s), noise_size = s->n * fhe_noise_size(s->noise);
	uint8_t *noise = &w->work.p[division_of(s->n).noise];

	TRY(aes_ctr_seek(w->masks, s->mask_at + (uint64_t)first * mask_size));
	TRY(aes_ctr_seek(w->secrets, s->noise_at + (uint64_t)first * noise_size));
	for (size_t i = 0; i < count; i++) {
		fhe_u128 *sum;

		TRY(aes_ctr_fill(w->masks, w->mask.p, mask_size));
		TRY(aes_ctr_fill(w->secrets, noise, noise_size));
		sum = fhe_row_expect(rows, w, first + i);
		noise_add(s, noise, sum);
		body_put(s, sum, &out[i * s->n * s->width]);
	}
	return ERR_OK;
}
