/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Every format that is read: what is written again has the same bytes; and every single byte of an
 * object, changed or cut off. Either the object is refused, and the note says which field at which
 * byte; or what was read is written again, the same but for a version that was older.
 */
#include "fhe/compact_public_key.h"
#include "fhe/compressed_list.h"
#include "fhe/crs.h"
#include "fhe/expanded.h"
#include "fhe/key_set.h"
#include "fhe/proven_list.h"
#include "fhe/squashed_list.h"
#include "fhe_test.h"

/* Reads under these parameters, and writes what was read. */
typedef enum err copy_fn(struct bytes in, const struct fhe_params *p, struct buf *out,
			 struct err_note *note);

static enum err copy_client_key(struct bytes in, const struct fhe_params *p, struct buf *out,
				struct err_note *note)
{
	struct fhe_client_key *k;
	enum err e;

	(void)p;
	TRY(fhe_client_key_read(&k, in, note));
	e = fhe_client_key_write(k, out);
	fhe_client_key_free(k);
	return e;
}

static enum err copy_public_key(struct bytes in, const struct fhe_params *p, struct buf *out,
				struct err_note *note)
{
	struct fhe_compact_public_key k;

	(void)p;
	TRY(fhe_compact_public_key_read(&k, in, note));
	return fhe_compact_public_key_write(&k, out);
}

static enum err copy_compressed_public_key(struct bytes in, const struct fhe_params *p,
					   struct buf *out, struct err_note *note)
{
	struct fhe_key_set set;

	(void)p;
	TRY(fhe_key_set_read(&set, FHE_OBJECT_PUBLIC_KEY, in, note));
	return fhe_key_set_write(&set, FHE_OBJECT_PUBLIC_KEY, out);
}

static enum err copy_server_key(struct bytes in, const struct fhe_params *p, struct buf *out,
				struct err_note *note)
{
	struct fhe_key_set set;

	(void)p;
	TRY(fhe_key_set_read(&set, FHE_OBJECT_SERVER_KEY, in, note));
	return fhe_key_set_write(&set, FHE_OBJECT_SERVER_KEY, out);
}

static enum err copy_small(struct bytes in, const struct fhe_params *p, struct buf *out,
			   struct err_note *note)
{
	struct fhe_expanded v;

	TRY(fhe_small_expanded_read(&v, p, in, note));
	return fhe_small_expanded_rewrite(&v, out);
}

static enum err copy_big(struct bytes in, const struct fhe_params *p, struct buf *out,
			 struct err_note *note)
{
	struct fhe_expanded v;

	TRY(fhe_big_expanded_read(&v, p, in, note));
	return fhe_big_expanded_rewrite(&v, out);
}

static enum err copy_compressed(struct bytes in, const struct fhe_params *p, struct buf *out,
				struct err_note *note)
{
	struct fhe_packed_list list;

	TRY(fhe_compressed_list_read(&list, p, in, note));
	return fhe_compressed_list_write(&list, out);
}

static enum err copy_squashed(struct bytes in, const struct fhe_params *p, struct buf *out,
			      struct err_note *note)
{
	struct fhe_packed_list list;

	TRY(fhe_squashed_list_read(&list, p, in, note));
	return fhe_squashed_list_write(&list, out);
}

static enum err copy_compact(struct bytes in, const struct fhe_params *p, struct buf *out,
			     struct err_note *note)
{
	struct fhe_compact_list list;

	(void)p;
	TRY(fhe_compact_list_read(&list, in, note));
	return fhe_compact_list_write(&list, out);
}

static enum err copy_proven(struct bytes in, const struct fhe_params *p, struct buf *out,
			    struct err_note *note)
{
	struct fhe_proven_list list;

	(void)p;
	TRY(fhe_proven_list_read(&list, in, note));
	return fhe_proven_list_write(&list, out);
}

static enum err copy_crs(struct bytes in, const struct fhe_params *p, struct buf *out,
			 struct err_note *note)
{
	struct fhe_crs c;

	(void)p;
	TRY(fhe_crs_read(&c, in, note));
	return fhe_crs_write(&c, out);
}

