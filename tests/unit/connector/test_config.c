/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The configuration's rows: files, variables, defaults, and errors that say where and what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/limits.h"
#include "connector/config.h"

static const char good[] =
	"database_url = \"sqlite:/var/lib/x.db\"\n"
	"gateway_url = \"http://gateway:8545\"\n"
	"gateway_chain_id = 54321\n"
	"ethereum_url = \"http://eth:8545\"\n"
	"ethereum_chain_id = 12345\n"
	"kms_core_endpoints = [\"http://core-1:50051\", \"http://core-2:50051\"]\n"
	"private_key = \"0x1111111111111111111111111111111111111111111111111111111111111111\"\n"
	"decryption_polling = \"100ms\"\n"
	"some_other_service = \"is tolerated\"\n"
	"[decryption_contract]\n"
	"address = \"0xDE409109E0fCCAaE7B87De518F61d617A3fda094\"\n"
	"[gateway_config_contract]\n"
	"address = \"0x6c00000000000000000000000000000000000001\"\n"
	"[[host_chains]]\n"
	"url = \"http://host-1:8545\"\n"
	"chain_id = 12345\n"
	"acl_address = \"0xac00000000000000000000000000000000000001\"\n"
	"[[host_chains]]\n"
	"url = \"https://host-2/rpc\"\n"
	"chainId = \"18446744073709551615\"\n"
	"aclAddress = \"0xac00000000000000000000000000000000000002\"\n";

struct fixture {
	struct arena arena;
	struct connector_config c;
	struct err_note note;
	const char *env[8];
	size_t env_n;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->arena = arena_make(1 << 20);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	connector_config_free(&f->c);
	arena_free(&f->arena);
	free(f);
	return 0;
}

static void with_env(struct fixture *f, const char *assignment)
{
	f->env[f->env_n++] = assignment;
}

static enum err load(struct fixture *f, unsigned services, const char *text)
{
	const struct config_source src = {
		.file = text ? "kms-connector.toml" : NULL,
		.text = bytes_str(text),
		.env = f->env,
	};

	connector_config_free(&f->c);
	f->note = (struct err_note){0};
	return connector_config_load(&f->c, services, &src, &f->arena, &f->note);
}

static void expect_ok(struct fixture *f, unsigned services, const char *text)
{
	enum err e = load(f, services, text);

	if (e != ERR_OK)
		fail_msg("%s: %s", err_name(e), f->note.text);
}

/* `good` with one line replaced, or with a line put in front. */
static void expect_error(struct fixture *f, const char *find, const char *replace, const char *said)
{
	char text[4096];
	const char *at = find ? strstr(good, find) : good;

	assert_non_null(at);
	const char *rest = find ? strchr(at, '\n') : at;
	(void)snprintf(text, sizeof(text), "%.*s%s\n%s", (int)(at - good), good, replace,
		       find ? &rest[1] : rest);
	enum err e = load(f, SERVICE_ALL, text);
	if (err_class(e) != ERR_CLASS_CONFIG || !strstr(f->note.text, said))
		fail_msg("%s: wanted \"%s\", got %s \"%s\"", replace, said, err_name(e),
			 f->note.text);
}

static void test_file(void **state)
{
	struct fixture *f = *state;
	const struct connector_config *c = &f->c;

	expect_ok(f, SERVICE_ALL, good);
	assert_string_equal((const char *)c->database_url.p, "sqlite:/var/lib/x.db");
	assert_int_equal(c->gateway_chain_id, 54321);
	assert_int_equal(c->decryption_contract.address.b[0], 0xde);
	assert_string_equal(c->decryption_contract.domain_name, "Decryption");
	assert_string_equal(c->decryption_contract.domain_version, "1");
	assert_string_equal(c->gateway_config_contract.domain_name, "GatewayConfig");
	assert_int_equal(c->kms_core_endpoints.n, 2);
	assert_string_equal(c->kms_core_endpoints.v[1], "http://core-2:50051");
	assert_int_equal(c->host_chains_n, 2);
	assert_string_equal(c->host_chains[1].url, "https://host-2/rpc");
	assert_true(c->host_chains[1].chain_id.v == UINT64_MAX);
	assert_int_equal(c->host_chains[1].acl.b[19], 2);
	assert_true(c->private_key_given);
	assert_int_equal(c->private_key.b[31], 0x11);
	assert_int_equal(c->decryption_polling_ms, 100);
	assert_false(c->decryption_from_block_number_given);
	assert_false(c->protocol_config_given);
}

