/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Table tx: one row per nonce. */
#include "connector/audit.h"
#include "connector/sender/internal.h"

#define OPEN "'signed','broadcast','included','far'"
#define LIVE "'seen','ready','computing','answered','sending'"
/* Word for word the condition of index tx_open, or SQLite does not use it. */
#define INDEX " tx.state IN ('allocated','signed','broadcast','included','far','free')"
#define OURS  " chain = $1 AND account = $2 AND nonce = $3"

/* ---- a start ---- */

static const char back_sql[] =
	"UPDATE operation SET state = 'answered', lease_owner = NULL, lease_until_ms = 0, due_ms = "
	"0, updated_ms = $3"
	" WHERE chain = $1 AND state = $2 AND state IN (" LIVE ")"
	" AND NOT EXISTS (SELECT 1 FROM tx WHERE tx.operation = operation.id AND tx.state IN (" OPEN
	"))";

static const char free_sql[] =
	"UPDATE tx SET state = 'free', operation = NULL, updated_ms = $2"
	" WHERE chain = $1 AND state = 'allocated' AND" INDEX
	" AND NOT EXISTS (SELECT 1 FROM operation"
	" WHERE operation.id = tx.operation AND operation.state = 'sending')";

/*
 * Only a sender claims these: whoever had them is none any more. Found by their lease, of which
 * there are few; the state is written so that no index of it offers itself.
 */
static const char unclaim_sql[] =
	"UPDATE operation SET lease_owner = NULL, lease_until_ms = 0"
	" WHERE lease_owner IS NOT NULL AND chain = $1 AND state || '' = $2";

static const char lease_sql[] = "UPDATE operation SET lease_owner = $3, lease_until_ms = $4"
				" WHERE chain = $1 AND state = $2 AND state IN (" LIVE ")";

static const char open_sql[] =
	"SELECT tx.nonce, tx.account, tx.state, tx.raw, tx.hash, o.id, o.created_ms, o.deferrals, "
	"o.request_id, o.kind"
	" FROM tx LEFT JOIN operation o ON o.id = tx.operation AND o.state = 'sending' AND "
	"o.lease_owner = $2"
	" WHERE tx.chain = $1 AND tx.state IN (" OPEN ") AND" INDEX " ORDER BY tx.nonce";

static const char free_list_sql[] =
	"SELECT nonce FROM tx WHERE chain = $1 AND account = $2 AND state = 'free' AND" INDEX
	" ORDER BY nonce";

static const char versions_sql[] =
	"SELECT v.nonce, v.account, v.hash FROM tx JOIN tx_version v"
	" ON v.chain = tx.chain AND v.account = tx.account AND v.nonce = tx.nonce"
	" WHERE tx.chain = $1 AND tx.state IN (" OPEN ") AND" INDEX " ORDER BY v.nonce, v.version";

#define ENDED "'mined','reverted','lost'"

static const char max_sql[] =
	"SELECT nonce FROM tx WHERE chain = $1 AND account = $2 AND state <> 'far'"
	" ORDER BY nonce DESC LIMIT 1";

static const char ended_sql[] =
	"SELECT nonce FROM tx WHERE chain = $1 AND account = $2 AND state IN "
	"(" ENDED ") ORDER BY nonce DESC LIMIT 1";

enum {
	LOAD_BACK,
	LOAD_FREED,
	LOAD_UNCLAIMED,
	LOAD_LEASED,
	LOAD_OPEN,
	LOAD_VERSIONS,
	LOAD_FREE,
	LOAD_MAX,
	LOAD_ENDED,
	LOAD_CHECK,
	LOAD_N
};

enum err tx_add_load(struct store_batch *b, struct chain_id chain, struct address account,
		     const char *owner, int64_t now_ms, int64_t lease_until_ms)
{
	const struct store_value c = store_int((int64_t)chain.v);
	const struct store_value sending = store_text(op_state_name(OP_SENDING));
	const struct store_value a = store_blob(BYTES_OF(account.b));

	TRY(STORE_ADD(b, STORE_ANY, back_sql, c, sending, store_int(now_ms)));
	TRY(STORE_ADD(b, STORE_ANY, free_sql, c, store_int(now_ms)));
	TRY(STORE_ADD(b, STORE_ANY, unclaim_sql, c, store_text(op_state_name(OP_ANSWERED))));
	TRY(STORE_ADD(b, STORE_ANY, lease_sql, c, sending, store_text(owner),
		      store_int(lease_until_ms)));
	TRY(STORE_ADD(b, STORE_ANY, open_sql, c, store_text(owner)));
	TRY(STORE_ADD(b, STORE_ANY, versions_sql, c));
	TRY(STORE_ADD(b, STORE_ANY, free_list_sql, c, a));
	TRY(STORE_ADD(b, STORE_ANY, max_sql, c, a));
	return STORE_ADD(b, STORE_ANY, ended_sql, c, a);
}

