/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * SmallExpanded, SmallCompressed and BigExpanded: ciphertexts made by tfhe-rs, fresh ones of every
 * type with noise up to the limit, older versions. Hostile ones: test_format_errors.c;
 * BigCompressed: test_decrypt.c.
 */
#include "base/limits.h"
#include "codec/safe_serialize.h"
#include "fhe/compressed_list.h"
#include "fhe/expanded.h"
#include "fhe/negacyclic.h"
#include "fhe/squashed_list.h"
#include "format_vectors.h"

static void known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct fhe_client_key *k = client_key_of(vectors[i].key);
		struct buf b = vector_read(vectors[i].file);

		assert_decrypts(k, vectors[i].type, vectors[i].format, buf_view(&b),
				vectors[i].value);
		fhe_client_key_free(k);
		buf_free(&b);
	}
}

/* ---- writers ---- */

/* What an expanded ciphertext is written from. */
struct expanded {
	const char *name;
	uint32_t version;
	const struct layout *layout;
	struct fhe_block *blocks;
	size_t n;
	uint64_t radix_blocks; /* big only */
	uint32_t state;        /* big only */
	struct bytes tag, metadata;
};

static void expanded_write(struct buf *out, const struct expanded *e)
{
	bool big = e->layout == &fhe_block_128_layout;
	bool boolean = strstr(e->name, "Bool") != NULL;
	struct bincode_writer w = {.out = out};

	buf_clear(out);
	safe_serialize_begin(&w, e->name);
	bincode_put_u32(&w, e->version);
	bincode_put_u64(&w, 0);
	if (!boolean)
		bincode_put_u64(&w, e->n);
	for (size_t i = 0; i < e->n; i++)
		layout_write(&w, e->layout, &e->blocks[i]);
	if (big && !boolean)
		bincode_put_u64(&w, e->radix_blocks);
	if (big && e->version >= 1) {
		bincode_put_u32(&w, 0);
		bincode_put_u32(&w, e->state);
	}
	if (big || e->version >= 1) {
		bincode_put_u32(&w, 0);
		bincode_put_vec(&w, e->tag);
	}
	if (!big && e->version >= 2) {
		bincode_put_u32(&w, 0);
		bincode_put_vec(&w, e->metadata);
	}
	assert_ok(bincode_end(&w));
}

static struct fhe_block block_of(struct bytes words)
{
	return (struct fhe_block){.words = words,
				  .degree = 3,
				  .noise_level = 1,
				  .message_modulus = 4,
				  .carry_modulus = 4};
}

/* An encryption of m with the largest noise that must not matter, of either sign. */
static struct fhe_block block_64(struct bytes key, uint64_t m, struct rng *rng, struct buf *words)
{
	uint64_t half = UINT64_C(1) << 58;
	uint64_t noise = rng_below(rng, 2) ? half - 1 : 0 - half;
	uint8_t *p;

	assert_ok(buf_add_space(words, 8 * (key.n + 1), &p));
	rng_fill(rng, p, 8 * key.n);
	fhe_word_put_u64(p, key.n, fhe_rotated_dot_u64(p, key.p, key.n, 0) + (m << 59) + noise);
	return block_of(bytes_from(p, 8 * (key.n + 1)));
}

static struct fhe_block block_128(struct bytes key, uint64_t m, struct rng *rng, struct buf *words)
{
	fhe_u128 half = (fhe_u128)1 << 122;
	fhe_u128 noise = rng_below(rng, 2) ? half - 1 : 0 - half;
	uint8_t *p;

	assert_ok(buf_add_space(words, 16 * (key.n + 1), &p));
	rng_fill(rng, p, 16 * key.n);
	fhe_word_put_u128(p, key.n, fhe_dot_u128(p, key.p, key.n) + ((fhe_u128)m << 123) + noise);
	return block_of(bytes_from(p, 16 * (key.n + 1)));
}

/* Buffers must not move while blocks point into them. */
static struct buf words_make(void)
{
	struct buf words = buf_make(24 << 20);

