/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "eth/signer_aws.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/retry.h"

enum {
	BODY_SIZE_MAX = 8 << 10,
	REGION_SIZE = 64
};

static const struct retry_policy retry = {.first_ms = 100, .cap_ms = 5000};
static const struct breaker_policy policy = {.failures_max = 5,
					     .open_first_ms = 1000,
					     .open_max_ms = 8000,
					     .trial_ms = 2 * AWS_TIMEOUT_MS};

/* One signature that is wanted. */
struct wish {
	struct wish *next;
	struct signer_aws *s;
	struct hash32 digest;
	signer_done_fn *done;
	void *ctx;
	struct aws_call *call; /* NULL: it waits */
	int64_t due_ms;        /* not before */
	int64_t deadline_ms;
	int64_t attempts; /* that failed */
	enum err err;     /* the last failure, */
	struct err_note note;
	bool ended; /* and it is the last: `done` is due */
};

struct signer_aws {
	struct signer base;
	struct aws_client *client;
	struct clock *clock;
	struct rng *rng;
	const struct ecdsa *ecdsa;
	char *key_id;
	struct breaker breaker;
	void (*changed)(void *ctx, const char *down);
	void *changed_ctx;

	signer_aws_opened_fn *opened; /* NULL: it is open */
	void *opened_ctx;
	struct aws_call *open_call;
	int64_t open_attempts, open_deadline_ms;

	struct timer timer;
	struct wish *first, **last;
	size_t wishes_n, in_flight;
};

static struct signer_aws *self(const struct signer *s)
{
	return CONTAINER_OF(s, struct signer_aws, base);
}

static int64_t now_ms(const struct signer_aws *s)
{
	return clock_mono_ms(s->clock);
}

/* ---- requests ---- */

static enum err print_body(struct buf *out, json_t *o)
{
	enum err e = o ? json_print(out, o) : ERR_NOMEM;

	json_decref(o);
	return e;
}

static enum err sign_body(struct buf *out, const struct signer_aws *s, struct hash32 digest)
{
	CLEANUP(buf_free) struct buf message = buf_make(64);
	const char *text;

	TRY(base64_add(&message, BYTES_OF(digest.b)));
	TRY(buf_cstr(&message, &text));
	return print_body(out,
			  json_pack("{s:s, s:s, s:s, s:s}", "KeyId", s->key_id, "Message", text,
				    "MessageType", "DIGEST", "SigningAlgorithm", "ECDSA_SHA_256"));
}

/* What happened to a request, for the breaker and for who watches it. */
static void judge(struct signer_aws *s, enum err e, const struct err_note *note)
{
	bool was_open = s->breaker.state != BREAKER_CLOSED;

	if (e == ERR_OK) {
		breaker_succeeded(&s->breaker);
		if (was_open && s->changed)
			s->changed(s->changed_ctx, NULL);
	} else if (breaker_failed(&s->breaker, now_ms(s)) && !was_open && s->changed) {
		s->changed(s->changed_ctx, note->text[0] ? note->text : err_name(e));
	}
}

/* ---- wishes ---- */

static void pump(void *ctx);

static void wish_unlink(struct wish *w)
{
	struct signer_aws *s = w->s;
	struct wish **at = &s->first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (!*at)
		s->last = at;
	s->wishes_n--;
}

/* The last thing that its caller does: `done` may free the signer. */
static void wish_end(struct wish *w, enum err e, const struct signature65 *sig)
{
	struct signer_aws *s = w->s;
	struct wish ended = *w;

	wish_unlink(w);
	free(w);
	s->base.note = e != ERR_OK ? ended.note : (struct err_note){{0}};
	clock_timer_set(s->clock, &s->timer, 0, pump, s);
	ended.done(ended.ctx, e, sig);
}

/* At the sender's place a refusal is no end: an operator can lift it. */
static enum err at_signing(enum err e)
{
	return err_class(e) == ERR_CLASS_CONFIG ? ERR_REMOTE : e;
}

static void wish_failed(struct wish *w, enum err e, const struct err_note *note)
{
	struct signer_aws *s = w->s;
	int64_t delay_ms = 0;

	w->err = at_signing(e);
	w->note = *note;
	w->attempts++;
	if (retry_after(&retry, w->err, w->attempts, s->rng, &delay_ms))
		w->due_ms = now_ms(s) + delay_ms;
	else
		w->ended = true;
	clock_timer_set(s->clock, &s->timer, 0, pump, s);
}

