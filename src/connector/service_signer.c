/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service_signer.h"

#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

#include "connector/metrics_live.h"
#include "eth/signer_aws.h"
#include "eth/text.h"

bool service_signer_is_aws(const struct connector_config *c)
{
	return !c->private_key_given && c->aws_kms.key_id && c->aws_kms.key_id[0];
}

/* ---- the file of the raw key ---- */

static const char *env_value(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (strncasecmp(*env, name, n) == 0 && (*env)[n] == '=')
			return &(*env)[n + 1];
	return NULL;
}

/* The file that the key came from, if it is one that an operator made. */
static const char *key_file(const struct connector_config *c, const char *const *env,
			    const char *config_file)
{
	const char *named = env_value(env, "KMS_CONNECTOR_PRIVATE_KEY_FILE");

	if (!c->private_key_given || env_value(env, "KMS_CONNECTOR_PRIVATE_KEY"))
		return NULL;
	if (named && named[0])
		return named;
	return env_value(env, "CREDENTIALS_DIRECTORY") ? NULL : config_file;
}

/* A warning and no refusal, as for keys in the vault: container platforms mount whole
 * configurations with mode 0644 where nobody else lives. */
void service_signer_judge_file(const struct connector_config *c, const char *const *env,
			       const char *config_file, const struct log *log)
{
	const char *path = key_file(c, env, config_file);
	char mode[8];
	struct stat st;

	if (!path || stat(path, &st) != 0 || (st.st_mode & (S_IRWXO | S_IWGRP)) == 0)
		return;
	(void)snprintf(mode, sizeof(mode), "%04o", (unsigned)st.st_mode & 07777);
	LOG_WARN(log, "A file holds private_key, and others can read or change it: chmod 600",
		 log_s("file", path), log_s("mode", mode));
}

/* ---- the raw key ---- */

static enum err raw_open(struct signer **ret_signer, const struct service_signer_options *o,
			 struct err_note *note)
{
	struct connector_config *c = o->config;
	char address[ADDRESS_TEXT_SIZE];
	enum err e = signer_raw_new(ret_signer, loop_clock(o->loop), o->ecdsa, &c->private_key);

	secret32_wipe(&c->private_key);
	if (e != ERR_OK)
		return err_say(note, e, "private_key: not a secp256k1 key");
	address_to_text(address, (*ret_signer)->address);
	LOG_WARN(o->log, "Transactions are signed with a raw private key: for testing only",
		 log_s("address", address));
	if (c->aws_kms.key_id && c->aws_kms.key_id[0])
		LOG_WARN(o->log, "aws_kms_config has no effect: private_key comes first");
	return ERR_OK;
}

/* ---- AWS KMS ---- */

struct opening {
	struct loop *loop;
	bool done;
	enum err err;
	struct err_note note;
};

static void on_opened(void *ctx, enum err e, const struct err_note *note)
{
	struct opening *p = ctx;

	p->done = true;
	p->err = e;
	p->note = *note;
	loop_stop(p->loop);
}

static void on_changed(void *ctx, const char *down)
{
	const struct log *log = ctx;

	if (down)
		LOG_WARN(log, "AWS KMS does not sign, trying again", log_s("detail", down));
	else
		LOG_INFO(log, "AWS KMS answers again");
}

bool service_url_plain_and_far(const char *url)
{
	return url && strncmp(url, "http://", 7) == 0 && strncmp(url, "http://127.", 11) != 0 &&
	       strncmp(url, "http://localhost", 16) != 0 && strncmp(url, "http://[::1]", 12) != 0;
}

static void say_opened(const struct service_signer_options *o, const struct signer *s)
{
	const struct signer_aws_state state = signer_aws_state(s);
	char address[ADDRESS_TEXT_SIZE];

	address_to_text(address, s->address);
	LOG_INFO(o->log, "Transactions are signed by AWS KMS", log_s("address", address),
		 log_s("key", o->config->aws_kms.key_id), log_s("region", state.region),
		 log_s("credentials", aws_source_words(state.source)));
	if (service_url_plain_and_far(state.endpoint))
		LOG_WARN(o->log, "AWS KMS is asked in plain text: use https");
}

static enum err aws_open(struct signer **ret_signer, const struct service_signer_options *o,
			 struct err_note *note)
{
	const struct aws_kms_config *c = &o->config->aws_kms;
	const struct signer_aws_options options = {
		.transport = o->transport,
		.clock = loop_clock(o->loop),
		.rng = rng_system(),
		.ecdsa = o->ecdsa,
		.env = (const char *const *)o->env,
		.key_id = c->key_id,
		.region = c->region,
		.endpoint = c->endpoint,
		.changed = on_changed,
		.ctx = (void *)(uintptr_t)o->log,
	};
	struct opening p = {.loop = o->loop};
	struct signer *s;
	enum err e = signer_aws_new(&s, &options, on_opened, &p, note);

	if (e != ERR_OK)
		return err_prefix(note, e, "aws_kms_config");
	aws_env_wipe(o->env);
	e = loop_run(o->loop);
	if (e == ERR_OK)
		e = p.done ? p.err : ERR_CANCELLED; /* a signal */
	if (e != ERR_OK) {
		signer_free(s);
		*note = p.note;
		return err_prefix(note, e, "aws_kms_config");
	}
	say_opened(o, s);
	*ret_signer = s;
	return ERR_OK;
}

/* ---- either ---- */

enum err service_signer_open(struct signer **ret_signer, const struct service_signer_options *o,
			     struct err_note *note)
{
	TRY(service_signer_is_aws(o->config) ? aws_open(ret_signer, o, note)
					     : raw_open(ret_signer, o, note));
	if (secret_lock_failed() > 0)
		LOG_WARN(o->log, "The machine refuses to lock memory: secrets may be swapped out; "
				 "raise RLIMIT_MEMLOCK");
	return ERR_OK;
}

bool service_signer_breaker(struct live_breaker *ret_breaker, const struct signer *s,
			    const struct connector_config *c)
{
	if (!s || !service_signer_is_aws(c))
		return false;

	const struct signer_aws_state state = signer_aws_state(s);

	*ret_breaker = (struct live_breaker){
		.part = "aws_kms", .state = state.breaker, .opened = state.breaker_opened};
	return true;
}
