/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The KMS service: what stands behind the gRPC methods. It owns requests from the moment they are
 * accepted; loop, pool, store, keys and signer are lent and must outlive it. Everything on the loop
 * thread, computation in the pool.
 */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include "base/log.h"
#include "core/bandwidth.h"
#include "core/key_ring.h"
#include "core/metrics.h"
#include "core/peers.h"
#include "core/rate_limit.h"
#include "core/signing_key.h"
#include "net/grpc_server.h"
#include "net/pool.h"
#include "store/store.h"

struct epoch_setup;

#define CORE_SERVICE_NAME "kms_service.v1.CoreServiceEndpoint"
#define META_STORE_NAME   "metastore_status.v1.MetaStoreStatusService"

struct core_service;

struct core_service_options {
	struct loop *loop;
	struct pool *pool;
	struct store *store; /* by request_store_open */
	const struct log *log;
	struct key_ring *keys; /* generated ones are added */
	const struct signing_key *signer;
	struct vaults vaults;    /* where generated keys and CRSs go */
	unsigned keygen_threads; /* at least 1 */
	struct rng *rng;         /* for sealing and for new keys; any thread, as rng_system() */
	size_t capacity;         /* decryptions kept with their results, pending ones included */
	size_t finished_min;     /* of these, ended ones that are never evicted for a new request */
	struct rate_limit_config rate;
	struct bandwidth_limits bandwidth;
	struct peers peers; /* none: a centralised node */
	/* Of a node of a committee; all three NULL: a centralised one. */
	struct committees *committees;
	struct peer_net *net;
	struct epoch_setup *epochs;
	int64_t idle_timeout_ms; /* of an opening of which no other node is heard */
	int64_t linger_ms;       /* after it, its words are kept for who was away */
	uint64_t seed;           /* of the table of requests */
	loop_fn *broken;         /* CORE_BROKEN was entered; may be NULL */
	void *broken_ctx;
};

enum core_phase {
	CORE_STARTING, /* reading what was left unfinished: nothing is accepted yet */
	CORE_SERVING,
	CORE_STOPPING, /* nothing is accepted any more */
	CORE_BROKEN,   /* the database could not be read at start */
};

/* Starts to read what was left unfinished; core_service_phase tells how far it is. ERR_NOMEM,
 * errors of store_submit. */
enum err core_service_new(struct core_service **ret_service,
			  const struct core_service_options *options) MUST_USE;

enum core_phase core_service_phase(const struct core_service *s);

/*
 * Accept nothing more, answer those who wait for work that has not begun, finish and store what
 * runs; then stopped(ctx). What has not begun stays pending in the database and is done after the
 * next start.
 */
void core_service_stop(struct core_service *s, loop_fn *stopped, void *ctx);

/* After pool and store are freed, so that nothing comes back; calls not answered are answered by
 * nobody. */
void core_service_free(struct core_service *s);

/* The methods for a gRPC server whose ctx is the service: its own and grpc.health.v1. */
extern const struct grpc_method core_service_methods[];
extern const size_t core_service_methods_n;

/* NULL on a centralised node. */
const struct peer_net *core_service_peers(const struct core_service *s);
const struct metrics *core_service_metrics(const struct core_service *s);
struct metrics_gauges core_service_gauges(const struct core_service *s);

#endif