	assert_ok(buf_reserve(&words, words.size_max));
	return words;
}

static struct fhe_plaintext value_of(const struct fhe_type_row *type, uint8_t fill)
{
	struct fhe_plaintext v = {.n = type->size};

	for (size_t i = 0; i < v.n; i++)
		v.le[i] = (uint8_t)(fill == 0x93 ? fill + 59 * i : fill);
	if (type->bits < 8)
		v.le[0] &= (uint8_t)((1u << type->bits) - 1);
	return v;
}

static const uint8_t fills[] = {0x00, 0xff, 0x93};

static void small_every_type(const char *key_name)
{
	struct fhe_client_key *k = client_key_of(key_name);
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_GLWE);
	struct buf words = words_make(), out = buf_make(24 << 20);
	struct fhe_block blocks[128];
	struct rng_seeded rng;

	rng_seeded_init(&rng, 7);
	for (unsigned t = FHE_BOOL; t <= FHE_UINT256; t++) {
		const struct fhe_type_row *type = fhe_type_find(t);

		for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
			struct fhe_plaintext v = value_of(type, fills[f]);
			struct expanded e = {
				.name = t == FHE_BOOL ? "high_level_api::FheBool"
						      : "high_level_api::FheUint",
				.version = 2,
				.layout = &fhe_block_64_layout,
				.blocks = blocks,
				.n = type->blocks,
				.tag = BYTES_LIT("a tag"),
			};

			buf_clear(&words);
			for (size_t i = 0; i < e.n; i++)
				blocks[i] = block_64(key, v.le[i / 4] >> (2 * (i % 4)) & 3,
						     &rng.base, &words);
			expanded_write(&out, &e);
			assert_decrypts(k, type->type, FHE_SMALL_EXPANDED, buf_view(&out),
					bytes_from(v.le, v.n));
		}
	}
	fhe_client_key_free(k);
	buf_free(&words);
	buf_free(&out);
}

static void small_expanded_types(void **state)
{
	(void)state;
	small_every_type("ck_test.bin");
	small_every_type("ck_full.bin");
}

static void big_every_type(const char *key_name, uint32_t post_decompression)
{
	struct fhe_client_key *k = client_key_of(key_name);
	struct bytes key =
		fhe_client_key_bits(k, post_decompression ? FHE_KEY_SNS_COMPRESSION : FHE_KEY_SNS);
	struct buf words = words_make(), out = buf_make(24 << 20);
	struct fhe_block blocks[64];
	struct rng_seeded rng;

	rng_seeded_init(&rng, 8);
	for (unsigned t = FHE_BOOL; t <= FHE_UINT256; t++) {
		const struct fhe_type_row *type = fhe_type_find(t);

		for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
			struct fhe_plaintext v = value_of(type, fills[f]);
			struct expanded e = {
				.name = t == FHE_BOOL ? "high_level_api::SquashedNoiseFheBool"
						      : "high_level_api::SquashedNoiseFheUint",
				.version = 1,
				.layout = &fhe_block_128_layout,
				.blocks = blocks,
				.n = (type->blocks + 1) / 2,
				.radix_blocks = type->blocks,
				.state = post_decompression,
			};

			buf_clear(&words);
			for (size_t i = 0; i < e.n; i++)
				blocks[i] = block_128(key, v.le[i / 2] >> (4 * (i % 2)) & 15,
						      &rng.base, &words);
			expanded_write(&out, &e);
			assert_decrypts(k, type->type, FHE_BIG_EXPANDED, buf_view(&out),
					bytes_from(v.le, v.n));
		}
	}
	fhe_client_key_free(k);
	buf_free(&words);
	buf_free(&out);
}

static void big_expanded_types(void **state)
{
	(void)state;
	big_every_type("ck_test.bin", 0);
	big_every_type("ck_test.bin", 1);
	big_every_type("ck_full.bin", 0);
	big_every_type("ck_full.bin", 1);
}

