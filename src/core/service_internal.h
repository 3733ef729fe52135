/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the service. Two kinds of objects:
 *
 *   - visit: one gRPC call being served. It is in exactly one list: the service's (something of it
 *     is under way in pool or store) or that of an entry (it waits for a result). Ends with exactly
 *     one answer
 *   - entry: one accepted request without a result, from the commit that accepted it to the commit
 *     that ends it
 *
 * Callbacks of pool and store hold a visit or an entry; neither is freed before they came back,
 * except by core_service_free, when pool and store are gone.
 */
#ifndef CORE_SERVICE_INTERNAL_H
#define CORE_SERVICE_INTERNAL_H

#include <stdatomic.h>

#include "core/crs_publish.h"
#include "core/decryption.h"
#include "core/key_publish.h"
#include "core/not_built.h"
#include "core/opening.h"
#include "core/request_store.h"
#include "core/service.h"
#include "net/protobuf.h"

enum {
	ENTRY_BUCKETS = 1024,
	REPLY_MAX = 4 << 20,      /* of what looks after the node: a page of requests, all ids */
	ENTRIES_RUNNING_MAX = 64, /* in the pool or being read for it; far below POOL_QUEUE_MAX */
	SAVE_RETRY_MS = 1000,
};

struct entry;
struct visit;

/* What the service does differently for each kind of request: one row. */
struct work {
	const char *name;                        /* in logs */
	const char *accepted, *answered, *ended; /* events of the log; the last: it failed */
	const char *failure;                     /* what clients read of it */
	bool key;                 /* ids that failed stay failed; results are never evicted */
	bool alone;               /* one of the kind runs at a time, and it may be interrupted */
	enum not_built committee; /* of a committee */
	bool no_wait; /* who asks for the result is told at once that it is not there yet */
	enum metrics_operation request, result, inner;
	/* What is asked: id, digest, and what the log says of it. Any thread. */
	enum err (*check)(struct visit *v, struct bytes message, struct arena *memory);
	/* The answer. Pool thread: reads what is immutable, writes the entry's output. */
	enum err (*compute)(struct entry *e, struct bytes message, struct arena *memory);
	/* What lies in the vaults of it, NULL for nothing; and the answer from there, for what the
	 * table does not know: of the content of `message`, or of any if that is empty. Pool
	 * thread: writes the visit's note. */
	const struct publish_form *form;
	enum err (*recover)(struct visit *v, struct buf *answer, struct bytes message,
			    struct arena *memory);
};
extern const struct work works[REQUEST_KINDS];

struct visit {
	struct core_service *core;
	struct grpc_call *call;
	enum metrics_operation operation;
	enum request_kind kind;
	bool sync; /* …DecryptSync: the answer is the result */

	/* What checking found; written on a pool thread when the message is large. */
	enum err err;
	struct err_note note;
	struct hash32 id, digest;
	size_t items_n;
	bool extra_data_differs;
	bool taken;        /* objects of this id are in the vaults */
	bool preproc_used; /* by another key that is in the vault */
	uint32_t params;
	struct hash32 preproc_id, epoch_id;
	struct hash32 session_use;

	bool asks_result;  /* Get…Result */
	struct buf answer; /* from the vaults */

	/* Of the methods that look after the node. */
	struct arena memory;
	void *more; /* what the method keeps; in `memory`, or freed by free_more */
	void (*free_more)(void *more);
	bool looks; /* counts towards CORE_LOOKS_MAX */

	bool abort;                  /* waits for the end of what it withdrew */
	bool reserved;               /* counts towards capacity until the store has answered */
	bool limited;                /* there were not enough tokens for it */
	uint64_t tokens;             /* that it holds, until its entry does */
	struct timer timer;          /* while waiting */
	struct mpc_context *context; /* of NewMpcContext; owned */
	struct visit **list, *next, *prev;
};

