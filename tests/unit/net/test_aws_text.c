/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What AWS says: credentials, faults, times; what stands in its files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/limits.h"
#include "net/aws_text.h"

static void test_times(void **state)
{
	static const char *const bad_iso[] = {
		"",
		"2016-02-25",
		"2016-02-25T06:03:31",
		"2016-02-25T06:03:31+00:00",
		"2016-02-25 06:03:31Z",
		"2016-02-30T06:03:31Z",
		"2016-13-01T06:03:31Z",
		"2016-00-01T06:03:31Z",
		"2016-02-25T24:03:31Z",
		"2016-02-25T06:60:31Z",
		"2016-02-25T06:03:61Z",
		"2016-02-25T06:03:31.Z",
		"2016-02-25T06:03:31.xZ",
		"1969-12-31T23:59:59Z",
		"2016-02-25T06:03:31Z ",
	};
	static const char *const bad_http[] = {
		"",
		"Wed, 21 Oct 2015 07:28:00",
		"Wed, 21 Oct 2015 07:28:00 CET",
		"wed, 21 Oct 2015 07:28:00 GMT",
		"Wed 21 Oct 2015 07:28:00 GMT",
		"Wed, 21 Okt 2015 07:28:00 GMT",
		"Wed, 1 Oct 2015 07:28:00 GMT",
		"Wed, 32 Oct 2015 07:28:00 GMT",
		"Wednesday, 21-Oct-15 07:28:00 GMT",
	};
	int64_t ms = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_iso); i++)
		if (aws_time_iso(&ms, bytes_str(bad_iso[i])) != ERR_MALFORMED)
			fail_msg("%s", bad_iso[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad_http); i++)
		if (aws_time_http(&ms, bytes_str(bad_http[i])) != ERR_MALFORMED)
			fail_msg("%s", bad_http[i]);
	assert_int_equal(ms, 7);
	assert_int_equal(aws_time_iso(&ms, BYTES_LIT("2016-02-25T06:03:31Z")), ERR_OK);
	assert_int_equal(ms, INT64_C(1456380211000));
	assert_int_equal(aws_time_iso(&ms, BYTES_LIT("2016-02-25T06:03:31.1234567Z")), ERR_OK);
	assert_int_equal(ms, INT64_C(1456380211000));
	assert_int_equal(aws_time_iso(&ms, BYTES_LIT("2016-12-31T23:59:60Z")), ERR_OK);
	assert_int_equal(ms, INT64_C(1483228799000));
	assert_int_equal(aws_time_http(&ms, BYTES_LIT("Wed, 21 Oct 2015 07:28:00 GMT")), ERR_OK);
	assert_int_equal(ms, INT64_C(1445412480000));
}

static const char *text_of(const struct secret *s)
{
	return s->p ? (const char *)s->p : "";
}

