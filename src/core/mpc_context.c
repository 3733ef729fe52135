/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/mpc_context.h"

enum err mpc_context_copy(struct mpc_context *ret, const struct mpc_context *from)
{
	struct mpc_context c = *from;
	enum err e = ERR_OK;

	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++)
		c.party[i].ca_pem = buf_make(from->party[i].ca_pem.n);
	for (unsigned i = 0; i < MPC_PARTIES_MAX && e == ERR_OK; i++)
		e = buf_add(&c.party[i].ca_pem, buf_view(&from->party[i].ca_pem));
	if (e != ERR_OK)
		mpc_context_clear(&c);
	else
		*ret = c;
	return e;
}

void mpc_context_clear(struct mpc_context *c)
{
	for (unsigned i = 0; i < MPC_PARTIES_MAX; i++)
		buf_free(&c->party[i].ca_pem);
	*c = (struct mpc_context){0};
}

unsigned mpc_context_find(const struct mpc_context *c, const char *identity)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->party[i].identity, identity) == 0)
			return i + 1;
	return 0;
}
