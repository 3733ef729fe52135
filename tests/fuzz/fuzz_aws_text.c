/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What AWS says. Input: u8 what, then for what % 6
 *
 *	0, 1: credentials in JSON, in XML: texts that go into headers as they are
 *	2: the body of a fault; with bit 7 of what, a line for x-amzn-errortype first
 *	3, 4: a time as ISO 8601, as HTTP has it: written again it is the same text
 *	5: a profile's name, a key, each in a line, and a file: a second reading line by line agrees
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "fuzz.h"
#include "net/aws_text.h"

static void header_safe(const struct secret *s, bool needed)
{
	size_t n = s->p ? strlen((const char *)s->p) : 0;

	CHECK(s->p ? s->n == n + 1 : s->n == 0);
	CHECK(n > 0 || !needed);
	for (size_t i = 0; i < n; i++)
		CHECK(s->p[i] > ' ' && s->p[i] < 127);
}

static void keys(struct bytes body, bool xml)
{
	struct aws_key_set k = {0};
	struct err_note note = {{0}};
	enum err e = xml ? aws_keys_from_sts(&k, body, &note) : aws_keys_from_json(&k, body, &note);

	if (e != ERR_OK) {
		CHECK(!k.id.p && !k.secret.p && !k.token.p && note.text[0] != '\0');
		return;
	}
	header_safe(&k.id, true);
	header_safe(&k.secret, true);
	header_safe(&k.token, xml);
	CHECK(k.expires_ms >= 0 && (!xml || k.expires_ms < INT64_MAX));
	if (xml) /* no escapes: all of it stands in the text */
		CHECK(fuzz_holds(body, bytes_str((const char *)k.id.p)) &&
		      fuzz_holds(body, bytes_str((const char *)k.secret.p)) &&
		      fuzz_holds(body, bytes_str((const char *)k.token.p)));
	aws_key_set_free(&k);
}

static void fault(struct bytes in, bool with_header)
{
	char *type = fuzz_cstr(with_header ? fuzz_line(&in) : BYTES_NONE);
	const struct http_header h = {"x-amzn-errortype", type};
	const struct http_reply reply = {
		.status = 400, .body = in, .headers = &h, .headers_n = with_header ? 1 : 0};
	struct aws_fault f;

	memset(&f, 'x', sizeof(f));
	aws_fault_read(&f, &reply);
	CHECK(strnlen(f.code, sizeof(f.code)) < sizeof(f.code));
	CHECK(strnlen(f.message, sizeof(f.message)) < sizeof(f.message));
	for (const char *c = f.code; *c; c++)
		CHECK(*c > ' ' && *c <= '~' && *c != ':');
	free(type);
}

static void times(struct bytes text, bool http)
{
	int64_t ms = -7;
	enum err e = http ? aws_time_http(&ms, text) : aws_time_iso(&ms, text);
	char again[64];
	struct tm tm;

	if (e != ERR_OK) {
		CHECK(e == ERR_MALFORMED && ms == -7);
		return;
	}
	CHECK(ms >= 0 && ms % 1000 == 0);

	time_t s = (time_t)(ms / 1000);

	CHECK(gmtime_r(&s, &tm));
	(void)strftime(again, sizeof(again), http ? "%d %b %Y %H:%M:%S GMT" : "%Y-%m-%dT%H:%M:%S",
		       &tm);

	/* The day of the week is not checked against the date; a leap second is the one before. */
	size_t skip = http ? 5 : 0, n = strlen(again), at = http ? 18 : 17;
	char got[64];

	CHECK(text.n >= skip + n && n < sizeof(got));
	memcpy(got, bytes_sub(text, skip, n).p, n);
	got[n] = '\0';
	if (memcmp(&got[at], "60", 2) == 0)
		memcpy(&got[at], "59", 2);
	CHECK(strcmp(got, again) == 0);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char *trimmed(char *s)
{
	size_t n;

	while (blank(*s))
		s++;
	for (n = strlen(s); n > 0 && blank(s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

/* With C strings, and a copy of each line. */
static bool simple_get(char *out, size_t size, const char *file, bool is_config,
		       const char *profile, const char *key)
{
	bool inside = false, found = false;

	for (const char *line = file; *line;) {
		size_t n = strcspn(line, "\n");
		char *copy = strndup(line, n), *mark;

		CHECK(copy);
		line = &line[n + (line[n] == '\n')];
		if (copy[0] == '[') {
			inside = false;
			if ((mark = strchr(copy, ']'))) {
				char *name = &copy[1];

				*mark = '\0';
				name = trimmed(name);
				if (is_config && strncmp(name, "profile", 7) == 0 && blank(name[7]))
					inside = strcmp(trimmed(&name[7]), profile) == 0;
				else if (!is_config || strcmp(profile, "default") == 0)
					inside = strcmp(name, profile) == 0;
			}
		} else if (inside && copy[0] && !strchr("#; \t\r", copy[0]) &&
			   (mark = strchr(copy, '='))) {
			char *value = &mark[1];

			*mark = '\0';
			for (size_t i = 1; value[0] && value[i]; i++)
				if (strchr("#;", value[i]) && blank(value[i - 1]))
					value[i] = '\0';
			if (strcasecmp(trimmed(copy), key) == 0) {
				(void)snprintf(out, size, "%s", trimmed(value));
				found = true;
			}
		}
		free(copy);
	}
	return found;
}

static void profiles(struct bytes in, bool is_config)
{
	char *profile = fuzz_cstr(fuzz_line(&in)), *key = fuzz_cstr(fuzz_line(&in));
	char *file = fuzz_cstr(in), want[4096] = "";
	struct bytes got = BYTES_NONE, text = bytes_str(file);
	bool found = aws_profile_get(&got, text, is_config, profile, key);

	CHECK(found == simple_get(want, sizeof(want), file, is_config, profile, key));
	if (found)
		CHECK(bytes_eq_var(got, bytes_str(want)) &&
		      aws_profile_exists(text, is_config, profile));
	free(profile);
	free(key);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n);
	uint8_t what = fuzz_u8(&in);
	struct bytes copy = fuzz_copy(in);

	if (n < 1 << 12) {
		switch ((what & 127) % 6) {
		case 0:
		case 1:
			keys(copy, (what & 127) % 6 == 1);
			break;
		case 2:
			fault(copy, what >= 128);
			break;
		case 3:
		case 4:
			times(copy, (what & 127) % 6 == 4);
			break;
		default:
			profiles(copy, what >= 128);
			break;
		}
	}
	fuzz_free(copy);
	return 0;
}
