/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/limits.h"
#include "codec/safe_serialize.h"
#include "fhe/dealer/dealer.h"
#include "fhe/negacyclic.h"

/* ---- client key ---- */

/*
 * tfhe-rs' deterministic seeder: a stream under the user's seed (its first byte is skipped) gives a
 * seed, whose stream gives the seed of the secret generator.
 */
static enum err secret_stream_new(struct aes_ctr **ret_stream, const uint8_t seed[16])
{
	uint8_t next[16];
	enum err e = ERR_OK;

	memcpy(next, seed, sizeof(next));
	for (unsigned step = 0; step < 2 && e == ERR_OK; step++) {
		CLEANUP(fhe_stream_free) struct aes_ctr *s = NULL;

		e = aes_ctr_new_seed(&s, next, step == 0 ? 1 : 0);
		if (e == ERR_OK)
			e = aes_ctr_fill(s, next, sizeof(next));
	}
	if (e == ERR_OK)
		e = aes_ctr_new_seed(ret_stream, next, 0);
	secret_wipe(next, sizeof(next));
	return e;
}

/* One byte per bit, its lowest bit, over all keys in the order of enum fhe_key_id, which is their
 * order in memory. */
enum err fhe_client_key_generate(struct fhe_client_key **ret_key, const struct fhe_params *params,
				 struct bytes tag, const uint8_t seed[16])
{
	CLEANUP(fhe_stream_free) struct aes_ctr *stream = NULL;
	struct fhe_client_key *k;
	enum err e;

	TRY(secret_stream_new(&stream, seed));
	TRY(fhe_client_key_alloc(&k, params, tag));
	e = aes_ctr_fill(stream, k->secret.p, k->secret.n);
	if (e != ERR_OK) {
		fhe_client_key_free(k);
		return e;
	}
	for (size_t i = 0; i < k->secret.n; i++)
		k->secret.p[i] &= 1;
	*ret_key = k;
	return ERR_OK;
}

/* ---- compact public key ---- */

static enum err body_fill(uint8_t *words, struct bytes secret_bits, unsigned noise_log2,
			  struct aes_ctr *noise)
{
	size_t n = secret_bits.n;

	for (size_t h = 0; h < n; h++) {
		int64_t e;

		TRY(fhe_tuniform_draw(noise, noise_log2, &e));
		fhe_word_put_u64(words, n + h,
				 fhe_negacyclic_rev_u64(words, secret_bits.p, n, h) + (uint64_t)e);
	}
	return ERR_OK;
}

enum err fhe_compact_public_key_generate(const struct fhe_client_key *k, struct rng *rng,
					 struct buf *out)
{
	CLEANUP(fhe_stream_free) struct aes_ctr *mask = NULL;
	CLEANUP(fhe_stream_free) struct aes_ctr *noise = NULL;
	struct bytes s = fhe_client_key_bits(k, FHE_KEY_PKE);
	CLEANUP(buf_free) struct buf words = buf_make(16 * s.n);
	struct fhe_compact_public_key pk = {
		.params = k->params.pke, .polynomial_size = s.n, .tag = k->tag};
	uint8_t *place;

	if (s.n == 0)
		return ERR_UNSUPPORTED;
	TRY(fhe_stream_new_random(&mask, rng));
	TRY(fhe_stream_new_random(&noise, rng));
	TRY(buf_add_space(&words, 16 * s.n, &place));
	TRY(aes_ctr_fill(mask, place, 8 * s.n));
	TRY(body_fill(place, s, k->params.pke.noise, noise));
	pk.words = buf_view(&words);
	return fhe_compact_public_key_write(&pk, out);
}
