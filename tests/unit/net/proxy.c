/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "proxy.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "testing.h"

enum {
	PAIRS_MAX = 256,
	CHUNK = 16384
};

struct pair {
	int fds[2]; /* by what is read there: PROXY_TO_SERVER from the client */
	struct proxy_plan plan;
	size_t passed[2];
	bool stalled;
};

struct proxy {
	int fd;
	int wake;
	unsigned port;
	unsigned server_port;
	pthread_t thread;
	pthread_mutex_t lock; /* all below */
	const struct proxy_plan *plans;
	size_t plans_n;
	size_t next;
	size_t passed[2];
	struct pair pairs[PAIRS_MAX];
	size_t pairs_n;
	bool cleared; /* the pairs are others than those that were polled */
	bool stop;
};

static void pair_end(struct proxy *p, size_t i, bool reset)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	for (int k = 0; k < 2; k++) {
		if (reset)
			setsockopt(p->pairs[i].fds[k], SOL_SOCKET, SO_LINGER, &at_once,
				   sizeof(at_once));
		close(p->pairs[i].fds[k]);
	}
	p->pairs[i] = p->pairs[--p->pairs_n];
}

/* True when the pair is gone. */
static bool pair_fault(struct proxy *p, size_t i)
{
	struct pair *c = &p->pairs[i];

	if (c->plan.fault == PROXY_NONE || c->passed[c->plan.way] < c->plan.at)
		return false;
	c->stalled = c->plan.fault == PROXY_STALL;
	if (!c->stalled)
		pair_end(p, i, c->plan.fault == PROXY_RESET);
	return !c->stalled;
}

static bool pair_move(struct proxy *p, size_t i, enum proxy_way way)
{
	static uint8_t chunk[CHUNK];
	struct pair *c = &p->pairs[i];
	size_t max = sizeof(chunk);
	ssize_t n;

	if (c->plan.fault != PROXY_NONE && c->plan.way == way && c->plan.at - c->passed[way] < max)
		max = c->plan.at - c->passed[way];
	n = recv(c->fds[way], chunk, max, MSG_DONTWAIT);
	if (n <= 0 || !fd_write_all(c->fds[1 - way], bytes_from(chunk, (size_t)n))) {
		pair_end(p, i, false);
		return true;
	}
	c->passed[way] += (size_t)n;
	p->passed[way] += (size_t)n;
	return pair_fault(p, i);
}

static void pair_begin(struct proxy *p)
{
	int fd = accept(p->fd, NULL, NULL);
	struct pair *c = &p->pairs[p->pairs_n];

	if (fd < 0)
		return;
	assert_true(p->pairs_n < PAIRS_MAX);
	*c = (struct pair){.fds = {fd, tcp_connect(p->server_port)}};
	if (p->next < p->plans_n)
		c->plan = p->plans[p->next++];
	p->pairs_n++;
	pair_fault(p, p->pairs_n - 1);
}

static size_t poll_fill(const struct proxy *p, struct pollfd *polls)
{
	size_t n = 0;

	polls[n++] = (struct pollfd){.fd = p->wake, .events = POLLIN};
	polls[n++] = (struct pollfd){.fd = p->fd, .events = POLLIN};
	for (size_t i = 0; i < p->pairs_n; i++)
		for (int k = 0; k < 2; k++)
			/* A negative descriptor is left out. */
			polls[n++] =
				(struct pollfd){.fd = p->pairs[i].stalled ? -1 : p->pairs[i].fds[k],
						.events = POLLIN};
	return n;
}

static void *proxy_main(void *arg)
{
	static struct pollfd polls[2 + 2 * PAIRS_MAX];
	struct proxy *p = arg;
	uint64_t woken;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		size_t n = poll_fill(p, polls);

		pthread_mutex_unlock(&p->lock);
		(void)poll(polls, n, -1);
		pthread_mutex_lock(&p->lock);
		if (polls[0].revents)
			(void)!read(p->wake, &woken, sizeof(woken));
		if (p->cleared) {
			p->cleared = false;
			continue;
		}
		/* From behind: the end of a pair moves the last into its place. */
		for (size_t i = (n - 2) / 2; i-- > 0;)
			if (!polls[2 + 2 * i].revents || !pair_move(p, i, PROXY_TO_SERVER))
				if (polls[3 + 2 * i].revents && !p->pairs[i].stalled)
					pair_move(p, i, PROXY_TO_CLIENT);
		if (polls[1].revents)
			pair_begin(p);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void proxy_wake(struct proxy *p)
{
	const uint64_t one = 1;

	assert_int_equal(write(p->wake, &one, sizeof(one)), sizeof(one));
}

struct proxy *proxy_new(unsigned server_port)
{
	struct proxy *p = calloc(1, sizeof(*p));
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);

	assert_non_null(p);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->server_port = server_port;
	p->wake = eventfd(0, EFD_CLOEXEC);
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(p->fd, PAIRS_MAX), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&sa, &n), 0);
	p->port = ntohs(sa.sin_port);
	pthread_mutex_init(&p->lock, NULL);
	assert_int_equal(pthread_create(&p->thread, NULL, proxy_main, p), 0);
	return p;
}

unsigned proxy_port(const struct proxy *p)
{
	return p->port;
}

void proxy_plan(struct proxy *p, const struct proxy_plan *plans, size_t n)
{
	pthread_mutex_lock(&p->lock);
	p->plans = plans;
	p->plans_n = n;
	p->next = 0;
	p->passed[0] = p->passed[1] = 0;
	pthread_mutex_unlock(&p->lock);
}

void proxy_clear(struct proxy *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->pairs_n > 0)
		pair_end(p, 0, false);
	p->cleared = true;
	pthread_mutex_unlock(&p->lock);
	proxy_wake(p);
}

size_t proxy_passed(struct proxy *p, enum proxy_way way)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->passed[way];
	pthread_mutex_unlock(&p->lock);
	return n;
}

void proxy_free(struct proxy *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	proxy_wake(p);
	pthread_join(p->thread, NULL);
	while (p->pairs_n > 0)
		pair_end(p, 0, false);
	close(p->fd);
	close(p->wake);
	free(p);
}
