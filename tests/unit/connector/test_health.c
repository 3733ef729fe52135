/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One health check: what the services stand on, and whether the work moves. */
#include <stdlib.h>

#include "base/limits.h"
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
	assert_int_equal(health_new(&f->health, &f->w.env, f->w.host_provider, SERVICE_ALL),
			 ERR_OK);
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
static void on_id(void *ctx, const struct provider_error *e, uint64_t id)
{
	(void)ctx;
	(void)e;
	(void)id;
}

/* Told, and no reason to be ill: the requests of other chains go on. */
static void test_a_host_chain_that_is_away(void **state)
{
	struct fixture *f = *state;

	health_free(f->health);
	assert_int_equal(health_new(&f->health, &f->w.env, NULL, SERVICE_ALL), ERR_OK);
	check(f);
	assert_true(f->last.hosts);
	f->w.host.down = ERR_UNAVAILABLE;
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(provider_get_chain_id(f->w.host_provider, on_id, NULL), ERR_OK);
		sim_run(&f->w.sim, 10);
	}
	check(f);
	assert_false(f->last.hosts);
	assert_true(health_report_good(&f->last));
	f->w.host.down = ERR_OK;
	for (unsigned i = 0; i < 6; i++) {
		sim_run(&f->w.sim, 10000);
		assert_int_equal(provider_get_chain_id(f->w.host_provider, on_id, NULL), ERR_OK);
	}
	check(f);
	assert_true(f->last.hosts);
}

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

/* ---- the right chain ---- */

static void test_another_chain(void **state)
{
	struct fixture *f = *state;

	f->w.gateway.chain_id = 1;
	check(f);
	assert_false(f->last.gateway);
	assert_true(f->last.ethereum && f->last.progress);
	assert_non_null(strstr(f->details, "Gateway connection failed: the endpoint gateway serves "
					   "chain 1, and 54321 is configured"));
	f->w.gateway.chain_id = WORLD_GATEWAY_CHAIN;

	f->w.host.chain_id = 2;
	check(f);
	assert_true(f->last.gateway && !f->last.ethereum);
	assert_non_null(strstr(f->details, "Ethereum connection failed: the endpoint "));
	assert_non_null(strstr(f->details, " serves chain 2, and 12345 is configured"));
}

/* ---- work that stands still ---- */

/* `text` outlives the run, up to two numbers in it. */
static void sql(struct fixture *f, const char *text, int64_t a, int64_t b)
{
	struct store_batch batch = store_batch_make(1 << 16);

	assert_int_equal(STORE_ADD(&batch, STORE_ANY, text, store_int(a), store_int(b)), ERR_OK);
	assert_int_equal(store_submit(f->w.env.store, &batch, NULL, NULL), ERR_OK);
	store_batch_free(&batch);
}

/* One operation, `age_ms` old, of which `change_sql` makes what the test wants. */
static void insert(struct fixture *f, const char *change_sql, int64_t age_ms, int64_t lease_ms)
{
	const struct hash32 handle = world_handle(1, 5);
	int64_t now_ms = clock_wall_ms(f->w.env.clock);

	world_insert(&f->w, 1, &handle, 1, BYTES_NONE, 0, BYTES_LIT("x"));
	sql(f, change_sql, now_ms - age_ms, lease_ms == 0 ? 0 : now_ms + lease_ms);
}

#define CHANGE(state)                                                                              \
	"UPDATE operation SET state = '" state "', created_ms = $1, updated_ms = $1, "             \
	"lease_until_ms = $2"

static void assert_stalled(struct fixture *f, const char *what)
{
	check(f);
	assert_false(f->last.progress);
	assert_false(health_report_good(&f->last));
	assert_true(f->last.database && f->last.gateway && f->last.ethereum && f->last.cores);
	if (!strstr(f->details, what))
		fail_msg("\"%s\" does not say \"%s\"", f->details, what);
}

