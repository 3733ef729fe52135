/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms-client status, materials, health: one question to a node, its answer as lines or as JSON. The
 * names are those of the messages, read from their descriptors.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"
#include "cmd/kms_client.h"
#include "core/service.h"
#include "kms.v1.pb-c.h"
#include "metastore_status.v1.pb-c.h"
#include "net/protobuf.h"

#define CONNECTION_HELP                                                                            \
	"  -c, --core URL      the node: unix:PATH, https://HOST:PORT, or http://127.0.0.1:PORT\n" \
	"  --cert, --key, --ca FILE\n"                                                             \
	"                      with https: our certificate and key, and who vouches for the "      \
	"node\n"                                                                                   \
	"  --name NAME         with https: what the node's certificate names; else the URL's "     \
	"host\n"                                                                                   \
	"  -j, --json          the answer as one JSON object, in the names of the messages\n"

const char client_status_help[] =
	"Which requests does a node know? Without more: how many of each kind, and for how many it "
	"has\nroom. With IDs: what became of them. With --store: all of a kind, page by page.\n\n"
	"  ID                  of a request, 64 hexadecimal digits\n"
	"  -s, --store TYPE    key-generation, public-decryption, user-decryption, crs-generation "
	"or\n"
	"                      preprocessing\n"
	"  --state STATE       only processing, completed, failed or deleted ones\n"
	"  --limit N           how many on the page, 1 to 1000; 100\n"
	"  --after TOKEN       the next page: next_page_token of the last\n" CONNECTION_HELP "\n";

const char client_materials_help[] =
	"Which keys, CRSs and unused preprocessings does a node have?\n\n" CONNECTION_HELP "\n";

const char client_health_help[] =
	"Is a node there, what does it hold, and which peers does it reach? Exit code 1 also if it "
	"reaches\ntoo few of a context.\n\n" CONNECTION_HELP "\n";

enum {
	CALL_MS = 30000,
	REPLY_BYTES = 8 << 20,
	TEXT_BYTES = 32 << 20,
	LEVELS = 4, /* of nesting in an answer */
	NAME_SIZE = 64,
};

struct ask {
	const struct client_command *self;
	const char *core, *cert, *key, *ca, *name;
	const char *store, *state, *limit, *after; /* of status */
	bool json;
	char **ids;
	size_t ids_n;
};

/* ---- an answer as JSON ---- */

static json_t *message_json(const ProtobufCMessage *m);

static json_t *value_json(const ProtobufCFieldDescriptor *f, const void *at)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return json_string(*(char *const *)at);
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_INT32:
		return json_integer(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
		return json_integer(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_UINT64:
		return json_integer((json_int_t)(*(const uint64_t *)at & INT64_MAX));
	case PROTOBUF_C_TYPE_ENUM: {
		const ProtobufCEnumValue *v =
			protobuf_c_enum_descriptor_get_value(f->descriptor, *(const int *)at);

		return v ? json_string(v->name) : json_integer(*(const int *)at);
	}
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(ProtobufCMessage *const *)at ? message_json(*(ProtobufCMessage *const *)at)
						      : json_null();
	default:
		return json_null(); /* no answer of ours has one */
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_UINT64:
		return sizeof(uint64_t);
	default:
		return sizeof(uint32_t);
	}
}

static json_t *list_json(const ProtobufCFieldDescriptor *f, const void *at, size_t n)
{
	const uint8_t *items = *(const uint8_t *const *)at;
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, value_json(f, &items[i * size_of(f)]));
	return list;
}

static json_t *message_json(const ProtobufCMessage *m)
{
	const uint8_t *base = (const uint8_t *)m;
	json_t *object = json_object();

	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const void *at = &base[f->offset], *quantifier = &base[f->quantifier_offset];
		bool one_of = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;

		if (one_of && *(const uint32_t *)quantifier != f->id)
			continue; /* not given */
		(void)json_object_set_new(object, f->name,
					  f->label == PROTOBUF_C_LABEL_REPEATED
						  ? list_json(f, at, *(const size_t *)quantifier)
						  : value_json(f, at));
	}
	return object;
}

/* ---- and as lines ---- */

static enum err lines_put(struct buf *out, const char *name, const json_t *v, int level);

