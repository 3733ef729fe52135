/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What a connector of this protocol is known to be tested for and no other program here shows; the
 * numbers are those of tests/connector-behaviours.md. */
#include "connector/adapters/content.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "user_fixture.h"

/* ---- 21, 69: rows are found, and not too many at a time ---- */

static void nothing(void *ctx)
{
	(void)ctx;
}

static void test_a_row_without_a_signal_is_found(void **state)
{
	struct fixture *f = *state;
	struct sim_topic saved[ARRAY_LEN(f->w.sim.store.topics)];

	publish(f);
	world_allow(&f->w, f->handle);
	start(f);
	sim_run(&f->w.sim, 100);
	memcpy(saved, f->w.sim.store.topics, sizeof(saved));
	for (size_t i = 0; i < ARRAY_LEN(saved); i++)
		f->w.sim.store.topics[i].fn = nothing;
	insert(f, 1);
	sim_run(&f->w.sim, 100);
	assert_string_equal(world_state(&f->w, 1), "seen");
	memcpy(f->w.sim.store.topics, saved, sizeof(saved));
	assert_true(
		world_wait_state(&f->w, 1, "answered", f->w.config.db_fast_event_polling_ms + 100));
}

static void test_tasks_are_bounded(void **state)
{
	struct fixture *f = *state;
	int64_t most = 0;

	publish(f);
	world_allow(&f->w, f->handle);
	f->w.config.task_limit = 6;
	f->w.core.poll_delay_ms = 500;
	for (uint64_t id = 1; id <= 30; id++)
		insert(f, id);
	start(f);
	for (unsigned i = 0; i < 100; i++) {
		sim_run(&f->w.sim, 10);
		if (f->w.metrics.cells[METRIC_WORKER_JOBS][0] > most)
			most = f->w.metrics.cells[METRIC_WORKER_JOBS][0];
	}
	assert_int_equal(most, 6);
}

/* ---- 47: whose word it is ---- */

static void test_a_denial_names_its_chain(void **state)
{
	struct fixture *f = *state;

	publish(f);
	insert(f, 1);
	start(f);
	sim_run(&f->w.sim, 1000);
	assert_non_null(strstr(world_reason(&f->w, 1), "by the ACL of chain 12345 (block "));
}

/* ---- 29 to 38: context and epoch ---- */

static const struct address protocol = {{0x9c}};

/* ProtocolConfig, beside the host chain's own contracts. */
struct contexts {
	struct world *world;
	bool (*host)(void *ctx, struct address to, struct bytes data, uint64_t block,
		     struct buf *result);
	bool context, epoch;
	unsigned context_calls, epoch_calls;
};

static bool is_call(struct bytes data, const char *signature)
{
	uint8_t selector[4];

	abi_selector(selector, signature);
	return data.n >= 4 && memcmp(data.p, selector, 4) == 0;
}

static bool contexts_call(void *ctx, struct address to, struct bytes data, uint64_t block,
			  struct buf *result)
{
	struct contexts *c = ctx;
	uint8_t word[32] = {0};

	if (!address_eq(to, protocol))
		return c->host(c->world, to, data, block, result);
	if (is_call(data, "isValidKmsContext(uint256)")) {
		c->context_calls++;
		word[31] = c->context;
	} else if (is_call(data, "isValidEpochForContext(uint256,uint256)")) {
		c->epoch_calls++;
		word[31] = c->epoch;
	} else {
		return false;
	}
	assert_int_equal(buf_add(result, BYTES_OF(word)), ERR_OK);
	return true;
}

static void configure(struct fixture *f, struct contexts *c)
{
	*c = (struct contexts){
		.world = &f->w, .host = f->w.host.call, .context = true, .epoch = true};
	f->w.host.call = contexts_call;
	f->w.host.call_ctx = c;
	f->w.env.ethereum = f->w.host_provider;
	f->w.config.ethereum_chain_id = WORLD_HOST_CHAIN;
	f->w.config.protocol_config_given = true;
	f->w.config.protocol_config_contract =
		(struct contract_config){protocol, "ProtocolConfig", "1"};
	publish(f);
	world_allow(&f->w, f->handle);
}

