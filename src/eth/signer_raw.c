/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A signer that holds its key: signs at once, answers later in the order of the requests. */
#include <stdlib.h>

#include "eth/signer.h"

enum {
	PENDING_MAX = 1024, /* answers not yet delivered */
};

struct answer {
	struct answer *next;
	enum err err;
	struct signature65 sig;
	signer_done_fn *done;
	void *ctx;
};

struct signer_raw {
	struct signer base;
	struct clock *clock;
	const struct ecdsa *ecdsa;
	struct secret key;
	struct timer timer;
	struct answer *first, *last;
	size_t pending_n;
};

/* The same 32 bytes, in locked memory. */
static const struct secret32 *key_of(const struct secret *s)
{
	return (const struct secret32 *)(const void *)s->p;
}

/* One answer per tick; `done` may free the signer, so it comes last. */
static void deliver(void *ctx)
{
	struct signer_raw *r = ctx;
	struct answer a = *r->first;

	free(r->first);
	r->first = a.next;
	r->pending_n--;
	if (r->first)
		clock_timer_set(r->clock, &r->timer, 0, deliver, r);
	a.done(a.ctx, a.err, a.err == ERR_OK ? &a.sig : NULL);
}

static enum err raw_sign(struct signer *s, struct hash32 digest, signer_done_fn *done, void *ctx)
{
	struct signer_raw *r = CONTAINER_OF(s, struct signer_raw, base);

	if (r->pending_n >= PENDING_MAX)
		return ERR_BUSY;

	struct answer *a = calloc(1, sizeof(*a));
	if (!a)
		return ERR_NOMEM;
	a->done = done;
	a->ctx = ctx;
	a->err = ecdsa_sign65(r->ecdsa, &a->sig, key_of(&r->key), digest);
	if (r->first)
		r->last->next = a;
	else
		r->first = a;
	r->last = a;
	if (r->pending_n++ == 0)
		clock_timer_set(r->clock, &r->timer, 0, deliver, r);
	return ERR_OK;
}

static void raw_free(struct signer *s)
{
	struct signer_raw *r = CONTAINER_OF(s, struct signer_raw, base);

	clock_timer_cancel(r->clock, &r->timer);
	while (r->first) {
		struct answer *a = r->first;

		r->first = a->next;
		free(a);
	}
	secret_free(&r->key);
	free(r);
}

static const struct signer_ops raw_ops = {.sign = raw_sign, .free = raw_free};

enum err signer_raw_new(struct signer **ret_signer, struct clock *clock, const struct ecdsa *ecdsa,
			const struct secret32 *key)
{
	struct address address;

	if (ecdsa_key_check(ecdsa, key) != ERR_OK)
		return ERR_CONFIG_VALUE;
	TRY(ecdsa_address(ecdsa, &address, key));

	struct signer_raw *r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_NOMEM;
	enum err err = secret_copy(&r->key, BYTES_OF(key->b));
	if (err != ERR_OK) {
		free(r);
		return err;
	}
	r->base = (struct signer){.ops = &raw_ops, .address = address};
	r->clock = clock;
	r->ecdsa = ecdsa;
	*ret_signer = &r->base;
	return ERR_OK;
}
