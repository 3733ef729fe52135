/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/limits.h"
#include "codec/safe_serialize.h"
#include "core/public_decryption.h"
#include "crypto/sha.h"
#include "net/protobuf.h"

const struct hash32 test_key_id = {{[0] = 0x04, [31] = 0x01}};

/* ---- files ---- */

void folder_make(struct folder *f)
{
	(void)snprintf(f->path, sizeof(f->path), "/tmp/claviger-core-XXXXXX");
	assert_non_null(mkdtemp(f->path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void folder_remove(struct folder *f)
{
	(void)nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct buf vector_read(const char *name)
{
	struct buf b = buf_make(1 << 20);
	char path[512];
	const char *vectors = getenv("VECTORS");

	(void)snprintf(path, sizeof(path), "%s/%s", vectors ? vectors : "tests/vectors", name);
	OK(config_read_file(&b, path, NULL));
	return b;
}

/* ---- keys ---- */

struct buf key_object(enum key_set set, struct hash32 key_id)
{
	static const char *const names[] = {"high_level_api::ClientKey", NULL};
	struct buf client = vector_read(set == KEY_FULL ? "tfhe/ck_full.bin" : "tfhe/ck_test.bin");
	struct buf object = buf_make(1 << 20);
	struct bincode_writer w = {.out = &object};
	struct reader r = reader_of(buf_view(&client));
	size_t index;

	OK(safe_serialize_open(&r, names, &index, NULL));
	safe_serialize_begin(&w, "KmsFheKeyHandles");
	bincode_put_u32(&w, 1);
	bincode_put_raw(&w, r.in);
	bincode_put_u8(&w, 0); /* no DecompressionKey */
	bincode_put_u32(&w, 0);
	bincode_put_u32(&w, 0);
	bincode_put_u32(&w, 3);
	bincode_put_raw(&w, BYTES_OF(key_id.b));
	bincode_put_raw(&w, BYTES_OF(key_id.b)); /* preprocessing id */
	bincode_put_u64(&w, 0);                  /* digests */
	bincode_put_u8(&w, 0);                   /* extra data */
	bincode_put_u64(&w, 0);                  /* external signature */
	bincode_put_u64(&w, 0);                  /* signatures */
	OK(bincode_end(&w));
	buf_free(&client);
	return object;
}

/* The published object lacks the safe_serialize header that a stored one has. */
static struct buf with_header(const char *name, const char *vector)
{
	struct buf body = vector_read(vector), object = buf_make(1 << 10);
	struct bincode_writer w = {.out = &object};

	safe_serialize_begin(&w, name);
	bincode_put_raw(&w, buf_view(&body));
	OK(bincode_end(&w));
	buf_free(&body);
	return object;
}

void vault_fill(const struct folder *f, enum key_set set)
{
	char path[128];
	const struct vault private_vault = {.path = path, .prefix = "PRIV", .private = true};
	const struct vault public_vault = {.path = path, .prefix = "PUB"};
	const struct vault_name signing = {.type = "SigningKey", .id = request_id_signing_key};
	const struct vault_name fhe = {
		.type = "FhePrivateKey", .epoch = &request_id_default_epoch, .id = test_key_id};
	struct buf sk = with_header("PrivateSigKey", "core/kms_private_sig_key.bcode");
	struct buf key = key_object(set, test_key_id);
	struct signing_key_public found;
	struct signing_key signer;
	struct ecdsa *ecdsa;

	(void)snprintf(path, sizeof(path), "%s/keys", f->path);
	OK(vault_write(&private_vault, &signing, buf_view(&sk), NULL));
	OK(vault_write(&private_vault, &fhe, buf_view(&key), NULL));
	OK(ecdsa_new(&ecdsa, (uint8_t[32]){1}));
	OK(signing_key_load(&signer, ecdsa, &private_vault, NULL));
	OK(signing_key_public_sync(&found, &signer, &public_vault, true, NULL));
	signing_key_free(&signer);
	ecdsa_free(ecdsa);
	buf_free(&sk);
	buf_free(&key);
}

void test_signer(struct signing_key *ret_key, struct ecdsa *ecdsa)
{
	struct folder f;
	char path[128];
	const struct vault private_vault = {.path = path, .prefix = "PRIV", .private = true};

	folder_make(&f);
	vault_fill(&f, KEY_TEST);
	(void)snprintf(path, sizeof(path), "%s/keys", f.path);
	OK(signing_key_load(ret_key, ecdsa, &private_vault, NULL));
	folder_remove(&f);
}

/* ---- requests ---- */

struct hash32 request_number(unsigned number)
{
	struct hash32 id = {{[0] = 0x02}};

	id.b[28] = (uint8_t)(number >> 24);
	id.b[29] = (uint8_t)(number >> 16);
	id.b[30] = (uint8_t)(number >> 8);
	id.b[31] = (uint8_t)number;
	return id;
}

void request_init(struct request *r, unsigned number, struct bytes ciphertext)
{
	static const uint8_t chain_id[2] = {8006 >> 8, 8006 & 0xff};

	memset(r, 0, sizeof(*r));
	r->kind = REQUEST_PUBLIC_DECRYPTION;
	kms__v1__public_decryption_request__init(&r->m);
	kms__v1__request_id__init(&r->id);
	kms__v1__request_id__init(&r->key_id);
	kms__v1__request_id__init(&r->context_id);
	kms__v1__request_id__init(&r->epoch_id);
	kms__v1__eip712_domain_msg__init(&r->domain);
	request_id_text(r->id_text, request_number(number));
	request_id_text(r->key_text, test_key_id);
	request_id_text(r->context_text, request_id_default_context);
	request_id_text(r->epoch_text, request_id_default_epoch);
	r->id.request_id = r->id_text;
	r->key_id.request_id = r->key_text;
	r->context_id.request_id = r->context_text;
	r->epoch_id.request_id = r->epoch_text;
	r->domain.name = (char *)(uintptr_t) "Authorization token";
	r->domain.version = (char *)(uintptr_t) "1";
	memcpy(r->chain_id, chain_id, sizeof(chain_id));
	r->domain.chain_id = protobuf_borrow(BYTES_OF(r->chain_id));
	r->domain.verifying_contract =
		(char *)(uintptr_t) "0x66f9664f97F2b50F62D13eA064982f936dE76657";
	for (size_t i = 0; i < ITEMS_MAX; i++) {
		kms__v1__typed_ciphertext__init(&r->items[i]);
		memset(r->handles[i], (int)(0xaa + 0x11 * i), sizeof(r->handles[i]));
		r->items[i].external_handle = protobuf_borrow(BYTES_OF(r->handles[i]));
		r->items[i].ciphertext = protobuf_borrow(ciphertext);
		r->items[i].fhe_type = FHE_UINT64;
		r->items[i].ciphertext_format = KMS__V1__CIPHERTEXT_FORMAT__BigCompressed;
		r->list[i] = &r->items[i];
	}
	r->m.request_id = &r->id;
	r->m.key_id = &r->key_id;
	r->m.domain = &r->domain;
	r->m.ciphertexts = r->list;
	r->m.n_ciphertexts = 1;
	r->m.signing_schemes = r->schemes;
}

void test_user_make(struct test_user *u, uint8_t number)
{
	struct buf out = buf_make(ENC_KEY_SIZE);
	struct bincode_writer w = {.out = &out};
	uint8_t ek[MLKEM_512_EK_SIZE];
	struct secret32 d = {{number}}, z = {{number, 1}};

	memset(u, 0, sizeof(*u));
	OK(mlkem_keygen(MLKEM_512, ek, u->dk, &d, &z));
	safe_serialize_begin(&w, "UnifiedPublicEncKey");
	bincode_put_u32(&w, 0);
	bincode_put_u32(&w, 0);
	bincode_put_vec(&w, BYTES_OF(ek));
	OK(bincode_end(&w));
	assert_int_equal(out.n, sizeof(u->enc_key));
	memcpy(u->enc_key, out.p, out.n);
	memset(u->address.b, 0xa0 + number, sizeof(u->address.b));
	address_to_text(u->text, u->address);
	buf_free(&out);
}

void request_init_user(struct request *r, unsigned number, struct bytes ciphertext,
		       const struct test_user *user)
{
	request_init(r, number, ciphertext);
	r->kind = REQUEST_USER_DECRYPTION;
	r->client = (char *)(uintptr_t)user->text;
	r->enc_key = BYTES_OF(user->enc_key);
}

struct buf request_pack(const struct request *r)
{
	struct buf out = buf_make(GRPC_MESSAGE_MAX);
	Kms__V1__UserDecryptionRequest u = KMS__V1__USER_DECRYPTION_REQUEST__INIT;

	if (r->kind == REQUEST_PUBLIC_DECRYPTION) {
		OK(protobuf_pack(&out, &r->m.base));
		return out;
	}
	u.request_id = r->m.request_id;
	u.typed_ciphertexts = r->m.ciphertexts;
	u.n_typed_ciphertexts = r->m.n_ciphertexts;
	u.key_id = r->m.key_id;
	u.client_address = r->client;
	u.enc_key = protobuf_borrow(r->enc_key);
	u.domain = r->m.domain;
	u.extra_data = r->m.extra_data;
	u.context_id = r->m.context_id;
	u.epoch_id = r->m.epoch_id;
	u.signing_schemes = r->m.signing_schemes;
	u.n_signing_schemes = r->m.n_signing_schemes;
	OK(protobuf_pack(&out, &u.base));
	return out;
}

struct buf id_pack(struct hash32 id)
{
	struct buf out = buf_make(256);
	Kms__V1__RequestId m = KMS__V1__REQUEST_ID__INIT;
	char text[REQUEST_ID_TEXT_SIZE];

	request_id_text(text, id);
	m.request_id = text;
	OK(protobuf_pack(&out, &m.base));
	return out;
}

/* ---- a node ---- */

void fixture_make(struct fixture *f, enum key_set set)
{
	static char prefix_public[] = "PUB", prefix_private[] = "PRIV", loopback[] = "127.0.0.1",
		    any[] = "127.0.0.1:0";
	static char level[] = "error";
	struct core_config *c = &f->config;
	char *text = malloc(256);

	*f = (struct fixture){.log = {.level = LOG_LEVEL_ERROR, .fd = -1}};
	folder_make(&f->folder);
	vault_fill(&f->folder, set);
	OK(loop_new(&f->loop));
	(void)snprintf(text, 256, "%s/keys", f->folder.path);
	c->public_vault = (struct vault_config){.path = text, .prefix = prefix_public};
	c->private_vault = (struct vault_config){.path = text, .prefix = prefix_private};
	c->request_store_path = malloc(256);
	(void)snprintf(c->request_store_path, 256, "%s/requests.db", f->folder.path);
	c->listen_address = loopback;
	c->plaintext_loopback = true;
	c->metrics_bind_address = any;
	c->log_level = level;
	c->message_size_max = GRPC_MESSAGE_MAX;
	c->dec_capacity = 10000;
	c->min_dec_cache = 6000;
	c->rate = rate_limit_defaults;
	c->bandwidth = bandwidth_limits_defaults;
	c->compute_threads = 2;
}

void fixture_remove(struct fixture *f)
{
	if (f->node)
		node_down(f);
	loop_free(f->loop);
	folder_remove(&f->folder);
	free(f->config.public_vault.path);
	free(f->config.request_store_path);
}

void node_up(struct fixture *f)
{
	const struct node_options options = {.loop = f->loop,
					     .config = &f->config,
					     .log = &f->log,
					     .version = "test",
					     .peers = f->peers};
	struct err_note note = {0};
	char url[64];

	if (node_start(&f->node, &options, &note) != ERR_OK)
		fail_msg("%s", note.text);
	while (core_service_phase(node_service(f->node)) == CORE_STARTING)
		loop_pause(f->loop, 5);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", node_port(f->node));
	OK(channel_grpc_new(&f->channel, f->loop, url, NULL));
}

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

void node_down(struct fixture *f)
{
	node_stop(f->node, stop_loop, f->loop);
	OK(loop_run(f->loop));
	channel_free(f->channel);
	node_free(f->node);
	f->node = NULL;
	f->channel = NULL;
}

void loop_pause(struct loop *loop, int64_t ms)
{
	struct timer t = {0};

	clock_timer_set(loop_clock(loop), &t, ms, stop_loop, loop);
	OK(loop_run(loop));
	clock_timer_cancel(loop_clock(loop), &t);
}

/* ---- calls ---- */

static void call_done(void *ctx, const struct rpc_reply *reply)
{
	struct call *c = ctx;

	c->status = reply->status;
	(void)snprintf(c->text, sizeof(c->text), "%s", reply->text ? reply->text : "");
	c->reply = buf_make(GRPC_MESSAGE_MAX);
	OK(buf_add(&c->reply, reply->message));
	c->done = true;
	if (c->waited)
		loop_stop(c->loop);
}

void call_start(struct call *c, struct loop *loop, struct channel *channel, const char *path,
		struct bytes message, int64_t timeout_ms)
{
	const struct rpc_call call = {.path = path,
				      .message = message,
				      .timeout_ms = timeout_ms,
				      .reply_max = GRPC_MESSAGE_MAX};
	struct rpc_ticket ticket;

	*c = (struct call){.loop = loop};
	OK(channel_call(channel, &ticket, &call, call_done, c));
}

void call_wait(struct call *c)
{
	c->waited = true;
	while (!c->done)
		OK(loop_run(c->loop));
	c->waited = false;
}

void call_free(struct call *c)
{
	buf_free(&c->reply);
}

enum grpc_status call_once(struct fixture *f, const char *path, struct bytes message,
			   struct buf *ret_reply)
{
	struct call c;

	call_start(&c, f->loop, f->channel, path, message, 20000);
	call_wait(&c);
	if (ret_reply)
		*ret_reply = buf_take(&c.reply);
	call_free(&c);
	return c.status;
}

enum grpc_status call_request(struct fixture *f, const char *path, const struct request *r)
{
	struct buf message = request_pack(r);
	enum grpc_status s = call_once(f, path, buf_view(&message), NULL);

	buf_free(&message);
	return s;
}

static enum grpc_status result_of(struct fixture *f, const char *path, unsigned number,
				  struct buf *ret_reply)
{
	struct buf message = id_pack(request_number(number));
	enum grpc_status s = call_once(f, path, buf_view(&message), ret_reply);

	buf_free(&message);
	return s;
}

enum grpc_status call_result(struct fixture *f, unsigned number, struct buf *ret_reply)
{
	return result_of(f, RPC_RESULT, number, ret_reply);
}

enum grpc_status call_user_result(struct fixture *f, unsigned number, struct buf *ret_reply)
{
	return result_of(f, RPC_USER_RESULT, number, ret_reply);
}

/* ---- answers ---- */

/* The signatures, by a path of their own: what is signed is rebuilt from the answer's fields. */
static void signatures_check(const Kms__V1__PublicDecryptionResponse *m, const struct request *r,
			     size_t n, uint64_t value)
{
	struct buf message = request_pack(r);
	struct arena memory = protobuf_arena(buf_view(&message));
	struct key_ring_entry entry = {
		.epoch_id = request_id_default_epoch,
		.key_id = test_key_id,
		.key = (struct fhe_client_key *)(void *)&memory /* only its presence counts */};
	struct key_ring keys = {.v = &entry, .n = 1};
	struct fhe_plaintext values[ITEMS_MAX] = {0};
	struct decryption_request request;
	struct buf payload = buf_make(1 << 16);
	struct signing_key signer;
	struct ecdsa *ecdsa;
	struct signature64 raw;
	struct address who;
	struct hash32 digest;

	OK(ecdsa_new(&ecdsa, (uint8_t[32]){1}));
	test_signer(&signer, ecdsa);
	OK(decryption_request_read(&request, r->kind, &keys, buf_view(&message), &memory, NULL));
	for (size_t i = 0; i < n; i++) {
		values[i].n = fhe_type_find((unsigned)r->items[i].fhe_type)->size;
		memcpy(values[i].le, &value, values[i].n);
	}
	OK(public_decryption_digest(&digest, &request, values));
	OK(ecdsa_recover(ecdsa, &who, protobuf_view(m->external_signature), digest));
	assert_memory_equal(who.b, signer.address.b, sizeof(who.b));

	OK(public_decryption_payload(&payload, &request, values, &signer));
	OK(sha256(&digest, (struct bytes[]){BYTES_LIT("PUBL_DEC"), buf_view(&payload)}, 2));
	assert_int_equal(m->signature.len, sizeof(raw.b));
	memcpy(raw.b, m->signature.data, sizeof(raw.b));
	OK(ecdsa_verify64(ecdsa, signer.public_key, raw, digest));

	signing_key_free(&signer);
	ecdsa_free(ecdsa);
	buf_free(&payload);
	buf_free(&message);
	arena_free(&memory);
}

void answer_check(struct bytes reply, const struct request *r, uint64_t value)
{
	struct arena memory = protobuf_arena(reply);
	ProtobufCMessage *unpacked;

	OK(protobuf_unpack(&unpacked, &kms__v1__public_decryption_response__descriptor, reply,
			   &memory));

	const Kms__V1__PublicDecryptionResponse *m =
		(const Kms__V1__PublicDecryptionResponse *)unpacked;

	assert_non_null(m->payload);
	assert_int_equal(m->payload->n_plaintexts, r->m.n_ciphertexts);
	for (size_t i = 0; i < m->payload->n_plaintexts; i++) {
		const Kms__V1__TypedPlaintext *p = m->payload->plaintexts[i];

		const struct fhe_type_row *type = fhe_type_find((unsigned)r->items[i].fhe_type);

		assert_int_equal(p->fhe_type, type->type);
		assert_int_equal(p->bytes.len, type->size);
		assert_memory_equal(p->bytes.data, &value, type->size);
	}
	assert_string_equal(m->payload->request_id->request_id, r->id_text);
	assert_int_equal(m->payload->verification_key.len, 41);
	assert_true(bytes_eq_var(protobuf_view(m->extra_data), protobuf_view(r->m.extra_data)));
	assert_int_equal(m->n_signatures, r->m.n_signing_schemes > 0);
	signatures_check(m, r, r->m.n_ciphertexts, value);
	arena_free(&memory);
}
