/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/request_id.h"

#include "base/hex.h"
#include "codec/bincode.h"
#include "crypto/sha.h"

const struct hash32 request_id_default_context = {{[0] = 0x07, [31] = 0x01}};
const struct hash32 request_id_default_epoch = {{[0] = 0x08, [31] = 0x01}};

const struct hash32 request_id_signing_key = {{
	0x60, 0xb7, 0x07, 0x0a, 0xdd, 0x74, 0xbe, 0x38, 0x27, 0x16, 0x0a,
	0xa6, 0x35, 0xfb, 0x25, 0x5e, 0xee, 0xeb, 0x88, 0x58, 0x6c, 0x4d,
	0xeb, 0xf7, 0xab, 0x11, 0x34, 0xdd, 0xce, 0xb4, 0xbe, 0xee,
}};

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct bytes trim(struct bytes t)
{
	while (t.n > 0 && is_space(t.p[0]))
		t = bytes_sub(t, 1, t.n - 1);
	while (t.n > 0 && is_space(t.p[t.n - 1]))
		t = bytes_sub(t, 0, t.n - 1);
	return t;
}

enum err request_id_parse(struct hash32 *ret_id, struct bytes text)
{
	static const struct hash32 zero;
	struct hash32 id = zero;

	if (hex_decode_fixed(id.b, sizeof(id.b), trim(text)) != ERR_OK || hash32_eq(id, zero))
		return ERR_BAD_REQUEST;
	*ret_id = id;
	return ERR_OK;
}

void request_id_text(char out[REQUEST_ID_TEXT_SIZE], struct hash32 id)
{
	hex_encode(out, BYTES_OF(id.b));
}

enum err request_id_derive(struct hash32 *ret_id, const char *name)
{
	CLEANUP(buf_free) struct buf message = buf_make(256);
	struct bincode_writer w = {.out = &message};

	bincode_put_str(&w, name);
	TRY(bincode_end(&w));
	return kms_digest(ret_id, "REQST_ID", buf_view(&message));
}
