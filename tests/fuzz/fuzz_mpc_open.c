/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A peer's shares in an opening: honest parties have the secrets all the same.
 *
 * Input: u8, odd: synchronous || the messages (support_mpc.h).
 */
#include "support_mpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > 0 && n <= 4096)
		fuzz_mpc(bytes_from(&p[1], n - 1), p[0] % 2 ? run_open_timed : run_open_waiting);
	return 0;
}
