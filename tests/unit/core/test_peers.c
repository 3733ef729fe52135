/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* GetHealthStatus and BandwidthBenchmark of a node that has peers: these are played, by the table
 * that a transport fills, so that each of them can be made slow, absent or busy. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "net/protobuf.h"
#include "support.h"

#define RPC_STATUS    "/" CORE_SERVICE_NAME "/GetHealthStatus"
#define RPC_BANDWIDTH "/" CORE_SERVICE_NAME "/BandwidthBenchmark"

enum {
	PROBES_MAX = 4096
};

struct peer_probe {
	struct played *p;
	struct timer timer;
	peer_probe_fn *done;
	void *ctx;
	struct peer_probe_result result;
};

/* A committee of which we are party `me`. */
struct played {
	struct loop *loop;
	struct mpc_context contexts[2];
	size_t contexts_n;
	enum err errs[MPC_PARTIES_MAX + 1];     /* what becomes of asking a party */
	int64_t delays_ms[MPC_PARTIES_MAX + 1]; /* after how long */
	enum err refuse;                        /* the asking itself */
	struct peer_probe probes[PROBES_MAX];
	size_t probes_n, payload_max;
	bool held;          /* probes wait until played_release */
	int64_t timeout_ms; /* the last */
};

static const struct mpc_context *played_context(void *net, size_t i)
{
	struct played *p = net;

	return i < p->contexts_n ? &p->contexts[i] : NULL;
}

static void probe_end(void *ctx)
{
	struct peer_probe *probe = ctx;

	probe->done(probe->ctx, &probe->result);
}

static enum err played_probe(struct peer_probe **ret_probe, void *net,
			     const struct peer_probe_options *o)
{
	struct played *p = net;
	struct peer_probe *probe;

	if (p->refuse != ERR_OK)
		return p->refuse;
	assert_true(p->probes_n < PROBES_MAX);
	assert_true(o->party >= 1 && o->party <= p->contexts[0].n);
	assert_int_not_equal(o->party, p->contexts[0].me);
	probe = &p->probes[p->probes_n++];
	*probe = (struct peer_probe){.p = p, .done = o->done, .ctx = o->ctx};
	probe->result.party = o->party;
	probe->result.err = p->errs[o->party];
	probe->result.us = p->delays_ms[o->party] * 1000;
	if (probe->result.err != ERR_OK)
		(void)snprintf(probe->result.text, sizeof(probe->result.text), "no route");
	if (o->payload_size > p->payload_max)
		p->payload_max = o->payload_size;
	p->timeout_ms = o->timeout_ms;
	if (!p->held)
		clock_timer_set(loop_clock(p->loop), &probe->timer, p->delays_ms[o->party],
				probe_end, probe);
	*ret_probe = probe;
	return ERR_OK;
}

static void played_release(struct played *p)
{
	p->held = false;
	for (size_t i = 0; i < p->probes_n; i++)
		clock_timer_set(loop_clock(p->loop), &p->probes[i].timer, 0, probe_end,
				&p->probes[i]);
}

static const struct peers_ops played_ops = {.context = played_context, .probe = played_probe};

struct state {
	struct fixture f;
	struct played p;
};

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	fixture_make(&s->f, KEY_TEST);
	s->p.loop = s->f.loop;
	s->p.contexts_n = 1;
	s->p.contexts[0].id = request_id_default_context;
	s->p.contexts[0].n = 4;
	s->p.contexts[0].threshold = 1;
	s->p.contexts[0].me = 2;
	for (unsigned i = 0; i < 13; i++)
		(void)snprintf(s->p.contexts[0].party[i].host, MPC_NAME_SIZE, "node-%u.example",
			       i + 1);
	s->f.peers = (struct peers){.ops = &played_ops, .net = &s->p};
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	fixture_remove(&s->f);
	free(s);
	return 0;
}

/* ---- GetHealthStatus ---- */

struct answer {
	enum grpc_status status;
	struct buf reply;
	struct arena memory;
	const ProtobufCMessage *m;
};

static struct answer answer_of(struct call *c, const ProtobufCMessageDescriptor *descriptor)
{
	struct answer a = {0};
	ProtobufCMessage *m;

