/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Signature Version 4. The cases are AWS's: its "Signature Version 4 test suite" (names as there),
 * the IAM example of the user guide, and the GET Object example of the S3 reference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "net/aws_sigv4.h"

#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SUITE_HOST   "https://example.amazonaws.com"
#define UNRESERVED   "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define STS_TOKEN                                                                                  \
	"AQoDYXdzEPT//////////"                                                                    \
	"wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxf"                     \
	"pSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/"                                                 \
	"kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPk"                                        \
	"yQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+"                                  \
	"xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBA"                                                       \
	"z+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

struct row {
	const char *name, *method, *url;
	struct http_header headers[4];
	const char *body, *token;
	const char *signed_headers, *signature;
};

static const struct row suite[] = {
	{"get-vanilla",
	 "GET",
	 SUITE_HOST "/",
	 {{0}},
	 "",
	 NULL,
	 "host;x-amz-date",
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"the same with the port of https",
	 "GET",
	 SUITE_HOST ":443",
	 {{0}},
	 "",
	 NULL,
	 "host;x-amz-date",
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-vanilla-query-order-key-case",
	 "GET",
	 SUITE_HOST "/?Param2=value2&Param1=value1",
	 {{0}},
	 "",
	 NULL,
	 "host;x-amz-date",
	 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-unreserved",
	 "GET",
	 SUITE_HOST "/?" UNRESERVED "=" UNRESERVED,
	 {{0}},
	 "",
	 NULL,
	 "host;x-amz-date",
	 "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"get-header-value-trim",
	 "GET",
	 SUITE_HOST "/",
	 {{"My-Header2", " \"a   b   c\""}, {"My-Header1", " value1"}},
	 "",
	 NULL,
	 "host;my-header1;my-header2;x-amz-date",
	 "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"post-vanilla",
	 "POST",
	 SUITE_HOST "/",
	 {{0}},
	 "",
	 NULL,
	 "host;x-amz-date",
	 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-vanilla-query",
	 "POST",
	 SUITE_HOST "/?Param1=value1",
	 {{0}},
	 "",
	 NULL,
	 "host;x-amz-date",
	 "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"post-header-value-case",
	 "POST",
	 SUITE_HOST "/",
	 {{"My-Header1", "VALUE1"}},
	 "",
	 NULL,
	 "host;my-header1;x-amz-date",
	 "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{"post-sts-header-before",
	 "POST",
	 SUITE_HOST "/",
	 {{0}},
	 "",
	 STS_TOKEN,
	 "host;x-amz-date;x-amz-security-token",
	 "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	{"post-x-www-form-urlencoded",
	 "POST",
	 SUITE_HOST "/",
	 {{"Content-Type", "application/x-www-form-urlencoded"}},
	 "Param1=value1",
	 NULL,
	 "content-type;host;x-amz-date",
	 "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};

static size_t headers_of(const struct row *r)
{
	size_t n = 0;

	while (n < ARRAY_LEN(r->headers) && r->headers[n].name)
		n++;
	return n;
}

static void assert_signs(const struct row *r, const struct aws_keys *keys,
			 const struct aws_scope *scope, const char *date)
{
	CLEANUP(buf_free) struct buf out = buf_make(4096);
	const struct http_request req = {.method = r->method,
					 .url = r->url,
					 .headers = r->headers,
					 .headers_n = headers_of(r),
					 .body = bytes_str(r->body)};
	char want[512];
	const char *got;

	snprintf(want, sizeof(want),
		 "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, "
		 "Signature=%s",
		 keys->access_key_id, date, scope->region, scope->service, r->signed_headers,
		 r->signature);
	if (aws_sign(&out, &req, keys, scope, date) != ERR_OK)
		fail_msg("%s", r->name);
	assert_int_equal(buf_cstr(&out, &got), ERR_OK);
	assert_string_equal(got, want);
}

static void test_suite(void **state)
{
	const struct aws_scope scope = {"us-east-1", "service"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suite); i++) {
		const struct aws_keys keys = {"AKIDEXAMPLE", BYTES_LIT(SUITE_SECRET),
					      suite[i].token};

		assert_signs(&suite[i], &keys, &scope, "20150830T123600Z");
	}
}

static void test_documents(void **state)
{
	const struct aws_keys iam_keys = {"AKIDEXAMPLE", BYTES_LIT(SUITE_SECRET), NULL};
	const struct aws_keys s3_keys = {"AKIAIOSFODNN7EXAMPLE",
					 BYTES_LIT("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
					 NULL};
	const struct row iam = {
		"ListUsers",
		"GET",
		"https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
		{{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
		"",
		NULL,
		"content-type;host;x-amz-date",
		"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"};
	/* "Authenticating Requests", examples of the S3 API reference. */
	static const struct row s3[] = {
		{"GET Object",
		 "GET",
		 "https://examplebucket.s3.amazonaws.com/test.txt",
		 {{"Range", "bytes=0-9"},
		  {"x-amz-content-sha256",
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
		 "",
		 NULL,
		 "host;range;x-amz-content-sha256;x-amz-date",
		 "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{"PUT Object",
		 "PUT",
		 "https://examplebucket.s3.amazonaws.com/test%24file.text",
		 {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
		  {"x-amz-content-sha256",
		   "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
		  {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
		 "Welcome to Amazon S3.",
		 NULL,
		 "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		 "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		{"GET Bucket Lifecycle",
		 "GET",
		 "https://examplebucket.s3.amazonaws.com/?lifecycle",
		 {{"x-amz-content-sha256",
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
		 "",
		 NULL,
		 "host;x-amz-content-sha256;x-amz-date",
		 "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{"Get Bucket (List Objects)",
		 "GET",
		 "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J",
		 {{"x-amz-content-sha256",
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
		 "",
		 NULL,
		 "host;x-amz-content-sha256;x-amz-date",
		 "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	};

	(void)state;
	assert_signs(&iam, &iam_keys, &(struct aws_scope){"us-east-1", "iam"}, "20150830T123600Z");
	for (size_t i = 0; i < ARRAY_LEN(s3); i++)
		assert_signs(&s3[i], &s3_keys, &(struct aws_scope){"us-east-1", "s3"},
			     "20130524T000000Z");
}

/* S3 signs the path as it is sent, everybody else encodes it once more. */
static void test_paths(void **state)
{
	const struct aws_keys keys = {"AKIDEXAMPLE", BYTES_LIT(SUITE_SECRET), NULL};
	struct http_request req = {.method = "GET", .url = SUITE_HOST "/a%20b"};
	CLEANUP(buf_free) struct buf one = buf_make(4096), two = buf_make(4096);

	(void)state;
	assert_int_equal(
		aws_sign(&one, &req, &keys, &(struct aws_scope){"r", "s3"}, "20150830T123600Z"),
		ERR_OK);
	req.url = SUITE_HOST "/a%2520b";
	assert_int_equal(
		aws_sign(&two, &req, &keys, &(struct aws_scope){"r", "s3"}, "20150830T123600Z"),
		ERR_OK);
	assert_false(bytes_eq_var(buf_view(&one), buf_view(&two)));
}

static void test_refusals(void **state)
{
	static const char *const urls[] = {
		"ftp://example.com/",   "example.com/",          "https://",
		"https:///path",        "https://h/a b",         "https://h/#fragment",
		"https://user@h/",      "https://h/a/../b",      "https://h/.",
		"https://h/./",         "https://h/\xc3\xbc",    "https://h/..?x",
		"https://h:443",        "https://user:p@h:443/", "",
		"https://h/a/%2e%2E/b", "https://h/.%2e",        "https://h/%2E/x",
	};
	const struct aws_keys keys = {"AKIDEXAMPLE", BYTES_LIT(SUITE_SECRET), NULL};
	const struct aws_scope scope = {"us-east-1", "service"};
	CLEANUP(buf_free) struct buf out = buf_make(4096), query = buf_make(4096);
	struct http_request req = {.method = "GET"};
	struct http_header many[15];

	(void)state;
	assert_int_equal(buf_add_str(&out, "before"), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		bool good = strcmp(urls[i], "https://h:443") == 0;

		req.url = urls[i];
		if (!good &&
		    aws_sign(&out, &req, &keys, &scope, "20150830T123600Z") != ERR_BAD_REQUEST)
			fail_msg("%s", urls[i]);
	}
	req.url = SUITE_HOST;
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct http_header){"x", "y"};
	req.headers = many;
	req.headers_n = 15;
	assert_int_equal(aws_sign(&out, &req, &keys, &scope, "20150830T123600Z"), ERR_BAD_REQUEST);
	req.headers_n = 0;
	assert_int_equal(buf_add_str(&query, SUITE_HOST "/?"), ERR_OK);
	for (int i = 0; i < 33; i++)
		assert_int_equal(buf_addf(&query, "&%d", i), ERR_OK);
	assert_int_equal(buf_cstr(&query, &req.url), ERR_OK);
	assert_int_equal(aws_sign(&out, &req, &keys, &scope, "20150830T123600Z"), ERR_BAD_REQUEST);
	assert_int_equal(out.n, 6);
}

static void test_dates(void **state)
{
	char date[AWS_DATE_SIZE] = "untouched";

	(void)state;
	assert_int_equal(aws_date(date, -1), ERR_RANGE);
	assert_int_equal(aws_date(date, INT64_C(253402300800000)), ERR_RANGE);
	assert_string_equal(date, "untouched");
	assert_int_equal(aws_date(date, INT64_C(1440938160999)), ERR_OK);
	assert_string_equal(date, "20150830T123600Z");
	assert_int_equal(aws_date(date, 0), ERR_OK);
	assert_string_equal(date, "19700101T000000Z");
	assert_int_equal(aws_date(date, INT64_C(253402300799999)), ERR_OK);
	assert_string_equal(date, "99991231T235959Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suite), cmocka_unit_test(test_documents),
		cmocka_unit_test(test_paths), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests_name("aws_sigv4", tests, NULL, NULL);
}
