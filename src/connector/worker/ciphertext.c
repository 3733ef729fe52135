/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The ciphertexts of a request: all handles are located first, then memory for all of them is
 * claimed at once (so that two jobs can never wait for each other's), then all are fetched. Bytes
 * that do not hash to the digest are not there.
 *
 * Sizes are what buckets say, and buckets lie. A size is believed until all together are more than
 * one request to the core may have; then the largest is disbelieved, and its bucket with it.
 */
#include <stdlib.h>

#include "connector/worker/ciphertext.h"
#include "eth/text.h"

enum {
	MEMORY_PER_BYTE = 2,          /* the body, and its copy in the packed request */
	REQUEST_OVERHEAD = 256 << 10, /* everything but ciphertexts in the core's request */
	TOTAL_MAX = GRPC_MESSAGE_MAX - REQUEST_OVERHEAD,
	HASH_SLICE = 256 << 10, /* hashed at a time: less than a millisecond of the loop */
};

static void fetch(struct ct *c);

/* ---- fetched ---- */

static void check_all_fetched(struct job *j)
{
	if (++j->fetched < j->request.handles_n)
		return;
	for (size_t i = 1; i < j->request.handles_n; i++)
		if (!u256_eq(j->cts[i].key_id, j->cts[0].key_id)) {
			work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
				 "handles 0 and %zu are encrypted under different keys", i);
			return;
		}
	work_fetched(j);
}

static void get_failed(struct ct *c, enum err e)
{
	struct job *j = c->job;
	struct source *s = c->chosen;

	buf_free(&c->body);
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_S3_RETRIEVAL_ERRORS, 0);
	LOG_WARN(j->worker->env.log, "A bucket did not give the right ciphertext",
		 log_i("id", j->op.id), log_s("bucket", s->bucket->url),
		 log_i("handle", (int64_t)c->index), log_e(e));
	s->bad = true;
	c->definite |= err_class(e) != ERR_CLASS_TRANSIENT;
	fetch(c);
}

/* The body has the digest. */
static void proven(struct ct *c)
{
	struct job *j = c->job;

	c->format = c->chosen->format;
	c->fetched = true;
	proof_bind(j->proof, c->index, c->key_id, c->digest,
		   c->by_attestation ? PROOF_ATTESTATION : PROOF_COMMITMENT);
	check_all_fetched(j);
}

static void hashed(struct ct *c)
{
	struct job *j = c->job;

	if (!hash32_eq(keccak256_final(&c->hash), c->digest)) {
		get_failed(c, ERR_MISMATCH);
		return;
	}
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_S3_RETRIEVAL, 0);
	cache_add(&j->worker->cache, c->digest, buf_view(&c->body));
	proven(c);
}

/* A slice per tick: 66 MiB at once would keep everybody else waiting. */
static void hash_on(void *ctx)
{
	struct ct *c = ctx;
	size_t left = c->body.n - c->hashed, n = left < HASH_SLICE ? left : HASH_SLICE;

	keccak256_add(&c->hash, bytes_sub(buf_view(&c->body), c->hashed, n));
	c->hashed += n;
	if (n < left)
		clock_timer_set(c->job->worker->env.clock, &c->hash_timer, 0, hash_on, c);
	else
		hashed(c);
}

static void body_begin(struct ct *c)
{
	c->hashed = 0;
	keccak256_init(&c->hash);
}

/* Hashed as it comes; its size is the transport's to watch. */
static void on_piece(void *ctx, struct bytes piece)
{
	struct source *s = ctx;

	keccak256_add(&s->ct->hash, piece);
	s->ct->hashed += piece.n;
}

static void on_get(void *ctx, const struct http_reply *reply)
{
	struct source *s = ctx;
	struct ct *c = s->ct;
	enum err e = reply->err;

	if (e == ERR_OK && (reply->status < 200 || reply->status > 299))
		e = reply->status >= 500 || reply->status == 429 ? ERR_UNAVAILABLE : ERR_NOT_FOUND;
	ct_bucket_said(s, reply);
	ct_bucket_answered(s, e);
	if (e != ERR_OK) {
		get_failed(c, e);
		return;
	}
	c->body = buf_take(reply->owner);
	if (c->hashed != c->body.n)
		body_begin(c);
	hash_on(c);
}

/* ---- sizes ---- */

static size_t total_size(const struct job *j)
{
	size_t total = 0; /* at most 1024 x 66 MiB: no overflow */

	for (size_t i = 0; i < j->request.handles_n; i++)
		total += j->cts[i].size;
	return total;
}

static struct ct *largest(const struct job *j)
{
	struct ct *c = &j->cts[0];

	for (size_t i = 1; i < j->request.handles_n; i++)
		if (j->cts[i].size > c->size)
			c = &j->cts[i];
	return c;
}

