/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/key_set.h"

#include "codec/safe_serialize.h"

/* ---- layouts: tfhe-rs 1.6 and 1.7 ---- */

enum {
	WORDS_MAX = 1 << 26,
	DIMENSION_MAX = 1 << 16,
	BASE_LOG_MAX = 127,
	LEVEL_MAX = 64,
	MODULUS_MAX = 16,
	DEGREE_MAX = 15, /* message_modulus * carry_modulus - 1 */
};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}
#define MODULUS(bits)                                                                              \
	{                                                                                          \
		.kind = LAYOUT_MODULUS, .name = "ciphertext_modulus", .max = (bits)                \
	}
#define SEEDED(kind_, field, lo, hi)                                                               \
	{                                                                                          \
		.kind = (kind_), .name = #field, .offset = offsetof(struct fhe_seeded, field),     \
		.min = (lo), .max = (hi)                                                           \
	}
#define WORDS(w)                                                                                   \
	{                                                                                          \
		.kind = LAYOUT_WORDS, .name = "data",                                              \
		.offset = offsetof(struct fhe_seeded, words), .min = 1, .max = WORDS_MAX,          \
		.width = (w)                                                                       \
	}
#define SET(kind_, field, lo, hi)                                                                  \
	{                                                                                          \
		.kind = (kind_), .name = #field, .offset = offsetof(struct fhe_key_set, field),    \
		.min = (lo), .max = (hi)                                                           \
	}
#define SUB(field, layout)                                                                         \
	{                                                                                          \
		.kind = LAYOUT_SUB, .name = #field, .offset = offsetof(struct fhe_key_set, field), \
		.sub = &(layout)                                                                   \
	}
#define PART(part, layout) SUB(parts[part], layout)
#define OPTION(field, layout)                                                                      \
	{                                                                                          \
		.kind = LAYOUT_OPTION, .name = #field,                                             \
		.offset = offsetof(struct fhe_key_set, field), .sub = &(layout)                    \
	}
#define TAG(field) SET(LAYOUT_TAG, field, 0, FHE_TAG_SIZE_MAX)

static const struct layout_row key_switch_rows[] = {
	VERSION("SeededLweKeyswitchKey version", 2),
	WORDS(8),
	SEEDED(LAYOUT_COUNT, base_log, 1, BASE_LOG_MAX),
	SEEDED(LAYOUT_COUNT, level, 1, LEVEL_MAX),
	SEEDED(LAYOUT_COUNT, size, 2, DIMENSION_MAX),
	SEEDED(LAYOUT_SEED, seed, 0, 0),
	MODULUS(64),
};
static const struct layout key_switch = LAYOUT_OF("SeededLweKeyswitchKey", key_switch_rows);

#define PACKING_ROWS(width, bits)                                                                  \
	VERSION("SeededLwePackingKeyswitchKey version", 2), WORDS(width),                          \
		SEEDED(LAYOUT_COUNT, base_log, 1, BASE_LOG_MAX),                                   \
		SEEDED(LAYOUT_COUNT, level, 1, LEVEL_MAX),                                         \
		SEEDED(LAYOUT_COUNT, size, 2, DIMENSION_MAX),                                      \
		SEEDED(LAYOUT_COUNT, polynomial_size, 1, DIMENSION_MAX),                           \
		SEEDED(LAYOUT_SEED, seed, 0, 0), MODULUS(bits)
static const struct layout_row packing_rows[] = {PACKING_ROWS(8, 64)};
static const struct layout packing = LAYOUT_OF("SeededLwePackingKeyswitchKey", packing_rows);
static const struct layout_row packing_128_rows[] = {PACKING_ROWS(16, 128)};
static const struct layout packing_128 =
	LAYOUT_OF("SeededLwePackingKeyswitchKey (128 bits)", packing_128_rows);

#define BOOTSTRAP_ROWS(width, bits)                                                                \
	VERSION("SeededLweBootstrapKey version", 1),                                               \
		VERSION("SeededGgswCiphertextList version", 1), WORDS(width),                      \
		SEEDED(LAYOUT_COUNT, size, 2, DIMENSION_MAX),                                      \
		SEEDED(LAYOUT_COUNT, polynomial_size, 1, DIMENSION_MAX),                           \
		SEEDED(LAYOUT_COUNT, base_log, 1, BASE_LOG_MAX),                                   \
		SEEDED(LAYOUT_COUNT, level, 1, LEVEL_MAX), SEEDED(LAYOUT_SEED, seed, 0, 0),        \
		MODULUS(bits)
