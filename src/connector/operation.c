/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/operation.h"

#include "base/limits.h"
#include "connector/audit.h"

/* ---- names and moves ---- */

#define BIT(state) (1u << (state))
#define ENDS       (BIT(OP_REFUSED) | BIT(OP_FAILED) | BIT(OP_ABORTED) | BIT(OP_EXPIRED))

/* The life of an operation. `sending` goes back to `answered` when its transaction was never
 * broadcast. */
static const struct {
	const char *name;
	unsigned to;
} states[] = {
	[OP_SEEN] = {"seen", BIT(OP_SEEN) | BIT(OP_READY) | ENDS},
	[OP_READY] = {"ready", BIT(OP_READY) | BIT(OP_COMPUTING) | ENDS},
	[OP_COMPUTING] = {"computing", BIT(OP_COMPUTING) | BIT(OP_ANSWERED) | BIT(OP_DONE) | ENDS},
	[OP_ANSWERED] = {"answered", BIT(OP_ANSWERED) | BIT(OP_SENDING) | BIT(OP_DONE) | ENDS},
	[OP_SENDING] = {"sending", BIT(OP_SENDING) | BIT(OP_ANSWERED) | BIT(OP_DONE) | ENDS},
	[OP_DONE] = {"done", 0},
	[OP_REFUSED] = {"refused", 0},
	[OP_FAILED] = {"failed", 0},
	[OP_ABORTED] = {"aborted", 0},
	[OP_EXPIRED] = {"expired", 0},
};

static const char *const kinds[] = {
	[OP_KIND_PUBLIC_DECRYPTION] = "public_decryption_request",
	[OP_KIND_USER_DECRYPTION] = "user_decryption_request",
	[OP_KIND_PREP_KEYGEN] = "prep_keygen_request",
	[OP_KIND_KEYGEN] = "keygen_request",
	[OP_KIND_CRSGEN] = "crsgen_request",
	[OP_KIND_NEW_CONTEXT] = "new_kms_context",
	[OP_KIND_NEW_EPOCH] = "new_kms_epoch",
	[OP_KIND_ABORT_KEYGEN] = "abort_keygen_request",
	[OP_KIND_ABORT_CRSGEN] = "abort_crsgen_request",
	[OP_KIND_CONTEXT_DESTROYED] = "kms_context_destroyed",
	[OP_KIND_EPOCH_DESTROYED] = "kms_epoch_destroyed",
	[OP_KIND_PRSS_INIT] = "prss_init",
	[OP_KIND_KEY_RESHARE] = "key_reshare_same_set",
};

const char *op_state_name(enum op_state s)
{
	return s >= OP_SEEN && (size_t)s < ARRAY_LEN(states) ? states[s].name : "unknown";
}

enum err op_state_from_name(enum op_state *ret_state, struct bytes name)
{
	for (size_t s = OP_SEEN; s < ARRAY_LEN(states); s++)
		if (bytes_eq_var(name, bytes_str(states[s].name))) {
			*ret_state = (enum op_state)s;
			return ERR_OK;
		}
	return ERR_MALFORMED;
}

const char *op_kind_name(enum op_kind k)
{
	return k >= OP_KIND_PUBLIC_DECRYPTION && (size_t)k < ARRAY_LEN(kinds) ? kinds[k]
									      : "unknown";
}

enum err op_kind_from_name(enum op_kind *ret_kind, struct bytes name)
{
	for (size_t k = OP_KIND_PUBLIC_DECRYPTION; k < ARRAY_LEN(kinds); k++)
		if (bytes_eq_var(name, bytes_str(kinds[k]))) {
			*ret_kind = (enum op_kind)k;
			return ERR_OK;
		}
	return ERR_MALFORMED;
}

bool op_state_terminal(enum op_state s)
{
	return s >= OP_DONE;
}

