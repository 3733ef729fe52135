/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/node.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/rng.h"
#include "core/client_port.h"
#include "core/monitoring.h"
#include "core/node_committee.h"
#include "core/not_built.h"
#include "core/publish.h"
#include "core/request_store.h"
#include "eth/text.h"
#include "fhe/keygen/keygen.h"

enum {
	VAULT_LOCK_TRIES = 50,
	VAULT_LOCK_PAUSE_NS = 100 * 1000 * 1000,
	NOT_BUILT_TEXT_MAX = 1024,
};

struct node {
	struct node_options o;
	int vault_fd; /* its lock; -1 */
	struct ecdsa *ecdsa;
	struct signing_key signer;
	struct node_committee committee;
	struct key_ring keys;
	struct store *store;
	struct pool *pool;
	struct core_service *service;
	struct client_port *port;
	struct monitoring monitoring;
	loop_fn *stopped;
	void *stopped_ctx;
	unsigned stopping_n; /* parts that have not come to rest */
};

/* ---- start ---- */

static enum err signer_open(struct node *n, struct err_note *note)
{
	const struct vault private_vault = core_config_vault(&n->o.config->private_vault, true);
	const struct vault public_vault = core_config_vault(&n->o.config->public_vault, false);
	struct signing_key_public found;
	char address[ADDRESS_TEXT_SIZE];
	uint8_t seed[32];

	rng_fill(rng_system(), seed, sizeof(seed));
	TRY(ecdsa_new(&n->ecdsa, seed));
	secret_wipe(seed, sizeof(seed));

	enum err e = signing_key_load(&n->signer, n->ecdsa, &private_vault, note);

	if (e == ERR_NOT_FOUND)
		return err_prefix(note, ERR_CONFIG_FILE, "no signing key (kms-gen-keys makes one)");
	TRY(e);
	TRY(signing_key_public_sync(&found, &n->signer, &public_vault, false, note));
	address_to_text(address, n->signer.address);
	LOG_INFO(n->o.log, "Signing key loaded", log_s("address", address));
	if (found.missing > 0)
		LOG_WARN(n->o.log,
			 "The public vault lacks objects of the signing key; kms-gen-keys writes "
			 "them",
			 log_i("missing", (int64_t)found.missing));
	return ERR_OK;
}

static enum err keys_open(struct node *n, struct err_note *note)
{
	const struct vault private_vault = core_config_vault(&n->o.config->private_vault, true);

	if (n->committee.committees)
		TRY(key_ring_load_shares(&n->keys, n->committee.committees, &private_vault, note));
	else
		TRY(key_ring_load(&n->keys, &private_vault, note));
	LOG_INFO(n->o.log, "FHE keys loaded", log_i("keys", (int64_t)n->keys.n));
	if (secret_lock_failed() > 0)
		LOG_WARN(n->o.log,
			 "The machine refuses to lock memory: secrets may be swapped out; raise "
			 "RLIMIT_MEMLOCK",
			 log_i("allocations", (int64_t)secret_lock_failed()));
	return ERR_OK;
}

/* Generation has threads of its own beside the pool's, as many as that has. */
static unsigned keygen_threads(const struct core_config *c)
{
	long n = c->compute_threads > 0 ? (long)c->compute_threads : sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 1)
		return 1;
	return n < FHE_KEYGEN_THREADS_MAX ? (unsigned)n : FHE_KEYGEN_THREADS_MAX;
}

/* What killed processes left. Alone, or another server's work would be in it. */
static enum err vaults_sweep(struct node *n, struct err_note *note)
{
	const struct vaults v = core_config_vaults(n->o.config);
	size_t removed;

	TRY(publish_sweep(&v, &removed, note));
	if (removed > 0)
		LOG_WARN(n->o.log, "Partial objects of an earlier run removed from the vaults",
			 log_i("objects", (int64_t)removed));
	return ERR_OK;
}

/* The share of the vault that every server has. Who is alone in it passes in a moment: a server
 * that starts, or `kms-server gc`. */
static enum err vault_share(struct node *n, const struct vault *v, struct err_note *note)
{
	enum err e = ERR_TRANSIENT;

	for (unsigned i = 0; e == ERR_TRANSIENT && i < VAULT_LOCK_TRIES; i++) {
		if (i > 0)
			(void)nanosleep(&(struct timespec){.tv_nsec = VAULT_LOCK_PAUSE_NS}, NULL);
		e = vault_lock(&n->vault_fd, v, VAULT_SHARED, note);
	}
	if (e == ERR_TRANSIENT)
		return err_prefix(note, ERR_CONFIG_FILE, "another process cleans it up");
	/* A file system without locks has them for nobody. */
	if (e != ERR_OK)
		LOG_WARN(n->o.log, "The vault cannot be locked: nothing is cleaned up",
			 log_s("detail", note->text));
	return ERR_OK;
}

static enum err vaults_open(struct node *n, struct err_note *note)
{
	const struct vaults v = core_config_vaults(n->o.config);
	enum err e = vault_lock(&n->vault_fd, &v.private, VAULT_ALONE, note);

	if (e == ERR_OK) {
		TRY(vaults_sweep(n, note));
		(void)close(n->vault_fd);
		n->vault_fd = -1;
	} else if (e == ERR_TRANSIENT) {
		LOG_INFO(n->o.log, "Another process uses this vault, too: nothing is cleaned up");
	}
	return vault_share(n, &v.private, note);
}

