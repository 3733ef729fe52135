/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/session.h"

#include <stdlib.h>

#include "base/secret.h"

/* A message that came before its round. */
struct parked {
	struct parked *next;
	uint64_t round;
	struct buf message;
};

struct peer {
	struct parked *parked;
	size_t parked_bytes;
	struct buf word; /* of this round */
};

struct mpc_session {
	struct mpc_group group;
	struct mpc_protocol *protocol;
	mpc_send_fn *send;
	void *ctx;
	uint64_t round; /* 0: not started */
	bool done;
	struct mpc_expectation wants;
	mpc_set spoke;
	struct peer peer[MPC_PARTIES_MAX];
	struct mpc_session_counts counts;
};

enum err mpc_session_new(struct mpc_session **ret, const struct mpc_group *g,
			 struct mpc_protocol *protocol, mpc_send_fn *send, void *ctx)
{
	struct mpc_session *s;

	TRY(mpc_group_check(g, NULL));
	s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NOMEM;
	s->group = *g;
	s->protocol = protocol;
	s->send = send;
	s->ctx = ctx;
	*ret = s;
	return ERR_OK;
}

static void parked_free(struct peer *p, struct parked **at)
{
	struct parked *m = *at;

	*at = m->next;
	p->parked_bytes -= m->message.n;
	buf_wipe(&m->message);
	free(m);
}

void mpc_session_free(struct mpc_session *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++) {
		while (s->peer[i].parked)
			parked_free(&s->peer[i], &s->peer[i].parked);
		buf_wipe(&s->peer[i].word);
	}
	free(s);
}

/* ---- one round ---- */

/* A word of this round: too long ones are kept as the empty word, which makes no sense to anybody.
 */
static enum err hear(struct mpc_session *s, unsigned from, struct bytes message)
{
	struct peer *p = &s->peer[from - 1];

	if (mpc_set_has(s->spoke, from)) {
		s->counts.repeated++;
		return ERR_OK;
	}
	if (message.n > s->wants.size_max) {
		s->counts.too_big++;
		message = BYTES_NONE;
	}
	buf_wipe(&p->word);
	p->word = buf_make(message.n);
	TRY(buf_add(&p->word, message));
	s->spoke |= mpc_set_of(from);
	return ERR_OK;
}

static enum err hear_parked(struct mpc_session *s, unsigned from)
{
	struct peer *p = &s->peer[from - 1];
	enum err e = ERR_OK;

	for (struct parked **at = &p->parked; *at && e == ERR_OK;) {
		if ((*at)->round == s->round) {
			e = hear(s, from, buf_view(&(*at)->message));
			parked_free(p, at);
		} else {
			at = &(*at)->next;
		}
	}
	return e;
}

static enum err send_all(struct mpc_session *s, const struct mpc_outbox *out)
{
	for (unsigned to = 1; to <= s->group.n; to++)
		if (to != s->group.me && out->to[to - 1].n > 0)
			TRY(s->send(s->ctx, to, s->round, buf_view(&out->to[to - 1])));
	return ERR_OK;
}

static enum err begin_round(struct mpc_session *s)
{
	struct mpc_outbox out = {0};
	enum err e;

	for (unsigned i = 0; i < s->group.n; i++)
		buf_wipe(&s->peer[i].word);
	s->spoke = 0;
	s->round++;
	s->wants = (struct mpc_expectation){0};
	e = protocol_send(s->protocol, &out, &s->wants);
	if (e == ERR_OK)
		e = send_all(s, &out);
	mpc_outbox_clear(&out);
	for (unsigned from = 1; from <= s->group.n && e == ERR_OK; from++)
		e = hear_parked(s, from);
	return e;
}

/* As far as it goes with what is there. */
static enum err run(struct mpc_session *s, bool late)
{
	enum mpc_progress progress = MPC_ROUND_OVER;

	while (!s->done) {
		struct mpc_inbox in = {.spoke = s->spoke};

		for (unsigned i = 0; i < s->group.n; i++)
			in.of[i] = buf_view(&s->peer[i].word);
		TRY(protocol_take(s->protocol, &in, late, &progress));
		if (progress == MPC_WAIT)
			return ERR_OK;
		if (progress == MPC_DONE)
			s->done = true;
		else
			TRY(begin_round(s));
		late = false;
	}
	return ERR_OK;
}

/* ---- from outside ---- */

enum err mpc_session_start(struct mpc_session *s)
{
	TRY(begin_round(s));
	return run(s, false);
}

static enum err park(struct mpc_session *s, unsigned from, uint64_t round, struct bytes message)
{
	struct peer *p = &s->peer[from - 1];
	struct parked *m;

	for (m = p->parked; m; m = m->next)
		if (m->round == round) {
			s->counts.repeated++;
			return ERR_OK;
		}
	if (message.n > SESSION_PARKED_BYTES_MAX - p->parked_bytes) {
		s->counts.too_big++;
		message = BYTES_NONE;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return ERR_NOMEM;
	m->round = round;
	m->message = buf_make(message.n);
	if (buf_add(&m->message, message) != ERR_OK) {
		free(m);
		return ERR_NOMEM;
	}
	m->next = p->parked;
	p->parked = m;
	p->parked_bytes += message.n;
	return ERR_OK;
}

enum err mpc_session_receive(struct mpc_session *s, unsigned from, uint64_t round,
			     struct bytes message)
{
	if (from < 1 || from > s->group.n || from == s->group.me)
		return ERR_RANGE;
	if (s->done || round < s->round || round == 0) {
		s->counts.old++;
		return ERR_OK;
	}
	if (round - s->round > SESSION_ROUNDS_AHEAD) {
		s->counts.too_far++;
		return ERR_OK;
	}
	if (round > s->round)
		return park(s, from, round, message);
	TRY(hear(s, from, message));
	return run(s, false);
}

enum err mpc_session_late(struct mpc_session *s, uint64_t round)
{
	if (s->done || round != s->round || !s->wants.synchronous)
		return ERR_OK;
	return run(s, true);
}

bool mpc_session_done(const struct mpc_session *s)
{
	return s->done;
}

uint64_t mpc_session_round(const struct mpc_session *s)
{
	return s->round;
}

bool mpc_session_synchronous(const struct mpc_session *s)
{
	return s->wants.synchronous;
}

mpc_set mpc_session_silent(const struct mpc_session *s)
{
	return s->done ? 0 : s->wants.from & (mpc_set)~s->spoke;
}

size_t mpc_session_parked(const struct mpc_session *s, unsigned party)
{
	return s->peer[party - 1].parked_bytes;
}

struct mpc_session_counts mpc_session_counts(const struct mpc_session *s)
{
	return s->counts;
}