bool op_may_move(enum op_state from, enum op_state to)
{
	if (from < OP_SEEN || (size_t)from >= ARRAY_LEN(states) || to < OP_SEEN ||
	    (size_t)to >= ARRAY_LEN(states))
		return false;
	return (states[from].to & BIT(to)) != 0;
}

/* ---- SQL ---- */

#define COLUMNS                                                                                    \
	"id, chain, contract, kind, request_id, content_digest, state, block, block_hash, "        \
	"tx_hash, log_index,"                                                                      \
	" content, materials, proof, answer, error, reason, attempts, deferrals, created_ms, "     \
	"updated_ms, due_ms,"                                                                      \
	" refused_since_ms, traceparent"
enum {
	COLUMNS_N = 24
};

#define LIVE "'seen','ready','computing','answered','sending'"

const char op_select_sql[] = "SELECT " COLUMNS " FROM operation ";

/*
 * A known row that is still alive learns the materials that its other event form carries, and the
 * block it is in now. Two logs of one transaction do not overwrite each other's place: only another
 * block does.
 */
/* A withdrawn row that is included again begins anew. */
#define BACK(column, value)                                                                        \
	" " column " = CASE WHEN operation.state = 'aborted' THEN " value                          \
	" ELSE operation." column " END,"

static const char insert_sql[] =
	"INSERT INTO operation (chain, contract, kind, request_id, content_digest, state, block, "
	"block_hash, tx_hash,"
	" log_index, content, materials, proof, answer, error, reason, attempts, deferrals, "
	"created_ms, updated_ms,"
	" due_ms, refused_since_ms, lease_owner, lease_until_ms, traceparent)"
	" SELECT $1, $2, $3, $4, $5, 'seen', $6, $7, $8, $9, $10, $11, $12, $12, '', '', 0, 0, "
	"$13, $13, 0, 0, NULL, 0, $14 WHERE NOT EXISTS (SELECT 1 FROM operation_gone g"
	" WHERE g.request_id = $4 AND g.content_digest = $5 AND g.chain = $1 AND g.contract = $2"
	" AND g.kind = $3)"
	" ON CONFLICT (chain, contract, kind, request_id, content_digest) DO UPDATE SET"
	" materials = CASE WHEN length(operation.materials) = 0 THEN excluded.materials ELSE "
	"operation.materials END,"
	" block = CASE WHEN operation.block_hash <> excluded.block_hash THEN excluded.block ELSE "
	"operation.block END,"
	" tx_hash = CASE WHEN operation.block_hash <> excluded.block_hash THEN excluded.tx_hash"
	" ELSE operation.tx_hash END,"
	" log_index = CASE WHEN operation.block_hash <> excluded.block_hash THEN excluded.log_index"
	" ELSE operation.log_index END,"
	" block_hash = excluded.block_hash,"
	" updated_ms = excluded.updated_ms," BACK("state", "'seen'") BACK(
		"proof", "excluded.proof") BACK("error", "''") BACK("reason", "''")
		BACK("attempts", "0") BACK("deferrals", "0") BACK(
			"due_ms",
			"0") " refused_since_ms = CASE WHEN operation.state = 'aborted' THEN 0 ELSE"
			     " operation.refused_since_ms END"
			     " WHERE (operation.state IN (" LIVE
			     ") AND (operation.block_hash <> excluded.block_hash"
			     " OR (length(operation.materials) = 0 AND length(excluded.materials) "
			     "> 0)))"
			     " OR (operation.state = 'aborted' AND operation.error = "
			     "'" OP_ERROR_ORPHANED "')";

/* No answer yet: what is on its way to the chain, or there, ends as it ends. */
static const char withdraw_sql[] =
	"UPDATE operation SET state = 'aborted', error = '" OP_ERROR_ORPHANED "',"
	" reason = 'its block is no longer part of the chain', lease_owner = NULL,"
	" lease_until_ms = 0, updated_ms = $3"
	" WHERE chain = $1 AND block > $2 AND state IN ('seen','ready','computing')";

