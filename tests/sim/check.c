/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What must be true when everything has been well for a while:
 *
 *   - a request that is on the chain has its row
 *   - an allowed one is answered on the chain, once; a refused one has a reason
 *   - every row is at an end, and has a reason unless that is an answer; or its request is on no
 *     branch any more
 *   - the cursor is a block of the chain, and near its head
 *   - no nonce is missing, no transaction waits, none was wasted on what was answered already
 *   - what could not be decoded is in quarantine
 *   - the file is sound
 *   - no log has a secret or a plaintext
 *
 * And all the time (core.c, pool.c): the core is asked nothing without permission and proof, and a
 * nonce is signed for one call only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hex.h"

#include "sim.h"

enum {
	CURSOR_BEHIND_MAX = 20,
	FINAL_BLOCKS = 70, /* where only what is final is read */
	REVERTS_MAX = 4    /* of one answer, then the connector gives up, with a reason */
};

struct row {
	enum op_kind kind;
	uint64_t id;
	struct hash32 handle; /* the first one */
	char state[16], reason[96];
	bool seen;
};

struct rows {
	struct row v[4096];
	size_t n;
};

static void text(char *out, size_t size, struct bytes b)
{
	(void)snprintf(out, size, "%.*s", (int)b.n, b.p ? (const char *)b.p : "");
}

/* The content begins with the number of handles, then the handles: see adapters/content.c. What
 * matters here is only which of two requests of one id it is. */
static void take_row(void *ctx, const struct store_value *cells, size_t n)
{
	struct rows *rows = ctx;
	struct row *r = &rows->v[rows->n];

	CHECK(n == 5 && rows->n < ARRAY_LEN(rows->v));
	*r = (struct row){0};
	CHECK(u256_to_u64(&r->id, u256_from_be(cells[0].b.p)) == ERR_OK);
	text(r->state, sizeof(r->state), cells[1].b);
	text(r->reason, sizeof(r->reason), cells[2].b);
	CHECK(op_kind_from_name(&r->kind, cells[4].b) == ERR_OK);
	struct bytes handle = bytes_sub(cells[3].b, 4, 32);
	if (handle.n == 32 && !op_kind_is_slow(r->kind))
		memcpy(r->handle.b, handle.p, 32);
	rows->n++;
}

/* A client of its own, beside the connector. */
static void query(struct sim *s, const char *sql,
		  void (*row)(void *ctx, const struct store_value *cells, size_t n), void *ctx)
{
	struct disk_user reader = {0}, *before = s->disk.user;
	struct err_note note = {0};

	s->disk.user = &reader;
	if (store_sqlite_query(DATABASE, sql, NULL, 0, row, ctx, &note) != ERR_OK)
		sim_fail(s, "the database cannot be read: %s", note.text);
	s->disk.user = before;
}

static void take_int(void *ctx, const struct store_value *cells, size_t n)
{
	if (n > 0 && cells[0].type == STORE_INT)
		*(int64_t *)ctx = cells[0].i;
}

static int64_t query_int(struct sim *s, const char *sql)
{
	int64_t v = -1;

	query(s, sql, take_int, &v);
	return v;
}

/* ---- has it come to rest? ---- */

#define LIVE "state IN ('seen','ready','computing','answered','sending')"

/* What the chain waits for no answer of is known when its block is final. */
static bool is_open(const struct request *r)
{
	if (r->block == UINT64_MAX || !r->allowed)
		return false;
	if (request_wants_answer(r) && !r->given_up)
		return r->answered_by == 0;
	return r->block + CURSOR_BEHIND_MAX + FINAL_BLOCKS > r->chain->head;
}

static bool all_answered(const struct sim *s)
{
	for (size_t i = 0; i < s->requests_n; i++) {
		if (is_open(s->requests[i]))
			return false;
	}
	return true;
}

bool settled(struct sim *s)
{
	return all_answered(s) && query_int(s, "SELECT count(*) FROM operation WHERE " LIVE) == 0;
}

/* ---- one request ---- */

static bool is(const struct row *row, const char *state)
{
	return strcmp(row->state, state) == 0;
}