/* A nonce + 1; 0 where there is none. */
static enum err end_of(uint64_t *ret_end, const struct store_rows *rows)
{
	const struct store_value *v = rows->rows_n > 0 ? store_cell(rows, 0, 0) : NULL;

	if (v && v->type == STORE_INT && v->i < 0)
		return ERR_CORRUPT;
	*ret_end = v && v->type == STORE_INT ? (uint64_t)v->i + 1 : 0;
	return ERR_OK;
}

enum err tx_load_read(struct tx_loaded *ret, const struct store_result *r)
{
	struct tx_loaded l = {0};

	CHECK(r->rows_n == LOAD_N);
	l.open = &r->rows[LOAD_OPEN];
	l.versions = &r->rows[LOAD_VERSIONS];
	l.free = &r->rows[LOAD_FREE];
	TRY(end_of(&l.stored_end, &r->rows[LOAD_MAX]));
	TRY(end_of(&l.ended_end, &r->rows[LOAD_ENDED]));
	for (size_t i = 0; i < l.free->rows_n; i++)
		if (store_cell(l.free, i, 0)->i < 0)
			return ERR_CORRUPT;
	*ret = l;
	return ERR_OK;
}

static bool fixed(uint8_t *out, size_t n, const struct store_value *v)
{
	if (v->type != STORE_BLOB || v->b.n != n)
		return false;
	memcpy(out, v->b.p, n);
	return true;
}

enum err tx_from_row(struct tx_row *ret, const struct store_rows *rows, size_t i)
{
	const struct store_value *c = store_cell(rows, i, 0);
	struct tx_row r = {.nonce = (uint64_t)c[0].i, .raw = c[3].b};
	uint8_t id[32];

	CHECK(rows->columns_n == 10);
	if (c[0].i < 0 || !fixed(r.account.b, sizeof(r.account.b), &c[1]) ||
	    !fixed(r.hash.b, sizeof(r.hash.b), &c[4]) || c[3].type != STORE_BLOB || r.raw.n == 0)
		return ERR_CORRUPT;
	r.broadcast = bytes_eq_var(c[2].b, bytes_str("broadcast"));
	r.far = bytes_eq_var(c[2].b, bytes_str("far"));
	r.has_operation = c[5].type == STORE_INT;
	if (r.has_operation) {
		if (!fixed(id, sizeof(id), &c[8]) || op_kind_from_name(&r.kind, c[9].b) != ERR_OK)
			return ERR_CORRUPT;
		r.op_id = c[5].i;
		r.op_created_ms = c[6].i;
		r.op_deferrals = c[7].i;
		r.request_id = u256_from_be(id);
	}
	*ret = r;
	return ERR_OK;
}

enum err tx_version_from_row(struct tx_version *ret, const struct store_rows *rows, size_t i)
{
	const struct store_value *c = store_cell(rows, i, 0);
	struct tx_version v = {.nonce = (uint64_t)c[0].i};

	CHECK(rows->columns_n == 3);
	if (c[0].i < 0 || !fixed(v.account.b, sizeof(v.account.b), &c[1]) ||
	    !fixed(v.hash.b, sizeof(v.hash.b), &c[2]))
		return ERR_CORRUPT;
	*ret = v;
	return ERR_OK;
}

/* ---- the chain's count of our transactions differs from ours ---- */

#define FORGOTTEN                                                                                  \
	" chain = $1 AND account = $2 AND nonce >= $3 AND nonce < $4 AND state IN (" ENDED ")"

/* What was signed once is sent again rather than another transaction: its bytes may be anywhere. */
static const char reopen_sql[] = "UPDATE tx SET state = CASE WHEN length(raw) > 0 THEN 'broadcast' "
				 "ELSE 'free' END, block = 0, block_hash = x'',"
				 " updated_ms = $5 WHERE" FORGOTTEN
				 " AND (SELECT count(*) FROM tx WHERE" FORGOTTEN ") <= $6";

static const char open_from_sql[] =
	"SELECT tx.nonce, tx.account, tx.state, tx.raw, tx.hash, o.id, o.created_ms, o.deferrals, "
	"o.request_id, o.kind"
	" FROM tx LEFT JOIN operation o ON o.id = tx.operation AND o.state = 'sending' AND "
	"o.lease_owner = $2"
	" WHERE tx.chain = $1 AND tx.account = $3 AND tx.nonce >= $4 AND tx.state IN (" OPEN
	") AND" INDEX " ORDER BY tx.nonce";

