/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The rule by which nodes agree on an epoch: in any order of questions, attempts, failures and
 * restarts no two nodes end with different attempts, and while all are there it ends. The nodes are
 * only what they say and have stored; SEED and RUNS choose others.
 */
#include <stdlib.h>

#include "base/rng.h"
#include "core/epoch_word.h"
#include "support.h"

enum {
	PARTIES_MAX = 13,
	STEPS = 400,
	STEPS_MORE = 100000,
};

struct node {
	struct epoch_word says;
	uint64_t stored; /* the highest attempt that was begun or given up, plus 1 */

	bool here;
	struct epoch_word heard[PARTIES_MAX]; /* may be old */
};

struct world {
	struct node node[PARTIES_MAX];
	unsigned n;
	struct rng *rng;
};

static void restart(struct node *x)
{
	if (x->says.stage == EPOCH_WORD_RUNNING)
		x->says = (struct epoch_word){EPOCH_WORD_TRYING, x->stored};
	x->here = true;
}

/* One question; the answer may be used much later. */
static void hear(struct world *w, unsigned i, unsigned j)
{
	w->node[i].heard[j] =
		w->node[j].here ? w->node[j].says : (struct epoch_word){.stage = EPOCH_WORD_SILENT};
}

static void act(struct world *w, unsigned i)
{
	struct node *x = &w->node[i];
	struct epoch_word others[PARTIES_MAX];
	uint64_t attempt = 0;
	size_t n = 0;

	for (unsigned j = 0; j < w->n; j++)
		if (j != i)
			others[n++] = x->heard[j];
	switch (epoch_decide(&x->says, others, n, &attempt)) {
	case EPOCH_RAISE:
	case EPOCH_LEAVE:
		assert_true(attempt > x->says.attempt || x->says.stage == EPOCH_WORD_RUNNING);
		assert_true(attempt >= x->stored);
		x->stored = attempt;
		x->says = (struct epoch_word){EPOCH_WORD_TRYING, attempt};
		break;
	case EPOCH_BEGIN:
		assert_true(attempt >= x->stored); /* never a second time */
		x->stored = attempt + 1;
		x->says = (struct epoch_word){EPOCH_WORD_RUNNING, attempt};
		break;
	case EPOCH_COMMIT:
		x->says.stage = EPOCH_WORD_DONE;
		break;
	case EPOCH_STRANDED:
		fail_msg("a node has no part of what others have");
		break;
	case EPOCH_WAIT:
		break;
	}
}

/* A round waits for all, as long as its timeout: whole is what all have begun. */
static bool all_begun(const struct world *w, uint64_t attempt)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->node[i].stored <= attempt)
			return false;
	return true;
}

/* An attempt ends here: whole if its luck holds, whatever others do. */
static void finish(struct world *w, unsigned i, bool well)
{
	struct node *x = &w->node[i];

	if (x->says.stage == EPOCH_WORD_RUNNING)
		x->says = well ? (struct epoch_word){EPOCH_WORD_PREPARED, x->says.attempt}
			       : (struct epoch_word){EPOCH_WORD_TRYING, x->stored};
}

static void check(const struct world *w)
{
	const struct node *done = NULL;

	for (unsigned i = 0; i < w->n; i++) {
		if (w->node[i].says.stage != EPOCH_WORD_DONE)
			continue;
		if (done)
			assert_int_equal(done->says.attempt, w->node[i].says.attempt);
		done = &w->node[i];
	}
}

static void step(struct world *w, bool faults)
{
	unsigned i = (unsigned)rng_below(w->rng, w->n), j = (unsigned)rng_below(w->rng, w->n);
	struct node *x = &w->node[i];

	if (!x->here) {
		if (!faults || rng_below(w->rng, 3) == 0)
			restart(x);
		return;
	}
	switch (rng_below(w->rng, faults ? 8 : 6)) {
	case 0:
	case 1:
	case 2:
		if (i != j)
			hear(w, i, j);
		break;
	case 3:
	case 4:
		act(w, i);
		break;
	case 5:
		if (faults || all_begun(w, x->says.attempt))
			finish(w, i, !faults || rng_below(w->rng, 4) != 0);
		break;
	default:
		x->here = false;
		memset(x->heard, 0, sizeof(x->heard));
	}
	check(w);
}

static bool all_done(const struct world *w)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->node[i].says.stage != EPOCH_WORD_DONE)
			return false;
	return true;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *given = getenv(name);

	return given ? strtoull(given, NULL, 10) : otherwise;
}

