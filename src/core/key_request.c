/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/key_request.h"

#include "base/limits.h"
#include "crypto/sha.h"
#include "net/protobuf.h"

enum {
	DIGEST_TEXT_MAX = CORE_EXTRA_DATA_MAX + 2 * CORE_DOMAIN_TEXT_MAX + 1024
};

const struct fhe_params *key_params_of(enum key_params params)
{
	static const struct fhe_params *const rows[] = {
		[KEY_PARAMS_DEFAULT] = &fhe_params_v1_7,
		[KEY_PARAMS_TEST] = &fhe_params_test,
	};

	return rows[params];
}

/* The fields of any of the messages. */
struct fields {
	const Kms__V1__RequestId *id, *preproc_id, *context_id, *epoch_id;
	const Kms__V1__Eip712DomainMsg *domain;
	const Kms__V1__KeySetConfig *config;
	const Kms__V1__KeySetAddedInfo *added;
	ProtobufCBinaryData extra_data;
	const Kms__V1__SigningSchemeType *schemes;
	size_t schemes_n;
	bool has_params;
	Kms__V1__FheParameter params;
	bool has_bits;
	uint32_t bits_max;
};

static struct fields preproc_fields(const ProtobufCMessage *message)
{
	const Kms__V1__KeyGenPreprocRequest *m = (const Kms__V1__KeyGenPreprocRequest *)message;

	return (struct fields){
		.id = m->request_id,
		.preproc_id = m->request_id,
		.context_id = m->context_id,
		.epoch_id = m->epoch_id,
		.domain = m->domain,
		.config = m->keyset_config,
		.extra_data = m->extra_data,
		.schemes = m->signing_schemes,
		.schemes_n = m->n_signing_schemes,
		.has_params = true,
		.params = m->params,
	};
}

static struct fields keygen_fields(const ProtobufCMessage *message)
{
	const Kms__V1__KeyGenRequest *m = (const Kms__V1__KeyGenRequest *)message;
	bool has_params =
		m->params_presence_case == KMS__V1__KEY_GEN_REQUEST__PARAMS_PRESENCE_PARAMS;

	return (struct fields){
		.id = m->request_id,
		.preproc_id = m->preproc_id,
		.context_id = m->context_id,
		.epoch_id = m->epoch_id,
		.domain = m->domain,
		.config = m->keyset_config,
		.added = m->keyset_added_info,
		.extra_data = m->extra_data,
		.schemes = m->signing_schemes,
		.schemes_n = m->n_signing_schemes,
		.has_params = has_params,
		.params = has_params ? m->params : KMS__V1__FHE_PARAMETER__default,
	};
}

static struct fields crsgen_fields(const ProtobufCMessage *message)
{
	const Kms__V1__CrsGenRequest *m = (const Kms__V1__CrsGenRequest *)message;
	bool given = m->max_num_bits_presence_case ==
		     KMS__V1__CRS_GEN_REQUEST__MAX_NUM_BITS_PRESENCE_MAX_NUM_BITS;

	return (struct fields){
		.id = m->request_id,
		.preproc_id = m->request_id,
		.context_id = m->context_id,
		.epoch_id = m->epoch_id,
		.domain = m->domain,
		.extra_data = m->extra_data,
		.schemes = m->signing_schemes,
		.schemes_n = m->n_signing_schemes,
		.has_params = true,
		.params = m->params,
		.has_bits = true,
		.bits_max = given ? m->max_num_bits : CRS_BITS_DEFAULT,
	};
}

static const struct form {
	const char *name; /* also begins the digest of the content: never changes */
	const ProtobufCMessageDescriptor *descriptor;
	struct fields (*fields)(const ProtobufCMessage *message);
} forms[REQUEST_KINDS] = {
	[REQUEST_KEYGEN_PREPROC] = {"KeyGenPreprocRequest",
				    &kms__v1__key_gen_preproc_request__descriptor, preproc_fields},
	[REQUEST_KEYGEN] = {"KeyGenRequest", &kms__v1__key_gen_request__descriptor, keygen_fields},
	[REQUEST_CRSGEN] = {"CrsGenRequest", &kms__v1__crs_gen_request__descriptor, crsgen_fields},
};

/* ---- fields ---- */

/* A number of the protocol that is not zero is something that is not served; any other is none. */
static enum err choice_check(int value, int last, const char *field, const char *served,
			     struct err_note *note)
{
	if (value < 0 || value > last)
		return err_say(note, ERR_BAD_REQUEST, "%s has the unknown number %d", field, value);
	if (value != 0)
		return err_say(note, ERR_UNSUPPORTED, "%s: this node serves %s only", field,
			       served);
	return ERR_OK;
}

/* None at all is the standard one. */
static enum err config_check(const Kms__V1__KeySetConfig *c, struct err_note *note)
{
	const Kms__V1__StandardKeySetConfig *s = c ? c->standard_keyset_config : NULL;

