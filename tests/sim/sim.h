/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The simulated world of one connector, or of two on one database:
 *
 *   process.c   the connector: three services on the five seams; it is killed and started again
 *   net.c       requests that travel, get lost, come late; transport and channel seams
 *   chain.c     two chains with branches, behind JSON-RPC endpoints that lag and lie
 *   pool.c      transactions of the connector's account: a mempool, blocks, one contract
 *   bucket.c    three object stores
 *   core.c      a KMS core that remembers, forgets, and notes everything that it is asked
 *   request.c   the workload: what is asked for on the gateway, and the truth about each
 *   fault.c     what goes wrong
 *   check.c     what must be true all the same
 *   plant.c     bugs that somebody might write
 *
 * Everything is decided by the seed.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "connector/adapters/key_generation.h"
#include "connector/service.h"
#include "disk.h"
#include "eth/eip712.h"
#include "loop.h"
#include "store_seams.h"

enum {
	ENDPOINTS_MAX = 3,
	COPROCESSORS = 3,
	PROCESSES_MAX = 2,
	HANDLES_MAX = 3,
	GATEWAY_CHAIN = 54321,
	HOST_CHAIN = 12345,
	REORG_MAX = 64,
	SECOND = 1000,
	MINUTE = 60 * SECOND,
	HOUR = 60 * MINUTE
};

struct sim;
struct process;

/* ---- faults ---- */

#include "faults.h"

/* Whether it strikes here and now. */
bool fault(struct sim *s, enum fault_name name);
/* A duration for one, in ms. */
int64_t fault_length(struct sim *s, int64_t min_ms, int64_t max_ms);
/* Which are on: as the seed says, or `only` those. */
void faults_choose(struct sim *s, const char *only, bool plain);
bool faults_known(const char *only); /* each name in it */
void faults_list(void);
void faults_begin(struct sim *s);
void faults_end(struct sim *s);

/* ---- the pool ---- */

enum pool_state {
	POOL_WAITING,
	POOL_MINED,
	POOL_GONE /* dropped or replaced */
};

struct chain;

struct pool_tx {
	struct hash32 hash, call; /* `call`: of receiver and data */
	uint64_t nonce, gas, fee_max, priority;
	bool foreign;      /* not the connector's */
	enum op_kind kind; /* and id of what it answers; 0: an empty transfer */
	uint64_t id;
	struct buf data;
	enum pool_state state;
	bool success;
	const char *why; /* it reverted */
	uint64_t block;
};

struct pool {
	struct pool_tx *v;
	size_t n, cap;
	uint64_t count; /* of the account, in blocks */
	uint64_t base_fee, floor;
	int64_t floor_until_ms, funds_until_ms, paused_until_ms, gas_until_ms;
	uint64_t foreign, evicted, wasted, reverted;
};

void pool_free(struct pool *p);
void pool_mine(struct chain *c);
void pool_unmine(struct chain *c, uint64_t from_block);
void pool_foreign(struct chain *c);
void pool_evict(struct chain *c);

/* ---- chains ---- */

enum {
	TOPICS_MAX_N = 4
};

struct chain_log {
	struct address address;
	struct hash32 topics[TOPICS_MAX_N];
	size_t topics_n;
	struct bytes data;
	struct hash32 tx; /* zero: the block's hash stands for it */
	bool undecodable;
};

struct block {
	struct hash32 hash;
	uint64_t time_s;
	struct chain_log *logs;
	size_t logs_n, logs_cap;
};

struct endpoint {
	struct chain *chain;
	char url[32];
	uint64_t lag;
	bool lies;
	int64_t down_until_ms, lag_until_ms;
};

struct chain {
	struct sim *sim;
	const char *name;
	uint64_t id;
	struct block *v;
	uint64_t head;
	size_t cap;
	uint64_t branches;
	int64_t block_ms, stalled_until_ms;
	struct endpoint endpoints[ENDPOINTS_MAX];
	size_t endpoints_n;
	struct pool pool; /* transactions of the connector's account */
	bool creates;     /* eth_call may create a contract */
	uint64_t questions;
};

void chain_init(struct chain *c, struct sim *s, const char *name, uint64_t id, size_t endpoints_n);
void chain_free(struct chain *c);
void chain_begin(struct chain *c); /* blocks come from now on */
void chain_mine(struct chain *c);
void chain_reorg(struct chain *c, uint64_t depth);
void chain_add_log(struct chain *c, uint64_t block, const struct chain_log *log);

