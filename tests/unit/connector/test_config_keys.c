/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Every key does something. The table holds each key of connector_config with a value that is not
 * its default: it must change what the services are given, in the environment and in a file alike;
 * or, where a key has no effect here, that must be said. Older names, both names at once, and the
 * first generation's form follow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "connector/config.h"
#include "connector/config_chains.h"

#define ADDRESS(d) "0x" d d d d d d d d d d d d d d d d d d d d
#define HOSTS      "[{\"url\":\"http://h\",\"chain_id\":5,\"acl_address\":\"" ADDRESS("ac") "\"}]"

#define KEY "0x1111111111111111111111111111111111111111111111111111111111111111"

/* What a configuration needs, as variables; a test may take one away. */
static const char *const base[] = {
	"KMS_CONNECTOR_GATEWAY_URL=http://gw",
	"KMS_CONNECTOR_GATEWAY_CHAIN_ID=7",
	"KMS_CONNECTOR_ETHEREUM_URL=http://eth",
	"KMS_CONNECTOR_ETHEREUM_CHAIN_ID=9",
	("KMS_CONNECTOR_DECRYPTION_CONTRACT__ADDRESS=" ADDRESS("de")),
	("KMS_CONNECTOR_GATEWAY_CONFIG_CONTRACT__ADDRESS=" ADDRESS("6c")),
	"KMS_CONNECTOR_KMS_CORE_ENDPOINTS=http://a:1",
	("KMS_CONNECTOR_HOST_CHAINS=" HOSTS),
	("KMS_CONNECTOR_PRIVATE_KEY=" KEY),
};

enum {
	ENV_MAX = 32
};

struct fixture {
	struct arena arena;
	struct connector_config c;
	struct err_note note;
	const char *env[ENV_MAX];
	size_t env_n;
	char said[4096]; /* remarks, a line each */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->arena = arena_make(64 << 20);
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

static void env_add(struct fixture *f, const char *name, const char *value)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "%s=%s", name, value);
	assert_true(f->env_n + 1 < ENV_MAX);
	f->env[f->env_n++] = arena_strndup(&f->arena, bytes_str(text));
	f->env[f->env_n] = NULL;
}

/* The base but for the variable `without`. */
static void env_base(struct fixture *f, const char *without)
{
	f->env_n = 0;
	for (size_t i = 0; i < ARRAY_LEN(base); i++) {
		size_t n = strcspn(base[i], "=");

		if (!without || strncmp(base[i], without, n) != 0 || without[n] != '\0')
			f->env[f->env_n++] = base[i];
	}
	f->env[f->env_n] = NULL;
}

static void remark(void *ctx, const char *text)
{
	struct fixture *f = ctx;
	size_t n = strlen(f->said);

	(void)snprintf(&f->said[n], sizeof(f->said) - n, "%s\n", text);
}

static enum err load(struct fixture *f, const char *file)
{
	const struct config_source src = {
		.file = file ? "x.toml" : NULL, .text = bytes_str(file), .env = f->env};
	enum err e;

	connector_config_free(&f->c);
	f->note = (struct err_note){0};
	f->said[0] = '\0';
	e = connector_config_load(&f->c, SERVICE_ALL, &src, &f->arena, &f->note);
	if (e == ERR_OK)
		assert_int_equal(connector_config_remarks(SERVICE_ALL, &src, remark, f), ERR_OK);
	return e;
}

static void expect_loaded(struct fixture *f, const char *file, const char *key)
{
	enum err e = load(f, file);

	if (e != ERR_OK)
		fail_msg("%s: %s: %s", key, err_name(e), f->note.text);
}

/* ---- what a row holds, as text ---- */

