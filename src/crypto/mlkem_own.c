/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* FIPS 203 sections 6 and 7: ML-KEM on top of K-PKE, and the checks of its inputs. */
#include "crypto/mlkem_internal.h"
#include "crypto/sha.h"

/* Table 2 */
static const struct mlkem_params params[MLKEM_SETS] = {
	[MLKEM_512] = {.k = 2, .eta1 = 3, .eta2 = 2, .du = 10, .dv = 4},
	[MLKEM_1024] = {.k = 4, .eta1 = 2, .eta2 = 2, .du = 11, .dv = 5},
};

const struct mlkem_params *mlkem_params(enum mlkem_set set)
{
	CHECK((unsigned)set < MLKEM_SETS);
	return &params[set];
}

/* The parts of a decapsulation key: dk_PKE || ek || H(ek) || z. */
struct dk_parts {
	struct bytes pke, ek, hash, z;
};

static struct dk_parts dk_split(enum mlkem_set set, struct bytes dk)
{
	struct mlkem_sizes sizes = mlkem_sizes(set);
	size_t pke = (size_t)MLKEM_POLY_SIZE * mlkem_params(set)->k;

	return (struct dk_parts){
		.pke = bytes_sub(dk, 0, pke),
		.ek = bytes_sub(dk, pke, sizes.ek),
		.hash = bytes_sub(dk, pke + sizes.ek, 32),
		.z = bytes_sub(dk, pke + sizes.ek + 32, 32),
	};
}

/* Algorithm 16, ML-KEM.KeyGen_internal */
static enum err keygen(enum mlkem_set set, uint8_t *ek, uint8_t *dk, const struct secret32 *d,
		       const struct secret32 *z)
{
	struct mlkem_sizes sizes = mlkem_sizes(set);
	struct bytes ek_view = bytes_from(ek, sizes.ek);
	size_t pke = (size_t)MLKEM_POLY_SIZE * mlkem_params(set)->k;
	struct hash32 hash;

	TRY(mlkem_kpke_keygen(mlkem_params(set), ek, dk, d->b));
	TRY(sha3_256(&hash, &ek_view, 1));
	memcpy(&dk[pke], ek, sizes.ek);
	memcpy(&dk[pke + sizes.ek], hash.b, sizeof(hash.b));
	memcpy(&dk[pke + sizes.ek + sizeof(hash.b)], z->b, sizeof(z->b));
	return ERR_OK;
}

/* Section 7.2, modulus check: ByteEncode_12(ByteDecode_12(ek)) must be ek again. */
static enum err ek_check(enum mlkem_set set, struct bytes ek)
{
	for (unsigned i = 0; i < mlkem_params(set)->k; i++) {
		struct bytes part = bytes_sub(ek, (size_t)MLKEM_POLY_SIZE * i, MLKEM_POLY_SIZE);
		uint8_t again[MLKEM_POLY_SIZE];
		struct mlkem_poly t;

		mlkem_byte_decode(&t, part.p, 12);
		mlkem_byte_encode(again, &t, 12);
		if (!bytes_eq_var(part, BYTES_OF(again)))
			return ERR_MALFORMED;
	}
	return ERR_OK;
}

/* (K, r) = G(m || h): the shared secret and the coins of the encryption. */
struct shared_and_coins {
	struct secret32 shared;
	uint8_t r[32];
};

static void shared_and_coins_wipe(struct shared_and_coins *g)
{
	secret_wipe(g, sizeof(*g));
}

static enum err shared_and_coins(struct shared_and_coins *ret, const uint8_t m[32], struct bytes h)
{
	const struct bytes parts[] = {bytes_from(m, 32), h};

	return sha3_512((uint8_t *)ret, parts, ARRAY_LEN(parts));
}

/* Algorithm 17, ML-KEM.Encaps_internal, behind the check of algorithm 20 */
static enum err encaps(enum mlkem_set set, struct secret32 *shared, uint8_t *ct, struct bytes ek,
		       const struct secret32 *m)
{
	CLEANUP(shared_and_coins_wipe) struct shared_and_coins g;
	struct hash32 h;

	TRY(ek_check(set, ek));
	TRY(sha3_256(&h, &ek, 1));
	TRY(shared_and_coins(&g, m->b, BYTES_OF(h.b)));
	TRY(mlkem_kpke_encrypt(mlkem_params(set), ct, ek.p, m->b, g.r));
	*shared = g.shared;
	return ERR_OK;
}

/* `b` stays where a and b are equal, else `b` becomes `otherwise`: no branch on the outcome. */
static void select_if_equal(struct secret32 *b, const struct secret32 *otherwise, struct bytes x,
			    struct bytes y)
{
	volatile uint8_t diff = 0;

	for (size_t i = 0; i < x.n; i++)
		diff = (uint8_t)(diff | (x.p[i] ^ y.p[i]));

	/* 0 or 0xff; volatile hides from the compiler that there are only two cases */
	volatile uint8_t mask = (uint8_t)((0u - (uint32_t)diff) >> 24);
	uint8_t m = mask;

	for (size_t i = 0; i < sizeof(b->b); i++)
		b->b[i] = (uint8_t)((b->b[i] & ~m) | (otherwise->b[i] & m));
}

/* Algorithm 18, ML-KEM.Decaps_internal, behind the check of algorithm 21 */
static enum err decaps(enum mlkem_set set, struct secret32 *shared, struct bytes dk,
		       struct bytes ct)
{
	struct dk_parts parts = dk_split(set, dk);
	const struct bytes rejection[] = {parts.z, ct};
	CLEANUP(shared_and_coins_wipe) struct shared_and_coins g;
	CLEANUP(secret32_wipe) struct secret32 m, rejected;
	uint8_t again[MLKEM_CT_SIZE_MAX];
	struct hash32 h;

	/* 7.3, hash check: ek and its hash are public */
	TRY(sha3_256(&h, &parts.ek, 1));
	if (!bytes_eq_var(parts.hash, BYTES_OF(h.b)))
		return ERR_MALFORMED;

	mlkem_kpke_decrypt(mlkem_params(set), m.b, parts.pke.p, ct.p);
	TRY(shared_and_coins(&g, m.b, parts.hash));
	TRY(shake256(rejected.b, sizeof(rejected.b), rejection,
		     ARRAY_LEN(rejection))); /* J(z || c) */

	enum err e = mlkem_kpke_encrypt(mlkem_params(set), again, parts.ek.p, m.b, g.r);

	if (e == ERR_OK)
		select_if_equal(&g.shared, &rejected, ct, bytes_from(again, ct.n));
	secret_wipe(again, sizeof(again));
	TRY(e);
	*shared = g.shared;
	return ERR_OK;
}

const struct mlkem_backend mlkem_backend_own = {
	.name = "own",
	.keygen = keygen,
	.ek_check = ek_check,
	.encaps = encaps,
	.decaps = decaps,
};
