/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The three services and what they stand on.
 *
 * A service sees the world only through `struct connector_env`: five seams, a log, a configuration.
 * cmd/ fills it with the real ones, the simulator with its own. All three services may run in one
 * process on one loop.
 */
#ifndef CONNECTOR_SERVICE_H
#define CONNECTOR_SERVICE_H

#include "base/clock.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/rng.h"
#include "connector/adapters/events.h"
#include "connector/config.h"
#include "connector/inflight.h"
#include "connector/metrics.h"
#include "connector/operation.h"
#include "eth/provider.h"
#include "eth/signer.h"
#include "net/channel.h"
#include "net/trace.h"
#include "net/transport.h"

enum {
	SERVICE_CONTRACTS_MAX = 4
};

/*
 * A chain as a listener or a sender sees it: each of them serves one, the one in its env. What
 * makes chains differ is here and nowhere else.
 */
struct service_chain {
	const char *name;    /* in logs */
	const char *started; /* what the listener says when it begins: operators wait for it */
	const char *failed;  /* and when a round ends early */
	struct provider *provider;
	struct chain_id id;
	struct event_contract contracts[SERVICE_CONTRACTS_MAX]; /* whose events are read */
	size_t contracts_n;
	enum block_tag_kind head; /* how far it is read ... */
	uint64_t head_depth;      /* ... but for so many blocks */
	bool head_posted;         /* only what is posted to the parent chain (Arbitrum), or … */
	struct provider *parent;  /* … only what `rollup` has confirmed there; NULL: else */
	struct address rollup;
	int64_t polling_ms;
	bool from_block_given;
	uint64_t from_block;
	uint64_t confirmations; /* of a transaction; 1: in a block */
	unsigned metric;        /* METRIC_CONTRACT_… */
	const char *answered;   /* topic of answers for this chain */
};

struct connector_env {
	struct clock *clock;
	struct rng *rng;
	struct transport *transport;
	struct transport *buckets; /* worker only: for reads of buckets; NULL: `transport` */
	struct store *store;
	struct channel *const *cores; /* one per kms_core_endpoints */
	size_t cores_n;
	const struct ecdsa *ecdsa;
	struct signer *signer;         /* sender only */
	struct provider *gateway;      /* shared by the three */
	struct provider *parent;       /* of the gateway chain; listener only, NULL: is not asked */
	struct service_chain chain;    /* listener and sender only; all-zero: the gateway */
	struct provider *const *hosts; /* one per host_chains, same order; worker only */
	size_t hosts_n;
	struct provider *ethereum; /* worker only: where ProtocolConfig is; NULL = contexts are
				      checked at the gateway */
	const struct connector_config *config;
	const struct log *log;
	struct connector_metrics *metrics; /* shared by the three; never NULL */
	struct tracer *tracer;             /* shared; NULL: no traces */
	struct inflight *inflight; /* shared by the three; freed after store and providers */
	const char *owner;         /* unique per process start: the lease owner */
	bool store_shared; /* other processes work on the same rows: a lease of another owner may
			      be alive */
	void (*fatal)(void *ctx, enum err err,
		      const char *why); /* the process should end with exit 1 */
	void *fatal_ctx;
};

/* The cell of a kind, in metrics by event and by response. */
static inline unsigned metric_of_kind(enum op_kind k)
{
	_Static_assert(OP_KINDS - OP_KIND_PUBLIC_DECRYPTION == METRIC_EVENTS, "one cell per kind");
	return (unsigned)(k - OP_KIND_PUBLIC_DECRYPTION);
}

/* What to ask for where a chain's blocks count so. */
enum block_tag_kind service_chain_head(const struct chain_finality *f);

/* env->chain, or the gateway's. */
struct service_chain service_chain_of(const struct connector_env *env);

/* The gateway's; that of the ethereum chain, without a contract where nothing is configured there.
 */
struct service_chain service_chain_gateway(const struct connector_env *env);
struct service_chain service_chain_ethereum(const struct connector_env *env,
					    struct provider *provider);

/* The age at which an operation is given up. */
static inline int64_t expiry_of_kind_ms(const struct connector_config *c, enum op_kind k)
{
	return op_kind_is_slow(k) ? c->key_management_expiry_ms : c->decryption_expiry_ms;
}

/* ---- listener: chain -> rows (connector/listener/) ---- */
struct listener;
enum err listener_start(struct listener **ret_listener, const struct connector_env *env) MUST_USE;
void listener_wake(struct listener *l); /* there may be a new block: it looks now */
void listener_stop(struct listener *l); /* no callback runs after it; NULL allowed */

/* ---- worker: rows -> proofs -> core -> answers (connector/worker/) ---- */
struct worker;
enum err worker_start(struct worker **ret_worker, const struct connector_env *env) MUST_USE;
void worker_stop(struct worker *w);
/* Before the stop: nothing new is claimed; idle when what was is done. NULL: is idle. */
void worker_drain(struct worker *w);
bool worker_idle(const struct worker *w);

/* What it depends on, each behind its breaker, for metrics and status: cores and buckets. The names
 * are URLs as configured or registered; they live as long as the worker. */
struct worker_part {
	const char *part; /* "core", "bucket" */
	const char *name;
	enum breaker_state breaker;
	uint64_t opened;
};
size_t worker_parts_n(const struct worker *w); /* NULL: 0 */
struct worker_part worker_part(const struct worker *w, size_t i);

/* ---- sender: answers -> transactions (connector/sender/) ---- */
struct sender;
enum err sender_start(struct sender **ret_sender, const struct connector_env *env) MUST_USE;
void sender_stop(struct sender *s);
/* As the worker's; idle when every transaction is stored with its bytes, mined or not. */
void sender_drain(struct sender *s);
bool sender_idle(const struct sender *s);

#endif
