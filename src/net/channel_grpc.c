/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/channel_grpc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

static void list_add(struct call_list *list, struct channel_call *call)
{
	call->next = NULL;
	call->prev = list->last;
	if (list->last)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
}

static void list_remove(struct call_list *list, struct channel_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		list->first = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		list->last = call->prev;
}

static struct channel_call *list_find(const struct call_list *list, uint64_t id)
{
	struct channel_call *call = list->first;

	while (call && call->id != id)
		call = call->next;
	return call;
}

static void call_free(struct channel_call *call)
{
	clock_timer_cancel(loop_clock(call->channel->loop), &call->deadline);
	h2_stream_free(&call->stream);
	buf_free(&call->text);
	free(call);
}

void channel_call_finish(struct channel_call *call, enum grpc_status status, const char *text)
{
	struct channel_grpc *ch = call->channel;

	clock_timer_cancel(loop_clock(ch->loop), &call->deadline);
	channel_conn_forget(call);
	buf_free(&call->stream.out);
	call->status = status;
	if (text) {
		/* Ours replaces what the peer said so far. It is for people; without memory for it
		 * the status stands alone. */
		buf_free(&call->text);
		call->text = buf_make(GRPC_HEADER_BYTES_MAX);
		if (buf_add_str(&call->text, text) != ERR_OK)
			buf_free(&call->text);
	}
	list_remove(&ch->open, call);
	list_add(&ch->finished, call);
	channel_finish_later(ch);
}

static void on_finish(void *ctx)
{
	channel_finish_now(ctx);
}

void channel_finish_later(struct channel_grpc *ch)
{
	if (ch->finished.first && !ch->finish.armed)
		clock_timer_set(loop_clock(ch->loop), &ch->finish, 0, on_finish, ch);
}

static void call_report(struct channel_call *call)
{
	const char *text = "";
	struct rpc_reply reply = {.status = call->status};

	if (buf_cstr(&call->text, &text) != ERR_OK)
		text = "";
	reply.text = text;
	if (call->status == GRPC_OK)
		reply.message = buf_view(&call->stream.in.body);
	call->done(call->ctx, &reply);
}

void channel_finish_now(struct channel_grpc *ch)
{
	struct channel_call *last = ch->finished.last;
	struct channel_call *call;
	bool more = last != NULL;

	while (more && (call = ch->finished.first)) {
		more = call != last;
		list_remove(&ch->finished, call);
		ch->busy = true;
		call_report(call);
		ch->busy = false;
		call_free(call);
		if (ch->freed) {
			free(ch);
			return;
		}
	}
	channel_finish_later(ch);
}

