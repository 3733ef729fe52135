/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The provider's queue and envelope, over a scripted transport. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/rng.h"
#include "eth/provider.h"
#include "provider_support.h"

/* ---- construction ---- */

static void test_options(void **state)
{
	static const struct {
		const char *url, *host;
	} good[] = {
		{"http://127.0.0.1:8545", "127.0.0.1:8545"},
		{"https://user:p@ss@rpc.example/v3/0123456789abcdef?key=x@y", "rpc.example"},
		{"http://[::1]:8545/a@b", "[::1]:8545"},
		{"https://rpc.example?key=1", "rpc.example"},
	};
	static const char *const bad[] = {"",        "rpc.example", "ftp://rpc.example",
					  "http://", "http:///x",   "https://user:secret@/x"};
	struct fake_clock clock;
	struct transport *t = fake_transport_init(&(struct fake_transport){0});
	struct provider_options o = {.chain_id.v = 54321, .timeout_ms = 1};
	struct provider *p = NULL;
	struct err_note note;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		o.url = good[i].url;
		assert_ok(provider_new(&p, t, fake_clock_init(&clock), &o, NULL));
		assert_string_equal(provider_host(p), good[i].host);
		assert_int_equal(provider_chain_id(p).v, 54321);
		provider_free(p);
	}
	p = NULL;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		o.url = bad[i];
		assert_err(provider_new(&p, t, &clock.base, &o, &note), ERR_CONFIG_VALUE);
		assert_null(strstr(note.text, "secret"));
	}
	o.url = good[0].url;
	o.timeout_ms = 0;
	assert_err(provider_new(&p, t, &clock.base, &o, &note), ERR_CONFIG_VALUE);
	assert_null(p);
	provider_free(NULL);
}

/* ---- envelope ---- */

struct envelope_row {
	int status;
	const char *reply;
	enum err err;
	int64_t code;
	const char *message, *revert;
};

