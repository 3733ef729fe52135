/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/key_publish.h"

#include "base/limits.h"
#include "crypto/sha.h"
#include "fhe/keygen/keygen.h"
#include "fhe/params.h"

static const char key_set_type[] = "CompressedXofKeySet";
static const char public_key_type[] = "PublicKey";

static const char *const public_types[] = {key_set_type, public_key_type};

static const struct fhe_params *const params_rows[] = {
	[KEY_PARAMS_DEFAULT] = &fhe_params_v1_7,
	[KEY_PARAMS_TEST] = &fhe_params_test,
};

static struct vault_name private_name(const struct key_request *r)
{
	return (struct vault_name){.type = KEY_RING_TYPE, .epoch = &r->where.epoch_id, .id = r->id};
}

bool key_published(const struct vault *public_vault, const struct vault *private_vault,
		   struct hash32 epoch_id, struct hash32 key_id)
{
	const struct vault_name private = {.type = KEY_RING_TYPE, .epoch = &epoch_id, .id = key_id};
	const struct vault_name server = {.type = "ServerKey", .id = key_id};
	bool found = vault_exists(private_vault, &private) || vault_exists(public_vault, &server);

	for (size_t i = 0; i < ARRAY_LEN(public_types); i++) {
		const struct vault_name name = {.type = public_types[i], .id = key_id};

		found = found || vault_exists(public_vault, &name);
	}
	return found;
}

/* ---- objects ---- */

static void digest_free(struct kms_digest_stream **d)
{
	kms_digest_stream_free(*d);
}

static void keygen_free(struct fhe_keygen **g)
{
	fhe_keygen_free(*g);
}

/* A sink that can be told to stop. */
struct stop_sink {
	struct fhe_sink base;
	struct fhe_sink *to;
	const atomic_bool *stop;
};

static enum err stop_check(const atomic_bool *stop, struct err_note *note)
{
	if (atomic_load_explicit(stop, memory_order_relaxed))
		return err_say(note, ERR_CANCELLED, "the generation was withdrawn");
	return ERR_OK;
}

static enum err stop_write(struct fhe_sink *base, struct bytes piece, struct err_note *note)
{
	struct stop_sink *s = CONTAINER_OF(base, struct stop_sink, base);

	TRY(stop_check(s->stop, note));
	return fhe_sink_write(s->to, piece, note);
}

/* The key set, not yet in its place. */
static enum err key_set_write(const struct key_publish *p, const struct fhe_keygen *g,
			      struct vault_writer *w, struct hash32 *ret_digest,
			      struct err_note *note)
{
	static const struct fhe_sink_ops ops = {.write = stop_write};
	CLEANUP(digest_free) struct kms_digest_stream *digest = NULL;
	struct fhe_file_sink file;
	struct stop_sink sink = {.base = {.ops = &ops}, .stop = p->stop};

	TRY(kms_digest_stream_new(&digest, "PDAT_KEY"));
	sink.to = fhe_file_sink_init(&file, w->fd, digest);
	TRY(fhe_keygen_write(g, FHE_OBJECT_KEY_SET, &sink.base, p->threads, note));
	return kms_digest_stream_final(digest, ret_digest);
}

static enum err public_key_write(const struct key_publish *p, const struct fhe_keygen *g,
				 struct hash32 key_id, struct hash32 *ret_digest,
				 struct err_note *note)
{
	const struct vault_name name = {.type = public_key_type, .id = key_id};
	CLEANUP(buf_free) struct buf object = buf_make(CLIENT_KEY_SIZE_MAX);

	TRY(fhe_keygen_write_public_key(g, &object));
	TRY(kms_digest(ret_digest, "PDAT_KEY", buf_view(&object)));
	return vault_write(p->public_vault, &name, buf_view(&object), note);
}

static enum err private_write(const struct key_publish *p, const struct fhe_keygen *g,
			      const struct key_request *r, const struct fhe_key_metadata *m,
			      struct err_note *note)
{
	const struct vault_name name = private_name(r);
	CLEANUP(buf_wipe) struct buf object = buf_make(2 * CLIENT_KEY_SIZE_MAX);

	/* Room first, so that no growing leaves an unwiped copy behind. */
	TRY(buf_reserve(&object, object.size_max));
	TRY(kms_fhe_key_handles_write(fhe_keygen_client_key(g), m, &object));
	return vault_write(p->private_vault, &name, buf_view(&object), note);
}

