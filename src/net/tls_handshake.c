/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/util.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/loop_internal.h"
#include "net/tls_internal.h"

/*
 * We refused the other side: it gets this long to read our alert. Closing at once would send a
 * reset behind it when something of theirs is still unread, and their note would say no more than
 * "connection reset".
 */
enum {
	LINGER_MS = 500
};

struct tls_handshake {
	struct loop *loop;
	const struct tls *tls;
	struct bufferevent *bev;
	const char *host;     /* client: of the URL; borrowed */
	const char *identity; /* client: or this one alone; borrowed */
	tls_done_fn *done;
	void *ctx;
	struct event *unread; /* lingering: swallows what comes */
	struct timer linger;
	char peer[TLS_NAME_SIZE];
	char why[TLS_TEXT_SIZE];
};

/* ---- texts ---- */

static const struct {
	int reason;
	const char *text;
} REASONS[] = {
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "it showed no certificate"},
	{SSL_R_NO_APPLICATION_PROTOCOL, "it does not offer HTTP/2 (ALPN h2)"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "it does not speak TLS 1.3"},
	{SSL_R_WRONG_VERSION_NUMBER, "it does not speak TLS"},
	{SSL_R_HTTP_REQUEST, "it speaks HTTP without TLS"},
	{SSL_R_HTTPS_PROXY_REQUEST, "it speaks HTTP without TLS"},
	{SSL_R_UNEXPECTED_EOF_WHILE_READING, "connection closed by the other side"},
};

static void reason_text(unsigned long code, char out[TLS_TEXT_SIZE])
{
	int reason = ERR_GET_REASON(code);
	const char *text;

	if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) {
		text = ERR_reason_error_string(code);
		(void)snprintf(out, TLS_TEXT_SIZE, "the other side refused: %s",
			       text ? text : "alert");
		return;
	}
	for (size_t i = 0; ERR_GET_LIB(code) == ERR_LIB_SSL && i < ARRAY_LEN(REASONS); i++)
		if (REASONS[i].reason == reason) {
			(void)snprintf(out, TLS_TEXT_SIZE, "%s", REASONS[i].text);
			return;
		}
	text = ERR_reason_error_string(code);
	(void)snprintf(out, TLS_TEXT_SIZE, "TLS: %s", text ? text : "failed");
}

/* The first that happened; libevent gives the last one first, and among them what SSL_get_error
 * said, which belongs to no library. 0 if there is none. */
static unsigned long error_take(struct bufferevent *bev)
{
	unsigned long code = 0, next;

	while ((next = bufferevent_get_openssl_error(bev)))
		if (ERR_GET_LIB(next) != 0)
			code = next;
	return code;
}

void tls_error_text(struct bufferevent *bev, char ret_text[TLS_TEXT_SIZE])
{
	unsigned long code = error_take(bev);

	ret_text[0] = '\0';
	if (code)
		reason_text(code, ret_text);
}

/* Found by us, so that an alert went out; not an alert from them and not their silence. */
static bool error_is_ours(unsigned long code)
{
	return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) < SSL_AD_REASON_OFFSET &&
	       ERR_GET_REASON(code) != SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

void tls_say_goodbye(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (!ssl || !SSL_is_init_finished(ssl))
		return;
	SSL_shutdown(ssl);
	ERR_clear_error();
}

/* ---- the certificate ---- */

/* OpenSSL has judged chain, dates and purpose; the name is ours to judge. Its verdicts on the way
 * up the chain stay. */
static int on_verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_handshake *h = ssl ? SSL_get_app_data(ssl) : NULL;
	struct tls_names wanted;

	if (!h)
		return 0;
	if (good && tls_anchors(h->tls))
		return 1; /* tls_verify_anchored has judged the name */
	if (!good) {
		(void)snprintf(h->why, sizeof(h->why), "its certificate is not accepted: %s",
			       X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
		return 0;
	}
	if (X509_STORE_CTX_get_error_depth(store) != 0)
		return 1;
	wanted = tls_identities(h->tls);
	if (h->identity || (wanted.n == 0 && h->host))
		wanted = (struct tls_names){h->identity ? &h->identity : &h->host, 1};
	if (tls_peer_name(X509_STORE_CTX_get0_cert(store), wanted, h->host != NULL, h->peer,
			  h->why))
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
	return 0;
}

int tls_verify_anchored(X509_STORE_CTX *store, void *t)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_handshake *h = ssl ? SSL_get_app_data(ssl) : NULL;
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	STACK_OF(X509) *trusted = NULL;
	const char *wanted;
	int good = 0;

	if (!h)
		return 0;
	wanted = h->identity ? h->identity : h->host;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
	if (!tls_anchors_vouch(tls_anchors(t), cert, h->peer, h->why))
		return 0;
	if (wanted && strcmp(wanted, h->peer) != 0) {
		(void)snprintf(h->why, sizeof(h->why),
			       "its certificate is for \"%.60s\", wanted is \"%.60s\"", h->peer,
			       wanted);
		X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
		return 0;
	}
	trusted = sk_X509_new_null();
	if (trusted && sk_X509_push(trusted, cert) > 0) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		X509_STORE_CTX_set0_untrusted(store, NULL);
		X509_STORE_CTX_set0_trusted_stack(store, trusted);
		X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(store),
					    X509_V_FLAG_PARTIAL_CHAIN);
		good = X509_verify_cert(store);
		X509_STORE_CTX_set0_trusted_stack(store, NULL);
	}
	sk_X509_free(trusted);
	return good == 1;
}

