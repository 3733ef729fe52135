/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct guard {
	struct loop *loop;
	bool fired;
};

static void on_guard(void *ctx)
{
	struct guard *g = ctx;

	g->fired = true;
	loop_stop(g->loop);
}

void run_guarded(struct loop *l, int64_t guard_ms)
{
	struct guard g = {.loop = l};
	struct timer t = {0};

	clock_timer_set(loop_clock(l), &t, guard_ms, on_guard, &g);
	assert_int_equal(loop_run(l), ERR_OK);
	clock_timer_cancel(loop_clock(l), &t);
	if (g.fired)
		fail_msg("nothing happened in %d ms", (int)guard_ms);
}

static void on_elapsed(void *ctx)
{
	loop_stop(ctx);
}

void run_for(struct loop *l, int64_t ms)
{
	struct timer t = {0};

	clock_timer_set(loop_clock(l), &t, ms, on_elapsed, l);
	assert_int_equal(loop_run(l), ERR_OK);
	clock_timer_cancel(loop_clock(l), &t);
}

struct peer {
	int fd;
	unsigned port;
	peer_fn *serve;
	void *ctx;
	pthread_t thread;
	atomic_uint connections;
	atomic_int serving; /* the descriptor in use, -1 if none */
	atomic_bool stop;
};

static void *peer_main(void *ctx)
{
	struct peer *p = ctx;

	while (!atomic_load(&p->stop)) {
		struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};
		int fd;

		if (poll(&poll_fd, 1, 20) <= 0)
			continue;
		fd = accept(p->fd, NULL, NULL);
		if (fd < 0)
			continue;
		atomic_fetch_add(&p->connections, 1);
		atomic_store(&p->serving, fd);
		p->serve(p->ctx, fd);
		atomic_store(&p->serving, -1);
		close(fd);
	}
	return NULL;
}

struct peer *peer_new(peer_fn *serve, void *ctx)
{
	struct peer *p = calloc(1, sizeof(*p));
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);

	assert_non_null(p);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->fd >= 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(p->fd, 16), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&sa, &n), 0);
	p->port = ntohs(sa.sin_port);
	p->serve = serve;
	p->ctx = ctx;
	atomic_store(&p->serving, -1);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
	return p;
}

unsigned peer_port(const struct peer *p)
{
	return p->port;
}

unsigned peer_connections(const struct peer *p)
{
	return atomic_load(&p->connections);
}

void peer_free(struct peer *p)
{
	int fd;

	atomic_store(&p->stop, true);
	fd = atomic_load(&p->serving);
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->fd);
	free(p);
}

bool fd_write_all(int fd, struct bytes b)
{
	while (b.n > 0) {
		ssize_t n = send(fd, b.p, b.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		b = bytes_sub(b, (size_t)n, b.n - (size_t)n);
	}
	return true;
}

bool fd_read_headers(int fd)
{
	unsigned matched = 0;
	char c;

	while (matched < 4) {
		if (recv(fd, &c, 1, 0) != 1)
			return false;
		if (c == "\r\n\r\n"[matched])
			matched++;
		else
			matched = c == '\r' ? 1 : 0;
	}
	return true;
}

void fd_wait_close(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
}

int tcp_connect(unsigned port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}
