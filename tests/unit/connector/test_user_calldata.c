/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The worker and user decryptions of the older form: who must have said yes, and what the calldata
 * must hold. */
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "user_fixture.h"

#define DIRECT                                                                                     \
	"userDecryptionRequest((bytes32,address)[],(uint256,uint256),(uint256,address[]),address," \
	"bytes,bytes,bytes)"
#define DELEGATED                                                                                  \
	"delegatedUserDecryptionRequest((bytes32,address)[],(uint256,uint256),(address,address),"  \
	"(uint256,address[]),bytes,bytes,bytes)"

/* The signature that the call of the older form has. */
static struct signature65 sign_call(struct fixture *f, const struct asked *q,
				    const struct address *contracts, size_t contracts_n,
				    const struct address *by_delegation_of)
{
	const struct user_calldata c = {
		.delegated = by_delegation_of != NULL,
		.delegator = by_delegation_of ? *by_delegation_of : (struct address){{0}},
		.public_key = q->call.signed_key.n > 0 ? q->call.signed_key : q->user.public_key,
		.contracts = contracts,
		.contracts_n = contracts_n,
		.start_s = q->call.start_s,
		.duration_days = q->call.duration_days,
		.extra_data = q->call.signed_extra.n > 0 ? q->call.signed_extra : q->r.extra_data,
	};
	struct eip712_domain domain = f->w.domain;
	struct signature65 s;
	struct hash32 digest;

	domain.chain_id = q->call.signed_chain_id;
	assert_int_equal(user_calldata_digest(&digest, &domain, &c), ERR_OK);
	assert_int_equal(ecdsa_sign65(f->w.ecdsa, &s, &q->call.key, digest), ERR_OK);
	s.b[64] = (uint8_t)(s.b[64] - (q->call.low_v ? 27 : 0));
	return s;
}

/* The transaction of request `id`, as a relayer sends it. */
static struct sim_tx *add_tx(struct fixture *f, uint64_t id, const struct asked *q,
			     struct address contract, const struct address *by_delegation_of)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf data CLEANUP(buf_free) = buf_make(1 << 16);
	struct abi_value pairs[WORLD_HANDLES_MAX], fields[WORLD_HANDLES_MAX][2], args[8];
	const struct abi_value validity[] = {abi_uint(q->call.start_s),
					     abi_uint(q->call.duration_days)};
	const struct address *contracts = q->call.contracts_n > 0 ? q->call.contracts : &contract;
	size_t contracts_n = q->call.contracts_n > 0 ? q->call.contracts_n : 1;
	const struct abi_value addresses[] = {abi_address(contracts[0]),
					      abi_address(contracts[contracts_n - 1])};
	const struct abi_value info[] = {abi_uint(q->call.chain_id),
					 abi_items(addresses, contracts_n)};
	const struct signature65 signature =
		sign_call(f, q, contracts, contracts_n, by_delegation_of);
	struct abi_value accounts[2];
	struct sim_tx *tx = &f->w.gateway.txs[f->w.gateway.txs_n++];
	size_t n = 0;

	for (size_t i = 0; i < q->r.handles_n; i++) {
		fields[i][0] = abi_hash(&q->handles[i]);
		fields[i][1] = abi_address(contract);
		pairs[i] = abi_items(fields[i], 2);
	}
	args[n++] = abi_items(pairs, q->r.handles_n);
	args[n++] = abi_items(validity, 2);
	if (by_delegation_of) {
		accounts[0] = abi_address(*by_delegation_of);
		accounts[1] = abi_address(q->user.user);
		args[n++] = abi_items(accounts, 2);
	}
	args[n++] = abi_items(info, 2);
	if (!by_delegation_of)
		args[n++] = abi_address(q->user.user);
	args[n++] = abi_bytes(q->user.public_key);
	args[n++] = abi_bytes(bytes_sub(BYTES_OF(signature.b), 0, q->call.signature_n));
	args[n++] = abi_bytes(q->call.extra_data.n > 0 ? q->call.extra_data : q->r.extra_data);
	assert_int_equal(abi_encode_call(&a, &data, by_delegation_of ? DELEGATED : DIRECT, args, n),
			 ERR_OK);
	*tx = (struct sim_tx){.hash = {{(uint8_t)id}}, .to = f->w.decryption};
	assert_int_equal(arena_copy(&f->w.kept, &tx->input, buf_view(&data)), ERR_OK);
	return tx;
}

