/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support_keygen.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/limits.h"
#include "core/request_store.h"
#include "crypto/keccak.h"
#include "crypto/sha.h"
#include "fhe/client_key.h"
#include "fhe/crs.h"
#include "fhe/crs_metadata.h"
#include "fhe/key_set.h"
#include "net/protobuf.h"

int key_setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_make(f, KEY_TEST);
	*state = f;
	return 0;
}

int key_teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

void server_up(struct fixture *f, struct process *server)
{
	char url[64];

	file_put(&f->folder, "core.toml", server_config);
	*server = process_start(
		&f->folder,
		(char *[]){(char[]){"KMS_SERVER"}, (char[]){"-c"}, (char[]){"core.toml"}, NULL},
		(char *[]){NULL});
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", port_of(server));
	OK(channel_grpc_new(&f->channel, f->loop, url, NULL));
}

void server_kill(struct fixture *f, struct process *server)
{
	assert_int_equal(kill(server->pid, SIGKILL), 0);
	assert_int_equal(process_wait(server, NULL, 0), 128 + SIGKILL);
	channel_free(f->channel);
	f->channel = NULL;
}

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

struct key_call crs_call_make(unsigned number)
{
	struct key_call c = {.id = {{0x05, [31] = (uint8_t)number}},
			     .extra = test_extra_data(),
			     .params = KMS__V1__FHE_PARAMETER__test,
			     .has_bits = true,
			     .bits = 64,
			     .schemes_n = 1};

	return c;
}

struct buf crs_call_pack(const struct key_call *c)
{
	Kms__V1__CrsGenRequest m = KMS__V1__CRS_GEN_REQUEST__INIT;
	struct buf out = buf_make(1 << 16);
	struct parts p;

	parts_make(&p, c);
	m.request_id = &p.id;
	m.params = c->params;
	if (c->has_bits) {
		m.max_num_bits_presence_case =
			KMS__V1__CRS_GEN_REQUEST__MAX_NUM_BITS_PRESENCE_MAX_NUM_BITS;
		m.max_num_bits = c->bits;
	}
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

typedef enum grpc_status result_fn(struct fixture *f, const struct key_call *c,
				   struct buf *ret_reply);

static enum grpc_status call_until(struct fixture *f, const struct key_call *c, result_fn *result,
				   struct buf *ret_reply)
{
	struct buf reply = {0};
	enum grpc_status s;

	for (unsigned i = 0; i < 3000; i++) {
		s = result(f, c, &reply);
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

enum grpc_status key_call_wait(struct fixture *f, const struct key_call *c, struct buf *ret_reply)
{
	return call_until(f, c, key_call_result, ret_reply);
}

enum grpc_status crs_call(struct fixture *f, const struct key_call *c)
{
	return call_packed(f, RPC_CRSGEN, crs_call_pack(c), NULL);
}

enum grpc_status crs_call_abort(struct fixture *f, const struct key_call *c)
{
	return call_packed(f, RPC_CRSGEN_ABORT, id_pack(c->id), NULL);
}

enum grpc_status crs_call_result(struct fixture *f, const struct key_call *c, struct buf *ret_reply)
{
	return call_packed(f, RPC_CRSGEN_RESULT, id_pack(c->id), ret_reply);
}

enum grpc_status crs_call_wait(struct fixture *f, const struct key_call *c, struct buf *ret_reply)
{
	return call_until(f, c, crs_call_result, ret_reply);
}

void key_test_make(struct fixture *f, const struct key_call *c, struct buf *ret_reply)
{
	assert_int_equal(key_call_preproc(f, c), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, c, NULL), GRPC_OK);
	assert_int_equal(key_call_keygen(f, c), GRPC_OK);
	assert_int_equal(key_call_wait(f, c, ret_reply), GRPC_OK);
}

void crs_test_make(struct fixture *f, const struct key_call *c, struct buf *ret_reply)
{
	assert_int_equal(crs_call(f, c), GRPC_OK);
	assert_int_equal(crs_call_wait(f, c, ret_reply), GRPC_OK);
}

/* ---- the database ---- */

static void stop_when_stored(void *ctx, const struct store_result *result)
{
	OK(result->err);
	loop_stop(ctx);
}

void result_forget(struct fixture *f, enum request_kind kind, struct buf message)
{
	struct store_batch b = store_batch_make(1 << 17);
	struct store *store;

	OK(request_store_open(&store, f->loop, f->config.request_store_path, NULL));
	OK(STORE_ADD(&b, STORE_ONE,
		     "UPDATE request SET state = 0, answer = NULL, finished_at = NULL, message = $1"
		     " WHERE kind = $2 AND state = 1",
		     store_blob(buf_view(&message)), store_int(kind)));
	OK(store_submit(store, &b, stop_when_stored, f->loop));
	OK(loop_run(f->loop));
	store_free(store);
	store_batch_free(&b);
	buf_free(&message);
}

void database_lose(const struct fixture *f)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[600];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", f->config.request_store_path, ends[i]);
		assert_true(unlink(path) == 0 || i > 0);
	}
}