/*
 * In the order of an index, each of which is named by its condition, word for word. Of one chain
 * only what is answered is claimed.
 */
#define CLAIM(of)                                                                                  \
	"UPDATE operation SET lease_owner = $1, lease_until_ms = $2 WHERE id IN"                   \
	" (SELECT id FROM operation WHERE" of " AND due_ms <= $3 AND lease_until_ms <= $3"         \
	" ORDER BY due_ms, id LIMIT $4" STORE_CLAIM ") RETURNING " COLUMNS

static const char claim_sql[] = CLAIM(" state = $5 AND state IN (" LIVE ")");
static const char claim_answered_sql[] = CLAIM(" chain = $5 AND state = 'answered'");

/* Rows with a lease are few, whatever their state: only live ones have one. */
static const char release_all_sql[] =
	"UPDATE operation SET lease_owner = NULL, lease_until_ms = 0 WHERE lease_owner IS NOT NULL";

static const char release_others_sql[] =
	"UPDATE operation SET lease_owner = NULL, lease_until_ms = 0 WHERE"
	" lease_owner IS NOT NULL AND lease_owner <> $1";

static const char release_own_sql[] =
	"UPDATE operation SET lease_owner = NULL, lease_until_ms = 0 WHERE lease_owner = $1";

static const char renew_sql[] = "UPDATE operation SET lease_until_ms = $3 WHERE id = $1"
				" AND state IN (" LIVE ") AND lease_owner = $2";

static const char next_due_sql[] =
	"SELECT min(due_ms) FROM operation WHERE state = $1 AND state IN (" LIVE ") AND due_ms > "
	"$2";
static const char next_answered_sql[] =
	"SELECT min(due_ms) FROM operation WHERE chain = $1 AND state = 'answered' AND due_ms > $2";

#define SAME " o.chain = $1 AND o.contract = $2 AND o.kind = "

static const char siblings_sql[] =
	"SELECT (SELECT count(*) FROM given_id o WHERE" SAME "$3 AND o.request_id = $4"
	" AND o.content_digest <> $5),"
	" (SELECT count(*) FROM operation o WHERE" SAME "$6 AND o.request_id = $7)";

/* The first one has it: of two that come at once the second waits for the first one's commit. */
static const char give_id_sql[] =
	"INSERT INTO given_id (chain, contract, kind, request_id, content_digest)"
	" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (chain, contract, kind, request_id)"
	" DO UPDATE SET content_digest = excluded.content_digest"
	" WHERE given_id.content_digest = excluded.content_digest";

/* `sending` has a nonce, and `answered` is the sender's. */
#define ABORT(which)                                                                               \
	"UPDATE operation SET state = 'aborted', error = '', reason = $5, updated_ms = $6,"        \
	" lease_owner = NULL, lease_until_ms = 0 WHERE chain = $1 AND contract = $2 AND kind = $3" \
	" AND state IN (" LIVE ") AND state IN ('seen','ready','computing') AND " which

static const char abort_sql[] = ABORT("request_id = $4");
static const char abort_by_content_sql[] = ABORT("substr(content, 2, 32) = $4");

static const char move_sql[] =
	"UPDATE operation SET state = $4, proof = coalesce($5, proof), answer = coalesce($6, "
	"answer),"
	" error = coalesce($7, error), reason = coalesce($8, reason), due_ms = $9,"
	" refused_since_ms = CASE WHEN $10 < 0 THEN refused_since_ms ELSE $10 END,"
	" attempts = attempts + $11, deferrals = CASE WHEN $4 = $2 THEN deferrals + $12 ELSE 0 "
	"END, updated_ms = $13,"
	" lease_owner = CASE WHEN $14 = 1 THEN NULL ELSE lease_owner END,"
	" lease_until_ms = CASE WHEN $14 = 1 THEN 0 ELSE lease_until_ms END"
	" WHERE id = $1 AND state = $2 AND lease_owner = $3";

