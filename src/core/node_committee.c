/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/node_committee.h"

#include "core/context_info.h"
#include "core/key_ring.h"
#include "core/request_id.h"

enum {
	LISTEN_TEXT_MAX = 128
};

/* ---- contexts ---- */

static enum err configured_add(struct node_committee *c, const struct threshold_config *t,
			       const struct signing_key *signer, struct err_note *note)
{
	static const struct address none;
	struct mpc_context x;
	enum err e = ERR_OK;

	if (t->peers_n == 0)
		return ERR_OK;
	TRY(threshold_config_context(&x, t, note));
	if (!address_eq(x.party[x.me - 1].signer, none) &&
	    !address_eq(x.party[x.me - 1].signer, signer->address))
		e = err_say(note, ERR_CONFIG_VALUE,
			    "threshold.peers: the verification_address of party %u, which is this "
			    "node, is not that of its signing key",
			    x.me);
	if (e == ERR_OK)
		e = committees_add_context(c->committees, &x);
	mpc_context_clear(&x);
	return e;
}

static enum err stored_add(struct node_committee *c, const struct vault *v, struct hash32 id,
			   const struct signing_key *signer, struct err_note *note)
{
	const struct vault_name name = {.type = CONTEXT_INFO_TYPE, .id = id};
	CLEANUP(buf_free) struct buf object = buf_make(CONTEXT_INFO_SIZE_MAX);
	char text[REQUEST_ID_TEXT_SIZE];
	struct mpc_context x = {0};
	enum err e;

	request_id_text(text, id);
	TRY(vault_read(&object, v, &name, note));
	e = context_info_read(&x, buf_view(&object), signer->address, note);
	if (e == ERR_OK && !hash32_eq(x.id, id))
		e = err_say(note, ERR_CORRUPT, "the object says that it is another one");
	if (e == ERR_OK)
		e = committees_add_context(c->committees, &x);
	mpc_context_clear(&x);
	/* The default context is made anew from the configuration. */
	return e == ERR_OK || e == ERR_ALREADY_DONE ? ERR_OK
						    : err_prefix(note, e, "ContextInfo %s", text);
}

static enum err stored_load(struct node_committee *c, const struct vault *v,
			    const struct signing_key *signer, struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids ids = {0};

	TRY(vault_list(&ids, v, CONTEXT_INFO_TYPE, NULL, note));
	for (size_t i = 0; i < ids.n; i++)
		TRY(stored_add(c, v, ids.v[i], signer, note));
	return ERR_OK;
}

/* Nobody in a committee holds a whole key. */
static void whole_keys_warn(const struct node_committee *c, const struct vault *v)
{
	CLEANUP(vault_ids_free) struct vault_ids epochs = {0};

	if (vault_list(&epochs, v, KEY_RING_TYPE, NULL, NULL) == ERR_OK && epochs.n > 0)
		LOG_WARN(c->log,
			 "The vault of this node of a committee holds whole FHE keys: they are not "
			 "used; whoever has this vault needs no other node");
}

enum err node_committee_load(struct node_committee *c, const struct core_config *config,
			     const struct signing_key *signer, const struct log *log,
			     struct err_note *note)
{
	const struct vault v = core_config_vault(&config->private_vault, true);

	if (!config->threshold.given)
		return ERR_OK;
	c->log = log;
	TRY(committees_new(&c->committees));
	TRY(configured_add(c, &config->threshold, signer, note));
	TRY(stored_load(c, &v, signer, note));
	whole_keys_warn(c, &v);
	return ERR_OK;
}

/* ---- peers ---- */

static void on_note(void *ctx, const char *peer, const char *what)
{
	const struct node_committee *c = ctx;

	LOG_WARN(c->log, "Between nodes", log_s("peer", peer), log_s("what", what));
}

static void on_question(void *ctx, struct bytes question, struct buf *answer)
{
	const struct node_committee *c = ctx;

	if (c->epochs)
		epoch_setup_answer(c->epochs, question, answer);
}

