/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* JSON-RPC 2.0 specification, section 5 "Response object"; revert data where the well-known nodes
 * put it. */
#include "eth/rpc.h"

#include "base/hex.h"
#include "base/limits.h"

enum {
	REVERT_DEPTH_MAX = 4, /* error.data.originalError.data */
};

static void say(struct provider_error *e, enum err err, const char *method, const char *what)
{
	e->err = err_say(&e->note, err, "%s: %s", method, what);
}

/* 429 and 5xx say "not now"; any other status may still carry a JSON-RPC error in its body. */
static bool status_is_transient(int status)
{
	return status == 429 || status >= 500;
}

static struct bytes text_of(const json_t *v)
{
	return bytes_from(json_string_value(v), json_string_length(v));
}

static void add_revert_text(struct buf *out, struct bytes text)
{
	static const struct bytes prefix = {(const uint8_t *)"Reverted ", 9};

	/* OpenEthereum's form */
	if (bytes_eq_var(bytes_sub(text, 0, prefix.n), prefix))
		text = bytes_sub(text, prefix.n, text.n - prefix.n);
	/* Text that is no hexadecimal is an explanation, not data. */
	if (text.n >= 2 && text.p[0] == '0' && text.p[1] == 'x' && hex_decode(out, text) != ERR_OK)
		buf_clear(out);
}

/* geth, anvil: error.data is the text; Hardhat and proxies nest objects around it. */
static void find_revert(struct buf *out, const json_t *data)
{
	for (int depth = 0; depth < REVERT_DEPTH_MAX && json_is_object(data); depth++) {
		const json_t *inner = json_object_get(data, "data");

		data = inner ? inner : json_object_get(data, "originalError");
	}
	if (json_is_string(data))
		add_revert_text(out, text_of(data));
}

static void read_error(struct rpc_reply *r, struct provider_error *e, const json_t *error,
		       const char *method)
{
	enum err err = ERR_OK;
	int64_t code = json_get_int(error, "code", &err);
	const json_t *message = json_object_get(error, "message");

	if (err != ERR_OK) {
		say(e, ERR_MALFORMED, method, "error without a code");
		return;
	}
	find_revert(&r->revert, json_object_get(error, "data"));
	e->rpc_code = code;
	e->rpc_message = json_is_string(message) ? json_string_value(message) : "";
	e->revert_data = buf_view(&r->revert);
	e->err = err_say(&e->note, ERR_REMOTE, "%s: the node answered %lld: %s", method,
			 (long long)code, e->rpc_message);
}

/* An error may come with a null id: the node could not read which request it was. */
static bool id_fits(const json_t *id, uint64_t want, bool is_error)
{
	if (json_is_integer(id))
		return json_integer_value(id) >= 0 && (uint64_t)json_integer_value(id) == want;
	return is_error && (!id || json_is_null(id));
}

static void read_envelope(struct rpc_reply *r, struct provider_error *e, const char *method,
			  uint64_t id)
{
	const json_t *error = json_object_get(r->doc, "error");
	const json_t *result = json_object_get(r->doc, "result");
	const char *version = json_string_value(json_object_get(r->doc, "jsonrpc"));

	if (json_is_null(error))
		error = NULL;
	if (error && json_is_null(result))
		result = NULL;
	if (!json_is_object(r->doc) || !version || strcmp(version, "2.0") != 0)
		say(e, ERR_MALFORMED, method, "not a JSON-RPC 2.0 reply");
	else if (!error == !result)
		say(e, ERR_MALFORMED, method, "a reply has a result or an error");
	else if (!id_fits(json_object_get(r->doc, "id"), id, error))
		say(e, ERR_MISMATCH, method, "the reply is for another request");
	else if (error)
		read_error(r, e, error, method);
	else
		r->result = result;
}

/*
 * Nodes quote in their message what a contract reverted with, as text where it happens to be UTF-8:
 * small integers, that is, NUL characters, which no C string holds and jansson refuses. U+FFFD is
 * as long; data is never in that form.
 */
static void replace_nul(struct buf *body)
{
	static const char nul[] = "\\u0000", stand_in[] = "\\ufffd";
	const size_t n = sizeof(nul) - 1;

	for (size_t at = 0; at + n <= body->n; at += 2) {
		const uint8_t *next = memchr(&body->p[at], '\\', body->n - at);

		if (!next)
			return;
		at = (size_t)(next - body->p);
		if (at + n <= body->n && memcmp(next, nul, n) == 0)
			memcpy(&body->p[at], stand_in, n);
	}
}

void rpc_reply_read(struct rpc_reply *r, struct provider_error *e, const struct http_reply *http,
		    const char *method, uint64_t id, size_t body_max)
{
	struct bytes body = http->body;

	*r = (struct rpc_reply){.revert = buf_make(ABI_BYTES_MAX)};
	*e = (struct provider_error){.rpc_message = ""};
	if (http->err != ERR_OK) {
		e->note = http->note;
		e->err = err_prefix(&e->note, http->err, "%s", method);
		return;
	}
	if (status_is_transient(http->status)) {
		e->err = err_say(&e->note, ERR_UNAVAILABLE, "%s: HTTP status %d", method,
				 http->status);
		return;
	}

	struct buf owner = http->owner ? buf_take(http->owner) : (struct buf){0};
	replace_nul(&owner);
	e->err = json_parse(&r->doc, body, body_max, &e->note);
	buf_free(&owner);
	if (e->err == ERR_OK)
		read_envelope(r, e, method, id);
	else
		(void)err_prefix(&e->note, e->err, "%s", method);
	if (http->status != 200 && e->err != ERR_REMOTE &&
	    err_class(e->err) != ERR_CLASS_INTERNAL) {
		e->err =
			err_say(&e->note, ERR_MISMATCH, "%s: HTTP status %d", method, http->status);
		r->result = NULL;
	}
}

void rpc_reply_free(struct rpc_reply *r)
{
	json_decref(r->doc);
	buf_free(&r->revert);
	*r = (struct rpc_reply){0};
}
