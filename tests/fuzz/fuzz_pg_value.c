/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A row as PostgreSQL's protocol carries it in binary form. Integers are what their bytes say, and
 * have the width of their type; NUMERIC agrees with a sum in 128 bits; what we send as an argument
 * comes back the same.
 *
 * Input: cells: u8 type (bit 7: NULL) || part
 */
#include "fuzz.h"
#include "store/pg_value.h"

enum {
	CELLS_MAX = 8,
	INT8 = 20,
	TEXT = 25,
	BYTEA = 17,
	NUMERIC = 1700
};

static const Oid types[] = {16, 17, 19, 20, 21, 23, 25, 705, 1042, 1043, 1700, 701, 0};

/* What stands behind libpq's PGresult here. */
struct row {
	struct {
		Oid type;
		bool null;
		struct bytes b;
	} cells[CELLS_MAX];
	int n;
};

static const struct row *row_of(const PGresult *r)
{
	return (const struct row *)(const void *)r;
}

static int nfields(const PGresult *r)
{
	return row_of(r)->n;
}

static int getisnull(const PGresult *r, int at, int i)
{
	(void)at;
	return row_of(r)->cells[i].null;
}

static Oid ftype(const PGresult *r, int i)
{
	return row_of(r)->cells[i].type;
}

static char *getvalue(const PGresult *r, int at, int i)
{
	(void)at;
	return (char *)(uintptr_t)row_of(r)->cells[i].b.p;
}

static int getlength(const PGresult *r, int at, int i)
{
	(void)at;
	return (int)row_of(r)->cells[i].b.n;
}

static const struct pg_lib lib = {
	.nfields = nfields,
	.getisnull = getisnull,
	.ftype = ftype,
	.getvalue = getvalue,
	.getlength = getlength,
};

static enum err row_read(const struct row *r, struct store_value cells[static PG_COLUMNS_MAX],
			 size_t *ret_n)
{
	return pg_row_read(&lib, (const PGresult *)(const void *)r, 0, cells, ret_n);
}

/* ---- the second readings ---- */

static bool simple_int(int64_t *ret_v, Oid type, struct bytes b)
{
	static const size_t widths[] = {[16] = 1, [20] = 8, [21] = 2, [23] = 4};
	uint64_t v = 0;

	if (b.n != widths[type])
		return false;
	for (size_t i = 0; i < b.n; i++)
		v = v << 8 | b.p[i];
	if (type != 16 && b.n < 8 && b.p[0] >= 0x80)
		v |= UINT64_MAX << (8 * b.n);
	*ret_v = (int64_t)v;
	return true;
}

static int u16_at(struct bytes b, size_t i)
{
	return 2 * i + 1 < b.n ? b.p[2 * i] << 8 | b.p[2 * i + 1] : 0;
}

static bool simple_numeric(int64_t *ret_v, struct bytes b)
{
	int digits = u16_at(b, 0), weight = (int16_t)u16_at(b, 1), sign = u16_at(b, 2);
	__int128 v = 0;

	if (b.n != 8 + 2 * (size_t)digits || digits > weight + 1 || weight > 4 ||
	    (sign != 0 && sign != 0x4000))
		return false;
	for (int i = 0; i <= weight; i++) {
		int digit = i < digits ? u16_at(b, 4 + (size_t)i) : 0;

		if (digit > 9999)
			return false;
		v = v * 10000 + digit;
	}
	v = sign ? -v : v;
	if (v < INT64_MIN || v > INT64_MAX)
		return false;
	*ret_v = (int64_t)v;
	return true;
}

static bool is_int(Oid type)
{
	return type == 16 || type == 20 || type == 21 || type == 23;
}

static bool cell_is(Oid type, struct bytes b, const struct store_value *got)
{
	int64_t v = 0;

	if (is_int(type) || type == NUMERIC) {
		bool good = is_int(type) ? simple_int(&v, type, b) : simple_numeric(&v, b);

		CHECK(!got || (good && got->type == STORE_INT && got->i == v));
		return good;
	}
	CHECK(!got || got->type == (type == BYTEA ? STORE_BLOB : STORE_TEXT));
	CHECK(!got || (got->b.p == b.p && got->b.n == b.n));
	return type != 701 && type != 0;
}

/* ---- there and back ---- */

static void check_round(const struct store_value *sent)
{
	struct store_value back[PG_COLUMNS_MAX];
	struct pg_args args;
	struct row r = {.n = 1};
	size_t n;

	FUZZ_OK(pg_args_fill(&args, sent, 1));
	CHECK(args.formats[0] == 1 && pg_value_type(sent) == args.types[0]);
	r.cells[0].type = args.types[0];
	r.cells[0].null = args.values[0] == NULL;
	r.cells[0].b = bytes_from(args.values[0], (size_t)args.lengths[0]);
	FUZZ_OK(row_read(&r, back, &n));
	CHECK(back[0].type == sent->type && back[0].i == sent->i);
	CHECK(sent->type == STORE_INT || bytes_eq_var(back[0].b, sent->b));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n < 4096 ? n : 4096);
	struct store_value cells[PG_COLUMNS_MAX] = {0};
	struct row r = {0};
	bool good = true;
	size_t got_n = 0;

	while (in.n > 0 && r.n < CELLS_MAX) {
		uint8_t what = fuzz_u8(&in);

		r.cells[r.n].type = types[(what & 0x7f) % ARRAY_LEN(types)];
		r.cells[r.n].null = what >> 7;
		r.cells[r.n].b = fuzz_copy(fuzz_part(&in));
		good &= r.cells[r.n].null || cell_is(r.cells[r.n].type, r.cells[r.n].b, NULL);
		r.n++;
	}

	enum err e = row_read(&r, cells, &got_n);

	CHECK((e == ERR_OK) == (good && r.n > 0));
	for (int i = 0; i < r.n; i++) {
		if (e == ERR_OK && r.cells[i].null)
			CHECK(cells[i].type == STORE_NULL);
		else if (e == ERR_OK)
			CHECK(cell_is(r.cells[i].type, r.cells[i].b, &cells[i]));
		if (e == ERR_OK)
			check_round(&cells[i]);
	}
	CHECK(e != ERR_OK || got_n == (size_t)r.n);
	for (int i = 0; i < r.n; i++)
		fuzz_free(r.cells[i].b);
	return 0;
}
