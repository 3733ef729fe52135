/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "sim_pool.h"

#include <stdio.h>

#include "base/hex.h"
#include "crypto/keccak.h"
#include "eth/abi.h"
#include "eth/tx.h"

/* ---- raw transactions: just enough RLP ---- */

static struct bytes rlp_item(struct reader *r)
{
	uint8_t first = reader_u8(r);
	size_t n = 0;

	if (first < 0x80)
		return bytes_from(r->in.p - 1, 1);
	if (first < 0xb8 || (first >= 0xc0 && first < 0xf8))
		return reader_bytes(r, (size_t)(first & 0x3f));
	for (unsigned k = (first & 7U) + 1; k > 0; k--)
		n = n << 8 | reader_u8(r);
	return reader_bytes(r, n);
}

static uint64_t number(struct bytes b)
{
	struct u256 v;
	uint64_t n;

	assert_int_equal(u256_from_bytes_be(&v, b), ERR_OK);
	assert_int_equal(u256_to_u64(&n, v), ERR_OK);
	return n;
}

static void check_signature(const struct sim_pool *p, const struct tx *t, struct bytes parity,
			    struct bytes r, struct bytes s)
{
	uint8_t sig[65] = {0};
	struct hash32 digest;
	struct address signer;

	memcpy(sig + 32 - r.n, r.p, r.n);
	memcpy(sig + 64 - s.n, s.p, s.n);
	sig[64] = (uint8_t)(27 + number(parity));
	assert_int_equal(tx_signing_hash(&digest, t), ERR_OK);
	assert_int_equal(ecdsa_recover(p->ecdsa, &signer, BYTES_OF(sig), digest), ERR_OK);
	assert_memory_equal(signer.b, p->account.b, 20);
}

static struct sim_pool_tx decode(const struct sim_pool *p, struct bytes raw)
{
	struct sim_pool_tx out = {.hash = keccak256(raw)};
	struct reader whole = reader_of(raw);
	struct tx t = {0};
	struct bytes f[12];

	assert_int_equal(reader_u8(&whole), 2);
	struct reader list = reader_of(rlp_item(&whole));
	assert_int_equal(reader_end(&whole), ERR_OK);
	for (size_t i = 0; i < 12; i++)
		f[i] = rlp_item(&list);
	assert_int_equal(reader_end(&list), ERR_OK);
	t.chain_id.v = number(f[0]);
	t.nonce = number(f[1]);
	assert_int_equal(u256_from_bytes_be(&t.priority_fee_max.v, f[2]), ERR_OK);
	assert_int_equal(u256_from_bytes_be(&t.fee_max.v, f[3]), ERR_OK);
	t.gas = number(f[4]);
	assert_int_equal(f[5].n, 20);
	memcpy(t.to.b, f[5].p, 20);
	t.data = f[7];
	assert_int_equal(f[6].n + f[8].n, 0); /* no value, no access list */
	assert_int_equal(t.chain_id.v, p->chain_id);
	check_signature(p, &t, f[9], f[10], f[11]);

	out.nonce = t.nonce;
	out.gas = t.gas;
	out.fee_max = t.fee_max.v;
	out.priority = t.priority_fee_max.v;
	out.answers = t.data.n > 0;
	assert_true(address_eq(t.to, out.answers ? p->contract : p->account));
	CLEANUP(buf_free) struct buf call = buf_make(1 << 20);
	assert_int_equal(buf_add(&call, BYTES_OF(t.to.b)), ERR_OK);
	assert_int_equal(buf_add(&call, t.data), ERR_OK);
	out.call = keccak256(buf_view(&call));
	if (out.answers) {
		out.id = number(bytes_sub(t.data, 4, 32));
		memcpy(out.selector, t.data.p, sizeof(out.selector));
	}
	return out;
}

/* ---- pool and blocks ---- */

bool sim_pool_answered(const struct sim_pool *p, uint64_t id)
{
	return sim_pool_count(p, id, false) > 0;
}

unsigned sim_pool_count(const struct sim_pool *p, uint64_t id, bool all)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->txs_n; i++)
		n += p->txs[i].answers && p->txs[i].id == id && p->txs[i].mined &&
		     (all || p->txs[i].success);
	return n;
}

static struct sim_pool_tx *waiting_at(struct sim_pool *p, uint64_t nonce)
{
	for (size_t i = 0; i < p->txs_n; i++)
		if (p->txs[i].waiting && p->txs[i].nonce == nonce)
			return &p->txs[i];
	return NULL;
}

