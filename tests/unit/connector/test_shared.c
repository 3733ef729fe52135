/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The connector's statements on PostgreSQL, where several processes are at work on one database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "connector/adapters/content.h"
#include "connector/config_file.h"
#include "connector/handle_index.h"
#include "connector/inspect.h"
#include "engines.h"

enum {
	IDS = 200
};

static struct pg_server server;
static const struct test_engine postgres = {.name = "postgres", .server = &server};

/* Two stores on one database, as two processes have them; they only share the test's loop. */
struct fixture {
	struct test_database db;
	struct test_loop loop;
	struct store *stores[2];
	size_t done_n, taken_n, moved_n;
	enum err last;
};

static void open_stores(struct fixture *f)
{
	struct err_note note = {0};

	for (size_t i = 0; i < ARRAY_LEN(f->stores); i++)
		if (test_database_open(&f->db, &f->stores[i], &f->loop, &connector_migrations,
				       &note) != ERR_OK)
			fail_msg("%s", note.text);
}

static int setup_in(void **state, const char *schema)
{
	static const struct test_loop fresh = TEST_LOOP_INIT;
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->loop = fresh;
	test_database_make(&f->db, &postgres);
	if (schema)
		(void)snprintf(f->db.schema, sizeof(f->db.schema), "%s", schema);
	open_stores(f);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_in(state, NULL);
}

/* In the schema that the programs use. */
static int setup_as_installed(void **state)
{
	return setup_in(state, CONNECTOR_SCHEMA);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(f->stores); i++)
		store_free(f->stores[i]);
	test_loop_drain(&f->loop);
	test_dir_remove(f->db.dir);
	free(f);
	return 0;
}

static void on_done(void *ctx, const struct store_result *r)
{
	struct fixture *f = ctx;

	f->done_n++;
	f->last = r->err;
	f->taken_n += r->err == ERR_OK ? 1 : 0;
	f->moved_n += r->err == ERR_STATE_MOVED ? 1 : 0;
}

static struct operation request(uint64_t id, uint8_t content)
{
	struct operation op = {
		.key = {.chain = {12345}, .kind = OP_KIND_CRSGEN, .request_id = u256_from_u64(id)}};

	memset(op.key.content_digest.b, content, sizeof(op.key.content_digest.b));
	return op;
}

static void give(struct fixture *f, size_t store, uint64_t id, uint8_t content)
{
	const struct operation op = request(id, content);
	struct store_batch b = store_batch_make(1 << 16);

	assert_int_equal(op_add_give_id(&b, &op), ERR_OK);
	assert_int_equal(store_submit(f->stores[store], &b, on_done, f), ERR_OK);
}

static void take_int(void *ctx, const struct store_value *cells, size_t n)
{
	assert_true(n > 0);
	*(int64_t *)ctx = cells[0].i;
}

static int64_t ask(const struct fixture *f, const char *sql)
{
	struct err_note note = {0};
	int64_t v = -1;

	if (store_query(f->db.url, f->db.schema, sql, NULL, 0, take_int, &v, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return v;
}

/* Each id in both processes at the same time, with another content: one of the two has it. */
static void test_an_id_has_one_content(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 1; id <= IDS; id++)
		for (uint8_t who = 0; who < 2; who++)
			give(f, who, id, who);
	assert_true(test_loop_until(&f->loop, &f->done_n, (size_t)2 * IDS));
	assert_int_equal(f->taken_n, IDS);
	assert_int_equal(f->moved_n, IDS);
	assert_int_equal(ask(f, "SELECT count(*) FROM given_id"), IDS);

	/* The same content again, as after a restart: it has the id already. */
	size_t store = (size_t)(ask(f, "SELECT count(*) FROM given_id WHERE request_id ="
				       " x'000000000000000000000000000000000000000000000000"
				       "0000000000000001' AND content_digest = x'0101010101010101"
				       "010101010101010101010101010101010101010101010101'"));
	give(f, 1 - store, 1, (uint8_t)store);
	assert_true(test_loop_until(&f->loop, &f->done_n, (size_t)2 * IDS + 1));
	assert_int_equal(f->last, ERR_OK);
}

/* What the listener stores is found by its handle and by its transaction, as on SQLite. */
static void test_inspect_finds(void **state)
{
	CLEANUP(buf_free) struct buf content = buf_make(1 << 12);
	CLEANUP(buf_free) struct buf out = buf_make(1 << 16);
	const struct hash32 handles[2] = {{{0xa1}}, {{0xa2}}};
	const struct decryption_request r = {.handles = handles, .handles_n = 2};
	struct store_batch b = store_batch_make(1 << 16);
	struct operation op = request(17, 1);
	struct handle_index index = {0};
	struct fixture *f = *state;
	struct err_note note = {0};
	size_t statements;

	assert_int_equal(content_encode(&content, &r), ERR_OK);
	op.key.kind = OP_KIND_PUBLIC_DECRYPTION;
	op.content = buf_view(&content);
	op.tx_hash = (struct hash32){{0x70}};
	assert_int_equal(op_add_insert(&b, &op, 1), ERR_OK);
	assert_int_equal(handle_index_add(&index, &b, &op, &statements), ERR_OK);
	assert_int_equal(handle_index_flush(&index, &b), ERR_OK);
	assert_int_equal(STORE_ADD(&b, STORE_ONE, "UPDATE operation_unindexed SET last = 0"),
			 ERR_OK);
	assert_int_equal(store_submit(f->stores[0], &b, on_done, f), ERR_OK);
	assert_true(test_loop_until(&f->loop, &f->done_n, 1));
	assert_int_equal(f->last, ERR_OK);

#define ZEROS "00000000000000000000000000000000000000000000000000000000000000"
	static const char *const found[] = {"17", "a1" ZEROS, "0xa2" ZEROS, "70" ZEROS};
	for (size_t i = 0; i < ARRAY_LEN(found); i++) {
		buf_clear(&out);
		assert_int_equal(inspect_operations(&out, f->db.url, bytes_str(found[i]), &note),
				 ERR_OK);
		assert_non_null(
			memmem(out.p, out.n, "decimal id    17\n", strlen("decimal id    17\n")));
	}
	assert_int_equal(inspect_operations(&out, f->db.url, BYTES_LIT("a3" ZEROS), &note),
			 ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_id_has_one_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inspect_finds, setup_as_installed, teardown),
	};

	if (!pg_server_start(&server)) {
		pg_server_remove(&server);
		return 1;
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	pg_server_remove(&server);
	return failed;
}
