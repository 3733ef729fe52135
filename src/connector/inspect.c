/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/inspect.h"

#include <inttypes.h>
#include <time.h>

#include "base/hex.h"
#include "connector/adapters/decryption.h"
#include "connector/config_file.h"
#include "connector/handle_index.h"
#include "connector/worker/proof.h"
#include "eth/text.h"

enum {
	PROOF_TEXT_MAX = 1 << 20,
	CONTENT_ARENA_MAX = 4 << 20,
	RESULTS_MAX = 1000 /* by one handle: the newest */
};

enum err inspect_id_parse(struct u256 *ret_id, struct bytes text)
{
	char hex[2 + 64 + 1] = "0x";
	bool letter = false;

	for (size_t i = 0; i < text.n; i++)
		letter |= (text.p[i] | 0x20) >= 'a' && (text.p[i] | 0x20) <= 'f';
	if (text.n > 64 || text.n == 0 || (text.n < 64 && !letter) ||
	    (text.n > 1 && (text.p[1] | 0x20) == 'x'))
		return u256_parse(ret_id, text);
	memcpy(&hex[2], text.p, text.n);
	return u256_parse(ret_id, bytes_from(hex, 2 + text.n));
}

/* ---- lines ---- */

struct printer {
	struct buf *out;
	const char *database;
	enum err err;
	size_t rows;
	struct err_note *note;
};

static void line(struct printer *p, const char *key, struct bytes value)
{
	if (p->err == ERR_OK)
		p->err = buf_addf(p->out, "%-12s  ", key);
	if (p->err == ERR_OK)
		p->err = value.n > 0 ? ERR_OK : buf_add_str(p->out, "-");
	/* Texts of the outside end up here: no byte of them moves the cursor. */
	for (size_t i = 0; p->err == ERR_OK && i < value.n; i++)
		p->err = buf_add_u8(p->out,
				    value.p[i] < ' ' || value.p[i] == 0x7f ? '?' : value.p[i]);
	if (p->err == ERR_OK)
		p->err = buf_add_u8(p->out, '\n');
}

static void line_str(struct printer *p, const char *key, const char *value)
{
	line(p, key, bytes_str(value));
}

static void line_int(struct printer *p, const char *key, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	line_str(p, key, text);
}

static void line_hash(struct printer *p, const char *key, struct hash32 value)
{
	char text[HASH_TEXT_SIZE];

	hash_to_text(text, value);
	line_str(p, key, text);
}

static void line_hex(struct printer *p, const char *key, struct bytes value)
{
	CLEANUP(buf_free) struct buf text = buf_make(CONTENT_ARENA_MAX);

	if (p->err == ERR_OK)
		p->err = hex_add(&text, value, true);
	line(p, key, buf_view(&text));
}

static void line_time(struct printer *p, const char *key, int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[40], whole[48];

	if (ms < 0 || !gmtime_r(&s, &tm) ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
		line_int(p, key, ms);
		return;
	}
	(void)snprintf(whole, sizeof(whole), "%s.%03dZ", text, (int)(ms % 1000));
	line_str(p, key, whole);
}

/* ---- parts ---- */

static void print_content(struct printer *p, enum op_kind kind, struct bytes content)
{
	CLEANUP(arena_free) struct arena arena = arena_make(CONTENT_ARENA_MAX);
	struct decryption_request request;
	char user[ADDRESS_TEXT_SIZE];

	if (decryption_request_decode(&arena, &request, kind, content) != ERR_OK) {
		line_str(p, "content", "cannot be read");
		return;
	}
	for (size_t i = 0; i < request.handles_n; i++)
		line_hash(p, "handle", request.handles[i]);
	line_hex(p, "extra data", request.extra_data);
	if (!request.user)
		return;
	address_to_text(user, request.user->user);
	line_str(p, "user", user);
}

static void print_proof(struct printer *p, struct bytes proof)
{
	CLEANUP(buf_free) struct buf text = buf_make(PROOF_TEXT_MAX);
	size_t begin = 0;

	if (proof.n == 0) {
		line_str(p, "proof", "nothing is proven");
		return;
	}
	if (proof_describe(&text, proof) != ERR_OK) {
		line_str(p, "proof", "cannot be read");
		return;
	}
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\n' || i + 1 == text.n) {
			size_t end = text.p[i] == '\n' ? i : i + 1;

			line(p, "proof", bytes_sub(buf_view(&text), begin, end - begin));
			begin = i + 1;
		}
}

static void on_tx(void *ctx, const struct store_value *cells, size_t n)
{
	struct printer *p = ctx;

	CHECK(n == 4);
	line(p, "tx state", cells[2].b);
	line_int(p, "tx nonce", cells[0].i);
	if (cells[1].b.n == 32)
		line_hex(p, "tx hash", cells[1].b);
	if (cells[3].i > 0)
		line_int(p, "tx block", cells[3].i);
}

