/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Sessions that do not run here: messages that came before their session, bounded per peer and in
 * time; and the ids of sessions that are over, so that who is late is told.
 */
#include <stdlib.h>

#include "core/peer_internal.h"

struct parked_message {
	struct parked_message *next;
	struct peer *from;
	uint64_t round;
	struct buf value;
};

struct parked_session {
	struct peer_node node;
	struct parked_session *next, *prev; /* by age */
	struct parked_message *first, *last;
	int64_t until_ms;
};

struct completed {
	struct peer_node node;
	struct completed *next, *prev; /* by age */
	int64_t until_ms;
};

static void on_parked_time(void *ctx);

/* ---- before ---- */

static bool session_has(const struct parked_session *s, const struct peer *from)
{
	for (const struct parked_message *m = s->first; m; m = m->next)
		if (m->from == from)
			return true;
	return false;
}

static void message_free(struct peer_net *net, struct parked_message *m)
{
	m->from->parked_bytes -= m->value.n;
	net->counts.parked_bytes -= m->value.n;
	buf_wipe(&m->value);
	free(m);
}

static void session_append(struct peer_net *net, struct parked_session *s)
{
	s->until_ms = peer_now_ms(net) + net->opt.parked_ms;
	s->next = NULL;
	s->prev = net->parked_last;
	*(s->prev ? &s->prev->next : &net->parked_first) = s;
	net->parked_last = s;
}

static void session_unlink(struct peer_net *net, struct parked_session *s)
{
	*(s->prev ? &s->prev->next : &net->parked_first) = s->next;
	*(s->next ? &s->next->prev : &net->parked_last) = s->prev;
}

static void session_free(struct peer_net *net, struct parked_session *s)
{
	session_unlink(net, s);
	peer_table_remove(&net->parked, &s->node);
	while (s->first) {
		struct parked_message *m = s->first;

		s->first = m->next;
		if (!session_has(s, m->from))
			m->from->parked_sessions--;
		message_free(net, m);
	}
	free(s);
}

static void timer_arm(struct peer_net *net)
{
	const struct parked_session *s = net->parked_first;
	int64_t left_ms;

	if (!s) {
		clock_timer_cancel(net->clock, &net->parked_timer);
		return;
	}
	left_ms = s->until_ms - peer_now_ms(net);
	clock_timer_set(net->clock, &net->parked_timer, left_ms > 0 ? left_ms : 0, on_parked_time,
			net);
}

static void on_parked_time(void *ctx)
{
	struct peer_net *net = ctx;
	int64_t now = peer_now_ms(net);

	while (net->parked_first && net->parked_first->until_ms <= now) {
		net->counts.parked_expired++;
		for (const struct parked_message *m = net->parked_first->first; m; m = m->next)
			m->from->lost = true;
		session_free(net, net->parked_first);
	}
	timer_arm(net);
}

static struct parked_session *session_new(struct peer_net *net, const struct mpc_session_id *id)
{
	struct parked_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->node.id = *id;
	if (peer_table_add(&net->parked, &s->node) != ERR_OK) {
		free(s);
		return NULL;
	}
	session_append(net, s);
	if (net->parked_first == s)
		timer_arm(net);
	return s;
}

static enum err message_add(struct peer_net *net, struct parked_session *s, struct peer *from,
			    const struct peer_message *from_wire)
{
	struct parked_message *m = calloc(1, sizeof(*m));

	if (!m)
		return ERR_NOMEM;
	m->from = from;
	m->round = from_wire->round;
	m->value = buf_make(from_wire->value.n);
	if (buf_add(&m->value, from_wire->value) != ERR_OK) {
		free(m);
		return ERR_NOMEM;
	}
	if (!session_has(s, from))
		from->parked_sessions++;
	*(s->last ? &s->last->next : &s->first) = m;
	s->last = m;
	from->parked_bytes += m->value.n;
	net->counts.parked_bytes += m->value.n;
	net->counts.parked++;
	return ERR_OK;
}

enum err peer_park(struct peer_net *net, struct peer *from, const struct peer_message *m)
{
	struct peer_node *node = peer_table_find(&net->parked, &m->session);
	struct parked_session *s = node ? CONTAINER_OF(node, struct parked_session, node) : NULL;
	bool known = s && session_has(s, from);
	enum err e;

