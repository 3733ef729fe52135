/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "store/job.h"

#include <stdlib.h>

#include "base/limits.h"

static void answer_free(struct store_answer *a)
{
	for (size_t i = 0; i < a->rows_n; i++)
		free((void *)a->rows[i].cells);
	arena_free(&a->arena);
	*a = (struct store_answer){0};
}

struct store_job *store_job_new(struct store_batch *batch, store_done_fn *done, void *ctx)
{
	struct store_job *job = calloc(1, sizeof(*job));

	if (!job) {
		store_batch_free(batch);
		return NULL;
	}
	job->batch = *batch;
	job->done = done;
	job->ctx = ctx;
	*batch = store_batch_make(batch->arena.size_max);
	return job;
}

void store_jobs_free(struct store_job *first)
{
	while (first) {
		struct store_job *job = first;

		first = job->next;
		store_batch_free(&job->batch);
		answer_free(&job->answer);
		free(job);
	}
}

enum err store_answer_begin(struct store_answer *a, size_t statements_n)
{
	answer_free(a);
	a->arena = arena_make(STORE_RESULT_BYTES_MAX);
	if (statements_n == 0)
		return ERR_OK;
	a->rows = arena_alloc_array(&a->arena, statements_n, sizeof(*a->rows));
	return a->rows ? ERR_OK : ERR_NOMEM;
}

void store_answer_statement(struct store_answer *a)
{
	a->rows_n++;
	a->cells_cap = 0;
}

struct store_rows *store_answer_rows(struct store_answer *a)
{
	CHECK(a->rows_n > 0);
	return &a->rows[a->rows_n - 1];
}

/* What all rows may still take. */
static size_t bytes_left(const struct store_answer *a)
{
	size_t used = a->cells_bytes + a->arena.used;

	return used >= STORE_RESULT_BYTES_MAX ? 0 : STORE_RESULT_BYTES_MAX - used;
}

/* Room for one more row of n cells. */
static enum err cells_reserve(struct store_answer *a, struct store_rows *rows, size_t n)
{
	size_t have = rows->rows_n * n;

	if (have + n <= a->cells_cap)
		return ERR_OK;

	size_t cap = a->cells_cap ? 2 * a->cells_cap : n;
	size_t extra = (cap - a->cells_cap) * sizeof(struct store_value);

	if (extra > bytes_left(a))
		return ERR_RANGE;

	struct store_value *cells = realloc((void *)rows->cells, cap * sizeof(*cells));

	if (!cells)
		return ERR_NOMEM;
	rows->cells = cells;
	a->cells_cap = cap;
	a->cells_bytes += extra;
	return ERR_OK;
}

enum err store_answer_row(struct store_answer *a, const struct store_value *cells, size_t n)
{
	struct store_rows *rows = store_answer_rows(a);

	CHECK(n > 0 && (rows->rows_n == 0 || rows->columns_n == n));
	TRY(cells_reserve(a, rows, n));

	struct store_value *to = (struct store_value *)rows->cells + rows->rows_n * n;

	for (size_t i = 0; i < n; i++) {
		to[i] = cells[i];
		if (cells[i].type != STORE_TEXT && cells[i].type != STORE_BLOB)
			continue;
		if (cells[i].b.n > bytes_left(a))
			return ERR_RANGE;
		TRY(arena_copy(&a->arena, &to[i].b, cells[i].b));
	}
	rows->columns_n = n;
	rows->rows_n++;
	return ERR_OK;
}

enum err store_answer_expect(struct store_answer *a, const struct store_statement *st,
			     struct err_note *note)
{
	const struct store_rows *rows = store_answer_rows(a);

	if (st->expect == STORE_ONE && rows->changed != 1 && rows->rows_n != 1)
		return err_say(note, ERR_STATE_MOVED, "%lld rows changed, one expected: %.80s",
			       (long long)rows->changed, st->sql);
	return ERR_OK;
}

void store_answer_fail(struct store_answer *a, enum err e, const struct err_note *note)
{
	struct err_note kept = note ? *note : (struct err_note){0};

	answer_free(a);
	a->err = e;
	a->note = kept;
}

void store_jobs_fail(struct store_job *first, const struct store_job *end, enum err e,
		     const struct err_note *note)
{
	for (struct store_job *job = first; job != end; job = job->next)
		store_answer_fail(&job->answer, e, note);
}
