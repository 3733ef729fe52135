/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Calls to an AWS service: where credentials are fetched, when again, and what faults do. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aws_fake.h"
#include "base/limits.h"
#include "net/aws_client.h"

#define KEYS(id, token, until)                                                                     \
	"{\"Code\":\"Success\",\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"hidden\","         \
	"\"Token\":\"" token "\",\"Expiration\":\"" until "\"}"
#define FAULT(code) "{\"__type\":\"" code "\",\"message\":\"as it is\"}"

/* What happened to one call. */
struct seen {
	unsigned calls;
	enum err err;
	char note[ERR_NOTE_SIZE];
	char body[64];
	struct aws_client **free_this;
};

struct rig {
	struct fake *f;
	struct aws_client *c;
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->f = fake_new();
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	aws_client_free(r->c);
	fake_free(r->f);
	free(r);
	return 0;
}

static enum err open_client(struct rig *r, const char *const *env, struct err_note *note)
{
	const struct aws_client_options o = {
		.transport = &r->f->transport, .clock = &r->f->clock, .env = env, .service = "kms"};

	return aws_client_new(&r->c, &o, note);
}
#define OPEN(r, ...)                                                                               \
	assert_int_equal(open_client(r, (const char *const[]){__VA_ARGS__, NULL}, NULL), ERR_OK)
#define STATIC "AWS_ACCESS_KEY_ID=AKIASTATIC", "AWS_SECRET_ACCESS_KEY=hidden"

static void on_done(void *ctx, enum err e, const struct err_note *note, struct bytes body)
{
	struct seen *s = ctx;

	s->calls++;
	s->err = e;
	snprintf(s->note, sizeof(s->note), "%s", note->text);
	snprintf(s->body, sizeof(s->body), "%.*s", (int)body.n,
		 body.n > 0 ? (const char *)body.p : "");
	if (s->free_this) {
		aws_client_free(*s->free_this);
		*s->free_this = NULL;
	}
}

static struct aws_call *call(struct rig *r, struct seen *s)
{
	struct aws_call *a;

	*s = (struct seen){.free_this = s->free_this};
	assert_int_equal(
		aws_client_call(r->c, &a, "TrentService.Sign", BYTES_LIT("{}"), 1000, on_done, s),
		ERR_OK);
	assert_int_equal(s->calls, 0);
	return a;
}

static void ended(const struct seen *s, enum err e, const char *note)
{
	assert_int_equal(s->calls, 1);
	assert_string_equal(err_name(s->err), err_name(e));
	assert_holds(s->note, note);
	assert_lacks(s->note, "hidden");
}

static void test_static_keys(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, STATIC, "AWS_REGION=eu-west-1");
	(void)call(r, &s);
	fake_run(r->f, 10);
	assert_int_equal(r->f->requests_n, 1);
	assert_holds(fake_head(r->f, 0), "POST https://kms.eu-west-1.amazonaws.com\n");
	assert_holds(fake_head(r->f, 0), "content-type: application/x-amz-json-1.1\n");
	assert_holds(fake_head(r->f, 0), "x-amz-target: TrentService.Sign\n");
	assert_holds(fake_head(r->f, 0), "x-amz-date: 20150830T123600Z\n");
	assert_holds(fake_head(r->f, 0),
		     "authorization: AWS4-HMAC-SHA256 "
		     "Credential=AKIASTATIC/20150830/eu-west-1/kms/aws4_request, "
		     "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=");
	assert_lacks(fake_head(r->f, 0), "x-amz-security-token");
	assert_lacks(fake_head(r->f, 0), "hidden");
	assert_true(r->f->requests[0].secret && !r->f->requests[0].direct);
	assert_string_equal(fake_body(r->f, 0), "{}");
	fake_answer(r->f, 0, 200, NULL, "{\"a\":1}");
	ended(&s, ERR_OK, "");
	assert_string_equal(s.body, "{\"a\":1}");
	/* Once is enough. */
	(void)call(r, &s);
	assert_int_equal(r->f->requests_n, 2);
	fake_fail(r->f, 1, ERR_TIMEOUT);
	ended(&s, ERR_TIMEOUT, "as the test wants it");
}

