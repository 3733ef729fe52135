/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "crypto/aes_ctr.h"

#include "crypto/aes_ctr_backend.h"

enum {
	BLOCK = 16,
};

/* The object lies in secret memory itself, `self`: key, counter and the block that is in use. */
struct aes_ctr {
	const struct aes_ctr_backend *by;
	struct aes_ctr_key key;
	struct secret self;
	uint64_t counter0[2]; /* low, high */
	uint64_t block;       /* blocks made so far */
	unsigned left;        /* bytes at the end of `last` not yet given */
	uint8_t last[BLOCK];
};

static uint64_t load64le(const uint8_t *b)
{
	uint64_t v = 0;

	for (size_t i = 8; i > 0; i--)
		v = v << 8 | b[i - 1];
	return v;
}

static aes_ctr_u128 load128le(const uint8_t b[BLOCK])
{
	return (aes_ctr_u128)load64le(&b[8]) << 64 | load64le(b);
}

/* The next n blocks of the stream. */
static enum err make_blocks(struct aes_ctr *c, uint8_t *out, size_t n)
{
	aes_ctr_u128 counter0 = (aes_ctr_u128)c->counter0[1] << 64 | c->counter0[0];

	TRY(c->by->blocks(&c->key, out, aes_ctr_add(counter0, c->block), n));
	c->block += n;
	return ERR_OK;
}

enum err aes_ctr_new_by(struct aes_ctr **ret_c, const struct aes_ctr_backend *by,
			const uint8_t key[16], const uint8_t counter0[16], unsigned first_byte)
{
	struct secret self;
	struct aes_ctr *c;
	enum err e;

	if (first_byte >= BLOCK)
		return ERR_RANGE;
	TRY(secret_alloc(&self, sizeof(*c)));
	c = (struct aes_ctr *)(void *)self.p; /* secrets are aligned for anything */
	c->by = by;
	c->self = self;
	c->counter0[0] = load64le(counter0);
	c->counter0[1] = load64le(&counter0[8]);
	e = by->key_set(&c->key, key);
	if (e != ERR_OK) {
		secret_free(&self);
		return e;
	}
	if (first_byte > 0)
		e = aes_ctr_seek(c, first_byte);
	if (e != ERR_OK) {
		aes_ctr_free(c);
		return e;
	}
	*ret_c = c;
	return ERR_OK;
}

static const struct aes_ctr_backend *backend(void)
{
	return aes_ctr_by_instructions.usable() ? &aes_ctr_by_instructions : &aes_ctr_by_openssl;
}

enum err aes_ctr_new(struct aes_ctr **ret_c, const uint8_t key[16], const uint8_t counter0[16],
		     unsigned first_byte)
{
	return aes_ctr_new_by(ret_c, backend(), key, counter0, first_byte);
}

enum err aes_ctr_new_seed(struct aes_ctr **ret_c, const uint8_t seed[16], unsigned first_byte)
{
	static const uint8_t zero[BLOCK];

	return aes_ctr_new(ret_c, seed, zero, first_byte);
}

/*
 * tfhe-csprng's "Xof" seed: a CBC chain under the all-zero key over dsep || seed, zero padded to
 * whole blocks, and then one block with the length in bits. The last two values of the chain are
 * counter and key.
 */
static enum err xof_chain(const struct aes_ctr_backend *by, struct aes_ctr_key *zero_key,
			  struct bytes data, uint8_t key[BLOCK], uint8_t counter0[BLOCK])
{
	uint8_t m[BLOCK];
	enum err e = ERR_OK;

	memset(key, 0, BLOCK);
	for (size_t at = 0; e == ERR_OK; at += BLOCK) {
		bool last = at >= data.n;
		struct bytes piece = bytes_sub(data, at, data.n - at < BLOCK ? data.n - at : BLOCK);

		memset(m, 0, sizeof(m));
		if (last)
			for (size_t i = 0; i < sizeof(size_t); i++)
				m[i] = (uint8_t)(data.n * 8 >> (8 * i));
		else
			memcpy(m, piece.p, piece.n);
		memcpy(counter0, key, BLOCK);
		for (size_t i = 0; i < BLOCK; i++)
			m[i] ^= key[i];
		e = by->blocks(zero_key, key, load128le(m), 1);
		if (last)
			break;
	}
	secret_wipe(m, sizeof(m));
	return e;
}

enum err aes_ctr_new_xof_by(struct aes_ctr **ret_c, const struct aes_ctr_backend *by,
			    const char *dsep8, struct bytes seed)
{
	static const uint8_t zero[BLOCK];
	CLEANUP(buf_wipe) struct buf data = buf_make(AES_CTR_XOF_SEED_MAX + 8);
	struct aes_ctr_key zero_key = {0};
	uint8_t key[BLOCK], counter0[BLOCK];

	if (bytes_str(dsep8).n != 8 || seed.n > AES_CTR_XOF_SEED_MAX)
		return ERR_RANGE;
	TRY(buf_reserve(&data, 8 + seed.n)); /* growing would leave copies of the seed behind */
	TRY(buf_add_str(&data, dsep8));
	TRY(buf_add(&data, seed));
	TRY(by->key_set(&zero_key, zero));

	enum err e = xof_chain(by, &zero_key, buf_view(&data), key, counter0);

	by->key_clear(&zero_key);
	if (e == ERR_OK)
		e = aes_ctr_new_by(ret_c, by, key, counter0, 0);
	secret_wipe(key, sizeof(key));
	secret_wipe(counter0, sizeof(counter0));
	return e;
}

enum err aes_ctr_new_xof(struct aes_ctr **ret_c, const char *dsep8, struct bytes seed)
{
	return aes_ctr_new_xof_by(ret_c, backend(), dsep8, seed);
}

/* Make sure that `last` holds bytes. */
static enum err refill(struct aes_ctr *c)
{
	if (c->left == 0) {
		TRY(make_blocks(c, c->last, 1));
		c->left = BLOCK;
	}
	return ERR_OK;
}

enum err aes_ctr_fill(struct aes_ctr *c, uint8_t *out, size_t n)
{
	size_t at = 0;

	while (at < n) {
		if (c->left == 0 && n - at >= BLOCK) {
			size_t whole = (n - at) / BLOCK;

			TRY(make_blocks(c, &out[at], whole));
			at += whole * BLOCK;
			continue;
		}
		TRY(refill(c));

		size_t take = n - at < c->left ? n - at : c->left;

		memcpy(&out[at], &c->last[BLOCK - c->left], take);
		c->left -= (unsigned)take;
		at += take;
	}
	return ERR_OK;
}

enum err aes_ctr_seek(struct aes_ctr *c, uint64_t byte)
{
	c->block = byte / BLOCK;
	c->left = 0;
	if (byte % BLOCK != 0) {
		TRY(refill(c));
		c->left = (unsigned)(BLOCK - byte % BLOCK);
	}
	return ERR_OK;
}

void aes_ctr_position(const struct aes_ctr *c, uint64_t *ret_block, unsigned *ret_byte)
{
	*ret_block = c->block;
	*ret_byte = (BLOCK - c->left) % BLOCK;
}

void aes_ctr_free(struct aes_ctr *c)
{
	if (!c)
		return;

	struct secret self = c->self;

	c->by->key_clear(&c->key);
	secret_free(&self);
}
