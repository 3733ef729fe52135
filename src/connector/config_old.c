/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/config_old.h"

#include <stdio.h>

enum {
	PROBED = 1 << 20, /* the service of the one row that is looked at */
	PROBE_ARENA_MAX = 8 << 20,
	REMARK_SIZE = 400,
	ROWS_MAX = 256,
};

/* What the first generation's documentation names as defaults. */
static const struct {
	const char *path, *def;
} first_defaults[] = {
	{"gateway_url", "ws://localhost:8545"},
	{"chain_id", "31337"},
	{"kms_core_endpoint", "http://[::1]:50052"},
	{"decryption_address", "0x5fbdb2315678afecb367f032d93f642f64180aa3"},
	{"gateway_config_address", "0x0000000000000000000000000000000000000001"},
};

/* With any of these it is no configuration of the first generation. */
static const char *const later[] = {
	"gateway_chain_id",
	"kms_core_endpoints",
	"decryption_contract.address",
	"gateway_config_contract.address",
	"kms_generation_contract.address",
	"protocol_config_contract.address",
};

/* ---- one row by itself ---- */

struct probe {
	union {
		char *text;
		uint64_t number;
		int64_t ms;
		bool flag;
		struct address address;
		struct config_strings list;
		struct secret32 secret;
		struct secret secret_text;
		json_t *json;
	} v;
	bool given;
};

/* Whether the source has row `i`, and what it says. What cannot be read is given. */
static void look_at(struct probe *ret, size_t i, const struct config_source *src,
		    struct arena *arena)
{
	struct config_row copy[ROWS_MAX];
	const struct config_table table = {connector_config.env_prefix, copy,
					   connector_config.rows_n};
	struct err_note note = {0};

	CHECK(connector_config.rows_n <= ROWS_MAX);
	*ret = (struct probe){0};
	/* The others stay: they say which keys have slipped under a table. */
	memcpy(copy, connector_config.rows, connector_config.rows_n * sizeof(*copy));
	for (size_t k = 0; k < connector_config.rows_n; k++)
		copy[k].services = 0;
	copy[i].services = PROBED;
	copy[i].offset = offsetof(struct probe, v);
	copy[i].present_offset = offsetof(struct probe, given);
	copy[i].def = NULL;
	copy[i].required = false;
	if (config_load(&table, PROBED, src, ret, arena, &note) != ERR_OK)
		*ret = (struct probe){.given = true};
}

static void forget(struct probe *p, enum config_type type)
{
	if (type == CONFIG_JSON)
		json_decref(p->v.json);
	if (type == CONFIG_SECRET_TEXT)
		secret_free(&p->v.secret_text);
	secret32_wipe(&p->v.secret);
}

static bool is_given(size_t i, const struct config_source *src, struct arena *arena)
{
	struct probe p;

	look_at(&p, i, src, arena);
	forget(&p, connector_config.rows[i].type);
	return p.given;
}

static size_t index_of(const char *path)
{
	size_t i = 0;

	while (i < connector_config.rows_n && strcmp(connector_config.rows[i].path, path) != 0)
		i++;
	CHECK(i < connector_config.rows_n);
	return i;
}

/* The row that row `i` is another name of, or `i` itself. */
static size_t first_of(size_t i)
{
	size_t k = 0;

	while (connector_config.rows[k].offset != connector_config.rows[i].offset)
		k++;
	return k;
}

static bool same_lists(const struct config_strings *a, const struct config_strings *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = strcmp(a->v[i], b->v[i]) == 0;
	return same;
}

static bool same(const struct probe *a, const struct probe *b, enum config_type type)
{
	switch (type) {
	case CONFIG_U64:
		return a->v.number == b->v.number;
	case CONFIG_BOOL:
		return a->v.flag == b->v.flag;
	case CONFIG_DURATION:
		return a->v.ms == b->v.ms;
	case CONFIG_ADDRESS:
		return address_eq(a->v.address, b->v.address);
	case CONFIG_STRINGS:
		return same_lists(&a->v.list, &b->v.list);
	default:
		return a->v.text && b->v.text && strcmp(a->v.text, b->v.text) == 0;
	}
}

