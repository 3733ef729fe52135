/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The engine that a URL names. */
#include <stdio.h>

#include "store/pg_query.h"
#include "store/store.h"

enum engine {
	NONE,
	SQLITE,
	POSTGRES
};

struct scheme {
	const char *prefix;
	enum engine engine;
};

/* The longer of two that begin alike stands first. */
static const struct scheme schemes[] = {
	{"sqlite://", SQLITE},
	{"sqlite:", SQLITE},
	{"postgresql://", POSTGRES},
	{"postgres://", POSTGRES},
};

/* ret_rest gets what follows the scheme. */
static enum engine url_engine(const char *url, const char **ret_rest)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
			*ret_rest = &url[strlen(schemes[i].prefix)];
			return schemes[i].engine;
		}
	return NONE;
}

/* The URL may hold a password even where it is wrong: it is not repeated. */
static enum err unknown_say(struct err_note *note)
{
	return err_say(note, ERR_CONFIG_VALUE,
		       "expected sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE");
}

enum err store_open(struct store **ret_store, const struct store_executor *executor,
		    const char *url, const char *schema, const struct store_migrations *migrations,
		    struct err_note *note)
{
	const char *rest = NULL;

	switch (url_engine(url, &rest)) {
	case SQLITE:
		return store_sqlite_open(ret_store, executor, rest, migrations, note);
	case POSTGRES:
		return store_postgres_open(ret_store, executor, url, schema, migrations, note);
	case NONE:
		break;
	}
	return unknown_say(note);
}

enum err store_query(const char *url, const char *schema, const char *sql,
		     const struct store_value *args, size_t args_n,
		     void (*row)(void *ctx, const struct store_value *cells, size_t n), void *ctx,
		     struct err_note *note)
{
	const char *rest = NULL;

	switch (url_engine(url, &rest)) {
	case SQLITE:
		return store_sqlite_query(rest, sql, args, args_n, row, ctx, note);
	case POSTGRES:
		return pg_query(url, schema, sql, args, args_n, row, ctx, note);
	case NONE:
		break;
	}
	return unknown_say(note);
}

bool store_url_shared(const char *url)
{
	const char *rest = NULL;

	return url_engine(url, &rest) == POSTGRES;
}

/*
 * Host, port and database stand behind the last '@' and before the options. A password that was not
 * written as it must be could reach into them: whatever does not look like them is left out.
 */
void store_url_show(char ret_text[static STORE_URL_SHOWN_SIZE], const char *url)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._%,/:[]";
	const char *rest = NULL;
	enum engine engine = url_engine(url, &rest);

	if (engine == SQLITE) {
		(void)snprintf(ret_text, STORE_URL_SHOWN_SIZE, "sqlite:%s", rest);
		return;
	}
	if (engine == NONE) {
		(void)snprintf(ret_text, STORE_URL_SHOWN_SIZE, "(no database URL)");
		return;
	}

	const char *at = strrchr(rest, '@');
	const char *host = at ? &at[1] : rest;
	size_t n = strcspn(host, "?");
	/* Without '@', what stands behind a colon is a port, or else a misplaced password. */
	size_t colon = at ? n : strcspn(host, ":?");
	bool good = strspn(host, plain) >= n &&
		    (colon >= n ||
		     strspn(&host[colon + 1], "0123456789") == strcspn(&host[colon + 1], "/?,"));

	(void)snprintf(ret_text, STORE_URL_SHOWN_SIZE, "postgres://%.*s", good ? (int)n : 0, host);
}
