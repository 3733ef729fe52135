/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/params.h"

#include <string.h>

/* ---- the named sets ---- */

#define COMPUTE_2_2                                                                                \
	.compute = {.lwe_dimension = 918,                                                          \
		    .glwe_dimension = 1,                                                           \
		    .polynomial_size = 2048,                                                       \
		    .lwe_noise = 45,                                                               \
		    .glwe_noise = 17,                                                              \
		    .pbs_base_log = 23,                                                            \
		    .pbs_level = 1,                                                                \
		    .ks_base_log = 4,                                                              \
		    .ks_level = 4,                                                                 \
		    .message_modulus = 4,                                                          \
		    .carry_modulus = 4,                                                            \
		    .max_noise_level = 5,                                                          \
		    .log2_p_fail = -129.581,                                                       \
		    .mod_switch = {.kind = FHE_MOD_SWITCH_CENTERED_MEAN}}

#define PKE_TO_SMALL_ZKV2                                                                          \
	.has_pke = true,                                                                           \
	.pke = {.dimension = 2048,                                                                 \
		.noise = 17,                                                                       \
		.message_modulus = 4,                                                              \
		.carry_modulus = 4,                                                                \
		.zk_scheme = 2},                                                                   \
	.pke_ks = {.base_log = 4, .level = 4, .destination = 1}

#define COMPRESSION_2_2                                                                            \
	.has_compression = true, .compression = {.br_level = 1,                                    \
						 .br_base_log = 23,                                \
						 .packing_level = 3,                               \
						 .packing_base_log = 4,                            \
						 .polynomial_size = 256,                           \
						 .glwe_dimension = 4,                              \
						 .lwe_per_glwe = 256,                              \
						 .storage_log_modulus = 12,                        \
						 .noise = 43}

#define SNS_2_2                                                                                    \
	.has_sns = true, .sns = {.glwe_dimension = 2,                                              \
				 .polynomial_size = 2048,                                          \
				 .noise = 30,                                                      \
				 .base_log = 24,                                                   \
				 .level = 3,                                                       \
				 .mod_switch = {.kind = FHE_MOD_SWITCH_CENTERED_MEAN},             \
				 .message_modulus = 4,                                             \
				 .carry_modulus = 4}

#define SNS_COMPRESSION_2_2(level_, base_log_)                                                     \
	.has_sns_compression = true, .sns_compression = {.packing_level = (level_),                \
							 .packing_base_log = (base_log_),          \
							 .polynomial_size = 1024,                  \
							 .glwe_dimension = 6,                      \
							 .lwe_per_glwe = 128,                      \
							 .noise = 3,                               \
							 .message_modulus = 4,                     \
							 .carry_modulus = 4}

const struct fhe_params fhe_params_v1_7 = {
	COMPUTE_2_2, PKE_TO_SMALL_ZKV2,          COMPRESSION_2_2,
	SNS_2_2,     SNS_COMPRESSION_2_2(2, 41), .has_rerand = true,
	.rerand = 1, .has_oprf = true,
};

/* As V1_7 but for one number pair: the decomposition of the squashed lists' packing key. */
const struct fhe_params fhe_params_v1_6 = {
	COMPUTE_2_2, PKE_TO_SMALL_ZKV2,          COMPRESSION_2_2,
	SNS_2_2,     SNS_COMPRESSION_2_2(1, 61), .has_rerand = true,
	.rerand = 1, .has_oprf = true,
};

const struct fhe_params fhe_params_test = {
	.compute = {.lwe_dimension = 1,
		    .glwe_dimension = 1,
		    .polynomial_size = 256,
		    .pbs_base_log = 24,
		    .pbs_level = 1,
		    .ks_base_log = 37,
		    .ks_level = 1,
		    .message_modulus = 4,
		    .carry_modulus = 4,
		    .max_noise_level = 5,
		    .log2_p_fail = -64.0,
		    .mod_switch = {.kind = FHE_MOD_SWITCH_DRIFT,
				   .zeros = 10,
				   .bound = 0x1p58,
				   .r_sigma = 9.75539320076416,
				   .variance = 1.92631390716519e-10}},
	.has_pke = true,
	.pke = {.dimension = 512, .message_modulus = 4, .carry_modulus = 4, .zk_scheme = 2},
	.pke_ks = {.base_log = 37, .level = 1, .destination = 1},
	.has_compression = true,
	.compression = {.br_level = 1,
			.br_base_log = 24,
			.packing_level = 1,
			.packing_base_log = 27,
			.polynomial_size = 256,
			.glwe_dimension = 1,
			.lwe_per_glwe = 256,
			.storage_log_modulus = 9},
	.has_sns = true,
	.sns = {.glwe_dimension = 1,
		.polynomial_size = 256,
		.base_log = 33,
		.level = 2,
		.mod_switch = {.kind = FHE_MOD_SWITCH_DRIFT,
			       .zeros = 8,
			       .bound = 0x1p58,
			       .r_sigma = 9.2,
			       .variance = 2.182718682903484e-224},
		.message_modulus = 4,
		.carry_modulus = 4},
	.has_sns_compression = true,
	.sns_compression = {.packing_level = 1,
			    .packing_base_log = 61,
			    .polynomial_size = 256,
			    .glwe_dimension = 1,
			    .lwe_per_glwe = 128,
			    .noise = 3,
			    .message_modulus = 4,
			    .carry_modulus = 4},
	.has_rerand = true,
	.rerand = 1,
	.has_oprf = true,
};

