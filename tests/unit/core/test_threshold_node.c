/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Four whole nodes in this process, on one loop, over real sockets: they set up the epoch at their
 * first start, and decrypt publicly and for a user, while one is dead, one lies, all are killed in
 * the middle. What a request id was used for stays so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "core/dealer/deal.h"
#include "core/not_built.h"
#include "net/protobuf.h"
#include "support.h"

#define RPC(name) "/kms_service.v1.CoreServiceEndpoint/" name

enum {
	NODES = 4,
	PORT = 31800,
	WAIT_MS = 60000,
};

static struct buf ciphertext; /* of VALUE_U64 under KEY_TEST */

struct world {
	struct loop *loop;
	struct fixture node[NODES];
	bool up[NODES];
};

/* ---- nodes ---- */

static char identity[NODES][8], host[] = "127.0.0.1", mode[] = "NoiseFloodSmall";

static void configure(struct threshold_config *t, unsigned me)
{
	*t = (struct threshold_config){
		.given = true,
		.threshold = 1,
		.listen_address = host,
		.listen_port = PORT + me,
		.my_id = me,
		.decryption_mode = mode,
		.plaintext_loopback = true,
		.peers_n = NODES,
		.first_retry_ms = 10,
		.retry_cap_s = 1,
		.round_timeout_s = 60,
		.idle_timeout_s = 900,
		.completed_s = 86400,
		.linger_s = 300,
		.parked_sessions = 2000,
		.setup_poll_ms = 20,
	};
	for (unsigned i = 0; i < NODES; i++) {
		(void)snprintf(identity[i], sizeof(identity[i]), "p%u", i + 1);
		t->peers[i] = (struct threshold_peer){.party_id = i + 1,
						      .address = host,
						      .identity = identity[i],
						      .port = PORT + i + 1};
	}
}

static struct fhe_client_key *clear_key(void)
{
	struct buf object = key_object(KEY_TEST, test_key_id);
	struct fhe_key_handles handles = {0};
	struct fhe_client_key *key;

	OK(kms_fhe_key_handles_read(&handles, buf_view(&object), NULL));
	key = handles.client_key;
	handles.client_key = NULL;
	kms_fhe_key_handles_free(&handles);
	buf_free(&object);
	return key;
}

/* `liar`: its shares are of another sharing; 0: nobody's. */
static void shares_deal(struct world *w, unsigned liar)
{
	const struct fhe_key_metadata metadata = {.key_id = test_key_id, .preproc_id = {{1}}};
	struct fhe_client_key *key = clear_key();

	for (unsigned deal = 0; deal < 2; deal++) {
		struct buf objects[MPC_PARTIES_MAX] = {0};

		for (unsigned i = 0; i < NODES; i++)
			objects[i] = buf_make(THRESHOLD_KEY_SIZE_MAX);
		OK(threshold_deal(objects, key, &metadata, NODES, 1, rng_system(), NULL));
		for (unsigned i = 0; i < NODES; i++) {
			const struct vault v =
				core_config_vault(&w->node[i].config.private_vault, true);
			const struct vault_name name = {.type = THRESHOLD_KEY_TYPE,
							.epoch = &request_id_default_epoch,
							.id = test_key_id};

			if ((i + 1 == liar) == (deal == 1))
				OK(vault_write(&v, &name, buf_view(&objects[i]), NULL));
			buf_wipe(&objects[i]);
		}
	}
	fhe_client_key_free(key);
}

static void world_make(struct world *w, unsigned liar)
{
	*w = (struct world){0};
	OK(loop_new(&w->loop));
	for (unsigned i = 0; i < NODES; i++) {
		fixture_make(&w->node[i], KEY_TEST);
		loop_free(w->node[i].loop);
		w->node[i].loop = w->loop;
		w->node[i].config.compute_threads = 1;
		configure(&w->node[i].config.threshold, i + 1);
	}
	shares_deal(w, liar);
}

static void up(struct world *w, unsigned i)
{
	node_up(&w->node[i - 1]);
	w->up[i - 1] = true;
}

static void down(struct world *w, unsigned i)
{
	node_down(&w->node[i - 1]);
	w->up[i - 1] = false;
}

