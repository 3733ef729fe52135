/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside sender/ only. README.md has the table of states that all of this keeps to. */
#ifndef CONNECTOR_SENDER_INTERNAL_H
#define CONNECTOR_SENDER_INTERNAL_H

#include "connector/adapters/answer.h"
#include "connector/adapters/decryption.h"
#include "connector/sender/nonces.h"
#include "connector/service.h"
#include "eth/tx.h"

enum {
	SENDER_BATCH_BYTES_MAX = 4 << 20,
	CALL_DATA_MAX = 2 << 20,
	RAW_MAX = CALL_DATA_MAX + 1024,
	LEASE_MS = 60000,        /* a row that we claimed and forgot comes back after this */
	BACK_OFF_MAX_MS = 30000, /* between two tries of an operation */
	FEE_FRESH_MS = 1000,     /* fees are shared for so long */
	GAS_KNOWN_MS = 5000,     /* an estimate counts for others of its form */
	BROADCASTS_MAX = 16,     /* eth_sendRawTransaction at once */
	/* eth_sendRawTransactionSync at once; the others go the other way. Few: each holds a
	   connection, and whoever waits for an earlier nonce must not keep that one from having
	   any of HTTP_PER_HOST_MAX. */
	SYNCS_MAX = 4,
	SYNC_POLL_MS = 1000, /* a reply that takes longer is not waited for */
	SYNC_FAILURES_MAX = 3,
	BROADCAST_RETRY_MAX_MS = 5000,
	REBROADCAST_MS = 30000, /* accepted and not mined for so long: the same bytes once more */
	TX_VERSIONS_MAX = 10,   /* transactions of one nonce, each with a higher fee */
	REPLACE_N = 16, /* of the lowest nonces, those whose fee is too low are replaced at once */
	REPLACE_AGAIN_MS = 1000,       /* a version could not be signed or stored */
	REPLACE_WAIT_MAX_MS = 3600000, /* between two versions */
	RECEIPTS_MAX = 16,             /* eth_getTransactionReceipt at once: the lowest nonces */
	RECEIPT_FIRST_MS = 50,
	RECEIPT_MAX_MS = 1000,
	LOST_AFTER_MS = 5000,    /* nonce used, and for so long no receipt of ours … */
	LOST_READS = 3,          /* … read so often */
	GONE_READS = 3,          /* a receipt that was there is gone when it was missed so often */
	GAP_FILL_MS = 2000,      /* a free nonce below open ones waits so long for an operation */
	REVERTS_MAX = 4,         /* reverted transactions of one operation; upstream's tx_retries */
	END_AGAIN_MS = 1000,     /* before a revert that ends an answer is read a second time */
	COUNT_AGAIN_MS = 2000,   /* before a count above ours is read a second time */
	SENDER_LEASE_MS = 15000, /* a sender that says nothing for so long may be followed */
	LEASE_RENEW_MS = 4000,
	LEASE_AGAIN_MS = 1000, /* to look whether it is free, or after a failure */
	WEI_PER_GWEI = 1000000000,
	REOPEN_MAX = 64, /* mined transactions that a chain may forget and get again … */
	REOPEN_RUNNING_MAX = 1024, /* … and those that this process saw there */
	WATCH_MS = 10000,          /* the chain's count, and whether what was mined still is */
	WATCH_READS = 3,           /* the same surprise so often in a row is believed */
	MARKS_MAX = 16,         /* mined transactions whose receipts are read again at once … */
	MARK_AGE_MS = 86400000, /* … for a day: some nodes forget receipts */
	MARK_ROWS_MAX = 1024,   /* … for so many, where several are in one block */
	FAR_READS = 4,          /* nonces below ours that nobody used: as above */
	FILL_MAX = 64,          /* so many are filled; above, ours are given up */
	FILL_AT_ONCE = 8,
	UNKNOWN_SAY_MS = 60000, /* between two lines that the node is not registered */
};

/* ---- the words of nodes ---- */

