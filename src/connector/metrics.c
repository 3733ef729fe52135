/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/metrics.h"

#include <inttypes.h>

enum metric_type {
	COUNTER,
	GAUGE,
	HISTOGRAM
};

struct metric_row {
	const char *name;
	enum metric_type type;
	const char *help;
	const char *const *labels; /* one text per cell; NULL = one cell without a label */
	unsigned cells;
	unsigned histogram; /* HISTOGRAM: its first place in connector_metrics.histograms */
	const double *buckets;
	unsigned buckets_n;
};

static const char *const events[] = {
	[METRIC_EVENT_PUBLIC_DECRYPTION] = "event_type=\"public_decryption_request\"",
	[METRIC_EVENT_USER_DECRYPTION] = "event_type=\"user_decryption_request\"",
	[METRIC_EVENT_PREP_KEYGEN] = "event_type=\"prep_keygen_request\"",
	[METRIC_EVENT_KEYGEN] = "event_type=\"keygen_request\"",
	[METRIC_EVENT_CRSGEN] = "event_type=\"crsgen_request\"",
	[METRIC_EVENT_NEW_CONTEXT] = "event_type=\"new_kms_context\"",
	[METRIC_EVENT_NEW_EPOCH] = "event_type=\"new_kms_epoch\"",
	[METRIC_EVENT_ABORT_KEYGEN] = "event_type=\"abort_keygen_request\"",
	[METRIC_EVENT_ABORT_CRSGEN] = "event_type=\"abort_crsgen_request\"",
	[METRIC_EVENT_CONTEXT_DESTROYED] = "event_type=\"kms_context_destroyed\"",
	[METRIC_EVENT_EPOCH_DESTROYED] = "event_type=\"kms_epoch_destroyed\"",
	[METRIC_EVENT_PRSS_INIT] = "event_type=\"prss_init\"",
	[METRIC_EVENT_KEY_RESHARE] = "event_type=\"key_reshare_same_set\"",
};
static const char *const contracts[] = {
	[METRIC_CONTRACT_DECRYPTION] = "contract=\"decryption\"",
	[METRIC_CONTRACT_ETHEREUM] = "contract=\"ethereum\"",
};
static const char *const responses[] = {
	[METRIC_RESPONSE_PUBLIC_DECRYPTION] = "response_type=\"public_decryption_response\"",
	[METRIC_RESPONSE_USER_DECRYPTION] = "response_type=\"user_decryption_response\"",
	[METRIC_RESPONSE_PREP_KEYGEN] = "response_type=\"prep_keygen_response\"",
	[METRIC_RESPONSE_KEYGEN] = "response_type=\"keygen_response\"",
	[METRIC_RESPONSE_CRSGEN] = "response_type=\"crsgen_response\"",
	[METRIC_RESPONSE_NEW_CONTEXT] = "response_type=\"new_kms_context_response\"",
	[METRIC_RESPONSE_EPOCH_RESULT] = "response_type=\"epoch_result_response\"",
};
static const char *const checks[] = {
	[METRIC_CHECK_ACL] = "check_type=\"acl\"",
	[METRIC_CHECK_SIGNATURE] = "check_type=\"signature\"",
	[METRIC_CHECK_COPRO_CONSENSUS] = "check_type=\"copro_consensus\"",
	[METRIC_CHECK_KMS_CONTEXT] = "check_type=\"kms_context\"",
	[METRIC_CHECK_NETWORK] = "check_type=\"network\"",
};
/* The tables of the other implementation that hold what has not ended. */
#define TWO(table, first)                                                                          \
	[first] = "table=\"" table "\",status=\"pending\"",                                        \
	[(first) + 1] = "table=\"" table "\",status=\"under_process\""
#define ANSWERED(kind, requests, responses)                                                        \
	TWO(requests, (kind)*METRIC_UNPROCESSED_STEP + METRIC_UNPROCESSED_REQUESTS_PENDING),       \
		TWO(responses,                                                                     \
		    (kind)*METRIC_UNPROCESSED_STEP + METRIC_UNPROCESSED_RESPONSES_PENDING)
