/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "peer_world.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpc/shamir.h"

const char *world_name(char place[32], unsigned party)
{
	(void)snprintf(place, 32, "p%u.test", party);
	return place;
}

/* ---- certificates ---- */

static void pem_of(struct buf *out, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	CHECK(bio && PEM_write_bio_X509(bio, cert) == 1);
	n = BIO_get_mem_data(bio, &text);
	*out = buf_make((size_t)n);
	CHECK(buf_add(out, bytes_from(text, (size_t)n)) == ERR_OK);
	BIO_free(bio);
}

static void party_make(struct world *w, unsigned party)
{
	struct mpc_context_party *p = &w->context.party[party - 1];
	char san[64];

	(void)world_name(p->identity, party);
	(void)snprintf(p->host, sizeof(p->host), "127.0.0.1");
	w->ca[party - 1] = authority_make(&w->certs, p->identity);
	pem_of(&p->ca_pem, w->ca[party - 1].cert);
	(void)snprintf(san, sizeof(san), "DNS:%.40s,DNS:localhost", p->identity);
	authority_issue(&w->ca[party - 1], &w->certs, p->identity, &(struct cert_plan){.san = san});
}

/* ---- nodes ---- */

static void on_note(void *ctx, const char *peer, const char *what)
{
	struct world_node *node = ctx;

	node->noted++;
	(void)snprintf(node->note, sizeof(node->note), "%.90s: %.150s", peer, what);
}

static void node_new(struct world *w, unsigned party)
{
	struct mpc_context_party *p = &w->context.party[party - 1];
	struct world_node *node = &w->node[party - 1];
	char cert[CERT_PATH_SIZE], key[CERT_PATH_SIZE], listen[32], name[64];
	struct peer_net_options o = w->options;
	struct err_note note = {0};
	enum err e;

	(void)snprintf(name, sizeof(name), "%.40s.pem", p->identity);
	(void)certs_path(&w->certs, cert, name);
	(void)snprintf(name, sizeof(name), "%.40s.key", p->identity);
	(void)certs_path(&w->certs, key, name);
	(void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", p->port);
	o.loop = w->loop;
	o.listen = listen;
	o.cert_file = o.plaintext_loopback ? NULL : cert;
	o.key_file = o.plaintext_loopback ? NULL : key;
	o.note = on_note;
	o.note_ctx = node;
	e = peer_net_new(&node->net, &o, &note);
	if (e != ERR_OK)
		fail_msg("%s", note.text);
	p->port = peer_net_port(node->net);
}

void world_node_context(struct world *w, unsigned party, const struct mpc_context *c)
{
	struct mpc_context mine = *c;
	struct err_note note = {0};

	mine.me = party;
	if (peer_net_context_set(w->node[party - 1].net, &mine, &note) != ERR_OK)
		fail_msg("%s", note.text);
}

void world_node_start(struct world *w, unsigned party)
{
	node_new(w, party);
	world_node_context(w, party, &w->context);
}

void world_node_stop(struct world *w, unsigned party)
{
	struct world_node *node = &w->node[party - 1];

	peer_net_free(node->net);
	node->net = NULL;
	node->run = NULL;
	mpc_open_free(node->open);
	node->open = NULL;
	mpc_prss_init_free(node->init);
	node->init = NULL;
}

static void secrets_make(struct world *w)
{
	const struct mpc_group g = {w->context.n, w->context.threshold, 1};
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 7);

	for (unsigned i = 0; i < WORLD_SECRETS; i++) {
		struct gr row[MPC_PARTIES_MAX];

		rng_fill(rng, (uint8_t *)&w->secrets[i], sizeof(w->secrets[i]));
		shamir_share(row, &g, g.t, &w->secrets[i], rng);
		for (unsigned p = 0; p < g.n; p++)
			w->shares[p][i] = row[p];
	}
}

