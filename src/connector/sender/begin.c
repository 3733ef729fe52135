/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Where the sender begins: what is stored, which chain the gateway serves, and what it knows of our
 * nonces. Whatever fails is tried again from there; nothing is sent before all three are known.
 */
#include "connector/sender/internal.h"

void begin_failed(struct sender *s, enum err e, const char *what, const char *note)
{
	const struct retry_policy policy = {.first_ms = 100, .cap_ms = BACK_OFF_MAX_MS};
	int64_t delay_ms;

	s->begin_failures++;
	if (!retry_after(&policy, e, s->begin_failures, s->env.rng, &delay_ms))
		delay_ms = policy.cap_ms;
	if (e == ERR_STATE_MOVED)
		lease_doubt(s);
	LOG_WARN(s->env.log, "The sender cannot begin, trying again", log_s("what", what), log_e(e),
		 log_s("detail", note), log_i("retry_ms", delay_ms));
	clock_timer_set(s->env.clock, &s->begin_timer, delay_ms, sender_prepare, s);
}

struct job *sender_open_find(struct sender *s, uint64_t nonce, struct address account)
{
	struct job *j = s->open.first;

	while (j && (j->nonce != nonce || !address_eq(j->account, account)))
		j = j->next;
	return j;
}

enum err sender_open_row(struct sender *s, const struct tx_row *row)
{
	struct job *j = sender_open_find(s, row->nonce, row->account);

	if (j)
		return ERR_OK;
	j = job_new_open(s, row->nonce);
	if (!j)
		return ERR_NOMEM;
	j->account = row->account;
	j->foreign = !address_eq(row->account, s->account);
	j->marked = row->broadcast;
	j->far = row->far;
	j->hash = row->hash;
	if (row->has_operation) {
		j->op_id = row->op_id;
		j->kind = row->kind;
		j->request_id = row->request_id;
		j->created_ms = row->op_created_ms;
		j->deferrals = row->op_deferrals;
	}
	struct tx tx;
	enum err e = raw_read(&tx, row->raw);

	if (e == ERR_OK)
		e = buf_add(&j->raw, row->raw);
	if (e != ERR_OK) {
		job_free(j);
		return e;
	}
	j->gas = tx.gas;
	j->fee_max = tx.fee_max;
	j->priority = tx.priority_fee_max;
	return ERR_OK;
}

enum err sender_open_version(struct sender *s, const struct tx_version *v)
{
	struct job *j = sender_open_find(s, v->nonce, v->account);

	if (!j || hash32_eq(j->hash, v->hash))
		return ERR_OK;
	for (size_t i = 0; i < j->older_n; i++)
		if (hash32_eq(j->older[i], v->hash))
			return ERR_OK;
	if (j->older_n == ARRAY_LEN(j->older))
		return ERR_CORRUPT;
	j->older[j->older_n++] = v->hash;
	return ERR_OK;
}

static void forget_loaded(struct sender *s)
{
	while (s->open.first)
		job_free(s->open.first);
	nonces_free(&s->nonces);
	s->loaded = false;
}

static enum err load(struct sender *s, const struct store_result *r)
{
	struct tx_version version;
	struct tx_loaded l;
	struct tx_row row;

	TRY(tx_load_read(&l, r));
	for (size_t i = 0; i < l.open->rows_n; i++) {
		TRY(tx_from_row(&row, l.open, i));
		TRY(sender_open_row(s, &row));
	}
	for (size_t i = 0; i < l.versions->rows_n; i++) {
		TRY(tx_version_from_row(&version, l.versions, i));
		TRY(sender_open_version(s, &version));
	}
	for (size_t i = 0; i < l.free->rows_n; i++)
		TRY(nonces_load_free(&s->nonces, (uint64_t)store_cell(l.free, i, 0)->i));
	nonces_load_next(&s->nonces, l.stored_end);
	s->ended_end = l.ended_end;
	return ERR_OK;
}

