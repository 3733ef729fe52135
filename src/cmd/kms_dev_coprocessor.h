/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* kms-dev-coprocessor: its work, and its socket. */
#ifndef CMD_KMS_DEV_COPROCESSOR_H
#define CMD_KMS_DEV_COPROCESSOR_H

#include "base/json.h"
#include "fhe/server/server_key.h"

struct dev_coprocessor {
	const struct fhe_server_key *key;
	unsigned threads;
};

/* Files: one of `list` and `ciphertext`, and the directory of the results. */
struct dev_request {
	const char *list, *ciphertext, *out;
	bool expand_only;
};

/* Appends to an array what each written file is. ERR_BAD_REQUEST if the request is not one. */
enum err dev_coprocessor_run(const struct dev_coprocessor *c, const struct dev_request *r,
			     json_t *objects, struct err_note *note) MUST_USE;

/* Answers requests, one after the other, until the process is ended; returns on errors of the
 * socket only. Whoever may open it may have files of this user read and made. */
enum err dev_coprocessor_serve(const struct dev_coprocessor *c, const char *path,
			       struct err_note *note) MUST_USE;

#endif
