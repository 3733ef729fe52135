/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/loop.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "net/loop_internal.h"
#include "net/timers.h"

struct loop {
	struct clock clock;
	struct event_base *base;
	struct evdns_base *dns;
	bool stop;

	struct timers timers;
	struct event *timer_event;
	int64_t wake_ms; /* what timer_event is armed for; INT64_MAX = not armed */
	bool in_timers;

	int post_fd;
	struct event *post_event;
	pthread_mutex_t post_lock;
	struct loop_post *post_first; /* under post_lock */
	struct loop_post *post_last;

	struct event *stop_signals[2];
	unsigned stop_signals_n;
	loop_fn *stop_fn;
	void *stop_ctx;
	struct event *reload_signal;
	loop_fn *reload_fn;
	void *reload_ctx;

	/* The round under way, and those before. */
	bool in_round;
	int64_t round_us, round_cpu_us; /* when it began */
	struct loop_stall stall;
	struct loop_rounds rounds;
};

static int64_t time_us(clockid_t id)
{
	struct timespec ts;

	CHECK(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- rounds ---- */

const int64_t loop_round_bounds_us[LOOP_ROUND_BUCKETS] = {
	100, 1000, 5000, 20000, 50000, 250000, 1000000, 5000000,
};

void loop_enter(struct loop *l)
{
	if (l->in_round)
		return;
	l->in_round = true;
	l->round_us = time_us(CLOCK_MONOTONIC);
}

/* The thread's CPU time is read once per round: between two rounds it waits and spends none. */
static void round_end(struct loop *l)
{
	struct loop_stall s = {.cpu_us = time_us(CLOCK_THREAD_CPUTIME_ID)};
	int64_t began_us = l->round_cpu_us;
	size_t i = 0;

	l->round_cpu_us = s.cpu_us;
	s.cpu_us -= began_us;
	s.wall_us = time_us(CLOCK_MONOTONIC) - l->round_us;
	l->in_round = false;
	if (s.wall_us > l->stall.wall_us)
		l->stall = s;
	l->rounds.n++;
	l->rounds.wall_us += s.wall_us;
	while (i < LOOP_ROUND_BUCKETS && s.wall_us > loop_round_bounds_us[i])
		i++;
	if (i < LOOP_ROUND_BUCKETS)
		l->rounds.buckets[i]++;
}

/* One wait, and all that it brought. */
static int round_run(struct loop *l)
{
	int rc = event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);

	if (l->in_round)
		round_end(l);
	return rc;
}

struct loop_stall loop_stall_take(struct loop *l)
{
	struct loop_stall s = l->stall;

	l->stall = (struct loop_stall){0};
	return s;
}

struct loop_rounds loop_rounds(const struct loop *l)
{
	return l->rounds;
}

/* ---- clock ---- */

static int64_t clock_mono(struct clock *c)
{
	(void)c;
	return time_us(CLOCK_MONOTONIC) / 1000;
}

static int64_t clock_wall(struct clock *c)
{
	(void)c;
	return time_us(CLOCK_REALTIME) / 1000;
}

/* One libevent timer carries the whole heap, so that equal deadlines keep the order of arming. */
static void wake_arm(struct loop *l)
{
	int64_t deadline_ms = timers_next_ms(&l->timers);
	int64_t wait_us;
	struct timeval tv;

	if (l->in_timers || deadline_ms >= l->wake_ms)
		return;
	wait_us = deadline_ms * 1000 - time_us(CLOCK_MONOTONIC);
	if (wait_us < 0)
		wait_us = 0;
	tv.tv_sec = wait_us / 1000000;
	tv.tv_usec = wait_us % 1000000;
	CHECK(event_add(l->timer_event, &tv) == 0);
	l->wake_ms = deadline_ms;
}

static void clock_set(struct clock *c, struct timer *t, int64_t delay_ms, timer_fn *fn, void *ctx)
{
	struct loop *l = CONTAINER_OF(c, struct loop, clock);
	int64_t now_us = time_us(CLOCK_MONOTONIC);
	int64_t deadline_ms;

	/* Rounded up, so that nothing fires early; but a delay of nothing means the next round. */
	deadline_ms = delay_ms <= 0 ? now_us / 1000 : (now_us + 999) / 1000;
	if (delay_ms > 0)
		deadline_ms = delay_ms > INT64_MAX / 2000 - deadline_ms ? INT64_MAX / 2000
									: deadline_ms + delay_ms;
	timers_cancel(&l->timers, t);
	t->fn = fn;
	t->ctx = ctx;
	timers_add(&l->timers, t, deadline_ms);
	wake_arm(l);
}

static void clock_cancel(struct clock *c, struct timer *t)
{
	timers_cancel(&CONTAINER_OF(c, struct loop, clock)->timers, t);
}

static const struct clock_ops clock_ops_real = {
	.mono_ms = clock_mono,
	.wall_ms = clock_wall,
	.timer_set = clock_set,
	.timer_cancel = clock_cancel,
};

static void on_timers(evutil_socket_t fd, short what, void *ctx)
{
	struct loop *l = ctx;
	int64_t now_ms = time_us(CLOCK_MONOTONIC) / 1000;
	uint64_t round = timers_round(&l->timers);
	struct timer *t;

	(void)fd;
	(void)what;
	loop_enter(l);
	l->wake_ms = INT64_MAX;
	l->in_timers = true;
	while (!l->stop && (t = timers_pop(&l->timers, now_ms, round)))
		t->fn(t->ctx);
	l->in_timers = false;
	wake_arm(l);
}

/* ---- posts ---- */

static void post_wake(struct loop *l)
{
	uint64_t one = 1;

	/* EAGAIN means that the counter is full: then the loop is awake already. */
	while (write(l->post_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void loop_post_node(struct loop *l, struct loop_post *p)
{
	bool first;

	p->next = NULL;
	pthread_mutex_lock(&l->post_lock);
	first = !l->post_first;
	if (first)
		l->post_first = p;
	else
		l->post_last->next = p;
	l->post_last = p;
	pthread_mutex_unlock(&l->post_lock);
	if (first)
		post_wake(l);
}

void loop_withdraw(struct loop *l, struct loop_post *p)
{
	struct loop_post *before = NULL;
	struct loop_post *at;

	pthread_mutex_lock(&l->post_lock);
	for (at = l->post_first; at && at != p; at = at->next)
		before = at;
	if (at) {
		if (before)
			before->next = p->next;
		else
			l->post_first = p->next;
		if (l->post_last == p)
			l->post_last = before;
	}
	pthread_mutex_unlock(&l->post_lock);
}

enum err loop_post(struct loop *l, loop_fn *fn, void *ctx)
{
	struct loop_post *p = malloc(sizeof(*p));

	if (!p)
		return ERR_NOMEM;
	*p = (struct loop_post){.fn = fn, .ctx = ctx, .owned = true};
	loop_post_node(l, p);
	return ERR_OK;
}

static struct loop_post *post_pop(struct loop *l)
{
	struct loop_post *p;

	pthread_mutex_lock(&l->post_lock);
	p = l->post_first;
	if (p) {
		l->post_first = p->next;
		if (!p->next)
			l->post_last = NULL;
	}
	pthread_mutex_unlock(&l->post_lock);
	return p;
}

static void on_posts(evutil_socket_t fd, short what, void *ctx)
{
	struct loop *l = ctx;
	struct loop_post *last, *p;
	bool more = true;
	uint64_t count;

	(void)what;
	loop_enter(l);
	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	/* What the calls below post waits for the next round, or sockets and timers would starve.
	 */
	pthread_mutex_lock(&l->post_lock);
	last = l->post_last;
	pthread_mutex_unlock(&l->post_lock);
	while (more && !l->stop && (p = post_pop(l))) {
		loop_fn *fn = p->fn;
		void *arg = p->ctx;

		more = p != last;
		if (p->owned)
			free(p);
		fn(arg);
	}
	pthread_mutex_lock(&l->post_lock);
	more = l->post_first != NULL;
	pthread_mutex_unlock(&l->post_lock);
	if (more)
		post_wake(l);
}

/* ---- signals ---- */

static void exit_at_once(int sig)
{
	(void)sig;
	_exit(130);
}

static void on_stop_signal(evutil_socket_t sig, short what, void *ctx)
{
	struct loop *l = ctx;
	struct sigaction at_once = {.sa_handler = exit_at_once};

	(void)sig;
	(void)what;
	if (l->stop_signals_n++ > 0)
		_exit(130);
	/* From here on not even a stuck loop thread delays the end. */
	for (size_t i = 0; i < ARRAY_LEN(l->stop_signals); i++)
		event_del(l->stop_signals[i]);
	sigaction(SIGTERM, &at_once, NULL);
	sigaction(SIGINT, &at_once, NULL);
	loop_enter(l);
	l->stop_fn(l->stop_ctx);
}

enum err loop_on_stop_signal(struct loop *l, loop_fn *fn, void *ctx)
{
	const int signals[2] = {SIGTERM, SIGINT};

	l->stop_fn = fn;
	l->stop_ctx = ctx;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (!l->stop_signals[i])
			l->stop_signals[i] = evsignal_new(l->base, signals[i], on_stop_signal, l);
		if (!l->stop_signals[i] || event_add(l->stop_signals[i], NULL) != 0)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

static void on_reload_signal(evutil_socket_t sig, short what, void *ctx)
{
	struct loop *l = ctx;

	(void)sig;
	(void)what;
	loop_enter(l);
	l->reload_fn(l->reload_ctx);
}

enum err loop_on_reload_signal(struct loop *l, loop_fn *fn, void *ctx)
{
	l->reload_fn = fn;
	l->reload_ctx = ctx;
	if (!l->reload_signal)
		l->reload_signal = evsignal_new(l->base, SIGHUP, on_reload_signal, l);
	if (!l->reload_signal || event_add(l->reload_signal, NULL) != 0)
		return ERR_NOMEM;
	return ERR_OK;
}

/* ---- life ---- */

static void block_sigpipe(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (!config)
		return NULL;
	/* With cached time a timer armed late in a long callback would fire early. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

enum err loop_new(struct loop **ret_loop)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return ERR_NOMEM;
	l->clock.ops = &clock_ops_real;
	l->wake_ms = INT64_MAX;
	pthread_mutex_init(&l->post_lock, NULL);
	l->post_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->base = base_new();
	if (!l->base || l->post_fd < 0)
		goto fail;
	l->timer_event = evtimer_new(l->base, on_timers, l);
	l->post_event = event_new(l->base, l->post_fd, EV_READ | EV_PERSIST, on_posts, l);
	if (!l->timer_event || !l->post_event || event_add(l->post_event, NULL) != 0)
		goto fail;
	block_sigpipe();
	*ret_loop = l;
	return ERR_OK;
fail:
	loop_free(l);
	return ERR_NOMEM;
}

void loop_free(struct loop *l)
{
	struct loop_post *p;

	if (!l)
		return;
	while ((p = post_pop(l)))
		if (p->owned)
			free(p);
	if (l->post_event)
		event_del(l->post_event);
	if (l->dns)
		evdns_base_free(l->dns, 1);
	/* One last round: for lookups that nobody waits for any more, and for callbacks that
	 * libevent still owes to streams which are gone, and keeps them for. */
	if (l->base)
		event_base_loop(l->base, EVLOOP_NONBLOCK);
	for (size_t i = 0; i < ARRAY_LEN(l->stop_signals); i++)
		if (l->stop_signals[i])
			event_free(l->stop_signals[i]);
	if (l->reload_signal)
		event_free(l->reload_signal);
	if (l->timer_event)
		event_free(l->timer_event);
	if (l->post_event)
		event_free(l->post_event);
	if (l->base)
		event_base_free(l->base);
	if (l->post_fd >= 0)
		close(l->post_fd);
	timers_free(&l->timers);
	pthread_mutex_destroy(&l->post_lock);
	free(l);
}

enum err loop_run(struct loop *l)
{
	block_sigpipe();
	l->round_cpu_us = time_us(CLOCK_THREAD_CPUTIME_ID);
	while (!l->stop)
		if (round_run(l) < 0)
			return ERR_IO;
	l->stop = false;
	return ERR_OK;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
	event_base_loopbreak(l->base);
}

struct clock *loop_clock(struct loop *l)
{
	return &l->clock;
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

struct evdns_base *loop_dns(struct loop *l)
{
	if (!l->dns)
		l->dns = evdns_base_new(l->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
							 EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	return l->dns;
}
