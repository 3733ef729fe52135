/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/cores.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "net/tls.h"

enum {
	WARNING_SIZE = 400,
	EXPIRY_CHECK_MS = 24 * 60 * 60 * 1000,
};

/* ---- keys ---- */

static const char endpoints_key[] = "kms_core_endpoints";

/* Values are not repeated: what was pasted into the wrong place may be a secret. */
static enum err endpoints_check(const struct connector_config *c, const struct config_source *src,
				bool *ret_tls, struct err_note *note)
{
	const struct config_strings *list = &c->kms_core_endpoints;
	bool tls = false;

	for (size_t i = 0; i < list->n; i++) {
		enum channel_grpc_way way;

		if (channel_grpc_url_way(&way, list->v[i], NULL) != ERR_OK)
			return config_prefix(
				note,
				err_say(note, ERR_CONFIG_VALUE,
					"[%zu]: expected https://HOST:PORT, http://HOST:PORT or "
					"unix:PATH",
					i),
				&connector_config, src, endpoints_key);
		if (way == CHANNEL_GRPC_TLS && !c->kms_core_tls.cert)
			return config_prefix(note,
					     err_say(note, ERR_CONFIG_VALUE,
						     "[%zu]: found https without [kms_core_tls], "
						     "expected its cert, key and ca",
						     i),
					     &connector_config, src, endpoints_key);
		tls = tls || way == CHANNEL_GRPC_TLS;
	}
	*ret_tls = tls;
	return ERR_OK;
}

enum err cores_check_keys(const struct connector_config *c, const struct config_source *src,
			  struct err_note *note)
{
	const struct core_tls_config *t = &c->kms_core_tls;
	const struct {
		const char *path;
		bool given, needed;
	} rows[] = {
		{"kms_core_tls.cert", t->cert != NULL, true},
		{"kms_core_tls.key", t->key != NULL, true},
		{"kms_core_tls.ca", t->ca != NULL, true},
		{"kms_core_tls.server_names", t->server_names.n > 0, false},
	};
	const char *given = NULL, *missing = NULL;
	bool tls = false;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].given && !given)
			given = rows[i].path;
		if (rows[i].needed && !rows[i].given && !missing)
			missing = rows[i].path;
	}
	if (given && missing)
		return config_prefix(note,
				     err_say(note, ERR_CONFIG_VALUE,
					     "found no %s beside it, expected cert, key and ca "
					     "together",
					     missing),
				     &connector_config, src, given);
	for (size_t i = 0; i < t->server_names.n; i++)
		if (!tls_identity_is_sound(t->server_names.v[i]))
			return config_prefix(note,
					     err_say(note, ERR_CONFIG_VALUE,
						     "[%zu]: found \"%.80s\", expected one name of "
						     "a certificate's subjectAltName: a host, an "
						     "address or a URI",
						     i, t->server_names.v[i]),
					     &connector_config, src, "kms_core_tls.server_names");
	TRY(endpoints_check(c, src, &tls, note));
	if (given && !tls)
		return config_prefix(note,
				     err_say(note, ERR_CONFIG_VALUE,
					     "found certificates, but no https://HOST:PORT in "
					     "kms_core_endpoints to use them for"),
				     &connector_config, src, given);
	return ERR_OK;
}

/* ---- files ---- */

/* *ret_tls stays NULL where nothing is configured. */
static enum err tls_open(struct tls **ret_tls, const struct connector_config *c,
			 struct err_note *note)
{
	const struct core_tls_config *t = &c->kms_core_tls;
	const struct tls_options o = {
		.cert_file = t->cert,
		.key_file = t->key,
		.ca_file = t->ca,
		.identities = (const char *const *)t->server_names.v,
		.identities_n = t->server_names.n,
	};

	if (!t->cert)
		return ERR_OK;

	enum err e = tls_new(ret_tls, &o, note);

	return e == ERR_OK ? ERR_OK : err_prefix(note, e, "kms_core_tls");
}

/* False: there is nothing to say. */
static bool expiry_warning(char text[WARNING_SIZE], const struct tls *t, const char *cert,
			   int64_t now_s)
{
	int64_t days = tls_days_left(t, now_s);

	if (days >= TLS_DAYS_LEFT_WARN)
		return false;
	if (days < 0)
		(void)snprintf(text, WARNING_SIZE,
			       "kms_core_tls: %.200s: the certificate has expired", cert);
	else
		(void)snprintf(text, WARNING_SIZE,
			       "kms_core_tls: %.200s: the certificate ends in %" PRId64 " days",
			       cert, days);
	return true;
}

