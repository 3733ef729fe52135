/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What tls_new and the options of a channel refuse, and what they say about it. */
#include "testing.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/limits.h"
#include "certs.h"
#include "net/channel.h"
#include "net/tls.h"

static struct certs certs;

static int group_setup(void **state)
{
	static const struct cert_plan good = {.san = "DNS:core"};
	struct authority a;

	(void)state;
	certs_make(&certs);
	a = authority_make(&certs, "ca");
	authority_issue(&a, &certs, "core", &good);
	authority_issue(&a, &certs, "connector", &good);
	authority_issue(&a, &certs, "expired",
			&(struct cert_plan){.san = good.san, .begin_s = -7200, .end_s = -60});
	authority_issue(&a, &certs, "early",
			&(struct cert_plan){.san = good.san, .begin_s = 3600, .end_s = 7200});
	authority_free(&a);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	certs_free(&certs);
	return 0;
}

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static enum err tls_make(struct tls **ret_tls, const char *const *identities, size_t n,
			 struct err_note *note)
{
	char paths[3][CERT_PATH_SIZE];
	const struct tls_options o = {.cert_file = certs_path(&certs, paths[0], "core.pem"),
				      .key_file = certs_path(&certs, paths[1], "core.key"),
				      .ca_file = certs_path(&certs, paths[2], "ca.pem"),
				      .identities = identities,
				      .identities_n = n};

	return tls_new(ret_tls, &o, note);
}