static void test_a_stalled_sender(void **state)
{
	struct fixture *f = *state;

	/* Under way, its lease renewed again and again: the time counts all the same. */
	insert(f, CHANGE("sending"), HEALTH_SENDING_MAX_MS - 1000, 60000);
	check(f);
	assert_true(health_report_good(&f->last));
	assert_in_range(f->last.oldest_sending_ms, HEALTH_SENDING_MAX_MS - 1000,
			HEALTH_SENDING_MAX_MS);
	sim_run(&f->w.sim, 2000);
	assert_stalled(f, "An answer has been on its way to the gateway for 12");
	sql(f, "UPDATE operation SET state = 'done', lease_until_ms = $1 + $2", 0, 0);
	check(f);
	assert_true(health_report_good(&f->last));
	assert_int_equal(f->last.oldest_sending_ms, 0);
	assert_int_equal(f->last.oldest_unanswered_ms, 0);
}

static void test_answers_that_nobody_takes(void **state)
{
	struct fixture *f = *state;

	insert(f, CHANGE("answered"), HEALTH_UNTAKEN_MAX_MS + 1000, 0);
	assert_stalled(f, "Answers have waited for the sender for 30");
	/* Somebody is at it. */
	sql(f, "UPDATE operation SET lease_until_ms = $1 + $2", clock_wall_ms(f->w.env.clock),
	    60000);
	check(f);
	assert_true(health_report_good(&f->last));
}

static void test_requests_that_nobody_takes(void **state)
{
	struct fixture *f = *state;

	insert(f, CHANGE("seen"), HEALTH_UNTAKEN_MAX_MS + 1000, 0);
	assert_stalled(f, "Requests have waited for the worker for 30");
}

/* A request may wait for hours for a permission that never comes: any user can bring that about. */
static void test_a_request_that_cannot_be_answered(void **state)
{
	struct fixture *f = *state;

	insert(f, CHANGE("seen"), 3600 * 1000, 0);
	sql(f, "UPDATE operation SET due_ms = $1 + $2", clock_wall_ms(f->w.env.clock), 60000);
	check(f);
	assert_true(health_report_good(&f->last));
	assert_in_range(f->last.oldest_unanswered_ms, 3600 * 1000, 3610 * 1000);
}

static void test_a_head_behind_the_cursor(void **state)
{
	struct fixture *f = *state;
	const struct {
		int64_t ahead;
		bool good;
	} rows[] = {{0, true},
		    {HEALTH_HEAD_BEHIND_MAX, true},
		    {HEALTH_HEAD_BEHIND_MAX + 1, false},
		    {1000000, false}};

	sql(f,
	    "INSERT INTO cursor (chain, block, block_hash, updated_ms) VALUES (54321, $1, x'00', "
	    "$2)",
	    0, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		sql(f, "UPDATE cursor SET block = $1 + $2", (int64_t)f->w.gateway.head,
		    rows[i].ahead);
		check(f);
		assert_int_equal(f->last.progress, rows[i].good);
		assert_int_equal(strstr(f->details, "is behind what has been read") == NULL,
				 rows[i].good);
	}
}

/* Each process looks after its own work. */
static void test_work_of_others(void **state)
{
	struct fixture *f = *state;

	insert(f, CHANGE("answered"), HEALTH_UNTAKEN_MAX_MS + 1000, 0);
	health_free(f->health);
	assert_int_equal(health_new(&f->health, &f->w.env, f->w.host_provider,
				    SERVICE_LISTENER | SERVICE_WORKER),
			 ERR_OK);
	check(f);
	assert_true(health_report_good(&f->last));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_well),
		T(test_each_part),
		T(test_a_core_that_does_not_serve),
		T(test_a_host_chain_that_is_away),
		T(test_silence_ends),
		T(test_free_in_the_middle),
		T(test_another_chain),
		T(test_a_stalled_sender),
		T(test_answers_that_nobody_takes),
		T(test_requests_that_nobody_takes),
		T(test_a_request_that_cannot_be_answered),
		T(test_a_head_behind_the_cursor),
		T(test_work_of_others),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