static bool is_of(const struct row *row, const struct request *r)
{
	return row->id == r->id && row->kind == r->kind &&
	       (r->cts_n == 0 || hash32_eq(row->handle, r->cts[0]->handle));
}

static struct row *row_of(struct rows *rows, const struct request *r)
{
	for (size_t i = 0; i < rows->n; i++)
		if (is_of(&rows->v[i], r))
			return &rows->v[i];
	return NULL;
}

/* What the chain waits for no more ends as it ends; what nobody answers ends in the core. */
static void check_unanswered(struct sim *s, const struct request *r, const struct row *row)
{
	if (r->given_up ? !is(row, "done") && !is(row, "aborted") : !is(row, "done"))
		sim_fail(s, "%s %" PRIu64 " is %s: %s", op_kind_name(r->kind), r->id, row->state,
			 row->reason);
}

static void check_allowed(struct sim *s, const struct request *r, const struct row *row)
{
	bool gave_up = is(row, "failed") && row->reason[0] != '\0';

	if (r->answered_by > 0) {
		if (!is(row, "done"))
			sim_fail(s, "request %" PRIu64 " is answered, and its row is %s: %s", r->id,
				 row->state, row->reason);
		return;
	}
	if (gave_up && (core_asked_other(s, r) || r->reverts >= REVERTS_MAX))
		return;
	sim_fail(s, "request %" PRIu64 " is allowed and not answered: %s, %s", r->id, row->state,
		 row->reason);
}

static void check_request(struct sim *s, struct rows *rows, const struct request *r)
{
	struct row *row = row_of(rows, r);

	if (row)
		row->seen = true;
	if (r->block == UINT64_MAX)
		return;
	if (!row)
		sim_fail(s, "%s %" PRIu64 " of block %" PRIu64 " is lost: it has no row",
			 op_kind_name(r->kind), r->id, r->block);
	else if (r->given_up || !request_wants_answer(r))
		check_unanswered(s, r, row);
	else if (r->allowed)
		check_allowed(s, r, row);
	else if (!is(row, "refused") || row->reason[0] == '\0')
		sim_fail(s, "request %" PRIu64 " is not allowed, and %s: %s", r->id, row->state,
			 row->reason);
}

static bool on_chain(const struct sim *s, const struct row *row)
{
	for (size_t i = 0; i < s->requests_n; i++)
		if (s->requests[i]->block != UINT64_MAX && is_of(row, s->requests[i]))
			return true;
	return false;
}

static void check_row(struct sim *s, const struct row *row)
{
	bool ends = is(row, "done") || is(row, "refused") || is(row, "failed") ||
		    is(row, "aborted") || is(row, "expired");

	if (!row->seen)
		sim_fail(s, "a row of request %" PRIu64 ", which nobody made", row->id);
	else if (!is(row, "done") && row->reason[0] == '\0')
		sim_fail(s, "request %" PRIu64 " is %s without a reason", row->id, row->state);
	else if (!ends && on_chain(s, row))
		sim_fail(s, "request %" PRIu64 " is still %s: %s", row->id, row->state,
			 row->reason);
}

/* ---- the rest ---- */

struct cursor_row {
	int64_t block;
	struct hash32 hash;
};

static void take_cursor(void *ctx, const struct store_value *cells, size_t n)
{
	struct cursor_row *c = ctx;

	CHECK(n == 2 && cells[1].b.n == 32);
	c->block = cells[0].i;
	memcpy(c->hash.b, cells[1].b.p, 32);
}

static void check_cursor(struct sim *s, const struct chain *chain, uint64_t behind_max)
{
	struct cursor_row c = {.block = -1};
	char sql[80];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT block, block_hash FROM cursor WHERE chain = %" PRIu64, chain->id);
	query(s, sql, take_cursor, &c);
	if (c.block < 0 || (uint64_t)c.block > chain->head ||
	    !hash32_eq(c.hash, chain->v[c.block].hash))
		sim_fail(s, "the cursor is at block %" PRId64 ", which is not of the %s chain",
			 c.block, chain->name);
	else if ((uint64_t)c.block + behind_max < chain->head)
		sim_fail(s,
			 "the cursor of the %s chain is at block %" PRId64 ", the head is %" PRIu64,
			 chain->name, c.block, chain->head);
}

