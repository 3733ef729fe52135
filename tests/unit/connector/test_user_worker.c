/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The worker and user decryptions: who must have said yes, and what a core may answer. */
#include "connector/adapters/user_decryption.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "worker_fixture.h"

#define DIRECT                                                                                     \
	"userDecryptionRequest((bytes32,address)[],(uint256,uint256),(uint256,address[]),address," \
	"bytes,bytes,bytes)"
#define DELEGATED                                                                                  \
	"delegatedUserDecryptionRequest((bytes32,address)[],(uint256,uint256),(address,address),"  \
	"(uint256,address[]),bytes,bytes,bytes)"

/* The world's wall clock begins there; the start of what users sign. */
enum {
	BEGUN_S = 1700000000
};

static const uint8_t public_key[] = "the user's key for the answer";
static const struct address dapp = {{0xda}}, dapp2 = {{0xdb}}, delegator = {{0xde, 1}};
static const struct secret32 user_key = {{0x22, 7}};

/* One user, one request. */
struct asked {
	struct user_request user;
	struct user_entry entries[WORLD_HANDLES_MAX];
	struct address allowed[2];
	struct hash32 handles[WORLD_HANDLES_MAX];
	struct signature65 signature;
	struct decryption_request r;

	/* What of the older form stands in the calldata only, and what a liar puts there. */
	struct {
		struct u256 start_s, duration_days, chain_id, signed_chain_id;
		struct address contracts[2]; /* else: the pairs' */
		size_t contracts_n;
		struct secret32 key;
		struct bytes signed_key, signed_extra; /* other ones than are sent */
		struct bytes extra_data;               /* another one than the event's */
		size_t signature_n;
		bool low_v;
	} call;
};

static void ask_init(struct fixture *f, struct asked *q)
{
	memset(q, 0, sizeof(*q));
	assert_int_equal(ecdsa_address(f->w.ecdsa, &q->user.user, &user_key), ERR_OK);
	q->user.public_key = BYTES_OF(public_key);
	q->handles[0] = f->handle;
	q->r = (struct decryption_request){.handles = q->handles,
					   .handles_n = 1,
					   .extra_data = BYTES_LIT("\0"),
					   .user = &q->user};
	q->call.start_s = u256_from_u64(BEGUN_S);
	q->call.duration_days = u256_from_u64(1);
	q->call.chain_id = q->call.signed_chain_id = u256_from_u64(WORLD_HOST_CHAIN);
	q->call.key = user_key;
	q->call.signature_n = sizeof(q->signature.b);
}

static struct eip712_domain host_domain(struct fixture *f)
{
	struct eip712_domain d = f->w.domain;

	d.chain_id = u256_from_u64(WORLD_HOST_CHAIN);
	return d;
}

static void sign(struct fixture *f, struct asked *q, const struct secret32 *key)
{
	const struct eip712_domain domain = host_domain(f);
	struct hash32 digest;

	assert_int_equal(user_signature_digest(&digest, &domain, &q->r), ERR_OK);
	assert_int_equal(ecdsa_sign65(f->w.ecdsa, &q->signature, key, digest), ERR_OK);
	q->user.signature = BYTES_OF(q->signature.b);
}

/* The unified form of it, of the user's own handles, limited to `dapp`, signed. */
static void ask_unified(struct fixture *f, struct asked *q)
{
	ask_init(f, q);
	q->user.unified = true;
	q->user.entries = q->entries;
	for (size_t i = 0; i < WORLD_HANDLES_MAX; i++)
		q->entries[i] = (struct user_entry){.contract = dapp, .owner = q->user.user};
	q->allowed[0] = dapp;
	q->user.allowed_contracts = q->allowed;
	q->user.allowed_contracts_n = 1;
	q->user.start_s = u256_from_u64(BEGUN_S);
	q->user.duration_s = u256_from_u64(86400);
	sign(f, q, &user_key);
}

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

static void insert_user(struct fixture *f, const struct asked *q)
{
	world_insert_user(&f->w, 1, &q->r, 0, BYTES_OF(body));
}

static void assert_answered(struct fixture *f)
{
	if (!world_wait_state(&f->w, 1, "answered", 5000))
		fail_msg("%s: %s", world_state(&f->w, 1), world_reason(&f->w, 1));
}

/* Refused for this reason, and the core was asked nothing. */
static void assert_refused(struct fixture *f, const char *reason)
{
	if (!world_wait_state(&f->w, 1, "refused", 1000))
		fail_msg("%s: %s", world_state(&f->w, 1), world_reason(&f->w, 1));
	if (!strstr(world_reason(&f->w, 1), reason))
		fail_msg("%s", world_reason(&f->w, 1));
	assert_int_equal(f->w.core.sends + f->w.core.polls, 0);
}

