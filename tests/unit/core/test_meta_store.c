/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* MetaStoreStatusService and GetKeyMaterialAvailability of a whole node. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "metastore_status.v1.pb-c.h"
#include "net/protobuf.h"
#include "support_keygen.h"

#define RPC_STATUSES "/" META_STORE_NAME "/GetRequestStatuses"
#define RPC_LIST     "/" META_STORE_NAME "/ListRequests"
#define RPC_INFO     "/" META_STORE_NAME "/GetMetaStoreInfo"
#define RPC_MATERIAL "/" CORE_SERVICE_NAME "/GetKeyMaterialAvailability"

#define TYPE(name)   METASTORE_STATUS__V1__META_STORE_TYPE__##name
#define STATUS(name) METASTORE_STATUS__V1__REQUEST_PROCESSING_STATUS__##name

static struct buf ciphertext; /* of VALUE_U64 under KEY_TEST */

/* An answer, decoded; freed with it. */
struct answer {
	enum grpc_status status;
	struct buf reply;
	struct arena memory;
	const ProtobufCMessage *m;
};

static struct answer ask(struct fixture *f, const char *path, const ProtobufCMessage *q,
			 const ProtobufCMessageDescriptor *descriptor)
{
	struct answer a = {0};
	struct buf message = buf_make(1 << 20);
	ProtobufCMessage *m;

	OK(protobuf_pack(&message, q));
	a.status = call_once(f, path, buf_view(&message), &a.reply);
	a.memory = protobuf_arena(buf_view(&a.reply));
	if (a.status == GRPC_OK) {
		OK(protobuf_unpack(&m, descriptor, buf_view(&a.reply), &a.memory));
		a.m = m;
	}
	buf_free(&message);
	return a;
}

static void answer_free(struct answer *a)
{
	arena_free(&a->memory);
	buf_free(&a->reply);
}

static struct answer ask_statuses(struct fixture *f, char **ids, size_t n, int type)
{
	MetastoreStatus__V1__GetRequestStatusesRequest q =
		METASTORE_STATUS__V1__GET_REQUEST_STATUSES_REQUEST__INIT;

	q.request_ids = ids;
	q.n_request_ids = n;
	if (type >= 0) {
		q.meta_store_type_presence_case =
			METASTORE_STATUS__V1__GET_REQUEST_STATUSES_REQUEST__META_STORE_TYPE_PRESENCE_META_STORE_TYPE;
		q.meta_store_type = (MetastoreStatus__V1__MetaStoreType)type;
	}
	return ask(f, RPC_STATUSES, &q.base,
		   &metastore_status__v1__get_request_statuses_response__descriptor);
}

static struct answer ask_list(struct fixture *f, int type, int filter, int size, const char *token)
{
	MetastoreStatus__V1__ListRequestsRequest q =
		METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__INIT;

	q.meta_store_type = (MetastoreStatus__V1__MetaStoreType)type;
	if (filter >= 0) {
		q.status_filter_presence_case =
			METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__STATUS_FILTER_PRESENCE_STATUS_FILTER;
		q.status_filter = (MetastoreStatus__V1__RequestProcessingStatus)filter;
	}
	q.max_results_presence_case =
		METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__MAX_RESULTS_PRESENCE_MAX_RESULTS;
	q.max_results = size;
	if (token) {
		q.page_token_presence_case =
			METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__PAGE_TOKEN_PRESENCE_PAGE_TOKEN;
		q.page_token = (char *)(uintptr_t)token;
	}
	return ask(f, RPC_LIST, &q.base, &metastore_status__v1__list_requests_response__descriptor);
}

static const MetastoreStatus__V1__GetRequestStatusesResponse *statuses_of(const struct answer *a)
{
	assert_int_equal(a->status, GRPC_OK);
	return (const MetastoreStatus__V1__GetRequestStatusesResponse *)a->m;
}

static const MetastoreStatus__V1__ListRequestsResponse *list_of(const struct answer *a)
{
	assert_int_equal(a->status, GRPC_OK);
	return (const MetastoreStatus__V1__ListRequestsResponse *)a->m;
}

static void decrypt(struct fixture *f, unsigned number, struct bytes of, enum grpc_status result)
{
	struct request q;

	request_init(&q, number, of);
	assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_OK);
	assert_int_equal(call_result(f, number, NULL), result);
}

