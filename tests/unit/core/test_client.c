/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* kms-client asks a running kms-server, as an operator does. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "support_keygen.h"

enum {
	ARGS_MAX = 16
};

static struct buf ciphertext; /* of VALUE_U64 under KEY_TEST */

struct served {
	struct fixture *f;
	struct process server;
	char url[64];
	char out[1 << 16]; /* what was printed last */
};

static void serve(struct served *s, struct fixture *f)
{
	struct request q;

	s->f = f;
	file_put(&f->folder, "core.toml", server_config);
	s->server = process_start(
		&f->folder,
		(char *[]){(char[]){"KMS_SERVER"}, (char[]){"-c"}, (char[]){"core.toml"}, NULL},
		(char *[]){NULL});
	(void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", port_of(&s->server));
	OK(channel_grpc_new(&f->channel, f->loop, s->url, NULL));
	for (unsigned i = 1; i <= 3; i++) {
		request_init(&q, i, i == 2 ? BYTES_LIT("not a ciphertext") : buf_view(&ciphertext));
		assert_int_equal(call_request(f, RPC_DECRYPT, &q), GRPC_OK);
		assert_int_equal(call_result(f, i, NULL), i == 2 ? GRPC_INTERNAL : GRPC_OK);
	}
}

/* The words after `kms-client`; "URL" stands for the server's. */
static int client(struct served *s, const char *words)
{
	char text[256], name[] = "KMS_CLIENT", *argv[ARGS_MAX + 1] = {name}, *rest = text;
	size_t n = 1;

	(void)snprintf(text, sizeof(text), "%s", words);
	for (char *word; n < ARGS_MAX && (word = strtok_r(rest, " ", &rest)) != NULL;)
		argv[n++] = strcmp(word, "URL") == 0 ? s->url : word;

	struct process p = process_start(&s->f->folder, argv, (char *[]){NULL});

	return process_wait(&p, s->out, sizeof(s->out));
}

static json_t *printed(const struct served *s)
{
	json_t *v = json_loads(s->out, 0, NULL);

	assert_non_null(v);
	return v;
}

static const char *text_of(const json_t *list, size_t at, const char *name)
{
	return json_string_value(json_object_get(json_array_get(list, at), name));
}

static void test_status(void **state)
{
	static struct served s;
	char words[256], id[REQUEST_ID_TEXT_SIZE];
	json_t *v, *list;

	serve(&s, *state);
	assert_int_equal(client(&s, "status --core URL"), 0);
	assert_non_null(strstr(s.out, "type: PUBLIC_DECRYPTION\n  capacity: 10000\n  "
				      "current_count: 3\n"));
	assert_int_equal(client(&s, "status -c URL --store public-decryption --limit 2 --json"), 0);
	v = printed(&s);
	list = json_object_get(v, "requests");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_of(list, 0, "status"), "COMPLETED");
	assert_string_equal(text_of(list, 1, "status"), "FAILED");
	assert_string_equal(text_of(list, 1, "error_message"), "the decryption failed: malformed");
	(void)snprintf(words, sizeof(words), "status -c URL -j -s public-decryption --after %s",
		       json_string_value(json_object_get(v, "next_page_token")));
	json_decref(v);
	assert_int_equal(client(&s, words), 0);
	v = printed(&s);
	assert_int_equal(json_array_size(json_object_get(v, "requests")), 1);
	assert_null(json_object_get(v, "next_page_token"));
	json_decref(v);
	assert_int_equal(client(&s, "status -c URL -s public-decryption --state failed"), 0);
	assert_non_null(strstr(s.out, "status: FAILED\n"));
	assert_null(strstr(s.out, "COMPLETED"));

	request_id_text(id, request_number(2));
	(void)snprintf(words, sizeof(words), "status -c URL %s", id);
	assert_int_equal(client(&s, words), 0);
	assert_non_null(strstr(s.out, "meta_store_type: PUBLIC_DECRYPTION\n"));
	id[10] = '7';
	(void)snprintf(words, sizeof(words), "status -c URL %s", id);
	assert_int_equal(client(&s, words), 1);
	assert_non_null(strstr(s.out, "NOT_FOUND: none of these requests is known\n"));
	server_kill(s.f, &s.server);
	assert_int_equal(client(&s, "status -c URL"), 1);
	assert_non_null(strstr(s.out, "UNAVAILABLE"));
}

static void test_materials_and_health(void **state)
{
	static struct served s;
	char id[REQUEST_ID_TEXT_SIZE];
	json_t *v;

	serve(&s, *state);
	request_id_text(id, test_key_id);
	assert_int_equal(client(&s, "materials -c URL --json"), 0);
	v = printed(&s);
	assert_string_equal(json_string_value(json_array_get(json_object_get(v, "fhe_key_ids"), 0)),
			    id);
	assert_int_equal(json_array_size(json_object_get(v, "crs_ids")), 0);
	json_decref(v);
	assert_int_equal(client(&s, "materials -c URL"), 0);
	assert_non_null(strstr(s.out, "preprocessing_ids: none\nstorage_info: Centralized KMS"));
	assert_int_equal(client(&s, "health -c URL"), 0);
	assert_non_null(strstr(s.out, "node_type: NODE_TYPE_CENTRALIZED\n"));
	assert_non_null(strstr(s.out, id));
	server_kill(s.f, &s.server);
}

static void test_command_line(void **state)
{
	static struct served s;
	static const struct {
		const char *words;
		int code;
		const char *says;
	} rows[] = {
		{"status", 2, "usage: kms-client status"},
		{"status -c URL --store all-of-them", 2, "usage"},
		{"status -c URL --state failed", 2, "usage"},
		{"status -c URL --store preprocessing aa", 2, "usage"},
		{"status -c URL --store preprocessing --limit 0", 2, "usage"},
		{"status -c URL --store preprocessing --limit 1001", 2, "usage"},
		{"materials -c URL aa", 2, "usage: kms-client materials"},
		{"health --nothing", 2, "usage: kms-client health"},
		{"health --help", 0, "Exit code 1"},
		{"health -c http://192.0.2.7:1", 1, "only this machine"},
		{"health -c https://127.0.0.1:1", 1, "--cert, --key and --ca"},
		{"health -c nonsense", 1, "kms-client: nonsense: "},
	};

	s.f = *state;
	(void)snprintf(s.url, sizeof(s.url), "http://127.0.0.1:1");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(client(&s, rows[i].words), rows[i].code);
		assert_non_null(strstr(s.out, rows[i].says));
	}
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, key_setup, key_teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_status),
		CASE(test_materials_and_health),
		CASE(test_command_line),
	};

	ciphertext = vector_read("tfhe/nat_test_csq64.bin");

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&ciphertext);
	return failed;
}
