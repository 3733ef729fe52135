/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The provider and the signer against a real node. The program is named by the environment variable
 * ANVIL; a missing one is a failure, not a reason to skip.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/ecdsa.h"
#include "eth/heads.h"
#include "eth/signer.h"
#include "eth/tx.h"
#include "net/loop.h"
#include "provider_support.h"

enum {
	CHAIN_ID = 54321,
	START_TIMEOUT_MS = 60000,
	WATCHDOG_MS = 60000,
	IN_FLIGHT = 4,
};

/* Anvil's first account; its key is in the node's manual. */
static const char account_key[] =
	"0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
static const char account[] = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/*
 * Three contracts by hand; all copy their call data to memory first (calldatacopy(0, 0,
 * calldatasize)). logger: log2(topics: words 0 and 1, data: the rest); reverter: revert(all); echo:
 * return(all).
 */
static const char logger[] = "0x00000000000000000000000000000000000010c0";
static const char reverter[] = "0x00000000000000000000000000000000000010c1";
static const char echo[] = "0x00000000000000000000000000000000000010c2";
static const struct {
	const char *address, *code;
} contracts[] = {
	{logger, "0x366000600037602051600051604036036040a200"},
	{reverter, "0x366000600037366000fd"},
	{echo, "0x366000600037366000f3"},
};

struct node {
	pid_t pid;
	char url[64];
	struct loop *loop;
	struct transport *transport;
	struct provider *p;
	struct ecdsa *ecdsa;
	struct signer *signer;
	unsigned waits; /* callbacks until the loop may stop */
	struct timer watchdog, miner;
};

/* ---- the process ---- */

