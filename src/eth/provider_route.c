/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Which endpoints a call is put to, when another one is asked, and when a quorum has answered. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "crypto/keccak.h"
#include "eth/provider_call.h"

static bool needs_quorum(const struct call *c)
{
	return (c->votes || c->measures) && c->provider->quorum > 1;
}

static unsigned count_bits(uint32_t v)
{
	return (unsigned)__builtin_popcount(v);
}

/* ---- asking ---- */

/* What is left of the time is shared by those that could be asked one after the other. */
static int64_t attempt_timeout_ms(const struct call *c)
{
	const struct provider *p = c->provider;
	int64_t left_ms = c->deadline_ms - clock_mono_ms(p->clock);
	unsigned untried = rpc_endpoints_n(p->endpoints) - count_bits(c->tried);
	unsigned at_once = needs_quorum(c) ? p->quorum : 1;

	if (c->only != 0 || untried <= at_once || left_ms <= 1)
		return left_ms;
	return left_ms / (untried - at_once + 1) + 1;
}

static enum err attempt_send(struct call *c, unsigned i, struct bytes body, http_done_fn *done)
{
	static const struct http_header headers[] = {
		{"content-type", "application/json"},
		{"accept", "application/json"},
	};
	struct provider *p = c->provider;
	struct attempt *a = &c->attempts[i];
	const struct http_request req = {
		.method = "POST",
		.url = rpc_endpoints_url(p->endpoints, i),
		.headers = headers,
		.headers_n = ARRAY_LEN(headers),
		.body = body,
		.timeout_ms = attempt_timeout_ms(c),
		.body_max = c->reply_max,
	};

	if (req.timeout_ms <= 0)
		return ERR_TIMEOUT;
	TRY(transport_send(p->transport, &a->ticket, &req, done, a));
	a->open = true;
	c->open_n++;
	c->tried |= UINT32_C(1) << i;
	return ERR_OK;
}

static struct rpc_want want_of(const struct call *c)
{
	return (struct rpc_want){
		.not_these = c->only != 0 ? ~(UINT32_C(1) << (c->only - 1)) : c->tried,
		.any_chain = c->any_chain,
		.has_block = c->has_block,
		.block = c->block,
	};
}

/* The next one that has not been asked. ERR_NOT_READY: there is none. */
static enum err ask_next(struct call *c, struct bytes body, http_done_fn *done)
{
	struct rpc_want want = want_of(c);

	want.not_these |= c->tried;
	int i = rpc_endpoints_choose(c->provider->endpoints, &want);
	return i < 0 ? ERR_NOT_READY : attempt_send(c, (unsigned)i, body, done);
}

/* "latest" becomes the newest block that enough of them have. */
static bool pin(struct call *c, struct bytes body)
{
	char text[PIN_SIZE + 1];
	uint64_t block;
	int n;

	if (c->pin_at == 0)
		return true;
	if (!rpc_endpoints_reached(c->provider->endpoints, c->provider->quorum, &block))
		return false;
	n = snprintf(text, sizeof(text), "\"0x%" PRIx64 "\"", block);
	CHECK(n > 0 && n <= PIN_SIZE && c->pin_at + PIN_SIZE <= body.n && body.p == c->body.p);
	memset(&c->body.p[c->pin_at], ' ', PIN_SIZE);
	memcpy(&c->body.p[c->pin_at], text, (size_t)n);
	c->has_block = true;
	c->block = block;
	if (c->tag.kind == BLOCK_LATEST)
		c->tag = (struct block_tag){.kind = BLOCK_NUMBER, .number = {block}};
	return true;
}

enum err call_start(struct call *c, struct bytes body, http_done_fn *done)
{
	struct provider *p = c->provider;

	if (!p->managed)
		return attempt_send(c, 0, body, done);

	unsigned wanted = needs_quorum(c) ? p->quorum : 1;
	bool pinned = pin(c, body);
	struct rpc_want want = want_of(c);
	unsigned able = pinned ? rpc_endpoints_count(p->endpoints, &want) : 0;
	enum err e = ERR_OK;