static void world_free(struct world *w)
{
	for (unsigned i = 0; i < NODES; i++) {
		if (w->up[i])
			down(w, i + 1);
		w->node[i].loop = NULL;
		fixture_remove(&w->node[i]);
	}
	loop_free(w->loop);
}

static struct metrics_gauges gauges(const struct world *w, unsigned i)
{
	return core_service_gauges(node_service(w->node[i - 1].node));
}

/* Until every running node has its part of every epoch. */
static void epochs_wait(struct world *w)
{
	for (unsigned waited = 0; waited < WAIT_MS; waited += 10) {
		size_t pending = 0;

		loop_pause(w->loop, 10);
		for (unsigned i = 1; i <= NODES; i++)
			pending += w->up[i - 1] ? gauges(w, i).epochs_pending : 0;
		if (waited > 0 && pending == 0)
			return;
	}
	fail_msg("the set-up of the epoch does not end");
}

static void all_up(struct world *w)
{
	for (unsigned i = 1; i <= NODES; i++)
		up(w, i);
	epochs_wait(w);
}

/* ---- requests ---- */

static void ask(struct world *w, unsigned i, struct call *c, const char *path,
		const struct request *r)
{
	struct buf message = request_pack(r);

	call_start(c, w->loop, w->node[i - 1].channel, path, buf_view(&message), WAIT_MS);
	buf_free(&message);
}

/* By these nodes at the same time; all give the right answer. */
static void decrypt_by(struct world *w, const unsigned *nodes, size_t n, const struct request *r)
{
	struct call calls[NODES];

	for (size_t i = 0; i < n; i++)
		ask(w, nodes[i], &calls[i], RPC_SYNC, r);
	for (size_t i = 0; i < n; i++) {
		call_wait(&calls[i]);
		if (calls[i].status != GRPC_OK)
			fail_msg("node %u: %s %s", nodes[i], grpc_status_name(calls[i].status),
				 calls[i].text);
		answer_check(buf_view(&calls[i].reply), r, VALUE_U64);
		call_free(&calls[i]);
	}
}

static enum grpc_status ask_once(struct world *w, unsigned i, const char *path,
				 const struct request *r)
{
	return call_request(&w->node[i - 1], path, r);
}

static const unsigned everybody[] = {1, 2, 3, 4}, three[] = {1, 2, 3};

/* ---- the tests ---- */

static void user_answers_check(struct world *w, unsigned number)
{
	struct test_user user;
	struct request q;

	test_user_make(&user, 7);
	request_init_user(&q, number, buf_view(&ciphertext), &user);
	q.m.n_ciphertexts = 2;
	for (unsigned i = 1; i <= NODES; i++) {
		struct buf message = request_pack(&q), reply = {0}, again = {0};
		struct arena memory;
		ProtobufCMessage *unpacked;

		assert_int_equal(
			call_once(&w->node[i - 1], RPC_USER_SYNC, buf_view(&message), &reply),
			GRPC_OK);
		memory = protobuf_arena(buf_view(&reply));
		OK(protobuf_unpack(&unpacked, &kms__v1__user_decryption_response__descriptor,
				   buf_view(&reply), &memory));

		const Kms__V1__UserDecryptionResponse *m =
			(const Kms__V1__UserDecryptionResponse *)unpacked;

		assert_int_equal(m->payload->party_id, i);
		assert_int_equal(m->payload->degree, 1);
		assert_int_equal(m->payload->n_signcrypted_ciphertexts, 2);
		assert_int_equal(m->payload->signcrypted_ciphertexts[0]->packing_factor, 2);
		/* Sealed once, given out for ever. */
		assert_int_equal(
			call_once(&w->node[i - 1], RPC_USER_SYNC, buf_view(&message), &again),
			GRPC_OK);
		assert_true(bytes_eq_var(buf_view(&reply), buf_view(&again)));
		arena_free(&memory);
		buf_free(&message);
		buf_free(&reply);
		buf_free(&again);
	}
}

