/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Validation of PublicDecryptionRequest and UserDecryptionRequest: every rule by a table, the order
 * of the rules, the digest of the content. */
#include "base/limits.h"
#include "core/decryption_request.h"
#include "net/protobuf.h"
#include "support.h"

/* A ring whose key is only found, never used. */
static struct key_ring_entry entries[2];
static struct key_ring ring = {.v = entries, .n = 2};
static const struct hash32 other_epoch = {{[0] = 0x08, [31] = 0x02}};

/* Every rule that both kinds share is tested with this one. */
static enum request_kind kind = REQUEST_PUBLIC_DECRYPTION;
static struct test_user user;

static void any_init(struct request *q)
{
	request_init_user(q, 5, BYTES_LIT("c"), &user);
	q->kind = kind;
}

static enum err read_packed(struct decryption_request *r, struct bytes message,
			    struct err_note *note)
{
	struct arena memory = protobuf_arena(message);
	enum err e = decryption_request_read(r, kind, &ring, message, &memory, note);

	arena_free(&memory);
	return e;
}

static enum err read_one(struct decryption_request *r, const struct request *request,
			 struct err_note *note)
{
	struct buf message = request_pack(request);
	enum err e = read_packed(r, buf_view(&message), note);

	buf_free(&message);
	return e;
}

static void test_valid(void **state)
{
	(void)state;
	struct decryption_request r;
	struct request q;
	struct err_note note = {0};

	any_init(&q);
	if (read_one(&r, &q, &note) != ERR_OK)
		fail_msg("%s", note.text);
	assert_memory_equal(r.where.context_id.b, request_id_default_context.b, 32);
	assert_memory_equal(r.where.epoch_id.b, request_id_default_epoch.b, 32);
	assert_int_equal(r.items_n, 1);
	assert_false(r.wants_ecdsa);
	assert_false(r.extra_data_differs);
	assert_ptr_equal(r.key, entries[0].key);
}

/* ---- one broken field at a time ---- */

#define CHANGE(name, body)                                                                         \
	static void name(struct request *q)                                                        \
	{                                                                                          \
		body;                                                                              \
	}
#define TEXT(s) ((char *)(uintptr_t)(s))

CHANGE(no_id, q->m.request_id = NULL)
CHANGE(empty_id, q->id.request_id = TEXT(""))
CHANGE(zero_id, memset(q->id_text, '0', 64))
CHANGE(short_id, q->id_text[63] = '\0')
CHANGE(bad_id, q->id_text[5] = 'x')
CHANGE(no_ciphertexts, q->m.n_ciphertexts = 0)
CHANGE(empty_ciphertext, q->items[0].ciphertext.len = 0)
CHANGE(no_handle, q->items[0].external_handle.len = 0)
CHANGE(no_key, q->m.key_id = NULL)
CHANGE(zero_key, memset(q->key_text, '0', 64))
CHANGE(no_domain, q->m.domain = NULL)
CHANGE(no_chain_id, q->domain.chain_id.len = 0)
CHANGE(no_contract, q->domain.verifying_contract = TEXT(""))
CHANGE(lower_case_contract,
       q->domain.verifying_contract = TEXT("0x66f9664f97f2b50f62d13ea064982f936de76657"))
CHANGE(wrong_case_contract,
       q->domain.verifying_contract = TEXT("0x66F9664f97F2b50F62D13eA064982f936dE76657"))
CHANGE(short_contract,
       q->domain.verifying_contract = TEXT("0x66f9664f97F2b50F62D13eA064982f936dE766"))
CHANGE(negative_type, q->items[0].fhe_type = -1)
CHANGE(unknown_type, q->items[0].fhe_type = 12)
CHANGE(uint4, q->items[0].fhe_type = 1)
CHANGE(uint512, q->items[0].fhe_type = 9)
CHANGE(unknown_format, q->items[0].ciphertext_format = 4)
CHANGE(negative_format, q->items[0].ciphertext_format = (Kms__V1__CiphertextFormat)-1)
CHANGE(second_item_bad, (q->m.n_ciphertexts = 2, q->items[1].fhe_type = 99))
CHANGE(bad_context, (q->m.context_id = &q->context_id, q->context_text[0] = 'z'))
CHANGE(zero_context, (q->m.context_id = &q->context_id, memset(q->context_text, '0', 64)))
CHANGE(bad_epoch, (q->m.epoch_id = &q->epoch_id, q->epoch_text[0] = 'z'))
CHANGE(unknown_scheme, (q->schemes[0] = 5, q->m.n_signing_schemes = 1))
CHANGE(negative_scheme,
       (q->schemes[0] = (Kms__V1__SigningSchemeType)-1, q->m.n_signing_schemes = 1))
