/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * BandwidthBenchmark: random payloads to all peers of a context, in so many sessions at once.
 *
 *   - Once: one payload in each session
 *   - Duration: in each session one after the other, the next when the last was taken, for so many
 *     seconds. A peer that failed is not asked again in that session
 *
 * Latencies are counted in a table of milliseconds, so that a long run needs no more memory than a
 * short one.
 */
#include "core/bandwidth.h"

#include <stdlib.h>

#include "base/limits.h"
#include "core/request_id.h"
#include "core/service_internal.h"
#include "kms.v1.pb-c.h"

const struct bandwidth_limits bandwidth_limits_defaults = {
	.max_payload_bytes = 256 << 20,
	.max_sessions = 256,
	.max_total_bytes = 1 << 30,
	.max_duration_secs = 60,
	.max_concurrent_runs = 1,
};

enum {
	LATENCIES = CORE_BENCH_TIMEOUT_MS + 1
};

struct bench;

struct bench_peer {
	struct bench *bench;
	unsigned party;
	char host[MPC_NAME_SIZE];
	uint64_t bytes_sent;
	int64_t longest_ms, sum_ms; /* how long its sessions took */
	uint64_t answers_n;
	bool failed;
	uint32_t answers[LATENCIES]; /* by milliseconds; longer ones are in the last */
};

/* The way of one session to one peer. */
struct bench_way {
	struct bench_peer *peer;
};

struct bench {
	struct visit *v;
	struct hash32 context_id;
	bool once;
	size_t payload_n, sessions_n;
	int64_t begin_ms, end_ms;
	size_t waiting; /* ways that are not at their end, and one for who begins them */
	size_t peers_n;
	struct bench_peer *peers;
	struct bench_way *ways; /* sessions_n of each peer */
};

static void bench_free(void *more)
{
	struct bench *b = more;

	b->v->core->benchmarks_n--;
	free(b->peers);
	free(b->ways);
	free(b);
}

static int64_t now_ms(const struct bench *b)
{
	return clock_mono_ms(loop_clock(b->v->core->o.loop));
}

/* ---- the answer ---- */

/* The latency at this place of the sorted list. */
static uint64_t latency_at(const struct bench_peer *p, uint64_t place)
{
	uint64_t before = 0;

	for (size_t ms = 0; ms < LATENCIES; ms++) {
		before += p->answers[ms];
		if (place < before)
			return ms;
	}
	return 0; /* no answer at all */
}

static void latency_put(Kms__V1__LatencyInfo *m, const struct bench_peer *p)
{
	uint64_t n = p->answers_n, sum = 0;

	for (size_t ms = 0; ms < LATENCIES; ms++)
		sum += (uint64_t)p->answers[ms] * ms;
	kms__v1__latency_info__init(m);
	m->average = n > 0 ? sum / n : 0;
	m->p50 = latency_at(p, n / 2);
	m->p90 = latency_at(p, n * 90 / 100);
	m->p99 = latency_at(p, n * 99 / 100);
	m->slowest = latency_at(p, n > 0 ? n - 1 : 0);
	m->fastest = latency_at(p, 0);
}

static void bench_answer(struct bench *b)
{
	struct visit *v = b->v;
	struct arena *memory = &v->memory;
	Kms__V1__BandwidthBenchmarkResponse response = KMS__V1__BANDWIDTH_BENCHMARK_RESPONSE__INIT;
	Kms__V1__PeerBandwidthInfo *infos = arena_alloc_array(memory, b->peers_n, sizeof(*infos));
	Kms__V1__LatencyInfo *latencies = arena_alloc_array(memory, b->peers_n, sizeof(*latencies));

	response.peers_info = arena_alloc_array(memory, b->peers_n, sizeof(*response.peers_info));
	if (!infos || !latencies || !response.peers_info) {
		visit_fail_nomem(v);
		return;
	}
	for (size_t i = 0; i < b->peers_n; i++) {
		struct bench_peer *p = &b->peers[i];
		int64_t ms = b->once ? p->longest_ms : p->sum_ms / (int64_t)b->sessions_n;

		kms__v1__peer_bandwidth_info__init(&infos[i]);
		infos[i].peer_id = p->party;
		infos[i].endpoint = p->host;
		infos[i].bytes_sent = p->bytes_sent;
		infos[i].duration = (uint64_t)ms / 1000;
		if (!p->failed) {
			latency_put(&latencies[i], p);
			infos[i].latency = &latencies[i];
		}
		response.peers_info[i] = &infos[i];
	}
	response.n_peers_info = b->peers_n;
	LOG_INFO(v->core->o.log, "Bandwidth benchmark ended", log_i("peers", (int64_t)b->peers_n),
		 log_i("sessions", (int64_t)b->sessions_n),
		 log_i("payload_bytes", (int64_t)b->payload_n),
		 log_i("ms", now_ms(b) - b->begin_ms));
	visit_reply_message(v, &response.base);
}

