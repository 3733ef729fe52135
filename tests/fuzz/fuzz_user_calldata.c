/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Calldata of the older user decryption requests. What is read is what the ABI decoder alone finds
 * at the places of the signature.
 *
 * Input: u8 which function || as fuzz_abi_data.
 */
#include <stdio.h>

#include "connector/adapters/user_decryption.h"
#include "support_abi.h"

static const struct {
	const char *name, *type;
} functions[] = {
	{"userDecryptionRequest", "((bytes32,address)[],(uint256,uint256),(uint256,address[]),"
				  "address,bytes,bytes,bytes)"},
	{"delegatedUserDecryptionRequest",
	 "((bytes32,address)[],(uint256,uint256),(address,address),(uint256,address[]),bytes,bytes,"
	 "bytes)"},
	{"otherRequest", "(uint256)"},
};

static void check(const struct user_calldata *c, const struct abi_value *args, bool delegated)
{
	const struct abi_value *users = delegated ? args->items[2].items : &args->items[3];

	CHECK(c->delegated == delegated && c->pairs_n == args->items[0].items_n);
	CHECK(address_eq(c->user, abi_as_address(&users[delegated ? 1 : 0])));
	CHECK(!delegated || address_eq(c->delegator, abi_as_address(&users[0])));
	const struct abi_value *info = args->items[delegated ? 3 : 2].items;

	CHECK(bytes_eq_var(c->public_key, args->items[4].bytes));
	CHECK(bytes_eq_var(c->signature, args->items[5].bytes));
	CHECK(bytes_eq_var(c->extra_data, args->items[6].bytes));
	CHECK(u256_eq(c->start_s, args->items[1].items[0].word));
	CHECK(u256_eq(c->duration_days, args->items[1].items[1].word));
	CHECK(u256_eq(c->chain_id, info[0].word) && c->contracts_n == info[1].items_n);
	for (size_t i = 0; i < c->contracts_n; i++)
		CHECK(address_eq(c->contracts[i], abi_as_address(&info[1].items[i])));
	for (size_t i = 0; i < c->pairs_n; i++) {
		const struct abi_value *pair = args->items[0].items[i].items;

		CHECK(hash32_eq(c->pairs[i].handle, abi_as_hash(&pair[0])));
		CHECK(address_eq(c->pairs[i].contract, abi_as_address(&pair[1])));
	}
}

/* Every part counts. */
static void check_digest(struct user_calldata c)
{
	const struct eip712_domain domain = {.name = BYTES_LIT("Decryption")};
	struct hash32 digest, other;

	FUZZ_OK(user_calldata_digest(&digest, &domain, &c));
	c.start_s.w[0] ^= 1;
	FUZZ_OK(user_calldata_digest(&other, &domain, &c));
	CHECK(!hash32_eq(digest, other));
	c.start_s.w[0] ^= 1;
	c.delegator.b[0] ^= 1;
	FUZZ_OK(user_calldata_digest(&other, &domain, &c));
	CHECK(hash32_eq(digest, other) == !c.delegated);
}

/* The request that this call makes is its own, and no longer when anything is changed. */
static void check_of(struct arena *a, const struct user_calldata *c)
{
	struct hash32 *handles = arena_alloc_array(a, c->pairs_n, sizeof(*handles));
	struct user_request u = {.user = c->user, .public_key = c->public_key};
	struct decryption_request r = {.handles = handles,
				       .handles_n = c->pairs_n,
				       .extra_data = c->extra_data,
				       .user = &u};

	CHECK(handles);
	for (size_t i = 0; i < c->pairs_n; i++)
		handles[i] = c->pairs[i].handle;
	CHECK(user_calldata_is_of(c, &r));
	if (c->pairs_n > 0) {
		handles[c->pairs_n - 1].b[31] ^= 1;
		CHECK(!user_calldata_is_of(c, &r));
		handles[c->pairs_n - 1].b[31] ^= 1;
	}
	u.user.b[0] ^= 1;
	CHECK(!user_calldata_is_of(c, &r));
	r.user = NULL;
	CHECK(!user_calldata_is_of(c, &r));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena arena = arena_make(16 << 20);
	CLEANUP(buf_free) struct buf call = buf_make(8 << 20);
	struct bytes in = bytes_from(p, n < 4096 ? n : 4096);
	size_t which = fuzz_u8(&in) % ARRAY_LEN(functions);
	struct bytes data = fuzz_abi_data(functions[which].type, in);
	struct user_calldata c;
	const struct abi_type *t;
	const struct abi_value *args;
	char signature[200];
	uint8_t selector[4];

	(void)snprintf(signature, sizeof(signature), "%s%s", functions[which].name,
		       functions[which].type);
	abi_selector(selector, signature);
	FUZZ_OK(buf_add(&call, BYTES_OF(selector)));
	FUZZ_OK(buf_add(&call, data));
	FUZZ_OK(abi_type_parse(&arena, &t, functions[which].type));

	enum err e = user_calldata_decode(&arena, &c, buf_view(&call));
	enum err plain = abi_decode(&arena, &args, t, bytes_sub(buf_view(&call), 4, data.n));

	if (which == 2) {
		CHECK(e == ERR_UNSUPPORTED);
	} else {
		/* The one limit that the ABI does not know. */
		if (plain == ERR_OK &&
		    args->items[which == 1 ? 3 : 2].items[1].items_n > USER_CONTRACTS_MAX)
			plain = ERR_TOO_BIG;
		CHECK(e == plain);
		if (e == ERR_OK) {
			check(&c, args, which == 1);
			check_of(&arena, &c);
			check_digest(c);
		}
	}
	CHECK(user_calldata_decode(&arena, &c, data) == ERR_UNSUPPORTED || data.n >= 4);
	fuzz_free(data);
	return 0;
}
