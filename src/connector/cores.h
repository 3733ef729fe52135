/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The channels to the KMS cores, and how they are protected: by a Unix socket's mode, by mutual TLS
 * ([kms_core_tls]), or not at all. Cores of the other implementation offer no TLS, so that plain
 * text is not refused anywhere; where it leaves this machine the log warns of it. Loop thread.
 */
#ifndef CONNECTOR_CORES_H
#define CONNECTOR_CORES_H

#include "base/log.h"
#include "connector/config.h"
#include "net/channel.h"

/* What the rows about cores mean together. ERR_CONFIG_VALUE; the note says file and line. */
enum err cores_check_keys(const struct connector_config *c, const struct config_source *src,
			  struct err_note *note) MUST_USE;

/* Told what an operator should know and need not change at once. */
typedef void cores_warning_fn(void *ctx, const char *text);

/* Reads the certificates as cores_open does. Errors of tls_new, prefixed with "kms_core_tls". */
enum err cores_check_files(const struct connector_config *c, int64_t now_s,
			   cores_warning_fn *warning, void *ctx, struct err_note *note) MUST_USE;

/* All-zero is a valid empty one. */
struct cores {
	struct loop *loop;
	const struct connector_config *config;
	const struct log *log;
	struct tls *tls; /* NULL: no core is reached by https */
	struct channel **channels;
	size_t n;
	struct timer expiry_check;
};

/* Connects to nobody yet. `ret` must stay where it is until cores_close; borrows the rest, and
 * takes memory for the list from the arena. */
enum err cores_open(struct cores *ret, struct loop *loop, const struct connector_config *config,
		    const struct log *log, struct arena *arena, struct err_note *note) MUST_USE;

/* Reads the certificates again. A set with a fault changes nothing, and the log says which. With a
 * good one the next call to each core makes a connection of its own. */
void cores_reload(struct cores *c);

void cores_close(struct cores *c);

#endif
