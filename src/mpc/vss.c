/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdlib.h>

#include "base/secret.h"
#include "mpc/vss_internal.h"

/* A round between pairs, then up to three broadcasts, of many rounds each. The last two are skipped
 * where nobody disagrees, which all honest parties see alike. */
enum stage {
	STAGE_DEAL,
	STAGE_CROSSINGS,
	STAGE_SETTLE,
	STAGE_RESOLVE,
	STAGE_DONE
};

/* ---- polynomials ---- */

static void sample(struct mpc_vss *v)
{
	size_t side = v->t + 1, n = v->m * side * side;

	for (size_t i = 0; i < n; i++) {
		uint8_t raw[GR_SIZE];

		rng_fill(v->task.rng, raw, sizeof(raw));
		v->f[i] = i % (side * side) == 0 ? v->task.secrets[i / (side * side)] : gr_get(raw);
		secret_wipe(raw, sizeof(raw));
	}
	for (size_t i = 0; i < (size_t)v->n * v->n * v->m; i++) {
		uint8_t raw[GR_SIZE];

		rng_fill(v->task.rng, raw, sizeof(raw));
		v->pads_out[i] = gr_get(raw);
		secret_wipe(raw, sizeof(raw));
	}
	for (size_t s = 0; s < v->m; s++) {
		vss_pair(v, v->me, s)->in_x = vss_row(v, s, v->me, true);
		vss_pair(v, v->me, s)->in_y = vss_row(v, s, v->me, false);
	}
}

struct vss_poly vss_row(const struct mpc_vss *v, size_t secret, unsigned party, bool in_x)
{
	size_t side = v->t + 1;
	const struct gr *f = &v->f[secret * side * side];
	struct vss_poly row = {0};

	for (size_t k = 0; k < side; k++) {
		struct gr line[MPC_PARTIES_MAX];

		for (size_t i = 0; i < side; i++)
			line[i] = in_x ? f[k * side + i] : f[i * side + k];
		row.c[k] = shamir_eval(line, v->t, party);
	}
	return row;
}

/* ---- dealing ---- */

static enum err deal(struct mpc_vss *v, struct mpc_outbox *out, struct mpc_expectation *ret_wants)
{
	mpc_set others = mpc_set_all(&v->task.group) & (mpc_set) ~(v->corrupt | mpc_set_of(v->me));

	sample(v);
	for (unsigned to = 1; to <= v->n; to++) {
		if (!mpc_set_has(others, to))
			continue;
		out->to[to - 1] = buf_make(vss_round_1_size(v));
		TRY(vss_put_round_1(v, &out->to[to - 1], to));
	}
	*ret_wants = (struct mpc_expectation){
		.from = others, .size_max = vss_round_1_size(v), .synchronous = true};
	return ERR_OK;
}

static bool dealt(struct mpc_vss *v, const struct mpc_inbox *in, bool late)
{
	mpc_set others = mpc_set_all(&v->task.group) & (mpc_set) ~(v->corrupt | mpc_set_of(v->me));
	mpc_set news = in->spoke & others & (mpc_set)~v->read;

	for (unsigned from = 1; from <= v->n; from++)
		if (mpc_set_has(news, from))
			vss_get_round_1(v, from, in->of[from - 1]);
	v->read |= news;
	return v->read == others || late;
}

/* What we see where our row meets another's column, under pads that only the two of us know. */
static void cross(struct mpc_vss *v)
{
	for (unsigned dealer = 1; dealer <= v->n; dealer++)
		for (unsigned other = 1; other <= v->n; other++)
			for (size_t s = 0; s < v->m && other != v->me; s++) {
				const struct vss_pair *pair = vss_pair(v, dealer, s);
				struct gr *two = vss_crossing(v, v->me, dealer, other, s);

				two[0] = gr_add(vss_eval(v, &pair->in_x, other),
						v->pads_out[vss_pad(v, other, dealer, s)]);
				two[1] = gr_add(vss_eval(v, &pair->in_y, other),
						v->pads_in[vss_pad(v, other, dealer, s)]);
			}
}

/* ---- broadcasts ---- */

/* The values of the broadcast that has ended; who said nothing that all heard is corrupt. */
static struct bytes said(struct mpc_vss *v, unsigned party)
{
	struct bytes value = BYTES_NONE;