/* A carry goes into the next block, and out of the value at its end. */
static void carries(void **state)
{
	static const uint64_t messages[4] = {15, 4, 3, 13}; /* 15 + 4*4 + 3*16 + 13*64 = 911 */
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_GLWE);
	struct buf words = words_make(), out = buf_make(1 << 20);
	struct fhe_block blocks[4];
	struct rng_seeded rng;
	struct expanded e = {.name = "high_level_api::FheUint",
			     .version = 2,
			     .layout = &fhe_block_64_layout,
			     .blocks = blocks,
			     .n = 4};

	(void)state;
	rng_seeded_init(&rng, 9);
	for (size_t i = 0; i < 4; i++)
		blocks[i] = block_64(key, messages[i], &rng.base, &words);
	expanded_write(&out, &e);
	assert_decrypts(k, FHE_UINT8, FHE_SMALL_EXPANDED, buf_view(&out),
			BYTES_LIT("\x8f")); /* 911 mod 256 */

	/* a Boolean is its message */
	e.name = "high_level_api::FheBool";
	e.n = 1;
	for (uint64_t m = 0; m < 16; m++) {
		const uint8_t want = m % 4 != 0;

		blocks[0] = block_64(key, m, &rng.base, &words);
		expanded_write(&out, &e);
		assert_decrypts(k, FHE_BOOL, FHE_SMALL_EXPANDED, buf_view(&out),
				bytes_from(&want, 1));
	}
	fhe_client_key_free(k);
	buf_free(&words);
	buf_free(&out);
}

/* ---- after decompression: LWE ciphertexts out of a real compressed one ---- */

/* Body h of a GLWE as an LWE ciphertext under the flattened key. */
static struct fhe_block sample_extract(const struct fhe_packed_glwe *g, size_t h, struct buf *words)
{
	size_t n = (size_t)g->polynomial_size, k = (size_t)g->glwe_dimension;
	uint8_t *p;

	assert_ok(buf_add_space(words, 16 * (k * n + 1), &p));
	for (size_t j = 0; j < k; j++)
		for (size_t t = 0; t < n; t++)
			fhe_word_put_u128(
				p, j * n + t,
				t <= h ? fhe_word_u128(g->words.p, j * n + h - t)
				       : 0 - fhe_word_u128(g->words.p, j * n + n + h - t));
	fhe_word_put_u128(p, k * n, fhe_word_u128(g->words.p, k * n + h));
	return block_of(bytes_from(p, 16 * (k * n + 1)));
}

static void post_decompression(const char *key_name, const char *list_name,
			       const struct fhe_params *params)
{
	struct fhe_client_key *k = client_key_of(key_name);
	struct buf b = vector_read(list_name), words = words_make(), out = buf_make(4 << 20);
	struct fhe_packed_list list;
	struct fhe_block blocks[16];
	struct expanded e = {.name = "high_level_api::SquashedNoiseFheUint",
			     .version = 1,
			     .layout = &fhe_block_128_layout,
			     .blocks = blocks,
			     .n = ARRAY_LEN(blocks),
			     .radix_blocks = 32,
			     .state = 1,
			     .tag = BYTES_LIT("kms-test-tag")};

	assert_ok(fhe_squashed_list_read(&list, params, buf_view(&b), NULL));
	for (size_t i = 0; i < e.n; i++)
		blocks[i] = sample_extract(&list.glwe[0], i, &words);
	expanded_write(&out, &e);
	if (params == &fhe_params_v1_7) /* the size of tfhe-rs' own */
		assert_int_equal(out.n, 1574530);
	assert_decrypts(k, FHE_UINT64, FHE_BIG_EXPANDED, buf_view(&out), BYTES_OF(le64));

	/* said to be in the other state, it is under another key */
	e.state = 0;
	expanded_write(&out, &e);
	if (params == &fhe_params_v1_7)
		assert_refused(k, FHE_UINT64, FHE_BIG_EXPANDED, buf_view(&out), ERR_MISMATCH);
	e.state = 2;
	expanded_write(&out, &e);
	assert_refused(k, FHE_UINT64, FHE_BIG_EXPANDED, buf_view(&out), ERR_UNSUPPORTED);
	fhe_client_key_free(k);
	buf_free(&b);
	buf_free(&words);
	buf_free(&out);
}

