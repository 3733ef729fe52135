/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * How nodes agree when an epoch's set-up is run, and when it is whole: by asking each other how far
 * they are. One run is an attempt, with a number and a session of its own; what it makes counts if
 * all nodes made it in the same attempt.
 *
 *	TRYING k    no attempt below k will ever be whole here; k could be begun
 *	RUNNING a   attempt a is under way
 *	PREPARED a  attempt a was whole here, and is kept
 *	DONE a      attempt a was whole everywhere, and is the epoch
 *
 * Every word is stored before it is said, but RUNNING a, which after a restart has become
 * TRYING a + 1: what a session was begun with is gone, and it is never begun again.
 *
 * Why no two nodes end with different keys as long as nodes only stop and start again: DONE a is
 * said by who has heard PREPARED a, or DONE a, of all. Who is PREPARED a leaves it only for having
 * heard of a node that will never be PREPARED a, or has left it. The first to leave would have
 * heard of such a node; but all were PREPARED a once, and nobody goes there from TRYING a + 1. So
 * nobody leaves.
 *
 * Why it ends: while all nodes are there, all come to the highest number that one of them says,
 * and begin it within the time between two questions. All n must be there, as who is absent has no
 * part of the epoch. A node that lies can prevent the end, or keep others from a part; it is named
 * in the log, and learns nothing. When it lies no more it ends: a high number that it said is
 * followed in small steps, so that numbers are not used up.
 */
#ifndef CORE_EPOCH_WORD_H
#define CORE_EPOCH_WORD_H

#include "base/bytes.h"
#include "base/u256.h"
#include "mpc/group.h"

enum epoch_stage {
	EPOCH_WORD_SILENT, /* it did not answer */
	EPOCH_WORD_ABSENT, /* it does not know of this epoch, or not yet */
	EPOCH_WORD_TRYING,
	EPOCH_WORD_RUNNING,
	EPOCH_WORD_PREPARED,
	EPOCH_WORD_DONE,
	/* The published implementation, which has no such words: it begins attempt 0 when it is
	 * told to, and that is all. */
	EPOCH_WORD_FOREIGN,
};

struct epoch_word {
	enum epoch_stage stage;
	uint64_t attempt;
};

enum epoch_action {
	EPOCH_WAIT,
	EPOCH_RAISE,   /* TRYING: to the attempt given */
	EPOCH_BEGIN,   /* TRYING: the attempt that is said */
	EPOCH_LEAVE,   /* RUNNING, PREPARED: nothing comes of it; to TRYING the attempt given */
	EPOCH_COMMIT,  /* PREPARED: it is the epoch */
	EPOCH_STRANDED /* the others have it, and we have no part of it */
};

/* What to do when we say `mine` and the others (n of them, in any order) `others`. */
enum epoch_action epoch_decide(const struct epoch_word *mine, const struct epoch_word *others,
			       size_t n, uint64_t *ret_attempt);

/* ---- on the wire ---- */

enum {
	EPOCH_QUESTION_SIZE = 16 + 32 + 32,
	EPOCH_ANSWER_SIZE = 9
};
void epoch_question_write(uint8_t out[EPOCH_QUESTION_SIZE], struct hash32 context_id,
			  struct hash32 epoch_id);
/* ERR_MALFORMED: not a question of this kind. */
enum err epoch_question_read(struct hash32 *ret_context_id, struct hash32 *ret_epoch_id,
			     struct bytes question) MUST_USE;
void epoch_answer_write(uint8_t out[EPOCH_ANSWER_SIZE], const struct epoch_word *w);
/* Empty: FOREIGN. What makes no sense: SILENT. */
struct epoch_word epoch_answer_read(struct bytes answer);

/* The number that the session of an attempt has among those of the epoch: 0 is the first, as in the
 * published implementation, which has uses for the next ones. */
uint64_t epoch_session_index(uint64_t attempt);

#endif
