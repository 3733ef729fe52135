/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The ciphertexts of one part of a key set, computed row by row. Internal to fhe/. */
#ifndef FHE_KEYGEN_ROWS_H
#define FHE_KEYGEN_ROWS_H

#include "crypto/aes_ctr.h"
#include "fhe/client_key.h"
#include "fhe/key_parts.h"
#include "fhe/ntt.h"

/* What the rows of a part have in common; all threads read it. */
struct fhe_rows {
	const struct fhe_part_shape *shape;
	struct bytes input, key; /* secret bits, one per byte */
	struct fhe_ntt *ntt;     /* NULL for LWE ciphertexts */
	struct fhe_ntt_key ntt_key;
};

/* `shape` and `k` must live longer. */
enum err fhe_rows_init(struct fhe_rows *ret_rows, const struct fhe_part_shape *shape,
		       const struct fhe_client_key *k) MUST_USE;
void fhe_rows_clear(struct fhe_rows *rows);

/* What one thread needs for itself. */
struct fhe_row_worker {
	struct aes_ctr *masks, *secrets; /* both streams of the key set, owned; for an audit only
					    the first */
	struct buf mask;                 /* of one row; public */
	struct secret work;              /* sum, transforms, noise of one row */
};

/* Room for the rows of any part of `parts`. Takes the streams over, also when it fails. */
enum err fhe_row_worker_init(struct fhe_row_worker *w, struct aes_ctr *masks,
			     struct aes_ctr *secrets, const struct fhe_parts *parts) MUST_USE;
void fhe_row_worker_clear(struct fhe_row_worker *w);

/*
 * The body of a row but for its noise: mask, which is in w->mask, times key, plus message. n
 * coefficients in w->work, of which for 8-byte words the low halves mean something. Secret.
 */
fhe_u128 *fhe_row_expect(const struct fhe_rows *rows, struct fhe_row_worker *w, size_t row);

/* The bodies of rows first .. first + count - 1 as they are stored: count * n * width bytes. */
enum err fhe_rows_fill(const struct fhe_rows *rows, struct fhe_row_worker *w, size_t first,
		       size_t count, uint8_t *out) MUST_USE;

#endif