/* ---- the run ---- */

static void bench_rest(struct bench *b)
{
	if (--b->waiting == 0)
		bench_answer(b);
}

static void way_end(struct bench_way *w)
{
	struct bench_peer *p = w->peer;
	int64_t ms = now_ms(p->bench) - p->bench->begin_ms;

	p->sum_ms += ms;
	if (ms > p->longest_ms)
		p->longest_ms = ms;
	bench_rest(p->bench);
}

static enum err way_send(struct bench_way *w);

static void way_sent(void *ctx, const struct peer_probe_result *result)
{
	struct bench_way *w = ctx;
	struct bench_peer *p = w->peer;
	struct bench *b = p->bench;
	int64_t ms = result->us / 1000;
	bool more = !b->once && now_ms(b) < b->end_ms && b->v->core->phase == CORE_SERVING;

	if (result->err != ERR_OK) {
		p->failed = true;
		way_end(w);
		return;
	}
	p->bytes_sent += b->payload_n;
	p->answers_n++;
	p->answers[ms < 0 ? 0 : ms < LATENCIES ? ms : LATENCIES - 1]++;
	if (more && way_send(w) == ERR_OK)
		return;
	p->failed |= more; /* it could not be sent */
	way_end(w);
}

static enum err way_send(struct bench_way *w)
{
	struct bench *b = w->peer->bench;
	const struct peers *peers = &b->v->core->o.peers;
	const struct peer_probe_options options = {.context_id = b->context_id,
						   .party = w->peer->party,
						   .payload_size = b->payload_n,
						   .timeout_ms = CORE_BENCH_TIMEOUT_MS,
						   .done = way_sent,
						   .ctx = w};
	struct peer_probe *probe;

	return peers->ops->probe(&probe, peers->net, &options);
}

static void bench_run(struct bench *b)
{
	b->begin_ms = now_ms(b);
	b->end_ms += b->begin_ms;
	b->waiting = b->peers_n * b->sessions_n + 1;
	for (size_t i = 0; i < b->peers_n * b->sessions_n; i++) {
		struct bench_way *w = &b->ways[i];

		w->peer = &b->peers[i / b->sessions_n];
		if (!b->once && b->end_ms == b->begin_ms) {
			way_end(w); /* no time at all */
		} else if (way_send(w) != ERR_OK) {
			w->peer->failed = true;
			way_end(w);
		}
	}
	bench_rest(b);
}

/* ---- the call ---- */

struct bound {
	uint64_t value, min, max;
	const char *text;
};

