/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* eth_getLogs: nothing that was not asked for gets through. */
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "crypto/keccak.h"
#include "eth/provider_call.h"

/* ---- request ---- */

static enum err copy_array(struct arena *a, void *ret_copy, const void *from, size_t n, size_t size)
{
	struct bytes copy;

	TRY(arena_copy(a, &copy, bytes_from(from, n * size)));
	memcpy(ret_copy, &copy.p, sizeof(copy.p));
	return ERR_OK;
}

static enum err keep_filter(struct call *c, const struct log_filter *f)
{
	c->filter = *f;
	TRY(copy_array(&c->arena, &c->filter.addresses, f->addresses, f->addresses_n,
		       sizeof(*f->addresses)));
	return copy_array(&c->arena, &c->filter.topic0, f->topic0, f->topic0_n, sizeof(*f->topic0));
}

static enum err add_filter(struct call *c, const struct log_filter *f)
{
	TRY(buf_add_str(c->request, "[{\"fromBlock\":"));
	TRY(call_add_quantity(c, f->from.v));
	TRY(buf_add_str(c->request, ",\"toBlock\":"));
	TRY(call_add_quantity(c, f->to.v));
	for (size_t i = 0; i < f->addresses_n; i++) {
		TRY(buf_add_str(c->request, i == 0 ? ",\"address\":[" : ","));
		TRY(call_add_hex(c, BYTES_OF(f->addresses[i].b)));
	}
	TRY(buf_add_str(c->request, f->addresses_n > 0 ? "]" : ""));
	for (size_t i = 0; i < f->topic0_n; i++) {
		TRY(buf_add_str(c->request, i == 0 ? ",\"topics\":[[" : ","));
		TRY(call_add_hex(c, BYTES_OF(f->topic0[i].b)));
	}
	return buf_add_str(c->request, f->topic0_n > 0 ? "]]}]" : "}]");
}

/* ---- reply ---- */

static enum err read_topics(struct event_log *l, const json_t *o)
{
	enum err err = ERR_OK;
	const json_t *topics = json_get_array(o, "topics", &err);
	size_t n = json_array_size(topics);

	if (n > ARRAY_LEN(l->topics))
		return ERR_MALFORMED;
	for (size_t i = 0; i < n; i++)
		json_get_hex_fixed(json_array_get(topics, i), NULL, l->topics[i].b,
				   sizeof(l->topics[i].b), &err);
	l->topics_n = (unsigned)n;
	return err;
}

static enum err read_data(struct arena *a, struct bytes *ret_data, const json_t *o)
{
	enum err err = ERR_OK;
	size_t n = strlen(json_get_str(o, "data", &err));

	TRY(err);
	n = n >= 2 ? (n - 2) / 2 : 0;
	uint8_t *place = arena_alloc(a, n);
	if (!place)
		return ERR_TOO_BIG;
	json_get_hex_fixed(o, "data", place, n, &err);
	*ret_data = bytes_from(place, n);
	return err;
}

static enum err read_log(struct arena *a, struct event_log *ret_log, const json_t *o)
{
	struct event_log l = {0};
	const json_t *removed = json_object_get(o, "removed");
	enum err err = ERR_OK;

	json_get_hex_fixed(o, "address", l.address.b, sizeof(l.address.b), &err);
	l.block.v = json_get_quantity(o, "blockNumber", &err);
	json_get_hex_fixed(o, "blockHash", l.block_hash.b, sizeof(l.block_hash.b), &err);
	json_get_hex_fixed(o, "transactionHash", l.tx_hash.b, sizeof(l.tx_hash.b), &err);
	l.log_index = json_get_quantity(o, "logIndex", &err);
	if (removed)
		l.removed = json_get_bool(removed, NULL, &err);
	TRY(err);
	/* Databases count in signed 64 bits, and no chain gets there. */
	if (l.block.v > INT64_MAX || l.log_index > INT64_MAX)
		return ERR_MALFORMED;
	TRY(read_topics(&l, o));
	TRY(read_data(a, &l.data, o));
	*ret_log = l;
	return ERR_OK;
}

/* An empty list in the filter stands for anything. */
static bool fits(const struct event_log *l, const struct log_filter *f)
{
	bool address = f->addresses_n == 0, topic = f->topic0_n == 0;

	for (size_t i = 0; i < f->addresses_n && !address; i++)
		address = address_eq(l->address, f->addresses[i]);
	for (size_t i = 0; i < f->topic0_n && l->topics_n > 0 && !topic; i++)
		topic = hash32_eq(l->topics[0], f->topic0[i]);
	return address && topic && !l->removed && l->block.v >= f->from.v && l->block.v <= f->to.v;
}

