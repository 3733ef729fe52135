/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The auditor on a key of the production set, half a gigabyte in a file. In the slow suite. */
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fhe/audit.h"
#include "fhe/keygen/keygen.h"
#include "fhe_test.h"

enum {
	MEMORY_MAX_KB = 64 << 10,
};

static int file_fd = -1;
static struct fhe_keygen *file_keygen;

static int file_setup(void **state)
{
	char path[] = "/tmp/claviger-audit-XXXXXX";
	struct fhe_file_sink sink;

	(void)state;
	file_fd = mkstemp(path);
	assert_true(file_fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_ok(fhe_keygen_new(&file_keygen, &fhe_params_v1_7, BYTES_LIT("audited"), rng_system(),
				 NULL));
	assert_ok(fhe_keygen_write(file_keygen, FHE_OBJECT_KEY_SET,
				   fhe_file_sink_init(&sink, file_fd, NULL), 2, NULL));
	return 0;
}

static int file_teardown(void **state)
{
	(void)state;
	fhe_keygen_free(file_keygen);
	return close(file_fd);
}

static struct fhe_audit file_audit(bool fast)
{
	struct fhe_audit_options o = {
		.object = FHE_OBJECT_KEY_SET, .fast = fast, .rng = rng_system(), .threads = 2};
	struct fhe_file_source source;
	struct err_note note = {0};
	struct timespec from, to;
	clock_t cpu = clock();
	struct fhe_audit a;

	assert_ok(fhe_file_source_init(&source, file_fd, &note));
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	if (fhe_audit_run(&a, fhe_keygen_client_key(file_keygen), &source.base, &o, &note) !=
	    ERR_OK)
		fail_msg("%s", note.text);
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	print_message("# %s audit of the default set, two threads: %.2f s, %.2f s of CPU\n",
		      fast ? "fast" : "full",
		      (double)(to.tv_sec - from.tv_sec) +
			      1e-9 * (double)(to.tv_nsec - from.tv_nsec),
		      (double)(clock() - cpu) / CLOCKS_PER_SEC);
	return a;
}

static void default_sound(void **state)
{
	struct fhe_audit a;

	(void)state;
	for (int fast = 0; fast < 2; fast++) {
		a = file_audit(fast);
		assert_ok(fhe_audit_verdict(&a, NULL));
		for (int i = 0; i < FHE_PART_COUNT; i++)
			assert_true(a.parts[i].noise_max <= (uint64_t)1 << a.parts[i].noise);
		/* Of so many, one comes near to the bound. */
		assert_true(a.parts[FHE_PART_SQUASH].noise_max > (uint64_t)1 << 29);
	}
}

/* A bit in the last row of every part: full and fast find all. */
static void default_spoiled(void **state)
{
	struct layout_gaps gaps;
	struct fhe_key_set set;
	struct fhe_file_source source;
	struct buf frame = buf_make(LAYOUT_FRAME_MAX);

	(void)state;
	assert_ok(fhe_file_source_init(&source, file_fd, NULL));
	assert_ok(fhe_key_set_read_frame(&set, FHE_OBJECT_KEY_SET, &source.base, &frame, &gaps,
					 NULL));
	for (size_t i = 0; i < gaps.n; i++) {
		off_t at = (off_t)(gaps.gap[i].at + gaps.gap[i].words->n - 1);
		uint8_t byte;

		assert_int_equal(pread(file_fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(file_fd, &byte, 1, at), 1);
	}
	for (int fast = 0; fast < 2; fast++) {
		struct fhe_audit a = file_audit(fast);

		for (int i = 0; i < FHE_PART_COUNT; i++) {
			const struct fhe_audit_part *p = &a.parts[i];

			assert_int_equal(p->wrong_messages + p->too_large, p->rows > 0);
			assert_true(p->rows == 0 || p->first_row == p->rows - 1);
		}
	}
	buf_free(&frame);
}

/* Streamed: the process stays far below the file. */
static void default_memory(void **state)
{
	struct rusage usage;

	(void)state;
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	print_message("# at most %ld KB\n", usage.ru_maxrss);
	assert_true(usage.ru_maxrss < MEMORY_MAX_KB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_sound),
		cmocka_unit_test(default_spoiled),
		cmocka_unit_test(default_memory),
	};

	return cmocka_run_group_tests(tests, file_setup, file_teardown);
}
