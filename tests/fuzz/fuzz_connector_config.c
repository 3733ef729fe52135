/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The connector's whole configuration. What is accepted has what its services need, host chains
 * that differ, and loads the same a second time.
 *
 * Input: u8 services || the TOML file.
 */
#include "base/limits.h"
#include "connector/config.h"
#include "fuzz.h"

static enum err load(struct connector_config *c, unsigned services, struct bytes text,
		     struct arena *a)
{
	const struct config_source src = {.file = "f.toml", .text = text};
	struct err_note note = {0};
	enum err e = connector_config_load(c, services, &src, a, &note);

	CHECK(e == ERR_OK || note.text[0]);
	return e;
}

static void check(const struct connector_config *c, unsigned services)
{
	CHECK(c->gateway_url && strncasecmp(c->gateway_url, "http", 4) == 0);
	CHECK(c->task_limit > 0 && c->monitoring_endpoint);
	CHECK(!(services & SERVICE_SENDER) || c->private_key_given);
	CHECK(!(services & SERVICE_WORKER) ||
	      (c->host_chains_n > 0 && c->kms_core_endpoints.n > 0));
	CHECK(!(services & SERVICE_WORKER) || !c->protocol_config_given || c->ethereum_url);
	CHECK(c->host_chains_n <= HOST_CHAINS_MAX);
	for (size_t i = 0; i < c->host_chains_n; i++) {
		CHECK(c->host_chains[i].url && c->host_chains[i].chain_id.v > 0);
		for (size_t k = 0; k < i; k++)
			CHECK(c->host_chains[i].chain_id.v != c->host_chains[k].chain_id.v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena arena = arena_make(8 << 20);
	struct bytes in = bytes_from(p, n < 1 << 14 ? n : 1 << 14);
	unsigned services = fuzz_u8(&in) % 7 + 1;
	struct connector_config c = {0}, again = {0};

	if (load(&c, services, in, &arena) != ERR_OK)
		return 0;
	check(&c, services);
	FUZZ_OK(load(&again, services, in, &arena));
	CHECK(strcmp(c.gateway_url, again.gateway_url) == 0);
	CHECK(c.host_chains_n == again.host_chains_n);
	CHECK(memcmp(c.private_key.b, again.private_key.b, sizeof(c.private_key.b)) == 0);
	connector_config_free(&c);
	connector_config_free(&again);
	return 0;
}
