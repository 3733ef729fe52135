/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What each typed helper sends and accepts. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/rng.h"
#include "crypto/keccak.h"
#include "provider_support.h"

#define OK(result) "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":" result "}"
#define REVERTED                                                                                   \
	"{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":3,\"message\":\"m\",\"data\":{"         \
	"\"data\":\"0x99\"}}}"
#define A20         "00112233445566778899aabbccddeeff01234567"
#define B20         "00112233445566778899aabbccddeeff01234568"
#define H(two)      "\"0x" two "11111111111111111111111111111111111111111111111111111111111111\""
#define ZEROES_H(c) "\"0x000000000000000000000000000000000000000000000000000000000000000" c "\""

static struct block_tag number(uint64_t v)
{
	return (struct block_tag){.kind = BLOCK_NUMBER, .number.v = v};
}

/* Answers the newest request. */
static void answer(struct rig *r, const char *text)
{
	fake_answer(&r->t, r->t.requests_n - 1, 200, text);
}

/* ---- heads ---- */

static struct seen head_of(struct rig *r, struct block_tag tag, const char *reply)
{
	struct seen s = {0};

	assert_ok(provider_head(r->p, tag, seen_head, &s));
	answer(r, reply);
	assert_int_equal(s.calls, 1);
	return s;
}

#define HEAD(n)                                                                                    \
	OK("{\"number\":" n                                                                        \
	   ",\"timestamp\":\"0x65\",\"hash\":" H("aa") ",\"parentHash\":" H("bb") ",\"x\":[]}")

static void test_head(void **state)
{
	static const char *const tags[] = {"latest", "safe", "finalized", "pending"};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		char params[64];
		struct seen s = head_of(r, (struct block_tag){.kind = (enum block_tag_kind)i},
					HEAD("\"0x7\""));

		snprintf(params, sizeof(params), "[\"%s\",false]", tags[i]);
		assert_request(&r->t, i, "eth_getBlockByNumber", params);
		assert_ok(s.err);
		assert_int_equal(s.head.number.v, 7);
		assert_int_equal(s.head.timestamp_s, 0x65);
		assert_int_equal(s.head.hash.b[0], 0xaa);
		assert_int_equal(s.head.parent_hash.b[0], 0xbb);
	}
	assert_ok(head_of(r, number(255), HEAD("\"0xff\"")).err);
	assert_request(&r->t, 4, "eth_getBlockByNumber", "[\"0xff\",false]");
	assert_err(head_of(r, number(254), HEAD("\"0xff\"")).err, ERR_MISMATCH);
	assert_err(head_of(r, number(0), HEAD("null")).err, ERR_MALFORMED);
	assert_err(head_of(r, number(0), OK("null")).err, ERR_NOT_FOUND);
	assert_err(head_of(r, number(0), OK("{}")).err, ERR_MALFORMED);
	assert_err(head_of(r, number(0), OK("\"0x1\"")).err, ERR_MALFORMED);
	assert_request(&r->t, 9, "eth_getBlockByNumber", "[\"0x0\",false]");
	assert_err(head_of(r, number(0), HEAD("\"0x8000000000000000\"")).err, ERR_MALFORMED);
}

/* A node cannot make us read megabytes where a number is due. */
static void test_replies_are_bounded(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};
	const struct call_msg msg = {0};
	const struct block_tag latest = {.kind = BLOCK_LATEST};
	const struct log_filter filter = {0};

	assert_ok(provider_get_chain_id(r->p, seen_u64, &s));
	assert_ok(provider_nonce(r->p, msg.to, latest, seen_u64, &s));
	assert_ok(provider_fee_history(r->p, seen_fee, &s));
	assert_ok(provider_send_raw(r->p, BYTES_NONE, seen_hash, &s));
	assert_ok(provider_head(r->p, latest, seen_head, &s));
	assert_ok(provider_call(r->p, &msg, latest, seen_bytes, &s));
	assert_ok(provider_estimate_gas(r->p, &msg, seen_u64, &s));
	assert_ok(provider_logs(r->p, &filter, seen_logs, &s));
	for (size_t i = 0; r->t.requests_n < 8; i++)
		fake_answer(&r->t, i, 200, OK_U64);
	for (size_t i = 0; i < 4; i++)
		assert_in_range(r->t.requests[i].body_max, 1 << 14, 1 << 16);
	/* Hashes of all transactions; data of a revert. */
	assert_in_range(r->t.requests[4].body_max, 1 << 20, 2 << 20);
	assert_in_range(r->t.requests[5].body_max, 1 << 19, 1 << 20);
	assert_in_range(r->t.requests[6].body_max, 1 << 19, 1 << 20);
	assert_int_equal(r->t.requests[7].body_max, JSON_RPC_BODY_MAX);
}

