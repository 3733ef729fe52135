/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Reads of S3: whose are signed, for which region, what is tried again, and what a refusal says. */
#include <stdio.h>
#include <stdlib.h>

#include "aws_fake.h"
#include "base/limits.h"
#include "net/aws_s3.h"

#define STATIC "AWS_ACCESS_KEY_ID=AKIASTATIC", "AWS_SECRET_ACCESS_KEY=hidden"
#define BUCKET "https://s3.eu-west-1.amazonaws.com/private"
#define OBJECT BUCKET "/ct128/00/1"

struct seen {
	unsigned calls;
	enum err err;
	int status;
	char note[ERR_NOTE_SIZE], body[128], pieces[256];
	struct transport **free_this;
};

struct rig {
	struct fake *f;
	struct transport *t;
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

	transport_free(r->t);
	fake_free(r->f);
	free(r);
	return 0;
}

static const char *const buckets[] = {BUCKET, "https://b.example:9000/one/",
				      "https://all.s3.us-west-2.amazonaws.com"};

static enum err open_s3(struct rig *r, const char *const *env, const char *region,
			struct err_note *note)
{
	const struct aws_s3_options o = {
		.inner = &r->f->transport,
		.clock = &r->f->clock,
		.env = env,
		.buckets = buckets,
		.buckets_n = ARRAY_LEN(buckets),
		.region = region,
	};

	return aws_s3_new(&r->t, &o, note);
}
#define OPEN(r, ...)                                                                               \
	assert_int_equal(open_s3(r, (const char *const[]){__VA_ARGS__, NULL}, NULL, NULL), ERR_OK)

static void on_piece(void *ctx, struct bytes piece)
{
	struct seen *s = ctx;
	size_t n = strlen(s->pieces);

	assert_true(n + piece.n < sizeof(s->pieces));
	memcpy(&s->pieces[n], piece.p, piece.n);
}

static void on_done(void *ctx, const struct http_reply *reply)
{
	struct seen *s = ctx;

	s->calls++;
	s->err = reply->err;
	s->status = reply->status;
	snprintf(s->note, sizeof(s->note), "%s", reply->note.text);
	snprintf(s->body, sizeof(s->body), "%.*s", (int)reply->body.n,
		 reply->body.n > 0 ? (const char *)reply->body.p : "");
	if (s->free_this) {
		transport_free(*s->free_this);
		*s->free_this = NULL;
	}
}

static struct http_ticket ask(struct rig *r, struct seen *s, const char *method, const char *url)
{
	const struct http_request req = {
		.method = method,
		.url = url,
		.timeout_ms = 1000,
		.connect_timeout_ms = 300,
		.body_max = 16,
		.piece = on_piece,
	};
	struct http_ticket ticket;

	*s = (struct seen){.free_this = s->free_this};
	assert_int_equal(transport_send(r->t, &ticket, &req, on_done, s), ERR_OK);
	assert_int_equal(s->calls, 0);
	return ticket;
}

/* ---- which ---- */

static void test_only_named_buckets_are_signed(void **state)
{
	/* What is not one of them sees neither key nor token. */
	static const char *const others[] = {
		"https://s3.eu-west-1.amazonaws.com/private-not/x",
		"https://s3.eu-west-1.amazonaws.com/other/x",
		"https://s3.eu-west-1.amazonaws.com.evil.example/private/x",
		"http://s3.eu-west-1.amazonaws.com/private/x",
		"https://all.s3.us-west-2.amazonaws.com.evil.example/x",
		"https://all.s3.us-west-2.amazonaws.com@evil.example/x",
		"https://b.example:9000/ones/x",
	};
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, STATIC, "AWS_REGION=eu-central-1");
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		(void)ask(r, &s, "GET", others[i]);
		assert_int_equal(r->f->requests_n, i + 1);
		assert_lacks(fake_head(r->f, i), "AKIA");
		assert_lacks(fake_head(r->f, i), "x-amz");
		assert_false(r->f->requests[i].secret);
		fake_answer(r->f, i, 200, NULL, "anonymous");
		assert_int_equal(s.status, 200);
	}
}

