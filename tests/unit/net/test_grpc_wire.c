/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "testing.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "base/limits.h"
#include "net/grpc_wire.h"

static void message_survives_every_split(void **state)
{
	CLEANUP(buf_free) struct buf packed = {0};
	const struct bytes message = BYTES_LIT("length-prefixed message");
	const uint8_t expected[5] = {0, 0, 0, 0, 23};

	(void)state;
	assert_int_equal(grpc_message_pack(&packed, message), ERR_OK);
	assert_int_equal(packed.n, message.n + 5);
	assert_memory_equal(packed.p, expected, 5);
	for (size_t cut = 0; cut <= packed.n; cut++) {
		struct bytes all = buf_view(&packed);
		struct grpc_reader r = grpc_reader_make(23);

		assert_int_equal(grpc_reader_feed(&r, bytes_sub(all, 0, cut)), ERR_OK);
		assert_int_equal(grpc_reader_end(&r), cut == all.n ? ERR_OK : ERR_TRUNCATED);
		assert_int_equal(grpc_reader_feed(&r, bytes_sub(all, cut, all.n - cut)), ERR_OK);
		assert_int_equal(grpc_reader_end(&r), ERR_OK);
		assert_true(bytes_eq_var(buf_view(&r.body), message));
		/* One byte more is a second message, which unary calls do not have. */
		assert_int_equal(grpc_reader_feed(&r, BYTES_LIT("x")), ERR_MALFORMED);
		grpc_reader_free(&r);
	}
}

