/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/websocket.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/rng.h"
#include "net/dial.h"
#include "net/loop_internal.h"
#include "net/ws_frame.h"

enum {
	SEND_MAX = 16 << 20, /* waiting to be sent */
	PIECE_MAX = 64 << 10,
	WHY_SIZE = 200,
};

struct websocket {
	struct loop *loop;
	struct websocket_options options;
	const struct websocket_events *events;
	void *ctx;
	struct dial_target target;
	char path[URL_SIZE_MAX + 2];
	char basic[URL_SIZE_MAX + 1]; /* "user:password", or empty */
	struct dial *dial;
	SSL_CTX *tls;
	struct bufferevent *bev;
	char key[WS_KEY_SIZE];
	struct buf head;    /* the answer to the handshake, until it is whole */
	struct buf waiting; /* frames, until it is opened */
	struct ws_reader reader;
	bool opened, ended, busy, freed, pinged;
	struct timer timer; /* to open, then silence; then the end that is to be told */
	enum err why;
	char why_text[WHY_SIZE];
};

/* ---- the end ---- */

static void destroy(struct websocket *w)
{
	clock_timer_cancel(loop_clock(w->loop), &w->timer);
	if (w->dial)
		dial_cancel(w->dial);
	if (w->bev)
		bufferevent_free(w->bev); /* and with it SSL and descriptor */
	SSL_CTX_free(w->tls);
	OPENSSL_cleanse(w->basic, sizeof(w->basic));
	buf_free(&w->head);
	buf_wipe(&w->waiting);
	ws_reader_free(&w->reader);
	free(w);
}

void websocket_free(struct websocket *w)
{
	if (!w)
		return;
	w->freed = w->ended = true;
	if (!w->busy)
		destroy(w);
}

static void tell_end(void *ctx)
{
	struct websocket *w = ctx;

	w->busy = true;
	w->events->closed(w->ctx, w->why, w->why_text);
	w->busy = false;
	if (w->freed)
		destroy(w);
}

/* Told from the loop, whoever finds it out. */
static void end(struct websocket *w, enum err e, const char *why)
{
	if (w->ended)
		return;
	w->ended = true;
	w->why = e;
	(void)snprintf(w->why_text, sizeof(w->why_text), "%s", why);
	if (w->bev)
		bufferevent_disable(w->bev, EV_READ); /* a last frame may still go out */
	clock_timer_set(loop_clock(w->loop), &w->timer, 0, tell_end, w);
}

static void too_late(void *ctx)
{
	end(ctx, ERR_TIMEOUT, "the WebSocket did not open in time");
}

/* ---- sending ---- */

static enum err add_frame(struct buf *out, enum ws_opcode op, struct bytes payload)
{
	uint8_t mask[4];

	rng_fill(rng_system(), mask, sizeof(mask));
	return ws_frame_add(out, op, payload, mask);
}

static enum err send_now(struct websocket *w, struct bytes b)
{
	struct evbuffer *out = bufferevent_get_output(w->bev);

	if (b.n > SEND_MAX - evbuffer_get_length(out))
		return ERR_BUSY;
	return evbuffer_add(out, b.p, b.n) == 0 ? ERR_OK : ERR_NOMEM;
}

static enum err send_frame(struct websocket *w, enum ws_opcode op, struct bytes payload)
{
	struct buf frame CLEANUP(buf_free) = buf_make(payload.n + 16);

	TRY(add_frame(&frame, op, payload));
	return send_now(w, buf_view(&frame));
}

enum err websocket_send(struct websocket *w, struct bytes text)
{
	if (w->ended)
		return ERR_UNAVAILABLE;
	if (w->opened)
		return send_frame(w, WS_TEXT, text);
	enum err e = add_frame(&w->waiting, WS_TEXT, text);
	return e == ERR_TOO_BIG ? ERR_BUSY : e;
}

/* ---- silence ---- */

static void on_silence(void *ctx)
{
	struct websocket *w = ctx;

	if (w->pinged || send_frame(w, WS_PING, BYTES_NONE) != ERR_OK) {
		end(w, ERR_TIMEOUT, "the other side says nothing any more");
		return;
	}
	w->pinged = true;
	clock_timer_set(loop_clock(w->loop), &w->timer, w->options.silence_ms, on_silence, w);
}