/* ---- the vaults ---- */

void private_path(char path[512], const struct fixture *f, const char *type, struct hash32 id)
{
	char epoch[REQUEST_ID_TEXT_SIZE], folder[128];

	request_id_text(epoch, request_id_default_epoch);
	(void)snprintf(folder, sizeof(folder), "%s/%s", type, epoch);
	object_path(path, f, "PRIV", folder, id);
}

void partial_leave(const char *path)
{
	char partial[600];
	int fd;

	(void)snprintf(partial, sizeof(partial), "%s.1234567.partial", path);
	fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "half", 4), 4);
	assert_int_equal(close(fd), 0);
}

void object_damage(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, 5000), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
	assert_int_equal(close(fd), 0);
}

void object_path(char path[512], const struct fixture *f, const char *prefix, const char *type,
		 struct hash32 id)
{
	char text[REQUEST_ID_TEXT_SIZE];

	request_id_text(text, id);
	(void)snprintf(path, 512, "%s/%s/%s/%s", f->config.public_vault.path, prefix, type, text);
}

unsigned objects_of(const struct fixture *f, struct hash32 id)
{
	char path[512];
	unsigned n = 0;

	object_path(path, f, "PUB", "CompressedXofKeySet", id);
	n += access(path, F_OK) == 0;
	object_path(path, f, "PUB", "PublicKey", id);
	n += access(path, F_OK) == 0;
	private_path(path, f, "FhePrivateKey", id);
	n += access(path, F_OK) == 0;
	return n;
}

