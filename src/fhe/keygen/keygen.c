/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/keygen/keygen.h"

#include <stdlib.h>

#include "base/rng.h"
#include "fhe/compact_public_key.h"
#include "fhe/keygen/keygen_internal.h"

enum err fhe_keygen_secrets_open(struct aes_ctr **ret_stream, const struct fhe_keygen *g)
{
	return aes_ctr_new_xof(ret_stream, FHE_KEYGEN_SECRET_DSEP, secret_view(&g->seed));
}

enum err fhe_keygen_masks_open(struct aes_ctr **ret_stream, const struct fhe_keygen *g)
{
	return aes_ctr_new_xof(
		ret_stream, FHE_KEYGEN_MASK_DSEP,
		bytes_sub(BYTES_OF(g->mask_seed), FHE_SEED_DSEP_SIZE, FHE_MASK_SEED_SIZE));
}

/* ---- secret keys ---- */

/* n bits from as many whole bytes as they need, lowest bit first. */
static enum err bits_draw(struct aes_ctr *stream, uint8_t *bits, size_t n)
{
	uint8_t byte = 0;

	for (size_t i = 0; i < n; i++) {
		if (i % 8 == 0)
			TRY(aes_ctr_fill(stream, &byte, 1));
		bits[i] = byte >> (i % 8) & 1;
	}
	secret_wipe(&byte, sizeof(byte));
	return ERR_OK;
}

/* Where the bits of a key lie in the key's one secret. */
static uint8_t *key_place(struct fhe_client_key *k, enum fhe_key_id id)
{
	size_t at = 0;

	for (int i = 0; i < (int)id; i++)
		at += k->parts[i].bits.n;
	return &k->secret.p[at];
}

static enum err keys_draw(struct aes_ctr *stream, struct fhe_client_key *k)
{
	for (int i = 0; i < FHE_KEY_COUNT; i++) {
		enum fhe_key_id id = fhe_key_order[i];
		size_t bits = k->parts[id].bits.n;
		size_t polynomial = fhe_params_key_polynomial(&k->params, id);
		size_t step = polynomial ? polynomial : bits;
		uint8_t *place = key_place(k, id);

		for (size_t at = 0; at < bits; at += step)
			TRY(bits_draw(stream, &place[at], step));
	}
	return ERR_OK;
}

static enum err keygen_fill(struct fhe_keygen *g, const struct fhe_params *params, struct bytes tag,
			    struct rng *rng)
{
	struct aes_ctr *stream;
	enum err e;

	TRY(fhe_client_key_alloc(&g->client_key, params, tag));
	TRY(secret_alloc(&g->seed, FHE_KEYGEN_SEED_SIZE));
	rng_fill(rng, g->seed.p, g->seed.n);
	TRY(fhe_keygen_secrets_open(&stream, g));
	memcpy(g->mask_seed, FHE_KEYGEN_MASK_DSEP, FHE_SEED_DSEP_SIZE);
	e = aes_ctr_fill(stream, &g->mask_seed[FHE_SEED_DSEP_SIZE], FHE_MASK_SEED_SIZE);
	if (e == ERR_OK)
		e = keys_draw(stream, g->client_key);
	aes_ctr_free(stream);
	return e;
}

enum err fhe_keygen_new(struct fhe_keygen **ret_keygen, const struct fhe_params *params,
			struct bytes tag, struct rng *rng, struct err_note *note)
{
	struct fhe_keygen *g;
	enum err e;

	TRY(fhe_params_check(params, note));
	g = calloc(1, sizeof(*g));
	if (!g)
		return ERR_NOMEM;
	fhe_parts_of(&g->parts, params);
	e = keygen_fill(g, params, tag, rng);
	if (e != ERR_OK) {
		fhe_keygen_free(g);
		return e;
	}
	*ret_keygen = g;
	return ERR_OK;
}

void fhe_keygen_free(struct fhe_keygen *g)
{
	if (!g)
		return;
	fhe_client_key_free(g->client_key);
	secret_free(&g->seed);
	free(g);
}

const struct fhe_client_key *fhe_keygen_client_key(const struct fhe_keygen *g)
{
	return g->client_key;
}

/* ---- compact public key ---- */

enum err fhe_keygen_write_public_key(const struct fhe_keygen *g, struct buf *out)
{
	CLEANUP(buf_free) struct buf compressed = buf_make(CLIENT_KEY_SIZE_MAX);
	struct fhe_buf_sink sink;
	struct fhe_key_set set;

	TRY(fhe_keygen_write(g, FHE_OBJECT_PUBLIC_KEY, fhe_buf_sink_init(&sink, &compressed), 1,
			     NULL));
	TRY(fhe_key_set_read(&set, FHE_OBJECT_PUBLIC_KEY, buf_view(&compressed), NULL));
	return fhe_compact_public_key_expand(&set, out);
}