	if (!v->broadcast || mpc_set_has(v->corrupt, party))
		return BYTES_NONE;
	if (!mpc_broadcast_value(v->broadcast, party, &value))
		v->corrupt |= mpc_set_of(party);
	return value;
}

static enum err begin_broadcast(struct mpc_vss *v, size_t size_max,
				enum err (*put)(const struct mpc_vss *v, struct buf *out))
{
	struct mpc_broadcast_task task = {.group = v->task.group,
					  .senders = mpc_set_all(&v->task.group),
					  .corrupt = v->corrupt,
					  .size_max = size_max,
					  .published = v->published};

	mpc_broadcast_free(v->broadcast);
	v->broadcast = NULL;
	buf_wipe(&v->value);
	v->value = buf_make(size_max);
	TRY(put(v, &v->value));
	task.value = buf_view(&v->value);
	return mpc_broadcast_new(&v->broadcast, &task);
}

/* ---- crossings: who disagrees with whom ---- */

static bool agree(const struct mpc_vss *v, unsigned dealer, unsigned i, unsigned j)
{
	if (!mpc_set_has(v->crossings_of, i) || !mpc_set_has(v->crossings_of, j))
		return false;
	for (size_t s = 0; s < v->m; s++)
		if (!gr_eq_var(&vss_crossing(v, i, dealer, j, s)[0],
			       &vss_crossing(v, j, dealer, i, s)[1]))
			return false;
	return true;
}

static bool find_conflicts(struct mpc_vss *v)
{
	bool any = false;

	for (unsigned party = 1; party <= v->n; party++) {
		struct bytes value = said(v, party);

		if (value.n > 0 && vss_get_round_2(v, party, value))
			v->crossings_of |= mpc_set_of(party);
		else
			v->corrupt |= mpc_set_of(party);
	}
	v->crossings_of &= (mpc_set)~v->corrupt;
	for (unsigned dealer = 1; dealer <= v->n; dealer++)
		for (unsigned i = 1; i <= v->n; i++)
			for (unsigned j = 1; j <= v->n; j++)
				if (i != j && !agree(v, dealer, i, j)) {
					v->conflict[dealer - 1][i - 1] |= mpc_set_of(j);
					any = true;
				}
	return any;
}

/* ---- settling: who disagrees with the dealer ---- */

/* What `who` says that the crossing is; who has to and does not is corrupt, and is taken to say 0.
 */
static void settled(struct mpc_vss *v, unsigned who, struct bytes value, const unsigned key[3],
		    mpc_set *guilty, struct gr *ret)
{
	if (value.n > 0 && vss_get_round_3(v, value, key[0], key[1], key[2], ret))
		return;
	*guilty |= mpc_set_of(who);
	memset(ret, 0, v->m * sizeof(*ret));
}

static enum err find_unhappy(struct mpc_vss *v)
{
	struct bytes value[MPC_PARTIES_MAX];
	struct gr *of = calloc(3 * v->m, sizeof(*of));
	size_t size = v->m * sizeof(*of);
	mpc_set guilty = 0;

	if (!of)
		return ERR_NOMEM;
	for (unsigned party = 1; party <= v->n; party++)
		value[party - 1] = said(v, party);
	for (unsigned d = 1; d <= v->n; d++)
		for (unsigned i = 1; i <= v->n; i++)
			for (unsigned j = 1; j <= v->n; j++) {
				const unsigned key[] = {d, i, j};

				if (!mpc_set_has(v->conflict[d - 1][i - 1], j))
					continue;
				for (unsigned k = 0; k < 3; k++)
					settled(v, key[k], value[key[k] - 1], key, &guilty,
						&of[k * v->m]);
				if (memcmp(&of[v->m], of, size) != 0)
					v->unhappy[d - 1] |= mpc_set_of(i);
				if (memcmp(&of[2 * v->m], of, size) != 0)
					v->unhappy[d - 1] |= mpc_set_of(j);
			}
	free(of);
	v->corrupt |= guilty;
	for (unsigned dealer = 1; dealer <= v->n; dealer++)
		if (mpc_set_size(v->unhappy[dealer - 1]) > v->t)
			v->corrupt |= mpc_set_of(dealer);
	return ERR_OK;
}

static bool anybody_unhappy(const struct mpc_vss *v)
{
	for (unsigned dealer = 1; dealer <= v->n; dealer++)
		if (v->unhappy[dealer - 1])
			return true;
	return false;
}

