/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Key generation by a whole node: answers, objects in the vaults, ids, withdrawing, restarts. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/limits.h"
#include "base/rng.h"
#include "core/key_publish.h"
#include "fhe/client_key.h"
#include "fhe/dealer/dealer.h"
#include "net/protobuf.h"
#include "support_keygen.h"

/* The test vectors of the specification: ids 0x11 and 0x22, extra data of the default epoch. */
static void test_known_digests(void **state)
{
	(void)state;
	struct key_request r = {
		.kind = REQUEST_KEYGEN_PREPROC,
		.id = {{[31] = 0x11}},
		.domain = {.name = BYTES_LIT("Authorization token"),
			   .version = BYTES_LIT("1"),
			   .chain_id = u256_from_u64(8006)},
		.extra_data = test_extra_data(),
	};
	struct fhe_key_metadata m = {.digests = {{.pub_data = FHE_PUB_PUBLIC_KEY},
						 {.pub_data = FHE_PUB_COMPRESSED_XOF_KEY_SET}},
				     .digests_n = 2};
	struct hash32 digest, want;

	OK(hex_decode_fixed(r.domain.verifying_contract.b, 20,
			    bytes_str("66f9664f97F2b50F62D13eA064982f936dE76657")));
	OK(key_preproc_digest(&digest, &r));
	OK(hex_decode_fixed(
		want.b, 32,
		bytes_str("d643f48086f34d13c61b1777ebd6b8f40bb8210a012a4772ed8bd8d6ec4e9a42")));
	assert_memory_equal(digest.b, want.b, 32);

	r.kind = REQUEST_KEYGEN;
	r.preproc_id = r.id;
	r.id = (struct hash32){{[31] = 0x22}};
	memset(m.digests[0].digest.b, 0xaa, 32);
	memset(m.digests[1].digest.b, 0xbb, 32);
	OK(key_generation_digest(&digest, &r, &m));
	OK(hex_decode_fixed(
		want.b, 32,
		bytes_str("aa556b0daaa69a3c3527d36089eb49ecee8163471b16d13e0936787fcceaae4a")));
	assert_memory_equal(digest.b, want.b, 32);
}

/* ---- answers and objects ---- */

static void preproc_check(struct bytes reply, struct hash32 id, struct bytes extra)
{
	struct arena memory = protobuf_arena(reply);
	char text[REQUEST_ID_TEXT_SIZE];
	ProtobufCMessage *unpacked;

	OK(protobuf_unpack(&unpacked, &kms__v1__key_gen_preproc_result__descriptor, reply,
			   &memory));

	const Kms__V1__KeyGenPreprocResult *m = (const Kms__V1__KeyGenPreprocResult *)unpacked;

	request_id_text(text, id);
	assert_string_equal(m->preprocessing_id->request_id, text);
	assert_int_equal(m->n_signatures, 0);
	key_test_signature(m->external_signature, key_test_preproc_digest(id, extra));
	arena_free(&memory);
}

/* The private object; and what is encrypted under it, the node decrypts: now. */
static void decryption_check(struct fixture *f, const struct key_call *c, unsigned number)
{
	const struct vault vault = {
		.path = f->config.private_vault.path, .prefix = "PRIV", .private = true};
	const uint64_t value = VALUE_U64;
	struct fhe_plaintext plain = {.n = 8};
	struct buf ciphertext = buf_make(1 << 20), reply = {0};
	struct fhe_key_handles handles;
	struct rng_seeded seeded;
	struct request q;

	OK(key_ring_read(&handles, &vault, request_id_default_epoch, c->id, NULL));
	assert_true(bytes_eq_var(fhe_client_key_tag(handles.client_key), BYTES_OF(c->id.b)));
	assert_true(hash32_eq(handles.metadata.preproc_id, c->preproc_id));
	memcpy(plain.le, &value, sizeof(value));
	OK(fhe_squashed_list_encrypt(handles.client_key, fhe_type_find(FHE_UINT64), &plain,
				     rng_seeded_init(&seeded, number), &ciphertext));
	kms_fhe_key_handles_free(&handles);
	request_init(&q, number, buf_view(&ciphertext));
	request_id_text(q.key_text, c->id);
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_OK);
	assert_int_equal(call_result(f, number, &reply), GRPC_OK);
	assert_non_null(memmem(reply.p, reply.n, &value, sizeof(value)));
	buf_free(&reply);
	buf_free(&ciphertext);
}

