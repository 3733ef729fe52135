/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A key into the vaults (publish.h): CompressedXofKeySet, streamed and audited before it gets its
 * name, and PublicKey; FhePrivateKey in the private one.
 */
#ifndef CORE_KEY_PUBLISH_H
#define CORE_KEY_PUBLISH_H

#include "core/key_generation.h"
#include "core/publish.h"

static inline struct publish_name key_publish_name(struct hash32 epoch_id, struct hash32 key_id)
{
	return (struct publish_name){.form = &publish_key_form, .epoch_id = epoch_id, .id = key_id};
}

/*
 * publish_run of a key. The handles are read back from the vault. ERR_CANCELLED, ERR_IO (a full
 * disk), ERR_CORRUPT: the key exists and belongs to another preprocessing; ERR_MISMATCH: the audit
 * found the new one unsound; errors of vault and key generation.
 */
enum err key_publish(struct fhe_key_handles *ret_handles, const struct publish *p,
		     const struct key_request *r, enum key_params params,
		     struct err_note *note) MUST_USE;

/*
 * The answer for a key that lies whole in the vaults, for who lost the table of requests: appended.
 * `r` NULL: whatever was asked for. ERR_NOT_FOUND: no key of this id, or not one that was signed;
 * ERR_STATE_MOVED: it was made for another request than `r`, or by another node; ERR_CORRUPT: a
 * public object is gone or another. Reads all of them. Pool thread.
 */
enum err key_recover(struct buf *answer, const struct vaults *v, const struct publish_name *name,
		     const struct key_request *r, const struct signing_key *signer,
		     struct err_note *note) MUST_USE;

#endif
