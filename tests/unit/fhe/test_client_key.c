/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* ClientKey: byte-exact round trips of keys made by tfhe-rs 1.7, generation from a seed, hostile
 * input; the vault object. */
#include "base/limits.h"
#include "codec/safe_serialize.h"
#include "fhe_test.h"

static void assert_writes(const struct fhe_client_key *k, struct bytes want)
{
	struct buf out = buf_make(CLIENT_KEY_SIZE_MAX);

	assert_ok(fhe_client_key_write(k, &out));
	assert_bytes_equal(buf_view(&out), want);
	buf_wipe(&out);
}

static void round_trips(void **state)
{
	static const char *const names[] = {"ck.bin", "ck_full.bin", "ck_test.bin"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf b = vector_read(names[i]);
		struct fhe_client_key *k = client_key_of(names[i]);

		assert_writes(k, buf_view(&b));
		fhe_client_key_free(k);
		buf_free(&b);
	}
}

/* The constant tables are what tfhe-rs writes for the sets of the same name. */
static void sets_are_upstreams(void **state)
{
	static const struct {
		const char *name;
		const struct fhe_params *params;
	} cases[] = {{"ck_full.bin", &fhe_params_v1_7}, {"ck_test.bin", &fhe_params_test}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = vector_read(cases[i].name);
		struct fhe_client_key *k = client_key_of(cases[i].name);

		assert_bytes_equal(fhe_client_key_tag(k), BYTES_LIT("kms-test-tag"));
		k->params = *cases[i].params;
		assert_writes(k, buf_view(&b));
		fhe_client_key_free(k);
		buf_free(&b);
	}
}

/* ck.bin was made by tfhe-rs from seed 5: production parameters, of the options the compact key
 * only. */
static void generation_is_upstreams(void **state)
{
	static const uint8_t seed[16] = {5};
	struct fhe_client_key *want = client_key_of("ck.bin");
	struct buf b = vector_read("ck.bin");
	struct fhe_params p = fhe_params_v1_7;
	struct fhe_client_key *k;

	(void)state;
	p.has_compression = p.has_sns = p.has_sns_compression = p.has_rerand = false;
	p.has_pke = want->params.has_pke;
	p.has_oprf = want->params.has_oprf;
	assert_ok(fhe_client_key_generate(&k, &p, BYTES_NONE, seed));
	assert_writes(k, buf_view(&b));
	fhe_client_key_free(k);
	fhe_client_key_free(want);
	buf_free(&b);
}

static void generated_full_key(void **state)
{
	struct buf out = buf_make(CLIENT_KEY_SIZE_MAX);
	struct fhe_client_key *k, *again;
	uint8_t tag[32] = {1, 2, 3}, seed[16] = {9};
	size_t ones = 0;

	(void)state;
	assert_ok(fhe_client_key_generate(&k, &fhe_params_v1_7, BYTES_OF(tag), seed));
	for (size_t i = 0; i < k->secret.n; i++)
		ones += k->secret.p[i];
	assert_in_range(ones, k->secret.n * 48 / 100, k->secret.n * 52 / 100);
	assert_ok(fhe_client_key_write(k, &out));
	assert_int_equal(out.n, 220538 - 12 + 32);
	assert_ok(fhe_client_key_read(&again, buf_view(&out), NULL));
	assert_bytes_equal(fhe_client_key_tag(again), BYTES_OF(tag));
	assert_writes(again, buf_view(&out));
	fhe_client_key_free(again);
	fhe_client_key_free(k);
	buf_wipe(&out);
}

static enum err try_key(struct bytes object, void *ctx)
{
	struct fhe_client_key *k = NULL;
	struct err_note note = {0};
	enum err e = fhe_client_key_read(&k, object, &note);

	(void)ctx;
	if (e != ERR_OK) {
		assert_null(k);
		assert_int_not_equal(err_class(e), ERR_CLASS_INTERNAL);
	}
	fhe_client_key_free(k);
	return e;
}

static void hostile(void **state)
{
	struct buf full = vector_read("ck_full.bin");
	struct buf test = vector_read("ck_test.bin");

	(void)state;
	truncations_fail(buf_view(&full), try_key, NULL);
	corruptions_are_safe(buf_view(&test), 8919, 17340, try_key, NULL);
	buf_free(&full);
	buf_free(&test);
}

