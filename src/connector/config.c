/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/limits.h"
#include "connector/config_chains.h"
#include "connector/cores.h"
#include "eth/signer_aws.h"

/*
 * Durations without a row of their own bounds may be up to a year: longer is a slip of the pen.
 * Zero periods would spin.
 */
enum {
	MS = 1,
	SECOND = 1000 * MS,
	MINUTE = 60 * SECOND,
	HOUR = 60 * MINUTE
};
#define YEAR (UINT64_C(365) * 24 * HOUR)

/* Of the smallest answer, all of it zero bytes: selector, four words of head, one word of result, a
 * signature of three, three lengths. Below it no node takes a transaction. */
enum {
	ANSWER_GAS_MIN = 21000 + 4 * (4 + 32 * (4 + 1 + 3 + 3))
};

#define FIELD(member)                                                                              \
	.offset = offsetof(struct connector_config, member), .present_offset = SIZE_MAX
#define FIELD_GIVEN(member, flag)                                                                  \
	.offset = offsetof(struct connector_config, member),                                       \
	.present_offset = offsetof(struct connector_config, flag)

#define CONTRACT(path_, member, name_, who, needed, what)                                          \
	{.path = path_ ".address",                                                                 \
	 .type = CONFIG_ADDRESS,                                                                   \
	 FIELD(member.address),                                                                    \
	 .services = (who),                                                                        \
	 .required = (needed),                                                                     \
	 .doc = "Address of " what "."},                                                           \
		{.path = path_ ".domain_name",                                                     \
		 .type = CONFIG_STRING,                                                            \
		 FIELD(member.domain_name),                                                        \
		 .def = name_,                                                                     \
		 .services = (who),                                                                \
		 .doc = "EIP-712 domain name of " what "."},                                       \
	{                                                                                          \
		.path = path_ ".domain_version", .type = CONFIG_STRING,                            \
		FIELD(member.domain_version), .def = "1", .services = (who),                       \
		.doc = "EIP-712 domain version of " what "."                                       \
	}

#define CORE_TLS_FILE(name_, member_, what_)                                                       \
	{                                                                                          \
		.path = "kms_core_tls." name_, .type = CONFIG_STRING, FIELD(kms_core_tls.member_), \
		.min = 1, .max = URL_SIZE_MAX, .services = W, .doc = "PEM file: " what_ "."        \
	}

enum {
	L = SERVICE_LISTENER,
	W = SERVICE_WORKER,
	S = SERVICE_SENDER,
	ALL = SERVICE_ALL
};

static const char *const host_chain_members[] = {
	"url", "urls", "quorum", "chain_id", "chainId", "acl_address", "aclAddress", NULL,
};

