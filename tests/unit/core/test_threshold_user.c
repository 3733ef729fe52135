/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The answers of a committee to a user: what is in each, and what the user makes of them. */
#include "base/limits.h"
#include "core/user_decryption.h"
#include "crypto/aes_gcm.h"
#include "net/protobuf.h"
#include "support.h"
#include "support_threshold.h"

enum {
	ITEMS = 4
};
static const enum fhe_type types[ITEMS] = {FHE_BOOL, FHE_UINT64, FHE_UINT160, FHE_UINT256};

struct world {
	struct committee c;
	struct ecdsa *ecdsa;
	struct signing_key signer;
	struct test_user user;
	struct fhe_plaintext values[ITEMS];
	struct committee_shares *shares; /* ITEMS */
	struct decryption_item items[ITEMS];
	uint8_t handles[ITEMS][32];
	struct decryption_request r;
};

static void world_make(struct world *w, unsigned n, unsigned t, struct rng *rng)
{
	*w = (struct world){0};
	committee_make(&w->c, committee_key(&fhe_params_test, rng), n, t, rng);
	OK(ecdsa_new(&w->ecdsa, (uint8_t[32]){1}));
	test_signer(&w->signer, w->ecdsa);
	test_user_make(&w->user, 1);
	w->shares = calloc(ITEMS, sizeof(*w->shares));
	assert_non_null(w->shares);
	for (size_t i = 0; i < ITEMS; i++) {
		struct buf ct;

		w->values[i] = test_value(types[i], rng);
		ct = test_encrypt(w->c.clear, FORM_LIST, types[i], &w->values[i], 0, rng);
		OK(committee_decrypt(&w->shares[i], &w->c, i, types[i], FHE_BIG_COMPRESSED,
				     buf_view(&ct)));
		buf_free(&ct);
		w->handles[i][31] = (uint8_t)i;
		w->items[i].type = types[i];
		w->items[i].external_handle = BYTES_OF(w->handles[i]);
		memcpy(w->items[i].handle.b, w->handles[i], 32);
	}
	w->r = (struct decryption_request){
		.kind = REQUEST_USER_DECRYPTION,
		.domain = {.name = BYTES_LIT("Decryption"), .version = BYTES_LIT("1")},
		.items = w->items,
		.items_n = ITEMS,
		.user = w->user.address,
		.extra_data = BYTES_LIT("\001xyz"),
	};
	OK(enc_key_read(&w->r.enc_key, BYTES_OF(w->user.enc_key), NULL));
}

static void world_free(struct world *w)
{
	free(w->shares);
	signing_key_free(&w->signer);
	ecdsa_free(w->ecdsa);
	committee_free(&w->c);
}

/* The plaintext inside, which is a vector of ring elements. */
static size_t unseal(const struct world *w, struct bytes sealed, enum fhe_type type,
		     struct gr *ret_elements)
{
	struct buf text = buf_make(1 << 13);
	struct reader r = reader_of(sealed);
	struct bytes nonce = reader_bytes(&r, 12), ct, box;
	struct secret32 shared;
	uint64_t n;

	assert_int_equal(reader_u64le(&r), MLKEM_512_CT_SIZE);
	ct = reader_bytes(&r, MLKEM_512_CT_SIZE);
	box = reader_bytes(&r, (size_t)reader_u64le(&r));
	OK(reader_end(&r));
	OK(mlkem_decaps(MLKEM_512, &shared, BYTES_OF(w->user.dk), ct));
	OK(aes_gcm_open(&text, &shared, nonce.p, BYTES_NONE, box));
	r = reader_of(buf_view(&text));
	n = reader_u64le(&r);
	assert_int_equal(n, 8 + GR_SIZE * ((threshold_blocks(type) + 3) / 4));
	n = reader_u64le(&r);
	for (size_t i = 0; i < n; i++)
		ret_elements[i] = gr_get(reader_bytes(&r, GR_SIZE).p);
	assert_int_equal(reader_u32le(&r), type);
	assert_int_equal(r.err, ERR_OK);
	buf_free(&text);
	return (size_t)n;
}