/* Request `id` of the context 7, and of its epoch 9. */
static void insert_of(struct fixture *f, uint64_t id, bool with_epoch)
{
	uint8_t extra[65] = {with_epoch ? 2 : 1};

	extra[32] = 7;
	extra[64] = 9;
	world_insert(&f->w, id, &f->handle, 1, bytes_from(extra, with_epoch ? 65 : 33), 0,
		     BYTES_OF(body));
}

static void test_a_valid_context_and_epoch(void **state)
{
	struct fixture *f = *state;
	struct arena memory CLEANUP(arena_free) = arena_make(1 << 20);
	struct contexts c;
	ProtobufCMessage *base;

	configure(f, &c);
	insert_of(f, 1, true);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(c.context_calls, 1);
	assert_int_equal(c.epoch_calls, 1);
	assert_int_equal(protobuf_unpack(&base, &kms__v1__public_decryption_request__descriptor,
					 buf_view(&f->w.core.last_request), &memory),
			 ERR_OK);
	const Kms__V1__PublicDecryptionRequest *m = (const Kms__V1__PublicDecryptionRequest *)base;
	assert_string_equal(&m->context_id->request_id[60], "0007");
	assert_string_equal(&m->epoch_id->request_id[60], "0009");
}

/* An epoch that is not active yet will be. */
static void test_an_epoch_that_is_pending_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct contexts c;

	configure(f, &c);
	c.epoch = false;
	insert_of(f, 1, true);
	start(f);
	sim_run(&f->w.sim, 3000);
	assert_string_equal(world_state(&f->w, 1), "seen");
	assert_non_null(strstr(world_reason(&f->w, 1), "or its epoch is not valid"));
	assert_int_equal(f->w.core.sends, 0);
	c.epoch = true;
	assert_true(world_wait_state(&f->w, 1, "answered", 60000));
}

static void test_a_destroyed_context_has_no_epochs(void **state)
{
	struct fixture *f = *state;
	struct contexts c;

	configure(f, &c);
	f->w.config.max_decryption_attempts = 3;
	c.context = false;
	insert_of(f, 1, true);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "failed", 60000));
	assert_non_null(strstr(world_reason(&f->w, 1), "KMS context"));
	assert_int_equal(f->w.core.sends, 0);
}

static void test_version_1_asks_for_the_context_only(void **state)
{
	struct fixture *f = *state;
	struct contexts c;

	configure(f, &c);
	c.epoch = false;
	insert_of(f, 1, false);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	assert_int_equal(c.context_calls, 1);
	assert_int_equal(c.epoch_calls, 0);
}

/* 9, 10, 29, 34: nothing is remembered of a context, so nothing can be stale. */
static void test_every_request_asks_for_its_context(void **state)
{
	struct fixture *f = *state;
	struct contexts c;

	configure(f, &c);
	f->w.config.max_decryption_attempts = 2;
	insert_of(f, 1, true);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "answered", 1000));
	c.context = false;
	insert_of(f, 2, true);
	assert_true(world_wait_state(&f->w, 2, "failed", 60000));
	c.context = true;
	insert_of(f, 3, true);
	assert_true(world_wait_state(&f->w, 3, "answered", 1000));
	assert_int_equal(f->w.core.sends, 2);
}

/* ---- 52: nothing to decrypt ---- */

static void test_no_handles(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 16);
	struct buf content CLEANUP(buf_free) = buf_make(1 << 12);
	const struct decryption_request none = {.extra_data = BYTES_NONE};
	struct decryption_request r;

	(void)state;
	assert_int_equal(content_encode(&content, &none), ERR_OK);
	assert_int_equal(
		decryption_request_decode(&a, &r, OP_KIND_PUBLIC_DECRYPTION, buf_view(&content)),
		ERR_CORRUPT);
}

/* ---- 70: whatever of an attestation is changed, it is not the signer's any more ---- */