/* ---- the run ---- */

static struct fhe_key_metadata metadata_of(const struct key_request *r)
{
	struct fhe_key_metadata m = {
		.key_id = r->id,
		.preproc_id = r->preproc_id,
		.digests = {{.pub_data = FHE_PUB_PUBLIC_KEY},
			    {.pub_data = FHE_PUB_COMPRESSED_XOF_KEY_SET}},
		.digests_n = 2,
		.has_extra = true,
		.extra_n = r->extra_data.n,
	};

	if (r->extra_data.n > 0)
		memcpy(m.extra, r->extra_data.p, r->extra_data.n);
	return m;
}

static enum err generate(const struct key_publish *p, const struct key_request *r,
			 enum key_params params, struct err_note *note)
{
	const struct vault_name name = {.type = key_set_type, .id = r->id};
	CLEANUP(keygen_free) struct fhe_keygen *g = NULL;
	CLEANUP(vault_abandon) struct vault_writer w = {.fd = -1};
	struct fhe_key_metadata m = metadata_of(r);

	_Static_assert(CORE_EXTRA_DATA_MAX <= FHE_KEY_EXTRA_SIZE_MAX, "extra data is stored whole");
	TRY(fhe_keygen_new(&g, params_rows[params], BYTES_OF(r->id.b), p->rng, note));
	TRY(vault_begin(&w, p->public_vault, &name, note));
	TRY(key_set_write(p, g, &w, &m.digests[1].digest, note));
	TRY(vault_commit(&w, note));
	TRY(public_key_write(p, g, r->id, &m.digests[0].digest, note));
	TRY(key_generation_sign(&m, r, p->signer));
	TRY(stop_check(p->stop, note));
	return private_write(p, g, r, &m, note);
}

/* The private object first: without it the others mean nothing. */
static enum err objects_remove(const struct key_publish *p, const struct key_request *r,
			       struct err_note *note)
{
	const struct vault_name private = private_name(r);

	TRY(vault_remove(p->private_vault, &private, note));
	for (size_t i = 0; i < ARRAY_LEN(public_types); i++) {
		const struct vault_name name = {.type = public_types[i], .id = r->id};

		TRY(vault_remove(p->public_vault, &name, note));
	}
	return ERR_OK;
}

/* Is the stored key the one that this request asked for? */
static enum err handles_read(struct fhe_key_handles *ret_handles, const struct key_publish *p,
			     const struct key_request *r, struct err_note *note)
{
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles handles = {0};
	const struct fhe_key_metadata *m = &handles.metadata;

	TRY(key_ring_read(&handles, p->private_vault, r->where.epoch_id, r->id, note));
	if (!hash32_eq(m->preproc_id, r->preproc_id) ||
	    !bytes_eq_var(bytes_from(m->extra, m->extra_n), r->extra_data))
		return err_say(note, ERR_CORRUPT, "the vault holds another key of this id");
	*ret_handles = handles;
	handles.client_key = NULL;
	return ERR_OK;
}

enum err key_publish(struct fhe_key_handles *ret_handles, const struct key_publish *p,
		     const struct key_request *r, enum key_params params, struct err_note *note)
{
	const struct vault_name private = private_name(r);
	struct err_note ignored;
	enum err e;

	if (vault_exists(p->private_vault, &private))
		return handles_read(ret_handles, p, r, note);
	e = objects_remove(p, r, note);
	if (e == ERR_OK)
		e = generate(p, r, params, note);
	if (e == ERR_OK)
		e = handles_read(ret_handles, p, r, note);
	/* The first error is the one to tell. */
	if (e != ERR_OK && objects_remove(p, r, &ignored) != ERR_OK)
		return err_prefix(note, e, "objects remain in the vault");
	return e;
}

enum err key_publish_sweep(const struct vault *public_vault, const struct vault *private_vault,
			   size_t *ret_removed, struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids epochs = {0};
	size_t removed = 0;

	for (size_t i = 0; i < ARRAY_LEN(public_types); i++)
		TRY(vault_sweep(public_vault, public_types[i], NULL, &removed, note));
	TRY(vault_list(&epochs, private_vault, KEY_RING_TYPE, NULL, note));
	for (size_t i = 0; i < epochs.n; i++)
		TRY(vault_sweep(private_vault, KEY_RING_TYPE, &epochs.v[i], &removed, note));
	*ret_removed = removed;
	return ERR_OK;
}
