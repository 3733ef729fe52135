/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The auditor, on keys of the set "test", ours and tfhe-rs', sound ones and spoiled ones. The
 * production set: test_audit_default.c. */
#include "crypto/sha.h"
#include "fhe/audit_internal.h"
#include "fhe/keygen/keygen.h"
#include "fhe/team.h"
#include "fhe_test.h"

enum {
	OBJECT_MAX = 4 << 20,
};

static struct fhe_keygen *keygen_new(const struct fhe_params *params, uint64_t seed)
{
	struct rng_seeded rng;
	struct err_note note = {0};
	struct fhe_keygen *g;

	if (fhe_keygen_new(&g, params, BYTES_LIT("audited"), rng_seeded_init(&rng, seed), &note) !=
	    ERR_OK)
		fail_msg("%s", note.text);
	return g;
}

/* ---- an object, its place in memory, its audit ---- */

struct subject {
	struct fhe_keygen *g;
	const struct fhe_client_key *key;
	enum fhe_key_object object;
	struct buf file;
	struct fhe_key_set set; /* views into `file` */
};

static void set_read(struct subject *s)
{
	struct err_note note = {0};

	if (fhe_key_set_read(&s->set, s->object, buf_view(&s->file), &note) != ERR_OK)
		fail_msg("%s", note.text);
}

static struct subject subject_new(enum fhe_key_object object, uint64_t seed)
{
	struct subject s = {.g = keygen_new(&fhe_params_test, seed),
			    .object = object,
			    .file = buf_make(OBJECT_MAX)};
	struct fhe_buf_sink sink;

	s.key = fhe_keygen_client_key(s.g);
	assert_ok(fhe_keygen_write(s.g, object, fhe_buf_sink_init(&sink, &s.file), 2, NULL));
	set_read(&s);
	return s;
}

static void subject_free(struct subject *s)
{
	fhe_keygen_free(s->g);
	buf_free(&s->file);
}

static enum err audit_as(struct fhe_audit *ret_audit, const struct subject *s,
			 const struct fhe_audit_options *o, struct err_note *note)
{
	struct fhe_bytes_source source;

	return fhe_audit_run(ret_audit, s->key, fhe_bytes_source_init(&source, buf_view(&s->file)),
			     o, note);
}

static struct fhe_audit audit_of(const struct subject *s, bool fast, unsigned threads)
{
	struct rng_seeded rng;
	struct fhe_audit_options o = {.object = s->object,
				      .fast = fast,
				      .rng = rng_seeded_init(&rng, 7),
				      .threads = threads};
	struct err_note note = {0};
	struct fhe_audit a;

