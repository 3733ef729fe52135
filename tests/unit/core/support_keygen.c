/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support_keygen.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/protobuf.h"

struct bytes test_extra_data(void)
{
	static const uint8_t extra[65] = {0x02, 0x07, [32] = 0x01, 0x08, [64] = 0x01};

	return BYTES_OF(extra);
}

struct key_call key_call_make(unsigned number)
{
	struct key_call c = {.preproc_id = {{0x03, [31] = (uint8_t)number}},
			     .id = {{0x04, [30] = 1, [31] = (uint8_t)number}},
			     .extra = test_extra_data(),
			     .preproc_params = KMS__V1__FHE_PARAMETER__test,
			     .params = KMS__V1__FHE_PARAMETER__test};

	return c;
}

/* The messages that both requests are made of. */
struct parts {
	Kms__V1__RequestId preproc_id, id, epoch_id;
	char preproc_text[REQUEST_ID_TEXT_SIZE], id_text[REQUEST_ID_TEXT_SIZE],
		epoch_text[REQUEST_ID_TEXT_SIZE];
	Kms__V1__Eip712DomainMsg domain;
	uint8_t chain_id[2];
	Kms__V1__KeySetConfig config;
	Kms__V1__StandardKeySetConfig standard;
	Kms__V1__KeySetAddedInfo added;
	Kms__V1__SigningSchemeType schemes[1];
};

static void parts_make(struct parts *p, const struct key_call *c)
{
	struct hash32 epoch = {{0x08, [31] = c->epoch}};

	memset(p, 0, sizeof(*p));
	kms__v1__request_id__init(&p->preproc_id);
	kms__v1__request_id__init(&p->id);
	kms__v1__request_id__init(&p->epoch_id);
	kms__v1__eip712_domain_msg__init(&p->domain);
	kms__v1__key_set_config__init(&p->config);
	kms__v1__standard_key_set_config__init(&p->standard);
	kms__v1__key_set_added_info__init(&p->added);
	request_id_text(p->preproc_text, c->preproc_id);
	request_id_text(p->id_text, c->id);
	request_id_text(p->epoch_text, epoch);
	p->preproc_id.request_id = p->preproc_text;
	p->id.request_id = p->id_text;
	p->epoch_id.request_id = p->epoch_text;
	p->domain.name = (char *)(uintptr_t) "Authorization token";
	p->domain.version = (char *)(uintptr_t) "1";
	p->chain_id[0] = 8006 >> 8;
	p->chain_id[1] = 8006 & 0xff;
	p->domain.chain_id = protobuf_borrow(BYTES_OF(p->chain_id));
	p->domain.verifying_contract =
		(char *)(uintptr_t) "0x66f9664f97F2b50F62D13eA064982f936dE76657";
	p->standard.secret_key_config = c->secret;
	p->standard.compressed_key_config = c->compressed;
	p->config.keyset_type = c->type;
	p->config.standard_keyset_config = &p->standard;
	p->added.existing_keyset_id = &p->id;
	p->schemes[0] = c->scheme;
}

struct buf key_call_pack_preproc(const struct key_call *c)
{
	Kms__V1__KeyGenPreprocRequest m = KMS__V1__KEY_GEN_PREPROC_REQUEST__INIT;
	struct buf out = buf_make(1 << 16);
	struct parts p;

	parts_make(&p, c);
	m.request_id = &p.preproc_id;
	m.params = c->preproc_params;
	m.keyset_config = &p.config;
	m.domain = c->no_domain ? NULL : &p.domain;
	m.epoch_id = c->epoch ? &p.epoch_id : NULL;
	m.extra_data = protobuf_borrow(c->extra);
	m.signing_schemes = p.schemes;
	m.n_signing_schemes = c->schemes_n;
	OK(protobuf_pack(&out, &m.base));
	return out;
}

struct buf key_call_pack_keygen(const struct key_call *c)
{
	Kms__V1__KeyGenRequest m = KMS__V1__KEY_GEN_REQUEST__INIT;
	struct buf out = buf_make(1 << 16);
	struct parts p;