/* ---- numbers, calls ---- */

static void test_nonce_and_estimate(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};
	const uint8_t data[] = {0xde, 0xad};
	struct call_msg msg = {
		.from = hex_address("0x" A20), .to = hex_address("0x" B20), .data = BYTES_OF(data)};
	struct block_tag pending = {.kind = BLOCK_PENDING};

	assert_ok(provider_nonce(r->p, msg.from, pending, seen_u64, &s));
	assert_request(&r->t, 0, "eth_getTransactionCount", "[\"0x" A20 "\",\"pending\"]");
	answer(r, OK("\"0xffffffffffffffff\""));
	assert_true(s.value == UINT64_MAX);

	assert_ok(provider_estimate_gas(r->p, &msg, seen_u64, &s));
	assert_request(&r->t, 1, "eth_estimateGas",
		       "[{\"to\":\"0x" B20 "\",\"from\":\"0x" A20 "\",\"data\":\"0xdead\"},"
		       "\"latest\"]");
	answer(r, OK("\"0x5208\""));
	assert_int_equal(s.value, 21000);
	assert_int_equal(s.calls, 2);
}

static void test_call(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};
	struct call_msg msg = {.to = hex_address("0x" B20), .gas = 4096};

	assert_ok(provider_call(r->p, &msg, number(16), seen_bytes, &s));
	assert_request(&r->t, 0, "eth_call",
		       "[{\"to\":\"0x" B20 "\",\"gas\":\"0x1000\",\"data\":\"0x\"},\"0x10\"]");
	answer(r, OK("\"0x00ff\""));
	assert_ok(s.err);
	assert_bytes_equal(bytes_from(s.bytes, s.bytes_n), bytes_from("\x00\xff", 2));
	assert_ok(provider_call(r->p, &msg, number(16), seen_bytes, &s));
	answer(r, OK("\"0x\""));
	assert_ok(s.err);
	assert_int_equal(s.bytes_n, 0);
	assert_ok(provider_call(r->p, &msg, number(16), seen_bytes, &s));
	answer(r, OK("\"0x0\""));
	assert_err(s.err, ERR_MALFORMED);
	assert_ok(provider_call(r->p, &msg, number(16), seen_bytes, &s));
	answer(r, OK("null"));
	assert_err(s.err, ERR_MALFORMED);
}

/* ---- fees ---- */

static struct seen fee_of(struct rig *r, const char *reply)
{
	struct seen s = {0};

	assert_ok(provider_fee_history(r->p, seen_fee, &s));
	answer(r, reply);
	assert_int_equal(s.calls, 1);
	return s;
}

static void test_fees(void **state)
{
	static const struct {
		const char *reward;
		uint64_t priority;
	} rows[] = {
		{"[[\"0x5\"],[\"0x1\"],[\"0x3\"]]", 3},
		{"[[\"0x0\"],[\"0x9\"],[\"0x0\"],[\"0x2\"],[\"0x7\"]]", 7},
		{"[[\"0x0\"],[\"0x0\"]]", 1},
		{"[]", 1},
		{"null", 1},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char reply[512];

		snprintf(reply, sizeof(reply),
			 OK("{\"baseFeePerGas\":[\"0x1\",\"0x3b9aca00\"],\"reward\":%s}"),
			 rows[i].reward);
		struct seen s = fee_of(r, reply);
		assert_ok(s.err);
		assert_true(u256_eq(s.fee.base_fee_next.v, u256_from_u64(1000000000)));
		assert_true(u256_eq(s.fee.priority.v, u256_from_u64(rows[i].priority)));
	}
	assert_request(&r->t, 0, "eth_feeHistory", "[\"0xa\",\"latest\",[20]]");
	assert_ok(fee_of(r, OK("{\"baseFeePerGas\":[\"0x1\"]}")).err);
	assert_err(fee_of(r, OK("{\"baseFeePerGas\":[]}")).err, ERR_MALFORMED);
	assert_err(fee_of(r, OK("{\"baseFeePerGas\":[1]}")).err, ERR_MALFORMED);
	assert_err(fee_of(r, OK("{\"reward\":[]}")).err, ERR_MALFORMED);
	assert_err(fee_of(r, OK("{\"baseFeePerGas\":[\"0x1\"],\"reward\":[[]]}")).err,
		   ERR_MALFORMED);
	assert_err(fee_of(r, OK("{\"baseFeePerGas\":[\"0x1\"],\"reward\":[\"0x1\"]}")).err,
		   ERR_MALFORMED);
	assert_err(fee_of(r, OK("null")).err, ERR_MALFORMED);
}

