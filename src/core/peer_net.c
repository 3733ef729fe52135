/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The whole: our port, our certificate, the committees, and of them the peers. */
#include <stdio.h>
#include <stdlib.h>

#include "core/peer_internal.h"

void peer_say(struct peer_net *net, const char *peer, const char *what)
{
	if (net->opt.note)
		net->opt.note(net->opt.note_ctx, peer, what);
}

/* ---- our side ---- */

static int64_t or_limit(int64_t v, int64_t limit)
{
	return v > 0 ? v : limit;
}

static struct peer_net_options options_fill(const struct peer_net_options *from)
{
	struct peer_net_options o = *from;

	o.listen = o.cert_file = o.key_file = NULL; /* the caller's */
	o.rng = o.rng ? o.rng : rng_system();
	o.first_retry_ms = or_limit(o.first_retry_ms, PEER_RETRY_FIRST_MS);
	o.retry_cap_ms = or_limit(o.retry_cap_ms, PEER_RETRY_CAP_MS);
	o.linger_ms = or_limit(o.linger_ms, PEER_LINGER_MS);
	o.parked_ms = or_limit(o.parked_ms, PEER_PARKED_MS);
	o.completed_ms = or_limit(o.completed_ms, PEER_COMPLETED_MS);
	o.call_ms = or_limit(o.call_ms, PEER_CALL_MS);
	if (o.parked_sessions == 0)
		o.parked_sessions = PEER_PARKED_SESSIONS_MAX;
	return o;
}

/* Without TLS: on the loopback only. */
static enum err way_check(const char *host_and_port, struct err_note *note)
{
	enum channel_grpc_way way;
	char url[MPC_NAME_SIZE + 32];

	(void)snprintf(url, sizeof(url), "http://%.255s", host_and_port);
	TRY(channel_grpc_url_way(&way, url, note));
	return way == CHANNEL_GRPC_LOOPBACK
		       ? ERR_OK
		       : err_say(note, ERR_CONFIG_VALUE,
				 "%.80s: without TLS peers are on the loopback only",
				 host_and_port);
}

/* Port 0 is none for a URL, and any for a listener. */
static enum err listen_check(const char *listen, struct err_note *note)
{
	const char *colon = strrchr(listen, ':');
	char text[MPC_NAME_SIZE];

	(void)snprintf(text, sizeof(text), "%.*s:1", colon ? (int)(colon - listen) : 0, listen);
	return way_check(text, note);
}

static enum err own_side(struct peer_net *net, const struct peer_net_options *o,
			 struct err_note *note)
{
	const struct tls_options tls = {.cert_file = o->cert_file, .key_file = o->key_file};

	if (o->plaintext_loopback) {
		TRY(listen_check(o->listen, note));
		return peer_port_open(net, o->listen, note);
	}
	TRY(tls_new(&net->tls, &tls, note));
	if (!tls_common_name(net->tls)[0])
		return err_say(note, ERR_CONFIG_VALUE,
			       "%s: the certificate's common name must be among its "
			       "subjectAltNames (DNS): it is our identity",
			       o->cert_file);
	return peer_port_open(net, o->listen, note);
}

enum err peer_net_new(struct peer_net **ret_net, const struct peer_net_options *options,
		      struct err_note *note)
{
	struct peer_net *net = calloc(1, sizeof(*net));
	enum err e;

	if (!net)
		return err_say(note, ERR_NOMEM, "out of memory");
	net->loop = options->loop;
	net->clock = loop_clock(options->loop);
	net->opt = options_fill(options);
	net->rng = net->opt.rng;
	peer_table_init(&net->runs, net->rng);
	peer_table_init(&net->parked, net->rng);
	peer_table_init(&net->completed, net->rng);
	e = own_side(net, options, note);
	if (e != ERR_OK) {
		peer_net_free(net);
		return e;
	}
	*ret_net = net;
	return ERR_OK;
}

unsigned peer_net_port(const struct peer_net *net)
{
	return grpc_server_port(net->server);
}

