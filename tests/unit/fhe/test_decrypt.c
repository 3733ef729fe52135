/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* BigCompressed: ciphertexts made by tfhe-rs and by its own squashing in C, fresh ones of every
 * type, hostile ones. */
#include "base/limits.h"
#include "codec/safe_serialize.h"
#include "fhe/squashed_list.h"
#include "fhe_test.h"

static const uint8_t le64[8] = {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01};

static enum err decrypt(const struct fhe_client_key *k, struct fhe_plaintext *v, enum fhe_type type,
			struct bytes ct)
{
	struct err_note note = {0};
	enum err e = fhe_decrypt(k, v, type, FHE_BIG_COMPRESSED, ct, &note);

	if (e != ERR_OK)
		assert_int_not_equal(note.text[0], 0);
	return e;
}

static void assert_vector(const char *key, const char *ciphertext, enum fhe_type type,
			  struct bytes want)
{
	struct fhe_client_key *k = client_key_of(key);
	struct buf b = vector_read(ciphertext);
	struct fhe_plaintext v;

	assert_ok(decrypt(k, &v, type, buf_view(&b)));
	assert_bytes_equal(bytes_from(v.le, v.n), want);
	fhe_client_key_free(k);
	buf_free(&b);
}

static void vectors(void **state)
{
	(void)state;
	assert_vector("ck_full.bin", "nat_full_csq64.bin", FHE_UINT64, BYTES_OF(le64));
	assert_vector("ck_test.bin", "nat_test_csq64.bin", FHE_UINT64, BYTES_OF(le64));
	assert_vector("ck_full.bin", "my_csq8.bin", FHE_UINT8, BYTES_LIT("\x5a"));
}

static void refusals(void **state)
{
	static const enum fhe_format others[] = {FHE_SMALL_COMPRESSED, FHE_SMALL_EXPANDED,
						 FHE_BIG_EXPANDED};
	struct fhe_client_key *full = client_key_of("ck_full.bin"),
			      *test = client_key_of("ck_test.bin"),
			      *plain = client_key_of("ck.bin");
	struct buf b = vector_read("nat_full_csq64.bin");
	struct fhe_plaintext v = {.n = 99};

	(void)state;
	assert_int_equal(decrypt(full, &v, FHE_UINT32, buf_view(&b)), ERR_MISMATCH);
	assert_int_equal(decrypt(full, &v, FHE_UINT128, buf_view(&b)), ERR_MISMATCH);
	assert_int_equal(decrypt(full, &v, FHE_BOOL, buf_view(&b)), ERR_MISMATCH);
	assert_int_equal(decrypt(full, &v, FHE_UINT512, buf_view(&b)), ERR_UNSUPPORTED);
	assert_int_equal(decrypt(full, &v, (enum fhe_type)20, buf_view(&b)), ERR_UNSUPPORTED);
	assert_int_equal(decrypt(test, &v, FHE_UINT64, buf_view(&b)), ERR_MISMATCH);
	assert_int_equal(decrypt(plain, &v, FHE_UINT64, buf_view(&b)), ERR_UNSUPPORTED);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(fhe_decrypt(full, &v, FHE_UINT64, others[i], buf_view(&b), NULL),
				 ERR_MISMATCH);
	assert_int_equal(fhe_decrypt(full, &v, FHE_UINT64, (enum fhe_format)4, buf_view(&b), NULL),
			 ERR_UNSUPPORTED);
	assert_int_equal(v.n, 99); /* outputs are written on success only */
	fhe_client_key_free(full);
	fhe_client_key_free(test);
	fhe_client_key_free(plain);
	buf_free(&b);
}

/* ---- fresh ciphertexts ---- */

static void assert_encrypts(const struct fhe_client_key *k, const struct fhe_type_row *type,
			    uint8_t fill, struct rng *rng, size_t size)
{
	struct buf out = buf_make(1 << 20);
	struct fhe_plaintext v = {.n = type->size}, back;

	memset(v.le, fill, v.n);
	v.le[0] ^= 0x5a & fill;
	if (type->bits < 8)
		v.le[0] &= (uint8_t)((1u << type->bits) - 1);
	assert_ok(fhe_squashed_list_encrypt(k, type, &v, rng, &out));
	assert_int_equal(out.n, size);
	assert_ok(decrypt(k, &back, type->type, buf_view(&out)));
	assert_int_equal(back.n, v.n);
	assert_memory_equal(back.le, v.le, sizeof(v.le));
	buf_free(&out);
}

