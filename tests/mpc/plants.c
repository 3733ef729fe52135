/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "plants.h"

#include <string.h>

#include "base/bytes.h"

const struct mpc_plant mpc_plants[] = {
	{"mask-omitted", "shares leave a node without their masks", "public", "decryption",
	 "shares[j] = masks[blocks_n - 1 - j];", "shares[j] = gr_sub(masks[j], masks[j]);"},
	{"mask-narrow", "the masks are of half the width", "public", "prss",
	 "bounded(pairs[2 * i]) + bounded(pairs[2 * i + 1]));",
	 "bounded(pairs[2 * i]) + (bounded(pairs[2 * i + 1]) << 20));"},
	{"radius-widened", "an opening corrects as far as there is a word", "open", "shamir",
	 "return sure < beyond / 2 ? sure : beyond / 2;", "return beyond / 2;"},
	{"degree-unchecked", "shares beyond the first t + 1 are not checked", "open", "shamir",
	 "for (unsigned i = b->degree + 1; i < b->n; i++) {\n\t\tstruct gr *r = &residual[i];",
	 "for (unsigned i = b->degree + 1; i + 1 < b->n; i++) {\n\t\tstruct gr *r = "
	 "&residual[i];"},
	{"lowest-plane", "errors are looked for in the lowest bit only", "open", "shamir",
	 "y[i] = gr_bits(&residual[i], plane);", "y[i] = gr_bits(&residual[i], plane & 0);"},
	{"silence-is-trusted", "who is silent counts as a liar found, before the time is up",
	 "open", "open", "liars = !o->task.synchronous ? g->t : silent < g->t ? g->t - silent : 0;",
	 "liars = silent < g->t ? g->t - silent : 0;"},
	{"echo-threshold", "a broadcast is voted for with an echo less", "broadcast", "broadcast",
	 "mpc_set_size(c->echoes) >= quorum(b)", "mpc_set_size(c->echoes) + 1 >= quorum(b)"},
	{"vote-threshold", "votes of a broadcast count with one less", "broadcast", "broadcast",
	 "c && mpc_set_size(c->votes) >= quorum(b)",
	 "c && mpc_set_size(c->votes) + 1 >= quorum(b)"},
	{"no-agreement", "a broadcast counts with the votes that one sees oneself", "broadcast",
	 "broadcast", "b->sender[sender - 1].agree.bit == AGREE_1",
	 "mpc_set_size(c->votes) >= quorum(b)"},
	{"king-ignored", "who is not sure keeps its bit", "broadcast", "agree", "if (!a->strong)",
	 "if (!a->strong && n[0] > 16)"},
	{"crossing-unchecked", "a dealer's polynomials are not compared", "vss", "vss",
	 "if (i != j && !agree(v, dealer, i, j)) {",
	 "if (i > j && !agree(v, dealer, i, j) && !v) {"},
	{"complaint-believed", "whoever complains about a dealer is unhappy with it", "vss", "vss",
	 "if (memcmp(&of[v->m], of, size) != 0)", "if (size > 0)"},
	{"answer-unchecked", "a dealer's answer needs no votes", "vss", "vss",
	 "return votes > 2 * v->t;", "return votes > 0;"},
	{"answer-for-all", "a dealer's answer also counts for who never complained", "vss", "vss",
	 "if (!mpc_set_has(v->unhappy[dealer - 1], v->me) || h->value[dealer - 1].n == 0 ||",
	 "if (h->value[dealer - 1].n == 0 ||"},
	{"key-for-all", "shares of a set's key also go to one party outside of it", "prss-init",
	 "prss_init", "if (mpc_set_has(sets[k], i + 1))",
	 "if (mpc_set_has(sets[(k + 1) % sets_n], i + 1))"},
};
const size_t mpc_plants_n = ARRAY_LEN(mpc_plants);

const struct mpc_plant *mpc_plant_find(const char *name)
{
	for (size_t i = 0; i < mpc_plants_n; i++)
		if (strcmp(mpc_plants[i].name, name) == 0)
			return &mpc_plants[i];
	return NULL;
}
