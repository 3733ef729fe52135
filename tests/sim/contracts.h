/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Views of the contracts that stand still: GatewayConfig and ACL; and what servers of JSON-RPC
 * share. */
#ifndef SIM_CONTRACTS_H
#define SIM_CONTRACTS_H

#include "base/json.h"
#include "sim.h"

json_t *contracts_call(struct endpoint *e, const json_t *params, const char **ret_error);

json_t *rpc_hex(struct bytes b);
json_t *rpc_quantity(uint64_t v);
uint64_t endpoint_head(const struct endpoint *e);
uint64_t rpc_block(const struct endpoint *e, const json_t *tag);

#endif