static const struct config_row rows[] = {
	/* ---- all services ---- */
	{.path = "database_url",
	 .type = CONFIG_SECRET_TEXT,
	 FIELD(database_url),
	 .services = ALL,
	 .doc = "Where state is kept: sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE. "
		"Without it kms-connector.db in $STATE_DIRECTORY or the working directory."},
	{.path = "gateway_url",
	 .type = CONFIG_RPC_URL,
	 FIELD(gateway_url),
	 .services = ALL,
	 .required = true,
	 .doc = "JSON-RPC endpoint of the gateway chain."},
	{.path = "gateway_urls",
	 .type = CONFIG_STRINGS,
	 FIELD(gateway_urls),
	 .max = PROVIDER_ENDPOINTS_MAX - 1,
	 .services = ALL,
	 .doc = "Further JSON-RPC endpoints of the gateway chain, asked in this order when those "
		"before "
		"them fail, lag or serve another chain."},
	{.path = "gateway_quorum",
	 .type = CONFIG_U64,
	 FIELD(gateway_quorum),
	 .def = "1",
	 .min = 1,
	 .max = PROVIDER_ENDPOINTS_MAX,
	 .services = ALL,
	 .doc = "How many endpoints of the gateway chain must say the same of logs, calls, blocks, "
		"receipts "
		"and transactions; 1 believes one."},
	{.path = "gateway_chain_id",
	 .type = CONFIG_U64,
	 FIELD(gateway_chain_id),
	 .min = 1,
	 .max = UINT64_MAX,
	 .services = ALL,
	 .required = true,
	 .doc = "Chain id that the gateway endpoint must have, and of the EIP-712 domain."},
	{.path = "ethereum_url",
	 .type = CONFIG_RPC_URL,
	 FIELD(ethereum_url),
	 .services = ALL,
	 .doc = "JSON-RPC endpoint of the chain that holds ProtocolConfig."},
	{.path = "ethereum_urls",
	 .type = CONFIG_STRINGS,
	 FIELD(ethereum_urls),
	 .max = PROVIDER_ENDPOINTS_MAX - 1,
	 .services = ALL,
	 .doc = "Further JSON-RPC endpoints of the chain that holds ProtocolConfig, asked in this "
		"order when those before "
		"them fail, lag or serve another chain."},
	{.path = "ethereum_quorum",
	 .type = CONFIG_U64,
	 FIELD(ethereum_quorum),
	 .def = "1",
	 .min = 1,
	 .max = PROVIDER_ENDPOINTS_MAX,
	 .services = ALL,
	 .doc = "How many endpoints of the chain that holds ProtocolConfig must say the same of "
		"logs, calls, blocks, receipts "
		"and transactions; 1 believes one."},
	{.path = "ethereum_chain_id",
	 .type = CONFIG_U64,
	 FIELD(ethereum_chain_id),
	 .services = ALL,
	 .doc = "Chain id that the ethereum endpoint must have."},
	CONTRACT("decryption_contract", decryption_contract, "Decryption", ALL, true,
		 "the gateway's Decryption contract"),
	{.path = "protocol_config_contract.address",
	 .type = CONFIG_ADDRESS,
	 FIELD_GIVEN(protocol_config_contract.address, protocol_config_given),
	 .services = ALL,
	 .doc = "Address of ProtocolConfig; without it contexts are checked at the gateway."},
	{.path = "protocol_config_contract.domain_name",
	 .type = CONFIG_STRING,
	 FIELD(protocol_config_contract.domain_name),
	 .def = "ProtocolConfig",
	 .services = ALL,
	 .doc = "EIP-712 domain name of ProtocolConfig."},
	{.path = "protocol_config_contract.domain_version",
	 .type = CONFIG_STRING,
	 FIELD(protocol_config_contract.domain_version),
	 .def = "1",
	 .services = ALL,
	 .doc = "EIP-712 domain version of ProtocolConfig."},
	{.path = "kms_generation_contract.address",
	 .type = CONFIG_ADDRESS,
	 FIELD_GIVEN(kms_generation_contract.address, kms_generation_given),
	 .services = ALL,
	 .doc = "Address of KMSGeneration; without it no keys and no CRSs are generated."},
	{.path = "kms_generation_contract.domain_name",
	 .type = CONFIG_STRING,
	 FIELD(kms_generation_contract.domain_name),
	 .def = "KMSGeneration",
	 .services = ALL,
	 .doc = "EIP-712 domain name of KMSGeneration."},
	{.path = "kms_generation_contract.domain_version",
	 .type = CONFIG_STRING,
	 FIELD(kms_generation_contract.domain_version),
	 .def = "1",
	 .services = ALL,
	 .doc = "EIP-712 domain version of KMSGeneration."},
	{.path = "key_management_chain",
	 .type = CONFIG_STRING,
	 FIELD(key_management_chain),
	 .services = ALL,
	 .doc = "Chain of KMSGeneration: ethereum (networks of v0.13 and later) or gateway "
		"(before). "
		"Without it ethereum where there is an ethereum_url, else gateway."},
	{.path = "key_management_expiry",
	 .type = CONFIG_DURATION,
	 FIELD(key_management_expiry_ms),
	 .def = "30d",
	 .min = MINUTE,
	 .max = YEAR,
	 .services = ALL,
	 .doc = "Age at which the generation of a key or a CRS, a context or an epoch is given "
		"up."},
	{.path = "monitoring_endpoint",
	 .type = CONFIG_ENDPOINT,
	 FIELD(monitoring_endpoint),
	 .def = "0.0.0.0:9100",
	 .services = ALL,
	 .doc = "Where health and metrics are served, ip:port."},
	{.path = "healthcheck_timeout",
	 .type = CONFIG_DURATION,
	 FIELD(healthcheck_timeout_ms),
	 .def = "3s",
	 .min = 1,
	 .max = HOUR,
	 .services = ALL,
	 .doc = "Time limit of one dependency in a health check."},
	{.path = "task_limit",
	 .type = CONFIG_U64,
	 FIELD(task_limit),
	 .def = "1000",
	 .min = 1,
	 .max = 1000000,
	 .services = ALL,
	 .doc = "Operations that a service works on at once."},
	{.path = "shutdown_grace",
	 .type = CONFIG_DURATION,
	 FIELD(shutdown_grace_ms),
	 .def = "5s",
	 .max = HOUR,
	 .services = ALL,
	 .doc = "How long a stop may take to end what has begun; 0s leaves it all to the next "
		"start."},
	{.path = "operation_recovery_run_interval",
	 .type = CONFIG_DURATION,
	 FIELD(operation_recovery_run_interval_ms),
	 .def = "5m",
	 .min = 1 * SECOND,
	 .max = 24 * HOUR,
	 .services = S,
	 .doc = "Pause between two rounds of housekeeping, which removes what ended long ago."},
	{.path = "gc_age",
	 .type = CONFIG_DURATION,
	 FIELD(gc_age_ms),
	 .def = "30d",
	 .max = 10 * YEAR,
	 .services = S,
	 .doc = "Age at which an operation that has ended is removed from the database; 0s keeps "
		"all. That it was there is kept."},
	{.path = "gc_rows_max",
	 .type = CONFIG_U64,
	 FIELD(gc_rows_max),
	 .def = "1000000",
	 .min = 1000,
	 .max = INT64_MAX,
	 .services = S,
	 .doc = "Operations that have ended and are kept, whatever their age: the oldest go "
		"first."},
	{.path = "audit_age",
	 .type = CONFIG_DURATION,
	 FIELD(audit_age_ms),
	 .def = "365d",
	 .max = 10 * YEAR,
	 .services = S,
	 .doc = "Age at which sealed records of the audit log are given up; 0s keeps all."},
	{.path = "service_name",
	 .type = CONFIG_STRING,
	 FIELD(service_name),
	 .min = 1,
	 .max = 200,
	 .services = ALL,
	 .doc = "service.name of traces; without it OTEL_SERVICE_NAME, else kms-connector-… as "
		"upstream's."},
	{.path = "otlp_endpoint",
	 .type = CONFIG_URL,
	 FIELD(otlp_endpoint),
	 .services = ALL,
	 .doc = "Collector of traces, OTLP/HTTP: /v1/traces is added. Without it "
		"OTEL_EXPORTER_OTLP_ENDPOINT; without both no traces."},
	{.path = "log_level",
	 .type = CONFIG_STRING,
	 FIELD(log_level),
	 .def = "info",
	 .services = ALL,
	 .doc = "error, warn, info or debug."},
	{.path = "log_format",
	 .type = CONFIG_STRING,
	 FIELD(log_format),
	 .def = "text",
	 .services = ALL,
	 .doc = "text or json."},

	/* ---- listener ---- */
	{.path = "decryption_polling",
	 .type = CONFIG_DURATION,
	 FIELD(decryption_polling_ms),
	 .def = "500ms",
	 .min = 10,
	 .max = HOUR,
	 .services = L,
	 .doc = "Pause between two looks at the gateway's head."},
	{.path = "gateway_finality",
	 .type = CONFIG_STRING,
	 FIELD(gateway_finality),
	 .def = "latest",
	 .services = L,
	 .doc = "When a gateway block counts: latest, safe, finalized, arbitrum-l1 (its batch is "
		"posted to the parent chain), or a number of blocks that "
		"must follow it."},
	{.path = "get_logs_batch_size",
	 .type = CONFIG_U64,
	 FIELD(get_logs_batch_size),
	 .def = "100",
	 .min = 1,
	 .max = 1000000,
	 .services = L,
	 .doc = "Largest number of blocks in one eth_getLogs; the window adapts below it."},
	{.path = "decryption_from_block_number",
	 .type = CONFIG_U64,
	 FIELD_GIVEN(decryption_from_block_number, decryption_from_block_number_given),
	 .max = INT64_MAX,
	 .services = L,
	 .doc = "First gateway block to read, at every start; without it the stored place, else "
		"the head."},

	{.path = "ethereum_finality",
	 .type = CONFIG_STRING,
	 FIELD(ethereum_finality),
	 .def = "finalized",
	 .services = L,
	 .doc = "The same of the ethereum chain: what is generated for it is not generated twice."},
	{.path = "key_management_polling",
	 .type = CONFIG_DURATION,
	 FIELD(key_management_polling_ms),
	 .def = "30s",
	 .min = 10,
	 .max = HOUR,
	 .services = L,
	 .doc = "Pause between two looks at the ethereum chain's head."},
	{.path = "kms_operation_from_block_number",
	 .type = CONFIG_U64,
	 FIELD_GIVEN(kms_operation_from_block_number, kms_operation_from_block_number_given),
	 .max = INT64_MAX,
	 .services = L,
	 .doc = "First block of the ethereum chain to read, at every start; without it the stored "
		"place, else the head."},

	/* ---- worker ---- */
	CONTRACT("gateway_config_contract", gateway_config_contract, "GatewayConfig", W, true,
		 "the gateway's GatewayConfig contract"),
	{.path = "host_chains",
	 .type = CONFIG_JSON,
	 FIELD(host_chains_json),
	 .services = W,
	 .required = true,
	 .doc = "List of {url, chain_id, acl_address}: the host chains whose ACLs are asked; each "
		"may "
		"have urls, further endpoints, and quorum, how many of them must agree.",
	 .members = host_chain_members},
	{.path = "kms_core_endpoints",
	 .type = CONFIG_STRINGS,
	 FIELD(kms_core_endpoints),
	 .services = W,
	 .required = true,
	 .doc = "KMS core endpoints; their order is the shard index. https://HOST:PORT needs "
		"[kms_core_tls]; unix:PATH; http://HOST:PORT is plain text."},
	CORE_TLS_FILE("cert", cert, "this connector's certificate, followed by its intermediates"),
	CORE_TLS_FILE("key", key, "its private key, not encrypted and closed to other users"),
	CORE_TLS_FILE("ca", ca, "the authorities that issue the cores' certificates"),
	{.path = "kms_core_tls.server_names",
	 .type = CONFIG_STRINGS,
	 FIELD(kms_core_tls.server_names),
	 .min = 1,
	 .max = TLS_IDENTITIES_MAX,
	 .services = W,
	 .doc = "A core's certificate must name one of these as its subjectAltName; without it, "
		"the host of its endpoint."},
	{.path = "db_fast_event_polling",
	 .type = CONFIG_DURATION,
	 FIELD(db_fast_event_polling_ms),
	 .def = "3s",
	 .min = 10,
	 .max = HOUR,
	 .services = W,
	 .doc = "How often the database is asked for work when nothing has woken the worker."},
	{.path = "events_batch_size",
	 .type = CONFIG_U64,
	 FIELD(events_batch_size),
	 .def = "50",
	 .min = 1,
	 .max = 255,
	 .services = W,
	 .doc = "Operations claimed at once."},
	{.path = "max_decryption_attempts",
	 .type = CONFIG_U64,
	 FIELD(max_decryption_attempts),
	 .def = "20",
	 .min = 1,
	 .max = 65535,
	 .services = W,
	 .doc = "Failures of sources or of the core after which a decryption is given up."},
	{.path = "s3_ciphertext_retrieval_attempts",
	 .type = CONFIG_U64,
	 FIELD(s3_ciphertext_retrieval_attempts),
	 .def = "3",
	 .min = 1,
	 .max = 255,
	 .services = W,
	 .doc = "Rounds over the buckets that should have a ciphertext."},
	{.path = "s3_connect_timeout",
	 .type = CONFIG_DURATION,
	 FIELD(s3_connect_timeout_ms),
	 .def = "3s",
	 .min = 1,
	 .max = HOUR,
	 .services = W,
	 .doc = "Time limit of a connection to a bucket."},
	{.path = "s3_head_timeout",
	 .type = CONFIG_DURATION,
	 FIELD(s3_head_timeout_ms),
	 .def = "5s",
	 .min = 1,
	 .max = HOUR,
	 .services = W,
	 .doc = "Time limit of a HEAD request to a bucket."},
	{.path = "s3_get_timeout",
	 .type = CONFIG_DURATION,
	 FIELD(s3_get_timeout_ms),
	 .def = "20s",
	 .min = 1,
	 .max = HOUR,
	 .services = W,
	 .doc = "Time limit of a GET request to a bucket."},
	{.path = "s3_max_ciphertext_size",
	 .type = CONFIG_U64,
	 FIELD(s3_max_ciphertext_size),
	 .def = "69206016",
	 .min = 1,
	 .max = CIPHERTEXT_SIZE_MAX,
	 .services = W,
	 .doc = "Largest ciphertext that is fetched, in bytes."},
	{.path = "s3_max_concurrent_heads_per_bucket",
	 .type = CONFIG_U64,
	 FIELD(s3_max_concurrent_heads_per_bucket),
	 .def = "64",
	 .min = 1,
	 .max = HTTP_IN_FLIGHT_MAX,
	 .services = W,
	 .doc = "HEAD requests at once, over all buckets."},
	{.path = "s3_max_concurrent_gets",
	 .type = CONFIG_U64,
	 FIELD(s3_max_concurrent_gets),
	 .def = "16",
	 .min = 1,
	 .max = HTTP_IN_FLIGHT_MAX,
	 .services = W,
	 .doc = "GET requests to buckets at once."},
	{.path = "copro_registry_refresh",
	 .type = CONFIG_DURATION,
	 FIELD(copro_registry_refresh_ms),
	 .def = "60s",
	 .min = 100,
	 .max = 24 * HOUR,
	 .services = W,
	 .doc = "Age at which the list of coprocessors is read again."},
	{.path = "host_rpc_max_concurrent_calls",
	 .type = CONFIG_U64,
	 FIELD(host_rpc_max_concurrent_calls),
	 .def = "128",
	 .min = 1,
	 .max = HTTP_IN_FLIGHT_MAX,
	 .services = W,
	 .doc = "JSON-RPC requests at once to one host chain."},
	{.path = "host_rpc_call_timeout",
	 .type = CONFIG_DURATION,
	 FIELD(host_rpc_call_timeout_ms),
	 .def = "10s",
	 .min = 1,
	 .max = HOUR,
	 .services = W,
	 .doc = "Time limit of one JSON-RPC request to a host chain."},
	{.path = "erc1271_gas_limit",
	 .type = CONFIG_U64,
	 FIELD(erc1271_gas_limit),
	 .def = "100000",
	 .min = 1,
	 .max = 1000000000,
	 .services = W,
	 .doc = "Gas for a contract wallet to say whether a user's signature is its own."},
	{.path = "acl_grace",
	 .type = CONFIG_DURATION,
	 FIELD(acl_grace_ms),
	 .def = "10m",
	 .max = 24 * HOUR,
	 .services = W,
	 .doc = "How long after a request an ACL's no may still be a host node that lags behind."},
	{.path = "decryption_expiry",
	 .type = CONFIG_DURATION,
	 FIELD(decryption_expiry_ms),
	 .def = "24h",
	 .min = 1,
	 .max = YEAR,
	 .services = W | S,
	 .doc = "Age at which an unanswered decryption is given up."},
	{.path = "compressed_keys",
	 .type = CONFIG_BOOL,
	 FIELD(compressed_keys),
	 .def = "true",
	 .services = W,
	 .doc = "Ask the core for compressed key sets; false for networks of v0.13 and v0.14, "
		"whose "
		"contracts do not know them."},

	/* ---- sender ---- */
	{.path = "private_key",
	 .type = CONFIG_SECRET32,
	 FIELD_GIVEN(private_key, private_key_given),
	 .services = S,
	 .doc = "Key of the account that sends transactions: 32 bytes in hexadecimal."},
	{.path = "aws_kms_config.key_id",
	 .type = CONFIG_STRING,
	 FIELD(aws_kms.key_id),
	 .max = 2048,
	 .services = S,
	 .doc = "Where no private_key is: the key of that account in AWS KMS, an id, an ARN or "
		"alias/NAME; of spec ECC_SECG_P256K1."},
	{.path = "aws_kms_config.region",
	 .type = CONFIG_STRING,
	 FIELD(aws_kms.region),
	 .max = 63,
	 .services = S,
	 .doc = "Region of AWS KMS; without it that of the ARN, of AWS_REGION, of the profile, of "
		"the machine."},
	{.path = "aws_kms_config.endpoint",
	 .type = CONFIG_STRING,
	 FIELD(aws_kms.endpoint),
	 .max = URL_SIZE_MAX,
	 .services = S,
	 .doc = "URL of AWS KMS; without it AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL, or by the "
		"region."},
	{.path = "responses_batch_size",
	 .type = CONFIG_U64,
	 FIELD(responses_batch_size),
	 .def = "50",
	 .min = 1,
	 .max = 255,
	 .services = S,
	 .doc = "Answers claimed at once."},
	{.path = "gas_multiplier_percent",
	 .type = CONFIG_U64,
	 FIELD(gas_multiplier_percent),
	 .def = "115",
	 .min = 100,
	 .max = 10000,
	 .services = S,
	 .doc = "Gas limit as a percentage of the estimate."},
	{.path = "max_fee_per_gas_gwei",
	 .type = CONFIG_U64,
	 FIELD(max_fee_per_gas_gwei),
	 .def = "500",
	 .min = 1,
	 .max = 1000000000,
	 .services = S,
	 .doc = "Highest fee per gas that is signed, in gwei; above it answers wait."},
	{.path = "gas_limit",
	 .type = CONFIG_U64,
	 FIELD_GIVEN(gas_limit, gas_limit_given),
	 .min = ANSWER_GAS_MIN,
	 .max = TX_GAS_MAX,
	 .services = S,
	 .doc = "Gas limit of every answer; without it the estimate and gas_multiplier_percent."},
	{.path = "tx_replace_after",
	 .type = CONFIG_DURATION,
	 FIELD(tx_replace_after_ms),
	 .def = "60s",
	 .min = 1 * SECOND,
	 .max = 24 * HOUR,
	 .services = S,
	 .doc = "A transaction that is not mined for so long gets a higher fee; every further time "
		"twice as long."},
	{.path = "gateway_tx_required_confirmations",
	 .type = CONFIG_U64,
	 FIELD(gateway_tx_required_confirmations),
	 .def = "1",
	 .min = 1,
	 .max = 10000,
	 .services = S,
	 .doc = "Blocks of the gateway, that of the transaction included, after which an answer "
		"is final."},
	{.path = "ethereum_tx_required_confirmations",
	 .type = CONFIG_U64,
	 FIELD(ethereum_tx_required_confirmations),
	 .def = "64",
	 .min = 1,
	 .max = 10000,
	 .services = S,
	 .doc = "Blocks of the ethereum chain, that of the transaction included, after which an "
		"answer is final."},
	{.path = "skip_answered_public_decryptions",
	 .type = CONFIG_BOOL,
	 FIELD(skip_answered_public_decryptions),
	 .def = "false",
	 .services = S,
	 .doc = "Send no answer to a public decryption that the gateway has enough answers to."},
	{.path = "tx_retry_interval",
	 .type = CONFIG_DURATION,
	 FIELD(tx_retry_interval_ms),
	 .def = "10ms",
	 .min = 1,
	 .max = HOUR,
	 .services = S,
	 .doc = "First back-off step of a transaction that failed."},
};

