/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/peer_table.h"

#include <stdlib.h>

enum {
	FIRST_SIZE = 64
};

void peer_table_init(struct peer_table *t, struct rng *rng)
{
	*t = (struct peer_table){0};
	rng_fill(rng, (uint8_t *)t->seed, sizeof(t->seed));
	t->seed[0] |= 1;
	t->seed[1] |= 1;
}

void peer_table_free(struct peer_table *t)
{
	free(t->v);
	t->v = NULL;
	t->size = t->n = 0;
}

/* Multiply-shift with secret odd factors, both halves. */
static size_t place(const struct peer_table *t, const struct mpc_session_id *id)
{
	uint64_t half[2], h;

	memcpy(half, id->le, sizeof(half));
	h = (half[0] ^ t->seed[1]) * t->seed[0];
	h ^= h >> 32;
	h = (h + half[1]) * t->seed[1];
	h ^= h >> 29;
	return (size_t)((h * t->seed[0]) >> 32) & (t->size - 1);
}

static bool same(const struct mpc_session_id *a, const struct mpc_session_id *b)
{
	return memcmp(a->le, b->le, sizeof(a->le)) == 0;
}

struct peer_node *peer_table_find(const struct peer_table *t, const struct mpc_session_id *id)
{
	struct peer_node *n = t->size ? t->v[place(t, id)] : NULL;

	while (n && !same(&n->id, id))
		n = n->next;
	return n;
}

static enum err grow(struct peer_table *t)
{
	struct peer_table bigger = *t;

	bigger.size = t->size ? 2 * t->size : FIRST_SIZE;
	bigger.v = calloc(bigger.size, sizeof(struct peer_node *));
	if (!bigger.v)
		return ERR_NOMEM;
	for (size_t i = 0; i < t->size; i++)
		for (struct peer_node *n = t->v[i], *next; n; n = next) {
			struct peer_node **at = &bigger.v[place(&bigger, &n->id)];

			next = n->next;
			n->next = *at;
			*at = n;
		}
	free(t->v);
	*t = bigger;
	return ERR_OK;
}

enum err peer_table_add(struct peer_table *t, struct peer_node *node)
{
	struct peer_node **at;

	if (t->n >= t->size)
		TRY(grow(t));
	at = &t->v[place(t, &node->id)];
	node->next = *at;
	*at = node;
	t->n++;
	return ERR_OK;
}

void peer_table_remove(struct peer_table *t, struct peer_node *node)
{
	struct peer_node **at = &t->v[place(t, &node->id)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	t->n--;
}