/* It waits for what may still come. */
static void assert_waits(struct fixture *f, const char *reason)
{
	if (!is_in(f, "seen") || !strstr(world_reason(&f->w, 1), reason))
		fail_msg("%s: %s", world_state(&f->w, 1), world_reason(&f->w, 1));
	assert_int_equal(f->w.core.sends, 0);
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

/* ---- unified ---- */

static void grant_unified(struct fixture *f, const struct asked *q)
{
	publish(f);
	world_grant(&f->w, f->handle, q->user.user);
	world_grant(&f->w, f->handle, dapp);
}

static void test_unified(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_unified(f, &q);
	grant_unified(f, &q);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
	assert_int_equal(f->w.wallet_calls, 0); /* by key, no call */
	assert_int_equal(f->w.gateway.get_txs, 0);
}

/* Own and delegated handles together; any of the named contracts will do. */
static void test_unified_mixed(void **state)
{
	struct fixture *f = *state;
	struct hash32 second = world_handle(2, 5);
	struct asked q;

	ask_unified(f, &q);
	q.handles[1] = second;
	q.r.handles_n = 2;
	q.entries[1] = (struct user_entry){.contract = dapp2, .owner = delegator};
	q.allowed[0] = dapp2;
	q.allowed[1] = dapp;
	q.user.allowed_contracts_n = 2;
	sign(f, &q, &user_key);
	grant_unified(f, &q);
	(void)world_publish_attested(&f->w, 0, second, BYTES_OF(body));
	(void)world_publish_attested(&f->w, 1, second, BYTES_OF(body));
	world_delegate(&f->w, second, delegator, q.user.user, dapp2);
	world_grant(&f->w, second, dapp2);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
}

static void test_unified_without_named_contracts(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_unified(f, &q);
	q.user.allowed_contracts_n = 0;
	sign(f, &q, &user_key);
	publish(f);
	world_grant(&f->w, f->handle, q.user.user);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
	assert_int_equal(f->w.acl_calls, 1);
}

static void test_unified_no_named_contract_is_allowed(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	f->w.config.acl_grace_ms = 2000;
	ask_unified(f, &q);
	q.allowed[1] = dapp2;
	q.user.allowed_contracts_n = 2;
	sign(f, &q, &user_key);
	publish(f);
	world_grant(&f->w, f->handle, q.user.user);
	insert_user(f, &q);
	start(f);
	host_seconds(f, 5);
	assert_refused(f, "is not allowed for any of the 2 contracts that the user has named");
}

struct late {
	struct fixture *f;
	unsigned contracts_asked;
	bool (*real)(void *ctx, struct address to, struct bytes data, uint64_t block,
		     struct buf *result);
};

/* dapp is allowed only once both contracts have been asked about. */
static bool late_call(void *ctx, struct address to, struct bytes data, uint64_t block,
		      struct buf *result)
{
	struct late *l = ctx;
	bool of_contract =
		data.n == 68 && (data.p[36 + 12] == dapp.b[0] || data.p[36 + 12] == dapp2.b[0]);

	if (of_contract && l->contracts_asked++ == 2)
		world_grant(&l->f->w, l->f->handle, dapp);
	return l->real(&l->f->w, to, data, block, result);
}

/* The second read asks everything again, from the first question on. */
static void test_second_read_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct late late = {.f = f, .real = f->w.host.call};
	struct asked q;

	f->w.config.acl_grace_ms = 0;
	ask_unified(f, &q);
	q.allowed[1] = dapp2;
	q.user.allowed_contracts_n = 2;
	sign(f, &q, &user_key);
	publish(f);
	world_grant(&f->w, f->handle, q.user.user);
	f->w.host.call = late_call;
	f->w.host.call_ctx = &late;
	insert_user(f, &q);
	sim_run(&f->w.sim, 1500);
	sim_chain_mine(&f->w.host, 1);
	start(f);
	assert_answered(f);
	assert_int_equal(late.contracts_asked, 3);
}

static void test_unified_owner_did_not_delegate(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	f->w.config.acl_grace_ms = 2000;
	ask_unified(f, &q);
	q.entries[0].owner = delegator;
	grant_unified(f, &q);
	insert_user(f, &q);
	start(f);
	host_seconds(f, 5);
	assert_refused(f, "is not delegated by 0xDE01");
}

/* ---- whose signature ---- */