static void test_faults(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum err err;
		const char *note;
	} rows[] = {
		{400, FAULT("ThrottlingException"), ERR_UNAVAILABLE, "ThrottlingException: as"},
		{400, FAULT("com.amazonaws#LimitExceededException"), ERR_UNAVAILABLE, "LimitEx"},
		{500, FAULT("KMSInternalException"), ERR_UNAVAILABLE, "KMSInternalException"},
		{400, FAULT("KeyUnavailableException"), ERR_UNAVAILABLE, "KeyUnavailable"},
		{400, FAULT("DependencyTimeoutException"), ERR_UNAVAILABLE, "DependencyTimeout"},
		{503, "<html>", ERR_UNAVAILABLE, "HTTP status 503"},
		{429, "", ERR_UNAVAILABLE, "HTTP status 429"},
		{400, FAULT("AccessDeniedException"), ERR_REMOTE,
		 "AccessDeniedException: as it is"},
		{400, FAULT("NotFoundException"), ERR_REMOTE, "NotFoundException"},
		{400, FAULT("DisabledException"), ERR_REMOTE, "DisabledException"},
		{400, FAULT("KMSInvalidStateException"), ERR_REMOTE, "KMSInvalidState"},
		{400, FAULT("InvalidSignatureException"), ERR_REMOTE, "InvalidSignature"},
		{404, "no", ERR_REMOTE, "HTTP status 404"},
		{301, "", ERR_REMOTE, "HTTP status 301"},
	};
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, STATIC, "AWS_REGION=eu-west-1");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)call(r, &s);
		fake_run(r->f, 10);
		assert_int_equal(r->f->requests_n, i + 1);
		fake_answer(r->f, i, rows[i].status, "Sun, 30 Aug 2015 12:36:00 GMT", rows[i].body);
		ended(&s, rows[i].err, rows[i].note);
	}
}

/* AWS takes five minutes: who is off by more is told the time, once. */
static void test_clock(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, STATIC, "AWS_REGION=eu-west-1");
	(void)call(r, &s);
	fake_run(r->f, 10);
	fake_answer(r->f, 0, 400, "Sun, 30 Aug 2015 15:00:00 GMT",
		    FAULT("InvalidSignatureException"));
	assert_int_equal(s.calls, 0);
	assert_int_equal(r->f->requests_n, 2);
	assert_holds(fake_head(r->f, 1), "x-amz-date: 20150830T150000Z\n");
	fake_answer(r->f, 1, 400, "Sun, 30 Aug 2015 09:00:00 GMT",
		    FAULT("InvalidSignatureException"));
	ended(&s, ERR_REMOTE, "InvalidSignatureException");
	/* It stays so; three minutes are not the reason. */
	fake_run(r->f, 60000);
	(void)call(r, &s);
	fake_run(r->f, 10);
	assert_holds(fake_head(r->f, 2), "x-amz-date: 20150830T150100Z\n");
	fake_answer(r->f, 2, 400, "Sun, 30 Aug 2015 15:04:00 GMT",
		    FAULT("InvalidSignatureException"));
	ended(&s, ERR_REMOTE, "InvalidSignatureException");
	(void)call(r, &s);
	fake_answer(r->f, 3, 400, NULL, FAULT("RequestTimeTooSkewed"));
	ended(&s, ERR_REMOTE, "RequestTimeTooSkewed");
}

#define METADATA "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1"

/* Token, region, role, keys; from request `i` on. */
static void answer_metadata(struct rig *r, size_t i, bool region, const char *keys)
{
	assert_holds(fake_head(r->f, i), "PUT http://127.0.0.1:1/latest/api/token\n"
					 "x-aws-ec2-metadata-token-ttl-seconds: 21600\n");
	fake_answer(r->f, i++, 200, NULL, "METATOKEN\n");
	if (region) {
		assert_holds(fake_head(r->f, i),
			     "GET http://127.0.0.1:1/latest/meta-data/placement/region\n"
			     "x-aws-ec2-metadata-token: METATOKEN\n");
		fake_answer(r->f, i++, 200, NULL, "eu-south-1");
	}
	assert_holds(fake_head(r->f, i),
		     "GET http://127.0.0.1:1/latest/meta-data/iam/security-credentials/\n"
		     "x-aws-ec2-metadata-token: METATOKEN\n");
	fake_answer(r->f, i++, 200, NULL, "node-role\n");
	assert_holds(fake_head(r->f, i),
		     "GET http://127.0.0.1:1/latest/meta-data/iam/security-credentials/node-role\n"
		     "x-aws-ec2-metadata-token: METATOKEN\n");
	for (size_t k = i - 2; k <= i; k++)
		assert_true(r->f->requests[k].secret && r->f->requests[k].direct);
	fake_answer(r->f, i, 200, NULL, keys);
}

