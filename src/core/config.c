/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/config.h"

#include "base/limits.h"
#include "net/tls.h"

enum {
	PREFIX_MAX = 64,
	PATH_TEXT_MAX = 1024,
};

#define FIELD(type_, member)                                                                       \
	.offset = offsetof(struct type_, member), .present_offset = SIZE_MAX, .services = 1

/* `default_` NULL: required. */
#define VAULT(type_, name_, default_, prefix_, what_)                                              \
	{.path = #name_ ".storage.file.path",                                                      \
	 .type = CONFIG_STRING,                                                                    \
	 FIELD(type_, name_.path),                                                                 \
	 .def = default_,                                                                          \
	 .required = (default_) == NULL,                                                           \
	 .min = 1,                                                                                 \
	 .max = PATH_TEXT_MAX,                                                                     \
	 .doc = "Folder of the vault with " what_ "."},                                            \
	{                                                                                          \
		.path = #name_ ".storage.file.prefix", .type = CONFIG_STRING,                      \
		FIELD(type_, name_.prefix), .def = prefix_, .min = 1, .max = PREFIX_MAX,           \
		.doc = "Folder below it."                                                          \
	}

#define TLS_FILE(name_, member_, what_)                                                            \
	{                                                                                          \
		.path = "service.tls." name_, .type = CONFIG_STRING, FIELD(core_config, member_),  \
		.min = 1, .max = PATH_TEXT_MAX, .doc = "PEM file: " what_ "."                      \
	}

#define NUMBER(path_, member_, default_, max_, doc_)                                               \
	{                                                                                          \
		.path = path_, .type = CONFIG_U64, FIELD(core_config, member_), .def = default_,   \
		.min = 1, .max = max_, .doc = doc_                                                 \
	}
#define TOKENS(name_, default_, what_)                                                             \
	NUMBER("rate_limiter_conf." #name_, rate.name_, default_, UINT32_MAX,                      \
	       "Tokens that " what_ " holds from its start to its end.")

static const char *const threshold_peer_members[] = {
	"party_id", "address", "port", "mpc_identity",
	"tls_cert", "path",    "pem",  "verification_address",
	NULL,
};

