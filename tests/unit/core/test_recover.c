/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Keys and CRSs whose database was lost: answered from the vaults, never made twice. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_keygen.h"

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void test_key(void **state)
{
	struct fixture *f = *state;
	struct key_call c = key_call_make(1), other;
	struct buf first = {0}, again = {0};
	char path[512];
	ino_t before;

	c.schemes_n = 1;
	node_up(f);
	key_test_make(f, &c, &first);
	node_down(f);
	private_path(path, f, "FhePrivateKey", c.id);
	before = inode_of(path);
	for (unsigned loss = 0; loss < 2; loss++) {
		database_lose(f);
		node_up(f);
		/* Asked for before anything else, byte for byte. */
		assert_int_equal(key_call_result(f, &c, &again), GRPC_OK);
		assert_true(bytes_eq_var(buf_view(&first), buf_view(&again)));
		buf_free(&again);
		/* The connector goes the whole way again. */
		assert_int_equal(key_call_preproc_result(f, &c, NULL), GRPC_NOT_FOUND);
		assert_int_equal(key_call_preproc(f, &c), GRPC_OK);
		assert_int_equal(key_call_preproc_result(f, &c, NULL), GRPC_OK);
		assert_int_equal(key_call_keygen(f, &c), GRPC_ALREADY_EXISTS);
		assert_int_equal(key_call_wait(f, &c, &again), GRPC_OK);
		key_test_check(f, buf_view(&again), &c);
		buf_free(&again);
		/* Other content of that id; another key from that preprocessing. */
		other = c;
		other.extra = BYTES_NONE;
		assert_int_equal(key_call_keygen(f, &other), GRPC_FAILED_PRECONDITION);
		other = c;
		other.preproc_id.b[30] = 9;
		assert_int_equal(key_call_keygen(f, &other), GRPC_FAILED_PRECONDITION);
		other = c;
		other.id.b[30] = 9;
		assert_int_equal(key_call_keygen(f, &other), GRPC_NOT_FOUND);
		assert_int_equal(key_call_abort(f, &c), GRPC_NOT_FOUND);
		node_down(f);
	}
	assert_int_equal(inode_of(path), before);
	assert_int_equal(objects_of(f, other.id), 0);
	buf_free(&first);
}

static void test_crs(void **state)
{
	struct fixture *f = *state;
	struct key_call c = crs_call_make(1), other;
	struct buf first = {0}, again = {0};
	char path[512];
	ino_t before;

	node_up(f);
	crs_test_make(f, &c, &first);
	node_down(f);
	object_path(path, f, "PUB", "CRS", c.id);
	before = inode_of(path);
	database_lose(f);
	node_up(f);
	assert_int_equal(crs_call(f, &c), GRPC_ALREADY_EXISTS);
	assert_int_equal(crs_call_result(f, &c, &again), GRPC_OK);
	assert_true(bytes_eq_var(buf_view(&first), buf_view(&again)));
	other = c;
	other.bits = 128;
	assert_int_equal(crs_call(f, &other), GRPC_FAILED_PRECONDITION);
	other = c;
	other.extra = BYTES_NONE;
	assert_int_equal(crs_call(f, &other), GRPC_FAILED_PRECONDITION);
	assert_int_equal(crs_call_abort(f, &c), GRPC_NOT_FOUND);
	assert_int_equal(inode_of(path), before);
	other = crs_call_make(2);
	assert_int_equal(crs_call_result(f, &other, NULL), GRPC_NOT_FOUND);
	buf_free(&first);
	buf_free(&again);
}

/* Without one of its objects, or with another one in its place, there is no answer, and still no
 * second key. */
static void test_incomplete(void **state)
{
	struct fixture *f = *state;
	struct key_call k = key_call_make(1), c = crs_call_make(1);
	char set[512], public[512], private[512], aside[600];

	node_up(f);
	key_test_make(f, &k, NULL);
	crs_test_make(f, &c, NULL);
	node_down(f);
	database_lose(f);
	object_path(set, f, "PUB", "CompressedXofKeySet", k.id);
	object_path(public, f, "PUB", "CRS", c.id);
	private_path(private, f, "CrsInfo", c.id);
	node_up(f);
	assert_int_equal(key_call_preproc(f, &k), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &k, NULL), GRPC_OK);

	(void)snprintf(aside, sizeof(aside), "%s.aside", set);
	assert_int_equal(rename(set, aside), 0);
	assert_int_equal(key_call_result(f, &k, NULL), GRPC_INTERNAL);
	assert_int_equal(key_call_keygen(f, &k), GRPC_FAILED_PRECONDITION);
	assert_int_equal(rename(aside, set), 0);
	assert_int_equal(key_call_result(f, &k, NULL), GRPC_OK);
	object_damage(set);
	assert_int_equal(key_call_result(f, &k, NULL), GRPC_INTERNAL);
	assert_int_equal(key_call_keygen(f, &k), GRPC_FAILED_PRECONDITION);

	object_damage(public);
	assert_int_equal(crs_call_result(f, &c, NULL), GRPC_INTERNAL);
	assert_int_equal(crs_call(f, &c), GRPC_FAILED_PRECONDITION);
	object_damage(public); /* and back */
	assert_int_equal(crs_call_result(f, &c, NULL), GRPC_OK);
	(void)snprintf(aside, sizeof(aside), "%s.aside", private);
	assert_int_equal(rename(private, aside), 0);
	assert_int_equal(crs_call_result(f, &c, NULL), GRPC_NOT_FOUND);
	assert_int_equal(crs_call(f, &c), GRPC_FAILED_PRECONDITION);
	assert_int_equal(rename(aside, private), 0);
	assert_int_equal(crs_call(f, &c), GRPC_ALREADY_EXISTS);
}

