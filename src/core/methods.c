/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The methods of the client port, one row each. */
#include "core/service_internal.h"

/* A RequestId is 66 bytes; some room for unknown fields. */
enum {
	SMALL_REQUEST_MAX = 4 << 10,
	KEY_REQUEST_MAX = 64 << 10,
	STATUS_REQUEST_MAX = 128 << 10, /* CORE_STATUS_IDS_MAX ids */
	CONTEXT_REQUEST_MAX = 1 << 20,
};

static void public_decrypt_handle(void *ctx, struct grpc_call *call)
{
	service_request_handle(ctx, call, REQUEST_PUBLIC_DECRYPTION, false);
}

static void public_decrypt_sync_handle(void *ctx, struct grpc_call *call)
{
	service_request_handle(ctx, call, REQUEST_PUBLIC_DECRYPTION, true);
}

static void public_result_handle(void *ctx, struct grpc_call *call)
{
	service_result_handle(ctx, call, REQUEST_PUBLIC_DECRYPTION);
}

static void user_decrypt_handle(void *ctx, struct grpc_call *call)
{
	service_request_handle(ctx, call, REQUEST_USER_DECRYPTION, false);
}

static void user_decrypt_sync_handle(void *ctx, struct grpc_call *call)
{
	service_request_handle(ctx, call, REQUEST_USER_DECRYPTION, true);
}

static void user_result_handle(void *ctx, struct grpc_call *call)
{
	service_result_handle(ctx, call, REQUEST_USER_DECRYPTION);
}

static void keygen_preproc_handle(void *ctx, struct grpc_call *call)
{
	service_request_handle(ctx, call, REQUEST_KEYGEN_PREPROC, false);
}

static void keygen_preproc_result_handle(void *ctx, struct grpc_call *call)
{
	service_result_handle(ctx, call, REQUEST_KEYGEN_PREPROC);
}

static void keygen_handle(void *ctx, struct grpc_call *call)
{
	service_request_handle(ctx, call, REQUEST_KEYGEN, false);
}

static void keygen_result_handle(void *ctx, struct grpc_call *call)
{
	service_result_handle(ctx, call, REQUEST_KEYGEN);
}

static void crsgen_handle(void *ctx, struct grpc_call *call)
{
	service_request_handle(ctx, call, REQUEST_CRSGEN, false);
}

static void crsgen_result_handle(void *ctx, struct grpc_call *call)
{
	service_result_handle(ctx, call, REQUEST_CRSGEN);
}

/* Every other rpc of the service has no row, and the server says UNIMPLEMENTED. */
const struct grpc_method core_service_methods[] = {
	{.path = "/" CORE_SERVICE_NAME "/PublicDecrypt", .handler = public_decrypt_handle},
	{.path = "/" CORE_SERVICE_NAME "/PublicDecryptSync", .handler = public_decrypt_sync_handle},
	{.path = "/" CORE_SERVICE_NAME "/GetPublicDecryptionResult",
	 .handler = public_result_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/UserDecrypt", .handler = user_decrypt_handle},
	{.path = "/" CORE_SERVICE_NAME "/UserDecryptSync", .handler = user_decrypt_sync_handle},
	{.path = "/" CORE_SERVICE_NAME "/GetUserDecryptionResult",
	 .handler = user_result_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/KeyGenPreproc",
	 .handler = keygen_preproc_handle,
	 .request_max = KEY_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/GetKeyGenPreprocResult",
	 .handler = keygen_preproc_result_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/KeyGen",
	 .handler = keygen_handle,
	 .request_max = KEY_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/GetKeyGenResult",
	 .handler = keygen_result_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/AbortKeyGen",
	 .handler = keygen_abort_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/CrsGen",
	 .handler = crsgen_handle,
	 .request_max = KEY_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/GetCrsGenResult",
	 .handler = crsgen_result_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/AbortCrsGen",
	 .handler = crsgen_abort_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/NewMpcContext",
	 .handler = context_new_handle,
	 .request_max = CONTEXT_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/DestroyMpcContext",
	 .handler = context_destroy_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/NewMpcEpoch",
	 .handler = epoch_new_handle,
	 .request_max = CONTEXT_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/GetEpochResult",
	 .handler = epoch_result_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/DestroyMpcEpoch",
	 .handler = epoch_destroy_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/GetHealthStatus",
	 .handler = health_status_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/GetKeyMaterialAvailability",
	 .handler = material_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" CORE_SERVICE_NAME "/BandwidthBenchmark",
	 .handler = bandwidth_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" META_STORE_NAME "/GetRequestStatuses",
	 .handler = meta_statuses_handle,
	 .request_max = STATUS_REQUEST_MAX},
	{.path = "/" META_STORE_NAME "/ListRequests",
	 .handler = meta_list_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/" META_STORE_NAME "/GetMetaStoreInfo",
	 .handler = meta_info_handle,
	 .request_max = SMALL_REQUEST_MAX},
	{.path = "/grpc.health.v1.Health/Check",
	 .handler = health_check_handle,
	 .request_max = SMALL_REQUEST_MAX},
};
const size_t core_service_methods_n = ARRAY_LEN(core_service_methods);
