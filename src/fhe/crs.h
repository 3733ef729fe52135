/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * CompactPkeCrs: the common reference string of the proofs that users attach to their inputs
 * (tfhe-zk-pok, "pke v2"). Public data: the powers of a number that nobody may know, in the
 * exponent, and the numbers of the statement that is proven.
 *
 *	g_list      a^i G1 for i = 1 to 2 n, where entry n + 1 is the point at infinity
 *	g_hat_list  a^i G2 for i = 1 to n
 */
#ifndef FHE_CRS_H
#define FHE_CRS_H

#include "fhe/params.h"

struct rng;

/* The KMS digest of a CRS is kms_digest(FHE_CRS_DSEP, serialized). */
#define FHE_CRS_DSEP "PDAT_CRS"

enum {
	FHE_CRS_SEPARATORS = 11,
	FHE_CRS_SEPARATOR_SIZE = 8,
	FHE_CRS_SID_SIZE = 16,
};

struct fhe_crs {
	struct bytes g_list, g_hat_list; /* elements as they are serialised, without the count */
	uint64_t g_count, g_hat_count;   /* 2 n and n */
	uint64_t witness, n, d, k;       /* D = d + 4 k; n; dimension of the key; messages */
	uint64_t b_squared_low, b_squared_high; /* bound on the witness, squared */
	uint64_t b_inf;                         /* bound on the noise */
	uint64_t q, t, padding_bits;            /* 0 for 2^64; 32; 1 */
	bool has_sid;
	uint64_t sid_low, sid_high; /* session, hashed into every proof */
	struct bytes separators[FHE_CRS_SEPARATORS];
	size_t numbers_at; /* of `witness`, in the input */
};

/*
 * The numbers of a CRS for lists of at most `bits` bits (1 to FHE_CRS_BITS_MAX) under a public key
 * of `pke`, with the domain separators of the KMS and no session. The lists have their counts, but
 * no elements. ERR_UNSUPPORTED for a key without proofs of version 2 or outside what we
 * compute with, ERR_RANGE for `bits`.
 */
enum err fhe_crs_describe(struct fhe_crs *ret_crs, const struct fhe_pke_params *pke, uint32_t bits,
			  struct err_note *note) MUST_USE;

/* How many bits a list may have: the inverse of fhe_crs_describe, but for rounding up. */
static inline uint64_t fhe_crs_bits(const struct fhe_crs *c)
{
	return 4 * c->k;
}

/* Where element `i` (from 1) of a list stands in it; for G1 not n + 1. */
size_t fhe_crs_g_place(const struct fhe_crs *c, uint64_t i);
size_t fhe_crs_g_hat_place(uint64_t i);
/* Sizes of the lists, and of the whole object. */
size_t fhe_crs_g_size(const struct fhe_crs *c);
size_t fhe_crs_g_hat_size(const struct fhe_crs *c);

/*
 * From safe_serialize("zk::CompactPkeCrs"), uncompressed. The numbers must follow from d, k and
 * b_inf, all points are on their curve and only entry n + 1 is at infinity; that they are in their
 * groups is for fhe_crs_check, that they are powers of one number for whoever trusts the source.
 * Views live as long as `serialized`.
 */
enum err fhe_crs_read(struct fhe_crs *ret_crs, struct bytes serialized,
		      struct err_note *note) MUST_USE;

/* Are all points of a CRS that was read in the subgroups of prime order? Computed by `threads`
 * threads (seconds of one). ERR_MISMATCH, ERR_RANGE for the threads, ERR_NOMEM. */
enum err fhe_crs_check(const struct fhe_crs *c, unsigned threads, struct err_note *note) MUST_USE;

/* Appends the safe_serialize form of a CRS with its elements. */
enum err fhe_crs_write(const struct fhe_crs *c, struct buf *out) MUST_USE;

/*
 * Draws the secret number from `rng`, which must be rng_system() for a CRS that is to convince
 * anybody, computes all elements with `threads` threads (1 to FHE_TEAM_THREADS_MAX) and appends
 * the safe_serialize form. Nothing of the number is kept. `c` is what fhe_crs_describe gave,
 * the session as the caller wants it. `out` needs room for FHE_CRS_SIZE_MAX at most. ERR_RANGE for
 * the threads, ERR_NOMEM, ERR_TOO_BIG for the room.
 */
enum err fhe_crs_make(const struct fhe_crs *c, struct rng *rng, unsigned threads,
		      struct buf *out) MUST_USE;

#endif
