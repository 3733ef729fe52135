/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Hostile ciphertexts for a party's shares: it takes the same as the whole key does, and what it
 * refuses it refuses in the same way; nothing of the session is used up then.
 *
 * Input: u8 form (list, under the squashing key, under that of its compression), u8 type, u8 format
 * (of the two), then edits of a ciphertext for tiny parameters.
 */
#include "core/dealer/deal.h"
#include "fhe/dealer/dealer.h"
#include "fhe/expanded.h"
#include "fuzz.h"
#include "support_params.h"

enum {
	FORMS = 3,
	WORDS = 64
};

static struct fhe_client_key *key;
static struct threshold_key *share;
static struct prss *prss[MPC_PARTIES_MAX];
static struct buf forms[FORMS];

static void block_make(const void *context, uint64_t i, void *ret_block)
{
	static const uint8_t words[16 * WORDS] = {1, 2, 3};

	(void)i;
	*(struct fhe_block *)ret_block = (struct fhe_block){
		.words = bytes_from(words, *(const size_t *)context),
		.degree = 15,
		.message_modulus = 4,
		.carry_modulus = 4,
	};
}

static void setup(void)
{
	const struct fhe_params params = fuzz_tiny_params();
	const struct fhe_plaintext value = {.le = {0x5a}, .n = 1};
	const struct fhe_type_row *row = fhe_type_find(FHE_UINT8);
	size_t size = 16 * (fhe_params_key_bits(&params, FHE_KEY_SNS) + 1);
	struct fhe_key_metadata m = {0};
	struct buf objects[4];
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 1);

	FUZZ_OK(fhe_client_key_generate(&key, &params, BYTES_LIT("tag"), (uint8_t[16]){1}));
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		objects[i] = buf_make(THRESHOLD_KEY_SIZE_MAX);
	FUZZ_OK(threshold_deal(objects, key, &m, 4, 1, rng, NULL));
	FUZZ_OK(threshold_key_read(&share, buf_view(&objects[1]), NULL));
	FUZZ_OK(threshold_deal_prss(prss, 4, 1, rng));
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		buf_free(&objects[i]);
	for (uint32_t form = 0; form < FORMS; form++) {
		struct fhe_expanded v = {
			.radix_blocks = row->blocks,
			.blocks = {.n = 2, .make = block_make, .context = &size},
			.state = form == 2,
			.tag = BYTES_LIT("tag"),
		};

		forms[form] = buf_make(1 << 16);
		if (form == 0)
			FUZZ_OK(fhe_squashed_list_encrypt(key, row, &value, rng, &forms[0]));
		else
			FUZZ_OK(fhe_big_expanded_rewrite(&v, &forms[form]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes script = bytes_from(p, n < 4096 ? n : 4096);
	unsigned form = fuzz_u8(&script) % FORMS;
	enum fhe_type type = (enum fhe_type)(fuzz_u8(&script) % 14);
	enum fhe_format format = fuzz_u8(&script) % 2 ? FHE_BIG_EXPANDED : FHE_BIG_COMPRESSED;
	const struct mpc_session_id id = {{1}};
	struct gr shares[MPC_BLOCKS_MAX], mask, fresh;
	struct prss_session *s, *other;
	struct fhe_plaintext clear;
	struct err_note note = {0};
	size_t blocks = 0;
	struct bytes in;
	enum err e;

	if (!key)
		setup();
	in = fuzz_patch(buf_view(&forms[form]), script);
	FUZZ_OK(prss_session_new(&s, prss[1], &id));
	FUZZ_OK(prss_session_new(&other, prss[1], &id));
	e = threshold_key_shares(shares, &blocks, share, s, type, format, in, &note);
	CHECK(e == fhe_decrypt(key, &clear, type, format, in, NULL));
	FUZZ_OK(prss_mask(s, &mask, 1));
	FUZZ_OK(prss_mask(other, &fresh, 1));
	if (e == ERR_OK)
		CHECK(blocks == threshold_blocks(type) && !gr_eq_var(&mask, &fresh));
	else
		CHECK(note.text[0] && blocks == 0 && gr_eq_var(&mask, &fresh));
	prss_session_free(s);
	prss_session_free(other);
	fuzz_free(in);
	return 0;
}
