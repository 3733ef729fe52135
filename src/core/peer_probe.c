/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* HealthCheck: is a peer there, does it take us for who we are, and how long is the way. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/peer_internal.h"

enum {
	REPLY_MAX = 1024
};

struct peer_probe {
	struct peer_probe *next, *prev;
	struct peer_net *net;
	struct peer *peer; /* NULL: its context was dropped */
	unsigned party;
	peer_probe_fn *done;
	void *ctx;
	int64_t begun_us;
	struct rpc_ticket ticket;
	struct timer timer; /* to tell of the drop */
};

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void probe_free(struct peer_probe *p)
{
	*(p->prev ? &p->prev->next : &p->net->probes) = p->next;
	if (p->next)
		p->next->prev = p->prev;
	clock_timer_cancel(p->net->clock, &p->timer);
	free(p);
}

static void probe_end(struct peer_probe *p, enum err e, const char *text, struct bytes answer)
{
	struct peer_probe_result result = {.party = p->party, .err = e, .answer = answer};
	peer_probe_fn *done = p->done;
	void *ctx = p->ctx;

	result.us = now_us() - p->begun_us;
	(void)snprintf(result.text, sizeof(result.text), "%s", text);
	probe_free(p);
	done(ctx, &result);
}

static void on_answer(void *ctx, const struct rpc_reply *reply)
{
	struct peer_probe *p = ctx;
	enum err e = reply->status == GRPC_OK                  ? ERR_OK
		     : reply->status == GRPC_UNAVAILABLE       ? ERR_UNAVAILABLE
		     : reply->status == GRPC_DEADLINE_EXCEEDED ? ERR_TIMEOUT
							       : ERR_REMOTE;
	const char *text = e == ERR_OK      ? ""
			   : reply->text[0] ? reply->text
					    : grpc_status_name(reply->status);

	struct bytes answer = BYTES_NONE;

	if (e == ERR_OK)
		peer_out_heard(p->peer);
	if (e == ERR_OK && peer_wire_read_answer(&answer, reply->message) != ERR_OK)
		e = ERR_REMOTE;
	probe_end(p, e, text, answer);
}

static enum err request_write(struct buf *out, struct peer_net *net, const char *sender,
			      const struct peer_probe_options *o)
{
	size_t payload_size = o->question.n > 0 ? o->question.n : o->payload_size;
	CLEANUP(buf_free) struct buf payload = buf_make(payload_size);
	uint8_t *place;

	*out = buf_make(payload_size + PEER_WIRE_EXTRA);
	if (o->question.n > 0)
		return peer_wire_write_health(out, sender, o->question);
	if (payload_size > 0) {
		TRY(buf_add_space(&payload, payload_size, &place));
		rng_fill(net->rng, place, payload_size);
	}
	return peer_wire_write_health(out, sender, buf_view(&payload));
}

static enum err probe_call(struct peer_probe *p, const char *sender,
			   const struct peer_probe_options *o)
{
	CLEANUP(buf_free) struct buf message = {0};
	struct rpc_call call = {
		.path = PEER_PATH_HEALTH, .timeout_ms = o->timeout_ms, .reply_max = REPLY_MAX};

	TRY(request_write(&message, p->net, sender, o));
	call.message = buf_view(&message);
	p->begun_us = now_us();
	return channel_call(p->peer->channel, &p->ticket, &call, on_answer, p);
}

enum err peer_net_probe(struct peer_probe **ret_probe, struct peer_net *net,
			const struct peer_probe_options *o)
{
	const struct mpc_context *c = peer_context_find(net, &o->context_id);
	struct peer_probe *p;
	enum err e;

	if (!c || o->party < 1 || o->party > c->n || o->party == c->me || c->me == 0)
		return ERR_NOT_FOUND;
	if (o->payload_size > PEER_MESSAGE_MAX || o->question.n > PEER_MESSAGE_MAX ||
	    o->timeout_ms < 1)
		return ERR_RANGE;
	p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	p->net = net;
	p->peer = peer_find(net, c->party[o->party - 1].identity);
	p->party = o->party;
	p->done = o->done;
	p->ctx = o->ctx;
	e = probe_call(p, peer_own_identity(c), o);
	if (e != ERR_OK) {
		free(p);
		return e;
	}
	p->next = net->probes;
	if (p->next)
		p->next->prev = p;
	net->probes = p;
	*ret_probe = p;
	return ERR_OK;
}

void peer_probe_cancel(struct peer_probe *p)
{
	if (p->peer)
		channel_cancel(p->peer->channel, p->ticket);
	probe_free(p);
}

static void on_gone(void *ctx)
{
	probe_end(ctx, ERR_UNAVAILABLE, "the peer's place changed, or its context was dropped",
		  BYTES_NONE);
}

void peer_probes_cancel(struct peer_net *net, const struct peer *peer)
{
	for (struct peer_probe *p = net->probes, *next; p; p = next) {
		next = p->next;
		if (!peer) {
			peer_probe_cancel(p);
		} else if (p->peer == peer) {
			channel_cancel(p->peer->channel, p->ticket);
			p->peer = NULL;
			clock_timer_set(net->clock, &p->timer, 0, on_gone, p);
		}
	}
}
