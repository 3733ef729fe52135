/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the fuzz targets share. A target is one file, fuzz_<name>.c: it takes its input apart front
 * to back, gives it to a parser, and CHECKs what must hold whenever the parser says yes: that
 * encoding gives the same bytes again, or that a second, simpler reading of the same input agrees.
 *
 * Inputs for objects of many kilobytes are edit scripts for a committed vector (fuzz_patch), so
 * that mutations hit what means something and the corpus stays small.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/bytes.h"
#include "base/err.h"

/* What libFuzzer calls. Zero always: every input may stay in the corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* ---- taking an input apart; what is missing is zero or empty ---- */

uint8_t fuzz_u8(struct bytes *in);
uint32_t fuzz_u32(struct bytes *in);                /* little endian */
struct bytes fuzz_take(struct bytes *in, size_t n); /* at most n */
struct bytes fuzz_line(struct bytes *in);           /* up to a newline, which goes too */
struct bytes fuzz_part(struct bytes *in);           /* u8 length first, 255 means u32 */

/* ---- memory of exactly its size, so that the sanitizer sees a byte too far ---- */

struct bytes fuzz_copy(struct bytes b);
char *fuzz_cstr(struct bytes b); /* with a NUL behind; free() */
void fuzz_free(struct bytes b);

/* ---- vectors ---- */

/* tests/vectors/<name>, read once, kept for ever. */
struct bytes fuzz_vector(const char *name);

/*
 * The vector after the edits of the script, as fuzz_copy. An edit is
 *
 *	u8 what (bit 7: the place counts from the end) || u24 place, little endian || operand
 *
 * where what % 8 is 0: u8 to put there, 1: u32, 2: u64, 3: cut off here, 4: u8 bytes to remove, 5:
 * u8 bytes to insert, 6: u8 to xor, 7: u8 length to repeat.
 */
struct bytes fuzz_patch(struct bytes vector, struct bytes script);

/* ---- words for targets ---- */

#define FUZZ_OK(e) CHECK((e) == ERR_OK)

/* Both fail, or neither. */
#define FUZZ_SAME(a, b) CHECK(((a) == ERR_OK) == ((b) == ERR_OK))

/* Does `inner` stand somewhere in `outer`? */
static inline bool fuzz_holds(struct bytes outer, struct bytes inner)
{
	return inner.n == 0 || (outer.n > 0 && memmem(outer.p, outer.n, inner.p, inner.n));
}

#endif
