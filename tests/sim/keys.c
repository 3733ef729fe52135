/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Key management: what KMSGeneration and ProtocolConfig ask this node for, the one node there is.
 * So its answer completes what it answers. On the host chain everything, on the gateway of an older
 * network keys and CRSs.
 */
#include "connector/adapters/protocol_config.h"
#include "crypto/keccak.h"
#include "eth/abi.h"
#include "sim.h"

#define NODES      "(address,address,string,string,int32,string,bytes,string)[]"
#define THRESHOLDS "(uint256,uint256,uint256,uint256)"
#define PCRS       "(bytes,bytes,bytes)[]"
#define INFO       NODES "," THRESHOLDS ",string," PCRS

enum {
	PREP_FROM = 1000,
	KEY_FROM = 2000,
	CRS_FROM = 3000,
	CRS_BITS = 2048,
	TEST_PARAMETERS = 1,
	SETTLED_BLOCKS = 2 * REORG_MAX,
	REFUSED_AFTER_BLOCKS = 3600 /* of half a second each at least: long after the grace */
};

struct hash32 key_material(uint64_t id)
{
	const uint64_t seed[] = {id, 0x6b6579};

	return keccak256(bytes_from(seed, sizeof(seed)));
}

struct eip712_domain key_domain(const struct sim *s, const struct chain *c, bool protocol)
{
	return (struct eip712_domain){
		.name = protocol ? BYTES_LIT("ProtocolConfig") : BYTES_LIT("KMSGeneration"),
		.version = BYTES_LIT("1"),
		.chain_id = u256_from_u64(c->id),
		.verifying_contract = protocol ? s->protocol_config : s->kms_generation,
	};
}

/* ---- events ---- */

static struct chain *home(struct sim *s)
{
	return s->faults.on[FAULT_KEYS] ? &s->host : &s->gateway;
}

static struct request *ask(struct sim *s, struct request *r, const char *signature,
			   const char *type, const struct abi_value *args, size_t n)
{
	struct request_log *l = &r->logs[r->logs_n++];

	r->chain = home(s);
	if (r->contract.b[0] == 0)
		r->contract = s->kms_generation;
	r->allowed = true;
	l->topics[0] = abi_topic(signature);
	l->topics_n += 1;
	if (n > 0)
		l->data = encode_kept(s, type, args, n);
	r = request_add(s, r);
	chain_mine(r->chain);
	request_include(r, r->chain->head);
	return r;
}

static struct request new_ask(struct sim *s, enum op_kind kind, uint64_t id)
{
	struct request r = {.kind = kind, .id = id};

	r.key.host = s->faults.on[FAULT_KEYS];
	if (r.key.host) {
		r.context = context_current(s, &s->host, s->host.head);
		r.extra_data = context_extra_data(s, r.context, true);
		r.key.extra_data = r.extra_data;
	}
	return r;
}

static void ask_prep(struct sim *s)
{
	struct request r = new_ask(s, OP_KIND_PREP_KEYGEN, PREP_FROM + ++s->keys_n);

	r.key.params = TEST_PARAMETERS;
	const struct abi_value host[] = {abi_uint(u256_from_u64(r.id)),
					 abi_uint(u256_from_u64(TEST_PARAMETERS)),
					 abi_bytes(r.extra_data)};
	const struct abi_value gateway[] = {host[0], abi_uint(U256_ZERO), host[1]};

	if (r.key.host)
		(void)ask(s, &r, "PrepKeygenRequest(uint256,uint8,bytes)", "(uint256,uint8,bytes)",
			  host, 3);
	else
		(void)ask(s, &r, "PrepKeygenRequest(uint256,uint256,uint8)",
			  "(uint256,uint256,uint8)", gateway, 3);
}

