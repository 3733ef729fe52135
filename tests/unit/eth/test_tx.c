/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* RLP, text forms, transactions and the raw signer. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "eth/rlp.h"
#include "eth/signer.h"
#include "eth/text.h"
#include "eth/tx.h"
#include "support.h"

/* ---- RLP: Ethereum's rlptest.json and the yellow paper's examples ---- */

static void check_rlp(struct buf *out, const char *want)
{
	struct arena a = arena_make(1 << 20);

	assert_bytes_equal(buf_view(out), hex_bytes(&a, want));
	buf_clear(out);
	arena_free(&a);
}

static void test_rlp_strings(void **state)
{
	struct buf out = buf_make(1 << 20);
	(void)state;

	assert_ok(rlp_add_bytes(&out, BYTES_LIT("dog")));
	check_rlp(&out, "0x83646f67");
	assert_ok(rlp_add_bytes(&out, BYTES_NONE));
	check_rlp(&out, "0x80");
	assert_ok(rlp_add_bytes(&out, BYTES_LIT("\x00")));
	check_rlp(&out, "0x00");
	assert_ok(rlp_add_bytes(&out, BYTES_LIT("\x7f")));
	check_rlp(&out, "0x7f");
	assert_ok(rlp_add_bytes(&out, BYTES_LIT("\x80")));
	check_rlp(&out, "0x8180");
	/* 55 bytes, the last short one; 56, the first long one */
	assert_ok(rlp_add_bytes(
		&out, BYTES_LIT("Lorem ipsum dolor sit amet, consectetur adipisicing eli")));
	check_rlp(&out,
		  "0xb74c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465"
		  "7475722061646970697369"
		  "63696e6720656c69");
	assert_ok(rlp_add_bytes(
		&out, BYTES_LIT("Lorem ipsum dolor sit amet, consectetur adipisicing elit")));
	check_rlp(&out,
		  "0xb8384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e73656374"
		  "657475722061646970697369"
		  "63696e6720656c6974");
	buf_free(&out);
}

static void test_rlp_numbers(void **state)
{
	struct buf out = buf_make(1 << 20);
	(void)state;

	assert_ok(rlp_add_u64(&out, 0));
	check_rlp(&out, "0x80");
	assert_ok(rlp_add_u64(&out, 15));
	check_rlp(&out, "0x0f");
	assert_ok(rlp_add_u64(&out, 1024));
	check_rlp(&out, "0x820400");
	assert_ok(rlp_add_u64(&out, 0xffffff));
	check_rlp(&out, "0x83ffffff");
	assert_ok(rlp_add_u256(&out, (struct u256){{0, 0, 0, 1ULL << 63}}));
	check_rlp(&out, "0xa08000000000000000000000000000000000000000000000000000000000000000");
	buf_free(&out);
}

static void test_rlp_lists(void **state)
{
	struct buf out = buf_make(1 << 20);
	(void)state;

	assert_ok(rlp_close_list(&out, 0));
	check_rlp(&out, "0xc0");
	assert_ok(rlp_add_bytes(&out, BYTES_LIT("cat")));
	assert_ok(rlp_add_bytes(&out, BYTES_LIT("dog")));
	assert_ok(rlp_close_list(&out, 0));
	check_rlp(&out, "0xc88363617483646f67");

	/* [ [], [[]], [ [], [[]] ] ], the set-theoretical three */
	assert_ok(rlp_close_list(&out, 0));
	assert_ok(rlp_close_list(&out, out.n));
	assert_ok(rlp_close_list(&out, 1));
	assert_ok(rlp_close_list(&out, out.n));
	assert_ok(rlp_close_list(&out, out.n));
	assert_ok(rlp_close_list(&out, 4));
	assert_ok(rlp_close_list(&out, 3));
	assert_ok(rlp_close_list(&out, 0));
	check_rlp(&out, "0xc7c0c1c0c3c0c1c0");

	/* a list of 56 bytes and one of 256 */
	for (int i = 0; i < 56; i++)
		assert_ok(rlp_add_u64(&out, 1));
	assert_ok(rlp_close_list(&out, 0));
	assert_int_equal(out.n, 58);
	assert_memory_equal(out.p, "\xf8\x38\x01", 3);
	buf_clear(&out);
	for (int i = 0; i < 256; i++)
		assert_ok(rlp_add_u64(&out, 1));
	assert_ok(rlp_close_list(&out, 0));
	assert_int_equal(out.n, 259);
	assert_memory_equal(out.p, "\xf9\x01\x00\x01", 4);
	assert_err(rlp_close_list(&out, out.n + 1), ERR_RANGE);
	buf_free(&out);

	struct buf small = buf_make(3);
	assert_err(rlp_add_bytes(&small, BYTES_LIT("dog")), ERR_TOO_BIG);
	assert_int_equal(small.n, 0);
	buf_free(&small);
}

