/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The n-th allocation fails, for every n: an error comes back, nothing leaks (the sanitizer looks),
 * nothing is half done. */
#include <stdlib.h>

#include "crypto/ecdsa.h"
#include "eth/eip712.h"
#include "eth/signer.h"
#include "eth/tx.h"
#include "provider_support.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

/* Allocations until the one that fails; negative: none does. */
static long countdown = -1;

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

/* Runs `work` until it gets through; every failure on the way is ERR_NOMEM. */
static void torture(enum err (*work)(void *ctx), void *ctx)
{
	enum {
		ROUNDS_MAX = 1000
	};
	long round = 0;
	enum err err;

	do {
		countdown = round;
		err = work(ctx);
		bool reached = countdown < 0;
		countdown = -1;
		assert_true(round++ < ROUNDS_MAX);
		if (!reached)
			assert_ok(err);
		else if (err != ERR_OK)
			assert_err(err, ERR_NOMEM);
		if (!reached)
			break;
	} while (true);
	assert_true(round > 2);
}

/* ---- ABI ---- */

static enum err code_abi(void *ctx)
{
	CLEANUP(arena_free) struct arena a = arena_make(1 << 20);
	CLEANUP(buf_free) struct buf out = buf_make(1 << 20);
	static const char signature[] = "f((bytes,uint8[])[],string)";
	const struct abi_value bytes[] = {abi_bytes(BYTES_LIT("x")), abi_items(NULL, 0)};
	const struct abi_value item = abi_items(bytes, 2);
	const struct abi_value args[] = {abi_items(&item, 1), abi_bytes(BYTES_LIT("y"))};
	const struct abi_type *t;
	const struct abi_value *v;
	(void)ctx;

	TRY(abi_encode_call(&a, &out, signature, args, 2));
	TRY(abi_signature_parse(&a, &t, signature));
	TRY(abi_decode(&a, &v, t, bytes_sub(buf_view(&out), 4, out.n - 4)));
	return abi_decode_event(&a, &v, t, 0, NULL, 0, bytes_sub(buf_view(&out), 4, out.n - 4));
}

static void test_abi(void **state)
{
	(void)state;
	torture(code_abi, NULL);
}

/* ---- transactions ---- */

static enum err code_tx(void *ctx)
{
	CLEANUP(buf_free) struct buf raw = buf_make(1 << 20);
	const struct tx t = {.gas = 1, .data = BYTES_LIT("some call data")};
	const struct signature65 sig = {{[64] = 27}};
	struct hash32 hash;
	(void)ctx;

	TRY(tx_signing_hash(&hash, &t));
	return tx_serialize(&raw, &hash, &t, &sig);
}

static void test_tx(void **state)
{
	(void)state;
	torture(code_tx, NULL);
}

/* ---- provider ---- */

/* A transport that keeps the newest request's callback and allocates nothing. */
struct keeper {
	struct transport base;
	struct fake_clock clock;
	http_done_fn *done;
	void *ctx;
};

static enum err keeper_send(struct transport *t, struct http_ticket *ret_ticket,
			    const struct http_request *req, http_done_fn *done, void *ctx)
{
	struct keeper *k = CONTAINER_OF(t, struct keeper, base);

	(void)req;
	k->done = done;
	k->ctx = ctx;
	ret_ticket->id = 1;
	return ERR_OK;
}

static void keeper_cancel(struct transport *t, struct http_ticket ticket)
{
	(void)t;
	(void)ticket;
}

static void keeper_init(struct keeper *k)
{
	static const struct transport_ops ops = {.send = keeper_send, .cancel = keeper_cancel};

	*k = (struct keeper){.base.ops = &ops};
	fake_clock_init(&k->clock);
}

static enum err make_provider(struct keeper *k, struct provider **ret_p)
{
	const struct provider_options o = {
		.url = "http://rpc.example", .timeout_ms = 1000, .in_flight_max = 1};

	return provider_new(ret_p, &k->base, &k->clock.base, &o, NULL);
}

/* One goes out, one waits; both are cancelled. */
static enum err code_send(void *ctx)
{
	struct keeper *k = ctx;
	const struct address address = {{1}};
	const struct hash32 topic = {{2}};
	const struct log_filter f = {
		.addresses = &address, .addresses_n = 1, .topic0 = &topic, .topic0_n = 1};
	struct seen s = {0};
	struct provider *p;

	TRY(make_provider(k, &p));
	enum err err = provider_logs(p, &f, seen_logs, &s);
	if (err == ERR_OK)
		err = provider_logs(p, &f, seen_logs, &s);
	provider_free(p);
	assert_int_equal(s.calls, 0);
	return err;
}

static void test_provider_send(void **state)
{
	struct keeper k;
	(void)state;

	keeper_init(&k);
	torture(code_send, &k);
}

#define ONES "\"0x1111111111111111111111111111111111111111111111111111111111111111\""
/* '@' stands for data that no block of an arena has room for. */
static const char logs_reply[] =
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[{\"topics\":[],\"blockNumber\":\"0x1\","
	"\"address\":\"0x00112233445566778899aabbccddeeff01234567\",\"logIndex\":\"0x0\","
	"\"data\":\"0x@\",\"blockHash\":" ONES ",\"transactionHash\":" ONES "}]}";
static const char revert_reply[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":3,"
				   "\"message\":\"m\",\"data\":\"0x0102\"}}";

/* The request goes out in peace, allocation `fail_at` of reading its reply fails. True: it was
 * reached. */
static bool read_reply(const char *text, long fail_at, enum err *ret_err)
{
	const struct log_filter f = {.from.v = 1, .to.v = 1};
	struct seen s = {0};
	struct buf body = buf_make(1 << 16);
	const char *at = strchr(text, '@');
	struct keeper k;
	struct provider *p;

	keeper_init(&k);
	assert_ok(make_provider(&k, &p));
	assert_ok(provider_logs(p, &f, seen_logs, &s));
	assert_ok(buf_add(&body, bytes_from(text, at ? (size_t)(at - text) : strlen(text))));
	if (at)
		assert_ok(buf_addf(&body, "%0*d%s", 10000, 0, &at[1]));
	struct http_reply reply = {.status = 200, .body = buf_view(&body), .owner = &body};
	countdown = fail_at;
	k.done(k.ctx, &reply);
	bool reached = countdown < 0;
	countdown = -1;
	assert_int_equal(s.calls, 1);
	provider_free(p);
	buf_free(&body);
	*ret_err = s.err;
	return reached;
}

static void test_provider_reply(void **state)
{
	enum err err;
	long at = 0;
	(void)state;

	/* A full arena and a full machine look alike from inside: too big, or no memory. */
	while (read_reply(logs_reply, at++, &err))
		assert_true(err == ERR_NOMEM || err == ERR_TOO_BIG);
	assert_ok(err);
	assert_true(at > 1);
	for (at = 0; read_reply(revert_reply, at, &err); at++)
		assert_err(err, ERR_REMOTE);
	assert_err(err, ERR_REMOTE);
	assert_true(at > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_abi),
		cmocka_unit_test(test_tx),
		cmocka_unit_test(test_provider_send),
		cmocka_unit_test(test_provider_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