static bool alpn_is_h2(const SSL *ssl)
{
	const unsigned char *p = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(ssl, &p, &n);
	return bytes_eq_var(bytes_from(p, n), BYTES_LIT("h2"));
}

/* ---- the end ---- */

static void handshake_free(struct tls_handshake *h)
{
	clock_timer_cancel(loop_clock(h->loop), &h->linger);
	if (h->unread)
		event_free(h->unread);
	if (h->bev) {
		SSL_set_app_data(bufferevent_openssl_get_ssl(h->bev), NULL);
		bufferevent_free(h->bev);
	}
	free(h);
}

static void handshake_end(struct tls_handshake *h, bool good)
{
	struct bufferevent *bev = NULL;

	if (good) {
		bev = h->bev;
		h->bev = NULL;
		SSL_set_app_data(bufferevent_openssl_get_ssl(bev), NULL);
		bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
	}
	h->done(h->ctx, bev, h->peer, h->why);
	handshake_free(h);
}

static void on_linger_end(void *ctx)
{
	handshake_end(ctx, false);
}

static void on_unread(evutil_socket_t fd, short what, void *ctx)
{
	struct tls_handshake *h = ctx;
	uint8_t sink[4096];

	(void)what;
	loop_enter(h->loop);
	if (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) <= 0)
		handshake_end(h, false);
}

/* The alert is with the kernel; `why` is written. */
static void refuse(struct tls_handshake *h)
{
	evutil_socket_t fd = bufferevent_getfd(h->bev);

	bufferevent_disable(h->bev, EV_READ | EV_WRITE);
	bufferevent_setcb(h->bev, NULL, NULL, NULL, NULL);
	(void)shutdown(fd, SHUT_WR);
	h->unread = event_new(loop_base(h->loop), fd, EV_READ | EV_PERSIST, on_unread, h);
	if (!h->unread || event_add(h->unread, NULL) != 0) {
		handshake_end(h, false);
		return;
	}
	clock_timer_set(loop_clock(h->loop), &h->linger, LINGER_MS, on_linger_end, h);
}

static void on_failed(struct tls_handshake *h, short what)
{
	unsigned long code = error_take(h->bev);
	int error = EVUTIL_SOCKET_ERROR();
	/* A verdict on the certificate says more than the error that it led to. */
	bool verdict = h->why[0] != '\0';

	if (!verdict && code)
		reason_text(code, h->why);
	else if (!verdict)
		(void)snprintf(h->why, sizeof(h->why), "%s",
			       what & BEV_EVENT_ERROR && error
				       ? evutil_socket_error_to_string(error)
				       : "connection closed by the other side");
	if (verdict || error_is_ours(code))
		refuse(h);
	else
		handshake_end(h, false);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct tls_handshake *h = ctx;

	loop_enter(h->loop);
	if (what & BEV_EVENT_CONNECTED && alpn_is_h2(bufferevent_openssl_get_ssl(bev))) {
		handshake_end(h, true);
	} else if (what & BEV_EVENT_CONNECTED) {
		(void)snprintf(h->why, sizeof(h->why), "it does not offer HTTP/2 (ALPN h2)");
		tls_say_goodbye(bev);
		refuse(h);
	} else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
		on_failed(h, what);
	}
}

/* Something to call, so that libevent remembers bytes which come with the last of the handshake;
 * h2_io_start takes them up. */
static void on_read(struct bufferevent *bev, void *ctx)
{
	(void)bev;
	(void)ctx;
}

/* ---- the beginning ---- */

static bool host_is_name(const char *host)
{
	unsigned char address[16];

	return inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

static SSL *handshake_ssl(struct tls_handshake *h)
{
	SSL *ssl = tls_ssl_new(h->tls);

	if (!ssl)
		return NULL;
	SSL_set_app_data(ssl, h);
	SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
	if (h->host && host_is_name(h->host) && SSL_set_tlsext_host_name(ssl, h->host) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

enum err tls_handshake_start(struct tls_handshake **ret_handshake, struct loop *loop,
			     const struct tls *t, int fd, const char *host, const char *identity,
			     tls_done_fn *done, void *ctx)
{
	struct tls_handshake *h = calloc(1, sizeof(*h));
	SSL *ssl = NULL;

	if (h) {
		*h = (struct tls_handshake){.loop = loop,
					    .tls = t,
					    .host = host,
					    .identity = identity,
					    .done = done,
					    .ctx = ctx};
		ssl = handshake_ssl(h);
	}
	/*
	 * Deferred callbacks: libevent 2.1 says "end of file" from inside the read that met it,
	 * before the bytes of the same read are in the buffer. Deferred, bytes come first.
	 */
	if (ssl && SSL_up_ref(ssl) == 1) {
		h->bev = bufferevent_openssl_socket_new(
			loop_base(loop), fd, ssl,
			host ? BUFFEREVENT_SSL_CONNECTING : BUFFEREVENT_SSL_ACCEPTING,
			BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
		/* Ours; versions of libevent differ in whether a failure takes the other one. */
		SSL_free(ssl);
	}
	ERR_clear_error();
	if (!h || !h->bev) {
		free(h);
		close(fd);
		return ERR_NOMEM;
	}
	bufferevent_setcb(h->bev, on_read, NULL, on_event, h);
	bufferevent_enable(h->bev, EV_READ | EV_WRITE);
	*ret_handshake = h;
	return ERR_OK;
}

void tls_handshake_cancel(struct tls_handshake *h)
{
	if (h)
		handshake_free(h);
}