static void too_big(void **state)
{
	static const uint8_t zero[FHE_TAG_SIZE_MAX + 1];
	struct fhe_client_key *k = NULL;
	struct buf b = vector_read("ck_test.bin");

	(void)state;
	b.size_max = CLIENT_KEY_SIZE_MAX + 1;
	assert_ok(buf_add_zero(&b, CLIENT_KEY_SIZE_MAX - b.n));
	assert_int_equal(try_key(buf_view(&b), NULL), ERR_MALFORMED);
	assert_ok(buf_add_u8(&b, 0));
	assert_int_equal(try_key(buf_view(&b), NULL), ERR_TOO_BIG);
	assert_int_equal(fhe_client_key_alloc(&k, &fhe_params_test, BYTES_OF(zero)), ERR_TOO_BIG);
	assert_null(k);
	buf_free(&b);
}

/* Single fields of ck_test.bin, by their place, and the error that each must give. */
static void hostile_fields(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum err want;
		const char *what;
	} cases[] = {
		{8, '1', ERR_UNSUPPORTED, "header version"},
		{11, 1, ERR_UNSUPPORTED, "unversioned mode"},
		{58, 'X', ERR_MISMATCH, "type name"},
		{59, 2, ERR_UNSUPPORTED, "ClientKey version"},
		{63, 9, ERR_UNSUPPORTED, "IntegerClientKey version"},
		{98, 0xff, ERR_TOO_BIG, "length of the GLWE key"},
		{91, 1, ERR_UNSUPPORTED, "length of the GLWE key, off by one"},
		{99, 2, ERR_MALFORMED, "secret word 2"},
		{106, 1, ERR_MALFORMED, "secret word 2^56"},
		{2151, 1, ERR_MALFORMED, "polynomial size of the key"},
		{2191, 7, ERR_UNSUPPORTED, "lwe_dimension version"},
		{2195, 7, ERR_MALFORMED, "lwe_dimension"},
		{2311, 5, ERR_UNSUPPORTED, "message modulus"},
		{2355, 1, ERR_UNSUPPORTED, "ciphertext modulus"},
		{2371, 32, ERR_UNSUPPORTED, "scalar bits"},
		{2391, 3, ERR_UNSUPPORTED, "modulus switch"},
		{2447, 1, ERR_UNSUPPORTED, "wopbs"},
		{2448, 2, ERR_MALFORMED, "option tag"},
		{6649, 2, ERR_UNSUPPORTED, "expansion kind version"},
		{6653, 2, ERR_UNSUPPORTED, "expansion kind"},
		{17409, 1, ERR_MALFORMED, "lwe_per_glwe"},
		{17489, 0, ERR_UNSUPPORTED, "older re-randomisation"},
		{17534 + 1, 2, ERR_TOO_BIG, "tag length"},
	};
	struct buf b = vector_read("ck_test.bin");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t before = b.p[cases[i].at];
		enum err e;

		b.p[cases[i].at] = cases[i].value;
		e = try_key(buf_view(&b), NULL);
		if (e != cases[i].want)
			print_error("%s: %s instead of %s\n", cases[i].what, err_name(e),
				    err_name(cases[i].want));
		assert_int_equal(e, cases[i].want);
		b.p[cases[i].at] = before;
	}
	assert_ok(try_key(buf_view(&b), NULL));
	buf_free(&b);
}

/* ---- the private vault object ---- */

static enum err try_handles(struct bytes object, void *ctx)
{
	struct fhe_key_handles h = {0};
	enum err e = kms_fhe_key_handles_read(&h, object, NULL);

	(void)ctx;
	kms_fhe_key_handles_free(&h);
	return e;
}

static struct fhe_key_metadata metadata_example(void)
{
	struct fhe_key_metadata m = {
		.digests_n = 2,
		.attestation = {.has_extra = true, .extra_n = 3, .signature_n = 65}};

	memset(m.key_id.b, 0x11, 32);
	memset(m.preproc_id.b, 0x22, 32);
	m.digests[0].pub_data = FHE_PUB_PUBLIC_KEY;
	memset(m.digests[0].digest.b, 0x33, 32);
	m.digests[1].pub_data = FHE_PUB_COMPRESSED_XOF_KEY_SET;
	memset(m.digests[1].digest.b, 0x44, 32);
	memcpy(m.attestation.extra, "abc", 3);
	memset(m.attestation.signature, 0x55, 65);
	return m;
}

