/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/prss.h"

#include <stdlib.h>

#include "crypto/aes128.h"

/* What a session's keys are for: the byte that is mixed into them. */
enum use {
	USE_NEXT,
	USE_ZERO,
	USE_MASK,
	USES
};

/*
 * How a counter lies in the function's 16 bytes, from the highest: a block number, always 0 for
 * this ring; the coefficient; for sharings of zero the power. What is left is the counter's.
 */
static const struct {
	uint64_t step; /* how much of the counter one number uses up */
	unsigned bits; /* that the counter has */
} uses[USES] = {
	[USE_NEXT] = {1, 112},
	[USE_ZERO] = {1, 104},
	[USE_MASK] = {2, 120},
};

enum {
	COEFFICIENT_SHIFT = 112,
	POWER_SHIFT = 104,
	AT_ONCE = 64 /* numbers that are made in one go, on the stack */
};

struct prss {
	struct mpc_group group;
	struct secret keys;
	unsigned n;
	struct gr at_me[]; /* of each set, its polynomial at our point */
};

/* ---- a set-up ---- */

/* 1 at 0, and 0 at everybody's point who is not in the set. */
static enum err polynomial_at(struct gr *ret_value, const struct mpc_group *g, mpc_set set)
{
	struct gr value = gr_scalar(1), me = gr_point(g->me), inverse;

	for (unsigned party = 1; party <= g->n; party++) {
		struct gr point = gr_point(party);
		struct gr away = gr_sub(point, me);

		if (mpc_set_has(set, party))
			continue;
		/* 1 - me / point */
		TRY(gr_inv(&inverse, &point));
		value = gr_mul(&value, &away);
		value = gr_mul(&value, &inverse);
	}
	*ret_value = value;
	return ERR_OK;
}

static enum err prss_fill(struct prss *p, struct bytes keys)
{
	mpc_set sets[MPC_SETS_MAX];
	unsigned sets_n = mpc_sets_n(&p->group);

	mpc_sets(&p->group, sets);
	for (unsigned i = 0; i < sets_n; i++)
		if (mpc_set_has(sets[i], p->group.me))
			TRY(polynomial_at(&p->at_me[p->n++], &p->group, sets[i]));
	if (keys.n != (size_t)p->n * PRSS_KEY_SIZE)
		return ERR_RANGE;
	return secret_copy(&p->keys, keys);
}

enum err prss_new(struct prss **ret, const struct mpc_group *g, struct bytes keys)
{
	struct prss *p;
	enum err e;

	TRY(mpc_group_check(g, NULL));
	p = calloc(1, sizeof(*p) + mpc_sets_n(g) * sizeof(p->at_me[0]));
	if (!p)
		return ERR_NOMEM;
	p->group = *g;
	e = prss_fill(p, keys);
	if (e != ERR_OK) {
		prss_free(p);
		return e;
	}
	*ret = p;
	return ERR_OK;
}

void prss_free(struct prss *p)
{
	if (!p)
		return;
	secret_free(&p->keys);
	free(p);
}

const struct mpc_group *prss_group(const struct prss *p)
{
	return &p->group;
}

unsigned prss_keys_n(const struct prss *p)
{
	return p->n;
}

struct bytes prss_keys(const struct prss *p)
{
	return secret_view(&p->keys);
}

/* ---- a session ---- */

struct prss_session {
	const struct prss *prss;
	struct mpc_session_id id;
	struct {
		struct aes128 *keys; /* made when it is used first */
		u128 counter;
	} of[USES];
};

enum err prss_session_new(struct prss_session **ret, const struct prss *p,
			  const struct mpc_session_id *id)
{
	struct prss_session *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NOMEM;
	s->prss = p;
	s->id = *id;
	*ret = s;
	return ERR_OK;
}

void prss_session_free(struct prss_session *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < USES; i++)
		aes128_free(s->of[i].keys);
	free(s);
}

struct session_key {
	uint8_t b[PRSS_KEY_SIZE];
};

/* Key number `key` as the session has it for this use. */
static struct session_key key_for(const struct prss_session *s, enum use use, size_t key)
{
	struct session_key own;

	memcpy(own.b, &s->prss->keys.p[key * PRSS_KEY_SIZE], sizeof(own.b));
	for (size_t i = 0; i < sizeof(own.b); i++)
		own.b[i] ^= s->id.le[i];
	own.b[0] ^= (uint8_t)use;
	return own;
}

/* Expanded and kept, as they are used again and again; masks are drawn once in a session. */
static enum err keys_for(struct prss_session *s, enum use use)
{
	struct secret keys;
	enum err e;

