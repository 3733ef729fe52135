/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/layout.h"

#include "fhe/params.h"

/* ---- reading ---- */

/* Where a row's value lives. Rows are ours, so the offset is inside and aligned for its kind. */
static void *row_target(const struct layout_row *row, void *object)
{
	return (uint8_t *)object + row->offset;
}

static const void *row_source(const struct layout_row *row, const void *object)
{
	return (const uint8_t *)object + row->offset;
}

static void row_fail(struct reader *r, enum err e, struct err_note *note, const char *object,
		     const char *field, uint64_t found)
{
	if (r->err == ERR_OK)
		reader_fail(r, err_say(note, e, "%s: %s is %llu, which we do not read", object,
				       field, (unsigned long long)found));
}

/* Say where the input ended or broke, unless something more exact was said already. */
static void row_locate(const struct reader *r, struct err_note *note, const char *object,
		       const char *field)
{
	if (r->err != ERR_OK && note && note->text[0] == '\0')
		(void)err_say(note, r->err, "%s: %s is missing or malformed", object, field);
}

static void read_version(struct reader *r, const struct layout *l, const struct layout_row *row,
			 struct err_note *note)
{
	uint32_t v = reader_u32le(r);

	if (v < row->min || v > row->max)
		row_fail(r, ERR_UNSUPPORTED, note, l->name, row->name, v);
}

static uint64_t read_bounded(struct reader *r, const struct layout *l, const struct layout_row *row,
			     uint64_t v, enum err beyond, struct err_note *note)
{
	if (v >= row->min && v <= row->max)
		return v;
	row_fail(r, v > row->max ? beyond : ERR_UNSUPPORTED, note, l->name, row->name, v);
	return row->min;
}

static void expect(struct reader *r, const struct layout *l, const struct layout_row *row,
		   uint32_t want, struct err_note *note)
{
	uint32_t v = reader_u32le(r);

	if (v != want)
		row_fail(r, ERR_UNSUPPORTED, note, l->name, row->name, v);
}

