/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The worker and user decryptions of the unified form: who must have said yes, and what a core may
 * answer. */
#include "user_fixture.h"

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

/* One signature is for one chain. */
static void test_unified_of_two_chains(void **state)
{
	struct fixture *f = *state;
	struct host_chain_config *chains = arena_alloc_array(&f->w.kept, 2, sizeof(*chains));
	struct provider **hosts = arena_alloc_array(&f->w.kept, 2, sizeof(struct provider *));
	struct asked q;

	assert_true(chains && hosts);
	chains[0] = chains[1] = f->w.host_config;
	chains[1].chain_id.v++;
	hosts[0] = hosts[1] = f->w.host_provider;
	f->w.config.host_chains = chains;
	f->w.config.host_chains_n = f->w.env.hosts_n = 2;
	f->w.env.hosts = hosts;
	ask_unified(f, &q);
	q.handles[1] = world_handle(2, 5);
	q.handles[1].b[29]++;
	q.r.handles_n = 2;
	sign(f, &q, &user_key);
	grant_unified(f, &q);
	insert_user(f, &q);
	start(f);
	assert_refused(f, "under one signature, which is for one chain");
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

/* The second read asks everything again: both contracts, twice. */
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
	assert_int_equal(late.contracts_asked, 4);
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
	f->w.config.erc1271_gas_limit = 123456;
	insert_user(f, &q);
	start(f);
	assert_answered(f);
	assert_int_equal(f->w.wallet_calls, 1);
	assert_int_equal(f->w.wallet_gas, 123456);
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
		T(test_unified),
		T(test_unified_mixed),
		T(test_unified_of_two_chains),
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
