/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The C side of threshold.test.mjs: a committee in one process that answers a user. usage:
 *   threshold_peer N T LIARS [KEY]   LIARS: numbers of parties with commas, or 0; they share other
 *                                    numbers, under good signatures. KEY: a client_key.bin, or a
 *                                    fresh one of the set "test".
 * Input, a line each: chain id (hex, 32 bytes), verifying contract, user, enc_key, extra data (all
 * hex), then "TYPE HANDLE VALUE" for each value: a number, hex, hex little endian. For each value a
 * fresh ciphertext is made, in turns of each form. Prints first the parties' addresses, a line
 * each, then their answers: "PAYLOAD SIGNATURE". The parties' signing keys are of a seed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "base/rng.h"
#include "core/dealer/deal.h"
#include "core/user_decryption.h"
#include "fhe/dealer/dealer.h"
#include "fhe/expanded.h"
#include "fhe/negacyclic.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"

enum {
	ITEMS_MAX = 64,
	LINE_MAX_ = 4096
};

struct item {
	struct fhe_plaintext value;
	struct buf ciphertext;
	enum fhe_type type;
	enum fhe_format format;
	uint8_t handle[32];
	struct gr shares[MPC_PARTIES_MAX][MPC_BLOCKS_MAX];
	size_t blocks;
};

struct committee {
	unsigned n, t;
	mpc_set liars;
	struct fhe_client_key *key;
	struct threshold_key *keys[MPC_PARTIES_MAX];
	struct prss *prss[MPC_PARTIES_MAX];
	struct signing_key signers[MPC_PARTIES_MAX];
	struct item *items;
	size_t items_n;
	struct decryption_item request_items[ITEMS_MAX];
	uint8_t enc_key[ENC_KEY_SIZE], extra[LINE_MAX_];
	struct decryption_request r;
};

static struct err_note note;

static void must(enum err e)
{
	if (e == ERR_OK)
		return;
	fprintf(stderr, "%s: %s\n", err_name(e), note.text);
	exit(EXIT_FAILURE);
}

static void hex_print(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		printf("%02x", b.p[i]);
}

/* ---- the committee ---- */

static struct fhe_client_key *key_make(const char *file)
{
	CLEANUP(buf_wipe) struct buf b = buf_make(CLIENT_KEY_SIZE_MAX);
	struct fhe_client_key *key;
	uint8_t chunk[4096], seed[16];
	FILE *f;
	size_t n;

