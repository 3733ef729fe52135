/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Blocks read once more, for an operator who doubts: what is there, and is it stored? */
#ifndef CONNECTOR_REPLAY_H
#define CONNECTOR_REPLAY_H

#include "connector/config.h"

struct replay_options {
	const struct connector_config *config; /* read for the listener */
	const char *database;                  /* URL of store_open */
	bool ethereum;                         /* that chain; else the gateway */
	struct block_number from, to;          /* inclusive */
	bool apply; /* store what is not; the cursor does not move. Else nothing is changed. */
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

struct replay_result {
	size_t events, missing, undecodable; /* `missing`: not stored before */
};

/*
 * Reads as the listener does, with its endpoints and their quorum, and gives a line for each event:
 * block, kind, request id, and the state that it is in, "new" or "undecodable". Runs a loop of its
 * own. ERR_NOT_FOUND: the chain does not have block `to`; the provider's and the store's errors.
 */
enum err replay_run(const struct replay_options *options, struct replay_result *ret_result,
		    struct err_note *note) MUST_USE;

#endif
