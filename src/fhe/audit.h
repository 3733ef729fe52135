/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The auditor: is a key set what belongs to a client key? The structure is held against the key's
 * parameters, masks are made again from their seed, and ciphertexts are decrypted with the client
 * key's secrets: what remains besides the message must be noise within its bound, and over many
 * coefficients distributed as it should be.
 *
 *   - full: every row of every part
 *   - fast: of every part the first row, the last, and FHE_AUDIT_SAMPLE rows at random, one out of
 *     each of as many equal stretches
 *
 * Both hash the whole file. What the fast one finds for certain: another key, another seed, masks
 * at the wrong place, another order of rows, noise of another size, a file cut or grown, damage of
 * two stretches in a row. What it can miss: single wrong rows (one of n rows is seen with
 * probability FHE_AUDIT_SAMPLE / n, and always if a part has no more rows than the sample). What
 * both miss: a change that leaves the noise within its bound; the digest shows that, if the right
 * one is known.
 *
 * The client key is secret, and so is every single noise. No branch and no index depends on either;
 * what they leave in memory is wiped. The report (counts, the largest noise, mean and variance of a
 * part, which row is wrong) is public. It tells nothing about a key whose set is sound. Who may
 * have files of his own choice audited, however, learns the key bit by bit from the answers: an
 * audit is for the owner of the key, never a service.
 */
#ifndef FHE_AUDIT_H
#define FHE_AUDIT_H

#include <stdatomic.h>

#include "base/u256.h"
#include "fhe/decrypt.h"
#include "fhe/key_set.h"
#include "fhe/source.h"

struct rng;

enum {
	FHE_AUDIT_SAMPLE = 256, /* rows of a part, beside the first and the last */
};

struct fhe_audit_options {
	enum fhe_key_object object;
	bool fast;
	struct rng *rng;         /* which rows; of a fast audit only */
	unsigned threads;        /* 1 to FHE_TEAM_THREADS_MAX */
	const atomic_bool *stop; /* ERR_CANCELLED soon after it became true; may be NULL */
};

/* What is wrong with a part. The first that applies. */
enum fhe_audit_fault {
	FHE_AUDIT_SOUND,
	FHE_AUDIT_WRONG_MESSAGE,   /* a coefficient decrypts to another message than it must */
	FHE_AUDIT_NOISE_TOO_LARGE, /* the message is right, the noise is beyond its bound */
	FHE_AUDIT_NOISE_MEAN,      /* mean or variance are those of no such noise (8 standard */
	FHE_AUDIT_NOISE_VARIANCE,  /* deviations away; parts of 1000 coefficients and more) */
};

struct fhe_audit_part {
	const char *name;
	uint64_t rows;         /* in the set; 0 if the object has no such part */
	uint64_t rows_read;    /* audited */
	uint64_t coefficients; /* in these: what follows is about them */
	unsigned noise;        /* TUniform(noise): bound 2^noise */
	uint64_t noise_max;    /* largest |noise| of the right ones */
	double mean, variance; /* of the noise of the right ones */
	double variance_expected;
	uint64_t wrong_messages, too_large;    /* coefficients that are not right */
	uint64_t first_row, first_coefficient; /* the first of them, if there is one */
	uint64_t first_at;                     /* and its byte in the file */
	enum fhe_audit_fault fault;
};

struct fhe_audit {
	struct fhe_audit_part parts[FHE_PART_COUNT]; /* by enum fhe_part */
	struct hash32 digest;                        /* "PDAT_KEY" of the whole file */
	uint64_t size;
};

/*
 * ERR_OK says that the audit took place: fhe_audit_verdict says how it ended. ERR_MISMATCH: the
 * file has another structure, parameters or tag than belong to the key (the note names the field or
 * the part), errors of fhe_key_set_read; ERR_IO; ERR_CANCELLED; ERR_RANGE for the threads;
 * ERR_NOMEM.
 */
enum err fhe_audit_run(struct fhe_audit *ret_audit, const struct fhe_client_key *k,
		       const struct fhe_source *source, const struct fhe_audit_options *options,
		       struct err_note *note) MUST_USE;

/* ERR_MISMATCH if any part is not sound; the note names the first such part, what is wrong, and
 * where. */
enum err fhe_audit_verdict(const struct fhe_audit *audit, struct err_note *note) MUST_USE;

/* "sound", "wrong message", ... */
const char *fhe_audit_fault_name(enum fhe_audit_fault fault);

#endif
