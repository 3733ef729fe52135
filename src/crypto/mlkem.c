/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The choice of the implementation, lengths, and that outputs are written on success only. */
#include "crypto/mlkem.h"

#include "crypto/mlkem_internal.h"

static const struct mlkem_sizes sizes_of[MLKEM_SETS] = {
	[MLKEM_512] = {MLKEM_512_EK_SIZE, MLKEM_512_DK_SIZE, MLKEM_512_CT_SIZE},
	[MLKEM_1024] = {MLKEM_1024_EK_SIZE, MLKEM_1024_DK_SIZE, MLKEM_1024_CT_SIZE},
};

struct mlkem_sizes mlkem_sizes(enum mlkem_set set)
{
	CHECK((unsigned)set < MLKEM_SETS);
	return sizes_of[set];
}

const struct mlkem_backend *mlkem_backend(void)
{
#ifdef MLKEM_BY_OPENSSL
	return &mlkem_backend_openssl;
#else
	return &mlkem_backend_own;
#endif
}

enum err mlkem_keygen(enum mlkem_set set, uint8_t *ret_ek, uint8_t *ret_dk,
		      const struct secret32 *d, const struct secret32 *z)
{
	struct mlkem_sizes sizes = mlkem_sizes(set);
	uint8_t ek[MLKEM_EK_SIZE_MAX], dk[MLKEM_DK_SIZE_MAX];
	enum err e = mlkem_backend()->keygen(set, ek, dk, d, z);

	if (e == ERR_OK) {
		memcpy(ret_ek, ek, sizes.ek);
		memcpy(ret_dk, dk, sizes.dk);
	}
	secret_wipe(dk, sizeof(dk));
	return e;
}

enum err mlkem_ek_check(enum mlkem_set set, struct bytes ek)
{
	if (ek.n != mlkem_sizes(set).ek)
		return ERR_MALFORMED;
	return mlkem_backend()->ek_check(set, ek);
}

enum err mlkem_encaps(enum mlkem_set set, struct secret32 *ret_shared, uint8_t *ret_ct,
		      struct bytes ek, const struct secret32 *m)
{
	CLEANUP(secret32_wipe) struct secret32 shared;
	uint8_t ct[MLKEM_CT_SIZE_MAX];

	if (ek.n != mlkem_sizes(set).ek)
		return ERR_MALFORMED;
	TRY(mlkem_backend()->encaps(set, &shared, ct, ek, m));
	memcpy(ret_ct, ct, mlkem_sizes(set).ct);
	*ret_shared = shared;
	return ERR_OK;
}

enum err mlkem_decaps(enum mlkem_set set, struct secret32 *ret_shared, struct bytes dk,
		      struct bytes ct)
{
	struct mlkem_sizes sizes = mlkem_sizes(set);
	CLEANUP(secret32_wipe) struct secret32 shared;

	if (dk.n != sizes.dk || ct.n != sizes.ct)
		return ERR_MALFORMED;
	TRY(mlkem_backend()->decaps(set, &shared, dk, ct));
	*ret_shared = shared;
	return ERR_OK;
}