static void file_write(const char *name, const char *text, mode_t mode)
{
	char path[CERT_PATH_SIZE];
	FILE *f = fopen(certs_path(&certs, path, name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void file_copy(const char *to, const char *from)
{
	char path[CERT_PATH_SIZE];
	static char text[8192];
	FILE *f = fopen(certs_path(&certs, path, from), "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	file_write(to, text, strstr(to, ".key") ? 0600 : 0644);
}

static void encrypted_key_write(const char *name)
{
	char path[CERT_PATH_SIZE];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f = fopen(certs_path(&certs, path, name), "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(),
					      (const unsigned char *)"pass", 4, NULL, NULL),
			 1);
	fclose(f);
	chmod(path, 0600);
	EVP_PKEY_free(key);
}

static void files_are_checked(void **state)
{
	static const struct {
		const char *cert, *key, *ca;
		enum err err;
		const char *note;
	} rows[] = {
		{"core.pem", "core.key", "ca.pem", ERR_OK, ""},
		{"core.pem", "group.key", "ca.pem", ERR_OK, ""},
		{"none.pem", "core.key", "ca.pem", ERR_CONFIG_FILE, "none.pem: No such file"},
		{"core.pem", "none.key", "ca.pem", ERR_CONFIG_FILE, "none.key: No such file"},
		{"core.pem", "core.key", "none.pem", ERR_CONFIG_FILE, "none.pem: No such file"},
		{"core.pem", "open.key", "ca.pem", ERR_CONFIG_FILE,
		 "open.key holds a private key and is open to others (mode 0644): chmod 600"},
		{"core.pem", "other.key", "ca.pem", ERR_CONFIG_FILE, "open to others (mode 0604)"},
		{"core.pem", "connector.key", "ca.pem", ERR_CONFIG_VALUE,
		 "is not the key of the certificate in"},
		{"core.pem", "encrypted.key", "ca.pem", ERR_CONFIG_FILE,
		 "no unencrypted private key (PEM)"},
		{"core.pem", "core.pem", "ca.pem", ERR_CONFIG_FILE, "open to others"},
		{"core.key", "core.key", "ca.pem", ERR_CONFIG_FILE, "has no certificate (PEM)"},
		{"broken.pem", "core.key", "ca.pem", ERR_CONFIG_FILE,
		 "broken.pem: a certificate does not decode"},
		{"core.pem", "core.key", "empty.pem", ERR_CONFIG_FILE, "has no certificate (PEM)"},
		{"expired.pem", "expired.key", "ca.pem", ERR_CONFIG_VALUE,
		 "expired.pem: the certificate has expired"},
		{"early.pem", "early.key", "ca.pem", ERR_CONFIG_VALUE, "is not valid yet"},
		{"core.pem", "core.key", "fifo", ERR_CONFIG_FILE, "is no regular file"},
		{"core.pem", "core.key", ".", ERR_CONFIG_FILE, "is no regular file"},
	};
	char fifo[CERT_PATH_SIZE], path[CERT_PATH_SIZE];

	(void)state;
	file_copy("open.key", "core.key");
	assert_int_equal(chmod(certs_path(&certs, path, "open.key"), 0644), 0);
	file_copy("other.key", "core.key");
	assert_int_equal(chmod(certs_path(&certs, path, "other.key"), 0604), 0);
	file_copy("group.key", "core.key");
	assert_int_equal(chmod(certs_path(&certs, path, "group.key"), 0640), 0);
	file_write("empty.pem", "", 0644);
	file_write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		   0644);
	encrypted_key_write("encrypted.key");
	assert_int_equal(mkfifo(certs_path(&certs, fifo, "fifo"), 0600), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char paths[3][CERT_PATH_SIZE];
		struct err_note note = {0};
		struct tls *t = NULL;
		const struct tls_options o = {.cert_file =
						      certs_path(&certs, paths[0], rows[i].cert),
					      .key_file = certs_path(&certs, paths[1], rows[i].key),
					      .ca_file = certs_path(&certs, paths[2], rows[i].ca)};

		if (tls_new(&t, &o, &note) != rows[i].err)
			fail_msg("row %zu: %s", i, note.text);
		assert_says(note.text, rows[i].note);
		assert_int_equal(t != NULL, rows[i].err == ERR_OK);
		tls_free(t);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void options_are_checked(void **state)
{
	struct err_note note = {0};
	struct tls *t = NULL;
	struct channel *c = NULL;
	struct loop *loop;

	static char overlong[TLS_NAME_SIZE + 1];
	const char *const bad[] = {"", ".example", overlong};

	(void)state;
	memset(overlong, 'a', TLS_NAME_SIZE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(tls_make(&t, &bad[i], 1, &note), ERR_CONFIG_VALUE);
	assert_int_equal(tls_make(&t, bad, TLS_IDENTITIES_MAX + 1, &note), ERR_CONFIG_VALUE);
	assert_null(t);
	assert_int_equal(loop_new(&loop), ERR_OK);
	assert_int_equal(channel_grpc_new(&c, loop, "https://core:1", &note), ERR_CONFIG_VALUE);
	assert_says(note.text, "\"https://core:1\" needs a certificate");
	assert_int_equal(tls_make(&t, NULL, 0, &note), ERR_OK);
	assert_int_equal(
		channel_grpc_open(&c, loop,
				  &(struct channel_grpc_options){.url = "http://core:1", .tls = t},
				  &note),
		ERR_CONFIG_VALUE);
	assert_says(note.text, "not https://");
	assert_null(c);
	assert_in_range(tls_not_after_s(t), time(NULL) + 80000, time(NULL) + 90000);
	assert_int_equal(tls_days_left(t, tls_not_after_s(t) - 86400), 1);
	assert_int_equal(tls_days_left(t, tls_not_after_s(t) - 86399), 0);
	assert_int_equal(tls_days_left(t, tls_not_after_s(t)), 0);
	assert_int_equal(tls_days_left(t, tls_not_after_s(t) + 1), -1);
	assert_int_equal(tls_days_left(t, tls_not_after_s(t) + 86400), -1);
	assert_int_equal(tls_days_left(t, tls_not_after_s(t) + 86401), -2);
	tls_free(t);
	loop_free(loop);
}

static void ways_of_urls(void **state)
{
	static const struct {
		const char *url;
		enum err err;
		enum channel_grpc_way way;
	} rows[] = {
		{"unix:/run/kms/core.sock", ERR_OK, CHANNEL_GRPC_UNIX},
		{"http://127.0.0.1:50051", ERR_OK, CHANNEL_GRPC_LOOPBACK},
		{"http://127.1.2.3:50051", ERR_OK, CHANNEL_GRPC_LOOPBACK},
		{"http://[::1]:50051", ERR_OK, CHANNEL_GRPC_LOOPBACK},
		{"http://localhost:50051", ERR_OK, CHANNEL_GRPC_LOOPBACK},
		{"http://128.0.0.1:50051", ERR_OK, CHANNEL_GRPC_PLAIN},
		{"http://localhost.example:50051", ERR_OK, CHANNEL_GRPC_PLAIN},
		{"http://127.0.0.1.example:50051", ERR_OK, CHANNEL_GRPC_PLAIN},
		{"https://127.0.0.1:50051", ERR_OK, CHANNEL_GRPC_TLS},
		{"tcp://127.0.0.1:50051", ERR_CONFIG_VALUE, 0},
		{"unix:", ERR_CONFIG_VALUE, 0},
		{"", ERR_CONFIG_VALUE, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum channel_grpc_way way = CHANNEL_GRPC_UNIX;
		struct err_note note = {0};

		if (channel_grpc_url_way(&way, rows[i].url, &note) != rows[i].err)
			fail_msg("%s: %s", rows[i].url, note.text);
		if (rows[i].err == ERR_OK)
			assert_int_equal(way, rows[i].way);
		else
			assert_true(note.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_checked),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(ways_of_urls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_files", tests, group_setup, group_teardown);
}
