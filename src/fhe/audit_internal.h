/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The audit's inner loop, which works on secrets. Internal to fhe/, and for the tests of it. */
#ifndef FHE_AUDIT_INTERNAL_H
#define FHE_AUDIT_INTERNAL_H

#include "fhe/audit.h"
#include "fhe/keygen/rows.h"

/* What the coefficients of one part came to. Secret until all are in. */
struct fhe_audit_tally {
	fhe_u128 sum;     /* of the noise of the right ones, modulo 2^128 */
	fhe_u128 squares; /* of |noise| / 2^fhe_audit_scale */
	uint64_t right, wrong_messages, too_large;
	uint64_t noise_max;
	uint64_t first; /* row * n + coefficient of the first that is not right, else UINT64_MAX */
};

enum {
	FHE_AUDIT_SCALED_BITS = 32, /* so that 2^64 squares can be added */
};

static inline unsigned fhe_audit_scale(unsigned noise)
{
	return noise > FHE_AUDIT_SCALED_BITS ? noise - FHE_AUDIT_SCALED_BITS : 0;
}

/* Nothing seen yet. */
static inline struct fhe_audit_tally fhe_audit_tally_none(void)
{
	return (struct fhe_audit_tally){.first = UINT64_MAX};
}

/* Rows first .. first + rows_n - 1, whose bodies as stored are rows_n * n * width bytes. */
enum err fhe_audit_rows(const struct fhe_rows *rows, struct fhe_row_worker *w, size_t first,
			size_t rows_n, const uint8_t *bodies,
			struct fhe_audit_tally *tally) MUST_USE;

/* What two threads saw of the same part. */
void fhe_audit_tally_add(struct fhe_audit_tally *to, const struct fhe_audit_tally *from);

#endif
