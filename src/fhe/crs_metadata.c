/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/crs_metadata.h"

#include "codec/safe_serialize.h"
#include "fhe/layout.h"

/* CrsGenMetadata, Current, and the form of that. */
static const uint32_t versions[] = {1, 0, 2};

static const char object_name[] = "CrsGenMetadata";

enum err kms_crs_metadata_read(struct fhe_crs_metadata *ret_metadata, struct bytes serialized,
			       struct err_note *note)
{
	static const char *const names[] = {object_name, NULL};
	struct fhe_crs_metadata m = {0};
	struct reader r = reader_of(serialized);
	size_t index;

	TRY(safe_serialize_open(&r, names, &index, note));
	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		bincode_expect_u32(&r, versions[i]);
	if (r.err == ERR_UNSUPPORTED)
		return err_say(note, r.err, "%s: another version", object_name);
	m.crs_id = fhe_hash_read(&r);
	m.digest = fhe_hash_vec_read(&r);
	m.bits_max = reader_u32le(&r);
	fhe_attestation_read(&r, &m.attestation, object_name, note);
	TRY(layout_end(&r, object_name, note));
	*ret_metadata = m;
	return ERR_OK;
}

enum err kms_crs_metadata_write(const struct fhe_crs_metadata *m, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	safe_serialize_begin(&w, object_name);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		bincode_put_u32(&w, versions[i]);
	bincode_put_raw(&w, BYTES_OF(m->crs_id.b));
	bincode_put_vec(&w, BYTES_OF(m->digest.b));
	bincode_put_u32(&w, m->bits_max);
	fhe_attestation_write(&w, &m->attestation);
	return bincode_end(&w);
}
