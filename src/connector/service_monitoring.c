/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service_monitoring.h"

#include <stdlib.h>

#include "base/limits.h"
#include "connector/metrics_live.h"
#include "connector/service_health.h"
#include "connector/service_signer.h"
#include "connector/service_status.h"

enum {
	BODY_MAX = 1 << 20
};

/* Exchanges that one answer is for. */
struct waiting {
	struct http_exchange *x[MONITORING_CONNECTIONS_MAX];
	size_t n;
};

/* Exchanges that wait for what the database says. One that says nothing holds no scrape back: then
 * the answer goes out without it. */
struct question {
	struct monitoring *m;
	struct waiting waiting;
	struct scope call;
	struct timer timer;
	/* `r` may be NULL: the database has not answered. */
	void (*reply)(struct monitoring *m, const struct waiting *w, const struct store_result *r);
};

struct monitoring {
	struct connector_env env;
	struct loop *loop;
	const char *name, *version, *build;
	struct http_server *server;
	struct health *health;
	unsigned services;
	int64_t started_ms; /* monotonic */
	struct waiting health_waiting;
	struct question scrape, status;
	struct live_chain chains[3 + HOST_CHAINS_MAX];
	size_t chains_n;
	const struct worker *worker; /* NULL: none yet, or in another process */
};

static const char plain[] = "text/plain; charset=utf-8";

/* Takes `body`. */
static void reply_json(struct http_exchange *x, int status, json_t *body)
{
	CLEANUP(buf_free) struct buf out = buf_make(BODY_MAX);

	if (body && json_print(&out, body) == ERR_OK)
		http_exchange_reply(x, status, "application/json", buf_view(&out));
	else
		http_exchange_reply(x, 503, plain, BYTES_LIT("out of memory\n"));
	json_decref(body);
}

/* False: there is no room, and the exchange has its answer. */
static bool waiting_add(struct waiting *w, struct http_exchange *x)
{
	if (w->n == ARRAY_LEN(w->x)) {
		http_exchange_reply(x, 503, plain, BYTES_LIT("too many wait\n"));
		return false;
	}
	w->x[w->n++] = x;
	return true;
}

static void waiting_refuse(struct waiting *w)
{
	for (size_t i = 0; i < w->n; i++)
		http_exchange_reply(w->x[i], 503, plain, BYTES_LIT("stopping\n"));
	w->n = 0;
}

/* ---- questions to the database ---- */

static void question_answer(struct question *q, const struct store_result *r)
{
	const struct waiting w = q->waiting;

	q->waiting.n = 0;
	clock_timer_cancel(q->m->env.clock, &q->timer);
	scope_cancel(&q->call);
	q->reply(q->m, &w, r);
}

static void on_question(void *ctx, const struct store_result *r)
{
	struct question *q = ticket_close(ctx, NULL);

	if (q)
		question_answer(q, r);
}

static void on_question_late(void *ctx)
{
	question_answer(ctx, NULL);
}

/* Who comes while it is asked waits for the same answer. */
static void question_ask(struct question *q, struct http_exchange *x,
			 enum err (*add)(struct store_batch *b, int64_t now_ms))
{
	const struct connector_env *env = &q->m->env;
	struct store_batch b = store_batch_make(1 << 16);
	struct ticket *t;
	enum err e;

	if (!waiting_add(&q->waiting, x) || q->waiting.n > 1)
		return;
	t = scope_open(&q->call, env->inflight, q, 0);
	e = t ? add(&b, clock_wall_ms(env->clock)) : ERR_NOMEM;
	if (e == ERR_OK)
		e = store_submit(env->store, &b, on_question, t);
	store_batch_free(&b);
	if (e == ERR_OK) {
		clock_timer_set(env->clock, &q->timer, env->config->healthcheck_timeout_ms,
				on_question_late, q);
		return;
	}
	if (t)
		(void)ticket_close(t, NULL);
	question_answer(q, NULL);
}

static void question_end(struct question *q)
{
	clock_timer_cancel(q->m->env.clock, &q->timer);
	scope_cancel(&q->call);
	waiting_refuse(&q->waiting);
}

