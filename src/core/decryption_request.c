/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/decryption_request.h"

#include "base/limits.h"
#include "codec/bincode.h"
#include "core/request_id.h"
#include "crypto/sha.h"
#include "eth/text.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

/* extra_data: a version byte, then the context, then the epoch. */
enum {
	EXTRA_V0_SIZE = 1,
	EXTRA_V1_SIZE = 1 + 32,
	EXTRA_V2_SIZE = 1 + 32 + 32,
};

/* What the digest is made over: 72 bytes for each ciphertext, and the rest. */
enum {
	DIGEST_TEXT_MAX =
		80 * HANDLES_PER_REQUEST_MAX + CORE_EXTRA_DATA_MAX + 2 * CORE_DOMAIN_TEXT_MAX + 1024
};

/* ---- fields ---- */

static enum err id_read(struct hash32 *ret_id, const Kms__V1__RequestId *id, const char *field,
			struct err_note *note)
{
	if (!id)
		return err_say(note, ERR_BAD_REQUEST, "%s is missing", field);
	if (request_id_parse(ret_id, bytes_str(id->request_id)) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST,
			       "%s is not an identifier of 64 hexadecimal digits", field);
	return ERR_OK;
}

static enum err optional_id_read(struct hash32 *ret_id, const Kms__V1__RequestId *id,
				 struct hash32 absent, const char *field, struct err_note *note)
{
	if (id)
		return id_read(ret_id, id, field, note);
	*ret_id = absent;
	return ERR_OK;
}

static enum err domain_read(struct eip712_domain *ret_domain, const Kms__V1__Eip712DomainMsg *d,
			    struct err_note *note)
{
	struct eip712_domain domain = {0};

	if (!d)
		return err_say(note, ERR_BAD_REQUEST, "domain is missing");
	domain.name = bytes_str(d->name);
	domain.version = bytes_str(d->version);
	if (domain.name.n > CORE_DOMAIN_TEXT_MAX || domain.version.n > CORE_DOMAIN_TEXT_MAX)
		return err_say(note, ERR_BAD_REQUEST,
			       "domain.name or domain.version is longer than %d bytes",
			       CORE_DOMAIN_TEXT_MAX);
	if (d->chain_id.len == 0 ||
	    u256_from_bytes_be(&domain.chain_id, protobuf_view(d->chain_id)) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST, "domain.chain_id has %zu bytes, not 1 to 32",
			       d->chain_id.len);
	if (address_parse_checksum(&domain.verifying_contract, bytes_str(d->verifying_contract)) !=
	    ERR_OK)
		return err_say(note, ERR_BAD_REQUEST,
			       "domain.verifying_contract is not an EIP-55 address");
	if (d->salt_presence_case == KMS__V1__EIP712_DOMAIN_MSG__SALT_PRESENCE_SALT) {
		if (d->salt.len != sizeof(domain.salt.b))
			return err_say(note, ERR_BAD_REQUEST, "domain.salt has %zu bytes, not 32",
				       d->salt.len);
		memcpy(domain.salt.b, d->salt.data, sizeof(domain.salt.b));
		domain.has_salt = true;
	}
	*ret_domain = domain;
	return ERR_OK;
}

