/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What goes wrong. Each row: name, in how many of 100 runs it is on, its shape (USE: so often in
 * 10 000 opportunities; EVERY: once in so many seconds, on the average; WORLD: nothing goes wrong,
 * the world is another one), what happens.
 *
 * The second table draws from a stream of random numbers of its own: without its rows (`--plain`)
 * a seed does what it did before there were any.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#define FAULTS(X)                                                                                  \
	X(RPC_REFUSED, 30, USE, 200, "an RPC endpoint refuses the connection")                     \
	X(RPC_TIMEOUT, 30, USE, 100, "a request to an RPC endpoint is lost")                       \
	X(RPC_REPLY_LOST, 30, USE, 100, "the reply of an RPC endpoint is lost")                    \
	X(RPC_500, 30, USE, 200, "HTTP 500 and 503")                                               \
	X(RPC_429, 30, USE, 300, "HTTP 429")                                                       \
	X(RPC_SLOW, 30, USE, 200, "replies take seconds")                                          \
	X(RPC_GARBAGE, 20, USE, 100, "replies that are cut, or no JSON")                           \
	X(ENDPOINT_DOWN, 30, EVERY, 600, "one endpoint of a chain is down for minutes")            \
	X(ENDPOINT_LAGS, 40, EVERY, 300, "one endpoint is blocks behind for minutes")              \
	X(ENDPOINT_LIES, 15, EVERY, 400, "one of three endpoints lies; two must agree")            \
	X(REORG_GATEWAY, 40, EVERY, 400, "the gateway is re-organised by 1 to 64 blocks")          \
	X(REORG_HOST, 30, EVERY, 500, "the same of the host chain")                                \
	X(REORG_DROPS, 30, USE, 2500, "a request is not on the new branch")                        \
	X(REORG_REUSES, 20, USE, 5000, "its id is there, for another content")                     \
	X(CHAIN_STALLS, 20, EVERY, 900, "no blocks for minutes")                                   \
	X(LOG_TWICE, 50, USE, 5000, "a request is emitted in both generations of its event")       \
	X(LOG_UNDECODABLE, 30, EVERY, 300, "a log that is no event")                               \
	X(TX_EVICTED, 30, EVERY, 300, "a waiting transaction leaves the pool: a gap")              \
	X(TX_REFUSED, 20, USE, 1000, "a node does not take a transaction")                         \
	X(TX_FOREIGN, 15, EVERY, 900, "a nonce is used by a transaction of somebody else")         \
	X(FEE_SPIKE, 30, EVERY, 600, "fees are above what was signed: underpriced, replaced")      \
	X(RECEIPT_LOST, 30, USE, 1500, "a node does not have the receipt")                         \
	X(TX_REVERTED, 20, EVERY, 900, "the contract is paused: reverts")                          \
	X(OUT_OF_GAS, 15, EVERY, 900, "a transaction needs more gas than was estimated")           \
	X(NO_FUNDS, 20, EVERY, 900, "the account cannot pay")                                      \
	X(SIGNER_DOWN, 25, EVERY, 400, "the signer fails for minutes")                             \
	X(SIGNER_SLOW, 25, USE, 1000, "a signature takes seconds")                                 \
	X(BUCKET_MISSING, 30, USE, 3000, "an object comes late to its bucket")                     \
	X(BUCKET_CORRUPT, 30, USE, 2000, "a bucket has other bytes")                               \
	X(BUCKET_HUGE, 20, USE, 1000, "a bucket says an absurd size")                              \
	X(BUCKET_FAILS, 30, USE, 800, "a bucket answers 500, 503, or not at all")                  \
	X(BUCKET_SLOW, 30, USE, 500, "a bucket takes seconds")                                     \
	X(CORE_DOWN, 30, EVERY, 400, "the core is down for a while")                               \
	X(CORE_FORGETS, 30, EVERY, 400, "the core restarts and has forgotten")                     \
	X(CORE_SLOW, 40, USE, 3000, "a decryption takes up to minutes")                            \
	X(CORE_FAILS, 25, USE, 800, "the core answers with an error")                              \
	X(CORE_LIES, 20, USE, 500, "the core's answer has a wrong signature or handle")            \
	X(ACL_LATE, 40, USE, 2000, "the permission comes blocks after the request")                \
	X(KILL, 60, EVERY, 240, "SIGKILL")                                                         \
	X(KILL_AT_WRITE, 50, EVERY, 200, "SIGKILL in the middle of the k-th change of the disk")   \
	X(POWER_CUT, 30, EVERY, 500, "a power cut: unsynced sectors are lost or torn")             \
	X(DISK_FULL, 20, EVERY, 600, "the disk is full for a while")                               \
	X(SYNC_FAILS, 15, USE, 100, "fsync fails")                                                 \
	X(DISK_SLOW, 30, USE, 300, "the disk takes seconds")                                       \
	X(PAUSE, 30, EVERY, 400, "the process is paused: SIGSTOP")                                 \
	X(CLOCK_JUMP, 30, EVERY, 400, "the wall clock jumps by minutes")                           \
	X(RESTORE, 10, EVERY, 1200, "the database of some time ago is restored")                   \
	X(TWO, 25, USE, 10000, "two instances on one database, with one key")                      \
	X(COMMIT_UNSURE, 30, USE, 100, "of two: a commit that may have happened")

#define FAULTS_MORE(X)                                                                             \
	X(USERS, 50, WORLD, 0, "users ask, too: directly, by delegation, in the unified form")     \
	X(KEYS, 35, WORLD, 0, "keys, CRSs, contexts and epochs of the host chain")                 \
	X(KEYS_GATEWAY, 15, WORLD, 0, "keys and CRSs of the gateway, as up to v0.12")              \
	X(AWS_SIGNER, 40, WORLD, 0, "the account's key is in AWS KMS")                             \
	X(WAKES, 40, WORLD, 0, "new blocks wake the listeners, as over a WebSocket")               \
	X(CONTEXT_SWITCH, 35, EVERY, 400, "another KMS context becomes current in mid-request")    \
	X(LOG_AGAIN, 30, USE, 1000, "a node gives a log twice")                                    \
	X(SIGNER_LIES, 40, USE, 800, "AWS KMS answers errors, rubbish, another key's signature")

enum fault_name {
#define FAULT_ENUM(name, percent, shape, rate, what) FAULT_##name,
	FAULTS(FAULT_ENUM)
	FAULTS_MORE(FAULT_ENUM)
#undef FAULT_ENUM
		FAULTS_N,
	FAULTS_MORE_FIRST = FAULT_USERS
};

enum fault_shape {
	FAULT_USE,
	FAULT_EVERY,
	FAULT_WORLD
};

struct faults {
	bool on[FAULTS_N];
	uint64_t hits[FAULTS_N];
	struct fault_timer {
		struct sim *sim;
		enum fault_name name;
	} timers[FAULTS_N];
	int64_t disk_full_until_ms;
};

const char *fault_word(enum fault_name name); /* "rpc-refused" */

#endif
