/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * AWS Signature Version 4 ("Signature Version 4 signing process", AWS IAM user guide), with the
 * signature in the Authorization header. Own code, because what libcurl signs differs from release
 * to release, and because credentials that expire stay in our secrets this way. Pure; any thread.
 */
#ifndef NET_AWS_SIGV4_H
#define NET_AWS_SIGV4_H

#include "net/transport.h"

enum {
	AWS_DATE_SIZE = 17,            /* "20150830T123600Z" and a NUL */
	AWS_SIGNED_HEADERS_MAX = 16,   /* with host, date and token */
	AWS_QUERY_PARAMETERS_MAX = 32, /* of one URL */
};

/* Views: whoever holds the secrets wipes them. */
struct aws_keys {
	const char *access_key_id;
	struct bytes secret;
	const char *session_token; /* NULL: keys that do not expire */
};

struct aws_scope {
	const char *region;
	const char *service; /* "kms"; of "s3" the path is not encoded a second time */
};

/* "20150830T123600Z". ERR_RANGE outside of the years 1970 to 9999. */
enum err aws_date(char ret_date[AWS_DATE_SIZE], int64_t wall_ms) MUST_USE;

/*
 * Appends what the Authorization header must say for `req`: the method, URL, headers and body that
 * are going to be sent. All of its headers are signed, and so are the three that the caller sends
 * besides: Host (of the URL), X-Amz-Date (`date`) and, with a session token, X-Amz-Security-Token.
 * The URL is absolute, percent-encoded, and has neither dot segments nor user info.
 * ERR_BAD_REQUEST for another URL or too many headers or parameters, ERR_TOO_BIG, ERR_NOMEM,
 * ERR_CRYPTO; `out` is as it was then.
 */
enum err aws_sign(struct buf *out, const struct http_request *req, const struct aws_keys *keys,
		  const struct aws_scope *scope, const char date[AWS_DATE_SIZE]) MUST_USE;

#endif