static void test_defaults_are_upstreams(void **state)
{
	struct fixture *f = *state;
	const struct connector_config *c = &f->c;

	with_env(f, "KMS_CONNECTOR_DECRYPTION_POLLING=500ms");
	expect_ok(f, SERVICE_ALL, good);
	assert_string_equal(c->monitoring_endpoint, "0.0.0.0:9100");
	assert_int_equal(c->healthcheck_timeout_ms, 3000);
	assert_int_equal(c->task_limit, 1000);
	assert_int_equal(c->get_logs_batch_size, 100);
	assert_int_equal(c->db_fast_event_polling_ms, 3000);
	assert_int_equal(c->events_batch_size, 50);
	assert_int_equal(c->max_decryption_attempts, 20);
	assert_int_equal(c->s3_ciphertext_retrieval_attempts, 3);
	assert_int_equal(c->s3_connect_timeout_ms, 3000);
	assert_int_equal(c->s3_head_timeout_ms, 5000);
	assert_int_equal(c->s3_get_timeout_ms, 20000);
	assert_int_equal(c->s3_max_ciphertext_size, 69206016);
	assert_int_equal(c->s3_max_concurrent_heads_per_bucket, 64);
	assert_int_equal(c->s3_max_concurrent_gets, 16);
	assert_int_equal(c->copro_registry_refresh_ms, 60000);
	assert_int_equal(c->host_rpc_max_concurrent_calls, 128);
	assert_int_equal(c->host_rpc_call_timeout_ms, 10000);
	assert_int_equal(c->acl_grace_ms, 600000);
	assert_int_equal(c->decryption_expiry_ms, 24 * 3600 * 1000);
	assert_int_equal(c->responses_batch_size, 50);
	assert_int_equal(c->gas_multiplier_percent, 115);
	assert_int_equal(c->max_fee_per_gas_gwei, 500);
	assert_false(c->gas_limit_given);
	assert_int_equal(c->tx_replace_after_ms, 60000);
	assert_int_equal(c->gateway_tx_required_confirmations, 1);
	assert_false(c->skip_answered_public_decryptions);
	assert_int_equal(c->tx_retry_interval_ms, 10);
	assert_int_equal(c->decryption_polling_ms, 500);
}

static void test_environment_alone(void **state)
{
	struct fixture *f = *state;

	with_env(f, "KMS_CONNECTOR_GATEWAY_URL=http://gw");
	with_env(f, "KMS_CONNECTOR_GATEWAY_CHAIN_ID=7");
	with_env(f, "KMS_CONNECTOR_DECRYPTION_CONTRACT__ADDRESS="
		    "0xde00000000000000000000000000000000000001");
	with_env(f, "KMS_CONNECTOR_GATEWAY_CONFIG_CONTRACT__ADDRESS="
		    "0x6c00000000000000000000000000000000000001");
	with_env(f, "KMS_CONNECTOR_KMS_CORE_ENDPOINTS=http://a:1,http://b:2");
	with_env(f, "KMS_CONNECTOR_HOST_CHAINS=[{\"url\":\"http://h\",\"chain_id\":5,"
		    "\"acl_address\":\"0xac00000000000000000000000000000000000001\"}]");
	with_env(f, "KMS_CONNECTOR_S3_CONFIG__REGION=ignored");
	expect_ok(f, SERVICE_LISTENER | SERVICE_WORKER, NULL);
	assert_int_equal(f->c.gateway_chain_id, 7);
	assert_int_equal(f->c.kms_core_endpoints.n, 2);
	assert_int_equal(f->c.host_chains_n, 1);
	assert_int_equal(f->c.host_chains[0].chain_id.v, 5);
	assert_null(f->c.database_url.p);
}

static void test_environment_wins(void **state)
{
	struct fixture *f = *state;

	with_env(f, "KMS_CONNECTOR_GATEWAY_CHAIN_ID=99");
	with_env(f, "KMS_CONNECTOR_DECRYPTION_FROM_BLOCK_NUMBER=0");
	with_env(f, "KMS_CONNECTOR_HOST_CHAINS=[{\"url\":\"http://h\",\"chainId\":\"5\","
		    "\"aclAddress\":\"0xac00000000000000000000000000000000000001\"}]");
	expect_ok(f, SERVICE_ALL, good);
	assert_int_equal(f->c.gateway_chain_id, 99);
	assert_int_equal(f->c.host_chains_n, 1);
	assert_true(f->c.decryption_from_block_number_given);
	assert_int_equal(f->c.decryption_from_block_number, 0);
}