/* ---- the older form ---- */

static void test_direct(void **state)
{
	struct fixture *f = *state;
	struct arena memory CLEANUP(arena_free) = arena_make(1 << 20);
	struct decryption_answer a;
	struct asked q;
	ProtobufCMessage *base;

	publish(f);
	ask_init(f, &q);
	(void)add_tx(f, 1, &q, dapp, NULL);
	world_grant(&f->w, f->handle, q.user.user);
	world_grant(&f->w, f->handle, dapp);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
	assert_int_equal(f->w.acl_calls, 2);
	assert_int_equal(f->w.core.sends, 1);

	/* what the core was asked */
	assert_int_equal(protobuf_unpack(&base, &kms__v1__user_decryption_request__descriptor,
					 buf_view(&f->w.core.last_request), &memory),
			 ERR_OK);
	const Kms__V1__UserDecryptionRequest *m = (const Kms__V1__UserDecryptionRequest *)base;
	assert_int_equal(m->n_typed_ciphertexts, 1);
	assert_true(bytes_eq_var(protobuf_view(m->enc_key), BYTES_OF(public_key)));
	assert_int_equal(strlen(m->client_address), 42);
	assert_int_equal(m->extra_data.len, 0);
	assert_null(m->context_id);

	/* what is to go on chain: the payload, as it was signed */
	int64_t n = sim_sql_int(&f->w.sim, "SELECT length(answer) FROM operation");
	const char *stored = sim_sql_text(&f->w.sim, "SELECT answer FROM operation");
	assert_int_equal(decryption_answer_decode(&a, OP_KIND_USER_DECRYPTION,
						  bytes_from(stored, (size_t)n)),
			 ERR_OK);
	assert_int_equal(a.result.p[0], 41); /* the key's length begins it */
	assert_int_equal(a.result.n, 8 + 41 + 8 + 32 + 8 + 4 + 8 + 6 + 8 + 32 + 4 + 4 + 4);
	assert_int_equal(f->w.metrics.cells[METRIC_WORKER_GRPC_SENT][METRIC_EVENT_USER_DECRYPTION],
			 1);
}

/* Materials of the older event generation: the commitment tells what the ciphertext hashes to. */
static void test_direct_with_materials(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	(void)world_publish_committed(&f->w, 0, BYTES_OF(body));
	(void)world_publish_committed(&f->w, 1, BYTES_OF(body));
	ask_init(f, &q);
	(void)add_tx(f, 1, &q, dapp, NULL);
	world_grant(&f->w, f->handle, q.user.user);
	world_grant(&f->w, f->handle, dapp);
	world_insert_user(&f->w, 1, &q.r, 3, BYTES_OF(body));
	start(f);
	assert_answered(f);
}

static void test_user_without_permission(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	publish(f);
	f->w.config.acl_grace_ms = 2000;
	ask_init(f, &q);
	(void)add_tx(f, 1, &q, dapp, NULL);
	world_grant(&f->w, f->handle, dapp);
	world_allow(&f->w, f->handle); /* public permission is another thing */
	insert_user(f, &q);
	start(f);
	sim_run(&f->w.sim, 1500);
	assert_waits(f, "is not yet allowed for user 0x");
	host_seconds(f, 5);
	assert_refused(f, "is not allowed for user 0x");
	for (unsigned i = 0; i < WORLD_COPROCESSORS; i++)
		assert_int_equal(f->w.buckets[i].gets, 0);
}

static void test_contract_without_permission(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	publish(f);
	f->w.config.acl_grace_ms = 2000;
	ask_init(f, &q);
	(void)add_tx(f, 1, &q, dapp2, NULL);
	world_grant(&f->w, f->handle, q.user.user);
	world_grant(&f->w, f->handle, dapp);
	insert_user(f, &q);
	start(f);
	host_seconds(f, 5);
	assert_refused(f, "is not allowed for contract 0xdb");
}

