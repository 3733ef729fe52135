/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* kms-connector replay: blocks read once more. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/kms_connector.h"
#include "connector/config_file.h"
#include "connector/replay.h"

struct arguments {
	const char *config_file;
	bool from_given, to_given;
	struct replay_options o;
};

static bool parse_block(struct block_number *ret_block, const char *text)
{
	char *end;

	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno != 0 || v > INT64_MAX)
		return false;
	ret_block->v = v;
	return true;
}

static bool parse_chain(bool *ret_ethereum, const char *text)
{
	*ret_ethereum = strcmp(text, "ethereum") == 0;
	return *ret_ethereum || strcmp(text, "gateway") == 0;
}

static void print_line(void *ctx, const char *text)
{
	(void)ctx;
	(void)puts(text);
}

static int replay(const struct personality *who, struct arguments *a)
{
	CLEANUP(arena_free) struct arena arena = arena_make(4 << 20);
	CLEANUP(buf_free) struct buf path = buf_make(PATH_TEXT_MAX);
	CLEANUP(secret_free) struct secret url = {0};
	struct connector_config_source source = {.env = command_environment()};
	struct connector_config config = {0};
	struct replay_result result;
	struct err_note note = {0};
	enum err e = ERR_OK;

	if (a->config_file) {
		e = connector_config_path(&path, a->config_file, command_environment(), &note);
		if (e == ERR_OK)
			e = buf_cstr(&path, &source.file);
	}
	if (e == ERR_OK)
		e = connector_config_read(&config, SERVICE_LISTENER, &source, &arena, &note);
	if (e == ERR_OK)
		e = connector_database_url(&url, &config.database_url, command_environment(),
					   &note);
	if (e == ERR_OK) {
		a->o.config = &config;
		a->o.database = (const char *)url.p;
		e = replay_run(&a->o, &result, &note);
	}
	connector_config_free(&config);
	if (e != ERR_OK)
		return command_failed(who, &note, e);
	(void)printf("%zu events, %zu of them %s, %zu logs that cannot be decoded\n", result.events,
		     result.missing, a->o.apply ? "new and now stored" : "new", result.undecodable);
	return fflush(stdout) == 0 ? OK : FAILED;
}

int command_replay(const struct personality *who, const struct command *self, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"from", required_argument, NULL, 'f'},   {"to", required_argument, NULL, 't'},
		{"chain", required_argument, NULL, 'n'},  {"apply", no_argument, NULL, 'a'},
		{"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},      {0},
	};
	struct arguments a = {.o = {.line = print_line}};
	bool good = true;

	for (int c; (c = getopt_long(argc, argv, "c:hV", long_options, NULL)) != -1;) {
		if (c == 'f')
			good = good && (a.from_given = parse_block(&a.o.from, optarg));
		else if (c == 't')
			good = good && (a.to_given = parse_block(&a.o.to, optarg));
		else if (c == 'n')
			good = good && parse_chain(&a.o.ethereum, optarg);
		else if (c == 'a')
			a.o.apply = true;
		else if (c == 'c')
			a.config_file = optarg;
		else if (c == 'V')
			return command_version(who);
		else
			return c == 'h' ? command_help(who, self) : command_misused(who, self);
	}
	if (good && a.from_given && a.to_given && a.o.from.v > a.o.to.v)
		(void)fprintf(stderr, "%s: --from is behind --to\n", who->program);
	if (!good || !a.from_given || !a.to_given || optind != argc || a.o.from.v > a.o.to.v)
		return command_misused(who, self);
	return replay(who, &a);
}