	if (audit_as(&a, s, &o, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return a;
}

/* The bodies of a part, where they can be changed. */
static uint8_t *bodies_of(const struct subject *s, int part)
{
	return &s->file.p[s->set.parts[part].words.p - s->file.p];
}

static struct fhe_part_shape shape_of(const struct subject *s, int part)
{
	struct fhe_parts parts;

	fhe_parts_of(&parts, &s->key->params);
	return parts.shape[part];
}

static void assert_sound(const struct fhe_audit *a)
{
	struct err_note note = {0};

	if (fhe_audit_verdict(a, &note) != ERR_OK)
		fail_msg("%s", note.text);
	assert_string_equal(note.text, "");
}

/* The verdict names this part and begins with this. */
static void assert_verdict(const struct fhe_audit *a, const char *want)
{
	struct err_note note = {0};

	assert_int_equal(fhe_audit_verdict(a, &note), ERR_MISMATCH);
	if (strncmp(note.text, want, strlen(want)) != 0)
		fail_msg("%s, not %s", note.text, want);
}

/* ---- sound keys ---- */

/* Noise is TUniform(0): -1, 0, 0, 1. */
static void assert_report(const struct subject *s, const struct fhe_audit *a, bool fast)
{
	for (int i = 0; i < FHE_PART_COUNT; i++) {
		const struct fhe_audit_part *p = &a->parts[i];
		struct fhe_part_shape shape = shape_of(s, i);
		size_t rows = shape.rows;

		if (s->set.parts[i].words.n == 0) {
			assert_int_equal(p->rows, 0);
			continue;
		}
		if (fast && rows > FHE_AUDIT_SAMPLE + 2)
			rows = FHE_AUDIT_SAMPLE + 2;
		assert_string_equal(p->name, shape.name);
		assert_int_equal(p->rows, shape.rows);
		assert_int_equal(p->rows_read, rows);
		assert_int_equal(p->coefficients, rows * shape.n);
		assert_int_equal(p->noise, shape.noise);
		assert_true(p->noise_max <= (uint64_t)1 << shape.noise && p->noise_max > 0);
		assert_int_equal(p->wrong_messages + p->too_large, 0);
		assert_int_equal(p->fault, FHE_AUDIT_SOUND);
		if (p->coefficients < 1000)
			continue;
		assert_true(p->variance > 0.85 * p->variance_expected &&
			    p->variance < 1.15 * p->variance_expected);
		assert_true(p->mean * p->mean < 0.03 * p->variance_expected);
	}
}

static void sound_keys(void **state)
{
	(void)state;
	for (int i = FHE_OBJECT_PUBLIC_KEY; i <= FHE_OBJECT_KEY_SET; i++) {
		struct subject s = subject_new((enum fhe_key_object)i, 1);
		struct hash32 digest;

		assert_ok(kms_digest(&digest, "PDAT_KEY", buf_view(&s.file)));
		for (unsigned threads = 1; threads <= FHE_TEAM_THREADS_MAX; threads *= 4)
			for (int fast = 0; fast < 2; fast++) {
				struct fhe_audit a = audit_of(&s, fast, threads);

				assert_sound(&a);
				assert_report(&s, &a, fast);
				assert_memory_equal(a.digest.b, digest.b, sizeof(digest.b));
				assert_int_equal(a.size, s.file.n);
			}
		subject_free(&s);
	}
}

/* How many threads there are does not show in a number. */
static void threads_do_not_matter(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 2);
	struct fhe_audit first = audit_of(&s, false, 1);

	(void)state;
	bodies_of(&s, FHE_PART_OPRF)[7] ^= 0x40;
	for (unsigned threads = 2; threads < 12; threads += 3) {
		struct fhe_audit a = audit_of(&s, false, threads);

		for (int i = 0; i < FHE_PART_COUNT; i++)
			if (i != FHE_PART_OPRF)
				assert_memory_equal(&a.parts[i], &first.parts[i],
						    sizeof(a.parts[i]));
		assert_int_equal(a.parts[FHE_PART_OPRF].first_row, 0);
	}
	subject_free(&s);
}

/* A server key of tfhe-rs, with a seed of its own for every part, and its public key. */
static void keys_of_tfhe_rs(void **state)
{
	static const struct {
		const char *key, *object;
		enum fhe_key_object kind;
	} rows[] = {
		{"ck_test.bin", "ck_test_csk.bin", FHE_OBJECT_SERVER_KEY},
		{"ck.bin", "ccpk.bin", FHE_OBJECT_PUBLIC_KEY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fhe_client_key *key = client_key_of(rows[i].key);
		struct subject s = {
			.key = key, .object = rows[i].kind, .file = vector_read(rows[i].object)};
		struct fhe_audit a;

		set_read(&s);
		a = audit_of(&s, false, 2);
		assert_sound(&a);
		assert_report(&s, &a, false);
		fhe_client_key_free(key);
		subject_free(&s);
	}
}

/* ---- spoiled keys ---- */

/* One bit, high enough that no noise hides it, in any row of any part: the audit says where. */
static void one_bit(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 3);
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 11);

