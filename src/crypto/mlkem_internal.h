/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside ML-KEM: parameters, the two implementations, and the layers of our own one. Notation is
 * that of FIPS 203; numbers of algorithms are its.
 */
#ifndef CRYPTO_MLKEM_INTERNAL_H
#define CRYPTO_MLKEM_INTERNAL_H

#include "crypto/mlkem.h"

/* ---- implementations ---- */

/* What mlkem.h promises; lengths of ek, dk and ct were checked by the caller. */
struct mlkem_backend {
	const char *name;
	enum err (*keygen)(enum mlkem_set set, uint8_t *ek, uint8_t *dk, const struct secret32 *d,
			   const struct secret32 *z);
	enum err (*ek_check)(enum mlkem_set set, struct bytes ek);
	enum err (*encaps)(enum mlkem_set set, struct secret32 *shared, uint8_t *ct,
			   struct bytes ek, const struct secret32 *m);
	enum err (*decaps)(enum mlkem_set set, struct secret32 *shared, struct bytes dk,
			   struct bytes ct);
};

extern const struct mlkem_backend mlkem_backend_own;
#ifdef MLKEM_BY_OPENSSL /* set by the build: OpenSSL 3.5 or later */
extern const struct mlkem_backend mlkem_backend_openssl;
#endif

/* The one that mlkem.h's functions use. */
const struct mlkem_backend *mlkem_backend(void);

/* ---- our own: parameters (table 2) ---- */

enum {
	MLKEM_N = 256,
	MLKEM_Q = 3329,
	MLKEM_K_MAX = 4,
	MLKEM_POLY_SIZE = 384, /* ByteEncode_12 of a polynomial */
};

struct mlkem_params {
	unsigned k, eta1, eta2, du, dv;
};

const struct mlkem_params *mlkem_params(enum mlkem_set set);

/* ---- our own: polynomials (4.2, 4.3) ---- */

/* 256 integers in [0, q): an element of R_q, or of T_q after the NTT. */
struct mlkem_poly {
	uint16_t c[MLKEM_N];
};

/* Compress_d and Decompress_d (4.7, 4.8), d < 12. */
uint16_t mlkem_compress(uint16_t x, unsigned d);
uint16_t mlkem_decompress(uint16_t y, unsigned d);
void mlkem_poly_compress(struct mlkem_poly *f, unsigned d);
void mlkem_poly_decompress(struct mlkem_poly *f, unsigned d);

/* ByteEncode_d and ByteDecode_d (algorithms 5 and 6): 32 d bytes. */
void mlkem_byte_encode(uint8_t *b, const struct mlkem_poly *f, unsigned d);
void mlkem_byte_decode(struct mlkem_poly *f, const uint8_t *b, unsigned d);

/* SampleNTT of the XOF of rho || j || i (algorithm 7). Variable time: rho is public. */
enum err mlkem_sample_ntt_var(struct mlkem_poly *a, const uint8_t rho[32], uint8_t j,
			      uint8_t i) MUST_USE;

/* SamplePolyCBD_eta of PRF_eta(s, counter) (algorithm 8, 4.3). */
enum err mlkem_sample_cbd(struct mlkem_poly *f, const uint8_t s[32], uint8_t counter,
			  unsigned eta) MUST_USE;

/* NTT and its inverse, in place (algorithms 9 and 10). */
void mlkem_ntt(struct mlkem_poly *f);
void mlkem_ntt_inverse(struct mlkem_poly *f);

/* h += MultiplyNTTs(f, g) (algorithms 11 and 12). */
void mlkem_multiply_ntts_add(struct mlkem_poly *h, const struct mlkem_poly *f,
			     const struct mlkem_poly *g);

void mlkem_poly_add(struct mlkem_poly *f, const struct mlkem_poly *g); /* f += g */
void mlkem_poly_sub(struct mlkem_poly *f, const struct mlkem_poly *g); /* f -= g */

/* ---- our own: K-PKE (5) ---- */

/* Algorithms 13, 14 and 15. */
enum err mlkem_kpke_keygen(const struct mlkem_params *p, uint8_t *ek, uint8_t *dk,
			   const uint8_t d[32]) MUST_USE;
enum err mlkem_kpke_encrypt(const struct mlkem_params *p, uint8_t *c, const uint8_t *ek,
			    const uint8_t m[32], const uint8_t r[32]) MUST_USE;
void mlkem_kpke_decrypt(const struct mlkem_params *p, uint8_t m[32], const uint8_t *dk,
			const uint8_t *c);

#endif
