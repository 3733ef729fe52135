/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service_status.h"

#include "base/hex.h"
#include "connector/service_signer.h"
#include "eth/signer_aws.h"
#include "eth/text.h"

#define LIVE "'seen','ready','computing','answered','sending'"

/* One statement per member; what a row of it becomes. */
static json_t *live_row(const struct status_source *s, const struct store_value *c)
{
	return json_pack("{s:s%, s:s%, s:I, s:I, s:I}", "kind", (const char *)c[0].b.p, c[0].b.n,
			 "state", (const char *)c[1].b.p, c[1].b.n, "count", (json_int_t)c[2].i,
			 "taken", (json_int_t)c[3].i, "oldest_ms",
			 (json_int_t)(s->now_ms > c[4].i ? s->now_ms - c[4].i : 0));
}

static json_t *ended_row(const struct status_source *s, const struct store_value *c)
{
	(void)s;
	return json_pack("{s:s%, s:I}", "state", (const char *)c[0].b.p, c[0].b.n, "count",
			 (json_int_t)c[1].i);
}

static json_t *cursor_row(const struct status_source *s, const struct store_value *c)
{
	return json_pack("{s:I, s:I, s:I}", "chain_id", (json_int_t)c[0].i, "block",
			 (json_int_t)c[1].i, "age_ms",
			 (json_int_t)(s->now_ms > c[2].i ? s->now_ms - c[2].i : 0));
}

static json_t *nonce_row(const struct status_source *s, const struct store_value *c)
{
	char account[65];

	(void)s;
	if (c[1].b.n > 32)
		return NULL;
	hex_encode(account, c[1].b);
	return json_pack("{s:I, s:s+, s:s%, s:I, s:I, s:I}", "chain_id", (json_int_t)c[0].i,
			 "account", "0x", account, "state", (const char *)c[2].b.p, c[2].b.n,
			 "count", (json_int_t)c[3].i, "lowest", (json_int_t)c[4].i, "highest",
			 (json_int_t)c[5].i);
}

static json_t *lease_row(const struct status_source *s, const struct store_value *c)
{
	return json_pack("{s:I, s:s%, s:I}", "chain_id", (json_int_t)c[0].i, "owner",
			 (const char *)c[1].b.p, c[1].b.n, "left_ms",
			 (json_int_t)(c[2].i > s->now_ms ? c[2].i - s->now_ms : 0));
}

static json_t *count_row(const struct status_source *s, const struct store_value *c)
{
	(void)s;
	return json_integer(c[0].i);
}

static json_t *audit_row(const struct status_source *s, const struct store_value *c)
{
	char hash[65];

	(void)s;
	if (c[1].b.n > 32)
		return NULL;
	hex_encode(hash, c[1].b);
	return json_pack("{s:I, s:s, s:I}", "seq", (json_int_t)c[0].i, "hash", hash, "waiting",
			 (json_int_t)c[2].i);
}

static const struct {
	const char *member;
	const char *sql; /* $1: now, where it has one */
	bool timed, single;
	const char *types; /* of the columns: i, t, b */
	json_t *(*row)(const struct status_source *s, const struct store_value *cells);
} rows[] = {
	{"operations",
	 "SELECT kind, state, count(*), sum(CASE WHEN lease_until_ms > $1 THEN 1 ELSE 0 END),"
	 " min(created_ms) FROM operation WHERE state IN (" LIVE
	 ") GROUP BY kind, state ORDER BY kind, state",
	 true, false, "ttiii", live_row},
	{"ended",
	 "SELECT state, count(*) FROM operation WHERE state IN"
	 " ('done','refused','failed','aborted','expired') GROUP BY state ORDER BY state",
	 false, false, "ti", ended_row},
	{"cursors", "SELECT chain, block, updated_ms FROM cursor ORDER BY chain", false, false,
	 "iii", cursor_row},
	{"nonces",
	 "SELECT chain, account, state, count(*), min(nonce), max(nonce) FROM tx"
	 " GROUP BY chain, account, state ORDER BY chain, account, state",
	 false, false, "ibtiii", nonce_row},
	{"sender_leases", "SELECT chain, owner, until_ms FROM sender_lease ORDER BY chain", false,
	 false, "iti", lease_row},
	{"quarantined", "SELECT count(*) FROM quarantine", false, true, "i", count_row},
	{"audit",
	 "SELECT seq, hash, (SELECT count(*) FROM audit WHERE audit.seq IS NULL) FROM audit_head"
	 " WHERE id = 1",
	 false, true, "ibi", audit_row},
};

enum err status_add(struct store_batch *b, int64_t now_ms)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		TRY(rows[i].timed ? STORE_ADD(b, STORE_ANY, rows[i].sql, store_int(now_ms))
				  : STORE_ADD(b, STORE_ANY, rows[i].sql));
	return ERR_OK;
}

