/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "pg_server.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	START_TRIES = 600,
	PAUSE_MS = 50,
	PATH_SIZE = 2 * PG_SERVER_PATH_SIZE,
};

static void pause_ms(long ms)
{
	const struct timespec t = {ms / 1000, (ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}

/* The newest that is installed. */
static bool find_bin(struct pg_server *s)
{
	static const char *const patterns[] = {"/usr/lib/postgresql/*/bin/postgres",
					       "/usr/local/pgsql/bin/postgres",
					       "/usr/bin/postgres"};
	bool found = false;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]) && !found; i++) {
		glob_t g = {0};

		if (glob(patterns[i], 0, NULL, &g) == 0 && g.gl_pathc > 0) {
			const char *path = g.gl_pathv[g.gl_pathc - 1];

			(void)snprintf(s->bin, sizeof(s->bin), "%.*s",
				       (int)(strlen(path) - strlen("/postgres")), path);
			found = true;
		}
		globfree(&g);
	}
	return found;
}

/* The server refuses to run as root. */
static const struct passwd *server_user(void)
{
	if (geteuid() != 0)
		return NULL;

	const struct passwd *p = getpwnam("postgres");

	return p ? p : getpwnam("nobody");
}

static void child_become(const struct passwd *user, const char *log)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);

	if (fd != -1) {
		(void)dup2(fd, 1);
		(void)dup2(fd, 2);
	}
	if (user &&
	    (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
		_exit(126);
	/* After the change of user, which would undo it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
	if (chdir("/") != 0)
		_exit(126);
}

/* argv[0] becomes the whole path: PostgreSQL's programs look for each other beside it. */
static pid_t spawn(const struct pg_server *s, const char *program, char *argv[])
{
	char path[PATH_SIZE], log[PATH_SIZE];
	const struct passwd *user = server_user();
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	(void)snprintf(path, sizeof(path), "%s/%s", s->bin, program);
	(void)snprintf(log, sizeof(log), "%s/log", s->dir);
	child_become(user, log);
	argv[0] = path;
	(void)execv(path, argv);
	_exit(127);
}

static void show_log(const struct pg_server *s)
{
	char path[PATH_SIZE], line[512];

	(void)snprintf(path, sizeof(path), "%s/log", s->dir);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		(void)fprintf(stderr, "# %s", line);
	if (f)
		(void)fclose(f);
}

static bool write_password(const char *path)
{
	FILE *f = fopen(path, "we");
	bool good = f && fputs(PG_SERVER_PASSWORD "\n", f) >= 0;

	return f && fclose(f) == 0 && good;
}

static bool cluster_make(struct pg_server *s)
{
	char data[PATH_SIZE], pw[PATH_SIZE], pwfile[PATH_SIZE + 16];
	char *argv[] = {"initdb",
			"-D",
			data,
			"-U",
			"tester",
			"-A",
			"scram-sha-256",
			"-E",
			"UTF8",
			"--locale=C.UTF-8",
			"--no-sync",
			pwfile,
			NULL};
	int status = -1;

	(void)snprintf(data, sizeof(data), "%s/data", s->dir);
	(void)snprintf(pw, sizeof(pw), "%s/pw", s->dir);
	(void)snprintf(pwfile, sizeof(pwfile), "--pwfile=%s", pw);
	if (!write_password(pw))
		return false;

	pid_t pid = spawn(s, "initdb", argv);

	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

/* The server writes "ready" into the eighth line of this file. */
static bool is_ready(const struct pg_server *s)
{
	char path[PATH_SIZE], text[1024] = {0};

	(void)snprintf(path, sizeof(path), "%s/data/postmaster.pid", s->dir);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	if (fread(text, 1, sizeof(text) - 1, f) == 0)
		text[0] = '\0';
	(void)fclose(f);
	return strtol(text, NULL, 10) == s->pid && strstr(text, "\nready");
}

bool pg_server_run(struct pg_server *s)
{
	char data[PATH_SIZE], sockets[PATH_SIZE + 32];
	char *argv[] = {"postgres",
			"-D",
			data,
			"-c",
			sockets,
			"-c",
			"listen_addresses=",
			"-c",
			"fsync=on",
			"-c",
			"synchronous_commit=on",
			"-c",
			"shared_buffers=32MB",
			"-c",
			"log_min_messages=log",
			NULL};
	int status;

	(void)snprintf(data, sizeof(data), "%s/data", s->dir);
	(void)snprintf(sockets, sizeof(sockets), "unix_socket_directories=%s", s->dir);
	s->pid = spawn(s, "postgres", argv);
	if (s->pid <= 0)
		return false;
	for (int i = 0; i < START_TRIES; i++) {
		if (is_ready(s))
			return true;
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->pid = 0;
			break;
		}
		pause_ms(PAUSE_MS);
	}
	(void)fprintf(stderr, "# postgres did not start:\n");
	show_log(s);
	return false;
}

bool pg_server_start(struct pg_server *s)
{
	const struct passwd *user = server_user();

	*s = (struct pg_server){0};
	if (!find_bin(s)) {
		(void)fprintf(stderr, "# no PostgreSQL server found: apt install postgresql\n");
		return false;
	}
	/* Short: the path of a Unix socket has at most 107 bytes. */
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/pg-test-XXXXXX");
	if (!mkdtemp(s->dir) || (user && chown(s->dir, user->pw_uid, user->pw_gid) != 0))
		return false;
	(void)chmod(s->dir, 0711);
	(void)snprintf(s->url, sizeof(s->url), "postgres://tester:%s@/postgres?host=%s",
		       PG_SERVER_PASSWORD_URL, s->dir);
	if (cluster_make(s))
		return pg_server_run(s);
	(void)fprintf(stderr, "# initdb failed:\n");
	show_log(s);
	return false;
}

void pg_server_kill(struct pg_server *s)
{
	if (s->pid <= 0)
		return;
	pg_server_signal_all(s, SIGCONT);
	(void)kill(s->pid, SIGQUIT);
	(void)waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void pg_server_remove(struct pg_server *s)
{
	pg_server_kill(s);
	if (strncmp(s->dir, "/tmp/pg-test-", strlen("/tmp/pg-test-")) == 0)
		(void)nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Backends are the postmaster's children. */
void pg_server_signal_all(const struct pg_server *s, int signal)
{
	char path[64], text[4096] = {0}, *at = text, *end;

	(void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)s->pid,
		       (long)s->pid);
	(void)kill(s->pid, signal);
	FILE *f = fopen(path, "re");
	if (!f)
		return;
	if (fread(text, 1, sizeof(text) - 1, f) == 0)
		text[0] = '\0';
	(void)fclose(f);
	for (long pid; (pid = strtol(at, &end, 10)) > 0; at = end)
		(void)kill((pid_t)pid, signal);
}