static void shown(char out[1024], const struct config_row *r, const struct connector_config *c)
{
	const void *at = (const uint8_t *)c + r->offset;
	const struct config_strings *list = at;
	size_t n = 0;

	out[0] = '\0';
	switch (r->type) {
	case CONFIG_U64:
	case CONFIG_DURATION:
		(void)snprintf(out, 1024, "%llu", (unsigned long long)*(const uint64_t *)at);
		break;
	case CONFIG_BOOL:
		(void)snprintf(out, 1024, "%d", *(const bool *)at);
		break;
	case CONFIG_ADDRESS:
		for (size_t i = 0; i < 20; i++)
			(void)snprintf(&out[2 * i], 3, "%02x", ((const uint8_t *)at)[i]);
		break;
	case CONFIG_SECRET32:
		for (size_t i = 0; i < 32; i++)
			(void)snprintf(&out[2 * i], 3, "%02x", ((const uint8_t *)at)[i]);
		break;
	case CONFIG_SECRET_TEXT:
		(void)snprintf(out, 1024, "%s", (const char *)((const struct secret *)at)->p);
		break;
	case CONFIG_STRINGS:
		for (size_t i = 0; i < list->n; i++)
			n += (size_t)snprintf(&out[n], 1024 - n, "%s,", list->v[i]);
		break;
	case CONFIG_JSON:
		(void)snprintf(out, 1024, "%zu", json_array_size(*(json_t *const *)at));
		break;
	default:
		(void)snprintf(out, 1024, "%s", *(char *const *)at ? *(char *const *)at : "(none)");
	}
}

/* ---- the keys ---- */

#define TLS_BUT   "kms_core_endpoints=https://a:1;"
#define CONFIRMED "gateway_finality=arbitrum-l1-confirmed;"