static void test_first_start(void **state)
{
	(void)state;
	struct world w;
	struct request q;
	struct buf id = id_pack(request_id_default_epoch);

	world_make(&w, 0);
	/* While one is missing there is no epoch, and nothing is decrypted. */
	for (unsigned i = 1; i <= 3; i++)
		up(&w, i);
	loop_pause(w.loop, 200);
	request_init(&q, 1, buf_view(&ciphertext));
	q.m.n_ciphertexts = 3;
	assert_int_equal(gauges(&w, 1).epochs_pending, 1);
	assert_int_equal(ask_once(&w, 1, RPC_DECRYPT, &q), GRPC_UNAVAILABLE);
	assert_int_equal(call_once(&w.node[0], RPC("GetEpochResult"), buf_view(&id), NULL),
			 GRPC_UNAVAILABLE);
	up(&w, 4);
	epochs_wait(&w);
	assert_int_equal(call_once(&w.node[0], RPC("GetEpochResult"), buf_view(&id), NULL),
			 GRPC_OK);
	decrypt_by(&w, everybody, 4, &q);
	user_answers_check(&w, 2);
	assert_int_equal(gauges(&w, 1).sessions, 0);
	buf_free(&id);
	world_free(&w);
}

/* A node that was killed while an epoch is set up begins no attempt a second time; and all come to
 * one. */
static void test_killed_in_setup(void **state)
{
	(void)state;
	struct world w;
	struct request q;

	world_make(&w, 0);
	for (unsigned i = 1; i <= NODES; i++)
		up(&w, i);
	for (unsigned k = 0; k < 6; k++) {
		unsigned i = 1 + k % NODES;

		loop_pause(w.loop, 7 + 9 * k);
		down(&w, i);
		loop_pause(w.loop, k % 2 ? 30 : 1);
		up(&w, i);
	}
	epochs_wait(&w);
	request_init(&q, 1, buf_view(&ciphertext));
	decrypt_by(&w, everybody, 4, &q);
	world_free(&w);
}

static void test_one_dead_or_lying(void **state)
{
	(void)state;
	struct world w;
	struct request q;

	world_make(&w, 4);
	all_up(&w);
	request_init(&q, 1, buf_view(&ciphertext));
	decrypt_by(&w, everybody, 4, &q);
	world_free(&w);

	world_make(&w, 0);
	all_up(&w);
	down(&w, 4);
	request_init(&q, 1, buf_view(&ciphertext));
	decrypt_by(&w, three, 3, &q);
	/* It comes back, and its client still asks: the others say again what they said. */
	up(&w, 4);
	decrypt_by(&w, everybody, 4, &q);
	world_free(&w);
}

/*
 * Two requests that three nodes finish without the fourth: one that it has accepted, one that it is
 * asked for later. The three are all killed before it comes back: their words are in their
 * databases.
 */
static void test_finished_and_restarted(void **state)
{
	(void)state;
	struct world w;
	struct request accepted, later;
	struct buf reply = {0};

	world_make(&w, 0);
	all_up(&w);
	for (unsigned i = 1; i <= 3; i++)
		down(&w, i);
	request_init(&accepted, 1, buf_view(&ciphertext));
	accepted.m.n_ciphertexts = 3;
	request_init(&later, 2, buf_view(&ciphertext));
	assert_int_equal(ask_once(&w, 4, RPC_DECRYPT, &accepted), GRPC_OK);
	down(&w, 4);
	for (unsigned i = 1; i <= 3; i++)
		up(&w, i);
	decrypt_by(&w, three, 3, &accepted);
	decrypt_by(&w, three, 3, &later);
	for (unsigned k = 0; k < 2; k++) {
		for (unsigned i = 1; i <= 3; i++) {
			down(&w, i);
			up(&w, i);
		}
	}
	up(&w, 4);
	decrypt_by(&w, (unsigned[]){4}, 1, &later);
	assert_int_equal(call_result(&w.node[3], 1, &reply), GRPC_OK);
	answer_check(buf_view(&reply), &accepted, VALUE_U64);
	buf_free(&reply);
	world_free(&w);
}

