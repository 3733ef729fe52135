/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Requests for preprocessings, keys and CRSs as they reach the core. What is accepted says what
 * protobuf-c alone finds in the message, has the same digest however often it is read or packed,
 * and another one when anything that is signed is another.
 *
 * Input: u8: 0 to 2: a message of that kind as it is; otherwise one is made: see make().
 */
#include "base/limits.h"
#include "core/key_request.h"
#include "net/protobuf.h"
#include "support_request.h"

static const enum request_kind kinds[] = {REQUEST_KEYGEN_PREPROC, REQUEST_KEYGEN, REQUEST_CRSGEN};

/* One of each, whatever is asked for. */
struct parts {
	Kms__V1__KeyGenPreprocRequest preproc;
	Kms__V1__KeyGenRequest keygen;
	Kms__V1__CrsGenRequest crsgen;
	Kms__V1__RequestId ids[4];
	char texts[4][REQUEST_ID_TEXT_SIZE], contract[ADDRESS_TEXT_SIZE];
	Kms__V1__Eip712DomainMsg domain;
	Kms__V1__KeySetConfig config;
	Kms__V1__StandardKeySetConfig standard;
	Kms__V1__KeySetAddedInfo added;
	Kms__V1__SigningSchemeType schemes[3];
};

/* Mostly 0: everything else is refused. */
static int choice(struct bytes *in)
{
	uint8_t what = fuzz_u8(in);

	return what < 0x80 ? 0 : (what & 3) - 1;
}

static Kms__V1__KeySetConfig *config_make(struct parts *p, struct bytes *in)
{
	uint8_t what = fuzz_u8(in);

	kms__v1__key_set_config__init(&p->config);
	kms__v1__standard_key_set_config__init(&p->standard);
	if (what & 2) {
		p->config.standard_keyset_config = &p->standard;
		p->standard.compute_key_type = (Kms__V1__ComputeKeyType)choice(in);
		p->standard.secret_key_config = (Kms__V1__KeyGenSecretKeyConfig)choice(in);
		p->standard.compressed_key_config = (Kms__V1__CompressedKeyConfig)choice(in);
	}
	p->config.keyset_type = (Kms__V1__KeySetType)choice(in);
	return what & 1 ? &p->config : NULL;
}

static Kms__V1__KeySetAddedInfo *added_make(struct parts *p, struct bytes *in)
{
	uint8_t what = fuzz_u8(in);

	kms__v1__key_set_added_info__init(&p->added);
	p->added.from_keyset_id_decompression_only = what & 2 ? &p->ids[0] : NULL;
	p->added.to_keyset_id_decompression_only = what & 4 ? &p->ids[0] : NULL;
	p->added.existing_keyset_id = what & 8 ? &p->ids[0] : NULL;
	p->added.use_existing_key_tag = what & 16 ? 1 : 0;
	p->added.copy_compressed_key_to_original = what & 32 ? 1 : 0;
	return what & 1 ? &p->added : NULL;
}

/* What all three have. */
#define COMMON(m, p, n_schemes, extra, has_domain, has)                                            \
	do {                                                                                       \
		(m)->request_id = (has)[0] ? &(p)->ids[0] : NULL;                                  \
		(m)->context_id = (has)[2] ? &(p)->ids[2] : NULL;                                  \
		(m)->epoch_id = (has)[3] ? &(p)->ids[3] : NULL;                                    \
		(m)->domain = (has_domain) ? &(p)->domain : NULL;                                  \
		(m)->extra_data = protobuf_borrow(extra);                                          \
		(m)->signing_schemes = (p)->schemes;                                               \
		(m)->n_signing_schemes = (n_schemes);                                              \
	} while (0)

/* kind || request id || preprocessing id || context || epoch || domain present || domain ||
 * extra data || schemes || config || added || parameters present || parameters || bits present ||
 * bits || edits of the packed message */