static void test_several_endpoints(void **state)
{
	struct fixture *f = *state;

	with_env(f, "KMS_CONNECTOR_GATEWAY_URLS=https://two/key,ws://three");
	with_env(f, "KMS_CONNECTOR_GATEWAY_QUORUM=2");
	with_env(f, "KMS_CONNECTOR_ETHEREUM_URLS=http://e2");
	with_env(f, "KMS_CONNECTOR_ETHEREUM_QUORUM=2");
	with_env(f, "KMS_CONNECTOR_GATEWAY_FINALITY=12");
	with_env(f, "KMS_CONNECTOR_HOST_CHAINS=[{\"url\":\"http://h\",\"chainId\":\"5\","
		    "\"urls\":[\"http://h2\",\"http://h3\"],\"quorum\":3,"
		    "\"aclAddress\":\"0xac00000000000000000000000000000000000001\"}]");
	expect_ok(f, SERVICE_ALL, good);
	assert_int_equal(f->c.gateway_urls.n, 2);
	assert_string_equal(f->c.gateway_urls.v[1], "ws://three");
	assert_int_equal(f->c.gateway_quorum, 2);
	assert_int_equal(f->c.ethereum_urls.n, 1);
	assert_int_equal(f->c.ethereum_quorum, 2);
	assert_int_equal(f->c.gateway_final.kind, FINALITY_BLOCKS);
	assert_int_equal(f->c.gateway_final.blocks, 12);
	assert_int_equal(f->c.host_chains[0].urls_n, 2);
	assert_string_equal(f->c.host_chains[0].urls[1], "http://h3");
	assert_int_equal(f->c.host_chains[0].quorum, 3);
}

static void test_services_need_only_their_own(void **state)
{
	struct fixture *f = *state;
	static const char minimal[] =
		"gateway_url = \"http://gw\"\ngateway_chain_id = 1\n"
		"[decryption_contract]\naddress = \"0xde00000000000000000000000000000000000001\"\n";

	expect_ok(f, SERVICE_LISTENER, minimal);
	assert_int_not_equal(load(f, SERVICE_WORKER, minimal), ERR_OK);
	assert_int_equal(load(f, SERVICE_SENDER, minimal), ERR_CONFIG_VALUE);
	assert_non_null(strstr(f->note.text, "private_key"));
}

static void test_errors_say_where(void **state)
{
	struct fixture *f = *state;

	expect_error(f, "gateway_chain_id", "gateway_chain_id = \"many\"",
		     "toml:3: gateway_chain_id");
	expect_error(f, "gateway_chain_id", "gateway_chain_id = 0", "gateway_chain_id");
	expect_error(f, "gateway_url", "gateway_url = \"ftp://gateway\"", "gateway_url");
	expect_error(f, "gateway_url", "", "gateway_url");
	expect_error(f, "decryption_polling", "decryption_polling = 100", "decryption_polling");
	expect_error(f, "decryption_polling", "decryption_polling = \"0ms\"", "decryption_polling");
	expect_error(f, "address = \"0xDE",
		     "address = \"DE409109E0fCCAaE7B87De518F61d617A3fda094\"",
		     "decryption_contract.address");
	expect_error(f, "kms_core_endpoints", "kms_core_endpoints = []", "kms_core_endpoints");
	expect_error(f, NULL, "gas_multiplier_percent = 99", "gas_multiplier_percent");
	/* 21000 and 4 per byte of the smallest answer */
	expect_error(f, NULL, "gas_limit = 22423", "gas_limit");
	expect_error(f, NULL, "s3_max_ciphertext_size = 0", "s3_max_ciphertext_size");
	expect_error(f, NULL, "s3_max_concurrent_gets = 0", "s3_max_concurrent_gets");
	expect_error(f, "private_key", "", "private_key");
	expect_error(f, "ethereum_url",
		     "protocol_config_contract.address = "
		     "\"0x6c00000000000000000000000000000000000001\"",
		     "ethereum_url");
	expect_error(f, "[decryption_contract]", "[decryption_contract", "line 10");
}