static const struct {
	const char *path, *value;
	const char *with; /* other keys that it needs, "PATH=VALUE;PATH=VALUE" */
} keys[] = {
	{"database_url", "sqlite:/tmp/x.db", NULL},
	{"database_pool_size", "3", NULL},
	{"gateway_url", "ws://other:1", NULL},
	{"gateway_urls", "http://two,ws://three", NULL},
	{"gateway_quorum", "2", "gateway_urls=http://two"},
	{"gateway_chain_id", "8", NULL},
	{"ethereum_url", "wss://other", NULL},
	{"ethereum_urls", "http://e2", NULL},
	{"ethereum_quorum", "2", "ethereum_urls=http://e2"},
	{"ethereum_chain_id", "10", NULL},
	{"decryption_contract.address", ADDRESS("dd"), NULL},
	{"decryption_contract.domain_name", "Other", NULL},
	{"decryption_contract.domain_version", "2", NULL},
	{"protocol_config_contract.address", ADDRESS("0c"), NULL},
	{"protocol_config_contract.domain_name", "Other", NULL},
	{"protocol_config_contract.domain_version", "2", NULL},
	{"kms_generation_contract.address", ADDRESS("0d"), NULL},
	{"kms_generation_contract.domain_name", "Other", NULL},
	{"kms_generation_contract.domain_version", "2", NULL},
	{"gateway_config_contract.address", ADDRESS("6d"), NULL},
	{"gateway_config_contract.domain_name", "Other", NULL},
	{"gateway_config_contract.domain_version", "2", NULL},
	{"key_management_chain", "gateway", NULL},
	{"key_management_expiry", "1h", NULL},
	{"monitoring_endpoint", "127.0.0.1:9101", NULL},
	{"healthcheck_timeout", "1s", NULL},
	{"task_limit", "10", NULL},
	{"shutdown_grace", "1s", NULL},
	{"operation_recovery_run_interval", "1m", NULL},
	{"gc_age", "48h", NULL},
	{"gc_rows_max", "2000000", NULL},
	{"audit_age", "48h", NULL},
	{"log_level", "debug", NULL},
	{"log_format", "json", NULL},
	{"service_name", "mine", NULL},
	{"otlp_endpoint", "http://127.0.0.1:4318", NULL},
	{"otlp_sampling_percent", "10", NULL},
	{"decryption_polling", "100ms", NULL},
	{"key_management_polling", "1s", NULL},
	{"gateway_finality", "safe", NULL},
	{"gateway_parent_url", "http://parent",
	 CONFIRMED "gateway_parent_chain_id=7;gateway_parent_rollup=" ADDRESS("a1")},
	{"gateway_parent_chain_id", "77",
	 CONFIRMED "gateway_parent_url=http://p;gateway_parent_rollup=" ADDRESS("a1")},
	{"gateway_parent_rollup", ADDRESS("a0"),
	 CONFIRMED "gateway_parent_url=http://p;gateway_parent_chain_id=7"},
	{"ethereum_finality", "safe", NULL},
	{"get_logs_batch_size", "7", NULL},
	{"max_consecutive_polling_errors", "3", NULL},
	{"channel_size", "5", NULL},
	{"decryption_from_block_number", "17", NULL},
	{"kms_operation_from_block_number", "17", NULL},
	{"host_chains",
	 "[{\"url\":\"http://h\",\"chain_id\":5,\"acl_address\":\"" ADDRESS(
		 "ac") "\"},{\"url\":\"http://"
		       "i\",\"chain_id\":6,\"acl_address\":\"" ADDRESS("ad") "\"}]",
	 NULL},
	{"kms_core_endpoints", "http://a:1,http://b:2", NULL},
	{"kms_core_tls.cert", "/c.pem", TLS_BUT "kms_core_tls.key=/k;kms_core_tls.ca=/a"},
	{"kms_core_tls.key", "/k.pem", TLS_BUT "kms_core_tls.cert=/c;kms_core_tls.ca=/a"},
	{"kms_core_tls.ca", "/a.pem", TLS_BUT "kms_core_tls.cert=/c;kms_core_tls.key=/k"},
	{"kms_core_tls.server_names", "core.example,10.0.0.1",
	 TLS_BUT "kms_core_tls.cert=/c;kms_core_tls.key=/k;kms_core_tls.ca=/a"},
	{"db_fast_event_polling", "1s", NULL},
	{"db_long_event_polling", "1s", NULL},
	{"events_batch_size", "5", NULL},
	{"grpc_request_retries", "5", NULL},
	{"operation_under_process_timeout", "1m", NULL},
	{"retry_interval", "2s", NULL},
	{"public_decryption_timeout", "100s", NULL},
	{"user_decryption_timeout", "100s", NULL},
	{"kms_core_sync", "true", NULL},
	{"verify_coprocessors", "true", NULL},
	{"max_decryption_attempts", "5", NULL},
	{"s3_ciphertext_retrieval_attempts", "5", NULL},
	{"s3_connect_timeout", "1s", NULL},
	{"s3_head_timeout", "1s", NULL},
	{"s3_get_timeout", "1s", NULL},
	{"s3_max_ciphertext_size", "1000", NULL},
	{"s3_max_concurrent_heads_per_bucket", "5", NULL},
	{"s3_max_concurrent_gets", "5", NULL},
	{"s3_config.region", "eu-west-1", NULL},
	{"s3_config.bucket", "b", NULL},
	{"s3_config.endpoint", "http://127.0.0.1:9000", NULL},
	{"s3_signed_buckets", "http://127.0.0.1:9000/b,https://b.example", NULL},
	{"s3_signing_region", "eu-west-1", NULL},
	{"ciphertext_cache_size", "0", NULL},
	{"copro_registry_refresh", "1s", NULL},
	{"host_rpc_max_concurrent_calls", "5", NULL},
	{"host_rpc_call_timeout", "1s", NULL},
	{"erc1271_gas_limit", "5", NULL},
	{"acl_grace", "1s", NULL},
	{"decryption_expiry", "1h", NULL},
	{"compressed_keys", "false", NULL},
	{"private_key", "0x2222222222222222222222222222222222222222222222222222222222222222", NULL},
	{"aws_kms_config.key_id", "alias/x", NULL},
	{"aws_kms_config.region", "eu-west-1", NULL},
	{"aws_kms_config.endpoint", "http://127.0.0.1:4566", NULL},
	{"database_polling_timeout", "1s", NULL},
	{"responses_batch_size", "5", NULL},
	{"gas_multiplier_percent", "200", NULL},
	{"max_fee_per_gas_gwei", "5", NULL},
	{"gas_limit", "1000000", NULL},
	{"tx_replace_after", "5s", NULL},
	{"tx_retries", "9", NULL},
	{"tx_retry_interval", "1s", NULL},
	{"trace_reverted_tx", "false", NULL},
	{"gateway_tx_required_confirmations", "5", NULL},
	{"ethereum_tx_required_confirmations", "5", NULL},
	{"ethereum_tx_get_receipt_timeout", "1m", NULL},
	{"skip_answered_public_decryptions", "true", NULL},
	{"gauge_update_interval", "1s", NULL},
};

