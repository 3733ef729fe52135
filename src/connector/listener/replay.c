/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "connector/adapters/events.h"
#include "connector/config_file.h"
#include "connector/listener/internal.h"

enum {
	RPC_TIMEOUT_MS = 10000,
	TOPICS_BYTES_MAX = 1 << 16,
	LOG_SCRATCH_MAX = 32 << 20,
	LINE_SIZE = 512,
};

struct replay {
	const struct replay_options *o;
	struct replay_result result;
	struct err_note *note;
	struct loop *loop;
	struct transport *transport;
	struct provider *provider;
	struct store *store;
	struct service_chain chain;
	struct arena arena;
	const struct hash32 *topics;
	size_t topics_n;
	struct window window;
	/* the step that the loop runs for */
	enum err err;
	bool too_wide;
	unsigned endpoint;
	struct hash32 end_hash;
	struct block_number to;
	struct harvest harvest;
	char state[32];
};

static void step_over(struct replay *r, enum err e, const char *what)
{
	if (e != ERR_OK && what != r->note->text)
		(void)err_say(r->note, e, "%s", what);
	r->err = e;
	loop_stop(r->loop);
}

static enum err wait_for(struct replay *r, enum err submitted)
{
	TRY(submitted);
	TRY(loop_run(r->loop));
	return r->err;
}

/* ---- what is stored ---- */

static void on_state(void *ctx, const struct store_value *cells, size_t n)
{
	struct replay *r = ctx;

	if (n == 1 && cells[0].type == STORE_TEXT)
		(void)snprintf(r->state, sizeof(r->state), "%.*s", (int)cells[0].b.n,
			       (const char *)cells[0].b.p);
}

/* A database that is not there yet has nothing. */
static enum err find_state(struct replay *r, const struct operation *op)
{
	uint8_t id[32];

	u256_to_be(id, op->key.request_id);
	const struct store_value args[] = {
		store_int((int64_t)op->key.chain.v),
		store_blob(BYTES_OF(op->key.contract.b)),
		store_text(op_kind_name(op->key.kind)),
		store_blob(BYTES_OF(id)),
		store_blob(BYTES_OF(op->key.content_digest.b)),
	};

	(void)snprintf(r->state, sizeof(r->state), "new");
	enum err e =
		store_query(r->o->database, CONNECTOR_SCHEMA,
			    "SELECT state FROM operation WHERE chain = $1 AND contract = $2 AND"
			    " kind = $3 AND request_id = $4 AND content_digest = $5",
			    args, ARRAY_LEN(args), on_state, r, r->note);
	return e == ERR_CONFIG_FILE ? ERR_OK : e;
}

static enum err show(struct replay *r, const struct event_log *log)
{
	struct arena arena CLEANUP(arena_free) = arena_make(LOG_SCRATCH_MAX);
	struct operation op = {0};
	struct err_note why = {0};
	char line[LINE_SIZE], hex[65];
	uint8_t id[32];

	enum err e = events_decode_log(&arena, &op, r->chain.id, r->chain.contracts,
				       r->chain.contracts_n, log, &why);
	if (e == ERR_OK && op.key.kind == 0)
		return ERR_OK; /* of no concern to us */
	if (e != ERR_OK) {
		r->result.undecodable++;
		(void)snprintf(line, sizeof(line), "%" PRIu64 "  log %" PRIu64 "  undecodable: %s",
			       log->block.v, log->log_index, why.text);
	} else {
		TRY(find_state(r, &op));
		r->result.events++;
		r->result.missing += strcmp(r->state, "new") == 0 ? 1 : 0;
		u256_to_be(id, op.key.request_id);
		hex_encode(hex, BYTES_OF(id));
		(void)snprintf(line, sizeof(line), "%" PRIu64 "  %s  0x%s  %s", log->block.v,
			       op_kind_name(op.key.kind), hex, r->state);
	}
	r->o->line(r->o->ctx, line);
	return ERR_OK;
}

/* ---- a window ---- */

static void on_logs(void *ctx, const struct provider_error *e, const struct event_log *logs,
		    size_t logs_n)
{
	struct replay *r = ctx;
	enum err err = e->err;

	r->too_wide = window_is_too_wide(e);
	r->endpoint = e->endpoint;
	for (size_t i = 0; err == ERR_OK && i < logs_n; i++) {
		struct err_note why = {0};

		err = show(r, &logs[i]);
		if (err == ERR_OK && r->o->apply)
			err = harvest_add(&r->harvest, &r->chain, &logs[i], r->to,
					  clock_wall_ms(loop_clock(r->loop)), &why);
	}
	step_over(r, err, e->err != ERR_OK ? e->note.text : r->note->text);
}

static void on_block(void *ctx, const struct provider_error *e, const struct block_head *block)
{
	struct replay *r = ctx;

	if (block)
		r->end_hash = block->hash;
	step_over(r, e->err, e->note.text);
}

static void on_stored(void *ctx, const struct store_result *result)
{
	step_over(ctx, result->err, result->note.text);
}

