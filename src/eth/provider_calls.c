/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Typed helpers, one per JSON-RPC method (Ethereum execution API). */
#include <stdlib.h>

#include "base/limits.h"
#include "crypto/keccak.h"
#include "eth/provider_call.h"

/* Ceilings of replies. */
enum {
	BLOCK_REPLY_MAX = 2 << 20,   /* with the hashes of its transactions: 70 bytes each */
	RECEIPT_REPLY_MAX = 4 << 20, /* with its logs */
	TX_INPUT_MAX = 1 << 20,
	TX_REPLY_MAX = 2 * TX_INPUT_MAX + SMALL_REPLY_MAX,
};

/* ---- any method ---- */

static void finish_json(struct call *c, struct provider_error *e, const json_t *result)
{
	c->done.json(c->ctx, e, result);
}

enum err provider_request(struct provider *p, const char *method, json_t *params, size_t reply_max,
			  provider_json_fn *done, void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	if (!json_is_array(params))
		return ERR_RANGE;
	TRY(provider_begin(p, &c, method));
	TRY(json_print(c->request, params));
	c->finish = finish_json;
	c->done.json = done;
	c->ctx = ctx;
	return provider_submit(p, &c, reply_max);
}

/* ---- heads ---- */

static void read_head(struct call *c, struct provider_error *e, struct block_head *ret_head,
		      const json_t *result)
{
	struct block_head h = {0};
	enum err err = ERR_OK;

	if (e->err == ERR_OK && json_is_null(result))
		call_fail(c, e, ERR_NOT_FOUND, "the node does not have this block");
	if (e->err == ERR_OK) {
		h.number.v = json_get_quantity(result, "number", &err);
		h.timestamp_s = json_get_quantity(result, "timestamp", &err);
		json_get_hex_fixed(result, "hash", h.hash.b, sizeof(h.hash.b), &err);
		json_get_hex_fixed(result, "parentHash", h.parent_hash.b, sizeof(h.parent_hash.b),
				   &err);
		call_fail(c, e, h.number.v > INT64_MAX ? ERR_MALFORMED : err,
			  "block without number, timestamp, hash or parent");
	}
	if (e->err == ERR_OK && c->tag.kind == BLOCK_NUMBER && h.number.v != c->tag.number.v)
		call_fail(c, e, ERR_MISMATCH, "another block than asked for");
	if (e->err == ERR_OK)
		*ret_head = h;
}

static void digest_u64(struct keccak256 *k, uint64_t v)
{
	keccak256_add(k, bytes_from(&v, sizeof(v)));
}

static void judge_head(struct call *c, struct provider_error *e, const json_t *result,
		       struct rpc_vote *vote)
{
	struct block_head h = {0};
	struct keccak256 k;

	read_head(c, e, &h, result);
	if (e->err != ERR_OK)
		return;
	if (c->tag.kind == BLOCK_LATEST)
		rpc_endpoints_head_seen(c->provider->endpoints, e->endpoint, h.number.v);
	keccak256_init(&k);
	digest_u64(&k, h.number.v);
	digest_u64(&k, h.timestamp_s);
	keccak256_add(&k, BYTES_OF(h.hash.b));
	keccak256_add(&k, BYTES_OF(h.parent_hash.b));
	vote->digest = keccak256_final(&k);
}

static void finish_head(struct call *c, struct provider_error *e, const json_t *result)
{
	struct block_head h = {0};

	read_head(c, e, &h, result);
	c->done.head(c->ctx, e, e->err == ERR_OK ? &h : NULL);
}

static enum err ask_head(struct provider *p, unsigned only, struct block_tag tag,
			 provider_head_fn *done, void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_getBlockByNumber"));
	c->votes = true;
	TRY(buf_add_str(c->request, "["));
	TRY(call_add_tag(c, tag));
	TRY(buf_add_str(c->request, ",false]"));
	c->finish = finish_head;
	c->judge = judge_head;
	c->only = only;
	c->done.head = done;
	c->ctx = ctx;
	c->tag = tag;
	return provider_submit(p, &c, BLOCK_REPLY_MAX);
}

enum err provider_head(struct provider *p, struct block_tag tag, provider_head_fn *done, void *ctx)
{
	return ask_head(p, 0, tag, done, ctx);
}

enum err provider_head_of(struct provider *p, unsigned endpoint, struct block_tag tag,
			  provider_head_fn *done, void *ctx)
{
	if (endpoint >= provider_endpoints_n(p))
		return ERR_RANGE;
	return ask_head(p, p->quorum > 1 ? 0 : endpoint + 1, tag, done, ctx);
}

/* ---- calls ---- */

enum err call_add_msg(struct call *c, const struct call_msg *msg)
{
	static const struct address nobody;

