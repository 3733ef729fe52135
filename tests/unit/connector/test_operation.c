/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The operation's statements on the real database: identity, claims, leases and compare-and-set. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "connector/listener/internal.h"
#include "sim.h"

static int setup(void **state)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	sim_init(s, 3);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	sim_free(*state);
	free(*state);
	return 0;
}

/* ---- batches, one at a time ---- */

struct outcome {
	bool came;
	enum err err;
	size_t n;
	struct operation ops[16];
	uint8_t contents[16][64];
	bool null_due;
	int64_t due;
};

static void on_done(void *ctx, const struct store_result *r)
{
	struct outcome *o = ctx;

	o->came = true;
	o->err = r->err;
	if (r->err != ERR_OK || r->rows_n == 0)
		return;
	const struct store_rows *rows = &r->rows[0];
	if (rows->columns_n == 1 && rows->rows_n == 1) {
		o->null_due = store_cell(rows, 0, 0)->type == STORE_NULL;
		o->due = store_cell(rows, 0, 0)->i;
		return;
	}
	for (size_t i = 0; i < rows->rows_n; i++) {
		assert_int_equal(op_from_row(&o->ops[i], store_cell(rows, i, 0), rows->columns_n),
				 ERR_OK);
		memcpy(o->contents[i], o->ops[i].content.p, o->ops[i].content.n);
		o->ops[i].content.p = o->contents[i];
		o->n++;
	}
}

static enum err run(struct sim *s, struct store_batch *b, struct outcome *o)
{
	*o = (struct outcome){0};
	assert_int_equal(store_submit(&s->store.base, b, on_done, o), ERR_OK);
	sim_run(s, 1);
	assert_true(o->came);
	return o->err;
}

static struct operation sample(uint8_t id)
{
	static const uint8_t content[] = "content", block_hash[32] = {1};
	struct operation op = {
		.key = {.chain = {54321},
			.kind = OP_KIND_PUBLIC_DECRYPTION,
			.request_id = u256_from_u64(id)},
		.block = {100},
		.content = BYTES_OF(content),
		.log_index = 3,
	};

	memset(op.key.contract.b, 0xde, sizeof(op.key.contract.b));
	memset(op.key.content_digest.b, 0xcd, sizeof(op.key.content_digest.b));
	memcpy(op.block_hash.b, block_hash, sizeof(block_hash));
	return op;
}

static void insert(struct sim *s, const struct operation *op, int64_t now_ms)
{
	struct store_batch b = store_batch_make(1 << 16);
	struct outcome o;

	assert_int_equal(op_add_insert(&b, op, now_ms), ERR_OK);
	assert_int_equal(run(s, &b, &o), ERR_OK);
}

static size_t claim(struct sim *s, struct outcome *o, enum op_state state, const char *owner,
		    int64_t now_ms, int64_t until_ms, unsigned limit)
{
	struct store_batch b = store_batch_make(1 << 16);

	assert_int_equal(op_add_claim(&b, state, owner, now_ms, until_ms, limit), ERR_OK);
	assert_non_null(strstr(b.v[0].sql, STORE_CLAIM)); /* what another engine needs */
	assert_int_equal(run(s, &b, o), ERR_OK);
	return o->n;
}

static enum err move(struct sim *s, int64_t id, enum op_state from, const char *owner,
		     struct op_change c, int64_t now_ms)
{
	struct store_batch b = store_batch_make(1 << 16);
	struct outcome o;

	assert_int_equal(op_add_move(&b, id, from, owner, &c, now_ms), ERR_OK);
	return run(s, &b, &o);
}

/* ---- tests ---- */

static void test_names(void **state)
{
	(void)state;
	for (enum op_state s = OP_SEEN; s <= OP_EXPIRED; s++) {
		enum op_state back = 0;

		assert_int_equal(op_state_from_name(&back, bytes_str(op_state_name(s))), ERR_OK);
		assert_int_equal(back, s);
		assert_int_equal(op_state_terminal(s), s >= OP_DONE);
	}
	assert_string_equal(op_state_name((enum op_state)99), "unknown");
	assert_string_equal(op_kind_name(OP_KIND_PUBLIC_DECRYPTION), "public_decryption_request");
	enum op_state none;
	assert_int_equal(op_state_from_name(&none, BYTES_LIT("seen ")), ERR_MALFORMED);
}

