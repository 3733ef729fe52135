/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * One sender per chain and database, whatever processes there are: an overlapping restart, a
 * process that was paused and goes on, two machines. The lease has a token that rises whenever
 * somebody takes it, and every batch that gives a nonce another meaning checks it: what the holder
 * before stores after that moment, it does not store. Clocks, and what PostgreSQL knows of who is
 * connected, decide who may take the lease, never who may sign.
 */
#include "connector/sender/internal.h"

/* The time of the one before is over; or it is ours; or no other process can have this database; or
 * the process is gone that had it. */
static const char take_sql[] =
	"INSERT INTO sender_lease (chain, account, token, owner, until_ms)"
	" VALUES ($1, $2, 1, $3, $4) ON CONFLICT (chain) DO UPDATE SET"
	" account = excluded.account, token = sender_lease.token + 1, owner = excluded.owner,"
	" until_ms = excluded.until_ms"
	" WHERE sender_lease.until_ms <= $5 OR sender_lease.owner = $3 OR $6 = 1" STORE_OR_GONE(
		"sender_lease.owner") " RETURNING token";

static const char hold_sql[] = "UPDATE sender_lease SET until_ms = $4"
			       " WHERE chain = $1 AND token = $2 AND owner = $3";

enum err lease_add_check(struct store_batch *b, const struct sender *s)
{
	return STORE_ADD(b, STORE_ONE, hold_sql, store_int((int64_t)s->chain.v),
			 store_int(s->lease_token), store_text(s->env.owner),
			 store_int(sender_wall_ms(s) + SENDER_LEASE_MS));
}

/* ---- holding it ---- */

static void renew(void *ctx);

static void renew_in(struct sender *s, int64_t ms)
{
	clock_timer_set(s->env.clock, &s->lease_timer, ms, renew, s);
}

static void on_renewed(void *ctx, const struct store_result *r)
{
	struct sender *s = ticket_close(ctx, NULL);

	if (!s)
		return;
	s->renewing = false;
	if (r->err == ERR_STATE_MOVED) {
		LOG_ERROR(s->env.log, "Another sender has taken over, nothing is sent from here",
			  log_s("chain", s->env.chain.name), log_i("token", s->lease_token));
		sender_reset(s);
		clock_timer_set(s->env.clock, &s->begin_timer, LEASE_AGAIN_MS, sender_prepare, s);
		return;
	}
	renew_in(s, r->err == ERR_OK ? LEASE_RENEW_MS : LEASE_AGAIN_MS);
}

static void renew(void *ctx)
{
	struct sender *s = ctx;
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);

	if (s->renewing)
		return;
	s->renewing = sender_submit(s, &s->lease_calls, s, 0, &b, lease_add_check(&b, s),
				    on_renewed) == ERR_OK;
	if (!s->renewing)
		renew_in(s, LEASE_AGAIN_MS);
}

void lease_doubt(struct sender *s)
{
	if (s->leased)
		renew_in(s, 0);
}

/* ---- taking it ---- */

static void on_taken(void *ctx, const struct store_result *r)
{
	struct sender *s = ticket_close(ctx, NULL);

	if (!s)
		return;
	if (r->err != ERR_OK) {
		begin_failed(s, r->err, "taking the lease", r->note.text);
		return;
	}
	if (r->rows[0].rows_n == 0) {
		if (!s->standby)
			LOG_WARN(s->env.log, "Another sender is at work, this one waits for it",
				 log_i("chain", (int64_t)s->chain.v));
		s->standby = true;
		clock_timer_set(s->env.clock, &s->begin_timer, LEASE_AGAIN_MS, sender_prepare, s);
		return;
	}
	s->lease_token = store_cell(&r->rows[0], 0, 0)->i;
	s->leased = true;
	s->standby = false;
	renew_in(s, LEASE_RENEW_MS);
	sender_prepare(s);
}

enum err lease_take(struct sender *s)
{
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	int64_t now_ms = sender_wall_ms(s);
	enum err e = STORE_ADD(&b, STORE_ANY, take_sql, store_int((int64_t)s->chain.v),
			       store_blob(BYTES_OF(s->account.b)), store_text(s->env.owner),
			       store_int(now_ms + SENDER_LEASE_MS), store_int(now_ms),
			       store_int(s->env.store_shared ? 0 : 1));

	return sender_submit(s, &s->lease_calls, s, 0, &b, e, on_taken);
}

/* ---- giving it back ---- */

static const char release_sql[] = "UPDATE sender_lease SET until_ms = 0"
				  " WHERE chain = $1 AND token = $2 AND owner = $3";

void lease_release(struct sender *s)
{
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);

	scope_cancel(&s->lease_calls);
	clock_timer_cancel(s->env.clock, &s->lease_timer);
	s->renewing = false;
	if (s->leased &&
	    STORE_ADD(&b, STORE_ANY, release_sql, store_int((int64_t)s->chain.v),
		      store_int(s->lease_token), store_text(s->env.owner)) == ERR_OK &&
	    store_submit(s->env.store, &b, NULL, NULL) != ERR_OK)
		LOG_WARN(s->env.log, "The lease could not be given back: its time ends it");
	store_batch_free(&b);
	s->leased = false;
}
