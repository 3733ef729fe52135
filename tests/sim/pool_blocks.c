/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The pool's blocks: what is mined, what the contract makes of it, and what takes it back. */
#include "crypto/keccak.h"
#include "eth/abi.h"
#include "pool_internal.h"

/* ---- the contract ---- */

static struct hash32 public_answer_digest(struct sim *s, const struct request *r,
					  struct bytes result, struct bytes extra)
{
	struct abi_value items[HANDLES_MAX];
	struct hash32 digest;

	for (size_t i = 0; i < r->cts_n; i++)
		items[i] = abi_hash(&r->cts[i]->handle);
	const struct abi_value values[] = {abi_items(items, r->cts_n), abi_bytes(result),
					   abi_bytes(extra)};
	CHECK(eip712_digest(&digest, &s->domain, EIP712_PUBLIC_DECRYPT, values, 3) == ERR_OK);
	return digest;
}

/* By the key of the context that the request is pinned to. */
static bool answer_is_right(struct sim *s, const struct request *r, struct bytes call)
{
	CLEANUP(arena_free) struct arena a = arena_make(1 << 20);
	const struct abi_type *type;
	const struct abi_value *args;
	struct hash32 digest;
	struct address signer;

	CHECK(abi_type_parse(&a, &type, "(uint256,bytes,bytes,bytes)") == ERR_OK);
	CHECK(abi_decode(&a, &args, type, bytes_sub(call, 4, call.n - 4)) == ERR_OK);
	args = args->items;
	digest = r->user ? user_answer_digest(s, r, args[1].bytes, args[3].bytes)
			 : public_answer_digest(s, r, args[1].bytes, args[3].bytes);
	return args[2].bytes.n == sizeof(struct signature65) &&
	       bytes_eq_var(args[3].bytes, r->extra_data) &&
	       signer_of(s, &signer, args[2].bytes, digest) &&
	       address_eq(signer, s->contexts[r->context].signer);
}

/* Where it was not asked for, where it was answered. */
static const struct {
	const char *unknown, *again;
} words[OP_KINDS] = {
	[OP_KIND_PUBLIC_DECRYPTION] = {"DecryptionNotRequested(uint256)",
				       "KmsNodeAlreadySigned(uint256,address)"},
	[OP_KIND_USER_DECRYPTION] = {"DecryptionNotRequested(uint256)",
				     "KmsNodeAlreadySigned(uint256,address)"},
	[OP_KIND_PREP_KEYGEN] = {"PrepKeygenNotRequested(uint256)",
				 "KmsAlreadySignedForPrepKeygen(uint256,address)"},
	[OP_KIND_KEYGEN] = {"KeygenNotRequested(uint256)",
			    "KmsAlreadySignedForKeygen(uint256,address)"},
	[OP_KIND_CRSGEN] = {"CrsgenNotRequested(uint256)",
			    "KmsAlreadySignedForCrsgen(uint256,address)"},
	/* One node is all there are: with its confirmation nothing is pending any more. */
	[OP_KIND_NEW_CONTEXT] = {"InvalidKmsContext(uint256)", "KmsContextNotPending(uint256)"},
	[OP_KIND_NEW_EPOCH] = {"InvalidKmsContext(uint256)", "InvalidKmsEpoch(uint256)"},
};

const char *contract_judges(struct chain *c, enum op_kind kind, struct bytes call)
{
	struct sim *s = c->sim;
	struct request *r;

	if (c->pool.paused_until_ms > s->loop.now_ms)
		return "EnforcedPause()";
	r = request_at(c, kind, call_number(call, 0));
	if (!r)
		return words[kind].unknown;
	if (r->answered_by > 0)
		return words[kind].again;
	if (op_kind_is_slow(kind))
		return keys_judge(r, call);
	/* Whom a signature of other words recovers to is nobody. */
	return answer_is_right(s, r, call) ? NULL : "NotKmsSigner(address)";
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* ---- blocks ---- */

static void execute(struct chain *c, struct pool_tx *t)
{
	struct sim *s = c->sim;
	struct pool *p = &c->pool;
	struct request *r = t->kind != 0 ? request_at(c, t->kind, t->id) : NULL;

	t->state = POOL_MINED;
	t->block = c->head;
	t->why = t->kind != 0 ? contract_judges(c, t->kind, buf_view(&t->data)) : NULL;
	if (!t->why && t->kind != 0 && p->gas_until_ms > s->loop.now_ms)
		t->why = "out of gas";
	t->success = !t->why;
	p->count = t->nonce + 1;
	sim_trace(s, "block %llu of %s: nonce %llu request %llu: %s", (unsigned long long)c->head,
		  c->name, (unsigned long long)t->nonce, (unsigned long long)t->id,
		  t->why ? t->why : "done");
	if (t->success && r) {
		r->answered_by = (size_t)(t - p->v) + 1;
		r->answered_at = c->head;
		keys_answered(r, c->head);
	}
	if (t->success)
		return;
	p->reverted++;
	if (r)
		r->reverts++;
	if (r && starts(t->why, words[t->kind].again))
		p->wasted++;
}

void pool_mine(struct chain *c)
{
	struct pool *p = &c->pool;
	uint64_t floor = p->floor_until_ms > c->sim->loop.now_ms ? p->floor : p->base_fee;
	struct pool_tx *t;

	while ((t = pool_waiting_at(p, p->count)) != NULL && t->fee_max >= floor)
		execute(c, t);
}

void pool_unmine(struct chain *c, uint64_t from_block)
{
	struct sim *s = c->sim;
	struct pool *p = &c->pool;

	for (size_t i = 0; i < p->n; i++) {
		struct pool_tx *t = &p->v[i];

		if (t->state != POOL_MINED || t->block < from_block)
			continue;
		t->state = t->foreign || sim_chance(s, 85) ? POOL_WAITING : POOL_GONE;
		if (t->nonce < p->count)
			p->count = t->nonce;
		for (size_t k = 0; k < s->requests_n; k++)
			if (s->requests[k]->chain == c && s->requests[k]->answered_by == i + 1)
				s->requests[k]->answered_by = 0;
	}
}

/* A transaction that is not ours takes the next nonce. */
void pool_foreign(struct chain *c)
{
	struct sim *s = c->sim;
	struct pool *p = &c->pool;
	struct pool_tx *t = pool_waiting_at(p, p->count);
	struct pool_tx foreign = {.nonce = p->count, .foreign = true};

	if (t)
		t->state = POOL_GONE;
	foreign.hash = keccak256(bytes_from(&foreign.nonce, sizeof(foreign.nonce)));
	foreign.fee_max = UINT64_MAX;
	sim_trace(s, "pool: nonce %llu is used by somebody else", (unsigned long long)p->count);
	p->foreign++;
	pool_add(p, &foreign);
	pool_mine(c);
}

void pool_evict(struct chain *c)
{
	struct sim *s = c->sim;
	struct pool *p = &c->pool;

	for (size_t i = p->n; i-- > 0;)
		if (p->v[i].state == POOL_WAITING && !p->v[i].foreign && sim_chance(s, 50)) {
			p->v[i].state = POOL_GONE;
			p->evicted++;
			sim_trace(s, "pool: nonce %llu is dropped",
				  (unsigned long long)p->v[i].nonce);
		}
}
