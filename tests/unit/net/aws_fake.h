/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A clock that is moved by hand and a transport that is scripted, for what talks to AWS. */
#ifndef TEST_NET_AWS_FAKE_H
#define TEST_NET_AWS_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/transport.h"

enum {
	FAKE_TIMERS_MAX = 8,
	FAKE_REQUESTS_MAX = 4096
};
#define FAKE_WALL_MS INT64_C(1440938160000) /* 2015-08-30T12:36:00Z */

struct fake_request {
	uint64_t id;     /* 0: answered or cancelled */
	struct buf head; /* "METHOD url\nname: value\n…", with a NUL */
	struct buf body; /* with a NUL */
	bool direct, secret;
	int64_t timeout_ms, connect_timeout_ms;
	size_t body_max;
	http_piece_fn *piece;
	http_done_fn *done;
	void *ctx;
};

struct fake {
	struct clock clock;
	struct transport transport;
	int64_t now_ms, wall_ms; /* of now_ms 0 */
	struct timer *armed[FAKE_TIMERS_MAX];
	int64_t due_ms[FAKE_TIMERS_MAX];
	struct fake_request requests[FAKE_REQUESTS_MAX];
	size_t requests_n, cancelled_n;
	unsigned busy; /* so many requests are refused */
};

struct fake *fake_new(void);
void fake_free(struct fake *f);

/* Fires what is due within `ms`, and moves the clock by it. */
void fake_run(struct fake *f, int64_t ms);
/* One timer, whenever it is due. */
bool fake_fire(struct fake *f);

/* Answers request `i`; `date` may be NULL. */
void fake_answer(struct fake *f, size_t i, int status, const char *date, const char *body);
/* The body comes in two pieces to who wants to know. */
void fake_reply(struct fake *f, size_t i, int status, const struct http_header *headers,
		size_t headers_n, const char *body);
void fake_fail(struct fake *f, size_t i, enum err e);

const char *fake_head(const struct fake *f, size_t i);
const char *fake_body(const struct fake *f, size_t i);
void assert_holds(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

#endif