/* ---- resolving: the dealer's word against those who are happy with it ---- */

struct hearing {
	struct bytes value[MPC_PARTIES_MAX];
	struct vss_poly *polys; /* the dealer's, m */
	struct gr *elements;    /* a party's, m */
};

static bool supports(const struct mpc_vss *v, const struct hearing *h, unsigned party)
{
	for (size_t s = 0; s < v->m; s++) {
		struct gr a = vss_eval(v, &h->polys[s], party);

		if (!gr_eq_var(&a, &h->elements[s]))
			return false;
	}
	return true;
}

/* True: the dealer has 2 t + 1 votes, its own among them, for what it says about `unhappy`. */
static bool believed(const struct mpc_vss *v, struct hearing *h, unsigned dealer, unsigned unhappy,
		     mpc_set *guilty)
{
	unsigned votes = 1;

	if (h->value[dealer - 1].n == 0 ||
	    !vss_get_polys(v, h->value[dealer - 1], dealer, unhappy, h->polys)) {
		*guilty |= mpc_set_of(dealer);
		memset(h->polys, 0, v->m * sizeof(*h->polys));
	}
	for (unsigned party = 1; party <= v->n; party++) {
		if (party == dealer || mpc_set_has(v->unhappy[dealer - 1], party))
			continue;
		if (h->value[party - 1].n == 0 ||
		    !vss_get_values(v, h->value[party - 1], dealer, unhappy, h->elements)) {
			*guilty |= mpc_set_of(party);
			memset(h->elements, 0, v->m * sizeof(*h->elements));
		}
		votes += supports(v, h, party);
	}
	return votes > 2 * v->t;
}

/* If we are unhappy with a dealer who is believed, its polynomials are ours. */
static void adopt(struct mpc_vss *v, struct hearing *h, unsigned dealer)
{
	if (!mpc_set_has(v->unhappy[dealer - 1], v->me) || h->value[dealer - 1].n == 0 ||
	    !vss_get_polys(v, h->value[dealer - 1], dealer, v->me, h->polys))
		return;
	for (size_t s = 0; s < v->m; s++)
		vss_pair(v, dealer, s)->in_x = h->polys[s];
}

static enum err resolve(struct mpc_vss *v)
{
	struct hearing h = {.polys = calloc(v->m, sizeof(*h.polys)),
			    .elements = calloc(v->m, sizeof(*h.elements))};
	bool ready = h.polys && h.elements;

	for (unsigned party = 1; party <= v->n; party++)
		h.value[party - 1] = said(v, party);
	for (unsigned dealer = 1; dealer <= v->n && ready; dealer++) {
		mpc_set guilty = 0;

		if (mpc_set_has(v->corrupt, dealer))
			continue;
		for (unsigned party = 1; party <= v->n; party++)
			if (mpc_set_has(v->unhappy[dealer - 1], party) &&
			    !believed(v, &h, dealer, party, &guilty))
				guilty |= mpc_set_of(dealer);
		v->corrupt |= guilty;
		adopt(v, &h, dealer);
	}
	free(h.polys);
	free(h.elements);
	return ready ? ERR_OK : ERR_NOMEM;
}

static void finish(struct mpc_vss *v)
{
	for (unsigned dealer = 1; dealer <= v->n; dealer++)
		for (size_t s = 0; s < v->m && !mpc_set_has(v->corrupt, dealer); s++)
			v->shares[(dealer - 1) * v->m + s] = vss_pair(v, dealer, s)->in_x.c[0];
	v->stage = STAGE_DONE;
}

/* ---- the steps ---- */

static enum err vss_send(struct mpc_protocol *p, struct mpc_outbox *out,
			 struct mpc_expectation *ret_wants)
{
	struct mpc_vss *v = CONTAINER_OF(p, struct mpc_vss, protocol);

	if (v->stage == STAGE_DEAL)
		return deal(v, out, ret_wants);
	return protocol_send(mpc_broadcast_protocol(v->broadcast), out, ret_wants);
}

