/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms-connector: listener, worker and sender of one KMS node. Exit code 0 after a clean stop, 1 for
 * what an operator must change or look at, 2 for bad usage.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "connector/inspect.h"
#include "connector/service_run.h"

extern char **environ;

enum {
	OK = 0,
	FAILED = 1,
	BAD_USAGE = 2
};

/* What a program name runs. The name that argv[0] ends with counts; the first row is the default.
 */
struct personality {
	const char *program;
	const char *service; /* default of --name */
	unsigned services;
};
static const struct personality personalities[] = {
	{"kms-connector", "kms-connector", SERVICE_ALL},
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
		.env = (const char *const *)environ,
	};
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
	enum err e = service_run(&o, &note);

	if (e == ERR_OK)
		return OK;
	return err_class(e) == ERR_CLASS_CONFIG ? failed(who, &note, e) : FAILED;
}

/* ---- inspect ---- */

/* The database that the configuration names: nothing else of it is looked at. */
static enum err database_of(const char **ret_path, const char *config_file, struct arena *arena,
			    struct err_note *note)
{
	struct settings {
		const char *database_url;
	} settings = {0};
	static const struct config_row row = {
		.path = "database_url",
		.type = CONFIG_STRING,
		.offset = offsetof(struct settings, database_url),
		.present_offset = SIZE_MAX,
		.services = 1,
	};
	const struct config_table table = {
		.env_prefix = connector_config.env_prefix, .rows = &row, .rows_n = 1};
	CLEANUP(buf_wipe) struct buf text = buf_make(CONFIG_FILE_SIZE_MAX);
	struct config_source source = {.file = config_file, .env = (const char *const *)environ};

	if (config_file)
		TRY(config_read_file(&text, config_file, note));
	source.text = buf_view(&text);
	TRY(config_load(&table, 1, &source, &settings, arena, note));
	return connector_database_path(ret_path, settings.database_url, note);
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
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	CLEANUP(buf_free) struct buf out = buf_make(64 << 20);
	const char *config_file = NULL, *database = NULL;
	struct err_note note = {0};
	struct u256 id;
	enum err e = ERR_OK;

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
	if (request_id_parse(&id, bytes_str(argv[optind])) != ERR_OK) {
		(void)fprintf(stderr, "%s: \"%s\" is not a request id\n", who->program,
			      argv[optind]);
		return usage_error(who, self);
	}
	if (!database)
		e = database_of(&database, config_file, &arena, &note);
	if (e == ERR_OK)
		e = inspect_request(&out, database, id, &note);
	if (e != ERR_OK)
		return failed(who, &note, e);
	return fwrite(out.p, 1, out.n, stdout) == out.n ? OK : FAILED;
}

/* ---- all commands ---- */

static const struct command commands[] = {
	{
		.name = "start",
		.usage = "start [-c FILE] [-n NAME]",
		.help = "Runs listener, worker and sender in one process until SIGTERM or SIGINT.\n"
			"\n"
			"  -c, --config FILE  configuration, TOML; without it the environment "
			"alone\n"
			"  -n, --name NAME    name of the service in logs and in /version\n"
			"  -h, --help         this text and all configuration keys\n"
			"\n"
			"Each key can also be given by the environment: KMS_CONNECTOR_ and the key "
			"in\n"
			"capitals, with __ for each dot. The environment wins.\n",
		.run = start,
	},
	{
		.name = "inspect",
		.usage = "inspect ID [-c FILE | -d DATABASE]",
		.help = "Says what became of a request, also while the connector runs.\n"
			"\n"
			"  ID                 the request's id: hexadecimal with 0x, or all its "
			"64\n"
			"                     digits, or decimal\n"
			"  -c, --config FILE  the configuration that names the database\n"
			"  -d, --database F   the database file itself\n"
			"  -h, --help         this text\n"
			"\n"
			"Exit code 1: no such request, or no database.\n",
		.run = inspect,
	},
};

static int main_help(const struct personality *who)
{
	(void)printf("usage: %s COMMAND [OPTIONS]\n\nThe connector of a KMS node.\n\n",
		     who->program);
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
