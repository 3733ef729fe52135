/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Configuration of kms-server and kms-gen-keys: sections and keys of the other implementation, as
 * far as they mean something here; ours are in [request_store]. Unlike the connector, unknown keys
 * are errors: a misspelt key in front of private keys must not pass.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include "base/arena.h"
#include "base/config.h"
#include "base/log.h"
#include "core/bandwidth.h"
#include "core/config_threshold.h"
#include "core/rate_limit.h"
#include "core/vault.h"

/* Mutual TLS of the client port. All or nothing. */
struct core_tls_config {
	char *cert, *key, *ca; /* paths of PEM files; NULL: no TLS */
	struct config_strings allowed_peers;
};

struct vault_config {
	char *path;
	char *prefix;
};

/* Texts live in the arena given to core_config_read. */
struct core_config {
	char *listen_address;
	uint64_t listen_port;
	struct core_tls_config tls;
	bool plaintext_loopback;
	uint64_t timeout_secs;
	uint64_t message_size_max;
	char *metrics_bind_address;
	char *log_level;
	struct vault_config public_vault, private_vault;
	char *request_store_path;
	uint64_t dec_capacity, min_dec_cache; /* [threshold] has them, too */
	struct rate_limit_config rate;
	struct bandwidth_limits bandwidth;
	uint64_t compute_threads;
	struct threshold_config threshold;
};

struct keygen_config {
	bool show_existing;
	bool repopulate;
	bool overwrite;
	struct vault_config public_vault, private_vault;
};

extern const struct config_table core_config_table;
extern const struct config_table keygen_config_table;

/*
 * Read `path` (NULL: no file) and the environment (NULL: none) into the zeroed `target` of `table`,
 * which is one of the two above, and check it: core_config_check or keygen_config_check.
 * ERR_CONFIG_FILE, ERR_CONFIG_VALUE with a note that says file and line, ERR_NOMEM.
 */
enum err core_config_read(const struct config_table *table, const char *path,
			  const char *const *env, void *target, struct arena *arena,
			  struct err_note *note) MUST_USE;

/* What the rows alone cannot say: for configurations that were not read from anywhere. */
enum err core_config_check(const struct core_config *c, struct err_note *note) MUST_USE;
enum err keygen_config_check(const struct keygen_config *c, struct err_note *note) MUST_USE;

/* How the client port is protected; core_config_check lets nothing else pass. */
enum core_transport {
	CORE_TRANSPORT_UNIX,     /* a socket file of mode 0600 */
	CORE_TRANSPORT_TLS,      /* mutual TLS, for the allowed peers */
	CORE_TRANSPORT_LOOPBACK, /* plain text, for every user of this machine; asked for by name */
};
enum core_transport core_config_transport(const struct core_config *c);

/* The address for grpc_server_new, of a configuration that was checked. */
enum err core_config_listen(struct buf *out, const struct core_config *c) MUST_USE;

static inline struct vault core_config_vault(const struct vault_config *c, bool private)
{
	return (struct vault){.path = c->path, .prefix = c->prefix, .private = private};
}

static inline struct vaults core_config_vaults(const struct core_config *c)
{
	return (struct vaults){.public = core_config_vault(&c->public_vault, false),
			       .private = core_config_vault(&c->private_vault, true)};
}

#endif
