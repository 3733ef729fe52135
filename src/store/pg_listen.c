/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/pg_listen.h"
#include "store/pg_dialect.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 5000,
};

struct pg_listener {
	struct pg_target *target;
	struct store *store;
	const char *owner;
	const atomic_int *own_pid;
	pthread_t thread;
	int stop_fd;         /* readable from the wish to stop on */
	struct pg_conn conn; /* the thread's */
};

static enum err listen_open(struct pg_listener *l, struct err_note *note)
{
	CLEANUP(buf_free) struct buf sql = buf_make(512);
	const char *text = NULL;

	pg_conn_close(&l->conn);
	TRY(buf_addf(&sql, "LISTEN \"%s\"", l->target->schema));
	if (l->owner)
		TRY(buf_addf(&sql,
			     "; DO $$ BEGIN PERFORM pg_advisory_lock_shared("
			     "hashtextextended('" PG_OWNER_PREFIX "%s', 0)); END $$",
			     l->owner));
	TRY(buf_cstr(&sql, &text));
	TRY(pg_conn_open(&l->conn, l->target, note));

	enum err e = pg_conn_script(&l->conn, text, note);

	if (e != ERR_OK)
		pg_conn_close(&l->conn);
	return e;
}

/* Everything that has arrived. */
static void hear(struct pg_listener *l)
{
	const struct pg_lib *lib = l->conn.lib;

	for (PGnotify *n; (n = lib->notifies(l->conn.pq));) {
		if (n->be_pid != atomic_load(l->own_pid))
			store_queue_wake(l->store, n->extra);
		lib->freemem(n);
	}
}

/* True when it is time to stop. A negative time is for ever. */
static bool wait(struct pg_listener *l, int fd, int timeout_ms)
{
	struct pollfd p[] = {{.fd = l->stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	(void)poll(p, fd < 0 ? 1 : 2, timeout_ms);
	return p[0].revents != 0;
}

/* Until the connection is lost, or it is time to stop: true. */
static bool listen_on(struct pg_listener *l)
{
	const struct pg_lib *lib = l->conn.lib;

	for (;;) {
		hear(l);
		if (wait(l, lib->socket(l->conn.pq), -1))
			return true;
		if (!lib->consumeInput(l->conn.pq) || lib->status(l->conn.pq) != CONNECTION_OK)
			return false;
	}
}

static void *listener_main(void *ctx)
{
	struct pg_listener *l = ctx;
	int backoff_ms = BACKOFF_FIRST_MS;

	while (!listen_on(l)) {
		while (listen_open(l, NULL) != ERR_OK) {
			if (wait(l, -1, backoff_ms))
				return NULL;
			backoff_ms =
				backoff_ms < BACKOFF_MAX_MS / 2 ? 2 * backoff_ms : BACKOFF_MAX_MS;
		}
		backoff_ms = BACKOFF_FIRST_MS;
		/* Nothing is kept for those who are away. */
		store_queue_wake(l->store, NULL);
	}
	return NULL;
}

/* Signals belong to the loop thread. */
static enum err thread_start_deaf(struct pg_listener *l)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	int rc = pthread_create(&l->thread, NULL, listener_main, l);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (rc == 0)
		(void)pthread_setname_np(l->thread, "store-listen");
	return rc == 0 ? ERR_OK : ERR_INTERNAL;
}

static void listener_dispose(struct pg_listener *l)
{
	pg_conn_close(&l->conn);
	if (l->stop_fd != -1)
		(void)close(l->stop_fd);
	free(l);
}

enum err pg_listener_start(struct pg_listener **ret_listener, struct pg_target *target,
			   struct store *store, const char *owner, const atomic_int *own_pid,
			   struct err_note *note)
{
	struct pg_listener *l = calloc(1, sizeof(*l));

	if (!l)
		return ERR_NOMEM;
	*l = (struct pg_listener){
		.target = target, .store = store, .owner = owner, .own_pid = own_pid};
	l->stop_fd = eventfd(0, EFD_CLOEXEC);

	enum err e = l->stop_fd == -1 ? ERR_INTERNAL : listen_open(l, note);

	if (e == ERR_OK)
		e = thread_start_deaf(l);
	if (e != ERR_OK) {
		listener_dispose(l);
		return e;
	}
	*ret_listener = l;
	return ERR_OK;
}

void pg_listener_stop(struct pg_listener *l)
{
	const uint64_t one = 1;

	if (!l)
		return;
	CHECK(write(l->stop_fd, &one, sizeof(one)) == sizeof(one));
	CHECK(pthread_join(l->thread, NULL) == 0);
	listener_dispose(l);
}