static void after_decompression(void **state)
{
	(void)state;
	post_decompression("ck_full.bin", "nat_full_csq64.bin", &fhe_params_v1_7);
	post_decompression("ck_test.bin", "nat_test_csq64.bin", &fhe_params_test);
}

/* ---- compressed lists ---- */

static void packed_put(uint8_t *words, size_t i, unsigned bits, uint64_t v)
{
	for (size_t b = 0; b < bits; b++) {
		size_t at = i * bits + b;

		words[at / 8] =
			(uint8_t)((words[at / 8] & ~(1u << at % 8)) | (v >> b & 1) << at % 8);
	}
}

/* `bodies` blocks of 2 bits, message(i) each, with the largest noise that must not matter. */
static struct fhe_packed_glwe packed_encrypt(const struct fhe_client_key *k, size_t bodies,
					     const uint8_t *messages, struct rng *rng,
					     struct buf *words)
{
	const struct fhe_compression_params *p = &k->params.compression;
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_COMPRESSION);
	unsigned bits = (unsigned)p->storage_log_modulus;
	size_t n = (size_t)p->polynomial_size;
	uint64_t half = UINT64_C(1) << (bits - 4);
	struct fhe_packed_glwe g = {.log_modulus = bits,
				    .initial_len = key.n + bodies,
				    .glwe_dimension = p->glwe_dimension,
				    .polynomial_size = n,
				    .bodies = bodies};
	uint8_t *w;

	g.words.n = (size_t)(g.initial_len * bits + 63) / 64 * 8;
	assert_ok(buf_add_space(words, g.words.n, &w));
	memset(w, 0, g.words.n);
	g.words.p = w;
	for (size_t i = 0; i < key.n; i++)
		packed_put(w, i, bits, rng_below(rng, UINT64_C(1) << bits));
	for (size_t h = 0; h < bodies; h++) {
		uint64_t body = ((uint64_t)messages[h] << (bits - 3)) +
				(rng_below(rng, 2) ? half - 1 : 0 - half);

		for (size_t j = 0; j < key.n / n; j++)
			for (size_t t = 0; t < n; t++) {
				size_t at = t <= h ? h - t : n + h - t;
				uint64_t a = fhe_packed_coefficient(&g, j * n + at);

				if (key.p[j * n + t])
					body += t <= h ? a : 0 - a;
			}
		packed_put(w, key.n + h, bits, body);
	}
	return g;
}

static void list_write(struct buf *out, const struct fhe_packed_list *list, uint32_t version,
		       const struct fhe_item *items, size_t n)
{
	struct bincode_writer w = {.out = out};

	buf_clear(out);
	safe_serialize_begin(&w, FHE_COMPRESSED_LIST_NAME);
	bincode_put_u32(&w, version);
	bincode_put_u32(&w, 0);
	bincode_put_u32(&w, 2);
	bincode_put_u64(&w, list->glwe_n);
	for (size_t i = 0; i < list->glwe_n; i++)
		layout_write(&w, &fhe_packed_glwe_layout, &list->glwe[i]);
	bincode_put_u8(&w, 1);
	layout_write(&w, &fhe_compressed_meta_layout, list);
	fhe_items_write(&w, items, n);
	if (version >= 1) {
		bincode_put_u32(&w, 0);
		bincode_put_vec(&w, list->tag);
	}
	if (version >= 3) {
		bincode_put_u64(&w, n);
		for (size_t i = 0; i < n; i++) {
			bincode_put_u32(&w, 0);
			bincode_put_u64(&w, 0);
		}
	}
	assert_ok(bincode_end(&w));
}

static struct fhe_packed_list list_of(const struct fhe_client_key *k)
{
	return (struct fhe_packed_list){.message_modulus = 4,
					.carry_modulus = 4,
					.lwe_per_glwe = k->params.compression.lwe_per_glwe};
}