	if (able < wanted) {
		c->failed = err_say(&c->failed_note, ERR_NOT_READY,
				    "%u of %u endpoints can be asked, and %u are needed", able,
				    rpc_endpoints_n(p->endpoints), wanted);
		return ERR_NOT_READY;
	}
	c->failed = ERR_OK;
	c->failed_note = (struct err_note){0};
	for (unsigned i = 0; i < wanted && e == ERR_OK; i++)
		e = ask_next(c, body, done);
	return c->open_n > 0 ? ERR_OK : e;
}

void call_cancel(struct call *c)
{
	for (size_t i = 0; i < ARRAY_LEN(c->attempts); i++)
		if (c->attempts[i].open) {
			transport_cancel(c->provider->transport, c->attempts[i].ticket);
			c->attempts[i].open = false;
			c->open_n--;
		}
}

/* ---- judging ---- */

/* What the contract says, not the node: everybody will say so. */
static bool is_revert(const struct provider_error *e)
{
	return e->err == ERR_REMOTE && (e->rpc_code == 3 || e->revert_data.n > 0 ||
					strstr(e->rpc_message, "revert") != NULL);
}

static bool another_may_know(const struct call *c, const struct provider_error *e)
{
	switch (e->err) {
	case ERR_REMOTE:
		return !c->errors_are_final && !is_revert(e);
	case ERR_TIMEOUT:
	case ERR_UNAVAILABLE:
	case ERR_MALFORMED:
	case ERR_MISMATCH:
	case ERR_NOT_FOUND:
	case ERR_TRUNCATED:
		return true;
	default:
		return false;
	}
}

static struct rpc_vote judge(struct call *c, struct provider_error *e, const json_t *result)
{
	struct rpc_vote v = {0};

	if (is_revert(e)) {
		v.cast = true;
		v.digest = keccak256(e->revert_data);
		v.digest.b[0] ^= 0x80; /* not what a call returned */
	} else if (e->err == ERR_OK && c->judge) {
		c->judge(c, e, result, &v);
		v.cast = e->err == ERR_OK;
	}
	return v;
}

static bool same(const struct rpc_vote *a, const struct rpc_vote *b)
{
	return a->cast && b->cast && a->absent == b->absent && hash32_eq(a->digest, b->digest);
}

/* ---- a quorum ---- */

static bool contradicts(const struct rpc_vote *a, const struct rpc_vote *b)
{
	return a->cast && b->cast && !a->absent && !b->absent && !hash32_eq(a->digest, b->digest);
}

/* "a.example 0a0b0c0d, b.example 0a0b0c0d, c.example 01020304" */
static void say_votes(const struct call *c, char *out, size_t size)
{
	const struct rpc_endpoints *all = c->provider->endpoints;
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < rpc_endpoints_n(all) && n < size; i++) {
		const struct rpc_vote *v = &c->cast[i];
		int k = 0;

		if (v->cast && v->absent)
			k = snprintf(&out[n], size - n, "%s%s: none", n > 0 ? ", " : "",
				     rpc_endpoints_host(all, i));
		else if (v->cast)
			k = snprintf(&out[n], size - n, "%s%s: %02x%02x%02x%02x", n > 0 ? ", " : "",
				     rpc_endpoints_host(all, i), v->digest.b[0], v->digest.b[1],
				     v->digest.b[2], v->digest.b[3]);
		n += k > 0 ? (size_t)k : 0;
	}
}

static void tell_disagreement(const struct call *c, unsigned endpoint)
{
	char text[ERR_NOTE_SIZE];
	const struct provider_event e = {
		.kind = PROVIDER_DISAGREED,
		.host = rpc_endpoints_host(c->provider->endpoints, endpoint),
		.method = c->method,
		.detail = text,
	};

	say_votes(c, text, sizeof(text));
	if (c->provider->event)
		c->provider->event(c->provider->event_ctx, &e);
}

