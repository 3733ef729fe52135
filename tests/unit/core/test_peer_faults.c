/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Nodes that die, connections that break, and peers who are not who they say or send what they
 * should not. */
#include "../net/proxy.h"
#include "base/limits.h"
#include "peer_world.h"

#include <stdio.h>
#include <stdlib.h>

static int setup_four(void **state)
{
	static struct world w;

	w = (struct world){.options = {.retry_cap_ms = 200}};
	world_make(&w, 4, 1);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* ---- dying ---- */

/*
 * Three and four have the words of one and two, said so, and die. Begun anew they have nothing, and
 * get it again.
 */
static void test_killed_and_restarted(void **state)
{
	struct world *w = *state;

	world_open(w, 1, world_session(1), false);
	world_open(w, 2, world_session(1), false);
	for (int i = 0; i < 2000 && world_counts(w, 3).parked + world_counts(w, 4).parked < 4; i++)
		run_for(w->loop, 5);
	assert_int_equal(world_counts(w, 3).parked + world_counts(w, 4).parked, 4);
	for (int i = 0; i < 2000 && (world_counts(w, 1).sent < 3 || world_counts(w, 2).sent < 3);
	     i++)
		run_for(w->loop, 5);
	world_node_stop(w, 3);
	world_node_stop(w, 4);
	run_for(w->loop, 100);
	world_node_start(w, 3);
	world_node_start(w, 4);
	world_open(w, 3, world_session(1), false);
	world_open(w, 4, world_session(1), false);
	world_wait(w, 30000);
	for (unsigned p = 1; p <= 4; p++)
		assert_true(world_opened(w, p));
	assert_true(world_counts(w, 1).resent + world_counts(w, 2).resent >= 2);
}

/* One dies after its word and comes back when all is over. */
static void test_killed_after_its_word(void **state)
{
	struct world *w = *state;

	for (unsigned p = 1; p <= 4; p++)
		world_open(w, p, world_session(2), false);
	world_wait(w, 20000);
	world_node_stop(w, 2);
	world_node_start(w, 2);
	world_open(w, 2, world_session(2), false);
	world_wait(w, 30000);
	assert_true(world_opened(w, 2));
	assert_true(world_counts(w, 1).late + world_counts(w, 3).late + world_counts(w, 4).late >
		    0);
}

/* Killed in the middle of a synchronous protocol: the others finish it. */
static void test_killed_in_prss(void **state)
{
	struct world *w = *state;

	for (unsigned p = 1; p <= 4; p++)
		world_prss(w, p, world_session(3), 3, 2000);
	for (int i = 0; i < 2000 && peer_run_round(w->node[3].run) < 2; i++)
		run_for(w->loop, 1);
	world_node_stop(w, 4);
	world_wait(w, 60000);
	world_check_keys(w, 0x7);
}

/* Connections break again and again, at any byte: every word arrives all the same. */
static void test_connections_that_break(void **state)
{
	struct world *w = *state;
	struct proxy_plan plans[24];
	struct mpc_context through;
	struct proxy *proxy = proxy_new(w->context.party[1].port);

	for (size_t i = 0; i < ARRAY_LEN(plans); i++)
		plans[i] = (struct proxy_plan){.fault = i % 2 ? PROXY_RESET : PROXY_CLOSE,
					       .way = i % 3 ? PROXY_TO_SERVER : PROXY_TO_CLIENT,
					       .at = 200 + 331 * i};
	assert_int_equal(mpc_context_copy(&through, &w->context), ERR_OK);
	through.party[1].port = proxy_port(proxy);
	for (unsigned p = 1; p <= 4; p++)
		if (p != 2)
			world_node_context(w, p, &through);
	proxy_plan(proxy, plans, ARRAY_LEN(plans));
	for (unsigned p = 1; p <= 4; p++)
		world_prss(w, p, world_session(4), 4, 30000);
	world_wait(w, 120000);
	world_check_keys(w, 0xf);
	assert_true(world_counts(w, 1).retries + world_counts(w, 3).retries +
			    world_counts(w, 4).retries >
		    0);
	for (unsigned p = 1; p <= 4; p++)
		peer_net_context_drop(w->node[p - 1].net, &w->context.id);
	mpc_context_clear(&through);
	proxy_free(proxy);
}

/* ---- who is who ---- */

static void issue(struct world *w, unsigned party, const char *name, const struct cert_plan *plan)
{
	authority_issue(&w->ca[party - 1], &w->certs, name, plan);
}

/* A client with this certificate gets no answer from node 1, and node 1 says why. */
static void assert_refused(struct world *w, const char *cert, const char *why)
{
	uint64_t before = world_counts(w, 1).connections_refused;
	struct world_client c;

	world_client_make(&c, w, cert, 1);
	world_client_say(&c, "p2.test", world_session(9), 1, BYTES_LIT("x"));
	world_client_wait(&c);
	assert_int_equal(c.status, GRPC_UNAVAILABLE);
	/* It says so when the other side has read why. */
	for (int i = 0; i < 2000 && world_counts(w, 1).connections_refused == before; i++)
		run_for(w->loop, 5);
	assert_true(world_counts(w, 1).connections_refused > before);
	if (!strstr(w->node[0].note, why))
		fail_msg("\"%s\" is not in \"%s\"", why, w->node[0].note);
	assert_int_equal(world_counts(w, 1).received, 0);
	world_client_free(&c);
}

static void test_certificates(void **state)
{
	struct world *w = *state;
	struct authority stranger = authority_make(&w->certs, "stranger.test");
	struct authority impostor;

	authority_issue(&stranger, &w->certs, "stranger.test",
			&(struct cert_plan){.san = "DNS:stranger.test"});
	assert_refused(w, "stranger.test", "not one of ours");
	/* The right name, of an authority of the same name with another key. */
	world_node_stop(w, 2);
	impostor = authority_make(&w->certs, "p2.test");
	authority_issue(&impostor, &w->certs, "p2.test", &(struct cert_plan){.san = "DNS:p2.test"});
	assert_refused(w, "p2.test", "not signed by that party");
	/* Another party's authority vouches for its own name only. */
	issue(w, 3, "p2.test", &(struct cert_plan){.san = "DNS:p2.test"});
	assert_refused(w, "p2.test", "not signed by that party");
	issue(w, 2, "p2.test", &(struct cert_plan){.san = "DNS:other.test"});
	assert_refused(w, "p2.test", "not among its subjectAltNames");
	issue(w, 2, "p2.test", &(struct cert_plan){.san = "DNS:p2.test", .eku = "serverAuth"});
	assert_refused(w, "p2.test", "not accepted");
	issue(w, 2, "p2.test", &(struct cert_plan){.san = "DNS:p2.test"});
	world_node_start(w, 2);
	authority_free(&stranger);
	authority_free(&impostor);
}

/* tls_new does not take it itself, so that it ends between the two. */
static void test_expired(void **state)
{
	struct world *w = *state;
	struct world_client c;

	issue(w, 2, "p2.test",
	      &(struct cert_plan){.san = "DNS:p2.test", .begin_s = -9, .end_s = 3});
	world_client_make(&c, w, "p2.test", 1);
	run_for(w->loop, 4100);
	world_client_say(&c, "p2.test", world_session(9), 1, BYTES_LIT("x"));
	world_client_wait(&c);
	assert_int_equal(c.status, GRPC_UNAVAILABLE);
	assert_int_equal(world_counts(w, 1).received, 0);
	for (int i = 0; i < 2000 && world_counts(w, 1).connections_refused == 0; i++)
		run_for(w->loop, 5);
	assert_non_null(strstr(w->node[0].note, "expired"));
	world_client_free(&c);
	issue(w, 2, "p2.test", &(struct cert_plan){.san = "DNS:p2.test"});
}

/* A good certificate, and the name of another. */
static void test_claims_anothers_name(void **state)
{
	struct world *w = *state;
	struct buf health = buf_make(4096);
	struct world_client c;

	world_client_make(&c, w, "p2.test", 1);
	world_client_say(&c, "p3.test", world_session(9), 1, BYTES_LIT("x"));
	world_client_wait(&c);
	assert_int_equal(c.status, GRPC_UNAUTHENTICATED);
	assert_int_equal(peer_wire_write_health(&health, "p3.test", BYTES_NONE), ERR_OK);
	world_client_send(&c, PEER_PATH_HEALTH, buf_view(&health));
	world_client_wait(&c);
	assert_int_equal(c.status, GRPC_UNAUTHENTICATED);
	assert_int_equal(world_counts(w, 1).refused_sender, 2);
	assert_int_equal(world_counts(w, 1).received + world_counts(w, 1).parked_sessions, 0);
	assert_int_equal(peer_net_peer(w->node[0].net, &w->context.id, 3).heard_ms, -1);
	world_client_free(&c);
	buf_free(&health);
}

/* ---- what is not to be taken ---- */

static void test_garbage(void **state)
{
	static const char *const WRONG[] = {
		"",         "\x0a", "\x0a\x03xyz",
		"\x08\x01", "\x0b", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
	struct buf big = buf_make((size_t)PEER_MESSAGE_MAX + 4096);
	struct world *w = *state;
	struct world_client c;

	world_client_make(&c, w, "p2.test", 1);
	for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
		world_client_send(&c, PEER_PATH_SEND, bytes_str(WRONG[i]));
		world_client_send(&c, PEER_PATH_HEALTH, bytes_str(WRONG[i]));
		world_client_wait(&c);
		assert_int_equal(c.status, GRPC_ABORTED);
	}
	assert_int_equal(world_counts(w, 1).refused_malformed, 2 * ARRAY_LEN(WRONG));
	assert_int_equal(buf_add_zero(&big, (size_t)PEER_MESSAGE_MAX + 2048), ERR_OK);
	world_client_send(&c, PEER_PATH_SEND, buf_view(&big));
	world_client_wait(&c);
	assert_int_equal(c.status, GRPC_RESOURCE_EXHAUSTED);
	world_client_send(&c, "/ddec_networking.gnetworking/Other", BYTES_NONE);
	world_client_wait(&c);
	assert_int_equal(c.status, GRPC_UNIMPLEMENTED);
	assert_int_equal(world_counts(w, 1).received, 0);
	world_client_free(&c);
	buf_free(&big);
}

/* In a session that runs: the first word of a round counts, and rubbish is nobody's word. */
static void test_lies_in_a_session(void **state)
{
	struct buf much = buf_make(1 << 20);
	struct world *w = *state;
	struct world_client c;

	world_node_stop(w, 4);
	assert_int_equal(buf_add_zero(&much, 1 << 20), ERR_OK);
	world_open(w, 1, world_session(5), false);
	world_client_make(&c, w, "p4.test", 1);
	world_client_say(&c, "p4.test", world_session(5), 1, buf_view(&much));
	world_client_wait(&c);
	assert_int_equal(c.answer, PEER_ACTIVE);
	world_client_say(&c, "p4.test", world_session(5), 1, BYTES_LIT("again"));
	world_client_say(&c, "p4.test", world_session(5), UINT64_MAX, BYTES_LIT("far"));
	world_client_say(&c, "p4.test", world_session(5), 0, BYTES_LIT("none"));
	world_client_wait(&c);
	assert_int_equal(c.answer, PEER_ACTIVE);
	assert_int_equal(world_counts(w, 1).parked_bytes, 0);
	/* Before its session: so many rounds, and only once each. */
	for (uint64_t round = 0; round < 50; round++)
		for (int again = 0; again < 2; again++)
			world_client_say(&c, "p4.test", world_session(6), round, BYTES_LIT("x"));
	world_client_wait(&c);
	assert_int_equal(c.answer, PEER_INACTIVE);
	assert_int_equal(world_counts(w, 1).parked, 32);
	world_open(w, 2, world_session(5), false);
	world_open(w, 3, world_session(5), false);
	world_wait(w, 30000);
	for (unsigned p = 1; p <= 3; p++)
		assert_true(world_opened(w, p));
	world_client_say(&c, "p4.test", world_session(5), 2, BYTES_LIT("late"));
	world_client_wait(&c);
	assert_int_equal(c.answer, PEER_COMPLETED);
	world_client_free(&c);
	buf_free(&much);
}

/* A peer opens session after session: it fills its own share, and nobody else's. PEER_LONG: 10^5 of
 * them. */
static void test_flood_of_sessions(void **state)
{
	const unsigned n = getenv("PEER_LONG") ? 100000 : 3000;
	struct world *w = *state;
	struct world_client c;

	world_client_make(&c, w, "p2.test", 1);
	for (unsigned i = 0; i < n; i++) {
		struct mpc_session_id id = {{0}};

		memcpy(id.le, &i, sizeof(i));
		id.le[15] = 0xee;
		world_client_say(&c, "p2.test", id, 1, BYTES_LIT("sixteen bytes of"));
		if (i % 100 == 99)
			world_client_wait(&c);
	}
	assert_int_equal(c.answers[GRPC_OK], PEER_PARKED_SESSIONS_MAX);
	assert_int_equal(c.answers[GRPC_RESOURCE_EXHAUSTED], n - PEER_PARKED_SESSIONS_MAX);
	assert_int_equal(world_counts(w, 1).parked_sessions, PEER_PARKED_SESSIONS_MAX);
	assert_int_equal(world_counts(w, 1).refused_limit, n - PEER_PARKED_SESSIONS_MAX);
	world_client_free(&c);
	for (unsigned p = 1; p <= 4; p++)
		world_open(w, p, world_session(7), false);
	world_wait(w, 30000);
	for (unsigned p = 1; p <= 4; p++)
		assert_true(world_opened(w, p));
}

static void test_flood_of_bytes(void **state)
{
	const size_t size = 16 << 20;
	struct world *w = *state;
	struct buf much = buf_make(size);
	struct world_client c;

	assert_int_equal(buf_add_zero(&much, size), ERR_OK);
	world_client_make(&c, w, "p2.test", 1);
	for (uint8_t i = 1; i <= 6; i++) {
		world_client_say(&c, "p2.test", world_session(i), 1, buf_view(&much));
		world_client_wait(&c);
	}
	assert_int_equal(c.answers[GRPC_OK], 4);
	assert_int_equal(c.answers[GRPC_RESOURCE_EXHAUSTED], 2);
	assert_int_equal(world_counts(w, 1).parked_bytes, 4 * size);
	world_client_free(&c);
	buf_free(&much);
}

/* ---- new certificates ---- */

static void pem_of_ca(struct buf *out, const struct world *w, const char *name)
{
	char path[CERT_PATH_SIZE], file[64];
	FILE *f;

	(void)snprintf(file, sizeof(file), "%s.pem", name);
	f = fopen(certs_path(&w->certs, path, file), "r");
	CHECK(f != NULL);
	*out = buf_make(1 << 16);
	for (int c; (c = fgetc(f)) != EOF;)
		CHECK(buf_add_u8(out, (uint8_t)c) == ERR_OK);
	(void)fclose(f);
}

/* A second context in which party 2 has another authority: that one counts, the old one no more. */
static void test_context_replaces_certificates(void **state)
{
	struct world *w = *state;
	struct mpc_context next;
	struct authority ca;
	struct world_client old, c;

	for (unsigned p = 1; p <= 4; p++)
		world_open(w, p, world_session(8), true);
	world_wait(w, 20000);
	/* Loaded now: the files are replaced. */
	world_client_make(&old, w, "p2.test", 1);
	assert_int_equal(mpc_context_copy(&next, &w->context), ERR_OK);
	next.id.b[0] = 2;
	ca = authority_make(&w->certs, "p2.test");
	buf_free(&next.party[1].ca_pem);
	pem_of_ca(&next.party[1].ca_pem, w, "p2.test");
	authority_issue(&ca, &w->certs, "p2.test",
			&(struct cert_plan){.san = "DNS:p2.test,DNS:localhost"});
	for (unsigned p = 1; p <= 4; p++)
		world_node_context(w, p, &next);
	assert_int_equal(peer_net_reload(w->node[1].net, NULL), ERR_OK);

	world_client_say(&old, "p2.test", world_session(9), 1, BYTES_LIT("x"));
	world_client_wait(&old);
	assert_int_equal(old.status, GRPC_UNAVAILABLE);
	world_client_make(&c, w, "p2.test", 1);
	world_client_say(&c, "p2.test", world_session(9), 1, BYTES_LIT("x"));
	world_client_wait(&c);
	assert_int_equal(c.status, GRPC_OK);

	/* In the old context too: a party is one, and its certificates are the newest. */
	for (unsigned p = 1; p <= 4; p++)
		world_open(w, p, world_session(10), true);
	world_wait(w, 30000);
	for (unsigned p = 1; p <= 4; p++)
		assert_true(world_opened(w, p));

	/* Without the new context the old certificate counts again. */
	for (unsigned p = 1; p <= 4; p++)
		peer_net_context_drop(w->node[p - 1].net, &next.id);
	world_client_free(&old);
	world_client_free(&c);
	issue(w, 2, "p2.test", &(struct cert_plan){.san = "DNS:p2.test,DNS:localhost"});
	assert_int_equal(peer_net_reload(w->node[1].net, NULL), ERR_OK);
	for (unsigned p = 1; p <= 4; p++)
		world_open(w, p, world_session(11), true);
	world_wait(w, 30000);
	for (unsigned p = 1; p <= 4; p++)
		assert_true(world_opened(w, p));
	mpc_context_clear(&next);
	authority_free(&ca);
}

/* What is no committee, or does not fit our certificate, changes nothing. */
static void test_contexts_refused(void **state)
{
	struct world *w = *state;
	struct peer_net *net = w->node[0].net;
	struct err_note note = {0};
	struct mpc_context c;

	assert_int_equal(mpc_context_copy(&c, &w->context), ERR_OK);
	c.id.b[0] = 3;
	c.me = 2;
	assert_int_equal(peer_net_context_set(net, &c, &note), ERR_CONFIG_VALUE);
	assert_non_null(strstr(note.text, "our certificate says"));
	c.me = 1;
	c.threshold = 2;
	assert_int_equal(peer_net_context_set(net, &c, &note), ERR_CONFIG_VALUE);
	c.threshold = 1;
	memcpy(c.party[3].identity, c.party[2].identity, sizeof(c.party[3].identity));
	assert_int_equal(peer_net_context_set(net, &c, &note), ERR_CONFIG_VALUE);
	assert_non_null(strstr(note.text, "twice"));
	(void)world_name(c.party[3].identity, 5);
	assert_int_equal(peer_net_context_set(net, &c, &note), ERR_CONFIG_VALUE);
	assert_non_null(strstr(note.text, "not for that name"));
	(void)world_name(c.party[3].identity, 4);
	c.party[3].ca_pem.n /= 2;
	assert_int_equal(peer_net_context_set(net, &c, &note), ERR_CONFIG_VALUE);
	c.party[3].ca_pem.n = w->context.party[3].ca_pem.n;
	c.party[3].port = 0;
	assert_int_equal(peer_net_context_set(net, &c, &note), ERR_CONFIG_VALUE);
	assert_null(peer_net_context(net, &c.id));
	c.party[3].port = 1;
	(void)snprintf(c.party[3].host, sizeof(c.party[3].host), "no host");
	assert_int_equal(peer_net_context_set(net, &c, &note), ERR_CONFIG_VALUE);
	assert_null(peer_net_context(net, &c.id));
	(void)snprintf(c.party[3].host, sizeof(c.party[3].host), "127.0.0.1");
	for (unsigned i = 0; i < PEER_CONTEXTS_MAX; i++) {
		c.id.b[1] = (uint8_t)i;
		assert_int_equal(peer_net_context_set(net, &c, &note),
				 i + 1 < PEER_CONTEXTS_MAX ? ERR_OK : ERR_BUSY);
	}
	assert_non_null(peer_net_context(net, &w->context.id));
	mpc_context_clear(&c);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup_four, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_killed_and_restarted),
		WORLD_TEST(test_killed_after_its_word),
		WORLD_TEST(test_killed_in_prss),
		WORLD_TEST(test_connections_that_break),
		WORLD_TEST(test_certificates),
		WORLD_TEST(test_expired),
		WORLD_TEST(test_claims_anothers_name),
		WORLD_TEST(test_garbage),
		WORLD_TEST(test_lies_in_a_session),
		WORLD_TEST(test_flood_of_sessions),
		WORLD_TEST(test_flood_of_bytes),
		WORLD_TEST(test_context_replaces_certificates),
		WORLD_TEST(test_contexts_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
