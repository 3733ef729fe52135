/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Where configuration files are found, which database is meant, whom a health check asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "connector/config_file.h"
#include "connector/probe.h"

static void test_database_url(void **state)
{
	static const struct {
		const char *configured, *directory, *url;
	} rows[] = {
		{NULL, NULL, "sqlite:./kms-connector.db"},
		{NULL, "", "sqlite:./kms-connector.db"},
		{NULL, "/var/lib/a", "sqlite:/var/lib/a/kms-connector.db"},
		{NULL, "/var/lib/a:/var/lib/b", "sqlite:/var/lib/a/kms-connector.db"},
		{"sqlite:/var/lib/c.db", "/var/lib/a", "sqlite:/var/lib/c.db"},
		{"sqlite:c.db", NULL, "sqlite:c.db"},
		{"sqlite:///var/lib/c.db", NULL, "sqlite:///var/lib/c.db"},
		{"postgres://user:secret@host/db", NULL, "postgres://user:secret@host/db"},
		{"postgresql://user:secret@host/db", NULL, "postgresql://user:secret@host/db"},
		{"mysql://user:secret@host/db", NULL, NULL},
		{"secret", NULL, NULL},
		{"sqlite:", NULL, NULL},
		{"postgres://", NULL, NULL},
		{"", NULL, NULL},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(secret_free) struct secret configured = {0};
		CLEANUP(secret_free) struct secret url = {0};
		char variable[80] = "NOTHING=1";
		const char *const env[] = {variable, NULL};
		struct err_note note = {0};
		const char *given = rows[i].configured;

		if (given)
			assert_int_equal(
				secret_copy(&configured, bytes_from(given, strlen(given) + 1)),
				ERR_OK);
		if (rows[i].directory)
			(void)snprintf(variable, sizeof(variable), "STATE_DIRECTORY=%s",
				       rows[i].directory);

		enum err e = connector_database_url(&url, &configured, env, &note);

		if (rows[i].url) {
			assert_int_equal(e, ERR_OK);
			assert_string_equal((const char *)url.p, rows[i].url);
			continue;
		}
		assert_int_equal(e, ERR_CONFIG_VALUE);
		assert_non_null(strstr(note.text, "database_url"));
		assert_null(strstr(note.text, "secret"));
	}
}

/* ---- files ---- */

struct place {
	char dir[64], variable[128];
	const char *env[2];
};

static void touch(const struct place *p, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void place_setup(struct place *p)
{
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/claviger-configs-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->variable, sizeof(p->variable), "KMS_CONNECTOR_CONFIG_DIR=%s", p->dir);
	p->env[0] = p->variable;
	p->env[1] = NULL;
	touch(p, "b.toml", "database_url = \"sqlite:b.db\"\n");
	touch(p, "a.toml", "[aws_kms_config]\ndatabase_url = \"postgres://h/d\"\n");
	touch(p, "notes.txt", "");
	touch(p, ".hidden.toml", "");
}

static void place_remove(struct place *p)
{
	static const char *const names[] = {"b.toml", "a.toml", "notes.txt", ".hidden.toml"};
	char path[256];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(p->dir), 0);
}

static void expect_path(const struct place *p, const char *name, const char *expected)
{
	CLEANUP(buf_free) struct buf path = buf_make(1000);
	const char *text;

	assert_int_equal(connector_config_path(&path, name, p->env, NULL), ERR_OK);
	assert_int_equal(buf_cstr(&path, &text), ERR_OK);
	assert_string_equal(text, expected);
}

static void test_files(void **state)
{
	CLEANUP(buf_free) struct buf out = buf_make(1000);
	CLEANUP(secret_free) struct secret url = {0};
	struct place p;
	char expected[200];
	const char *text;
	struct err_note note = {0};

	(void)state;
	place_setup(&p);
	assert_int_equal(connector_config_list(&out, p.env, false, &note), ERR_OK);
	assert_int_equal(buf_cstr(&out, &text), ERR_OK);
	assert_string_equal(text, "a.toml\nb.toml\n");
	buf_clear(&out);
	assert_int_equal(connector_config_list(&out, p.env, true, &note), ERR_OK);
	assert_int_equal(buf_cstr(&out, &text), ERR_OK);
	(void)snprintf(expected, sizeof(expected), "%s/a.toml\n%s/b.toml\n", p.dir, p.dir);
	assert_string_equal(text, expected);

	(void)snprintf(expected, sizeof(expected), "%s/b.toml", p.dir);
	expect_path(&p, "b.toml", expected);
	expect_path(&p, "./b.toml", "./b.toml");
	buf_clear(&out);
	assert_int_equal(connector_config_path(&out, "c.toml", p.env, &note), ERR_CONFIG_FILE);
	assert_non_null(strstr(note.text, "c.toml: found neither here nor in "));
	assert_non_null(strstr(note.text, p.dir));

	assert_int_equal(connector_database_of(&url, expected, p.env, &note), ERR_OK);
	assert_string_equal((const char *)url.p, "sqlite:b.db");
	secret_free(&url);
	(void)snprintf(expected, sizeof(expected), "%s/a.toml", p.dir);
	assert_int_equal(connector_database_of(&url, expected, p.env, &note), ERR_OK);
	assert_string_equal((const char *)url.p, "postgres://h/d");

	place_remove(&p);
	assert_int_equal(connector_config_list(&out, p.env, false, &note), ERR_CONFIG_FILE);
	assert_non_null(strstr(note.text, p.dir));
	assert_non_null(strstr(note.text, "KMS_CONNECTOR_CONFIG_DIR"));
}

/* ---- health ---- */

static void test_probe_urls(void **state)
{
	static const struct {
		const char *endpoint, *url;
	} rows[] = {
		{"http://h:1/x", "http://h:1/x"},
		{"https://h/healthz", "https://h/healthz"},
		{"http://h:1", "http://h:1/healthz"},
		{"https://[::1]:1/", "https://[::1]:1/healthz"},
		{"http://h?x", "http://h?x"},
		{"ftp://h:1/x", NULL},
		{"unix:///run/x", NULL},
		{"127.0.0.1:9100", "http://127.0.0.1:9100/healthz"},
		{"0.0.0.0:9100", "http://127.0.0.1:9100/healthz"},
		{"[::]:9100", "http://[::1]:9100/healthz"},
		{"[fe80::1]:9100", "http://[fe80::1]:9100/healthz"},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_free) struct buf url = buf_make(1000);
		const char *text;

		struct err_note note = {0};

		if (!rows[i].url) {
			assert_int_equal(probe_url(&url, rows[i].endpoint, "/healthz", &note),
					 ERR_CONFIG_VALUE);
			assert_non_null(strstr(note.text, "expected http://HOST:PORT"));
			continue;
		}
		assert_int_equal(probe_url(&url, rows[i].endpoint, "/healthz", &note), ERR_OK);
		assert_int_equal(buf_cstr(&url, &text), ERR_OK);
		assert_string_equal(text, rows[i].url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_database_url),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_probe_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
