/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/committee.h"

#include <stdlib.h>

#include "base/limits.h"

enum err committee_new(struct committee **ret)
{
	struct committee *c = calloc(1, sizeof(*c));

	if (!c)
		return ERR_NOMEM;
	c->contexts = calloc(CORE_CONTEXTS_MAX, sizeof(*c->contexts));
	c->epochs = calloc(CORE_EPOCHS_MAX, sizeof(*c->epochs));
	if (!c->contexts || !c->epochs) {
		committee_free(c);
		return ERR_NOMEM;
	}
	*ret = c;
	return ERR_OK;
}

void committee_free(struct committee *c)
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

const struct mpc_context *committee_context(const struct committee *c, struct hash32 id)
{
	size_t n = atomic_load_explicit(&c->contexts_n, memory_order_acquire);

	for (size_t i = 0; i < n; i++)
		if (hash32_eq(c->contexts[i].id, id))
			return &c->contexts[i];
	return NULL;
}

enum err committee_add_context(struct committee *c, const struct mpc_context *x)
{
	size_t n = atomic_load_explicit(&c->contexts_n, memory_order_relaxed);

	if (committee_context(c, x->id))
		return ERR_ALREADY_DONE;
	if (n == CORE_CONTEXTS_MAX)
		return ERR_TOO_BIG;
	TRY(mpc_context_copy(&c->contexts[n], x));
	atomic_store_explicit(&c->contexts_n, n + 1, memory_order_release);
	return ERR_OK;
}

static struct committee_epoch *epoch_find(const struct committee *c, struct hash32 id)
{
	size_t n = atomic_load_explicit(&c->epochs_n, memory_order_acquire);

	for (size_t i = 0; i < n; i++)
		if (hash32_eq(c->epochs[i].id, id))
			return &c->epochs[i];
	return NULL;
}

const struct committee_epoch *committee_epoch(const struct committee *c, struct hash32 id)
{
	return epoch_find(c, id);
}

enum err committee_add_epoch(struct committee *c, struct hash32 id, struct hash32 context_id)
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

void committee_epoch_ready(struct committee *c, struct hash32 id, struct prss *prss)
{
	struct committee_epoch *e = epoch_find(c, id);

	CHECK(e && !atomic_load(&e->prss));
	atomic_store_explicit(&e->prss, prss, memory_order_release);
}

const struct prss *committee_prss(const struct committee_epoch *e)
{
	return atomic_load_explicit(&e->prss, memory_order_acquire);
}
