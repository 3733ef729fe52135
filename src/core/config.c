/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/limits.h"

enum {
	PREFIX_MAX = 64,
	PATH_TEXT_MAX = 1024,
};

#define FIELD(type_, member)                                                                       \
	.offset = offsetof(struct type_, member), .present_offset = SIZE_MAX, .services = 1

#define VAULT(type_, name_, prefix_, what_)                                                        \
	{.path = #name_ ".storage.file.path",                                                      \
	 .type = CONFIG_STRING,                                                                    \
	 FIELD(type_, name_.path),                                                                 \
	 .def = "./keys",                                                                          \
	 .min = 1,                                                                                 \
	 .max = PATH_TEXT_MAX,                                                                     \
	 .doc = "Folder of the vault with " what_ "."},                                            \
	{                                                                                          \
		.path = #name_ ".storage.file.prefix", .type = CONFIG_STRING,                      \
		FIELD(type_, name_.prefix), .def = prefix_, .min = 1, .max = PREFIX_MAX,           \
		.doc = "Folder below it."                                                          \
	}

static const struct config_row core_rows[] = {
	{.path = "service.listen_address",
	 .type = CONFIG_STRING,
	 FIELD(core_config, listen_address),
	 .def = "127.0.0.1",
	 .min = 1,
	 .max = PATH_TEXT_MAX,
	 .doc = "Where clients connect: a loopback address, or unix:PATH."},
	{.path = "service.listen_port",
	 .type = CONFIG_U64,
	 FIELD(core_config, listen_port),
	 .def = "50051",
	 .max = 65535,
	 .doc = "Port of the client service; 0 takes any free one."},
	{.path = "service.timeout_secs",
	 .type = CONFIG_U64,
	 FIELD(core_config, timeout_secs),
	 .def = "360",
	 .min = 1,
	 .max = 86400,
	 .doc = "Upper limit of one call; calls for results wait 60 seconds at most in any case."},
	{.path = "service.grpc_max_message_size",
	 .type = CONFIG_U64,
	 FIELD(core_config, message_size_max),
	 .def = "104857600",
	 .min = 1 << 16,
	 .max = GRPC_MESSAGE_MAX,
	 .doc = "Largest request in bytes."},
	{.path = "telemetry.metrics_bind_address",
	 .type = CONFIG_ENDPOINT,
	 FIELD(core_config, metrics_bind_address),
	 .def = "127.0.0.1:9646",
	 .doc = "Where /metrics, /healthz, /liveness and /version are served."},
	{.path = "telemetry.log_level",
	 .type = CONFIG_STRING,
	 FIELD(core_config, log_level),
	 .def = "info",
	 .doc = "error, warn, info or debug."},
	VAULT(core_config, public_vault, "PUB", "public objects"),
	VAULT(core_config, private_vault, "PRIV", "private keys"),
	{.path = "request_store.path",
	 .type = CONFIG_STRING,
	 FIELD(core_config, request_store_path),
	 .def = "./kms-server.db",
	 .min = 1,
	 .max = PATH_TEXT_MAX,
	 .doc = "SQLite file with accepted requests and their results."},
	{.path = "request_store.dec_capacity",
	 .type = CONFIG_U64,
	 FIELD(core_config, dec_capacity),
	 .def = "10000",
	 .min = 1,
	 .max = 10000000,
	 .doc = "Decryption requests kept with their results."},
	{.path = "request_store.min_dec_cache",
	 .type = CONFIG_U64,
	 FIELD(core_config, min_dec_cache),
	 .def = "6000",
	 .max = 10000000,
	 .doc = "Ended requests that are never dropped for new ones."},
	{.path = "internal_config.num_rayon_threads",
	 .type = CONFIG_U64,
	 FIELD(core_config, compute_threads),
	 .def = "0",
	 .max = 1024,
	 .doc = "Threads that compute; 0 is one per CPU."},
};

const struct config_table core_config_table = {
	.env_prefix = "KMS_CORE__",
	.rows = core_rows,
	.rows_n = ARRAY_LEN(core_rows),
};

