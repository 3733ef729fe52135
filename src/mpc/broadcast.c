/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/broadcast.h"

#include <stdlib.h>

#include "mpc/wire.h"

enum {
	ROUND_SEND = 1,
	ROUND_ECHO = 2,
	ROUND_VOTE = 3 /* the first of t + 1 */
};

/* Something that a sender may have said, as some party echoed it. */
struct candidate {
	struct hash32 hash;
	struct buf value;
	mpc_set echoes, votes;
};

/*
 * Each party echoes one value of a sender, so a sender has at most n candidates. A vote for
 * anything else cannot win: honest parties vote only for what n - t parties echoed, of which at
 * least n - 2 t are honest and echoed it to us.
 */
struct sender {
	bool voted;
	unsigned candidates_n;
	struct candidate candidate[MPC_PARTIES_MAX];
};

struct mpc_broadcast {
	struct mpc_protocol protocol;
	struct mpc_broadcast_task task;
	unsigned parties_n; /* without who is known to be corrupt */
	unsigned round;
	mpc_set listening; /* who has missed no round */
	mpc_set read;      /* whose word of this round is taken in */
	struct buf first[MPC_PARTIES_MAX];
	mpc_set spoke; /* senders of whom there is a first word */
	struct sender sender[MPC_PARTIES_MAX];
};

static bool sends(const struct mpc_broadcast *b, unsigned party)
{
	return mpc_set_has(b->task.senders, party);
}

/* ---- candidates ---- */

static enum err candidate_of(struct mpc_broadcast *b, unsigned sender, struct bytes value,
			     struct candidate **ret)
{
	struct sender *s = &b->sender[sender - 1];
	struct candidate *c;
	struct hash32 hash;

	TRY(mpc_hash(&hash, MPC_NAME_BROADCAST, &value, 1));
	for (unsigned i = 0; i < s->candidates_n; i++)
		if (hash32_eq(s->candidate[i].hash, hash)) {
			*ret = &s->candidate[i];
			return ERR_OK;
		}
	c = &s->candidate[s->candidates_n];
	*c = (struct candidate){.hash = hash, .value = buf_make(value.n)};
	TRY(buf_add(&c->value, value));
	s->candidates_n++;
	*ret = c;
	return ERR_OK;
}

static enum err echo_counts(struct mpc_broadcast *b, unsigned from, unsigned sender,
			    struct bytes value)
{
	struct candidate *c;

	TRY(candidate_of(b, sender, value, &c));
	c->echoes |= mpc_set_of(from);
	return ERR_OK;
}

/* ---- sending ---- */

static enum err to_all(struct mpc_broadcast *b, struct mpc_outbox *out, struct bytes message)
{
	for (unsigned to = 1; to <= b->task.group.n; to++) {
		if (to == b->task.group.me || mpc_set_has(b->task.corrupt, to))
			continue;
		out->to[to - 1] = buf_make(message.n);
		TRY(buf_add(&out->to[to - 1], message));
	}
	return ERR_OK;
}

static size_t echoes_size(const struct mpc_broadcast *b)
{
	return 4 + 8 + mpc_set_size(b->task.senders) * (8 + b->task.size_max);
}

static size_t votes_size(const struct mpc_broadcast *b)
{
	return 4 + 8 + mpc_set_size(b->task.senders) * (8 + sizeof(struct hash32));
}

static enum err put_value(struct mpc_broadcast *b, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	if (!sends(b, b->task.group.me))
		return ERR_OK;
	bincode_put_u32(&w, MPC_VALUE_SEND);
	bincode_put_raw(&w, b->task.value);
	return bincode_end(&w);
}

static enum err put_echoes(struct mpc_broadcast *b, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	bincode_put_u32(&w, MPC_VALUE_ECHOES);
	bincode_put_u64(&w, mpc_set_size(b->spoke));
	for (unsigned sender = 1; sender <= b->task.group.n; sender++) {
		struct bytes value = buf_view(&b->first[sender - 1]);

		if (!mpc_set_has(b->spoke, sender))
			continue;
		mpc_wire_put_role(&w, sender);
		bincode_put_raw(&w, value);
		if (bincode_end(&w) == ERR_OK)
			TRY(echo_counts(b, b->task.group.me, sender, value));
		buf_free(&b->first[sender - 1]);
	}
	return bincode_end(&w);
}

/* Our vote in this round for something of the sender, if there is one. */
static struct candidate *vote_for(struct mpc_broadcast *b, unsigned sender)
{
	struct sender *s = &b->sender[sender - 1];
	unsigned t = b->task.group.t;