static void vault_object(void **state)
{
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct buf out = buf_make(CLIENT_KEY_SIZE_MAX), again = buf_make(CLIENT_KEY_SIZE_MAX);
	struct buf body = vector_read("ck_test.bin");
	struct fhe_key_metadata m = metadata_example();
	struct fhe_key_handles h;

	(void)state;
	assert_ok(kms_fhe_key_handles_write(k, &m, &out));
	/* header of 50 bytes, version, the ClientKey's body without its header of 59, no
	 * decompression key */
	assert_memory_equal(&out.p[50], "\1\0\0\0", 4);
	assert_memory_equal(&out.p[54], &body.p[59], body.n - 59);
	assert_int_equal(out.p[54 + body.n - 59], 0);
	assert_ok(kms_fhe_key_handles_read(&h, buf_view(&out), NULL));
	assert_writes(h.client_key, buf_view(&body));
	assert_memory_equal(h.metadata.attestation.extra, "abc", 3);
	assert_ok(kms_fhe_key_handles_write(h.client_key, &h.metadata, &again));
	assert_bytes_equal(buf_view(&again), buf_view(&out));
	buf_wipe(&again);
	kms_fhe_key_handles_free(&h);
	truncations_fail(buf_view(&out), try_handles, NULL);
	corruptions_are_safe(buf_view(&out), 300, out.n - 320, try_handles, NULL);
	assert_int_equal(try_handles(buf_view(&body), NULL), ERR_MISMATCH);
	fhe_client_key_free(k);
	buf_wipe(&out);
	buf_free(&body);
}

/* The note tells what was found first, whatever follows it. */
static void vault_object_notes(void **state)
{
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct buf out = buf_make(CLIENT_KEY_SIZE_MAX);
	struct buf body = vector_read("ck_test.bin");
	struct fhe_key_metadata m = metadata_example();
	const size_t option = 54 + body.n - 59;
	const struct {
		size_t at;
		uint8_t value;
		const char *note;
	} cases[] = {
		{50, 2, "KmsFheKeyHandles: another version"},
		{54, 9, "ClientKey: ClientKey version at byte 54 is 9, which we do not read"},
		{option, 1, "KmsFheKeyHandles: a DecompressionKey"},
		{option + 1, 1, "KmsFheKeyHandles: metadata of another version"},
		{option + 9, 2, "KmsFheKeyHandles: metadata of another version"},
	};

	(void)state;
	assert_ok(kms_fhe_key_handles_write(k, &m, &out));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fhe_key_handles h;
		struct err_note note = {0};
		uint8_t before = out.p[cases[i].at];

		out.p[cases[i].at] = cases[i].value;
		assert_int_equal(kms_fhe_key_handles_read(&h, buf_view(&out), &note),
				 ERR_UNSUPPORTED);
		assert_string_equal(note.text, cases[i].note);
		out.p[cases[i].at] = before;
	}
	fhe_client_key_free(k);
	buf_wipe(&out);
	buf_free(&body);
}

/* The metadata's inner form is upstream's published test object, byte for byte, after the outer
 * enum's two words. */
static void vault_metadata(void **state)
{
	struct fhe_client_key *k = client_key_of("ck_test.bin");
	struct buf want = vector_read("kms_key_gen_metadata.bcode"),
		   out = buf_make(CLIENT_KEY_SIZE_MAX), again;
	struct fhe_key_handles h;

	(void)state;
	assert_ok(kms_fhe_key_handles_write(k, &(struct fhe_key_metadata){0}, &out));
	out.n -= 4 + 64 + 8 + 1 + 8 + 8; /* the empty inner metadata */
	assert_ok(buf_add(&out, buf_view(&want)));
	assert_ok(kms_fhe_key_handles_read(&h, buf_view(&out), NULL));
	assert_int_equal(h.metadata.digests_n, 2);
	assert_int_equal(h.metadata.digests[1].pub_data, FHE_PUB_PUBLIC_KEY);
	assert_int_equal(h.metadata.attestation.signature_n, 65);
	again = buf_make(CLIENT_KEY_SIZE_MAX);
	assert_ok(kms_fhe_key_handles_write(h.client_key, &h.metadata, &again));
	assert_bytes_equal(buf_view(&again), buf_view(&out));
	kms_fhe_key_handles_free(&h);
	fhe_client_key_free(k);
	buf_wipe(&out);
	buf_wipe(&again);
	buf_free(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(sets_are_upstreams),
		cmocka_unit_test(generation_is_upstreams),
		cmocka_unit_test(generated_full_key),
		cmocka_unit_test(hostile),
		cmocka_unit_test(too_big),
		cmocka_unit_test(hostile_fields),
		cmocka_unit_test(vault_object),
		cmocka_unit_test(vault_object_notes),
		cmocka_unit_test(vault_metadata),
	};

	return cmocka_run_group_tests_name("fhe client key", tests, NULL, NULL);
}