/* ---- /liveness, /version ---- */

static void on_liveness(void *ctx, struct http_exchange *x)
{
	(void)ctx;
	reply_json(x, 200, json_pack("{s:s, s:s}", "status_code", "200", "status", "alive"));
}

static void on_version(void *ctx, struct http_exchange *x)
{
	const struct monitoring *m = ctx;

	reply_json(x, 200,
		   json_pack("{s:s, s:s, s:s}", "name", m->name, "version", m->version, "build",
			     m->build));
}

/* ---- /healthz ---- */

static json_t *report_json(const struct health_report *r)
{
	return json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:I, s:I, s:s%}", "healthy",
			 health_report_good(r), "database_connected", r->database,
			 "gateway_connected", r->gateway, "ethereum_connected", r->ethereum,
			 "kms_core_connected", r->cores, "progress", r->progress,
			 "host_chains_connected", r->hosts, "oldest_unanswered_ms",
			 (json_int_t)r->oldest_unanswered_ms, "oldest_sending_ms",
			 (json_int_t)r->oldest_sending_ms, "details",
			 r->details.n > 0 ? (const char *)r->details.p : "", r->details.n);
}

static void on_health(void *ctx, const struct health_report *r)
{
	struct monitoring *m = ctx;
	struct waiting w = m->health_waiting;

	m->health_waiting.n = 0;
	for (size_t i = 0; i < w.n; i++)
		reply_json(w.x[i], health_report_good(r) ? 200 : 503, report_json(r));
}

static void on_healthz(void *ctx, struct http_exchange *x)
{
	struct monitoring *m = ctx;

	if (waiting_add(&m->health_waiting, x) && m->health_waiting.n == 1)
		health_check(m->health, on_health, m);
}

/* ---- /metrics ---- */

/* A row for every operation that has not ended: live rows are what the partial index holds. */
static const char states_sql[] =
	"SELECT kind, state, CASE WHEN lease_until_ms > $1 THEN 1 ELSE 0 END, count(*)"
	" FROM operation"
	" WHERE state IN ('seen','ready','computing','answered','sending') GROUP BY 1, 2, 3";

struct counts {
	struct kind_counts {
		int64_t waiting[OP_SENDING + 1], leased[OP_SENDING + 1];
	} kinds[OP_KINDS];
};

static void counts_read(struct counts *c, const struct store_rows *rows)
{
	for (size_t i = 0; i < rows->rows_n; i++) {
		enum op_kind kind;
		enum op_state state;
		bool leased = store_cell(rows, i, 2)->i != 0;

		if (op_kind_from_name(&kind, store_cell(rows, i, 0)->b) != ERR_OK ||
		    op_state_from_name(&state, store_cell(rows, i, 1)->b) != ERR_OK ||
		    state > OP_SENDING)
			continue;
		*(leased ? &c->kinds[kind].leased[state] : &c->kinds[kind].waiting[state]) =
			store_cell(rows, i, 3)->i;
	}
}

static void gauges_set_kind(struct connector_metrics *m, enum op_kind kind,
			    const struct kind_counts *c)
{
	unsigned event = metric_of_kind(kind);
	size_t n = event < METRIC_EVENTS_ANSWERED ? METRIC_UNPROCESSED_STEP
						  : METRIC_UNPROCESSED_RESPONSES_PENDING;
	int64_t sum[METRIC_UNPROCESSED_STEP] = {0};

	for (int s = OP_SEEN; s <= OP_SENDING; s++) {
		bool request = s < OP_ANSWERED;

		sum[request ? METRIC_UNPROCESSED_REQUESTS_PENDING
			    : METRIC_UNPROCESSED_RESPONSES_PENDING] += c->waiting[s];
		sum[request ? METRIC_UNPROCESSED_REQUESTS_UNDER_PROCESS
			    : METRIC_UNPROCESSED_RESPONSES_UNDER_PROCESS] += c->leased[s];
	}
	for (unsigned i = 0; i < n; i++)
		metrics_set(m, METRIC_UNPROCESSED, metric_unprocessed(event, i), sum[i]);
	metrics_set(m, METRIC_PENDING_EVENTS, event,
		    sum[METRIC_UNPROCESSED_REQUESTS_PENDING] +
			    sum[METRIC_UNPROCESSED_REQUESTS_UNDER_PROCESS]);
	if (event < METRIC_EVENTS_ANSWERED)
		metrics_set(m, METRIC_PENDING_RESPONSES, event,
			    sum[METRIC_UNPROCESSED_RESPONSES_PENDING] +
				    sum[METRIC_UNPROCESSED_RESPONSES_UNDER_PROCESS]);
}

