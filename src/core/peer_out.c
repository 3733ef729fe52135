/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What goes out to one peer. A message goes from WAITING to FLYING and, once taken, is gone or
 * KEPT. When the peer is not to be reached it goes back to WAITING and the peer rests; when the
 * peer answers with an error, the message alone rests (DELAYED). A session's end makes what waits
 * SPARE.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/retry.h"
#include "core/peer_internal.h"

enum {
	REPLY_MAX = 1024
};

static void on_timer(void *ctx);

/* ---- lists ---- */

static void list_remove(struct peer_out *o)
{
	struct out_list *l = &o->peer->out[o->state];

	*(o->prev ? &o->prev->next : &l->first) = o->next;
	*(o->next ? &o->next->prev : &l->last) = o->prev;
	l->n--;
	l->bytes -= o->body->b.n;
}

static void list_append(struct peer_out *o, enum out_state state)
{
	struct out_list *l = &o->peer->out[state];

	o->state = state;
	o->next = NULL;
	o->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = o;
	l->last = o;
	l->n++;
	l->bytes += o->body->b.n;
}

static void list_move(struct peer_out *o, enum out_state state)
{
	list_remove(o);
	list_append(o, state);
}

/* ---- bodies ---- */

static void body_release(struct peer_body *body)
{
	if (--body->users > 0)
		return;
	buf_wipe(&body->b);
	free(body);
}

/* What another peer was just told in this round, if it is the same: masked words, on their way out.
 */
static struct peer_body *body_find(const struct peer_run *run, uint64_t round, struct bytes value)
{
	for (unsigned i = 0; i < run->group.n; i++) {
		struct peer_body *body = run->out[i] ? run->out[i]->body : NULL;
		struct bytes said;

		if (!body || body->round != round || body->value_n != value.n)
			continue;
		said = bytes_sub(buf_view(&body->b), body->b.n - value.n, value.n);
		if (!bytes_eq_var(said, value))
			return NULL;
		body->users++;
		return body;
	}
	return NULL;
}

static enum err body_new(struct peer_body **ret, const struct peer_message *m)
{
	struct peer_body *body = calloc(1, sizeof(*body));
	enum err e;

	if (!body)
		return ERR_NOMEM;
	body->users = 1;
	body->round = m->round;
	body->value_n = m->value.n;
	body->b = buf_make(m->value.n + PEER_WIRE_EXTRA);
	e = buf_reserve(&body->b, body->b.size_max); /* in one piece: no copies of shares */
	if (e == ERR_OK)
		e = peer_wire_write(&body->b, m);
	if (e != ERR_OK) {
		body_release(body);
		return e;
	}
	*ret = body;
	return ERR_OK;
}

static enum out_state state_to_send(const struct peer_out *o)
{
	return o->run->session ? OUT_WAITING : OUT_SPARE;
}

static void out_free(struct peer_out *o)
{
	struct peer_run *run = o->run;
	struct peer_out **at = &run->out[o->party - 1];

	while (*at != o)
		at = &(*at)->next_of_run;
	*at = o->next_of_run;
	run->outs_n--;
	list_remove(o);
	if (o->state == OUT_FLYING)
		channel_cancel(o->peer->channel, o->ticket);
	body_release(o->body);
	free(o);
}

/* What nobody needs for sure goes first: the oldest that was delivered, then the oldest of a
 * session that is over. */
static void spare_limit(struct peer *p)
{
	struct out_list *kept = &p->out[OUT_KEPT], *spare = &p->out[OUT_SPARE];

	while (kept->bytes + spare->bytes > PEER_SPARE_BYTES_MAX) {
		if (!kept->first)
			p->net->counts.dropped_outgoing++;
		out_free(kept->first ? kept->first : spare->first);
	}
}

/* ---- failing ---- */

static int64_t delay_ms(struct peer_net *net, int64_t attempts)
{
	const struct retry_policy policy = {.first_ms = net->opt.first_retry_ms,
					    .cap_ms = net->opt.retry_cap_ms};
	int64_t ms = net->opt.retry_cap_ms;

	(void)retry_after(&policy, ERR_UNAVAILABLE, attempts, net->rng, &ms);
	return ms;
}

/* One failure for all that was on its way. */
static void peer_failed(struct peer *p, const char *why)
{
	int64_t now = peer_now_ms(p->net);
	char text[160];

	p->reached = false;
	if (now < p->retry_ms)
		return;
	if (p->failures++ == 0) {
		(void)snprintf(text, sizeof(text), "cannot be reached: %s", why);
		peer_say(p->net, p->identity, text);
	}
	p->retry_ms = now + delay_ms(p->net, p->failures);
}