/* ---- net ---- */

struct http_answer {
	int status;
	struct buf body;
	struct http_header headers[4];
	char size_text[24];
	size_t headers_n;
};

struct http_question {
	const char *method, *url;
	struct bytes body;
	size_t body_max;
};

void net_init(struct process *p);
void net_abandon(struct process *p); /* what is on its way arrives; nobody hears of it */
void net_free(struct sim *s);

void chain_serve(struct endpoint *e, const struct http_question *q, struct http_answer *a);
void kms_serve(struct process *p, const struct http_question *q, struct http_answer *a);
void bucket_serve(struct sim *s, size_t bucket, const struct http_question *q,
		  struct http_answer *a);
enum grpc_status core_serve(struct sim *s, const char *path, struct bytes message,
			    struct buf *reply);

/* ---- requests ---- */

struct ciphertext {
	struct hash32 handle, digest;
	struct buf body;
	const struct user_truth *user; /* whom it is allowed for; NULL: everybody */
	uint64_t allowed_from;         /* host block; UINT64_MAX: never */
	struct {
		int64_t missing_until_ms, corrupt_until_ms;
		bool huge;
		char attestation[1024]; /* empty: nobody has asked yet */
	} at[COPROCESSORS];
};

/* What a user has signed, and may be lying about. */
enum user_form {
	USER_DIRECT,
	USER_DELEGATED,
	USER_UNIFIED,
	USER_FORMS
};
enum user_fault {
	USER_HONEST,
	USER_FORGED,  /* the signature is another's */
	USER_EXPIRED, /* it has held until yesterday */
	USER_FAULTS
};
struct user_truth {
	enum user_form form;
	enum user_fault fault;
	struct address user, owner, contract;
	struct bytes public_key, calldata;
	uint64_t start_s, days;
	struct signature65 signature;
};

struct request_log {
	struct hash32 topics[TOPICS_MAX_N];
	size_t topics_n;
	struct bytes data;
};

/* What a chain asks this node for. */
struct request {
	enum op_kind kind;
	struct chain *chain;
	struct address contract;
	uint64_t id;
	struct request_log logs[2]; /* the generations of its event */
	size_t logs_n;
	struct hash32 tx; /* of its logs; zero: nobody looks at it */

	/* a decryption */
	struct ciphertext *cts[HANDLES_MAX];
	size_t cts_n;
	bool allowed; /* each handle, sooner or later; always where there are none */
	struct user_truth *user;
	struct bytes extra_data; /* verbatim */
	size_t context;          /* that the contract has pinned it to */

	/* keys, contexts, epochs */
	struct key_request key;
	bool given_up;        /* the chain waits for it no more, ... */
	uint64_t given_up_at; /* ... since this block */
	uint64_t material_block;

	uint64_t block;       /* where it is; UINT64_MAX: on no branch any more */
	bool withdrawn;       /* by a re-organisation, */
	bool dropped;         /* and on no later branch */
	size_t answered_by;   /* transaction + 1 */
	uint64_t answered_at; /* its block */
	uint64_t reverts;
};

void requests_begin(struct sim *s);
void requests_unmine(struct chain *c, uint64_t from_block);
void requests_remine(struct chain *c, uint64_t from_block);
struct request *request_add(struct sim *s, const struct request *r);
void request_include(struct request *r, uint64_t block); /* its logs are in that block */
/* The one on the chain. */
struct request *request_at(struct chain *c, enum op_kind kind, uint64_t id);
bool request_wants_answer(const struct request *r);
struct bytes encode_kept(struct sim *s, const char *type_text, const struct abi_value *items,
			 size_t n);
struct ciphertext *ciphertext_new(struct sim *s, bool allowed);
struct ciphertext *ciphertext_of(struct sim *s, const struct hash32 *handle);
const char *attestation_of(struct sim *s, struct ciphertext *ct, size_t coprocessor);
void requests_free(struct sim *s);
void request_undecodable(struct sim *s);

/* ---- users ---- */

/* `r` has its handles; it becomes a user's. */
void user_ask(struct sim *s, struct request *r, bool both);
bool user_may(const struct ciphertext *ct, struct bytes view_call);
/* What the answer's signature is of. */
struct hash32 user_answer_digest(struct sim *s, const struct request *r, struct bytes share,
				 struct bytes extra);