static void env_name(char out[128], const char *path)
{
	size_t n = (size_t)snprintf(out, 128, "KMS_CONNECTOR_");

	for (const char *c = path; *c; c++) {
		if (*c == '.')
			out[n++] = '_';
		out[n++] = *c == '.' ? '_' : (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
	}
	out[n] = '\0';
}

static const struct config_row *row_of(const char *path)
{
	for (size_t i = 0; i < connector_config.rows_n; i++)
		if (strcmp(connector_config.rows[i].path, path) == 0)
			return &connector_config.rows[i];
	fail_msg("%s is no key", path);
	return NULL;
}

static bool is_older(const struct config_row *r)
{
	for (const struct config_row *k = connector_config.rows; k < r; k++)
		if (k->offset == r->offset)
			return true;
	return false;
}

static void test_every_key_is_in_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < connector_config.rows_n; i++) {
		const struct config_row *r = &connector_config.rows[i];
		bool found = is_older(r);

		for (size_t k = 0; k < ARRAY_LEN(keys) && !found; k++)
			found = strcmp(keys[k].path, r->path) == 0;
		if (!found)
			fail_msg("%s is not tested", r->path);
	}
}

static void add_key(struct fixture *f, const char *path, const char *value)
{
	char name[128];

	env_name(name, path);
	env_add(f, name, value);
}

static void env_drop(struct fixture *f, const char *name)
{
	size_t n = strlen(name), kept = 0;

	for (size_t i = 0; i < f->env_n; i++)
		if (strncmp(f->env[i], name, n) != 0 || f->env[i][n] != '=')
			f->env[kept++] = f->env[i];
	f->env_n = kept;
	f->env[kept] = NULL;
}

/* "PATH=VALUE;PATH=VALUE", NULL: none. */
static void add_keys(struct fixture *f, const char *with)
{
	while (with && *with) {
		size_t n = strcspn(with, ";"), name = strcspn(with, "=");
		char path[64], value[64], variable[128];

		(void)snprintf(path, sizeof(path), "%.*s", (int)name, with);
		(void)snprintf(value, sizeof(value), "%.*s", (int)(n - name - 1), &with[name + 1]);
		env_name(variable, path);
		env_drop(f, variable);
		add_key(f, path, value);
		with += n + (with[n] == ';');
	}
}

static void test_every_key_changes_something(void **state)
{
	struct fixture *f = *state;
	char before[1024], after[1024], name[128], said[256];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct config_row *r = row_of(keys[i].path);

		env_base(f, NULL);
		expect_loaded(f, NULL, "the base");
		shown(before, r, &f->c);
		env_name(name, r->path);
		env_base(f, name);
		add_keys(f, keys[i].with);
		env_add(f, name, keys[i].value);
		expect_loaded(f, NULL, r->path);
		shown(after, r, &f->c);
		if (strcmp(before, after) == 0)
			fail_msg("%s = %s changes nothing: %s", r->path, keys[i].value, after);
		(void)snprintf(said, sizeof(said), "%s has no effect here: ", r->path);
		assert_int_equal(strstr(f->said, said) != NULL, r->moot != NULL);
	}
}

