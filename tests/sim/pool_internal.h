/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#ifndef SIM_POOL_INTERNAL_H
#define SIM_POOL_INTERNAL_H

#include "rpc.h"

enum {
	POOL_GAS = 100000,
	POOL_BASE_FEE = 1000
};

void pool_add(struct pool *p, const struct pool_tx *t);
struct pool_tx *pool_waiting_at(struct pool *p, uint64_t nonce);

enum op_kind pool_kind_of(const struct sim *s, struct address to, struct bytes call);

/* What the contract says to this call now: NULL, or the error that it reverts with. */
const char *contract_judges(struct chain *c, enum op_kind kind, struct bytes call);

#endif
