/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/kms_dev_coprocessor.h"
#include "cmd/kms_dev_files.h"

enum {
	BACKLOG = 64,
	REQUEST_SIZE_MAX = 1 << 14,
	CLIENT_TIMEOUT_S = 10, /* for a request to arrive, and for an answer to leave */
};

/* Up to a newline or the client's end. */
static enum err line_receive(int fd, struct buf *line)
{
	for (;;) {
		uint8_t chunk[1024];
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n > 0)
			TRY(buf_add(line, bytes_from(chunk, (size_t)n)));
		if (n == 0 || chunk[n - 1] == '\n')
			return ERR_OK;
	}
}

static enum err all_send(int fd, struct bytes text)
{
	while (text.n > 0) {
		ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		text = bytes_sub(text, (size_t)n, text.n - (size_t)n);
	}
	return ERR_OK;
}

/* NULL where the member is missing or no string. */
static const char *member(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static enum err answer_make(const struct dev_coprocessor *c, struct bytes line, json_t *objects,
			    struct err_note *note)
{
	CLEANUP(json_free_ptr) json_t *request = NULL;

	TRY(json_parse(&request, line, REQUEST_SIZE_MAX, note));
	return dev_coprocessor_run(
		c,
		&(struct dev_request){.list = member(request, "list"),
				      .ciphertext = member(request, "ciphertext"),
				      .out = member(request, "out")},
		objects, note);
}

/* A client that goes away loses its answer, nothing else. */
static void client_serve(const struct dev_coprocessor *c, int fd)
{
	CLEANUP(buf_free) struct buf line = buf_make(REQUEST_SIZE_MAX);
	CLEANUP(buf_free) struct buf text = buf_make(1 << 20);
	CLEANUP(json_free_ptr) json_t *answer = NULL;
	json_t *objects = json_array();
	struct err_note note = {0};
	enum err e = objects ? line_receive(fd, &line) : ERR_NOMEM;

	if (e == ERR_OK)
		e = answer_make(c, buf_view(&line), objects, &note);
	if (e == ERR_OK) {
		answer = json_pack("{s:o}", "objects", objects);
	} else {
		json_decref(objects);
		answer = json_pack("{s:s}", "error", note.text[0] ? note.text : err_name(e));
	}
	if (answer && json_print(&text, answer) == ERR_OK && buf_add_u8(&text, '\n') == ERR_OK)
		(void)all_send(fd, buf_view(&text));
}

/* For this user only; what an earlier process left there goes away. */
static enum err socket_listen(int *ret_fd, const char *path, struct err_note *note)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_say(note, ERR_BAD_REQUEST, "--socket: %s is too long a path", path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_say(note, ERR_IO, "socket: %s", strerror(errno));
	(void)unlink(path);
	(void)umask(0077);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		(void)close(fd);
		return err_say(note, ERR_IO, "%s: %s", path, strerror(errno));
	}
	(void)umask(0022);
	*ret_fd = fd;
	return ERR_OK;
}

enum err dev_coprocessor_serve(const struct dev_coprocessor *c, const char *path,
			       struct err_note *note)
{
	const struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
	int listening = -1, fd;

	TRY(socket_listen(&listening, path, note));
	for (;;) {
		fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			break;
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
		client_serve(c, fd);
		(void)close(fd);
	}
	(void)close(listening);
	return err_say(note, ERR_IO, "%s: %s", path, strerror(errno));
}
