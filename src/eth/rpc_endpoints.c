/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "eth/rpc_endpoints.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/limits.h"
#include "eth/rpc.h"

enum {
	CHAIN_CHECK_MS = 15000, /* an endpoint is asked again for its chain id */
	HEAD_POLL_MS = 1000,    /* default of provider_options.head_poll_ms */
	PROBE_TIMEOUT_MS = 5000,
	PROBE_REPLY_MAX = 64 << 10,
	WRONG_CHAIN_MS = 1000, /* between two looks at one that serves another chain */
	FIRST_LOOK_MS = 1000,  /* at the start: until all have said where they are */
};

static const struct breaker_policy policy = {
	.failures_max = RPC_BREAKER_FAILURES,
	.open_first_ms = RPC_BREAKER_OPEN_MS,
	.open_max_ms = RPC_BREAKER_OPEN_MAX_MS,
	.trial_ms = 2 * PROBE_TIMEOUT_MS,
};

enum chain_state {
	CHAIN_UNKNOWN,
	CHAIN_RIGHT,
	CHAIN_WRONG
};

struct rpc_endpoint {
	struct rpc_endpoints *all;
	unsigned index;
	char *url, *host;
	struct breaker breaker;
	enum chain_state chain;
	bool looked_at;       /* a probe has ended, one way or the other */
	uint64_t served;      /* CHAIN_WRONG: what it serves */
	int64_t chain_due_ms; /* when it is asked again */
	bool head_known;
	uint64_t head;
	uint64_t failures;
	/* the probe: chain id, then head */
	bool probing, probing_chain;
	struct http_ticket ticket;
	uint64_t request_id;
};

struct rpc_endpoints {
	struct transport *transport;
	struct clock *clock;
	struct chain_id chain_id;
	int64_t probe_timeout_ms, head_poll_ms;
	endpoints_changed_fn *changed;
	void *ctx;
	provider_event_fn *event;
	void *event_ctx;
	struct rpc_endpoint *v;
	unsigned n;
	struct timer tick;
	int64_t first_look_until_ms;
};

static int64_t now_ms(const struct rpc_endpoints *s)
{
	return clock_mono_ms(s->clock);
}

static void tell(const struct rpc_endpoint *p, enum provider_event_kind kind, const char *text)
{
	const struct provider_event e = {
		.kind = kind, .host = p->host, .chain_id = p->served, .detail = text};

	if (p->all->event)
		p->all->event(p->all->event_ctx, &e);
}

/* ---- health ---- */

static void note_result(struct rpc_endpoint *p, enum err e, const char *detail)
{
	enum breaker_state before = p->breaker.state;
	bool ours = err_class(e) == ERR_CLASS_INTERNAL || e == ERR_BUSY || e == ERR_TOO_BIG;

	/* Its own errors, and what is not there, show that it lives. */
	if (e == ERR_OK || e == ERR_REMOTE || e == ERR_NOT_FOUND) {
		breaker_succeeded(&p->breaker);
		if (before != BREAKER_CLOSED)
			tell(p, PROVIDER_ENDPOINT_UP, "");
	} else if (!ours) {
		p->failures++;
		if (breaker_failed(&p->breaker, now_ms(p->all)) && before == BREAKER_CLOSED)
			tell(p, PROVIDER_ENDPOINT_DOWN, detail);
	}
}

void rpc_endpoints_answered(struct rpc_endpoints *s, unsigned i, enum err e, bool lost)
{
	note_result(&s->v[i], e, err_name(e));
	/* Who knows what a new connection leads to. */
	if (lost)
		s->v[i].chain = CHAIN_UNKNOWN;
}

void rpc_endpoints_head_seen(struct rpc_endpoints *s, unsigned i, uint64_t head)
{
	s->v[i].head = head;
	s->v[i].head_known = true;
}

/* ---- probes ---- */

static bool probe_send(struct rpc_endpoint *p, const char *method);

static void probe_over(struct rpc_endpoint *p)
{
	p->probing = false;
	p->looked_at = true;
	p->all->changed(p->all->ctx);
}