	TRY(buf_add_str(c->request, "{"));
	if (!msg->create) {
		TRY(buf_add_str(c->request, "\"to\":"));
		TRY(call_add_hex(c, BYTES_OF(msg->to.b)));
		TRY(buf_add_str(c->request, ","));
	}
	if (!address_eq(msg->from, nobody)) {
		TRY(buf_add_str(c->request, "\"from\":"));
		TRY(call_add_hex(c, BYTES_OF(msg->from.b)));
		TRY(buf_add_str(c->request, ","));
	}
	if (msg->gas > 0) {
		TRY(buf_add_str(c->request, "\"gas\":"));
		TRY(call_add_quantity(c, msg->gas));
		TRY(buf_add_str(c->request, ","));
	}
	TRY(buf_add_str(c->request, "\"data\":"));
	TRY(call_add_hex(c, msg->data));
	return buf_add_str(c->request, "}");
}

static void judge_bytes(struct call *c, struct provider_error *e, const json_t *result,
			struct rpc_vote *vote)
{
	CLEANUP(buf_free) struct buf data = buf_make(CALL_REPLY_MAX);
	enum err err = ERR_OK;

	json_get_hex(result, NULL, &data, &err);
	call_fail(c, e, err, "the result is no data");
	vote->digest = keccak256(buf_view(&data));
}

static void finish_bytes(struct call *c, struct provider_error *e, const json_t *result)
{
	CLEANUP(buf_free) struct buf data = buf_make(CALL_REPLY_MAX);
	enum err err = ERR_OK;

	if (e->err == ERR_OK) {
		json_get_hex(result, NULL, &data, &err);
		call_fail(c, e, err, "the result is no data");
	}
	c->done.bytes(c->ctx, e, buf_view(&data));
}

enum err provider_call(struct provider *p, const struct call_msg *msg, struct block_tag at,
		       provider_bytes_fn *done, void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_call"));
	c->votes = true;
	TRY(buf_add_str(c->request, "["));
	TRY(call_add_msg(c, msg));
	TRY(buf_add_str(c->request, ","));
	TRY(call_add_tag(c, at));
	TRY(buf_add_str(c->request, "]"));
	c->finish = finish_bytes;
	c->judge = judge_bytes;
	c->done.bytes = done;
	c->ctx = ctx;
	return provider_submit(p, &c, CALL_REPLY_MAX);
}

/* ---- transactions ---- */

static void finish_hash(struct call *c, struct provider_error *e, const json_t *result)
{
	struct hash32 h = {{0}};
	enum err err = ERR_OK;

	if (e->err == ERR_OK) {
		json_get_hex_fixed(result, NULL, h.b, sizeof(h.b), &err);
		call_fail(c, e, err, "the result is no hash");
	}
	if (e->err == ERR_OK && !hash32_eq(h, c->hash))
		call_fail(c, e, ERR_MISMATCH, "the node names another transaction");
	c->done.hash(c->ctx, e, e->err == ERR_OK ? &h : NULL);
}

enum err provider_send_raw(struct provider *p, struct bytes raw, provider_hash_fn *done, void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_sendRawTransaction"));
	c->errors_are_final = true;
	TRY(buf_add_str(c->request, "["));
	TRY(call_add_hex(c, raw));
	TRY(buf_add_str(c->request, "]"));
	c->finish = finish_hash;
	c->done.hash = done;
	c->ctx = ctx;
	c->hash = keccak256(raw);
	return provider_submit(p, &c, SMALL_REPLY_MAX);
}

static enum err read_receipt(struct receipt *ret_receipt, const json_t *result)
{
	struct receipt r = {0};
	enum err err = ERR_OK;

	uint64_t status = json_get_quantity(result, "status", &err);
	r.success = status == 1;
	r.block.v = json_get_quantity(result, "blockNumber", &err);
	r.gas_used = json_get_quantity(result, "gasUsed", &err);
	json_get_hex_fixed(result, "transactionHash", r.tx_hash.b, sizeof(r.tx_hash.b), &err);
	json_get_hex_fixed(result, "blockHash", r.block_hash.b, sizeof(r.block_hash.b), &err);
	TRY(err);
	if (status > 1 || r.block.v > INT64_MAX)
		return ERR_MALFORMED;
	*ret_receipt = r;
	return ERR_OK;
}

/* False: there is none, or *e says what is wrong. */
static bool get_receipt(struct call *c, struct provider_error *e, struct receipt *ret_receipt,
			const json_t *result)
{
	struct receipt r = {0};

	/* Some nodes give receipts of transactions that are in no block yet. */
	if (e->err != ERR_OK || json_is_null(result) ||
	    json_is_null(json_object_get(result, "blockHash")))
		return false;
	call_fail(c, e, read_receipt(&r, result), "not a receipt");
	if (e->err == ERR_OK && !hash32_eq(r.tx_hash, c->hash))
		call_fail(c, e, ERR_MISMATCH, "the receipt of another transaction");
	if (e->err == ERR_OK)
		*ret_receipt = r;
	return e->err == ERR_OK;
}

