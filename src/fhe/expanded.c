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

enum {
	STATE_NORMAL = 0,
	STATE_POST_DECOMPRESSION = 1,
};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}
#define B(f) .name = #f, .offset = offsetof(struct fhe_block, f)

static const struct layout_row block_64_rows[] = {
	VERSION("Ciphertext version", 1),
	VERSION("LweCiphertext version", 0),
	{.kind = LAYOUT_AT, B(at)},
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
	{.kind = LAYOUT_AT, B(at)},
	{.kind = LAYOUT_WORDS, B(words), .min = 2, .max = WORDS_MAX, .width = 16},
	{.kind = LAYOUT_MODULUS, .name = "ciphertext_modulus", .max = 128},
	{.kind = LAYOUT_COUNT, B(degree), .max = DEGREE_MAX},
	{.kind = LAYOUT_COUNT, B(message_modulus), .min = 4, .max = 4},
	{.kind = LAYOUT_COUNT, B(carry_modulus), .min = 4, .max = 4},
};
const struct layout fhe_block_128_layout = LAYOUT_OF("SquashedNoiseCiphertext", block_128_rows);

#define V(f) .name = #f, .offset = offsetof(struct fhe_expanded, f)
#define READ(latest)                                                                               \
	{                                                                                          \
		.kind = LAYOUT_READ, V(version), .max = (latest)                                   \
	}
#define SINCE(v, layout)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_SINCE, V(version), .min = (v), .sub = &(layout)                     \
	}
#define TAG                                                                                        \
	{                                                                                          \
		.kind = LAYOUT_TAG, V(tag), .max = FHE_TAG_SIZE_MAX                                \
	}
#define BLOCKS(layout)                                                                             \
	{                                                                                          \
		.kind = LAYOUT_LIST, V(blocks), .max = RADIX_BLOCKS_MAX,                           \
		.width = sizeof(struct fhe_block), .sub = &(layout)                                \
	}
#define BLOCK(layout)                                                                              \
	{                                                                                          \
		.kind = LAYOUT_ONE, V(blocks), .width = sizeof(struct fhe_block), .sub = &(layout) \
	}

/* Version 1 has no re-randomisation metadata, version 0 no tag either. */
static const struct layout_row tag_rows[] = {TAG};
static const struct layout tag_layout = LAYOUT_OF("Tag", tag_rows);
static const struct layout_row metadata_rows[] = {
	{.kind = LAYOUT_TAG, V(metadata), .max = FHE_METADATA_SIZE_MAX},
};
static const struct layout metadata_layout = LAYOUT_OF("ReRandomizationMetadata", metadata_rows);

#define SMALL_ROWS(wrapper, inner, blocks)                                                         \
	READ(2), VERSION(wrapper, 0), VERSION(inner, 0), blocks, SINCE(1, tag_layout),             \
		SINCE(2, metadata_layout)
static const struct layout_row bool_rows[] = {
	SMALL_ROWS("InnerBoolean version", "BooleanBlock version", BLOCK(fhe_block_64_layout))};
static const struct layout_row uint_rows[] = {SMALL_ROWS(
	"RadixCiphertext version", "BaseRadixCiphertext version", BLOCKS(fhe_block_64_layout))};
static const struct layout_row int_rows[] = {SMALL_ROWS("SignedRadixCiphertext version",
							"BaseSignedRadixCiphertext version",
							BLOCKS(fhe_block_64_layout))};

/* Version 0 has no state. */
static const struct layout_row state_rows[] = {
	{.kind = LAYOUT_VARIANT, V(state), .max = STATE_POST_DECOMPRESSION},
};
static const struct layout state_layout = LAYOUT_OF("SquashedNoiseCiphertextState", state_rows);

#define BIG_ROWS(wrapper, inner)                                                                   \
	READ(1), VERSION(wrapper, 0), VERSION(inner, 0), BLOCKS(fhe_block_128_layout),             \
		{.kind = LAYOUT_AT, V(radix_at)},                                                  \
		{.kind = LAYOUT_U64, V(radix_blocks), .min = 1, .max = RADIX_BLOCKS_MAX},          \
		SINCE(1, state_layout), TAG
static const struct layout_row big_bool_rows[] = {
	READ(1),
	VERSION("InnerSquashedNoiseBoolean version", 0),
	VERSION("SquashedNoiseBooleanBlock version", 0),
	BLOCK(fhe_block_128_layout),
	SINCE(1, state_layout),
	TAG,
};
static const struct layout_row big_uint_rows[] = {BIG_ROWS(
	"InnerSquashedNoiseRadixCiphertext version", "SquashedNoiseRadixCiphertext version")};
static const struct layout_row big_int_rows[] = {
	BIG_ROWS("InnerSquashedNoiseSignedRadixCiphertext version",
		 "SquashedNoiseSignedRadixCiphertext version")};

/* The objects of one family. */
struct object {
	const char *name;
	uint32_t kind;
	struct layout layout;
};

enum {
	OBJECTS = 3,
};

static const struct object small_objects[OBJECTS] = {
	{"high_level_api::FheBool", FHE_ITEM_BOOLEAN, LAYOUT_OF("FheBool", bool_rows)},
	{"high_level_api::FheUint", FHE_ITEM_UNSIGNED, LAYOUT_OF("FheUint", uint_rows)},
	{"high_level_api::FheInt", FHE_ITEM_SIGNED, LAYOUT_OF("FheInt", int_rows)},
};
static const struct object big_objects[OBJECTS] = {
	{"high_level_api::SquashedNoiseFheBool", FHE_ITEM_BOOLEAN,
	 LAYOUT_OF("SquashedNoiseFheBool", big_bool_rows)},
	{"high_level_api::SquashedNoiseFheUint", FHE_ITEM_UNSIGNED,
	 LAYOUT_OF("SquashedNoiseFheUint", big_uint_rows)},
	{"high_level_api::SquashedNoiseFheInt", FHE_ITEM_SIGNED,
	 LAYOUT_OF("SquashedNoiseFheInt", big_int_rows)},
};

