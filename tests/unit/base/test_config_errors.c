/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What is said of a wrong value, and that no secret is said. */
#include "config_fixture.h"

static const struct {
	const char *toml;
	const char *note;
} file_errors[] = {
	{"", "k.toml: database_url is required: found nothing there nor in "
	     "KMS_CONNECTOR_DATABASE_URL, expected "
	     "text"},
	{URL_LINE "gateway_chain_id = 0\n",
	 "k.toml:2: gateway_chain_id: found 0, expected a whole number, at least 1"},
	{URL_LINE "gateway_chain_id = -4\n",
	 "k.toml:2: gateway_chain_id: found -4, expected a whole number, at least 1"},
	{URL_LINE "gateway_chain_id = 1e5\n",
	 "k.toml:2: gateway_chain_id: found a float, expected a whole number, at least 1"},
	{URL_LINE "chain_id = \"1e5\"\n",
	 "k.toml:2: chain_id: found \"1e5\", expected a whole number, at least 1"},
	{URL_LINE "database_pool_size = 1001\n",
	 "k.toml:2: database_pool_size: found 1001, expected a whole number from 1 to "
	 "1000"},
	{URL_LINE "\n\npolling = 500\n",
	 "k.toml:4: polling: found 500, expected a duration like \"500ms\" or "
	 "\"1h 30m\" from 10 to 60000 ms (a number needs its unit)"},
	{URL_LINE "polling = \"2 parsecs\"\n",
	 "k.toml:2: polling: found \"2 parsecs\", expected a duration like \"500ms\" or "
	 "\"1h 30m\" from 10 to 60000 "
	 "ms"},
	{URL_LINE "polling = \"2m\"\n",
	 "k.toml:2: polling: found \"2m\", expected a duration like \"500ms\" or "
	 "\"1h 30m\" from 10 to 60000 ms"},
	{URL_LINE "catch_up = \"maybe\"\n",
	 "k.toml:2: catch_up: found \"maybe\", expected true or false"},
	{URL_LINE "[decryption_contract]\naddress = \"0x1234\"\n",
	 "k.toml:3: decryption_contract.address: found \"0x1234\", expected an address: 0x "
	 "and 40 hexadecimal "
	 "digits"},
	{URL_LINE "[decryption_contract]\naddress = "
		  "\"63FaC9201494f0bd17B9892B9fae4d52fe3BD37700\"\n",
	 "k.toml:3: decryption_contract.address: found text of 42 characters, expected an "
	 "address: 0x and 40 "
	 "hexadecimal digits"},
	{URL_LINE "[decryption_contract]\ndomain_name = \"\"\n",
	 "k.toml:3: decryption_contract.domain_name: found nothing, expected text from 1 "
	 "to 20 characters (it has 0 "
	 "characters)"},
	{URL_LINE "decryption_contract = 5\n",
	 "k.toml:2: decryption_contract: found a plain value, expected a table "
	 "with decryption_contract.address"},
	{URL_LINE "monitoring_endpoint = \"localhost:1\"\n",
	 "k.toml:2: monitoring_endpoint: found \"localhost:1\", expected an address to "
	 "listen on like "
	 "\"127.0.0.1:9100\" (it does not start with an IP address)"},
	{URL_LINE "kms_core_endpoints = []\n",
	 "k.toml:2: kms_core_endpoints: found a list, expected a list of texts from 1 to 3 "
	 "members (it has 0 "
	 "members)"},
	{URL_LINE "kms_core_endpoints = [\"a\", 5]\n",
	 "k.toml:2: kms_core_endpoints: found a list, expected a list of texts from 1 to 3 "
	 "members (member 2 is not "
	 "text, or empty)"},
	{URL_LINE "kms_core_endpoints = \"a\"\n",
	 "k.toml:2: kms_core_endpoints: found text of 1 characters, "
	 "expected a list of texts from 1 to 3 members"},
	{URL_LINE "host_chains = \"[]\"\n",
	 "k.toml:2: host_chains: found text of 2 characters, expected a list or "
	 "table (JSON text in the environment) from 1 to 2 members"},
	{"database_url = [1]\n", "k.toml:1: database_url: found a list, expected text"},
	{"database_url = {a = 1}\n", "k.toml:1: database_url: found a table, expected text"},
};

static void test_errors_of_the_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(file_errors); i++)
		expect_error(file_errors[i].toml, NULL, ERR_CONFIG_VALUE, file_errors[i].note);

	/* the words after the place are the library's */
	struct run r;
	load(&r, WORKER, "a = 1\nb = = 2", NULL);
	assert_int_equal(r.err, ERR_CONFIG_FILE);
	assert_non_null(strstr(r.note.text, "k.toml: line 2, column "));
	run_free(&r);
}