const struct fhe_param_set fhe_param_sets[] = {
	{"default", &fhe_params_v1_7},
	{"v1_7", &fhe_params_v1_7},
	{"v1_6", &fhe_params_v1_6},
	{"test", &fhe_params_test},
	{NULL, NULL},
};

const struct fhe_params *fhe_params_by_name(const char *name)
{
	const struct fhe_param_set *s = fhe_param_sets;

	while (s->name && strcmp(s->name, name) != 0)
		s++;
	return s->params;
}

/* ---- sizes ---- */

struct key_shape {
	size_t present;    /* offset of the bool, SIZE_MAX = always there */
	size_t dimension;  /* offset of the LWE or GLWE dimension */
	size_t polynomial; /* offset of the polynomial size, SIZE_MAX = LWE key */
};

#define P(field) offsetof(struct fhe_params, field)
static const struct key_shape key_shapes[FHE_KEY_COUNT] = {
	[FHE_KEY_LWE] = {SIZE_MAX, P(compute.lwe_dimension), SIZE_MAX},
	[FHE_KEY_GLWE] = {SIZE_MAX, P(compute.glwe_dimension), P(compute.polynomial_size)},
	[FHE_KEY_COMPRESSION] = {P(has_compression), P(compression.glwe_dimension),
				 P(compression.polynomial_size)},
	[FHE_KEY_PKE] = {P(has_pke), P(pke.dimension), SIZE_MAX},
	[FHE_KEY_SNS] = {P(has_sns), P(sns.glwe_dimension), P(sns.polynomial_size)},
	[FHE_KEY_SNS_COMPRESSION] = {P(has_sns_compression), P(sns_compression.glwe_dimension),
				     P(sns_compression.polynomial_size)},
	[FHE_KEY_OPRF] = {P(has_oprf), P(compute.lwe_dimension), SIZE_MAX},
};

static uint64_t params_u64(const struct fhe_params *p, size_t offset)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)p + offset, sizeof(v));
	return v;
}

size_t fhe_params_key_polynomial(const struct fhe_params *p, enum fhe_key_id id)
{
	const struct key_shape *s = &key_shapes[id];

	return s->polynomial == SIZE_MAX ? 0 : (size_t)params_u64(p, s->polynomial);
}

size_t fhe_params_key_bits(const struct fhe_params *p, enum fhe_key_id id)
{
	const struct key_shape *s = &key_shapes[id];
	bool present = true;

	if (s->present != SIZE_MAX)
		memcpy(&present, (const uint8_t *)p + s->present, sizeof(present));
	if (!present)
		return 0;
	return (size_t)params_u64(p, s->dimension) *
	       (s->polynomial == SIZE_MAX ? 1 : (size_t)params_u64(p, s->polynomial));
}

/* ---- layouts ---- */

/* What we accept of another's numbers: wide enough for any set of the family, narrow enough to
 * bound the arithmetic. */
enum {
	LWE_DIMENSION_MAX = 4096,
	GLWE_DIMENSION_MAX = 16,
	POLYNOMIAL_SIZE_MAX = 8192,
	NOISE_64_MAX = 62,
	LEVEL_MAX = 64,
	BASE_LOG_MAX = 127,
};

#define ROW(kind_, type, field, lo, hi)                                                            \
	{                                                                                          \
		.kind = (kind_), .name = #field, .offset = offsetof(struct type, field),           \
		.min = (lo), .max = (hi)                                                           \
	}
#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text " version", .min = (v), .max = (v)            \
	}
