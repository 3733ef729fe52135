/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A protocol of four parties, of which one is the fuzzer: it runs the protocol, and its messages go
 * through the input before they leave. What must hold among liars is CHECKed by the simulator's own
 * judge (tests/mpc).
 *
 * Input: u8 seed || u8 strategy that meets what the input does not, 255: none || for each message:
 *
 *	u8 what, % 16
 *	0, 1	nothing
 *	2	it is not sent
 *	3	fuzz_part, instead of it
 *	4	u16 place, u8 to xor
 *	5	u16 place, u64 to put there
 *	6	u16 length, to cut it to
 *	7	fuzz_part, behind it
 *	8	u8 strategy
 *	9	u8 to add to its round
 *	10	it comes late
 *	11	u16 place, fuzz_part to put in there
 *	12	u16 place, u8 bytes to take out
 */
#ifndef TESTS_FUZZ_SUPPORT_MPC_H
#define TESTS_FUZZ_SUPPORT_MPC_H

#include "fuzz.h"
#include "runs.h"

void fuzz_mpc(struct bytes in, const char *(*run)(struct mpc_run *r));

#endif
