/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside listener/ only. */
#ifndef CONNECTOR_LISTENER_INTERNAL_H
#define CONNECTOR_LISTENER_INTERNAL_H

#include "connector/handle_index.h"
#include "connector/service.h"

/* ---- window: how many blocks the next eth_getLogs asks for ---- */

struct window {
	uint64_t max;    /* get_logs_batch_size */
	uint64_t size;   /* 1 .. max */
	unsigned good;   /* successes in a row */
	uint64_t failed; /* a size that was too much; 0 = none is known */
	uint64_t fits;   /* the last one that was not; 0 = none is known */
};

struct window window_make(uint64_t max);
void window_good(struct window *w, uint64_t blocks); /* a smaller one than asked shows nothing */

/* After an error that a smaller window may avoid (window_is_too_wide): what did before, else half,
 * at least 1. */
void window_halve(struct window *w);
bool window_is_too_wide(const struct provider_error *e);

/* ---- doubts: blocks with logs that did not decode ---- */

enum {
	DOUBTS_MAX = 64
};

struct doubt {
	struct block_number block;
	int64_t delay_ms, due_ms; /* monotonic */
};

struct doubts {
	struct doubt v[DOUBTS_MAX];
	size_t n;
};

void doubts_add(struct doubts *d, struct block_number block, int64_t now_ms);
/* One that is due, and that the chain has. It is due again later, until it is settled. */
bool doubts_take(struct doubts *d, struct block_number *ret_block, struct block_number head,
		 int64_t now_ms);
void doubts_settle(struct doubts *d, struct block_number block);

/* ---- cursor: the last block whose logs are stored ---- */

struct cursor {
	bool known; /* false: nothing is stored yet */
	struct block_number block;
	struct hash32 hash;
};

/* Two results: the cursor, and the newest blocks with rows in quarantine. */
enum err cursor_add_load(struct store_batch *b, struct chain_id chain) MUST_USE;
enum err cursor_from_rows(struct cursor *ret_cursor, const struct store_rows *rows) MUST_USE;

/* Moves it from `old` to `new`, either way; ERR_STATE_MOVED for the batch if it was not at `old`.
 */
enum err cursor_add_move(struct store_batch *b, struct chain_id chain, const struct cursor *old,
			 const struct cursor *new, int64_t now_ms) MUST_USE;

/* ---- trail: where the cursor has been ---- */

/* For a batch that moves the cursor on: the step, and what is too old goes. */
enum err trail_add_step(struct store_batch *b, struct chain_id chain, const struct cursor *old,
			const struct cursor *new) MUST_USE;
/* For one that moves it back. */
enum err trail_add_cut(struct store_batch *b, struct chain_id chain,
		       struct block_number after) MUST_USE;
enum err trail_add_load(struct store_batch *b, struct chain_id chain,
			struct block_number newest) MUST_USE;

/* Steps, newest first, and the search among them for the newest that is still the chain's. */
struct trail {
	struct cursor *v;
	size_t n, bad, good, stride, at;
};

/* Frees what the trail held before. */
enum err trail_from_rows(struct trail *ret_trail, const struct store_rows *rows) MUST_USE;
void trail_free(struct trail *t);

/* The step whose hash the search wants to compare next; NULL: it is over. */
const struct cursor *trail_ask(struct trail *t);
void trail_answer(struct trail *t, const struct hash32 *hash);
const struct cursor *trail_found(const struct trail *t); /* NULL: no step is the chain's */

/* ---- harvest: a window's logs as batches of rows ---- */

struct harvest {
	struct store_batch *batches;
	size_t batches_n, batches_cap, next;
	size_t in_last;                 /* statements in the last batch */
	struct handle_index index;      /* what is still to go into it */
	size_t rows;                    /* operations, new or not */
	struct block_number fresh_from; /* set by the caller: older blocks were counted before */
	size_t operations[OP_KINDS], quarantined; /* in fresh blocks */
	struct tracer *tracer;                    /* set by the caller; NULL: no traces */
	bool settle; /* set by the caller: what decodes now is taken out of quarantine */
	struct block_number doubtful[DOUBTS_MAX]; /* blocks with logs that did not decode */
	size_t doubtful_n;
	bool has_last_hash; /* a log of block `to` names its hash */
	struct hash32 last_hash;
};

/* A log that does not decode becomes a quarantine row, a removed one becomes nothing. */
enum err harvest_add(struct harvest *h, const struct service_chain *chain,
		     const struct event_log *log, struct block_number to, int64_t now_ms,
		     struct err_note *note) MUST_USE;
