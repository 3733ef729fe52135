/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/hash.h"

#include "crypto/sha.h"

enum {
	NAME_SIZE = 8
};

static enum err hash(uint8_t *out, size_t n, const char *name, const struct bytes *parts,
		     size_t parts_n)
{
	struct bytes all[MPC_HASH_PARTS_MAX + 1] = {bytes_from(name, NAME_SIZE)};

	if (parts_n > MPC_HASH_PARTS_MAX)
		return ERR_RANGE;
	for (size_t i = 0; i < parts_n; i++)
		all[i + 1] = parts[i];
	return shake256(out, n, all, parts_n + 1);
}

enum err mpc_hash(struct hash32 *ret, const char name[8], const struct bytes *parts, size_t parts_n)
{
	struct hash32 h;

	TRY(hash(h.b, sizeof(h.b), name, parts, parts_n));
	*ret = h;
	return ERR_OK;
}

enum err mpc_session_id_of(struct mpc_session_id *ret, const uint8_t request_id[32], uint64_t index)
{
	struct buf words CLEANUP(buf_free) = buf_make(64);
	struct mpc_session_id id;

	TRY(buf_add_str(&words, MPC_NAME_SESSION));
	TRY(buf_add_u64le(&words, 1));
	TRY(buf_add(&words, bytes_from(request_id, 32)));
	TRY(buf_add_u64le(&words, index));

	const struct bytes part = buf_view(&words);
	TRY(hash(id.le, sizeof(id.le), MPC_NAME_LIST, &part, 1));
	*ret = id;
	return ERR_OK;
}
