/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside worker/ only: parts of messages to the core. Each points into itself. */
#ifndef CONNECTOR_WORKER_CORE_PARTS_H
#define CONNECTOR_WORKER_CORE_PARTS_H

#include "connector/worker/internal.h"
#include "eth/text.h"
#include "kms.v1.pb-c.h"

/* An id as the core writes it, in its own message. */
struct id_message {
	Kms__V1__RequestId m;
	char text[65];
};
Kms__V1__RequestId *id_message(struct id_message *id, struct u256 v);

/* An id in a reply that must be `want`; where the core leaves it out, nothing is said. */
enum err id_check(const Kms__V1__RequestId *id, struct u256 want, struct err_note *note) MUST_USE;
enum err id_read(struct u256 *ret, const Kms__V1__RequestId *id) MUST_USE;

/* The domain that the core is to sign under, and what the extra data names. */
struct signing_parts {
	Kms__V1__Eip712DomainMsg domain;
	char contract[ADDRESS_TEXT_SIZE];
	uint8_t chain_id[32];
	struct id_message context, epoch;
	Kms__V1__RequestId *context_id, *epoch_id; /* NULL: not named */
};
void signing_parts(struct signing_parts *p, const struct job *j);

/* A key's digests as contracts name them; in the arena, borrowing. At least one. */
enum err core_key_digests(struct arena *a, const struct key_digest **ret_digests,
			  const Kms__V1__KeyGenResult *m, struct err_note *note) MUST_USE;

#endif
