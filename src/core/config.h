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
#include "core/vault.h"

struct vault_config {
	char *path;
	char *prefix;
};

/* Texts live in the arena given to core_config_read. */
struct core_config {
	char *listen_address;
	uint64_t listen_port;
	uint64_t timeout_secs;
	uint64_t message_size_max;
	char *metrics_bind_address;
	char *log_level;
	struct vault_config public_vault, private_vault;
	char *request_store_path;
	uint64_t dec_capacity, min_dec_cache;
	uint64_t compute_threads;
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
 * Read `path` (NULL: no file) and the environment (NULL: none) into the zeroed `target` of `table`.
 * ERR_CONFIG_FILE, ERR_CONFIG_VALUE with a note, ERR_NOMEM.
 */
enum err core_config_read(const struct config_table *table, const char *path,
			  const char *const *env, void *target, struct arena *arena,
			  struct err_note *note) MUST_USE;

/* What the rows alone cannot say. */
enum err core_config_check(const struct core_config *c, struct err_note *note) MUST_USE;
enum err keygen_config_check(const struct keygen_config *c, struct err_note *note) MUST_USE;

/*
 * The address for grpc_server_new. There is no authentication on this port yet, so that it must be
 * a Unix socket
 * ("unix:PATH") or a loopback address: ERR_CONFIG_VALUE otherwise.
 */
enum err core_config_listen(struct buf *out, const struct core_config *c,
			    struct err_note *note) MUST_USE;

static inline struct vault core_config_vault(const struct vault_config *c, bool private)
{
	return (struct vault){.path = c->path, .prefix = c->prefix, .private = private};
}

#endif
