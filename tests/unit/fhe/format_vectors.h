/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Ciphertexts by tfhe-rs in the formats beside BigCompressed, and what its tests share. */
#ifndef FORMAT_VECTORS_H
#define FORMAT_VECTORS_H

#include "fhe_test.h"

static const uint8_t le64[8] = {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01};

static inline enum err decrypt(const struct fhe_client_key *k, struct fhe_plaintext *v,
			       enum fhe_type type, enum fhe_format format, struct bytes ct)
{
	struct err_note note = {0};
	enum err e = fhe_decrypt(k, v, type, format, ct, &note);

	if (e != ERR_OK)
		assert_int_not_equal(note.text[0], 0);
	return e;
}

static inline void assert_decrypts(const struct fhe_client_key *k, enum fhe_type type,
				   enum fhe_format format, struct bytes ct, struct bytes want)
{
	struct fhe_plaintext v;

	assert_ok(decrypt(k, &v, type, format, ct));
	assert_bytes_equal(bytes_from(v.le, v.n), want);
}

static inline void assert_refused(const struct fhe_client_key *k, enum fhe_type type,
				  enum fhe_format format, struct bytes ct, enum err want)
{
	struct fhe_plaintext v = {.n = 99};
	enum err e = decrypt(k, &v, type, format, ct);

	if (e != want)
		fail_msg("%s instead of %s", err_name(e), err_name(want));
	assert_int_equal(v.n, 99);
}

static const struct {
	const char *key, *file;
	enum fhe_format format;
	enum fhe_type type;
	struct bytes value;
} vectors[] = {
	{"ck.bin", "u8.bin", FHE_SMALL_EXPANDED, FHE_UINT8, {(const uint8_t *)"\xa7", 1}},
	{"ck.bin", "bool.bin", FHE_SMALL_EXPANDED, FHE_BOOL, {(const uint8_t *)"\1", 1}},
	{"ck_full.bin", "ck_full_u8.bin", FHE_SMALL_EXPANDED, FHE_UINT8, {(const uint8_t *)"Z", 1}},
	{"ck_test.bin", "nat_test_u64.bin", FHE_SMALL_EXPANDED, FHE_UINT64, {le64, 8}},
	{"ck_full.bin", "nat_full_ccl.bin", FHE_SMALL_COMPRESSED, FHE_UINT64, {le64, 8}},
	{"ck_test.bin", "nat_test_ccl.bin", FHE_SMALL_COMPRESSED, FHE_UINT64, {le64, 8}},
	{"ck_full.bin", "nat_full_sq8.bin", FHE_BIG_EXPANDED, FHE_UINT8, {(const uint8_t *)"Z", 1}},
	{"ck_full.bin", "my_sq8.bin", FHE_BIG_EXPANDED, FHE_UINT8, {(const uint8_t *)"Z", 1}},
	{"ck_test.bin", "nat_test_sq8.bin", FHE_BIG_EXPANDED, FHE_UINT8, {(const uint8_t *)"Z", 1}},
	{"ck_test.bin",
	 "nat_test_sqbool.bin",
	 FHE_BIG_EXPANDED,
	 FHE_BOOL,
	 {(const uint8_t *)"\1", 1}},
};

#endif