	if (s->of[use].keys || use == USE_MASK)
		return ERR_OK;
	TRY(secret_alloc(&keys, s->prss->keys.n));
	for (size_t i = 0; i < s->prss->n; i++) {
		struct session_key own = key_for(s, use, i);

		memcpy(&keys.p[i * PRSS_KEY_SIZE], own.b, sizeof(own.b));
		secret_wipe(&own, sizeof(own));
	}
	e = aes128_new(&s->of[use].keys, secret_view(&keys));
	secret_free(&keys);
	return e;
}

/* `n` numbers' worth of the counter, or nothing of it. */
static enum err take(struct prss_session *s, enum use use, size_t n, u128 *ret_first)
{
	u128 left = ((u128)1 << uses[use].bits) - s->of[use].counter;

	if (n > left / uses[use].step)
		return ERR_RANGE;
	TRY(keys_for(s, use));
	*ret_first = s->of[use].counter;
	s->of[use].counter += (u128)n * uses[use].step;
	return ERR_OK;
}

/* out[i] += the ring element that key number `key` gives at first + i, times `factor`. */
static enum err add_elements(struct gr *out, size_t n, struct aes128 *keys, size_t key, u128 first,
			     const struct gr *factor)
{
	u128 c[GR_DEGREE][AT_ONCE];
	enum err e = ERR_OK;

	for (unsigned k = 0; k < GR_DEGREE && e == ERR_OK; k++)
		e = aes128_numbers(keys, key, c[k], first | (u128)k << COEFFICIENT_SHIFT, n);
	for (size_t i = 0; i < n && e == ERR_OK; i++) {
		struct gr value = {{c[0][i], c[1][i], c[2][i], c[3][i]}};

		value = gr_mul(&value, factor);
		out[i] = gr_add(out[i], value);
	}
	secret_wipe(c, sizeof(c));
	return e;
}

static enum err add_next(struct prss_session *s, struct gr *out, size_t n, size_t key, u128 first)
{
	return add_elements(out, n, s->of[USE_NEXT].keys, key, first, &s->prss->at_me[key]);
}

static enum err add_zero(struct prss_session *s, struct gr *out, size_t n, size_t key, u128 first)
{
	struct gr me = gr_point(s->prss->group.me), factor = s->prss->at_me[key];

	for (unsigned power = 1; power <= s->prss->group.t; power++) {
		factor = gr_mul(&factor, &me);
		TRY(add_elements(out, n, s->of[USE_ZERO].keys, key,
				 first | (u128)power << POWER_SHIFT, &factor));
	}
	return ERR_OK;
}

/* Uniform in [-2^110, 2^110): the bound is a power of two, so the remainder is a mask. */
static u128 bounded(u128 number)
{
	const u128 bound = (u128)1 << PRSS_MASK_LOG;

	return (number & (2 * bound - 1)) - bound;
}

static enum err add_mask(struct prss_session *s, struct gr *out, size_t n, size_t key, u128 first)
{
	u128 pairs[2 * AT_ONCE];
	struct session_key own = key_for(s, USE_MASK, key);
	enum err e = aes128_numbers_once(own.b, pairs, first, 2 * n);

	for (size_t i = 0; i < n && e == ERR_OK; i++)
		gr_add_scaled(&out[i], &s->prss->at_me[key],
			      bounded(pairs[2 * i]) + bounded(pairs[2 * i + 1]));
	secret_wipe(pairs, 2 * n * sizeof(*pairs));
	secret_wipe(&own, sizeof(own));
	return e;
}

typedef enum err add_fn(struct prss_session *s, struct gr *out, size_t n, size_t key, u128 first);

/* Sums over all keys, a piece of the output at a time. */
static enum err make(struct prss_session *s, enum use use, add_fn *add, struct gr *ret, size_t n)
{
	u128 first;

	TRY(take(s, use, n, &first));
	memset(ret, 0, n * sizeof(*ret));
	for (size_t at = 0; at < n; at += AT_ONCE) {
		size_t some = n - at < AT_ONCE ? n - at : AT_ONCE;

		for (size_t key = 0; key < s->prss->n; key++)
			TRY(add(s, &ret[at], some, key, first + (u128)at * uses[use].step));
	}
	return ERR_OK;
}

enum err prss_next(struct prss_session *s, struct gr *ret, size_t n)
{
	return make(s, USE_NEXT, add_next, ret, n);
}

enum err prss_zero(struct prss_session *s, struct gr *ret, size_t n)
{
	return make(s, USE_ZERO, add_zero, ret, n);
}

enum err prss_mask(struct prss_session *s, struct gr *ret, size_t n)
{
	return make(s, USE_MASK, add_mask, ret, n);
}