static void message_limits_and_flags(void **state)
{
	static const struct {
		uint8_t prefix[5];
		enum err err;
	} rows[] = {
		{{0, 0, 0, 0, 10}, ERR_OK},
		{{0, 0, 0, 0, 11}, ERR_TOO_BIG},
		{{0, 255, 255, 255, 255}, ERR_TOO_BIG},
		{{1, 0, 0, 0, 1}, ERR_UNSUPPORTED},
		{{2, 0, 0, 0, 1}, ERR_MALFORMED},
		{{255, 0, 0, 0, 0}, ERR_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct grpc_reader r = grpc_reader_make(10);

		assert_int_equal(grpc_reader_feed(&r, BYTES_OF(rows[i].prefix)), rows[i].err);
		assert_int_equal(r.body.cap,
				 0); /* nothing is set aside for what was only announced */
		grpc_reader_free(&r);
	}
}

static void empty_message_is_a_message(void **state)
{
	struct grpc_reader r = grpc_reader_make(0);
	const uint8_t prefix[5] = {0};

	(void)state;
	assert_int_equal(grpc_reader_end(&r), ERR_TRUNCATED);
	assert_int_equal(grpc_reader_feed(&r, BYTES_OF(prefix)), ERR_OK);
	assert_int_equal(grpc_reader_end(&r), ERR_OK);
	grpc_reader_free(&r);
}

static void check_decode(const char *coded, const char *plain)
{
	CLEANUP(buf_free) struct buf out = buf_make(1000);

	assert_int_equal(grpc_text_decode(&out, bytes_str(coded)), ERR_OK);
	assert_int_equal(out.n, strlen(plain));
	assert_memory_equal(out.p ? out.p : (uint8_t *)"", plain, out.n);
}

static void text_coding(void **state)
{
	CLEANUP(buf_free) struct buf out = buf_make(1000);
	const char *text = "100% schl\xc3\xbcssel\n\xf0\x9f\x94\x91";

	(void)state;
	assert_int_equal(grpc_text_encode(&out, text), ERR_OK);
	assert_true(
		bytes_eq_var(buf_view(&out), BYTES_LIT("100%25 schl%C3%BCssel%0A%F0%9F%94%91")));
	check_decode("100%25 schl%C3%BCssel%0A%F0%9F%94%91",
		     "100% schl\xc3\xbcssel?\xf0\x9f\x94\x91");
	check_decode("", "");
	check_decode("%", "%");
	check_decode("%4", "%4");
	check_decode("%zz%41", "%zzA");
	check_decode("a%00b%1b[31m%7f%c2%9b", "a?b?[31m??");
	check_decode("\xff%ff%c3", "???");
}

static void timeouts(void **state)
{
	static const struct {
		const char *text;
		enum err err;
		int64_t ms;
	} rows[] = {
		{"1H", ERR_OK, 3600000},
		{"99999999H", ERR_OK, 359999996400000},
		{"2M", ERR_OK, 120000},
		{"3S", ERR_OK, 3000},
		{"250m", ERR_OK, 250},
		{"0m", ERR_OK, 0},
		{"1u", ERR_OK, 1},
		{"1500u", ERR_OK, 2},
		{"1n", ERR_OK, 1},
		{"", ERR_MALFORMED, 0},
		{"m", ERR_MALFORMED, 0},
		{"1", ERR_MALFORMED, 0},
		{"123456789m", ERR_MALFORMED, 0},
		{"-1m", ERR_MALFORMED, 0},
		{"1s", ERR_MALFORMED, 0},
		{"1 m", ERR_MALFORMED, 0},
	};
	char text[GRPC_TIMEOUT_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 0;

		assert_int_equal(grpc_timeout_parse(&ms, bytes_str(rows[i].text)), rows[i].err);
		assert_true(ms == rows[i].ms);
	}
	grpc_timeout_format(text, 60000);
	assert_string_equal(text, "60000m");
	grpc_timeout_format(text, 99999999);
	assert_string_equal(text, "99999999m");
	grpc_timeout_format(text, 100000000);
	assert_string_equal(text, "100000S");
	grpc_timeout_format(text, INT64_MAX);
	assert_string_equal(text, "99999999S");
}

/* "HTTP to gRPC Status Code Mapping" and "Errors" of the gRPC documents. */
static void statuses(void **state)
{
	(void)state;
	assert_int_equal(grpc_status_of_http(400), GRPC_INTERNAL);
	assert_int_equal(grpc_status_of_http(401), GRPC_UNAUTHENTICATED);
	assert_int_equal(grpc_status_of_http(403), GRPC_PERMISSION_DENIED);
	assert_int_equal(grpc_status_of_http(404), GRPC_UNIMPLEMENTED);
	assert_int_equal(grpc_status_of_http(429), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_status_of_http(503), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_status_of_http(200), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_of_http(500), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_of_reset(NGHTTP2_REFUSED_STREAM), GRPC_UNAVAILABLE);
	assert_int_equal(grpc_status_of_reset(NGHTTP2_CANCEL), GRPC_CANCELLED);
	assert_int_equal(grpc_status_of_reset(NGHTTP2_ENHANCE_YOUR_CALM), GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(grpc_status_of_reset(NGHTTP2_PROTOCOL_ERROR), GRPC_INTERNAL);
	assert_int_equal(grpc_status_parse(BYTES_LIT("0")), GRPC_OK);
	assert_int_equal(grpc_status_parse(BYTES_LIT("16")), GRPC_UNAUTHENTICATED);
	assert_int_equal(grpc_status_parse(BYTES_LIT("17")), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_parse(BYTES_LIT("-1")), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_parse(BYTES_LIT("")), GRPC_UNKNOWN);
	assert_int_equal(grpc_status_parse(BYTES_LIT("0x1")), GRPC_UNKNOWN);
	assert_string_equal(grpc_status_name(GRPC_DEADLINE_EXCEEDED), "DEADLINE_EXCEEDED");
	assert_string_equal(grpc_status_name((enum grpc_status)99), "UNKNOWN");
	assert_true(grpc_content_type(BYTES_LIT("application/grpc")));
	assert_true(grpc_content_type(BYTES_LIT("application/grpc+proto")));
	assert_false(grpc_content_type(BYTES_LIT("application/grpc-web")));
	assert_false(grpc_content_type(BYTES_LIT("application/json")));
	assert_false(grpc_content_type(BYTES_LIT("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_survives_every_split),
		cmocka_unit_test(message_limits_and_flags),
		cmocka_unit_test(empty_message_is_a_message),
		cmocka_unit_test(text_coding),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(statuses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("grpc_wire", tests, NULL, NULL);
}