static enum err item_read(struct decryption_item *item, const Kms__V1__TypedCiphertext *c,
			  size_t at, struct err_note *note)
{
	const struct fhe_type_row *type =
		c->fhe_type < 0 ? NULL : fhe_type_find((unsigned)c->fhe_type);
	struct bytes handle = protobuf_view(c->external_handle);

	if (c->ciphertext.len == 0 || c->ciphertext.len > CIPHERTEXT_SIZE_MAX)
		return err_say(note, ERR_BAD_REQUEST, "ciphertexts[%zu].ciphertext has %zu bytes",
			       at, c->ciphertext.len);
	if (handle.n == 0 || handle.n > sizeof(item->handle.b))
		return err_say(note, ERR_BAD_REQUEST,
			       "ciphertexts[%zu].external_handle has %zu bytes, not 1 to 32", at,
			       handle.n);
	if (!type || !type->decryptable)
		return err_say(note, ERR_BAD_REQUEST,
			       "ciphertexts[%zu].fhe_type %d has no public decryption", at,
			       (int)c->fhe_type);
	if ((unsigned)c->ciphertext_format > FHE_BIG_EXPANDED)
		return err_say(note, ERR_BAD_REQUEST,
			       "ciphertexts[%zu].ciphertext_format %d is unknown", at,
			       (int)c->ciphertext_format);
	item->ciphertext = protobuf_view(c->ciphertext);
	item->handle = (struct hash32){{0}};
	memcpy(&item->handle.b[sizeof(item->handle.b) - handle.n], handle.p, handle.n);
	item->type = type->type;
	item->format = (enum fhe_format)c->ciphertext_format;
	return ERR_OK;
}

static enum err items_read(struct decryption_request *r, const Kms__V1__PublicDecryptionRequest *m,
			   struct arena *memory, struct err_note *note)
{
	if (m->n_ciphertexts == 0)
		return err_say(note, ERR_BAD_REQUEST, "ciphertexts is empty");
	if (m->n_ciphertexts > HANDLES_PER_REQUEST_MAX)
		return err_say(note, ERR_BAD_REQUEST,
			       "ciphertexts has %zu entries, at most %d are served",
			       m->n_ciphertexts, HANDLES_PER_REQUEST_MAX);

	struct decryption_item *items = arena_alloc_array(memory, m->n_ciphertexts, sizeof(*items));

	if (!items)
		return ERR_NOMEM;
	for (size_t i = 0; i < m->n_ciphertexts; i++)
		TRY(item_read(&items[i], m->ciphertexts[i], i, note));
	r->items = items;
	r->items_n = m->n_ciphertexts;
	return ERR_OK;
}

static enum err schemes_check(const Kms__V1__PublicDecryptionRequest *m, struct err_note *note)
{
	for (size_t i = 0; i < m->n_signing_schemes; i++)
		if ((unsigned)m->signing_schemes[i] > KMS__V1__SIGNING_SCHEME_TYPE__MLDSA87)
			return err_say(note, ERR_BAD_REQUEST,
				       "signing_schemes has the unknown number %d",
				       (int)m->signing_schemes[i]);
	return ERR_OK;
}

/* Known to the protocol, not served by this node. */
static enum err served_check(struct decryption_request *r,
			     const Kms__V1__PublicDecryptionRequest *m, struct err_note *note)
{
	for (size_t i = 0; i < m->n_signing_schemes; i++)
		if (m->signing_schemes[i] != KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1)
			return err_say(note, ERR_UNSUPPORTED,
				       "this node signs with ECDSA256K1 only");
	r->wants_ecdsa = m->n_signing_schemes > 0;
	for (size_t i = 0; i < r->items_n; i++)
		if (r->items[i].format != FHE_BIG_COMPRESSED)
			return err_say(note, ERR_UNSUPPORTED,
				       "this node decrypts BigCompressed ciphertexts only");
	return ERR_OK;
}

/* Upstream signs the bytes whatever they say, and so must we: the client's contract checks them. */
static bool extra_data_fits(const struct decryption_request *r)
{
	struct reader in = reader_of(r->extra_data);
	uint8_t version = reader_u8(&in);

	if (r->extra_data.n == 0 || (version == 0 && r->extra_data.n == EXTRA_V0_SIZE))
		return true;
	if (!(version == 1 && r->extra_data.n == EXTRA_V1_SIZE) &&
	    !(version == 2 && r->extra_data.n == EXTRA_V2_SIZE))
		return false;
	if (!bytes_eq_var(reader_bytes(&in, 32), BYTES_OF(r->context_id.b)))
		return false;
	return version == 1 || bytes_eq_var(reader_bytes(&in, 32), BYTES_OF(r->epoch_id.b));
}

/* ---- digest of the content ---- */