/* ---- transactions ---- */

static void test_send_raw(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	/* keccak256 of the empty string */
	assert_ok(provider_send_raw(r->p, BYTES_NONE, seen_hash, &s));
	assert_request(&r->t, 0, "eth_sendRawTransaction", "[\"0x\"]");
	answer(r, OK("\"0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470\""));
	assert_ok(s.err);
	assert_true(hash32_eq(s.hash, keccak256(BYTES_NONE)));
	assert_ok(provider_send_raw(r->p, BYTES_LIT("\x02"), seen_hash, &s));
	assert_request(&r->t, 1, "eth_sendRawTransaction", "[\"0x02\"]");
	answer(r, OK("\"0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470\""));
	assert_err(s.err, ERR_MISMATCH);
	assert_ok(provider_send_raw(r->p, BYTES_NONE, seen_hash, &s));
	answer(r, OK("\"0xc5\""));
	assert_err(s.err, ERR_MALFORMED);
}

static struct seen receipt_of(struct rig *r, const char *hash, const char *status,
			      const char *block_hash)
{
	struct seen s = {0};
	struct hash32 tx;
	char reply[1024];

	memset(tx.b, 0x11, sizeof(tx.b));
	snprintf(reply, sizeof(reply),
		 OK("{\"transactionHash\":%s,\"status\":%s,\"blockNumber\":\"0x9\","
		    "\"blockHash\":%s,\"gasUsed\":\"0x5208\",\"logs\":[]}"),
		 hash, status, block_hash);
	assert_ok(provider_receipt(r->p, tx, seen_receipt, &s));
	answer(r, reply);
	assert_int_equal(s.calls, 1);
	return s;
}

static void test_receipt(void **state)
{
	struct rig *r = *state;
	struct seen s = receipt_of(r, H("11"), "\"0x1\"", H("cc"));

	assert_request(&r->t, 0, "eth_getTransactionReceipt", "[" H("11") "]");
	assert_ok(s.err);
	assert_true(s.given && s.receipt.success);
	assert_int_equal(s.receipt.block.v, 9);
	assert_int_equal(s.receipt.block_hash.b[0], 0xcc);
	assert_int_equal(s.receipt.gas_used, 21000);
	s = receipt_of(r, H("11"), "\"0x0\"", H("cc"));
	assert_ok(s.err);
	assert_false(s.receipt.success);
	assert_err(receipt_of(r, H("12"), "\"0x1\"", H("cc")).err, ERR_MISMATCH);
	assert_err(receipt_of(r, H("11"), "\"0x2\"", H("cc")).err, ERR_MALFORMED);
	assert_err(receipt_of(r, H("11"), "true", H("cc")).err, ERR_MALFORMED);
	assert_err(receipt_of(r, H("11"), "\"0x1\"", "\"\"").err, ERR_MALFORMED);

	/* None yet: no error and no receipt. */
	s = receipt_of(r, H("11"), "\"0x1\"", "null");
	assert_ok(s.err);
	assert_false(s.given);
	struct seen none = {.given = true};
	assert_ok(provider_receipt(r->p, (struct hash32){{0}}, seen_receipt, &none));
	answer(r, OK("null"));
	assert_ok(none.err);
	assert_false(none.given);
	assert_ok(provider_receipt(r->p, (struct hash32){{0}}, seen_receipt, &none));
	answer(r, OK("7"));
	assert_err(none.err, ERR_MALFORMED);
}

/* keccak256 of nothing: what the bytes of this test hash to. */
#define EMPTY_HASH "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"

