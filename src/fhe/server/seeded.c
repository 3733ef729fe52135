/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/server/seeded.h"

#include <stdlib.h>

#include "crypto/aes_ctr.h"

enum {
	AES_BLOCK = 16
};

enum err fhe_seeded_rows_open(struct fhe_seeded_rows *ret_rows, const struct fhe_part_shape *shape,
			      const struct fhe_seeded *part, size_t first)
{
	size_t size = fhe_part_mask_size(shape) + shape->n * shape->width;
	struct fhe_seeded_rows rows = {
		.shape = shape,
		.part = part,
		.begin = AES_BLOCK * part->seed.block + part->seed.byte,
		.row = malloc(size),
	};
	enum err e;

	if (!rows.row)
		return ERR_NOMEM;
	e = fhe_seed_open(&rows.masks, &part->seed);
	if (e == ERR_OK && first > 0)
		e = fhe_seeded_rows_seek(&rows, first);
	if (e != ERR_OK) {
		fhe_seeded_rows_close(&rows);
		return e;
	}
	*ret_rows = rows;
	return ERR_OK;
}

void fhe_seeded_rows_close(struct fhe_seeded_rows *rows)
{
	aes_ctr_free(rows->masks);
	free(rows->row);
	*rows = (struct fhe_seeded_rows){0};
}

enum err fhe_seeded_rows_seek(struct fhe_seeded_rows *rows, size_t row)
{
	if (row == rows->next)
		return ERR_OK;
	TRY(aes_ctr_seek(rows->masks,
			 rows->begin + (uint64_t)row * fhe_part_mask_size(rows->shape)));
	rows->next = row;
	return ERR_OK;
}

enum err fhe_seeded_rows_next(struct fhe_seeded_rows *rows, const uint8_t **ret_row)
{
	size_t mask_size = fhe_part_mask_size(rows->shape);
	size_t body_size = rows->shape->n * rows->shape->width;
	struct bytes body = bytes_sub(rows->part->words, rows->next * body_size, body_size);

	if (rows->next >= rows->shape->rows || body.n != body_size)
		return ERR_RANGE;
	TRY(aes_ctr_fill(rows->masks, rows->row, mask_size));
	memcpy(&rows->row[mask_size], body.p, body_size);
	rows->next++;
	*ret_row = rows->row;
	return ERR_OK;
}