/* What is asked of the parent chain is asked for one finality alone. */
static void test_keys_of_another_finality(void **state)
{
	struct fixture *f = *state;

	env_base(f, NULL);
	add_keys(
		f,
		"gateway_finality=finalized;gateway_parent_url=http://p;gateway_parent_chain_id=7");
	expect_loaded(f, NULL, "a parent chain that nobody asks");
	config_chains_remarks(&f->c, SERVICE_ALL, remark, f);
	assert_non_null(strstr(f->said,
			       "gateway_parent_url has no effect here: gateway_finality is "
			       "not arbitrum-l1-confirmed"));
	assert_non_null(strstr(f->said, "gateway_parent_chain_id has no effect here"));
	assert_null(strstr(f->said, "gateway_parent_rollup"));
}

/* "a.b" = V as TOML: a dotted key. Lists and numbers as text, where the type is none. */
static void test_every_key_works_in_a_file(void **state)
{
	struct fixture *f = *state;
	char env_value[1024], file_value[1024], name[128], text[2048];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct config_row *r = row_of(keys[i].path);

		if (r->type == CONFIG_JSON || r->type == CONFIG_STRINGS)
			continue; /* test_config has them */
		env_name(name, r->path);
		env_base(f, name);
		add_keys(f, keys[i].with);
		(void)snprintf(text, sizeof(text), "%s = \"%s\"\n", r->path, keys[i].value);
		expect_loaded(f, text, r->path);
		shown(file_value, r, &f->c);
		env_add(f, name, keys[i].value);
		expect_loaded(f, NULL, r->path);
		shown(env_value, r, &f->c);
		assert_string_equal(file_value, env_value);
	}
}

/* ---- older names ---- */

static const struct {
	const char *old, *value, *now, *same, *other;
} older[] = {
	{"chain_id", "31", "gateway_chain_id", "31", "32"},
	{"kms_core_endpoint", "http://c:1", "kms_core_endpoints", "http://c:1", "http://c:2"},
	{"decryption_address", ADDRESS("d1"), "decryption_contract.address", ADDRESS("D1"),
	 ADDRESS("d2")},
	{"decryption_domain_name", "A", "decryption_contract.domain_name", "A", "B"},
	{"decryption_domain_version", "3", "decryption_contract.domain_version", "3", "4"},
	{"gateway_config_address", ADDRESS("61"), "gateway_config_contract.address", ADDRESS("61"),
	 ADDRESS("62")},
	{"gateway_config_domain_name", "A", "gateway_config_contract.domain_name", "A", "B"},
	{"gateway_config_domain_version", "3", "gateway_config_contract.domain_version", "3", "4"},
	{"public_decryption_timeout_secs", "60", "public_decryption_timeout", "1m", "61s"},
	{"user_decryption_timeout_secs", "60", "user_decryption_timeout", "1m", "61s"},
	{"retry_interval_secs", "7", "retry_interval", "7s", "8s"},
	{"from_block_number", "12", "decryption_from_block_number", "12", "13"},
	{"s3_ciphertext_retrieval_retries", "6", "s3_ciphertext_retrieval_attempts", "6", "7"},
	{"decryption_polling_ms", "250", "decryption_polling", "250ms", "251ms"},
	{"key_management_polling_ms", "250", "key_management_polling", "250ms", "251ms"},
	{"healthcheck_timeout_secs", "2", "healthcheck_timeout", "2s", "4s"},
	{"db_fast_event_polling_secs", "2", "db_fast_event_polling", "2s", "4s"},
	{"db_long_event_polling_secs", "2", "db_long_event_polling", "2s", "4s"},
	{"database_polling_timeout_secs", "2", "database_polling_timeout", "2s", "4s"},
	{"tx_retry_interval_ms", "100", "tx_retry_interval", "100ms", "101ms"},
	{"gauge_update_interval_secs", "10", "gauge_update_interval", "10s", "11s"},
};