/* ---- the first generation ---- */

static bool is_first(const struct config_source *src, struct arena *arena)
{
	bool first = false;

	for (size_t i = 0; i < connector_config.rows_n && !first; i++)
		first = connector_config.rows[i].generation == 1 && is_given(i, src, arena);
	for (size_t i = 0; first && i < ARRAY_LEN(later); i++)
		first = !is_given(index_of(later[i]), src, arena);
	return first;
}

enum err config_old_table(struct config_table *ret_table, bool *ret_first, unsigned services,
			  const struct config_source *src, struct arena *arena)
{
	CLEANUP(arena_free) struct arena scratch = arena_make(PROBE_ARENA_MAX);
	struct config_row *rows;

	(void)services;
	*ret_first = is_first(src, &scratch);
	*ret_table = connector_config;
	if (!*ret_first)
		return ERR_OK;
	rows = arena_alloc_array(arena, connector_config.rows_n, sizeof(*rows));
	if (!rows)
		return ERR_NOMEM;
	memcpy(rows, connector_config.rows, connector_config.rows_n * sizeof(*rows));
	for (size_t i = 0; i < ARRAY_LEN(first_defaults); i++)
		rows[index_of(first_defaults[i].path)].def = first_defaults[i].def;
	/* It knew of no host chains. */
	rows[index_of("host_chains")].required = false;
	ret_table->rows = rows;
	return ERR_OK;
}

/* ---- both names ---- */

enum err config_old_check(unsigned services, const struct config_source *src, struct arena *arena,
			  struct err_note *note)
{
	for (size_t i = 0; i < connector_config.rows_n; i++) {
		const struct config_row *old = &connector_config.rows[i];
		size_t k = first_of(i);
		const struct config_row *now = &connector_config.rows[k];
		struct probe a, b;

		if (k == i || (old->services & services) == 0)
			continue;
		look_at(&a, i, src, arena);
		if (!a.given)
			continue;
		look_at(&b, k, src, arena);
		if (b.given && !same(&a, &b, now->type))
			return config_prefix(
				note,
				err_say(note, ERR_CONFIG_VALUE,
					"it is an older name of %s, which is set as well and says "
					"something else: keep one of them",
					now->path),
				&connector_config, src, old->path);
	}
	return ERR_OK;
}

/* ---- remarks ---- */

static void tell_defaults(unsigned services, const struct config_source *src, struct arena *arena,
			  connector_config_fn *fn, void *ctx)
{
	char text[REMARK_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(first_defaults); i++) {
		size_t at = index_of(first_defaults[i].path);

		if ((connector_config.rows[at].services & services) == 0 ||
		    is_given(at, src, arena))
			continue;
		(void)snprintf(text, sizeof(text),
			       "%s is not set: %s, the first generation's default, counts",
			       first_defaults[i].path, first_defaults[i].def);
		fn(ctx, text);
	}
	if ((services & SERVICE_WORKER) != 0 && !is_given(index_of("host_chains"), src, arena))
		fn(ctx,
		   "host_chains is not set: no access control list can be asked, so that every "
		   "decryption is refused");
}

enum err connector_config_remarks(unsigned services, const struct config_source *src,
				  connector_config_fn *fn, void *ctx)
{
	CLEANUP(arena_free) struct arena arena = arena_make(PROBE_ARENA_MAX);
	char text[REMARK_SIZE];

	for (size_t i = 0; i < connector_config.rows_n; i++) {
		const struct config_row *r = &connector_config.rows[i];
		size_t k = first_of(i);

		if ((r->services & services) == 0 || (k == i && !r->moot) ||
		    !is_given(i, src, &arena))
			continue;
		if (r->moot || connector_config.rows[k].moot)
			(void)snprintf(text, sizeof(text), "%s has no effect here: %s", r->path,
				       r->moot ? r->moot : connector_config.rows[k].moot);
		else
			(void)snprintf(text, sizeof(text), "%s is an older name of %s", r->path,
				       connector_config.rows[k].path);
		fn(ctx, text);
	}
	if (is_first(src, &arena))
		tell_defaults(services, src, &arena, fn, ctx);
	return ERR_OK;
}
