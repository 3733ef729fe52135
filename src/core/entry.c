/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Accepted requests: the queue, the computation, the end. */
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "core/public_decryption.h"
#include "core/request_id.h"
#include "core/service_internal.h"
#include "net/protobuf.h"

static struct request_name entry_name(const struct entry *e)
{
	return (struct request_name){.kind = REQUEST_PUBLIC_DECRYPTION, .id = e->id};
}

static int64_t now_ms(const struct core_service *s)
{
	return clock_wall_ms(loop_clock(s->o.loop));
}

static int64_t mono_ms(const struct core_service *s)
{
	return clock_mono_ms(loop_clock(s->o.loop));
}

/* ---- table and queue ---- */

static size_t bucket_of(const struct core_service *s, const struct hash32 *id)
{
	uint64_t h = s->o.seed;

	for (size_t i = 0; i < sizeof(id->b); i += 8) {
		uint64_t w;

		memcpy(&w, &id->b[i], sizeof(w));
		h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h % ENTRY_BUCKETS;
}

struct entry *entry_find(const struct core_service *s, const struct hash32 *id)
{
	for (struct entry *e = s->buckets[bucket_of(s, id)]; e; e = e->bucket_next)
		if (hash32_eq(e->id, *id))
			return e;
	return NULL;
}

static void queue_push(struct core_service *s, struct entry *e)
{
	e->stage = ENTRY_QUEUED;
	e->queue_next = NULL;
	if (s->queue_tail)
		s->queue_tail->queue_next = e;
	else
		s->queue_head = e;
	s->queue_tail = e;
}

static struct entry *queue_pop(struct core_service *s)
{
	struct entry *e = s->queue_head;

	s->queue_head = e->queue_next;
	if (!s->queue_head)
		s->queue_tail = NULL;
	return e;
}

struct entry *entry_add(struct core_service *s, struct hash32 id, size_t message_n,
			struct bytes message)
{
	struct entry *e = calloc(1, sizeof(*e));
	size_t bucket = bucket_of(s, &id);

	if (!e)
		return NULL;
	e->core = s;
	e->id = id;
	e->message_n = message_n;
	e->message = buf_make(GRPC_MESSAGE_MAX);
	e->accepted_ms = mono_ms(s);
	/* Kept only if it can start at once: what waits, waits in the store. */
	if (message.n > 0 && s->running_n < ENTRIES_RUNNING_MAX && s->queue_head == NULL)
		if (buf_add(&e->message, message) != ERR_OK)
			buf_free(&e->message);
	e->bucket_next = s->buckets[bucket];
	s->buckets[bucket] = e;
	s->entries_n++;
	s->pending_bytes += message_n;
	queue_push(s, e);
	return e;
}

static void entry_free(struct entry *e)
{
	struct core_service *s = e->core;
	struct entry **at = &s->buckets[bucket_of(s, &e->id)];

	while (*at != e)
		at = &(*at)->bucket_next;
	*at = e->bucket_next;
	s->entries_n--;
	s->pending_bytes -= e->message_n;
	while (e->waiters)
		visit_drop(e->waiters);
	buf_free(&e->message);
	buf_wipe(&e->answer);
	free(e);
}

void entries_free(struct core_service *s)
{
	clock_timer_cancel(loop_clock(s->o.loop), &s->retry);
	for (size_t i = 0; i < ENTRY_BUCKETS; i++)
		while (s->buckets[i])
			entry_free(s->buckets[i]);
}

/* ---- room ---- */

bool entries_room(const struct core_service *s, size_t message_n)
{
	size_t held = s->entries_n + s->finished_n + s->reserved_n + 1;
	size_t evictable =
		s->finished_n > s->o.finished_min ? s->finished_n - s->o.finished_min : 0;

	return s->pending_bytes + message_n <= CORE_PENDING_BYTES_MAX &&
	       held <= s->o.capacity + evictable;
}

static void evicted(void *ctx, const struct store_result *result)
{
	struct core_service *s = ctx;

	s->evicting = false;
	if (result->err != ERR_OK) {
		LOG_WARN(s->o.log, "Old results could not be evicted", log_e(result->err),
			 log_s("detail", result->note.text));
		return;
	}

	size_t n = (size_t)result->rows[0].changed;

	s->finished_n -= n < s->finished_n ? n : s->finished_n;
}

void entries_evict(struct core_service *s)
{
	size_t held = s->entries_n + s->finished_n;

	if (s->evicting || held <= s->o.capacity || s->finished_n <= s->o.finished_min)
		return;

	size_t n = held - s->o.capacity, evictable = s->finished_n - s->o.finished_min;

	s->evicting = request_store_evict(s->o.store, REQUEST_PUBLIC_DECRYPTION,
					  n < evictable ? n : evictable, evicted, s) == ERR_OK;
}

/* ---- the end ---- */

static void waiters_answer(struct entry *e)
{
	while (e->waiters) {
		struct visit *v = e->waiters;

		if (e->err == ERR_OK)
			visit_reply(v, buf_view(&e->answer));
		else
			visit_fail_status(
				v, strcasestr(e->note.text, "abort") ? GRPC_ABORTED : GRPC_INTERNAL,
				"the decryption failed");
	}
}

static void entry_end(struct entry *e)
{
	struct core_service *s = e->core;
	char id[REQUEST_ID_TEXT_SIZE];

	request_id_text(id, e->id);
	if (e->err == ERR_OK) {
		LOG_INFO(s->o.log, "Public decryption answered", log_s("request_id", id),
			 log_i("ms", mono_ms(s) - e->accepted_ms));
	} else {
		s->metrics.errors[METRICS_PUBLIC_DECRYPT_INNER][GRPC_INTERNAL]++;
		LOG_ERROR(s->o.log, "Public decryption failed", log_s("request_id", id),
			  log_e(e->err), log_s("detail", e->note.text));
	}
	waiters_answer(e);
	s->finished_n++;
	entry_free(e);
	entries_evict(s);
}

static void entry_save(struct entry *e);

static void saves_retry(void *ctx)
{
	struct core_service *s = ctx;

	for (size_t i = 0; i < ENTRY_BUCKETS; i++)
		for (struct entry *e = s->buckets[i]; e; e = e->bucket_next)
			if (e->stage == ENTRY_UNSAVED)
				entry_save(e);
	entries_run(s);
}

static void retry_later(struct core_service *s)
{
	if (!s->retry.armed)
		clock_timer_set(loop_clock(s->o.loop), &s->retry, SAVE_RETRY_MS, saves_retry, s);
}

static void entry_unsaved(struct entry *e, enum err err, const char *detail)
{
	e->stage = ENTRY_UNSAVED;
	LOG_ERROR(e->core->o.log, "A result could not be stored; trying again", log_e(err),
		  log_s("detail", detail));
	retry_later(e->core);
}

static void entry_saved(void *ctx, const struct store_result *result)
{
	struct entry *e = ctx;
	struct core_service *s = e->core;

	s->saving_n--;
	if (result->err == ERR_OK) {
		entry_end(e);
	} else if (result->err == ERR_STATE_MOVED) {
		/* Somebody else ended it: only a second process on the same file could, and the
		 * store forbids one. */
		e->err = err_say(&e->note, ERR_CORRUPT, "the stored state is not \"pending\"");
		entry_end(e);
	} else {
		entry_unsaved(e, result->err, result->note.text);
	}
	entries_stop_check(s);
}

static void entry_save(struct entry *e)
{
	struct core_service *s = e->core;
	enum err err;

	if (e->err == ERR_OK)
		err = request_store_complete(s->o.store, entry_name(e), buf_view(&e->answer),
					     now_ms(s), entry_saved, e);
	else
		err = request_store_fail(s->o.store, entry_name(e),
					 e->note.text[0] ? e->note.text : err_name(e->err),
					 now_ms(s), entry_saved, e);
	if (err != ERR_OK) {
		entry_unsaved(e, err, "");
		return;
	}
	e->stage = ENTRY_SAVING;
	s->saving_n++;
}

/* ---- the computation ---- */

/* Pool thread: reads the entry's message and what is immutable, writes the entry's output. */
static void entry_compute(void *job)
{
	struct entry *e = job;
	const struct core_service_options *o = &e->core->o;
	struct bytes message = buf_view(&e->message);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	struct decryption_request r;

	e->answer = buf_make(PUBLIC_DECRYPTION_ANSWER_MAX);
	e->err = decryption_request_read(&r, o->keys, message, &memory, &e->note);
	if (e->err == ERR_OK)
		e->err = buf_reserve(&e->answer, PUBLIC_DECRYPTION_ANSWER_MAX);
	if (e->err == ERR_OK)
		e->err = public_decryption_answer(&e->answer, &r, o->signer, &e->note);
}

static void run_end(struct entry *e)
{
	e->core->running_n--;
	e->core->running_bytes -= e->message_n;
}

static void entry_computed(void *job)
{
	struct entry *e = job;
	struct core_service *s = e->core;

	run_end(e);
	buf_free(&e->message);
	entry_save(e);
	entries_run(s);
	entries_stop_check(s);
}

static void entry_start(struct entry *e)
{
	struct core_service *s = e->core;

	e->stage = ENTRY_COMPUTING;
	s->metrics.operations[METRICS_PUBLIC_DECRYPT_INNER]++;
	if (pool_submit(s->o.pool, entry_compute, entry_computed, e) == ERR_OK)
		return;
	run_end(e);
	queue_push(s, e);
	retry_later(s);
}

static void entry_loaded(void *ctx, const struct store_result *result)
{
	struct entry *e = ctx;
	struct core_service *s = e->core;
	struct request_found found = {0};
	enum err err = request_store_found(&found, result);

	if (err == ERR_OK && (!found.known || found.state != REQUEST_PENDING))
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		err = buf_add(&e->message, found.message);
	if (err == ERR_OK && s->phase != CORE_STOPPING) {
		entry_start(e);
		return;
	}
	run_end(e);
	buf_free(&e->message);
	queue_push(s, e);
	if (err != ERR_OK) {
		LOG_ERROR(s->o.log, "A pending request could not be read; trying again", log_e(err),
			  log_s("detail", result->note.text));
		retry_later(s);
	}
	entries_stop_check(s);
}

void entries_run(struct core_service *s)
{
	while (s->phase == CORE_SERVING && s->queue_head && s->running_n < ENTRIES_RUNNING_MAX &&
	       !s->retry.armed) {
		struct entry *e = s->queue_head;

		if (s->running_n > 0 && e->message_n > CORE_RUNNING_BYTES_MAX - s->running_bytes)
			return;
		(void)queue_pop(s);
		s->running_n++;
		s->running_bytes += e->message_n;
		if (e->message.n > 0) {
			entry_start(e);
			continue;
		}
		e->stage = ENTRY_LOADING;
		if (request_store_find(s->o.store, entry_name(e), entry_loaded, e) != ERR_OK) {
			run_end(e);
			queue_push(s, e);
			retry_later(s);
		}
	}
}

/* ---- stopping ---- */

void entries_stop_check(struct core_service *s)
{
	if (s->phase != CORE_STOPPING || s->running_n > 0 || s->saving_n > 0 || !s->stopped)
		return;

	loop_fn *stopped = s->stopped;

	s->stopped = NULL;
	stopped(s->stopped_ctx);
}
