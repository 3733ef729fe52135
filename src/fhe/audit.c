/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/audit.h"

#include <stdlib.h>

#include "base/rng.h"
#include "crypto/sha.h"
#include "fhe/audit_internal.h"
#include "fhe/team.h"

enum {
	PIECE_SIZE = 1 << 18,    /* bytes of bodies, or of the file, at a time */
	BLOCK = 16,              /* of the mask stream */
	JUDGED_MIN = 1000,       /* coefficients: fewer say nothing about mean and variance */
	DEVIATIONS_SQUARED = 64, /* 8 standard deviations */
};

/* What is the same for all threads. */
struct subject {
	struct fhe_part_shape shape;
	struct fhe_rows rows;
	const struct fhe_seeded *part;
	uint64_t at;      /* of the bodies in the file */
	size_t per_piece; /* rows; of a fast audit 1 */
	size_t pieces;    /* 0 if the object has no such part */
	bool sampled;     /* each piece is a row of its own: */
	size_t sample[FHE_AUDIT_SAMPLE + 2];
};

/* What a thread has for itself. */
struct member {
	struct fhe_row_worker worker;
	struct secret tallies; /* one for each part */
	struct buf piece;
	struct err_note note;
	int part; /* that worker.masks is for */
};

struct audit {
	const struct fhe_source *source;
	const struct fhe_audit_options *options;
	const struct fhe_client_key *key;
	struct fhe_key_set set;
	struct layout_gaps gaps;
	struct buf frame;
	struct subject subjects[FHE_PART_COUNT];
	struct member members[FHE_TEAM_THREADS_MAX];
	atomic_size_t next; /* piece of work: the hash, then the pieces of all parts */
	struct hash32 digest;
};

static struct fhe_audit_tally *tally_of(struct member *m, int part)
{
	/* Secrets are aligned for anything. */
	return &((struct fhe_audit_tally *)(void *)m->tallies.p)[part];
}

/* ---- which rows ---- */

/* First and last, and one out of each of FHE_AUDIT_SAMPLE equal stretches of what is between. */
static void sample_draw(struct subject *s, struct rng *rng)
{
	size_t between = s->shape.rows - 2, n = 0;

	s->sample[n++] = 0;
	for (size_t i = 0; i < FHE_AUDIT_SAMPLE; i++) {
		size_t from = between * i / FHE_AUDIT_SAMPLE;
		size_t to = between * (i + 1) / FHE_AUDIT_SAMPLE;

		s->sample[n++] = 1 + from + (size_t)rng_below(rng, to - from);
	}
	s->sample[n++] = s->shape.rows - 1;
	s->pieces = n;
}

static void pieces_plan(struct subject *s, const struct fhe_audit_options *o)
{
	size_t rows = s->shape.rows, fits = PIECE_SIZE / (s->shape.n * s->shape.width);

	if (o->fast && rows > FHE_AUDIT_SAMPLE + 2) {
		s->sampled = true;
		s->per_piece = 1;
		sample_draw(s, o->rng);
		return;
	}
	/* Small parts are divided as well. */
	s->per_piece = (rows + 4 * o->threads - 1) / (4 * o->threads);
	if (s->per_piece > fits)
		s->per_piece = fits;
	s->pieces = (rows + s->per_piece - 1) / s->per_piece;
}

/* ---- one piece ---- */

static enum err masks_for(struct member *m, const struct subject *s, int part)
{
	struct aes_ctr *masks;

	if (m->part == part)
		return ERR_OK;
	TRY(fhe_seed_open(&masks, &s->part->seed));
	aes_ctr_free(m->worker.masks);
	m->worker.masks = masks;
	m->part = part;
	return ERR_OK;
}

static enum err stop_check(const struct audit *a, struct err_note *note)
{
	const atomic_bool *stop = a->options->stop;

	if (stop && atomic_load_explicit(stop, memory_order_relaxed))
		return err_say(note, ERR_CANCELLED, "the audit was withdrawn");
	return ERR_OK;
}

