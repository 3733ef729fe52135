/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/signcrypt.h"

#include "base/limits.h"
#include "base/rng.h"
#include "codec/safe_serialize.h"
#include "crypto/aes_gcm.h"
#include "crypto/sha.h"

static const char signature_dsep[] = "USER_DEC";
static const char fingerprint_dsep[] = "SIGNCRYP";

/* ---- the user's key ---- */

enum err enc_key_read(struct enc_key *ret_key, struct bytes serialized, struct err_note *note)
{
	static const char *const names[] = {"UnifiedPublicEncKey", NULL};
	struct reader r = reader_of(serialized);
	size_t index;

	if (serialized.n != ENC_KEY_SIZE)
		return err_say(note, ERR_MALFORMED, "%zu bytes instead of %d", serialized.n,
			       ENC_KEY_SIZE);
	if (safe_serialize_open(&r, names, &index, note) != ERR_OK)
		return ERR_MALFORMED;
	bincode_expect_u32(&r, 0); /* version */
	bincode_expect_u32(&r, 0); /* variant MlKem512 */

	struct bytes ek = bincode_vec(&r, MLKEM_512_EK_SIZE);

	if (reader_end(&r) != ERR_OK)
		return err_say(note, ERR_MALFORMED, "not an ML-KEM-512 key");

	enum err e = mlkem_ek_check(MLKEM_512, ek);

	if (e == ERR_MALFORMED)
		return err_say(note, e, "a coefficient of the key is not below q");
	TRY(e);
	*ret_key = (struct enc_key){.serialized = serialized, .ek = ek};
	return ERR_OK;
}

/* Handles as the elements of a bytes32[]; they stay borrowed. */
static enum err handles_value(struct abi_value *ret_value, struct arena *memory,
			      const struct hash32 *handles, size_t n)
{
	struct abi_value *items = arena_alloc_array(memory, n, sizeof(*items));

	if (!items)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		items[i] = abi_hash(&handles[i]);
	*ret_value = abi_items(items, n);
	return ERR_OK;
}

static struct arena handles_arena(void)
{
	return arena_make(HANDLES_PER_REQUEST_MAX * 2 * sizeof(struct abi_value));
}

enum err signcrypt_link(struct hash32 *ret_link, const struct eip712_domain *domain,
			const struct enc_key *key, const struct hash32 *handles, size_t handles_n,
			struct address user)
{
	CLEANUP(arena_free) struct arena memory = handles_arena();
	struct abi_value list;

	TRY(handles_value(&list, &memory, handles, handles_n));

	const struct abi_value members[] = {abi_bytes(key->serialized), list, abi_address(user)};

	return eip712_digest(ret_link, domain, EIP712_USER_LINKER, members, ARRAY_LEN(members));
}

/* ---- sealing ---- */

/* SHAKE-256("SIGNCRYP" || bincode of the key). */
static enum err fingerprint(struct hash32 *ret_print, struct bytes key)
{
	CLEANUP(buf_free) struct buf encoded = buf_make(8 + MLKEM_512_EK_SIZE);
	struct bincode_writer w = {.out = &encoded};

	bincode_put_vec(&w, key);
	TRY(bincode_end(&w));
	return kms_digest(ret_print, fingerprint_dsep, buf_view(&encoded));
}

enum err signcrypt_begin(struct signcrypt *ret_s, const struct signing_key *signer,
			 const struct enc_key *key, struct address user, struct hash32 link)
{
	struct signcrypt s = {.signer = signer, .ek = key->ek, .user = user, .link = link};

	TRY(fingerprint(&s.user_fingerprint, key->ek));
	TRY(fingerprint(&s.server_fingerprint, BYTES_OF(signer->public_key.b)));
	*ret_s = s;
	return ERR_OK;
}

enum {
	MESSAGE_OVERHEAD = 8 + 4 + 8 + 32,
	SIGNED_OVERHEAD = MESSAGE_OVERHEAD + 20 + 32,
	UNSEALED_OVERHEAD = MESSAGE_OVERHEAD + 64 + 32,
};

static enum err message_write(struct buf *out, const struct signcrypt *s, enum fhe_type type,
			      struct bytes plaintext)
{
	struct bincode_writer w = {.out = out};

	bincode_put_vec(&w, plaintext);
	bincode_put_u32(&w, (uint32_t)type); /* i32 upstream; types are small */
	bincode_put_vec(&w, BYTES_OF(s->link.b));
	return bincode_end(&w);
}