static void test_signed(void **state)
{
	static const struct {
		const char *url, *scope;
	} rows[] = {
		{OBJECT, "Credential=AKIASTATIC/20150830/eu-west-1/s3/aws4_request"},
		{BUCKET, "/20150830/eu-west-1/s3/aws4_request"},
		{"https://b.example:9000/one/x", "/20150830/eu-central-1/s3/aws4_request"},
		{"https://all.s3.us-west-2.amazonaws.com/x", "/20150830/us-west-2/s3/aws4_request"},
	};
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, STATIC, "AWS_REGION=eu-central-1");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[256];

		(void)ask(r, &s, i == 0 ? "HEAD" : "GET", rows[i].url);
		fake_run(r->f, 1);
		snprintf(line, sizeof(line), "%s %s\n", i == 0 ? "HEAD" : "GET", rows[i].url);
		assert_holds(fake_head(r->f, i), line);
		assert_holds(fake_head(r->f, i), rows[i].scope);
		assert_holds(fake_head(r->f, i),
			     "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=");
		assert_holds(fake_head(r->f, i), "x-amz-content-sha256: e3b0c44298fc1c14");
		assert_holds(fake_head(r->f, i), "x-amz-date: 20150830T123600Z\n");
		assert_lacks(fake_head(r->f, i), "hidden");
		assert_true(r->f->requests[i].secret);
		assert_int_equal(r->f->requests[i].timeout_ms, 1000);
		assert_int_equal(r->f->requests[i].connect_timeout_ms, 300);
		fake_answer(r->f, i, 200, NULL, "sixteen bytes!!!");
		assert_int_equal(s.calls, 1);
		assert_int_equal(s.status, 200);
		assert_string_equal(s.body, "sixteen bytes!!!");
		assert_string_equal(s.pieces, "sixteen bytes!!!");
	}
	assert_int_equal(aws_s3_source(r->t), AWS_SOURCE_ENVIRONMENT);
}

static void test_a_region_for_hosts_that_name_none(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	assert_int_equal(open_s3(r, (const char *const[]){STATIC, "AWS_REGION=eu-central-1", NULL},
				 "garage", NULL),
			 ERR_OK);
	(void)ask(r, &s, "GET", "https://b.example:9000/one/x");
	fake_run(r->f, 1);
	assert_holds(fake_head(r->f, 0), "/20150830/garage/s3/aws4_request");
	fake_answer(r->f, 0, 200, NULL, "");
	(void)ask(r, &s, "GET", OBJECT);
	fake_run(r->f, 1);
	assert_holds(fake_head(r->f, 1), "/20150830/eu-west-1/s3/aws4_request");
	fake_answer(r->f, 1, 200, NULL, "");
}

static void test_session_token(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, STATIC, "AWS_SESSION_TOKEN=tok", "AWS_REGION=eu-central-1");
	(void)ask(r, &s, "HEAD", OBJECT);
	fake_run(r->f, 1);
	assert_holds(fake_head(r->f, 0), "x-amz-security-token: tok\n");
	assert_holds(fake_head(r->f, 0), "x-amz-date;x-amz-security-token, Signature=");
	fake_answer(r->f, 0, 200, NULL, "");
}

static void test_no_credentials(void **state)
{
	struct rig *r = *state;
	struct err_note note;

	assert_int_equal(open_s3(r, (const char *const[]){"AWS_EC2_METADATA_DISABLED=true", NULL},
				 NULL, &note),
			 ERR_CONFIG_VALUE);
	assert_holds(note.text, "no AWS credentials");
}

/* ---- limits ---- */

static void test_too_big_and_unfit(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};
	struct http_ticket ticket;
	const struct http_request post = {.method = "POST", .url = OBJECT, .timeout_ms = 1};
	const struct http_request endless = {.method = "GET", .url = OBJECT};

	OPEN(r, STATIC, "AWS_REGION=eu-central-1");
	(void)ask(r, &s, "GET", OBJECT);
	fake_run(r->f, 1);
	fake_answer(r->f, 0, 200, NULL, "seventeen bytes!!");
	assert_int_equal(s.err, ERR_TOO_BIG);
	assert_string_equal(s.body, "");
	assert_int_equal(transport_send(r->t, &ticket, &post, on_done, &s), ERR_BAD_REQUEST);
	assert_int_equal(transport_send(r->t, &ticket, &endless, on_done, &s), ERR_RANGE);
}

