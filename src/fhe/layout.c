/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/layout.h"

#include <stdalign.h>

#include "base/limits.h"
#include "fhe/crs_internal.h"
#include "fhe/items.h"
#include "fhe/params.h"

/* What is being read, for the words of an error, and out of what. */
struct place {
	const struct layout *layout;
	const struct layout_row *row;
	size_t at; /* of the field, from the start of the input */
	struct err_note *note;
	struct layout_stream *stream; /* NULL when all of the input is in memory */
};

static void read_rows(struct reader *r, const struct layout *l, void *object,
		      struct layout_stream *stream, struct err_note *note);

static void place_fail(struct reader *r, const struct place *p, enum err e, uint64_t found)
{
	if (r->err == ERR_OK)
		reader_fail(r,
			    err_say(p->note, e, "%s: %s at byte %zu is %llu, which we do not read",
				    p->layout->name, p->row->name, p->at,
				    (unsigned long long)found));
}

/* Say where the input ended or broke, unless something more exact was said already. */
static void place_locate(const struct reader *r, const struct place *p)
{
	if (r->err != ERR_OK && p->note && p->note->text[0] == '\0')
		(void)err_say(p->note, r->err, "%s: %s at byte %zu is missing or malformed",
			      p->layout->name, p->row->name, p->at);
}

static uint64_t bounded(struct reader *r, const struct place *p, uint64_t v, enum err beyond)
{
	if (v >= p->row->min && v <= p->row->max)
		return v;
	place_fail(r, p, v > p->row->max ? beyond : ERR_UNSUPPORTED, v);
	return p->row->min;
}

static void expect(struct reader *r, const struct place *p, uint32_t want)
{
	uint32_t v = reader_u32le(r);

	if (v != want)
		place_fail(r, p, ERR_UNSUPPORTED, v);
}

/* ---- one function for each kind of row; `object` is the struct, `target` the field ---- */

typedef void read_fn(struct reader *r, const struct place *p, void *object, void *target);

static void read_version(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	(void)target;
	(void)bounded(r, p, reader_u32le(r), ERR_UNSUPPORTED);
}

static void read_read(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	*(uint32_t *)target = (uint32_t)bounded(r, p, reader_u32le(r), ERR_UNSUPPORTED);
}

static void read_byte(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	(void)target;
	(void)bounded(r, p, reader_u8(r), ERR_UNSUPPORTED);
}

static void read_variant(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	expect(r, p, 0);
	*(uint32_t *)target = (uint32_t)bounded(r, p, reader_u32le(r), ERR_UNSUPPORTED);
}

static void read_u64(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	*(uint64_t *)target = bounded(r, p, reader_u64le(r), ERR_UNSUPPORTED);
}

static void read_count(struct reader *r, const struct place *p, void *object, void *target)
{
	expect(r, p, 0);
	read_u64(r, p, object, target);
}

static void read_f64(struct reader *r, const struct place *p, void *object, void *target)
{
	uint64_t bits = reader_u64le(r);

	(void)p;
	(void)object;
	memcpy(target, &bits, sizeof(bits));
}

static void read_v0_f64(struct reader *r, const struct place *p, void *object, void *target)
{
	expect(r, p, 0);
	read_f64(r, p, object, target);
}

static void read_tuniform(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	expect(r, p, 0);
	expect(r, p, 1);
	expect(r, p, 0);
	*(uint32_t *)target = (uint32_t)bounded(r, p, reader_u32le(r), ERR_UNSUPPORTED);
}

static void read_modulus(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	(void)target;
	expect(r, p, 0);
	if ((reader_u64le(r) | reader_u64le(r)) != 0 || reader_u64le(r) != p->row->max)
		place_fail(r, p, ERR_UNSUPPORTED, 0);
}

