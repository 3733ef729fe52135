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

/* What the digest is made over: at most 112 bytes for each ciphertext, and the rest. */
enum {
	DIGEST_TEXT_MAX = 120 * HANDLES_PER_REQUEST_MAX + CORE_EXTRA_DATA_MAX +
			  2 * CORE_DOMAIN_TEXT_MAX + ENC_KEY_SIZE + 1024
};

/* ---- the messages ---- */

/* The fields of either message. */
struct fields {
	Kms__V1__RequestId *id, *key_id, *context_id, *epoch_id;
	Kms__V1__TypedCiphertext **items;
	size_t items_n;
	Kms__V1__Eip712DomainMsg *domain;
	ProtobufCBinaryData extra_data;
	const Kms__V1__SigningSchemeType *schemes;
	size_t schemes_n;
	const char *client_address;
	ProtobufCBinaryData enc_key;
};

static struct fields public_fields(const ProtobufCMessage *message)
{
	const Kms__V1__PublicDecryptionRequest *m =
		(const Kms__V1__PublicDecryptionRequest *)message;

	return (struct fields){
		.id = m->request_id,
		.key_id = m->key_id,
		.context_id = m->context_id,
		.epoch_id = m->epoch_id,
		.items = m->ciphertexts,
		.items_n = m->n_ciphertexts,
		.domain = m->domain,
		.extra_data = m->extra_data,
		.schemes = m->signing_schemes,
		.schemes_n = m->n_signing_schemes,
	};
}

static struct fields user_fields(const ProtobufCMessage *message)
{
	const Kms__V1__UserDecryptionRequest *m = (const Kms__V1__UserDecryptionRequest *)message;

	return (struct fields){
		.id = m->request_id,
		.key_id = m->key_id,
		.context_id = m->context_id,
		.epoch_id = m->epoch_id,
		.items = m->typed_ciphertexts,
		.items_n = m->n_typed_ciphertexts,
		.domain = m->domain,
		.extra_data = m->extra_data,
		.schemes = m->signing_schemes,
		.schemes_n = m->n_signing_schemes,
		.client_address = m->client_address,
		.enc_key = m->enc_key,
	};
}

static const struct form {
	const char *name; /* also begins the digest of the content: never changes */
	const ProtobufCMessageDescriptor *descriptor;
	struct fields (*fields)(const ProtobufCMessage *message);
	const char *items; /* the name of that field */
} forms[REQUEST_KINDS] = {
	[REQUEST_PUBLIC_DECRYPTION] = {"PublicDecryptionRequest",
				       &kms__v1__public_decryption_request__descriptor,
				       public_fields, "ciphertexts"},
	[REQUEST_USER_DECRYPTION] = {"UserDecryptionRequest",
				     &kms__v1__user_decryption_request__descriptor, user_fields,
				     "typed_ciphertexts"},
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
			  struct err_note *note)
{
	const struct fhe_type_row *type =
		c->fhe_type < 0 ? NULL : fhe_type_find((unsigned)c->fhe_type);
	struct bytes handle = protobuf_view(c->external_handle);

	if (c->ciphertext.len == 0 || c->ciphertext.len > CIPHERTEXT_SIZE_MAX)
		return err_say(note, ERR_BAD_REQUEST, "ciphertext has %zu bytes",
			       c->ciphertext.len);
	if (handle.n == 0 || handle.n > sizeof(item->handle.b))
		return err_say(note, ERR_BAD_REQUEST, "external_handle has %zu bytes, not 1 to 32",
			       handle.n);
	if (!type || !type->decryptable)
		return err_say(note, ERR_BAD_REQUEST, "fhe_type %d has no decryption",
			       (int)c->fhe_type);
	if ((unsigned)c->ciphertext_format > FHE_BIG_EXPANDED)
		return err_say(note, ERR_BAD_REQUEST, "ciphertext_format %d is unknown",
			       (int)c->ciphertext_format);
	item->ciphertext = protobuf_view(c->ciphertext);
	item->external_handle = handle;
	item->handle = (struct hash32){{0}};
	memcpy(&item->handle.b[sizeof(item->handle.b) - handle.n], handle.p, handle.n);
	item->type = type->type;
	item->format = (enum fhe_format)c->ciphertext_format;
	return ERR_OK;
}

static enum err items_read(struct decryption_request *r, const struct fields *f,
			   struct arena *memory, struct err_note *note)
{
	const char *field = forms[r->kind].items;

	if (f->items_n == 0)
		return err_say(note, ERR_BAD_REQUEST, "%s is empty", field);
	if (f->items_n > HANDLES_PER_REQUEST_MAX)
		return err_say(note, ERR_BAD_REQUEST, "%s has %zu entries, at most %d are served",
			       field, f->items_n, HANDLES_PER_REQUEST_MAX);

	struct decryption_item *items = arena_alloc_array(memory, f->items_n, sizeof(*items));

