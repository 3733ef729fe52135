/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#ifndef FHE_SERVER_SERVER_KEY_INTERNAL_H
#define FHE_SERVER_SERVER_KEY_INTERNAL_H

#include "fhe/server/bootstrap.h"
#include "fhe/server/keyswitch.h"
#include "fhe/server/server_key.h"

struct fhe_server_key {
	struct fhe_params params;
	struct fhe_parts parts;
	struct fhe_key_set set; /* views into the caller's bytes */
	unsigned uses;
	/* Squashing. */
	struct fhe_key_switch key_switch;
	struct fhe_rounding squash_rounding;
	struct fhe_bootstrap *squash;
	/* Expansion. */
	struct fhe_key_switch pke_key_switch;
	struct fhe_rounding rounding;
	struct fhe_bootstrap *bootstrap;
};

#endif