/* ---- statements ---- */

static struct store_value text_of(struct bytes b)
{
	return b.p ? (struct store_value){.type = STORE_TEXT, .b = b} : store_null();
}

/* An empty blob is not NULL. */
static struct store_value blob_of(struct bytes b)
{
	return store_blob(b.p ? b : bytes_from("", 0));
}

static struct store_value blob_or_null(struct bytes b)
{
	return b.p ? store_blob(b) : store_null();
}

enum err op_add_insert(struct store_batch *b, const struct operation *op, int64_t now_ms)
{
	uint8_t request_id[32];

	if (op->key.chain.v > INT64_MAX || op->block.v > INT64_MAX || op->log_index > INT64_MAX)
		return ERR_RANGE;
	u256_to_be(request_id, op->key.request_id);
	return STORE_ADD(
		b, STORE_ANY, insert_sql, store_int((int64_t)op->key.chain.v),
		store_blob(BYTES_OF(op->key.contract.b)), store_text(op_kind_name(op->key.kind)),
		store_blob(BYTES_OF(request_id)), store_blob(BYTES_OF(op->key.content_digest.b)),
		store_int((int64_t)op->block.v), store_blob(BYTES_OF(op->block_hash.b)),
		store_blob(BYTES_OF(op->tx_hash.b)), store_int((int64_t)op->log_index),
		blob_of(op->content), blob_of(op->materials), blob_of(BYTES_NONE),
		store_int(now_ms), op->traceparent.p ? text_of(op->traceparent) : store_text(""));
}

enum err op_add_withdraw(struct store_batch *b, struct chain_id chain, struct block_number after,
			 int64_t now_ms)
{
	if (after.v > INT64_MAX)
		return ERR_RANGE;
	TRY(audit_add_withdraw(b, chain, after, now_ms));
	return STORE_ADD(b, STORE_ANY, withdraw_sql, store_int((int64_t)chain.v),
			 store_int((int64_t)after.v), store_int(now_ms));
}

enum err op_add_claim(struct store_batch *b, enum op_state state, const char *owner, int64_t now_ms,
		      int64_t lease_until_ms, unsigned limit)
{
	if (op_state_terminal(state) || lease_until_ms <= now_ms)
		return ERR_RANGE;
	return STORE_ADD(b, STORE_ANY, claim_sql, store_text(owner), store_int(lease_until_ms),
			 store_int(now_ms), store_int(limit), store_text(op_state_name(state)));
}

enum err op_add_claim_answered(struct store_batch *b, struct chain_id chain, const char *owner,
			       int64_t now_ms, int64_t lease_until_ms, unsigned limit)
{
	if (lease_until_ms <= now_ms || chain.v > INT64_MAX)
		return ERR_RANGE;
	return STORE_ADD(b, STORE_ANY, claim_answered_sql, store_text(owner),
			 store_int(lease_until_ms), store_int(now_ms), store_int(limit),
			 store_int((int64_t)chain.v));
}

enum err op_add_siblings(struct store_batch *b, const struct operation *op, enum op_kind abort_kind,
			 struct u256 related)
{
	uint8_t id[32], other[32];

	u256_to_be(id, op->key.request_id);
	u256_to_be(other, related);
	return STORE_ADD(b, STORE_ANY, siblings_sql, store_int((int64_t)op->key.chain.v),
			 store_blob(BYTES_OF(op->key.contract.b)),
			 store_text(op_kind_name(op->key.kind)), store_blob(BYTES_OF(id)),
			 store_blob(BYTES_OF(op->key.content_digest.b)),
			 store_text(op_kind_name(abort_kind)), store_blob(BYTES_OF(other)));
}

enum err op_add_give_id(struct store_batch *b, const struct operation *op)
{
	uint8_t id[32];

