/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A peer's part of a verifiable sharing, all four rounds of it: shares of one polynomial, and one
 * opinion who is corrupt.
 *
 * Input: u8, odd: a coin is made of it || the messages (support_mpc.h).
 */
#include "support_mpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > 0 && n <= 4096)
		fuzz_mpc(bytes_from(&p[1], n - 1), p[0] % 2 ? run_coin : run_vss);
	return 0;
}