static enum err piece_audit(const struct audit *a, struct member *m, int part, size_t piece)
{
	const struct subject *s = &a->subjects[part];
	size_t row_size = s->shape.n * s->shape.width;
	size_t first = s->sampled ? s->sample[piece] : piece * s->per_piece;
	size_t count = s->shape.rows - first;

	if (count > s->per_piece)
		count = s->per_piece;
	TRY(stop_check(a, &m->note));
	TRY(masks_for(m, s, part));
	TRY(fhe_source_read(a->source, s->at + (uint64_t)first * row_size, m->piece.p,
			    count * row_size, &m->note));
	return fhe_audit_rows(&s->rows, &m->worker, first, count, m->piece.p, tally_of(m, part));
}

static void digest_free(struct kms_digest_stream **d)
{
	kms_digest_stream_free(*d);
}

static enum err file_hash(struct audit *a, struct member *m)
{
	CLEANUP(digest_free) struct kms_digest_stream *stream = NULL;
	uint64_t size = a->source->size;

	TRY(kms_digest_stream_new(&stream, "PDAT_KEY"));
	for (uint64_t at = 0; at < size; at += PIECE_SIZE) {
		size_t n = size - at < PIECE_SIZE ? (size_t)(size - at) : PIECE_SIZE;

		TRY(stop_check(a, &m->note));
		TRY(fhe_source_read(a->source, at, m->piece.p, n, &m->note));
		TRY(kms_digest_stream_add(stream, bytes_from(m->piece.p, n)));
	}
	return kms_digest_stream_final(stream, &a->digest);
}

/* ---- the threads ---- */

static enum err work(struct audit *a, struct member *m, size_t piece, bool *ret_end)
{
	int part = 0;

	if (piece-- == 0)
		return file_hash(a, m);
	while (part < FHE_PART_COUNT && piece >= a->subjects[part].pieces)
		piece -= a->subjects[part++].pieces;
	if (part < FHE_PART_COUNT)
		return piece_audit(a, m, part, piece);
	*ret_end = true;
	return ERR_OK;
}

/* Every thread takes the next piece until none is left; after an error there is none. */
static enum err member_run(void *context, unsigned thread, size_t job)
{
	struct audit *a = context;
	bool end = false;
	enum err e = ERR_OK;

	(void)job;
	while (!end && e == ERR_OK)
		e = work(a, &a->members[thread], atomic_fetch_add(&a->next, 1), &end);
	if (e != ERR_OK)
		atomic_store(&a->next, SIZE_MAX / 2);
	return e;
}

static enum err member_init(struct member *m, const struct fhe_parts *parts)
{
	uint8_t *place;

	m->part = -1;
	m->piece = buf_make(PIECE_SIZE);
	TRY(fhe_row_worker_init(&m->worker, NULL, NULL, parts));
	TRY(buf_add_space(&m->piece, PIECE_SIZE, &place));
	TRY(secret_alloc(&m->tallies, FHE_PART_COUNT * sizeof(struct fhe_audit_tally)));
	for (int i = 0; i < FHE_PART_COUNT; i++)
		*tally_of(m, i) = fhe_audit_tally_none();
	return ERR_OK;
}

/* The note of the thread whose error it was. */
static enum err team_run(struct audit *a, struct err_note *note)
{
	unsigned threads = a->options->threads;
	enum err e = fhe_team_run(threads, threads, member_run, a);

	for (unsigned i = 0; e != ERR_OK && i < threads; i++)
		if (a->members[i].note.text[0])
			return err_say(note, e, "%s", a->members[i].note.text);
	return e;
}

/* ---- structure ---- */

static void audit_free(struct audit **ret_audit)
{
	struct audit *a = *ret_audit;

	if (!a)
		return;
	for (int i = 0; i < FHE_PART_COUNT; i++)
		fhe_rows_clear(&a->subjects[i].rows);
	for (size_t i = 0; i < ARRAY_LEN(a->members); i++) {
		fhe_row_worker_clear(&a->members[i].worker);
		buf_free(&a->members[i].piece);
		secret_free(&a->members[i].tallies);
	}
	buf_free(&a->frame);
	free(a);
}

