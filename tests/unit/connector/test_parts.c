/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The small parts: retry, metrics, tickets, the HTTP queue and its budget, attestations, proofs. */
#include <stdlib.h>

#include "base/hex.h"
#include "connector/worker/http_queue.h"
#include "connector/worker/proof.h"
#include "world.h"

/* ---- retry ---- */

static void test_retry_by_class(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 1);
	const struct retry_policy p = {100, 10000, 5};
	int64_t delay = 0;

	(void)state;
	assert_true(retry_after(&p, ERR_TIMEOUT, 1, rng, &delay));
	assert_true(retry_after(&p, ERR_MISMATCH, 4, rng, &delay));
	assert_true(retry_after(&p, ERR_NOMEM, 1, rng, &delay));
	assert_false(retry_after(&p, ERR_MISMATCH, 5, rng, &delay));
	assert_false(retry_after(&p, ERR_NOT_ALLOWED, 1, rng, &delay));
	assert_false(retry_after(&p, ERR_EXPIRED, 1, rng, &delay));
	assert_false(retry_after(&p, ERR_ALREADY_DONE, 1, rng, &delay));
	assert_false(retry_after(&p, ERR_CONFIG_VALUE, 1, rng, &delay));
	assert_false(retry_after(&p, ERR_OK, 1, rng, &delay));
}

/* Full jitter: always in 1 .. ceiling, and the ceiling doubles up to the cap. */
static void test_retry_back_off(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 2);
	const struct retry_policy p = {100, 10000, 0};
	static const int64_t ceilings[] = {100, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};

	(void)state;
	for (int64_t attempts = 0; attempts < (int64_t)ARRAY_LEN(ceilings); attempts++) {
		int64_t most = 0;

		for (unsigned i = 0; i < 2000; i++) {
			int64_t delay = 0;

			assert_true(retry_after(&p, ERR_UNAVAILABLE, attempts, rng, &delay));
			assert_in_range(delay, 1, ceilings[attempts]);
			most = delay > most ? delay : most;
		}
		assert_true(most > ceilings[attempts] * 9 / 10);
	}
	int64_t delay = 0, most = 0;
	assert_true(retry_after(&p, ERR_TRANSIENT, INT64_MAX, rng, &delay));
	for (unsigned i = 0; i < 2000; i++) {
		assert_true(retry_after(&p, ERR_IO, 1, rng, &delay));
		most = delay > most ? delay : most;
	}
	assert_true(most > 9000);
}

/* ---- metrics ---- */

