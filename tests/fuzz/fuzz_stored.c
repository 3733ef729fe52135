/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What the connector has stored, and extra data. Whatever decodes encodes to the same bytes.
 *
 * Input: u8 which form || the bytes.
 */
#include "base/limits.h"
#include "connector/adapters/content.h"
#include "connector/worker/proof.h"
#include "fuzz.h"

enum {
	MEMORY_MAX = 8 << 20
};

static void try_content(struct bytes in, enum op_kind kind)
{
	CLEANUP(arena_free) struct arena arena = arena_make(MEMORY_MAX);
	CLEANUP(buf_free) struct buf out = buf_make(MEMORY_MAX);
	struct decryption_request r;

	if (decryption_request_decode(&arena, &r, kind, in) != ERR_OK)
		return;
	FUZZ_OK(content_encode(&out, &r));
	CHECK(bytes_eq_var(buf_view(&out), in));
	CHECK(r.handles_n > 0 && (r.user != NULL) == (kind == OP_KIND_USER_DECRYPTION));
	(void)handle_chain_id(&r.handles[0]);
}

/* There is no writer from rows: it is made from the event's arguments. */
static void try_materials(struct bytes in)
{
	CLEANUP(arena_free) struct arena arena = arena_make(MEMORY_MAX);
	CLEANUP(buf_free) struct buf out = buf_make(MEMORY_MAX);
	const struct sns_material *rows;
	size_t n;

	if (sns_materials_decode(&arena, &rows, &n, in) != ERR_OK || in.n == 0)
		return;

	struct abi_value *list = arena_alloc_array(&arena, n, sizeof(*list));

	CHECK(list);
	for (size_t i = 0; i < n; i++) {
		struct abi_value *f = arena_alloc_array(&arena, 4, sizeof(*f));
		struct abi_value *who =
			arena_alloc_array(&arena, rows[i].coprocessors_n, sizeof(*who));

		CHECK(f && who);
		for (size_t k = 0; k < rows[i].coprocessors_n; k++)
			who[k] = abi_address(rows[i].coprocessors[k]);
		f[0] = abi_hash(&rows[i].handle);
		f[1] = abi_uint(rows[i].key_id);
		f[2] = abi_hash(&rows[i].digest);
		f[3] = abi_items(who, rows[i].coprocessors_n);
		list[i] = abi_items(f, 4);
	}

	const struct abi_value all = abi_items(list, n);

	FUZZ_OK(materials_encode(&out, &all));
	CHECK(bytes_eq_var(buf_view(&out), in));
}

static void try_answer(struct bytes in, enum op_kind kind)
{
	CLEANUP(arena_free) struct arena arena = arena_make(MEMORY_MAX);
	CLEANUP(buf_free) struct buf out = buf_make(MEMORY_MAX), call = buf_make(MEMORY_MAX);
	struct decryption_answer a;
	const struct abi_type *t;
	const struct abi_value *v;

	if (decryption_answer_decode(&a, kind, in) != ERR_OK)
		return;
	CHECK(a.signature.n == 65 && (kind == OP_KIND_USER_DECRYPTION || a.result.n % 32 == 0));
	FUZZ_OK(decryption_answer_encode(&out, &a));
	CHECK(bytes_eq_var(buf_view(&out), in));
	FUZZ_OK(decryption_response_call(&call, kind, u256_from_u64(77), &a));
	FUZZ_OK(abi_type_parse(&arena, &t, "(uint256,bytes,bytes,bytes)"));
	FUZZ_OK(abi_decode(&arena, &v, t, bytes_sub(buf_view(&call), 4, call.n - 4)));
	CHECK(bytes_eq_var(v->items[1].bytes, a.result));
	CHECK(bytes_eq_var(v->items[3].bytes, a.extra_data));
}

/* version || digest || number of handles … */
static void try_proof(struct bytes in)
{
	CLEANUP(arena_free) struct arena arena = arena_make(MEMORY_MAX);
	CLEANUP(buf_free) struct buf out = buf_make(MEMORY_MAX), words = buf_make(MEMORY_MAX);
	struct reader r = reader_of(bytes_sub(in, 33, 4));
	struct bytes digest = bytes_sub(in, 1, 32);
	uint32_t n = reader_u32be(&r);
	struct hash32 d = {{0}};
	struct proof *p;

	memcpy(d.b, digest.n ? digest.p : d.b, digest.n);

	enum err e = proof_decode(&arena, &p, in, d, n);

	CHECK(e == proof_describe(&words, in));
	if (e != ERR_OK)
		return;
	FUZZ_OK(proof_encode(p, &out));
	CHECK(bytes_eq_var(buf_view(&out), in));
	CHECK(!proof_complete(p, &d, n) || proof_permitted(p));
	CHECK(!proof_complete(p, &d, n + 1) && !proof_complete(NULL, &d, n));
	d.b[0] ^= 1;
	CHECK(!proof_complete(p, &d, n));
	CHECK(proof_decode(&arena, &p, in, d, n) == ERR_CORRUPT);
}

static void try_extra_data(struct bytes in)
{
	struct extra_data x;
	struct bytes core = extra_data_for_core(in);
	uint8_t be[32];

	CHECK(in.n == 1 && in.p[0] == 0 ? core.n == 0 : bytes_eq_var(core, in));
	if (extra_data_parse(&x, in) != ERR_OK) {
		CHECK(in.n > 0 && (in.p[0] > 2 || in.n < (size_t)1 + 32 * in.p[0]));
		return;
	}
	CHECK(x.has_context == (in.n > 0 && in.p[0] >= 1));
	CHECK(x.has_epoch == (in.n > 0 && in.p[0] >= 2));
	u256_to_be(be, x.context);
	CHECK(!x.has_context || memcmp(be, &in.p[1], 32) == 0);
	u256_to_be(be, x.epoch);
	CHECK(!x.has_epoch || memcmp(be, &in.p[33], 32) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n < 1 << 16 ? n : 1 << 16);
	uint8_t which = fuzz_u8(&in) % 7;
	struct bytes copy = fuzz_copy(in);

	switch (which) {
	case 0:
	case 1:
		try_content(copy, which == 0 ? OP_KIND_PUBLIC_DECRYPTION : OP_KIND_USER_DECRYPTION);
		break;
	case 2:
		try_materials(copy);
		break;
	case 3:
	case 4:
		try_answer(copy, which == 3 ? OP_KIND_PUBLIC_DECRYPTION : OP_KIND_USER_DECRYPTION);
		break;
	case 5:
		try_proof(copy);
		break;
	default:
		try_extra_data(copy);
		break;
	}
	fuzz_free(copy);
	return 0;
}
