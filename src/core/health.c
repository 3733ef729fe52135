/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* grpc.health.v1.Health/Check and the service's own GetHealthStatus. */
#include "base/limits.h"
#include "core/request_id.h"
#include "core/service_internal.h"
#include "grpc.health.v1.pb-c.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

static void reply(struct grpc_call *call, const ProtobufCMessage *message)
{
	CLEANUP(buf_free) struct buf out = buf_make(1 << 20);

	if (protobuf_pack(&out, message) == ERR_OK)
		grpc_call_reply(call, buf_view(&out));
	else
		grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "the node is out of memory");
}

void health_check_handle(void *ctx, struct grpc_call *call)
{
	const struct core_service *s = ctx;
	struct bytes message = grpc_call_request(call);
	CLEANUP(arena_free) struct arena memory = protobuf_arena(message);
	Grpc__Health__V1__HealthCheckResponse response =
		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	ProtobufCMessage *m;

	if (protobuf_unpack(&m, &grpc__health__v1__health_check_request__descriptor, message,
			    &memory) != ERR_OK) {
		grpc_call_fail(call, GRPC_INVALID_ARGUMENT,
			       "the message is not a HealthCheckRequest");
		return;
	}

	const char *service = ((const Grpc__Health__V1__HealthCheckRequest *)m)->service;

	if (service[0] != '\0' && strcmp(service, CORE_SERVICE_NAME) != 0) {
		grpc_call_fail(call, GRPC_NOT_FOUND, "no such service");
		return;
	}
	response.status =
		s->phase == CORE_SERVING
			? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
			: GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
	reply(call, &response.base);
}

/* ---- GetHealthStatus ---- */

/* One peer being asked. In the visit's memory. */
struct asking {
	struct visit *v;
	Kms__V1__PeerHealth *peer;
	Kms__V1__PeersFromContext *context;
};

struct health {
	struct material material; /* first: it is the visit's `more` before */
	Kms__V1__HealthStatusResponse response;
	size_t waiting; /* peers that have not answered, and one for who asks them */
};

/* Shares of the committee, as the other implementation draws the lines. */
static Kms__V1__HealthStatus status_of(unsigned reachable, unsigned n)
{
	if (reachable >= n)
		return KMS__V1__HEALTH_STATUS__HEALTH_STATUS_OPTIMAL;
	if (reachable >= 2 * n / 3 + 1)
		return KMS__V1__HEALTH_STATUS__HEALTH_STATUS_HEALTHY;
	if (reachable > n / 3 + 1)
		return KMS__V1__HEALTH_STATUS__HEALTH_STATUS_DEGRADED;
	return KMS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY;
}

static void asked_one(struct visit *v)
{
	struct health *h = v->more;

	if (--h->waiting > 0)
		return;
	for (size_t i = 0; i < h->response.n_peers_from_all_contexts; i++) {
		Kms__V1__PeersFromContext *c = h->response.peers_from_all_contexts[i];

		c->status = status_of(c->nodes_reachable, (unsigned)c->n_peers + 1);
	}
	visit_reply_message(v, &h->response.base);
}

static void peer_answered(void *ctx, const struct peer_probe_result *result)
{
	struct asking *a = ctx;
	int64_t ms = result->us / 1000;

	a->peer->reachable = result->err == ERR_OK;
	a->peer->latency_ms = ms < 0 ? 0 : ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
	if (result->err == ERR_OK) {
		a->context->nodes_reachable++;
	} else {
		char *text = arena_strndup(
			&a->v->memory,
			bytes_str(result->text[0] ? result->text : err_name(result->err)));

		if (text)
			a->peer->error = text;
	}
	asked_one(a->v);
}

