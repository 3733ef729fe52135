/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Every named limit of the project. A limit that can be configured has its default here and its row
 * in the configuration table. Sizes in bytes, times in ms.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* X(NAME, value, "what it bounds") */
#define LIMITS(X)                                                                                  \
	X(SECRET_SIZE_MAX, 64 << 20, "one secret allocation")                                      \
	X(CONFIG_FILE_SIZE_MAX, 1 << 20, "a configuration file")                                   \
	X(CONFIG_SECRET_FILE_SIZE_MAX, 64 << 10,                                                   \
	  "a file that holds one secret of a configuration")                                       \
	X(TOML_DOTS_MAX, 4096, "dots in a TOML text: bounds the depth of dotted keys")             \
	X(JSON_DEPTH_MAX, 64, "nesting of parsed JSON and TOML")                                   \
	X(JSON_VALUES_MAX, 1 << 20, "brackets and commas of one JSON text: bounds its values")     \
	X(LOG_LINE_MAX, 8192, "one log line")                                                      \
	X(LOG_VALUE_MAX, 1024, "text of one value in a log line")                                  \
	X(LOG_HEX_MAX, 64, "bytes shown of a hexadecimal value in a log line")                     \
	X(LOG_BURST, 100, "lines of one log event in a second")                                    \
	X(JSON_RPC_BODY_MAX, 32 << 20, "one JSON-RPC reply")                                       \
	X(JSON_RPC_REQUEST_MAX, 4 << 20, "one JSON-RPC request")                                   \
	X(HTTP_HEADER_BYTES_MAX, 64 << 10, "all headers of an HTTP reply")                         \
	X(HTTP_IN_FLIGHT_MAX, 256, "outgoing HTTP requests at once")                               \
	X(HTTP_PER_HOST_MAX, 16, "connections to one host")                                        \
	X(AWS_BODY_MAX, 64 << 10, "a reply of an AWS service")                                     \
	X(AWS_FILE_SIZE_MAX, 1 << 20, "a credentials, configuration or token file of AWS")         \
	X(AWS_TOKEN_SIZE_MAX, 16 << 10, "a session token or identity token of AWS")                \
	X(AWS_TIMEOUT_MS, 5000, "one request to an AWS service")                                   \
	X(AWS_METADATA_TIMEOUT_MS, 2000, "one request to the metadata service of a machine")       \
	X(AWS_KMS_IN_FLIGHT_MAX, 8, "signatures asked of AWS KMS at once")                         \
	X(AWS_KMS_WAITING_MAX, 1024, "signatures waiting for AWS KMS")                             \
	X(AWS_KMS_SIGN_MS, 60000, "how long AWS KMS is asked for one signature")                   \
	X(AWS_KMS_OPEN_MS, 60000, "how long it is asked for its public key at the start")          \
	X(MONITORING_BODY_MAX, 4 << 10, "request body on the monitoring port")                     \
	X(MONITORING_CONNECTIONS_MAX, 64, "connections on the monitoring port")                    \
	X(MONITORING_REQUEST_TIMEOUT_MS, 5000, "from accept to a whole first request there")       \
	X(MONITORING_ANSWER_TIMEOUT_MS, 30000, "from an answer there to the next whole request")   \
	X(GRPC_MESSAGE_MAX, 100 << 20, "one gRPC message (upstream's grpc_max_message_size)")      \
	X(GRPC_CONNECTIONS_MAX, 256, "connections to a gRPC server")                               \
	X(GRPC_STREAMS_MAX, 256, "calls at once on a gRPC connection")                             \
	X(GRPC_IN_FLIGHT_BYTES_MAX, 256 << 20, "bytes of calls held by a gRPC server")             \
	X(GRPC_HEADER_BYTES_MAX, 16 << 10, "header bytes of one gRPC call")                        \
	X(GRPC_HANDSHAKE_TIMEOUT_MS, 10000, "from accept to the HTTP/2 preface")                   \
	X(GRPC_IDLE_TIMEOUT_MS, 1800000, "an idle server connection")                              \
	X(GRPC_BODY_TIMEOUT_MS, 30000, "a request or reply of which nothing moves")                \
	X(GRPC_BODY_RATE_MIN, 16 << 10, "bytes a second: the slowest request")                     \
	X(GRPC_KEEPALIVE_MS, 30000, "silence before a PING asks whether the peer lives")           \
	X(GRPC_KEEPALIVE_TIMEOUT_MS, 10000, "from that PING to the end of the connection")         \
	X(GRPC_PEER_CONNECTIONS_MAX, 64, "connections of one peer to a gRPC server")               \
	X(GRPC_PEER_CALLS_MAX, 1024, "calls at once of one peer of a gRPC server")                 \
	X(GRPC_PEER_IN_FLIGHT_BYTES_MAX, 128 << 20, "bytes held by a gRPC server for one peer")    \
	X(TLS_FILE_SIZE_MAX, 1 << 20, "a file of certificates, or a key")                          \
	X(TLS_IDENTITIES_MAX, 256, "names accepted by one TLS configuration")                      \
	X(PROTOBUF_FIELDS_MAX, 16384, "fields of one protocol buffers message, all levels")        \
	X(PROTOBUF_DEPTH_MAX, 16, "nesting of a protocol buffers message")                         \
	X(TRACE_QUEUE_MAX, 2048, "finished spans that wait for the collector of traces")           \
	X(TRACE_BATCH_MAX, 256, "spans in one request to it")                                      \
	X(STORE_QUEUE_MAX, 4096, "batches waiting for the store thread")                           \
	X(STORE_BATCH_STATEMENTS_MAX, 2048, "statements in one batch")                             \
	X(STORE_RESULT_BYTES_MAX, 256 << 20, "rows returned by one batch")                         \
	X(POOL_QUEUE_MAX, 1024, "jobs waiting for the compute pool")                               \
	X(PROVIDER_ENDPOINTS_MAX, 8, "RPC endpoints of one chain")                                 \
	X(WS_CONNECTIONS_MAX, 32, "WebSocket connections of JSON-RPC")                             \
	X(RPC_LAG_BLOCKS_MAX, 16, "blocks behind the others: an endpoint is not asked")            \
	X(RPC_AHEAD_BLOCKS_MAX, 1024, "blocks ahead of the others: nor is such a one")             \
	X(RPC_BREAKER_FAILURES, 5, "failures in a row until an RPC endpoint is left alone")        \
	X(RPC_BREAKER_OPEN_MS, 1000, "how long it is left alone at first; it doubles")             \
	X(RPC_BREAKER_OPEN_MAX_MS, 8000, "and at most")                                            \
	X(ABI_BYTES_MAX, 1 << 20, "one dynamic ABI value")                                         \
	X(ABI_ARRAY_MAX, 4096, "elements of one ABI array")                                        \
	X(ABI_DEPTH_MAX, 8, "nesting of an ABI type")                                              \
	X(LOGS_PER_WINDOW_MAX, 20000, "logs accepted in one eth_getLogs reply")                    \
	X(HANDLES_PER_REQUEST_MAX, 1024,                                                           \
	  "handles in one decryption request: 2048 bits of booleans at 2")                         \
	X(USER_CONTRACTS_MAX, 64, "contracts that one user decryption is limited to")              \
	X(CIPHERTEXT_SIZE_MAX, 69206016, "one ciphertext object: 66 MiB, upstream's ceiling")      \
	X(WORKER_CIPHERTEXT_BYTES_MAX, 256 << 20,                                                  \
	  "memory of all ciphertexts in the connector's worker")                                   \
	X(WORKER_CIPHERTEXT_BYTES_SMALL, 24 << 20,                                                 \
	  "of it, what requests with ciphertexts up to 1.5 MiB have together")                     \
	X(COMPACT_LIST_ITEMS_MAX, 4096, "values in one CompactCiphertextList")                     \
	X(RADIX_BLOCKS_MAX, 1024, "2-bit blocks of one value")                                     \
	X(CLIENT_KEY_SIZE_MAX, 1 << 20, "a serialised ClientKey")                                  \
	X(FHE_KEY_SET_SIZE_MAX, 1 << 30, "a serialised key set or server key")                     \
	X(FHE_CRS_BITS_MAX, 4096, "bits of a list that a CRS is made for")                         \
	X(FHE_CRS_SIZE_MAX, 16 << 20, "a serialised CompactPkeCrs")                                \
	X(FHE_TAG_SIZE_MAX, 256, "the tag of a TFHE object")                                       \
	X(FHE_METADATA_SIZE_MAX, 4096, "re-randomisation metadata of a TFHE ciphertext")           \
	X(FHE_PROVEN_PARTS_MAX, 64, "compact lists, each with its proof, in one proven list")      \
	X(FHE_SQUASHED_GLWE_MAX, 8, "GLWE ciphertexts in one ct128; a 2048-bit value needs 4")     \
	X(FHE_KEY_DIGESTS_MAX, 16, "public objects that belong to one key")                        \
	X(FHE_KEY_EXTRA_SIZE_MAX, 4096, "extra data stored with a key")                            \
	X(FHE_KEY_SIGNATURE_SIZE_MAX, 128, "the external signature stored with a key")             \
	X(TX_GAS_MAX, 10000000, "gas of one transaction that we sign")                             \
	X(COPROCESSORS_MAX, 64, "registered coprocessors")                                         \
	X(HOST_CHAINS_MAX, 64, "configured host chains")                                           \
	X(VAULT_OBJECT_SIZE_MAX, 4 << 20, "one object of the vault")                               \
	X(VAULT_ENTRIES_MAX, 4096, "entries of one folder of the vault")                           \
	X(VAULT_KEYS_MAX, 256, "FHE keys held by a node")                                          \
	X(CORE_DOMAIN_TEXT_MAX, 256, "name or version of an EIP-712 domain")                       \
	X(CORE_EXTRA_DATA_MAX, 4096, "extra_data of one request")                                  \
	X(CORE_RUNNING_BYTES_MAX, 256 << 20, "request bytes being computed on")                    \
	X(CORE_PENDING_BYTES_MAX, 1 << 30, "request bytes accepted and not answered yet")          \
	X(CORE_KEY_REQUESTS_MAX, 4096,                                                             \
	  "key generations, and preprocessings, that a node remembers")                            \
	X(CORE_EPOCHS_MAX, 64, "epochs of all committees")                                         \
	X(CORE_SESSIONS_MAX, 2048, "ciphertexts being opened with other nodes")                    \
	X(CORE_WAITERS_MAX, 4096, "calls waiting for a result")                                    \
	X(CORE_STATUS_IDS_MAX, 1000, "ids of one GetRequestStatuses")                              \
	X(CORE_LIST_PAGE_MAX, 1000, "requests on one page of ListRequests")                        \
	X(CORE_LOOKS_MAX, 16, "calls at once that look into the vaults, or ask the peers")         \
	X(CORE_PROBE_TIMEOUT_MS, 5000, "asking a peer whether it is there")                        \
	X(CORE_BENCH_TIMEOUT_MS, 60000, "one payload of a bandwidth benchmark")                    \
	X(CORE_BENCH_BYTES_MAX, 512 << 20, "its payloads to all peers on their way at once")       \
	X(CORE_POLL_WAIT_MS, 60000, "how long a call waits for a result")                          \
	X(PEER_ANSWER_MAX, 256, "what a peer is answered when it asks something")                  \
	X(PEER_CONTEXTS_MAX, 16, "MPC contexts that a node knows")                                 \
	X(PEER_RUNS_MAX, 4096, "protocols that run with peers at once")                            \
	X(PEER_MESSAGE_MAX, 64 << 20, "one message of a peer")                                     \
	X(PEER_IN_FLIGHT_BYTES_MAX, 96 << 20, "bytes of messages of one peer being taken in")      \
	X(PEER_PARKED_SESSIONS_MAX, 2000, "sessions not begun here that a peer has messages for")  \
	X(PEER_PARKED_BYTES_MAX, 64 << 20, "bytes that a peer makes us keep for later")            \
	X(PEER_PARKED_MS, 900000, "how long they are kept for a session that does not begin")      \
	X(PEER_COMPLETED_MAX, 65536, "sessions that are known to be over")                         \
	X(PEER_COMPLETED_MS, 86400000, "how long they are")                                        \
	X(PEER_LINGER_MS, 3600000, "how long words are kept after their session's end")            \
	X(PEER_SYNC_LINGER_MS, 60000, "and where each round had its time")                         \
	X(PEER_QUIET_MS, 5000, "after the last session's end memory is given back")                \
	X(PEER_QUEUE_BYTES_MAX, 128 << 20, "bytes that wait for a peer")                           \
	X(PEER_SPARE_BYTES_MAX, 8 << 20, "of messages that it has, or of sessions that are over")  \
	X(PEER_FLYING_MAX, 64, "messages on their way to a peer at once")                          \
	X(PEER_FLYING_BYTES_MAX, 16 << 20, "and their bytes, if it is more than one")              \
	X(PEER_RETRY_FIRST_MS, 100, "after the first failure to reach a peer; it doubles")         \
	X(PEER_RETRY_CAP_MS, 5000, "and at most")                                                  \
	X(PEER_CALL_MS, 30000, "one try of one message to a peer")                                 \
	X(PEER_KEEPALIVE_MS, 5000,                                                                 \
	  "silence before a peer that owes an answer is asked; and for that")                      \
	X(HEALTH_SENDING_MAX_MS, 120000, "one answer on its way to the gateway, in good health")   \
	X(HEALTH_UNTAKEN_MAX_MS, 300000, "due work that nobody takes up, in good health")          \
	X(HEALTH_HEAD_BEHIND_MAX, 32, "blocks of the gateway's head behind what has been read")    \
	X(EPOCH_MATERIALS_MAX, 256, "keys, or CRSs, that a new epoch takes over")                  \
	X(URL_SIZE_MAX, 2048, "one URL")                                                           \
	X(REASON_SIZE_MAX, 512, "a recorded reason")

enum limit {
#define LIMIT_ENUM(name, value, what) name = value,
	LIMITS(LIMIT_ENUM)
#undef LIMIT_ENUM
};

struct limit_row {
	const char *name;
	long long value;
	const char *what;
};

/* All rows, for the start-up log and metrics; ends with a NULL name. */
extern const struct limit_row limit_rows[];

#endif
