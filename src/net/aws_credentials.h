/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * AWS credentials that do not run out: fetched from where aws_settings says, fetched again before
 * they expire. Loop thread.
 *
 * Files (a profile, a token) are read on the loop thread: small, local, and once an hour at most.
 */
#ifndef NET_AWS_CREDENTIALS_H
#define NET_AWS_CREDENTIALS_H

#include "net/aws_settings.h"
#include "net/aws_sigv4.h"

struct aws_credentials;

/* All are borrowed; `settings` with its arena too. */
enum err aws_credentials_new(struct aws_credentials **ret_credentials, struct transport *transport,
			     struct clock *clock, const struct aws_settings *settings) MUST_USE;
void aws_credentials_free(struct aws_credentials *c); /* `done` is not called any more */

/* What there is, if it holds for a while yet: for one request, not to be kept. False: refresh. */
bool aws_credentials_get(struct aws_credentials *c, struct aws_keys *ret_keys);

/*
 * Fetches; `done` exactly once, later. One at a time: ERR_BUSY. Where it fails and what is held has
 * not run out yet, `done` gets ERR_OK and the old ones go on, for 30 s at a time.
 *
 * Errors of `done`: ERR_UNAVAILABLE, ERR_TIMEOUT and other errors of the transport; ERR_REMOTE (it
 * was refused), ERR_MALFORMED, ERR_CONFIG_VALUE and ERR_CONFIG_FILE (a file). The note names the
 * source.
 */
typedef void aws_credentials_done_fn(void *ctx, enum err err, const struct err_note *note);
enum err aws_credentials_refresh(struct aws_credentials *c, aws_credentials_done_fn *done,
				 void *ctx) MUST_USE;

/* They were refused, or the service calls them expired: what is held counts no more. */
void aws_credentials_drop(struct aws_credentials *c);

/* The region: of the settings, else of the machine after a first refresh; NULL: not known. */
const char *aws_credentials_region(const struct aws_credentials *c);

/* AWS's time, as far as we know: our clock and what services said that it is off by. */
int64_t aws_credentials_now_ms(const struct aws_credentials *c);
void aws_credentials_set_now(struct aws_credentials *c, int64_t wall_ms);

#endif