static void test_send_raw_sync(void **state)
{
	static const char receipt[] =
		"{\"transactionHash\":\"0x%s\",\"status\":\"0x1\",\"blockNumber\":\"0x9\","
		"\"blockHash\":" H("cc") ",\"gasUsed\":\"0x5208\"}";
	struct rig *r = *state;
	struct seen s = {0};
	char body[512], reply[1024];

	assert_ok(provider_send_raw_sync(r->p, BYTES_NONE, seen_receipt, &s));
	assert_request(&r->t, 0, "eth_sendRawTransactionSync", "[\"0x\"]");
	snprintf(body, sizeof(body), receipt, EMPTY_HASH);
	snprintf(reply, sizeof(reply), OK("%s"), body);
	answer(r, reply);
	assert_ok(s.err);
	assert_true(s.given && s.receipt.success);
	assert_int_equal(s.receipt.block.v, 9);

	/* The receipt of another transaction is none. */
	assert_ok(provider_send_raw_sync(r->p, BYTES_LIT("\x02"), seen_receipt, &s));
	answer(r, reply);
	assert_err(s.err, ERR_MISMATCH);
}

static struct seen transaction_of(struct rig *r, const char *reply)
{
	struct seen s = {0};
	struct hash32 tx;

	memset(tx.b, 0x11, sizeof(tx.b));
	assert_ok(provider_transaction(r->p, tx, seen_transaction, &s));
	answer(r, reply);
	assert_int_equal(s.calls, 1);
	return s;
}

#define TO "\"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed\""

