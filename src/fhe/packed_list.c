/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/packed_list.h"

static enum err glwe_check(const struct fhe_packed_glwe *g, const struct fhe_packed_shape *s,
			   struct err_note *note)
{
	if (g->glwe_dimension != s->glwe_dimension || g->polynomial_size != s->polynomial_size ||
	    g->log_modulus != s->log_modulus)
		return err_say(
			note, ERR_MISMATCH,
			"GLWE ciphertext at byte %zu: dimension %llu x %llu with %llu bits, the "
			"key has %llu x %llu with %llu",
			g->at, (unsigned long long)g->glwe_dimension,
			(unsigned long long)g->polynomial_size, (unsigned long long)g->log_modulus,
			(unsigned long long)s->glwe_dimension,
			(unsigned long long)s->polynomial_size, (unsigned long long)s->log_modulus);
	if (g->bodies > g->polynomial_size ||
	    g->initial_len != s->glwe_dimension * s->polynomial_size + g->bodies ||
	    g->words.n / 8 != (g->initial_len * g->log_modulus + 63) / 64)
		return err_say(note, ERR_MALFORMED,
			       "GLWE ciphertext at byte %zu: %zu bytes for %llu bodies", g->at,
			       g->words.n, (unsigned long long)g->bodies);
	return ERR_OK;
}

/* All GLWEs but the last are full, and together they have exactly the blocks of the items. */
enum err fhe_packed_list_check(const struct fhe_packed_list *list,
			       const struct fhe_packed_shape *shape, struct err_note *note)
{
	struct fhe_items items = list->items;
	struct fhe_item item;
	uint64_t bodies = 0, wanted = 0;

	if (list->lwe_per_glwe != shape->lwe_per_glwe)
		return err_say(note, ERR_MISMATCH,
			       "lwe_per_glwe at byte %zu is %llu, the key's %llu",
			       list->lwe_per_glwe_at, (unsigned long long)list->lwe_per_glwe,
			       (unsigned long long)shape->lwe_per_glwe);
	for (size_t i = 0; i < list->glwe_n; i++) {
		TRY(glwe_check(&list->glwe[i], shape, note));
		if (list->glwe[i].bodies > list->lwe_per_glwe ||
		    (i + 1 < list->glwe_n && list->glwe[i].bodies != list->lwe_per_glwe))
			return err_say(note, ERR_MALFORMED,
				       "GLWE ciphertext %zu at byte %zu is not full", i,
				       list->glwe[i].at);
		bodies += list->glwe[i].bodies;
	}
	while (fhe_items_next(&items, &item))
		wanted += fhe_packed_bodies(item, shape->blocks_per_body);
	if (wanted == 0 || wanted != bodies)
		return err_say(note, ERR_MALFORMED,
			       "items at byte %zu: %llu bodies for %llu blocks", list->items.at,
			       (unsigned long long)bodies, (unsigned long long)wanted);
	return ERR_OK;
}
