/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/registry.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/limits.h"
#include "connector/adapters/views.h"

enum {
	SNAPSHOT_BYTES_MAX = 1 << 20,
	CALL_BYTES_MAX = 256,
	FIRST_RETRY_MS = 250,
};

/* Which call a ticket's index names; coprocessor k is CALL_COPROCESSOR + k. */
enum {
	CALL_SIGNERS,
	CALL_TX_SENDERS,
	CALL_THRESHOLD,
	CALL_COPROCESSOR
};

struct registry {
	struct connector_env env;
	struct buckets *buckets;
	bool said_homeless;
	struct registry_snapshot *current;
	struct registry_waiter *first, *last;
	struct scope calls;
	struct timer timer;
	int64_t failures; /* in a row */

	/* the load */
	struct registry_snapshot *next;
	const struct address *tx_senders;
	size_t tx_senders_n;
	size_t outstanding;
};

/* ---- snapshots ---- */

void registry_hold(struct registry_snapshot *s)
{
	s->holders++;
}

void registry_drop(struct registry_snapshot *s)
{
	if (!s || --s->holders > 0)
		return;
	arena_free(&s->arena);
	free(s);
}

bool registry_has_signer(const struct registry_snapshot *s, struct address signer)
{
	for (size_t i = 0; i < s->signers_n; i++)
		if (address_eq(s->signers[i], signer))
			return true;
	return false;
}

/* ---- waiters ---- */

void registry_unwant(struct registry *r, struct registry_waiter *w)
{
	if (!w->waiting)
		return;
	if (w->prev)
		w->prev->next = w->next;
	else
		r->first = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		r->last = w->prev;
	*w = (struct registry_waiter){0};
}

static void tell_waiters(struct registry *r, const struct err_note *note)
{
	/* A waiter that fails leaves memory and comes back from the database: it cannot wait again
	 * in this very call. */
	while (r->first) {
		struct registry_waiter w = *r->first;

		registry_unwant(r, r->first);
		w.fn(w.ctx, r->current, note);
	}
}

static void load(void *ctx);

void registry_want(struct registry *r, struct registry_waiter *w,
		   void (*fn)(void *ctx, struct registry_snapshot *snapshot,
			      const struct err_note *note),
		   void *ctx)
{
	if (r->current) {
		fn(ctx, r->current, NULL);
		return;
	}
	CHECK(!w->waiting);
	*w = (struct registry_waiter){.prev = r->last, .waiting = true, .fn = fn, .ctx = ctx};
	if (r->last)
		r->last->next = w;
	else
		r->first = w;
	r->last = w;
}

/* ---- loading ---- */

static void load_end(struct registry *r)
{
	scope_cancel(&r->calls);
	r->next = NULL;
	r->outstanding = 0;
}

static void load_failed(struct registry *r, enum err e, const struct err_note *why)
{
	const struct retry_policy policy = {FIRST_RETRY_MS,
					    r->env.config->copro_registry_refresh_ms >
							    FIRST_RETRY_MS
						    ? r->env.config->copro_registry_refresh_ms
						    : FIRST_RETRY_MS,
					    0};
	const struct err_note note = *why; /* it may lie in what goes away */
	int64_t delay_ms;

	registry_drop(r->next);
	load_end(r);
	r->failures++;
	if (!retry_after(&policy, e, r->failures, r->env.rng, &delay_ms))
		delay_ms = policy.cap_ms;
	LOG_WARN(r->env.log, "The list of coprocessors could not be read, trying again", log_e(e),
		 log_s("detail", note.text), log_i("retry_ms", delay_ms),
		 log_s("old_list", r->current ? "still used" : "none"));
	clock_timer_set(r->env.clock, &r->timer, delay_ms, load, r);
	tell_waiters(r, &note);
}

/* Once, not at every refresh: what needs one of them waits with its reason. */
static void tell_homeless(struct registry *r, const struct registry_snapshot *s)
{
	if (s->homeless_n > 0 && !r->said_homeless)
		LOG_WARN(r->env.log,
			 "Coprocessors have registered no usable bucket URL, and no s3_config is "
			 "there to fall back to: what only they have is waited for",
			 log_i("coprocessors", (int64_t)s->homeless_n));
	r->said_homeless = s->homeless_n > 0;
}

static void load_done(struct registry *r)
{
	struct registry_snapshot *s = r->next;
	struct err_note note = {0};

	if (s->signers_n == 0 || s->buckets_n + s->homeless_n == 0 || s->threshold > s->signers_n) {
		enum err e = err_say(&note, ERR_MISMATCH,
				     "%zu signers, %zu coprocessors, threshold %zu: unusable",
				     s->signers_n, s->buckets_n + s->homeless_n, s->threshold);

		load_failed(r, e, &note);
		return;
	}
	s->tx_senders = r->tx_senders;
	s->tx_senders_n = r->tx_senders_n;
	load_end(r);
	tell_homeless(r, s);
	registry_drop(r->current);
	r->current = s;
	r->failures = 0;
	LOG_DEBUG(r->env.log, "Read the list of coprocessors",
		  log_i("signers", (int64_t)s->signers_n), log_i("buckets", (int64_t)s->buckets_n),
		  log_i("threshold", (int64_t)s->threshold));
	clock_timer_set(r->env.clock, &r->timer, r->env.config->copro_registry_refresh_ms, load, r);
	tell_waiters(r, NULL);
}

