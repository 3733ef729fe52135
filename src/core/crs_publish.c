/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/crs_publish.h"

#include "base/limits.h"
#include "crypto/sha.h"
#include "fhe/crs.h"
#include "mpc/hash.h"

static const char crs_type[] = "CRS";

/* What a run is about. */
struct run {
	const struct key_request *request;
	struct fhe_crs_metadata metadata; /* read back */
};

static enum err private_write(const struct publish *p, const struct key_request *r,
			      const struct fhe_crs_metadata *m, struct err_note *note)
{
	const struct publish_name whole = crs_publish_name(r->where.epoch_id, r->id);
	const struct vault_name name = publish_private_name(&whole);
	CLEANUP(buf_free) struct buf object = buf_make(FHE_CRS_METADATA_SIZE_MAX);

	TRY(kms_crs_metadata_write(m, &object));
	return vault_write(&p->vaults->private, &name, buf_view(&object), note);
}

/* The numbers of what is asked for. Its session is that of the request, as the other implementation
 * has it: every proof is made for this one CRS. */
static enum err crs_describe(struct fhe_crs *ret_crs, const struct key_request *r,
			     struct err_note *note)
{
	struct mpc_session_id session;
	struct fhe_crs crs;
	struct reader in;

	TRY(fhe_crs_describe(&crs, &key_params_of(r->params)->pke, r->bits_max, note));
	TRY(mpc_session_id_of(&session, r->id.b, 0));
	in = reader_of(BYTES_OF(session.le));
	crs.has_sid = true;
	crs.sid_low = reader_u64le(&in);
	crs.sid_high = reader_u64le(&in);
	*ret_crs = crs;
	return reader_end(&in);
}

static enum err crs_make(const struct publish *p, void *ctx, struct err_note *note)
{
	const struct key_request *r = ((const struct run *)ctx)->request;
	const struct vault_name name = {.type = crs_type, .id = r->id};
	CLEANUP(buf_free) struct buf object = buf_make(FHE_CRS_SIZE_MAX);
	struct fhe_crs_metadata m = {.crs_id = r->id, .bits_max = r->bits_max};
	struct fhe_crs crs;

	key_attestation_begin(&m.attestation, r);
	TRY(crs_describe(&crs, r, note));
	TRY(publish_stop_check(p, note));
	TRY(fhe_crs_make(&crs, p->rng, p->threads, &object));
	TRY(kms_digest(&m.digest, FHE_CRS_DSEP, buf_view(&object)));
	TRY(publish_stop_check(p, note));
	TRY(vault_write(&p->vaults->public, &name, buf_view(&object), note));
	TRY(crs_generation_sign(&m, r, p->signer));
	TRY(publish_stop_check(p, note));
	return private_write(p, r, &m, note);
}

/* Both objects of a CRS, and that they belong together. */
static enum err crs_load(struct fhe_crs_metadata *ret_metadata, const struct vaults *v,
			 const struct publish_name *name, struct err_note *note)
{
	const struct vault_name private = publish_private_name(name);
	CLEANUP(buf_free) struct buf object = buf_make(FHE_CRS_METADATA_SIZE_MAX);
	struct fhe_crs_metadata m;

	TRY(vault_read(&object, &v->private, &private, note));
	if (kms_crs_metadata_read(&m, buf_view(&object), note) != ERR_OK)
		return err_prefix(note, ERR_CORRUPT, "the private vault");
	if (!hash32_eq(m.crs_id, name->id))
		return err_say(note, ERR_CORRUPT,
			       "the private vault: the object says that it is another CRS");
	TRY(publish_digest_check(v, name, crs_type, m.digest, note));
	*ret_metadata = m;
	return ERR_OK;
}

static enum err crs_read(const struct publish *p, void *ctx, struct err_note *note)
{
	struct run *run = ctx;
	const struct key_request *r = run->request;
	const struct publish_name name = crs_publish_name(r->where.epoch_id, r->id);

	TRY(crs_load(&run->metadata, p->vaults, &name, note));
	if (run->metadata.bits_max != r->bits_max ||
	    !key_attestation_fits(&run->metadata.attestation, r))
		return err_say(note, ERR_CORRUPT, "the vault holds another CRS of this id");
	return ERR_OK;
}

enum err crs_publish(struct fhe_crs_metadata *ret_metadata, const struct publish *p,
		     const struct key_request *r, struct err_note *note)
{
	const struct publish_name name = crs_publish_name(r->where.epoch_id, r->id);
	struct run run = {.request = r};
	const struct publish_steps steps = {.make = crs_make, .read = crs_read, .ctx = &run};

	TRY(publish_run(p, &name, &steps, note));
	*ret_metadata = run.metadata;
	return ERR_OK;
}

enum err crs_recover(struct buf *answer, const struct vaults *v, const struct publish_name *name,
		     const struct key_request *r, const struct signing_key *signer,
		     struct err_note *note)
{
	struct fhe_crs_metadata m;

	TRY(crs_load(&m, v, name, note));
	if (m.attestation.signature_n != sizeof(struct signature65))
		return err_say(note, ERR_NOT_FOUND, "the vault's CRS of this id was never signed");
	if (r)
		TRY(crs_generation_check(r, &m, signer, note));

	/* Whoever asked for signatures asked for this one; it is the only kind that is served. */
	const struct key_request asked = {.id = m.crs_id, .wants_ecdsa = true};

	return crs_generation_answer(answer, &asked, &m);
}