static void gauges_set(struct connector_metrics *m, const struct counts *c)
{
	for (enum op_kind k = OP_KIND_PUBLIC_DECRYPTION; k < OP_KINDS; k++)
		gauges_set_kind(m, k, &c->kinds[k]);
}

static enum err print_counts(struct buf *out, const struct counts *c)
{
	TRY(buf_add_str(out, "# HELP kms_connector_operations Operations that have not ended, by "
			     "state.\n# TYPE kms_connector_operations gauge\n"));
	for (int s = OP_SEEN; s <= OP_SENDING; s++) {
		long long n = 0;

		for (enum op_kind k = OP_KIND_PUBLIC_DECRYPTION; k < OP_KINDS; k++)
			n += c->kinds[k].waiting[s] + c->kinds[k].leased[s];
		TRY(buf_addf(out, "kms_connector_operations{state=\"%s\"} %lld\n",
			     op_state_name((enum op_state)s), n));
	}
	return ERR_OK;
}

static enum err print_limits(struct buf *out)
{
	TRY(buf_add_str(out, "# HELP kms_connector_limit Named limits of this program.\n"
			     "# TYPE kms_connector_limit gauge\n"));
	for (const struct limit_row *l = limit_rows; l->name; l++)
		TRY(buf_addf(out, "kms_connector_limit{name=\"%s\"} %lld\n", l->name, l->value));
	return ERR_OK;
}

enum {
	BREAKERS_MAX = 256 /* more are not shown */
};

static size_t breakers_find(const struct monitoring *m, struct live_breaker out[BREAKERS_MAX])
{
	size_t n = service_signer_breaker(&out[0], m->env.signer, m->env.config) ? 1 : 0;

	for (size_t i = 0; i < worker_parts_n(m->worker) && n < BREAKERS_MAX; i++) {
		const struct worker_part p = worker_part(m->worker, i);

		out[n++] = (struct live_breaker){p.part, p.name, p.breaker, p.opened};
	}
	return n;
}

void monitoring_watch(struct monitoring *m, const struct worker *worker)
{
	m->worker = worker;
}

static void scrape_reply(struct monitoring *m, struct http_exchange *x, const struct counts *c)
{
	CLEANUP(buf_free) struct buf out = buf_make(BODY_MAX);
	struct live_breaker breakers[BREAKERS_MAX];
	size_t breakers_n = breakers_find(m, breakers);
	enum err e = ERR_OK;

	if (c)
		gauges_set(m->env.metrics, c);
	e = connector_metrics_print(m->env.metrics, &out);
	if (e == ERR_OK && c) /* what is not known is left out, not shown as zero */
		e = print_counts(&out, c);
	if (e == ERR_OK)
		e = chain_metrics_print(&out, m->chains, m->chains_n, breakers, breakers_n);
	if (e == ERR_OK)
		e = trace_metrics_print(&out, m->env.tracer);
	if (e == ERR_OK)
		e = process_metrics_print(&out, m->loop);
	if (e == ERR_OK)
		e = print_limits(&out);
	if (e == ERR_OK)
		http_exchange_reply(x, 200, "text/plain; version=0.0.4", buf_view(&out));
	else
		http_exchange_reply(x, 503, plain, BYTES_LIT("out of memory\n"));
}