	call_wait(c);
	a.status = c->status;
	a.reply = buf_take(&c->reply);
	a.memory = protobuf_arena(buf_view(&a.reply));
	if (a.status == GRPC_OK) {
		OK(protobuf_unpack(&m, descriptor, buf_view(&a.reply), &a.memory));
		a.m = m;
	}
	call_free(c);
	return a;
}

static void answer_free(struct answer *a)
{
	arena_free(&a->memory);
	buf_free(&a->reply);
}

static struct answer ask_health(struct state *s)
{
	struct call c;

	call_start(&c, s->f.loop, s->f.channel, RPC_STATUS, BYTES_NONE, 20000);
	return answer_of(&c, &kms__v1__health_status_response__descriptor);
}

static const Kms__V1__HealthStatusResponse *health_of(const struct answer *a)
{
	assert_int_equal(a->status, GRPC_OK);
	return (const Kms__V1__HealthStatusResponse *)a->m;
}

static void test_health(void **state)
{
	struct state *s = *state;
	const struct vault vault = core_config_vault(&s->f.config.private_vault, true);
	const struct vault_name name = {.type = THRESHOLD_KEY_TYPE,
					.epoch = &request_id_default_epoch,
					.id = request_number(9)};
	struct err_note note = {0};
	struct answer a;

	OK(vault_write(&vault, &name, BYTES_LIT("a share"), &note));
	s->p.errs[4] = ERR_UNAVAILABLE;
	s->p.delays_ms[1] = 20;
	node_up(&s->f);
	a = ask_health(s);

	const Kms__V1__HealthStatusResponse *m = health_of(&a);

	assert_int_equal(m->node_type, KMS__V1__NODE_TYPE__NODE_TYPE_THRESHOLD);
	assert_string_equal(m->my_storage_info, "Threshold KMS - file storage");
	assert_int_equal(m->n_my_fhe_key_ids, 1);
	assert_int_equal(m->n_peers_from_all_contexts, 1);

	const Kms__V1__PeersFromContext *c = m->peers_from_all_contexts[0];

	assert_int_equal(c->my_party_id, 2);
	assert_int_equal(c->threshold_required, 2);
	assert_int_equal(c->nodes_reachable, 3);
	assert_int_equal(c->status, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_HEALTHY);
	assert_int_equal(c->n_peers, 3);
	assert_int_equal(c->peers[0]->peer_id, 1);
	assert_string_equal(c->peers[0]->endpoint, "node-1.example");
	assert_true(c->peers[0]->reachable);
	assert_int_equal(c->peers[0]->latency_ms, 20);
	assert_string_equal(c->peers[0]->error, "");
	assert_int_equal(c->peers[1]->peer_id, 3);
	assert_true(c->peers[1]->reachable);
	assert_int_equal(c->peers[2]->peer_id, 4);
	assert_false(c->peers[2]->reachable);
	assert_string_equal(c->peers[2]->error, "no route");
	assert_int_equal(s->p.payload_max, 0);
	assert_int_equal(s->p.timeout_ms, CORE_PROBE_TIMEOUT_MS);
	answer_free(&a);
}

/* For each number of parties that cannot be reached. */
static void test_health_status(void **state)
{
	struct state *s = *state;
	static const struct {
		unsigned n, away;
		Kms__V1__HealthStatus status;
	} rows[] = {
		{4, 0, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_OPTIMAL},
		{4, 1, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_HEALTHY},
		{4, 2, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY},
		{4, 3, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY},
		{13, 0, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_OPTIMAL},
		{13, 1, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_HEALTHY},
		{13, 4, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_HEALTHY},
		{13, 5, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_DEGRADED},
		{13, 7, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_DEGRADED},
		{13, 8, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY},
		{13, 12, KMS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY},
	};

	node_up(&s->f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer a;

		s->p.contexts[0].n = rows[i].n;
		memset(s->p.errs, 0, sizeof(s->p.errs));
		for (unsigned party = rows[i].n, away = 0; away < rows[i].away; party--)
			if (party != s->p.contexts[0].me) {
				s->p.errs[party] = ERR_TIMEOUT;
				away++;
			}
		a = ask_health(s);
		assert_int_equal(health_of(&a)->peers_from_all_contexts[0]->nodes_reachable,
				 rows[i].n - rows[i].away);
		assert_int_equal(health_of(&a)->peers_from_all_contexts[0]->status, rows[i].status);
		answer_free(&a);
	}
}

