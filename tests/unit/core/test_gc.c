/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What generations left, and what must never go: the library and `kms-server gc`. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/gc.h"
#include "core/request_store.h"
#include "support_keygen.h"

#define SIGNING_KEY_ID "60b7070add74be3827160aa635fb255eeeeb88586c4debf7ab1134ddceb4beee"
#define STRANGE_ID     "00000000000000000000000000000000000000000000000000000000000000aa"
#define EPOCH_ID       "0800000000000000000000000000000000000000000000000000000000000001"

/* ---- a vault with everything in it ---- */

/* A file below the vault's folder, with its folders. */
static void put(const struct fixture *f, const char *name)
{
	char path[700];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", f->config.public_vault.path, name);
	for (char *p = &path[strlen(f->config.public_vault.path) + 1]; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs("some bytes", file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static bool is_there(const struct fixture *f, const char *name)
{
	char path[700];

	(void)snprintf(path, sizeof(path), "%s/%s", f->config.public_vault.path, name);
	return access(path, F_OK) == 0;
}

/* A generation that fails, since there is a file where its folder should be. */
static void fail_one(struct fixture *f, const struct key_call *c, bool crs)
{
	char path[600], aside[700];

	(void)snprintf(path, sizeof(path), "%s/PUB/%s", f->config.public_vault.path,
		       crs ? "CRS" : "CompressedXofKeySet");
	(void)snprintf(aside, sizeof(aside), "%s.aside", path);
	(void)rename(path, aside);
	put(f, crs ? "PUB/CRS" : "PUB/CompressedXofKeySet");
	if (crs) {
		assert_int_equal(crs_call(f, c), GRPC_OK);
		assert_int_equal(crs_call_wait(f, c, NULL), GRPC_INTERNAL);
	} else {
		assert_int_equal(key_call_preproc(f, c), GRPC_OK);
		assert_int_equal(key_call_preproc_result(f, c, NULL), GRPC_OK);
		assert_int_equal(key_call_keygen(f, c), GRPC_OK);
		assert_int_equal(key_call_wait(f, c, NULL), GRPC_INTERNAL);
	}
	assert_int_equal(unlink(path), 0);
	(void)rename(aside, path);
}

#define KEY(n) "04000000000000000000000000000000000000000000000000000000000001" n
#define CRS(n) "05000000000000000000000000000000000000000000000000000000000000" n

/* What is expected of each file that is not live: in the order in which it is told. */
static const struct expected {
	const char *path;
	enum gc_reason reason;
	bool by_hand; /* else the node itself made it */
} expected[] = {
	{"PUB/CRS/" CRS("02"), GC_FAILED, true},
	{"PUB/CRS/" CRS("03"), GC_NO_PRIVATE, false},
	{"PUB/CRS/" CRS("04"), GC_ENDED_FAILED, true},
	{"PUB/CRS/" CRS("09") ".1234567.partial", GC_PARTIAL, true},
	{"PUB/CRS/" CRS("0A"), GC_FOREIGN, true}, /* not how we write it */
	{"PUB/CRS/" CRS("77"), GC_FOREIGN, true},
	{"PUB/CRS/" CRS("77") ".12x.partial", GC_FOREIGN, true},
	{"PUB/CRS/" CRS("77") ".partial", GC_FOREIGN, true},
	{"PUB/CRS/" EPOCH_ID "/" CRS("02"), GC_FOREIGN, true},
	{"PUB/CRS/notes.txt", GC_FOREIGN, true},
	{"PUB/CompressedXofKeySet/" KEY("02"), GC_FAILED, true},
	{"PUB/PublicKey/" KEY("01") ".77.partial", GC_PARTIAL, true},
	{"PUB/PublicKey/" KEY("02"), GC_FAILED, true},
	{"PUB/ServerKey/" KEY("02"), GC_FOREIGN, true},
	{"PUB/VerfKey/" SIGNING_KEY_ID ".5.partial", GC_FOREIGN, true},
	{"PUB/strange", GC_FOREIGN, true},
	{"PRIV/ContextInfo/" STRANGE_ID, GC_FOREIGN, true},
	{"PRIV/CrsInfo/" CRS("02"), GC_FOREIGN, true}, /* in no epoch */
	{"PRIV/CrsInfo/" CRS("02") ".8.partial", GC_FOREIGN, true},
	{"PRIV/CrsInfo/" EPOCH_ID "/" CRS("01") ".8.partial", GC_PARTIAL, true},
	{"PRIV/CrsInfo/" EPOCH_ID "/" CRS("04"), GC_ENDED_FAILED, true},
	{"PRIV/FhePrivateKey/" EPOCH_ID "/" KEY("02") ".8.partial", GC_PARTIAL, true},
	{"PRIV/SigningKey/" SIGNING_KEY_ID ".6.partial", GC_FOREIGN, true},
};

/* One key and one CRS that live, and all of the above. */
static void everything_make(struct fixture *f)
{
	struct key_call key = key_call_make(1), failed_key = key_call_make(2);
	struct key_call crs = crs_call_make(1), gone = crs_call_make(3);
	struct key_call failed = crs_call_make(2), ended = crs_call_make(4);
	char path[512];

	node_up(f);
	fail_one(f, &failed_key, false);
	fail_one(f, &failed, true);
	fail_one(f, &ended, true);
	key_test_make(f, &key, NULL);
	crs_test_make(f, &crs, NULL);
	crs_test_make(f, &gone, NULL);
	node_down(f);
	private_path(path, f, "CrsInfo", gone.id);
	assert_int_equal(unlink(path), 0);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		if (expected[i].by_hand)
			put(f, expected[i].path);
}

static void live_check(struct fixture *f)
{
	struct key_call key = key_call_make(1), crs = crs_call_make(1);
	struct buf reply = {0};

	key.schemes_n = 1;
	node_up(f);
	assert_int_equal(crs_call_result(f, &crs, &reply), GRPC_OK);
	crs_test_check(f, buf_view(&reply), &crs);
	assert_int_equal(objects_of(f, key.id), 3);
	buf_free(&reply);
	node_down(f);
}

/* ---- the library ---- */

static void test_what_is_what(void **state)
{
	struct fixture *f = *state;
	struct err_note note = {0};
	struct gc gc;

	everything_make(f);
	OK(gc_scan(&gc, &f->config, &note));
	assert_int_equal(gc.live[0], 2); /* one key was there before */
	assert_int_equal(gc.live[1], 2);
	assert_false(gc.no_database);
	for (size_t i = 0; i < gc.items_n && i < ARRAY_LEN(expected); i++) {
		assert_string_equal(gc.items[i].path, expected[i].path);
		assert_int_equal(gc.items[i].reason, expected[i].reason);
	}
	assert_int_equal(gc.items_n, ARRAY_LEN(expected));
	for (size_t i = 0; i < gc.items_n; i++) {
		if (gc_removes(gc.items[i].reason))
			OK(gc_remove(&gc, &gc.items[i], &note));
		else
			assert_int_equal(gc_remove(&gc, &gc.items[i], &note), ERR_RANGE);
	}
	gc_free(&gc);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(is_there(f, expected[i].path), !gc_removes(expected[i].reason));
	live_check(f);

	/* Once more: nothing is left to do. */
	OK(gc_scan(&gc, &f->config, &note));
	for (size_t i = 0; i < gc.items_n; i++)
		assert_false(gc_removes(gc.items[i].reason));
	gc_free(&gc);
}

/* Without a database nothing but partial objects is certain. */
static void test_lost_database(void **state)
{
	struct fixture *f = *state;
	struct gc gc;

	everything_make(f);
	database_lose(f);
	OK(gc_scan(&gc, &f->config, NULL));
	assert_true(gc.no_database);
	for (size_t i = 0; i < gc.items_n; i++)
		assert_true(gc.items[i].reason == GC_PARTIAL || gc.items[i].reason == GC_FOREIGN);
	assert_true(access(f->config.request_store_path, F_OK) != 0); /* nor is one made */
	gc_free(&gc);
}

static void stop_when_stored(void *ctx, const struct store_result *result)
{
	OK(result->err);
	loop_stop(ctx);
}

static void state_set(struct fixture *f, enum request_state to)
{
	struct store_batch b = store_batch_make(1 << 16);
	struct store *store;

	OK(request_store_open(&store, f->loop, f->config.request_store_path, NULL));
	OK(STORE_ADD(&b, STORE_ANY,
		     to == REQUEST_PENDING
			     ? "UPDATE request SET state = 0, answer = NULL, finished_at = NULL,"
			       " message = 'm'"
			     : "UPDATE request SET state = 2, answer = NULL, message = NULL,"
			       " finished_at = 1"));
	OK(store_submit(store, &b, stop_when_stored, f->loop));
	OK(loop_run(f->loop));
	store_free(store);
	store_batch_free(&b);
}

/* Whatever the database says, of an id with a private object nothing is to be removed. */
static void test_wrong_database(void **state)
{
	static const enum request_state states[] = {REQUEST_PENDING, REQUEST_FAILED};
	struct fixture *f = *state;
	struct key_call key = key_call_make(1), crs = crs_call_make(1);
	struct gc gc;

	node_up(f);
	key_test_make(f, &key, NULL);
	crs_test_make(f, &crs, NULL);
	node_down(f);
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		state_set(f, states[i]);
		OK(gc_scan(&gc, &f->config, NULL));
		assert_int_equal(gc.items_n, 5);
		for (size_t at = 0; at < gc.items_n; at++)
			assert_int_equal(gc.items[at].reason, states[i] == REQUEST_PENDING
								      ? GC_PENDING
								      : GC_ENDED_FAILED);
		gc_free(&gc);
	}
}

/* Not beside a server; a server that starts meanwhile waits, and then refuses. */
static void test_alone(void **state)
{
	struct fixture *f = *state;
	const struct vaults v = core_config_vaults(&f->config);
	struct err_note note = {0};
	struct gc gc, second;
	int shared;

	node_up(f);
	assert_int_equal(gc_scan(&gc, &f->config, &note), ERR_TRANSIENT);
	assert_non_null(strstr(note.text, "PRIV"));
	OK(vault_lock(&shared, &v.private, VAULT_SHARED, &note)); /* a second server: a shard */
	node_down(f);
	assert_int_equal(gc_scan(&gc, &f->config, &note), ERR_TRANSIENT);
	assert_int_equal(close(shared), 0);
	OK(gc_scan(&gc, &f->config, &note));
	assert_int_equal(gc_scan(&second, &f->config, &note), ERR_TRANSIENT);

	const struct node_options options = {
		.loop = f->loop, .config = &f->config, .log = &f->log, .version = "test"};

	assert_int_equal(node_start(&f->node, &options, &note), ERR_CONFIG_FILE);
	assert_non_null(strstr(note.text, "another process cleans it up"));
	f->node = NULL;
	gc_free(&gc);
	node_up(f);
}

/* Beside another server nothing is swept at start: it may be writing. */
static void test_no_sweep_beside_another(void **state)
{
	struct fixture *f = *state;
	const struct vaults v = core_config_vaults(&f->config);
	int shared;

	put(f, "PUB/CRS/" CRS("09") ".1234567.partial");
	OK(vault_lock(&shared, &v.private, VAULT_SHARED, NULL));
	node_up(f);
	assert_int_equal(objects_partial(f), 1);
	node_down(f);
	assert_int_equal(close(shared), 0);
	node_up(f);
	assert_int_equal(objects_partial(f), 0);
}

/* ---- the program ---- */

static int gc_run(const struct fixture *f, char *out, size_t out_n, char *const argv[])
{
	struct process p = process_start(&f->folder, argv, (char *[]){NULL});

	return process_wait(&p, out, out_n);
}
#define GC(...)   ((char *[]){(char[]){"KMS_SERVER"}, (char[]){"gc"}, __VA_ARGS__, NULL})
#define ARG(text) ((char[]){text})

static void test_program(void **state)
{
	struct fixture *f = *state;
	struct process server;
	char out[16384];

	everything_make(f);
	server_up(f, &server);
	assert_int_equal(gc_run(f, out, sizeof(out), GC(ARG("-c"), ARG("core.toml"))), 1);
	assert_non_null(strstr(out, "kms-server gc: stop the server first: the vault "));
	server_kill(f, &server);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		if (expected[i].reason == GC_PARTIAL && !is_there(f, expected[i].path))
			put(f, expected[i].path); /* the server swept */

	assert_int_equal(
		gc_run(f, out, sizeof(out), GC(ARG("--dry-run"), ARG("-c"), ARG("core.toml"))), 0);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const char *line = strstr(out, expected[i].path);

		assert_true(is_there(f, expected[i].path));
		assert_non_null(line);
		assert_memory_equal(
			line - 13,
			gc_removes(expected[i].reason) ? "would remove " : "keep         ", 13);
	}
	assert_non_null(strstr(out, "live: 2 of kind key\nlive: 2 of kind CRS\n7 to be removed, "));
	assert_null(strstr(out, "PUB/CRS/" CRS("01") " "));

	assert_int_equal(gc_run(f, out, sizeof(out), GC(ARG("-c"), ARG("core.toml"))), 0);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(is_there(f, expected[i].path), !gc_removes(expected[i].reason));
	assert_non_null(strstr(out, "\n7 removed, "));
	assert_int_equal(gc_run(f, out, sizeof(out), GC(ARG("-c"), ARG("core.toml"))), 0);
	assert_non_null(strstr(out, "\n0 removed, 0 bytes\n"));
	live_check(f);
}

static void test_command_line(void **state)
{
	struct fixture *f = *state;
	char out[8192];

	file_put(&f->folder, "core.toml", server_config);
	file_put(&f->folder, "bad.toml", "[service]\nlisten_prot = 1\n");
	assert_int_equal(gc_run(f, out, sizeof(out), GC(ARG("--help"))), 0);
	assert_non_null(strstr(out, "usage: kms-server gc [--dry-run] -c FILE\n"));
	assert_int_equal(gc_run(f, out, sizeof(out), GC(ARG("--force"))), 2);
	assert_int_equal(
		gc_run(f, out, sizeof(out), GC(ARG("-c"), ARG("core.toml"), ARG(KEY("01")))), 2);
	assert_int_equal(gc_run(f, out, sizeof(out), GC(ARG("-c"), ARG("bad.toml"))), 1);
	assert_non_null(strstr(out, "kms-server gc: bad.toml:2: unknown key service.listen_prot"));
	assert_int_equal(gc_run(f, out, sizeof(out), GC(ARG("-c"), ARG("core.toml"))), 0);
	assert_non_null(strstr(out, "no database at requests.db: no request is known\n"));
	file_put(&f->folder, "core.toml",
		 "[service]\nplaintext_loopback = true\n"
		 "[private_vault.storage.file]\npath = \"nowhere\"\n");
	assert_int_equal(gc_run(f, out, sizeof(out), GC(ARG("-c"), ARG("core.toml"))), 1);
	assert_non_null(strstr(out, "kms-server gc: folder nowhere/PRIV/"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, key_setup, key_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_what_is_what),
		CASE(test_lost_database),
		CASE(test_wrong_database),
		CASE(test_alone),
		CASE(test_no_sweep_beside_another),
		CASE(test_program),
		CASE(test_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