static const struct format {
	const char *file;
	const struct fhe_params *params;
	copy_fn *copy;
	bool large; /* not byte for byte */
} formats[] = {
	{"ck_test.bin", NULL, copy_client_key, false},
	{"ck.bin", NULL, copy_client_key, true},
	{"ck_full.bin", NULL, copy_client_key, true},
	{"cpk.bin", NULL, copy_public_key, false},
	{"my_cpk.bin", NULL, copy_public_key, false},
	{"ccpk_dec.bin", NULL, copy_public_key, false},
	{"ccpk.bin", NULL, copy_compressed_public_key, false},
	{"ck_test_csk.bin", NULL, copy_server_key, true}, /* test_key_set.c does it */
	{"bool.bin", &fhe_params_v1_7, copy_small, false},
	{"u8.bin", &fhe_params_v1_7, copy_small, false},
	{"i8.bin", &fhe_params_v1_7, copy_small, false},
	{"ck_full_u8.bin", &fhe_params_v1_7, copy_small, true},
	{"nat_test_u64.bin", &fhe_params_test, copy_small, false},
	{"nat_test_sq8.bin", &fhe_params_test, copy_big, false},
	{"nat_test_sqbool.bin", &fhe_params_test, copy_big, false},
	{"nat_full_sq8.bin", &fhe_params_v1_7, copy_big, true},
	{"my_sq8.bin", &fhe_params_v1_7, copy_big, true},
	{"nat_test_ccl.bin", &fhe_params_test, copy_compressed, false},
	{"nat_full_ccl.bin", &fhe_params_v1_7, copy_compressed, false},
	{"nat_test_csq64.bin", &fhe_params_test, copy_squashed, false},
	{"nat_full_csq64.bin", &fhe_params_v1_7, copy_squashed, true},
	{"my_csq8.bin", &fhe_params_v1_7, copy_squashed, true},
	{"list_packed.bin", NULL, copy_compact, false},
	{"list_unpacked.bin", NULL, copy_compact, false},
	{"proven_2048_0.bin", NULL, copy_proven, false},
};

static struct buf out_make(size_t n)
{
	struct buf out = buf_make(n + (2 << 20)); /* as much as a client key wants reserved */

	assert_ok(buf_reserve(&out, out.size_max));
	return out;
}

static void round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct buf in = vector_read(formats[i].file), out = out_make(in.n);
		struct err_note note = {0};

		if (formats[i].copy(buf_view(&in), formats[i].params, &out, &note) != ERR_OK)
			fail_msg("%s: %s", formats[i].file, note.text);
		assert_bytes_equal(buf_view(&out), buf_view(&in));
		buf_wipe(&out);
		buf_wipe(&in);
	}
}

/* Signed integers and older versions: made from what there is. */
static void made_from_others(void **state)
{
	static const char from[] = "high_level_api::SquashedNoiseFheUint";
	struct buf in = vector_read("nat_test_sq8.bin"), signed_ = buf_make(1 << 16),
		   out = out_make(in.n);
	struct fhe_expanded v;
	struct err_note note = {0};
	size_t name_at = 26, body_at = name_at + 8 + sizeof(from) - 1;

	(void)state;
	/* "...FheInt" is one letter shorter. */
	assert_ok(buf_add(&signed_, bytes_from(in.p, name_at)));
	assert_ok(buf_add_u64le(&signed_, sizeof(from) - 2));
	assert_ok(buf_add_str(&signed_, "high_level_api::SquashedNoiseFheInt"));
	assert_ok(buf_add(&signed_, bytes_from(&in.p[body_at], in.n - body_at)));
	assert_ok(fhe_big_expanded_read(&v, &fhe_params_test, buf_view(&signed_), &note));
	assert_int_equal(v.kind, FHE_ITEM_SIGNED);
	assert_ok(fhe_big_expanded_rewrite(&v, &out));
	assert_bytes_equal(buf_view(&out), buf_view(&signed_));

	/* Version 0 has no state, which stands before the tag of 12 bytes; it is written with one.
	 */
	buf_clear(&out);
	in.p[70] = 0;
	memmove(&in.p[in.n - 24 - 8], &in.p[in.n - 24], 24);
	in.n -= 8;
	assert_ok(fhe_big_expanded_read(&v, &fhe_params_test, buf_view(&in), &note));
	assert_int_equal(v.version, 0);
	assert_ok(fhe_big_expanded_rewrite(&v, &out));
	assert_int_equal(out.n, in.n + 8);
	assert_int_equal(out.p[70], 1);
	assert_memory_equal(&out.p[71], &in.p[71], in.n - 24 - 71);
	assert_memory_equal(&out.p[out.n - 24], &in.p[in.n - 24], 24);
	buf_free(&in);
	buf_free(&signed_);
	buf_free(&out);
}

/* ---- every byte ---- */

static size_t refused, kept, older;

static void assert_placed(const char *file, size_t at, const struct err_note *note)
{
	if (!strstr(note->text, " at byte "))
		fail_msg("%s, byte %zu: \"%s\" names no place", file, at, note->text);
}

