/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Reads the whole audit log and computes every hash again, beside a running service or without. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/hex.h"
#include "connector/audit.h"
#include "connector/config_file.h"

struct walk {
	struct audit_report report;
	struct audit_place at; /* the last record that was right */
	const struct audit_place *expected;
	bool met; /* `expected` */
	size_t heads;
	enum err err;
	struct err_note *note;
};

static void wrong(struct walk *w, int64_t seq, const char *what)
{
	if (w->err == ERR_OK)
		w->err = err_say(w->note, ERR_CORRUPT,
				 "the audit log is not as it was: record "
				 "%" PRId64 " %s",
				 seq, what);
}

static bool place_read(struct audit_place *ret, const struct store_value *cells)
{
	if (cells[0].type != STORE_INT || cells[1].type != STORE_BLOB ||
	    cells[1].b.n != sizeof(ret->hash.b))
		return false;
	ret->seq = cells[0].i;
	memcpy(ret->hash.b, cells[1].b.p, sizeof(ret->hash.b));
	return true;
}

static void on_head(void *ctx, const struct store_value *cells, size_t n)
{
	struct walk *w = ctx;

	CHECK(n == 4);
	w->heads++;
	if (!place_read(&w->report.head, &cells[0]) || !place_read(&w->report.first, &cells[2]))
		wrong(w, 0, "cannot be read: the head");
	w->at = w->report.first;
}

static void expect(struct walk *w, struct audit_place at)
{
	if (!w->expected || w->expected->seq != at.seq)
		return;
	w->met = true;
	if (!hash32_eq(w->expected->hash, at.hash))
		wrong(w, at.seq, "has another hash than the one that was seen");
}

static void on_record(void *ctx, const struct store_value *cells, size_t n)
{
	struct walk *w = ctx;
	struct audit_place here, right = {.seq = w->at.seq + 1};
	struct audit_record r;

	CHECK(n == 2 + AUDIT_COLUMNS_N);
	if (w->err != ERR_OK)
		return;
	if (!place_read(&here, cells) || audit_record_read(&r, &cells[2]) != ERR_OK) {
		wrong(w, right.seq, "cannot be read");
		return;
	}
	if (here.seq != right.seq) {
		wrong(w, here.seq < right.seq ? here.seq : right.seq,
		      here.seq < right.seq ? "was added" : "is missing");
		return;
	}
	w->err = audit_record_hash(&right.hash, w->at.hash, right.seq, &r);
	if (w->err != ERR_OK)
		return;
	if (!hash32_eq(here.hash, right.hash)) {
		wrong(w, right.seq, "was changed");
		return;
	}
	w->at = here;
	w->report.records++;
	expect(w, here);
}

static void on_waiting(void *ctx, const struct store_value *cells, size_t n)
{
	struct walk *w = ctx;

	CHECK(n == 1);
	w->report.waiting = cells[0].i;
}

static enum err judge(struct walk *w)
{
	if (w->err != ERR_OK)
		return w->err;
	if (w->at.seq != w->report.head.seq)
		wrong(w, w->at.seq + 1, "is missing: it was the last");
	else if (!hash32_eq(w->at.hash, w->report.head.hash))
		wrong(w, w->at.seq, "is not the one that the head names");
	else if (w->expected && !w->met && w->expected->seq > w->report.head.seq)
		wrong(w, w->expected->seq, "is missing: somebody has seen it");
	else if (w->expected && !w->met)
		return err_say(w->note, ERR_NOT_FOUND,
			       "record %" PRId64 " is older than what is kept, which begins behind "
			       "record %" PRId64,
			       w->expected->seq, w->report.first.seq);
	return w->err;
}

enum err audit_verify(struct audit_report *ret_report, const char *database,
		      const struct audit_place *expected, struct err_note *note)
{
	struct walk w = {.expected = expected, .note = note};

	TRY(store_query(database, CONNECTOR_SCHEMA,
			"SELECT seq, hash, first_seq, first_hash FROM audit_head", NULL, 0, on_head,
			&w, note));
	if (w.heads != 1)
		return err_say(note, ERR_CORRUPT, "the audit log has no head");
	expect(&w, w.report.first);

	/* A running service goes on: what is behind the head that was read is not looked at. */
	const struct store_value head = store_int(w.report.head.seq);

	TRY(store_query(database, CONNECTOR_SCHEMA,
			"SELECT seq, hash, " AUDIT_COLUMNS
			" FROM audit WHERE seq <= $1 ORDER BY seq",
			&head, 1, on_record, &w, note));
	TRY(store_query(database, CONNECTOR_SCHEMA, "SELECT count(*) FROM audit WHERE seq IS NULL",
			NULL, 0, on_waiting, &w, note));
	TRY(judge(&w));
	*ret_report = w.report;
	return ERR_OK;
}

enum err audit_place_parse(struct audit_place *ret_place, const char *text)
{
	struct audit_place place = {0};
	char *end;

	if (*text < '0' || *text > '9')
		return ERR_MALFORMED;
	place.seq = strtoll(text, &end, 10);
	if (*end != ':' || place.seq == INT64_MAX)
		return ERR_MALFORMED;
	TRY(hex_decode_fixed(place.hash.b, sizeof(place.hash.b), bytes_str(&end[1])));
	*ret_place = place;
	return ERR_OK;
}