static struct sim_pool_tx *by_hash(struct sim_pool *p, struct hash32 hash)
{
	for (size_t i = 0; i < p->txs_n; i++)
		if (hash32_eq(p->txs[i].hash, hash))
			return &p->txs[i];
	return NULL;
}

static struct hash32 block_hash(const struct sim_pool *p)
{
	const uint64_t seed[] = {p->head, p->branch};

	return keccak256(bytes_from(seed, sizeof(seed)));
}

void sim_pool_mine(struct sim_pool *p)
{
	for (struct sim_pool_tx *t; (t = waiting_at(p, p->count)) != NULL;) {
		if (u256_cmp(t->fee_max, u256_from_u64(p->fee_floor)) < 0)
			break;
		t->success = !p->revert_mined && !(t->answers && sim_pool_answered(p, t->id));
		t->waiting = false;
		t->mined = true;
		t->block = ++p->head;
		t->block_hash = block_hash(p);
		p->count++;
	}
}

void sim_pool_foreign(struct sim_pool *p)
{
	struct sim_pool_tx *t = waiting_at(p, p->count);

	if (t)
		t->waiting = false; /* dropped: its nonce is gone */
	p->head++;
	p->count++;
	sim_pool_mine(p);
}

void sim_pool_reorg(struct sim_pool *p, uint64_t n, bool forgotten)
{
	assert_true(n <= p->count);
	p->count -= n;
	p->branch++;
	for (size_t i = 0; i < p->txs_n; i++) {
		struct sim_pool_tx *t = &p->txs[i];

		if (!t->mined || t->nonce < p->count)
			continue;
		t->mined = false;
		t->waiting = !forgotten;
	}
}

void sim_pool_blocks(struct sim_pool *p, uint64_t n)
{
	p->head += n;
}

static uint64_t pending_count(struct sim_pool *p)
{
	uint64_t n = p->count;

	while (waiting_at(p, n))
		n++;
	return n;
}

static bool pays(const struct sim_pool_tx *new, const struct sim_pool_tx *old, uint64_t percent)
{
	const uint64_t fees[2][2] = {{new->fee_max.w[0], old->fee_max.w[0]},
				     {new->priority.w[0], old->priority.w[0]}};

	for (size_t i = 0; i < 2; i++)
		if (fees[i][0] * 100 < fees[i][1] * percent)
			return false;
	return true;
}

/* NULL: taken. Errors are geth's words. */
static const char *take(struct sim_pool *p, struct bytes raw)
{
	struct sim_pool_tx new = decode(p, raw);
	struct sim_pool_tx *known = by_hash(p, new.hash);
	struct sim_pool_tx *rival = waiting_at(p, new.nonce);

	if (p->on_send)
		p->on_send(p->on_send_ctx, &new, raw);
	if (p->refuse && p->refuse_n > 0 &&
	    (p->refuse_nonce == UINT64_MAX || p->refuse_nonce == new.nonce)) {
		p->refuse_n--;
		return p->refuse;
	}
	if (known)
		known->sends++;
	if (known && known->waiting)
		return "already known";
	if (new.nonce < p->count)
		return "nonce too low: next nonce 7, tx nonce 6";
	if (rival && !pays(&new, rival, p->replace_percent))
		return "replacement transaction underpriced";
	if (rival) {
		assert_true(hash32_eq(rival->call, new.call)); /* the same, for more */
		rival->waiting = false;
	}
	if (known) {
		known->waiting = true; /* was dropped or forgotten */
		known->mined = false;
	} else {
		assert_true(p->txs_n < SIM_POOL_TXS_MAX);
		new.waiting = true;
		new.sends = 1;
		p->last_nonces[p->last_nonces_n++] = new.nonce;
		p->txs[p->txs_n++] = new;
	}
	if (!p->idle)
		sim_pool_mine(p);
	return NULL;
}

/* ---- JSON-RPC ---- */

static const uint8_t done_word[32] = {[31] = 1};

static json_t *quantity(uint64_t v)
{
	return json_sprintf("0x%llx", (unsigned long long)v);
}

static json_t *hex(struct bytes b)
{
	CLEANUP(buf_free) struct buf text = buf_make(1 << 22);

	assert_int_equal(hex_add(&text, b, true), ERR_OK);
	return json_stringn((const char *)text.p, text.n);
}

