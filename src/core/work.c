/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The rows of the kinds of requests, and how each is checked and computed. */
#include "core/service_internal.h"
#include "core/threshold_decryption.h"

/* ---- decryptions ---- */

static enum err decryption_check(struct visit *v, struct bytes message, struct arena *memory)
{
	struct decryption_request r;

	TRY(decryption_request_read(&r, v->kind, v->core->o.keys, message, memory, &v->note));
	v->id = r.id;
	v->digest = r.digest;
	v->items_n = r.items_n;
	v->extra_data_differs = r.extra_data_differs;
	v->session_use = r.session_use;
	return ERR_OK;
}

/* By a committee publicly: twice, before and after its nodes have opened the shares. */
static enum err decryption_compute(struct entry *e, struct bytes message, struct arena *memory)
{
	const struct core_service_options *o = &e->core->o;
	struct decryption_request r;

	TRY(decryption_request_read(&r, e->name.kind, o->keys, message, memory, &e->note));
	if (!r.share)
		return decryption_answer(&e->answer, &r, o->signer, o->rng, &e->note);
	if (e->name.kind == REQUEST_USER_DECRYPTION)
		return threshold_user_answer(&e->answer, &r, o->signer, o->rng, &e->note);
	if (e->opening)
		return threshold_public_answer(&e->answer, &r, e->opening, o->signer, &e->note);
	TRY(threshold_opening_make(&e->opening, &r, &e->note));
	buf_free(&e->words); /* of a run that was cancelled */
	e->words_n = e->opening->n;
	e->words_context = e->opening->context_id;
	return opening_words_pack(&e->words, e->opening);
}

/* ---- keys ---- */

static enum err key_check(struct visit *v, struct bytes message, struct arena *memory)
{
	const struct core_service_options *o = &v->core->o;
	struct key_request r;

	TRY(key_request_read(&r, v->kind, o->keys, message, memory, &v->note));
	v->id = r.id;
	v->digest = r.digest;
	v->extra_data_differs = r.extra_data_differs;
	v->params = (uint32_t)r.params;
	v->preproc_id = r.preproc_id;
	v->epoch_id = r.where.epoch_id;
	/* Of what this node does not remember; what it does is found all the same. */
	if (works[v->kind].form) {
		struct publish_name name = {works[v->kind].form, r.where.epoch_id, r.id};

		/* In whatever epoch: an id has one key. */
		v->taken = publish_is_taken(&o->vaults, &name) || material_find(&name, o);
	}
	v->preproc_used =
		v->kind == REQUEST_KEYGEN && key_ring_used_preproc(o->keys, r.preproc_id, r.id);
	return ERR_OK;
}

/* A centralised node has nothing to prepare: what is asked for is the signature. */
static enum err preproc_compute(struct entry *e, struct bytes message, struct arena *memory)
{
	const struct core_service_options *o = &e->core->o;
	CLEANUP(buf_free) struct buf answer = buf_make(KEY_ANSWER_MAX);
	struct key_request r;

	TRY(key_request_read(&r, e->name.kind, o->keys, message, memory, &e->note));
	if (atomic_load(&e->stop))
		return err_say(&e->note, ERR_CANCELLED, "the preprocessing was withdrawn");
	TRY(key_preproc_answer(&answer, &r, o->signer));
	e->answer = buf_take(&answer);
	return ERR_OK;
}

static struct publish publish_of(const struct entry *e)
{
	const struct core_service_options *o = &e->core->o;

	return (struct publish){
		.vaults = &o->vaults,
		.signer = o->signer,
		.rng = o->rng,
		.threads = o->keygen_threads,
		.stop = &e->stop,
	};
}

static enum err keygen_compute(struct entry *e, struct bytes message, struct arena *memory)
{
	const struct core_service_options *o = &e->core->o;
	const struct publish p = publish_of(e);
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles handles = {0};
	CLEANUP(buf_free) struct buf answer = buf_make(KEY_ANSWER_MAX);
	struct key_request r;

	TRY(key_request_read(&r, e->name.kind, o->keys, message, memory, &e->note));
	if (!r.has_params)
		r.params =
			e->preproc_params == KEY_PARAMS_TEST ? KEY_PARAMS_TEST : KEY_PARAMS_DEFAULT;
	TRY(key_publish(&handles, &p, &r, r.params, &e->note));
	TRY(key_generation_answer(&answer, &r, &handles.metadata));
	e->answer = buf_take(&answer);
	e->epoch_id = r.where.epoch_id;
	e->key_preproc_id = r.preproc_id;
	e->key = handles.client_key;
	handles.client_key = NULL;
	return ERR_OK;
}

