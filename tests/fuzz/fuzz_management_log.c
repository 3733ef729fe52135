/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Logs of KMSGeneration and ProtocolConfig: what decodes is of its row's kind and id, its content
 * decodes in turn, and says what the event says.
 *
 * Input: u8 which event || u8 difference in the number of topics || 3 * 32 bytes of topics || as
 * fuzz_abi_data.
 */
#include "connector/adapters/protocol_config.h"
#include "crypto/keccak.h"
#include "support_abi.h"

enum {
	MEMORY_MAX = 32 << 20,
	TOPICS_MAX = 4,
	ARGS_MAX = 8,
	EVENTS_N = KEY_GENERATION_EVENTS_N + PROTOCOL_CONFIG_EVENTS_N
};

static const struct event_row *row_at(size_t i)
{
	return i < KEY_GENERATION_EVENTS_N ? &key_generation_events[i]
					   : &protocol_config_events[i - KEY_GENERATION_EVENTS_N];
}

/* The arguments that are no topics, as a tuple. */
static const struct abi_type *data_type(struct arena *a, const struct event_row *row)
{
	const struct abi_type *args;
	struct abi_type *type = arena_alloc(a, sizeof(*type));
	struct abi_type *of = arena_alloc_array(a, ARGS_MAX, sizeof(*of));
	size_t n = 0;

	CHECK(type && of);
	FUZZ_OK(abi_signature_parse(a, &args, row->signature));
	CHECK(args->of_n <= ARGS_MAX);
	for (size_t i = 0; i < args->of_n; i++)
		if (!(row->indexed >> i & 1))
			of[n++] = args->of[i];
	*type = *args;
	type->of = of;
	type->of_n = n;
	return type;
}

static unsigned topics_of(const struct event_row *row)
{
	unsigned n = 1;

	for (uint32_t mask = row->indexed; mask; mask >>= 1)
		n += mask & 1;
	return n;
}

/* What KMSGeneration asks for: every argument is somewhere in what a node will do. */
static void check_generation(const struct operation *op, const struct event_row *row,
			     const struct abi_value *args)
{
	CLEANUP(buf_free) struct buf again = buf_make(1 << 20);
	struct key_request r;
	bool met = op->key.kind == OP_KIND_PRSS_INIT;

	FUZZ_OK(key_request_decode(&r, op->content));
	FUZZ_OK(key_request_encode(&again, &r));
	CHECK(bytes_eq_var(buf_view(&again), op->content));
	CHECK(r.host == !strstr(row->generation, "gateway"));
	for (size_t i = 0; i < args->items_n; i++) {
		const struct abi_value *v = &args->items[i];

		if (v->bytes.n > 0) {
			CHECK(bytes_eq_var(r.extra_data, v->bytes));
			continue;
		}
		met = met || u256_eq(v->word, op->key.request_id);
		CHECK(u256_is_zero(v->word) || u256_eq(v->word, op->key.request_id) ||
		      u256_eq(v->word, r.first) || u256_eq(v->word, r.second) ||
		      (v->word.w[0] == r.params && r.params == 1));
	}
	CHECK(met);
}

static void check_context(struct arena *a, const struct operation *op, const struct abi_value *v)
{
	struct new_context c;

	FUZZ_OK(new_context_decode(a, &c, op->content));
	CHECK(u256_eq(op->key.request_id, v[0].word) && u256_eq(c.previous, v[1].word));
	CHECK(c.nodes_n == v[2].items_n && c.pcrs_n == v[5].items_n);
	for (size_t i = 0; i < c.nodes_n; i++) {
		const struct abi_value *f = v[2].items[i].items;

		CHECK(address_eq(c.nodes[i].tx_sender, abi_as_address(&f[0])));
		CHECK(address_eq(c.nodes[i].signer, abi_as_address(&f[1])));
		CHECK(bytes_eq_var(c.nodes[i].mpc_identity, f[5].bytes));
		CHECK(bytes_eq_var(c.nodes[i].ca_cert, f[6].bytes));
	}
	for (size_t i = 0; i < c.pcrs_n; i++)
		for (size_t k = 0; k < 3; k++)
			CHECK(bytes_eq_var(c.pcrs[i].pcr[k], v[5].items[i].items[k].bytes));
	CHECK(v[3].items[3].word.w[0] == (uint64_t)c.threshold);
	CHECK(bytes_eq_var(c.software_version, v[4].bytes));
	/* keccak256(abi.encode(…)): the contract's own hash is over what follows the first word. */
	CHECK(hash32_eq(new_context_info_hash(op->content),
			keccak256(bytes_sub(op->content, 32, op->content.n - 32))));
}