void world_make(struct world *w, unsigned n, unsigned t)
{
	certs_make(&w->certs);
	assert_int_equal(loop_new(&w->loop), ERR_OK);
	w->context.id.b[0] = 1;
	w->context.n = n;
	w->context.threshold = t;
	for (unsigned i = 1; i <= n; i++)
		party_make(w, i);
	for (unsigned i = 1; i <= n; i++)
		node_new(w, i);
	for (unsigned i = 1; i <= n; i++)
		world_node_context(w, i, &w->context);
	secrets_make(w);
}

void world_free(struct world *w)
{
	for (unsigned i = 1; i <= w->context.n; i++) {
		world_node_stop(w, i);
		authority_free(&w->ca[i - 1]);
	}
	loop_free(w->loop);
	certs_free(&w->certs);
	mpc_context_clear(&w->context);
}

/* ---- protocols ---- */

struct peer_net_counts world_counts(const struct world *w, unsigned party)
{
	return peer_net_counts(w->node[party - 1].net);
}

struct mpc_session_id world_session(uint8_t n)
{
	return (struct mpc_session_id){{n, 1, 2, 3}};
}

static void on_done(void *ctx, enum err e)
{
	struct world_node *node = ctx;

	node->run = NULL;
	node->ended = true;
	node->err = e;
}

static void node_run(struct world *w, unsigned party, struct mpc_session_id id,
		     struct mpc_protocol *protocol, int64_t round_timeout_ms)
{
	struct world_node *node = &w->node[party - 1];
	const struct peer_run_options o = {
		.context_id = w->context.id,
		.session = id,
		.protocol = protocol,
		.round_timeout_ms = round_timeout_ms,
		.idle_timeout_ms = 30000,
		.done = on_done,
		.ctx = node,
	};

	node->ended = false;
	assert_int_equal(peer_net_run(&node->run, node->net, &o), ERR_OK);
}

void world_open(struct world *w, unsigned party, struct mpc_session_id id, bool synchronous)
{
	struct world_node *node = &w->node[party - 1];
	struct mpc_open_task task = {.group = {w->context.n, w->context.threshold, party},
				     .synchronous = synchronous};

	mpc_open_to(&task, mpc_set_all(&task.group), w->shares[party - 1], WORLD_SECRETS);
	mpc_open_free(node->open);
	assert_int_equal(mpc_open_new(&node->open, &task), ERR_OK);
	node_run(w, party, id, mpc_open_protocol(node->open), 10000);
}

void world_prss(struct world *w, unsigned party, struct mpc_session_id id, uint64_t seed,
		int64_t round_timeout_ms)
{
	struct world_node *node = &w->node[party - 1];
	const struct mpc_group g = {w->context.n, w->context.threshold, party};

	assert_int_equal(mpc_prss_init_new(&node->init, &g,
					   rng_seeded_init(&node->seeded, 100 * seed + party)),
			 ERR_OK);
	node_run(w, party, id, mpc_prss_init_protocol(node->init), round_timeout_ms);
}

static bool all_ended(const struct world *w)
{
	for (unsigned i = 0; i < w->context.n; i++)
		if (w->node[i].run)
			return false;
	return true;
}

void world_wait(struct world *w, int64_t guard_ms)
{
	int64_t end_ms = clock_mono_ms(loop_clock(w->loop)) + guard_ms;

	while (!all_ended(w)) {
		if (clock_mono_ms(loop_clock(w->loop)) > end_ms)
			fail_msg("not done in %d ms", (int)guard_ms);
		run_for(w->loop, 5);
	}
}

bool world_opened(const struct world *w, unsigned party)
{
	const struct world_node *node = &w->node[party - 1];
	const struct gr *secrets;
	mpc_set wrong;

	return node->ended && node->err == ERR_OK &&
	       mpc_open_result(node->open, &secrets, &wrong) == ERR_OK &&
	       memcmp(secrets, w->secrets, sizeof(w->secrets)) == 0;
}

