/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Accepted requests: the queue, the computation, the end. */
#include <stdlib.h>

#include "base/limits.h"
#include "core/request_id.h"
#include "core/service_internal.h"
#include "net/protobuf.h"

static struct kind_count *count_of(const struct entry *e)
{
	return &e->core->kinds[e->name.kind];
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

static size_t bucket_of(const struct core_service *s, struct request_name name)
{
	uint64_t h = s->o.seed ^ (uint64_t)name.kind;

	for (size_t i = 0; i < sizeof(name.id.b); i += 8) {
		uint64_t w;

		memcpy(&w, &name.id.b[i], sizeof(w));
		h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h % ENTRY_BUCKETS;
}

struct entry *entry_find(const struct core_service *s, struct request_name name)
{
	for (struct entry *e = s->buckets[bucket_of(s, name)]; e; e = e->bucket_next)
		if (e->name.kind == name.kind && hash32_eq(e->name.id, name.id))
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

void entry_requeue(struct entry *e, bool first)
{
	struct core_service *s = e->core;

	if (!first || !s->queue_head) {
		queue_push(s, e);
		return;
	}
	e->stage = ENTRY_QUEUED;
	e->queue_next = s->queue_head;
	s->queue_head = e;
}

/* May it run beside what runs? */
static bool entry_may_run(const struct entry *e)
{
	if (!entry_may_open(e))
		return false;
	return !works[e->name.kind].alone || e->core->kinds[e->name.kind].running_n == 0;
}

static bool entry_fits(const struct entry *e)
{
	const struct core_service *s = e->core;

	return s->running_n == 0 || e->message_n <= CORE_RUNNING_BYTES_MAX - s->running_bytes;
}

/* Takes out the first that may run; NULL if there is none, or no room yet for the first one:
 * smaller ones behind it, let past, could keep it waiting for ever. */
static struct entry *queue_pop(struct core_service *s)
{
	struct entry *before = NULL, *e = s->queue_head;

	while (e && !entry_may_run(e)) {
		before = e;
		e = e->queue_next;
	}
	if (!e || !entry_fits(e))
		return NULL;
	if (before)
		before->queue_next = e->queue_next;
	else
		s->queue_head = e->queue_next;
	if (s->queue_tail == e)
		s->queue_tail = before;
	return e;
}

struct entry *entry_find_preproc(const struct core_service *s, struct hash32 preproc_id)
{
	for (size_t i = 0; i < ENTRY_BUCKETS; i++)
		for (struct entry *e = s->buckets[i]; e; e = e->bucket_next)
			if (works[e->name.kind].key && e->name.kind != REQUEST_CRSGEN &&
			    hash32_eq(e->preproc_id, preproc_id))
				return e;
	return NULL;
}

struct entry *entry_add(struct core_service *s, const struct request_pending *p,
			struct bytes message)
{
	struct entry *e = calloc(1, sizeof(*e));
	size_t bucket = bucket_of(s, p->name);

	if (!e)
		return NULL;
	e->core = s;
	e->name = p->name;
	e->message_n = p->message_n;
	e->preproc_id = p->name.kind == REQUEST_KEYGEN ? p->preproc_id : p->name.id;
	e->preproc_params = p->preproc_params;
	e->message = buf_make(GRPC_MESSAGE_MAX);
	e->accepted_ms = mono_ms(s);
	/* Kept only if it can start at once: what waits, waits in the store. */
	if (message.n > 0 && s->running_n < ENTRIES_RUNNING_MAX && s->queue_head == NULL)
		if (buf_add(&e->message, message) != ERR_OK)
			buf_free(&e->message);
	e->bucket_next = s->buckets[bucket];
	s->buckets[bucket] = e;
	count_of(e)->entries_n++;
	s->pending_bytes += p->message_n;
	e->tokens = rate_limit_claim(&s->rate, p->name.kind);
	queue_push(s, e);
	return e;
}

static void entry_free(struct entry *e)
{
	struct core_service *s = e->core;
	struct entry **at = &s->buckets[bucket_of(s, e->name)];

	while (*at != e)
		at = &(*at)->bucket_next;
	*at = e->bucket_next;
	count_of(e)->entries_n--;
	s->pending_bytes -= e->message_n;
	rate_limit_give(&s->rate, &e->tokens);
	while (e->waiters)
		visit_drop(e->waiters);
	buf_free(&e->message);
	buf_wipe(&e->answer);
	buf_wipe(&e->words);
	opening_free(e->opening);
	fhe_client_key_free(e->key);
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

static size_t evictable(const struct kind_count *k)
{
	size_t least = k->core->o.finished_min;

	return k->finished_n > least ? k->finished_n - least : 0;
}

bool entries_room(const struct core_service *s, enum request_kind kind, size_t message_n)
{
	const struct kind_count *k = &s->kinds[kind];
	size_t held = k->entries_n + k->finished_n + k->reserved_n + 1;

	if (works[kind].key && held > CORE_KEY_REQUESTS_MAX)
		return false;
	if (works[kind].key)
		return kind != REQUEST_KEYGEN ||
		       s->o.keys->n + k->entries_n + k->reserved_n < VAULT_KEYS_MAX;
	return s->pending_bytes + message_n <= CORE_PENDING_BYTES_MAX &&
	       held <= s->o.capacity + evictable(k);
}

static void evicted(void *ctx, const struct store_result *result)
{
	struct kind_count *k = ctx;

	k->evicting = false;
	if (result->err != ERR_OK) {
		LOG_WARN(k->core->o.log, "Old results could not be evicted", log_e(result->err),
			 log_s("detail", result->note.text));
		return;
	}

	size_t n = (size_t)result->rows[0].changed;

	k->finished_n -= n < k->finished_n ? n : k->finished_n;
}

void entries_evict(struct kind_count *k)
{
	const struct core_service_options *o = &k->core->o;
	size_t held = k->entries_n + k->finished_n, may = evictable(k);

	if (works[k->kind].key || k->evicting || held <= o->capacity || may == 0)
		return;

	size_t n = held - o->capacity;

	k->evicting =
		request_store_evict(o->store, k->kind, n < may ? n : may, evicted, k) == ERR_OK;
}

/* ---- the end ---- */

static void waiters_answer(struct entry *e)
{
	while (e->waiters) {
		struct visit *v = e->waiters;

		if (v->abort && e->err == ERR_CANCELLED)
			visit_reply(v, BYTES_NONE); /* Empty */
		else if (v->abort)
			visit_fail_status(v, GRPC_NOT_FOUND, "it had ended before");
		else if (e->err == ERR_OK)
			visit_reply(v, buf_view(&e->answer));
		else
			visit_fail_status(v, failure_status(e->err), works[v->kind].failure);
	}
}

/* From now on it decrypts. There is room: entries_room saw to it. */
static void key_adopt(struct entry *e)
{
	struct core_service *s = e->core;
	const struct key_ring_entry entry = {.epoch_id = e->epoch_id,
					     .key_id = e->name.id,
					     .preproc_id = e->key_preproc_id,
					     .key = e->key};
	enum err err = key_ring_add(s->o.keys, &entry);

	e->key = NULL;
	if (err != ERR_OK)
		LOG_ERROR(s->o.log, "A new key is in the vault, and in use after a restart only",
			  log_e(err));
}

static void entry_end(struct entry *e)
{
	struct core_service *s = e->core;
	struct kind_count *count = count_of(e);
	const struct work *kind = &works[e->name.kind];
	char id[REQUEST_ID_TEXT_SIZE];

	request_id_text(id, e->name.id);
	if (e->err == ERR_OK) {
		LOG_INFO(s->o.log, kind->answered, log_s("kind", kind->name),
			 log_s("request_id", id), log_i("ms", mono_ms(s) - e->accepted_ms));
	} else {
		s->metrics.errors[kind->inner][failure_status(e->err)]++;
		LOG_ERROR(s->o.log, kind->ended, log_s("kind", kind->name), log_s("request_id", id),
			  log_e(e->err), log_s("detail", e->note.text));
	}
	if (e->key)
		key_adopt(e);
	if (e->name.kind == REQUEST_CRSGEN && e->err == ERR_OK)
		crss_add(s, e->name.id);
	waiters_answer(e);
	count->finished_n++;
	entry_free(e);
	entries_evict(count);
}

static void saves_retry(void *ctx)
{
	struct core_service *s = ctx;

	for (size_t i = 0; i < ENTRY_BUCKETS; i++)
		for (struct entry *e = s->buckets[i]; e; e = e->bucket_next)
			if (e->stage == ENTRY_UNSAVED)
				entry_save(e);
	entries_run(s);
}

void entries_retry_later(struct core_service *s)
{
	if (!s->retry.armed)
		clock_timer_set(loop_clock(s->o.loop), &s->retry, SAVE_RETRY_MS, saves_retry, s);
}

static void entry_unsaved(struct entry *e, enum err err, const char *detail)
{
	e->stage = ENTRY_UNSAVED;
	LOG_ERROR(e->core->o.log, "A result could not be stored; trying again", log_e(err),
		  log_s("detail", detail));
	entries_retry_later(e->core);
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

void entry_save(struct entry *e)
{
	struct core_service *s = e->core;
	enum err err;

	if (e->err == ERR_OK) {
		const struct request_success success = {
			.answer = buf_view(&e->answer),
			.words = buf_view(&e->words),
			.sessions_n = e->words_n,
			.context_id = e->words_context,
			.linger_ms = s->o.linger_ms,
		};

		err = request_store_complete(s->o.store, e->name, &success, now_ms(s), entry_saved,
					     e);
	} else {
		const struct request_failure failure = {
			.cause = e->err,
			.error = e->note.text[0] ? e->note.text : err_name(e->err),
		};

		err = request_store_fail(s->o.store, e->name, &failure, now_ms(s), entry_saved, e);
	}
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
	struct bytes message = buf_view(&e->message);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);

	e->err = works[e->name.kind].compute(e, message, &memory);
}

static void run_end(struct entry *e)
{
	e->core->running_n--;
	count_of(e)->running_n--;
	e->core->running_bytes -= e->message_n;
}

static void entry_computed(void *job)
{
	struct entry *e = job;
	struct core_service *s = e->core;

	run_end(e);
	if (e->err == ERR_OK && e->opening && !e->opening->over) {
		entry_open(e);
		entries_run(s);
		entries_stop_check(s);
		return;
	}
	buf_free(&e->message);
	opening_free(e->opening);
	e->opening = NULL;
	if (e->err == ERR_CANCELLED && !e->aborted)
		queue_push(s, e); /* we stop: it is done after the next start */
	else
		entry_save(e);
	entries_run(s);
	entries_stop_check(s);
}

static void entry_start(struct entry *e)
{
	struct core_service *s = e->core;

	e->stage = ENTRY_COMPUTING;
	s->metrics.operations[works[e->name.kind].inner]++;
	if (pool_submit(s->o.pool, entry_compute, entry_computed, e) == ERR_OK)
		return;
	run_end(e);
	queue_push(s, e);
	entries_retry_later(s);
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
		entries_retry_later(s);
	}
	entries_stop_check(s);
}

void entries_run(struct core_service *s)
{
	while (s->phase == CORE_SERVING && s->queue_head && s->running_n < ENTRIES_RUNNING_MAX &&
	       !s->retry.armed) {
		struct entry *e = queue_pop(s);

		if (!e)
			return;
		s->running_n++;
		count_of(e)->running_n++;
		s->running_bytes += e->message_n;
		if (e->message.n > 0) {
			entry_start(e);
			continue;
		}
		e->stage = ENTRY_LOADING;
		if (request_store_find(s->o.store, e->name, entry_loaded, e) != ERR_OK) {
			run_end(e);
			queue_push(s, e);
			entries_retry_later(s);
		}
	}
}

/* ---- withdrawing ---- */

void entry_abort(struct entry *e)
{
	e->aborted = true;
	atomic_store(&e->stop, true); /* also of one that has not begun: it ends when it begins */
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
