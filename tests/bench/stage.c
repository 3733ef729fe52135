/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "stage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/keccak.h"
#include "standin.h"

enum {
	INSERTS_PER_BATCH = 1000,
	INSERT_BYTES_MAX = 32 << 20,
	CLAIM_BYTES_MAX = 1 << 16
};

double stage_now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double stage_cpu_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

long stage_memory_kib(const char *key)
{
	char line[256];
	size_t n = strlen(key);
	long kib = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, n) == 0 && sscanf(&line[n], ": %ld", &kib) == 1)
			break;
	if (f)
		(void)fclose(f);
	return kib;
}

/* ---- the other process ---- */

static struct hash32 handle_of(size_t i)
{
	return world_handle((uint8_t)(1 + i), 5);
}

/* The world's servers, by the URL that the sim knows them by: /gateway is http://gateway. */
static void serve(void *ctx, const struct standin_request *req, struct standin_reply *ret)
{
	static struct buf last;
	static char url[URL_SIZE_MAX];
	struct world *w = ctx;
	struct sim_reply reply = {.status = 404, .body = buf_make(64 << 20)};
	const struct http_request q = {.method = req->method, .url = url, .body = req->body};

	(void)snprintf(url, sizeof(url), "http:/%s", req->path);
	for (size_t i = 0; i < w->net.routes_n; i++)
		if (strncmp(url, w->net.routes[i].prefix, strlen(w->net.routes[i].prefix)) == 0) {
			w->net.routes[i].serve(w->net.routes[i].server, &q, &reply);
			break;
		}
	buf_free(&last);
	last = reply.body;
	ret->status = reply.status;
	ret->body = buf_view(&last);
	for (size_t i = 0; i < reply.headers_n; i++)
		ret->fields[ret->fields_n++] =
			(struct http_field){reply.headers[i].name, reply.headers[i].value};
}

static struct bytes body_of(const struct worker_stage *s, size_t i)
{
	uint8_t *p = malloc(s->size);

	CHECK(p != NULL);
	memset(p, (int)(1 + i), s->size);
	return bytes_from(p, s->size);
}

static void publish(struct world *w, const struct worker_stage *s, unsigned port)
{
	static char urls[WORLD_COPROCESSORS][64];

	for (size_t i = 0; i < STAGE_OBJECTS; i++) {
		world_allow(w, handle_of(i));
		(void)world_publish_committed(w, 0, body_of(s, i));
	}
	for (int i = 0; i < WORLD_COPROCESSORS; i++) {
		(void)snprintf(urls[i], sizeof(urls[0]), "http://127.0.0.1:%u/s3/%c", port,
			       'a' + i);
		w->urls[i] = urls[i];
	}
}

static void standin_run(const struct worker_stage *s, int said)
{
	struct world *w = malloc(sizeof(*w));
	char listen[STAGE_PATH_SIZE + 16];
	struct loop *loop;

	CHECK(w && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	world_init(w, 1);
	CHECK(loop_new(&loop) == ERR_OK);
	(void)snprintf(listen, sizeof(listen), "unix:%s/core", s->dir);
	(void)standin_core_start(loop, listen, w->ecdsa, &w->core.key);
	unsigned port = standin_http_start("127.0.0.1", 0, serve, w);
	publish(w, s, port);
	CHECK(write(said, &port, sizeof(port)) == sizeof(port));
	CHECK(loop_run(loop) == ERR_OK);
}

static void standin_fork(struct worker_stage *s)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	(void)fflush(NULL);
	s->standin = fork();
	CHECK(s->standin >= 0);
	if (s->standin == 0) {
		standin_run(s, fds[1]);
		_exit(1);
	}
	CHECK(read(fds[0], &s->port, sizeof(s->port)) == sizeof(s->port));
	close(fds[0]);
	close(fds[1]);
}

/* ---- rows ---- */

/* As the listener decodes them; rows differ in their ids alone. */
static void template_make(struct worker_stage *s, size_t i)
{
	struct buf data CLEANUP(buf_free) = buf_make(1 << 12);
	struct bytes body = body_of(s, i);
	const struct hash32 handle = handle_of(i), digest = keccak256(body);
	const struct abi_value sender = abi_address(s->w->tx_senders[0]);
	const struct abi_value fields[] = {abi_hash(&handle), abi_uint(u256_from_u64(4)),
					   abi_hash(&digest), abi_items(&sender, 1)};
	const struct abi_value row = abi_items(fields, ARRAY_LEN(fields));
	const struct abi_value values[] = {abi_items(&row, 1), abi_bytes(BYTES_NONE)};
	const struct abi_value tuple = abi_items(values, ARRAY_LEN(values));
	struct event_log log = {.address = s->w->decryption,
				.topics_n = 2,
				.block = {5},
				.block_hash = {{1}},
				.log_index = i};
	const struct abi_type *type;
	struct err_note note = {0};

	CHECK(abi_type_parse(&s->kept, &type, "((bytes32,uint256,bytes32,address[])[],bytes)") ==
		      ERR_OK &&
	      abi_encode(&data, type, &tuple) == ERR_OK &&
	      arena_copy(&s->kept, &log.data, buf_view(&data)) == ERR_OK);
	log.topics[0] = abi_topic("PublicDecryptionRequest(uint256,(bytes32,uint256,bytes32,"
				  "address[])[],bytes)");
	CHECK(event_table_decode(&event_tables[EVENTS_DECRYPTION], &s->kept, &s->templates[i],
				 (struct chain_id){WORLD_GATEWAY_CHAIN}, &log, &note) == ERR_OK);
	free((void *)(uintptr_t)body.p);
}