static void test_machine(void **state)
{
	struct rig *r = *state;
	struct seen s = {0}, t = {0};

	OPEN(r, METADATA);
	(void)call(r, &s);
	(void)call(r, &t); /* one refresh serves both */
	answer_metadata(r, 0, true, KEYS("ASIA1", "TOK1", "2015-08-30T18:36:00Z"));
	assert_int_equal(r->f->requests_n, 6);
	for (size_t i = 4; i < 6; i++) {
		assert_holds(fake_head(r->f, i), "POST https://kms.eu-south-1.amazonaws.com\n");
		assert_holds(fake_head(r->f, i), "Credential=ASIA1/20150830/eu-south-1/kms/");
		assert_holds(fake_head(r->f, i), ";x-amz-security-token;");
		assert_holds(fake_head(r->f, i), "x-amz-security-token: TOK1\n");
		fake_answer(r->f, i, 200, NULL, "{}");
	}
	ended(&s, ERR_OK, "");
	ended(&t, ERR_OK, "");
	/* Five minutes before they expire they are fetched again, and not earlier. */
	fake_run(r->f, 354 * 60000);
	(void)call(r, &s);
	assert_int_equal(r->f->requests_n, 7);
	fake_answer(r->f, 6, 200, NULL, "{}");
	fake_run(r->f, 60000);
	(void)call(r, &s);
	answer_metadata(r, 7, false, KEYS("ASIA2", "TOK2", "2015-08-31T00:36:00Z"));
	assert_holds(fake_head(r->f, 10), "Credential=ASIA2/");
	fake_answer(r->f, 10, 200, NULL, "{}");
	ended(&s, ERR_OK, "");
}

/* While the old ones hold, a source that fails is no reason to stop. */
static void test_old_keys_go_on(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, METADATA, "AWS_REGION=eu-west-1");
	(void)call(r, &s);
	answer_metadata(r, 0, false, KEYS("ASIA1", "TOK1", "2015-08-30T13:36:00Z"));
	fake_answer(r->f, 3, 200, NULL, "{}");
	fake_run(r->f, 56 * 60000);
	(void)call(r, &s);
	fake_fail(r->f, 4, ERR_TIMEOUT);
	assert_holds(fake_head(r->f, 5), "Credential=ASIA1/");
	fake_answer(r->f, 5, 200, NULL, "{}");
	ended(&s, ERR_OK, "");
	(void)call(r, &s); /* not asked again for half a minute */
	assert_holds(fake_head(r->f, 6), "Credential=ASIA1/");
	fake_answer(r->f, 6, 200, NULL, "{}");
	/* Past their time they are worth nothing. */
	fake_run(r->f, 4 * 60000);
	(void)call(r, &s);
	fake_answer(r->f, 7, 500, NULL, "");
	assert_int_equal(s.calls, 0);
	fake_run(r->f, 0);
	ended(&s, ERR_UNAVAILABLE,
	      "AWS credentials of the metadata of the machine: HTTP status 500");
}

static void test_machine_without_role(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, METADATA, "AWS_REGION=eu-west-1");
	(void)call(r, &s);
	fake_answer(r->f, 0, 200, NULL, "METATOKEN");
	fake_answer(r->f, 1, 404, NULL, "<html>");
	fake_run(r->f, 0);
	ended(&s, ERR_REMOTE, "the machine has no role");
	(void)call(r, &s);
	fake_answer(r->f, 2, 200, NULL, "METATOKEN");
	fake_answer(r->f, 3, 200, NULL, "../../evil");
	fake_run(r->f, 0);
	ended(&s, ERR_MALFORMED, "the machine has no role");
	(void)call(r, &s);
	fake_answer(r->f, 4, 200, NULL, "");
	fake_run(r->f, 0);
	ended(&s, ERR_MALFORMED, "no session token");
	(void)call(r, &s);
	fake_answer(r->f, 5, 200, NULL, "METATOKEN");
	fake_answer(r->f, 6, 200, NULL, "role");
	fake_answer(r->f, 7, 200, NULL, "{\"Code\":\"Failed\"}");
	fake_run(r->f, 0);
	ended(&s, ERR_REMOTE, "Failed");
}

