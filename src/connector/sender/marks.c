/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Is what was mined still mined, in the same block? A re-organisation may come at any time after a
 * receipt was read, also while nobody ran, and put a transaction into another block, where it has
 * no effect. A block that is the chain's has the same blocks before it for ever: so of what was
 * seen to be there only the youngest is looked at again, and what ended since.
 */
#include "connector/sender/internal.h"

static void search(struct sender *s);

static void reopen(struct sender *s, uint64_t first)
{
	s->marks.busy = false;
	watch_reopen(s, first, first + REOPEN_RUNNING_MAX);
}

/* False: it cannot be asked now. */
static bool ask_receipt(struct sender *s, size_t i, provider_receipt_fn *done)
{
	struct ticket *t = scope_open(&s->watch_calls, s->env.inflight, s, i);

	s->marks.v[i].seen = MINED_UNKNOWN;
	if (t && provider_receipt(s->env.chain.provider, s->marks.v[i].hash, done, t) == ERR_OK)
		return true;
	if (t)
		(void)ticket_close(t, NULL);
	return false;
}

static void heard(struct tx_mined *m, const struct provider_error *e, const struct receipt *r)
{
	if (e->err == ERR_OK)
		m->seen = r && hash32_eq(r->block_hash, m->block_hash) ? MINED_THERE : MINED_GONE;
}

/* What was read of the table cannot be used; the next look reads it again. */
static void failed(struct sender *s, enum err e, const char *note)
{
	s->marks.busy = false;
	LOG_ERROR(s->env.log, "Mined transactions could not be read", log_e(e),
		  log_s("detail", note));
}

static void submit(struct sender *s, struct store_batch *b, enum err e, store_done_fn *done)
{
	e = sender_submit(s, &s->watch_calls, s, 0, b, e, done);
	if (e != ERR_OK)
		failed(s, e, "");
}

/* ---- back to the last one that is there ---- */

static void on_before_receipt(void *ctx, const struct provider_error *e, const struct receipt *r)
{
	struct sender *s = ticket_close(ctx, NULL);

	if (!s)
		return;
	struct marks *m = &s->marks;
	heard(&m->v[0], e, r);
	if (m->v[0].seen == MINED_THERE) {
		reopen(s, m->v[0].nonce + 1);
	} else if (m->v[0].seen == MINED_GONE) {
		m->bad = m->v[0].nonce;
		m->step *= 2;
		search(s);
	} else {
		m->busy = false;
	}
}

static void on_before(void *ctx, const struct store_result *r)
{
	struct sender *s = ticket_close(ctx, NULL);
	enum err e = r->err;

	if (!s)
		return;
	struct marks *m = &s->marks;
	if (e == ERR_OK && r->rows[0].rows_n == 0 && m->step == 1) {
		reopen(s, m->bad);
		return;
	}
	if (e == ERR_OK && r->rows[0].rows_n == 0) {
		m->step = 1;
		search(s);
		return;
	}
	if (e == ERR_OK)
		e = tx_mined_from_row(&m->v[0], &r->rows[0], 0);
	if (e != ERR_OK)
		failed(s, e, r->note.text);
	else
		m->busy = ask_receipt(s, 0, on_before_receipt);
}

/* In steps that grow; that some before the first bad one are opened too does no harm. */
static void search(struct sender *s)
{
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	const struct marks *m = &s->marks;
	uint64_t end = m->bad + 1 > m->step ? m->bad + 1 - m->step : 0;

	submit(s, &b, tx_add_mined_before(&b, s, end), on_before);
}

/* ---- forward ---- */

static void judge(struct sender *s)
{
	struct marks *m = &s->marks;
	size_t i = 0;

	for (; i < m->n && m->v[i].seen == MINED_THERE; i++)
		m->settled = m->v[i].last;
	m->busy = false;
	if (i == m->n && m->more) {
		marks_look(s);
	} else if (i == m->n) {
		m->bad_reads = 0;
	} else if (m->v[i].seen == MINED_GONE && ++m->bad_reads >= WATCH_READS) {
		if (i > 0) {
			reopen(s, m->v[i].nonce);
			return;
		}
		m->busy = true;
		m->bad = m->v[0].nonce;
		m->step = 1;
		search(s);
	}
}

static void on_receipt(void *ctx, const struct provider_error *e, const struct receipt *r)
{
	size_t i;
	struct sender *s = ticket_close(ctx, &i);

	if (!s)
		return;
	heard(&s->marks.v[i], e, r);
	if (--s->marks.out == 0)
		judge(s);
}

/* Where there are many, one of each block. */
static enum err take_rows(struct marks *m, const struct store_rows *rows)
{
	struct tx_mined row;

	m->n = 0;
	m->more = rows->rows_n == MARK_ROWS_MAX;
	for (size_t i = 0; i < rows->rows_n; i++) {
		TRY(tx_mined_from_row(&row, rows, i));
		if (rows->rows_n > MARKS_MAX && m->n > 0 &&
		    hash32_eq(row.block_hash, m->v[m->n - 1].block_hash)) {
			m->v[m->n - 1].last = row.nonce;
			continue;
		}
		if (m->n == MARKS_MAX) {
			m->more = true;
			break;
		}
		m->v[m->n++] = row;
	}
	return ERR_OK;
}

static void on_rows(void *ctx, const struct store_result *r)
{
	struct sender *s = ticket_close(ctx, NULL);

	if (!s)
		return;
	struct marks *m = &s->marks;
	enum err e = r->err == ERR_OK ? take_rows(m, &r->rows[0]) : r->err;
	if (e != ERR_OK) {
		failed(s, e, r->note.text);
		return;
	}
	for (size_t i = 0; i < m->n; i++)
		m->out += ask_receipt(s, i, on_receipt) ? 1 : 0;
	m->busy = m->out > 0;
}

void marks_look(struct sender *s)
{
	struct store_batch b = store_batch_make(SENDER_BATCH_BYTES_MAX);
	const struct job *open = watch_lowest(s);
	struct marks *m = &s->marks;

	if (m->busy || s->ended_end == 0)
		return;
	if (!m->placed)
		m->settled = s->ended_end > REOPEN_MAX ? s->ended_end - REOPEN_MAX : 0;
	m->busy = m->placed = true;
	submit(s, &b,
	       tx_add_mined_from(&b, s, m->settled, open ? open->nonce : INT64_MAX, MARK_ROWS_MAX),
	       on_rows);
}
