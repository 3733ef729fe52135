/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Party 1 of 4, for networking.test.mjs, whose grpc-js is the others.
 *
 *	certs DIR                certificates p1.test … p4.test, and pN.ca.pem that vouch for them
 *	run DIR PORT2 PORT3 PORT4   opens three secrets with them
 *
 * Says "port N"; "word P HEX", what party P has to say to party 1 in the only round; "opened" with
 * the secrets when it has them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/net/certs.h"
#include "core/peer_net.h"
#include "mpc/open.h"
#include "mpc/shamir.h"

enum {
	PARTIES = 4,
	SECRETS = 3
};

struct node {
	struct loop *loop;
	struct peer_net *net;
	struct mpc_open *open;
	struct gr secrets[SECRETS], shares[PARTIES][SECRETS];
};

static void certificates(const struct certs *c)
{
	for (unsigned i = 1; i <= PARTIES; i++) {
		char from[CERT_PATH_SIZE], to[CERT_PATH_SIZE], name[64], san[128];
		struct authority a = authority_make(c, "test");

		(void)snprintf(name, sizeof(name), "p%u.ca.pem", i);
		CHECK(rename(certs_path(c, from, "test.pem"), certs_path(c, to, name)) == 0);
		(void)snprintf(name, sizeof(name), "p%u.test", i);
		(void)snprintf(san, sizeof(san), "DNS:%s,DNS:localhost,IP:127.0.0.1", name);
		authority_issue(&a, c, name, &(struct cert_plan){.san = san});
		authority_free(&a);
	}
}

static struct buf file_read(const char *path)
{
	struct buf b = buf_make(1 << 16);
	FILE *f = fopen(path, "r");

	CHECK(f != NULL);
	for (int c; (c = fgetc(f)) != EOF;)
		CHECK(buf_add_u8(&b, (uint8_t)c) == ERR_OK);
	(void)fclose(f);
	return b;
}

static void hex_say(const char *what, struct bytes b)
{
	printf("%s ", what);
	for (size_t i = 0; i < b.n; i++)
		printf("%02x", b.p[i]);
	printf("\n");
	(void)fflush(stdout);
}

static struct mpc_open *opening(const struct node *n, unsigned party)
{
	struct mpc_open_task task = {.group = {PARTIES, 1, party}};
	struct mpc_open *open;

	mpc_open_to(&task, 0xf, n->shares[party - 1], SECRETS);
	CHECK(mpc_open_new(&open, &task) == ERR_OK);
	return open;
}

static void words_say(struct node *n)
{
	const struct mpc_group g = {PARTIES, 1, 1};

	for (unsigned i = 0; i < SECRETS; i++) {
		struct gr row[PARTIES];

		rng_fill(rng_system(), (uint8_t *)&n->secrets[i], sizeof(n->secrets[i]));
		shamir_share(row, &g, 1, &n->secrets[i], rng_system());
		for (unsigned p = 0; p < PARTIES; p++)
			n->shares[p][i] = row[p];
	}
	for (unsigned p = 1; p <= PARTIES; p++) {
		struct mpc_open *open = opening(n, p);
		struct mpc_expectation wants;
		struct mpc_outbox out = {0};
		char what[32];

		CHECK(protocol_send(mpc_open_protocol(open), &out, &wants) == ERR_OK);
		(void)snprintf(what, sizeof(what), "word %u", p);
		hex_say(what, buf_view(&out.to[p == 1 ? 1 : 0]));
		mpc_outbox_clear(&out);
		mpc_open_free(open);
	}
}

static void on_done(void *ctx, enum err e)
{
	struct node *n = ctx;
	const struct gr *secrets;
	mpc_set wrong;

	CHECK(e == ERR_OK && mpc_open_result(n->open, &secrets, &wrong) == ERR_OK);
	CHECK(memcmp(secrets, n->secrets, sizeof(n->secrets)) == 0);
	printf("opened\n");
	(void)fflush(stdout);
}

static void on_note(void *ctx, const char *peer, const char *what)
{
	(void)ctx;
	printf("note %s: %s\n", peer, what);
	(void)fflush(stdout);
}

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void context_set(struct node *n, const struct certs *c, char **ports)
{
	struct mpc_context context = {.n = PARTIES, .threshold = 1, .me = 1};
	struct err_note note = {0};

	for (unsigned i = 1; i <= PARTIES; i++) {
		struct mpc_context_party *p = &context.party[i - 1];
		char path[CERT_PATH_SIZE], name[64];

		(void)snprintf(p->identity, sizeof(p->identity), "p%u.test", i);
		(void)snprintf(p->host, sizeof(p->host), "127.0.0.1");
		p->port =
			i == 1 ? peer_net_port(n->net) : (unsigned)strtoul(ports[i - 2], NULL, 10);
		(void)snprintf(name, sizeof(name), "p%u.ca.pem", i);
		p->ca_pem = file_read(certs_path(c, path, name));
	}
	if (peer_net_context_set(n->net, &context, &note) != ERR_OK)
		err_check_failed(note.text, __FILE__, __LINE__);
	mpc_context_clear(&context);
}

static void run(const struct certs *c, char **ports)
{
	char cert[CERT_PATH_SIZE], key[CERT_PATH_SIZE];
	struct node n = {0};
	struct peer_net_options o = {.listen = "127.0.0.1:0", .note = on_note};
	struct peer_run_options r = {
		.round_timeout_ms = 60000, .idle_timeout_ms = 60000, .done = on_done, .ctx = &n};
	struct peer_run *running;

	CHECK(loop_new(&n.loop) == ERR_OK);
	CHECK(loop_on_stop_signal(n.loop, on_stop, n.loop) == ERR_OK);
	o.loop = n.loop;
	o.cert_file = certs_path(c, cert, "p1.test.pem");
	o.key_file = certs_path(c, key, "p1.test.key");
	CHECK(peer_net_new(&n.net, &o, NULL) == ERR_OK);
	context_set(&n, c, ports);
	words_say(&n);
	for (uint8_t i = 0; i < MPC_SESSION_ID_SIZE; i++)
		r.session.le[i] = (uint8_t)(i + 1);
	n.open = opening(&n, 1);
	r.protocol = mpc_open_protocol(n.open);
	CHECK(peer_net_run(&running, n.net, &r) == ERR_OK);
	printf("port %u\n", peer_net_port(n.net));
	(void)fflush(stdout);
	CHECK(loop_run(n.loop) == ERR_OK);
	peer_net_free(n.net);
	mpc_open_free(n.open);
	loop_free(n.loop);
}

int main(int argc, char **argv)
{
	struct certs c;

	CHECK(argc >= 3);
	(void)snprintf(c.dir, sizeof(c.dir), "%s", argv[2]);
	if (strcmp(argv[1], "certs") == 0)
		certificates(&c);
	else if (argc == 6)
		run(&c, &argv[3]);
	return 0;
}
