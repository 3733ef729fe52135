/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* kms-server: one KMS node. Exit code 0 after a clean stop, 1 for anything an operator must change,
 * 2 for bad usage. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "cmd/kms_server.h"
#include "core/node.h"
#include "net/notify.h"

extern char **environ;

static const char usage[] = "usage: kms-server -c FILE\n"
			    "       kms-server gc [--dry-run] -c FILE\n"
			    "\n"
			    "Runs one node of the key management service (centralised mode).\n"
			    "SIGTERM ends it; SIGHUP reads its certificates anew.\n"
			    "gc removes what aborted generations left; `kms-server gc --help`.\n"
			    "\n"
			    "  -c, --config-file FILE  configuration, TOML\n"
			    "  -h, --help              this text and all configuration keys\n"
			    "  -V, --version           version\n"
			    "\n"
			    "Each key can also be given by the environment: KMS_CORE__ and the key "
			    "in capitals, with __ for each dot.\n";

static int help_print(void)
{
	CLEANUP(buf_free) struct buf text = buf_make(1 << 20);

	if (config_reference(&core_config_table, &text) != ERR_OK)
		return 1;
	(void)printf("%s\nConfiguration:\n\n%.*s", usage, (int)text.n, (const char *)text.p);
	return 0;
}

struct server {
	struct loop *loop;
	struct node *node;
	struct notify notify;
	bool broken;
};

static void on_stopped(void *ctx)
{
	struct server *s = ctx;

	loop_stop(s->loop);
}

static void on_signal(void *ctx)
{
	struct server *s = ctx;

	notify_stopping(&s->notify);
	node_stop(s->node, on_stopped, s);
}

static void on_reload(void *ctx)
{
	struct server *s = ctx;

	notify_reloading(&s->notify);
	node_reload(s->node);
	notify_ready(&s->notify, "Read anew");
}

static void on_broken(void *ctx)
{
	struct server *s = ctx;

	s->broken = true;
	loop_stop(s->loop);
}

static enum err serve(const struct core_config *config, const struct log *log,
		      struct err_note *note)
{
	struct server s = {0};

	TRY(loop_new(&s.loop));

	const struct node_options options = {
		.loop = s.loop,
		.config = config,
		.log = log,
		.version = CLAVIGER_VERSION,
		.broken = on_broken,
		.broken_ctx = &s,
	};
	enum err e = node_start(&s.node, &options, note);

	if (e == ERR_OK)
		e = loop_on_stop_signal(s.loop, on_signal, &s);
	if (e == ERR_OK)
		e = loop_on_reload_signal(s.loop, on_reload, &s);
	notify_open(&s.notify, loop_clock(s.loop), (const char *const *)environ);
	if (e == ERR_OK) {
		notify_ready(&s.notify, "kms-server");
		e = loop_run(s.loop);
	}
	notify_close(&s.notify);
	node_free(s.node);
	loop_free(s.loop);
	if (e == ERR_OK && s.broken)
		e = err_say(note, ERR_CORRUPT, "the database could not be read");
	return e;
}

static int run(const char *config_file)
{
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	struct log_state state = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct log log = {.level = LOG_LEVEL_INFO,
			  .fd = STDERR_FILENO,
			  .service = "kms-server",
			  .state = &state};
	struct core_config config = {0};
	struct err_note note = {0};
	enum err e = core_config_read(&core_config_table, config_file, (const char *const *)environ,
				      &config, &arena, &note);

	if (e == ERR_OK)
		e = log_level_parse(&log.level, config.log_level);
	if (e == ERR_OK) {
		LOG_INFO(&log, "Starting", log_s("version", CLAVIGER_VERSION),
			 log_s("config", config_file ? config_file : "environment"));
		for (const struct limit_row *row = limit_rows; row->name; row++)
			LOG_DEBUG(&log, "Limit", log_s("name", row->name),
				  log_i("value", row->value));
		e = serve(&config, &log, &note);
	}
	if (e != ERR_OK)
		LOG_ERROR(&log, "kms-server cannot go on", log_e(e), log_s("detail", note.text));
	else
		LOG_INFO(&log, "Stopped");
	log_flush(&log);
	return e == ERR_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config-file", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char *config_file = NULL;

	(void)umask(077);
	if (argc > 1 && strcmp(argv[1], "gc") == 0)
		return kms_server_gc(argc - 1, argv + 1);
	for (int c; (c = getopt_long(argc, argv, "c:hV", options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			config_file = optarg;
			break;
		case 'h':
			return help_print();
		case 'V':
			(void)puts("kms-server " CLAVIGER_VERSION);
			return 0;
		default:
			(void)fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fputs(usage, stderr);
		return 2;
	}
	return run(config_file);
}
