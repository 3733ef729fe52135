/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside connector/config*.c only: older names of keys, and the form of the first generation.
 *
 * A configuration is in that form when it has a name that only the first generation knew, and none
 * of the tables and lists that came after it. Its documented defaults hold there and nowhere else.
 */
#ifndef CONNECTOR_CONFIG_OLD_H
#define CONNECTOR_CONFIG_OLD_H

#include "connector/config.h"

/* The table as it counts for this source: connector_config, or a copy in the arena with the first
 * generation's defaults. */
enum err config_old_table(struct config_table *ret_table, bool *ret_first, unsigned services,
			  const struct config_source *src, struct arena *arena) MUST_USE;

/* A key and its older name that say two things: ERR_CONFIG_VALUE, the note names both. */
enum err config_old_check(unsigned services, const struct config_source *src, struct arena *arena,
			  struct err_note *note) MUST_USE;

#endif
