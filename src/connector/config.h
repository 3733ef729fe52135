/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The connector's configuration: one struct for all three services, filled from one table of rows
 * (connector_config). Key names, variables (KMS_CONNECTOR_…) and defaults are upstream's, so that
 * an operator changes the binary and not the configuration.
 */
#ifndef CONNECTOR_CONFIG_H
#define CONNECTOR_CONFIG_H

#include "base/arena.h"
#include "base/config.h"

enum connector_service {
	SERVICE_LISTENER = 1 << 0,
	SERVICE_WORKER = 1 << 1,
	SERVICE_SENDER = 1 << 2,
	SERVICE_ALL = 7,
};

struct contract_config {
	struct address address;
	const char *domain_name;
	const char *domain_version;
};

struct host_chain_config {
	const char *url;
	struct chain_id chain_id;
	struct address acl;
	const char **urls; /* further endpoints */
	size_t urls_n;
	uint64_t quorum; /* endpoints that must agree; 0 and 1: one is enough */
};

/* When a block of a chain counts. */
enum finality {
	FINALITY_LATEST,
	FINALITY_SAFE,
	FINALITY_FINALIZED,
	FINALITY_BLOCKS,             /* so many later ones */
	FINALITY_ARBITRUM_L1,        /* its batch is posted to the parent chain */
	FINALITY_ARBITRUM_CONFIRMED, /* the rollup contract has confirmed it there */
};
struct chain_finality {
	enum finality kind;
	uint64_t blocks;
};
/* "latest", "safe", "finalized", "arbitrum-l1", "arbitrum-l1-confirmed" or a number of blocks.
 * ERR_CONFIG_VALUE. */
enum err chain_finality_parse(struct chain_finality *ret_finality, const char *text) MUST_USE;

/* The transaction key in AWS KMS; empty and NULL are the same. */
struct aws_kms_config {
	char *key_id, *region, *endpoint;
};

/* Mutual TLS with the cores whose endpoints are https. */
struct core_tls_config {
	char *cert, *key, *ca; /* paths of PEM files; NULL: none */
	struct config_strings server_names;
};

struct connector_config {
	/* all services */
	struct secret database_url; /* a text and a NUL; empty: connector_database_url decides */
	const char *gateway_url;
	struct config_strings gateway_urls; /* further endpoints */
	uint64_t gateway_quorum;
	uint64_t gateway_chain_id;
	const char *ethereum_url;
	struct config_strings ethereum_urls;
	uint64_t ethereum_quorum;
	uint64_t ethereum_chain_id;
	struct contract_config decryption_contract;
	struct contract_config protocol_config_contract; /* on the ethereum chain */
	bool protocol_config_given;
	struct contract_config kms_generation_contract;
	bool kms_generation_given;
	bool kms_generation_on_gateway; /* of key_management_chain */
	const char *key_management_chain;
	int64_t key_management_expiry_ms;
	const char *monitoring_endpoint;
	int64_t healthcheck_timeout_ms;
	uint64_t task_limit;
	int64_t shutdown_grace_ms;
	const char *service_name, *otlp_endpoint; /* of traces; NULL: none given */
	uint64_t otlp_sampling_percent;
	bool otlp_sampling_percent_given;
	int64_t operation_recovery_run_interval_ms; /* housekeeping */
	int64_t gc_age_ms, audit_age_ms;            /* 0: for ever */
	uint64_t gc_rows_max;
	const char *log_level, *log_format;

	/* listener */
	uint64_t channel_size; /* 0: no bound */
	uint64_t max_consecutive_polling_errors;
	int64_t decryption_polling_ms;
	const char *gateway_parent_url; /* of arbitrum-l1-confirmed */
	uint64_t gateway_parent_chain_id;
	struct address gateway_parent_rollup;
	bool gateway_parent_rollup_given;
	const char *gateway_finality;        /* as configured ... */
	struct chain_finality gateway_final; /* ... and read */
	const char *ethereum_finality;
	struct chain_finality ethereum_final;
	uint64_t get_logs_batch_size;
	uint64_t decryption_from_block_number;
	bool decryption_from_block_number_given;
	int64_t key_management_polling_ms;
	uint64_t kms_operation_from_block_number;
	bool kms_operation_from_block_number_given;

