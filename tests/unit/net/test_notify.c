/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the service manager hears: a socket of ours stands for its. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/notify.h"
#include "testing.h"

struct fixture {
	struct loop *loop;
	struct notify notify;
	int fd;
	char socket_var[160], watchdog_var[64], pid_var[64];
	const char *env[4];
	struct timer end;
};

static void begin(struct fixture *f, const char *name, const char *watchdog_usec, long pid)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	*f = (struct fixture){0};
	assert_int_equal(loop_new(&f->loop), ERR_OK);
	f->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(f->fd >= 0);
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", name);
	(void)unlink(name);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(bind(f->fd, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	(void)snprintf(f->socket_var, sizeof(f->socket_var), "NOTIFY_SOCKET=%s", name);
	(void)snprintf(f->watchdog_var, sizeof(f->watchdog_var), "WATCHDOG_USEC=%s", watchdog_usec);
	(void)snprintf(f->pid_var, sizeof(f->pid_var), "WATCHDOG_PID=%ld", pid);
	f->env[0] = f->socket_var;
	f->env[1] = f->watchdog_var;
	f->env[2] = f->pid_var;
	notify_open(&f->notify, loop_clock(f->loop), f->env);
}

/* The next datagram, "" if there is none. */
static const char *heard(const struct fixture *f, char text[600])
{
	ssize_t n = recv(f->fd, text, 599, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void end(struct fixture *f)
{
	notify_close(&f->notify);
	(void)close(f->fd);
	loop_free(f->loop);
}

static void on_end(void *ctx)
{
	loop_stop(ctx);
}

static void run_ms(struct fixture *f, int64_t ms)
{
	clock_timer_set(loop_clock(f->loop), &f->end, ms, on_end, f->loop);
	assert_int_equal(loop_run(f->loop), ERR_OK);
}

static void test_words(void **state)
{
	struct fixture f;
	char path[64], text[600];

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/notify-%ld.sock", (long)getpid());
	begin(&f, path, "0", getpid());
	notify_ready(&f.notify, "all is well");
	assert_string_equal(heard(&f, text), "READY=1\nSTATUS=all is well");
	notify_reloading(&f.notify);
	assert_int_equal(strncmp(heard(&f, text), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	assert_true(strtoll(&text[27], NULL, 10) > 0);
	notify_extend(&f.notify, 1500);
	assert_string_equal(heard(&f, text), "EXTEND_TIMEOUT_USEC=1500000");
	notify_stopping(&f.notify);
	assert_string_equal(heard(&f, text), "STOPPING=1\nSTATUS=Stopping");
	assert_string_equal(heard(&f, text), "");
	end(&f);
	(void)unlink(path);
}

/* Twice in its time, as long as the loop turns, and not before it is ready. */
static void test_watchdog(void **state)
{
	struct fixture f;
	char name[64], text[600];
	size_t n = 0;

	(void)state;
	(void)snprintf(name, sizeof(name), "@claviger-notify-%ld", (long)getpid());
	begin(&f, name, "100000", getpid());
	run_ms(&f, 150);
	assert_string_equal(heard(&f, text), "");
	end(&f);
	begin(&f, name, "100000", getpid());
	notify_ready(&f.notify, "");
	run_ms(&f, 1000);
	assert_string_equal(heard(&f, text), "READY=1\nSTATUS=");
	while (heard(&f, text)[0]) {
		assert_string_equal(text, "WATCHDOG=1");
		n++;
	}
	assert_in_range(n, 5, 21); /* 20 and the first; fewer on a machine that is busy */
	end(&f);
}

static void test_not_meant(void **state)
{
	static const char *const odd[] = {"", "relative", "/nobody/listens/here", "@"};
	struct fixture f;
	char name[64], text[600];

	(void)state;
	(void)snprintf(name, sizeof(name), "@claviger-notify-%ld", (long)getpid());
	begin(&f, name, "1000000", getpid() + 1);
	assert_int_equal(f.notify.watchdog_ms, 0); /* another process's */
	notify_ready(&f.notify, "");
	run_ms(&f, 50);
	(void)heard(&f, text);
	assert_string_equal(heard(&f, text), "");
	notify_close(&f.notify);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		(void)snprintf(f.socket_var, sizeof(f.socket_var), "NOTIFY_SOCKET=%s", odd[i]);
		notify_open(&f.notify, loop_clock(f.loop), f.env);
		assert_false(f.notify.open);
		notify_ready(&f.notify, "nobody hears it");
		notify_close(&f.notify);
	}
	notify_open(&f.notify, loop_clock(f.loop), NULL);
	assert_false(f.notify.open);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
