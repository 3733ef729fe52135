/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * After key generation, that of a CRS, an audit and a decryption nothing secret is left in the
 * process: all its writable memory, stacks of finished threads and freed heap included, is searched
 * for the seed, for key bits in memory and as written, for raw noise and for transformed keys. Each
 * is found while the key is there, and a planted copy is found as well. Not under sanitizers, whose
 * shadows are larger than any machine.
 */
#include <unistd.h>

#include "crypto/bls12_446_internal.h"
#include "fhe/audit.h"
#include "fhe/crs.h"
#include "fhe/keygen/keygen_internal.h"
#include "fhe_test.h"

enum {
	PATTERN = 512, /* of a written key: 64 bits in it */
	PLANTED = 16,
	PATTERNS_MAX = 8,
	REGIONS_MAX = 512,
	HIDE = 0xa5, /* patterns are kept with this in every byte, so that they do not find
			themselves */
};

struct pattern {
	const char *name;
	size_t n;
	uint8_t hidden[PATTERN];
};

static struct pattern patterns[PATTERNS_MAX];
static size_t patterns_n;

static void pattern_add(const char *name, struct bytes b)
{
	struct pattern *p = &patterns[patterns_n++];

	assert_true(patterns_n <= PATTERNS_MAX);
	p->name = name;
	p->n = b.n < PATTERN ? b.n : PATTERN;
	for (size_t i = 0; i < p->n; i++)
		p->hidden[i] = b.p[i] ^ HIDE;
}

/* ---- the search ---- */

struct region {
	uintptr_t from, to;
};

static size_t regions_read(struct region *regions)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	size_t n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long from, to;
		char rights[8];

		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[0] != 'r' ||
		    rights[1] != 'w')
			continue;
		assert_true(n < REGIONS_MAX);
		regions[n++] = (struct region){from, to};
	}
	fclose(f);
	return n;
}

static size_t count_in(struct region r, const struct pattern *p)
{
	const uint8_t *memory = (const uint8_t *)r.from;
	size_t n = r.to - r.from, found = 0;

	for (size_t at = 0; at + p->n <= n; at++) {
		size_t i = 0;

		while (i < p->n && (memory[at + i] ^ HIDE) == p->hidden[i])
			i++;
		found += i == p->n;
	}
	return found;
}

static size_t count(const struct pattern *p)
{
	struct region regions[REGIONS_MAX];
	size_t n = regions_read(regions), found = 0;

	for (size_t i = 0; i < n; i++)
		found += count_in(regions[i], p);
	return found;
}

/* ---- the subject ---- */

/* Patterns that come from streams and transforms are made here, in secret memory, once more. */
static void patterns_collect(const struct fhe_keygen *g)
{
	const struct fhe_part_shape *s = &g->parts.shape[FHE_PART_COMPRESSION];
	struct bytes bits = fhe_client_key_bits(g->client_key, FHE_KEY_GLWE);
	struct fhe_rows rows;
	struct aes_ctr *stream;
	struct secret noise;

	pattern_add("seed", secret_view(&g->seed));
	pattern_add("key bits", bits);
	assert_ok(secret_alloc(&noise, PATTERN));
	assert_ok(fhe_keygen_secrets_open(&stream, g));
	assert_ok(aes_ctr_seek(stream, s->noise_at));
	assert_ok(aes_ctr_fill(stream, noise.p, noise.n));
	pattern_add("noise", secret_view(&noise));
	aes_ctr_free(stream);
	secret_free(&noise);
	assert_ok(fhe_rows_init(&rows, s, g->client_key));
	pattern_add("transformed key", secret_view(&rows.ntt_key.values));
	fhe_rows_clear(&rows);
}

static void pattern_of_written_key(const struct fhe_keygen *g)
{
	struct buf out = buf_make(CLIENT_KEY_SIZE_MAX);
	struct bytes bits = fhe_client_key_bits(g->client_key, FHE_KEY_GLWE);
	uint8_t words[PATTERN];

	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = i % 8 == 0 ? bits.p[i / 8] : 0;
	pattern_add("written key", BYTES_OF(words));
	secret_wipe(words, sizeof(words));
	assert_ok(fhe_client_key_write(g->client_key, &out));
	assert_true(count(&patterns[patterns_n - 1]) >= 1);
	buf_wipe(&out);
}

