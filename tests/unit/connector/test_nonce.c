/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The nonce allocator, and the words of nodes. */
#include "connector/sender/internal.h"
#include "sim.h"

static uint64_t take(struct nonces *n)
{
	uint64_t nonce;

	assert_int_equal(nonces_take(n, &nonce), ERR_OK);
	return nonce;
}

static void test_consecutive(void **state)
{
	struct nonces n = {0};

	(void)state;
	nonces_load_next(&n, 7);
	nonces_load_next(&n, 5);
	for (uint64_t i = 7; i < 100; i++) {
		assert_int_equal(take(&n), i);
		nonces_spend(&n);
	}
	nonces_free(&n);
}

static void test_given_back_first_and_smallest_first(void **state)
{
	struct nonces n = {0};
	uint64_t lowest;

	(void)state;
	for (uint64_t i = 0; i < 50; i++)
		assert_int_equal(take(&n), i);
	assert_false(nonces_lowest_free(&n, &lowest));
	nonces_give_back(&n, 30);
	nonces_give_back(&n, 10);
	nonces_give_back(&n, 40);
	nonces_give_back(&n, 20);
	assert_true(nonces_lowest_free(&n, &lowest));
	assert_int_equal(lowest, 10);
	assert_int_equal(take(&n), 10);
	assert_int_equal(take(&n), 20);
	assert_int_equal(take(&n), 30);
	assert_int_equal(take(&n), 40);
	assert_int_equal(take(&n), 50);
	nonces_free(&n);
}

static void test_free_rows_and_the_chains_count(void **state)
{
	struct nonces n = {0};

	(void)state;
	assert_int_equal(nonces_load_free(&n, 9), ERR_OK);
	assert_int_equal(nonces_load_free(&n, 3), ERR_OK);
	assert_int_equal(n.next, 10);
	nonces_raise(&n, 4); /* somebody used 3 */
	assert_int_equal(n.next, 10);
	assert_int_equal(take(&n), 9);
	assert_int_equal(take(&n), 10);
	nonces_raise(&n, 20);
	assert_int_equal(take(&n), 20);
	nonces_free(&n);
}

static void test_far_too_high(void **state)
{
	struct nonces n = {0};

	(void)state;
	nonces_load_next(&n, 100);
	assert_int_equal(nonces_load_free(&n, 3), ERR_OK);
	assert_int_equal(nonces_load_free(&n, 50), ERR_OK);
	assert_int_equal(nonces_free_below(&n, 3), 0);
	assert_int_equal(nonces_free_below(&n, 51), 2);
	assert_true(nonces_is_free(&n, 50));
	assert_false(nonces_is_free(&n, 51));
	assert_int_equal(take(&n), 3);
	nonces_lower(&n, 5);
	assert_int_equal(n.next, 5);
	assert_int_equal(n.back_n, 0);
	assert_int_equal(take(&n), 5);
	/* One that was out when it came: a new one again, in its turn. */
	nonces_give_back(&n, 50);
	assert_int_equal(take(&n), 6);
	nonces_free(&n);
}

static void test_words(void **state)
{
	static const struct {
		const char *message;
		enum send_outcome outcome;
	} rows[] = {
		{"already known", SEND_KNOWN},
		{"transaction already imported", SEND_KNOWN},
		{"AlreadyKnown", SEND_KNOWN},
		{"nonce too low: address 0x00, tx: 5 state: 6", SEND_NONCE_USED},
		{"Nonce Too Low", SEND_NONCE_USED},
		{"OldNonce", SEND_NONCE_USED},
		{"replacement transaction underpriced", SEND_RIVAL},
		{"insufficient funds for gas * price + value: balance 0", SEND_NO_FUNDS},
		{"Insufficient funds for gas * price + value", SEND_NO_FUNDS},
		{"nonce too high", SEND_AGAIN},
		{"transaction underpriced", SEND_UNDERPRICED},
		{"max fee per gas less than block base fee", SEND_UNDERPRICED},
		{"FeeTooLow, EffectiveGasPrice too low", SEND_UNDERPRICED},
		{"could not replace existing tx", SEND_RIVAL},
		{"nonce too lo", SEND_AGAIN},
		{"", SEND_AGAIN},
	};
	struct provider_error e = {.err = ERR_REMOTE};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		e.rpc_message = rows[i].message;
		assert_int_equal(send_outcome_of(&e), rows[i].outcome);
	}
	/* A reply that never came says nothing, whatever is in it. */
	e.err = ERR_TIMEOUT;
	e.rpc_message = "already known";
	assert_int_equal(send_outcome_of(&e), SEND_AGAIN);
	e.err = ERR_OK;
	assert_int_equal(send_outcome_of(&e), SEND_ACCEPTED);
}

/* Our own bytes are read back as what was signed; anything cut or longer is not ours. */
static void test_raw(void **state)
{
	uint8_t data[300];
	struct signature65 sig = {{1}};
	struct tx tx = {
		.chain_id = {54321},
		.nonce = 129,
		.gas = 115000,
		.fee_max = {u256_from_u64(UINT64_MAX)},
		.priority_fee_max = {u256_from_u64(3)},
		.to = {{7}},
		.data = BYTES_OF(data),
	};
	CLEANUP(buf_free) struct buf raw = buf_make(RAW_MAX);
	struct hash32 hash;
	struct tx back;

	(void)state;
	memset(data, 0xc1, sizeof(data));
	sig.b[32] = 1;
	sig.b[64] = 27;
	assert_int_equal(tx_serialize(&raw, &hash, &tx, &sig), ERR_OK);
	assert_int_equal(raw_read(&back, buf_view(&raw)), ERR_OK);
	assert_int_equal(back.chain_id.v, 54321);
	assert_int_equal(back.nonce, 129);
	assert_int_equal(back.gas, 115000);
	assert_true(u256_eq(back.fee_max.v, tx.fee_max.v));
	assert_true(u256_eq(back.priority_fee_max.v, tx.priority_fee_max.v));
	assert_true(address_eq(back.to, tx.to));
	assert_true(u256_is_zero(back.value.v));
	assert_true(bytes_eq_var(back.data, BYTES_OF(data)));
	for (size_t n = 0; n < raw.n; n++)
		assert_int_equal(raw_read(&back, bytes_sub(buf_view(&raw), 0, n)), ERR_CORRUPT);
	assert_int_equal(buf_add_u8(&raw, 0), ERR_OK);
	assert_int_equal(raw_read(&back, buf_view(&raw)), ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_consecutive),
		cmocka_unit_test(test_given_back_first_and_smallest_first),
		cmocka_unit_test(test_free_rows_and_the_chains_count),
		cmocka_unit_test(test_far_too_high),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_raw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