static enum err peers_open(struct node_committee *c, const struct threshold_config *t,
			   struct loop *loop, struct err_note *note)
{
	CLEANUP(buf_free) struct buf listen = buf_make(LISTEN_TEXT_MAX);

	TRY(threshold_config_listen(&listen, t));
	TRY(buf_add(&listen, bytes_from("", 1)));

	const struct peer_net_options options = {
		.loop = loop,
		.listen = (const char *)listen.p,
		.cert_file = t->cert,
		.key_file = t->key,
		.plaintext_loopback = t->plaintext_loopback,
		.first_retry_ms = (int64_t)t->first_retry_ms,
		.retry_cap_ms = (int64_t)t->retry_cap_s * 1000,
		.linger_ms = (int64_t)t->linger_s * 1000,
		.parked_ms = (int64_t)t->idle_timeout_s * 1000,
		.completed_ms = (int64_t)t->completed_s * 1000,
		.parked_sessions = (size_t)t->parked_sessions,
		.note = on_note,
		.note_ctx = c,
		.answer = on_question,
		.answer_ctx = c,
	};

	return peer_net_new(&c->peers, &options, note);
}

static enum err contexts_set(struct node_committee *c, struct err_note *note)
{
	for (size_t i = 0; i < c->committees->contexts_n; i++)
		TRY(peer_net_context_set(c->peers, &c->committees->contexts[i], note));
	return ERR_OK;
}

enum err node_committee_start(struct node_committee *c, const struct core_config *config,
			      struct loop *loop, struct pool *pool, struct store *store,
			      struct err_note *note)
{
	const struct threshold_config *t = &config->threshold;

	if (!t->given)
		return ERR_OK;
	TRY(peers_open(c, t, loop, note));
	TRY(contexts_set(c, note));
	LOG_INFO(c->log, "Listening for the other nodes", log_s("address", t->listen_address),
		 log_i("port", (int64_t)peer_net_port(c->peers)),
		 log_i("contexts", (int64_t)c->committees->contexts_n));
	if (t->plaintext_loopback)
		LOG_WARN(c->log, "The nodes talk in plain text: every user of this machine can be "
				 "any of them");
	return epoch_setup_new(
		&c->epochs,
		&(struct epoch_setup_options){
			.loop = loop,
			.pool = pool,
			.store = store,
			.log = c->log,
			.committee = c->committees,
			.peers = c->peers,
			.private_vault = core_config_vault(&config->private_vault, true),
			.rng = rng_system(),
			.poll_ms = (int64_t)t->setup_poll_ms,
			.round_timeout_ms = (int64_t)t->round_timeout_s * 1000,
		},
		note);
}

static const struct mpc_context *nth_context(void *net, size_t i)
{
	const struct node_committee *c = net;

	for (size_t k = 0; k < c->committees->contexts_n; k++)
		if (c->committees->contexts[k].me != 0 && i-- == 0)
			return &c->committees->contexts[k];
	return NULL;
}

static enum err probe(struct peer_probe **ret_probe, void *net,
		      const struct peer_probe_options *options)
{
	const struct node_committee *c = net;

	return peer_net_probe(ret_probe, c->peers, options);
}

struct peers node_committee_peers(struct node_committee *c, const struct peers *otherwise)
{
	static const struct peers_ops ops = {nth_context, probe};

	return c->peers ? (struct peers){&ops, c} : *otherwise;
}

/* ---- life ---- */

void node_committee_reload(struct node_committee *c)
{
	struct err_note note = {0};

	if (!c->peers)
		return;

	enum err e = peer_net_reload(c->peers, &note);

	if (e == ERR_OK)
		LOG_INFO(c->log, "Certificate towards the other nodes read anew");
	else
		LOG_ERROR(c->log, "Certificate towards the other nodes stays as it was", log_e(e),
			  log_s("detail", note.text));
}

void node_committee_stop(struct node_committee *c)
{
	if (c->epochs)
		epoch_setup_stop(c->epochs);
}

void node_committee_free(struct node_committee *c)
{
	epoch_setup_free(c->epochs);
	if (c->peers)
		peer_net_free(c->peers);
	committees_free(c->committees);
	*c = (struct node_committee){0};
}