static enum err message_sign(struct signature64 *ret_sig, const struct signcrypt *s,
			     struct bytes message)
{
	CLEANUP(secret32_wipe) struct secret32 key = signing_key_scalar(s->signer);
	CLEANUP(buf_wipe)
	struct buf covered = buf_make(SIGNCRYPT_PLAINTEXT_SIZE_MAX + SIGNED_OVERHEAD);

	TRY(buf_reserve(&covered, message.n + SIGNED_OVERHEAD - MESSAGE_OVERHEAD));
	TRY(buf_add(&covered, message));
	TRY(buf_add(&covered, BYTES_OF(s->user.b)));
	TRY(buf_add(&covered, BYTES_OF(s->user_fingerprint.b)));
	return ecdsa_sign_kms(s->signer->ecdsa, ret_sig, &key, signature_dsep, buf_view(&covered));
}

/* HybridKemCt: nonce || vec(KEM ciphertext) || vec(ciphertext || tag). */
static enum err seal(struct buf *out, const struct signcrypt *s, struct bytes unsealed,
		     struct rng *rng)
{
	CLEANUP(secret32_wipe) struct secret32 m, shared;
	uint8_t nonce[AES_GCM_NONCE_SIZE], kem_ct[MLKEM_512_CT_SIZE];
	struct bincode_writer w = {.out = out};

	rng_fill(rng, m.b, sizeof(m.b));
	rng_fill(rng, nonce, sizeof(nonce));
	TRY(mlkem_encaps(MLKEM_512, &shared, kem_ct, s->ek, &m));
	bincode_put_raw(&w, BYTES_OF(nonce));
	bincode_put_vec(&w, BYTES_OF(kem_ct));
	bincode_put_u64(&w, unsealed.n + AES_GCM_TAG_SIZE);
	TRY(bincode_end(&w));
	return aes_gcm_seal(out, &shared, nonce, BYTES_NONE, unsealed);
}

enum err signcrypt_seal(struct buf *out, const struct signcrypt *s, enum fhe_type type,
			struct bytes plaintext, struct rng *rng)
{
	CLEANUP(buf_wipe)
	struct buf unsealed = buf_make(SIGNCRYPT_PLAINTEXT_SIZE_MAX + UNSEALED_OVERHEAD);
	struct signature64 signature;
	size_t before = out->n;

	if (plaintext.n > SIGNCRYPT_PLAINTEXT_SIZE_MAX)
		return ERR_RANGE;
	/* Room for all of it at once: growing would leave copies of the plaintext behind. */
	TRY(buf_reserve(&unsealed, plaintext.n + UNSEALED_OVERHEAD));
	TRY(message_write(&unsealed, s, type, plaintext));
	TRY(message_sign(&signature, s, buf_view(&unsealed)));
	TRY(buf_add(&unsealed, BYTES_OF(signature.b)));
	TRY(buf_add(&unsealed, BYTES_OF(s->server_fingerprint.b)));

	enum err e = seal(out, s, buf_view(&unsealed), rng);

	if (e != ERR_OK)
		out->n = before;
	return e;
}

/* ---- the answer ---- */

enum err signcrypt_payload_encode(struct buf *out, const struct signcrypt_payload *p)
{
	struct bincode_writer w = {.out = out};
	size_t before = out->n;

	bincode_put_vec(&w, bytes_from(p->verification_key, VERIFICATION_KEY_SIZE));
	bincode_put_vec(&w, BYTES_OF(p->link.b));
	bincode_put_u64(&w, p->items_n);
	for (size_t i = 0; i < p->items_n; i++) {
		const struct signcrypted *item = &p->items[i];

		bincode_put_u32(&w, (uint32_t)item->type);
		bincode_put_vec(&w, item->sealed);
		bincode_put_vec(&w, item->external_handle);
		bincode_put_u32(&w, item->packing_factor);
	}
	bincode_put_u32(&w, p->party_id);
	bincode_put_u32(&w, p->degree);
	if (bincode_end(&w) != ERR_OK)
		out->n = before;
	return bincode_end(&w);
}

enum err signcrypt_response_digest(struct hash32 *ret_digest, const struct eip712_domain *domain,
				   const struct enc_key *key, const struct hash32 *handles,
				   size_t handles_n, struct bytes payload, struct bytes extra_data)
{
	CLEANUP(arena_free) struct arena memory = handles_arena();
	struct abi_value list;

	TRY(handles_value(&list, &memory, handles, handles_n));

	const struct abi_value members[] = {abi_bytes(key->serialized), list, abi_bytes(payload),
					    abi_bytes(extra_data)};

	return eip712_digest(ret_digest, domain, EIP712_USER_RESPONSE, members, ARRAY_LEN(members));
}
