/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The signer in AWS KMS against a scripted service: answers, faults, time. */
#include <stdio.h>
#include <stdlib.h>

#include "aws_fake.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "eth/signer_aws.h"

#define FAULT(code) "{\"__type\":\"" code "\",\"message\":\"as it is\"}"
#define KEY_ID      "alias/kms-node"
#define SPKI        "3056301006072a8648ce3d020106052b8104000a034200"

struct seen {
	unsigned calls;
	enum err err;
	struct signature65 sig;
	struct signer **free_this;
};

struct rig {
	struct fake *f;
	struct ecdsa *ecdsa;
	struct signer *s;
	struct rng_seeded rng;
	struct secret32 key;
	struct address address;
	char public_key[200]; /* JSON of GetPublicKey */
	unsigned opened;
	enum err open_err;
	char open_note[ERR_NOTE_SIZE];
	unsigned downs, ups;
	char down[ERR_NOTE_SIZE];
};

static int setup(void **state)
{
	static const uint8_t seed[32] = {1};
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->f = fake_new();
	assert_int_equal(ecdsa_new(&r->ecdsa, seed), ERR_OK);
	/* The private key 1: its public key is the generator (SEC 2), its address well known. */
	r->key.b[31] = 1;
	assert_int_equal(ecdsa_address(r->ecdsa, &r->address, &r->key), ERR_OK);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	signer_free(r->s);
	fake_free(r->f);
	ecdsa_free(r->ecdsa);
	free(r);
	return 0;
}

static void on_opened(void *ctx, enum err e, const struct err_note *note)
{
	struct rig *r = ctx;

	r->opened++;
	r->open_err = e;
	snprintf(r->open_note, sizeof(r->open_note), "%s", note->text);
}

static void on_changed(void *ctx, const char *down)
{
	struct rig *r = ctx;

	r->downs += down != NULL;
	r->ups += down == NULL;
	if (down)
		snprintf(r->down, sizeof(r->down), "%s", down);
}

static enum err make(struct rig *r, const char *key_id, const char *region, struct err_note *note)
{
	static const char *const env[] = {"AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=hidden",
					  "AWS_REGION=eu-west-1", NULL};
	const struct signer_aws_options o = {
		.transport = &r->f->transport,
		.clock = &r->f->clock,
		.rng = rng_seeded_init(&r->rng, 7),
		.ecdsa = r->ecdsa,
		.env = env,
		.key_id = key_id,
		.region = region,
		.changed = on_changed,
		.ctx = r,
	};

	return signer_aws_new(&r->s, &o, on_opened, r, note);
}

static const char generator[] =
	"0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc"
	"0e1108a8fd17b448a68554199c47d08ffb10d4b8";

/* JSON with the base64 of some hexadecimal. */
static void public_key_json(char *out, size_t size, const char *head, const char *point,
			    const char *more)
{
	CLEANUP(buf_free) struct buf der = buf_make(1024), text = buf_make(2048);
	const char *s;

	assert_int_equal(hex_decode(&der, bytes_str(head)), ERR_OK);
	assert_int_equal(hex_decode(&der, bytes_str(point)), ERR_OK);
	assert_int_equal(base64_add(&text, buf_view(&der)), ERR_OK);
	assert_int_equal(buf_cstr(&text, &s), ERR_OK);
	snprintf(out, size, "{\"PublicKey\":\"%s\"%s}", s, more);
}

static void open_signer(struct rig *r)
{
	char json[512];

	assert_int_equal(make(r, KEY_ID, NULL, NULL), ERR_OK);
	fake_run(r->f, 10);
	assert_int_equal(r->f->requests_n, 1);
	assert_holds(fake_head(r->f, 0), "x-amz-target: TrentService.GetPublicKey\n");
	assert_string_equal(fake_body(r->f, 0), "{\"KeyId\":\"" KEY_ID "\"}");
	public_key_json(json, sizeof(json), SPKI, generator,
			",\"KeySpec\":\"ECC_SECG_P256K1\",\"KeyUsage\":\"SIGN_VERIFY\"");
	fake_answer(r->f, 0, 200, NULL, json);
	assert_int_equal(r->opened, 1);
	assert_string_equal(err_name(r->open_err), "ok");
	assert_true(address_eq(r->s->address, r->address));
	fake_run(r->f, 0);
}

