/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What parties send each other: `NetworkValue` of the published implementation, in bincode (fixed
 * little-endian integers, u64 lengths, u32 variants). Lengths are known before a message comes, so
 * a reader is told how many elements it may hold, and any other number is not a message.
 */
#ifndef MPC_WIRE_H
#define MPC_WIRE_H

#include "codec/bincode.h"
#include "mpc/gr.h"
#include "mpc/hash.h"

/* The variant of a message. */
enum mpc_value {
	MPC_VALUE_RING = 0,
	MPC_VALUE_RINGS = 1,
	MPC_VALUE_RING_PAIRS = 2,
	MPC_VALUE_SEND = 3,   /* a broadcast's: a value */
	MPC_VALUE_ECHOES = 4, /* role -> value */
	MPC_VALUE_VOTES = 5,  /* role -> hash */
	MPC_VALUE_AGREE = 6,  /* of a random key, with its own variant */
	MPC_VALUE_BOT = 7,
	MPC_VALUE_EMPTY = 8,
	MPC_VALUE_VSS_ROUND_1 = 9
};

/* The variant of what is broadcast. */
enum mpc_cast {
	MPC_CAST_BOT = 0,
	MPC_CAST_RINGS = 1,
	MPC_CAST_RING = 2,
	MPC_CAST_PRSS_VOTES = 3,
	MPC_CAST_VSS_ROUND_2 = 4,
	MPC_CAST_VSS_ROUND_3 = 5,
	MPC_CAST_VSS_ROUND_4 = 6
};

/* u32 variant || u64 n || n elements. The reader: ERR_MALFORMED for another variant, another number
 * than `n`, or more bytes; ret_elements has room for n. */
enum err mpc_wire_put_rings(struct buf *out, const struct gr *elements, size_t n) MUST_USE;
enum err mpc_wire_get_rings(struct gr *ret_elements, size_t n, struct bytes message) MUST_USE;

/* How many bytes such a message has. */
static inline size_t mpc_wire_rings_size(size_t n)
{
	return 4 + 8 + n * GR_SIZE;
}

/* ---- agreement on a random key of each set (prss_abort.h) ---- */

enum mpc_agree {
	MPC_AGREE_COMMITMENTS = 0,
	MPC_AGREE_OPENINGS = 1, /* a part of a key, and what opens its commitment */
	MPC_AGREE_KEYS = 2
};
size_t mpc_wire_agree_item_size(enum mpc_agree what);
size_t mpc_wire_agree_size(enum mpc_agree what, size_t n);

/* u32 variant || u32 what || u64 n || n items, which stand behind each other. The reader:
 * ERR_MALFORMED for another variant, another number than `n`, or more bytes; a view. */
enum err mpc_wire_put_agree(struct buf *out, enum mpc_agree what, struct bytes items) MUST_USE;
enum err mpc_wire_get_agree(struct bytes *ret_items, enum mpc_agree what, size_t n,
			    struct bytes message) MUST_USE;

/*
 * The next value that somebody broadcasts, as its bytes, whatever it says: its form alone is
 * checked. Latches ERR_MALFORMED, ERR_TRUNCATED; ERR_UNSUPPORTED for a variant that our protocols
 * have no use for.
 */
struct bytes mpc_wire_cast(struct reader *r);

/* Past a list of elements; past values or polynomials, with the variant that says which. */
void mpc_wire_skip_rings(struct reader *r);
void mpc_wire_skip_value_or_poly(struct reader *r);

/* Inside other messages. */
void mpc_wire_put_gr(struct bincode_writer *w, const struct gr *a);
struct gr mpc_wire_gr(struct reader *r);
void mpc_wire_put_role(struct bincode_writer *w, unsigned party);
unsigned mpc_wire_role(struct reader *r, unsigned n); /* latches ERR_MALFORMED unless 1 .. n */

#endif
