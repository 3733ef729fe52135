/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A transaction that is not mined: the same nonce and the same call, signed again for a higher fee.
 * All versions are on disk before the newer one is broadcast; any of them may be mined, one will.
 */
#include "connector/sender/internal.h"

/* ---- fees ---- */

/* An eighth more, rounded up: above the tenth that nodes ask for. False beyond all numbers. */
static bool raised(struct u256 *ret, struct u256 v)
{
	struct u256 eighth;
	bool over;

	for (size_t i = 0; i < 4; i++)
		eighth.w[i] = v.w[i] >> 3 | (i < 3 ? v.w[i + 1] << 61 : 0);
	over = u256_add(&eighth, eighth, u256_from_u64(1));
	return !(over | u256_add(ret, v, eighth));
}

static struct u256 higher(struct u256 a, struct u256 b)
{
	return u256_cmp(a, b) > 0 ? a : b;
}

/* What the chain asks now, or an eighth more than the last time; never above the limit. */
static bool next_fees(struct job *j)
{
	const struct sender *s = j->s;
	const struct u256 cap = u256_from_u64(s->env.config->max_fee_per_gas_gwei * WEI_PER_GWEI);
	struct u256 fee_min, priority_min, fee;

	if (!raised(&fee_min, j->fee_max.v) || !raised(&priority_min, j->priority.v) ||
	    u256_cmp(fee_min, cap) > 0)
		return false;
	fee = higher(fee_min, s->fee_max.v);
	j->next_fee_max.v = u256_cmp(fee, cap) > 0 ? cap : fee;
	j->next_priority.v = higher(priority_min, s->priority.v);
	if (u256_cmp(j->next_priority.v, j->next_fee_max.v) > 0)
		j->next_priority.v = j->next_fee_max.v;
	return u256_cmp(j->next_priority.v, priority_min) >= 0;
}

/* ---- when ---- */

static bool can(const struct job *j)
{
	return j->older_n < ARRAY_LEN(j->older);
}

void replace_later(struct job *j)
{
	int64_t wait_ms = j->s->env.config->tx_replace_after_ms;

	if (j->replace_ms != INT64_MAX || !can(j))
		return;
	for (size_t i = 0; i < j->older_n && wait_ms < REPLACE_WAIT_MAX_MS; i++)
		wait_ms *= 2;
	if (j->older_n > 0 && wait_ms > REPLACE_WAIT_MAX_MS)
		wait_ms = REPLACE_WAIT_MAX_MS;
	j->replace_ms = sender_mono_ms(j->s) + wait_ms;
}

void replace_now(struct job *j)
{
	if (can(j) && !j->foreign && j->replace_ms > sender_mono_ms(j->s))
		j->replace_ms = sender_mono_ms(j->s);
}

static void again(struct job *j)
{
	j->replacing = false;
	j->replace_ms = sender_mono_ms(j->s) + REPLACE_AGAIN_MS;
	sender_pump(j->s);
}

void replace_fees_failed(struct sender *s)
{
	int64_t now_ms = sender_mono_ms(s);

	for (struct job *j = s->open.first; j; j = j->next)
		if (j->stage == STAGE_LIVE && j->replace_ms <= now_ms)
			j->replace_ms = now_ms + REPLACE_AGAIN_MS;
}

/* ---- how ---- */

static void on_stored(void *ctx, const struct store_result *r)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	if (r->err == ERR_STATE_MOVED) {
		/* Not as we left it: whoever changed the row has the last word. */
		lease_doubt(j->s);
		j->replacing = false;
		j->replace_ms = INT64_MAX;
		buf_clear(&j->next_raw);
		return;
	}
	if (r->err != ERR_OK) { /* the same bytes again: they may be on disk */
		again(j);
		return;
	}
	LOG_WARN(j->s->env.log, "A transaction is not mined, its fee is raised",
		 log_u256("request", j->request_id), log_i("nonce", (int64_t)j->nonce),
		 log_i("version", (int64_t)j->older_n + 1), log_u256("fee_max", j->next_fee_max.v),
		 log_hex("replaced", BYTES_OF(j->hash.b)), log_hex("tx", BYTES_OF(j->next_hash.b)));
	j->older[j->older_n++] = j->hash;
	buf_free(&j->raw);
	j->raw = j->next_raw;
	j->next_raw = buf_make(RAW_MAX);
	j->hash = j->next_hash;
	j->fee_max = j->next_fee_max;
	j->priority = j->next_priority;
	j->replacing = j->accepted = false;
	j->replace_ms = INT64_MAX;
	j->failures = 0;
	j->due_ms = sender_mono_ms(j->s);
	sender_pump(j->s);
}

