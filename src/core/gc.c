/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/gc.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "core/request_store.h"

enum {
	FORMS = 2,
	REQUESTS_MAX = FORMS * CORE_KEY_REQUESTS_MAX,
	ITEMS_MAX = 4 * VAULT_ENTRIES_MAX,
};

/* Which kind of request makes what: in the order of publish_forms. */
static const enum request_kind form_kinds[FORMS] = {REQUEST_KEYGEN, REQUEST_CRSGEN};

/* Objects of the signing key, and the certificate: their own programs look after them. */
static const char *const kept_types[] = {"SigningKey", "CACert", NULL};

struct seen {
	struct request_name name;
	enum request_state state;
};

struct scan {
	struct gc *gc;
	struct seen *requests;
	size_t requests_n;
	bool requests_too_many;
	struct hash32 *ended[FORMS]; /* ids with a private object; gc->live counts them */
	bool private;                /* which vault is looked at */
};

const char *gc_reason_text(enum gc_reason reason)
{
	static const char *const texts[GC_REASONS] = {
		[GC_PARTIAL] = "begun and never ended",
		[GC_FAILED] = "its generation failed or was aborted",
		[GC_PENDING] = "its generation goes on with the next start",
		[GC_ENDED_FAILED] = "its generation failed, but its private object is there",
		[GC_NO_PRIVATE] = "its generation ended well, but its private object is gone",
		[GC_FOREIGN] = "no request of this node made it",
	};

	return texts[reason];
}

/* ---- what is known ---- */

static void request_seen(void *ctx, struct request_name name, enum request_state state)
{
	struct scan *s = ctx;

	if (s->requests_n == REQUESTS_MAX)
		s->requests_too_many = true;
	else
		s->requests[s->requests_n++] = (struct seen){name, state};
}

static const struct seen *request_find(const struct scan *s, size_t form, struct hash32 id)
{
	for (size_t i = 0; i < s->requests_n; i++)
		if (s->requests[i].name.kind == form_kinds[form] &&
		    hash32_eq(s->requests[i].name.id, id))
			return &s->requests[i];
	return NULL;
}

static bool is_ended(const struct scan *s, size_t form, struct hash32 id)
{
	for (size_t i = 0; i < s->gc->live[form]; i++)
		if (hash32_eq(s->ended[form][i], id))
			return true;
	return false;
}

static bool in_list(const char *const *types, const char *type)
{
	for (; *types; types++)
		if (strcmp(*types, type) == 0)
			return true;
	return false;
}

/* Which form has its objects where this file lies? FORMS: none. */
static size_t form_of(const struct vault_file *file, bool private)
{
	for (size_t i = 0; i < FORMS; i++) {
		const struct publish_form *f = publish_forms[i];

		if (private ? file->has_epoch && strcmp(file->type, f->private_type) == 0
			    : !file->has_epoch && in_list(f->public_types, file->type))
			return i;
	}
	return FORMS;
}

/* ---- what is to be done ---- */

/* Nothing to say about live ones: false. */
static bool judge(enum gc_reason *ret_reason, const struct scan *s, size_t form,
		  const struct vault_file *file)
{
	const struct seen *request = request_find(s, form, file->id);
	bool ended = is_ended(s, form, file->id);
	enum gc_reason reason = GC_FOREIGN;

	if (request && request->state == REQUEST_FAILED)
		reason = ended ? GC_ENDED_FAILED : GC_FAILED;
	else if (request && request->state == REQUEST_PENDING)
		reason = GC_PENDING;
	else if (ended)
		return false;
	else if (request)
		reason = GC_NO_PRIVATE;
	*ret_reason = reason;
	return true;
}

static enum err item_add(struct gc *gc, const struct vault_file *file, enum gc_reason reason,
			 bool private, const char *type, struct err_note *note)
{
	struct gc_item *item = &gc->items[gc->items_n];

	if (gc->items_n == ITEMS_MAX)
		return err_say(note, ERR_TOO_BIG, "more than %d files to tell of", ITEMS_MAX);
	*item = (struct gc_item){
		.path = strdup(file->path),
		.size = file->size,
		.reason = reason,
		.private = private,
		.type = type,
		.id = file->id,
	};
	if (!item->path)
		return ERR_NOMEM;
	gc->items_n++;
	return ERR_OK;
}

static enum err file_judge(void *ctx, const struct vault_file *file, struct err_note *note)
{
	struct scan *s = ctx;
	size_t form = form_of(file, s->private);
	const char *type = NULL;
	enum gc_reason reason = GC_FOREIGN;

