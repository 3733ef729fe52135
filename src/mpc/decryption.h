/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Threshold decryption by noise flooding of squashed ciphertexts (modulo 2^128). A block is an LWE
 * ciphertext (mask, body) of 4 bits: phase = body - <mask, secret> = message * 2^123 + noise. Each
 * party computes its share of the phase and adds its share of a mask E of the PRSS, of up to 2^122,
 * which hides the noise, of at most 2^70, and with it the secret.
 *
 *	public  the masked phases are opened among the parties (open.h), and rounded
 *	user    the masked shares, four blocks in one element, go to the user, who opens them
 *
 * Nothing that this header gives out is an unmasked share.
 */
#ifndef MPC_DECRYPTION_H
#define MPC_DECRYPTION_H

#include "mpc/prss.h"

enum {
	MPC_BLOCKS_MAX = 64, /* 256 bits */
	MPC_MASK_RUNS_MAX = 16,
	MPC_LWE_DIMENSION_MAX = 8192
};

/* Our shares of the bits of an LWE secret key, in locked memory. Immutable, any thread. */
struct mpc_key_share;
/* n elements, encoded (gr.h) one after the other. ERR_RANGE, ERR_NOMEM. */
enum err mpc_key_share_new(struct mpc_key_share **ret, struct bytes elements) MUST_USE;
void mpc_key_share_free(struct mpc_key_share *k);
size_t mpc_key_share_dimension(const struct mpc_key_share *k);

/*
 * A ciphertext's mask as it lies in memory: runs of 128-bit little-endian words that meet the key's
 * bits one after the other, forwards or backwards, some of them negated. An expanded block is one
 * run; a block of a packed list is two runs of each polynomial, as in X^i times it modulo X^N + 1.
 */
struct mpc_mask_run {
	const uint8_t *words; /* 16 * n bytes */
	size_t n;
	bool backwards, negated;
};
struct mpc_block {
	struct mpc_mask_run runs[MPC_MASK_RUNS_MAX];
	unsigned runs_n;
	const uint8_t *body; /* 16 bytes */
};

/*
 * Our masked shares of all blocks of one ciphertext, in their order. `session` is fresh and is used
 * for nothing else: the published implementation takes masks from the end, so block j has mask
 * blocks_n - 1 - j. ERR_MISMATCH: a block's dimension is not the key's; ERR_RANGE: too many blocks.
 */
enum err mpc_decryption_share(struct gr *ret_shares, const struct mpc_key_share *key,
			      struct prss_session *session, const struct mpc_block *blocks,
			      size_t blocks_n) MUST_USE;

/* Four blocks in one element; ret has room for (n + 3) / 4. */
void mpc_decryption_pack(struct gr *ret_packed, const struct gr *shares, size_t n);

/*
 * Opened blocks (scalars, packed again or not) to a message: 4 bits each, or what the caller's type
 * has; in constant time.
 */
unsigned mpc_decryption_round(u128 phase);

#endif