static void test_whole_flow(void **state)
{
	struct fixture *f = *state;
	struct buf reply = {0}, again = {0};
	struct key_call c = key_call_make(1), other;

	node_up(f);
	assert_int_equal(key_call_preproc(f, &c), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &c, &reply), GRPC_OK);
	preproc_check(buf_view(&reply), c.preproc_id, c.extra);
	buf_free(&reply);
	c.schemes_n = 1;
	assert_int_equal(key_call_keygen(f, &c), GRPC_OK);
	assert_int_equal(key_call_wait(f, &c, &reply), GRPC_OK);
	key_test_check(f, buf_view(&reply), &c);
	decryption_check(f, &c, 1);
	for (unsigned restart = 0; restart < 2; restart++) {
		assert_int_equal(key_call_keygen(f, &c), GRPC_ALREADY_EXISTS);
		assert_int_equal(key_call_preproc(f, &c), GRPC_FAILED_PRECONDITION);
		c.schemes_n = 0; /* as it was */
		assert_int_equal(key_call_preproc(f, &c), GRPC_ALREADY_EXISTS);
		assert_int_equal(key_call_keygen(f, &c), GRPC_FAILED_PRECONDITION);
		c.schemes_n = 1;
		other = c;
		other.id.b[30] = 9; /* the preprocessing is used up */
		assert_int_equal(key_call_keygen(f, &other), GRPC_NOT_FOUND);
		assert_int_equal(key_call_abort(f, &c), GRPC_NOT_FOUND);
		assert_int_equal(key_call_result(f, &c, &again), GRPC_OK);
		assert_true(bytes_eq_var(buf_view(&reply), buf_view(&again)));
		buf_free(&again);
		node_down(f);
		node_up(f);
	}
	key_test_check(f, buf_view(&reply), &c);
	decryption_check(f, &c, 2);
	assert_int_equal(objects_partial(f), 0);
	buf_free(&reply);
}

/* Parameters of the preprocessing, or of the request; extra data of any form. */
static void test_two_keys(void **state)
{
	struct fixture *f = *state;
	struct key_call a = key_call_make(1), b = key_call_make(2);
	struct buf reply = {0};

	node_up(f);
	a.extra = BYTES_NONE;
	b.preproc_params = KMS__V1__FHE_PARAMETER__default; /* the key generation says "test" */
	b.has_params = true;
	a.schemes_n = b.schemes_n = 1;
	assert_int_equal(key_call_preproc(f, &a), GRPC_OK);
	assert_int_equal(key_call_preproc(f, &b), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &a, NULL), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &b, NULL), GRPC_OK);
	assert_int_equal(key_call_keygen(f, &a), GRPC_OK);
	assert_int_equal(key_call_keygen(f, &b), GRPC_OK);
	assert_int_equal(key_call_wait(f, &b, &reply), GRPC_OK);
	key_test_check(f, buf_view(&reply), &b);
	buf_free(&reply);
	assert_int_equal(key_call_wait(f, &a, &reply), GRPC_OK);
	key_test_check(f, buf_view(&reply), &a);
	buf_free(&reply);
}

/* ---- refusals ---- */

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct key_call c = key_call_make(1), bad;

	node_up(f);
