/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The audit log: what is in it, and that whatever is done to it afterwards is found. */
#include <stdlib.h>

#include "base/hex.h"
#include "connector/audit.h"
#include "sender_support.h"

struct fixture {
	struct sender_fixture s;
	struct auditor *auditor;
	char url[128];
	struct err_note note;
};

static void nothing(void *ctx, const struct store_result *r)
{
	*(enum err *)ctx = r->err;
}

/* As somebody does who can write to the database. */
static void tamper(struct fixture *f, const char *sql)
{
	struct store_batch b = store_batch_make(1 << 16);
	enum err e = ERR_INTERNAL;

	assert_int_equal(STORE_ADD(&b, STORE_ANY, sql), ERR_OK);
	assert_int_equal(store_submit(&f->s.w.sim.store.base, &b, nothing, &e), ERR_OK);
	sim_run(&f->s.w.sim, 1);
	assert_int_equal(e, ERR_OK);
}

/* Three operations from their answers to the chain, everything sealed. */
static struct fixture *begin(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	sender_setup(&f->s, 7);
	(void)snprintf(f->url, sizeof(f->url), "sqlite:%s", f->s.w.sim.path);
	assert_int_equal(auditor_start(&f->auditor, &f->s.w.env, "test 1 (0)"), ERR_OK);
	sender_answers(&f->s, 17, 3);
	sender_begin(&f->s);
	assert_true(sender_wait(&f->s, "done", 3, 5000));
	sim_run(&f->s.w.sim, 5000);
	return f;
}

static void end(struct fixture *f)
{
	auditor_stop(f->auditor);
	sender_teardown(&f->s);
	free(f);
}

static enum err verify(struct fixture *f, struct audit_report *r, const struct audit_place *seen)
{
	f->note = (struct err_note){0};
	return audit_verify(r, f->url, seen, &f->note);
}

static int64_t count(struct fixture *f, const char *event)
{
	char sql[200];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit WHERE event = '%s'", event);
	return sim_sql_int(&f->s.w.sim, sql);
}

static void test_a_life(void **state)
{
	struct fixture *f = begin();
	struct audit_report r;

	(void)state;
	assert_int_equal(verify(f, &r, NULL), ERR_OK);
	assert_int_equal(r.waiting, 0);
	assert_int_equal(r.records, r.head.seq);
	assert_int_equal(r.records, sim_sql_int(&f->s.w.sim, "SELECT count(*) FROM audit"));
	assert_int_equal(count(f, "started"), 1);
	assert_int_equal(count(f, "configuration"), 1);
	assert_int_equal(count(f, "sending"), 3);
	assert_int_equal(count(f, "transaction_signed"), 3);
	assert_int_equal(count(f, "done"), 3);
	assert_int_equal(f->s.w.metrics.cells[METRIC_AUDIT_HEAD][0], r.head.seq);
	/* The records of one operation name it, and its transaction. */
	assert_int_equal(sim_sql_int(&f->s.w.sim,
				     "SELECT count(*) FROM audit a JOIN operation o ON "
				     "o.request_id = a.request_id AND o.content_digest = "
				     "a.content_digest AND o.chain = a.chain JOIN tx ON "
				     "tx.operation = o.id AND tx.hash = a.ref"
				     " WHERE a.event = 'transaction_signed'"),
			 3);
	/* A second start goes on where the first one was. */
	int64_t before = r.head.seq;

	auditor_stop(f->auditor);
	assert_int_equal(auditor_start(&f->auditor, &f->s.w.env, "test 1 (0)"), ERR_OK);
	sim_run(&f->s.w.sim, 3000);
	assert_int_equal(verify(f, &r, NULL), ERR_OK);
	assert_true(r.head.seq > before);
	assert_int_equal(count(f, "stopped"), 1);
	end(f);
}

/* No plaintext, answer or key: no column holds more than 32 bytes but for names of ours. */
static void test_no_values(void **state)
{
	struct fixture *f = begin();

	(void)state;
	assert_int_equal(sim_sql_int(&f->s.w.sim, "SELECT count(*) FROM audit WHERE length(ref) > "
						  "32 OR length(content_digest) > 32 OR "
						  "length(request_id) > 32 OR length(detail) > 80"),
			 0);
	assert_int_equal(sim_sql_int(&f->s.w.sim,
				     "SELECT count(*) FROM audit a JOIN operation o ON "
				     "length(a.ref) > 0 AND instr(o.answer, a.ref) > 0"),
			 0);
	end(f);
}

