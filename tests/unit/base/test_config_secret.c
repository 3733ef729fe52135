/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Secrets in files of their own: NAME_FILE, credentials of systemd. */
#include "config_fixture.h"

#include <sys/stat.h>

#define OTHER_KEY "1111111111111111111111111111111111111111111111111111111111111111"

struct place {
	char dir[64], key[80], password[80];
	char key_file[128], password_file[128], credentials[128];
};

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->dir, sizeof(p->dir), "/tmp/claviger-secret-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->key, sizeof(p->key), "%s/private_key", p->dir);
	snprintf(p->password, sizeof(p->password), "%s/password", p->dir);
	snprintf(p->key_file, sizeof(p->key_file), "KMS_CONNECTOR_PRIVATE_KEY_FILE=%s", p->key);
	snprintf(p->password_file, sizeof(p->password_file), "kms_connector_Password_file=%s",
		 p->password);
	snprintf(p->credentials, sizeof(p->credentials), "CREDENTIALS_DIRECTORY=%s", p->dir);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	(void)unlink(p->key);
	(void)unlink(p->password);
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

#define NEEDED "database_url = \"sqlite:a.db\"\n"

static void assert_key(const char *toml, const char *const *env, const char *first_byte)
{
	struct run r;

	load(&r, SENDER, toml, env);
	if (r.err != ERR_OK)
		fail_msg("%s", r.note.text);
	assert_true(r.s.private_key_given);
	assert_int_equal(r.s.private_key.b[0], strtoul(first_byte, NULL, 16));
	run_free(&r);
}

static void refused(const char *toml, const char *const *env, enum err want, const char *part)
{
	struct run r;

	load(&r, SENDER, toml, env);
	assert_string_equal(err_name(r.err), err_name(want));
	if (!strstr(r.note.text, part) || strstr(r.note.text, "1111"))
		fail_msg("%s", r.note.text);
	assert_false(r.s.private_key_given);
	assert_int_equal(r.s.private_key.b[0], 0);
	run_free(&r);
}
#define ENV(...)                                                                                   \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void test_variables(void **state)
{
	struct place *p = *state;
	struct run r;

	write_text(p->key, "0x" OTHER_KEY "\r\n");
	write_text(p->password, "two\nlines\n\n");
	assert_key(NEEDED "private_key = \"" KEY "\"\n", ENV(p->key_file), "11");
	assert_key(NEEDED "private_key = \"" KEY "\"\n", ENV("KMS_CONNECTOR_PRIVATE_KEY_FILE="),
		   "8d");
	load(&r, SENDER, NEEDED, ENV(p->password_file));
	assert_int_equal(r.err, ERR_OK);
	assert_string_equal((const char *)r.s.password.p, "two\nlines");
	assert_false(r.s.private_key_given);
	run_free(&r);
}

static void test_credentials(void **state)
{
	struct place *p = *state;

	/* Not there: what else there is. */
	assert_key(NEEDED "private_key = \"" KEY "\"\n", ENV(p->credentials), "8d");
	write_text(p->key, OTHER_KEY);
	assert_key(NEEDED "private_key = \"" KEY "\"\n", ENV(p->credentials), "11");
	assert_key(NEEDED, ENV(p->credentials, "KMS_CONNECTOR_PRIVATE_KEY=" KEY), "8d");
	assert_key(NEEDED, ENV(p->credentials, p->key_file), "11");
}

static void test_refusals(void **state)
{
	struct place *p = *state;
	CLEANUP(buf_free) struct buf big = buf_make(1 << 20);
	const char *text;

	refused(NEEDED, ENV(p->key_file), ERR_CONFIG_FILE, p->key); /* not there */
	write_text(p->key, OTHER_KEY);
	refused(NEEDED, ENV(p->key_file, "KMS_CONNECTOR_PRIVATE_KEY=" OTHER_KEY), ERR_CONFIG_VALUE,
		"both set");
	write_text(p->key, OTHER_KEY "1111");
	refused(NEEDED, ENV(p->key_file), ERR_CONFIG_VALUE, "private_key");
	refused(NEEDED, ENV(p->credentials), ERR_CONFIG_VALUE, "something else (not shown)");
	write_text(p->key, "");
	refused(NEEDED, ENV(p->key_file), ERR_CONFIG_VALUE, "found nothing");
	for (int i = 0; i < CONFIG_SECRET_FILE_SIZE_MAX; i++)
		assert_int_equal(buf_add_u8(&big, '1'), ERR_OK);
	assert_int_equal(buf_add_u8(&big, '1'), ERR_OK);
	assert_int_equal(buf_cstr(&big, &text), ERR_OK);
	write_text(p->key, text);
	refused(NEEDED, ENV(p->key_file), ERR_TOO_BIG, "larger than");
	/* A pipe would be waited for; a directory is none either. */
	assert_int_equal(unlink(p->key), 0);
	assert_int_equal(mkfifo(p->key, 0600), 0);
	refused(NEEDED, ENV(p->key_file), ERR_CONFIG_FILE, "no file that can be read");
	assert_int_equal(unlink(p->key), 0);
	refused(NEEDED, ENV("KMS_CONNECTOR_PRIVATE_KEY_FILE=/tmp"), ERR_CONFIG_FILE,
		"no file that can be read");
}

static void collect(void *ctx, const char *where, const char *key)
{
	struct buf *b = ctx;

	assert_int_equal(buf_addf(b, "%s %s\n", where, key), ERR_OK);
}

/* Only secrets have such a variable, and it is known; the reference says so. */
static void test_known(void **state)
{
	static const char *const env[] = {"KMS_CONNECTOR_PRIVATE_KEY_FILE=1",
					  "kms_connector_password_File=1",
					  "KMS_CONNECTOR_POLLING_FILE=1", NULL};
	CLEANUP(buf_free) struct buf b = buf_make(1000), doc = buf_make(1 << 16);
	const struct config_source src = {.file = "k.toml", .text = BYTES_LIT(""), .env = env};
	const char *text;

	(void)state;
	assert_int_equal(config_unknown(&table, &src, collect, &b), ERR_OK);
	assert_int_equal(buf_cstr(&b, &text), ERR_OK);
	assert_string_equal(text, "environment KMS_CONNECTOR_POLLING_FILE\n");
	assert_int_equal(config_reference(&table, &doc), ERR_OK);
	assert_int_equal(buf_cstr(&doc, &text), ERR_OK);
	assert_non_null(
		strstr(text, "| `private_key` | `KMS_CONNECTOR_PRIVATE_KEY`, or `…_FILE` |"));
	assert_non_null(strstr(text, "| `polling` | `KMS_CONNECTOR_POLLING` |"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_variables),
		T(test_credentials),
		T(test_refusals),
		T(test_known),
	};

	return cmocka_run_group_tests_name("config_secret", tests, NULL, NULL);
}
