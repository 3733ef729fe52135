/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* `kms-dev-dealer inspect`: what a serialised object is, in a few lines on standard output; never
 * secret bits. */
#ifndef CMD_KMS_DEV_INSPECT_H
#define CMD_KMS_DEV_INSPECT_H

#include "base/bytes.h"

enum err kms_dev_inspect(struct bytes object, struct err_note *note) MUST_USE;

#endif
