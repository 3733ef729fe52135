/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Prints a page of docs/operations from the tables that a program reads its configuration by:
 * configuration.md for the connector, configuration-server.md for kms-server and kms-gen-keys.
 * Never installed: `ninja configuration-doc` writes the pages, tests compare them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/kms_dev_reference.h"
#include "connector/config.h"

enum {
	PAGE_SIZE_MAX = 4 << 20,
	ROWS_MAX = 256
};

static const struct {
	unsigned services;
	const char *title;
} groups[] = {
	{SERVICE_ALL, "All services"},
	{SERVICE_LISTENER, "Listener"},
	{SERVICE_WORKER, "Worker"},
	{SERVICE_SENDER, "Sender"},
	{SERVICE_LISTENER | SERVICE_WORKER, "Listener and worker"},
	{SERVICE_LISTENER | SERVICE_SENDER, "Listener and sender"},
	{SERVICE_WORKER | SERVICE_SENDER, "Worker and sender"},
};

static const char head[] =
	"# Configuration of the connector\n"
	"\n"
	"This page is made from the table that the connector reads: `ninja -C BUILD "
	"configuration-doc` writes it. Do not edit it.\n"
	"\n"
	"Each key can be given in a TOML file (`-c FILE`) or in the environment, by the name in "
	"the "
	"second column; the environment\n"
	"wins, and letter case of variables does not matter. A dot in a key is a table in the "
	"file: "
	"`decryption_contract.address`\n"
	"is `address` under `[decryption_contract]`. Durations are texts: `500ms`, `10s`, `1h "
	"30m`; "
	"limits of durations are shown\n"
	"in milliseconds. `kms-connector validate -c FILE` says what is wrong with a file, with "
	"line "
	"and key; a key that nobody\n"
	"knows is said and has no effect.\n";

static enum err add_group(struct buf *out, unsigned services, const char *title)
{
	struct config_row rows[ROWS_MAX];
	struct config_table table = connector_config;
	size_t n = 0;

	for (size_t i = 0; i < connector_config.rows_n; i++)
		if (connector_config.rows[i].services == services) {
			CHECK(n < ROWS_MAX);
			rows[n++] = connector_config.rows[i];
		}
	if (n == 0)
		return ERR_OK;
	table.rows = rows;
	table.rows_n = n;
	TRY(buf_addf(out, "\n## %s\n\n", title));
	return config_reference(&table, out);
}

static enum err add_page(struct buf *out)
{
	TRY(buf_add_str(out, head));
	TRY(buf_add_str(out, "\nEach service reads what it needs from one file "
			     "and tolerates the rest: `gw-listener` the listener's keys,\n"
			     "`kms-worker` the worker's, `tx-sender` the sender's, `kms-connector` "
			     "all. `config/kms-connector.toml` shows them with comments.\n"));
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		TRY(add_group(out, groups[i].services, groups[i].title));
	return ERR_OK;
}

int main(int argc, char **argv)
{
	CLEANUP(buf_free) struct buf out = buf_make(PAGE_SIZE_MAX);
	bool server = argc == 2 && strcmp(argv[1], "server") == 0;

	if (!server && (argc != 2 || strcmp(argv[1], "connector") != 0)) {
		(void)fprintf(stderr, "usage: kms-dev-reference connector|server\n");
		return EXIT_FAILURE;
	}
	if ((server ? reference_add_server(&out) : add_page(&out)) != ERR_OK ||
	    fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout) != 0)
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
