/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/key_handles.h"

#include "base/limits.h"
#include "codec/safe_serialize.h"
#include "fhe/client_key.h"

enum {
	HANDLES_SIZE_MAX = CLIENT_KEY_SIZE_MAX + (1 << 16)
};

static void digests_read(struct reader *r, struct fhe_key_metadata *m)
{
	m->digests_n = (size_t)bincode_len(r, FHE_KEY_DIGESTS_MAX);
	for (size_t i = 0; i < m->digests_n; i++) {
		bincode_expect_u32(r, 0);
		m->digests[i].pub_data = reader_u32le(r);
		m->digests[i].digest = fhe_hash_vec_read(r);
	}
}

void fhe_key_metadata_read(struct reader *r, struct fhe_key_metadata *m, const char *object,
			   struct err_note *note)
{
	if (r->err != ERR_OK)
		return;
	bincode_expect_u32(r, 0); /* KeyGenMetadata */
	bincode_expect_u32(r, 0); /* Current */
	bincode_expect_u32(r, 3);
	if (r->err == ERR_UNSUPPORTED)
		(void)err_say(note, r->err, "%s: metadata of another version", object);
	m->key_id = fhe_hash_read(r);
	m->preproc_id = fhe_hash_read(r);
	digests_read(r, m);
	fhe_attestation_read(r, &m->attestation, object, note);
}

enum err kms_fhe_key_handles_read(struct fhe_key_handles *ret_handles, struct bytes serialized,
				  struct err_note *note)
{
	static const char *const names[] = {"KmsFheKeyHandles", NULL};
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles h = {0};
	struct reader r = reader_of(serialized);
	size_t index;

	if (serialized.n > HANDLES_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "KmsFheKeyHandles: %zu bytes", serialized.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	bincode_expect_u32(&r, 1);
	if (r.err == ERR_UNSUPPORTED)
		return err_say(note, r.err, "KmsFheKeyHandles: another version");
	h.client_key = fhe_client_key_read_body(&r, note);
	if (bincode_option(&r))
		reader_fail(&r,
			    err_say(note, ERR_UNSUPPORTED, "KmsFheKeyHandles: a DecompressionKey"));
	fhe_key_metadata_read(&r, &h.metadata, "KmsFheKeyHandles", note);
	TRY(layout_end(&r, "KmsFheKeyHandles", note));
	*ret_handles = h;
	h.client_key = NULL; /* handed over */
	return ERR_OK;
}

void kms_fhe_key_handles_free(struct fhe_key_handles *h)
{
	if (!h)
		return;
	fhe_client_key_free(h->client_key);
	h->client_key = NULL;
}

/* ---- writing ---- */

void fhe_key_metadata_write(struct bincode_writer *w, const struct fhe_key_metadata *m)
{
	bincode_put_u32(w, 0);
	bincode_put_u32(w, 0);
	bincode_put_u32(w, 3);
	bincode_put_raw(w, BYTES_OF(m->key_id.b));
	bincode_put_raw(w, BYTES_OF(m->preproc_id.b));
	bincode_put_u64(w, m->digests_n);
	for (size_t i = 0; i < m->digests_n; i++) {
		bincode_put_u32(w, 0);
		bincode_put_u32(w, m->digests[i].pub_data);
		bincode_put_vec(w, BYTES_OF(m->digests[i].digest.b));
	}
	fhe_attestation_write(w, &m->attestation);
}

enum err kms_fhe_key_handles_write(const struct fhe_client_key *k,
				   const struct fhe_key_metadata *metadata, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	TRY(buf_reserve(out, CLIENT_KEY_SIZE_MAX));
	safe_serialize_begin(&w, "KmsFheKeyHandles");
	bincode_put_u32(&w, 1);
	layout_write(&w, &fhe_client_key_layout, k);
	bincode_put_u8(&w, 0);
	fhe_key_metadata_write(&w, metadata);
	return bincode_end(&w);
}