static enum err tag_check(const struct audit *a, struct err_note *note)
{
	enum fhe_key_object object = a->options->object;
	struct bytes tag = object == FHE_OBJECT_PUBLIC_KEY ? a->set.pke_tag : a->set.tag;

	if (!bytes_eq_var(tag, fhe_client_key_tag(a->key)))
		return err_say(note, ERR_MISMATCH, "tag: that of another client key");
	return ERR_OK;
}

/* The part whose bodies a gap is for. */
static enum err subject_init(struct audit *a, const struct layout_gap *gap,
			     const struct fhe_parts *parts)
{
	int part = 0;
	struct subject *s;

	while (part < FHE_PART_COUNT && gap->words != &a->set.parts[part].words)
		part++;
	CHECK(part < FHE_PART_COUNT);
	s = &a->subjects[part];
	s->part = &a->set.parts[part];
	s->shape = parts->shape[part];
	s->shape.mask_at = BLOCK * s->part->seed.block + s->part->seed.byte;
	s->at = gap->at;
	pieces_plan(s, a->options);
	return fhe_rows_init(&s->rows, &s->shape, a->key);
}

static enum err audit_open(struct audit *a, struct err_note *note)
{
	const struct fhe_params *params = &a->key->params;
	enum fhe_key_object object = a->options->object;
	struct fhe_parts parts;

	TRY(fhe_params_check(params, note));
	TRY(fhe_key_set_read_frame(&a->set, object, a->source, &a->frame, &a->gaps, note));
	TRY(fhe_key_set_check(&a->set, object, params, note));
	TRY(tag_check(a, note));
	fhe_parts_of(&parts, params);
	for (size_t i = 0; i < a->gaps.n; i++)
		TRY(subject_init(a, &a->gaps.gap[i], &parts));
	for (unsigned i = 0; i < a->options->threads; i++)
		TRY(member_init(&a->members[i], &parts));
	return ERR_OK;
}

/* ---- the report ---- */

/*
 * E e^2 = (2^(2b+1) + 1) / 6. The variance of e^2 is at most B^2 E e^2 - (E e^2)^2, as |e| <= B.
 */
static enum fhe_audit_fault fault_of(const struct fhe_audit_part *p)
{
	double n = (double)(p->coefficients - p->wrong_messages - p->too_large);
	double bound = (double)(UINT64_C(1) << p->noise), expected = p->variance_expected;
	double off = p->variance - expected;

	if (p->wrong_messages > 0)
		return FHE_AUDIT_WRONG_MESSAGE;
	if (p->too_large > 0)
		return FHE_AUDIT_NOISE_TOO_LARGE;
	if (n < JUDGED_MIN)
		return FHE_AUDIT_SOUND;
	if (p->mean * p->mean * n > DEVIATIONS_SQUARED * expected)
		return FHE_AUDIT_NOISE_MEAN;
	if (off * off * n > DEVIATIONS_SQUARED * expected * (bound * bound - expected))
		return FHE_AUDIT_NOISE_VARIANCE;
	return FHE_AUDIT_SOUND;
}

static double signed_double(fhe_u128 v)
{
	return v >> 127 ? -(double)(0 - v) : (double)v;
}

/* From here on what the threads have seen is public. */
static struct fhe_audit_part report_of(const struct subject *s, const struct fhe_audit_tally *t)
{
	double scale = (double)(UINT64_C(1) << fhe_audit_scale(s->shape.noise));
	double bound = (double)(UINT64_C(1) << s->shape.noise);
	double right = t->right > 0 ? (double)t->right : 1;
	struct fhe_audit_part p = {
		.name = s->shape.name,
		.rows = s->shape.rows,
		.coefficients = t->right + t->wrong_messages + t->too_large,
		.noise = s->shape.noise,
		.noise_max = t->noise_max,
		.mean = signed_double(t->sum) / right,
		.variance_expected = (2 * bound * bound + 1) / 6,
		.wrong_messages = t->wrong_messages,
		.too_large = t->too_large,
	};

