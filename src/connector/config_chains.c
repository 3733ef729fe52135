/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What rows cannot say of chains: host chains, endpoints and their quorum, finality. */
#include "connector/config_chains.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/limits.h"

/* ---- host chains ---- */

/* A member under either of its names; NULL if absent. */
static const json_t *member(const json_t *o, const char *snake, const char *camel)
{
	const json_t *v = json_object_get(o, snake);

	return v ? v : json_object_get(o, camel);
}

static enum err chain_id_read(uint64_t *ret_id, const json_t *v)
{
	if (json_is_integer(v) && json_integer_value(v) > 0) {
		*ret_id = (uint64_t)json_integer_value(v);
		return ERR_OK;
	}
	if (!json_is_string(v))
		return ERR_MALFORMED;

	struct bytes text = bytes_from(json_string_value(v), json_string_length(v));
	struct u256 id;

	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return ERR_MALFORMED;
	TRY(u256_parse(&id, text));
	TRY(u256_to_u64(ret_id, id));
	return *ret_id == 0 ? ERR_RANGE : ERR_OK;
}

bool config_is_rpc_url(const char *s)
{
	static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};

	for (const char *c = s; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t skip = strlen(schemes[i]);

		if (strncmp(s, schemes[i], skip) == 0)
			return strlen(s) <= URL_SIZE_MAX && s[skip] != '\0' && s[skip] != '/';
	}
	return false;
}

static bool is_list_of_urls(const json_t *urls)
{
	if (!json_is_array(urls) || json_array_size(urls) >= PROVIDER_ENDPOINTS_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(urls); i++)
		if (!json_is_string(json_array_get(urls, i)) ||
		    !config_is_rpc_url(json_string_value(json_array_get(urls, i))))
			return false;
	return true;
}

enum {
	SHOWN_SIZE = 80
};

/* What was found. URLs are not repeated: providers put their keys into them. */
static void shown(char out[SHOWN_SIZE], const json_t *v, bool is_url)
{
	if (!v)
		(void)snprintf(out, SHOWN_SIZE, "nothing");
	else if (json_is_string(v) && is_url)
		(void)snprintf(out, SHOWN_SIZE, "another text (not shown: it may hold a key)");
	else if (json_is_string(v))
		(void)snprintf(out, SHOWN_SIZE, "\"%.60s\"", json_string_value(v));
	else if (json_is_integer(v))
		(void)snprintf(out, SHOWN_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		(void)snprintf(out, SHOWN_SIZE, "%s",
			       json_is_array(v)    ? "a list"
			       : json_is_object(v) ? "a table"
						   : "a value of another kind");
}

/* One entry of host_chains while it is read. */
struct entry {
	const struct config_source *src;
	const json_t *json;
	size_t index;
	struct err_note *note;
};

static enum err place(const struct entry *at, const char *key, enum err e)
{
	char part[64];

	(void)snprintf(part, sizeof(part), "[%zu]%s%s", at->index, key[0] ? "." : "", key);
	return config_prefix_part(at->note, e, &connector_config, at->src, "host_chains", part);
}

static enum err bad(const struct entry *at, const char *key, const json_t *found,
		    const char *expected)
{
	char text[SHOWN_SIZE];

	shown(text, found, strncmp(key, "url", 3) == 0);
	return place(at, key,
		     err_say(at->note, ERR_CONFIG_VALUE, "found %s, expected %s", text, expected));
}

/* `urls` and `quorum`: both may be missing. */
static enum err host_endpoints_read(struct host_chain_config *ret, const struct entry *at,
				    struct arena *arena)
{
	const json_t *urls = json_object_get(at->json, "urls");
	const json_t *quorum = json_object_get(at->json, "quorum");
	size_t n = json_array_size(urls);
	char expected[SHOWN_SIZE];

	if (urls && !is_list_of_urls(urls)) {
		(void)snprintf(expected, sizeof(expected),
			       "a list of at most %d http, https, ws or wss URLs",
			       PROVIDER_ENDPOINTS_MAX - 1);
		return bad(at, "urls", urls, expected);
	}
	if (quorum && (!json_is_integer(quorum) || json_integer_value(quorum) < 1 ||
		       (uint64_t)json_integer_value(quorum) > n + 1)) {
		(void)snprintf(expected, sizeof(expected),
			       "1 to the number of its endpoints, which is %zu", n + 1);
		return bad(at, "quorum", quorum, expected);
	}
	ret->quorum = quorum ? (uint64_t)json_integer_value(quorum) : 1;
	if (n > 0)
		ret->urls = arena_alloc_array(arena, n, sizeof(*ret->urls));
	if (n > 0 && !ret->urls)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		ret->urls[i] =
			arena_strndup(arena, bytes_str(json_string_value(json_array_get(urls, i))));
		if (!ret->urls[i])
			return ERR_NOMEM;
	}
	ret->urls_n = n;
	return ERR_OK;
}