static void store(struct job *j)
{
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	enum err e = lease_add_check(&b, j->s);

	j->replacing = true;
	if (e == ERR_OK)
		e = tx_add_replace(&b, j, sender_wall_ms(j->s));
	if (sender_submit(j->s, &j->calls, j, 0, &b, e, on_stored) != ERR_OK)
		again(j);
}

/* What was signed, but for the fees. */
static enum err next_tx(struct tx *ret_tx, const struct job *j)
{
	TRY(raw_read(ret_tx, buf_view(&j->raw)));
	ret_tx->fee_max = j->next_fee_max;
	ret_tx->priority_fee_max = j->next_priority;
	return ERR_OK;
}

static void on_signed(void *ctx, enum err err, const struct signature65 *sig)
{
	struct job *j = ticket_close(ctx, NULL);
	struct tx tx;

	if (!j)
		return;
	enum err e = err == ERR_OK ? next_tx(&tx, j) : err;
	if (e == ERR_OK)
		e = tx_serialize(&j->next_raw, &j->next_hash, &tx, sig);
	if (e == ERR_OK) {
		store(j);
		return;
	}
	LOG_ERROR(j->s->env.log, "A transaction could not be signed again, trying again", log_e(e),
		  log_s("detail", j->s->env.signer->note.text), log_u256("request", j->request_id),
		  log_i("nonce", (int64_t)j->nonce));
	buf_clear(&j->next_raw);
	again(j);
}

static void sign(struct job *j)
{
	struct ticket *t = scope_open(&j->calls, j->s->env.inflight, j, 0);
	struct hash32 digest;
	struct tx tx;
	enum err e = t ? next_tx(&tx, j) : ERR_NOMEM;

	if (e == ERR_OK)
		e = tx_signing_hash(&digest, &tx);
	if (e == ERR_OK)
		e = signer_sign(j->s->env.signer, digest, on_signed, t);
	j->replacing = e == ERR_OK;
	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	j->replace_ms = sender_mono_ms(j->s) + REPLACE_AGAIN_MS;
}

/* One that waits behind another is replaced only if its own fee is in the way. */
static bool wanted(const struct job *j, unsigned ahead)
{
	return ahead == 0 || (ahead < REPLACE_N && u256_cmp(j->fee_max.v, j->s->base_fee.v) < 0);
}

static void replace(struct job *j)
{
	struct sender *s = j->s;

	if (j->next_raw.n > 0) {
		store(j);
	} else if (!fees_fresh(s)) {
		fees_ask(s);
		if (!s->fee_asked)
			j->replace_ms = sender_mono_ms(s) + REPLACE_AGAIN_MS;
	} else if (next_fees(j)) {
		sign(j);
	} else {
		LOG_ERROR(s->env.log,
			  "A transaction is not mined and its fee is at max_fee_per_gas_gwei",
			  log_u256("request", j->request_id), log_i("nonce", (int64_t)j->nonce),
			  log_u256("fee_max", j->fee_max.v));
		j->replace_ms = INT64_MAX;
		replace_later(j);
	}
}

void replace_look(struct job *j, unsigned ahead, int64_t now_ms, int64_t *next_ms)
{
	if (j->replacing || j->used || j->replace_ms == INT64_MAX)
		return;
	if (j->replace_ms <= now_ms && wanted(j, ahead))
		replace(j);
	if (!j->replacing && j->replace_ms > now_ms && j->replace_ms < *next_ms)
		*next_ms = j->replace_ms;
}