static const struct layout_row bootstrap_rows[] = {BOOTSTRAP_ROWS(8, 64)};
static const struct layout bootstrap = LAYOUT_OF("SeededLweBootstrapKey", bootstrap_rows);
static const struct layout_row bootstrap_128_rows[] = {BOOTSTRAP_ROWS(16, 128)};
static const struct layout bootstrap_128 =
	LAYOUT_OF("SeededLweBootstrapKey (128 bits)", bootstrap_128_rows);

static const struct layout_row zeros_rows[] = {
	VERSION("SeededLweCiphertextList version", 0),
	WORDS(8),
	SEEDED(LAYOUT_COUNT, size, 2, DIMENSION_MAX),
	SEEDED(LAYOUT_SEED, seed, 0, 0),
	MODULUS(64),
};
static const struct layout zeros = LAYOUT_OF("SeededLweCiphertextList", zeros_rows);

static const struct layout_row glwe_rows[] = {
	VERSION("SeededLweCompactPublicKey version", 0),
	VERSION("SeededGlweCiphertext version", 0),
	WORDS(8),
	SEEDED(LAYOUT_COUNT, size, 2, 2),
	SEEDED(LAYOUT_SEED, seed, 0, 0),
	MODULUS(64),
};
static const struct layout glwe = LAYOUT_OF("SeededLweCompactPublicKey", glwe_rows);

/* CompressedModulusSwitchConfiguration, once for each of the two bootstraps that have one. */
#define DRIFT_ROWS(field, part)                                                                    \
	VERSION("CompressedModulusSwitchNoiseReductionKey version", 1), PART(part, zeros),         \
		SET(LAYOUT_V0_F64, field.bound, 0, 0), SET(LAYOUT_V0_F64, field.r_sigma, 0, 0),    \
		SET(LAYOUT_V0_F64, field.variance, 0, 0)
#define MOD_SWITCH(field, layout)                                                                  \
	SET(LAYOUT_VARIANT, field.kind, FHE_MOD_SWITCH_STANDARD, FHE_MOD_SWITCH_CENTERED_MEAN),    \
	{                                                                                          \
		.kind = LAYOUT_WHEN, .name = "drift technique",                                    \
		.offset = offsetof(struct fhe_key_set, field.kind), .min = FHE_MOD_SWITCH_DRIFT,   \
		.sub = &(layout)                                                                   \
	}
static const struct layout_row drift_rows[] = {DRIFT_ROWS(mod_switch, FHE_PART_BOOTSTRAP_ZEROS)};
static const struct layout drift =
	LAYOUT_OF("CompressedModulusSwitchNoiseReductionKey", drift_rows);
static const struct layout_row sns_drift_rows[] = {
	DRIFT_ROWS(sns_mod_switch, FHE_PART_SQUASH_ZEROS)};
static const struct layout sns_drift =
	LAYOUT_OF("CompressedModulusSwitchNoiseReductionKey (squashing)", sns_drift_rows);

static const struct layout_row pke_ks_rows[] = {
	VERSION("CompressedKeySwitchingKeyMaterial (integer) version", 2),
	VERSION("CompressedKeySwitchingKeyMaterial version", 2),
	PART(FHE_PART_PKE_KEY_SWITCH, key_switch),
	{.kind = LAYOUT_BYTE, .name = "cast_rshift"},
	SET(LAYOUT_VARIANT, pke_ks_destination, 0, 1),
	VERSION("KeySwitchingKeyDestinationAtomicPattern version", 0),
	VERSION("KeySwitchingKeyDestinationAtomicPattern variant (Standard)", 0),
};
static const struct layout pke_ks = LAYOUT_OF("CompressedKeySwitchingKeyMaterial", pke_ks_rows);

static const struct layout_row compression_rows[] = {
	VERSION("CompressedCompressionKey (integer) version", 2),
	VERSION("CompressedCompressionKey version", 2),
	PART(FHE_PART_COMPRESSION, packing),
	SET(LAYOUT_COUNT, compression_lwe_per_glwe, 1, DIMENSION_MAX),
	SET(LAYOUT_COUNT, storage_log_modulus, 1, 64),
};
static const struct layout compression = LAYOUT_OF("CompressedCompressionKey", compression_rows);

static const struct layout_row decompression_rows[] = {
	VERSION("CompressedDecompressionKey (integer) version", 1),
	VERSION("CompressedDecompressionKey version", 2),
	VERSION("ShortintCompressedBootstrappingKey version", 3),
	VERSION("ShortintCompressedBootstrappingKey variant (Classic)", 0),
	PART(FHE_PART_DECOMPRESSION, bootstrap),
	VERSION("CompressedModulusSwitchConfiguration version", 0),
	VERSION("CompressedModulusSwitchConfiguration variant (Standard)", 0),
	SET(LAYOUT_COUNT, decompression_lwe_per_glwe, 1, DIMENSION_MAX),
};
static const struct layout decompression =
	LAYOUT_OF("CompressedDecompressionKey", decompression_rows);