static enum err peer_ask(struct visit *v, const struct mpc_context *c, Kms__V1__PeersFromContext *m,
			 unsigned party)
{
	const struct peers *peers = &v->core->o.peers;
	struct health *h = v->more;
	struct asking *a = arena_alloc(&v->memory, sizeof(*a));
	Kms__V1__PeerHealth *peer = arena_alloc(&v->memory, sizeof(*peer));
	struct peer_probe *probe;

	if (!a || !peer)
		return ERR_NOMEM;
	kms__v1__peer_health__init(peer);
	peer->peer_id = party;
	peer->endpoint = arena_strndup(&v->memory, bytes_str(c->party[party - 1].host));
	if (!peer->endpoint)
		return ERR_NOMEM;
	*a = (struct asking){.v = v, .peer = peer, .context = m};
	m->peers[m->n_peers++] = peer;

	const struct peer_probe_options options = {.context_id = c->id,
						   .party = party,
						   .timeout_ms = CORE_PROBE_TIMEOUT_MS,
						   .done = peer_answered,
						   .ctx = a};
	enum err e = peers->ops->probe(&probe, peers->net, &options);

	if (e == ERR_OK)
		h->waiting++;
	else
		peer->error = arena_strndup(&v->memory, bytes_str(err_name(e)));
	return peer->error ? ERR_OK : ERR_NOMEM;
}

static enum err context_ask(struct visit *v, const struct mpc_context *c,
			    Kms__V1__PeersFromContext **ret_context)
{
	Kms__V1__PeersFromContext *m = arena_alloc(&v->memory, sizeof(*m));
	Kms__V1__RequestId *id = arena_alloc(&v->memory, sizeof(*id));
	char *text = arena_alloc(&v->memory, REQUEST_ID_TEXT_SIZE);

	if (!m || !id || !text)
		return ERR_NOMEM;
	kms__v1__peers_from_context__init(m);
	kms__v1__request_id__init(id);
	request_id_text(text, c->id);
	id->request_id = text;
	m->context_id = id;
	m->my_party_id = c->me;
	m->threshold_required = c->n / 3 + 1;
	m->nodes_reachable = 1; /* we */
	m->peers = arena_alloc_array(&v->memory, c->n, sizeof(*m->peers));
	if (!m->peers)
		return ERR_NOMEM;
	*ret_context = m;
	for (unsigned party = 1; party <= c->n; party++)
		if (party != c->me)
			TRY(peer_ask(v, c, m, party));
	return ERR_OK;
}

static enum err contexts_ask(struct visit *v)
{
	const struct peers *peers = &v->core->o.peers;
	Kms__V1__HealthStatusResponse *r = &((struct health *)v->more)->response;
	const struct mpc_context *c;
	size_t n = 0;

	while (peers->ops->context(peers->net, n))
		n++;
	r->peers_from_all_contexts =
		arena_alloc_array(&v->memory, n, sizeof(*r->peers_from_all_contexts));
	if (!r->peers_from_all_contexts)
		return ERR_NOMEM;
	for (size_t i = 0; i < n && (c = peers->ops->context(peers->net, i)) != NULL; i++) {
		TRY(context_ask(v, c, &r->peers_from_all_contexts[i]));
		r->n_peers_from_all_contexts++;
	}
	return ERR_OK;
}

/* All peers at once; the answer follows the last of theirs. Without memory for all of it, those
 * that were asked are told of. */
static void health_found(struct visit *v)
{
	const struct material *m = v->more;
	struct health *h = arena_alloc(&v->memory, sizeof(*h));
	bool threshold = v->core->o.peers.ops != NULL;

	if (!h) {
		visit_fail_nomem(v);
		return;
	}
	h->material = *m;
	v->more = h;
	kms__v1__health_status_response__init(&h->response);
	h->response.my_fhe_key_ids = m->keys.v;
	h->response.n_my_fhe_key_ids = m->keys.n;
	h->response.my_crs_ids = m->crss.v;
	h->response.n_my_crs_ids = m->crss.n;
	h->response.my_preprocessing_key_ids = m->preprocs.v;
	h->response.n_my_preprocessing_key_ids = m->preprocs.n;
	h->response.my_storage_info = m->storage;
	h->response.node_type = threshold ? KMS__V1__NODE_TYPE__NODE_TYPE_THRESHOLD
					  : KMS__V1__NODE_TYPE__NODE_TYPE_CENTRALIZED;
	h->waiting = 1;
	if (threshold && contexts_ask(v) != ERR_OK)
		LOG_WARN(v->core->o.log, "Not all peers were asked for their health",
			 log_e(ERR_NOMEM));
	asked_one(v);
}

void health_status_handle(void *ctx, struct grpc_call *call)
{
	struct visit *v = visit_new(ctx, call, (enum request_kind)0, METRICS_HEALTH_STATUS);

	if (v)
		material_look(v, health_found);
}
