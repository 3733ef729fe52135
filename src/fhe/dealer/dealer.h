/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What only the dealer of a local network may do: make keys from a seed, encrypt, decrypt users'
 * inputs. A library of its own (fhe_dealer_lib), linked by kms-dev-dealer and
 * tests, never by a released program.
 */
#ifndef FHE_DEALER_DEALER_H
#define FHE_DEALER_DEALER_H

#include "crypto/aes_ctr.h"
#include "fhe/client_key.h"
#include "fhe/compact_list.h"
#include "fhe/compact_public_key.h"
#include "fhe/key_handles.h"
#include "fhe/u128.h"

struct rng;

/* ---- random streams ---- */

/* A stream under 16 fresh bytes of `rng`; free suits CLEANUP. */
enum err fhe_stream_new_random(struct aes_ctr **ret_stream, struct rng *rng) MUST_USE;
void fhe_stream_free(struct aes_ctr **stream);

/* One draw of TUniform(bound_log2), see noise.h; ERR_RANGE above FHE_NOISE_MAX. */
enum err fhe_tuniform_draw(struct aes_ctr *stream, unsigned bound_log2,
			   int64_t *ret_noise) MUST_USE;

/* ---- keys ---- */

/*
 * All secret keys of a parameter set, as tfhe-rs' ClientKey::generate_with_seed(seed) draws them,
 * bit for bit: the seed (16 bytes, little endian) is all the entropy. Take it from rng_system().
 */
enum err fhe_client_key_generate(struct fhe_client_key **ret_key, const struct fhe_params *params,
				 struct bytes tag, const uint8_t seed[16]) MUST_USE;

/*
 * Appends a fresh safe_serialize(high_level_api::CompactPublicKey) for the key's compact private
 * key: body = mask(X) * rev(s)(X) + noise mod X^n + 1, noise TUniform of the key's own PKE
 * parameters. ERR_UNSUPPORTED if the key has no compact private key.
 */
enum err fhe_compact_public_key_generate(const struct fhe_client_key *k, struct rng *rng,
					 struct buf *out) MUST_USE;

/* ---- users' inputs ---- */

/*
 * Decrypts item `index` with the compact private key. ERR_RANGE past the end, ERR_UNSUPPORTED for
 * an item that FHEVM has no type for or that is wider than 256 bits, ERR_MISMATCH if the list was
 * made under another dimension.
 */
enum err fhe_compact_list_decrypt(const struct fhe_client_key *k,
				  const struct fhe_compact_list *list, size_t index,
				  const struct fhe_type_row **ret_type,
				  struct fhe_plaintext *ret_value, struct err_note *note) MUST_USE;

/* The same for an item of any kind and width up to 256 bits; signed ones in two's complement. The
 * value has (blocks + 3) / 4 bytes. */
enum err fhe_compact_list_decrypt_item(const struct fhe_client_key *k,
				       const struct fhe_compact_list *list, size_t index,
				       struct fhe_item *ret_item, struct fhe_plaintext *ret_value,
				       struct err_note *note) MUST_USE;

/* ---- what a coprocessor stores ---- */

/*
 * Appends safe_serialize(CompressedSquashedNoiseCiphertextList) that holds one value: a fresh
 * encryption under the noise-squashing-compression key, with the noise of that key's own parameters
 * (TUniform, 2^3 in the default set: a ciphertext that went through squashing has 2^60 to 2^65).
 * ERR_UNSUPPORTED if the key has no such part, ERR_RANGE for a value that does not fit its type.
 */
enum err fhe_squashed_list_encrypt(const struct fhe_client_key *k, const struct fhe_type_row *type,
				   const struct fhe_plaintext *value, struct rng *rng,
				   struct buf *out) MUST_USE;

#endif