static void status_check(const MetastoreStatus__V1__RequestStatusInfo *m, const char *id, int type,
			 int status)
{
	assert_string_equal(m->request_id, id);
	assert_int_equal(m->meta_store_type, type);
	assert_int_equal(m->status, status);
}

/* Done, failed, evicted and unknown ones; ids as they came, bad ones passed over; by type. */
static void test_statuses(void **state)
{
	struct fixture *f = *state;
	struct key_call key = key_call_make(2); /* its preprocessing has an id of its own */
	char preproc[REQUEST_ID_TEXT_SIZE],
		first[REQUEST_ID_TEXT_SIZE + 2] = "0x", second[REQUEST_ID_TEXT_SIZE],
					     evicted[REQUEST_ID_TEXT_SIZE],
					     unknown[REQUEST_ID_TEXT_SIZE];
	char *ids[] = {unknown, second, (char[]){"no id"}, first, preproc, evicted, first};
	struct answer a;

	f->config.dec_capacity = 2;
	f->config.min_dec_cache = 1;
	node_up(f);
	decrypt(f, 7, buf_view(&ciphertext), GRPC_OK);
	decrypt(f, 1, buf_view(&ciphertext), GRPC_OK);
	decrypt(f, 2, BYTES_LIT("not a ciphertext"), GRPC_INTERNAL);
	while (core_service_gauges(node_service(f->node))
		       .requests[REQUEST_PUBLIC_DECRYPTION]
		       .stored > 2)
		loop_pause(f->loop, 5);
	assert_int_equal(key_call_preproc(f, &key), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &key, NULL), GRPC_OK);
	request_id_text(first + 2, request_number(1));
	request_id_text(second, request_number(2));
	request_id_text(evicted, request_number(7));
	request_id_text(unknown, request_number(99));
	request_id_text(preproc, key.preproc_id);

	a = ask_statuses(f, ids, ARRAY_LEN(ids), -1);
	assert_int_equal(statuses_of(&a)->n_statuses, 5);
	status_check(statuses_of(&a)->statuses[0], second, TYPE(PUBLIC_DECRYPTION), STATUS(FAILED));
	assert_string_equal(statuses_of(&a)->statuses[0]->error_message,
			    "the decryption failed: malformed");
	status_check(statuses_of(&a)->statuses[1], first, TYPE(PUBLIC_DECRYPTION),
		     STATUS(COMPLETED));
	assert_int_equal(statuses_of(&a)->statuses[1]->error_message_presence_case, 0);
	status_check(statuses_of(&a)->statuses[2], evicted, TYPE(PUBLIC_DECRYPTION),
		     STATUS(DELETED));
	status_check(statuses_of(&a)->statuses[3], first, TYPE(PUBLIC_DECRYPTION),
		     STATUS(COMPLETED));
	status_check(statuses_of(&a)->statuses[4], preproc, TYPE(PREPROCESSING), STATUS(COMPLETED));
	answer_free(&a);

	static const struct {
		int type;
		size_t n;
	} rows[] = {
		{TYPE(ALL), 5}, {77, 5}, {TYPE(PUBLIC_DECRYPTION), 4}, {TYPE(PREPROCESSING), 1}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		a = ask_statuses(f, ids, ARRAY_LEN(ids), rows[i].type);
		assert_int_equal(statuses_of(&a)->n_statuses, rows[i].n);
		answer_free(&a);
	}
	a = ask_statuses(f, ids, ARRAY_LEN(ids), TYPE(CRS_GENERATION));
	assert_int_equal(a.status, GRPC_NOT_FOUND);
	answer_free(&a);
	a = ask_statuses(f, &ids[2], 1, -1);
	assert_int_equal(a.status, GRPC_NOT_FOUND);
	answer_free(&a);
	a = ask_statuses(f, NULL, 0, -1);
	assert_int_equal(statuses_of(&a)->n_statuses, 0);
	answer_free(&a);
}

