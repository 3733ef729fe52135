/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Type numbers of FHEVM, and parameter sets. */
#include "fhe_test.h"

static void numbers_and_names(void **state)
{
	static const struct {
		const char *name;
		enum fhe_type type;
		unsigned blocks, size;
	} cases[] = {
		{"bool", FHE_BOOL, 1, 1},          {"ebool", FHE_BOOL, 1, 1},
		{"uint4", FHE_UINT4, 2, 1},        {"uint8", FHE_UINT8, 4, 1},
		{"euint16", FHE_UINT16, 8, 2},     {"uint64", FHE_UINT64, 32, 8},
		{"euint64", FHE_UINT64, 32, 8},    {"uint160", FHE_UINT160, 80, 20},
		{"address", FHE_UINT160, 80, 20},  {"eaddress", FHE_UINT160, 80, 20},
		{"uint256", FHE_UINT256, 128, 32}, {"uint2048", FHE_UINT2048, 1024, 256},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct fhe_type_row *row = fhe_type_by_name(bytes_str(cases[i].name));

		assert_non_null(row);
		assert_int_equal(row->type, cases[i].type);
		assert_int_equal(row->blocks, cases[i].blocks);
		assert_int_equal(row->size, cases[i].size);
		assert_ptr_equal(row, fhe_type_find(cases[i].type));
		assert_ptr_equal(row, fhe_item_type(fhe_item_of(row)));
	}
	assert_null(fhe_type_find(12));
	assert_null(fhe_type_find(83));
	assert_null(fhe_type_by_name(bytes_str("")));
	assert_null(fhe_type_by_name(bytes_str("e")));
	assert_null(fhe_type_by_name(bytes_str("uint")));
	assert_null(fhe_type_by_name(bytes_str("int8")));
	assert_null(fhe_item_type((struct fhe_item){.kind = FHE_ITEM_SIGNED, .blocks = 4}));
	assert_null(fhe_item_type((struct fhe_item){.kind = FHE_ITEM_UNSIGNED, .blocks = 3}));
}

static void decryptable_types(void **state)
{
	(void)state;
	for (unsigned t = 0; fhe_type_find(t); t++)
		assert_int_equal(fhe_type_find(t)->decryptable, t == 0 || (t >= 2 && t <= 8));
}

static void parameter_sets(void **state)
{
	(void)state;
	assert_ptr_equal(fhe_params_by_name("default"), &fhe_params_v1_7);
	assert_ptr_equal(fhe_params_by_name("test"), &fhe_params_test);
	assert_null(fhe_params_by_name("DEFAULT"));
	assert_int_equal(fhe_params_key_bits(&fhe_params_v1_7, FHE_KEY_LWE), 918);
	assert_int_equal(fhe_params_key_bits(&fhe_params_v1_7, FHE_KEY_GLWE), 2048);
	assert_int_equal(fhe_params_key_bits(&fhe_params_v1_7, FHE_KEY_SNS), 4096);
	assert_int_equal(fhe_params_key_bits(&fhe_params_v1_7, FHE_KEY_SNS_COMPRESSION), 6144);
	assert_int_equal(fhe_params_v1_6.sns_compression.packing_base_log, 61);
	assert_int_equal(fhe_params_v1_6.sns_compression.packing_level, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_names),
		cmocka_unit_test(decryptable_types),
		cmocka_unit_test(parameter_sets),
	};

	return cmocka_run_group_tests_name("fhe types", tests, NULL, NULL);
}