	(void)state;
	for (int part = 0; part < FHE_PART_COUNT; part++) {
		struct fhe_part_shape shape = shape_of(&s, part);
		size_t row = (size_t)rng_below(rng, shape.rows);
		size_t coefficient = (size_t)rng_below(rng, shape.n);
		size_t bit = 2 + (size_t)rng_below(rng, 8 * shape.width - 2);
		size_t at = (row * shape.n + coefficient) * shape.width + bit / 8;
		uint8_t *p = &bodies_of(&s, part)[at];
		const struct fhe_audit_part *found;
		struct fhe_audit a;
		char want[128];

		*p ^= (uint8_t)(1u << (bit % 8));
		a = audit_of(&s, false, 2);
		*p ^= (uint8_t)(1u << (bit % 8));
		found = &a.parts[part];
		assert_int_equal(found->wrong_messages + found->too_large, 1);
		assert_int_equal(found->first_row, row);
		assert_int_equal(found->first_coefficient, coefficient);
		assert_int_equal(found->first_at, (size_t)(p - s.file.p) - bit / 8);
		(void)snprintf(want, sizeof(want), "%s: %s in row %zu, coefficient %zu, at byte ",
			       shape.name, fhe_audit_fault_name(found->fault), row, coefficient);
		assert_verdict(&a, want);
		for (int other = 0; other < FHE_PART_COUNT; other++)
			assert_true(other == part || a.parts[other].fault == FHE_AUDIT_SOUND);
	}
	subject_free(&s);
}

/* Half the distance of two messages is the border between large noise and another message. */
static void message_or_noise(void **state)
{
	static const struct {
		int part;
		unsigned bit;
		enum fhe_audit_fault fault;
	} rows[] = {
		{FHE_PART_KEY_SWITCH, 25, FHE_AUDIT_NOISE_TOO_LARGE}, /* base 2^37: step 2^27 */
		{FHE_PART_KEY_SWITCH, 27, FHE_AUDIT_WRONG_MESSAGE},
		{FHE_PART_BOOTSTRAP, 38, FHE_AUDIT_NOISE_TOO_LARGE}, /* 2^24: 2^40 */
		{FHE_PART_BOOTSTRAP, 40, FHE_AUDIT_WRONG_MESSAGE},
		{FHE_PART_SQUASH_COMPRESSION, 65, FHE_AUDIT_NOISE_TOO_LARGE}, /* 2^61: 2^67 */
		{FHE_PART_SQUASH_COMPRESSION, 127, FHE_AUDIT_WRONG_MESSAGE},
		{FHE_PART_PUBLIC_KEY, 63, FHE_AUDIT_NOISE_TOO_LARGE}, /* there is one message */
	};
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 4);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t *p = &bodies_of(&s, rows[i].part)[rows[i].bit / 8];
		struct fhe_audit a;

		*p ^= (uint8_t)(1u << (rows[i].bit % 8));
		a = audit_of(&s, false, 1);
		*p ^= (uint8_t)(1u << (rows[i].bit % 8));
		assert_int_equal(a.parts[rows[i].part].fault, rows[i].fault);
	}
	subject_free(&s);
}

static uint64_t noise_shift(struct subject *s, int part, int64_t add, uint64_t every)
{
	struct fhe_part_shape shape = shape_of(s, part);
	uint8_t *bodies = bodies_of(s, part);
	uint64_t n = 0;

	assert_int_equal(shape.width, 8);
	for (size_t i = 0; i < shape.rows * shape.n; i += every, n++)
		fhe_word_put_u64(bodies, i, fhe_word_u64(bodies, i) + (uint64_t)add);
	return n;
}

/* Planted: four times the bound, in every tenth coefficient. */
static void large_noise(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 5);
	uint64_t n = noise_shift(&s, FHE_PART_DECOMPRESSION, -4, 10);
	struct fhe_audit a = audit_of(&s, false, 2);
	const struct fhe_audit_part *p = &a.parts[FHE_PART_DECOMPRESSION];

	(void)state;
	assert_int_equal(p->too_large, n);
	assert_int_equal(p->wrong_messages, 0);
	assert_verdict(&a, "decompression key: noise too large in row 0, coefficient 0, at byte ");
	/* The others are still measured. */
	assert_true(p->noise_max == 1 && p->variance > 0.4 && p->variance < 0.6);
	a = audit_of(&s, true, 2);
	assert_verdict(&a, "decompression key: noise too large in row 0, coefficient 0, at byte ");
	subject_free(&s);
}