	if (!items)
		return ERR_NOMEM;
	for (size_t i = 0; i < f->items_n; i++) {
		enum err e = item_read(&items[i], f->items[i], note);

		if (e != ERR_OK)
			return err_prefix(note, e, "%s[%zu]", field, i);
	}
	r->items = items;
	r->items_n = f->items_n;
	return ERR_OK;
}

static enum err schemes_check(const struct fields *f, struct err_note *note)
{
	for (size_t i = 0; i < f->schemes_n; i++)
		if ((unsigned)f->schemes[i] > KMS__V1__SIGNING_SCHEME_TYPE__MLDSA87)
			return err_say(note, ERR_BAD_REQUEST,
				       "signing_schemes has the unknown number %d",
				       (int)f->schemes[i]);
	return ERR_OK;
}

/* For whom. That this user may is not asked here: the chain and the connector proved it. */
static enum err user_read(struct decryption_request *r, const struct fields *f,
			  struct err_note *note)
{
	if (r->kind != REQUEST_USER_DECRYPTION)
		return ERR_OK;
	if (address_parse_checksum(&r->user, bytes_str(f->client_address)) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST, "client_address is not an EIP-55 address");
	if (address_eq(r->user, r->domain.verifying_contract))
		return err_say(note, ERR_BAD_REQUEST,
			       "client_address is domain.verifying_contract");

	enum err e = enc_key_read(&r->enc_key, protobuf_view(f->enc_key), note);

	if (e == ERR_MALFORMED)
		return err_prefix(note, ERR_BAD_REQUEST, "enc_key");
	return e;
}

/* Known to the protocol, not served by this node. */
static enum err served_check(struct decryption_request *r, const struct fields *f,
			     struct err_note *note)
{
	for (size_t i = 0; i < f->schemes_n; i++)
		if (f->schemes[i] != KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1)
			return err_say(note, ERR_UNSUPPORTED,
				       "this node signs with ECDSA256K1 only");
	r->wants_ecdsa = f->schemes_n > 0;
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
	bincode_put_str(&w, forms[r->kind].name);
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
		if (r->kind == REQUEST_USER_DECRYPTION)
			bincode_put_vec(&w, item->external_handle); /* is in the answer */
	}
	if (r->kind == REQUEST_USER_DECRYPTION) {
		bincode_put_raw(&w, BYTES_OF(r->user.b));
		bincode_put_vec(&w, r->enc_key.serialized);
	}
	TRY(bincode_end(&w));

	struct bytes all = buf_view(&text);

	return sha256(&r->digest, &all, 1);
}

static enum err key_find(struct decryption_request *r, const struct key_ring *keys,
			 struct err_note *note)
{
	if (!hash32_eq(r->context_id, request_id_default_context))
		return err_say(note, ERR_NOT_FOUND, "context_id is not known to this node");
	if (!key_ring_has_epoch(keys, r->epoch_id))
		return err_say(note, ERR_NOT_FOUND, "epoch_id is not known to this node");
	r->key = key_ring_find(keys, r->epoch_id, r->key_id);
	if (!r->key)
		return err_say(note, ERR_NOT_FOUND, "key_id is not known to this node");
	return ERR_OK;
}

enum err decryption_request_read(struct decryption_request *ret_request, enum request_kind kind,
				 const struct key_ring *keys, struct bytes message,
				 struct arena *memory, struct err_note *note)
{
	const struct form *form = &forms[kind];
	struct decryption_request r = {.kind = kind};
	ProtobufCMessage *unpacked;
	enum err e = protobuf_unpack(&unpacked, form->descriptor, message, memory);

	if (e == ERR_TOO_BIG)
		return err_say(note, e, "the message passes the limits of this node");
	if (e != ERR_OK)
		return err_say(note, e, "the message is not a %s", form->name);

	const struct fields f = form->fields(unpacked);

	TRY(id_read(&r.id, f.id, "request_id", note));
	TRY(items_read(&r, &f, memory, note));
	TRY(id_read(&r.key_id, f.key_id, "key_id", note));
	TRY(domain_read(&r.domain, f.domain, note));
	TRY(user_read(&r, &f, note));
	r.extra_data = protobuf_view(f.extra_data);
	if (r.extra_data.n > CORE_EXTRA_DATA_MAX)
		return err_say(note, ERR_BAD_REQUEST, "extra_data has more than %d bytes",
			       CORE_EXTRA_DATA_MAX);
	TRY(optional_id_read(&r.context_id, f.context_id, request_id_default_context, "context_id",
			     note));
	TRY(optional_id_read(&r.epoch_id, f.epoch_id, request_id_default_epoch, "epoch_id", note));
	TRY(schemes_check(&f, note));
	TRY(served_check(&r, &f, note));
	TRY(key_find(&r, keys, note));
	r.extra_data_differs = !extra_data_fits(&r);
	TRY(digest_make(&r));
	*ret_request = r;
	return ERR_OK;
}