static void read_chain(struct rpc_endpoint *p, uint64_t id)
{
	bool right = id == p->all->chain_id.v;
	bool news = p->chain != CHAIN_WRONG || p->served != id;

	p->served = id;
	p->chain = right ? CHAIN_RIGHT : CHAIN_WRONG;
	p->chain_due_ms = now_ms(p->all) + (right ? CHAIN_CHECK_MS : WRONG_CHAIN_MS);
	if (!right) {
		p->head_known = false;
		if (news)
			tell(p, PROVIDER_WRONG_CHAIN, "");
	}
}

static void on_probe(void *ctx, const struct http_reply *http)
{
	struct rpc_endpoint *p = ctx;
	const char *method = p->probing_chain ? "eth_chainId" : "eth_blockNumber";
	struct provider_error e;
	struct rpc_reply r;
	uint64_t value = 0;

	rpc_reply_read(&r, &e, http, method, p->request_id, PROBE_REPLY_MAX);
	if (e.err == ERR_OK)
		value = json_get_quantity(r.result, NULL, &e.err);
	if (e.err == ERR_OK && value > INT64_MAX && !p->probing_chain)
		e.err = ERR_MALFORMED;
	note_result(p, e.err == ERR_REMOTE ? ERR_UNAVAILABLE : e.err, e.note.text);
	rpc_reply_free(&r);
	if (e.err != ERR_OK) {
		p->chain = CHAIN_UNKNOWN;
		probe_over(p);
		return;
	}
	if (p->probing_chain) {
		read_chain(p, value);
		p->probing_chain = false;
		if (p->chain == CHAIN_RIGHT && p->all->n > 1 && probe_send(p, "eth_blockNumber"))
			return;
	} else {
		rpc_endpoints_head_seen(p->all, p->index, value);
	}
	probe_over(p);
}

static bool probe_send(struct rpc_endpoint *p, const char *method)
{
	static const struct http_header headers[] = {
		{"content-type", "application/json"},
		{"accept", "application/json"},
	};
	CLEANUP(buf_free) struct buf body = buf_make(256);

	p->request_id++;
	if (buf_addf(&body,
		     "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"%s\",\"params\":[]}",
		     p->request_id, method) != ERR_OK)
		return false;
	const struct http_request req = {
		.method = "POST",
		.url = p->url,
		.headers = headers,
		.headers_n = ARRAY_LEN(headers),
		.body = buf_view(&body),
		.timeout_ms = p->all->probe_timeout_ms,
		.body_max = PROBE_REPLY_MAX,
	};
	return transport_send(p->all->transport, &p->ticket, &req, on_probe, p) == ERR_OK;
}

static void probe(struct rpc_endpoint *p, bool heads)
{
	int64_t now = now_ms(p->all);
	bool chain = p->chain == CHAIN_UNKNOWN || now >= p->chain_due_ms;

	if (p->probing || (!chain && (!heads || p->chain != CHAIN_RIGHT)) ||
	    !breaker_admits(&p->breaker, now))
		return;
	p->probing_chain = chain;
	p->probing = probe_send(p, chain ? "eth_chainId" : "eth_blockNumber");
}

static void probe_all(struct rpc_endpoints *s, bool heads)
{
	for (unsigned i = 0; i < s->n; i++)
		probe(&s->v[i], heads && s->n > 1);
}

void rpc_endpoints_wake(struct rpc_endpoints *s, bool somebody_waits)
{
	probe_all(s, somebody_waits);
}

static void on_tick(void *ctx)
{
	struct rpc_endpoints *s = ctx;

	probe_all(s, true);
	clock_timer_set(s->clock, &s->tick, s->head_poll_ms, on_tick, s);
	s->changed(s->ctx);
}

/* ---- choosing ---- */

static bool believed(const struct rpc_endpoint *p)
{
	return p->chain == CHAIN_RIGHT && p->breaker.state == BREAKER_CLOSED;
}

static int compare_heads(const void *va, const void *vb)
{
	const uint64_t *a = va, *b = vb;

	return *a < *b ? 1 : *a > *b ? -1 : 0;
}

