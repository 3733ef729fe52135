/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A disk in memory, under SQLite as its VFS. It knows two contents of each file: what was written,
 * which a process sees and which survives its death, and what was synced, which is all that is
 * certain after a power cut. Of what was written since then a cut keeps some sectors, by the seed:
 * none, all, the first ones, or any.
 *
 * It can end its user at the k-th operation that changes it, in the middle of a write; then every
 * call of that user fails, as if its process were gone, and the rest of the world goes on.
 *
 * Making and unlinking a file is durable at once: the store's own unlinks are those of SQLite at a
 * clean end only.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <sqlite3.h>

#include "base/bytes.h"
#include "base/rng.h"

enum {
	DISK_FILES_MAX = 6,
	DISK_SECTOR = 512,
	DISK_SHM_MAX = 16,
	DISK_NAME_SIZE = 48
};

/* A process that uses the disk. */
struct disk_user {
	uint64_t changes; /* operations that change the disk, so far */
	uint64_t end_at;  /* it ends at this one; 0: at none */
	bool gone;        /* it has ended, or was ended */
	/* Which operations fail; NULL: none. */
	bool (*fails)(void *ctx, int code);
	void *fails_ctx;
};

struct disk_file {
	char name[DISK_NAME_SIZE];
	bool exists;
	struct buf now, safe;
	struct span {
		size_t at, n;
	} * dirty; /* of `now`, since the last sync */
	size_t dirty_n, dirty_cap;
	unsigned opens;

	/* locks of SQLite's five states, and the shared memory of its log */
	unsigned shared_n;
	bool reserved, exclusive;
	void *shm[DISK_SHM_MAX];
	unsigned shm_users;
	unsigned shm_shared[SQLITE_SHM_NLOCK];
	bool shm_exclusive[SQLITE_SHM_NLOCK];
};

struct disk_image {
	struct {
		char name[DISK_NAME_SIZE];
		struct buf content;
	} v[DISK_FILES_MAX];
	size_t n;
};

struct disk {
	sqlite3_vfs vfs;
	struct rng_seeded rng;
	struct disk_file files[DISK_FILES_MAX];
	struct disk_user *user; /* who opens files now */
	unsigned locks_n;       /* processes that hold the database's lock file */
	bool many;              /* so many as like may hold it: a database server's job */
	bool sync_lies;         /* nothing is ever made durable */
	uint64_t changes, syncs, torn;
};

/* SQLite's default VFS from now on. */
void disk_init(struct disk *d, uint64_t seed);
void disk_free(struct disk *d);

/* Nobody may have it open. */
void disk_power_cut(struct disk *d);
void disk_copy(const struct disk *d, struct disk_image *ret_image);
void disk_restore(struct disk *d, const struct disk_image *image);
void disk_image_free(struct disk_image *i);

#endif