static void disbelieve(struct source *s)
{
	LOG_WARN(s->ct->job->worker->env.log,
		 "A bucket says a size with which the request would be too large",
		 log_i("id", s->ct->job->op.id), log_s("bucket", s->bucket->url),
		 log_i("handle", (int64_t)s->ct->index), log_i("bytes", (int64_t)s->size));
	s->bad = true;
	s->ct->definite = s->ct->oversized = true;
}

/* ---- fetching ---- */

static void locate_again(struct ct *c)
{
	enum err e = ct_locate(c);

	if (e == ERR_NOT_FOUND)
		ct_lost(c, "no bucket is left to ask");
	else if (e != ERR_OK)
		work_retry(c->job, e, "ciphertext of handle %zu cannot be asked for", c->index);
}

/* The next bucket that has the material; by commitment that needs another HEAD. */
static struct source *choose(struct ct *c)
{
	for (size_t i = 0; i < c->sources_n; i++)
		if (c->sources[i].usable && !c->sources[i].bad)
			return &c->sources[i];
	return NULL;
}

/* By commitment other buckets may not have been asked yet; by attestation all winners are known. */
static void no_choice(struct ct *c)
{
	if (!c->by_attestation)
		locate_again(c);
	else
		ct_lost(c, "no bucket of the majority gave the attested bytes");
}

/* Later, as a GET would: whoever starts the fetches looks at the others first. */
static void on_cached(void *ctx)
{
	proven(ctx);
}

static void fetch(struct ct *c)
{
	const struct connector_config *config = c->job->worker->env.config;
	size_t others = total_size(c->job) - c->size;
	struct source *s = choose(c);

	for (; s && s->size > c->size && others + s->size > TOTAL_MAX; s = choose(c))
		disbelieve(s);
	if (!s) {
		no_choice(c);
		return;
	}
	c->chosen = s;
	if (s->size > c->size) {
		budget_claim_grow(&c->job->memory, (s->size - c->size) * MEMORY_PER_BYTE);
		c->size = s->size;
	}

	c->body = buf_make(s->size);
	if (cache_find(&c->job->worker->cache, c->digest, &c->body)) {
		clock_timer_set(c->job->worker->env.clock, &c->hash_timer, 0, on_cached, c);
		return;
	}
	buf_free(&c->body);
	body_begin(c);

	const struct http_request req = {
		.method = "GET",
		.url = s->url,
		.timeout_ms = config->s3_get_timeout_ms,
		.connect_timeout_ms = config->s3_connect_timeout_ms,
		.body_max = s->size,
		.piece = on_piece,
	};
	http_queue_add(&c->job->worker->gets, &s->task, &req, on_get, s);
}

static void granted(void *ctx)
{
	struct job *j = ctx;

	metrics_set(j->worker->env.metrics, METRIC_WORKER_CIPHERTEXT_BYTES, 0,
		    (int64_t)j->worker->budget.used);
	for (size_t i = 0; i < j->request.handles_n; i++)
		fetch(&j->cts[i]);
}

static void check_all_located(struct job *j)
{
	if (++j->located < j->request.handles_n)
		return;
	while (total_size(j) > TOTAL_MAX) {
		struct ct *c = largest(j);

		disbelieve(c->chosen);
		c->chosen = choose(c);
		c->size = c->chosen ? c->chosen->size : 0;
		if (!c->chosen) {
			c->located = false;
			j->located--;
			no_choice(c);
			return;
		}
	}
	cache_yield(&j->worker->cache, total_size(j) * MEMORY_PER_BYTE);
	budget_claim_start(&j->worker->budget, &j->memory, total_size(j) * MEMORY_PER_BYTE, granted,
			   j);
}

void ct_located(struct ct *c, struct source *s)
{
	if (c->located) {
		fetch(c); /* again, after a bad fetch: its memory is claimed already */
		return;
	}
	c->located = true;
	c->chosen = s;
	c->size = s->size;
	check_all_located(c->job);
}

/* The first bucket that said why; NULL: none did. */
static const struct bucket *refusing(const struct ct *c)
{
	for (size_t i = 0; i < c->sources_n; i++)
		if (c->sources[i].bad && c->sources[i].bucket->state->refusal.text[0])
			return c->sources[i].bucket;
	return NULL;
}

/*
 * No source is left in this round. Commitments get their rounds, then the attestations are asked;
 * those get their rounds, then the request waits.
 */
