/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* How the cores are reached: what keys mean together, what is said of certificates before a start,
 * and what a reload does to the channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../net/certs.h"
#include "base/limits.h"
#include "connector/config_file.h"
#include "net/grpc_server.h"

enum {
	DAY_S = 24 * 60 * 60
};

static struct certs certs;

static int group_setup(void **state)
{
	static const struct cert_plan good = {.san = "DNS:localhost,IP:127.0.0.1",
					      .end_s = 365L * DAY_S};
	struct authority a, other;

	(void)state;
	certs_make(&certs);
	a = authority_make(&certs, "ca");
	other = authority_make(&certs, "other-ca");
	authority_issue(&a, &certs, "good", &good);
	authority_issue(&a, &certs, "good-2", &good);
	authority_issue(&a, &certs, "month",
			&(struct cert_plan){.san = good.san, .end_s = 30L * DAY_S + 100});
	authority_issue(&a, &certs, "soon",
			&(struct cert_plan){.san = good.san, .end_s = 30L * DAY_S - 100});
	authority_issue(&a, &certs, "over",
			&(struct cert_plan){.san = good.san, .begin_s = -7200, .end_s = -60});
	authority_issue(&other, &certs, "foreign", &good);
	authority_free(&a);
	authority_free(&other);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	certs_free(&certs);
	return 0;
}

/* ---- keys ---- */

#define HEAD                                                                                       \
	"gateway_url = \"http://g:1\"\n"                                                           \
	"gateway_chain_id = 54321\n"

static const char tail[] = "[decryption_contract]\n"
			   "address = \"0xDE409109E0fCCAaE7B87De518F61d617A3fda094\"\n"
			   "[gateway_config_contract]\n"
			   "address = \"0x6c00000000000000000000000000000000000001\"\n"
			   "[[host_chains]]\n"
			   "url = \"http://host-1:8545\"\n"
			   "chain_id = 12345\n"
			   "acl_address = \"0xac00000000000000000000000000000000000001\"\n";

struct loaded {
	struct arena arena;
	struct connector_config c;
	struct err_note note;
};

static enum err load(struct loaded *l, unsigned services, const char *text, const char *variable)
{
	const char *const env[] = {variable, NULL};
	CLEANUP(buf_free) struct buf all = buf_make(1 << 16);

	*l = (struct loaded){.arena = arena_make(1 << 20)};
	assert_int_equal(buf_addf(&all, "%s%s", text, tail), ERR_OK);

	const struct config_source src = {.file = "k.toml", .text = buf_view(&all), .env = env};

	return connector_config_load(&l->c, services, &src, &l->arena, &l->note);
}

static void unload(struct loaded *l)
{
	connector_config_free(&l->c);
	arena_free(&l->arena);
}

#define TLS "[kms_core_tls]\ncert = \"c.pem\"\nkey = \"c.key\"\nca = \"ca.pem\"\n"

static void keys_that_fit(void **state)
{
	static const char *const rows[] = {
		HEAD "kms_core_endpoints = [\"unix:/run/kms/core.sock\"]\n",
		HEAD "kms_core_endpoints = [\"http://127.0.0.1:50051\", \"http://core:1\"]\n",
		HEAD "kms_core_endpoints = [\"https://core:50051\"]\n" TLS,
		HEAD "kms_core_endpoints = [\"https://core:50051\", \"unix:core.sock\"]\n" TLS
		     "server_names = [\"core.example\", \"spiffe://kms/core\"]\n",
	};
	struct loaded l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (load(&l, SERVICE_WORKER, rows[i], NULL) != ERR_OK)
			fail_msg("%s: %s", rows[i], l.note.text);
		assert_int_equal(l.c.kms_core_tls.cert != NULL, i >= 2);
		assert_int_equal(l.c.kms_core_tls.server_names.n, i == 3 ? 2 : 0);
		unload(&l);
	}
}

