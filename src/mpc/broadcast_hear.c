/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/broadcast_internal.h"

/* ---- candidates ---- */

static enum err candidate_of(struct mpc_broadcast *b, unsigned sender, struct bytes value,
			     struct candidate **ret)
{
	struct sender *s = &b->sender[sender - 1];
	struct candidate *c;
	struct hash32 hash;

	/* Comparing costs a tenth of hashing, and mostly all echo the same. */
	for (unsigned i = 0; i < s->candidates_n; i++)
		if (bytes_eq_var(buf_view(&s->candidate[i].value), value)) {
			*ret = &s->candidate[i];
			return ERR_OK;
		}
	TRY(mpc_hash(&hash, MPC_NAME_BROADCAST, &value, 1));
	c = &s->candidate[s->candidates_n];
	*c = (struct candidate){.hash = hash, .value = buf_make(value.n)};
	TRY(buf_add(&c->value, value));
	s->candidates_n++;
	*ret = c;
	return ERR_OK;
}

enum err broadcast_echo_counts(struct mpc_broadcast *b, unsigned from, unsigned sender,
			       struct bytes value)
{
	struct candidate *c;

	TRY(candidate_of(b, sender, value, &c));
	c->echoes |= mpc_set_of(from);
	return ERR_OK;
}

/* ---- hearing: what makes no sense is nobody's word ---- */

static enum err hear_value(struct mpc_broadcast *b, unsigned from, struct bytes word)
{
	struct reader r = reader_of(word);
	struct buf *first = &b->first[from - 1];
	struct bytes value;

	if (!sends(b, from) || reader_u32le(&r) != MPC_VALUE_SEND || r.err != ERR_OK)
		return ERR_OK;
	value = mpc_wire_cast(&r);
	if (reader_end(&r) != ERR_OK || value.n > b->task.size_max)
		return ERR_OK;
	*first = buf_make(value.n);
	TRY(buf_add(first, value));
	b->spoke |= mpc_set_of(from);
	return ERR_OK;
}

/* Reads a map from senders, once to see that all of it makes sense, once to count. `entry`: what
 * stands behind a role. */
typedef enum err entry_fn(struct mpc_broadcast *b, unsigned from, unsigned sender, struct reader *r,
			  bool counts);

static enum err hear_map(struct mpc_broadcast *b, unsigned from, struct bytes word,
			 uint32_t variant, entry_fn *entry)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		struct reader r = reader_of(word);
		uint32_t is = reader_u32le(&r);
		uint64_t n = is == variant ? bincode_len(&r, b->task.group.n) : 0;
		mpc_set seen = 0;

		if (is != variant && is != MPC_VALUE_EMPTY)
			return ERR_OK;
		for (uint64_t i = 0; i < n && r.err == ERR_OK; i++) {
			unsigned sender = mpc_wire_role(&r, b->task.group.n);

			if (r.err != ERR_OK)
				break;
			if (mpc_set_has(seen, sender))
				reader_fail(&r, ERR_MALFORMED);
			seen |= mpc_set_of(sender);
			TRY(entry(b, from, sender, &r, pass == 1));
		}
		if (reader_end(&r) != ERR_OK)
			return ERR_OK;
	}
	b->sound |= mpc_set_of(from);
	return ERR_OK;
}

static enum err echo_entry(struct mpc_broadcast *b, unsigned from, unsigned sender,
			   struct reader *r, bool counts)
{
	struct bytes value = mpc_wire_cast(r);

	if (!counts || r->err != ERR_OK || !sends(b, sender) || value.n > b->task.size_max)
		return ERR_OK;
	return broadcast_echo_counts(b, from, sender, value);
}

static enum err vote_entry(struct mpc_broadcast *b, unsigned from, unsigned sender,
			   struct reader *r, bool counts)
{
	struct bytes raw = reader_bytes(r, sizeof(struct hash32));
	struct sender *s = &b->sender[sender - 1];

	if (!counts || raw.n == 0 || !sends(b, sender))
		return ERR_OK;
	for (unsigned i = 0; i < s->candidates_n; i++)
		if (memcmp(s->candidate[i].hash.b, raw.p, raw.n) == 0)
			s->candidate[i].votes |= mpc_set_of(from);
	return ERR_OK;
}

static enum err agree_entry(struct mpc_broadcast *b, unsigned from, unsigned sender,
			    struct reader *r, bool counts)
{
	static const struct hash32 zeros;
	struct bytes raw = reader_bytes(r, sizeof(struct hash32));
	bool one = raw.n > 0 && memcmp(raw.p, zeros.b, raw.n) != 0;

	if (!counts || raw.n == 0 || !sends(b, sender))
		return ERR_OK;
	if (one || step_of(b) == AGREE_PROPOSE)
		agree_hear(&b->sender[sender - 1].agree, from, one ? AGREE_1 : AGREE_0);
	return ERR_OK;
}

/* Where there is no third thing to say, whoever does not say 1 says 0. */
static enum err hear_agreement(struct mpc_broadcast *b, unsigned from, struct bytes word)
{
	TRY(hear_map(b, from, word, MPC_VALUE_VOTES, agree_entry));
	for (unsigned sender = 1; sender <= b->task.group.n; sender++) {
		struct agree *a = &b->sender[sender - 1].agree;

		if (mpc_set_has(b->sound, from) && step_of(b) != AGREE_PROPOSE &&
		    !mpc_set_has(a->said[AGREE_1], from))
			agree_hear(a, from, AGREE_0);
	}
	return ERR_OK;
}

enum err broadcast_hear(struct mpc_broadcast *b, unsigned from, struct bytes word)
{
	if (agrees(b))
		return hear_agreement(b, from, word);
	switch (b->round) {
	case ROUND_SEND:
		return hear_value(b, from, word);
	case ROUND_ECHO:
		return hear_map(b, from, word, MPC_VALUE_ECHOES, echo_entry);
	default:
		return hear_map(b, from, word, MPC_VALUE_VOTES, vote_entry);
	}
}