enum err peer_net_reload(struct peer_net *net, struct err_note *note)
{
	if (!net->tls)
		return ERR_OK;
	TRY(tls_reload(net->tls, note));
	grpc_server_renew(net->server);
	for (struct peer *p = net->peers; p; p = p->next)
		channel_grpc_renew(p->channel);
	return ERR_OK;
}

int64_t peer_net_cert_not_after_s(const struct peer_net *net)
{
	return net->tls ? tls_not_after_s(net->tls) : 0;
}

/* ---- peers ---- */

struct peer *peer_find(struct peer_net *net, const char *identity)
{
	struct peer *p = net->peers;

	while (p && strcmp(p->identity, identity) != 0)
		p = p->next;
	return p;
}

enum {
	URL_SIZE = MPC_NAME_SIZE + 32
};

static void url_make(char url[URL_SIZE], const struct peer_net *net,
		     const struct mpc_context_party *party)
{
	bool v6 = strchr(party->host, ':') != NULL;

	(void)snprintf(url, URL_SIZE, "%s://%s%s%s:%u", net->tls ? "https" : "http", v6 ? "[" : "",
		       party->host, v6 ? "]" : "", party->port);
}

static enum err channel_make(struct channel **ret, struct peer_net *net,
			     const struct mpc_context_party *party, struct err_note *note)
{
	char url[URL_SIZE];
	const struct channel_grpc_options options = {
		.url = url,
		.tls = net->tls,
		.identity = net->tls ? party->identity : NULL,
		.keepalive_ms = PEER_KEEPALIVE_MS,
		.keepalive_timeout_ms = PEER_KEEPALIVE_MS,
	};

	url_make(url, net, party);
	return channel_grpc_open(ret, net->loop, &options, note);
}

/* A connection to another place, or to the same one with other certificates. */
static enum err peer_update(struct peer *p, const struct mpc_context_party *party,
			    struct err_note *note)
{
	struct bytes pem = buf_view(&party->ca_pem);
	struct buf copy = buf_make(pem.n);
	bool moved = strcmp(p->host, party->host) != 0 || p->port != party->port;
	struct channel *channel = NULL;

	if (!moved && bytes_eq_var(pem, buf_view(&p->ca_pem)))
		return ERR_OK;
	TRY(buf_add(&copy, pem));
	if (moved) {
		enum err e = channel_make(&channel, p->net, party, note);

		if (e != ERR_OK) {
			buf_free(&copy);
			return e;
		}
	}
	buf_free(&p->ca_pem);
	p->ca_pem = copy;
	if (!moved) {
		channel_grpc_renew(p->channel);
		return ERR_OK;
	}
	peer_probes_cancel(p->net, p);
	peer_out_ground(p);
	channel_free(p->channel);
	p->channel = channel;
	memcpy(p->host, party->host, sizeof(p->host));
	p->port = party->port;
	p->failures = 0;
	p->retry_ms = 0;
	peer_out_pump(p);
	return ERR_OK;
}

static enum err peer_new(struct peer_net *net, const struct mpc_context_party *party,
			 struct err_note *note)
{
	struct peer *p = calloc(1, sizeof(*p));
	enum err e;

	if (!p)
		return err_say(note, ERR_NOMEM, "out of memory");
	p->net = net;
	p->heard_ms = -1;
	memcpy(p->identity, party->identity, sizeof(p->identity));
	memcpy(p->host, party->host, sizeof(p->host));
	p->port = party->port;
	p->ca_pem = buf_make(party->ca_pem.n);
	e = buf_add(&p->ca_pem, buf_view(&party->ca_pem));
	if (e == ERR_OK)
		e = channel_make(&p->channel, net, party, note);
	if (e != ERR_OK) {
		buf_free(&p->ca_pem);
		free(p);
		return e;
	}
	p->next = net->peers;
	net->peers = p;
	return ERR_OK;
}

/* Nothing of a run points to it any more. */
static void peer_free(struct peer *p)
{
	clock_timer_cancel(p->net->clock, &p->timer);
	peer_probes_cancel(p->net, p);
	peer_parked_forget(p->net, p);
	channel_free(p->channel);
	buf_free(&p->ca_pem);
	free(p);
}

