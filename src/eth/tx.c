/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* EIP-1559 on EIP-2718: 0x02 || rlp([chain, nonce, priority, fee, gas, to, value, data, access
 * list, (parity, r, s)]). */
#include "eth/tx.h"

#include "base/limits.h"
#include "crypto/keccak.h"
#include "eth/rlp.h"

enum {
	TX_TYPE = 0x02
};

static enum err add_fields(struct buf *out, const struct tx *t)
{
	TRY(rlp_add_u64(out, t->chain_id.v));
	TRY(rlp_add_u64(out, t->nonce));
	TRY(rlp_add_u256(out, t->priority_fee_max.v));
	TRY(rlp_add_u256(out, t->fee_max.v));
	TRY(rlp_add_u64(out, t->gas));
	TRY(rlp_add_bytes(out, BYTES_OF(t->to.b)));
	TRY(rlp_add_u256(out, t->value.v));
	TRY(rlp_add_bytes(out, t->data));
	return rlp_close_list(out, out->n); /* the empty access list */
}

/* r and s are integers: leading zeros go. */
static enum err add_signature(struct buf *out, const struct signature65 *sig)
{
	unsigned v = sig->b[64];

	if (v != 27 && v != 28)
		return ERR_RANGE;
	TRY(rlp_add_u64(out, v - 27));
	TRY(rlp_add_u256(out, u256_from_be(&sig->b[0])));
	return rlp_add_u256(out, u256_from_be(&sig->b[32]));
}

static enum err serialize(struct buf *out, const struct tx *t, const struct signature65 *sig)
{
	TRY(buf_add_u8(out, TX_TYPE));
	size_t start = out->n;
	TRY(add_fields(out, t));
	if (sig)
		TRY(add_signature(out, sig));
	return rlp_close_list(out, start);
}

enum err tx_signing_hash(struct hash32 *ret_hash, const struct tx *t)
{
	CLEANUP(buf_free) struct buf raw = buf_make(JSON_RPC_REQUEST_MAX);

	TRY(serialize(&raw, t, NULL));
	*ret_hash = keccak256(buf_view(&raw));
	return ERR_OK;
}

enum err tx_serialize(struct buf *out, struct hash32 *ret_hash, const struct tx *t,
		      const struct signature65 *sig)
{
	size_t start = out->n;
	enum err err = serialize(out, t, sig);

	if (err != ERR_OK) {
		out->n = start;
		return err;
	}
	*ret_hash = keccak256(bytes_sub(buf_view(out), start, out->n - start));
	return ERR_OK;
}
