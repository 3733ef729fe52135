/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/decryption.h"

#include "base/secret.h"
#include "core/public_decryption.h"
#include "core/user_decryption.h"

/* Deterministic: needs no randomness. */
static enum err public_sign(struct buf *answer, const struct decryption_request *r,
			    const struct fhe_plaintext *values, const struct signing_key *signer,
			    struct rng *rng)
{
	(void)rng;
	return public_decryption_sign(answer, r, values, signer);
}

const struct decryption_kind decryption_kinds[REQUEST_KINDS] = {
	[REQUEST_PUBLIC_DECRYPTION] =
		{
			.answer_item_max = PUBLIC_DECRYPTION_ITEM_MAX,
			.sign = public_sign,
		},
	[REQUEST_USER_DECRYPTION] =
		{
			.answer_item_max = USER_DECRYPTION_ITEM_MAX,
			.sign = user_decryption_sign,
		},
};

static enum err values_decrypt(struct fhe_plaintext *values, const struct decryption_request *r,
			       struct err_note *note)
{
	for (size_t i = 0; i < r->items_n; i++) {
		const struct decryption_item *item = &r->items[i];
		enum err e = fhe_decrypt(r->key, &values[i], item->type, item->format,
					 item->ciphertext, note);

		if (e != ERR_OK)
			return err_prefix(note, e, "ciphertexts[%zu]", i);
	}
	return ERR_OK;
}

enum err decryption_answer(struct buf *answer, const struct decryption_request *r,
			   const struct signing_key *signer, struct rng *rng, struct err_note *note)
{
	const struct decryption_kind *kind = &decryption_kinds[r->kind];
	CLEANUP(secret_free) struct secret values = {0};
	CLEANUP(buf_wipe)
	struct buf out = buf_make(kind->answer_item_max * r->items_n + DECRYPTION_ANSWER_REST_MAX);

	TRY(secret_alloc(&values, r->items_n * sizeof(struct fhe_plaintext)));

	struct fhe_plaintext *v = (struct fhe_plaintext *)(void *)values.p;

	TRY(values_decrypt(v, r, note));
	/* All at once: growing would leave copies of a public answer's plaintexts behind. */
	TRY(buf_reserve(&out, out.size_max));
	TRY(kind->sign(&out, r, v, signer, rng));
	*answer = buf_take(&out);
	return ERR_OK;
}
