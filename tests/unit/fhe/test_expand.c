/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Values out of compact lists by public keys, and on to what a coprocessor stores. Set "test"; with
 * the argument "default" production parameters (slow suite).
 */
#include "server_support.h"

enum {
	ITEMS = 6,
	BLOCKS_MAX = 256,
	/* Seen: 2^48 for both sets; a block is safe below 2^58. */
	NOISE_MAX = 52,
};

static const struct fhe_params *params = &fhe_params_test;
static struct keys keys;
static struct rng_seeded rng;

static int set_up(void **state)
{
	(void)state;
	rng_seeded_init(&rng, 11);
	keys_make(&keys, params, &rng.base);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	keys_free(&keys);
	return 0;
}

/* What is in the list: an odd number of blocks before integers, so that items share entries. */
static const struct {
	enum fhe_type type;
	uint8_t le[32];
} values[ITEMS] = {
	{FHE_BOOL, {1}},
	{FHE_UINT8, {0xa7}},
	{FHE_UINT64, {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01}},
	{FHE_BOOL, {0}},
	{FHE_UINT4, {0x0b}},
	{FHE_BOOL, {1}},
};

struct example {
	struct fhe_compact_list list;
	struct buf words, items;
};

static void example_free(struct example *x)
{
	buf_free(&x->words);
	buf_free(&x->items);
}

static size_t blocks_take(uint8_t blocks[BLOCKS_MAX], struct fhe_item items[ITEMS])
{
	size_t n = 0;

	for (size_t i = 0; i < ITEMS; i++) {
		items[i] = fhe_item_of(fhe_type_find(values[i].type));
		for (size_t b = 0; b < items[i].blocks; b++)
			blocks[n++] = (uint8_t)block_of_value(values[i].le, b);
	}
	return n;
}

/* One mask for all (they fit a bin), entry i under the key rotated by i. */
static void entries_encrypt(uint8_t *words, const uint8_t *messages, size_t count)
{
	struct bytes key = fhe_client_key_bits(keys.client, FHE_KEY_PKE);
	struct aes_ctr *stream;

	assert_true(count <= key.n);
	assert_ok(fhe_stream_new_random(&stream, &rng.base));
	rng_fill(&rng.base, words, 8 * key.n);
	for (size_t i = 0; i < count; i++) {
		int64_t e;

		assert_ok(fhe_tuniform_draw(stream, params->pke.noise, &e));
		fhe_word_put_u64(words, key.n + i,
				 fhe_rotated_dot_u64(words, key.p, key.n, i) +
					 ((uint64_t)messages[i] << 59) + (uint64_t)e);
	}
	fhe_stream_free(&stream);
}

static struct example example_new(bool packed)
{
	size_t dimension = (size_t)params->pke.dimension, count;
	struct example x = {.words = buf_make(1 << 20), .items = buf_make(1 << 10)};
	struct bincode_writer w = {.out = &x.items};
	uint8_t blocks[BLOCKS_MAX] = {0}, messages[BLOCKS_MAX];
	struct fhe_item items[ITEMS];
	struct reader r;
	uint8_t *place;

	count = blocks_take(blocks, items);
	for (size_t i = 0; i < (packed ? (count + 1) / 2 : count); i++)
		messages[i] =
			(uint8_t)(packed ? blocks[2 * i] | blocks[2 * i + 1] << 2 : blocks[i]);
	count = packed ? (count + 1) / 2 : count;
	assert_ok(buf_add_space(&x.words, 8 * (dimension + count), &place));
	entries_encrypt(place, messages, count);
	fhe_items_write(&w, items, ITEMS);
	assert_ok(bincode_end(&w));
	r = reader_of(buf_view(&x.items));
	x.list = (struct fhe_compact_list){
		.words = buf_view(&x.words),
		.lwe_size = dimension + 1,
		.count = count,
		.degree = packed ? 15 : 3,
		.items = fhe_items_read(&r, NULL),
	};
	assert_ok(reader_end(&r));
	return x;
}