enum send_outcome {
	SEND_ACCEPTED,
	SEND_KNOWN,       /* these very bytes are in the pool or in a block */
	SEND_NONCE_USED,  /* a transaction with this nonce is in a block: ours or another's */
	SEND_RIVAL,       /* another transaction with this nonce is in the pool */
	SEND_UNDERPRICED, /* the fee is below what the node takes */
	SEND_NO_FUNDS,
	SEND_AGAIN, /* everything else, and whatever is no answer at all */
};
enum send_outcome send_outcome_of(const struct provider_error *e);
/* The node does not have the method. */
bool method_is_missing(const struct provider_error *e);

/* ---- one answer on its way ---- */

enum stage {
	STAGE_CHECK,    /* eth_estimateGas and the fees are asked */
	STAGE_ALLOCATE, /* the nonce's row and the state `sending` are on their way to the disk */
	STAGE_SIGN,
	STAGE_STORE, /* the raw bytes are on their way to the disk */
	STAGE_LIVE,  /* may be broadcast, may be mined */
	STAGE_END,   /* how it ended is on its way to the disk */
};

/* How a nonce ends. */
enum tx_end {
	TX_MINED,
	TX_REVERTED,
	TX_LOST, /* the nonce was used by a transaction that is not ours */
	TX_FREE, /* never broadcast */
};

struct sender;

struct job {
	struct job *next, *prev; /* in `checking`, any order, or in `open`, by nonce */
	struct sender *s;
	enum stage stage;
	struct scope calls;

	/* The operation; id 0: the transaction fills a gap, or belongs to an operation that ended.
	 */
	int64_t op_id;
	enum op_kind kind;
	struct u256 request_id;
	struct trace_span span;
	int64_t deferrals, created_ms, reverts;
	struct err_note last_reason; /* why it was not sent the last time; as stored */

	/* The call; freed once it is signed. */
	struct address to;
	struct buf data;
	bool estimated;
	bool called; /* with the gas of another, before it was estimated */
	bool fills_gap;

	/* The transaction. */
	struct address account;
	bool foreign; /* of a key that we had before: no part of our sequence of nonces */
	bool far;     /* no part of it either, until nonces get there: many below were never used */
	uint64_t nonce, gas;
	struct wei fee_max, priority;
	struct buf raw;     /* the newest version, as `hash` */
	struct hash32 hash; /* all of them may be mined: this one, and … */
	struct hash32 older[TX_VERSIONS_MAX - 1];
	size_t older_n;

	/* replacing: another version is signed, stored, and then becomes the newest */
	bool replacing;
	int64_t replace_ms; /* when; monotonic, INT64_MAX: not before it was broadcast */
	struct buf next_raw;
	struct hash32 next_hash;
	struct wei next_fee_max, next_priority;

	/* STAGE_LIVE */
	bool issued;  /* broadcast at least once by this process */
	bool sending; /* eth_sendRawTransaction is out, or … */
	bool sync;    /* … eth_sendRawTransactionSync, since … */
	int64_t sent_ms;
	bool plain;            /* the latter has failed for these bytes */
	unsigned receipts_out; /* receipts that are asked, one per version */
	bool receipt_missed;   /* the replies of this round so far: none, and no failure */
	bool accepted;         /* the last broadcast was */
	bool marked;           /* state `broadcast` is stored */
	int64_t due_ms;        /* next broadcast, or next try to store the end; monotonic */
	int64_t failures;      /* broadcasts in a row that were not accepted */
	bool used;             /* the node says that a transaction with this nonce is in a block */
	int64_t used_since_ms;
	unsigned used_reads; /* receipts that were not there since then */

	/* STAGE_LIVE, in a block that is not deep enough */
	bool included;
	unsigned gone_reads; /* receipts that were not there any more */

	/* STAGE_END */
	enum tx_end end;
	bool unsure; /* whether a batch was stored: its nonce need not be there to be freed */
	struct block_number block;
	struct hash32 block_hash;
	struct hash32 mined; /* which of the versions */
	bool storing;
};

/* A transaction that was in a block when it was read last. */
struct tx_mined {
	uint64_t nonce, last; /* up to `last` they are in the same block */
	struct hash32 hash, block_hash;
	enum {
		MINED_UNKNOWN,
		MINED_THERE,
		MINED_GONE,
	} seen;
};