/* Every pair, against the picture in the header. */
static void test_moves(void **state)
{
	static const char *const way[] = {"seen",     "ready",   "computing",
					  "answered", "sending", "done"};

	(void)state;
	for (enum op_state from = OP_SEEN; from <= OP_EXPIRED; from++)
		for (enum op_state to = OP_SEEN; to <= OP_EXPIRED; to++) {
			bool next = to == from + 1 && to <= OP_DONE;
			bool stay = to == from;
			bool end = to > OP_DONE;
			bool back = from == OP_SENDING && to == OP_ANSWERED;
			bool done = (from == OP_ANSWERED || from == OP_COMPUTING) && to == OP_DONE;
			bool want = from < OP_DONE && (next || stay || end || back || done);

			assert_int_equal(op_may_move(from, to), want);
		}
	assert_int_equal(ARRAY_LEN(way), OP_DONE);
	assert_false(op_may_move(0, OP_SEEN));
	assert_false(op_may_move(OP_SEEN, (enum op_state)11));
}

static void test_row_comes_back_as_it_went(void **state)
{
	struct sim *s = *state;
	struct operation op = sample(1);
	struct outcome o;

	insert(s, &op, 1000);
	assert_int_equal(claim(s, &o, OP_SEEN, "me", 2000, 9000, 10), 1);
	const struct operation *r = &o.ops[0];
	assert_int_equal(r->key.chain.v, 54321);
	assert_memory_equal(r->key.contract.b, op.key.contract.b, 20);
	assert_true(u256_eq(r->key.request_id, u256_from_u64(1)));
	assert_true(hash32_eq(r->key.content_digest, op.key.content_digest));
	assert_int_equal(r->state, OP_SEEN);
	assert_int_equal(r->block.v, 100);
	assert_int_equal(r->log_index, 3);
	assert_memory_equal(o.contents[0], "content", 8);
	assert_int_equal(r->created_ms, 1000);
	assert_int_equal(r->attempts + r->deferrals + r->refused_since_ms, 0);
}

static void test_insert_learns(void **state)
{
	struct sim *s = *state;
	struct operation op = sample(1);

	insert(s, &op, 1000);
	/* Another log of the same block: materials come, the place stays. */
	op.materials = BYTES_LIT("materials");
	op.log_index = 4;
	insert(s, &op, 1001);
	assert_int_equal(sim_sql_int(s, "SELECT count(*) FROM operation"), 1);
	assert_string_equal(sim_sql_text(s, "SELECT materials FROM operation"), "materials");
	assert_int_equal(sim_sql_int(s, "SELECT log_index FROM operation"), 3);
	/* What is known is not overwritten. */
	op.materials = BYTES_LIT("others");
	insert(s, &op, 1002);
	assert_string_equal(sim_sql_text(s, "SELECT materials FROM operation"), "materials");
	/* Another block: the place goes along; the first sight stays. */
	op.materials = BYTES_NONE;
	op.block.v = 101;
	op.block_hash.b[0] = 2;
	insert(s, &op, 1003);
	assert_int_equal(sim_sql_int(s, "SELECT block FROM operation"), 101);
	assert_int_equal(sim_sql_int(s, "SELECT log_index FROM operation"), 4);
	assert_string_equal(sim_sql_text(s, "SELECT materials FROM operation"), "materials");
	assert_int_equal(sim_sql_int(s, "SELECT created_ms FROM operation"), 1000);
	/* Other content under the same id is another operation. */
	op.key.content_digest.b[0] ^= 1;
	insert(s, &op, 1004);
	assert_int_equal(sim_sql_int(s, "SELECT count(*) FROM operation"), 2);
}

static void test_terminal_rows_never_change(void **state)
{
	struct sim *s = *state;
	struct operation op = sample(1);
	struct outcome o;
	struct op_change refuse = {.to = OP_REFUSED, .reason = BYTES_LIT("no")};
	struct op_change again = {.to = OP_READY};

	insert(s, &op, 1000);
	assert_int_equal(claim(s, &o, OP_SEEN, "me", 2000, 9000, 1), 1);
	assert_int_equal(move(s, 1, OP_SEEN, "me", refuse, 2001), ERR_OK);
	assert_int_equal(
		sim_sql_int(s, "SELECT lease_owner IS NULL AND lease_until_ms = 0 FROM operation"),
		1);
	assert_int_equal(move(s, 1, OP_SEEN, "me", again, 2002), ERR_STATE_MOVED);
	op.block.v = 500;
	op.block_hash.b[0] = 9;
	op.materials = BYTES_LIT("late");
	insert(s, &op, 3000);
	assert_int_equal(sim_sql_int(s, "SELECT block FROM operation"), 100);
	assert_int_equal(sim_sql_int(s, "SELECT length(materials) FROM operation"), 0);
	struct store_batch b = store_batch_make(1 << 12);
	assert_int_equal(op_add_move(&b, 1, OP_REFUSED, "me", &again, 0), ERR_RANGE);
	assert_int_equal(op_add_claim(&b, OP_DONE, "me", 0, 1, 1), ERR_RANGE);
	store_batch_free(&b);
}

