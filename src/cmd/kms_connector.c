/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms-connector: listener, worker and sender of one KMS node; under other names, one of them. Exit
 * code 0 after a clean stop, 1 for what an operator must change or look at, 2 for bad usage.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "connector/audit.h"
#include "connector/config_file.h"
#include "connector/inspect.h"
#include "connector/probe.h"
#include "connector/service_run.h"

extern char **environ;

enum {
	OK = 0,
	FAILED = 1,
	BAD_USAGE = 2
};

enum {
	PATH_TEXT_MAX = 8192,
	HEALTH_TIMEOUT_MS = 10000
};

/* What a program name runs. The name that argv[0] ends with counts; the first row is the default.
 */
struct personality {
	const char *program;
	const char *service; /* default of --name */
	unsigned services;
	const char *what; /* it runs */
};
static const struct personality personalities[] = {
	{"kms-connector", "kms-connector", SERVICE_ALL, "listener, worker and sender"},
	{"gw-listener", "kms-connector-gw-listener", SERVICE_LISTENER, "listener"},
	{"kms-worker", "kms-connector-kms-worker", SERVICE_WORKER, "worker"},
	{"tx-sender", "kms-connector-tx-sender", SERVICE_SENDER, "sender"},
	{"transaction-sender", "kms-connector-tx-sender", SERVICE_SENDER, "sender"},
};

struct command {
	const char *name;
	const char *usage; /* after the program's name */
	const char *help;
	int (*run)(const struct personality *who, const struct command *self, int argc,
		   char **argv);
};

static int usage_error(const struct personality *who, const struct command *c)
{
	(void)fprintf(stderr, "usage: %s %s\nTry %s --help.\n", who->program,
		      c ? c->usage : "COMMAND [OPTIONS]", who->program);
	return BAD_USAGE;
}

static int help(const struct personality *who, const struct command *c)
{
	(void)printf("usage: %s %s\n\n%s", who->program, c->usage, c->help);
	return OK;
}

static int version(const struct personality *who)
{
	(void)printf("%s %s (%s)\n", who->program, CLAVIGER_VERSION, CLAVIGER_BUILD);
	return OK;
}

static int failed(const struct personality *who, const struct err_note *note, enum err e)
{
	(void)fprintf(stderr, "%s: %s\n", who->program, note->text[0] ? note->text : err_name(e));
	return FAILED;
}

static const char *const *environment(void)
{
	return (const char *const *)environ;
}

/* The file that -c names; `path` owns it. */
static int find_config(const struct personality *who, const char **ret_file, struct buf *path,
		       const char *name)
{
	enum err e = connector_config_path(path, name, environment());

	if (e == ERR_OK)
		e = buf_cstr(path, ret_file);
	if (e != ERR_OK)
		(void)fprintf(stderr, "%s: %s: %s\n", who->program, name, err_name(e));
	return e == ERR_OK ? OK : FAILED;
}

static int print(const struct buf *out)
{
	return fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0 ? OK : FAILED;
}

/* ---- start ---- */

static int start_help(const struct personality *who, const struct command *self)
{
	CLEANUP(buf_free) struct buf text = buf_make(1 << 20);

	if (config_reference(&connector_config, &text) != ERR_OK)
		return FAILED;
	(void)help(who, self);
	(void)printf("\nConfiguration keys:\n\n%.*s", (int)text.n, (const char *)text.p);
	return OK;
}

static int start(const struct personality *who, const struct command *self, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"name", required_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	struct service_options o = {
		.services = who->services,
		.name = who->service,
		.version = CLAVIGER_VERSION,
		.build = CLAVIGER_BUILD,
		.env = environ,
	};
	CLEANUP(buf_free) struct buf path = buf_make(PATH_TEXT_MAX);
	struct err_note note = {0};

	for (int c; (c = getopt_long(argc, argv, "c:n:hV", long_options, NULL)) != -1;) {
		if (c == 'c')
			o.config_file = optarg;
		else if (c == 'n')
			o.name = optarg;
		else if (c == 'V')
			return version(who);
		else
			return c == 'h' ? start_help(who, self) : usage_error(who, self);
	}
	if (optind != argc)
		return usage_error(who, self);
	if (o.config_file && find_config(who, &o.config_file, &path, o.config_file) != OK)
		return FAILED;
	enum err e = service_run(&o, &note);

	if (e == ERR_OK)
		return OK;
	return err_class(e) == ERR_CLASS_CONFIG ? failed(who, &note, e) : FAILED;
}

/* ---- validate ---- */

