/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The coprocessors that the gateway's GatewayConfig registers, as one snapshot that is replaced
 * whole. A refresh that fails, or brings something unusable, leaves the old snapshot in place.
 */
#ifndef CONNECTOR_WORKER_REGISTRY_H
#define CONNECTOR_WORKER_REGISTRY_H

#include "connector/service.h"
#include "connector/worker/buckets.h"

struct bucket {
	struct address tx_sender;
	const char *url; /* http or https, printable, not empty */
	struct bucket_state *state;
};

/* Counted: whoever keeps one past the callback holds it. */
struct registry_snapshot {
	struct arena arena;
	unsigned holders;
	const struct address *signers;
	size_t signers_n;
	size_t threshold;
	struct bucket *buckets;
	size_t buckets_n;
	const struct address *tx_senders;
	size_t tx_senders_n;
	size_t homeless_n; /* coprocessors without a URL, and no fallback is configured */
};
void registry_hold(struct registry_snapshot *s);
void registry_drop(struct registry_snapshot *s); /* NULL allowed */
bool registry_has_signer(const struct registry_snapshot *s, struct address signer);

struct registry;

/* Loads at once and again every copro_registry_refresh. `buckets` outlive it. */
enum err registry_start(struct registry **ret_registry, const struct connector_env *env,
			struct buckets *buckets) MUST_USE;
void registry_stop(struct registry *r); /* waiters must have left */

/* All-zero is idle. */
struct registry_waiter {
	struct registry_waiter *prev, *next;
	bool waiting;
	void (*fn)(void *ctx, struct registry_snapshot *snapshot, const struct err_note *note);
	void *ctx;
};

/* fn now if there is a snapshot, else when the load that runs ends: with NULL and a note if it
 * failed. */
void registry_want(struct registry *r, struct registry_waiter *w,
		   void (*fn)(void *ctx, struct registry_snapshot *snapshot,
			      const struct err_note *note),
		   void *ctx);
void registry_unwant(struct registry *r, struct registry_waiter *w);

#endif
