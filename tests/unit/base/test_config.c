/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Loading: file, environment, defaults, types. */
#include "config_fixture.h"

static void test_file(void **state)
{
	CLEANUP(run_free) struct run r;

	(void)state;
	load(&r, WORKER | SENDER, full_toml, NULL);
	assert_string_equal(r.note.text, "");
	assert_int_equal(r.err, ERR_OK);
	assert_string_equal(r.s.database_url, "sqlite:a.db");
	assert_string_equal(r.s.gateway_url, "http://127.0.0.1:8545");
	assert_int_equal(r.s.chain_id, 54321);
	assert_false(r.s.catch_up);
	assert_true(r.s.catch_up_given);
	assert_int_equal(r.s.polling_ms, 1500);
	assert_int_equal(r.s.decryption.b[0], 0x63);
	assert_int_equal(r.s.decryption.b[19], 0x77);
	assert_string_equal(r.s.domain_name, "Decryption");
	assert_string_equal(r.s.monitoring, "0.0.0.0:9100");
	assert_true(r.s.private_key_given);
	assert_int_equal(r.s.private_key.b[0], 0x8d);
	assert_int_equal(r.s.private_key.b[31], 0x8f);
	assert_int_equal(r.s.cores.n, 2);
	assert_string_equal(r.s.cores.v[1], "http://y:2");
	assert_int_equal(json_array_size(r.s.host_chains), 1);
	assert_int_equal(r.s.pool, 16);
}

static void test_defaults_and_services(void **state)
{
	CLEANUP(run_free) struct run r;
	static const char *const env[] = {"KMS_CONNECTOR_DATABASE_URL=x", NULL};
	struct config_source src = {.env = env};

	(void)state;
	/* no file at all */
	r = (struct run){.arena = arena_make(1 << 20)};
	r.err = config_load(&table, WORKER, &src, &r.s, &r.arena, &r.note);
	assert_int_equal(r.err, ERR_OK);
	assert_true(r.s.catch_up);
	assert_false(r.s.catch_up_given);
	assert_int_equal(r.s.polling_ms, 500);
	assert_null(r.s.gateway_url);
	assert_int_equal(r.s.cores.n, 1);
	assert_string_equal(r.s.cores.v[0], "http://a:1");
	run_free(&r);

	/* rows of other services are neither filled nor checked */
	load(&r, SENDER, "database_url = \"x\"\npolling = 7\n", NULL);
	assert_int_equal(r.err, ERR_OK);
	assert_int_equal(r.s.polling_ms, 0);
	assert_false(r.s.private_key_given);
}

static void test_environment_wins(void **state)
{
	CLEANUP(run_free) struct run r;
	static const char *const env[] = {
		"PATH=/bin",
		"KMS_CONNECTOR_DATABASE_URL=postgres://u:p=w@h/db?a=b",
		"kms_connector_gateway_chain_id=7",
		"KMS_CONNECTOR_DECRYPTION_CONTRACT__ADDRESS="
		"0x00000000000000000000000000000000000000Aa",
		"KMS_CONNECTOR_DECRYPTION_CONTRACT__DOMAIN_NAME=123",
		"KMS_CONNECTOR_CATCH_UP=Yes",
		"KMS_CONNECTOR_polling=20ms",
		"KMS_CONNECTOR_POLLING=30ms",
		"KMS_CONNECTOR_POLLINg=40ms",
		"KMS_CONNECTOR_PRIVATE_KEY=0x" KEY,
		"KMS_CONNECTOR_KMS_CORE_ENDPOINTS=http://a:1, http://b:2 ,http://c:3",
		"KMS_CONNECTOR_HOST_CHAINS=[{\"url\":\"http://h\",\"chainId\":\"12345\"},{}]",
		"KMS_CONNECTOR_NOISE",
		"=x",
		NULL};

	(void)state;
	load(&r, WORKER | SENDER, full_toml, env);
	assert_string_equal(r.note.text, "");
	assert_int_equal(r.err, ERR_OK);
	assert_string_equal(r.s.database_url, "postgres://u:p=w@h/db?a=b");
	assert_string_equal(r.s.gateway_url, "http://127.0.0.1:8545");
	assert_int_equal(r.s.chain_id, 7);
	assert_int_equal(r.s.decryption.b[19], 0xaa);
	assert_string_equal(r.s.domain_name, "123");
	assert_true(r.s.catch_up);
	assert_int_equal(r.s.polling_ms, 30); /* the exact spelling */
	assert_int_equal(r.s.private_key.b[0], 0x8d);
	assert_int_equal(r.s.cores.n, 3);
	assert_string_equal(r.s.cores.v[1], "http://b:2");
	assert_string_equal(r.s.cores.v[2], "http://c:3");
	assert_int_equal(json_array_size(r.s.host_chains), 2);
}

