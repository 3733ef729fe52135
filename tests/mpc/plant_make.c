/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* mpc-plant NAME FROM TO: the file FROM with the plant in it. It fails where the plant's place is
 * not there exactly once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plants.h"

static char text[1 << 20];

static void file_read(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (n == 0 || n == sizeof(text) - 1) {
		(void)fprintf(stderr, "mpc-plant: cannot read %s\n", path);
		exit(1);
	}
	text[n] = 0;
	(void)fclose(f);
}

int main(int argc, char **argv)
{
	const struct mpc_plant *p = argc == 4 ? mpc_plant_find(argv[1]) : NULL;
	const char *at;
	FILE *out;
	int bad;

	if (!p) {
		(void)fprintf(stderr, "usage: mpc-plant NAME FROM TO\n");
		return 2;
	}
	file_read(argv[2]);
	at = strstr(text, p->find);
	if (!at || strstr(&at[1], p->find)) {
		(void)fprintf(stderr, "mpc-plant: the place of %s is not once in %s\n", p->name,
			      argv[2]);
		return 1;
	}
	out = fopen(argv[3], "w");
	if (!out)
		return 1;
	bad = fprintf(out, "%.*s%s%s", (int)(at - text), text, p->replace, &at[strlen(p->find)]) <
	      0;
	bad = fclose(out) != 0 || bad;
	return bad;
}
