/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/dealer/dealer.h"
#include "fhe/negacyclic.h"

enum {
	DELTA_LOG = 64 - 1 - 2 * FHE_MESSAGE_BITS,
};

/*
 * Entry i: entries come in bins of `dimension` that share one mask, rotated (negacyclically) by the
 * entry's place in its bin. Four bits of message, or two in an unpacked list.
 */
static uint8_t entry_decrypt(const struct fhe_compact_list *l, struct bytes key, uint64_t i)
{
	size_t n = key.n;
	size_t bins = ((size_t)l->count + n - 1) / n;
	struct bytes mask = bytes_sub(l->words, 8 * n * ((size_t)i / n), 8 * n);
	uint64_t phase = fhe_word_u64(l->words.p, bins * n + (size_t)i);

	phase -= fhe_rotated_dot_u64(mask.p, key.p, n, (size_t)i % n);
	return (uint8_t)((phase + ((uint64_t)1 << (DELTA_LOG - 1))) >> DELTA_LOG) &
	       (uint8_t)l->degree;
}

/* The 2-bit block at place `at` of the whole list: pairs share an entry, across the borders of
 * items. */
static uint8_t list_block(const struct fhe_compact_list *l, struct bytes key, uint64_t at)
{
	if (!fhe_compact_list_packed(l))
		return entry_decrypt(l, key, at);
	return entry_decrypt(l, key, at / 2) >> (FHE_MESSAGE_BITS * (at % 2)) & 3;
}

enum err fhe_compact_list_decrypt_item(const struct fhe_client_key *k,
				       const struct fhe_compact_list *list, size_t index,
				       struct fhe_item *ret_item, struct fhe_plaintext *ret_value,
				       struct err_note *note)
{
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_PKE);
	struct fhe_item item;
	uint64_t start;
	size_t size;

	if (key.n != list->lwe_size - 1)
		return err_say(note, ERR_MISMATCH, "list of dimension %llu, the key has %zu",
			       (unsigned long long)(list->lwe_size - 1), key.n);
	TRY(fhe_compact_list_item(list, index, &item, &start, note));
	size = (size_t)(item.blocks + 3) / 4;
	if (size > sizeof(ret_value->le))
		return err_say(note, ERR_UNSUPPORTED, "item %zu: kind %u with %llu blocks", index,
			       item.kind, (unsigned long long)item.blocks);
	*ret_value = (struct fhe_plaintext){.n = size};
	for (uint64_t b = 0; b < item.blocks; b++)
		ret_value->le[b / 4] |=
			(uint8_t)(list_block(list, key, start + b) << (2 * (b % 4)));
	*ret_item = item;
	return ERR_OK;
}

enum err fhe_compact_list_decrypt(const struct fhe_client_key *k,
				  const struct fhe_compact_list *list, size_t index,
				  const struct fhe_type_row **ret_type,
				  struct fhe_plaintext *ret_value, struct err_note *note)
{
	const struct fhe_type_row *type;
	struct fhe_item item;
	uint64_t start;

	TRY(fhe_compact_list_item(list, index, &item, &start, note));
	type = fhe_item_type(item);
	if (!type)
		return err_say(note, ERR_UNSUPPORTED, "item %zu: kind %u with %llu blocks", index,
			       item.kind, (unsigned long long)item.blocks);
	TRY(fhe_compact_list_decrypt_item(k, list, index, &item, ret_value, note));
	*ret_type = type;
	return ERR_OK;
}
