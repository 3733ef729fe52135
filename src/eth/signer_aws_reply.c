/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What AWS KMS answers ("AWS Key Management Service API reference": GetPublicKey, Sign). */
#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"
#include "eth/signer_aws.h"

enum {
	KEY_DER_SIZE = 88,
	SIGNATURE_DER_MAX = 72,
	POINT_SIZE = 65
};

/*
 * SubjectPublicKeyInfo of an uncompressed point on secp256k1 (RFC 5480, SEC 2): one form, so it is
 * compared and not parsed. SEQUENCE { SEQUENCE { id-ecPublicKey, 1.3.132.0.10 }, BIT STRING }
 */
static const uint8_t key_head[] = {0x30, 0x56, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
				   0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
				   0x81, 0x04, 0x00, 0x0a, 0x03, 0x42, 0x00};
_Static_assert(sizeof(key_head) + POINT_SIZE == KEY_DER_SIZE, "head and point");

static enum err bytes_member(struct buf *out, const json_t *o, const char *name)
{
	enum err bad = ERR_OK;
	const char *text = json_get_str(o, name, &bad);

	return bad == ERR_OK ? base64_decode(out, bytes_str(text)) : bad;
}

/* Absent is well: old answers lack it. */
static bool says(const json_t *o, const char *name, const char *want)
{
	const json_t *v = json_object_get(o, name);

	return !v || (json_is_string(v) && strcmp(json_string_value(v), want) == 0);
}

enum err signer_aws_read_public_key(const struct ecdsa *e, struct address *ret_address,
				    struct bytes body, struct err_note *note)
{
	CLEANUP(json_free_ptr) json_t *o = NULL;
	CLEANUP(buf_free) struct buf der = buf_make(1024);
	struct bytes v;

	TRY(json_parse(&o, body, AWS_BODY_MAX, note));
	if (!says(o, "KeySpec", "ECC_SECG_P256K1") || !says(o, "KeyUsage", "SIGN_VERIFY"))
		return err_say(note, ERR_UNSUPPORTED,
			       "the key is not of spec ECC_SECG_P256K1 and usage SIGN_VERIFY");
	if (bytes_member(&der, o, "PublicKey") != ERR_OK)
		return err_say(note, ERR_MALFORMED, "the answer holds no public key");
	v = buf_view(&der);
	if (v.n != KEY_DER_SIZE ||
	    !bytes_eq_var(bytes_sub(v, 0, sizeof(key_head)), BYTES_OF(key_head)))
		return err_say(note, ERR_UNSUPPORTED, "the public key is not of secp256k1");
	if (ecdsa_address_of_point(e, ret_address, bytes_sub(v, sizeof(key_head), POINT_SIZE)) !=
	    ERR_OK)
		return err_say(note, ERR_MALFORMED, "the public key is no point of secp256k1");
	return ERR_OK;
}

enum err signer_aws_read_signature(const struct ecdsa *e, struct signature65 *ret_sig,
				   struct bytes body, struct hash32 digest, struct address signer,
				   struct err_note *note)
{
	CLEANUP(json_free_ptr) json_t *o = NULL;
	CLEANUP(buf_free) struct buf der = buf_make(SIGNATURE_DER_MAX);

	TRY(json_parse(&o, body, AWS_BODY_MAX, note));
	if (bytes_member(&der, o, "Signature") != ERR_OK)
		return err_say(note, ERR_MALFORMED, "the answer holds no signature");

	enum err err = ecdsa_signature_of_der(e, ret_sig, buf_view(&der), digest, signer);

	if (err == ERR_MALFORMED)
		return err_say(note, err, "the signature is not well formed");
	if (err == ERR_MISMATCH)
		return err_say(note, err,
			       "the signature is not by the key that was there at the start: "
			       "does the alias name another one now?");
	return err;
}

bool signer_aws_arn_region(struct bytes *ret_region, const char *key_id)
{
	struct bytes rest = bytes_str(key_id), part[4];

	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		const uint8_t *colon = rest.n > 0 ? memchr(rest.p, ':', rest.n) : NULL;
		size_t n;

		if (!colon)
			return false;
		n = (size_t)(colon - rest.p);
		part[i] = bytes_sub(rest, 0, n);
		rest = bytes_sub(rest, n + 1, rest.n - n - 1);
	}
	if (!bytes_eq_var(part[0], BYTES_LIT("arn")) || !bytes_eq_var(part[2], BYTES_LIT("kms")) ||
	    part[3].n == 0)
		return false;
	*ret_region = part[3];
	return true;
}
