/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Key generation, the set "test", from a secret seed: sampling of keys and noise, the products, the
 * writing of the client key. What is public by design is marked so: the seed of the masks, and the
 * bodies once they reach the sink.
 */
#include "base/rng.h"
#include "ct.h"
#include "fhe/keygen/keygen_internal.h"

static void secret_fill(struct rng *r, uint8_t *out, size_t n)
{
	(void)r;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(3 * i + 1);
	CT_SECRET(out, n);
}

static struct fhe_keygen *keygen(void)
{
	static const struct rng_ops ops = {.fill = secret_fill};
	struct rng rng = {.ops = &ops};
	struct fhe_keygen *g;

	CHECK(fhe_keygen_new(&g, &fhe_params_test, BYTES_LIT("ct"), &rng, NULL) == ERR_OK);
	CT_PUBLIC(g->mask_seed, sizeof(g->mask_seed));
	return g;
}

/* Looks at everything that it gets, once it is public. */
static enum err look(struct fhe_sink *s, struct bytes piece, struct err_note *note)
{
	(void)s;
	(void)note;
	CT_PUBLIC(piece.p, piece.n);
	for (size_t i = 0; i < piece.n; i++)
		if (piece.p[i])
			ct_sink += 1;
	return ERR_OK;
}

static void good(void)
{
	static const struct fhe_sink_ops ops = {.write = look};
	struct fhe_sink sink = {.ops = &ops};
	struct buf out = buf_make(CLIENT_KEY_SIZE_MAX);
	struct fhe_keygen *g = keygen();
	uint8_t undefined = 0;

	/* The marking works: memcheck knows that the bits came from the secret seed. */
	CHECK(VALGRIND_GET_VBITS(g->client_key->secret.p, &undefined, 1) == 1 && undefined != 0);
	CHECK(fhe_keygen_write(g, FHE_OBJECT_KEY_SET, &sink, 2, NULL) == ERR_OK);
	CHECK(fhe_client_key_write(fhe_keygen_client_key(g), &out) == ERR_OK);
	fhe_keygen_free(g);
	buf_wipe(&out);
}

/* The textbook's product with a binary polynomial: adds where there is a one. */
static void add_where_one(void)
{
	struct fhe_keygen *g = keygen();
	struct bytes bits = fhe_client_key_bits(fhe_keygen_client_key(g), FHE_KEY_GLWE);

	for (size_t i = 0; i < bits.n; i++)
		if (bits.p[i])
			ct_sink += (unsigned)i;
	fhe_keygen_free(g);
}

/* Noise out of a table of its distribution. */
static void noise_table(void)
{
	static const volatile unsigned table[4] = {7, 0, 0, 1};
	struct fhe_keygen *g = keygen();
	struct aes_ctr *stream;
	uint8_t draw[64];

	CHECK(fhe_keygen_secrets_open(&stream, g) == ERR_OK);
	CHECK(aes_ctr_fill(stream, draw, sizeof(draw)) == ERR_OK);
	for (size_t i = 0; i < sizeof(draw); i++)
		ct_sink += table[draw[i] & 3];
	aes_ctr_free(stream);
	fhe_keygen_free(g);
}

/* A remainder modulo a prime by comparing. */
static void compare_and_subtract(void)
{
	struct fhe_keygen *g = keygen();
	unsigned sum = 0;

	for (size_t i = 0; i < g->seed.n; i++) {
		sum += g->seed.p[i];
		while (sum >= 251) {
			sum -= 251;
			ct_sink += 1;
		}
	}
	fhe_keygen_free(g);
}

int main(int argc, char **argv)
{
	static const struct ct_case cases[] = {
		{"good", good},
		{"add_where_one", add_where_one},
		{"noise_table", noise_table},
		{"compare_and_subtract", compare_and_subtract},
	};

	return ct_main(argc, argv, cases, ARRAY_LEN(cases));
}