static json_t *send(struct sim_pool *p, const json_t *params, const char **ret_error)
{
	CLEANUP(buf_free) struct buf raw = buf_make(1 << 20);
	enum err e = ERR_OK;

	p->sends++;
	json_get_hex(json_array_get(params, 0), NULL, &raw, &e);
	assert_int_equal(e, ERR_OK);
	*ret_error = take(p, buf_view(&raw));
	struct hash32 hash = keccak256(buf_view(&raw));
	return *ret_error ? NULL : hex(BYTES_OF(hash.b));
}

static json_t *judge(struct sim_pool *p, const json_t *params, const char **ret_error,
		     json_t **ret_data)
{
	CLEANUP(buf_free) struct buf data = buf_make(1 << 20);
	const json_t *msg = json_array_get(params, 0);
	const char *field = json_object_get(msg, "data") ? "data" : "input", *revert = p->revert;
	enum err e = ERR_OK;
	uint8_t selector[4];

	if (json_object_get(msg, field))
		json_get_hex(msg, field, &data, &e);
	assert_int_equal(e, ERR_OK);
	if (data.n == 0)
		return quantity(21000);
	if (sim_pool_answered(p, number(bytes_sub(buf_view(&data), 4, 32))))
		revert = "KmsNodeAlreadySigned(uint256,address)";
	else if (revert && p->revert_n > 0 && --p->revert_n == 0)
		p->revert = NULL;
	if (!revert)
		return quantity(p->gas_said ? p->gas_said : 100000);
	abi_selector(selector, revert);
	*ret_data = hex(BYTES_OF(selector));
	*ret_error = "execution reverted";
	return NULL;
}

/* A call with gas: would it be taken? */
static json_t *try_answer(struct sim_pool *p, const json_t *params, const char **ret_error,
			  json_t **ret_data)
{
	const char *given = json_string_value(json_object_get(json_array_get(params, 0), "gas"));
	CLEANUP(json_free_ptr) json_t *needed = NULL;

	p->tries++;
	if (p->no_tries) {
		*ret_error = "out of gas";
		return NULL;
	}
	needed = judge(p, params, ret_error, ret_data);
	if (!needed)
		return NULL;
	if (strtoull(given, NULL, 16) >= strtoull(json_string_value(needed), NULL, 16))
		return json_string("0x");
	*ret_error = "out of gas";
	return NULL;
}

/* `invented`: a block in which it is not. */
static json_t *receipt_of(const struct sim_pool_tx *t, uint64_t invented)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o}", "transactionHash", hex(BYTES_OF(t->hash.b)),
			 "blockHash",
			 hex(invented > 0 ? BYTES_OF(t->hash.b) : BYTES_OF(t->block_hash.b)),
			 "blockNumber", quantity(invented > 0 ? invented : t->block), "status",
			 quantity(invented > 0 || t->success ? 1 : 0), "gasUsed", quantity(90000));
}

static json_t *receipt(struct sim_pool *p, const json_t *params)
{
	struct hash32 hash;
	enum err e = ERR_OK;

	p->receipts++;
	json_get_hex_fixed(json_array_get(params, 0), NULL, hash.b, 32, &e);
	assert_int_equal(e, ERR_OK);
	const struct sim_pool_tx *t = by_hash(p, hash);
	if (t && !t->mined && p->receipts_invented)
		return receipt_of(t, p->head + 1);
	if (!t || !t->mined || p->receipts_hidden)
		return json_null();
	if (p->receipts_hidden_n > 0) {
		p->receipts_hidden_n--;
		return json_null();
	}
	return receipt_of(t, 0);
}

static json_t *send_sync(struct sim_pool *p, const json_t *params, const char **ret_error)
{
	json_t *hash, *out;
	struct hash32 h;
	enum err e = ERR_OK;

	if (strcmp(json_string_value(json_array_get(params, 0)), "0x") == 0) {
		*ret_error = "typed transaction too short";
		return NULL;
	}
	hash = send(p, params, ret_error);
	p->syncs++;
	if (!hash)
		return NULL;
	json_get_hex_fixed(hash, NULL, h.b, 32, &e);
	assert_int_equal(e, ERR_OK);
	json_decref(hash);
	const struct sim_pool_tx *t = by_hash(p, h);
	assert_non_null(t);
	out = t->mined ? receipt_of(t, 0) : NULL;
	if (!out)
		*ret_error = "timeout";
	return out;
}

