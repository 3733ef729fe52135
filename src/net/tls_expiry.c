/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The end of a connection's other side: a certificate is judged once, and ends while it is used. */
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <time.h>

#include "net/tls_internal.h"

/* Dates are those of the wall clock, which may be set: it is asked again this often. */
enum {
	ASK_AGAIN_MS = 3600000
};

int64_t tls_cert_not_after_s(const X509 *x)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* Of the chain that was accepted; the first that ends takes the others with it. */
static int64_t chain_not_after_s(const SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	int64_t first_s = INT64_MAX;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t end_s = tls_cert_not_after_s(sk_X509_value(chain, i));

		if (end_s < first_s)
			first_s = end_s;
	}
	return first_s;
}

static void on_time(void *ctx);

static void wait_for(struct tls_expiry *e, int64_t left_ms)
{
	clock_timer_set(e->clock, &e->timer, left_ms < ASK_AGAIN_MS ? left_ms : ASK_AGAIN_MS,
			on_time, e);
}

/* The second of notAfter is the last one in which it counts (RFC 5280, 4.1.2.5). */
static int64_t left_ms(const struct tls_expiry *e)
{
	return (e->not_after_s + 1) * 1000 - clock_wall_ms(e->clock);
}

static void on_time(void *ctx)
{
	struct tls_expiry *e = ctx;
	int64_t left = left_ms(e);

	if (left > 0)
		wait_for(e, left);
	else
		e->fn(e->ctx);
}

void tls_expiry_begin(struct tls_expiry *e, struct clock *clock, struct bufferevent *bev,
		      timer_fn *fn, void *ctx)
{
	const SSL *ssl = bufferevent_openssl_get_ssl(bev);
	int64_t not_after_s = ssl ? chain_not_after_s(ssl) : INT64_MAX;
	int64_t left;

	if (not_after_s == INT64_MAX)
		return;
	e->clock = clock;
	e->fn = fn;
	e->ctx = ctx;
	e->not_after_s = not_after_s;
	left = left_ms(e);
	wait_for(e, left > 0 ? left : 0);
}

void tls_expiry_cancel(struct tls_expiry *e)
{
	if (e->clock)
		clock_timer_cancel(e->clock, &e->timer);
}
