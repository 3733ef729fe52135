/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Compressed public keys, server keys and key sets. What is read is written again with the same
 * bytes, but for the older form of one version field; what fits parameters has their sizes. Input:
 * u8 object (0 to 2, plus 3 for seeds of the kind Ctr), then edits of an object for tiny
 * parameters.
 */
#include "fhe/compact_public_key.h"
#include "fhe/key_set.h"
#include "fuzz.h"
#include "support_params.h"

enum {
	OBJECTS = 3,
	BASES = 2 * OBJECTS,
	OBJECT_SIZE_MAX = 1 << 16,
};

static struct bytes base_make(unsigned which)
{
	static const uint8_t seed[24] = {'T', 'F', 'H', 'E', '_', 'G', 'E', 'N', 1, 2, 3};
	static const uint8_t words[4096];
	struct fhe_params p = fuzz_tiny_params();
	struct buf out = buf_make(OBJECT_SIZE_MAX);
	struct fhe_key_set set;

	FUZZ_OK(fhe_params_check(&p, NULL));
	fhe_key_set_describe(&set, &p, BYTES_OF(seed), BYTES_LIT("tag"));
	for (size_t i = 0; i < FHE_PART_COUNT; i++) {
		CHECK(set.parts[i].words.n <= sizeof(words));
		set.parts[i].words.p = words;
		if (which >= OBJECTS) {
			set.parts[i].seed.kind = FHE_SEED_CTR;
			set.parts[i].seed.bytes = bytes_from(seed, FHE_SEED_CTR_SIZE);
		}
	}
	FUZZ_OK(fhe_key_set_write(&set, (enum fhe_key_object)(which % OBJECTS), &out));
	return buf_view(&out); /* kept for ever */
}

static struct bytes base_of(unsigned which)
{
	static struct bytes bases[BASES];

	if (!bases[which].p)
		bases[which] = base_make(which);
	return bases[which];
}

static void expand(const struct fhe_key_set *set, struct err_note *note)
{
	CLEANUP(buf_free) struct buf out = buf_make(OBJECT_SIZE_MAX);
	struct fhe_compact_public_key k;

	if (fhe_compact_public_key_expand(set, &out) != ERR_OK)
		return;
	FUZZ_OK(fhe_compact_public_key_read(&k, buf_view(&out), note));
	CHECK(k.words.n == 2 * set->parts[FHE_PART_PUBLIC_KEY].words.n);
	CHECK(bytes_eq_var(k.tag, set->pke_tag));
}

static void check_fitting(const struct fhe_key_set *set, enum fhe_key_object object)
{
	struct fhe_params p = fuzz_tiny_params();
	struct err_note note = {0};
	size_t size = 0;

	if (fhe_key_set_check(set, object, &p, &note) != ERR_OK) {
		CHECK(note.text[0]);
		return;
	}
	for (size_t i = 0; i < FHE_PART_COUNT; i++)
		size += set->parts[i].words.n;
	CHECK(object == FHE_OBJECT_PUBLIC_KEY ? size == 16 : size > 16);
	CHECK(object != FHE_OBJECT_KEY_SET || bytes_eq_var(set->tag, set->pke_tag));
}

/* Read where it lies: the same answer, the same numbers. */
static void check_frame(enum fhe_key_object object, struct bytes in, enum err want,
			const struct err_note *want_note)
{
	CLEANUP(buf_free) struct buf frame = buf_make(LAYOUT_FRAME_MAX);
	CLEANUP(buf_free) struct buf whole = buf_make(2 * OBJECT_SIZE_MAX);
	struct fhe_bytes_source source;
	struct err_note note = {0};
	struct fhe_key_set set;
	struct layout_gaps gaps;

	CHECK(fhe_key_set_read_frame(&set, object, fhe_bytes_source_init(&source, in), &frame,
				     &gaps, &note) == want);
	CHECK(strcmp(note.text, want_note->text) == 0);
	if (want != ERR_OK)
		return;
	for (size_t g = 0; g < gaps.n; g++)
		for (size_t i = 0; i < FHE_PART_COUNT; i++)
			if (gaps.gap[g].words == &set.parts[i].words)
				set.parts[i].words =
					bytes_sub(in, gaps.gap[g].at, set.parts[i].words.n);
	FUZZ_OK(fhe_key_set_write(&set, object, &whole));
	CHECK(whole.n == in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(buf_free) struct buf out = buf_make(2 * OBJECT_SIZE_MAX);
	struct bytes script = bytes_from(p, n);
	struct err_note note = {0};
	struct fhe_key_set set;
	unsigned which;
	size_t other = 0;
	enum err e;

	if (n > 4096)
		return 0;
	which = fuzz_u8(&script) % BASES;

	enum fhe_key_object object = (enum fhe_key_object)(which % OBJECTS);
	struct bytes in = fuzz_patch(base_of(which), script);

	e = fhe_key_set_read(&set, object, in, &note);
	check_frame(object, in, e, &note);
	if (e == ERR_OK) {
		FUZZ_OK(fhe_key_set_write(&set, object, &out));
		CHECK(out.n == in.n);
		for (size_t i = 0; i < in.n; i++)
			other += in.p[i] != out.p[i];
		CHECK(other <= 2);
		check_fitting(&set, object);
		if (object != FHE_OBJECT_SERVER_KEY)
			expand(&set, &note);
	} else {
		CHECK(note.text[0]);
	}
	fuzz_free(in);
	return 0;
}