static double read_f64(struct reader *r)
{
	uint64_t bits = reader_u64le(r);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static void read_mod_switch(struct reader *r, const struct layout *l, const struct layout_row *row,
			    struct fhe_mod_switch *m, struct err_note *note)
{
	expect(r, l, row, 0, note);
	m->kind = reader_u32le(r);
	if (m->kind > FHE_MOD_SWITCH_CENTERED_MEAN)
		row_fail(r, ERR_UNSUPPORTED, note, l->name, row->name, m->kind);
	if (m->kind != FHE_MOD_SWITCH_DRIFT)
		return;
	expect(r, l, row, 0, note);
	m->zeros = bincode_v0_u64(r);
	expect(r, l, row, 0, note);
	m->bound = read_f64(r);
	expect(r, l, row, 0, note);
	m->r_sigma = read_f64(r);
	expect(r, l, row, 0, note);
	m->variance = read_f64(r);
}

/* Version 0 has the same body for RequiresCasting; NoCasting carries the atomic pattern since
 * version 1. */
static void read_expansion(struct reader *r, const struct layout *l, const struct layout_row *row,
			   uint32_t *target, struct err_note *note)
{
	uint32_t version = reader_u32le(r);
	uint32_t variant = reader_u32le(r);

	if (version > 1 || variant > version)
		row_fail(r, ERR_UNSUPPORTED, note, l->name, row->name, variant);
	for (int i = 0; variant == 1 && i < 4; i++)
		expect(r, l, row, 0, note);
	*target = variant;
}

static struct bytes read_words(struct reader *r, const struct layout *l,
			       const struct layout_row *row, struct err_note *note)
{
	uint64_t n = read_bounded(r, l, row, reader_u64le(r), ERR_TOO_BIG, note);

	return r->err == ERR_OK ? reader_bytes(r, (size_t)n * row->width) : BYTES_NONE;
}

static void read_option(struct reader *r, const struct layout *l, const struct layout_row *row,
			void *object, struct err_note *note)
{
	bool present = bincode_option(r);

	if (!row->sub) {
		if (present)
			row_fail(r, ERR_UNSUPPORTED, note, l->name, row->name, 1);
		return;
	}
	*(bool *)row_target(row, object) = present;
	if (present && r->err == ERR_OK)
		layout_read(r, row->sub, object, note);
}

static void read_row(struct reader *r, const struct layout *l, const struct layout_row *row,
		     void *object, struct err_note *note)
{
	void *target = row_target(row, object);

	switch (row->kind) {
	case LAYOUT_VERSION:
		read_version(r, l, row, note);
		break;
	case LAYOUT_VARIANT:
		expect(r, l, row, 0, note);
		*(uint32_t *)target =
			(uint32_t)read_bounded(r, l, row, reader_u32le(r), ERR_UNSUPPORTED, note);
		break;
	case LAYOUT_COUNT:
		expect(r, l, row, 0, note);
		*(uint64_t *)target =
			read_bounded(r, l, row, reader_u64le(r), ERR_UNSUPPORTED, note);
		break;
	case LAYOUT_U64:
		*(uint64_t *)target =
			read_bounded(r, l, row, reader_u64le(r), ERR_UNSUPPORTED, note);
		break;
	case LAYOUT_F64:
		*(double *)target = read_f64(r);
		break;
	case LAYOUT_TUNIFORM:
		expect(r, l, row, 0, note);
		expect(r, l, row, 1, note);
		expect(r, l, row, 0, note);
		*(uint32_t *)target =
			(uint32_t)read_bounded(r, l, row, reader_u32le(r), ERR_UNSUPPORTED, note);
		break;
	case LAYOUT_MODULUS:
		expect(r, l, row, 0, note);
		if ((reader_u64le(r) | reader_u64le(r)) != 0 || reader_u64le(r) != row->max)
			row_fail(r, ERR_UNSUPPORTED, note, l->name, row->name, 0);
		break;
	case LAYOUT_MOD_SWITCH:
		read_mod_switch(r, l, row, target, note);
		break;
	case LAYOUT_EXPANSION:
		read_expansion(r, l, row, target, note);
		break;
	case LAYOUT_WORDS:
		*(struct bytes *)target = read_words(r, l, row, note);
		break;
	case LAYOUT_KEY:
		*(struct fhe_key_part *)target = (struct fhe_key_part){
			.words = read_words(r, l, row, note), .width = row->width};
		break;
	case LAYOUT_TAG:
		expect(r, l, row, 0, note);
		*(struct bytes *)target = bincode_vec(r, row->max);
		break;
	case LAYOUT_OPTION:
		read_option(r, l, row, object, note);
		break;
	case LAYOUT_SUB:
		layout_read(r, row->sub, target, note);
		break;
	}
}

void layout_read(struct reader *r, const struct layout *l, void *object, struct err_note *note)
{
	for (size_t i = 0; i < l->rows_n && r->err == ERR_OK; i++) {
		read_row(r, l, &l->rows[i], object, note);
		row_locate(r, note, l->name, l->rows[i].name);
	}
}

enum err layout_end(const struct reader *r, const char *object, struct err_note *note)
{
	enum err e = reader_end(r);

	if (e != ERR_OK && note && note->text[0] == '\0')
		(void)err_say(note, e, "%s: %s", object,
			      r->err != ERR_OK ? "malformed" : "bytes left over at the end");
	return e;
}

/* ---- writing ---- */

static void write_f64(struct bincode_writer *w, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	bincode_put_u64(w, bits);
}

static void write_v0_f64(struct bincode_writer *w, double v)
{
	bincode_put_u32(w, 0);
	write_f64(w, v);
}

static void write_mod_switch(struct bincode_writer *w, const struct fhe_mod_switch *m)
{
	bincode_put_u32(w, 0);
	bincode_put_u32(w, m->kind);
	if (m->kind != FHE_MOD_SWITCH_DRIFT)
		return;
	bincode_put_u32(w, 0);
	bincode_put_v0_u64(w, m->zeros);
	write_v0_f64(w, m->bound);
	write_v0_f64(w, m->r_sigma);
	write_v0_f64(w, m->variance);
}

static void write_key(struct bincode_writer *w, const struct fhe_key_part *part, unsigned width)
{
	bincode_put_u64(w, part->bits.n);
	for (size_t i = 0; i < part->bits.n; i++) {
		bincode_put_u64(w, part->bits.p[i]);
		if (width == 16)
			bincode_put_u64(w, 0);
	}
}

static void write_words(struct bincode_writer *w, struct bytes words, unsigned width)
{
	bincode_put_u64(w, words.n / width);
	bincode_put_raw(w, words);
}

static void write_u32s(struct bincode_writer *w, const uint32_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bincode_put_u32(w, v[i]);
}

static void write_option(struct bincode_writer *w, const struct layout_row *row, const void *object)
{
	bool present = row->sub && *(const bool *)row_source(row, object);

	bincode_put_u8(w, present);
	if (present)
		layout_write(w, row->sub, object);
}

static void write_row(struct bincode_writer *w, const struct layout_row *row, const void *object)
{
	const void *source = row_source(row, object);

	switch (row->kind) {
	case LAYOUT_VERSION:
		bincode_put_u32(w, (uint32_t)row->max);
		break;
	case LAYOUT_VARIANT:
		write_u32s(w, (const uint32_t[]){0, *(const uint32_t *)source}, 2);
		break;
	case LAYOUT_COUNT:
		bincode_put_v0_u64(w, *(const uint64_t *)source);
		break;
	case LAYOUT_U64:
		bincode_put_u64(w, *(const uint64_t *)source);
		break;
	case LAYOUT_F64:
		write_f64(w, *(const double *)source);
		break;
	case LAYOUT_TUNIFORM:
		write_u32s(w, (const uint32_t[]){0, 1, 0, *(const uint32_t *)source}, 4);
		break;
	case LAYOUT_MODULUS:
		bincode_put_u32(w, 0);
		bincode_put_u128(w, 0, 0);
		bincode_put_u64(w, row->max);
		break;
	case LAYOUT_MOD_SWITCH:
		write_mod_switch(w, source);
		break;
	case LAYOUT_EXPANSION:
		write_u32s(w, (const uint32_t[]){1, *(const uint32_t *)source, 0, 0, 0, 0},
			   *(const uint32_t *)source == 1 ? 6 : 2);
		break;
	case LAYOUT_WORDS:
		write_words(w, *(const struct bytes *)source, row->width);
		break;
	case LAYOUT_KEY:
		write_key(w, source, row->width);
		break;
	case LAYOUT_TAG:
		bincode_put_u32(w, 0);
		bincode_put_vec(w, *(const struct bytes *)source);
		break;
	case LAYOUT_OPTION:
		write_option(w, row, object);
		break;
	case LAYOUT_SUB:
		layout_write(w, row->sub, source);
		break;
	}
}

void layout_write(struct bincode_writer *w, const struct layout *l, const void *object)
{
	for (size_t i = 0; i < l->rows_n; i++)
		write_row(w, &l->rows[i], object);
}
