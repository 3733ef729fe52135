/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What AWS services, metadata services and AWS files say: credentials, errors, times, profiles.
 * Pure parsers of outside text; any thread.
 */
#ifndef NET_AWS_TEXT_H
#define NET_AWS_TEXT_H

#include "base/secret.h"
#include "net/transport.h"

/* Credentials. Each secret is a text and a NUL; an empty token: keys that do not expire. All-zero
 * is none. */
struct aws_key_set {
	struct secret id, secret, token;
	int64_t expires_ms; /* Unix time; INT64_MAX: never */
};
void aws_key_set_free(struct aws_key_set *k);

/* Copies. Each part is printable ASCII without blanks and of sane length, or ERR_MALFORMED; an
 * empty token is none. ERR_NOMEM. */
enum err aws_key_set_make(struct aws_key_set *ret_keys, struct bytes id, struct bytes secret,
			  struct bytes token, int64_t expires_ms) MUST_USE;

/*
 * {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}: the answer of a container's or a
 * machine's metadata service. ERR_MALFORMED, ERR_REMOTE where it holds another "Code" than Success,
 * both with a note; ERR_NOMEM.
 */
enum err aws_keys_from_json(struct aws_key_set *ret_keys, struct bytes body,
			    struct err_note *note) MUST_USE;

/* <Credentials> of an STS answer. ERR_MALFORMED with a note, ERR_NOMEM. */
enum err aws_keys_from_sts(struct aws_key_set *ret_keys, struct bytes body,
			   struct err_note *note) MUST_USE;

/* What a service says that is no success: JSON ("__type", "message"; or the header
 * x-amzn-errortype) or XML (<Code>, <Message>). What is missing is empty. */
struct aws_fault {
	char code[64]; /* "ThrottlingException" */
	char message[192];
};
void aws_fault_read(struct aws_fault *ret_fault, const struct http_reply *reply);

/* What a code means to us: "Common errors" of AWS KMS and of S3, and what the SDKs retry. */
enum aws_fault_kind {
	AWS_FAULT_REFUSED,
	AWS_FAULT_PASSES,
	AWS_FAULT_CLOCK,       /* or keys that are wrong: the Date header tells */
	AWS_FAULT_CREDENTIALS, /* new ones may help */
};
enum aws_fault_kind aws_fault_kind(const struct aws_fault *f, int status);

/* "2016-02-25T06:03:31Z", with or without a fraction. ERR_MALFORMED. */
enum err aws_time_iso(int64_t *ret_wall_ms, struct bytes text) MUST_USE;
/* "Wed, 21 Oct 2015 07:28:00 GMT" (RFC 9110, IMF-fixdate). ERR_MALFORMED. */
enum err aws_time_http(int64_t *ret_wall_ms, struct bytes text) MUST_USE;

/*
 * A key of a profile in the credentials file ("[NAME]") or the configuration file ("[profile
 * NAME]",
 * "[default]"). Lines that are indented belong to the key above them and count for nothing; the
 * last of several counts. False: not there. A view into `text`.
 */
bool aws_profile_get(struct bytes *ret_value, struct bytes text, bool is_config,
		     const char *profile, const char *key);
/* Is there such a section? */
bool aws_profile_exists(struct bytes text, bool is_config, const char *profile);

#endif