/* The service knows better than a clock when credentials are over. */
static void test_expired(void **state)
{
	struct rig *r = *state;
	struct seen s = {0}, t = {0};

	OPEN(r, METADATA, "AWS_REGION=eu-west-1");
	(void)call(r, &s);
	(void)call(r, &t);
	answer_metadata(r, 0, false, KEYS("ASIA1", "TOK1", "2015-08-30T18:36:00Z"));
	fake_answer(r->f, 3, 400, NULL, FAULT("ExpiredTokenException"));
	/* One refresh for both, also where the second hears it later. */
	answer_metadata(r, 5, false, KEYS("ASIA2", "TOK2", "2015-08-30T18:36:00Z"));
	fake_answer(r->f, 4, 400, NULL, FAULT("ExpiredTokenException"));
	assert_int_equal(r->f->requests_n, 10);
	assert_holds(fake_head(r->f, 8), "Credential=ASIA2/");
	assert_holds(fake_head(r->f, 9), "Credential=ASIA2/");
	fake_answer(r->f, 8, 200, NULL, "{}");
	/* A second time it is the answer. */
	fake_answer(r->f, 9, 400, NULL, FAULT("ExpiredTokenException"));
	assert_int_equal(s.calls + t.calls, 2);
	assert_int_equal((s.err == ERR_REMOTE) + (t.err == ERR_REMOTE), 1);
	/* Static keys: looked up again, the same. */
	aws_client_free(r->c);
	OPEN(r, STATIC, "AWS_REGION=eu-west-1");
	(void)call(r, &s);
	fake_run(r->f, 0);
	fake_answer(r->f, 10, 400, NULL, FAULT("UnrecognizedClientException"));
	fake_run(r->f, 0);
	fake_answer(r->f, 11, 400, NULL, FAULT("UnrecognizedClientException"));
	ended(&s, ERR_REMOTE, "UnrecognizedClientException");
	assert_int_equal(r->f->requests_n, 12);
}

/* Keys that are over by our clock are tried: it may be the clock. No haste comes of it. */
static void test_keys_of_the_past(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, METADATA, "AWS_REGION=eu-west-1");
	(void)call(r, &s);
	answer_metadata(r, 0, false, KEYS("ASIA1", "TOK1", "2015-08-30T06:00:00Z"));
	assert_int_equal(r->f->requests_n, 4);
	fake_answer(r->f, 3, 200, NULL, "{}");
	ended(&s, ERR_OK, "");
}

static void test_container(void **state)
{
	char path[] = "/tmp/claviger-token-XXXXXX", variable[128];
	int fd = mkstemp(path);
	struct rig *r = *state;
	struct seen s = {0};

	assert_true(fd >= 0 && write(fd, "podtoken\n", 9) == 9 && close(fd) == 0);
	snprintf(variable, sizeof(variable), "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s", path);
	OPEN(r, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials",
	     "AWS_REGION=eu-west-1", variable);
	(void)call(r, &s);
	assert_holds(fake_head(r->f, 0), "GET http://169.254.170.23/v1/credentials\n"
					 "authorization: podtoken\n");
	assert_true(r->f->requests[0].direct && r->f->requests[0].secret);
	fake_answer(r->f, 0, 200, NULL, KEYS("ASIAC", "TOKC", "2015-08-30T18:36:00Z"));
	assert_holds(fake_head(r->f, 1), "Credential=ASIAC/");
	fake_answer(r->f, 1, 200, NULL, "{}");
	ended(&s, ERR_OK, "");
	/* The token is read when it is used: without it there is nothing to ask with. */
	assert_int_equal(unlink(path), 0);
	fake_run(r->f, 6 * 3600000);
	(void)call(r, &s);
	fake_run(r->f, 0);
	fake_run(r->f, 0);
	ended(&s, ERR_CONFIG_FILE, path);
	assert_int_equal(r->f->requests_n, 2);
}

