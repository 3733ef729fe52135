/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The database's password in the process's own writable memory: while the store is open there is
 * one, in secret memory, which is also the control; after store_free there is none. A process that
 * has never had it elsewhere looks: this program again, which gets the URL through a pipe.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/secret.h"
#include "engines.h"

enum {
	URL_SIZE = 1024,
	CHUNK = 1 << 16,
	NEEDLE_SIZE = 7,
};

#define MAPPING_MAX (1ul << 32)

/* ThreadSanitizer's allocator cannot be asked to overwrite what is freed: there only the control is
 * judged. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define ALLOCATOR_KEEPS_FREED true
#else
#define ALLOCATOR_KEEPS_FREED false
#endif

static struct pg_server server;
static const struct store_migrations migrations = {"none", NULL, 0};

/* "c0ffee@", a part of the password, written so that the program does not hold it. */
static const uint8_t needle_flipped[NEEDLE_SIZE] = {'c' ^ 0x80, '0' ^ 0x80, 'f' ^ 0x80, 'f' ^ 0x80,
						    'e' ^ 0x80, 'e' ^ 0x80, '@' ^ 0x80};

static size_t hits_in(const uint8_t *p, size_t n)
{
	size_t hits = 0;

	for (size_t i = 0; i + NEEDLE_SIZE <= n; i++) {
		size_t k = 0;

		while (k < NEEDLE_SIZE && (p[i + k] ^ 0x80) == needle_flipped[k])
			k++;
		hits += k == NEEDLE_SIZE;
	}
	return hits;
}

static size_t hits_from(int fd, uint8_t *chunk, unsigned long begin, unsigned long end)
{
	size_t hits = 0;

	/* Chunks overlap by less than the needle. */
	for (unsigned long at = begin; at < end; at += CHUNK - NEEDLE_SIZE + 1) {
		ssize_t n = pread(fd, chunk, end - at < CHUNK ? end - at : CHUNK, (off_t)at);

		hits += n > 0 ? hits_in(chunk, (size_t)n) : 0;
	}
	return hits;
}

/* In every writable mapping but the one that is read into, and the sanitizers' shadows, which are
 * larger than any machine's memory. */
static size_t search_own_memory(void)
{
	char line[512], mode[8];
	unsigned long begin, end;
	size_t hits = 0;
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	void *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(fd != -1 && maps && chunk != MAP_FAILED);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &begin, &end, mode) != 3 || mode[1] != 'w' ||
		    begin == (uintptr_t)chunk || end - begin > MAPPING_MAX)
			continue;
		hits += hits_from(fd, chunk, begin, end);
	}
	(void)munmap(chunk, CHUNK);
	(void)fclose(maps);
	close(fd);
	return hits;
}

/* 0: found while open and not after. */
static int look(void)
{
	static struct test_loop loop = TEST_LOOP_INIT;
	struct store_executor executor = test_loop_executor(&loop);
	char url[URL_SIZE] = {0};
	struct store *s = NULL;

	if (read(0, url, sizeof(url) - 1) <= 0 || search_own_memory() != 0)
		return 2; /* encoded, as it stands in the URL, it is another text */
	if (store_open(&s, &executor, url, "secret", &migrations, NULL) != ERR_OK)
		return 3;
	secret_wipe(url, sizeof(url));
	if (search_own_memory() != 1)
		return 4; /* in our own secret memory, and not in libpq's connections */
	store_free(s);
	return ALLOCATOR_KEEPS_FREED || search_own_memory() == 0 ? 0 : 5;
}

static void test_password_does_not_stay_in_memory(void **state)
{
	int fds[2], status = 0;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		test_die_with_parent();
		(void)dup2(fds[0], 0);
		/* AddressSanitizer's allocator is asked otherwise to overwrite what is freed. */
		(void)setenv("ASAN_OPTIONS", "max_free_fill_size=1048576", 1);
		close(fds[1]);
		(void)execl("/proc/self/exe", "look", "look", (char *)NULL);
		_exit(127);
	}
	close(fds[0]);
	assert_int_equal(write(fds[1], server.url, strlen(server.url)), strlen(server.url));
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_password_does_not_stay_in_memory)};

	(void)argv;
	if (argc > 1)
		return look();
	if (!pg_server_start(&server)) {
		pg_server_remove(&server);
		return 1;
	}

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	pg_server_remove(&server);
	return failed;
}
