/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/aws_settings.h"

#include <strings.h>

#include "base/config.h"
#include "base/limits.h"

/* ---- the environment ---- */

/* NULL also for an empty one: charts set what they have no value for to nothing. */
static const char *env_get(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; env && env[i]; i++)
		if (strncmp(env[i], name, n) == 0 && env[i][n] == '=')
			return env[i][n + 1] ? &env[i][n + 1] : NULL;
	return NULL;
}

static bool env_true(const char *const *env, const char *name)
{
	const char *v = env_get(env, name);

	return v && strcasecmp(v, "true") == 0;
}

void aws_env_wipe(char **env)
{
	static const char *const names[] = {"AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=",
					    "AWS_CONTAINER_AUTHORIZATION_TOKEN="};

	for (size_t i = 0; env && env[i]; i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			size_t n = strlen(names[k]);

			if (strncmp(env[i], names[k], n) == 0)
				secret_wipe(&env[i][n], strlen(&env[i][n]));
		}
}

/* ---- loading ---- */

struct loader {
	struct aws_settings *s;
	const char *const *env;
	struct arena *arena;
	struct err_note *note;
	struct buf credentials, config; /* the two files; empty: not there */
};

static enum err keep(struct loader *l, const char **ret, struct bytes text)
{
	*ret = arena_strndup(l->arena, text);
	return *ret ? ERR_OK : ERR_NOMEM;
}

static enum err keep_joined(struct loader *l, const char **ret, const char *a, const char *b)
{
	CLEANUP(buf_free) struct buf text = buf_make(2 * URL_SIZE_MAX);

	TRY(buf_add_str(&text, a));
	TRY(buf_add_str(&text, b));
	return keep(l, ret, buf_view(&text));
}

static enum err keep_env(struct loader *l, const char **ret, const char *name)
{
	const char *v = env_get(l->env, name);

	*ret = NULL;
	return v ? keep(l, ret, bytes_str(v)) : ERR_OK;
}

/* From either file, the credentials file first, as the command line of AWS does. */
static bool profile_get(const struct loader *l, struct bytes *ret, const char *key)
{
	return (aws_profile_get(ret, buf_view(&l->credentials), false, l->s->profile, key) ||
		aws_profile_get(ret, buf_view(&l->config), true, l->s->profile, key)) &&
	       ret->n > 0;
}

static enum err keep_profile(struct loader *l, const char **ret, const char *key)
{
	struct bytes v;

	*ret = NULL;
	return profile_get(l, &v, key) ? keep(l, ret, v) : ERR_OK;
}

/* A file that nobody named may be missing. */
static enum err file_read(struct loader *l, struct buf *out, const char **ret_path,
			  const char *variable, const char *below_home)
{
	const char *named = env_get(l->env, variable), *home = env_get(l->env, "HOME");
	struct err_note ignored;

	if (named)
		TRY(keep(l, ret_path, bytes_str(named)));
	else if (home)
		TRY(keep_joined(l, ret_path, home, below_home));
	else
		return ERR_OK;

	enum err e = config_read_file(out, *ret_path, named ? l->note : &ignored);

	if (e == ERR_CONFIG_FILE && !named)
		return ERR_OK;
	return e == ERR_OK || e == ERR_NOMEM ? e : ERR_CONFIG_FILE;
}

static enum err files_read(struct loader *l)
{
	const char *named = env_get(l->env, "AWS_PROFILE");

	TRY(keep(l, &l->s->profile, bytes_str(named ? named : "default")));
	TRY(file_read(l, &l->credentials, &l->s->credentials_file, "AWS_SHARED_CREDENTIALS_FILE",
		      "/.aws/credentials"));
	TRY(file_read(l, &l->config, &l->s->config_file, "AWS_CONFIG_FILE", "/.aws/config"));
	if (named && !aws_profile_exists(buf_view(&l->credentials), false, named) &&
	    !aws_profile_exists(buf_view(&l->config), true, named))
		return err_say(l->note, ERR_CONFIG_VALUE,
			       "AWS_PROFILE: no file has a profile of this name: %s", named);
	return ERR_OK;
}

/* ---- sources ---- */