/* ---- contexts ---- */

const struct mpc_context *peer_context_find(const struct peer_net *net, const struct hash32 *id)
{
	for (size_t i = 0; i < net->contexts_n; i++)
		if (memcmp(net->context[i].id.b, id->b, sizeof(id->b)) == 0)
			return &net->context[i];
	return NULL;
}

const struct mpc_context *peer_net_context(const struct peer_net *net,
					   const struct hash32 *context_id)
{
	return peer_context_find(net, context_id);
}

const char *peer_own_identity(const struct mpc_context *c)
{
	return c->party[c->me - 1].identity;
}

static bool is_us(const struct peer_net *net, const struct mpc_context *c, unsigned party)
{
	return party == c->me ||
	       (net->tls && strcmp(c->party[party - 1].identity, tls_common_name(net->tls)) == 0);
}

/* Of everybody else, by the context that was set last. */
static enum err anchors_set(struct peer_net *net, struct err_note *note)
{
	struct tls_anchor anchors[PEER_CONTEXTS_MAX * MPC_PARTIES_MAX];
	size_t n = 0;

	if (!net->tls)
		return ERR_OK;
	for (size_t i = net->contexts_n; i > 0; i--) {
		const struct mpc_context *c = &net->context[i - 1];

		for (unsigned j = 1; j <= c->n; j++) {
			const struct mpc_context_party *party = &c->party[j - 1];
			size_t k = 0;

			while (k < n && strcmp(anchors[k].name, party->identity) != 0)
				k++;
			if (k == n && !is_us(net, c, j))
				anchors[n++] = (struct tls_anchor){party->identity,
								   buf_view(&party->ca_pem)};
		}
	}
	return tls_anchors_set(net->tls, anchors, n, note);
}

/* Makes the peers what the contexts say; those that no context has are gone afterwards. */
static enum err peers_sync(struct peer_net *net, struct err_note *note)
{
	enum err e = ERR_OK;

	for (struct peer *p = net->peers; p; p = p->next)
		p->wanted = false;
	for (size_t i = net->contexts_n; i > 0 && e == ERR_OK; i--) {
		const struct mpc_context *c = &net->context[i - 1];

		for (unsigned j = 1; j <= c->n && e == ERR_OK; j++) {
			struct peer *p = peer_find(net, c->party[j - 1].identity);

			if (is_us(net, c, j) || (p && p->wanted))
				continue;
			e = p ? peer_update(p, &c->party[j - 1], note)
			      : peer_new(net, &c->party[j - 1], note);
			p = peer_find(net, c->party[j - 1].identity);
			if (p)
				p->wanted = true;
		}
	}
	for (struct peer **at = &net->peers; *at && e == ERR_OK;) {
		struct peer *p = *at;

		if (p->wanted) {
			at = &p->next;
		} else {
			*at = p->next;
			peer_free(p);
		}
	}
	return e;
}

static enum err party_check(const struct peer_net *net, const struct mpc_context *c, unsigned i,
			    struct err_note *note)
{
	const struct mpc_context_party *party = &c->party[i - 1];
	enum channel_grpc_way way;
	char url[URL_SIZE];

	if (!tls_identity_is_sound(party->identity) || !party->host[0] || party->port < 1 ||
	    party->port > 65535)
		return err_say(note, ERR_CONFIG_VALUE, "party %u: no usable identity, host or port",
			       i);
	if (mpc_context_find(c, party->identity) != i)
		return err_say(note, ERR_CONFIG_VALUE, "party %u: \"%.80s\" is there twice", i,
			       party->identity);
	if (net->tls && i == c->me && strcmp(party->identity, tls_common_name(net->tls)) != 0)
		return err_say(note, ERR_CONFIG_VALUE,
			       "party %u is we, \"%.80s\", and our certificate says \"%.80s\"", i,
			       party->identity, tls_common_name(net->tls));
	url_make(url, net, party);
	TRY(channel_grpc_url_way(&way, url, note));
	return net->tls || way == CHANNEL_GRPC_LOOPBACK
		       ? ERR_OK
		       : err_say(note, ERR_CONFIG_VALUE,
				 "party %u, %.80s: without TLS peers are on the loopback only", i,
				 url);
}

