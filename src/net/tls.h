/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Mutual TLS for gRPC: who we are, whose certificates count, and whom we let in.
 *
 * TLS 1.3 only, HTTP/2 only (ALPN "h2"), no resumption: every connection proves itself anew, so
 * that a certificate taken away counts from the next connection on. Names are those of the
 * subjectAltName (RFC 9525); the common name is never looked at, except with anchors.
 *
 * With anchors instead of authorities every name has a certificate of its own that vouches for it,
 * as parties of a committee do: see tls_anchors_set.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct tls_options {
	const char *cert_file; /* PEM: our certificate, then its intermediates */
	const char *key_file;  /* PEM, unencrypted; refused when others may read it */
	/* PEM: the authorities of the other side. NULL: nobody yet, until tls_anchors_set. */
	const char *ca_file;
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

/* Who may come, and what vouches for that name alone. */
struct tls_anchor {
	const char *name;
	struct bytes ca_pem; /* one certificate */
};

/*
 * For a `tls` without ca_file: from the next handshake on these count and no others; copied. A
 * certificate counts when
 *   - its subject's common name is that of an anchor, and among the DNS names of its
 * subjectAltName;
 *   - it is the anchor's certificate or is signed by its key directly: what is sent along with it
 * is not looked at;
 *   - its dates and purpose do. The anchor's own dates do not: it is a name and a key (RFC
 * 5280, 6.1). ERR_CONFIG_VALUE with a note (then all stays as it was): no certificate, more than
 * one, one for another name, a name twice. For another name is one whose common name is not this
 * name, nor what stands behind its first dot (the rule of the published implementation).
 */
enum err tls_anchors_set(struct tls *t, const struct tls_anchor *anchors, size_t n,
			 struct err_note *note) MUST_USE;

/* The common name of our own certificate, if it is among its DNS names; else "". */
const char *tls_common_name(const struct tls *t);

/* When our own certificate ends, Unix time in seconds: for monitoring. */
int64_t tls_not_after_s(const struct tls *t);

/* Whole days from now_s until then; negative when it is over. */
enum {
	TLS_DAYS_LEFT_WARN = 30 /* fewer: somebody should be told */
};
int64_t tls_days_left(const struct tls *t, int64_t now_s);

void tls_free(struct tls *t);

#endif