	parts_make(&p, c);
	m.request_id = &p.id;
	m.preproc_id = &p.preproc_id;
	if (c->has_params) {
		m.params_presence_case = KMS__V1__KEY_GEN_REQUEST__PARAMS_PRESENCE_PARAMS;
		m.params = c->params;
	}
	m.keyset_config = &p.config;
	m.keyset_added_info = c->added ? &p.added : NULL;
	m.domain = c->no_domain ? NULL : &p.domain;
	m.epoch_id = c->epoch ? &p.epoch_id : NULL;
	m.extra_data = protobuf_borrow(c->extra);
	m.signing_schemes = p.schemes;
	m.n_signing_schemes = c->schemes_n;
	OK(protobuf_pack(&out, &m.base));
	return out;
}

static enum grpc_status call_packed(struct fixture *f, const char *path, struct buf message,
				    struct buf *ret_reply)
{
	enum grpc_status s = call_once(f, path, buf_view(&message), ret_reply);

	buf_free(&message);
	return s;
}

enum grpc_status key_call_preproc(struct fixture *f, const struct key_call *c)
{
	return call_packed(f, RPC_PREPROC, key_call_pack_preproc(c), NULL);
}

enum grpc_status key_call_preproc_result(struct fixture *f, const struct key_call *c,
					 struct buf *ret_reply)
{
	return call_packed(f, RPC_PREPROC_RESULT, id_pack(c->preproc_id), ret_reply);
}

enum grpc_status key_call_keygen(struct fixture *f, const struct key_call *c)
{
	return call_packed(f, RPC_KEYGEN, key_call_pack_keygen(c), NULL);
}

enum grpc_status key_call_abort(struct fixture *f, const struct key_call *c)
{
	return call_packed(f, RPC_KEYGEN_ABORT, id_pack(c->preproc_id), NULL);
}

enum grpc_status key_call_result(struct fixture *f, const struct key_call *c, struct buf *ret_reply)
{
	return call_packed(f, RPC_KEYGEN_RESULT, id_pack(c->id), ret_reply);
}

enum grpc_status key_call_wait(struct fixture *f, const struct key_call *c, struct buf *ret_reply)
{
	struct buf reply = {0};
	enum grpc_status s;

	for (unsigned i = 0; i < 3000; i++) {
		s = key_call_result(f, c, &reply);
		if (s != GRPC_UNAVAILABLE)
			break;
		buf_free(&reply);
		loop_pause(f->loop, 20);
	}
	if (ret_reply)
		*ret_reply = buf_take(&reply);
	buf_free(&reply);
	return s;
}

/* ---- the vaults ---- */

void object_path(char path[512], const struct fixture *f, const char *prefix, const char *type,
		 struct hash32 id)
{
	char text[REQUEST_ID_TEXT_SIZE];

	request_id_text(text, id);
	(void)snprintf(path, 512, "%s/%s/%s/%s", f->config.public_vault.path, prefix, type, text);
}

unsigned objects_of(const struct fixture *f, struct hash32 id)
{
	char path[512], epoch[REQUEST_ID_TEXT_SIZE], private_type[128];
	unsigned n = 0;

	request_id_text(epoch, request_id_default_epoch);
	(void)snprintf(private_type, sizeof(private_type), "FhePrivateKey/%s", epoch);
	object_path(path, f, "PUB", "CompressedXofKeySet", id);
	n += access(path, F_OK) == 0;
	object_path(path, f, "PUB", "PublicKey", id);
	n += access(path, F_OK) == 0;
	object_path(path, f, "PRIV", private_type, id);
	n += access(path, F_OK) == 0;
	return n;
}

/* nftw has no argument for its callback. */
static unsigned partial_n;
static off_t partial_size;

static int partial_count(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	size_t n = strlen(path);

	(void)ftw;
	if (type == FTW_F && n > 8 && strcmp(&path[n - 8], ".partial") == 0) {
		partial_n++;
		partial_size += st->st_size;
	}
	return 0;
}

unsigned objects_partial(const struct fixture *f)
{
	partial_n = 0;
	partial_size = 0;
	(void)nftw(f->config.public_vault.path, partial_count, 8, FTW_PHYS);
	return partial_n;
}

void long_run_wait(struct fixture *f)
{
	for (unsigned i = 0; i < 2000; i++) {
		if (objects_partial(f) > 0 && partial_size > 4 << 20)
			return;
		loop_pause(f->loop, 10);
	}
	fail_msg("the generation does not begin");
}
