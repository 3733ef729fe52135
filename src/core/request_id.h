/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Identifiers of the KMS: requests, keys, contexts, epochs, storage handles. 32 bytes, never all
 * zero; text is 64 hex digits. */
#ifndef CORE_REQUEST_ID_H
#define CORE_REQUEST_ID_H

#include "base/u256.h"

enum {
	REQUEST_ID_TEXT_SIZE = 65
};

/* What a request means that names no context or epoch. */
extern const struct hash32 request_id_default_context; /* 07 00…00 01 */
extern const struct hash32 request_id_default_epoch;   /* 08 00…00 01 */

/* Where signing keys lie in a vault: the id derived from "SIGNING_KEY_ID". */
extern const struct hash32 request_id_signing_key;

/* White space around and one "0x" before are tolerated. ERR_BAD_REQUEST for anything but 32 bytes
 * that are not all zero. */
enum err request_id_parse(struct hash32 *ret_id, struct bytes text) MUST_USE;

/* Lower case, no prefix. */
void request_id_text(char out[REQUEST_ID_TEXT_SIZE], struct hash32 id);

/* SHAKE-256("REQST_ID" || u64 length || name), 32 bytes. */
enum err request_id_derive(struct hash32 *ret_id, const char *name) MUST_USE;

#endif
