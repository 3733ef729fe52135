/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/aws_text.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"
#include "base/limits.h"

enum {
	ID_SIZE_MAX = 128,
	SECRET_KEY_SIZE_MAX = 512
};

/* ---- sets of keys ---- */

void aws_key_set_free(struct aws_key_set *k)
{
	secret_free(&k->id);
	secret_free(&k->secret);
	secret_free(&k->token);
	k->expires_ms = 0;
}

/* They go into headers as they are. */
static enum err copy_text(struct secret *ret, struct bytes text, size_t size_max)
{
	if (text.n > size_max)
		return ERR_MALFORMED;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return ERR_MALFORMED;
	TRY(secret_alloc(ret, text.n + 1));
	if (text.n > 0)
		memcpy(ret->p, text.p, text.n);
	return ERR_OK;
}

enum err aws_key_set_make(struct aws_key_set *ret_keys, struct bytes id, struct bytes secret,
			  struct bytes token, int64_t expires_ms)
{
	struct aws_key_set k = {.expires_ms = expires_ms};
	enum err e = id.n > 0 && secret.n > 0 ? ERR_OK : ERR_MALFORMED;

	if (e == ERR_OK)
		e = copy_text(&k.id, id, ID_SIZE_MAX);
	if (e == ERR_OK)
		e = copy_text(&k.secret, secret, SECRET_KEY_SIZE_MAX);
	if (e == ERR_OK && token.n > 0)
		e = copy_text(&k.token, token, AWS_TOKEN_SIZE_MAX);
	if (e == ERR_OK)
		*ret_keys = k;
	else
		aws_key_set_free(&k);
	return e;
}

/* ---- times ---- */

/* `n` digits; -1 for anything else. */
static int64_t number(struct reader *r, size_t n)
{
	struct bytes b = reader_bytes(r, n);
	int64_t v = 0;

	for (size_t i = 0; i < b.n; i++) {
		if (b.p[i] < '0' || b.p[i] > '9') {
			reader_fail(r, ERR_MALFORMED);
			return -1;
		}
		v = v * 10 + (b.p[i] - '0');
	}
	return v;
}

static void literal(struct reader *r, const char *text)
{
	struct bytes b = reader_bytes(r, strlen(text));

	if (!bytes_eq_var(b, bytes_str(text)))
		reader_fail(r, ERR_MALFORMED);
}

static enum err to_ms(int64_t *ret_wall_ms, int64_t year, int64_t month, int64_t day, int64_t hour,
		      int64_t minute, int64_t second)
{
	struct tm tm = {.tm_year = (int)year - 1900,
			.tm_mon = (int)month - 1,
			.tm_mday = (int)day,
			.tm_hour = (int)hour,
			.tm_min = (int)minute,
			.tm_sec = (int)second};

	/* timegm makes the 3rd of March out of the 31st of February. A leap second is the one
	 * before. */
	if (year < 1970 || hour > 23 || minute > 59 || second > 60)
		return ERR_MALFORMED;
	if (second == 60)
		tm.tm_sec = 59;

	time_t t = timegm(&tm);

	if (t < 0 || tm.tm_mday != (int)day || tm.tm_mon != (int)month - 1)
		return ERR_MALFORMED;
	*ret_wall_ms = (int64_t)t * 1000;
	return ERR_OK;
}

enum err aws_time_iso(int64_t *ret_wall_ms, struct bytes text)
{
	struct reader r = reader_of(text);
	int64_t year = number(&r, 4), month, day, hour, minute, second;

	literal(&r, "-");
	month = number(&r, 2);
	literal(&r, "-");
	day = number(&r, 2);
	literal(&r, "T");
	hour = number(&r, 2);
	literal(&r, ":");
	minute = number(&r, 2);
	literal(&r, ":");
	second = number(&r, 2);
	if (r.err == ERR_OK && r.in.n > 1 && r.in.p[0] == '.') {
		literal(&r, ".");
		do
			(void)number(&r, 1);
		while (r.err == ERR_OK && r.in.n > 1);
	}
	literal(&r, "Z");
	if (reader_end(&r) != ERR_OK)
		return ERR_MALFORMED;
	return to_ms(ret_wall_ms, year, month, day, hour, minute, second);
}