static void test_older_names(void **state)
{
	struct fixture *f = *state;
	char with_old[1024], with_now[1024], name[128], now_name[128];

	for (size_t i = 0; i < connector_config.rows_n; i++) {
		bool found = !is_older(&connector_config.rows[i]);

		for (size_t k = 0; k < ARRAY_LEN(older) && !found; k++)
			found = strcmp(older[k].old, connector_config.rows[i].path) == 0;
		if (!found)
			fail_msg("%s is not tested", connector_config.rows[i].path);
	}
	for (size_t i = 0; i < ARRAY_LEN(older); i++) {
		const struct config_row *r = row_of(older[i].now);

		env_name(name, older[i].old);
		env_name(now_name, older[i].now);
		env_base(f, now_name);
		env_add(f, name, older[i].value);
		expect_loaded(f, NULL, older[i].old);
		shown(with_old, r, &f->c);
		assert_non_null(strstr(f->said, older[i].old));
		/* Both, alike. */
		env_add(f, now_name, older[i].same);
		expect_loaded(f, NULL, older[i].old);
		shown(with_now, r, &f->c);
		assert_string_equal(with_old, with_now);
		/* Both, and different: nobody can say which was meant. */
		env_base(f, now_name);
		env_add(f, name, older[i].value);
		env_add(f, now_name, older[i].other);
		assert_int_equal(load(f, NULL), ERR_CONFIG_VALUE);
		assert_non_null(strstr(f->note.text, name));
		assert_non_null(strstr(f->note.text, older[i].now));
	}
}

/* The new name in the environment does not hide the old one in the file. */
static void test_both_names_in_two_places(void **state)
{
	struct fixture *f = *state;

	env_base(f, NULL);
	assert_int_equal(load(f, "chain_id = 8\n"), ERR_CONFIG_VALUE);
	assert_non_null(strstr(f->note.text, "x.toml:1: chain_id: it is an older name of"));
	expect_loaded(f, "chain_id = 7\n", "chain_id");
}

/* ---- the first generation ---- */

static void test_first_generation(void **state)
{
	static const char *const defaults[] = {
		"gateway_url is not set: ws://localhost:8545",
		"chain_id is not set: 31337",
		"kms_core_endpoint is not set: http://[::1]:50052",
		"decryption_address is not set: 0x5fbdb2315678afecb367f032d93f642f64180aa3",
	};
	struct fixture *f = *state;

	f->env_n = 0;
	env_add(f, "KMS_CONNECTOR_GATEWAY_CONFIG_ADDRESS", ADDRESS("61"));
	env_add(f, "KMS_CONNECTOR_PRIVATE_KEY",
		"2222222222222222222222222222222222222222222222222222222222222222");
	expect_loaded(f, NULL, "the first generation's form");
	assert_string_equal(f->c.gateway_url, "ws://localhost:8545");
	assert_int_equal(f->c.gateway_chain_id, 31337);
	assert_int_equal(f->c.kms_core_endpoints.n, 1);
	assert_string_equal(f->c.kms_core_endpoints.v[0], "http://[::1]:50052");
	assert_int_equal(f->c.decryption_contract.address.b[0], 0x5f);
	assert_int_equal(f->c.gateway_config_contract.address.b[0], 0x61);
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		assert_non_null(strstr(f->said, defaults[i]));
	assert_null(strstr(f->said, "gateway_config_address is not set"));
	assert_non_null(strstr(f->said, "host_chains is not set"));
	env_add(f, "KMS_CONNECTOR_HOST_CHAINS", HOSTS);
	expect_loaded(f, NULL, "with host chains");
	assert_int_equal(f->c.host_chains_n, 1);
}

