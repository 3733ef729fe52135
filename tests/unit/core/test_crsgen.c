/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* CRS generation by a whole node: answers, objects in the vaults, ids, withdrawing, restarts, kill
 * -9. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/rng.h"
#include "core/key_generation.h"
#include "fhe/crs.h"
#include "net/protobuf.h"
#include "support_keygen.h"

/* The test vector of the specification: id 0x33, 2048 bits, digest cc…, default epoch. */
static void test_known_digest(void **state)
{
	(void)state;
	struct key_request r = {
		.kind = REQUEST_CRSGEN,
		.id = {{[31] = 0x33}},
		.domain = {.name = BYTES_LIT("Authorization token"),
			   .version = BYTES_LIT("1"),
			   .chain_id = u256_from_u64(8006)},
		.extra_data = test_extra_data(),
	};
	struct fhe_crs_metadata m = {.bits_max = 2048};
	struct hash32 digest, want;

	OK(hex_decode_fixed(r.domain.verifying_contract.b, 20,
			    bytes_str("66f9664f97F2b50F62D13eA064982f936dE76657")));
	OK(hex_decode_fixed(
		want.b, 32,
		bytes_str("0ce1207ab075e4df5e45dcd6f38096e50c885d7f1879a193a8b2ba47922d9286")));
	memset(m.digest.b, 0xcc, 32);
	OK(crs_generation_digest(&digest, &r, &m));
	assert_memory_equal(digest.b, want.b, 32);
}

/* What the node says that it has. */
static void health_check(struct fixture *f, const struct hash32 *id)
{
	struct buf reply = {0};
	ProtobufCMessage *unpacked;
	char text[REQUEST_ID_TEXT_SIZE];

	assert_int_equal(call_once(f, "/" CORE_SERVICE_NAME "/GetHealthStatus", BYTES_NONE, &reply),
			 GRPC_OK);

	struct arena memory = protobuf_arena(buf_view(&reply));

	OK(protobuf_unpack(&unpacked, &kms__v1__health_status_response__descriptor,
			   buf_view(&reply), &memory));

	const Kms__V1__HealthStatusResponse *m = (const Kms__V1__HealthStatusResponse *)unpacked;

	assert_int_equal(m->n_my_crs_ids, id ? 1 : 0);
	if (id) {
		request_id_text(text, *id);
		assert_string_equal(m->my_crs_ids[0], text);
	}
	arena_free(&memory);
	buf_free(&reply);
}

static void test_whole_flow(void **state)
{
	struct fixture *f = *state;
	struct key_call c = crs_call_make(1), other;
	struct buf reply = {0}, again = {0};

	node_up(f);
	health_check(f, NULL);
	crs_test_make(f, &c, &reply);
	crs_test_check(f, buf_view(&reply), &c);
	for (unsigned restart = 0; restart < 2; restart++) {
		assert_int_equal(crs_call(f, &c), GRPC_ALREADY_EXISTS);
		other = c;
		other.bits = 128;
		assert_int_equal(crs_call(f, &other), GRPC_FAILED_PRECONDITION);
		other = c;
		other.params = KMS__V1__FHE_PARAMETER__default;
		assert_int_equal(crs_call(f, &other), GRPC_FAILED_PRECONDITION);
		assert_int_equal(crs_call_abort(f, &c), GRPC_NOT_FOUND);
		health_check(f, &c.id);
		/* ids of keys and CRSs are two things */
		assert_int_equal(key_call_result(f, &c, NULL), GRPC_NOT_FOUND);
		assert_int_equal(crs_call_result(f, &c, &again), GRPC_OK);
		assert_true(bytes_eq_var(buf_view(&reply), buf_view(&again)));
		buf_free(&again);
		node_down(f);
		node_up(f);
	}
	assert_int_equal(crs_objects_of(f, c.id), 2);
	assert_int_equal(objects_partial(f), 0);
	buf_free(&reply);
}