	/* worker */
	struct contract_config gateway_config_contract;
	struct host_chain_config *host_chains; /* in the arena */
	size_t host_chains_n;
	json_t *host_chains_json; /* as configured; decoded into the above */
	struct config_strings kms_core_endpoints;
	struct core_tls_config kms_core_tls;
	int64_t db_fast_event_polling_ms; /* backup of the notifications */
	uint64_t events_batch_size;
	uint64_t max_decryption_attempts;
	uint64_t s3_ciphertext_retrieval_attempts;
	int64_t s3_connect_timeout_ms, s3_head_timeout_ms, s3_get_timeout_ms;
	uint64_t s3_max_ciphertext_size;
	uint64_t s3_max_concurrent_heads_per_bucket, s3_max_concurrent_gets;
	int64_t copro_registry_refresh_ms;
	uint64_t host_rpc_max_concurrent_calls;
	int64_t host_rpc_call_timeout_ms;
	uint64_t erc1271_gas_limit;
	int64_t acl_grace_ms; /* ours: how long an ACL "no" may be a lagging node */
	int64_t decryption_expiry_ms;
	bool compressed_keys;
	bool first_generation;       /* the form of the configuration */
	const char *s3_fallback_url; /* made of s3_config; NULL: none */
	struct s3_config {
		const char *region, *bucket, *endpoint;
	} s3;
	struct config_strings s3_signed_buckets; /* URLs */
	const char *s3_signing_region;           /* NULL and empty are the same */
	uint64_t ciphertext_cache_size;
	bool kms_core_sync;
	bool verify_coprocessors;
	uint64_t grpc_request_retries;
	int64_t public_decryption_timeout_ms, user_decryption_timeout_ms; /* 0: as built in */
	int64_t retry_interval_ms;
	int64_t db_long_event_polling_ms;
	int64_t operation_under_process_timeout_ms;

	/* sender */
	struct secret32 private_key;
	bool private_key_given;
	struct aws_kms_config aws_kms; /* counts where no private_key is given */
	uint64_t responses_batch_size;
	uint64_t gas_multiplier_percent;
	uint64_t max_fee_per_gas_gwei; /* ours: more is a gateway that lies */
	uint64_t gas_limit;
	bool gas_limit_given;
	int64_t tx_replace_after_ms;
	uint64_t gateway_tx_required_confirmations; /* 1: in a block */
	uint64_t ethereum_tx_required_confirmations;
	bool skip_answered_public_decryptions;
	int64_t tx_retry_interval_ms;
	int64_t database_polling_timeout_ms;

	/* What is read, checked and used nowhere: the rows say why. */
	struct config_moot {
		uint64_t database_pool_size, tx_retries;
		bool trace_reverted_tx;
		int64_t receipt_timeout_ms, gauge_update_interval_ms;
	} moot;
};

extern const struct config_table connector_config;

/*
 * Table, then what a table cannot say: host chains decoded and unique, at least one signer, an
 * ethereum_url where a ProtocolConfig is named, certificates for https endpoints of cores. No file
 * is looked at. `ret_config` is written only on success, and then
 * connector_config_free is due. Notes as config_load.
 */
enum err connector_config_load(struct connector_config *ret_config, unsigned services,
			       const struct config_source *src, struct arena *arena,
			       struct err_note *note) MUST_USE;
/*
 * Told what an operator should know of a configuration that is sound: keys under an older name,
 * keys without effect, and defaults of the first generation that hold.
 */
typedef void connector_config_fn(void *ctx, const char *text);
enum err connector_config_remarks(unsigned services, const struct config_source *src,
				  connector_config_fn *fn, void *ctx) MUST_USE;

void connector_config_free(struct connector_config *c); /* wipes the secrets */

#endif