static void read_mod_switch(struct reader *r, const struct place *p, void *object, void *target)
{
	struct fhe_mod_switch *m = target;

	expect(r, p, 0);
	m->kind = reader_u32le(r);
	if (m->kind > FHE_MOD_SWITCH_CENTERED_MEAN)
		place_fail(r, p, ERR_UNSUPPORTED, m->kind);
	if (m->kind != FHE_MOD_SWITCH_DRIFT)
		return;
	expect(r, p, 0);
	m->zeros = bincode_v0_u64(r);
	read_v0_f64(r, p, object, &m->bound);
	read_v0_f64(r, p, object, &m->r_sigma);
	read_v0_f64(r, p, object, &m->variance);
}

/* Version 0 has the same body for RequiresCasting; NoCasting carries the atomic pattern since
 * version 1. */
static void read_expansion(struct reader *r, const struct place *p, void *object, void *target)
{
	uint32_t version = reader_u32le(r);
	uint32_t variant = reader_u32le(r);

	(void)object;
	if (version > 1 || variant > version)
		place_fail(r, p, ERR_UNSUPPORTED, variant);
	for (int i = 0; variant == 1 && i < 4; i++)
		expect(r, p, 0);
	*(uint32_t *)target = variant;
}

/* CompressionSeed V1: a seed of one of two kinds, and where in its stream the masks begin. */
static void read_seed(struct reader *r, const struct place *p, void *object, void *target)
{
	struct fhe_seed *s = target;

	(void)object;
	expect(r, p, 1);
	expect(r, p, 0);
	expect(r, p, 0);
	s->kind = reader_u32le(r);
	if (s->kind > FHE_SEED_XOF)
		place_fail(r, p, ERR_UNSUPPORTED, s->kind);
	expect(r, p, 0);
	s->bytes = s->kind == FHE_SEED_XOF ? bincode_vec(r, FHE_SEED_SIZE_MAX)
					   : reader_bytes(r, FHE_SEED_CTR_SIZE);
	if (s->kind == FHE_SEED_XOF && s->bytes.n < FHE_SEED_DSEP_SIZE)
		place_fail(r, p, ERR_UNSUPPORTED, s->bytes.n);
	expect(r, p, 0);
	expect(r, p, 0);
	s->block = reader_u64le(r);
	if (reader_u64le(r) != 0 || s->block > FHE_SEED_BLOCK_MAX)
		place_fail(r, p, ERR_UNSUPPORTED, s->block);
	s->byte = bincode_v0_u64(r);
	if (s->byte > 15)
		place_fail(r, p, ERR_UNSUPPORTED, s->byte);
}

/* The next piece of the frame, from byte `at` of the input. What was read before stays where it is:
 * the buffer has room for all. */
static enum err stream_to(struct reader *r, const struct layout_stream *s, uint64_t at,
			  struct err_note *note)
{
	uint64_t left = at <= s->source->size ? s->source->size - at : 0;
	size_t n = left < LAYOUT_WINDOW ? (size_t)left : LAYOUT_WINDOW;
	uint8_t *place;

	if (at > s->source->size)
		return ERR_TRUNCATED;
	TRY(buf_add_space(s->frame, n, &place));
	TRY(fhe_source_read(s->source, at, place, n, note));
	*r = (struct reader){.in = bytes_from(place, n), .size = (size_t)at + n};
	return ERR_OK;
}

/* The words stay where they are. */
static void stream_words(struct reader *r, const struct place *p, size_t size, struct bytes *target)
{
	struct layout_stream *s = p->stream;
	size_t at = reader_offset(r);
	enum err e;

	CHECK(s->gaps->n < LAYOUT_GAPS_MAX);
	s->gaps->gap[s->gaps->n++] = (struct layout_gap){.at = at, .words = target};
	*target = (struct bytes){.n = size};
	e = stream_to(r, s, (uint64_t)at + size, p->note);
	if (e != ERR_OK)
		reader_fail(r, e);
}