static enum err host_chain_read(struct host_chain_config *ret, const struct entry *at,
				struct arena *arena)
{
	const json_t *url = member(at->json, "url", "url");
	const json_t *acl = member(at->json, "acl_address", "aclAddress");
	const json_t *id = member(at->json, "chain_id", "chainId");

	if (!json_is_object(at->json))
		return bad(at, "", at->json, "{url, chain_id, acl_address}");
	if (!json_is_string(url) || !config_is_rpc_url(json_string_value(url)))
		return bad(at, "url", url, "an http, https, ws or wss URL");
	if (chain_id_read(&ret->chain_id.v, id) != ERR_OK)
		return bad(at, "chain_id", id, "a positive number or its decimal text");
	if (!json_is_string(acl) || strncmp(json_string_value(acl), "0x", 2) != 0 ||
	    hex_decode_fixed(ret->acl.b, sizeof(ret->acl.b), bytes_str(json_string_value(acl))) !=
		    ERR_OK ||
	    address_eq(ret->acl, (struct address){{0}}))
		return bad(at, "acl_address", acl, "0x and 40 hexadecimal digits, not all zero");
	ret->url = arena_strndup(arena, bytes_str(json_string_value(url)));
	return ret->url ? host_endpoints_read(ret, at, arena) : ERR_NOMEM;
}

/* Entry `at` of the list is another chain than all that have been read. */
static enum err chain_is_new(const struct connector_config *c, const struct entry *at)
{
	uint64_t id = c->host_chains[at->index].chain_id.v;

	if (id == c->gateway_chain_id)
		return place(at, "chain_id",
			     err_say(at->note, ERR_CONFIG_VALUE,
				     "found %" PRIu64
				     ", which is gateway_chain_id, expected another chain",
				     id));
	for (size_t i = 0; i < at->index; i++)
		if (c->host_chains[i].chain_id.v == id)
			return place(at, "chain_id",
				     err_say(at->note, ERR_CONFIG_VALUE,
					     "found %" PRIu64 ", which is there twice", id));
	return ERR_OK;
}

enum err config_host_chains_read(struct connector_config *c, const struct config_source *src,
				 struct arena *arena, struct err_note *note)
{
	const json_t *list = c->host_chains_json;
	size_t n = json_is_array(list) ? json_array_size(list) : 0;

	if (n == 0 || n > HOST_CHAINS_MAX)
		return config_prefix(note,
				     err_say(note, ERR_CONFIG_VALUE,
					     "found %zu, expected a list of 1 to %d chains", n,
					     (int)HOST_CHAINS_MAX),
				     &connector_config, src, "host_chains");
	c->host_chains = arena_alloc_array(arena, n, sizeof(*c->host_chains));
	if (!c->host_chains)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct entry at = {src, json_array_get(list, i), i, note};

		TRY(host_chain_read(&c->host_chains[i], &at, arena));
		TRY(chain_is_new(c, &at));
	}
	c->host_chains_n = n;
	return ERR_OK;
}

/* ---- endpoints and finality ---- */

static enum err endpoints_check(const char *name, const struct config_strings *urls,
				uint64_t quorum, const struct config_source *src,
				struct err_note *note)
{
	char path[64];

	for (size_t i = 0; i < urls->n; i++) {
		(void)snprintf(path, sizeof(path), "%s_urls", name);
		if (!config_is_rpc_url(urls->v[i]))
			return config_prefix(note,
					     err_say(note, ERR_CONFIG_VALUE,
						     "found another text at [%zu] (not shown: it "
						     "may hold a key), expected http, https, ws or "
						     "wss URLs",
						     i),
					     &connector_config, src, path);
	}
	(void)snprintf(path, sizeof(path), "%s_quorum", name);
	if (quorum > urls->n + 1)
		return config_prefix(note,
				     err_say(note, ERR_CONFIG_VALUE,
					     "found %" PRIu64
					     ", but there are only %zu endpoints to agree",
					     quorum, urls->n + 1),
				     &connector_config, src, path);
	return ERR_OK;
}

