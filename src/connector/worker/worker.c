/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The worker takes due rows out of the database, one job each, until nothing is due or task_limit
 * jobs are in memory. It looks when the listener has stored something, when a row that was put off
 * comes due, and every db_fast_event_polling as a backup.
 */
#include <stdlib.h>

#include "connector/worker/internal.h"

enum {
	CLAIM_BYTES_MAX = 1 << 16,
	RENEW_BATCH = 128,
	CLAIM_RETRY_FIRST_MS = 250,
	CLAIM_RETRY_CAP_MS = 10000,
	CORE_TRIAL_MS = 30000,
	STATEMENTS_PER_STATE = 2, /* the claim, and when the next of that state comes due */
};

/* What the worker moves; the furthest first, so that what was begun is finished. */
static const enum op_state states[] = {OP_COMPUTING, OP_READY, OP_SEEN};

static void look(void *ctx);

static int64_t mono_ms(const struct worker *w)
{
	return clock_mono_ms(w->env.clock);
}

/* Look again in at most delay_ms. */
static void look_within(struct worker *w, int64_t delay_ms)
{
	int64_t at_ms = mono_ms(w) + (delay_ms > 0 ? delay_ms : 0);

	if (w->poll.armed && w->poll_at_ms <= at_ms)
		return;
	w->poll_at_ms = at_ms;
	clock_timer_set(w->env.clock, &w->poll, delay_ms > 0 ? delay_ms : 0, look, w);
}

/* ---- jobs ---- */

static void job_link(struct worker *w, struct job *j)
{
	j->next = w->jobs;
	if (j->next)
		j->next->prev = j;
	w->jobs = j;
	w->jobs_n++;
	metrics_set(w->env.metrics, METRIC_WORKER_JOBS, 0, (int64_t)w->jobs_n);
}

static void job_unlink(struct worker *w, struct job *j)
{
	if (j->prev)
		j->prev->next = j->next;
	else
		w->jobs = j->next;
	if (j->next)
		j->next->prev = j->prev;
	w->jobs_n--;
	metrics_set(w->env.metrics, METRIC_WORKER_JOBS, 0, (int64_t)w->jobs_n);
}

void worker_job_gone(struct worker *w, struct job *j, int64_t due_in_ms)
{
	job_unlink(w, j);
	work_free(j);
	if (due_in_ms >= 0)
		look_within(w, due_in_ms);
	if (w->claim_again)
		look_within(w, 0);
}

void worker_forget(struct worker *w, enum op_kind kind, struct u256 id, bool by_first)
{
	for (struct job *j = w->jobs, *next; j; j = next) {
		next = j->next;
		if (j->op.key.kind == kind &&
		    u256_eq(by_first ? j->key.first : j->op.key.request_id, id))
			worker_job_gone(w, j, -1);
	}
}

bool worker_has_rival(const struct worker *w, const struct job *j)
{
	for (const struct job *o = w->jobs; o; o = o->next)
		if (o != j && o->op.key.kind == j->op.key.kind &&
		    u256_eq(o->op.key.request_id, j->op.key.request_id) &&
		    o->op.key.chain.v == j->op.key.chain.v)
			return true;
	return false;
}

/* ---- claiming ---- */

static bool in_memory(const struct worker *w, int64_t id)
{
	for (const struct job *j = w->jobs; j; j = j->next)
		if (j->op.id == id)
			return true;
	return false;
}

static void job_from_row(struct worker *w, const struct store_rows *rows, size_t row)
{
	struct operation op;
	struct job *j;

	enum err e = op_from_row(&op, store_cell(rows, row, 0), rows->columns_n);
	/* Its lease ran out by the wall clock, which may have jumped (a machine that slept): the
	 * claim has renewed it, the job goes on. */
	if (e == ERR_OK && in_memory(w, op.id))
		return;
	if (e == ERR_OK)
		e = work_new(&j, w, &op);
	if (e != ERR_OK) {
		/* Its lease runs out by itself; others of this batch go on. */
		metrics_inc(w->env.metrics, METRIC_WORKER_EVENT_RECEIVED_ERRORS,
			    METRIC_EVENT_PUBLIC_DECRYPTION);
		LOG_ERROR(w->env.log, "A row of the database cannot be worked on", log_e(e));
		return;
	}
	metrics_inc(w->env.metrics, METRIC_WORKER_EVENT_RECEIVED, metric_of_kind(op.key.kind));
	job_link(w, j);
	work_start(j);
}

static size_t batch_limit(const struct worker *w)
{
	uint64_t room =
		w->env.config->task_limit > w->jobs_n ? w->env.config->task_limit - w->jobs_n : 0;
	uint64_t share = (room + ARRAY_LEN(states) - 1) / ARRAY_LEN(states);

	return (size_t)(share < w->env.config->events_batch_size
				? share
				: w->env.config->events_batch_size);
}