static void read_words(struct reader *r, const struct place *p, void *object, void *target)
{
	uint64_t n = bounded(r, p, reader_u64le(r), ERR_TOO_BIG);
	size_t size = (size_t)n * p->row->width;

	(void)object;
	if (p->stream && r->err == ERR_OK)
		stream_words(r, p, size, target);
	else
		*(struct bytes *)target = r->err == ERR_OK ? reader_bytes(r, size) : BYTES_NONE;
}

static void read_key(struct reader *r, const struct place *p, void *object, void *target)
{
	struct fhe_key_part part = {.width = p->row->width, .at = p->at};

	read_words(r, p, object, &part.words);
	*(struct fhe_key_part *)target = part;
}

static void read_bytes(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	*(struct bytes *)target = bincode_vec(r, p->row->max);
	if (r->err == ERR_OK)
		(void)bounded(r, p, ((struct bytes *)target)->n, ERR_TOO_BIG);
}

static void read_tag(struct reader *r, const struct place *p, void *object, void *target)
{
	expect(r, p, 0);
	read_bytes(r, p, object, target);
}

static void read_option(struct reader *r, const struct place *p, void *object, void *target)
{
	bool present = bincode_option(r);

	if (!p->row->sub) {
		if (present)
			place_fail(r, p, ERR_UNSUPPORTED, 1);
		return;
	}
	*(bool *)target = present;
	if (present && r->err == ERR_OK)
		read_rows(r, p->row->sub, object, p->stream, p->note);
}

static void read_when(struct reader *r, const struct place *p, void *object, void *target)
{
	if (*(const uint32_t *)target == p->row->min)
		read_rows(r, p->row->sub, object, p->stream, p->note);
}

static void read_since(struct reader *r, const struct place *p, void *object, void *target)
{
	if (*(const uint32_t *)target >= p->row->min)
		read_rows(r, p->row->sub, object, p->stream, p->note);
}

static void read_sub(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	read_rows(r, p->row->sub, target, p->stream, p->note);
}

static void read_array(struct reader *r, const struct place *p, void *object, void *target)
{
	size_t n = (size_t)bounded(r, p, reader_u64le(r), ERR_TOO_BIG);

	for (size_t i = 0; i < n && r->err == ERR_OK; i++)
		read_rows(r, p->row->sub, (uint8_t *)target + i * p->row->width, p->stream,
			  p->note);
	*(size_t *)(void *)((uint8_t *)object + p->row->count) = n;
}

/* Steps over n structs. */
static void read_structs(struct reader *r, const struct place *p, uint64_t n, void *target)
{
	alignas(max_align_t) uint8_t scratch[LAYOUT_ITEM_MAX];
	struct layout_list list = {.n = n, .layout = p->row->sub, .at = reader_offset(r)};
	struct bytes start = r->in;

	CHECK(p->row->width <= sizeof(scratch));
	for (uint64_t i = 0; i < n && r->err == ERR_OK; i++)
		read_rows(r, p->row->sub, scratch, p->stream, p->note);
	list.encoded = bytes_sub(start, 0, start.n - r->in.n);
	*(struct layout_list *)target = list;
}

static void read_list(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	read_structs(r, p, bounded(r, p, reader_u64le(r), ERR_TOO_BIG), target);
}

static void read_one(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	read_structs(r, p, 1, target);
}

static void read_items(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)object;
	*(struct fhe_items *)target = fhe_items_read(r, p->note);
}

/* Only form, as a verifier looks at the rest. */
static void read_point(struct reader *r, const struct place *p, void *object, void *target)
{
	struct bytes start = r->in;
	uint32_t variant;

	(void)object;
	expect(r, p, 0);
	variant = reader_u32le(r);
	if (variant != CRS_VARIANT_INFINITY && variant != CRS_VARIANT_UNCOMPRESSED)
		place_fail(r, p, ERR_UNSUPPORTED, variant);
	for (unsigned c = 0; c < 2 && variant == CRS_VARIANT_UNCOMPRESSED; c++) {
		if (p->row->width == 2)
			expect(r, p, 0);
		for (unsigned i = 0; i < p->row->width; i++) {
			expect(r, p, 0);
			if (reader_u64le(r) != CRS_FIELD_LIMBS)
				place_fail(r, p, ERR_UNSUPPORTED, 0);
			(void)reader_bytes(r, BLS12_446_FIELD_SIZE);
		}
	}
	*(struct bytes *)target = bytes_sub(start, 0, start.n - r->in.n);
}