CHANGE(ed25519, (q->schemes[0] = 1, q->m.n_signing_schemes = 1))
CHANGE(ecdsa_and_mldsa, (q->schemes[1] = 4, q->m.n_signing_schemes = 2))
CHANGE(small_compressed, q->items[0].ciphertext_format = 0)
CHANGE(big_expanded, q->items[0].ciphertext_format = 3)
CHANGE(unknown_context, (q->m.context_id = &q->context_id, q->context_text[63] = '2'))
CHANGE(unknown_epoch, (q->m.epoch_id = &q->epoch_id, q->epoch_text[63] = '3'))
CHANGE(unknown_key, q->key_text[63] = '9')
CHANGE(key_of_other_epoch, (q->m.epoch_id = &q->epoch_id, q->epoch_text[63] = '2'))
CHANGE(nothing, (void)q)
CHANGE(default_ids, (q->m.context_id = &q->context_id, q->m.epoch_id = &q->epoch_id))
CHANGE(ecdsa, q->m.n_signing_schemes = 1)
CHANGE(upper_case_id, q->id_text[1] = '2')
CHANGE(empty_name, q->domain.name = TEXT(""))

static uint8_t long_bytes[8192];

CHANGE(long_handle, (q->items[0].external_handle = protobuf_borrow(bytes_from(long_bytes, 33))))
CHANGE(short_handle, (q->items[0].external_handle = protobuf_borrow(bytes_from(q->handles[0], 5))))
CHANGE(long_chain_id, (q->domain.chain_id = protobuf_borrow(bytes_from(long_bytes, 33))))
CHANGE(wide_chain_id, (q->domain.chain_id = protobuf_borrow(bytes_from(long_bytes, 32))))
CHANGE(long_extra,
       (q->m.extra_data = protobuf_borrow(bytes_from(long_bytes, CORE_EXTRA_DATA_MAX + 1))))
CHANGE(full_extra, (q->m.extra_data = protobuf_borrow(bytes_from(long_bytes, CORE_EXTRA_DATA_MAX))))
CHANGE(short_salt, (q->domain.salt_presence_case = KMS__V1__EIP712_DOMAIN_MSG__SALT_PRESENCE_SALT,
		    q->domain.salt = protobuf_borrow(bytes_from(long_bytes, 31))))
CHANGE(salt, (q->domain.salt_presence_case = KMS__V1__EIP712_DOMAIN_MSG__SALT_PRESENCE_SALT,
	      q->domain.salt = protobuf_borrow(bytes_from(long_bytes, 32))))

