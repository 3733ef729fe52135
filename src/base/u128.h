/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* ISO C has no 128-bit integer; gcc and clang do on every 64-bit target. This is the one place that
 * says so. */
#ifndef BASE_U128_H
#define BASE_U128_H

__extension__ typedef unsigned __int128 u128;

#endif