static void compressed_every_type(const char *key_name)
{
	struct fhe_client_key *k = client_key_of(key_name);
	struct buf words = words_make(), out = buf_make(1 << 20);
	struct rng_seeded rng;

	rng_seeded_init(&rng, 10);
	for (unsigned t = FHE_BOOL; t <= FHE_UINT256; t++) {
		const struct fhe_type_row *type = fhe_type_find(t);
		struct fhe_item item = fhe_item_of(type);

		for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
			struct fhe_plaintext v = value_of(type, fills[f]);
			struct fhe_packed_list list = list_of(k);
			uint8_t messages[128];

			for (size_t i = 0; i < type->blocks; i++)
				messages[i] = v.le[i / 4] >> (2 * (i % 4)) & 3;
			buf_clear(&words);
			list.glwe_n = 1;
			list.glwe[0] = packed_encrypt(k, type->blocks, messages, &rng.base, &words);
			list_write(&out, &list, 3, &item, 1);
			assert_decrypts(k, type->type, FHE_SMALL_COMPRESSED, buf_view(&out),
					bytes_from(v.le, v.n));
		}
	}
	fhe_client_key_free(k);
	buf_free(&words);
	buf_free(&out);
}

static void small_compressed_types(void **state)
{
	(void)state;
	compressed_every_type("ck_test.bin");
	compressed_every_type("ck_full.bin");
}

/* The first of several values; older forms of the list; a full GLWE with a second behind it. */
static void compressed_lists(void **state)
{
	static const struct fhe_item upstreams[] = {{FHE_ITEM_UNSIGNED, 32}, {FHE_ITEM_BOOLEAN, 1}};
	static const struct fhe_item others[] = {{FHE_ITEM_UNSIGNED, 16}, {FHE_ITEM_SIGNED, 17}};
	static const struct fhe_item wrong[] = {{FHE_ITEM_UNSIGNED, 32}, {FHE_ITEM_UNSIGNED, 2}};
	static const struct fhe_item many[] = {{FHE_ITEM_UNSIGNED, 128}, {FHE_ITEM_UNSIGNED, 161}};
	struct fhe_client_key *k = client_key_of("ck_full.bin");
	struct buf b = vector_read("nat_full_ccl.bin"), out = buf_make(1 << 20),
		   words = words_make();
	struct fhe_packed_list list;
	struct rng_seeded rng;
	uint8_t messages[256] = {0};

	(void)state;
	assert_ok(fhe_compressed_list_read(&list, &fhe_params_v1_7, buf_view(&b), NULL));
	list_write(&out, &list, 3, upstreams, 2);
	assert_bytes_equal(buf_view(&out), buf_view(&b)); /* the layout is tfhe-rs' own */
	for (uint32_t version = 0; version < 4; version++) {
		list_write(&out, &list, version, upstreams, 2);
		assert_decrypts(k, FHE_UINT64, FHE_SMALL_COMPRESSED, buf_view(&out),
				BYTES_OF(le64));
	}
	list_write(&out, &list, 4, upstreams, 2);
	assert_refused(k, FHE_UINT64, FHE_SMALL_COMPRESSED, buf_view(&out), ERR_UNSUPPORTED);
	list_write(&out, &list, 3, others, 2);
	assert_decrypts(k, FHE_UINT32, FHE_SMALL_COMPRESSED, buf_view(&out), bytes_from(le64, 4));
	list_write(&out, &list, 3, wrong, 2); /* 34 blocks for 33 bodies */
	assert_refused(k, FHE_UINT64, FHE_SMALL_COMPRESSED, buf_view(&out), ERR_MALFORMED);

	rng_seeded_init(&rng, 11);
	for (size_t i = 0; i < sizeof(messages); i++)
		messages[i] = (uint8_t)rng_below(&rng.base, 4);
	list.glwe_n = 2;
	list.glwe[1] = list.glwe[0];
	list.glwe[0] = packed_encrypt(k, 256, messages, &rng.base, &words);
	list_write(&out, &list, 3, many, 2);

	uint8_t want[32] = {0};

	for (size_t i = 0; i < 128; i++)
		want[i / 4] |= (uint8_t)(messages[i] << (2 * (i % 4)));
	assert_decrypts(k, FHE_UINT256, FHE_SMALL_COMPRESSED, buf_view(&out), BYTES_OF(want));
	list.glwe[0] = list.glwe[1]; /* no longer full */
	list_write(&out, &list, 3, (const struct fhe_item[]){{FHE_ITEM_UNSIGNED, 66}}, 1);
	assert_refused(k, FHE_UINT256, FHE_SMALL_COMPRESSED, buf_view(&out), ERR_MALFORMED);
	fhe_client_key_free(k);
	buf_free(&b);
	buf_free(&words);
	buf_free(&out);
}