static pid_t spawn(const char *anvil, int out)
{
	char chain[16];
	pid_t pid;

	snprintf(chain, sizeof(chain), "%d", CHAIN_ID);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
		execl(anvil, anvil, "--port", "0", "--chain-id", chain, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* The node writes to a file that has no name; the port is on the line that says that it listens. */
static unsigned wait_for_port(pid_t pid, int out)
{
	static const char mark[] = "Listening on 127.0.0.1:";
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int waited_ms = 0; waited_ms < START_TIMEOUT_MS; waited_ms += 10) {
		char text[16384];
		ssize_t n = pread(out, text, sizeof(text) - 1, 0);
		unsigned port;

		assert_true(n >= 0);
		text[n] = '\0';
		const char *at = strstr(text, mark);
		if (at && strchr(at, '\n') && sscanf(&at[sizeof(mark) - 1], "%u", &port) == 1)
			return port;
		if (waitpid(pid, NULL, WNOHANG) != 0)
			fail_msg("anvil did not start: %s", text);
		nanosleep(&pause, NULL);
	}
	fail_msg("anvil does not listen");
	return 0;
}

static void start(struct node *n)
{
	const char *anvil = getenv("ANVIL");
	char path[] = "/tmp/test-anvil-XXXXXX";
	int out;

	if (!anvil || access(anvil, X_OK) != 0)
		fail_msg("ANVIL (%s) is not the program: run npm ci", anvil ? anvil : "not set");
	out = mkstemp(path);
	assert_true(out >= 0);
	unlink(path);
	n->pid = spawn(anvil, out);
	assert_true(n->pid > 0);
	const char *scheme = getenv("SCHEME");
	snprintf(n->url, sizeof(n->url), "%s://127.0.0.1:%u", scheme ? scheme : "http",
		 wait_for_port(n->pid, out));
	close(out);
}

/* ---- waiting ---- */

static void too_long(void *ctx)
{
	(void)ctx;
	fail_msg("no callback within %d ms", WATCHDOG_MS);
}

static void one_less(void *ctx)
{
	struct node *n = ctx;

	assert_true(n->waits > 0);
	if (--n->waits == 0)
		loop_stop(n->loop);
}

static struct seen expect(struct node *n)
{
	n->waits++;
	return (struct seen){.after = one_less, .after_ctx = n};
}

static void run(struct node *n)
{
	struct clock *clock = loop_clock(n->loop);

	clock_timer_set(clock, &n->watchdog, WATCHDOG_MS, too_long, NULL);
	assert_ok(loop_run(n->loop));
	clock_timer_cancel(clock, &n->watchdog);
	assert_int_equal(n->waits, 0);
}

static struct provider *provider_at(struct node *n, int64_t timeout_ms)
{
	const struct provider_options o = {
		.url = n->url,
		.chain_id.v = CHAIN_ID,
		.timeout_ms = timeout_ms,
		.in_flight_max = IN_FLIGHT,
	};
	struct provider *p;

	assert_ok(provider_new(&p, n->transport, loop_clock(n->loop), &o, NULL));
	return p;
}

static struct seen request(struct node *n, const char *method, json_t *params)
{
	struct seen s = expect(n);

	assert_ok(provider_request(n->p, method, params, 0, seen_json, &s));
	json_decref(params);
	run(n);
	assert_ok(s.err);
	return s;
}

static int setup(void **state)
{
	static const uint8_t seed[32] = {5};
	struct node *n = calloc(1, sizeof(*n));
	struct secret32 key;

	assert_non_null(n);
	*state = n;
	start(n);
	assert_ok(loop_new(&n->loop));
	struct transport *http;
	assert_ok(transport_curl_new(&http, n->loop));
	assert_ok(transport_ws_new(&n->transport, n->loop, http));
	n->p = provider_at(n, WATCHDOG_MS);
	assert_ok(ecdsa_new(&n->ecdsa, seed));
	memcpy(key.b, hex_hash(account_key).b, sizeof(key.b));
	assert_ok(signer_raw_new(&n->signer, loop_clock(n->loop), n->ecdsa, &key));
	assert_true(address_eq(n->signer->address, hex_address(account)));
	for (size_t i = 0; i < ARRAY_LEN(contracts); i++)
		request(n, "anvil_setCode",
			json_pack("[s,s]", contracts[i].address, contracts[i].code));
	return 0;
}

static int teardown(void **state)
{
	struct node *n = *state;

	provider_free(n->p);
	signer_free(n->signer);
	ecdsa_free(n->ecdsa);
	transport_free(n->transport);
	loop_free(n->loop);
	if (n->pid > 0) {
		kill(n->pid, SIGKILL);
		waitpid(n->pid, NULL, 0);
	}
	free(n);
	return 0;
}

/* ---- reading ---- */

static struct block_tag tag(enum block_tag_kind kind, uint64_t number)
{
	return (struct block_tag){.kind = kind, .number.v = number};
}

static void test_chain(void **state)
{
	struct node *n = *state;
	struct seen id = expect(n), latest = expect(n), safe = expect(n), final = expect(n),
		    first = expect(n), none = expect(n), nonce = expect(n), fee = expect(n);

	assert_ok(provider_get_chain_id(n->p, seen_u64, &id));
	assert_ok(provider_head(n->p, tag(BLOCK_LATEST, 0), seen_head, &latest));
	assert_ok(provider_head(n->p, tag(BLOCK_SAFE, 0), seen_head, &safe));
	assert_ok(provider_head(n->p, tag(BLOCK_FINALIZED, 0), seen_head, &final));
	assert_ok(provider_head(n->p, tag(BLOCK_NUMBER, 0), seen_head, &first));
	assert_ok(provider_head(n->p, tag(BLOCK_NUMBER, 1000000), seen_head, &none));
	assert_ok(
		provider_nonce(n->p, n->signer->address, tag(BLOCK_PENDING, 0), seen_u64, &nonce));
	assert_ok(provider_fee_history(n->p, seen_fee, &fee));
	run(n);
	assert_ok(id.err);
	assert_int_equal(id.value, CHAIN_ID);
	assert_ok(latest.err);
	assert_true(latest.head.timestamp_s > 1700000000);
	assert_ok(safe.err);
	assert_ok(final.err);
	assert_true(final.head.number.v <= latest.head.number.v);
	assert_ok(first.err);
	assert_int_equal(first.head.number.v, 0);
	assert_err(none.err, ERR_NOT_FOUND);
	assert_ok(nonce.err);
	assert_int_equal(nonce.value, 0);
	assert_ok(fee.err);
	assert_false(u256_is_zero(fee.fee.base_fee_next.v));
	assert_false(u256_is_zero(fee.fee.priority.v));
}

static void test_call_and_revert(void **state)
{
	/* KmsNodeAlreadySigned(uint256,address), cut short: what a node reports is bytes */
	static const uint8_t data[] = {0x99, 0xec, 0x48, 0xd9, 0x00, 0x01};
	struct node *n = *state;
	const struct call_msg to_echo = {.to = hex_address(echo), .data = BYTES_OF(data)};
	const struct call_msg to_reverter = {
		.from = n->signer->address, .to = hex_address(reverter), .data = BYTES_OF(data)};
	struct seen echoed = expect(n), reverted = expect(n), estimate = expect(n),
		    good = expect(n);

	assert_ok(provider_call(n->p, &to_echo, tag(BLOCK_LATEST, 0), seen_bytes, &echoed));
	assert_ok(provider_call(n->p, &to_reverter, tag(BLOCK_LATEST, 0), seen_bytes, &reverted));
	assert_ok(provider_estimate_gas(n->p, &to_reverter, seen_u64, &estimate));
	assert_ok(provider_estimate_gas(n->p, &to_echo, seen_u64, &good));
	run(n);
	assert_ok(echoed.err);
	assert_bytes_equal(bytes_from(echoed.bytes, echoed.bytes_n), BYTES_OF(data));
	assert_err(reverted.err, ERR_REMOTE);
	assert_int_equal(reverted.code, 3);
	assert_non_null(strstr(reverted.message, "revert"));
	assert_bytes_equal(bytes_from(reverted.revert, reverted.revert_n), BYTES_OF(data));
	assert_err(estimate.err, ERR_REMOTE);
	assert_bytes_equal(bytes_from(estimate.revert, estimate.revert_n), BYTES_OF(data));
	assert_ok(good.err);
	assert_in_range(good.value, 21000, 30000);
}

static void test_unknown_method(void **state)
{
	struct node *n = *state;
	struct seen s = expect(n);
	json_t *params = json_array();

	assert_ok(provider_request(n->p, "claviger_none", params, 0, seen_json, &s));
	json_decref(params);
	run(n);
	assert_err(s.err, ERR_REMOTE);
	/* What anvil says of it over a WebSocket. */
	assert_true(s.code == -32601 || (getenv("SCHEME") && s.code == -32602));
	assert_false(s.given);
}

/* More than may be in flight: the rest waits its turn. */
static void test_many_at_once(void **state)
{
	enum {
		MANY = 300
	};
	struct node *n = *state;
	struct seen *s = calloc(MANY, sizeof(*s));

	for (size_t i = 0; i < MANY; i++) {
		s[i] = expect(n);
		assert_ok(provider_get_chain_id(n->p, seen_u64, &s[i]));
	}
	run(n);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(s[i].calls, 1);
		assert_ok(s[i].err);
		assert_int_equal(s[i].value, CHAIN_ID);
	}
	free(s);
}

