/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside connector/config*.c only: the part of the configuration that is about chains. */
#ifndef CONNECTOR_CONFIG_CHAINS_H
#define CONNECTOR_CONFIG_CHAINS_H

#include "connector/config.h"

/* http, https, ws or wss, a host, and nothing that is not printable ASCII. */
bool config_is_rpc_url(const char *s);

/* host_chains_json -> host_chains, in the arena. ERR_CONFIG_VALUE with a note. */
enum err config_host_chains_read(struct connector_config *c, const struct config_source *src,
				 struct arena *arena, struct err_note *note) MUST_USE;

/* Keys that are set and, as the others are, without effect. */
void config_chains_remarks(const struct connector_config *c, unsigned services,
			   connector_config_fn *fn, void *ctx);

/* URLs, quorums and finality of the other chains. */
enum err config_chains_check(struct connector_config *c, unsigned services,
			     const struct config_source *src, struct err_note *note) MUST_USE;

#endif
