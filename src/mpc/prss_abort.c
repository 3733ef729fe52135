/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/prss_abort.h"

#include <stdlib.h>

#include "base/secret.h"
#include "mpc/wire.h"

enum {
	PART_SIZE = PRSS_KEY_SIZE + MPC_OPENING_SIZE, /* as it is sent: the part, the opening */
	STEPS = MPC_AGREE_KEYS + 1                    /* a round for each kind of message */
};

struct mpc_prss_abort {
	struct mpc_protocol protocol;
	struct mpc_group group;
	struct mpc_session_id session;
	uint64_t round;
	unsigned step;
	enum err result; /* ERR_NOT_READY until the end */
	size_t n;        /* sets that we are in */
	mpc_set *sets;
	struct hash32 *commitments; /* ours; then those of each party, for each of our sets */
	struct secret parts, keys;
};

static struct hash32 *commitment_of(const struct mpc_prss_abort *p, unsigned party, size_t set)
{
	return &p->commitments[(size_t)(party - 1) * p->n + set];
}

/* Bound to who says it, when and where: nobody can say another's again. */
static enum err commit(const struct mpc_prss_abort *p, unsigned party, struct bytes part,
		       struct hash32 *ret)
{
	struct buf where CLEANUP(buf_free) = buf_make(8 + MPC_SESSION_ID_SIZE + 8);

	TRY(buf_add_u64le(&where, party));
	TRY(buf_add(&where, BYTES_OF(p->session.le)));
	TRY(buf_add_u64le(&where, p->round));

	const struct bytes words[] = {buf_view(&where), part};

	return mpc_hash(ret, MPC_NAME_COMMITMENT, words, ARRAY_LEN(words));
}

/* How many sets we share with a party. */
static size_t common(const struct mpc_prss_abort *p, unsigned party)
{
	size_t n = 0;

	for (size_t k = 0; k < p->n; k++)
		n += mpc_set_has(p->sets[k], party);
	return n;
}

/* ---- sending ---- */

static struct bytes item(const struct mpc_prss_abort *p, size_t set)
{
	switch (p->step) {
	case MPC_AGREE_COMMITMENTS:
		return BYTES_OF(commitment_of(p, p->group.me, set)->b);
	case MPC_AGREE_OPENINGS:
		return bytes_sub(secret_view(&p->parts), set * PART_SIZE, PART_SIZE);
	default:
		return bytes_sub(secret_view(&p->keys), set * PRSS_KEY_SIZE, PRSS_KEY_SIZE);
	}
}

static enum err say(const struct mpc_prss_abort *p, unsigned to, struct buf *out)
{
	size_t n = common(p, to);
	struct buf items = buf_make(n * mpc_wire_agree_item_size(p->step));
	enum err e = ERR_OK;

	for (size_t k = 0; k < p->n && e == ERR_OK; k++)
		if (mpc_set_has(p->sets[k], to))
			e = buf_add(&items, item(p, k));
	*out = buf_make(mpc_wire_agree_size(p->step, n));
	if (e == ERR_OK)
		e = mpc_wire_put_agree(out, p->step, buf_view(&items));
	buf_wipe(&items);
	return e;
}

static mpc_set others(const struct mpc_prss_abort *p)
{
	return mpc_set_all(&p->group) & (mpc_set)~mpc_set_of(p->group.me);
}

static enum err abort_send(struct mpc_protocol *protocol, struct mpc_outbox *out,
			   struct mpc_expectation *ret_wants)
{
	const struct mpc_prss_abort *p = CONTAINER_OF(protocol, struct mpc_prss_abort, protocol);

	for (unsigned to = 1; to <= p->group.n; to++)
		if (to != p->group.me)
			TRY(say(p, to, &out->to[to - 1]));
	/* Every two parties have the same number of sets in common. */
	*ret_wants = (struct mpc_expectation){
		.from = others(p),
		.size_max = mpc_wire_agree_size(p->step, common(p, p->group.me == 1 ? 2 : 1)),
		.synchronous = true,
	};
	return ERR_OK;
}

/* ---- hearing ---- */

static void add_part(struct mpc_prss_abort *p, size_t set, struct bytes part)
{
	for (size_t i = 0; i < PRSS_KEY_SIZE; i++)
		p->keys.p[set * PRSS_KEY_SIZE + i] ^= part.p[i];
}

/* ERR_MISMATCH: it is not what the party should say. */
static enum err hear_item(struct mpc_prss_abort *p, unsigned from, size_t set, struct bytes said)
{
	struct hash32 h;

	switch (p->step) {
	case MPC_AGREE_COMMITMENTS:
		memcpy(commitment_of(p, from, set)->b, said.p, sizeof(h.b));
		return ERR_OK;
	case MPC_AGREE_OPENINGS:
		TRY(commit(p, from, said, &h));
		if (!hash32_eq(h, *commitment_of(p, from, set)))
			return ERR_MISMATCH;
		add_part(p, set, said);
		return ERR_OK;
	default:
		return secret_eq(said, item(p, set)) ? ERR_OK : ERR_MISMATCH;
	}
}

