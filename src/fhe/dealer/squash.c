/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/dealer/dealer.h"
#include "fhe/negacyclic.h"
#include "fhe/squashed_list.h"

enum {
	PACKED_BITS = 2 * FHE_MESSAGE_BITS,
	DELTA_LOG = 128 - 1 - PACKED_BITS
};

/* Packed block i of a value: 4 bits. */
static uint8_t value_block(const struct fhe_plaintext *v, size_t i)
{
	return v->le[i / 2] >> (PACKED_BITS * (i % 2)) & 15;
}

/* mask uniform; body h = sum_j <mask_j(X) * S_j(X)>_h + noise + block_h * 2^123, modulo 2^128. */
static enum err glwe_fill(uint8_t *words, const struct fhe_sns_compression_params *p,
			  struct bytes key, const struct fhe_plaintext *value, size_t blocks,
			  struct rng *rng)
{
	CLEANUP(fhe_stream_free) struct aes_ctr *mask = NULL;
	CLEANUP(fhe_stream_free) struct aes_ctr *noise = NULL;
	size_t n = (size_t)p->polynomial_size;

	TRY(fhe_stream_new_random(&mask, rng));
	TRY(fhe_stream_new_random(&noise, rng));
	TRY(aes_ctr_fill(mask, words, 16 * key.n));
	for (size_t h = 0; h < blocks; h++) {
		struct bytes all = bytes_from(words, 16 * key.n);
		fhe_u128 body = (fhe_u128)value_block(value, h) << DELTA_LOG;
		int64_t e;

		TRY(fhe_tuniform_draw(noise, p->noise, &e));
		body += (fhe_u128)(uint64_t)e -
			((fhe_u128)((uint64_t)e >> 63) << 64); /* sign extended */
		for (size_t j = 0; j < key.n / n; j++)
			body += fhe_negacyclic_u128(bytes_sub(all, 16 * j * n, 16 * n).p,
						    bytes_sub(key, j * n, n).p, n, h);
		fhe_word_put_u128(words, key.n + h, body);
	}
	return ERR_OK;
}

/* Nothing above the type's bits, in variable time: the dealer of a local network knows its values
 * anyway. */
static bool value_fits_var(const struct fhe_type_row *type, const struct fhe_plaintext *v)
{
	if (type->size > sizeof(v->le) || v->n != type->size)
		return false;
	return type->bits % 8 == 0 || v->le[type->size - 1] >> (type->bits % 8) == 0;
}

enum err fhe_squashed_list_encrypt(const struct fhe_client_key *k, const struct fhe_type_row *type,
				   const struct fhe_plaintext *value, struct rng *rng,
				   struct buf *out)
{
	const struct fhe_sns_compression_params *p = &k->params.sns_compression;
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_SNS_COMPRESSION);
	struct fhe_item item = fhe_item_of(type);
	size_t blocks = (size_t)fhe_squashed_blocks(item);
	CLEANUP(buf_free) struct buf words = buf_make(16 * (key.n + blocks));
	struct fhe_packed_list list = {.glwe_n = 1,
				       .message_modulus = 4,
				       .carry_modulus = 4,
				       .lwe_per_glwe = p->lwe_per_glwe,
				       .items = fhe_items_of(&item, 1),
				       .tag = k->tag};
	uint8_t *place;

	if (key.n == 0)
		return ERR_UNSUPPORTED;
	if (!value_fits_var(type, value) || blocks > p->lwe_per_glwe)
		return ERR_RANGE;
	TRY(buf_add_space(&words, 16 * (key.n + blocks), &place));
	TRY(glwe_fill(place, p, key, value, blocks, rng));
	list.glwe[0] = (struct fhe_packed_glwe){.words = buf_view(&words),
						.log_modulus = 128,
						.initial_len = key.n + blocks,
						.glwe_dimension = p->glwe_dimension,
						.polynomial_size = p->polynomial_size,
						.bodies = blocks};
	return fhe_squashed_list_write(&list, out);
}