	for (const struct parked_message *p = s ? s->first : NULL; p; p = p->next)
		if (p->from == from && p->round == m->round)
			return ERR_OK; /* the first counts */
	/* The session would drop it as well. */
	if (m->round == 0 || m->round > SESSION_ROUNDS_AHEAD)
		return ERR_OK;
	if ((!known && from->parked_sessions >= net->opt.parked_sessions) ||
	    from->parked_bytes + m->value.n > PEER_PARKED_BYTES_MAX)
		return ERR_BUSY;
	if (!s) {
		s = session_new(net, &m->session);
	} else if (!known) {
		/* Its time begins with the last who joins: who spoke first, long before the others,
		 * must not have their words thrown away with its own. */
		session_unlink(net, s);
		session_append(net, s);
	}
	if (!s)
		return ERR_NOMEM;
	e = message_add(net, s, from, m);
	if (e != ERR_OK && !s->first)
		session_free(net, s);
	return e;
}

enum err peer_unpark(struct peer_net *net, const struct mpc_session_id *id, peer_parked_fn *fn,
		     void *ctx)
{
	struct peer_node *node = peer_table_find(&net->parked, id);
	struct parked_session *s = node ? CONTAINER_OF(node, struct parked_session, node) : NULL;
	enum err e = ERR_OK;

	if (!s)
		return ERR_OK;
	for (const struct parked_message *m = s->first; m && e == ERR_OK; m = m->next)
		e = fn(ctx, m->from, m->round, buf_view(&m->value));
	session_free(net, s);
	timer_arm(net);
	return e;
}

static void session_forget(struct peer_net *net, struct parked_session *s, const struct peer *from)
{
	bool had = session_has(s, from);

	s->last = NULL;
	for (struct parked_message **at = &s->first; *at;) {
		struct parked_message *m = *at;

		if (m->from == from) {
			*at = m->next;
			if (had) {
				m->from->parked_sessions--;
				had = false;
			}
			message_free(net, m);
		} else {
			s->last = m;
			at = &m->next;
		}
	}
}

void peer_parked_forget(struct peer_net *net, const struct peer *from)
{
	for (struct parked_session *s = net->parked_first, *next; s; s = next) {
		next = s->next;
		if (from)
			session_forget(net, s, from);
		if (!from || !s->first)
			session_free(net, s);
	}
	timer_arm(net);
}

/* ---- after ---- */

static void completed_drop(struct peer_net *net, struct completed *c)
{
	*(c->prev ? &c->prev->next : &net->completed_first) = c->next;
	*(c->next ? &c->next->prev : &net->completed_last) = c->prev;
	peer_table_remove(&net->completed, &c->node);
	free(c);
}

/* Without memory it is forgotten: who is late is then parked instead. */
void peer_completed_add(struct peer_net *net, const struct mpc_session_id *id)
{
	int64_t now = peer_now_ms(net);
	struct completed *c;

	while (net->completed_first &&
	       (net->completed_first->until_ms <= now || net->completed.n >= PEER_COMPLETED_MAX))
		completed_drop(net, net->completed_first);
	if (peer_table_find(&net->completed, id))
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->node.id = *id;
	c->until_ms = now + net->opt.completed_ms;
	if (peer_table_add(&net->completed, &c->node) != ERR_OK) {
		free(c);
		return;
	}
	c->prev = net->completed_last;
	*(c->prev ? &c->prev->next : &net->completed_first) = c;
	net->completed_last = c;
}

void peer_completed_remove(struct peer_net *net, const struct mpc_session_id *id)
{
	struct peer_node *node = peer_table_find(&net->completed, id);

	if (node)
		completed_drop(net, CONTAINER_OF(node, struct completed, node));
}

bool peer_is_completed(struct peer_net *net, const struct mpc_session_id *id)
{
	struct peer_node *node = peer_table_find(&net->completed, id);

	return node && CONTAINER_OF(node, struct completed, node)->until_ms > peer_now_ms(net);
}

void peer_completed_free(struct peer_net *net)
{
	while (net->completed_first)
		completed_drop(net, net->completed_first);
	peer_table_free(&net->completed);
}
