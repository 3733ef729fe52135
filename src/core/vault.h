/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The vault: where a node keeps its objects, as files. Names are those of the other implementation:
 *
 *   - <path>/<prefix>/<type>/<id>: VerfKey, SigningKey, …
 *   - <path>/<prefix>/<type>/<epoch>/<id>: FhePrivateKey, …
 *
 * An object is written whole or not at all (a file of another name, synced, linked into place,
 * folder synced) and never overwritten. A private object must belong to us and be closed to
 * everybody else, or belong to root and be open to one group at most; links are followed, and the
 * file at their end is judged. Synchronous: used at start and by command line programs, not on the
 * loop.
 */
#ifndef CORE_VAULT_H
#define CORE_VAULT_H

#include "base/secret.h"
#include "base/u256.h"

struct vault {
	const char *path;   /* borrowed */
	const char *prefix; /* borrowed; "PUB", "PRIV" */
	bool private;
};

/* Which object. `epoch` NULL for types without. */
struct vault_name {
	const char *type; /* "SigningKey" */
	const struct hash32 *epoch;
	struct hash32 id;
};

/*
 * ERR_NOT_FOUND: no such object. ERR_CONFIG_FILE with a note for everything that an operator must
 * repair: permissions, owner, a folder in its place, unreadable. ERR_TOO_BIG past
 * VAULT_OBJECT_SIZE_MAX. Private objects go to secret memory.
 */
enum err vault_read(struct buf *out, const struct vault *v, const struct vault_name *name,
		    struct err_note *note) MUST_USE;
enum err vault_read_secret(struct secret *ret_object, const struct vault *v,
			   const struct vault_name *name, struct err_note *note) MUST_USE;

/* Folders are made as needed. ERR_ALREADY_DONE: an object of this name is there, whatever its
 * content; untouched. */
enum err vault_write(const struct vault *v, const struct vault_name *name, struct bytes object,
		     struct err_note *note) MUST_USE;

/*
 * Ids found in the folder of `type` (and `epoch`), in ascending order; or, with epochs_of, the
 * epochs below `type`. Entries that are no id are passed over: other programs may leave files. No
 * folder is the empty list. At most VAULT_ENTRIES_MAX, else ERR_TOO_BIG.
 */
struct vault_ids {
	struct hash32 *v; /* owned: vault_ids_free */
	size_t n;
};
enum err vault_list(struct vault_ids *ret_ids, const struct vault *v, const char *type,
		    const struct hash32 *epoch, struct err_note *note) MUST_USE;
void vault_ids_free(struct vault_ids *ids);

#endif