static enum err hear(struct mpc_prss_abort *p, unsigned from, struct bytes message)
{
	size_t size = mpc_wire_agree_item_size(p->step), at = 0;
	struct bytes items;

	if (mpc_wire_get_agree(&items, p->step, common(p, from), message) != ERR_OK)
		return ERR_MISMATCH;
	for (size_t k = 0; k < p->n; k++) {
		if (!mpc_set_has(p->sets[k], from))
			continue;
		TRY(hear_item(p, from, k, bytes_sub(items, at, size)));
		at += size;
	}
	return ERR_OK;
}

static void end(struct mpc_prss_abort *p, enum err result)
{
	p->result = result;
	secret_free(&p->parts);
	if (result != ERR_OK)
		secret_free(&p->keys);
}

static enum err abort_take(struct mpc_protocol *protocol, const struct mpc_inbox *in, bool late,
			   enum mpc_progress *ret_progress)
{
	struct mpc_prss_abort *p = CONTAINER_OF(protocol, struct mpc_prss_abort, protocol);
	bool all = (in->spoke & others(p)) == others(p);
	enum err e = all ? ERR_OK : ERR_MISMATCH;

	if (!all && !late) {
		*ret_progress = MPC_WAIT;
		return ERR_OK;
	}
	for (unsigned from = 1; from <= p->group.n && e == ERR_OK; from++)
		if (from != p->group.me)
			e = hear(p, from, in->of[from - 1]);
	if (e != ERR_OK && e != ERR_MISMATCH)
		return e;
	p->step++;
	*ret_progress = MPC_ROUND_OVER;
	if (e != ERR_OK || p->step == STEPS) {
		end(p, e);
		*ret_progress = MPC_DONE;
	}
	return ERR_OK;
}

static const struct mpc_protocol_ops abort_ops = {
	.name = "PRSS set-up with abort",
	.send = abort_send,
	.take = abort_take,
};

/* ---- from outside ---- */

static enum err sets_make(struct mpc_prss_abort *p)
{
	unsigned all_n = mpc_sets_n(&p->group);

	p->sets = calloc(all_n, sizeof(*p->sets));
	if (!p->sets)
		return ERR_NOMEM;
	mpc_sets(&p->group, p->sets);
	for (unsigned i = 0; i < all_n; i++)
		if (mpc_set_has(p->sets[i], p->group.me))
			p->sets[p->n++] = p->sets[i];
	return ERR_OK;
}

/* Our parts, and the keys, which begin with them. */
static enum err parts_make(struct mpc_prss_abort *p, struct rng *rng)
{
	p->commitments = calloc(p->group.n * p->n, sizeof(*p->commitments));
	if (!p->commitments)
		return ERR_NOMEM;
	TRY(secret_alloc(&p->parts, p->n * PART_SIZE));
	TRY(secret_alloc(&p->keys, p->n * PRSS_KEY_SIZE));
	rng_fill(rng, p->parts.p, p->parts.n);
	for (size_t k = 0; k < p->n; k++) {
		struct bytes part = bytes_sub(secret_view(&p->parts), k * PART_SIZE, PART_SIZE);

		TRY(commit(p, p->group.me, part, commitment_of(p, p->group.me, k)));
		add_part(p, k, part);
	}
	return ERR_OK;
}

enum err mpc_prss_abort_new(struct mpc_prss_abort **ret, const struct mpc_group *g,
			    const struct mpc_session_id *session, uint64_t round, struct rng *rng)
{
	struct mpc_prss_abort *p;
	enum err e;

	TRY(mpc_group_check(g, NULL));
	p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	p->protocol.ops = &abort_ops;
	p->group = *g;
	p->session = *session;
	p->round = round;
	p->result = ERR_NOT_READY;
	e = sets_make(p);
	if (e == ERR_OK)
		e = parts_make(p, rng);
	if (e != ERR_OK) {
		mpc_prss_abort_free(p);
		return e;
	}
	*ret = p;
	return ERR_OK;
}

void mpc_prss_abort_free(struct mpc_prss_abort *p)
{
	if (!p)
		return;
	secret_free(&p->parts);
	secret_free(&p->keys);
	free(p->commitments);
	free(p->sets);
	free(p);
}

struct mpc_protocol *mpc_prss_abort_protocol(struct mpc_prss_abort *p)
{
	return &p->protocol;
}

enum err mpc_prss_abort_result(const struct mpc_prss_abort *p, struct prss **ret)
{
	TRY(p->result);
	return prss_new(ret, &p->group, secret_view(&p->keys));
}
