/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A process of the connector, as its main does it: store, providers, three services. It ends by
 * SIGKILL, by the disk in the middle of a write, or because a service asks for its end; something
 * starts it again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "eth/signer_aws.h"
#include "sim.h"

enum {
	RPC_TIMEOUT_MS = 10000,
	RESTART_MS = 1000
};

/* ---- the store that services see: the real one, with the planted bug in its words ---- */

static enum err plain_submit(struct store *base, struct store_batch *b, store_done_fn *done,
			     void *ctx)
{
	struct process *p = CONTAINER_OF(base, struct process, plain);

	if (!p->alive) { /* what a process does after its end nobody sees */
		store_batch_free(b);
		return ERR_BUSY;
	}
	for (size_t i = 0; p->sim->plant && i < b->n; i++)
		b->v[i].sql = plant_sql(p->sim, b->v[i].sql);
	return store_submit(p->store, b, done, ctx);
}

static void plain_on_notify(struct store *base, const char *topic, void (*fn)(void *ctx), void *ctx)
{
	store_on_notify(CONTAINER_OF(base, struct process, plain)->store, topic, fn, ctx);
}

static enum err plain_notify(struct store *base, const char *topic)
{
	struct process *p = CONTAINER_OF(base, struct process, plain);

	return p->alive ? store_notify(p->store, topic) : ERR_OK;
}

static const struct store_ops plain_ops = {
	.submit = plain_submit,
	.on_notify = plain_on_notify,
	.notify = plain_notify,
};

static enum err post(void *home, void (*fn)(void *ctx), void *ctx)
{
	struct sim_queue_home *h = home;

	(void)loop_after(h->loop, h->host, 0, fn, ctx);
	return ERR_OK;
}

/* ---- the disk ---- */

static int64_t disk_delay(void *ctx)
{
	struct process *p = ctx;

	if (fault(p->sim, FAULT_DISK_SLOW))
		return fault_length(p->sim, 100, 5 * SECOND);
	return sim_between(p->sim, 0, 3);
}

static bool disk_fails(void *ctx, int code)
{
	struct process *p = ctx;
	struct sim *s = p->sim;

	if (code == SQLITE_FULL)
		return s->faults.disk_full_until_ms > s->loop.now_ms;
	return code == SQLITE_IOERR_FSYNC && fault(s, FAULT_SYNC_FAILS);
}

static enum err store_result(void *ctx)
{
	struct process *p = ctx;

	return p->sim->processes_n > 1 && fault(p->sim, FAULT_COMMIT_UNSURE) ? ERR_TRANSIENT
									     : ERR_OK;
}

static void on_restart(void *ctx);

/* A new block that a process will hear of. */
struct sim_wake {
	struct process *p;
	unsigned start;
	size_t chain;
};

static void on_no_signer(void *ctx)
{
	process_kill(ctx, RESTART_MS);
}

static void on_died(void *ctx)
{
	struct process *p = ctx;

	p->sim->kills++;
	sim_trace(p->sim, "process %zu: killed at change %llu of the disk", p->index,
		  (unsigned long long)p->disk_user.changes);
	process_kill(p, sim_between(p->sim, 10, 20 * SECOND));
}

/* ---- the signer ---- */

struct signing {
	struct process *p;
	struct hash32 digest;
	signer_done_fn *done;
	void *ctx;
	unsigned start; /* of the process */
};

static void sign_fails(void *ctx)
{
	struct signing *g = ctx;

	if (g->p->alive && g->p->starts == g->start)
		g->done(g->ctx, ERR_UNAVAILABLE, NULL);
	free(g);
}

static void sign_later(void *ctx)
{
	struct signing *g = ctx;

	if (g->p->alive && g->p->starts == g->start &&
	    signer_sign(g->p->raw_signer, g->digest, g->done, g->ctx) != ERR_OK)
		g->done(g->ctx, ERR_UNAVAILABLE, NULL);
	free(g);
}

