/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The transactions of the connector's account: the rules of a mempool, blocks in the order of
 * nonces, and the Decryption contract, which takes one answer to each request that is on the chain.
 * Every raw transaction is decoded, its signature checked, and that a nonce never has two calls.
 */
#include "pool_internal.h"

#include <stdlib.h>

#include "base/hex.h"
#include "crypto/keccak.h"
#include "eth/abi.h"
#include "eth/tx.h"

/* ---- raw transactions: just enough RLP ---- */

static struct bytes rlp_item(struct reader *r)
{
	uint8_t first = reader_u8(r);
	size_t n = 0;

	if (first < 0x80)
		return bytes_from(r->in.p - 1, 1);
	if (first < 0xb8 || (first >= 0xc0 && first < 0xf8))
		return reader_bytes(r, (size_t)(first & 0x3f));
	for (unsigned k = (first & 7U) + 1; k > 0; k--)
		n = n << 8 | reader_u8(r);
	return reader_bytes(r, n);
}

static uint64_t number(struct bytes b)
{
	struct u256 v;
	uint64_t n;

	CHECK(u256_from_bytes_be(&v, b) == ERR_OK);
	CHECK(u256_to_u64(&n, v) == ERR_OK);
	return n;
}

bool signer_of(struct sim *s, struct address *ret_signer, struct bytes signature,
	       struct hash32 digest)
{
	struct signer_known *k = &s->signers_known[digest.b[0]];

	CHECK(signature.n == sizeof(k->signature));
	if (!k->set || !hash32_eq(k->digest, digest) ||
	    memcmp(k->signature, signature.p, signature.n) != 0) {
		*k = (struct signer_known){.digest = digest, .set = true};
		memcpy(k->signature, signature.p, signature.n);
		k->found = ecdsa_recover(s->ecdsa, &k->signer, signature, digest) == ERR_OK;
	}
	*ret_signer = k->signer;
	return k->found;
}

static void check_signature(struct sim *s, const struct tx *t, const struct bytes f[3])
{
	uint8_t sig[65] = {0};
	struct hash32 digest;
	struct address signer;

	memcpy(sig + 32 - f[1].n, f[1].p, f[1].n);
	memcpy(sig + 64 - f[2].n, f[2].p, f[2].n);
	sig[64] = (uint8_t)(27 + number(f[0]));
	CHECK(tx_signing_hash(&digest, t) == ERR_OK);
	if (!signer_of(s, &signer, BYTES_OF(sig), digest) || !address_eq(signer, s->account))
		sim_fail(s, "a transaction that is not signed by the account's key");
}

/* What a transaction may do: the function, and the kind of request it answers. */
static const struct {
	const char *signature;
	enum op_kind kind;
} answers[] = {
	{"publicDecryptionResponse(uint256,bytes,bytes,bytes)", OP_KIND_PUBLIC_DECRYPTION},
	{"userDecryptionResponse(uint256,bytes,bytes,bytes)", OP_KIND_USER_DECRYPTION},
	{"prepKeygenResponse(uint256,bytes)", OP_KIND_PREP_KEYGEN},
	{"keygenResponse(uint256,(uint8,bytes)[],bytes)", OP_KIND_KEYGEN},
	{"crsgenResponse(uint256,bytes,bytes)", OP_KIND_CRSGEN},
	{"confirmKmsContextCreation(uint256)", OP_KIND_NEW_CONTEXT},
	{"confirmEpochActivation(uint256,(uint256,uint256,(uint8,bytes)[],bytes)[],"
	 "(uint256,uint256,bytes,bytes)[])",
	 OP_KIND_NEW_EPOCH},
};

enum op_kind pool_kind_of(const struct sim *s, struct address to, struct bytes call)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		if (is_call(call, answers[i].signature)) {
			enum op_kind k = answers[i].kind;

			CHECK(address_eq(to, k <= OP_KIND_USER_DECRYPTION ? s->decryption
					     : k <= OP_KIND_CRSGEN        ? s->kms_generation
									  : s->protocol_config));
			return k;
		}
	CHECK(false);
}

static struct pool_tx decode(struct chain *c, struct bytes raw)
{
	struct sim *s = c->sim;
	struct pool_tx out = {.hash = keccak256(raw), .data = buf_make(1 << 20)};
	CLEANUP(buf_free) struct buf call = buf_make(1 << 20);
	struct reader whole = reader_of(raw);
	struct tx t = {0};
	struct bytes f[12];