static void test_web_identity(void **state)
{
	char path[] = "/tmp/claviger-token-XXXXXX", variable[128];
	int fd = mkstemp(path);
	struct rig *r = *state;
	struct seen s = {0};

	assert_true(fd >= 0 && write(fd, "ey.J-w_t", 8) == 8 && close(fd) == 0);
	snprintf(variable, sizeof(variable), "AWS_WEB_IDENTITY_TOKEN_FILE=%s", path);
	OPEN(r, variable, "AWS_REGION=eu-west-1",
	     "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/kms node",
	     "AWS_ROLE_SESSION_NAME=party-1");
	(void)call(r, &s);
	assert_holds(fake_head(r->f, 0), "POST https://sts.eu-west-1.amazonaws.com\n"
					 "content-type: application/x-www-form-urlencoded\n");
	assert_lacks(fake_head(r->f, 0), "authorization");
	assert_string_equal(fake_body(r->f, 0),
			    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%"
			    "3Aiam%3A%3A123456789012%3Arole%2Fkms%20node&RoleSessionName=party-1&"
			    "WebIdentityToken=ey.J-w_t");
	assert_true(r->f->requests[0].secret && !r->f->requests[0].direct);
	fake_answer(r->f, 0, 400, NULL,
		    "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>no provider"
		    "</Message></Error></ErrorResponse>");
	fake_run(r->f, 0);
	ended(&s, ERR_REMOTE, "of a web identity: InvalidIdentityToken: no provider");
	(void)call(r, &s);
	fake_answer(r->f, 1, 400, NULL, "<Error><Code>IDPCommunicationError</Code></Error>");
	fake_run(r->f, 0);
	ended(&s, ERR_UNAVAILABLE, "IDPCommunicationError");
	(void)call(r, &s);
	fake_answer(r->f, 2, 200, NULL,
		    "<AssumeRoleWithWebIdentityResponse><Credentials><AccessKeyId>ASIAW"
		    "</AccessKeyId><SecretAccessKey>hidden</SecretAccessKey><SessionToken>TOKW"
		    "</SessionToken><Expiration>2015-08-30T13:36:00Z</Expiration></Credentials>"
		    "</AssumeRoleWithWebIdentityResponse>");
	assert_holds(fake_head(r->f, 3), "x-amz-security-token: TOKW\n");
	fake_answer(r->f, 3, 200, NULL, "{}");
	ended(&s, ERR_OK, "");
	assert_int_equal(unlink(path), 0);
}

static void test_cancel_and_free(void **state)
{
	struct rig *r = *state;
	struct seen s = {0}, t = {0}, u = {0};

	OPEN(r, METADATA, "AWS_REGION=eu-west-1");
	aws_call_cancel(call(r, &s)); /* while credentials are fetched */
	(void)call(r, &t);
	answer_metadata(r, 0, false, KEYS("ASIA1", "TOK1", "2015-08-30T18:36:00Z"));
	aws_call_cancel(call(r, &s)); /* on the wire */
	assert_int_equal(r->f->cancelled_n, 1);
	(void)call(r, &u);
	/* From inside a done, with another call under way. */
	t.free_this = &r->c;
	fake_answer(r->f, 3, 200, NULL, "{}");
	assert_null(r->c);
	assert_int_equal(t.calls, 1);
	assert_int_equal(s.calls + u.calls, 0);
	assert_int_equal(r->f->cancelled_n, 2);
	/* And of one that failed before it was sent, with another that did. */
	OPEN(r, METADATA, "AWS_REGION=eu-west-1");
	s.free_this = &r->c;
	(void)call(r, &s);
	t.free_this = NULL;
	(void)call(r, &t);
	fake_fail(r->f, r->f->requests_n - 1, ERR_UNAVAILABLE);
	fake_run(r->f, 10);
	assert_null(r->c);
	assert_int_equal(s.calls, 1);
	assert_int_equal(t.calls, 0);
}

static void test_refusals(void **state)
{
	struct rig *r = *state;
	struct err_note note = {{0}};
	struct seen s = {0};

	assert_int_equal(
		open_client(r,
			    (const char *const[]){STATIC, "AWS_EC2_METADATA_DISABLED=true", NULL},
			    &note),
		ERR_CONFIG_VALUE);
	assert_holds(note.text, "AWS_REGION");
	assert_null(r->c);
	OPEN(r, STATIC, "AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL=http://user@h/");
	(void)call(r, &s);
	fake_run(r->f, 0);
	ended(&s, ERR_CONFIG_VALUE, "no usable URL");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_static_keys),  T(test_faults),           T(test_clock),
		T(test_machine),      T(test_old_keys_go_on),   T(test_machine_without_role),
		T(test_expired),      T(test_keys_of_the_past), T(test_container),
		T(test_web_identity), T(test_cancel_and_free),  T(test_refusals),
	};

	return cmocka_run_group_tests_name("aws_client", tests, NULL, NULL);
}
