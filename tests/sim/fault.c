/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <stdio.h>

#include "sim.h"

struct fault_row {
	const char *name, *what;
	unsigned percent;
	enum fault_shape shape;
	unsigned rate;
};

static const struct fault_row rows[FAULTS_N] = {
#define FAULT_ROW(name_, percent_, shape_, rate_, what_)                                           \
	[FAULT_##name_] = {#name_, what_, percent_, FAULT_##shape_, rate_},
	FAULTS(FAULT_ROW) FAULTS_MORE(FAULT_ROW)
#undef FAULT_ROW
};

enum {
	USE_OF = 10000
};

const char *fault_word(enum fault_name name)
{
	return rows[name].name;
}

static uint64_t below(struct sim *s, enum fault_name name, uint64_t bound)
{
	return name < FAULTS_MORE_FIRST ? sim_below(s, bound) : more_below(s, bound);
}

bool fault(struct sim *s, enum fault_name name)
{
	if (s->calm || !s->faults.on[name] || below(s, name, USE_OF) >= rows[name].rate)
		return false;
	s->faults.hits[name]++;
	return true;
}

/* Short ones are more common: each octave as likely as the next. */
int64_t fault_length(struct sim *s, int64_t min_ms, int64_t max_ms)
{
	int64_t top = min_ms;

	while (top < max_ms && sim_chance(s, 70))
		top *= 2;
	return sim_between(s, min_ms, top < max_ms ? top : max_ms);
}

/* ---- what happens, of those that happen at a time ---- */

static struct endpoint *some_endpoint(struct sim *s)
{
	struct chain *c = sim_chance(s, 60) ? &s->gateway : &s->host;

	return &c->endpoints[sim_below(s, c->endpoints_n)];
}

static struct process *some_process(struct sim *s)
{
	return &s->processes[sim_below(s, s->processes_n)];
}

static void endpoint_down(struct sim *s)
{
	some_endpoint(s)->down_until_ms = s->loop.now_ms + fault_length(s, 5 * SECOND, 5 * MINUTE);
}

static void lag_ends(void *ctx)
{
	struct endpoint *e = ctx;

	e->lag = 0;
	e->lies = false;
}

static void endpoint_lags(struct sim *s)
{
	struct endpoint *e = some_endpoint(s);

	e->lag = 1 + sim_below(s, 40);
	(void)loop_after(&s->loop, NULL, fault_length(s, 5 * SECOND, 5 * MINUTE), lag_ends, e);
}

/* One of three, and two must agree. */
static void endpoint_lies(struct sim *s)
{
	struct chain *c = sim_chance(s, 60) ? &s->gateway : &s->host;

	for (size_t i = 0; i < c->endpoints_n; i++)
		if (c->endpoints[i].lies)
			return;
	struct endpoint *e = &c->endpoints[sim_below(s, c->endpoints_n)];

	e->lies = true;
	(void)loop_after(&s->loop, NULL, fault_length(s, 5 * SECOND, 5 * MINUTE), lag_ends, e);
}

static uint64_t reorg_depth(struct sim *s)
{
	uint64_t most = 1;

	while (most < REORG_MAX && sim_chance(s, 70))
		most *= 2;
	return 1 + sim_below(s, most);
}

static void reorg_gateway(struct sim *s)
{
	chain_reorg(&s->gateway, reorg_depth(s));
}

static void reorg_host(struct sim *s)
{
	chain_reorg(&s->host, reorg_depth(s));
}

static void chain_stalls(struct sim *s)
{
	struct chain *c = sim_chance(s, 60) ? &s->gateway : &s->host;

	c->stalled_until_ms = s->loop.now_ms + fault_length(s, 10 * SECOND, 5 * MINUTE);
}

static struct chain *some_chain_of_ours(struct sim *s)
{
	return s->faults.on[FAULT_KEYS] && more_chance(s, 40) ? &s->host : &s->gateway;
}

static struct pool *some_pool(struct sim *s)
{
	return &some_chain_of_ours(s)->pool;
}

static void tx_evicted(struct sim *s)
{
	pool_evict(some_chain_of_ours(s));
}

static void tx_foreign(struct sim *s)
{
	pool_foreign(some_chain_of_ours(s));
}

static void fee_spike(struct sim *s)
{
	struct pool *p = some_pool(s);

	p->floor = p->base_fee * (uint64_t)sim_between(s, 2, 20);
	p->floor_until_ms = s->loop.now_ms + fault_length(s, 10 * SECOND, 10 * MINUTE);
}

static void tx_reverted(struct sim *s)
{
	some_pool(s)->paused_until_ms = s->loop.now_ms + fault_length(s, 5 * SECOND, 2 * MINUTE);
}

static void out_of_gas(struct sim *s)
{
	some_pool(s)->gas_until_ms = s->loop.now_ms + fault_length(s, 2 * SECOND, 20 * SECOND);
}

static void no_funds(struct sim *s)
{
	some_pool(s)->funds_until_ms = s->loop.now_ms + fault_length(s, 10 * SECOND, 5 * MINUTE);
}

static void signer_down(struct sim *s)
{
	some_process(s)->signer_down_until_ms =
		s->loop.now_ms + fault_length(s, 5 * SECOND, 5 * MINUTE);
}

static void core_down(struct sim *s)
{
	s->core.down_until_ms = s->loop.now_ms + fault_length(s, 5 * SECOND, 5 * MINUTE);
}

static void core_forgets(struct sim *s)
{
	sim_trace(s, "core: restarted%s", s->core.durable ? "" : ", and has forgotten");
	core_forget(s);
	s->core.down_until_ms = s->loop.now_ms + fault_length(s, SECOND, 30 * SECOND);
}

static int64_t down_ms(struct sim *s)
{
	return fault_length(s, 100, 3 * MINUTE);
}

static void kill_one(struct sim *s)
{
	struct process *p = some_process(s);

	if (!p->alive)
		return;
	s->kills++;
	sim_trace(s, "process %zu: SIGKILL", p->index);
	process_kill(p, down_ms(s));
}

static void kill_at_write(struct sim *s)
{
	struct process *p = some_process(s);

	if (p->alive && p->disk_user.end_at == 0)
		p->disk_user.end_at = p->disk_user.changes + 1 + sim_below(s, 60);
}

static void kill_all(struct sim *s)
{
	for (size_t i = 0; i < s->processes_n; i++)
		process_kill(&s->processes[i], down_ms(s));
}

static void power_cut(struct sim *s)
{
	sim_trace(s, "power cut");
	s->cuts++;
	kill_all(s);
	disk_power_cut(&s->disk);
}

static void disk_full(struct sim *s)
{
	sim_trace(s, "disk full");
	s->faults.disk_full_until_ms = s->loop.now_ms + fault_length(s, 5 * SECOND, 2 * MINUTE);
}

static void pause(struct sim *s)
{
	struct process *p = some_process(s);

	if (!p->alive)
		return;
	p->host.paused_until_ms = s->loop.now_ms + fault_length(s, SECOND, 10 * MINUTE);
	sim_trace(s, "process %zu: paused for %lld ms", p->index,
		  (long long)(p->host.paused_until_ms - s->loop.now_ms));
}

static void clock_jump(struct sim *s)
{
	struct process *p = some_process(s);

	p->host.wall_skew_ms = sim_between(s, -10 * MINUTE, 10 * MINUTE);
	sim_trace(s, "process %zu: its clock is %lld ms off", p->index,
		  (long long)p->host.wall_skew_ms);
}

/* Every other time it is copied, every other time the copy comes back. */
static void restore(struct sim *s)
{
	if (s->backup.n == 0) {
		disk_copy(&s->disk, &s->backup);
		sim_trace(s, "the database is copied");
		return;
	}
	sim_trace(s, "the copy of the database is restored");
	s->restores++;
	kill_all(s);
	disk_restore(&s->disk, &s->backup);
	disk_image_free(&s->backup);
}

static void (*const actions[FAULTS_N])(struct sim *s) = {
	[FAULT_ENDPOINT_DOWN] = endpoint_down,
	[FAULT_ENDPOINT_LAGS] = endpoint_lags,
	[FAULT_ENDPOINT_LIES] = endpoint_lies,
	[FAULT_REORG_GATEWAY] = reorg_gateway,
	[FAULT_REORG_HOST] = reorg_host,
	[FAULT_CHAIN_STALLS] = chain_stalls,
	[FAULT_LOG_UNDECODABLE] = request_undecodable,
	[FAULT_TX_EVICTED] = tx_evicted,
	[FAULT_TX_FOREIGN] = tx_foreign,
	[FAULT_FEE_SPIKE] = fee_spike,
	[FAULT_TX_REVERTED] = tx_reverted,
	[FAULT_OUT_OF_GAS] = out_of_gas,
	[FAULT_NO_FUNDS] = no_funds,
	[FAULT_SIGNER_DOWN] = signer_down,
	[FAULT_CORE_DOWN] = core_down,
	[FAULT_CORE_FORGETS] = core_forgets,
	[FAULT_KILL] = kill_one,
	[FAULT_KILL_AT_WRITE] = kill_at_write,
	[FAULT_POWER_CUT] = power_cut,
	[FAULT_DISK_FULL] = disk_full,
	[FAULT_PAUSE] = pause,
	[FAULT_CLOCK_JUMP] = clock_jump,
	[FAULT_RESTORE] = restore,
	[FAULT_CONTEXT_SWITCH] = context_switch,
};

/* ---- life ---- */

static void on_timer(void *ctx);

static void again(struct fault_timer *t)
{
	int64_t mean_ms = (int64_t)rows[t->name].rate * SECOND;

	(void)loop_after(&t->sim->loop, NULL,
			 1 + (int64_t)below(t->sim, t->name, (uint64_t)(2 * mean_ms)), on_timer, t);
}

static void on_timer(void *ctx)
{
	struct fault_timer *t = ctx;

	if (t->sim->calm)
		return;
	t->sim->faults.hits[t->name]++;
	sim_trace(t->sim, "fault: %s", rows[t->name].name);
	actions[t->name](t->sim);
	again(t);
}

void faults_begin(struct sim *s)
{
	for (enum fault_name i = 0; i < FAULTS_N; i++) {
		if (!s->faults.on[i] || rows[i].shape != FAULT_EVERY)
			continue;
		s->faults.timers[i] = (struct fault_timer){s, i};
		again(&s->faults.timers[i]);
	}
}

/* From now on everybody and everything is well. */
void faults_end(struct sim *s)
{
	struct chain *chains[] = {&s->gateway, &s->host};

	s->calm = true;
	for (size_t c = 0; c < ARRAY_LEN(chains); c++) {
		chains[c]->stalled_until_ms = 0;
		chains[c]->pool.floor_until_ms = chains[c]->pool.funds_until_ms = 0;
		chains[c]->pool.paused_until_ms = chains[c]->pool.gas_until_ms = 0;
		for (size_t i = 0; i < chains[c]->endpoints_n; i++) {
			chains[c]->endpoints[i].down_until_ms = 0;
			lag_ends(&chains[c]->endpoints[i]);
		}
	}
	s->core.down_until_ms = 0;
	s->faults.disk_full_until_ms = 0;
	for (size_t i = 0; i < s->processes_n; i++) {
		s->processes[i].signer_down_until_ms = 0;
		s->processes[i].disk_user.end_at = 0;
		s->processes[i].host.wall_skew_ms = 0;
		if (s->processes[i].host.paused_until_ms > s->loop.now_ms)
			s->processes[i].host.paused_until_ms = s->loop.now_ms;
		process_hurry(&s->processes[i]);
	}
	sim_trace(s, "calm");
}

/* `only`, with commas in between: those rows and no others. */
static bool is_in(const char *only, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = only; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, n) == 0 && (at[n] == '\0' || at[n] == ','))
			return true;
	}
	return false;
}

bool faults_known(const char *only)
{
	size_t names = 1, found = 0;

	for (const char *at = only; *at; at++)
		names += *at == ',';
	for (enum fault_name i = 0; i < FAULTS_N; i++)
		found += is_in(only, rows[i].name);
	return found == names;
}

void faults_choose(struct sim *s, const char *only, bool plain)
{
	for (enum fault_name i = 0; i < FAULTS_N; i++) {
		s->faults.on[i] = below(s, i, 100) < rows[i].percent;
		if (plain && i >= FAULTS_MORE_FIRST)
			s->faults.on[i] = false;
		if (only)
			s->faults.on[i] = is_in(only, rows[i].name);
	}
	if (s->faults.on[FAULT_KEYS])
		s->faults.on[FAULT_KEYS_GATEWAY] = false;
}

void faults_list(void)
{
	for (enum fault_name i = 0; i < FAULTS_N; i++)
		printf("  %-16s %3u %% of runs  %s\n", rows[i].name, rows[i].percent, rows[i].what);
}