	CHECK(reader_u8(&whole) == 2);
	struct reader list = reader_of(rlp_item(&whole));
	for (size_t i = 0; i < ARRAY_LEN(f); i++)
		f[i] = rlp_item(&list);
	CHECK(reader_end(&whole) == ERR_OK && reader_end(&list) == ERR_OK && f[5].n == 20);
	t.chain_id.v = number(f[0]);
	t.nonce = out.nonce = number(f[1]);
	out.priority = number(f[2]);
	out.fee_max = number(f[3]);
	t.priority_fee_max.v = u256_from_u64(out.priority);
	t.fee_max.v = u256_from_u64(out.fee_max);
	t.gas = out.gas = number(f[4]);
	memcpy(t.to.b, f[5].p, 20);
	t.data = f[7];
	CHECK(f[6].n + f[8].n == 0 && t.chain_id.v == c->id);
	check_signature(s, &t, &f[9]);
	if (t.data.n > 0)
		out.kind = pool_kind_of(s, t.to, t.data);
	else
		CHECK(address_eq(t.to, s->account));
	CHECK(buf_add(&call, BYTES_OF(t.to.b)) == ERR_OK);
	CHECK(buf_add(&call, t.data) == ERR_OK);
	CHECK(buf_add(&out.data, t.data) == ERR_OK);
	out.call = keccak256(buf_view(&call));
	if (out.kind != 0)
		out.id = call_number(t.data, 0);
	return out;
}

/* ---- the pool ---- */

static struct pool_tx *by_hash(struct pool *p, struct hash32 hash)
{
	for (size_t i = 0; i < p->n; i++)
		if (hash32_eq(p->v[i].hash, hash))
			return &p->v[i];
	return NULL;
}

struct pool_tx *pool_waiting_at(struct pool *p, uint64_t nonce)
{
	for (size_t i = p->n; i-- > 0;)
		if (p->v[i].state == POOL_WAITING && p->v[i].nonce == nonce)
			return &p->v[i];
	return NULL;
}

void pool_add(struct pool *p, const struct pool_tx *t)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->v = realloc(p->v, p->cap * sizeof(*p->v));
		CHECK(p->v != NULL);
	}
	p->v[p->n++] = *t;
}

void pool_free(struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		buf_free(&p->v[i].data);
	free(p->v);
	*p = (struct pool){0};
}

static bool pays(const struct pool_tx *new, const struct pool_tx *old)
{
	return new->fee_max * 100 >= old->fee_max * 110 &&
	       new->priority * 100 >= old->priority * 110;
}

/* The same nonce for another call: one of the two can be mined, and whichever it is, somebody
 * thinks the other was. */
static void check_one_call(struct chain *c, const struct pool_tx *t)
{
	struct sim *s = c->sim;

	for (size_t i = 0; i < c->pool.n; i++) {
		const struct pool_tx *o = &c->pool.v[i];

		if (o->nonce == t->nonce && !o->foreign && !hash32_eq(o->call, t->call) &&
		    s->restores == 0)
			sim_fail(s, "nonce %llu was signed for two calls: requests %llu and %llu",
				 (unsigned long long)t->nonce, (unsigned long long)o->id,
				 (unsigned long long)t->id);
	}
}

static uint64_t fee_now(const struct chain *c)
{
	const struct pool *p = &c->pool;

	return p->floor_until_ms > c->sim->loop.now_ms ? p->floor : p->base_fee;
}

/* NULL: taken. Errors are geth's words. */
static const char *take(struct chain *c, struct bytes raw)
{
	struct sim *s = c->sim;
	struct pool *p = &c->pool;
	struct pool_tx new = decode(c, raw);
	struct pool_tx *known = by_hash(p, new.hash), *rival;
	const char *error = NULL;

	check_one_call(c, &new);
	rival = pool_waiting_at(p, new.nonce);
	if (fault(s, FAULT_TX_REFUSED))
		error = "transaction pool is full";
	else if (known && known->state == POOL_WAITING)
		error = "already known";
	else if (new.nonce < p->count)
		error = "nonce too low: next nonce 7, tx nonce 6";
	else if (p->funds_until_ms > s->loop.now_ms)
		error = "insufficient funds for gas * price + value";
	else if (new.fee_max < p->base_fee)
		error = "max fee per gas less than block base fee";
	else if (rival && !pays(&new, rival))
		error = "replacement transaction underpriced";
	sim_trace(s, "pool of %s: nonce %llu request %llu fee %llu: %s", c->name,
		  (unsigned long long)new.nonce, (unsigned long long)new.id,
		  (unsigned long long)new.fee_max, error ? error : "taken");
	if (error || known)
		buf_free(&new.data);
	if (error)
		return error;
	if (rival)
		rival->state = POOL_GONE;
	if (known)
		known->state = POOL_WAITING;
	else
		pool_add(p, &new);
	return NULL;
}