/* The largest noise of a FheUint's blocks, log2. */
static unsigned small_noise_log2(struct bytes ciphertext)
{
	struct bytes key = fhe_client_key_bits(keys.client, FHE_KEY_GLWE);
	struct fhe_expanded v;
	struct fhe_block b;
	unsigned most = 0;

	assert_ok(fhe_small_expanded_read(&v, params, ciphertext, NULL));
	while (fhe_blocks_next(&v.blocks, &b)) {
		uint64_t phase = fhe_word_u64(b.words.p, key.n) -
				 fhe_rotated_dot_u64(b.words.p, key.p, key.n, 0);
		unsigned log2 = noise_log2((fhe_u128)phase << 64);

		log2 = log2 > 64 ? log2 - 64 : 0;
		most = log2 > most ? log2 : most;
	}
	return most;
}

static void item_goes_through(const struct example *x, size_t i)
{
	const struct fhe_type_row *type = fhe_type_find(values[i].type);
	struct buf ct = buf_make(CIPHERTEXT_SIZE_MAX), list = buf_make(CIPHERTEXT_SIZE_MAX);
	struct err_note note = {0};
	struct fhe_squashed s;

	if (fhe_server_expand(keys.server, &x->list, i, 2, &ct, &note) != ERR_OK)
		fail_msg("%s", note.text);
	assert_value(keys.client, type, FHE_SMALL_EXPANDED, buf_view(&ct), values[i].le);
	assert_true(small_noise_log2(buf_view(&ct)) <= NOISE_MAX);
	assert_ok(fhe_server_squash(keys.server, buf_view(&ct), 2, &s, NULL));
	assert_ok(fhe_server_compress(keys.server, &s, 2, &list, NULL));
	assert_value(keys.client, type, FHE_BIG_COMPRESSED, buf_view(&list), values[i].le);
	fhe_squashed_free(&s);
	buf_free(&list);
	buf_free(&ct);
}

static void packed(void **state)
{
	struct example x = example_new(true);

	(void)state;
	for (size_t i = 0; i < ITEMS; i++)
		item_goes_through(&x, i);
	example_free(&x);
}

static void unpacked(void **state)
{
	struct example x = example_new(false);

	(void)state;
	for (size_t i = 0; i < ITEMS; i++)
		item_goes_through(&x, i);
	example_free(&x);
}

/* A Boolean may have been sent with any bits: what is not zero is true. */
static void even_is_true(void **state)
{
	struct example x = example_new(false);
	struct buf ct = buf_make(CIPHERTEXT_SIZE_MAX);

	(void)state;
	entries_encrypt(x.words.p, (const uint8_t[BLOCKS_MAX]){2}, (size_t)x.list.count);
	assert_ok(fhe_server_expand(keys.server, &x.list, 0, 1, &ct, NULL));
	assert_value(keys.client, fhe_type_find(FHE_BOOL), FHE_SMALL_EXPANDED, buf_view(&ct),
		     (const uint8_t[]){1});
	buf_free(&ct);
	example_free(&x);
}

static void refusals(void **state)
{
	struct example x = example_new(true);
	struct buf out = buf_make(CIPHERTEXT_SIZE_MAX), foreign = vector_read("list_packed.bin");
	struct fhe_compact_list list;
	struct err_note note = {0};

	(void)state;
	assert_int_equal(fhe_server_expand(keys.server, &x.list, ITEMS, 1, &out, &note), ERR_RANGE);
	assert_string_equal(note.text, "the list has no item 6");
	assert_int_equal(fhe_server_expand(keys.server, &x.list, 0, 0, &out, &note), ERR_RANGE);
	assert_ok(fhe_compact_list_read(&list, buf_view(&foreign), NULL));
	assert_int_equal(fhe_server_expand(keys.server, &list, 0, 1, &out, &note), ERR_MISMATCH);
	assert_string_equal(note.text, "list of dimension 2048, the key has 512");
	assert_int_equal(out.n, 0);
	buf_free(&foreign);
	buf_free(&out);
	example_free(&x);
}

static void production(void **state)
{
	struct example x = example_new(true);

	(void)state;
	for (size_t i = 0; i < 2; i++)
		item_goes_through(&x, i);
	example_free(&x);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed),
		cmocka_unit_test(unpacked),
		cmocka_unit_test(even_is_true),
		cmocka_unit_test(refusals),
	};
	const struct CMUnitTest slow[] = {cmocka_unit_test(production)};

	if (argc > 1 && strcmp(argv[1], "default") == 0) {
		params = &fhe_params_v1_7;
		return cmocka_run_group_tests_name("fhe_expand default", slow, set_up, tear_down);
	}
	return cmocka_run_group_tests_name("fhe_expand", tests, set_up, tear_down);
}
