/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/migrate.h"

enum err store_version_check(size_t *ret_version, int64_t version, const struct store_migrations *m,
			     const char *database, struct err_note *note)
{
	if (version < 0)
		return err_say(note, ERR_CORRUPT, "schema version %lld of %s", (long long)version,
			       m->owner);
	if ((uint64_t)version > m->n)
		return err_say(note, ERR_CONFIG_VALUE,
			       "database %s has version %lld of the %s schema, this program knows "
			       "up to %zu: it was written by a newer one",
			       database, (long long)version, m->owner, m->n);
	*ret_version = (size_t)version;
	return ERR_OK;
}
