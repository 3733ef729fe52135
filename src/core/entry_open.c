/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Public decryptions by a committee: the part between two computations, in which the shares are
 * opened with the other nodes. It holds no place in the pool: what waits for nodes that are gone
 * keeps nothing else from being computed.
 */
#include "base/limits.h"
#include "core/service_internal.h"
#include "core/word_store.h"

bool entry_may_open(const struct entry *e)
{
	const struct core_service *s = e->core;

	/* The number of its ciphertexts is not known yet: the last one may go past the limit. */
	return !s->o.net || e->name.kind != REQUEST_PUBLIC_DECRYPTION || e->opening ||
	       s->sessions_n < CORE_SESSIONS_MAX;
}

/* Its sessions are over. */
static void release(struct entry *e)
{
	struct core_service *s = e->core;

	s->sessions_n -= e->opening->n;
	if (e->message_held)
		s->sessions_bytes -= e->message_n;
	e->message_held = false;
}

static void drop(struct entry *e)
{
	release(e);
	opening_free(e->opening);
	e->opening = NULL;
	buf_free(&e->message);
}

static void entry_opened(void *ctx)
{
	struct entry *e = ctx;
	struct core_service *s = e->core;

	if (e->opening->err == ERR_OK) {
		release(e);
		entry_requeue(e, true);
	} else {
		e->err = e->opening->err;
		e->note = e->opening->note;
		drop(e);
		entry_save(e);
	}
	entries_run(s);
	entries_stop_check(s);
}

/* What is needed again is kept in memory as long as there is room, and read again otherwise. */
static void message_hold(struct entry *e)
{
	struct core_service *s = e->core;

	e->message_held = s->sessions_bytes + e->message_n <= CORE_RUNNING_BYTES_MAX;
	if (e->message_held)
		s->sessions_bytes += e->message_n;
	else
		buf_free(&e->message);
}

void entry_open(struct entry *e)
{
	struct core_service *s = e->core;
	enum err err = ERR_CANCELLED;

	e->stage = ENTRY_OPENING;
	s->sessions_n += e->opening->n;
	message_hold(e);
	if (s->phase != CORE_STOPPING)
		err = opening_start(e->opening, s->o.net, s->o.idle_timeout_ms, entry_opened, e);
	if (err == ERR_OK)
		return;
	drop(e);
	if (err == ERR_CANCELLED || err == ERR_BUSY) {
		entry_requeue(e, false);
		if (err == ERR_BUSY)
			entries_retry_later(s);
		return;
	}
	e->err = err_say(&e->note, err, "the opening could not begin");
	entry_save(e);
}

void entry_open_cancel(struct entry *e)
{
	drop(e);
	entry_requeue(e, false);
}

/* ---- at start ---- */

/* The last one is said at once: the others hear that we are back, and from then on ask for what
 * they need by saying their own. */
static enum err word_linger(struct core_service *s, const struct store_result *result, size_t at)
{
	int64_t now = clock_wall_ms(loop_clock(s->o.loop));
	struct word_record r;

	TRY(word_store_record(&r, result, at));

	const struct opening_words w = {
		.id = r.id,
		.context_id = r.context_id,
		.n = r.sessions_n,
		.words = r.words,
		.age_ms = now > r.ended_ms ? now - r.ended_ms : 0,
		.say = at + 1 == word_store_count(result),
	};

	return opening_words_linger(s->o.net, &w);
}

static void words_loaded(void *ctx, const struct store_result *result)
{
	struct core_service *s = ctx;
	size_t n = result->err == ERR_OK ? word_store_count(result) : 0;
	enum err e = result->err;

	/* One that cannot be said is missed by who was away then; the others are good all the same.
	 * Its context may have gone from the configuration. */
	for (size_t i = 0; i < n; i++) {
		enum err one = word_linger(s, result, i);

		if (e == ERR_OK)
			e = one;
	}
	if (e != ERR_OK)
		LOG_WARN(s->o.log, "Not all words of decryptions that are done can be said again",
			 log_e(e), log_s("detail", result->note.text));
}

enum err words_load(struct core_service *s)
{
	int64_t now = clock_wall_ms(loop_clock(s->o.loop));

	return word_store_list(s->o.store, now - s->o.linger_ms, words_loaded, s);
}
