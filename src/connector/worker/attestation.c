/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/attestation.h"

#include "base/hex.h"
#include "base/json.h"
#include "crypto/keccak.h"

/* ---- format ---- */

static const struct {
	const char *name;
	enum ct_format format;
	bool compressed;
} formats[] = {
	{"uncompressed_on_cpu", CT_UNCOMPRESSED_ON_CPU, false},
	{"compressed_on_cpu", CT_COMPRESSED_ON_CPU, true},
	{"uncompressed_on_gpu", CT_UNCOMPRESSED_ON_GPU, false},
	{"compressed_on_gpu", CT_COMPRESSED_ON_GPU, true},
};

enum err ct_format_from_name(enum ct_format *ret_format, struct bytes name)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (bytes_eq_var(name, bytes_str(formats[i].name))) {
			*ret_format = formats[i].format;
			return ERR_OK;
		}
	return ERR_UNSUPPORTED;
}

bool ct_format_compressed(enum ct_format f)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (formats[i].format == f)
			return formats[i].compressed;
	return false;
}

/* ---- parsing ---- */

static void get_hash(const json_t *o, const char *key, struct hash32 *out, enum err *err)
{
	const char *text = json_get_str(o, key, err);

	if (*err == ERR_OK)
		*err = hex_decode_fixed(out->b, sizeof(out->b), bytes_str(text));
}

/* "0x…" or decimal text, or a number. */
static struct u256 get_number(const json_t *o, const char *key, enum err *err)
{
	const json_t *v = json_object_get(o, key);
	struct u256 n = U256_ZERO;

	if (json_is_integer(v) && json_integer_value(v) >= 0)
		return u256_from_u64((uint64_t)json_integer_value(v));
	const char *text = json_get_str(o, key, err);
	if (*err == ERR_OK)
		*err = u256_parse(&n, bytes_str(text));
	return n;
}

static enum err read_members(struct attestation *a, const json_t *o)
{
	enum err err = ERR_OK;
	int64_t version = json_get_int(o, "version", &err);

	if (err == ERR_OK && version != 1)
		return ERR_UNSUPPORTED;
	a->key_id = get_number(o, "key_id", &err);
	get_hash(o, "ciphertext_digest", &a->ciphertext_digest, &err);
	get_hash(o, "sns_ciphertext_digest", &a->sns_digest, &err);

	const char *format = json_get_str(o, "format", &err);
	const char *signer = json_get_str(o, "signer", &err);
	const char *signature = json_get_str(o, "signature", &err);
	if (err != ERR_OK)
		return err;
	TRY(ct_format_from_name(&a->format, bytes_str(format)));
	TRY(hex_decode_fixed(a->signer.b, sizeof(a->signer.b), bytes_str(signer)));
	return hex_decode_fixed(a->signature.b, sizeof(a->signature.b), bytes_str(signature));
}

enum err attestation_parse(struct attestation *ret_a, struct bytes text)
{
	json_t *o CLEANUP(json_free_ptr) = NULL;
	struct attestation a = {0};

	TRY(json_parse(&o, text, ATTESTATION_TEXT_MAX, NULL));
	TRY(read_members(&a, o));
	*ret_a = a;
	return ERR_OK;
}

/* ---- signature ---- */

static void hash_u256(struct keccak256 *k, struct u256 v)
{
	uint8_t be[32];

	u256_to_be(be, v);
	keccak256_add(k, BYTES_OF(be));
}

/* "FHEVMCTA" || 1 || handle || key id || context || digest || sns digest || format: 170 bytes,
 * signed as they are. */
struct hash32 attestation_digest(const struct attestation *a, const struct hash32 *handle,
				 struct u256 context)
{
	const uint8_t version = 1, format = (uint8_t)a->format;
	struct keccak256 k;

	keccak256_init(&k);
	keccak256_add(&k, BYTES_LIT("FHEVMCTA"));
	keccak256_add(&k, bytes_from(&version, 1));
	keccak256_add(&k, BYTES_OF(handle->b));
	hash_u256(&k, a->key_id);
	hash_u256(&k, context);
	keccak256_add(&k, BYTES_OF(a->ciphertext_digest.b));
	keccak256_add(&k, BYTES_OF(a->sns_digest.b));
	keccak256_add(&k, bytes_from(&format, 1));
	return keccak256_final(&k);
}

enum err attestation_verify(const struct attestation *a, const struct hash32 *handle,
			    const struct ecdsa *ecdsa)
{
	struct hash32 digest = attestation_digest(a, handle, u256_from_u64(COPROCESSOR_CONTEXT_ID));
	struct address signer;

	if (ecdsa_recover(ecdsa, &signer, BYTES_OF(a->signature.b), digest) != ERR_OK)
		return ERR_MISMATCH;
	return address_eq(signer, a->signer) ? ERR_OK : ERR_MISMATCH;
}

/* ---- consensus ---- */

/* Orders materials: key id, digests, format. */
static int material_cmp(const struct attestation *a, const struct attestation *b)
{
	int c = u256_cmp(a->key_id, b->key_id);

	if (c == 0)
		c = memcmp(a->ciphertext_digest.b, b->ciphertext_digest.b,
			   sizeof(a->ciphertext_digest.b));
	if (c == 0)
		c = memcmp(a->sns_digest.b, b->sns_digest.b, sizeof(a->sns_digest.b));
	return c != 0 ? c : (int)a->format - (int)b->format;
}

bool attestation_agrees(const struct attestation *a, const struct attestation *b)
{
	return material_cmp(a, b) == 0;
}

/* One signer counts once, however many buckets show its word. */
static bool signer_counted(const struct attestation *const *list, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (attestation_agrees(list[i], list[at]) &&
		    address_eq(list[i]->signer, list[at]->signer))
			return true;
	return false;
}

int attestation_consensus(const struct attestation *const *list, size_t n, size_t threshold)
{
	size_t best_votes = 0;
	int best = -1;

	CHECK(threshold > 0 && n <= INT32_MAX);
	for (size_t i = 0; i < n; i++) {
		size_t votes = 0;

		for (size_t j = 0; j < n; j++)
			if (attestation_agrees(list[i], list[j]) && !signer_counted(list, j))
				votes++;
		if (votes > best_votes ||
		    (votes == best_votes && best >= 0 && material_cmp(list[i], list[best]) < 0)) {
			best_votes = votes;
			best = (int)i;
		}
	}
	return best_votes >= threshold ? best : -1;
}
