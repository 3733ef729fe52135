/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys that no row knows, or that stand under the wrong table; secrets that stay nowhere. */
#include "config_fixture.h"

static void collect(void *ctx, const char *where, const char *key)
{
	struct buf *b = ctx;

	assert_int_equal(buf_addf(b, "%s %s\n", where, key), ERR_OK);
}

static void test_unknown_keys(void **state)
{
	static const char *const env[] = {"KMS_CONNECTOR_S3_CONFIG__URL=1",
					  "kms_connector_polling=1s", "OTHER=1", "KMS_CONNECTOR_=x",
					  NULL};
	CLEANUP(buf_free) struct buf b = buf_make(1000);
	struct config_source src = {.file = "k.toml", .text = BYTES_LIT(full_toml), .env = env};
	const char *text = NULL;

	(void)state;
	assert_int_equal(config_unknown(&table, &src, collect, &b), ERR_OK);
	assert_int_equal(buf_cstr(&b, &text), ERR_OK);
	assert_string_equal(text, "k.toml:11 decryption_contract.domain_version\n"
				  "k.toml:8 unknown_thing\n"
				  "environment KMS_CONNECTOR_S3_CONFIG__URL\n"
				  "environment KMS_CONNECTOR_\n");
	src.text = BYTES_LIT("a = ");
	assert_int_equal(config_unknown(&table, &src, collect, &b), ERR_CONFIG_FILE);
}

/* ---- what was meant ---- */

static void tell(void *ctx, const struct config_oddity *o)
{
	struct buf *b = ctx;

	assert_int_equal(buf_addf(b, "%s %s %s %s\n",
				  o->kind == CONFIG_SLIPPED_KEY ? "slipped" : "unknown", o->where,
				  o->key, o->meant ? o->meant : "-"),
			 ERR_OK);
}

static void expect_told(const char *toml, const char *variable, const char *expected)
{
	const char *const env[] = {variable, NULL};
	CLEANUP(buf_free) struct buf b = buf_make(4000);
	struct config_source src = {.file = "k.toml", .text = bytes_str(toml), .env = env};
	const char *text = NULL;

	assert_int_equal(config_oddities(&table, &src, tell, &b), ERR_OK);
	assert_int_equal(buf_cstr(&b, &text), ERR_OK);
	assert_string_equal(text, expected);
}

static void test_likely_keys(void **state)
{
	static const struct {
		const char *toml, *variable, *told;
	} cases[] = {
		{"gateway_ulr = 1\n", NULL, "unknown k.toml:1 gateway_ulr gateway_url\n"},
		{"\ngatewayurl = 1\n", NULL, "unknown k.toml:2 gatewayurl gateway_url\n"},
		{"Gateway-Url = 1\n", NULL, "unknown k.toml:1 Gateway-Url gateway_url\n"},
		{"kms_core_endpoint = []\n", NULL,
		 "unknown k.toml:1 kms_core_endpoint kms_core_endpoints\n"},
		{"decryption_contract_address = 1\n", NULL,
		 "unknown k.toml:1 decryption_contract_address decryption_contract.address\n"},
		{"[decryption_contract]\nadress = 1\n", NULL,
		 "unknown k.toml:2 decryption_contract.adress decryption_contract.address\n"},
		{"[decription_contract]\naddress = 1\n", NULL,
		 "unknown k.toml:1 decription_contract decryption_contract\n"},
		{"", "KMS_CONNECTOR_DECRYPTION_CONTRACT_ADDRESS=1",
		 "unknown environment KMS_CONNECTOR_DECRYPTION_CONTRACT_ADDRESS "
		 "decryption_contract.address\n"},
		{"", "KMS_CONNECTOR_POLING=1",
		 "unknown environment KMS_CONNECTOR_POLING polling\n"},
		{"service_name = 1\nx = 1\npol = 1\n", NULL,
		 "unknown k.toml:3 pol -\nunknown k.toml:1 service_name -\nunknown k.toml:2 x -\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_told(cases[i].toml, cases[i].variable, cases[i].told);
}

/* A key as long as may be, and longer: compared or left alone, never out of bounds. */
static void test_long_keys(void **state)
{
	char toml[600];

	(void)state;
	for (size_t n = 100; n < 300; n++) {
		CLEANUP(buf_free) struct buf b = buf_make(4000);
		struct config_source src = {.file = "k.toml", .text = bytes_from(toml, n + 5)};

		memset(toml, 'k', n);
		memcpy(&toml[n], " = 1\n", 5);
		assert_int_equal(config_oddities(&table, &src, tell, &b), ERR_OK);
		assert_true(b.n > 20);
	}
}

/* ---- keys that slipped under a table ---- */

static const char slipped_toml[] = "database_url = \"sqlite:a.db\"\n"
				   "[aws_kms_config]\n"
				   "key_id = \"alias/x\"\n"
				   "gateway_url = \"http://g:1\"\n"
				   "gateway_chain_id = 54321\n"
				   "[[host_chains]]\n"
				   "url = \"http://h:1\"\n"
				   "chain_id = 12345\n"
				   "[[host_chains]]\n"
				   "url = \"http://i:1\"\n"
				   "chain_id = 6\n"
				   "private_key = \"" KEY "\"\n"
				   "decryption_contract.domain_name = \"D\"\n";

static void test_slipped_keys(void **state)
{
	CLEANUP(run_free) struct run r;

	(void)state;
	load(&r, WORKER | SENDER, slipped_toml, NULL);
	assert_string_equal(r.note.text, "");
	assert_int_equal(r.err, ERR_OK);
	assert_string_equal(r.s.gateway_url, "http://g:1");
	assert_int_equal(r.s.chain_id, 54321);
	assert_true(r.s.private_key_given);
	assert_int_equal(r.s.private_key.b[0], 0x8d);
	assert_string_equal(r.s.domain_name, "D");
	assert_int_equal(json_array_size(r.s.host_chains), 2);
	assert_null(json_object_get(json_array_get(r.s.host_chains, 1), "private_key"));
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(r.s.host_chains, 1), "url")),
		"http://i:1");

	expect_told(slipped_toml, NULL,
		    "slipped k.toml:4 aws_kms_config.gateway_url gateway_url\n"
		    "slipped k.toml:5 aws_kms_config.gateway_chain_id gateway_chain_id\n"
		    "slipped k.toml:13 host_chains.decryption_contract decryption_contract\n"
		    "slipped k.toml:12 host_chains.private_key private_key\n"
		    "unknown k.toml:2 aws_kms_config -\n");
}

