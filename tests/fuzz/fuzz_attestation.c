/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Attestations of ciphertexts. What is read is written as JSON and reads the same, signs the same
 * bytes and agrees with itself. Input: the header's text. */
#include "base/hex.h"
#include "base/json.h"
#include "connector/worker/attestation.h"
#include "fuzz.h"

static void put_hex(struct buf *out, const char *key, struct bytes v)
{
	FUZZ_OK(buf_addf(out, ",\"%s\":\"", key));
	FUZZ_OK(hex_add(out, v, true));
	FUZZ_OK(buf_add_u8(out, '"'));
}

static const char *format_name(enum ct_format f)
{
	static const char *const names[] = {"uncompressed_on_cpu", "compressed_on_cpu",
					    "uncompressed_on_gpu", "compressed_on_gpu"};
	enum ct_format g;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (ct_format_from_name(&g, bytes_str(names[i])) == ERR_OK && g == f)
			return names[i];
	CHECK(false && "a format without a name");
	return "";
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct ecdsa *ecdsa;
	CLEANUP(buf_free) struct buf text = buf_make(1 << 14);
	const struct hash32 handle = {{1}};
	struct attestation a, b;
	char dec[U256_DEC_SIZE];

	if (!ecdsa)
		FUZZ_OK(ecdsa_new(&ecdsa, (const uint8_t[32]){1}));
	if (attestation_parse(&a, bytes_from(p, n)) != ERR_OK)
		return 0;
	CHECK(n <= ATTESTATION_TEXT_MAX);
	u256_to_dec(dec, a.key_id);
	FUZZ_OK(buf_addf(&text, "{\"version\":1,\"key_id\":\"%s\",\"format\":\"%s\"", dec,
			 format_name(a.format)));
	put_hex(&text, "ciphertext_digest", BYTES_OF(a.ciphertext_digest.b));
	put_hex(&text, "sns_ciphertext_digest", BYTES_OF(a.sns_digest.b));
	put_hex(&text, "signer", BYTES_OF(a.signer.b));
	put_hex(&text, "signature", BYTES_OF(a.signature.b));
	FUZZ_OK(buf_add_u8(&text, '}'));
	FUZZ_OK(attestation_parse(&b, buf_view(&text)));
	CHECK(attestation_agrees(&a, &b) && address_eq(a.signer, b.signer));
	CHECK(memcmp(a.signature.b, b.signature.b, sizeof(a.signature.b)) == 0);

	struct hash32 one = attestation_digest(&a, &handle, u256_from_u64(1));
	struct hash32 two = attestation_digest(&b, &handle, u256_from_u64(1));
	struct hash32 three = attestation_digest(&b, &handle, u256_from_u64(2));

	CHECK(hash32_eq(one, two) && !hash32_eq(one, three));
	CHECK(attestation_verify(&a, &handle, ecdsa) == attestation_verify(&b, &handle, ecdsa));
	CHECK(ct_format_compressed(a.format) == (format_name(a.format)[0] == 'c'));

	/* One signer is one vote. */
	const struct attestation *const list[] = {&a, &b};

	CHECK(attestation_consensus(list, 2, 1) >= 0 && attestation_consensus(list, 2, 2) == -1);
	b.signer.b[0] ^= 1;
	CHECK(attestation_consensus(list, 2, 2) >= 0);
	b.sns_digest.b[0] ^= 1;
	CHECK(attestation_consensus(list, 2, 2) == -1);
	return 0;
}
