/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/types.h"

#define UINT(n)                                                                                    \
	{                                                                                          \
		.type = FHE_UINT##n, .name = "uint" #n, .bits = (n), .blocks = (n) / 2,            \
		.size = ((n) + 7) / 8                                                              \
	}
#define UINT_DECRYPTABLE(n)                                                                        \
	{                                                                                          \
		.type = FHE_UINT##n, .name = "uint" #n, .bits = (n), .blocks = (n) / 2,            \
		.size = (n) / 8, .decryptable = true                                               \
	}

/* Indexed by the number of the type. */
static const struct fhe_type_row type_rows[] = {
	{.type = FHE_BOOL, .name = "bool", .bits = 1, .blocks = 1, .size = 1, .decryptable = true},
	UINT(4),
	UINT_DECRYPTABLE(8),
	UINT_DECRYPTABLE(16),
	UINT_DECRYPTABLE(32),
	UINT_DECRYPTABLE(64),
	UINT_DECRYPTABLE(128),
	UINT_DECRYPTABLE(160),
	UINT_DECRYPTABLE(256),
	UINT(512),
	UINT(1024),
	UINT(2048),
};

const struct fhe_type_row *fhe_type_find(unsigned type)
{
	return type < ARRAY_LEN(type_rows) ? &type_rows[type] : NULL;
}

static struct bytes name_plain(struct bytes name)
{
	return name.n && name.p[0] == 'e' ? bytes_sub(name, 1, name.n - 1) : name;
}

const struct fhe_type_row *fhe_type_by_name(struct bytes name)
{
	struct bytes plain = name_plain(name);

	if (bytes_eq_var(plain, BYTES_LIT("address")))
		return fhe_type_find(FHE_UINT160);
	for (size_t i = 0; i < ARRAY_LEN(type_rows); i++)
		if (bytes_eq_var(plain, bytes_str(type_rows[i].name)))
			return &type_rows[i];
	return NULL;
}
