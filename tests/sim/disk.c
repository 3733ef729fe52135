/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "disk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

enum {
	FILE_SIZE_MAX = 1 << 30
};

struct handle {
	sqlite3_file base;
	struct disk *d;
	struct disk_file *f;
	struct disk_user *u;
	int lock;
	unsigned shm_shared, shm_exclusive; /* one bit per slot */
	bool shm;
};

static struct handle *handle_of(sqlite3_file *f)
{
	return (struct handle *)(void *)f;
}

/* ---- files ---- */

static struct disk_file *file_find(struct disk *d, const char *name)
{
	for (size_t i = 0; i < DISK_FILES_MAX; i++)
		if (d->files[i].exists && strcmp(d->files[i].name, name) == 0)
			return &d->files[i];
	return NULL;
}

static struct disk_file *file_make(struct disk *d, const char *name)
{
	for (size_t i = 0; i < DISK_FILES_MAX; i++) {
		struct disk_file *f = &d->files[i];

		if (f->exists || f->opens > 0)
			continue;
		*f = (struct disk_file){.exists = true};
		f->now = f->safe = buf_make(FILE_SIZE_MAX);
		CHECK((size_t)snprintf(f->name, sizeof(f->name), "%s", name) < sizeof(f->name));
		return f;
	}
	CHECK(false);
}

static void file_clear(struct disk_file *f)
{
	buf_free(&f->now);
	buf_free(&f->safe);
	free(f->dirty);
	f->dirty = NULL;
	f->dirty_n = f->dirty_cap = 0;
	f->exists = false;
}

static void dirty_add(struct disk_file *f, size_t at, size_t n)
{
	if (f->dirty_n == f->dirty_cap) {
		f->dirty_cap = f->dirty_cap ? 2 * f->dirty_cap : 32;
		f->dirty = realloc(f->dirty, f->dirty_cap * sizeof(*f->dirty));
		CHECK(f->dirty != NULL);
	}
	f->dirty[f->dirty_n++] = (struct span){at, n};
}

static void content_put(struct buf *b, size_t at, const void *p, size_t n)
{
	if (b->n < at + n)
		CHECK(buf_add_zero(b, at + n - b->n) == ERR_OK);
	if (n > 0)
		memcpy(&b->p[at], p, n);
}

static void file_write(struct disk_file *f, size_t at, const void *p, size_t n)
{
	content_put(&f->now, at, p, n);
	dirty_add(f, at, n);
}

/* What of a span lies in the file as it is now: it may have been cut since. */
static size_t span_left(const struct disk_file *f, const struct span *s)
{
	if (s->at >= f->now.n)
		return 0;
	return s->n < f->now.n - s->at ? s->n : f->now.n - s->at;
}

static void file_sync(struct disk_file *f)
{
	for (size_t i = 0; i < f->dirty_n; i++) {
		const struct span *s = &f->dirty[i];
		size_t n = span_left(f, s);

		if (n > 0)
			content_put(&f->safe, s->at, &f->now.p[s->at], n);
	}
	if (f->safe.n > f->now.n)
		f->safe.n = f->now.n;
	f->dirty_n = 0;
}

/* ---- operations that change something ---- */

enum change {
	GOES,
	FAILS, /* with the code */
	ENDS,  /* the user's last one */
	IS_GONE
};

static enum change change_begin(struct handle *h, int code)
{
	if (h->u->gone)
		return IS_GONE;
	h->d->changes++;
	h->u->changes++;
	if (h->u->end_at > 0 && h->u->changes >= h->u->end_at) {
		h->u->gone = true;
		return ENDS;
	}
	return h->u->fails && h->u->fails(h->u->fails_ctx, code) ? FAILS : GOES;
}

