/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Sessions that run: the protocol gets what comes in, and the time. After its end a run stays as
 * long as somebody may still need what it said.
 */
#include <malloc.h>
#include <stdlib.h>

#include "core/peer_internal.h"

static void on_time(void *ctx);
static void on_linger(void *ctx);
static void on_short_linger(void *ctx);

/* ---- lists ---- */

static void list_append(struct run_list *l, struct peer_run *run)
{
	run->next = NULL;
	run->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = run;
	l->last = run;
	l->n++;
}

static void list_remove(struct run_list *l, struct peer_run *run)
{
	*(run->prev ? &run->prev->next : &l->first) = run->next;
	*(run->next ? &run->next->prev : &l->last) = run->prev;
	l->n--;
}

/* ---- what a peer makes us keep for later rounds ---- */

static void parked_count(struct peer_run *run, unsigned party)
{
	size_t now = run->session ? mpc_session_parked(run->session, party) : 0;
	struct peer *p = run->party[party - 1];

	if (!p)
		return;
	p->parked_bytes += now - run->parked[party - 1];
	run->net->counts.parked_bytes += now - run->parked[party - 1];
	run->parked[party - 1] = now;
}

static void parked_count_all(struct peer_run *run)
{
	for (unsigned i = 1; i <= run->group.n; i++)
		parked_count(run, i);
}

/* ---- the end ---- */

static void run_free(struct peer_run *run)
{
	struct peer_net *net = run->net;

	clock_timer_cancel(net->clock, &run->timer);
	peer_out_drop_all(run);
	peer_table_remove(&net->runs, &run->node);
	list_remove(run->session ? &net->active : &net->over, run);
	mpc_session_free(run->session);
	free(run);
}

/* Those that are over, oldest first, when their time has come or they are too many. */
static void over_tidy(struct peer_net *net)
{
	int64_t now = peer_now_ms(net);
	struct peer_run *run;

	while ((run = net->over.first) && !run->done &&
	       (net->over.n > PEER_RUNS_MAX || run->over_ms + net->opt.linger_ms <= now))
		run_free(run);
	if (!run)
		clock_timer_cancel(net->clock, &net->linger);
	else
		clock_timer_set(net->clock, &net->linger,
				run->over_ms + net->opt.linger_ms > now
					? run->over_ms + net->opt.linger_ms - now
					: 1,
				on_linger, net);
}

static void on_linger(void *ctx)
{
	struct peer_net *net = ctx;

	over_tidy(net);
}

/* No session has ended for a while: what a burst took must not set the size of the idle node. What
 * still lingers stays. */
static void on_quiet(void *ctx)
{
	(void)ctx;
	(void)malloc_trim(0);
}

/* Nobody is told any more: it lingers if it has something to say. */
static void run_settle(struct peer_run *run)
{
	struct peer_net *net = run->net;

	run->done = NULL;
	if (run->outs_n == 0)
		run_free(run);
	else if (run->synchronous) /* its rounds are past: only who is a little late needs it */
		clock_timer_set(net->clock, &run->timer, PEER_SYNC_LINGER_MS, on_short_linger, run);
	clock_timer_set(net->clock, &net->quiet, PEER_QUIET_MS, on_quiet, net);
	over_tidy(net);
}

static void on_short_linger(void *ctx)
{
	struct peer_run *run = ctx;
	struct peer_net *net = run->net;

	run_free(run);
	over_tidy(net);
}

static void on_end(void *ctx)
{
	struct peer_run *run = ctx;
	peer_done_fn *done = run->done;
	void *done_ctx = run->ctx;
	enum err e = run->err;

	run_settle(run);
	done(done_ctx, e);
}

/* From here on its protocol is not touched. */
static void run_end(struct peer_run *run, enum err e)
{
	struct peer_net *net = run->net;

	list_remove(&net->active, run);
	run->synchronous = mpc_session_synchronous(run->session);
	mpc_session_free(run->session);
	run->session = NULL;
	list_append(&net->over, run);
	parked_count_all(run);
	run->over_ms = peer_now_ms(net);
	run->err = e;
	*(e == ERR_OK ? &net->counts.runs_done : &net->counts.runs_failed) += 1;
	peer_completed_add(net, &run->node.id);
	peer_out_run_over(run);
	clock_timer_set(net->clock, &run->timer, 0, on_end, run);
}

/* ---- time ---- */

/*
 * A synchronous round ends at a time fixed at the start, so that who begins together ends together:
 * what earlier rounds did not use is left to later ones.
 */
static int64_t deadline_ms(const struct peer_run *run)
{
	int64_t rounds = (int64_t)mpc_session_round(run->session) + 1;

	return mpc_session_synchronous(run->session)
		       ? run->start_ms + rounds * run->round_timeout_ms
		       : run->heard_ms + run->idle_timeout_ms;
}

