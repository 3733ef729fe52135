/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A peer's part of the set-up of a PRSS that ends without keys when something is wrong: honest
 * parties never end with different keys.
 *
 * Input: u8 of no meaning || the messages (support_mpc.h).
 */
#include "support_mpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > 0 && n <= 4096)
		fuzz_mpc(bytes_from(&p[1], n - 1), run_prss_abort);
	return 0;
}