static const struct envelope_row envelopes[] = {
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x10\"}", ERR_OK, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x10\",\"error\":null}", ERR_OK, 0, "",
	 "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x0010\"}", ERR_OK, 0, "", "0x"},
	/* not what the method promises */
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"10\"}", ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x\"}", ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":16}", ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":null}", ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x10000000000000000\"}", ERR_MALFORMED, 0,
	 "", "0x"},
	/* not JSON-RPC */
	{200, "", ERR_MALFORMED, 0, "", "0x"},
	{200, "<html>", ERR_MALFORMED, 0, "", "0x"},
	{200, "[]", ERR_MALFORMED, 0, "", "0x"},
	{200, "null", ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@}", ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"1.0\",\"id\":@,\"result\":\"0x10\"}", ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"id\":@,\"result\":\"0x10\"}", ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x10\"}x", ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x10\",\"result\":\"0x10\"}",
	 ERR_MALFORMED, 0, "", "0x"},
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x10\",\"error\":{\"code\":1,\"message\":"
	 "\"m\"}}",
	 ERR_MALFORMED, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"message\":\"m\"}}", ERR_MALFORMED, 0, "",
	 "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":\"m\"}", ERR_MALFORMED, 0, "", "0x"},
	/* another's */
	{200, "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":\"0x10\"}", ERR_MISMATCH, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":\"@\",\"result\":\"0x10\"}", ERR_MISMATCH, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":\"0x10\"}", ERR_MISMATCH, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"result\":\"0x10\"}", ERR_MISMATCH, 0, "", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":99,\"error\":{\"code\":1,\"message\":\"m\"}}",
	 ERR_MISMATCH, 0, "", "0x"},
	/* the node's own errors */
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":-32000,\"message\":\"nonce too low\"}}",
	 ERR_REMOTE, -32000, "nonce too low", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"parse\"}}",
	 ERR_REMOTE, -32700, "parse", "0x"},
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":null,\"error\":{\"code\":1,\"message\":\"m\"}}",
	 ERR_REMOTE, 1, "m", "0x"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":1}}", ERR_REMOTE, 1, "", "0x"},
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":3,\"message\":\"m\",\"data\":"
	 "\"0x99ec48d9\"}}",
	 ERR_REMOTE, 3, "m", "0x99ec48d9"},
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":3,\"message\":\"m\",\"data\":"
	 "\"Reverted 0x99ec48d9\"}}",
	 ERR_REMOTE, 3, "m", "0x99ec48d9"},
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":3,\"message\":\"m\",\"data\":{\"data\":"
	 "\"0x99ec48d9\"}}}",
	 ERR_REMOTE, 3, "m", "0x99ec48d9"},
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":3,\"message\":\"m\",\"data\":{"
	 "\"originalError\":"
	 "{\"code\":3,\"data\":\"0x99ec48d9\"}}}}",
	 ERR_REMOTE, 3, "m", "0x99ec48d9"},
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":3,\"message\":\"m\",\"data\":"
	 "\"0x99ec48d\"}}",
	 ERR_REMOTE, 3, "m", "0x"},
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":3,\"message\":\"m\",\"data\":\"no "
	 "data\"}}",
	 ERR_REMOTE, 3, "m", "0x"},
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":3,\"message\":\"m\",\"data\":{\"data\":"
	 "{\"data\":"
	 "{\"data\":{\"data\":{\"data\":\"0x99\"}}}}}}}",
	 ERR_REMOTE, 3, "m", "0x"},
	/* NUL characters in what a node says */
	{200,
	 "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":3,\"message\":"
	 "\"a\\u0000\\u0000b\\\\u0000\\u0000\",\"data\":\"0x00\"}}",
	 ERR_REMOTE, 3,
	 "a\xef\xbf\xbd\xef\xbf\xbd"
	 "b\\u0000\xef\xbf\xbd",
	 "0x00"},
	{200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x10\\u0000\"}", ERR_MALFORMED, 0, "",
	 "0x"},
	/* HTTP */
	{429, "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":1,\"message\":\"m\"}}",
	 ERR_UNAVAILABLE, 0, "", "0x"},
	{500, "oops", ERR_UNAVAILABLE, 0, "", "0x"},
	{503, "", ERR_UNAVAILABLE, 0, "", "0x"},
	{400, "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":1,\"message\":\"m\"}}", ERR_REMOTE,
	 1, "m", "0x"},
	{400, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x10\"}", ERR_MISMATCH, 0, "", "0x"},
	{401, "who are you", ERR_MISMATCH, 0, "", "0x"},
	{404, "", ERR_MISMATCH, 0, "", "0x"},
	{301, "", ERR_MISMATCH, 0, "", "0x"},
	{204, "", ERR_MISMATCH, 0, "", "0x"},
};

static void test_envelope(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(envelopes); i++) {
		const struct envelope_row *row = &envelopes[i];
		struct seen s = {0};
		struct arena a = arena_make(1 << 16);

		assert_ok(provider_get_chain_id(r->p, seen_u64, &s));
		fake_answer(&r->t, r->t.requests_n - 1, row->status, row->reply);
		assert_int_equal(s.calls, 1);
		if (s.err != row->err)
			fail_msg("row %zu, %s: %s, not %s", i, row->reply, err_name(s.err),
				 err_name(row->err));
		assert_int_equal(s.value, row->err == ERR_OK ? 16 : 0);
		assert_int_equal(s.code, row->code);
		assert_string_equal(s.message, row->message);
		assert_bytes_equal(bytes_from(s.revert, s.revert_n), hex_bytes(&a, row->revert));
		arena_free(&a);
	}
}

static void test_transport_errors(void **state)
{
	static const enum err errs[] = {ERR_TIMEOUT, ERR_UNAVAILABLE, ERR_TOO_BIG};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
		struct seen s = {0};

		assert_ok(provider_get_chain_id(r->p, seen_u64, &s));
		fake_fail(&r->t, i, errs[i]);
		assert_int_equal(s.calls, 1);
		assert_err(s.err, errs[i]);
		assert_string_equal(s.note, "eth_chainId: as the test wants it");
	}
}

/* ---- queue ---- */

