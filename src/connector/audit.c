/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Records and what links them. */
#include "connector/audit.h"

#include "crypto/sha.h"

enum {
	HASHED_MAX = 64 << 10,
	CONFIG_TEXT_MAX = 1 << 20
};

static const char insert_move_sql[] = "INSERT INTO audit (at_ms, event, detail, ref, chain, "
				      "request_id, content_digest)"
				      " SELECT $2, $3, $4, $5, chain, request_id, content_digest"
				      " FROM operation WHERE id = $1";

static const char insert_sql[] = "INSERT INTO audit (at_ms, event, detail, ref, chain, "
				 "request_id, content_digest)"
				 " VALUES ($1, $2, $3, $4, $5, x'', x'')";

static const char insert_withdraw_sql[] =
	"INSERT INTO audit (at_ms, event, detail, ref, chain, request_id, content_digest)"
	" SELECT $3, 'withdrawn', '', x'', chain, request_id, content_digest FROM operation"
	" WHERE chain = $1 AND block > $2 AND state IN ('seen','ready','computing')";

static struct store_value blob(struct bytes b)
{
	return store_blob(b.p ? b : bytes_from("", 0));
}

/* What a move is called; NULL: not worth a record. */
static const char *event_of(enum op_state from, enum op_state to)
{
	static const char *const names[] = {
		[OP_READY] = "permitted",   [OP_COMPUTING] = "core_asked",
		[OP_ANSWERED] = "answered", [OP_SENDING] = "sending",
		[OP_DONE] = "done",         [OP_REFUSED] = "refused",
		[OP_FAILED] = "failed",     [OP_ABORTED] = "aborted",
		[OP_EXPIRED] = "expired",
	};

	if (to == 0 || to == from || (size_t)to >= ARRAY_LEN(names))
		return NULL;
	return from == OP_SENDING && to == OP_ANSWERED ? "transaction_without_effect" : names[to];
}

/* Error names are ours; a text that is none is left out. */
static struct bytes detail_of(struct bytes error)
{
	for (size_t i = 0; i < error.n; i++)
		if (error.p[i] != '_' && (error.p[i] < 'a' || error.p[i] > 'z'))
			return BYTES_NONE;
	return error.n <= 40 ? error : BYTES_NONE;
}

enum err audit_add_move(struct store_batch *b, int64_t id, enum op_state from,
			const struct op_change *change, int64_t now_ms)
{
	const char *event = event_of(from, change->to);
	struct bytes detail = detail_of(change->error);
	struct hash32 proof;
	bool proven = change->proof.n > 0;

	if (!event)
		return ERR_OK;
	if (proven)
		TRY(sha256(&proof, &change->proof, 1));
	return STORE_ADD(b, STORE_ONE, insert_move_sql, store_int(id), store_int(now_ms),
			 store_text(event),
			 (struct store_value){.type = STORE_TEXT,
					      .b = detail.p ? detail : bytes_from("", 0)},
			 blob(proven ? BYTES_OF(proof.b) : BYTES_NONE));
}

enum err audit_add_withdraw(struct store_batch *b, struct chain_id chain, struct block_number after,
			    int64_t now_ms)
{
	return STORE_ADD(b, STORE_ANY, insert_withdraw_sql, store_int((int64_t)chain.v),
			 store_int((int64_t)after.v), store_int(now_ms));
}

enum err audit_add_tx(struct store_batch *b, int64_t operation, struct chain_id chain,
		      struct hash32 tx, int64_t now_ms)
{
	if (operation != 0)
		return STORE_ADD(b, STORE_ONE, insert_move_sql, store_int(operation),
				 store_int(now_ms), store_text("transaction_signed"),
				 store_text(""), blob(BYTES_OF(tx.b)));
	return STORE_ADD(b, STORE_ONE, insert_sql, store_int(now_ms),
			 store_text("transaction_signed"), store_text("fills_gap"),
			 blob(BYTES_OF(tx.b)), store_int((int64_t)chain.v));
}