/* Bodies of a part with this noise instead of their own. */
static void noise_replace(struct subject *s, int part, int64_t noise)
{
	struct fhe_part_shape shape = shape_of(s, part);
	struct fhe_row_worker w;
	struct fhe_parts parts;
	struct aes_ctr *masks;
	struct fhe_rows rows;

	fhe_parts_of(&parts, &s->key->params);
	assert_ok(fhe_rows_init(&rows, &shape, s->key));
	assert_ok(fhe_seed_open(&masks, &s->set.parts[part].seed));
	assert_ok(fhe_row_worker_init(&w, masks, NULL, &parts));
	for (size_t row = 0; row < shape.rows; row++) {
		const fhe_u128 *sum;

		assert_ok(aes_ctr_fill(w.masks, w.mask.p, fhe_part_mask_size(&shape)));
		sum = fhe_row_expect(&rows, &w, row);
		for (size_t i = 0; i < shape.n; i++)
			fhe_word_put_u64(bodies_of(s, part), row * shape.n + i,
					 (uint64_t)sum[i] + (uint64_t)noise);
	}
	fhe_row_worker_clear(&w);
	fhe_rows_clear(&rows);
}

/* A key without noise is in its bounds, and no key. */
static void no_noise(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 6);
	struct fhe_audit a;

	(void)state;
	noise_replace(&s, FHE_PART_COMPRESSION, 0);
	a = audit_of(&s, true, 2);
	assert_int_equal(a.parts[FHE_PART_COMPRESSION].noise_max, 0);
	assert_verdict(&a, "compression key: variance of the noise: mean 0, variance 0 where 0 and "
			   "0.5 belong");
	noise_replace(&s, FHE_PART_COMPRESSION, -1);
	a = audit_of(&s, true, 2);
	assert_verdict(&a, "compression key: mean of the noise: mean -1, variance 0 where 0 and "
			   "0.5 belong");
	subject_free(&s);
}

static void another_client_key(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 7);
	struct fhe_keygen *other = keygen_new(&fhe_params_test, 8);

	(void)state;
	s.key = fhe_keygen_client_key(other);
	for (int fast = 0; fast < 2; fast++) {
		struct fhe_audit a = audit_of(&s, fast, 2);

		assert_verdict(&a, "compact public key: noise too large in row 0, coefficient ");
		for (int i = 0; i < FHE_PART_COUNT; i++)
			if (shape_of(&s, i).key != FHE_KEY_LWE) /* of one bit in this set */
				assert_int_not_equal(a.parts[i].fault, FHE_AUDIT_SOUND);
	}
	fhe_keygen_free(other);
	subject_free(&s);
}

/* One seed of the thirteen changed breaks the structure; all changed, every part. */
static void another_seed(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 9);
	struct fhe_audit_options o = {.object = FHE_OBJECT_KEY_SET, .threads = 1};
	struct err_note note = {0};
	uint8_t seed[FHE_SEED_DSEP_SIZE + FHE_MASK_SEED_SIZE];
	size_t seen = 0;
	struct fhe_audit a;

	(void)state;
	memcpy(seed, s.set.seed.p, sizeof(seed));
	for (size_t at = 0; at + sizeof(seed) <= s.file.n; at++) {
		if (memcmp(&s.file.p[at], seed, sizeof(seed)) != 0)
			continue;
		s.file.p[at + sizeof(seed) - 1] ^= 1;
		if (++seen <= FHE_PART_COUNT) {
			assert_int_equal(audit_as(&a, &s, &o, &note), ERR_MISMATCH);
			assert_non_null(strstr(note.text, ": masks of another seed"));
		}
	}
	assert_int_equal(seen, FHE_PART_COUNT + 1);
	a = audit_of(&s, true, 2);
	for (int i = 0; i < FHE_PART_COUNT; i++)
		if (shape_of(&s, i).key != FHE_KEY_LWE)
			assert_int_not_equal(a.parts[i].fault, FHE_AUDIT_SOUND);
	assert_verdict(&a, "compact public key: noise too large in row 0, coefficient ");
	subject_free(&s);
}

