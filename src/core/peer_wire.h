/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The messages of `ddec_networking.gnetworking`. Read in place: a value may be megabytes of shares,
 * and is not copied to be looked at.
 */
#ifndef CORE_PEER_WIRE_H
#define CORE_PEER_WIRE_H

#include "base/bytes.h"
#include "core/mpc_context.h"
#include "mpc/hash.h"

#define PEER_PATH_SEND   "/ddec_networking.gnetworking/SendValue"
#define PEER_PATH_HEALTH "/ddec_networking.gnetworking/HealthCheck"

enum peer_status {
	PEER_ACTIVE = 0,
	PEER_INACTIVE = 1,
	PEER_COMPLETED = 2
};

struct peer_message {
	struct mpc_session_id session;
	char sender[MPC_NAME_SIZE];
	uint64_t round;
	struct bytes value; /* into what was read */
};

/* SendValueRequest. ERR_MALFORMED, ERR_TRUNCATED, ERR_TOO_BIG (a name). */
enum err peer_wire_read(struct peer_message *ret, struct bytes in) MUST_USE;
enum err peer_wire_write(struct buf *out, const struct peer_message *m) MUST_USE;

/* More than any tag. */
enum {
	PEER_WIRE_EXTRA = MPC_SESSION_ID_SIZE + 8 + MPC_NAME_SIZE + 8 + 32
};

/* HealthCheckRequest; its payload may be a question. */
enum err peer_wire_read_health(char ret_sender[MPC_NAME_SIZE], struct bytes *ret_payload,
			       struct bytes in) MUST_USE;
/* HealthCheckResponse; the published implementation's is always empty. */
enum err peer_wire_write_answer(struct buf *out, struct bytes answer) MUST_USE;
enum err peer_wire_read_answer(struct bytes *ret_answer, struct bytes in) MUST_USE;
enum err peer_wire_write_health(struct buf *out, const char *sender, struct bytes payload) MUST_USE;

/* SendValueResponse. ERR_UNSUPPORTED: a status that nobody knows. */
enum err peer_wire_read_status(enum peer_status *ret, struct bytes in) MUST_USE;
struct bytes peer_wire_status(enum peer_status s); /* static */

#endif