static void add_rows(struct worker_stage *s, struct store_batch *batch, size_t n)
{
	int64_t now_ms = clock_wall_ms(loop_clock(s->loop));

	for (size_t i = 0; i < n; i++) {
		struct operation *op = &s->templates[s->inserted % STAGE_OBJECTS];

		op->key.request_id = u256_from_u64(++s->inserted);
		CHECK(op_add_insert(batch, op, now_ms) == ERR_OK);
	}
}

static void on_stored(void *ctx, const struct store_result *r)
{
	struct worker_stage *s = ctx;

	if (r->err != ERR_OK) {
		(void)fprintf(stderr, "bench: store: %s: %s\n", err_name(r->err), r->note.text);
		exit(1);
	}
	s->waiting = r->rows_n > 0 ? r->rows[0].rows_n : 0;
	loop_stop(s->loop);
}

void stage_store(struct worker_stage *s, struct store_batch *batch, size_t *rows)
{
	CHECK(store_submit(s->store, batch, on_stored, s) == ERR_OK);
	CHECK(loop_run(s->loop) == ERR_OK);
	if (rows)
		*rows = s->waiting;
}

void stage_insert(struct worker_stage *s, size_t n)
{
	struct store_batch batch = store_batch_make(INSERT_BYTES_MAX);

	while (n > 0) {
		size_t some = n < INSERTS_PER_BATCH ? n : INSERTS_PER_BATCH;

		add_rows(s, &batch, some);
		stage_store(s, &batch, NULL);
		n -= some;
	}
	store_batch_free(&batch);
}

void stage_offer(struct worker_stage *s, size_t n)
{
	struct store_batch batch = store_batch_make(INSERT_BYTES_MAX);

	add_rows(s, &batch, n);
	CHECK(store_submit(s->store, &batch, NULL, NULL) == ERR_OK &&
	      store_notify(s->store, OP_TOPIC_SEEN) == ERR_OK);
	store_batch_free(&batch);
}

uint64_t stage_answered(const struct worker_stage *s)
{
	return s->w->metrics.histograms[METRIC_EVENT_PUBLIC_DECRYPTION].count;
}

/* ---- surroundings ---- */

static enum err post(void *loop, void (*fn)(void *ctx), void *ctx)
{
	return loop_post(loop, fn, ctx);
}

static struct provider *provider_open(struct worker_stage *s, const char *name, uint64_t chain)
{
	char url[64];
	struct provider *p;
	struct err_note note = {0};

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s", s->port, name);
	const struct provider_options o = {
		.url = url, .chain_id = {chain}, .timeout_ms = 10000, .verify_chain = true};
	CHECK(provider_new(&p, s->transport, loop_clock(s->loop), &o, &note) == ERR_OK);
	return p;
}

static void env_fill(struct worker_stage *s)
{
	struct connector_env *env = &s->w->env;
	char url[STAGE_PATH_SIZE + 16];
	struct err_note note = {0};

	env->clock = loop_clock(s->loop);
	env->rng = rng_system();
	env->transport = s->transport;
	env->store = s->store;
	env->store_shared = s->url != NULL;
	env->gateway = provider_open(s, "gateway", WORLD_GATEWAY_CHAIN);
	s->w->hosts[0] = provider_open(s, "host", WORLD_HOST_CHAIN);
	(void)snprintf(url, sizeof(url), "unix:%s/core", s->dir);
	CHECK(channel_grpc_new(&s->w->cores[0], s->loop, url, &note) == ERR_OK);
	s->w->log.level = LOG_LEVEL_ERROR;
	s->w->log.fd = STDERR_FILENO;
}

void stage_open(struct worker_stage *s)
{
	static unsigned opened;
	char sqlite[STAGE_PATH_SIZE + 16], schema[32];
	struct err_note note = {0};

	s->w = malloc(sizeof(*s->w));
	CHECK(s->w != NULL);
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/claviger-bench-XXXXXX");
	CHECK(mkdtemp(s->dir) != NULL);
	standin_fork(s);
	world_init(s->w, 2);
	s->kept = arena_make(1 << 20);
	CHECK(loop_new(&s->loop) == ERR_OK && transport_curl_new(&s->transport, s->loop) == ERR_OK);
	(void)snprintf(sqlite, sizeof(sqlite), "sqlite:%s/db", s->dir);
	(void)snprintf(schema, sizeof(schema), "stage_%u", opened++);
	const struct store_executor executor = {.post = post, .loop = s->loop};
	CHECK(store_open(&s->store, &executor, s->url ? s->url : sqlite, schema,
			 &connector_migrations, &note) == ERR_OK);
	env_fill(s);
	for (size_t i = 0; i < STAGE_OBJECTS; i++)
		template_make(s, i);
}

void stage_close(struct worker_stage *s)
{
	static const char *const files[] = {"core", "db", "db-wal", "db-shm", "db.lock"};
	struct connector_env *env = &s->w->env;
	char path[STAGE_PATH_SIZE + 16];

	worker_stop(s->worker);
	store_free(s->store);
	channel_free(s->w->cores[0]);
	provider_free(env->gateway);
	provider_free(s->w->hosts[0]);
	transport_free(s->transport);
	loop_free(s->loop);
	(void)kill(s->standin, SIGKILL);
	(void)waitpid(s->standin, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", s->dir, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(s->dir);
	s->w->hosts[0] = s->w->host_provider; /* the world's own again */
	world_free(s->w);
	arena_free(&s->kept);
	free(s->w);
}