static enum err service_open(struct node *n, struct err_note *note)
{
	const struct core_config *c = n->o.config;
	uint64_t seed;

	rng_fill(rng_system(), (uint8_t *)&seed, sizeof(seed));
	TRY(request_store_open(&n->store, n->o.loop, c->request_store_path, note));
	TRY(vaults_open(n, note));
	TRY(pool_new(&n->pool, n->o.loop, (unsigned)c->compute_threads));
	TRY(node_committee_start(&n->committee, c, n->o.loop, n->pool, n->store, note));
	return core_service_new(
		&n->service, &(struct core_service_options){
				     .loop = n->o.loop,
				     .pool = n->pool,
				     .store = n->store,
				     .log = n->o.log,
				     .keys = &n->keys,
				     .signer = &n->signer,
				     .vaults = core_config_vaults(c),
				     .keygen_threads = keygen_threads(c),
				     .rng = rng_system(),
				     .capacity = (size_t)c->dec_capacity,
				     .finished_min = (size_t)c->min_dec_cache,
				     .rate = c->rate,
				     .bandwidth = c->bandwidth,
				     .peers = node_committee_peers(&n->committee, &n->o.peers),
				     .committees = n->committee.committees,
				     .net = n->committee.peers,
				     .epochs = n->committee.epochs,
				     .idle_timeout_ms = (int64_t)c->threshold.idle_timeout_s * 1000,
				     .linger_ms = (int64_t)c->threshold.linger_s * 1000,
				     .seed = seed,
				     .broken = n->o.broken,
				     .broken_ctx = n->o.broken_ctx,
			     });
}

/* What clients of a committee's node will be refused: to be known before one asks. */
static enum err not_built_tell(const struct node *n)
{
	CLEANUP(buf_free) struct buf list = buf_make(NOT_BUILT_TEXT_MAX);

	if (!n->committee.committees)
		return ERR_OK;
	TRY(not_built_print(&list, ", "));
	TRY(buf_add_u8(&list, 0));
	LOG_INFO(n->o.log, "Not built yet: answered with FAILED_PRECONDITION",
		 log_s("operations", (const char *)list.p));
	return ERR_OK;
}

static enum err ports_open(struct node *n, struct err_note *note)
{
	const char *monitoring = n->o.config->metrics_bind_address;

	TRY(not_built_tell(n));
	TRY(client_port_listen(n->port, n->service, note));
	TRY(monitoring_init(&n->monitoring, n->o.loop, monitoring, n->service, n->port,
			    n->o.version, note));
	LOG_INFO(n->o.log, "Monitoring", log_s("endpoint", monitoring),
		 log_i("port", (int64_t)node_monitoring_port(n)));
	return ERR_OK;
}

enum err node_start(struct node **ret_node, const struct node_options *options,
		    struct err_note *note)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return ERR_NOMEM;
	n->o = *options;
	n->vault_fd = -1;

	enum err e = core_config_check(options->config, note);

	if (e == ERR_OK) /* before any key is touched */
		e = client_port_new(&n->port, options->loop, options->config, options->log, note);
	if (e == ERR_OK)
		e = signer_open(n, note);
	if (e == ERR_OK)
		e = node_committee_load(&n->committee, options->config, &n->signer, options->log,
					note);
	if (e == ERR_OK)
		e = keys_open(n, note);
	if (e == ERR_OK)
		e = service_open(n, note);
	if (e == ERR_OK)
		e = ports_open(n, note);
	if (e != ERR_OK) {
		node_free(n);
		return e;
	}
	*ret_node = n;
	return ERR_OK;
}

/* ---- stop ---- */

static void part_stopped(void *ctx)
{
	struct node *n = ctx;

	if (--n->stopping_n == 0)
		n->stopped(n->stopped_ctx);
}

void node_stop(struct node *n, loop_fn *stopped, void *ctx)
{
	n->stopped = stopped;
	n->stopped_ctx = ctx;
	n->stopping_n = 2;
	LOG_INFO(n->o.log, "Stopping");
	node_committee_stop(&n->committee);
	core_service_stop(n->service, part_stopped, n);
	client_port_drain(n->port, NODE_STOP_GRACE_MS, part_stopped, n);
}

void node_reload(struct node *n)
{
	client_port_reload(n->port);
	node_committee_reload(&n->committee);
}

void node_free(struct node *n)
{
	if (!n)
		return;
	/* Pool and store first: nothing comes back to the service after. */
	pool_free(n->pool);
	store_free(n->store);
	if (n->monitoring.server)
		monitoring_free(&n->monitoring);
	client_port_free(n->port);
	core_service_free(n->service);
	node_committee_free(&n->committee);
	key_ring_free(&n->keys);
	signing_key_free(&n->signer);
	ecdsa_free(n->ecdsa);
	if (n->vault_fd >= 0)
		(void)close(n->vault_fd);
	free(n);
}

unsigned node_port(const struct node *n)
{
	return client_port_number(n->port);
}

unsigned node_peer_port(const struct node *n)
{
	return n->committee.peers ? peer_net_port(n->committee.peers) : 0;
}

unsigned node_monitoring_port(const struct node *n)
{
	return http_server_port(n->monitoring.server);
}

const struct core_service *node_service(const struct node *n)
{
	return n->service;
}