static const struct config_row core_rows[] = {
	{.path = "service.listen_address",
	 .type = CONFIG_STRING,
	 FIELD(core_config, listen_address),
	 .def = "127.0.0.1",
	 .min = 1,
	 .max = PATH_TEXT_MAX,
	 .doc = "Where clients connect: unix:PATH, or an address that [service.tls] protects. The "
		"default needs that, or plaintext_loopback."},
	{.path = "service.listen_port",
	 .type = CONFIG_U64,
	 FIELD(core_config, listen_port),
	 .def = "50051",
	 .max = 65535,
	 .doc = "Port of the client service; 0 takes any free one."},
	TLS_FILE("cert", tls.cert, "this node's certificate, followed by its intermediates"),
	TLS_FILE("key", tls.key, "its private key, not encrypted and closed to other users"),
	TLS_FILE("ca", tls.ca, "the authorities that issue the clients' certificates"),
	{.path = "service.tls.allowed_peers",
	 .type = CONFIG_STRINGS,
	 FIELD(core_config, tls.allowed_peers),
	 .min = 1,
	 .max = TLS_IDENTITIES_MAX,
	 .doc = "Who may connect: a client's certificate must name one of these (a host name, an "
		"address, an URI) as its subjectAltName."},
	{.path = "service.plaintext_loopback",
	 .type = CONFIG_BOOL,
	 FIELD(core_config, plaintext_loopback),
	 .def = "false",
	 .doc = "Serve a loopback address in plain text to every user of this machine."},
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
	 .doc = "Where /metrics, /healthz, /liveness, /status and /version are served."},
	{.path = "telemetry.log_level",
	 .type = CONFIG_STRING,
	 FIELD(core_config, log_level),
	 .def = "info",
	 .doc = "error, warn, info or debug."},
	VAULT(core_config, public_vault, "./keys", "PUB", "public objects"),
	VAULT(core_config, private_vault, "./keys", "PRIV", "private keys"),
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
	NUMBER("rate_limiter_conf.bucket_size", rate.bucket_size, "50000", UINT32_MAX,
	       "Tokens that all operations share; what finds too few of them is "
	       "RESOURCE_EXHAUSTED."),
	TOKENS(pub_decrypt, "1", "a public decryption"),
	TOKENS(user_decrypt, "1", "a user decryption"),
	TOKENS(crsgen, "100", "a CRS generation"),
	TOKENS(preproc, "25000", "a preprocessing"),
	TOKENS(keygen, "1000", "a key generation"),
	TOKENS(new_epoch, "1", "a new epoch"),
	NUMBER("bandwidth_benchmark.max_payload_bytes", bandwidth.max_payload_bytes, "268435456",
	       UINT32_MAX, "Largest payload of one session of a bandwidth benchmark."),
	NUMBER("bandwidth_benchmark.max_sessions", bandwidth.max_sessions, "256", 1 << 16,
	       "Most sessions of one benchmark."),
	NUMBER("bandwidth_benchmark.max_total_bytes", bandwidth.max_total_bytes, "1073741824",
	       INT64_MAX, "Most bytes of one benchmark: payload times sessions."),
	NUMBER("bandwidth_benchmark.max_duration_secs", bandwidth.max_duration_secs, "60", 3600,
	       "Longest benchmark of the kind Duration."),
	NUMBER("bandwidth_benchmark.max_concurrent_runs", bandwidth.max_concurrent_runs, "1", 64,
	       "Benchmarks at one time; more are RESOURCE_EXHAUSTED."),
	{.path = "internal_config.num_rayon_threads",
	 .type = CONFIG_U64,
	 FIELD(core_config, compute_threads),
	 .def = "0",
	 .max = 1024,
	 .doc = "Threads that compute; 0 is one per CPU."},
#include "core/config_threshold_rows.h"
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
	VAULT(keygen_config, public_vault, NULL, "PUB", "public objects"),
	VAULT(keygen_config, private_vault, NULL, "PRIV", "private keys"),
};

const struct config_table keygen_config_table = {
	.env_prefix = "KMS_GEN_KEYS__",
	.rows = keygen_rows,
	.rows_n = ARRAY_LEN(keygen_rows),
};

/* ---- checks ---- */

/* A configuration and where it comes from; `source` NULL: from nowhere. */
struct checked {
	const struct config_table *table;
	const struct config_source *source;
	struct err_note *note;
};

/* After err_say: the place of the value that does not fit. */
static enum err at(const struct checked *k, const char *path, enum err e)
{
	return k->source ? config_prefix(k->note, e, k->table, k->source, path)
			 : err_prefix(k->note, e, "%s", path);
}

static enum err vaults_check(const struct checked *k, const struct vault_config *public_vault,
			     const struct vault_config *private_vault)
{
	const struct {
		const char *path, *prefix;
	} prefixes[] = {
		{"public_vault.storage.file.prefix", public_vault->prefix},
		{"private_vault.storage.file.prefix", private_vault->prefix},
	};

	if (strcmp(public_vault->path, private_vault->path) == 0 &&
	    strcmp(public_vault->prefix, private_vault->prefix) == 0)
		return at(k, "private_vault.storage.file.prefix",
			  err_say(k->note, ERR_CONFIG_VALUE,
				  "public_vault and private_vault are the same folder"));
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (strchr(prefixes[i].prefix, '/'))
			return at(k, prefixes[i].path,
				  err_say(k->note, ERR_CONFIG_VALUE,
					  "a vault's prefix is one folder name, without '/'"));
	return ERR_OK;
}

