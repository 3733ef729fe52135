/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "raw.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void set_nonblocking(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

/* Runs the loop until the server has closed `fd` or the time is over. */
static int raw_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		      size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
	struct raw *r = ctx;
	struct bytes n = bytes_from(name, name_n);

	(void)session;
	(void)frame;
	(void)flags;
	if (bytes_eq_var(n, BYTES_LIT("grpc-status")))
		snprintf(r->grpc_status, sizeof(r->grpc_status), "%.*s", (int)value_n,
			 (const char *)value);
	if (bytes_eq_var(n, BYTES_LIT(":status")))
		snprintf(r->http_status, sizeof(r->http_status), "%.*s", (int)value_n,
			 (const char *)value);
	return 0;
}

static int raw_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct raw *r = ctx;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		r->got_goaway = true;
		r->goaway = frame->goaway.error_code;
	}
	return 0;
}

static ssize_t raw_body(nghttp2_session *session, int32_t id, uint8_t *place, size_t n,
			uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct raw *r = ctx;

	(void)session;
	(void)id;
	(void)source;
	if (r->body.n == 0 && !r->eof)
		return NGHTTP2_ERR_DEFERRED;
	if (n > r->body.n)
		n = r->body.n;
	if (n > 0)
		memcpy(place, r->body.p, n);
	r->body = bytes_sub(r->body, n, r->body.n - n);
	if (r->eof && r->body.n == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

void raw_start(struct raw *r, struct loop *loop, unsigned port)
{
	nghttp2_session_callbacks *cb;

	*r = (struct raw){.fd = tcp_connect(port), .loop = loop, .eof = true};
	set_nonblocking(r->fd);
	assert_int_equal(nghttp2_session_callbacks_new(&cb), 0);
	nghttp2_session_callbacks_set_on_header_callback(cb, raw_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, raw_frame);
	assert_int_equal(nghttp2_session_client_new(&r->session, cb, r), 0);
	nghttp2_session_callbacks_del(cb);
	assert_int_equal(nghttp2_submit_settings(r->session, 0, NULL, 0), 0);
}

void raw_pump(struct raw *r)
{
	uint8_t buf[16384];
	const uint8_t *p;
	ssize_t n;

	for (int i = 0; i < 20; i++) {
		while ((n = nghttp2_session_mem_send(r->session, &p)) > 0)
			if (send(r->fd, p, (size_t)n, MSG_NOSIGNAL) != n)
				return;
		run_for(r->loop, 1);
		while ((n = recv(r->fd, buf, sizeof(buf), 0)) > 0)
			if (nghttp2_session_mem_recv(r->session, buf, (size_t)n) < 0)
				return;
	}
}

int32_t raw_request(struct raw *r, const char *method, const char *path, const char *content_type,
		    const char *timeout)
{
	const char *pairs[][2] = {{":method", method},
				  {":scheme", "http"},
				  {":path", path},
				  {":authority", "localhost"},
				  {"content-type", content_type},
				  {"grpc-timeout", timeout}};
	nghttp2_data_provider body = {.read_callback = raw_body};
	nghttp2_nv nv[6];
	size_t n = timeout ? 6 : 5;
	int32_t id;

	for (size_t i = 0; i < n; i++)
		nv[i] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)pairs[i][0],
				     .namelen = strlen(pairs[i][0]),
				     .value = (uint8_t *)(uintptr_t)pairs[i][1],
				     .valuelen = strlen(pairs[i][1])};
	r->grpc_status[0] = r->http_status[0] = '\0';
	id = nghttp2_submit_request(r->session, NULL, nv, n, &body, NULL);
	assert_true(id > 0);
	return id;
}

void raw_end(struct raw *r)
{
	nghttp2_session_del(r->session);
	close(r->fd);
}
