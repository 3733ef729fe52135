/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* inspect: what a person types, what a person reads. */
#include <stdlib.h>

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
		enum err e = request_id_parse(&id, bytes_str(rows[i].text));

		assert_int_equal(e, rows[i].err);
		if (e == ERR_OK) {
			assert_int_equal(id.w[0], rows[i].low);
			assert_true(id.w[3] == (rows[i].tagged ? UINT64_C(1) << 56 : 0));
		}
	}
}

static const char *inspect(struct sender_fixture *f, uint64_t id, struct buf *out)
{
	struct err_note note = {0};
	const char *text;

	buf_clear(out);
	assert_int_equal(inspect_request(out, f->w.sim.path, u256_from_u64(id), &note), ERR_OK);
	assert_int_equal(buf_cstr(out, &text), ERR_OK);
	return text;
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
	text = inspect(f, 17, &out);
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
	text = inspect(f, 17, &out);
	assert_non_null(strstr(text, "\nstate         done\n"));
	assert_non_null(strstr(text, "\ntx state      mined\n"));
	assert_non_null(strstr(text, "\ntx nonce      0\n"));
	assert_non_null(strstr(text, "\ntx block      1\n"));

	/* What others wrote does not draw on the terminal. */
	assert_int_equal(STORE_ADD(&b, STORE_ANY, "UPDATE operation SET reason = $1, proof = x'ff'",
				   store_text("a\x1b[2Jb\nstate  done")),
			 ERR_OK);
	assert_int_equal(store_submit(&f->w.sim.store.base, &b, NULL, NULL), ERR_OK);
	store_batch_free(&b);
	sim_run(&f->w.sim, 100);
	text = inspect(f, 17, &out);
	assert_non_null(strstr(text, "\nreason        a?[2Jb?state  done\n"));
	assert_non_null(strstr(text, "\nproof         cannot be read\n"));

	buf_clear(&out);
	assert_int_equal(inspect_request(&out, f->w.sim.path, u256_from_u64(18), &note),
			 ERR_NOT_FOUND);
	assert_non_null(strstr(note.text, "no operation with request id 0x00"));
	assert_int_equal(out.n, 0);
	sender_teardown(f);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_a_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
