/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The FHE keys of a node: all that the private vault holds, read at start, and those generated
 * since. Of a centralised node whole keys, under FhePrivateKey/<epoch>/<key id>; of one of a
 * committee its shares, under FheKeyShares/<epoch>/<key id>. Entries are added at the end and never
 * change or go: any thread may look up while the loop thread adds. The keys live as long as the
 * ring.
 */
#ifndef CORE_KEY_RING_H
#define CORE_KEY_RING_H

#include <stdatomic.h>

#include "core/committees.h"
#include "core/threshold_key.h"
#include "core/vault.h"
#include "fhe/key_handles.h"

struct key_ring_entry {
	struct hash32 epoch_id;
	struct hash32 key_id;
	struct hash32 preproc_id;   /* that it used up */
	struct fhe_client_key *key; /* owned, as is the next; one of the two */
	struct threshold_key *share;
};

struct key_ring {
	struct key_ring_entry *v;           /* room for VAULT_KEYS_MAX */
	atomic_size_t n;                    /* counts an entry when it is whole */
	const struct committees *committee; /* NULL: a centralised node */
};

/*
 * No key at all is a valid, empty ring. ERR_CORRUPT: an object that does not decode or whose key id
 * is not its name; ERR_TOO_BIG: more than VAULT_KEYS_MAX; others as vault_read_secret. The note
 * names the object.
 */
enum err key_ring_load(struct key_ring *ret_ring, const struct vault *private_vault,
		       struct err_note *note) MUST_USE;
/* The shares of a node of this committee (borrowed) instead. */
enum err key_ring_load_shares(struct key_ring *ret_ring, const struct committees *committee,
			      const struct vault *private_vault, struct err_note *note) MUST_USE;
void key_ring_free(struct key_ring *r);

/* One object with its metadata, as key_ring_load reads them. ERR_NOT_FOUND. */
enum err key_ring_read(struct fhe_key_handles *ret_handles, const struct vault *private_vault,
		       struct hash32 epoch_id, struct hash32 key_id,
		       struct err_note *note) MUST_USE;

/* Takes the key over, whatever happens. A key that is there already is dropped. ERR_TOO_BIG:
 * VAULT_KEYS_MAX. Loop thread. */
enum err key_ring_add(struct key_ring *r, const struct key_ring_entry *entry) MUST_USE;

/* Where these keys lie. */
#define KEY_RING_TYPE "FhePrivateKey"

/* Is this the default epoch or one that has a key? */
bool key_ring_has_epoch(const struct key_ring *r, struct hash32 epoch_id);

/* Was this preprocessing used up by another key than this one? */
bool key_ring_used_preproc(const struct key_ring *r, struct hash32 preproc_id,
			   struct hash32 key_id);

/* NULL if there is none. */
const struct threshold_key *key_ring_find_share(const struct key_ring *r, struct hash32 epoch_id,
						struct hash32 key_id);
const struct fhe_client_key *key_ring_find(const struct key_ring *r, struct hash32 epoch_id,
					   struct hash32 key_id);

#endif
