/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/epoch_word.h"

#define QUESTION "claviger epoch 1" /* 16 bytes */

enum {
	/* Of a number that a peer says: it is added to. */
	ATTEMPTS_MAX = 1 << 30,
	/* How far we go at once for what others say. Numbers that nodes came to honestly lie close
	 * together; a single lie must not take us to where no further number can be said. */
	ATTEMPTS_STEP = 16
};

static uint64_t step_towards(const struct epoch_word *mine, uint64_t attempt)
{
	uint64_t most = mine->attempt + ATTEMPTS_STEP;

	return attempt < most ? attempt : most;
}

/* Will it never be PREPARED `attempt`, or no more? Then the first that it could be. */
static bool is_past(const struct epoch_word *w, uint64_t attempt, uint64_t *first)
{
	switch (w->stage) {
	case EPOCH_WORD_TRYING:
	case EPOCH_WORD_RUNNING:
	case EPOCH_WORD_PREPARED:
	case EPOCH_WORD_DONE:
		if (w->attempt <= attempt)
			return false;
		if (w->attempt > *first)
			*first = w->attempt;
		return true;
	case EPOCH_WORD_SILENT:
	case EPOCH_WORD_ABSENT:
	case EPOCH_WORD_FOREIGN:
		break;
	}
	return false;
}

/* The highest number that somebody can still begin, or join. */
static uint64_t highest(const struct epoch_word *mine, const struct epoch_word *others, size_t n)
{
	uint64_t k = mine->attempt;

	for (size_t i = 0; i < n; i++) {
		const struct epoch_word *w = &others[i];
		bool counts = w->stage == EPOCH_WORD_TRYING || w->stage == EPOCH_WORD_RUNNING;

		/* What is whole elsewhere will not be whole here: after it. */
		if (w->stage == EPOCH_WORD_PREPARED && w->attempt + 1 > k)
			k = w->attempt + 1;
		else if (counts && w->attempt > k)
			k = w->attempt;
	}
	return k;
}

static enum epoch_action decide_trying(const struct epoch_word *mine,
				       const struct epoch_word *others, size_t n,
				       uint64_t *ret_attempt)
{
	uint64_t k = highest(mine, others, n);

	for (size_t i = 0; i < n; i++)
		if (others[i].stage == EPOCH_WORD_DONE)
			return EPOCH_STRANDED;
	if (k > mine->attempt) {
		*ret_attempt = step_towards(mine, k);
		return EPOCH_RAISE;
	}
	for (size_t i = 0; i < n; i++) {
		const struct epoch_word *w = &others[i];
		bool ready = w->stage == EPOCH_WORD_TRYING ||
			     (w->stage == EPOCH_WORD_RUNNING && w->attempt == k) ||
			     (w->stage == EPOCH_WORD_FOREIGN && k == 0);

		if (!ready)
			return EPOCH_WAIT;
	}
	*ret_attempt = k;
	return EPOCH_BEGIN;
}

static enum epoch_action decide_prepared(const struct epoch_word *mine,
					 const struct epoch_word *others, size_t n)
{
	size_t agree = 0;

	for (size_t i = 0; i < n; i++) {
		const struct epoch_word *w = &others[i];
		bool same = w->attempt == mine->attempt;

		if (w->stage == EPOCH_WORD_DONE)
			return same ? EPOCH_COMMIT : EPOCH_STRANDED;
		agree +=
			(w->stage == EPOCH_WORD_PREPARED && same) || w->stage == EPOCH_WORD_FOREIGN;
	}
	return agree == n ? EPOCH_COMMIT : EPOCH_WAIT;
}

enum epoch_action epoch_decide(const struct epoch_word *mine, const struct epoch_word *others,
			       size_t n, uint64_t *ret_attempt)
{
	enum epoch_action action;
	bool past = false;

	if (mine->stage == EPOCH_WORD_TRYING)
		return decide_trying(mine, others, n, ret_attempt);
	if (mine->stage != EPOCH_WORD_RUNNING && mine->stage != EPOCH_WORD_PREPARED)
		return EPOCH_WAIT;
	action = mine->stage == EPOCH_WORD_PREPARED ? decide_prepared(mine, others, n) : EPOCH_WAIT;
	if (action != EPOCH_WAIT)
		return action;
	*ret_attempt = mine->attempt + 1;
	for (size_t i = 0; i < n; i++)
		past |= is_past(&others[i], mine->attempt, ret_attempt);
	*ret_attempt = step_towards(mine, *ret_attempt);
	return past ? EPOCH_LEAVE : EPOCH_WAIT;
}

/* ---- on the wire ---- */

void epoch_question_write(uint8_t out[EPOCH_QUESTION_SIZE], struct hash32 context_id,
			  struct hash32 epoch_id)
{
	memcpy(out, QUESTION, 16);
	memcpy(&out[16], context_id.b, 32);
	memcpy(&out[48], epoch_id.b, 32);
}

enum err epoch_question_read(struct hash32 *ret_context_id, struct hash32 *ret_epoch_id,
			     struct bytes question)
{
	if (question.n != EPOCH_QUESTION_SIZE ||
	    !bytes_eq_var(bytes_sub(question, 0, 16), bytes_from(QUESTION, 16)))
		return ERR_MALFORMED;
	memcpy(ret_context_id->b, &question.p[16], 32);
	memcpy(ret_epoch_id->b, &question.p[48], 32);
	return ERR_OK;
}

void epoch_answer_write(uint8_t out[EPOCH_ANSWER_SIZE], const struct epoch_word *w)
{
	out[0] = (uint8_t)w->stage;
	for (unsigned i = 0; i < 8; i++)
		out[1 + i] = (uint8_t)(w->attempt >> (8 * i));
}

struct epoch_word epoch_answer_read(struct bytes answer)
{
	struct epoch_word w = {.stage = EPOCH_WORD_SILENT};
	struct reader in = reader_of(answer);

	if (answer.n == 0)
		return (struct epoch_word){.stage = EPOCH_WORD_FOREIGN};

	uint8_t stage = reader_u8(&in);
	uint64_t attempt = reader_u64le(&in);

	if (reader_end(&in) != ERR_OK || stage < EPOCH_WORD_ABSENT || stage > EPOCH_WORD_DONE ||
	    attempt > ATTEMPTS_MAX)
		return w;
	return (struct epoch_word){.stage = (enum epoch_stage)stage, .attempt = attempt};
}

uint64_t epoch_session_index(uint64_t attempt)
{
	return attempt == 0 ? 0 : (UINT64_C(1) << 32) + attempt;
}