/* After the last log: nothing is left over. */
enum err harvest_end(struct harvest *h) MUST_USE;
/* harvest_end, and the batch that the cursor's move belongs to: the last one. */
enum err harvest_last(struct harvest *h, struct store_batch **ret_batch) MUST_USE;
void harvest_free(struct harvest *h);

/* ---- the listener ---- */

struct listener {
	struct connector_env env;
	bool gate_closed;
	void (*gate_then)(struct listener *l);
	struct arena arena; /* topics */
	const struct hash32 *topics;
	size_t topics_n;
	struct address contracts[SERVICE_CONTRACTS_MAX];
	struct scope calls;
	struct timer timer;

	/* what we know */
	bool chain_ok;
	void (*chain_checked)(struct listener *l);
	bool loaded;
	bool placed; /* `next` is decided */
	bool override_used;
	bool said_started;
	struct cursor stored; /* as the database has it */
	struct cursor last;   /* block before `next`; unknown at a start without history */
	struct block_number next, floor;
	struct window window;
	int64_t errors; /* in a row */
	bool idle;      /* between two rounds, and not because one failed */
	bool woken;     /* in the middle of a round: the next follows at once */
	int64_t rescan_due_ms;
	struct doubts doubts;
	bool rescan_wanted; /* the cursor moved since the last re-scan; it is due at rescan_due_ms
			     */
	bool rescanning; /* from rescan_at on, in one window or in several, by turns with new ones
			  */
	bool rescan_turn;
	struct block_number rescan_at;
	uint64_t density; /* logs in a block, at most of late */

	/* the round */
	struct block_head head;
	int64_t head_ms; /* when it was read */
	bool more;       /* blocks are left to read up to it */
	struct posted {
		bool known;
		uint64_t newest;              /* that is in a batch */
		uint64_t beyond, asked, step; /* of the search: `beyond` is in none */
		int64_t due_ms;
	} posted;
	struct confirmed {
		bool found, placed; /* `hash` is one; it is block `number` */
		struct hash32 hash;
		uint64_t number;
		bool begun;            /* the parent chain is read forwards from behind `upto` */
		uint64_t upto, before; /* before it is, what is before `before` is searched */
		uint64_t head, from, to;
		unsigned back; /* windows so far */
		bool said_none;
		struct window window;
		int64_t due_ms;
	} confirmed;
	struct trail trail; /* of a walk-back */
	bool other_branch;  /* it is one: rows of the old branch are withdrawn */
	int64_t behind_ms;  /* since when the head is behind the cursor; 0 = it is not */
	unsigned endpoint;  /* who gave the window's logs: its end is asked of the same */
	struct block_number from, to;
	struct hash32 to_hash;
	struct harvest harvest;
};

static inline struct chain_id listener_chain(const struct listener *l)
{
	return l->env.chain.id;
}

static inline int64_t listener_wall_ms(const struct listener *l)
{
	return clock_wall_ms(l->env.clock);
}

/* ---- listener.c: the ends of a round ---- */
void listener_round_next(struct listener *l, int64_t delay_ms);
void listener_round_idle(struct listener *l);

/* gate.c: goes on with `then`, or ends the round while too much waits for the worker. */
void listener_gate(struct listener *l, void (*then)(struct listener *l));
void listener_round_failed(struct listener *l, enum err e, const char *what, const char *note);

/* Every provider callback starts with this: NULL when the listener is gone, or the round has just
 * failed by *e. */
struct listener *listener_answered(void *ctx, const struct provider_error *e, const char *what);

/* After a call that may fail at once: closes the ticket and fails the round then. */
void listener_submitted(struct listener *l, struct ticket *t, enum err e, const char *what);
void listener_ask_head(struct listener *l, struct block_tag tag, provider_head_fn *done,
		       const char *what);

/* eth_chainId; `then` only if it is the chain that we take the endpoint for. */
void listener_check_chain(struct listener *l, void (*then)(struct listener *l));

/* ---- posted.c: the newest block that the parent chain has -> listener_have_posted ---- */
void listener_find_posted(struct listener *l, struct block_number head);
void listener_have_posted(struct listener *l, struct block_number newest);

/* ---- confirmed.c: the newest block that the rollup contract has confirmed -> listener_have_head
 * ----
 */
void listener_find_confirmed(struct listener *l);
void listener_have_head(struct listener *l, const struct block_head *head);

/* ---- branch.c: still our branch? -> listener_read_on ---- */
void listener_check_branch(struct listener *l);

/* ---- reading.c: the next window, up to listener_round_next ---- */
void listener_read_on(struct listener *l);

#endif