static enum err sign(struct signer *base, struct hash32 digest, signer_done_fn *done, void *ctx)
{
	struct process *p = CONTAINER_OF(base, struct process, signer);
	struct sim *s = p->sim;
	bool down = p->signer_down_until_ms > s->loop.now_ms, slow = fault(s, FAULT_SIGNER_SLOW);
	struct signing *g;

	if (!down && !slow)
		return signer_sign(p->raw_signer, digest, done, ctx);
	g = malloc(sizeof(*g));
	CHECK(g != NULL);
	*g = (struct signing){p, digest, done, ctx, p->starts};
	(void)loop_after(&s->loop, NULL, slow ? fault_length(s, SECOND, 20 * SECOND) : 50,
			 down ? sign_fails : sign_later, g);
	return ERR_OK;
}

static const struct signer_ops signer_ops = {.sign = sign};

/* ---- configuration ---- */

/* Every key has its default from the product's table; then what the seed chooses. */
#define GENERATION                                                                                 \
	"KMS_CONNECTOR_KMS_GENERATION_CONTRACT__ADDRESS="                                          \
	"0x9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e"
#define PROTOCOL                                                                                   \
	"KMS_CONNECTOR_PROTOCOL_CONFIG_CONTRACT__ADDRESS="                                         \
	"0xcfcfcfcfcfcfcfcfcfcfcfcfcfcfcfcfcfcfcfcf"

static const char *finality(struct sim *s)
{
	uint64_t i = more_below(s, 10);

	return i < 5   ? "KMS_CONNECTOR_ETHEREUM_FINALITY=latest"
	       : i < 8 ? "KMS_CONNECTOR_ETHEREUM_FINALITY=safe"
		       : "KMS_CONNECTOR_ETHEREUM_FINALITY=finalized";
}

static void config_make(struct process *p)
{
	const struct faults *f = &p->sim->faults;
	const char *env[16] = {
		"KMS_CONNECTOR_DATABASE_URL=sqlite:/db",
		"KMS_CONNECTOR_GATEWAY_URL=http://gateway0",
		"KMS_CONNECTOR_GATEWAY_CHAIN_ID=54321",
		"KMS_CONNECTOR_KMS_CORE_ENDPOINTS=http://core:50051",
		"KMS_CONNECTOR_DECRYPTION_CONTRACT__ADDRESS="
		"0xdededededededededededededededededededede",
		"KMS_CONNECTOR_GATEWAY_CONFIG_CONTRACT__ADDRESS="
		"0x6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c",
		"KMS_CONNECTOR_HOST_CHAINS=[{\"url\":\"http://host0\",\"chain_id\":12345,"
		"\"acl_address\":\"0xacacacacacacacacacacacacacacacacacacacac\"}]",
		"KMS_CONNECTOR_ETHEREUM_URL=http://host0",
		"KMS_CONNECTOR_ETHEREUM_CHAIN_ID=12345",
		"KMS_CONNECTOR_PRIVATE_KEY="
		"5151515151515151515151515151515151515151515151515151515151515151",
	};
	size_t n = 0;

	while (env[n])
		n++;
	if (f->on[FAULT_KEYS] || f->on[FAULT_KEYS_GATEWAY])
		env[n++] = GENERATION;
	if (f->on[FAULT_KEYS]) {
		env[n++] = PROTOCOL;
		env[n++] = finality(p->sim);
	} else if (f->on[FAULT_KEYS_GATEWAY]) {
		env[n++] = "KMS_CONNECTOR_KEY_MANAGEMENT_CHAIN=gateway";
	}
	CHECK(n < ARRAY_LEN(env));
	const struct config_source source = {.env = env};
	struct err_note note = {0};
	enum err e = connector_config_load(&p->config, SERVICE_ALL, &source, &p->arena, &note);

	if (e != ERR_OK)
		(void)fprintf(stderr, "configuration: %s\n", note.text);
	CHECK(e == ERR_OK);
}

