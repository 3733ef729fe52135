/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * JSON-RPC replies, through a provider on a transport that answers with the input. What a callback
 * is told stands in the reply, read here without our accessors; it comes exactly once.
 *
 * Input: u8 method || u8 HTTP status || body of the reply to request 1.
 */
#include <stdlib.h>
#include <strings.h>

#include "base/hex.h"
#include "eth/provider.h"
#include "fuzz.h"

/* ---- transport and clock ---- */

static struct {
	http_done_fn *done;
	void *ctx;
} sent;

static enum err fake_send(struct transport *t, struct http_ticket *ret_ticket,
			  const struct http_request *req, http_done_fn *done, void *ctx)
{
	(void)t;
	CHECK(req->body.n > 0 && req->body_max > 0);
	ret_ticket->id = 1;
	sent.done = done;
	sent.ctx = ctx;
	return ERR_OK;
}

static void fake_cancel(struct transport *t, struct http_ticket ticket)
{
	(void)t;
	(void)ticket;
}

static int64_t fake_now(struct clock *c)
{
	(void)c;
	return 1000;
}

static void fake_timer_set(struct clock *c, struct timer *t, int64_t delay_ms, timer_fn *fn,
			   void *ctx)
{
	(void)c;
	(void)delay_ms;
	(void)fn;
	(void)ctx;
	t->armed = true;
}

static void fake_timer_cancel(struct clock *c, struct timer *t)
{
	(void)c;
	t->armed = false;
}

static const struct transport_ops transport_ops = {.send = fake_send, .cancel = fake_cancel};
static const struct clock_ops clock_ops = {.mono_ms = fake_now,
					   .wall_ms = fake_now,
					   .timer_set = fake_timer_set,
					   .timer_cancel = fake_timer_cancel};

/* ---- the same reply, read by jansson alone ---- */

struct seen {
	const json_t *doc; /* NULL: the reading below has nothing to say */
	const json_t *result;
	int status;
	unsigned calls;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(key ? json_object_get(o, key) : o);

	CHECK(s);
	return s;
}

static void check_number(const json_t *o, const char *key, uint64_t v)
{
	CHECK(strtoull(text_of(o, key), NULL, 16) == v);
}

static void check_hex(const json_t *o, const char *key, struct bytes b)
{
	const char *s = text_of(o, key);
	char *hex = malloc(2 * b.n + 1);

	CHECK(hex);
	hex_encode(hex, b);
	CHECK(strncmp(s, "0x", 2) == 0 && strcasecmp(s + 2, hex) == 0);
	free(hex);
}

/* True: a result came. */
static bool look(void *ctx, const struct provider_error *e)
{
	struct seen *s = ctx;
	const json_t *error = s->doc ? json_object_get(s->doc, "error") : NULL;

	CHECK(s->calls++ == 0);
	CHECK(e->err == ERR_OK || e->note.text[0]);
	if (!s->doc)
		return false;
	if (e->err == ERR_REMOTE)
		CHECK(json_integer_value(json_object_get(error, "code")) == e->rpc_code);
	if (e->err != ERR_OK)
		return false;
	CHECK(s->status == 200 && (!error || json_is_null(error)));
	CHECK(strcmp(text_of(s->doc, "jsonrpc"), "2.0") == 0);
	CHECK(json_integer_value(json_object_get(s->doc, "id")) == 1);
	s->result = json_object_get(s->doc, "result");
	CHECK(s->result);
	return true;
}

static void on_json(void *ctx, const struct provider_error *e, const json_t *result)
{
	if (look(ctx, e))
		CHECK(json_equal(result, ((struct seen *)ctx)->result));
	else
		CHECK(!result || e->err == ERR_OK);
}

static void on_head(void *ctx, const struct provider_error *e, const struct block_head *h)
{
	const struct seen *s = ctx;

	CHECK((h != NULL) == (e->err == ERR_OK));
	CHECK(!h || h->number.v == 16);
	if (!look(ctx, e))
		return;
	check_number(s->result, "timestamp", h->timestamp_s);
	check_hex(s->result, "hash", BYTES_OF(h->hash.b));
	check_hex(s->result, "parentHash", BYTES_OF(h->parent_hash.b));
}

static void on_u64(void *ctx, const struct provider_error *e, uint64_t v)
{
	if (look(ctx, e))
		check_number(((struct seen *)ctx)->result, NULL, v);
}

static void on_bytes(void *ctx, const struct provider_error *e, struct bytes data)
{
	if (look(ctx, e))
		check_hex(((struct seen *)ctx)->result, NULL, data);
}

static void on_fee(void *ctx, const struct provider_error *e, const struct fee_history *fee)
{
	CHECK((fee != NULL) == (e->err == ERR_OK));
	CHECK(!fee || !u256_is_zero(fee->priority.v));
	if (look(ctx, e))
		CHECK(json_array_size(
			      json_object_get(((struct seen *)ctx)->result, "baseFeePerGas")) > 0);
}

static void on_hash(void *ctx, const struct provider_error *e, const struct hash32 *hash)
{
	if (look(ctx, e))
		check_hex(((struct seen *)ctx)->result, NULL, BYTES_OF(hash->b));
}