static void test_its_defaults_hold_only_there(void **state)
{
	struct fixture *f = *state;

	/* Without a name of that generation ... */
	f->env_n = 0;
	env_add(f, "KMS_CONNECTOR_PRIVATE_KEY",
		"2222222222222222222222222222222222222222222222222222222222222222");
	assert_int_equal(load(f, NULL), ERR_CONFIG_VALUE);
	/* ... and with what came after it. */
	env_base(f, "KMS_CONNECTOR_GATEWAY_URL");
	env_add(f, "KMS_CONNECTOR_RETRY_INTERVAL_SECS", "5");
	assert_int_equal(load(f, NULL), ERR_CONFIG_VALUE);
	assert_non_null(strstr(f->note.text, "gateway_url is required"));
}

static void test_fallback_bucket(void **state)
{
	struct fixture *f = *state;

	env_base(f, NULL);
	env_add(f, "KMS_CONNECTOR_S3_CONFIG__REGION", "eu-west-1");
	expect_loaded(f, NULL, "half of it");
	assert_null(f->c.s3_fallback_url);
	env_add(f, "KMS_CONNECTOR_S3_CONFIG__BUCKET", "cts");
	expect_loaded(f, NULL, "region and bucket");
	assert_string_equal(f->c.s3_fallback_url, "https://s3.eu-west-1.amazonaws.com/cts");
	env_add(f, "KMS_CONNECTOR_S3_CONFIG__ENDPOINT", "http://127.0.0.1:9000/");
	expect_loaded(f, NULL, "endpoint and bucket");
	assert_string_equal(f->c.s3_fallback_url, "http://127.0.0.1:9000/cts");
}

/* An access key must not go to whoever a slip of the pen names. */
static void test_signed_buckets(void **state)
{
	static const char *const bad[] = {
		"eu-west-1",   "ws://b",      "http://",     "http://b http://c", "b.example/one",
		"https://k@b", "https://b?x", "https://b#x", "https://b,ftp://c",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		env_base(f, NULL);
		env_add(f, "KMS_CONNECTOR_S3_SIGNED_BUCKETS", bad[i]);
		if (load(f, NULL) != ERR_CONFIG_VALUE)
			fail_msg("%s is taken", bad[i]);
		assert_non_null(strstr(f->note.text, "KMS_CONNECTOR_S3_SIGNED_BUCKETS"));
	}
	env_base(f, NULL);
	assert_int_equal(load(f, "s3_signing_region = \"EU!\"\n"), ERR_CONFIG_VALUE);
	assert_string_equal(f->note.text,
			    "x.toml:1: s3_signing_region: found \"EU!\", expected a region of AWS: "
			    "small letters, digits and hyphens");
	env_base(f, NULL);
	assert_int_equal(load(f, "s3_signed_buckets = [\"https://a/b\", \"https://u:pass@b\"]\n"),
			 ERR_CONFIG_VALUE);
	assert_non_null(strstr(f->note.text, "x.toml:1: s3_signed_buckets: number 2 is no URL of"));
	assert_null(strstr(f->note.text, "pass"));
}

/* A number of seconds under a key that is a duration today. */
static void test_connect_timeout_in_seconds(void **state)
{
	struct fixture *f = *state;

	env_base(f, NULL);
	expect_loaded(f, "s3_connect_timeout = 2\n", "s3_connect_timeout");
	assert_int_equal(f->c.s3_connect_timeout_ms, 2000);
	assert_int_equal(load(f, "s3_head_timeout = 2\n"), ERR_CONFIG_VALUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		cmocka_unit_test(test_every_key_is_in_the_table),
		T(test_every_key_changes_something),
		T(test_keys_of_another_finality),
		T(test_every_key_works_in_a_file),
		T(test_older_names),
		T(test_both_names_in_two_places),
		T(test_first_generation),
		T(test_its_defaults_hold_only_there),
		T(test_fallback_bucket),
		T(test_signed_buckets),
		T(test_connect_timeout_in_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