enum err aws_time_http(int64_t *ret_wall_ms, struct bytes text)
{
	static const char days[] = "MonTueWedThuFriSatSun";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct reader r = reader_of(text);
	struct bytes word = reader_bytes(&r, 3);
	int64_t year, month = 0, day, hour, minute, second;
	bool known = false;

	for (size_t i = 0; word.n == 3 && i < 7; i++)
		known |= memcmp(&days[3 * i], word.p, 3) == 0;
	literal(&r, ", ");
	day = number(&r, 2);
	literal(&r, " ");
	word = reader_bytes(&r, 3);
	for (int i = 0; word.n == 3 && i < 12; i++)
		if (memcmp(&months[3 * i], word.p, 3) == 0)
			month = i + 1;
	literal(&r, " ");
	year = number(&r, 4);
	literal(&r, " ");
	hour = number(&r, 2);
	literal(&r, ":");
	minute = number(&r, 2);
	literal(&r, ":");
	second = number(&r, 2);
	literal(&r, " GMT");
	if (reader_end(&r) != ERR_OK || !known || month == 0)
		return ERR_MALFORMED;
	return to_ms(ret_wall_ms, year, month, day, hour, minute, second);
}

/* ---- credentials of a metadata service ---- */

/* The tree had copies of secrets: their texts are overwritten before it goes. */
static void json_wipe(json_t **v)
{
	const char *key;
	json_t *member;

	json_object_foreach(*v, key, member)
	{
		if (json_is_string(member))
			secret_wipe((char *)(uintptr_t)json_string_value(member),
				    json_string_length(member));
	}
	json_decref(*v);
	*v = NULL;
}

enum err aws_keys_from_json(struct aws_key_set *ret_keys, struct bytes body, struct err_note *note)
{
	CLEANUP(json_wipe) json_t *o = NULL;
	enum err bad = ERR_OK;
	int64_t expires_ms = INT64_MAX;

	TRY(json_parse(&o, body, AWS_BODY_MAX, note));

	const json_t *code = json_object_get(o, "Code"), *until = json_object_get(o, "Expiration");

	if (code && strcmp(json_is_string(code) ? json_string_value(code) : "", "Success") != 0)
		return err_say(note, ERR_REMOTE, "it gives no credentials: %.64s",
			       json_is_string(code) ? json_string_value(code) : "?");

	const char *id = json_get_str(o, "AccessKeyId", &bad);
	const char *secret = json_get_str(o, "SecretAccessKey", &bad);
	const char *token = json_object_get(o, "Token") ? json_get_str(o, "Token", &bad) : "";

	if (bad == ERR_OK && until)
		bad = aws_time_iso(&expires_ms, bytes_str(json_get_str(o, "Expiration", &bad)));
	if (bad == ERR_OK)
		bad = aws_key_set_make(ret_keys, bytes_str(id), bytes_str(secret), bytes_str(token),
				       expires_ms);
	return bad == ERR_MALFORMED ? err_say(note, bad, "its credentials are not well formed")
				    : bad;
}

/* ---- XML ---- */

/* What stands between the first <NAME> and the next </NAME>; false: no such element. The answers of
 * AWS have neither attributes nor comments where we look. */
static bool element(struct bytes *ret, struct bytes xml, const char *name)
{
	char open[40], close[40];
	const uint8_t *begin, *end;

	(void)snprintf(open, sizeof(open), "<%s>", name);
	(void)snprintf(close, sizeof(close), "</%s>", name);
	begin = xml.n > 0 ? memmem(xml.p, xml.n, open, strlen(open)) : NULL;
	if (!begin)
		return false;

	size_t at = (size_t)(begin - xml.p) + strlen(open);
	struct bytes rest = bytes_sub(xml, at, xml.n - at);

	end = rest.n > 0 ? memmem(rest.p, rest.n, close, strlen(close)) : NULL;
	if (!end)
		return false;
	*ret = bytes_sub(rest, 0, (size_t)(end - rest.p));
	return true;
}

/* Text only: base64 and times need no escapes. */
static bool plain_element(struct bytes *ret, struct bytes xml, const char *name)
{
	return element(ret, xml, name) &&
	       (ret->n == 0 || (!memchr(ret->p, '<', ret->n) && !memchr(ret->p, '&', ret->n)));
}