static void on_signed(void *ctx, enum err e, const struct signature65 *sig)
{
	struct seen *s = ctx;

	s->calls++;
	s->err = e;
	assert_int_equal(e == ERR_OK, sig != NULL);
	if (sig)
		s->sig = *sig;
	if (s->free_this) {
		signer_free(*s->free_this);
		*s->free_this = NULL;
	}
}

static struct hash32 digest_of(uint8_t n)
{
	return (struct hash32){{n, 2, 3}};
}

static void want(struct rig *r, struct seen *s, uint8_t n)
{
	assert_int_equal(signer_sign(r->s, digest_of(n), on_signed, s), ERR_OK);
	assert_int_equal(s->calls, 0);
}

static void add_number(struct buf *out, const uint8_t *be)
{
	size_t at = 0;

	while (at < 31 && be[at] == 0)
		at++;
	assert_int_equal(buf_add_u8(out, 2), ERR_OK);
	assert_int_equal(buf_add_u8(out, (uint8_t)(32 - at + (be[at] >> 7))), ERR_OK);
	if (be[at] >> 7)
		assert_int_equal(buf_add_u8(out, 0), ERR_OK);
	assert_int_equal(buf_add(out, bytes_from(&be[at], 32 - at)), ERR_OK);
}

/* What KMS answers for a digest: DER, with the other s if `high`. */
static void signature_json(struct rig *r, char *out, size_t size, struct hash32 digest, bool high)
{
	static const char order_hex[] =
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
	CLEANUP(buf_free) struct buf inner = buf_make(80), der = buf_make(80), text = buf_make(200);
	struct signature65 sig;
	const char *s;

	assert_int_equal(ecdsa_sign65(r->ecdsa, &sig, &r->key, digest), ERR_OK);
	if (high) {
		uint8_t order[32];
		struct u256 other;

		assert_int_equal(hex_decode_fixed(order, 32, bytes_str(order_hex)), ERR_OK);
		(void)u256_sub(&other, u256_from_be(order), u256_from_be(&sig.b[32]));
		u256_to_be(&sig.b[32], other);
	}
	add_number(&inner, sig.b);
	add_number(&inner, &sig.b[32]);
	assert_int_equal(buf_add_u8(&der, 0x30), ERR_OK);
	assert_int_equal(buf_add_u8(&der, (uint8_t)inner.n), ERR_OK);
	assert_int_equal(buf_add(&der, buf_view(&inner)), ERR_OK);
	assert_int_equal(base64_add(&text, buf_view(&der)), ERR_OK);
	assert_int_equal(buf_cstr(&text, &s), ERR_OK);
	snprintf(out, size,
		 "{\"KeyId\":\"arn\",\"Signature\":\"%s\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}",
		 s);
}

/* Answers request `i` with a signature of digest_of(n). */
static void answer(struct rig *r, size_t i, uint8_t n, bool high)
{
	char json[512];

	signature_json(r, json, sizeof(json), digest_of(n), high);
	fake_answer(r->f, i, 200, NULL, json);
}

static void signed_well(struct rig *r, const struct seen *s, uint8_t n)
{
	struct signature65 want_sig;

	assert_int_equal(s->calls, 1);
	assert_string_equal(err_name(s->err), "ok");
	assert_int_equal(ecdsa_sign65(r->ecdsa, &want_sig, &r->key, digest_of(n)), ERR_OK);
	assert_memory_equal(s->sig.b, want_sig.b, 65);
}

static void test_signatures(void **state)
{
	struct rig *r = *state;

	open_signer(r);
	for (uint8_t n = 0; n < 100; n++) {
		struct seen s = {0};
		size_t at = r->f->requests_n;

		want(r, &s, n);
		fake_run(r->f, 0);
		assert_int_equal(r->f->requests_n, at + 1);
		if (n == 0) {
			assert_holds(fake_head(r->f, at), "x-amz-target: TrentService.Sign\n");
			assert_string_equal(
				fake_body(r->f, at),
				"{\"KeyId\":\"" KEY_ID
				"\",\"Message\":\"AAIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","
				"\"MessageType\":\"DIGEST\",\"SigningAlgorithm\":\"ECDSA_SHA_"
				"256\"}");
		}
		answer(r, at, n, n % 2 == 1);
		signed_well(r, &s, n);
	}
	fake_run(r->f, 1000);
	assert_int_equal(r->downs + r->ups, 0);
}

