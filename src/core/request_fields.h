/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Fields that requests of every kind have, from their messages, each with its check. The note of a
 * refusal (ERR_BAD_REQUEST, or as said) names the field and is written for the client. Views live
 * as long as the message.
 */
#ifndef CORE_REQUEST_FIELDS_H
#define CORE_REQUEST_FIELDS_H

#include "codec/bincode.h"
#include "core/key_ring.h"
#include "eth/eip712.h"
#include "kms.v1.pb-c.h"

/* NULL is "missing". */
enum err field_id(struct hash32 *ret_id, const Kms__V1__RequestId *id, const char *field,
		  struct err_note *note) MUST_USE;

/* In which context and epoch. */
struct request_where {
	struct hash32 context_id, epoch_id;
};
/* NULL: the default one. */
enum err field_where(struct request_where *ret_where, const Kms__V1__RequestId *context_id,
		     const Kms__V1__RequestId *epoch_id, struct err_note *note) MUST_USE;
/* ERR_NOT_FOUND if the node does not have them; ERR_NOT_READY while the epoch is being set up. */
enum err field_where_known(const struct request_where *where, const struct key_ring *keys,
			   struct err_note *note) MUST_USE;

enum err field_domain(struct eip712_domain *ret_domain, const Kms__V1__Eip712DomainMsg *d,
		      struct err_note *note) MUST_USE;
/* Into the digest of a content. */
void field_domain_put(struct bincode_writer *w, const struct eip712_domain *d);

enum err field_extra_data(struct bytes *ret_extra, ProtobufCBinaryData field,
			  struct err_note *note) MUST_USE;

/* ERR_UNSUPPORTED: a scheme of the protocol that this node does not have. */
enum err field_schemes(bool *ret_wants_ecdsa, const Kms__V1__SigningSchemeType *schemes, size_t n,
		       struct err_note *note) MUST_USE;

/* Does extra_data have a known form and name this context and epoch? */
bool extra_data_fits(struct bytes extra_data, const struct request_where *where);

#endif
