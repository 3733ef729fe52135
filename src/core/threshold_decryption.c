/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/threshold_decryption.h"

#include <stdlib.h>

#include "base/secret.h"
#include "core/public_decryption.h"
#include "core/user_decryption.h"

static enum err item_shares(struct opening_item *to, const struct decryption_request *r, size_t i,
			    struct err_note *note)
{
	const struct decryption_item *item = &r->items[i];
	struct prss_session *session;
	enum err e;

	to->type = item->type;
	TRY(mpc_session_id_of(&to->session, r->id.b, i));
	TRY(prss_session_new(&session, r->prss, &to->session));
	e = threshold_key_shares(to->blocks, &to->n, r->share, session, item->type, item->format,
				 item->ciphertext, note);
	prss_session_free(session);
	return e == ERR_OK ? e : err_prefix(note, e, "ciphertexts[%zu]", i);
}

enum err threshold_opening_make(struct opening **ret_opening, const struct decryption_request *r,
				struct err_note *note)
{
	struct opening *o = opening_new(r->items_n);
	enum err e = o ? ERR_OK : ERR_NOMEM;

	for (size_t i = 0; i < r->items_n && e == ERR_OK; i++)
		e = item_shares(&o->items[i], r, i, note);
	if (e != ERR_OK) {
		opening_free(o);
		return e;
	}
	o->context_id = r->where.context_id;
	o->group = *prss_group(r->prss);
	*ret_opening = o;
	return ERR_OK;
}

enum err threshold_public_answer(struct buf *answer, const struct decryption_request *r,
				 const struct opening *o, const struct signing_key *signer,
				 struct err_note *note)
{
	CLEANUP(secret_free) struct secret values = {0};
	CLEANUP(buf_wipe)
	struct buf out =
		buf_make(PUBLIC_DECRYPTION_ITEM_MAX * r->items_n + DECRYPTION_ANSWER_REST_MAX);

	if (o->n != r->items_n)
		return ERR_INTERNAL;
	TRY(secret_alloc(&values, r->items_n * sizeof(struct fhe_plaintext)));

	struct fhe_plaintext *v = (struct fhe_plaintext *)(void *)values.p;

	for (size_t i = 0; i < o->n; i++) {
		enum err e =
			threshold_value(&v[i], o->items[i].type, o->items[i].blocks, o->items[i].n);

		if (e != ERR_OK)
			return err_say(note, e,
				       "ciphertexts[%zu]: no value came out: the nodes' shares are "
				       "not of one key",
				       i);
	}
	TRY(buf_reserve(&out, out.size_max));
	TRY(public_decryption_sign(&out, r, v, signer));
	*answer = buf_take(&out);
	return ERR_OK;
}

enum err threshold_user_answer(struct buf *answer, const struct decryption_request *r,
			       const struct signing_key *signer, struct rng *rng,
			       struct err_note *note)
{
	struct opening *o;
	struct user_decryption_shares *shares;
	struct buf out =
		buf_make(USER_DECRYPTION_ITEM_MAX * r->items_n + DECRYPTION_ANSWER_REST_MAX);
	enum err e;

	TRY(threshold_opening_make(&o, r, note));
	shares = calloc(o->n, sizeof(*shares)); /* where they are */
	for (size_t i = 0; i < o->n && shares; i++)
		shares[i] = (struct user_decryption_shares){o->items[i].blocks, o->items[i].n};
	e = shares ? user_decryption_sign_shares(&out, r, shares, &o->group, signer, rng)
		   : ERR_NOMEM;
	free(shares);
	opening_free(o);
	if (e != ERR_OK) {
		buf_wipe(&out);
		return e;
	}
	*answer = buf_take(&out);
	return ERR_OK;
}