struct job_list {
	struct job *first, *last;
	size_t n;
};

/* ---- the sender ---- */

struct sender {
	struct connector_env env;
	struct scope calls;
	struct chain_id chain;
	struct address account;
	uint64_t confirmations; /* 1: in a block */

	/* beginning */
	bool leased, loaded, chain_ok, placed;
	int64_t begin_failures;
	uint64_t ended_end; /* highest nonce that was used up, + 1 */
	struct timer begin_timer;
	bool count_read; /* once, as count_first: it takes nonces from us and is not sure */
	uint64_t count_first;

	struct nonces nonces;
	struct job_list checking; /* STAGE_CHECK */
	struct job_list open;     /* those with a nonce, ascending */
	size_t early_n;           /* jobs before STAGE_LIVE */

	/* claiming */
	bool claiming, claim_more, draining;
	struct timer claim_timer;

	/* fees */
	bool fee_asked, fee_known;
	int64_t fee_ms;
	struct wei fee_max, priority, base_fee;

	/* the last estimate of each kind of answer, by the length of its call */
	struct gas_known {
		uint64_t gas;
		size_t data_n;
		int64_t until_ms; /* monotonic; 0: none */
	} gas_known[OP_KINDS];

	/* reverts because the node is not registered */
	int64_t unknown_said_ms, unknown_n; /* monotonic, 0: never; since then */

	/* broadcasting */
	unsigned broadcasts_n, syncs_n;
	bool sync_offered;      /* the node has eth_sendRawTransactionSync */
	unsigned sync_failures; /* in a row */
	struct timer pump_timer;

	/* receipts */
	unsigned receipts_n;
	bool receipts_found;
	bool head_asked;
	uint64_t head; /* the last one that was said; 0: none */
	int64_t receipts_ms;
	struct timer receipts_timer;

	/* gaps */
	bool gap;
	int64_t gap_since_ms;
	bool raising; /* the chain is asked how many transactions it knows; no nonce is taken */
	struct timer raise_timer;

	/* the right to send */
	struct scope lease_calls;
	struct timer lease_timer;
	int64_t lease_token;
	bool renewing;
	bool standby; /* another has it, and it was said */

	/* watching */
	struct scope watch_calls;
	struct timer watch_timer;
	struct marks {
		struct tx_mined v[MARKS_MAX];
		size_t n, out; /* receipts that are asked */
		bool busy, more, placed;
		uint64_t settled;   /* up to this nonce all are in blocks of the chain */
		unsigned bad_reads; /* looks in a row that found one that is not */
		uint64_t bad, step; /* the search for the last one that is */
	} marks;
	bool reopen_failed; /* of these: it is tried again */
	uint64_t reopen_first, reopen_end;
	unsigned fewer_reads, far_reads;
	uint64_t fewer_count, far_count;
};

static inline int64_t sender_wall_ms(const struct sender *s)
{
	return clock_wall_ms(s->env.clock);
}
static inline int64_t sender_mono_ms(const struct sender *s)
{
	return clock_mono_ms(s->env.clock);
}

/* ---- begin.c ---- */

void sender_prepare(void *sender); /* calls sender_claim once it may send */
void begin_failed(struct sender *s, enum err e, const char *what, const char *note);

/* The chain shows nonces that we did not use: go on after them. */
void sender_raise(struct sender *s);

/* ---- sender.c ---- */

void sender_claim(void *sender);
/* All that was begun is forgotten; what is on disk is where sender_prepare begins. */
void sender_reset(struct sender *s);

/* The job of that nonce; NULL: none. */
struct job *sender_open_find(struct sender *s, uint64_t nonce, struct address account);

/* An open row of the table becomes a job; one that is a job already stays. ERR_NOMEM, ERR_CORRUPT.
 */
