/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What was said to other nodes, in the database: with the answer or not at all, for so long and so
 * much of it. */
#include <stdio.h>

#include "base/limits.h"
#include "core/word_store.h"
#include "support.h"

enum {
	LINGER_MS = 1000
};

struct table {
	struct fixture *f;
	struct store *store;
	enum err err;
	/* What a list told. */
	size_t n, sessions_n;
	struct word_record first, last; /* without words */
	size_t first_n;                 /* bytes of its words */
};

static int setup(void **state)
{
	static struct fixture f;
	static struct table t;

	fixture_make(&f, KEY_TEST);
	t = (struct table){.f = &f};
	OK(request_store_open(&t.store, f.loop, f.config.request_store_path, NULL));
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	struct table *t = *state;

	store_free(t->store);
	fixture_remove(t->f);
	return 0;
}

static void on_done(void *ctx, const struct store_result *result)
{
	struct table *t = ctx;

	t->err = result->err;
	loop_stop(t->f->loop);
}

static struct request_name name_of(unsigned number)
{
	return (struct request_name){.kind = REQUEST_PUBLIC_DECRYPTION,
				     .id = request_number(number)};
}

static void accept(struct table *t, unsigned number)
{
	const struct request_offer offer = {
		.name = name_of(number), .message = BYTES_LIT("what is asked"), .sessions = true};

	OK(request_store_admit(t->store, &offer, on_done, t));
	OK(loop_run(t->f->loop));
	OK(t->err);
}

/* `sessions_n` = 0: without words. */
static enum err complete(struct table *t, unsigned number, size_t sessions_n, int64_t now_ms)
{
	const struct request_success success = {
		.answer = BYTES_LIT("answer"),
		.words = sessions_n > 0 ? BYTES_LIT("words") : BYTES_NONE,
		.sessions_n = sessions_n,
		.context_id = {{7}},
		.linger_ms = LINGER_MS,
	};

	OK(request_store_complete(t->store, name_of(number), &success, now_ms, on_done, t));
	OK(loop_run(t->f->loop));
	return t->err;
}

static void on_list(void *ctx, const struct store_result *result)
{
	struct table *t = ctx;

	OK(result->err);
	t->n = word_store_count(result);
	t->sessions_n = 0;
	for (size_t i = 0; i < t->n && t->err == ERR_OK; i++) {
		t->err = word_store_record(&t->last, result, i);
		t->sessions_n += t->last.sessions_n;
		if (i == 0) {
			t->first = t->last;
			t->first_n = t->last.words.n;
		}
	}
	loop_stop(t->f->loop);
}

static size_t list(struct table *t, int64_t since_ms)
{
	t->err = ERR_OK;
	OK(word_store_list(t->store, since_ms, on_list, t));
	OK(loop_run(t->f->loop));
	return t->n;
}

static void execute(struct table *t, const char *sql)
{
	struct store_batch b = store_batch_make(1 << 17);

	OK(STORE_ADD(&b, STORE_ANY, sql));
	OK(store_submit(t->store, &b, on_done, t));
	OK(loop_run(t->f->loop));
	OK(t->err);
}

static void test_with_the_answer(void **state)
{
	struct table *t = *state;

	assert_int_equal(list(t, 0), 0);
	accept(t, 1);
	accept(t, 2);
	OK(complete(t, 1, 3, 100));
	OK(complete(t, 2, 0, 100));
	/* Not pending: nothing of it is stored. */
	assert_int_equal(complete(t, 1, 5, 200), ERR_STATE_MOVED);
	assert_int_equal(complete(t, 3, 5, 200), ERR_STATE_MOVED);
	assert_int_equal(list(t, 0), 1);
	OK(t->err);
	assert_true(hash32_eq(t->first.id, request_number(1)));
	assert_true(hash32_eq(t->first.context_id, (struct hash32){{7}}));
	assert_int_equal(t->first.sessions_n, 3);
	assert_int_equal(t->first.ended_ms, 100);
	assert_int_equal(t->first_n, 5);
}

/* With the next one, and at start. */
static void test_for_so_long(void **state)
{
	struct table *t = *state;

	for (unsigned i = 1; i <= 4; i++)
		accept(t, i);
	OK(complete(t, 1, 1, 5000));
	OK(complete(t, 2, 1, 5001));
	OK(complete(t, 3, 1, 5000 + LINGER_MS));
	assert_int_equal(list(t, 0), 2);
	assert_true(hash32_eq(t->first.id, request_number(2)));
	/* The wall clock was set back: by its own time. */
	OK(complete(t, 4, 1, 4000));
	assert_int_equal(list(t, 0), 3);
	assert_true(hash32_eq(t->last.id, request_number(4)));
	assert_int_equal(list(t, 5001), 1);
	assert_true(hash32_eq(t->first.id, request_number(3)));
	assert_int_equal(list(t, 0), 1);
	/* Empty, and again from the beginning. */
	assert_int_equal(list(t, 100000), 0);
	accept(t, 5);
	OK(complete(t, 5, 1, 200000));
	assert_int_equal(list(t, 0), 1);
}

static void test_so_many(void **state)
{
	struct table *t = *state;

	for (unsigned i = 1; i <= 7; i++)
		accept(t, i);
	for (unsigned i = 1; i <= 4; i++)
		OK(complete(t, i, 1000, 100 + i));
	/* 4000 of 4096; one more request goes past it, by less than itself. */
	assert_int_equal(list(t, 0), 4);
	OK(complete(t, 5, 96, 105));
	assert_int_equal(list(t, 0), 5);
	assert_int_equal(t->sessions_n, PEER_RUNS_MAX);
	OK(complete(t, 6, 999, 106));
	assert_int_equal(list(t, 0), 6);
	OK(complete(t, 7, 1, 107));
	assert_int_equal(list(t, 0), 6);
	assert_true(hash32_eq(t->first.id, request_number(2)));
	assert_true(t->sessions_n >= PEER_RUNS_MAX &&
		    t->sessions_n < PEER_RUNS_MAX + HANDLES_PER_REQUEST_MAX);
}

static void test_damaged(void **state)
{
	static const char *const wrong[] = {
		"UPDATE word SET sessions = 100000",
		"UPDATE word SET words = 'text'",
		"UPDATE word SET ended_ms = 'late'",
	};
	struct table *t = *state;

	accept(t, 1);
	OK(complete(t, 1, 1, 100));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		execute(t, wrong[i]);
		assert_int_equal(list(t, 0), 1);
		assert_int_equal(t->err, ERR_CORRUPT);
		execute(t, "UPDATE word SET sessions = 1, words = x'00', ended_ms = 100");
		assert_int_equal(list(t, 0), 1);
		OK(t->err);
	}
}

/* Its nodes have nobody to say it to. */
static void test_centralised_has_none(void **state)
{
	struct buf ciphertext = vector_read("tfhe/nat_test_csq64.bin");
	struct table *t = *state;
	struct request q;

	store_free(t->store);
	t->store = NULL;
	node_up(t->f);
	request_init(&q, 1, buf_view(&ciphertext));
	assert_int_equal(call_request(t->f, RPC_SYNC, &q), GRPC_OK);
	node_down(t->f);
	OK(request_store_open(&t->store, t->f->loop, t->f->config.request_store_path, NULL));
	assert_int_equal(list(t, 0), 0);
	buf_free(&ciphertext);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_with_the_answer), TEST(test_for_so_long),          TEST(test_so_many),
		TEST(test_damaged),         TEST(test_centralised_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