/* ---- contexts and keys ---- */

enum {
	CONTEXTS_MAX = 16,
	FIRST_CONTEXT_BLOCK = 2
};

/* Blocks from which something is so; UINT64_MAX: not yet. */
struct context {
	uint64_t id, epoch;
	struct secret32 key; /* of the core, in this context */
	struct address signer;
	struct bytes info;                /* as it is announced: what its hash is of */
	uint64_t gateway_from, host_from; /* it is the current one */
	uint64_t created_from, destroyed_from, epoch_destroyed_from; /* of the host chain */
};
void contexts_init(struct sim *s);
void context_switch(struct sim *s);
void context_activate(struct sim *s, size_t i);
size_t context_current(const struct sim *s, const struct chain *c, uint64_t block);
/* By id; false: there is none. */
bool context_find(const struct sim *s, uint64_t id, size_t *ret_i);
struct bytes context_extra_data(struct sim *s, size_t i, bool epoch);
bool context_view(struct chain *c, struct bytes call, uint64_t block, struct buf *out);

void keys_prepare(struct sim *s); /* before the first block */
void keys_begin(struct sim *s);
bool keys_view(struct chain *c, struct bytes call, uint64_t block, struct buf *out);
bool protocol_view(struct chain *c, struct bytes call, uint64_t block, struct buf *out);
void keys_answered(struct request *r, uint64_t block);
struct hash32 key_material(uint64_t id);
struct eip712_domain key_domain(const struct sim *s, const struct chain *c, bool protocol);
/* What a call of an answer says wrong: NULL, or the error it reverts with. */
const char *keys_judge(struct request *r, struct bytes call);

/* What is asked with a call: its function, its i-th word. */
bool is_call(struct bytes data, const char *signature);
struct hash32 call_word(struct bytes data, size_t i);
uint64_t call_number(struct bytes data, size_t i);
void give(struct buf *out, const char *type_text, const struct abi_value *items, size_t n);
void give_number(struct buf *out, uint64_t v);

/* ---- signatures ---- */

/* Who signed; remembered, since the same bytes come again and again. False: nobody. */
bool signer_of(struct sim *s, struct address *ret_signer, struct bytes signature65,
	       struct hash32 digest);

struct signer_known {
	struct hash32 digest;
	uint8_t signature[65];
	struct address signer;
	bool set, found;
};

/* ---- the core ---- */

struct core_known {
	enum op_kind kind;
	uint64_t id;
	struct hash32 content; /* of handles */
	int64_t ready_ms;
	struct buf message;
	bool forgotten, aborted;
};

struct core {
	struct core_known *v;
	size_t n, cap;
	bool durable; /* what it has answered it remembers over a restart */
	int64_t down_until_ms;
	uint64_t sends, polls;
	uint64_t aborted[64]; /* ids that it was told to abort */
	size_t aborted_n;
};
void core_init(struct sim *s);
void core_forget(struct sim *s);
void core_free(struct sim *s);
/* Whether the core was ever asked this id for another content. */
bool core_asked_other(const struct sim *s, const struct request *r);
struct hash32 request_content(const struct hash32 *handles, size_t n);

/* ---- processes ---- */

struct process {
	struct sim *sim;
	size_t index;
	struct sim_host host;
	struct disk_user disk_user;
	struct sim_queue_home queue_home;
	struct rng_seeded rng;
	bool alive, ending;
	unsigned starts;
	char owner[32];

	struct transport transport;
	struct channel channel;
	struct signer signer, *raw_signer, *aws_signer;
	int64_t signer_down_until_ms;
	struct store plain, *store; /* what services see, what is under it */
	struct provider *gateway, *hosts[1], *ethereum;
	struct channel *cores[1];
	struct arena arena; /* of the configuration */
	const char *gateway_more[ENDPOINTS_MAX], *host_more[ENDPOINTS_MAX];
	struct connector_config config;
	struct connector_metrics metrics;
	struct log log;
	struct inflight inflight;
	struct connector_env env, chain_envs[2];
	size_t chains_n;
	struct listener *listeners[2];
	struct worker *worker;
	struct sender *senders[2];
	struct sim_event restart;
};