static void test_busy_transport_is_tried_again(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, STATIC, "AWS_REGION=eu-central-1");
	r->f->busy = 3;
	(void)ask(r, &s, "GET", OBJECT);
	fake_run(r->f, 10);
	assert_int_equal(r->f->requests_n, 0);
	fake_run(r->f, 100);
	assert_int_equal(r->f->requests_n, 1);
	assert_int_equal(s.calls, 0);
	fake_answer(r->f, 0, 200, NULL, "x");
	assert_int_equal(s.status, 200);
}

/* Who has waited longest is not overtaken; nobody is signed for nothing while there is no room. */
static void test_busy_transport_keeps_their_order(void **state)
{
	static const char *const urls[] = {BUCKET "/a", BUCKET "/b", BUCKET "/c"};
	struct rig *r = *state;
	struct seen s[ARRAY_LEN(urls)] = {0};

	OPEN(r, STATIC, "AWS_REGION=eu-central-1");
	(void)ask(r, &s[0], "GET", OBJECT);
	fake_run(r->f, 1);
	fake_answer(r->f, 0, 200, NULL, "x");
	r->f->busy = 5;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		(void)ask(r, &s[i], "GET", urls[i]);
	assert_int_equal(r->f->busy, 2);
	fake_run(r->f, 100);
	assert_int_equal(r->f->requests_n, 4);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		assert_non_null(strstr(fake_head(r->f, i + 1), urls[i]));
}

static void test_cancel_and_free(void **state)
{
	struct rig *r = *state;
	struct seen s = {0}, other = {0};
	struct http_ticket t;

	OPEN(r, STATIC, "AWS_REGION=eu-central-1");
	t = ask(r, &s, "GET", OBJECT);
	fake_run(r->f, 1);
	transport_cancel(r->t, t);
	transport_cancel(r->t, t);
	assert_int_equal(r->f->cancelled_n, 1);
	t = ask(r, &s, "GET", "https://elsewhere.example/x");
	transport_cancel(r->t, t);
	assert_int_equal(r->f->cancelled_n, 2);
	/* In a done, with another under way. */
	(void)ask(r, &s, "GET", OBJECT);
	(void)ask(r, &other, "GET", OBJECT);
	fake_run(r->f, 1);
	s.free_this = &r->t;
	fake_answer(r->f, 2, 200, NULL, "x");
	assert_null(r->t);
	assert_int_equal(s.calls, 1);
	assert_int_equal(other.calls, 0);
	assert_int_equal(r->f->cancelled_n, 3);
}

/* ---- again ---- */

#define XML(code, message)                                                                         \
	"<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>" message "</Message></"      \
	"Error>"

/* HEAD has no words: the date says it. */
static void test_clock_is_set_and_asked_again(void **state)
{
	static const char *const methods[] = {"GET", "HEAD"};
	struct rig *r = *state;
	struct seen s = {0};
	const char *body = XML("RequestTimeTooSkewed", "too large");

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		OPEN(r, STATIC, "AWS_REGION=eu-central-1");
		(void)ask(r, &s, methods[i], OBJECT);
		fake_run(r->f, 1);
		fake_answer(r->f, 2 * i, 403, "Sun, 30 Aug 2015 14:00:00 GMT", i == 0 ? body : "");
		fake_run(r->f, 1);
		assert_int_equal(s.calls, 0);
		assert_int_equal(r->f->requests_n, 2 * i + 2);
		assert_holds(fake_head(r->f, 2 * i + 1), "x-amz-date: 20150830T140000Z\n");
		/* Once: then it is what it is. */
		fake_answer(r->f, 2 * i + 1, 403, "Sun, 30 Aug 2015 18:00:00 GMT", "");
		assert_int_equal(s.calls, 1);
		assert_int_equal(s.status, 403);
		transport_free(r->t);
		r->t = NULL;
	}
}

static void test_a_403_with_the_right_date_is_told_at_once(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, STATIC, "AWS_REGION=eu-central-1");
	(void)ask(r, &s, "HEAD", OBJECT);
	fake_run(r->f, 1);
	fake_answer(r->f, 0, 403, "Sun, 30 Aug 2015 12:36:02 GMT", "");
	assert_int_equal(s.status, 403);
	assert_int_equal(r->f->requests_n, 1);
}

