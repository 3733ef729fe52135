/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Generating a key into the vaults. In this order:
 *
 *   - public: CompressedXofKeySet/<key id>, streamed, and PublicKey/<key id>
 *   - private: FhePrivateKey/<epoch>/<key id>, with the digests and the signature. This object is
 *     the end: who finds it finds a whole key, and no second one is ever made for the id
 *
 * Public objects without the private one are what a killed process left; the next run of the same
 * request removes them and starts again. On a pool thread; one run at a time for a key.
 */
#ifndef CORE_KEY_PUBLISH_H
#define CORE_KEY_PUBLISH_H

#include <stdatomic.h>

#include "core/key_generation.h"

/* What a run works with; all borrowed and immutable but `stop`. */
struct key_publish {
	const struct vault *public_vault, *private_vault;
	const struct signing_key *signer;
	struct rng *rng; /* rng_system() */
	unsigned threads;
	const atomic_bool *stop; /* ERR_CANCELLED soon after it became true, nothing left behind */
};

/* Does any object of this key exist in any of the vaults? */
bool key_published(const struct vault *public_vault, const struct vault *private_vault,
		   struct hash32 epoch_id, struct hash32 key_id);

/*
 * The whole of it, or the end of what an earlier run did. The handles are read back from the vault.
 * On failure no object remains. ERR_CANCELLED, ERR_IO (a full disk), ERR_CORRUPT: the key exists
 * and belongs to another preprocessing; errors of vault and key generation.
 */
enum err key_publish(struct fhe_key_handles *ret_handles, const struct key_publish *p,
		     const struct key_request *r, enum key_params params,
		     struct err_note *note) MUST_USE;

/* At start: what killed writers left in the folders that are written here. */
enum err key_publish_sweep(const struct vault *public_vault, const struct vault *private_vault,
			   size_t *ret_removed, struct err_note *note) MUST_USE;

#endif
