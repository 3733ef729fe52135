/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/decryption_request.h"

#include "base/limits.h"
#include "codec/bincode.h"
#include "core/request_fields.h"
#include "core/request_id.h"
#include "crypto/sha.h"
#include "eth/text.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

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
	TRY(sha256(&item->digest, &item->ciphertext, 1));
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

/* ---- digest of the content ---- */

/* A ciphertext, as what is decrypted. */
static void item_put(struct bincode_writer *w, const struct decryption_item *item)
{
	bincode_put_raw(w, BYTES_OF(item->digest.b));
	bincode_put_raw(w, BYTES_OF(item->handle.b));
	bincode_put_u32(w, item->type);
	bincode_put_u32(w, item->format);
}

/* Everything in a fixed order, each part with its length; ciphertexts by their digests. */
static enum err digest_make(struct decryption_request *r)
{
	CLEANUP(buf_free) struct buf text = buf_make(DIGEST_TEXT_MAX);
	struct bincode_writer w = {.out = &text};

	bincode_put_str(&w, forms[r->kind].name);
	bincode_put_raw(&w, BYTES_OF(r->id.b));
	bincode_put_raw(&w, BYTES_OF(r->key_id.b));
	bincode_put_raw(&w, BYTES_OF(r->where.context_id.b));
	bincode_put_raw(&w, BYTES_OF(r->where.epoch_id.b));
	field_domain_put(&w, &r->domain);
	bincode_put_vec(&w, r->extra_data);
	bincode_put_u8(&w, r->wants_ecdsa);
	bincode_put_u64(&w, r->items_n);
	for (size_t i = 0; i < r->items_n; i++) {
		item_put(&w, &r->items[i]);
		if (r->kind == REQUEST_USER_DECRYPTION) /* it is in the answer */
			bincode_put_vec(&w, r->items[i].external_handle);
	}
	if (r->kind == REQUEST_USER_DECRYPTION) {
		bincode_put_raw(&w, BYTES_OF(r->user.b));
		bincode_put_vec(&w, r->enc_key.serialized);
	}
	TRY(bincode_end(&w));

	struct bytes all = buf_view(&text);

	return sha256(&r->digest, &all, 1);
}

/* The type counts: it says how many blocks there are, and with that which mask is whose. */
static enum err session_use_make(struct decryption_request *r)
{
	CLEANUP(buf_free) struct buf text = buf_make(DIGEST_TEXT_MAX);
	struct bincode_writer w = {.out = &text};

	bincode_put_str(&w, "session use");
	bincode_put_raw(&w, BYTES_OF(r->id.b));
	bincode_put_raw(&w, BYTES_OF(r->key_id.b));
	bincode_put_raw(&w, BYTES_OF(r->where.context_id.b));
	bincode_put_raw(&w, BYTES_OF(r->where.epoch_id.b));
	bincode_put_u64(&w, r->items_n);
	for (size_t i = 0; i < r->items_n; i++)
		item_put(&w, &r->items[i]);
	TRY(bincode_end(&w));

	struct bytes all = buf_view(&text);

	return sha256(&r->session_use, &all, 1);
}

static bool same_group(const struct mpc_group *a, const struct mpc_group *b)
{
	return a->n == b->n && a->t == b->t && a->me == b->me;
}

static enum err key_find(struct decryption_request *r, const struct key_ring *keys,
			 struct err_note *note)
{
	TRY(field_where_known(&r->where, keys, note));
	if (keys->committee) {
		r->prss = committees_prss(committees_epoch(keys->committee, r->where.epoch_id));
		r->share = key_ring_find_share(keys, r->where.epoch_id, r->key_id);
	} else {
		r->key = key_ring_find(keys, r->where.epoch_id, r->key_id);
	}
	if (!r->key && !r->share)
		return err_say(note, ERR_NOT_FOUND, "key_id is not known to this node");
	if (r->share && !same_group(prss_group(r->prss), threshold_key_group(r->share)))
		return err_say(note, ERR_NOT_FOUND, "key_id is not one of this context");
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

	TRY(field_id(&r.id, f.id, "request_id", note));
	TRY(items_read(&r, &f, memory, note));
	TRY(field_id(&r.key_id, f.key_id, "key_id", note));
	TRY(field_domain(&r.domain, f.domain, note));
	TRY(user_read(&r, &f, note));
	TRY(field_extra_data(&r.extra_data, f.extra_data, note));
	TRY(field_where(&r.where, f.context_id, f.epoch_id, note));
	TRY(field_schemes(&r.wants_ecdsa, f.schemes, f.schemes_n, note));
	TRY(key_find(&r, keys, note));
	r.extra_data_differs = !extra_data_fits(r.extra_data, &r.where);
	TRY(digest_make(&r));
	if (r.share)
		TRY(session_use_make(&r));
	*ret_request = r;
	return ERR_OK;
}