static void test_one_of_many_handles(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	f->w.config.acl_grace_ms = 2000;
	ask_init(f, &q);
	q.r.handles_n = 8;
	for (size_t i = 0; i < q.r.handles_n; i++) {
		q.handles[i] = world_handle((uint8_t)(1 + i), 5);
		(void)world_publish_attested(&f->w, 0, q.handles[i], BYTES_OF(body));
		(void)world_publish_attested(&f->w, 1, q.handles[i], BYTES_OF(body));
		if (i != 6)
			world_grant(&f->w, q.handles[i], q.user.user);
		world_grant(&f->w, q.handles[i], dapp);
	}
	(void)add_tx(f, 1, &q, dapp, NULL);
	insert_user(f, &q);
	start(f);
	sim_run(&f->w.sim, 1500);
	assert_waits(f, "not yet allowed for user");
	world_grant(&f->w, q.handles[6], q.user.user);
	host_seconds(f, 2);
	assert_answered(f);
}

static bool yes_call(void *ctx, struct address to, struct bytes data, uint64_t block,
		     struct buf *result)
{
	struct fixture *f = ctx;
	uint8_t word[32] = {[31] = 1};

	(void)to, (void)data, (void)block;
	f->w.acl_calls++;
	assert_int_equal(buf_add(result, BYTES_OF(word)), ERR_OK);
	return true;
}

/* More questions than are asked at once: each one is asked, and once. */
static void test_many_questions(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	f->w.host.call = yes_call;
	f->w.host.call_ctx = f;
	ask_init(f, &q);
	q.r.handles_n = WORLD_HANDLES_MAX;
	for (size_t i = 0; i < q.r.handles_n; i++)
		q.handles[i] = world_handle((uint8_t)(1 + i), 5);
	(void)add_tx(f, 1, &q, dapp, NULL);
	insert_user(f, &q);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "ready", 5000));
	assert_int_equal(f->w.acl_calls, 2 * WORLD_HANDLES_MAX);
}

/* A node that lags does not know the transaction: it is no reason to refuse. */
static void test_transaction_not_known_yet(void **state)
{
	struct fixture *f = *state;
	struct sim_tx *tx;
	struct asked q;

	publish(f);
	f->w.config.acl_grace_ms = 0;
	ask_init(f, &q);
	tx = add_tx(f, 1, &q, dapp, NULL);
	tx->hidden = true;
	world_grant(&f->w, f->handle, q.user.user);
	world_grant(&f->w, f->handle, dapp);
	insert_user(f, &q);
	start(f);
	sim_run(&f->w.sim, 10 * 60 * 1000);
	assert_waits(f, "does not know it (yet)");
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
	tx->hidden = false;
	assert_true(world_wait_state(&f->w, 1, "answered", 70000));
}

static void refused_transaction(struct fixture *f, void (*change)(struct sim_tx *tx),
				const char *reason)
{
	struct sim_tx *tx;
	struct asked q;

	publish(f);
	ask_init(f, &q);
	tx = add_tx(f, 1, &q, dapp, NULL);
	change(tx);
	world_grant(&f->w, f->handle, q.user.user);
	world_grant(&f->w, f->handle, dapp);
	insert_user(f, &q);
	start(f);
	assert_refused(f, reason);
	assert_int_equal(f->w.acl_calls, 0);
}

static void to_another(struct sim_tx *tx)
{
	tx->to.b[5] ^= 1;
}

static void creates(struct sim_tx *tx)
{
	tx->creates = true;
}

static void of_nothing(struct sim_tx *tx)
{
	tx->input = BYTES_NONE;
}

static void cut(struct sim_tx *tx)
{
	tx->input.n -= 32;
}

/* Another handle in the calldata than in the event. */
static void other_handle(struct sim_tx *tx)
{
	uint8_t *input = (uint8_t *)(uintptr_t)tx->input.p;

	/* selector, then: 8 words of heads, the list's length, its first word */
	input[4 + 32 * 9] ^= 1;
}

static void test_transaction_to_another_contract(void **state)
{
	refused_transaction(*state, to_another, "is not to the Decryption contract itself");
}

static void test_transaction_that_creates(void **state)
{
	refused_transaction(*state, creates, "is not to the Decryption contract itself");
}

static void test_calldata_of_nothing(void **state)
{
	refused_transaction(*state, of_nothing, "is of no known request function");
}

static void test_calldata_cut(void **state)
{
	refused_transaction(*state, cut, "cannot be decoded");
}

static void test_calldata_of_another_handle(void **state)
{
	refused_transaction(*state, other_handle, "does not say what its event says");
}

/* ---- the signature in the calldata: a node of the gateway can make up log and transaction ---- */

