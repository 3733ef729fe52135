/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/layout.h"

#include <stdalign.h>

#include "fhe/items.h"
#include "fhe/params.h"

/* The state of one writing; `gaps` may be NULL. */
struct writing {
	struct bincode_writer *w;
	struct layout_gaps *gaps;
};

static void write_rows(struct writing *s, const struct layout *l, const void *object);

static void write_u32s(struct bincode_writer *w, const uint32_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bincode_put_u32(w, v[i]);
}

/* ---- one function for each kind of row; `object` is the struct, `source` the field ---- */

typedef void write_fn(struct writing *s, const struct layout_row *row, const void *object,
		      const void *source);

static void write_version(struct writing *s, const struct layout_row *row, const void *object,
			  const void *source)
{
	(void)object;
	(void)source;
	bincode_put_u32(s->w, (uint32_t)row->max);
}

static void write_byte(struct writing *s, const struct layout_row *row, const void *object,
		       const void *source)
{
	(void)object;
	(void)source;
	bincode_put_u8(s->w, (uint8_t)row->max);
}

static void write_variant(struct writing *s, const struct layout_row *row, const void *object,
			  const void *source)
{
	(void)row;
	(void)object;
	write_u32s(s->w, (const uint32_t[]){0, *(const uint32_t *)source}, 2);
}

static void write_count(struct writing *s, const struct layout_row *row, const void *object,
			const void *source)
{
	(void)row;
	(void)object;
	bincode_put_v0_u64(s->w, *(const uint64_t *)source);
}

/* u64 and f64 alike: eight bytes, little endian. */
static void write_64(struct writing *s, const struct layout_row *row, const void *object,
		     const void *source)
{
	uint64_t bits;

	(void)row;
	(void)object;
	memcpy(&bits, source, sizeof(bits));
	bincode_put_u64(s->w, bits);
}

static void write_v0_f64(struct writing *s, const struct layout_row *row, const void *object,
			 const void *source)
{
	bincode_put_u32(s->w, 0);
	write_64(s, row, object, source);
}

static void write_tuniform(struct writing *s, const struct layout_row *row, const void *object,
			   const void *source)
{
	(void)row;
	(void)object;
	write_u32s(s->w, (const uint32_t[]){0, 1, 0, *(const uint32_t *)source}, 4);
}

static void write_modulus(struct writing *s, const struct layout_row *row, const void *object,
			  const void *source)
{
	(void)object;
	(void)source;
	bincode_put_u32(s->w, 0);
	bincode_put_u128(s->w, 0, 0);
	bincode_put_u64(s->w, row->max);
}

static void write_mod_switch(struct writing *s, const struct layout_row *row, const void *object,
			     const void *source)
{
	const struct fhe_mod_switch *m = source;

	write_u32s(s->w, (const uint32_t[]){0, m->kind}, 2);
	if (m->kind != FHE_MOD_SWITCH_DRIFT)
		return;
	bincode_put_u32(s->w, 0);
	bincode_put_v0_u64(s->w, m->zeros);
	write_v0_f64(s, row, object, &m->bound);
	write_v0_f64(s, row, object, &m->r_sigma);
	write_v0_f64(s, row, object, &m->variance);
}

static void write_expansion(struct writing *s, const struct layout_row *row, const void *object,
			    const void *source)
{
	uint32_t variant = *(const uint32_t *)source;

	(void)row;
	(void)object;
	write_u32s(s->w, (const uint32_t[]){1, variant, 0, 0, 0, 0}, variant == 1 ? 6 : 2);
}

static void write_seed(struct writing *s, const struct layout_row *row, const void *object,
		       const void *source)
{
	const struct fhe_seed *seed = source;

	(void)row;
	(void)object;
	write_u32s(s->w, (const uint32_t[]){1, 0, 0, seed->kind, 0}, 5);
	if (seed->kind == FHE_SEED_XOF)
		bincode_put_vec(s->w, seed->bytes);
	else
		bincode_put_raw(s->w, seed->bytes);
	write_u32s(s->w, (const uint32_t[]){0, 0}, 2);
	bincode_put_u128(s->w, seed->block, 0);
	bincode_put_v0_u64(s->w, seed->byte);
}

static void write_words(struct writing *s, const struct layout_row *row, const void *object,
			const void *source)
{
	const struct bytes *words = source;

	(void)object;
	bincode_put_u64(s->w, words->n / row->width);
	if (words->p || words->n == 0) {
		bincode_put_raw(s->w, *words);
		return;
	}
	CHECK(s->gaps && s->gaps->n < LAYOUT_GAPS_MAX);
	s->gaps->gap[s->gaps->n++] = (struct layout_gap){.at = s->w->out->n, .words = words};
}

static void write_key(struct writing *s, const struct layout_row *row, const void *object,
		      const void *source)
{
	const struct fhe_key_part *part = source;

	(void)object;
	bincode_put_u64(s->w, part->bits.n);
	for (size_t i = 0; i < part->bits.n; i++) {
		bincode_put_u64(s->w, part->bits.p[i]);
		if (row->width == 16)
			bincode_put_u64(s->w, 0);
	}
}

static void write_bytes(struct writing *s, const struct layout_row *row, const void *object,
			const void *source)
{
	(void)row;
	(void)object;
	bincode_put_vec(s->w, *(const struct bytes *)source);
}

static void write_tag(struct writing *s, const struct layout_row *row, const void *object,
		      const void *source)
{
	bincode_put_u32(s->w, 0);
	write_bytes(s, row, object, source);
}

static void write_option(struct writing *s, const struct layout_row *row, const void *object,
			 const void *source)
{
	bool present = row->sub && *(const bool *)source;

	bincode_put_u8(s->w, present);
	if (present)
		write_rows(s, row->sub, object);
}

