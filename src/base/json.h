/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * JSON: a thin strict wrapper over jansson. Duplicate keys, trailing bytes, invalid UTF-8, integers
 * beyond 64 bits, nesting past JSON_DEPTH_MAX and more than JSON_VALUES_MAX values are errors.
 * Accessors latch like `struct reader`: a document is walked in a straight line and checked once.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/u256.h"

/* The caller owns the value: json_decref (also by CLEANUP(json_free_ptr)). Errors: ERR_MALFORMED,
 * ERR_TOO_BIG (size_max, JSON_DEPTH_MAX, JSON_VALUES_MAX), ERR_NOMEM. */
enum err json_parse(json_t **ret_value, struct bytes text, size_t size_max,
		    struct err_note *note) MUST_USE;
void json_free_ptr(json_t **v);

/* Compact text appended to `out`. */
enum err json_print(struct buf *out, const json_t *v) MUST_USE;

/*
 * Typed access to object members. A missing or differently typed member latches ERR_MALFORMED into
 * *err (if it is still ERR_OK) and gives the zero value; `key` NULL means the value itself.
 */
const char *json_get_str(const json_t *o, const char *key, enum err *err);
int64_t json_get_int(const json_t *o, const char *key, enum err *err);
bool json_get_bool(const json_t *o, const char *key, enum err *err);
const json_t *json_get_array(const json_t *o, const char *key, enum err *err);
const json_t *json_get_object(const json_t *o, const char *key, enum err *err);

/* Ethereum forms: "0x1f" quantities and "0x…" data (fixed size, or appended to a buf, whose own
 * ERR_TOO_BIG and ERR_NOMEM are latched as they are). */
uint64_t json_get_quantity(const json_t *o, const char *key, enum err *err);
struct u256 json_get_u256(const json_t *o, const char *key, enum err *err);
void json_get_hex_fixed(const json_t *o, const char *key, uint8_t *out, size_t n, enum err *err);
void json_get_hex(const json_t *o, const char *key, struct buf *out, enum err *err);

#endif