/* ---- JSON-RPC ---- */

static uint64_t pending_count(struct pool *p)
{
	uint64_t n = p->count;

	while (pool_waiting_at(p, n))
		n++;
	return n;
}

static void send_raw(const struct rpc_ask *q, struct buf *out, struct rpc_error *ret_error)
{
	CLEANUP(buf_free) struct buf raw = buf_make(1 << 20);
	struct hash32 hash;

	CHECK(hex_decode(&raw, rpc_param(q, 0)) == ERR_OK);
	ret_error->message = take(q->e->chain, buf_view(&raw));
	if (ret_error->message)
		return;
	hash = keccak256(buf_view(&raw));
	rpc_add_hex(out, BYTES_OF(hash.b));
}

static void estimate(const struct rpc_ask *q, struct buf *out, struct rpc_error *ret_error)
{
	CLEANUP(buf_free) struct buf data = buf_make(1 << 20);
	struct address to;
	const char *why;

	CHECK(hex_decode(&data, rpc_member(q, "data")) == ERR_OK);
	CHECK(hex_decode_fixed(to.b, sizeof(to.b), rpc_member(q, "to")) == ERR_OK);
	if (data.n == 0) {
		rpc_add_quantity(out, 21000);
		return;
	}
	why = contract_judges(q->e->chain, pool_kind_of(q->e->chain->sim, to, buf_view(&data)),
			      buf_view(&data));
	if (!why) {
		rpc_add_quantity(out, POOL_GAS);
		return;
	}
	abi_selector(ret_error->selector, why);
	ret_error->reverted = true;
	ret_error->message = "execution reverted";
}

static void add_receipt(struct buf *out, const struct pool_tx *t, struct hash32 block_hash,
			uint64_t block, bool success)
{
	rpc_add(out, "{");
	rpc_add_hex_as(out, "transactionHash", BYTES_OF(t->hash.b));
	rpc_add_hex_as(out, "blockHash", BYTES_OF(block_hash.b));
	rpc_add_quantity_as(out, "blockNumber", block);
	rpc_add_quantity_as(out, "status", success ? 1 : 0);
	rpc_add_quantity_as(out, "gasUsed", 90000);
	rpc_add(out, "}");
}

static void receipt(const struct rpc_ask *q, struct buf *out)
{
	struct endpoint *e = q->e;
	struct sim *s = e->chain->sim;
	const struct pool_tx *t = by_hash(&e->chain->pool, rpc_hash(rpc_param(q, 0)));

	if (t && t->state == POOL_WAITING && e->lies && sim_chance(s, 50))
		add_receipt(out, t, t->call, endpoint_head(e), true);
	else if (!t || t->state != POOL_MINED || t->block > endpoint_head(e) ||
		 fault(s, FAULT_RECEIPT_LOST))
		rpc_add(out, "null");
	else
		add_receipt(out, t, e->chain->v[t->block].hash, t->block, t->success);
}

/* Transactions in blocks that an endpoint has not seen yet do not count for it. */
static uint64_t count(const struct rpc_ask *q)
{
	struct pool *p = &q->e->chain->pool;
	uint64_t n = p->count;

	if (bytes_eq_var(rpc_param(q, 1), BYTES_LIT("pending")))
		return pending_count(p);
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].state == POOL_MINED && p->v[i].block > endpoint_head(q->e) &&
		    p->v[i].nonce < n)
			n = p->v[i].nonce;
	return n;
}

static void fees(const struct rpc_ask *q, struct buf *out)
{
	uint64_t fee = fee_now(q->e->chain);

	rpc_add(out, "{");
	rpc_add_quantity_as(out, "oldestBlock", 1);
	rpc_add(out, ",\"baseFeePerGas\":[");
	rpc_add_quantity(out, fee);
	rpc_add(out, ",");
	rpc_add_quantity(out, fee);
	rpc_add(out, "],\"reward\":[[\"0x3\"]]}");
}

bool pool_call(const struct rpc_ask *q, struct buf *out, struct rpc_error *ret_error)
{
	if (rpc_is(q, "eth_getTransactionReceipt"))
		receipt(q, out);
	else if (rpc_is(q, "eth_getTransactionCount"))
		rpc_add_quantity(out, count(q));
	else if (rpc_is(q, "eth_estimateGas"))
		estimate(q, out, ret_error);
	else if (rpc_is(q, "eth_sendRawTransaction"))
		send_raw(q, out, ret_error);
	else if (rpc_is(q, "eth_feeHistory"))
		fees(q, out);
	else
		return false;
	return true;
}
