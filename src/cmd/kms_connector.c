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

#include "base/limits.h"
#include "cmd/kms_connector.h"
#include "connector/config_file.h"
#include "connector/service_run.h"

extern char **environ;

static const struct personality personalities[] = {
	{"kms-connector", "kms-connector", SERVICE_ALL, "listener, worker and sender"},
	{"gw-listener", "kms-connector-gw-listener", SERVICE_LISTENER, "listener"},
	{"kms-worker", "kms-connector-kms-worker", SERVICE_WORKER, "worker"},
	{"tx-sender", "kms-connector-tx-sender", SERVICE_SENDER, "sender"},
	{"transaction-sender", "kms-connector-tx-sender", SERVICE_SENDER, "sender"},
};

int command_misused(const struct personality *who, const struct command *c)
{
	(void)fprintf(stderr, "usage: %s %s\nTry %s --help.\n", who->program,
		      c ? c->usage : "COMMAND [OPTIONS]", who->program);
	return BAD_USAGE;
}

int command_help(const struct personality *who, const struct command *c)
{
	(void)printf("usage: %s %s\n\n%s", who->program, c->usage, c->help);
	return OK;
}

int command_version(const struct personality *who)
{
	(void)printf("%s %s (%s)\n", who->program, CLAVIGER_VERSION, CLAVIGER_BUILD);
	return OK;
}

int command_failed(const struct personality *who, const struct err_note *note, enum err e)
{
	(void)fprintf(stderr, "%s: %s\n", who->program, note->text[0] ? note->text : err_name(e));
	return FAILED;
}

const char *const *command_environment(void)
{
	return (const char *const *)environ;
}

/* The file that -c names; `path` owns it. */
static int find_config(const struct personality *who, const char **ret_file, struct buf *path,
		       const char *name)
{
	struct err_note note = {0};
	enum err e = connector_config_path(path, name, command_environment(), &note);

	if (e == ERR_OK)
		e = buf_cstr(path, ret_file);
	return e == ERR_OK ? OK : command_failed(who, &note, e);
}

int command_print(const struct buf *out)
{
	return fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0 ? OK : FAILED;
}

/* ---- start ---- */

static int start_help(const struct personality *who, const struct command *self)
{
	CLEANUP(buf_free) struct buf text = buf_make(1 << 20);

	if (config_reference(&connector_config, &text) != ERR_OK)
		return FAILED;
	(void)command_help(who, self);
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
			o.named = true, o.name = optarg;
		else if (c == 'V')
			return command_version(who);
		else
			return c == 'h' ? start_help(who, self) : command_misused(who, self);
	}
	if (optind != argc)
		return command_misused(who, self);
	if (o.config_file && find_config(who, &o.config_file, &path, o.config_file) != OK)
		return FAILED;
	enum err e = service_run(&o, &note);

	if (e == ERR_OK)
		return OK;
	return err_class(e) == ERR_CLASS_CONFIG ? command_failed(who, &note, e) : FAILED;
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
	struct connector_config_source source = {.env = command_environment(),
						 .oddity = warn,
						 .remark = warn_text,
						 .warning = warn_text,
						 .ctx = (void *)(uintptr_t)who};
	struct err_note note = {0};

	for (int c; (c = getopt_long(argc, argv, "c:hV", long_options, NULL)) != -1;) {
		if (c == 'c')
			source.file = optarg;
		else if (c == 'V')
			return command_version(who);
		else
			return c == 'h' ? command_help(who, self) : command_misused(who, self);
	}
	if (optind != argc)
		return command_misused(who, self);
	if (source.file && find_config(who, &source.file, &path, source.file) != OK)
		return FAILED;

	enum err e = connector_config_read(&config, who->services, &source, &arena, &note);

	if (e != ERR_OK)
		return command_failed(who, &note, e);
	(void)printf("%s: valid for %s\n", source.file ? source.file : "environment", who->what);
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
			return command_version(who);
		else
			return c == 'h' ? command_help(who, self) : command_misused(who, self);
	}
	if (optind != argc)
		return command_misused(who, self);

	enum err e = connector_config_list(&out, command_environment(), full, &note);

	return e == ERR_OK ? command_print(&out) : command_failed(who, &note, e);
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
		.usage = "validate [-c FILE]",
		.help = "Reads a configuration as start does, and the certificates that it names, "
			"and does\n"
			"nothing else.\n"
			"\n"
			"  -c, --config FILE  as for start; without it the environment alone\n"
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
			"  -e, --endpoint URL http://HOST:PORT, or an address and port; without "
			"it\n"
			"                     KMS_CONNECTOR_MONITORING_ENDPOINT, else "
			"127.0.0.1:9100\n"
			"  -h, --help         this text\n"
			"\n"
			"Exit code 1: it is not, or does not answer.\n",
		.run = command_health,
	},
	{
		.name = "status",
		.usage = "status [-e URL] [--json]",
		.help = "Asks a running service how far everything is: chains and their endpoints, "
			"operations, nonces,\n"
			"the audit log's head.\n"
			"\n"
			"  -e, --endpoint URL http://HOST:PORT, or an address and port; without "
			"it\n"
			"                     KMS_CONNECTOR_MONITORING_ENDPOINT, else "
			"127.0.0.1:9100\n"
			"      --json         for programs\n"
			"  -h, --help         this text\n"
			"\n"
			"Exit code 1: it does not answer.\n",
		.run = command_status,
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
		.run = command_inspect,
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
		.run = command_audit,
	},
	{
		.name = "replay",
		.usage = "replay --from N --to M [--chain gateway|ethereum] [--apply] [-c FILE]",
		.help = "Reads the events of blocks N to M once more and says of each whether it "
			"is stored, and its state.\n"
			"Nothing is changed without --apply.\n"
			"\n"
			"      --from N       first block\n"
			"      --to M         last block; the chain must have it\n"
			"      --chain NAME   gateway (without it) or ethereum\n"
			"      --apply        store those that are new: the worker takes them up. "
			"What is stored\n"
			"                     already stays as it is, and so does the place where "
			"the listener\n"
			"                     reads. On SQLite the connector must not run "
			"meanwhile\n"
			"  -c, --config FILE  as for start\n"
			"  -h, --help         this text\n"
			"\n"
			"Exit code 1: it could not be read or stored to the end.\n",
		.run = command_replay,
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

static int no_command(const struct personality *who, const char *name)
{
	(void)fprintf(stderr, "%s: \"%s\" is no command, expected ", who->program, name);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)fprintf(stderr, "%s%s",
			      i == 0                        ? ""
			      : i + 1 < ARRAY_LEN(commands) ? ", "
							    : " or ",
			      commands[i].name);
	(void)fprintf(stderr, "\n");
	return command_misused(who, NULL);
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
		return c == 'V' ? command_version(who) : command_misused(who, NULL);
	}
	for (size_t i = 0; optind < argc && i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[optind], commands[i].name) == 0) {
			argc -= optind;
			argv += optind;
			optind = 0; /* begin anew */
			return commands[i].run(who, &commands[i], argc, argv);
		}
	return optind < argc ? no_command(who, argv[optind]) : command_misused(who, NULL);
}