static enum request_kind make(struct buf *out, struct bytes *in)
{
	enum request_kind kind = kinds[fuzz_u8(in) % ARRAY_LEN(kinds)];
	struct parts p = {.preproc = KMS__V1__KEY_GEN_PREPROC_REQUEST__INIT,
			  .keygen = KMS__V1__KEY_GEN_REQUEST__INIT,
			  .crsgen = KMS__V1__CRS_GEN_REQUEST__INIT};
	const struct hash32 wanted[] = {{{4, [31] = 2}},
					{{3, [31] = 2}},
					request_id_default_context,
					fuzz_ring()->v[0].epoch_id};
	bool has[ARRAY_LEN(wanted)], has_domain;
	struct bytes extra;
	size_t schemes_n;

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		has[i] = fuzz_id(&p.ids[i], p.texts[i], wanted[i], in);
	has_domain = fuzz_u8(in);
	fuzz_domain(&p.domain, p.contract, in);
	extra = fuzz_part(in);
	schemes_n = fuzz_u8(in) % 4;
	fuzz_schemes(p.schemes, schemes_n, in);
	COMMON(&p.preproc, &p, schemes_n, extra, has_domain, has);
	COMMON(&p.keygen, &p, schemes_n, extra, has_domain, has);
	COMMON(&p.crsgen, &p, schemes_n, extra, has_domain, has);
	p.keygen.preproc_id = has[1] ? &p.ids[1] : NULL;
	p.preproc.keyset_config = p.keygen.keyset_config = config_make(&p, in);
	p.keygen.keyset_added_info = added_make(&p, in);
	if (fuzz_u8(in))
		p.keygen.params_presence_case = KMS__V1__KEY_GEN_REQUEST__PARAMS_PRESENCE_PARAMS;
	p.preproc.params = p.keygen.params = p.crsgen.params =
		(Kms__V1__FheParameter)(fuzz_u8(in) % 4);
	if (fuzz_u8(in))
		p.crsgen.max_num_bits_presence_case =
			KMS__V1__CRS_GEN_REQUEST__MAX_NUM_BITS_PRESENCE_MAX_NUM_BITS;
	p.crsgen.max_num_bits = fuzz_u32(in);
	FUZZ_OK(protobuf_pack(out, kind == REQUEST_KEYGEN_PREPROC ? &p.preproc.base
				   : kind == REQUEST_KEYGEN       ? &p.keygen.base
								  : &p.crsgen.base));
	return kind;
}

/* ---- what must hold ---- */

static void check_id(struct hash32 id, const Kms__V1__RequestId *m)
{
	struct hash32 own;

	CHECK(m);
	FUZZ_OK(request_id_parse(&own, bytes_str(m->request_id)));
	CHECK(hash32_eq(own, id));
}

static void check_domain(const struct eip712_domain *d, const Kms__V1__Eip712DomainMsg *m)
{
	CHECK(m);
	CHECK(bytes_eq_var(d->name, bytes_str(m->name)));
	CHECK(bytes_eq_var(d->version, bytes_str(m->version)));
	CHECK(d->has_salt ==
	      (m->salt_presence_case == KMS__V1__EIP712_DOMAIN_MSG__SALT_PRESENCE_SALT));
}

static void check_preproc(const struct key_request *r, struct bytes message)
{
	Kms__V1__KeyGenPreprocRequest *m =
		kms__v1__key_gen_preproc_request__unpack(NULL, message.n, message.p);

	CHECK(m);
	check_id(r->id, m->request_id);
	check_id(r->preproc_id, m->request_id);
	check_domain(&r->domain, m->domain);
	CHECK(bytes_eq_var(r->extra_data, protobuf_view(m->extra_data)));
	CHECK(r->has_params && (int)r->params == (int)m->params && r->bits_max == 0);
	CHECK(!m->keyset_config ||
	      m->keyset_config->keyset_type == KMS__V1__KEY_SET_TYPE__Standard);
	kms__v1__key_gen_preproc_request__free_unpacked(m, NULL);
}