static const struct layout_row sns_rows[] = {
	VERSION("CompressedNoiseSquashingKey (integer) version", 0),
	VERSION("CompressedNoiseSquashingKey version", 3),
	VERSION("CompressedAtomicPatternNoiseSquashingKey version", 0),
	VERSION("CompressedAtomicPatternNoiseSquashingKey variant (Standard)", 0),
	VERSION("CompressedStandardAtomicPatternNoiseSquashingKey version", 0),
	VERSION("CompressedShortint128BootstrappingKey version", 1),
	VERSION("CompressedShortint128BootstrappingKey variant (Classic)", 0),
	PART(FHE_PART_SQUASH, bootstrap_128),
	MOD_SWITCH(sns_mod_switch, sns_drift),
	SET(LAYOUT_COUNT, sns_message_modulus, 2, MODULUS_MAX),
	SET(LAYOUT_COUNT, sns_carry_modulus, 1, MODULUS_MAX),
	MODULUS(128),
};
static const struct layout sns = LAYOUT_OF("CompressedNoiseSquashingKey", sns_rows);

static const struct layout_row sns_compression_rows[] = {
	VERSION("CompressedNoiseSquashingCompressionKey (integer) version", 0),
	VERSION("CompressedNoiseSquashingCompressionKey version", 0),
	PART(FHE_PART_SQUASH_COMPRESSION, packing_128),
	SET(LAYOUT_COUNT, sns_compression_lwe_per_glwe, 1, DIMENSION_MAX),
};
static const struct layout sns_compression =
	LAYOUT_OF("CompressedNoiseSquashingCompressionKey", sns_compression_rows);

static const struct layout_row rerand_rows[] = {
	VERSION("CompressedReRandomizationKey version", 0),
	VERSION("CompressedReRandomizationKey variant (DerivedCPKWithoutKeySwitch)", 1),
	VERSION("CompressedCompactPublicKey (integer) version", 0),
	VERSION("CompressedCompactPublicKey (shortint) version", 1),
	PART(FHE_PART_RERAND, glwe),
	SUB(rerand_pke, fhe_pke_layout),
};
static const struct layout rerand = LAYOUT_OF("CompressedReRandomizationKey", rerand_rows);

static const struct layout_row oprf_rows[] = {
	VERSION("CompressedOprfServerKey (integer) version", 0),
	VERSION("CompressedOprfServerKey version", 0),
	VERSION("CompressedOprfBootstrappingKey version", 0),
	VERSION("CompressedOprfBootstrappingKey variant (Classic)", 0),
	PART(FHE_PART_OPRF, bootstrap),
};
static const struct layout oprf = LAYOUT_OF("CompressedOprfServerKey", oprf_rows);

static const struct layout_row server_rows[] = {
	VERSION("CompressedServerKey version", 2),
	VERSION("IntegerCompressedServerKey version", 7),
	VERSION("CompressedServerKey (integer) version", 2),
	VERSION("CompressedServerKey (shortint) version", 3),
	VERSION("CompressedAtomicPatternServerKey version", 0),
	VERSION("CompressedAtomicPatternServerKey variant (Standard)", 0),
	VERSION("CompressedStandardAtomicPatternServerKey version", 0),
	PART(FHE_PART_KEY_SWITCH, key_switch),
	VERSION("ShortintCompressedBootstrappingKey version", 3),
	VERSION("ShortintCompressedBootstrappingKey variant (Classic)", 0),
	PART(FHE_PART_BOOTSTRAP, bootstrap),
	MOD_SWITCH(mod_switch, drift),
	VERSION("PBSOrder version", 0),
	VERSION("PBSOrder variant (KeyswitchBootstrap)", 0),
	SET(LAYOUT_COUNT, message_modulus, 4, 4),
	SET(LAYOUT_COUNT, carry_modulus, 4, 4),
	SET(LAYOUT_COUNT, max_degree, 0, DEGREE_MAX),
	SET(LAYOUT_COUNT, max_noise_level, 0, UINT64_MAX),
	OPTION(has_pke_ks, pke_ks),
	OPTION(has_compression, compression),
	OPTION(has_decompression, decompression),
	OPTION(has_sns, sns),
	OPTION(has_sns_compression, sns_compression),
	OPTION(has_rerand, rerand),
	OPTION(has_oprf, oprf),
	TAG(tag),
};
static const struct layout server = LAYOUT_OF("CompressedServerKey", server_rows);

