/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * FHE client keys, alone and as the vault's KmsFheKeyHandles, and what the vault has of a CRS. What
 * is read is written again with the same bytes, except that the older form of one version field
 * becomes the newer.
 *
 * Input: u8 which object || edits.
 */
#include "codec/safe_serialize.h"
#include "fhe/crs_metadata.h"
#include "fhe/dealer/dealer.h"
#include "fuzz.h"

enum {
	OBJECT_MAX = 4 << 20
};

/* One byte may differ: a version 0 that is written as 1. */
static void check_written(struct bytes in, struct bytes out)
{
	size_t other = 0;

	CHECK(in.n == out.n);
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] != out.p[i]) {
			CHECK(in.p[i] == 0 && out.p[i] == 1);
			other++;
		}
	CHECK(other <= 1);
}

static void try_key(struct bytes in)
{
	CLEANUP(buf_wipe) struct buf out = buf_make(OBJECT_MAX);
	struct fhe_client_key *k = NULL;
	struct err_note note = {0};

	if (fhe_client_key_read(&k, in, &note) != ERR_OK) {
		CHECK(!k && note.text[0]);
		return;
	}
	FUZZ_OK(fhe_client_key_write(k, &out));
	check_written(in, buf_view(&out));
	CHECK(fhe_client_key_tag(k).n <= FHE_TAG_SIZE_MAX);
	fhe_client_key_free(k);
}

static void try_handles(struct bytes in)
{
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles h = {0};
	CLEANUP(buf_wipe) struct buf out = buf_make(OBJECT_MAX);

	if (kms_fhe_key_handles_read(&h, in, NULL) != ERR_OK) {
		CHECK(!h.client_key);
		return;
	}
	FUZZ_OK(kms_fhe_key_handles_write(h.client_key, &h.metadata, &out));
	check_written(in, buf_view(&out));
}

/* Around the smallest key that there is. */
static struct bytes handles_vector(void)
{
	static struct buf object;
	struct fhe_key_metadata m = {
		.digests_n = 2,
		.attestation = {.has_extra = true, .extra_n = 5, .signature_n = 65}};
	struct fhe_client_key *k;

	if (object.n > 0)
		return buf_view(&object);
	m.digests[1].pub_data = FHE_PUB_PUBLIC_KEY;
	object = buf_make(OBJECT_MAX);
	FUZZ_OK(fhe_client_key_read(&k, fuzz_vector("tfhe/ck_test.bin"), NULL));
	FUZZ_OK(kms_fhe_key_handles_write(k, &m, &object));
	fhe_client_key_free(k);
	return buf_view(&object);
}

static void try_crs(struct bytes script)
{
	static const struct fhe_crs_metadata example = {
		.bits_max = 64,
		.attestation = {.has_extra = true, .extra_n = 5, .signature_n = 65}};
	CLEANUP(buf_free) struct buf out = buf_make(FHE_CRS_METADATA_SIZE_MAX);
	CLEANUP(buf_free) struct buf again = buf_make(FHE_CRS_METADATA_SIZE_MAX);
	struct fhe_crs_metadata m;
	struct err_note note = {0};
	struct bytes object;

	FUZZ_OK(kms_crs_metadata_write(&example, &out));
	object = fuzz_patch(buf_view(&out), script);
	if (kms_crs_metadata_read(&m, object, &note) == ERR_OK) {
		FUZZ_OK(kms_crs_metadata_write(&m, &again));
		CHECK(bytes_eq_var(object, buf_view(&again)));
	} else {
		CHECK(note.text[0]);
	}
	fuzz_free(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n), object;
	uint8_t first = fuzz_u8(&in), which = first % 4;

	if (n > 4096)
		return 0;
	if (first == 0xff) {
		try_crs(in);
		return 0;
	}
	object = fuzz_patch(which == 0   ? fuzz_vector("tfhe/ck_test.bin")
			    : which == 1 ? fuzz_vector("tfhe/ck.bin")
			    : which == 2 ? handles_vector()
					 : BYTES_NONE,
			    in);
	if (which != 2)
		try_key(object);
	if (which >= 2)
		try_handles(object);
	fuzz_free(object);
	return 0;
}