/* Sizes: 98 588 + 16 for each packed block + the tag, 8 fewer for a Boolean. */
static void every_type(void **state)
{
	static const uint8_t fills[] = {0x00, 0xff, 0x93, 0x01};
	struct fhe_client_key *k = client_key_of("ck_full.bin");
	struct rng_seeded rng;

	(void)state;
	rng_seeded_init(&rng, 3);
	for (unsigned t = FHE_BOOL; t <= FHE_UINT256; t++) {
		const struct fhe_type_row *type = fhe_type_find(t);
		size_t blocks = (type->bits + 3) / 4;

		for (size_t f = 0; f < sizeof(fills); f++)
			assert_encrypts(k, type, fills[f], &rng.base,
					98588 + 16 * blocks + 12 - (t == FHE_BOOL ? 8 : 0));
	}
	fhe_client_key_free(k);
}

static void values_that_do_not_fit(void **state)
{
	struct fhe_client_key *k = client_key_of("ck_test.bin"), *plain = client_key_of("ck.bin");
	struct buf out = buf_make(1 << 20);
	struct rng_seeded rng;
	struct fhe_plaintext v = {.le = {2}, .n = 1};

	(void)state;
	rng_seeded_init(&rng, 3);
	assert_int_equal(fhe_squashed_list_encrypt(k, fhe_type_find(FHE_BOOL), &v, &rng.base, &out),
			 ERR_RANGE);
	v.le[0] = 16;
	assert_int_equal(
		fhe_squashed_list_encrypt(k, fhe_type_find(FHE_UINT4), &v, &rng.base, &out),
		ERR_RANGE);
	assert_int_equal(
		fhe_squashed_list_encrypt(k, fhe_type_find(FHE_UINT16), &v, &rng.base, &out),
		ERR_RANGE);
	assert_int_equal(
		fhe_squashed_list_encrypt(plain, fhe_type_find(FHE_UINT8), &v, &rng.base, &out),
		ERR_UNSUPPORTED);
	assert_ok(fhe_squashed_list_encrypt(k, fhe_type_find(FHE_UINT8), &v, &rng.base, &out));
	fhe_client_key_free(k);
	fhe_client_key_free(plain);
	buf_free(&out);
}

/* ---- the writer, and lists of several values ---- */

static void list_write(const struct fhe_packed_list *list, const struct fhe_item *items, size_t n,
		       struct buf *out)
{
	struct bincode_writer w = {.out = out};

	safe_serialize_begin(&w, FHE_SQUASHED_LIST_NAME);
	layout_write(&w, &fhe_squashed_head_layout, list);
	bincode_put_u64(&w, list->glwe_n);
	for (size_t i = 0; i < list->glwe_n; i++)
		layout_write(&w, &fhe_squashed_glwe_layout, &list->glwe[i]);
	bincode_put_u8(&w, 1);
	layout_write(&w, &fhe_squashed_meta_layout, list);
	fhe_items_write(&w, items, n);
	bincode_put_u32(&w, 0);
	bincode_put_vec(&w, list->tag);
	assert_ok(bincode_end(&w));
}

/* More bodies, all zero, up to `n`. */
static void bodies_add(struct fhe_packed_glwe *g, uint64_t n, struct buf *words)
{
	assert_ok(buf_add(words, g->words));
	assert_ok(buf_add_zero(words, 16 * (size_t)(n - g->bodies)));
	g->words = buf_view(words);
	g->initial_len += n - g->bodies;
	g->bodies = n;
}

static void layout_is_upstreams(void **state)
{
	struct fhe_item item = fhe_item_of(fhe_type_find(FHE_UINT64));
	struct buf b = vector_read("nat_full_csq64.bin"), out = buf_make(1 << 20);
	struct fhe_packed_list list;

	(void)state;
	assert_ok(fhe_squashed_list_read(&list, &fhe_params_v1_7, buf_view(&b), NULL));
	list_write(&list, &item, 1, &out);
	assert_bytes_equal(buf_view(&out), buf_view(&b));
	buf_free(&b);
	buf_free(&out);
}

/* The 16 blocks of a u64, said to be a u32, a bool and so on: the first value is what is asked for.
 */
static void first_of_several(void **state)
{
	static const struct fhe_item items[] = {
		{FHE_ITEM_UNSIGNED, 16}, {FHE_ITEM_BOOLEAN, 1}, {FHE_ITEM_UNSIGNED, 13}};
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct buf b = vector_read("nat_test_csq64.bin"), out = buf_make(1 << 20);
	struct fhe_packed_list list;
	struct fhe_plaintext v;

	(void)state;
	assert_ok(fhe_squashed_list_read(&list, &fhe_params_test, buf_view(&b), NULL));
	list_write(&list, items, ARRAY_LEN(items), &out);
	assert_ok(decrypt(k, &v, FHE_UINT32, buf_view(&out)));
	assert_int_equal(v.n, 4);
	assert_memory_equal(v.le, le64, 4);
	buf_clear(&out);
	list_write(&list, &items[1], 2, &out); /* 8 blocks for 16 bodies */
	assert_int_equal(decrypt(k, &v, FHE_BOOL, buf_view(&out)), ERR_MALFORMED);
	fhe_client_key_free(k);
	buf_free(&b);
	buf_free(&out);
}

