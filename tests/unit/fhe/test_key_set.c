/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Readers and writers of the seeded objects, on objects of tfhe-rs. */
#include "fhe/key_set.h"
#include "fhe_test.h"

enum {
	SIZE_MAX_HERE = 4 << 20,
};

static const struct {
	const char *file;
	enum fhe_key_object object;
	const struct fhe_params *params;
} vectors[] = {
	{"ccpk.bin", FHE_OBJECT_PUBLIC_KEY, &fhe_params_v1_7},
	{"ck_test_csk.bin", FHE_OBJECT_SERVER_KEY, &fhe_params_test},
};

static struct fhe_key_set set_read(enum fhe_key_object object, struct bytes in)
{
	struct fhe_key_set set;
	struct err_note note = {0};

	if (fhe_key_set_read(&set, object, in, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return set;
}

static void round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct buf in = vector_read(vectors[i].file), out = buf_make(SIZE_MAX_HERE);
		struct fhe_key_set set = set_read(vectors[i].object, buf_view(&in));
		struct err_note note = {0};

		assert_ok(fhe_key_set_check(&set, vectors[i].object, vectors[i].params, &note));
		assert_ok(fhe_key_set_write(&set, vectors[i].object, &out));
		assert_bytes_equal(buf_view(&out), buf_view(&in));
		buf_free(&in);
		buf_free(&out);
	}
}

/* What is read of an object that stays where it is: the same numbers, the same errors. */
static void frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct buf in = vector_read(vectors[i].file), out = buf_make(1 << 16);
		struct buf frame = buf_make(LAYOUT_FRAME_MAX), again = buf_make(SIZE_MAX_HERE);
		struct fhe_key_set whole = set_read(vectors[i].object, buf_view(&in)), set;
		struct fhe_bytes_source source;
		struct layout_gaps gaps, written;
		struct err_note note = {0};

		fhe_bytes_source_init(&source, buf_view(&in));
		assert_ok(fhe_key_set_read_frame(&set, vectors[i].object, &source.base, &frame,
						 &gaps, &note));
		assert_ok(fhe_key_set_check(&set, vectors[i].object, vectors[i].params, &note));
		assert_ok(fhe_key_set_write_frame(&set, vectors[i].object, &out, &written));
		assert_int_equal(gaps.n, written.n);
		for (size_t g = 0; g < gaps.n; g++) {
			size_t part = 0;

			while (&set.parts[part].words != gaps.gap[g].words)
				assert_true(++part < FHE_PART_COUNT);
			assert_ptr_equal(gaps.gap[g].words, written.gap[g].words);
			assert_ptr_equal(&in.p[gaps.gap[g].at], whole.parts[part].words.p);
			set.parts[part].words.p = whole.parts[part].words.p;
		}
		assert_ok(fhe_key_set_write(&set, vectors[i].object, &again));
		assert_bytes_equal(buf_view(&again), buf_view(&in));
		buf_free(&in);
		buf_free(&out);
		buf_free(&frame);
		buf_free(&again);
	}
}

/* Where it is cut, or one byte of what stands around the arrays is another: as when all is in
 * memory. */
static void frames_fail_alike(void **state)
{
	struct buf in = vector_read("ccpk.bin"), frame = buf_make(LAYOUT_FRAME_MAX);
	struct fhe_key_set set;
	struct layout_gaps gaps;
	size_t n = in.n;

	(void)state;
	for (size_t at = 0; at < n; at++) {
		struct err_note note[4] = {0};
		struct fhe_bytes_source source;

		if (at == 108)
			at = 16492; /* the words */
		in.n = at;
		buf_clear(&frame);
		fhe_bytes_source_init(&source, buf_view(&in));
		assert_int_equal(
			fhe_key_set_read(&set, FHE_OBJECT_PUBLIC_KEY, buf_view(&in), &note[0]),
			fhe_key_set_read_frame(&set, FHE_OBJECT_PUBLIC_KEY, &source.base, &frame,
					       &gaps, &note[1]));
		assert_string_equal(note[0].text, note[1].text);
		in.n = n;
		in.p[at] ^= 0x81;
		buf_clear(&frame);
		fhe_bytes_source_init(&source, buf_view(&in));
		assert_int_equal(
			fhe_key_set_read(&set, FHE_OBJECT_PUBLIC_KEY, buf_view(&in), &note[2]),
			fhe_key_set_read_frame(&set, FHE_OBJECT_PUBLIC_KEY, &source.base, &frame,
					       &gaps, &note[3]));
		assert_string_equal(note[2].text, note[3].text);
		in.p[at] ^= 0x81;
	}
	buf_free(&in);
	buf_free(&frame);
}