static void test_transaction(void **state)
{
	struct rig *r = *state;
	struct seen s = transaction_of(
		r,
		OK("{\"hash\":" H("11") ",\"to\":" TO ",\"input\":\"0xc0de\",\"blockHash\":null}"));

	assert_request(&r->t, 0, "eth_getTransactionByHash", "[" H("11") "]");
	assert_ok(s.err);
	assert_true(s.given && !s.transaction.creates);
	assert_int_equal(s.transaction.to.b[0], 0x5a);
	assert_int_equal(s.bytes_n, 2);
	assert_memory_equal(s.bytes, "\xc0\xde", 2);
	s = transaction_of(r, OK("{\"hash\":" H("11") ",\"to\":null,\"input\":\"0x\"}"));
	assert_ok(s.err);
	assert_true(s.given && s.transaction.creates);

	/* Not known yet: no error and no transaction. */
	s = transaction_of(r, OK("null"));
	assert_ok(s.err);
	assert_false(s.given);

	assert_err(
		transaction_of(r, OK("{\"hash\":" H("12") ",\"to\":" TO ",\"input\":\"0x\"}")).err,
		ERR_MISMATCH);
	static const char *const bad[] = {
		OK("{\"hash\":" H("11") ",\"to\":\"0x\",\"input\":\"0x\"}"),
		OK("{\"hash\":" H("11") ",\"to\":" TO "}"),
		OK("{\"hash\":" H("11") ",\"input\":\"0x\"}"),
		OK("{\"hash\":" H("11") ",\"to\":" TO ",\"input\":\"0x0\"}"),
		OK("{\"to\":" TO ",\"input\":\"0x\"}"),
		OK("[]"),
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(transaction_of(r, bad[i]).err, ERR_MALFORMED);
}

/* ---- logs ---- */

static struct seen logs_of(struct rig *r, const char *reply)
{
	struct seen s = {0};
	struct address addresses[] = {hex_address("0x" A20)};
	struct hash32 topics[2] = {{{0}}};
	const struct log_filter f = {
		.addresses = addresses,
		.addresses_n = 1,
		.topic0 = topics,
		.topic0_n = 2,
		.from.v = 16,
		.to.v = 32,
	};

	topics[0].b[31] = 1;
	topics[1].b[31] = 2;
	assert_ok(provider_logs(r->p, &f, seen_logs, &s));
	memset(addresses, 0, sizeof(addresses)); /* copied */
	memset(topics, 0, sizeof(topics));
	answer(r, reply);
	assert_int_equal(s.calls, 1);
	return s;
}

#define LOG_OF(address, topics, block, hash, index, data, more)                                    \
	"{\"address\":\"0x" address "\",\"topics\":[" topics "],\"blockNumber\":\"0x" block        \
	"\",\"blockHash\":" hash ",\"transactionHash\":" H("77") ",\"logIndex\":\"0x" index        \
								 "\",\"data\":\"0x" data "\"" more \
								 "}"
#define LOG(block, index) LOG_OF(A20, ZEROES_H("1"), block, H(block), index, "a" index, "")

static void test_logs(void **state)
{
	struct rig *r = *state;
	struct seen s = logs_of(r, OK("[]"));

	assert_request(&r->t, 0, "eth_getLogs",
		       "[{\"fromBlock\":\"0x10\",\"toBlock\":\"0x20\",\"address\":[\"0x" A20
		       "\"],\"topics\":[[" ZEROES_H("1") "," ZEROES_H("2") "]]}]");
	assert_ok(s.err);
	assert_int_equal(s.logs_n, 0);

	s = logs_of(r, OK("[" LOG("20", "0") "," LOG("10", "9") "," LOG("10", "1") "]"));
	assert_ok(s.err);
	assert_int_equal(s.logs_n, 3);
	assert_int_equal(s.logs[0].block.v, 16);
	assert_int_equal(s.logs[0].log_index, 1);
	assert_int_equal(s.logs_first_byte[0], 0xa1);
	assert_int_equal(s.logs[1].log_index, 9);
	assert_int_equal(s.logs[2].block.v, 32);
	assert_int_equal(s.logs[2].topics_n, 1);
	assert_int_equal(s.logs[2].topics[0].b[31], 1);
	assert_int_equal(s.logs[2].tx_hash.b[0], 0x77);
	assert_int_equal(s.logs[2].block_hash.b[0], 0x20);
	assert_int_equal(s.logs[2].data.n, 1);

	s = logs_of(r, OK("[" LOG_OF(A20, ZEROES_H("2") "," H("01") "," H("02") "," H("03"), "10",
				     H("10"), "0", "", ",\"removed\":false") "]"));
	assert_ok(s.err);
	assert_int_equal(s.logs[0].topics_n, 4);
	assert_int_equal(s.logs[0].topics[3].b[0], 3);
	assert_int_equal(s.logs[0].data.n, 0);
}

static void test_logs_refused(void **state)
{
	static const struct {
		const char *reply;
		enum err err;
	} rows[] = {
		{OK("null"), ERR_MALFORMED},
		{OK("{}"), ERR_MALFORMED},
		{OK("[1]"), ERR_MALFORMED},
		{OK("[{}]"), ERR_MALFORMED},
		{OK("[" LOG_OF(A20, ZEROES_H("1"), "10", "null", "0", "", "") "]"), ERR_MALFORMED},
		{OK("[" LOG_OF(A20, ZEROES_H("1"), "10", H("10"), "0", "0", "") "]"),
		 ERR_MALFORMED},
		{OK("[" LOG_OF(A20, ZEROES_H("1"), "10", H("10"), "0", "zz", "") "]"),
		 ERR_MALFORMED},
		{OK("[" LOG_OF(A20, "1", "10", H("10"), "0", "", "") "]"), ERR_MALFORMED},
		{OK("[" LOG_OF(A20, ZEROES_H("1") "," H("01") "," H("02") "," H("03") "," H("04"),
			       "10", H("10"), "0", "", "") "]"),
		 ERR_MALFORMED},
		{OK("[" LOG_OF(A20, ZEROES_H("1"), "10", H("10"), "0", "", ",\"removed\":1") "]"),
		 ERR_MALFORMED},
		/* nobody asked for these */
		{OK("[" LOG_OF(A20, ZEROES_H("1"), "10", H("10"), "0", "",
			       ",\"removed\":true") "]"),
		 ERR_MISMATCH},
		{OK("[" LOG_OF(B20, ZEROES_H("1"), "10", H("10"), "0", "", "") "]"), ERR_MISMATCH},
		{OK("[" LOG_OF(A20, ZEROES_H("3"), "10", H("10"), "0", "", "") "]"), ERR_MISMATCH},
		{OK("[" LOG_OF(A20, "", "10", H("10"), "0", "", "") "]"), ERR_MISMATCH},
		/* numbers that no database holds */
		{OK("[" LOG_OF(A20, ZEROES_H("1"), "10", H("10"), "8000000000000000", "", "") "]"),
		 ERR_MALFORMED},
		{OK("[" LOG_OF(A20, ZEROES_H("1"), "8000000000000000", H("10"), "0", "", "") "]"),
		 ERR_MALFORMED},
		{OK("[" LOG("0f", "0") "]"), ERR_MISMATCH},
		{OK("[" LOG("21", "0") "]"), ERR_MISMATCH},
		/* contradictions */
		{OK("[" LOG("10", "1") "," LOG("11", "1") "," LOG("10", "1") "]"), ERR_MISMATCH},
		{OK("[" LOG("10", "1") "," LOG_OF(A20, ZEROES_H("1"), "10", H("99"), "2", "",
						  "") "]"),
		 ERR_MISMATCH},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen s = logs_of(r, rows[i].reply);

		if (s.err != rows[i].err)
			fail_msg("row %zu: %s, not %s", i, err_name(s.err), err_name(rows[i].err));
		assert_int_equal(s.logs_n, 0);
	}
}

static void test_logs_without_filter(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};
	struct log_filter f = {.from.v = 5, .to.v = 4};

	assert_err(provider_logs(r->p, &f, seen_logs, &s), ERR_RANGE);
	f.to.v = 5;
	assert_ok(provider_logs(r->p, &f, seen_logs, &s));
	assert_request(&r->t, 0, "eth_getLogs", "[{\"fromBlock\":\"0x5\",\"toBlock\":\"0x5\"}]");
	answer(r, OK("[" LOG_OF(B20, "", "5", H("10"), "0", "", "") "]"));
	assert_ok(s.err);
	assert_int_equal(s.logs_n, 1);
	assert_int_equal(s.logs[0].topics_n, 0);
}

