/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/threshold_key_internal.h"
#include "fhe/expanded.h"
#include "fhe/squashed_list.h"

/* The blocks of one ciphertext, and the key that they are under. Views of the ciphertext. */
struct blocks {
	struct mpc_block v[MPC_BLOCKS_MAX];
	size_t n;
	enum fhe_key_id key;
};

/* ---- types ---- */

static const struct fhe_type_row *row_find(enum fhe_type type)
{
	const struct fhe_type_row *row = fhe_type_find(type);

	return row && row->size <= sizeof(((struct fhe_plaintext *)0)->le) ? row : NULL;
}

size_t threshold_blocks(enum fhe_type type)
{
	const struct fhe_type_row *row = row_find(type);

	return row ? fhe_squashed_blocks(fhe_item_of(row)) : 0;
}

unsigned threshold_packing_factor(enum fhe_type type)
{
	return type == FHE_BOOL ? 1 : FHE_SQUASHED_BLOCKS_PER_BODY;
}

/* Does a ciphertext hold what the request says? */
static enum err type_check(const struct fhe_type_row *row, struct fhe_item item,
			   struct err_note *note)
{
	struct fhe_item want = fhe_item_of(row);

	if (item.kind == want.kind && item.blocks == want.blocks)
		return ERR_OK;
	return err_say(note, ERR_MISMATCH,
		       "the ciphertext does not hold a %s (kind %u, %llu blocks)", row->name,
		       item.kind, (unsigned long long)item.blocks);
}

/* ---- blocks ---- */

/*
 * Coefficient h of the body of a GLWE ciphertext. Of a product a(X) * S(X) modulo X^N + 1 it is the
 * sum of a[h - i] * S[i] for i <= h, and of -a[N + h - i] * S[i] beyond.
 */
static struct mpc_block packed_block(const struct fhe_packed_glwe *g, size_t h)
{
	size_t n = (size_t)g->polynomial_size;
	size_t k = (size_t)g->glwe_dimension;
	struct mpc_block b = {.body = bytes_sub(g->words, 16 * (k * n + h), 16).p};

	for (size_t j = 0; j < k; j++) {
		struct bytes a = bytes_sub(g->words, 16 * j * n, 16 * n);

		b.runs[b.runs_n++] =
			(struct mpc_mask_run){.words = a.p, .n = h + 1, .backwards = true};
		if (h + 1 < n)
			b.runs[b.runs_n++] = (struct mpc_mask_run){
				.words = bytes_sub(a, 16 * (h + 1), 16 * (n - h - 1)).p,
				.n = n - h - 1,
				.backwards = true,
				.negated = true,
			};
	}
	return b;
}

static enum err big_compressed(struct blocks *blocks, const struct fhe_params *p,
			       const struct fhe_type_row *row, struct bytes ciphertext,
			       struct err_note *note)
{
	struct fhe_packed_list list;
	struct fhe_items items;
	struct fhe_item item;
	size_t per_glwe;

	TRY(fhe_squashed_list_read(&list, p, ciphertext, note));
	items = list.items;
	CHECK(fhe_items_next(&items, &item));
	TRY(type_check(row, item, note));
	per_glwe = (size_t)list.lwe_per_glwe;
	blocks->key = FHE_KEY_SNS_COMPRESSION;
	blocks->n = (size_t)fhe_squashed_blocks(item);
	CHECK(blocks->n <= ARRAY_LEN(blocks->v));
	for (size_t i = 0; i < blocks->n; i++)
		blocks->v[i] = packed_block(&list.glwe[i / per_glwe], i % per_glwe);
	return ERR_OK;
}

static enum err big_expanded(struct blocks *blocks, const struct fhe_params *p,
			     const struct fhe_type_row *row, struct bytes ciphertext,
			     struct err_note *note)
{
	struct fhe_expanded v;
	struct fhe_block block;

	TRY(fhe_big_expanded_read(&v, p, ciphertext, note));
	TRY(type_check(row, (struct fhe_item){.kind = v.kind, .blocks = v.radix_blocks}, note));
	blocks->key = v.key;
	blocks->n = 0;
	while (fhe_blocks_next(&v.blocks, &block)) {
		size_t mask_n = block.words.n / 16 - 1;

		CHECK(blocks->n < ARRAY_LEN(blocks->v));
		blocks->v[blocks->n++] = (struct mpc_block){
			.runs = {{.words = block.words.p, .n = mask_n}},
			.runs_n = 1,
			.body = bytes_sub(block.words, 16 * mask_n, 16).p,
		};
	}
	return ERR_OK;
}

static enum err not_squashed(struct blocks *blocks, const struct fhe_params *p,
			     const struct fhe_type_row *row, struct bytes ciphertext,
			     struct err_note *note)
{
	(void)blocks;
	(void)p;
	(void)row;
	(void)ciphertext;
	return err_say(note, ERR_UNSUPPORTED,
		       "a committee decrypts squashed ciphertexts only (formats 2 and 3)");
}

/* ---- shares ---- */

typedef enum err blocks_fn(struct blocks *blocks, const struct fhe_params *p,
			   const struct fhe_type_row *row, struct bytes ciphertext,
			   struct err_note *note);

static blocks_fn *const formats[] = {
	[FHE_SMALL_COMPRESSED] = not_squashed,
	[FHE_SMALL_EXPANDED] = not_squashed,
	[FHE_BIG_COMPRESSED] = big_compressed,
	[FHE_BIG_EXPANDED] = big_expanded,
};

enum err threshold_key_shares(struct gr *ret_shares, size_t *ret_n, const struct threshold_key *k,
			      struct prss_session *session, enum fhe_type type,
			      enum fhe_format format, struct bytes ciphertext,
			      struct err_note *note)
{
	const struct fhe_type_row *row = row_find(type);
	struct blocks blocks;

	if (!row)
		return err_say(note, ERR_UNSUPPORTED, "type %d has no decryption", (int)type);
	if ((unsigned)format >= ARRAY_LEN(formats))
		return err_say(note, ERR_UNSUPPORTED, "unknown ciphertext format %d", (int)format);
	TRY(formats[format](&blocks, &k->params, row, ciphertext, note));
	TRY(mpc_decryption_share(ret_shares, k->keys[blocks.key], session, blocks.v, blocks.n));
	*ret_n = blocks.n;
	return ERR_OK;
}

/* ---- the value ---- */

enum err threshold_value(struct fhe_plaintext *ret_value, enum fhe_type type,
			 const struct gr *opened, size_t n)
{
	const struct fhe_type_row *row = row_find(type);
	struct fhe_plaintext value = {0};
	u128 rest = 0;

	if (!row || n != threshold_blocks(type))
		return ERR_MISMATCH;
	for (size_t i = 0; i < n; i++) {
		rest |= opened[i].c[1] | opened[i].c[2] | opened[i].c[3];
		value.le[i / 2] |= (uint8_t)(mpc_decryption_round(opened[i].c[0]) << 4 * (i % 2));
	}
	if (row->type == FHE_BOOL) /* any message but 0 */
		value.le[0] = (uint8_t)((0u - value.le[0]) >> 31);
	value.n = row->size;
	if (rest == 0)
		*ret_value = value;
	secret_wipe(&value, sizeof(value));
	return rest == 0 ? ERR_OK : ERR_CORRUPT;
}