#define REFUSED(change, status)                                                                    \
	do {                                                                                       \
		bad = c;                                                                           \
		change;                                                                            \
		assert_int_equal(key_call_preproc(f, &bad), status);                               \
		assert_int_equal(key_call_keygen(f, &bad), status);                                \
	} while (0)
	REFUSED(bad.type = KMS__V1__KEY_SET_TYPE__DecompressionOnly, GRPC_UNIMPLEMENTED);
	REFUSED(bad.type = 7, GRPC_INVALID_ARGUMENT);
	REFUSED(bad.secret = KMS__V1__KEY_GEN_SECRET_KEY_CONFIG__UseExisting, GRPC_UNIMPLEMENTED);
	REFUSED(bad.compressed = KMS__V1__COMPRESSED_KEY_CONFIG__CompressedNone,
		GRPC_UNIMPLEMENTED);
	REFUSED((bad.has_params = true, bad.preproc_params = bad.params = 2),
		GRPC_INVALID_ARGUMENT);
	REFUSED(bad.no_domain = true, GRPC_INVALID_ARGUMENT);
	REFUSED(bad.epoch = 9, GRPC_NOT_FOUND);
	REFUSED((bad.schemes_n = 1, bad.scheme = KMS__V1__SIGNING_SCHEME_TYPE__ED25519),
		GRPC_UNIMPLEMENTED);
	bad = c;
	bad.added = true;
	assert_int_equal(key_call_keygen(f, &bad), GRPC_INVALID_ARGUMENT);

	/* Nothing of this was kept. */
	assert_int_equal(key_call_preproc_result(f, &c, NULL), GRPC_NOT_FOUND);
	assert_int_equal(key_call_result(f, &c, NULL), GRPC_NOT_FOUND);
	assert_int_equal(key_call_keygen(f, &c), GRPC_NOT_FOUND);
	assert_int_equal(key_call_abort(f, &c), GRPC_NOT_FOUND);
	assert_int_equal(call_once(f, RPC_KEYGEN_ABORT, BYTES_NONE, NULL), GRPC_INVALID_ARGUMENT);
	assert_int_equal(call_once(f, RPC_KEYGEN, BYTES_LIT("\x0a\x7f"), NULL),
			 GRPC_INVALID_ARGUMENT);

	/* A key that is in the vault, and that no request made. */
	assert_int_equal(key_call_preproc(f, &c), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &c, NULL), GRPC_OK);
	bad = c;
	bad.id = test_key_id;
	assert_int_equal(key_call_keygen(f, &bad), GRPC_FAILED_PRECONDITION);
	assert_int_equal(key_call_keygen(f, &c), GRPC_OK);
	assert_int_equal(key_call_wait(f, &c, NULL), GRPC_OK);
}

/* ---- withdrawing ---- */

/* A generation with parameters that take seconds; returns when it has begun to write. */
static void long_run_begin(struct fixture *f, struct key_call *c)
{
	c->preproc_params = KMS__V1__FHE_PARAMETER__default;
	assert_int_equal(key_call_preproc(f, c), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, c, NULL), GRPC_OK);
	assert_int_equal(key_call_keygen(f, c), GRPC_OK);
	long_run_wait(f);
}

static void test_abort(void **state)
{
	struct fixture *f = *state;
	struct key_call c = key_call_make(1), next = key_call_make(2), same = c;

	node_up(f);
	long_run_begin(f, &c);
	same.id.b[30] = 7;
	same.preproc_params = c.preproc_params;
	assert_int_equal(key_call_keygen(f, &same), GRPC_ALREADY_EXISTS);
	assert_int_equal(key_call_result(f, &c, NULL), GRPC_UNAVAILABLE);
	assert_int_equal(key_call_abort(f, &c), GRPC_OK);
	for (unsigned restart = 0; restart < 2; restart++) {
		assert_int_equal(key_call_result(f, &c, NULL), GRPC_ABORTED);
		assert_int_equal(key_call_abort(f, &c), GRPC_NOT_FOUND);
		assert_int_equal(key_call_keygen(f, &c), GRPC_ALREADY_EXISTS); /* burnt */
		assert_int_equal(objects_of(f, c.id), 0);
		assert_int_equal(objects_partial(f), 0);
		node_down(f);
		node_up(f);
	}
	assert_int_equal(key_call_preproc(f, &next), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &next, NULL), GRPC_OK);
	assert_int_equal(key_call_keygen(f, &next), GRPC_OK);
	assert_int_equal(key_call_wait(f, &next, NULL), GRPC_OK);
}

