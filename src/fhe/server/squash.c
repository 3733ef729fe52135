/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Noise squashing, and the list that a coprocessor stores. */
#include <stdlib.h>

#include "fhe/expanded.h"
#include "fhe/server/packing.h"
#include "fhe/server/server_key_internal.h"
#include "fhe/squashed_list.h"
#include "fhe/team.h"

enum {
	MESSAGE_MODULUS = 1 << FHE_MESSAGE_BITS,
	WORD = sizeof(fhe_u128),
};

void fhe_squashed_free(struct fhe_squashed *s)
{
	free(s->words);
	*s = (struct fhe_squashed){0};
}

/* ---- pairs of blocks ---- */

/* One or two blocks of a value, as they will share a ciphertext. */
struct pair {
	struct fhe_block low, high; /* high.words is empty if there is none */
};

struct squashing {
	const struct fhe_server_key *k;
	struct pair *pairs;
	size_t pairs_n;
	uint32_t *exponents;
	struct fhe_rotation *rotations;
};

static void squashing_free(struct squashing *s)
{
	free(s->pairs);
	free(s->exponents);
	free(s->rotations);
}

static enum err block_check(const struct fhe_block *b, size_t i, struct err_note *note)
{
	if (b->degree >= MESSAGE_MODULUS)
		return err_say(note, ERR_UNSUPPORTED,
			       "block %zu: degree %llu, its carries must be propagated first", i,
			       (unsigned long long)b->degree);
	return ERR_OK;
}

/* The noise of low + 4 * high, in units of a fresh ciphertext's: all that a bootstrap takes. */
static enum err pair_check(const struct fhe_server_key *k, const struct pair *p, size_t i,
			   struct err_note *note)
{
	uint64_t most = k->set.max_noise_level;

	if (p->low.noise_level > most || p->high.noise_level > most ||
	    p->low.noise_level + MESSAGE_MODULUS * p->high.noise_level > most)
		return err_say(note, ERR_UNSUPPORTED,
			       "block %zu: noise_level %llu and %llu, the key takes %llu", 2 * i,
			       (unsigned long long)p->low.noise_level,
			       (unsigned long long)p->high.noise_level, (unsigned long long)most);
	return ERR_OK;
}

static enum err pairs_fill(struct squashing *s, struct fhe_expanded *v, struct err_note *note)
{
	for (size_t i = 0; i < s->pairs_n; i++) {
		struct pair *p = &s->pairs[i];

		CHECK(fhe_blocks_next(&v->blocks, &p->low));
		TRY(block_check(&p->low, 2 * i, note));
		if (fhe_blocks_next(&v->blocks, &p->high))
			TRY(block_check(&p->high, 2 * i + 1, note));
		TRY(pair_check(s->k, p, i, note));
	}
	return ERR_OK;
}

/* low + 4 * high, to the small key, rounded. */
static enum err pair_switch(void *context, unsigned thread, size_t i)
{
	const struct squashing *s = context;
	const struct fhe_key_switch *ks = &s->k->key_switch;
	const struct pair *p = &s->pairs[i];
	uint64_t *lwe = calloc(ks->input + 1 + ks->output + 1, sizeof(*lwe));
	uint64_t *small;

	(void)thread;
	if (!lwe)
		return ERR_NOMEM;
	small = &lwe[ks->input + 1];
	for (size_t j = 0; j <= ks->input; j++)
		lwe[j] = fhe_word_u64(p->low.words.p, j) +
			 (p->high.words.n ? MESSAGE_MODULUS * fhe_word_u64(p->high.words.p, j) : 0);
	fhe_key_switch_run(ks, lwe, small);
	fhe_rounding_run(&s->k->squash_rounding, small, fhe_bootstrap_log2(s->k->squash),
			 &s->exponents[i * (ks->output + 1)]);
	free(lwe);
	return ERR_OK;
}

/* Every message stays what it is, 128 bits wide. */
static struct fhe_lut identity(void)
{
	struct fhe_lut lut;

	for (unsigned m = 0; m < FHE_LUT_SIZE; m++)
		lut.values[m] = (fhe_u128)m << FHE_DELTA_LOG;
	return lut;
}

static enum err pairs_squash(struct squashing *s, unsigned threads, struct fhe_squashed *squashed)
{
	const struct fhe_lut lut = identity();

	TRY(fhe_team_run(threads, s->pairs_n, pair_switch, s));
	for (size_t i = 0; i < s->pairs_n; i++)
		s->rotations[i] = (struct fhe_rotation){
			.exponents = &s->exponents[i * (s->k->key_switch.output + 1)],
			.lut = &lut,
			.ret_lwe = &squashed->words[i * (squashed->dimension + 1)],
		};
	return fhe_bootstrap_run(s->k->squash, s->rotations, s->pairs_n, threads);
}

static enum err squashed_alloc(struct fhe_squashed *ret_squashed, const struct fhe_server_key *k,
			       const struct fhe_expanded *v)
{
	struct fhe_squashed s = {
		.item = {.kind = v->kind, .blocks = v->radix_blocks},
		.blocks_n = (size_t)(v->radix_blocks + 1) / 2,
		.dimension = fhe_bootstrap_output(k->squash),
	};

	s.words = calloc(s.blocks_n * (s.dimension + 1), sizeof(*s.words));
	if (!s.words)
		return ERR_NOMEM;
	*ret_squashed = s;
	return ERR_OK;
}

