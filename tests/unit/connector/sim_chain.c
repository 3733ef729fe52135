/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A chain behind JSON-RPC: just what the connector asks of one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "connector/worker/acl_many.h"
#include "crypto/keccak.h"
#include "sim.h"

static struct hash32 hash_of(const struct sim_chain *c, uint64_t number, unsigned branch)
{
	const uint64_t seed[] = {c->chain_id, number, branch};

	return keccak256(bytes_from(seed, sizeof(seed)));
}

struct hash32 sim_block_hash(const struct sim_chain *c, uint64_t number)
{
	return hash_of(c, number, c->branch_of[number]);
}

static json_t *hex_text(struct bytes b)
{
	struct buf text CLEANUP(buf_free) = buf_make(1 << 22);

	assert_int_equal(hex_add(&text, b, true), ERR_OK);
	return json_stringn((const char *)text.p, text.n);
}

static json_t *quantity(uint64_t v)
{
	return json_sprintf("0x%llx", (unsigned long long)v);
}

static uint64_t parse_tag(const struct sim_chain *c, const json_t *tag)
{
	const char *text = json_string_value(tag);

	if (text && strncmp(text, "0x", 2) == 0)
		return strtoull(text, NULL, 16);
	if (text && strcmp(text, "safe") == 0)
		return c->safe;
	if (text && strcmp(text, "finalized") == 0)
		return c->finalized;
	return c->head;
}

/* ---- methods: a new reference, or NULL and *ret_error ---- */

static json_t *get_block(struct sim_chain *c, const json_t *params)
{
	static const uint8_t zero[256];
	const json_t *tag = json_array_get(params, 0);
	uint64_t n = parse_tag(c, tag);
	bool lies = c->head_said > 0 && strncmp(json_string_value(tag), "0x", 2) != 0;
	struct hash32 hash, parent = {{0}};

	if (n > c->head)
		return json_null();
	hash = sim_block_hash(c, n);
	if (n > 0)
		parent = sim_block_hash(c, n - 1);
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:[]}", "number", quantity(lies ? c->head_said : n),
			 "hash", hex_text(BYTES_OF(hash.b)), "parentHash",
			 hex_text(BYTES_OF(parent.b)), "timestamp", quantity(c->time_s[n]),
			 "logsBloom", hex_text(BYTES_OF(zero)), "transactions");
}

static json_t *get_block_by_hash(struct sim_chain *c, const json_t *params)
{
	struct hash32 wanted;
	enum err err = ERR_OK;

	json_get_hex_fixed(json_array_get(params, 0), NULL, wanted.b, sizeof(wanted.b), &err);
	assert_int_equal(err, ERR_OK);
	for (uint64_t n = 0; n <= c->head; n++)
		if (hash32_eq(sim_block_hash(c, n), wanted)) {
			json_t *at CLEANUP(json_free_ptr) = json_pack("[o]", quantity(n));

			return get_block(c, at);
		}
	return json_null();
}

static json_t *log_json(const struct sim_chain *c, const struct sim_log *l, uint64_t block,
			uint64_t index)
{
	struct hash32 hash = hash_of(c, block, l->branch);
	json_t *topics = json_array();

	for (unsigned i = 0; i < l->topics_n; i++)
		json_array_append_new(topics, hex_text(BYTES_OF(l->topics[i].b)));
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b}", "address",
			 hex_text(BYTES_OF(l->address.b)), "topics", topics, "data",
			 hex_text(l->data), "blockNumber", quantity(block), "blockHash",
			 hex_text(BYTES_OF(hash.b)), "transactionHash", hex_text(BYTES_OF(hash.b)),
			 "transactionIndex", quantity(0), "logIndex", quantity(index), "removed",
			 0);
}