static void config_init(struct process *p)
{
	struct sim *s = p->sim;
	struct connector_config *c = &p->config;

	config_make(p);
	for (size_t i = 1; i < s->gateway.endpoints_n; i++)
		p->gateway_more[i - 1] = s->gateway.endpoints[i].url;
	for (size_t i = 1; i < s->host.endpoints_n; i++)
		p->host_more[i - 1] = s->host.endpoints[i].url;
	c->gateway_quorum = s->faults.on[FAULT_ENDPOINT_LIES] ? 2 : 0;
	c->decryption_polling_ms = sim_between(s, 1, 5) * SECOND;
	c->get_logs_batch_size = (uint64_t)sim_between(s, 5, 100);
	c->decryption_from_block_number = 1;
	c->max_decryption_attempts = 100000;
	c->s3_max_ciphertext_size = 1 << 20;
	c->acl_grace_ms = 10 * MINUTE;
	c->decryption_expiry_ms = INT64_C(24) * HOUR;
	c->tx_replace_after_ms = sim_between(s, 20, 120) * SECOND;
	c->gateway_tx_required_confirmations = (uint64_t)sim_between(s, 1, 3);
	c->kms_operation_from_block_number = 1;
	if (s->faults.on[FAULT_KEYS]) {
		c->key_management_polling_ms = more_between(s, 2, 15) * SECOND;
		c->ethereum_tx_required_confirmations = (uint64_t)more_between(s, 1, 3);
	}
	if (s->plant && s->plant->config)
		s->plant->config(c);
}

static struct provider *provider_of(struct process *p, const struct chain *c,
				    const char *const *more)
{
	const struct provider_options o = {
		.url = c->endpoints[0].url,
		.chain_id = {c->id},
		.timeout_ms = RPC_TIMEOUT_MS,
		.more_urls = more,
		.more_urls_n = c->endpoints_n - 1,
		.quorum = p->sim->faults.on[FAULT_ENDPOINT_LIES] ? 2 : 0,
		.verify_chain = true,
		.head_poll_ms = 5 * SECOND,
	};
	struct provider *ret;
	struct err_note note = {0};

	CHECK(provider_new(&ret, &p->transport, &p->host.clock, &o, &note) == ERR_OK);
	return ret;
}

static void on_fatal(void *ctx, enum err err, const char *why)
{
	struct process *p = ctx;

	sim_fail(p->sim, "a service wants its process to end: %s, %s", err_name(err), why);
}

static void env_init(struct process *p)
{
	struct sim *s = p->sim;

	p->hosts[0] = provider_of(p, &s->host, p->host_more);
	if (s->faults.on[FAULT_KEYS])
		p->ethereum = provider_of(p, &s->host, p->host_more);
	p->gateway = provider_of(p, &s->gateway, p->gateway_more);
	p->cores[0] = &p->channel;
	p->log = (struct log){.level = LOG_LEVEL_DEBUG, .fd = s->trace ? 2 : s->log_fd};
	p->env = (struct connector_env){
		.clock = &p->host.clock,
		.rng = &p->rng.base,
		.transport = &p->transport,
		.store = &p->plain,
		.cores = p->cores,
		.cores_n = 1,
		.ecdsa = s->ecdsa,
		.signer = p->aws_signer ? p->aws_signer : &p->signer,
		.gateway = p->gateway,
		.hosts = p->hosts,
		.hosts_n = 1,
		.ethereum = p->ethereum,
		.config = &p->config,
		.log = &p->log,
		.metrics = &p->metrics,
		.inflight = &p->inflight,
		.owner = p->owner,
		.store_shared = s->processes_n > 1,
		.fatal = on_fatal,
		.fatal_ctx = p,
	};
}

/* ---- life ---- */

