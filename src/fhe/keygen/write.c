/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A key set on its way out: threads compute a wave of rows into one buffer while the caller's
 * thread writes the wave before from the other.
 */
#include <pthread.h>
#include <signal.h>

#include "fhe/keygen/keygen_internal.h"

enum {
	WAVE_SIZE = 4 << 20, /* bytes of bodies; long enough that starting threads costs nothing */
	FRAME_SIZE_MAX = 1 << 16,
};

/* One thread's share of a wave. */
struct slice {
	const struct fhe_rows *rows;
	struct fhe_row_worker worker;
	size_t first, count;
	uint8_t *out;
	enum err err;
	pthread_t thread;
	bool started;
};

struct team {
	struct slice slices[FHE_KEYGEN_THREADS_MAX];
	unsigned threads;
	struct buf waves[2];
};

static void team_free(struct team *t)
{
	for (unsigned i = 0; i < t->threads; i++)
		fhe_row_worker_clear(&t->slices[i].worker);
	buf_free(&t->waves[0]);
	buf_free(&t->waves[1]);
}

static enum err worker_new(struct fhe_row_worker *w, const struct fhe_keygen *g)
{
	struct aes_ctr *masks, *secrets;
	enum err e;

	TRY(fhe_keygen_masks_open(&masks, g));
	e = fhe_keygen_secrets_open(&secrets, g);
	if (e != ERR_OK) {
		aes_ctr_free(masks);
		return e;
	}
	return fhe_row_worker_init(w, masks, secrets, &g->parts);
}

/* Cleared by team_free in any case. */
static enum err team_init(struct team *t, const struct fhe_keygen *g, unsigned threads)
{
	*t = (struct team){.waves = {buf_make(2 * WAVE_SIZE), buf_make(2 * WAVE_SIZE)}};
	for (; t->threads < threads; t->threads++)
		TRY(worker_new(&t->slices[t->threads].worker, g));
	return ERR_OK;
}

static void *slice_run(void *arg)
{
	struct slice *s = arg;

	s->err = fhe_rows_fill(s->rows, &s->worker, s->first, s->count, s->out);
	return NULL;
}

/* Signals are for the process's own threads. */
static enum err slice_start(struct slice *s)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	s->started = pthread_create(&s->thread, NULL, slice_run, s) == 0;
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	return s->started ? ERR_OK : ERR_NOMEM;
}

/* `count` rows into `wave`, divided among the threads. Whatever happens: team_wait. */
static enum err team_start(struct team *t, const struct fhe_rows *rows, struct buf *wave,
			   size_t first, size_t count)
{
	size_t row_size = rows->shape->n * rows->shape->width, done = 0;
	uint8_t *place;

	buf_clear(wave);
	TRY(buf_add_space(wave, count * row_size, &place));
	for (unsigned i = 0; i < t->threads; i++) {
		struct slice *s = &t->slices[i];
		size_t share = (count - done) / (t->threads - i);

		s->rows = rows;
		s->first = first + done;
		s->count = share;
		s->out = &place[done * row_size];
		s->err = ERR_OK;
		done += share;
		if (share > 0)
			TRY(slice_start(s));
	}
	return ERR_OK;
}

static enum err team_wait(struct team *t)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i < t->threads; i++) {
		struct slice *s = &t->slices[i];

		if (!s->started)
			continue;
		CHECK(pthread_join(s->thread, NULL) == 0);
		s->started = false;
		if (e == ERR_OK)
			e = s->err;
	}
	return e;
}

/* All bodies of a part. A wave that is being written when the last one is computed follows it. */
static enum err part_write(struct team *t, const struct fhe_rows *rows, struct fhe_sink *sink,
			   struct err_note *note)
{
	size_t row_size = rows->shape->n * rows->shape->width;
	size_t per_wave = row_size < WAVE_SIZE ? WAVE_SIZE / row_size : 1;
	struct buf *computed = &t->waves[0], *written = &t->waves[1];

	buf_clear(written);
	for (size_t first = 0; first < rows->shape->rows; first += per_wave) {
		size_t left = rows->shape->rows - first;
		enum err e, w, f = ERR_OK;
		struct buf *other = computed;

		e = team_start(t, rows, computed, first, left < per_wave ? left : per_wave);
		if (e == ERR_OK && written->n > 0)
			f = fhe_sink_write(sink, buf_view(written), note);
		w = team_wait(t);
		TRY(e);
		TRY(w);
		TRY(f);
		computed = written;
		written = other;
	}
	return fhe_sink_write(sink, buf_view(written), note);
}

static enum err part_run(const struct fhe_keygen *g, enum fhe_part part, struct team *t,
			 struct fhe_sink *sink, struct err_note *note)
{
	struct fhe_rows rows;
	enum err e;

	TRY(fhe_rows_init(&rows, &g->parts.shape[part], g->client_key));
	e = part_write(t, &rows, sink, note);
	fhe_rows_clear(&rows);
	return e;
}

/* The part whose bodies belong into a gap. */
static enum fhe_part gap_part(const struct fhe_key_set *set, const struct layout_gap *gap)
{
	unsigned i = 0;

	while (i < FHE_PART_COUNT && &set->parts[i].words != gap->words)
		i++;
	CHECK(i < FHE_PART_COUNT);
	return (enum fhe_part)i;
}

enum err fhe_keygen_write(const struct fhe_keygen *g, enum fhe_key_object object,
			  struct fhe_sink *sink, unsigned threads, struct err_note *note)
{
	CLEANUP(buf_free) struct buf frame = buf_make(FRAME_SIZE_MAX);
	CLEANUP(team_free) struct team team = {0};
	struct fhe_key_set set;
	struct layout_gaps gaps;
	size_t at = 0;

	if (threads == 0 || threads > FHE_KEYGEN_THREADS_MAX)
		return ERR_RANGE;
	if (object != FHE_OBJECT_SERVER_KEY && !g->client_key->params.has_pke)
		return err_say(note, ERR_UNSUPPORTED, "the parameters have no public key");
	fhe_key_set_describe(&set, &g->client_key->params, BYTES_OF(g->mask_seed),
			     g->client_key->tag);
	TRY(fhe_key_set_write_frame(&set, object, &frame, &gaps));
	TRY(team_init(&team, g, threads));
	for (size_t i = 0; i < gaps.n; i++) {
		size_t to = gaps.gap[i].at;

		TRY(fhe_sink_write(sink, bytes_sub(buf_view(&frame), at, to - at), note));
		TRY(part_run(g, gap_part(&set, &gaps.gap[i]), &team, sink, note));
		at = to;
	}
	return fhe_sink_write(sink, bytes_sub(buf_view(&frame), at, frame.n - at), note);
}