static void warn(void *ctx, const struct config_oddity *o)
{
	const struct personality *who = ctx;

	if (o->kind == CONFIG_SLIPPED_KEY)
		(void)fprintf(stderr,
			      "%s: %s: %s stands under a table; it is taken for %s, which belongs "
			      "above the first table\n",
			      who->program, o->where, o->key, o->meant);
	else
		(void)fprintf(stderr, "%s: %s: %s is not known and has no effect%s%s%s\n",
			      who->program, o->where, o->key, o->meant ? ", did you mean " : "",
			      o->meant ? o->meant : "", o->meant ? "?" : "");
}

static void warn_text(void *ctx, const char *text)
{
	const struct personality *who = ctx;

	(void)fprintf(stderr, "%s: %s\n", who->program, text);
}

static int validate(const struct personality *who, const struct command *self, int argc,
		    char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	CLEANUP(arena_free) struct arena arena = arena_make(4 << 20);
	CLEANUP(buf_free) struct buf path = buf_make(PATH_TEXT_MAX);
	CLEANUP(connector_config_free) struct connector_config config = {0};
	struct connector_config_source source = {.env = environment(),
						 .oddity = warn,
						 .warning = warn_text,
						 .ctx = (void *)(uintptr_t)who};
	struct err_note note = {0};

	for (int c; (c = getopt_long(argc, argv, "c:hV", long_options, NULL)) != -1;) {
		if (c == 'c')
			source.file = optarg;
		else if (c == 'V')
			return version(who);
		else
			return c == 'h' ? help(who, self) : usage_error(who, self);
	}
	if (optind != argc || !source.file)
		return usage_error(who, self);
	if (find_config(who, &source.file, &path, source.file) != OK)
		return FAILED;

	enum err e = connector_config_read(&config, who->services, &source, &arena, &note);

	if (e != ERR_OK)
		return failed(who, &note, e);
	(void)printf("%s: valid for %s\n", source.file, who->what);
	return OK;
}

/* ---- list ---- */

static int list(const struct personality *who, const struct command *self, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"full-path", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	CLEANUP(buf_free) struct buf out = buf_make(32 << 20);
	struct err_note note = {0};
	bool full = false;

	for (int c; (c = getopt_long(argc, argv, "hV", long_options, NULL)) != -1;) {
		if (c == 'f')
			full = true;
		else if (c == 'V')
			return version(who);
		else
			return c == 'h' ? help(who, self) : usage_error(who, self);
	}
	if (optind != argc)
		return usage_error(who, self);

	enum err e = connector_config_list(&out, environment(), full, &note);

	return e == ERR_OK ? print(&out) : failed(who, &note, e);
}

/* ---- health ---- */

static int health(const struct personality *who, const struct command *self, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"endpoint", required_argument, NULL, 'e'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	CLEANUP(buf_free) struct buf url = buf_make(PATH_TEXT_MAX);
	CLEANUP(buf_free) struct buf out = buf_make(1 << 20);
	const char *endpoint =
		connector_env_get(environment(), "KMS_CONNECTOR_MONITORING_ENDPOINT");
	struct err_note note = {0};
	const char *text = NULL;

	for (int c; (c = getopt_long(argc, argv, "e:hV", long_options, NULL)) != -1;) {
		if (c == 'e')
			endpoint = optarg;
		else if (c == 'V')
			return version(who);
		else
			return c == 'h' ? help(who, self) : usage_error(who, self);
	}
	if (optind != argc)
		return usage_error(who, self);

	enum err e = probe_url(&url, endpoint ? endpoint : "127.0.0.1:9100");

	if (e == ERR_OK)
		e = buf_cstr(&url, &text);
	if (e == ERR_OK)
		e = probe_health(&out, text, HEALTH_TIMEOUT_MS, &note);
	if (out.n > 0 && buf_add_u8(&out, '\n') == ERR_OK && print(&out) != OK)
		return FAILED;
	if (e == ERR_OK)
		return OK;
	(void)fprintf(stderr, "%s: %s: %s\n", who->program, text ? text : "",
		      note.text[0] ? note.text : err_name(e));
	return FAILED;
}

/* ---- inspect ---- */

/* The database of the configuration, or in the file that -d names. */
static enum err find_database(struct secret *ret_url, const char *config_file, const char *file,
			      struct err_note *note)
{
	CLEANUP(buf_free) struct buf path = buf_make(PATH_TEXT_MAX);
	const char *found = NULL;

	if (file) {
		TRY(buf_addf(&path, "sqlite:%s", file));
		TRY(buf_add_u8(&path, '\0'));
		return secret_copy(ret_url, buf_view(&path));
	}
	if (config_file) {
		TRY(connector_config_path(&path, config_file, environment()));
		TRY(buf_cstr(&path, &found));
	}
	return connector_database_of(ret_url, found, environment(), note);
}