static void test_statuses_bounds(void **state)
{
	struct fixture *f = *state;
	static char *ids[CORE_STATUS_IDS_MAX + 1];
	char first[REQUEST_ID_TEXT_SIZE];
	struct answer a;

	node_up(f);
	decrypt(f, 1, buf_view(&ciphertext), GRPC_OK);
	request_id_text(first, request_number(1));
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		ids[i] = first;
	a = ask_statuses(f, ids, CORE_STATUS_IDS_MAX, -1);
	assert_int_equal(statuses_of(&a)->n_statuses, CORE_STATUS_IDS_MAX);
	answer_free(&a);
	a = ask_statuses(f, ids, CORE_STATUS_IDS_MAX + 1, -1);
	assert_int_equal(a.status, GRPC_INVALID_ARGUMENT);
	answer_free(&a);
	assert_int_equal(call_once(f, RPC_STATUSES, BYTES_LIT("\x0a\x7f"), NULL),
			 GRPC_INVALID_ARGUMENT);
	assert_int_equal(call_once(f, RPC_LIST, BYTES_LIT("\x0a\x7f"), NULL),
			 GRPC_INVALID_ARGUMENT);
	assert_int_equal(call_once(f, RPC_INFO, BYTES_LIT("\x0a\x7f"), NULL),
			 GRPC_INVALID_ARGUMENT);
}

enum {
	MADE = 11
};

/* Every request exactly once, in the order of acceptance, whatever the size of the pages. */
static void pages_check(struct fixture *f, int filter, int size, const unsigned *numbers, size_t n)
{
	char token[32] = "";
	size_t at = 0;

	for (bool more = true; more;) {
		struct answer a = ask_list(f, TYPE(PUBLIC_DECRYPTION), filter, size, token);
		const MetastoreStatus__V1__ListRequestsResponse *m = list_of(&a);

		assert_true(m->n_requests <= (size_t)size && at + m->n_requests <= n);
		for (size_t i = 0; i < m->n_requests; i++) {
			char id[REQUEST_ID_TEXT_SIZE];

			request_id_text(id, request_number(numbers[at]));
			status_check(m->requests[i], id, TYPE(PUBLIC_DECRYPTION),
				     numbers[at] % 3 == 0 ? STATUS(FAILED) : STATUS(COMPLETED));
			at++;
		}
		more = m->next_page_token_presence_case != 0;
		if (more) {
			assert_int_equal(m->n_requests, size);
			(void)snprintf(token, sizeof(token), "%s", m->next_page_token);
		}
		answer_free(&a);
	}
	assert_int_equal(at, n);
}

static void test_list(void **state)
{
	struct fixture *f = *state;
	unsigned all[MADE], failed[MADE], good[MADE];
	size_t failed_n = 0, good_n = 0;
	struct answer a;

	node_up(f);
	for (unsigned i = 0; i < MADE; i++) {
		bool fails = (i + 1) % 3 == 0;

		all[i] = i + 1;
		decrypt(f, i + 1, fails ? BYTES_LIT("not a ciphertext") : buf_view(&ciphertext),
			fails ? GRPC_INTERNAL : GRPC_OK);
		if (fails)
			failed[failed_n++] = i + 1;
		else
			good[good_n++] = i + 1;
	}
	for (int size = 1; size <= MADE + 1; size++) {
		pages_check(f, -1, size, all, MADE);
		pages_check(f, STATUS(ANY), size, all, MADE);
		pages_check(f, STATUS(FAILED), size, failed, failed_n);
		pages_check(f, STATUS(COMPLETED), size, good, good_n);
		pages_check(f, STATUS(PROCESSING), size, NULL, 0);
		pages_check(f, STATUS(DELETED), size, NULL, 0);
	}
	a = ask_list(f, TYPE(PUBLIC_DECRYPTION), 99, 0, NULL); /* unknown: any; the default size */
	assert_int_equal(list_of(&a)->n_requests, MADE);
	answer_free(&a);
	a = ask_list(f, TYPE(KEY_GENERATION), -1, -5, NULL);
	assert_int_equal(list_of(&a)->n_requests, 0);
	answer_free(&a);

	static const struct {
		int type;
		const char *token;
	} bad[] = {{TYPE(ALL), NULL},
		   {6, NULL},
		   {TYPE(PUBLIC_DECRYPTION), "x"},
		   {TYPE(PUBLIC_DECRYPTION), "-1"},
		   {TYPE(PUBLIC_DECRYPTION), "1 "},
		   {TYPE(PUBLIC_DECRYPTION), "9999999999999999999"}};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		a = ask_list(f, bad[i].type, -1, 10, bad[i].token);
		assert_int_equal(a.status, GRPC_INVALID_ARGUMENT);
		answer_free(&a);
	}
}