	p.rows_read = p.coefficients / s->shape.n;
	p.variance = (double)t->squares * scale * scale / right - p.mean * p.mean;
	if (t->first != UINT64_MAX) {
		p.first_row = t->first / s->shape.n;
		p.first_coefficient = t->first % s->shape.n;
		p.first_at = s->at + t->first * s->shape.width;
	}
	p.fault = fault_of(&p);
	return p;
}

static void audit_report(struct audit *a, struct fhe_audit *ret_audit)
{
	struct fhe_audit report = {.digest = a->digest, .size = a->source->size};
	struct fhe_audit_tally *all = tally_of(&a->members[0], 0);

	for (unsigned i = 1; i < a->options->threads; i++)
		for (int part = 0; part < FHE_PART_COUNT; part++)
			fhe_audit_tally_add(&all[part], tally_of(&a->members[i], part));
	for (int part = 0; part < FHE_PART_COUNT; part++)
		if (a->subjects[part].pieces > 0)
			report.parts[part] = report_of(&a->subjects[part], &all[part]);
	*ret_audit = report;
}

enum err fhe_audit_run(struct fhe_audit *ret_audit, const struct fhe_client_key *k,
		       const struct fhe_source *source, const struct fhe_audit_options *options,
		       struct err_note *note)
{
	CLEANUP(audit_free) struct audit *a = NULL;

	if (options->threads == 0 || options->threads > FHE_TEAM_THREADS_MAX)
		return err_say(note, ERR_RANGE, "%u threads", options->threads);
	a = calloc(1, sizeof(*a));
	if (!a)
		return ERR_NOMEM;
	a->source = source;
	a->options = options;
	a->key = k;
	a->frame = buf_make(LAYOUT_FRAME_MAX);
	TRY(audit_open(a, note));
	TRY(team_run(a, note));
	audit_report(a, ret_audit);
	return ERR_OK;
}

/* ---- the verdict ---- */

const char *fhe_audit_fault_name(enum fhe_audit_fault fault)
{
	static const char *const names[] = {
		[FHE_AUDIT_SOUND] = "sound",
		[FHE_AUDIT_WRONG_MESSAGE] = "wrong message",
		[FHE_AUDIT_NOISE_TOO_LARGE] = "noise too large",
		[FHE_AUDIT_NOISE_MEAN] = "mean of the noise",
		[FHE_AUDIT_NOISE_VARIANCE] = "variance of the noise",
	};

	return names[fault];
}

enum err fhe_audit_verdict(const struct fhe_audit *audit, struct err_note *note)
{
	for (int i = 0; i < FHE_PART_COUNT; i++) {
		const struct fhe_audit_part *p = &audit->parts[i];
		const char *fault = fhe_audit_fault_name(p->fault);

		if (p->fault == FHE_AUDIT_NOISE_MEAN || p->fault == FHE_AUDIT_NOISE_VARIANCE)
			return err_say(note, ERR_MISMATCH,
				       "%s: %s: mean %.3g, variance %.4g where 0 and %.4g belong",
				       p->name, fault, p->mean, p->variance, p->variance_expected);
		if (p->fault != FHE_AUDIT_SOUND)
			return err_say(
				note, ERR_MISMATCH,
				"%s: %s in row %llu, coefficient %llu, at byte %llu; %llu of "
				"%llu coefficients are wrong",
				p->name, fault, (unsigned long long)p->first_row,
				(unsigned long long)p->first_coefficient,
				(unsigned long long)p->first_at,
				(unsigned long long)(p->wrong_messages + p->too_large),
				(unsigned long long)p->coefficients);
	}
	return ERR_OK;
}
