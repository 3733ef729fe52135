/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Calls to one AWS service that speaks "AWS JSON 1.1", and reads of S3: credentials fetched and
 * kept fresh, requests signed, faults sorted. A call is one question: it is sent a second time only
 * when the first was refused for a clock that is off or for credentials that have run out. Retrying
 * is the caller's. Loop thread.
 */
#ifndef NET_AWS_CLIENT_H
#define NET_AWS_CLIENT_H

#include "net/aws_credentials.h"

struct aws_client;
struct aws_call;

struct aws_client_options {
	struct transport *transport;
	struct clock *clock;
	const char *const *env;  /* read during aws_client_new only */
	const char *service;     /* "kms", "s3"; a literal */
	const char *region;      /* before that of environment and files; NULL: theirs */
	const char *region_else; /* where they have none; NULL: the machine is asked for it */
	const char *endpoint;    /* as region */
};

/* ERR_CONFIG_VALUE and ERR_CONFIG_FILE with a note, see aws_settings_load; ERR_NOMEM. */
enum err aws_client_new(struct aws_client **ret_client, const struct aws_client_options *options,
			struct err_note *note) MUST_USE;
void aws_client_free(struct aws_client *c); /* cancels all calls; allowed in a done */

/*
 * ERR_OK: `body` is the service's answer, valid during the callback. Otherwise ERR_UNAVAILABLE for
 * what passes (throttled, HTTP 5xx, no connection), ERR_REMOTE for what the service refuses, the
 * errors of aws_credentials_refresh, and those of the transport; each with a note.
 */
typedef void aws_done_fn(void *ctx, enum err err, const struct err_note *note, struct bytes body);

/* POST with "X-Amz-Target: `target`". `done` exactly once, later, unless cancelled. ERR_NOMEM. */
enum err aws_client_call(struct aws_client *c, struct aws_call **ret_call, const char *target,
			 struct bytes body, int64_t timeout_ms, aws_done_fn *done,
			 void *ctx) MUST_USE;

/*
 * GET or HEAD of any URL, signed for the client's service in `region` (NULL: the client's). `req`
 * has no headers and no body, and is copied. `done` as a transport's, with the reply as it came; or
 * with the errors of aws_credentials_refresh. Where a first reply was refused and the read is sent
 * again, pieces of that refusal have come before those of the body. ERR_BAD_REQUEST, ERR_NOMEM,
 * ERR_TOO_BIG.
 */
enum err aws_client_read(struct aws_client *c, struct aws_call **ret_call,
			 const struct http_request *req, const char *region, http_done_fn *done,
			 void *ctx) MUST_USE;
/* A call whose `done` has not begun. */
void aws_call_cancel(struct aws_call *call);

/* For a log: where credentials come from, and what is asked. The endpoint is NULL until a region is
 * known. */
enum aws_source aws_client_source(const struct aws_client *c);
const char *aws_client_endpoint(const struct aws_client *c);
const char *aws_client_region(const struct aws_client *c);

#endif
