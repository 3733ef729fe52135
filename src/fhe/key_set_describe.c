/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What a key set must look like for given parameters; reading is held against it, writing starts
 * from it. */
#include "fhe/key_set.h"

enum {
	/* tfhe-rs' centralised key generation: the highest degree that may still be added to
	 * another of 3. */
	DEGREE_HEADROOM = 3,
	BLOCK = 16,
};

void fhe_key_set_describe(struct fhe_key_set *ret_set, const struct fhe_params *params,
			  struct bytes seed, struct bytes tag)
{
	const struct fhe_compute_params *c = &params->compute;
	struct fhe_key_set set = {
		.seed = seed,
		.pke = params->pke,
		.rerand_pke = {.dimension = c->glwe_dimension * c->polynomial_size,
			       .noise = c->glwe_noise,
			       .message_modulus = c->message_modulus,
			       .carry_modulus = c->carry_modulus,
			       .expansion = 1},
		.pke_tag = tag,
		.tag = tag,
		.mod_switch = c->mod_switch,
		.sns_mod_switch = params->sns.mod_switch,
		.message_modulus = c->message_modulus,
		.carry_modulus = c->carry_modulus,
		.max_degree = c->message_modulus * c->carry_modulus - 1 - DEGREE_HEADROOM,
		.max_noise_level = c->max_noise_level,
		.has_pke_ks = params->has_pke,
		.has_compression = params->has_compression,
		.has_decompression = params->has_compression,
		.has_sns = params->has_sns,
		.has_sns_compression = params->has_sns_compression,
		.has_rerand = params->has_rerand,
		.has_oprf = params->has_oprf,
		.pke_ks_destination = params->pke_ks.destination,
		.compression_lwe_per_glwe = params->compression.lwe_per_glwe,
		.storage_log_modulus = params->compression.storage_log_modulus,
		.decompression_lwe_per_glwe = params->compression.lwe_per_glwe,
		.sns_message_modulus = params->sns.message_modulus,
		.sns_carry_modulus = params->sns.carry_modulus,
		.sns_compression_lwe_per_glwe = params->sns_compression.lwe_per_glwe,
	};
	struct fhe_parts parts;

	fhe_parts_of(&parts, params);
	for (int i = 0; i < FHE_PART_COUNT; i++) {
		const struct fhe_part_shape *s = &parts.shape[i];

		if (s->rows == 0)
			continue;
		set.parts[i] = (struct fhe_seeded){
			.words = {.n = (size_t)fhe_part_body_size(s)},
			.size = s->k + 1,
			.polynomial_size = s->n,
			.base_log = s->base_log,
			.level = s->level,
			.seed = {.kind = FHE_SEED_XOF,
				 .bytes = seed,
				 .block = s->mask_at / BLOCK,
				 .byte = s->mask_at % BLOCK},
		};
	}
	*ret_set = set;
}

/* ---- checking ---- */

struct number {
	const char *name;
	size_t offset;
};

#define N(field)                                                                                   \
	{                                                                                          \
#field, offsetof(struct fhe_key_set, field)                                        \
	}
static const struct number server_numbers[] = {
	N(message_modulus),          N(carry_modulus),       N(max_noise_level),
	N(compression_lwe_per_glwe), N(storage_log_modulus), N(decompression_lwe_per_glwe),
	N(sns_message_modulus),      N(sns_carry_modulus),   N(sns_compression_lwe_per_glwe),
};
static const struct number server_flags[] = {
	N(has_pke_ks), N(has_compression),     N(has_decompression), N(has_sns),
	N(has_oprf),   N(has_sns_compression), N(has_rerand),
};
#undef N

static const void *field(const struct fhe_key_set *set, size_t offset)
{
	return (const uint8_t *)set + offset;
}

static bool pke_equal(const struct fhe_pke_params *a, const struct fhe_pke_params *b)
{
	return a->dimension == b->dimension && a->noise == b->noise &&
	       a->message_modulus == b->message_modulus && a->carry_modulus == b->carry_modulus &&
	       a->expansion == b->expansion && a->zk_scheme == b->zk_scheme;
}

static bool mod_switch_equal(const struct fhe_mod_switch *a, const struct fhe_mod_switch *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind != FHE_MOD_SWITCH_DRIFT ||
	       (memcmp(&a->bound, &b->bound, sizeof(a->bound)) == 0 &&
		memcmp(&a->r_sigma, &b->r_sigma, sizeof(a->r_sigma)) == 0 &&
		memcmp(&a->variance, &b->variance, sizeof(a->variance)) == 0);
}