enum err aws_keys_from_sts(struct aws_key_set *ret_keys, struct bytes body, struct err_note *note)
{
	struct bytes all, id, secret, token, until;
	int64_t expires_ms = 0;
	enum err e = ERR_MALFORMED;

	if (element(&all, body, "Credentials") && plain_element(&id, all, "AccessKeyId") &&
	    plain_element(&secret, all, "SecretAccessKey") &&
	    plain_element(&token, all, "SessionToken") &&
	    plain_element(&until, all, "Expiration") && token.n > 0)
		e = aws_time_iso(&expires_ms, until);
	if (e == ERR_OK)
		e = aws_key_set_make(ret_keys, id, secret, token, expires_ms);
	return e == ERR_MALFORMED ? err_say(note, e, "its credentials are not well formed") : e;
}

/* ---- faults ---- */

/* "com.amazonaws.kms#NotFoundException", "AccessDeniedException:http://…": the word in it. */
static void take_code(char *out, size_t size, struct bytes text)
{
	const uint8_t *mark = text.n > 0 ? memchr(text.p, '#', text.n) : NULL;
	size_t at = mark ? (size_t)(mark - text.p) + 1 : 0, n = 0;

	while (at < text.n && n + 1 < size && text.p[at] != ':' && text.p[at] > ' ' &&
	       text.p[at] <= '~')
		out[n++] = (char)text.p[at++];
	out[n] = '\0';
}

static void take_message(char *out, size_t size, struct bytes text)
{
	(void)snprintf(out, size, "%.*s", (int)(text.n < size ? text.n : size),
		       text.n > 0 ? (const char *)text.p : "");
}

static struct bytes text_member(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return json_is_string(v) ? bytes_from(json_string_value(v), json_string_length(v))
				 : BYTES_NONE;
}

void aws_fault_read(struct aws_fault *ret_fault, const struct http_reply *reply)
{
	CLEANUP(json_free_ptr) json_t *o = NULL;
	const char *type = http_reply_header(reply, "x-amzn-errortype");
	struct bytes code, message;

	*ret_fault = (struct aws_fault){0};
	if (json_parse(&o, reply->body, AWS_BODY_MAX, NULL) == ERR_OK) {
		code = text_member(o, "__type");
		message = text_member(o, "message");
		if (message.n == 0)
			message = text_member(o, "Message");
		take_code(ret_fault->code, sizeof(ret_fault->code), code);
		take_message(ret_fault->message, sizeof(ret_fault->message), message);
	} else {
		if (plain_element(&code, reply->body, "Code"))
			take_code(ret_fault->code, sizeof(ret_fault->code), code);
		if (plain_element(&message, reply->body, "Message"))
			take_message(ret_fault->message, sizeof(ret_fault->message), message);
	}
	if (ret_fault->code[0] == '\0' && type)
		take_code(ret_fault->code, sizeof(ret_fault->code), bytes_str(type));
}

static const struct {
	const char *code;
	enum aws_fault_kind kind;
} faults[] = {
	{"ThrottlingException", AWS_FAULT_PASSES},
	{"Throttling", AWS_FAULT_PASSES},
	{"ThrottledException", AWS_FAULT_PASSES},
	{"RequestThrottledException", AWS_FAULT_PASSES},
	{"TooManyRequestsException", AWS_FAULT_PASSES},
	{"RequestLimitExceeded", AWS_FAULT_PASSES},
	{"BandwidthLimitExceeded", AWS_FAULT_PASSES},
	{"LimitExceededException", AWS_FAULT_PASSES},
	{"SlowDown", AWS_FAULT_PASSES},
	{"RequestTimeout", AWS_FAULT_PASSES},
	{"RequestTimeoutException", AWS_FAULT_PASSES},
	{"InternalFailure", AWS_FAULT_PASSES},
	{"InternalServerError", AWS_FAULT_PASSES},
	{"ServiceUnavailable", AWS_FAULT_PASSES},
	{"ServiceUnavailableException", AWS_FAULT_PASSES},
	{"KMSInternalException", AWS_FAULT_PASSES},
	{"DependencyTimeoutException", AWS_FAULT_PASSES},
	{"KeyUnavailableException", AWS_FAULT_PASSES},
	{"InvalidSignatureException", AWS_FAULT_CLOCK},
	{"SignatureDoesNotMatch", AWS_FAULT_CLOCK},
	{"RequestTimeTooSkewed", AWS_FAULT_CLOCK},
	{"RequestInTheFuture", AWS_FAULT_CLOCK},
	{"RequestExpired", AWS_FAULT_CLOCK},
	{"ExpiredTokenException", AWS_FAULT_CREDENTIALS},
	{"ExpiredToken", AWS_FAULT_CREDENTIALS},
	{"UnrecognizedClientException", AWS_FAULT_CREDENTIALS},
	{"InvalidClientTokenId", AWS_FAULT_CREDENTIALS},
	{"InvalidAccessKeyId", AWS_FAULT_CREDENTIALS},
	{"InvalidToken", AWS_FAULT_CREDENTIALS},
};

