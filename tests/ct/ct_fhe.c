/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* fhe_decrypt of every format, under the keys of both parameter sets. */
#include "ct.h"
#include "fhe/client_key.h"
#include "fhe/negacyclic.h"

static struct fhe_client_key *key_read(const char *name)
{
	struct buf b = ct_vector(name);
	struct fhe_client_key *k;

	CHECK(fhe_client_key_read(&k, buf_view(&b), NULL) == ERR_OK);
	CT_SECRET(k->secret.p, k->secret.n);
	buf_free(&b);
	return k;
}

static void good(void)
{
	static const struct {
		const char *key, *file;
		enum fhe_format format;
		enum fhe_type type;
		uint8_t lowest;
	} rows[] = {
		{"ck_full", "ck_full_u8", FHE_SMALL_EXPANDED, FHE_UINT8, 0x5a},
		{"ck_test", "nat_test_u64", FHE_SMALL_EXPANDED, FHE_UINT64, 0xef},
		{"ck", "bool", FHE_SMALL_EXPANDED, FHE_BOOL, 1},
		{"ck_full", "nat_full_ccl", FHE_SMALL_COMPRESSED, FHE_UINT64, 0xef},
		{"ck_test", "nat_test_ccl", FHE_SMALL_COMPRESSED, FHE_UINT64, 0xef},
		{"ck_full", "nat_full_sq8", FHE_BIG_EXPANDED, FHE_UINT8, 0x5a},
		{"ck_test", "nat_test_sqbool", FHE_BIG_EXPANDED, FHE_BOOL, 1},
		{"ck_full", "nat_full_csq64", FHE_BIG_COMPRESSED, FHE_UINT64, 0xef},
		{"ck_test", "nat_test_csq64", FHE_BIG_COMPRESSED, FHE_UINT64, 0xef},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char key[64], file[64];

		(void)snprintf(key, sizeof(key), "tfhe/%s.bin", rows[i].key);
		(void)snprintf(file, sizeof(file), "tfhe/%s.bin", rows[i].file);

		struct fhe_client_key *k = key_read(key);
		struct buf ct = ct_vector(file);
		struct fhe_plaintext v;

		CHECK(fhe_decrypt(k, &v, rows[i].type, rows[i].format, buf_view(&ct), NULL) ==
		      ERR_OK);
		CT_PUBLIC(&v, sizeof(v));
		CHECK(v.le[0] == rows[i].lowest);
		fhe_client_key_free(k);
		buf_free(&ct);
	}
}

/* The inner product that adds only where the key has a one. */
static void branch(void)
{
	struct fhe_client_key *k = key_read("tfhe/ck_test.bin");
	struct bytes bits = fhe_client_key_bits(k, FHE_KEY_GLWE);

	for (size_t i = 0; i < bits.n; i++)
		if (bits.p[i])
			ct_sink += (unsigned)i;
	fhe_client_key_free(k);
}

/* The inner product that takes the word or zero out of a pair. */
static void table(void)
{
	struct fhe_client_key *k = key_read("tfhe/ck_test.bin");
	struct bytes bits = fhe_client_key_bits(k, FHE_KEY_GLWE);

	for (size_t i = 0; i < bits.n; i++) {
		const volatile unsigned pair[2] = {0, (unsigned)i};

		ct_sink += pair[bits.p[i]];
	}
	fhe_client_key_free(k);
}

int main(int argc, char **argv)
{
	static const struct ct_case cases[] = {
		{"good", good}, {"branch", branch}, {"table", table}};

	return ct_main(argc, argv, cases, ARRAY_LEN(cases));
}
