/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/pg_lib.h"

#include <dlfcn.h>
#include <string.h>

static const char file_name[] = "libpq.so.5";

struct symbol {
	const char *name;
	size_t at; /* in struct pg_lib */
};

static const struct symbol symbols[] = {
#define PG_SYMBOL(name) {"PQ" #name, offsetof(struct pg_lib, name)},
	PG_FUNCTIONS(PG_SYMBOL)
#undef PG_SYMBOL
};

/* No dlclose anywhere: OpenSSL, which comes with it, registers functions for the process's end. */
enum err pg_lib_load(struct pg_lib *ret_lib, struct err_note *note)
{
	struct pg_lib lib = {0};
	void *handle = dlopen(file_name, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return err_say(note, ERR_CONFIG_VALUE,
			       "a PostgreSQL database needs the library %s, which cannot be loaded "
			       "(Debian: package libpq5)",
			       file_name);
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		void *p = dlsym(handle, symbols[i].name);

		if (!p)
			return err_say(note, ERR_CONFIG_VALUE,
				       "%s has no %s: version 14 or later is needed", file_name,
				       symbols[i].name);
		memcpy((char *)&lib + symbols[i].at, &p, sizeof(p));
	}
	*ret_lib = lib;
	return ERR_OK;
}
