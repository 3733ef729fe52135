/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* How a process reads private buckets. */
#ifndef CONNECTOR_SERVICE_BUCKETS_H
#define CONNECTOR_SERVICE_BUCKETS_H

#include "connector/service.h"

/*
 * A transport in front of `inner` that signs reads of s3_signed_buckets; NULL where there are none.
 * `env` is read at once, all else outlives it. Credentials are fetched at the first read, so this
 * waits for nobody. ERR_CONFIG_VALUE and ERR_CONFIG_FILE with a note, ERR_NOMEM.
 */
enum err service_buckets_open(struct transport **ret_transport, const struct connector_config *c,
			      struct transport *inner, struct clock *clock, const char *const *env,
			      const struct log *log, struct err_note *note) MUST_USE;

#endif
