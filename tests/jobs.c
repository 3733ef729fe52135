/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "jobs.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

static pid_t child_start(const struct jobs *j, unsigned index)
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	CHECK(pid != -1);
	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setrlimit(RLIMIT_CORE, &(const struct rlimit){0});
	j->work(j->ctx, index);
	(void)fflush(NULL);
	_exit(0);
}

void jobs_run(const struct jobs *j)
{
	pid_t pids[JOBS_MAX];
	unsigned left = j->n;
	int status;

	for (unsigned i = 0; i < j->n; i++)
		pids[i] = child_start(j, i);
	while (left > 0) {
		pid_t pid = wait(&status);
		unsigned i = 0;

		while (i < j->n && pids[i] != pid)
			i++;
		if (i == j->n)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			left--;
			continue;
		}
		j->died(j->ctx, i);
		pids[i] = child_start(j, i);
	}
}