static void heard(struct websocket *w)
{
	w->pinged = false;
	clock_timer_set(loop_clock(w->loop), &w->timer, w->options.silence_ms, on_silence, w);
}

/* ---- receiving ---- */

/* False: it is over. */
static bool handle(struct websocket *w, const struct ws_event *e)
{
	switch (e->what) {
	case WS_PING:
		if (send_frame(w, WS_PONG, e->payload) != ERR_OK)
			end(w, ERR_BUSY, "its pings are not read");
		break;
	case WS_CLOSE:
		/* Section 5.5.1: answered by one, which the last flush may send. */
		(void)(send_frame(w, WS_CLOSE,
				  bytes_sub(e->payload, 0, e->payload.n >= 2 ? 2 : 0)) == ERR_OK);
		end(w, ERR_UNAVAILABLE, "the other side closed the WebSocket");
		break;
	case WS_TEXT:
	case WS_BINARY:
		w->events->message(w->ctx, e->payload);
		break;
	default:
		break;
	}
	return !w->ended;
}

static void read_frames(struct websocket *w, struct bytes in)
{
	struct ws_event event;
	enum err e = ws_reader_feed(&w->reader, in);

	while (e == ERR_OK) {
		e = ws_reader_next(&w->reader, &event);
		if (e == ERR_OK && !handle(w, &event))
			return;
	}
	if (e != ERR_NOT_READY)
		end(w, e, "the other side breaks the rules of WebSocket");
}

static void read_answer(struct websocket *w, struct bytes in)
{
	struct err_note note = {0};
	size_t n = 0;
	enum err e = buf_add(&w->head, in);

	if (e == ERR_OK)
		e = ws_handshake_read(&n, buf_view(&w->head), w->key, &note);
	if (e == ERR_NOT_READY)
		return;
	if (e != ERR_OK) {
		end(w, e == ERR_REMOTE ? ERR_UNAVAILABLE : e, note.text);
		return;
	}
	w->opened = true;
	e = send_now(w, buf_view(&w->waiting));
	buf_wipe(&w->waiting);
	if (e != ERR_OK) {
		end(w, e, "no room for what waited");
		return;
	}
	w->events->opened(w->ctx);
	if (!w->ended)
		read_frames(w, bytes_sub(buf_view(&w->head), n, w->head.n - n));
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct websocket *w = ctx;
	uint8_t piece[PIECE_MAX];

	loop_enter(w->loop);
	w->busy = true;
	while (!w->ended) {
		size_t n = bufferevent_read(bev, piece, sizeof(piece));

		if (n == 0)
			break;
		if (w->opened) {
			heard(w);
			read_frames(w, bytes_from(piece, n));
		} else {
			read_answer(w, bytes_from(piece, n));
			if (w->opened && !w->ended)
				heard(w);
		}
	}
	w->busy = false;
	if (w->freed)
		destroy(w);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	(void)bev;
	if ((what & (BEV_EVENT_ERROR | BEV_EVENT_EOF)) != 0)
		end(ctx, ERR_UNAVAILABLE, "the connection is lost");
}

/* ---- opening ---- */

static struct bufferevent *secure(struct websocket *w, int fd)
{
	SSL *ssl = NULL;

	w->tls = SSL_CTX_new(TLS_client_method());
	if (!w->tls || SSL_CTX_set_default_verify_paths(w->tls) != 1 ||
	    SSL_CTX_set_min_proto_version(w->tls, TLS1_2_VERSION) != 1)
		return NULL;
	SSL_CTX_set_verify(w->tls, SSL_VERIFY_PEER, NULL);
	ssl = SSL_new(w->tls);
	if (!ssl)
		return NULL;
	/* A number in the certificate is no DNS name. */
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	struct bufferevent *bev = NULL;
	if ((X509_VERIFY_PARAM_set1_ip_asc(param, w->target.host) == 1 ||
	     (SSL_set1_host(ssl, w->target.host) == 1 &&
	      SSL_set_tlsext_host_name(ssl, w->target.host) == 1)))
		bev = bufferevent_openssl_socket_new(loop_base(w->loop), fd, ssl,
						     BUFFEREVENT_SSL_CONNECTING,
						     BEV_OPT_CLOSE_ON_FREE);
	if (!bev)
		SSL_free(ssl);
	return bev;
}

