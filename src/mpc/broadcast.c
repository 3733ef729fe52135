/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdlib.h>

#include "mpc/broadcast_internal.h"

/* Whose words of this round are waited for. */
static mpc_set wanted(const struct mpc_broadcast *b)
{
	if (b->round == ROUND_SEND)
		return b->listening & b->task.senders;
	if (agrees(b) && step_of(b) == AGREE_KING)
		return b->listening & mpc_set_of(king_of(b));
	return b->listening;
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
			TRY(broadcast_echo_counts(b, b->task.group.me, sender, value));
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
				      ? mpc_set_size(c->echoes) >= quorum(b)
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

/* What is said about one sender in agreeing: its hash for 1; for 0 zeros, but in the values, where
 * there is no third thing to say, nothing. */
static bool agree_word_of(struct mpc_broadcast *b, unsigned sender, struct hash32 *ret_word)
{
	struct agree *a = &b->sender[sender - 1].agree;
	const struct candidate *c = broadcast_voted(b, sender, b->task.group.t);

	if (!sends(b, sender))
		return false;
	agree_hear(a, b->task.group.me, a->says);
	*ret_word = (struct hash32){{0}};
	if (a->says == AGREE_1 && c)
		*ret_word = c->hash;
	return a->says == AGREE_1 || (a->says == AGREE_0 && step_of(b) == AGREE_PROPOSE);
}

static enum err put_agreement(struct mpc_broadcast *b, struct buf *out)
{
	struct bincode_writer w = {.out = out};
	struct hash32 word[MPC_PARTIES_MAX];
	mpc_set said = 0;

	if (step_of(b) == AGREE_KING && king_of(b) != b->task.group.me)
		return ERR_OK;
	for (unsigned sender = 1; sender <= b->task.group.n; sender++)
		if (agree_word_of(b, sender, &word[sender - 1]))
			said |= mpc_set_of(sender);
	bincode_put_u32(&w, said ? MPC_VALUE_VOTES : MPC_VALUE_EMPTY);
	if (said)
		bincode_put_u64(&w, mpc_set_size(said));
	for (unsigned sender = 1; sender <= b->task.group.n; sender++)
		if (mpc_set_has(said, sender)) {
			mpc_wire_put_role(&w, sender);
			bincode_put_raw(&w, BYTES_OF(word[sender - 1].b));
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
	b->sound = 0;
	if (b->round == ROUND_SEND)
		TRY(put_value(b, &message));
	else if (b->round == ROUND_ECHO)
		TRY(put_echoes(b, &message));
	else if (agrees(b))
		TRY(put_agreement(b, &message));
	else
		TRY(put_votes(b, &message));
	if (message.n > 0)
		TRY(to_all(b, out, buf_view(&message)));
	*ret_wants = (struct mpc_expectation){
		.from = wanted(b),
		.size_max = size_max,
		.synchronous = true,
	};
	return ERR_OK;
}

/* The words of a round are all that there will be. */
static void conclude(struct mpc_broadcast *b)
{
	for (unsigned sender = 1; sender <= b->task.group.n; sender++) {
		struct agree *a = &b->sender[sender - 1].agree;
		const struct candidate *c = broadcast_voted(b, sender, b->task.group.t);

		if (agrees(b))
			agree_conclude(a, step_of(b), quorum(b), b->task.group.t);
		else if (b->round == ROUND_VOTE)
			agree_begin(a, c && mpc_set_size(c->votes) >= quorum(b));
	}
}

static enum err broadcast_take(struct mpc_protocol *p, const struct mpc_inbox *in, bool late,
			       enum mpc_progress *ret_progress)
{
	struct mpc_broadcast *b = CONTAINER_OF(p, struct mpc_broadcast, protocol);
	mpc_set from_whom = wanted(b), news = in->spoke & from_whom & (mpc_set)~b->read;

	for (unsigned from = 1; from <= b->task.group.n; from++)
		if (mpc_set_has(news, from))
			TRY(broadcast_hear(b, from, in->of[from - 1]));
	b->read |= news;
	*ret_progress = MPC_WAIT;
	if (b->read != from_whom && !late)
		return ERR_OK;
	/* Who missed a round is not waited for, nor listened to, until the end of this broadcast.
	 */
	b->listening &= (mpc_set) ~(from_whom & (mpc_set)~b->read);
	conclude(b);
	*ret_progress = b->round == last_round(b) ? MPC_DONE : MPC_ROUND_OVER;
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
	bool published = b->task.published;
	const struct candidate *c =
		broadcast_voted(b, sender, published ? quorum(b) - 1 : b->task.group.t);

	if (!c || b->round != last_round(b) ||
	    !(published || b->sender[sender - 1].agree.bit == AGREE_1))
		return false;
	*ret_value = buf_view(&c->value);
	return true;
}

unsigned mpc_broadcast_rounds(const struct mpc_group *g, bool published)
{
	const struct mpc_broadcast b = {.task = {.group = *g, .published = published}};

	return last_round(&b);
}
