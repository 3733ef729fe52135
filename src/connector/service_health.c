/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service_health.h"

#include <stdlib.h>

#include "grpc.health.v1.pb-c.h"
#include "net/protobuf.h"

/* Each part is asked once; cores one after another come after CHECK_CORES. */
enum check {
	CHECK_DATABASE,
	CHECK_GATEWAY,
	CHECK_ETHEREUM,
	CHECK_CORES
};

enum {
	DETAILS_MAX = 16 << 10,
	HEALTH_REPLY_MAX = 4096
};

static const char core_service[] = "kms_service.v1.CoreServiceEndpoint";

struct health {
	const struct connector_env *env;
	struct provider *ethereum;
	struct scope calls;
	struct timer timer;
	size_t checks_n, open_n;
	bool *open; /* not answered yet */
	struct health_report report;
	struct buf details;
	health_done_fn *done;
	void *ctx;
};

/* ---- results ---- */

static void fail(struct health *h, size_t check, const char *what, const char *detail)
{
	static const char *const names[] = {"Database", "Gateway", "Ethereum"};
	enum err e = h->details.n > 0 ? buf_add_str(&h->details, "; ") : ERR_OK;

	if (e == ERR_OK && check < CHECK_CORES)
		e = buf_addf(&h->details, "%s connection %s%s%s", names[check], what,
			     detail[0] ? ": " : "", detail);
	else if (e == ERR_OK)
		e = buf_addf(&h->details, "KMS Core connection #%zu %s%s%s", check - CHECK_CORES,
			     what, detail[0] ? ": " : "", detail);
	(void)e; /* a text that is too long is cut */
	*(check == CHECK_DATABASE   ? &h->report.database
	  : check == CHECK_GATEWAY  ? &h->report.gateway
	  : check == CHECK_ETHEREUM ? &h->report.ethereum
				    : &h->report.cores) = false;
}

static void finish(void *ctx)
{
	struct health *h = ctx;

	clock_timer_cancel(h->env->clock, &h->timer);
	scope_cancel(&h->calls);
	for (size_t i = 0; i < h->checks_n; i++)
		if (h->open[i])
			fail(h, i, "timed out", "");
	h->open_n = 0;
	h->report.details = buf_view(&h->details);
	h->done(h->ctx, &h->report);
}

static void answered(struct health *h, size_t check, const char *error)
{
	h->open[check] = false;
	h->open_n--;
	if (error)
		fail(h, check, "failed", error);
	if (h->open_n == 0)
		clock_timer_set(h->env->clock, &h->timer, 0, finish, h);
}

/* ---- the parts ---- */

static void on_database(void *ctx, const struct store_result *r)
{
	size_t check;
	struct health *h = ticket_close(ctx, &check);

	if (h)
		answered(h, check, r->err == ERR_OK ? NULL : r->note.text);
}

static enum err ask_database(struct health *h, struct ticket *t)
{
	struct store_batch b = store_batch_make(1 << 16);
	enum err e = STORE_ADD(&b, STORE_ONE, "SELECT 1");

	if (e == ERR_OK)
		e = store_submit(h->env->store, &b, on_database, t);
	store_batch_free(&b);
	return e;
}

static void on_block(void *ctx, const struct provider_error *e, const json_t *result)
{
	size_t check;
	struct health *h = ticket_close(ctx, &check);

	(void)result; /* any answer is fine */
	if (h)
		answered(h, check, e->err == ERR_OK ? NULL : e->note.text);
}

static enum err ask_chain(struct provider *p, struct ticket *t)
{
	CLEANUP(json_free_ptr) json_t *params = json_array();

	return params ? provider_request(p, "eth_blockNumber", params, 4096, on_block, t)
		      : ERR_NOMEM;
}

static const char *serving_error(const struct rpc_reply *r)
{
	CLEANUP(arena_free) struct arena memory = protobuf_arena(r->message);
	ProtobufCMessage *m;

	if (r->status != GRPC_OK)
		return r->text[0] ? r->text : grpc_status_name(r->status);
	if (protobuf_unpack(&m, &grpc__health__v1__health_check_response__descriptor, r->message,
			    &memory) != ERR_OK)
		return "the reply cannot be read";
	return ((const Grpc__Health__V1__HealthCheckResponse *)m)->status ==
			       GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
		       ? NULL
		       : "not serving";
}

static void on_core(void *ctx, const struct rpc_reply *r)
{
	size_t check;
	struct health *h = ticket_close(ctx, &check);

	if (h)
		answered(h, check, serving_error(r));
}

static enum err ask_core(struct health *h, struct channel *c, struct ticket *t)
{
	CLEANUP(buf_free) struct buf message = buf_make(HEALTH_REPLY_MAX);
	Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	char service[sizeof(core_service)];
	struct rpc_ticket id;

	memcpy(service, core_service, sizeof(service));
	request.service = service;
	TRY(protobuf_pack(&message, &request.base));

	const struct rpc_call call = {
		.path = "/grpc.health.v1.Health/Check",
		.message = buf_view(&message),
		.timeout_ms = h->env->config->healthcheck_timeout_ms,
		.reply_max = HEALTH_REPLY_MAX,
	};
	return channel_call(c, &id, &call, on_core, t);
}

static enum err ask(struct health *h, size_t check, struct ticket *t)
{
	if (check == CHECK_DATABASE)
		return ask_database(h, t);
	if (check == CHECK_GATEWAY)
		return ask_chain(h->env->gateway, t);
	if (check == CHECK_ETHEREUM)
		return ask_chain(h->ethereum, t);
	return ask_core(h, h->env->cores[check - CHECK_CORES], t);
}

/* ---- life ---- */

enum err health_new(struct health **ret_health, const struct connector_env *env,
		    struct provider *ethereum)
{
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return ERR_NOMEM;
	h->env = env;
	h->ethereum = ethereum;
	h->checks_n = CHECK_CORES + env->cores_n;
	h->details = buf_make(DETAILS_MAX);
	h->open = calloc(h->checks_n, sizeof(*h->open));
	if (!h->open) {
		free(h);
		return ERR_NOMEM;
	}
	*ret_health = h;
	return ERR_OK;
}

void health_check(struct health *h, health_done_fn *done, void *ctx)
{
	CHECK(h->open_n == 0 && !h->timer.armed);
	h->done = done;
	h->ctx = ctx;
	h->report = (struct health_report){true, true, true, true, BYTES_NONE};
	buf_clear(&h->details);
	for (size_t i = 0; i < h->checks_n; i++) {
		h->open[i] = i != CHECK_ETHEREUM || h->ethereum;
		h->open_n += h->open[i];
	}
	clock_timer_set(h->env->clock, &h->timer, h->env->config->healthcheck_timeout_ms, finish,
			h);
	for (size_t i = 0; i < h->checks_n; i++) {
		struct ticket *t =
			h->open[i] ? scope_open(&h->calls, h->env->inflight, h, i) : NULL;
		enum err e = t ? ask(h, i, t) : ERR_NOMEM;

		if (!h->open[i] || e == ERR_OK)
			continue;
		if (t)
			(void)ticket_close(t, NULL);
		answered(h, i, err_name(e));
	}
}

void health_free(struct health *h)
{
	if (!h)
		return;
	clock_timer_cancel(h->env->clock, &h->timer);
	scope_cancel(&h->calls);
	buf_free(&h->details);
	free(h->open);
	free(h);
}