/* Fields that a part does not store (a key switch has no polynomial size) are not compared. */
static enum err check_part(const struct fhe_seeded *have, const struct fhe_seeded *want,
			   const char *name, bool one_stream, struct err_note *note)
{
	const struct {
		uint64_t have, want;
		const char *what;
		bool stored;
	} rows[] = {
		{have->words.n, want->words.n, "bytes", true},
		{have->size, want->size, "size", true},
		{have->polynomial_size, want->polynomial_size, "polynomial size",
		 have->polynomial_size != 0},
		{have->base_log, want->base_log, "base", have->base_log != 0},
		{have->level, want->level, "levels", have->level != 0},
		{have->seed.block, want->seed.block, "first block of the masks", one_stream},
		{have->seed.byte, want->seed.byte, "first byte of the masks", one_stream},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].stored && rows[i].have != rows[i].want)
			return err_say(note, ERR_MISMATCH,
				       "%s: %s is %llu, its parameters say %llu", name,
				       rows[i].what, (unsigned long long)rows[i].have,
				       (unsigned long long)rows[i].want);
	if (one_stream && want->words.n &&
	    (have->seed.kind != FHE_SEED_XOF || !bytes_eq_var(have->seed.bytes, want->seed.bytes)))
		return err_say(note, ERR_MISMATCH, "%s: masks of another seed", name);
	return ERR_OK;
}

static enum err check_server(const struct fhe_key_set *have, const struct fhe_key_set *want,
			     struct err_note *note)
{
	for (size_t i = 0; i < ARRAY_LEN(server_flags); i++)
		if (*(const bool *)field(have, server_flags[i].offset) !=
		    *(const bool *)field(want, server_flags[i].offset))
			return err_say(note, ERR_MISMATCH, "CompressedServerKey: %s",
				       server_flags[i].name);
	for (size_t i = 0; i < ARRAY_LEN(server_numbers); i++)
		if (*(const uint64_t *)field(have, server_numbers[i].offset) !=
		    *(const uint64_t *)field(want, server_numbers[i].offset))
			return err_say(note, ERR_MISMATCH, "CompressedServerKey: %s",
				       server_numbers[i].name);
	if (!mod_switch_equal(&have->mod_switch, &want->mod_switch) ||
	    (want->has_sns && !mod_switch_equal(&have->sns_mod_switch, &want->sns_mod_switch)))
		return err_say(note, ERR_MISMATCH, "CompressedServerKey: modulus switch");
	if (want->has_pke_ks && have->pke_ks_destination != want->pke_ks_destination)
		return err_say(note, ERR_MISMATCH, "CompressedServerKey: destination_key");
	if (want->has_rerand && !pke_equal(&have->rerand_pke, &want->rerand_pke))
		return err_say(note, ERR_MISMATCH, "CompressedServerKey: re-randomization key");
	return ERR_OK;
}

enum err fhe_key_set_check(const struct fhe_key_set *set, enum fhe_key_object object,
			   const struct fhe_params *params, struct err_note *note)
{
	struct fhe_key_set want;
	struct fhe_parts parts;

	fhe_parts_of(&parts, params);
	fhe_key_set_describe(&want, params, set->seed, BYTES_NONE);
	if (object != FHE_OBJECT_SERVER_KEY && !pke_equal(&set->pke, &want.pke))
		return err_say(note, ERR_MISMATCH, "CompressedCompactPublicKey: parameters");
	if (object != FHE_OBJECT_PUBLIC_KEY)
		TRY(check_server(set, &want, note));
	if (object == FHE_OBJECT_KEY_SET && !bytes_eq_var(set->tag, set->pke_tag))
		return err_say(note, ERR_MISMATCH, "CompressedXofKeySet: two tags");
	for (int i = 0; i < FHE_PART_COUNT; i++) {
		bool is_public = i == FHE_PART_PUBLIC_KEY;

		if ((object == FHE_OBJECT_PUBLIC_KEY && !is_public) ||
		    (object == FHE_OBJECT_SERVER_KEY && is_public))
			continue;
		TRY(check_part(&set->parts[i], &want.parts[i], parts.shape[i].name,
			       object == FHE_OBJECT_KEY_SET, note));
	}
	return ERR_OK;
}