enum err audit_add_event(struct store_batch *b, const char *event, const char *detail,
			 struct bytes ref, int64_t now_ms)
{
	return STORE_ADD(b, STORE_ONE, insert_sql, store_int(now_ms), store_text(event),
			 store_text(detail), blob(ref), store_int(0));
}

/* ---- hashes ---- */

static enum err add_text(struct buf *out, struct bytes b)
{
	TRY(buf_add_u64be(out, b.n));
	return buf_add(out, b);
}

enum err audit_record_hash(struct hash32 *ret_hash, struct hash32 before, int64_t seq,
			   const struct audit_record *r)
{
	CLEANUP(buf_free) struct buf all = buf_make(HASHED_MAX);

	TRY(buf_add_str(&all, "claviger audit 1\n"));
	TRY(buf_add(&all, BYTES_OF(before.b)));
	TRY(buf_add_u64be(&all, (uint64_t)seq));
	TRY(buf_add_u64be(&all, (uint64_t)r->at_ms));
	TRY(add_text(&all, r->event));
	TRY(add_text(&all, r->detail));
	TRY(add_text(&all, r->ref));
	TRY(buf_add_u64be(&all, (uint64_t)r->chain));
	TRY(add_text(&all, r->request_id));
	TRY(add_text(&all, r->content_digest));

	const struct bytes view = buf_view(&all);

	return sha256(ret_hash, &view, 1);
}

enum err audit_record_read(struct audit_record *ret, const struct store_value *cells)
{
	static const enum store_type types[AUDIT_COLUMNS_N] = {
		STORE_INT, STORE_TEXT, STORE_TEXT, STORE_BLOB, STORE_INT, STORE_BLOB, STORE_BLOB};

	for (size_t i = 0; i < AUDIT_COLUMNS_N; i++)
		if (cells[i].type != types[i])
			return ERR_CORRUPT;
	*ret = (struct audit_record){
		.at_ms = cells[0].i,
		.event = cells[1].b,
		.detail = cells[2].b,
		.ref = cells[3].b,
		.chain = cells[4].i,
		.request_id = cells[5].b,
		.content_digest = cells[6].b,
	};
	return ERR_OK;
}

/* ---- configuration ---- */

static enum err add_field(struct buf *out, const struct config_row *r, const uint8_t *field)
{
	const struct config_strings *list;
	const char *text;
	const json_t *json;
	int64_t number;

	switch (r->type) {
	case CONFIG_STRING:
	case CONFIG_URL:
	case CONFIG_RPC_URL:
	case CONFIG_ENDPOINT:
		memcpy(&text, field, sizeof(text));
		return add_text(out, text ? bytes_str(text) : BYTES_NONE);
	case CONFIG_U64:
	case CONFIG_DURATION:
		memcpy(&number, field, sizeof(number));
		return buf_add_u64be(out, (uint64_t)number);
	case CONFIG_BOOL:
		return buf_add_u8(out, *field);
	case CONFIG_ADDRESS:
		return buf_add(out, bytes_from(field, sizeof(struct address)));
	case CONFIG_STRINGS:
		list = (const struct config_strings *)(const void *)field;
		for (size_t i = 0; i < list->n; i++)
			TRY(add_text(out, bytes_str(list->v[i])));
		return buf_add_u64be(out, list->n);
	case CONFIG_JSON:
		memcpy(&json, field, sizeof(json));
		return json ? json_print(out, json) : ERR_OK;
	case CONFIG_SECRET32:
	case CONFIG_SECRET_TEXT:
		break;
	}
	return ERR_OK;
}

enum err audit_config_digest(struct hash32 *ret_digest, const struct connector_config *c)
{
	CLEANUP(buf_free) struct buf all = buf_make(CONFIG_TEXT_MAX);

	for (size_t i = 0; i < connector_config.rows_n; i++) {
		const struct config_row *r = &connector_config.rows[i];

		TRY(add_text(&all, bytes_str(r->path)));
		TRY(add_field(&all, r, bytes_sub(bytes_from(c, sizeof(*c)), r->offset, 1).p));
	}

	const struct bytes view = buf_view(&all);

	return sha256(ret_digest, &view, 1);
}
