/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * JSON-RPC as a node of the world speaks it. Most of what the world does is to answer questions of
 * five words, so both ways are text: a question is searched, an answer is written.
 */
#ifndef SIM_RPC_H
#define SIM_RPC_H

#include "base/u256.h"
#include "sim.h"

/* One question: views into its body. */
struct rpc_ask {
	struct endpoint *e;
	struct bytes id, method, params; /* params: the inside of the array */
};

/* What is wrong, where the answer is none: message, and the selector of a revert. */
struct rpc_error {
	const char *message;
	bool reverted;
	uint8_t selector[4];
};

struct rpc_ask rpc_read(struct endpoint *e, struct bytes body);
bool rpc_is(const struct rpc_ask *q, const char *method);
/* The i-th parameter without its quotes, the first member of that name in any of them; empty: none.
 */
struct bytes rpc_param(const struct rpc_ask *q, size_t i);
struct bytes rpc_member(const struct rpc_ask *q, const char *name);

struct hash32 rpc_hash(struct bytes text);
uint64_t rpc_number(struct bytes text);
/* The block that a number or a tag means for this endpoint. */
uint64_t rpc_block(const struct endpoint *e, struct bytes tag);
uint64_t endpoint_head(const struct endpoint *e);

/* As words of JSON. */
void rpc_add(struct buf *out, const char *text);
void rpc_add_hex(struct buf *out, struct bytes b);
void rpc_add_quantity(struct buf *out, uint64_t v);
/* ,"name":"0x..." and the same with a number; the first of an object has a brace instead. */
void rpc_add_hex_as(struct buf *out, const char *name, struct bytes b);
void rpc_add_quantity_as(struct buf *out, const char *name, uint64_t v);

/* Errors are ret_error->message; false: not one of its methods. */
bool pool_call(const struct rpc_ask *q, struct buf *out, struct rpc_error *ret_error);
void contracts_call(const struct rpc_ask *q, struct buf *out, struct rpc_error *ret_error);

#endif
