/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a listener can take in when it catches up: windows full of public decryption requests, from
 * the text of eth_getLogs to rows and cursor in the database. The chain is a list of prepared
 * replies, so no node and no network is in the figure. Baseline, measured in the same run: parsing
 * the same JSON and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/connector/world.h"
#include "base/hex.h"
#include "base/limits.h"
#include "pg_server.h"

enum {
	WINDOWS = 20,
	LOGS = 5000, /* in a window */
	BLOCKS = 100,
	REPLY_MAX = 24 << 20,
	TARGET = 20000, /* events a second */
};

struct canned {
	struct world w;
	struct buf windows[WINDOWS]; /* the result of eth_getLogs */
	unsigned served;
};

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void add_log(struct buf *out, const struct canned *c, uint64_t id, uint64_t block)
{
	const struct hash32 topic = abi_topic("PublicDecryptionRequest(uint256,bytes32[],bytes)");
	struct hash32 hash = {{0}};
	char address[41], topic_hex[65], hash_hex[65];

	hash.b[0] = 0xb1;
	hash.b[31] = (uint8_t)block;
	hash.b[30] = (uint8_t)(block >> 8);
	hex_encode(address, BYTES_OF(c->w.decryption.b));
	hex_encode(topic_hex, BYTES_OF(topic.b));
	hex_encode(hash_hex, BYTES_OF(hash.b));
	CHECK(buf_addf(out,
		       "{\"address\":\"0x%s\",\"topics\":[\"0x%s\",\"0x%064llx\"],"
		       "\"data\":\"0x%064x%064x%064x%064llx%064x" ZEROS "\","
		       "\"blockNumber\":\"0x%llx\",\"blockHash\":\"0x%s\","
		       "\"transactionHash\":\"0x%064llx\",\"transactionIndex\":\"0x0\","
		       "\"logIndex\":\"0x%llx\",\"removed\":false}",
		       address, topic_hex, (unsigned long long)id, 64, 128, 1,
		       (unsigned long long)id, 1, (unsigned long long)block, hash_hex,
		       (unsigned long long)id, (unsigned long long)id) == ERR_OK);
}

static void prepare(struct canned *c)
{
	for (unsigned i = 0; i < WINDOWS; i++) {
		c->windows[i] = buf_make(REPLY_MAX);
		CHECK(buf_add_u8(&c->windows[i], '[') == ERR_OK);
		for (uint64_t k = 0; k < LOGS; k++) {
			if (k > 0)
				CHECK(buf_add_u8(&c->windows[i], ',') == ERR_OK);
			add_log(&c->windows[i], c, 1 + i * (uint64_t)LOGS + k,
				i * (uint64_t)BLOCKS + k * BLOCKS / LOGS);
		}
		CHECK(buf_add_u8(&c->windows[i], ']') == ERR_OK);
	}
}

static void add_block(struct buf *out, uint64_t n)
{
	CHECK(buf_addf(out,
		       "{\"number\":\"0x%llx\",\"timestamp\":\"0x1\",\"hash\":\"0xb1%058x%04llx\","
		       "\"parentHash\":\"0xb1%058x%04llx\"}",
		       (unsigned long long)n, 0, (unsigned long long)n, 0,
		       (unsigned long long)(n > 0 ? n - 1 : 0)) == ERR_OK);
}

/* Requests are ours, so their members stand where we write them. */
static uint64_t quantity_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	at = at ? &at[strlen(name)] : "latest";
	return strncmp(at, "0x", 2) == 0 ? strtoull(at, NULL, 16) : WINDOWS * BLOCKS - 1;
}

static void serve(void *server, const struct http_request *req, struct sim_reply *ret)
{
	struct canned *c = server;
	char text[2048];

	(void)snprintf(text, sizeof(text), "%.*s", (int)req->body.n, (const char *)req->body.p);
	ret->status = 200;
	ret->delay_ms = 1;
	CHECK(buf_addf(&ret->body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":",
		       strtoull(&strstr(text, "\"id\":")[5], NULL, 10)) == ERR_OK);
	if (strstr(text, "eth_chainId"))
		CHECK(buf_addf(&ret->body, "\"0x%x\"", WORLD_GATEWAY_CHAIN) == ERR_OK);
	else if (strstr(text, "eth_getLogs"))
		CHECK(buf_add(&ret->body,
			      buf_view(&c->windows[quantity_after(text, "\"fromBlock\":\"") /
						   BLOCKS])) == ERR_OK);
	else
		add_block(&ret->body, quantity_after(text, "\"params\":[\""));
	CHECK(buf_add_u8(&ret->body, '}') == ERR_OK);
	c->served++;
}

static bool all_read(void *ctx)
{
	const struct canned *c = ctx;

	return c->w.metrics.cells[METRIC_LISTENER_CURSOR][METRIC_CONTRACT_DECRYPTION] ==
	       WINDOWS * BLOCKS - 1;
}

/* Requests a second. */
static double catch_up(struct canned *c, const char *engine, const char *url)
{
	struct listener *l = NULL;

	world_init(&c->w, 1);
	c->w.net.routes[0].serve = serve; /* the gateway */
	c->w.net.routes[0].server = c;
	c->w.config.decryption_from_block_number_given = true;
	c->w.sim.url = url;
	if (url)
		sim_store_reopen(&c->w.sim);
	prepare(c);

	double began = now_s();
	CHECK(listener_start(&l, &c->w.env) == ERR_OK);
	CHECK(sim_run_until(&c->w.sim, all_read, c, 600000));
	double per_s = (double)WINDOWS * LOGS / (now_s() - began);

	CHECK(sim_sql_int(&c->w.sim, "SELECT count(*) FROM operation") == WINDOWS * LOGS);
	(void)printf("  %s: %.0f events/s (%u requests answered)\n", engine, per_s, c->served);
	(void)printf("figure: catch-up ingest, %s; target >= %d events/s; measured %.0f\n", engine,
		     TARGET, per_s);
	listener_stop(l);
	return per_s;
}

static void canned_free(struct canned *c)
{
	for (unsigned i = 0; i < WINDOWS; i++)
		buf_free(&c->windows[i]);
	world_free(&c->w);
	free(c);
}

static double parse_per_s(const struct canned *c)
{
	double began = now_s();

	for (unsigned i = 0; i < WINDOWS; i++) {
		json_t *doc = NULL;

		CHECK(json_parse(&doc, buf_view(&c->windows[i]), REPLY_MAX, NULL) == ERR_OK);
		json_decref(doc);
	}
	return (double)WINDOWS * LOGS / (now_s() - began);
}

static void run(const char *engine, const char *url)
{
	struct canned *c = calloc(1, sizeof(*c));

	CHECK(c != NULL);
	double per_s = catch_up(c, engine, url), parse = parse_per_s(c);
	(void)printf("  baseline, parsing the same JSON: %.0f events/s; ratio %.2f\n", parse,
		     per_s / parse);
	canned_free(c);
}

int main(void)
{
	static struct pg_server server;

	if (!pg_server_start(&server))
		return 1;
	(void)printf(
		"listener, catch-up: %d windows of %d requests, prepared replies, one process\n",
		WINDOWS, LOGS);
	run("SQLite", NULL);
	run("PostgreSQL", server.url);
	pg_server_remove(&server);
	return 0;
}