/* What the world did may cost a transaction; nothing else may. */
static bool waste_has_a_cause(const struct sim *s, const struct pool *p)
{
	return s->reorgs > 0 || s->restores > 0 || p->foreign > 0 ||
	       s->faults.on[FAULT_ENDPOINT_LIES];
}

static void check_pool(struct sim *s, const struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].state == POOL_WAITING)
			sim_fail(s,
				 "nonce %" PRIu64 " (request %" PRIu64
				 ") waits in the pool, %" PRIu64 " are mined",
				 p->v[i].nonce, p->v[i].id, p->count);
	if (p->wasted > 0 && !waste_has_a_cause(s, p))
		sim_fail(s, "%" PRIu64 " transactions were mined for what was answered already",
			 p->wasted);
}

static void check_transactions(struct sim *s)
{
	int64_t open = query_int(s, "SELECT count(*) FROM tx WHERE state IN "
				    "('allocated','signed','broadcast','included')");

	check_pool(s, &s->gateway.pool);
	check_pool(s, &s->host.pool);
	if (open != 0)
		sim_fail(s, "%" PRId64 " transactions are open", open);
}

static void take_text(void *ctx, const struct store_value *cells, size_t n)
{
	char *out = ctx;

	if (n > 0 && out[0] == '\0')
		text(out, 64, cells[0].b);
}

static void check_file(struct sim *s)
{
	char says[64] = "";

	query(s, "PRAGMA integrity_check", take_text, says);
	if (strcmp(says, "ok") != 0)
		sim_fail(s, "the database is damaged: %s", says);
}

static void check_word(struct sim *s, struct bytes log, const char *word, const char *what)
{
	if (memmem(log.p, log.n, word, strlen(word)))
		sim_fail(s, "%s is in the log", what);
}

/* The connector signs in its own process, or is given what is secret: it says nothing of it. */
static void check_log(struct sim *s)
{
	off_t n = s->log_fd >= 0 ? lseek(s->log_fd, 0, SEEK_END) : 0;
	char plain[24], turned[24], decimal[24], key[65];
	void *at;

	if (n <= 0)
		return;
	at = mmap(NULL, (size_t)n, PROT_READ, MAP_PRIVATE, s->log_fd, 0);
	CHECK(at != MAP_FAILED);
	struct bytes log = bytes_from(at, (size_t)n);
	(void)snprintf(plain, sizeof(plain), "%016" PRIx64, PLAINTEXT);
	(void)snprintf(turned, sizeof(turned), "%016" PRIx64, __builtin_bswap64(PLAINTEXT));
	(void)snprintf(decimal, sizeof(decimal), "%" PRIu64, PLAINTEXT);
	hex_encode(key, BYTES_OF(s->account_key.b));
	check_word(s, log, plain, "a plaintext");
	check_word(s, log, turned, "a plaintext");
	check_word(s, log, decimal, "a plaintext");
	check_word(s, log, key, "the account's key");
	check_word(s, log, AWS_SECRET, "the secret of AWS");
	(void)munmap(at, (size_t)n);
}

void check_all(struct sim *s)
{
	struct rows *rows = calloc(1, sizeof(*rows));

	CHECK(rows != NULL);
	check_file(s);
	check_log(s);
	query(s, "SELECT request_id, state, reason, content, kind FROM operation ORDER BY id",
	      take_row, rows);
	for (size_t i = 0; i < s->requests_n; i++)
		check_request(s, rows, s->requests[i]);
	for (size_t i = 0; i < rows->n; i++)
		check_row(s, &rows->v[i]);
	check_cursor(s, &s->gateway, CURSOR_BEHIND_MAX);
	if (s->faults.on[FAULT_KEYS])
		check_cursor(s, &s->host, CURSOR_BEHIND_MAX + FINAL_BLOCKS);
	check_transactions(s);
	if (query_int(s, "SELECT count(*) FROM quarantine") < (int64_t)s->undecodable)
		sim_fail(s, "of %" PRIu64 " logs that are no events some are not in quarantine",
			 s->undecodable);
	free(rows);
}