/* In another epoch, and with no public object left: an id has one key all the same. */
static void test_other_epoch(void **state)
{
	struct fixture *f = *state;
	struct key_call k = key_call_make(1);
	char private[512], folder[600], moved[700], public[512];
	static const char *const types[] = {"CompressedXofKeySet", "PublicKey"};

	node_up(f);
	key_test_make(f, &k, NULL);
	node_down(f);
	database_lose(f);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		object_path(public, f, "PUB", types[i], k.id);
		assert_int_equal(unlink(public), 0);
	}
	private_path(private, f, "FhePrivateKey", k.id);
	(void)snprintf(folder, sizeof(folder), "%s/PRIV/FhePrivateKey/%s",
		       f->config.public_vault.path,
		       "0800000000000000000000000000000000000000000000000000000000000002");
	(void)snprintf(moved, sizeof(moved), "%s/%s", folder, strrchr(private, '/') + 1);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(rename(private, moved), 0);
	node_up(f);
	assert_int_equal(key_call_preproc(f, &k), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &k, NULL), GRPC_OK);
	assert_int_equal(key_call_keygen(f, &k), GRPC_FAILED_PRECONDITION);
	assert_int_equal(key_call_result(f, &k, NULL), GRPC_INTERNAL);
	assert_int_equal(objects_of(f, k.id), 0);
}

/* A key that was put into the vault by hand was never signed: no answer. */
static void test_unsigned(void **state)
{
	struct fixture *f = *state;
	struct key_call k = key_call_make(1);

	node_up(f);
	k.id = test_key_id;
	assert_int_equal(key_call_result(f, &k, NULL), GRPC_NOT_FOUND);
	assert_int_equal(key_call_preproc(f, &k), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &k, NULL), GRPC_OK);
	assert_int_equal(key_call_keygen(f, &k), GRPC_FAILED_PRECONDITION);
}

static void file_copy(const char *from, const char *to)
{
	struct buf file = buf_make(4 << 20);
	FILE *out = fopen(to, "we");

	assert_non_null(out);
	OK(config_read_file(&file, from, NULL));
	assert_int_equal(fwrite(file.p, 1, file.n, out), file.n);
	assert_int_equal(fclose(out), 0);
	buf_free(&file);
}

/* An older database, which knows the preprocessing and not yet the key. */
static void test_older_database(void **state)
{
	struct fixture *f = *state;
	struct key_call k = key_call_make(1), other;
	char path[512], copy[600];

	node_up(f);
	assert_int_equal(key_call_preproc(f, &k), GRPC_OK);
	assert_int_equal(key_call_preproc_result(f, &k, NULL), GRPC_OK);
	node_down(f);
	(void)snprintf(path, sizeof(path), "%s", f->config.request_store_path);
	(void)snprintf(copy, sizeof(copy), "%s.old", path);
	file_copy(path, copy);
	node_up(f);
	assert_int_equal(key_call_keygen(f, &k), GRPC_OK);
	assert_int_equal(key_call_wait(f, &k, NULL), GRPC_OK);
	node_down(f);
	database_lose(f);
	assert_int_equal(rename(copy, path), 0);
	node_up(f);
	other = k;
	other.id.b[30] = 9;
	assert_int_equal(key_call_keygen(f, &other), GRPC_NOT_FOUND);
	assert_int_equal(key_call_keygen(f, &k), GRPC_ALREADY_EXISTS);
	assert_int_equal(key_call_result(f, &k, NULL), GRPC_OK);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, key_setup, key_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_key),         CASE(test_crs),      CASE(test_incomplete),
		CASE(test_other_epoch), CASE(test_unsigned), CASE(test_older_database),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