struct tx_row;
enum err sender_open_row(struct sender *s, const struct tx_row *row) MUST_USE;
/* One of them has this version too. */
struct tx_version;
enum err sender_open_version(struct sender *s, const struct tx_version *v) MUST_USE;
struct job *job_new_open(struct sender *s, uint64_t nonce); /* STAGE_LIVE; NULL as above */
struct job *job_new(struct sender *s);           /* STAGE_CHECK; NULL when memory is out */
void job_free(struct job *j);                    /* cancels its calls, leaves its list */
void job_to_open(struct job *j);                 /* STAGE_ALLOCATE, at its nonce's place */
void job_enter(struct job *j, enum stage stage); /* all stages after that one */

/*
 * Submits `b` unless `e` is an error already; `done` gets a ticket of `scope` for `owner`. The
 * batch is empty afterwards in every case. On an error `done` does not come.
 */
enum err sender_submit(struct sender *s, struct scope *scope, void *owner, size_t index,
		       struct store_batch *b, enum err e, store_done_fn *done) MUST_USE;

/* Give the operation back, to be tried later (a pause by `e` and its deferrals), and forget the
 * job. */
void job_defer(struct job *j, enum err e, bool attempt_failed, const char *reason);
/* After a pause of this length. */
void job_defer_for(struct job *j, enum err e, bool attempt_failed, const char *reason,
		   int64_t pause_ms);
int64_t job_due_ms(const struct job *j, enum err e);
bool job_expired(const struct job *j);

/* ---- check.c ---- */

void job_check(struct job *j);
void gap_check(struct sender *s);
bool fees_fresh(const struct sender *s);
/* On an error nobody is told: the caller looks at fee_asked. */
void fees_ask(struct sender *s);
bool gap_is_gone(const struct job *j); /* for a job that fills one */

/* ---- transmit.c, broadcast.c ---- */

void job_allocate(struct job *j);
void sender_pump(struct sender *s);
void sender_probe_sync(struct sender *s);
/* `mined`: which of its versions, where one was. */
void job_end(struct job *j, enum tx_end end, struct block_number block, struct hash32 mined);

void job_store_end(struct job *j); /* again, after it failed */
/* No reply to a broadcast is awaited any more. */
void job_sent(struct job *j);
/* In a block, which is not deep enough yet. */
void job_included(struct job *j, struct block_number block);
/* Not in a block any more. */
void job_gone(struct job *j);

/* ---- replace.c ---- */

/* One of our own that is not mined, and so many before it. *next_ms sinks to when to look again. */
void replace_look(struct job *j, unsigned ahead, int64_t now_ms, int64_t *next_ms);
void replace_later(struct job *j); /* its newest version was broadcast */
void replace_now(struct job *j);   /* a node said that its fee is too low */
void replace_fees_failed(struct sender *s);

/* ---- raw.c ---- */

/* Our own bytes, read back. `data` of the result points into them. ERR_CORRUPT. */
enum err raw_read(struct tx *ret_tx, struct bytes raw) MUST_USE;

/* ---- receipts.c ---- */

void job_found(struct job *j, const struct receipt *r);
void receipts_wake(struct sender *s);

/* ---- lease.c ---- */

enum err lease_take(struct sender *s) MUST_USE; /* sender_prepare goes on */
void lease_release(struct sender *s);
/* The batch is stored only while we have it. */
enum err lease_add_check(struct store_batch *b, const struct sender *s) MUST_USE;
void lease_doubt(struct sender *s); /* a batch with that check was not stored */

/* ---- marks.c ---- */

/* Is what was mined still mined? What is not is open again. */
void marks_look(struct sender *s);

/* ---- watch.c ---- */

/* All that ended from that nonce on, `end` not included, is open again, and its bytes sent. */
void watch_reopen(struct sender *s, uint64_t first, uint64_t end);
struct job *watch_lowest(struct sender *s); /* open, and of our sequence of nonces; NULL: none */
void sender_watch(void *sender);            /* from now on, every WATCH_MS */
void watch_ended(const struct job *j);      /* one of ours is stored as ended */
void watch_stop(struct sender *s);

/* ---- rows.c: table tx ---- */

