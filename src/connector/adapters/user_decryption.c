/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/adapters/user_decryption.h"

#include "base/limits.h"

/* ---- calldata ---- */

#define PAIRS     "(bytes32,address)[]"
#define VALIDITY  "(uint256,uint256)"
#define CONTRACTS "(uint256,address[])"
#define DIRECT    "(" PAIRS "," VALIDITY "," CONTRACTS ",address,bytes,bytes,bytes)"
#define DELEGATED "(" PAIRS "," VALIDITY ",(address,address)," CONTRACTS ",bytes,bytes,bytes)"

static const struct {
	const char *name, *type;
	bool delegated;
	size_t accounts, contracts; /* which argument */
} calls[] = {
	{"userDecryptionRequest" DIRECT, DIRECT, false, 3, 2},
	{"delegatedUserDecryptionRequest" DELEGATED, DELEGATED, true, 2, 3},
};

/* In both at the same place. */
enum {
	ARG_PAIRS,
	ARG_VALIDITY,
	ARG_PUBLIC_KEY = 4,
	ARG_SIGNATURE,
	ARG_EXTRA_DATA
};

static enum err pairs_of(struct arena *a, struct user_calldata *c, const struct abi_value *list)
{
	struct user_pair *pairs;

	if (list->items_n > HANDLES_PER_REQUEST_MAX)
		return ERR_TOO_BIG;
	pairs = arena_alloc_array(a, list->items_n, sizeof(*pairs));
	if (!pairs)
		return ERR_NOMEM;
	for (size_t i = 0; i < list->items_n; i++) {
		pairs[i].handle = abi_as_hash(&list->items[i].items[0]);
		pairs[i].contract = abi_as_address(&list->items[i].items[1]);
	}
	c->pairs = pairs;
	c->pairs_n = list->items_n;
	return ERR_OK;
}

/* The chain, and the contracts on it. */
static enum err contracts_of(struct arena *a, struct user_calldata *c, const struct abi_value *info)
{
	const struct abi_value *list = &info->items[1];
	struct address *contracts;

	if (list->items_n > USER_CONTRACTS_MAX)
		return ERR_TOO_BIG;
	contracts = arena_alloc_array(a, list->items_n, sizeof(*contracts));
	if (!contracts)
		return ERR_NOMEM;
	for (size_t i = 0; i < list->items_n; i++)
		contracts[i] = abi_as_address(&list->items[i]);
	c->chain_id = info->items[0].word;
	c->contracts = contracts;
	c->contracts_n = list->items_n;
	return ERR_OK;
}

static bool has_selector(struct bytes input, const char *name)
{
	uint8_t selector[4];

	abi_selector(selector, name);
	return input.n >= sizeof(selector) && memcmp(input.p, selector, sizeof(selector)) == 0;
}

enum err user_calldata_decode(struct arena *a, struct user_calldata *ret, struct bytes input)
{
	struct user_calldata c = {0};
	const struct abi_type *type;
	const struct abi_value *args;
	size_t i = 0;

	while (i < ARRAY_LEN(calls) && !has_selector(input, calls[i].name))
		i++;
	if (i == ARRAY_LEN(calls))
		return ERR_UNSUPPORTED;
	TRY(abi_type_parse(a, &type, calls[i].type));
	TRY(abi_decode(a, &args, type, bytes_sub(input, 4, input.n - 4)));
	c.delegated = calls[i].delegated;
	if (c.delegated) {
		c.delegator = abi_as_address(&args->items[calls[i].accounts].items[0]);
		c.user = abi_as_address(&args->items[calls[i].accounts].items[1]);
	} else {
		c.user = abi_as_address(&args->items[calls[i].accounts]);
	}
	c.public_key = args->items[ARG_PUBLIC_KEY].bytes;
	c.signature = args->items[ARG_SIGNATURE].bytes;
	c.extra_data = args->items[ARG_EXTRA_DATA].bytes;
	c.start_s = args->items[ARG_VALIDITY].items[0].word;
	c.duration_days = args->items[ARG_VALIDITY].items[1].word;
	TRY(pairs_of(a, &c, &args->items[ARG_PAIRS]));
	TRY(contracts_of(a, &c, &args->items[calls[i].contracts]));
	*ret = c;
	return ERR_OK;
}

bool user_calldata_is_of(const struct user_calldata *c, const struct decryption_request *r)
{
	if (!r->user || c->pairs_n != r->handles_n || !address_eq(c->user, r->user->user) ||
	    !bytes_eq_var(c->public_key, r->user->public_key) ||
	    !bytes_eq_var(c->extra_data, r->extra_data))
		return false;
	for (size_t i = 0; i < c->pairs_n; i++)
		if (!hash32_eq(c->pairs[i].handle, r->handles[i]))
			return false;
	return true;
}

enum err user_calldata_digest(struct hash32 *ret_digest, const struct eip712_domain *domain,
			      const struct user_calldata *c)
{
	struct abi_value contracts[USER_CONTRACTS_MAX], values[6];
	size_t n = 0;

	if (c->contracts_n > ARRAY_LEN(contracts))
		return ERR_TOO_BIG;
	for (size_t i = 0; i < c->contracts_n; i++)
		contracts[i] = abi_address(c->contracts[i]);
	values[n++] = abi_bytes(c->public_key);
	values[n++] = abi_items(contracts, c->contracts_n);
	if (c->delegated)
		values[n++] = abi_address(c->delegator);
	values[n++] = abi_uint(c->start_s);
	values[n++] = abi_uint(c->duration_days);
	values[n++] = abi_bytes(c->extra_data);
	return eip712_digest(ret_digest, domain,
			     c->delegated ? "DelegatedUserDecryptRequestVerification("
					    "bytes publicKey,address[] contractAddresses,"
					    "address delegatorAddress,uint256 startTimestamp,"
					    "uint256 durationDays,bytes extraData)"
					  : "UserDecryptRequestVerification("
					    "bytes publicKey,address[] contractAddresses,"
					    "uint256 startTimestamp,uint256 durationDays,"
					    "bytes extraData)",
			     values, n);
}

/* ---- the unified form ---- */

enum err user_signature_digest(struct hash32 *ret_digest, const struct eip712_domain *domain,
			       const struct decryption_request *r)
{
	const struct user_request *u = r->user;
	struct abi_value allowed[USER_CONTRACTS_MAX];

	CHECK(u && u->unified);
	if (u->allowed_contracts_n > ARRAY_LEN(allowed))
		return ERR_TOO_BIG;
	for (size_t i = 0; i < u->allowed_contracts_n; i++)
		allowed[i] = abi_address(u->allowed_contracts[i]);

	const struct abi_value values[] = {
		abi_address(u->user),
		abi_bytes(u->public_key),
		abi_items(allowed, u->allowed_contracts_n),
		abi_uint(u->start_s),
		abi_uint(u->duration_s),
		abi_bytes(r->extra_data),
	};

	return eip712_digest(ret_digest, domain,
			     "UserDecryptRequestVerification(address userAddress,bytes publicKey,"
			     "address[] allowedContracts,uint256 startTimestamp,"
			     "uint256 durationSeconds,bytes extraData)",
			     values, ARRAY_LEN(values));
}
