/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/limits.h"
#include "connector/audit.h"
#include "connector/collector.h"
#include "connector/config_file.h"
#include "connector/cores.h"
#include "connector/service_buckets.h"
#include "connector/service_monitoring.h"
#include "connector/service_providers.h"
#include "connector/service_signer.h"
#include "connector/tracing.h"
#include "eth/heads.h"
#include "net/aws_settings.h"
#include "net/notify.h"

enum {
	CONFIG_ARENA_MAX = 4 << 20,
	STOP_LOOK_MS = 20,      /* how often a stop looks whether the work is done */
	STOP_EXTEND_MS = 60000, /* what a manager is asked for, however long shutdown_grace is … */
	STOP_EXTEND_AGAIN_MS = 10000, /* … as long as the loop turns */
	OWNER_BYTES = 16,
	NAME_MAX_BYTES = 64,
	SERVED_CHAINS = 2
};

struct process {
	const struct service_options *options;
	struct arena arena; /* configuration, lists of providers and channels */
	struct connector_config config;
	struct secret database_url; /* until the store is open */
	struct log_state log_state;
	struct log log;

	struct loop *loop;
	struct transport *transport, *buckets; /* NULL: buckets are read as all else is */
	struct ecdsa *ecdsa;
	struct signer *signer;
	struct store *store;
	struct service_providers chains;
	struct cores cores;
	struct connector_metrics metrics;
	struct inflight inflight;
	char owner[2 * OWNER_BYTES + 1];
	struct connector_env env;

	/* [1] is for the ethereum chain, where something is configured to be on it. */
	struct connector_env chain_envs[SERVED_CHAINS];
	size_t chains_n;
	struct listener *listeners[SERVED_CHAINS];
	struct heads *heads[SERVED_CHAINS]; /* where a chain has a WebSocket */
	struct worker *worker;
	struct sender *senders[SERVED_CHAINS];
	struct monitoring *monitoring;
	struct auditor *auditor;
	struct collector *collector;
	struct tracer *tracer;

	struct notify notify;
	bool stopping;
	int64_t stop_by_ms, extend_ms; /* monotonic; when to ask for more time */
	struct timer stop;

	enum err fatal;
	struct err_note fatal_note;
};

/* ---- configuration ---- */

static void on_oddity(void *ctx, const struct config_oddity *o)
{
	const struct process *p = ctx;

	if (o->kind == CONFIG_SLIPPED_KEY)
		LOG_WARN(&p->log,
			 "A configuration key stands under a table, and is taken as if it stood "
			 "above the first one",
			 log_s("key", o->key), log_s("where", o->where),
			 log_s("taken_for", o->meant));
	else if (o->meant)
		LOG_WARN(&p->log, "A configuration key is not known and has no effect",
			 log_s("key", o->key), log_s("where", o->where),
			 log_s("similar", o->meant));
	else
		LOG_WARN(&p->log, "A configuration key is not known and has no effect",
			 log_s("key", o->key), log_s("where", o->where));
}

static void on_remark(void *ctx, const char *text)
{
	const struct process *p = ctx;

	LOG_WARN(&p->log, "Configuration", log_s("detail", text));
}

