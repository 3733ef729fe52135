/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* /status for a person. What is not there is left out: the service may be of another version. */
#include "connector/service_status.h"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "?";
}

static long long number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

/* "3d 4h", "4h 5m", "5m 6s", "6.7s": two units are enough. */
static enum err add_age(struct buf *out, long long ms)
{
	static const struct {
		long long ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};

	for (size_t i = 0; i + 1 < ARRAY_LEN(units); i++)
		if (ms >= units[i].ms)
			return buf_addf(out, "%lld%s %lld%s", ms / units[i].ms, units[i].unit,
					ms % units[i].ms / units[i + 1].ms, units[i + 1].unit);
	return buf_addf(out, "%lld.%llds", ms / 1000, ms % 1000 / 100);
}

static enum err add_head(struct buf *out, const json_t *s)
{
	const json_t *v;
	size_t i;

	TRY(buf_addf(out, "%s %s (%s), up ", text(s, "name"), text(s, "version"),
		     text(s, "build")));
	TRY(add_age(out, number(s, "uptime_ms")));
	TRY(buf_add_str(out, ":"));
	json_array_foreach(json_object_get(s, "services"), i, v)
		TRY(buf_addf(out, " %s", json_string_value(v) ? json_string_value(v) : "?"));
	return buf_addf(out, "\ndatabase      %s, %s\n", text(s, "engine"), text(s, "database"));
}

static const json_t *cursor_of(const json_t *s, long long chain_id)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(s, "cursors"), i,
			   v) if (number(v, "chain_id") == chain_id) return v;
	return NULL;
}

static enum err add_endpoint(struct buf *out, const json_t *e)
{
	TRY(buf_addf(out, "  endpoint    %s: %s, breaker %s, opened %lld times, %lld failures",
		     text(e, "host"),
		     json_is_true(json_object_get(e, "usable"))         ? "in use"
		     : !json_is_true(json_object_get(e, "chain_right")) ? "not verified"
									: "not in use",
		     text(e, "breaker"), number(e, "opened"), number(e, "failures")));
	if (json_is_integer(json_object_get(e, "head")))
		TRY(buf_addf(out, ", head %lld", number(e, "head")));
	return buf_add_u8(out, '\n');
}

/* Cores and buckets of the worker. */
static enum err add_parts(struct buf *out, const json_t *s)
{
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(s, "parts"), i, p)
	{
		TRY(buf_addf(out, "%-12s  %s: breaker %s, opened %lld times\n", text(p, "part"),
			     text(p, "name"), text(p, "breaker"), number(p, "opened")));
	}
	return ERR_OK;
}

static enum err add_chains(struct buf *out, const json_t *s)
{
	const json_t *c, *e;
	size_t i, k;

	json_array_foreach(json_object_get(s, "chains"), i, c)
	{
		const json_t *cursor = cursor_of(s, number(c, "chain_id"));

		TRY(buf_addf(out, "chain         %s %lld", text(c, "name"), number(c, "chain_id")));
		if (cursor) {
			TRY(buf_addf(out, ": read up to block %lld, ", number(cursor, "block")));
			TRY(add_age(out, number(cursor, "age_ms")));
			TRY(buf_add_str(out, " ago"));
		}
		TRY(buf_add_u8(out, '\n'));
		json_array_foreach(json_object_get(c, "endpoints"), k, e) TRY(add_endpoint(out, e));
	}
	return ERR_OK;
}

static enum err add_operations(struct buf *out, const json_t *s)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(s, "operations"), i, v)
	{
		TRY(buf_addf(out,
			     "operations    %s %s: %lld, %lld of them being worked on, the "
			     "oldest ",
			     text(v, "kind"), text(v, "state"), number(v, "count"),
			     number(v, "taken")));
		TRY(add_age(out, number(v, "oldest_ms")));
		TRY(buf_add_str(out, " old\n"));
	}
	json_array_foreach(json_object_get(s, "ended"), i, v) TRY(
		buf_addf(out, "ended         %s: %lld\n", text(v, "state"), number(v, "count")));
	return ERR_OK;
}

static enum err add_signer(struct buf *out, const json_t *s)
{
	const json_t *g = json_object_get(s, "signer");

	if (!g)
		return ERR_OK;
	TRY(buf_addf(out, "signer        %s, account %s", text(g, "kind"), text(g, "account")));
	if (json_object_get(g, "breaker"))
		TRY(buf_addf(out,
			     ", region %s: breaker %s, opened %lld times, %lld waiting, %lld "
			     "under way",
			     text(g, "region"), text(g, "breaker"), number(g, "opened"),
			     number(g, "waiting"), number(g, "in_flight")));
	return buf_add_u8(out, '\n');
}

static enum err add_nonces(struct buf *out, const json_t *s)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(s, "nonces"), i, v)
		TRY(buf_addf(out, "nonces        chain %lld, %s, %s: %lld, from %lld to %lld\n",
			     number(v, "chain_id"), text(v, "account"), text(v, "state"),
			     number(v, "count"), number(v, "lowest"), number(v, "highest")));
	json_array_foreach(json_object_get(s, "sender_leases"), i, v)
	{
		TRY(buf_addf(out, "sender        chain %lld: %s, for another ",
			     number(v, "chain_id"), text(v, "owner")));
		TRY(add_age(out, number(v, "left_ms")));
		TRY(buf_add_u8(out, '\n'));
	}
	return ERR_OK;
}

enum err status_text(struct buf *out, const json_t *status)
{
	const json_t *audit = json_object_get(status, "audit");

	TRY(add_head(out, status));
	TRY(add_chains(out, status));
	TRY(add_parts(out, status));
	TRY(add_signer(out, status));
	TRY(add_operations(out, status));
	TRY(add_nonces(out, status));
	if (json_object_get(status, "quarantined"))
		TRY(buf_addf(out, "quarantine    %lld logs\n", number(status, "quarantined")));
	if (!audit)
		return ERR_OK;
	return buf_addf(out, "audit head    %lld:0x%s, %lld not sealed yet\n", number(audit, "seq"),
			text(audit, "hash"), number(audit, "waiting"));
}
