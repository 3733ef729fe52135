/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A small CRS from a secret number: the number itself, its powers, their digits, and the
 * multiplication of the generators. What is public by design: the elements, once they are made.
 */
#include "base/rng.h"
#include "crypto/bls12_446_internal.h"
#include "ct.h"
#include "fhe/crs.h"

enum {
	COORDINATE = 95, /* where the first element's x begins */
};

static void secret_fill(struct rng *r, uint8_t *out, size_t n)
{
	(void)r;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(5 * i + 3);
	CT_SECRET(out, n);
}

static struct rng *secret_rng(void)
{
	static const struct rng_ops ops = {.fill = secret_fill};
	static struct rng rng = {.ops = &ops};

	return &rng;
}

static struct bls12_446_scalar number(void)
{
	struct bls12_446_scalar a;

	bls12_446_scalar_draw(&a, secret_rng());
	return a;
}

static void good(void)
{
	struct fhe_pke_params pke = fhe_params_test.pke;
	struct bls12_446_scalar a = number();
	struct buf out = buf_make(FHE_CRS_SIZE_MAX);
	struct fhe_crs c;
	uint8_t undefined = 0;

	/* The marking works: memcheck knows that the number came from the secret. */
	CHECK(VALGRIND_GET_VBITS(&a, &undefined, 1) == 1 && undefined != 0);
	pke.dimension = 1;
	pke.noise = 0;
	CHECK(fhe_crs_describe(&c, &pke, 1, NULL) == ERR_OK);
	CHECK(fhe_crs_make(&c, secret_rng(), 2, &out) == ERR_OK);
	undefined = 0;
	CHECK(VALGRIND_GET_VBITS(&out.p[COORDINATE], &undefined, 1) == 1 && undefined != 0);
	CT_PUBLIC(out.p, out.n);
	CHECK(fhe_crs_read(&c, buf_view(&out), NULL) == ERR_OK);
	buf_free(&out);
}

/* The textbook's ladder: adds where there is a one. */
static void add_where_one(void)
{
	struct bls12_446_scalar a = number();

	for (unsigned i = 0; i < 64; i++)
		if (a.l[0] >> i & 1)
			ct_sink += i;
}

/* A multiple out of a table by its digit. */
static void table_by_digit(void)
{
	static const volatile unsigned table[64] = {1, 2, 3};
	struct bls12_446_scalar a = number();

	ct_sink += table[a.l[1] & 63];
}

/* A remainder that is taken away only where it fits. */
static void compare_and_subtract(void)
{
	struct bls12_446_scalar a = number();
	struct bls_fp x = {{0}};

	memcpy(&x, &a, sizeof(a));
	if (x.l[3] >= bls_order.l[3])
		ct_sink += 1;
}

int main(int argc, char **argv)
{
	static const struct ct_case cases[] = {
		{"good", good},
		{"add_where_one", add_where_one},
		{"table_by_digit", table_by_digit},
		{"compare_and_subtract", compare_and_subtract},
	};

	return ct_main(argc, argv, cases, ARRAY_LEN(cases));
}
