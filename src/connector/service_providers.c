/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service_providers.h"

enum {
	CHAIN_TIMEOUT_MS = 10000 /* gateway and ethereum have no key for it */
};

struct opening {
	struct service_providers *to;
	const struct connector_config *config;
	struct transport *transport;
	struct clock *clock;
	const struct log *log;
	struct arena *arena;
};

/* What a provider has to say of its endpoints. */
static void on_endpoint(void *ctx, const struct provider_event *e)
{
	const struct log *log = ctx;

	switch (e->kind) {
	case PROVIDER_WRONG_CHAIN:
		LOG_ERROR(log, "An endpoint serves another chain, nothing is read from it",
			  log_s("endpoint", e->host), log_i("chain_id", (int64_t)e->chain_id));
		break;
	case PROVIDER_ENDPOINT_DOWN:
		LOG_WARN(log, "An endpoint fails and is left alone for a while",
			 log_s("endpoint", e->host), log_s("detail", e->detail));
		break;
	case PROVIDER_ENDPOINT_UP:
		LOG_INFO(log, "An endpoint answers again", log_s("endpoint", e->host));
		break;
	case PROVIDER_DISAGREED:
		LOG_ERROR(log, "Endpoints of one chain contradict each other",
			  log_s("endpoint", e->host), log_s("method", e->method),
			  log_s("answers", e->detail));
		break;
	}
}

/* `o` says url, chain, limits and further endpoints; the rest is the same for all. */
static enum err provider_open(const struct opening *p, struct provider **ret,
			      struct provider_options o, struct err_note *note)
{
	o.verify_chain = true;
	o.event = on_endpoint;
	o.event_ctx = (void *)(uintptr_t)p->log;
	return provider_new(ret, p->transport, p->clock, &o, note);
}

static enum err gateway_open(const struct opening *p, struct err_note *note)
{
	const struct connector_config *c = p->config;

	return provider_open(p, &p->to->gateway,
			     (struct provider_options){
				     .url = c->gateway_url,
				     .chain_id = {c->gateway_chain_id},
				     .timeout_ms = CHAIN_TIMEOUT_MS,
				     .more_urls = (const char *const *)c->gateway_urls.v,
				     .more_urls_n = c->gateway_urls.n,
				     .quorum = (unsigned)c->gateway_quorum,
				     .head_poll_ms = c->decryption_polling_ms,
			     },
			     note);
}

static enum err ethereum_open(const struct opening *p, struct err_note *note)
{
	const struct connector_config *c = p->config;

	return provider_open(p, &p->to->ethereum,
			     (struct provider_options){
				     .url = c->ethereum_url,
				     .chain_id = {c->ethereum_chain_id},
				     .timeout_ms = CHAIN_TIMEOUT_MS,
				     .more_urls = (const char *const *)c->ethereum_urls.v,
				     .more_urls_n = c->ethereum_urls.n,
				     .quorum = (unsigned)c->ethereum_quorum,
			     },
			     note);
}

static enum err parent_open(const struct opening *p, struct err_note *note)
{
	const struct connector_config *c = p->config;

	return provider_open(p, &p->to->parent,
			     (struct provider_options){
				     .url = c->gateway_parent_url,
				     .chain_id = {c->gateway_parent_chain_id},
				     .timeout_ms = CHAIN_TIMEOUT_MS,
			     },
			     note);
}

static enum err host_open(const struct opening *p, size_t i, struct err_note *note)
{
	const struct connector_config *c = p->config;
	const struct host_chain_config *h = &c->host_chains[i];

	return provider_open(p, &p->to->hosts[i],
			     (struct provider_options){
				     .url = h->url,
				     .chain_id = h->chain_id,
				     .timeout_ms = c->host_rpc_call_timeout_ms,
				     .in_flight_max = (unsigned)c->host_rpc_max_concurrent_calls,
				     .more_urls = h->urls,
				     .more_urls_n = h->urls_n,
				     .quorum = (unsigned)h->quorum,
			     },
			     note);
}

static enum err open_all(const struct opening *p, struct err_note *note)
{
	const struct connector_config *c = p->config;

	TRY(gateway_open(p, note));
	if (c->ethereum_url)
		TRY(ethereum_open(p, note));
	if (c->gateway_final.kind == FINALITY_ARBITRUM_CONFIRMED)
		TRY(parent_open(p, note));
	p->to->hosts = arena_alloc_array(p->arena, c->host_chains_n, sizeof(struct provider *));
	if (!p->to->hosts)
		return ERR_NOMEM;
	for (; p->to->hosts_n < c->host_chains_n; p->to->hosts_n++)
		TRY(host_open(p, p->to->hosts_n, note));
	return ERR_OK;
}

enum err service_providers_open(struct service_providers *ret,
				const struct connector_config *config, struct transport *transport,
				struct clock *clock, const struct log *log, struct arena *arena,
				struct err_note *note)
{
	const struct opening p = {ret, config, transport, clock, log, arena};

	*ret = (struct service_providers){0};
	return open_all(&p, note);
}

void service_providers_close(struct service_providers *p)
{
	for (size_t i = 0; i < p->hosts_n; i++)
		provider_free(p->hosts[i]);
	provider_free(p->ethereum);
	provider_free(p->parent);
	provider_free(p->gateway);
	*p = (struct service_providers){0};
}