static void test_keys_from_json(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"AccessKeyId\":\"A\"}",
		"{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"S\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":7}",
		"{\"AccessKeyId\":\"A\\nx-evil: 1\",\"SecretAccessKey\":\"S\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"a b\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Expiration\":\"soon\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Expiration\":1}",
	};
	struct aws_key_set k = {0};
	struct err_note note = {{0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		note.text[0] = '\0';
		if (aws_keys_from_json(&k, bytes_str(bad[i]), &note) != ERR_MALFORMED)
			fail_msg("%s", bad[i]);
		assert_true(note.text[0] != '\0');
		assert_null(k.id.p);
	}
	assert_int_equal(
		aws_keys_from_json(&k, BYTES_LIT("{\"Code\":\"AssumeRoleUnauthorized\"}"), &note),
		ERR_REMOTE);
	assert_non_null(strstr(note.text, "AssumeRoleUnauthorized"));

	/* The form of the EC2 user guide. */
	assert_int_equal(
		aws_keys_from_json(
			&k,
			BYTES_LIT("{\"Code\":\"Success\",\"LastUpdated\":\"2012-04-26T16:39:16Z\","
				  "\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ASIAEXAMPLE\","
				  "\"SecretAccessKey\":\"s/e+cret\",\"Token\":\"t//o+ken==\","
				  "\"Expiration\":\"2017-05-17T15:09:54Z\"}"),
			&note),
		ERR_OK);
	assert_string_equal(text_of(&k.id), "ASIAEXAMPLE");
	assert_string_equal(text_of(&k.secret), "s/e+cret");
	assert_string_equal(text_of(&k.token), "t//o+ken==");
	assert_int_equal(k.expires_ms, INT64_C(1495033794000));
	aws_key_set_free(&k);
	assert_int_equal(
		aws_keys_from_json(
			&k, BYTES_LIT("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"}"), &note),
		ERR_OK);
	assert_null(k.token.p);
	assert_true(k.expires_ms == INT64_MAX);
	aws_key_set_free(&k);
}

#define STS(id, secret, token, until)                                                              \
	"<AssumeRoleWithWebIdentityResponse "                                                      \
	"xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"                                   \
	"<AssumeRoleWithWebIdentityResult><Credentials>" token "<Expiration>" until                \
	"</Expiration>" secret "" id "</Credentials></AssumeRoleWithWebIdentityResult>"            \
	"</AssumeRoleWithWebIdentityResponse>"

static void test_keys_from_sts(void **state)
{
	static const char good[] =
		STS("<AccessKeyId>ASIA</AccessKeyId>", "<SecretAccessKey>s+/</SecretAccessKey>",
		    "<SessionToken>tok==</SessionToken>", "2014-10-24T23:00:23Z");
	static const char *const bad[] = {
		"",
		"<Credentials></Credentials>",
		STS("", "<SecretAccessKey>s</SecretAccessKey>", "<SessionToken>t</SessionToken>",
		    "2014-10-24T23:00:23Z"),
		STS("<AccessKeyId>A</AccessKeyId>", "<SecretAccessKey>s</SecretAccessKey>",
		    "<SessionToken></SessionToken>", "2014-10-24T23:00:23Z"),
		STS("<AccessKeyId>A</AccessKeyId>", "<SecretAccessKey>s</SecretAccessKey>",
		    "<SessionToken>t&amp;</SessionToken>", "2014-10-24T23:00:23Z"),
		STS("<AccessKeyId>A</AccessKeyId>", "<SecretAccessKey><b/></SecretAccessKey>",
		    "<SessionToken>t</SessionToken>", "2014-10-24T23:00:23Z"),
		STS("<AccessKeyId>A</AccessKeyId>", "<SecretAccessKey>s</SecretAccessKey>",
		    "<SessionToken>t</SessionToken>", "later"),
		("<AccessKeyId>A</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
		 "<SessionToken>t</SessionToken><Expiration>2014-10-24T23:00:23Z</Expiration>"),
	};
	struct aws_key_set k = {0};
	struct err_note note = {{0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (aws_keys_from_sts(&k, bytes_str(bad[i]), &note) != ERR_MALFORMED)
			fail_msg("%s", bad[i]);
	/* Every piece of it is none. */
	for (size_t n = 0;
	     n < strlen(good) - strlen("</Credentials></AssumeRoleWithWebIdentityResult>"
				       "</AssumeRoleWithWebIdentityResponse>");
	     n++)
		assert_int_equal(aws_keys_from_sts(&k, bytes_from(good, n), NULL), ERR_MALFORMED);
	assert_null(k.id.p);
	assert_int_equal(aws_keys_from_sts(&k, bytes_str(good), &note), ERR_OK);
	assert_string_equal(text_of(&k.id), "ASIA");
	assert_string_equal(text_of(&k.secret), "s+/");
	assert_string_equal(text_of(&k.token), "tok==");
	assert_int_equal(k.expires_ms, INT64_C(1414191623000));
	aws_key_set_free(&k);
}

static void assert_fault(const char *body, const char *type, const char *code, const char *message)
{
	const struct http_header h = {"x-amzn-errortype", type};
	const struct http_reply reply = {
		.status = 400, .body = bytes_str(body), .headers = &h, .headers_n = type ? 1 : 0};
	struct aws_fault f;

	aws_fault_read(&f, &reply);
	assert_string_equal(f.code, code);
	assert_string_equal(f.message, message);
}

static void test_faults(void **state)
{
	char big[400];

	(void)state;
	assert_fault("{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}", NULL,
		     "ThrottlingException", "Rate exceeded");
	assert_fault("{\"__type\":\"com.amazonaws.kms#NotFoundException\",\"Message\":\"gone\"}",
		     NULL, "NotFoundException", "gone");
	assert_fault("{\"message\":\"m\"}", "AccessDeniedException:http://x/",
		     "AccessDeniedException", "m");
	assert_fault("<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code>"
		     "<Message>No OpenIDConnect provider</Message></Error></ErrorResponse>",
		     NULL, "InvalidIdentityToken", "No OpenIDConnect provider");
	assert_fault("", NULL, "", "");
	assert_fault("<html>502</html>", NULL, "", "");
	assert_fault("{\"__type\":7}", NULL, "", "");
	snprintf(big, sizeof(big), "{\"__type\":\"%0200d\"}", 0);

	const struct http_reply reply = {.status = 400, .body = bytes_str(big)};
	struct aws_fault f;

	aws_fault_read(&f, &reply);
	assert_int_equal(strlen(f.code), sizeof(f.code) - 1);
}

static void assert_profile(const char *text, bool is_config, const char *profile, const char *key,
			   const char *want)
{
	struct bytes got = BYTES_LIT("untouched");
	bool found = aws_profile_get(&got, bytes_str(text), is_config, profile, key);

	assert_int_equal(found, want != NULL);
	if (!bytes_eq_var(got, bytes_str(want ? want : "untouched")))
		fail_msg("%s %s: %.*s", profile, key, (int)got.n, (const char *)got.p);
}

static void test_profiles(void **state)
{
	static const char credentials[] = "# remark\n"
					  "aws_access_key_id = OUTSIDE\n"
					  "[default]\n"
					  "aws_access_key_id=A1 ; remark\n"
					  "aws_secret_access_key =  se#cr;et \r\n"
					  "\n"
					  "[ other ] # remark\n"
					  "aws_access_key_id = A2\n"
					  "s3 =\n"
					  "  aws_access_key_id = nested\n"
					  "AWS_Session_Token = T\n"
					  "aws_access_key_id = A3\n"
					  "[unclosed\n"
					  "region = r";
	static const char config[] = "[profile other]\nregion = eu-west-1\n"
				     "[profile\tdefault]\nregion = eu-west-2\n"
				     "[third]\nregion = none\n"
				     "[default]\nregion = eu-west-3\n"
				     "[profilefourth]\nregion = none\n";

	(void)state;
	assert_profile(credentials, false, "default", "aws_access_key_id", "A1");
	assert_profile(credentials, false, "default", "aws_secret_access_key", "se#cr;et");
	assert_profile(credentials, false, "other", "aws_access_key_id", "A3");
	assert_profile(credentials, false, "other", "aws_session_token", "T");
	assert_profile(credentials, false, "other", "s3", "");
	assert_profile(credentials, false, "other", "aws_secret_access_key", NULL);
	assert_profile(credentials, false, "unclosed", "region", NULL);
	assert_profile(credentials, false, "nobody", "aws_access_key_id", NULL);
	assert_profile(config, true, "other", "region", "eu-west-1");
	assert_profile(config, true, "default", "region", "eu-west-3");
	assert_profile(config, true, "third", "region", NULL);
	assert_profile(config, true, "fourth", "region", NULL);
	assert_profile(config, false, "third", "region", "none");
	assert_profile("", false, "default", "region", NULL);
	assert_profile("\n[", true, "default", "region", NULL);
	assert_true(aws_profile_exists(bytes_str(config), true, "other"));
	assert_false(aws_profile_exists(bytes_str(config), true, "third"));
	assert_true(aws_profile_exists(bytes_str(credentials), false, "other"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),         cmocka_unit_test(test_keys_from_json),
		cmocka_unit_test(test_keys_from_sts), cmocka_unit_test(test_faults),
		cmocka_unit_test(test_profiles),
	};

	return cmocka_run_group_tests_name("aws_text", tests, NULL, NULL);
}