#define SENDER_ONLY                                                                                \
	"gateway_url = \"http://gw\"\ngateway_chain_id = 1\n"                                      \
	"[decryption_contract]\naddress = \"0xde00000000000000000000000000000000000001\"\n"

/* A raw key, or a key in AWS KMS, or both: one at least. */
static void test_signers(void **state)
{
	static const struct {
		const char *lines, *said;
	} bad[] = {
		{"", "private_key: the sender needs one"},
		{"key_id = \"\"\n", "private_key: the sender needs one"},
		{"region = \"eu-west-1\"\n", "or aws_kms_config.key_id"},
		{"key_id = \"k\"\nregion = \"EU West\"\n", "toml:7: aws_kms_config.region"},
		{"key_id = \"k\"\nendpoint = \"kms.example\"\n",
		 "toml:7: aws_kms_config.endpoint: expected an http"},
		{"key_id = \"k\"\nendpoint = \"ws://kms.example\"\n", "expected an http"},
		{"key_id = \"arn:aws:kms:eu-west-1:1:key/k\"\nregion = \"eu-west-2\"\n",
		 "the ARN of key_id is of another region"},
	};
	struct fixture *f = *state;
	char text[1024];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(text, sizeof(text), "%s[aws_kms_config]\n%s", SENDER_ONLY,
			       bad[i].lines);
		if (load(f, SERVICE_SENDER, text) != ERR_CONFIG_VALUE ||
		    !strstr(f->note.text, bad[i].said))
			fail_msg("%s: %s", bad[i].lines, f->note.text);
		expect_ok(f, SERVICE_LISTENER, text); /* not its business */
	}
	expect_ok(f, SERVICE_SENDER,
		  SENDER_ONLY "[aws_kms_config]\nkey_id = \"alias/x\"\nregion = \"eu-west-1\"\n"
			      "endpoint = \"http://127.0.0.1:4566\"\n");
	assert_false(f->c.private_key_given);
	assert_string_equal(f->c.aws_kms.key_id, "alias/x");
	assert_string_equal(f->c.aws_kms.region, "eu-west-1");
	assert_string_equal(f->c.aws_kms.endpoint, "http://127.0.0.1:4566");
	with_env(f, "KMS_CONNECTOR_AWS_KMS_CONFIG__KEY_ID=arn:aws:kms:eu-west-1:1:key/k");
	with_env(f, "KMS_CONNECTOR_AWS_KMS_CONFIG__REGION=");
	with_env(f, "KMS_CONNECTOR_AWS_KMS_CONFIG__ENDPOINT=");
	expect_ok(f, SERVICE_SENDER, SENDER_ONLY);
	assert_string_equal(f->c.aws_kms.key_id, "arn:aws:kms:eu-west-1:1:key/k");
	with_env(f, "KMS_CONNECTOR_PRIVATE_KEY="
		    "0x1111111111111111111111111111111111111111111111111111111111111111");
	expect_ok(f, SERVICE_SENDER, SENDER_ONLY);
	assert_true(f->c.private_key_given);
}

