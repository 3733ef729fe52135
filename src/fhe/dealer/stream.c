/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/rng.h"
#include "fhe/dealer/dealer.h"
#include "fhe/noise.h"

enum err fhe_stream_new_random(struct aes_ctr **ret_stream, struct rng *rng)
{
	uint8_t seed[16];
	enum err e;

	rng_fill(rng, seed, sizeof(seed));
	e = aes_ctr_new_seed(ret_stream, seed, 0);
	secret_wipe(seed, sizeof(seed));
	return e;
}

void fhe_stream_free(struct aes_ctr **stream)
{
	aes_ctr_free(*stream);
	*stream = NULL;
}

enum err fhe_tuniform_draw(struct aes_ctr *stream, unsigned bound_log2, int64_t *ret_noise)
{
	uint8_t le[FHE_NOISE_READ] = {0};

	if (bound_log2 > FHE_NOISE_MAX)
		return ERR_RANGE;
	TRY(aes_ctr_fill(stream, le, fhe_noise_size(bound_log2)));
	*ret_noise = (int64_t)fhe_noise_of(le, bound_log2);
	secret_wipe(le, sizeof(le));
	return ERR_OK;
}