static int vfs_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	struct handle *h = handle_of(file);
	size_t part = (size_t)n;

	switch (change_begin(h, SQLITE_FULL)) {
	case GOES:
		file_write(h->f, (size_t)at, p, (size_t)n);
		return SQLITE_OK;
	case FAILS:
		return SQLITE_FULL;
	case ENDS: /* so much of it has reached the file */
		part = (size_t)rng_below(&h->d->rng.base, (uint64_t)n + 1);
		file_write(h->f, (size_t)at, p, part);
		h->d->torn += part > 0 && part < (size_t)n;
		return SQLITE_IOERR_WRITE;
	default:
		return SQLITE_IOERR_WRITE;
	}
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 n)
{
	struct handle *h = handle_of(file);
	enum change c = change_begin(h, SQLITE_IOERR_TRUNCATE);

	if (c == GOES && (size_t)n < h->f->now.n)
		h->f->now.n = (size_t)n;
	return c == GOES ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int vfs_sync(sqlite3_file *file, int flags)
{
	struct handle *h = handle_of(file);
	enum change c = change_begin(h, SQLITE_IOERR_FSYNC);

	(void)flags;
	if (c == GOES && !h->d->sync_lies)
		file_sync(h->f);
	h->d->syncs += c == GOES;
	return c == GOES ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int vfs_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
	struct handle *h = handle_of(file);
	const struct buf *b = &h->f->now;
	size_t have = (size_t)at >= b->n ? 0 : b->n - (size_t)at;

	if (h->u->gone)
		return SQLITE_IOERR_READ;
	if (have > (size_t)n)
		have = (size_t)n;
	if (have > 0)
		memcpy(p, &b->p[at], have);
	memset((uint8_t *)p + have, 0, (size_t)n - have);
	return have == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int vfs_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)handle_of(file)->f->now.n;
	return SQLITE_OK;
}

/* ---- locks ---- */

static int vfs_unlock(sqlite3_file *file, int level)
{
	struct handle *h = handle_of(file);

	if (h->lock > SQLITE_LOCK_SHARED) {
		h->f->reserved = false;
		h->f->exclusive = false;
	}
	if (h->lock >= SQLITE_LOCK_SHARED && level == SQLITE_LOCK_NONE)
		h->f->shared_n--;
	if (h->lock > level)
		h->lock = level;
	return SQLITE_OK;
}

static int vfs_lock(sqlite3_file *file, int level)
{
	struct handle *h = handle_of(file);
	struct disk_file *f = h->f;

	if (level <= h->lock)
		return SQLITE_OK;
	if (h->u->gone)
		return SQLITE_IOERR_LOCK;
	if (level == SQLITE_LOCK_SHARED) {
		if (f->exclusive)
			return SQLITE_BUSY;
		f->shared_n++;
	} else if (level == SQLITE_LOCK_RESERVED) {
		if (f->reserved)
			return SQLITE_BUSY;
		f->reserved = true;
	} else {
		if ((f->reserved && h->lock < SQLITE_LOCK_RESERVED) || f->shared_n > 1)
			return SQLITE_BUSY;
		f->reserved = f->exclusive = true;
	}
	h->lock = level;
	return SQLITE_OK;
}

static int vfs_check_reserved(sqlite3_file *file, int *ret)
{
	*ret = handle_of(file)->f->reserved;
	return SQLITE_OK;
}

static int vfs_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret)
{
	struct handle *h = handle_of(file);

	if (h->u->gone || region >= DISK_SHM_MAX)
		return SQLITE_IOERR_SHMMAP;
	if (!h->shm)
		h->f->shm_users++;
	h->shm = true;
	if (!h->f->shm[region] && extend)
		h->f->shm[region] = calloc(1, (size_t)size);
	*ret = h->f->shm[region];
	return SQLITE_OK;
}

static int shm_take(struct handle *h, unsigned i, bool exclusive)
{
	struct disk_file *f = h->f;
	bool mine = (h->shm_shared >> i & 1) != 0;

	if (f->shm_exclusive[i] || (exclusive && f->shm_shared[i] > (mine ? 1U : 0U)))
		return SQLITE_BUSY;
	if (exclusive) {
		f->shm_exclusive[i] = true;
		h->shm_exclusive |= 1U << i;
	} else if (!mine) {
		f->shm_shared[i]++;
		h->shm_shared |= 1U << i;
	}
	return SQLITE_OK;
}

static void shm_give(struct handle *h, unsigned i)
{
	if (h->shm_exclusive >> i & 1)
		h->f->shm_exclusive[i] = false;
	if (h->shm_shared >> i & 1)
		h->f->shm_shared[i]--;
	h->shm_exclusive &= ~(1U << i);
	h->shm_shared &= ~(1U << i);
}

