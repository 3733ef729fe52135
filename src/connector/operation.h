/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The operation: one request that a chain made of this node, and one row from first sight to the
 * end.
 *
 *   seen --> ready --> computing --> answered --> sending --> done
 *     |        |           |            |           |
 *     +--------+-----------+------------+-----------+
 *     v
 *   refused | failed | aborted | expired: terminal, each with a reason
 *
 *   - seen: the log is stored; nothing is proven
 *   - ready: permission is proven on the host chain; the proof (block number and hash) is stored
 *   - computing: every ciphertext's digest is proven; the core is being asked, or was when we
 *     stopped
 *   - answered: the core's answer is stored; nothing is sent
 *   - sending: a transaction of ours holds a nonce for it (table tx)
 *   - done: the chain has the answer, ours or one that makes ours superfluous; from `computing` on,
 *     where the chain waits for no answer
 *
 * Identity is (chain, contract, kind, request id, content digest); the block hash is an attribute.
 * Every transition is a compare-and-set on (state, lease owner) in one batch: whoever lost the row
 * gets ERR_STATE_MOVED and forgets it. Terminal rows never change again, but for those withdrawn
 * with their block (included in another block they are seen anew) and those *done* by a transaction
 * that a re-organisation took back, which are *answered* again. Two event generations of
 * one request have one content digest, so they are one row.
 *
 * Everything here only adds statements to a batch or reads result cells; nothing does I/O.
 */
#ifndef CONNECTOR_OPERATION_H
#define CONNECTOR_OPERATION_H

#include "base/u256.h"
#include "store/store.h"

enum op_kind {
	/* answered by a transaction */
	OP_KIND_PUBLIC_DECRYPTION = 1,
	OP_KIND_USER_DECRYPTION,
	OP_KIND_PREP_KEYGEN,
	OP_KIND_KEYGEN,
	OP_KIND_CRSGEN,
	OP_KIND_NEW_CONTEXT,
	OP_KIND_NEW_EPOCH,
	/* done when the core has done it */
	OP_KIND_ABORT_KEYGEN,
	OP_KIND_ABORT_CRSGEN,
	OP_KIND_CONTEXT_DESTROYED,
	OP_KIND_EPOCH_DESTROYED,
	OP_KIND_PRSS_INIT,   /* gateways of v0.9.14 to v0.12 */
	OP_KIND_KEY_RESHARE, /* the same */
	OP_KINDS,            /* size of a table by kind; its entry 0 is empty */
};

enum op_state {
	OP_SEEN = 1,
	OP_READY,
	OP_COMPUTING,
	OP_ANSWERED,
	OP_SENDING,
	OP_DONE,
	OP_REFUSED,
	OP_FAILED,
	OP_ABORTED,
	OP_EXPIRED,
};

/* Names as stored and shown: "seen", …; "public_decryption_request" (the metrics' event_type). NULL
 * never. */
const char *op_state_name(enum op_state s);
enum err op_state_from_name(enum op_state *ret_state, struct bytes name) MUST_USE;
const char *op_kind_name(enum op_kind k);
enum err op_kind_from_name(enum op_kind *ret_kind, struct bytes name) MUST_USE;
bool op_state_terminal(enum op_state s);

/* Everything but decryptions: it may take days, and happens seldom. */
static inline bool op_kind_is_slow(enum op_kind k)
{
	return k >= OP_KIND_PREP_KEYGEN;
}

/* The table above, as data. A row that is not terminal may also stay where it is, to be tried again
 * later. */
bool op_may_move(enum op_state from, enum op_state to);

/* The schema's append-only steps, for store_sqlite_open. */
extern const struct store_migrations connector_migrations;

/* Topics of store_notify: each stage's subscriber is woken when the stage before it has committed.
 */
#define OP_TOPIC_SEEN              "operation_seen"     /* listener -> worker */
#define OP_TOPIC_ANSWERED          "operation_answered" /* worker -> sender of the gateway */
#define OP_TOPIC_ANSWERED_ETHEREUM "operation_answered_ethereum" /* worker -> the other one */

struct op_key {
	struct chain_id chain;
	struct address contract;
	enum op_kind kind;
	struct u256 request_id;
	struct hash32 content_digest;
};

/* A row. Views point into result cells or the caller's memory. */
struct operation {
	int64_t id; /* row id, 0 before it is stored */
	struct op_key key;
	enum op_state state;
	struct block_number block;
	struct hash32 block_hash, tx_hash;
	uint64_t log_index;
	struct bytes content; /* canonical: the adapter's own encoding of handles, extra data … */
	struct bytes materials;   /* what only the older event form carries (digests, coprocessors);
				     may be empty */
	struct bytes proof;       /* how permission and digests were proven; empty before ready */
	struct bytes answer;      /* the adapter's encoding of result, signature, extra data; empty
				     before answered */
	struct bytes error;       /* err_name of the last failure; empty */
	struct bytes reason;      /* sentence for a person */
	struct bytes traceparent; /* of its trace; may be empty */
	int64_t attempts;         /* failures that count towards the ceiling */
	int64_t deferrals; /* times put off since the last change of state: nobody's fault, they
			      only slow the back-off */
	int64_t created_ms, updated_ms, due_ms;
	int64_t refused_since_ms; /* first "no" of the current row of refusals; 0 = none */
};

