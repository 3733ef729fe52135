/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Where the cursor has been: hashes by which a walk-back finds the last block that both branches
 * have. */
#include <stdlib.h>

#include "connector/listener/internal.h"

enum {
	TRAIL_NEAR = 1024,       /* blocks behind the cursor of which every step is kept ... */
	TRAIL_STRIDE = 1024,     /* ... and further back one step of so many blocks */
	TRAIL_FAR = 4096 * 1024, /* beyond it nothing */
	TRAIL_LOAD_MAX = 8192,
};

static const char put_sql[] =
	"INSERT INTO cursor_trail (chain, block, block_hash, far) VALUES ($1, $2, $3, $4)"
	" ON CONFLICT (chain, block) DO UPDATE SET block_hash = excluded.block_hash";

static const char thin_sql[] = "DELETE FROM cursor_trail WHERE chain = $1 AND"
			       " ((far = 0 AND block < $2) OR block < $3)";

static const char cut_sql[] = "DELETE FROM cursor_trail WHERE chain = $1 AND block > $2";

static const char load_sql[] = "SELECT block, block_hash FROM cursor_trail"
			       " WHERE chain = $1 AND block <= $2 ORDER BY block DESC LIMIT $3";

static int64_t back(struct block_number from, uint64_t blocks)
{
	return from.v > blocks ? (int64_t)(from.v - blocks) : 0;
}

enum err trail_add_step(struct store_batch *b, struct chain_id chain, const struct cursor *old,
			const struct cursor *new)
{
	bool far = !old->known || old->block.v / TRAIL_STRIDE != new->block.v / TRAIL_STRIDE;
	bool thin = !old->known || old->block.v / 64 != new->block.v / 64;

	TRY(STORE_ADD(b, STORE_ANY, put_sql, store_int((int64_t)chain.v),
		      store_int((int64_t) new->block.v), store_blob(BYTES_OF(new->hash.b)),
		      store_int(far ? 1 : 0)));
	if (!thin)
		return ERR_OK;
	return STORE_ADD(b, STORE_ANY, thin_sql, store_int((int64_t)chain.v),
			 store_int(back(new->block, TRAIL_NEAR)),
			 store_int(back(new->block, TRAIL_FAR)));
}

enum err trail_add_cut(struct store_batch *b, struct chain_id chain, struct block_number after)
{
	return STORE_ADD(b, STORE_ANY, cut_sql, store_int((int64_t)chain.v),
			 store_int((int64_t)after.v));
}

enum err trail_add_load(struct store_batch *b, struct chain_id chain, struct block_number newest)
{
	return STORE_ADD(b, STORE_ANY, load_sql, store_int((int64_t)chain.v),
			 store_int((int64_t)newest.v), store_int(TRAIL_LOAD_MAX));
}

enum err trail_from_rows(struct trail *ret_trail, const struct store_rows *rows)
{
	struct trail t = {.n = rows->rows_n, .good = rows->rows_n, .stride = 1};

	t.v = calloc(t.n > 0 ? t.n : 1, sizeof(*t.v));
	if (!t.v)
		return ERR_NOMEM;
	for (size_t i = 0; i < t.n; i++) {
		const struct store_value *block = store_cell(rows, i, 0);
		const struct store_value *hash = store_cell(rows, i, 1);

		if (block->type != STORE_INT || block->i < 0 || hash->type != STORE_BLOB ||
		    hash->b.n != sizeof(t.v[i].hash.b)) {
			trail_free(&t);
			return ERR_CORRUPT;
		}
		t.v[i].known = true;
		t.v[i].block.v = (uint64_t)block->i;
		memcpy(t.v[i].hash.b, hash->b.p, sizeof(t.v[i].hash.b));
	}
	trail_free(ret_trail);
	*ret_trail = t;
	return ERR_OK;
}

void trail_free(struct trail *t)
{
	free(t->v);
	*t = (struct trail){0};
}

/*
 * Newest first: below `bad` nothing is the chain's, from `good` on everything is. Most branches are
 * short, so the steps begin small and double until one is the chain's.
 */
const struct cursor *trail_ask(struct trail *t)
{
	if (t->bad == t->good)
		return NULL;
	if (t->good < t->n)
		t->at = t->bad + (t->good - t->bad) / 2;
	else
		t->at = t->n - t->bad > t->stride ? t->bad + t->stride - 1 : t->n - 1;
	return &t->v[t->at];
}

void trail_answer(struct trail *t, const struct hash32 *hash)
{
	if (hash32_eq(*hash, t->v[t->at].hash)) {
		t->good = t->at;
	} else {
		t->bad = t->at + 1;
		t->stride *= 2;
	}
}

const struct cursor *trail_found(const struct trail *t)
{
	return t->bad == t->good && t->good < t->n ? &t->v[t->good] : NULL;
}
