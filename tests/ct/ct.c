/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "ct.h"

volatile unsigned ct_sink;

int ct_main(int argc, char **argv, const struct ct_case *cases, size_t cases_n)
{
	for (size_t i = 0; argc == 1 && i < cases_n; i++)
		(void)puts(cases[i].name);
	if (argc == 1)
		return 0;
	if (!RUNNING_ON_VALGRIND) {
		(void)fprintf(stderr, "%s: runs under valgrind only\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < cases_n; i++) {
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	return 2;
}

struct buf ct_vector(const char *name)
{
	struct buf b = buf_make(4 << 20);
	const char *folder = getenv("VECTORS");
	char path[1024];

	CHECK(folder);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	CHECK(config_read_file(&b, path, NULL) == ERR_OK);
	return b;
}
