/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Parts of requests to the core, made from an input: what a random message hardly ever has. */
#ifndef TESTS_FUZZ_SUPPORT_REQUEST_H
#define TESTS_FUZZ_SUPPORT_REQUEST_H

#include "core/key_ring.h"
#include "core/request_id.h"
#include "eth/text.h"
#include "fuzz.h"
#include "kms.v1.pb-c.h"

/* One key in an epoch that is not the default one; looked up, never looked into. */
extern const struct hash32 fuzz_key_id;
const struct key_ring *fuzz_ring(void);

/* u8 0: the field is missing (false); 1: what is wanted; otherwise a text of its own. */
bool fuzz_id(Kms__V1__RequestId *id, char text[REQUEST_ID_TEXT_SIZE], struct hash32 want,
	     struct bytes *in);

/* Borrows from `text` and from memory that the next one reuses. */
extern const struct address fuzz_verifier;
void fuzz_domain(Kms__V1__Eip712DomainMsg *d, char text[ADDRESS_TEXT_SIZE], struct bytes *in);

void fuzz_schemes(Kms__V1__SigningSchemeType *schemes, size_t n, struct bytes *in);

#endif