/* A full GLWE of 128 bodies and a second one: blocks go on in the next. */
static void second_glwe(void **state)
{
	static const struct fhe_item items[] = {
		{FHE_ITEM_UNSIGNED, 128}, {FHE_ITEM_UNSIGNED, 128}, {FHE_ITEM_UNSIGNED, 32}};
	static const struct fhe_item halves[] = {{FHE_ITEM_UNSIGNED, 32}, {FHE_ITEM_UNSIGNED, 32}};
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct buf b = vector_read("nat_test_csq64.bin"), words = buf_make(1 << 20),
		   out = buf_make(1 << 20);
	struct fhe_packed_list list;
	struct fhe_plaintext v;

	(void)state;
	assert_ok(fhe_squashed_list_read(&list, &fhe_params_test, buf_view(&b), NULL));
	list.glwe[1] = list.glwe[0];
	bodies_add(&list.glwe[0], 128, &words);
	list.glwe_n = 2;
	list_write(&list, items, ARRAY_LEN(items), &out);
	assert_ok(decrypt(k, &v, FHE_UINT256, buf_view(&out)));
	assert_memory_equal(v.le, le64, 8);
	list.glwe[0] = list.glwe[1]; /* no longer full */
	buf_clear(&out);
	list_write(&list, halves, ARRAY_LEN(halves), &out);
	assert_int_equal(decrypt(k, &v, FHE_UINT64, buf_view(&out)), ERR_MALFORMED);
	fhe_client_key_free(k);
	buf_free(&b);
	buf_free(&words);
	buf_free(&out);
}

/* Any message but 0 is true, also an even one. */
static void even_is_true(void **state)
{
	static const struct fhe_item item = {FHE_ITEM_BOOLEAN, 1};
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct buf b = buf_make(1 << 20), out = buf_make(1 << 20);
	struct fhe_packed_list list;
	struct rng_seeded rng;
	struct fhe_plaintext v;

	(void)state;
	rng_seeded_init(&rng, 4);
	for (uint8_t m = 0; m < 16; m++) {
		v = (struct fhe_plaintext){.le = {m}, .n = 1};
		buf_clear(&b);
		buf_clear(&out);
		assert_ok(
			fhe_squashed_list_encrypt(k, fhe_type_find(FHE_UINT4), &v, &rng.base, &b));
		assert_ok(fhe_squashed_list_read(&list, &fhe_params_test, buf_view(&b), NULL));
		list_write(&list, &item, 1, &out);
		assert_ok(decrypt(k, &v, FHE_BOOL, buf_view(&out)));
		assert_int_equal(v.n, 1);
		assert_int_equal(v.le[0], m != 0);
	}
	fhe_client_key_free(k);
	buf_free(&b);
	buf_free(&out);
}

/* ---- hostile ---- */

static enum err try_decrypt(struct bytes object, void *ctx)
{
	struct fhe_plaintext v;

	return fhe_decrypt(ctx, &v, FHE_UINT64, FHE_BIG_COMPRESSED, object, NULL);
}

static void hostile(void **state)
{
	struct fhe_client_key *full = client_key_of("ck_full.bin"),
			      *test = client_key_of("ck_test.bin");
	struct buf a = vector_read("nat_full_csq64.bin"), b = vector_read("nat_test_csq64.bin");

	(void)state;
	truncations_fail(buf_view(&a), try_decrypt, full);
	truncations_fail(buf_view(&b), try_decrypt, test);
	corruptions_are_safe(buf_view(&b), 123, 123 + 16 * 272, try_decrypt, test);
	fhe_client_key_free(full);
	fhe_client_key_free(test);
	buf_free(&a);
	buf_free(&b);
}

