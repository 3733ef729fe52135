/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/rng.h"
#include "base/secret.h"

static void test_alloc_and_free(void **state)
{
	static const size_t sizes[] = {1, 31, 32, 63, 64, 65, 4095, 4096, 4097, 100000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct secret s = {0};

		assert_int_equal(secret_alloc(&s, sizes[i]), ERR_OK);
		assert_int_equal(s.n, sizes[i]);
		assert_int_equal((uintptr_t)s.p % 64, 0);
		for (size_t k = 0; k < s.n; k++)
			assert_int_equal(s.p[k], 0);
		memset(s.p, 0xa5, s.n);
		secret_free(&s);
		assert_null(s.p);
		assert_int_equal(s.n, 0);
		secret_free(&s);
	}
	secret_free(NULL);
}

static void test_alloc_limits(void **state)
{
	struct secret s = {0};

	(void)state;
	assert_int_equal(secret_alloc(&s, (size_t)SECRET_SIZE_MAX + 1), ERR_RANGE);
	assert_int_equal(secret_alloc(&s, SIZE_MAX), ERR_RANGE);
	assert_int_equal(secret_alloc(&s, 0), ERR_OK);
	assert_null(s.p);
	secret_free(&s);
}

static void test_copy_and_view(void **state)
{
	struct secret s = {0};

	(void)state;
	assert_int_equal(secret_copy(&s, BYTES_LIT("attack at dawn")), ERR_OK);
	assert_true(secret_eq(secret_view(&s), BYTES_LIT("attack at dawn")));
	secret_free(&s);
}

/* How a child that runs `fn` ends: the signal, or 0. */
static int fate_of(void (*fn)(void))
{
	int status = 0;

	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		/* the sanitizer's handler would turn the fault into an exit with a report */
		struct rlimit none = {0, 0};

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGBUS, SIG_DFL);
		fn();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void overrun(void)
{
	struct secret s;

	if (secret_alloc(&s, 4096) == ERR_OK)
		*(volatile uint8_t *)(s.p + 4096) = 1;
}

static void use_after_free(void)
{
	struct secret s;

	if (secret_alloc(&s, 4096) != ERR_OK)
		return;
	volatile uint8_t *p = s.p;
	secret_free(&s);
	*p = 1;
}

static void stay_inside(void)
{
	struct secret s;

	if (secret_alloc(&s, 4096) == ERR_OK)
		*(volatile uint8_t *)(s.p + 4095) = 1;
}

static void test_guard_page(void **state)
{
	(void)state;
	assert_int_equal(fate_of(stay_inside), 0);
	assert_int_equal(fate_of(overrun), SIGSEGV);
	assert_int_equal(fate_of(use_after_free), SIGSEGV);
}

/* The flags that the kernel shows for the mapping that holds `p` (proc(5), VmFlags). */
static void vm_flags(const void *p, char flags[256])
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	bool inside = false;

	flags[0] = '\0';
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long long from, to;

		if (sscanf(line, "%llx-%llx ", &from, &to) == 2)
			inside = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			(void)snprintf(flags, 256, "%.255s", line + 8);
	}
	(void)fclose(f);
}

static void test_pages_are_locked_undumped_and_wiped_on_fork(void **state)
{
	unsigned refused = secret_lock_failed();
	char flags[256];
	struct secret s = {0};

	(void)state;
	assert_int_equal(secret_copy(&s, BYTES_LIT("key")), ERR_OK);
	vm_flags(s.p, flags);
	assert_non_null(strstr(flags, " dd")); /* do not dump */
	assert_non_null(strstr(flags, " wf")); /* wipe on fork */
	/* either the pages are locked, or the refusal was counted */
	assert_int_equal(strstr(flags, " lo") == NULL, secret_lock_failed() == refused + 1);

	pid_t pid = fork();
	if (pid == 0)
		_exit(s.p[0] == 0 && s.p[1] == 0 ? 0 : 1);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(s.p[0], 'k');
	secret_free(&s);
}