/* What stands at the top is not missed; what a list may hold has not slipped. */
static void test_not_slipped(void **state)
{
	CLEANUP(run_free) struct run r;

	(void)state;
	load(&r, WORKER,
	     URL_LINE "gateway_url = \"http://a\"\n[aws]\ngateway_url = \"http://b\"\n"
		      "[[host_chains]]\nchain_id = 5\n",
	     NULL);
	assert_int_equal(r.err, ERR_OK);
	assert_string_equal(r.s.gateway_url, "http://a");
	assert_int_equal(r.s.chain_id, 0);
	run_free(&r);
	/* an alias of what stands at the top */
	load(&r, WORKER, URL_LINE "gateway_chain_id = 5\n[x]\nchain_id = 6\n", NULL);
	assert_int_equal(r.s.chain_id, 5);
	expect_told(URL_LINE "gateway_chain_id = 5\n[x]\nchain_id = 6\n", NULL,
		    "unknown k.toml:3 x -\n");
	/* a table of that name, where a plain value is meant */
	run_free(&r);
	load(&r, WORKER, URL_LINE "[x.gateway_url]\na = 1\n", NULL);
	assert_int_equal(r.err, ERR_OK);
	assert_null(r.s.gateway_url);
}

static void test_slipped_and_wrong(void **state)
{
	(void)state;
	expect_error(URL_LINE "[aws]\ngateway_chain_id = 0\n", NULL, ERR_CONFIG_VALUE,
		     "k.toml:3: gateway_chain_id: found 0, expected a whole number, at least 1");
	expect_error(URL_LINE "[a]\npolling = \"1s\"\n[b]\npolling = \"2s\"\n", NULL,
		     ERR_CONFIG_VALUE,
		     "k.toml:3: polling: found under [a] and, at line 5, under [b], expected "
		     "once, above the first table");
}

/* ---- secrets ---- */

static void test_secret_text(void **state)
{
	CLEANUP(run_free) struct run r;
	static const char *const env[] = {"KMS_CONNECTOR_PASSWORD=from the environment", NULL};

	(void)state;
	load(&r, SENDER, URL_LINE "password = \"hush\"\n", NULL);
	assert_int_equal(r.err, ERR_OK);
	assert_int_equal(r.s.password.n, 5);
	assert_memory_equal(r.s.password.p, "hush", 5);
	run_free(&r);
	load(&r, SENDER, URL_LINE "password = \"hush\"\n", env);
	assert_string_equal((const char *)r.s.password.p, "from the environment");
	run_free(&r);
	load(&r, SENDER, URL_LINE, NULL);
	assert_null(r.s.password.p);

	expect_error(URL_LINE "password = [\"hush\"]\n", NULL, ERR_CONFIG_VALUE,
		     "k.toml:2: password: found a list, expected text from 0 to 80 characters");
	expect_error(URL_LINE "password = \"" KEY KEY "\"\n", NULL, ERR_CONFIG_VALUE,
		     "k.toml:2: password: found something else (not shown), expected text from 0 "
		     "to 80 characters (it has 128 characters)");
}

static void test_wiped_environment(void **state)
{
	char path[] = "PATH=/bin", key[] = "kms_connector_PRIVATE_KEY=" KEY;
	char password[] = "KMS_CONNECTOR_PASSWORD=hush", other[] = "KMS_CONNECTOR_POLLING=1s";
	char *env[] = {path, key, password, other, NULL};

	(void)state;
	config_wipe_env(&table, env);
	assert_string_equal(path, "PATH=/bin");
	assert_string_equal(other, "KMS_CONNECTOR_POLLING=1s");
	assert_string_equal(key, "kms_connector_PRIVATE_KEY=");
	assert_string_equal(password, "KMS_CONNECTOR_PASSWORD=");
	for (size_t i = strlen(key); i < sizeof(key); i++)
		assert_int_equal(key[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_keys), cmocka_unit_test(test_likely_keys),
		cmocka_unit_test(test_long_keys),    cmocka_unit_test(test_slipped_keys),
		cmocka_unit_test(test_not_slipped),  cmocka_unit_test(test_slipped_and_wrong),
		cmocka_unit_test(test_secret_text),  cmocka_unit_test(test_wiped_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