static void test_claims_do_not_overlap(void **state)
{
	struct sim *s = *state;
	struct outcome o;

	for (uint8_t id = 1; id <= 7; id++) {
		struct operation op = sample(id);

		insert(s, &op, 1000);
	}
	assert_int_equal(claim(s, &o, OP_SEEN, "a", 2000, 9000, 3), 3);
	assert_int_equal(claim(s, &o, OP_SEEN, "b", 2000, 9000, 10), 4);
	assert_int_equal(claim(s, &o, OP_SEEN, "b", 2000, 9000, 10), 0);
	/* A row has one holder: a move under another name loses. */
	struct op_change ready = {.to = OP_READY};
	assert_int_equal(move(s, 1, OP_SEEN, "b", ready, 2001), ERR_STATE_MOVED);
	assert_int_equal(move(s, 1, OP_SEEN, "a", ready, 2001), ERR_OK);
	assert_int_equal(move(s, 1, OP_SEEN, "a", ready, 2001), ERR_STATE_MOVED);
	/* Its own live lease is one as well. */
	assert_int_equal(claim(s, &o, OP_SEEN, "a", 2001, 9000, 10), 0);
	/* A lease that ran out can be taken. */
	assert_int_equal(claim(s, &o, OP_SEEN, "c", 9000, 20000, 10), 6);
	assert_int_equal(move(s, 2, OP_SEEN, "a", ready, 9001), ERR_STATE_MOVED);
}

static void test_oldest_due_first(void **state)
{
	struct sim *s = *state;
	struct outcome o;
	static const int64_t due[] = {0, 5000, 4000, 6000};

	for (uint8_t id = 1; id <= 3; id++) {
		struct operation op = sample(id);

		insert(s, &op, 1000);
		assert_int_equal(claim(s, &o, OP_SEEN, "a", 2000, 9000, 1), 1);
		struct op_change later = {.to = OP_SEEN,
					  .due_ms = due[id],
					  .refused_since_ms = -1,
					  .deferred = true,
					  .release = true};
		assert_int_equal(move(s, id, OP_SEEN, "a", later, 2001), ERR_OK);
	}
	assert_int_equal(claim(s, &o, OP_SEEN, "a", 3999, 9000, 5), 0);
	struct store_batch b = store_batch_make(1 << 12);
	assert_int_equal(op_add_next_due(&b, OP_SEEN, 3999), ERR_OK);
	assert_int_equal(run(s, &b, &o), ERR_OK);
	assert_int_equal(o.due, 4000);
	assert_int_equal(claim(s, &o, OP_SEEN, "a", 10000, 20000, 1), 1);
	assert_int_equal(o.ops[0].id, 2);
	b = store_batch_make(1 << 12);
	assert_int_equal(op_add_next_due(&b, OP_SEEN, 10000), ERR_OK);
	assert_int_equal(run(s, &b, &o), ERR_OK);
	assert_true(o.null_due);
}