static void test_aliases(void **state)
{
	CLEANUP(run_free) struct run r;
	static const char *const env[] = {"KMS_CONNECTOR_CHAIN_ID=9", NULL};

	(void)state;
	load(&r, WORKER, "database_url=\"x\"\nchain_id = 5\n", NULL);
	assert_int_equal(r.s.chain_id, 5);
	run_free(&r);
	load(&r, WORKER, "database_url=\"x\"\nchain_id = 5\ngateway_chain_id = 6\n", NULL);
	assert_int_equal(r.s.chain_id, 6);
	run_free(&r);
	load(&r, WORKER, "database_url=\"x\"\nchain_id = 5\ngateway_chain_id = 6\n", env);
	assert_int_equal(r.s.chain_id, 9);
}

/* ---- single types ---- */

static enum err load_one(const char *variable)
{
	const char *const env[] = {"KMS_CONNECTOR_DATABASE_URL=x", variable, NULL};
	struct run r;

	load(&r, WORKER | SENDER, "", env);
	run_free(&r);
	return r.err;
}

static void test_urls(void **state)
{
	static const char *const good[] = {
		"http://a",         "https://a.b/c?d=e#f",   "HTTP://a:1",     "http://[::1]:8545/",
		"http://[fe80::1]", "https://u:p@h:65535/x", "http://a?q=1@2", "http://a/b@c:d"};
	static const char *const bad[] = {"",
					  "a",
					  "ws://a",
					  "http:/a",
					  "http://",
					  "http:///x",
					  "http://:80",
					  "http://a:",
					  "http://a:0",
					  "http://a:65536",
					  "http://a:b",
					  "http://a b",
					  "http://a\n",
					  "http://[::1",
					  "http://[]:1",
					  "http://u@:1",
					  "http://\xc3\xa9"};
	char text[URL_SIZE_MAX + 100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		(void)snprintf(text, sizeof(text), "KMS_CONNECTOR_GATEWAY_URL=%s", good[i]);
		if (load_one(text) != ERR_OK)
			fail_msg("refused %s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(text, sizeof(text), "KMS_CONNECTOR_GATEWAY_URL=%s", bad[i]);
		if (load_one(text) != ERR_CONFIG_VALUE)
			fail_msg("accepted %s", bad[i]);
	}
	memset(text, 'a', sizeof(text));
	memcpy(text, "KMS_CONNECTOR_GATEWAY_URL=http://", 33);
	text[26 + URL_SIZE_MAX] = '\0';
	assert_int_equal(load_one(text), ERR_OK);
	text[26 + URL_SIZE_MAX] = 'a';
	text[26 + URL_SIZE_MAX + 1] = '\0';
	assert_int_equal(load_one(text), ERR_CONFIG_VALUE);
}

/* min and max are of the length for every kind of text. */
static void test_bounds_of_texts(void **state)
{
	static const struct config_row bounded[] = {
		{"url", CONFIG_URL, AT(gateway_url), NOT_RECORDED, NULL, 10, 12, WORKER, false,
		 "."},
		{"endpoint", CONFIG_ENDPOINT, AT(monitoring), NOT_RECORDED, NULL, 10, 12, WORKER,
		 false, "."},
	};
	static const struct config_table texts = {"P_", bounded, ARRAY_LEN(bounded)};
	static const struct {
		const char *variable;
		const char *note;
	} cases[] = {
		{"P_URL=http://abc", ""},
		{"P_URL=http://ab",
		 "environment: P_URL: found text of 9 characters, expected an http "
		 "or https URL from 10 to 12 characters (it has 9 characters)"},
		{"P_ENDPOINT=1.2.3.4:80", ""},
		{"P_ENDPOINT=1.2.3.4:65535",
		 "environment: P_ENDPOINT: found \"1.2.3.4:65535\", expected an address to listen "
		 "on "
		 "like \"127.0.0.1:9100\" from 10 to 12 characters (it has 13 characters)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const env[] = {cases[i].variable, NULL};
		const struct config_source src = {.env = env};
		struct run r = {.arena = arena_make(1 << 10)};
		enum err e = config_load(&texts, WORKER, &src, &r.s, &r.arena, &r.note);

		assert_int_equal(e, cases[i].note[0] ? ERR_CONFIG_VALUE : ERR_OK);
		assert_string_equal(r.note.text, cases[i].note);
		run_free(&r);
	}
}

static void test_endpoints_and_booleans(void **state)
{
	static const struct {
		const char *variable;
		bool good;
	} cases[] = {
		{"MONITORING_ENDPOINT=0.0.0.0:9100", true},
		{"MONITORING_ENDPOINT=127.0.0.1:0", true},
		{"MONITORING_ENDPOINT=[::]:9100", true},
		{"MONITORING_ENDPOINT=[::1]:65535", true},
		{"MONITORING_ENDPOINT=::1:9100", false},
		{"MONITORING_ENDPOINT=127.0.0.1", false},
		{"MONITORING_ENDPOINT=127.0.0.1:", false},
		{"MONITORING_ENDPOINT=127.0.0.1:65536", false},
		{"MONITORING_ENDPOINT=127.0.0.256:1", false},
		{"MONITORING_ENDPOINT=:9100", false},
		{"MONITORING_ENDPOINT=[]:9100", false},
		{"MONITORING_ENDPOINT=[127.0.0.1]:9100", false},
		{"MONITORING_ENDPOINT=http://127.0.0.1:9100", false},
		{"MONITORING_ENDPOINT="
		 "1111111111111111111111111111111111111111111111111111111111111:1",
		 false},
		{"CATCH_UP=true", true},
		{"CATCH_UP=FALSE", true},
		{"CATCH_UP=1", true},
		{"CATCH_UP=off", true},
		{"CATCH_UP=", false},
		{"CATCH_UP=2", false},
		{"CATCH_UP=truee", false},
		{"PRIVATE_KEY=" KEY, true},
		{"PRIVATE_KEY=0x" KEY, true},
		{"PRIVATE_KEY=" KEY "00", false},
		{"PRIVATE_KEY=", false},
		{"DATABASE_POOL_SIZE=+5", false},
		{"DATABASE_POOL_SIZE= 5", false},
		{"DATABASE_POOL_SIZE=0x5", false},
		{"DATABASE_POOL_SIZE=5", true},
		{"DATABASE_POOL_SIZE=1000", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[200];

		(void)snprintf(text, sizeof(text), "KMS_CONNECTOR_%s", cases[i].variable);
		if ((load_one(text) == ERR_OK) != cases[i].good)
			fail_msg("%s", cases[i].variable);
	}
}

static void test_scalars_of_the_file_are_lenient_where_upstream_is(void **state)
{
	CLEANUP(run_free) struct run r;

	(void)state;
	load(&r, WORKER,
	     "database_url = 5\ngateway_chain_id = \"18446744073709551615\"\ncatch_up = 0\n"
	     "[decryption_contract]\ndomain_name = 1\n",
	     NULL);
	assert_string_equal(r.note.text, "");
	assert_int_equal(r.err, ERR_OK);
	assert_string_equal(r.s.database_url, "5");
	assert_true(r.s.chain_id == UINT64_MAX);
	assert_false(r.s.catch_up);
	assert_string_equal(r.s.domain_name, "1");
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		enum err err;
		int64_t ms;
	} cases[] = {
		{"500ms", ERR_OK, 500},
		{"3s", ERR_OK, 3000},
		{"1h 30m", ERR_OK, 5400000},
		{"1h30m", ERR_OK, 5400000},
		{"2days", ERR_OK, 172800000},
		{"1d 1day 1days", ERR_OK, 259200000},
		{" 15 s ", ERR_OK, 15000},
		{"1w 1week 1weeks", ERR_OK, 3 * 604800000LL},
		{"1M", ERR_OK, 2630016000LL},
		{"1month 2months", ERR_OK, 3 * 2630016000LL},
		{"1y", ERR_OK, 31557600000LL},
		{"1year 2years", ERR_OK, 3 * 31557600000LL},
		{"1min 2mins 3minute 4minutes", ERR_OK, 600000},
		{"1hr 2hour 3hours", ERR_OK, 6 * 3600000},
		{"1sec 2secs 3second 4seconds", ERR_OK, 10000},
		{"1msec 1millis", ERR_OK, 2},
		{"0s", ERR_OK, 0},
		{"0ns", ERR_OK, 0},
		{"1ns", ERR_OK, 1},
		{"1us", ERR_OK, 1},
		{"999us 1000ns", ERR_OK, 1},
		{"999us 1001ns", ERR_OK, 2},
		{"1000usec", ERR_OK, 1},
		{"2000001nsec", ERR_OK, 3},
		{"9223372036854775807ms", ERR_OK, INT64_MAX},
		{"9223372036854775808ms", ERR_RANGE, 0},
		{"9223372036854775807ms 1ns", ERR_RANGE, 0},
		{"99999999999999999999s", ERR_RANGE, 0},
		{"18446744073709551615y", ERR_RANGE, 0},
		{"", ERR_MALFORMED, 0},
		{" ", ERR_MALFORMED, 0},
		{"500", ERR_MALFORMED, 0},
		{"s", ERR_MALFORMED, 0},
		{"1s 5", ERR_MALFORMED, 0},
		{"1 5s", ERR_MALFORMED, 0},
		{"-1s", ERR_MALFORMED, 0},
		{"1.5s", ERR_MALFORMED, 0},
		{"1S", ERR_MALFORMED, 0},
		{"1fortnight", ERR_MALFORMED, 0},
		{"1s,2s", ERR_MALFORMED, 0},
		{"1s\xc2\xa0", ERR_MALFORMED, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = -7;

		if (config_parse_duration(&ms, bytes_str(cases[i].text)) != cases[i].err ||
		    ms != (cases[i].err == ERR_OK ? cases[i].ms : -7))
			fail_msg("\"%s\" gave %lld", cases[i].text, (long long)ms);
	}
}

/* ---- reference, files ---- */

static void test_reference(void **state)
{
	CLEANUP(buf_free) struct buf b = buf_make(10000);
	CLEANUP(buf_free) struct buf small = buf_make(200);
	const char *text = NULL;

	(void)state;
	assert_int_equal(config_reference(&table, &b), ERR_OK);
	assert_int_equal(buf_cstr(&b, &text), ERR_OK);
	assert_non_null(strstr(text, "| `decryption_contract.domain_name` | "
				     "`KMS_CONNECTOR_DECRYPTION_CONTRACT__DOMAIN_NAME` | text, 1 "
				     "to 20 | `Decryption` | . "
				     "|\n"));
	assert_non_null(strstr(
		text,
		"| `database_url` | `KMS_CONNECTOR_DATABASE_URL` | text | required | Where. |\n"));
	assert_non_null(strstr(
		text, "| number, at least 1 | none | Another name of `gateway_chain_id`. |\n"));
	assert_non_null(strstr(text, "a \\| b"));
	assert_int_equal(config_reference(&table, &small), ERR_TOO_BIG);
	assert_int_equal(small.n, 0);
}

static void test_read_file(void **state)
{
	char path[] = "/tmp/claviger-config-XXXXXX";
	CLEANUP(buf_wipe) struct buf b = buf_make(10);
	struct err_note note = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	assert_int_equal(config_read_file(&b, path, &note), ERR_OK);
	assert_true(bytes_eq_var(buf_view(&b), BYTES_LIT("0123456789")));
	buf_clear(&b);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(config_read_file(&b, path, &note), ERR_TOO_BIG);
	assert_int_equal(b.n, 0);
	assert_non_null(strstr(note.text, path));
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(config_read_file(&b, path, &note), ERR_CONFIG_FILE);
	assert_non_null(strstr(note.text, "No such file"));
	assert_int_equal(config_read_file(&b, "/tmp", &note), ERR_CONFIG_FILE);
	assert_non_null(strstr(note.text, "directory"));
}

static void test_small_arena(void **state)
{
	struct run r = {.arena = arena_make(40)};
	struct config_source src = {.file = "k.toml", .text = BYTES_LIT(full_toml)};

	(void)state;
	assert_int_equal(config_load(&table, WORKER, &src, &r.s, &r.arena, &r.note), ERR_NOMEM);
	assert_null(r.s.database_url);
	run_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_defaults_and_services),
		cmocka_unit_test(test_environment_wins),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_bounds_of_texts),
		cmocka_unit_test(test_endpoints_and_booleans),
		cmocka_unit_test(test_scalars_of_the_file_are_lenient_where_upstream_is),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_small_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
