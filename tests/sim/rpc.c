/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "rpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"

enum {
	PARSED_EVERY = 64,
	QUESTION_MAX = 1 << 22,
	SAFE_DEPTH = 20,
	FINAL_DEPTH = 70
};

/* ---- questions ---- */

/* What follows `word`, up to `end`. */
static struct bytes after(struct bytes text, const char *word, char end)
{
	const char *at = memmem(text.p, text.n, word, strlen(word)), *stop;

	if (!at)
		return BYTES_NONE;
	at += strlen(word);
	size_t left = text.n - (size_t)(at - (const char *)text.p);
	stop = memchr(at, end, left);
	return bytes_from(at, stop ? (size_t)(stop - at) : left);
}

struct rpc_ask rpc_read(struct endpoint *e, struct bytes body)
{
	struct rpc_ask q = {.e = e,
			    .id = after(body, "\"id\":", ','),
			    .method = after(body, "\"method\":\"", '"'),
			    .params = after(body, "\"params\":[", '\0')};

	CHECK(q.id.n > 0 && q.method.n > 0 && q.params.n >= 2);
	q.params.n -= 2; /* ]} */
	if (e->chain->questions++ % PARSED_EVERY == 0) {
		CLEANUP(json_free_ptr) json_t *doc = NULL;

		CHECK(json_parse(&doc, body, QUESTION_MAX, NULL) == ERR_OK);
	}
	return q;
}

bool rpc_is(const struct rpc_ask *q, const char *method)
{
	return bytes_eq_var(q->method, bytes_str(method));
}

struct bytes rpc_param(const struct rpc_ask *q, size_t i)
{
	const uint8_t *p = q->params.p;
	size_t begin = 0, depth = 0, at = 0, n = q->params.n;

	for (; at < n; at++) {
		depth += p[at] == '{' || p[at] == '[';
		depth -= p[at] == '}' || p[at] == ']';
		if (p[at] != ',' || depth > 0)
			continue;
		if (i-- == 0)
			break;
		begin = at + 1;
	}
	if (at == n && i > 0)
		return BYTES_NONE;
	while (at > begin && p[at - 1] == ' ')
		at--;
	if (at - begin < 2 || p[begin] != '"')
		return BYTES_NONE;
	return bytes_sub(q->params, begin + 1, at - begin - 2);
}

struct bytes rpc_member(const struct rpc_ask *q, const char *name)
{
	char word[32];

	(void)snprintf(word, sizeof(word), "\"%s\":\"", name);
	return after(q->params, word, '"');
}

struct hash32 rpc_hash(struct bytes text)
{
	struct hash32 h;

	CHECK(hex_decode_fixed(h.b, sizeof(h.b), text) == ERR_OK);
	return h;
}

uint64_t rpc_number(struct bytes text)
{
	uint64_t v = 0;

	for (size_t i = 2; i < text.n; i++)
		v = v << 4 |
		    (text.p[i] <= '9' ? text.p[i] - (unsigned)'0' : (text.p[i] | 0x20U) - 'a' + 10);
	return v;
}

uint64_t endpoint_head(const struct endpoint *e)
{
	return e->chain->head - e->lag;
}

uint64_t rpc_block(const struct endpoint *e, struct bytes tag)
{
	uint64_t head = endpoint_head(e);

	if (tag.n > 2 && tag.p[0] == '0' && tag.p[1] == 'x')
		return rpc_number(tag);
	if (bytes_eq_var(tag, BYTES_LIT("safe")))
		return head - SAFE_DEPTH;
	if (bytes_eq_var(tag, BYTES_LIT("finalized")))
		return head - FINAL_DEPTH;
	return head;
}

/* ---- answers ---- */

void rpc_add(struct buf *out, const char *text)
{
	CHECK(buf_add_str(out, text) == ERR_OK);
}

void rpc_add_hex(struct buf *out, struct bytes b)
{
	rpc_add(out, "\"");
	CHECK(hex_add(out, b, true) == ERR_OK);
	rpc_add(out, "\"");
}

void rpc_add_quantity(struct buf *out, uint64_t v)
{
	char text[24];
	size_t at = sizeof(text);

	text[--at] = '"';
	do
		text[--at] = "0123456789abcdef"[v & 15];
	while ((v >>= 4) != 0);
	text[--at] = 'x';
	text[--at] = '0';
	text[--at] = '"';
	CHECK(buf_add(out, bytes_from(&text[at], sizeof(text) - at)) == ERR_OK);
}

static void add_name(struct buf *out, const char *name)
{
	rpc_add(out, out->p[out->n - 1] == '{' ? "\"" : ",\"");
	rpc_add(out, name);
	rpc_add(out, "\":");
}

void rpc_add_hex_as(struct buf *out, const char *name, struct bytes b)
{
	add_name(out, name);
	rpc_add_hex(out, b);
}

void rpc_add_quantity_as(struct buf *out, const char *name, uint64_t v)
{
	add_name(out, name);
	rpc_add_quantity(out, v);
}
