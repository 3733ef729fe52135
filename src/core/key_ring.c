/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/key_ring.h"

#include <stdlib.h>

#include "base/limits.h"
#include "core/request_id.h"

enum err key_ring_read(struct fhe_key_handles *ret_handles, const struct vault *private_vault,
		       struct hash32 epoch_id, struct hash32 key_id, struct err_note *note)
{
	const struct vault_name name = {.type = KEY_RING_TYPE, .epoch = &epoch_id, .id = key_id};
	CLEANUP(secret_free) struct secret object = {0};
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles handles = {0};
	char text[REQUEST_ID_TEXT_SIZE];

	request_id_text(text, key_id);
	TRY(vault_read_secret(&object, private_vault, &name, note));

	enum err e = kms_fhe_key_handles_read(&handles, secret_view(&object), note);

	if (e == ERR_NOMEM)
		return e;
	if (e != ERR_OK)
		return err_prefix(note, ERR_CORRUPT, "FHE key %s", text);
	/* Its own metadata must say the id under which it lies. */
	if (!hash32_eq(handles.metadata.key_id, key_id))
		return err_say(note, ERR_CORRUPT,
			       "FHE key %s: the object says that it is another key", text);
	*ret_handles = handles;
	handles.client_key = NULL;
	return ERR_OK;
}

static enum err key_load(struct key_ring_entry *ret_entry, const struct vault *v,
			 struct hash32 epoch_id, struct hash32 key_id, struct err_note *note)
{
	struct fhe_key_handles handles;

	TRY(key_ring_read(&handles, v, epoch_id, key_id, note));
	*ret_entry = (struct key_ring_entry){.epoch_id = epoch_id,
					     .key_id = key_id,
					     .preproc_id = handles.metadata.preproc_id,
					     .key = handles.client_key};
	return ERR_OK;
}

static enum err share_load(struct key_ring_entry *ret_entry, const struct vault *v,
			   struct hash32 epoch_id, struct hash32 key_id, struct err_note *note)
{
	struct threshold_key *share;

	TRY(threshold_key_load(&share, v, epoch_id, key_id, note));
	*ret_entry =
		(struct key_ring_entry){.epoch_id = epoch_id,
					.key_id = key_id,
					.preproc_id = threshold_key_metadata(share)->preproc_id,
					.share = share};
	return ERR_OK;
}

/* The two kinds of keys. */
static const struct form {
	const char *type;
	enum err (*load)(struct key_ring_entry *ret_entry, const struct vault *v,
			 struct hash32 epoch_id, struct hash32 key_id, struct err_note *note);
} whole = {KEY_RING_TYPE, key_load}, shared = {THRESHOLD_KEY_TYPE, share_load};

static enum err epoch_load(struct key_ring *ring, const struct form *form, const struct vault *v,
			   struct hash32 epoch_id, struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids keys = {0};

	TRY(vault_list(&keys, v, form->type, &epoch_id, note));
	for (size_t i = 0; i < keys.n; i++) {
		struct key_ring_entry entry;

		if (ring->n == VAULT_KEYS_MAX)
			return err_say(note, ERR_TOO_BIG,
				       "the private vault holds more than %d FHE keys",
				       VAULT_KEYS_MAX);
		TRY(form->load(&entry, v, epoch_id, keys.v[i], note));
		TRY(key_ring_add(ring, &entry));
	}
	return ERR_OK;
}

static enum err load(struct key_ring *ret_ring, const struct form *form,
		     const struct committees *committee, const struct vault *v,
		     struct err_note *note)
{
	CLEANUP(key_ring_free) struct key_ring ring = {.committee = committee};
	CLEANUP(vault_ids_free) struct vault_ids epochs = {0};

	TRY(vault_list(&epochs, v, form->type, NULL, note));
	ring.v = calloc(VAULT_KEYS_MAX + 1, sizeof(*ring.v));
	if (!ring.v)
		return ERR_NOMEM;
	for (size_t i = 0; i < epochs.n; i++)
		TRY(epoch_load(&ring, form, v, epochs.v[i], note));
	*ret_ring = ring;
	ring = (struct key_ring){0};
	return ERR_OK;
}

enum err key_ring_load(struct key_ring *ret_ring, const struct vault *private_vault,
		       struct err_note *note)
{
	return load(ret_ring, &whole, NULL, private_vault, note);
}

enum err key_ring_load_shares(struct key_ring *ret_ring, const struct committees *committee,
			      const struct vault *private_vault, struct err_note *note)
{
	return load(ret_ring, &shared, committee, private_vault, note);
}

static void entry_clear(const struct key_ring_entry *e)
{
	fhe_client_key_free(e->key);
	threshold_key_free(e->share);
}

void key_ring_free(struct key_ring *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		entry_clear(&r->v[i]);
	free(r->v);
	*r = (struct key_ring){0};
}

static const struct key_ring_entry *entry_find(const struct key_ring *r, struct hash32 epoch_id,
					       struct hash32 key_id)
{
	for (size_t i = 0, n = atomic_load_explicit(&r->n, memory_order_acquire); i < n; i++)
		if (hash32_eq(r->v[i].epoch_id, epoch_id) && hash32_eq(r->v[i].key_id, key_id))
			return &r->v[i];
	return NULL;
}

enum err key_ring_add(struct key_ring *r, const struct key_ring_entry *entry)
{
	size_t n = atomic_load_explicit(&r->n, memory_order_relaxed); /* only we write it */

	if (n == VAULT_KEYS_MAX || entry_find(r, entry->epoch_id, entry->key_id)) {
		entry_clear(entry);
		return n == VAULT_KEYS_MAX ? ERR_TOO_BIG : ERR_OK;
	}
	r->v[n] = *entry;
	atomic_store_explicit(&r->n, n + 1, memory_order_release);
	return ERR_OK;
}

bool key_ring_has_epoch(const struct key_ring *r, struct hash32 epoch_id)
{
	if (hash32_eq(epoch_id, request_id_default_epoch))
		return true;
	for (size_t i = 0, n = atomic_load_explicit(&r->n, memory_order_acquire); i < n; i++)
		if (hash32_eq(r->v[i].epoch_id, epoch_id))
			return true;
	return false;
}

bool key_ring_used_preproc(const struct key_ring *r, struct hash32 preproc_id, struct hash32 key_id)
{
	for (size_t i = 0, n = atomic_load_explicit(&r->n, memory_order_acquire); i < n; i++)
		if (hash32_eq(r->v[i].preproc_id, preproc_id) && !hash32_eq(r->v[i].key_id, key_id))
			return true;
	return false;
}

const struct fhe_client_key *key_ring_find(const struct key_ring *r, struct hash32 epoch_id,
					   struct hash32 key_id)
{
	const struct key_ring_entry *e = entry_find(r, epoch_id, key_id);

	return e ? e->key : NULL;
}

const struct threshold_key *key_ring_find_share(const struct key_ring *r, struct hash32 epoch_id,
						struct hash32 key_id)
{
	const struct key_ring_entry *e = entry_find(r, epoch_id, key_id);

	return e ? e->share : NULL;
}
