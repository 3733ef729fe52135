/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Rows of our own databases that may have been damaged. A row that is accepted says what its cells
 * say; any cell of another type is ERR_CORRUPT.
 *
 * Input: u8 which table || cells: u8 what (0 NULL, 1 u8, 2 u64, 3 text, 4 blob: part, 5 a state's
 * or 6 a kind's name: u8, 7 blob of 32: u8, 8 of 20: u8)
 */
#include "connector/operation.h"
#include "core/request_store.h"
#include "core/word_store.h"
#include "fuzz.h"

enum {
	CELLS_MAX = 32
};

static struct store_value cell(struct bytes *in, uint8_t fixed[32])
{
	uint64_t v;

	switch (fuzz_u8(in) % 9) {
	case 0:
		return store_null();
	case 1:
		return store_int(fuzz_u8(in));
	case 2:
		v = fuzz_u32(in);
		return store_int((int64_t)(v << 32 | fuzz_u32(in)));
	case 3:
		return (struct store_value){.type = STORE_TEXT, .b = fuzz_part(in)};
	case 4:
		return store_blob(fuzz_part(in));
	case 5:
		return store_text(op_state_name((enum op_state)(fuzz_u8(in) % 13)));
	case 6:
		return store_text(op_kind_name((enum op_kind)(fuzz_u8(in) % 5)));
	case 7:
		memset(fixed, fuzz_u8(in), 32);
		return store_blob(bytes_from(fixed, 32));
	default:
		memset(fixed, fuzz_u8(in), 32);
		return store_blob(bytes_from(fixed, 20));
	}
}

static void try_operation(const struct store_value *cells, size_t n)
{
	struct operation op = {.id = -1};
	uint8_t request_id[32];
	enum op_state state;
	enum op_kind kind;

	if (op_from_row(&op, cells, n) != ERR_OK) {
		CHECK(op.id == -1);
		return;
	}
	u256_to_be(request_id, op.key.request_id);
	/* What stands behind the columns is somebody else's. */
	CHECK(n >= 23 && op.id > 0 && op.id == cells[0].i);
	CHECK(bytes_eq_var(BYTES_OF(op.key.contract.b), cells[2].b));
	CHECK(bytes_eq_var(BYTES_OF(request_id), cells[4].b));
	FUZZ_OK(op_kind_from_name(&kind, cells[3].b));
	FUZZ_OK(op_state_from_name(&state, cells[6].b));
	CHECK(kind == op.key.kind && state == op.state);
	CHECK(bytes_eq_var(op.content, cells[11].b) && bytes_eq_var(op.reason, cells[16].b));
	CHECK(op.attempts >= 0 && op.deferrals >= 0);
	CHECK(!op_state_terminal(op.state) || !op_may_move(op.state, OP_SEEN));
	for (size_t i = 0; i < 23; i++)
		CHECK(cells[i].type != STORE_NULL);
}

static void try_requests(const struct store_value *cells, size_t n)
{
	const struct store_rows five = {.cells = cells, .rows_n = n >= 5, .columns_n = 5};
	const struct store_rows two = {.cells = cells, .rows_n = n / 2, .columns_n = 2};
	const struct store_rows rows = {.cells = cells, .rows_n = n / 5, .columns_n = 5};
	const struct store_rows admission[] = {{.rows_n = n > 8}, {.rows_n = n > 9}, two};
	const struct store_rows survey[] = {two, rows};
	const struct store_result found = {.rows = &five, .rows_n = 1};
	const struct store_result admitted = {.rows = admission, .rows_n = 3};
	const struct store_result looked_up = {.rows = &two, .rows_n = 1};
	const struct store_result keygen = {.rows = &five, .rows_n = 1};
	const struct store_result surveyed = {.rows = survey, .rows_n = 2};
	size_t finished[REQUEST_KINDS];
	struct request_admission a;
	struct request_found f;
	struct request_pending p;
	struct word_record w;

	if (request_store_found(&f, &found) == ERR_OK && f.known)
		CHECK(cells[0].type == STORE_INT && cells[0].i == (int64_t)f.state);
	if (request_store_admitted(&a, &admitted) == ERR_OK && a.known)
		CHECK((int64_t)a.state == cells[0].i &&
		      bytes_eq_var(BYTES_OF(a.digest.b), cells[1].b));
	FUZZ_SAME(request_store_admitted(&a, &admitted), request_store_admitted(&a, &looked_up));
	if (request_store_admitted(&a, &keygen) == ERR_OK && a.known)
		CHECK((int64_t)a.state == cells[0].i);
	if (request_store_surveyed(finished, &surveyed) == ERR_OK)
		for (size_t i = 0; i < two.rows_n; i++)
			CHECK(cells[2 * i].i >= 1 && cells[2 * i].i < REQUEST_KINDS);
	for (size_t i = 0; i < rows.rows_n; i++) {
		if (request_store_pending(&p, &surveyed, i) == ERR_OK)
			CHECK((int64_t)p.message_n == cells[5 * i + 2].i &&
			      bytes_eq_var(BYTES_OF(p.name.id.b), cells[5 * i + 1].b));
		if (word_store_record(&w, &surveyed, i) == ERR_OK)
			CHECK((int64_t)w.sessions_n == cells[5 * i + 2].i &&
			      bytes_eq_var(w.words, cells[5 * i + 3].b));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n < 4096 ? n : 4096);
	uint8_t fixed[CELLS_MAX][32];
	struct store_value cells[CELLS_MAX];
	uint8_t which = fuzz_u8(&in);
	size_t cells_n = 0;

	while (in.n > 0 && cells_n < CELLS_MAX) {
		cells[cells_n] = cell(&in, fixed[cells_n]);
		cells_n++;
	}
	if (which % 2 == 0)
		try_operation(cells, cells_n);
	else
		try_requests(cells, cells_n);
	return 0;
}