static void scrapes_reply(struct monitoring *m, const struct waiting *w,
			  const struct store_result *r)
{
	struct counts c = {0};
	bool known = r && r->err == ERR_OK;

	if (known)
		counts_read(&c, &r->rows[0]);
	for (size_t i = 0; i < w->n; i++)
		scrape_reply(m, w->x[i], known ? &c : NULL);
}

static enum err states_add(struct store_batch *b, int64_t now_ms)
{
	return STORE_ADD(b, STORE_ANY, states_sql, store_int(now_ms));
}

static void on_metrics(void *ctx, struct http_exchange *x)
{
	struct monitoring *m = ctx;

	question_ask(&m->scrape, x, states_add);
}

/* ---- /status ---- */

/* `r` may be NULL: the database could not be asked. */
static void statuses_reply(struct monitoring *m, const struct waiting *w,
			   const struct store_result *r)
{
	const struct status_source s = {
		.name = m->name,
		.version = m->version,
		.build = m->build,
		.services = m->services,
		.store_shared = m->env.store_shared,
		.uptime_ms = clock_mono_ms(m->env.clock) - m->started_ms,
		.now_ms = clock_wall_ms(m->env.clock),
		.chains = m->chains,
		.chains_n = m->chains_n,
		.worker = m->worker,
		.signer = m->env.signer,
		.config = m->env.config,
	};

	for (size_t i = 0; i < w->n; i++)
		reply_json(w->x[i], 200, status_json(&s, r));
}

static void on_status(void *ctx, struct http_exchange *x)
{
	struct monitoring *m = ctx;

	question_ask(&m->status, x, status_add);
}

/* ---- life ---- */

static void chains_find(struct monitoring *m, const struct provider *ethereum)
{
	CHECK(m->env.hosts_n <= HOST_CHAINS_MAX);
	m->chains[m->chains_n++] = (struct live_chain){"gateway", m->env.gateway};
	if (ethereum)
		m->chains[m->chains_n++] = (struct live_chain){"ethereum", ethereum};
	if (m->env.parent)
		m->chains[m->chains_n++] = (struct live_chain){"gateway_parent", m->env.parent};
	for (size_t i = 0; i < m->env.hosts_n; i++)
		m->chains[m->chains_n++] = (struct live_chain){"host", m->env.hosts[i]};
}

static const struct http_route routes[] = {
	{"/healthz", on_healthz}, {"/liveness", on_liveness}, {"/version", on_version},
	{"/metrics", on_metrics}, {"/status", on_status},
};

enum err monitoring_start(struct monitoring **ret_monitoring, const struct monitoring_options *o,
			  struct err_note *note)
{
	struct monitoring *m = calloc(1, sizeof(*m));

	if (!m)
		return err_say(note, ERR_NOMEM, "out of memory");
	m->env = *o->env;
	m->loop = o->loop;
	m->name = o->name;
	m->version = o->version;
	m->build = o->build;
	m->services = o->services;
	m->started_ms = clock_mono_ms(m->env.clock);
	m->scrape = (struct question){.m = m, .reply = scrapes_reply};
	m->status = (struct question){.m = m, .reply = statuses_reply};
	chains_find(m, o->ethereum);

	enum err e = health_new(&m->health, &m->env, o->ethereum, o->services);
	if (e == ERR_OK)
		e = http_server_new(&m->server, o->loop, m->env.config->monitoring_endpoint, routes,
				    ARRAY_LEN(routes), m, note);
	if (e != ERR_OK) {
		monitoring_stop(m);
		return err_prefix(note, e, "monitoring_endpoint");
	}
	*ret_monitoring = m;
	return ERR_OK;
}

unsigned monitoring_port(const struct monitoring *m)
{
	return http_server_port(m->server);
}

void monitoring_stop(struct monitoring *m)
{
	if (!m)
		return;
	health_free(m->health);
	/* Exchanges that wait must be answered or they are never freed. */
	waiting_refuse(&m->health_waiting);
	question_end(&m->scrape);
	question_end(&m->status);
	http_server_free(m->server);
	free(m);
}
