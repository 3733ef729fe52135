/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Values of a given ABI type, made from an input: what a random string hardly ever decodes to. */
#ifndef TESTS_FUZZ_SUPPORT_ABI_H
#define TESTS_FUZZ_SUPPORT_ABI_H

#include "eth/abi.h"
#include "fuzz.h"

/* Any value of the type; arrays have at most 5 elements, or 70 after a length byte of 255. */
void fuzz_abi_value(struct arena *a, struct abi_value *ret_value, const struct abi_type *t,
		    struct bytes *in);

/*
 * Data for a tuple type: u8 0: the rest of the input as it is; otherwise the encoding of values
 * made from the first part, and the rest are edits. As fuzz_copy.
 */
struct bytes fuzz_abi_data_of(const struct abi_type *t, struct bytes in);
struct bytes fuzz_abi_data(const char *text, struct bytes in);

#endif
