/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Results of view calls. What is read encodes to the same bytes; what a revert means is known by
 * its first four.
 *
 * Input: u8 which result || as fuzz_abi_data.
 */
#include "connector/adapters/decryption.h"
#include "connector/adapters/views.h"
#include "support_abi.h"

static const char *const types[] = {"(bool)", "(uint256)", "(address[])",
				    "((address,address,string))"};

static void check_encodes(const char *type, const struct abi_value *values, size_t n,
			  struct bytes data)
{
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	CLEANUP(buf_free) struct buf out = buf_make(4 << 20);
	const struct abi_value tuple = abi_items(values, n);
	const struct abi_type *t;

	FUZZ_OK(abi_type_parse(&arena, &t, type));
	FUZZ_OK(abi_encode(&out, t, &tuple));
	CHECK(bytes_eq_var(buf_view(&out), data));
}

static void check_words(struct bytes data)
{
	struct u256 v;
	bool yes;
	size_t threshold;

	if (view_u256_result(&v, data) == ERR_OK) {
		const struct abi_value word = abi_uint(v);

		check_encodes("(uint256)", &word, 1, data);
		CHECK((gateway_config_threshold_result(&threshold, data) == ERR_OK) ==
		      (u256_cmp(v, u256_from_u64(1)) >= 0 &&
		       u256_cmp(v, u256_from_u64(COPROCESSORS_MAX)) <= 0));
	} else {
		CHECK(data.n != 32);
		CHECK(gateway_config_threshold_result(&threshold, data) != ERR_OK);
	}
	if (view_bool_result(&yes, data) == ERR_OK) {
		const struct abi_value word = abi_bool(yes);

		check_encodes("(bool)", &word, 1, data);
	}
	CHECK(!account_says_valid(data) ||
	      (data.n >= 32 && memcmp(data.p, "\x16\x26\xba\x7e", 4) == 0));
}

static void check_lists(struct arena *a, struct bytes data)
{
	const struct address *list;
	struct coprocessor c;
	size_t n;

	if (gateway_config_addresses_result(a, &list, &n, data) == ERR_OK) {
		struct abi_value items[COPROCESSORS_MAX];
		const struct abi_value value = abi_items(items, n);

		CHECK(n <= COPROCESSORS_MAX);
		for (size_t i = 0; i < n; i++)
			items[i] = abi_address(list[i]);
		check_encodes("(address[])", &value, 1, data);
	}
	if (gateway_config_coprocessor_result(a, &c, data) == ERR_OK) {
		const struct abi_value f[] = {abi_address(c.tx_sender), abi_address(c.signer),
					      abi_bytes(c.bucket_url)};
		const struct abi_value value = abi_items(f, 3);

		check_encodes("((address,address,string))", &value, 1, data);
	}
}

static void check_revert(struct bytes data)
{
	const char *name, *again;
	enum err e = decryption_classify_revert(&name, data);

	CHECK(e == decryption_classify_revert(&again, bytes_sub(data, 0, data.n < 4 ? data.n : 4)));
	CHECK(name == again && e != ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena arena = arena_make(4 << 20);
	struct bytes in = bytes_from(p, n < 8192 ? n : 8192);
	const char *type = types[fuzz_u8(&in) % ARRAY_LEN(types)];
	struct bytes data = fuzz_abi_data(type, in);

	check_words(data);
	check_lists(&arena, data);
	check_revert(data);
	fuzz_free(data);
	return 0;
}
