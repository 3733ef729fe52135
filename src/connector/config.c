/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/limits.h"
#include "connector/config_chains.h"
#include "connector/config_old.h"
#include "connector/cores.h"
#include "eth/signer_aws.h"

/* ---- the whole ---- */

static enum err check_key_management(struct connector_config *c, struct err_note *note)
{
	const char *where = c->key_management_chain;

	if (!where)
		where = c->ethereum_url ? "ethereum" : "gateway";
	c->kms_generation_on_gateway = strcmp(where, "gateway") == 0;
	if (!c->kms_generation_on_gateway && strcmp(where, "ethereum") != 0)
		return err_say(note, ERR_CONFIG_VALUE,
			       "key_management_chain: expected ethereum or gateway");
	bool ethereum = c->protocol_config_given ||
			(c->kms_generation_given && !c->kms_generation_on_gateway);
	if (ethereum && (!c->ethereum_url || c->ethereum_chain_id == 0))
		return err_say(note, ERR_CONFIG_VALUE,
			       "%s needs ethereum_url and ethereum_chain_id",
			       c->protocol_config_given ? "protocol_config_contract"
							: "kms_generation_contract");
	if (ethereum && c->ethereum_chain_id == c->gateway_chain_id)
		return err_say(note, ERR_CONFIG_VALUE,
			       "ethereum_chain_id: it is the gateway's, too");
	return ERR_OK;
}

static enum err check_aws(const struct aws_kms_config *k, const char **ret_path,
			  struct err_note *note)
{
	bool region = k->region && k->region[0];
	struct bytes arn;

	*ret_path = "aws_kms_config.region";
	if (region && !aws_region_sound(k->region))
		return err_say(note, ERR_CONFIG_VALUE, "no region of AWS");
	if (region && signer_aws_arn_region(&arn, k->key_id) &&
	    !bytes_eq_var(arn, bytes_str(k->region)))
		return err_say(note, ERR_CONFIG_VALUE, "the ARN of key_id is of another region");
	*ret_path = "aws_kms_config.endpoint";
	if (k->endpoint && k->endpoint[0] &&
	    (!config_is_rpc_url(k->endpoint) || strncmp(k->endpoint, "http", 4) != 0))
		return err_say(note, ERR_CONFIG_VALUE, "expected an http or https URL");
	return ERR_OK;
}

/* At least one; the raw key counts before the other. */
static enum err check_signer(const struct connector_config *c, const struct config_source *src,
			     struct err_note *note)
{
	const struct aws_kms_config *k = &c->aws_kms;
	const char *path;
	enum err e;

	if (c->private_key_given)
		return ERR_OK;
	if (!k->key_id || !k->key_id[0])
		return err_say(note, ERR_CONFIG_VALUE,
			       "private_key: the sender needs one (KMS_CONNECTOR_PRIVATE_KEY, or "
			       "…_PRIVATE_KEY_FILE), or aws_kms_config.key_id");
	e = check_aws(k, &path, note);
	return e == ERR_OK ? e : config_prefix(note, e, &connector_config, src, path);
}

/* The URL in front of the objects, as the first generation made it. */
static enum err s3_fallback_make(struct connector_config *c, const struct config_source *src,
				 struct arena *arena, struct err_note *note)
{
	CLEANUP(buf_free) struct buf url = buf_make(URL_SIZE_MAX);
	const struct s3_config *s = &c->s3;
	bool bucket = s->bucket && s->bucket[0], endpoint = s->endpoint && s->endpoint[0];
	bool region = s->region && s->region[0];
	size_t n = endpoint ? strlen(s->endpoint) : 0;
	enum err e;

	/* Half of it is what other stacks set and nobody reads. */
	if (!bucket || (!endpoint && !region))
		return ERR_OK;
	if (endpoint && (!config_is_rpc_url(s->endpoint) || s->endpoint[0] != 'h')) {
		e = err_say(note, ERR_CONFIG_VALUE, "expected an http or https URL");
		return config_prefix(note, e, &connector_config, src, "s3_config.endpoint");
	}
	while (n > 0 && s->endpoint[n - 1] == '/')
		n--;
	TRY(endpoint ? buf_addf(&url, "%.*s/%s", (int)n, s->endpoint, s->bucket)
		     : buf_addf(&url, "https://s3.%s.amazonaws.com/%s", s->region, s->bucket));
	c->s3_fallback_url = arena_strndup(arena, buf_view(&url));
	return c->s3_fallback_url ? ERR_OK : ERR_NOMEM;
}

/* Credentials are for those alone that are named: a scheme and a host at least. */
static enum err check_signed_buckets(const struct connector_config *c,
				     const struct config_source *src, struct err_note *note)
{
	const char *region = c->s3_signing_region;
	enum err e = ERR_OK;

	/* A URL with a user in it is not repeated: there may be a password. */
	for (size_t i = 0; i < c->s3_signed_buckets.n && e == ERR_OK; i++) {
		const char *url = c->s3_signed_buckets.v[i];

		if (!config_is_rpc_url(url) || url[0] != 'h' || strpbrk(url, "@?#"))
			e = err_say(note, ERR_CONFIG_VALUE,
				    "number %zu is no URL of a bucket: expected http:// or "
				    "https://, a host and a path, without @, ? and #",
				    i + 1);
	}
	if (e != ERR_OK)
		return config_prefix(note, e, &connector_config, src, "s3_signed_buckets");
	if (region && region[0] && !aws_region_sound(region))
		return config_prefix(note,
				     err_say(note, ERR_CONFIG_VALUE,
					     "found \"%.40s\", expected a region of AWS: small "
					     "letters, digits and hyphens",
					     region),
				     &connector_config, src, "s3_signing_region");
	return ERR_OK;
}

static enum err check_services(struct connector_config *c, unsigned services,
			       const struct config_source *src, struct arena *arena,
			       struct err_note *note)
{
	if ((services & SERVICE_WORKER) != 0) {
		if (c->host_chains_json || !c->first_generation)
			TRY(config_host_chains_read(c, src, arena, note));
		TRY(s3_fallback_make(c, src, arena, note));
		TRY(check_signed_buckets(c, src, note));
		if (c->kms_core_endpoints.n == 0)
			return config_prefix(note,
					     err_say(note, ERR_CONFIG_VALUE,
						     "found none, expected at least one endpoint"),
					     &connector_config, src, "kms_core_endpoints");
		TRY(cores_check_keys(c, src, note));
	}
	TRY(check_key_management(c, note));
	if ((services & SERVICE_SENDER) != 0)
		return check_signer(c, src, note);
	return ERR_OK;
}

enum err connector_config_load(struct connector_config *ret_config, unsigned services,
			       const struct config_source *src, struct arena *arena,
			       struct err_note *note)
{
	struct connector_config c = {0};
	struct config_table table;
	bool first;

	TRY(config_old_table(&table, &first, services, src, arena));
	enum err e = config_load(&table, services, src, &c, arena, note);

	c.first_generation = first;
	if (e == ERR_OK)
		e = config_old_check(services, src, arena, note);
	if (e == ERR_OK)
		e = config_chains_check(&c, services, src, note);
	if (e == ERR_OK)
		e = check_services(&c, services, src, arena, note);
	if (e == ERR_OK)
		*ret_config = c;
	else
		connector_config_free(&c);
	secret32_wipe(&c.private_key);
	return e;
}

void connector_config_free(struct connector_config *c)
{
	if (!c)
		return;
	secret32_wipe(&c->private_key);
	secret_free(&c->database_url);
	if (c->host_chains_json)
		json_decref(c->host_chains_json);
	*c = (struct connector_config){0};
}
