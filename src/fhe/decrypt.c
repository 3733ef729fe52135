/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/decrypt.h"

#include "fhe/client_key.h"
#include "fhe/compressed_list.h"
#include "fhe/expanded.h"
#include "fhe/negacyclic.h"
#include "fhe/squashed_list.h"

/*
 * The message is the top of the phase, under one bit of padding: 4 bits (message and carry, or two
 * packed blocks) of an expanded or squashed block, 2 bits of a block in a compressed list. Below it
 * is noise, rounded away.
 */
enum {
	PADDING_BITS = 1,
	PACKED_BITS = 2 * FHE_MESSAGE_BITS,
	PACKED_MASK = (1 << PACKED_BITS) - 1,
	MESSAGE_MASK = (1 << FHE_MESSAGE_BITS) - 1,
	DELTA_128_LOG = 128 - PADDING_BITS - PACKED_BITS,
	DELTA_64_LOG = 64 - PADDING_BITS - PACKED_BITS,
};

static uint8_t round_128(fhe_u128 phase)
{
	phase += (fhe_u128)1 << (DELTA_128_LOG - 1);
	return (uint8_t)(phase >> DELTA_128_LOG) & PACKED_MASK;
}

static uint8_t round_64(uint64_t phase)
{
	phase += (uint64_t)1 << (DELTA_64_LOG - 1);
	return (uint8_t)(phase >> DELTA_64_LOG) & PACKED_MASK;
}

/* ---- values from blocks ---- */

/* Block i of a value of 4-bit blocks. */
static void value_put_packed(struct fhe_plaintext *v, size_t i, uint8_t m)
{
	v->le[i / 2] |= (uint8_t)(m << (PACKED_BITS * (i % 2)));
}

/* Block i of a value of 2-bit blocks. */
static void value_put_message(struct fhe_plaintext *v, size_t i, uint8_t m)
{
	v->le[i / 4] |= (uint8_t)(m << (FHE_MESSAGE_BITS * (i % 4)));
}

/* Any nonzero message is true. */
static void value_to_bool(struct fhe_plaintext *v)
{
	v->le[0] = (uint8_t)((0u - v->le[0]) >> 31);
}

/* Does a ciphertext hold what the request says? */
static enum err type_check(const struct fhe_type_row *type, struct fhe_item item,
			   struct err_note *note)
{
	struct fhe_item want = fhe_item_of(type);

	if (item.kind != want.kind || item.blocks != want.blocks)
		return err_say(note, ERR_MISMATCH,
			       "the ciphertext does not hold a %s (kind %u, %llu blocks)",
			       type->name, item.kind, (unsigned long long)item.blocks);
	return ERR_OK;
}

/* ---- lists: one GLWE for many blocks ---- */

/* Body h of a GLWE ciphertext: phase = body_h - sum_j <a_j(X) * S_j(X)>_h modulo 2^128. */
static uint8_t squashed_block(const struct fhe_packed_glwe *g, struct bytes key, size_t h)
{
	size_t n = (size_t)g->polynomial_size;
	size_t k = (size_t)g->glwe_dimension;
	fhe_u128 phase = fhe_word_u128(g->words.p, k * n + h);

	for (size_t j = 0; j < k; j++)
		phase -= fhe_negacyclic_u128(bytes_sub(g->words, 16 * j * n, 16 * n).p,
					     bytes_sub(key, j * n, n).p, n, h);
	return round_128(phase);
}

static enum err big_compressed(const struct fhe_client_key *k, struct fhe_plaintext *value,
			       const struct fhe_type_row *type, struct bytes ciphertext,
			       struct err_note *note)
{
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_SNS_COMPRESSION);
	struct fhe_packed_list list;
	struct fhe_items items;
	struct fhe_item item;

	TRY(fhe_squashed_list_read(&list, &k->params, ciphertext, note));
	items = list.items;
	CHECK(fhe_items_next(&items, &item));
	TRY(type_check(type, item, note));
	for (size_t i = 0; i < fhe_squashed_blocks(item); i++) {
		size_t per_glwe = (size_t)list.lwe_per_glwe;

		value_put_packed(value, i,
				 squashed_block(&list.glwe[i / per_glwe], key, i % per_glwe));
	}
	return ERR_OK;
}

/* The same modulo 2^log_modulus: whatever is above is cut off by the mask of the message. */
static uint8_t compressed_block(const struct fhe_packed_glwe *g, struct bytes key, size_t h)
{
	size_t n = (size_t)g->polynomial_size;
	size_t k = (size_t)g->glwe_dimension;
	unsigned delta_log = (unsigned)g->log_modulus - PADDING_BITS - FHE_MESSAGE_BITS;
	uint64_t phase = fhe_packed_coefficient(g, k * n + h);

	for (size_t j = 0; j < k; j++) {
		for (size_t t = 0; t <= h; t++)
			phase -= fhe_packed_coefficient(g, j * n + h - t) &
				 (0 - (uint64_t)key.p[j * n + t]);
		for (size_t t = h + 1; t < n; t++)
			phase += fhe_packed_coefficient(g, j * n + n + h - t) &
				 (0 - (uint64_t)key.p[j * n + t]);
	}
	phase += (uint64_t)1 << (delta_log - 1);
	return (uint8_t)(phase >> delta_log) & MESSAGE_MASK;
}

