/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* kms-server gc: what generations that did not end well left in the vaults. */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/kms_server.h"
#include "core/gc.h"

extern char **environ;

static const char usage[] =
	"usage: kms-server gc [--dry-run] -c FILE\n"
	"\n"
	"Removes from the vaults what generations of keys and CRSs left that were aborted, failed\n"
	"or killed: partial objects, and public objects of an id whose generation failed. An id\n"
	"that has a private object is live, and nothing of it is ever removed; nor are objects of\n"
	"the signing key, nor anything that this node did not make: that is only listed.\n"
	"\n"
	"The server must be stopped: as long as one uses the vaults, this refuses.\n"
	"\n"
	"  -n, --dry-run           only list\n"
	"  -c, --config-file FILE  configuration of the server, TOML\n"
	"  -h, --help              this text\n"
	"\n"
	"Exit code 0: done, or there was nothing to do; 1: it could not be done; 2: bad usage.\n";

static void item_print(const struct gc_item *item, const char *verb)
{
	(void)printf("%-12s %s  %llu bytes: %s\n", verb, item->path, (unsigned long long)item->size,
		     gc_reason_text(item->reason));
}

static void total_print(const struct gc *gc, size_t n, uint64_t size, const char *verb)
{
	for (size_t i = 0; i < publish_forms_n; i++)
		(void)printf("live: %zu of kind %s\n", gc->live[i], publish_forms[i]->name);
	(void)printf("%zu %s, %llu bytes\n", n, verb, (unsigned long long)size);
}

static enum err collect(const struct gc *gc, bool dry_run, struct err_note *note)
{
	const char *verb = dry_run ? "would remove" : "removed";
	uint64_t size = 0;
	size_t n = 0;

	for (size_t i = 0; i < gc->items_n; i++) {
		const struct gc_item *item = &gc->items[i];

		if (!gc_removes(item->reason)) {
			item_print(item, "keep");
			continue;
		}
		if (!dry_run)
			TRY(gc_remove(gc, item, note));
		item_print(item, verb);
		n++;
		size += item->size;
	}
	total_print(gc, n, size, dry_run ? "to be removed" : "removed");
	return ERR_OK;
}

static int run(const char *config_file, bool dry_run)
{
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	CLEANUP(gc_free) struct gc gc = {.lock_fd = -1};
	struct core_config config = {0};
	struct err_note note = {0};
	enum err e = core_config_read(&core_config_table, config_file, (const char *const *)environ,
				      &config, &arena, &note);

	if (e == ERR_OK)
		e = gc_scan(&gc, &config, &note);
	if (e == ERR_OK && gc.no_database)
		(void)printf("no database at %s: no request is known\n", config.request_store_path);
	if (e == ERR_OK)
		e = collect(&gc, dry_run, &note);
	if (e == ERR_TRANSIENT)
		(void)fprintf(stderr, "kms-server gc: stop the server first: %s\n", note.text);
	else if (e != ERR_OK)
		(void)fprintf(stderr, "kms-server gc: %s\n",
			      note.text[0] ? note.text : err_name(e));
	return e == ERR_OK ? 0 : 1;
}

int kms_server_gc(int argc, char **argv)
{
	static const struct option options[] = {
		{"dry-run", no_argument, NULL, 'n'},
		{"config-file", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *config_file = NULL;
	bool dry_run = false;

	for (int c; (c = getopt_long(argc, argv, "nc:h", options, NULL)) != -1;) {
		switch (c) {
		case 'n':
			dry_run = true;
			break;
		case 'c':
			config_file = optarg;
			break;
		case 'h':
			(void)fputs(usage, stdout);
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
	return run(config_file, dry_run);
}
