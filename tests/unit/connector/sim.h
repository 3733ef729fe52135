/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A world for the connector, in one thread under one clock that moves only when nothing else is
 * left to do:
 *
 *   - sim: manual clock, seeded randomness, the loop; real SQLite in a temporary file
 *   - sim_net: the transport; routes by URL prefix to servers of this world
 *   - sim_chain: a server, a chain behind JSON-RPC with branches, logs and scripted calls
 *   - sim_bucket: a server, an object store
 *   - sim_core: a channel, a KMS core that remembers, forgets, lies and signs
 *
 * The store thread is real, but the clock waits for it: a run with the same seed is the same run.
 */
#ifndef TEST_CONNECTOR_SIM_H
#define TEST_CONNECTOR_SIM_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "connector/service.h"

/* ---- clock, loop, store ---- */

struct sim;

struct sim_post {
	struct sim_post *next;
	void (*fn)(void *ctx);
	void *ctx;
};

/* The store as services see it: the real one behind a count of what is outstanding, and a switch to
 * fail. */
struct sim_store {
	struct store base;
	struct sim *sim;
	struct store *real;
	size_t outstanding;
	enum err fail_next; /* the next submit's done gets this; nothing is stored */
	unsigned unsure_in; /* the done of that many submits later gets ERR_TRANSIENT, and all is
			       stored */
	unsigned submits;
	struct sim_topic {
		char name[32];
		void (*fn)(void *ctx);
		void *ctx;
	} topics[4];
};

struct sim {
	struct clock clock;
	struct timer *timers; /* armed, soonest first; equal times in order of arming */
	int64_t now_ms;
	struct rng_seeded rng;
	pthread_mutex_t lock; /* posts: the store thread brings them */
	pthread_cond_t arrived;
	struct sim_post *first, *last;
	struct sim_store store;
	char path[64];   /* of the database */
	const char *url; /* or another one, from the next sim_store_reopen on */
};

/* The wall clock reads 2023-11-14 when the world begins. */
#define SIM_WALL_OFFSET_MS (INT64_C(1700000000) * 1000 - SIM_START_MS)
enum {
	SIM_START_MS = 1000000
};

void sim_init(struct sim *s, uint64_t seed);
void sim_free(struct sim *s);

/* Let `ms` of the world's time pass, with everything that happens in it. */
void sim_run(struct sim *s, int64_t ms);

/* Until cond(ctx), at most `ms`; says whether it came. */
bool sim_run_until(struct sim *s, bool (*cond)(void *ctx), void *ctx, int64_t ms);

/* Close the database and open it again, as a restart does. */
void sim_store_reopen(struct sim *s);

/* Calls fn(ctx) after delay_ms. A handle to cancel it with, or ignore. */
struct sim_event;
struct sim_event *sim_after(struct sim *s, int64_t delay_ms, void (*fn)(void *ctx), void *ctx);
void sim_cancel(struct sim_event *e);

/* First cell of the first row; 0 or "" when there is none. The text is good until the next call. */
int64_t sim_sql_int(struct sim *s, const char *sql);
const char *sim_sql_text(struct sim *s, const char *sql);

/* ---- transport ---- */

struct sim_reply {
	enum err err;
	int status;
	struct buf body;
	struct http_header headers[4]; /* values must live until the reply is delivered */
	size_t headers_n;
	int64_t delay_ms;
};
typedef void sim_serve_fn(void *server, const struct http_request *req, struct sim_reply *ret);

struct sim_net {
	struct transport base;
	struct sim *sim;
	struct sim_route {
		const char *prefix;
		sim_serve_fn *serve;
		void *server;
	} routes[8];
	size_t routes_n;
	struct sim_exchange *exchanges;
	uint64_t next_id;
	unsigned requests;
};
void sim_net_init(struct sim_net *n, struct sim *s);
void sim_net_route(struct sim_net *n, const char *prefix, sim_serve_fn *serve, void *server);

/* ---- chain ---- */

struct sim_log {
	struct address address;
	struct hash32 topics[4];
	unsigned topics_n;
	struct bytes data; /* the test's */
	uint64_t block;
	unsigned branch; /* which branch's block holds it */
	bool hidden;     /* a replica that has not seen it */
};

enum {
	SIM_BLOCKS_MAX = 4096,
	SIM_LOGS_MAX = 4096
};

struct sim_chain {
	struct sim *sim;
	const char *url;
	uint64_t chain_id;
	uint64_t head, safe, finalized;
	unsigned
		branch_of[SIM_BLOCKS_MAX]; /* branch that block n of the current chain belongs to */
	uint64_t time_s[SIM_BLOCKS_MAX];
	unsigned branches;
	struct sim_log logs[SIM_LOGS_MAX];
	size_t logs_n;

	/* eth_getTransactionByHash; hidden: a node that has not seen it */
	struct sim_tx {
		struct hash32 hash;
		struct address to;
		struct bytes input; /* the test's */
		bool creates, hidden;
	} txs[8];
	size_t txs_n;
	unsigned get_txs;