/* From the end of one stage to the beginning of the next that is needed. */
static enum err next_stage(struct mpc_vss *v)
{
	switch (v->stage++) {
	case STAGE_DEAL:
		cross(v);
		return begin_broadcast(v, vss_round_2_size(v), vss_put_round_2);
	case STAGE_CROSSINGS:
		if (find_conflicts(v))
			return begin_broadcast(v, vss_round_3_size(v), vss_put_round_3);
		break;
	case STAGE_SETTLE:
		TRY(find_unhappy(v));
		if (anybody_unhappy(v))
			return begin_broadcast(v, vss_round_4_size(v), vss_put_round_4);
		break;
	default:
		TRY(resolve(v));
	}
	finish(v);
	return ERR_OK;
}

static enum err vss_take(struct mpc_protocol *p, const struct mpc_inbox *in, bool late,
			 enum mpc_progress *ret_progress)
{
	struct mpc_vss *v = CONTAINER_OF(p, struct mpc_vss, protocol);
	enum mpc_progress progress = MPC_DONE;

	if (v->stage == STAGE_DEAL)
		progress = dealt(v, in, late) ? MPC_DONE : MPC_WAIT;
	else
		TRY(protocol_take(mpc_broadcast_protocol(v->broadcast), in, late, &progress));
	if (progress == MPC_DONE) {
		TRY(next_stage(v));
		progress = v->stage == STAGE_DONE ? MPC_DONE : MPC_ROUND_OVER;
	}
	*ret_progress = progress;
	return ERR_OK;
}

static const struct mpc_protocol_ops vss_ops = {
	.name = "verifiable sharing",
	.send = vss_send,
	.take = vss_take,
};

/* ---- from outside ---- */

static size_t crossings_n(const struct mpc_vss *v)
{
	return 2 * (size_t)v->n * v->n * v->n * v->m;
}

static bool allocate(struct mpc_vss *v)
{
	size_t side = v->t + 1, pads = (size_t)v->n * v->n * v->m;

	v->f = calloc(v->m * side * side, sizeof(*v->f));
	v->pairs = calloc(v->n * v->m, sizeof(*v->pairs));
	v->pads_out = calloc(pads, sizeof(*v->pads_out));
	v->pads_in = calloc(pads, sizeof(*v->pads_in));
	v->crossings = calloc(crossings_n(v), sizeof(*v->crossings));
	v->shares = calloc(v->n * v->m, sizeof(*v->shares));
	return v->f && v->pairs && v->pads_out && v->pads_in && v->crossings && v->shares;
}

enum err mpc_vss_new(struct mpc_vss **ret, const struct mpc_vss_task *task)
{
	struct mpc_vss *v;

	TRY(mpc_group_check(&task->group, NULL));
	if (task->n == 0 || task->n > MPC_VSS_SECRETS_MAX)
		return ERR_RANGE;
	v = calloc(1, sizeof(*v));
	if (!v)
		return ERR_NOMEM;
	v->protocol.ops = &vss_ops;
	v->task = *task;
	v->n = task->group.n;
	v->t = task->group.t;
	v->me = task->group.me;
	v->m = task->n;
	v->corrupt = task->corrupt;
	if (!allocate(v)) {
		mpc_vss_free(v);
		return ERR_NOMEM;
	}
	*ret = v;
	return ERR_OK;
}

void mpc_vss_as_published(struct mpc_vss *v)
{
	v->published = true;
}

static void wiped(void *p, size_t n)
{
	if (p)
		secret_wipe(p, n);
	free(p);
}

void mpc_vss_free(struct mpc_vss *v)
{
	if (!v)
		return;

	size_t side = v->t + 1, pads = (size_t)v->n * v->n * v->m;

	wiped(v->f, v->m * side * side * sizeof(*v->f));
	wiped(v->pairs, v->n * v->m * sizeof(*v->pairs));
	wiped(v->pads_out, pads * sizeof(*v->pads_out));
	wiped(v->pads_in, pads * sizeof(*v->pads_in));
	wiped(v->shares, v->n * v->m * sizeof(*v->shares));
	free(v->crossings);
	mpc_broadcast_free(v->broadcast);
	buf_wipe(&v->value);
	free(v);
}

struct mpc_protocol *mpc_vss_protocol(struct mpc_vss *v)
{
	return &v->protocol;
}

const struct gr *mpc_vss_shares(const struct mpc_vss *v, unsigned dealer)
{
	return &v->shares[(dealer - 1) * v->m];
}

mpc_set mpc_vss_corrupt(const struct mpc_vss *v)
{
	return v->corrupt;
}