/* Everything is granted; the core is asked nothing all the same. */
static void refused_call(struct fixture *f, struct asked *q, const struct address *by_delegation_of,
			 const char *reason)
{
	publish(f);
	(void)add_tx(f, 1, q, dapp, by_delegation_of);
	world_grant(&f->w, f->handle, q->user.user);
	world_grant(&f->w, f->handle, dapp);
	world_delegate(&f->w, f->handle, delegator, q->user.user, dapp);
	insert_user(f, q);
	start(f);
	assert_refused(f, reason);
	assert_int_equal(f->w.acl_calls, 0);
	assert_int_equal(f->w.wallet_calls, 0); /* the contract knows keys only */
}

static void ask_forged(struct fixture *f, struct asked *q)
{
	ask_init(f, q);
	q->call.key.b[0] ^= 1;
}

static void test_direct_forged(void **state)
{
	struct asked q;

	ask_forged(*state, &q);
	refused_call(*state, &q, NULL, "the signature in the calldata is not user 0x");
}

static void test_delegated_forged(void **state)
{
	struct asked q;

	ask_forged(*state, &q);
	refused_call(*state, &q, &delegator, "the signature in the calldata is not user 0x");
}

/* Of an earlier request of the user; the key to seal for is the attacker's. */
static void test_direct_over_another_key(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.signed_key = BYTES_LIT("the key that the user has signed");
	refused_call(*state, &q, NULL, "the signature in the calldata is not user 0x");
}

static void test_delegated_over_another_key(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.signed_key = BYTES_LIT("the key that the user has signed");
	refused_call(*state, &q, &delegator, "the signature in the calldata is not user 0x");
}

/* The delegator is signed, too. */
static void test_delegated_by_another(void **state)
{
	struct fixture *f = *state;
	struct sim_tx *tx;
	struct asked q;
	size_t at = 0;

	publish(f);
	ask_init(f, &q);
	tx = add_tx(f, 1, &q, dapp, &delegator);
	for (size_t i = 4; i + 20 <= tx->input.n; i++)
		if (memcmp(&tx->input.p[i], delegator.b, 20) == 0)
			at = i;
	assert_int_not_equal(at, 0);
	((uint8_t *)(uintptr_t)tx->input.p)[at + 19] ^= 1;
	insert_user(f, &q);
	start(f);
	assert_refused(f, "the signature in the calldata is not user 0x");
}

static void test_direct_signed_extra_data(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.signed_extra = BYTES_LIT("\0more");
	refused_call(*state, &q, NULL, "the signature in the calldata is not user 0x");
}

static void test_direct_extra_data_of_the_event(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.extra_data = q.call.signed_extra = BYTES_LIT("\0more");
	refused_call(*state, &q, NULL, "does not say what its event says");
}

/* The contract, too, takes no other form of it. */
static void test_direct_signature_forms(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.low_v = true;
	refused_call(*state, &q, NULL, "the signature in the calldata is not user 0x");
}

static void test_direct_signature_cut(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.signature_n = 64;
	refused_call(*state, &q, NULL, "the signature in the calldata is not user 0x");
}

static void test_direct_signed_for_another_chain(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.signed_chain_id = u256_from_u64(WORLD_GATEWAY_CHAIN);
	refused_call(*state, &q, NULL, "the signature in the calldata is not user 0x");
}

/* Truly signed, but for a chain that the handle is not of. */
static void test_direct_of_another_chain(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.signed_chain_id = q.call.chain_id = u256_from_u64(WORLD_HOST_CHAIN + 1);
	refused_call(*state, &q, NULL, "handle 0 is of chain 12345, the signature for chain 12346");
}

/* Equal in the lower 64 bits. */
static void test_direct_of_a_wide_chain(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.chain_id.w[2] = 1;
	q.call.signed_chain_id = q.call.chain_id;
	refused_call(*state, &q, NULL, "handle 0 is of chain 12345, the signature for chain 3402");
}

static void test_direct_expired(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.start_s = u256_from_u64(BEGUN_S - 86401);
	refused_call(*state, &q, NULL, "the user's signature held until 1699999999");
}

static void test_delegated_expired(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.start_s = u256_from_u64(BEGUN_S - 86401);
	refused_call(*state, &q, &delegator, "the user's signature held until 1699999999");
}

