/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The value types of FHEVM (tfhe-rs FheTypes numbering; byte 30 of a handle; fhe_type in gRPC) and
 * ciphertext formats. */
#ifndef FHE_TYPES_H
#define FHE_TYPES_H

#include "base/bytes.h"

enum fhe_type {
	FHE_BOOL = 0,
	FHE_UINT4 = 1,
	FHE_UINT8 = 2,
	FHE_UINT16 = 3,
	FHE_UINT32 = 4,
	FHE_UINT64 = 5,
	FHE_UINT128 = 6,
	FHE_UINT160 = 7, /* addresses */
	FHE_UINT256 = 8,
	FHE_UINT512 = 9,
	FHE_UINT1024 = 10,
	FHE_UINT2048 = 11,
};

/* gRPC kms.v1.CiphertextFormat */
enum fhe_format {
	FHE_SMALL_COMPRESSED = 0, /* CompressedCiphertextList, element 0 */
	FHE_SMALL_EXPANDED = 1,   /* FheBool / FheUint */
	FHE_BIG_COMPRESSED =
		2, /* CompressedSquashedNoiseCiphertextList, element 0: what coprocessors store */
	FHE_BIG_EXPANDED = 3, /* SquashedNoiseFheBool / SquashedNoiseFheUint */
};

struct fhe_type_row {
	enum fhe_type type;
	const char *name; /* "uint64" */
	unsigned bits;    /* 1 for bool */
	unsigned blocks;  /* 2-bit radix blocks; bool 1 */
	unsigned size;    /* plaintext bytes */
	bool decryptable; /* end to end through the gateway */
};

/* NULL for an unknown number. */
const struct fhe_type_row *fhe_type_find(unsigned type);

/* Accepts "uint64", "euint64", "bool", "ebool", "address", "eaddress". NULL if none fits. */
const struct fhe_type_row *fhe_type_by_name(struct bytes name);

#endif