static void ask_keygen(struct sim *s, const struct request *prep)
{
	struct request r = new_ask(s, OP_KIND_KEYGEN, prep->id - PREP_FROM + KEY_FROM);

	r.key.first = u256_from_u64(prep->id);
	const struct abi_value v[] = {abi_uint(r.key.first), abi_uint(u256_from_u64(r.id)),
				      abi_bytes(r.extra_data)};

	if (r.key.host)
		(void)ask(s, &r, "KeygenRequest(uint256,uint256,bytes)", "(uint256,uint256,bytes)",
			  v, 3);
	else
		(void)ask(s, &r, "KeygenRequest(uint256,uint256)", "(uint256,uint256)", v, 2);
}

static void ask_crs(struct sim *s)
{
	struct request r = new_ask(s, OP_KIND_CRSGEN, CRS_FROM + ++s->crss_n);

	r.key.first = u256_from_u64(CRS_BITS);
	r.key.params = TEST_PARAMETERS;
	const struct abi_value v[] = {abi_uint(u256_from_u64(r.id)), abi_uint(r.key.first),
				      abi_uint(u256_from_u64(TEST_PARAMETERS)),
				      abi_bytes(r.extra_data)};

	if (r.key.host)
		(void)ask(s, &r, "CrsgenRequest(uint256,uint256,uint8,bytes)",
			  "(uint256,uint256,uint8,bytes)", v, 4);
	else
		(void)ask(s, &r, "CrsgenRequest(uint256,uint256,uint8)", "(uint256,uint256,uint8)",
			  v, 3);
}

static void give_up(struct request *r)
{
	if (!r || r->given_up)
		return;
	r->given_up = true;
	r->given_up_at = r->chain->head;
}

/* A preprocessing and its key, or a CRS. */
static void ask_abort(struct sim *s, struct request *of)
{
	bool crs = of->kind == OP_KIND_CRSGEN;
	struct request r = {.kind = crs ? OP_KIND_ABORT_CRSGEN : OP_KIND_ABORT_KEYGEN,
			    .id = of->id};
	const struct abi_value v = abi_uint(u256_from_u64(r.id));

	(void)ask(s, &r, crs ? "AbortCrsgen(uint256)" : "AbortKeygen(uint256)", "(uint256)", &v, 1);
	give_up(of);
	if (!crs)
		give_up(request_at(of->chain, OP_KIND_KEYGEN, of->id - PREP_FROM + KEY_FROM));
}

/* ---- contexts and epochs ---- */

static struct bytes context_info(struct sim *s, const struct context *c)
{
	const struct abi_value node[] = {abi_address(s->account),
					 abi_address(c->signer),
					 abi_bytes(BYTES_LIT("https://node")),
					 abi_bytes(BYTES_LIT("https://store")),
					 abi_uint(u256_from_u64(1)),
					 abi_bytes(BYTES_LIT("node")),
					 abi_bytes(BYTES_LIT("certificate")),
					 abi_bytes(BYTES_LIT("PUB-p1"))};
	const struct abi_value one = abi_uint(u256_from_u64(1));
	const struct abi_value thresholds[] = {one, one, one, one};
	const struct abi_value nodes = abi_items(node, ARRAY_LEN(node));
	const struct abi_value info[] = {abi_items(&nodes, 1), abi_items(thresholds, 4),
					 abi_bytes(BYTES_LIT("v1")), abi_items(NULL, 0)};

	return encode_kept(s, "(" INFO ")", info, ARRAY_LEN(info));
}

static void context_log(struct sim *s, struct request_log *l, struct context *c,
			const uint8_t previous[32])
{
	if (c->info.n == 0)
		c->info = context_info(s, c);
	*l = (struct request_log){.topics_n = 3, .data = c->info};
	l->topics[0] = new_context_topic();
	u256_to_be(l->topics[1].b, u256_from_u64(c->id));
	memcpy(l->topics[2].b, previous, 32);
}