static void read_at(struct reader *r, const struct place *p, void *object, void *target)
{
	(void)r;
	(void)object;
	*(size_t *)target = p->at;
}

static read_fn *const readers[LAYOUT_KINDS] = {
	[LAYOUT_VERSION] = read_version,
	[LAYOUT_READ] = read_read,
	[LAYOUT_BYTE] = read_byte,
	[LAYOUT_VARIANT] = read_variant,
	[LAYOUT_COUNT] = read_count,
	[LAYOUT_U64] = read_u64,
	[LAYOUT_F64] = read_f64,
	[LAYOUT_V0_F64] = read_v0_f64,
	[LAYOUT_TUNIFORM] = read_tuniform,
	[LAYOUT_MODULUS] = read_modulus,
	[LAYOUT_MOD_SWITCH] = read_mod_switch,
	[LAYOUT_EXPANSION] = read_expansion,
	[LAYOUT_SEED] = read_seed,
	[LAYOUT_WORDS] = read_words,
	[LAYOUT_KEY] = read_key,
	[LAYOUT_BYTES] = read_bytes,
	[LAYOUT_TAG] = read_tag,
	[LAYOUT_OPTION] = read_option,
	[LAYOUT_WHEN] = read_when,
	[LAYOUT_SINCE] = read_since,
	[LAYOUT_SUB] = read_sub,
	[LAYOUT_ARRAY] = read_array,
	[LAYOUT_LIST] = read_list,
	[LAYOUT_ONE] = read_one,
	[LAYOUT_ITEMS] = read_items,
	[LAYOUT_POINT] = read_point,
	[LAYOUT_AT] = read_at,
};

static void read_rows(struct reader *r, const struct layout *l, void *object,
		      struct layout_stream *stream, struct err_note *note)
{
	for (size_t i = 0; i < l->rows_n && r->err == ERR_OK; i++) {
		const struct layout_row *row = &l->rows[i];
		struct place p = {.layout = l,
				  .row = row,
				  .at = reader_offset(r),
				  .note = note,
				  .stream = stream};

		/* Rows are ours: the offset is inside and aligned for its kind. */
		readers[row->kind](r, &p, object, (uint8_t *)object + row->offset);
		place_locate(r, &p);
	}
}

void layout_read(struct reader *r, const struct layout *l, void *object, struct err_note *note)
{
	read_rows(r, l, object, NULL, note);
}

bool layout_list_next(struct layout_list *list, void *ret_item)
{
	struct reader r = {.in = list->encoded, .size = list->at + list->encoded.n};

	if (list->n == 0)
		return false;
	layout_read(&r, list->layout, ret_item, NULL);
	CHECK(r.err == ERR_OK);
	list->encoded = r.in;
	list->at = reader_offset(&r);
	list->n--;
	return true;
}

enum err layout_stream_open(struct reader *ret_reader, const struct layout_stream *s,
			    struct err_note *note)
{
	TRY(buf_reserve(s->frame, LAYOUT_FRAME_MAX));
	return stream_to(ret_reader, s, 0, note);
}

void layout_read_frame(struct reader *r, const struct layout *l, void *object,
		       struct layout_stream *stream, struct err_note *note)
{
	read_rows(r, l, object, stream, note);
}

enum err layout_end(const struct reader *r, const char *object, struct err_note *note)
{
	enum err e = reader_end(r);

	if (e != ERR_OK && note && note->text[0] == '\0')
		(void)err_say(note, e, "%s: %s at byte %zu", object,
			      r->err != ERR_OK ? "malformed" : "bytes left over", reader_offset(r));
	return e;
}