struct tx_row {
	uint64_t nonce;
	struct address account;
	bool broadcast, far;
	struct bytes raw;
	struct hash32 hash;
	bool has_operation; /* sending, and ours by its lease */
	int64_t op_id, op_created_ms, op_deferrals;
	enum op_kind kind;
	struct u256 request_id;
};

/*
 * What a start finds. Rows `allocated` become free, operations in `sending` without a signed
 * transaction go back to `answered`, the others get our lease. Results: see tx_load_read.
 */
enum err tx_add_load(struct store_batch *b, struct chain_id chain, struct address account,
		     const char *owner, int64_t now_ms, int64_t lease_until_ms) MUST_USE;
struct tx_loaded {
	const struct store_rows *open; /* each for tx_from_row */
	const struct store_rows *free; /* nonces */
	const struct store_rows *versions;
	uint64_t stored_end; /* highest stored nonce + 1, but for far ones */
	uint64_t ended_end;  /* of those that were mined, reverted or lost */
};
enum err tx_load_read(struct tx_loaded *ret, const struct store_result *r) MUST_USE;
enum err tx_from_row(struct tx_row *ret, const struct store_rows *rows, size_t i) MUST_USE;

/* A version of an open transaction, in the order of nonces and versions; the newest is one too. */
struct tx_version {
	uint64_t nonce;
	struct address account;
	struct hash32 hash;
};
enum err tx_version_from_row(struct tx_version *ret, const struct store_rows *rows,
			     size_t i) MUST_USE;

/* Transactions of ours that the chain has forgotten, from the nonce `first` on and before `end`,
 * are open again, and their bytes are sent again: unless they are more than `limit`, then nothing
 * changes. Result 0: rows opened. */
enum err tx_add_reopen(struct store_batch *b, struct chain_id chain, struct address account,
		       uint64_t first, uint64_t end, unsigned limit, int64_t now_ms) MUST_USE;
/* Mined or reverted in a block whose hash is known: from `first` on, the last one before `end`. */
enum err tx_add_mined_from(struct store_batch *b, const struct sender *s, uint64_t first,
			   uint64_t end, unsigned limit) MUST_USE;
enum err tx_add_mined_before(struct store_batch *b, const struct sender *s, uint64_t end) MUST_USE;
enum err tx_mined_from_row(struct tx_mined *ret, const struct store_rows *rows, size_t i) MUST_USE;
/* Three results: open rows from that nonce on, free ones, versions, as in tx_loaded. */
enum err tx_add_open_from(struct store_batch *b, struct chain_id chain, struct address account,
			  const char *owner, uint64_t nonce) MUST_USE;
/* Nobody can reach its nonce now. Free ones from there on, which nobody ever signed, are no rows
 * any more. */
enum err tx_add_far(struct store_batch *b, const struct job *j, int64_t now_ms) MUST_USE;
/* Free nonces that the chain knows transactions of. */
enum err tx_add_used(struct store_batch *b, struct chain_id chain, struct address account,
		     uint64_t count, int64_t now_ms) MUST_USE;

/* Each changes exactly one row or the batch ends ERR_STATE_MOVED, but tx_add_mark. */
enum err tx_add_allocate(struct store_batch *b, const struct job *j, int64_t now_ms) MUST_USE;
enum err tx_add_signed(struct store_batch *b, const struct job *j, int64_t now_ms) MUST_USE;
/* `broadcast` or `included`, for people who read the table. */
enum err tx_add_mark(struct store_batch *b, const struct job *j, int64_t now_ms) MUST_USE;
/* The next version; the same again changes nothing. */
enum err tx_add_replace(struct store_batch *b, const struct job *j, int64_t now_ms) MUST_USE;
enum err tx_add_end(struct store_batch *b, const struct job *j, int64_t now_ms) MUST_USE;
/* After the end of one that had answered its operation, and on the chain's new branch does not:
 * that one is `answered` again, and checked anew. */
enum err tx_add_undone(struct store_batch *b, const struct job *j, int64_t now_ms) MUST_USE;

/* Reverted transactions of the operations in `answered` that `owner` holds: (operation, number). */
enum err tx_add_reverts(struct store_batch *b, const char *owner) MUST_USE;

#endif