static void on_deadline(void *ctx)
{
	struct channel_call *call = ctx;

	channel_call_finish(call, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
}

/* Gives the call to a connection, or its failure when there is none to be had. */
static void call_start(struct channel_grpc *ch, struct channel_call *call)
{
	int64_t now_ms = clock_mono_ms(loop_clock(ch->loop));

	if (!ch->current && now_ms < ch->retry_ms) {
		channel_call_finish(call, GRPC_UNAVAILABLE, ch->why.text);
		return;
	}
	if (!ch->current && channel_conn_open(ch) != ERR_OK) {
		channel_call_finish(call, GRPC_UNAVAILABLE, "out of memory");
		return;
	}
	call->conn = ch->current;
	if (call->conn->ready && channel_conn_submit(call->conn, call) != ERR_OK)
		channel_call_finish(call, GRPC_UNAVAILABLE, "out of memory");
}

static enum err grpc_call(struct channel *c, struct rpc_ticket *ret_ticket,
			  const struct rpc_call *req, rpc_done_fn *done, void *ctx)
{
	struct channel_grpc *ch = CONTAINER_OF(c, struct channel_grpc, base);
	struct clock *clock = loop_clock(ch->loop);
	size_t path_size = strlen(req->path) + 1;
	struct channel_call *call;
	enum err e;

	if (req->timeout_ms <= 0 || req->reply_max > GRPC_MESSAGE_MAX || req->path[0] != '/' ||
	    path_size > URL_SIZE_MAX || ch->freed)
		return ERR_RANGE;
	call = calloc(1, sizeof(*call) + path_size);
	if (!call)
		return ERR_NOMEM;
	e = grpc_message_pack(&call->stream.out, req->message);
	if (e != ERR_OK) {
		buf_free(&call->stream.out);
		free(call);
		return e;
	}
	memcpy(call->path, req->path, path_size);
	if (req->traceparent && strlen(req->traceparent) < sizeof(call->traceparent))
		memcpy(call->traceparent, req->traceparent, strlen(req->traceparent));
	call->stream.in = grpc_reader_make(req->reply_max);
	call->channel = ch;
	call->id = ++ch->last_id;
	call->done = done;
	call->ctx = ctx;
	call->deadline_ms = clock_mono_ms(clock) + req->timeout_ms;
	clock_timer_set(clock, &call->deadline, req->timeout_ms, on_deadline, call);
	list_add(&ch->open, call);
	ret_ticket->id = call->id;
	call_start(ch, call);
	return ERR_OK;
}

static void grpc_cancel(struct channel *c, struct rpc_ticket ticket)
{
	struct channel_grpc *ch = CONTAINER_OF(c, struct channel_grpc, base);
	struct channel_call *call = list_find(&ch->open, ticket.id);

	if (call) {
		channel_conn_forget(call);
		list_remove(&ch->open, call);
	} else {
		call = list_find(&ch->finished, ticket.id);
		if (!call)
			return;
		list_remove(&ch->finished, call);
	}
	call_free(call);
}

static void grpc_free(struct channel *c)
{
	struct channel_grpc *ch = CONTAINER_OF(c, struct channel_grpc, base);
	struct channel_call *call;

	if (ch->freed)
		return;
	ch->freed = true;
	clock_timer_cancel(loop_clock(ch->loop), &ch->finish);
	while ((call = ch->open.first)) {
		list_remove(&ch->open, call);
		call_free(call);
	}
	while ((call = ch->finished.first)) {
		list_remove(&ch->finished, call);
		call_free(call);
	}
	while (ch->conns)
		channel_conn_close(ch->conns);
	if (!ch->busy)
		free(ch);
}

static const struct channel_ops grpc_ops = {
	.call = grpc_call,
	.cancel = grpc_cancel,
	.free = grpc_free,
};

enum err channel_grpc_open(struct channel **ret_channel, struct loop *loop,
			   const struct channel_grpc_options *options, struct err_note *note)
{
	struct dial_target target;
	struct channel_grpc *ch;

	TRY(dial_target_parse(&target, options->url, note));
	if (target.secure && !options->tls)
		return err_say(note, ERR_CONFIG_VALUE,
			       "\"%s\" needs a certificate of ours, its key, and the authorities "
			       "of the server",
			       options->url);
	if (!target.secure && options->tls)
		return err_say(note, ERR_CONFIG_VALUE,
			       "certificates are given, but \"%s\" is not https://host:port",
			       options->url);
	if (options->identity && options->identity[0] && !tls_identity_is_sound(options->identity))
		return err_say(note, ERR_CONFIG_VALUE, "\"%.80s\" is no identity",
			       options->identity);
	ch = calloc(1, sizeof(*ch));
	if (!ch)
		return err_say(note, ERR_NOMEM, "out of memory");
	ch->base.ops = &grpc_ops;
	ch->loop = loop;
	ch->target = target;
	ch->tls = options->tls;
	if (options->identity)
		memcpy(ch->identity, options->identity, strlen(options->identity) + 1);
	ch->keepalive_ms = options->keepalive_ms > 0 ? options->keepalive_ms : GRPC_KEEPALIVE_MS;
	ch->keepalive_timeout_ms = options->keepalive_timeout_ms > 0 ? options->keepalive_timeout_ms
								     : GRPC_KEEPALIVE_TIMEOUT_MS;
	*ret_channel = &ch->base;
	return ERR_OK;
}

/* "localhost" is the loopback without asking anybody (RFC 6761). */
static bool is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	return strcmp(host, "localhost") == 0 ||
	       (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET) ||
	       (inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}

enum err channel_grpc_url_way(enum channel_grpc_way *ret_way, const char *url,
			      struct err_note *note)
{
	struct dial_target target;

	TRY(dial_target_parse(&target, url, note));
	*ret_way = target.unix_socket         ? CHANNEL_GRPC_UNIX
		   : target.secure            ? CHANNEL_GRPC_TLS
		   : is_loopback(target.host) ? CHANNEL_GRPC_LOOPBACK
					      : CHANNEL_GRPC_PLAIN;
	return ERR_OK;
}

void channel_grpc_renew(struct channel *c)
{
	struct channel_grpc *ch = CONTAINER_OF(c, struct channel_grpc, base);

	ch->failures = 0;
	ch->retry_ms = 0;
	channel_conn_renew(ch);
}

enum err channel_grpc_new(struct channel **ret_channel, struct loop *loop, const char *url,
			  struct err_note *note)
{
	const struct channel_grpc_options options = {.url = url};

	return channel_grpc_open(ret_channel, loop, &options, note);
}
