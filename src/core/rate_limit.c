/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/rate_limit.h"

#include <stddef.h>

const struct rate_limit_config rate_limit_defaults = {
	.bucket_size = 50000,
	.pub_decrypt = 1,
	.user_decrypt = 1,
	.crsgen = 100,
	.preproc = 25000,
	.keygen = 1000,
	.new_epoch = 1,
};

static uint64_t cost_of(const struct rate_limit *r, unsigned operation)
{
	const uint64_t costs[RATE_OPERATIONS] = {
		[REQUEST_PUBLIC_DECRYPTION] = r->config.pub_decrypt,
		[REQUEST_USER_DECRYPTION] = r->config.user_decrypt,
		[REQUEST_KEYGEN_PREPROC] = r->config.preproc,
		[REQUEST_KEYGEN] = r->config.keygen,
		[REQUEST_CRSGEN] = r->config.crsgen,
		[RATE_NEW_EPOCH] = r->config.new_epoch,
	};

	return costs[operation];
}

bool rate_limit_take(struct rate_limit *r, unsigned operation, uint64_t *ret_tokens)
{
	uint64_t cost = cost_of(r, operation);
	uint64_t left = r->config.bucket_size > r->used ? r->config.bucket_size - r->used : 0;

	*ret_tokens = 0;
	if (cost > left)
		return false;
	r->used += cost;
	*ret_tokens = cost;
	return true;
}

uint64_t rate_limit_claim(struct rate_limit *r, unsigned operation)
{
	uint64_t cost = cost_of(r, operation);

	r->used += cost;
	return cost;
}

void rate_limit_give(struct rate_limit *r, uint64_t *tokens)
{
	r->used -= *tokens;
	*tokens = 0;
}
