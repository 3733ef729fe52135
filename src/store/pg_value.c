/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/pg_value.h"

/* Object ids of built-in types: fixed for ever (PostgreSQL, pg_type.dat). */
enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_UNKNOWN = 705,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_NUMERIC = 1700,
};

enum {
	VALUE_BYTES_MAX = 1 << 30,
	NUMERIC_BASE = 10000,
	NUMERIC_NEGATIVE = 0x4000,
};

/* ---- arguments ---- */

Oid pg_value_type(const struct store_value *v)
{
	static const Oid types[] = {
		[STORE_NULL] = 0,
		[STORE_INT] = OID_INT8,
		[STORE_TEXT] = OID_TEXT,
		[STORE_BLOB] = OID_BYTEA,
	};

	return types[v->type];
}

static void int64_to_be(uint8_t ret_be[static 8], int64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		ret_be[i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
}

enum err pg_args_fill(struct pg_args *a, const struct store_value *args, size_t args_n)
{
	if (args_n > PG_ARGS_MAX)
		return ERR_RANGE;
	for (size_t i = 0; i < args_n; i++) {
		const struct store_value *v = &args[i];

		a->types[i] = pg_value_type(v);
		a->formats[i] = 1;
		a->values[i] = NULL;
		a->lengths[i] = 0;
		if (v->type == STORE_INT) {
			int64_to_be(a->ints[i], v->i);
			a->values[i] = (const char *)a->ints[i];
			a->lengths[i] = sizeof(a->ints[i]);
		} else if (v->type != STORE_NULL) {
			if (v->b.n > VALUE_BYTES_MAX)
				return ERR_RANGE;
			a->values[i] = v->b.n > 0 ? (const char *)v->b.p : "";
			a->lengths[i] = (int)v->b.n;
		}
	}
	return ERR_OK;
}

/* ---- cells ---- */

static uint16_t u16_read(struct reader *r)
{
	unsigned high = reader_u8(r);

	return (uint16_t)(high << 8 | reader_u8(r));
}

static enum err int_read(int64_t *ret_v, Oid type, struct bytes b)
{
	struct reader r = reader_of(b);
	int64_t v;

	switch (type) {
	case OID_INT8:
		v = (int64_t)reader_u64be(&r);
		break;
	case OID_INT4:
		v = (int32_t)reader_u32be(&r);
		break;
	case OID_INT2:
		v = (int16_t)u16_read(&r);
		break;
	default:
		v = reader_u8(&r); /* a boolean */
		break;
	}
	if (reader_end(&r) != ERR_OK)
		return ERR_INTERNAL;
	*ret_v = v;
	return ERR_OK;
}

/* sum() of 64-bit integers is a NUMERIC: digits to base 10000, the first worth 10000^weight, zeros
 * at the end left out (PostgreSQL, numeric_send). */
static enum err numeric_read(int64_t *ret_v, struct bytes b)
{
	struct reader r = reader_of(b);
	unsigned digits_n = u16_read(&r);
	int weight = (int16_t)u16_read(&r);
	unsigned sign = u16_read(&r);
	int64_t v = 0;

	(void)u16_read(&r); /* digits shown behind the point */
	if (sign != 0 && sign != NUMERIC_NEGATIVE)
		return ERR_INTERNAL; /* not a number, infinity */
	if (weight > 4)
		return ERR_INTERNAL;
	if ((int)digits_n > weight + 1)
		return ERR_INTERNAL; /* a fraction */
	for (int i = 0; i <= weight; i++) {
		int digit = (unsigned)i < digits_n ? u16_read(&r) : 0;

		if (digit >= NUMERIC_BASE || __builtin_mul_overflow(v, NUMERIC_BASE, &v) ||
		    __builtin_add_overflow(v, sign ? -digit : digit, &v))
			return ERR_INTERNAL;
	}
	if (reader_end(&r) != ERR_OK)
		return ERR_INTERNAL;
	*ret_v = v;
	return ERR_OK;
}

static enum err cell_read(struct store_value *ret_cell, Oid type, struct bytes b)
{
	int64_t v = 0;

	switch (type) {
	case OID_BOOL:
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
		TRY(int_read(&v, type, b));
		*ret_cell = store_int(v);
		return ERR_OK;
	case OID_NUMERIC:
		TRY(numeric_read(&v, b));
		*ret_cell = store_int(v);
		return ERR_OK;
	case OID_TEXT:
	case OID_VARCHAR:
	case OID_BPCHAR:
	case OID_NAME:
	case OID_UNKNOWN:
		*ret_cell = (struct store_value){.type = STORE_TEXT, .b = b};
		return ERR_OK;
	case OID_BYTEA:
		*ret_cell = (struct store_value){.type = STORE_BLOB, .b = b};
		return ERR_OK;
	default:
		return ERR_INTERNAL;
	}
}

enum err pg_row_read(const struct pg_lib *lib, const PGresult *r, int at,
		     struct store_value cells[static PG_COLUMNS_MAX], size_t *ret_n)
{
	int n = lib->nfields(r);

	if (n < 1 || n > PG_COLUMNS_MAX)
		return ERR_RANGE;
	for (int i = 0; i < n; i++) {
		cells[i] = store_null();
		if (lib->getisnull(r, at, i))
			continue;
		TRY(cell_read(
			&cells[i], lib->ftype(r, i),
			bytes_from(lib->getvalue(r, at, i), (size_t)lib->getlength(r, at, i))));
	}
	*ret_n = (size_t)n;
	return ERR_OK;
}