static void test_signature_of_another_key(void **state)
{
	struct fixture *f = *state;
	struct secret32 other = user_key;
	struct asked q;

	other.b[0] ^= 1;
	f->w.config.acl_grace_ms = 2000;
	ask_unified(f, &q);
	sign(f, &q, &other);
	grant_unified(f, &q);
	insert_user(f, &q);
	start(f);
	sim_run(&f->w.sim, 1500);
	assert_waits(f, "the signature is not yet user 0x");
	host_seconds(f, 5);
	assert_refused(f, "the signature is not user 0x");
	assert_true(f->w.wallet_calls >= 2); /* read twice */
}

/* Whatever of the request is changed after signing, it is another one. */
static void test_signature_covers_the_request(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	f->w.config.acl_grace_ms = 2000;
	ask_unified(f, &q);
	q.user.duration_s = u256_from_u64(86401);
	grant_unified(f, &q);
	insert_user(f, &q);
	start(f);
	host_seconds(f, 5);
	assert_refused(f, "the signature is not user 0x");
}

static void ask_wallet(struct fixture *f, struct asked *q)
{
	ask_unified(f, q);
	f->w.wallet = (struct address){{0x0a, 0x11, 0xe7}};
	q->user.user = f->w.wallet;
	q->entries[0].owner = f->w.wallet;
	q->user.signature = BYTES_LIT("any form");
	f->w.config.acl_grace_ms = 2000;
	grant_unified(f, q);
}

static const uint8_t magic[32] = {0x16, 0x26, 0xba, 0x7e};

static void test_contract_wallet(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_wallet(f, &q);
	f->w.wallet_says = BYTES_OF(magic);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
	assert_int_equal(f->w.wallet_calls, 1);
	assert_int_equal(f->w.wallet_gas, f->w.config.erc1271_gas_limit);
}

/* Its yes is one part; the rules, which take longer here, are another. */
static void test_contract_wallet_is_not_all(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_wallet(f, &q);
	f->w.wallet_says = BYTES_OF(magic);
	q.allowed[0] = dapp2;
	q.allowed[1] = dapp;
	q.user.allowed_contracts_n = 2;
	insert_user(f, &q);
	start(f);
	assert_answered(f);
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT attempts FROM operation"), 0);
}

static void test_contract_wallet_says_no(void **state)
{
	struct fixture *f = *state;
	static const uint8_t other[32] = {0xff, 0xff, 0xff, 0xff};
	struct asked q;

	ask_wallet(f, &q);
	f->w.wallet_says = BYTES_OF(other);
	insert_user(f, &q);
	start(f);
	host_seconds(f, 5);
	assert_refused(f, "nor vouched for by a contract wallet");
}

static void test_contract_wallet_says_little(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_wallet(f, &q);
	f->w.wallet_says = bytes_from(magic, 31);
	insert_user(f, &q);
	start(f);
	host_seconds(f, 5);
	assert_refused(f, "nor vouched for by a contract wallet");
}

static void test_contract_wallet_reverts(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_wallet(f, &q);
	f->w.wallet_reverts = true;
	insert_user(f, &q);
	start(f);
	host_seconds(f, 5);
	assert_refused(f, "nor vouched for by a contract wallet");
}

/* A wallet that is deployed meanwhile, or a node that lagged. */
static void test_contract_wallet_comes_later(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_wallet(f, &q);
	f->w.config.acl_grace_ms = 600000;
	f->w.wallet = (struct address){{9}};
	f->w.wallet_says = BYTES_OF(magic);
	insert_user(f, &q);
	start(f);
	host_seconds(f, 60);
	assert_waits(f, "not yet user");
	f->w.wallet = q.user.user;
	host_seconds(f, 40);
	assert_answered(f);
}

static void test_voided_signatures(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_unified(f, &q);
	grant_unified(f, &q);
	f->w.void_before = u256_from_u64(BEGUN_S + 1);
	insert_user(f, &q);
	start(f);
	assert_refused(f, "has declared its earlier signatures void");
}

static void test_signatures_from_the_moment_of_voiding_hold(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_unified(f, &q);
	grant_unified(f, &q);
	f->w.void_before = u256_from_u64(BEGUN_S);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
}

static void test_not_valid_yet(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_unified(f, &q);
	q.user.start_s = u256_from_u64(BEGUN_S + 300);
	sign(f, &q, &user_key);
	grant_unified(f, &q);
	insert_user(f, &q);
	start(f);
	sim_run(&f->w.sim, 200000);
	assert_waits(f, "holds from 1700000300 on");
	assert_int_equal(f->w.acl_calls, 0);
	assert_true(world_wait_state(&f->w, 1, "answered", 170000));
}