static void peer_succeeded(struct peer *p)
{
	if (p->failures > 0)
		peer_say(p->net, p->identity, "reached again");
	p->reached = true;
	p->failures = 0;
	p->retry_ms = 0;
}

/* ---- sending ---- */

static void out_taken(struct peer_out *o, enum peer_status status)
{
	struct peer *p = o->peer;
	struct peer_net *net = p->net;

	peer_succeeded(p);
	net->counts.sent++;
	net->counts.sent_bytes += o->body->b.n;
	if (o->keep) { /* also if it says COMPLETED: it may be killed before it has stored that */
		list_move(o, o->again ? state_to_send(o) : OUT_KEPT);
		o->again = false;
		spare_limit(p);
	} else if (status == PEER_COMPLETED) {
		peer_out_drop(o->run, o->party);
	} else {
		out_free(o);
	}
}

static void out_refused(struct peer_out *o, const struct rpc_reply *reply)
{
	struct peer *p = o->peer;
	struct peer_net *net = p->net;

	net->counts.retries++;
	if (reply->status == GRPC_UNAVAILABLE || reply->status == GRPC_DEADLINE_EXCEEDED) {
		list_move(o, state_to_send(o));
		peer_failed(p, reply->text[0] ? reply->text : grpc_status_name(reply->status));
		return;
	}
	peer_succeeded(p);
	if (o->attempts++ == 0)
		peer_say(net, p->identity, reply->text[0] ? reply->text : "refuses a message");
	o->due_ms = peer_now_ms(net) + delay_ms(net, o->attempts);
	list_move(o, OUT_DELAYED);
}

static void on_sent(void *ctx, const struct rpc_reply *reply)
{
	struct peer_out *o = ctx;
	struct peer *p = o->peer;
	enum peer_status status = PEER_ACTIVE;

	/* No list may think that a call has it still. */
	o->ticket = (struct rpc_ticket){0};
	if (reply->status != GRPC_OK)
		out_refused(o, reply);
	else if (peer_wire_read_status(&status, reply->message) != ERR_OK)
		out_refused(o, &(struct rpc_reply){.status = GRPC_UNKNOWN,
						   .text = "its answer makes no sense"});
	else
		out_taken(o, status);
	peer_out_pump(p);
}

static bool out_send(struct peer_out *o)
{
	struct peer *p = o->peer;
	const struct rpc_call call = {.path = PEER_PATH_SEND,
				      .message = buf_view(&o->body->b),
				      .timeout_ms = p->net->opt.call_ms,
				      .reply_max = REPLY_MAX};

	if (channel_call(p->channel, &o->ticket, &call, on_sent, o) != ERR_OK) {
		peer_failed(p, "no call can be made");
		return false;
	}
	o->sent_ms = peer_now_ms(p->net);
	list_move(o, OUT_FLYING);
	return true;
}

static bool has_room(const struct peer *p, const struct peer_out *o)
{
	const struct out_list *flying = &p->out[OUT_FLYING];

	/* One to find out whether it is there. */
	if (flying->n == 0)
		return true;
	return p->failures == 0 && flying->n < PEER_FLYING_MAX &&
	       flying->bytes + o->body->b.n <= PEER_FLYING_BYTES_MAX;
}

static void timer_arm(struct peer *p, int64_t now)
{
	bool waits = p->out[OUT_WAITING].n > 0 || p->out[OUT_SPARE].n > 0;
	int64_t at = waits && now < p->retry_ms ? p->retry_ms : INT64_MAX;

	for (const struct peer_out *o = p->out[OUT_DELAYED].first; o; o = o->next)
		if (o->due_ms < at)
			at = o->due_ms;
	if (at == INT64_MAX)
		clock_timer_cancel(p->net->clock, &p->timer);
	else
		clock_timer_set(p->net->clock, &p->timer, at > now ? at - now : 0, on_timer, p);
}

void peer_out_pump(struct peer *p)
{
	int64_t now = peer_now_ms(p->net);

	while (now >= p->retry_ms) {
		struct peer_out *o = p->out[OUT_WAITING].first ? p->out[OUT_WAITING].first
							       : p->out[OUT_SPARE].first;

		if (!o || !has_room(p, o) || !out_send(o))
			break;
	}
	timer_arm(p, now);
}

static void on_timer(void *ctx)
{
	struct peer *p = ctx;
	int64_t now = peer_now_ms(p->net);

	for (struct peer_out *o = p->out[OUT_DELAYED].first, *next; o; o = next) {
		next = o->next;
		if (o->due_ms <= now)
			list_move(o, state_to_send(o));
	}
	peer_out_pump(p);
}