/* Sizes that contradict each other: nothing but the check in question stands in their way. */
static void compressed_sizes(void **state)
{
	static const struct fhe_item items[] = {{FHE_ITEM_UNSIGNED, 128}, {FHE_ITEM_UNSIGNED, 129}};
	static const struct fhe_item halves[] = {{FHE_ITEM_UNSIGNED, 128},
						 {FHE_ITEM_UNSIGNED, 128}};
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct fhe_params wide = k->params;
	struct buf out = buf_make(1 << 20), words = words_make();
	struct fhe_packed_list list = list_of(k), changed;
	struct rng_seeded rng;
	uint8_t messages[257] = {0};

	(void)state;
	rng_seeded_init(&rng, 12);
	list.glwe_n = 1;
	list.glwe[0] = packed_encrypt(k, 128, messages, &rng.base, &words);
	list_write(&out, &list, 3, items, 1);
	assert_ok(fhe_compressed_list_read(&changed, &k->params, buf_view(&out), NULL));

	changed = list; /* a word less, a word more than the coefficients need */
	changed.glwe[0].words.n -= 8;
	list_write(&out, &changed, 3, items, 1);
	assert_refused(k, FHE_UINT256, FHE_SMALL_COMPRESSED, buf_view(&out), ERR_MALFORMED);
	assert_ok(buf_add_zero(&words, 8));
	changed.glwe[0].words.n += 16;
	list_write(&out, &changed, 3, items, 1);
	assert_refused(k, FHE_UINT256, FHE_SMALL_COMPRESSED, buf_view(&out), ERR_MALFORMED);

	/* more bodies than one GLWE is to hold, and than it has coefficients */
	list.glwe[0] = packed_encrypt(k, 256, messages, &rng.base, &words);
	list.glwe[0].bodies++;
	list.glwe[0].initial_len++;
	list.glwe[0].words.n = (size_t)(list.glwe[0].initial_len * 9 + 63) / 64 * 8;
	assert_ok(buf_add_zero(&words, 16));
	list_write(&out, &list, 3, items, 2);
	assert_refused(k, FHE_UINT256, FHE_SMALL_COMPRESSED, buf_view(&out), ERR_MALFORMED);
	wide.compression.lwe_per_glwe = list.lwe_per_glwe = 300;
	list_write(&out, &list, 3, items, 2);
	assert_int_equal(fhe_compressed_list_read(&changed, &wide, buf_view(&out), NULL),
			 ERR_MALFORMED);

	list.glwe[0] = packed_encrypt(k, 256, messages, &rng.base, &words);
	list_write(&out, &list, 3, halves, 2);
	assert_ok(fhe_compressed_list_read(&changed, &wide, buf_view(&out), NULL));
	wide.compression.lwe_per_glwe = list.lwe_per_glwe = 200;
	list_write(&out, &list, 3, halves, 2);
	assert_int_equal(fhe_compressed_list_read(&changed, &wide, buf_view(&out), NULL),
			 ERR_MALFORMED);
	fhe_client_key_free(k);
	buf_free(&words);
	buf_free(&out);
}

/* ---- expanded: versions and contradictions ---- */

