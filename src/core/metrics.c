/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/metrics.h"

#include "base/limits.h"

static const char *const operation_names[METRICS_OPERATIONS] = {
	[METRICS_PUBLIC_DECRYPT_REQUEST] = "public_decrypt_request",
	[METRICS_PUBLIC_DECRYPT_RESULT] = "public_decrypt_result",
	[METRICS_PUBLIC_DECRYPT_INNER] = "public_decrypt_inner",
	[METRICS_USER_DECRYPT_REQUEST] = "user_decrypt_request",
	[METRICS_USER_DECRYPT_RESULT] = "user_decrypt_result",
	[METRICS_USER_DECRYPT_INNER] = "user_decrypt_inner",
	[METRICS_KEYGEN_PREPROC_REQUEST] = "keygen_preproc_request",
	[METRICS_KEYGEN_PREPROC_RESULT] = "keygen_preproc_result",
	[METRICS_KEYGEN_PREPROC_INNER] = "keygen_preproc_inner",
	[METRICS_KEYGEN_REQUEST] = "keygen_request",
	[METRICS_KEYGEN_RESULT] = "keygen_result",
	[METRICS_KEYGEN_INNER] = "keygen_inner",
	[METRICS_KEYGEN_ABORT] = "keygen_abort",
	[METRICS_CRSGEN_REQUEST] = "crs_gen_request",
	[METRICS_CRSGEN_RESULT] = "crs_gen_result",
	[METRICS_CRSGEN_INNER] = "crs_gen_inner",
	[METRICS_CRSGEN_ABORT] = "crs_gen_abort",
	[METRICS_KEY_MATERIAL] = "key_material_availability",
	[METRICS_HEALTH_STATUS] = "health_status",
	[METRICS_META_STORE] = "meta_store_status",
	[METRICS_BANDWIDTH] = "bandwidth_benchmark",
	[METRICS_NEW_MPC_CONTEXT] = "new_mpc_context",
	[METRICS_DESTROY_MPC_CONTEXT] = "destroy_mpc_context",
	[METRICS_NEW_MPC_EPOCH] = "new_mpc_epoch",
	[METRICS_EPOCH_RESULT] = "get_mpc_epoch_result",
	[METRICS_DESTROY_MPC_EPOCH] = "destroy_mpc_epoch",
};

/* Statuses without a name of their own are "other". */
static const char *const error_names[METRICS_STATUSES] = {
	[GRPC_CANCELLED] = "cancelled",
	[GRPC_INVALID_ARGUMENT] = "invalid_argument",
	[GRPC_NOT_FOUND] = "not_found",
	[GRPC_ALREADY_EXISTS] = "already_exists",
	[GRPC_RESOURCE_EXHAUSTED] = "resource_exhausted",
	[GRPC_FAILED_PRECONDITION] = "failed_precondition",
	[GRPC_ABORTED] = "aborted",
	[GRPC_INTERNAL] = "internal_error",
	[GRPC_UNAVAILABLE] = "unavailable",
};

static enum err counters_text(struct buf *out, const struct metrics *m)
{
	TRY(buf_add_str(out, "# TYPE kms_operations_total counter\n"));
	for (size_t op = 0; op < METRICS_OPERATIONS; op++)
		TRY(buf_addf(out, "kms_operations_total{operation=\"%s\"} %llu\n",
			     operation_names[op], (unsigned long long)m->operations[op]));
	TRY(buf_add_str(out, "# TYPE kms_operation_errors_total counter\n"));
	for (size_t op = 0; op < METRICS_OPERATIONS; op++) {
		unsigned long long other = 0;

		for (size_t s = 0; s < METRICS_STATUSES; s++) {
			if (!error_names[s])
				other += m->errors[op][s];
			else if (m->errors[op][s] > 0)
				TRY(buf_addf(out,
					     "kms_operation_errors_total{operation=\"%s\",error=\"%"
					     "s\"} %llu\n",
					     operation_names[op], error_names[s],
					     (unsigned long long)m->errors[op][s]));
		}
		if (other > 0)
			TRY(buf_addf(out,
				     "kms_operation_errors_total{operation=\"%s\",error=\"other\"} "
				     "%llu\n",
				     operation_names[op], other));
	}
	return ERR_OK;
}

enum err metrics_text(struct buf *out, const struct metrics *m, const struct metrics_gauges *g,
		      const char *version)
{
	const struct kind_gauges *public = &g->requests[REQUEST_PUBLIC_DECRYPTION];
	const struct kind_gauges *user = &g->requests[REQUEST_USER_DECRYPTION];
	const struct kind_gauges *keygen = &g->requests[REQUEST_KEYGEN];
	const struct kind_gauges *crsgen = &g->requests[REQUEST_CRSGEN];
	const struct {
		const char *name;
		size_t value;
	} rows[] = {
		{"kms_meta_storage_pub_decryptions", public->pending},
		{"kms_meta_storage_pub_decryptions_in_store", public->stored},
		{"kms_public_decryptions_running", public->running},
		{"kms_meta_storage_user_decryptions", user->pending},
		{"kms_meta_storage_user_decryptions_in_store", user->stored},
		{"kms_user_decryptions_running", user->running},
		{"kms_meta_storage_key_generations", keygen->pending},
		{"kms_meta_storage_key_generations_in_store", keygen->stored},
		{"kms_key_generations_running", keygen->running},
		{"kms_meta_storage_crs_generations", crsgen->pending},
		{"kms_meta_storage_crs_generations_in_store", crsgen->stored},
		{"kms_crs_generations_running", crsgen->running},
		{"kms_calls_waiting", g->calls_waiting},
		{"kms_rate_limiter_usage", g->rate_tokens_used},
		{"kms_fhe_key_cache_size", g->fhe_keys},
		{"kms_serving", g->serving},
	};

	TRY(counters_text(out, m));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		TRY(buf_addf(out, "# TYPE %s gauge\n%s %zu\n", rows[i].name, rows[i].name,
			     rows[i].value));
	TRY(buf_addf(out,
		     "# TYPE kms_connections_refused_total counter\n"
		     "kms_connections_refused_total %llu\n",
		     (unsigned long long)g->connections_refused));
	if (g->committee)
		TRY(buf_addf(out,
			     "# TYPE kms_active_sessions gauge\nkms_active_sessions %zu\n"
			     "# TYPE kms_epochs_pending gauge\nkms_epochs_pending %zu\n",
			     g->sessions, g->epochs_pending));
	if (g->tls_not_after_s != 0)
		TRY(buf_addf(out,
			     "# TYPE kms_tls_not_after_seconds gauge\n"
			     "kms_tls_not_after_seconds %lld\n",
			     (long long)g->tls_not_after_s));
	TRY(buf_addf(out, "# TYPE kms_version gauge\nkms_version{version=\"%s\"} 1\n", version));
	TRY(buf_add_str(out, "# TYPE kms_limit gauge\n"));
	for (const struct limit_row *row = limit_rows; row->name; row++)
		TRY(buf_addf(out, "kms_limit{name=\"%s\"} %lld\n", row->name, row->value));
	return ERR_OK;
}