static void test_request_sent_at_once(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};
	json_t *params = json_pack("[s,{s:i}]", "a\"b", "k", 1);

	assert_ok(provider_request(r->p, "debug_x", params, 1000, seen_json, &s));
	assert_request(&r->t, 0, "debug_x", "[\"a\\\"b\",{\"k\":1}]");
	assert_int_equal(r->t.requests[0].body_max, 1000);
	assert_int_equal(r->t.requests[0].timeout_ms, RIG_TIMEOUT_MS);
	assert_ok(provider_request(r->p, "debug_x", params, 0, seen_json, &s));
	assert_int_equal(r->t.requests[1].body_max, JSON_RPC_BODY_MAX);
	assert_int_equal(s.calls, 0);
	fake_answer(&r->t, 0, 200, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":{\"a\":[1]}}");
	assert_int_equal(s.calls, 1);
	assert_ok(s.err);

	json_t *object = json_object();
	assert_err(provider_request(r->p, "x", object, 0, seen_json, &s), ERR_RANGE);
	assert_err(provider_request(r->p, "x\"", params, 0, seen_json, &s), ERR_RANGE);
	assert_err(provider_request(r->p, "", params, 0, seen_json, &s), ERR_RANGE);
	json_decref(object);
	json_decref(params);
}

static void test_waiting_in_order(void **state)
{
	struct rig *r = *state;
	struct seen s[7] = {{0}};

	for (size_t i = 0; i < 7; i++)
		assert_ok(provider_get_chain_id(r->p, seen_u64, &s[i]));
	assert_int_equal(r->t.requests_n, RIG_IN_FLIGHT);
	/* Whatever ends first makes room for the one that waits longest. */
	for (size_t i = 7; i > 4; i--)
		fake_answer(&r->t, (size_t[]){2, 0, 1}[i - 5], 200, OK_U64);
	assert_int_equal(r->t.requests_n, 6);
	for (size_t i = 3; i < 7; i++)
		fake_answer(&r->t, i, 200, OK_U64);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(s[i].calls, 1);
	assert_int_equal(r->t.requests_n, 7);
}

static void test_waiting_has_an_end(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};
	size_t n = 0;

	while (provider_get_chain_id(r->p, seen_u64, &s) == ERR_OK)
		n++;
	assert_int_equal(n, RIG_IN_FLIGHT + PROVIDER_WAITING_MAX);
	assert_err(provider_get_chain_id(r->p, seen_u64, &s), ERR_BUSY);
	fake_answer(&r->t, 0, 200, OK_U64);
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s));
}

/* Calls with 1 MiB of data until the queue is full. */
static size_t fill_with_calls(struct rig *r, struct seen *s)
{
	uint8_t *big = calloc(1, 1 << 20);
	const struct call_msg msg = {.data = bytes_from(big, 1 << 20)};
	const struct block_tag latest = {.kind = BLOCK_LATEST};
	size_t n = 0;

	while (provider_call(r->p, &msg, latest, seen_bytes, s) == ERR_OK)
		n++;
	assert_err(provider_call(r->p, &msg, latest, seen_bytes, s), ERR_BUSY);
	free(big);
	return n;
}

static void test_waiting_bytes_have_an_end(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	/* Two digits a byte, 64 MiB: less than 32 of them wait. Small ones still may. */
	assert_int_equal(fill_with_calls(r, &s), RIG_IN_FLIGHT + 31);
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s));
	for (size_t i = 0; i < r->t.requests_n; i++)
		fake_answer(&r->t, i, 200, OK_U64);
	assert_int_equal(s.calls, RIG_IN_FLIGHT + 31 + 1);
	fake_transport_clear(&r->t);
	assert_int_equal(fill_with_calls(r, &s), RIG_IN_FLIGHT + 31);
}

static void test_request_too_big(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};
	uint8_t *big = calloc(1, 2 << 20);

	assert_err(provider_send_raw(r->p, bytes_from(big, 2 << 20), seen_hash, &s), ERR_TOO_BIG);
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s));
	assert_request(&r->t, 0, "eth_chainId", "[]");
	free(big);
}

