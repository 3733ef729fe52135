/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/key_publish.h"

#include "base/limits.h"
#include "crypto/sha.h"
#include "fhe/audit.h"
#include "fhe/keygen/keygen.h"

static const char key_set_type[] = "CompressedXofKeySet";
static const char public_key_type[] = "PublicKey";

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
	const struct publish *run;
};

static enum err stop_write(struct fhe_sink *base, struct bytes piece, struct err_note *note)
{
	struct stop_sink *s = CONTAINER_OF(base, struct stop_sink, base);

	TRY(publish_stop_check(s->run, note));
	return fhe_sink_write(s->to, piece, note);
}

/* The key set, not yet in its place. */
static enum err key_set_write(const struct publish *p, const struct fhe_keygen *g,
			      struct vault_writer *w, struct hash32 *ret_digest,
			      struct err_note *note)
{
	static const struct fhe_sink_ops ops = {.write = stop_write};
	CLEANUP(digest_free) struct kms_digest_stream *digest = NULL;
	struct fhe_file_sink file;
	struct stop_sink sink = {.base = {.ops = &ops}, .run = p};

	TRY(kms_digest_stream_new(&digest, "PDAT_KEY"));
	sink.to = fhe_file_sink_init(&file, w->fd, digest);
	TRY(fhe_keygen_write(g, FHE_OBJECT_KEY_SET, &sink.base, p->threads, note));
	return kms_digest_stream_final(digest, ret_digest);
}

/* The last look before anybody else can have it: at the file, not at what was meant to be in it. */
static enum err key_set_audit(const struct publish *p, const struct fhe_keygen *g,
			      const struct vault_writer *w, struct hash32 digest,
			      struct err_note *note)
{
	const struct fhe_audit_options options = {
		.object = FHE_OBJECT_KEY_SET,
		.fast = true,
		.rng = p->rng,
		.threads = p->threads,
		.stop = p->stop,
	};
	struct fhe_file_source file;
	struct fhe_audit audit;
	enum err e = fhe_file_source_init(&file, w->fd, note);

	if (e == ERR_OK)
		e = fhe_audit_run(&audit, fhe_keygen_client_key(g), &file.base, &options, note);
	if (e == ERR_OK)
		e = fhe_audit_verdict(&audit, note);
	if (e == ERR_OK && !hash32_eq(audit.digest, digest))
		e = err_say(note, ERR_MISMATCH, "the file is not what was written into it");
	return e == ERR_OK ? e : err_prefix(note, e, "audit of the new key set");
}

static enum err public_key_write(const struct publish *p, const struct fhe_keygen *g,
				 struct hash32 key_id, struct hash32 *ret_digest,
				 struct err_note *note)
{
	const struct vault_name name = {.type = public_key_type, .id = key_id};
	CLEANUP(buf_free) struct buf object = buf_make(CLIENT_KEY_SIZE_MAX);

	TRY(fhe_keygen_write_public_key(g, &object));
	TRY(kms_digest(ret_digest, "PDAT_KEY", buf_view(&object)));
	return vault_write(&p->vaults->public, &name, buf_view(&object), note);
}

static enum err private_write(const struct publish *p, const struct fhe_keygen *g,
			      const struct key_request *r, const struct fhe_key_metadata *m,
			      struct err_note *note)
{
	const struct publish_name whole = key_publish_name(r->where.epoch_id, r->id);
	const struct vault_name name = publish_private_name(&whole);
	CLEANUP(buf_wipe) struct buf object = buf_make(2 * CLIENT_KEY_SIZE_MAX);

	/* Room first, so that no growing leaves an unwiped copy behind. */
	TRY(buf_reserve(&object, object.size_max));
	TRY(kms_fhe_key_handles_write(fhe_keygen_client_key(g), m, &object));
	return vault_write(&p->vaults->private, &name, buf_view(&object), note);
}

/* ---- the run ---- */

/* What a run is about. */
struct run {
	const struct key_request *request;
	enum key_params params;
	struct fhe_key_handles handles; /* read back */
};