	u256_to_be(id, op->key.request_id);
	return STORE_ADD(b, STORE_ONE, give_id_sql, store_int((int64_t)op->key.chain.v),
			 store_blob(BYTES_OF(op->key.contract.b)),
			 store_text(op_kind_name(op->key.kind)), store_blob(BYTES_OF(id)),
			 store_blob(BYTES_OF(op->key.content_digest.b)));
}

enum err op_add_abort(struct store_batch *b, const struct operation *abort, enum op_kind kind,
		      bool by_content, const char *reason, int64_t now_ms)
{
	uint8_t id[32];

	u256_to_be(id, abort->key.request_id);
	return STORE_ADD(b, STORE_ANY, by_content ? abort_by_content_sql : abort_sql,
			 store_int((int64_t)abort->key.chain.v),
			 store_blob(BYTES_OF(abort->key.contract.b)),
			 store_text(op_kind_name(kind)), store_blob(BYTES_OF(id)),
			 store_text(reason), store_int(now_ms));
}

enum err op_add_release_all(struct store_batch *b)
{
	return STORE_ADD(b, STORE_ANY, release_all_sql);
}

enum err op_add_release_others(struct store_batch *b, const char *owner)
{
	return STORE_ADD(b, STORE_ANY, release_others_sql, store_text(owner));
}

enum err op_add_release_own(struct store_batch *b, const char *owner)
{
	return STORE_ADD(b, STORE_ANY, release_own_sql, store_text(owner));
}

enum err op_add_renew(struct store_batch *b, int64_t id, const char *owner, int64_t lease_until_ms)
{
	return STORE_ADD(b, STORE_ANY, renew_sql, store_int(id), store_text(owner),
			 store_int(lease_until_ms));
}

enum err op_add_next_due(struct store_batch *b, enum op_state state, int64_t now_ms)
{
	return STORE_ADD(b, STORE_ANY, next_due_sql, store_text(op_state_name(state)),
			 store_int(now_ms));
}

enum err op_add_next_answered(struct store_batch *b, struct chain_id chain, int64_t now_ms)
{
	return STORE_ADD(b, STORE_ANY, next_answered_sql, store_int((int64_t)chain.v),
			 store_int(now_ms));
}

/*
 * Text for a person, at most REASON_SIZE_MAX bytes, cut between characters. It may quote anybody,
 * or have been cut by snprintf, and the store takes nothing but UTF-8.
 */
static struct bytes printable(char out[REASON_SIZE_MAX], struct bytes text)
{
	size_t n = 0;

	if (!text.p)
		return BYTES_NONE;
	for (size_t at = 0; at < text.n;) {
		size_t step = bytes_utf8_step(bytes_sub(text, at, text.n - at));
		bool bad = step == 0 || text.p[at] < ' ' || text.p[at] == 0x7f;

		if (n + (bad ? 1 : step) > REASON_SIZE_MAX)
			break;
		if (bad)
			out[n++] = '?';
		else
			memcpy(&out[n], &text.p[at], step);
		n += bad ? 0 : step;
		at += bad ? 1 : step;
	}
	return bytes_from(out, n);
}

/* Why a row ends, if nobody said it: better than nothing. */
static struct bytes reason_of(const struct op_change *change, enum op_state to)
{
	if (change->reason.n > 0 || (BIT(to) & ENDS) == 0)
		return change->reason;
	return change->error.n > 0 ? change->error : bytes_str(op_state_name(to));
}

