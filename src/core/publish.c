/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/publish.h"

#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "core/key_ring.h"
#include "core/request_id.h"
#include "crypto/sha.h"
#include "fhe/crs.h"

enum {
	TURN_PAUSE_NS = 50 * 1000 * 1000,
};

const struct publish_form publish_key_form = {
	.name = "key",
	.public_types = {"CompressedXofKeySet", "PublicKey"},
	.other_types = {"ServerKey"},
	.private_type = KEY_RING_TYPE,
	.digest_dsep = "PDAT_KEY",
	.object_size_max = FHE_KEY_SET_SIZE_MAX,
};

const struct publish_form publish_crs_form = {
	.name = "CRS",
	.public_types = {"CRS"},
	.private_type = "CrsInfo",
	.digest_dsep = FHE_CRS_DSEP,
	.object_size_max = FHE_CRS_SIZE_MAX,
};

const struct publish_form *const publish_forms[] = {&publish_key_form, &publish_crs_form};
const size_t publish_forms_n = ARRAY_LEN(publish_forms);

enum err publish_stop_check(const struct publish *p, struct err_note *note)
{
	if (atomic_load_explicit(p->stop, memory_order_relaxed))
		return err_say(note, ERR_CANCELLED, "the generation was withdrawn");
	return ERR_OK;
}

struct vault_name publish_private_name(const struct publish_name *n)
{
	return (struct vault_name){
		.type = n->form->private_type, .epoch = &n->epoch_id, .id = n->id};
}

/* ---- what is there ---- */

bool publish_is_ended(const struct vaults *v, const struct publish_name *n)
{
	const struct vault_name private = publish_private_name(n);

	return vault_exists(&v->private, &private);
}

static bool any_exists(const struct vaults *v, const struct publish_name *n,
		       const char *const *types)
{
	for (; *types; types++) {
		const struct vault_name name = {.type = *types, .id = n->id};

		if (vault_exists(&v->public, &name))
			return true;
	}
	return false;
}

bool publish_is_taken(const struct vaults *v, const struct publish_name *n)
{
	return publish_is_ended(v, n) || any_exists(v, n, n->form->public_types) ||
	       any_exists(v, n, n->form->other_types);
}

enum err publish_remove(const struct vaults *v, const struct publish_name *n, struct err_note *note)
{
	const struct vault_name private = publish_private_name(n);

	TRY(vault_remove(&v->private, &private, note));
	for (const char *const *type = n->form->public_types; *type; type++) {
		const struct vault_name name = {.type = *type, .id = n->id};

		TRY(vault_remove(&v->public, &name, note));
	}
	return ERR_OK;
}

/* ---- digests ---- */

static void digest_free(struct kms_digest_stream **d)
{
	kms_digest_stream_free(*d);
}

static enum err digest_add(void *ctx, struct bytes piece, struct err_note *note)
{
	(void)note;
	return kms_digest_stream_add(ctx, piece);
}

enum err publish_digest_check(const struct vaults *v, const struct publish_name *n,
			      const char *type, struct hash32 digest, struct err_note *note)
{
	const struct vault_name name = {.type = type, .id = n->id};
	CLEANUP(digest_free) struct kms_digest_stream *stream = NULL;
	char id[REQUEST_ID_TEXT_SIZE];
	struct hash32 found;
	enum err e;

	TRY(kms_digest_stream_new(&stream, n->form->digest_dsep));
	e = vault_read_pieces(&v->public, &name, n->form->object_size_max, digest_add, stream,
			      note);
	if (e == ERR_NOT_FOUND || e == ERR_TOO_BIG)
		return err_prefix(note, ERR_CORRUPT, "the public vault");
	TRY(e);
	TRY(kms_digest_stream_final(stream, &found));
	request_id_text(id, n->id);
	if (!hash32_eq(found, digest))
		return err_say(note, ERR_CORRUPT,
			       "the public vault: %s/%s is not the object that was signed", type,
			       id);
	return ERR_OK;
}

/* ---- the run ---- */

static void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* Other servers may have the same vault: one of all of them at a time. A file system without locks
 * has none to wait for. */
static enum err turn_wait(int *ret_fd, const struct publish *p, const struct publish_name *name,
			  struct err_note *note)
{
	struct err_note ignored;
	enum err e = ERR_TRANSIENT;

	while (e == ERR_TRANSIENT) {
		TRY(publish_stop_check(p, note));
		e = vault_lock_type(ret_fd, &p->vaults->private, name->form->private_type,
				    &ignored);
		if (e == ERR_TRANSIENT)
			(void)nanosleep(&(struct timespec){.tv_nsec = TURN_PAUSE_NS}, NULL);
	}
	return ERR_OK;
}

/* Public objects have no epoch: those of an id that has its end in another one are not ours. */
static enum err elsewhere_check(const struct vaults *v, const struct publish_name *n,
				struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids epochs = {0};

	TRY(vault_list(&epochs, &v->private, n->form->private_type, NULL, note));
	for (size_t i = 0; i < epochs.n; i++) {
		const struct publish_name other = {n->form, epochs.v[i], n->id};

		if (publish_is_ended(v, &other))
			return err_say(note, ERR_ALREADY_DONE,
				       "the vault holds a %s of this id in another epoch",
				       n->form->name);
	}
	return ERR_OK;
}

enum err publish_run(const struct publish *p, const struct publish_name *name,
		     const struct publish_steps *steps, struct err_note *note)
{
	CLEANUP(fd_close) int turn = -1;
	struct err_note ignored;
	enum err e;

	TRY(turn_wait(&turn, p, name, note));
	if (publish_is_ended(p->vaults, name))
		return steps->read(p, steps->ctx, note);
	TRY(elsewhere_check(p->vaults, name, note));
	e = publish_remove(p->vaults, name, note);
	if (e == ERR_OK)
		e = steps->make(p, steps->ctx, note);
	/* What is there now is somebody else's, and may be live. */
	if (e == ERR_ALREADY_DONE)
		return e;
	if (e == ERR_OK)
		e = steps->read(p, steps->ctx, note);
	/* The first error is the one to tell. */
	if (e != ERR_OK && publish_remove(p->vaults, name, &ignored) != ERR_OK)
		return err_prefix(note, e, "objects remain in the vault");
	return e;
}

enum err publish_sweep(const struct vaults *v, size_t *ret_removed, struct err_note *note)
{
	size_t removed = 0;

	for (size_t i = 0; i < publish_forms_n; i++) {
		const struct publish_form *f = publish_forms[i];
		CLEANUP(vault_ids_free) struct vault_ids epochs = {0};

		for (const char *const *type = f->public_types; *type; type++)
			TRY(vault_sweep(&v->public, *type, NULL, &removed, note));
		TRY(vault_list(&epochs, &v->private, f->private_type, NULL, note));
		for (size_t at = 0; at < epochs.n; at++)
			TRY(vault_sweep(&v->private, f->private_type, &epochs.v[at], &removed,
					note));
	}
	*ret_removed = removed;
	return ERR_OK;
}
