/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside adapters/ only: our canonical encodings of what an operation carries. They are stored and
 * part of its identity, so that they never change for a kind. */
#ifndef CONNECTOR_ADAPTERS_CONTENT_H
#define CONNECTOR_ADAPTERS_CONTENT_H

#include "connector/adapters/decryption.h"

enum err content_encode(struct buf *out, const struct decryption_request *r) MUST_USE;

/* `rows` is a (bytes32,uint256,bytes32,address[])[]. */
enum err materials_encode(struct buf *out, const struct abi_value *rows) MUST_USE;

#endif