static void on_signature(void *ctx, enum err e, const struct err_note *note, struct bytes body)
{
	struct wish *w = ctx;
	struct signer_aws *s = w->s;
	struct err_note said = *note;
	struct signature65 sig;

	w->call = NULL;
	s->in_flight--;
	if (e == ERR_OK)
		e = signer_aws_read_signature(s->ecdsa, &sig, body, w->digest, s->base.address,
					      &said);
	judge(s, e, &said);
	if (e == ERR_OK)
		wish_end(w, e, &sig);
	else
		wish_failed(w, e, &said);
}

static void wish_start(struct wish *w)
{
	CLEANUP(buf_free) struct buf body = buf_make(BODY_SIZE_MAX);
	struct signer_aws *s = w->s;
	enum err e = sign_body(&body, s, w->digest);

	if (e == ERR_OK)
		e = aws_client_call(s->client, &w->call, "TrentService.Sign", buf_view(&body),
				    AWS_TIMEOUT_MS, on_signature, w);
	if (e == ERR_OK) {
		s->in_flight++;
		return;
	}
	judge(s, e, &(struct err_note){{0}});
	wish_failed(w, e, &(struct err_note){{0}});
}

/* When this wish has to be looked at again; starts it if it is its time. */
static int64_t wish_look(struct wish *w, int64_t now)
{
	struct signer_aws *s = w->s;

	if (w->due_ms > now)
		return w->due_ms < w->deadline_ms ? w->due_ms : w->deadline_ms;
	if (s->in_flight >= AWS_KMS_IN_FLIGHT_MAX)
		return w->deadline_ms;
	if (!breaker_admits(&s->breaker, now)) {
		int64_t next = s->breaker.due_ms > now ? s->breaker.due_ms : now + 1;

		return next < w->deadline_ms ? next : w->deadline_ms;
	}
	wish_start(w);
	return w->deadline_ms;
}

/* The one place that starts and ends what waits. */
static void pump(void *ctx)
{
	struct signer_aws *s = ctx;
	int64_t now = now_ms(s), next = INT64_MAX;

	for (struct wish *w = s->first; w; w = w->next) {
		if (w->call)
			continue;
		if (!w->ended && w->deadline_ms <= now) {
			w->ended = true;
			if (w->attempts == 0)
				w->err = err_say(&w->note, ERR_TIMEOUT,
						 "AWS KMS is not asked while it fails");
		}
		if (w->ended) {
			wish_end(w, w->err, NULL);
			return;
		}

		int64_t look = wish_look(w, now);

		next = look < next ? look : next;
	}
	/* wish_failed has set it to now already, if anything failed at once. */
	if (next != INT64_MAX && !s->timer.armed)
		clock_timer_set(s->clock, &s->timer, next > now ? next - now : 0, pump, s);
}

static enum err aws_sign_digest(struct signer *base, struct hash32 digest, signer_done_fn *done,
				void *ctx)
{
	struct signer_aws *s = self(base);

	if (s->opened)
		return ERR_NOT_READY;
	if (s->wishes_n >= AWS_KMS_WAITING_MAX)
		return ERR_BUSY;

	struct wish *w = calloc(1, sizeof(*w));

	if (!w)
		return ERR_NOMEM;
	w->s = s;
	w->digest = digest;
	w->done = done;
	w->ctx = ctx;
	w->due_ms = now_ms(s);
	w->deadline_ms = w->due_ms + AWS_KMS_SIGN_MS;
	*s->last = w;
	s->last = &w->next;
	s->wishes_n++;
	clock_timer_set(s->clock, &s->timer, 0, pump, s);
	return ERR_OK;
}

/* ---- the public key ---- */

static void open_ask(void *ctx);

/* `opened` may free the signer. */
static void open_end(struct signer_aws *s, enum err e, const struct err_note *note)
{
	signer_aws_opened_fn *opened = s->opened;

	s->opened = NULL;
	opened(s->opened_ctx, e, note);
}

/* Refusals and other keys are the operator's, as are files. */
static enum err at_opening(enum err e)
{
	return e == ERR_REMOTE || e == ERR_UNSUPPORTED ? ERR_CONFIG_VALUE : e;
}

