/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One run: a world is made, things go wrong for some hours, then nothing does until all has come to
 * rest, and then it is looked at. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim.h"

#define MORE_STREAM UINT64_C(0xc2b2ae3d27d4eb4f)

enum {
	WARM_UP_MS = 30 * SECOND, /* the listener has a cursor */
	LOOK_EVERY_MS = 20 * SECOND,
	REST_MAX_MS = 3 * HOUR,
	STEPS_MAX = 10000000,
	LOGGED_PERCENT = 10 /* of the runs: it costs time */
};

/* ---- chance ---- */

uint64_t sim_below(struct sim *s, uint64_t bound)
{
	return rng_below(&s->rng.base, bound);
}

int64_t sim_between(struct sim *s, int64_t min, int64_t max)
{
	return max <= min ? min : min + (int64_t)sim_below(s, (uint64_t)(max - min) + 1);
}

bool sim_chance(struct sim *s, unsigned percent)
{
	return sim_below(s, 100) < percent;
}

uint64_t more_below(struct sim *s, uint64_t bound)
{
	return rng_below(&s->more.base, bound);
}

int64_t more_between(struct sim *s, int64_t min, int64_t max)
{
	return max <= min ? min : min + (int64_t)more_below(s, (uint64_t)(max - min) + 1);
}

bool more_chance(struct sim *s, unsigned percent)
{
	return more_below(s, 100) < percent;
}

/* ---- words ---- */

void sim_trace(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->trace)
		return;
	(void)fprintf(stderr, "%9.3f ", (double)(s->loop.now_ms - SIM_START_MS) / 1000);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->failed)
		return;
	s->failed = true;
	va_start(ap, fmt);
	(void)vsnprintf(s->failure, sizeof(s->failure), fmt, ap);
	va_end(ap);
	sim_trace(s, "FAILED: %s", s->failure);
}

/* ---- life ---- */

static struct address address_of(uint8_t fill)
{
	struct address a;

	memset(a.b, fill, sizeof(a.b));
	return a;
}

static void keys_init(struct sim *s)
{
	const uint8_t blind[32] = {7};

	CHECK(ecdsa_new(&s->ecdsa, blind) == ERR_OK);
	s->decryption = address_of(0xde);
	s->kms_generation = address_of(0x9e);
	s->protocol_config = address_of(0xcf);
	s->gateway_config = address_of(0x6c);
	s->acl = address_of(0xac);
	memset(s->account_key.b, 0x51, sizeof(s->account_key.b));
	CHECK(ecdsa_address(s->ecdsa, &s->account, &s->account_key) == ERR_OK);
	for (size_t i = 0; i < COPROCESSORS; i++) {
		memset(s->coprocessor_keys[i].b, (int)(0x30 + i), 32);
		CHECK(ecdsa_address(s->ecdsa, &s->signers[i], &s->coprocessor_keys[i]) == ERR_OK);
		s->tx_senders[i] = address_of((uint8_t)(0xc0 + i));
		(void)snprintf(s->bucket_urls[i], sizeof(s->bucket_urls[i]), "http://s3/%c",
			       (char)('a' + i));
	}
	s->domain = (struct eip712_domain){
		.name = BYTES_LIT("Decryption"),
		.version = BYTES_LIT("1"),
		.chain_id = u256_from_u64(GATEWAY_CHAIN),
		.verifying_contract = s->decryption,
	};
}

static size_t endpoints(struct sim *s)
{
	return s->faults.on[FAULT_ENDPOINT_LIES] ? ENDPOINTS_MAX
						 : (size_t)sim_between(s, 1, ENDPOINTS_MAX);
}

static void world_init(struct sim *s, const struct sim_options *o)
{
	s->seed = o->seed;
	s->trace = o->trace;
	s->plant = o->plant;
	s->fault_ms = o->fault_ms;
	(void)rng_seeded_init(&s->rng, o->seed);
	(void)rng_seeded_init(&s->more, o->seed ^ MORE_STREAM);
	loop_init(&s->loop);
	faults_choose(s, o->only, o->plain);
	s->log_fd = -1;
	if (more_chance(s, LOGGED_PERCENT) && !o->plain && !o->trace)
		s->log_fd = memfd_create("log", MFD_CLOEXEC);
	s->kept = arena_make(256 << 20);
	disk_init(&s->disk, o->seed + 1);
	keys_init(s);
	core_init(s);
	contexts_init(s);
	chain_init(&s->gateway, s, "gateway", GATEWAY_CHAIN, endpoints(s));
	chain_init(&s->host, s, "host", HOST_CHAIN, endpoints(s));
	s->gateway.block_ms = sim_between(s, 500, 4000);
	s->host.block_ms = sim_between(s, 1000, 12000);
	s->gateway.pool.base_fee = s->host.pool.base_fee = 1000;
	s->processes_n = s->faults.on[FAULT_TWO] ? 2 : 1;
	s->disk.many = s->processes_n > 1;
	if (o->plant && o->plant->world)
		o->plant->world(s);
	for (size_t i = 0; i < s->processes_n; i++)
		process_init(&s->processes[i], s, i);
}

static void world_free(struct sim *s)
{
	for (size_t i = 0; i < s->processes_n; i++)
		process_stop(&s->processes[i]);
	net_free(s);
	loop_free_all(&s->loop);
	disk_free(&s->disk);
	disk_image_free(&s->backup);
	chain_free(&s->gateway);
	chain_free(&s->host);
	core_free(s);
	requests_free(s);
	plants_free(s);
	ecdsa_free(s->ecdsa);
	if (s->log_fd >= 0)
		(void)close(s->log_fd);
	arena_free(&s->kept);
}

/* ---- a run ---- */

static void run_for(struct sim *s, int64_t ms)
{
	int64_t until_ms = s->loop.now_ms + ms;

	while (!s->failed && loop_step(&s->loop, until_ms))
		if (s->loop.steps > STEPS_MAX)
			sim_fail(s, "the world does not come to rest");
}

static void faults_show(struct sim *s)
{
	for (enum fault_name i = 0; i < FAULTS_N; i++)
		if (s->faults.on[i])
			sim_trace(s, "in this run: %s", fault_word(i));
}

static void run_all(struct sim *s)
{
	int64_t rest_by_ms;

	faults_show(s);
	s->calm = true;
	keys_prepare(s);
	chain_begin(&s->gateway);
	chain_begin(&s->host);
	for (size_t i = 0; i < s->processes_n; i++)
		process_start(&s->processes[i]);
	run_for(s, WARM_UP_MS);
	s->calm = false;
	requests_begin(s);
	keys_begin(s);
	faults_begin(s);
	run_for(s, s->fault_ms);
	faults_end(s);
	rest_by_ms = s->loop.now_ms + REST_MAX_MS;
	do
		run_for(s, LOOK_EVERY_MS);
	while (!s->failed && s->loop.now_ms < rest_by_ms && !settled(s));
	run_for(s, 2 * LOOK_EVERY_MS);
	if (!s->failed)
		check_all(s);
}

void sim_run(const struct sim_options *o, struct sim_outcome *ret)
{
	struct sim *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	world_init(s, o);
	run_all(s);
	*ret = (struct sim_outcome){
		.failed = s->failed,
		.steps = s->loop.steps,
		.requests = s->requests_n,
		.kills = s->kills + s->cuts,
		.virtual_ms = s->loop.now_ms - SIM_START_MS,
	};
	for (enum fault_name i = 0; i < FAULTS_N; i++)
		ret->faults += s->faults.hits[i];
	memcpy(ret->failure, s->failure, sizeof(ret->failure));
	world_free(s);
	free(s);
}
