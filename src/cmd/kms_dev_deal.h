/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* kms-dev-dealer deal: one key in the clear, cut into the shares of a committee. */
#ifndef CMD_KMS_DEV_DEAL_H
#define CMD_KMS_DEV_DEAL_H

#include "fhe/client_key.h"
#include "fhe/key_handles.h"

/* As typed; NULL where nothing was. */
struct dev_deal_options {
	const char *client_key; /* or the object in a centralised KMS's private vault */
	const char *public_key; /* optional */
	const char *parties, *threshold;
	const char *epoch, *out;
};

enum err dev_deal(const struct dev_deal_options *o, struct err_note *note) MUST_USE;

/* From a ClientKey, or from the object in a KMS's private vault, with its metadata; of a bare key
 * that is its id, from the tag (ERR_MISMATCH if that is none; metadata NULL: not wanted). */
enum err dev_client_key_load(struct fhe_client_key **ret_key, struct fhe_key_metadata *ret_metadata,
			     const char *path, struct err_note *note) MUST_USE;

enum {
	DEV_HANDLES_SIZE_MAX = CLIENT_KEY_SIZE_MAX + (1 << 16)
};

#endif