/* A transport that takes nothing, no context, and two of them. */
static void test_health_contexts(void **state)
{
	struct state *s = *state;
	struct answer a;

	node_up(&s->f);
	s->p.refuse = ERR_BUSY;
	a = ask_health(s);
	assert_int_equal(health_of(&a)->peers_from_all_contexts[0]->nodes_reachable, 1);
	assert_string_equal(health_of(&a)->peers_from_all_contexts[0]->peers[0]->error,
			    err_name(ERR_BUSY));
	answer_free(&a);
	s->p.refuse = ERR_OK;
	s->p.contexts_n = 0;
	a = ask_health(s);
	assert_int_equal(health_of(&a)->n_peers_from_all_contexts, 0);
	answer_free(&a);
	s->p.contexts_n = 2;
	s->p.contexts[1] = s->p.contexts[0];
	s->p.contexts[1].id = request_number(3);
	a = ask_health(s);
	assert_int_equal(health_of(&a)->n_peers_from_all_contexts, 2);
	assert_int_equal(health_of(&a)->peers_from_all_contexts[1]->nodes_reachable, 4);
	answer_free(&a);
}

enum {
	LOOKS = 3 * CORE_LOOKS_MAX
};

/* So many look at once, no more; and all that was begun is answered. */
static void test_looks(void **state)
{
	struct state *s = *state;
	static struct call calls[LOOKS];
	unsigned done = 0, good = 0;
	struct answer a;

	node_up(&s->f);
	s->p.held = true;
	for (size_t i = 0; i < LOOKS; i++)
		call_start(&calls[i], s->f.loop, s->f.channel, RPC_STATUS, BYTES_NONE, 20000);
	while (done < LOOKS - CORE_LOOKS_MAX || s->p.probes_n < 3 * CORE_LOOKS_MAX) {
		loop_pause(s->f.loop, 5);
		done = 0;
		for (size_t i = 0; i < LOOKS; i++)
			done += calls[i].done;
	}
	assert_int_equal(done, LOOKS - CORE_LOOKS_MAX);
	played_release(&s->p);
	for (size_t i = 0; i < LOOKS; i++) {
		call_wait(&calls[i]);
		good += calls[i].status == GRPC_OK;
		assert_true(calls[i].status == GRPC_OK ||
			    calls[i].status == GRPC_RESOURCE_EXHAUSTED);
		call_free(&calls[i]);
	}
	assert_int_equal(good, CORE_LOOKS_MAX);
	a = ask_health(s);
	assert_int_equal(a.status, GRPC_OK);
	answer_free(&a);
}

/* ---- BandwidthBenchmark ---- */

static void bench_start(struct state *s, struct call *c,
			const Kms__V1__BandwidthBenchmarkRequest *q)
{
	struct buf message = buf_make(1 << 16);

	OK(protobuf_pack(&message, &q->base));
	call_start(c, s->f.loop, s->f.channel, RPC_BANDWIDTH, buf_view(&message), 20000);
	buf_free(&message);
}

static struct answer bench_run(struct state *s, const Kms__V1__BandwidthBenchmarkRequest *q)
{
	struct call c;

	bench_start(s, &c, q);
	return answer_of(&c, &kms__v1__bandwidth_benchmark_response__descriptor);
}

static Kms__V1__BandwidthBenchmarkRequest bench_request(void)
{
	Kms__V1__BandwidthBenchmarkRequest q = KMS__V1__BANDWIDTH_BENCHMARK_REQUEST__INIT;

	q.kind = KMS__V1__BANDWIDTH_KIND__Once;
	q.number_sessions = 3;
	q.payload_size_per_session = 1000;
	return q;
}

static const Kms__V1__BandwidthBenchmarkResponse *bench_of(const struct answer *a)
{
	assert_int_equal(a->status, GRPC_OK);
	return (const Kms__V1__BandwidthBenchmarkResponse *)a->m;
}