/* Heads of those that are believed, highest first. */
static unsigned heads_of(const struct rpc_endpoints *s, uint64_t heads[PROVIDER_ENDPOINTS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (believed(&s->v[i]) && s->v[i].head_known)
			heads[n++] = s->v[i].head;
	qsort(heads, n, sizeof(*heads), compare_heads);
	return n;
}

/*
 * The head that the others are measured by. Of three and more the second: one that invents blocks
 * far ahead must not make the honest ones look late.
 */
static bool reference_head(const struct rpc_endpoints *s, uint64_t *ret_head)
{
	uint64_t heads[PROVIDER_ENDPOINTS_MAX];
	unsigned n = heads_of(s, heads);

	if (n == 0)
		return false;
	*ret_head = heads[n >= 3 ? 1 : 0];
	return true;
}

/* Who is behind shows only when the others have been seen. */
static bool first_look(const struct rpc_endpoints *s)
{
	bool open = false;

	for (unsigned i = 0; i < s->n; i++)
		open = open || !s->v[i].looked_at;
	return open && now_ms(s) < s->first_look_until_ms;
}

/* Behind the others, or so far ahead of two of them that it cannot be true. */
static bool out_of_step(const struct rpc_endpoint *p)
{
	uint64_t best;

	if (!p->head_known || first_look(p->all) || !reference_head(p->all, &best))
		return true;
	return best > p->head ? best - p->head > RPC_LAG_BLOCKS_MAX
			      : p->head - best > RPC_AHEAD_BLOCKS_MAX;
}

static bool will_do(const struct rpc_endpoint *p, const struct rpc_want *want)
{
	if ((want->not_these >> p->index & 1) != 0)
		return false;
	if (want->any_chain)
		return p->breaker.state == BREAKER_CLOSED;
	if (!believed(p))
		return false;
	if (p->all->n == 1)
		return true;
	return !out_of_step(p) && (!want->has_block || p->head >= want->block);
}

int rpc_endpoints_choose(struct rpc_endpoints *s, const struct rpc_want *want)
{
	/* The right chain first, also for who asks for it. */
	struct rpc_want right = *want;

	right.any_chain = false;
	for (unsigned i = 0; i < s->n; i++)
		if (will_do(&s->v[i], &right))
			return (int)i;
	for (unsigned i = 0; want->any_chain && i < s->n; i++)
		if (will_do(&s->v[i], want))
			return (int)i;
	return -1;
}

unsigned rpc_endpoints_count(struct rpc_endpoints *s, const struct rpc_want *want)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++)
		n += will_do(&s->v[i], want) ? 1 : 0;
	return n;
}

bool rpc_endpoints_reached(struct rpc_endpoints *s, unsigned k, uint64_t *ret_block)
{
	uint64_t heads[PROVIDER_ENDPOINTS_MAX];
	unsigned n = heads_of(s, heads);

	if (k == 0 || n < k || first_look(s))
		return false;
	*ret_block = heads[k - 1];
	return true;
}

bool rpc_endpoints_hopeless(const struct rpc_endpoints *s, struct provider_error *e)
{
	const struct rpc_endpoint *wrong = NULL;

	for (unsigned i = 0; i < s->n; i++) {
		const struct rpc_endpoint *p = &s->v[i];

		if (p->probing || believed(p))
			return false;
		if (p->chain == CHAIN_WRONG)
			wrong = p;
	}
	if (wrong)
		e->err = err_say(&e->note, ERR_MISMATCH,
				 "the endpoint %s serves chain %" PRIu64 ", and %" PRIu64
				 " is configured",
				 wrong->host, wrong->served, s->chain_id.v);
	else
		e->err = err_say(&e->note, ERR_UNAVAILABLE, "no endpoint answers (%s%s)",
				 s->v[0].host, s->n > 1 ? " and others" : "");
	return true;
}

/* ---- life ---- */

unsigned rpc_endpoints_n(const struct rpc_endpoints *s)
{
	return s->n;
}

const char *rpc_endpoints_url(const struct rpc_endpoints *s, unsigned i)
{
	return s->v[i].url;
}

const char *rpc_endpoints_host(const struct rpc_endpoints *s, unsigned i)
{
	return s->v[i].host;
}

void rpc_endpoints_status(const struct rpc_endpoints *s, unsigned i,
			  struct provider_endpoint *ret_status)
{
	const struct rpc_endpoint *p = &s->v[i];

