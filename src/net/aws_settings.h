/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the environment and AWS's two files say: where credentials come from, which region, which
 * endpoints. Names and order are those of the AWS SDKs ("AWS SDKs and Tools reference guide").
 *
 * One source is chosen, the first that is configured at all. Its failure is a failure and no reason
 * to take the next: a broken web identity must not end as the role of the machine.
 */
#ifndef NET_AWS_SETTINGS_H
#define NET_AWS_SETTINGS_H

#include "base/arena.h"
#include "net/aws_text.h"

enum aws_source {
	AWS_SOURCE_ENVIRONMENT,  /* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN */
	AWS_SOURCE_PROFILE,      /* keys in the credentials or configuration file */
	AWS_SOURCE_WEB_IDENTITY, /* AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN; or in the profile */
	AWS_SOURCE_CONTAINER,    /* AWS_CONTAINER_CREDENTIALS_… */
	AWS_SOURCE_MACHINE,      /* instance metadata, version 2 */
};

/* All texts are in the arena; NULL: not given. */
struct aws_settings {
	enum aws_source source;
	struct aws_key_set keys; /* of the environment */
	const char *profile;
	const char *credentials_file, *config_file;
	const char *token_file, *role_arn, *session_name; /* web identity */
	const char *container_url, *container_token_file;
	struct secret container_token; /* a text and a NUL */
	const char *metadata_url;      /* without a slash at its end; NULL: it must not be asked */
	const char *region;            /* NULL: the machine's, from its metadata */
	const char *endpoint;          /* of the service, https://… or http://… */
	const char *sts_endpoint;      /* NULL: by the region */
};

/*
 * `service` is "kms": AWS_ENDPOINT_URL_KMS is looked at. ERR_CONFIG_VALUE and ERR_CONFIG_FILE with
 * a note: half of a pair of keys, a profile that is named and not there, a profile that wants what
 * is not spoken here (credential_process, source_profile, sso_…), a container address that is not
 * safe without TLS; ERR_NOMEM. On success aws_settings_free is due.
 */
enum err aws_settings_load(struct aws_settings *ret_settings, const char *service,
			   const char *const *env, struct arena *arena,
			   struct err_note *note) MUST_USE;
void aws_settings_free(struct aws_settings *s); /* the secrets in it */

/* The keys of the profile, from the files as they are now. ERR_CONFIG_VALUE, ERR_CONFIG_FILE,
 * ERR_NOMEM, each with a note. */
enum err aws_settings_profile_keys(struct aws_key_set *ret_keys, const struct aws_settings *s,
				   struct err_note *note) MUST_USE;

/* A token in a file, with blanks at its end left out: a text and a NUL. ERR_CONFIG_FILE with a
 * note, ERR_NOMEM. */
enum err aws_token_read(struct secret *ret_token, const char *path, struct err_note *note) MUST_USE;

/* "the environment", "the profile", … */
const char *aws_source_words(enum aws_source s);

/* https://SERVICE.REGION.amazonaws.com, in China .com.cn. ERR_CONFIG_VALUE for a region that is
 * none. */
enum err aws_endpoint(struct buf *out, const char *service, const char *region) MUST_USE;

enum {
	AWS_REGION_SIZE = 64 /* with a NUL */
};
/* Letters, digits and hyphens. */
bool aws_region_sound(const char *region);

/* Overwrites the values of AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and
 * AWS_CONTAINER_AUTHORIZATION_TOKEN. */
void aws_env_wipe(char **env);

#endif