/* A request has one deadline, from the call on. */
static void test_deadline_covers_waiting(void **state)
{
	struct rig *r = *state;
	struct seen s[6] = {{0}};

	for (size_t i = 0; i < 6; i++)
		assert_ok(provider_get_chain_id(r->p, seen_u64, &s[i]));
	r->clock.now_ms += RIG_TIMEOUT_MS - 5;
	fake_answer(&r->t, 0, 200, OK_U64);
	assert_int_equal(r->t.requests[3].timeout_ms, 5);
	r->clock.now_ms += 5;
	fake_fail(&r->t, 1, ERR_TIMEOUT);
	/* Both that waited are too late now; they are told later, not from inside. */
	assert_int_equal(r->t.requests_n, 4);
	assert_int_equal(s[4].calls + s[5].calls, 0);
	assert_true(fake_clock_fire(&r->clock));
	assert_int_equal(s[4].calls, 1);
	assert_int_equal(s[5].calls, 0);
	assert_true(fake_clock_fire(&r->clock));
	assert_int_equal(s[5].calls, 1);
	assert_err(s[5].err, ERR_TIMEOUT);
	assert_false(fake_clock_fire(&r->clock));
}

/* Also when none of those that run ever ends. */
static void test_waiting_learns_of_its_deadline(void **state)
{
	struct rig *r = *state;
	struct seen s[5] = {{0}};
	int64_t begin_ms = r->clock.now_ms;

	for (size_t i = 0; i < 4; i++)
		assert_ok(provider_get_chain_id(r->p, seen_u64, &s[i]));
	r->clock.now_ms += 1000;
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[4]));
	while (s[3].calls == 0)
		assert_true(fake_clock_fire(&r->clock));
	assert_err(s[3].err, ERR_TIMEOUT);
	assert_int_equal(r->clock.now_ms, begin_ms + RIG_TIMEOUT_MS);
	assert_int_equal(s[4].calls, 0);
	while (s[4].calls == 0)
		assert_true(fake_clock_fire(&r->clock));
	assert_err(s[4].err, ERR_TIMEOUT);
	assert_int_equal(r->clock.now_ms, begin_ms + 1000 + RIG_TIMEOUT_MS);
	assert_false(fake_clock_fire(&r->clock));
	assert_int_equal(r->t.requests_n, RIG_IN_FLIGHT);
	/* What waited and was sent leaves no timer behind. */
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[3]));
	fake_answer(&r->t, 0, 200, OK_U64);
	assert_int_equal(r->t.requests_n, RIG_IN_FLIGHT + 1);
	assert_false(fake_clock_fire(&r->clock));
}

static void test_transport_busy(void **state)
{
	struct rig *r = *state;
	struct seen s[3] = {{0}};

	r->t.send_err = ERR_BUSY;
	assert_err(provider_get_chain_id(r->p, seen_u64, &s[0]), ERR_BUSY);
	r->t.send_err = ERR_OK;
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[0]));
	/* With one of ours running, the end of that one is worth waiting for. */
	r->t.send_err = ERR_BUSY;
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[1]));
	assert_int_equal(r->t.requests_n, 1);
	/* The next one looks whether there is room by now, and does not overtake. */
	r->t.send_err = ERR_OK;
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[2]));
	assert_int_equal(r->t.requests_n, 3);
	fake_answer(&r->t, 0, 200, OK_U64);
	fake_answer(&r->t, 1, 200, OK_U64);
	assert_int_equal(s[1].calls, 1);
	assert_int_equal(s[2].calls, 0);
	fake_answer(&r->t, 2, 200, OK_U64);

	/* A transport that stays busy: they go when one of ours ends. */
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[0]));
	r->t.send_err = ERR_BUSY;
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[1]));
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[2]));
	assert_int_equal(r->t.requests_n, 4);
	r->t.send_err = ERR_OK;
	fake_answer(&r->t, 3, 200, OK_U64);
	assert_int_equal(r->t.requests_n, 6);
	fake_answer(&r->t, 4, 200, OK_U64);
	fake_answer(&r->t, 5, 200, OK_U64);
	memset(s, 0, sizeof(s));

	/* With none running nobody would wake it: it fails. */
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[0]));
	r->t.send_err = ERR_BUSY;
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s[1]));
	fake_answer(&r->t, 6, 200, OK_U64);
	assert_true(fake_clock_fire(&r->clock));
	assert_err(s[1].err, ERR_BUSY);
	r->t.send_err = ERR_NOMEM;
	assert_err(provider_get_chain_id(r->p, seen_u64, &s[2]), ERR_NOMEM);
	assert_int_equal(s[0].calls + s[1].calls + s[2].calls, 2);
}