void ct_lost(struct ct *c, const char *why)
{
	struct job *j = c->job;
	bool was_located = c->located;

	if (was_located && ++c->round < j->worker->env.config->s3_ciphertext_retrieval_attempts) {
		ct_forgive(c);
		if (c->by_attestation)
			fetch(c);
		else
			locate_again(c);
		return;
	}
	if (!c->by_attestation) {
		c->by_attestation = true;
		c->round = 0;
		ct_forgive(c);
		locate_again(c);
		return;
	}
	if (!was_located)
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS,
			    METRIC_CHECK_COPRO_CONSENSUS);
	if (c->oversized)
		why = "by what the buckets say, the ciphertexts are more than one request to the "
		      "core may have";
	if (j->registry->homeless_n > 0) {
		work_retry(j, ERR_NOT_READY,
			   "ciphertext of handle %zu: %s; %zu coprocessors have registered no "
			   "bucket URL, and no s3_config is configured",
			   c->index, why, j->registry->homeless_n);
		return;
	}

	const struct bucket *b = refusing(c);

	work_retry(j, c->definite ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
		   "ciphertext of handle %zu: %s%s%.120s%s%s", c->index, why, b ? "; " : "",
		   b ? b->url : "", b ? ": " : "", b ? b->state->refusal.text : "");
}

/* ---- life ---- */

static enum err ct_init(struct ct *c, struct job *j, size_t index)
{
	*c = (struct ct){.job = j, .index = index, .by_attestation = !j->materials};
	c->sources_n = j->registry->buckets_n;
	c->sources = arena_alloc_array(&j->arena, c->sources_n, sizeof(*c->sources));
	if (!c->sources)
		return ERR_NOMEM;
	for (size_t i = 0; i < c->sources_n; i++) {
		c->sources[i].ct = c;
		c->sources[i].bucket = &j->registry->buckets[i];
	}
	return ERR_OK;
}

static enum err cts_init(struct job *j)
{
	j->located = j->fetched = 0;
	j->cts = arena_alloc_array(&j->arena, j->request.handles_n, sizeof(*j->cts));
	if (!j->cts)
		return ERR_NOMEM;
	for (size_t i = 0; i < j->request.handles_n; i++)
		TRY(ct_init(&j->cts[i], j, i));
	return ERR_OK;
}

static bool is_registered(const struct registry_snapshot *s, struct address coprocessor)
{
	for (size_t i = 0; i < s->tx_senders_n; i++)
		if (address_eq(s->tx_senders[i], coprocessor))
			return true;
	return false;
}

/* verify_coprocessors: whoever the event names. False: the row was given back. */
static bool are_registered(struct job *j, const struct registry_snapshot *s)
{
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; j->materials && i < j->request.handles_n; i++)
		for (size_t k = 0; k < j->materials[i].coprocessors_n; k++) {
			if (is_registered(s, j->materials[i].coprocessors[k]))
				continue;
			address_to_text(text, j->materials[i].coprocessors[k]);
			work_retry(j, ERR_NOT_READY,
				   "coprocessor %s of handle %zu is not registered in "
				   "GatewayConfig",
				   text, i);
			return false;
		}
	return true;
}

static void on_registry(void *ctx, struct registry_snapshot *snapshot, const struct err_note *note)
{
	struct job *j = ctx;

	if (!snapshot) {
		work_retry(j, ERR_UNAVAILABLE, "the list of coprocessors could not be read: %s",
			   note->text);
		return;
	}
	if (j->worker->env.config->verify_coprocessors && !are_registered(j, snapshot))
		return;
	registry_hold(snapshot);
	j->registry = snapshot;
	enum err e = cts_init(j);
	if (e != ERR_OK) {
		work_retry(j, e, "out of memory for %zu ciphertexts", j->request.handles_n);
		return;
	}
	/* A handle that fails at once ends the job, and with it `cts`. */
	for (size_t i = 0; j->cts && i < j->request.handles_n; i++)
		locate_again(&j->cts[i]);
}

/* What a public decryption can return (bool, 8 to 256 bits, addresses); the core would refuse
 * anything else. */
static bool type_served(unsigned fhe_type)
{
	return fhe_type == 0 || (fhe_type >= 2 && fhe_type <= 8);
}

void ciphertexts_start(struct job *j)
{
	for (size_t i = 0; i < j->request.handles_n; i++)
		if (!type_served(handle_fhe_type(&j->request.handles[i]))) {
			work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
				 "handle %zu has FHE type %u, which cannot be decrypted publicly",
				 i, handle_fhe_type(&j->request.handles[i]));
			return;
		}
	ciphertexts_drop(j);
	registry_want(j->worker->registry, &j->registry_waiter, on_registry, j);
}

void ciphertexts_drop(struct job *j)
{
	registry_unwant(j->worker->registry, &j->registry_waiter);
	for (size_t i = 0; j->cts && i < j->request.handles_n; i++) {
		for (size_t k = 0; k < j->cts[i].sources_n; k++)
			http_task_cancel(&j->cts[i].sources[k].task);
		clock_timer_cancel(j->worker->env.clock, &j->cts[i].hash_timer);
		buf_free(&j->cts[i].body);
	}
	j->cts = NULL;
	budget_claim_end(&j->memory);
	metrics_set(j->worker->env.metrics, METRIC_WORKER_CIPHERTEXT_BYTES, 0,
		    (int64_t)j->worker->budget.used);
	registry_drop(j->registry);
	j->registry = NULL;
}
