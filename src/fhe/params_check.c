/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What a parameter set must satisfy before keys are made from it or held against it. */
#include "fhe/params.h"

enum {
	ZEROS_MAX = 4096,
	POLYNOMIAL_MIN = 2,
	RERAND_MAX = 8192, /* its key is one polynomial: FHE_NTT_SIZE_MAX */
};

struct part_layout {
	const struct layout *layout;
	size_t present; /* of a bool; SIZE_MAX: always there */
	size_t offset;
};

#define P(field) offsetof(struct fhe_params, field)
static const struct part_layout part_layouts[] = {
	{&fhe_compute_layout, SIZE_MAX, P(compute)},
	{&fhe_pke_layout, P(has_pke), P(pke)},
	{&fhe_ks_layout, P(has_pke), P(pke_ks)},
	{&fhe_compression_layout, P(has_compression), P(compression)},
	{&fhe_sns_layout, P(has_sns), P(sns)},
	{&fhe_sns_compression_layout, P(has_sns_compression), P(sns_compression)},
};
#undef P

static bool flag(const struct fhe_params *p, size_t offset)
{
	return offset == SIZE_MAX || *(const bool *)((const uint8_t *)p + offset);
}

static bool power_of_two(uint64_t n)
{
	return n >= POLYNOMIAL_MIN && (n & (n - 1)) == 0;
}

/* The finest level must still have a place in a word. */
static bool fits(uint64_t base_log, uint64_t level, unsigned width)
{
	return base_log * level <= width;
}

static bool mod_switch_sane(const struct fhe_mod_switch *m)
{
	return m->kind <= FHE_MOD_SWITCH_CENTERED_MEAN &&
	       (m->kind != FHE_MOD_SWITCH_DRIFT || (m->zeros >= 1 && m->zeros <= ZEROS_MAX));
}

enum err fhe_params_check(const struct fhe_params *p, struct err_note *note)
{
	for (size_t i = 0; i < ARRAY_LEN(part_layouts); i++)
		if (flag(p, part_layouts[i].present))
			TRY(layout_check(part_layouts[i].layout,
					 (const uint8_t *)p + part_layouts[i].offset, note));

	const struct {
		bool required, holds;
		const char *what;
	} rules[] = {
		{true, power_of_two(p->compute.polynomial_size), "compute polynomial_size"},
		{true, power_of_two(p->compute.glwe_dimension * p->compute.polynomial_size),
		 "size of the big key"},
		{true, fits(p->compute.pbs_base_log, p->compute.pbs_level, 64), "PBS levels"},
		{true, fits(p->compute.ks_base_log, p->compute.ks_level, 64), "KS levels"},
		{true, mod_switch_sane(&p->compute.mod_switch), "modulus switch"},
		{p->has_pke, power_of_two(p->pke.dimension), "PKE dimension"},
		{p->has_pke, p->pke_ks.destination == 1, "PKE key switch to the big key"},
		{p->has_pke, fits(p->pke_ks.base_log, p->pke_ks.level, 64), "PKE KS levels"},
		{p->has_compression, power_of_two(p->compression.polynomial_size),
		 "compression polynomial_size"},
		{p->has_compression, p->compression.lwe_per_glwe <= p->compression.polynomial_size,
		 "compression lwe_per_glwe"},
		{p->has_compression,
		 fits(p->compression.packing_base_log, p->compression.packing_level, 64),
		 "compression packing levels"},
		{p->has_compression, fits(p->compression.br_base_log, p->compression.br_level, 64),
		 "decompression levels"},
		{p->has_sns, power_of_two(p->sns.polynomial_size), "squashing polynomial_size"},
		{p->has_sns, fits(p->sns.base_log, p->sns.level, 128), "squashing levels"},
		{p->has_sns, mod_switch_sane(&p->sns.mod_switch), "squashing modulus switch"},
		{p->has_sns_compression, p->has_sns, "squashed lists without squashing"},
		{p->has_sns_compression, power_of_two(p->sns_compression.polynomial_size),
		 "squashed list polynomial_size"},
		{p->has_sns_compression,
		 p->sns_compression.lwe_per_glwe <= p->sns_compression.polynomial_size,
		 "squashed list lwe_per_glwe"},
		{p->has_sns_compression,
		 fits(p->sns_compression.packing_base_log, p->sns_compression.packing_level, 128),
		 "squashed list packing levels"},
		{p->has_rerand, p->rerand == 1, "re-randomization"},
		{p->has_rerand,
		 p->compute.glwe_dimension * p->compute.polynomial_size <= RERAND_MAX,
		 "re-randomization of a big key of that size"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].required && !rules[i].holds)
			return err_say(note, ERR_UNSUPPORTED, "FHE parameters: %s", rules[i].what);
	return ERR_OK;
}
