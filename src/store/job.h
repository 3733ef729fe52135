/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside the store: one submitted batch and its answer. The same for every engine.
 *
 * A job belongs to the loop thread until it is queued, then to the store thread until it is
 * finished, then to the loop thread again; it is never shared.
 */
#ifndef STORE_JOB_H
#define STORE_JOB_H

#include "store/store.h"

/* All-zero is a valid answer without rows; one that may get rows comes from store_answer_begin. */
struct store_answer {
	enum err err;
	struct err_note note;
	struct store_rows *rows; /* one per statement that has run */
	size_t rows_n;
	size_t cells_cap;   /* of the statement that is being filled */
	size_t cells_bytes; /* of all statements; with the arena's bounded by STORE_RESULT_BYTES_MAX
			     */
	struct arena arena; /* `rows` and the bytes of cells */
};

struct store_job {
	struct store_job *next;
	struct store_batch batch;
	store_done_fn *done; /* may be NULL */
	void *ctx;
	struct store_answer answer;
};

/* Takes the batch in every case. NULL when memory is out. */
struct store_job *store_job_new(struct store_batch *batch, store_done_fn *done, void *ctx);

/* Frees this job and all that follow it. NULL is allowed. */
void store_jobs_free(struct store_job *first);

/* Empty the answer and make room for the rows of `statements_n` statements. ERR_NOMEM. */
enum err store_answer_begin(struct store_answer *a, size_t statements_n) MUST_USE;

/* The next statement starts; its rows follow by store_answer_row. */
void store_answer_statement(struct store_answer *a);

/* Copy one row. ERR_RANGE past STORE_RESULT_BYTES_MAX, ERR_NOMEM. */
enum err store_answer_row(struct store_answer *a, const struct store_value *cells,
			  size_t n) MUST_USE;

/* The rows of the statement that is being filled. */
struct store_rows *store_answer_rows(struct store_answer *a);

/* The statement is complete. ERR_STATE_MOVED if it is not what its caller expected. */
enum err store_answer_expect(struct store_answer *a, const struct store_statement *st,
			     struct err_note *note) MUST_USE;

/* Drop all rows and say `e` instead; `note` may be NULL. */
void store_answer_fail(struct store_answer *a, enum err e, const struct err_note *note);

/* The same for every job from `first` up to `end`, which is not one of them. */
void store_jobs_fail(struct store_job *first, const struct store_job *end, enum err e,
		     const struct err_note *note);

#endif