static void expanded_versions(void **state)
{
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct buf u64 = vector_read("nat_test_u64.bin"), sq8 = vector_read("nat_test_sq8.bin"),
		   out = buf_make(1 << 20);
	struct fhe_block blocks[33];
	struct fhe_expanded v;
	struct expanded e = {.name = "high_level_api::FheUint",
			     .layout = &fhe_block_64_layout,
			     .blocks = blocks,
			     .n = 32,
			     .radix_blocks = 4};

	(void)state;
	assert_ok(fhe_small_expanded_read(&v, &fhe_params_test, buf_view(&u64), NULL));
	e.tag = v.tag;
	for (size_t i = 0; fhe_blocks_next(&v.blocks, &blocks[i]); i++)
		assert_true(i < 32);
	for (e.version = 0; e.version < 3; e.version++) {
		expanded_write(&out, &e);
		assert_decrypts(k, FHE_UINT64, FHE_SMALL_EXPANDED, buf_view(&out), BYTES_OF(le64));
	}
	e.version = 2;
	expanded_write(&out, &e);
	assert_bytes_equal(buf_view(&out), buf_view(&u64)); /* the layout is tfhe-rs' own */
	e.metadata = BYTES_LIT("metadata of a re-randomisation");
	expanded_write(&out, &e);
	assert_decrypts(k, FHE_UINT64, FHE_SMALL_EXPANDED, buf_view(&out), BYTES_OF(le64));
	e.version = 3;
	expanded_write(&out, &e);
	assert_refused(k, FHE_UINT64, FHE_SMALL_EXPANDED, buf_view(&out), ERR_UNSUPPORTED);
	e.version = 2;
	e.name = "high_level_api::FheInt";
	expanded_write(&out, &e);
	assert_refused(k, FHE_UINT64, FHE_SMALL_EXPANDED, buf_view(&out), ERR_MISMATCH);
	e.name = "high_level_api::FheUint";
	e.n = 0;
	expanded_write(&out, &e);
	assert_refused(k, FHE_UINT64, FHE_SMALL_EXPANDED, buf_view(&out), ERR_MALFORMED);

	assert_ok(fhe_big_expanded_read(&v, &fhe_params_test, buf_view(&sq8), NULL));
	e = (struct expanded){.name = "high_level_api::SquashedNoiseFheUint",
			      .layout = &fhe_block_128_layout,
			      .blocks = blocks,
			      .n = 2,
			      .radix_blocks = 4,
			      .tag = v.tag};
	for (size_t i = 0; fhe_blocks_next(&v.blocks, &blocks[i]); i++)
		assert_true(i < 2);
	for (e.version = 0; e.version < 2; e.version++) {
		expanded_write(&out, &e);
		assert_decrypts(k, FHE_UINT8, FHE_BIG_EXPANDED, buf_view(&out), BYTES_LIT("Z"));
	}
	e.version = 1;
	expanded_write(&out, &e);
	assert_bytes_equal(buf_view(&out), buf_view(&sq8));
	e.version = 2;
	expanded_write(&out, &e);
	assert_refused(k, FHE_UINT8, FHE_BIG_EXPANDED, buf_view(&out), ERR_UNSUPPORTED);
	e.version = 1;
	e.radix_blocks = 5; /* would be three packed blocks */
	expanded_write(&out, &e);
	assert_refused(k, FHE_UINT8, FHE_BIG_EXPANDED, buf_view(&out), ERR_MALFORMED);
	e.radix_blocks = 2;
	expanded_write(&out, &e);
	assert_refused(k, FHE_UINT4, FHE_BIG_EXPANDED, buf_view(&out), ERR_MALFORMED);
	fhe_client_key_free(k);
	buf_free(&u64);
	buf_free(&sq8);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),       cmocka_unit_test(small_expanded_types),
		cmocka_unit_test(big_expanded_types),  cmocka_unit_test(carries),
		cmocka_unit_test(after_decompression), cmocka_unit_test(small_compressed_types),
		cmocka_unit_test(compressed_lists),    cmocka_unit_test(compressed_sizes),
		cmocka_unit_test(expanded_versions),
	};

	return cmocka_run_group_tests_name("fhe formats", tests, NULL, NULL);
}
