/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service_health.h"

#include <stdlib.h>

#include "base/limits.h"
#include "grpc.health.v1.pb-c.h"
#include "net/protobuf.h"

/* Each part is asked once; cores one after another come after CHECK_CORES. */
enum check {
	CHECK_DATABASE,
	CHECK_GATEWAY,
	CHECK_GATEWAY_CHAIN,
	CHECK_ETHEREUM,
	CHECK_ETHEREUM_CHAIN,
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
	unsigned services;
	struct scope calls;
	struct timer timer;
	size_t checks_n, open_n;
	bool *open; /* not answered yet */
	struct health_report report;
	/* What came back, for the comparison at the end; -1 = not known. */
	int64_t cursor, head;
	struct buf details;
	health_done_fn *done;
	void *ctx;
};

/* ---- results ---- */

bool health_report_good(const struct health_report *r)
{
	return r->database && r->gateway && r->ethereum && r->cores && r->progress;
}

static bool *flag_of(struct health_report *r, size_t check)
{
	switch (check) {
	case CHECK_DATABASE:
		return &r->database;
	case CHECK_GATEWAY:
	case CHECK_GATEWAY_CHAIN:
		return &r->gateway;
	case CHECK_ETHEREUM:
	case CHECK_ETHEREUM_CHAIN:
		return &r->ethereum;
	default:
		return &r->cores;
	}
}

static void separate(struct health *h)
{
	if (h->details.n > 0)
		(void)(buf_add_str(&h->details, "; ") == ERR_OK); /* what is too long is cut */
}

static void fail(struct health *h, size_t check, const char *what, const char *detail)
{
	static const char *const names[] = {"Database", "Gateway", "Gateway", "Ethereum",
					    "Ethereum"};
	bool *flag = flag_of(&h->report, check);
	enum err e;

	if (check < CHECK_CORES && !*flag)
		return; /* it is said already */
	*flag = false;
	separate(h);
	if (check < CHECK_CORES)
		e = buf_addf(&h->details, "%s connection %s%s%s", names[check], what,
			     detail[0] ? ": " : "", detail);
	else
		e = buf_addf(&h->details, "KMS Core connection #%zu %s%s%s", check - CHECK_CORES,
			     what, detail[0] ? ": " : "", detail);
	(void)e; /* a text that is too long is cut */
}

static void stalled(struct health *h, const char *what, int64_t age_ms)
{
	h->report.progress = false;
	separate(h);
	(void)(buf_addf(&h->details, "%s for %lld s", what, (long long)(age_ms / 1000)) == ERR_OK);
}