static const char free_from_sql[] =
	"SELECT nonce FROM tx WHERE chain = $1 AND account = $2 AND nonce >= $3"
	" AND state = 'free' AND" INDEX " ORDER BY nonce";

static const char far_sql[] =
	"UPDATE tx SET state = 'far', updated_ms = $4 WHERE" OURS " AND state IN (" OPEN ")";

static const char forget_free_sql[] = "DELETE FROM tx WHERE chain = $1 AND account = $2 AND nonce "
				      ">= $3 AND state = 'free' AND" INDEX;

static const char used_sql[] =
	"UPDATE tx SET state = 'lost', updated_ms = $4"
	" WHERE chain = $1 AND account = $2 AND nonce < $3 AND state = 'free' AND" INDEX;

enum err tx_add_reopen(struct store_batch *b, struct chain_id chain, struct address account,
		       uint64_t first, uint64_t end, unsigned limit, int64_t now_ms)
{
	return STORE_ADD(b, STORE_ANY, reopen_sql, store_int((int64_t)chain.v),
			 store_blob(BYTES_OF(account.b)), store_int((int64_t)first),
			 store_int((int64_t)end), store_int(now_ms), store_int(limit));
}

enum err tx_add_open_from(struct store_batch *b, struct chain_id chain, struct address account,
			  const char *owner, uint64_t nonce)
{
	const struct store_value c = store_int((int64_t)chain.v);
	const struct store_value a = store_blob(BYTES_OF(account.b));
	const struct store_value n = store_int((int64_t)nonce);

	TRY(STORE_ADD(b, STORE_ANY, open_from_sql, c, store_text(owner), a, n));
	TRY(STORE_ADD(b, STORE_ANY, free_from_sql, c, a, n));
	return STORE_ADD(b, STORE_ANY, versions_sql, c);
}

#define IN_A_BLOCK " state IN ('mined','reverted') AND length(block_hash) = 32 AND updated_ms > $4"

static const char mined_from_sql[] =
	"SELECT nonce, hash, block_hash FROM tx WHERE chain = $1 AND account = $2 AND nonce >= $3"
	" AND nonce < $5 AND" IN_A_BLOCK " ORDER BY nonce LIMIT $6";

static const char mined_before_sql[] =
	"SELECT nonce, hash, block_hash FROM tx WHERE chain = $1 AND account = $2 AND nonce < $3"
	" AND" IN_A_BLOCK " ORDER BY nonce DESC LIMIT 1";

enum err tx_add_mined_from(struct store_batch *b, const struct sender *s, uint64_t first,
			   uint64_t end, unsigned limit)
{
	return STORE_ADD(b, STORE_ANY, mined_from_sql, store_int((int64_t)s->chain.v),
			 store_blob(BYTES_OF(s->account.b)), store_int((int64_t)first),
			 store_int(sender_wall_ms(s) - MARK_AGE_MS), store_int((int64_t)end),
			 store_int(limit));
}

enum err tx_add_mined_before(struct store_batch *b, const struct sender *s, uint64_t end)
{
	return STORE_ADD(b, STORE_ANY, mined_before_sql, store_int((int64_t)s->chain.v),
			 store_blob(BYTES_OF(s->account.b)), store_int((int64_t)end),
			 store_int(sender_wall_ms(s) - MARK_AGE_MS));
}

enum err tx_mined_from_row(struct tx_mined *ret, const struct store_rows *rows, size_t i)
{
	const struct store_value *c = store_cell(rows, i, 0);
	struct tx_mined m = {.nonce = (uint64_t)c[0].i};

	CHECK(rows->columns_n == 3);
	if (c[0].i < 0 || !fixed(m.hash.b, sizeof(m.hash.b), &c[1]) ||
	    !fixed(m.block_hash.b, sizeof(m.block_hash.b), &c[2]))
		return ERR_CORRUPT;
	m.last = m.nonce;
	*ret = m;
	return ERR_OK;
}

enum err tx_add_far(struct store_batch *b, const struct job *j, int64_t now_ms)
{
	const struct store_value chain = store_int((int64_t)j->s->chain.v);
	const struct store_value account = store_blob(BYTES_OF(j->account.b));
	const struct store_value nonce = store_int((int64_t)j->nonce);

	TRY(STORE_ADD(b, STORE_ANY, forget_free_sql, chain, account, nonce));
	return STORE_ADD(b, STORE_ONE, far_sql, chain, account, nonce, store_int(now_ms));
}