/* All of [service.tls] or nothing. */
static enum err tls_check(const struct checked *k, const struct core_tls_config *tls)
{
	const struct {
		const char *path;
		bool given;
	} rows[] = {
		{"service.tls.cert", tls->cert != NULL},
		{"service.tls.key", tls->key != NULL},
		{"service.tls.ca", tls->ca != NULL},
		{"service.tls.allowed_peers", tls->allowed_peers.n > 0},
	};
	const char *given = NULL, *missing = NULL;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].given && !given)
			given = rows[i].path;
		if (!rows[i].given && !missing)
			missing = rows[i].path;
	}
	if (given && missing)
		return at(k, given,
			  err_say(k->note, ERR_CONFIG_VALUE,
				  "found no %s beside it, expected cert, key, ca and "
				  "allowed_peers together",
				  missing));
	for (size_t i = 0; i < tls->allowed_peers.n; i++)
		if (!tls_identity_is_sound(tls->allowed_peers.v[i]))
			return at(
				k, "service.tls.allowed_peers",
				err_say(k->note, ERR_CONFIG_VALUE,
					"[%zu]: found \"%.80s\", expected one name of a "
					"certificate's subjectAltName: a host, an address or a URI",
					i, tls->allowed_peers.v[i]));
	return ERR_OK;
}

static bool is_unix(const char *address)
{
	return strncmp(address, "unix:", 5) == 0;
}

/* Who is to be asked for a decryption must know who asks. */
static enum err transport_check(const struct checked *k, const struct core_config *c)
{
	static const char address[] = "service.listen_address";
	bool v6, loopback = false, tls = c->tls.cert != NULL;

	TRY(tls_check(k, &c->tls));
	if (c->plaintext_loopback && (tls || is_unix(c->listen_address)))
		return at(k, "service.plaintext_loopback",
			  err_say(k->note, ERR_CONFIG_VALUE,
				  "found true beside %s, expected it only for a loopback "
				  "address without",
				  tls ? "[service.tls]" : "a Unix socket"));
	if (tls && is_unix(c->listen_address))
		return at(k, "service.tls.cert",
			  err_say(k->note, ERR_CONFIG_VALUE,
				  "found beside listen_address = \"%.60s\", expected none: the "
				  "mode of a Unix socket keeps others out",
				  c->listen_address));
	if (is_unix(c->listen_address))
		return ERR_OK;
	if (!config_is_address(c->listen_address, &v6, &loopback))
		return at(k, address,
			  err_say(k->note, ERR_CONFIG_VALUE,
				  "found \"%.60s\", expected unix:PATH or an IP address",
				  c->listen_address));
	if (tls || (loopback && c->plaintext_loopback))
		return ERR_OK;
	return at(k, address,
		  err_say(k->note, ERR_CONFIG_VALUE,
			  "found \"%.60s\" without [service.tls], expected that, or unix:PATH%s",
			  c->listen_address,
			  loopback ? ", or plaintext_loopback = true (every local user can then "
				     "ask this core)"
				   : ": this port would have no authentication"));
}

static enum err committee_check(const struct checked *k, const struct core_config *c)
{
	const char *path = "threshold.threshold";
	enum err e = threshold_config_check(&c->threshold, &path, k->note);

	return e == ERR_OK ? e : at(k, path, e);
}

static enum err core_check(const struct checked *k, const struct core_config *c)
{
	enum log_level level;

	TRY(vaults_check(k, &c->public_vault, &c->private_vault));
	TRY(transport_check(k, c));
	TRY(committee_check(k, c));
	if (c->min_dec_cache > c->dec_capacity)
		return at(k, "request_store.min_dec_cache",
			  err_say(k->note, ERR_CONFIG_VALUE,
				  "found %llu, expected at most request_store.dec_capacity (%llu)",
				  (unsigned long long)c->min_dec_cache,
				  (unsigned long long)c->dec_capacity));
	if (log_level_parse(&level, c->log_level) != ERR_OK)
		return at(k, "telemetry.log_level",
			  err_say(k->note, ERR_CONFIG_VALUE,
				  "found \"%.40s\", expected error, warn, info or debug",
				  c->log_level));
	return ERR_OK;
}