/* A node that lags by a few blocks is nothing; one that lost what we have read is. */
static void compare_head(struct health *h)
{
	if ((h->services & SERVICE_LISTENER) == 0 || h->cursor < 0 || h->head < 0 ||
	    h->cursor - h->head <= HEALTH_HEAD_BEHIND_MAX)
		return;
	h->report.progress = false;
	separate(h);
	(void)(buf_addf(&h->details,
			"The gateway's head, block %lld, is behind what has been read, block %lld",
			(long long)h->head, (long long)h->cursor) == ERR_OK);
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
	compare_head(h);
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

/*
 * The oldest without an end; the oldest on its way to the gateway; since when there is something to
 * do that nobody has taken up, for the worker and for the sender; the cursor. A row that is due at
 * once says 0 there: then it is its last change that counts.
 */
#define WAITING                                                                                    \
	" AND due_ms <= $1 AND lease_until_ms <= $1"                                               \
	" THEN CASE WHEN due_ms > updated_ms THEN due_ms ELSE updated_ms END END), "

static const char work_sql[] =
	"SELECT min(created_ms), "
	"min(CASE WHEN state = 'sending' THEN updated_ms END), "
	"min(CASE WHEN state IN ('seen','ready','computing')" WAITING
	"min(CASE WHEN state = 'answered'" WAITING "(SELECT block FROM cursor WHERE chain = $2)"
	" FROM operation WHERE state IN ('seen','ready','computing','answered','sending')";

enum {
	WORK_UNANSWERED,
	WORK_SENDING,
	WORK_REQUESTS,
	WORK_ANSWERS,
	WORK_CURSOR
};

static int64_t age_ms(const struct store_value *since, int64_t now_ms)
{
	return since->type == STORE_INT && since->i < now_ms ? now_ms - since->i : 0;
}

static void read_work(struct health *h, const struct store_rows *rows)
{
	const struct {
		unsigned service;
		int column;
		int64_t max_ms;
		const char *what;
	} table[] = {
		{SERVICE_WORKER, WORK_REQUESTS, HEALTH_UNTAKEN_MAX_MS,
		 "Requests have waited for the worker"},
		{SERVICE_SENDER, WORK_ANSWERS, HEALTH_UNTAKEN_MAX_MS,
		 "Answers have waited for the sender"},
		{SERVICE_SENDER, WORK_SENDING, HEALTH_SENDING_MAX_MS,
		 "An answer has been on its way to the gateway"},
	};
	const struct store_value *c = store_cell(rows, 0, 0);
	int64_t now_ms = clock_wall_ms(h->env->clock);

	h->report.oldest_unanswered_ms = age_ms(&c[WORK_UNANSWERED], now_ms);
	h->report.oldest_sending_ms = age_ms(&c[WORK_SENDING], now_ms);
	if (c[WORK_CURSOR].type == STORE_INT)
		h->cursor = c[WORK_CURSOR].i;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if ((h->services & table[i].service) != 0 &&
		    age_ms(&c[table[i].column], now_ms) > table[i].max_ms)
			stalled(h, table[i].what, age_ms(&c[table[i].column], now_ms));
}

static void on_database(void *ctx, const struct store_result *r)
{
	size_t check;
	struct health *h = ticket_close(ctx, &check);

	if (!h)
		return;
	if (r->err == ERR_OK)
		read_work(h, &r->rows[0]);
	answered(h, check, r->err == ERR_OK ? NULL : r->note.text);
}

static enum err ask_database(struct health *h, struct ticket *t)
{
	struct store_batch b = store_batch_make(1 << 16);
	enum err e = STORE_ADD(&b, STORE_ONE, work_sql, store_int(clock_wall_ms(h->env->clock)),
			       store_int((int64_t)h->env->config->gateway_chain_id));

	if (e == ERR_OK)
		e = store_submit(h->env->store, &b, on_database, t);
	store_batch_free(&b);
	return e;
}

static void on_block(void *ctx, const struct provider_error *e, const json_t *result)
{
	size_t check;
	struct health *h = ticket_close(ctx, &check);
	enum err err = e->err;
	uint64_t block;

	if (!h)
		return;
	/* A number is wanted, and any will do. */
	block = err == ERR_OK ? json_get_quantity(result, NULL, &err) : 0;
	if (err == ERR_OK && check == CHECK_GATEWAY && block <= INT64_MAX)
		h->head = (int64_t)block;
	answered(h, check,
		 err == ERR_OK      ? NULL
		 : e->err == ERR_OK ? "eth_blockNumber: not a number"
				    : e->note.text);
}

static void on_chain(void *ctx, const struct provider_error *e, uint64_t id)
{
	size_t check;
	struct health *h = ticket_close(ctx, &check);
	struct err_note note = {0};

	if (!h)
		return;
	const struct provider *p = check == CHECK_GATEWAY_CHAIN ? h->env->gateway : h->ethereum;
	uint64_t expected = provider_chain_id(p).v;

	if (e->err == ERR_OK && id != expected)
		(void)err_say(&note, ERR_MISMATCH,
			      "the endpoint %s serves chain %llu, and %llu is configured",
			      provider_host(p), (unsigned long long)id,
			      (unsigned long long)expected);
	answered(h, check, e->err != ERR_OK ? e->note.text : note.text[0] ? note.text : NULL);
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
	if (check == CHECK_GATEWAY_CHAIN)
		return provider_get_chain_id(h->env->gateway, on_chain, t);
	if (check == CHECK_ETHEREUM)
		return ask_chain(h->ethereum, t);
	if (check == CHECK_ETHEREUM_CHAIN)
		return provider_get_chain_id(h->ethereum, on_chain, t);
	return ask_core(h, h->env->cores[check - CHECK_CORES], t);
}

/* ---- life ---- */

enum err health_new(struct health **ret_health, const struct connector_env *env,
		    struct provider *ethereum, unsigned services)
{
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return ERR_NOMEM;
	h->env = env;
	h->ethereum = ethereum;
	h->services = services;
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

/* As the worker's own calls have found them: none is made for this. */
static bool hosts_answer(const struct health *h)
{
	bool all = true;

	for (size_t i = 0; (h->services & SERVICE_WORKER) != 0 && i < h->env->hosts_n; i++) {
		const struct provider *p = h->env->hosts[i];
		bool one = false;

		for (unsigned k = 0; k < provider_endpoints_n(p); k++) {
			struct provider_endpoint e;

			provider_endpoint_status(p, k, &e);
			one = one || e.breaker == BREAKER_CLOSED;
		}
		all = all && one;
	}
	return all;
}

void health_check(struct health *h, health_done_fn *done, void *ctx)
{
	CHECK(h->open_n == 0 && !h->timer.armed);
	h->done = done;
	h->ctx = ctx;
	h->report = (struct health_report){.database = true,
					   .gateway = true,
					   .ethereum = true,
					   .cores = true,
					   .progress = true,
					   .hosts = hosts_answer(h)};
	h->cursor = h->head = -1;
	buf_clear(&h->details);
	for (size_t i = 0; i < h->checks_n; i++) {
		h->open[i] = (i != CHECK_ETHEREUM && i != CHECK_ETHEREUM_CHAIN) || h->ethereum;
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