static enum err scalar_put(struct buf *out, const json_t *v)
{
	if (json_is_string(v))
		return buf_add_str(out, json_string_value(v));
	if (json_is_integer(v))
		return buf_addf(out, "%lld", (long long)json_integer_value(v));
	return buf_add_str(out, json_is_true(v) ? "yes" : json_is_false(v) ? "no" : "-");
}

static enum err members_put(struct buf *out, const json_t *object, int level)
{
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)(uintptr_t)object, key, member)
		TRY(lines_put(out, key, member, level));
	return ERR_OK;
}

/* "name: value"; an object is indented below its name; of a list each item by itself. */
static enum err lines_put(struct buf *out, const char *name, const json_t *v, int level)
{
	if (json_is_array(v)) {
		if (json_array_size(v) == 0)
			return buf_addf(out, "%*s%s: none\n", 2 * level, "", name);
		for (size_t i = 0; i < json_array_size(v); i++)
			TRY(lines_put(out, name, json_array_get(v, i), level));
		return ERR_OK;
	}
	TRY(buf_addf(out, "%*s%s:", 2 * level, "", name));
	if (json_is_object(v) && level < LEVELS) {
		TRY(buf_add_str(out, "\n"));
		return members_put(out, v, level + 1);
	}
	TRY(buf_add_str(out, " "));
	TRY(scalar_put(out, v));
	return buf_add_str(out, "\n");
}

static enum err answer_print(const struct ask *a, const ProtobufCMessage *m)
{
	CLEANUP(json_free_ptr) json_t *v = message_json(m);
	CLEANUP(buf_free) struct buf text = buf_make(TEXT_BYTES);
	const char *lines;

	if (!v)
		return ERR_NOMEM;
	if (a->json) {
		TRY(json_print(&text, v));
		TRY(buf_add_str(&text, "\n"));
	} else {
		TRY(members_put(&text, v, 0));
	}
	TRY(buf_cstr(&text, &lines));
	return fputs(lines, stdout) < 0 || fflush(stdout) != 0 ? ERR_IO : ERR_OK;
}

/* ---- the call ---- */

struct call {
	struct loop *loop;
	enum grpc_status status;
	struct err_note note;
	struct buf reply;
	enum err err;
};

static void call_done(void *ctx, const struct rpc_reply *reply)
{
	struct call *c = ctx;

	c->status = reply->status;
	if (reply->status != GRPC_OK)
		c->err = err_say(&c->note, ERR_REMOTE, "%s: %s", grpc_status_name(reply->status),
				 reply->text);
	else
		c->err = buf_add(&c->reply, reply->message);
	loop_stop(c->loop);
}

static enum err call_run(struct call *c, const struct ask *a, const char *path,
			 struct bytes message)
{
	const char *names[] = {a->name};
	const struct tls_options tls_options = {.cert_file = a->cert,
						.key_file = a->key,
						.ca_file = a->ca,
						.identities = names,
						.identities_n = a->name ? 1 : 0};
	const struct rpc_call call = {
		.path = path, .message = message, .timeout_ms = CALL_MS, .reply_max = REPLY_BYTES};
	struct channel_grpc_options options = {.url = a->core};
	struct channel *channel = NULL;
	struct tls *tls = NULL;
	enum channel_grpc_way way;
	struct rpc_ticket ticket;
	enum err e;

	TRY(channel_grpc_url_way(&way, a->core, &c->note));
	if (way == CHANNEL_GRPC_PLAIN)
		return err_say(&c->note, ERR_CONFIG_VALUE,
			       "in plain text only this machine is asked");
	if (way == CHANNEL_GRPC_TLS && (!a->cert || !a->key || !a->ca))
		return err_say(&c->note, ERR_CONFIG_VALUE, "https wants --cert, --key and --ca");
	TRY(loop_new(&c->loop));
	e = way == CHANNEL_GRPC_TLS ? tls_new(&tls, &tls_options, &c->note) : ERR_OK;
	options.tls = tls;
	if (e == ERR_OK)
		e = channel_grpc_open(&channel, c->loop, &options, &c->note);
	if (e == ERR_OK)
		e = channel_call(channel, &ticket, &call, call_done, c);
	if (e == ERR_OK)
		e = loop_run(c->loop);
	channel_free(channel);
	tls_free(tls);
	loop_free(c->loop);
	return e == ERR_OK ? c->err : e;
}

