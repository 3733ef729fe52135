/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A table of every type, and one load with it. */
#ifndef TESTS_UNIT_BASE_CONFIG_FIXTURE_H
#define TESTS_UNIT_BASE_CONFIG_FIXTURE_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/limits.h"

enum {
	WORKER = 1,
	SENDER = 2
};

struct settings {
	char *database_url;
	char *gateway_url;
	uint64_t chain_id;
	bool catch_up, catch_up_given;
	int64_t polling_ms;
	struct address decryption;
	char *domain_name;
	char *monitoring;
	struct secret32 private_key;
	bool private_key_given;
	struct config_strings cores;
	json_t *host_chains;
	uint64_t pool;
	struct secret password;
};

#define AT(member)   offsetof(struct settings, member)
#define NOT_RECORDED SIZE_MAX

static const struct config_row rows[] = {
	{"database_url", CONFIG_STRING, AT(database_url), NOT_RECORDED, NULL, 0, 0, WORKER | SENDER,
	 true, "Where."},
	{"gateway_url", CONFIG_URL, AT(gateway_url), NOT_RECORDED, NULL, 0, 0, WORKER, false,
	 "RPC node."},
	{"gateway_chain_id", CONFIG_U64, AT(chain_id), NOT_RECORDED, NULL, 1, UINT64_MAX, WORKER,
	 false, "Chain."},
	{"chain_id", CONFIG_U64, AT(chain_id), NOT_RECORDED, NULL, 1, UINT64_MAX, WORKER, false,
	 NULL},
	{"catch_up", CONFIG_BOOL, AT(catch_up), AT(catch_up_given), "true", 0, 0, WORKER, false,
	 "a | b"},
	{"polling", CONFIG_DURATION, AT(polling_ms), NOT_RECORDED, "500ms", 10, 60000, WORKER,
	 false, "Interval."},
	{"decryption_contract.address", CONFIG_ADDRESS, AT(decryption), NOT_RECORDED, NULL, 0, 0,
	 WORKER, false, "."},
	{"decryption_contract.domain_name", CONFIG_STRING, AT(domain_name), NOT_RECORDED,
	 "Decryption", 1, 20, WORKER, false, "."},
	{"monitoring_endpoint", CONFIG_ENDPOINT, AT(monitoring), NOT_RECORDED, "0.0.0.0:9100", 0, 0,
	 WORKER, false, "."},
	{"private_key", CONFIG_SECRET32, AT(private_key), AT(private_key_given), NULL, 0, 0, SENDER,
	 false, "."},
	{"kms_core_endpoints", CONFIG_STRINGS, AT(cores), NOT_RECORDED, "http://a:1", 1, 3, WORKER,
	 false, "."},
	{"host_chains", CONFIG_JSON, AT(host_chains), NOT_RECORDED, NULL, 1, 2, WORKER, false, ".",
	 (const char *const[]){"url", "chain_id", NULL}},
	{"password", CONFIG_SECRET_TEXT, AT(password), NOT_RECORDED, NULL, 0, 80, SENDER, false,
	 "."},
	{"database_pool_size", CONFIG_U64, AT(pool), NOT_RECORDED, "16", 1, 1000, WORKER, false,
	 "."},
};

static const struct config_table table = {"KMS_CONNECTOR_", rows, ARRAY_LEN(rows)};

/* One load: what came out and what was said. */
struct run {
	struct settings s;
	struct arena arena;
	struct err_note note;
	enum err err;
};

static inline void load(struct run *r, unsigned services, const char *toml, const char *const *env)
{
	struct config_source src = {.file = "k.toml", .text = bytes_str(toml), .env = env};

	*r = (struct run){.arena = arena_make(1 << 20)};
	r->err = config_load(&table, services, &src, &r->s, &r->arena, &r->note);
}

static inline void run_free(struct run *r)
{
	secret_free(&r->s.password);
	json_free_ptr(&r->s.host_chains);
	arena_free(&r->arena);
}

#define KEY "8da4ef21b864d2cc526dbdb2a120bd2874c36c9d0a1fb7f8c63d7f7a8b41de8f"

static const char full_toml[] = "database_url = \"sqlite:a.db\"\n"
				"gateway_url = \"http://127.0.0.1:8545\"\n"
				"gateway_chain_id = 54321\n"
				"catch_up = false\n"
				"polling = \"1s 500ms\"\n"
				"private_key = \"" KEY "\"\n"
				"kms_core_endpoints = [\"http://x:1\", \"http://y:2\"]\n"
				"unknown_thing = 3\n"
				"[decryption_contract]\n"
				"address = \"0x63FaC9201494f0bd17B9892B9fae4d52fe3BD377\"\n"
				"domain_version = \"1\"\n"
				"[[host_chains]]\n"
				"url = \"http://h:1\"\n"
				"chain_id = 12345\n";

#define URL_LINE "database_url=\"x\"\n"

static inline void expect_error(const char *toml, const char *variable, enum err err,
				const char *note)
{
	const char *const env[] = {variable, NULL};
	struct run r;

	load(&r, WORKER | SENDER, toml, env);
	if (r.err != err || strcmp(r.note.text, note) != 0)
		fail_msg("got  %s: %s\nwant %s: %s", err_name(r.err), r.note.text, err_name(err),
			 note);
	/* a failed load leaves nothing behind */
	static const struct settings zero;
	assert_memory_equal(r.s.private_key.b, zero.private_key.b, 32);
	assert_null(r.s.host_chains);
	assert_null(r.s.database_url);
	assert_false(r.s.catch_up_given);
	assert_false(r.s.private_key_given);
	arena_free(&r.arena);
}

#endif