enum entry_stage {
	ENTRY_QUEUED,
	ENTRY_LOADING,   /* its message is being read back from the store */
	ENTRY_COMPUTING, /* in the pool */
	ENTRY_OPENING,   /* its shares are being opened with the other nodes */
	ENTRY_SAVING,    /* its end is on the way to the store */
	ENTRY_UNSAVED,   /* the store refused it; tried again after SAVE_RETRY_MS */
};

struct entry {
	struct core_service *core;
	struct request_name name;
	enum entry_stage stage;
	size_t message_n;
	struct buf message; /* may be empty: then it is only in the store */
	int64_t accepted_ms;
	uint64_t tokens; /* of the bucket, until its end is recorded */

	/* Of a key generation. */
	struct hash32 preproc_id;
	uint32_t preproc_params;
	atomic_bool stop; /* read by the computation */
	bool aborted;     /* somebody withdrew it: it ends with ERR_CANCELLED */

	/* Of a public decryption by a committee: the computation's output, then the input of
	 * another one. */
	struct opening *opening;
	bool message_held; /* its message stays in memory meanwhile */
	struct buf words;  /* what it says in its sessions, to be stored with the answer */
	size_t words_n;    /* sessions */
	struct hash32 words_context;

	/* Output of the computation. */
	enum err err;
	struct err_note note;
	struct buf answer;
	struct hash32 epoch_id, key_preproc_id; /* with `key` */
	struct fhe_client_key *key;             /* a new one, for the ring; owned */

	struct visit *waiters;
	struct entry *bucket_next, *queue_next;
};

/* What is counted by kind: one kind never takes the room of another. */
struct kind_count {
	struct core_service *core;
	enum request_kind kind;
	size_t entries_n;  /* accepted, no result yet */
	size_t finished_n; /* done or failed, not evicted */
	size_t reserved_n; /* offers on the way to the store */
	size_t running_n;
	bool evicting;
};

struct core_service {
	struct core_service_options o;
	enum core_phase phase;
	struct visit *visits;
	struct entry *buckets[ENTRY_BUCKETS];
	struct entry *queue_head, *queue_tail;

	struct kind_count kinds[REQUEST_KINDS];
	struct rate_limit rate;
	size_t looks_n;      /* visits that look into the vaults or ask the peers */
	size_t benchmarks_n; /* that run */
	size_t waiters_n;
	size_t pending_bytes; /* messages of all entries */
	size_t running_n, running_bytes, saving_n;
	size_t sessions_n, sessions_bytes; /* being opened; and the messages that are held for it */
	bool context_busy;                 /* one visit writes a context */
	bool recovering;                   /* one visit is looking into the vaults */
	struct vault_ids crss; /* in the vault; room for VAULT_ENTRIES_MAX. Loop thread */

	struct timer retry;
	struct metrics metrics;
	loop_fn *stopped;
	void *stopped_ctx;
};

/* ---- service.c ---- */

/* A request of this kind; with `sync` the answer is its result. And the result alone. */
void service_request_handle(struct core_service *s, struct grpc_call *call, enum request_kind kind,
			    bool sync);
void service_result_handle(struct core_service *s, struct grpc_call *call, enum request_kind kind);

/* ---- visit.c ---- */

/* NULL without memory: the call is answered then. */
struct visit *visit_new(struct core_service *s, struct grpc_call *call, enum request_kind kind,
			enum metrics_operation operation);
void visit_drop(struct visit *v); /* without an answer */
void visit_reply(struct visit *v, struct bytes message);
void visit_reply_message(struct visit *v, const ProtobufCMessage *message);
/* `note` is shown to the client only for errors that are the client's own. */
void visit_fail(struct visit *v, enum err e, const struct err_note *note);
void visit_fail_status(struct visit *v, enum grpc_status status, const char *text);
void visit_fail_nomem(struct visit *v);
/* Wait for the end of `e`, at most as long as the client does. */
void visit_wait(struct visit *v, struct entry *e);

/* The status of an accepted request that ended with `cause`: ABORTED if somebody withdrew it,
 * NOT_FOUND if it waited too long for other nodes and may be asked for again. */
enum grpc_status failure_status(enum err cause);