enum err chain_finality_parse(struct chain_finality *ret_finality, const char *text)
{
	static const struct {
		const char *name;
		enum finality kind;
	} names[] = {{"latest", FINALITY_LATEST},
		     {"safe", FINALITY_SAFE},
		     {"finalized", FINALITY_FINALIZED},
		     {"arbitrum-l1", FINALITY_ARBITRUM_L1},
		     {"arbitrum-l1-confirmed", FINALITY_ARBITRUM_CONFIRMED}};
	uint64_t blocks = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(text, names[i].name) == 0) {
			*ret_finality = (struct chain_finality){.kind = names[i].kind};
			return ERR_OK;
		}
	if (!text[0] || strlen(text) > 6)
		return ERR_CONFIG_VALUE;
	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9')
			return ERR_CONFIG_VALUE;
		blocks = 10 * blocks + (uint64_t)(*c - '0');
	}
	*ret_finality = (struct chain_finality){.kind = FINALITY_BLOCKS, .blocks = blocks};
	return ERR_OK;
}

static enum err finality_check(struct chain_finality *ret_finality, const char *text,
			       const char *path, const struct config_source *src,
			       struct err_note *note)
{
	if (chain_finality_parse(ret_finality, text) == ERR_OK)
		return ERR_OK;
	return config_prefix(note,
			     err_say(note, ERR_CONFIG_VALUE,
				     "found \"%.40s\", expected latest, safe, finalized, "
				     "arbitrum-l1, arbitrum-l1-confirmed or a number of "
				     "blocks below 1000000",
				     text),
			     &connector_config, src, path);
}

/* What the parent chain has confirmed is asked there. */
static enum err parent_check(const struct connector_config *c, const struct config_source *src,
			     struct err_note *note)
{
	if (c->ethereum_final.kind == FINALITY_ARBITRUM_CONFIRMED)
		return config_prefix(note,
				     err_say(note, ERR_CONFIG_VALUE,
					     "arbitrum-l1-confirmed is for the gateway alone"),
				     &connector_config, src, "ethereum_finality");
	if (c->gateway_final.kind != FINALITY_ARBITRUM_CONFIRMED ||
	    (c->gateway_parent_url && c->gateway_parent_chain_id != 0 &&
	     c->gateway_parent_rollup_given))
		return ERR_OK;
	return config_prefix(note,
			     err_say(note, ERR_CONFIG_VALUE,
				     "arbitrum-l1-confirmed needs gateway_parent_url, "
				     "gateway_parent_chain_id and gateway_parent_rollup"),
			     &connector_config, src, "gateway_finality");
}

void config_chains_remarks(const struct connector_config *c, unsigned services,
			   connector_config_fn *fn, void *ctx)
{
	const struct {
		const char *key;
		bool given;
	} parent[] = {
		{"gateway_parent_url", c->gateway_parent_url != NULL},
		{"gateway_parent_chain_id", c->gateway_parent_chain_id != 0},
		{"gateway_parent_rollup", c->gateway_parent_rollup_given},
	};
	char text[160];

	if ((services & SERVICE_LISTENER) == 0 ||
	    c->gateway_final.kind == FINALITY_ARBITRUM_CONFIRMED)
		return;
	for (size_t i = 0; i < ARRAY_LEN(parent); i++) {
		if (!parent[i].given)
			continue;
		(void)snprintf(text, sizeof(text),
			       "%s has no effect here: gateway_finality is not "
			       "arbitrum-l1-confirmed",
			       parent[i].key);
		fn(ctx, text);
	}
}

enum err config_chains_check(struct connector_config *c, unsigned services,
			     const struct config_source *src, struct err_note *note)
{
	TRY(endpoints_check("gateway", &c->gateway_urls, c->gateway_quorum, src, note));
	TRY(endpoints_check("ethereum", &c->ethereum_urls, c->ethereum_quorum, src, note));
	if ((services & SERVICE_LISTENER) == 0)
		return ERR_OK;
	TRY(finality_check(&c->gateway_final, c->gateway_finality, "gateway_finality", src, note));
	TRY(finality_check(&c->ethereum_final, c->ethereum_finality, "ethereum_finality", src,
			   note));
	return parent_check(c, src, note);
}