const struct config_table connector_config = {
	.env_prefix = "KMS_CONNECTOR_",
	.rows = rows,
	.rows_n = ARRAY_LEN(rows),
};

/* ---- the whole ---- */

static enum err check_key_management(struct connector_config *c, struct err_note *note)
{
	const char *where = c->key_management_chain;

	if (!where)
		where = c->ethereum_url ? "ethereum" : "gateway";
	c->kms_generation_on_gateway = strcmp(where, "gateway") == 0;
	if (!c->kms_generation_on_gateway && strcmp(where, "ethereum") != 0)
		return err_say(note, ERR_CONFIG_VALUE,
			       "key_management_chain: expected ethereum or gateway");
	bool ethereum = c->protocol_config_given ||
			(c->kms_generation_given && !c->kms_generation_on_gateway);
	if (ethereum && (!c->ethereum_url || c->ethereum_chain_id == 0))
		return err_say(note, ERR_CONFIG_VALUE,
			       "%s needs ethereum_url and ethereum_chain_id",
			       c->protocol_config_given ? "protocol_config_contract"
							: "kms_generation_contract");
	if (ethereum && c->ethereum_chain_id == c->gateway_chain_id)
		return err_say(note, ERR_CONFIG_VALUE,
			       "ethereum_chain_id: it is the gateway's, too");
	return ERR_OK;
}