static void test_counters(void **state)
{
	struct sim *s = *state;
	struct operation op = sample(1);
	struct outcome o;
	struct op_change c = {.to = OP_SEEN, .refused_since_ms = 77, .deferred = true};

	insert(s, &op, 1000);
	assert_int_equal(claim(s, &o, OP_SEEN, "a", 2000, 9000, 1), 1);
	assert_int_equal(move(s, 1, OP_SEEN, "a", c, 1), ERR_OK);
	c.refused_since_ms = -1;
	assert_int_equal(move(s, 1, OP_SEEN, "a", c, 1), ERR_OK);
	assert_int_equal(sim_sql_int(s, "SELECT deferrals FROM operation"), 2);
	assert_int_equal(sim_sql_int(s, "SELECT refused_since_ms FROM operation"), 77);
	c = (struct op_change){.to = OP_SEEN, .attempt_failed = true, .refusals_over = true};
	assert_int_equal(move(s, 1, OP_SEEN, "a", c, 1), ERR_OK);
	assert_int_equal(sim_sql_int(s, "SELECT attempts FROM operation"), 1);
	assert_int_equal(sim_sql_int(s, "SELECT refused_since_ms FROM operation"), 0);
	/* A step forward forgets deferrals, never attempts; NULL views leave their columns. */
	c = (struct op_change){.to = OP_READY,
			       .proof = BYTES_LIT("proof"),
			       .error = BYTES_LIT("timeout"),
			       .refused_since_ms = -1};
	assert_int_equal(move(s, 1, OP_SEEN, "a", c, 1), ERR_OK);
	c = (struct op_change){.to = OP_COMPUTING};
	assert_int_equal(move(s, 1, OP_READY, "a", c, 1), ERR_OK);
	assert_int_equal(sim_sql_int(s, "SELECT deferrals FROM operation"), 0);
	assert_int_equal(sim_sql_int(s, "SELECT attempts FROM operation"), 1);
	assert_string_equal(sim_sql_text(s, "SELECT proof FROM operation"), "proof");
	assert_string_equal(sim_sql_text(s, "SELECT error FROM operation"), "timeout");
}

/* Who says nothing changes nothing. */
static void test_an_empty_change_leaves_everything(void **state)
{
	struct sim *s = *state;
	struct operation op = sample(1);
	struct outcome o, after;
	struct op_change c = {.proof = BYTES_LIT("proof"),
			      .answer = BYTES_LIT("answer"),
			      .error = BYTES_LIT("timeout"),
			      .reason = BYTES_LIT("why"),
			      .refused_since_ms = 77,
			      .attempt_failed = true,
			      .deferred = true};
	static const char columns[] =
		"SELECT state || proof || answer || error || reason || refused_since_ms || attempts"
		" || deferrals || lease_owner || lease_until_ms FROM operation";

	insert(s, &op, 1000);
	assert_int_equal(claim(s, &o, OP_SEEN, "me", 2000, 9000, 1), 1);
	assert_int_equal(move(s, 1, OP_SEEN, "me", c, 2001), ERR_OK);
	assert_string_equal(sim_sql_text(s, columns), "seenproofanswertimeoutwhy7711me9000");
	assert_int_equal(move(s, 1, OP_SEEN, "me", (struct op_change){0}, 2002), ERR_OK);
	assert_string_equal(sim_sql_text(s, columns), "seenproofanswertimeoutwhy7711me9000");
	assert_int_equal(claim(s, &after, OP_SEEN, "me", 9000, 9001, 1), 1);
	assert_int_equal(after.ops[0].due_ms, 0);
}

/* STORE_TEXT must be UTF-8: what others say may be anything, and must not keep a row from moving.
 */
static void test_reason_is_text_whatever_was_given(void **state)
{
	struct sim *s = *state;
	struct operation op = sample(1);
	struct outcome o;
	static const char dirty[] = "a\xff\0b\n\xc3\xa9\xc3";
	struct op_change c = {.reason = bytes_from(dirty, sizeof(dirty) - 1)};

	insert(s, &op, 1000);
	assert_int_equal(claim(s, &o, OP_SEEN, "a", 2000, 9000, 1), 1);
	assert_int_equal(move(s, 1, OP_SEEN, "a", c, 1), ERR_OK);
	assert_string_equal(sim_sql_text(s, "SELECT reason FROM operation"), "a??b?\xc3\xa9?");
}

static void test_an_end_has_a_reason(void **state)
{
	struct sim *s = *state;
	struct outcome o;
	static const struct {
		struct op_change change;
		const char *reason;
	} rows[] = {
		{{.to = OP_FAILED, .error = BYTES_LIT("timeout"), .reason = BYTES_LIT("")},
		 "timeout"},
		{{.to = OP_REFUSED, .error = BYTES_LIT("timeout")}, "timeout"},
		{{.to = OP_EXPIRED}, "expired"},
		{{.to = OP_ABORTED, .reason = BYTES_LIT("somebody said so")}, "somebody said so"},
	};

	for (uint8_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct operation op = sample(i);
		char sql[64];

		insert(s, &op, 1000);
		assert_int_equal(claim(s, &o, OP_SEEN, "a", 2000, 9000, 1), 1);
		assert_int_equal(move(s, o.ops[0].id, OP_SEEN, "a", rows[i].change, 1), ERR_OK);
		(void)snprintf(sql, sizeof(sql), "SELECT reason FROM operation WHERE id = %u",
			       i + 1U);
		assert_string_equal(sim_sql_text(s, sql), rows[i].reason);
	}
}