/* With two dead it waits; and what waits survives a restart. */
static void test_too_few(void **state)
{
	(void)state;
	struct world w;
	struct request q;
	struct buf id = id_pack(request_number(1));
	struct call c;

	world_make(&w, 0);
	all_up(&w);
	down(&w, 3);
	down(&w, 4);
	request_init(&q, 1, buf_view(&ciphertext));
	assert_int_equal(ask_once(&w, 1, RPC_DECRYPT, &q), GRPC_OK);
	assert_int_equal(ask_once(&w, 2, RPC_DECRYPT, &q), GRPC_OK);
	call_start(&c, w.loop, w.node[0].channel, RPC_RESULT, buf_view(&id), 300);
	call_wait(&c);
	assert_int_not_equal(c.status, GRPC_OK);
	assert_true(gauges(&w, 1).sessions == 1);
	call_free(&c);

	/* In the middle, with the shares of the others already here. */
	down(&w, 1);
	up(&w, 1);
	/* The same id for other ciphertexts, or by the other way: never. */
	request_init(&q, 1, buf_view(&ciphertext));
	q.items[0].fhe_type = FHE_UINT32;
	assert_int_equal(ask_once(&w, 1, RPC_DECRYPT, &q), GRPC_FAILED_PRECONDITION);

	request_init(&q, 1, buf_view(&ciphertext));
	up(&w, 3);
	decrypt_by(&w, three, 3, &q);
	assert_int_equal(gauges(&w, 1).sessions, 0);
	buf_free(&id);
	world_free(&w);
}

static void test_sessions_used_once(void **state)
{
	(void)state;
	struct world w;
	struct test_user user;
	struct request q;

	world_make(&w, 0);
	all_up(&w);
	test_user_make(&user, 7);
	/* It fails: no ciphertext. Its sessions stay its own. */
	request_init(&q, 1, BYTES_LIT("no ciphertext"));
	assert_int_equal(ask_once(&w, 1, RPC_SYNC, &q), GRPC_INTERNAL);
	assert_int_equal(ask_once(&w, 1, RPC_SYNC, &q), GRPC_INTERNAL); /* again: allowed */
	request_init(&q, 1, buf_view(&ciphertext));
	assert_int_equal(ask_once(&w, 1, RPC_SYNC, &q), GRPC_FAILED_PRECONDITION);
	request_init_user(&q, 1, buf_view(&ciphertext), &user);
	assert_int_equal(ask_once(&w, 1, RPC_USER_SYNC, &q), GRPC_FAILED_PRECONDITION);
	/* Publicly what was decrypted for a user: the same masks over the same. */
	request_init_user(&q, 2, buf_view(&ciphertext), &user);
	assert_int_equal(ask_once(&w, 1, RPC_USER_SYNC, &q), GRPC_OK);
	request_init(&q, 2, buf_view(&ciphertext));
	decrypt_by(&w, everybody, 4, &q);
	/* The id of an epoch names sessions, too. */
	request_init(&q, 3, buf_view(&ciphertext));
	request_id_text(q.id_text, request_id_default_epoch);
	assert_int_equal(ask_once(&w, 1, RPC_DECRYPT, &q), GRPC_FAILED_PRECONDITION);
	world_free(&w);
}

/* ---- contexts and epochs ---- */

static enum grpc_status epoch_new(struct world *w, unsigned i, struct hash32 context,
				  struct hash32 epoch, bool reshare)
{
	Kms__V1__NewMpcEpochRequest m = KMS__V1__NEW_MPC_EPOCH_REQUEST__INIT;
	Kms__V1__PreviousEpochInfo previous = KMS__V1__PREVIOUS_EPOCH_INFO__INIT;
	Kms__V1__RequestId context_id = KMS__V1__REQUEST_ID__INIT, epoch_id = context_id;
	char context_text[REQUEST_ID_TEXT_SIZE], epoch_text[REQUEST_ID_TEXT_SIZE];
	struct buf out = buf_make(1 << 12);
	enum grpc_status s;

	request_id_text(context_text, context);
	request_id_text(epoch_text, epoch);
	context_id.request_id = context_text;
	epoch_id.request_id = epoch_text;
	m.context_id = &context_id;
	m.epoch_id = &epoch_id;
	m.previous_epoch = reshare ? &previous : NULL;
	OK(protobuf_pack(&out, &m.base));
	s = call_once(&w->node[i - 1], RPC("NewMpcEpoch"), buf_view(&out), NULL);
	buf_free(&out);
	return s;
}

