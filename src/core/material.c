/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a node holds: the ids of keys and CRSs that lie in the private vault now, whoever put them
 * there, and of the preprocessings that a key can be made from. Folders are read on a pool thread,
 * preprocessings by the store.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "core/request_id.h"
#include "core/request_list.h"
#include "core/service_internal.h"
#include "kms.v1.pb-c.h"

enum {
	TYPES = 3,
	ID_BYTES = REQUEST_ID_TEXT_SIZE + sizeof(char *) + 64,
};

/* Of all epochs; an id may lie in several. */
struct found_ids {
	struct hash32 v[VAULT_ENTRIES_MAX];
	size_t n;
};

static void found_free(struct found_ids **f)
{
	free(*f);
}

static enum err epoch_add(struct found_ids *f, const struct vault *v, const char *type,
			  const struct hash32 *epoch_id, struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids ids = {0};

	TRY(vault_list(&ids, v, type, epoch_id, note));
	for (size_t i = 0; i < ids.n; i++) {
		if (f->n == VAULT_ENTRIES_MAX)
			return err_say(note, ERR_TOO_BIG, "more than %d of type %s",
				       VAULT_ENTRIES_MAX, type);
		f->v[f->n++] = ids.v[i];
	}
	return ERR_OK;
}

static int id_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash32));
}

static char *id_put(struct arena *memory, const struct hash32 *id)
{
	char *text = arena_alloc(memory, REQUEST_ID_TEXT_SIZE);

	if (text)
		request_id_text(text, *id);
	return text;
}

/* In ascending order, each once. */
static enum err ids_put(struct material_ids *ids, struct found_ids *f, struct arena *memory)
{
	qsort(f->v, f->n, sizeof(*f->v), id_compare);
	ids->v = arena_alloc_array(memory, f->n, sizeof(*ids->v));
	if (!ids->v)
		return ERR_NOMEM;
	for (size_t i = 0; i < f->n; i++) {
		if (i > 0 && hash32_eq(f->v[i - 1], f->v[i]))
			continue;
		ids->v[ids->n] = id_put(memory, &f->v[i]);
		if (!ids->v[ids->n++])
			return ERR_NOMEM;
	}
	return ERR_OK;
}

static enum err type_list(struct material_ids *ids, const struct vault *v, const char *type,
			  struct arena *memory, struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids epochs = {0};
	CLEANUP(found_free) struct found_ids *f = calloc(1, sizeof(*f));

	if (!f)
		return ERR_NOMEM;
	TRY(vault_list(&epochs, v, type, NULL, note));
	for (size_t i = 0; i < epochs.n; i++)
		TRY(epoch_add(f, v, type, &epochs.v[i], note));
	return ids_put(ids, f, memory);
}

/* Pool thread: reads the vault, writes the visit's memory. */
static void vault_look(void *job)
{
	struct visit *v = job;
	const struct core_service_options *o = &v->core->o;
	const char *keys = o->peers.ops ? THRESHOLD_KEY_TYPE : KEY_RING_TYPE;
	struct material *m = v->more;

	v->err = type_list(&m->keys, &o->vaults.private, keys, &v->memory, &v->note);
	if (v->err == ERR_OK)
		v->err = type_list(&m->crss, &o->vaults.private, publish_crs_form.private_type,
				   &v->memory, &v->note);
}

static enum err preprocs_put(struct material_ids *ids, const struct store_result *result,
			     struct arena *memory)
{
	size_t n;

	TRY(result->err);
	n = result->rows[0].rows_n;
	ids->v = arena_alloc_array(memory, n, sizeof(*ids->v));
	if (!ids->v)
		return ERR_NOMEM;
	for (; ids->n < n; ids->n++) {
		struct request_row row;

		TRY(request_list_row(&row, result, ids->n));
		ids->v[ids->n] = id_put(memory, &row.name.id);
		if (!ids->v[ids->n])
			return ERR_NOMEM;
	}
	return ERR_OK;
}

static void preprocs_found(void *ctx, const struct store_result *result)
{
	struct visit *v = ctx;
	struct material *m = v->more;
	struct err_note note = result->note;
	enum err e = preprocs_put(&m->preprocs, result, &v->memory);

	if (e == ERR_NOMEM)
		visit_fail_nomem(v);
	else if (e != ERR_OK)
		visit_fail(v, e, &note);
	else
		m->found(v);
}

static void vault_looked(void *job)
{
	struct visit *v = job;
	enum err e;

	if (v->err == ERR_NOMEM) {
		visit_fail_nomem(v);
		return;
	}
	if (v->err != ERR_OK) {
		/* Not the client's fault, whatever it is called. */
		visit_fail(v, ERR_INTERNAL, &v->note);
		return;
	}
	e = request_list_preprocs(v->core->o.store, CORE_KEY_REQUESTS_MAX, preprocs_found, v);
	if (e != ERR_OK)
		visit_fail(v, e, &(struct err_note){"the database is busy"});
}

void material_look(struct visit *v, void (*found)(struct visit *v))
{
	struct core_service *s = v->core;
	struct material *m;

	if (s->looks_n >= CORE_LOOKS_MAX) {
		visit_fail_status(v, GRPC_RESOURCE_EXHAUSTED,
				  "too many calls look into the vault already");
		return;
	}
	v->looks = true;
	s->looks_n++;
	v->memory = arena_make((size_t)TYPES * VAULT_ENTRIES_MAX * ID_BYTES + REPLY_MAX);
	m = v->more = arena_alloc(&v->memory, sizeof(*m));
	if (!m) {
		visit_fail_nomem(v);
		return;
	}
	m->found = found;
	m->storage = arena_strndup(&v->memory,
				   bytes_str(s->o.peers.ops ? "Threshold KMS - file storage"
							    : "Centralized KMS - file storage"));
	if (!m->storage) {
		visit_fail_nomem(v);
		return;
	}
	if (pool_submit(s->o.pool, vault_look, vault_looked, v) != ERR_OK)
		visit_fail_status(v, GRPC_RESOURCE_EXHAUSTED, "the node has too much to compute");
}

/* ---- GetKeyMaterialAvailability ---- */

static void material_found(struct visit *v)
{
	const struct material *m = v->more;
	Kms__V1__KeyMaterialAvailabilityResponse response =
		KMS__V1__KEY_MATERIAL_AVAILABILITY_RESPONSE__INIT;

	response.fhe_key_ids = m->keys.v;
	response.n_fhe_key_ids = m->keys.n;
	response.crs_ids = m->crss.v;
	response.n_crs_ids = m->crss.n;
	response.preprocessing_ids = m->preprocs.v;
	response.n_preprocessing_ids = m->preprocs.n;
	response.storage_info = m->storage;
	visit_reply_message(v, &response.base);
}

void material_handle(void *ctx, struct grpc_call *call)
{
	struct visit *v = visit_new(ctx, call, (enum request_kind)0, METRICS_KEY_MATERIAL);

	if (v)
		material_look(v, material_found);
}