static void test_host_chain_errors(void **state)
{
	struct fixture *f = *state;

	expect_error(f, "chainId = ", "quorum = 2\nchainId = 5", "host_chains[1].quorum");
	expect_error(f, "chainId = ", "urls = [\"ftp://x\"]\nchainId = 5", "host_chains[1].urls");
	expect_error(f, "gateway_chain_id", "gateway_quorum = 2\ngateway_chain_id = 1",
		     "gateway_quorum: found 2, but there are only 1 endpoints");
	expect_error(f, "gateway_chain_id", "gateway_urls = [\"x\"]\ngateway_chain_id = 1",
		     "gateway_urls: found another text at [0] (not shown");
	expect_error(f, "gateway_chain_id",
		     "gateway_finality = \"arbitrum-l1-confirmed\"\ngateway_chain_id = 1",
		     "gateway_finality: arbitrum-l1-confirmed needs gateway_parent_url, "
		     "gateway_parent_chain_id and gateway_parent_rollup");
	expect_error(f, "gateway_chain_id",
		     "ethereum_finality = \"arbitrum-l1-confirmed\"\ngateway_chain_id = 1",
		     "ethereum_finality: arbitrum-l1-confirmed is for the gateway alone");
	expect_error(f, "gateway_chain_id", "gateway_finality = \"12x\"\ngateway_chain_id = 1",
		     "gateway_finality: found \"12x\", expected latest");
	expect_error(f, "chainId = ", "chainId = \"12345\"",
		     "host_chains[1].chain_id: found 12345, which is there twice");
	expect_error(f, "chainId = ", "chainId = 54321",
		     "host_chains[1].chain_id: found 54321, which is gateway_chain_id");
	expect_error(f, "kms_core_endpoints = ", "kms_core_endpoints = []",
		     "kms_core_endpoints: found none, expected at least one endpoint");
	expect_error(f, "chainId = ", "chainId = \"0x3039\"", "host_chains[1].chain_id");
	expect_error(f, "chainId = ", "chainId = 0", "host_chains[1].chain_id");
	expect_error(f, "chainId = ", "chainId = -1", "host_chains[1].chain_id");
	expect_error(f, "chainId = ", "", "host_chains[1].chain_id");
	expect_error(f, "url = \"https://host-2", "url = \"ftp://host-2\"",
		     "host_chains[1].url: found another text (not shown: it may hold a key)");
	expect_error(f, "url = \"https://host-2", "url = \"http://\"", "host_chains[1].url");
	expect_error(f, "aclAddress", "aclAddress = \"ac00000000000000000000000000000000000002\"",
		     "host_chains[1].acl_address");
	expect_error(f, "aclAddress", "aclAddress = \"0x0000000000000000000000000000000000000000\"",
		     "host_chains[1].acl_address");
	expect_error(f, "gateway_chain_id",
		     "gateway_parent_rollup = \"0x0000000000000000000000000000000000000000\"\n"
		     "gateway_chain_id = 1",
		     "nothing is at the zero address");
	with_env(f, "KMS_CONNECTOR_HOST_CHAINS=[]");
	assert_int_equal(load(f, SERVICE_ALL, good), ERR_CONFIG_VALUE);
	f->env[0] = "KMS_CONNECTOR_HOST_CHAINS={\"url\":1}";
	assert_int_equal(load(f, SERVICE_ALL, good), ERR_CONFIG_VALUE);
	f->env[0] = "KMS_CONNECTOR_HOST_CHAINS=not json";
	assert_int_equal(load(f, SERVICE_ALL, good), ERR_CONFIG_VALUE);
}

static void test_secret_is_never_repeated(void **state)
{
	struct fixture *f = *state;

	with_env(f, "KMS_CONNECTOR_PRIVATE_KEY=0xdeadbeefdeadbeef");
	assert_int_equal(load(f, SERVICE_ALL, good), ERR_CONFIG_VALUE);
	assert_null(strstr(f->note.text, "deadbeef"));
	assert_non_null(strstr(f->note.text, "PRIVATE_KEY"));
}

/* The example file is a configuration that works once its comments are filled in, and names every
 * key. */
static void test_example_names_every_key(void **state)
{
	struct buf text CLEANUP(buf_free) = buf_make(CONFIG_FILE_SIZE_MAX);
	struct err_note note = {0};
	const char *s;

	(void)state;
	assert_int_equal(config_read_file(&text, getenv("EXAMPLE"), &note), ERR_OK);
	assert_int_equal(buf_cstr(&text, &s), ERR_OK);
	for (size_t i = 0; i < connector_config.rows_n; i++) {
		/* What has no effect need not be shown, nor an older name. */
		bool older = false;

		for (size_t k = 0; k < i; k++)
			older = older ||
				connector_config.rows[k].offset == connector_config.rows[i].offset;
		if (older || connector_config.rows[i].moot)
			continue;
		const char *dot = strrchr(connector_config.rows[i].path, '.');
		const char *leaf = dot ? &dot[1] : connector_config.rows[i].path;

		if (!strstr(s, leaf))
			fail_msg("the example does not name %s", connector_config.rows[i].path);
	}
	struct fixture f = {.arena = arena_make(1 << 20)};
	expect_ok(&f, SERVICE_LISTENER | SERVICE_WORKER, s);
	connector_config_free(&f.c);
	arena_free(&f.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_file),
		T(test_defaults_are_upstreams),
		T(test_environment_alone),
		T(test_environment_wins),
		T(test_several_endpoints),
		T(test_services_need_only_their_own),
		T(test_errors_say_where),
		T(test_signers),
		T(test_host_chain_errors),
		T(test_secret_is_never_repeated),
		cmocka_unit_test(test_example_names_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
