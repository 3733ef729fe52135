/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/probe.h"

#include "base/json.h"
#include "net/transport.h"

enum {
	BODY_MAX = 64 << 10
};

/* Behind "://": nothing after the host. */
static bool has_no_path(const char *rest)
{
	size_t n = strcspn(rest, "/?#");

	return strcmp(&rest[n], "") == 0 || strcmp(&rest[n], "/") == 0;
}

enum err probe_url(struct buf *ret_url, const char *endpoint, const char *path,
		   struct err_note *note)
{
	static const struct {
		const char *all, *loopback;
	} every[] = {{"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}};
	const char *host = "", *rest = endpoint, *url, *scheme_end = strstr(endpoint, "://");

	if (!scheme_end) {
		TRY(buf_add_str(ret_url, "http://"));
		for (size_t i = 0; i < ARRAY_LEN(every); i++)
			if (strncmp(endpoint, every[i].all, strlen(every[i].all)) == 0) {
				host = every[i].loopback;
				rest = &endpoint[strlen(every[i].all)];
			}
		TRY(buf_addf(ret_url, "%s%s%s", host, rest, path));
	} else if (strncmp(endpoint, "http://", 7) != 0 && strncmp(endpoint, "https://", 8) != 0) {
		return err_say(note, ERR_CONFIG_VALUE,
			       "found %.*s, expected http://HOST:PORT, https://HOST:PORT or "
			       "HOST:PORT",
			       (int)(scheme_end - endpoint < 40 ? scheme_end - endpoint : 40),
			       endpoint);
	} else if (has_no_path(&scheme_end[3])) {
		size_t n = strlen(endpoint);

		TRY(buf_addf(ret_url, "%.*s%s", (int)(endpoint[n - 1] == '/' ? n - 1 : n), endpoint,
			     path));
	} else {
		TRY(buf_add_str(ret_url, endpoint));
	}
	return buf_cstr(ret_url, &url);
}

struct probe {
	struct loop *loop;
	struct buf *out;
	struct err_note *note;
	enum err err;
};

static enum err judge(struct probe *p, const struct http_reply *r)
{
	CLEANUP(json_free_ptr) json_t *body = NULL;

	if (r->err != ERR_OK)
		return err_say(p->note, r->err, "%s", r->note.text);
	TRY(buf_add(p->out, r->body));
	if (r->status != 200)
		return err_say(p->note, ERR_UNAVAILABLE, "status %d", r->status);
	if (json_parse(&body, r->body, BODY_MAX, NULL) != ERR_OK || !json_is_object(body))
		return err_say(p->note, ERR_MALFORMED, "the answer is not a JSON object");
	return ERR_OK;
}

static void on_reply(void *ctx, const struct http_reply *r)
{
	struct probe *p = ctx;

	p->err = judge(p, r);
	loop_stop(p->loop);
}

static enum err ask(struct probe *p, struct transport *t, const char *url, int64_t timeout_ms)
{
	const struct http_request request = {
		.method = "GET", .url = url, .timeout_ms = timeout_ms, .body_max = BODY_MAX};
	struct http_ticket ticket;
	enum err e = transport_send(t, &ticket, &request, on_reply, p);

	if (e == ERR_BAD_REQUEST)
		return err_say(p->note, e, "not an http or https URL");
	TRY(e);
	TRY(loop_run(p->loop));
	return p->err;
}

enum err probe_health(struct buf *out, const char *url, int64_t timeout_ms, struct err_note *note)
{
	struct probe p = {.out = out, .note = note, .err = ERR_INTERNAL};
	struct transport *t = NULL;

	TRY(loop_new(&p.loop));
	enum err e = transport_curl_new(&t, p.loop);

	if (e == ERR_OK)
		e = ask(&p, t, url, timeout_ms);
	transport_free(t);
	loop_free(p.loop);
	return e;
}
