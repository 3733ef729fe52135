/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Reliable broadcast: honest parties agree about everybody, and believe each other. */
#include <string.h>

#include "mpc/broadcast.h"
#include "mpc/wire.h"
#include "runs.h"

enum {
	VALUE_MAX = 512
};

struct words {
	struct network net;
	mpc_set senders, known; /* liars that everybody knows already */
	struct mpc_broadcast *b[MPC_PARTIES_MAX];
	struct buf said[MPC_PARTIES_MAX];
};

/* A list of elements, in the form of the wire. */
static void any_value(struct buf *out, struct rng *rng)
{
	struct bincode_writer w = {.out = out};
	uint64_t n = 1 + rng_below(rng, 4);

	*out = buf_make(VALUE_MAX);
	bincode_put_u32(&w, MPC_CAST_RINGS);
	bincode_put_u64(&w, n);
	for (uint64_t i = 0; i < n; i++) {
		struct gr a = any_gr(rng);

		mpc_wire_put_gr(&w, &a);
	}
	CHECK(bincode_end(&w) == ERR_OK);
}

static void words_make(struct words *w, const struct mpc_run *r)
{
	struct rng *rng = w->net.rng;
	uint64_t known = run_beyond(r) ? 0 : rng_below(rng, r->liars + 1);

	w->senders = mpc_set_all(&w->net.group);
	if (rng_below(rng, 3) == 0)
		w->senders = any_parties(rng, r->n, 1 + (unsigned)rng_below(rng, r->n));
	for (unsigned p = 1; p <= r->n && mpc_set_size(w->known) < known; p++)
		w->known |= w->net.hostile & mpc_set_of(p);
	for (unsigned p = 1; p <= r->n; p++) {
		struct mpc_broadcast_task task = {.group = {r->n, r->t, p},
						  .senders = w->senders,
						  .corrupt = w->known,
						  .size_max = VALUE_MAX};

		any_value(&w->said[p - 1], rng);
		if (mpc_set_has(w->senders, p))
			task.value = buf_view(&w->said[p - 1]);
		CHECK(mpc_broadcast_new(&w->b[p - 1], &task) == ERR_OK);
		network_join(&w->net, p, mpc_broadcast_protocol(w->b[p - 1]));
	}
}

/* About one sender. */
static const char *judge(const struct words *w, unsigned sender, bool beyond)
{
	mpc_set honest = network_honest(&w->net);
	struct bytes first = BYTES_NONE, value = BYTES_NONE;
	int known = -1;

	for (unsigned p = 1; p <= w->net.group.n; p++) {
		bool has;

		if (!mpc_set_has(honest, p))
			continue;
		has = mpc_broadcast_value(w->b[p - 1], sender, &value);
		if (known < 0)
			first = value;
		if (known >= 0 && (has != known || (has && !bytes_eq_var(value, first))))
			return "honest parties do not agree";
		known = has;
	}
	if (beyond)
		return known ? "a value without t + 1 of the parties" : NULL;
	if (!mpc_set_has(w->senders & (mpc_set)~w->known, sender))
		return known ? "a value of somebody who sends none" : NULL;
	if (mpc_set_has(honest, sender) &&
	    (!known || !bytes_eq_var(first, buf_view(&w->said[sender - 1]))))
		return "an honest sender is not believed";
	return NULL;
}

const char *run_broadcast(struct mpc_run *r)
{
	static struct words w;
	const char *fault = NULL;

	memset(&w, 0, sizeof(w));
	run_begin(r, &w.net);
	words_make(&w, r);
	network_run(&w.net);
	if (!network_honest_done(&w.net) ||
	    network_rounds(&w.net) != mpc_broadcast_rounds(&w.net.group, false))
		fault = "it does not end after its rounds";
	for (unsigned sender = 1; sender <= r->n && !fault; sender++)
		fault = judge(&w, sender, run_beyond(r));
	run_end(r, &w.net);
	for (unsigned p = 0; p < r->n; p++) {
		mpc_broadcast_free(w.b[p]);
		buf_free(&w.said[p]);
	}
	return fault;
}
