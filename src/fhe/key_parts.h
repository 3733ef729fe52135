/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a key set is made of: twelve arrays of seeded ciphertexts of secret keys (or of zero) under
 * secret keys. Seeded: of a ciphertext only the body is stored; its mask is a piece of a public
 * random stream. The shapes of all arrays follow from the parameters, and so does the place of each
 * mask and of each noise in its stream (tfhe-rs 1.7 CompressedXofKeySet).
 *
 * Every ciphertext is a GLWE: k mask polynomials and one body polynomial of n coefficients, body =
 * sum of mask_j(X) * S_j(X) + noise + message. An LWE ciphertext is one with n = 1.
 */
#ifndef FHE_KEY_PARTS_H
#define FHE_KEY_PARTS_H

#include "fhe/noise.h"
#include "fhe/params.h"

/* In the order in which tfhe-rs generates them, which is that of the streams. */
enum fhe_part {
	FHE_PART_PUBLIC_KEY,         /* compact public key */
	FHE_PART_COMPRESSION,        /* packing key switch, big to compression key */
	FHE_PART_DECOMPRESSION,      /* bootstrap, compression to big key */
	FHE_PART_KEY_SWITCH,         /* big to small key */
	FHE_PART_BOOTSTRAP,          /* small to big key */
	FHE_PART_BOOTSTRAP_ZEROS,    /* zeros under the small key, for the drift technique */
	FHE_PART_SQUASH,             /* bootstrap, small to squashing key */
	FHE_PART_SQUASH_ZEROS,       /* zeros under the small key */
	FHE_PART_PKE_KEY_SWITCH,     /* compact private to small key */
	FHE_PART_RERAND,             /* compact public key of the big key */
	FHE_PART_SQUASH_COMPRESSION, /* packing key switch, squashing to its compression key */
	FHE_PART_OPRF,               /* bootstrap, OPRF to big key */
	FHE_PART_COUNT,
};

/* The message of row i, level l (finest first: level, level - 1, ..., 1). */
enum fhe_part_message {
	FHE_MESSAGE_ZERO,
	FHE_MESSAGE_BIT,  /* bit i of the input key, shifted by W - base_log * l, at X^0 */
	FHE_MESSAGE_GGSW, /* k + 1 rows each: minus bit i times S_r(X), and in the last as BIT */
};

struct fhe_part_shape {
	const char *name;
	size_t rows;    /* ciphertexts; 0 if the set lacks this part */
	size_t k, n;    /* mask polynomials, coefficients of a polynomial */
	unsigned width; /* bytes of a word, W = 8 * width */
	unsigned noise; /* TUniform(noise) */
	unsigned base_log, level;
	enum fhe_part_message message;
	bool reversed;              /* the key's polynomial is read from its end */
	enum fhe_key_id input, key; /* whose bits are encrypted; under which key */
	uint64_t mask_at, noise_at; /* byte in the mask stream; byte in the secret stream */
};

struct fhe_parts {
	struct fhe_part_shape shape[FHE_PART_COUNT];
	uint64_t mask_size, secret_size; /* bytes of both streams */
};

enum {
	/* The secret stream begins with the seed of the mask stream, then the secret keys. */
	FHE_MASK_SEED_SIZE = 16,
};

/* The secret keys in the order in which the secret stream gives them, a bit of a byte each, lowest
 * first; every polynomial begins with a new byte. */
extern const enum fhe_key_id fhe_key_order[FHE_KEY_COUNT];

/* `params` must have passed fhe_params_check. */
void fhe_parts_of(struct fhe_parts *ret_parts, const struct fhe_params *params);

/* Bytes of all bodies of a part, as stored. */
static inline uint64_t fhe_part_body_size(const struct fhe_part_shape *s)
{
	return (uint64_t)s->rows * s->n * s->width;
}

/* Bytes of the mask of one row. */
static inline size_t fhe_part_mask_size(const struct fhe_part_shape *s)
{
	return s->k * s->n * s->width;
}

/* Which bit of the input key a row is about, its level and its row in a GGSW. */
struct fhe_part_row {
	size_t bit;
	unsigned level;
	size_t ggsw_row;
};

static inline struct fhe_part_row fhe_part_row_of(const struct fhe_part_shape *s, size_t row)
{
	size_t per_level = s->message == FHE_MESSAGE_GGSW ? s->k + 1 : 1;
	size_t levels = s->level ? s->level : 1;

	return (struct fhe_part_row){
		.bit = row / (per_level * levels),
		.level = (unsigned)(levels - row / per_level % levels),
		.ggsw_row = row % per_level,
	};
}

#endif
