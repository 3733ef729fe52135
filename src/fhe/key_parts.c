/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/key_parts.h"

#include <string.h>

const enum fhe_key_id fhe_key_order[FHE_KEY_COUNT] = {
	FHE_KEY_PKE,         FHE_KEY_LWE, FHE_KEY_GLWE,
	FHE_KEY_COMPRESSION, FHE_KEY_SNS, FHE_KEY_SNS_COMPRESSION,
	FHE_KEY_OPRF,
};

/* Where a part finds its numbers in struct fhe_params. */
struct source {
	const char *name;
	enum fhe_part_message message;
	enum fhe_key_id input, key;
	unsigned width;
	bool flat;       /* the key as one polynomial, reversed: a compact public key */
	size_t present;  /* of a bool, ALWAYS */
	size_t noise;    /* of a uint32_t */
	size_t base_log; /* of a uint64_t, NONE */
	size_t level;
	size_t zeros; /* of a struct fhe_mod_switch, NONE */
};

#define ALWAYS   SIZE_MAX
#define NONE     SIZE_MAX
#define P(field) offsetof(struct fhe_params, field)

static const struct source sources[FHE_PART_COUNT] = {
	[FHE_PART_PUBLIC_KEY] = {"compact public key", FHE_MESSAGE_ZERO, FHE_KEY_PKE, FHE_KEY_PKE,
				 8, true, P(has_pke), P(pke.noise), NONE, NONE, NONE},
	[FHE_PART_COMPRESSION] = {"compression key", FHE_MESSAGE_BIT, FHE_KEY_GLWE,
				  FHE_KEY_COMPRESSION, 8, false, P(has_compression),
				  P(compression.noise), P(compression.packing_base_log),
				  P(compression.packing_level), NONE},
	[FHE_PART_DECOMPRESSION] = {"decompression key", FHE_MESSAGE_GGSW, FHE_KEY_COMPRESSION,
				    FHE_KEY_GLWE, 8, false, P(has_compression),
				    P(compute.glwe_noise), P(compression.br_base_log),
				    P(compression.br_level), NONE},
	[FHE_PART_KEY_SWITCH] = {"key switching key", FHE_MESSAGE_BIT, FHE_KEY_GLWE, FHE_KEY_LWE, 8,
				 false, ALWAYS, P(compute.lwe_noise), P(compute.ks_base_log),
				 P(compute.ks_level), NONE},
	[FHE_PART_BOOTSTRAP] = {"bootstrapping key", FHE_MESSAGE_GGSW, FHE_KEY_LWE, FHE_KEY_GLWE, 8,
				false, ALWAYS, P(compute.glwe_noise), P(compute.pbs_base_log),
				P(compute.pbs_level), NONE},
	[FHE_PART_BOOTSTRAP_ZEROS] = {"modulus switch zeros", FHE_MESSAGE_ZERO, FHE_KEY_LWE,
				      FHE_KEY_LWE, 8, false, ALWAYS, P(compute.lwe_noise), NONE,
				      NONE, P(compute.mod_switch)},
	[FHE_PART_SQUASH] = {"noise squashing key", FHE_MESSAGE_GGSW, FHE_KEY_LWE, FHE_KEY_SNS, 16,
			     false, P(has_sns), P(sns.noise), P(sns.base_log), P(sns.level), NONE},
	[FHE_PART_SQUASH_ZEROS] = {"noise squashing zeros", FHE_MESSAGE_ZERO, FHE_KEY_LWE,
				   FHE_KEY_LWE, 8, false, P(has_sns), P(compute.lwe_noise), NONE,
				   NONE, P(sns.mod_switch)},
	[FHE_PART_PKE_KEY_SWITCH] = {"public key switching key", FHE_MESSAGE_BIT, FHE_KEY_PKE,
				     FHE_KEY_LWE, 8, false, P(has_pke), P(compute.lwe_noise),
				     P(pke_ks.base_log), P(pke_ks.level), NONE},
	[FHE_PART_RERAND] = {"re-randomization key", FHE_MESSAGE_ZERO, FHE_KEY_GLWE, FHE_KEY_GLWE,
			     8, true, P(has_rerand), P(compute.glwe_noise), NONE, NONE, NONE},
	[FHE_PART_SQUASH_COMPRESSION] = {"noise squashing compression key", FHE_MESSAGE_BIT,
					 FHE_KEY_SNS, FHE_KEY_SNS_COMPRESSION, 16, false,
					 P(has_sns_compression), P(sns_compression.noise),
					 P(sns_compression.packing_base_log),
					 P(sns_compression.packing_level), NONE},
	[FHE_PART_OPRF] = {"OPRF key", FHE_MESSAGE_GGSW, FHE_KEY_OPRF, FHE_KEY_GLWE, 8, false,
			   P(has_oprf), P(compute.glwe_noise), P(compute.pbs_base_log),
			   P(compute.pbs_level), NONE},
};
#undef P

