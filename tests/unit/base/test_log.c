/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"

/* What was logged, read back from a file. */
struct capture {
	struct log log;
	char text[256 << 10];
	size_t n;
};

static struct capture *capture_new(enum log_format format)
{
	char path[] = "/tmp/claviger-log-XXXXXX";
	struct capture *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->log = (struct log){.level = LOG_LEVEL_INFO,
			      .format = format,
			      .fd = mkstemp(path),
			      .service = "kms-worker"};
	assert_true(c->log.fd >= 0);
	assert_int_equal(unlink(path), 0);
	return c;
}

static const char *capture_read(struct capture *c)
{
	ssize_t n = pread(c->log.fd, c->text, sizeof(c->text) - 1, 0);

	assert_true(n >= 0);
	c->text[n] = '\0';
	c->n = (size_t)n;
	return c->text;
}

static void capture_free(struct capture *c)
{
	(void)close(c->log.fd);
	free(c);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_text_line(void **state)
{
	struct capture *c = capture_new(LOG_FORMAT_TEXT);
	int y, mo, d, h, mi, s, us, at = 0;

	(void)state;
	LOG_INFO(&c->log, "Started Decryption polling from block", log_i("block", -5),
		 log_s("word", "plain"), log_s("text", "a b=\"c\"\n"), log_s("empty", ""),
		 log_s("none", NULL), log_e(ERR_TIMEOUT), log_hex("id", BYTES_LIT("\x01\xff")),
		 log_u256("wei", u256_from_u64(1000)));

	const char *text = capture_read(c);
	assert_int_equal(
		sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &y, &mo, &d, &h, &mi, &s, &us, &at),
		7);
	assert_int_equal(at, 27);
	assert_true(y >= 2024);
	assert_string_equal(
		text + at,
		" INFO kms-worker Started Decryption polling from block block=-5 word=plain "
		"text=\"a b=\\\"c\\\"\\n\" empty=\"\" none=\"\" error=timeout id=0x01ff "
		"wei=1000\n");
	capture_free(c);
}

static void test_json_line(void **state)
{
	struct capture *c = capture_new(LOG_FORMAT_JSON);
	CLEANUP(json_free_ptr) json_t *v = NULL;
	enum err e = ERR_OK;

	(void)state;
	LOG_WARN(&c->log, "say \"this\"", log_i("block", INT64_MIN),
		 log_s("text", "a\tb\x01 \xc3\xa9 \xff"), log_e(ERR_BUSY),
		 log_hex("id", BYTES_LIT("\x01\xff")), log_u256("wei", u256_from_u64(1000)));

	const char *text = capture_read(c);
	assert_int_equal(count_lines(text), 1);
	assert_int_equal(json_parse(&v, bytes_str(text), 1 << 20, NULL), ERR_OK);
	assert_string_equal(json_get_str(v, "level", &e), "WARN");
	assert_string_equal(json_get_str(v, "service", &e), "kms-worker");
	assert_string_equal(json_get_str(v, "message", &e), "say \"this\"");
	assert_true(json_get_int(v, "block", &e) == INT64_MIN);
	assert_string_equal(json_get_str(v, "text", &e), "a\tb\x01 \xc3\xa9 \xef\xbf\xbd");
	assert_string_equal(json_get_str(v, "error", &e), "busy");
	assert_string_equal(json_get_str(v, "id", &e), "0x01ff");
	assert_string_equal(json_get_str(v, "wei", &e), "1000");
	assert_int_equal(strlen(json_get_str(v, "timestamp", &e)), 27);
	assert_int_equal(e, ERR_OK);
	capture_free(c);
}

static void test_levels_and_nowhere(void **state)
{
	struct capture *c = capture_new(LOG_FORMAT_TEXT);
	struct log off = {.level = LOG_LEVEL_DEBUG, .fd = -1};

	(void)state;
	LOG_DEBUG(&c->log, "not shown");
	assert_string_equal(capture_read(c), "");
	c->log.service = NULL;
	c->log.level = LOG_LEVEL_ERROR;
	LOG_WARN(&c->log, "not shown");
	LOG_ERROR(&c->log, "shown");
	assert_string_equal(capture_read(c) + 27, " ERROR shown\n");
	LOG_ERROR(&off, "nowhere");
	log_write(NULL, LOG_LEVEL_ERROR, "nowhere", NULL, 0);
	log_flush(NULL);
	log_flush(&off);
	capture_free(c);
}

/* No value can forge a second line or drive a terminal. */
static void test_values_are_escaped(void **state)
{
	struct capture *c = capture_new(LOG_FORMAT_TEXT);

	(void)state;
	LOG_INFO(&c->log, "e",
		 log_s("v", "x\n2026-01-01T00:00:00.000000Z ERROR forged\r\x1b[31m\xc2\x9b"));

	const char *text = capture_read(c);
	assert_int_equal(count_lines(text), 1);
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\r'));
	assert_null(strstr(text, "\xc2\x9b"));
	assert_non_null(strstr(text, "\\u001b[31m\\u009b"));
	capture_free(c);
}