/* Fields of nat_full_csq64.bin by their place. */
static void hostile_fields(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum err want;
	} cases[] = {
		{40, 'x', ERR_MISMATCH},    /* type name */
		{87, 1, ERR_UNSUPPORTED},   /* list version */
		{99, 0, ERR_UNSUPPORTED},   /* no GLWE, and then not meta data */
		{100, 1, ERR_TOO_BIG},      /* 257 GLWEs */
		{122, 0xff, ERR_TOO_BIG},   /* words */
		{115, 0x11, ERR_TRUNCATED}, /* one word more shifts all that follows: some error */
		{98687, 64, ERR_UNSUPPORTED}, /* log_modulus */
		{98695, 0x11, ERR_MALFORMED}, /* initial_len */
		{98707, 5, ERR_MISMATCH},     /* glwe_dimension */
		{98719 + 1, 8, ERR_MISMATCH}, /* polynomial_size */
		{98731, 15, ERR_MALFORMED},   /* bodies */
		{98743, 1, ERR_UNSUPPORTED},  /* modulus */
		{98767, 0, ERR_UNSUPPORTED},  /* no meta data */
		{98776, 2, ERR_UNSUPPORTED},  /* message modulus */
		{98800, 127, ERR_MISMATCH},   /* lwe_per_glwe */
		{98808, 2, ERR_UNSUPPORTED},  /* number of items */
		{98820, 1, ERR_MISMATCH},     /* signed */
		{98820, 3, ERR_UNSUPPORTED},  /* string */
		{98824, 31, ERR_MISMATCH},    /* 31 blocks: the same 16 bodies, but no uint64 */
		{98824, 30, ERR_MALFORMED},   /* 30 blocks: 15 bodies */
		{98836, 0xff, ERR_TRUNCATED}, /* tag length */
	};
	struct fhe_client_key *k = client_key_of("ck_full.bin");
	struct buf b = vector_read("nat_full_csq64.bin");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t before = b.p[cases[i].at];
		enum err e;

		b.p[cases[i].at] = cases[i].value;
		e = try_decrypt(buf_view(&b), k);
		if (cases[i].at == 115)
			assert_int_not_equal(e, ERR_OK);
		else if (e != cases[i].want)
			fail_msg("byte %zu: %s instead of %s", cases[i].at, err_name(e),
				 err_name(cases[i].want));
		b.p[cases[i].at] = before;
	}
	assert_ok(try_decrypt(buf_view(&b), k));
	fhe_client_key_free(k);
	buf_free(&b);
}

/* Whole lists that contradict themselves: nothing but the check in question stands in their way. */
static void contradictions(void **state)
{
	static const struct fhe_item one[] = {{FHE_ITEM_UNSIGNED, 32}, {FHE_ITEM_UNSIGNED, 0}};
	static const struct fhe_item many[] = {
		{FHE_ITEM_UNSIGNED, 32}, {FHE_ITEM_UNSIGNED, 200}, {FHE_ITEM_UNSIGNED, 28}};
	static const struct fhe_item wide = {FHE_ITEM_UNSIGNED, RADIX_BLOCKS_MAX + 1};
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct buf b = vector_read("nat_test_csq64.bin"), words = buf_make(1 << 20),
		   out = buf_make(1 << 20);
	struct fhe_packed_list list, changed;

	(void)state;
	assert_ok(fhe_squashed_list_read(&list, &fhe_params_test, buf_view(&b), NULL));
	list_write(&list, one, 1, &out);
	assert_ok(try_decrypt(buf_view(&out), k));

	buf_clear(&out);
	list_write(&list, one, 2, &out); /* a value of no blocks */
	assert_int_equal(try_decrypt(buf_view(&out), k), ERR_TOO_BIG);

	buf_clear(&out);
	list_write(&list, &wide, 1, &out);
	assert_int_equal(try_decrypt(buf_view(&out), k), ERR_TOO_BIG);

	buf_clear(&out);
	changed = list; /* one word less than there are said to be */
	changed.glwe[0].words.n -= 16;
	list_write(&changed, one, 1, &out);
	assert_int_equal(try_decrypt(buf_view(&out), k), ERR_MALFORMED);

	buf_clear(&out);
	changed = list; /* 130 bodies where 128 is full */
	bodies_add(&changed.glwe[0], 130, &words);
	list_write(&changed, many, ARRAY_LEN(many), &out);
	assert_int_equal(try_decrypt(buf_view(&out), k), ERR_MALFORMED);

	fhe_client_key_free(k);
	buf_free(&b);
	buf_free(&words);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(refusals),
		cmocka_unit_test(every_type),
		cmocka_unit_test(values_that_do_not_fit),
		cmocka_unit_test(layout_is_upstreams),
		cmocka_unit_test(first_of_several),
		cmocka_unit_test(second_glwe),
		cmocka_unit_test(even_is_true),
		cmocka_unit_test(hostile),
		cmocka_unit_test(hostile_fields),
		cmocka_unit_test(contradictions),
	};

	return cmocka_run_group_tests_name("fhe decrypt", tests, NULL, NULL);
}
