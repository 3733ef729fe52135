/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Users' inputs: compact lists. Every item decrypts to what schoolbook arithmetic finds, or is of
 * no type that FHEVM has.
 *
 * Input: u8 which vector || edits.
 */
#include "fhe/dealer/dealer.h"
#include "fuzz.h"

enum {
	CHECKED_MAX = 6, /* items, */
	BLOCKS_MAX = 4   /* and of each the first blocks and the last: this arithmetic is slow */
};

static uint64_t word(struct bytes b, size_t i)
{
	uint64_t v = 0;

	CHECK(8 * i + 8 <= b.n);
	for (size_t k = 8; k > 0; k--)
		v = v << 8 | b.p[8 * i + k - 1];
	return v;
}

/* Entry i: body i, and the mask of its bin times X^(i mod n), modulo X^n + 1. */
static unsigned entry(const struct fhe_compact_list *l, struct bytes key, size_t i)
{
	size_t n = key.n, bin = i / n, bins = (l->count + n - 1) / n;
	uint64_t phase = word(l->words, bins * n + i);

	for (size_t j = 0; j < n; j++) {
		size_t to = j + i % n;
		uint64_t a = word(l->words, bin * n + j);

		if (key.p[to % n])
			phase = to < n ? phase - a : phase + a;
	}
	return (unsigned)((phase + ((uint64_t)1 << 58)) >> 59) & (l->degree == 15 ? 15 : 3);
}

static void check_item(const struct fhe_client_key *k, const struct fhe_compact_list *l, size_t at,
		       struct fhe_item item, size_t start)
{
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_PKE);
	const struct fhe_type_row *type;
	struct fhe_plaintext v;
	enum err e = fhe_compact_list_decrypt(k, l, at, &type, &v, NULL);

	CHECK(e == ERR_OK || e == ERR_UNSUPPORTED || e == ERR_MISMATCH);
	if (e != ERR_OK)
		return;
	CHECK(v.n == type->size && type->blocks == item.blocks);
	for (size_t b = 0; b < item.blocks; b++) {
		if (b == BLOCKS_MAX)
			b = item.blocks - 1;

		size_t i = start + b;

		unsigned want = l->degree == 15 ? entry(l, key, i / 2) >> (2 * (i % 2)) & 3
						: entry(l, key, i);

		CHECK((v.le[b / 4] >> (2 * (b % 4)) & 3) == (int)want);
	}
}

/* What was read is written the same, but for older versions; what is written, always. */
static void check_written(const struct fhe_compact_list *l, struct bytes in)
{
	CLEANUP(buf_free) struct buf once = buf_make(2 * in.n);
	CLEANUP(buf_free) struct buf twice = buf_make(2 * in.n);
	struct fhe_compact_list again;
	size_t differ = 0;

	FUZZ_OK(fhe_compact_list_write(l, &once));
	CHECK(once.n == in.n);
	for (size_t i = 0; i < in.n; i++)
		differ += once.p[i] != in.p[i];
	CHECK(differ <= l->items.n + 1);
	FUZZ_OK(fhe_compact_list_read(&again, buf_view(&once), NULL));
	FUZZ_OK(fhe_compact_list_write(&again, &twice));
	CHECK(bytes_eq_var(buf_view(&once), buf_view(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct fhe_client_key *key;
	struct bytes in = bytes_from(p, n);
	const char *name = fuzz_u8(&in) % 2 ? "tfhe/list_unpacked.bin" : "tfhe/list_packed.bin";
	struct fhe_compact_list l;
	struct err_note note = {0};
	const struct fhe_type_row *type;
	struct fhe_plaintext v;
	struct fhe_item item;
	size_t start = 0;

	if (n > 4096)
		return 0;
	if (!key)
		FUZZ_OK(fhe_client_key_read(&key, fuzz_vector("tfhe/ck.bin"), NULL));

	struct bytes object = fuzz_patch(fuzz_vector(name), in);

	if (fhe_compact_list_read(&l, object, &note) == ERR_OK) {
		struct fhe_items items = l.items;

		check_written(&l, object);
		for (size_t i = 0; fhe_items_next(&items, &item); i++) {
			if (i < CHECKED_MAX)
				check_item(key, &l, i, item, start);
			start += item.blocks;
		}
		/* one past the last */
		CHECK(fhe_compact_list_decrypt(key, &l, l.items.n, &type, &v, NULL) != ERR_OK);
		CHECK(l.count == (l.degree == 15 ? (start + 1) / 2 : start));
	}
	fuzz_free(object);
	return 0;
}
