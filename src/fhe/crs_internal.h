/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the files of the CRS share: how one element is serialised. */
#ifndef FHE_CRS_INTERNAL_H
#define FHE_CRS_INTERNAL_H

#include "crypto/bls12_446.h"
#include "fhe/crs.h"

/*
 * An element is u32 0, u32 variant and, if it is not at infinity, x and y. A coordinate in G1 is
 * u32 0, u64 7 and seven words; in G2 it is u32 0 and two of these.
 */
enum {
	CRS_VARIANT_INFINITY = 0,
	CRS_VARIANT_UNCOMPRESSED = 2,
	CRS_FIELD_LIMBS = 7,
	CRS_ELEMENT_HEAD = 8,
	CRS_FIELD_HEAD = 12,
	CRS_FIELD_ELEMENT_SIZE = CRS_FIELD_HEAD + BLS12_446_FIELD_SIZE,
	CRS_G1_SIZE = CRS_ELEMENT_HEAD + 2 * CRS_FIELD_ELEMENT_SIZE,
	CRS_G2_SIZE = CRS_ELEMENT_HEAD + 2 * (4 + 2 * CRS_FIELD_ELEMENT_SIZE),
};

static inline size_t crs_element_size(enum bls12_446_group group)
{
	return group == BLS12_446_G1 ? CRS_G1_SIZE : CRS_G2_SIZE;
}

/* Serialises the coordinates of one point into crs_element_size bytes. */
void crs_element_put(enum bls12_446_group group, const uint8_t *coordinates, uint8_t *out);

/* The coordinates of a point that is not at infinity; fails as readers do. */
void crs_element_take(struct reader *r, enum bls12_446_group group,
		      uint8_t ret_coordinates[BLS12_446_G2_SIZE]);

/* Where the lists stand in what was written. */
struct crs_places {
	size_t g, g_hat;
};

/* Appends the safe_serialize form with room for the elements. `out` is unchanged on failure. */
enum err crs_frame_write(const struct fhe_crs *c, struct buf *out,
			 struct crs_places *ret_places) MUST_USE;

#endif
