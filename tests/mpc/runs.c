/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "runs.h"

/* A sharing or a broadcast of thirteen costs a hundred times what an opening does; the set-up of
 * thirteen would need gigabytes in one process, so its larger committee is seven. */
const struct mpc_run_row mpc_runs[] = {
	{"open", run_open_waiting, ON_ANY | ON_LISTS, 13, 1},
	{"open-timed", run_open_timed, ON_ANY | ON_LISTS, 13, 1},
	{"public", run_public_decryption, ON_ANY | ON_LISTS, 13, 1},
	{"user", run_user_decryption, ON_ANY | ON_LISTS, 13, 1},
	{"broadcast", run_broadcast, ON_ANY | ON_CASTS, 13, 2},
	{"vss", run_vss, ON_ANY | ON_CASTS | ON_DEALS, 13, 20},
	{"coin", run_coin, ON_ANY | ON_CASTS | ON_DEALS | ON_LISTS, 13, 20},
	{"prss-init", run_prss_init, ON_ANY | ON_CASTS | ON_DEALS | ON_LISTS, 7, 20},
	{"prss-abort", run_prss_abort, ON_ANY, 7, 5},
};
const size_t mpc_runs_n = ARRAY_LEN(mpc_runs);