static enum err environment_source(struct loader *l, bool *ret_found)
{
	const char *id = env_get(l->env, "AWS_ACCESS_KEY_ID");
	const char *secret = env_get(l->env, "AWS_SECRET_ACCESS_KEY");
	const char *token = env_get(l->env, "AWS_SESSION_TOKEN");

	*ret_found = id || secret;
	if (!*ret_found)
		return ERR_OK;
	if (!id || !secret)
		return err_say(l->note, ERR_CONFIG_VALUE, "%s is set and %s is not",
			       id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
			       id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
	l->s->source = AWS_SOURCE_ENVIRONMENT;
	if (aws_key_set_make(&l->s->keys, bytes_str(id), bytes_str(secret), bytes_str(token),
			     INT64_MAX) == ERR_OK)
		return ERR_OK;
	return err_say(l->note, ERR_CONFIG_VALUE,
		       "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN is not well "
		       "formed");
}

static enum err web_identity(struct loader *l, bool *ret_found)
{
	struct aws_settings *s = l->s;

	*ret_found = s->token_file != NULL;
	if (!*ret_found)
		return ERR_OK;
	if (!s->role_arn)
		return err_say(l->note, ERR_CONFIG_VALUE,
			       "a web identity token needs the role it is for (AWS_ROLE_ARN)");
	s->source = AWS_SOURCE_WEB_IDENTITY;
	if (!s->session_name)
		s->session_name = "claviger";
	return ERR_OK;
}

static enum err profile_source(struct loader *l, bool *ret_found)
{
	static const char *const foreign[] = {"credential_process", "source_profile",
					      "credential_source",  "sso_session",
					      "sso_account_id",     "sso_start_url"};
	struct aws_settings *s = l->s;
	struct bytes v;

