/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/h2.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/util.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/loop_internal.h"
#include "net/tls_internal.h"

enum {
	READ_CHUNK = 16 << 10,
	READ_ROUNDS = 16, /* so that one busy peer leaves the others their turn */
};

void h2_stream_free(struct h2_stream *s)
{
	buf_free(&s->out);
	grpc_reader_free(&s->in);
}

bool h2_stream_header_fits(struct h2_stream *s, struct bytes name, struct bytes value)
{
	s->header_bytes += name.n + value.n + 32;
	return s->header_bytes <= GRPC_HEADER_BYTES_MAX;
}

/* ---- body ---- */

static ssize_t body_read(nghttp2_session *session, int32_t id, uint8_t *place, size_t n,
			 uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
	size_t left;

	(void)place;
	(void)source;
	(void)ctx;
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	left = s->out.n - s->out_at;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (left > n)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->trailer_status) {
		nghttp2_nv nv = H2_NV("grpc-status", bytes_str(s->trailer_status));

		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (nghttp2_submit_trailer(session, id, &nv, 1) != 0)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	return (ssize_t)left;
}

/* The one copy that a body sees on its way out: into the bufferevent's output. */
static int body_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
		     nghttp2_data_source *source, void *ctx)
{
	struct h2_io *io = ctx;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	struct evbuffer *out = bufferevent_get_output(io->bev);
	struct bytes part;

	(void)source;
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (evbuffer_get_length(out) >= H2_OUTPUT_MAX)
		return NGHTTP2_ERR_WOULDBLOCK; /* on_write comes back to this frame */
	part = bytes_sub(buf_view(&s->out), s->out_at, n);
	if (evbuffer_add(out, head, 9) != 0 || (n > 0 && evbuffer_add(out, part.p, n) != 0))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	s->out_at += n;
	if (s->out_at == s->out.n) {
		buf_free(&s->out);
		s->out_at = 0;
	}
	return 0;
}

nghttp2_data_provider h2_body_provider(void)
{
	return (nghttp2_data_provider){.read_callback = body_read};
}

/* ---- session ---- */

static enum err option_new(nghttp2_option **ret_option)
{
	nghttp2_option *option;

	if (nghttp2_option_new(&option) != 0)
		return ERR_NOMEM;
	nghttp2_option_set_peer_max_concurrent_streams(option, 100);
#ifdef HAVE_NGHTTP2_RESET_RATE_LIMIT
	/*
	 * Some clients end every call that is already answered with RST_STREAM. The default budget
	 * of 1000 is for resets of unanswered streams; the server counts those itself.
	 */
	nghttp2_option_set_stream_reset_rate_limit(option, 1 << 20, 1 << 16);
#endif
	*ret_option = option;
	return ERR_OK;
}

static enum err session_new(nghttp2_session **ret_session, struct h2_io *io)
{
	nghttp2_session_callbacks *cb = NULL;
	nghttp2_option *option = NULL;
	enum err e = ERR_NOMEM;

	if (nghttp2_session_callbacks_new(&cb) != 0 || option_new(&option) != ERR_OK)
		goto out;
	nghttp2_session_callbacks_set_send_data_callback(cb, body_send);
	io->side->callbacks_set(cb);
	if ((io->side->server ? nghttp2_session_server_new2(ret_session, cb, io, option)
			      : nghttp2_session_client_new2(ret_session, cb, io, option)) == 0)
		e = ERR_OK;
out:
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(option);
	return e;
}

static enum err settings_submit(const struct h2_io *io)
{
	static const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_STREAMS_MAX},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADER_BYTES_MAX},
	};
	/* A server has nothing to say about push. */
	size_t skip = io->side->server ? 1 : 0;

	if (nghttp2_submit_settings(io->session, NGHTTP2_FLAG_NONE, &settings[skip],
				    ARRAY_LEN(settings) - skip) != 0 ||
	    nghttp2_session_set_local_window_size(io->session, NGHTTP2_FLAG_NONE, 0,
						  H2_CONNECTION_WINDOW) != 0)
		return ERR_NOMEM;
	return ERR_OK;
}

/* ---- pump ---- */

static void on_end(void *ctx)
{
	struct h2_io *io = ctx;

	io->side->lost(io->ctx, "connection closed");
}

static void io_fail(struct h2_io *io)
{
	if (io->failed)
		return;
	io->failed = true;
	clock_timer_set(loop_clock(io->loop), &io->end, 0, on_end, io);
}

