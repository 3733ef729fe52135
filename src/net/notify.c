/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	MESSAGE_SIZE = 512,
	WATCHDOG_MAX_MS = 24 * 60 * 60 * 1000,
};

static const char *env_get(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return &(*env)[n + 1];
	return NULL;
}

static void say(const struct notify *n, const char *text)
{
	if (n->open)
		(void)send(n->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_watchdog(void *ctx)
{
	struct notify *n = ctx;

	say(n, "WATCHDOG=1");
	clock_timer_set(n->clock, &n->watchdog, n->watchdog_ms / 2, on_watchdog, n);
}

/* "/path", or "@name" in the abstract namespace. */
static int socket_connect(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || n < 2 || n >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) != 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

static int64_t watchdog_of(const char *const *env)
{
	const char *usec = env_get(env, "WATCHDOG_USEC"), *pid = env_get(env, "WATCHDOG_PID");
	int64_t ms = usec ? strtoll(usec, NULL, 10) / 1000 : 0;

	if (ms < 2 || ms > WATCHDOG_MAX_MS || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	return ms;
}

void notify_open(struct notify *ret, struct clock *clock, const char *const *env)
{
	const char *path = env_get(env, "NOTIFY_SOCKET");

	*ret = (struct notify){.clock = clock, .fd = -1};
	if (!path)
		return;
	ret->fd = socket_connect(path);
	ret->open = ret->fd >= 0;
	if (ret->open)
		ret->watchdog_ms = watchdog_of(env);
}

void notify_ready(struct notify *n, const char *status)
{
	char text[MESSAGE_SIZE];

	(void)snprintf(text, sizeof(text), "READY=1\nSTATUS=%.400s", status);
	say(n, text);
	if (n->watchdog_ms > 0)
		on_watchdog(n);
}

void notify_reloading(struct notify *n)
{
	char text[MESSAGE_SIZE];
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return;
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		       (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	say(n, text);
}

void notify_stopping(struct notify *n)
{
	say(n, "STOPPING=1\nSTATUS=Stopping");
}

void notify_extend(struct notify *n, int64_t time_ms)
{
	char text[MESSAGE_SIZE];

	(void)snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%" PRId64, time_ms * 1000);
	say(n, text);
}

void notify_close(struct notify *n)
{
	if (n->clock)
		clock_timer_cancel(n->clock, &n->watchdog);
	if (n->open)
		(void)close(n->fd);
	*n = (struct notify){0};
}