static void run_before(struct process *p)
{
	struct store_batch b = store_batch_make(1 << 16);
	const char *sql = p->sim->plant ? p->sim->plant->restart_sql : NULL;

	if (sql && p->starts > 1)
		CHECK(STORE_ADD(&b, STORE_ANY, sql) == ERR_OK);
	if (p->sim->processes_n == 1)
		CHECK(op_add_release_all(&b) == ERR_OK);
	CHECK(store_submit(p->store, &b, NULL, NULL) == ERR_OK);
}

static void restart_later(struct process *p, int64_t ms)
{
	loop_cancel(&p->sim->loop, &p->restart);
	p->restart = loop_after(&p->sim->loop, NULL, ms, on_restart, p);
}

/* A listener and a sender for each chain. */
static void chains_init(struct process *p)
{
	struct service_chain ethereum = service_chain_ethereum(&p->env, p->ethereum);

	p->chain_envs[0] = p->chain_envs[1] = p->env;
	p->chain_envs[0].chain = service_chain_gateway(&p->env);
	p->chain_envs[1].chain = ethereum;
	p->chains_n = ethereum.contracts_n > 0 ? 2 : 1;
}

static void services_start(struct process *p)
{
	env_init(p);
	chains_init(p);
	for (size_t i = 0; i < p->chains_n; i++)
		CHECK(listener_start(&p->listeners[i], &p->chain_envs[i]) == ERR_OK);
	CHECK(worker_start(&p->worker, &p->env) == ERR_OK);
	for (size_t i = 0; i < p->chains_n; i++)
		CHECK(sender_start(&p->senders[i], &p->chain_envs[i]) == ERR_OK);
}

/* Without a key the process ends, and is started again. */
static void on_opened(void *ctx, enum err err, const struct err_note *note)
{
	struct process *p = ctx;

	if (err == ERR_OK) {
		CHECK(address_eq(p->aws_signer->address, p->sim->account));
		services_start(p);
		return;
	}
	sim_trace(p->sim, "process %zu: no signer: %s %s", p->index, err_name(err), note->text);
	(void)loop_after(&p->sim->loop, NULL, 0, on_no_signer, p);
}

static void signer_start(struct process *p)
{
	static const char *const env[] = {"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
					  "AWS_SECRET_ACCESS_KEY=" AWS_SECRET,
					  "AWS_REGION=eu-west-1", NULL};
	const struct signer_aws_options o = {
		.transport = &p->transport,
		.clock = &p->host.clock,
		.rng = &p->rng.base,
		.ecdsa = p->sim->ecdsa,
		.env = env,
		.key_id = "alias/claviger",
		.endpoint = KMS_URL,
	};
	struct err_note note = {0};

	p->alive = true;
	if (p->sim->faults.on[FAULT_AWS_SIGNER]) {
		CHECK(signer_aws_new(&p->aws_signer, &o, on_opened, p, &note) == ERR_OK);
		return;
	}
	CHECK(signer_raw_new(&p->raw_signer, &p->host.clock, p->sim->ecdsa, &p->sim->account_key) ==
	      ERR_OK);
	p->signer = (struct signer){&signer_ops, p->raw_signer->address};
	services_start(p);
}

static void on_head(void *ctx)
{
	struct sim_wake *w = ctx;

	if (w->p->alive && w->p->starts == w->start && w->p->listeners[w->chain])
		listener_wake(w->p->listeners[w->chain]);
}

void process_wake(struct process *p, const struct chain *c)
{
	size_t chain = c == &p->sim->gateway ? 0 : 1;
	struct sim_wake *w;

	if (!p->alive || chain >= p->chains_n || more_chance(p->sim, 10))
		return;
	w = arena_alloc(&p->sim->kept, sizeof(*w));
	CHECK(w != NULL);
	*w = (struct sim_wake){p, p->starts, chain};
	(void)loop_after(&p->sim->loop, &p->host, more_between(p->sim, 1, 300), on_head, w);
}

