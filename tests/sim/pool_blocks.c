/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The pool's blocks: what is mined, what the contract makes of it, and what takes it back. */
#include "crypto/keccak.h"
#include "eth/abi.h"
#include "pool_internal.h"

/* ---- the contract ---- */

static bool answer_is_right(struct sim *s, const struct request *r, const struct abi_value *args)
{
	struct abi_value items[HANDLES_MAX];
	struct hash32 digest;
	struct address signer;

	for (size_t i = 0; i < r->cts_n; i++)
		items[i] = abi_hash(&r->cts[i]->handle);
	const struct abi_value values[] = {abi_items(items, r->cts_n), args[1], args[3]};
	CHECK(eip712_digest(&digest, &s->domain, EIP712_PUBLIC_DECRYPT, values, 3) == ERR_OK);
	return args[2].bytes.n == sizeof(struct signature65) &&
	       signer_of(s, &signer, args[2].bytes, digest) && address_eq(signer, s->core.signer);
}

const char *contract_judges(struct sim *s, struct bytes call)
{
	CLEANUP(arena_free) struct arena a = arena_make(1 << 20);
	const struct abi_type *type;
	const struct abi_value *args;
	struct request *r;
	uint64_t id;

	CHECK(abi_type_parse(&a, &type, "(uint256,bytes,bytes,bytes)") == ERR_OK);
	CHECK(abi_decode(&a, &args, type, bytes_sub(call, 4, call.n - 4)) == ERR_OK);
	CHECK(u256_to_u64(&id, args->items[0].word) == ERR_OK);
	if (s->pool.paused_until_ms > s->loop.now_ms)
		return "EnforcedPause()";
	r = request_at(s, id);
	if (!r)
		return "DecryptionNotRequested(uint256)";
	if (r->answered_by > 0)
		return "KmsNodeAlreadySigned(uint256,address)";
	/* Whom a signature of other words recovers to is nobody. */
	return answer_is_right(s, r, args->items) ? NULL : "NotKmsSigner(address)";
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* ---- blocks ---- */

static void execute(struct sim *s, struct pool_tx *t, uint64_t block)
{
	struct pool *p = &s->pool;
	struct request *r = t->answers ? request_at(s, t->id) : NULL;

	t->state = POOL_MINED;
	t->block = block;
	t->why = t->answers ? contract_judges(s, buf_view(&t->data)) : NULL;
	if (!t->why && t->answers && p->gas_until_ms > s->loop.now_ms)
		t->why = "out of gas";
	t->success = !t->why;
	p->count = t->nonce + 1;
	sim_trace(s, "block %llu: nonce %llu request %llu: %s", (unsigned long long)block,
		  (unsigned long long)t->nonce, (unsigned long long)t->id,
		  t->why ? t->why : "done");
	if (t->success && r)
		r->answered_by = (size_t)(t - p->v) + 1;
	if (t->success)
		return;
	p->reverted++;
	if (r)
		r->reverts++;
	if (starts(t->why, "KmsNodeAlreadySigned"))
		p->wasted++;
}

void pool_mine(struct sim *s, uint64_t block)
{
	struct pool *p = &s->pool;
	uint64_t floor = p->floor_until_ms > s->loop.now_ms ? p->floor : p->base_fee;
	struct pool_tx *t;

	while ((t = pool_waiting_at(p, p->count)) != NULL && t->fee_max >= floor)
		execute(s, t, block);
}

void pool_unmine(struct sim *s, uint64_t from_block)
{
	struct pool *p = &s->pool;

	for (size_t i = 0; i < p->n; i++) {
		struct pool_tx *t = &p->v[i];

		if (t->state != POOL_MINED || t->block < from_block)
			continue;
		t->state = t->foreign || sim_chance(s, 85) ? POOL_WAITING : POOL_GONE;
		if (t->nonce < p->count)
			p->count = t->nonce;
		for (size_t k = 0; k < s->requests_n; k++)
			if (s->requests[k]->answered_by == i + 1)
				s->requests[k]->answered_by = 0;
	}
}

/* A transaction that is not ours takes the next nonce. */
void pool_foreign(struct sim *s)
{
	struct pool *p = &s->pool;
	struct pool_tx *t = pool_waiting_at(p, p->count);
	struct pool_tx foreign = {.nonce = p->count, .foreign = true};

	if (t)
		t->state = POOL_GONE;
	foreign.hash = keccak256(bytes_from(&foreign.nonce, sizeof(foreign.nonce)));
	foreign.fee_max = UINT64_MAX;
	sim_trace(s, "pool: nonce %llu is used by somebody else", (unsigned long long)p->count);
	p->foreign++;
	pool_add(p, &foreign);
	pool_mine(s, s->gateway.head);
}

void pool_evict(struct sim *s)
{
	struct pool *p = &s->pool;

	for (size_t i = p->n; i-- > 0;)
		if (p->v[i].state == POOL_WAITING && !p->v[i].foreign && sim_chance(s, 50)) {
			p->v[i].state = POOL_GONE;
			p->evicted++;
			sim_trace(s, "pool: nonce %llu is dropped",
				  (unsigned long long)p->v[i].nonce);
		}
}
