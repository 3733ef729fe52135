/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Where is the ciphertext of a handle, and what must it hash to? Two schemes:
 *
 *   - by commitment: the event carries the digest that the gateway committed to, and the
 *     coprocessors that stand for it; the object is {bucket}/{digest}
 *   - by attestation: the object is {bucket}/ct128/{handle}/1; its header carries the coprocessor's
 *     signed word, and a majority of registered signers must say the same (RFC-023)
 *
 * All buckets are asked at once by HEAD. The first that serves, or the arrival that completes a
 * majority, decides; the rest is cancelled.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "connector/worker/ciphertext.h"
#include "net/aws_s3.h"

enum {
	REFUSAL_LOG_MS = 60 * 1000,
	DENIED_MAX_MS = 5 * 60 * 1000, /* no unsigned read was let in for so long */
};

static int64_t now_ms(const struct ct *c)
{
	return clock_mono_ms(c->job->worker->env.clock);
}

static bool candidate(const struct ct *c, const struct source *s)
{
	const struct sns_material *m = c->by_attestation ? NULL : &c->job->materials[c->index];

	if (s->bad || !breaker_would_admit(&s->bucket->state->breaker, now_ms(c)))
		return false;
	for (size_t k = 0; m && k < m->coprocessors_n; k++)
		if (address_eq(m->coprocessors[k], s->bucket->tx_sender))
			return true;
	return c->by_attestation;
}

static void cancel_heads(struct ct *c)
{
	for (size_t i = 0; i < c->sources_n; i++)
		http_task_cancel(&c->sources[i].task);
	c->asked = 0;
}

/* ---- what a HEAD says ---- */

/* SIZE_MAX when the length is not said. */
static enum err read_size(size_t *ret_size, const struct http_reply *reply)
{
	const char *text = http_reply_header(reply, "content-length");
	struct u256 n;
	uint64_t v;

	if (!text) {
		*ret_size = SIZE_MAX;
		return ERR_OK;
	}
	if (strncmp(text, "0x", 2) == 0)
		return ERR_MALFORMED;
	TRY(u256_parse(&n, bytes_str(text)));
	TRY(u256_to_u64(&v, n));
	if (v == 0)
		return ERR_MALFORMED;
	*ret_size = (size_t)v;
	return ERR_OK;
}

static enum err read_common(struct source *s, const struct http_reply *reply)
{
	size_t max = (size_t)s->ct->job->worker->env.config->s3_max_ciphertext_size;

	if (reply->err != ERR_OK)
		return reply->err;
	if (reply->status >= 500 || reply->status == 429)
		return ERR_UNAVAILABLE;
	if (reply->status < 200 || reply->status > 299)
		return ERR_NOT_FOUND;
	TRY(read_size(&s->size, reply));
	if (s->size == SIZE_MAX)
		s->size = max;
	return s->size > max ? ERR_TOO_BIG : ERR_OK;
}

/* Before attestations the only word on the format was this header; absent or unknown means
 * uncompressed. */
static enum err read_commitment(struct source *s, const struct http_reply *reply)
{
	const char *format = http_reply_header(reply, "x-amz-meta-ct-format");

	if (!format || ct_format_from_name(&s->format, bytes_str(format)) != ERR_OK)
		s->format = CT_UNCOMPRESSED_ON_CPU;
	return ERR_OK;
}

static enum err read_attestation(struct source *s, const struct http_reply *reply)
{
	const char *text = http_reply_header(reply, "x-amz-meta-ct-attestation");
	const struct ct *c = s->ct;

	if (!text)
		return ERR_NOT_FOUND;
	TRY(attestation_parse(&s->attestation, bytes_str(text)));
	if (!registry_has_signer(c->job->registry, s->attestation.signer))
		return ERR_MISMATCH;
	TRY(attestation_verify(&s->attestation, &c->job->request.handles[c->index],
			       c->job->worker->env.ecdsa));
	s->format = s->attestation.format;
	s->attested = true;
	return ERR_OK;
}

/* ---- deciding ---- */

static void decide_commitment(struct ct *c, struct source *s)
{
	const struct sns_material *m = &c->job->materials[c->index];

	cancel_heads(c);
	s->usable = true;
	c->key_id = m->key_id;
	c->digest = m->digest;
	ct_located(c, s);
}

/* False while there is no majority yet. */
static bool decide_attestation(struct ct *c)
{
	const struct attestation *list[COPROCESSORS_MAX];
	struct source *of[COPROCESSORS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < c->sources_n && n < COPROCESSORS_MAX; i++)
		if (c->sources[i].attested) {
			of[n] = &c->sources[i];
			list[n++] = &c->sources[i].attestation;
		}
	int at = n < c->job->registry->threshold
			 ? -1
			 : attestation_consensus(list, n, c->job->registry->threshold);
	if (at < 0)
		return false;

	struct source *won = NULL;
	for (size_t i = 0; i < n; i++) {
		of[i]->usable = attestation_agrees(list[i], list[at]);
		if (of[i]->usable && !of[i]->bad && !won)
			won = of[i];
	}
	if (!won)
		return false;
	cancel_heads(c);
	c->key_id = list[at]->key_id;
	c->digest = list[at]->sns_digest;
	ct_located(c, won);
	return true;
}

static void source_failed(struct ct *c, struct source *s)
{
	s->bad = true;
	LOG_DEBUG(c->job->worker->env.log, "A bucket does not serve a ciphertext",
		  log_i("id", c->job->op.id), log_s("bucket", s->bucket->url),
		  log_i("handle", (int64_t)c->index));
}

