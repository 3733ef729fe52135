/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the tests of eth/ share: vectors, values from JSON, a clock that is moved by hand, a
 * transport that is scripted. */
#ifndef TESTS_ETH_SUPPORT_H
#define TESTS_ETH_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "eth/abi.h"
#include "net/transport.h"

#define assert_ok(x)        assert_string_equal(err_name(x), err_name(ERR_OK))
#define assert_err(x, want) assert_string_equal(err_name(x), err_name(want))

/* tests/vectors/eth/<name>; the caller frees. */
json_t *vectors_load(const char *name);
const char *text_at(const json_t *o, const char *key);

/* Bytes of "0x…", in the arena. */
struct bytes hex_bytes(struct arena *a, const char *text);
struct hash32 hex_hash(const char *text);
struct address hex_address(const char *text);
void assert_bytes_equal(struct bytes got, struct bytes want);

/* Numbers are decimal text, bytes and addresses "0x…", arrays and tuples lists. */
struct abi_value value_from_json(struct arena *a, const struct abi_type *type, const json_t *v);
void assert_value_equal(const struct abi_type *type, const struct abi_value *got,
			const struct abi_value *want);

/* ---- clock ---- */

enum {
	FAKE_TIMERS_MAX = 8
};
struct fake_clock {
	struct clock base;
	int64_t now_ms;
	struct timer *armed[FAKE_TIMERS_MAX];
	int64_t due_ms[FAKE_TIMERS_MAX];
};
struct clock *fake_clock_init(struct fake_clock *c);
bool fake_clock_fire(struct fake_clock *c); /* the next timer; false if none is armed */

/* ---- transport ---- */

struct fake_request {
	struct http_ticket ticket; /* 0: answered or cancelled */
	struct buf body;
	int64_t timeout_ms;
	size_t body_max;
	http_done_fn *done;
	void *ctx;
};
enum {
	FAKE_REQUESTS_MAX = 512
};
struct fake_transport {
	struct transport base;
	struct fake_request requests[FAKE_REQUESTS_MAX];
	size_t requests_n;
	size_t cancelled_n;
	enum err send_err; /* what the next sends say */
};
struct transport *fake_transport_init(struct fake_transport *t);
void fake_transport_clear(struct fake_transport *t);

/* Answer request `i`. In `text` the first '@' becomes the id of the request. */
void fake_answer(struct fake_transport *t, size_t i, int status, const char *text);
void fake_fail(struct fake_transport *t, size_t i, enum err err);

/* The "method" and the compact "params" of request `i`; freed with the transport. */
void assert_request(struct fake_transport *t, size_t i, const char *method, const char *params);

#endif