static void test_bench_once(void **state)
{
	struct state *s = *state;
	Kms__V1__BandwidthBenchmarkRequest q = bench_request();
	struct answer a;

	s->p.delays_ms[1] = 7;
	s->p.errs[4] = ERR_TIMEOUT;
	node_up(&s->f);
	a = bench_run(s, &q);

	const Kms__V1__BandwidthBenchmarkResponse *m = bench_of(&a);

	assert_int_equal(m->n_peers_info, 3);
	assert_int_equal(s->p.probes_n, 9);
	assert_int_equal(s->p.payload_max, 1000);
	assert_int_equal(m->peers_info[0]->peer_id, 1);
	assert_string_equal(m->peers_info[0]->endpoint, "node-1.example");
	assert_int_equal(m->peers_info[0]->bytes_sent, 3000);
	assert_int_equal(m->peers_info[0]->duration, 0);
	assert_int_equal(m->peers_info[0]->latency->average, 7);
	assert_int_equal(m->peers_info[0]->latency->p50, 7);
	assert_int_equal(m->peers_info[0]->latency->p99, 7);
	assert_int_equal(m->peers_info[1]->latency->slowest, 0);
	assert_int_equal(m->peers_info[2]->bytes_sent, 0);
	assert_null(m->peers_info[2]->latency);
	answer_free(&a);
}

/* One second: the next when the last was taken; a peer that failed is left alone. */
static void test_bench_duration(void **state)
{
	struct state *s = *state;
	Kms__V1__BandwidthBenchmarkRequest q = bench_request();
	struct answer a;

	for (unsigned party = 1; party <= 4; party++)
		s->p.delays_ms[party] = 10 * party;
	s->p.errs[3] = ERR_REMOTE;
	q.kind = KMS__V1__BANDWIDTH_KIND__Duration;
	q.duration = 1;
	q.number_sessions = 2;
	node_up(&s->f);
	a = bench_run(s, &q);

	const Kms__V1__BandwidthBenchmarkResponse *m = bench_of(&a);

	assert_int_equal(m->n_peers_info, 3);
	assert_true(m->peers_info[0]->bytes_sent >= 2000);
	assert_int_equal(m->peers_info[0]->bytes_sent % 1000, 0);
	assert_true(m->peers_info[0]->duration >= 1);
	assert_int_equal(m->peers_info[0]->latency->fastest, 10);
	assert_int_equal(m->peers_info[2]->latency->p90, 40);
	assert_null(m->peers_info[1]->latency);
	assert_int_equal(m->peers_info[1]->bytes_sent, 0);
	assert_true(m->peers_info[0]->bytes_sent + m->peers_info[2]->bytes_sent ==
		    1000 * (s->p.probes_n - 2));
	answer_free(&a);

	q.duration = 0;
	s->p.probes_n = 0;
	a = bench_run(s, &q);
	assert_int_equal(bench_of(&a)->n_peers_info, 3);
	assert_int_equal(s->p.probes_n, 0);
	assert_int_equal(bench_of(&a)->peers_info[0]->latency->average, 0);
	answer_free(&a);
}

static void test_bench_bounds(void **state)
{
	struct state *s = *state;
	static const struct {
		uint32_t payload, sessions;
		uint64_t duration;
		int kind;
		enum grpc_status status;
	} rows[] = {
		{1000, 4, 0, KMS__V1__BANDWIDTH_KIND__Once, GRPC_OK},
		{1001, 1, 0, KMS__V1__BANDWIDTH_KIND__Once, GRPC_INVALID_ARGUMENT},
		{UINT32_MAX, UINT32_MAX, 0, KMS__V1__BANDWIDTH_KIND__Once, GRPC_INVALID_ARGUMENT},
		{1000, 0, 0, KMS__V1__BANDWIDTH_KIND__Once, GRPC_INVALID_ARGUMENT},
		{1, 9, 0, KMS__V1__BANDWIDTH_KIND__Once, GRPC_INVALID_ARGUMENT},
		{1000, 5, 0, KMS__V1__BANDWIDTH_KIND__Once, GRPC_INVALID_ARGUMENT},
		{1000, 1, 99, KMS__V1__BANDWIDTH_KIND__Once, GRPC_OK}, /* counts for nothing */
		{1000, 1, 3, KMS__V1__BANDWIDTH_KIND__Duration, GRPC_INVALID_ARGUMENT},
		{1000, 1, 0, 2, GRPC_INVALID_ARGUMENT},
		{1000, 1, 0, -1, GRPC_INVALID_ARGUMENT},
	};
	Kms__V1__RequestId id = KMS__V1__REQUEST_ID__INIT;
	Kms__V1__BandwidthBenchmarkRequest q = bench_request();
	char text[REQUEST_ID_TEXT_SIZE];
	struct answer a;

	s->f.config.bandwidth = (struct bandwidth_limits){.max_payload_bytes = 1000,
							  .max_sessions = 8,
							  .max_total_bytes = 4000,
							  .max_duration_secs = 2,
							  .max_concurrent_runs = 1};
	node_up(&s->f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		q.payload_size_per_session = rows[i].payload;
		q.number_sessions = rows[i].sessions;
		q.duration = rows[i].duration;
		q.kind = (Kms__V1__BandwidthKind)rows[i].kind;
		a = bench_run(s, &q);
		assert_int_equal(a.status, rows[i].status);
		answer_free(&a);
	}
	q = bench_request();
	request_id_text(text, request_number(3));
	id.request_id = text;
	q.context_id = &id;
	a = bench_run(s, &q);
	assert_int_equal(a.status, GRPC_NOT_FOUND);
	answer_free(&a);
	text[63] = 'x';
	a = bench_run(s, &q);
	assert_int_equal(a.status, GRPC_INVALID_ARGUMENT);
	answer_free(&a);
	assert_int_equal(call_once(&s->f, RPC_BANDWIDTH, BYTES_LIT("\x0a\x7f"), NULL),
			 GRPC_INVALID_ARGUMENT);
}