static json_t *get_logs(struct sim_chain *c, const json_t *params, const char **ret_error)
{
	const json_t *filter = json_array_get(params, 0);
	json_t *list = json_array();

	c->last_from = parse_tag(c, json_object_get(filter, "fromBlock"));
	c->last_to = parse_tag(c, json_object_get(filter, "toBlock"));
	if (c->last_to - c->last_from + 1 > c->widest)
		c->widest = c->last_to - c->last_from + 1;
	if (c->get_logs++ == 0)
		c->first_get_logs_ms = c->sim->now_ms;
	if (c->logs_blocks_max > 0 && c->last_to - c->last_from >= c->logs_blocks_max) {
		json_decref(list);
		*ret_error = "query returned more than 10000 results";
		return NULL;
	}
	for (size_t i = 0; i < c->logs_n; i++) {
		const struct sim_log *l = &c->logs[i];
		bool on_chain = l->block <= c->head && l->branch == c->branch_of[l->block];

		if (on_chain && !l->hidden && l->block >= c->last_from && l->block <= c->last_to)
			json_array_append_new(
				list,
				log_json(c, l, c->lie_from_block ? c->lie_from_block : l->block,
					 i));
	}
	return list;
}

static json_t *get_tx(struct sim_chain *c, const json_t *params)
{
	struct hash32 hash;
	enum err err = ERR_OK;

	c->get_txs++;
	json_get_hex_fixed(json_array_get(params, 0), NULL, hash.b, sizeof(hash.b), &err);
	assert_int_equal(err, ERR_OK);
	for (size_t i = 0; i < c->txs_n; i++)
		if (!c->txs[i].hidden && hash32_eq(c->txs[i].hash, hash))
			return json_pack("{s:o,s:o,s:o}", "hash", hex_text(BYTES_OF(hash.b)), "to",
					 c->txs[i].creates ? json_null()
							   : hex_text(BYTES_OF(c->txs[i].to.b)),
					 "input", hex_text(c->txs[i].input));
	return json_null();
}

/* What the constructor of acl_many.c does: a byte for each question. */
static bool ask_many(struct sim_chain *c, struct bytes data, struct buf *result)
{
	struct reader r = reader_of(data);
	struct bytes code = reader_bytes(&r, ACL_MANY_CODE_SIZE);
	struct address to = {{0}};

	assert_memory_equal(code.p, acl_many_code, ACL_MANY_CODE_SIZE);
	assert_true(data.n <= ACL_MANY_BYTES_MAX);
	struct bytes contract = reader_bytes(&r, sizeof(to.b));
	memcpy(to.b, contract.p, sizeof(to.b));
	while (reader_offset(&r) < data.n) {
		struct buf one CLEANUP(buf_free) = buf_make(1 << 10);
		const uint8_t zero[31] = {0};
		struct bytes size = reader_bytes(&r, 2);
		struct bytes question = reader_bytes(&r, (size_t)size.p[0] << 8 | size.p[1]);
		bool said = c->call(c->call_ctx, to, question, c->head, &one) && one.n == 32 &&
			    memcmp(one.p, zero, sizeof(zero)) == 0 && one.p[31] < 2;

		c->questions++;
		assert_int_equal(buf_add_u8(result, said ? one.p[31] : 2), ERR_OK);
	}
	return true;
}

static json_t *eth_call(struct sim_chain *c, const json_t *params, const char **ret_error)
{
	const json_t *msg = json_array_get(params, 0);
	struct buf data CLEANUP(buf_free) = buf_make(1 << 20),
			result CLEANUP(buf_free) = buf_make(1 << 20);
	struct address to;
	enum err err = ERR_OK;
	const char *field = json_object_get(msg, "data") ? "data" : "input";

	c->calls++;
	bool create = !json_object_get(msg, "to");
	if (!create)
		json_get_hex_fixed(msg, "to", to.b, sizeof(to.b), &err);
	json_get_hex(msg, field, &data, &err);
	c->call_gas = json_object_get(msg, "gas") ? parse_tag(c, json_object_get(msg, "gas")) : 0;
	assert_int_equal(err, ERR_OK);
	if (parse_tag(c, json_array_get(params, 1)) > c->head) {
		*ret_error = "header not found";
		return NULL;
	}
	if (create && c->no_create) {
		*ret_error = "missing value for required argument: to";
		return NULL;
	}
	if (create) {
		assert_true(ask_many(c, buf_view(&data), &result));
		return hex_text(buf_view(&result));
	}
	if (!c->call || !c->call(c->call_ctx, to, buf_view(&data), c->head, &result)) {
		*ret_error = "execution reverted";
		return NULL;
	}
	return hex_text(buf_view(&result));
}