static void test_credentials_that_ran_out(void **state)
{
	static const struct {
		const char *method, *body;
		struct http_header header;
		bool again;
	} rows[] = {
		{"GET", XML("ExpiredToken", "x"), {"x", "y"}, true},
		{"GET", XML("InvalidAccessKeyId", "x"), {"x", "y"}, true},
		{"HEAD", "", {"x", "y"}, true},
		{"HEAD", "", {"x-amz-bucket-region", "eu-west-1"}, true},
		/* For another region, which it names: new ones would not help. */
		{"HEAD", "", {"x-amz-bucket-region", "eu-north-1"}, false},
		{"GET", XML("AccessDenied", "x"), {"x", "y"}, false},
	};
	struct rig *r = *state;
	struct seen s = {0};
	size_t at = 0;

	OPEN(r, STATIC, "AWS_SESSION_TOKEN=tok", "AWS_REGION=eu-central-1");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)ask(r, &s, rows[i].method, OBJECT);
		fake_run(r->f, 1);
		fake_reply(r->f, at++, 400, &rows[i].header, 1, rows[i].body);
		fake_run(r->f, 1);
		assert_int_equal(s.calls, rows[i].again ? 0 : 1);
		if (rows[i].again) {
			fake_answer(r->f, at++, 200, NULL, "body");
			assert_string_equal(s.body, "body");
			/* Those of the refusal came first, as it says. */
			assert_holds(s.pieces, "body");
		}
		assert_int_equal(r->f->requests_n, at);
	}
}

static void test_failures_go_through(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, STATIC, "AWS_REGION=eu-central-1");
	(void)ask(r, &s, "GET", OBJECT);
	fake_run(r->f, 1);
	fake_fail(r->f, 0, ERR_TIMEOUT);
	assert_int_equal(s.err, ERR_TIMEOUT);
	(void)ask(r, &s, "GET", OBJECT);
	fake_run(r->f, 1);
	fake_answer(r->f, 1, 503, NULL, XML("SlowDown", "x"));
	assert_int_equal(s.status, 503);
	assert_int_equal(r->f->requests_n, 2);
}

/* The credentials are asked for at the machine, which has none. */
static void test_machine_without_role(void **state)
{
	struct rig *r = *state;
	struct seen s = {0};

	OPEN(r, "AWS_REGION=eu-central-1");
	(void)ask(r, &s, "GET", OBJECT);
	fake_run(r->f, 1);
	assert_holds(fake_head(r->f, 0), "/latest/api/token\n");
	fake_answer(r->f, 0, 200, NULL, "session");
	fake_answer(r->f, 1, 404, NULL, "");
	fake_run(r->f, 1);
	assert_int_equal(s.calls, 1);
	assert_int_equal(s.err, ERR_REMOTE);
	assert_holds(s.note, "the machine has no role");
}

/* ---- names and words ---- */

static void test_regions(void **state)
{
	static const struct {
		const char *url, *region;
	} rows[] = {
		{"https://s3.eu-west-1.amazonaws.com/b", "eu-west-1"},
		{"https://b.s3.eu-west-1.amazonaws.com", "eu-west-1"},
		{"https://b.with.dots.s3.eu-west-1.amazonaws.com/x?y", "eu-west-1"},
		{"https://s3-eu-west-1.amazonaws.com/b", "eu-west-1"},
		{"https://b.s3-eu-west-1.amazonaws.com/x", "eu-west-1"},
		{"https://b.s3.dualstack.eu-west-1.amazonaws.com/x", "eu-west-1"},
		{"https://s3.dualstack.eu-west-1.amazonaws.com:443/x", "eu-west-1"},
		{"https://s3.amazonaws.com/b", "us-east-1"},
		{"https://b.s3.amazonaws.com", "us-east-1"},
		{"https://b.s3.cn-north-1.amazonaws.com.cn/x", "cn-north-1"},
		{"https://kms.eu-west-1.amazonaws.com", NULL},
		{"https://eu-west-1.amazonaws.com", NULL},
		{"https://s3.EU.amazonaws.com", NULL},
		{"https://b.s3-accelerate.amazonaws.com/x", NULL},
		{"https://b.s3-external-1.amazonaws.com/x", NULL},
		{"https://s3-fips-us-gov-west-1.amazonaws.com/b", NULL},
		{"https://s3.eu-west-1.amazonaws.com.example/b", NULL},
		{"https://amazonaws.com/b", NULL},
		{"https://b.example", NULL},
		{"http://127.0.0.1:9000/b", NULL},
		{"", NULL},
	};
	char region[AWS_REGION_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool found = aws_s3_region(region, rows[i].url);

		if (found != (rows[i].region != NULL) ||
		    (found && strcmp(region, rows[i].region) != 0))
			fail_msg("%s: %s", rows[i].url, found ? region : "none");
	}
}