/* What may be left out, and the least there is; and all points are in their groups. */
static void test_forms(void **state)
{
	struct fixture *f = *state;
	struct key_call full = crs_call_make(1), least = crs_call_make(2);
	struct buf reply = {0}, file = buf_make(16 << 20);
	struct fhe_crs crs;
	char path[512];

	node_up(f);
	full.has_bits = false; /* 2048 */
	full.params = KMS__V1__FHE_PARAMETER__default;
	full.extra = BYTES_NONE;
	full.schemes_n = 0;
	least.bits = 1;
	crs_test_make(f, &full, &reply);
	crs_test_check(f, buf_view(&reply), &full);
	buf_free(&reply);
	crs_test_make(f, &least, &reply);
	crs_test_check(f, buf_view(&reply), &least);
	buf_free(&reply);
	object_path(path, f, "PUB", "CRS", least.id);
	OK(config_read_file(&file, path, NULL));
	OK(fhe_crs_read(&crs, buf_view(&file), NULL));
	OK(fhe_crs_check(&crs, 2, NULL));
	buf_free(&file);
}

static void test_refusals(void **state)
{
	static const uint32_t wrong_bits[] = {0, 3, 65, 2047, 4096, UINT32_MAX};
	struct fixture *f = *state;
	struct key_call c = crs_call_make(1), bad;

	node_up(f);
	for (size_t i = 0; i < ARRAY_LEN(wrong_bits); i++) {
		bad = c;
		bad.bits = wrong_bits[i];
		assert_int_equal(crs_call(f, &bad), GRPC_INVALID_ARGUMENT);
	}
#define REFUSED(change, status)                                                                    \
	do {                                                                                       \
		bad = c;                                                                           \
		change;                                                                            \
		assert_int_equal(crs_call(f, &bad), status);                                       \
	} while (0)
	REFUSED(bad.params = 2, GRPC_INVALID_ARGUMENT);
	REFUSED(bad.no_domain = true, GRPC_INVALID_ARGUMENT);
	REFUSED(bad.epoch = 9, GRPC_NOT_FOUND);
	REFUSED(bad.scheme = KMS__V1__SIGNING_SCHEME_TYPE__ED25519, GRPC_UNIMPLEMENTED);
	REFUSED(bad.id = (struct hash32){{0}}, GRPC_INVALID_ARGUMENT);

	/* Nothing of this was kept. */
	assert_int_equal(crs_call_result(f, &c, NULL), GRPC_NOT_FOUND);
	assert_int_equal(crs_call_abort(f, &c), GRPC_NOT_FOUND);
	assert_int_equal(call_once(f, RPC_CRSGEN_ABORT, BYTES_NONE, NULL), GRPC_INVALID_ARGUMENT);
	assert_int_equal(call_once(f, RPC_CRSGEN, BYTES_LIT("\x0a\x7f"), NULL),
			 GRPC_INVALID_ARGUMENT);
	assert_int_equal(crs_objects_of(f, c.id), 0);
	crs_test_make(f, &c, NULL);
}

