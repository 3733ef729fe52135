/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the connector counts: one table of metrics with fixed cells, printed in Prometheus' text
 * format. Names, labels and buckets are upstream's, so that its dashboards and alerts read ours;
 * those at the end are our own.
 *
 * Loop thread only. All-zero is valid. Every cell is printed from the start, also while it is zero.
 */
#ifndef CONNECTOR_METRICS_H
#define CONNECTOR_METRICS_H

#include "base/bytes.h"

enum metric {
	/* listener */
	METRIC_LISTENER_EVENT_RECEIVED,         /* METRIC_EVENT_… */
	METRIC_LISTENER_EVENT_LISTENING_ERRORS, /* METRIC_CONTRACT_… */
	/* worker */
	METRIC_WORKER_EVENT_RECEIVED, /* METRIC_EVENT_… */
	METRIC_WORKER_EVENT_RECEIVED_ERRORS,
	METRIC_WORKER_GRPC_SENT,
	METRIC_WORKER_GRPC_SENT_ERRORS,
	METRIC_WORKER_GRPC_POLLED,
	METRIC_WORKER_GRPC_POLLED_ERRORS,
	METRIC_WORKER_S3_RETRIEVAL, /* no label: cell 0 */
	METRIC_WORKER_S3_RETRIEVAL_ERRORS,
	METRIC_WORKER_CHECK_ERRORS, /* METRIC_CHECK_… */
	METRIC_WORKER_LATENCY,      /* histogram, METRIC_EVENT_… */
	/* sender */
	METRIC_SENDER_RESPONSE_RECEIVED, /* METRIC_RESPONSE_… */
	METRIC_SENDER_RESPONSE_RECEIVED_ERRORS,
	METRIC_SENDER_GATEWAY_TX_SENT,
	METRIC_SENDER_GATEWAY_TX_ERRORS,
	METRIC_SENDER_LATENCY,    /* histogram, METRIC_RESPONSE_… */
	METRIC_UNPROCESSED,       /* gauge, METRIC_UNPROCESSED_… */
	METRIC_PENDING_EVENTS,    /* gauge, METRIC_EVENT_…; until v0.13 */
	METRIC_PENDING_RESPONSES, /* gauge, METRIC_RESPONSE_… */
	/* ours */
	METRIC_LISTENER_CURSOR, /* gauge, METRIC_CONTRACT_… */
	METRIC_LISTENER_HEAD,   /* gauge */
	METRIC_LISTENER_QUARANTINED,
	METRIC_LISTENER_REORGS,
	METRIC_WORKER_JOBS,             /* gauge, cell 0 */
	METRIC_WORKER_CIPHERTEXT_BYTES, /* gauge, cell 0 */
	METRIC_OPERATIONS_ENDED,        /* METRIC_END_… */
	METRIC_AUDIT_HEAD,              /* gauge, cell 0 */
	METRIC_COLLECTED,               /* cell 0 */
	METRIC_SENDER_REVERTS,          /* METRIC_REVERT_… */
	METRIC_N,
};

/* Cells: the label values of each metric, in the table's order. Those of events and of responses
 * are in the order of enum op_kind: metric_of_kind (service.h). */