static void test_direct_for_no_time(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.duration_days = U256_ZERO;
	refused_call(*state, &q, NULL, "the user's signature is for 0 days, not for 1 to 365");
}

static void test_direct_for_too_long(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.duration_days = u256_from_u64(366);
	refused_call(*state, &q, NULL, "the user's signature is for 366 days, not for 1 to 365");
}

static void test_direct_not_valid_yet(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	publish(f);
	ask_init(f, &q);
	q.call.start_s = u256_from_u64(BEGUN_S + 300);
	(void)add_tx(f, 1, &q, dapp, NULL);
	world_grant(&f->w, f->handle, q.user.user);
	world_grant(&f->w, f->handle, dapp);
	insert_user(f, &q);
	start(f);
	sim_run(&f->w.sim, 200000);
	assert_waits(f, "holds from 1700000300 on");
	assert_int_equal(f->w.acl_calls, 0);
	assert_true(world_wait_state(&f->w, 1, "answered", 170000));
}

static void test_direct_contract_not_signed(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.contracts[0] = q.call.contracts[1] = dapp2;
	q.call.contracts_n = 2;
	refused_call(*state, &q, NULL,
		     "contract 0xDA00000000000000000000000000000000000000 of handle 0 is not one "
		     "that the user has signed for");
}

static void test_direct_user_as_contract(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.contracts[0] = dapp;
	q.call.contracts[1] = q.user.user;
	q.call.contracts_n = 2;
	refused_call(*state, &q, NULL, "is one of its allowed contracts");
}

static void test_delegator_as_contract(void **state)
{
	struct asked q;

	ask_init(*state, &q);
	q.call.contracts[0] = dapp;
	q.call.contracts[1] = delegator;
	q.call.contracts_n = 2;
	refused_call(*state, &q, &delegator, "is one of its allowed contracts");
}

/* The contract forbids it of the delegator only. */
static void test_delegate_as_contract(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	publish(f);
	ask_init(f, &q);
	q.call.contracts[0] = dapp;
	q.call.contracts[1] = q.user.user;
	q.call.contracts_n = 2;
	(void)add_tx(f, 1, &q, dapp, &delegator);
	world_delegate(&f->w, f->handle, delegator, q.user.user, dapp);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
}

/* ---- delegated ---- */

static void test_delegated(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	publish(f);
	ask_init(f, &q);
	(void)add_tx(f, 1, &q, dapp, &delegator);
	world_delegate(&f->w, f->handle, delegator, q.user.user, dapp);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
	assert_int_equal(f->w.acl_calls, 1);
}

static void test_not_delegated(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	publish(f);
	f->w.config.acl_grace_ms = 2000;
	ask_init(f, &q);
	(void)add_tx(f, 1, &q, dapp, &delegator);
	world_delegate(&f->w, f->handle, delegator, q.user.user, dapp2);
	world_grant(&f->w, f->handle, q.user.user); /* its own permission does not help */
	world_grant(&f->w, f->handle, dapp);
	insert_user(f, &q);
	start(f);
	host_seconds(f, 5);
	assert_refused(f, "is not delegated by 0xDE01");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_direct),
		T(test_direct_with_materials),
		T(test_user_without_permission),
		T(test_contract_without_permission),
		T(test_one_of_many_handles),
		T(test_many_questions),
		T(test_transaction_not_known_yet),
		T(test_transaction_to_another_contract),
		T(test_transaction_that_creates),
		T(test_calldata_of_nothing),
		T(test_calldata_cut),
		T(test_calldata_of_another_handle),
		T(test_direct_forged),
		T(test_delegated_forged),
		T(test_direct_over_another_key),
		T(test_delegated_over_another_key),
		T(test_delegated_by_another),
		T(test_direct_signed_extra_data),
		T(test_direct_extra_data_of_the_event),
		T(test_direct_signature_forms),
		T(test_direct_signature_cut),
		T(test_direct_signed_for_another_chain),
		T(test_direct_of_another_chain),
		T(test_direct_of_a_wide_chain),
		T(test_direct_expired),
		T(test_delegated_expired),
		T(test_direct_for_no_time),
		T(test_direct_for_too_long),
		T(test_direct_not_valid_yet),
		T(test_direct_contract_not_signed),
		T(test_direct_user_as_contract),
		T(test_delegator_as_contract),
		T(test_delegate_as_contract),
		T(test_delegated),
		T(test_not_delegated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