/* ---- freeing ---- */

static void test_free_cancels(void **state)
{
	struct rig *r = *state;
	struct seen s[6] = {{0}};

	for (size_t i = 0; i < 6; i++)
		assert_ok(provider_get_chain_id(r->p, seen_u64, &s[i]));
	r->clock.now_ms += RIG_TIMEOUT_MS;
	fake_fail(&r->t, 0, ERR_TIMEOUT); /* the waiting ones have failed and wait for the timer */
	provider_free(r->p);
	r->p = NULL;
	assert_int_equal(r->t.cancelled_n, 2);
	assert_false(fake_clock_fire(&r->clock));
	assert_int_equal(s[0].calls, 1);
	for (size_t i = 1; i < 6; i++)
		assert_int_equal(s[i].calls, 0);
}

static void free_provider(void *ctx, const struct provider_error *e, uint64_t value)
{
	struct rig *r = ctx;
	(void)e;
	(void)value;

	provider_free(r->p);
	r->p = NULL;
}

static void test_free_in_callback(void **state)
{
	struct rig *r = *state;
	struct seen s[4] = {{0}};

	assert_ok(provider_get_chain_id(r->p, free_provider, r));
	for (size_t i = 0; i < 4; i++)
		assert_ok(provider_get_chain_id(r->p, seen_u64, &s[i]));
	fake_answer(&r->t, 0, 200, OK_U64);
	assert_null(r->p);
	assert_int_equal(r->t.cancelled_n, 3);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(s[i].calls, 0);
}

static void test_free_in_failed_callback(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	for (size_t i = 0; i < RIG_IN_FLIGHT; i++)
		assert_ok(provider_get_chain_id(r->p, seen_u64, &s));
	assert_ok(provider_get_chain_id(r->p, free_provider, r));
	assert_ok(provider_get_chain_id(r->p, seen_u64, &s));
	r->clock.now_ms += RIG_TIMEOUT_MS;
	fake_answer(&r->t, 0, 200, OK_U64);
	assert_true(fake_clock_fire(&r->clock));
	assert_null(r->p);
	assert_false(fake_clock_fire(&r->clock));
	assert_int_equal(s.calls, 1);
}

static void ask_again(void *ctx, const struct provider_error *e, uint64_t value)
{
	struct rig *r = ctx;

	assert_ok(e->err);
	assert_int_equal(value, 16);
	if (++r->rounds < 100)
		assert_ok(provider_get_chain_id(r->p, ask_again, r));
}

static void test_ask_in_callback(void **state)
{
	struct rig *r = *state;

	assert_ok(provider_get_chain_id(r->p, ask_again, r));
	for (size_t i = 0; i < 100; i++)
		fake_answer(&r->t, i, 200, OK_U64);
	assert_int_equal(r->rounds, 100);
	assert_int_equal(r->t.requests_n, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		WITH_RIG(test_envelope),
		WITH_RIG(test_transport_errors),
		WITH_RIG(test_request_sent_at_once),
		WITH_RIG(test_waiting_in_order),
		WITH_RIG(test_waiting_has_an_end),
		WITH_RIG(test_waiting_bytes_have_an_end),
		WITH_RIG(test_request_too_big),
		WITH_RIG(test_deadline_covers_waiting),
		WITH_RIG(test_waiting_learns_of_its_deadline),
		WITH_RIG(test_transport_busy),
		WITH_RIG(test_free_cancels),
		WITH_RIG(test_free_in_callback),
		WITH_RIG(test_free_in_failed_callback),
		WITH_RIG(test_ask_in_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
