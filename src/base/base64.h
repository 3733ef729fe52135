/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Base64 with padding (RFC 4648, section 4). For public data: variable time. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/bytes.h"

/* Appends. ERR_TOO_BIG, ERR_NOMEM. */
enum err base64_add(struct buf *out, struct bytes in) MUST_USE;

/* Appends what the text stands for, and takes exactly what base64_add makes: no white space, all of
 * the padding, unused bits zero. ERR_MALFORMED, ERR_TOO_BIG, ERR_NOMEM; `out` is as it was then. */
enum err base64_decode(struct buf *out, struct bytes text) MUST_USE;

#endif
