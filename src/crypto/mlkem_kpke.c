/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* FIPS 203 section 5: K-PKE, the encryption scheme inside ML-KEM. */
#include "crypto/mlkem_internal.h"
#include "crypto/sha.h"

/* Vectors of one operation; wiped together. */
struct vectors {
	struct mlkem_poly s[MLKEM_K_MAX]; /* s of key generation, y of encryption */
	struct mlkem_poly row;            /* one entry of t or u, or v */
	struct mlkem_poly e;
};

static void vectors_wipe(struct vectors *v)
{
	secret_wipe(v, sizeof(*v));
}

/* s or y: k polynomials by PRF_eta1, in the NTT domain; the counter N runs from 0. */
static enum err secret_vector(const struct mlkem_params *p, struct mlkem_poly *s,
			      const uint8_t seed[32])
{
	for (unsigned i = 0; i < p->k; i++) {
		TRY(mlkem_sample_cbd(&s[i], seed, (uint8_t)i, p->eta1));
		mlkem_ntt(&s[i]);
	}
	return ERR_OK;
}

/* Row i of the matrix A, or of its transpose, times s. The matrix is made entry by entry. */
static enum err matrix_row_times(const struct mlkem_params *p, struct mlkem_poly *ret,
				 const uint8_t rho[32], unsigned i, bool transposed,
				 const struct mlkem_poly *s)
{
	struct mlkem_poly a;

	*ret = (struct mlkem_poly){0};
	for (unsigned j = 0; j < p->k; j++) {
		uint8_t row = (uint8_t)(transposed ? j : i), column = (uint8_t)(transposed ? i : j);

		TRY(mlkem_sample_ntt_var(&a, rho, column, row));
		mlkem_multiply_ntts_add(ret, &a, &s[j]);
	}
	return ERR_OK;
}

/* (rho, sigma) = G(d || k) */
struct key_seeds {
	uint8_t rho[32], sigma[32];
};

static void key_seeds_wipe(struct key_seeds *g)
{
	secret_wipe(g, sizeof(*g));
}

/* Algorithm 13, K-PKE.KeyGen */
enum err mlkem_kpke_keygen(const struct mlkem_params *p, uint8_t *ek, uint8_t *dk,
			   const uint8_t d[32])
{
	const uint8_t k = (uint8_t)p->k;
	const struct bytes seed[] = {bytes_from(d, 32), bytes_from(&k, 1)};
	CLEANUP(key_seeds_wipe) struct key_seeds g;
	CLEANUP(vectors_wipe) struct vectors v;

	TRY(sha3_512((uint8_t *)&g, seed, ARRAY_LEN(seed)));
	TRY(secret_vector(p, v.s, g.sigma));

	/* t = A s + e; e's counters follow those of s */
	for (unsigned i = 0; i < p->k; i++) {
		TRY(matrix_row_times(p, &v.row, g.rho, i, false, v.s));
		TRY(mlkem_sample_cbd(&v.e, g.sigma, (uint8_t)(p->k + i), p->eta1));
		mlkem_ntt(&v.e);
		mlkem_poly_add(&v.row, &v.e);
		mlkem_byte_encode(&ek[(size_t)MLKEM_POLY_SIZE * i], &v.row, 12);
		mlkem_byte_encode(&dk[(size_t)MLKEM_POLY_SIZE * i], &v.s[i], 12);
	}
	memcpy(&ek[(size_t)MLKEM_POLY_SIZE * p->k], g.rho, sizeof(g.rho));
	return ERR_OK;
}

/* u = NTT^-1(A^T y) + e1, compressed: the first k * 32 du bytes of the ciphertext */
static enum err encrypt_u(const struct mlkem_params *p, uint8_t *c, const uint8_t rho[32],
			  struct vectors *v, const uint8_t r[32])
{
	for (unsigned i = 0; i < p->k; i++) {
		TRY(matrix_row_times(p, &v->row, rho, i, true, v->s));
		TRY(mlkem_sample_cbd(&v->e, r, (uint8_t)(p->k + i), p->eta2));
		mlkem_ntt_inverse(&v->row);
		mlkem_poly_add(&v->row, &v->e);
		mlkem_poly_compress(&v->row, p->du);
		mlkem_byte_encode(&c[(size_t)32 * p->du * i], &v->row, p->du);
	}
	return ERR_OK;
}

/* Algorithm 14, K-PKE.Encrypt */
enum err mlkem_kpke_encrypt(const struct mlkem_params *p, uint8_t *c, const uint8_t *ek,
			    const uint8_t m[32], const uint8_t r[32])
{
	const uint8_t *rho = &ek[(size_t)MLKEM_POLY_SIZE * p->k];
	CLEANUP(vectors_wipe) struct vectors v;
	struct mlkem_poly t;

	TRY(secret_vector(p, v.s, r));
	TRY(encrypt_u(p, c, rho, &v, r));

	/* v = NTT^-1(t^T y) + e2 + mu, mu = Decompress_1(ByteDecode_1(m)) */
	v.row = (struct mlkem_poly){0};
	for (unsigned i = 0; i < p->k; i++) {
		mlkem_byte_decode(&t, &ek[(size_t)MLKEM_POLY_SIZE * i], 12);
		mlkem_multiply_ntts_add(&v.row, &t, &v.s[i]);
	}
	mlkem_ntt_inverse(&v.row);
	TRY(mlkem_sample_cbd(&v.e, r, (uint8_t)(2 * p->k), p->eta2));
	mlkem_poly_add(&v.row, &v.e);
	mlkem_byte_decode(&v.e, m, 1);
	mlkem_poly_decompress(&v.e, 1);
	mlkem_poly_add(&v.row, &v.e);
	mlkem_poly_compress(&v.row, p->dv);
	mlkem_byte_encode(&c[(size_t)32 * p->du * p->k], &v.row, p->dv);
	return ERR_OK;
}

/* Algorithm 15, K-PKE.Decrypt */
void mlkem_kpke_decrypt(const struct mlkem_params *p, uint8_t m[32], const uint8_t *dk,
			const uint8_t *c)
{
	CLEANUP(vectors_wipe) struct vectors v;
	struct mlkem_poly u;

	/* w = v' - NTT^-1(s^T NTT(u')) */
	v.row = (struct mlkem_poly){0};
	for (unsigned i = 0; i < p->k; i++) {
		mlkem_byte_decode(&u, &c[(size_t)32 * p->du * i], p->du);
		mlkem_poly_decompress(&u, p->du);
		mlkem_ntt(&u);
		mlkem_byte_decode(&v.s[i], &dk[(size_t)MLKEM_POLY_SIZE * i], 12);
		mlkem_multiply_ntts_add(&v.row, &v.s[i], &u);
	}
	mlkem_ntt_inverse(&v.row);
	mlkem_byte_decode(&v.e, &c[(size_t)32 * p->du * p->k], p->dv);
	mlkem_poly_decompress(&v.e, p->dv);
	mlkem_poly_sub(&v.e, &v.row);
	mlkem_poly_compress(&v.e, 1);
	mlkem_byte_encode(m, &v.e, 1);
}