static void on_receipt(void *ctx, const struct provider_error *e, const struct receipt *r)
{
	const struct seen *s = ctx;

	CHECK(!r || r->tx_hash.b[0] == 0x11);
	if (!look(ctx, e) || !r)
		return;
	check_number(s->result, "blockNumber", r->block.v);
	check_number(s->result, "gasUsed", r->gas_used);
	check_number(s->result, "status", r->success);
	check_hex(s->result, "blockHash", BYTES_OF(r->block_hash.b));
}

static void on_transaction(void *ctx, const struct provider_error *e, const struct transaction *t)
{
	const struct seen *s = ctx;

	CHECK(!t || t->hash.b[0] == 0x11);
	if (!look(ctx, e) || !t)
		return;
	check_hex(s->result, "input", t->input);
	if (!t->creates)
		check_hex(s->result, "to", BYTES_OF(t->to.b));
}

static const struct address contract = {{[0] = 0xaa}};
static const struct hash32 topics[] = {{{[0] = 0xbb}}, {{[0] = 0xcc}}};

static void check_log(const struct event_log *l)
{
	CHECK(address_eq(l->address, contract) && !l->removed && l->topics_n >= 1);
	CHECK(hash32_eq(l->topics[0], topics[0]) || hash32_eq(l->topics[0], topics[1]));
	CHECK(l->block.v >= 16 && l->block.v <= 32);
}

static void on_logs(void *ctx, const struct provider_error *e, const struct event_log *logs,
		    size_t n)
{
	const struct seen *s = ctx;

	CHECK(e->err == ERR_OK || n == 0);
	for (size_t i = 0; i < n; i++) {
		check_log(&logs[i]);
		CHECK(i == 0 || logs[i - 1].block.v < logs[i].block.v ||
		      (logs[i - 1].block.v == logs[i].block.v &&
		       logs[i - 1].log_index < logs[i].log_index &&
		       hash32_eq(logs[i - 1].block_hash, logs[i].block_hash)));
	}
	if (!look(ctx, e))
		return;
	CHECK(json_array_size(s->result) == n);
	if (n == 1) {
		check_hex(json_array_get(s->result, 0), "data", logs[0].data);
		check_hex(json_array_get(s->result, 0), "transactionHash",
			  BYTES_OF(logs[0].tx_hash.b));
	}
}

/* ---- requests ---- */

static enum err ask(struct provider *p, unsigned method, struct seen *s)
{
	const struct block_tag at = {BLOCK_NUMBER, {16}}, pending = {.kind = BLOCK_PENDING};
	const struct call_msg msg = {.to = contract, .from = contract, .gas = 5};
	const struct log_filter filter = {&contract, 1, topics, 2, {16}, {32}};
	const struct hash32 tx = {{[0] = 0x11, [31] = 0x22}};
	CLEANUP(json_free_ptr) json_t *params = json_array();

	switch (method % 11) {
	case 0:
		return provider_head(p, at, on_head, s);
	case 1:
		return provider_get_chain_id(p, on_u64, s);
	case 2:
		return provider_nonce(p, contract, pending, on_u64, s);
	case 3:
		return provider_call(p, &msg, at, on_bytes, s);
	case 4:
		return provider_estimate_gas(p, &msg, on_u64, s);
	case 5:
		return provider_logs(p, &filter, on_logs, s);
	case 6:
		return provider_fee_history(p, on_fee, s);
	case 7:
		return provider_send_raw(p, BYTES_LIT("\x02"), on_hash, s);
	case 8:
		return provider_receipt(p, tx, on_receipt, s);
	case 9:
		return provider_transaction(p, tx, on_transaction, s);
	default:
		return provider_request(p, "eth_syncing", params, 0, on_json, s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const int statuses[] = {200, 400, 429, 502};
	struct transport transport = {&transport_ops};
	struct clock clock = {&clock_ops};
	const struct provider_options options = {
		.url = "http://rpc.example/", .chain_id = {5}, .timeout_ms = 1000};
	struct bytes in = bytes_from(p, n);
	uint8_t method = fuzz_u8(&in);
	struct seen s = {.status = statuses[fuzz_u8(&in) % 4]};
	struct buf body = buf_make(in.n);
	struct provider *provider;

	FUZZ_OK(buf_add(&body, in));
	FUZZ_OK(provider_new(&provider, &transport, &clock, &options, NULL));
	/* Replaced NUL characters change texts, which is provider_reply's business. */
	json_t *doc = memmem(in.p, in.n, "\\u0000", 6)
			      ? NULL
			      : json_loadb((const char *)in.p, in.n, JSON_DECODE_ANY, NULL);

	s.doc = doc;
	FUZZ_OK(ask(provider, method, &s));
	CHECK(s.calls == 0);

	const struct http_reply reply = {
		.status = s.status, .body = buf_view(&body), .owner = &body};

	sent.done(sent.ctx, &reply);
	CHECK(s.calls == 1);
	json_decref(doc);
	provider_free(provider);
	buf_free(&body);
	return 0;
}