static void test_agreement(void **state)
{
	(void)state;
	uint64_t seed = number_of("SEED", 1), runs = number_of("RUNS", 2000);

	for (uint64_t run = seed; run < seed + runs; run++) {
		struct rng_seeded r;
		struct world w = {.rng = rng_seeded_init(&r, run)};

		w.n = rng_below(w.rng, 4) == 0 ? PARTIES_MAX : 4;
		for (unsigned i = 0; i < w.n; i++) {
			w.node[i].says.stage = EPOCH_WORD_TRYING;
			w.node[i].here = rng_below(w.rng, 2) == 0;
		}
		for (unsigned k = 0; k < STEPS; k++)
			step(&w, true);
		for (unsigned k = 0; k < STEPS_MORE && !all_done(&w); k++)
			step(&w, false);
		if (!all_done(&w))
			fail_msg("seed %llu: it does not end", (unsigned long long)run);
	}
}

/* One lie must not use the numbers up: what comes after them could not be said any more. */
static void test_liar_with_high_numbers(void **state)
{
	(void)state;
	static const enum epoch_stage LIES[] = {EPOCH_WORD_TRYING, EPOCH_WORD_RUNNING,
						EPOCH_WORD_PREPARED};

	for (size_t lie = 0; lie < ARRAY_LEN(LIES); lie++) {
		struct epoch_word mine = {EPOCH_WORD_TRYING, 0};
		struct epoch_word others[3] = {{EPOCH_WORD_TRYING, 0},
					       {EPOCH_WORD_TRYING, 0},
					       {LIES[lie], UINT64_C(1) << 30}};
		uint8_t text[EPOCH_ANSWER_SIZE];

		/* An hour of questions; every other one finds us in an attempt. */
		for (int i = 0; i < 3600; i++) {
			uint64_t attempt = 0;
			enum epoch_action action;

			mine.stage = i % 2 ? EPOCH_WORD_RUNNING : EPOCH_WORD_TRYING;
			action = epoch_decide(&mine, others, 3, &attempt);
			assert_true(action == EPOCH_RAISE || action == EPOCH_LEAVE);
			assert_true(attempt > mine.attempt);
			mine = (struct epoch_word){EPOCH_WORD_TRYING, attempt};
			others[0] = others[1] = mine;
		}
		mine.attempt += 1000000;
		epoch_answer_write(text, &mine);
		assert_int_equal(epoch_answer_read(BYTES_OF(text)).stage, EPOCH_WORD_TRYING);
	}
}

static void test_wire(void **state)
{
	(void)state;
	const struct epoch_word w = {EPOCH_WORD_PREPARED, 0x12345};
	struct hash32 context = {{7}}, epoch = {{8}}, c, e;
	uint8_t question[EPOCH_QUESTION_SIZE], answer[EPOCH_ANSWER_SIZE];
	struct epoch_word read;

	epoch_question_write(question, context, epoch);
	OK(epoch_question_read(&c, &e, BYTES_OF(question)));
	assert_true(hash32_eq(c, context) && hash32_eq(e, epoch));
	question[0] ^= 1;
	assert_int_equal(epoch_question_read(&c, &e, BYTES_OF(question)), ERR_MALFORMED);
	assert_int_equal(epoch_question_read(&c, &e, bytes_sub(BYTES_OF(question), 1, 79)),
			 ERR_MALFORMED);

	epoch_answer_write(answer, &w);
	read = epoch_answer_read(BYTES_OF(answer));
	assert_int_equal(read.stage, w.stage);
	assert_int_equal(read.attempt, w.attempt);
	assert_int_equal(epoch_answer_read(BYTES_NONE).stage, EPOCH_WORD_FOREIGN);
	assert_int_equal(epoch_answer_read(bytes_sub(BYTES_OF(answer), 0, 8)).stage,
			 EPOCH_WORD_SILENT);
	answer[8] = 0x80; /* a number that would overflow one day */
	assert_int_equal(epoch_answer_read(BYTES_OF(answer)).stage, EPOCH_WORD_SILENT);
	answer[8] = 0;
	answer[0] = 77;
	assert_int_equal(epoch_answer_read(BYTES_OF(answer)).stage, EPOCH_WORD_SILENT);
	/* The published implementation's is the first. */
	assert_true(epoch_session_index(0) == 0 && epoch_session_index(1) > UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agreement),
		cmocka_unit_test(test_liar_with_high_numbers),
		cmocka_unit_test(test_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
