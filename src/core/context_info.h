/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * ContextInfo: a committee as it lies in the private vault, under ContextInfo/<context id>, in the
 * published implementation's layout:
 *
 *   - safe_serialize header "kms::ContextInfo", u32 0
 *   - u64 n, n nodes: u32 2, identity, u32 party, URL, option certificate, storage URL, option
 *     storage prefix, u64 n further signers, digests of verification keys (u32 0, u64 n: u32 0, u32
 *     scheme, digest)
 *   - context id 32, software version (u32 0, u32, u32, u32, option tag), u32 threshold
 *   - u64 n measurements of what nodes may run
 *
 * A context with measurements asks its nodes to attest what they run. This node cannot: such a
 * context is refused wherever it comes from, as nobody would check what it asks for.
 */
#ifndef CORE_CONTEXT_INFO_H
#define CORE_CONTEXT_INFO_H

#include "core/mpc_context.h"
#include "core/vault.h"
#include "kms.v1.pb-c.h"

#define CONTEXT_INFO_TYPE "ContextInfo"

enum {
	CONTEXT_INFO_SIZE_MAX = 1 << 20
};

/* Appends. ERR_BAD_REQUEST: not an identifier, an address of another length, a number below 0;
 * ERR_TOO_BIG. */
enum err context_info_write(struct buf *out, const Kms__V1__MpcContext *m,
			    struct err_note *note) MUST_USE;

/*
 * What of it counts here; `signer` says which of the parties we are (me = 0: none of them). The
 * caller clears it. ERR_BAD_REQUEST: not a committee of 3 threshold + 1 nodes with numbers, names
 * and places; ERR_STATE_MOVED: it asks for attestation; ERR_MALFORMED, ERR_TRUNCATED,
 * ERR_UNSUPPORTED, ERR_MISMATCH: another object.
 */
enum err context_info_read(struct mpc_context *ret, struct bytes object, struct address signer,
			   struct err_note *note) MUST_USE;

#endif
