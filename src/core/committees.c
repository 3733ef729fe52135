/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/committees.h"

#include <stdlib.h>

#include "base/limits.h"

enum err committees_new(struct committees **ret)
{
	struct committees *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	c->contexts = calloc(PEER_CONTEXTS_MAX, sizeof(*c->contexts));
	c->epochs = calloc(CORE_EPOCHS_MAX, sizeof(*c->epochs));
	if (!c->contexts || !c->epochs) {
		committees_free(c);
		return ERR_NOMEM;
	}
	*ret = c;
	return ERR_OK;
}

void committees_free(struct committees *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->contexts_n; i++)
		mpc_context_clear(&c->contexts[i]);
	for (size_t i = 0; i < c->epochs_n; i++)
		prss_free(atomic_load(&c->epochs[i].prss));
	free(c->contexts);
	free(c->epochs);
	free(c);
}

const struct mpc_context *committees_context(const struct committees *c, struct hash32 id)
{
	size_t n = atomic_load_explicit(&c->contexts_n, memory_order_acquire);

	for (size_t i = 0; i < n; i++)
		if (hash32_eq(c->contexts[i].id, id))
			return &c->contexts[i];
	return NULL;
}

enum err committees_add_context(struct committees *c, const struct mpc_context *x)
{
	size_t n = atomic_load_explicit(&c->contexts_n, memory_order_relaxed);

	if (committees_context(c, x->id))
		return ERR_ALREADY_DONE;
	if (n == PEER_CONTEXTS_MAX)
		return ERR_TOO_BIG;
	TRY(mpc_context_copy(&c->contexts[n], x));
	atomic_store_explicit(&c->contexts_n, n + 1, memory_order_release);
	return ERR_OK;
}

static struct committee_epoch *epoch_find(const struct committees *c, struct hash32 id)
{
	size_t n = atomic_load_explicit(&c->epochs_n, memory_order_acquire);

	for (size_t i = 0; i < n; i++)
		if (hash32_eq(c->epochs[i].id, id))
			return &c->epochs[i];
	return NULL;
}

const struct committee_epoch *committees_epoch(const struct committees *c, struct hash32 id)
{
	return epoch_find(c, id);
}

enum err committees_add_epoch(struct committees *c, struct hash32 id, struct hash32 context_id)
{
	size_t n = atomic_load_explicit(&c->epochs_n, memory_order_relaxed);

	if (epoch_find(c, id))
		return ERR_ALREADY_DONE;
	if (n == CORE_EPOCHS_MAX)
		return ERR_TOO_BIG;
	c->epochs[n].id = id;
	c->epochs[n].context_id = context_id;
	atomic_store_explicit(&c->epochs_n, n + 1, memory_order_release);
	return ERR_OK;
}

void committees_epoch_ready(struct committees *c, struct hash32 id, struct prss *prss)
{
	struct committee_epoch *e = epoch_find(c, id);

	CHECK(e && !atomic_load(&e->prss));
	atomic_store_explicit(&e->prss, prss, memory_order_release);
}

const struct prss *committees_prss(const struct committee_epoch *e)
{
	return atomic_load_explicit(&e->prss, memory_order_acquire);
}
