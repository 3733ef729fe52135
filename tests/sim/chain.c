/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A chain: blocks with logs, of which the last may be replaced. Endpoints show it as it was some
 * blocks ago, or lie. State of contracts that are not the pool's is a function of the block number
 * alone, so a branch changes logs and transactions and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"
#include "contracts.h"
#include "crypto/keccak.h"
#include "sim.h"

enum {
	GENESIS_BLOCKS = 300,
	SAFE_DEPTH = 20,
	FINAL_DEPTH = 70
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
	if (c == &c->sim->gateway)
		pool_mine(c->sim, c->head);
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
	bool gateway = c == &s->gateway;

	CHECK(depth < c->head);
	sim_trace(s, "%s: re-organised from block %llu to %llu", c->name, (unsigned long long)from,
		  (unsigned long long)c->head);
	s->reorgs++;
	c->branches++;
	if (gateway) {
		requests_unmine(s, from);
		pool_unmine(s, from);
	}
	for (uint64_t n = from; n <= c->head; n++) {
		free(c->v[n].logs);
		c->v[n].logs = NULL;
		c->v[n].logs_n = c->v[n].logs_cap = 0;
		c->v[n].hash = block_hash(c, n);
	}
	if (gateway) {
		requests_remine(s, from);
		pool_mine(s, c->head);
	}
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
}

/* ---- JSON ---- */

json_t *rpc_hex(struct bytes b)
{
	CLEANUP(buf_free) struct buf text = buf_make(1 << 22);

	CHECK(hex_add(&text, b, true) == ERR_OK);
	return json_stringn((const char *)text.p, text.n);
}

json_t *rpc_quantity(uint64_t v)
{
	return json_sprintf("0x%llx", (unsigned long long)v);
}

uint64_t endpoint_head(const struct endpoint *e)
{
	return e->chain->head - e->lag;
}

uint64_t rpc_block(const struct endpoint *e, const json_t *tag)
{
	const char *text = json_string_value(tag);
	uint64_t head = endpoint_head(e);

	if (text && strncmp(text, "0x", 2) == 0)
		return strtoull(text, NULL, 16);
	if (text && strcmp(text, "safe") == 0)
		return head - SAFE_DEPTH;
	if (text && strcmp(text, "finalized") == 0)
		return head - FINAL_DEPTH;
	return head;
}

static json_t *get_block(struct endpoint *e, const json_t *params)
{
	const struct chain *c = e->chain;
	uint64_t n = rpc_block(e, json_array_get(params, 0));
	struct hash32 hash, parent;

	if (n > endpoint_head(e) || n == 0)
		return json_null();
	hash = c->v[n].hash;
	parent = n > 1 ? c->v[n - 1].hash : (struct hash32){{0}};
	hash.b[31] ^= e->lies && sim_chance(c->sim, 30) ? 1 : 0;
	return json_pack("{s:o,s:o,s:o,s:o,s:[]}", "number", rpc_quantity(n), "hash",
			 rpc_hex(BYTES_OF(hash.b)), "parentHash", rpc_hex(BYTES_OF(parent.b)),
			 "timestamp", rpc_quantity(c->v[n].time_s), "transactions");
}

static json_t *log_json(const struct chain *c, const struct chain_log *l, uint64_t block,
			size_t index)
{
	struct hash32 hash = c->v[block].hash;

	return json_pack("{s:o,s:[oo],s:o,s:o,s:o,s:o,s:o,s:o,s:b}", "address",
			 rpc_hex(BYTES_OF(l->address.b)), "topics",
			 rpc_hex(BYTES_OF(l->topics[0].b)), rpc_hex(BYTES_OF(l->topics[1].b)),
			 "data", rpc_hex(l->data), "blockNumber", rpc_quantity(block), "blockHash",
			 rpc_hex(BYTES_OF(hash.b)), "transactionHash", rpc_hex(BYTES_OF(hash.b)),
			 "transactionIndex", rpc_quantity(0), "logIndex", rpc_quantity(index),
			 "removed", 0);
}

static json_t *get_logs(struct endpoint *e, const json_t *params, const char **ret_error)
{
	const json_t *filter = json_array_get(params, 0);
	uint64_t from = rpc_block(e, json_object_get(filter, "fromBlock"));
	uint64_t to = rpc_block(e, json_object_get(filter, "toBlock"));
	const struct chain *c = e->chain;
	json_t *list = json_array();

	if (from > to) {
		json_decref(list);
		*ret_error = "invalid block range";
		return NULL;
	}
	/* As many nodes do: what it does not have yet it leaves out, without a word. */
	for (uint64_t n = from; n <= to && n <= endpoint_head(e); n++)
		for (size_t i = 0; i < c->v[n].logs_n; i++)
			if (!(e->lies && sim_chance(c->sim, 50)))
				json_array_append_new(list, log_json(c, &c->v[n].logs[i], n, i));
	return list;
}

static json_t *run(struct endpoint *e, const char *method, const json_t *params,
		   const char **ret_error, json_t **ret_data)
{
	struct sim *s = e->chain->sim;
	bool known = false;

	if (strcmp(method, "eth_chainId") == 0)
		return rpc_quantity(e->chain->id);
	if (strcmp(method, "eth_blockNumber") == 0)
		return rpc_quantity(endpoint_head(e));
	if (strcmp(method, "eth_getBlockByNumber") == 0)
		return get_block(e, params);
	if (strcmp(method, "eth_getLogs") == 0)
		return get_logs(e, params, ret_error);
	if (e->chain == &s->gateway) {
		json_t *out = pool_call(s, e, method, params, ret_error, ret_data, &known);

		if (known)
			return out;
	}
	if (strcmp(method, "eth_call") == 0)
		return contracts_call(e, params, ret_error);
	*ret_error = "method not found";
	return NULL;
}

void chain_serve(struct endpoint *e, const struct http_question *q, struct http_answer *a)
{
	CLEANUP(json_free_ptr) json_t *doc = NULL;
	CLEANUP(json_free_ptr) json_t *reply = NULL;
	json_t *result, *data = NULL, *id;
	const char *error = NULL, *method;

	a->status = 200;
	CHECK(json_parse(&doc, q->body, 1 << 22, NULL) == ERR_OK);
	method = json_string_value(json_object_get(doc, "method"));
	result = run(e, method, json_object_get(doc, "params"), &error, &data);
	id = json_incref(json_object_get(doc, "id"));
	if (result)
		reply = json_pack("{s:s,s:o,s:o}", "jsonrpc", "2.0", "id", id, "result", result);
	else
		reply = json_pack("{s:s,s:o,s:{s:i,s:s,s:o*}}", "jsonrpc", "2.0", "id", id, "error",
				  "code", strcmp(error, "method not found") == 0 ? -32601 : -32000,
				  "message", error, "data", data);
	CHECK(reply && json_print(&a->body, reply) == ERR_OK);
}
