/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* arbitrum-l1-confirmed: blocks count when the rollup contract has confirmed them on a scripted
 * parent chain. */
#include "eth/abi.h"
#include "listener_fixture.h"

enum {
	PARENT_CHAIN = 1,
	PARENT_BLOCKS = 3500 /* more than one window */
};

static const struct address rollup = {{0x40}};

struct parent {
	struct fixture *f;
	struct sim_chain chain;
	struct provider *provider;
};

static struct parent *parent_new(struct fixture *f)
{
	struct parent *p = calloc(1, sizeof(*p));
	const struct provider_options o = {
		.url = "http://parent.example",
		.chain_id = {PARENT_CHAIN},
		.timeout_ms = 10000,
		.verify_chain = true,
	};

	assert_non_null(p);
	p->f = f;
	sim_chain_init(&p->chain, &f->w.sim, &f->w.net, o.url, PARENT_CHAIN);
	sim_chain_mine(&p->chain, PARENT_BLOCKS);
	p->chain.finalized = PARENT_BLOCKS;
	assert_int_equal(provider_new(&p->provider, &f->w.net.base, &f->w.sim.clock, &o, NULL),
			 ERR_OK);
	f->w.config.gateway_final = (struct chain_finality){FINALITY_ARBITRUM_CONFIRMED, 0};
	f->w.config.gateway_parent_rollup = rollup;
	f->w.env.parent = p->provider;
	return p;
}

static void parent_free(struct parent *p)
{
	listener_stop(p->f->l);
	p->f->l = NULL;
	sim_run(&p->f->w.sim, 100);
	provider_free(p->provider);
	free(p);
}

/* What the contract emits at `at` of the parent chain for a block of the gateway. */
static void confirm(struct parent *p, uint64_t at, bool bold, struct hash32 hash)
{
	struct hash32 topics[2] = {abi_topic(bold ? "AssertionConfirmed(bytes32,bytes32,bytes32)"
						  : "NodeConfirmed(uint64,bytes32,bytes32)"),
				   {{7}}};
	uint8_t *data = arena_alloc(&p->f->w.kept, 64);

	assert_non_null(data);
	memcpy(data, hash.b, 32);
	memset(&data[32], 0x5e, 32);
	(void)sim_chain_log(&p->chain, at, rollup, topics, 2, bytes_from(data, 64));
}

static struct hash32 block_hash(const struct fixture *f, uint64_t n)
{
	return sim_block_hash(&f->w.gateway, n);
}

static void test_the_newest_that_is_confirmed_counts(void **state)
{
	struct fixture *f = *state;
	struct parent *p = parent_new(f);

	sim_chain_mine(&f->w.gateway, 90);
	confirm(p, 300, false, block_hash(f, 20));
	confirm(p, 400, true, block_hash(f, 30));
	start(f);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(cursor(f), 30);

	/* A later one, whose block of the parent chain is not final yet. */
	sim_chain_mine(&p->chain, 100);
	confirm(p, PARENT_BLOCKS + 50, true, block_hash(f, 60));
	confirm(p, PARENT_BLOCKS + 10, true, block_hash(f, 50));
	sim_run(&f->w.sim, 60000);
	assert_int_equal(cursor(f), 30);
	p->chain.finalized = PARENT_BLOCKS + 20;
	sim_run(&f->w.sim, 60000);
	assert_int_equal(cursor(f), 50);
	p->chain.finalized = PARENT_BLOCKS + 100;
	sim_run(&f->w.sim, 60000);
	assert_int_equal(cursor(f), 60);
	parent_free(p);
}

