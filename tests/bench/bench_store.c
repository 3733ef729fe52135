/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The store on both engines with rows of the connector's size: inserts one per batch and many per
 * batch, and claims as workers make them. Baseline, measured in the same run: fdatasync of one
 * appended page in the same directory, which bounds every commit. The PostgreSQL server is started
 * here, on a Unix socket, with fsync and its other settings as they come.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>

#include "../unit/store/engines.h"
#include "base/limits.h"

enum {
	BODY_SIZE = 1024,
	BATCH_ARENA = 64 << 20,
	PAGE_SIZE = 4096,
	SYNC_ROUNDS = 200,
	INSERTS = 20000,
	ROUND_TRIPS = 300,
	CLAIM_ROUNDS = 200,
};

static const char *const schema[] = {
	"CREATE TABLE operation (id INTEGER PRIMARY KEY, state TEXT NOT NULL, due_ms INTEGER NOT "
	"NULL, "
	"lease_owner TEXT, lease_until INTEGER, digest BLOB NOT NULL, body BLOB NOT NULL, "
	"UNIQUE (digest)) STRICT;"
	"CREATE INDEX operation_due ON operation (state, due_ms)",
};
static const struct store_migrations migrations = {"bench", schema, 1};

struct bench {
	struct test_loop loop;
	struct store *store;
	size_t done_n, submitted_n, rows_n;
	int64_t next_id;
	uint8_t body[BODY_SIZE];
};

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_done(void *ctx, const struct store_result *r)
{
	struct bench *b = ctx;

	CHECK(r->err == ERR_OK);
	b->done_n++;
	if (r->rows_n > 0)
		b->rows_n += r->rows[0].rows_n;
}

static void submit(struct bench *b, struct store_batch *batch)
{
	CHECK(store_submit(b->store, batch, on_done, b) == ERR_OK);
	b->submitted_n++;
}

static void wait_until_outstanding(struct bench *b, size_t n)
{
	while (b->submitted_n - b->done_n > n)
		CHECK(test_loop_step(&b->loop));
}

static void add_insert(struct bench *b, struct store_batch *batch)
{
	uint64_t digest[4] = {0};
	int64_t id = b->next_id++;

	digest[0] = (uint64_t)id * 0x9e3779b97f4a7c15; /* spread as a hash would be */
	CHECK(STORE_ADD(batch, STORE_ONE,
			"INSERT INTO operation (id, state, due_ms, digest, body) VALUES ($1, $2, "
			"$3, $4, $5)",
			store_int(id), store_text("ready"), store_int(id),
			store_blob(BYTES_OF(digest)), store_blob(BYTES_OF(b->body))) == ERR_OK);
}

static double sync_per_s(const char *dir)
{
	char path[TEST_PATH_SIZE + 16];
	static const uint8_t page[PAGE_SIZE];

	(void)snprintf(path, sizeof(path), "%s/sync", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	CHECK(fd != -1);

	double start = now_s();
	for (int i = 0; i < SYNC_ROUNDS; i++)
		CHECK(write(fd, page, sizeof(page)) == PAGE_SIZE && fdatasync(fd) == 0);
	double took = now_s() - start;

	close(fd);
	(void)unlink(path);
	return SYNC_ROUNDS / took;
}

/* Rows per second: `per_batch` rows in a batch, at most `outstanding` batches under way. */
static double inserts_per_s(struct bench *b, size_t rows, size_t per_batch, size_t outstanding)
{
	struct store_batch batch = store_batch_make(BATCH_ARENA);
	double start = now_s();

	for (size_t i = 0; i < rows; i += per_batch) {
		for (size_t k = 0; k < per_batch; k++)
			add_insert(b, &batch);
		wait_until_outstanding(b, outstanding - 1);
		submit(b, &batch);
	}
	wait_until_outstanding(b, 0);
	return (double)rows / (now_s() - start);
}

/* Claimed rows per second, `per_claim` at a time, one claim under way at a time. */
static double claims_per_s(struct bench *b, int64_t per_claim)
{
	struct store_batch batch = store_batch_make(1 << 16);
	size_t before = b->rows_n;
	double start = now_s();

	for (int i = 0; i < CLAIM_ROUNDS; i++) {
		CHECK(STORE_ADD(&batch, STORE_ANY,
				"UPDATE operation SET state = $1, lease_owner = $2, lease_until = "
				"$3 WHERE id IN "
				"(SELECT id FROM operation WHERE state = $4 AND due_ms <= $5 ORDER "
				"BY due_ms "
				"LIMIT $6" STORE_CLAIM ") RETURNING id, digest, body",
				store_text("computing"), store_text("worker-1"), store_int(1),
				store_text("ready"), store_int(INT64_MAX),
				store_int(per_claim)) == ERR_OK);
		submit(b, &batch);
		wait_until_outstanding(b, 0);
	}
	CHECK(b->rows_n - before == (size_t)(CLAIM_ROUNDS * per_claim));
	return (double)(b->rows_n - before) / (now_s() - start);
}

static void line(const char *what, double per_s, double sync)
{
	(void)printf("  %-54s %9.0f /s  %7.2f x baseline\n", what, per_s, per_s / sync);
	(void)fflush(stdout);
}

static void measure(struct bench *b, double sync)
{
	line("inserts, 1 per batch, 1 batch under way", inserts_per_s(b, ROUND_TRIPS, 1, 1), sync);
	line("inserts, 1 per batch, 1000 batches under way", inserts_per_s(b, INSERTS, 1, 1000),
	     sync);
	line("inserts, 100 per batch, 1 batch under way", inserts_per_s(b, INSERTS, 100, 1), sync);
	line("inserts, 2000 per batch, 1 batch under way", inserts_per_s(b, INSERTS, 2000, 1),
	     sync);
	line("rows claimed, 1 per claim, of a table of 60 000", claims_per_s(b, 1), sync);
	line("rows claimed, 10 per claim", claims_per_s(b, 10), sync);
	line("rows claimed, 100 per claim", claims_per_s(b, 100), sync);
}

static bool bench_engine(const struct test_engine *engine)
{
	static const struct test_loop fresh = TEST_LOOP_INIT;
	struct bench b = {.loop = fresh};
	struct test_database db;
	struct err_note note = {0};
	struct statfs fs = {0};
	const char *dir;

	test_database_make(&db, engine);
	dir = engine->server ? engine->server->dir : db.dir;
	(void)statfs(dir, &fs);
	if (test_database_open(&db, &b.store, &b.loop, &migrations, &note) != ERR_OK) {
		(void)fprintf(stderr, "bench_store: %s\n", note.text);
		return false;
	}
	memset(b.body, 0x5a, sizeof(b.body));
	(void)printf("store, %s, rows of %d bytes and 2 more indices; %s, file system type 0x%lx; "
		     "a loop without sockets stands in for the service\n",
		     engine->server ? "PostgreSQL on a Unix socket, fsync on"
				    : "SQLite, WAL, synchronous=FULL",
		     BODY_SIZE + 32, dir, (unsigned long)fs.f_type);

	double sync = sync_per_s(dir);

	line("baseline: append 4 KiB, fdatasync", sync, sync);
	measure(&b, sync);
	store_free(b.store);
	test_loop_drain(&b.loop);
	test_dir_remove(db.dir);
	return true;
}

int main(void)
{
	static struct pg_server server;
	TEST_ENGINES(server);
	bool good = pg_server_start(&server);

	good = bench_engine(&sqlite_engine) && good;
	good = good && bench_engine(&postgres_engine);
	pg_server_remove(&server);
	return good ? 0 : 1;
}