static enum grpc_status context_new(struct world *w, unsigned i, struct hash32 id, bool pcrs)
{
	Kms__V1__NewMpcContextRequest m = KMS__V1__NEW_MPC_CONTEXT_REQUEST__INIT;
	Kms__V1__MpcContext c = KMS__V1__MPC_CONTEXT__INIT;
	Kms__V1__PcrValues pcr = KMS__V1__PCR_VALUES__INIT, *pcr_list[] = {&pcr};
	Kms__V1__RequestId context_id = KMS__V1__REQUEST_ID__INIT;
	Kms__V1__MpcNode nodes[NODES], *list[NODES];
	char text[REQUEST_ID_TEXT_SIZE], urls[NODES][32];
	struct buf out = buf_make(1 << 12);
	struct signing_key signer;
	struct ecdsa *ecdsa;
	enum grpc_status s;

	OK(ecdsa_new(&ecdsa, (uint8_t[32]){1}));
	test_signer(&signer, ecdsa);
	for (unsigned n = 0; n < NODES; n++) {
		kms__v1__mpc_node__init(&nodes[n]);
		(void)snprintf(urls[n], sizeof(urls[n]), "http://127.0.0.1:%u", PORT + n + 1);
		nodes[n].mpc_identity = identity[n];
		nodes[n].party_id = (int32_t)n + 1;
		nodes[n].external_url = urls[n];
		if (n + 1 == i) {
			nodes[n].signer_address_presence_case =
				KMS__V1__MPC_NODE__SIGNER_ADDRESS_PRESENCE_SIGNER_ADDRESS;
			nodes[n].signer_address = protobuf_borrow(BYTES_OF(signer.address.b));
		}
		list[n] = &nodes[n];
	}
	request_id_text(text, id);
	context_id.request_id = text;
	c.context_id = &context_id;
	c.mpc_nodes = list;
	c.n_mpc_nodes = NODES;
	c.threshold = 1;
	c.software_version = (char *)(uintptr_t) "v0.15.0-1";
	c.pcr_values = pcr_list;
	c.n_pcr_values = pcrs;
	m.new_context = &c;
	OK(protobuf_pack(&out, &m.base));
	s = call_once(&w->node[i - 1], RPC("NewMpcContext"), buf_view(&out), NULL);
	buf_free(&out);
	signing_key_free(&signer);
	ecdsa_free(ecdsa);
	return s;
}

static void test_contexts_and_epochs(void **state)
{
	(void)state;
	static const struct hash32 context = {{[0] = 0x07, [31] = 2}},
				   other = {{[0] = 0x07, [31] = 3}},
				   epoch = {{[0] = 0x08, [31] = 2}};
	struct buf id = id_pack(epoch);
	struct world w;
	struct request q;

	world_make(&w, 0);
	all_up(&w);
	assert_int_equal(epoch_new(&w, 1, context, epoch, false), GRPC_NOT_FOUND);
	assert_int_equal(context_new(&w, 1, context, true), GRPC_FAILED_PRECONDITION);
	assert_int_equal(context_new(&w, 1, request_id_default_context, false),
			 GRPC_ALREADY_EXISTS);
	for (unsigned i = 1; i <= NODES; i++) {
		assert_int_equal(context_new(&w, i, context, false), GRPC_OK);
		assert_int_equal(context_new(&w, i, context, false), GRPC_ALREADY_EXISTS);
	}
	assert_int_equal(epoch_new(&w, 1, context, epoch, true), GRPC_FAILED_PRECONDITION);
	/* Stored, and known after a restart. */
	down(&w, 1);
	up(&w, 1);
	for (unsigned i = 1; i <= NODES; i++) {
		assert_int_equal(epoch_new(&w, i, context, epoch, false), GRPC_OK);
		assert_int_equal(epoch_new(&w, i, context, epoch, false), GRPC_ALREADY_EXISTS);
	}
	assert_int_equal(epoch_new(&w, 1, other, epoch, false), GRPC_NOT_FOUND);
	assert_int_equal(epoch_new(&w, 1, request_id_default_context, epoch, false),
			 GRPC_INVALID_ARGUMENT);
	epochs_wait(&w);
	for (unsigned i = 1; i <= NODES; i++)
		assert_int_equal(
			call_once(&w.node[i - 1], RPC("GetEpochResult"), buf_view(&id), NULL),
			GRPC_OK);
	/* It has no keys: nothing was reshared. */
	request_init(&q, 1, buf_view(&ciphertext));
	request_id_text(q.context_text, context);
	request_id_text(q.epoch_text, epoch);
	q.m.context_id = &q.context_id;
	q.m.epoch_id = &q.epoch_id;
	assert_int_equal(ask_once(&w, 1, RPC_DECRYPT, &q), GRPC_NOT_FOUND);

	buf_free(&id);
	world_free(&w);
}