/* Everything in a fixed order, each part with its length; ciphertexts by their digests. */
static enum err digest_make(struct decryption_request *r)
{
	CLEANUP(buf_free) struct buf text = buf_make(DIGEST_TEXT_MAX);
	struct bincode_writer w = {.out = &text};
	uint8_t chain_id[32];
	struct hash32 digest;

	u256_to_be(chain_id, r->domain.chain_id);
	bincode_put_str(&w, "PublicDecryptionRequest");
	bincode_put_raw(&w, BYTES_OF(r->id.b));
	bincode_put_raw(&w, BYTES_OF(r->key_id.b));
	bincode_put_raw(&w, BYTES_OF(r->context_id.b));
	bincode_put_raw(&w, BYTES_OF(r->epoch_id.b));
	bincode_put_vec(&w, r->domain.name);
	bincode_put_vec(&w, r->domain.version);
	bincode_put_raw(&w, BYTES_OF(chain_id));
	bincode_put_raw(&w, BYTES_OF(r->domain.verifying_contract.b));
	bincode_put_u8(&w, r->domain.has_salt);
	bincode_put_raw(&w, BYTES_OF(r->domain.salt.b));
	bincode_put_vec(&w, r->extra_data);
	bincode_put_u8(&w, r->wants_ecdsa);
	bincode_put_u64(&w, r->items_n);
	for (size_t i = 0; i < r->items_n; i++) {
		const struct decryption_item *item = &r->items[i];

		TRY(sha256(&digest, &item->ciphertext, 1));
		bincode_put_raw(&w, BYTES_OF(digest.b));
		bincode_put_raw(&w, BYTES_OF(item->handle.b));
		bincode_put_u32(&w, item->type);
		bincode_put_u32(&w, item->format);
	}
	TRY(bincode_end(&w));

	struct bytes all = buf_view(&text);

	return sha256(&r->digest, &all, 1);
}

enum err decryption_request_read(struct decryption_request *ret_request,
				 const struct key_ring *keys, struct bytes message,
				 struct arena *memory, struct err_note *note)
{
	struct decryption_request r = {0};
	ProtobufCMessage *unpacked;
	enum err e = protobuf_unpack(&unpacked, &kms__v1__public_decryption_request__descriptor,
				     message, memory);

	if (e != ERR_OK)
		return err_say(note, e,
			       e == ERR_TOO_BIG ? "the message passes the limits of this node"
						: "the message is not a PublicDecryptionRequest");

	const Kms__V1__PublicDecryptionRequest *m =
		(const Kms__V1__PublicDecryptionRequest *)unpacked;

	TRY(id_read(&r.id, m->request_id, "request_id", note));
	TRY(items_read(&r, m, memory, note));
	TRY(id_read(&r.key_id, m->key_id, "key_id", note));
	TRY(domain_read(&r.domain, m->domain, note));
	r.extra_data = protobuf_view(m->extra_data);
	if (r.extra_data.n > CORE_EXTRA_DATA_MAX)
		return err_say(note, ERR_BAD_REQUEST, "extra_data has more than %d bytes",
			       CORE_EXTRA_DATA_MAX);
	TRY(optional_id_read(&r.context_id, m->context_id, request_id_default_context, "context_id",
			     note));
	TRY(optional_id_read(&r.epoch_id, m->epoch_id, request_id_default_epoch, "epoch_id", note));
	TRY(schemes_check(m, note));
	TRY(served_check(&r, m, note));
	if (!hash32_eq(r.context_id, request_id_default_context))
		return err_say(note, ERR_NOT_FOUND, "context_id is not known to this node");
	if (!key_ring_has_epoch(keys, r.epoch_id))
		return err_say(note, ERR_NOT_FOUND, "epoch_id is not known to this node");
	r.key = key_ring_find(keys, r.epoch_id, r.key_id);
	if (!r.key)
		return err_say(note, ERR_NOT_FOUND, "key_id is not known to this node");
	r.extra_data_differs = !extra_data_fits(&r);
	TRY(digest_make(&r));
	*ret_request = r;
	return ERR_OK;
}