/* ---- reading ---- */

bool fhe_blocks_next(struct layout_list *blocks, struct fhe_block *ret_block)
{
	return layout_list_next(blocks, ret_block);
}

static enum err value_check(const struct fhe_expanded *v, const struct fhe_params *p,
			    unsigned width, struct err_note *note)
{
	size_t bits = fhe_params_key_bits(p, v->key);
	struct layout_list blocks = v->blocks;
	struct fhe_block block;

	if (bits == 0)
		return err_say(note, ERR_UNSUPPORTED,
			       "the key has no part that the blocks at byte %zu are under",
			       v->blocks.at);
	if (blocks.n == 0)
		return err_say(note, ERR_MALFORMED, "blocks at byte %zu: there are none",
			       blocks.at);
	while (fhe_blocks_next(&blocks, &block))
		if (block.words.n != (bits + 1) * width)
			return err_say(note, ERR_MISMATCH,
				       "block at byte %zu is of dimension %zu, the key has %zu",
				       block.at, block.words.n / width - 1, bits);
	return ERR_OK;
}

/* The object is read: version, versions, blocks, and what follows from them. */
static enum err object_read(struct fhe_expanded *v, const struct object *objects,
			    struct bytes serialized, struct err_note *note)
{
	const char *const names[] = {objects[0].name, objects[1].name, objects[2].name, NULL};
	struct reader r = reader_of(serialized);
	size_t index;

	if (serialized.n > CIPHERTEXT_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "ciphertext of %zu bytes", serialized.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	layout_read(&r, &objects[index].layout, v, note);
	TRY(layout_end(&r, objects[index].layout.name, note));
	v->kind = objects[index].kind;
	v->boolean = v->kind == FHE_ITEM_BOOLEAN;
	return ERR_OK;
}

enum err fhe_small_expanded_read(struct fhe_expanded *ret_value, const struct fhe_params *p,
				 struct bytes serialized, struct err_note *note)
{
	struct fhe_expanded v = {.key = FHE_KEY_GLWE};

	TRY(object_read(&v, small_objects, serialized, note));
	v.radix_blocks = v.blocks.n;
	TRY(value_check(&v, p, 8, note));
	*ret_value = v;
	return ERR_OK;
}

enum err fhe_big_expanded_read(struct fhe_expanded *ret_value, const struct fhe_params *p,
			       struct bytes serialized, struct err_note *note)
{
	struct fhe_expanded v = {.radix_blocks = 1};

	TRY(object_read(&v, big_objects, serialized, note));
	if (v.blocks.n != (v.radix_blocks + 1) / 2)
		return err_say(note, ERR_MALFORMED,
			       "radix_blocks at byte %zu is %llu, but there are %llu packed blocks",
			       v.radix_at, (unsigned long long)v.radix_blocks,
			       (unsigned long long)v.blocks.n);
	v.key = v.state == STATE_NORMAL ? FHE_KEY_SNS : FHE_KEY_SNS_COMPRESSION;
	TRY(value_check(&v, p, 16, note));
	*ret_value = v;
	return ERR_OK;
}

/* ---- writing ---- */

static enum err object_write(const struct fhe_expanded *v, const struct object *objects,
			     struct buf *out)
{
	struct bincode_writer w = {.out = out};
	size_t i = 0;

	while (objects[i].kind != v->kind)
		CHECK(++i < OBJECTS);
	safe_serialize_begin(&w, objects[i].name);
	layout_write(&w, &objects[i].layout, v);
	return bincode_end(&w);
}

enum err fhe_small_expanded_rewrite(const struct fhe_expanded *v, struct buf *out)
{
	return object_write(v, small_objects, out);
}

enum err fhe_big_expanded_rewrite(const struct fhe_expanded *v, struct buf *out)
{
	return object_write(v, big_objects, out);
}

/* Blocks fresh from a bootstrap, made while they are written. */
struct fresh {
	const struct fhe_blocks_words *v;
	uint64_t degree;
};

static void fresh_make(const void *context, uint64_t i, void *ret_block)
{
	const struct fresh *f = context;

	*(struct fhe_block *)ret_block = (struct fhe_block){
		.words = bytes_sub(f->v->words, (size_t)i * f->v->block_size, f->v->block_size),
		.degree = f->degree,
		.noise_level = 1,
		.message_modulus = 1 << FHE_MESSAGE_BITS,
		.carry_modulus = 1 << FHE_MESSAGE_BITS,
	};
}

static enum err fresh_write(const struct fhe_blocks_words *v, const struct object *objects,
			    uint64_t degree, struct bytes tag, struct buf *out)
{
	struct fresh f = {.v = v, .degree = v->item.kind == FHE_ITEM_BOOLEAN ? 1 : degree};
	struct fhe_expanded e = {
		.kind = v->item.kind,
		.radix_blocks = v->item.blocks,
		.blocks = {.n = v->words.n / v->block_size, .make = fresh_make, .context = &f},
		.state = STATE_NORMAL,
		.tag = tag,
	};

	return object_write(&e, objects, out);
}

enum err fhe_small_expanded_write(const struct fhe_blocks_words *v, struct bytes tag,
				  struct buf *out)
{
	return fresh_write(v, small_objects, DEGREE_FRESH, tag, out);
}

enum err fhe_big_expanded_write(const struct fhe_blocks_words *v, struct bytes tag, struct buf *out)
{
	return fresh_write(v, big_objects, DEGREE_MAX, tag, out);
}