static void plain_warnings(const struct connector_config *c, cores_warning_fn *warning, void *ctx)
{
	for (size_t i = 0; i < c->kms_core_endpoints.n; i++) {
		enum channel_grpc_way way;
		char text[WARNING_SIZE];

		if (channel_grpc_url_way(&way, c->kms_core_endpoints.v[i], NULL) != ERR_OK ||
		    way != CHANNEL_GRPC_PLAIN)
			continue;
		(void)snprintf(
			text, sizeof(text),
			"kms_core_endpoints[%zu]: plain text to another machine; whoever is "
			"on the way can read and change what this connector and its core say",
			i);
		warning(ctx, text);
	}
}

enum err cores_check_files(const struct connector_config *c, int64_t now_s,
			   cores_warning_fn *warning, void *ctx, struct err_note *note)
{
	struct tls *t = NULL;
	char text[WARNING_SIZE];

	TRY(tls_open(&t, c, note));
	if (t && expiry_warning(text, t, c->kms_core_tls.cert, now_s))
		warning(ctx, text);
	tls_free(t);
	plain_warnings(c, warning, ctx);
	return ERR_OK;
}

/* ---- channels ---- */

static void log_warning(void *ctx, const char *text)
{
	const struct cores *c = ctx;

	LOG_WARN(c->log, "Connection to the core", log_s("detail", text));
}

static void on_expiry_check(void *ctx);

static void expiry_tell(struct cores *c)
{
	struct clock *clock = loop_clock(c->loop);
	char text[WARNING_SIZE];

	if (expiry_warning(text, c->tls, c->config->kms_core_tls.cert, clock_wall_ms(clock) / 1000))
		log_warning(c, text);
	clock_timer_set(clock, &c->expiry_check, EXPIRY_CHECK_MS, on_expiry_check, c);
}

static void on_expiry_check(void *ctx)
{
	expiry_tell(ctx);
}

static enum err channels_open(struct cores *c, struct err_note *note)
{
	const struct config_strings *list = &c->config->kms_core_endpoints;

	for (size_t i = 0; i < list->n; i++) {
		enum channel_grpc_way way;
		enum err e = channel_grpc_url_way(&way, list->v[i], note);
		const struct channel_grpc_options o = {
			.url = list->v[i], .tls = way == CHANNEL_GRPC_TLS ? c->tls : NULL};

		if (e == ERR_OK)
			e = channel_grpc_open(&c->channels[i], c->loop, &o, note);
		if (e != ERR_OK)
			return err_prefix(note, e, "kms_core_endpoints[%zu]", i);
		c->n = i + 1;
	}
	return ERR_OK;
}

enum err cores_open(struct cores *ret, struct loop *loop, const struct connector_config *config,
		    const struct log *log, struct arena *arena, struct err_note *note)
{
	*ret = (struct cores){.loop = loop, .config = config, .log = log};
	ret->channels =
		arena_alloc_array(arena, config->kms_core_endpoints.n, sizeof(struct channel *));
	if (!ret->channels)
		return ERR_NOMEM;

	enum err e = tls_open(&ret->tls, config, note);

	if (e == ERR_OK)
		e = channels_open(ret, note);
	if (e != ERR_OK) {
		cores_close(ret);
		return e;
	}
	if (ret->tls)
		expiry_tell(ret);
	plain_warnings(config, log_warning, ret);
	return ERR_OK;
}

void cores_reload(struct cores *c)
{
	struct err_note note = {0};
	enum err e;

	if (!c->tls) {
		LOG_INFO(c->log, "Nothing to read anew: there are no certificates");
		return;
	}
	e = tls_reload(c->tls, &note);
	if (e != ERR_OK) {
		LOG_ERROR(c->log, "The certificates cannot be used; those from before stay",
			  log_e(e), log_s("detail", note.text));
		return;
	}
	LOG_INFO(c->log, "Certificates read anew", log_s("cert", c->config->kms_core_tls.cert));
	expiry_tell(c);
	for (size_t i = 0; i < c->n; i++)
		channel_grpc_renew(c->channels[i]);
}

void cores_close(struct cores *c)
{
	if (c->loop)
		clock_timer_cancel(loop_clock(c->loop), &c->expiry_check);
	for (size_t i = 0; i < c->n; i++)
		channel_free(c->channels[i]);
	tls_free(c->tls);
	*c = (struct cores){0};
}
