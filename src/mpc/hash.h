/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * SHAKE256 behind an eight-letter name of its use, and what is made with it: 32 bytes of
 * SHAKE256(name || parts). Names and layouts are those of the published implementation.
 */
#ifndef MPC_HASH_H
#define MPC_HASH_H

#include "base/bytes.h"
#include "base/u256.h"

enum {
	MPC_SESSION_ID_SIZE = 16,
	MPC_OPENING_SIZE = 16,
	MPC_KEY_SIZE = 16 /* of a set of parties (prss.h) */
};

/* Little endian, as it is mixed into keys and written to the wire. */
struct mpc_session_id {
	uint8_t le[MPC_SESSION_ID_SIZE];
};

#define MPC_NAME_COMMITMENT   "COMMTMNT"
#define MPC_NAME_BROADCAST    "BRACHABC"
#define MPC_NAME_AGREE_RANDOM "AGREERND"
#define MPC_NAME_CHALLENGES   "LDSHARNG"
#define MPC_NAME_SESSION      "SESSN_ID"
#define MPC_NAME_LIST         "HASH_LST"

/* ERR_NOMEM, ERR_INTERNAL of the library. At most MPC_HASH_PARTS_MAX parts. */
enum {
	MPC_HASH_PARTS_MAX = 15
};
enum err mpc_hash(struct hash32 *ret, const char name[8], const struct bytes *parts,
		  size_t parts_n) MUST_USE;

/*
 * The session of a request: `index` is that of the ciphertext in it, or 0 for the set-up of an
 * epoch, whose id stands for the request's. SHAKE256(list || session || u64 1 || id || u64 index),
 * 16 bytes.
 */
enum err mpc_session_id_of(struct mpc_session_id *ret, const uint8_t request_id[32],
			   uint64_t index) MUST_USE;

#endif