static void test_every_part_of_an_attestation_is_signed(void **state)
{
	struct fixture *f = *state;
	struct attestation a = {.key_id = u256_from_u64(4),
				.format = CT_COMPRESSED_ON_CPU,
				.signer = f->w.signers[0]};
	struct hash32 handle = f->handle, digest;

	memset(a.ciphertext_digest.b, 1, 32);
	memset(a.sns_digest.b, 2, 32);
	digest = attestation_digest(&a, &handle, u256_from_u64(COPROCESSOR_CONTEXT_ID));
	assert_int_equal(ecdsa_sign65(f->w.ecdsa, &a.signature, &f->w.coprocessor_keys[0], digest),
			 ERR_OK);
	assert_int_equal(attestation_verify(&a, &handle, f->w.ecdsa), ERR_OK);

	for (unsigned i = 0; i < 7; i++) {
		struct attestation b = a;
		struct hash32 other = handle;

		b.key_id = i == 0 ? u256_from_u64(5) : b.key_id;
		b.format = i == 1 ? CT_UNCOMPRESSED_ON_CPU : b.format;
		b.signer = i == 2 ? f->w.signers[1] : b.signer;
		b.ciphertext_digest.b[9] ^= i == 3;
		b.sns_digest.b[9] ^= i == 4;
		b.signature.b[9] ^= i == 5;
		other.b[9] ^= i == 6;
		assert_int_equal(attestation_verify(&b, &other, f->w.ecdsa), ERR_MISMATCH);
	}
	/* Nor is it good for another context. */
	struct hash32 elsewhere =
		attestation_digest(&a, &handle, u256_from_u64(COPROCESSOR_CONTEXT_ID + 1));
	assert_false(hash32_eq(digest, elsewhere));
}

/* ---- 72: forms of a contract wallet's signature ---- */

static void ask_wallet(struct fixture *f, struct asked *q)
{
	ask_init(f, q);
	f->w.wallet = (struct address){{0x0a, 0x11, 0xe7}};
	q->user.unified = true;
	q->user.user = f->w.wallet;
	q->user.entries = q->entries;
	q->entries[0] = (struct user_entry){.contract = dapp, .owner = f->w.wallet};
	q->user.start_s = u256_from_u64(BEGUN_S);
	q->user.duration_s = u256_from_u64(86400);
	f->w.config.acl_grace_ms = 2000;
	publish(f);
	world_grant(&f->w, f->handle, f->w.wallet);
}

/* An owner's alone, an approved hash (v 1), one of eth_sign (v 31), several of them, none, what is
 * no signature: the wallet is asked about each. */
static void test_every_form_of_a_wallets_signature(void **state)
{
	struct fixture *f = *state;
	static const uint8_t magic[32] = {0x16, 0x26, 0xba, 0x7e};
	uint8_t bytes[130] = {0};
	struct asked q;

	memset(bytes, 0x5a, sizeof(bytes));
	const struct {
		size_t n;
		uint8_t v;
	} forms[] = {{65, 27}, {65, 1}, {65, 31}, {130, 28}, {0, 0}, {3, 0}};

	ask_wallet(f, &q);
	f->w.wallet_says = BYTES_OF(magic);
	start(f);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (forms[i].n > 0)
			bytes[forms[i].n - 1] = forms[i].v;
		q.user.signature = bytes_from(bytes, forms[i].n);
		world_insert_user(&f->w, i + 1, &q.r, 0, BYTES_OF(body));
		if (!world_wait_state(&f->w, i + 1, "answered", 5000))
			fail_msg("%zu: %s", i, world_reason(&f->w, i + 1));
		assert_int_equal(f->w.wallet_calls, i + 1);
	}
}

static void test_no_signature_of_an_account_without_code(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_wallet(f, &q);
	f->w.wallet = (struct address){{0}};
	q.user.signature = BYTES_NONE;
	insert_user(f, &q);
	start(f);
	host_seconds(f, 6);
	assert_refused(f, "nor vouched for by a contract wallet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_a_row_without_a_signal_is_found),
		T(test_tasks_are_bounded),
		T(test_a_denial_names_its_chain),
		T(test_a_valid_context_and_epoch),
		T(test_an_epoch_that_is_pending_is_waited_for),
		T(test_a_destroyed_context_has_no_epochs),
		T(test_version_1_asks_for_the_context_only),
		T(test_every_request_asks_for_its_context),
		cmocka_unit_test(test_no_handles),
		T(test_every_part_of_an_attestation_is_signed),
		T(test_every_form_of_a_wallets_signature),
		T(test_no_signature_of_an_account_without_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