static enum err small_compressed(const struct fhe_client_key *k, struct fhe_plaintext *value,
				 const struct fhe_type_row *type, struct bytes ciphertext,
				 struct err_note *note)
{
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_COMPRESSION);
	struct fhe_packed_list list;
	struct fhe_items items;
	struct fhe_item item;

	TRY(fhe_compressed_list_read(&list, &k->params, ciphertext, note));
	items = list.items;
	CHECK(fhe_items_next(&items, &item));
	TRY(type_check(type, item, note));
	for (size_t i = 0; i < item.blocks; i++) {
		size_t per_glwe = (size_t)list.lwe_per_glwe;

		value_put_message(value, i,
				  compressed_block(&list.glwe[i / per_glwe], key, i % per_glwe));
	}
	return ERR_OK;
}

/* ---- expanded: one LWE for each block ---- */

static struct fhe_item expanded_item(const struct fhe_expanded *v)
{
	return (struct fhe_item){.kind = v->kind, .blocks = v->radix_blocks};
}

static enum err big_expanded(const struct fhe_client_key *k, struct fhe_plaintext *value,
			     const struct fhe_type_row *type, struct bytes ciphertext,
			     struct err_note *note)
{
	struct fhe_expanded v;
	struct fhe_block block;

	TRY(fhe_big_expanded_read(&v, &k->params, ciphertext, note));
	TRY(type_check(type, expanded_item(&v), note));

	struct bytes key = fhe_client_key_bits(k, v.key);

	for (size_t i = 0; fhe_blocks_next(&v.blocks, &block); i++)
		value_put_packed(value, i,
				 round_128(fhe_word_u128(block.words.p, key.n) -
					   fhe_dot_u128(block.words.p, key.p, key.n)));
	return ERR_OK;
}

/* Carries that were not propagated count, as they do for tfhe-rs; a Boolean has a message only. */
static enum err small_expanded(const struct fhe_client_key *k, struct fhe_plaintext *value,
			       const struct fhe_type_row *type, struct bytes ciphertext,
			       struct err_note *note)
{
	struct fhe_expanded v;
	struct fhe_block block;
	uint8_t sum = 0; /* of a block and what came over from those below it: at most 19 */

	TRY(fhe_small_expanded_read(&v, &k->params, ciphertext, note));
	TRY(type_check(type, expanded_item(&v), note));

	struct bytes key = fhe_client_key_bits(k, v.key);

	for (size_t i = 0; fhe_blocks_next(&v.blocks, &block); i++) {
		uint64_t phase = fhe_word_u64(block.words.p, key.n) -
				 fhe_rotated_dot_u64(block.words.p, key.p, key.n, 0);

		sum = (uint8_t)((sum >> FHE_MESSAGE_BITS) + round_64(phase));
		value_put_message(value, i, sum & MESSAGE_MASK);
	}
	secret_wipe(&sum, sizeof(sum));
	return ERR_OK;
}

/* ---- the choice ---- */

typedef enum err decrypt_fn(const struct fhe_client_key *k, struct fhe_plaintext *value,
			    const struct fhe_type_row *type, struct bytes ciphertext,
			    struct err_note *note);

static decrypt_fn *const formats[] = {
	[FHE_SMALL_COMPRESSED] = small_compressed,
	[FHE_SMALL_EXPANDED] = small_expanded,
	[FHE_BIG_COMPRESSED] = big_compressed,
	[FHE_BIG_EXPANDED] = big_expanded,
};

enum err fhe_decrypt(const struct fhe_client_key *k, struct fhe_plaintext *ret_value,
		     enum fhe_type type, enum fhe_format format, struct bytes ciphertext,
		     struct err_note *note)
{
	const struct fhe_type_row *row = fhe_type_find(type);
	struct fhe_plaintext value = {0};

	if (!row || row->size > sizeof(value.le))
		return err_say(note, ERR_UNSUPPORTED, "type %d has no decryption", (int)type);
	if ((unsigned)format >= ARRAY_LEN(formats))
		return err_say(note, ERR_UNSUPPORTED, "unknown ciphertext format %d", (int)format);
	TRY(formats[format](k, &value, row, ciphertext, note));
	if (row->type == FHE_BOOL)
		value_to_bool(&value);
	value.n = row->size;
	*ret_value = value;
	secret_wipe(&value, sizeof(value));
	return ERR_OK;
}