/* The id of a message that is a kms.v1.RequestId. */
enum err id_message_read(struct hash32 *ret_id, struct bytes message, struct err_note *note);

/* Which status an error is; one table. */
enum grpc_status visit_status(enum err e);

/* ---- entry.c ---- */

struct entry *entry_find(const struct core_service *s, struct request_name name);
/* `message` empty: to be read from the store. It takes the tokens of its kind: whoever holds them
 * for it gives them back before. NULL without memory. */
struct entry *entry_add(struct core_service *s, const struct request_pending *p,
			struct bytes message);
/* The key generation, or the preprocessing, that works with this preprocessing id; NULL. */
struct entry *entry_find_preproc(const struct core_service *s, struct hash32 preproc_id);
/* Withdraw it; its waiters hear of it when that is recorded. */
void entry_abort(struct entry *e);
/* Give the pool as much as it may have. */
void entries_run(struct core_service *s);
/* Is there room for one more, with evicting what may be evicted? */
bool entries_room(const struct core_service *s, enum request_kind kind, size_t message_n);
void entries_evict(struct kind_count *k);
void entries_free(struct core_service *s);
void entry_save(struct entry *e); /* its end */
/* Again into the queue: before all others, or behind them. */
void entry_requeue(struct entry *e, bool first);
void entries_retry_later(struct core_service *s);
/* While stopping: is everything at rest? Then says so, once. */
void entries_stop_check(struct core_service *s);

/* ---- entry_open.c ---- */

/* Is there room for its sessions? */
bool entry_may_open(const struct entry *e);
/* Its shares are computed: open them; then it is computed again, with what came out. */
void entry_open(struct entry *e);
/* Not to its end: it is done from the beginning, after the next start. */
void entry_open_cancel(struct entry *e);
/* What earlier processes said in requests that are done, to the nodes that were away. */
enum err words_load(struct core_service *s) MUST_USE;

/* ---- keys.c ---- */

/* Why a key generation was not added, and was not known. */
void keygen_refuse(struct visit *v, const struct request_admission *a);
void keygen_abort_handle(void *ctx, struct grpc_call *call);
void crsgen_abort_handle(void *ctx, struct grpc_call *call);

/* Which CRSs there are: those of the vault, at start; and one more. Beyond the room they are not
 * told of. */
enum err crss_load(struct core_service *s) MUST_USE;
void crss_add(struct core_service *s, struct hash32 id);

/* ---- committee_rpc.c ---- */

void context_new_handle(void *ctx, struct grpc_call *call);
void context_destroy_handle(void *ctx, struct grpc_call *call);
void epoch_new_handle(void *ctx, struct grpc_call *call);
void epoch_result_handle(void *ctx, struct grpc_call *call);
void epoch_destroy_handle(void *ctx, struct grpc_call *call);

/* ---- recover.c ---- */

/* In which epoch the end of this one lies, of those in which this node takes requests. */
bool material_find(struct publish_name *name, const struct core_service_options *o);
/* The end of a visit to an id that the table does not know, but maybe the vaults do. */
void visit_recover(struct visit *v);

/* ---- material.c ---- */

/* What this node holds, as texts in the visit's memory: begun by material_look, which answers the
 * visit itself if that fails. `found` is called with a `struct material` in v->more. */
struct material {
	struct material_ids {
		char **v;
		size_t n;
	} keys, crss, preprocs;
	char *storage;
	void (*found)(struct visit *v);
};
void material_look(struct visit *v, void (*found)(struct visit *v));
void material_handle(void *ctx, struct grpc_call *call);

/* ---- health.c ---- */

void health_check_handle(void *ctx, struct grpc_call *call);
void health_status_handle(void *ctx, struct grpc_call *call);

/* ---- meta_store.c ---- */

void meta_statuses_handle(void *ctx, struct grpc_call *call);
void meta_list_handle(void *ctx, struct grpc_call *call);
void meta_info_handle(void *ctx, struct grpc_call *call);

/* ---- bandwidth.c ---- */

void bandwidth_handle(void *ctx, struct grpc_call *call);

#endif