/* ---- what is not built ---- */

static void status_expect(struct fixture *f, const char *body)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)node_monitoring_port(f->node)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static const char ask[] = "GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[4096];
	size_t n = 0;
	ssize_t got = -1;

	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL), sizeof(ask) - 1);
	for (unsigned waited = 0; waited < WAIT_MS && got != 0; waited += 5) {
		loop_pause(f->loop, 5);
		got = recv(fd, &text[n], sizeof(text) - 1 - n, MSG_DONTWAIT);
		n += got > 0 ? (size_t)got : 0;
	}
	text[n] = '\0';
	(void)close(fd);
	assert_non_null(strstr(text, "HTTP/1.1 200"));
	assert_non_null(strstr(text, "\r\n\r\n"));
	assert_string_equal(strstr(text, "\r\n\r\n") + 4, body);
}

/* What is refused is what the status says, and nothing else. */
static void test_not_built(void **state)
{
	static const struct hash32 context = {{[0] = 0x07, [31] = 2}},
				   epoch = {{[0] = 0x08, [31] = 2}};
	struct buf id = id_pack(request_number(9));
	size_t methods = 0;
	struct world w;

	(void)state;
	world_make(&w, 0);
	all_up(&w);
	for (unsigned i = BUILT + 1; i < NOT_BUILT_ROWS; i++) {
		char path[128];
		struct call c;

		(void)snprintf(path, sizeof(path), RPC("%s"), not_built[i].operation);
		if (i == NOT_BUILT_RESHARING) {
			assert_int_equal(epoch_new(&w, 1, context, epoch, true),
					 GRPC_FAILED_PRECONDITION);
			continue;
		}
		methods++;
		call_start(&c, w.loop, w.node[0].channel, path, buf_view(&id), WAIT_MS);
		call_wait(&c);
		assert_int_equal(c.status, GRPC_FAILED_PRECONDITION);
		assert_string_equal(c.text, not_built[i].refusal);
		call_free(&c);
	}
	assert_int_equal(methods, 5);
	status_expect(&w.node[0], "{\"mode\":\"threshold\",\"phase\":\"serving\",\"fhe_keys\":1,"
				  "\"not_built\":[\"KeyGenPreproc\",\"KeyGen\",\"CrsGen\","
				  "\"NewMpcEpoch with previous_epoch\",\"DestroyMpcContext\","
				  "\"DestroyMpcEpoch\"]}");
	buf_free(&id);
	world_free(&w);
}

/* A node of its own does all that it knows. */
static void test_centralised_status(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, KEY_TEST);
	node_up(&f);
	status_expect(&f, "{\"mode\":\"centralised\",\"phase\":\"serving\",\"fhe_keys\":1,"
			  "\"not_built\":[]}");
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_start),
		cmocka_unit_test(test_killed_in_setup),
		cmocka_unit_test(test_one_dead_or_lying),
		cmocka_unit_test(test_finished_and_restarted),
		cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_sessions_used_once),
		cmocka_unit_test(test_contexts_and_epochs),
		cmocka_unit_test(test_not_built),
		cmocka_unit_test(test_centralised_status),
	};

	ciphertext = vector_read("tfhe/nat_test_csq64.bin");

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&ciphertext);
	return failed;
}