static void run_on(struct peer_run *run, enum err e)
{
	int64_t left_ms;

	if (e != ERR_OK || mpc_session_done(run->session)) {
		run_end(run, e);
		return;
	}
	left_ms = deadline_ms(run) - peer_now_ms(run->net);
	clock_timer_set(run->net->clock, &run->timer, left_ms > 0 ? left_ms : 0, on_time, run);
}

static void on_time(void *ctx)
{
	struct peer_run *run = ctx;
	enum err e = ERR_TIMEOUT;

	if (mpc_session_synchronous(run->session))
		e = mpc_session_late(run->session, mpc_session_round(run->session));
	parked_count_all(run);
	run_on(run, e);
}

/* ---- the beginning ---- */

static enum err on_send(void *ctx, unsigned to, uint64_t round, struct bytes message)
{
	struct peer_run *run = ctx;
	const struct mpc_context *c = peer_context_find(run->net, &run->context_id);

	return peer_out_add(run, to, peer_own_identity(c), round, message,
			    !mpc_session_synchronous(run->session));
}

static unsigned party_of(const struct peer_run *run, const struct peer *p)
{
	for (unsigned i = 1; i <= run->group.n; i++)
		if (run->party[i - 1] == p)
			return i;
	return 0;
}

static enum err on_parked(void *ctx, struct peer *from, uint64_t round, struct bytes value)
{
	struct peer_run *run = ctx;
	unsigned party = party_of(run, from);

	return party ? mpc_session_receive(run->session, party, round, value) : ERR_OK;
}

static enum err run_check(struct peer_net *net, const struct peer_run_options *o,
			  const struct mpc_context *c)
{
	if (!c || c->me == 0)
		return ERR_NOT_FOUND;
	if (o->round_timeout_ms <= 0 || o->idle_timeout_ms <= 0)
		return ERR_RANGE;
	if (peer_table_find(&net->runs, &o->session) || peer_is_completed(net, &o->session))
		return ERR_CONFLICT;
	return net->active.n < PEER_RUNS_MAX ? ERR_OK : ERR_BUSY;
}

/*
 * What a peer had said of this session may have come too early and be gone. A new connection tells
 * it so, as if we had been restarted: it sends the words of the session once more.
 */
static void lost_ask(struct peer_run *run)
{
	for (unsigned i = 0; i < run->group.n; i++) {
		struct peer *p = run->party[i];

		if (p && p->lost) {
			p->lost = false;
			channel_grpc_renew(p->channel);
		}
	}
}

/* In no list yet. NULL without memory. */
static struct peer_run *run_new(struct peer_net *net, const struct mpc_context *c,
				const struct mpc_session_id *session)
{
	struct peer_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->net = net;
	run->node.id = *session;
	run->context_id = c->id;
	run->group = mpc_context_group(c);
	for (unsigned i = 1; i <= c->n; i++)
		run->party[i - 1] = i == c->me ? NULL : peer_find(net, c->party[i - 1].identity);
	return run;
}

enum err peer_net_run(struct peer_run **ret_run, struct peer_net *net,
		      const struct peer_run_options *o)
{
	const struct mpc_context *c = peer_context_find(net, &o->context_id);
	struct peer_run *run;
	enum err e;

	TRY(run_check(net, o, c));
	run = run_new(net, c, &o->session);
	if (!run)
		return ERR_NOMEM;
	run->protocol = o->protocol;
	run->round_timeout_ms = o->round_timeout_ms;
	run->idle_timeout_ms = o->idle_timeout_ms;
	run->done = o->done;
	run->ctx = o->ctx;
	run->start_ms = run->heard_ms = peer_now_ms(net);
	e = mpc_session_new(&run->session, &run->group, o->protocol, on_send, run);
	if (e == ERR_OK)
		e = peer_table_add(&net->runs, &run->node);
	if (e != ERR_OK) {
		mpc_session_free(run->session);
		free(run);
		return e;
	}
	list_append(&net->active, run);
	lost_ask(run);
	e = peer_unpark(net, &o->session, on_parked, run);
	if (e == ERR_OK)
		e = mpc_session_start(run->session);
	if (e != ERR_OK) {
		run_free(run);
		return e;
	}
	parked_count_all(run);
	run_on(run, ERR_OK);
	*ret_run = run;
	return ERR_OK;
}

/* ---- of an earlier process ---- */

/* It came before we knew that the session is over: who speaks needs our word. */
static enum err on_parked_late(void *ctx, struct peer *from, uint64_t round, struct bytes value)
{
	struct peer_run *run = ctx;
	unsigned party = party_of(run, from);

	(void)round;
	(void)value;
	run->net->counts.late++;
	if (party)
		peer_out_again(run, party, 0);
	return ERR_OK;
}

enum err peer_net_linger(struct peer_net *net, const struct peer_word *w)
{
	const struct mpc_context *c = peer_context_find(net, &w->context_id);
	struct peer_run *run;
	enum err e;