static int inspect(const struct personality *who, const struct command *self, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"database", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	CLEANUP(buf_free) struct buf out = buf_make(64 << 20);
	CLEANUP(secret_free) struct secret url = {0};
	const char *config_file = NULL, *database = NULL;
	struct err_note note = {0};

	for (int c; (c = getopt_long(argc, argv, "c:d:hV", long_options, NULL)) != -1;) {
		if (c == 'c')
			config_file = optarg;
		else if (c == 'd')
			database = optarg;
		else if (c == 'V')
			return version(who);
		else
			return c == 'h' ? help(who, self) : usage_error(who, self);
	}
	if (optind + 1 != argc || (config_file && database))
		return usage_error(who, self);

	struct bytes what = bytes_str(argv[optind]);
	struct u256 number;

	if (request_id_parse(&number, what) != ERR_OK) {
		(void)fprintf(stderr, "%s: \"%s\" is no request id, handle or transaction hash\n",
			      who->program, argv[optind]);
		return usage_error(who, self);
	}

	enum err e = find_database(&url, config_file, database, &note);

	if (e == ERR_OK)
		e = inspect_operations(&out, (const char *)url.p, what, &note);
	return e == ERR_OK ? print(&out) : failed(who, &note, e);
}

/* ---- audit ---- */

static int audit_print(const struct audit_report *r, bool as_json)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 16);
	CLEANUP(json_free_ptr) json_t *all = NULL;
	char hash[65];
	enum err e;

	hex_encode(hash, BYTES_OF(r->head.hash.b));
	if (as_json) {
		all = json_pack("{s:b, s:I, s:I, s:I, s:{s:I, s:s}}", "ok", true, "records",
				(json_int_t)r->records, "waiting", (json_int_t)r->waiting,
				"given_up", (json_int_t)r->first.seq, "head", "seq",
				(json_int_t)r->head.seq, "hash", hash);
		e = all ? json_print(&out, all) : ERR_NOMEM;
		if (e == ERR_OK)
			e = buf_add_u8(&out, '\n');
	} else {
		e = buf_addf(&out,
			     "as it was written: %lld records, %lld given up for their age, %lld "
			     "not sealed yet\nhead        %lld:0x%s\n",
			     (long long)r->records, (long long)r->first.seq, (long long)r->waiting,
			     (long long)r->head.seq, hash);
	}
	return e == ERR_OK ? print(&out) : FAILED;
}

static int audit_failed(const struct personality *who, const struct err_note *note, enum err e,
			bool as_json)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 16);
	CLEANUP(json_free_ptr) json_t *all = NULL;

	if (!as_json)
		return failed(who, note, e);
	all = json_pack("{s:b, s:s, s:s}", "ok", false, "error", err_name(e), "detail", note->text);
	if (all && json_print(&out, all) == ERR_OK && buf_add_u8(&out, '\n') == ERR_OK)
		(void)print(&out);
	return FAILED;
}

static int audit(const struct personality *who, const struct command *self, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"database", required_argument, NULL, 'd'},
		{"head", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	CLEANUP(secret_free) struct secret url = {0};
	const char *config_file = NULL, *database = NULL;
	struct audit_place seen = {.seq = -1};
	struct audit_report report;
	struct err_note note = {0};
	bool as_json = false;

	for (int c; (c = getopt_long(argc, argv, "c:d:hV", long_options, NULL)) != -1;) {
		if (c == 'c')
			config_file = optarg;
		else if (c == 'd')
			database = optarg;
		else if (c == 'j')
			as_json = true;
		else if (c == 'V')
			return version(who);
		else if (c != 's' || audit_place_parse(&seen, optarg) != ERR_OK)
			return c == 'h' ? help(who, self) : usage_error(who, self);
	}
	if (optind + 1 != argc || strcmp(argv[optind], "verify") != 0 || (config_file && database))
		return usage_error(who, self);

	enum err e = find_database(&url, config_file, database, &note);

	if (e == ERR_OK)
		e = audit_verify(&report, (const char *)url.p, seen.seq >= 0 ? &seen : NULL, &note);
	return e == ERR_OK ? audit_print(&report, as_json) : audit_failed(who, &note, e, as_json);
}

/* ---- all commands ---- */

