/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/epoch_setup.h"

#include <stdlib.h>

#include "base/limits.h"
#include "core/epoch_setup_internal.h"
#include "core/request_id.h"

/* ---- the list ---- */

struct epoch_task *epoch_task_find(const struct epoch_setup *s, struct hash32 id)
{
	for (struct epoch_task *t = s->tasks; t; t = t->next)
		if (hash32_eq(t->record.id, id))
			return t;
	return NULL;
}

static struct epoch_task *task_add(struct epoch_setup *s, const struct epoch_record *r)
{
	struct epoch_task *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->setup = s;
	t->record = *r;
	t->next = s->tasks;
	s->tasks = t;
	return t;
}

static void task_free(struct epoch_task *t)
{
	epoch_task_halt(t);
	prss_free(t->prss);
	free(t);
}

size_t epoch_setup_pending(const struct epoch_setup *s)
{
	size_t n = 0;

	for (const struct epoch_task *t = s->tasks; t; t = t->next)
		n += t->stage != EPOCH_WORD_DONE;
	return n;
}

/* ---- storing ---- */

static void stored(void *ctx, const struct store_result *result)
{
	struct epoch_task *t = ctx;
	void (*next)(struct epoch_task * t, enum err e) = t->stored;

	t->stored = NULL;
	if (result->err != ERR_OK)
		LOG_ERROR(t->setup->o.log, "How far an epoch is could not be stored",
			  log_e(result->err), log_s("detail", result->note.text));
	next(t, result->err);
}

void epoch_task_store(struct epoch_task *t, const struct epoch_record *r,
		      void (*next)(struct epoch_task *t, enum err e))
{
	enum err e;

	t->stored = next;
	e = epoch_store_put(t->setup->o.store, r, stored, t);
	if (e == ERR_OK)
		return;
	t->stored = NULL;
	next(t, e);
}

/* ---- what was there at the start ---- */

/* The whole epochs of the vault decrypt at once. */
static enum err epochs_load(struct epoch_setup *s, struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids ids = {0};

	TRY(vault_list(&ids, &s->o.private_vault, EPOCH_DATA_TYPE, NULL, note));
	for (size_t i = 0; i < ids.n; i++) {
		struct epoch_data d;
		enum err e;

		TRY(epoch_data_load(&d, &s->o.private_vault, ids.v[i], note));
		e = committees_add_epoch(s->o.committee, ids.v[i], d.context_id);
		if (e != ERR_OK) {
			epoch_data_free(&d);
			return err_say(note, e, "the vault holds more epochs than %d",
				       CORE_EPOCHS_MAX);
		}
		committees_epoch_ready(s->o.committee, ids.v[i], d.prss);
	}
	return ERR_OK;
}

/* What was whole here when the process ended. No draft: the attempt is lost. */
static void draft_load(struct epoch_task *t)
{
	struct epoch_setup *s = t->setup;
	const struct vault_name name = {.type = EPOCH_DRAFT_TYPE, .id = t->record.id};
	CLEANUP(secret_free) struct secret object = {0};
	struct epoch_data d = {0};
	struct err_note note = {0};
	enum err e = vault_read_secret(&object, &s->o.private_vault, &name, &note);

	if (e == ERR_OK)
		e = epoch_data_read(&d, secret_view(&object), &note);
	if (e != ERR_OK) {
		LOG_WARN(s->o.log, "The draft of an epoch is gone: another attempt", log_e(e),
			 log_s("detail", note.text));
		return;
	}
	t->prss = d.prss;
	t->stage = EPOCH_WORD_PREPARED;
	t->attempt = (uint64_t)t->record.attempt;
}

static enum err resume(struct epoch_setup *s, const struct epoch_record *r)
{
	const struct committee_epoch *known = committees_epoch(s->o.committee, r->id);
	struct epoch_task *t = task_add(s, r);
	char id[REQUEST_ID_TEXT_SIZE];

	if (!t)
		return ERR_NOMEM;
	request_id_text(id, r->id);
	t->stage = EPOCH_WORD_TRYING;
	t->attempt = (uint64_t)(r->attempt + 1);
	if (known) {
		t->stage = EPOCH_WORD_DONE;
		t->attempt = r->attempt > 0 ? (uint64_t)r->attempt : 0;
		return ERR_OK;
	}
	TRY(committees_add_epoch(s->o.committee, r->id, r->context_id));
	if (r->phase == EPOCH_DONE) {
		t->stage = EPOCH_WORD_DONE;
		t->attempt = (uint64_t)r->attempt;
		LOG_ERROR(s->o.log, "The vault has lost the data of an epoch: it decrypts no more",
			  log_s("epoch_id", id));
		return ERR_OK;
	}
	if (r->phase == EPOCH_PREPARED)
		draft_load(t);
	epoch_task_poll(t);
	return ERR_OK;
}

/* An epoch of the vault that the database does not know of. */
static void adopt(struct epoch_setup *s, const struct committee_epoch *e)
{
	const struct epoch_record r = {
		.id = e->id, .context_id = e->context_id, .phase = EPOCH_DONE};
	struct epoch_task *t = task_add(s, &r);
	char id[REQUEST_ID_TEXT_SIZE];

	request_id_text(id, e->id);
	LOG_WARN(s->o.log,
		 "The database does not know an epoch of the vault: it was lost, or is an older "
		 "one. "
		 "Which sessions were used is forgotten with it; have the committee make a new "
		 "epoch",
		 log_s("epoch_id", id));
	if (!t)
		return;
	t->stage = EPOCH_WORD_DONE;
	epoch_task_store(t, &r, epoch_task_nothing);
}

