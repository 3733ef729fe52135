/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Decryption in the clear-key (centralised) case: what the KMS core calls.
 *
 * A client key is read once, is immutable after, lives in secret memory, and may be used by any
 * number of threads. Decryption has no secret-dependent branch or index; ciphertexts are hostile
 * input.
 */
#ifndef FHE_DECRYPT_H
#define FHE_DECRYPT_H

#include "base/bytes.h"
#include "fhe/types.h"

struct fhe_client_key;

/* From safe_serialize(high_level_api::ClientKey), tfhe-rs 1.6/1.7 form. ERR_MALFORMED,
 * ERR_UNSUPPORTED, ERR_TOO_BIG. */
enum err fhe_client_key_read(struct fhe_client_key **ret_key, struct bytes serialized,
			     struct err_note *note) MUST_USE;
void fhe_client_key_free(struct fhe_client_key *k);

/* The tag of the key: for the KMS the 32 bytes of the key id; a view into the key. */
struct bytes fhe_client_key_tag(const struct fhe_client_key *k);

/* A decrypted value: n bytes little endian at the natural width of its type. Secret: wipe with
 * secret_wipe. */
struct fhe_plaintext {
	uint8_t le[32];
	size_t n;
};

/*
 * `type` is what the request claims; the ciphertext must agree in kind and number of blocks
 * (ERR_MISMATCH), and so must the dimensions and the key's. Lists: the first value in them.
 * ERR_UNSUPPORTED for an unknown format, a format that the key has no part for, a version that we
 * do not read, a type of more than 256 bits; ERR_MALFORMED, ERR_TRUNCATED, ERR_TOO_BIG.
 */
enum err fhe_decrypt(const struct fhe_client_key *k, struct fhe_plaintext *ret_value,
		     enum fhe_type type, enum fhe_format format, struct bytes ciphertext,
		     struct err_note *note) MUST_USE;

#endif