/* Two at once: one waits for the other, and is withdrawn meanwhile. */
static void test_abort(void **state)
{
	struct fixture *f = *state;
	struct key_call first, second;
	enum grpc_status aborted = GRPC_NOT_FOUND;

	node_up(f);
	/* One that waits for another; on a machine that is slow to ask it may have ended. */
	for (unsigned id = 11; aborted == GRPC_NOT_FOUND && id < 20; id += 2) {
		first = crs_call_make(id);
		second = crs_call_make(id + 1);
		first.bits = 512;
		first.params = KMS__V1__FHE_PARAMETER__default;
		assert_int_equal(crs_call(f, &first), GRPC_OK);
		assert_int_equal(crs_call(f, &second), GRPC_OK);
		aborted = crs_call_abort(f, &second);
	}
	assert_int_equal(aborted, GRPC_OK);
	assert_int_equal(crs_call_result(f, &second, NULL), GRPC_ABORTED);
	assert_int_equal(crs_call_abort(f, &second), GRPC_NOT_FOUND);
	assert_int_equal(crs_objects_of(f, second.id), 0);
	assert_int_equal(crs_call(f, &second), GRPC_ALREADY_EXISTS); /* burnt */
	assert_int_equal(crs_call_wait(f, &first, NULL), GRPC_OK);

	/* One that runs; it may have ended already, but then it has all its objects. */
	first = crs_call_make(3);
	first.bits = 512;
	first.params = KMS__V1__FHE_PARAMETER__default;
	assert_int_equal(crs_call(f, &first), GRPC_OK);
	aborted = crs_call_abort(f, &first);
	for (unsigned restart = 0; restart < 2; restart++) {
		assert_int_equal(crs_call_result(f, &first, NULL),
				 aborted == GRPC_OK ? GRPC_ABORTED : GRPC_OK);
		assert_int_equal(crs_objects_of(f, first.id), aborted == GRPC_OK ? 0 : 2);
		node_down(f);
		node_up(f);
	}
}

/* A stop does not wait; the next start goes on. */
static void test_stop_in_the_middle(void **state)
{
	struct fixture *f = *state;
	struct key_call c = crs_call_make(1);
	struct buf reply = {0};

	node_up(f);
	c.bits = 512;
	c.params = KMS__V1__FHE_PARAMETER__default;
	assert_int_equal(crs_call(f, &c), GRPC_OK);
	node_down(f);
	assert_int_equal(crs_objects_of(f, c.id), 0);
	node_up(f);
	assert_int_equal(crs_call(f, &c), GRPC_ALREADY_EXISTS);
	assert_int_equal(crs_call_wait(f, &c, &reply), GRPC_OK);
	crs_test_check(f, buf_view(&reply), &c);
	buf_free(&reply);
}

/* A file where a folder must be, in either vault. */
static void test_failure_leaves_nothing(void **state)
{
	static const char *const folders[] = {"PUB/CRS", "PRIV/CrsInfo"};
	struct fixture *f = *state;

	node_up(f);
	for (unsigned i = 0; i < ARRAY_LEN(folders); i++) {
		struct key_call c = crs_call_make(1 + i);
		char path[512], command[600];
		FILE *file;

		(void)snprintf(path, sizeof(path), "%s/%s", f->config.public_vault.path,
			       folders[i]);
		(void)snprintf(command, sizeof(command), "%s.kept", path);
		(void)rename(path, command);
		file = fopen(path, "we");
		assert_non_null(file);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(crs_call(f, &c), GRPC_OK);
		assert_int_equal(crs_call_wait(f, &c, NULL), GRPC_INTERNAL);
		assert_int_equal(crs_objects_of(f, c.id), 0);
		assert_int_equal(objects_partial(f), 0);
		assert_int_equal(remove(path), 0);
		(void)rename(command, path);
		assert_int_equal(crs_call(f, &c), GRPC_ALREADY_EXISTS); /* burnt */
		assert_int_equal(crs_call_result(f, &c, NULL), GRPC_INTERNAL);
	}
	struct key_call next = crs_call_make(11);

	crs_test_make(f, &next, NULL);
}

/* ---- what a kill leaves, point by point ---- */

static void test_killed_before_the_commit(void **state)
{
	struct fixture *f = *state;
	struct key_call c = crs_call_make(1);
	struct buf first = {0}, again = {0};
	struct stat before, after;
	char path[512];

	node_up(f);
	crs_test_make(f, &c, &first);
	node_down(f);
	private_path(path, f, "CrsInfo", c.id);
	assert_int_equal(stat(path, &before), 0);
	result_forget(f, REQUEST_CRSGEN, crs_call_pack(&c));
	node_up(f);
	assert_int_equal(crs_call_wait(f, &c, &again), GRPC_OK);
	assert_true(bytes_eq_var(buf_view(&first), buf_view(&again)));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	buf_free(&first);
	buf_free(&again);
}

