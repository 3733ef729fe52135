/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "support_program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct process process_start(const struct folder *dir, char *const argv[], char *const env[])
{
	const char *program = getenv(argv[0]);
	int fds[2];

	assert_non_null(program);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);

	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)dup2(fds[1], STDERR_FILENO);
		if (chdir(dir->path) == 0)
			(void)execve(program, argv, env);
		_exit(127);
	}
	(void)close(fds[1]);
	return (struct process){.pid = pid, .out = fds[0]};
}

int process_wait(struct process *p, char *out, size_t out_n)
{
	size_t n = 0;
	ssize_t got;
	char rest[4096];
	int status;

	while ((got = read(p->out, rest, sizeof(rest))) != 0) {
		if (got < 0) {
			assert_int_equal(errno, EINTR);
			continue;
		}
		for (ssize_t i = 0; i < got; i++)
			if (out && n + 1 < out_n)
				out[n++] = rest[i];
	}
	if (out)
		out[n] = '\0';
	(void)close(p->out);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void file_put(const struct folder *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", dir->path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

unsigned port_of(struct process *p)
{
	char text[8192];
	size_t n = 0;

	/* Nobody reads on while the test talks to the server: what it logs must fit. */
	(void)fcntl(p->out, F_SETPIPE_SZ, 1 << 20);

	while (n + 1 < sizeof(text)) {
		ssize_t got = read(p->out, &text[n], 1);

		if (got <= 0)
			fail_msg("the server ended: %.*s", (int)n, text);
		n++;
		text[n] = '\0';

		const char *port = strstr(text, " port=");

		if (port && text[n - 1] == '\n' && strstr(text, " Serving "))
			return (unsigned)strtoul(port + 6, NULL, 10);
	}
	fail_msg("no port");
	return 0;
}

const char server_config[] = "[service]\n"
			     "listen_port = 0\n"
			     "plaintext_loopback = true\n"
			     "[telemetry]\n"
			     "metrics_bind_address = \"127.0.0.1:0\"\n"
			     "[request_store]\n"
			     "path = \"requests.db\"\n";