	*ret_status = (struct provider_endpoint){
		.host = p->host,
		.breaker = p->breaker.state,
		.opened = p->breaker.opened,
		.failures = p->failures,
		.chain_right = p->chain == CHAIN_RIGHT,
		.head_known = p->head_known,
		.head = {p->head},
		.in_step = s->n == 1 || !out_of_step(p),
	};
}

/* The part of the URL that may be shown: between "//", or the last '@' of the authority, and the
 * path. */
static struct bytes url_host(const char *url)
{
	static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t skip = strlen(schemes[i]);

		if (strncmp(url, schemes[i], skip) != 0)
			continue;
		const char *host = &url[skip];
		size_t end = strcspn(host, "/?#");
		for (size_t at = end; at > 0; at--)
			if (host[at - 1] == '@')
				return bytes_from(&host[at], end - at);
		return bytes_from(host, end);
	}
	return BYTES_NONE;
}

static enum err endpoint_init(struct rpc_endpoints *s, const char *url, struct err_note *note)
{
	struct bytes host = url ? url_host(url) : BYTES_NONE;
	struct rpc_endpoint *p = &s->v[s->n];

	if (host.n == 0 || strlen(url) > URL_SIZE_MAX)
		return err_say(note, ERR_CONFIG_VALUE,
			       "an RPC URL must be http://, https://, ws:// or wss:// with a "
			       "host, at most %d characters",
			       (int)URL_SIZE_MAX);
	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->v[i].url, url) == 0)
			return err_say(note, ERR_CONFIG_VALUE, "the endpoint %s is there twice",
				       s->v[i].host);
	p->all = s;
	p->index = s->n++;
	p->breaker.policy = &policy;
	p->url = strdup(url);
	p->host = strndup((const char *)host.p, host.n);
	return p->url && p->host ? ERR_OK : ERR_NOMEM;
}

static enum err endpoints_init(struct rpc_endpoints *s, const struct provider_options *o,
			       struct err_note *note)
{
	TRY(endpoint_init(s, o->url, note));
	for (size_t i = 0; i < o->more_urls_n; i++)
		TRY(endpoint_init(s, o->more_urls[i], note));
	return ERR_OK;
}

enum err rpc_endpoints_new(struct rpc_endpoints **ret_endpoints, struct transport *transport,
			   struct clock *clock, const struct provider_options *o,
			   endpoints_changed_fn *changed, void *ctx, struct err_note *note)
{
	if (o->more_urls_n >= PROVIDER_ENDPOINTS_MAX)
		return err_say(note, ERR_CONFIG_VALUE, "at most %d endpoints for one chain",
			       (int)PROVIDER_ENDPOINTS_MAX);

	struct rpc_endpoints *s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NOMEM;
	s->transport = transport;
	s->clock = clock;
	s->chain_id = o->chain_id;
	s->probe_timeout_ms = o->timeout_ms < PROBE_TIMEOUT_MS ? o->timeout_ms : PROBE_TIMEOUT_MS;
	s->head_poll_ms = o->head_poll_ms > 0 ? o->head_poll_ms : HEAD_POLL_MS;
	s->changed = changed;
	s->ctx = ctx;
	s->event = o->event;
	s->event_ctx = o->event_ctx;
	s->v = calloc(1 + o->more_urls_n, sizeof(*s->v));
	enum err e = s->v ? endpoints_init(s, o, note) : ERR_NOMEM;
	if (e != ERR_OK) {
		rpc_endpoints_free(s);
		return e;
	}
	s->first_look_until_ms = now_ms(s) + FIRST_LOOK_MS;
	if (s->n > 1)
		clock_timer_set(clock, &s->tick, 0, on_tick, s);
	*ret_endpoints = s;
	return ERR_OK;
}

void rpc_endpoints_free(struct rpc_endpoints *s)
{
	if (!s)
		return;
	clock_timer_cancel(s->clock, &s->tick);
	for (unsigned i = 0; i < s->n; i++) {
		if (s->v[i].probing)
			transport_cancel(s->transport, s->v[i].ticket);
		free(s->v[i].url);
		free(s->v[i].host);
	}
	free(s->v);
	free(s);
}