static void test_metrics_text(void **state)
{
	struct connector_metrics m = {0};
	struct buf out CLEANUP(buf_free) = buf_make(1 << 16);
	const char *text;

	(void)state;
	metrics_inc(&m, METRIC_LISTENER_EVENT_RECEIVED, METRIC_EVENT_PUBLIC_DECRYPTION);
	metrics_add(&m, METRIC_WORKER_CHECK_ERRORS, METRIC_CHECK_ACL, 3);
	metrics_set(&m, METRIC_UNPROCESSED, METRIC_UNPROCESSED_RESPONSES_PENDING, 9);
	metrics_observe(&m, METRIC_WORKER_LATENCY, METRIC_EVENT_PUBLIC_DECRYPTION, 0.2);
	metrics_observe(&m, METRIC_WORKER_LATENCY, METRIC_EVENT_PUBLIC_DECRYPTION, 60);
	metrics_observe(&m, METRIC_SENDER_LATENCY, METRIC_RESPONSE_PUBLIC_DECRYPTION, 0.5);
	assert_int_equal(connector_metrics_print(&m, &out), ERR_OK);
	assert_int_equal(buf_cstr(&out, &text), ERR_OK);
	static const char *const lines[] = {
		"# TYPE kms_connector_gw_listener_event_received_counter counter\n",
		"kms_connector_gw_listener_event_received_counter{event_type=\"public_decryption_"
		"request\"} 1\n",
		"kms_connector_worker_request_check_errors{check_type=\"acl\"} 3\n",
		"kms_connector_worker_request_check_errors{check_type=\"network\"} 0\n",
		"kms_connector_unprocessed_operations{table=\"public_decryption_responses\",status="
		"\"pending\"} 9\n",
		"kms_connector_worker_decryption_latency_seconds_bucket{event_type=\"public_"
		"decryption_request\",le=\"0.1\"} 0\n",
		"kms_connector_worker_decryption_latency_seconds_bucket{event_type=\"public_"
		"decryption_request\",le=\"0.25\"} 1\n",
		"kms_connector_worker_decryption_latency_seconds_bucket{event_type=\"public_"
		"decryption_request\",le=\"30\"} 1\n",
		"kms_connector_worker_decryption_latency_seconds_bucket{event_type=\"public_"
		"decryption_request\",le=\"+Inf\"} 2\n",
		"kms_connector_worker_decryption_latency_seconds_sum{event_type=\"public_"
		"decryption_request\"} 60.200000\n",
		"kms_connector_tx_sender_response_forwarding_latency_seconds_bucket{response_type="
		"\"public_decryption_response\",le=\"0.5\"} 1\n",
		"kms_connector_worker_s3_ciphertext_retrieval_counter 0\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("missing: %s", lines[i]);
}

/* ---- tickets ---- */

static void test_tickets(void **state)
{
	struct inflight table = {0};
	struct scope a = {0}, b = {0};
	int owner_a = 0, owner_b = 0;
	size_t index = 0;

	(void)state;
	struct ticket *a1 = scope_open(&a, &table, &owner_a, 1);
	struct ticket *a2 = scope_open(&a, &table, &owner_a, 2);
	struct ticket *b1 = scope_open(&b, &table, &owner_b, 3);
	struct ticket *left = scope_open(&b, &table, &owner_b, 4);

	assert_non_null(left);
	assert_ptr_equal(ticket_close(a2, &index), &owner_a);
	assert_int_equal(index, 2);
	assert_non_null(a.first);
	scope_cancel(&a);
	assert_null(a.first);
	assert_null(ticket_close(a1, NULL));
	assert_ptr_equal(ticket_close(b1, &index), &owner_b);
	assert_int_equal(index, 3);
	scope_cancel(&b);
	inflight_free(&table); /* frees `left`, for which nothing ever came */
	assert_null(table.first);
}

/* ---- HTTP queue and budget ---- */

struct counter {
	unsigned n;
	enum err last;
};

static void count_reply(void *ctx, const struct http_reply *r)
{
	struct counter *c = ctx;

	c->n++;
	c->last = r->err;
}

static void count_grant(void *ctx)
{
	((struct counter *)ctx)->n++;
}

static void test_http_queue_is_bounded(void **state)
{
	struct world w;
	struct http_queue q;
	struct http_task tasks[20] = {0};
	struct counter c = {0};
	const struct http_request req = {
		.method = "GET", .url = "http://s3/a/none", .timeout_ms = 1000, .body_max = 10};

	(void)state;
	world_init(&w, 4);
	http_queue_init(&q, &w.net.base, &w.sim.clock, 3);
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
		http_queue_add(&q, &tasks[i], &req, count_reply, &c);
	assert_int_equal(q.running, 3);
	assert_int_equal(w.net.requests, 3);
	http_task_cancel(&tasks[0]);  /* running */
	http_task_cancel(&tasks[19]); /* waiting */
	sim_run(&w.sim, 100);
	assert_int_equal(c.n, 18);
	assert_int_equal(q.running, 0);
	http_queue_stop(&q);
	world_free(&w);
}

static void test_budget_serves_in_order(void **state)
{
	struct world w;
	struct budget b;
	struct budget_claim claims[4] = {{0}};
	struct counter c[4] = {{0}};

	(void)state;
	world_init(&w, 5);
	budget_init(&b, &w.sim.clock, 100);
	budget_claim_start(&b, &claims[0], 60, count_grant, &c[0]);
	budget_claim_start(&b, &claims[1], 60, count_grant, &c[1]);
	budget_claim_start(&b, &claims[2], 10, count_grant, &c[2]);
	budget_claim_start(&b, &claims[3], 500, count_grant, &c[3]);
	sim_run(&w.sim, 10);
	/* The small one does not overtake: a large claim would never be served. */
	assert_int_equal(c[0].n, 1);
	assert_int_equal(c[1].n + c[2].n + c[3].n, 0);
	budget_claim_end(&claims[0]);
	sim_run(&w.sim, 10);
	assert_int_equal(c[1].n, 1);
	assert_int_equal(c[2].n, 1);
	assert_int_equal(b.used, 70);
	budget_claim_end(&claims[1]);
	sim_run(&w.sim, 10);
	assert_int_equal(c[3].n, 0);
	budget_claim_end(&claims[2]);
	sim_run(&w.sim, 10);
	assert_int_equal(c[3].n, 1); /* larger than the budget: alone */
	budget_claim_grow(&claims[3], 5);
	assert_int_equal(b.used, 505);
	budget_claim_end(&claims[3]);
	budget_claim_end(&claims[3]);
	assert_int_equal(b.used, 0);
	budget_stop(&b);
	world_free(&w);
}

/* Small claims have their part, which large ones neither use nor wait for. */
static void test_budget_of_small_claims(void **state)
{
	struct world w;
	struct budget b;
	struct budget_claim claims[7] = {{0}};
	struct counter c[7] = {{0}};

	(void)state;
	world_init(&w, 5);
	budget_init(&b, &w.sim.clock, 1000);
	b.small_max = 80;
	budget_claim_start(&b, &claims[0], 500, count_grant, &c[0]);
	for (int i = 1; i < 6; i++)
		budget_claim_start(&b, &claims[i], i < 5 ? 10 : 400, count_grant, &c[i]);
	sim_run(&w.sim, 10);
	for (int i = 0; i < 6; i++)
		assert_int_equal(c[i].n, 1);
	budget_claim_grow(&claims[1], 45); /* 85 of 80 */
	budget_claim_start(&b, &claims[6], 10, count_grant, &c[6]);
	sim_run(&w.sim, 10);
	assert_int_equal(c[6].n, 0);
	budget_claim_end(&claims[0]); /* a large one: no matter */
	sim_run(&w.sim, 10);
	assert_int_equal(c[6].n, 0);
	budget_claim_end(&claims[1]);
	sim_run(&w.sim, 10);
	assert_int_equal(c[6].n, 1);
	for (int i = 2; i < 7; i++)
		budget_claim_end(&claims[i]);
	assert_int_equal(b.used + b.small_used, 0);
	budget_stop(&b);
	world_free(&w);
}

/* ---- attestations ---- */

static void test_attestation_digest_vector(void **state)
{
	struct attestation a = {.key_id = u256_from_u64(7), .format = CT_UNCOMPRESSED_ON_CPU};
	struct hash32 handle, want, got;

	(void)state;
	memset(handle.b, 0xaa, 32);
	memset(a.ciphertext_digest.b, 0x11, 32);
	memset(a.sns_digest.b, 0x22, 32);
	assert_int_equal(hex_decode_fixed(want.b, 32,
					  BYTES_LIT("97f99a874a16f680d5c6b60b4cca7356877a78ce59f498"
						    "72ad21030ebe6e0dd8")),
			 ERR_OK);
	got = attestation_digest(&a, &handle, U256_ZERO);
	assert_true(hash32_eq(got, want));
}

#define HEX32 "0x1111111111111111111111111111111111111111111111111111111111111111"
#define ADDR  "0x1111111111111111111111111111111111111111"
#define SIG                                                                                        \
	"1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111" \
	"111111111111111111111111"                                                                 \
	"111111111111111111"
#define ATTESTATION(version, key, format, signature)                                               \
	"{\"version\":" version ",\"key_id\":" key ",\"ciphertext_digest\":\"" HEX32               \
	"\",\"sns_ciphertext_digest\":\"" HEX32 "\",\"format\":\"" format "\",\"signer\":\"" ADDR  \
	"\",\"signature\":\"" signature "\",\"more\":{}}"

static void test_attestation_parse(void **state)
{
	struct attestation a;

	(void)state;
	assert_int_equal(attestation_parse(&a, bytes_str(ATTESTATION("1", "\"0x0a\"",
								     "compressed_on_gpu", SIG))),
			 ERR_OK);
	assert_true(u256_eq(a.key_id, u256_from_u64(10)));
	assert_int_equal(a.format, CT_COMPRESSED_ON_GPU);
	assert_true(ct_format_compressed(a.format));
	assert_int_equal(
		attestation_parse(
			&a, bytes_str(ATTESTATION("1", "12", "uncompressed_on_cpu", "0x" SIG))),
		ERR_OK);
	assert_true(u256_eq(a.key_id, u256_from_u64(12)));
	assert_int_equal(attestation_parse(&a, bytes_str(ATTESTATION("1", "\"13\"",
								     "compressed_on_cpu", SIG))),
			 ERR_OK);
	assert_int_equal(
		attestation_parse(&a, bytes_str(ATTESTATION("2", "1", "compressed_on_cpu", SIG))),
		ERR_UNSUPPORTED);
	assert_int_equal(attestation_parse(&a, bytes_str(ATTESTATION("1", "1", "compressed", SIG))),
			 ERR_UNSUPPORTED);
	assert_int_equal(attestation_parse(&a, bytes_str(ATTESTATION("1", "1", "compressed_on_cpu",
								     "11" SIG))),
			 ERR_MALFORMED);
	assert_int_equal(
		attestation_parse(&a, bytes_str(ATTESTATION("1", "-1", "compressed_on_cpu", SIG))),
		ERR_MALFORMED);
	assert_int_equal(attestation_parse(&a, BYTES_LIT("{}")), ERR_MALFORMED);
	assert_int_equal(attestation_parse(&a, BYTES_LIT("")), ERR_MALFORMED);
	char big[ATTESTATION_TEXT_MAX + 2];
	memset(big, ' ', sizeof(big));
	assert_int_equal(attestation_parse(&a, BYTES_OF(big)), ERR_TOO_BIG);
}

static void test_consensus(void **state)
{
	struct attestation a[6] = {0};
	const struct attestation *list[6];

	(void)state;
	for (uint8_t i = 0; i < 6; i++) {
		a[i].signer.b[0] = i;
		a[i].format = CT_COMPRESSED_ON_CPU;
		list[i] = &a[i];
	}
	assert_int_equal(attestation_consensus(list, 0, 1), -1);
	assert_int_equal(attestation_consensus(list, 6, 7), -1);
	assert_true(attestation_consensus(list, 6, 6) >= 0);
	/* Two materials of three each: the smaller wins. */
	for (size_t i = 0; i < 3; i++)
		a[i].sns_digest.b[5] = 9;
	assert_int_equal(attestation_consensus(list, 6, 3), 3);
	assert_int_equal(attestation_consensus(list, 6, 4), -1);
	/* One signer three times is one vote, also when its words differ elsewhere. */
	a[4].signer = a[5].signer = a[3].signer;
	assert_int_equal(attestation_consensus(list, 6, 3), 0);
	assert_int_equal(attestation_consensus(&list[3], 3, 2), -1);
	/* Everything signed counts: another format or key is another material. */
	a[0].format = CT_COMPRESSED_ON_GPU;
	a[1].key_id = u256_from_u64(1);
	assert_int_equal(attestation_consensus(list, 3, 2), -1);
}

/* ---- proofs ---- */

static void test_proof(void **state)
{
	struct arena arena CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf stored CLEANUP(buf_free) = buf_make(1 << 16),
			  text CLEANUP(buf_free) = buf_make(1 << 16);
	struct hash32 content = {{1}}, other = {{2}}, block = {{3}}, digest = {{4}};
	struct proof *p, *back;

	(void)state;
	assert_int_equal(proof_new(&arena, &p, content, 2), ERR_OK);
	assert_false(proof_permitted(p));
	proof_permit(p, 0, (struct chain_id){5}, (struct block_number){6}, block);
	proof_bind(p, 0, u256_from_u64(7), digest, PROOF_COMMITMENT);
	proof_bind(p, 1, u256_from_u64(7), digest, PROOF_ATTESTATION);
	assert_false(proof_permitted(p));
	assert_false(proof_complete(p, &content, 2));
	proof_permit(p, 1, (struct chain_id){5}, (struct block_number){6}, block);
	assert_true(proof_permitted(p));
	assert_true(proof_complete(p, &content, 2));
	assert_false(proof_complete(p, &other, 2));
	assert_false(proof_complete(p, &content, 1));
	assert_false(proof_complete(NULL, &content, 2));

	assert_int_equal(proof_encode(p, &stored), ERR_OK);
	assert_int_equal(proof_decode(&arena, &back, buf_view(&stored), content, 2), ERR_OK);
	assert_true(proof_complete(back, &content, 2));
	assert_int_equal(proof_decode(&arena, &back, buf_view(&stored), other, 2), ERR_CORRUPT);
	assert_int_equal(proof_decode(&arena, &back, buf_view(&stored), content, 3), ERR_CORRUPT);
	for (size_t n = 0; n < stored.n; n++)
		assert_int_equal(
			proof_decode(&arena, &back, bytes_sub(buf_view(&stored), 0, n), content, 2),
			ERR_CORRUPT);
	assert_int_equal(proof_describe(&text, buf_view(&stored)), ERR_OK);
	const char *s;
	assert_int_equal(buf_cstr(&text, &s), ERR_OK);
	assert_non_null(strstr(s, "handle 1: allowed on chain 5 at block 6 0x03"));
	assert_non_null(strstr(s, "by attestations"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry_by_class),
		cmocka_unit_test(test_retry_back_off),
		cmocka_unit_test(test_metrics_text),
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_http_queue_is_bounded),
		cmocka_unit_test(test_budget_serves_in_order),
		cmocka_unit_test(test_budget_of_small_claims),
		cmocka_unit_test(test_attestation_digest_vector),
		cmocka_unit_test(test_attestation_parse),
		cmocka_unit_test(test_consensus),
		cmocka_unit_test(test_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
