/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * KMS contexts and their epochs, as ProtocolConfig on the host chain and GatewayConfig's copy of it
 * tell them. Without key management on the host chain the owner of the gateway switches at once;
 * with it a context is announced, confirmed by this node, gets its epoch, and is in use when that
 * is confirmed, too.
 */
#include "crypto/keccak.h"
#include "eth/abi.h"
#include "sim.h"

enum {
	CONTEXT_KEY_FILL = 0x11,
	EPOCHS_FROM = 100
};

void contexts_init(struct sim *s)
{
	s->rotates = s->faults.on[FAULT_CONTEXT_SWITCH] && !s->faults.on[FAULT_KEYS_GATEWAY] &&
		     more_chance(s, 50);
	for (size_t i = 0; i < CONTEXTS_MAX; i++) {
		struct context *c = &s->contexts[i];

		*c = (struct context){.id = i + 1, .epoch = EPOCHS_FROM + i};
		c->gateway_from = c->host_from = c->created_from = UINT64_MAX;
		c->destroyed_from = c->epoch_destroyed_from = UINT64_MAX;
		memset(c->key.b, CONTEXT_KEY_FILL, sizeof(c->key.b));
		c->key.b[30] ^= s->rotates ? (uint8_t)i : 0;
		CHECK(ecdsa_address(s->ecdsa, &c->signer, &c->key) == ERR_OK);
	}
	s->contexts[0].gateway_from = s->contexts[0].host_from = 0;
	s->contexts[0].created_from = 0;
	s->contexts_n = 1;
}

static uint64_t from_of(const struct sim *s, const struct chain *c, size_t i)
{
	return c == &s->gateway ? s->contexts[i].gateway_from : s->contexts[i].host_from;
}

size_t context_current(const struct sim *s, const struct chain *c, uint64_t block)
{
	size_t i = s->contexts_n - 1;

	while (i > 0 && from_of(s, c, i) > block)
		i--;
	return i;
}

bool context_find(const struct sim *s, uint64_t id, size_t *ret_i)
{
	for (size_t i = 0; i < s->contexts_n; i++)
		if (s->contexts[i].id == id) {
			*ret_i = i;
			return true;
		}
	return false;
}

struct bytes context_extra_data(struct sim *s, size_t i, bool epoch)
{
	uint8_t b[65] = {epoch ? 2 : 1};
	struct bytes kept;

	u256_to_be(&b[1], u256_from_u64(s->contexts[i].id));
	u256_to_be(&b[33], u256_from_u64(s->contexts[i].epoch));
	CHECK(arena_copy(&s->kept, &kept, bytes_from(b, epoch ? 65 : 33)) == ERR_OK);
	return kept;
}

void context_activate(struct sim *s, size_t i)
{
	s->contexts[i].host_from = s->host.head;
	s->contexts[i].gateway_from = s->gateway.head + 1 + more_below(s, 5);
	sim_trace(s, "context %llu is the current one from block %llu of the gateway on",
		  (unsigned long long)s->contexts[i].id,
		  (unsigned long long)s->contexts[i].gateway_from);
}

/* ---- views ---- */

static bool is_valid(const struct sim *s, const struct chain *c, size_t i, uint64_t block)
{
	return from_of(s, c, i) <= block &&
	       (c == &s->gateway || s->contexts[i].destroyed_from > block);
}

static bool is_signer(const struct sim *s, size_t i, struct bytes call, size_t arg)
{
	struct hash32 word = call_word(call, arg);

	return memcmp(&word.b[12], s->contexts[i].signer.b, 20) == 0;
}

bool context_view(struct chain *c, struct bytes call, uint64_t block, struct buf *out)
{
	const struct sim *s = c->sim;
	size_t i = context_current(s, c, block);
	bool yes, known;

	if (is_call(call, "isKmsSigner(address)")) {
		yes = is_signer(s, i, call, 0);
	} else if (is_call(call, "isKmsSignerForContext(uint256,address)")) {
		if (!context_find(s, call_number(call, 0), &i) || !is_valid(s, c, i, block))
			return false; /* it reverts */
		yes = is_signer(s, i, call, 1);
	} else if (is_call(call, "isValidKmsContext(uint256)")) {
		known = context_find(s, call_number(call, 0), &i);
		yes = known && is_valid(s, c, i, block);
	} else if (is_call(call, "isValidEpochForContext(uint256,uint256)")) {
		known = context_find(s, call_number(call, 0), &i);
		yes = known && is_valid(s, c, i, block) &&
		      call_number(call, 1) == s->contexts[i].epoch &&
		      s->contexts[i].epoch_destroyed_from > block;
	} else {
		return false;
	}
	give_number(out, yes ? 1 : 0);
	return true;
}

static bool give_anchor(struct chain *c, size_t i, struct buf *out)
{
	const struct request *r = request_at(c, OP_KIND_NEW_CONTEXT, c->sim->contexts[i].id);
	struct hash32 hash;

	if (i > 0 && !r)
		return false;
	hash = keccak256(c->sim->contexts[i].info);
	const struct abi_value v[] = {
		abi_uint(u256_from_u64(i == 0 ? FIRST_CONTEXT_BLOCK : r->block)), abi_hash(&hash)};
	give(out, "(uint256,bytes32)", v, ARRAY_LEN(v));
	return true;
}

bool protocol_view(struct chain *c, struct bytes call, uint64_t block, struct buf *out)
{
	const struct sim *s = c->sim;
	size_t i;

	if (is_call(call, "getCurrentKmsContextAndEpoch()")) {
		i = context_current(s, c, block);
		give_number(out, s->contexts[i].id);
		give_number(out, s->contexts[i].epoch);
		return true;
	}
	if (is_call(call, "isLiveKmsContext(uint256)")) {
		give_number(out, context_find(s, call_number(call, 0), &i) &&
					 s->contexts[i].created_from <= block &&
					 s->contexts[i].destroyed_from > block);
		return true;
	}
	return is_call(call, "getKmsContextAnchor(uint256)") &&
	       context_find(s, call_number(call, 0), &i) && give_anchor(c, i, out);
}