static enum err crsgen_compute(struct entry *e, struct bytes message, struct arena *memory)
{
	const struct publish p = publish_of(e);
	CLEANUP(buf_free) struct buf answer = buf_make(KEY_ANSWER_MAX);
	struct fhe_crs_metadata m;
	struct key_request r;

	TRY(key_request_read(&r, e->name.kind, e->core->o.keys, message, memory, &e->note));
	TRY(crs_publish(&m, &p, &r, &e->note));
	TRY(crs_generation_answer(&answer, &r, &m));
	e->answer = buf_take(&answer);
	return ERR_OK;
}

/* ---- what lies in the vaults ---- */

typedef enum err recover_fn(struct buf *answer, const struct vaults *v,
			    const struct publish_name *name, const struct key_request *r,
			    const struct signing_key *signer, struct err_note *note);

static enum err material_recover(struct visit *v, struct buf *answer, struct bytes message,
				 struct arena *memory, recover_fn *recover)
{
	const struct core_service_options *o = &v->core->o;
	const struct publish_name name = {works[v->kind].form, v->epoch_id, v->id};
	struct key_request r;

	if (message.n > 0)
		TRY(key_request_read(&r, v->kind, o->keys, message, memory, &v->note));
	return recover(answer, &o->vaults, &name, message.n > 0 ? &r : NULL, o->signer, &v->note);
}

static enum err keygen_recover(struct visit *v, struct buf *answer, struct bytes message,
			       struct arena *memory)
{
	return material_recover(v, answer, message, memory, key_recover);
}

static enum err crsgen_recover(struct visit *v, struct buf *answer, struct bytes message,
			       struct arena *memory)
{
	return material_recover(v, answer, message, memory, crs_recover);
}

const struct work works[REQUEST_KINDS] = {
	[REQUEST_PUBLIC_DECRYPTION] =
		{
			.name = "public",
			.accepted = "Decryption accepted",
			.answered = "Decryption answered",
			.ended = "Decryption failed",
			.failure = "the decryption failed",
			.request = METRICS_PUBLIC_DECRYPT_REQUEST,
			.result = METRICS_PUBLIC_DECRYPT_RESULT,
			.inner = METRICS_PUBLIC_DECRYPT_INNER,
			.check = decryption_check,
			.compute = decryption_compute,
		},
	[REQUEST_USER_DECRYPTION] =
		{
			.name = "user",
			.accepted = "Decryption accepted",
			.answered = "Decryption answered",
			.ended = "Decryption failed",
			.failure = "the decryption failed",
			.request = METRICS_USER_DECRYPT_REQUEST,
			.result = METRICS_USER_DECRYPT_RESULT,
			.inner = METRICS_USER_DECRYPT_INNER,
			.check = decryption_check,
			.compute = decryption_compute,
		},
	[REQUEST_KEYGEN_PREPROC] =
		{
			.name = "preprocessing",
			.accepted = "Key generation accepted",
			.answered = "Key generation answered",
			.ended = "Key generation failed",
			.failure = "the preprocessing failed",
			.key = true,
			.committee = NOT_BUILT_KEYGEN_PREPROC,
			.request = METRICS_KEYGEN_PREPROC_REQUEST,
			.result = METRICS_KEYGEN_PREPROC_RESULT,
			.inner = METRICS_KEYGEN_PREPROC_INNER,
			.check = key_check,
			.compute = preproc_compute,
		},
	[REQUEST_KEYGEN] =
		{
			.name = "key",
			.accepted = "Key generation accepted",
			.answered = "Key generation answered",
			.ended = "Key generation failed",
			.failure = "the key generation failed",
			.key = true,
			.committee = NOT_BUILT_KEYGEN,
			.alone = true,
			.no_wait = true,
			.request = METRICS_KEYGEN_REQUEST,
			.result = METRICS_KEYGEN_RESULT,
			.inner = METRICS_KEYGEN_INNER,
			.check = key_check,
			.compute = keygen_compute,
			.form = &publish_key_form,
			.recover = keygen_recover,
		},
	[REQUEST_CRSGEN] =
		{
			.name = "CRS",
			.accepted = "CRS generation accepted",
			.answered = "CRS generation answered",
			.ended = "CRS generation failed",
			.failure = "the CRS generation failed",
			.key = true,
			.committee = NOT_BUILT_CRSGEN,
			.alone = true,
			.no_wait = true,
			.request = METRICS_CRSGEN_REQUEST,
			.result = METRICS_CRSGEN_RESULT,
			.inner = METRICS_CRSGEN_INNER,
			.check = key_check,
			.compute = crsgen_compute,
			.form = &publish_crs_form,
			.recover = crsgen_recover,
		},
};
