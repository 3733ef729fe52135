/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/not_built.h"

const struct not_built_row not_built[NOT_BUILT_ROWS] = {
	[NOT_BUILT_KEYGEN_PREPROC] = {"KeyGenPreproc",
				      "not built yet: generation of keys and CRSs by a committee"},
	[NOT_BUILT_KEYGEN] = {"KeyGen",
			      "not built yet: generation of keys and CRSs by a committee"},
	[NOT_BUILT_CRSGEN] = {"CrsGen",
			      "not built yet: generation of keys and CRSs by a committee"},
	[NOT_BUILT_RESHARING] = {"NewMpcEpoch with previous_epoch",
				 "not built yet: resharing (previous_epoch)"},
	[NOT_BUILT_CONTEXT_END] = {"DestroyMpcContext", "not built yet: destroying a context"},
	[NOT_BUILT_EPOCH_END] = {"DestroyMpcEpoch", "not built yet: destroying an epoch"},
};

enum err not_built_print(struct buf *out, const char *between)
{
	for (enum not_built i = BUILT + 1; i < NOT_BUILT_ROWS; i++) {
		if (i > BUILT + 1)
			TRY(buf_add_str(out, between));
		TRY(buf_add_str(out, not_built[i].operation));
	}
	return ERR_OK;
}
