/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the gRPC files and those of TLS share. Nobody outside net/ includes this. */
#ifndef NET_TLS_INTERNAL_H
#define NET_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "net/loop.h"
#include "net/tls.h"

struct bufferevent;

enum {
	TLS_TEXT_SIZE = 200
};

/* tls.c: a connection with our certificate and the demands of this `tls` on the other side's,
 * except for its name. NULL without memory. */
SSL *tls_ssl_new(const struct tls *t);

/* OpenSSL's question for a passphrase: nobody is asked, and a file that needs one is not read. */
int tls_no_passphrase(char *place, int n, int writing, void *ctx);

struct tls_names {
	const char *const *v;
	size_t n;
};
struct tls_names tls_identities(const struct tls *t);

/* ---- tls_peer.c ---- */

/*
 * Looks for the first of `wanted` that the certificate names; with none wanted, for the first name
 * that it has. False: ret_why says it. "*.example" in a certificate names a host of that domain
 * with `wildcards` only: many may share it, so it proves a server of a domain, never one peer.
 */
bool tls_peer_name(const X509 *cert, struct tls_names wanted, bool wildcards,
		   char ret_name[TLS_NAME_SIZE], char ret_why[TLS_TEXT_SIZE]);

/* The subject's common name, if there is exactly one and it is plain and one of the DNS names.
 * False: ret_why says it. */
bool tls_peer_common_name(const X509 *cert, char ret_name[TLS_NAME_SIZE],
			  char ret_why[TLS_TEXT_SIZE]);

/* The common name of a subject or issuer: false unless there is exactly one, and it is plain. */
bool tls_common_name_of(const X509_NAME *name, char ret_name[TLS_NAME_SIZE]);

/* ---- tls_anchors.c ---- */

struct tls_anchors;
enum err tls_anchors_make(struct tls_anchors **ret, const struct tls_anchor *anchors, size_t n,
			  struct err_note *note) MUST_USE;
void tls_anchors_free(struct tls_anchors *a);

/*
 * Does an anchor vouch for the certificate, whose name is the result? What is left to judge, dates
 * and purpose, is X509_verify_cert's, with the certificate itself as the one that is trusted.
 */
bool tls_anchors_vouch(const struct tls_anchors *a, X509 *cert, char ret_name[TLS_NAME_SIZE],
		       char ret_why[TLS_TEXT_SIZE]);

/* tls.c: NULL: it has authorities instead. */
const struct tls_anchors *tls_anchors(const struct tls *t);

/* tls_handshake.c: what OpenSSL calls instead of its own verification; `t` is a struct tls. */
int tls_verify_anchored(X509_STORE_CTX *store, void *t);

/* ---- tls_expiry.c ---- */

/* notAfter, Unix time in seconds; 0 when it cannot be read. */
int64_t tls_cert_not_after_s(const X509 *x);

/* Calls once, from the loop, when the first certificate of the other side's chain has ended.
 * All-zero is idle. Without TLS it never calls. */
struct tls_expiry {
	struct timer timer;
	struct clock *clock;
	int64_t not_after_s;
	timer_fn *fn;
	void *ctx;
};
void tls_expiry_begin(struct tls_expiry *e, struct clock *clock, struct bufferevent *bev,
		      timer_fn *fn, void *ctx);
void tls_expiry_cancel(struct tls_expiry *e);

/* ---- tls_handshake.c ---- */

/*
 * A handshake on a connected socket. `done` comes once, always later, unless cancelled:
 *   bev != NULL: the other side is who it should be, by the name `peer`; bev is the callee's
 *   bev == NULL: `why` says why not; nothing of HTTP/2 was sent, and what came was not looked at
 * There is no time limit of its own: cancel it.
 */
struct tls_handshake;
typedef void tls_done_fn(void *ctx, struct bufferevent *bev, const char *peer, const char *why);

/*
 * `host`: client, the host of the URL; NULL: server. `identity`: client, the one name that counts,
 * or NULL; both are borrowed until the end. Takes fd, also on ERR_NOMEM.
 */
enum err tls_handshake_start(struct tls_handshake **ret_handshake, struct loop *loop,
			     const struct tls *t, int fd, const char *host, const char *identity,
			     tls_done_fn *done, void *ctx) MUST_USE;
void tls_handshake_cancel(struct tls_handshake *h);

/* What broke this connection, for people. "" if nothing of TLS did. */
void tls_error_text(struct bufferevent *bev, char ret_text[TLS_TEXT_SIZE]);

/* Says the end of the connection to the other side. Harmless without TLS. */
void tls_say_goodbye(struct bufferevent *bev);

#endif
