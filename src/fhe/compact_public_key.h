/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* CompactPublicKey: what users encrypt their inputs with. Public data; one mask and one body
 * polynomial. */
#ifndef FHE_COMPACT_PUBLIC_KEY_H
#define FHE_COMPACT_PUBLIC_KEY_H

#include "fhe/params.h"

struct fhe_compact_public_key {
	struct fhe_pke_params params;
	uint64_t polynomial_size; /* = params.dimension */
	struct bytes words;       /* mask, then body: 2 * dimension little-endian u64 */
	struct bytes tag;
	size_t at; /* of the words' count, in the input */
};

/* From safe_serialize("high_level_api::CompactPublicKey"). The views live as long as `serialized`.
 */
enum err fhe_compact_public_key_read(struct fhe_compact_public_key *ret_key,
				     struct bytes serialized, struct err_note *note) MUST_USE;

/* Appends the safe_serialize form. */
enum err fhe_compact_public_key_write(const struct fhe_compact_public_key *k,
				      struct buf *out) MUST_USE;

#endif
