/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <event2/event.h>
#include <stdlib.h>

#include "base/limits.h"
#include "net/curl_request.h"
#include "net/loop_internal.h"
#include "net/transport.h"

/* Connections kept open for later requests. */
enum {
	IDLE_CONNECTIONS_MAX = 32
};

struct curl_transport {
	struct transport base;
	struct loop *loop;
	CURLM *multi;
	struct timer timer; /* curl's */
	struct curl_request *requests;
	size_t requests_n;
	uint64_t last_id;
	bool busy;  /* inside a done */
	bool freed; /* in a done: the memory goes when it returns */
};

/* ---- requests ---- */

/* Takes the request off the transport and out of curl. It is the caller's then. */
static void request_detach(struct curl_transport *t, struct curl_request *r)
{
	clock_timer_cancel(loop_clock(t->loop), &r->deadline);
	if (r->prev)
		r->prev->next = r->next;
	else
		t->requests = r->next;
	if (r->next)
		r->next->prev = r->prev;
	t->requests_n--;
	if (r->in_multi)
		curl_multi_remove_handle(t->multi, r->easy);
	r->in_multi = false;
}

static void transport_destroy(struct curl_transport *t)
{
	curl_multi_cleanup(t->multi);
	clock_timer_cancel(loop_clock(t->loop), &t->timer);
	curl_global_cleanup();
	free(t);
}

/* False: the transport is gone. */
static bool request_report(struct curl_transport *t, struct curl_request *r,
			   const struct http_reply *reply)
{
	t->busy = true;
	r->done(r->ctx, reply);
	t->busy = false;
	curl_request_free(r);
	if (t->freed) {
		transport_destroy(t);
		return false;
	}
	return true;
}

static void on_deadline(void *ctx)
{
	struct curl_request *r = ctx;
	struct curl_transport *t = r->transport;
	struct http_reply reply = {.err = ERR_TIMEOUT};

	err_say(&reply.note, ERR_TIMEOUT, "no whole reply in time");
	request_detach(t, r);
	request_report(t, r, &reply);
}

static void report_finished(struct curl_transport *t)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(t->multi, &left))) {
		CURLcode code = msg->data.result;
		struct curl_request *r = NULL;
		struct http_reply reply;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &r);
		curl_request_result(r, code, &reply);
		request_detach(t, r);
		if (!request_report(t, r, &reply))
			return;
	}
}

/* ---- curl on the loop ---- */

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
	struct curl_transport *t = ctx;
	int bits =
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	loop_enter(t->loop);
	curl_multi_socket_action(t->multi, fd, bits, &running);
	report_finished(t);
}

static void on_timer(void *ctx)
{
	struct curl_transport *t = ctx;
	int running;

	curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	report_finished(t);
}

static int curl_wants_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct curl_transport *t = ctx;

	(void)multi;
	if (timeout_ms < 0)
		clock_timer_cancel(loop_clock(t->loop), &t->timer);
	else
		clock_timer_set(loop_clock(t->loop), &t->timer, timeout_ms, on_timer, t);
	return 0;
}

static int curl_wants_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct curl_transport *t = ctx;
	struct event *ev = socket_ctx;
	short bits = EV_PERSIST;

	(void)easy;
	if (ev) {
		event_free(ev);
		curl_multi_assign(t->multi, fd, NULL);
	}
	if (what == CURL_POLL_REMOVE)
		return 0;
	if (what & CURL_POLL_IN)
		bits |= EV_READ;
	if (what & CURL_POLL_OUT)
		bits |= EV_WRITE;
	ev = event_new(loop_base(t->loop), fd, bits, on_socket, t);
	if (!ev || event_add(ev, NULL) != 0) {
		if (ev)
			event_free(ev);
		return -1;
	}
	curl_multi_assign(t->multi, fd, ev);
	return 0;
}

/* ---- the table ---- */

static enum err curl_send(struct transport *base, struct http_ticket *ret_ticket,
			  const struct http_request *req, http_done_fn *done, void *ctx)
{
	struct curl_transport *t = CONTAINER_OF(base, struct curl_transport, base);
	struct curl_request *r;

	if (req->timeout_ms <= 0 || t->freed)
		return ERR_RANGE;
	if (t->requests_n >= HTTP_IN_FLIGHT_MAX)
		return ERR_BUSY;
	TRY(curl_request_new(&r, req));
	r->transport = t;
	r->done = done;
	r->ctx = ctx;
	r->id = ++t->last_id;
	if (curl_multi_add_handle(t->multi, r->easy) != CURLM_OK) {
		curl_request_free(r);
		return ERR_NOMEM;
	}
	r->in_multi = true;
	r->next = t->requests;
	if (t->requests)
		t->requests->prev = r;
	t->requests = r;
	t->requests_n++;
	clock_timer_set(loop_clock(t->loop), &r->deadline, req->timeout_ms, on_deadline, r);
	ret_ticket->id = r->id;
	return ERR_OK;
}

static void curl_cancel(struct transport *base, struct http_ticket ticket)
{
	struct curl_transport *t = CONTAINER_OF(base, struct curl_transport, base);
	struct curl_request *r = t->requests;

	while (r && r->id != ticket.id)
		r = r->next;
	if (!r)
		return;
	request_detach(t, r);
	curl_request_free(r);
}

static void curl_free_transport(struct transport *base)
{
	struct curl_transport *t = CONTAINER_OF(base, struct curl_transport, base);
	struct curl_request *r;

	if (t->freed)
		return;
	t->freed = true;
	while ((r = t->requests)) {
		request_detach(t, r);
		curl_request_free(r);
	}
	if (!t->busy)
		transport_destroy(t);
}

static const struct transport_ops curl_ops = {
	.send = curl_send,
	.cancel = curl_cancel,
	.free = curl_free_transport,
};

static enum err multi_setup(struct curl_transport *t)
{
	CURLM *m = t->multi;
	bool failed = false;

	failed |= curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, curl_wants_socket) != CURLM_OK;
	failed |= curl_multi_setopt(m, CURLMOPT_SOCKETDATA, t) != CURLM_OK;
	failed |= curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, curl_wants_timer) != CURLM_OK;
	failed |= curl_multi_setopt(m, CURLMOPT_TIMERDATA, t) != CURLM_OK;
	failed |= curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) != CURLM_OK;
	failed |=
		curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX) != CURLM_OK;
	failed |= curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HTTP_PER_HOST_MAX) !=
		  CURLM_OK;
	return failed ? ERR_NOMEM : ERR_OK;
}

enum err transport_curl_new(struct transport **ret_transport, struct loop *loop)
{
	struct curl_transport *t;

	/* curl counts these; the last transport_destroy undoes the first. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return ERR_NOMEM;
	t = calloc(1, sizeof(*t));
	if (!t || !(t->multi = curl_multi_init()) || multi_setup(t) != ERR_OK) {
		if (t)
			curl_multi_cleanup(t->multi);
		free(t);
		curl_global_cleanup();
		return ERR_NOMEM;
	}
	t->base.ops = &curl_ops;
	t->loop = loop;
	*ret_transport = &t->base;
	return ERR_OK;
}
