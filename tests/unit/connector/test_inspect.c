/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* inspect: what a person types, what a person reads. */
#include <stdlib.h>

#include "connector/handle_index.h"
#include "connector/inspect.h"
#include "sender_support.h"

static void test_ids(void **state)
{
	static const char digits[] =
		"0100000000000000000000000000000000000000000000000000000000000011";
	static const struct {
		const char *text;
		uint64_t low;
		bool tagged; /* first byte is 1 */
		enum err err;
	} rows[] = {
		{"17", 17, false, ERR_OK},
		{"0x11", 17, false, ERR_OK},
		{"0X11", 17, false, ERR_OK},
		{"1f", 31, false, ERR_OK},
		{digits, 17, true, ERR_OK},
		{"0x0100000000000000000000000000000000000000000000000000000000000011", 17, true,
		 ERR_OK},
		{"452312848583266388373324160190187140051835877600158453279131187530910662673", 17,
		 true, ERR_OK},
		{"", 0, false, ERR_MALFORMED},
		{"0x", 0, false, ERR_MALFORMED},
		{"12z", 0, false, ERR_MALFORMED},
		{"-1", 0, false, ERR_MALFORMED},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct u256 id = U256_ZERO;
		enum err e = inspect_id_parse(&id, bytes_str(rows[i].text));

		assert_int_equal(e, rows[i].err);
		if (e == ERR_OK) {
			assert_int_equal(id.w[0], rows[i].low);
			assert_true(id.w[3] == (rows[i].tagged ? UINT64_C(1) << 56 : 0));
		}
	}
}

static enum err look_for(struct sender_fixture *f, const char *what, struct buf *out,
			 struct err_note *note)
{
	char url[512];

	(void)snprintf(url, sizeof(url), "sqlite:%s", f->w.sim.path);
	buf_clear(out);
	return inspect_operations(out, url, bytes_str(what), note);
}

static const char *inspect(struct sender_fixture *f, const char *what, struct buf *out)
{
	struct err_note note = {0};
	const char *text;

	assert_int_equal(look_for(f, what, out, &note), ERR_OK);
	assert_int_equal(buf_cstr(out, &text), ERR_OK);
	return text;
}

/* The value behind `key`, a line's beginning. */
static void copy_value(char *to, size_t size, const char *text, const char *key)
{
	const char *at = strstr(text, key);

	assert_non_null(at);
	(void)snprintf(to, size, "%s", &at[strlen(key)]);
	to[strcspn(to, "\n")] = '\0';
}

/* By the hash of a version that another one has replaced. */
static void finds_replaced(struct sender_fixture *f, struct buf *out)
{
	static const char old_tx[] =
		"abababababababababababababababababababababababababababababababab";
	struct store_batch b = store_batch_make(1 << 16);
	struct err_note note = {0};

	assert_int_equal(look_for(f, old_tx, out, &note), ERR_NOT_FOUND);
	assert_int_equal(
		STORE_ADD(&b, STORE_ONE,
			  "INSERT INTO tx_version (chain, account, nonce, version, raw, hash,"
			  " created_ms) SELECT chain, account, nonce, 1, raw, x'abababababababab"
			  "abababababababababababababababababababababababab', 1 FROM tx"),
		ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	store_batch_free(&b);
	sim_run(&f->w.sim, 100);
	assert_non_null(strstr(inspect(f, old_tx, out), "\ndecimal id    17\n"));
}

static void test_a_life(void **state)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 20);
	struct sender_fixture *f = malloc(sizeof(*f));
	struct store_batch b = store_batch_make(1 << 16);
	struct err_note note = {0};
	const char *text;

	(void)state;
	assert_non_null(f);
	sender_setup(f, 1);
	sender_answers(f, 17, 1);
	sim_run(&f->w.sim, 100);
	text = inspect(f, "17", &out);
	assert_non_null(strstr(text, "id            0x00000000000000000000000000000000000000000000"
				     "00000000000000000011\n"));
	assert_non_null(strstr(text, "\nstate         answered\n"));
	assert_non_null(strstr(text, "\nreason        -\n"));
	assert_non_null(strstr(text, "\nkind          public_decryption_request\n"));
	assert_non_null(strstr(text, "\nchain         54321\n"));
	assert_non_null(strstr(text, "\nhandle        0x0101"));
	assert_non_null(strstr(text, "\nextra data    0x\n"));
	assert_non_null(strstr(text, "\nproof         nothing is proven\n"));
	assert_null(strstr(text, "\ntx state"));

	sender_begin(f);
	assert_true(sender_wait(f, "done", 1, 5000));
	text = inspect(f, "17", &out);
	assert_non_null(strstr(text, "\nstate         done\n"));
	assert_non_null(strstr(text, "\ntx state      mined\n"));
	assert_non_null(strstr(text, "\ntx nonce      0\n"));
	assert_non_null(strstr(text, "\ntx block      1\n"));

	/* By handle and by both transactions; all that are meant, the oldest first. */
	char handle[65], event_tx[67], own_tx[67];

	copy_value(handle, sizeof(handle), text, "handle        0x");
	copy_value(event_tx, sizeof(event_tx), text, "event tx      ");
	copy_value(own_tx, sizeof(own_tx), text, "tx hash       ");
	assert_non_null(strstr(inspect(f, handle, &out), "\ndecimal id    17\n"));
	assert_non_null(strstr(inspect(f, event_tx, &out), "\ndecimal id    17\n"));
	assert_non_null(strstr(inspect(f, own_tx, &out), "\ndecimal id    17\n"));
	finds_replaced(f, &out);
	sender_answers(f, 19, 1);
	sim_run(&f->w.sim, 100);
	text = inspect(f, handle, &out);
	assert_non_null(strstr(text, "\ndecimal id    17\n"));
	assert_non_null(strstr(strstr(text, "\ndecimal id    17\n"), "\n\nid   "));
	assert_non_null(strstr(strstr(text, "\ndecimal id    17\n"), "\ndecimal id    19\n"));

	/* What others wrote does not draw on the terminal. */
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "UPDATE operation SET reason = $1, proof = x'ff'",
				   store_text("a\x1b[2Jb\nstate  done")),
			 ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	store_batch_free(&b);
	sim_run(&f->w.sim, 100);
	text = inspect(f, "17", &out);
	assert_non_null(strstr(text, "\nreason        a?[2Jb?state  done\n"));
	assert_non_null(strstr(text, "\nproof         cannot be read\n"));

	assert_int_equal(look_for(f, "18", &out, &note), ERR_NOT_FOUND);
	assert_non_null(strstr(note.text, "no operation has 0x00"));
	assert_int_equal(out.n, 0);
	sender_teardown(f);
	free(f);
}

