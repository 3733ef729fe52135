/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * CompressedCiphertextList ("SmallCompressed"): GLWE ciphertexts under the compression key, whose
 * coefficients were rounded to storage_log_modulus bits and packed without gaps. Each body
 * coefficient is one 2-bit block, under one bit of padding at the top. Who holds the compression
 * key decrypts it directly; a server without keys would have to bootstrap first.
 */
#ifndef FHE_COMPRESSED_LIST_H
#define FHE_COMPRESSED_LIST_H

#include "fhe/items.h"
#include "fhe/params.h"

struct fhe_packed_glwe {
	struct bytes words; /* little-endian u64: glwe_dimension * polynomial_size mask
			       coefficients, then the bodies, log_modulus bits each, least
			       significant bit first */
	uint64_t log_modulus, initial_len;
	uint64_t glwe_dimension, polynomial_size, bodies;
};

struct fhe_compressed_list {
	struct fhe_packed_glwe glwe[FHE_SQUASHED_GLWE_MAX];
	size_t glwe_n;
	uint64_t message_modulus, carry_modulus, lwe_per_glwe;
	struct fhe_items items;
	struct bytes tag;
};

/*
 * Checks every size, the items against the number of bodies, and the dimensions against `p`
 * (ERR_MISMATCH: made under other parameters). Views into `serialized`.
 */
enum err fhe_compressed_list_read(struct fhe_compressed_list *ret_list, const struct fhe_params *p,
				  struct bytes serialized, struct err_note *note) MUST_USE;

/* Coefficient i < initial_len. */
uint64_t fhe_packed_coefficient(const struct fhe_packed_glwe *g, size_t i);

/* Layouts for writers: of one GLWE, of the meta data. */
extern const struct layout fhe_packed_glwe_layout;     /* struct fhe_packed_glwe */
extern const struct layout fhe_compressed_meta_layout; /* struct fhe_compressed_list */
#define FHE_COMPRESSED_LIST_NAME "high_level_api::CompressedCiphertextList"

#endif
