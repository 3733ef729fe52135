/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The one signer of a process: the raw key if there is one, else the key in AWS KMS. */
#ifndef CONNECTOR_SERVICE_SIGNER_H
#define CONNECTOR_SERVICE_SIGNER_H

#include "connector/service.h"

struct service_signer_options {
	struct connector_config *config; /* its private key is wiped */
	char **env;                      /* secrets of AWS in it are overwritten */
	struct loop *loop;
	struct transport *transport;
	const struct ecdsa *ecdsa;
	const struct log *log; /* outlives the signer */
};

/*
 * Returns when it can sign: AWS KMS is asked for its public key on the loop, for AWS_KMS_OPEN_MS at
 * most. ERR_CANCELLED when the loop was stopped meanwhile; otherwise errors with a note.
 */
enum err service_signer_open(struct signer **ret_signer, const struct service_signer_options *o,
			     struct err_note *note) MUST_USE;

/* Warns where the file that private_key came from (a file of its own, or the configuration's) is
 * open to others. Before the environment is wiped. */
void service_signer_judge_file(const struct connector_config *c, const char *const *env,
			       const char *config_file, const struct log *log);

/* http:// to another machine: whoever is on the way reads along. */
bool service_url_plain_and_far(const char *url);

/* Of the signer in AWS KMS; false: it is a raw key, or NULL. */
struct live_breaker;
bool service_signer_breaker(struct live_breaker *ret_breaker, const struct signer *s,
			    const struct connector_config *c);
/* Whose key it is: that in AWS KMS, where there is no raw one. */
bool service_signer_is_aws(const struct connector_config *c);

#endif