/* One that waits for another is withdrawn as well; and decryptions go on beside. */
static void test_abort_waiting(void **state)
{
	struct fixture *f = *state;
	struct key_call first = key_call_make(1), second = key_call_make(2);
	struct buf ciphertext = vector_read("tfhe/nat_test_csq64.bin");
	struct buf id = id_pack(second.preproc_id);
	struct request q;
	struct call abort;

	node_up(f);
	long_run_begin(f, &first);
	assert_int_equal(key_call_preproc(f, &second), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &second, NULL), GRPC_OK);
	assert_int_equal(key_call_keygen(f, &second), GRPC_OK);
	request_init(&q, 1, buf_view(&ciphertext));
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_OK);
	assert_int_equal(call_result(f, 1, NULL), GRPC_OK);
	assert_int_equal(
		core_service_gauges(node_service(f->node)).requests[REQUEST_KEYGEN].running, 1);
	call_start(&abort, f->loop, f->channel, RPC_KEYGEN_ABORT, buf_view(&id), 20000);
	assert_int_equal(key_call_abort(f, &first), GRPC_OK);
	call_wait(&abort);
	assert_int_equal(abort.status, GRPC_OK);
	call_free(&abort);
	assert_int_equal(key_call_result(f, &second, NULL), GRPC_ABORTED);
	assert_int_equal(objects_of(f, first.id) + objects_of(f, second.id), 0);
	buf_free(&id);
	buf_free(&ciphertext);
}

/* A stop does not wait for a key; the next start begins anew. */
static void test_stop_in_the_middle(void **state)
{
	struct fixture *f = *state;
	struct key_call c = key_call_make(1);

	node_up(f);
	long_run_begin(f, &c);
	node_down(f);
	assert_int_equal(objects_of(f, c.id), 0);
	assert_int_equal(objects_partial(f), 0);
	node_up(f);
	assert_int_equal(key_call_keygen(f, &c), GRPC_ALREADY_EXISTS);
	long_run_wait(f);
	assert_int_equal(key_call_result(f, &c, NULL), GRPC_UNAVAILABLE);
	assert_int_equal(key_call_abort(f, &c), GRPC_OK);
	assert_int_equal(key_call_result(f, &c, NULL), GRPC_ABORTED);
}

/* ---- failing ---- */

/* A file where a folder must be: the key set cannot be written, or only the public key cannot. */
static void test_failure_leaves_nothing(void **state)
{
	static const char *const types[] = {"CompressedXofKeySet", "PublicKey"};
	struct fixture *f = *state;

	node_up(f);
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		struct key_call c = key_call_make(1 + i), next = key_call_make(11 + i);
		char path[512], path_of_next[512];
		FILE *file;

		(void)snprintf(path, sizeof(path), "%s/PUB/%s", f->config.public_vault.path,
			       types[i]);
		(void)remove(path);
		file = fopen(path, "we");
		assert_non_null(file);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(key_call_preproc(f, &c), GRPC_OK);
		assert_int_equal(key_call_preproc_result(f, &c, NULL), GRPC_OK);
		assert_int_equal(key_call_keygen(f, &c), GRPC_OK);
		assert_int_equal(key_call_wait(f, &c, NULL), GRPC_INTERNAL);
		assert_int_equal(objects_of(f, c.id), 0);
		assert_int_equal(objects_partial(f), 0);
		assert_int_equal(remove(path), 0);
		assert_int_equal(key_call_keygen(f, &c), GRPC_ALREADY_EXISTS); /* burnt */
		assert_int_equal(key_call_result(f, &c, NULL), GRPC_INTERNAL);

		assert_int_equal(key_call_preproc(f, &next), GRPC_OK);
		assert_int_equal(key_call_preproc_result(f, &next, NULL), GRPC_OK);
		assert_int_equal(key_call_keygen(f, &next), GRPC_OK);
		assert_int_equal(key_call_wait(f, &next, NULL), GRPC_OK);
		/* so that its folder makes room for a file */
		if (i == 0) {
			object_path(path_of_next, f, "PUB", "PublicKey", next.id);
			assert_int_equal(remove(path_of_next), 0);
		}
	}
}

/* ---- the audit ---- */