static void claim_failed(struct worker *w, enum err e, const char *detail)
{
	const struct retry_policy policy = {CLAIM_RETRY_FIRST_MS, CLAIM_RETRY_CAP_MS, 0};
	int64_t delay_ms;

	w->claim_failures++;
	metrics_inc(w->env.metrics, METRIC_WORKER_EVENT_RECEIVED_ERRORS,
		    METRIC_EVENT_PUBLIC_DECRYPTION);
	if (!retry_after(&policy, e, w->claim_failures, w->env.rng, &delay_ms))
		delay_ms = policy.cap_ms;
	LOG_ERROR(w->env.log, "Work could not be claimed from the database, trying again", log_e(e),
		  log_s("detail", detail), log_i("retry_ms", delay_ms));
	clock_timer_cancel(w->env.clock, &w->poll);
	look_within(w, delay_ms);
}

static void on_claimed(void *ctx, const struct store_result *r)
{
	size_t limit;
	struct worker *w = ticket_close(ctx, &limit);
	bool more = false;

	if (!w)
		return;
	w->claiming = false;
	if (r->err != ERR_OK) {
		claim_failed(w, r->err, r->note.text);
		return;
	}
	CHECK(r->rows_n == ARRAY_LEN(states) * STATEMENTS_PER_STATE);
	w->claim_failures = 0;
	w->released = true;
	for (size_t s = 0; s < ARRAY_LEN(states); s++) {
		const struct store_rows *rows = &r->rows[s * STATEMENTS_PER_STATE];
		const struct store_value *due = store_cell(&rows[1], 0, 0);

		for (size_t i = 0; i < rows->rows_n; i++)
			job_from_row(w, rows, i);
		more = more || rows->rows_n >= limit;
		if (due->type == STORE_INT)
			look_within(w, due->i - clock_wall_ms(w->env.clock));
	}
	/* Until nothing is left: a burst must not wait for the next wake. */
	if (more || w->claim_again)
		look_within(w, 0);
	w->claim_again = more;
}

static enum err add_claims(struct worker *w, struct store_batch *b, size_t limit)
{
	int64_t now_ms = clock_wall_ms(w->env.clock);
	int64_t until_ms =
		now_ms + (w->env.store_shared ? w->env.config->operation_under_process_timeout_ms
					      : LEASE_MS);

	for (size_t s = 0; s < ARRAY_LEN(states); s++) {
		TRY(op_add_claim(b, states[s], w->env.owner, now_ms, until_ms, (unsigned)limit));
		TRY(op_add_next_due(b, states[s], now_ms));
	}
	return ERR_OK;
}

/* The leases of a process that was killed; before the first claim. */
static void release_others(struct worker *w)
{
	struct store_batch b = store_batch_make(CLAIM_BYTES_MAX);
	enum err e = op_add_release_others(&b, w->env.owner);

	if (e == ERR_OK)
		e = store_submit(w->env.store, &b, NULL, NULL);
	store_batch_free(&b);
	if (e != ERR_OK)
		LOG_WARN(w->env.log, "Old leases could not be released, they run out by themselves",
			 log_e(e));
}

/* One look is for all kinds. */
static int64_t polling_ms(const struct connector_config *c)
{
	bool fast = c->db_fast_event_polling_ms <= c->db_long_event_polling_ms;

	return fast ? c->db_fast_event_polling_ms : c->db_long_event_polling_ms;
}

static void look(void *ctx)
{
	struct worker *w = ctx;
	size_t limit = batch_limit(w);

	if (w->draining)
		return;
	if (w->claiming || limit == 0) {
		w->claim_again =
			true; /* the claim that runs, or the next job that ends, looks again */
		return;
	}
	clock_timer_cancel(w->env.clock, &w->poll);
	look_within(w, polling_ms(w->env.config));
	w->claim_again = false;
	if (!w->released && !w->env.store_shared)
		release_others(w);

	struct store_batch b = store_batch_make(CLAIM_BYTES_MAX);
	struct ticket *t = scope_open(&w->calls, w->env.inflight, w, limit);
	enum err e = t ? add_claims(w, &b, limit) : ERR_NOMEM;
	if (e == ERR_OK)
		e = store_submit(w->env.store, &b, on_claimed, t);
	store_batch_free(&b);
	w->claiming = e == ERR_OK;
	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	claim_failed(w, e, "not submitted");
}

/* ---- leases ---- */

/* Up to a batch of jobs from `j` on; returns the first that is not in it. */
static const struct job *renew_some(struct worker *w, const struct job *j)
{
	struct store_batch b = store_batch_make(CLAIM_BYTES_MAX);
	int64_t until_ms =
		clock_wall_ms(w->env.clock) + w->env.config->operation_under_process_timeout_ms;
	enum err e = ERR_OK;

	for (size_t n = 0; j && e == ERR_OK && n < RENEW_BATCH; n++) {
		e = op_add_renew(&b, j->op.id, w->env.owner, until_ms);
		j = j->next;
	}
	if (e == ERR_OK && b.n > 0)
		e = store_submit(w->env.store, &b, NULL, NULL);
	store_batch_free(&b);
	if (e != ERR_OK)
		LOG_WARN(w->env.log, "Leases could not be renewed, trying again", log_e(e));
	return j;
}