static const struct {
	const char *name;
	void (*change)(struct request *q);
	enum err want;
	const char *note; /* part of what the client is told */
} rule_rows[] = {
#define BAD(change, note)                                                                          \
	{                                                                                          \
#change, change, ERR_BAD_REQUEST, note                                             \
	}
#define UNSERVED(change, note)                                                                     \
	{                                                                                          \
#change, change, ERR_UNSUPPORTED, note                                             \
	}
#define UNKNOWN(change, note)                                                                      \
	{                                                                                          \
#change, change, ERR_NOT_FOUND, note                                               \
	}
#define GOOD(change)                                                                               \
	{                                                                                          \
#change, change, ERR_OK, NULL                                                      \
	}
	BAD(no_id, "request_id is missing"),
	BAD(empty_id, "request_id"),
	BAD(zero_id, "request_id"),
	BAD(short_id, "request_id"),
	BAD(bad_id, "request_id"),
	BAD(no_ciphertexts, "ciphertexts is empty"),
	BAD(empty_ciphertext, "ciphertexts[0]: ciphertext has 0 bytes"),
	BAD(no_handle, "ciphertexts[0]: external_handle"),
	BAD(long_handle, "ciphertexts[0]: external_handle has 33 bytes"),
	BAD(negative_type, "fhe_type -1"),
	BAD(unknown_type, "fhe_type 12"),
	BAD(uint4, "fhe_type 1"),
	BAD(uint512, "fhe_type 9"),
	BAD(unknown_format, "ciphertext_format 4"),
	BAD(negative_format, "ciphertext_format -1"),
	BAD(second_item_bad, "ciphertexts[1]: fhe_type 99"),
	BAD(no_key, "key_id is missing"),
	BAD(zero_key, "key_id"),
	BAD(no_domain, "domain is missing"),
	BAD(no_chain_id, "domain.chain_id"),
	BAD(long_chain_id, "domain.chain_id"),
	BAD(no_contract, "EIP-55"),
	BAD(lower_case_contract, "EIP-55"),
	BAD(wrong_case_contract, "EIP-55"),
	BAD(short_contract, "EIP-55"),
	BAD(short_salt, "domain.salt has 31"),
	BAD(long_extra, "extra_data"),
	BAD(bad_context, "context_id"),
	BAD(zero_context, "context_id"),
	BAD(bad_epoch, "epoch_id"),
	BAD(unknown_scheme, "signing_schemes"),
	BAD(negative_scheme, "signing_schemes"),
	UNSERVED(ed25519, "ECDSA256K1"),
	UNSERVED(ecdsa_and_mldsa, "ECDSA256K1"),
	UNKNOWN(unknown_context, "context_id"),
	UNKNOWN(unknown_epoch, "epoch_id"),
	UNKNOWN(unknown_key, "key_id"),
	UNKNOWN(key_of_other_epoch, "key_id"),
	GOOD(nothing),
	GOOD(default_ids),
	GOOD(ecdsa),
	GOOD(upper_case_id),
	GOOD(empty_name),
	GOOD(short_handle),
	GOOD(wide_chain_id),
	GOOD(full_extra),
	GOOD(salt),
	GOOD(small_compressed),
	GOOD(big_expanded),
};

static void test_each_rule(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rule_rows); i++) {
		struct decryption_request r;
		struct err_note note = {0};
		struct request q;

		any_init(&q);
		rule_rows[i].change(&q);
		enum err e = read_one(&r, &q, &note);

		if (e != rule_rows[i].want)
			fail_msg("%s: %s (%s)", rule_rows[i].name, err_name(e), note.text);
		if (rule_rows[i].note && !strstr(note.text, rule_rows[i].note))
			fail_msg("%s: note \"%s\"", rule_rows[i].name, note.text);
	}
}

