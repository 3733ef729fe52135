/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/limits.h"
#include "store/store.h"

/* PostgreSQL refuses such text; refusing it here keeps both engines alike. */
static bool text_is_sound(struct bytes text)
{
	while (text.n > 0) {
		size_t step = bytes_utf8_step(text);

		if (step == 0 || text.p[0] == 0)
			return false;
		text = bytes_sub(text, step, text.n - step);
	}
	return true;
}

static enum err batch_reserve(struct store_batch *b)
{
	if (b->n < b->cap)
		return ERR_OK;

	size_t cap = b->cap ? 2 * b->cap : 8;
	struct store_statement *v = arena_alloc_array(&b->arena, cap, sizeof(*v));

	if (!v)
		return ERR_NOMEM;
	if (b->n > 0)
		memcpy(v, b->v, b->n * sizeof(*v));
	b->v = v;
	b->cap = cap;
	return ERR_OK;
}

static enum err value_copy(struct arena *a, struct store_value *ret_copy,
			   const struct store_value *from)
{
	struct store_value copy = {.type = from->type};

	switch (from->type) {
	case STORE_NULL:
		break;
	case STORE_INT:
		copy.i = from->i;
		break;
	case STORE_TEXT:
		if (!text_is_sound(from->b))
			return ERR_RANGE;
		TRY(arena_copy(a, &copy.b, from->b));
		break;
	case STORE_BLOB:
		TRY(arena_copy(a, &copy.b, from->b));
		break;
	}
	*ret_copy = copy;
	return ERR_OK;
}

enum err store_batch_add(struct store_batch *b, const char *sql, const struct store_value *args,
			 size_t args_n, enum store_expect expect)
{
	if (b->n >= STORE_BATCH_STATEMENTS_MAX)
		return ERR_RANGE;
	TRY(batch_reserve(b));

	struct store_value *copies = arena_alloc_array(&b->arena, args_n, sizeof(*copies));

	if (!copies)
		return ERR_NOMEM;
	for (size_t i = 0; i < args_n; i++)
		TRY(value_copy(&b->arena, &copies[i], &args[i]));
	b->v[b->n++] = (struct store_statement){
		.sql = sql,
		.args = copies,
		.args_n = args_n,
		.expect = expect,
	};
	return ERR_OK;
}

void store_batch_free(struct store_batch *b)
{
	if (!b)
		return;
	arena_free(&b->arena);
	*b = store_batch_make(b->arena.size_max);
}