enum {
	METRIC_EVENT_PUBLIC_DECRYPTION,
	METRIC_EVENT_USER_DECRYPTION,
	METRIC_EVENTS_FAST, /* the decryptions */
	METRIC_EVENT_PREP_KEYGEN = METRIC_EVENTS_FAST,
	METRIC_EVENT_KEYGEN,
	METRIC_EVENT_CRSGEN,
	METRIC_EVENT_NEW_CONTEXT,
	METRIC_EVENT_NEW_EPOCH,
	METRIC_EVENTS_ANSWERED, /* those of the events above have a response */
	METRIC_EVENT_ABORT_KEYGEN = METRIC_EVENTS_ANSWERED,
	METRIC_EVENT_ABORT_CRSGEN,
	METRIC_EVENT_CONTEXT_DESTROYED,
	METRIC_EVENT_EPOCH_DESTROYED,
	METRIC_EVENT_PRSS_INIT,
	METRIC_EVENT_KEY_RESHARE,
	METRIC_EVENTS,
};
enum {
	METRIC_CONTRACT_DECRYPTION, /* the gateway */
	METRIC_CONTRACT_ETHEREUM,
};
enum {
	METRIC_CHECK_ACL,
	METRIC_CHECK_SIGNATURE,
	METRIC_CHECK_COPRO_CONSENSUS,
	METRIC_CHECK_KMS_CONTEXT,
	METRIC_CHECK_NETWORK
};
enum {
	METRIC_RESPONSE_PUBLIC_DECRYPTION,
	METRIC_RESPONSE_USER_DECRYPTION,
	METRIC_RESPONSE_PREP_KEYGEN,
	METRIC_RESPONSE_KEYGEN,
	METRIC_RESPONSE_CRSGEN,
	METRIC_RESPONSE_NEW_CONTEXT,
	METRIC_RESPONSE_EPOCH_RESULT,
};
/* Of the first kind of event; the next kind's follow after METRIC_UNPROCESSED_STEP. Kinds that have
 * no response have the first two only: metric_unprocessed. */
enum {
	METRIC_UNPROCESSED_REQUESTS_PENDING,
	METRIC_UNPROCESSED_REQUESTS_UNDER_PROCESS,
	METRIC_UNPROCESSED_RESPONSES_PENDING,
	METRIC_UNPROCESSED_RESPONSES_UNDER_PROCESS,
	METRIC_UNPROCESSED_STEP,
};
static inline unsigned metric_unprocessed(unsigned event, unsigned which)
{
	unsigned step = METRIC_UNPROCESSED_STEP, two = METRIC_UNPROCESSED_RESPONSES_PENDING;

	return event < METRIC_EVENTS_ANSWERED
		       ? event * step + which
		       : METRIC_EVENTS_ANSWERED * step + (event - METRIC_EVENTS_ANSWERED) * two +
				 which;
}
enum {
	METRIC_END_DONE,
	METRIC_END_REFUSED,
	METRIC_END_FAILED,
	METRIC_END_ABORTED,
	METRIC_END_EXPIRED
};
/* In the order of enum revert_cause (adapters/answer.h). */
enum {
	METRIC_REVERT_ANSWERED,
	METRIC_REVERT_NOT_YET,
	METRIC_REVERT_REGISTRATION,
	METRIC_REVERT_CONTEXT,
	METRIC_REVERT_BAD_ANSWER,
	METRIC_REVERT_PAUSED,
	METRIC_REVERT_OTHER,
};

enum {
	METRIC_CELLS_MAX = 40,
	METRIC_HISTOGRAMS = METRIC_EVENTS_FAST + METRIC_EVENTS_ANSWERED,
	METRIC_BUCKETS_MAX = 10
};

struct connector_metrics {
	int64_t cells[METRIC_N][METRIC_CELLS_MAX];
	struct metric_histogram {
		uint64_t buckets[METRIC_BUCKETS_MAX]; /* not cumulative */
		uint64_t count;
		double sum_s;
	} histograms[METRIC_HISTOGRAMS]; /* of the histogram metrics, one after the other */
};

/* CHECK fails on a cell or a kind that the metric does not have. */
void metrics_add(struct connector_metrics *m, enum metric which, unsigned cell, int64_t n);
void metrics_set(struct connector_metrics *m, enum metric which, unsigned cell,
		 int64_t value); /* gauges */
void metrics_observe(struct connector_metrics *m, enum metric which, unsigned cell, double seconds);
static inline void metrics_inc(struct connector_metrics *m, enum metric which, unsigned cell)
{
	metrics_add(m, which, cell, 1);
}

/* Prometheus text format 0.0.4, appended. */
enum err connector_metrics_print(const struct connector_metrics *m, struct buf *out) MUST_USE;

#endif