#define UNANSWERED(kind, requests)                                                                 \
	TWO(requests,                                                                              \
	    METRIC_EVENTS_ANSWERED *METRIC_UNPROCESSED_STEP +                                      \
		    ((kind)-METRIC_EVENTS_ANSWERED) * METRIC_UNPROCESSED_RESPONSES_PENDING)

static const char *const unprocessed[] = {
	ANSWERED(METRIC_EVENT_PUBLIC_DECRYPTION, "public_decryption_requests",
		 "public_decryption_responses"),
	ANSWERED(METRIC_EVENT_USER_DECRYPTION, "user_decryption_requests",
		 "user_decryption_responses"),
	ANSWERED(METRIC_EVENT_PREP_KEYGEN, "prep_keygen_requests", "prep_keygen_responses"),
	ANSWERED(METRIC_EVENT_KEYGEN, "keygen_requests", "keygen_responses"),
	ANSWERED(METRIC_EVENT_CRSGEN, "crsgen_requests", "crsgen_responses"),
	ANSWERED(METRIC_EVENT_NEW_CONTEXT, "new_kms_context", "new_kms_context_responses"),
	ANSWERED(METRIC_EVENT_NEW_EPOCH, "new_kms_epoch", "epoch_result_responses"),
	UNANSWERED(METRIC_EVENT_ABORT_KEYGEN, "abort_keygen_requests"),
	UNANSWERED(METRIC_EVENT_ABORT_CRSGEN, "abort_crsgen_requests"),
	UNANSWERED(METRIC_EVENT_CONTEXT_DESTROYED, "kms_context_destroyed"),
	UNANSWERED(METRIC_EVENT_EPOCH_DESTROYED, "kms_epoch_destroyed"),
	UNANSWERED(METRIC_EVENT_PRSS_INIT, "prss_init"),
	UNANSWERED(METRIC_EVENT_KEY_RESHARE, "key_reshare_same_set"),
};
static const char *const ends[] = {
	[METRIC_END_DONE] = "state=\"done\"",       [METRIC_END_REFUSED] = "state=\"refused\"",
	[METRIC_END_FAILED] = "state=\"failed\"",   [METRIC_END_ABORTED] = "state=\"aborted\"",
	[METRIC_END_EXPIRED] = "state=\"expired\"",
};
static const char *const reverts[] = {
	[METRIC_REVERT_ANSWERED] = "cause=\"answered\"",
	[METRIC_REVERT_NOT_YET] = "cause=\"not_yet\"",
	[METRIC_REVERT_REGISTRATION] = "cause=\"registration\"",
	[METRIC_REVERT_CONTEXT] = "cause=\"context\"",
	[METRIC_REVERT_BAD_ANSWER] = "cause=\"bad_answer\"",
	[METRIC_REVERT_PAUSED] = "cause=\"paused\"",
	[METRIC_REVERT_OTHER] = "cause=\"other\"",
};