/* ---- text: the vectors of EIP-55 ---- */

static void test_address_text(void **state)
{
	static const char *const good[] = {
		"0x52908400098527886E0F7030069857D2E4169EE7",
		"0x8617E340B3D01FA5F11F306F4090FD50E238070D",
		"0xde709f2102306220921060314715629080e2fb77",
		"0x27b1fdb04752bbc536007a920d24acb045561c26",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
		"0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	};
	struct address a;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char text[ADDRESS_TEXT_SIZE];

		assert_ok(address_parse_checksum(&a, bytes_str(good[i])));
		address_to_text(text, a);
		assert_string_equal(text, good[i]);
		assert_ok(address_parse_checksum(&a, bytes_str(&good[i][2])));
		/* One letter in the other case. */
		size_t at = strcspn(&text[2], "abcdefABCDEF") + 2;
		text[at] ^= 0x20;
		assert_ok(address_parse(&a, bytes_str(text)));
		assert_err(address_parse_checksum(&a, bytes_str(text)), ERR_MISMATCH);
	}
}

static void test_address_refusals(void **state)
{
	static const char *const bad[] = {
		"",
		"0x",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
		" 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
	};
	struct address a = {{9}};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_err(address_parse(&a, bytes_str(bad[i])), ERR_MALFORMED);
		assert_err(address_parse_checksum(&a, bytes_str(bad[i])), ERR_MALFORMED);
	}
	assert_int_equal(a.b[0], 9);
}