/*
 * Where other processes claim as well, nobody knows at the start whether the owner of a lease is
 * alive. So leases are short there, and those of jobs that live are renewed: what a process leaves
 * behind that dies is free soon.
 */
static void renew(void *ctx)
{
	struct worker *w = ctx;

	for (const struct job *j = w->jobs; j;)
		j = renew_some(w, j);
	clock_timer_set(w->env.clock, &w->renewal, RENEW_MS, renew, w);
}

/* ---- life ---- */

static enum err cores_init(struct worker *w)
{
	static const struct breaker_policy policy = {
		.failures_max = RPC_BREAKER_FAILURES,
		.open_first_ms = RPC_BREAKER_OPEN_MS,
		.open_max_ms = RPC_BREAKER_OPEN_MAX_MS,
		.trial_ms = CORE_TRIAL_MS,
	};

	w->cores = calloc(w->env.cores_n, sizeof(*w->cores));
	if (!w->cores)
		return ERR_NOMEM;
	for (size_t i = 0; i < w->env.cores_n; i++)
		w->cores[i].breaker.policy = &policy;
	return ERR_OK;
}

static enum err start(struct worker *w)
{
	const struct connector_env *env = &w->env;
	const struct connector_config *c = env->config;

	CHECK(env->hosts_n == c->host_chains_n && env->cores_n > 0);
	w->hosts = calloc(env->hosts_n, sizeof(*w->hosts));
	if (!w->hosts)
		return ERR_NOMEM;
	for (size_t i = 0; i < env->hosts_n; i++)
		w->hosts[i] = (struct endpoint){.provider = env->hosts[i],
						.chain = c->host_chains[i].chain_id};
	w->ethereum = (struct endpoint){.provider = env->ethereum, .chain = {c->ethereum_chain_id}};
	w->gateway = (struct endpoint){.provider = env->gateway, .chain = {c->gateway_chain_id}};
	/* Permission is read from them: an endpoint may become another one at any time. */
	CHECK(provider_verifies_chain(env->gateway));
	CHECK(!env->ethereum || provider_verifies_chain(env->ethereum));
	for (size_t i = 0; i < env->hosts_n; i++)
		CHECK(provider_verifies_chain(env->hosts[i]));

	struct transport *t = env->buckets ? env->buckets : env->transport;

	buckets_init(&w->buckets, t, env->clock, (size_t)c->s3_max_concurrent_heads_per_bucket);
	http_queue_init(&w->gets, t, env->clock, (size_t)c->s3_max_concurrent_gets);
	budget_init(&w->budget, env->clock, WORKER_CIPHERTEXT_BYTES_MAX);
	w->budget.small_max = WORKER_CIPHERTEXT_BYTES_SMALL;
	cache_init(&w->cache, &w->budget, (size_t)c->ciphertext_cache_size);
	TRY(cores_init(w));
	TRY(registry_start(&w->registry, env, &w->buckets));
	store_on_notify(env->store, OP_TOPIC_SEEN, look, w);
	if (env->store_shared)
		clock_timer_set(env->clock, &w->renewal, RENEW_MS, renew, w);
	look(w);
	return ERR_OK;
}

enum err worker_start(struct worker **ret_worker, const struct connector_env *env)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return ERR_NOMEM;
	w->env = *env;
	enum err e = start(w);
	if (e != ERR_OK) {
		worker_stop(w);
		return e;
	}
	*ret_worker = w;
	return ERR_OK;
}

void worker_drain(struct worker *w)
{
	if (w)
		w->draining = true;
}

bool worker_idle(const struct worker *w)
{
	return !w || (w->jobs_n == 0 && !w->claiming);
}

void worker_stop(struct worker *w)
{
	if (!w)
		return;
	store_on_notify(w->env.store, OP_TOPIC_SEEN, NULL, NULL);
	clock_timer_cancel(w->env.clock, &w->poll);
	clock_timer_cancel(w->env.clock, &w->renewal);
	scope_cancel(&w->calls);
	while (w->jobs) {
		struct job *j = w->jobs;

		job_unlink(w, j);
		work_free(j);
	}
	registry_stop(w->registry);
	buckets_free(&w->buckets);
	http_queue_stop(&w->gets);
	cache_free(&w->cache);
	budget_stop(&w->budget);
	free(w->cores);
	free(w->hosts);
	free(w);
}

size_t worker_parts_n(const struct worker *w)
{
	return w ? w->env.cores_n + w->buckets.n : 0;
}

struct worker_part worker_part(const struct worker *w, size_t i)
{
	const struct config_strings *cores = &w->env.config->kms_core_endpoints;

	if (i < w->env.cores_n)
		return (struct worker_part){"core", i < cores->n ? cores->v[i] : "",
					    w->cores[i].breaker.state, w->cores[i].breaker.opened};

	const struct bucket_state *b = w->buckets.v[i - w->env.cores_n];
	return (struct worker_part){"bucket", b->url, b->breaker.state, b->breaker.opened};
}
