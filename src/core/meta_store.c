/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* metastore_status.v1.MetaStoreStatusService: which requests there are, and what became of them. */
#include <stdio.h>

#include "base/limits.h"
#include "core/request_id.h"
#include "core/request_list.h"
#include "core/service_internal.h"
#include "metastore_status.v1.pb-c.h"

enum {
	PAGE_DEFAULT = 100,
	ROW_BYTES = 512, /* of one status in memory, with its texts */
	TOKEN_DIGITS = 18,
	TOKEN_SIZE = TOKEN_DIGITS + 3,
	ERROR_SIZE = 128,
};

typedef MetastoreStatus__V1__RequestStatusInfo status_info;

/* In the order of answers. */
static const struct {
	MetastoreStatus__V1__MetaStoreType type;
	enum request_kind kind;
} types[] = {
	{METASTORE_STATUS__V1__META_STORE_TYPE__KEY_GENERATION, REQUEST_KEYGEN},
	{METASTORE_STATUS__V1__META_STORE_TYPE__PUBLIC_DECRYPTION, REQUEST_PUBLIC_DECRYPTION},
	{METASTORE_STATUS__V1__META_STORE_TYPE__USER_DECRYPTION, REQUEST_USER_DECRYPTION},
	{METASTORE_STATUS__V1__META_STORE_TYPE__CRS_GENERATION, REQUEST_CRSGEN},
	{METASTORE_STATUS__V1__META_STORE_TYPE__PREPROCESSING, REQUEST_KEYGEN_PREPROC},
};

static const MetastoreStatus__V1__RequestProcessingStatus statuses[] = {
	[REQUEST_PENDING] = METASTORE_STATUS__V1__REQUEST_PROCESSING_STATUS__PROCESSING,
	[REQUEST_DONE] = METASTORE_STATUS__V1__REQUEST_PROCESSING_STATUS__COMPLETED,
	[REQUEST_FAILED] = METASTORE_STATUS__V1__REQUEST_PROCESSING_STATUS__FAILED,
	[REQUEST_EVICTED] = METASTORE_STATUS__V1__REQUEST_PROCESSING_STATUS__DELETED,
};

/* 0: no kind has it. */
static enum request_kind kind_of(MetastoreStatus__V1__MetaStoreType type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return types[i].kind;
	return (enum request_kind)0;
}

/* With its message in the visit's memory; NULL: the call is answered. */
static struct visit *meta_visit(struct core_service *s, struct grpc_call *call,
				const ProtobufCMessageDescriptor *descriptor,
				ProtobufCMessage **ret_message)
{
	struct visit *v = visit_new(s, call, (enum request_kind)0, METRICS_META_STORE);
	struct bytes message = grpc_call_request(call);

	if (!v)
		return NULL;
	v->memory = arena_make(2 * message.n + PROTOBUF_ARENA_EXTRA +
			       (size_t)(CORE_LIST_PAGE_MAX + REQUEST_KINDS * CORE_STATUS_IDS_MAX) *
				       ROW_BYTES);
	if (s->phase == CORE_STARTING || s->phase == CORE_BROKEN)
		visit_fail_status(v, GRPC_UNAVAILABLE, "the node is starting, or cannot");
	else if (protobuf_unpack(ret_message, descriptor, message, &v->memory) != ERR_OK)
		visit_fail_status(v, GRPC_INVALID_ARGUMENT, "the message is not of this method");
	else
		return v;
	return NULL;
}

/* What clients may read of a failure: what it was, and its kind; no detail. */
static char *failure_put(struct arena *memory, const struct request_row *row)
{
	char *text = arena_alloc(memory, ERROR_SIZE);

	if (text)
		(void)snprintf(text, ERROR_SIZE, "%s: %s", works[row->name.kind].failure,
			       err_name(row->cause));
	return text;
}

static status_info *info_put(struct arena *memory, const struct request_row *row, char *id)
{
	status_info *info = arena_alloc(memory, sizeof(*info));

	if (!info)
		return NULL;
	metastore_status__v1__request_status_info__init(info);
	info->request_id = id;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].kind == row->name.kind)
			info->meta_store_type = types[i].type;
	info->status = statuses[row->state];
	if (row->state == REQUEST_FAILED) {
		info->error_message_presence_case =
			METASTORE_STATUS__V1__REQUEST_STATUS_INFO__ERROR_MESSAGE_PRESENCE_ERROR_MESSAGE;
		info->error_message = failure_put(memory, row);
		if (!info->error_message)
			return NULL;
	}
	return info;
}

/* ---- GetRequestStatuses ---- */

struct asked {
	char **texts; /* as they came: they go back so */
	struct hash32 *ids;
	size_t n;
};

/* Those that are an id; the others are passed over. */
static bool asked_read(struct asked *a, char **texts, size_t n, struct arena *memory)
{
	a->texts = arena_alloc_array(memory, n, sizeof(*a->texts));
	a->ids = arena_alloc_array(memory, n, sizeof(*a->ids));
	if (!a->texts || !a->ids)
		return false;
	for (size_t i = 0; i < n; i++)
		if (request_id_parse(&a->ids[a->n], bytes_str(texts[i])) == ERR_OK)
			a->texts[a->n++] = texts[i];
	return true;
}

