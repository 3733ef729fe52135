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

enum err fhe_client_key_write(const struct fhe_client_key *k, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	/* At once, so that growing leaves no copies of the key behind. */
	TRY(buf_reserve(out, CLIENT_KEY_SIZE_MAX));
	safe_serialize_begin(&w, "high_level_api::ClientKey");
	layout_write(&w, &fhe_client_key_layout, k);
	return bincode_end(&w);
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

/* ---- private vault object ---- */

static void metadata_write(struct bincode_writer *w, const struct fhe_key_metadata *m)
{
	bincode_put_u32(w, 0);
	bincode_put_u32(w, 0);
	bincode_put_u32(w, 3);
	bincode_put_raw(w, BYTES_OF(m->key_id.b));
	bincode_put_raw(w, BYTES_OF(m->preproc_id.b));
	bincode_put_u64(w, m->digests_n);
	for (size_t i = 0; i < m->digests_n; i++) {
		bincode_put_u32(w, 0);
		bincode_put_u32(w, m->digests[i].pub_data);
		bincode_put_vec(w, BYTES_OF(m->digests[i].digest.b));
	}
	bincode_put_u8(w, m->has_extra);
	if (m->has_extra)
		bincode_put_vec(w, bytes_from(m->extra, m->extra_n));
	bincode_put_vec(w, bytes_from(m->external_signature, m->external_signature_n));
	bincode_put_u64(w, 0);
}

enum err kms_fhe_key_handles_write(const struct fhe_client_key *k,
				   const struct fhe_key_metadata *metadata, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	TRY(buf_reserve(out, CLIENT_KEY_SIZE_MAX));
	safe_serialize_begin(&w, "KmsFheKeyHandles");
	bincode_put_u32(&w, 1);
	layout_write(&w, &fhe_client_key_layout, k);
	bincode_put_u8(&w, 0);
	metadata_write(&w, metadata);
	return bincode_end(&w);
}
