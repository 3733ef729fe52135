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

/* As texts in `memory`; NULL without it. */
static char *id_put(struct arena *memory, struct hash32 id)
{
	char *text = arena_alloc(memory, REQUEST_ID_TEXT_SIZE);

	if (text)
		request_id_text(text, id);
	return text;
}

/* A centralised node has no peers: what there is to say is which keys and CRSs it holds. */
void health_status_handle(void *ctx, struct grpc_call *call)
{
	const struct core_service *s = ctx;
	size_t keys_n = s->o.keys->n, crss_n = s->crss.n;
	CLEANUP(arena_free)
	struct arena memory =
		arena_make((VAULT_KEYS_MAX + VAULT_ENTRIES_MAX) * (REQUEST_ID_TEXT_SIZE + 64));
	Kms__V1__HealthStatusResponse response = KMS__V1__HEALTH_STATUS_RESPONSE__INIT;
	char **keys = arena_alloc_array(&memory, keys_n, sizeof(*keys));
	char **crss = arena_alloc_array(&memory, crss_n, sizeof(*crss));
	bool enough = keys && crss;

	for (size_t i = 0; enough && i < keys_n; i++)
		enough = (keys[i] = id_put(&memory, s->o.keys->v[i].key_id)) != NULL;
	for (size_t i = 0; enough && i < crss_n; i++)
		enough = (crss[i] = id_put(&memory, s->crss.v[i])) != NULL;
	if (!enough) {
		grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "the node is out of memory");
		return;
	}
	response.my_fhe_key_ids = keys;
	response.n_my_fhe_key_ids = keys_n;
	response.my_crs_ids = crss;
	response.n_my_crs_ids = crss_n;
	response.my_storage_info = (char[]){"file"};
	response.node_type = KMS__V1__NODE_TYPE__NODE_TYPE_CENTRALIZED;
	reply(call, &response.base);
}