void process_init(struct process *p, struct sim *s, size_t index);
void process_start(struct process *p);
/* SIGKILL, and the supervisor starts it again after a while. */
void process_kill(struct process *p, int64_t restart_ms);
void process_hurry(struct process *p);                       /* if it is to start again: soon */
void process_stop(struct process *p);                        /* cleanly, for good */
void process_wake(struct process *p, const struct chain *c); /* it has a new block */
#define DATABASE "/db"
#define KMS_URL  "http://kms"
/* Words that no log may have. The plaintext is that of every ciphertext, as the core says it. */
#define AWS_SECRET "d5b0secret0of0aws0e911"
#define PLAINTEXT  UINT64_C(0x5ec2e7f1a9b3c4d5)

/* ---- plants ---- */

struct plant {
	const char *name, *what;
	uint64_t seed; /* found there before: those from it on are tried first */
	/* Each may be NULL. */
	const char *find, *replace;                 /* in the text of SQL */
	const char *restart_sql;                    /* run at a start, before the services */
	void (*world)(struct sim *s);               /* once, at the beginning */
	void (*config)(struct connector_config *c); /* at a start */
	const char *flips;                          /* a question to a chain: the answer is yes */
};
extern const struct plant plants[];
extern const size_t plants_n;
const struct plant *plant_find(const char *name);
/* The statement's text as the planted bug has it. */
const char *plant_sql(struct sim *s, const char *sql);
void plants_free(struct sim *s);

/* ---- the world ---- */

struct sim {
	uint64_t seed;
	struct rng_seeded rng, more; /* the second: of what FAULTS_MORE brings */
	struct sim_loop loop;
	int64_t fault_ms; /* how long things go wrong */
	bool calm;
	struct faults faults;
	const struct plant *plant;
	struct {
		const char *from;
		char *to;
	} planted_sql[64];
	size_t planted_sql_n;

	struct disk disk;
	struct disk_image backup;
	struct sim_queues queues;
	struct chain gateway, host;
	struct core core;
	struct context contexts[CONTEXTS_MAX];
	size_t contexts_n;
	bool rotates; /* each context has its own key */
	struct exchange *exchanges, *exchanges_spare;
	uint64_t exchange_id;

	struct arena kept;
	struct ciphertext **cts;
	size_t cts_n, cts_cap;
	struct request **requests;
	size_t requests_n, requests_cap;
	uint64_t next_id, keys_n, crss_n;
	int64_t request_every_ms;
	uint64_t undecodable;

	struct ecdsa *ecdsa;
	struct signer_known signers_known[256];
	struct eip712_domain domain;
	struct address decryption, gateway_config, acl, account, kms_generation, protocol_config;
	struct secret32 account_key, coprocessor_keys[COPROCESSORS];
	struct address signers[COPROCESSORS], tx_senders[COPROCESSORS];
	char bucket_urls[COPROCESSORS][24];

	struct process processes[PROCESSES_MAX];
	size_t processes_n;
	unsigned kills, cuts, restores, reorgs;

	int log_fd; /* what the services log, where that is looked at; else -1 */
	bool trace, failed;
	char failure[512];
};

struct sim_options {
	uint64_t seed;
	int64_t fault_ms;
	bool trace;
	const struct plant *plant;
	const char *only; /* faults; NULL: what the seed chooses */
	bool plain;       /* nothing of FAULTS_MORE */
};
struct sim_outcome {
	bool failed;
	char failure[512];
	uint64_t steps, requests, kills, faults;
	int64_t virtual_ms;
};
void sim_run(const struct sim_options *o, struct sim_outcome *ret);

/* The first one counts; the run ends. */
void sim_fail(struct sim *s, const char *fmt, ...) PRINTF(2, 3);
void sim_trace(struct sim *s, const char *fmt, ...) PRINTF(2, 3);
uint64_t sim_below(struct sim *s, uint64_t bound);
int64_t sim_between(struct sim *s, int64_t min, int64_t max);
bool sim_chance(struct sim *s, unsigned percent);
/* The same of the second stream. */
uint64_t more_below(struct sim *s, uint64_t bound);
int64_t more_between(struct sim *s, int64_t min, int64_t max);
bool more_chance(struct sim *s, unsigned percent);

/* ---- check.c ---- */
bool settled(struct sim *s); /* nothing is left to do */
void check_all(struct sim *s);

#endif