static void test_long_values_are_cut_and_json_stays_json(void **state)
{
	char *big = malloc(100001);
	uint8_t bytes[200] = {0};

	(void)state;
	assert_non_null(big);
	memset(big, '"', 100000);
	big[100000] = '\0';
	for (unsigned count = 1; count < 12; count++) {
		struct capture *c = capture_new(LOG_FORMAT_JSON);
		CLEANUP(json_free_ptr) json_t *v = NULL;
		struct log_field fields[12];
		enum err e = ERR_OK;
		static const char *const keys[] = {"a", "b", "c", "d", "e", "f",
						   "g", "h", "i", "j", "k", "l"};

		for (unsigned i = 0; i < count; i++)
			fields[i] = i % 4 == 1 ? log_hex(keys[i], BYTES_OF(bytes))
					       : log_s(keys[i], big);
		log_write(&c->log, LOG_LEVEL_INFO, "long", fields, count);

		const char *text = capture_read(c);
		assert_true(c->n <= LOG_LINE_MAX);
		assert_int_equal(text[c->n - 1], '\n');
		assert_int_equal(count_lines(text), 1);
		assert_int_equal(json_parse(&v, bytes_str(text), 1 << 20, NULL), ERR_OK);
		assert_string_equal(json_get_str(v, "message", &e), "long");
		assert_int_equal(e, ERR_OK);
		assert_true(strlen(json_get_str(v, "a", &e)) < 1100);
		if (count == 11)
			assert_string_equal(json_get_str(v, "cut", &e), "true");
		capture_free(c);
	}

	struct capture *c = capture_new(LOG_FORMAT_JSON);
	CLEANUP(json_free_ptr) json_t *v = NULL;
	LOG_INFO(&c->log, big);
	assert_int_equal(json_parse(&v, bytes_str(capture_read(c)), 1 << 20, NULL), ERR_OK);
	capture_free(c);
	free(big);
}

/* Bursts are counted per event; the loops may straddle the turn of a second, so counts are checked
 * as a sum. */
static void test_bursts_are_counted(void **state)
{
	struct capture *c = capture_new(LOG_FORMAT_TEXT);
	struct log_state burst = {0};
	unsigned long said = 0, lines = 0;

	(void)state;
	c->log.state = &burst;
	for (unsigned i = 0; i < 1000; i++)
		LOG_INFO(&c->log, "the same again");
	LOG_INFO(&c->log, "something else");
	log_flush(&c->log);

	const char *text = capture_read(c);
	for (const char *p = text; (p = strstr(p, "suppressed=")); p++)
		said += strtoul(p + strlen("suppressed="), NULL, 10);
	for (const char *p = text; (p = strstr(p, "the same again")); p++)
		lines++;
	assert_non_null(strstr(text, "something else"));
	assert_true(lines >= LOG_BURST);
	assert_true(lines <= 3 * LOG_BURST);
	/* all lines but those of the flush are events of their own */
	assert_in_range(lines + said, 1000, 1000 + 2);

	/* everything was said: a second flush has nothing */
	size_t before = c->n;
	log_flush(&c->log);
	(void)capture_read(c);
	assert_int_equal(c->n, before);

	/* without a state nothing is held back */
	c->log.state = NULL;
	assert_int_equal(ftruncate(c->log.fd, 0), 0);
	assert_int_equal(lseek(c->log.fd, 0, SEEK_SET), 0);
	for (unsigned i = 0; i < 1000; i++)
		LOG_INFO(&c->log, "the same again");
	assert_int_equal(count_lines(capture_read(c)), 1000);
	capture_free(c);
}

static void test_levels_are_parsed(void **state)
{
	enum log_level l = LOG_LEVEL_ERROR;

	(void)state;
	assert_int_equal(log_level_parse(&l, "info"), ERR_OK);
	assert_int_equal(l, LOG_LEVEL_INFO);
	assert_int_equal(log_level_parse(&l, "WARN"), ERR_OK);
	assert_int_equal(l, LOG_LEVEL_WARN);
	assert_int_equal(log_level_parse(&l, "debug"), ERR_OK);
	assert_int_equal(l, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse(&l, "trace"), ERR_OK);
	assert_int_equal(l, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse(&l, "error"), ERR_OK);
	assert_int_equal(l, LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse(&l, "loud"), ERR_CONFIG_VALUE);
	assert_int_equal(log_level_parse(&l, ""), ERR_CONFIG_VALUE);
	assert_int_equal(log_level_parse(&l, NULL), ERR_CONFIG_VALUE);
	assert_int_equal(l, LOG_LEVEL_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_line),
		cmocka_unit_test(test_json_line),
		cmocka_unit_test(test_levels_and_nowhere),
		cmocka_unit_test(test_values_are_escaped),
		cmocka_unit_test(test_long_values_are_cut_and_json_stays_json),
		cmocka_unit_test(test_bursts_are_counted),
		cmocka_unit_test(test_levels_are_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