/* The control: a copy as short as the shortest pattern is seen, and is gone when wiped. */
static void planted(void **state)
{
	struct pattern p = {.name = "planted", .n = PLANTED};
	uint8_t *copy = malloc(PLANTED);

	(void)state;
	assert_non_null(copy);
	rng_fill(rng_system(), copy, PLANTED);
	for (size_t i = 0; i < PLANTED; i++)
		p.hidden[i] = copy[i] ^ HIDE;
	assert_int_equal(count(&p), 1);
	secret_wipe(copy, PLANTED);
	assert_int_equal(count(&p), 0);
	free(copy);
}

static void nothing_is_left(void **state)
{
	struct buf out = buf_make(4 << 20);
	struct fhe_buf_sink sink;
	struct fhe_keygen *g;

	(void)state;
	assert_ok(fhe_keygen_new(&g, &fhe_params_test, BYTES_LIT("wipe"), rng_system(), NULL));
	patterns_n = 0;
	patterns_collect(g);
	assert_true(count(&patterns[0]) >= 1);
	assert_true(count(&patterns[1]) >= 1);
	pattern_of_written_key(g);
	assert_ok(fhe_keygen_write(g, FHE_OBJECT_KEY_SET, fhe_buf_sink_init(&sink, &out), 3, NULL));
	fhe_keygen_free(g);
	for (size_t i = 0; i < patterns_n; i++)
		if (count(&patterns[i]) != 0)
			fail_msg("%s is still there", patterns[i].name);
	buf_free(&out);
}

/* ---- an audit, and decryption ---- */

static void assert_gone(void)
{
	for (size_t i = 0; i < patterns_n; i++)
		if (count(&patterns[i]) != 0)
			fail_msg("%s is still there", patterns[i].name);
}

/* Key bits, transformed keys, and of two rows what a body would be without its noise. */
static void patterns_of_audit(const struct fhe_client_key *k, const struct fhe_key_set *set)
{
	static const int parts_looked_at[] = {FHE_PART_COMPRESSION, FHE_PART_SQUASH};
	struct fhe_parts parts;

	fhe_parts_of(&parts, &k->params);
	pattern_add("key bits", fhe_client_key_bits(k, FHE_KEY_GLWE));
	for (size_t i = 0; i < ARRAY_LEN(parts_looked_at); i++) {
		const struct fhe_part_shape *s = &parts.shape[parts_looked_at[i]];
		struct fhe_row_worker w;
		struct aes_ctr *masks;
		struct fhe_rows rows;

		assert_ok(fhe_rows_init(&rows, s, k));
		pattern_add("transformed key", secret_view(&rows.ntt_key.values));
		assert_ok(fhe_seed_open(&masks, &set->parts[parts_looked_at[i]].seed));
		assert_ok(fhe_row_worker_init(&w, masks, NULL, &parts));
		assert_ok(aes_ctr_fill(masks, w.mask.p, fhe_part_mask_size(s)));
		pattern_add("row without noise",
			    bytes_from(fhe_row_expect(&rows, &w, 0), 16 * s->n));
		assert_true(count(&patterns[patterns_n - 1]) >= 1);
		fhe_row_worker_clear(&w);
		fhe_rows_clear(&rows);
	}
}

static void nothing_is_left_of_an_audit(void **state)
{
	struct buf file = buf_make(4 << 20), key = buf_make(CLIENT_KEY_SIZE_MAX);
	struct fhe_audit_options o = {.object = FHE_OBJECT_KEY_SET, .threads = 3};
	struct fhe_client_key *k = NULL;
	struct fhe_bytes_source source;
	struct fhe_buf_sink sink;
	struct fhe_key_set set;
	struct fhe_keygen *g;
	struct fhe_audit a;

	(void)state;
	patterns_n = 0;
	assert_ok(fhe_keygen_new(&g, &fhe_params_test, BYTES_LIT("wipe"), rng_system(), NULL));
	assert_ok(
		fhe_keygen_write(g, FHE_OBJECT_KEY_SET, fhe_buf_sink_init(&sink, &file), 2, NULL));
	assert_ok(fhe_client_key_write(fhe_keygen_client_key(g), &key));
	fhe_keygen_free(g);
	/* As kms-client has it. */
	assert_ok(fhe_client_key_read(&k, buf_view(&key), NULL));
	buf_wipe(&key);
	assert_ok(fhe_key_set_read(&set, FHE_OBJECT_KEY_SET, buf_view(&file), NULL));
	patterns_of_audit(k, &set);
	assert_true(count(&patterns[0]) >= 1);
	assert_ok(fhe_audit_run(&a, k, fhe_bytes_source_init(&source, buf_view(&file)), &o, NULL));
	assert_ok(fhe_audit_verdict(&a, NULL));
	fhe_client_key_free(k);
	assert_gone();
	buf_free(&file);
}

