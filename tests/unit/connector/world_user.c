/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* User decryption requests of the world: the gateway's events for them. */
#include "base/limits.h"
#include "crypto/keccak.h"
#include "world.h"

#define MATERIALS "(bytes32,uint256,bytes32,address[])[]"
#define ENTRIES   "(bytes32,address,address)[]"
#define PAYLOAD   "(address,bytes,address[],(uint256,uint256),bytes,bytes)"

enum {
	ALLOWED_MAX = 8
};

/* Where the trees of one log's values lie. */
struct values {
	struct abi_value senders[WORLD_COPROCESSORS], fields[WORLD_HANDLES_MAX][4],
		rows[WORLD_HANDLES_MAX];
	struct abi_value plain[WORLD_HANDLES_MAX], entry_fields[WORLD_HANDLES_MAX][3],
		entries[WORLD_HANDLES_MAX];
	struct abi_value allowed[ALLOWED_MAX], validity[2], payload[6];
	struct hash32 digest;
};

static struct abi_value materials_of(struct world *w, struct values *v,
				     const struct decryption_request *r, unsigned committers,
				     struct bytes body)
{
	size_t senders_n = 0;

	v->digest = keccak256(body);
	for (unsigned i = 0; i < WORLD_COPROCESSORS; i++)
		if ((committers >> i & 1) != 0)
			v->senders[senders_n++] = abi_address(w->tx_senders[i]);
	for (size_t i = 0; i < r->handles_n; i++) {
		v->fields[i][0] = abi_hash(&r->handles[i]);
		v->fields[i][1] = abi_uint(u256_from_u64(4));
		v->fields[i][2] = abi_hash(&v->digest);
		v->fields[i][3] = abi_items(v->senders, senders_n);
		v->rows[i] = abi_items(v->fields[i], 4);
	}
	return abi_items(v->rows, r->handles_n);
}

static struct abi_value handles_of(struct values *v, const struct decryption_request *r)
{
	for (size_t i = 0; i < r->handles_n; i++)
		v->plain[i] = abi_hash(&r->handles[i]);
	return abi_items(v->plain, r->handles_n);
}

static struct abi_value entries_of(struct values *v, const struct decryption_request *r)
{
	for (size_t i = 0; i < r->handles_n; i++) {
		v->entry_fields[i][0] = abi_hash(&r->handles[i]);
		v->entry_fields[i][1] = abi_address(r->user->entries[i].contract);
		v->entry_fields[i][2] = abi_address(r->user->entries[i].owner);
		v->entries[i] = abi_items(v->entry_fields[i], 3);
	}
	return abi_items(v->entries, r->handles_n);
}

static struct abi_value payload_of(struct values *v, const struct decryption_request *r)
{
	const struct user_request *u = r->user;

	assert_true(u->allowed_contracts_n <= ALLOWED_MAX);
	for (size_t i = 0; i < u->allowed_contracts_n; i++)
		v->allowed[i] = abi_address(u->allowed_contracts[i]);
	v->validity[0] = abi_uint(u->start_s);
	v->validity[1] = abi_uint(u->duration_s);
	v->payload[0] = abi_address(u->user);
	v->payload[1] = abi_bytes(u->public_key);
	v->payload[2] = abi_items(v->allowed, u->allowed_contracts_n);
	v->payload[3] = abi_items(v->validity, 2);
	v->payload[4] = abi_bytes(r->extra_data);
	v->payload[5] = abi_bytes(u->signature);
	return abi_items(v->payload, 6);
}

/* Topic and data of one generation's event. */
static void encode(struct world *w, struct hash32 *ret_topic, struct buf *out,
		   const struct decryption_request *r, bool materials, unsigned committers,
		   struct bytes body)
{
	static const struct {
		const char *signature, *type;
	} forms[2][2] = {
		{{"UserDecryptionRequest(uint256,bytes32[],address,bytes,bytes)",
		  "(bytes32[],address,bytes,bytes)"},
		 {"UserDecryptionRequest(uint256," MATERIALS ",address,bytes,bytes)",
		  "(" MATERIALS ",address,bytes,bytes)"}},
		{{"UserDecryptionRequest(uint256," ENTRIES "," PAYLOAD ")",
		  "(" ENTRIES "," PAYLOAD ")"},
		 {"UserDecryptionRequest(uint256," MATERIALS "," ENTRIES "," PAYLOAD ")",
		  "(" MATERIALS "," ENTRIES "," PAYLOAD ")"}},
	};
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	const struct abi_type *type;
	struct abi_value args[4];
	struct values v;
	size_t n = 0;

	assert_true(r->handles_n <= WORLD_HANDLES_MAX);
	if (materials)
		args[n++] = materials_of(w, &v, r, committers, body);
	if (r->user->unified) {
		args[n++] = entries_of(&v, r);
		args[n++] = payload_of(&v, r);
	} else {
		if (!materials)
			args[n++] = handles_of(&v, r);
		args[n++] = abi_address(r->user->user);
		args[n++] = abi_bytes(r->user->public_key);
		args[n++] = abi_bytes(r->extra_data);
	}
	*ret_topic = abi_topic(forms[r->user->unified][materials].signature);
	assert_int_equal(abi_type_parse(&a, &type, forms[r->user->unified][materials].type),
			 ERR_OK);
	*out = buf_make(1 << 16);
	const struct abi_value tuple = abi_items(args, n);
	assert_int_equal(abi_encode(out, type, &tuple), ERR_OK);
}

void world_request_user(struct world *w, uint64_t id, const struct decryption_request *request,
			unsigned committers, struct bytes body)
{
	for (unsigned materials = 2; materials-- > 0;) {
		struct hash32 topics[2];
		struct buf data CLEANUP(buf_free) = {0};
		struct bytes kept;

		encode(w, &topics[0], &data, request, materials == 1, committers, body);
		u256_to_be(topics[1].b, u256_from_u64(id));
		assert_int_equal(arena_copy(&w->kept, &kept, buf_view(&data)), ERR_OK);
		(void)sim_chain_log(&w->gateway, w->gateway.head, w->decryption, topics, 2, kept);
	}
}

void world_insert_user(struct world *w, uint64_t id, const struct decryption_request *request,
		       unsigned committers, struct bytes body)
{
	struct arena a CLEANUP(arena_free) = arena_make(1 << 20);
	struct buf data CLEANUP(buf_free) = {0};
	struct event_log log = {.address = w->decryption,
				.topics_n = 2,
				.block = {w->gateway.head},
				.block_hash = sim_block_hash(&w->gateway, w->gateway.head),
				.tx_hash = {{(uint8_t)id}},
				.log_index = id};
	struct store_batch b = store_batch_make(1 << 20);
	struct operation op;
	struct err_note note = {0};

	encode(w, &log.topics[0], &data, request, committers != 0, committers, body);
	u256_to_be(log.topics[1].b, u256_from_u64(id));
	log.data = buf_view(&data);
	assert_int_equal(event_table_decode(&event_tables[EVENTS_DECRYPTION], &a, &op,
					    (struct chain_id){WORLD_GATEWAY_CHAIN}, &log, &note),
			 ERR_OK);
	world_add_insert(w, &b, &op);
	assert_int_equal(store_submit(&w->sim.store.base, &b, NULL, NULL), ERR_OK);
	assert_int_equal(store_notify(&w->sim.store.base, OP_TOPIC_SEEN), ERR_OK);
}
