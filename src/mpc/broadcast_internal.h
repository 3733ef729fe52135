/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the two files of broadcast share: its state, and whose turn it is. */
#ifndef MPC_BROADCAST_INTERNAL_H
#define MPC_BROADCAST_INTERNAL_H

#include "mpc/agree.h"
#include "mpc/broadcast.h"
#include "mpc/wire.h"

enum {
	ROUND_SEND = 1,
	ROUND_ECHO = 2,
	ROUND_VOTE = 3, /* as published, the first of t + 1 */
	ROUND_AGREE = 4 /* the first of three for each of t + 1 kings */
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
	struct agree agree;
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
	mpc_set sound;     /* and made sense */
	struct buf first[MPC_PARTIES_MAX];
	mpc_set spoke; /* senders of whom there is a first word */
	struct sender sender[MPC_PARTIES_MAX];
};

static inline bool sends(const struct mpc_broadcast *b, unsigned party)
{
	return mpc_set_has(b->task.senders, party);
}

static inline unsigned quorum(const struct mpc_broadcast *b)
{
	return b->parties_n - b->task.group.t;
}

static inline unsigned last_round(const struct mpc_broadcast *b)
{
	unsigned t = b->task.group.t;

	return b->task.published ? ROUND_VOTE + t : ROUND_VOTE + AGREE_STEPS * (t + 1);
}

/* The parties agree whether a sender's value counts. */
static inline bool agrees(const struct mpc_broadcast *b)
{
	return b->round >= ROUND_AGREE && !b->task.published;
}

static inline enum agree_step step_of(const struct mpc_broadcast *b)
{
	return (enum agree_step)((b->round - ROUND_AGREE) % AGREE_STEPS);
}

/* The k-th party that is not known to be corrupt rules the k-th phase. */
static inline unsigned king_of(const struct mpc_broadcast *b)
{
	unsigned before = (b->round - ROUND_AGREE) / AGREE_STEPS, king = 1;

	while (mpc_set_has(b->task.corrupt, king) || before-- > 0)
		king++;
	return king;
}

/* What more than `votes` parties voted for: of more than t there is one at most, as honest parties
 * vote for nothing else. */
static inline struct candidate *broadcast_voted(const struct mpc_broadcast *b, unsigned sender,
						unsigned votes)
{
	const struct sender *s = &b->sender[sender - 1];

	for (unsigned i = 0; i < s->candidates_n; i++)
		if (mpc_set_size(s->candidate[i].votes) > votes)
			return (struct candidate *)&s->candidate[i];
	return NULL;
}

/* A party's word of this round; what makes no sense is nobody's. */
enum err broadcast_hear(struct mpc_broadcast *b, unsigned from, struct bytes word) MUST_USE;
enum err broadcast_echo_counts(struct mpc_broadcast *b, unsigned from, unsigned sender,
			       struct bytes value) MUST_USE;

#endif