/* Wrong answers are asked for again. */
static void test_wrong_answers(void **state)
{
	static const char *const bad[] = {"",
					  "{}",
					  "[]",
					  "{\"Signature\":7}",
					  "{\"Signature\":\"\"}",
					  "{\"Signature\":\"MAYCAQECAQE\"}",
					  "{\"Signature\":\"MAYCAQECAQE=\"}"};
	struct rig *r = *state;
	struct seen s = {0};
	struct err_note note;
	struct signature65 sig;
	char json[512];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		enum err e = signer_aws_read_signature(r->ecdsa, &sig, bytes_str(bad[i]),
						       digest_of(1), r->address, &note);

		if (e != (i == 6 ? ERR_MISMATCH : ERR_MALFORMED))
			fail_msg("%s: %s", bad[i], err_name(e));
	}
	signature_json(r, json, sizeof(json), digest_of(2), false);
	assert_int_equal(signer_aws_read_signature(r->ecdsa, &sig, bytes_str(json), digest_of(1),
						   r->address, &note),
			 ERR_MISMATCH);
	assert_holds(note.text, "alias");

	open_signer(r);
	want(r, &s, 1);
	fake_run(r->f, 0);
	answer(r, 1, 2, false); /* somebody else's digest */
	fake_run(r->f, 200);
	assert_int_equal(s.calls, 0);
	assert_int_equal(r->f->requests_n, 3);
	answer(r, 2, 1, true);
	signed_well(r, &s, 1);
	fake_run(r->f, 0);
}

static void test_public_keys(void **state)
{
	static const struct {
		const char *head, *more;
		enum err err;
	} rows[] = {
		{SPKI, "", ERR_OK},
		{SPKI, ",\"KeySpec\":\"ECC_NIST_P256\"", ERR_UNSUPPORTED},
		{SPKI, ",\"KeyUsage\":\"ENCRYPT_DECRYPT\"", ERR_UNSUPPORTED},
		{SPKI, ",\"KeySpec\":1", ERR_UNSUPPORTED},
		/* P-256, another length, a compressed point */
		{"3059301306072a8648ce3d020106082a8648ce3d030107034200", "", ERR_UNSUPPORTED},
		{"", "", ERR_UNSUPPORTED},
		{SPKI "00", "", ERR_UNSUPPORTED},
	};
	struct rig *r = *state;
	struct address a;
	struct err_note note;
	char json[512], off_curve[sizeof(generator)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		public_key_json(json, sizeof(json), rows[i].head, generator, rows[i].more);
		assert_string_equal(
			err_name(signer_aws_read_public_key(r->ecdsa, &a, bytes_str(json), &note)),
			err_name(rows[i].err));
	}
	memcpy(off_curve, generator, sizeof(generator));
	off_curve[sizeof(generator) - 2] ^= 1;
	public_key_json(json, sizeof(json), SPKI, off_curve, "");
	assert_int_equal(signer_aws_read_public_key(r->ecdsa, &a, bytes_str(json), &note),
			 ERR_MALFORMED);
	assert_int_equal(signer_aws_read_public_key(r->ecdsa, &a, BYTES_LIT("{}"), &note),
			 ERR_MALFORMED);
	assert_int_equal(signer_aws_read_public_key(r->ecdsa, &a,
						    BYTES_LIT("{\"PublicKey\":\"====\"}"), &note),
			 ERR_MALFORMED);
	/* A well known one. */
	uint8_t want_address[20];

	assert_int_equal(hex_decode_fixed(want_address, 20,
					  BYTES_LIT("7e5f4552091a69125d5dfcb7b8c2659029395bdf")),
			 ERR_OK);
	public_key_json(json, sizeof(json), SPKI, generator, "");
	assert_int_equal(signer_aws_read_public_key(r->ecdsa, &a, bytes_str(json), &note), ERR_OK);
	assert_memory_equal(a.b, want_address, 20);
}

