/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the audit log and traces cost: operations through their five moves in SQLite, each move a
 * batch of its own as services submit them, 200 at a time. First the moves alone, then with their
 * audit records and an auditor that seals them, then with the spans of an operation besides, given
 * to a collector that takes them at once. The first is the baseline of the others.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/connector/world.h"
#include "connector/audit.h"

enum {
	OPERATIONS = 10000,
	AT_ONCE = 200,
	SPANS = 5, /* of an operation: listener, worker and its two stages, sender */
};

enum part {
	MOVES,
	AUDITED,
	TRACED,
	PARTS,
};

struct collector {
	struct transport base;
	http_done_fn *done;
	void *ctx;
};

static enum err take(struct transport *t, struct http_ticket *ret, const struct http_request *q,
		     http_done_fn *done, void *ctx)
{
	struct collector *c = CONTAINER_OF(t, struct collector, base);

	(void)q;
	*ret = (struct http_ticket){0};
	c->done = done;
	c->ctx = ctx;
	return ERR_OK;
}

static void forget(struct transport *t, struct http_ticket ticket)
{
	(void)t;
	(void)ticket;
}

static const struct transport_ops collector_ops = {take, forget, NULL};

static void answer(struct collector *c)
{
	http_done_fn *done = c->done;

	c->done = NULL;
	if (done)
		done(c->ctx, &(const struct http_reply){.status = 200});
}

static double now_s(clockid_t which)
{
	struct timespec t;

	(void)clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void insert_all(struct world *w)
{
	for (int64_t id = 1; id <= OPERATIONS; id++) {
		struct store_batch b = store_batch_make(1 << 16);
		struct operation op = {.key = {.chain = {WORLD_GATEWAY_CHAIN},
					       .kind = OP_KIND_PUBLIC_DECRYPTION,
					       .request_id = u256_from_u64((uint64_t)id)},
				       .content = BYTES_LIT("\0\0\0\0\0\0\0\0")};

		CHECK(op_add_insert(&b, &op, 1) == ERR_OK);
		CHECK(store_submit(&w->sim.store.base, &b, NULL, NULL) == ERR_OK);
		if (id % AT_ONCE == 0)
			sim_run(&w->sim, 0);
	}

	struct store_batch b = store_batch_make(1 << 16);
	CHECK(STORE_ADD(&b, STORE_ANY,
			"UPDATE operation SET lease_owner = 'bench', lease_until_ms = "
			"9000000000000000") == ERR_OK);
	CHECK(store_submit(&w->sim.store.base, &b, NULL, NULL) == ERR_OK);
	sim_run(&w->sim, 0);
}

static void move(struct world *w, int64_t id, unsigned step, bool audited)
{
	static const uint8_t proof[400], result[300];
	static const struct {
		enum op_state from;
		struct op_change change;
	} steps[] = {
		{OP_SEEN, {.to = OP_READY, .proof = {proof, sizeof(proof)}}},
		{OP_READY, {.to = OP_COMPUTING, .proof = {proof, sizeof(proof)}}},
		{OP_COMPUTING, {.to = OP_ANSWERED, .answer = {result, sizeof(result)}}},
		{OP_ANSWERED, {.to = OP_SENDING}},
		{OP_SENDING, {.to = OP_DONE}},
	};
	struct store_batch b = store_batch_make(1 << 16);

	CHECK(op_add_move(&b, id, steps[step].from, "bench", &steps[step].change, 1) == ERR_OK);
	if (!audited)
		b.n = 1; /* the move itself is the first statement */
	CHECK(store_submit(&w->sim.store.base, &b, NULL, NULL) == ERR_OK);
}

static void spans(struct tracer *t)
{
	static const struct trace_context nobody;
	const struct trace_attribute a[] = {{"event", "public_decryption_request"},
					    {"chain", "gateway"}};
	struct trace_context parent = nobody;

	for (unsigned i = 0; i < SPANS; i++) {
		struct trace_span s;

		trace_begin(t, &s, "handle_event", &parent);
		parent = s.self;
		trace_end(t, &s, false, a, ARRAY_LEN(a));
	}
}

struct figures {
	double per_s, cpu_us; /* operations a second; CPU of all threads for one */
	int64_t records;
};

static struct figures run(enum part part)
{
	struct world *w = calloc(1, sizeof(*w));
	struct collector c = {.base = {&collector_ops}};
	struct tracer *tracer = NULL;
	struct auditor *auditor = NULL;

	CHECK(w != NULL);
	world_init(w, 1);
	insert_all(w);
	const struct tracer_options o = {.url = "http://collector/v1/traces",
					 .service = "bench",
					 .version = "0",
					 .instance = "0"};
	if (part == TRACED)
		CHECK(tracer_new(&tracer, &c.base, &w->sim.clock, w->env.rng, &o, NULL) == ERR_OK);
	if (part >= AUDITED)
		CHECK(auditor_start(&auditor, &w->env, "bench") == ERR_OK);

	double began = now_s(CLOCK_MONOTONIC), cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	for (int64_t first = 1; first <= OPERATIONS; first += AT_ONCE)
		for (unsigned step = 0; step < 5; step++) {
			for (int64_t id = first; id < first + AT_ONCE; id++)
				move(w, id, step, part >= AUDITED);
			for (unsigned i = 0; step == 0 && i < AT_ONCE; i++)
				spans(tracer);
			sim_run(&w->sim, 100); /* the auditor's time, too */
			answer(&c);
		}
	while (part >= AUDITED &&
	       sim_sql_int(&w->sim, "SELECT count(*) FROM audit WHERE seq IS NULL") > 0)
		sim_run(&w->sim, 1000);
	struct figures f = {
		.per_s = OPERATIONS / (now_s(CLOCK_MONOTONIC) - began),
		.cpu_us = (now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / OPERATIONS,
	};

	CHECK(sim_sql_int(&w->sim, "SELECT count(*) FROM operation WHERE state = 'done'") ==
	      OPERATIONS);
	f.records = sim_sql_int(&w->sim, "SELECT count(*) FROM audit");
	auditor_stop(auditor);
	sim_run(&w->sim, 10);
	tracer_free(tracer);
	world_free(w);
	free(w);
	return f;
}

int main(void)
{
	static const char *const names[PARTS] = {
		[MOVES] = "moves alone",
		[AUDITED] = "with audit records, sealed",
		[TRACED] = "with five spans each besides",
	};
	struct figures base = {0};

	(void)printf(
		"audit and traces: %d operations of five moves, a batch each, %d at a time, SQLite "
		"in /tmp\n",
		OPERATIONS, AT_ONCE);
	for (enum part p = MOVES; p < PARTS; p++) {
		struct figures f = run(p);

		if (p == MOVES)
			base = f;
		(void)printf(
			"  %-28s %6.0f operations/s, %4.0f us of CPU each (+%.0f), %lld records\n",
			names[p], f.per_s, f.cpu_us, f.cpu_us - base.cpu_us, (long long)f.records);
	}
	return 0;
}