static void test_answers(void **state)
{
	static const unsigned sizes[][2] = {{4, 1}, {13, 4}};
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 1);

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct gr(*packed)[MPC_PARTIES_MAX][16] = calloc(ITEMS, sizeof(*packed));
		struct world w;

		assert_non_null(packed);
		world_make(&w, sizes[s][0], sizes[s][1], rng);
		for (unsigned me = 1; me <= w.c.n; me++) {
			const struct mpc_group g = {w.c.n, w.c.t, me};
			struct buf answer = buf_make(USER_DECRYPTION_ANSWER_MAX);
			struct user_decryption_shares shares[ITEMS];
			ProtobufCMessage *unpacked;
			struct arena memory;

			for (size_t i = 0; i < ITEMS; i++)
				shares[i] = (struct user_decryption_shares){w.shares[i].of[me - 1],
									    w.shares[i].n};
			OK(user_decryption_sign_shares(&answer, &w.r, shares, &g, &w.signer, rng));
			memory = protobuf_arena(buf_view(&answer));
			OK(protobuf_unpack(&unpacked,
					   &kms__v1__user_decryption_response__descriptor,
					   buf_view(&answer), &memory));

			const Kms__V1__UserDecryptionResponse *m =
				(const Kms__V1__UserDecryptionResponse *)unpacked;

			assert_int_equal(m->payload->party_id, me);
			assert_int_equal(m->payload->degree, w.c.t);
			assert_int_equal(m->payload->n_signcrypted_ciphertexts, ITEMS);
			for (size_t i = 0; i < ITEMS; i++) {
				const Kms__V1__TypedSigncryptedCiphertext *c =
					m->payload->signcrypted_ciphertexts[i];

				assert_int_equal(c->fhe_type, types[i]);
				assert_int_equal(c->packing_factor, types[i] == FHE_BOOL ? 1 : 2);
				assert_int_equal(unseal(&w,
							protobuf_view(c->signcrypted_ciphertext),
							types[i], packed[i][me - 1]),
						 (threshold_blocks(types[i]) + 3) / 4);
			}
			arena_free(&memory);
			buf_free(&answer);
		}
		for (size_t i = 0; i < ITEMS; i++) {
			struct gr opened[16], blocks[MPC_BLOCKS_MAX];
			const struct gr *of[MPC_PARTIES_MAX];
			struct fhe_plaintext value;
			struct shamir_basis b;

			for (unsigned p = 0; p < w.c.n; p++)
				of[p] = packed[i][p];
			OK(shamir_basis_init(&b, mpc_set_all(&(struct mpc_group){.n = w.c.n}),
					     w.c.t));
			OK(shamir_open_many_var(&b, opened, NULL, of, (w.shares[i].n + 3) / 4, 0, 0,
						NULL));
			for (size_t k = 0; k < w.shares[i].n; k++)
				blocks[k] = gr_scalar(opened[k / 4].c[k % 4]);
			OK(threshold_value(&value, types[i], blocks, w.shares[i].n));
			assert_memory_equal(value.le, w.values[i].le, w.values[i].n);
		}
		world_free(&w);
		free(packed);
	}
}

/* As many handles as a request can have, all of the largest type: it fits. */
static void test_largest_answer(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 1);
	const struct mpc_group g = {4, 1, 2};
	struct buf answer = buf_make(USER_DECRYPTION_ANSWER_MAX);
	struct user_decryption_shares *shares = calloc(HANDLES_PER_REQUEST_MAX, sizeof(*shares));
	struct decryption_item *items = calloc(HANDLES_PER_REQUEST_MAX, sizeof(*items));
	struct world w;

	(void)state;
	assert_true(shares && items);
	world_make(&w, 4, 1, rng);
	for (size_t i = 0; i < HANDLES_PER_REQUEST_MAX; i++) {
		shares[i] = (struct user_decryption_shares){w.shares[3].of[1], w.shares[3].n};
		items[i] = w.items[3];
	}
	w.r.items = items;
	w.r.items_n = HANDLES_PER_REQUEST_MAX;
	OK(user_decryption_sign_shares(&answer, &w.r, shares, &g, &w.signer, rng));
	print_message("# %zu bytes of %d\n", answer.n, USER_DECRYPTION_ANSWER_MAX);
	/* what does not fit the type */
	buf_clear(&answer);
	shares[1].n = 32;
	assert_int_equal(user_decryption_sign_shares(&answer, &w.r, shares, &g, &w.signer, rng),
			 ERR_RANGE);
	assert_int_equal(answer.n, 0);
	free(shares);
	free(items);
	buf_free(&answer);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_largest_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