static enum err context_check(const struct peer_net *net, const struct mpc_context *c,
			      struct err_note *note)
{
	struct mpc_group g = mpc_context_group(c);

	if (g.me == 0)
		g.me = 1;
	if (mpc_group_check(&g, note) != ERR_OK)
		return ERR_CONFIG_VALUE;
	for (unsigned i = 1; i <= c->n; i++)
		TRY(party_check(net, c, i, note));
	return ERR_OK;
}

static bool same_parties(const struct mpc_context *a, const struct mpc_context *b)
{
	if (a->n != b->n || a->threshold != b->threshold || a->me != b->me)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (strcmp(a->party[i].identity, b->party[i].identity) != 0)
			return false;
	return true;
}

static void contexts_remove(struct peer_net *net, size_t at)
{
	net->contexts_n--;
	for (size_t i = at; i < net->contexts_n; i++)
		net->context[i] = net->context[i + 1];
	net->context[net->contexts_n] = (struct mpc_context){0};
}

/* The old place of a context's contents, so that a failure can put them back. */
static enum err context_put(struct peer_net *net, const struct mpc_context *context,
			    struct mpc_context *ret_old, size_t *ret_at, struct err_note *note)
{
	const struct mpc_context *known = peer_context_find(net, &context->id);
	struct mpc_context copy;

	if (!known && net->contexts_n == PEER_CONTEXTS_MAX)
		return err_say(note, ERR_BUSY, "%d contexts are there already", PEER_CONTEXTS_MAX);
	TRY(mpc_context_copy(&copy, context));
	*ret_at = known ? (size_t)(known - net->context) : net->contexts_n;
	if (known) {
		*ret_old = *known;
		contexts_remove(net, *ret_at);
	}
	net->context[net->contexts_n++] = copy;
	return ERR_OK;
}

static void context_put_back(struct peer_net *net, const struct mpc_context *old, size_t at)
{
	net->contexts_n--;
	mpc_context_clear(&net->context[net->contexts_n]);
	if (old->n == 0)
		return;
	for (size_t i = net->contexts_n; i > at; i--)
		net->context[i] = net->context[i - 1];
	net->context[at] = *old;
	net->contexts_n++;
}

enum err peer_net_context_set(struct peer_net *net, const struct mpc_context *context,
			      struct err_note *note)
{
	struct mpc_context old = {0};
	size_t at = 0;
	enum err e;

	TRY(context_check(net, context, note));
	TRY(context_put(net, context, &old, &at, note));
	e = anchors_set(net, note);
	if (e != ERR_OK) {
		context_put_back(net, &old, at);
		return e;
	}
	if (old.n > 0 && !same_parties(&old, context))
		peer_runs_stop(net, &context->id);
	mpc_context_clear(&old);
	e = peers_sync(net, note);
	if (net->tls)
		grpc_server_renew(net->server);
	return e;
}

void peer_net_context_drop(struct peer_net *net, const struct hash32 *context_id)
{
	const struct mpc_context *c = peer_context_find(net, context_id);
	size_t at;

	if (!c)
		return;
	at = (size_t)(c - net->context);
	peer_runs_stop(net, context_id);
	mpc_context_clear(&net->context[at]);
	contexts_remove(net, at);
	(void)anchors_set(net, NULL); /* fewer of those that were good */
	(void)peers_sync(net, NULL);
	if (net->tls)
		grpc_server_renew(net->server);
}

/* ---- the end ---- */

void peer_net_free(struct peer_net *net)
{
	if (!net)
		return;
	grpc_server_free(net->server);
	peer_probes_cancel(net, NULL);
	peer_runs_free(net);
	peer_parked_forget(net, NULL);
	peer_table_free(&net->parked);
	peer_completed_free(net);
	while (net->peers) {
		struct peer *p = net->peers;

		net->peers = p->next;
		peer_free(p);
	}
	for (size_t i = 0; i < net->contexts_n; i++)
		mpc_context_clear(&net->context[i]);
	tls_free(net->tls);
	free(net);
}