static void test_nothing_is_confirmed(void **state)
{
	struct fixture *f = *state;
	struct parent *p = parent_new(f);

	sim_chain_mine(&f->w.gateway, 90);
	start(f);
	sim_run(&f->w.sim, 20000);
	assert_int_equal(cursor(f), 0);
	/* All of it is read once, in windows, and then only what is new, now and then. */
	unsigned asked = p->chain.requests;
	sim_run(&f->w.sim, 300000);
	assert_in_range(p->chain.requests - asked, 5, 45);
	sim_chain_mine(&p->chain, 10);
	confirm(p, PARENT_BLOCKS + 5, true, block_hash(f, 12));
	p->chain.finalized = PARENT_BLOCKS + 10;
	sim_run(&f->w.sim, 60000);
	assert_int_equal(cursor(f), 12);
	parent_free(p);
}

/* The parent chain names a block that the gateway does not have: nothing is read until it does. */
static void test_another_block_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct parent *p = parent_new(f);

	sim_chain_mine(&f->w.gateway, 50);
	confirm(p, 3000, true, (struct hash32){{0xee}});
	start(f);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(cursor(f), 0);
	sim_chain_mine(&p->chain, 10);
	confirm(p, PARENT_BLOCKS + 1, true, block_hash(f, 40));
	p->chain.finalized = PARENT_BLOCKS + 10;
	sim_run(&f->w.sim, 120000);
	assert_int_equal(cursor(f), 40);
	parent_free(p);
}

/* The parent chain is away, serves another chain, or takes small windows only. */
static void test_a_parent_in_trouble(void **state)
{
	struct fixture *f = *state;
	struct parent *p = parent_new(f);

	sim_chain_mine(&f->w.gateway, 50);
	confirm(p, 100, true, block_hash(f, 40));
	p->chain.down = ERR_UNAVAILABLE;
	start(f);
	sim_run(&f->w.sim, 60000);
	assert_int_equal(cursor(f), 0);
	p->chain.down = ERR_OK;
	p->chain.chain_id = 77;
	sim_run(&f->w.sim, 120000);
	assert_int_equal(cursor(f), 0);
	p->chain.chain_id = PARENT_CHAIN;
	p->chain.logs_blocks_max = 100;
	sim_run(&f->w.sim, 300000);
	assert_int_equal(cursor(f), 40);
	assert_in_range(p->chain.widest, 100, 2000);
	parent_free(p);
}

/* An endpoint that was far ahead once, and is right now, is not waited for until it gets there. */
static void test_a_parent_that_was_ahead(void **state)
{
	struct fixture *f = *state;
	struct parent *p = parent_new(f);

	sim_chain_mine(&f->w.gateway, 90);
	confirm(p, 300, true, block_hash(f, 20));
	p->chain.head_said = PARENT_BLOCKS + 9000;
	start(f);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(cursor(f), 20);
	p->chain.head_said = 0;
	sim_chain_mine(&p->chain, 100);
	confirm(p, PARENT_BLOCKS + 50, true, block_hash(f, 60));
	p->chain.finalized = PARENT_BLOCKS + 100;
	sim_run(&f->w.sim, 120000);
	assert_int_equal(cursor(f), 60);
	parent_free(p);
}

/* The same while the first event is searched for: where there is no block yet, nothing is found. */
static void test_a_parent_that_was_far_ahead(void **state)
{
	struct fixture *f = *state;
	struct parent *p = parent_new(f);

	sim_chain_mine(&f->w.gateway, 90);
	confirm(p, 300, true, block_hash(f, 20));
	p->chain.head_said = UINT64_C(1) << 60;
	p->chain.logs_blocks_max = 1;
	start(f);
	sim_run(&f->w.sim, 5000);
	assert_int_equal(cursor(f), 0);
	p->chain.head_said = 0;
	p->chain.logs_blocks_max = 0;
	sim_run(&f->w.sim, 120000);
	assert_int_equal(cursor(f), 20);
	parent_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_the_newest_that_is_confirmed_counts),
		T(test_nothing_is_confirmed),
		T(test_another_block_is_not_believed),
		T(test_a_parent_in_trouble),
		T(test_a_parent_that_was_ahead),
		T(test_a_parent_that_was_far_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
