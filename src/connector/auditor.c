/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Seals records: looks every second for those without a number, and goes on while there are more.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "connector/audit.h"

enum {
	SEAL_EVERY_MS = 1000,
	SEAL_AT_ONCE = 500,
	SAY_EVERY_MS = 60 * 60 * 1000,
	BATCH_BYTES_MAX = 4 << 20,
};
_Static_assert(SEAL_AT_ONCE + 1 <= STORE_BATCH_STATEMENTS_MAX, "the records and the head");

struct auditor {
	struct connector_env env;
	struct scope calls;
	struct timer timer;
	int64_t say_at_ms; /* monotonic */
	int64_t said_seq;
	struct audit_place head; /* that this process saw last */
	bool full;               /* the last look found as many as it asked for */
};

static const char head_sql[] = "SELECT seq, hash FROM audit_head WHERE id = 1";
static const char open_sql[] = "SELECT id, " AUDIT_COLUMNS " FROM audit WHERE seq IS NULL"
			       " ORDER BY id LIMIT $1";
static const char seal_sql[] = "UPDATE audit SET seq = $2, hash = $3 WHERE id = $1 AND seq IS NULL";
static const char move_sql[] = "UPDATE audit_head SET seq = $1, hash = $2"
			       " WHERE id = 1 AND seq = $3 AND hash = $4";

static void look(void *ctx);

static void look_in(struct auditor *a, int64_t ms)
{
	clock_timer_set(a->env.clock, &a->timer, ms, look, a);
}

/* Takes the batch. */
static bool submit(struct auditor *a, struct store_batch *b, enum err e, store_done_fn *done)
{
	struct ticket *t = e == ERR_OK ? scope_open(&a->calls, a->env.inflight, a, 0) : NULL;

	if (e == ERR_OK)
		e = t ? store_submit(a->env.store, b, done, t) : ERR_NOMEM;
	if (e != ERR_OK && t)
		(void)ticket_close(t, NULL);
	store_batch_free(b);
	return e == ERR_OK;
}

static void say(struct auditor *a)
{
	int64_t now_ms = clock_mono_ms(a->env.clock);

	metrics_set(a->env.metrics, METRIC_AUDIT_HEAD, 0, a->head.seq);
	if (a->head.seq == a->said_seq || now_ms < a->say_at_ms)
		return;
	LOG_INFO(a->env.log, "The audit log's head", log_i("seq", a->head.seq),
		 log_hex("hash", BYTES_OF(a->head.hash.b)));
	a->said_seq = a->head.seq;
	a->say_at_ms = now_ms + SAY_EVERY_MS;
}

static void on_sealed(void *ctx, const struct store_result *r)
{
	struct auditor *a = ticket_close(ctx, NULL);

	if (!a)
		return;
	/* Another process was faster: its records are the ones that are looked for next. */
	if (r->err != ERR_OK && r->err != ERR_STATE_MOVED)
		LOG_WARN(a->env.log, "The audit log could not be sealed, trying again",
			 log_e(r->err), log_s("detail", r->note.text));
	look_in(a, r->err == ERR_OK && a->full ? 0 : SEAL_EVERY_MS);
}

static enum err add_seals(struct auditor *a, struct store_batch *b, const struct store_rows *open)
{
	const struct audit_place old = a->head;

	for (size_t i = 0; i < open->rows_n; i++) {
		const struct store_value *cells = store_cell(open, i, 0);
		struct audit_record r;

		TRY(audit_record_read(&r, &cells[1]));
		TRY(audit_record_hash(&a->head.hash, a->head.hash, a->head.seq + 1, &r));
		a->head.seq++;
		TRY(STORE_ADD(b, STORE_ONE, seal_sql, store_int(cells[0].i), store_int(a->head.seq),
			      store_blob(BYTES_OF(a->head.hash.b))));
	}
	return STORE_ADD(b, STORE_ONE, move_sql, store_int(a->head.seq),
			 store_blob(BYTES_OF(a->head.hash.b)), store_int(old.seq),
			 store_blob(BYTES_OF(old.hash.b)));
}

static void on_found(void *ctx, const struct store_result *r)
{
	struct auditor *a = ticket_close(ctx, NULL);
	struct store_batch b = store_batch_make(BATCH_BYTES_MAX);

	if (!a)
		return;
	if (r->err != ERR_OK || r->rows[0].rows_n != 1 ||
	    store_cell(&r->rows[0], 0, 1)->b.n != sizeof(a->head.hash.b)) {
		LOG_WARN(a->env.log, "The audit log could not be read, trying again",
			 log_e(r->err == ERR_OK ? ERR_CORRUPT : r->err));
		look_in(a, SEAL_EVERY_MS);
		return;
	}
	a->head.seq = store_cell(&r->rows[0], 0, 0)->i;
	memcpy(a->head.hash.b, store_cell(&r->rows[0], 0, 1)->b.p, sizeof(a->head.hash.b));
	say(a);
	a->full = r->rows[1].rows_n == SEAL_AT_ONCE;
	if (r->rows[1].rows_n == 0 || !submit(a, &b, add_seals(a, &b, &r->rows[1]), on_sealed))
		look_in(a, SEAL_EVERY_MS);
}

static void look(void *ctx)
{
	struct auditor *a = ctx;
	struct store_batch b = store_batch_make(BATCH_BYTES_MAX);
	enum err e = STORE_ADD(&b, STORE_ANY, head_sql);

	if (e == ERR_OK)
		e = STORE_ADD(&b, STORE_ANY, open_sql, store_int(SEAL_AT_ONCE));
	if (!submit(a, &b, e, on_found))
		look_in(a, SEAL_EVERY_MS);
}

void auditor_event(struct auditor *a, const char *event, const char *detail)
{
	struct store_batch b = store_batch_make(1 << 16);

	if (!a)
		return;
	enum err e = audit_add_event(&b, event, detail, BYTES_NONE, clock_wall_ms(a->env.clock));

	if (e == ERR_OK)
		e = store_submit(a->env.store, &b, NULL, NULL);
	store_batch_free(&b);
	if (e != ERR_OK)
		LOG_WARN(a->env.log, "An event is missing in the audit log", log_s("event", event),
			 log_e(e));
}

static enum err add_start(const struct auditor *a, struct store_batch *b, const char *program)
{
	const int64_t now_ms = clock_wall_ms(a->env.clock);
	struct hash32 digest;

	TRY(audit_config_digest(&digest, a->env.config));
	TRY(audit_add_event(b, "started", program, BYTES_NONE, now_ms));
	TRY(audit_add_event(b, "configuration", "", BYTES_OF(digest.b), now_ms));
	if (!a->env.signer)
		return ERR_OK;
	return audit_add_event(b, "signer", "", BYTES_OF(a->env.signer->address.b), now_ms);
}

enum err auditor_start(struct auditor **ret_auditor, const struct connector_env *env,
		       const char *program)
{
	struct auditor *a = calloc(1, sizeof(*a));
	struct store_batch b = store_batch_make(1 << 16);

	if (!a)
		return ERR_NOMEM;
	a->env = *env;
	enum err e = add_start(a, &b, program);

	if (e == ERR_OK)
		e = store_submit(env->store, &b, NULL, NULL);
	store_batch_free(&b);
	if (e != ERR_OK) {
		free(a);
		return e;
	}
	look_in(a, 0);
	*ret_auditor = a;
	return ERR_OK;
}

void auditor_stop(struct auditor *a)
{
	if (!a)
		return;
	auditor_event(a, "stopped", "");
	clock_timer_cancel(a->env.clock, &a->timer);
	scope_cancel(&a->calls);
	free(a);
}