static enum err value_squash(const struct fhe_server_key *k, struct fhe_expanded *v,
			     unsigned threads, struct fhe_squashed *squashed, struct err_note *note)
{
	CLEANUP(squashing_free) struct squashing s = {.k = k, .pairs_n = squashed->blocks_n};

	s.pairs = calloc(s.pairs_n, sizeof(*s.pairs));
	s.exponents = calloc(s.pairs_n * (k->key_switch.output + 1), sizeof(*s.exponents));
	s.rotations = calloc(s.pairs_n, sizeof(*s.rotations));
	if (!s.pairs || !s.exponents || !s.rotations)
		return ERR_NOMEM;
	TRY(pairs_fill(&s, v, note));
	return pairs_squash(&s, threads, squashed);
}

enum err fhe_server_squash(const struct fhe_server_key *k, struct bytes ciphertext,
			   unsigned threads, struct fhe_squashed *ret_squashed,
			   struct err_note *note)
{
	struct fhe_squashed squashed;
	struct fhe_expanded v;
	enum err e;

	if (!k->squash)
		return err_say(note, ERR_UNSUPPORTED, "the key was not loaded for squashing");
	TRY(fhe_small_expanded_read(&v, &k->params, ciphertext, note));
	TRY(squashed_alloc(&squashed, k, &v));
	e = value_squash(k, &v, threads, &squashed, note);
	if (e != ERR_OK) {
		fhe_squashed_free(&squashed);
		return e;
	}
	*ret_squashed = squashed;
	return ERR_OK;
}

/* ---- writing ---- */

static void words_put(uint8_t *place, const fhe_u128 *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fhe_word_put_u128(place, i, words[i]);
}

enum err fhe_server_write_squashed(const struct fhe_server_key *k, const struct fhe_squashed *s,
				   struct buf *out)
{
	size_t size = WORD * (s->dimension + 1);
	CLEANUP(buf_free) struct buf words = buf_make(s->blocks_n * size);
	uint8_t *place;

	TRY(buf_add_space(&words, s->blocks_n * size, &place));
	words_put(place, s->words, s->blocks_n * (s->dimension + 1));
	return fhe_big_expanded_write(&(struct fhe_blocks_words){s->item, buf_view(&words), size},
				      k->set.tag, out);
}

/* GLWE number i: as many ciphertexts as one takes. Of the body only what they need is stored. */
static enum err glwe_pack(const struct fhe_server_key *k, const struct fhe_squashed *s, size_t i,
			  unsigned threads, struct buf *words, struct fhe_packed_glwe *ret_glwe)
{
	const struct fhe_part_shape *shape = &k->parts.shape[FHE_PART_SQUASH_COMPRESSION];
	size_t per_glwe = (size_t)k->params.sns_compression.lwe_per_glwe;
	size_t first = i * per_glwe, left = s->blocks_n - first;
	size_t bodies = left < per_glwe ? left : per_glwe, size = shape->k * shape->n + bodies;
	fhe_u128 *glwe = calloc((shape->k + 1) * shape->n, sizeof(*glwe));
	uint8_t *place;
	enum err e = glwe ? ERR_OK : ERR_NOMEM;

	if (e == ERR_OK)
		e = fhe_packing_run(shape, &k->set.parts[FHE_PART_SQUASH_COMPRESSION],
				    &s->words[first * (s->dimension + 1)], bodies, threads, glwe);
	if (e == ERR_OK)
		e = buf_add_space(words, WORD * size, &place);
	if (e == ERR_OK) {
		words_put(place, glwe, size);
		*ret_glwe = (struct fhe_packed_glwe){
			.words = bytes_from(place, WORD * size),
			.log_modulus = 128,
			.initial_len = size,
			.glwe_dimension = shape->k,
			.polynomial_size = shape->n,
			.bodies = bodies,
		};
	}
	free(glwe);
	return e;
}

static enum err list_pack(const struct fhe_server_key *k, const struct fhe_squashed *s,
			  unsigned threads, struct buf *out, struct err_note *note)
{
	const struct fhe_sns_compression_params *p = &k->params.sns_compression;
	size_t glwes = (s->blocks_n + (size_t)p->lwe_per_glwe - 1) / (size_t)p->lwe_per_glwe;
	size_t size_max =
		WORD * (glwes * (size_t)(p->glwe_dimension * p->polynomial_size) + s->blocks_n);
	CLEANUP(buf_free) struct buf words = buf_make(size_max);
	struct fhe_packed_list list = {
		.glwe_n = glwes,
		.message_modulus = MESSAGE_MODULUS,
		.carry_modulus = MESSAGE_MODULUS,
		.lwe_per_glwe = p->lwe_per_glwe,
		.items = fhe_items_of(&s->item, 1),
		.tag = k->set.tag,
	};

	if (glwes == 0 || glwes > FHE_SQUASHED_GLWE_MAX)
		return err_say(note, ERR_TOO_BIG, "a value of %zu squashed blocks", s->blocks_n);
	/* The views into it must stay where they are. */
	TRY(buf_reserve(&words, size_max));
	for (size_t i = 0; i < glwes; i++)
		TRY(glwe_pack(k, s, i, threads, &words, &list.glwe[i]));
	return fhe_squashed_list_write(&list, out);
}

enum err fhe_server_compress(const struct fhe_server_key *k, const struct fhe_squashed *s,
			     unsigned threads, struct buf *out, struct err_note *note)
{
	if (!k->params.has_sns_compression)
		return err_say(note, ERR_UNSUPPORTED,
			       "server key: no noise squashing compression key");
	return list_pack(k, s, threads, out, note);
}