enum err op_add_move(struct store_batch *b, int64_t id, enum op_state from, const char *owner,
		     const struct op_change *change, int64_t now_ms)
{
	enum op_state to = change->to != 0 ? change->to : from;
	bool release = change->release || op_state_terminal(to);
	int64_t since_ms = change->refusals_over          ? 0
			   : change->refused_since_ms > 0 ? change->refused_since_ms
							  : -1;
	char reason[REASON_SIZE_MAX], error[REASON_SIZE_MAX];

	if (!op_may_move(from, to))
		return ERR_RANGE;
	TRY(STORE_ADD(b, STORE_ONE, move_sql, store_int(id), store_text(op_state_name(from)),
		      store_text(owner), store_text(op_state_name(to)), blob_or_null(change->proof),
		      blob_or_null(change->answer), text_of(printable(error, change->error)),
		      text_of(printable(reason, reason_of(change, to))), store_int(change->due_ms),
		      store_int(since_ms), store_int(change->attempt_failed ? 1 : 0),
		      store_int(change->deferred ? 1 : 0), store_int(now_ms),
		      store_int(release ? 1 : 0)));
	return audit_add_move(b, id, from, change, now_ms);
}

/* ---- rows ---- */

/* A cursor over cells that latches: every getter gives zero after the first surprise. */
struct cells {
	const struct store_value *v;
	size_t n, at;
	bool bad;
};

static const struct store_value *cell_next(struct cells *c, enum store_type type)
{
	static const struct store_value none;

	if (c->bad || c->at >= c->n || c->v[c->at].type != type) {
		c->bad = true;
		return &none;
	}
	return &c->v[c->at++];
}

static int64_t cell_int(struct cells *c)
{
	return cell_next(c, STORE_INT)->i;
}

static uint64_t cell_u64(struct cells *c)
{
	int64_t v = cell_int(c);

	c->bad |= v < 0;
	return v < 0 ? 0 : (uint64_t)v;
}

static void cell_fixed(struct cells *c, uint8_t *out, size_t n)
{
	struct bytes b = cell_next(c, STORE_BLOB)->b;

	c->bad |= b.n != n;
	if (!c->bad)
		memcpy(out, b.p, n);
}

enum err op_from_row(struct operation *ret_op, const struct store_value *cells, size_t n)
{
	struct cells c = {.v = cells, .n = n};
	struct operation op = {0};
	uint8_t request_id[32] = {0};

	op.id = cell_int(&c);
	op.key.chain.v = cell_u64(&c);
	cell_fixed(&c, op.key.contract.b, sizeof(op.key.contract.b));
	c.bad |= op_kind_from_name(&op.key.kind, cell_next(&c, STORE_TEXT)->b) != ERR_OK;
	cell_fixed(&c, request_id, sizeof(request_id));
	op.key.request_id = u256_from_be(request_id);
	cell_fixed(&c, op.key.content_digest.b, sizeof(op.key.content_digest.b));
	c.bad |= op_state_from_name(&op.state, cell_next(&c, STORE_TEXT)->b) != ERR_OK;
	op.block.v = cell_u64(&c);
	cell_fixed(&c, op.block_hash.b, sizeof(op.block_hash.b));
	cell_fixed(&c, op.tx_hash.b, sizeof(op.tx_hash.b));
	op.log_index = cell_u64(&c);
	op.content = cell_next(&c, STORE_BLOB)->b;
	op.materials = cell_next(&c, STORE_BLOB)->b;
	op.proof = cell_next(&c, STORE_BLOB)->b;
	op.answer = cell_next(&c, STORE_BLOB)->b;
	op.error = cell_next(&c, STORE_TEXT)->b;
	op.reason = cell_next(&c, STORE_TEXT)->b;
	op.attempts = cell_int(&c);
	op.deferrals = cell_int(&c);
	op.created_ms = cell_int(&c);
	op.updated_ms = cell_int(&c);
	op.due_ms = cell_int(&c);
	op.refused_since_ms = cell_int(&c);
	op.traceparent = cell_next(&c, STORE_TEXT)->b;
	if (c.bad || c.at != COLUMNS_N || op.id <= 0 || op.attempts < 0 || op.deferrals < 0)
		return ERR_CORRUPT;
	*ret_op = op;
	return ERR_OK;
}
