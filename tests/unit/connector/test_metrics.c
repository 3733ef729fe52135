/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The metrics that dashboards of the other implementation read: names, types, labels, buckets, as
 * it documents them. And that a label may hold any text.
 */
#include <stdlib.h>

#include "connector/metrics_live.h"
#include "world.h"

#define P "kms_connector_"

static const struct {
	const char *name, *type;
	const char *label;     /* NULL: none */
	const char *values[5]; /* some of its values */
} rows[] = {
	{P "gw_listener_event_received_counter",
	 "counter",
	 "event_type",
	 {"public_decryption_request", "user_decryption_request"}},
	{P "gw_listener_event_listening_errors", "counter", "contract", {"decryption", "ethereum"}},
	{P "worker_event_received_counter", "counter", "event_type", {"user_decryption_request"}},
	{P "worker_event_received_errors", "counter", "event_type", {"user_decryption_request"}},
	{P "worker_grpc_request_sent_counter",
	 "counter",
	 "event_type",
	 {"user_decryption_request"}},
	{P "worker_grpc_request_sent_errors", "counter", "event_type", {"user_decryption_request"}},
	{P "worker_grpc_response_polled_counter",
	 "counter",
	 "event_type",
	 {"user_decryption_request"}},
	{P "worker_grpc_response_polled_errors",
	 "counter",
	 "event_type",
	 {"user_decryption_request"}},
	{P "worker_s3_ciphertext_retrieval_counter", "counter", NULL, {NULL}},
	{P "worker_s3_ciphertext_retrieval_errors", "counter", NULL, {NULL}},
	{P "worker_request_check_errors",
	 "counter",
	 "check_type",
	 {"acl", "signature", "copro_consensus", "kms_context", "network"}},
	{P "tx_sender_response_received_counter",
	 "counter",
	 "response_type",
	 {"public_decryption_response", "user_decryption_response"}},
	{P "tx_sender_response_received_errors",
	 "counter",
	 "response_type",
	 {"user_decryption_response"}},
	{P "tx_sender_gateway_tx_sent_counter",
	 "counter",
	 "response_type",
	 {"public_decryption_response"}},
	{P "tx_sender_gateway_tx_sent_errors",
	 "counter",
	 "response_type",
	 {"public_decryption_response"}},
	{P "pending_events", "gauge", "event_type", {"public_decryption_request"}},
	{P "pending_responses", "gauge", "response_type", {"public_decryption_response"}},
};

static const char *printed(struct buf *out)
{
	struct connector_metrics m = {0};
	const char *text;

	assert_int_equal(connector_metrics_print(&m, out), ERR_OK);
	assert_int_equal(buf_cstr(out, &text), ERR_OK);
	return text;
}

static void assert_line(const char *text, const char *line)
{
	char whole[400];

	(void)snprintf(whole, sizeof(whole), "\n%s", line);
	if (!strstr(text, whole))
		fail_msg("no line begins with: %s", line);
}

static void test_names(void **state)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 18);
	const char *text = printed(&out);
	char line[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)snprintf(line, sizeof(line), "# TYPE %s %s\n", rows[i].name, rows[i].type);
		assert_line(text, line);
		if (!rows[i].label) {
			(void)snprintf(line, sizeof(line), "%s 0\n", rows[i].name);
			assert_line(text, line);
		}
		for (size_t v = 0; rows[i].label && v < 5 && rows[i].values[v]; v++) {
			(void)snprintf(line, sizeof(line), "%s{%s=\"%s\"} 0\n", rows[i].name,
				       rows[i].label, rows[i].values[v]);
			assert_line(text, line);
		}
	}
	assert_line(text, P "unprocessed_operations{table=\"user_decryption_responses\",status="
			    "\"under_process\"} 0\n");
}

static void assert_buckets(const char *text, const char *name, const char *label, const char *le)
{
	char line[300];

	while (*le) {
		int n = (int)strcspn(le, " ");

		(void)snprintf(line, sizeof(line), "%s_bucket{%s,le=\"%.*s\"} 0\n", name, label, n,
			       le);
		assert_line(text, line);
		le = &le[n] + (le[n] == ' ');
	}
}

static void test_buckets(void **state)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 18);
	const char *text = printed(&out);

	(void)state;
	assert_buckets(text, P "worker_decryption_latency_seconds",
		       "event_type=\"public_decryption_request\"",
		       "0.01 0.05 0.1 0.25 0.5 1 2.5 5 10 30 +Inf");
	assert_buckets(text, P "tx_sender_response_forwarding_latency_seconds",
		       "response_type=\"user_decryption_response\"",
		       "0.1 0.5 1 2.5 5 10 15 30 +Inf");
}

/* Every line is a comment or a sample, and every sample's family has been announced once. */
static void test_grammar(void **state)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 18);
	char *text = strdup(printed(&out)), *rest = text, *line, family[200] = "";

	(void)state;
	assert_non_null(text);
	while ((line = strsep(&rest, "\n")) && (*line || rest)) {
		size_t n = strcspn(line, "{ ");

		if (strncmp(line, "# TYPE ", 7) == 0) {
			n = strcspn(&line[7], " ");
			assert_true(n < sizeof(family));
			(void)snprintf(family, sizeof(family), "%.*s", (int)n, &line[7]);
			assert_true(strstr(text, line) == line); /* its only one */
		} else if (line[0] != '#') {
			char *end;

			assert_int_equal(strncmp(line, family, strlen(family)), 0);
			assert_true(line[n] == ' ' || strchr(line, '}'));
			(void)strtod(strrchr(line, ' '), &end);
			assert_int_equal(*end, '\0');
		}
		if (rest)
			line[strlen(line)] = '\n';
		if (!rest || !*rest)
			break;
	}
	free(text);
}

static void test_label_text(void **state)
{
	CLEANUP(buf_free) struct buf out = buf_make(100);
	const char *text;

	(void)state;
	assert_int_equal(metric_label_add(&out, "a\"b\\c\nd"), ERR_OK);
	assert_int_equal(buf_cstr(&out, &text), ERR_OK);
	assert_string_equal(text, "a\\\"b\\\\c\\nd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_label_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