void ct_bucket_answered(struct source *s, enum err e)
{
	if (bucket_answered(s->bucket->state, e, now_ms(s->ct)))
		LOG_WARN(s->ct->job->worker->env.log,
			 "A bucket fails and is left alone for a while",
			 log_s("bucket", s->bucket->url), log_e(e));
}

static bool is_signed(const struct config_strings *buckets, const char *url)
{
	for (size_t i = 0; i < buckets->n; i++)
		if (aws_s3_inside(url, buckets->v[i]))
			return true;
	return false;
}

/*
 * A public bucket that does not let everybody list it says 403 of an object that is not there yet,
 * as S3 does. It means what it says where nothing was ever read there, or for a while.
 */
static bool may_be_absent(struct bucket_state *b, int status, int64_t ms)
{
	if (status != 403 || !b->served)
		return false;
	if (b->denied_ms == 0)
		b->denied_ms = ms;
	return ms - b->denied_ms < DENIED_MAX_MS;
}

void ct_bucket_said(struct source *s, const struct http_reply *reply)
{
	const struct worker *w = s->ct->job->worker;
	struct bucket_state *b = s->bucket->state;
	struct err_note said;
	bool absent = false;

	if (reply->err != ERR_OK || reply->status >= 500)
		return;
	aws_s3_reason(&said, reply);
	if (reply->status < 300) {
		b->served = true;
		b->denied_ms = 0;
	}
	if ((reply->status == 401 || reply->status == 403) &&
	    !is_signed(&w->env.config->s3_signed_buckets, s->url)) {
		const struct err_note words = said;

		absent = may_be_absent(b, reply->status, now_ms(s->ct));
		(void)err_say(&said, ERR_REMOTE,
			      "%s; reads of it are not signed (s3_signed_buckets)", words.text);
	}
	b->refusal = said;
	if (said.text[0] == '\0' ||
	    (b->refusal_ms != 0 && now_ms(s->ct) - b->refusal_ms < REFUSAL_LOG_MS))
		return;
	if (absent) {
		LOG_DEBUG(w->env.log, "A bucket has no such object, or refuses the read",
			  log_s("bucket", s->bucket->url), log_s("detail", said.text));
		return;
	}
	b->refusal_ms = now_ms(s->ct);
	LOG_WARN(w->env.log, "A bucket refuses a read", log_s("bucket", s->bucket->url),
		 log_s("detail", said.text));
}

static void on_head(void *ctx, const struct http_reply *reply)
{
	struct source *s = ctx;
	struct ct *c = s->ct;
	enum err e = read_common(s, reply);

	c->asked--;
	ct_bucket_said(s, reply);
	ct_bucket_answered(s, e);
	if (e == ERR_OK)
		e = c->by_attestation ? read_attestation(s, reply) : read_commitment(s, reply);
	if (e != ERR_OK)
		source_failed(c, s);
	if (e != ERR_OK && err_class(e) != ERR_CLASS_TRANSIENT)
		c->definite = true;
	if (e == ERR_OK && !c->by_attestation) {
		decide_commitment(c, s);
		return;
	}
	if (e == ERR_OK && decide_attestation(c))
		return;
	if (c->asked == 0)
		ct_lost(c, c->by_attestation ? "no majority of coprocessors attests it"
					     : "no committed bucket has it");
}

/* ---- asking ---- */

static enum err make_url(struct ct *c, struct source *s, const char **ret_url)
{
	struct buf url CLEANUP(buf_free) = buf_make(URL_SIZE_MAX + 256);
	char hex[65];

	TRY(buf_add_str(&url, s->bucket->url));
	if (c->by_attestation) {
		hex_encode(hex, BYTES_OF(c->job->request.handles[c->index].b));
		TRY(buf_addf(&url, "/ct128/%s/%d", hex, COPROCESSOR_CONTEXT_ID));
	} else {
		hex_encode(hex, BYTES_OF(c->job->materials[c->index].digest.b));
		TRY(buf_addf(&url, "/%s", hex));
	}
	*ret_url = arena_strndup(&c->job->arena, buf_view(&url));
	return *ret_url ? ERR_OK : ERR_NOMEM;
}

static enum err ask(struct ct *c, struct source *s)
{
	const struct connector_config *config = c->job->worker->env.config;
	struct http_request req = {
		.method = "HEAD",
		.timeout_ms = config->s3_head_timeout_ms,
		.connect_timeout_ms = config->s3_connect_timeout_ms,
		.body_max = HTTP_HEADER_BYTES_MAX,
	};

	TRY(make_url(c, s, &req.url));
	s->url = req.url;
	if (!breaker_admits(&s->bucket->state->breaker, now_ms(c)))
		return ERR_OK; /* one is trying */
	http_queue_add(&s->bucket->state->heads, &s->task, &req, on_head, s);
	c->asked++;
	return ERR_OK;
}

enum err ct_locate(struct ct *c)
{
	for (size_t i = 0; i < c->sources_n; i++) {
		struct source *s = &c->sources[i];

		s->usable = s->attested = false;
		if (candidate(c, s))
			TRY(ask(c, s));
	}
	return c->asked > 0 ? ERR_OK : ERR_NOT_FOUND;
}

void ct_forgive(struct ct *c)
{
	for (size_t i = 0; i < c->sources_n; i++)
		c->sources[i].bad = false;
}
