/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Texts of others in a log line: a chain's, a server's, a file name. However they look, there is
 * one line of printable UTF-8, and in JSON jansson reads the same values.
 *
 * Input: u8 format || fields: u8 type || part
 */
#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "fuzz.h"

enum {
	FIELDS_MAX = 8
};

static const char *const keys[FIELDS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static bool is_utf8(struct bytes b)
{
	while (b.n > 0) {
		size_t step = bytes_utf8_step(b);

		if (step == 0)
			return false;
		b = bytes_sub(b, step, b.n - step);
	}
	return true;
}

static struct bytes line_written(const struct log *l, const struct log_field *fields, size_t n)
{
	static uint8_t line[LOG_LINE_MAX + 1];
	ssize_t got;

	CHECK(ftruncate(l->fd, 0) == 0 && lseek(l->fd, 0, SEEK_SET) == 0);
	log_write(l, LOG_LEVEL_INFO, "Something happened", fields, n);
	got = pread(l->fd, line, sizeof(line), 0);
	CHECK(got > 0);
	return bytes_from(line, (size_t)got);
}

static void check_line(struct bytes line)
{
	CHECK(line.n <= LOG_LINE_MAX && line.p[line.n - 1] == '\n');
	line.n--;
	CHECK(is_utf8(line));
	for (size_t i = 0; i < line.n; i++) {
		CHECK(line.p[i] >= 0x20 && line.p[i] != 0x7f);
		/* C1 controls: an eight-bit terminal takes them for commands. */
		CHECK(line.p[i] != 0xc2 || line.p[i + 1] >= 0xa0);
	}
}

static void check_json(struct bytes line, const struct log_field *fields, size_t n)
{
	json_t *o = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);

	CHECK(json_is_object(o));
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(o, keys[i]);

		if (!v) {
			CHECK(json_string_value(json_object_get(o, "cut")));
			continue;
		}
		if (fields[i].type == LOG_INT)
			CHECK(json_integer_value(v) == fields[i].v.i);
		if (fields[i].type == LOG_STR && strlen(fields[i].v.s) < LOG_VALUE_MAX / 6 &&
		    is_utf8(bytes_str(fields[i].v.s)))
			CHECK(strcmp(json_string_value(v), fields[i].v.s) == 0);
	}
	json_decref(o);
}

static struct log_field field(const char *key, uint8_t type, struct bytes part, char *text)
{
	uint8_t be[32] = {0};
	struct bytes start = bytes_sub(part, 0, part.n < 32 ? part.n : 32);

	if (start.n > 0)
		memcpy(be, start.p, start.n);
	switch (type % 4) {
	case 0:
		return log_s(key, text);
	case 1:
		return log_hex(key, part);
	case 2:
		return log_u256(key, u256_from_be(be));
	default:
		return log_i(key, (int64_t)((uint64_t)be[0] << 56 | (uint64_t)be[1] << 8 | be[2]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static int fd = -1;
	struct bytes in = bytes_from(p, n < 16384 ? n : 16384);
	uint8_t what = fuzz_u8(&in);
	struct log_field fields[FIELDS_MAX];
	char *texts[FIELDS_MAX];
	size_t fields_n = 0;

	if (fd < 0)
		fd = memfd_create("log", 0);
	CHECK(fd >= 0);
	while (in.n > 0 && fields_n < FIELDS_MAX) {
		uint8_t type = fuzz_u8(&in);
		struct bytes part = fuzz_part(&in);

		texts[fields_n] = fuzz_cstr(part);
		fields[fields_n] = field(keys[fields_n], type, part, texts[fields_n]);
		fields_n++;
	}

	const struct log l = {.level = LOG_LEVEL_INFO,
			      .format = what & 1 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
			      .fd = fd,
			      .service = what & 2 ? "kms-worker" : NULL};
	struct bytes line = line_written(&l, fields, fields_n);

	check_line(line);
	if (l.format == LOG_FORMAT_JSON)
		check_json(line, fields, fields_n);
	for (size_t i = 0; i < fields_n; i++)
		free(texts[i]);
	return 0;
}
