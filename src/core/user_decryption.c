/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/user_decryption.h"

#include "base/rng.h"
#include "core/threshold_key.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

/* What is sealed: values, or shares. */
struct contents {
	const struct fhe_plaintext *values;
	const struct user_decryption_shares *shares; /* if values is NULL */
	uint32_t party_id, degree;
};

/* Parts of the answer; `sealed` owns what the items look at. */
struct parts {
	struct arena memory;
	struct buf sealed, payload_bytes;
	struct signcrypted *items;
	uint8_t verification_key[VERIFICATION_KEY_SIZE];
	struct signcrypt_payload payload;
	struct signature64 internal;
	struct signature65 external;
};

static struct parts parts_make(void)
{
	return (struct parts){
		.memory = arena_make(HANDLES_PER_REQUEST_MAX *
				     (2 * sizeof(struct signcrypted) +
				      2 * sizeof(Kms__V1__TypedSigncryptedCiphertext) + 128)),
		.sealed = buf_make(USER_DECRYPTION_ANSWER_MAX),
		.payload_bytes = buf_make(USER_DECRYPTION_ANSWER_MAX),
	};
}

static void parts_free(struct parts *p)
{
	arena_free(&p->memory);
	buf_free(&p->sealed);
	buf_free(&p->payload_bytes);
}

static enum err handles_of(const struct hash32 **ret_handles, struct arena *memory,
			   const struct decryption_request *r)
{
	struct hash32 *handles = arena_alloc_array(memory, r->items_n, sizeof(*handles));

	if (!handles)
		return ERR_NOMEM;
	for (size_t i = 0; i < r->items_n; i++)
		handles[i] = r->items[i].handle;
	*ret_handles = handles;
	return ERR_OK;
}

/* Vec<ResiduePoly<Z128, 4>>. */
static enum err shares_encode(uint8_t out[USER_DECRYPTION_SHARE_MAX], size_t *ret_n,
			      const struct user_decryption_shares *s, enum fhe_type type)
{
	struct gr packed[MPC_BLOCKS_MAX / GR_DEGREE];
	size_t n = (s->n + GR_DEGREE - 1) / GR_DEGREE;

	if (s->n == 0 || s->n != threshold_blocks(type))
		return ERR_RANGE;
	mpc_decryption_pack(packed, s->blocks, s->n);
	memset(out, 0, 8);
	out[0] = (uint8_t)n;
	for (size_t i = 0; i < n; i++)
		gr_put(&out[8 + i * GR_SIZE], &packed[i]);
	*ret_n = 8 + n * GR_SIZE;
	secret_wipe(packed, sizeof(packed));
	return ERR_OK;
}

static enum err item_seal(struct parts *p, const struct contents *c, size_t i, enum fhe_type type,
			  const struct signcrypt *s, struct rng *rng)
{
	uint8_t encoded[USER_DECRYPTION_SHARE_MAX];
	size_t n;
	enum err e;

	if (c->values)
		return signcrypt_seal(&p->sealed, s, type,
				      bytes_from(c->values[i].le, c->values[i].n), rng);
	TRY(shares_encode(encoded, &n, &c->shares[i], type));
	e = signcrypt_seal(&p->sealed, s, type, bytes_from(encoded, n), rng);
	secret_wipe(encoded, sizeof(encoded));
	return e;
}

static enum err items_seal(struct parts *p, const struct decryption_request *r,
			   const struct contents *c, const struct signcrypt *s, struct rng *rng)
{
	size_t size = c->values ? sizeof(c->values->le) : USER_DECRYPTION_SHARE_MAX;

	p->items = arena_alloc_array(&p->memory, r->items_n, sizeof(*p->items));
	if (!p->items)
		return ERR_NOMEM;
	/* At once: the items look into it. */
	TRY(buf_reserve(&p->sealed, r->items_n * (size + SIGNCRYPT_OVERHEAD)));
	for (size_t i = 0; i < r->items_n; i++) {
		size_t before = p->sealed.n;
		enum fhe_type type = r->items[i].type;

		TRY(item_seal(p, c, i, type, s, rng));
		p->items[i] = (struct signcrypted){
			.type = type,
			.sealed = bytes_sub(buf_view(&p->sealed), before, p->sealed.n - before),
			.external_handle = r->items[i].external_handle,
			.packing_factor = c->values ? 1 : threshold_packing_factor(type),
		};
	}
	return ERR_OK;
}

