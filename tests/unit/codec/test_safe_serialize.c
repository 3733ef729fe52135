/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/rng.h"
#include "codec/safe_serialize.h"

/* The beginning of a CompactCiphertextList that tfhe-rs 1.7 wrote. */
static const char tfhe_list[] =
	"0300000000000000302e35"
	"00000000"
	"0300000000000000302e31"
	"2500000000000000"
	"686967685f6c6576656c5f6170693a3a436f6d70616374436970686572746578744c697374"
	"0100000001000000";

static const char *const names[] = {"high_level_api::ClientKey",
				    "high_level_api::CompactCiphertextList", NULL};

static void test_open_real_object(void **state)
{
	CLEANUP(buf_free) struct buf b = buf_make(1000);
	size_t which = 99;

	(void)state;
	assert_int_equal(hex_decode(&b, bytes_str(tfhe_list)), ERR_OK);

	struct reader r = reader_of(buf_view(&b));
	assert_int_equal(safe_serialize_open(&r, names, &which, NULL), ERR_OK);
	assert_int_equal(which, 1);
	assert_int_equal(reader_u32le(&r), 1);
	assert_int_equal(reader_u32le(&r), 1);
	assert_int_equal(reader_end(&r), ERR_OK);
}

static void test_write_equals_real_object(void **state)
{
	CLEANUP(buf_free) struct buf want = buf_make(1000);
	CLEANUP(buf_free) struct buf out = buf_make(1000);
	struct bincode_writer w = {.out = &out};

	(void)state;
	assert_int_equal(hex_decode(&want, bytes_str(tfhe_list)), ERR_OK);
	safe_serialize_begin(&w, names[1]);
	bincode_put_u32(&w, 1);
	bincode_put_u32(&w, 1);
	assert_int_equal(bincode_end(&w), ERR_OK);
	assert_true(bytes_eq_var(buf_view(&want), buf_view(&out)));
}

static void test_every_cut_is_refused(void **state)
{
	CLEANUP(buf_free) struct buf b = buf_make(1000);

	(void)state;
	assert_int_equal(hex_decode(&b, bytes_str(tfhe_list)), ERR_OK);
	for (size_t n = 0; n < b.n - 8; n++) {
		struct reader r = reader_of(bytes_sub(buf_view(&b), 0, n));
		struct err_note note = {0};
		size_t which = 99;

		assert_int_equal(safe_serialize_open(&r, names, &which, &note), ERR_TRUNCATED);
		assert_int_equal(r.err, ERR_TRUNCATED);
		assert_int_equal(which, 99);
		assert_non_null(strstr(note.text, " at byte "));
	}
}

static void test_changes_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t v;
		enum err err;
		const char *note;
	} rows[] = {
		{10, '4', ERR_UNSUPPORTED,
		 "safe_serialize header version at byte 0 is \"0.4\", expected \"0.5\""},
		{0, 2, ERR_UNSUPPORTED, NULL},
		{7, 1, ERR_MALFORMED, "not a safe_serialize container (header version at byte 0)"},
		{11, 1, ERR_UNSUPPORTED,
		 "safe_serialize mode at byte 11 is missing or not \"versioned\""},
		{25, '2', ERR_UNSUPPORTED,
		 "safe_serialize versioning scheme at byte 15 is \"0.2\", expected \"0.1\""},
		{27, 1, ERR_MALFORMED, "safe_serialize type name at byte 26 is cut or too long"},
		{40, 'X', ERR_MISMATCH,
		 "type at byte 26 is \"high_lXvel_api::CompactCiphertextList\", expected "
		 "\"high_level_api::ClientKey\" or another known "
		 "name"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_free) struct buf b = buf_make(1000);
		struct err_note note = {0};
		size_t which = 99;

		assert_int_equal(hex_decode(&b, bytes_str(tfhe_list)), ERR_OK);
		b.p[rows[i].at] = rows[i].v;

		struct reader r = reader_of(buf_view(&b));
		assert_int_equal(safe_serialize_open(&r, names, &which, &note), rows[i].err);
		assert_int_equal(r.err, rows[i].err);
		assert_int_equal(which, 99);
		if (rows[i].note)
			assert_string_equal(note.text, rows[i].note);
		/* the reader is spent */
		assert_int_equal(reader_u32le(&r), 0);
	}
}

static void test_garbage_is_refused(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 5);

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t raw[100];
		size_t which = 0;
		struct reader r = reader_of(BYTES_OF(raw));

		rng_fill(rng, raw, sizeof(raw));
		assert_int_not_equal(safe_serialize_open(&r, names, &which, NULL), ERR_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_real_object),
		cmocka_unit_test(test_write_equals_real_object),
		cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_changes_are_refused),
		cmocka_unit_test(test_garbage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