static void keys_that_do_not_fit(void **state)
{
	static const struct {
		const char *text, *variable, *note;
	} rows[] = {
		{HEAD "kms_core_endpoints = [\"https://core:50051\"]\n", NULL,
		 "k.toml:3: kms_core_endpoints: [0]: found https without [kms_core_tls], expected "
		 "its cert, key and ca"},
		{HEAD "kms_core_endpoints = [\"unix:a\"]\n" TLS, NULL,
		 "k.toml:5: kms_core_tls.cert: found certificates, but no https://HOST:PORT in "
		 "kms_core_endpoints to use them for"},
		{HEAD "kms_core_endpoints = [\"https://core:1\"]\n[kms_core_tls]\ncert = \"c\"\n"
		      "ca = \"d\"\n",
		 NULL,
		 "k.toml:5: kms_core_tls.cert: found no kms_core_tls.key beside it, expected cert, "
		 "key and ca together"},
		{HEAD "kms_core_endpoints = [\"https://core:1\"]\n[kms_core_tls]\n"
		      "server_names = [\"a\"]\n",
		 NULL, "k.toml:5: kms_core_tls.server_names: found no kms_core_tls.cert beside it"},
		{HEAD "kms_core_endpoints = [\"unix:a\", \"tcp://core:1\"]\n", NULL,
		 "k.toml:3: kms_core_endpoints: [1]: expected https://HOST:PORT, http://HOST:PORT "
		 "or unix:PATH"},
		{HEAD "kms_core_endpoints = [\"http://core\"]\n", NULL, "[0]: expected https://"},
		{HEAD, "KMS_CONNECTOR_KMS_CORE_ENDPOINTS=https://core:1",
		 "environment: KMS_CONNECTOR_KMS_CORE_ENDPOINTS: [0]: found https without"},
		{HEAD "kms_core_endpoints = [\"unix:a\"]\n",
		 "KMS_CONNECTOR_KMS_CORE_TLS__KEY=c.key",
		 "environment: KMS_CONNECTOR_KMS_CORE_TLS__KEY: found no kms_core_tls.cert"},
		{HEAD "kms_core_endpoints = [\"https://core:1\"]\n" TLS "server_names = []\n", NULL,
		 "k.toml:8: kms_core_tls.server_names"},
	};
	struct loaded l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(load(&l, SERVICE_WORKER, rows[i].text, rows[i].variable),
				 ERR_CONFIG_VALUE);
		if (!strstr(l.note.text, rows[i].note))
			fail_msg("%s\ngave: %s", rows[i].text, l.note.text);
		unload(&l);
		/* Whoever asks no core does not care. */
		assert_int_equal(load(&l, SERVICE_LISTENER, rows[i].text, rows[i].variable),
				 ERR_OK);
		unload(&l);
	}
}

/* What was pasted into the wrong place may be a key. */
static void values_are_not_repeated(void **state)
{
	struct loaded l;

	(void)state;
	assert_int_equal(load(&l, SERVICE_WORKER,
			      HEAD "kms_core_endpoints = [\"8da4ef21b864d2cc526dbdb2a120bd28\"]\n",
			      NULL),
			 ERR_CONFIG_VALUE);
	assert_null(strstr(l.note.text, "8da4ef21"));
	unload(&l);
}

/* ---- files ---- */

struct told {
	int n;
	char text[400];
};

static void on_warning(void *ctx, const char *text)
{
	struct told *t = ctx;

	t->n++;
	(void)snprintf(t->text, sizeof(t->text), "%s", text);
}

struct plan {
	struct connector_config c;
	char cert[CERT_PATH_SIZE], key[CERT_PATH_SIZE], ca[CERT_PATH_SIZE];
	char *endpoint;
};

/* `cert` NULL: none. */
static void plan_make(struct plan *p, char *endpoint, const char *cert, const char *key,
		      const char *ca)
{
	*p = (struct plan){.endpoint = endpoint};
	p->c.kms_core_endpoints = (struct config_strings){&p->endpoint, 1};
	if (!cert)
		return;
	p->c.kms_core_tls.cert = (char *)(uintptr_t)certs_path(&certs, p->cert, cert);
	p->c.kms_core_tls.key = (char *)(uintptr_t)certs_path(&certs, p->key, key);
	p->c.kms_core_tls.ca = (char *)(uintptr_t)certs_path(&certs, p->ca, ca);
}

static void files_are_judged(void **state)
{
	static char secure[] = "https://core:1";
	static const struct {
		const char *cert, *key, *ca;
		enum err err;
		const char *note, *warning;
	} rows[] = {
		{"good.pem", "good.key", "ca.pem", ERR_OK, "", ""},
		{"month.pem", "month.key", "ca.pem", ERR_OK, "", ""},
		{"soon.pem", "soon.key", "ca.pem", ERR_OK, "",
		 "soon.pem: the certificate ends in 29 days"},
		{"over.pem", "over.key", "ca.pem", ERR_CONFIG_VALUE,
		 "over.pem: the certificate has expired", ""},
		{"good.pem", "good-2.key", "ca.pem", ERR_CONFIG_VALUE,
		 "good-2.key is not the key of the certificate in", ""},
		{"none.pem", "good.key", "ca.pem", ERR_CONFIG_FILE, "none.pem: No such file", ""},
		{"good.pem", "open.key", "ca.pem", ERR_CONFIG_FILE,
		 "open.key holds a private key and is open to others (mode 0644)", ""},
		{"good.pem", "good.key", "good.key", ERR_CONFIG_FILE, "has no certificate (PEM)",
		 ""},
	};
	char path[CERT_PATH_SIZE], from[CERT_PATH_SIZE];

	(void)state;
	/* A key for which the mode is wrong, by a second name of the same file. */
	assert_int_equal(
		link(certs_path(&certs, from, "good-2.key"), certs_path(&certs, path, "open.key")),
		0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_note note = {0};
		struct told told = {0};
		struct plan p;

		assert_int_equal(chmod(path, strcmp(rows[i].key, "open.key") == 0 ? 0644 : 0600),
				 0);
		plan_make(&p, secure, rows[i].cert, rows[i].key, rows[i].ca);
		if (cores_check_files(&p.c, (int64_t)time(NULL), on_warning, &told, &note) !=
			    rows[i].err ||
		    !strstr(note.text, rows[i].note) || !strstr(told.text, rows[i].warning) ||
		    told.n != (rows[i].warning[0] != '\0'))
			fail_msg("row %zu: %s; %s", i, note.text, told.text);
		if (rows[i].err != ERR_OK)
			assert_memory_equal(note.text, "kms_core_tls: ", 14);
	}
	assert_int_equal(unlink(path), 0);
}

