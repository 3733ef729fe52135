/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Counters of the node, in the names that dashboards of the other implementation know. Loop thread.
 */
#ifndef CORE_METRICS_H
#define CORE_METRICS_H

#include "base/bytes.h"
#include "core/request_kind.h"
#include "net/channel.h"

enum metrics_operation {
	METRICS_PUBLIC_DECRYPT_REQUEST,
	METRICS_PUBLIC_DECRYPT_RESULT,
	METRICS_PUBLIC_DECRYPT_INNER,
	METRICS_USER_DECRYPT_REQUEST,
	METRICS_USER_DECRYPT_RESULT,
	METRICS_USER_DECRYPT_INNER,
	METRICS_KEYGEN_PREPROC_REQUEST,
	METRICS_KEYGEN_PREPROC_RESULT,
	METRICS_KEYGEN_PREPROC_INNER,
	METRICS_KEYGEN_REQUEST,
	METRICS_KEYGEN_RESULT,
	METRICS_KEYGEN_INNER,
	METRICS_KEYGEN_ABORT,
	METRICS_CRSGEN_REQUEST,
	METRICS_CRSGEN_RESULT,
	METRICS_CRSGEN_INNER,
	METRICS_CRSGEN_ABORT,
	METRICS_KEY_MATERIAL,
	METRICS_HEALTH_STATUS,
	METRICS_META_STORE,
	METRICS_BANDWIDTH,
	METRICS_NEW_MPC_CONTEXT,
	METRICS_DESTROY_MPC_CONTEXT,
	METRICS_NEW_MPC_EPOCH,
	METRICS_EPOCH_RESULT,
	METRICS_DESTROY_MPC_EPOCH,
	METRICS_OPERATIONS,
};

enum {
	METRICS_STATUSES = GRPC_UNAUTHENTICATED + 1
};

/* All-zero is the start. */
struct metrics {
	uint64_t operations[METRICS_OPERATIONS];
	uint64_t errors[METRICS_OPERATIONS][METRICS_STATUSES];
};

/* Values that are not counted but looked up. */
struct kind_gauges {
	size_t pending;
	size_t stored; /* not evicted, pending or ended */
	size_t running;
};
struct metrics_gauges {
	struct kind_gauges requests[REQUEST_KINDS];
	size_t calls_waiting;
	size_t fhe_keys;
	size_t rate_tokens_used;
	uint64_t connections_refused;
	int64_t tls_not_after_s; /* 0: no TLS */
	bool serving;
	bool committee;        /* then: */
	size_t sessions;       /* ciphertexts being opened with the other nodes */
	size_t epochs_pending; /* being set up */
};

/* Prometheus text format 0.0.4, appended. */
enum err metrics_text(struct buf *out, const struct metrics *m, const struct metrics_gauges *g,
		      const char *version) MUST_USE;

#endif