void peer_out_heard(struct peer *p)
{
	p->heard_ms = peer_now_ms(p->net);
	if (p->failures == 0 || p->retry_ms == 0)
		return;
	p->retry_ms = 0;
	peer_out_pump(p);
}

void peer_out_ground(struct peer *p)
{
	struct peer_out *o;

	while ((o = p->out[OUT_FLYING].first)) {
		channel_cancel(p->channel, o->ticket);
		o->ticket = (struct rpc_ticket){0};
		list_move(o, state_to_send(o));
	}
}

/* ---- of a run ---- */

static size_t queued_bytes(const struct peer *p)
{
	return p->out[OUT_WAITING].bytes + p->out[OUT_DELAYED].bytes + p->out[OUT_FLYING].bytes;
}

/* Of the run, in no list of its peer yet. */
static enum err out_new(struct peer_out **ret, struct peer_run *run, unsigned party,
			const struct peer_message *m, bool keep)
{
	struct peer_out *o = calloc(1, sizeof(*o));
	enum err e;

	if (!o)
		return ERR_NOMEM;
	/* What is kept is what everybody is told alike; the rest goes soon. */
	o->body = keep ? body_find(run, m->round, m->value) : NULL;
	e = o->body ? ERR_OK : body_new(&o->body, m);
	if (e != ERR_OK) {
		free(o);
		return e;
	}
	o->peer = run->party[party - 1];
	o->run = run;
	o->party = party;
	o->keep = keep;
	o->next_of_run = run->out[party - 1];
	run->out[party - 1] = o;
	run->outs_n++;
	*ret = o;
	return ERR_OK;
}

static struct peer_message message_of(const struct peer_run *run, const char *sender,
				      uint64_t round, struct bytes value)
{
	struct peer_message m = {.session = run->node.id, .round = round, .value = value};

	(void)snprintf(m.sender, sizeof(m.sender), "%s", sender);
	return m;
}

enum err peer_out_add(struct peer_run *run, unsigned party, const char *sender, uint64_t round,
		      struct bytes value, bool keep)
{
	const struct peer_message m = message_of(run, sender, round, value);
	struct peer *p = run->party[party - 1];
	struct peer_out *o;

	if (value.n > PEER_MESSAGE_MAX || queued_bytes(p) + value.n > PEER_QUEUE_BYTES_MAX) {
		/* This peer will miss a word of ours; a fault between the two of us. */
		run->net->counts.dropped_outgoing++;
		peer_say(run->net, p->identity, "too much waits for it: a message is dropped");
		return ERR_OK;
	}
	TRY(out_new(&o, run, party, &m, keep));
	list_append(o, OUT_WAITING);
	peer_out_pump(p);
	return ERR_OK;
}

enum err peer_out_keep(struct peer_run *run, unsigned party, const char *sender, uint64_t round,
		       struct bytes value)
{
	const struct peer_message m = message_of(run, sender, round, value);
	struct peer_out *o;

	TRY(out_new(&o, run, party, &m, true));
	o->sent_ms = INT64_MIN;
	list_append(o, OUT_KEPT);
	return ERR_OK;
}

void peer_out_run_over(struct peer_run *run)
{
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++) {
		for (struct peer_out *o = run->out[i], *next; o; o = next) {
			next = o->next_of_run;
			if (o->state == OUT_WAITING)
				list_move(o, OUT_SPARE);
		}
		if (run->party[i])
			spare_limit(run->party[i]);
	}
}

void peer_out_drop(struct peer_run *run, unsigned party)
{
	while (run->out[party - 1])
		out_free(run->out[party - 1]);
}

void peer_out_drop_all(struct peer_run *run)
{
	for (unsigned i = 1; i <= MPC_PARTIES_MAX; i++)
		peer_out_drop(run, i);
}

void peer_out_again(struct peer_run *run, unsigned party, int64_t since_ms)
{
	bool any = false;

	for (struct peer_out *o = run->out[party - 1]; o; o = o->next_of_run) {
		if (!o->keep || o->sent_ms > since_ms)
			continue;
		if (o->state == OUT_KEPT) {
			run->net->counts.resent++;
			list_move(o, state_to_send(o));
			any = true;
		} else if (o->state == OUT_FLYING) {
			o->again = true; /* its answer may be of the process that is gone */
		}
	}
	if (any)
		peer_out_pump(run->party[party - 1]);
}