	if (c)
		TRY(choice_check((int)c->keyset_type, KMS__V1__KEY_SET_TYPE__DecompressionOnly,
				 "keyset_config.keyset_type", "Standard", note));
	if (!s)
		return ERR_OK;
	TRY(choice_check((int)s->compute_key_type, KMS__V1__COMPUTE_KEY_TYPE__CPU,
			 "standard_keyset_config.compute_key_type", "CPU", note));
	TRY(choice_check((int)s->secret_key_config, KMS__V1__KEY_GEN_SECRET_KEY_CONFIG__UseExisting,
			 "standard_keyset_config.secret_key_config", "GenerateAll", note));
	return choice_check((int)s->compressed_key_config,
			    KMS__V1__COMPRESSED_KEY_CONFIG__CompressedNone,
			    "standard_keyset_config.compressed_key_config", "CompressedAll", note);
}

/* All that it can say is about keys that exist already. */
static enum err added_check(const Kms__V1__KeySetAddedInfo *a, struct err_note *note)
{
	if (a && (a->from_keyset_id_decompression_only || a->to_keyset_id_decompression_only ||
		  a->existing_keyset_id || a->use_existing_key_tag ||
		  a->copy_compressed_key_to_original))
		return err_say(note, ERR_BAD_REQUEST,
			       "keyset_added_info does not go with a key set that is all new");
	return ERR_OK;
}

static enum err params_read(struct key_request *r, const struct fields *f, struct err_note *note)
{
	if ((unsigned)f->params > KMS__V1__FHE_PARAMETER__test)
		return err_say(note, ERR_BAD_REQUEST, "params has the unknown number %d",
			       (int)f->params);
	r->has_params = f->has_params;
	r->params =
		f->params == KMS__V1__FHE_PARAMETER__test ? KEY_PARAMS_TEST : KEY_PARAMS_DEFAULT;
	return ERR_OK;
}

static enum err bits_read(struct key_request *r, const struct fields *f, struct err_note *note)
{
	if (!f->has_bits)
		return ERR_OK;
	if (f->bits_max == 0 || f->bits_max > CRS_BITS_DEFAULT ||
	    (f->bits_max & (f->bits_max - 1)) != 0)
		return err_say(note, ERR_BAD_REQUEST,
			       "max_num_bits is %u, not a power of two up to %d", f->bits_max,
			       CRS_BITS_DEFAULT);
	r->bits_max = f->bits_max;
	return ERR_OK;
}

/* ---- digest of the content ---- */

static enum err digest_make(struct key_request *r)
{
	CLEANUP(buf_free) struct buf text = buf_make(DIGEST_TEXT_MAX);
	struct bincode_writer w = {.out = &text};

	bincode_put_str(&w, forms[r->kind].name);
	bincode_put_raw(&w, BYTES_OF(r->id.b));
	bincode_put_raw(&w, BYTES_OF(r->preproc_id.b));
	bincode_put_raw(&w, BYTES_OF(r->where.context_id.b));
	bincode_put_raw(&w, BYTES_OF(r->where.epoch_id.b));
	field_domain_put(&w, &r->domain);
	bincode_put_vec(&w, r->extra_data);
	bincode_put_u8(&w, r->wants_ecdsa);
	bincode_put_u8(&w, r->has_params);
	bincode_put_u32(&w, (uint32_t)r->params);
	if (r->kind == REQUEST_CRSGEN)
		bincode_put_u32(&w, r->bits_max);
	TRY(bincode_end(&w));

	struct bytes all = buf_view(&text);

	return sha256(&r->digest, &all, 1);
}

enum err key_request_read(struct key_request *ret_request, enum request_kind kind,
			  const struct key_ring *keys, struct bytes message, struct arena *memory,
			  struct err_note *note)
{
	const struct form *form = &forms[kind];
	struct key_request r = {.kind = kind};
	ProtobufCMessage *unpacked;
	enum err e = protobuf_unpack(&unpacked, form->descriptor, message, memory);

	if (e == ERR_TOO_BIG)
		return err_say(note, e, "the message passes the limits of this node");
	if (e != ERR_OK)
		return err_say(note, e, "the message is not a %s", form->name);

	const struct fields f = form->fields(unpacked);

	TRY(field_id(&r.id, f.id, "request_id", note));
	TRY(field_id(&r.preproc_id, f.preproc_id, "preproc_id", note));
	TRY(field_domain(&r.domain, f.domain, note));
	TRY(field_extra_data(&r.extra_data, f.extra_data, note));
	TRY(field_where(&r.where, f.context_id, f.epoch_id, note));
	TRY(params_read(&r, &f, note));
	TRY(bits_read(&r, &f, note));
	TRY(added_check(f.added, note));
	TRY(config_check(f.config, note));
	TRY(field_schemes(&r.wants_ecdsa, f.schemes, f.schemes_n, note));
	TRY(field_where_known(&r.where, keys, note));
	r.extra_data_differs = !extra_data_fits(r.extra_data, &r.where);
	TRY(digest_make(&r));
	*ret_request = r;
	return ERR_OK;
}