static json_t *run(struct sim_chain *c, const char *method, const json_t *params,
		   const char **ret_error)
{
	if (strcmp(method, "eth_chainId") == 0)
		return quantity(c->chain_id);
	if (strcmp(method, "eth_blockNumber") == 0)
		return quantity(c->head);
	if (strcmp(method, "eth_getBlockByNumber") == 0)
		return get_block(c, params);
	if (strcmp(method, "eth_getBlockByHash") == 0)
		return get_block_by_hash(c, params);
	if (strcmp(method, "eth_getLogs") == 0)
		return get_logs(c, params, ret_error);
	if (strcmp(method, "eth_call") == 0)
		return eth_call(c, params, ret_error);
	if (strcmp(method, "eth_getTransactionByHash") == 0)
		return get_tx(c, params);
	if (strcmp(method, "eth_getTransactionCount") == 0)
		return quantity(c->tx_count);
	if (strcmp(method, "eth_feeHistory") == 0)
		return json_pack("{s:[o]}", "baseFeePerGas", quantity(c->base_fee));
	if (strcmp(method, "eth_estimateGas") == 0 && c->gas > 0)
		return quantity(c->gas);
	*ret_error =
		strcmp(method, "eth_estimateGas") == 0 ? "execution reverted" : "method not found";
	return NULL;
}

static void serve(void *server, const struct http_request *req, struct sim_reply *ret)
{
	struct sim_chain *c = server;
	json_t *doc CLEANUP(json_free_ptr) = NULL, *reply CLEANUP(json_free_ptr) = NULL;
	const char *error = NULL;

	c->requests++;
	ret->delay_ms = c->delay_ms > 0 ? c->delay_ms : 1;
	ret->err = c->down;
	ret->status = 200;
	if (c->down != ERR_OK)
		return;
	assert_int_equal(json_parse(&doc, req->body, 1 << 22, NULL), ERR_OK);
	json_t *result = run(c, json_string_value(json_object_get(doc, "method")),
			     json_object_get(doc, "params"), &error);
	json_t *id = json_incref(json_object_get(doc, "id"));
	if (result)
		reply = json_pack("{s:s,s:o,s:o}", "jsonrpc", "2.0", "id", id, "result", result);
	else
		reply = json_pack("{s:s,s:o,s:{s:i,s:s}}", "jsonrpc", "2.0", "id", id, "error",
				  "code", -32005, "message", error);
	assert_non_null(reply);
	assert_int_equal(json_print(&ret->body, reply), ERR_OK);
}

/* ---- building ---- */

void sim_chain_init(struct sim_chain *c, struct sim *s, struct sim_net *n, const char *url,
		    uint64_t chain_id)
{
	memset(c, 0, sizeof(*c));
	c->sim = s;
	c->url = url;
	c->chain_id = chain_id;
	c->time_s[0] = (uint64_t)clock_wall_ms(&s->clock) / 1000;
	sim_net_route(n, url, serve, c);
}

void sim_chain_mine(struct sim_chain *c, uint64_t blocks)
{
	while (blocks-- > 0) {
		assert_true(c->head + 1 < SIM_BLOCKS_MAX);
		c->head++;
		c->branch_of[c->head] = c->branches;
		c->time_s[c->head] = (uint64_t)clock_wall_ms(&c->sim->clock) / 1000;
	}
}

void sim_chain_reorg(struct sim_chain *c, uint64_t depth)
{
	assert_true(depth <= c->head);
	c->branches++;
	for (uint64_t i = 0; i < depth; i++)
		c->branch_of[c->head - i] = c->branches;
}

struct sim_log *sim_chain_log(struct sim_chain *c, uint64_t block, struct address from,
			      const struct hash32 *topics, unsigned topics_n, struct bytes data)
{
	assert_true(c->logs_n < SIM_LOGS_MAX && topics_n <= 4 && block <= c->head);
	struct sim_log *l = &c->logs[c->logs_n++];
	*l = (struct sim_log){.address = from,
			      .topics_n = topics_n,
			      .data = data,
			      .block = block,
			      .branch = c->branch_of[block]};
	memcpy(l->topics, topics, topics_n * sizeof(*topics));
	return l;
}
