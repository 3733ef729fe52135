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
