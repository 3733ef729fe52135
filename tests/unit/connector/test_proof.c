/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The record without which the core is not called: the spy at the core (spy.c) sees it at every
 * call, and a call without one ends the process. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connector/worker/internal.h"
#include "user_fixture.h"

/* ---- the spy ---- */

static unsigned calls(const struct fixture *f)
{
	return f->w.core.sends + f->w.core.polls;
}

/* Sends and polls, of several handles, by commitment and by attestation, after a restart. */
static void test_every_call_carries_its_proof(void **state)
{
	struct fixture *f = *state;
	struct hash32 handles[] = {f->handle, world_handle(2, 5)};

	ready_to_answer(f);
	(void)world_publish_committed(&f->w, 2, BYTES_OF(body));
	world_allow(&f->w, handles[1]);
	world_insert(&f->w, 2, handles, 2, BYTES_LIT("\0"), 4, BYTES_OF(body));
	f->w.core.poll_status = GRPC_UNAVAILABLE;
	start(f);
	sim_run(&f->w.sim, 3000);
	assert_string_equal(world_state(&f->w, 2), "computing");
	restart(f);
	f->w.core.poll_status = GRPC_OK;
	assert_true(world_wait_state(&f->w, 1, "answered", 70000));
	assert_true(world_wait_state(&f->w, 2, "answered", 70000));
	assert_true(f->w.core.sends >= 2);
	assert_true(f->w.core.polls >= 2);
	assert_int_equal(f->w.core.spied, calls(f));
}

/* ---- calls without it ---- */

enum missing {
	ALL,
	PERMISSION,
	DIGEST,
	OF_ANOTHER,
	MISSING
};

static const struct hash32 content = {{1}}, another = {{2}};

static struct proof *incomplete(struct arena *a, enum missing m)
{
	struct proof *p;

	if (m == ALL)
		return NULL;
	assert_int_equal(proof_new(a, &p, m == OF_ANOTHER ? another : content, 1), ERR_OK);
	if (m != PERMISSION)
		proof_permit(p, 0, (struct chain_id){1}, (struct block_number){1}, another);
	if (m != DIGEST)
		proof_bind(p, 0, u256_from_u64(1), another, PROOF_COMMITMENT);
	return p;
}

/* The signal that ends a process which does it. */
static int ended_by(void (*call)(struct job *j, const struct proof *proof), enum missing m)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 16);
	const struct rlimit none = {0, 0};
	struct proof *p = incomplete(&a, m);
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct job j = {.request.handles_n = 1, .op.key.content_digest = content};

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(SIGSEGV, SIG_DFL);
		(void)close(2);
		call(&j, p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_asking_without_proof_ends_the_process(void **state)
{
	(void)state;
	for (enum missing m = ALL; m < MISSING; m++)
		assert_int_equal(ended_by(core_ask, m), SIGABRT);
}

static void test_polling_without_proof_ends_the_process(void **state)
{
	(void)state;
	for (enum missing m = ALL; m < MISSING; m++)
		assert_int_equal(ended_by(core_poll, m), SIGABRT);
}

static void test_a_handle_that_is_not_bound(void **state)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 16);

	(void)state;
	assert_true(proof_complete(incomplete(&a, MISSING), &content, 1));
	for (enum missing m = ALL; m < MISSING; m++)
		assert_false(proof_complete(incomplete(&a, m), &content, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_every_call_carries_its_proof),
		cmocka_unit_test(test_asking_without_proof_ends_the_process),
		cmocka_unit_test(test_polling_without_proof_ends_the_process),
		cmocka_unit_test(test_a_handle_that_is_not_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
