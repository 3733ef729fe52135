/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The inner loop of the audit over every part of the set "test": the client key is secret, and so
 * is what remains of a row. A row with a wrong message and one with too much noise go the same way
 * as the rest. Public by design is the tally, when all rows are in.
 */
#include "base/rng.h"
#include "ct.h"
#include "fhe/audit_internal.h"
#include "fhe/keygen/keygen.h"

enum {
	KEY_SET_MAX = 4 << 20,
	ROWS_MAX = 64, /* of a part: one is as good as another */
};

struct subject {
	struct buf file;
	struct fhe_key_set set;
	struct fhe_keygen *g;
	const struct fhe_client_key *key;
};

/* A key set, and its client key marked. */
static struct subject subject_new(void)
{
	struct subject s = {.file = buf_make(KEY_SET_MAX)};
	struct fhe_buf_sink sink;
	struct rng_seeded rng;

	CHECK(fhe_keygen_new(&s.g, &fhe_params_test, BYTES_LIT("ct"), rng_seeded_init(&rng, 1),
			     NULL) == ERR_OK);
	s.key = fhe_keygen_client_key(s.g);
	CHECK(fhe_keygen_write(s.g, FHE_OBJECT_KEY_SET, fhe_buf_sink_init(&sink, &s.file), 1,
			       NULL) == ERR_OK);
	CHECK(fhe_key_set_read(&s.set, FHE_OBJECT_KEY_SET, buf_view(&s.file), NULL) == ERR_OK);
	CT_SECRET(s.key->secret.p, s.key->secret.n);
	return s;
}

static void subject_free(struct subject *s)
{
	fhe_keygen_free(s->g);
	buf_free(&s->file);
}

static struct fhe_audit_tally part_audit(const struct subject *s, int part)
{
	struct fhe_audit_tally tally = fhe_audit_tally_none(), none = fhe_audit_tally_none();
	struct fhe_row_worker w;
	struct fhe_parts parts;
	struct aes_ctr *masks;
	struct fhe_rows rows;
	size_t n;

	fhe_parts_of(&parts, &fhe_params_test);
	n = parts.shape[part].rows < ROWS_MAX ? parts.shape[part].rows : ROWS_MAX;
	CHECK(fhe_rows_init(&rows, &parts.shape[part], s->key) == ERR_OK);
	CHECK(fhe_seed_open(&masks, &s->set.parts[part].seed) == ERR_OK);
	CHECK(fhe_row_worker_init(&w, masks, NULL, &parts) == ERR_OK);
	CHECK(fhe_audit_rows(&rows, &w, 0, n, s->set.parts[part].words.p, &tally) == ERR_OK);
	fhe_audit_tally_add(&tally, &none);
	fhe_row_worker_clear(&w);
	fhe_rows_clear(&rows);
	return tally;
}

/* The lowest and the highest byte of a number in every part. */
static void good(void)
{
	struct subject s = subject_new();

	for (int part = 0; part < FHE_PART_COUNT; part++) {
		struct bytes words = s.set.parts[part].words;
		struct fhe_audit_tally t;
		uint8_t undefined = 0;

		s.file.p[words.p - s.file.p] ^= 8;
		s.file.p[words.p - s.file.p + 7] ^= 0x40;
		t = part_audit(&s, part);
		/* The marking works: what was counted came from the secret key. */
		CHECK(VALGRIND_GET_VBITS(&t.right, &undefined, 1) == 1 && undefined != 0);
		CT_PUBLIC(&t, sizeof(t));
		CHECK(t.wrong_messages + t.too_large == 1 && t.first == 0 && t.right > 1);
	}
	subject_free(&s);
}

/* The textbook's auditor: counts where it is too much. */
static void compare(void)
{
	struct subject s = subject_new();
	struct fhe_audit_tally t = part_audit(&s, FHE_PART_PUBLIC_KEY);

	if (t.noise_max > 1)
		ct_sink += 1;
	subject_free(&s);
}

/* A table of what was seen how often. */
static void histogram(void)
{
	static volatile unsigned seen[4];
	struct subject s = subject_new();
	struct fhe_audit_tally t = part_audit(&s, FHE_PART_PUBLIC_KEY);

	seen[t.noise_max & 3] += 1;
	ct_sink += seen[1];
	subject_free(&s);
}

int main(int argc, char **argv)
{
	static const struct ct_case cases[] = {
		{"good", good}, {"compare", compare}, {"histogram", histogram}};

	return ct_main(argc, argv, cases, ARRAY_LEN(cases));
}