/* A version that was read in an older form differs, and what such a form lacks is added. */
static void count(const struct format *f, struct bytes in, const struct buf *out, size_t at)
{
	size_t differ = 0;

	for (size_t i = 0; i < in.n && i < out->n; i++)
		differ += in.p[i] != out->p[i];
	if (out->n == in.n && differ == 0) {
		kept++;
		return;
	}
	if (out->n == in.n && differ > 1)
		fail_msg("%s, byte %zu: %zu bytes differ", f->file, at, differ);
	older++;
}

static void change(const struct format *f, struct bytes in, size_t at, struct buf *out)
{
	static const uint8_t changes[] = {0x01, 0x80, 0xff};
	uint8_t *p = (uint8_t *)(uintptr_t)in.p;

	for (size_t c = 0; c < ARRAY_LEN(changes); c++) {
		struct err_note note = {0};

		buf_clear(out);
		p[at] ^= changes[c];
		if (f->copy(in, f->params, out, &note) == ERR_OK) {
			count(f, in, out, at);
		} else {
			assert_placed(f->file, at, &note);
			refused++;
		}
		p[at] ^= changes[c];
	}
}

static void cut(const struct format *f, struct bytes whole, size_t n, struct buf *out)
{
	struct bytes in = exact_copy(bytes_sub(whole, 0, n));
	struct err_note note = {0};

	buf_clear(out);
	assert_int_not_equal(f->copy(in, f->params, out, &note), ERR_OK);
	assert_placed(f->file, n, &note);
	exact_free(in);
}

/* Long runs of words are alike: of what lies deep in one, every 97th byte. */
static bool is_deep(const struct buf *in, size_t at)
{
	return in->n > 20000 && at > 600 && at + 2000 < in->n && at % 97 != 0;
}

static void every_byte(const struct format *f)
{
	struct buf in = vector_read(f->file), out = out_make(in.n);
	struct bytes whole = exact_copy(buf_view(&in));

	refused = kept = older = 0;
	for (size_t at = 0; at < in.n; at++) {
		if (is_deep(&in, at))
			continue;
		change(f, whole, at, &out);
		cut(f, buf_view(&in), at, &out);
	}
	print_message("# %s, %zu bytes: %zu refused, %zu kept, %zu in another form\n", f->file,
		      in.n, refused, kept, older);
	assert_true(refused > 100 && kept > 100 && older < 20);
	exact_free(whole);
	buf_wipe(&in);
	buf_wipe(&out);
}

static void every_byte_of_every_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (!formats[i].large)
			every_byte(&formats[i]);
}

/* Of a CRS what stands around the elements, and of these one byte in ten thousand; it takes its
 * time to check them. */
static void crs(void **state)
{
	static const struct format f = {"a CRS", NULL, copy_crs, false};
	struct fhe_params p = fhe_params_test;
	struct buf in = buf_make(FHE_CRS_SIZE_MAX), out;
	struct rng_seeded rng;
	struct fhe_crs c;
	struct bytes whole;

	(void)state;
	p.pke.dimension = 1;
	assert_ok(fhe_crs_describe(&c, &p.pke, 4, NULL));
	assert_ok(fhe_crs_make(&c, rng_seeded_init(&rng, 3), 2, &in));
	whole = exact_copy(buf_view(&in));
	out = out_make(in.n);
	refused = kept = older = 0;
	for (size_t at = 0; at < in.n; at++) {
		if (at > 100 && at + 320 < in.n && at % 10007 != 0)
			continue;
		change(&f, whole, at, &out);
		if (at % 4 == 0)
			cut(&f, buf_view(&in), at, &out);
	}
	print_message("# %s, %zu bytes: %zu refused, %zu kept, %zu in another form\n", f.file, in.n,
		      refused, kept, older);
	assert_true(refused > 500 && kept > 20 && older == 0);
	exact_free(whole);
	buf_free(&in);
	buf_free(&out);
}

/* ---- the list inside a proven one ---- */

static void inner_list(void **state)
{
	struct buf in = vector_read("proven_2048_0.bin");
	struct fhe_proven_list proven;
	struct fhe_compact_list list;
	struct fhe_item item;
	uint64_t block;

	(void)state;
	assert_ok(fhe_proven_list_read(&proven, buf_view(&in), NULL));
	assert_ok(fhe_proven_list_inner(&proven, &list, NULL));
	assert_int_equal(list.count, 16);
	assert_ok(fhe_compact_list_item(&list, 0, &item, &block, NULL));
	assert_int_equal(item.kind, FHE_ITEM_UNSIGNED);
	assert_int_equal(item.blocks, 32);
	proven.parts.n = 2;
	assert_int_equal(fhe_proven_list_inner(&proven, &list, NULL), ERR_UNSUPPORTED);
	buf_free(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(made_from_others),
		cmocka_unit_test(every_byte_of_every_format),
		cmocka_unit_test(crs),
		cmocka_unit_test(inner_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