static bool types_fit(const struct store_value *cells, const char *types)
{
	for (size_t i = 0; types[i]; i++)
		if (cells[i].type != (types[i] == 'i'   ? STORE_INT
				      : types[i] == 't' ? STORE_TEXT
							: STORE_BLOB))
			return false;
	return true;
}

static bool member_add(json_t *to, const struct status_source *s, size_t which,
		       const struct store_rows *r)
{
	json_t *list = rows[which].single ? NULL : json_array();

	for (size_t i = 0; i < r->rows_n; i++) {
		const struct store_value *c = store_cell(r, i, 0);

		if (!types_fit(c, rows[which].types))
			continue;
		if (rows[which].single)
			return json_object_set_new(to, rows[which].member, rows[which].row(s, c)) ==
			       0;
		if (json_array_append_new(list, rows[which].row(s, c)) != 0)
			break;
	}
	return !list || json_object_set_new(to, rows[which].member, list) == 0;
}

/* ---- of this process ---- */

static json_t *services_json(unsigned services)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {{SERVICE_LISTENER, "listener"},
		     {SERVICE_WORKER, "worker"},
		     {SERVICE_SENDER, "sender"}};
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if ((services & names[i].bit) != 0)
			(void)json_array_append_new(list, json_string(names[i].name));
	return list;
}

static json_t *endpoint_json(const struct provider *p, unsigned i)
{
	struct provider_endpoint e;

	provider_endpoint_status(p, i, &e);
	return json_pack("{s:s, s:b, s:s, s:I, s:I, s:b, s:b, s:o}", "host", e.host, "usable",
			 e.chain_right && e.in_step && e.breaker == BREAKER_CLOSED, "breaker",
			 breaker_state_name(e.breaker), "opened", (json_int_t)e.opened, "failures",
			 (json_int_t)e.failures, "chain_right", e.chain_right, "in_step", e.in_step,
			 "head", e.head_known ? json_integer((json_int_t)e.head.v) : json_null());
}

static json_t *chains_json(const struct status_source *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->chains_n; i++) {
		const struct provider *p = s->chains[i].provider;
		json_t *endpoints = json_array();

		for (unsigned k = 0; k < provider_endpoints_n(p); k++)
			(void)json_array_append_new(endpoints, endpoint_json(p, k));
		(void)json_array_append_new(list, json_pack("{s:s, s:I, s:o}", "name",
							    s->chains[i].name, "chain_id",
							    (json_int_t)provider_chain_id(p).v,
							    "endpoints", endpoints));
	}
	return list;
}

/* Cores and buckets. */
static json_t *parts_json(const struct status_source *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < worker_parts_n(s->worker); i++) {
		const struct worker_part p = worker_part(s->worker, i);

		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I}", "part", p.part,
							    "name", p.name, "breaker",
							    breaker_state_name(p.breaker), "opened",
							    (json_int_t)p.opened));
	}
	return list;
}

/* NULL where none is: the member is left out. */
static json_t *signer_json(const struct status_source *s)
{
	char address[ADDRESS_TEXT_SIZE];

	if (!s->signer)
		return NULL;
	address_to_text(address, s->signer->address);
	if (!service_signer_is_aws(s->config))
		return json_pack("{s:s, s:s}", "kind", "raw key", "account", address);

	const struct signer_aws_state a = signer_aws_state(s->signer);

	return json_pack("{s:s, s:s, s:s?, s:s, s:s, s:I, s:I, s:I}", "kind", "aws_kms", "account",
			 address, "region", a.region, "credentials", aws_source_words(a.source),
			 "breaker", breaker_state_name(a.breaker), "opened",
			 (json_int_t)a.breaker_opened, "waiting", (json_int_t)a.waiting,
			 "in_flight", (json_int_t)a.in_flight);
}

json_t *status_json(const struct status_source *s, const struct store_result *r)
{
	const enum err e = r ? r->err : ERR_UNAVAILABLE;
	json_t *all = json_pack("{s:s, s:s, s:s, s:I, s:o, s:s, s:s, s:o, s:o, s:o*}", "name",
				s->name, "version", s->version, "build", s->build, "uptime_ms",
				(json_int_t)s->uptime_ms, "services", services_json(s->services),
				"engine", s->store_shared ? "postgresql" : "sqlite", "database",
				e == ERR_OK ? "connected" : err_name(e), "chains", chains_json(s),
				"parts", parts_json(s), "signer", signer_json(s));

	if (!all || e != ERR_OK)
		return all;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!member_add(all, s, i, &r->rows[i])) {
			json_decref(all);
			return NULL;
		}
	return all;
}