static void on_dialled(void *ctx, int fd, const char *why)
{
	struct websocket *w = ctx;
	uint8_t nonce[WS_NONCE_SIZE];
	struct buf hello CLEANUP(buf_free) = buf_make(2 * URL_SIZE_MAX + 4096);

	w->dial = NULL;
	if (fd < 0) {
		end(w, ERR_UNAVAILABLE, why);
		return;
	}
	w->bev = w->target.secure
			 ? secure(w, fd)
			 : bufferevent_socket_new(loop_base(w->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	if (!w->bev) {
		close(fd);
		end(w, ERR_NOMEM, "no memory for the connection");
		return;
	}
	rng_fill(rng_system(), nonce, sizeof(nonce));
	ws_key(w->key, nonce);
	enum err e = ws_handshake_add(&hello, w->target.authority, w->path,
				      w->basic[0] ? w->basic : NULL, w->key);
	if (e == ERR_OK)
		e = send_now(w, buf_view(&hello));
	if (e != ERR_OK) {
		end(w, e, "the handshake cannot be sent");
		return;
	}
	bufferevent_setcb(w->bev, on_read, NULL, on_event, w);
	bufferevent_enable(w->bev, EV_READ | EV_WRITE);
}

/* "user:password@host:port/path" in its parts. */
static enum err parse_url(struct websocket *w, const char *url, struct err_note *note)
{
	bool secure_url = strncmp(url, "wss://", 6) == 0;
	char base[URL_SIZE_MAX + 16];

	if ((!secure_url && strncmp(url, "ws://", 5) != 0) || strlen(url) > URL_SIZE_MAX)
		return err_say(note, ERR_CONFIG_VALUE,
			       "a WebSocket URL begins with ws:// or wss://");
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c > '~')
			return err_say(note, ERR_CONFIG_VALUE, "a URL without blanks is wanted");
	const char *rest = &url[secure_url ? 6 : 5];
	size_t host_n = strcspn(rest, "/?#"), user_n = 0;
	for (size_t i = 0; i < host_n; i++)
		if (rest[i] == '@')
			user_n = i + 1;
	const char *host = &rest[user_n], *path = &rest[host_n];
	const char *colon = memchr(host, ':', host_n - user_n);
	const char *bracket = memchr(host, ']', host_n - user_n);
	if (bracket)
		colon = memchr(bracket, ':', host_n - user_n - (size_t)(bracket - host));
	(void)snprintf(base, sizeof(base), "%s://%.*s%s", secure_url ? "https" : "http",
		       (int)(host_n - user_n), host,
		       colon        ? ""
		       : secure_url ? ":443"
				    : ":80");
	TRY(dial_target_parse(&w->target, base, note));
	(void)snprintf(w->path, sizeof(w->path), "%s%.*s", path[0] == '/' ? "" : "/",
		       (int)strcspn(path, "#"), path);
	if (user_n > 0)
		(void)snprintf(w->basic, sizeof(w->basic), "%.*s", (int)(user_n - 1), rest);
	return ERR_OK;
}

enum err websocket_open(struct websocket **ret_socket, struct loop *loop,
			const struct websocket_options *options,
			const struct websocket_events *events, void *ctx, struct err_note *note)
{
	struct websocket *w = calloc(1, sizeof(*w));

	if (!w)
		return ERR_NOMEM;
	w->loop = loop;
	w->options = *options;
	w->events = events;
	w->ctx = ctx;
	w->head = buf_make(WS_HEAD_MAX + PIECE_MAX);
	w->waiting = buf_make(SEND_MAX / 2);
	w->reader = ws_reader_make(options->message_max);
	enum err e = parse_url(w, options->url, note);
	w->options.url = NULL;
	if (e == ERR_OK)
		e = dial_start(&w->dial, loop, &w->target, on_dialled, w);
	if (e != ERR_OK) {
		destroy(w);
		return e;
	}
	clock_timer_set(loop_clock(loop), &w->timer, options->open_timeout_ms, too_late, w);
	*ret_socket = w;
	return ERR_OK;
}
