/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/protocol.h"

void mpc_outbox_clear(struct mpc_outbox *out)
{
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++)
		buf_wipe(&out->to[i]);
}
