/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * CompressedCiphertextList ("SmallCompressed"): GLWE ciphertexts under the compression key, whose
 * coefficients were rounded to storage_log_modulus bits and packed without gaps. Each body
 * coefficient is one 2-bit block, under one bit of padding at the top. Who holds the compression
 * key decrypts it directly; a server without keys would have to bootstrap first.
 */
#ifndef FHE_COMPRESSED_LIST_H
#define FHE_COMPRESSED_LIST_H

#include "fhe/packed_list.h"

/*
 * Checks every size, the items against the number of bodies, and the dimensions against `p`
 * (ERR_MISMATCH: made under other parameters). Views into `serialized`.
 */
enum err fhe_compressed_list_read(struct fhe_packed_list *ret_list, const struct fhe_params *p,
				  struct bytes serialized, struct err_note *note) MUST_USE;

/* Appends the safe_serialize form in the newest version. */
enum err fhe_compressed_list_write(const struct fhe_packed_list *list, struct buf *out) MUST_USE;

/* Coefficient i < initial_len. */
uint64_t fhe_packed_coefficient(const struct fhe_packed_glwe *g, size_t i);

/* Layouts for writers: of one GLWE, of the meta data. */
extern const struct layout fhe_packed_glwe_layout;     /* struct fhe_packed_glwe */
extern const struct layout fhe_compressed_meta_layout; /* struct fhe_packed_list */
#define FHE_COMPRESSED_LIST_NAME "high_level_api::CompressedCiphertextList"

#endif