/* Those that are still asked cannot make it enough. */
static bool more_needed(const struct call *c)
{
	unsigned most = 0;

	for (size_t i = 0; i < ARRAY_LEN(c->cast); i++) {
		unsigned alike = 0;

		for (size_t j = 0; j < ARRAY_LEN(c->cast); j++)
			alike += same(&c->cast[i], &c->cast[j]) ? 1 : 0;
		most = alike > most ? alike : most;
	}
	return most + c->open_n < c->provider->quorum;
}

/* With this vote there are enough alike; whoever said otherwise is told of. */
static bool agreed(const struct call *c, const struct rpc_vote *vote)
{
	unsigned alike = 0;

	for (size_t i = 0; i < ARRAY_LEN(c->cast); i++)
		alike += same(&c->cast[i], vote) ? 1 : 0;
	if (!vote->cast || alike < c->provider->quorum)
		return false;
	for (unsigned i = 0; !c->measures && i < ARRAY_LEN(c->cast); i++)
		if (contradicts(&c->cast[i], vote))
			tell_disagreement(c, i);
	return true;
}

/* All have been asked that could be. The q-th highest of those that said a number. */
static bool measured(struct call *c, struct provider_error *e)
{
	const struct rpc_vote *best = NULL;
	unsigned n = 0;

	for (size_t i = 0; c->measures && i < ARRAY_LEN(c->cast); i++) {
		const struct rpc_vote *v = &c->cast[i];
		unsigned at_least = 0;

		if (!v->cast || !v->measured)
			continue;
		n++;
		for (size_t k = 0; k < ARRAY_LEN(c->cast); k++)
			at_least += c->cast[k].cast && c->cast[k].measured &&
						    u256_cmp(c->cast[k].height, v->height) >= 0
					    ? 1
					    : 0;
		if (at_least >= c->provider->quorum &&
		    (!best || u256_cmp(v->height, best->height) > 0))
			best = v;
	}
	if (n < c->provider->quorum)
		return false;
	CHECK(best);
	*e = (struct provider_error){.rpc_message = "", .endpoint = e->endpoint};
	c->chosen = best;
	return true;
}

/* All have been asked that could be. */
static void not_agreed(struct call *c, struct provider_error *e)
{
	char text[ERR_NOTE_SIZE];
	int first = -1;
	bool told = false;

	for (unsigned i = 0; i < ARRAY_LEN(c->cast); i++) {
		if (!c->cast[i].cast || c->cast[i].absent)
			continue;
		if (first < 0)
			first = (int)i;
		else if (!c->measures && !told && contradicts(&c->cast[i], &c->cast[first])) {
			tell_disagreement(c, i);
			told = true;
		}
	}
	if (first < 0 && e->err != ERR_OK)
		return; /* nobody said anything: the last error is as good as any */
	say_votes(c, text, sizeof(text));
	*e = (struct provider_error){.rpc_message = "", .endpoint = e->endpoint};
	e->err = err_say(&e->note, ERR_NOT_READY, "%s: %s: %s", c->method,
			 told ? "the endpoints disagree" : "fewer answers than must agree", text);
}

bool call_settled(struct call *c, unsigned endpoint, struct provider_error *e, const json_t *result,
		  http_done_fn *done)
{
	bool was_ok = e->err == ERR_OK;
	struct rpc_vote vote = judge(c, e, result);
	bool next;

	if (was_ok)
		rpc_endpoints_answered(c->provider->endpoints, endpoint, e->err, false);
	if (needs_quorum(c)) {
		c->cast[endpoint] = vote;
		if (agreed(c, &vote))
			return true;
		next = more_needed(c);
	} else {
		next = c->only == 0 && another_may_know(c, e);
	}
	if (next && ask_next(c, buf_view(&c->body), done) == ERR_OK)
		return false;
	if (c->open_n > 0)
		return false;
	if (needs_quorum(c) && !measured(c, e))
		not_agreed(c, e);
	return true;
}