	if (form < FORMS && file->partial) {
		reason = GC_PARTIAL;
	} else if (form < FORMS && file->whole) {
		if (!judge(&reason, s, form, file))
			return ERR_OK;
		for (const char *const *t = publish_forms[form]->public_types; *t; t++)
			if (strcmp(*t, file->type) == 0)
				type = *t;
	} else if (file->whole && (in_list(kept_types, file->type) ||
				   in_list(signing_key_public_types, file->type))) {
		return ERR_OK;
	}
	return item_add(s->gc, file, reason, s->private, type, note);
}

/* First of all: which ids are live. */
static enum err ended_add(void *ctx, const struct vault_file *file, struct err_note *note)
{
	struct scan *s = ctx;
	size_t form = form_of(file, true);

	if (form == FORMS || !file->whole || is_ended(s, form, file->id))
		return ERR_OK;
	if (s->gc->live[form] == ITEMS_MAX)
		return err_say(note, ERR_TOO_BIG, "more than %d private objects", ITEMS_MAX);
	s->ended[form][s->gc->live[form]++] = file->id;
	return ERR_OK;
}

/* ---- the whole ---- */

static int item_cmp(const void *a, const void *b)
{
	const struct gc_item *x = a, *y = b;

	if (x->private != y->private)
		return x->private ? 1 : -1;
	return strcmp(x->path, y->path);
}

static enum err scan_init(struct scan *s, struct gc *gc)
{
	s->gc = gc;
	gc->items = calloc(ITEMS_MAX, sizeof(*gc->items));
	s->requests = calloc(REQUESTS_MAX, sizeof(*s->requests));
	for (size_t i = 0; i < FORMS; i++) {
		s->ended[i] = calloc(ITEMS_MAX, sizeof(*s->ended[i]));
		if (!s->ended[i])
			return ERR_NOMEM;
	}
	return gc->items && s->requests ? ERR_OK : ERR_NOMEM;
}

static void scan_clear(struct scan *s)
{
	free(s->requests);
	for (size_t i = 0; i < FORMS; i++)
		free(s->ended[i]);
}

static enum err scan_run(struct gc *gc, const struct core_config *config, struct err_note *note)
{
	CLEANUP(scan_clear) struct scan s = {0};
	enum err e;

	TRY(scan_init(&s, gc));
	gc->no_database = access(config->request_store_path, F_OK) != 0;
	if (!gc->no_database)
		TRY(request_store_list(config->request_store_path, request_seen, &s, note));
	if (s.requests_too_many)
		return err_say(note, ERR_TOO_BIG, "the database has more than %d generations",
			       REQUESTS_MAX);
	TRY(vault_walk(&gc->vaults.private, ended_add, &s, note));
	e = vault_walk(&gc->vaults.public, file_judge, &s, note);
	s.private = true;
	if (e == ERR_OK)
		e = vault_walk(&gc->vaults.private, file_judge, &s, note);
	qsort(gc->items, gc->items_n, sizeof(*gc->items), item_cmp);
	return e;
}

enum err gc_scan(struct gc *ret_gc, const struct core_config *config, struct err_note *note)
{
	CLEANUP(gc_free) struct gc gc = {.vaults = core_config_vaults(config), .lock_fd = -1};

	_Static_assert(ARRAY_LEN(gc.live) == FORMS, "one count for each form");
	TRY(vault_lock(&gc.lock_fd, &gc.vaults.private, VAULT_ALONE, note));
	TRY(scan_run(&gc, config, note));
	*ret_gc = gc;
	gc = (struct gc){.lock_fd = -1};
	return ERR_OK;
}

enum err gc_remove(const struct gc *gc, const struct gc_item *item, struct err_note *note)
{
	const struct vault *v = item->private ? &gc->vaults.private : &gc->vaults.public;
	const struct vault_name name = {.type = item->type, .id = item->id};

	if (item->reason == GC_PARTIAL)
		return vault_remove_partial(v, item->path, note);
	if (item->reason != GC_FAILED || item->private || !item->type)
		return ERR_RANGE;
	return vault_remove(v, &name, note);
}

void gc_free(struct gc *gc)
{
	if (!gc)
		return;
	for (size_t i = 0; i < gc->items_n; i++)
		free(gc->items[i].path);
	free(gc->items);
	if (gc->lock_fd >= 0)
		(void)close(gc->lock_fd);
	*gc = (struct gc){.lock_fd = -1};
}