static void test_hash_text(void **state)
{
	char text[HASH_TEXT_SIZE];
	(void)state;

	hash_to_text(text, keccak256(BYTES_NONE));
	assert_string_equal(text,
			    "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
}

/* ---- transactions ---- */

struct signing {
	struct fake_clock clock;
	struct ecdsa *ecdsa;
	struct signer *signer;
};

static int signing_setup(void **state)
{
	static const uint8_t seed[32] = {3};
	struct signing *s = calloc(1, sizeof(*s));
	json_t *v = vectors_load("tx.json");
	struct secret32 key;

	assert_non_null(s);
	memcpy(key.b, hex_hash(text_at(v, "key")).b, sizeof(key.b));
	assert_ok(ecdsa_new(&s->ecdsa, seed));
	assert_ok(signer_raw_new(&s->signer, fake_clock_init(&s->clock), s->ecdsa, &key));
	assert_true(address_eq(s->signer->address, hex_address(text_at(v, "address"))));
	secret32_wipe(&key);
	json_decref(v);
	*state = s;
	return 0;
}

static int signing_teardown(void **state)
{
	struct signing *s = *state;

	signer_free(s->signer);
	ecdsa_free(s->ecdsa);
	free(s);
	return 0;
}

struct signed_once {
	unsigned calls;
	struct signature65 sig;
};

static void on_signed(void *ctx, enum err err, const struct signature65 *sig)
{
	struct signed_once *o = ctx;

	assert_ok(err);
	o->calls++;
	o->sig = *sig;
}

static struct signature65 sign_now(struct signing *s, struct hash32 digest)
{
	struct signed_once once = {0};

	assert_ok(signer_sign(s->signer, digest, on_signed, &once));
	assert_int_equal(once.calls, 0); /* never from inside */
	assert_true(fake_clock_fire(&s->clock));
	assert_int_equal(once.calls, 1);
	return once.sig;
}

static uint64_t u64_at(const json_t *o, const char *key)
{
	return strtoull(text_at(o, key), NULL, 10);
}

static struct wei wei_at(const json_t *o, const char *key)
{
	struct wei w;

	assert_ok(u256_parse(&w.v, bytes_str(text_at(o, key))));
	return w;
}

static struct bytes data_of(struct arena *a, const json_t *o)
{
	if (!json_is_null(json_object_get(o, "data")))
		return hex_bytes(a, text_at(o, "data"));

	uint8_t *p = arena_alloc(a, 70000);
	assert_non_null(p);
	for (size_t i = 0; i < 70000; i++)
		p[i] = (uint8_t)(i * 7 + 4);
	return bytes_from(p, 70000);
}

static void check_tx(struct signing *s, const json_t *all, const json_t *o)
{
	struct arena a = arena_make(1 << 20);
	struct buf raw = buf_make(1 << 20);
	struct hash32 digest, hash;
	const struct tx t = {
		.chain_id.v = u64_at(o, "chainId"),
		.nonce = u64_at(o, "nonce"),
		.priority_fee_max = wei_at(o, "maxPriorityFeePerGas"),
		.fee_max = wei_at(o, "maxFeePerGas"),
		.gas = u64_at(o, "gasLimit"),
		.to = hex_address(text_at(all, "to")),
		.value = wei_at(o, "value"),
		.data = data_of(&a, o),
	};

	assert_ok(tx_signing_hash(&digest, &t));
	assert_true(hash32_eq(digest, hex_hash(text_at(o, "signingHash"))));
	struct signature65 sig = sign_now(s, digest);
	assert_ok(buf_add_u8(&raw, 0xee)); /* appended to, not written over */
	assert_ok(tx_serialize(&raw, &hash, &t, &sig));
	assert_true(hash32_eq(hash, hex_hash(text_at(o, "hash"))));
	if (!json_is_null(json_object_get(o, "raw")))
		assert_bytes_equal(bytes_sub(buf_view(&raw), 1, raw.n - 1),
				   hex_bytes(&a, text_at(o, "raw")));

	size_t before = raw.n;
	sig.b[64] = 29;
	assert_err(tx_serialize(&raw, &hash, &t, &sig), ERR_RANGE);
	assert_int_equal(raw.n, before);
	buf_free(&raw);
	arena_free(&a);
}

static void test_transactions(void **state)
{
	json_t *v = vectors_load("tx.json");
	const json_t *list = json_object_get(v, "transactions");

	assert_int_equal(json_array_size(list), 12);
	for (size_t i = 0; i < json_array_size(list); i++)
		check_tx(*state, v, json_array_get(list, i));
	json_decref(v);
}

/* ---- signer ---- */

struct order {
	struct signing *s;
	char seen[8];
	size_t n;
	bool free_at_first;
};
struct order_item {
	struct order *order;
	char name;
};

static void on_order(void *ctx, enum err err, const struct signature65 *sig)
{
	struct order_item *i = ctx;

	assert_ok(err);
	assert_non_null(sig);
	i->order->seen[i->order->n++] = i->name;
	if (i->order->free_at_first) {
		signer_free(i->order->s->signer);
		i->order->s->signer = NULL;
	}
}

static void sign_three(struct signing *s, struct order *order, struct order_item items[3])
{
	struct hash32 digest = {{1}};

	for (size_t i = 0; i < 3; i++) {
		items[i] = (struct order_item){order, (char)('a' + i)};
		assert_ok(signer_sign(s->signer, digest, on_order, &items[i]));
	}
}

static void test_signer_order(void **state)
{
	struct signing *s = *state;
	struct order order = {.s = s};
	struct order_item items[3];

	sign_three(s, &order, items);
	while (fake_clock_fire(&s->clock))
		;
	assert_string_equal(order.seen, "abc");
}

static void test_signer_freed_in_callback(void **state)
{
	struct signing *s = *state;
	struct order order = {.s = s, .free_at_first = true};
	struct order_item items[3];

	sign_three(s, &order, items);
	while (fake_clock_fire(&s->clock))
		;
	assert_string_equal(order.seen, "a");
}

static void test_signer_full(void **state)
{
	struct signing *s = *state;
	struct signed_once once = {0};
	struct hash32 digest = {{1}};
	unsigned n = 0;

	while (signer_sign(s->signer, digest, on_signed, &once) == ERR_OK)
		n++;
	assert_int_equal(n, 1024);
	assert_err(signer_sign(s->signer, digest, on_signed, &once), ERR_BUSY);
	assert_true(fake_clock_fire(&s->clock));
	assert_ok(signer_sign(s->signer, digest, on_signed, &once));
	while (fake_clock_fire(&s->clock))
		;
	assert_int_equal(once.calls, 1025);
}

static void test_signer_bad_key(void **state)
{
	struct signing *s = *state;
	struct secret32 zero = {{0}}, high;
	struct signer *signer = NULL;

	memset(high.b, 0xff, sizeof(high.b));
	assert_err(signer_raw_new(&signer, &s->clock.base, s->ecdsa, &zero), ERR_CONFIG_VALUE);
	assert_err(signer_raw_new(&signer, &s->clock.base, s->ecdsa, &high), ERR_CONFIG_VALUE);
	assert_null(signer);
}

#define WITH_SIGNER(f) cmocka_unit_test_setup_teardown(f, signing_setup, signing_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rlp_strings),
		cmocka_unit_test(test_rlp_numbers),
		cmocka_unit_test(test_rlp_lists),
		cmocka_unit_test(test_address_text),
		cmocka_unit_test(test_address_refusals),
		cmocka_unit_test(test_hash_text),
		WITH_SIGNER(test_transactions),
		WITH_SIGNER(test_signer_order),
		WITH_SIGNER(test_signer_freed_in_callback),
		WITH_SIGNER(test_signer_full),
		WITH_SIGNER(test_signer_bad_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
