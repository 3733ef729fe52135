/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What a KMS keeps of a CRS, against upstream's published test object. */
#include "fhe/crs_metadata.h"
#include "fhe_test.h"

/* str "0.5", u32 0, str "0.1", str "CrsGenMetadata" */
enum {
	HEADER_SIZE = 8 + 3 + 4 + 8 + 3 + 8 + 14
};

static enum err try_metadata(struct bytes object, void *ctx)
{
	struct fhe_crs_metadata m;
	struct err_note note = {0};
	enum err e = kms_crs_metadata_read(&m, object, &note);

	(void)ctx;
	if (e != ERR_OK)
		assert_true(note.text[0] != '\0');
	return e;
}

static struct buf example(void)
{
	const struct fhe_crs_metadata m = {
		.crs_id = {{5, [31] = 1}},
		.digest = {{9}},
		.bits_max = 64,
		.attestation = {.has_extra = true, .extra_n = 3, .signature_n = 65},
	};
	struct buf out = buf_make(FHE_CRS_METADATA_SIZE_MAX);

	assert_ok(kms_crs_metadata_write(&m, &out));
	return out;
}

/* The published object has no header; ours is put before it. */
static void published(void **state)
{
	(void)state;
	struct buf want = vector_read("kms_crs_gen_metadata.bcode"), ours = example();
	struct buf object = buf_make(1 << 12), again = buf_make(1 << 12);
	struct fhe_crs_metadata m;
	uint8_t digest[32];

	memset(digest, 0x0c, sizeof(digest));
	assert_ok(buf_add(&object, bytes_sub(buf_view(&ours), 0, HEADER_SIZE)));
	assert_ok(buf_add(&object, buf_view(&want)));
	assert_ok(kms_crs_metadata_read(&m, buf_view(&object), NULL));
	assert_memory_equal(m.crs_id.b, "\x57\xb3\xbf\xa7", 4);
	assert_memory_equal(m.digest.b, digest, 32);
	assert_int_equal(m.bits_max, 2048);
	assert_false(m.attestation.has_extra);
	assert_int_equal(m.attestation.signature_n, 65);
	assert_int_equal(m.attestation.signature[64], 0x1b);
	assert_ok(kms_crs_metadata_write(&m, &again));
	assert_bytes_equal(buf_view(&again), buf_view(&object));
	buf_free(&want);
	buf_free(&ours);
	buf_free(&object);
	buf_free(&again);
}

static void broken(void **state)
{
	(void)state;
	struct buf object = example();

	assert_ok(try_metadata(buf_view(&object), NULL));
	truncations_fail(buf_view(&object), try_metadata, NULL);
	corruptions_are_safe(buf_view(&object), object.n, object.n, try_metadata, NULL);
	for (size_t i = 0; i < 3; i++) {
		object.p[HEADER_SIZE + 4 * i] += 1;
		assert_int_equal(try_metadata(buf_view(&object), NULL), ERR_UNSUPPORTED);
		object.p[HEADER_SIZE + 4 * i] -= 1;
	}
	object.p[HEADER_SIZE + 12 + 32] = 31; /* bytes of the digest */
	assert_int_equal(try_metadata(buf_view(&object), NULL), ERR_MALFORMED);
	buf_free(&object);
}

/* The largest that there can be, and no more. */
static void limits(void **state)
{
	(void)state;
	struct fhe_crs_metadata m = {.attestation = {.has_extra = true,
						     .extra_n = FHE_KEY_EXTRA_SIZE_MAX,
						     .signature_n = FHE_KEY_SIGNATURE_SIZE_MAX}};
	struct buf object = buf_make(FHE_CRS_METADATA_SIZE_MAX), longer = buf_make(1 << 14);
	const size_t extra_at = HEADER_SIZE + 12 + 32 + 8 + 32 + 4 + 1;

	assert_ok(kms_crs_metadata_write(&m, &object));
	assert_ok(try_metadata(buf_view(&object), NULL));
	assert_ok(buf_add(&longer, bytes_sub(buf_view(&object), 0, extra_at + 8)));
	assert_ok(buf_add(&longer, BYTES_LIT("x")));
	assert_ok(buf_add(&longer,
			  bytes_sub(buf_view(&object), extra_at + 8, object.n - extra_at - 8)));
	longer.p[extra_at]++;
	assert_int_equal(try_metadata(buf_view(&longer), NULL), ERR_TOO_BIG);
	buf_free(&object);
	buf_free(&longer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published),
		cmocka_unit_test(broken),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
