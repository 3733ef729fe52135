/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/collector.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "connector/audit.h"
#include "connector/handle_index.h"

enum {
	AUDIT_AT_ONCE = 2000,
	TX_AT_ONCE = 2000,
	AGAIN_MS = 100, /* others want the database too */
	BATCH_BYTES_MAX = 1 << 20,
	PER_OPERATION = 4, /* statements */
};
_Static_assert(COLLECTOR_AT_ONCE *PER_OPERATION + 8 <= STORE_BATCH_STATEMENTS_MAX, "one batch");

#define ENDED    "state IN ('done','refused','failed','aborted','expired')"
#define TX_ENDED "state IN ('mined','reverted','lost')"
#define NO_OPEN_TX                                                                                 \
	" NOT EXISTS (SELECT 1 FROM tx WHERE tx.operation = operation.id AND tx.state NOT IN"      \
	" ('mined','reverted','lost'))"

struct collector {
	struct connector_env env;
	struct scope calls;
	struct timer timer;
	bool more;         /* the last look found as many as it asked for */
	size_t operations; /* in the batch that runs: its first statements */
};

/* ---- the look ---- */

enum {
	LOOK_COUNT,
	LOOK_OLD,
	LOOK_OLDEST,
	LOOK_AUDIT_FIRST,
	LOOK_AUDIT,
	LOOK_N
};

static const char count_sql[] = "SELECT count(*) FROM operation WHERE " ENDED;
static const char old_sql[] = "SELECT id FROM operation WHERE " ENDED
			      " AND updated_ms < $1 AND" NO_OPEN_TX " ORDER BY updated_ms LIMIT $2";
static const char audit_first_sql[] = "SELECT first_seq FROM audit_head WHERE id = 1";
static const char audit_sql[] = "SELECT seq, hash, at_ms FROM audit WHERE seq IS NOT NULL AND"
				" seq > (SELECT first_seq FROM audit_head WHERE id = 1)"
				" ORDER BY seq LIMIT $1";

static int64_t now_ms(const struct collector *c)
{
	return clock_wall_ms(c->env.clock);
}

/* What is older goes; INT64_MIN: nothing does. */
static int64_t before(const struct collector *c, int64_t age_ms)
{
	return age_ms > 0 ? now_ms(c) - age_ms : INT64_MIN;
}

static enum err add_look(const struct collector *c, struct store_batch *b)
{
	TRY(STORE_ADD(b, STORE_ANY, count_sql));
	TRY(STORE_ADD(b, STORE_ANY, old_sql, store_int(before(c, c->env.config->gc_age_ms)),
		      store_int(COLLECTOR_AT_ONCE)));
	TRY(STORE_ADD(b, STORE_ANY, old_sql, store_int(INT64_MAX), store_int(COLLECTOR_AT_ONCE)));
	TRY(STORE_ADD(b, STORE_ANY, audit_first_sql));
	return STORE_ADD(b, STORE_ANY, audit_sql, store_int(AUDIT_AT_ONCE));
}

/* ---- the deed ---- */

/* What was taken back with its block may come again with another. */
static const char gone_sql[] =
	"INSERT INTO operation_gone (chain, contract, kind, request_id, content_digest)"
	" SELECT chain, contract, kind, request_id, content_digest FROM operation"
	" WHERE id = $1 AND " ENDED " AND error <> '" OP_ERROR_ORPHANED "' AND" NO_OPEN_TX
	" ON CONFLICT (request_id, content_digest, chain, contract, kind) DO NOTHING";
static const char detach_sql[] =
	"UPDATE tx SET operation = NULL WHERE operation = $1 AND EXISTS (SELECT 1 FROM operation"
	" WHERE id = $1 AND " ENDED " AND" NO_OPEN_TX ")";
static const char forget_sql[] =
	HANDLE_INDEX_FORGET " AND EXISTS (SELECT 1 FROM operation"
			    " WHERE id = $1 AND " ENDED " AND" NO_OPEN_TX ")";
static const char delete_sql[] = "DELETE FROM operation WHERE id = $1 AND " ENDED " AND" NO_OPEN_TX;

static const char tx_sql[] =
	"DELETE FROM tx WHERE id IN (SELECT t.id FROM tx t WHERE t." TX_ENDED
	" AND t.operation IS NULL AND t.updated_ms < $1 AND t.nonce + $2 <= (SELECT max(u.nonce)"
	" FROM tx u WHERE u.chain = t.chain AND u.account = t.account)"
	" ORDER BY t.updated_ms LIMIT $3)";
static const char version_sql[] =
	"DELETE FROM tx_version WHERE created_ms < $1 AND NOT EXISTS (SELECT 1 FROM tx WHERE"
	" tx.chain = tx_version.chain AND tx.account = tx_version.account"
	" AND tx.nonce = tx_version.nonce)";

static const char audit_head_sql[] = "UPDATE audit_head SET first_seq = $1, first_hash = $2"
				     " WHERE id = 1 AND first_seq = $3";
static const char audit_delete_sql[] = "DELETE FROM audit WHERE seq IS NOT NULL AND seq <= $1";

static enum err add_operations(struct store_batch *b, const struct store_rows *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct store_value id = store_int(store_cell(ids, i, 0)->i);

		TRY(STORE_ADD(b, STORE_ANY, gone_sql, id));
		TRY(STORE_ADD(b, STORE_ANY, detach_sql, id));
		TRY(STORE_ADD(b, STORE_ANY, forget_sql, id));
		TRY(STORE_ADD(b, STORE_ANY, delete_sql, id));
	}
	return ERR_OK;
}

