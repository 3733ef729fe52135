/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/expanded.h"

#include "base/limits.h"
#include "codec/safe_serialize.h"

/* ---- layouts: tfhe-rs 1.6/1.7 ---- */

enum {
	WORDS_MAX = 1 << 17,
	DEGREE_MAX = 15,  /* message and carry */
	DEGREE_FRESH = 3, /* message */
};

/* The Boolean object, then the integer. */
static const char *const small_names[] = {"high_level_api::FheBool", "high_level_api::FheUint",
					  NULL};
static const char *const big_names[] = {"high_level_api::SquashedNoiseFheBool",
					"high_level_api::SquashedNoiseFheUint", NULL};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}
#define B(f) .name = #f, .offset = offsetof(struct fhe_block, f)

static const struct layout_row block_64_rows[] = {
	VERSION("Ciphertext version", 1),
	VERSION("LweCiphertext version", 0),
	{.kind = LAYOUT_WORDS, B(words), .min = 2, .max = WORDS_MAX, .width = 8},
	{.kind = LAYOUT_MODULUS, .name = "ciphertext_modulus", .max = 64},
	{.kind = LAYOUT_COUNT, B(degree), .max = DEGREE_MAX},
	{.kind = LAYOUT_COUNT, B(noise_level), .max = UINT64_MAX},
	{.kind = LAYOUT_COUNT, B(message_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_COUNT, B(carry_modulus), .min = 4, .max = 4},
	VERSION("AtomicPatternKind version", 0),
	VERSION("AtomicPatternKind variant (Standard)", 0),
	VERSION("PBSOrder version", 0),
	VERSION("PBSOrder variant (KeyswitchBootstrap)", 0),
};
const struct layout fhe_block_64_layout = LAYOUT_OF("Ciphertext", block_64_rows);

static const struct layout_row block_128_rows[] = {
	VERSION("SquashedNoiseCiphertext version", 0),
	VERSION("LweCiphertext version", 0),
	{.kind = LAYOUT_WORDS, B(words), .min = 2, .max = WORDS_MAX, .width = 16},
	{.kind = LAYOUT_MODULUS, .name = "ciphertext_modulus", .max = 128},
	{.kind = LAYOUT_COUNT, B(degree), .max = DEGREE_MAX},
	{.kind = LAYOUT_COUNT, B(message_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_COUNT, B(carry_modulus), .min = 4, .max = 4},
};
const struct layout fhe_block_128_layout = LAYOUT_OF("SquashedNoiseCiphertext", block_128_rows);

/* ---- reading ---- */

/* Steps over n blocks and checks their form. Latches. */
static struct fhe_blocks blocks_read(struct reader *r, const struct layout *layout, uint64_t n,
				     struct err_note *note)
{
	struct bytes start = r->in;

	for (uint64_t i = 0; i < n && r->err == ERR_OK; i++) {
		struct fhe_block block;

		layout_read(r, layout, &block, note);
	}
	if (r->err != ERR_OK)
		return (struct fhe_blocks){0};
	return (struct fhe_blocks){
		.n = n, .encoded = bytes_sub(start, 0, start.n - r->in.n), .layout = layout};
}

bool fhe_blocks_next(struct fhe_blocks *blocks, struct fhe_block *ret_block)
{
	struct reader r = reader_of(blocks->encoded);

	if (blocks->n == 0)
		return false;
	layout_read(&r, blocks->layout, ret_block, NULL);
	CHECK(r.err == ERR_OK);
	blocks->encoded = r.in;
	blocks->n--;
	return true;
}

static struct bytes tag_read(struct reader *r)
{
	bincode_expect_u32(r, 0);
	return bincode_vec(r, FHE_TAG_SIZE_MAX);
}

/* What stands before the blocks: the object's version, two versions of what is inside, and for
 * integers the number of LWE ciphertexts. */
static uint64_t head_read(struct reader *r, uint32_t *ret_version, uint32_t version_max,
			  bool boolean)
{
	*ret_version = bincode_tag(r, version_max);
	bincode_expect_u32(r, 0);
	bincode_expect_u32(r, 0);
	return boolean ? 1 : bincode_len(r, RADIX_BLOCKS_MAX);
}

/* FheUint and FheBool: version 1 has no re-randomisation metadata, version 0 no tag either. */
static void small_read_body(struct reader *r, struct fhe_expanded *v, struct err_note *note)
{
	uint32_t version;

	v->radix_blocks = head_read(r, &version, 2, v->boolean);
	v->blocks = blocks_read(r, &fhe_block_64_layout, v->radix_blocks, note);
	if (version >= 1)
		v->tag = tag_read(r);
	if (version >= 2) {
		bincode_expect_u32(r, 0);
		(void)bincode_vec(r, FHE_METADATA_SIZE_MAX);
	}
	v->key = FHE_KEY_GLWE;
}

/* SquashedNoiseFheUint and SquashedNoiseFheBool: version 0 has no state. */
static void big_read_body(struct reader *r, struct fhe_expanded *v, struct err_note *note)
{
	enum {
		NORMAL = 0,
		POST_DECOMPRESSION = 1
	};
	uint32_t version, state = NORMAL;
	uint64_t n = head_read(r, &version, 1, v->boolean);

	v->blocks = blocks_read(r, &fhe_block_128_layout, n, note);
	v->radix_blocks = v->boolean ? 1 : bincode_len(r, RADIX_BLOCKS_MAX);
	if (version >= 1) {
		bincode_expect_u32(r, 0);
		state = bincode_tag(r, POST_DECOMPRESSION);
	}
	v->key = state == NORMAL ? FHE_KEY_SNS : FHE_KEY_SNS_COMPRESSION;
	v->tag = tag_read(r);
	if (r->err == ERR_OK && !v->boolean && n != (v->radix_blocks + 1) / 2)
		reader_fail(r, err_say(note, ERR_MALFORMED,
				       "%llu packed blocks for a value of %llu blocks",
				       (unsigned long long)n, (unsigned long long)v->radix_blocks));
}

static enum err value_check(const struct fhe_expanded *v, const struct fhe_params *p,
			    unsigned width, struct err_note *note)
{
	size_t bits = fhe_params_key_bits(p, v->key);
	struct fhe_blocks blocks = v->blocks;
	struct fhe_block block;

	if (bits == 0)
		return err_say(note, ERR_UNSUPPORTED,
			       "the key has no part that this ciphertext is under");
	if (blocks.n == 0)
		return err_say(note, ERR_MALFORMED, "a ciphertext without blocks");
	while (fhe_blocks_next(&blocks, &block))
		if (block.words.n != (bits + 1) * width)
			return err_say(note, ERR_MISMATCH,
				       "ciphertext of dimension %zu, the key has %zu",
				       block.words.n / width - 1, bits);
	return ERR_OK;
}

typedef void read_body(struct reader *r, struct fhe_expanded *v, struct err_note *note);

static enum err value_read(struct fhe_expanded *ret_value, const struct fhe_params *p,
			   const char *const *names, read_body *body, unsigned width,
			   struct bytes serialized, struct err_note *note)
{
	struct reader r = reader_of(serialized);
	struct fhe_expanded v = {0};
	size_t index;

	if (serialized.n > CIPHERTEXT_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "ciphertext of %zu bytes", serialized.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	v.boolean = index == 0;
	body(&r, &v, note);
	TRY(layout_end(&r, names[index], note));
	TRY(value_check(&v, p, width, note));
	*ret_value = v;
	return ERR_OK;
}

enum err fhe_small_expanded_read(struct fhe_expanded *ret_value, const struct fhe_params *p,
				 struct bytes serialized, struct err_note *note)
{
	return value_read(ret_value, p, small_names, small_read_body, 8, serialized, note);
}

enum err fhe_big_expanded_read(struct fhe_expanded *ret_value, const struct fhe_params *p,
			       struct bytes serialized, struct err_note *note)
{
	return value_read(ret_value, p, big_names, big_read_body, 16, serialized, note);
}

/* ---- writing ---- */

static struct fhe_block block_of(const struct fhe_blocks_words *v, size_t i, uint64_t degree)
{
	return (struct fhe_block){
		.words = bytes_sub(v->words, i * v->block_size, v->block_size),
		.degree = degree,
		.noise_level = 1,
		.message_modulus = 1 << FHE_MESSAGE_BITS,
		.carry_modulus = 1 << FHE_MESSAGE_BITS,
	};
}

/* The newest version of an object, and its blocks. */
static void blocks_write(struct bincode_writer *w, const struct fhe_blocks_words *v,
			 const char *const names[2], uint32_t version, const struct layout *layout,
			 uint64_t degree)
{
	bool boolean = v->item.kind == FHE_ITEM_BOOLEAN;
	size_t n = v->words.n / v->block_size;

	safe_serialize_begin(w, names[boolean ? 0 : 1]);
	bincode_put_u32(w, version);
	bincode_put_u32(w, 0);
	bincode_put_u32(w, 0);
	if (!boolean)
		bincode_put_u64(w, n);
	for (size_t i = 0; i < n; i++) {
		struct fhe_block block = block_of(v, i, boolean ? 1 : degree);

		layout_write(w, layout, &block);
	}
}

static void tag_write(struct bincode_writer *w, struct bytes tag)
{
	bincode_put_u32(w, 0);
	bincode_put_vec(w, tag);
}

enum err fhe_small_expanded_write(const struct fhe_blocks_words *v, struct bytes tag,
				  struct buf *out)
{
	struct bincode_writer w = {.out = out};

	blocks_write(&w, v, small_names, 2, &fhe_block_64_layout, DEGREE_FRESH);
	tag_write(&w, tag);
	bincode_put_u32(&w, 0); /* no metadata */
	bincode_put_vec(&w, BYTES_NONE);
	return bincode_end(&w);
}

enum err fhe_big_expanded_write(const struct fhe_blocks_words *v, struct bytes tag, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	blocks_write(&w, v, big_names, 1, &fhe_block_128_layout, DEGREE_MAX);
	if (v->item.kind != FHE_ITEM_BOOLEAN)
		bincode_put_u64(&w, v->item.blocks);
	bincode_put_u32(&w, 0);
	bincode_put_u32(&w, 0); /* Normal: not out of a list */
	tag_write(&w, tag);
	return bincode_end(&w);
}
