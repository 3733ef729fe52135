/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What threshold_key.c and threshold_share.c share. */
#ifndef CORE_THRESHOLD_KEY_INTERNAL_H
#define CORE_THRESHOLD_KEY_INTERNAL_H

#include "core/threshold_key.h"

struct threshold_key {
	struct mpc_group group;
	struct fhe_params params;
	struct fhe_key_metadata metadata;
	struct mpc_key_share *keys[FHE_KEY_COUNT]; /* of noise squashing and its compression */
};

/* For CLEANUP. */
void threshold_key_cleanup(struct threshold_key **k);

#endif