	for (unsigned i = 0; i < s->candidates_n && !s->voted; i++) {
		struct candidate *c = &s->candidate[i];
		bool enough = b->round == ROUND_VOTE
				      ? mpc_set_size(c->echoes) >= b->parties_n - t
				      : mpc_set_size(c->votes) >= t + b->round - ROUND_VOTE;

		if (!enough)
			continue;
		s->voted = true;
		c->votes |= mpc_set_of(b->task.group.me);
		return c;
	}
	return NULL;
}

static enum err put_votes(struct mpc_broadcast *b, struct buf *out)
{
	struct bincode_writer w = {.out = out};
	struct candidate *vote[MPC_PARTIES_MAX] = {0};
	unsigned n = 0;

	for (unsigned sender = 1; sender <= b->task.group.n; sender++)
		if (sends(b, sender) && (vote[sender - 1] = vote_for(b, sender)))
			n++;
	bincode_put_u32(&w, n > 0 ? MPC_VALUE_VOTES : MPC_VALUE_EMPTY);
	if (n > 0)
		bincode_put_u64(&w, n);
	for (unsigned sender = 1; sender <= b->task.group.n; sender++)
		if (vote[sender - 1]) {
			mpc_wire_put_role(&w, sender);
			bincode_put_raw(&w, BYTES_OF(vote[sender - 1]->hash.b));
		}
	return bincode_end(&w);
}

static enum err broadcast_send(struct mpc_protocol *p, struct mpc_outbox *out,
			       struct mpc_expectation *ret_wants)
{
	struct mpc_broadcast *b = CONTAINER_OF(p, struct mpc_broadcast, protocol);
	size_t own_max = 4 + b->task.size_max;
	size_t size_max = ++b->round == ROUND_SEND ? own_max
			  : b->round == ROUND_ECHO ? echoes_size(b)
						   : votes_size(b);
	struct buf message CLEANUP(buf_free) = buf_make(size_max);

	b->read = 0;
	if (b->round == ROUND_SEND)
		TRY(put_value(b, &message));
	else if (b->round == ROUND_ECHO)
		TRY(put_echoes(b, &message));
	else
		TRY(put_votes(b, &message));
	if (message.n > 0)
		TRY(to_all(b, out, buf_view(&message)));
	*ret_wants = (struct mpc_expectation){
		.from = b->round == ROUND_SEND ? b->listening & b->task.senders : b->listening,
		.size_max = size_max,
		.synchronous = true,
	};
	return ERR_OK;
}

/* ---- hearing: what makes no sense is nobody's word ---- */

static enum err hear_value(struct mpc_broadcast *b, unsigned from, struct bytes word)
{
	struct reader r = reader_of(word);
	struct buf *first = &b->first[from - 1];
	struct bytes value;

	if (!sends(b, from) || reader_u32le(&r) != MPC_VALUE_SEND || r.err != ERR_OK)
		return ERR_OK;
	value = mpc_wire_cast(&r);
	if (reader_end(&r) != ERR_OK || value.n > b->task.size_max)
		return ERR_OK;
	*first = buf_make(value.n);
	TRY(buf_add(first, value));
	b->spoke |= mpc_set_of(from);
	return ERR_OK;
}

/* Reads a map from senders, once to see that all of it makes sense, once to count. `entry`: what
 * stands behind a role. */
typedef enum err entry_fn(struct mpc_broadcast *b, unsigned from, unsigned sender, struct reader *r,
			  bool counts);

static enum err hear_map(struct mpc_broadcast *b, unsigned from, struct bytes word,
			 uint32_t variant, entry_fn *entry)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		struct reader r = reader_of(word);
		uint32_t is = reader_u32le(&r);
		uint64_t n = is == variant ? bincode_len(&r, b->task.group.n) : 0;
		mpc_set seen = 0;

		if (is != variant)
			return ERR_OK; /* the empty word among them */
		for (uint64_t i = 0; i < n && r.err == ERR_OK; i++) {
			unsigned sender = mpc_wire_role(&r, b->task.group.n);

			if (r.err != ERR_OK)
				break;
			if (mpc_set_has(seen, sender))
				reader_fail(&r, ERR_MALFORMED);
			seen |= mpc_set_of(sender);
			TRY(entry(b, from, sender, &r, pass == 1));
		}
		if (reader_end(&r) != ERR_OK)
			return ERR_OK;
	}
	return ERR_OK;
}

static enum err echo_entry(struct mpc_broadcast *b, unsigned from, unsigned sender,
			   struct reader *r, bool counts)
{
	struct bytes value = mpc_wire_cast(r);