/* The first one is known from the beginning: the event says so, and nobody is to do anything. */
void keys_prepare(struct sim *s)
{
	const uint8_t none[32] = {7};
	struct request_log l;

	if (!s->faults.on[FAULT_KEYS])
		return;
	context_log(s, &l, &s->contexts[0], none);
	struct chain_log log = {
		.address = s->protocol_config, .topics_n = l.topics_n, .data = l.data};
	memcpy(log.topics, l.topics, sizeof(log.topics));
	chain_add_log(&s->host, FIRST_CONTEXT_BLOCK, &log);
}

static void ask_context(struct sim *s)
{
	struct context *c = &s->contexts[s->contexts_n];
	struct request r = {.kind = OP_KIND_NEW_CONTEXT,
			    .id = c->id,
			    .chain = &s->host,
			    .contract = s->protocol_config,
			    .allowed = true,
			    .logs_n = 1};
	struct request *added;
	uint8_t previous[32];

	u256_to_be(previous, u256_from_u64(s->contexts[s->contexts_n - 1].id));
	context_log(s, &r.logs[0], c, previous);
	r.context = s->contexts_n++;
	added = request_add(s, &r);
	chain_mine(&s->host);
	request_include(added, s->host.head);
}

static void ask_epoch(struct sim *s, size_t i)
{
	const struct context *c = &s->contexts[i], *before = &s->contexts[i - 1];
	struct request r = {.kind = OP_KIND_NEW_EPOCH,
			    .id = c->epoch,
			    .contract = s->protocol_config,
			    .context = i,
			    .extra_data = context_extra_data(s, i, true),
			    .material_block = s->host.head};
	const struct abi_value v[] = {abi_uint(u256_from_u64(before->id)),
				      abi_uint(u256_from_u64(before->epoch)),
				      abi_uint(u256_from_u64(r.material_block))};

	u256_to_be(r.logs[0].topics[1].b, u256_from_u64(c->id));
	u256_to_be(r.logs[0].topics[2].b, u256_from_u64(c->epoch));
	r.logs[0].topics_n = 2;
	r.key.host = true;
	r.key.extra_data = r.extra_data;
	(void)ask(s, &r, "NewKmsEpoch(uint256,uint256,uint256,uint256,uint256)",
		  "(uint256,uint256,uint256)", v, ARRAY_LEN(v));
}

static void ask_destroy(struct sim *s, size_t i, bool epoch)
{
	struct context *c = &s->contexts[i];
	struct request r = {
		.kind = epoch ? OP_KIND_EPOCH_DESTROYED : OP_KIND_CONTEXT_DESTROYED,
		.id = epoch ? c->epoch : c->id,
		.contract = s->protocol_config,
	};

	u256_to_be(r.logs[0].topics[1].b, u256_from_u64(r.id));
	r.logs[0].topics_n = 1;
	(void)ask(s, &r, epoch ? "KmsEpochDestroyed(uint256)" : "KmsContextDestroyed(uint256)",
		  NULL, NULL, 0);
	if (epoch)
		c->epoch_destroyed_from = s->host.head;
	else
		c->destroyed_from = s->host.head;
}

void context_switch(struct sim *s)
{
	size_t last = s->contexts_n - 1;

	if (s->contexts_n == CONTEXTS_MAX || s->contexts[last].gateway_from > s->gateway.head)
		return; /* one at a time */
	if (s->faults.on[FAULT_KEYS]) {
		ask_context(s);
		return;
	}
	s->contexts_n++;
	context_activate(s, last + 1);
}

void keys_answered(struct request *r, uint64_t block)
{
	struct sim *s = r->chain->sim;

	if (r->kind == OP_KIND_NEW_CONTEXT)
		s->contexts[r->context].created_from = block;
	else if (r->kind == OP_KIND_NEW_EPOCH)
		context_activate(s, r->context);
}

/* ---- what is asked for, and when ---- */

