/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Reads of private buckets: which of them are signed, for which region, and what a refusal means.
 * "Working with object metadata", "Error responses" and "Signature Calculations for the
 * Authorization Header" of the S3 API reference.
 */
#ifndef NET_AWS_S3_H
#define NET_AWS_S3_H

#include "net/aws_client.h"

struct aws_s3_options {
	struct transport *inner; /* borrowed */
	struct clock *clock;
	const char *const *env;     /* read during aws_s3_new only */
	const char *const *buckets; /* URLs; borrowed */
	size_t buckets_n;
	const char *region; /* where a bucket's host names none; NULL: as aws_settings_load */
};

/*
 * A transport in front of another. GET and HEAD of what is in one of the buckets are signed, as
 * aws_client_read; all else goes to `inner` as it is. What a URL begins with, up to a slash, says
 * whether it is in a bucket, so an access key is shown to nobody but those that are named.
 * ERR_CONFIG_VALUE and ERR_CONFIG_FILE with a note, ERR_NOMEM.
 */
enum err aws_s3_new(struct transport **ret_transport, const struct aws_s3_options *o,
		    struct err_note *note) MUST_USE;

/* Of a transport that aws_s3_new made, for a log. */
enum aws_source aws_s3_source(const struct transport *t);

/* Is the URL the bucket's, or in it? A slash at the end of the bucket's does not matter. */
bool aws_s3_inside(const char *url, const char *bucket);

/*
 * The region that a host of AWS names: s3.REGION.amazonaws.com, BUCKET.s3.REGION.amazonaws.com,
 * with s3-REGION and s3.dualstack.REGION as older and wider forms; s3.amazonaws.com is us-east-1.
 * False: another host.
 */
bool aws_s3_region(char ret_region[AWS_REGION_SIZE], const char *url);

/* Why S3 does not serve, in words: nothing where the status says it all (2xx, 404, 5xx). Holds no
 * word of a request. */
void aws_s3_reason(struct err_note *ret_note, const struct http_reply *reply);

#endif