static void on_loaded(void *ctx, const struct store_result *r)
{
	struct sender *s = ticket_close(ctx, NULL);

	if (!s)
		return;
	enum err e = r->err == ERR_OK ? load(s, r) : r->err;
	if (e != ERR_OK) {
		forget_loaded(s);
		begin_failed(s, e, "loading transactions", r->note.text);
		return;
	}
	s->loaded = true;
	if (s->open.n > 0)
		LOG_INFO(s->env.log, "Transactions of an earlier run are broadcast again",
			 log_i("transactions", (int64_t)s->open.n));
	sender_prepare(s);
}

static enum err submit_checked(struct sender *s, size_t index, struct store_batch *b, enum err e,
			       store_done_fn *done)
{
	if (e == ERR_OK)
		e = lease_add_check(b, s);
	return sender_submit(s, &s->calls, s, index, b, e, done);
}

static enum err load_begin(struct sender *s)
{
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	int64_t now_ms = sender_wall_ms(s);

	enum err e = tx_add_load(&b, s->chain, s->account, s->env.owner, now_ms, now_ms + LEASE_MS);

	return submit_checked(s, 0, &b, e, on_loaded);
}

static void on_chain_id(void *ctx, const struct provider_error *e, uint64_t id)
{
	struct sender *s = ticket_close(ctx, NULL);

	if (!s)
		return;
	if (e->err != ERR_OK) {
		begin_failed(s, e->err, "eth_chainId", e->note.text);
	} else if (id != s->chain.v) {
		LOG_ERROR(s->env.log, "The gateway endpoint serves another chain, nothing is sent",
			  log_s("endpoint", provider_host(s->env.chain.provider)),
			  log_i("chain_id", (int64_t)id), log_i("expected", (int64_t)s->chain.v));
		begin_failed(s, ERR_MISMATCH, "eth_chainId", "wrong chain");
	} else {
		s->chain_ok = true;
		sender_prepare(s);
	}
}

static void place(struct sender *s, uint64_t count)
{
	nonces_raise(&s->nonces, count);
	s->placed = true;
	s->begin_failures = 0;
	LOG_INFO(s->env.log, "Started sending answers", log_s("chain", s->env.chain.name),
		 log_hex("account", BYTES_OF(s->account.b)),
		 log_i("next_nonce", (int64_t)s->nonces.next),
		 log_i("free_nonces", (int64_t)s->nonces.back_n));
	sender_probe_sync(s);
	sender_pump(s);
	sender_claim(s);
	clock_timer_set(s->env.clock, &s->watch_timer, WATCH_MS, sender_watch, s);
}

static void on_reopened(void *ctx, const struct store_result *r)
{
	struct sender *s = ticket_close(ctx, NULL);

	if (!s)
		return;
	if (r->err != ERR_OK) {
		begin_failed(s, r->err, "storing nonces", r->note.text);
	} else if (r->rows[0].changed == 0) {
		LOG_ERROR(s->env.log,
			  "The gateway knows far fewer transactions of this account than the "
			  "database: is this the database of another chain?",
			  log_hex("account", BYTES_OF(s->account.b)),
			  log_i("used_nonces", (int64_t)s->ended_end));
		begin_failed(s, ERR_MISMATCH, "eth_getTransactionCount", "fewer than stored");
	} else {
		LOG_WARN(s->env.log,
			 "The gateway has forgotten transactions of ours, they are sent again",
			 log_i("transactions", r->rows[0].changed));
		forget_loaded(s);
		sender_prepare(s);
	}
}

static void on_used(void *ctx, const struct store_result *r)
{
	size_t count;
	struct sender *s = ticket_close(ctx, &count);

	if (!s)
		return;
	if (r->err == ERR_OK)
		place(s, count);
	else
		begin_failed(s, r->err, "storing nonces", r->note.text);
}

/*
 * A false count would be a nonce that is never mined, and ours for ever. So one that takes nonces
 * from us is read twice, and the lower of the two is believed. One that is too low does no harm:
 * its nonce is used already, the node says so.
 */
