/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Our own ML-KEM: decapsulation of right and wrong ciphertexts, and encapsulation. */
#include "crypto/mlkem_internal.h"
#include "ct.h"

struct pair {
	enum mlkem_set set;
	struct mlkem_sizes sizes;
	uint8_t ek[MLKEM_EK_SIZE_MAX], dk[MLKEM_DK_SIZE_MAX];
	uint8_t ct[2][MLKEM_CT_SIZE_MAX]; /* right, wrong */
	struct secret32 shared;
};

/* A pair whose secret parts are marked: the key of K-PKE in front, z at the end. */
static struct pair pair_make(enum mlkem_set set)
{
	const struct secret32 d = {{1}}, z = {{2}}, m = {{3}};
	struct pair p = {.set = set, .sizes = mlkem_sizes(set)};

	CHECK(mlkem_backend_own.keygen(set, p.ek, p.dk, &d, &z) == ERR_OK);
	CHECK(mlkem_backend_own.encaps(set, &p.shared, p.ct[0], bytes_from(p.ek, p.sizes.ek), &m) ==
	      ERR_OK);
	memcpy(p.ct[1], p.ct[0], sizeof(p.ct[0]));
	p.ct[1][5] ^= 1;
	CT_SECRET(p.dk, p.sizes.dk - p.sizes.ek - 64);
	CT_SECRET(&p.dk[p.sizes.dk - 32], 32);
	return p;
}

static void good(void)
{
	for (enum mlkem_set set = MLKEM_512; set < MLKEM_SETS; set++) {
		struct pair p = pair_make(set);
		struct secret32 shared, m = {{4}};

		for (size_t i = 0; i < 2; i++) {
			CHECK(mlkem_backend_own.decaps(set, &shared, bytes_from(p.dk, p.sizes.dk),
						       bytes_from(p.ct[i], p.sizes.ct)) == ERR_OK);
			CT_PUBLIC(&shared, sizeof(shared));
			CHECK(i == !secret_eq(BYTES_OF(shared.b), BYTES_OF(p.shared.b)));
		}
		CT_SECRET(&m, sizeof(m));
		CHECK(mlkem_backend_own.encaps(set, &shared, p.ct[0], bytes_from(p.ek, p.sizes.ek),
					       &m) == ERR_OK);
	}
}

/* Decrypts, and leaves early when the message is another than expected. */
static void early_exit(void)
{
	struct pair p = pair_make(MLKEM_512);
	const uint8_t want[32] = {3};
	uint8_t m[32];

	mlkem_kpke_decrypt(mlkem_params(MLKEM_512), m, p.dk, p.ct[0]);
	for (size_t i = 0; i < sizeof(m); i++) {
		if (m[i] != want[i])
			return;
		ct_sink += 1;
	}
}

/* Decrypts, and looks something up by the message. */
static void table(void)
{
	static uint8_t rows[256] = {7};
	struct pair p = pair_make(MLKEM_1024);
	uint8_t m[32];

	mlkem_kpke_decrypt(mlkem_params(MLKEM_1024), m, p.dk, p.ct[0]);
	for (size_t i = 0; i < sizeof(m); i++)
		ct_sink += rows[m[i]];
}

int main(int argc, char **argv)
{
	static const struct ct_case cases[] = {
		{"good", good}, {"early_exit", early_exit}, {"table", table}};

	return ct_main(argc, argv, cases, ARRAY_LEN(cases));
}
