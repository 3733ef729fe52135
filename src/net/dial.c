/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/dial.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/loop_internal.h"

enum {
	ADDRESSES_MAX = 8
};

struct address_entry {
	struct sockaddr_storage sa;
	socklen_t n;
};

struct dial {
	struct loop *loop;
	unsigned port;
	dial_done_fn *done; /* NULL after dial_cancel, while a resolver's answer is still to come */
	void *ctx;
	struct evdns_getaddrinfo_request *lookup;
	bool resolving;
	struct address_entry addresses[ADDRESSES_MAX];
	size_t addresses_n;
	size_t next;
	struct event *writable; /* owns `fd` with it */
	int fd;
	struct timer later;
	char why[128];
};

void socket_no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* ---- target ---- */

static enum err target_parse_host(struct dial_target *t, struct bytes rest, const char *url,
				  struct err_note *note)
{
	size_t colon = rest.n;
	struct bytes host, port;
	unsigned long v = 0;

	if (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest = bytes_sub(rest, 0, rest.n - 1);
	while (colon > 0 && (colon >= rest.n || rest.p[colon] != ':'))
		colon--;
	host = bytes_sub(rest, 0, colon);
	port = bytes_sub(rest, colon + 1, rest.n - colon - (rest.n > colon ? 1 : 0));
	for (size_t i = 0; i < port.n && v <= 65535; i++)
		v = port.p[i] >= '0' && port.p[i] <= '9' ? v * 10 + port.p[i] - '0' : 65536;
	if (v < 1 || v > 65535 || host.n == 0 || rest.n >= DIAL_HOST_SIZE)
		return err_say(note, ERR_CONFIG_VALUE, "\"%s\" is not http(s)://host:port", url);
	bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	const char *never = bracketed ? "/@?#[]" : "/@?#[]:";

	if (bracketed)
		host = bytes_sub(host, 1, host.n - 2);
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] <= ' ' || host.p[i] >= 0x7f || strchr(never, host.p[i]))
			return err_say(note, ERR_CONFIG_VALUE, "\"%s\" is not http(s)://host:port",
				       url);
	memcpy(t->host, host.p, host.n);
	memcpy(t->authority, rest.p, rest.n);
	t->port = (unsigned)v;
	return ERR_OK;
}

enum err dial_target_parse(struct dial_target *ret_target, const char *url, struct err_note *note)
{
	struct dial_target t = {0};

	if (strncmp(url, "unix:", 5) == 0) {
		const char *path = url + 5;

		if (!*path || strlen(path) >= sizeof(t.path))
			return err_say(note, ERR_CONFIG_VALUE,
				       "\"%s\": a socket path has 1 to %zu bytes", url,
				       sizeof(t.path) - 1);
		t.unix_socket = true;
		snprintf(t.path, sizeof(t.path), "%s", path);
		snprintf(t.authority, sizeof(t.authority), "localhost");
	} else if (strncmp(url, "http://", 7) == 0) {
		TRY(target_parse_host(&t, bytes_str(url + 7), url, note));
	} else if (strncmp(url, "https://", 8) == 0) {
		t.secure = true;
		TRY(target_parse_host(&t, bytes_str(url + 8), url, note));
	} else {
		return err_say(note, ERR_CONFIG_VALUE,
			       "\"%s\" is neither http(s)://host:port nor unix:PATH", url);
	}
	*ret_target = t;
	return ERR_OK;
}

/* ---- connecting ---- */