static void test_expired(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_unified(f, &q);
	q.user.duration_s = u256_from_u64(10);
	sign(f, &q, &user_key);
	grant_unified(f, &q);
	sim_run(&f->w.sim, 12000);
	insert_user(f, &q);
	start(f);
	assert_refused(f, "held until 1700000010");
	assert_string_equal(sim_sql_text(&f->w.sim, "SELECT error FROM operation"), "expired");
}

/* An end past all numbers is no end. */
static void test_end_that_overflows(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_unified(f, &q);
	memset(&q.user.duration_s, 0xff, sizeof(q.user.duration_s));
	sign(f, &q, &user_key);
	grant_unified(f, &q);
	insert_user(f, &q);
	start(f);
	assert_answered(f);
}

static void test_user_as_its_own_contract(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_unified(f, &q);
	q.allowed[0] = q.user.user;
	sign(f, &q, &user_key);
	grant_unified(f, &q);
	insert_user(f, &q);
	start(f);
	assert_refused(f, "is one of its allowed contracts");
}

/* ---- the core's answers ---- */

static void expect_bad_answer(struct fixture *f, const char *reason)
{
	struct asked q;

	f->w.config.max_decryption_attempts = 2;
	ask_unified(f, &q);
	grant_unified(f, &q);
	insert_user(f, &q);
	start(f);
	assert_true(world_wait_state(&f->w, 1, "failed", 60000));
	if (!strstr(world_reason(&f->w, 1), reason))
		fail_msg("%s", world_reason(&f->w, 1));
	assert_int_equal(sim_sql_int(&f->w.sim, "SELECT length(answer) FROM operation"), 0);
}

#define BAD_ANSWER(name, flag, reason)                                                             \
	static void name(void **state)                                                             \
	{                                                                                          \
		struct fixture *f = *state;                                                        \
                                                                                                   \
		f->w.core.flag = true;                                                             \
		expect_bad_answer(f, reason);                                                      \
	}
BAD_ANSWER(test_answer_by_another_key, wrong_key, "not by the core's verification key")
BAD_ANSWER(test_answer_with_other_extra_data, wrong_extra, "extra data is not what was sent")
BAD_ANSWER(test_answer_of_another_count, wrong_count, "2 sealed values for 1 handles")
BAD_ANSWER(test_answer_of_another_type, other_type, "has FHE type 4, its handle 5")
BAD_ANSWER(test_answer_for_another_user, other_link, "is for another request or user")
BAD_ANSWER(test_answer_of_another_handle, other_handle, "is of another handle")
BAD_ANSWER(test_answer_of_nothing, empty_value, "sealed value 0 is empty")
BAD_ANSWER(test_answer_without_payload, no_payload, "it has no payload")
BAD_ANSWER(test_answer_with_low_v, low_v, "v is neither 27 nor 28")

/* After a restart the core is asked for the result: sealing again would be another answer. */
static void test_restart_asks_for_the_same(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	ask_unified(f, &q);
	grant_unified(f, &q);
	insert_user(f, &q);
	f->w.core.poll_status = GRPC_UNAVAILABLE;
	start(f);
	sim_run(&f->w.sim, 3000);
	assert_string_equal(world_state(&f->w, 1), "computing");
	restart(f);
	f->w.core.poll_status = GRPC_OK;
	assert_true(world_wait_state(&f->w, 1, "answered", 70000));
	assert_int_equal(f->w.core.sends, 1);
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
		T(test_unified),
		T(test_unified_mixed),
		T(test_unified_without_named_contracts),
		T(test_unified_no_named_contract_is_allowed),
		T(test_second_read_begins_anew),
		T(test_unified_owner_did_not_delegate),
		T(test_signature_of_another_key),
		T(test_signature_covers_the_request),
		T(test_contract_wallet),
		T(test_contract_wallet_is_not_all),
		T(test_contract_wallet_says_no),
		T(test_contract_wallet_says_little),
		T(test_contract_wallet_reverts),
		T(test_contract_wallet_comes_later),
		T(test_voided_signatures),
		T(test_signatures_from_the_moment_of_voiding_hold),
		T(test_not_valid_yet),
		T(test_expired),
		T(test_end_that_overflows),
		T(test_user_as_its_own_contract),
		T(test_answer_by_another_key),
		T(test_answer_with_other_extra_data),
		T(test_answer_of_another_count),
		T(test_answer_of_another_type),
		T(test_answer_for_another_user),
		T(test_answer_of_another_handle),
		T(test_answer_of_nothing),
		T(test_answer_without_payload),
		T(test_answer_with_low_v),
		T(test_restart_asks_for_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