static void test_errors_of_the_environment(void **state)
{
	static const struct {
		const char *variable;
		const char *note;
	} cases[] = {
		{"kms_connector_Gateway_Chain_Id=abc",
		 "environment: kms_connector_Gateway_Chain_Id: found \"abc\", expected a whole "
		 "number, at least 1"},
		{"KMS_CONNECTOR_GATEWAY_CHAIN_ID=",
		 "environment: KMS_CONNECTOR_GATEWAY_CHAIN_ID: found nothing, expected a whole "
		 "number, at least 1"},
		{"KMS_CONNECTOR_GATEWAY_CHAIN_ID=18446744073709551616",
		 "environment: KMS_CONNECTOR_GATEWAY_CHAIN_ID: found text of 20 characters, "
		 "expected a whole number, at "
		 "least 1"},
		{"KMS_CONNECTOR_KMS_CORE_ENDPOINTS=a,,b",
		 "environment: KMS_CONNECTOR_KMS_CORE_ENDPOINTS: found text of 4 characters, "
		 "expected a list of texts from "
		 "1 to 3 members (member 2 is empty)"},
		{"KMS_CONNECTOR_HOST_CHAINS=[{}",
		 "environment: KMS_CONNECTOR_HOST_CHAINS: found text of 3 characters, "
		 "expected a list or table (JSON text in the environment) from 1 to 2 "
		 "members (not valid JSON at line 1, column 3)"},
		{"KMS_CONNECTOR_HOST_CHAINS=7",
		 "environment: KMS_CONNECTOR_HOST_CHAINS: found text of 1 characters, expected a "
		 "list or table (JSON text in "
		 "the environment) from 1 to 2 members"},
		{"KMS_CONNECTOR_HOST_CHAINS=[1,2,3]",
		 "environment: KMS_CONNECTOR_HOST_CHAINS: found text of 7 characters, expected a "
		 "list or table (JSON text in "
		 "the environment) from 1 to 2 members (it has 3 members)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_error(full_toml, cases[i].variable, ERR_CONFIG_VALUE, cases[i].note);
}

/* No error repeats a key, wherever somebody put it. */
static void test_errors_repeat_no_secret(void **state)
{
	static const char *const tomls[] = {
		URL_LINE "private_key = \"" KEY "0\"\n",
		URL_LINE "private_key = \"x" KEY "\"\n",
		URL_LINE "private_key = [\"" KEY "\"]\n",
		URL_LINE "private_key = 8746218649822529898\n",
		URL_LINE "gateway_url = \"" KEY "\"\n",
		URL_LINE "gateway_url = \"http://user:" KEY "@:1\"\n",
		URL_LINE "gateway_chain_id = \"" KEY "\"\n",
		URL_LINE "polling = \"" KEY "\"\n",
		URL_LINE "catch_up = \"" KEY "\"\n",
		URL_LINE "monitoring_endpoint = \"" KEY "\"\n",
		URL_LINE "kms_core_endpoints = \"" KEY "\"\n",
		URL_LINE "host_chains = \"" KEY "\"\n",
		URL_LINE "[decryption_contract]\naddress = \"0x" KEY "\"\n",
		URL_LINE "[decryption_contract]\ndomain_name = \"" KEY "\"\n",
		URL_LINE "decryption_contract = \"" KEY "\"\n",
		URL_LINE "private_key = " KEY "\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tomls); i++) {
		struct run r;

		load(&r, WORKER | SENDER, tomls[i], NULL);
		assert_int_equal(err_class(r.err), ERR_CLASS_CONFIG);
		for (size_t at = 0; at + 6 <= strlen(KEY); at++) {
			char piece[7] = {0};

			memcpy(piece, &KEY[at], 6);
			if (strstr(r.note.text, piece))
				fail_msg("%s", r.note.text);
		}
		assert_null(strstr(r.note.text, "8746218"));
		run_free(&r);
	}
	expect_error(URL_LINE "private_key = \"abc\"\n", NULL, ERR_CONFIG_VALUE,
		     "k.toml:2: private_key: found something else (not shown), expected 64 "
		     "hexadecimal digits");
	expect_error(URL_LINE, "KMS_CONNECTOR_PRIVATE_KEY=abc", ERR_CONFIG_VALUE,
		     "environment: KMS_CONNECTOR_PRIVATE_KEY: found something else (not shown), "
		     "expected 64 hexadecimal "
		     "digits");
}

/* What a check of several rows says begins with the place of one of them. */
static void test_prefix(void **state)
{
	static const struct {
		const char *toml, *variable, *path, *note;
	} cases[] = {
		{URL_LINE "\npolling = \"1s\"\n", NULL, "polling", "k.toml:3: polling: odd"},
		{URL_LINE "[decryption_contract]\ndomain_name = \"D\"\n", NULL,
		 "decryption_contract.domain_name",
		 "k.toml:3: decryption_contract.domain_name: odd"},
		{URL_LINE "polling = \"1s\"\n", "kms_connector_POLLING=2s", "polling",
		 "environment: kms_connector_POLLING: odd"},
		{URL_LINE, NULL, "polling", "default of polling: odd"},
		{URL_LINE, NULL, "gateway_url", "k.toml: gateway_url: odd"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const env[] = {cases[i].variable, NULL};
		const struct config_source src = {
			.file = "k.toml", .text = bytes_str(cases[i].toml), .env = env};
		struct err_note note = {"odd"};

		assert_int_equal(
			config_prefix(&note, ERR_CONFIG_VALUE, &table, &src, cases[i].path),
			ERR_CONFIG_VALUE);
		assert_string_equal(note.text, cases[i].note);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_of_the_file),
		cmocka_unit_test(test_errors_of_the_environment),
		cmocka_unit_test(test_errors_repeat_no_secret),
		cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