void process_start(struct process *p)
{
	struct sim *s = p->sim;
	const struct store_executor executor = {.post = post, .loop = &p->queue_home};
	struct err_note note = {0};
	enum err e;

	/* At every start it would read all again, and no cursor would matter. */
	p->config.decryption_from_block_number_given = p->starts++ == 0;
	p->config.kms_operation_from_block_number_given = p->starts == 1;
	p->disk_user.gone = false;
	p->disk_user.changes = 0;
	s->disk.user = &p->disk_user;
	e = store_sqlite_open(&p->store, &executor, DATABASE, &connector_migrations, &note);
	if (e != ERR_OK) {
		sim_trace(s, "process %zu: start %u: the database does not open: %s %s", p->index,
			  p->starts, err_name(e), note.text);
		if (e == ERR_CORRUPT || err_class(e) == ERR_CLASS_CONFIG)
			sim_fail(s, "the database does not open: %s", note.text);
		p->disk_user.end_at = 0;
		restart_later(p, RESTART_MS);
		return;
	}
	sim_trace(s, "process %zu: start %u", p->index, p->starts);
	(void)snprintf(p->owner, sizeof(p->owner), "process-%zu-%u", p->index, p->starts);
	run_before(p);
	signer_start(p);
}

static void on_restart(void *ctx)
{
	struct process *p = ctx;

	p->restart = (struct sim_event){0};
	process_start(p);
}

void process_hurry(struct process *p)
{
	if (p->restart.e)
		restart_later(p, RESTART_MS);
}

/* Frees what a process has; the world keeps the disk and what was sent. */
static void process_clear(struct process *p)
{
	for (size_t i = 0; i < ARRAY_LEN(p->listeners); i++)
		listener_stop(p->listeners[i]);
	worker_stop(p->worker);
	for (size_t i = 0; i < ARRAY_LEN(p->senders); i++)
		sender_stop(p->senders[i]);
	store_free(p->store);
	provider_free(p->hosts[0]);
	provider_free(p->ethereum);
	provider_free(p->gateway);
	signer_free(p->raw_signer);
	signer_free(p->aws_signer);
	net_abandon(p);
	inflight_free(&p->inflight);
	memset(p->listeners, 0, sizeof(p->listeners));
	memset(p->senders, 0, sizeof(p->senders));
	p->worker = NULL;
	p->store = NULL;
	p->gateway = p->hosts[0] = p->ethereum = NULL;
	p->raw_signer = p->aws_signer = NULL;
	p->chains_n = 0;
	p->alive = false;
	p->host.paused_until_ms = 0;
}

void process_kill(struct process *p, int64_t restart_ms)
{
	if (!p->alive)
		return;
	p->disk_user.gone = true;
	p->alive = false;
	process_clear(p);
	p->disk_user.end_at = 0;
	restart_later(p, restart_ms);
}

void process_stop(struct process *p)
{
	loop_cancel(&p->sim->loop, &p->restart);
	if (p->alive)
		process_clear(p);
	connector_config_free(&p->config);
	arena_free(&p->arena);
}

void process_init(struct process *p, struct sim *s, size_t index)
{
	*p = (struct process){.sim = s, .index = index, .plain = {&plain_ops}};
	host_init(&p->host, &s->loop);
	(void)rng_seeded_init(&p->rng, s->seed ^ (0x9e3779b97f4a7c15 * (index + 1)));
	p->arena = arena_make(4 << 20);
	net_init(p);
	p->disk_user = (struct disk_user){.fails = disk_fails, .fails_ctx = p};
	p->queue_home = (struct sim_queue_home){
		.loop = &s->loop,
		.host = &p->host,
		.disk_user = &p->disk_user,
		.disk = &s->disk,
		.queues = &s->queues,
		.delay_ms = disk_delay,
		.result = store_result,
		.died = on_died,
		.ctx = p,
	};
	config_init(p);
}