/* Rows that a database had before there was an index of handles are found, and only those by
 * reading them all. */
static void test_rows_older_than_the_index(void **state)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 20);
	struct sender_fixture *f = malloc(sizeof(*f));
	struct store_batch b = store_batch_make(1 << 16);
	struct err_note note = {0};
	char handle[65];

	(void)state;
	assert_non_null(f);
	sender_setup(f, 1);
	sender_answers(f, 17, 2);
	sim_run(&f->w.sim, 100);
	copy_value(handle, sizeof(handle), inspect(f, "17", &out), "handle        0x");
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "DELETE FROM operation_handle"), ERR_OK);
	assert_int_equal(STORE_ADD(&b, STORE_ONE, "UPDATE operation_unindexed SET last = 0"),
			 ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	sim_run(&f->w.sim, 100);
	assert_int_equal(look_for(f, handle, &out, &note), ERR_NOT_FOUND);

	b = store_batch_make(1 << 16);
	assert_int_equal(STORE_ADD(&b, STORE_ONE, "UPDATE operation_unindexed SET last = 1"),
			 ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	sim_run(&f->w.sim, 100);
	assert_non_null(strstr(inspect(f, handle, &out), "\ndecimal id    17\n"));
	assert_null(strstr(inspect(f, handle, &out), "\ndecimal id    18\n"));
	sender_teardown(f);
	free(f);
}

/* A step of a plan: what is read from end to end is no table that grows. */
static void plan_step(void *ctx, const struct store_value *cells, size_t n)
{
	static const char *const tables[] = {"SCAN o",  "SCAN operation", "SCAN h",
					     "SCAN tx", "SCAN t",         "SCAN v"};
	size_t *steps = ctx;

	(*steps)++;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_LEN(tables); k++)
			if (cells[i].type == STORE_TEXT &&
			    bytes_eq_var(cells[i].b, bytes_str(tables[k])))
				fail_msg("%s", tables[k]);
}

/* Neither question reads a whole table. */
static void test_questions_use_indexes(void **state)
{
	struct sender_fixture *f = malloc(sizeof(*f));
	const uint8_t wanted[32] = {1};
	const struct store_value arg = store_blob(BYTES_OF(wanted));
	struct err_note note = {0};
	size_t steps = 0;
	char url[512], sql[1024];

	(void)state;
	assert_non_null(f);
	sender_setup(f, 1);
	(void)snprintf(url, sizeof(url), "sqlite:%s", f->w.sim.path);
	(void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", handle_index_find_sql);
	assert_int_equal(store_query(url, "claviger", sql, &arg, 1, plan_step, &steps, &note),
			 ERR_OK);
	assert_true(steps > 3);
	steps = 0;
	(void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN SELECT id FROM operation WHERE %s",
		       INSPECT_WHERE);
	assert_int_equal(store_query(url, "claviger", sql, &arg, 1, plan_step, &steps, &note),
			 ERR_OK);
	assert_true(steps > 3);
	sender_teardown(f);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_a_life),
		cmocka_unit_test(test_rows_older_than_the_index),
		cmocka_unit_test(test_questions_use_indexes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
