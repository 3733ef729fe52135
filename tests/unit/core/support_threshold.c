/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support_threshold.h"

#include <stdlib.h>

#include "fhe/expanded.h"
#include "fhe/negacyclic.h"
#include "fhe/squashed_list.h"
#include "support.h"

/* ---- the committee ---- */

struct fhe_client_key *committee_key(const struct fhe_params *params, struct rng *rng)
{
	struct fhe_client_key *key;
	uint8_t seed[16], tag[32] = {0};

	rng_fill(rng, seed, sizeof(seed));
	tag[31] = 0x11;
	OK(fhe_client_key_generate(&key, params, BYTES_OF(tag), seed));
	return key;
}

void committee_make(struct committee *c, struct fhe_client_key *key, unsigned n, unsigned t,
		    struct rng *rng)
{
	struct err_note note = {0};

	*c = (struct committee){.n = n, .t = t, .clear = key};
	c->metadata.key_id.b[31] = 0x11;
	c->metadata.preproc_id.b[31] = 0x22;
	for (unsigned p = 0; p < n; p++)
		c->objects[p] = buf_make(THRESHOLD_KEY_SIZE_MAX);
	OK(threshold_deal(c->objects, key, &c->metadata, n, t, rng, &note));
	for (unsigned p = 0; p < n; p++)
		if (threshold_key_read(&c->keys[p], buf_view(&c->objects[p]), &note) != ERR_OK)
			fail_msg("party %u: %s", p + 1, note.text);
	OK(threshold_deal_prss(c->prss, n, t, rng));
}

void committee_free(struct committee *c)
{
	for (unsigned p = 0; p < c->n; p++) {
		buf_wipe(&c->objects[p]);
		threshold_key_free(c->keys[p]);
		prss_free(c->prss[p]);
	}
	fhe_client_key_free(c->clear);
}

enum err committee_decrypt(struct committee_shares *ret, const struct committee *c,
			   uint64_t session, enum fhe_type type, enum fhe_format format,
			   struct bytes ciphertext)
{
	struct mpc_session_id id = {{0}};
	enum err first = ERR_OK;

	memcpy(id.le, &session, sizeof(session));
	for (unsigned p = 0; p < c->n; p++) {
		struct prss_session *s;
		size_t n = 0;
		enum err e;

		OK(prss_session_new(&s, c->prss[p], &id));
		e = threshold_key_shares(ret->of[p], &n, c->keys[p], s, type, format, ciphertext,
					 NULL);
		prss_session_free(s);
		if (p == 0) {
			first = e;
			ret->n = n;
		}
		assert_int_equal(e, first);
		assert_int_equal(n, ret->n);
	}
	return first;
}

enum err committee_open(struct fhe_plaintext *ret_value, mpc_set *ret_wrong, struct gr *ret_opened,
			const struct committee *c, const struct committee_shares *shares,
			mpc_set present, enum fhe_type type)
{
	const struct gr *of[MPC_PARTIES_MAX] = {0};
	unsigned missing = c->n - mpc_set_size(present);
	unsigned liars = c->t - missing;
	struct shamir_basis b;

	for (unsigned p = 0; p < c->n; p++)
		of[p] = shares->of[p];
	OK(shamir_basis_init(&b, present, c->t));
	TRY(shamir_open_many_var(&b, ret_opened, ret_wrong, of, shares->n, liars,
				 shamir_radius(c->n - missing, c->t, liars), NULL));
	return threshold_value(ret_value, type, ret_opened, shares->n);
}

/* ---- ciphertexts ---- */

struct fhe_plaintext test_value(enum fhe_type type, struct rng *rng)
{
	const struct fhe_type_row *row = fhe_type_find(type);
	struct fhe_plaintext v = {.n = row->size};

	rng_fill(rng, v.le, v.n);
	if (row->bits < 8)
		v.le[0] &= (uint8_t)((1 << row->bits) - 1);
	return v;
}

static void body_add(struct bytes words, size_t at, u128 noise)
{
	uint8_t *place = (uint8_t *)(uintptr_t)words.p; /* a view of the test's own buffer */

	fhe_word_put_u128(place, at, fhe_word_u128(place, at) + noise);
}

static struct buf list_encrypt(const struct fhe_client_key *key, const struct fhe_type_row *row,
			       const struct fhe_plaintext *value, u128 noise, struct rng *rng)
{
	struct buf out = buf_make(CIPHERTEXT_SIZE_MAX);
	struct fhe_packed_list list;

	OK(fhe_squashed_list_encrypt(key, row, value, rng, &out));
	OK(fhe_squashed_list_read(&list, &key->params, buf_view(&out), NULL));
	for (size_t g = 0; g < list.glwe_n; g++)
		for (size_t h = 0; h < list.glwe[g].bodies; h++)
			body_add(list.glwe[g].words,
				 (size_t)(list.glwe[g].initial_len - list.glwe[g].bodies) + h,
				 noise);
	return out;
}

struct made {
	struct bytes words;
	size_t size;
};

static void block_make(const void *context, uint64_t i, void *ret_block)
{
	const struct made *m = context;

	*(struct fhe_block *)ret_block = (struct fhe_block){
		.words = bytes_sub(m->words, (size_t)i * m->size, m->size),
		.degree = 15,
		.message_modulus = 4,
		.carry_modulus = 4,
	};
}

static struct buf expanded_encrypt(const struct fhe_client_key *key, enum test_form form,
				   const struct fhe_type_row *row,
				   const struct fhe_plaintext *value, u128 noise, struct rng *rng)
{
	struct bytes bits = fhe_client_key_bits(
		key, form == FORM_EXPANDED ? FHE_KEY_SNS : FHE_KEY_SNS_COMPRESSION);
	struct fhe_item item = fhe_item_of(row);
	size_t n = threshold_blocks(row->type), size = 16 * (bits.n + 1);
	struct buf out = buf_make(CIPHERTEXT_SIZE_MAX), words = buf_make(n * size);
	struct made made = {.size = size};
	struct fhe_expanded v = {
		.kind = item.kind,
		.radix_blocks = item.blocks,
		.blocks = {.n = n, .make = block_make, .context = &made},
		.state = form == FORM_EXPANDED_FROM_LIST,
		.tag = fhe_client_key_tag(key),
	};
	uint8_t *place;

	OK(buf_add_space(&words, n * size, &place));
	rng_fill(rng, place, n * size);
	for (size_t i = 0; i < n; i++) {
		uint8_t *block = &place[i * size];
		u128 m = value->le[i / 2] >> 4 * (i % 2) & 15;

		fhe_word_put_u128(block, bits.n,
				  fhe_dot_u128(block, bits.p, bits.n) + (m << 123) + noise);
	}
	made.words = buf_view(&words);
	OK(fhe_big_expanded_rewrite(&v, &out));
	buf_free(&words);
	return out;
}

struct buf test_encrypt(const struct fhe_client_key *key, enum test_form form, enum fhe_type type,
			const struct fhe_plaintext *value, u128 noise, struct rng *rng)
{
	const struct fhe_type_row *row = fhe_type_find(type);

	return form == FORM_LIST ? list_encrypt(key, row, value, noise, rng)
				 : expanded_encrypt(key, form, row, value, noise, rng);
}
