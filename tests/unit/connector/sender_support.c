/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "sender_support.h"

#include <stdio.h>

/* ---- a signer with moods ---- */

static void fail_later(void *ctx);

struct pending {
	struct sender_fixture *f;
	signer_done_fn *done;
	void *ctx;
};

static void fail_later(void *ctx)
{
	struct pending *p = ctx;

	p->done(p->ctx, ERR_UNAVAILABLE, NULL);
}

static enum err moody_sign(struct signer *s, struct hash32 digest, signer_done_fn *done, void *ctx)
{
	struct sender_fixture *f = CONTAINER_OF(s, struct sender_fixture, stalling);

	if (f->stall_n > 0) {
		f->stall_n--;
		return ERR_OK; /* AWS never answers */
	}
	if (f->hold_n > 0) {
		f->hold_n--;
		f->held = (struct sender_held){digest, done, ctx};
		return ERR_OK;
	}
	if (f->fail_n > 0) {
		struct pending *p = arena_alloc(&f->w.kept, sizeof(*p));

		assert_non_null(p);
		f->fail_n--;
		*p = (struct pending){f, done, ctx};
		(void)sim_after(&f->w.sim, 5, fail_later, p);
		return ERR_OK;
	}
	return signer_sign(f->signer, digest, done, ctx);
}

void sender_unhold(struct sender_fixture *f)
{
	assert_non_null(f->held.done);
	assert_int_equal(signer_sign(f->signer, f->held.digest, f->held.done, f->held.ctx), ERR_OK);
	f->held = (struct sender_held){0};
}

static void moody_free(struct signer *s)
{
	(void)s;
}

static const struct signer_ops moody = {.sign = moody_sign, .free = moody_free};

/* ---- life ---- */

void sender_setup(struct sender_fixture *f, uint64_t seed)
{
	const struct provider_options o = {"http://pool", {WORLD_GATEWAY_CHAIN}, 10000, 64};
	struct secret32 key;
	struct err_note note = {0};

	memset(f, 0, sizeof(*f));
	world_init(&f->w, seed);
	sim_pool_init(&f->pool, &f->w.sim, &f->w.net, "http://pool", WORLD_GATEWAY_CHAIN,
		      f->w.ecdsa);
	assert_int_equal(provider_new(&f->provider, &f->w.net.base, &f->w.sim.clock, &o, &note),
			 ERR_OK);
	memset(key.b, 0x51, sizeof(key.b));
	assert_int_equal(signer_raw_new(&f->signer, &f->w.sim.clock, f->w.ecdsa, &key), ERR_OK);
	f->stalling = (struct signer){.ops = &moody, .address = f->signer->address};
	f->pool.account = f->signer->address;
	f->pool.contract = f->w.decryption;
	f->w.env.gateway = f->provider;
	f->w.env.signer = &f->stalling;
	f->w.config.responses_batch_size = 50;
	f->w.config.gas_multiplier_percent = 115;
	f->w.config.max_fee_per_gas_gwei = 500;
	f->w.config.tx_retry_interval_ms = 10;
	f->w.config.tx_replace_after_ms = 60000;
	f->w.config.gateway_tx_required_confirmations = 1;
}

void sender_teardown(struct sender_fixture *f)
{
	sender_stop(f->sender);
	signer_free(f->signer);
	provider_free(f->provider);
	world_free(&f->w);
}

static void submit(struct sender_fixture *f, struct store_batch *b)
{
	assert_int_equal(store_submit(&f->w.sim.store.base, b, NULL, NULL), ERR_OK);
	store_batch_free(b);
}

void sender_begin(struct sender_fixture *f)
{
	struct store_batch b = store_batch_make(1 << 16);

	assert_int_equal(op_add_release_all(&b), ERR_OK);
	submit(f, &b);
	(void)snprintf(f->owner, sizeof(f->owner), "owner-%u", ++f->starts);
	f->w.env.owner = f->owner;
	assert_int_equal(sender_start(&f->sender, &f->w.env), ERR_OK);
}

void sender_kill(struct sender_fixture *f)
{
	sender_stop(f->sender);
	f->sender = NULL;
	sim_store_reopen(&f->w.sim);
}

/* What was just inserted has this answer. */
static void answer_seen(struct sender_fixture *f, struct bytes result)
{
	const uint8_t signature[65] = {27};
	const struct decryption_answer answer = {result, BYTES_OF(signature), BYTES_NONE};
	struct store_batch b = store_batch_make(1 << 20);
	CLEANUP(buf_free) struct buf stored = buf_make(1 << 16);

	assert_int_equal(decryption_answer_encode(&stored, &answer), ERR_OK);
	assert_int_equal(STORE_ADD(&b, STORE_ANY,
				   "UPDATE operation SET state = 'answered', answer = $1 "
				   "WHERE state = 'seen'",
				   store_blob(buf_view(&stored))),
			 ERR_OK);
	submit(f, &b);
}

void sender_answers(struct sender_fixture *f, uint64_t first, uint64_t n)
{
	const struct hash32 handle = world_handle(1, 5);
	const uint8_t result[32] = {42};

	for (uint64_t id = first; id < first + n; id++) {
		world_insert(&f->w, id, &handle, 1, BYTES_NONE, 0, BYTES_LIT("x"));
		answer_seen(f, BYTES_OF(result));
	}
	assert_int_equal(store_notify(&f->w.sim.store.base, OP_TOPIC_ANSWERED), ERR_OK);
}

void sender_user_answer(struct sender_fixture *f, uint64_t id)
{
	const struct hash32 handle = world_handle(1, 5);
	const struct user_request user = {.user = {{7}}, .public_key = BYTES_LIT("key")};
	const struct decryption_request request = {
		.handles = &handle, .handles_n = 1, .user = &user};

	world_insert_user(&f->w, id, &request, 0, BYTES_LIT("x"));
	answer_seen(f, BYTES_LIT("a payload, sealed"));
	assert_int_equal(store_notify(&f->w.sim.store.base, OP_TOPIC_ANSWERED), ERR_OK);
}

static int64_t count(struct sender_fixture *f, const char *table, const char *state)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE state = '%s'", table,
		       state);
	return sim_sql_int(&f->w.sim, sql);
}

int64_t sender_ops(struct sender_fixture *f, const char *state)
{
	return count(f, "operation", state);
}

int64_t sender_txs(struct sender_fixture *f, const char *state)
{
	return count(f, "tx", state);
}

bool sender_wait(struct sender_fixture *f, const char *state, int64_t n, int64_t ms)
{
	for (int64_t waited = 0; waited <= ms; waited += 10) {
		if (sender_ops(f, state) >= n)
			return true;
		sim_run(&f->w.sim, 10);
	}
	return false;
}