/* ---- the fast audit ---- */

/* What it promises: first row, last row, and any two stretches in a row. */
static void fast_finds(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 10);
	struct fhe_part_shape shape = shape_of(&s, FHE_PART_DECOMPRESSION);
	size_t row_size = shape.n * shape.width, stretch = shape.rows / FHE_AUDIT_SAMPLE + 1;
	uint8_t *bodies = bodies_of(&s, FHE_PART_DECOMPRESSION);

	(void)state;
	assert_true(shape.rows > FHE_AUDIT_SAMPLE + 2);
	for (size_t row = 0; row < shape.rows; row += 37) {
		size_t from = row + 2 * stretch <= shape.rows ? row : shape.rows - 1;
		size_t to = from == 0 || from == shape.rows - 1 ? from + 1 : from + 2 * stretch;
		struct fhe_audit a;

		for (size_t i = from; i < to; i++)
			bodies[i * row_size + 5] ^= 0x55;
		a = audit_of(&s, true, 2);
		assert_true(a.parts[FHE_PART_DECOMPRESSION].first_row >= from &&
			    a.parts[FHE_PART_DECOMPRESSION].first_row < to);
		assert_verdict(&a, "decompression key: ");
		for (size_t i = from; i < to; i++)
			bodies[i * row_size + 5] ^= 0x55;
	}
	subject_free(&s);
}

/* What it may miss, the digest shows; other random numbers are other rows. */
static void fast_misses(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 12);
	struct fhe_part_shape shape = shape_of(&s, FHE_PART_PKE_KEY_SWITCH);
	struct fhe_audit sound = audit_of(&s, true, 2);
	size_t found = 0, tries = 40;

	(void)state;
	bodies_of(&s, FHE_PART_PKE_KEY_SWITCH)[100 * shape.n * shape.width + 7] ^= 0x20;
	for (size_t i = 0; i < tries; i++) {
		struct rng_seeded rng;
		struct fhe_audit_options o = {.object = s.object,
					      .fast = true,
					      .rng = rng_seeded_init(&rng, i),
					      .threads = 1};
		struct fhe_audit a;

		assert_ok(audit_as(&a, &s, &o, NULL));
		found += a.parts[FHE_PART_PKE_KEY_SWITCH].fault != FHE_AUDIT_SOUND;
		assert_memory_not_equal(a.digest.b, sound.digest.b, sizeof(a.digest.b));
	}
	/* 256 of 510 rows: half of the tries, within 6 standard deviations of 20. */
	assert_in_range(found, 1, tries - 1);
	subject_free(&s);
}

/* ---- what is no audit at all ---- */

/* Sound up to a place. */
struct broken_source {
	struct fhe_source base;
	struct bytes in;
	uint64_t from;
};

static enum err broken_read(const struct fhe_source *base, uint64_t at, uint8_t *out, size_t n,
			    struct err_note *note)
{
	const struct broken_source *s = CONTAINER_OF(base, const struct broken_source, base);

	if (at + n > s->from)
		return err_say(note, ERR_IO, "broken at byte %llu", (unsigned long long)at);
	memcpy(out, &s->in.p[at], n);
	return ERR_OK;
}

static void broken_disk(void **state)
{
	static const struct fhe_source_ops ops = {.read = broken_read};
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 13);
	struct fhe_audit_options o = {.object = s.object, .threads = 3};

	(void)state;
	for (size_t from = 0; from < s.file.n; from += s.file.n / 9) {
		struct broken_source source = {.base = {.ops = &ops, .size = s.file.n},
					       .in = buf_view(&s.file),
					       .from = from};
		struct err_note note = {0};
		struct fhe_audit a = {.size = 1};

		assert_int_equal(fhe_audit_run(&a, s.key, &source.base, &o, &note), ERR_IO);
		assert_int_equal(strncmp(note.text, "broken at byte ", 15), 0);
		assert_int_equal(a.size, 1);
	}
	subject_free(&s);
}