/* What the operator must mend ends the start at once; what passes is tried for a minute. */
static void test_opening(void **state)
{
	struct rig *r = *state;
	size_t n;

	assert_int_equal(make(r, KEY_ID, NULL, NULL), ERR_OK);
	assert_int_equal(signer_sign(r->s, digest_of(1), on_signed, NULL), ERR_NOT_READY);
	fake_run(r->f, 0);
	fake_run(r->f, 0);
	fake_answer(r->f, 0, 400, NULL, FAULT("AccessDeniedException"));
	assert_int_equal(r->opened, 1);
	assert_string_equal(err_name(r->open_err), err_name(ERR_CONFIG_VALUE));
	assert_holds(r->open_note, "AccessDeniedException: as it is");
	signer_free(r->s);

	assert_int_equal(make(r, KEY_ID, NULL, NULL), ERR_OK);
	fake_run(r->f, 0);
	fake_run(r->f, 0);
	fake_answer(r->f, 1, 400, NULL, FAULT("ThrottlingException"));
	assert_int_equal(r->opened, 1);
	assert_int_equal(r->downs, 1); /* said at once */
	fake_run(r->f, 100);
	assert_int_equal(r->f->requests_n, 3);
	for (n = 2; r->opened == 1; n++) {
		fake_fail(r->f, n, ERR_TIMEOUT);
		fake_run(r->f, 5000);
	}
	assert_string_equal(err_name(r->open_err), err_name(ERR_TIMEOUT));
	assert_true(n > 12 && n < 60);
	assert_int_equal(r->f->requests_n, n);
	assert_int_equal(r->downs, 1);
	signer_free(r->s);
	r->s = NULL;
}

static void test_key_ids(void **state)
{
	struct rig *r = *state;
	struct err_note note = {{0}};
	struct bytes region;

	assert_true(signer_aws_arn_region(&region,
					  "arn:aws:kms:eu-north-1:123456789012:key/1234abcd-12ab"));
	assert_true(bytes_eq_var(region, BYTES_LIT("eu-north-1")));
	assert_true(signer_aws_arn_region(&region, "arn:aws-cn:kms:cn-north-1:1:alias/x"));
	assert_false(signer_aws_arn_region(&region, "arn:aws:s3:eu-north-1:1:key/x"));
	assert_false(signer_aws_arn_region(&region, "arn:aws:kms::1:key/x"));
	assert_false(signer_aws_arn_region(&region, "alias/arn:aws:kms:eu:1"));
	assert_false(signer_aws_arn_region(&region, "1234abcd-12ab-34cd-56ef-1234567890ab"));
	assert_false(signer_aws_arn_region(&region, ""));

	/* The ARN's region is before the environment's. */
	assert_int_equal(make(r, "arn:aws:kms:eu-north-1:1:key/x", NULL, &note), ERR_OK);
	assert_string_equal(signer_aws_state(r->s).region, "eu-north-1");
	signer_free(r->s);
	r->s = NULL;
	assert_int_equal(make(r, "arn:aws:kms:eu-north-1:1:key/x", "eu-west-1", &note),
			 ERR_CONFIG_VALUE);
	assert_holds(note.text, "eu-north-1");
	assert_holds(note.text, "eu-west-1");
	assert_int_equal(make(r, "x", "not a region", &note), ERR_CONFIG_VALUE);
	assert_null(r->s);
}

