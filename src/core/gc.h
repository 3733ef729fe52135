/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What generations that did not end well left in the vaults: `kms-server gc`.
 *
 * Removed is only what certainly nobody needs:
 *
 *   - what a writer had begun, in the folders that a server writes
 *   - public objects of a generation that the database calls failed (aborted ones are), as long as
 *     no private object of that id is there in any epoch
 *
 * An id with a private object is live: none of its objects is ever removed, whatever the database
 * says. No private object is removed at all, and none of the signing key's. Everything else that is
 * odd, or is not this node's, is shown and kept.
 *
 * Whoever holds a gc is alone in the vault: no server is running on it, or starts.
 */
#ifndef CORE_GC_H
#define CORE_GC_H

#include "core/config.h"
#include "core/publish.h"

enum gc_reason {
	GC_PARTIAL,      /* to be removed: begun, never ended */
	GC_FAILED,       /* to be removed: its generation failed or was aborted */
	GC_PENDING,      /* kept: the next start of the server goes on with it */
	GC_ENDED_FAILED, /* kept: the generation failed, and its private object is there */
	GC_NO_PRIVATE,   /* kept: the generation ended well, and its private object is gone */
	GC_FOREIGN,      /* kept: no request of this node made it */
	GC_REASONS,
};

/* In a few words, for people. */
const char *gc_reason_text(enum gc_reason reason);
static inline bool gc_removes(enum gc_reason reason)
{
	return reason == GC_PARTIAL || reason == GC_FAILED;
}

struct gc_item {
	char *path; /* PUB/PublicKey/04…01 */
	uint64_t size;
	enum gc_reason reason;
	bool private;
	const char *type; /* of GC_FAILED */
	struct hash32 id;
};

struct gc {
	struct vaults vaults;
	int lock_fd;           /* -1 */
	struct gc_item *items; /* by path; public ones first */
	size_t items_n;
	size_t live[2]; /* ids with a private object, by publish_forms */
	bool no_database;
};

/*
 * Takes the vaults and looks at all that is there. `config` must live as long. ERR_TRANSIENT: a
 * server is running on them; ERR_CONFIG_FILE, ERR_CORRUPT, ERR_TOO_BIG, ERR_NOMEM.
 */
enum err gc_scan(struct gc *ret_gc, const struct core_config *config,
		 struct err_note *note) MUST_USE;

/* Removes an item that is to be removed: gc_removes. ERR_RANGE for others, ERR_IO. */
enum err gc_remove(const struct gc *gc, const struct gc_item *item, struct err_note *note) MUST_USE;

void gc_free(struct gc *gc);

#endif
