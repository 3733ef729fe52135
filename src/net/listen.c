/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/dial.h"

enum {
	LISTEN_BACKLOG = 128
};

/* Somebody listens on it: anything but a refusal counts as somebody. */
static bool unix_socket_alive(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool refused;

	if (fd < 0)
		return true;
	refused =
		connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) != 0 && errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

static enum err unix_bind(int fd, const struct sockaddr_un *sa, struct err_note *note)
{
	struct stat st;

	if (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
		return ERR_OK;
	if (errno != EADDRINUSE)
		return err_say(note, ERR_CONFIG_VALUE, "cannot listen on unix:%s: %s", sa->sun_path,
			       strerror(errno));
	if (lstat(sa->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return err_say(note, ERR_CONFIG_VALUE,
			       "cannot listen on unix:%s: there is a file which is no socket",
			       sa->sun_path);
	if (unix_socket_alive(sa))
		return err_say(note, ERR_CONFIG_VALUE,
			       "cannot listen on unix:%s: another process does", sa->sun_path);
	if (unlink(sa->sun_path) != 0 || bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) != 0)
		return err_say(note, ERR_CONFIG_VALUE, "cannot listen on unix:%s: %s", sa->sun_path,
			       strerror(errno));
	return ERR_OK;
}

static enum err unix_open(struct listen_socket *s, const char *path, struct err_note *note)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct stat st;

	if (!*path || strlen(path) >= sizeof(sa.sun_path))
		return err_say(note, ERR_CONFIG_VALUE,
			       "\"unix:%s\": a socket path has 1 to %zu bytes", path,
			       sizeof(sa.sun_path) - 1);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Linux gives the file the mode of the descriptor: no moment with another mode, no umask of
	 * the process. */
	if (s->fd < 0 || fchmod(s->fd, 0600) != 0)
		return err_say(note, ERR_CONFIG_VALUE, "cannot make a socket: %s", strerror(errno));
	TRY(unix_bind(s->fd, &sa, note));
	if (lstat(path, &st) != 0)
		return err_say(note, ERR_CONFIG_VALUE, "cannot listen on unix:%s: %s", path,
			       strerror(errno));
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	snprintf(s->path, sizeof(s->path), "%s", path);
	return ERR_OK;
}

static unsigned bound_port(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		return 0;
	if (sa.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&sa)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&sa)->sin_port);
}

/* "ip:port" or "[ip6]:port"; libevent's parser knows addresses but takes no port 0. */
static bool tcp_parse(struct sockaddr_storage *ret_sa, socklen_t *ret_n, const char *listen)
{
	const char *colon = strrchr(listen, ':');
	struct sockaddr_storage sa = {0};
	int n = sizeof(sa);
	unsigned port = 0;
	char host[64];

	if (!colon || colon == listen || !colon[1] || strlen(colon + 1) > 5 ||
	    (size_t)(colon - listen) >= sizeof(host))
		return false;
	for (const char *p = colon + 1; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		port = port * 10 + (unsigned)(*p - '0');
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon - listen), listen);
	if (port > 65535 || evutil_parse_sockaddr_port(host, (struct sockaddr *)&sa, &n) != 0)
		return false;
	if (sa.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&sa)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)&sa)->sin_port = htons((uint16_t)port);
	*ret_sa = sa;
	*ret_n = (socklen_t)n;
	return true;
}

static enum err tcp_open(struct listen_socket *s, const char *listen, struct err_note *note)
{
	struct sockaddr_storage sa;
	socklen_t n;
	int one = 1;

	if (!tcp_parse(&sa, &n, listen))
		return err_say(note, ERR_CONFIG_VALUE,
			       "\"%s\" is not ip:port, [ip6]:port or unix:PATH", listen);
	s->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return err_say(note, ERR_CONFIG_VALUE, "cannot make a socket: %s", strerror(errno));
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s->fd, (const struct sockaddr *)&sa, n) != 0)
		return err_say(note, ERR_CONFIG_VALUE, "cannot listen on %s: %s", listen,
			       strerror(errno));
	s->port = bound_port(s->fd);
	return ERR_OK;
}

enum err listen_socket_open(struct listen_socket *ret_socket, const char *listen_on,
			    struct err_note *note)
{
	struct listen_socket s = {.fd = -1};
	enum err e = strncmp(listen_on, "unix:", 5) == 0 ? unix_open(&s, listen_on + 5, note)
							 : tcp_open(&s, listen_on, note);

	if (e == ERR_OK && listen(s.fd, LISTEN_BACKLOG) != 0)
		e = err_say(note, ERR_CONFIG_VALUE, "cannot listen on %s: %s", listen_on,
			    strerror(errno));
	if (e != ERR_OK) {
		listen_socket_unlink(&s);
		if (s.fd >= 0)
			close(s.fd);
		return e;
	}
	*ret_socket = s;
	return ERR_OK;
}

void listen_socket_unlink(const struct listen_socket *s)
{
	struct stat st;

	if (s->path[0] && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
}