struct question {
	const char *path;
	const ProtobufCMessage *message;
	const ProtobufCMessageDescriptor *answer;
	/* Is what came well? NULL: always. */
	bool (*well)(const ProtobufCMessage *m);
};

static int ask(const struct ask *a, const struct question *q)
{
	CLEANUP(buf_free) struct buf message = buf_make(1 << 20);
	CLEANUP(buf_free) struct buf reply = {0};
	CLEANUP(arena_free) struct arena memory = {0};
	struct call c = {.reply = buf_make(REPLY_BYTES)};
	ProtobufCMessage *m = NULL;
	enum err e = protobuf_pack(&message, q->message);

	if (e == ERR_OK)
		e = call_run(&c, a, q->path, buf_view(&message));
	reply = buf_take(&c.reply);
	memory = protobuf_arena(buf_view(&reply));
	if (e == ERR_OK)
		e = protobuf_unpack(&m, q->answer, buf_view(&reply), &memory);
	if (e == ERR_OK)
		e = answer_print(a, m);
	if (e != ERR_OK)
		return client_failed(a->core, e, &c.note);
	return !q->well || q->well(m) ? CLIENT_OK : CLIENT_FAILED;
}

/* ---- the command line ---- */

/* "public-decryption" is PUBLIC_DECRYPTION. */
static bool enum_read(const ProtobufCEnumDescriptor *d, const char *text, int *ret_value)
{
	char name[NAME_SIZE];
	size_t n = strlen(text);
	const ProtobufCEnumValue *v;

	if (n >= sizeof(name))
		return false;
	for (size_t i = 0; i <= n; i++) {
		char c = text[i];

		name[i] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	v = protobuf_c_enum_descriptor_get_value_by_name(d, name);
	if (v)
		*ret_value = v->value;
	return v != NULL;
}

enum {
	OPTION_CERT = 256,
	OPTION_KEY,
	OPTION_CA,
	OPTION_NAME,
	OPTION_STATE,
	OPTION_LIMIT,
	OPTION_AFTER,
};

static const struct option options[] = {
	{"core", required_argument, NULL, 'c'},
	{"cert", required_argument, NULL, OPTION_CERT},
	{"key", required_argument, NULL, OPTION_KEY},
	{"ca", required_argument, NULL, OPTION_CA},
	{"name", required_argument, NULL, OPTION_NAME},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	/* of status */
	{"store", required_argument, NULL, 's'},
	{"state", required_argument, NULL, OPTION_STATE},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	{"after", required_argument, NULL, OPTION_AFTER},
	{0},
};

/* -1: go on; otherwise the exit code. */
static int arguments_read(struct ask *a, int argc, char **argv)
{
	const struct {
		int option;
		const char **value;
	} texts[] = {
		{'c', &a->core},           {OPTION_CERT, &a->cert},   {OPTION_KEY, &a->key},
		{OPTION_CA, &a->ca},       {OPTION_NAME, &a->name},   {'s', &a->store},
		{OPTION_STATE, &a->state}, {OPTION_LIMIT, &a->limit}, {OPTION_AFTER, &a->after},
	};

	for (int c; (c = getopt_long(argc, argv, "c:jhVs:", options, NULL)) != -1;) {
		bool taken = c == 'j';

		a->json |= c == 'j';
		if (c == 'V')
			return client_version();
		if (c == 'h')
			return printf("usage: %s %s\n\n%s", client_program, a->self->usage,
				      a->self->help) < 0;
		for (size_t i = 0; i < ARRAY_LEN(texts) && !taken; i++) {
			taken = texts[i].option == c;
			if (taken)
				*texts[i].value = optarg;
		}
		if (!taken)
			return client_misused(a->self);
	}
	a->ids = &argv[optind];
	a->ids_n = (size_t)(argc - optind);
	return a->core ? -1 : client_misused(a->self);
}

/* ---- the commands ---- */

static int list_ask(const struct ask *a)
{
	MetastoreStatus__V1__ListRequestsRequest m =
		METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__INIT;
	const struct question q = {
		.path = "/" META_STORE_NAME "/ListRequests",
		.message = &m.base,
		.answer = &metastore_status__v1__list_requests_response__descriptor};
	int type, state;

	if (!enum_read(&metastore_status__v1__meta_store_type__descriptor, a->store, &type))
		return client_misused(a->self);
	m.meta_store_type = (MetastoreStatus__V1__MetaStoreType)type;
	if (a->state) {
		if (!enum_read(&metastore_status__v1__request_processing_status__descriptor,
			       a->state, &state))
			return client_misused(a->self);
		m.status_filter_presence_case =
			METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__STATUS_FILTER_PRESENCE_STATUS_FILTER;
		m.status_filter = (MetastoreStatus__V1__RequestProcessingStatus)state;
	}
	if (a->limit) {
		char *end;
		long n = strtol(a->limit, &end, 10);

		if (*end != '\0' || n < 1 || n > CORE_LIST_PAGE_MAX)
			return client_misused(a->self);
		m.max_results_presence_case =
			METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__MAX_RESULTS_PRESENCE_MAX_RESULTS;
		m.max_results = (int32_t)n;
	}
	if (a->after) {
		m.page_token_presence_case =
			METASTORE_STATUS__V1__LIST_REQUESTS_REQUEST__PAGE_TOKEN_PRESENCE_PAGE_TOKEN;
		m.page_token = (char *)(uintptr_t)a->after;
	}
	return ask(a, &q);
}

static int statuses_ask(const struct ask *a)
{
	MetastoreStatus__V1__GetRequestStatusesRequest m =
		METASTORE_STATUS__V1__GET_REQUEST_STATUSES_REQUEST__INIT;
	const struct question q = {
		.path = "/" META_STORE_NAME "/GetRequestStatuses",
		.message = &m.base,
		.answer = &metastore_status__v1__get_request_statuses_response__descriptor};

	m.request_ids = a->ids;
	m.n_request_ids = a->ids_n;
	return ask(a, &q);
}

int client_status(const struct client_command *self, int argc, char **argv)
{
	struct ask a = {.self = self};
	int done = arguments_read(&a, argc, argv);
	const Kms__V1__Empty empty = KMS__V1__EMPTY__INIT;
	const struct question info = {
		.path = "/" META_STORE_NAME "/GetMetaStoreInfo",
		.message = &empty.base,
		.answer = &metastore_status__v1__get_meta_store_info_response__descriptor};

	if (done >= 0)
		return done;
	if (a.store ? a.ids_n > 0 : a.state || a.limit || a.after)
		return client_misused(self);
	return a.store ? list_ask(&a) : a.ids_n > 0 ? statuses_ask(&a) : ask(&a, &info);
}

/* For the two commands that want nothing but a node. */
static int empty_ask(const struct client_command *self, int argc, char **argv,
		     const struct question *question)
{
	struct ask a = {.self = self};
	int done = arguments_read(&a, argc, argv);
	const Kms__V1__Empty empty = KMS__V1__EMPTY__INIT;

	if (done >= 0)
		return done;
	if (a.ids_n > 0 || a.store || a.state || a.limit || a.after)
		return client_misused(self);

	struct question q = *question;

	q.message = &empty.base;
	return ask(&a, &q);
}

int client_materials(const struct client_command *self, int argc, char **argv)
{
	const struct question q = {
		.path = "/" CORE_SERVICE_NAME "/GetKeyMaterialAvailability",
		.answer = &kms__v1__key_material_availability_response__descriptor};

	return empty_ask(self, argc, argv, &q);
}

static bool is_healthy(const ProtobufCMessage *message)
{
	const Kms__V1__HealthStatusResponse *m = (const Kms__V1__HealthStatusResponse *)message;

	for (size_t i = 0; i < m->n_peers_from_all_contexts; i++)
		if (m->peers_from_all_contexts[i]->status ==
		    KMS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY)
			return false;
	return true;
}

int client_health(const struct client_command *self, int argc, char **argv)
{
	const struct question q = {.path = "/" CORE_SERVICE_NAME "/GetHealthStatus",
				   .answer = &kms__v1__health_status_response__descriptor,
				   .well = is_healthy};

	return empty_ask(self, argc, argv, &q);
}