static json_t *run(struct sim_pool *p, const char *method, const json_t *params,
		   const char **ret_error, json_t **ret_data)
{
	if (strcmp(method, "eth_chainId") == 0)
		return quantity(p->chain_id);
	if (strcmp(method, "eth_getTransactionCount") == 0) {
		const char *tag = json_string_value(json_array_get(params, 1));

		p->counts++;
		if (p->count_said_n > 0) {
			p->count_said_n--;
			return quantity(p->count_said);
		}
		if (strcmp(tag, "latest") == 0)
			return quantity(p->count);
		assert_string_equal(tag, "pending");
		return quantity(pending_count(p));
	}
	if (strcmp(method, "eth_estimateGas") == 0) {
		p->estimates++;
		return judge(p, params, ret_error, ret_data);
	}
	if (strcmp(method, "eth_feeHistory") == 0) {
		p->fees++;
		return json_pack("{s:o,s:[oo],s:[[o]]}", "oldestBlock", quantity(1),
				 "baseFeePerGas", quantity(p->base_fee),
				 p->fee_said ? json_string(p->fee_said) : quantity(p->base_fee),
				 "reward", quantity(3));
	}
	if (strcmp(method, "eth_getBlockByNumber") == 0) {
		const struct hash32 hash = {{1}};

		return json_pack("{s:o,s:o,s:o,s:o}", "number", quantity(p->head), "hash",
				 hex(BYTES_OF(hash.b)), "parentHash", hex(BYTES_OF(hash.b)),
				 "timestamp", quantity(1));
	}
	if (strcmp(method, "eth_sendRawTransaction") == 0)
		return send(p, params, ret_error);
	if (p->sync && strcmp(method, "eth_sendRawTransactionSync") == 0)
		return send_sync(p, params, ret_error);
	if (strcmp(method, "eth_getTransactionReceipt") == 0)
		return receipt(p, params);
	if (strcmp(method, "eth_call") == 0 && json_object_get(json_array_get(params, 0), "gas"))
		return try_answer(p, params, ret_error, ret_data);
	if (strcmp(method, "eth_call") == 0) {
		p->calls++;
		return hex(bytes_from(p->is_done ? done_word : (const uint8_t[32]){0}, 32));
	}
	*ret_error = "method not found";
	return NULL;
}

static void serve(void *server, const struct http_request *req, struct sim_reply *ret)
{
	CLEANUP(json_free_ptr) json_t *doc = NULL, *reply = NULL;
	struct sim_pool *p = server;
	json_t *result, *data = NULL;
	const char *method, *error = NULL;

	p->requests++;
	ret->delay_ms = 1;
	ret->status = 200;
	ret->err = p->down;
	if (p->down == ERR_OK && rng_below(&p->rng.base, 100) < p->chance_down)
		ret->err = ERR_UNAVAILABLE;
	if (ret->err != ERR_OK)
		return;
	assert_int_equal(json_parse(&doc, req->body, 1 << 22, NULL), ERR_OK);
	method = json_string_value(json_object_get(doc, "method"));
	result = run(p, method, json_object_get(doc, "params"), &error, &data);
	json_t *id = json_incref(json_object_get(doc, "id"));
	if (result)
		reply = json_pack("{s:s,s:o,s:o}", "jsonrpc", "2.0", "id", id, "result", result);
	else
		reply = json_pack("{s:s,s:o,s:{s:i,s:s,s:o*}}", "jsonrpc", "2.0", "id", id, "error",
				  "code", strcmp(error, "timeout") == 0 ? 4 : -32000, "message",
				  error, "data", data);
	assert_non_null(reply);
	assert_int_equal(json_print(&ret->body, reply), ERR_OK);
	if (strncmp(method, "eth_sendRawTransaction", 22) == 0 && error == NULL &&
	    p->lost_sends > 0) {
		p->lost_sends--;
		ret->err = ERR_TIMEOUT;
	}
	if (rng_below(&p->rng.base, 100) < p->chance_lost)
		ret->err = ERR_TIMEOUT;
}

void sim_pool_init(struct sim_pool *p, struct sim *s, struct sim_net *n, const char *url,
		   uint64_t chain_id, const struct ecdsa *ecdsa)
{
	memset(p, 0, sizeof(*p));
	p->sim = s;
	p->ecdsa = ecdsa;
	p->chain_id = chain_id;
	p->base_fee = 1000;
	p->replace_percent = 110;
	p->refuse_nonce = UINT64_MAX;
	(void)rng_seeded_init(&p->rng, 1);
	sim_net_route(n, url, serve, p);
}
