/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Hexadecimal text. Decoders accept upper and lower case and an optional "0x" and are constant time
 * in the digits (not in their number); encoders write lower case and are for public data.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/bytes.h"

/* Writes 2n digits and a NUL: `out` holds 2n + 1 chars. No "0x". */
void hex_encode(char *out, struct bytes in);

/* Appends digits; `prefix` adds "0x" first. */
enum err hex_add(struct buf *out, struct bytes in, bool prefix) MUST_USE;

/* Exactly n bytes. ERR_MALFORMED on any other length or digit; `out` untouched then. */
enum err hex_decode_fixed(uint8_t *out, size_t n, struct bytes text) MUST_USE;

/* Any even number of digits, appended to `out`. Errors: ERR_MALFORMED, ERR_TOO_BIG, ERR_NOMEM. */
enum err hex_decode(struct buf *out, struct bytes text) MUST_USE;

#endif
