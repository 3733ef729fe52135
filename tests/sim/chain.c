/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A chain: blocks with logs, of which the last may be replaced. Endpoints show it as it was some
 * blocks ago, or lie. State of contracts that are not the pool's is a function of the block number
 * alone, so a branch changes logs and transactions and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/keccak.h"
#include "rpc.h"

#define METHOD_NOT_FOUND "method not found"

enum {
	GENESIS_BLOCKS = 300,
	ANSWER_SIZE = 512 /* of most of them */
};

/* ---- blocks ---- */

static struct hash32 block_hash(const struct chain *c, uint64_t number)
{
	const uint64_t seed[] = {c->id, number, c->branches};

	return keccak256(bytes_from(seed, sizeof(seed)));
}

static void block_add(struct chain *c, uint64_t time_s)
{
	if (c->head + 1 >= c->cap) {
		c->cap = c->cap ? 2 * c->cap : 1024;
		c->v = realloc(c->v, c->cap * sizeof(*c->v));
		CHECK(c->v != NULL);
	}
	c->head++;
	c->v[c->head] = (struct block){.hash = block_hash(c, c->head), .time_s = time_s};
}

static uint64_t now_s(const struct chain *c)
{
	return (uint64_t)(loop_wall_ms(&c->sim->loop) / 1000);
}

void chain_mine(struct chain *c)
{
	block_add(c, now_s(c));
	pool_mine(c);
	for (size_t i = 0; i < c->sim->processes_n && c->sim->faults.on[FAULT_WAKES]; i++)
		process_wake(&c->sim->processes[i], c);
}

static void on_block(void *ctx)
{
	struct chain *c = ctx;

	if (c->stalled_until_ms <= c->sim->loop.now_ms)
		chain_mine(c);
	(void)loop_after(&c->sim->loop, NULL, c->block_ms, on_block, c);
}

void chain_begin(struct chain *c)
{
	(void)loop_after(&c->sim->loop, NULL, c->block_ms, on_block, c);
}

void chain_add_log(struct chain *c, uint64_t block, const struct chain_log *log)
{
	struct block *b = &c->v[block];

	CHECK(block <= c->head);
	if (b->logs_n == b->logs_cap) {
		b->logs_cap = b->logs_cap ? 2 * b->logs_cap : 2;
		b->logs = realloc(b->logs, b->logs_cap * sizeof(*b->logs));
		CHECK(b->logs != NULL);
	}
	b->logs[b->logs_n++] = *log;
}

/* As many blocks on another branch; the workload and the pool say what is in them. */
void chain_reorg(struct chain *c, uint64_t depth)
{
	struct sim *s = c->sim;
	uint64_t from = c->head - depth + 1;

	CHECK(depth < c->head);
	sim_trace(s, "%s: re-organised from block %llu to %llu", c->name, (unsigned long long)from,
		  (unsigned long long)c->head);
	s->reorgs++;
	c->branches++;
	requests_unmine(c, from);
	pool_unmine(c, from);
	for (uint64_t n = from; n <= c->head; n++) {
		free(c->v[n].logs);
		c->v[n].logs = NULL;
		c->v[n].logs_n = c->v[n].logs_cap = 0;
		c->v[n].hash = block_hash(c, n);
	}
	requests_remine(c, from);
	pool_mine(c);
	chain_mine(c); /* the branch that wins is longer */
}

void chain_init(struct chain *c, struct sim *s, const char *name, uint64_t id, size_t endpoints_n)
{
	*c = (struct chain){.sim = s, .name = name, .id = id, .endpoints_n = endpoints_n};
	c->creates = sim_chance(s, 80);
	for (size_t i = 0; i < endpoints_n; i++) {
		c->endpoints[i].chain = c;
		(void)snprintf(c->endpoints[i].url, sizeof(c->endpoints[i].url), "http://%s%zu",
			       name, i);
	}
	for (unsigned i = 0; i < GENESIS_BLOCKS; i++)
		block_add(c, now_s(c) - GENESIS_BLOCKS + i);
}

void chain_free(struct chain *c)
{
	for (uint64_t n = 0; c->v && n <= c->head; n++)
		free(n > 0 ? c->v[n].logs : NULL);
	free(c->v);
	pool_free(&c->pool);
}

/* ---- JSON-RPC ---- */

static void get_block(const struct rpc_ask *q, struct buf *out)
{
	const struct endpoint *e = q->e;
	const struct chain *c = e->chain;
	uint64_t n = rpc_block(e, rpc_param(q, 0));
	struct hash32 hash, parent;

	if (n > endpoint_head(e) || n == 0) {
		rpc_add(out, "null");
		return;
	}
	hash = c->v[n].hash;
	parent = n > 1 ? c->v[n - 1].hash : (struct hash32){{0}};
	hash.b[31] ^= e->lies && sim_chance(c->sim, 30) ? 1 : 0;
	rpc_add(out, "{");
	rpc_add_quantity_as(out, "number", n);
	rpc_add_hex_as(out, "hash", BYTES_OF(hash.b));
	rpc_add_hex_as(out, "parentHash", BYTES_OF(parent.b));
	rpc_add_quantity_as(out, "timestamp", c->v[n].time_s);
	rpc_add(out, ",\"transactions\":[]}");
}