/* Five failures in a row: then one tries for all, more and more seldom. */
static void test_breaker(void **state)
{
	struct rig *r = *state;
	struct seen s[20] = {{0}};
	size_t answered = 1;

	open_signer(r);
	for (uint8_t n = 0; n < 20; n++)
		want(r, &s[n], n);
	fake_run(r->f, 0);
	assert_int_equal(r->f->requests_n, 1 + AWS_KMS_IN_FLIGHT_MAX);
	assert_int_equal(signer_aws_state(r->s).in_flight, AWS_KMS_IN_FLIGHT_MAX);
	for (; answered < 6; answered++)
		fake_answer(r->f, answered, 400, NULL, FAULT("AccessDeniedException"));
	assert_int_equal(r->downs, 1);
	assert_holds(r->down, "AccessDeniedException");
	assert_int_equal(signer_aws_state(r->s).breaker, BREAKER_OPEN);
	fake_run(r->f, 900);
	assert_int_equal(r->f->requests_n, 1 + AWS_KMS_IN_FLIGHT_MAX);
	for (; answered < 9; answered++)
		fake_answer(r->f, answered, 503, NULL, "");
	fake_run(r->f, 200);
	assert_int_equal(r->f->requests_n, 10); /* the trial */
	fake_run(r->f, 4000);
	assert_int_equal(r->f->requests_n, 10);
	fake_fail(r->f, 9, ERR_TIMEOUT);
	fake_run(r->f, 1900);
	assert_int_equal(r->f->requests_n, 10);
	fake_run(r->f, 200);
	assert_int_equal(r->f->requests_n, 11);
	assert_int_equal(r->downs, 1);
	/* It is back: all are served. */
	for (size_t at = 10; at < r->f->requests_n && at < 100; at++) {
		CLEANUP(json_free_ptr) json_t *o = NULL;
		CLEANUP(buf_free) struct buf message = buf_make(64);
		enum err bad = ERR_OK;

		assert_int_equal(json_parse(&o, bytes_str(fake_body(r->f, at)), 4096, NULL),
				 ERR_OK);
		assert_int_equal(
			base64_decode(&message, bytes_str(json_get_str(o, "Message", &bad))),
			ERR_OK);
		answer(r, at, message.p[0], at % 2 == 0);
		fake_run(r->f, at + 1 < r->f->requests_n ? 0 : 5000);
	}
	for (uint8_t n = 0; n < 20; n++)
		signed_well(r, &s[n], n);
	assert_int_equal(r->ups, 1);
	assert_int_equal(r->f->requests_n, 30);
}

/* What cannot be signed is given back after a minute, with the reason. */
static void test_deadline(void **state)
{
	struct rig *r = *state;
	struct seen s[12] = {{0}};
	size_t at = 1;

	open_signer(r);
	for (uint8_t n = 0; n < 12; n++)
		want(r, &s[n], n);
	for (int i = 0; i < 59; i++) {
		fake_run(r->f, 1000);
		for (; at < r->f->requests_n; at++)
			fake_answer(r->f, at, 400, NULL, FAULT("DisabledException"));
	}
	for (uint8_t n = 0; n < 12; n++)
		assert_int_equal(s[n].calls, 0);
	/* Seldom: 8, then one each 1, 2, 4, 8, 8, … s. */
	assert_true(at < 25);
	fake_run(r->f, 2000);
	for (; at < r->f->requests_n; at++)
		fake_answer(r->f, at, 400, NULL, FAULT("DisabledException"));
	fake_run(r->f, 0);
	for (uint8_t n = 0; n < 12; n++) {
		assert_int_equal(s[n].calls, 1);
		assert_true(s[n].err == ERR_REMOTE || s[n].err == ERR_TIMEOUT);
	}
	assert_true(r->s->note.text[0] != '\0');
	assert_int_equal(signer_aws_state(r->s).waiting, 0);
}

static void test_limits_and_free(void **state)
{
	struct rig *r = *state;
	static struct seen s[AWS_KMS_WAITING_MAX];
	struct seen last = {0};

	open_signer(r);
	for (size_t n = 0; n < ARRAY_LEN(s); n++)
		assert_int_equal(signer_sign(r->s, digest_of((uint8_t)n), on_signed, &s[n]),
				 ERR_OK);
	assert_int_equal(signer_sign(r->s, digest_of(1), on_signed, &last), ERR_BUSY);
	fake_run(r->f, 0);
	s[2].free_this = &r->s;
	answer(r, 1, 0, false);
	fake_run(r->f, 0);
	answer(r, 3, 2, false);
	assert_null(r->s);
	fake_run(r->f, 100000);
	assert_int_equal(s[0].calls + s[2].calls, 2);
	assert_int_equal(s[1].calls + s[3].calls + s[1000].calls, 0);
	assert_int_equal(r->f->cancelled_n, 7);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_signatures), T(test_wrong_answers),   T(test_public_keys),
		T(test_opening),    T(test_key_ids),         T(test_breaker),
		T(test_deadline),   T(test_limits_and_free),
	};

	return cmocka_run_group_tests_name("signer_aws", tests, NULL, NULL);
}