enum aws_fault_kind aws_fault_kind(const struct aws_fault *f, int status)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (strcmp(faults[i].code, f->code) == 0)
			return faults[i].kind;
	return status >= 500 || status == 429 || status == 408 ? AWS_FAULT_PASSES
							       : AWS_FAULT_REFUSED;
}

/* ---- profiles ---- */

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes trim(struct bytes b)
{
	while (b.n > 0 && blank(b.p[0]))
		b = bytes_sub(b, 1, b.n - 1);
	while (b.n > 0 && blank(b.p[b.n - 1]))
		b = bytes_sub(b, 0, b.n - 1);
	return b;
}

static struct bytes next_line(struct bytes *text)
{
	const uint8_t *end = memchr(text->p, '\n', text->n);
	size_t n = end ? (size_t)(end - text->p) : text->n;
	struct bytes line = bytes_sub(*text, 0, n);

	*text = end ? bytes_sub(*text, n + 1, text->n - n - 1) : BYTES_NONE;
	return line;
}

/* "[profile NAME]" */
static bool is_section_of(struct bytes line, bool is_config, const char *profile)
{
	const uint8_t *end = memchr(line.p, ']', line.n);
	struct bytes name = trim(bytes_sub(line, 1, end ? (size_t)(end - line.p) - 1 : 0));
	const struct bytes prefix = BYTES_LIT("profile");

	if (!end)
		return false;
	if (is_config && name.n > prefix.n && blank(name.p[prefix.n]) &&
	    bytes_eq_var(bytes_sub(name, 0, prefix.n), prefix))
		name = trim(bytes_sub(name, prefix.n, name.n - prefix.n));
	else if (is_config && strcmp(profile, "default") != 0)
		return false;
	return bytes_eq_var(name, bytes_str(profile));
}

/* "KEY = VALUE  # remark" */
static bool is_key(struct bytes *ret_value, struct bytes line, const char *key)
{
	const uint8_t *equals = line.n > 0 ? memchr(line.p, '=', line.n) : NULL;
	size_t at = equals ? (size_t)(equals - line.p) : 0;
	struct bytes name = trim(bytes_sub(line, 0, at));

	if (!equals || name.n != strlen(key) || strncasecmp((const char *)name.p, key, name.n) != 0)
		return false;

	struct bytes value = bytes_sub(line, at + 1, line.n - at - 1);

	for (size_t i = 1; i < value.n; i++)
		if ((value.p[i] == '#' || value.p[i] == ';') && blank(value.p[i - 1]))
			value = bytes_sub(value, 0, i);
	*ret_value = trim(value);
	return true;
}

/* `key` NULL: the section alone. */
static bool profile_find(struct bytes *ret_value, struct bytes text, bool is_config,
			 const char *profile, const char *key)
{
	bool inside = false, found = false;

	while (text.n > 0) {
		struct bytes line = next_line(&text);

		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';' || blank(line.p[0]))
			continue;
		if (line.p[0] == '[') {
			inside = is_section_of(line, is_config, profile);
			found |= inside && !key;
		} else if (inside && key) {
			found |= is_key(ret_value, line, key);
		}
	}
	return found;
}

bool aws_profile_get(struct bytes *ret_value, struct bytes text, bool is_config,
		     const char *profile, const char *key)
{
	return profile_find(ret_value, text, is_config, profile, key);
}

bool aws_profile_exists(struct bytes text, bool is_config, const char *profile)
{
	return profile_find(NULL, text, is_config, profile, NULL);
}