static enum err check_aws(const struct aws_kms_config *k, const char **ret_path,
			  struct err_note *note)
{
	bool region = k->region && k->region[0];
	struct bytes arn;

	*ret_path = "aws_kms_config.region";
	if (region && !aws_region_sound(k->region))
		return err_say(note, ERR_CONFIG_VALUE, "no region of AWS");
	if (region && signer_aws_arn_region(&arn, k->key_id) &&
	    !bytes_eq_var(arn, bytes_str(k->region)))
		return err_say(note, ERR_CONFIG_VALUE, "the ARN of key_id is of another region");
	*ret_path = "aws_kms_config.endpoint";
	if (k->endpoint && k->endpoint[0] &&
	    (!config_is_rpc_url(k->endpoint) || strncmp(k->endpoint, "http", 4) != 0))
		return err_say(note, ERR_CONFIG_VALUE, "expected an http or https URL");
	return ERR_OK;
}

/* At least one; the raw key counts before the other. */
static enum err check_signer(const struct connector_config *c, const struct config_source *src,
			     struct err_note *note)
{
	const struct aws_kms_config *k = &c->aws_kms;
	const char *path;
	enum err e;

	if (c->private_key_given)
		return ERR_OK;
	if (!k->key_id || !k->key_id[0])
		return err_say(note, ERR_CONFIG_VALUE,
			       "private_key: the sender needs one (KMS_CONNECTOR_PRIVATE_KEY, or "
			       "…_PRIVATE_KEY_FILE), or aws_kms_config.key_id");
	e = check_aws(k, &path, note);
	return e == ERR_OK ? e : config_prefix(note, e, &connector_config, src, path);
}