static void expansion(void **state)
{
	struct buf in = vector_read("ccpk.bin"), want = vector_read("ccpk_dec.bin");
	struct buf out = buf_make(1 << 20);
	struct fhe_key_set set = set_read(FHE_OBJECT_PUBLIC_KEY, buf_view(&in));

	(void)state;
	assert_ok(fhe_compact_public_key_expand(&set, &out));
	assert_bytes_equal(buf_view(&out), buf_view(&want));
	set.pke.dimension = 1024;
	assert_int_equal(fhe_compact_public_key_expand(&set, &out), ERR_MALFORMED);
	buf_free(&in);
	buf_free(&out);
	buf_free(&want);
}

/* Parameters, sizes of arrays and frame give the sizes of the objects of tfhe-rs. */
static void sizes(void **state)
{
	static const uint8_t seed[24] = {'T', 'F', 'H', 'E', '_', 'G', 'E', 'N'};
	static const struct {
		const struct fhe_params *params;
		uint64_t size;
	} rows[] = {
		{&fhe_params_v1_7, 511412591},
		{&fhe_params_v1_6, 444303727},
		{&fhe_params_test, 2661223},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf frame = buf_make(1 << 16);
		struct layout_gaps gaps;
		struct fhe_key_set set;
		uint64_t size;

		fhe_key_set_describe(&set, rows[i].params, BYTES_OF(seed), BYTES_LIT("xof-tag"));
		assert_ok(fhe_key_set_write_frame(&set, FHE_OBJECT_KEY_SET, &frame, &gaps));
		size = frame.n;
		for (size_t g = 0; g < gaps.n; g++)
			size += gaps.gap[g].words->n;
		assert_int_equal(size, rows[i].size);
		buf_free(&frame);
	}
}

/* The masks of every part begin where the measured objects say. */
static void places(void **state)
{
	static const struct {
		enum fhe_part part;
		uint64_t v1_7, test; /* AES blocks */
	} rows[] = {
		{FHE_PART_PUBLIC_KEY, 0, 0},
		{FHE_PART_COMPRESSION, 1024, 256},
		{FHE_PART_DECOMPRESSION, 3146752, 33024},
		{FHE_PART_KEY_SWITCH, 5243904, 98560},
		{FHE_PART_BOOTSTRAP, 9004032, 98688},
		{FHE_PART_BOOTSTRAP_ZEROS, 0, 98944},
		{FHE_PART_SQUASH, 10884096, 98949},
		{FHE_PART_SQUASH_ZEROS, 0, 99973},
		{FHE_PART_PKE_KEY_SWITCH, 44725248, 99977},
		{FHE_PART_RERAND, 48485376, 100233},
		{FHE_PART_SQUASH_COMPRESSION, 48486400, 100361},
		{FHE_PART_OPRF, 98818048, 165897},
	};
	struct fhe_parts v1_7, test;

	(void)state;
	fhe_parts_of(&v1_7, &fhe_params_v1_7);
	fhe_parts_of(&test, &fhe_params_test);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct fhe_part_shape *s = &v1_7.shape[rows[i].part];

		if (s->rows)
			assert_int_equal(s->mask_at, 16 * rows[i].v1_7);
		else
			assert_int_equal(rows[i].v1_7, 0);
		assert_int_equal(test.shape[rows[i].part].mask_at, 16 * rows[i].test);
	}
}

/*
 * Every byte outside the arrays, changed: either it is refused, and the note says which field at
 * which byte; or it is a value, and writing gives it back. (One version is read in an older form:
 * then the newer one is written.)
 */
static void each_byte(struct bytes original, enum fhe_key_object object)
{
	static const uint8_t changes[] = {0x01, 0x80, 0xff};
	struct fhe_key_set first = set_read(object, original), set;
	struct bytes in = exact_copy(original);
	uint8_t *p = (uint8_t *)(uintptr_t)in.p;
	size_t refused = 0, kept = 0, older = 0;

	for (size_t at = 0; at < in.n; at++) {
		for (size_t i = 0; i < FHE_PART_COUNT; i++)
			if (&original.p[at] == first.parts[i].words.p)
				at += first.parts[i].words.n;
		for (size_t c = 0; c < ARRAY_LEN(changes); c++) {
			struct buf out = buf_make(SIZE_MAX_HERE);
			struct err_note note = {0};

			p[at] ^= changes[c];
			if (fhe_key_set_read(&set, object, in, &note) != ERR_OK) {
				assert_non_null(strstr(note.text, " at byte "));
				refused++;
			} else {
				assert_ok(fhe_key_set_write(&set, object, &out));
				assert_int_equal(out.n, in.n);
				if (out.p[at] == p[at])
					kept++;
				else
					older++;
				buf_free(&out);
			}
			p[at] = original.p[at];
		}
	}
	print_message("# %zu bytes: %zu refused, %zu kept, %zu older\n", in.n, refused, kept,
		      older);
	assert_true(refused > 2 * kept);
	assert_true(older <= 3);
	exact_free(in);
}

