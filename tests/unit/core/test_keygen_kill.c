/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Key generation and kill -9: what was left is finished or made anew, never both, and never lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "support_keygen.h"

/* ---- what a kill leaves, point by point ---- */

/* All objects, no commit: the key is the same afterwards, down to the signature. */
static void test_killed_before_the_commit(void **state)
{
	struct fixture *f = *state;
	struct key_call c = key_call_make(1);
	struct buf first = {0}, again = {0};
	struct stat before, after;
	char path[512];

	c.schemes_n = 1;
	node_up(f);
	key_test_make(f, &c, &first);
	node_down(f);
	private_path(path, f, "FhePrivateKey", c.id);
	assert_int_equal(stat(path, &before), 0);
	result_forget(f, REQUEST_KEYGEN, key_call_pack_keygen(&c));
	node_up(f);
	assert_int_equal(key_call_wait(f, &c, &again), GRPC_OK);
	assert_true(bytes_eq_var(buf_view(&first), buf_view(&again)));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	key_test_check(f, buf_view(&again), &c);
	buf_free(&first);
	buf_free(&again);
}

/* Public objects, or only one of them, or parts: nobody was told of that key; another is made. */
static void test_killed_before_the_private_object(void **state)
{
	struct fixture *f = *state;
	struct key_call c = key_call_make(1);
	struct buf first = {0};
	char private[512], set[512], public[512];

	c.schemes_n = 1;
	private_path(private, f, "FhePrivateKey", c.id);
	object_path(set, f, "PUB", "CompressedXofKeySet", c.id);
	object_path(public, f, "PUB", "PublicKey", c.id);
	node_up(f);
	key_test_make(f, &c, &first);
	for (unsigned point = 0; point < 3; point++) {
		struct buf again = {0};

		node_down(f);
		assert_int_equal(unlink(private), 0);
		if (point > 0)
			assert_int_equal(unlink(public), 0);
		if (point > 1)
			assert_int_equal(unlink(set), 0);
		partial_leave(private);
		partial_leave(set);
		partial_leave(public);
		result_forget(f, REQUEST_KEYGEN, key_call_pack_keygen(&c));
		node_up(f);
		assert_int_equal(key_call_wait(f, &c, &again), GRPC_OK);
		assert_false(bytes_eq_var(buf_view(&first), buf_view(&again)));
		key_test_check(f, buf_view(&again), &c);
		assert_int_equal(objects_partial(f), 0);
		assert_int_equal(objects_of(f, c.id), 3);
		buf_free(&again);
	}
	buf_free(&first);
}

/* ---- kill -9 ---- */

enum {
	KILLS = 16
};

/* Accepted, then killed after a few milliseconds: what is there when the server comes back? */
static void test_kill_nine(void **state)
{
	struct fixture *f = *state;
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : 20261120;
	unsigned unfinished = 0;
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, seed);
	struct process server;

	print_message("# seed %llu\n", (unsigned long long)seed);
	for (unsigned i = 1; i <= KILLS; i++) {
		struct key_call c = key_call_make(i), other;
		struct buf first = {0}, again = {0};

		c.schemes_n = 1;
		server_up(f, &server);
		assert_int_equal(key_call_preproc(f, &c), GRPC_OK);
		assert_int_equal(key_call_preproc_result(f, &c, NULL), GRPC_OK);
		assert_int_equal(key_call_keygen(f, &c), GRPC_OK);
		loop_pause(f->loop, (int64_t)rng_below(rng, 250));
		server_kill(f, &server);
		unfinished += objects_of(f, c.id) < 3;

		server_up(f, &server);
		assert_int_equal(key_call_keygen(f, &c), GRPC_ALREADY_EXISTS);
		other = c;
		other.extra = BYTES_NONE;
		assert_int_equal(key_call_keygen(f, &other), GRPC_FAILED_PRECONDITION);
		assert_int_equal(key_call_wait(f, &c, &first), GRPC_OK);
		key_test_check(f, buf_view(&first), &c);
		server_kill(f, &server);

		server_up(f, &server);
		assert_int_equal(key_call_result(f, &c, &again), GRPC_OK);
		assert_true(bytes_eq_var(buf_view(&first), buf_view(&again)));
		key_test_check(f, buf_view(&again), &c);
		server_kill(f, &server);
		assert_int_equal(objects_partial(f), 0);
		buf_free(&first);
		buf_free(&again);
	}
	print_message("# %u of %u kills came before the key was whole\n", unfinished, KILLS);
	assert_true(unfinished > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed_before_the_commit, key_setup,
						key_teardown),
		cmocka_unit_test_setup_teardown(test_killed_before_the_private_object, key_setup,
						key_teardown),
		cmocka_unit_test_setup_teardown(test_kill_nine, key_setup, key_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