static const struct {
	const char *sql;
	const char *said;
} deeds[] = {
	{"UPDATE audit SET event = 'refused' WHERE seq = 4", "record 4 was changed"},
	{"UPDATE audit SET detail = 'x' WHERE seq = 5", "record 5 was changed"},
	{"UPDATE audit SET ref = x'00' WHERE seq = 2", "record 2 was changed"},
	{"UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 6", "record 6 was changed"},
	{"UPDATE audit SET chain = 1 WHERE seq = 4", "record 4 was changed"},
	{"UPDATE audit SET request_id = x'01' WHERE seq = 4", "record 4 was changed"},
	{"UPDATE audit SET content_digest = x'' WHERE seq = 4", "record 4 was changed"},
	{"UPDATE audit SET hash = x'"
	 "0000000000000000000000000000000000000000000000000000000000000000' WHERE seq = 3",
	 "record 3 was changed"},
	{"UPDATE audit SET hash = NULL WHERE seq = 3", "record 3 cannot be read"},
	{"DELETE FROM audit WHERE seq = 5", "record 5 is missing"},
	{"DELETE FROM audit WHERE seq = 1", "record 1 is missing"},
	{"DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)", "it was the last"},
	{"DELETE FROM audit", "record 1 is missing: it was the last"},
	{"UPDATE audit SET seq = NULL, hash = NULL WHERE seq = (SELECT max(seq) FROM audit)",
	 "it was the last"},
	{"UPDATE audit SET seq = 1000 WHERE seq = 4", "record 4 is missing"},
	{"UPDATE audit_head SET hash = first_hash", "is not the one that the head names"},
	{"DELETE FROM audit_head", "no head"},
	{"UPDATE audit_head SET first_seq = 2", "record 1 was added"},
};

static void test_deeds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
		struct fixture *f = begin();
		struct audit_report r;

		assert_int_equal(verify(f, &r, NULL), ERR_OK);
		tamper(f, deeds[i].sql);
		assert_int_equal(verify(f, &r, NULL), ERR_CORRUPT);
		if (!strstr(f->note.text, deeds[i].said))
			fail_msg("%s: \"%s\" does not say \"%s\"", deeds[i].sql, f->note.text,
				 deeds[i].said);
		end(f);
	}
}

/* Whoever makes the whole log anew is found by a head that was seen before. */
static void test_made_anew(void **state)
{
	struct fixture *f = begin();
	struct audit_place seen, place;
	struct audit_report r;
	char text[100], hash[65];

	(void)state;
	assert_int_equal(verify(f, &r, NULL), ERR_OK);
	seen = r.head;
	assert_int_equal(verify(f, &r, &seen), ERR_OK);
	tamper(f, "UPDATE audit SET event = 'sending', seq = NULL, hash = NULL");
	tamper(f, "UPDATE audit_head SET seq = 0, hash = first_hash");
	sim_run(&f->s.w.sim, 5000);
	assert_int_equal(verify(f, &r, NULL), ERR_OK);
	assert_int_equal(verify(f, &r, &seen), ERR_CORRUPT);
	assert_non_null(strstr(f->note.text, "another hash"));
	seen.seq += 1000;
	assert_int_equal(verify(f, &r, &seen), ERR_CORRUPT);
	assert_non_null(strstr(f->note.text, "somebody has seen it"));

	hex_encode(hash, BYTES_OF(seen.hash.b));
	(void)snprintf(text, sizeof(text), "%lld:0x%s", (long long)seen.seq, hash);
	assert_int_equal(audit_place_parse(&place, text), ERR_OK);
	assert_int_equal(place.seq, seen.seq);
	assert_true(hash32_eq(place.hash, seen.hash));
	assert_int_equal(audit_place_parse(&place, "x"), ERR_MALFORMED);
	assert_int_equal(audit_place_parse(&place, "1:00"), ERR_MALFORMED);
	assert_int_equal(audit_place_parse(&place, "-1:"), ERR_MALFORMED);
	end(f);
}

/* A batch that is undone leaves no record: the deed and what tells of it are one. */
static void test_one_batch(void **state)
{
	struct fixture *f = begin();
	struct store_batch b = store_batch_make(1 << 16);
	const struct op_change change = {.to = OP_DONE};
	int64_t before = count(f, "done");
	enum err e = ERR_OK;

	(void)state;
	assert_int_equal(op_add_move(&b, 1, OP_SENDING, "nobody", &change, 1), ERR_OK);
	assert_int_equal(store_submit(&f->s.w.sim.store.base, &b, nothing, &e), ERR_OK);
	sim_run(&f->s.w.sim, 1);
	assert_int_equal(e, ERR_STATE_MOVED);
	assert_int_equal(count(f, "done"), before);
	end(f);
}

/* Every key that is no secret counts; the secrets do not. */
static void test_configuration(void **state)
{
	struct connector_config c = {.gateway_url = "http://a", .task_limit = 3};
	struct hash32 a, b;

	(void)state;
	assert_int_equal(audit_config_digest(&a, &c), ERR_OK);
	assert_int_equal(audit_config_digest(&b, &c), ERR_OK);
	assert_true(hash32_eq(a, b));
	c.private_key.b[0] = 1;
	assert_int_equal(audit_config_digest(&b, &c), ERR_OK);
	assert_true(hash32_eq(a, b));
	c.task_limit = 4;
	assert_int_equal(audit_config_digest(&b, &c), ERR_OK);
	assert_false(hash32_eq(a, b));
	c.task_limit = 3;
	c.gateway_url = "http://b";
	assert_int_equal(audit_config_digest(&b, &c), ERR_OK);
	assert_false(hash32_eq(a, b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_life),    cmocka_unit_test(test_no_values),
		cmocka_unit_test(test_deeds),     cmocka_unit_test(test_made_anew),
		cmocka_unit_test(test_one_batch), cmocka_unit_test(test_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
