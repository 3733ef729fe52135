/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside kms-dev-reference only. */
#ifndef CMD_KMS_DEV_REFERENCE_H
#define CMD_KMS_DEV_REFERENCE_H

#include "base/bytes.h"

/* docs/operations/configuration-server.md. Errors as buf_add. */
enum err reference_add_server(struct buf *out) MUST_USE;

#endif