static enum err add_transactions(const struct collector *c, struct store_batch *b)
{
	const struct store_value old = store_int(before(c, c->env.config->gc_age_ms));

	TRY(STORE_ADD(b, STORE_ANY, tx_sql, old, store_int(COLLECTOR_NONCES_KEPT),
		      store_int(TX_AT_ONCE)));
	return STORE_ADD(b, STORE_ANY, version_sql, old);
}

/* Those are the oldest; the first that is young ends the row. */
static size_t audit_old(const struct collector *c, const struct store_rows *r)
{
	int64_t limit = before(c, c->env.config->audit_age_ms);
	size_t n = 0;

	while (n < r->rows_n && store_cell(r, n, 2)->i < limit)
		n++;
	return n;
}

static enum err add_audit(struct store_batch *b, const struct store_rows *first,
			  const struct store_rows *r, size_t n)
{
	if (n == 0 || first->rows_n != 1)
		return ERR_OK;
	const struct store_value last = *store_cell(r, n - 1, 0);
	TRY(STORE_ADD(b, STORE_ONE, audit_head_sql, last, *store_cell(r, n - 1, 1),
		      *store_cell(first, 0, 0)));
	return STORE_ADD(b, STORE_ANY, audit_delete_sql, last);
}

/* How many of the oldest go for the number of all. */
static size_t surplus(const struct collector *c, const struct store_result *r)
{
	int64_t all = store_cell(&r->rows[LOOK_COUNT], 0, 0)->i;
	int64_t most = (int64_t)c->env.config->gc_rows_max;
	size_t n = r->rows[LOOK_OLDEST].rows_n;

	if (all <= most)
		return 0;
	return (uint64_t)(all - most) < n ? (size_t)(all - most) : n;
}

static enum err add_deeds(struct collector *c, struct store_batch *b, const struct store_result *r)
{
	size_t old = r->rows[LOOK_OLD].rows_n, over = surplus(c, r);
	size_t audit = audit_old(c, &r->rows[LOOK_AUDIT]), n = old > over ? old : over;
	char detail[48];

	/* Both lists begin with the oldest: the longer holds the other. */
	TRY(add_operations(b, &r->rows[old > over ? LOOK_OLD : LOOK_OLDEST], n));
	TRY(add_transactions(c, b));
	TRY(add_audit(b, &r->rows[LOOK_AUDIT_FIRST], &r->rows[LOOK_AUDIT], audit));
	c->operations = n;
	c->more = n == COLLECTOR_AT_ONCE || audit == AUDIT_AT_ONCE;
	if (n == 0 && audit == 0)
		return ERR_OK;
	(void)snprintf(detail, sizeof(detail), "%zu operations, %zu records", n, audit);
	return audit_add_event(b, "collected", detail, BYTES_NONE, now_ms(c));
}

/* ---- life ---- */

static void look(void *ctx);

static void look_in(struct collector *c, int64_t ms)
{
	clock_timer_set(c->env.clock, &c->timer, ms, look, c);
}

static bool submit(struct collector *c, struct store_batch *b, enum err e, store_done_fn *done)
{
	struct ticket *t = e == ERR_OK ? scope_open(&c->calls, c->env.inflight, c, 0) : NULL;

	if (e == ERR_OK)
		e = t ? store_submit(c->env.store, b, done, t) : ERR_NOMEM;
	if (e != ERR_OK && t)
		(void)ticket_close(t, NULL);
	store_batch_free(b);
	return e == ERR_OK;
}

static void failed(struct collector *c, enum err e, const char *detail)
{
	LOG_WARN(c->env.log, "Housekeeping failed, trying again", log_e(e),
		 log_s("detail", detail));
	look_in(c, c->env.config->operation_recovery_run_interval_ms);
}

static void on_done(void *ctx, const struct store_result *r)
{
	struct collector *c = ticket_close(ctx, NULL);

	if (!c)
		return;
	if (r->err != ERR_OK && r->err != ERR_STATE_MOVED) {
		failed(c, r->err, r->note.text);
		return;
	}
	for (size_t i = 0; r->err == ERR_OK && i < c->operations; i++)
		metrics_add(c->env.metrics, METRIC_COLLECTED, 0,
			    r->rows[i * PER_OPERATION + PER_OPERATION - 1].changed);
	look_in(c, c->more && r->err == ERR_OK ? AGAIN_MS
					       : c->env.config->operation_recovery_run_interval_ms);
}

static void on_found(void *ctx, const struct store_result *r)
{
	struct collector *c = ticket_close(ctx, NULL);
	struct store_batch b = store_batch_make(BATCH_BYTES_MAX);

	if (!c)
		return;
	if (r->err != ERR_OK) {
		failed(c, r->err, r->note.text);
		return;
	}
	CHECK(r->rows_n == LOOK_N);
	if (!submit(c, &b, add_deeds(c, &b, r), on_done))
		failed(c, ERR_BUSY, "not submitted");
}

static void look(void *ctx)
{
	struct collector *c = ctx;
	struct store_batch b = store_batch_make(BATCH_BYTES_MAX);

	if (!submit(c, &b, add_look(c, &b), on_found))
		failed(c, ERR_BUSY, "not submitted");
}

enum err collector_start(struct collector **ret_collector, const struct connector_env *env)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	c->env = *env;
	look_in(c, env->config->operation_recovery_run_interval_ms);
	*ret_collector = c;
	return ERR_OK;
}

void collector_stop(struct collector *c)
{
	if (!c)
		return;
	clock_timer_cancel(c->env.clock, &c->timer);
	scope_cancel(&c->calls);
	free(c);
}
