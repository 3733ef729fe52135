/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* EIP-1559 transactions (type 2), empty access list. */
#ifndef ETH_TX_H
#define ETH_TX_H

#include "base/u256.h"
#include "crypto/ecdsa.h"

struct tx {
	struct chain_id chain_id;
	uint64_t nonce;
	struct wei priority_fee_max;
	struct wei fee_max;
	uint64_t gas;
	struct address to;
	struct wei value;
	struct bytes data;
};

/* What is signed: keccak256(0x02 || rlp(fields)). */
enum err tx_signing_hash(struct hash32 *ret_hash, const struct tx *t) MUST_USE;

/* The raw transaction with the signature, appended to `out`, and its hash. */
enum err tx_serialize(struct buf *out, struct hash32 *ret_hash, const struct tx *t,
		      const struct signature65 *sig) MUST_USE;

#endif