static bool count_is_sure(struct sender *s, uint64_t *count)
{
	uint64_t lowest;
	bool takes = *count > s->nonces.next ||
		     (nonces_lowest_free(&s->nonces, &lowest) && lowest < *count);
	bool again = takes && !s->count_read;

	if (again)
		s->count_first = *count;
	else if (takes && s->count_first < *count)
		*count = s->count_first;
	s->count_read = again;
	if (takes)
		LOG_WARN(s->env.log,
			 again ? "The gateway knows transactions of this account that the "
				 "database does not, reading their number again"
			       : "Nonces go on after transactions that are not in the database",
			 log_i("transactions", (int64_t)*count),
			 log_i("next_nonce", (int64_t)s->nonces.next),
			 log_hex("account", BYTES_OF(s->account.b)));
	return !again;
}

/* Transactions that the chain has and we do not, or the other way round. */
static void on_count(void *ctx, const struct provider_error *e, uint64_t count)
{
	struct sender *s = ticket_close(ctx, NULL);
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	int64_t now_ms;
	enum err err;

	if (!s)
		return;
	if (e->err != ERR_OK) {
		begin_failed(s, e->err, "eth_getTransactionCount", e->note.text);
		return;
	}
	if (!count_is_sure(s, &count)) {
		clock_timer_set(s->env.clock, &s->begin_timer, COUNT_AGAIN_MS, sender_prepare, s);
		return;
	}
	now_ms = sender_wall_ms(s);
	if (count < s->ended_end)
		err = submit_checked(s, 0, &b,
				     tx_add_reopen(&b, s->chain, s->account, count, INT64_MAX,
						   REOPEN_MAX, now_ms),
				     on_reopened);
	else
		err = submit_checked(s, (size_t)count, &b,
				     tx_add_used(&b, s->chain, s->account, count, now_ms), on_used);
	if (err != ERR_OK)
		begin_failed(s, err, "storing nonces", "");
}

void sender_prepare(void *ctx)
{
	struct sender *s = ctx;
	struct ticket *t;
	enum err e;

	if (!s->leased) {
		e = lease_take(s);
		if (e != ERR_OK)
			begin_failed(s, e, "taking the lease", "");
		return;
	}
	if (!s->loaded) {
		e = load_begin(s);
		if (e != ERR_OK)
			begin_failed(s, e, "loading transactions", "");
		return;
	}
	t = scope_open(&s->calls, s->env.inflight, s, 0);
	if (!t)
		e = ERR_NOMEM;
	else if (!s->chain_ok)
		e = provider_get_chain_id(s->env.chain.provider, on_chain_id, t);
	else
		e = provider_nonce(s->env.chain.provider, s->account,
				   (struct block_tag){.kind = BLOCK_PENDING}, on_count, t);
	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	begin_failed(s, e, "asking the gateway", "");
}

/* ---- divergence while running ---- */

static void raise_ask(void *ctx);

static void on_raise(void *ctx, const struct provider_error *e, uint64_t count)
{
	struct sender *s = ticket_close(ctx, NULL);

	if (!s)
		return;
	if (e->err == ERR_OK && !count_is_sure(s, &count)) {
		clock_timer_set(s->env.clock, &s->raise_timer, COUNT_AGAIN_MS, raise_ask, s);
		return;
	}
	s->raising = s->count_read = false;
	if (e->err == ERR_OK)
		nonces_raise(&s->nonces, count);
	sender_claim(s);
}

static void raise_ask(void *ctx)
{
	struct sender *s = ctx;
	struct ticket *t = scope_open(&s->calls, s->env.inflight, s, 0);

	s->raising = t && provider_nonce(s->env.chain.provider, s->account,
					 (struct block_tag){.kind = BLOCK_PENDING}, on_raise,
					 t) == ERR_OK;
	if (s->raising)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	s->count_read = false;
	sender_claim(s);
}

void sender_raise(struct sender *s)
{
	if (!s->raising)
		raise_ask(s);
}