static void write_when(struct writing *s, const struct layout_row *row, const void *object,
		       const void *source)
{
	if (*(const uint32_t *)source == row->min)
		write_rows(s, row->sub, object);
}

static void write_sub(struct writing *s, const struct layout_row *row, const void *object,
		      const void *source)
{
	(void)object;
	write_rows(s, row->sub, source);
}

static void write_since(struct writing *s, const struct layout_row *row, const void *object,
			const void *source)
{
	(void)source;
	write_rows(s, row->sub, object);
}

static void write_array(struct writing *s, const struct layout_row *row, const void *object,
			const void *source)
{
	size_t n = *(const size_t *)(const void *)((const uint8_t *)object + row->count);

	bincode_put_u64(s->w, n);
	for (size_t i = 0; i < n; i++)
		write_rows(s, row->sub, (const uint8_t *)source + i * row->width);
}

/* What was read in an older form is written in the newest. */
static void write_one(struct writing *s, const struct layout_row *row, const void *object,
		      const void *source)
{
	alignas(max_align_t) uint8_t scratch[LAYOUT_ITEM_MAX];
	struct layout_list list = *(const struct layout_list *)source;
	uint64_t n = list.n;

	(void)object;
	memset(scratch, 0, row->width);
	for (uint64_t i = 0; i < n; i++) {
		if (list.make)
			list.make(list.context, i, scratch);
		else if (list.encoded.n > 0)
			CHECK(layout_list_next(&list, scratch));
		write_rows(s, row->sub, scratch);
	}
}

static void write_list(struct writing *s, const struct layout_row *row, const void *object,
		       const void *source)
{
	bincode_put_u64(s->w, ((const struct layout_list *)source)->n);
	write_one(s, row, object, source);
}

static void write_items(struct writing *s, const struct layout_row *row, const void *object,
			const void *source)
{
	struct fhe_items items = *(const struct fhe_items *)source;
	struct fhe_item item;

	(void)row;
	(void)object;
	bincode_put_u64(s->w, items.n);
	while (fhe_items_next(&items, &item))
		fhe_item_write(s->w, item);
}

static void write_point(struct writing *s, const struct layout_row *row, const void *object,
			const void *source)
{
	(void)row;
	(void)object;
	bincode_put_raw(s->w, *(const struct bytes *)source);
}

static void write_nothing(struct writing *s, const struct layout_row *row, const void *object,
			  const void *source)
{
	(void)s;
	(void)row;
	(void)object;
	(void)source;
}

static write_fn *const writers[LAYOUT_KINDS] = {
	[LAYOUT_VERSION] = write_version,
	[LAYOUT_READ] = write_version,
	[LAYOUT_BYTE] = write_byte,
	[LAYOUT_VARIANT] = write_variant,
	[LAYOUT_COUNT] = write_count,
	[LAYOUT_U64] = write_64,
	[LAYOUT_F64] = write_64,
	[LAYOUT_V0_F64] = write_v0_f64,
	[LAYOUT_TUNIFORM] = write_tuniform,
	[LAYOUT_MODULUS] = write_modulus,
	[LAYOUT_MOD_SWITCH] = write_mod_switch,
	[LAYOUT_EXPANSION] = write_expansion,
	[LAYOUT_SEED] = write_seed,
	[LAYOUT_WORDS] = write_words,
	[LAYOUT_KEY] = write_key,
	[LAYOUT_BYTES] = write_bytes,
	[LAYOUT_TAG] = write_tag,
	[LAYOUT_OPTION] = write_option,
	[LAYOUT_WHEN] = write_when,
	[LAYOUT_SINCE] = write_since,
	[LAYOUT_SUB] = write_sub,
	[LAYOUT_ARRAY] = write_array,
	[LAYOUT_LIST] = write_list,
	[LAYOUT_ONE] = write_one,
	[LAYOUT_ITEMS] = write_items,
	[LAYOUT_POINT] = write_point,
	[LAYOUT_AT] = write_nothing,
};

static void write_rows(struct writing *s, const struct layout *l, const void *object)
{
	for (size_t i = 0; i < l->rows_n; i++) {
		const struct layout_row *row = &l->rows[i];

		writers[row->kind](s, row, object, (const uint8_t *)object + row->offset);
	}
}

void layout_write(struct bincode_writer *w, const struct layout *l, const void *object)
{
	struct writing s = {.w = w};

	write_rows(&s, l, object);
}

void layout_write_frame(struct bincode_writer *w, const struct layout *l, const void *object,
			struct layout_gaps *gaps)
{
	struct writing s = {.w = w, .gaps = gaps};

	write_rows(&s, l, object);
}

/* ---- checking ---- */

static enum err check_row(const struct layout *l, const struct layout_row *row, uint64_t v,
			  struct err_note *note)
{
	if (v < row->min || v > row->max)
		return err_say(note, ERR_UNSUPPORTED, "%s: %s is %llu, not in %llu to %llu",
			       l->name, row->name, (unsigned long long)v,
			       (unsigned long long)row->min, (unsigned long long)row->max);
	return ERR_OK;
}

enum err layout_check(const struct layout *l, const void *object, struct err_note *note)
{
	for (size_t i = 0; i < l->rows_n; i++) {
		const struct layout_row *row = &l->rows[i];
		const void *source = (const uint8_t *)object + row->offset;

		if (row->kind == LAYOUT_COUNT || row->kind == LAYOUT_U64)
			TRY(check_row(l, row, *(const uint64_t *)source, note));
		if (row->kind == LAYOUT_VARIANT || row->kind == LAYOUT_TUNIFORM)
			TRY(check_row(l, row, *(const uint32_t *)source, note));
	}
	return ERR_OK;
}
