/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* CompactCiphertextList: lists made by tfhe-rs (WASM), packed and not, and hostile ones. */
#include "fhe_test.h"

struct expected {
	enum fhe_type type;
	uint8_t le[32];
};

/* true, u8 0xa7, u64 0x0123456789abcdef, u256 2^255 + 77 */
static const struct expected expected[] = {
	{FHE_BOOL, {1}},
	{FHE_UINT8, {0xa7}},
	{FHE_UINT64, {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01}},
	{FHE_UINT256, {[0] = 77, [31] = 0x80}},
};

static void assert_decrypts(const char *name)
{
	struct buf b = vector_read(name);
	struct fhe_client_key *ck = client_key_of("ck.bin");
	const struct fhe_type_row *type;
	struct fhe_compact_list list;
	struct fhe_plaintext v;

	assert_ok(fhe_compact_list_read(&list, buf_view(&b), NULL));
	assert_int_equal(list.items.n, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_ok(fhe_compact_list_decrypt(ck, &list, i, &type, &v, NULL));
		assert_int_equal(type->type, expected[i].type);
		assert_int_equal(v.n, type->size);
		assert_memory_equal(v.le, expected[i].le, sizeof(v.le));
	}
	assert_int_equal(fhe_compact_list_decrypt(ck, &list, ARRAY_LEN(expected), &type, &v, NULL),
			 ERR_RANGE);
	fhe_client_key_free(ck);
	buf_free(&b);
}

static void packed(void **state)
{
	(void)state;
	assert_decrypts("list_packed.bin");
}

static void unpacked(void **state)
{
	(void)state;
	assert_decrypts("list_unpacked.bin");
}

static void other_keys(void **state)
{
	struct buf b = vector_read("list_packed.bin");
	struct fhe_client_key *test = client_key_of("ck_test.bin"),
			      *full = client_key_of("ck_full.bin");
	const struct fhe_type_row *type;
	struct fhe_compact_list list;
	struct fhe_plaintext v;

	(void)state;
	assert_ok(fhe_compact_list_read(&list, buf_view(&b), NULL));
	assert_int_equal(fhe_compact_list_decrypt(test, &list, 0, &type, &v, NULL), ERR_MISMATCH);
	assert_ok(fhe_compact_list_decrypt(full, &list, 3, &type, &v, NULL));
	assert_memory_not_equal(v.le, expected[3].le, sizeof(v.le));
	fhe_client_key_free(test);
	fhe_client_key_free(full);
	buf_free(&b);
}

/* Reads, and decrypts what was read. */
static enum err try_list(struct bytes object, void *ctx)
{
	const struct fhe_type_row *type;
	struct fhe_compact_list list;
	struct fhe_plaintext v;

	TRY(fhe_compact_list_read(&list, object, NULL));
	for (size_t i = 0; i < list.items.n && i < 2; i++)
		(void)!fhe_compact_list_decrypt(ctx, &list, i, &type, &v, NULL);
	return ERR_OK;
}

static void hostile(void **state)
{
	struct buf b = vector_read("list_packed.bin");
	struct fhe_client_key *ck = client_key_of("ck.bin");

	(void)state;
	truncations_fail(buf_view(&b), try_list, ck);
	corruptions_are_safe(buf_view(&b), 97, 17143, try_list, ck);
	b.p[17159] = 82; /* number of ciphertexts */
	assert_int_equal(try_list(buf_view(&b), ck), ERR_MALFORMED);
	b.p[17159] = 83;
	b.p[17199] = 3; /* degree: as if unpacked */
	assert_int_equal(try_list(buf_view(&b), ck), ERR_MALFORMED);
	b.p[17199] = 7;
	assert_int_equal(try_list(buf_view(&b), ck), ERR_UNSUPPORTED);
	b.p[17199] = 15;
	b.p[17239 + 7] = 1; /* number of items */
	assert_int_equal(try_list(buf_view(&b), ck), ERR_TOO_BIG);
	b.p[17239 + 7] = 0;
	assert_ok(try_list(buf_view(&b), ck));
	/* one word less than dimension and number of ciphertexts say, in a list that is whole else
	 */
	b.p[87]--;
	memmove(&b.p[95], &b.p[103], b.n - 103);
	b.n -= 8;
	assert_int_equal(try_list(buf_view(&b), ck), ERR_MALFORMED);
	fhe_client_key_free(ck);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed),
		cmocka_unit_test(unpacked),
		cmocka_unit_test(other_keys),
		cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests_name("fhe compact list", tests, NULL, NULL);
}