void h2_io_flush(struct h2_io *io)
{
	struct evbuffer *out;

	/* nghttp2 must not be asked to send from inside its own callbacks; the end of the receiving
	 * comes back here. */
	if (!io->bev || io->receiving || io->failed)
		return;
	out = bufferevent_get_output(io->bev);
	while (evbuffer_get_length(out) < H2_OUTPUT_MAX) {
		const uint8_t *p = NULL;
		ssize_t n = nghttp2_session_mem_send(io->session, &p);

		if (n < 0 || (n > 0 && evbuffer_add(out, p, (size_t)n) != 0)) {
			io_fail(io);
			return;
		}
		/* Bodies go to `out` by themselves (body_send) without ending this loop. */
		if (n == 0)
			break;
	}
	if (!nghttp2_session_want_read(io->session) && !nghttp2_session_want_write(io->session) &&
	    evbuffer_get_length(out) == 0)
		io_fail(io);
}

static bool feed(struct h2_io *io, const void *p, size_t n)
{
	return nghttp2_session_mem_recv(io->session, p, n) == (ssize_t)n;
}

static bool feed_input(struct h2_io *io, struct evbuffer *in)
{
	size_t n;

	while ((n = evbuffer_get_contiguous_space(in)) > 0) {
		if (!feed(io, evbuffer_pullup(in, (ev_ssize_t)n), n))
			return false;
		evbuffer_drain(in, n);
	}
	return true;
}

/*
 * libevent 2.1 takes at most 4 KiB from a socket per event. After a full read the rest is taken
 * here. End of file and errors are left for libevent to meet.
 */
static bool feed_rest(struct h2_io *io)
{
	uint8_t chunk[READ_CHUNK];

	for (int i = 0; i < READ_ROUNDS; i++) {
		ssize_t n = recv(io->plain_fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n <= 0)
			return true;
		if (!feed(io, chunk, (size_t)n))
			return false;
		if ((size_t)n < sizeof(chunk))
			return true;
	}
	return true;
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct h2_io *io = ctx;
	struct evbuffer *in = bufferevent_get_input(bev);
	bool full = evbuffer_get_length(in) >= 4096;
	bool good;

	loop_enter(io->loop);
	if (!io->failed) {
		io->receiving = true;
		good = feed_input(io, in);
		if (good && full && io->plain_fd >= 0)
			good = feed_rest(io);
		io->receiving = false;
		if (good)
			io->side->received(io->ctx);
		else
			io->side->lost(io->ctx, "the peer does not speak HTTP/2");
	}
}

static void on_write(struct bufferevent *bev, void *ctx)
{
	struct h2_io *io = ctx;

	(void)bev;
	loop_enter(io->loop);
	h2_io_flush(io);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct h2_io *io = ctx;
	int error = EVUTIL_SOCKET_ERROR();
	char text[TLS_TEXT_SIZE];

	loop_enter(io->loop);
	tls_error_text(bev, text);
	if (what & BEV_EVENT_EOF)
		io->side->lost(io->ctx, "connection closed by the other side");
	else if (what & BEV_EVENT_ERROR)
		io->side->lost(io->ctx, text[0] ? text : evutil_socket_error_to_string(error));
}

static enum err io_start(struct h2_io *io, struct loop *loop, struct bufferevent *bev, int plain_fd)
{
	enum err e = session_new(&io->session, io);

	if (e == ERR_OK)
		e = settings_submit(io);
	if (e != ERR_OK) {
		nghttp2_session_del(io->session);
		io->session = NULL;
		bufferevent_free(bev);
		return e;
	}
	io->loop = loop;
	io->bev = bev;
	io->plain_fd = plain_fd;
	bufferevent_setcb(bev, on_read, on_write, on_event, io);
	bufferevent_setwatermark(bev, EV_WRITE, H2_OUTPUT_MAX / 2, 0);
	bufferevent_set_max_single_write(bev, H2_OUTPUT_MAX);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	/* What came together with the end of a TLS handshake. */
	if (evbuffer_get_length(bufferevent_get_input(bev)) > 0)
		bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	h2_io_flush(io);
	return ERR_OK;
}

enum err h2_io_start(struct h2_io *io, struct loop *loop, struct bufferevent *bev)
{
	return io_start(io, loop, bev, -1);
}

enum err h2_io_start_plain(struct h2_io *io, struct loop *loop, int fd)
{
	struct bufferevent *bev =
		bufferevent_socket_new(loop_base(loop), fd, BEV_OPT_CLOSE_ON_FREE);

	if (!bev) {
		(void)close(fd);
		return ERR_NOMEM;
	}
	return io_start(io, loop, bev, fd);
}

void h2_io_close(struct h2_io *io)
{
	if (!io->bev)
		return;
	clock_timer_cancel(loop_clock(io->loop), &io->end);
	nghttp2_session_del(io->session);
	tls_say_goodbye(io->bev);
	bufferevent_free(io->bev);
	io->session = NULL;
	io->bev = NULL;
}
