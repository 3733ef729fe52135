/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Masks back from their seeds. */
#include "crypto/aes_ctr.h"
#include "fhe/compact_public_key.h"
#include "fhe/key_set.h"

static void stream_free(struct aes_ctr **s)
{
	aes_ctr_free(*s);
}

enum err fhe_seed_open(struct aes_ctr **ret_stream, const struct fhe_seed *seed)
{
	CLEANUP(stream_free) struct aes_ctr *s = NULL;
	char dsep[FHE_SEED_DSEP_SIZE + 1] = {0};

	if (seed->kind == FHE_SEED_CTR) {
		if (seed->bytes.n != FHE_SEED_CTR_SIZE)
			return ERR_UNSUPPORTED;
		TRY(aes_ctr_new_seed(&s, seed->bytes.p, 0));
	} else {
		struct bytes rest = bytes_sub(seed->bytes, FHE_SEED_DSEP_SIZE,
					      seed->bytes.n - FHE_SEED_DSEP_SIZE);

		memcpy(dsep, seed->bytes.p, FHE_SEED_DSEP_SIZE);
		if (strlen(dsep) != FHE_SEED_DSEP_SIZE)
			return ERR_UNSUPPORTED;
		TRY(aes_ctr_new_xof(&s, dsep, rest));
	}
	TRY(aes_ctr_seek(s, 16 * seed->block + seed->byte));
	*ret_stream = s;
	s = NULL;
	return ERR_OK;
}

enum err fhe_compact_public_key_expand(const struct fhe_key_set *set, struct buf *out)
{
	const struct fhe_seeded *part = &set->parts[FHE_PART_PUBLIC_KEY];
	CLEANUP(buf_free) struct buf words = buf_make(2 * part->words.n);
	CLEANUP(stream_free) struct aes_ctr *masks = NULL;
	struct fhe_compact_public_key pk = {
		.params = set->pke, .polynomial_size = set->pke.dimension, .tag = set->pke_tag};
	uint8_t *place;

	if (part->words.n != 8 * set->pke.dimension)
		return ERR_MALFORMED;
	TRY(fhe_seed_open(&masks, &part->seed));
	TRY(buf_add_space(&words, part->words.n, &place));
	TRY(aes_ctr_fill(masks, place, part->words.n));
	TRY(buf_add(&words, part->words));
	pk.words = buf_view(&words);
	return fhe_compact_public_key_write(&pk, out);
}