static int vfs_shm_lock(sqlite3_file *file, int from, int n, int flags)
{
	struct handle *h = handle_of(file);

	for (int i = from; i < from + n; i++) {
		int rc = SQLITE_OK;

		if (flags & SQLITE_SHM_UNLOCK)
			shm_give(h, (unsigned)i);
		else if (h->u->gone)
			rc = SQLITE_IOERR_SHMLOCK;
		else
			rc = shm_take(h, (unsigned)i, (flags & SQLITE_SHM_EXCLUSIVE) != 0);
		if (rc != SQLITE_OK) {
			while (--i >= from)
				shm_give(h, (unsigned)i);
			return rc;
		}
	}
	return SQLITE_OK;
}

static void vfs_shm_barrier(sqlite3_file *file)
{
	(void)file;
}

static int vfs_shm_unmap(sqlite3_file *file, int erase)
{
	struct handle *h = handle_of(file);

	(void)erase; /* the last one takes it along */
	for (unsigned i = 0; i < SQLITE_SHM_NLOCK; i++)
		shm_give(h, i);
	if (!h->shm)
		return SQLITE_OK;
	h->shm = false;
	if (--h->f->shm_users > 0)
		return SQLITE_OK;
	for (size_t i = 0; i < DISK_SHM_MAX; i++) {
		free(h->f->shm[i]);
		h->f->shm[i] = NULL;
	}
	return SQLITE_OK;
}

/* ---- the rest of a file ---- */

static int vfs_close(sqlite3_file *file)
{
	struct handle *h = handle_of(file);

	(void)vfs_shm_unmap(file, 0);
	(void)vfs_unlock(file, SQLITE_LOCK_NONE);
	h->f->opens--;
	return SQLITE_OK;
}

static int vfs_control(sqlite3_file *file, int op, void *arg)
{
	(void)file;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int vfs_sector(sqlite3_file *file)
{
	(void)file;
	return DISK_SECTOR;
}

static int vfs_traits(sqlite3_file *file)
{
	(void)file;
	return 0; /* it promises nothing */
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = vfs_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = vfs_truncate,
	.xSync = vfs_sync,
	.xFileSize = vfs_size,
	.xLock = vfs_lock,
	.xUnlock = vfs_unlock,
	.xCheckReservedLock = vfs_check_reserved,
	.xFileControl = vfs_control,
	.xSectorSize = vfs_sector,
	.xDeviceCharacteristics = vfs_traits,
	.xShmMap = vfs_shm_map,
	.xShmLock = vfs_shm_lock,
	.xShmBarrier = vfs_shm_barrier,
	.xShmUnmap = vfs_shm_unmap,
};

/* ---- the VFS ---- */

static struct disk *disk_of(sqlite3_vfs *v)
{
	return v->pAppData;
}

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct disk *d = disk_of(v);
	struct handle *h = handle_of(file);
	struct disk_file *f = file_find(d, name);

	h->base.pMethods = NULL;
	CHECK(d->user != NULL);
	if (d->user->gone || (!f && !(flags & SQLITE_OPEN_CREATE)))
		return SQLITE_CANTOPEN;
	if (!f)
		f = file_make(d, name);
	*h = (struct handle){.base = {&methods}, .d = d, .f = f, .u = d->user};
	f->opens++;
	if (ret_flags)
		*ret_flags = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync)
{
	struct disk *d = disk_of(v);
	struct disk_file *f = file_find(d, name);
	struct handle h = {.d = d, .u = d->user};

	(void)sync;
	if (!f)
		return SQLITE_IOERR_DELETE_NOENT;
	if (change_begin(&h, SQLITE_IOERR_DELETE) != GOES)
		return SQLITE_IOERR_DELETE;
	CHECK(f->opens == 0);
	file_clear(f);
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *v, const char *name, int flags, int *ret)
{
	(void)flags;
	*ret = file_find(disk_of(v), name) != NULL;
	return SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *v, const char *name, int size, char *out)
{
	(void)v;
	return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_random(sqlite3_vfs *v, int n, char *out)
{
	rng_fill(&disk_of(v)->rng.base, (uint8_t *)out, (size_t)n);
	return n;
}

static int vfs_sleep(sqlite3_vfs *v, int us)
{
	(void)v;
	return us;
}

static int vfs_time(sqlite3_vfs *v, sqlite3_int64 *ret)
{
	(void)v;
	*ret = INT64_C(212570000000000);
	return SQLITE_OK;
}

static int vfs_error(sqlite3_vfs *v, int n, char *out)
{
	(void)v;
	(void)n;
	(void)out;
	return 0;
}

void disk_init(struct disk *d, uint64_t seed)
{
	*d = (struct disk){0};
	(void)rng_seeded_init(&d->rng, seed);
	d->vfs = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = sizeof(struct handle),
		.mxPathname = DISK_NAME_SIZE,
		.zName = "simulated",
		.pAppData = d,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_path,
		.xRandomness = vfs_random,
		.xSleep = vfs_sleep,
		.xCurrentTimeInt64 = vfs_time,
		.xGetLastError = vfs_error,
	};
	CHECK(sqlite3_vfs_register(&d->vfs, 1) == SQLITE_OK);
	sqlite3_randomness(0, NULL); /* SQLite's own generator begins anew, with our bytes */
}

