/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside worker/ only: many yes-or-no questions to one contract in one eth_call, so that all are
 * answered by one node at one block, in one round trip.
 *
 * The call creates a contract whose constructor asks them and returns a byte for each; nothing has
 * to be deployed for it, on no chain. Pure.
 */
#ifndef CONNECTOR_WORKER_ACL_MANY_H
#define CONNECTOR_WORKER_ACL_MANY_H

#include "base/u256.h"

enum {
	ACL_MANY_MAX = 256,         /* questions in one call */
	ACL_MANY_BYTES_MAX = 49152, /* of a constructor: EIP-3860 */
	ACL_MANY_CODE_SIZE = 90,
};

enum acl_said {
	ACL_SAID_NO,
	ACL_SAID_YES,
	ACL_SAID_NOTHING /* it reverted, or gave no bool: nobody knows */
};

extern const uint8_t acl_many_code[ACL_MANY_CODE_SIZE];

/* Begins the call data; then acl_many_add for each question. */
enum err acl_many_begin(struct buf *out, struct address contract) MUST_USE;
enum err acl_many_add(struct buf *out, struct bytes call_data) MUST_USE;

/* One byte for each of n questions. ERR_MALFORMED. */
enum err acl_many_read(struct bytes answer, size_t n) MUST_USE;

#endif
