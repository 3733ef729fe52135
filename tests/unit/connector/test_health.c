/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One health check; the database's name. */
#include <stdlib.h>

#include "connector/service_health.h"
#include "world.h"

/* A core that only knows how it feels. */
struct core {
	struct channel base;
	struct sim *sim;
	enum grpc_status status;
	uint8_t serving; /* grpc.health.v1 */
	bool silent;
	bool asked_for_us;
	rpc_done_fn *done;
	void *ctx;
};

static void core_answers(void *ctx)
{
	struct core *c = ctx;
	const uint8_t message[] = {0x08, c->serving};
	const struct rpc_reply r = {
		.status = c->status,
		.text = c->status == GRPC_OK ? "" : "no route",
		.message = c->status == GRPC_OK ? BYTES_OF(message) : BYTES_NONE,
	};

	c->done(c->ctx, &r);
}

static enum err core_call(struct channel *base, struct rpc_ticket *ret_ticket,
			  const struct rpc_call *call, rpc_done_fn *done, void *ctx)
{
	struct core *c = CONTAINER_OF(base, struct core, base);
	static const char service[] = "\x0a\x22kms_service.v1.CoreServiceEndpoint";

	ret_ticket->id = 1;
	c->asked_for_us = strcmp(call->path, "/grpc.health.v1.Health/Check") == 0 &&
			  bytes_eq_var(call->message, BYTES_LIT(service));
	c->done = done;
	c->ctx = ctx;
	if (!c->silent)
		(void)sim_after(c->sim, 2, core_answers, c);
	return ERR_OK;
}

static const struct channel_ops core_ops = {.call = core_call};

struct fixture {
	struct world w;
	struct core core;
	struct channel *cores[1];
	struct health *health;
	unsigned reports;
	struct health_report last;
	char details[512];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	world_init(&f->w, 1);
	f->core = (struct core){.base = {&core_ops}, .sim = &f->w.sim, .serving = 1};
	f->cores[0] = &f->core.base;
	f->w.env.cores = f->cores;
	f->w.config.healthcheck_timeout_ms = 3000;
	assert_int_equal(health_new(&f->health, &f->w.env, f->w.host_provider), ERR_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	health_free(f->health);
	world_free(&f->w);
	free(f);
	return 0;
}

static void on_report(void *ctx, const struct health_report *r)
{
	struct fixture *f = ctx;

	f->reports++;
	f->last = *r;
	memcpy(f->details, r->details.p ? (const char *)r->details.p : "", r->details.n);
	f->details[r->details.n] = '\0';
}

static void check(struct fixture *f)
{
	unsigned before = f->reports;

	health_check(f->health, on_report, f);
	assert_int_equal(f->reports, before);
	sim_run(&f->w.sim, 3000);
	assert_int_equal(f->reports, before + 1);
}

static void test_well(void **state)
{
	struct fixture *f = *state;

	check(f);
	assert_true(f->last.database && f->last.gateway && f->last.ethereum && f->last.cores);
	assert_string_equal(f->details, "");
	assert_true(f->core.asked_for_us);
	check(f);
}

static void test_each_part(void **state)
{
	struct fixture *f = *state;

	f->w.gateway.down = ERR_UNAVAILABLE;
	check(f);
	assert_true(f->last.database && !f->last.gateway && f->last.ethereum && f->last.cores);
	assert_non_null(strstr(f->details, "Gateway connection failed: "));
	f->w.gateway.down = ERR_OK;

	f->w.host.down = ERR_UNAVAILABLE;
	check(f);
	assert_true(f->last.gateway && !f->last.ethereum);
	assert_non_null(strstr(f->details, "Ethereum connection failed: "));
	f->w.host.down = ERR_OK;

	f->core.status = GRPC_UNAVAILABLE;
	check(f);
	assert_false(f->last.cores);
	assert_string_equal(f->details, "KMS Core connection #0 failed: no route");
	f->core.status = GRPC_OK;

	f->w.sim.store.fail_next = ERR_IO;
	check(f);
	assert_false(f->last.database);
	assert_non_null(strstr(f->details, "Database connection failed"));
}

/* Upstream's check is content with any reply. */
static void test_a_core_that_does_not_serve(void **state)
{
	struct fixture *f = *state;

	f->core.serving = 2;
	check(f);
	assert_false(f->last.cores);
	assert_string_equal(f->details, "KMS Core connection #0 failed: not serving");
}

static void test_silence_ends(void **state)
{
	struct fixture *f = *state;

	f->core.silent = true;
	f->w.gateway.delay_ms = 60000;
	check(f);
	assert_true(f->last.database && !f->last.gateway && f->last.ethereum && !f->last.cores);
	assert_string_equal(f->details,
			    "Gateway connection timed out; KMS Core connection #0 timed out");
	sim_run(&f->w.sim, 100000);
	assert_int_equal(f->reports, 1);
}

static void test_free_in_the_middle(void **state)
{
	struct fixture *f = *state;

	health_check(f->health, on_report, f);
	health_free(f->health);
	f->health = NULL;
	sim_run(&f->w.sim, 10000);
	assert_int_equal(f->reports, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_well),
		T(test_each_part),
		T(test_a_core_that_does_not_serve),
		T(test_silence_ends),
		T(test_free_in_the_middle),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
