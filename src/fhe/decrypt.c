/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/decrypt.h"

#include "fhe/client_key.h"
#include "fhe/negacyclic.h"
#include "fhe/squashed_list.h"

enum {
	PACKED_BITS =
		2 *
		FHE_MESSAGE_BITS, /* message and carry of a squashed block hold two 2-bit blocks */
	DELTA_LOG = 128 - 1 - PACKED_BITS, /* below the padding bit */
};

/*
 * Body h of a GLWE ciphertext: phase = body_h - sum_j <a_j(X) * S_j(X)>_h modulo 2^128, rounded to
 * the nearest multiple of 2^123; 4 bits are the message. Constant time in the key.
 */
static uint8_t block_decrypt(const struct fhe_squashed_glwe *g, struct bytes key, size_t h)
{
	size_t n = (size_t)g->polynomial_size;
	size_t k = (size_t)g->glwe_dimension;
	fhe_u128 phase = fhe_word_u128(g->words.p, k * n + h);

	for (size_t j = 0; j < k; j++)
		phase -= fhe_negacyclic_u128(bytes_sub(g->words, 16 * j * n, 16 * n).p,
					     bytes_sub(key, j * n, n).p, n, h);
	phase += (fhe_u128)1 << (DELTA_LOG - 1);
	return (uint8_t)(phase >> DELTA_LOG) & ((1 << PACKED_BITS) - 1);
}

/* The first value of the list; blocks in order, least significant first. */
static void value_decrypt(const struct fhe_squashed_list *list, struct bytes key, size_t blocks,
			  struct fhe_plaintext *value)
{
	size_t per_glwe = (size_t)list->lwe_per_glwe;

	for (size_t i = 0; i < blocks; i++) {
		uint8_t m = block_decrypt(&list->glwe[i / per_glwe], key, i % per_glwe);

		value->le[i / 2] |= (uint8_t)(m << (PACKED_BITS * (i % 2)));
	}
}

static enum err big_compressed_decrypt(const struct fhe_client_key *k,
				       struct fhe_plaintext *ret_value,
				       const struct fhe_type_row *type, struct bytes ciphertext,
				       struct err_note *note)
{
	struct fhe_plaintext value = {.n = type->size};
	struct fhe_squashed_list list;
	struct fhe_items items;
	struct fhe_item item, want = fhe_item_of(type);

	TRY(fhe_squashed_list_read(&list, &k->params, ciphertext, note));
	items = list.items;
	CHECK(fhe_items_next(&items, &item));
	if (item.kind != want.kind || item.blocks != want.blocks)
		return err_say(note, ERR_MISMATCH,
			       "the ciphertext does not hold a %s (kind %u, %llu blocks)",
			       type->name, item.kind, (unsigned long long)item.blocks);
	value_decrypt(&list, fhe_client_key_bits(k, FHE_KEY_SNS_COMPRESSION),
		      (size_t)fhe_squashed_blocks(item), &value);
	if (type->type == FHE_BOOL) /* any nonzero message is true */
		value.le[0] = (uint8_t)((0u - value.le[0]) >> 31);
	*ret_value = value;
	secret_wipe(&value, sizeof(value));
	return ERR_OK;
}

enum err fhe_decrypt(const struct fhe_client_key *k, struct fhe_plaintext *ret_value,
		     enum fhe_type type, enum fhe_format format, struct bytes ciphertext,
		     struct err_note *note)
{
	const struct fhe_type_row *row = fhe_type_find(type);

	if (!row || row->size > sizeof(ret_value->le))
		return err_say(note, ERR_UNSUPPORTED, "type %d has no decryption", (int)type);
	if (format != FHE_BIG_COMPRESSED)
		return err_say(note, ERR_UNSUPPORTED,
			       "ciphertext format %d: this build reads BigCompressed (2) only",
			       (int)format);
	return big_compressed_decrypt(k, ret_value, row, ciphertext, note);
}