#define MODULUS(bits)                                                                              \
	{                                                                                          \
		.kind = LAYOUT_MODULUS, .name = "ciphertext_modulus", .max = (bits)                \
	}

#define C(kind, field, lo, hi) ROW(kind, fhe_compute_params, field, lo, hi)
static const struct layout_row compute_rows[] = {
	VERSION("PBSParameters", 0),
	VERSION("PBSParameters variant (PBS)", 0),
	VERSION("ClassicPBSParameters", 2),
	C(LAYOUT_COUNT, lwe_dimension, 1, LWE_DIMENSION_MAX),
	C(LAYOUT_COUNT, glwe_dimension, 1, GLWE_DIMENSION_MAX),
	C(LAYOUT_COUNT, polynomial_size, 1, POLYNOMIAL_SIZE_MAX),
	C(LAYOUT_TUNIFORM, lwe_noise, 0, NOISE_64_MAX),
	C(LAYOUT_TUNIFORM, glwe_noise, 0, NOISE_64_MAX),
	C(LAYOUT_COUNT, pbs_base_log, 1, BASE_LOG_MAX),
	C(LAYOUT_COUNT, pbs_level, 1, LEVEL_MAX),
	C(LAYOUT_COUNT, ks_base_log, 1, BASE_LOG_MAX),
	C(LAYOUT_COUNT, ks_level, 1, LEVEL_MAX),
	C(LAYOUT_COUNT, message_modulus, 4, 4),
	C(LAYOUT_COUNT, carry_modulus, 4, 4),
	C(LAYOUT_COUNT, max_noise_level, 0, UINT64_MAX),
	C(LAYOUT_F64, log2_p_fail, 0, 0),
	MODULUS(64),
	C(LAYOUT_VARIANT, encryption_key, 0, 0),
	C(LAYOUT_MOD_SWITCH, mod_switch, 0, 0),
};
const struct layout fhe_compute_layout = LAYOUT_OF("ClassicPBSParameters", compute_rows);

#define E(kind, field, lo, hi) ROW(kind, fhe_pke_params, field, lo, hi)
static const struct layout_row pke_rows[] = {
	VERSION("CompactPublicKeyEncryptionParameters", 1),
	E(LAYOUT_COUNT, dimension, 1, POLYNOMIAL_SIZE_MAX),
	E(LAYOUT_TUNIFORM, noise, 0, NOISE_64_MAX),
	E(LAYOUT_COUNT, message_modulus, 4, 4),
	E(LAYOUT_COUNT, carry_modulus, 4, 4),
	MODULUS(64),
	E(LAYOUT_EXPANSION, expansion, 0, 1),
	E(LAYOUT_VARIANT, zk_scheme, 0, 2),
};
const struct layout fhe_pke_layout = LAYOUT_OF("CompactPublicKeyEncryptionParameters", pke_rows);

#define K(kind, field, lo, hi) ROW(kind, fhe_ks_params, field, lo, hi)
static const struct layout_row ks_rows[] = {
	VERSION("ShortintKeySwitchingParameters", 0),
	K(LAYOUT_COUNT, base_log, 1, BASE_LOG_MAX),
	K(LAYOUT_COUNT, level, 1, LEVEL_MAX),
	K(LAYOUT_VARIANT, destination, 0, 1),
};
const struct layout fhe_ks_layout = LAYOUT_OF("ShortintKeySwitchingParameters", ks_rows);

#define L(kind, field, lo, hi) ROW(kind, fhe_compression_params, field, lo, hi)
static const struct layout_row compression_rows[] = {
	VERSION("CompressionParameters", 1),
	VERSION("CompressionParameters variant (Classic)", 0),
	VERSION("ClassicCompressionParameters", 0),
	L(LAYOUT_COUNT, br_level, 1, LEVEL_MAX),
	L(LAYOUT_COUNT, br_base_log, 1, BASE_LOG_MAX),
	L(LAYOUT_COUNT, packing_level, 1, LEVEL_MAX),
	L(LAYOUT_COUNT, packing_base_log, 1, BASE_LOG_MAX),
	L(LAYOUT_COUNT, polynomial_size, 1, POLYNOMIAL_SIZE_MAX),
	L(LAYOUT_COUNT, glwe_dimension, 1, GLWE_DIMENSION_MAX),
	L(LAYOUT_COUNT, lwe_per_glwe, 1, POLYNOMIAL_SIZE_MAX),
	L(LAYOUT_COUNT, storage_log_modulus, 1, 64),
	L(LAYOUT_TUNIFORM, noise, 0, NOISE_64_MAX),
};
const struct layout fhe_compression_layout =
	LAYOUT_OF("ClassicCompressionParameters", compression_rows);