static struct fhe_key_metadata metadata_of(const struct key_request *r)
{
	struct fhe_key_metadata m = {
		.key_id = r->id,
		.preproc_id = r->preproc_id,
		.digests = {{.pub_data = FHE_PUB_PUBLIC_KEY},
			    {.pub_data = FHE_PUB_COMPRESSED_XOF_KEY_SET}},
		.digests_n = 2,
	};

	key_attestation_begin(&m.attestation, r);
	return m;
}

static enum err key_make(const struct publish *p, void *ctx, struct err_note *note)
{
	const struct run *run = ctx;
	const struct key_request *r = run->request;
	const struct vault_name name = {.type = key_set_type, .id = r->id};
	CLEANUP(keygen_free) struct fhe_keygen *g = NULL;
	CLEANUP(vault_abandon) struct vault_writer w = {.fd = -1};
	struct fhe_key_metadata m = metadata_of(r);

	TRY(fhe_keygen_new(&g, key_params_of(run->params), BYTES_OF(r->id.b), p->rng, note));
	TRY(vault_begin(&w, &p->vaults->public, &name, note));
	TRY(key_set_write(p, g, &w, &m.digests[1].digest, note));
	TRY(key_set_audit(p, g, &w, m.digests[1].digest, note));
	TRY(vault_commit(&w, note));
	TRY(public_key_write(p, g, r->id, &m.digests[0].digest, note));
	TRY(key_generation_sign(&m, r, p->signer));
	TRY(publish_stop_check(p, note));
	return private_write(p, g, r, &m, note);
}

/* Is the stored key the one that this request asked for? */
static enum err key_read(const struct publish *p, void *ctx, struct err_note *note)
{
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles handles = {0};
	const struct fhe_key_metadata *m = &handles.metadata;
	struct run *run = ctx;
	const struct key_request *r = run->request;

	TRY(key_ring_read(&handles, &p->vaults->private, r->where.epoch_id, r->id, note));
	if (!hash32_eq(m->preproc_id, r->preproc_id) || !key_attestation_fits(&m->attestation, r))
		return err_say(note, ERR_CORRUPT, "the vault holds another key of this id");
	run->handles = handles;
	handles.client_key = NULL;
	return ERR_OK;
}

enum err key_publish(struct fhe_key_handles *ret_handles, const struct publish *p,
		     const struct key_request *r, enum key_params params, struct err_note *note)
{
	const struct publish_name name = key_publish_name(r->where.epoch_id, r->id);
	struct run run = {.request = r, .params = params};
	const struct publish_steps steps = {.make = key_make, .read = key_read, .ctx = &run};

	TRY(publish_run(p, &name, &steps, note));
	*ret_handles = run.handles;
	return ERR_OK;
}

/* ---- without a request ---- */

enum err key_recover(struct buf *answer, const struct vaults *v, const struct publish_name *name,
		     const struct key_request *r, const struct signing_key *signer,
		     struct err_note *note)
{
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles handles = {0};
	const struct fhe_key_metadata *m = &handles.metadata;

	TRY(key_ring_read(&handles, &v->private, name->epoch_id, name->id, note));
	if (m->attestation.signature_n != sizeof(struct signature65) || m->digests_n == 0)
		return err_say(note, ERR_NOT_FOUND, "the vault's key of this id was never signed");
	if (r)
		TRY(key_generation_check(r, m, signer, note));
	for (size_t i = 0; i < m->digests_n; i++) {
		const char *type = key_object_type(m->digests[i].pub_data);

		if (!type)
			return err_say(note, ERR_UNSUPPORTED, "an object of another kind");
		TRY(publish_digest_check(v, name, type, m->digests[i].digest, note));
	}

	/* Whoever asked for signatures asked for this one; it is the only kind that is served. */
	const struct key_request asked = {
		.id = m->key_id, .preproc_id = m->preproc_id, .wants_ecdsa = true};

	return key_generation_answer(answer, &asked, m);
}