static const void *field(const struct fhe_params *p, size_t offset)
{
	return (const uint8_t *)p + offset;
}

static bool present(const struct fhe_params *p, const struct source *s)
{
	return s->present == ALWAYS || *(const bool *)field(p, s->present);
}

static uint64_t number(const struct fhe_params *p, size_t offset)
{
	return offset == NONE ? 0 : *(const uint64_t *)field(p, offset);
}

/* How many ciphertexts. */
static size_t rows_of(const struct fhe_params *p, const struct source *s,
		      const struct fhe_part_shape *shape)
{
	size_t per_bit = shape->level * (s->message == FHE_MESSAGE_GGSW ? shape->k + 1 : 1);

	if (s->flat)
		return 1;
	if (s->zeros != NONE) {
		const struct fhe_mod_switch *m = field(p, s->zeros);

		return m->kind == FHE_MOD_SWITCH_DRIFT ? (size_t)m->zeros : 0;
	}
	return fhe_params_key_bits(p, s->input) * per_bit;
}

static struct fhe_part_shape shape_of(const struct fhe_params *p, const struct source *s)
{
	size_t bits = fhe_params_key_bits(p, s->key);
	size_t polynomial = fhe_params_key_polynomial(p, s->key);
	struct fhe_part_shape shape = {
		.name = s->name,
		.n = s->flat      ? bits
		     : polynomial ? polynomial
				  : 1,
		.width = s->width,
		.noise = *(const uint32_t *)field(p, s->noise),
		.base_log = (unsigned)number(p, s->base_log),
		.level = (unsigned)number(p, s->level),
		.message = s->message,
		.reversed = s->flat,
		.input = s->input,
		.key = s->key,
	};

	shape.k = bits / shape.n;
	shape.rows = rows_of(p, s, &shape);
	return shape;
}

static uint64_t secret_keys_size(const struct fhe_params *p)
{
	uint64_t size = 0;

	for (int i = 0; i < FHE_KEY_COUNT; i++) {
		enum fhe_key_id id = (enum fhe_key_id)i;
		size_t bits = fhe_params_key_bits(p, id);
		size_t polynomial = fhe_params_key_polynomial(p, id);

		size += polynomial ? bits / polynomial * ((polynomial + 7) / 8) : (bits + 7) / 8;
	}
	return size;
}

void fhe_parts_of(struct fhe_parts *ret_parts, const struct fhe_params *params)
{
	struct fhe_parts parts = {.secret_size = FHE_MASK_SEED_SIZE + secret_keys_size(params)};

	for (int i = 0; i < FHE_PART_COUNT; i++) {
		struct fhe_part_shape *s = &parts.shape[i];

		s->name = sources[i].name;
		if (!present(params, &sources[i]))
			continue;
		*s = shape_of(params, &sources[i]);
		s->mask_at = parts.mask_size;
		s->noise_at = parts.secret_size;
		parts.mask_size += (uint64_t)s->rows * fhe_part_mask_size(s);
		parts.secret_size += (uint64_t)s->rows * s->n * fhe_noise_size(s->noise);
	}
	*ret_parts = parts;
}