static const struct layout_row public_rows[] = {
	VERSION("CompressedCompactPublicKey version", 1),
	VERSION("IntegerCompressedCompactPublicKey version", 0),
	VERSION("CompressedCompactPublicKey (integer) version", 0),
	VERSION("CompressedCompactPublicKey (shortint) version", 1),
	PART(FHE_PART_PUBLIC_KEY, glwe),
	SUB(pke, fhe_pke_layout),
	TAG(pke_tag),
};
static const struct layout public = LAYOUT_OF("CompressedCompactPublicKey", public_rows);

/* Version 0 of the set began its masks one byte later; it is not read. */
static const struct layout_row set_rows[] = {
	VERSION("CompressedXofKeySet version", 1),
	VERSION("XofSeedStart version", 0),
	VERSION("XofSeedStart variant (FirstByte)", 0),
	VERSION("XofSeed version", 0),
	SET(LAYOUT_BYTES, seed, FHE_SEED_DSEP_SIZE, FHE_SEED_SIZE_MAX),
	{.kind = LAYOUT_SUB, .name = "compressed_public_key", .sub = &public},
	{.kind = LAYOUT_SUB, .name = "compressed_server_key", .sub = &server},
};
static const struct layout set_layout = LAYOUT_OF("CompressedXofKeySet", set_rows);

static const struct {
	const char *name;
	const struct layout *layout;
} objects[] = {
	[FHE_OBJECT_PUBLIC_KEY] = {"high_level_api::CompressedCompactPublicKey", &public},
	[FHE_OBJECT_SERVER_KEY] = {"high_level_api::CompressedServerKey", &server},
	[FHE_OBJECT_KEY_SET] = {"high_level_api::CompressedXofKeySet", &set_layout},
};

/* ---- reading and writing ---- */

enum err fhe_key_set_read(struct fhe_key_set *ret_set, enum fhe_key_object object,
			  struct bytes serialized, struct err_note *note)
{
	const char *const names[] = {objects[object].name, NULL};
	const struct layout *layout = objects[object].layout;
	struct fhe_key_set set = {0};
	struct reader r = reader_of(serialized);
	size_t index;

	if (serialized.n > FHE_KEY_SET_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "%s: %zu bytes", layout->name, serialized.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	layout_read(&r, layout, &set, note);
	TRY(layout_end(&r, layout->name, note));
	*ret_set = set;
	return ERR_OK;
}

/* The gaps of a set that is copied. */
static void gaps_follow(struct layout_gaps *gaps, const struct fhe_key_set *from,
			const struct fhe_key_set *to)
{
	for (size_t i = 0; i < gaps->n; i++)
		for (size_t part = 0; part < FHE_PART_COUNT; part++)
			if (gaps->gap[i].words == &from->parts[part].words)
				gaps->gap[i].words = &to->parts[part].words;
}

enum err fhe_key_set_read_frame(struct fhe_key_set *ret_set, enum fhe_key_object object,
				const struct fhe_source *source, struct buf *frame,
				struct layout_gaps *ret_gaps, struct err_note *note)
{
	const char *const names[] = {objects[object].name, NULL};
	const struct layout *layout = objects[object].layout;
	struct layout_gaps gaps = {.n = 0};
	struct layout_stream stream = {.source = source, .frame = frame, .gaps = &gaps};
	struct fhe_key_set set = {0};
	struct reader r;
	size_t index;

	if (source->size > FHE_KEY_SET_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "%s: %llu bytes", layout->name,
			       (unsigned long long)source->size);
	TRY(layout_stream_open(&r, &stream, note));
	TRY(safe_serialize_open(&r, names, &index, note));
	layout_read_frame(&r, layout, &set, &stream, note);
	TRY(layout_end(&r, layout->name, note));
	gaps_follow(&gaps, &set, ret_set);
	*ret_set = set;
	*ret_gaps = gaps;
	return ERR_OK;
}

enum err fhe_key_set_write_frame(const struct fhe_key_set *set, enum fhe_key_object object,
				 struct buf *out, struct layout_gaps *ret_gaps)
{
	struct bincode_writer w = {.out = out};
	struct layout_gaps gaps = {.n = 0};

	safe_serialize_begin(&w, objects[object].name);
	layout_write_frame(&w, objects[object].layout, set, &gaps);
	TRY(bincode_end(&w));
	*ret_gaps = gaps;
	return ERR_OK;
}

enum err fhe_key_set_write(const struct fhe_key_set *set, enum fhe_key_object object,
			   struct buf *out)
{
	struct layout_gaps gaps;

	TRY(fhe_key_set_write_frame(set, object, out, &gaps));
	return gaps.n == 0 ? ERR_OK : ERR_RANGE;
}