/* Nothing that names it can still come to need it. */
static bool is_unused(const struct sim *s, size_t context)
{
	for (size_t i = 0; i < s->requests_n; i++) {
		const struct request *r = s->requests[i];
		bool ended = r->block != UINT64_MAX && r->answered_by > 0 &&
			     r->answered_at + SETTLED_BLOCKS < r->chain->head;

		if (!r->allowed)
			ended = r->block + REFUSED_AFTER_BLOCKS < r->chain->head;
		if (r->context == context && r->extra_data.n > 0 && !r->dropped && !ended)
			return false;
	}
	return true;
}

static bool try_destroy(struct sim *s)
{
	size_t current = context_current(s, &s->host, s->host.head);

	for (size_t i = 0; i < current; i++) {
		if (s->contexts[i].destroyed_from != UINT64_MAX || !is_unused(s, i))
			continue;
		ask_destroy(s, i, s->contexts[i].epoch_destroyed_from == UINT64_MAX);
		return true;
	}
	return false;
}

/* The next step of what has begun. */
static bool try_follow(struct sim *s)
{
	for (size_t i = 0; i < s->requests_n; i++) {
		struct request *r = s->requests[i];

		if (r->answered_by == 0 || r->block == UINT64_MAX || r->given_up)
			continue;
		if (r->kind == OP_KIND_PREP_KEYGEN &&
		    !request_at(r->chain, OP_KIND_KEYGEN, r->id - PREP_FROM + KEY_FROM)) {
			ask_keygen(s, r);
			return true;
		}
		if (r->kind == OP_KIND_NEW_CONTEXT &&
		    !request_at(r->chain, OP_KIND_NEW_EPOCH, s->contexts[r->context].epoch)) {
			ask_epoch(s, r->context);
			return true;
		}
	}
	return false;
}

static bool try_abort(struct sim *s)
{
	for (size_t i = 0; i < s->requests_n; i++) {
		struct request *r = s->requests[i], *key;
		bool prep = r->kind == OP_KIND_PREP_KEYGEN;

		if ((!prep && r->kind != OP_KIND_CRSGEN) || r->given_up || r->block == UINT64_MAX)
			continue;
		key = prep ? request_at(r->chain, OP_KIND_KEYGEN, r->id - PREP_FROM + KEY_FROM) : r;
		if (key && key->answered_by > 0)
			continue;
		ask_abort(s, r);
		return true;
	}
	return false;
}

static void ask_something(struct sim *s)
{
	bool host = s->faults.on[FAULT_KEYS];

	if (more_chance(s, 60) && try_follow(s))
		return;
	if (host && more_chance(s, 20) && try_abort(s))
		return;
	if (host && more_chance(s, 30) && try_destroy(s))
		return;
	if (more_chance(s, 50))
		ask_prep(s);
	else
		ask_crs(s);
}

static void on_tick(void *ctx)
{
	struct sim *s = ctx;

	if (s->calm)
		return;
	ask_something(s);
	(void)loop_after(&s->loop, NULL, more_between(s, SECOND, 4 * MINUTE), on_tick, s);
}

static void ask_old(struct sim *s)
{
	struct request prss = {.kind = OP_KIND_PRSS_INIT, .id = 1};
	struct request reshare = {.kind = OP_KIND_KEY_RESHARE, .id = 4001};
	const struct abi_value v[] = {abi_uint(u256_from_u64(PREP_FROM)),
				      abi_uint(u256_from_u64(KEY_FROM)),
				      abi_uint(u256_from_u64(reshare.id)), abi_uint(U256_ZERO)};

	(void)ask(s, &prss, "PRSSInit()", NULL, NULL, 0);
	(void)ask(s, &reshare, "KeyReshareSameSet(uint256,uint256,uint256,uint8)",
		  "(uint256,uint256,uint256,uint8)", v, ARRAY_LEN(v));
}

void keys_begin(struct sim *s)
{
	if (s->faults.on[FAULT_KEYS_GATEWAY])
		ask_old(s);
	if (s->faults.on[FAULT_KEYS] || s->faults.on[FAULT_KEYS_GATEWAY])
		(void)loop_after(&s->loop, NULL, more_between(s, SECOND, MINUTE), on_tick, s);
}