static void open_failed(struct signer_aws *s, enum err e, const struct err_note *note)
{
	int64_t delay_ms = 0;

	e = at_opening(e);
	if (!retry_after(&retry, e, ++s->open_attempts, s->rng, &delay_ms) ||
	    now_ms(s) + delay_ms >= s->open_deadline_ms) {
		open_end(s, e, note);
		return;
	}
	if (s->open_attempts == 1 && s->changed)
		s->changed(s->changed_ctx, note->text[0] ? note->text : err_name(e));
	clock_timer_set(s->clock, &s->timer, delay_ms, open_ask, s);
}

static void on_public_key(void *ctx, enum err e, const struct err_note *note, struct bytes body)
{
	struct signer_aws *s = ctx;
	struct err_note said = *note;

	s->open_call = NULL;
	if (e == ERR_OK)
		e = signer_aws_read_public_key(s->ecdsa, &s->base.address, body, &said);
	if (e != ERR_OK) {
		open_failed(s, e, &said);
		return;
	}
	if (s->open_attempts > 0 && s->changed)
		s->changed(s->changed_ctx, NULL);
	open_end(s, e, &said);
}

static void open_ask(void *ctx)
{
	CLEANUP(buf_free) struct buf body = buf_make(BODY_SIZE_MAX);
	struct signer_aws *s = ctx;
	enum err e = print_body(&body, json_pack("{s:s}", "KeyId", s->key_id));

	if (e == ERR_OK)
		e = aws_client_call(s->client, &s->open_call, "TrentService.GetPublicKey",
				    buf_view(&body), AWS_TIMEOUT_MS, on_public_key, s);
	if (e != ERR_OK)
		open_failed(s, e, &(struct err_note){{0}});
}

/* ---- life ---- */

static void aws_free(struct signer *base)
{
	struct signer_aws *s = self(base);

	clock_timer_cancel(s->clock, &s->timer);
	aws_client_free(s->client);
	while (s->first) {
		struct wish *w = s->first;

		s->first = w->next;
		free(w);
	}
	free(s->key_id);
	free(s);
}

static const struct signer_ops aws_ops = {.sign = aws_sign_digest, .free = aws_free};

static enum err client_open(struct signer_aws *s, const struct signer_aws_options *o,
			    struct err_note *note)
{
	struct aws_client_options c = {
		.transport = o->transport,
		.clock = o->clock,
		.env = o->env,
		.service = "kms",
		.region = o->region,
		.endpoint = o->endpoint,
	};
	char region[REGION_SIZE];
	struct bytes arn;

	if (signer_aws_arn_region(&arn, o->key_id) && arn.n < sizeof(region)) {
		memcpy(region, arn.p, arn.n);
		region[arn.n] = '\0';
		if (!c.region || !c.region[0])
			c.region = region;
		else if (strcmp(c.region, region) != 0)
			return err_say(note, ERR_CONFIG_VALUE,
				       "the ARN of the key is of region %s, and %s is configured",
				       region, c.region);
	}
	return aws_client_new(&s->client, &c, note);
}

enum err signer_aws_new(struct signer **ret_signer, const struct signer_aws_options *options,
			signer_aws_opened_fn *opened, void *ctx, struct err_note *note)
{
	struct signer_aws *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NOMEM;
	s->base.ops = &aws_ops;
	s->clock = options->clock;
	s->rng = options->rng;
	s->ecdsa = options->ecdsa;
	s->changed = options->changed;
	s->changed_ctx = options->ctx;
	s->breaker.policy = &policy;
	s->last = &s->first;
	s->opened = opened;
	s->opened_ctx = ctx;
	s->open_deadline_ms = now_ms(s) + AWS_KMS_OPEN_MS;
	s->key_id = strdup(options->key_id);

	enum err e = s->key_id ? client_open(s, options, note) : ERR_NOMEM;

	if (e != ERR_OK) {
		aws_free(&s->base);
		return e;
	}
	clock_timer_set(s->clock, &s->timer, 0, open_ask, s);
	*ret_signer = &s->base;
	return ERR_OK;
}

struct signer_aws_state signer_aws_state(const struct signer *signer)
{
	const struct signer_aws *s = self(signer);

	return (struct signer_aws_state){
		.source = aws_client_source(s->client),
		.region = aws_client_region(s->client),
		.endpoint = aws_client_endpoint(s->client),
		.breaker = s->breaker.state,
		.breaker_opened = s->breaker.opened,
		.waiting = s->wishes_n - s->in_flight,
		.in_flight = s->in_flight,
	};
}
