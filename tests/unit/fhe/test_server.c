/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Squashing and compressing with public keys, set "test": every message, every width, upstream's
 * key and ciphertext, and what is refused. With the argument "default" production parameters (slow
 * suite).
 */
#include "server_support.h"

enum {
	/* Seen: 2^37 and, in lists, 2^71 for the set "test" (its last key switch rounds to 61
	   bits); 2^64 to 2^66 in production. A message is safe below 2^122. */
	NOISE_TEST = 42,
	NOISE_TEST_LIST = 76,
	NOISE_DEFAULT = 70,
};

static struct keys keys;
static struct rng_seeded rng;

static const struct fhe_params *params = &fhe_params_test;

static int set_up(void **state)
{
	(void)state;
	rng_seeded_init(&rng, 7);
	keys_make(&keys, params, &rng.base);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	keys_free(&keys);
	return 0;
}

static struct fhe_squashed squash(const struct fhe_server_key *k, struct bytes ciphertext,
				  unsigned threads)
{
	struct err_note note = {0};
	struct fhe_squashed s;

	if (fhe_server_squash(k, ciphertext, threads, &s, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return s;
}

static struct buf compress(const struct fhe_server_key *k, const struct fhe_squashed *s,
			   unsigned threads)
{
	struct buf out = buf_make(CIPHERTEXT_SIZE_MAX);
	struct err_note note = {0};

	if (fhe_server_compress(k, s, threads, &out, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return out;
}

/* There and back in both formats. */
static void value_goes_through(const struct fhe_type_row *type, const uint8_t *le, int64_t noise)
{
	bool is_test = params == &fhe_params_test;
	const struct fhe_params *p = fhe_server_key_params(keys.server);
	struct buf ct = value_encrypt(keys.client, type, le, noise, &rng.base);
	struct buf expanded = buf_make(CIPHERTEXT_SIZE_MAX), list;
	struct fhe_squashed s = squash(keys.server, buf_view(&ct), 2);
	size_t mask = 16 * (size_t)(p->sns_compression.glwe_dimension *
				    p->sns_compression.polynomial_size);

	assert_int_equal(s.blocks_n, (type->blocks + 1) / 2);
	assert_true(squashed_noise_log2(keys.client, &s) <= (is_test ? NOISE_TEST : NOISE_DEFAULT));
	assert_ok(fhe_server_write_squashed(keys.server, &s, &expanded));
	assert_value(keys.client, type, FHE_BIG_EXPANDED, buf_view(&expanded), le);
	list = compress(keys.server, &s, 2);
	assert_true(list_noise_log2(keys.client, buf_view(&list)) <=
		    (is_test ? NOISE_TEST_LIST : NOISE_DEFAULT));
	assert_value(keys.client, type, FHE_BIG_COMPRESSED, buf_view(&list), le);
	/* 284 bytes beside the words and the tag, 8 fewer for a Boolean; tests have one GLWE. */
	assert_int_equal(list.n, mask + 16 * s.blocks_n + 284 - (type->type == FHE_BOOL ? 8 : 0) +
					 fhe_server_key_tag(keys.server).n);
	fhe_squashed_free(&s);
	buf_free(&list);
	buf_free(&expanded);
	buf_free(&ct);
}

/* Every pair of pairs of blocks; each pair meets the noise of many additions to either side. */
static void every_message(void **state)
{
	static const int64_t noises[] = {0, INT64_C(1) << 55, -(INT64_C(1) << 55)};

	(void)state;
	for (unsigned m = 0; m < 256; m++)
		value_goes_through(fhe_type_find(FHE_UINT8), (const uint8_t[]){(uint8_t)m},
				   noises[m % ARRAY_LEN(noises)]);
}

static void every_width(void **state)
{
	static const enum fhe_type types[] = {FHE_UINT4,  FHE_UINT8,   FHE_UINT16,  FHE_UINT32,
					      FHE_UINT64, FHE_UINT128, FHE_UINT160, FHE_UINT256};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct fhe_type_row *type = fhe_type_find(types[i]);
		uint8_t le[32];

		rng_fill(&rng.base, le, sizeof(le));
		if (type->bits == 4)
			le[0] &= 15;
		value_goes_through(type, le, 0);
	}
	for (uint8_t b = 0; b <= 1; b++)
		value_goes_through(fhe_type_find(FHE_BOOL), &b, 0);
}

static void threads_and_kernels_do_not_matter(void **state)
{
	const struct fhe_server_options portable = {
		.uses = FHE_SERVER_SQUASH, .threads = 1, .portable = true};
	struct fhe_server_key *other =
		server_key_of(FHE_OBJECT_KEY_SET, buf_view(&keys.set), portable);
	struct buf ct = value_encrypt(keys.client, fhe_type_find(FHE_UINT64),
				      (const uint8_t[]){1, 2, 3, 4, 5, 6, 7, 8}, 0, &rng.base);
	struct fhe_squashed first = squash(keys.server, buf_view(&ct), 1);
	struct buf first_list = compress(keys.server, &first, 1);
	size_t size = first.blocks_n * (first.dimension + 1) * sizeof(*first.words);

	(void)state;
	assert_string_equal(fhe_server_key_kernel(other), "portable");
	for (unsigned threads = 1; threads <= 5; threads++) {
		const struct fhe_server_key *k = threads % 2 ? other : keys.server;
		struct fhe_squashed s = squash(k, buf_view(&ct), threads);
		struct buf list = compress(k, &s, threads);

		assert_memory_equal(s.words, first.words, size);
		assert_bytes_equal(buf_view(&list), buf_view(&first_list));
		buf_free(&list);
		fhe_squashed_free(&s);
	}
	fhe_squashed_free(&first);
	buf_free(&first_list);
	buf_free(&ct);
	fhe_server_key_free(other);
}

/* A server key made by node-tfhe (seeds of kind Ctr, drift technique), a ciphertext by tfhe-rs. */
static void upstream(void **state)
{
	struct fhe_client_key *client = client_key_of("ck_test.bin");
	struct buf set = vector_read("ck_test_csk.bin"), ct = vector_read("nat_test_u64.bin");
	struct buf reference = vector_read("nat_test_csq64.bin"), list;
	struct fhe_server_key *k =
		server_key_of(FHE_OBJECT_SERVER_KEY, buf_view(&set),
			      (struct fhe_server_options){.uses = FHE_SERVER_SQUASH, .threads = 1});
	struct fhe_squashed s = squash(k, buf_view(&ct), 2);

	(void)state;
	list = compress(k, &s, 2);
	assert_value(client, fhe_type_find(FHE_UINT64), FHE_BIG_COMPRESSED, buf_view(&list),
		     (const uint8_t[]){0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01});
	assert_int_equal(list.n, reference.n);
	fhe_squashed_free(&s);
	fhe_server_key_free(k);
	fhe_client_key_free(client);
	buf_free(&list);
	buf_free(&set);
	buf_free(&ct);
	buf_free(&reference);
}

/* ---- what is refused ---- */

static void assert_refused(struct bytes ciphertext, enum err want, const char *why)
{
	struct err_note note = {0};
	struct fhe_squashed s;

	assert_int_equal(fhe_server_squash(keys.server, ciphertext, 1, &s, &note), want);
	if (!strstr(note.text, why))
		fail_msg("\"%s\" does not say \"%s\"", note.text, why);
}

static void ciphertexts_refused(void **state)
{
	struct buf ct = value_encrypt(keys.client, fhe_type_find(FHE_UINT8), (const uint8_t[]){9},
				      0, &rng.base);
	struct buf other = vector_read("u8.bin"), list = vector_read("list_packed.bin");
	size_t at = 0;

	(void)state;
	assert_refused(buf_view(&other), ERR_MISMATCH, "dimension 2048");
	assert_refused(buf_view(&list), ERR_MISMATCH, "CompactCiphertextList");
	assert_refused(bytes_sub(buf_view(&ct), 0, ct.n - 1), ERR_TRUNCATED, "");
	/* The degree stands behind the modulus: 0, 2^64 as bits, version 0. */
	for (size_t i = 0; i + 12 < ct.n && !at; i++)
		if (memcmp(&ct.p[i], "\x40\0\0\0\0\0\0\0\0\0\0\0\x03", 13) == 0)
			at = i + 12;
	assert_true(at > 0);
	ct.p[at] = 4;
	assert_refused(buf_view(&ct), ERR_UNSUPPORTED, "block 0: degree 4");
	ct.p[at] = 3;
	ct.p[at + 12] = 2;
	assert_refused(buf_view(&ct), ERR_UNSUPPORTED, "block 0: noise_level 2");
	buf_free(&ct);
	buf_free(&other);
	buf_free(&list);
}

static void assert_key_refused(struct bytes set, enum fhe_key_object object,
			       struct fhe_server_options o, enum err want, const char *why)
{
	struct err_note note = {0};
	struct fhe_server_key *k;

	assert_int_equal(fhe_server_key_new(&k, object, set, &o, &note), want);
	if (!strstr(note.text, why))
		fail_msg("\"%s\" does not say \"%s\"", note.text, why);
}

static void keys_refused(void **state)
{
	const struct fhe_server_options o = {.uses = FHE_SERVER_SQUASH, .threads = 1};
	struct bytes all = buf_view(&keys.set);
	struct fhe_key_set set;
	struct buf changed = buf_make(4 << 20);
	struct bytes half;

	(void)state;
	assert_key_refused(all, FHE_OBJECT_SERVER_KEY, o, ERR_MISMATCH, "CompressedXofKeySet");
	assert_key_refused(all, FHE_OBJECT_PUBLIC_KEY, o, ERR_RANGE, "public key");
	assert_key_refused(bytes_sub(all, 0, all.n - 1), FHE_OBJECT_KEY_SET, o, ERR_TRUNCATED, "");
	assert_key_refused(all, FHE_OBJECT_KEY_SET, (struct fhe_server_options){.threads = 1},
			   ERR_RANGE, "");
	assert_key_refused(all, FHE_OBJECT_KEY_SET,
			   (struct fhe_server_options){.uses = FHE_SERVER_SQUASH}, ERR_RANGE, "");

	assert_ok(fhe_key_set_read(&set, FHE_OBJECT_KEY_SET, all, NULL));
	half = set.parts[FHE_PART_SQUASH].words;
	set.parts[FHE_PART_SQUASH].words = bytes_sub(half, 0, half.n / 2);
	assert_ok(fhe_key_set_write(&set, FHE_OBJECT_KEY_SET, &changed));
	assert_key_refused(buf_view(&changed), FHE_OBJECT_KEY_SET, o, ERR_MISMATCH,
			   "noise squashing key: bytes");
	set.parts[FHE_PART_SQUASH].words = half;
	set.parts[FHE_PART_SQUASH].seed.block++;
	buf_clear(&changed);
	assert_ok(fhe_key_set_write(&set, FHE_OBJECT_KEY_SET, &changed));
	assert_key_refused(buf_view(&changed), FHE_OBJECT_KEY_SET, o, ERR_MISMATCH,
			   "noise squashing key: first block of the masks");
	buf_free(&changed);
}

/* A seed that names no stream; all of the set agrees about it. */
static void seed_refused(void **state)
{
	const struct fhe_server_options o = {.uses = FHE_SERVER_SQUASH | FHE_SERVER_EXPAND,
					     .threads = 2};
	struct buf changed = buf_make(4 << 20);
	uint8_t seed[FHE_SEED_SIZE_MAX];
	struct fhe_key_set set;

	(void)state;
	assert_ok(fhe_key_set_read(&set, FHE_OBJECT_KEY_SET, buf_view(&keys.set), NULL));
	memcpy(seed, set.seed.p, set.seed.n);
	seed[FHE_SEED_DSEP_SIZE - 1] = 0;
	set.seed.p = seed;
	for (int i = 0; i < FHE_PART_COUNT; i++)
		if (set.parts[i].seed.kind == FHE_SEED_XOF && set.parts[i].seed.bytes.n > 0)
			set.parts[i].seed.bytes = set.seed;
	assert_ok(fhe_key_set_write(&set, FHE_OBJECT_KEY_SET, &changed));
	assert_key_refused(buf_view(&changed), FHE_OBJECT_KEY_SET, o, ERR_UNSUPPORTED, "");
	buf_free(&changed);
}

/* A key that was not loaded for something says so. */
static void uses(void **state)
{
	struct fhe_server_key *k =
		server_key_of(FHE_OBJECT_KEY_SET, buf_view(&keys.set),
			      (struct fhe_server_options){.uses = FHE_SERVER_EXPAND, .threads = 1});
	struct fhe_compact_list list = {0};
	struct buf out = buf_make(16);
	struct fhe_squashed s;
	struct err_note note = {0};

	(void)state;
	assert_int_equal(fhe_server_squash(k, BYTES_NONE, 1, &s, &note), ERR_UNSUPPORTED);
	fhe_server_key_free(k);
	k = server_key_of(FHE_OBJECT_KEY_SET, buf_view(&keys.set),
			  (struct fhe_server_options){.uses = FHE_SERVER_SQUASH, .threads = 1});
	assert_int_equal(fhe_server_expand(k, &list, 0, 1, &out, &note), ERR_UNSUPPORTED);
	fhe_server_key_free(k);
}

/* ---- production parameters ---- */

static void production(void **state)
{
	static const uint8_t value[] = {0x5a}, one[] = {1};

	(void)state;
	value_goes_through(fhe_type_find(FHE_UINT8), value, 0);
	value_goes_through(fhe_type_find(FHE_UINT4), one, -(INT64_C(1) << 50));
	value_goes_through(fhe_type_find(FHE_BOOL), one, INT64_C(1) << 50);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message),
		cmocka_unit_test(every_width),
		cmocka_unit_test(threads_and_kernels_do_not_matter),
		cmocka_unit_test(upstream),
		cmocka_unit_test(ciphertexts_refused),
		cmocka_unit_test(keys_refused),
		cmocka_unit_test(seed_refused),
		cmocka_unit_test(uses),
	};
	const struct CMUnitTest slow[] = {cmocka_unit_test(production)};

	if (argc > 1 && strcmp(argv[1], "default") == 0) {
		params = &fhe_params_v1_7;
		return cmocka_run_group_tests_name("fhe_server default", slow, set_up, tear_down);
	}
	return cmocka_run_group_tests_name("fhe_server", tests, set_up, tear_down);
}