static void dial_free(struct dial *d)
{
	clock_timer_cancel(loop_clock(d->loop), &d->later);
	if (d->writable)
		event_free(d->writable);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

static void dial_end(struct dial *d)
{
	int fd = d->fd;

	d->fd = -1;
	d->done(d->ctx, fd, d->why);
	dial_free(d);
}

static void on_later(void *ctx)
{
	dial_end(ctx);
}

/* Every way out of here goes through the loop, so that `done` is never called from inside
 * dial_start. */
static void end_later(struct dial *d)
{
	clock_timer_set(loop_clock(d->loop), &d->later, 0, on_later, d);
}

static void attempt_failed(struct dial *d, int error)
{
	snprintf(d->why, sizeof(d->why), "cannot connect: %s",
		 evutil_socket_error_to_string(error));
	if (d->writable)
		event_free(d->writable);
	d->writable = NULL;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

static void on_writable(evutil_socket_t fd, short what, void *ctx);

static void attempt_next(struct dial *d)
{
	while (d->next < d->addresses_n) {
		const struct address_entry *a = &d->addresses[d->next++];
		int family = a->sa.ss_family;

		d->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (d->fd < 0) {
			attempt_failed(d, errno);
			continue;
		}
		if (family != AF_UNIX)
			socket_no_delay(d->fd);
		if (connect(d->fd, (const struct sockaddr *)&a->sa, a->n) == 0) {
			end_later(d);
			return;
		}
		if (errno != EINPROGRESS) {
			attempt_failed(d, errno);
			continue;
		}
		d->writable = event_new(loop_base(d->loop), d->fd, EV_WRITE, on_writable, d);
		if (d->writable && event_add(d->writable, NULL) == 0)
			return;
		attempt_failed(d, ENOMEM);
	}
	end_later(d);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	struct dial *d = ctx;
	int error = 0;
	socklen_t n = sizeof(error);

	(void)what;
	loop_enter(d->loop);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		error = errno;
	if (error) {
		attempt_failed(d, error);
		attempt_next(d);
	} else {
		event_free(d->writable);
		d->writable = NULL;
		dial_end(d);
	}
}

static void address_add(struct dial *d, const struct sockaddr *sa, socklen_t n)
{
	struct address_entry *a = &d->addresses[d->addresses_n];

	if (d->addresses_n == ADDRESSES_MAX || n > sizeof(a->sa))
		return;
	memcpy(&a->sa, sa, n);
	a->n = n;
	d->addresses_n++;
}

static void addresses_add_list(struct dial *d, const struct evutil_addrinfo *list)
{
	for (const struct evutil_addrinfo *ai = list; ai; ai = ai->ai_next)
		if (ai->ai_family == AF_INET || ai->ai_family == AF_INET6)
			address_add(d, ai->ai_addr, (socklen_t)ai->ai_addrlen);
}

static void on_resolved(int result, struct evutil_addrinfo *list, void *ctx)
{
	struct dial *d = ctx;

	d->resolving = false;
	d->lookup = NULL;
	if (result == 0 && d->done)
		addresses_add_list(d, list);
	if (list)
		evutil_freeaddrinfo(list);
	if (!d->done) {
		dial_free(d);
		return;
	}
	if (result != 0)
		snprintf(d->why, sizeof(d->why), "cannot resolve the host name: %s",
			 evutil_gai_strerror(result));
	attempt_next(d);
}

static void add_loopback(struct dial *d)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)d->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)d->port)};

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v6.sin6_addr = in6addr_loopback;
	address_add(d, (const struct sockaddr *)&v4, sizeof(v4));
	address_add(d, (const struct sockaddr *)&v6, sizeof(v6));
}

static void resolve(struct dial *d, const char *host)
{
	struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV,
	};
	struct evutil_addrinfo *list = NULL;
	struct evdns_base *dns;
	char port[8];

	snprintf(port, sizeof(port), "%u", d->port & 0xffff);
	/* RFC 6761: "localhost" is the loopback without asking anybody. */
	if (strcmp(host, "localhost") == 0) {
		add_loopback(d);
	} else if (evutil_getaddrinfo(host, port, &hints, &list) == 0) {
		addresses_add_list(d, list);
		evutil_freeaddrinfo(list);
	} else if ((dns = loop_dns(d->loop))) {
		hints.ai_flags = EVUTIL_AI_NUMERICSERV;
		d->resolving = true;
		d->lookup = evdns_getaddrinfo(dns, host, port, &hints, on_resolved, d);
		return; /* on_resolved goes on, perhaps has already */
	} else {
		snprintf(d->why, sizeof(d->why), "no resolver for host names");
	}
	attempt_next(d);
}

enum err dial_start(struct dial **ret_dial, struct loop *loop, const struct dial_target *target,
		    dial_done_fn *done, void *ctx)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d)
		return ERR_NOMEM;
	*d = (struct dial){.loop = loop, .port = target->port, .done = done, .ctx = ctx, .fd = -1};
	snprintf(d->why, sizeof(d->why), "no address");
	if (target->unix_socket) {
		struct sockaddr_un sa = {.sun_family = AF_UNIX};

		memcpy(sa.sun_path, target->path, sizeof(sa.sun_path));
		address_add(d, (const struct sockaddr *)&sa, sizeof(sa));
		attempt_next(d);
	} else {
		resolve(d, target->host);
	}
	*ret_dial = d;
	return ERR_OK;
}

void dial_cancel(struct dial *d)
{
	if (!d)
		return;
	d->done = NULL;
	if (!d->resolving)
		dial_free(d);
	else if (d->lookup)
		evdns_getaddrinfo_cancel(d->lookup); /* on_resolved comes later and frees */
}
