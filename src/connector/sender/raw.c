/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Our own raw transactions, read back: what is signed again is what was signed (EIP-1559, RLP). */
#include "connector/sender/internal.h"

enum {
	TX_TYPE = 0x02
};

/* The payload of the next item, string or list. */
static struct bytes item(struct reader *r)
{
	struct bytes head = reader_bytes(r, 1);
	uint8_t first = head.n > 0 ? head.p[0] : 0;
	size_t n = 0;

	if (first < 0x80)
		return head;
	if (first < 0xb8)
		return reader_bytes(r, (size_t)first - 0x80);
	if (first >= 0xc0 && first < 0xf8)
		return reader_bytes(r, (size_t)first - 0xc0);
	for (unsigned k = first < 0xc0 ? first - 0xb7U : first - 0xf7U; k > 0; k--) {
		if (n > RAW_MAX)
			reader_fail(r, ERR_TOO_BIG);
		n = n << 8 | reader_u8(r);
	}
	return reader_bytes(r, n);
}

static struct u256 number(struct reader *r)
{
	struct u256 v = U256_ZERO;
	enum err e = u256_from_bytes_be(&v, item(r));

	if (e != ERR_OK)
		reader_fail(r, e);
	return v;
}

static uint64_t number64(struct reader *r)
{
	uint64_t v = 0;
	enum err e = u256_to_u64(&v, number(r));

	if (e != ERR_OK)
		reader_fail(r, e);
	return v;
}

enum err raw_read(struct tx *ret_tx, struct bytes raw)
{
	struct reader whole = reader_of(raw);
	struct tx t = {0};

	if (reader_u8(&whole) != TX_TYPE)
		return ERR_CORRUPT;
	struct reader r = reader_of(item(&whole));
	t.chain_id.v = number64(&r);
	t.nonce = number64(&r);
	t.priority_fee_max.v = number(&r);
	t.fee_max.v = number(&r);
	t.gas = number64(&r);
	struct bytes to = item(&r);
	t.value.v = number(&r);
	t.data = item(&r);
	if (whole.err != ERR_OK || reader_end(&whole) != ERR_OK || r.err != ERR_OK ||
	    to.n != sizeof(t.to.b))
		return ERR_CORRUPT;
	memcpy(t.to.b, to.p, sizeof(t.to.b));
	*ret_tx = t;
	return ERR_OK;
}