static void plain_text_to_elsewhere_is_told(void **state)
{
	static char urls[][32] = {"unix:core.sock", "http://127.0.0.1:1", "http://core:1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct told told = {0};
		struct plan p;

		plan_make(&p, urls[i], NULL, NULL, NULL);
		assert_int_equal(cores_check_files(&p.c, 0, on_warning, &told, NULL), ERR_OK);
		assert_int_equal(told.n, i == 2);
		if (i == 2)
			assert_non_null(strstr(told.text, "kms_core_endpoints[0]: plain text"));
	}
}

/* ---- reload ---- */

struct world {
	struct loop *loop;
	struct grpc_server *server;
	struct tls *server_tls;
	struct cores cores;
	struct arena arena;
	enum grpc_status status;
	char text[300];
	unsigned calls;
};

static void on_call(void *ctx, struct grpc_call *call)
{
	struct world *w = ctx;

	w->calls++;
	grpc_call_reply(call, BYTES_NONE);
}

static const struct grpc_method methods[] = {{"/a.B/C", on_call, 0}};

static void on_done(void *ctx, const struct rpc_reply *r)
{
	struct world *w = ctx;

	w->status = r->status;
	(void)snprintf(w->text, sizeof(w->text), "%s", r->text);
	loop_stop(w->loop);
}

static enum grpc_status ask(struct world *w)
{
	const struct rpc_call call = {
		.path = "/a.B/C", .message = BYTES_NONE, .timeout_ms = 20000, .reply_max = 10};
	struct rpc_ticket ticket;

	assert_int_equal(channel_call(w->cores.channels[0], &ticket, &call, on_done, w), ERR_OK);
	assert_int_equal(loop_run(w->loop), ERR_OK);
	return w->status;
}

static void copy(const char *to, const char *from)
{
	char a[CERT_PATH_SIZE], b[CERT_PATH_SIZE];

	(void)unlink(certs_path(&certs, a, to));
	assert_int_equal(link(certs_path(&certs, b, from), a), 0);
}

static void reload(void **state)
{
	struct world w = {.arena = arena_make(4096)};
	struct log_state log_state = {.lock = PTHREAD_MUTEX_INITIALIZER};
	const struct log log = {.level = LOG_LEVEL_ERROR, .fd = -1, .state = &log_state};
	struct err_note note = {0};
	char url[64];
	struct plan p;

	(void)state;
	assert_int_equal(loop_new(&w.loop), ERR_OK);
	plan_make(&p, url, "good.pem", "good.key", "ca.pem");
	const struct tls_options o = {.cert_file = p.cert, .key_file = p.key, .ca_file = p.ca};
	assert_int_equal(tls_new(&w.server_tls, &o, &note), ERR_OK);
	const struct grpc_server_options server = {.listen = "127.0.0.1:0",
						   .methods = methods,
						   .methods_n = 1,
						   .ctx = &w,
						   .tls = w.server_tls};
	assert_int_equal(grpc_server_new(&w.server, w.loop, &server, &note), ERR_OK);
	(void)snprintf(url, sizeof(url), "https://localhost:%u", grpc_server_port(w.server));

	copy("mine.pem", "foreign.pem");
	copy("mine.key", "foreign.key");
	plan_make(&p, url, "mine.pem", "mine.key", "ca.pem");
	assert_int_equal(cores_open(&w.cores, w.loop, &p.c, &log, &w.arena, &note), ERR_OK);
	assert_int_equal(ask(&w), GRPC_UNAVAILABLE);
	assert_non_null(strstr(w.text, "the other side refused"));
	/* Half of the change: all stays. */
	copy("mine.pem", "good.pem");
	cores_reload(&w.cores);
	assert_int_equal(ask(&w), GRPC_UNAVAILABLE);
	assert_int_equal(w.calls, 0);
	copy("mine.key", "good.key");
	cores_reload(&w.cores);
	assert_int_equal(ask(&w), GRPC_OK);
	cores_reload(&w.cores);
	assert_int_equal(ask(&w), GRPC_OK);
	assert_int_equal(w.calls, 2);
	cores_close(&w.cores);
	cores_close(&w.cores); /* as nothing */
	cores_reload(&(struct cores){.log = &log});
	grpc_server_free(w.server);
	tls_free(w.server_tls);
	loop_free(w.loop);
	arena_free(&w.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_that_fit),
		cmocka_unit_test(keys_that_do_not_fit),
		cmocka_unit_test(values_are_not_repeated),
		cmocka_unit_test(files_are_judged),
		cmocka_unit_test(plain_text_to_elsewhere_is_told),
		cmocka_unit_test(reload),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