/* A value of 256 bits, and the key that it was decrypted with. */
static void nothing_is_left_of_a_decryption(void **state)
{
	const struct fhe_type_row *type = fhe_type_find(FHE_UINT256);
	uint8_t seed[16];
	struct buf key = buf_make(CLIENT_KEY_SIZE_MAX), ct = buf_make(1 << 20);
	struct fhe_client_key *k;
	struct fhe_plaintext v = {.n = type->size};

	(void)state;
	patterns_n = 0;
	rng_fill(rng_system(), seed, sizeof(seed));
	assert_ok(fhe_client_key_generate(&k, &fhe_params_test, BYTES_LIT("wipe"), seed));
	secret_wipe(seed, sizeof(seed));
	rng_fill(rng_system(), v.le, v.n);
	pattern_add("value", bytes_from(v.le, v.n));
	pattern_add("half of it", bytes_from(v.le, PLANTED));
	assert_ok(fhe_squashed_list_encrypt(k, type, &v, rng_system(), &ct));
	assert_ok(fhe_client_key_write(k, &key));
	fhe_client_key_free(k);
	secret_wipe(&v, sizeof(v));

	assert_ok(fhe_client_key_read(&k, buf_view(&key), NULL));
	buf_wipe(&key);
	pattern_add("key bits", fhe_client_key_bits(k, FHE_KEY_SNS_COMPRESSION));
	assert_ok(fhe_decrypt(k, &v, FHE_UINT256, FHE_BIG_COMPRESSED, buf_view(&ct), NULL));
	for (size_t i = 0; i < patterns_n; i++)
		assert_true(count(&patterns[i]) >= 1);
	secret_wipe(&v, sizeof(v));
	fhe_client_key_free(k);
	assert_gone();
	buf_free(&ct);
}

/* ---- the number behind a CRS ---- */

static struct secret drawn;

static void drawn_fill(struct rng *r, uint8_t *out, size_t n)
{
	(void)r;
	assert_int_equal(n, drawn.n);
	memcpy(out, drawn.p, n);
}

/* The number, its square and what their digits are taken from, as the generation has them. */
static void patterns_of_number(struct rng *rng)
{
	struct bls12_446_scalar *number, *square;
	struct secret memory;

	assert_ok(secret_alloc(&memory, 4 * sizeof(*number)));
	number = (struct bls12_446_scalar *)(void *)memory.p;
	square = &number[1];
	bls12_446_scalar_draw(number, rng);
	bls12_446_scalar_multiply(square, number, number);
	bls_scalar_value(number[2].l, number);
	bls_scalar_value(number[3].l, square);
	pattern_add("random bytes", secret_view(&drawn));
	pattern_add("number", bytes_from(number, sizeof(*number)));
	pattern_add("square", bytes_from(square, sizeof(*square)));
	pattern_add("number's value", bytes_from(&number[2], sizeof(*number)));
	pattern_add("square's value", bytes_from(&number[3], sizeof(*number)));
	for (size_t i = 0; i < patterns_n; i++)
		assert_true(count(&patterns[i]) >= 1);
	secret_free(&memory);
}

static void nothing_is_left_of_a_crs(void **state)
{
	static const struct rng_ops ops = {.fill = drawn_fill};
	struct rng rng = {.ops = &ops};
	struct buf out = buf_make(4 << 20);
	struct fhe_crs c;

	(void)state;
	patterns_n = 0;
	assert_ok(secret_alloc(&drawn, 56));
	rng_fill(rng_system(), drawn.p, drawn.n);
	patterns_of_number(&rng);
	assert_ok(fhe_crs_describe(&c, &fhe_params_test.pke, 16, NULL));
	assert_ok(fhe_crs_make(&c, &rng, 3, &out));
	secret_free(&drawn);
	for (size_t i = 0; i < patterns_n; i++)
		if (count(&patterns[i]) != 0)
			fail_msg("%s is still there", patterns[i].name);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_of_a_crs),
		cmocka_unit_test(planted),
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(nothing_is_left_of_an_audit),
		cmocka_unit_test(nothing_is_left_of_a_decryption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