static void test_inside(void **state)
{
	(void)state;
	assert_true(aws_s3_inside("http://h/b/c", "http://h/b"));
	assert_true(aws_s3_inside("http://h/b/c", "http://h/b//"));
	assert_true(aws_s3_inside("http://h/b", "http://h/b/"));
	assert_true(aws_s3_inside("http://h/b", "http://h"));
	assert_false(aws_s3_inside("http://h/bc", "http://h/b"));
	assert_false(aws_s3_inside("http://hb", "http://h"));
	assert_false(aws_s3_inside("http://h:80/b", "http://h"));
	assert_false(aws_s3_inside("http://h/b", ""));
	assert_false(aws_s3_inside("http://h/b", "///"));
}

static void test_reasons(void **state)
{
	static const struct {
		int status;
		const char *body, *region, *said;
	} rows[] = {
		{403, XML("RequestTimeTooSkewed", "The difference between the request time and"),
		 NULL,
		 "HTTP 403 RequestTimeTooSkewed: the clocks of this machine and of the bucket are "
		 "too far apart"},
		{403, XML("AccessDenied", "Access Denied"), NULL,
		 "HTTP 403 AccessDenied: no permission to read it (or no permission to list the "
		 "bucket, where it is not there)"},
		{403, "", NULL,
		 "HTTP 403: no permission to read it (or no permission to list the bucket, where "
		 "it is not there)"},
		{403, XML("SignatureDoesNotMatch", "x"), NULL,
		 "HTTP 403 SignatureDoesNotMatch: the secret key is not the access key's, or a "
		 "proxy changed the request"},
		{301, XML("PermanentRedirect", "x"), "eu-north-1",
		 "HTTP 301 PermanentRedirect: the bucket is in another region than its URL says; "
		 "the bucket is in eu-north-1"},
		{301, "", "<script>",
		 "HTTP 301: it is at another URL, and redirects are not followed"},
		{400, "", "eu-north-1",
		 "HTTP 400: the signature is refused: is it for another region, or have the "
		 "credentials run out?; the bucket is in eu-north-1"},
		{400, XML("AuthorizationHeaderMalformed", "x"), NULL,
		 "HTTP 400 AuthorizationHeaderMalformed: it is signed for another region"},
		{404, XML("NoSuchBucket", "x"), NULL,
		 "HTTP 404 NoSuchBucket: there is no such bucket"},
		{404, XML("NoSuchKey", "x"), NULL, ""},
		{404, "", NULL, ""},
		{200, "anything", "eu-north-1", ""},
		{503, XML("SlowDown", "x"), NULL, ""},
		{405, "", NULL, "HTTP 405"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct http_header h = {"x-amz-bucket-region", rows[i].region};
		const struct http_reply reply = {.status = rows[i].status,
						 .body = bytes_str(rows[i].body),
						 .headers = &h,
						 .headers_n = rows[i].region ? 1 : 0};
		struct err_note note;

		aws_s3_reason(&note, &reply);
		assert_string_equal(note.text, rows[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_only_named_buckets_are_signed),
		T(test_signed),
		T(test_a_region_for_hosts_that_name_none),
		T(test_session_token),
		T(test_no_credentials),
		T(test_too_big_and_unfit),
		T(test_busy_transport_is_tried_again),
		T(test_busy_transport_keeps_their_order),
		T(test_cancel_and_free),
		T(test_clock_is_set_and_asked_again),
		T(test_a_403_with_the_right_date_is_told_at_once),
		T(test_credentials_that_ran_out),
		T(test_failures_go_through),
		T(test_machine_without_role),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
