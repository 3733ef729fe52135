/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * AWS KMS as far as the signer asks it: GetPublicKey and Sign, in JSON, with signatures in DER of
 * which every other one is in the upper half of the order. That requests are signed is not looked
 * at here.
 */
#include <stdio.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "sim.h"

enum {
	BODY_MAX = 8 << 10,
	INTEGER_MAX = 33
};

/* SubjectPublicKeyInfo of the account's key (RFC 5480), which is 51...51. */
static const char public_key[] = "3056301006072a8648ce3d020106052b8104000a03420004"
				 "baf7689c0a3558fb604589036a8d1e4b685d909f6e0e2c6018a14049ae64ec26"
				 "6ce6dd6dabbf244f00ca85f020992cf0e9ac1c4f2b80feff3d5883f034da9bc5";

/* SEC 2: the order of secp256k1. */
static const char order[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

static void add_integer(struct buf *out, const uint8_t be[32])
{
	size_t skip = 0;

	while (skip < 31 && be[skip] == 0)
		skip++;
	bool pad = (be[skip] & 0x80) != 0;
	size_t n = 32 - skip + (pad ? 1 : 0);

	CHECK(n <= INTEGER_MAX);
	CHECK(buf_add_u8(out, 2) == ERR_OK && buf_add_u8(out, (uint8_t)n) == ERR_OK);
	if (pad)
		CHECK(buf_add_u8(out, 0) == ERR_OK);
	CHECK(buf_add(out, bytes_from(&be[skip], 32 - skip)) == ERR_OK);
}

/* The other s that is as good. */
static void to_upper_half(uint8_t s[32])
{
	uint8_t n[32];
	int borrow = 0;

	CHECK(hex_decode_fixed(n, sizeof(n), bytes_str(order)) == ERR_OK);
	for (size_t i = 32; i-- > 0;) {
		int v = n[i] - s[i] - borrow;

		borrow = v < 0;
		s[i] = (uint8_t)(v + 256 * borrow);
	}
}

static void add_signature(struct sim *s, struct buf *out, struct hash32 digest, bool others)
{
	CLEANUP(buf_free) struct buf inner = buf_make(128);
	struct secret32 key = s->account_key;
	struct signature65 sig;

	key.b[31] ^= others ? 1 : 0;
	CHECK(ecdsa_sign65(s->ecdsa, &sig, &key, digest) == ERR_OK);
	if (more_chance(s, 50))
		to_upper_half(&sig.b[32]);
	add_integer(&inner, &sig.b[0]);
	add_integer(&inner, &sig.b[32]);
	CHECK(buf_add_u8(out, 0x30) == ERR_OK && buf_add_u8(out, (uint8_t)inner.n) == ERR_OK);
	CHECK(buf_add(out, buf_view(&inner)) == ERR_OK);
}

static void answer(struct http_answer *a, const char *name, struct bytes value)
{
	CHECK(buf_addf(&a->body, "{\"KeyId\":\"key\",\"KeySpec\":\"ECC_SECG_P256K1\",\"%s\":\"",
		       name) == ERR_OK);
	CHECK(base64_add(&a->body, value) == ERR_OK);
	CHECK(buf_add_str(&a->body, "\"}") == ERR_OK);
}

/* What is no signature of this account, one way or another. */
static void lie(struct sim *s, struct http_answer *a)
{
	static const struct {
		int status;
		const char *body;
	} answers[] = {
		{400, "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}"},
		{400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"not you\"}"},
		{400, "{\"__type\":\"KMSInvalidStateException\",\"message\":\"key is disabled\"}"},
		{500, "{\"__type\":\"KMSInternalException\"}"},
		{503, ""},
		{200, "<html>proxy</html>"},
		{200, "{\"Signature\":\"MEUCIQD\"}"},
		{200, "{\"Signature\":\"MAYCAQACAQA=\"}"},
	};
	size_t i = (size_t)more_below(s, ARRAY_LEN(answers));

	a->status = answers[i].status;
	CHECK(buf_add_str(&a->body, answers[i].body) == ERR_OK);
}

void kms_serve(struct process *p, const struct http_question *q, struct http_answer *a)
{
	CLEANUP(json_free_ptr) json_t *doc = NULL;
	CLEANUP(buf_free) struct buf value = buf_make(BODY_MAX);
	struct sim *s = p->sim;
	const char *message;
	struct hash32 digest;

	a->status = 200;
	CHECK(json_parse(&doc, q->body, BODY_MAX, NULL) == ERR_OK);
	message = json_string_value(json_object_get(doc, "Message"));
	if (!message) {
		CHECK(hex_decode(&value, bytes_str(public_key)) == ERR_OK);
		answer(a, "PublicKey", buf_view(&value));
		return;
	}
	if (fault(s, FAULT_SIGNER_LIES)) {
		lie(s, a);
		return;
	}
	CHECK(base64_decode(&value, bytes_str(message)) == ERR_OK && value.n == sizeof(digest.b));
	memcpy(digest.b, value.p, sizeof(digest.b));
	buf_clear(&value);
	add_signature(s, &value, digest, fault(s, FAULT_SIGNER_LIES));
	answer(a, "Signature", buf_view(&value));
}
