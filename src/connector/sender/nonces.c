/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/sender/nonces.h"

#include <stdlib.h>
#include <string.h>

static enum err reserve(struct nonces *n, size_t want)
{
	size_t cap = n->cap > 0 ? n->cap : 16;

	if (want <= n->cap)
		return ERR_OK;
	while (cap < want)
		cap *= 2;
	uint64_t *back = reallocarray(n->back, cap, sizeof(*back));
	if (!back)
		return ERR_NOMEM;
	n->back = back;
	n->cap = cap;
	return ERR_OK;
}

static void insert(struct nonces *n, uint64_t nonce)
{
	size_t at = n->back_n;

	CHECK(n->back_n < n->cap);
	for (; at > 0 && n->back[at - 1] > nonce; at--)
		n->back[at] = n->back[at - 1];
	CHECK(at == 0 || n->back[at - 1] != nonce);
	n->back[at] = nonce;
	n->back_n++;
}

static void drop_first(struct nonces *n, size_t count)
{
	n->back_n -= count;
	memmove(n->back, n->back + count, n->back_n * sizeof(*n->back));
}

enum err nonces_take(struct nonces *n, uint64_t *ret_nonce)
{
	TRY(reserve(n, n->back_n + n->taken_n + 1));
	if (n->back_n > 0) {
		*ret_nonce = n->back[0];
		drop_first(n, 1);
	} else {
		*ret_nonce = n->next++;
	}
	n->taken_n++;
	return ERR_OK;
}

void nonces_spend(struct nonces *n)
{
	CHECK(n->taken_n > 0);
	n->taken_n--;
}

void nonces_give_back(struct nonces *n, uint64_t nonce)
{
	CHECK(n->taken_n > 0);
	n->taken_n--;
	if (nonce < n->next) /* else nonces_lower came in between */
		insert(n, nonce);
}

void nonces_load_next(struct nonces *n, uint64_t next)
{
	if (n->next < next)
		n->next = next;
}

enum err nonces_load_free(struct nonces *n, uint64_t nonce)
{
	TRY(reserve(n, n->back_n + n->taken_n + 1));
	insert(n, nonce);
	nonces_load_next(n, nonce + 1);
	return ERR_OK;
}

void nonces_raise(struct nonces *n, uint64_t count)
{
	size_t used = nonces_free_below(n, count);

	nonces_load_next(n, count);
	if (used > 0)
		drop_first(n, used);
}

size_t nonces_free_below(const struct nonces *n, uint64_t nonce)
{
	size_t count = 0;

	while (count < n->back_n && n->back[count] < nonce)
		count++;
	return count;
}

bool nonces_is_free(const struct nonces *n, uint64_t nonce)
{
	size_t below = nonces_free_below(n, nonce);

	return below < n->back_n && n->back[below] == nonce;
}

void nonces_lower(struct nonces *n, uint64_t next)
{
	CHECK(next <= n->next);
	n->next = next;
	n->back_n = nonces_free_below(n, next);
}

bool nonces_lowest_free(const struct nonces *n, uint64_t *ret_nonce)
{
	if (n->back_n == 0)
		return false;
	*ret_nonce = n->back[0];
	return true;
}

void nonces_free(struct nonces *n)
{
	free(n->back);
	*n = (struct nonces){0};
}
