/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/server/rns_internal.h"

const struct fhe_rns_kernel *fhe_rns_kernel_ifma(void)
{
	return NULL;
}
