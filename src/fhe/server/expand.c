/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Values out of users' lists. */
#include <stdlib.h>

#include "fhe/expanded.h"
#include "fhe/server/server_key_internal.h"
#include "fhe/team.h"

enum {
	MESSAGE_MODULUS = 1 << FHE_MESSAGE_BITS,
	WORD = 8,
};

/* Two blocks share an entry of a packed list; a Boolean is whatever is not zero. */
enum table {
	TABLE_LOW,
	TABLE_HIGH,
	TABLE_LOW_BOOLEAN,
	TABLE_HIGH_BOOLEAN,
	TABLES,
};

struct expansion {
	const struct fhe_server_key *k;
	const struct fhe_compact_list *list;
	struct fhe_item item;
	uint64_t start; /* the item's first block in the list */
	uint32_t *exponents;
	fhe_u128 *lwes;
	struct fhe_rotation *rotations;
	struct fhe_lut tables[TABLES];
};

static void expansion_free(struct expansion *x)
{
	free(x->exponents);
	free(x->lwes);
	free(x->rotations);
}

static void tables_fill(struct fhe_lut tables[TABLES])
{
	for (unsigned m = 0; m < FHE_LUT_SIZE; m++) {
		unsigned low = m % MESSAGE_MODULUS, high = m / MESSAGE_MODULUS;

		tables[TABLE_LOW].values[m] = (fhe_u128)low << FHE_DELTA_LOG;
		tables[TABLE_HIGH].values[m] = (fhe_u128)high << FHE_DELTA_LOG;
		tables[TABLE_LOW_BOOLEAN].values[m] = (fhe_u128)(low != 0) << FHE_DELTA_LOG;
		tables[TABLE_HIGH_BOOLEAN].values[m] = (fhe_u128)(high != 0) << FHE_DELTA_LOG;
	}
}

static enum table table_of(const struct expansion *x, uint64_t block)
{
	bool high = fhe_compact_list_packed(x->list) && block % 2 == 1;

	if (x->item.kind == FHE_ITEM_BOOLEAN)
		return high ? TABLE_HIGH_BOOLEAN : TABLE_LOW_BOOLEAN;
	return high ? TABLE_HIGH : TABLE_LOW;
}

/* The entry that block i of the item is in, to the small key, rounded. */
static enum err block_switch(void *context, unsigned thread, size_t i)
{
	const struct expansion *x = context;
	const struct fhe_key_switch *ks = &x->k->pke_key_switch;
	uint64_t block = x->start + i;
	uint64_t *lwe = calloc(ks->input + 1 + ks->output + 1, sizeof(*lwe));
	uint64_t *small;

	(void)thread;
	if (!lwe)
		return ERR_NOMEM;
	small = &lwe[ks->input + 1];
	fhe_compact_list_entry(x->list, fhe_compact_list_packed(x->list) ? block / 2 : block, lwe);
	fhe_key_switch_run(ks, lwe, small);
	fhe_rounding_run(&x->k->rounding, small, fhe_bootstrap_log2(x->k->bootstrap),
			 &x->exponents[i * (ks->output + 1)]);
	free(lwe);
	return ERR_OK;
}

static enum err blocks_expand(struct expansion *x, unsigned threads)
{
	size_t n = (size_t)x->item.blocks, dimension = fhe_bootstrap_output(x->k->bootstrap);
	size_t small = x->k->pke_key_switch.output + 1;

	x->exponents = calloc(n * small, sizeof(*x->exponents));
	x->lwes = calloc(n * (dimension + 1), sizeof(*x->lwes));
	x->rotations = calloc(n, sizeof(*x->rotations));
	if (!x->exponents || !x->lwes || !x->rotations)
		return ERR_NOMEM;
	TRY(fhe_team_run(threads, n, block_switch, x));
	for (size_t i = 0; i < n; i++)
		x->rotations[i] = (struct fhe_rotation){
			.exponents = &x->exponents[i * small],
			.lut = &x->tables[table_of(x, x->start + i)],
			.ret_lwe = &x->lwes[i * (dimension + 1)],
		};
	return fhe_bootstrap_run(x->k->bootstrap, x->rotations, n, threads);
}

static enum err value_write(const struct expansion *x, struct buf *out)
{
	size_t words_n = fhe_bootstrap_output(x->k->bootstrap) + 1, n = (size_t)x->item.blocks;
	CLEANUP(buf_free) struct buf words = buf_make(n * words_n * WORD);
	uint8_t *place;

	TRY(buf_add_space(&words, n * words_n * WORD, &place));
	for (size_t i = 0; i < n * words_n; i++)
		fhe_word_put_u64(place, i, (uint64_t)(x->lwes[i] >> 64));
	return fhe_small_expanded_write(
		&(struct fhe_blocks_words){x->item, buf_view(&words), words_n * WORD},
		x->k->set.tag, out);
}

enum err fhe_server_expand(const struct fhe_server_key *k, const struct fhe_compact_list *list,
			   size_t index, unsigned threads, struct buf *out, struct err_note *note)
{
	CLEANUP(expansion_free) struct expansion x = {.k = k, .list = list};

	if (!k->bootstrap)
		return err_say(note, ERR_UNSUPPORTED, "the key was not loaded for expansion");
	if (list->lwe_size - 1 != k->pke_key_switch.input)
		return err_say(note, ERR_MISMATCH, "list of dimension %llu, the key has %zu",
			       (unsigned long long)(list->lwe_size - 1), k->pke_key_switch.input);
	TRY(fhe_compact_list_item(list, index, &x.item, &x.start, note));
	if (x.item.kind == FHE_ITEM_SIGNED)
		return err_say(note, ERR_UNSUPPORTED, "item %zu: a signed integer", index);
	tables_fill(x.tables);
	TRY(blocks_expand(&x, threads));
	return value_write(&x, out);
}
