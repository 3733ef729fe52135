/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A TCP proxy on a thread, which breaks connections at a given byte. Connections get their plans in
 * the order in which they come.
 */
#ifndef TEST_NET_PROXY_H
#define TEST_NET_PROXY_H

#include <stddef.h>

enum proxy_fault {
	PROXY_NONE,
	PROXY_RESET, /* RST to both sides */
	PROXY_CLOSE, /* end of file to both sides */
	PROXY_STALL, /* nothing moves any more */
};

enum proxy_way {
	PROXY_TO_SERVER,
	PROXY_TO_CLIENT,
};

struct proxy_plan {
	enum proxy_fault fault;
	enum proxy_way way; /* the bytes that are counted */
	size_t at;          /* so many pass, then the fault comes */
};

struct proxy;
struct proxy *proxy_new(unsigned server_port);
unsigned proxy_port(const struct proxy *p);

/* For the next n connections; the plans stay the caller's until proxy_clear. Beyond n: no fault. */
void proxy_plan(struct proxy *p, const struct proxy_plan *plans, size_t n);

/* Ends every connection. */
void proxy_clear(struct proxy *p);

/* How many bytes have passed in a direction, on all connections since the last proxy_plan. */
size_t proxy_passed(struct proxy *p, enum proxy_way way);

void proxy_free(struct proxy *p);

#endif
