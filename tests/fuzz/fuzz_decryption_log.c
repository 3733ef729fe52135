/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Logs of the Decryption contract. The content that is stored says what the event says, decodes
 * and encodes to itself; the older form of an event and the newer one made of the same parts are
 * the same request.
 *
 * Input: u8 which event || u8 number of topics || as fuzz_abi_data.
 */
#include "connector/adapters/content.h"
#include "crypto/keccak.h"
#include "support_abi.h"

enum {
	MEMORY_MAX = 16 << 20
};

static const struct address contract = {{[19] = 1}};

static enum err decode(struct arena *a, struct operation *op, size_t row, unsigned topics_n,
		       struct bytes data, struct err_note *note)
{
	struct event_log log = {.address = contract,
				.topics_n = topics_n,
				.data = data,
				.block = {7},
				.log_index = 9};

	log.topics[0] = row < DECRYPTION_EVENTS_N ? abi_topic(decryption_events[row].signature)
						  : (struct hash32){{1}};
	log.topics[1] = (struct hash32){{[31] = 5}};
	return event_table_decode(&event_tables[EVENTS_DECRYPTION], a, op, (struct chain_id){3},
				  &log, note);
}

/* The arguments that carry the handles: bytes32[], or a list of tuples that begin with one. */
static struct hash32 handle_of(const struct abi_value *list, size_t i)
{
	const struct abi_value *v = &list->items[i];

	return abi_as_hash(v->items_n > 0 ? &v->items[0] : v);
}

/* The unified form: every part is where the event has it. */
static void check_unified(const struct decryption_request *r, const struct abi_value *handles,
			  const struct abi_value *f)
{
	const struct user_request *u = r->user;

	for (size_t i = 0; i < r->handles_n; i++) {
		const struct abi_value *row = handles->items[i].items;

		CHECK(address_eq(u->entries[i].contract, abi_as_address(&row[1])));
		CHECK(address_eq(u->entries[i].owner, abi_as_address(&row[2])));
	}
	CHECK(address_eq(u->user, abi_as_address(&f[0])) &&
	      bytes_eq_var(u->public_key, f[1].bytes));
	CHECK(u->allowed_contracts_n == f[2].items_n);
	for (size_t i = 0; i < u->allowed_contracts_n; i++)
		CHECK(address_eq(u->allowed_contracts[i], abi_as_address(&f[2].items[i])));
	CHECK(u256_eq(u->start_s, f[3].items[0].word) &&
	      u256_eq(u->duration_s, f[3].items[1].word));
	CHECK(bytes_eq_var(r->extra_data, f[4].bytes) && bytes_eq_var(u->signature, f[5].bytes));
}

static void check_materials(struct arena *a, const struct operation *op,
			    const struct decryption_request *r, const struct abi_value *list)
{
	const struct sns_material *rows;
	size_t n;

	FUZZ_OK(sns_materials_decode(a, &rows, &n, op->materials));
	CHECK(n == (list ? r->handles_n : 0));
	for (size_t i = 0; i < n; i++) {
		const struct abi_value *f = list->items[i].items;

		CHECK(hash32_eq(rows[i].handle, r->handles[i]));
		CHECK(u256_eq(rows[i].key_id, f[1].word));
		CHECK(hash32_eq(rows[i].digest, abi_as_hash(&f[2])));
		CHECK(rows[i].coprocessors_n == f[3].items_n);
	}
}

/* The same parts in the newer form, which stands one row before. */
static void check_sibling(struct arena *a, const struct operation *op, size_t row,
			  const struct decryption_request *r, const struct abi_value *args)
{
	CLEANUP(buf_free) struct buf data = buf_make(4 << 20);
	struct abi_value items[4], *handles = arena_alloc_array(a, r->handles_n, sizeof(*handles));
	const struct abi_type *t;
	struct operation other;

	CHECK(handles);
	for (size_t i = 0; i < r->handles_n; i++)
		handles[i] = abi_hash(&r->handles[i]);
	for (size_t i = 0; i < args->items_n; i++)
		items[i] = args->items[i];
	items[0] = abi_items(handles, r->handles_n);

	const bool unified = args->items_n == 3;
	const struct abi_value value =
		unified ? abi_items(&args->items[1], 2) : abi_items(items, args->items_n);

	FUZZ_OK(abi_type_parse(a, &t, decryption_events[row - 1].data_type));
	FUZZ_OK(abi_encode(&data, t, &value));
	FUZZ_OK(decode(a, &other, row - 1, 2, buf_view(&data), NULL));
	CHECK(hash32_eq(other.key.content_digest, op->key.content_digest));
	CHECK(other.key.kind == op->key.kind && other.materials.n == 0);
}

static void check_operation(struct arena *a, const struct operation *op, size_t row,
			    struct bytes data)
{
	CLEANUP(buf_free) struct buf again = buf_make(4 << 20);
	const bool materials = row % 2 == 1;
	struct decryption_request r;
	const struct abi_type *t;
	const struct abi_value *args;

	FUZZ_OK(abi_type_parse(a, &t, decryption_events[row].data_type));
	FUZZ_OK(abi_decode(a, &args, t, data));
	FUZZ_OK(decryption_request_decode(a, &r, op->key.kind, op->content));
	FUZZ_OK(content_encode(&again, &r));
	CHECK(bytes_eq_var(buf_view(&again), op->content));
	CHECK(hash32_eq(keccak256(op->content), op->key.content_digest));
	CHECK(op->key.kind == decryption_events[row].kind && op->state == OP_SEEN);
	CHECK(op->key.request_id.w[0] == 5 && op->log_index == 9 && op->block.v == 7);

	CHECK(r.handles_n == args->items[0].items_n && r.handles_n > 0);
	for (size_t i = 0; i < r.handles_n; i++)
		CHECK(hash32_eq(r.handles[i], handle_of(&args->items[0], i)));
	CHECK((r.user != NULL) == (op->key.kind == OP_KIND_USER_DECRYPTION));
	CHECK(!r.user || r.user->unified == (row >= 4));
	if (!r.user || !r.user->unified)
		CHECK(bytes_eq_var(r.extra_data, args->items[args->items_n - 1].bytes));
	else
		check_unified(&r, &args->items[materials ? 1 : 0],
			      args->items[materials ? 2 : 1].items);
	if (r.user && !r.user->unified)
		CHECK(address_eq(r.user->user, abi_as_address(&args->items[1])) &&
		      bytes_eq_var(r.user->public_key, args->items[2].bytes));
	check_materials(a, op, &r, materials ? &args->items[0] : NULL);
	if (materials)
		check_sibling(a, op, row, &r, args);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena arena = arena_make(MEMORY_MAX);
	struct bytes in = bytes_from(p, n < 4096 ? n : 4096);
	size_t row = fuzz_u8(&in) % (DECRYPTION_EVENTS_N + 1);
	unsigned topics_n = 4 - (2 + fuzz_u8(&in)) % 5; /* 2 where nothing is said */
	struct bytes data = fuzz_abi_data(
		row < DECRYPTION_EVENTS_N ? decryption_events[row].data_type : "()", in);
	struct operation op;
	struct err_note note = {0};
	enum err e = decode(&arena, &op, row, topics_n, data, &note);

	if (e == ERR_OK) {
		CHECK(row < DECRYPTION_EVENTS_N && topics_n == 2);
		check_operation(&arena, &op, row, data);
	} else {
		CHECK(e == ERR_UNSUPPORTED || (e == ERR_MALFORMED && note.text[0]));
	}
	fuzz_free(data);
	return 0;
}
