/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Bugs that somebody might write, so that it is known that the simulation would find them. None is
 * in the product: each is put in at a seam, as other words of a statement, other rows at a start, a
 * disk that does not sync, a question that is answered yes.
 */
#include <stdlib.h>

#include "sim.h"

static void sync_ignored(struct sim *s)
{
	s->disk.sync_lies = true;
}

static void grace_none(struct connector_config *c)
{
	c->acl_grace_ms = 0;
}

/* A day in seconds, taken for milliseconds. */
static void expiry_unit(struct connector_config *c)
{
	c->decryption_expiry_ms = INT64_C(24) * 3600;
}

const struct plant plants[] = {
	{.name = "cursor-before-rows",
	 .what = "the cursor is stored, and its rows only in a later batch",
	 .restart_sql = "DELETE FROM operation WHERE state = 'seen' AND deferrals = 0 AND NOT "
			"EXISTS (SELECT 1 FROM tx WHERE tx.operation = operation.id)"},
	{.name = "nonce-not-stored",
	 .seed = 27,
	 .what = "a transaction is broadcast before its nonce is stored",
	 .restart_sql = "DELETE FROM tx WHERE state IN ('allocated','signed','broadcast')"},
	{.name = "bytes-not-stored",
	 .what = "a transaction is broadcast before its bytes are stored",
	 .restart_sql = "UPDATE tx SET state = 'allocated', raw = x'', hash = x'' WHERE state IN "
			"('signed','broadcast')"},
	{.name = "sync-ignored", .what = "commits do not wait for the disk", .world = sync_ignored},
	{.name = "permission-skipped",
	 .what = "one ACL check in twenty is not made",
	 .flips = "acl"},
	{.name = "grace-none",
	 .what = "the first \"no\" of an ACL is believed",
	 .config = grace_none},
	{.name = "expiry-unit",
	 .what = "an expiry in seconds is taken for ms",
	 .config = expiry_unit},
	{.name = "reason-dropped",
	 .what = "a row ends without its reason",
	 .find = "reason = coalesce($8, reason)",
	 .replace = "reason = coalesce(substr($8, 1, 0), '')"},
	{.name = "retry-forgotten",
	 .what = "what is put off never comes back",
	 .find = "due_ms = $9",
	 .replace = "due_ms = CASE WHEN $9 > 0 THEN $9 + 864000000 ELSE 0 END"},
	{.name = "withdraw-too-much",
	 .what = "a re-organisation withdraws what is below it, too",
	 .find = "AND block > $2 AND state IN ('seen'",
	 .replace = "AND block > $2 - 100000 AND state IN ('seen'"},
	{.name = "withdrawn-stays",
	 .what = "a withdrawn request that is included again stays withdrawn",
	 .find = "operation.state = 'aborted' AND operation.error",
	 .replace = "operation.state = 'no such' AND operation.error"},
	{.name = "open-forgotten",
	 .seed = 99,
	 .what = "transactions that were broadcast are not loaded at a start",
	 .restart_sql = "UPDATE tx SET state = 'mined' WHERE state = 'broadcast'"},
	{.name = "seen-again",
	 .what = "a log that is read again sets its row back",
	 .find = "state = CASE WHEN operation.state = 'aborted' THEN 'seen'",
	 .replace = "state = CASE WHEN operation.state <> 'done' THEN 'seen'"},
	{.name = "lease-ignored",
	 .seed = 473,
	 .what = "of two senders, one that lost the lease goes on",
	 .find = "AND token = $2 AND owner = $3",
	 .replace = "AND (token = $2 OR owner = $3 OR 1 = 1)"},
	{.name = "chains-mixed",
	 .what = "the sender of one chain takes the answers of the other",
	 .find = "WHERE chain = $5 AND state = 'answered' AND due_ms <= $3",
	 .replace = "WHERE chain <> $5 AND state = 'answered' AND due_ms <= $3"},
};
const size_t plants_n = ARRAY_LEN(plants);

const struct plant *plant_find(const char *name)
{
	for (size_t i = 0; i < plants_n; i++)
		if (strcmp(plants[i].name, name) == 0)
			return &plants[i];
	return NULL;
}

static char *replaced(const char *sql, const char *at, const struct plant *p)
{
	size_t before = (size_t)(at - sql), found = strlen(p->find), put = strlen(p->replace);
	size_t after = strlen(sql) - before - found;
	char *out = malloc(before + put + after + 1);

	CHECK(out != NULL);
	memcpy(out, sql, before);
	memcpy(&out[before], p->replace, put);
	memcpy(&out[before + put], &sql[before + found], after + 1);
	return out;
}

/* Texts live as long as the world: the store keeps statements by them. */
const char *plant_sql(struct sim *s, const char *sql)
{
	const struct plant *p = s->plant;
	const char *at = p->find ? strstr(sql, p->find) : NULL;

	if (!at)
		return sql;
	for (size_t i = 0; i < s->planted_sql_n; i++)
		if (strcmp(s->planted_sql[i].from, sql) == 0)
			return s->planted_sql[i].to;
	CHECK(s->planted_sql_n < ARRAY_LEN(s->planted_sql));
	s->planted_sql[s->planted_sql_n].from = sql;
	s->planted_sql[s->planted_sql_n].to = replaced(sql, at, p);
	return s->planted_sql[s->planted_sql_n++].to;
}

void plants_free(struct sim *s)
{
	for (size_t i = 0; i < s->planted_sql_n; i++)
		free(s->planted_sql[i].to);
}
