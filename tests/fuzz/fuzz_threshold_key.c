/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A party's object of key shares. What is read, written again from what a second reading finds in
 * it, is the same bytes, but for the older form of one version field.
 *
 * Input: edits of an object for tiny parameters, of party 3 of 4.
 */
#include "codec/safe_serialize.h"
#include "core/threshold_key.h"
#include "fuzz.h"
#include "support_params.h"

enum {
	BITS_MAX = 512,
	SHARE_SIZE = 92
};

static struct gr elements[BITS_MAX];

static struct bytes base(void)
{
	static struct buf object;
	const struct fhe_params params = fuzz_tiny_params();
	struct fhe_key_metadata m = {.digests_n = 1};
	struct threshold_key_parts parts = {
		.group = {.n = 4, .t = 1, .me = 3}, .params = &params, .metadata = &m};

	if (object.n > 0)
		return buf_view(&object);
	m.key_id.b[31] = 7;
	m.attestation.signature_n = 65;
	for (size_t i = 0; i < BITS_MAX; i++)
		elements[i] = (struct gr){{i + 1, i << 40, i * i, 5}};
	for (unsigned id = 0; id < FHE_KEY_COUNT; id++)
		parts.shares[id] = elements;
	object = buf_make(1 << 17);
	FUZZ_OK(threshold_key_write(&parts, &object));
	return buf_view(&object);
}

/* Group, parameters and metadata as they were understood, shares by their places. */
static void check_same(const struct threshold_key *k, struct bytes in)
{
	CLEANUP(buf_free) struct buf params = buf_make(1 << 12);
	CLEANUP(buf_free) struct buf again = buf_make(1 << 20);
	static struct gr shares[FHE_KEY_COUNT][1 << 13];
	static const char *const names[] = {"claviger::FheKeyShares", NULL};
	struct threshold_key_parts parts = {
		.group = *threshold_key_group(k),
		.params = threshold_key_params(k),
		.metadata = threshold_key_metadata(k),
	};
	struct bincode_writer w = {.out = &params};
	struct reader r = reader_of(in);
	size_t index, other = 0;

	layout_write(&w, &fhe_params_layout, parts.params);
	FUZZ_OK(bincode_end(&w));
	FUZZ_OK(safe_serialize_open(&r, names, &index, NULL));
	(void)reader_bytes(&r, 4 + 10 + params.n);
	for (unsigned id = 0; id < FHE_KEY_COUNT; id++) {
		size_t n = fhe_params_key_bits(parts.params, (enum fhe_key_id)id);

		CHECK(reader_u64le(&r) == n && n <= ARRAY_LEN(shares[0]));
		for (size_t i = 0; i < n; i++) {
			struct bytes share = reader_bytes(&r, SHARE_SIZE);

			CHECK(share.p);
			shares[id][i] = gr_get(&share.p[16]);
		}
		parts.shares[id] = shares[id];
	}
	FUZZ_OK(threshold_key_write(&parts, &again));
	CHECK(again.n == in.n);
	for (size_t i = 0; i < in.n; i++)
		other += in.p[i] != again.p[i];
	CHECK(other <= 1);
	CHECK(hash32_eq(threshold_key_id(k), parts.metadata->key_id));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = fuzz_patch(base(), bytes_from(p, n < 4096 ? n : 4096));
	struct threshold_key *k = NULL;
	struct err_note note = {0};

	if (threshold_key_read(&k, in, &note) == ERR_OK)
		check_same(k, in);
	else
		CHECK(!k && note.text[0]);
	threshold_key_free(k);
	fuzz_free(in);
	return 0;
}