static enum err read_logs(struct replay *r, struct block_number from)
{
	struct address addresses[SERVICE_CONTRACTS_MAX];
	for (size_t i = 0; i < r->chain.contracts_n; i++)
		addresses[i] = r->chain.contracts[i].address;
	const struct log_filter filter = {
		.addresses = addresses,
		.addresses_n = r->chain.contracts_n,
		.topic0 = r->topics,
		.topic0_n = r->topics_n,
		.from = from,
		.to = r->to,
	};

	return wait_for(r, provider_logs(r->provider, &filter, on_logs, r));
}

static enum err store_all(struct replay *r)
{
	struct harvest *h = &r->harvest;

	TRY(harvest_end(h));
	for (h->next = 0; h->next < h->batches_n; h->next++)
		TRY(wait_for(r, store_submit(r->store, &h->batches[h->next], on_stored, r)));
	if (h->rows > 0)
		(void)(store_notify(r->store, OP_TOPIC_SEEN) ==
		       ERR_OK); /* it looks by itself, too */
	return ERR_OK;
}

/* As the listener: the one that gave the logs must have their last block. */
static enum err read_window(struct replay *r, struct block_number from)
{
	const struct block_tag end = {.kind = BLOCK_NUMBER, .number = r->to};

	TRY(read_logs(r, from));
	TRY(wait_for(r, provider_head_of(r->provider, r->endpoint, end, on_block, r)));
	if (r->harvest.has_last_hash && !hash32_eq(r->end_hash, r->harvest.last_hash))
		return err_say(r->note, ERR_MISMATCH, "the chain changed while it was read");
	return r->o->apply ? store_all(r) : ERR_OK;
}

static enum err read_range(struct replay *r)
{
	const struct block_tag last = {.kind = BLOCK_NUMBER, .number = r->o->to};
	struct block_number from = r->o->from;

	TRY(wait_for(r, provider_head(r->provider, last, on_block, r)));
	while (from.v <= r->o->to.v) {
		r->to = r->o->to;
		if (r->to.v - from.v >= r->window.size)
			r->to.v = from.v + r->window.size - 1;
		r->too_wide = false;
		enum err e = read_window(r, from);
		harvest_free(&r->harvest);
		if (e != ERR_OK && r->too_wide && r->window.size > 1) {
			window_halve(&r->window);
			continue;
		}
		TRY(e);
		window_good(&r->window, r->to.v - from.v + 1);
		from.v = r->to.v + 1;
	}
	return ERR_OK;
}

/* ---- the parts ---- */

static enum err post(void *loop, void (*fn)(void *ctx), void *ctx)
{
	return loop_post(loop, fn, ctx);
}

static enum err open_provider(struct replay *r)
{
	const struct connector_config *c = r->o->config;
	bool eth = r->o->ethereum;
	const struct config_strings *more = eth ? &c->ethereum_urls : &c->gateway_urls;
	const struct provider_options o = {
		.url = eth ? c->ethereum_url : c->gateway_url,
		.chain_id = {eth ? c->ethereum_chain_id : c->gateway_chain_id},
		.timeout_ms = RPC_TIMEOUT_MS,
		.more_urls = (const char *const *)more->v,
		.more_urls_n = more->n,
		.quorum = (unsigned)(eth ? c->ethereum_quorum : c->gateway_quorum),
		.verify_chain = true,
	};
	struct transport *http;

	if (!o.url)
		return err_say(r->note, ERR_CONFIG_VALUE, "ethereum_url is not configured");
	TRY(transport_curl_new(&http, r->loop));
	TRY(transport_ws_new(&r->transport, r->loop, http));
	return provider_new(&r->provider, r->transport, loop_clock(r->loop), &o, r->note);
}

static enum err open_all(struct replay *r)
{
	TRY(loop_new(&r->loop));
	TRY(open_provider(r));

	const struct connector_env env = {.config = r->o->config, .gateway = r->provider};
	r->chain = r->o->ethereum ? service_chain_ethereum(&env, r->provider)
				  : service_chain_gateway(&env);
	if (r->chain.contracts_n == 0)
		return err_say(r->note, ERR_CONFIG_VALUE,
			       "no contract of that chain is configured");
	TRY(events_topics(&r->arena, r->chain.contracts, r->chain.contracts_n, &r->topics,
			  &r->topics_n));
	r->window = window_make(r->o->config->get_logs_batch_size);
	if (!r->o->apply)
		return ERR_OK;
	const struct store_executor executor = {.post = post, .loop = r->loop};
	return store_open(&r->store, &executor, r->o->database, CONNECTOR_SCHEMA,
			  &connector_migrations, r->note);
}

enum err replay_run(const struct replay_options *options, struct replay_result *ret_result,
		    struct err_note *note)
{
	struct err_note own = {0};
	struct replay r = {
		.o = options, .note = note ? note : &own, .arena = arena_make(TOPICS_BYTES_MAX)};

	if (options->from.v > options->to.v || options->to.v > INT64_MAX)
		return err_say(note, ERR_RANGE, "--from is after --to");
	enum err e = open_all(&r);
	if (e == ERR_OK)
		e = read_range(&r);
	harvest_free(&r.harvest);
	store_free(r.store);
	provider_free(r.provider);
	transport_free(r.transport);
	loop_free(r.loop);
	arena_free(&r.arena);
	if (e == ERR_OK)
		*ret_result = r.result;
	return e;
}