/* ---- writing ---- */

struct signature_wait {
	struct node *node;
	struct signature65 sig;
};

static void on_signed(void *ctx, enum err err, const struct signature65 *sig)
{
	struct signature_wait *w = ctx;

	assert_ok(err);
	w->sig = *sig;
	one_less(w->node);
}

/* Call data of the logger: two topics and a payload. */
static struct bytes log_data(uint8_t out[65], uint8_t topic0, uint8_t topic1, uint8_t payload)
{
	memset(out, 0, 65);
	out[31] = topic0;
	out[63] = topic1;
	out[64] = payload;
	return bytes_from(out, 65);
}

static void make_tx(struct node *n, struct buf *raw, struct hash32 *ret_hash, uint64_t nonce,
		    const char *to, struct bytes data, uint64_t gas)
{
	struct seen fee = expect(n);
	struct signature_wait w = {.node = n};
	struct hash32 digest;

	assert_ok(provider_fee_history(n->p, seen_fee, &fee));
	run(n);
	assert_ok(fee.err);

	struct tx t = {
		.chain_id.v = CHAIN_ID,
		.nonce = nonce,
		.priority_fee_max = fee.fee.priority,
		.gas = gas,
		.to = hex_address(to),
		.data = data,
	};
	(void)u256_add(&t.fee_max.v, fee.fee.base_fee_next.v, fee.fee.base_fee_next.v);
	(void)u256_add(&t.fee_max.v, t.fee_max.v, fee.fee.priority.v);
	assert_ok(tx_signing_hash(&digest, &t));
	n->waits++;
	assert_ok(signer_sign(n->signer, digest, on_signed, &w));
	run(n);
	assert_ok(tx_serialize(raw, ret_hash, &t, &w.sig));
}

