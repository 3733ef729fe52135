/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What became of a request, from the database alone, for a person. */
#ifndef CONNECTOR_INSPECT_H
#define CONNECTOR_INSPECT_H

#include "base/u256.h"

/*
 * A request id as people have it: 64 or fewer hexadecimal digits after "0x", 64 of them without it,
 * or with a letter among them; else decimal. ERR_MALFORMED, ERR_TOO_BIG.
 */
enum err inspect_id_parse(struct u256 *ret_id, struct bytes text) MUST_USE;

/* Rows of `operation` by 32 bytes, $1: request id, its transaction's hash or one of ours. */
#define INSPECT_WHERE                                                                              \
	"id IN (SELECT id FROM operation WHERE request_id = $1"                                    \
	" UNION SELECT id FROM operation WHERE tx_hash = $1"                                       \
	" UNION SELECT operation FROM tx WHERE hash = $1"                                          \
	" UNION SELECT t.operation FROM tx_version v JOIN tx t ON t.chain = v.chain"               \
	" AND t.account = v.account AND t.nonce = v.nonce WHERE v.hash = $1)"

/*
 * Every operation that `text` names: a request id as above, or 32 bytes in hexadecimal that are the
 * hash of the request's transaction or of one of ours, or a handle. Lines "key  value", a blank
 * line between two operations. `database` is an URL of store_open. ERR_MALFORMED: `text` is none of
 * these; ERR_NOT_FOUND with a note; the store's errors. Reads beside a running connector.
 */
enum err inspect_operations(struct buf *out, const char *database, struct bytes text,
			    struct err_note *note) MUST_USE;

#endif
