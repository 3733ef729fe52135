/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/team.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

struct member {
	fhe_team_job *job;
	void *context;
	unsigned number, threads;
	size_t jobs_n, failed;
	enum err err;
	pthread_t thread;
	bool started;
};

static void *member_run(void *arg)
{
	struct member *m = arg;

	for (size_t j = m->number; j < m->jobs_n && m->err == ERR_OK; j += m->threads) {
		m->err = m->job(m->context, m->number, j);
		m->failed = j;
	}
	return NULL;
}

/* Signals are for the process's own threads. */
static void member_start(struct member *m)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	m->started = pthread_create(&m->thread, NULL, member_run, m) == 0;
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

enum err fhe_team_run(unsigned threads, size_t jobs_n, fhe_team_job *job, void *context)
{
	struct member members[FHE_TEAM_THREADS_MAX];
	const struct member *first = NULL;
	bool all_started = true;

	if (threads == 0 || threads > FHE_TEAM_THREADS_MAX)
		return ERR_RANGE;
	for (unsigned i = 0; i < threads; i++) {
		members[i] = (struct member){
			.job = job,
			.context = context,
			.number = i,
			.threads = threads,
			.jobs_n = jobs_n,
		};
		if (i < jobs_n && all_started) {
			member_start(&members[i]);
			all_started = members[i].started;
		}
	}
	for (unsigned i = 0; i < threads; i++) {
		const struct member *m = &members[i];

		if (!m->started)
			continue;
		CHECK(pthread_join(m->thread, NULL) == 0);
		if (m->err != ERR_OK && (!first || m->failed < first->failed))
			first = m;
	}
	if (first)
		return first->err;
	return all_started ? ERR_OK : ERR_NOMEM;
}