enum err tx_add_used(struct store_batch *b, struct chain_id chain, struct address account,
		     uint64_t count, int64_t now_ms)
{
	return STORE_ADD(b, STORE_ANY, used_sql, store_int((int64_t)chain.v),
			 store_blob(BYTES_OF(account.b)), store_int((int64_t)count),
			 store_int(now_ms));
}

/* ---- one nonce's life ---- */

/*
 * A row `allocated` is taken over as well: it is one whose batch was reported as failed although it
 * reached the disk. It was never signed.
 */
static const char allocate_sql[] =
	"INSERT INTO tx (chain, account, nonce, operation, state, raw, hash, fee_max, "
	"priority_fee, "
	"gas, attempts, block, created_ms, updated_ms)"
	" VALUES ($1, $2, $3, $4, 'allocated', x'', x'', $5, $6, $7, 0, 0, $8, $8)"
	" ON CONFLICT (chain, account, nonce) DO UPDATE SET operation = excluded.operation, state "
	"= "
	"'allocated', raw = x'', hash = x'', fee_max = excluded.fee_max, priority_fee = "
	"excluded.priority_fee, gas = excluded.gas, attempts = 0, block = 0, block_hash = x'', "
	"updated_ms = "
	"excluded.updated_ms WHERE tx.state IN ('free','allocated')";

static const char signed_sql[] =
	"UPDATE tx SET state = 'signed', raw = $4, hash = $5, updated_ms = "
	"$6 WHERE" OURS " AND state = 'allocated'";

static const char mark_sql[] = "UPDATE tx SET state = $4, block = $5, updated_ms = $6 WHERE" OURS
			       " AND state IN ('signed','broadcast','included')";

/* Both versions are rows of their own before the newer one takes the place of the older. */
static const char first_version_sql[] =
	"INSERT INTO tx_version (chain, account, nonce, version, raw, hash, created_ms)"
	" SELECT tx.chain, tx.account, tx.nonce, 0, tx.raw, tx.hash, tx.created_ms FROM tx"
	" WHERE" OURS " ON CONFLICT (chain, account, nonce, hash) DO NOTHING";

static const char version_sql[] =
	"INSERT INTO tx_version (chain, account, nonce, version, raw, hash, created_ms)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7)"
	" ON CONFLICT (chain, account, nonce, hash) DO NOTHING";

static const char replace_sql[] =
	"UPDATE tx SET raw = $4, hash = $5, fee_max = $6, priority_fee = $7, attempts = $8,"
	" updated_ms = $9 WHERE" OURS " AND state IN (" OPEN ")";

/* An older version was mined: it is the transaction. */
static const char mined_sql[] =
	"UPDATE tx SET hash = $4, raw = coalesce((SELECT v.raw FROM tx_version v WHERE"
	" v.chain = $1 AND v.account = $2 AND v.nonce = $3 AND v.hash = $4), raw) WHERE" OURS;

static const char end_sql[] =
	"UPDATE tx SET state = $4, block = $5, block_hash = $6, updated_ms = $7 WHERE" OURS
	" AND state IN (" OPEN ")";

/* Unless another transaction of ours has answered it. */
static const char undone_sql[] =
	"UPDATE operation SET state = 'answered', error = $4, reason = $5, due_ms = 0,"
	" updated_ms = $6, lease_owner = NULL, lease_until_ms = 0"
	" WHERE id = (SELECT operation FROM tx WHERE" OURS ") AND state = 'done'"
	" AND length(answer) > 0 AND NOT EXISTS (SELECT 1 FROM tx WHERE"
	" tx.operation = operation.id AND tx.state = 'mined')";

static const char give_back_sql[] =
	"UPDATE tx SET state = 'free', operation = NULL, raw = x'', hash = x'', updated_ms = $4"
	" WHERE" OURS " AND state IN ('allocated','signed')";

static const char reverts_sql[] =
	"SELECT tx.operation, count(*) FROM operation o JOIN tx ON tx.operation = o.id"
	" WHERE o.lease_owner = $1 AND o.state || '' = $2 AND tx.state = 'reverted'"
	" GROUP BY tx.operation";

enum err tx_add_allocate(struct store_batch *b, const struct job *j, int64_t now_ms)
{
	uint8_t fee_max[32], priority[32];