static uint64_t next_nonce(struct node *n)
{
	struct seen s = expect(n);

	assert_ok(provider_nonce(n->p, n->signer->address, tag(BLOCK_PENDING, 0), seen_u64, &s));
	run(n);
	assert_ok(s.err);
	return s.value;
}

static struct receipt send_and_wait(struct node *n, const char *to, struct bytes data, uint64_t gas)
{
	struct buf raw = buf_make(1 << 20);
	struct seen sent, receipt;
	struct hash32 hash;

	make_tx(n, &raw, &hash, next_nonce(n), to, data, gas);
	receipt = expect(n);
	assert_ok(provider_receipt(n->p, hash, seen_receipt, &receipt));
	run(n);
	assert_ok(receipt.err);
	assert_false(receipt.given);

	sent = expect(n);
	assert_ok(provider_send_raw(n->p, buf_view(&raw), seen_hash, &sent));
	run(n);
	if (sent.err != ERR_OK)
		fail_msg("%s", sent.note);
	assert_true(hash32_eq(sent.hash, hash));

	/* The node mines one block for each transaction before it answers, or soon after. */
	int64_t end_ms = clock_mono_ms(loop_clock(n->loop)) + WATCHDOG_MS;
	while (!receipt.given && clock_mono_ms(loop_clock(n->loop)) < end_ms) {
		receipt = expect(n);
		assert_ok(provider_receipt(n->p, hash, seen_receipt, &receipt));
		run(n);
		assert_ok(receipt.err);
	}
	assert_true(receipt.given);

	/* Once more: the node refuses, and says so in words that the sender can read. */
	sent = expect(n);
	assert_ok(provider_send_raw(n->p, buf_view(&raw), seen_hash, &sent));
	run(n);
	assert_err(sent.err, ERR_REMOTE);
	assert_non_null(strstr(sent.message, "nonce too low"));
	buf_free(&raw);
	return receipt.receipt;
}

static void test_transactions_and_logs(void **state)
{
	struct node *n = *state;
	const struct address address = hex_address(logger);
	struct hash32 topics[2] = {{{[31] = 1}}, {{[31] = 2}}};
	struct receipt r[3];
	uint8_t data[65];

	for (uint8_t i = 0; i < 3; i++) {
		r[i] = send_and_wait(
			n, logger, log_data(data, i == 2 ? 2 : 1, 7, (uint8_t)(0xa0 + i)), 100000);
		assert_true(r[i].success);
		assert_in_range(r[i].gas_used, 21000, 100000);
	}
	assert_true(r[0].block.v < r[1].block.v && r[1].block.v < r[2].block.v);

	struct log_filter f = {
		.addresses = &address,
		.addresses_n = 1,
		.topic0 = topics,
		.topic0_n = 2,
		.from = r[0].block,
		.to = r[2].block,
	};
	struct seen all = expect(n), one = expect(n), none = expect(n);
	assert_ok(provider_logs(n->p, &f, seen_logs, &all));
	f.topic0_n = 1;
	f.from = r[1].block;
	assert_ok(provider_logs(n->p, &f, seen_logs, &one));
	f.from = r[2].block;
	assert_ok(provider_logs(n->p, &f, seen_logs, &none));
	run(n);
	assert_ok(all.err);
	assert_int_equal(all.logs_n, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct event_log *l = &all.logs[i];

		assert_true(address_eq(l->address, address));
		assert_true(hash32_eq(l->tx_hash, r[i].tx_hash));
		assert_true(hash32_eq(l->block_hash, r[i].block_hash));
		assert_int_equal(l->block.v, r[i].block.v);
		assert_int_equal(l->topics_n, 2);
		assert_int_equal(l->topics[1].b[31], 7);
		assert_int_equal(l->data.n, 1);
		assert_int_equal(all.logs_first_byte[i], 0xa0 + i);
	}
	assert_ok(one.err);
	assert_int_equal(one.logs_n, 1);
	assert_true(hash32_eq(one.logs[0].tx_hash, r[1].tx_hash));
	assert_ok(none.err);
	assert_int_equal(none.logs_n, 0);
}