static int compare_logs(const void *va, const void *vb)
{
	const struct event_log *a = va, *b = vb;

	if (a->block.v != b->block.v)
		return a->block.v < b->block.v ? -1 : 1;
	return a->log_index < b->log_index ? -1 : a->log_index > b->log_index;
}

/* Neighbours after sorting: an index counts once in its block, and a block has one hash. */
static bool follows(const struct event_log *a, const struct event_log *b)
{
	return a->block.v != b->block.v ||
	       (a->log_index != b->log_index && hash32_eq(a->block_hash, b->block_hash));
}

static void read_logs(struct call *c, struct arena *arena, struct provider_error *e,
		      struct event_log **ret_logs, size_t *ret_logs_n, const json_t *result)
{
	size_t n = json_array_size(result);

	if (!json_is_array(result))
		return call_fail(c, e, ERR_MALFORMED, "the result is no list");
	if (n > LOGS_PER_WINDOW_MAX)
		return call_fail(c, e, ERR_TOO_BIG, "more logs than we accept at once");

	struct event_log *logs = arena_alloc_array(arena, n, sizeof(*logs));
	if (!logs)
		return call_fail(c, e, ERR_NOMEM, "no memory for the logs");
	for (size_t i = 0; i < n && e->err == ERR_OK; i++) {
		call_fail(c, e, read_log(arena, &logs[i], json_array_get(result, i)), "not a log");
		if (e->err == ERR_OK && !fits(&logs[i], &c->filter))
			call_fail(c, e, ERR_MISMATCH, "a log that was not asked for");
	}
	if (e->err != ERR_OK)
		return;
	qsort(logs, n, sizeof(*logs), compare_logs);
	for (size_t i = 1; i < n; i++)
		if (!follows(&logs[i - 1], &logs[i]))
			call_fail(c, e, ERR_MISMATCH, "the logs contradict each other");
	*ret_logs = logs;
	*ret_logs_n = n;
}

/* All of a log counts: where two nodes leave one out, or change a byte of one, they disagree. */
static void digest_log(struct keccak256 *k, const struct event_log *l)
{
	const uint64_t numbers[] = {l->block.v, l->log_index, l->topics_n, l->data.n};

	keccak256_add(k, BYTES_OF(numbers));
	keccak256_add(k, BYTES_OF(l->address.b));
	keccak256_add(k, BYTES_OF(l->block_hash.b));
	keccak256_add(k, BYTES_OF(l->tx_hash.b));
	for (unsigned i = 0; i < l->topics_n; i++)
		keccak256_add(k, BYTES_OF(l->topics[i].b));
	keccak256_add(k, l->data);
}

static void judge_logs(struct call *c, struct provider_error *e, const json_t *result,
		       struct rpc_vote *vote)
{
	CLEANUP(arena_free) struct arena arena = arena_make(JSON_RPC_BODY_MAX);
	struct event_log *logs = NULL;
	struct keccak256 k;
	size_t logs_n = 0;

	read_logs(c, &arena, e, &logs, &logs_n, result);
	if (e->err != ERR_OK)
		return;
	keccak256_init(&k);
	for (size_t i = 0; i < logs_n; i++)
		digest_log(&k, &logs[i]);
	vote->digest = keccak256_final(&k);
}

static void finish_logs(struct call *c, struct provider_error *e, const json_t *result)
{
	struct event_log *logs = NULL;
	size_t logs_n = 0;

	if (e->err == ERR_OK)
		read_logs(c, &c->arena, e, &logs, &logs_n, result);
	if (e->err != ERR_OK) {
		logs = NULL;
		logs_n = 0;
	}
	c->done.logs(c->ctx, e, logs, logs_n);
}

enum err provider_logs(struct provider *p, const struct log_filter *filter, provider_logs_fn *done,
		       void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	if (filter->from.v > filter->to.v)
		return ERR_RANGE;
	TRY(provider_begin(p, &c, "eth_getLogs"));
	TRY(keep_filter(c, filter));
	TRY(add_filter(c, filter));
	c->finish = finish_logs;
	c->judge = judge_logs;
	c->votes = true;
	c->has_block = true;
	c->block = filter->to.v;
	c->done.logs = done;
	c->ctx = ctx;
	return provider_submit(p, &c, JSON_RPC_BODY_MAX);
}