/* Insert at first sight; a known key only learns its materials and, after a re-org, its new block.
 */
enum err op_add_insert(struct store_batch *b, const struct operation *op, int64_t now_ms) MUST_USE;

/* Rows of blocks after `after`, which are no longer the chain's, that have no answer yet: aborted,
 * with the error OP_ERROR_ORPHANED. They come back by op_add_insert. */
#define OP_ERROR_ORPHANED "orphaned"
enum err op_add_withdraw(struct store_batch *b, struct chain_id chain, struct block_number after,
			 int64_t now_ms) MUST_USE;

/*
 * Claim up to `limit` due rows in `state` for `owner` until lease_until_ms, oldest due first. The
 * statement's rows are read with op_from_row. Rows with a live lease are passed over, whoever holds
 * it: what `owner` has claimed it is working on. A lease that ran out counts for nothing, so a row
 * may come back to an owner that still has it.
 */
enum err op_add_claim(struct store_batch *b, enum op_state state, const char *owner, int64_t now_ms,
		      int64_t lease_until_ms, unsigned limit) MUST_USE;

/* The same of what is answered, of one chain only; when the next of it comes due. */
enum err op_add_claim_answered(struct store_batch *b, struct chain_id chain, const char *owner,
			       int64_t now_ms, int64_t lease_until_ms, unsigned limit) MUST_USE;
enum err op_add_next_answered(struct store_batch *b, struct chain_id chain,
			      int64_t now_ms) MUST_USE;

/*
 * What the database knows besides about what row `op` asks for. One row: was its id given to the
 * core with other content (op_add_give_id); does the chain tell to give it up (`related`: the id
 * that aborts name, of the same contract).
 */
enum err op_add_siblings(struct store_batch *b, const struct operation *op, enum op_kind abort_kind,
			 struct u256 related) MUST_USE;

/*
 * The core may be given this content under its id, and never another: with the batch that stores
 * the proof. Whoever is first has the id, for ever and among all processes; the same content again
 * changes nothing; with other content the batch ends ERR_STATE_MOVED. For what is no decryption.
 */
enum err op_add_give_id(struct store_batch *b, const struct operation *op) MUST_USE;

/*
 * Rows of `kind` that are before `answered` end as aborted, whoever holds them: those with this
 * request id, or (by_content) with this id in their content behind its first byte.
 */
enum err op_add_abort(struct store_batch *b, const struct operation *abort, enum op_kind kind,
		      bool by_content, const char *reason, int64_t now_ms) MUST_USE;

/* Release every lease: for the start of the only process of a SQLite database. */
enum err op_add_release_all(struct store_batch *b) MUST_USE;

/* The same but for `owner`'s own: what a service does at its start, when another one of this
 * process may run already. */
enum err op_add_release_others(struct store_batch *b, const char *owner) MUST_USE;

/* `owner`'s own: what it does when it stops. */
enum err op_add_release_own(struct store_batch *b, const char *owner) MUST_USE;

/* What `owner` still works on stays its own until lease_until_ms. No row is changed if it lost it.
 */
enum err op_add_renew(struct store_batch *b, int64_t id, const char *owner,
		      int64_t lease_until_ms) MUST_USE;

/* One row, one column: the earliest due_ms after now_ms of any row in `state`, NULL if there is
 * none. */
enum err op_add_next_due(struct store_batch *b, enum op_state state, int64_t now_ms) MUST_USE;

/*
 * What may change along with a state. All-zero leaves everything as it is; so does each view with
 * p == NULL. Texts may hold anything: what is not printable UTF-8 is stored as '?'. Refused,
 * failed, aborted and expired rows never lack a reason: where none is given it is the error's name,
 * or the state's.
 */
struct op_change {
	enum op_state to; /* 0 = stay */
	struct bytes proof, answer, error, reason;
	int64_t due_ms;           /* when the row may be claimed again; 0 = now (it is claimed: it
				     was due) */
	int64_t refused_since_ms; /* of the first "no"; 0 and less leave it */
	bool refusals_over;       /* refused_since_ms back to 0 */
	bool attempt_failed;      /* attempts += 1 */
	bool deferred;            /* deferrals += 1; a change of state sets them back to 0 */
	bool release;             /* give the lease back (every terminal state does) */
};

/* Move row `id` from `from` under `owner`'s lease; exactly one row or the batch ends
 * ERR_STATE_MOVED. */
enum err op_add_move(struct store_batch *b, int64_t id, enum op_state from, const char *owner,
		     const struct op_change *change, int64_t now_ms) MUST_USE;

/* The columns of op_add_claim and op_select_sql, decoded; views into the cells. ERR_CORRUPT. */
enum err op_from_row(struct operation *ret_op, const struct store_value *cells, size_t n) MUST_USE;

/* "SELECT <columns> FROM operation " to be followed by a WHERE clause, for inspect. */
extern const char op_select_sql[];

#endif