	if (!c || c->me == 0)
		return ERR_NOT_FOUND;
	if (peer_table_find(&net->runs, &w->session) || peer_is_completed(net, &w->session))
		return ERR_CONFLICT;
	run = run_new(net, c, &w->session);
	if (!run)
		return ERR_NOMEM;
	run->over_ms = peer_now_ms(net) - w->age_ms;
	e = peer_table_add(&net->runs, &run->node);
	if (e != ERR_OK) {
		free(run);
		return e;
	}
	list_append(&net->over, run);
	peer_completed_add(net, &w->session);
	for (unsigned i = 1; i <= c->n && e == ERR_OK; i++)
		if (i != c->me)
			e = peer_out_keep(run, i, peer_own_identity(c), w->round, w->value);
	peer_out_run_over(run);
	for (unsigned i = 1; i <= c->n && w->say; i++)
		peer_out_again(run, i, 0);
	if (e == ERR_OK)
		e = peer_unpark(net, &w->session, on_parked_late, run);
	if (e != ERR_OK)
		run_free(run);
	over_tidy(net);
	return e;
}

/* ---- what comes ---- */

/* Only what the round waited for is a reason to wait on: a peer can always say something. */
static enum err receive(struct peer_run *run, unsigned party, const struct peer_message *m)
{
	uint64_t round = mpc_session_round(run->session);
	mpc_set silent = mpc_session_silent(run->session);
	enum err e = mpc_session_receive(run->session, party, m->round, m->value);

	if (mpc_session_round(run->session) != round || mpc_session_silent(run->session) != silent)
		run->heard_ms = peer_now_ms(run->net);
	return e;
}

enum err peer_run_receive(enum peer_status *ret, struct peer_run *run, struct peer *from,
			  const struct peer_message *m, int64_t since_ms)
{
	unsigned party = party_of(run, from);
	enum err e;

	if (party == 0)
		return ERR_NOT_FOUND;
	if (!run->session) {
		run->net->counts.late++;
		peer_out_again(run, party, since_ms);
		*ret = PEER_COMPLETED;
		return ERR_OK;
	}
	if (m->round > mpc_session_round(run->session) &&
	    from->parked_bytes + m->value.n > PEER_PARKED_BYTES_MAX)
		return ERR_BUSY;
	e = receive(run, party, m);
	parked_count_all(run);
	peer_out_again(run, party, since_ms);
	run_on(run, e);
	*ret = PEER_ACTIVE;
	return ERR_OK;
}

/*
 * It may be that it has forgotten our word of a session that is over there, and that we wait for
 * its own, which it only sends to who speaks.
 */
void peer_runs_again(struct peer *from, int64_t since_ms)
{
	for (struct peer_run *run = from->net->active.first; run; run = run->next) {
		unsigned party = party_of(run, from);

		if (party)
			peer_out_again(run, party, since_ms);
	}
}

/* ---- from outside ---- */

void peer_run_cancel(struct peer_run *run)
{
	if (run->session)
		run_end(run, ERR_CANCELLED);
	clock_timer_cancel(run->net->clock, &run->timer);
	run_settle(run);
}

void peer_net_forget(struct peer_net *net, const struct mpc_session_id *session)
{
	struct peer_node *node = peer_table_find(&net->runs, session);
	struct peer_run *run = node ? CONTAINER_OF(node, struct peer_run, node) : NULL;

	if (run && (run->session || run->done))
		return; /* it runs */
	if (run)
		run_free(run);
	peer_completed_remove(net, session);
}

uint64_t peer_run_round(const struct peer_run *run)
{
	return run->session ? mpc_session_round(run->session) : 0;
}

mpc_set peer_run_silent(const struct peer_run *run)
{
	return run->session ? mpc_session_silent(run->session) : 0;
}

static bool is_of(const struct peer_run *run, const struct hash32 *context_id)
{
	return !context_id || memcmp(run->context_id.b, context_id->b, sizeof(context_id->b)) == 0;
}

void peer_runs_stop(struct peer_net *net, const struct hash32 *context_id)
{
	for (struct peer_run *run = net->active.first, *next; run; run = next) {
		next = run->next;
		if (is_of(run, context_id))
			run_end(run, ERR_CANCELLED);
	}
	/* The peers go: nothing may point to them. */
	for (struct peer_run *run = net->over.first, *next; run; run = next) {
		next = run->next;
		if (!is_of(run, context_id))
			continue;
		peer_out_drop_all(run);
		for (unsigned i = 0; i < MPC_PARTIES_MAX; i++)
			run->party[i] = NULL;
		if (!run->done)
			run_free(run);
	}
}

void peer_runs_free(struct peer_net *net)
{
	while (net->active.first)
		run_free(net->active.first);
	while (net->over.first)
		run_free(net->over.first);
	clock_timer_cancel(net->clock, &net->linger);
	clock_timer_cancel(net->clock, &net->quiet);
	peer_table_free(&net->runs);
}