static enum err check_services(struct connector_config *c, unsigned services,
			       const struct config_source *src, struct arena *arena,
			       struct err_note *note)
{
	if ((services & SERVICE_WORKER) != 0) {
		TRY(config_host_chains_read(c, arena, note));
		if (c->kms_core_endpoints.n == 0)
			return err_say(note, ERR_CONFIG_VALUE,
				       "kms_core_endpoints: expected at least one endpoint");
		TRY(cores_check_keys(c, src, note));
	}
	TRY(check_key_management(c, note));
	if ((services & SERVICE_SENDER) != 0)
		return check_signer(c, src, note);
	return ERR_OK;
}

enum err connector_config_load(struct connector_config *ret_config, unsigned services,
			       const struct config_source *src, struct arena *arena,
			       struct err_note *note)
{
	struct connector_config c = {0};
	enum err e = config_load(&connector_config, services, src, &c, arena, note);

	if (e == ERR_OK)
		e = config_chains_check(&c, services, src, note);
	if (e == ERR_OK)
		e = check_services(&c, services, src, arena, note);
	if (e == ERR_OK)
		*ret_config = c;
	else
		connector_config_free(&c);
	secret32_wipe(&c.private_key);
	return e;
}

void connector_config_free(struct connector_config *c)
{
	if (!c)
		return;
	secret32_wipe(&c->private_key);
	secret_free(&c->database_url);
	if (c->host_chains_json)
		json_decref(c->host_chains_json);
	*c = (struct connector_config){0};
}