static void every_byte_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct buf in = vector_read(vectors[i].file);

		each_byte(buf_view(&in), vectors[i].object);
		buf_free(&in);
	}
}

/* Offsets from the annotated trees of both files. */
static void errors_name_field_and_place(void **state)
{
	static const struct {
		size_t vector, at;
		uint8_t value;
		enum err err;
		const char *note;
	} rows[] = {
		{0, 76, 2, ERR_UNSUPPORTED,
		 "CompressedCompactPublicKey: CompressedCompactPublicKey version at byte 76 is 2, "
		 "which we do not read"},
		{0, 107, 0x80, ERR_TOO_BIG,
		 "SeededLweCompactPublicKey: data at byte 100 is 9223372036854777856, which we do "
		 "not read"},
		{0, 16496, 3, ERR_UNSUPPORTED,
		 "SeededLweCompactPublicKey: size at byte 16492 is 3, which we do not read"},
		{0, 16516, 2, ERR_UNSUPPORTED,
		 "SeededLweCompactPublicKey: seed at byte 16504 is 2, which we do not read"},
		{0, 16568, 16, ERR_UNSUPPORTED,
		 "SeededLweCompactPublicKey: seed at byte 16504 is 16, which we do not read"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf in = vector_read(vectors[rows[i].vector].file);
		struct err_note note = {0};
		struct fhe_key_set set;

		in.p[rows[i].at] = rows[i].value;
		assert_int_equal(fhe_key_set_read(&set, vectors[rows[i].vector].object,
						  buf_view(&in), &note),
				 rows[i].err);
		assert_string_equal(note.text, rows[i].note);
		buf_free(&in);
	}
}

static enum err try_read(struct bytes object, void *ctx)
{
	struct fhe_key_set set;

	return fhe_key_set_read(&set, *(enum fhe_key_object *)ctx, object, NULL);
}

static void truncations(void **state)
{
	struct buf in = vector_read("ccpk.bin");
	enum fhe_key_object object = FHE_OBJECT_PUBLIC_KEY;
	struct fhe_key_set set;

	(void)state;
	truncations_fail(buf_view(&in), try_read, &object);
	object = FHE_OBJECT_SERVER_KEY;
	assert_int_equal(try_read(buf_view(&in), &object), ERR_MISMATCH);
	assert_int_equal(fhe_key_set_read(&set, object,
					  bytes_from(in.p, (size_t)FHE_KEY_SET_SIZE_MAX + 1), NULL),
			 ERR_TOO_BIG);
	buf_free(&in);
}

/* A sound object is refused for any other parameters. */
static void another_set(void **state)
{
	struct buf in = vector_read("ck_test_csk.bin");
	struct fhe_key_set set = set_read(FHE_OBJECT_SERVER_KEY, buf_view(&in));
	struct fhe_params p[12];
	static const char *const notes[ARRAY_LEN(p)] = {
		"key switching key: bytes is",
		"key switching key: base is",
		"bootstrapping key: base is",
		"public key switching key: bytes is",
		"compression key: size is",
		"CompressedServerKey: storage_log_modulus",
		"noise squashing key: base is",
		"noise squashing zeros: bytes is",
		"CompressedServerKey: modulus switch",
		"CompressedServerKey: re-randomization key",
		"CompressedServerKey: has_oprf",
		"noise squashing compression key: base is",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		p[i] = fhe_params_test;
	p[0].compute.ks_level = 2;
	p[1].compute.ks_base_log = 36;
	p[2].compute.pbs_base_log = 23;
	p[3].pke_ks.level = 2;
	p[4].compression.glwe_dimension = 2;
	p[5].compression.storage_log_modulus = 12;
	p[6].sns.base_log = 32;
	p[7].sns.mod_switch.zeros = 9;
	p[8].compute.mod_switch.r_sigma = 9;
	p[9].compute.glwe_noise = 1;
	p[10].has_oprf = false;
	p[11].sns_compression.packing_base_log = 60;
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		struct err_note note = {0};

		assert_int_equal(fhe_key_set_check(&set, FHE_OBJECT_SERVER_KEY, &p[i], &note),
				 ERR_MISMATCH);
		if (strncmp(note.text, notes[i], strlen(notes[i])) != 0)
			fail_msg("%zu: %s", i, note.text);
	}
	buf_free(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(frames),
		cmocka_unit_test(frames_fail_alike),
		cmocka_unit_test(expansion),
		cmocka_unit_test(sizes),
		cmocka_unit_test(places),
		cmocka_unit_test(every_byte_counts),
		cmocka_unit_test(errors_name_field_and_place),
		cmocka_unit_test(truncations),
		cmocka_unit_test(another_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