static void check_epoch(const struct operation *op, const struct abi_value *v)
{
	struct new_epoch e;

	FUZZ_OK(new_epoch_decode(&e, op->content));
	CHECK(u256_eq(op->key.request_id, v[1].word) && u256_eq(e.context, v[0].word));
	CHECK(u256_eq(e.previous_context, v[2].word) && u256_eq(e.previous_epoch, v[3].word));
	CHECK(e.material_block.v == v[4].word.w[0]);
}

static void check_operation(struct arena *a, const struct operation *op,
			    const struct event_row *row, const struct event_log *log)
{
	const struct abi_type *type;
	const struct abi_value *args;

	FUZZ_OK(abi_signature_parse(a, &type, row->signature));
	FUZZ_OK(abi_decode_event(a, &args, type, row->indexed, &log->topics[1], log->topics_n - 1,
				 log->data));
	CHECK(op->key.kind == row->kind || (row->kind == OP_KIND_NEW_CONTEXT && op->key.kind == 0));
	CHECK(op->state == OP_SEEN && op->log_index == 9 && op->block.v == 7);
	CHECK(hash32_eq(keccak256(op->content), op->key.content_digest));
	if (row->kind == OP_KIND_NEW_CONTEXT)
		check_context(a, op, args->items);
	else if (row->kind == OP_KIND_NEW_EPOCH)
		check_epoch(op, args->items);
	else if (row->kind == OP_KIND_CONTEXT_DESTROYED || row->kind == OP_KIND_EPOCH_DESTROYED)
		CHECK(u256_eq(op->key.request_id, args->items[0].word) && op->content.n == 32);
	else
		check_generation(op, row, args);
}

/* Content is read again from a database: whatever stands there, it is an answer or an error. */
static void check_content(struct arena *a, struct bytes content)
{
	CLEANUP(buf_free) struct buf again = buf_make(1 << 20);
	struct key_request r;
	struct new_context c;
	struct new_epoch e;

	if (key_request_decode(&r, content) == ERR_OK && key_request_encode(&again, &r) == ERR_OK)
		CHECK(bytes_eq_var(buf_view(&again), content));
	if (new_epoch_decode(&e, content) == ERR_OK)
		CHECK(content.n == 3 * 32 + 8);
	if (new_context_decode(a, &c, content) == ERR_OK)
		CHECK(c.threshold >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena arena = arena_make(MEMORY_MAX);
	struct bytes in = bytes_from(p, n < 8192 ? n : 8192);
	size_t i = fuzz_u8(&in) % (EVENTS_N + 1);
	const struct event_row *row = i < EVENTS_N ? row_at(i) : NULL;
	const struct event_table *table =
		&event_tables[i < KEY_GENERATION_EVENTS_N ? EVENTS_KMS_GENERATION
							  : EVENTS_PROTOCOL_CONFIG];
	struct event_log log = {.address = {{[19] = 1}}, .block = {7}, .log_index = 9};
	unsigned expected = row ? topics_of(row) : 1;
	struct operation op;
	struct err_note note = {0};

	log.topics_n = (expected + fuzz_u8(&in)) % (TOPICS_MAX + 1);
	log.topics[0] = row ? abi_topic(row->signature) : (struct hash32){{1}};
	for (size_t k = 1; k < TOPICS_MAX; k++) {
		struct bytes topic = fuzz_take(&in, 32);

		if (topic.n > 0)
			memcpy(log.topics[k].b, topic.p, topic.n);
	}
	check_content(&arena, in);
	log.data = row ? fuzz_abi_data_of(data_type(&arena, row), in) : fuzz_copy(in);

	enum err e = event_table_decode(table, &arena, &op, (struct chain_id){3}, &log, &note);

	if (e == ERR_OK) {
		CHECK(row && log.topics_n == expected);
		check_operation(&arena, &op, row, &log);
	} else {
		CHECK(e == ERR_UNSUPPORTED || (e == ERR_MALFORMED && note.text[0]));
	}
	fuzz_free(log.data);
	return 0;
}
