/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A CRS into the vaults (publish.h): CRS in the public one, CrsInfo in the private one. */
#ifndef CORE_CRS_PUBLISH_H
#define CORE_CRS_PUBLISH_H

#include "core/key_generation.h"
#include "core/publish.h"

static inline struct publish_name crs_publish_name(struct hash32 epoch_id, struct hash32 crs_id)
{
	return (struct publish_name){.form = &publish_crs_form, .epoch_id = epoch_id, .id = crs_id};
}

/*
 * publish_run of a CRS. Both objects are read back from the vaults. ERR_CANCELLED, ERR_IO,
 * ERR_CORRUPT: a CRS of this id is there that is another, or damaged; errors of vault and
 * fhe_crs_make.
 */
enum err crs_publish(struct fhe_crs_metadata *ret_metadata, const struct publish *p,
		     const struct key_request *r, struct err_note *note) MUST_USE;

/* As key_recover. */
enum err crs_recover(struct buf *answer, const struct vaults *v, const struct publish_name *name,
		     const struct key_request *r, const struct signing_key *signer,
		     struct err_note *note) MUST_USE;

#endif