static void test_reason_is_cut_between_characters(void **state)
{
	struct sim *s = *state;
	struct operation op = sample(1);
	struct outcome o;
	char reason[REASON_SIZE_MAX + 8];

	/* Two-byte characters at odd places: the limit falls inside one. */
	memset(reason, 'x', sizeof(reason));
	for (size_t i = 1; i + 1 < sizeof(reason); i += 2)
		memcpy(&reason[i], "\xc3\xa9", 2);
	insert(s, &op, 1000);
	assert_int_equal(claim(s, &o, OP_SEEN, "a", 2000, 9000, 1), 1);
	struct op_change c = {.to = OP_FAILED,
			      .reason = bytes_from(reason, sizeof(reason) - 1),
			      .refused_since_ms = -1};
	assert_int_equal(move(s, 1, OP_SEEN, "a", c, 1), ERR_OK);
	assert_int_equal(sim_sql_int(s, "SELECT length(CAST(reason AS BLOB)) FROM operation"),
			 REASON_SIZE_MAX - 1);
}

static void test_release(void **state)
{
	struct sim *s = *state;
	struct outcome o;
	struct store_batch b = store_batch_make(1 << 12);

	for (uint8_t id = 1; id <= 2; id++) {
		struct operation op = sample(id);

		insert(s, &op, 1000);
		assert_int_equal(claim(s, &o, OP_SEEN, id == 1 ? "dead" : "alive", 2000, 9000, 1),
				 1);
	}
	assert_int_equal(op_add_release_others(&b, "alive"), ERR_OK);
	assert_int_equal(run(s, &b, &o), ERR_OK);
	assert_int_equal(claim(s, &o, OP_SEEN, "new", 2001, 9000, 5), 1);
	assert_int_equal(o.ops[0].id, 1);
	b = store_batch_make(1 << 12);
	assert_int_equal(op_add_release_all(&b), ERR_OK);
	assert_int_equal(run(s, &b, &o), ERR_OK);
	assert_int_equal(claim(s, &o, OP_SEEN, "new", 2001, 9000, 5), 2);
}

/* The cursor moves only from where its mover knows it to be. */
static void test_cursor_is_compared_before_it_is_set(void **state)
{
	struct sim *s = *state;
	const struct chain_id chain = {54321};
	const struct cursor none = {0}, ten = {true, {10}, {{1}}}, twenty = {true, {20}, {{2}}};
	const struct cursor other_ten = {true, {10}, {{9}}};
	const struct {
		const struct cursor *from, *to;
		enum err want;
	} moves[] = {
		{&none, &ten, ERR_OK},
		{&none, &twenty, ERR_STATE_MOVED},
		{&twenty, &ten, ERR_STATE_MOVED},
		{&other_ten, &twenty, ERR_STATE_MOVED},
		{&ten, &twenty, ERR_OK},
		{&twenty, &ten, ERR_OK},
	};

	for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
		struct store_batch b = store_batch_make(1 << 12);
		struct outcome o;

		assert_int_equal(cursor_add_move(&b, chain, moves[i].from, moves[i].to, 1), ERR_OK);
		assert_int_equal(run(s, &b, &o), moves[i].want);
	}
	assert_int_equal(sim_sql_int(s, "SELECT block FROM cursor"), 10);
}

static void test_from_row_trusts_nothing(void **state)
{
	struct store_value cells[23] = {{0}};
	struct operation op;

	(void)state;
	assert_int_equal(op_from_row(&op, cells, 23), ERR_CORRUPT);
	assert_int_equal(op_from_row(&op, cells, 0), ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_moves),
		T(test_row_comes_back_as_it_went),
		T(test_insert_learns),
		T(test_terminal_rows_never_change),
		T(test_claims_do_not_overlap),
		T(test_oldest_due_first),
		T(test_counters),
		T(test_an_empty_change_leaves_everything),
		T(test_reason_is_text_whatever_was_given),
		T(test_an_end_has_a_reason),
		T(test_reason_is_cut_between_characters),
		T(test_release),
		T(test_cursor_is_compared_before_it_is_set),
		cmocka_unit_test(test_from_row_trusts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