static void judge_receipt(struct call *c, struct provider_error *e, const json_t *result,
			  struct rpc_vote *vote)
{
	struct receipt r = {0};
	struct keccak256 k;

	vote->absent = !get_receipt(c, e, &r, result);
	if (vote->absent)
		return;
	keccak256_init(&k);
	digest_u64(&k, r.success ? 1 : 0);
	digest_u64(&k, r.block.v);
	digest_u64(&k, r.gas_used);
	keccak256_add(&k, BYTES_OF(r.block_hash.b));
	vote->digest = keccak256_final(&k);
}

static void finish_receipt(struct call *c, struct provider_error *e, const json_t *result)
{
	struct receipt r = {0};
	bool there = get_receipt(c, e, &r, result);

	c->done.receipt(c->ctx, e, there ? &r : NULL);
}

enum err provider_receipt(struct provider *p, struct hash32 tx, provider_receipt_fn *done,
			  void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_getTransactionReceipt"));
	TRY(buf_add_str(c->request, "["));
	TRY(call_add_hex(c, BYTES_OF(tx.b)));
	TRY(buf_add_str(c->request, "]"));
	c->finish = finish_receipt;
	c->judge = judge_receipt;
	c->votes = true;
	c->done.receipt = done;
	c->ctx = ctx;
	c->hash = tx;
	return provider_submit(p, &c, RECEIPT_REPLY_MAX);
}

enum err provider_send_raw_sync(struct provider *p, struct bytes raw, provider_receipt_fn *done,
				void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_sendRawTransactionSync"));
	TRY(buf_add_str(c->request, "["));
	TRY(call_add_hex(c, raw));
	TRY(buf_add_str(c->request, "]"));
	c->finish = finish_receipt;
	c->done.receipt = done;
	c->ctx = ctx;
	c->hash = keccak256(raw);
	return provider_submit(p, &c, RECEIPT_REPLY_MAX);
}

static enum err read_transaction(struct transaction *ret_tx, struct buf *input,
				 const json_t *result)
{
	struct transaction tx = {.creates = json_is_null(json_object_get(result, "to"))};
	enum err err = ERR_OK;

	json_get_hex_fixed(result, "hash", tx.hash.b, sizeof(tx.hash.b), &err);
	if (!tx.creates)
		json_get_hex_fixed(result, "to", tx.to.b, sizeof(tx.to.b), &err);
	json_get_hex(result, "input", input, &err);
	TRY(err);
	tx.input = buf_view(input);
	*ret_tx = tx;
	return ERR_OK;
}

/* False: there is none, or *e says what is wrong. */
static bool get_transaction(struct call *c, struct provider_error *e, struct transaction *ret_tx,
			    struct buf *input, const json_t *result)
{
	struct transaction tx = {0};

	if (e->err != ERR_OK || json_is_null(result))
		return false;
	call_fail(c, e, read_transaction(&tx, input, result), "not a transaction");
	if (e->err == ERR_OK && !hash32_eq(tx.hash, c->hash))
		call_fail(c, e, ERR_MISMATCH, "another transaction than asked for");
	if (e->err == ERR_OK)
		*ret_tx = tx;
	return e->err == ERR_OK;
}

static void judge_transaction(struct call *c, struct provider_error *e, const json_t *result,
			      struct rpc_vote *vote)
{
	CLEANUP(buf_free) struct buf input = buf_make(TX_INPUT_MAX);
	struct transaction tx = {0};
	struct keccak256 k;

	vote->absent = !get_transaction(c, e, &tx, &input, result);
	if (vote->absent)
		return;
	keccak256_init(&k);
	digest_u64(&k, tx.creates ? 1 : 0);
	keccak256_add(&k, BYTES_OF(tx.to.b));
	keccak256_add(&k, tx.input);
	vote->digest = keccak256_final(&k);
}

static void finish_transaction(struct call *c, struct provider_error *e, const json_t *result)
{
	CLEANUP(buf_free) struct buf input = buf_make(TX_INPUT_MAX);
	struct transaction tx = {0};
	bool there = get_transaction(c, e, &tx, &input, result);

	c->done.transaction(c->ctx, e, there ? &tx : NULL);
}

enum err provider_transaction(struct provider *p, struct hash32 tx, provider_transaction_fn *done,
			      void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_getTransactionByHash"));
	TRY(buf_add_str(c->request, "["));
	TRY(call_add_hex(c, BYTES_OF(tx.b)));
	TRY(buf_add_str(c->request, "]"));
	c->finish = finish_transaction;
	c->judge = judge_transaction;
	c->votes = true;
	c->done.transaction = done;
	c->ctx = ctx;
	c->hash = tx;
	return provider_submit(p, &c, TX_REPLY_MAX);
}