static const struct command commands[] = {
	{
		.name = "start",
		.usage = "start [-c FILE] [-n NAME]",
		.help = "Runs until SIGTERM or SIGINT: kms-connector the listener, the worker and "
			"the "
			"sender in one\n"
			"process, the others one of them each, on one PostgreSQL database. SIGHUP "
			"reads the\n"
			"certificates of [kms_core_tls] anew.\n"
			"\n"
			"  -c, --config FILE  configuration, TOML; without it the environment "
			"alone.\n"
			"                     A name without / is looked for in "
			"KMS_CONNECTOR_CONFIG_DIR\n"
			"                     (config/environments), then here\n"
			"  -n, --name NAME    name of the service in logs and in /version\n"
			"  -h, --help         this text and all configuration keys\n"
			"\n"
			"Each key can also be given by the environment: KMS_CONNECTOR_ and the key "
			"in\n"
			"capitals, with __ for each dot. The environment wins.\n",
		.run = start,
	},
	{
		.name = "validate",
		.usage = "validate -c FILE",
		.help = "Reads a configuration as start does, and the certificates that it names, "
			"and does\n"
			"nothing else.\n"
			"\n"
			"  -c, --config FILE  as for start\n"
			"  -h, --help         this text\n"
			"\n"
			"Exit code 1: it cannot be used; the first error is said with file, line "
			"and key.\n",
		.run = validate,
	},
	{
		.name = "list",
		.usage = "list [--full-path]",
		.help = "The configuration files in KMS_CONNECTOR_CONFIG_DIR "
			"(config/environments), "
			"each a name for -c.\n"
			"\n"
			"      --full-path    with their paths\n"
			"  -h, --help         this text\n",
		.run = list,
	},
	{
		.name = "health",
		.usage = "health [-e URL]",
		.help = "Asks a running service whether it is well, and prints its answer.\n"
			"\n"
			"  -e, --endpoint URL its /healthz, or an address and port; without it\n"
			"                     KMS_CONNECTOR_MONITORING_ENDPOINT, else "
			"127.0.0.1:9100\n"
			"  -h, --help         this text\n"
			"\n"
			"Exit code 1: it is not, or does not answer.\n",
		.run = health,
	},
	{
		.name = "inspect",
		.usage = "inspect ID|HANDLE|TX [-c FILE | -d DATABASE]",
		.help = "Says what became of a request, also while the connector runs; of all "
			"requests, if several are meant.\n"
			"\n"
			"  ID                 the request's id: hexadecimal with 0x, or all its "
			"64\n"
			"                     digits, or decimal\n"
			"  HANDLE             one that it asks for\n"
			"  TX                 hash of its transaction, or of one that answers it\n"
			"  -c, --config FILE  the configuration that names the database\n"
			"  -d, --database F   the SQLite file itself\n"
			"  -h, --help         this text\n"
			"\n"
			"Exit code 1: no such request, or no database.\n",
		.run = inspect,
	},
	{
		.name = "audit",
		.usage = "audit verify [--head SEQ:HASH] [--json] [-c FILE | -d DATABASE]",
		.help = "Computes the audit log's hashes again, also while the connector runs: "
			"whether a record was\n"
			"changed, added or removed since it was sealed.\n"
			"\n"
			"      --head PLACE   a head that was seen before (in the service's log, "
			"in "
			"status, here):\n"
			"                     without it, a log that was made anew as a whole "
			"passes\n"
			"      --json         for programs\n"
			"  -c, --config FILE  the configuration that names the database\n"
			"  -d, --database F   the SQLite file itself\n"
			"  -h, --help         this text\n"
			"\n"
			"Exit code 1: it is not as it was; the first such record is said.\n",
		.run = audit,
	},
};

static int main_help(const struct personality *who)
{
	(void)printf("usage: %s COMMAND [OPTIONS]\n\nThe connector of a KMS node: %s.\n\n",
		     who->program, who->what);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)printf("  %s\n", commands[i].usage);
	(void)printf("\n  -h, --help     this text; also after a command\n"
		     "  -V, --version  version\n");
	return OK;
}

static const struct personality *personality_of(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const char *name = slash ? slash + 1 : argv0;

	for (size_t i = 0; name && i < ARRAY_LEN(personalities); i++)
		if (strcmp(name, personalities[i].program) == 0)
			return &personalities[i];
	return &personalities[0];
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const struct personality *who = personality_of(argc > 0 ? argv[0] : NULL);

	/* Two threads allocate, and little: one heap, and what is freed goes back. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, 256 << 10);
	(void)umask(077);
	/* "+": what stands after the command is the command's. */
	for (int c; (c = getopt_long(argc, argv, "+hV", long_options, NULL)) != -1;) {
		if (c == 'h')
			return main_help(who);
		return c == 'V' ? version(who) : usage_error(who, NULL);
	}
	for (size_t i = 0; optind < argc && i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[optind], commands[i].name) == 0) {
			argc -= optind;
			argv += optind;
			optind = 0; /* begin anew */
			return commands[i].run(who, &commands[i], argc, argv);
		}
	return usage_error(who, NULL);
}