/* The first that does not hold. */
static const char *bounds_break(const Kms__V1__BandwidthBenchmarkRequest *q,
				const struct bandwidth_limits *l)
{
	const struct bound bounds[] = {
		{q->payload_size_per_session, 0, l->max_payload_bytes,
		 "payload_size_per_session is over bandwidth_benchmark.max_payload_bytes"},
		{q->payload_size_per_session, 0, PEER_MESSAGE_MAX,
		 "payload_size_per_session is over what one message between nodes may have"},
		{q->number_sessions, 1, l->max_sessions,
		 "number_sessions is 0 or over bandwidth_benchmark.max_sessions"},
		{(uint64_t)q->payload_size_per_session * q->number_sessions, 0, l->max_total_bytes,
		 "payload times sessions is over bandwidth_benchmark.max_total_bytes"},
		{(uint64_t)(int64_t)q->kind, KMS__V1__BANDWIDTH_KIND__Duration,
		 KMS__V1__BANDWIDTH_KIND__Once, "kind is neither Duration nor Once"},
		{q->kind == KMS__V1__BANDWIDTH_KIND__Duration ? q->duration : 0, 0,
		 l->max_duration_secs, "duration is over bandwidth_benchmark.max_duration_secs"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		if (bounds[i].value < bounds[i].min || bounds[i].value > bounds[i].max)
			return bounds[i].text;
	return NULL;
}

static const struct mpc_context *context_find(const struct peers *peers, struct hash32 id)
{
	const struct mpc_context *c;

	for (size_t i = 0; (c = peers->ops->context(peers->net, i)) != NULL; i++)
		if (hash32_eq(c->id, id))
			return c;
	return NULL;
}

/* Takes one of the runs that may be; NULL without memory. */
static struct bench *bench_new(struct visit *v, const Kms__V1__BandwidthBenchmarkRequest *q,
			       const struct mpc_context *c)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	v->core->benchmarks_n++;
	v->more = b;
	v->free_more = bench_free;
	b->v = v;
	b->context_id = c->id;
	b->once = q->kind == KMS__V1__BANDWIDTH_KIND__Once;
	b->payload_n = q->payload_size_per_session;
	b->sessions_n = q->number_sessions;
	b->end_ms = b->once ? 0 : (int64_t)q->duration * 1000;
	b->peers = calloc(c->n, sizeof(*b->peers));
	b->ways = calloc((size_t)c->n * b->sessions_n, sizeof(*b->ways));
	if (!b->peers || !b->ways)
		return NULL;
	for (unsigned party = 1; party <= c->n; party++) {
		struct bench_peer *p = &b->peers[b->peers_n];

		if (party == c->me)
			continue;
		p->bench = b;
		p->party = party;
		memcpy(p->host, c->party[party - 1].host, sizeof(p->host));
		b->peers_n++;
	}
	return b;
}

static void bench_begin(struct visit *v, const Kms__V1__BandwidthBenchmarkRequest *q)
{
	struct core_service *s = v->core;
	const char *broken = bounds_break(q, &s->o.bandwidth);
	const struct mpc_context *c;
	struct hash32 context_id = request_id_default_context;
	struct bench *b;

	if (broken) {
		visit_fail_status(v, GRPC_INVALID_ARGUMENT, broken);
		return;
	}
	if (q->context_id &&
	    request_id_parse(&context_id, bytes_str(q->context_id->request_id)) != ERR_OK) {
		visit_fail_status(v, GRPC_INVALID_ARGUMENT, "context_id is not an identifier");
		return;
	}
	c = context_find(&s->o.peers, context_id);
	if (!c) {
		visit_fail_status(v, GRPC_NOT_FOUND, "no such context");
		return;
	}
	/* The configured bounds are for each peer; what they take of this node is for all. */
	if ((uint64_t)q->payload_size_per_session * q->number_sessions * (c->n - 1) >
	    CORE_BENCH_BYTES_MAX) {
		visit_fail_status(v, GRPC_RESOURCE_EXHAUSTED,
				  "payload times sessions times peers is over 512 MiB");
		return;
	}
	if (s->benchmarks_n >= s->o.bandwidth.max_concurrent_runs) {
		visit_fail_status(v, GRPC_RESOURCE_EXHAUSTED, "another benchmark is running");
		return;
	}
	b = bench_new(v, q, c);
	if (b)
		bench_run(b);
	else
		visit_fail_nomem(v);
}

void bandwidth_handle(void *ctx, struct grpc_call *call)
{
	struct core_service *s = ctx;
	struct bytes message = grpc_call_request(call);
	struct visit *v = visit_new(s, call, (enum request_kind)0, METRICS_BANDWIDTH);
	ProtobufCMessage *q;

	if (!v)
		return;
	v->memory = protobuf_arena(message);
	if (!s->o.peers.ops)
		visit_fail_status(v, GRPC_UNIMPLEMENTED, "a centralised node has no peers");
	else if (s->phase != CORE_SERVING)
		visit_fail_status(v, GRPC_UNAVAILABLE, "the node is starting or stopping");
	else if (protobuf_unpack(&q, &kms__v1__bandwidth_benchmark_request__descriptor, message,
				 &v->memory) != ERR_OK)
		visit_fail_status(v, GRPC_INVALID_ARGUMENT,
				  "the message is not a BandwidthBenchmarkRequest");
	else
		bench_begin(v, (const Kms__V1__BandwidthBenchmarkRequest *)q);
}
