/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "crypto/aes128.h"

#include "crypto/aes_ctr_backend.h"

enum {
	BLOCK = 16
};

/* All of it lies in secret memory, `self`. */
struct aes128 {
	const struct aes_ctr_backend *by;
	struct secret self;
	size_t n; /* keys set so far */
	struct aes_ctr_key key[];
};

static const struct aes_ctr_backend *backend(void)
{
	return aes_ctr_by_instructions.usable() ? &aes_ctr_by_instructions : &aes_ctr_by_openssl;
}

enum err aes128_new(struct aes128 **ret, struct bytes keys)
{
	size_t n = keys.n / BLOCK;
	struct secret self;
	struct aes128 *a;

	if (keys.n % BLOCK != 0 || n > AES128_KEYS_MAX)
		return ERR_RANGE;
	TRY(secret_alloc(&self, sizeof(*a) + n * sizeof(a->key[0])));
	a = (struct aes128 *)(void *)self.p; /* secrets are aligned for anything */
	a->self = self;
	a->by = backend();
	for (; a->n < n; a->n++) {
		enum err e = a->by->key_set(&a->key[a->n], &keys.p[a->n * BLOCK]);

		if (e != ERR_OK) {
			aes128_free(a);
			return e;
		}
	}
	*ret = a;
	return ERR_OK;
}

void aes128_free(struct aes128 *a)
{
	struct secret self;

	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		a->by->key_clear(&a->key[i]);
	self = a->self; /* it is freed with what it lies in */
	secret_free(&self);
}

static enum err numbers(const struct aes_ctr_backend *by, struct aes_ctr_key *key, u128 *out,
			u128 first, size_t n)
{
	uint8_t *bytes = (uint8_t *)out;

	TRY(by->blocks(key, bytes, first, n));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	for (size_t i = 0; i < n * BLOCK; i += BLOCK)
		for (size_t k = 0; k < BLOCK / 2; k++) {
			uint8_t b = bytes[i + k];

			bytes[i + k] = bytes[i + BLOCK - 1 - k];
			bytes[i + BLOCK - 1 - k] = b;
		}
#endif
	return ERR_OK;
}

enum err aes128_numbers(struct aes128 *a, size_t key, u128 *out, u128 first, size_t n)
{
	return numbers(a->by, &a->key[key], out, first, n);
}

enum err aes128_numbers_once(const uint8_t key[BLOCK], u128 *out, u128 first, size_t n)
{
	const struct aes_ctr_backend *by = backend();
	struct aes_ctr_key expanded = {0};
	enum err e = by->key_set(&expanded, key);

	if (e == ERR_OK)
		e = numbers(by, &expanded, out, first, n);
	by->key_clear(&expanded);
	return e;
}
