/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What we say in an opening, kept for who is late: for each item u32 length (little-endian) and the
 * message of its one round. */
#include "core/opening.h"
#include "mpc/wire.h"

enum {
	OPENING_ROUND = 1,
	LENGTH_SIZE = 4,
};

enum err opening_words_pack(struct buf *ret_words, const struct opening *o)
{
	struct buf out;
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		n += LENGTH_SIZE + mpc_wire_rings_size(o->items[i].n);
	out = buf_make(n);
	TRY(buf_reserve(&out, n)); /* in one piece: no copies of shares */
	for (size_t i = 0; i < o->n; i++) {
		const struct opening_item *item = &o->items[i];
		enum err e = buf_add_u32le(&out, (uint32_t)mpc_wire_rings_size(item->n));

		if (e == ERR_OK)
			e = mpc_wire_put_rings(&out, item->blocks, item->n);
		if (e != ERR_OK) {
			buf_wipe(&out);
			return e;
		}
	}
	*ret_words = buf_take(&out);
	return ERR_OK;
}

enum err opening_words_linger(struct peer_net *net, const struct opening_words *w)
{
	struct reader r = reader_of(w->words);

	for (size_t i = 0; i < w->n; i++) {
		struct peer_word word = {.context_id = w->context_id,
					 .round = OPENING_ROUND,
					 .age_ms = w->age_ms,
					 .say = w->say};

		word.value = reader_bytes(&r, reader_u32le(&r));
		TRY(r.err);
		TRY(mpc_session_id_of(&word.session, w->id.b, i));
		TRY(peer_net_linger(net, &word));
	}
	return reader_end(&r);
}