	*ret_found = true;
	if (profile_get(l, &v, "aws_access_key_id") ||
	    profile_get(l, &v, "aws_secret_access_key")) {
		struct aws_key_set k;

		s->source = AWS_SOURCE_PROFILE;
		TRY(aws_settings_profile_keys(&k, s, l->note));
		aws_key_set_free(&k);
		return ERR_OK;
	}
	TRY(keep_profile(l, &s->token_file, "web_identity_token_file"));
	TRY(keep_profile(l, &s->role_arn, "role_arn"));
	TRY(keep_profile(l, &s->session_name, "role_session_name"));
	if (s->token_file)
		return web_identity(l, ret_found);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (profile_get(l, &v, foreign[i]))
			return err_say(l->note, ERR_CONFIG_VALUE,
				       "profile %s: %s is not supported; give keys or a web "
				       "identity, or use the role of the machine or container",
				       s->profile, foreign[i]);
	if (s->role_arn)
		return err_say(l->note, ERR_CONFIG_VALUE,
			       "profile %s: role_arn needs web_identity_token_file", s->profile);
	*ret_found = false;
	s->session_name = NULL;
	return ERR_OK;
}

static enum err web_identity_source(struct loader *l, bool *ret_found)
{
	TRY(keep_env(l, &l->s->token_file, "AWS_WEB_IDENTITY_TOKEN_FILE"));
	TRY(keep_env(l, &l->s->role_arn, "AWS_ROLE_ARN"));
	TRY(keep_env(l, &l->s->session_name, "AWS_ROLE_SESSION_NAME"));
	return web_identity(l, ret_found);
}

/* Plain text to this machine, and to the addresses that ECS and EKS give to theirs. */
static bool container_url_safe(const char *url)
{
	static const char *const hosts[] = {"127.0.0.1",     "localhost",      "[::1]",
					    "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
	const char *host = &url[7];

	if (strncmp(url, "https://", 8) == 0)
		return true;
	if (strncmp(url, "http://", 7) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		size_t n = strlen(hosts[i]);

		if (strncmp(host, hosts[i], n) == 0 && strchr(":/?", host[n]))
			return true;
	}
	return false;
}

static enum err container_source(struct loader *l, bool *ret_found)
{
	const char *relative = env_get(l->env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *token = env_get(l->env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct aws_settings *s = l->s;

	TRY(keep_env(l, &s->container_url, "AWS_CONTAINER_CREDENTIALS_FULL_URI"));
	if (relative)
		TRY(keep_joined(l, &s->container_url, "http://169.254.170.2", relative));
	*ret_found = s->container_url != NULL;
	if (!*ret_found)
		return ERR_OK;
	if (!container_url_safe(s->container_url))
		return err_say(l->note, ERR_CONFIG_VALUE,
			       "AWS_CONTAINER_CREDENTIALS_FULL_URI: expected https, or http to "
			       "this machine or to the address of ECS or EKS");
	s->source = AWS_SOURCE_CONTAINER;
	TRY(keep_env(l, &s->container_token_file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
	if (token && !s->container_token_file)
		TRY(secret_copy(&s->container_token, bytes_from(token, strlen(token) + 1)));
	return ERR_OK;
}

static enum err machine_source(struct loader *l, bool *ret_found)
{
	*ret_found = !env_true(l->env, "AWS_EC2_METADATA_DISABLED");
	l->s->source = AWS_SOURCE_MACHINE;
	return ERR_OK;
}

static enum err source_find(struct loader *l)
{
	static enum err (*const order[])(struct loader * l, bool *ret_found) = {
		environment_source, profile_source, web_identity_source,
		container_source,   machine_source,
	};
	bool found = false;

	for (size_t i = 0; !found && i < ARRAY_LEN(order); i++)
		TRY(order[i](l, &found));
	return found ? ERR_OK
		     : err_say(l->note, ERR_CONFIG_VALUE,
			       "no AWS credentials: not in the environment, not in a profile, no "
			       "web identity, no container, and AWS_EC2_METADATA_DISABLED");
}

/* ---- region and endpoints ---- */

bool aws_region_sound(const char *region)
{
	size_t n = strlen(region);

	for (size_t i = 0; i < n; i++)
		if (!(region[i] >= 'a' && region[i] <= 'z') &&
		    !(region[i] >= '0' && region[i] <= '9') && region[i] != '-')
			return false;
	return n > 0 && n < 64;
}

enum err aws_endpoint(struct buf *out, const char *service, const char *region)
{
	if (!aws_region_sound(region))
		return ERR_CONFIG_VALUE;
	return buf_addf(out, "https://%s.%s.amazonaws.com%s", service, region,
			strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

static enum err region_find(struct loader *l)
{
	struct aws_settings *s = l->s;

	TRY(keep_env(l, &s->region, "AWS_REGION"));
	if (!s->region)
		TRY(keep_env(l, &s->region, "AWS_DEFAULT_REGION"));
	if (!s->region)
		TRY(keep_profile(l, &s->region, "region"));
	if (s->region && !aws_region_sound(s->region))
		return err_say(l->note, ERR_CONFIG_VALUE,
			       "AWS_REGION, or the region of the profile, is none");
	return ERR_OK;
}

static enum err endpoint_find(struct loader *l, const char **ret, const char *own_variable)
{
	*ret = NULL;
	if (env_true(l->env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return ERR_OK;
	TRY(keep_env(l, ret, own_variable));
	if (!*ret)
		TRY(keep_env(l, ret, "AWS_ENDPOINT_URL"));
	if (!*ret)
		TRY(keep_profile(l, ret, "endpoint_url"));
	return ERR_OK;
}

static enum err metadata_find(struct loader *l)
{
	const char *mode = env_get(l->env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	const char *url = env_get(l->env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	size_t n;

	if (env_true(l->env, "AWS_EC2_METADATA_DISABLED"))
		return ERR_OK;
	if (!url)
		url = mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]"
							    : "http://169.254.169.254";
	n = strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	return keep(l, &l->s->metadata_url, bytes_from(url, n));
}

static enum err load(struct loader *l, const char *service)
{
	char variable[64] = "AWS_ENDPOINT_URL_";
	size_t at = strlen(variable);

	for (size_t i = 0; service[i] && at < sizeof(variable) - 1; i++)
		variable[at++] = (char)(service[i] >= 'a' && service[i] <= 'z' ? service[i] - 32
									       : service[i]);
	TRY(files_read(l));
	TRY(source_find(l));
	TRY(region_find(l));
	TRY(endpoint_find(l, &l->s->endpoint, variable));
	TRY(endpoint_find(l, &l->s->sts_endpoint, "AWS_ENDPOINT_URL_STS"));
	return metadata_find(l);
}

enum err aws_settings_load(struct aws_settings *ret_settings, const char *service,
			   const char *const *env, struct arena *arena, struct err_note *note)
{
	struct aws_settings s = {.source = AWS_SOURCE_MACHINE};
	struct loader l = {
		.s = &s,
		.env = env,
		.arena = arena,
		.note = note,
		.credentials = buf_make(AWS_FILE_SIZE_MAX),
		.config = buf_make(AWS_FILE_SIZE_MAX),
	};
	enum err e = load(&l, service);

	buf_wipe(&l.credentials);
	buf_wipe(&l.config);
	if (e == ERR_OK)
		*ret_settings = s;
	else
		aws_settings_free(&s);
	return e;
}

void aws_settings_free(struct aws_settings *s)
{
	aws_key_set_free(&s->keys);
	secret_free(&s->container_token);
}

/* ---- what is read again ---- */

enum err aws_settings_profile_keys(struct aws_key_set *ret_keys, const struct aws_settings *s,
				   struct err_note *note)
{
	CLEANUP(buf_wipe) struct buf credentials = buf_make(AWS_FILE_SIZE_MAX);
	CLEANUP(buf_wipe) struct buf config = buf_make(AWS_FILE_SIZE_MAX);
	struct bytes id = BYTES_NONE, secret = BYTES_NONE, token = BYTES_NONE;
	struct err_note ignored;
	bool is_config = false;

	/* Either may be missing: what counts is whether the keys are there. */
	if (s->credentials_file)
		(void)(config_read_file(&credentials, s->credentials_file, &ignored) == ERR_OK);
	if (s->config_file)
		(void)(config_read_file(&config, s->config_file, &ignored) == ERR_OK);
	/* A pair stands in one file. */
	if (!aws_profile_get(&id, buf_view(&credentials), false, s->profile, "aws_access_key_id") &&
	    !aws_profile_get(&secret, buf_view(&credentials), false, s->profile,
			     "aws_secret_access_key"))
		is_config = true;

	struct bytes text = buf_view(is_config ? &config : &credentials);

	(void)aws_profile_get(&id, text, is_config, s->profile, "aws_access_key_id");
	(void)aws_profile_get(&secret, text, is_config, s->profile, "aws_secret_access_key");
	(void)aws_profile_get(&token, text, is_config, s->profile, "aws_session_token");

	enum err e = aws_key_set_make(ret_keys, id, secret, token, INT64_MAX);

	if (e == ERR_MALFORMED)
		return err_say(note, ERR_CONFIG_VALUE,
			       "profile %s: aws_access_key_id, aws_secret_access_key or "
			       "aws_session_token is missing or not well formed",
			       s->profile);
	return e;
}

enum err aws_token_read(struct secret *ret_token, const char *path, struct err_note *note)
{
	CLEANUP(buf_wipe) struct buf text = buf_make(AWS_TOKEN_SIZE_MAX);
	enum err e = config_read_file(&text, path, note);

	if (e != ERR_OK)
		return e == ERR_NOMEM ? e : ERR_CONFIG_FILE;
	while (text.n > 0 && text.p[text.n - 1] <= ' ')
		text.n--;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~')
			text.n = 0;
	if (text.n == 0)
		return err_say(note, ERR_CONFIG_FILE, "%s: holds no token", path);
	TRY(secret_alloc(ret_token, text.n + 1));
	memcpy(ret_token->p, text.p, text.n);
	return ERR_OK;
}

const char *aws_source_words(enum aws_source s)
{
	static const char *const words[] = {
		[AWS_SOURCE_ENVIRONMENT] = "the environment",
		[AWS_SOURCE_PROFILE] = "the profile",
		[AWS_SOURCE_WEB_IDENTITY] = "a web identity",
		[AWS_SOURCE_CONTAINER] = "the container",
		[AWS_SOURCE_MACHINE] = "the metadata of the machine",
	};

	return words[s];
}
