/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Housekeeping: what goes, what stays, and that what went is not done a second time. */
#include <stdlib.h>

#include "connector/audit.h"
#include "connector/collector.h"
#include "sender_support.h"

enum {
	DAY_MS = 24 * 60 * 60 * 1000,
	ROUND_MS = 60 * 1000,
};

struct fixture {
	struct world w;
	struct collector *collector;
	char url[128];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	world_init(&f->w, 11);
	f->w.config.operation_recovery_run_interval_ms = ROUND_MS;
	f->w.config.gc_age_ms = 30 * (int64_t)DAY_MS;
	f->w.config.gc_rows_max = 1000;
	f->w.config.audit_age_ms = 0;
	(void)snprintf(f->url, sizeof(f->url), "sqlite:%s", f->w.sim.path);
	assert_int_equal(collector_start(&f->collector, &f->w.env), ERR_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	collector_stop(f->collector);
	world_free(&f->w);
	free(f);
	return 0;
}

static void keep(void *ctx, const struct store_result *r)
{
	*(enum err *)ctx = r->err;
}

static void submit(struct fixture *f, struct store_batch *b)
{
	enum err e = ERR_INTERNAL;

	assert_int_equal(store_submit(&f->w.sim.store.base, b, keep, &e), ERR_OK);
	sim_run(&f->w.sim, 1);
	assert_int_equal(e, ERR_OK);
}

static void sql(struct fixture *f, const char *text)
{
	struct store_batch b = store_batch_make(1 << 16);

	assert_int_equal(STORE_ADD(&b, STORE_ANY, text), ERR_OK);
	submit(f, &b);
}

static int64_t count(struct fixture *f, const char *text)
{
	return sim_sql_int(&f->w.sim, text);
}

/* As the listener does. */
static void see(struct fixture *f, uint8_t id)
{
	struct operation op = {
		.key = {.chain = {54321},
			.kind = OP_KIND_PUBLIC_DECRYPTION,
			.request_id = u256_from_u64(id)},
		.block = {id},
		.content = BYTES_LIT("content"),
	};
	struct store_batch b = store_batch_make(1 << 16);

	op.block_hash.b[0] = id;
	assert_int_equal(op_add_insert(&b, &op, clock_wall_ms(&f->w.sim.clock)), ERR_OK);
	submit(f, &b);
}

static void rounds(struct fixture *f, int64_t n)
{
	sim_run(&f->w.sim, n * ROUND_MS + 1000);
}

#define ALL  "SELECT count(*) FROM operation"
#define GONE "SELECT count(*) FROM operation_gone"

static void test_age(void **state)
{
	struct fixture *f = *state;

	see(f, 1);
	see(f, 2);
	sql(f, "UPDATE operation SET state = 'done'");
	see(f, 3); /* alive: it stays however old it is */
	rounds(f, 2);
	assert_int_equal(count(f, ALL), 3);
	sql(f, "UPDATE operation SET updated_ms = updated_ms - 2591999999 + 200000");
	rounds(f, 1);
	assert_int_equal(count(f, ALL), 3);
	sql(f, "UPDATE operation SET updated_ms = updated_ms - 300000");
	rounds(f, 1);
	assert_int_equal(count(f, ALL), 1);
	assert_int_equal(count(f, GONE), 2);
	assert_int_equal(f->w.metrics.cells[METRIC_COLLECTED][0], 2);
	assert_int_equal(count(f, "SELECT count(*) FROM audit WHERE event = 'collected'"), 1);

	/* Its log is read again: it is not a new operation. Another one is. */
	see(f, 1);
	see(f, 2);
	assert_int_equal(count(f, ALL), 1);
	see(f, 4);
	assert_int_equal(count(f, ALL), 2);
}

/* Two contents of one request id share the entry: it stays as long as one of them. */
static void test_handles_go_too(void **state)
{
	struct fixture *f = *state;

	see(f, 1);
	see(f, 2);
	sql(f, "INSERT INTO operation (chain, contract, kind, request_id, content_digest, state,"
	       " block, block_hash, tx_hash, log_index, content, materials, proof, answer, error,"
	       " reason, attempts, deferrals, created_ms, updated_ms, due_ms, refused_since_ms,"
	       " lease_until_ms) SELECT chain, contract, kind, request_id, x'77', state, block,"
	       " block_hash, tx_hash, log_index, content, materials, proof, answer, error, reason,"
	       " attempts, deferrals, created_ms, updated_ms, due_ms, refused_since_ms,"
	       " lease_until_ms FROM operation WHERE id = 2");
	sql(f, "INSERT INTO operation_handle (request_id, handle)"
	       " SELECT DISTINCT request_id, x'aa' FROM operation");
	sql(f, "UPDATE operation SET state = 'done' WHERE id < 3");
	rounds(f, 1);
	sql(f, "UPDATE operation SET updated_ms = 1");
	rounds(f, 1);
	assert_int_equal(count(f, ALL), 1);
	assert_int_equal(count(f, "SELECT count(*) FROM operation_handle"), 1);
	sql(f, "UPDATE operation SET state = 'done', updated_ms = 1");
	rounds(f, 1);
	assert_int_equal(count(f, ALL), 0);
	assert_int_equal(count(f, "SELECT count(*) FROM operation_handle"), 0);
}

static void test_rounds_as_configured(void **state)
{
	struct fixture *f = *state;

	see(f, 1);
	sql(f, "UPDATE operation SET state = 'done'");
	f->w.config.gc_age_ms = 1000;
	f->w.config.operation_recovery_run_interval_ms = 10 * ROUND_MS;
	collector_stop(f->collector);
	assert_int_equal(collector_start(&f->collector, &f->w.env), ERR_OK);
	sim_run(&f->w.sim, 9 * ROUND_MS);
	assert_int_equal(count(f, ALL), 1);
	sim_run(&f->w.sim, 3 * ROUND_MS);
	assert_int_equal(count(f, ALL), 0);
}

static void test_for_ever(void **state)
{
	struct fixture *f = *state;

	f->w.config.gc_age_ms = 0;
	see(f, 1);
	sql(f, "UPDATE operation SET state = 'refused'");
	sql(f, "UPDATE operation SET updated_ms = 0");
	rounds(f, 2);
	assert_int_equal(count(f, ALL), 1);
}

/* A batch takes 300; the rest goes soon after it and not a round later. */
static void test_number(void **state)
{
	struct fixture *f = *state;

	sql(f, "INSERT INTO operation (chain, contract, kind, request_id, content_digest, state,"
	       " block, block_hash, tx_hash, log_index, content, materials, proof, answer, error,"
	       " reason, attempts, deferrals, created_ms, updated_ms, due_ms, refused_since_ms,"
	       " lease_owner, lease_until_ms) SELECT 1, x'', 'public_decryption_request',"
	       " CAST(i AS BLOB), x'', 'done', 1, x'', x'', 0, x'', x'', x'', x'', '', '', 0, 0,"
	       " i, 1700000000000 + i, 0, 0, NULL, 0 FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION"
	       " ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i FROM n)");
	rounds(f, 1);
	assert_int_equal(count(f, ALL), 1000);
	assert_int_equal(count(f, "SELECT min(updated_ms) FROM operation"), 1700000001001);
	assert_int_equal(count(f, GONE), 1000);
}

/* A row that was taken back with its block may come again. */
static void test_orphan(void **state)
{
	struct fixture *f = *state;

	see(f, 1);
	sql(f, "UPDATE operation SET state = 'aborted', error = 'orphaned', updated_ms = 0");
	rounds(f, 1);
	assert_int_equal(count(f, ALL), 0);
	see(f, 1);
	assert_int_equal(count(f, ALL), 1);
}

#define TX(operation, nonce, state)                                                                \
	"INSERT INTO tx (chain, account, nonce, operation, state, raw, hash, fee_max,"             \
	" priority_fee, gas, attempts, block, created_ms, updated_ms) VALUES (54321, "             \
	"x'01', " nonce ", " operation ", '" state "', x'', x'', x'', x'', 0, 0, 0, 0, 0)"

static void test_transactions(void **state)
{
	struct fixture *f = *state;

	see(f, 1);
	see(f, 2);
	sql(f, "UPDATE operation SET state = 'done'");
	sql(f, "UPDATE operation SET updated_ms = 0");
	sql(f, TX("1", "7", "mined"));
	sql(f, TX("1", "8", "reverted"));
	sql(f, TX("2", "9", "mined"));
	sql(f, TX("2", "10", "broadcast"));
	rounds(f, 2);
	/* One with an open transaction stays; nonces stay. */
	assert_int_equal(count(f, ALL), 1);
	assert_int_equal(count(f, "SELECT max(id) FROM operation"), 2);
	assert_int_equal(count(f, "SELECT count(*) FROM tx"), 4);
	assert_int_equal(count(f, "SELECT count(*) FROM tx WHERE operation IS NULL"), 2);
	sql(f, "UPDATE tx SET state = 'mined' WHERE nonce = 10");
	rounds(f, 1);
	assert_int_equal(count(f, ALL), 0);

	/* Far below the last nonce they go, with their versions; other accounts' do not. */
	sql(f, TX("NULL", "4105", "broadcast"));
	sql(f, "INSERT INTO tx_version (chain, account, nonce, version, raw, hash, created_ms)"
	       " VALUES (54321, x'01', 7, 0, x'', x'', 0), (54321, x'01', 10, 0, x'', x'', 0)");
	sql(f, "INSERT INTO tx (chain, account, nonce, operation, state, raw, hash, fee_max,"
	       " priority_fee, gas, attempts, block, created_ms, updated_ms) VALUES (54321, x'02',"
	       " 1, NULL, 'mined', x'', x'', x'', x'', 0, 0, 0, 0, 0)");
	rounds(f, 2);
	assert_int_equal(count(f, "SELECT min(nonce) FROM tx WHERE account = x'01'"), 10);
	assert_int_equal(count(f, "SELECT count(*) FROM tx"), 3);
	assert_int_equal(count(f, "SELECT min(nonce) FROM tx_version"), 10);
}

/* What is left of the audit log can be verified, and is still protected. */
static void test_audit(void **state)
{
	struct fixture *f = *state;
	struct auditor *a;
	struct audit_report r;
	struct err_note note = {0};

	assert_int_equal(auditor_start(&a, &f->w.env, "test"), ERR_OK);
	sim_run(&f->w.sim, 3000);
	f->w.config.audit_age_ms = DAY_MS;
	rounds(f, 1);
	assert_int_equal(audit_verify(&r, f->url, NULL, &note), ERR_OK);
	assert_int_equal(r.first.seq, 0);
	sim_run(&f->w.sim, DAY_MS);
	auditor_event(a, "young", "");
	rounds(f, 1);
	assert_int_equal(audit_verify(&r, f->url, NULL, &note), ERR_OK);
	assert_int_equal(r.first.seq, 2);
	assert_int_equal(r.records, r.head.seq - r.first.seq);
	assert_true(r.records >= 1);
	assert_int_equal(count(f, "SELECT count(*) FROM audit WHERE event = 'started'"), 0);
	sql(f, "UPDATE audit SET event = 'x' WHERE event = 'young'");
	assert_int_equal(audit_verify(&r, f->url, NULL, &note), ERR_CORRUPT);
	auditor_stop(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_age, setup, teardown),
		cmocka_unit_test_setup_teardown(test_handles_go_too, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rounds_as_configured, setup, teardown),
		cmocka_unit_test_setup_teardown(test_for_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(test_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_orphan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_audit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
