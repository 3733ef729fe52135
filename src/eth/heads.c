/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "eth/heads.h"

#include <stdlib.h>
#include <string.h>

#include "net/websocket.h"

enum {
	MESSAGE_MAX = 256 << 10, /* a header */
	OPEN_TIMEOUT_MS = 10000,
	SILENCE_MS = 20000,
	BACK_OFF_FIRST_MS = 1000,
	BACK_OFF_MAX_MS = 30000,
};

struct heads {
	struct loop *loop;
	char *url;
	heads_fn *woken;
	void *ctx;
	struct websocket *socket;
	struct timer again;
	int64_t back_off_ms;
};

static void on_opened(void *ctx)
{
	static const char subscribe[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_subscribe\","
		"\"params\":[\"newHeads\"]}";
	struct heads *h = ctx;

	/* Without it nothing comes, and the silence is no harm: there is the polling. */
	(void)(websocket_send(h->socket, bytes_str(subscribe)) == ERR_OK);
}

static void on_message(void *ctx, struct bytes message)
{
	static const char mark[] = "\"eth_subscription\"";
	struct heads *h = ctx;

	if (!memmem(message.p, message.n, mark, sizeof(mark) - 1))
		return;
	h->back_off_ms = BACK_OFF_FIRST_MS;
	h->woken(h->ctx);
}

static enum err connect_now(struct heads *h, struct err_note *note);

static void on_again(void *ctx)
{
	struct heads *h = ctx;

	if (connect_now(h, NULL) != ERR_OK)
		clock_timer_set(loop_clock(h->loop), &h->again, BACK_OFF_MAX_MS, on_again, h);
}

static void on_closed(void *ctx, enum err e, const char *why)
{
	struct heads *h = ctx;

	(void)e;
	(void)why;
	websocket_free(h->socket);
	h->socket = NULL;
	clock_timer_set(loop_clock(h->loop), &h->again, h->back_off_ms, on_again, h);
	h->back_off_ms = h->back_off_ms * 2 < BACK_OFF_MAX_MS ? h->back_off_ms * 2
							      : (int64_t)BACK_OFF_MAX_MS;
}

static enum err connect_now(struct heads *h, struct err_note *note)
{
	static const struct websocket_events events = {
		.opened = on_opened,
		.message = on_message,
		.closed = on_closed,
	};
	const struct websocket_options o = {
		.url = h->url,
		.message_max = MESSAGE_MAX,
		.open_timeout_ms = OPEN_TIMEOUT_MS,
		.silence_ms = SILENCE_MS,
	};

	return websocket_open(&h->socket, h->loop, &o, &events, h, note);
}

enum err heads_watch(struct heads **ret_heads, struct loop *loop, const char *url, heads_fn *woken,
		     void *ctx, struct err_note *note)
{
	struct heads *h = calloc(1, sizeof(*h));

	if (!h)
		return ERR_NOMEM;
	h->loop = loop;
	h->woken = woken;
	h->ctx = ctx;
	h->back_off_ms = BACK_OFF_FIRST_MS;
	h->url = strdup(url);
	enum err e = h->url ? connect_now(h, note) : ERR_NOMEM;
	if (e != ERR_OK) {
		heads_free(h);
		return e;
	}
	*ret_heads = h;
	return ERR_OK;
}

void heads_free(struct heads *h)
{
	if (!h)
		return;
	clock_timer_cancel(loop_clock(h->loop), &h->again);
	websocket_free(h->socket);
	free(h->url);
	free(h);
}
