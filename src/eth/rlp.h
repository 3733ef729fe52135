/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* RLP (Ethereum yellow paper, appendix B): an encoder for transactions. */
#ifndef ETH_RLP_H
#define ETH_RLP_H

#include "base/u256.h"

enum err rlp_add_bytes(struct buf *out, struct bytes v) MUST_USE;
enum err rlp_add_u256(struct buf *out,
		      struct u256 v) MUST_USE; /* no leading zeros; zero is the empty string */
enum err rlp_add_u64(struct buf *out, uint64_t v) MUST_USE;

/* Put a list header in front of everything from `start` on. */
enum err rlp_close_list(struct buf *out, size_t start) MUST_USE;

#endif