static const struct config_row keygen_rows[] = {
	{.path = "keygen.show_existing",
	 .type = CONFIG_BOOL,
	 FIELD(keygen_config, show_existing),
	 .def = "false",
	 .doc = "Only list the objects that are there."},
	{.path = "keygen.repopulate",
	 .type = CONFIG_BOOL,
	 FIELD(keygen_config, repopulate),
	 .def = "false",
	 .doc = "Only write the public objects of the signing key that is there; make no key."},
	{.path = "keygen.overwrite",
	 .type = CONFIG_BOOL,
	 FIELD(keygen_config, overwrite),
	 .def = "false",
	 .doc = "Known for the sake of old files; true is refused: objects are never overwritten."},
	VAULT(keygen_config, public_vault, "PUB", "public objects"),
	VAULT(keygen_config, private_vault, "PRIV", "private keys"),
};

const struct config_table keygen_config_table = {
	.env_prefix = "KMS_GEN_KEYS__",
	.rows = keygen_rows,
	.rows_n = ARRAY_LEN(keygen_rows),
};

struct unknown {
	struct err_note *note;
	bool found;
};

static void unknown_seen(void *ctx, const char *where, const char *key)
{
	struct unknown *u = ctx;

	if (!u->found)
		(void)err_say(u->note, ERR_CONFIG_VALUE, "%s: unknown key %s", where, key);
	u->found = true;
}

enum err core_config_read(const struct config_table *table, const char *path,
			  const char *const *env, void *target, struct arena *arena,
			  struct err_note *note)
{
	CLEANUP(buf_free) struct buf text = buf_make(CONFIG_FILE_SIZE_MAX);
	struct unknown unknown = {.note = note};

	if (path)
		TRY(config_read_file(&text, path, note));

	const struct config_source source = {.file = path, .text = buf_view(&text), .env = env};

	TRY(config_load(table, 1, &source, target, arena, note));
	TRY(config_unknown(table, &source, unknown_seen, &unknown));
	return unknown.found ? ERR_CONFIG_VALUE : ERR_OK;
}

static enum err vaults_check(const struct vault_config *public_vault,
			     const struct vault_config *private_vault, struct err_note *note)
{
	if (strcmp(public_vault->path, private_vault->path) == 0 &&
	    strcmp(public_vault->prefix, private_vault->prefix) == 0)
		return err_say(note, ERR_CONFIG_VALUE,
			       "public_vault and private_vault are the same folder");
	if (strchr(public_vault->prefix, '/') || strchr(private_vault->prefix, '/'))
		return err_say(note, ERR_CONFIG_VALUE,
			       "a vault's prefix is one folder name, without '/'");
	return ERR_OK;
}

enum err core_config_check(const struct core_config *c, struct err_note *note)
{
	enum log_level level;

	TRY(vaults_check(&c->public_vault, &c->private_vault, note));
	if (c->min_dec_cache > c->dec_capacity)
		return err_say(note, ERR_CONFIG_VALUE,
			       "request_store.min_dec_cache (%llu) is more than "
			       "request_store.dec_capacity (%llu)",
			       (unsigned long long)c->min_dec_cache,
			       (unsigned long long)c->dec_capacity);
	if (log_level_parse(&level, c->log_level) != ERR_OK)
		return err_say(note, ERR_CONFIG_VALUE,
			       "telemetry.log_level: \"%s\" is not error, warn, info or debug",
			       c->log_level);
	return ERR_OK;
}

enum err keygen_config_check(const struct keygen_config *c, struct err_note *note)
{
	if (c->overwrite)
		return err_say(note, ERR_CONFIG_VALUE,
			       "keygen.overwrite: objects are never overwritten");
	if (c->show_existing && c->repopulate)
		return err_say(note, ERR_CONFIG_VALUE,
			       "keygen.show_existing and keygen.repopulate exclude each other");
	return vaults_check(&c->public_vault, &c->private_vault, note);
}

enum err core_config_listen(struct buf *out, const struct core_config *c, struct err_note *note)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (strncmp(c->listen_address, "unix:", 5) == 0)
		return buf_add_str(out, c->listen_address);
	if (inet_pton(AF_INET, c->listen_address, &v4) == 1 &&
	    ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET)
		return buf_addf(out, "%s:%llu", c->listen_address,
				(unsigned long long)c->listen_port);
	if (inet_pton(AF_INET6, c->listen_address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6))
		return buf_addf(out, "[%s]:%llu", c->listen_address,
				(unsigned long long)c->listen_port);
	return err_say(note, ERR_CONFIG_VALUE,
		       "service.listen_address: %s is not a loopback address or unix:PATH, and "
		       "this port has no "
		       "authentication; connect from elsewhere through a tunnel",
		       c->listen_address);
}