	if (j->nonce > INT64_MAX || j->gas > INT64_MAX)
		return ERR_RANGE;
	u256_to_be(fee_max, j->fee_max.v);
	u256_to_be(priority, j->priority.v);
	return STORE_ADD(b, STORE_ONE, allocate_sql, store_int((int64_t)j->s->chain.v),
			 store_blob(BYTES_OF(j->account.b)), store_int((int64_t)j->nonce),
			 j->op_id != 0 ? store_int(j->op_id) : store_null(),
			 store_blob(BYTES_OF(fee_max)), store_blob(BYTES_OF(priority)),
			 store_int((int64_t)j->gas), store_int(now_ms));
}

enum err tx_add_signed(struct store_batch *b, const struct job *j, int64_t now_ms)
{
	TRY(audit_add_tx(b, j->op_id, j->s->chain, j->hash, now_ms));
	return STORE_ADD(b, STORE_ONE, signed_sql, store_int((int64_t)j->s->chain.v),
			 store_blob(BYTES_OF(j->account.b)), store_int((int64_t)j->nonce),
			 store_blob(buf_view(&j->raw)), store_blob(BYTES_OF(j->hash.b)),
			 store_int(now_ms));
}

enum err tx_add_mark(struct store_batch *b, const struct job *j, int64_t now_ms)
{
	return STORE_ADD(b, STORE_ANY, mark_sql, store_int((int64_t)j->s->chain.v),
			 store_blob(BYTES_OF(j->account.b)), store_int((int64_t)j->nonce),
			 store_text(j->included ? "included" : "broadcast"),
			 store_int(j->included ? (int64_t)j->block.v : 0), store_int(now_ms));
}

enum err tx_add_replace(struct store_batch *b, const struct job *j, int64_t now_ms)
{
	const struct store_value chain = store_int((int64_t)j->s->chain.v);
	const struct store_value account = store_blob(BYTES_OF(j->account.b));
	const struct store_value nonce = store_int((int64_t)j->nonce);
	const struct store_value raw = store_blob(buf_view(&j->next_raw));
	const struct store_value hash = store_blob(BYTES_OF(j->next_hash.b));
	const struct store_value version = store_int((int64_t)j->older_n + 1);
	uint8_t fee_max[32], priority[32];

	u256_to_be(fee_max, j->next_fee_max.v);
	u256_to_be(priority, j->next_priority.v);
	TRY(audit_add_tx(b, j->op_id, j->s->chain, j->next_hash, now_ms));
	TRY(STORE_ADD(b, STORE_ANY, first_version_sql, chain, account, nonce));
	TRY(STORE_ADD(b, STORE_ANY, version_sql, chain, account, nonce, version, raw, hash,
		      store_int(now_ms)));
	return STORE_ADD(b, STORE_ONE, replace_sql, chain, account, nonce, raw, hash,
			 store_blob(BYTES_OF(fee_max)), store_blob(BYTES_OF(priority)), version,
			 store_int(now_ms));
}

enum err tx_add_end(struct store_batch *b, const struct job *j, int64_t now_ms)
{
	static const char *const names[] = {
		[TX_MINED] = "mined", [TX_REVERTED] = "reverted", [TX_LOST] = "lost"};
	const struct store_value chain = store_int((int64_t)j->s->chain.v);
	const struct store_value account = store_blob(BYTES_OF(j->account.b));
	const struct store_value nonce = store_int((int64_t)j->nonce);

	if (j->end == TX_FREE)
		return STORE_ADD(b, STORE_ONE, give_back_sql, chain, account, nonce,
				 store_int(now_ms));
	if (j->end != TX_LOST && !hash32_eq(j->mined, j->hash))
		TRY(STORE_ADD(b, STORE_ANY, mined_sql, chain, account, nonce,
			      store_blob(BYTES_OF(j->mined.b))));
	return STORE_ADD(b, STORE_ONE, end_sql, chain, account, nonce, store_text(names[j->end]),
			 store_int((int64_t)j->block.v),
			 store_blob(j->end == TX_LOST ? BYTES_NONE : BYTES_OF(j->block_hash.b)),
			 store_int(now_ms));
}

enum err tx_add_undone(struct store_batch *b, const struct job *j, int64_t now_ms)
{
	return STORE_ADD(b, STORE_ANY, undone_sql, store_int((int64_t)j->s->chain.v),
			 store_blob(BYTES_OF(j->account.b)), store_int((int64_t)j->nonce),
			 store_text(err_name(ERR_STATE_MOVED)),
			 store_text("its transaction is not on the chain any more, or without "
				    "effect"),
			 store_int(now_ms));
}

enum err tx_add_reverts(struct store_batch *b, const char *owner)
{
	return STORE_ADD(b, STORE_ANY, reverts_sql, store_text(owner),
			 store_text(op_state_name(OP_ANSWERED)));
}