void world_check_keys(const struct world *w, mpc_set parties)
{
	const struct mpc_group g = {w->context.n, w->context.threshold, 1};
	struct prss *prss[MPC_PARTIES_MAX] = {0};
	size_t at[MPC_PARTIES_MAX] = {0};
	mpc_set sets[MPC_SETS_MAX];

	mpc_sets(&g, sets);
	for (unsigned p = 1; p <= g.n; p++)
		if (mpc_set_has(parties, p)) {
			assert_int_equal(w->node[p - 1].err, ERR_OK);
			assert_int_equal(mpc_prss_init_result(w->node[p - 1].init, &prss[p - 1]),
					 ERR_OK);
		}
	for (unsigned i = 0; i < mpc_sets_n(&g); i++) {
		struct bytes first = BYTES_NONE;

		for (unsigned p = 1; p <= g.n; p++) {
			struct bytes key;

			if (!mpc_set_has(parties & sets[i], p))
				continue;
			key = bytes_sub(prss_keys(prss[p - 1]), at[p - 1], PRSS_KEY_SIZE);
			at[p - 1] += PRSS_KEY_SIZE;
			assert_int_equal(key.n, PRSS_KEY_SIZE);
			if (first.n > 0)
				assert_memory_equal(key.p, first.p, key.n);
			first = key;
		}
	}
	for (unsigned p = 0; p < g.n; p++)
		prss_free(prss[p]);
}

/* ---- a client of its own will ---- */

void world_client_make(struct world_client *c, struct world *w, const char *cert, unsigned to)
{
	const struct mpc_context_party *p = &w->context.party[to - 1];
	char cert_file[CERT_PATH_SIZE], key_file[CERT_PATH_SIZE], name[64], url[64];
	const struct tls_options tls = {.cert_file = cert_file, .key_file = key_file};
	const struct tls_anchor anchor = {p->identity, buf_view(&p->ca_pem)};
	struct channel_grpc_options o = {.url = url, .identity = p->identity};

	*c = (struct world_client){.w = w};
	(void)snprintf(name, sizeof(name), "%.40s.pem", cert);
	(void)certs_path(&w->certs, cert_file, name);
	(void)snprintf(name, sizeof(name), "%.40s.key", cert);
	(void)certs_path(&w->certs, key_file, name);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u", p->port);
	assert_int_equal(tls_new(&c->tls, &tls, NULL), ERR_OK);
	assert_int_equal(tls_anchors_set(c->tls, &anchor, 1, NULL), ERR_OK);
	o.tls = c->tls;
	assert_int_equal(channel_grpc_open(&c->channel, w->loop, &o, NULL), ERR_OK);
}

void world_client_free(struct world_client *c)
{
	channel_free(c->channel);
	tls_free(c->tls);
}

static void on_answer(void *ctx, const struct rpc_reply *reply)
{
	struct world_client *c = ctx;

	c->status = reply->status;
	c->answers[reply->status]++;
	(void)snprintf(c->text, sizeof(c->text), "%.250s", reply->text);
	if (reply->status == GRPC_OK)
		assert_int_equal(peer_wire_read_status(&c->answer, reply->message), ERR_OK);
	if (--c->waits_for == 0)
		loop_stop(c->w->loop);
}

void world_client_send(struct world_client *c, const char *path, struct bytes message)
{
	const struct rpc_call call = {
		.path = path, .message = message, .timeout_ms = 30000, .reply_max = 1024};
	struct rpc_ticket ticket;

	assert_int_equal(channel_call(c->channel, &ticket, &call, on_answer, c), ERR_OK);
	c->waits_for++;
}

void world_client_wait(struct world_client *c)
{
	run_guarded(c->w->loop, 60000);
}

void world_client_say(struct world_client *c, const char *sender, struct mpc_session_id id,
		      uint64_t round, struct bytes value)
{
	struct buf message = buf_make(value.n + PEER_WIRE_EXTRA);
	struct peer_message m = {.session = id, .round = round, .value = value};

	(void)snprintf(m.sender, sizeof(m.sender), "%s", sender);
	assert_int_equal(peer_wire_write(&message, &m), ERR_OK);
	world_client_send(c, PEER_PATH_SEND, buf_view(&message));
	buf_free(&message);
}
