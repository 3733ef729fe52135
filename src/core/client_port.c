/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/client_port.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

enum {
	METHODS_MAX = 32,
	LISTEN_MAX = 4096,
	/* Who knocks without end must not fill the log: so many lines in so long. */
	REFUSED_LINES_MAX = 50,
	REFUSED_WINDOW_MS = 10000,
	REFUSED_SEEN = 8,
	REFUSED_TEXT_SIZE = 512,
	EXPIRY_CHECK_MS = 24 * 60 * 60 * 1000,
};

struct client_port {
	struct loop *loop;
	const struct core_config *config;
	const struct log *log;
	struct tls *tls;
	struct grpc_method methods[METHODS_MAX];
	struct grpc_server *server;
	struct timer expiry_check;

	uint64_t refused;
	uint64_t refused_untold;                            /* in this window, and no line for it */
	unsigned refused_lines;                             /* in this window */
	char refused_seen[REFUSED_SEEN][REFUSED_TEXT_SIZE]; /* the last lines of it */
	struct timer refused_window;
};

/* ---- certificates ---- */

static void on_expiry_check(void *ctx);

static void expiry_tell(struct client_port *p)
{
	int64_t days = tls_days_left(p->tls, clock_wall_ms(loop_clock(p->loop)) / 1000);

	if (days < 0)
		LOG_ERROR(p->log, "The certificate of the client port has expired",
			  log_s("cert", p->config->tls.cert));
	else if (days < TLS_DAYS_LEFT_WARN)
		LOG_WARN(p->log, "The certificate of the client port ends soon",
			 log_s("cert", p->config->tls.cert), log_i("days_left", days));
	clock_timer_set(loop_clock(p->loop), &p->expiry_check, EXPIRY_CHECK_MS, on_expiry_check, p);
}

static void on_expiry_check(void *ctx)
{
	expiry_tell(ctx);
}

void client_port_reload(struct client_port *p)
{
	struct err_note note = {0};
	enum err e;

	if (!p->tls) {
		LOG_INFO(p->log, "Nothing to read anew: the client port has no certificates");
		return;
	}
	e = tls_reload(p->tls, &note);
	if (e != ERR_OK) {
		LOG_ERROR(p->log, "The certificates cannot be used; those from before stay",
			  log_e(e), log_s("detail", note.text));
		return;
	}
	LOG_INFO(p->log, "Certificates read anew", log_s("cert", p->config->tls.cert));
	expiry_tell(p);
	grpc_server_renew(p->server);
}

/* ---- who was turned away ---- */

static void on_window_end(void *ctx)
{
	struct client_port *p = ctx;

	if (p->refused_untold > 0)
		LOG_WARN(p->log, "More connections ended",
			 log_i("connections", (int64_t)p->refused_untold));
	p->refused_untold = 0;
	p->refused_lines = 0;
	memset(p->refused_seen, 0, sizeof(p->refused_seen));
}

static bool refused_seen(const struct client_port *p, const char *line)
{
	for (size_t i = 0; i < REFUSED_SEEN; i++)
		if (strcmp(line, p->refused_seen[i]) == 0)
			return true;
	return false;
}

/* A line for what is new, a number for what repeats. */
static void on_refused(void *ctx, const char *peer, const char *why)
{
	struct client_port *p = ctx;
	char line[REFUSED_TEXT_SIZE];

	p->refused++;
	if (!p->refused_window.armed)
		clock_timer_set(loop_clock(p->loop), &p->refused_window, REFUSED_WINDOW_MS,
				on_window_end, p);
	(void)snprintf(line, sizeof(line), "%s %s", peer, why);
	if (p->refused_lines >= REFUSED_LINES_MAX || refused_seen(p, line)) {
		p->refused_untold++;
		return;
	}
	memcpy(p->refused_seen[p->refused_lines++ % REFUSED_SEEN], line, sizeof(line));
	LOG_WARN(p->log, "Connection ended", log_s("peer", peer), log_s("reason", why));
}

/* ---- life ---- */

enum err client_port_new(struct client_port **ret_port, struct loop *loop,
			 const struct core_config *config, const struct log *log,
			 struct err_note *note)
{
	const struct tls_options tls = {
		.cert_file = config->tls.cert,
		.key_file = config->tls.key,
		.ca_file = config->tls.ca,
		.identities = (const char *const *)config->tls.allowed_peers.v,
		.identities_n = config->tls.allowed_peers.n,
	};
	struct client_port *p = calloc(1, sizeof(*p));

	if (!p)
		return ERR_NOMEM;
	*p = (struct client_port){.loop = loop, .config = config, .log = log};
	if (core_config_transport(config) == CORE_TRANSPORT_TLS) {
		enum err e = tls_new(&p->tls, &tls, note);

		if (e != ERR_OK) {
			free(p);
			return err_prefix(note, e, "service.tls");
		}
		expiry_tell(p);
	}
	*ret_port = p;
	return ERR_OK;
}

static void methods_fill(struct client_port *p)
{
	CHECK(core_service_methods_n <= METHODS_MAX);
	for (size_t i = 0; i < core_service_methods_n; i++) {
		p->methods[i] = core_service_methods[i];
		if (p->methods[i].request_max == 0)
			p->methods[i].request_max = (size_t)p->config->message_size_max;
	}
}

enum err client_port_listen(struct client_port *p, struct core_service *service,
			    struct err_note *note)
{
	static const char *const transports[] = {
		[CORE_TRANSPORT_UNIX] = "unix socket",
		[CORE_TRANSPORT_TLS] = "mutual TLS",
		[CORE_TRANSPORT_LOOPBACK] = "plain text",
	};
	enum core_transport transport = core_config_transport(p->config);
	CLEANUP(buf_free) struct buf listen = buf_make(LISTEN_MAX);
	struct grpc_server_options options = {
		.methods = p->methods,
		.methods_n = core_service_methods_n,
		.ctx = service,
		.tls = p->tls,
		.refused = on_refused,
		.refused_ctx = p,
	};

	methods_fill(p);
	TRY(core_config_listen(&listen, p->config));
	TRY(buf_cstr(&listen, &options.listen));
	TRY(grpc_server_new(&p->server, p->loop, &options, note));
	if (transport == CORE_TRANSPORT_LOOPBACK)
		LOG_WARN(p->log, "The client port is plain text on loopback: every local user can "
				 "ask this core");
	LOG_INFO(p->log, "Listening", log_s("service", options.listen),
		 log_i("port", (int64_t)client_port_number(p)),
		 log_s("transport", transports[transport]));
	return ERR_OK;
}

void client_port_drain(struct client_port *p, int64_t grace_ms, loop_fn *drained, void *ctx)
{
	grpc_server_drain(p->server, grace_ms, drained, ctx);
}

void client_port_free(struct client_port *p)
{
	if (!p)
		return;
	clock_timer_cancel(loop_clock(p->loop), &p->expiry_check);
	grpc_server_free(p->server);
	clock_timer_cancel(loop_clock(p->loop), &p->refused_window);
	tls_free(p->tls);
	free(p);
}

unsigned client_port_number(const struct client_port *p)
{
	return grpc_server_port(p->server);
}

struct client_port_state client_port_state(const struct client_port *p)
{
	return (struct client_port_state){
		.tls_not_after_s = p->tls ? tls_not_after_s(p->tls) : 0,
		.refused = p->refused,
	};
}
