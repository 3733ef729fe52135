/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What a node means when it refuses a raw transaction: there is no standard but the words. */
#include "connector/sender/internal.h"

/*
 * Words of geth, Nitro, Erigon, Nethermind, Besu, Reth and anvil. The first row whose words occur
 * counts; "nonce too low" stands before the funds because nodes check in that order too.
 */
static const struct {
	const char *words;
	enum send_outcome outcome;
} rows[] = {
	{"already known", SEND_KNOWN},
	{"already imported", SEND_KNOWN},
	{"alreadyknown", SEND_KNOWN},
	{"known transaction", SEND_KNOWN},
	{"already exists", SEND_KNOWN},
	{"nonce too low", SEND_NONCE_USED},
	{"nonce is too low", SEND_NONCE_USED},
	{"nonce_too_low", SEND_NONCE_USED},
	{"oldnonce", SEND_NONCE_USED},
	{"old nonce", SEND_NONCE_USED},
	{"nonce has already been used", SEND_NONCE_USED},
	{"replacement", SEND_RIVAL},
	{"could not replace existing", SEND_RIVAL},
	{"underpriced", SEND_UNDERPRICED},
	{"less than block base fee", SEND_UNDERPRICED},
	{"fee cap less than", SEND_UNDERPRICED},
	{"feetoolow", SEND_UNDERPRICED},
	{"fee too low", SEND_UNDERPRICED},
	{"gas price too low", SEND_UNDERPRICED},
	{"gas price below", SEND_UNDERPRICED},
	{"insufficient funds", SEND_NO_FUNDS},
	{"insufficient balance", SEND_NO_FUNDS},
	{"insufficientfunds", SEND_NO_FUNDS},
	{"upfrontcostexceedsbalance", SEND_NO_FUNDS},
	{"upfront cost exceeds", SEND_NO_FUNDS},
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* `words` is lower case. */
static bool says(const char *message, const char *words)
{
	for (; *message; message++) {
		size_t n = 0;

		while (words[n] && lower(message[n]) == words[n])
			n++;
		if (!words[n])
			return true;
	}
	return false;
}

enum {
	RPC_NO_METHOD = -32601, /* JSON-RPC 2.0 */
	RPC_NOT_IN_A_BLOCK = 4, /* EIP-7966: sent, and its time is over */
};

bool method_is_missing(const struct provider_error *e)
{
	static const char *const words[] = {"method not found", "unsupported method",
					    "unknown method",   "method not supported",
					    "is not available", "not whitelisted"};

	if (e->err != ERR_REMOTE)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (says(e->rpc_message, words[i]))
			return true;
	return e->rpc_code == RPC_NO_METHOD;
}

enum send_outcome send_outcome_of(const struct provider_error *e)
{
	if (e->err == ERR_OK)
		return SEND_ACCEPTED;
	if (e->err == ERR_REMOTE && e->rpc_code == RPC_NOT_IN_A_BLOCK)
		return SEND_ACCEPTED;
	for (size_t i = 0; e->err == ERR_REMOTE && i < ARRAY_LEN(rows); i++)
		if (says(e->rpc_message, rows[i].words))
			return rows[i].outcome;
	return SEND_AGAIN;
}