static void test_killed_before_the_private_object(void **state)
{
	struct fixture *f = *state;
	struct key_call c = crs_call_make(1);
	struct buf first = {0};
	char private[512], public[512];

	private_path(private, f, "CrsInfo", c.id);
	object_path(public, f, "PUB", "CRS", c.id);
	node_up(f);
	crs_test_make(f, &c, &first);
	for (unsigned point = 0; point < 2; point++) {
		struct buf again = {0};

		node_down(f);
		assert_int_equal(unlink(private), 0);
		if (point > 0)
			assert_int_equal(unlink(public), 0);
		partial_leave(private);
		partial_leave(public);
		result_forget(f, REQUEST_CRSGEN, crs_call_pack(&c));
		node_up(f);
		assert_int_equal(crs_call_wait(f, &c, &again), GRPC_OK);
		assert_false(bytes_eq_var(buf_view(&first), buf_view(&again)));
		crs_test_check(f, buf_view(&again), &c);
		assert_int_equal(objects_partial(f), 0);
		buf_free(&again);
	}
	buf_free(&first);
}

/* The private object says that there is one; if the public one is damaged, the node does not sign
 * away what nobody can use, and makes no other. */
static void test_killed_and_damaged(void **state)
{
	struct fixture *f = *state;
	struct key_call c = crs_call_make(1);
	char public[512];

	object_path(public, f, "PUB", "CRS", c.id);
	node_up(f);
	crs_test_make(f, &c, NULL);
	node_down(f);
	object_damage(public);
	result_forget(f, REQUEST_CRSGEN, crs_call_pack(&c));
	node_up(f);
	assert_int_equal(crs_call_wait(f, &c, NULL), GRPC_INTERNAL);
	assert_int_equal(crs_objects_of(f, c.id), 2);
}

/* ---- kill -9 ---- */

enum {
	KILLS = 12
};

static void test_kill_nine(void **state)
{
	struct fixture *f = *state;
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : 20261120;
	unsigned unfinished = 0;
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, seed);
	struct process server;

	print_message("# seed %llu\n", (unsigned long long)seed);
	for (unsigned i = 1; i <= KILLS; i++) {
		struct key_call c = crs_call_make(i), other;
		struct buf first = {0}, again = {0};

		server_up(f, &server);
		assert_int_equal(crs_call(f, &c), GRPC_OK);
		loop_pause(f->loop, (int64_t)rng_below(rng, 500));
		server_kill(f, &server);
		unfinished += crs_objects_of(f, c.id) < 2;

		server_up(f, &server);
		assert_int_equal(crs_call(f, &c), GRPC_ALREADY_EXISTS);
		other = c;
		other.extra = BYTES_NONE;
		assert_int_equal(crs_call(f, &other), GRPC_FAILED_PRECONDITION);
		assert_int_equal(crs_call_wait(f, &c, &first), GRPC_OK);
		crs_test_check(f, buf_view(&first), &c);
		server_kill(f, &server);

		server_up(f, &server);
		assert_int_equal(crs_call_result(f, &c, &again), GRPC_OK);
		assert_true(bytes_eq_var(buf_view(&first), buf_view(&again)));
		crs_test_check(f, buf_view(&again), &c);
		server_kill(f, &server);
		assert_int_equal(objects_partial(f), 0);
		buf_free(&first);
		buf_free(&again);
	}
	print_message("# %u of %u kills came before the CRS was whole\n", unfinished, KILLS);
	assert_true(unfinished > 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, key_setup, key_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_digest),
		CASE(test_whole_flow),
		CASE(test_forms),
		CASE(test_refusals),
		CASE(test_abort),
		CASE(test_stop_in_the_middle),
		CASE(test_failure_leaves_nothing),
		CASE(test_killed_before_the_commit),
		CASE(test_killed_before_the_private_object),
		CASE(test_killed_and_damaged),
		CASE(test_kill_nine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
