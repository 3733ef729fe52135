/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The named parameter sets, and what a set must satisfy. */
#include "fhe/params.h"
#include "fhe_test.h"

static void named_sets_are_sound(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct fhe_param_set *s = fhe_param_sets; s->name; s++, n++) {
		struct err_note note = {0};

		if (fhe_params_check(s->params, &note) != ERR_OK)
			fail_msg("%s: %s", s->name, note.text);
		assert_ptr_equal(fhe_params_by_name(s->name), s->params);
	}
	assert_int_equal(n, 4);
	assert_null(fhe_params_by_name("bench"));
}

/* Keys of tfhe-rs carry the numbers of our tables. */
static void sets_are_those_of_real_keys(void **state)
{
	static const struct {
		const char *file;
		const struct fhe_params *params;
	} rows[] = {{"ck_full.bin", &fhe_params_v1_7}, {"ck_test.bin", &fhe_params_test}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fhe_client_key *k = client_key_of(rows[i].file);
		struct buf a = buf_make(1 << 20), b = buf_make(1 << 20);
		struct bincode_writer wa = {.out = &a}, wb = {.out = &b};

		assert_ok(fhe_params_check(&k->params, NULL));
		layout_write(&wa, &fhe_client_key_layout, k);
		k->params = *rows[i].params;
		layout_write(&wb, &fhe_client_key_layout, k);
		assert_bytes_equal(buf_view(&a), buf_view(&b));
		buf_wipe(&a);
		buf_wipe(&b);
		fhe_client_key_free(k);
	}
}

/* The two generations differ in one pair of numbers. */
static void generations(void **state)
{
	struct fhe_params p = fhe_params_v1_6;

	(void)state;
	p.sns_compression.packing_base_log = 41;
	p.sns_compression.packing_level = 2;
	assert_memory_equal(&p, &fhe_params_v1_7, sizeof(p));
}

#define U64(field, v)                                                                              \
	{                                                                                          \
		offsetof(struct fhe_params, field), (v), false                                     \
	}
#define U32(field, v)                                                                              \
	{                                                                                          \
		offsetof(struct fhe_params, field), (v), true                                      \
	}

static void unsound_sets_are_refused(void **state)
{
	static const struct {
		size_t offset;
		uint64_t value;
		bool narrow;
	} rows[] = {
		U64(compute.lwe_dimension, 0),
		U64(compute.lwe_dimension, 1 << 20),
		U64(compute.glwe_dimension, 3),
		U64(compute.polynomial_size, 2047),
		U64(compute.polynomial_size, 1 << 14),
		U64(compute.polynomial_size, 1),
		U32(compute.lwe_noise, 63),
		U32(compute.glwe_noise, 63),
		U64(compute.pbs_base_log, 65),
		U64(compute.pbs_level, 3),
		U64(compute.ks_base_log, 0),
		U64(compute.ks_level, 17),
		U64(compute.message_modulus, 8),
		U64(compute.carry_modulus, 2),
		U32(compute.encryption_key, 1),
		U32(compute.mod_switch.kind, 3),
		U32(compute.mod_switch.kind, 1), /* drift with no zeros */
		U64(pke.dimension, 2000),
		U32(pke.noise, 63),
		U32(pke.zk_scheme, 3),
		U32(pke_ks.destination, 0),
		U64(pke_ks.level, 17),
		U64(compression.polynomial_size, 300),
		U64(compression.lwe_per_glwe, 257),
		U64(compression.packing_level, 17),
		U64(compression.br_level, 3),
		U64(compression.storage_log_modulus, 65),
		U64(sns.polynomial_size, 3),
		U64(sns.level, 6),
		U32(sns.mod_switch.kind, 4),
		U32(has_sns, 0),
		U64(sns_compression.polynomial_size, 1000),
		U64(sns_compression.lwe_per_glwe, 1025),
		U64(sns_compression.packing_level, 4),
		U32(rerand, 0),
		U64(compute.glwe_dimension, 8), /* 16384: longer than any transform */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fhe_params p = fhe_params_v1_7;
		uint8_t *field = (uint8_t *)&p + rows[i].offset;
		struct err_note note = {0};

		if (rows[i].offset == offsetof(struct fhe_params, has_sns))
			p.has_sns = false;
		else
			memcpy(field, &rows[i].value, rows[i].narrow ? 4 : 8); /* little endian */
		if (fhe_params_check(&p, &note) != ERR_UNSUPPORTED || note.text[0] == '\0')
			fail_msg("row %zu was accepted", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_sets_are_sound),
		cmocka_unit_test(sets_are_those_of_real_keys),
		cmocka_unit_test(generations),
		cmocka_unit_test(unsound_sets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