static void on_config(void *ctx, const struct connector_config *c)
{
	struct process *p = ctx;

	(void)(log_level_parse(&p->log.level, c->log_level) == ERR_OK); /* it was checked */
	p->log.format = strcmp(c->log_format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
	if (!p->options->named && c->service_name && c->service_name[0])
		p->log.service = c->service_name;
}

static enum err config_read(struct process *p, struct err_note *note)
{
	const char *const *env = (const char *const *)p->options->env;
	const struct connector_config_source source = {
		.file = p->options->config_file,
		.env = env,
		.loaded = on_config,
		.oddity = on_oddity,
		.remark = on_remark,
		.ctx = p,
	};

	TRY(connector_config_read(&p->config, p->options->services, &source, &p->arena, note));
	TRY(connector_database_url(&p->database_url, &p->config.database_url, env, note));
	secret_free(&p->config.database_url);
	service_signer_judge_file(&p->config, env, p->options->config_file, &p->log);
	config_wipe_env(&connector_config, p->options->env);
	return ERR_OK;
}

/* ---- parts ---- */

static enum err store_post(void *loop, void (*fn)(void *ctx), void *ctx)
{
	return loop_post(loop, fn, ctx);
}

/* SQLite serves one process, and three services are three. */
static enum err database_refused(const struct process *p, enum err e, struct err_note *note)
{
	const struct err_note why = *note;

	if (err_class(e) != ERR_CLASS_CONFIG)
		return e;
	if (p->options->services != SERVICE_ALL && !p->env.store_shared)
		return err_say(note, e,
			       "database_url: %s; services in processes of their own share a "
			       "postgres:// database",
			       why.text);
	return err_prefix(note, e, "database_url");
}

static enum err leases_release(struct process *p)
{
	struct store_batch b = store_batch_make(1 << 16);
	enum err e = op_add_release_all(&b);

	if (e == ERR_OK)
		e = store_submit(p->store, &b, NULL, NULL);
	store_batch_free(&b);
	return e;
}

static enum err database_open(struct process *p, struct err_note *note)
{
	const struct store_executor executor = {
		.post = store_post, .loop = p->loop, .owner = p->owner};
	const char *url = (const char *)p->database_url.p;
	char shown[STORE_URL_SHOWN_SIZE];
	enum err e;

	p->env.store_shared = store_url_shared(url);
	store_url_show(shown, url);
	LOG_INFO(&p->log, "Database", log_s("url", shown));
	e = store_open(&p->store, &executor, url, CONNECTOR_SCHEMA, &connector_migrations, note);
	secret_free(&p->database_url);
	if (e != ERR_OK)
		return database_refused(p, e, note);
	if (p->env.store_shared) /* who holds a lease may be alive: its time ends it */
		return ERR_OK;
	if (p->options->services != SERVICE_ALL)
		LOG_WARN(&p->log, "SQLite serves one process: no other service can run beside this "
				  "one; for separate services use postgres://");
	/* We hold the file's lock: whoever had leases is dead. */
	return leases_release(p);
}

static enum err transport_open(struct process *p)
{
	struct transport *http;

	TRY(transport_curl_new(&http, p->loop));
	return transport_ws_new(&p->transport, p->loop, http);
}

static enum err buckets_open(struct process *p, struct err_note *note)
{
	if ((p->options->services & SERVICE_WORKER) == 0)
		return ERR_OK;
	return service_buckets_open(&p->buckets, &p->config, p->transport, loop_clock(p->loop),
				    (const char *const *)p->options->env, &p->log, note);
}

static enum err signer_open(struct process *p, struct err_note *note)
{
	uint8_t seed[32];
	enum err e;

	rng_fill(rng_system(), seed, sizeof(seed));
	e = ecdsa_new(&p->ecdsa, seed);
	secret_wipe(seed, sizeof(seed));
	TRY(e);
	if ((p->options->services & SERVICE_SENDER) == 0)
		return ERR_OK;

	const struct service_signer_options o = {
		.config = &p->config,
		.env = p->options->env,
		.loop = p->loop,
		.transport = p->transport,
		.ecdsa = p->ecdsa,
		.log = &p->log,
	};

	return service_signer_open(&p->signer, &o, note);
}

/* ---- life ---- */

static void on_fatal(void *ctx, enum err err, const char *why)
{
	struct process *p = ctx;

	if (p->fatal == ERR_OK)
		p->fatal = err_say(&p->fatal_note, err, "%s", why);
	loop_stop(p->loop);
}

/* A service manager kills who takes long to stop, unless it is told, again and again. */
static void stop_extend(struct process *p, int64_t now_ms)
{
	if (now_ms < p->extend_ms)
		return;
	notify_extend(&p->notify, STOP_EXTEND_MS);
	p->extend_ms = now_ms + STOP_EXTEND_AGAIN_MS;
}

static void stop_look(void *ctx)
{
	struct process *p = ctx;
	bool worked = worker_idle(p->worker), sent = true;
	int64_t now_ms = clock_mono_ms(loop_clock(p->loop)), left_ms = p->stop_by_ms - now_ms;

	stop_extend(p, now_ms);
	for (size_t i = 0; i < SERVED_CHAINS; i++) {
		if (worked) /* what the worker still answered is the sender's to begin */
			sender_drain(p->senders[i]);
		sent = sent && sender_idle(p->senders[i]);
	}
	if (worked && sent)
		tracer_flush(p->tracer);
	if ((worked && sent && tracer_idle(p->tracer)) || left_ms <= 0) {
		if (left_ms <= 0)
			LOG_WARN(&p->log, "Work is left to the next start");
		loop_stop(p->loop);
		return;
	}
	clock_timer_set(loop_clock(p->loop), &p->stop, STOP_LOOK_MS, stop_look, p);
}

/* What has begun is ended, within shutdown_grace; nothing new is begun. */
static void on_signal(void *ctx)
{
	struct process *p = ctx;

	LOG_INFO(&p->log, "Stopping");
	notify_stopping(&p->notify);
	if (p->stopping || !p->monitoring || p->config.shutdown_grace_ms == 0) {
		loop_stop(p->loop);
		return;
	}
	p->stopping = true;
	p->stop_by_ms = clock_mono_ms(loop_clock(p->loop)) + p->config.shutdown_grace_ms;
	for (size_t i = 0; i < SERVED_CHAINS; i++) {
		listener_stop(p->listeners[i]);
		p->listeners[i] = NULL;
	}
	worker_drain(p->worker);
	stop_look(p);
}

static void on_reload(void *ctx)
{
	struct process *p = ctx;

	notify_reloading(&p->notify);
	cores_reload(&p->cores);
	auditor_event(p->auditor, "read_anew", "certificates");
	notify_ready(&p->notify, "Certificates read anew");
}

static void owner_make(struct process *p)
{
	uint8_t owner[OWNER_BYTES];

	rng_fill(rng_system(), owner, sizeof(owner));
	hex_encode(p->owner, BYTES_OF(owner));
}

static enum err traces_open(struct process *p, struct err_note *note)
{
	const struct tracing_options o = {
		.config = &p->config,
		.env = (const char *const *)p->options->env,
		.service = p->log.service,
		.version = p->options->version,
		.instance = p->owner,
		.log = &p->log,
	};

	return tracing_open(&p->tracer, p->transport, loop_clock(p->loop), rng_system(), &o, note);
}

static void env_fill(struct process *p)
{
	p->env = (struct connector_env){
		.clock = loop_clock(p->loop),
		.rng = rng_system(),
		.transport = p->transport,
		.buckets = p->buckets,
		.store = p->store,
		.cores = p->cores.channels,
		.cores_n = p->cores.n,
		.ecdsa = p->ecdsa,
		.signer = p->signer,
		.gateway = p->chains.gateway,
		.parent = p->chains.parent,
		.hosts = p->chains.hosts,
		.hosts_n = p->config.host_chains_n,
		.ethereum = p->config.protocol_config_given ? p->chains.ethereum : NULL,
		.config = &p->config,
		.log = &p->log,
		.metrics = &p->metrics,
		.tracer = p->tracer,
		.inflight = &p->inflight,
		.owner = p->owner,
		.store_shared = p->env.store_shared,
		.fatal = on_fatal,
		.fatal_ctx = p,
	};
}

/* Each listener and each sender has the chain that it serves. */
static void chains_fill(struct process *p)
{
	struct service_chain ethereum = service_chain_ethereum(&p->env, p->chains.ethereum);

	p->chain_envs[0] = p->env;
	p->chain_envs[0].chain = service_chain_gateway(&p->env);
	p->chain_envs[1] = p->env;
	p->chain_envs[1].chain = ethereum;
	p->chains_n = ethereum.contracts_n > 0 ? 2 : 1;
}

static enum err auditor_begin(struct process *p)
{
	CLEANUP(buf_free) struct buf program = buf_make(256);
	const char *text;

	TRY(buf_addf(&program, "%s %s (%s)", p->options->name, p->options->version,
		     p->options->build));
	TRY(buf_cstr(&program, &text));
	return auditor_start(&p->auditor, &p->env, text);
}

static void on_gateway_head(void *ctx)
{
	struct process *p = ctx;

	if (p->listeners[0])
		listener_wake(p->listeners[0]);
}

static void on_ethereum_head(void *ctx)
{
	struct process *p = ctx;

	if (p->listeners[1])
		listener_wake(p->listeners[1]);
}

/* The first WebSocket among a chain's endpoints also tells of new blocks. */
static enum err heads_open(struct process *p, size_t chain, struct err_note *note)
{
	const struct connector_config *c = &p->config;
	const struct config_strings *more = chain == 0 ? &c->gateway_urls : &c->ethereum_urls;
	const char *url = chain == 0 ? c->gateway_url : c->ethereum_url;

	for (size_t i = 0; strncmp(url, "ws", 2) != 0 && i < more->n; i++)
		url = more->v[i];
	if (strncmp(url, "ws", 2) != 0)
		return ERR_OK;
	return heads_watch(&p->heads[chain], p->loop, url,
			   chain == 0 ? on_gateway_head : on_ethereum_head, p, note);
}

/* The listener first: its first question is on the wire before the others have been built. */
static enum err services_start(struct process *p, struct err_note *note)
{
	const unsigned services = p->options->services;
	const struct monitoring_options m = {
		.env = &p->env,
		.loop = p->loop,
		.services = services,
		.ethereum = p->chains.ethereum,
		.name = p->log.service,
		.version = p->options->version,
		.build = p->options->build,
	};

	TRY(auditor_begin(p));
	TRY(monitoring_start(&p->monitoring, &m, note));
	for (size_t i = 0; (services & SERVICE_LISTENER) != 0 && i < p->chains_n; i++) {
		TRY(listener_start(&p->listeners[i], &p->chain_envs[i]));
		TRY(heads_open(p, i, note));
	}
	if ((services & SERVICE_WORKER) != 0) {
		TRY(worker_start(&p->worker, &p->env));
		monitoring_watch(p->monitoring, p->worker);
	}
	for (size_t i = 0; (services & SERVICE_SENDER) != 0 && i < p->chains_n; i++)
		TRY(sender_start(&p->senders[i], &p->chain_envs[i]));
	if ((services & SERVICE_SENDER) != 0)
		TRY(collector_start(&p->collector, &p->env));
	LOG_INFO(&p->log, "Monitoring", log_s("endpoint", p->config.monitoring_endpoint),
		 log_i("port", (int64_t)monitoring_port(p->monitoring)));
	return ERR_OK;
}

/* Another process may go on at once, and need not wait until they end. */
static void leases_give_back(struct process *p)
{
	struct store_batch b = store_batch_make(1 << 16);

	if (!p->store || !p->env.owner)
		return;
	if (op_add_release_own(&b, p->owner) != ERR_OK ||
	    store_submit(p->store, &b, NULL, NULL) != ERR_OK)
		LOG_WARN(&p->log, "Leases could not be given back, they run out by themselves");
	store_batch_free(&b);
}

/* Each after everything that calls it. The store commits what was submitted to it. */
static void process_stop(struct process *p)
{
	monitoring_stop(p->monitoring);
	for (size_t i = 0; i < SERVED_CHAINS; i++) {
		heads_free(p->heads[i]);
		listener_stop(p->listeners[i]);
	}
	worker_stop(p->worker);
	for (size_t i = 0; i < SERVED_CHAINS; i++)
		sender_stop(p->senders[i]);
	leases_give_back(p);
	collector_stop(p->collector);
	auditor_stop(p->auditor);
	store_free(p->store);
	cores_close(&p->cores);
	service_providers_close(&p->chains);
	signer_free(p->signer);
	tracer_free(p->tracer);
	transport_free(p->buckets);
	transport_free(p->transport);
	inflight_free(&p->inflight);
	ecdsa_free(p->ecdsa);
	if (p->loop)
		clock_timer_cancel(loop_clock(p->loop), &p->stop);
	notify_close(&p->notify);
	loop_free(p->loop);
	connector_config_free(&p->config);
	secret_free(&p->database_url);
	arena_free(&p->arena);
}

static void limits_log(const struct log *log)
{
	struct log_field fields[128];
	size_t n = 0;

	for (const struct limit_row *l = limit_rows; l->name && n < ARRAY_LEN(fields); l++)
		fields[n++] = log_i(l->name, (int64_t)l->value);
	log_write(log, LOG_LEVEL_INFO, "Limits", fields, n);
}

static enum err process_run(struct process *p, struct err_note *note)
{
	TRY(config_read(p, note));
	LOG_INFO(
		&p->log, "Starting", log_s("version", p->options->version),
		log_s("build", p->options->build),
		log_s("config", p->options->config_file ? p->options->config_file : "environment"));
	TRY(loop_new(&p->loop));
	notify_open(&p->notify, loop_clock(p->loop), (const char *const *)p->options->env);
	TRY(loop_on_stop_signal(p->loop, on_signal, p));
	TRY(transport_open(p));
	TRY(buckets_open(p, note)); /* before the signer wipes the credentials of the environment */
	/* Before the database: who waits for a key service holds nothing. */
	enum err e = signer_open(p, note);
	if (e != ERR_OK)
		return e == ERR_CANCELLED ? ERR_OK : e; /* stopped by a signal */
	aws_env_wipe(p->options->env); /* for the buckets alone they were there, too */
	owner_make(p);
	TRY(database_open(p, note));
	TRY(service_providers_open(&p->chains, &p->config, p->transport, loop_clock(p->loop),
				   &p->log, &p->arena, note));
	TRY(cores_open(&p->cores, p->loop, &p->config, &p->log, &p->arena, note));
	TRY(loop_on_reload_signal(p->loop, on_reload, p));
	TRY(traces_open(p, note));
	env_fill(p);
	chains_fill(p);
	TRY(services_start(p, note));
	limits_log(&p->log);
	notify_ready(&p->notify, p->options->name);
	TRY(loop_run(p->loop));
	if (p->fatal == ERR_OK)
		return ERR_OK;
	*note = p->fatal_note;
	return p->fatal;
}

enum err service_run(const struct service_options *options, struct err_note *note)
{
	struct process p = {
		.options = options,
		.arena = arena_make(CONFIG_ARENA_MAX),
		.log_state = {.lock = PTHREAD_MUTEX_INITIALIZER},
		.log = {.level = LOG_LEVEL_INFO, .fd = STDERR_FILENO, .service = options->name},
	};

	p.log.state = &p.log_state;
	enum err e = process_run(&p, note);

	process_stop(&p);
	p.log.service = options->name; /* the configuration is gone */
	if (e == ERR_OK)
		LOG_INFO(&p.log, "Stopped");
	else if (err_class(e) != ERR_CLASS_CONFIG) /* those are the caller's to print */
		LOG_ERROR(&p.log, "The service ends", log_e(e), log_s("detail", note->text));
	log_flush(&p.log);
	return e;
}
