/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/attestation.h"

struct hash32 fhe_hash_read(struct reader *r)
{
	struct bytes b = reader_bytes(r, sizeof(struct hash32));
	struct hash32 h = {{0}};

	if (b.p)
		memcpy(h.b, b.p, sizeof(h.b));
	return h;
}

struct hash32 fhe_hash_vec_read(struct reader *r)
{
	if (bincode_len(r, sizeof(struct hash32)) != sizeof(struct hash32))
		reader_fail(r, ERR_MALFORMED);
	return fhe_hash_read(r);
}

/* A byte string of at most `max`, copied out. */
static size_t short_vec_read(struct reader *r, uint8_t *out, size_t max)
{
	struct bytes b = bincode_vec(r, max);

	if (b.n)
		memcpy(out, b.p, b.n);
	return b.n;
}

void fhe_attestation_read(struct reader *r, struct fhe_attestation *a, const char *object,
			  struct err_note *note)
{
	a->has_extra = bincode_option(r);
	if (a->has_extra)
		a->extra_n = short_vec_read(r, a->extra, sizeof(a->extra));
	a->signature_n = short_vec_read(r, a->signature, sizeof(a->signature));
	if (reader_u64le(r) != 0 && r->err == ERR_OK)
		reader_fail(r, err_say(note, ERR_UNSUPPORTED, "%s: stored signatures", object));
}

void fhe_attestation_write(struct bincode_writer *w, const struct fhe_attestation *a)
{
	bincode_put_u8(w, a->has_extra);
	if (a->has_extra)
		bincode_put_vec(w, bytes_from(a->extra, a->extra_n));
	bincode_put_vec(w, bytes_from(a->signature, a->signature_n));
	bincode_put_u64(w, 0);
}