/* `n` logs in one block. */
static struct seen many_logs(struct rig *r, size_t n)
{
	struct seen s = {0};
	struct buf reply = buf_make(64 << 20);
	struct log_filter f = {.from.v = 16, .to.v = 16};
	const char *text;

	assert_ok(buf_add_str(&reply, "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":["));
	for (size_t i = 0; i < n; i++)
		assert_ok(buf_addf(&reply, "%s" LOG_OF(A20, "", "10", H("10"), "%zx", "", ""),
				   i > 0 ? "," : "", n - i));
	assert_ok(buf_add_str(&reply, "]}"));
	assert_ok(buf_cstr(&reply, &text));
	assert_ok(provider_logs(r->p, &f, seen_logs, &s));
	answer(r, text);
	buf_free(&reply);
	return s;
}

static void test_logs_limit(void **state)
{
	struct seen s = many_logs(*state, LOGS_PER_WINDOW_MAX);

	assert_ok(s.err);
	assert_int_equal(s.logs_n, LOGS_PER_WINDOW_MAX);
	assert_int_equal(s.logs[0].log_index, 1);
	assert_err(many_logs(*state, LOGS_PER_WINDOW_MAX + 1).err, ERR_TOO_BIG);
}

/* ---- mutations ---- */

/* A damaged reply is refused or means something; it never does harm. */
static void test_mutations(void **state)
{
	static const char *const replies[] = {
		HEAD("\"0x7\""),
		OK("[" LOG("20", "0") "," LOG("10", "9") "," LOG("10", "1") "]"),
		OK("{\"baseFeePerGas\":[\"0x1\",\"0x3b9aca00\"],\"reward\":[[\"0x5\"],[\"0x1\"]]}"),
		REVERTED,
	};
	static const char alphabet[] = "{}[]\",:0123456789abcdefx\\nultrefse-. \x01\xff";
	const char *given = getenv("TEST_SEED");
	struct rng_seeded seeded;
	uint64_t seed;
	size_t refused = 0;

	rng_fill(rng_system(), (uint8_t *)&seed, sizeof(seed));
	if (given)
		seed = strtoull(given, NULL, 10);
	print_message("# TEST_SEED=%llu\n", (unsigned long long)seed);
	struct rng *rng = rng_seeded_init(&seeded, seed);
	for (unsigned i = 0; i < 20000; i++) {
		struct rig *r = *state;
		char text[2048];
		const char *reply = replies[i % 4];
		struct seen s = {0};

		snprintf(text, sizeof(text), "%s", reply);
		for (uint64_t k = 0; k <= rng_below(rng, 3); k++)
			text[rng_below(rng, strlen(reply))] =
				alphabet[rng_below(rng, sizeof(alphabet) - 1)];
		if (i % 4 == 0)
			s = head_of(r, number(7), text);
		else if (i % 4 == 1)
			s = logs_of(r, text);
		else
			s = fee_of(r, text);
		refused += s.err != ERR_OK;
		fake_transport_clear(&r->t);
	}
	assert_in_range(refused, 10001, 19999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(test_head),
		WITH_RIG(test_replies_are_bounded),
		WITH_RIG(test_nonce_and_estimate),
		WITH_RIG(test_call),
		WITH_RIG(test_fees),
		WITH_RIG(test_send_raw),
		WITH_RIG(test_receipt),
		WITH_RIG(test_send_raw_sync),
		WITH_RIG(test_transaction),
		WITH_RIG(test_logs),
		WITH_RIG(test_logs_refused),
		WITH_RIG(test_logs_without_filter),
		WITH_RIG(test_logs_limit),
		WITH_RIG(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
