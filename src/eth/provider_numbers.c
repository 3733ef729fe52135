/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Numbers that nodes tell of themselves: chain id, nonces, gas, fees (Ethereum execution API). With
 * a quorum they are measured, since honest nodes differ for a moment: provider_call.h. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "eth/provider_call.h"

enum {
	FEE_BLOCKS_MAX = 1024, /* we ask for ten */
};

static uint64_t read_u64(struct call *c, struct provider_error *e, const json_t *result)
{
	uint64_t v = 0;
	enum err err = ERR_OK;

	if (e->err == ERR_OK) {
		v = json_get_quantity(result, NULL, &err);
		call_fail(c, e, err, "the result is no 64-bit quantity");
	}
	return v;
}

static void judge_u64(struct call *c, struct provider_error *e, const json_t *result,
		      struct rpc_vote *vote)
{
	uint64_t v = read_u64(c, e, result);

	vote->digest = keccak256(bytes_from(&v, sizeof(v)));
	vote->measured = true;
	vote->height = u256_from_u64(v);
}

static void finish_u64(struct call *c, struct provider_error *e, const json_t *result)
{
	uint64_t v = c->chosen ? c->chosen->height.w[0] : read_u64(c, e, result);

	c->done.u64(c->ctx, e, v);
}

static enum err submit_u64(struct provider *p, struct call **c, size_t reply_max,
			   provider_u64_fn *done, void *ctx)
{
	(*c)->finish = finish_u64;
	(*c)->judge = judge_u64;
	(*c)->done.u64 = done;
	(*c)->ctx = ctx;
	return provider_submit(p, c, reply_max);
}

enum err provider_get_chain_id(struct provider *p, provider_u64_fn *done, void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_chainId"));
	c->any_chain = true;
	TRY(buf_add_str(c->request, "[]"));
	return submit_u64(p, &c, SMALL_REPLY_MAX, done, ctx);
}

enum err provider_nonce(struct provider *p, struct address account, struct block_tag tag,
			provider_u64_fn *done, void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_getTransactionCount"));
	c->measures = true;
	TRY(buf_add_str(c->request, "["));
	TRY(call_add_hex(c, BYTES_OF(account.b)));
	TRY(buf_add_str(c->request, ","));
	TRY(call_add_tag(c, tag));
	TRY(buf_add_str(c->request, "]"));
	return submit_u64(p, &c, SMALL_REPLY_MAX, done, ctx);
}

enum err provider_estimate_gas(struct provider *p, const struct call_msg *msg,
			       provider_u64_fn *done, void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_estimateGas"));
	c->errors_are_final = true;
	c->measures = true;
	/* Where no block is said, some nodes run all that waits in their pool before it, for each
	   estimate anew. */
	TRY(buf_add_str(c->request, "["));
	TRY(call_add_msg(c, msg));
	TRY(buf_add_str(c->request, ",\"latest\"]"));
	return submit_u64(p, &c, CALL_REPLY_MAX, done, ctx);
}

/* ---- fees ---- */

static int compare_u256(const void *a, const void *b)
{
	return u256_cmp(*(const struct u256 *)a, *(const struct u256 *)b);
}

/* Sorts in place; of two middle values the upper one, so that no rounding makes it zero. */
static struct u256 median(struct u256 *v, size_t n)
{
	if (n == 0)
		return u256_from_u64(1);
	qsort(v, n, sizeof(*v), compare_u256);
	return v[n / 2];
}

/* `reward` may be missing (a chain without transactions); each entry has one value: we ask for one
 * percentile. */
static enum err read_priority(struct call *c, struct wei *ret_priority, const json_t *reward)
{
	size_t blocks = json_array_size(reward), n = 0;
	enum err err = ERR_OK;

	if (blocks > FEE_BLOCKS_MAX)
		return ERR_TOO_BIG;
	struct u256 *v = arena_alloc_array(&c->arena, blocks, sizeof(*v));
	if (!v)
		return ERR_NOMEM;
	for (size_t i = 0; i < blocks; i++) {
		const json_t *one = json_array_get(json_array_get(reward, i), 0);
		struct u256 r = json_get_u256(one, NULL, &err);

		if (!u256_is_zero(r))
			v[n++] = r;
	}
	TRY(err);
	ret_priority->v = median(v, n);
	return ERR_OK;
}

static void read_fee(struct call *c, struct provider_error *e, struct fee_history *ret_fee,
		     const json_t *result)
{
	struct fee_history fee = {0};
	enum err err = ERR_OK;

	if (e->err != ERR_OK)
		return;
	const json_t *base = json_get_array(result, "baseFeePerGas", &err);
	size_t n = json_array_size(base);

	/* The last one is of the block after the newest. */
	fee.base_fee_next.v = json_get_u256(n > 0 ? json_array_get(base, n - 1) : NULL, NULL, &err);
	if (err == ERR_OK)
		err = read_priority(c, &fee.priority, json_object_get(result, "reward"));
	call_fail(c, e, err, "no usable fee history");
	if (e->err == ERR_OK)
		*ret_fee = fee;
}

/* By what a transaction would offer at most; what is too much for a number is the most. */
static void judge_fee(struct call *c, struct provider_error *e, const json_t *result,
		      struct rpc_vote *vote)
{
	struct fee_history fee = {0};
	struct u256 height;
	struct keccak256 k;

	read_fee(c, e, &fee, result);
	if (e->err != ERR_OK)
		return;
	bool over = u256_add(&height, fee.base_fee_next.v, fee.base_fee_next.v);
	over |= u256_add(&height, height, fee.priority.v);
	if (over)
		memset(&height, 0xff, sizeof(height));
	keccak256_init(&k);
	keccak256_add(&k, BYTES_OF(fee.base_fee_next.v.w));
	keccak256_add(&k, BYTES_OF(fee.priority.v.w));
	*vote = (struct rpc_vote){
		.digest = keccak256_final(&k), .measured = true, .height = height, .fee = fee};
}

static void finish_fee(struct call *c, struct provider_error *e, const json_t *result)
{
	struct fee_history fee = {0};

	if (c->chosen)
		fee = c->chosen->fee;
	else
		read_fee(c, e, &fee, result);
	c->done.fee(c->ctx, e, e->err == ERR_OK ? &fee : NULL);
}

enum err provider_fee_history(struct provider *p, provider_fee_fn *done, void *ctx)
{
	CLEANUP(call_drop) struct call *c = NULL;

	TRY(provider_begin(p, &c, "eth_feeHistory"));
	TRY(buf_add_str(c->request, "[\"0xa\",\"latest\",[20]]"));
	c->measures = true;
	c->judge = judge_fee;
	c->finish = finish_fee;
	c->done.fee = done;
	c->ctx = ctx;
	return provider_submit(p, &c, SMALL_REPLY_MAX);
}