static void check_keygen(const struct key_request *r, struct bytes message)
{
	Kms__V1__KeyGenRequest *m = kms__v1__key_gen_request__unpack(NULL, message.n, message.p);

	CHECK(m);
	check_id(r->id, m->request_id);
	check_id(r->preproc_id, m->preproc_id);
	check_domain(&r->domain, m->domain);
	CHECK(bytes_eq_var(r->extra_data, protobuf_view(m->extra_data)));
	CHECK(r->has_params ==
	      (m->params_presence_case == KMS__V1__KEY_GEN_REQUEST__PARAMS_PRESENCE_PARAMS));
	CHECK(!r->has_params || (int)r->params == (int)m->params);
	CHECK(r->bits_max == 0);
	kms__v1__key_gen_request__free_unpacked(m, NULL);
}

static void check_crsgen(const struct key_request *r, struct bytes message)
{
	Kms__V1__CrsGenRequest *m = kms__v1__crs_gen_request__unpack(NULL, message.n, message.p);
	unsigned ones = 0;

	CHECK(m);
	check_id(r->id, m->request_id);
	check_domain(&r->domain, m->domain);
	CHECK(bytes_eq_var(r->extra_data, protobuf_view(m->extra_data)));
	CHECK((int)r->params == (int)m->params);
	CHECK(r->bits_max == (m->max_num_bits_presence_case ? m->max_num_bits : 2048));
	for (uint32_t b = r->bits_max; b > 0; b >>= 1)
		ones += b & 1;
	CHECK(ones == 1 && r->bits_max <= 2048);
	kms__v1__crs_gen_request__free_unpacked(m, NULL);
}

static void check_again(const struct key_request *r, struct bytes message)
{
	struct bytes copy = fuzz_copy(message);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(copy);
	bool long_enough = r->extra_data.n >= 16; /* to stand in the message once */
	const uint8_t *at =
		long_enough ? memmem(copy.p, copy.n, r->extra_data.p, r->extra_data.n) : NULL;
	struct key_request again;

	FUZZ_OK(key_request_read(&again, r->kind, fuzz_ring(), copy, &memory, NULL));
	CHECK(hash32_eq(r->digest, again.digest));
	if (at &&
	    !memmem(at + 1, copy.n - (size_t)(at + 1 - copy.p), r->extra_data.p, r->extra_data.n)) {
		((uint8_t *)(uintptr_t)at)[r->extra_data.n / 2] ^= 1;
		arena_free(&memory);
		FUZZ_OK(key_request_read(&again, r->kind, fuzz_ring(), copy, &memory, NULL));
		CHECK(!hash32_eq(r->digest, again.digest));
	}
	fuzz_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(buf_free) struct buf packed = buf_make(1 << 20);
	struct bytes in = bytes_from(p, n < 8192 ? n : 8192), message;
	uint8_t what = fuzz_u8(&in);
	enum request_kind kind = kinds[what < ARRAY_LEN(kinds) ? what : 0];
	struct key_request r;
	struct err_note note = {0};

	if (what >= ARRAY_LEN(kinds)) {
		kind = make(&packed, &in);
		message = fuzz_patch(buf_view(&packed), in);
	} else {
		message = fuzz_copy(in);
	}

	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	enum err e = key_request_read(&r, kind, fuzz_ring(), message, &memory, &note);

	if (e == ERR_OK) {
		CHECK(r.kind == kind && r.extra_data.n <= CORE_EXTRA_DATA_MAX);
		(kind == REQUEST_KEYGEN_PREPROC ? check_preproc
		 : kind == REQUEST_KEYGEN       ? check_keygen
						: check_crsgen)(&r, message);
		check_again(&r, message);
	} else {
		CHECK(note.text[0]);
	}
	fuzz_free(message);
	return 0;
}