static void default_begun(void *ctx, enum err e)
{
	const struct epoch_setup *s = ctx;

	if (e != ERR_OK)
		LOG_ERROR(s->o.log, "The default epoch could not be begun", log_e(e));
}

/* The first start of a committee that is configured. */
static void default_begin(struct epoch_setup *s)
{
	const struct mpc_context *c =
		committees_context(s->o.committee, request_id_default_context);

	if (c && c->me != 0 && !committees_epoch(s->o.committee, request_id_default_epoch))
		default_begun(s, epoch_setup_begin(s, request_id_default_context,
						   request_id_default_epoch, default_begun, s));
}

static enum err tasks_resume(struct epoch_setup *s, const struct store_result *result)
{
	size_t n;

	TRY(result->err);
	n = atomic_load(&s->o.committee->epochs_n);
	for (size_t i = 0; i < result->rows[0].rows_n; i++) {
		struct epoch_record r;

		TRY(epoch_store_record(&r, result, i));
		TRY(resume(s, &r));
	}
	for (size_t i = 0; i < n; i++)
		if (!epoch_task_find(s, s->o.committee->epochs[i].id))
			adopt(s, &s->o.committee->epochs[i]);
	return ERR_OK;
}

static void listed(void *ctx, const struct store_result *result)
{
	struct epoch_setup *s = ctx;
	enum err e = tasks_resume(s, result);

	if (e != ERR_OK) {
		LOG_ERROR(s->o.log, "The epochs of an earlier run could not be read", log_e(e),
			  log_s("detail", result->note.text));
		return;
	}
	s->ready = true;
	if (!s->stopped)
		default_begin(s);
}

/* ---- new ones ---- */

static void task_begun(struct epoch_task *t, enum err e)
{
	struct epoch_setup *s = t->setup;
	epoch_begun_fn *done = t->begun;
	void *ctx = t->begun_ctx;

	if (e == ERR_OK)
		e = committees_add_epoch(s->o.committee, t->record.id, t->record.context_id);
	if (e == ERR_OK) {
		epoch_task_poll(t);
	} else {
		struct epoch_task **at = &s->tasks;

		while (*at != t)
			at = &(*at)->next;
		*at = t->next;
		task_free(t);
	}
	done(ctx, e);
}

enum err epoch_setup_begin(struct epoch_setup *s, struct hash32 context_id, struct hash32 epoch_id,
			   epoch_begun_fn *done, void *ctx)
{
	const struct epoch_record r = {
		.id = epoch_id, .context_id = context_id, .attempt = -1, .phase = EPOCH_TRYING};
	struct epoch_task *t;

	if (!s->ready)
		return ERR_NOT_READY;
	if (epoch_task_find(s, epoch_id) || committees_epoch(s->o.committee, epoch_id))
		return ERR_ALREADY_DONE;
	if (s->o.committee->epochs_n == CORE_EPOCHS_MAX)
		return ERR_TOO_BIG;
	t = task_add(s, &r);
	if (!t)
		return ERR_NOMEM;
	t->stage = EPOCH_WORD_TRYING;
	t->begun = done;
	t->begun_ctx = ctx;
	epoch_task_store(t, &r, task_begun);
	return ERR_OK;
}

/* ---- what peers ask ---- */

void epoch_setup_answer(void *ctx, struct bytes question, struct buf *answer)
{
	const struct epoch_setup *s = ctx;
	struct epoch_word w = {.stage = EPOCH_WORD_ABSENT};
	struct hash32 context_id, epoch_id;
	uint8_t text[EPOCH_ANSWER_SIZE];
	const struct epoch_task *t;

	if (epoch_question_read(&context_id, &epoch_id, question) != ERR_OK)
		return;
	t = epoch_task_find(s, epoch_id);
	/* Not before it is stored that we are in it at all. */
	if (t && hash32_eq(t->record.context_id, context_id) &&
	    committees_epoch(s->o.committee, epoch_id))
		w = (struct epoch_word){t->stage, t->attempt};
	epoch_answer_write(text, &w);
	if (buf_add(answer, BYTES_OF(text)) != ERR_OK)
		LOG_WARN(s->o.log, "A question of a peer found no memory");
}

/* ---- life ---- */

enum err epoch_setup_new(struct epoch_setup **ret, const struct epoch_setup_options *options,
			 struct err_note *note)
{
	struct epoch_setup *s = calloc(1, sizeof(*s));
	enum err e;

	if (!s)
		return ERR_NOMEM;
	s->o = *options;
	e = epochs_load(s, note);
	if (e == ERR_OK)
		e = epoch_store_list(s->o.store, listed, s);
	if (e != ERR_OK) {
		free(s);
		return e;
	}
	*ret = s;
	return ERR_OK;
}

void epoch_setup_stop(struct epoch_setup *s)
{
	s->stopped = true;
	for (struct epoch_task *t = s->tasks; t; t = t->next)
		epoch_task_halt(t);
}

void epoch_setup_free(struct epoch_setup *s)
{
	if (!s)
		return;
	while (s->tasks) {
		struct epoch_task *t = s->tasks;

		s->tasks = t->next;
		task_free(t);
	}
	free(s);
}
