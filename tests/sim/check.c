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
 *
 * And all the time (core.c, pool.c): the core is asked nothing without permission and proof, and a
 * nonce is signed for one call only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

enum {
	CURSOR_BEHIND_MAX = 20,
	REVERTS_MAX = 4 /* of one answer, then the connector gives up, with a reason */
};

struct row {
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

	CHECK(n == 4 && rows->n < ARRAY_LEN(rows->v));
	*r = (struct row){0};
	CHECK(u256_to_u64(&r->id, u256_from_be(cells[0].b.p)) == ERR_OK);
	text(r->state, sizeof(r->state), cells[1].b);
	text(r->reason, sizeof(r->reason), cells[2].b);
	struct bytes handle = bytes_sub(cells[3].b, 4, 32);
	if (handle.n == 32)
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

static bool all_answered(const struct sim *s)
{
	for (size_t i = 0; i < s->requests_n; i++) {
		const struct request *r = s->requests[i];

		if (r->block != UINT64_MAX && r->allowed && r->answered_by == 0)
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

static struct row *row_of(struct rows *rows, const struct request *r)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].id == r->id && hash32_eq(rows->v[i].handle, r->cts[0]->handle))
			return &rows->v[i];
	return NULL;
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
		sim_fail(s, "request %" PRIu64 " of block %" PRIu64 " is lost: it has no row",
			 r->id, r->block);
	else if (r->allowed)
		check_allowed(s, r, row);
	else if (!is(row, "refused") || row->reason[0] == '\0')
		sim_fail(s, "request %" PRIu64 " is not allowed, and %s: %s", r->id, row->state,
			 row->reason);
}

static bool on_chain(const struct sim *s, const struct row *row)
{
	for (size_t i = 0; i < s->requests_n; i++)
		if (s->requests[i]->id == row->id && s->requests[i]->block != UINT64_MAX &&
		    hash32_eq(s->requests[i]->cts[0]->handle, row->handle))
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

static void check_cursor(struct sim *s)
{
	struct cursor_row c = {.block = -1};

	query(s, "SELECT block, block_hash FROM cursor", take_cursor, &c);
	if (c.block < 0 || (uint64_t)c.block > s->gateway.head ||
	    !hash32_eq(c.hash, s->gateway.v[c.block].hash))
		sim_fail(s, "the cursor is at block %" PRId64 ", which is not of the chain",
			 c.block);
	else if ((uint64_t)c.block + CURSOR_BEHIND_MAX < s->gateway.head)
		sim_fail(s, "the cursor is at block %" PRId64 ", the head is %" PRIu64, c.block,
			 s->gateway.head);
}

/* What the world did may cost a transaction; nothing else may. */
static bool waste_has_a_cause(const struct sim *s)
{
	return s->reorgs > 0 || s->restores > 0 || s->pool.foreign > 0 ||
	       s->faults.on[FAULT_ENDPOINT_LIES];
}

static void check_transactions(struct sim *s)
{
	struct pool *p = &s->pool;
	int64_t open = query_int(s, "SELECT count(*) FROM tx WHERE state IN "
				    "('allocated','signed','broadcast','included')");

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].state == POOL_WAITING)
			sim_fail(s,
				 "nonce %" PRIu64 " (request %" PRIu64
				 ") waits in the pool, %" PRIu64 " are mined",
				 p->v[i].nonce, p->v[i].id, p->count);
	if (open != 0)
		sim_fail(s, "%" PRId64 " transactions are open", open);
	if (p->wasted > 0 && !waste_has_a_cause(s))
		sim_fail(s, "%" PRIu64 " transactions were mined for what was answered already",
			 p->wasted);
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

void check_all(struct sim *s)
{
	struct rows *rows = calloc(1, sizeof(*rows));

	CHECK(rows != NULL);
	check_file(s);
	query(s, "SELECT request_id, state, reason, content FROM operation ORDER BY id", take_row,
	      rows);
	for (size_t i = 0; i < s->requests_n; i++)
		check_request(s, rows, s->requests[i]);
	for (size_t i = 0; i < rows->n; i++)
		check_row(s, &rows->v[i]);
	check_cursor(s);
	check_transactions(s);
	if (query_int(s, "SELECT count(*) FROM quarantine") < (int64_t)s->undecodable)
		sim_fail(s, "of %" PRIu64 " logs that are no events some are not in quarantine",
			 s->undecodable);
	free(rows);
}