	/* eth_call: fill `result`, or return false for a revert */
	bool (*call)(void *ctx, struct address to, struct bytes data, uint64_t block,
		     struct buf *result);
	void *call_ctx;

	/* faults */
	enum err down;            /* every request ends so */
	uint64_t logs_blocks_max; /* wider eth_getLogs are answered by an error; 0 = any */
	uint64_t head_said;      /* instead of the block that a tag names; 0 = it tells the truth */
	uint64_t lie_from_block; /* logs are said to be of this block, outside the range; 0 = no */
	int64_t delay_ms;
	bool no_create; /* a node that runs no constructor in eth_call */

	/* what it says of accounts and fees; gas 0: a revert */
	uint64_t tx_count, gas, base_fee;

	/* what was asked; `questions` are those that came in bulk */
	unsigned requests, get_logs, calls, questions;
	uint64_t call_gas; /* of the last eth_call; 0 = not given */
	uint64_t last_from, last_to,
		widest; /* of eth_getLogs; the widest since the test set it to 0 */
	int64_t first_get_logs_ms;
};
void sim_chain_init(struct sim_chain *c, struct sim *s, struct sim_net *n, const char *url,
		    uint64_t chain_id);
void sim_chain_mine(struct sim_chain *c, uint64_t blocks); /* time stamps of now */
/* The last `depth` blocks are replaced by as many of a new branch. Their logs are gone. */
void sim_chain_reorg(struct sim_chain *c, uint64_t depth);
struct sim_log *sim_chain_log(struct sim_chain *c, uint64_t block, struct address from,
			      const struct hash32 *topics, unsigned topics_n, struct bytes data);
struct hash32 sim_block_hash(const struct sim_chain *c, uint64_t number);

/* ---- object store ---- */

struct sim_object {
	char path[160]; /* after the bucket's prefix, with its slash */
	struct bytes body;
	char format[32];
	char attestation[1024];
	int status; /* 0 = 200 */
	enum err err;
	int64_t delay_ms;
	bool corrupt;     /* GET gives other bytes of the same length: the last byte is wrong */
	size_t size_said; /* what HEAD says the length is; 0 = the truth */
	unsigned heads, gets;
};
struct sim_bucket {
	const char *url;
	struct sim_object objects[16];
	size_t objects_n;
	unsigned heads, gets;
};
void sim_bucket_init(struct sim_bucket *b, struct sim_net *n, const char *url);
struct sim_object *sim_bucket_put(struct sim_bucket *b, struct bytes body, const char *fmt, ...)
	PRINTF(3, 4);

/* ---- core ---- */

enum {
	SIM_CORE_IDS_MAX = 64
};

struct sim_core {
	struct channel base;
	struct sim *sim;
	const struct ecdsa *ecdsa;
	struct secret32 key;
	struct eip712_domain *domain;
	struct sim_rpc *running;
	uint64_t next_id;

	/* remembered requests */
	struct sim_core_request {
		char id[65];
		bool user;
		struct buf message; /* as received */
	} known[SIM_CORE_IDS_MAX];
	size_t known_n;

	/* what plaintext to give: value little endian of the type's width; default 42 */
	uint8_t plaintext;

	/* faults */
	enum grpc_status send_status; /* GRPC_OK = behave */
	enum grpc_status poll_status;
	int64_t poll_delay_ms;
	bool forget_once;    /* before the next poll everything is forgotten */
	bool wrong_key;      /* the signature is by another key than it names */
	bool wrong_extra;    /* signs and returns other extra data */
	bool wrong_count;    /* one plaintext too many */
	bool wide_plaintext; /* a value that does not fit the type */
	bool other_id;       /* names another request */
	bool other_type;     /* plaintexts of another type */
	bool low_v;          /* v of the signature is 0 or 1 */
	bool other_link;     /* to a user: tied to another request */
	bool other_handle;   /* to a user: a value of another handle */
	bool empty_value;    /* to a user: nothing sealed */
	bool no_payload;
	const char *text; /* goes with every status but OK */

	bool has_sync;
	unsigned syncs;
	/* every other method; without it they are a failure of the test */
	enum grpc_status (*script)(void *ctx, const char *method, struct bytes message,
				   struct buf *reply);
	void *script_ctx;

	unsigned sends, polls;
	enum grpc_status other_status; /* to every call that is about no decryption */
	unsigned others;
	char other_path[96]; /* of the last one */
	void (*spy)(void *ctx,
		    const struct rpc_call *call); /* sees every call, before it is served */
	void *spy_ctx;
	unsigned spied;
	int64_t last_timeout_ms;
	struct buf last_request;
};
void sim_core_init(struct sim_core *c, struct sim *s, const struct ecdsa *ecdsa,
		   struct eip712_domain *domain);
void sim_core_forget(struct sim_core *c);
void sim_core_free(struct sim_core *c);

#endif
