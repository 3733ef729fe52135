/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The rows of a seeded part of a key set, masks back in their place: one GLWE after the other, k
 * mask polynomials and the body, little-endian words.
 */
#ifndef FHE_SERVER_SEEDED_H
#define FHE_SERVER_SEEDED_H

#include "fhe/key_set.h"

struct aes_ctr;

/* A reader of rows. Any number of them at the same time, one thread each. */
struct fhe_seeded_rows {
	const struct fhe_part_shape *shape;
	const struct fhe_seeded *part;
	struct aes_ctr *masks;
	uint64_t begin; /* byte of the stream where the first mask begins */
	size_t next;
	uint8_t *row;
};

/* Both must live longer, and have passed fhe_key_set_check. Starts at `first`. */
enum err fhe_seeded_rows_open(struct fhe_seeded_rows *ret_rows, const struct fhe_part_shape *shape,
			      const struct fhe_seeded *part, size_t first) MUST_USE;
void fhe_seeded_rows_close(struct fhe_seeded_rows *rows);

/* The next row: (k + 1) * n words, valid until the next call. ERR_RANGE past the end. */
enum err fhe_seeded_rows_next(struct fhe_seeded_rows *rows, const uint8_t **ret_row) MUST_USE;

/* Goes to another row. */
enum err fhe_seeded_rows_seek(struct fhe_seeded_rows *rows, size_t row) MUST_USE;

#endif