	if (!file) {
		rng_fill(rng_system(), seed, sizeof(seed));
		must(fhe_client_key_generate(&key, &fhe_params_test, BYTES_LIT("key"), seed));
		return key;
	}
	f = fopen(file, "rb");
	CHECK(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		must(buf_add(&b, bytes_from(chunk, n)));
	(void)fclose(f);
	must(fhe_client_key_read(&key, buf_view(&b), &note));
	return key;
}

static void committee_make(struct committee *c, const char *const *args, const char *file,
			   const struct ecdsa *ecdsa)
{
	struct buf objects[MPC_PARTIES_MAX];
	struct fhe_key_metadata m = {0};
	struct rng_seeded seeded;
	struct rng *signers = rng_seeded_init(&seeded, 7);
	char liars[64];
	char *rest = liars, *word;

	c->n = (unsigned)strtoul(args[0], NULL, 10);
	c->t = (unsigned)strtoul(args[1], NULL, 10);
	(void)snprintf(liars, sizeof(liars), "%s", args[2]);
	while ((word = strtok_r(rest, ",", &rest)))
		if (*word != '0')
			c->liars |= mpc_set_of((unsigned)strtoul(word, NULL, 10));
	c->key = key_make(file);
	for (unsigned p = 0; p < MPC_PARTIES_MAX; p++)
		objects[p] = buf_make(THRESHOLD_KEY_SIZE_MAX);
	must(threshold_deal(objects, c->key, &m, c->n, c->t, rng_system(), &note));
	must(threshold_deal_prss(c->prss, c->n, c->t, rng_system()));
	for (unsigned p = 0; p < c->n; p++) {
		must(threshold_key_read(&c->keys[p], buf_view(&objects[p]), &note));
		must(signing_key_generate(&c->signers[p], ecdsa, signers));
		hex_print(BYTES_OF(c->signers[p].address.b));
		putchar('\n');
		buf_wipe(&objects[p]);
	}
	(void)fflush(stdout);
}

/* ---- ciphertexts ---- */

static void block_make(const void *context, uint64_t i, void *ret_block)
{
	const struct fhe_blocks_words *w = context;

	*(struct fhe_block *)ret_block = (struct fhe_block){
		.words = bytes_sub(w->words, (size_t)i * w->block_size, w->block_size),
		.degree = 15,
		.message_modulus = 4,
		.carry_modulus = 4,
	};
}

/* As it comes out of a squash, or out of a list. */
static void expanded_make(const struct fhe_client_key *key, struct item *item, bool of_list)
{
	struct bytes bits =
		fhe_client_key_bits(key, of_list ? FHE_KEY_SNS_COMPRESSION : FHE_KEY_SNS);
	size_t size = 16 * (bits.n + 1), n = threshold_blocks(item->type);
	CLEANUP(buf_free) struct buf words = buf_make(n * size);
	struct fhe_blocks_words w = {.item = fhe_item_of(fhe_type_find(item->type)),
				     .block_size = size};
	struct fhe_expanded v = {.kind = w.item.kind,
				 .radix_blocks = w.item.blocks,
				 .blocks = {.n = n, .make = block_make, .context = &w},
				 .state = of_list};
	uint8_t *p;

	must(buf_add_space(&words, n * size, &p));
	rng_fill(rng_system(), p, n * size);
	for (size_t i = 0; i < n; i++) {
		u128 m = item->value.le[i / 2] >> 4 * (i % 2) & 15;

		fhe_word_put_u128(&p[i * size], bits.n,
				  fhe_dot_u128(&p[i * size], bits.p, bits.n) + (m << 123));
	}
	w.words = buf_view(&words);
	must(fhe_big_expanded_rewrite(&v, &item->ciphertext));
}

static void item_encrypt(const struct committee *c, struct item *item, size_t index)
{
	item->ciphertext = buf_make(CIPHERTEXT_SIZE_MAX);
	item->format = index % 3 == 0 ? FHE_BIG_COMPRESSED : FHE_BIG_EXPANDED;
	if (index % 3 == 0)
		must(fhe_squashed_list_encrypt(c->key, fhe_type_find(item->type), &item->value,
					       rng_system(), &item->ciphertext));
	else
		expanded_make(c->key, item, index % 3 == 2);
}

static void item_share(const struct committee *c, struct item *item)
{
	struct mpc_session_id id;

	rng_fill(rng_system(), id.le, sizeof(id.le));
	for (unsigned p = 0; p < c->n; p++) {
		struct prss_session *s;

		must(prss_session_new(&s, c->prss[p], &id));
		must(threshold_key_shares(item->shares[p], &item->blocks, c->keys[p], s, item->type,
					  item->format, buf_view(&item->ciphertext), &note));
		prss_session_free(s);
		for (size_t i = 0; mpc_set_has(c->liars, p + 1) && i < item->blocks; i++)
			item->shares[p][i].c[i % GR_DEGREE] += (u128)(p + 1) << 120;
	}
}

/* ---- the request ---- */

static size_t hex_read(uint8_t *out, size_t max, const char *word)
{
	size_t n = word ? strlen(word) / 2 : 0;

	CHECK(n <= max);
	must(hex_decode_fixed(out, n, bytes_from((const uint8_t *)word, 2 * n)));
	return n;
}

static void field_read(uint8_t *out, size_t n)
{
	char line[LINE_MAX_];

	CHECK(fgets(line, sizeof(line), stdin));
	line[strcspn(line, "\n")] = '\0';
	CHECK(hex_read(out, n, line) == n);
}

static void request_read(struct committee *c)
{
	uint8_t chain_id[32];
	char line[LINE_MAX_];

	field_read(chain_id, sizeof(chain_id));
	c->r.domain.chain_id = u256_from_be(chain_id);
	field_read(c->r.domain.verifying_contract.b, 20);
	field_read(c->r.user.b, 20);
	field_read(c->enc_key, sizeof(c->enc_key));
	must(enc_key_read(&c->r.enc_key, BYTES_OF(c->enc_key), &note));
	CHECK(fgets(line, sizeof(line), stdin));
	line[strcspn(line, "\n")] = '\0';
	c->r.extra_data = bytes_from(c->extra, hex_read(c->extra, sizeof(c->extra), line));
	c->r.domain.name = BYTES_LIT("Decryption");
	c->r.domain.version = BYTES_LIT("1");
	c->r.kind = REQUEST_USER_DECRYPTION;
	while (c->items_n < ITEMS_MAX && fgets(line, sizeof(line), stdin)) {
		struct item *item = &c->items[c->items_n];
		struct decryption_item *of = &c->request_items[c->items_n];
		char *rest = line;

		line[strcspn(line, "\n")] = '\0';
		item->type = (enum fhe_type)strtoul(strtok_r(rest, " ", &rest), NULL, 10);
		CHECK(hex_read(item->handle, 32, strtok_r(rest, " ", &rest)) == 32);
		item->value.n = hex_read(item->value.le, 32, strtok_r(rest, " ", &rest));
		item_encrypt(c, item, c->items_n++);
		item_share(c, item);
		of->type = item->type;
		of->external_handle = BYTES_OF(item->handle);
		memcpy(of->handle.b, item->handle, 32);
	}
	c->r.items = c->request_items;
	c->r.items_n = c->items_n;
}

/* ---- answers ---- */

static void answer_print(const struct committee *c, unsigned me)
{
	CLEANUP(buf_free) struct buf answer = buf_make(USER_DECRYPTION_ANSWER_MAX);
	CLEANUP(buf_free) struct buf bytes = buf_make(USER_DECRYPTION_ANSWER_MAX);
	const struct mpc_group g = {c->n, c->t, me};
	struct user_decryption_shares shares[ITEMS_MAX];
	struct signcrypted items[ITEMS_MAX];
	struct signcrypt_payload payload;
	ProtobufCMessage *unpacked;
	struct arena memory;

	for (size_t i = 0; i < c->items_n; i++)
		shares[i] = (struct user_decryption_shares){c->items[i].shares[me - 1],
							    c->items[i].blocks};
	must(user_decryption_sign_shares(&answer, &c->r, shares, &g, &c->signers[me - 1],
					 rng_system()));
	memory = protobuf_arena(buf_view(&answer));
	must(protobuf_unpack(&unpacked, &kms__v1__user_decryption_response__descriptor,
			     buf_view(&answer), &memory));

	const Kms__V1__UserDecryptionResponse *m =
		(const Kms__V1__UserDecryptionResponse *)unpacked;

	/* What the connector puts on the chain is the payload again, from its fields. */
	payload = (struct signcrypt_payload){.verification_key = m->payload->verification_key.data,
					     .items = items,
					     .items_n = m->payload->n_signcrypted_ciphertexts,
					     .party_id = m->payload->party_id,
					     .degree = m->payload->degree};
	memcpy(payload.link.b, m->payload->digest.data, sizeof(payload.link.b));
	for (size_t i = 0; i < payload.items_n; i++) {
		const Kms__V1__TypedSigncryptedCiphertext *from =
			m->payload->signcrypted_ciphertexts[i];

		items[i] = (struct signcrypted){
			.type = (enum fhe_type)from->fhe_type,
			.sealed = protobuf_view(from->signcrypted_ciphertext),
			.external_handle = protobuf_view(from->external_handle),
			.packing_factor = from->packing_factor,
		};
	}
	must(signcrypt_payload_encode(&bytes, &payload));
	hex_print(buf_view(&bytes));
	putchar(' ');
	hex_print(protobuf_view(m->external_signature));
	putchar('\n');
	arena_free(&memory);
}

static void committee_free(struct committee *c)
{
	for (unsigned p = 0; p < c->n; p++) {
		threshold_key_free(c->keys[p]);
		prss_free(c->prss[p]);
		signing_key_free(&c->signers[p]);
	}
	for (size_t i = 0; i < c->items_n; i++)
		buf_free(&c->items[i].ciphertext);
	free(c->items);
	fhe_client_key_free(c->key);
}

int main(int argc, char **argv)
{
	static struct committee c;
	struct ecdsa *ecdsa;

	if (argc < 4 || argc > 5)
		return 2;
	c.items = calloc(ITEMS_MAX, sizeof(*c.items));
	CHECK(c.items);
	must(ecdsa_new(&ecdsa, (const uint8_t[32]){1}));
	committee_make(&c, (const char *const *)&argv[1], argc == 5 ? argv[4] : NULL, ecdsa);
	request_read(&c);
	for (unsigned me = 1; me <= c.n; me++)
		answer_print(&c, me);
	committee_free(&c);
	ecdsa_free(ecdsa);
	return EXIT_SUCCESS;
}