static void test_info(void **state)
{
	struct fixture *f = *state;
	static const struct {
		int type, capacity, count;
	} rows[] = {
		{TYPE(KEY_GENERATION), CORE_KEY_REQUESTS_MAX, 0},
		{TYPE(PUBLIC_DECRYPTION), 10000, 2},
		{TYPE(USER_DECRYPTION), 10000, 0},
		{TYPE(CRS_GENERATION), CORE_KEY_REQUESTS_MAX, 0},
		{TYPE(PREPROCESSING), CORE_KEY_REQUESTS_MAX, 1},
	};
	const Kms__V1__Empty empty = KMS__V1__EMPTY__INIT;
	struct key_call key = key_call_make(1);
	struct answer a;

	node_up(f);
	decrypt(f, 1, buf_view(&ciphertext), GRPC_OK);
	decrypt(f, 2, BYTES_LIT("not a ciphertext"), GRPC_INTERNAL);
	assert_int_equal(key_call_preproc(f, &key), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &key, NULL), GRPC_OK);
	a = ask(f, RPC_INFO, &empty.base,
		&metastore_status__v1__get_meta_store_info_response__descriptor);
	assert_int_equal(a.status, GRPC_OK);

	const MetastoreStatus__V1__GetMetaStoreInfoResponse *m =
		(const MetastoreStatus__V1__GetMetaStoreInfoResponse *)a.m;

	assert_int_equal(m->n_meta_stores, ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(m->meta_stores[i]->type, rows[i].type);
		assert_int_equal(m->meta_stores[i]->capacity, rows[i].capacity);
		assert_int_equal(m->meta_stores[i]->current_count, rows[i].count);
	}
	answer_free(&a);
}

/* ---- GetKeyMaterialAvailability ---- */

static void material_check(struct fixture *f, size_t keys_n, const struct hash32 *preproc)
{
	const Kms__V1__Empty empty = KMS__V1__EMPTY__INIT;
	struct answer a = ask(f, RPC_MATERIAL, &empty.base,
			      &kms__v1__key_material_availability_response__descriptor);
	char text[REQUEST_ID_TEXT_SIZE];

	assert_int_equal(a.status, GRPC_OK);

	const Kms__V1__KeyMaterialAvailabilityResponse *m =
		(const Kms__V1__KeyMaterialAvailabilityResponse *)a.m;

	assert_int_equal(m->n_fhe_key_ids, keys_n);
	for (size_t i = 1; i < keys_n; i++)
		assert_true(strcmp(m->fhe_key_ids[i - 1], m->fhe_key_ids[i]) < 0);
	assert_int_equal(m->n_crs_ids, 0);
	assert_int_equal(m->n_preprocessing_ids, preproc ? 1 : 0);
	if (preproc) {
		request_id_text(text, *preproc);
		assert_string_equal(m->preprocessing_ids[0], text);
	}
	assert_string_equal(m->storage_info, "Centralized KMS - file storage");
	answer_free(&a);
}

/* What lies in the vault now, whoever put it there; an id in two epochs counts once. */
static void test_material(void **state)
{
	struct fixture *f = *state;
	struct key_call used = key_call_make(1), unused = key_call_make(2);
	const struct vault vault = core_config_vault(&f->config.private_vault, true);
	struct hash32 epoch = request_number(77);
	struct vault_name name = {.type = KEY_RING_TYPE, .epoch = &epoch, .id = request_number(5)};
	struct err_note note = {0};

	node_up(f);
	material_check(f, 1, NULL);
	assert_int_equal(key_call_preproc(f, &unused), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &unused, NULL), GRPC_OK);
	material_check(f, 1, &unused.preproc_id);
	key_test_make(f, &used, NULL); /* its preprocessing is used up */
	material_check(f, 2, &unused.preproc_id);
	OK(vault_write(&vault, &name, BYTES_LIT("anything"), &note));
	material_check(f, 3, &unused.preproc_id);
	name.id = test_key_id;
	OK(vault_write(&vault, &name, BYTES_LIT("anything"), &note));
	material_check(f, 3, &unused.preproc_id);
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, key_setup, key_teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_statuses), CASE(test_statuses_bounds), CASE(test_list),
		CASE(test_info),     CASE(test_material),
	};

	ciphertext = vector_read("tfhe/nat_test_csq64.bin");

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&ciphertext);
	return failed;
}