/* One kind after the other, and in each the ids in their order. */
static enum err statuses_put(status_info **v, size_t *n, struct visit *visit,
			     const struct store_result *result)
{
	const struct asked *a = visit->more;

	for (size_t t = 0; t < ARRAY_LEN(types); t++)
		for (size_t i = 0; i < result->rows[0].rows_n; i++) {
			struct request_row row;

			TRY(request_list_row(&row, result, i));
			if (row.name.kind != types[t].kind)
				continue;
			if (row.at < 0 || (size_t)row.at >= a->n)
				return ERR_CORRUPT;
			v[*n] = info_put(&visit->memory, &row, a->texts[row.at]);
			if (!v[(*n)++])
				return ERR_NOMEM;
		}
	return ERR_OK;
}

static void statuses_found(void *ctx, const struct store_result *result)
{
	struct visit *v = ctx;
	MetastoreStatus__V1__GetRequestStatusesResponse response =
		METASTORE_STATUS__V1__GET_REQUEST_STATUSES_RESPONSE__INIT;
	struct err_note note = result->note;
	enum err e = result->err;

	if (e == ERR_OK) {
		response.statuses = arena_alloc_array(&v->memory, result->rows[0].rows_n,
						      sizeof(*response.statuses));
		e = response.statuses
			    ? statuses_put(response.statuses, &response.n_statuses, v, result)
			    : ERR_NOMEM;
	}
	if (e == ERR_NOMEM)
		visit_fail_nomem(v);
	else if (e != ERR_OK)
		visit_fail(v, e, &note);
	else if (response.n_statuses == 0)
		visit_fail_status(v, GRPC_NOT_FOUND, "none of these requests is known");
	else
		visit_reply_message(v, &response.base);
}

void meta_statuses_handle(void *ctx, struct grpc_call *call)
{
	struct core_service *s = ctx;
	ProtobufCMessage *message;
	struct visit *v = meta_visit(
		s, call, &metastore_status__v1__get_request_statuses_request__descriptor, &message);
	const MetastoreStatus__V1__GetRequestStatusesRequest *q;
	enum request_kind kind = (enum request_kind)0;
	struct asked *a;
	enum err e;

	if (!v)
		return;
	q = (const MetastoreStatus__V1__GetRequestStatusesRequest *)message;
	if (q->n_request_ids > CORE_STATUS_IDS_MAX) {
		visit_fail_status(v, GRPC_INVALID_ARGUMENT, "too many request_ids");
		return;
	}
	a = v->more = arena_alloc(&v->memory, sizeof(*a));
	if (!a || !asked_read(a, q->request_ids, q->n_request_ids, &v->memory)) {
		visit_fail_nomem(v);
		return;
	}
	if (q->n_request_ids == 0) {
		visit_reply(v, BYTES_NONE); /* no statuses */
		return;
	}
	if (a->n == 0) {
		visit_fail_status(v, GRPC_NOT_FOUND, "none of request_ids is an identifier");
		return;
	}
	/* No type, ALL and one that nobody knows: all. */
	if (q->meta_store_type_presence_case ==
	    METASTORE_STATUS__V1__GET_REQUEST_STATUSES_REQUEST__META_STORE_TYPE_PRESENCE_META_STORE_TYPE)
		kind = kind_of(q->meta_store_type);
	e = request_list_find(s->o.store, kind, a->ids, a->n, statuses_found, v);
	if (e != ERR_OK)
		visit_fail(v, e, &(struct err_note){"the database is busy"});
}

/* ---- ListRequests ---- */

struct page {
	size_t n;
};

static enum err page_put(MetastoreStatus__V1__ListRequestsResponse *m, struct visit *v,
			 const struct store_result *result)
{
	const struct page *page = v->more;
	size_t found = result->rows[0].rows_n;
	struct request_row row = {0};

	m->n_requests = found < page->n ? found : page->n;
	m->requests = arena_alloc_array(&v->memory, m->n_requests, sizeof(*m->requests));
	if (!m->requests)
		return ERR_NOMEM;
	for (size_t i = 0; i < m->n_requests; i++) {
		char *id = arena_alloc(&v->memory, REQUEST_ID_TEXT_SIZE);

		TRY(request_list_row(&row, result, i));
		if (id)
			request_id_text(id, row.name.id);
		m->requests[i] = id ? info_put(&v->memory, &row, id) : NULL;
		if (!m->requests[i])
			return ERR_NOMEM;
	}
	if (found <= page->n)
		return ERR_OK;
	m->next_page_token_presence_case =
		METASTORE_STATUS__V1__LIST_REQUESTS_RESPONSE__NEXT_PAGE_TOKEN_PRESENCE_NEXT_PAGE_TOKEN;
	m->next_page_token = arena_alloc(&v->memory, TOKEN_SIZE);
	if (!m->next_page_token)
		return ERR_NOMEM;
	(void)snprintf(m->next_page_token, TOKEN_SIZE, "%lld", (long long)row.at);
	return ERR_OK;
}

