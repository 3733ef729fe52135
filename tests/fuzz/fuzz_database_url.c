/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The database's URL. What is shown of it is nothing but host, port and database; libpq gives back
 * the password that was written into it; no text of an error keeps that password. Both places that
 * know the schemes agree.
 *
 * Input: u8 what || line: password || line: schema || the URL, or what an error says
 */
#include <stdio.h>
#include <stdlib.h>

#include "connector/config_file.h"
#include "fuzz.h"
#include "store/pg_conn.h"

static const char none[] = "(no database URL)";

static void check_shown(const char *url)
{
	static const char sqlite[] = "sqlite:", postgres[] = "postgres://";
	char shown[STORE_URL_SHOWN_SIZE];
	const char *host = strrchr(url, '@');

	store_url_show(shown, url);
	if (strncmp(shown, sqlite, strlen(sqlite)) == 0 || strcmp(shown, none) == 0) {
		CHECK(!store_url_shared(url));
		return;
	}
	CHECK(store_url_shared(url) && strncmp(shown, postgres, strlen(postgres)) == 0);
	/* Behind the last '@', or where there is none, at the beginning. */
	host = host ? &host[1] : &strstr(url, "://")[3];
	CHECK(strncmp(host, &shown[strlen(postgres)], strlen(&shown[strlen(postgres)])) == 0);
	CHECK(!strpbrk(&shown[strlen(postgres)], "@?\n\r\t \x1b"));
}

static void check_configured(const char *url)
{
	CLEANUP(secret_free) struct secret configured = {0};
	CLEANUP(secret_free) struct secret got = {0};
	char shown[STORE_URL_SHOWN_SIZE];
	struct err_note note = {0};

	FUZZ_OK(secret_copy(&configured, bytes_from(url, strlen(url) + 1)));
	store_url_show(shown, url);
	if (connector_database_url(&got, &configured, NULL, &note) != ERR_OK) {
		CHECK(note.text[0] && !got.p);
		/* Only a scheme with nothing behind it is known to one and not enough for the
		 * other. */
		CHECK(strcmp(shown, none) == 0 || url[strlen(url) - 1] == ':' ||
		      url[strlen(url) - 1] == '/');
		return;
	}
	CHECK(strcmp(shown, none) != 0 && strcmp((const char *)got.p, url) == 0);
}

static bool schema_is_simple(const char *s)
{
	bool good = s[0] != '\0' && !(s[0] >= '0' && s[0] <= '9');

	for (size_t i = 0; s[i]; i++)
		good &= (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '_';
	return good && strlen(s) < PG_SCHEMA_SIZE && strncmp(s, "pg_", 3) != 0;
}

static void check_said(const struct pg_target *t, struct bytes password, const char *said)
{
	struct err_note note = {0};
	const char *text = note.text;

	CHECK(pg_say(t, &note, ERR_REMOTE, said) == ERR_REMOTE);
	CHECK(strncmp(text, "postgres: ", 10) == 0 && !strpbrk(text, "\n\t"));
	/* Star, blank and question mark may be ours: for it, a tab, a byte that is no text. */
	for (const char *c = "* ?"; *c; c++)
		if (password.n == 0 || memchr(password.p, *c, password.n))
			return;
	CHECK(!memmem(&text[10], strlen(&text[10]), password.p, password.n));
}

/* RFC 3986, 2.1, of every byte. */
static char *url_with(struct bytes password)
{
	CLEANUP(buf_free) struct buf url = buf_make(4096);

	FUZZ_OK(buf_add_str(&url, "postgres://u:"));
	for (size_t i = 0; i < password.n; i++)
		FUZZ_OK(buf_addf(&url, "%%%02X", (unsigned)password.p[i]));
	FUZZ_OK(buf_add_str(&url, "@h:5432/d"));
	return fuzz_cstr(buf_view(&url));
}

static void check_password(struct bytes password, const char *schema, const char *said)
{
	CLEANUP(pg_target_free) struct pg_target t = {0};
	struct err_note note = {0};
	char *url = url_with(password);
	char shown[STORE_URL_SHOWN_SIZE];

	store_url_show(shown, url);
	CHECK(strcmp(shown, "postgres://h:5432/d") == 0);
	if (pg_target_init(&t, url, schema, &note) == ERR_OK) {
		CHECK(schema_is_simple(schema) && strcmp(t.schema, schema) == 0);
		CHECK(bytes_eq_var(secret_view(&t.password), password));
		check_said(&t, password, said);
	} else {
		CHECK(note.text[0] && !t.url.p && !schema_is_simple(schema));
	}
	free(url);
}

/* In the same words as any other. */
static void check_refused(const struct pg_target *t, const struct err_note *said)
{
	struct pg_target other;
	struct err_note note = {0};

	CHECK(!t->url.p && !t->password.p);
	CHECK(pg_target_init(&other, "postgres://h:x/", "claviger", &note) == ERR_CONFIG_VALUE);
	CHECK(strcmp(said->text, note.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n < 1024 ? n : 1024);
	uint8_t what = fuzz_u8(&in);
	struct bytes password = fuzz_line(&in);
	struct bytes schema_line = fuzz_line(&in);

	if (n < 2 || memchr(p, 0, n < 1024 ? n : 1024))
		return 0;

	char *schema = fuzz_cstr(schema_line), *text = fuzz_cstr(in);
	struct err_note note = {0};

	if (what % 2 == 0) {
		CLEANUP(pg_target_free) struct pg_target t = {0};

		check_shown(text);
		check_configured(text);
		if (pg_target_init(&t, text, "claviger", &note) != ERR_OK)
			check_refused(&t, &note);
	} else {
		check_password(bytes_sub(password, 0, password.n < 256 ? password.n : 256), schema,
			       text);
	}
	free(schema);
	free(text);
	return 0;
}
