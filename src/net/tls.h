/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Mutual TLS for gRPC: who we are, whose certificates count, and whom we let in.
 *
 * TLS 1.3 only, HTTP/2 only (ALPN "h2"), no resumption: every connection proves itself anew, so
 * that a certificate taken away counts from the next connection on. Names are those of the
 * subjectAltName (RFC 9525); the common name is never looked at.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct tls_options {
	const char *cert_file; /* PEM: our certificate, then its intermediates */
	const char *key_file;  /* PEM, unencrypted; refused when others may read it */
	const char *ca_file;   /* PEM: the authorities of the other side */
	/*
	 * The other side's certificate must name one of these: "core-1.example", "192.0.2.7" or
	 * "spiffe://…". None: a server lets in everybody whom ca_file vouches for, a client wants
	 * the host of its URL.
	 */
	const char *const *identities;
	size_t identities_n;
};

enum {
	TLS_NAME_SIZE = 256
};

/* Can a certificate name it: a host, an address or a URI, and neither a pattern nor several? */
bool tls_identity_is_sound(const char *identity);

/* For any number of servers and channels, which must be gone before it is freed. */
struct tls;

/*
 * Reads the files. Errors, with a note that names the file and the fault: ERR_CONFIG_FILE (missing,
 * unreadable, open to others, not PEM, encrypted), ERR_CONFIG_VALUE (key and certificate do not
 * belong together, certificate outside its dates, an empty or overlong identity).
 */
enum err tls_new(struct tls **ret_tls, const struct tls_options *options,
		 struct err_note *note) MUST_USE;

/* Reads the files again, for new connections. When that fails all stays as it was. Errors as
 * tls_new. See loop_on_reload_signal. */
enum err tls_reload(struct tls *t, struct err_note *note) MUST_USE;

/* When our own certificate ends, Unix time in seconds: for monitoring. */
int64_t tls_not_after_s(const struct tls *t);

/* Whole days from now_s until then; negative when it is over. */
enum {
	TLS_DAYS_LEFT_WARN = 30 /* fewer: somebody should be told */
};
int64_t tls_days_left(const struct tls *t, int64_t now_s);

void tls_free(struct tls *t);

#endif
