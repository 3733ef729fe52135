/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "mpc/wire.h"

void mpc_wire_put_gr(struct bincode_writer *w, const struct gr *a)
{
	uint8_t raw[GR_SIZE];

	gr_put(raw, a);
	bincode_put_raw(w, BYTES_OF(raw));
}

struct gr mpc_wire_gr(struct reader *r)
{
	struct bytes raw = reader_bytes(r, GR_SIZE);

	return raw.n == GR_SIZE ? gr_get(raw.p) : gr_scalar(0);
}

void mpc_wire_put_role(struct bincode_writer *w, unsigned party)
{
	bincode_put_u64(w, party);
}

unsigned mpc_wire_role(struct reader *r, unsigned n)
{
	uint64_t party = reader_u64le(r);

	if (party >= 1 && party <= n)
		return (unsigned)party;
	reader_fail(r, ERR_MALFORMED);
	return 0;
}

enum err mpc_wire_put_rings(struct buf *out, const struct gr *elements, size_t n)
{
	struct bincode_writer w = {.out = out};

	TRY(buf_reserve(out, mpc_wire_rings_size(n)));
	bincode_put_u32(&w, MPC_VALUE_RINGS);
	bincode_put_u64(&w, n);
	for (size_t i = 0; i < n; i++)
		mpc_wire_put_gr(&w, &elements[i]);
	return bincode_end(&w);
}

enum err mpc_wire_get_rings(struct gr *ret_elements, size_t n, struct bytes message)
{
	struct reader r = reader_of(message);

	if (message.n != mpc_wire_rings_size(n) || reader_u32le(&r) != MPC_VALUE_RINGS ||
	    reader_u64le(&r) != n)
		return ERR_MALFORMED;
	for (size_t i = 0; i < n; i++)
		ret_elements[i] = mpc_wire_gr(&r);
	return reader_end(&r);
}

/* ---- agreement on keys ---- */

static const size_t agree_item_sizes[] = {
	[MPC_AGREE_COMMITMENTS] = sizeof(struct hash32),
	[MPC_AGREE_OPENINGS] = MPC_KEY_SIZE + MPC_OPENING_SIZE,
	[MPC_AGREE_KEYS] = MPC_KEY_SIZE,
};

size_t mpc_wire_agree_item_size(enum mpc_agree what)
{
	return agree_item_sizes[what];
}

size_t mpc_wire_agree_size(enum mpc_agree what, size_t n)
{
	return 4 + 4 + 8 + n * agree_item_sizes[what];
}

enum err mpc_wire_put_agree(struct buf *out, enum mpc_agree what, struct bytes items)
{
	struct bincode_writer w = {.out = out};

	bincode_put_u32(&w, MPC_VALUE_AGREE);
	bincode_put_u32(&w, what);
	bincode_put_u64(&w, items.n / agree_item_sizes[what]);
	bincode_put_raw(&w, items);
	return bincode_end(&w);
}

enum err mpc_wire_get_agree(struct bytes *ret_items, enum mpc_agree what, size_t n,
			    struct bytes message)
{
	struct reader r = reader_of(message);

	if (message.n != mpc_wire_agree_size(what, n) || reader_u32le(&r) != MPC_VALUE_AGREE ||
	    reader_u32le(&r) != what || reader_u64le(&r) != n)
		return ERR_MALFORMED;
	*ret_items = r.in;
	return ERR_OK;
}

/* ---- values that are broadcast ---- */

void mpc_wire_skip_rings(struct reader *r)
{
	uint64_t n = bincode_len(r, r->in.n / GR_SIZE);

	(void)reader_bytes(r, (size_t)n * GR_SIZE);
}

/* A list of lists of lists of pairs. */
static void skip_pairs(struct reader *r, unsigned depth)
{
	size_t size = depth == 0 ? 2 * (size_t)GR_SIZE : sizeof(uint64_t);
	uint64_t n = bincode_len(r, r->in.n / size);

	if (depth == 0) {
		(void)reader_bytes(r, (size_t)n * size);
		return;
	}
	for (uint64_t i = 0; i < n && r->err == ERR_OK; i++)
		skip_pairs(r, depth - 1);
}

/* Elements, or polynomials, which are lists of elements. */
void mpc_wire_skip_value_or_poly(struct reader *r)
{
	if (bincode_tag(r, 1) == 0) {
		mpc_wire_skip_rings(r);
		return;
	}
	for (uint64_t n = bincode_len(r, r->in.n / sizeof(uint64_t)); n > 0 && r->err == ERR_OK;
	     n--)
		mpc_wire_skip_rings(r);
}

/* A map whose keys are `roles` roles. */
static void skip_map(struct reader *r, unsigned roles, void (*skip)(struct reader *r))
{
	uint64_t n = bincode_len(r, r->in.n / (roles * sizeof(uint64_t)));

	for (; n > 0 && r->err == ERR_OK; n--) {
		(void)reader_bytes(r, roles * sizeof(uint64_t));
		skip(r);
	}
}

struct bytes mpc_wire_cast(struct reader *r)
{
	struct bytes all = r->in;

	switch (bincode_tag(r, MPC_CAST_VSS_ROUND_4)) {
	case MPC_CAST_BOT:
		break;
	case MPC_CAST_RINGS:
		mpc_wire_skip_rings(r);
		break;
	case MPC_CAST_RING:
		(void)reader_bytes(r, GR_SIZE);
		break;
	case MPC_CAST_VSS_ROUND_2:
		skip_pairs(r, 2);
		break;
	case MPC_CAST_VSS_ROUND_3:
		skip_map(r, 3, mpc_wire_skip_rings);
		break;
	case MPC_CAST_VSS_ROUND_4:
		skip_map(r, 2, mpc_wire_skip_value_or_poly);
		break;
	default:
		reader_fail(r, ERR_UNSUPPORTED);
	}
	return r->err == ERR_OK ? bytes_sub(all, 0, all.n - r->in.n) : BYTES_NONE;
}