static enum err keygen_check(const struct checked *k, const struct keygen_config *c)
{
	if (c->overwrite)
		return at(k, "keygen.overwrite",
			  err_say(k->note, ERR_CONFIG_VALUE,
				  "found true, expected false: objects are never overwritten"));
	if (c->show_existing && c->repopulate)
		return at(k, "keygen.repopulate",
			  err_say(k->note, ERR_CONFIG_VALUE,
				  "found true beside keygen.show_existing, expected one of them"));
	return vaults_check(k, &c->public_vault, &c->private_vault);
}

enum err core_config_check(const struct core_config *c, struct err_note *note)
{
	return core_check(&(struct checked){.table = &core_config_table, .note = note}, c);
}

enum err keygen_config_check(const struct keygen_config *c, struct err_note *note)
{
	return keygen_check(&(struct checked){.table = &keygen_config_table, .note = note}, c);
}

/* ---- reading ---- */

struct unknown {
	struct err_note note;
	bool found;
};

static void on_oddity(void *ctx, const struct config_oddity *o)
{
	struct unknown *u = ctx;

	if (u->found)
		return;
	u->found = true;
	if (o->kind == CONFIG_SLIPPED_KEY)
		(void)err_say(&u->note, ERR_CONFIG_VALUE,
			      "%s: found %s, expected %s above the first table", o->where, o->key,
			      o->meant);
	else
		(void)err_say(&u->note, ERR_CONFIG_VALUE, "%s: unknown key %s%s%s%s", o->where,
			      o->key, o->meant ? ", did you mean " : "", o->meant ? o->meant : "",
			      o->meant ? "?" : "");
}

enum err core_config_read(const struct config_table *table, const char *path,
			  const char *const *env, void *target, struct arena *arena,
			  struct err_note *note)
{
	CLEANUP(buf_free) struct buf text = buf_make(CONFIG_FILE_SIZE_MAX);
	struct unknown unknown = {0};

	if (path)
		TRY(config_read_file(&text, path, note));

	const struct config_source source = {.file = path, .text = buf_view(&text), .env = env};
	const struct checked checked = {.table = table, .source = &source, .note = note};

	enum err e = config_load(table, 1, &source, target, arena, note);

	if (e != ERR_OK && e != ERR_CONFIG_VALUE)
		return e;
	/* An unknown key is told first: it may be the one that is missing. */
	TRY(config_oddities(table, &source, on_oddity, &unknown));
	if (unknown.found)
		return err_say(note, ERR_CONFIG_VALUE, "%s", unknown.note.text);
	TRY(e);
	if (table != &core_config_table)
		return keygen_check(&checked, target);

	struct core_config *c = target;

	e = threshold_peers_read(&c->threshold, arena, note);
	if (e != ERR_OK)
		return e == ERR_CONFIG_VALUE ? at(&checked, "threshold.peers", e) : e;
	return core_check(&checked, c);
}

/* ---- the client port ---- */

enum core_transport core_config_transport(const struct core_config *c)
{
	return is_unix(c->listen_address) ? CORE_TRANSPORT_UNIX
	       : c->tls.cert              ? CORE_TRANSPORT_TLS
					  : CORE_TRANSPORT_LOOPBACK;
}

enum err core_config_listen(struct buf *out, const struct core_config *c)
{
	bool v6, loopback;

	if (is_unix(c->listen_address))
		return buf_add_str(out, c->listen_address);
	if (!config_is_address(c->listen_address, &v6, &loopback))
		return ERR_CONFIG_VALUE;
	return buf_addf(out, v6 ? "[%s]:%llu" : "%s:%llu", c->listen_address,
			(unsigned long long)c->listen_port);
}