unsigned crs_objects_of(const struct fixture *f, struct hash32 id)
{
	char path[512];
	unsigned n;

	object_path(path, f, "PUB", "CRS", id);
	n = access(path, F_OK) == 0;
	private_path(path, f, "CrsInfo", id);
	return n + (access(path, F_OK) == 0);
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

/* ---- what is signed, by a path of its own ---- */

static struct hash32 words_hash(const struct hash32 *words, size_t n)
{
	return keccak256(bytes_from(words->b, n * sizeof(*words)));
}

static struct hash32 text_hash(const char *text)
{
	return keccak256(bytes_str(text));
}

/* The domain of request_init: written down here as the EIP says. */
static struct hash32 digest_of(struct hash32 struct_hash)
{
	struct hash32 words[5] = {
		text_hash("EIP712Domain(string name,string version,uint256 chainId,"
			  "address verifyingContract)"),
		text_hash("Authorization token"),
		text_hash("1"),
		{{[30] = 8006 >> 8, [31] = 8006 & 0xff}},
	};
	uint8_t message[2 + 32 + 32] = {0x19, 0x01};
	struct hash32 separator;

	OK(hex_decode_fixed(&words[4].b[12], 20,
			    bytes_str("66f9664f97F2b50F62D13eA064982f936dE76657")));
	separator = words_hash(words, 5);
	memcpy(&message[2], separator.b, 32);
	memcpy(&message[34], struct_hash.b, 32);
	return keccak256(BYTES_OF(message));
}

struct hash32 key_test_preproc_digest(struct hash32 id, struct bytes extra)
{
	const struct hash32 words[] = {
		text_hash("PrepKeygenVerification(uint256 prepKeygenId,bytes extraData)"),
		id,
		keccak256(extra),
	};

	return digest_of(words_hash(words, ARRAY_LEN(words)));
}

static struct hash32 key_digest_hash(uint8_t type, struct hash32 digest)
{
	const struct hash32 words[] = {
		text_hash("KeyDigest(uint8 keyType,bytes digest)"),
		{{[31] = type}},
		keccak256(BYTES_OF(digest.b)),
	};

	return words_hash(words, ARRAY_LEN(words));
}

static struct hash32 keygen_digest(struct hash32 preproc, struct hash32 key,
				   struct hash32 public_key, struct hash32 key_set,
				   struct bytes extra)
{
	const struct hash32 list[] = {key_digest_hash(1, public_key), key_digest_hash(3, key_set)};
	const struct hash32 words[] = {
		text_hash("KeygenVerification(uint256 prepKeygenId,uint256 keyId,"
			  "KeyDigest[] keyDigests,bytes extraData)"
			  "KeyDigest(uint8 keyType,bytes digest)"),
		preproc,
		key,
		words_hash(list, 2),
		keccak256(extra),
	};

	return digest_of(words_hash(words, ARRAY_LEN(words)));
}

void key_test_signature(ProtobufCBinaryData signature, struct hash32 digest)
{
	struct signing_key signer;
	struct ecdsa *ecdsa;
	struct address who;

	OK(ecdsa_new(&ecdsa, (uint8_t[32]){1}));
	test_signer(&signer, ecdsa);
	OK(ecdsa_recover(ecdsa, &who, protobuf_view(signature), digest));
	assert_memory_equal(who.b, signer.address.b, sizeof(who.b));
	signing_key_free(&signer);
	ecdsa_free(ecdsa);
}

/* ---- a whole key ---- */

static struct buf object_read(const struct fixture *f, const char *type, struct hash32 id)
{
	struct buf object = buf_make(FHE_KEY_SET_SIZE_MAX);
	char path[512];

	object_path(path, f, "PUB", type, id);
	OK(config_read_file(&object, path, NULL));
	return object;
}

/* The files against the answer, and against each other. */
void key_test_check(const struct fixture *f, struct bytes reply, const struct key_call *c)
{
	struct arena memory = protobuf_arena(reply);
	struct buf set_file = object_read(f, "CompressedXofKeySet", c->id);
	struct buf key_file = object_read(f, "PublicKey", c->id);
	struct buf expanded = buf_make(CLIENT_KEY_SIZE_MAX);
	struct hash32 set_digest, key_digest;
	struct fhe_key_set set;
	ProtobufCMessage *unpacked;
	char text[REQUEST_ID_TEXT_SIZE];

	OK(protobuf_unpack(&unpacked, &kms__v1__key_gen_result__descriptor, reply, &memory));

	const Kms__V1__KeyGenResult *m = (const Kms__V1__KeyGenResult *)unpacked;

	OK(shake256(set_digest.b, 32, (struct bytes[]){BYTES_LIT("PDAT_KEY"), buf_view(&set_file)},
		    2));
	OK(shake256(key_digest.b, 32, (struct bytes[]){BYTES_LIT("PDAT_KEY"), buf_view(&key_file)},
		    2));
	request_id_text(text, c->id);
	assert_string_equal(m->request_id->request_id, text);
	request_id_text(text, c->preproc_id);
	assert_string_equal(m->preprocessing_id->request_id, text);
	assert_int_equal(m->n_key_digests, 2);
	assert_string_equal(m->key_digests[0]->key_type, "PublicKey");
	assert_string_equal(m->key_digests[1]->key_type, "CompressedXofKeySet");
	assert_int_equal(m->key_digests[0]->digest.len, 32);
	assert_int_equal(m->key_digests[1]->digest.len, 32);
	assert_memory_equal(m->key_digests[0]->digest.data, key_digest.b, 32);
	assert_memory_equal(m->key_digests[1]->digest.data, set_digest.b, 32);
	assert_int_equal(m->n_signatures, 1);
	assert_true(bytes_eq_var(protobuf_view(m->signatures[0]->signature),
				 protobuf_view(m->external_signature)));
	key_test_signature(m->external_signature,
			   keygen_digest(c->preproc_id, c->id, key_digest, set_digest, c->extra));

	OK(fhe_key_set_read(&set, FHE_OBJECT_KEY_SET, buf_view(&set_file), NULL));
	OK(fhe_key_set_check(&set, FHE_OBJECT_KEY_SET, &fhe_params_test, NULL));
	assert_true(bytes_eq_var(set.tag, BYTES_OF(c->id.b)));
	OK(fhe_compact_public_key_expand(&set, &expanded));
	assert_true(bytes_eq_var(buf_view(&expanded), buf_view(&key_file)));
	buf_free(&expanded);
	buf_free(&set_file);
	buf_free(&key_file);
	arena_free(&memory);
}

/* ---- a whole CRS ---- */

static struct hash32 crsgen_digest(struct hash32 id, uint32_t bits, struct hash32 crs,
				   struct bytes extra)
{
	const struct hash32 words[] = {
		text_hash("CrsgenVerification(uint256 crsId,uint256 maxBitLength,bytes crsDigest,"
			  "bytes extraData)"),
		id,
		{{[30] = (uint8_t)(bits >> 8), [31] = (uint8_t)bits}},
		keccak256(BYTES_OF(crs.b)),
		keccak256(extra),
	};

	return digest_of(words_hash(words, ARRAY_LEN(words)));
}

/* The private object says the same as the answer. */
static void crs_private_check(const struct fixture *f, const struct key_call *c,
			      struct hash32 digest, uint32_t bits, struct bytes signature)
{
	struct buf file = buf_make(1 << 16);
	struct fhe_crs_metadata m;
	char path[512];

	private_path(path, f, "CrsInfo", c->id);
	OK(config_read_file(&file, path, NULL));
	OK(kms_crs_metadata_read(&m, buf_view(&file), NULL));
	assert_true(hash32_eq(m.crs_id, c->id));
	assert_true(hash32_eq(m.digest, digest));
	assert_int_equal(m.bits_max, bits);
	assert_true(bytes_eq_var(bytes_from(m.attestation.extra, m.attestation.extra_n), c->extra));
	assert_true(bytes_eq_var(bytes_from(m.attestation.signature, m.attestation.signature_n),
				 signature));
	buf_free(&file);
}

/* Whose CRS it is: the session of its id, in every proof over it. */
static void session_check(const struct fhe_crs *crs, struct hash32 id)
{
	const uint8_t counts[8 + 8] = {1};
	uint8_t session[16];
	uint64_t halves[2];

	OK(shake256(session, sizeof(session),
		    (struct bytes[]){BYTES_LIT("HASH_LSTSESSN_ID"), bytes_from(counts, 8),
				     BYTES_OF(id.b), bytes_from(&counts[8], 8)},
		    4));
	memcpy(halves, session, sizeof(halves)); /* little endian, as this machine */
	assert_true(crs->has_sid);
	assert_true(crs->sid_low == halves[0]);
	assert_true(crs->sid_high == halves[1]);
}

void crs_test_check(const struct fixture *f, struct bytes reply, const struct key_call *c)
{
	const uint32_t bits = c->has_bits ? c->bits : 2048;
	struct arena memory = protobuf_arena(reply);
	struct buf file = object_read(f, "CRS", c->id);
	ProtobufCMessage *unpacked;
	char text[REQUEST_ID_TEXT_SIZE];
	struct hash32 digest;
	struct fhe_crs crs;

	OK(protobuf_unpack(&unpacked, &kms__v1__crs_gen_result__descriptor, reply, &memory));

	const Kms__V1__CrsGenResult *m = (const Kms__V1__CrsGenResult *)unpacked;

	OK(shake256(digest.b, 32, (struct bytes[]){BYTES_LIT("PDAT_CRS"), buf_view(&file)}, 2));
	request_id_text(text, c->id);
	assert_string_equal(m->request_id->request_id, text);
	assert_int_equal(m->crs_digest.len, 32);
	assert_memory_equal(m->crs_digest.data, digest.b, 32);
	assert_int_equal(m->max_num_bits, bits);
	assert_int_equal(m->n_signatures, c->schemes_n);
	key_test_signature(m->external_signature, crsgen_digest(c->id, bits, digest, c->extra));
	crs_private_check(f, c, digest, bits, protobuf_view(m->external_signature));

	OK(fhe_crs_read(&crs, buf_view(&file), NULL));
	assert_int_equal(crs.k, (bits + 3) / 4);
	assert_int_equal(crs.d, c->params == KMS__V1__FHE_PARAMETER__test ? 512 : 2048);
	session_check(&crs, c->id);
	buf_free(&file);
	arena_free(&memory);
}