/* Form before context, context before epoch, epoch before key. */
static void test_order(void **state)
{
	(void)state;
	static const struct {
		void (*first)(struct request *q);
		void (*second)(struct request *q);
		const char *note;
	} rows[] = {
		{no_id, no_domain, "request_id"},
		{no_domain, unknown_key, "domain"},
		{unknown_scheme, unknown_context, "signing_schemes"},
		{unknown_context, unknown_epoch, "context_id"},
		{unknown_epoch, unknown_key, "epoch_id"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct decryption_request r;
		struct err_note note = {0};
		struct request q;

		any_init(&q);
		rows[i].first(&q);
		rows[i].second(&q);
		assert_int_not_equal(read_one(&r, &q, &note), ERR_OK);
		assert_non_null(strstr(note.text, rows[i].note));
	}
}

static void test_too_many_items(void **state)
{
	(void)state;
	static Kms__V1__TypedCiphertext *list[HANDLES_PER_REQUEST_MAX + 1];
	struct decryption_request r;
	struct request q;

	any_init(&q);
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		list[i] = &q.items[0];
	q.m.ciphertexts = list;
	q.m.n_ciphertexts = HANDLES_PER_REQUEST_MAX;
	OK(read_one(&r, &q, NULL));
	q.m.n_ciphertexts++;
	assert_int_equal(read_one(&r, &q, NULL), ERR_BAD_REQUEST);
}

static void test_not_a_message(void **state)
{
	(void)state;
	struct decryption_request r;
	struct err_note note;
	struct buf bomb = buf_make(4 << 20);

	assert_int_equal(read_packed(&r, BYTES_LIT("\xff\xff"), &note), ERR_MALFORMED);
	assert_int_equal(read_packed(&r, BYTES_NONE, &note), ERR_BAD_REQUEST);
	for (size_t i = 0; i < 1 << 20; i++)
		OK(buf_add(&bomb, BYTES_LIT("\x12\x00")));
	assert_int_equal(read_packed(&r, buf_view(&bomb), &note), ERR_TOO_BIG);
	buf_free(&bomb);
}

/* ---- digest ---- */

CHANGE(d_id, q->id_text[60] = '7')
CHANGE(d_ciphertext, (q->items[0].ciphertext = protobuf_borrow(BYTES_LIT("d"))))
CHANGE(d_type, q->items[0].fhe_type = 4)
CHANGE(d_handle, q->handles[0][0] ^= 1)
CHANGE(d_two, q->m.n_ciphertexts = 2)
CHANGE(d_name, q->domain.name = TEXT("other"))
CHANGE(d_version, q->domain.version = TEXT("2"))
CHANGE(d_chain, q->chain_id[1] ^= 1)
CHANGE(d_contract,
       q->domain.verifying_contract = TEXT("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"))
CHANGE(d_extra, (q->m.extra_data = protobuf_borrow(BYTES_LIT("\0"))))

static void test_digest(void **state)
{
	(void)state;
	void (*const differ[])(struct request *) = {
		nothing,   d_id,    d_ciphertext, d_type,  d_handle, d_two, d_name,
		d_version, d_chain, d_contract,   d_extra, salt,     ecdsa, short_handle,
	};
	struct hash32 digests[ARRAY_LEN(differ)];
	struct decryption_request r;
	struct request q;

	for (size_t i = 0; i < ARRAY_LEN(differ); i++) {
		any_init(&q);
		differ[i](&q);
		OK(read_one(&r, &q, NULL));
		digests[i] = r.digest;
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(digests[i].b, digests[k].b, 32);
	}

	/* The same meaning in another form has the same digest: defaults written out, wider
	 * numbers, upper case. */
	any_init(&q);
	default_ids(&q);
	(void)memcpy(long_bytes, (uint8_t[32]){[30] = 8006 >> 8, [31] = 8006 & 0xff}, 32);
	q.domain.chain_id = protobuf_borrow(bytes_from(long_bytes, 32));
	OK(read_one(&r, &q, NULL));
	assert_memory_equal(r.digest.b, digests[0].b, 32);
	memset(long_bytes, 0, sizeof(long_bytes));
}

/* ---- extra data ---- */

static void test_extra_data(void **state)
{
	(void)state;
	uint8_t v2[65] = {2};
	const struct {
		struct bytes extra;
		bool differs;
	} rows[] = {
		{BYTES_NONE, false},        {BYTES_LIT("\0"), false},    {BYTES_LIT("\0\0"), true},
		{BYTES_LIT("\3"), true},    {bytes_from(v2, 65), false}, {bytes_from(v2, 64), true},
		{bytes_from(v2, 33), true},
	};
	struct decryption_request r;
	struct request q;

	memcpy(&v2[1], request_id_default_context.b, 32);
	memcpy(&v2[33], request_id_default_epoch.b, 32);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		any_init(&q);
		q.m.extra_data = protobuf_borrow(rows[i].extra);
		OK(read_one(&r, &q, NULL));
		assert_int_equal(r.extra_data_differs, rows[i].differs);
	}
	v2[0] = 1;
	q.m.extra_data = protobuf_borrow(bytes_from(v2, 33));
	OK(read_one(&r, &q, NULL));
	assert_false(r.extra_data_differs);
	v2[5] ^= 1;
	OK(read_one(&r, &q, NULL));
	assert_true(r.extra_data_differs);
}

/* ---- what only a user decryption has ---- */

static struct test_user other_user;
static uint8_t bad_key[ENC_KEY_SIZE];

CHANGE(no_client, q->client = TEXT(""))
CHANGE(lower_case_client, q->client = TEXT("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"))
CHANGE(short_client, q->client = TEXT("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA"))
CHANGE(client_is_contract, q->client = q->domain.verifying_contract)
CHANGE(no_enc_key, q->enc_key = BYTES_NONE)
CHANGE(short_enc_key, q->enc_key.n--)
CHANGE(raw_enc_key, q->enc_key = bytes_sub(q->enc_key, 69, MLKEM_512_EK_SIZE))
CHANGE(large_enc_key, (bad_key[57] = 1, q->enc_key = BYTES_OF(bad_key))) /* MlKem1024 */
CHANGE(named_enc_key, (bad_key[40] ^= 1, q->enc_key = BYTES_OF(bad_key)))
CHANGE(unreduced_enc_key, (memset(&bad_key[69], 0xff, 3), q->enc_key = BYTES_OF(bad_key)))
CHANGE(d_client, q->client = TEXT("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"))
CHANGE(d_enc_key, q->enc_key = BYTES_OF(other_user.enc_key))
CHANGE(zero_led_handle, q->handles[0][0] = 0)
CHANGE(same_shorter_handle,
       (q->handles[0][0] = 0,
	q->items[0].external_handle = protobuf_borrow(bytes_from(&q->handles[0][1], 31))))