static void test_failed_transaction(void **state)
{
	struct node *n = *state;
	struct receipt r = send_and_wait(n, reverter, BYTES_LIT("no"), 100000);

	assert_false(r.success);
}

/* ---- a node that does not answer, and one that is gone ---- */

/* ---- new blocks ---- */

static void woken(void *ctx)
{
	struct node *n = ctx;

	if (n->waits > 0 && --n->waits == 0)
		loop_stop(n->loop);
}

static void mine(void *ctx)
{
	static struct seen s;
	struct node *n = ctx;
	json_t *none = json_array();

	assert_ok(provider_request(n->p, "evm_mine", none, 0, seen_json, &s));
	json_decref(none);
	clock_timer_set(loop_clock(n->loop), &n->miner, 100, mine, n);
}

static void test_new_heads(void **state)
{
	struct node *n = *state;
	struct heads *h;
	char url[64];

	snprintf(url, sizeof(url), "ws%s", strstr(n->url, ":"));
	assert_err(heads_watch(&h, n->loop, "http://x", woken, n, NULL), ERR_CONFIG_VALUE);
	assert_ok(heads_watch(&h, n->loop, url, woken, n, NULL));
	clock_timer_set(loop_clock(n->loop), &n->miner, 100, mine, n);
	n->waits = 3;
	run(n);
	clock_timer_cancel(loop_clock(n->loop), &n->miner);
	heads_free(h);
}

static void test_silent_node(void **state)
{
	struct node *n = *state;
	struct provider *hasty = provider_at(n, 300);
	struct seen late[IN_FLIGHT + 2];

	/* The signal is on its way when kill returns; waitpid says when the last thread has
	 * stopped. */
	assert_int_equal(kill(n->pid, SIGSTOP), 0);
	assert_int_equal(waitpid(n->pid, NULL, WUNTRACED), n->pid);
	for (size_t i = 0; i < ARRAY_LEN(late); i++) {
		late[i] = expect(n);
		assert_ok(provider_get_chain_id(hasty, seen_u64, &late[i]));
	}
	run(n);
	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		assert_err(late[i].err, ERR_TIMEOUT);
	assert_int_equal(kill(n->pid, SIGCONT), 0);

	struct seen again = expect(n);
	assert_ok(provider_get_chain_id(n->p, seen_u64, &again));
	run(n);
	assert_ok(again.err);
	provider_free(hasty);
}

static void test_dead_node(void **state)
{
	struct node *n = *state;
	struct seen s;

	assert_int_equal(kill(n->pid, SIGKILL), 0);
	assert_int_equal(waitpid(n->pid, NULL, 0), n->pid);
	s = expect(n);
	assert_ok(provider_get_chain_id(n->p, seen_u64, &s));
	run(n);
	assert_err(s.err, ERR_UNAVAILABLE);
	n->pid = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_call_and_revert),
		cmocka_unit_test(test_unknown_method),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_transactions_and_logs),
		cmocka_unit_test(test_failed_transaction),
		cmocka_unit_test(test_new_heads),
		cmocka_unit_test(test_silent_node),
		cmocka_unit_test(test_dead_node),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