static const double worker_buckets[] = {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
static const double sender_buckets[] = {0.1, 0.5, 1, 2.5, 5, 10, 15, 30};

#define LABELS(list)      .labels = (list), .cells = ARRAY_LEN(list)
#define PLAIN             .labels = NULL, .cells = 1
#define BUCKETS(at, list) .histogram = (at), .buckets = (list), .buckets_n = ARRAY_LEN(list)
#define P                 "kms_connector_"

static const struct metric_row rows[] = {
	[METRIC_LISTENER_EVENT_RECEIVED] = {P "gw_listener_event_received_counter", COUNTER,
					    "Events stored by the listener.", LABELS(events)},
	[METRIC_LISTENER_EVENT_LISTENING_ERRORS] = {P "gw_listener_event_listening_errors", COUNTER,
						    "Polls of a chain that failed.",
						    LABELS(contracts)},
	[METRIC_WORKER_EVENT_RECEIVED] = {P "worker_event_received_counter", COUNTER,
					  "Operations claimed by the worker.", LABELS(events)},
	[METRIC_WORKER_EVENT_RECEIVED_ERRORS] = {P "worker_event_received_errors", COUNTER,
						 "Claims of the worker that failed.",
						 LABELS(events)},
	[METRIC_WORKER_GRPC_SENT] = {P "worker_grpc_request_sent_counter", COUNTER,
				     "Requests that the core has accepted.", LABELS(events)},
	[METRIC_WORKER_GRPC_SENT_ERRORS] = {P "worker_grpc_request_sent_errors", COUNTER,
					    "Requests that the core has not accepted.",
					    LABELS(events)},
	[METRIC_WORKER_GRPC_POLLED] = {P "worker_grpc_response_polled_counter", COUNTER,
				       "Results received from the core.", LABELS(events)},
	[METRIC_WORKER_GRPC_POLLED_ERRORS] = {P "worker_grpc_response_polled_errors", COUNTER,
					      "Polls of the core without a result.",
					      LABELS(events)},
	[METRIC_WORKER_S3_RETRIEVAL] = {P "worker_s3_ciphertext_retrieval_counter", COUNTER,
					"Ciphertexts fetched and verified.", PLAIN},
	[METRIC_WORKER_S3_RETRIEVAL_ERRORS] =
		{P "worker_s3_ciphertext_retrieval_errors", COUNTER,
		 "Fetches of ciphertexts that failed or did not verify.", PLAIN},
	[METRIC_WORKER_CHECK_ERRORS] = {P "worker_request_check_errors", COUNTER,
					"Checks of requests that did not pass.", LABELS(checks)},
	[METRIC_WORKER_LATENCY] = {P "worker_decryption_latency_seconds", HISTOGRAM,
				   "From the event's first sight to the core's answer.",
				   .labels = events, .cells = METRIC_EVENTS_FAST,
				   BUCKETS(0, worker_buckets)},
	[METRIC_SENDER_RESPONSE_RECEIVED] = {P "tx_sender_response_received_counter", COUNTER,
					     "Answers claimed by the sender.", LABELS(responses)},
	[METRIC_SENDER_RESPONSE_RECEIVED_ERRORS] = {P "tx_sender_response_received_errors", COUNTER,
						    "Claims of the sender that failed.",
						    LABELS(responses)},
	[METRIC_SENDER_GATEWAY_TX_SENT] = {P "tx_sender_gateway_tx_sent_counter", COUNTER,
					   "Answers that the gateway has accepted.",
					   LABELS(responses)},
	[METRIC_SENDER_GATEWAY_TX_ERRORS] = {P "tx_sender_gateway_tx_sent_errors", COUNTER,
					     "Transactions to the gateway that failed.",
					     LABELS(responses)},
	[METRIC_SENDER_LATENCY] = {P "tx_sender_response_forwarding_latency_seconds", HISTOGRAM,
				   "From the core's answer to its acceptance by the chain.",
				   LABELS(responses), BUCKETS(METRIC_EVENTS_FAST, sender_buckets)},
	[METRIC_UNPROCESSED] = {P "unprocessed_operations", GAUGE,
				"Operations that have not ended.", LABELS(unprocessed)},
	[METRIC_PENDING_EVENTS] = {P "pending_events", GAUGE,
				   "Requests that have no answer yet; of upstream until v0.13.",
				   LABELS(events)},
	[METRIC_PENDING_RESPONSES] = {P "pending_responses", GAUGE,
				      "Answers that no chain has yet; of upstream until v0.13.",
				      LABELS(responses)},
	[METRIC_LISTENER_CURSOR] = {P "gw_listener_cursor_block", GAUGE,
				    "Last block whose events are stored.", LABELS(contracts)},
	[METRIC_LISTENER_HEAD] = {P "gw_listener_head_block", GAUGE, "Last head seen of the chain.",
				  LABELS(contracts)},
	[METRIC_LISTENER_QUARANTINED] = {P "gw_listener_quarantined_total", COUNTER,
					 "Logs set aside because they could not be decoded.",
					 LABELS(contracts)},
	[METRIC_LISTENER_REORGS] = {P "gw_listener_reorgs_total", COUNTER,
				    "Times the cursor was walked back on another branch.",
				    LABELS(contracts)},
	[METRIC_WORKER_JOBS] = {P "worker_jobs", GAUGE, "Operations in the worker's memory.",
				PLAIN},
	[METRIC_WORKER_CIPHERTEXT_BYTES] = {P "worker_ciphertext_bytes", GAUGE,
					    "Memory reserved for ciphertexts.", PLAIN},
	[METRIC_OPERATIONS_ENDED] = {P "operations_ended_total", COUNTER,
				     "Operations that reached their end.", LABELS(ends)},
	[METRIC_COLLECTED] = {P "operations_collected_total", COUNTER,
			      "Operations removed for their age or number.", PLAIN},
	[METRIC_AUDIT_HEAD] = {P "audit_head", GAUGE, "Number of the audit log's last record.",
			       PLAIN},
	[METRIC_SENDER_REVERTS] = {P "tx_sender_reverts_total", COUNTER,
				   "Answers that a contract would revert, by who can do something.",
				   LABELS(reverts)},
};

_Static_assert(ARRAY_LEN(rows) == METRIC_N, "one row per metric");
_Static_assert(ARRAY_LEN(events) == METRIC_EVENTS &&
		       ARRAY_LEN(responses) == METRIC_EVENTS_ANSWERED &&
		       ARRAY_LEN(unprocessed) == METRIC_CELLS_MAX,
	       "labels");

static const struct metric_row *row_of(enum metric which, unsigned cell)
{
	CHECK((unsigned)which < METRIC_N && cell < rows[which].cells &&
	      rows[which].cells <= METRIC_CELLS_MAX);
	return &rows[which];
}

void metrics_add(struct connector_metrics *m, enum metric which, unsigned cell, int64_t n)
{
	CHECK(row_of(which, cell)->type != HISTOGRAM);
	m->cells[which][cell] += n;
}

void metrics_set(struct connector_metrics *m, enum metric which, unsigned cell, int64_t value)
{
	CHECK(row_of(which, cell)->type == GAUGE);
	m->cells[which][cell] = value;
}

void metrics_observe(struct connector_metrics *m, enum metric which, unsigned cell, double seconds)
{
	const struct metric_row *r = row_of(which, cell);
	struct metric_histogram *h = &m->histograms[r->histogram + cell];

	CHECK(r->type == HISTOGRAM);
	h->count++;
	h->sum_s += seconds;
	for (unsigned i = 0; i < r->buckets_n; i++)
		if (seconds <= r->buckets[i]) {
			h->buckets[i]++;
			return;
		}
}

static enum err print_value(const struct metric_row *r, unsigned cell, int64_t v, struct buf *out)
{
	if (!r->labels)
		return buf_addf(out, "%s %" PRId64 "\n", r->name, v);
	return buf_addf(out, "%s{%s} %" PRId64 "\n", r->name, r->labels[cell], v);
}

static enum err print_histogram(const struct metric_row *r, unsigned cell,
				const struct metric_histogram *h, struct buf *out)
{
	const char *label = r->labels[cell];
	uint64_t below = 0;

	for (unsigned i = 0; i < r->buckets_n; i++) {
		below += h->buckets[i];
		TRY(buf_addf(out, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", r->name, label,
			     r->buckets[i], below));
	}
	TRY(buf_addf(out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", r->name, label, h->count));
	TRY(buf_addf(out, "%s_sum{%s} %.6f\n", r->name, label, h->sum_s));
	return buf_addf(out, "%s_count{%s} %" PRIu64 "\n", r->name, label, h->count);
}

enum err connector_metrics_print(const struct connector_metrics *m, struct buf *out)
{
	static const char *const types[] = {
		[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};

	for (unsigned i = 0; i < METRIC_N; i++) {
		const struct metric_row *r = &rows[i];

		TRY(buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", r->name, r->help, r->name,
			     types[r->type]));
		for (unsigned c = 0; c < r->cells; c++)
			TRY(r->type == HISTOGRAM
				    ? print_histogram(r, c, &m->histograms[r->histogram + c], out)
				    : print_value(r, c, m->cells[i][c], out));
	}
	return ERR_OK;
}