static void add_log(struct buf *out, const struct chain *c, const struct chain_log *l,
		    uint64_t block, size_t index)
{
	struct hash32 hash = c->v[block].hash, none = {{0}};
	struct hash32 tx = hash32_eq(l->tx, none) ? hash : l->tx;

	rpc_add(out, out->p[out->n - 1] == '[' ? "{" : ",{");
	rpc_add_hex_as(out, "address", BYTES_OF(l->address.b));
	rpc_add(out, ",\"topics\":[");
	for (size_t i = 0; i < l->topics_n; i++) {
		rpc_add(out, i == 0 ? "" : ",");
		rpc_add_hex(out, BYTES_OF(l->topics[i].b));
	}
	rpc_add(out, "]");
	rpc_add_hex_as(out, "data", l->data);
	rpc_add_quantity_as(out, "blockNumber", block);
	rpc_add_hex_as(out, "blockHash", BYTES_OF(hash.b));
	rpc_add_hex_as(out, "transactionHash", BYTES_OF(tx.b));
	rpc_add_quantity_as(out, "transactionIndex", 0);
	rpc_add_quantity_as(out, "logIndex", index);
	rpc_add(out, ",\"removed\":false}");
}

/* A filter names addresses and topics in any order; what is not in its text is not wanted. */
static bool names(struct bytes params, struct bytes what)
{
	char hex[65];

	hex_encode(hex, what);
	return memmem(params.p, params.n, hex, 2 * what.n) != NULL;
}

static bool wanted(const struct rpc_ask *q, const struct chain_log *l)
{
	return names(q->params, BYTES_OF(l->address.b)) &&
	       names(q->params, BYTES_OF(l->topics[0].b));
}

static void get_logs(const struct rpc_ask *q, struct buf *out, struct rpc_error *ret_error)
{
	const struct endpoint *e = q->e;
	uint64_t from = rpc_block(e, rpc_member(q, "fromBlock"));
	uint64_t to = rpc_block(e, rpc_member(q, "toBlock"));
	const struct chain *c = e->chain;

	if (from > to) {
		ret_error->message = "invalid block range";
		return;
	}
	rpc_add(out, "[");
	/* As many nodes do: what it does not have yet it leaves out, without a word. */
	for (uint64_t n = from; n <= to && n <= endpoint_head(e); n++)
		for (size_t i = 0; i < c->v[n].logs_n; i++) {
			const struct chain_log *l = &c->v[n].logs[i];

			if (!wanted(q, l) || (e->lies && sim_chance(c->sim, 50)))
				continue;
			add_log(out, c, l, n, i);
			if (fault(c->sim, FAULT_LOG_AGAIN))
				add_log(out, c, l, n, i);
		}
	rpc_add(out, "]");
}

/* Of the transactions that are not the connector's only those that a request came with. */
static void get_transaction(const struct rpc_ask *q, struct buf *out)
{
	struct hash32 hash = rpc_hash(rpc_param(q, 0));
	const struct sim *s = q->e->chain->sim;

	for (size_t i = 0; i < s->requests_n; i++) {
		const struct request *r = s->requests[i];

		if (r->chain != q->e->chain || !r->user || !hash32_eq(r->tx, hash) ||
		    r->block == UINT64_MAX || r->block > endpoint_head(q->e))
			continue;
		rpc_add(out, "{");
		rpc_add_hex_as(out, "hash", BYTES_OF(hash.b));
		rpc_add_hex_as(out, "to", BYTES_OF(r->contract.b));
		rpc_add_hex_as(out, "input", r->user->calldata);
		rpc_add(out, "}");
		return;
	}
	rpc_add(out, "null");
}

static void run(const struct rpc_ask *q, struct buf *out, struct rpc_error *ret_error)
{
	struct chain *c = q->e->chain;

	if (rpc_is(q, "eth_chainId"))
		rpc_add_quantity(out, c->id);
	else if (rpc_is(q, "eth_blockNumber"))
		rpc_add_quantity(out, endpoint_head(q->e));
	else if (rpc_is(q, "eth_getBlockByNumber"))
		get_block(q, out);
	else if (rpc_is(q, "eth_getLogs"))
		get_logs(q, out, ret_error);
	else if (rpc_is(q, "eth_call"))
		contracts_call(q, out, ret_error);
	else if (rpc_is(q, "eth_getTransactionByHash"))
		get_transaction(q, out);
	else if (!pool_call(q, out, ret_error))
		ret_error->message = METHOD_NOT_FOUND;
}

static void add_error(struct buf *out, const struct rpc_error *error)
{
	bool unknown = strcmp(error->message, METHOD_NOT_FOUND) == 0;

	rpc_add(out, unknown ? "\"error\":{\"code\":-32601" : "\"error\":{\"code\":-32000");
	rpc_add(out, ",\"message\":\"");
	rpc_add(out, error->message);
	rpc_add(out, "\"");
	if (error->reverted)
		rpc_add_hex_as(out, "data", BYTES_OF(error->selector));
	rpc_add(out, "}");
}

void chain_serve(struct endpoint *e, const struct http_question *question, struct http_answer *a)
{
	const struct rpc_ask q = rpc_read(e, question->body);
	struct rpc_error error = {0};
	size_t before;

	a->status = 200;
	CHECK(buf_reserve(&a->body, ANSWER_SIZE) == ERR_OK);
	rpc_add(&a->body, "{\"jsonrpc\":\"2.0\",\"id\":");
	CHECK(buf_add(&a->body, q.id) == ERR_OK);
	rpc_add(&a->body, ",");
	before = a->body.n;
	rpc_add(&a->body, "\"result\":");
	run(&q, &a->body, &error);
	if (error.message) {
		a->body.n = before;
		add_error(&a->body, &error);
	}
	rpc_add(&a->body, "}");
}