static void refusals(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 14);
	struct subject other = subject_new(FHE_OBJECT_SERVER_KEY, 14);
	struct fhe_client_key *full = client_key_of("ck_full.bin");
	atomic_bool stop = true;
	struct fhe_audit_options o = {.object = s.object, .threads = 2};
	struct err_note note = {0};
	struct fhe_audit a;

	(void)state;
	o.threads = 0;
	assert_int_equal(audit_as(&a, &s, &o, &note), ERR_RANGE);
	o.threads = FHE_TEAM_THREADS_MAX + 1;
	assert_int_equal(audit_as(&a, &s, &o, &note), ERR_RANGE);
	o.threads = 2;
	o.stop = &stop;
	assert_int_equal(audit_as(&a, &s, &o, &note), ERR_CANCELLED);
	o.stop = NULL;

	assert_int_equal(audit_as(&a, &other, &o, &note), ERR_MISMATCH);
	other.key = full;
	o.object = FHE_OBJECT_SERVER_KEY;
	assert_int_equal(audit_as(&a, &other, &o, &note), ERR_MISMATCH);
	assert_string_equal(note.text, "CompressedServerKey: storage_log_modulus");

	o.object = FHE_OBJECT_KEY_SET;
	s.file.p[s.file.n - 1] ^= 1; /* the last byte of the tag of the server key */
	assert_int_equal(audit_as(&a, &s, &o, &note), ERR_MISMATCH);
	assert_string_equal(note.text, "CompressedXofKeySet: two tags");
	s.file.p[s.file.n - 1] ^= 1;
	fhe_client_key_free(full);
	subject_free(&s);
	subject_free(&other);
}

static void another_tag(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 15);
	struct fhe_audit_options o = {.object = s.object, .threads = 1};
	struct fhe_client_key other = *s.key;
	struct err_note note = {0};
	struct fhe_audit a;

	(void)state;
	other.tag = BYTES_LIT("Audited");
	s.key = &other;
	assert_int_equal(audit_as(&a, &s, &o, &note), ERR_MISMATCH);
	assert_string_equal(note.text, "tag: that of another client key");
	subject_free(&s);
}

/* Cut anywhere, or grown: what is missing is named. */
static void another_size(void **state)
{
	struct subject s = subject_new(FHE_OBJECT_KEY_SET, 16);
	struct fhe_audit_options o = {.object = s.object, .threads = 1};
	size_t n = s.file.n;
	struct err_note note = {0};
	struct fhe_audit a;

	(void)state;
	for (s.file.n = 0; s.file.n < n; s.file.n += n / 50) {
		note = (struct err_note){0};
		assert_int_equal(audit_as(&a, &s, &o, &note), ERR_TRUNCATED);
		assert_true(note.text[0]);
	}
	s.file.n = n - 1;
	assert_int_equal(audit_as(&a, &s, &o, &note), ERR_TRUNCATED);
	s.file.n = n;
	assert_ok(buf_add_u8(&s.file, 0));
	note = (struct err_note){0};
	assert_int_equal(audit_as(&a, &s, &o, &note), ERR_MALFORMED);
	assert_non_null(strstr(note.text, "bytes left over"));
	subject_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_keys),       cmocka_unit_test(threads_do_not_matter),
		cmocka_unit_test(keys_of_tfhe_rs),  cmocka_unit_test(one_bit),
		cmocka_unit_test(message_or_noise), cmocka_unit_test(large_noise),
		cmocka_unit_test(no_noise),         cmocka_unit_test(another_client_key),
		cmocka_unit_test(another_seed),     cmocka_unit_test(fast_finds),
		cmocka_unit_test(fast_misses),      cmocka_unit_test(broken_disk),
		cmocka_unit_test(refusals),         cmocka_unit_test(another_tag),
		cmocka_unit_test(another_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