void disk_free(struct disk *d)
{
	(void)sqlite3_vfs_unregister(&d->vfs);
	for (size_t i = 0; i < DISK_FILES_MAX; i++) {
		CHECK(d->files[i].opens == 0);
		file_clear(&d->files[i]);
	}
}

/* ---- what happens to disks ---- */

enum {
	KEEP_NONE,
	KEEP_ALL,
	KEEP_FIRST,
	KEEP_ANY,
	KEEPS
};

static void file_cut(struct disk *d, struct disk_file *f)
{
	uint64_t how = rng_below(&d->rng.base, KEEPS);
	uint64_t first = rng_below(&d->rng.base, f->dirty_n + 1);

	for (size_t i = 0; i < f->dirty_n; i++) {
		const struct span *s = &f->dirty[i];
		size_t n = span_left(f, s);

		for (size_t at = s->at; at < s->at + n; at += DISK_SECTOR) {
			size_t part = s->at + n - at < DISK_SECTOR ? s->at + n - at : DISK_SECTOR;
			bool keep = how == KEEP_ALL || (how == KEEP_FIRST && i < first) ||
				    (how == KEEP_ANY && rng_below(&d->rng.base, 2) == 0);

			if (keep)
				content_put(&f->safe, at, &f->now.p[at], part);
		}
	}
	f->dirty_n = 0;
	buf_clear(&f->now);
	CHECK(buf_add(&f->now, buf_view(&f->safe)) == ERR_OK);
}

void disk_power_cut(struct disk *d)
{
	for (size_t i = 0; i < DISK_FILES_MAX; i++)
		if (d->files[i].exists) {
			CHECK(d->files[i].opens == 0);
			file_cut(d, &d->files[i]);
		}
}

void disk_image_free(struct disk_image *image)
{
	for (size_t i = 0; i < image->n; i++)
		buf_free(&image->v[i].content);
	image->n = 0;
}

void disk_copy(const struct disk *d, struct disk_image *image)
{
	disk_image_free(image);
	for (size_t i = 0; i < DISK_FILES_MAX; i++) {
		const struct disk_file *f = &d->files[i];

		if (!f->exists)
			continue;
		memcpy(image->v[image->n].name, f->name, sizeof(f->name));
		image->v[image->n].content = buf_make(FILE_SIZE_MAX);
		CHECK(buf_add(&image->v[image->n].content, buf_view(&f->now)) == ERR_OK);
		image->n++;
	}
}

void disk_restore(struct disk *d, const struct disk_image *image)
{
	for (size_t i = 0; i < DISK_FILES_MAX; i++) {
		CHECK(d->files[i].opens == 0);
		file_clear(&d->files[i]);
	}
	for (size_t i = 0; i < image->n; i++) {
		struct disk_file *f = file_make(d, image->v[i].name);

		file_write(f, 0, image->v[i].content.p, image->v[i].content.n);
		file_sync(f);
	}
}
