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
 * file at their end is judged. Synchronous: used at start, by command line programs and on pool
 * threads, not on the loop.
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

/* Where a node puts what it makes. */
struct vaults {
	struct vault public, private;
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

/* The same for an object of up to size_max that need not fit into memory: `each` is called with
 * pieces of it, in order; the first error of its own ends the reading and is returned. */
typedef enum err vault_piece_fn(void *ctx, struct bytes piece, struct err_note *note);
enum err vault_read_pieces(const struct vault *v, const struct vault_name *name, size_t size_max,
			   vault_piece_fn *each, void *ctx, struct err_note *note) MUST_USE;

/* Folders are made as needed. ERR_ALREADY_DONE: an object of this name is there, whatever its
 * content; untouched. */
enum err vault_write(const struct vault *v, const struct vault_name *name, struct bytes object,
		     struct err_note *note) MUST_USE;

/* Is there anything of this name? Also if it could not be read, or if that cannot be told: who asks
 * would remove or make what is not there. */
bool vault_exists(const struct vault *v, const struct vault_name *name);

/* No such object is no error. ERR_IO. */
enum err vault_remove(const struct vault *v, const struct vault_name *name,
		      struct err_note *note) MUST_USE;

/*
 * An object too large for memory: begun, filled through `fd`, and put into place or dropped. Until
 * then it has another name, that no listing shows. Errors as vault_write.
 */
struct vault_writer {
	const struct vault *v;
	struct vault_name name;
	int fd; /* the caller writes here, and may read; -1 when nothing is begun */
};
enum err vault_begin(struct vault_writer *w, const struct vault *v, const struct vault_name *name,
		     struct err_note *note) MUST_USE;
/* Sync and put into place. In any case the writer is at its end. */
enum err vault_commit(struct vault_writer *w, struct err_note *note) MUST_USE;
/* Drop what was begun; nothing if nothing was. */
void vault_abandon(struct vault_writer *w);

/* Remove what writers left in this folder that died, or were killed. How many it were is added to
 * *removed. Only while no other process writes there. ERR_IO, ERR_CONFIG_FILE. */
enum err vault_sweep(const struct vault *v, const char *type, const struct hash32 *epoch,
		     size_t *removed, struct err_note *note) MUST_USE;

/*
 * Who uses this vault. Every server shares it for its life, so that shards can stand on the same
 * keys; alone may somebody be who removes what others could be writing. The lock is flock(2) on the
 * vault's folder: nothing is written, and it ends with the process, however that ends.
 * ERR_TRANSIENT: others use it; ERR_CONFIG_FILE: there is no such folder, or its file system has no
 * locks. Closing ret_fd gives it back.
 */
enum vault_use {
	VAULT_SHARED,
	VAULT_ALONE,
};
enum err vault_lock(int *ret_fd, const struct vault *v, enum vault_use use,
		    struct err_note *note) MUST_USE;
/* The folder of one type, alone, by itself; it is made. Errors as vault_lock. */
enum err vault_lock_type(int *ret_fd, const struct vault *v, const char *type,
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

/* ---- everything that is there ---- */

/* A file in a vault; also what is none of ours. Texts live during the call. */
struct vault_file {
	const char *path; /* below the vault's own folder: PUB/PublicKey/04…01 */
	const char *type; /* the folder below the prefix; "" if it lies beside these */
	bool has_epoch;   /* it lies one folder deeper */
	bool whole;       /* <id>: an object */
	bool partial;     /* <id>.<process>.partial: what a writer has begun */
	struct hash32 epoch, id;
	uint64_t size;
};
typedef enum err vault_file_fn(void *ctx, const struct vault_file *file, struct err_note *note);

/* All files, whatever is in the place of one, and folders below a type that are no epoch (not what
 * is in them), in no order. Errors of `each` end it; ERR_CONFIG_FILE. No folder at all is none. */
enum err vault_walk(const struct vault *v, vault_file_fn *each, void *ctx,
		    struct err_note *note) MUST_USE;

/* A partial one, by the path that the walk gave; it may be gone. Whole ones have names:
 * vault_remove. ERR_RANGE if it is none, ERR_IO. */
enum err vault_remove_partial(const struct vault *v, const char *path,
			      struct err_note *note) MUST_USE;

/* Is this the name of an object: an id as we write it? Or of a partial one? */
bool vault_is_id(struct hash32 *ret_id, struct bytes file_name);
bool vault_is_partial(struct hash32 *ret_id, struct bytes file_name);

#endif