/* What the configured bounds allow for each peer may be too much for all of them. */
static void test_bench_memory(void **state)
{
	struct state *s = *state;
	static const struct {
		uint32_t payload, sessions;
		enum grpc_status status;
	} rows[] = {
		{1 << 20, 171, GRPC_RESOURCE_EXHAUSTED},
		{(64 << 20) + 1, 1, GRPC_INVALID_ARGUMENT},
		{1 << 20, 2, GRPC_OK},
	};
	Kms__V1__BandwidthBenchmarkRequest q = bench_request();
	struct answer a;

	node_up(&s->f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		q.payload_size_per_session = rows[i].payload;
		q.number_sessions = rows[i].sessions;
		a = bench_run(s, &q);
		assert_int_equal(a.status, rows[i].status);
		answer_free(&a);
	}
}

/* One at a time; the next may begin when it has ended. */
static void test_bench_concurrent(void **state)
{
	struct state *s = *state;
	const Kms__V1__BandwidthBenchmarkRequest q = bench_request();
	struct call first, second;
	struct answer a;

	node_up(&s->f);
	s->p.held = true;
	bench_start(s, &first, &q);
	while (s->p.probes_n == 0)
		loop_pause(s->f.loop, 2);
	bench_start(s, &second, &q);
	a = answer_of(&second, &kms__v1__bandwidth_benchmark_response__descriptor);
	assert_int_equal(a.status, GRPC_RESOURCE_EXHAUSTED);
	answer_free(&a);
	played_release(&s->p);
	a = answer_of(&first, &kms__v1__bandwidth_benchmark_response__descriptor);
	assert_int_equal(bench_of(&a)->n_peers_info, 3);
	answer_free(&a);
	s->p.refuse = ERR_RANGE; /* and the transport takes none */
	a = bench_run(s, &q);
	assert_null(bench_of(&a)->peers_info[0]->latency);
	answer_free(&a);
}

static void test_centralised(void **state)
{
	struct state *s = *state;
	const Kms__V1__BandwidthBenchmarkRequest q = bench_request();
	struct answer a;

	s->f.peers = (struct peers){0};
	node_up(&s->f);
	a = bench_run(s, &q);
	assert_int_equal(a.status, GRPC_UNIMPLEMENTED);
	answer_free(&a);
	a = ask_health(s);
	assert_int_equal(health_of(&a)->n_peers_from_all_contexts, 0);
	assert_int_equal(health_of(&a)->node_type, KMS__V1__NODE_TYPE__NODE_TYPE_CENTRALIZED);
	assert_int_equal(health_of(&a)->n_my_fhe_key_ids, 1);
	answer_free(&a);
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_health),       CASE(test_health_status), CASE(test_health_contexts),
		CASE(test_looks),        CASE(test_bench_once),    CASE(test_bench_duration),
		CASE(test_bench_bounds), CASE(test_bench_memory),  CASE(test_bench_concurrent),
		CASE(test_centralised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