static void test_user_fields(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		void (*change)(struct request *q);
		const char *note;
	} rows[] = {
		{"no_client", no_client, "client_address"},
		{"lower_case_client", lower_case_client, "client_address is not an EIP-55"},
		{"short_client", short_client, "client_address"},
		{"client_is_contract", client_is_contract, "is domain.verifying_contract"},
		{"no_enc_key", no_enc_key, "enc_key: 0 bytes"},
		{"short_enc_key", short_enc_key, "enc_key: 868 bytes"},
		{"raw_enc_key", raw_enc_key, "enc_key: 800 bytes"},
		{"large_enc_key", large_enc_key, "enc_key: not an ML-KEM-512 key"},
		{"named_enc_key", named_enc_key, "enc_key"},
		{"unreduced_enc_key", unreduced_enc_key, "enc_key: a coefficient"},
	};
	struct decryption_request r;
	struct request q;

	any_init(&q);
	OK(read_one(&r, &q, NULL));
	assert_int_equal(r.kind, REQUEST_USER_DECRYPTION);
	assert_memory_equal(r.user.b, user.address.b, sizeof(r.user.b));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_note note = {0};

		memcpy(bad_key, user.enc_key, sizeof(bad_key));
		any_init(&q);
		rows[i].change(&q);
		if (read_one(&r, &q, &note) != ERR_BAD_REQUEST)
			fail_msg("%s", rows[i].name);
		if (!strstr(note.text, rows[i].note))
			fail_msg("%s: note \"%s\"", rows[i].name, note.text);
	}
}

static struct hash32 digest_after(void (*change)(struct request *q))
{
	struct decryption_request r;
	struct request q;

	any_init(&q);
	change(&q);
	OK(read_one(&r, &q, NULL));
	return r.digest;
}

/* For whom, and the handle as it came (it is in the answer), decide the answer to a user. */
static void test_user_digest(void **state)
{
	(void)state;
	const struct hash32 plain = digest_after(nothing);

	assert_false(hash32_eq(plain, digest_after(d_client)));
	assert_false(hash32_eq(plain, digest_after(d_enc_key)));
	assert_false(hash32_eq(digest_after(zero_led_handle), digest_after(same_shorter_handle)));
	kind = REQUEST_PUBLIC_DECRYPTION;
	assert_false(hash32_eq(plain, digest_after(nothing)));
	assert_true(hash32_eq(digest_after(zero_led_handle), digest_after(same_shorter_handle)));
}

/* ---- all for both kinds ---- */

static int as_public(void **state)
{
	(void)state;
	kind = REQUEST_PUBLIC_DECRYPTION;
	return 0;
}

static int as_user(void **state)
{
	(void)state;
	kind = REQUEST_USER_DECRYPTION;
	return 0;
}

int main(void)
{
#define BOTH(t)                                                                                    \
	{#t " public", t, as_public, NULL, NULL},                                                  \
	{                                                                                          \
#t " user", t, as_user, NULL, NULL                                                 \
	}
	const struct CMUnitTest tests[] = {
		BOTH(test_valid),
		BOTH(test_each_rule),
		BOTH(test_order),
		BOTH(test_too_many_items),
		BOTH(test_not_a_message),
		BOTH(test_digest),
		BOTH(test_extra_data),
		cmocka_unit_test_setup(test_user_fields, as_user),
		cmocka_unit_test_setup(test_user_digest, as_user),
	};

	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		entries[i] = (struct key_ring_entry){
			.epoch_id = request_id_default_epoch,
			.key_id = test_key_id,
			.key = (struct fhe_client_key *)(void *)&entries[i],
		};
	entries[1].epoch_id = other_epoch;
	entries[1].key_id.b[31] = 2;
	test_user_make(&user, 1);
	test_user_make(&other_user, 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