	if (!counts || r->err != ERR_OK || !sends(b, sender) || value.n > b->task.size_max)
		return ERR_OK;
	return echo_counts(b, from, sender, value);
}

static enum err vote_entry(struct mpc_broadcast *b, unsigned from, unsigned sender,
			   struct reader *r, bool counts)
{
	struct bytes raw = reader_bytes(r, sizeof(struct hash32));
	struct sender *s = &b->sender[sender - 1];

	if (!counts || raw.n == 0 || !sends(b, sender))
		return ERR_OK;
	for (unsigned i = 0; i < s->candidates_n; i++)
		if (memcmp(s->candidate[i].hash.b, raw.p, raw.n) == 0)
			s->candidate[i].votes |= mpc_set_of(from);
	return ERR_OK;
}

static enum err hear(struct mpc_broadcast *b, unsigned from, struct bytes word)
{
	switch (b->round) {
	case ROUND_SEND:
		return hear_value(b, from, word);
	case ROUND_ECHO:
		return hear_map(b, from, word, MPC_VALUE_ECHOES, echo_entry);
	default:
		return hear_map(b, from, word, MPC_VALUE_VOTES, vote_entry);
	}
}

static enum err broadcast_take(struct mpc_protocol *p, const struct mpc_inbox *in, bool late,
			       enum mpc_progress *ret_progress)
{
	struct mpc_broadcast *b = CONTAINER_OF(p, struct mpc_broadcast, protocol);
	mpc_set wanted = b->round == ROUND_SEND ? b->listening & b->task.senders : b->listening;
	mpc_set news = in->spoke & wanted & (mpc_set)~b->read;

	for (unsigned from = 1; from <= b->task.group.n; from++)
		if (mpc_set_has(news, from))
			TRY(hear(b, from, in->of[from - 1]));
	b->read |= news;
	*ret_progress = MPC_WAIT;
	if (b->read != wanted && !late)
		return ERR_OK;
	/* Who missed a round is not waited for, nor listened to, until the end of this broadcast.
	 */
	b->listening &= (mpc_set) ~(wanted & (mpc_set)~b->read);
	*ret_progress = b->round == ROUND_VOTE + b->task.group.t ? MPC_DONE : MPC_ROUND_OVER;
	return ERR_OK;
}

static const struct mpc_protocol_ops broadcast_ops = {
	.name = "broadcast",
	.send = broadcast_send,
	.take = broadcast_take,
};

/* ---- from outside ---- */

enum err mpc_broadcast_new(struct mpc_broadcast **ret, const struct mpc_broadcast_task *task)
{
	const struct mpc_group *g = &task->group;
	struct mpc_broadcast *b;
	enum err e = ERR_OK;

	TRY(mpc_group_check(g, NULL));
	if (task->size_max > MPC_BROADCAST_VALUE_MAX || task->value.n > task->size_max)
		return ERR_RANGE;
	b = calloc(1, sizeof(*b));
	if (!b)
		return ERR_NOMEM;
	b->protocol.ops = &broadcast_ops;
	b->task = *task;
	b->task.senders &= mpc_set_all(g) & (mpc_set)~task->corrupt;
	b->parties_n = mpc_set_size(mpc_set_all(g) & (mpc_set)~task->corrupt);
	b->listening = mpc_set_all(g) & (mpc_set) ~(task->corrupt | mpc_set_of(g->me));
	if (sends(b, g->me)) {
		b->first[g->me - 1] = buf_make(task->value.n);
		e = buf_add(&b->first[g->me - 1], task->value);
		b->spoke = mpc_set_of(g->me);
	}
	if (e != ERR_OK) {
		mpc_broadcast_free(b);
		return e;
	}
	*ret = b;
	return ERR_OK;
}

void mpc_broadcast_free(struct mpc_broadcast *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++) {
		buf_free(&b->first[i]);
		for (unsigned k = 0; k < b->sender[i].candidates_n; k++)
			buf_free(&b->sender[i].candidate[k].value);
	}
	free(b);
}

struct mpc_protocol *mpc_broadcast_protocol(struct mpc_broadcast *b)
{
	return &b->protocol;
}

bool mpc_broadcast_value(const struct mpc_broadcast *b, unsigned sender, struct bytes *ret_value)
{
	const struct sender *s = &b->sender[sender - 1];

	for (unsigned i = 0; i < s->candidates_n; i++)
		if (mpc_set_size(s->candidate[i].votes) >= b->parties_n - b->task.group.t) {
			*ret_value = buf_view(&s->candidate[i].value);
			return true;
		}
	return false;
}