/* Randomness that does damage: when the audit asks for it, the file is written and not read yet. */
struct spoiler {
	struct rng base;
	char path[600]; /* the partial object */
	off_t from;
	size_t n; /* so many bytes from there */
	uint8_t bit;
	bool spoiled;
};

static void spoiler_fill(struct rng *r, uint8_t *out, size_t n)
{
	struct spoiler *s = CONTAINER_OF(r, struct spoiler, base);
	int fd = open(s->path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	for (size_t i = 0; fd >= 0 && i < s->n && !s->spoiled; i++) {
		assert_int_equal(pread(fd, &byte, 1, s->from + (off_t)i), 1);
		byte ^= s->bit;
		assert_int_equal(pwrite(fd, &byte, 1, s->from + (off_t)i), 1);
	}
	if (fd >= 0) {
		s->spoiled = true;
		assert_int_equal(close(fd), 0);
	}
	rng_fill(rng_system(), out, n);
}

/* What is wrong is never published: neither damaged rows, which decrypt to something else, nor a
 * single bit in a row that the sample most likely passes over: then the digest is another one. */
static void test_audited(void **state)
{
	static const struct rng_ops ops = {.fill = spoiler_fill};
	static const struct {
		off_t from;
		size_t n;
		uint8_t bit;
		enum err err;
		const char *note;
	} rows[] = {
		{0, 0, 0, ERR_OK, ""},
		{100000, 300000, 0x40, ERR_MISMATCH,
		 "audit of the new key set: compression key: wrong message"},
		{900000, 1, 0x01, ERR_MISMATCH, "audit of the new key set: "},
	};
	struct fixture *f = *state;
	const struct vaults vaults = core_config_vaults(&f->config);
	struct signing_key signer;
	struct ecdsa *ecdsa;
	atomic_bool stop = false;

	OK(ecdsa_new(&ecdsa, (uint8_t[32]){1}));
	test_signer(&signer, ecdsa);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct key_request r = {
			.kind = REQUEST_KEYGEN,
			.id = key_call_make(1 + i).id,
			.preproc_id = key_call_make(1 + i).preproc_id,
			.where = {request_id_default_context, request_id_default_epoch},
			.domain = {.name = BYTES_LIT("n"), .version = BYTES_LIT("1")},
		};
		struct spoiler s = {
			.base = {&ops}, .from = rows[i].from, .n = rows[i].n, .bit = rows[i].bit};
		const struct publish p = {.vaults = &vaults,
					  .signer = &signer,
					  .rng = &s.base,
					  .threads = 2,
					  .stop = &stop};
		struct fhe_key_handles handles = {0};
		struct err_note note = {0};
		char path[512];

		object_path(path, f, "PUB", "CompressedXofKeySet", r.id);
		(void)snprintf(s.path, sizeof(s.path), "%s.%ld.partial", path, (long)getpid());
		assert_int_equal(key_publish(&handles, &p, &r, KEY_PARAMS_TEST, &note),
				 rows[i].err);
		print_message("# %s\n", note.text);
		assert_true(s.spoiled);
		if (!strstr(note.text, rows[i].note))
			fail_msg("%s", note.text);
		assert_int_equal(objects_of(f, r.id), rows[i].err == ERR_OK ? 3 : 0);
		assert_int_equal(objects_partial(f), 0);
		kms_fhe_key_handles_free(&handles);
	}
	signing_key_free(&signer);
	ecdsa_free(ecdsa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_digests),
		cmocka_unit_test_setup_teardown(test_whole_flow, key_setup, key_teardown),
		cmocka_unit_test_setup_teardown(test_two_keys, key_setup, key_teardown),
		cmocka_unit_test_setup_teardown(test_refusals, key_setup, key_teardown),
		cmocka_unit_test_setup_teardown(test_abort, key_setup, key_teardown),
		cmocka_unit_test_setup_teardown(test_abort_waiting, key_setup, key_teardown),
		cmocka_unit_test_setup_teardown(test_stop_in_the_middle, key_setup, key_teardown),
		cmocka_unit_test_setup_teardown(test_failure_leaves_nothing, key_setup,
						key_teardown),
		cmocka_unit_test_setup_teardown(test_audited, key_setup, key_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