static void page_found(void *ctx, const struct store_result *result)
{
	struct visit *v = ctx;
	MetastoreStatus__V1__ListRequestsResponse response =
		METASTORE_STATUS__V1__LIST_REQUESTS_RESPONSE__INIT;
	struct err_note note = result->note;
	enum err e = result->err;

	if (e == ERR_OK)
		e = page_put(&response, v, result);
	if (e == ERR_NOMEM)
		visit_fail_nomem(v);
	else if (e != ERR_OK)
		visit_fail(v, e, &note);
	else
		visit_reply_message(v, &response.base);
}

/* Decimal digits, or nothing: from the beginning. */
static bool token_read(int64_t *ret_after, const char *text)
{
	int64_t after = 0;
	size_t n = strlen(text);

	if (n > TOKEN_DIGITS)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		after = 10 * after + (text[i] - '0');
	}
	*ret_after = after;
	return true;
}

/* The state that a filter asks for; none, ANY, and one that nobody knows: any. */
static int filter_read(const MetastoreStatus__V1__ListRequestsRequest *q)
{
	if (q->status_filter_presence_case !=
	    METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__STATUS_FILTER_PRESENCE_STATUS_FILTER)
		return REQUEST_STATE_ANY;
	for (int state = 0; state < (int)ARRAY_LEN(statuses); state++)
		if (statuses[state] == q->status_filter)
			return state;
	return REQUEST_STATE_ANY;
}

static size_t size_read(const MetastoreStatus__V1__ListRequestsRequest *q)
{
	bool given = q->max_results_presence_case ==
		     METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__MAX_RESULTS_PRESENCE_MAX_RESULTS;

	if (!given || q->max_results <= 0)
		return PAGE_DEFAULT;
	return q->max_results < CORE_LIST_PAGE_MAX ? (size_t)q->max_results : CORE_LIST_PAGE_MAX;
}

void meta_list_handle(void *ctx, struct grpc_call *call)
{
	struct core_service *s = ctx;
	ProtobufCMessage *message;
	struct visit *v = meta_visit(
		s, call, &metastore_status__v1__list_requests_request__descriptor, &message);
	const MetastoreStatus__V1__ListRequestsRequest *q;
	int64_t after = 0;
	struct page *page;
	enum err e;

	if (!v)
		return;
	q = (const MetastoreStatus__V1__ListRequestsRequest *)message;
	if (kind_of(q->meta_store_type) == 0) {
		visit_fail_status(v, GRPC_INVALID_ARGUMENT, "meta_store_type is not one store");
		return;
	}
	if (q->page_token_presence_case ==
		    METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__PAGE_TOKEN_PRESENCE_PAGE_TOKEN &&
	    !token_read(&after, q->page_token)) {
		visit_fail_status(v, GRPC_INVALID_ARGUMENT,
				  "page_token is not one of an answer's next_page_token");
		return;
	}
	page = v->more = arena_alloc(&v->memory, sizeof(*page));
	if (!page) {
		visit_fail_nomem(v);
		return;
	}
	page->n = size_read(q);
	/* One more tells whether there is another page. */
	e = request_list_page(s->o.store, kind_of(q->meta_store_type), filter_read(q), after,
			      page->n + 1, page_found, v);
	if (e != ERR_OK)
		visit_fail(v, e, &(struct err_note){"the database is busy"});
}

/* ---- GetMetaStoreInfo ---- */

static int32_t int32_of(size_t n)
{
	return n < INT32_MAX ? (int32_t)n : INT32_MAX;
}

/* What counts is what takes up room: what waits, and what has a result or an error. */
void meta_info_handle(void *ctx, struct grpc_call *call)
{
	struct core_service *s = ctx;
	ProtobufCMessage *message;
	struct visit *v = meta_visit(s, call, &kms__v1__empty__descriptor, &message);
	MetastoreStatus__V1__GetMetaStoreInfoResponse response =
		METASTORE_STATUS__V1__GET_META_STORE_INFO_RESPONSE__INIT;
	MetastoreStatus__V1__MetaStoreInfo infos[ARRAY_LEN(types)], *list[ARRAY_LEN(types)];

	if (!v)
		return;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct kind_count *k = &s->kinds[types[i].kind];

		metastore_status__v1__meta_store_info__init(&infos[i]);
		infos[i].type = types[i].type;
		infos[i].capacity =
			int32_of(works[types[i].kind].key ? CORE_KEY_REQUESTS_MAX : s->o.capacity);
		infos[i].current_count = int32_of(k->entries_n + k->finished_n);
		list[i] = &infos[i];
	}
	response.meta_stores = list;
	response.n_meta_stores = ARRAY_LEN(types);
	visit_reply_message(v, &response.base);
}