static bool url_usable(struct bytes url)
{
	bool http = url.n > 7 && memcmp(url.p, "http://", 7) == 0;
	bool https = url.n > 8 && memcmp(url.p, "https://", 8) == 0;

	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] > '~')
			return false;
	return http || https;
}

static enum err bucket_read(struct registry *r, size_t k, struct bytes data)
{
	struct registry_snapshot *s = r->next;
	struct coprocessor c;

	TRY(gateway_config_coprocessor_result(&s->arena, &c, data));
	const char *fallback = r->env.config->s3_fallback_url;
	const char *url =
		url_usable(c.bucket_url) ? arena_strndup(&s->arena, c.bucket_url) : fallback;
	if (!url && !url_usable(c.bucket_url)) {
		s->homeless_n++;
		return ERR_OK;
	}
	struct bucket_state *state = url ? buckets_get(r->buckets, url) : NULL;
	if (!state)
		return ERR_NOMEM;
	s->buckets[s->buckets_n++] = (struct bucket){r->tx_senders[k], url, state};
	return ERR_OK;
}

static enum err ask(struct registry *r, size_t call);

static enum err tx_senders_read(struct registry *r, struct bytes data)
{
	TRY(gateway_config_addresses_result(&r->next->arena, &r->tx_senders, &r->tx_senders_n,
					    data));
	r->next->buckets =
		arena_alloc_array(&r->next->arena, r->tx_senders_n, sizeof(*r->next->buckets));
	if (!r->next->buckets)
		return ERR_NOMEM;
	for (size_t k = 0; k < r->tx_senders_n; k++)
		TRY(ask(r, CALL_COPROCESSOR + k));
	return ERR_OK;
}

static enum err answer_read(struct registry *r, size_t call, struct bytes data)
{
	struct registry_snapshot *s = r->next;

	switch (call) {
	case CALL_SIGNERS:
		return gateway_config_addresses_result(&s->arena, &s->signers, &s->signers_n, data);
	case CALL_TX_SENDERS:
		return tx_senders_read(r, data);
	case CALL_THRESHOLD:
		return gateway_config_threshold_result(&s->threshold, data);
	default:
		return bucket_read(r, call - CALL_COPROCESSOR, data);
	}
}

static void on_answer(void *ctx, const struct provider_error *e, struct bytes data)
{
	size_t call;
	struct registry *r = ticket_close(ctx, &call);
	struct err_note note = {0};

	if (!r)
		return;
	if (e->err != ERR_OK) {
		load_failed(r, e->err, &e->note);
		return;
	}
	enum err err = answer_read(r, call, data);
	if (err != ERR_OK) {
		load_failed(r,
			    err_say(&note, err, "GatewayConfig: call %zu: %s", call, err_name(err)),
			    &note);
		return;
	}
	if (--r->outstanding == 0)
		load_done(r);
}

static enum err encode(struct registry *r, size_t call, struct buf *out)
{
	switch (call) {
	case CALL_SIGNERS:
		return gateway_config_signers_call(out);
	case CALL_TX_SENDERS:
		return gateway_config_tx_senders_call(out);
	case CALL_THRESHOLD:
		return gateway_config_threshold_call(out);
	default:
		return gateway_config_coprocessor_call(out, r->tx_senders[call - CALL_COPROCESSOR]);
	}
}

static enum err ask(struct registry *r, size_t call)
{
	struct buf data CLEANUP(buf_free) = buf_make(CALL_BYTES_MAX);

	TRY(encode(r, call, &data));

	const struct call_msg msg = {.to = r->env.config->gateway_config_contract.address,
				     .data = buf_view(&data)};
	struct ticket *t = scope_open(&r->calls, r->env.inflight, r, call);
	enum err e = t ? provider_call(r->env.gateway, &msg,
				       (struct block_tag){.kind = BLOCK_LATEST}, on_answer, t)
		       : ERR_NOMEM;

	if (e == ERR_OK)
		r->outstanding++;
	else if (t)
		(void)ticket_close(t, NULL);
	return e;
}

static enum err ask_all(struct registry *r)
{
	r->next = calloc(1, sizeof(*r->next));
	if (!r->next)
		return ERR_NOMEM;
	r->next->holders = 1;
	r->next->arena = arena_make(SNAPSHOT_BYTES_MAX);
	for (size_t call = CALL_SIGNERS; call <= CALL_THRESHOLD; call++)
		TRY(ask(r, call));
	return ERR_OK;
}

static void load(void *ctx)
{
	struct registry *r = ctx;
	struct err_note note = {0};
	enum err e = ask_all(r);

	if (e != ERR_OK)
		load_failed(r, err_say(&note, e, "not sent: %s", err_name(e)), &note);
}

/* ---- life ---- */

enum err registry_start(struct registry **ret_registry, const struct connector_env *env,
			struct buckets *buckets)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (!r)
		return ERR_NOMEM;
	r->env = *env;
	r->buckets = buckets;
	*ret_registry = r;
	load(r);
	return ERR_OK;
}

void registry_stop(struct registry *r)
{
	if (!r)
		return;
	CHECK(!r->first);
	clock_timer_cancel(r->env.clock, &r->timer);
	scope_cancel(&r->calls);
	registry_drop(r->next);
	registry_drop(r->current);
	free(r);
}