static enum err parts_fill(struct parts *p, const struct decryption_request *r,
			   const struct contents *c, const struct signing_key *signer,
			   struct rng *rng)
{
	CLEANUP(secret32_wipe) struct secret32 key = signing_key_scalar(signer);
	const struct hash32 *handles;
	struct signcrypt s;
	struct hash32 link, digest;

	TRY(handles_of(&handles, &p->memory, r));
	TRY(signcrypt_link(&link, &r->domain, &r->enc_key, handles, r->items_n, r->user));
	TRY(signcrypt_begin(&s, signer, &r->enc_key, r->user, link));
	TRY(items_seal(p, r, c, &s, rng));
	signing_key_verification_key(p->verification_key, signer);
	p->payload = (struct signcrypt_payload){
		.verification_key = p->verification_key,
		.link = link,
		.items = p->items,
		.items_n = r->items_n,
		.party_id = c->party_id,
		.degree = c->degree,
	};
	TRY(signcrypt_payload_encode(&p->payload_bytes, &p->payload));
	TRY(ecdsa_sign_kms(signer->ecdsa, &p->internal, &key, "USER_DEC",
			   buf_view(&p->payload_bytes)));
	TRY(signcrypt_response_digest(&digest, &r->domain, &r->enc_key, handles, r->items_n,
				      buf_view(&p->payload_bytes), r->extra_data));
	return ecdsa_sign65(signer->ecdsa, &p->external, &key, digest);
}

static enum err parts_pack(struct buf *answer, struct parts *p, const struct decryption_request *r)
{
	size_t n = p->payload.items_n;
	Kms__V1__TypedSigncryptedCiphertext *items =
		arena_alloc_array(&p->memory, n, sizeof(*items));
	Kms__V1__TypedSigncryptedCiphertext **list =
		arena_alloc_array(&p->memory, n, sizeof(*list));
	Kms__V1__UserDecryptionResponse response = KMS__V1__USER_DECRYPTION_RESPONSE__INIT;
	Kms__V1__UserDecryptionResponsePayload payload =
		KMS__V1__USER_DECRYPTION_RESPONSE_PAYLOAD__INIT;
	Kms__V1__TypedSignature typed = KMS__V1__TYPED_SIGNATURE__INIT, *typed_list[] = {&typed};

	if (!items || !list)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct signcrypted *from = &p->payload.items[i];

		kms__v1__typed_signcrypted_ciphertext__init(&items[i]);
		items[i].fhe_type = (int32_t)from->type;
		items[i].signcrypted_ciphertext = protobuf_borrow(from->sealed);
		items[i].external_handle = protobuf_borrow(from->external_handle);
		items[i].packing_factor = from->packing_factor;
		list[i] = &items[i];
	}
	payload.verification_key = protobuf_borrow(BYTES_OF(p->verification_key));
	payload.digest = protobuf_borrow(BYTES_OF(p->payload.link.b));
	payload.signcrypted_ciphertexts = list;
	payload.n_signcrypted_ciphertexts = n;
	payload.party_id = p->payload.party_id;
	payload.degree = p->payload.degree;
	typed.scheme = KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1;
	typed.signature = protobuf_borrow(BYTES_OF(p->external.b));
	response.signature = protobuf_borrow(BYTES_OF(p->internal.b));
	response.external_signature = typed.signature;
	response.payload = &payload;
	response.extra_data = protobuf_borrow(r->extra_data);
	response.signatures = typed_list;
	response.n_signatures = r->wants_ecdsa ? 1 : 0;
	return protobuf_pack(answer, &response.base);
}

static enum err contents_sign(struct buf *answer, const struct decryption_request *r,
			      const struct contents *c, const struct signing_key *signer,
			      struct rng *rng)
{
	CLEANUP(parts_free) struct parts p = parts_make();

	TRY(parts_fill(&p, r, c, signer, rng));
	return parts_pack(answer, &p, r);
}

enum err user_decryption_sign(struct buf *answer, const struct decryption_request *r,
			      const struct fhe_plaintext *values, const struct signing_key *signer,
			      struct rng *rng)
{
	const struct contents c = {.values = values, .party_id = 1};

	return contents_sign(answer, r, &c, signer, rng);
}

enum err user_decryption_sign_shares(struct buf *answer, const struct decryption_request *r,
				     const struct user_decryption_shares *shares,
				     const struct mpc_group *g, const struct signing_key *signer,
				     struct rng *rng)
{
	const struct contents c = {.shares = shares, .party_id = g->me, .degree = g->t};

	return contents_sign(answer, r, &c, signer, rng);
}