#define S(kind, field, lo, hi) ROW(kind, fhe_sns_params, field, lo, hi)
static const struct layout_row sns_rows[] = {
	VERSION("NoiseSquashingParameters", 2),
	VERSION("NoiseSquashingParameters variant (Classic)", 0),
	VERSION("NoiseSquashingClassicParameters", 0),
	S(LAYOUT_COUNT, glwe_dimension, 1, GLWE_DIMENSION_MAX),
	S(LAYOUT_COUNT, polynomial_size, 1, POLYNOMIAL_SIZE_MAX),
	S(LAYOUT_TUNIFORM, noise, 0, NOISE_64_MAX),
	S(LAYOUT_COUNT, base_log, 1, BASE_LOG_MAX),
	S(LAYOUT_COUNT, level, 1, LEVEL_MAX),
	S(LAYOUT_MOD_SWITCH, mod_switch, 0, 0),
	S(LAYOUT_COUNT, message_modulus, 4, 4),
	S(LAYOUT_COUNT, carry_modulus, 4, 4),
	MODULUS(128),
};
const struct layout fhe_sns_layout = LAYOUT_OF("NoiseSquashingClassicParameters", sns_rows);

#define Q(kind, field, lo, hi) ROW(kind, fhe_sns_compression_params, field, lo, hi)
static const struct layout_row sns_compression_rows[] = {
	VERSION("NoiseSquashingCompressionParameters", 0),
	Q(LAYOUT_COUNT, packing_level, 1, LEVEL_MAX),
	Q(LAYOUT_COUNT, packing_base_log, 1, BASE_LOG_MAX),
	Q(LAYOUT_COUNT, polynomial_size, 1, POLYNOMIAL_SIZE_MAX),
	Q(LAYOUT_COUNT, glwe_dimension, 1, GLWE_DIMENSION_MAX),
	Q(LAYOUT_COUNT, lwe_per_glwe, 1, POLYNOMIAL_SIZE_MAX),
	Q(LAYOUT_TUNIFORM, noise, 0, NOISE_64_MAX),
	Q(LAYOUT_COUNT, message_modulus, 4, 4),
	Q(LAYOUT_COUNT, carry_modulus, 4, 4),
	MODULUS(128),
};
const struct layout fhe_sns_compression_layout =
	LAYOUT_OF("NoiseSquashingCompressionParameters", sns_compression_rows);

/* ---- a whole set ---- */

#define PART(of, field, of_layout)                                                                 \
	static const struct layout_row of##_rows[] = {                                             \
		{.kind = LAYOUT_SUB,                                                               \
		 .name = #field,                                                                   \
		 .offset = offsetof(struct fhe_params, field),                                     \
		 .sub = &(of_layout)},                                                             \
	};                                                                                         \
	static const struct layout of = LAYOUT_OF(#field, of##_rows)
PART(compression_part, compression, fhe_compression_layout);
PART(sns_part, sns, fhe_sns_layout);
PART(sns_compression_part, sns_compression, fhe_sns_compression_layout);

static const struct layout_row pke_part_rows[] = {
	{.kind = LAYOUT_SUB, .name = "pke", .offset = P(pke), .sub = &fhe_pke_layout},
	{.kind = LAYOUT_SUB, .name = "pke_ks", .offset = P(pke_ks), .sub = &fhe_ks_layout},
};
static const struct layout pke_part = LAYOUT_OF("pke", pke_part_rows);

static const struct layout_row rerand_part_rows[] = {
	{.kind = LAYOUT_VARIANT, .name = "rerand", .offset = P(rerand), .min = 1, .max = 1},
};
static const struct layout rerand_part = LAYOUT_OF("rerand", rerand_part_rows);
static const struct layout oprf_part = {.name = "oprf"};

#define OPTION(field, part)                                                                        \
	{                                                                                          \
		.kind = LAYOUT_OPTION, .name = #field, .offset = P(field), .sub = &(part)          \
	}
static const struct layout_row params_rows[] = {
	{.kind = LAYOUT_SUB, .name = "compute", .offset = P(compute), .sub = &fhe_compute_layout},
	OPTION(has_pke, pke_part),
	OPTION(has_compression, compression_part),
	OPTION(has_sns, sns_part),
	OPTION(has_sns_compression, sns_compression_part),
	OPTION(has_rerand, rerand_part),
	OPTION(has_oprf, oprf_part),
};
const struct layout fhe_params_layout = LAYOUT_OF("parameters", params_rows);
