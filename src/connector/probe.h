/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Asks a running service how it is: what a container's health check calls. */
#ifndef CONNECTOR_PROBE_H
#define CONNECTOR_PROBE_H

#include "base/bytes.h"

/*
 * The URL that is meant: `endpoint` if it is one, with `path` ("/healthz") behind where it has
 * none; an address and port, as monitoring_endpoint has it, with http:// before and `path` behind,
 * and loopback in the place of every address. As an ended text in the empty `ret_url`.
 * ERR_CONFIG_VALUE with a note: a URL of another scheme.
 */
enum err probe_url(struct buf *ret_url, const char *endpoint, const char *path,
		   struct err_note *note) MUST_USE;

/*
 * GETs `url` and appends the body to `out`, also if the service is not well. ERR_OK: status 200 and
 * a JSON object. Else an error with a note. Blocks for at most `timeout_ms`.
 */
enum err probe_health(struct buf *out, const char *url, int64_t timeout_ms,
		      struct err_note *note) MUST_USE;

#endif