static void alloc_without_lock_right(void)
{
	struct rlimit none = {0, 0};
	struct secret s;
	unsigned before = secret_lock_failed();

	/* CAP_IPC_LOCK overrides the limit, so that root must become somebody else first */
	if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0))
		abort();
	if (secret_alloc(&s, 32) != ERR_OK || secret_lock_failed() != before + 1)
		abort();
}

static void test_refused_lock_is_counted(void **state)
{
	(void)state;
	assert_int_equal(fate_of(alloc_without_lock_right), 0);
}

static void test_constant_time_equality(void **state)
{
	uint8_t a[40] = {0}, b[40] = {0};

	(void)state;
	assert_true(secret_eq(BYTES_OF(a), BYTES_OF(b)));
	assert_true(secret_eq(BYTES_NONE, BYTES_NONE));
	assert_false(secret_eq(BYTES_OF(a), bytes_from(b, 39)));
	for (size_t i = 0; i < sizeof(a) * 8; i++) {
		b[i / 8] = (uint8_t)(1 << i % 8);
		assert_false(secret_eq(BYTES_OF(a), BYTES_OF(b)));
		b[i / 8] = 0;
	}
}

static void test_wipe(void **state)
{
	struct secret32 s;

	(void)state;
	memset(s.b, 0xee, sizeof(s.b));
	secret32_wipe(&s);
	for (size_t i = 0; i < sizeof(s.b); i++)
		assert_int_equal(s.b[i], 0);
	secret_wipe(NULL, 0);
}

static void test_system_rng(void **state)
{
	uint8_t a[64] = {0}, b[64] = {0};
	unsigned zero = 0;

	(void)state;
	rng_fill(rng_system(), a, sizeof(a));
	rng_fill(rng_system(), b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		zero += a[i] == 0;
	assert_true(zero < 32);
	rng_fill(rng_system(), a, 0);

	/* more than getrandom(2) gives without interruption */
	uint8_t *big = calloc(1, 3 << 20);
	assert_non_null(big);
	rng_fill(rng_system(), big, 3 << 20);
	assert_memory_not_equal(big, big + (2 << 20), 64);
	free(big);
}

static void test_seeded_rng_is_splitmix64(void **state)
{
	/* first outputs for seed 1234567 of the published reference code */
	static const uint64_t want[] = {6457827717110365317U, 3203168211198807973U,
					9817491932198370423U, 4593380528125082431U,
					16408922859458223821U};
	struct rng_seeded s;
	struct rng *r = rng_seeded_init(&s, 1234567);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		uint8_t raw[8];

		rng_fill(r, raw, sizeof(raw));
		struct reader in = reader_of(BYTES_OF(raw));
		assert_true(reader_u64le(&in) == want[i]);
	}
}

static void test_below_is_in_range_and_even(void **state)
{
	struct rng_seeded s;
	struct rng *r = rng_seeded_init(&s, 1);
	unsigned seen[6] = {0};

	(void)state;
	for (unsigned i = 0; i < 60000; i++) {
		uint64_t v = rng_below(r, 6);

		assert_true(v < 6);
		seen[v]++;
	}
	for (size_t i = 0; i < 6; i++)
		assert_in_range(seen[i], 9500, 10500);
	for (unsigned i = 0; i < 100; i++)
		assert_true(rng_below(r, 1) == 0);
	/* 3/4 of the range: a plain modulo would hit the lowest third twice as often as each other
	 */
	uint64_t bound = UINT64_C(3) << 62;
	unsigned low = 0;
	for (unsigned i = 0; i < 10000; i++)
		low += rng_below(r, bound) < bound / 3;
	assert_in_range(low, 3050, 3620);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc_and_free),
		cmocka_unit_test(test_alloc_limits),
		cmocka_unit_test(test_copy_and_view),
		cmocka_unit_test(test_guard_page),
		cmocka_unit_test(test_pages_are_locked_undumped_and_wiped_on_fork),
		cmocka_unit_test(test_refused_lock_is_counted),
		cmocka_unit_test(test_constant_time_equality),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_system_rng),
		cmocka_unit_test(test_seeded_rng_is_splitmix64),
		cmocka_unit_test(test_below_is_in_range_and_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
