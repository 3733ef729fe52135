/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys, users' inputs and looks at the noise, for the tests of fhe/server. */
#ifndef SERVER_SUPPORT_H
#define SERVER_SUPPORT_H

#include "fhe/expanded.h"
#include "fhe/keygen/keygen.h"
#include "fhe/negacyclic.h"
#include "fhe/server/server_key.h"
#include "fhe/squashed_list.h"
#include "fhe_test.h"

/* A user's secrets, the public key set, and the loaded server key. */
struct keys {
	struct fhe_keygen *keygen;
	const struct fhe_client_key *client;
	struct buf set;
	struct fhe_server_key *server;
};

static inline struct fhe_server_key *server_key_of(enum fhe_key_object object, struct bytes bytes,
						   struct fhe_server_options o)
{
	struct err_note note = {0};
	struct fhe_server_key *k = NULL;

	if (fhe_server_key_new(&k, object, bytes, &o, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return k;
}

static inline void keys_make(struct keys *k, const struct fhe_params *params, struct rng *rng)
{
	struct fhe_buf_sink sink;

	*k = (struct keys){.set = buf_make(FHE_KEY_SET_SIZE_MAX)};
	assert_ok(fhe_keygen_new(&k->keygen, params, BYTES_LIT("server test"), rng, NULL));
	k->client = fhe_keygen_client_key(k->keygen);
	assert_ok(fhe_keygen_write(k->keygen, FHE_OBJECT_KEY_SET, fhe_buf_sink_init(&sink, &k->set),
				   2, NULL));
	k->server =
		server_key_of(FHE_OBJECT_KEY_SET, buf_view(&k->set),
			      (struct fhe_server_options){
				      .uses = FHE_SERVER_SQUASH | FHE_SERVER_EXPAND, .threads = 2});
}

static inline void keys_free(struct keys *k)
{
	fhe_server_key_free(k->server);
	fhe_keygen_free(k->keygen);
	buf_free(&k->set);
}

/* 2-bit block i of a little-endian value. */
static inline unsigned block_of_value(const uint8_t *le, size_t i)
{
	return le[i / 4] >> (2 * (i % 4)) & 3;
}

/*
 * A value as a fresh FheUint or FheBool under the big key; `noise` is added to every block beside
 * the fresh one.
 */
static inline struct buf value_encrypt(const struct fhe_client_key *k,
				       const struct fhe_type_row *type, const uint8_t *le,
				       int64_t noise, struct rng *rng)
{
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_GLWE);
	struct fhe_blocks_words v = {fhe_item_of(type), BYTES_NONE, 8 * (key.n + 1)};
	struct buf words = buf_make(v.block_size * type->blocks), out = buf_make(4 << 20);
	struct aes_ctr *stream;
	uint8_t *place;

	assert_ok(fhe_stream_new_random(&stream, rng));
	for (size_t i = 0; i < type->blocks; i++) {
		int64_t e;

		assert_ok(buf_add_space(&words, v.block_size, &place));
		rng_fill(rng, place, 8 * key.n);
		assert_ok(fhe_tuniform_draw(stream, k->params.compute.glwe_noise, &e));
		fhe_word_put_u64(place, key.n,
				 (uint64_t)fhe_rotated_dot_u64(place, key.p, key.n, 0) +
					 ((uint64_t)block_of_value(le, i) << 59) + (uint64_t)e +
					 (uint64_t)noise);
	}
	v.words = buf_view(&words);
	assert_ok(fhe_small_expanded_write(&v, k->tag, &out));
	fhe_stream_free(&stream);
	buf_free(&words);
	return out;
}

/* log2 of the size of a distance on the torus. */
static inline unsigned size_log2(fhe_u128 distance)
{
	unsigned bits = 0;

	if (distance >> 127)
		distance = 0 - distance;
	for (; distance; distance >>= 1)
		bits++;
	return bits;
}

/* The noise of a phase beside the nearest message, log2. */
static inline unsigned noise_log2(fhe_u128 phase)
{
	fhe_u128 message = (phase + ((fhe_u128)1 << 122)) >> 123;

	return size_log2(phase - (message << 123));
}

/* The largest noise in a squashed value, log2. */
static inline unsigned squashed_noise_log2(const struct fhe_client_key *k,
					   const struct fhe_squashed *s)
{
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_SNS);
	unsigned most = 0;

	assert_int_equal(key.n, s->dimension);
	for (size_t i = 0; i < s->blocks_n; i++) {
		const fhe_u128 *lwe = &s->words[i * (key.n + 1)];
		fhe_u128 phase = lwe[key.n];
		unsigned log2;

		for (size_t j = 0; j < key.n; j++)
			phase -= key.p[j] ? lwe[j] : 0;
		log2 = noise_log2(phase);
		most = log2 > most ? log2 : most;
	}
	return most;
}

/* The same in a ct128. */
static inline unsigned list_noise_log2(const struct fhe_client_key *k, struct bytes ciphertext)
{
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_SNS_COMPRESSION);
	struct fhe_packed_list list;
	unsigned most = 0;

	assert_ok(fhe_squashed_list_read(&list, &k->params, ciphertext, NULL));
	for (size_t g = 0; g < list.glwe_n; g++) {
		const uint8_t *words = list.glwe[g].words.p;
		size_t n = (size_t)list.glwe[g].polynomial_size;

		for (size_t h = 0; h < list.glwe[g].bodies; h++) {
			fhe_u128 phase = fhe_word_u128(words, key.n + h);
			unsigned log2;

			for (size_t j = 0; j < key.n / n; j++)
				phase -= fhe_negacyclic_u128(&words[16 * j * n], &key.p[j * n], n,
							     h);
			log2 = noise_log2(phase);
			most = log2 > most ? log2 : most;
		}
	}
	return most;
}

static inline void assert_value(const struct fhe_client_key *k, const struct fhe_type_row *type,
				enum fhe_format format, struct bytes ciphertext, const uint8_t *le)
{
	struct err_note note = {0};
	struct fhe_plaintext v;

	if (fhe_decrypt(k, &v, type->type, format, ciphertext, &note) != ERR_OK)
		fail_msg("%s: %s", type->name, note.text);
	assert_int_equal(v.n, type->size);
	assert_memory_equal(v.le, le, v.n);
}

#endif