static void print_transactions(struct printer *p, int64_t operation)
{
	const struct store_value arg = store_int(operation);
	enum err e = store_query(
		p->database, CONNECTOR_SCHEMA,
		"SELECT nonce, hash, state, block FROM tx WHERE operation = $1 ORDER BY nonce",
		&arg, 1, on_tx, p, p->note);

	if (p->err == ERR_OK)
		p->err = e;
}

static void on_operation(void *ctx, const struct store_value *cells, size_t n)
{
	struct printer *p = ctx;
	struct operation op;
	char decimal[U256_DEC_SIZE], contract[ADDRESS_TEXT_SIZE];
	uint8_t id[32];

	if (p->err == ERR_OK && p->rows++ > 0)
		p->err = buf_add_u8(p->out, '\n');
	if (p->err == ERR_OK)
		p->err = op_from_row(&op, cells, n);
	if (p->err != ERR_OK)
		return;
	u256_to_be(id, op.key.request_id);
	u256_to_dec(decimal, op.key.request_id);
	address_to_text(contract, op.key.contract);
	line_hex(p, "id", BYTES_OF(id));
	line_str(p, "decimal id", decimal);
	line_str(p, "state", op_state_name(op.state));
	line(p, "reason", op.reason);
	line(p, "error", op.error);
	line_str(p, "kind", op_kind_name(op.key.kind));
	line_int(p, "chain", (int64_t)op.key.chain.v);
	line_str(p, "contract", contract);
	print_content(p, op.key.kind, op.content);
	line_int(p, "block", (int64_t)op.block.v);
	line_hash(p, "event tx", op.tx_hash);
	line_int(p, "attempts", op.attempts);
	line_int(p, "deferrals", op.deferrals);
	line_time(p, "created", op.created_ms);
	line_time(p, "updated", op.updated_ms);
	if (!op_state_terminal(op.state) && op.due_ms > 0)
		line_time(p, "due", op.due_ms);
	print_proof(p, op.proof);
	print_transactions(p, op.id);
}

/* ---- finding ---- */

/* Rows whose content holds a handle. */
struct handle_search {
	struct hash32 handle;
	int64_t ids[RESULTS_MAX];
	size_t n;
};

static bool has_handle(enum op_kind kind, struct bytes content, struct hash32 handle)
{
	CLEANUP(arena_free) struct arena arena = arena_make(CONTENT_ARENA_MAX);
	struct decryption_request request;

	if (content.n == 0 || !memmem(content.p, content.n, handle.b, sizeof(handle.b)) ||
	    decryption_request_decode(&arena, &request, kind, content) != ERR_OK)
		return false;
	for (size_t i = 0; i < request.handles_n; i++)
		if (memcmp(request.handles[i].b, handle.b, sizeof(handle.b)) == 0)
			return true;
	return false;
}

static void on_content(void *ctx, const struct store_value *cells, size_t n)
{
	struct handle_search *s = ctx;
	enum op_kind kind;

	CHECK(n == 3);
	if (s->n < RESULTS_MAX && op_kind_from_name(&kind, cells[1].b) == ERR_OK &&
	    has_handle(kind, cells[2].b, s->handle))
		s->ids[s->n++] = cells[0].i;
}

static enum err print_where(struct printer *p, const char *condition,
			    const struct store_value *args, size_t args_n)
{
	CLEANUP(buf_free) struct buf sql = buf_make(4096);
	const char *statement;

	TRY(buf_addf(&sql, "%s WHERE %s ORDER BY id", op_select_sql, condition));
	TRY(buf_cstr(&sql, &statement));
	TRY(store_query(p->database, CONNECTOR_SCHEMA, statement, args, args_n, on_operation, p,
			p->note));
	if (p->err != ERR_OK)
		return err_prefix(p->note, p->err, "a row cannot be shown (%s)", err_name(p->err));
	return ERR_OK;
}

static enum err print_by_handle(struct printer *p, struct hash32 handle)
{
	struct handle_search s = {.handle = handle};

	const struct store_value arg = store_blob(BYTES_OF(handle.b));

	TRY(store_query(p->database, CONNECTOR_SCHEMA, handle_index_find_sql, &arg, 1, on_content,
			&s, p->note));
	while (s.n > 0) { /* oldest first */
		const struct store_value id = store_int(s.ids[--s.n]);

		TRY(print_where(p, "id = $1", &id, 1));
	}
	return ERR_OK;
}

enum err inspect_operations(struct buf *out, const char *database, struct bytes text,
			    struct err_note *note)
{
	struct printer p = {.out = out, .database = database, .note = note};
	struct u256 number;
	char shown[HASH_TEXT_SIZE];
	struct hash32 be;

	TRY(inspect_id_parse(&number, text));
	u256_to_be(be.b, number);
	const struct store_value arg = store_blob(BYTES_OF(be.b));

	TRY(print_where(&p, INSPECT_WHERE, &arg, 1));
	if (p.rows == 0 && text.n >= 64)
		TRY(print_by_handle(&p, be));
	if (p.rows > 0)
		return ERR_OK;
	hash_to_text(shown, be);
	return err_say(note, ERR_NOT_FOUND, "no operation has %s as its request id%s", shown,
		       text.n >= 64 ? ", handle or transaction" : "");
}
