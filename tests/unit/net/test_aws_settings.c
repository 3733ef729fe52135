/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Where credentials, region and endpoints come from: environment and files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/aws_settings.h"

struct place {
	char dir[64];
	char home[80]; /* "HOME=…" */
	char credentials[96], config[96];
	struct arena arena;
	struct aws_settings s;
	struct err_note note;
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	char dot_aws[80];

	assert_non_null(p);
	snprintf(p->dir, sizeof(p->dir), "/tmp/claviger-aws-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(dot_aws, sizeof(dot_aws), "%s/.aws", p->dir);
	assert_int_equal(mkdir(dot_aws, 0700), 0);
	snprintf(p->home, sizeof(p->home), "HOME=%s", p->dir);
	snprintf(p->credentials, sizeof(p->credentials), "%s/credentials", dot_aws);
	snprintf(p->config, sizeof(p->config), "%s/config", dot_aws);
	p->arena = arena_make(1 << 20);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char dot_aws[80];

	snprintf(dot_aws, sizeof(dot_aws), "%s/.aws", p->dir);
	(void)unlink(p->credentials);
	(void)unlink(p->config);
	assert_int_equal(rmdir(dot_aws), 0);
	assert_int_equal(rmdir(p->dir), 0);
	aws_settings_free(&p->s);
	arena_free(&p->arena);
	free(p);
	return 0;
}

static enum err load(struct place *p, const char *const *env)
{
	aws_settings_free(&p->s);
	p->s = (struct aws_settings){.source = AWS_SOURCE_MACHINE};
	p->note.text[0] = '\0';
	return aws_settings_load(&p->s, "kms", env, &p->arena, &p->note);
}
#define LOAD(p, ...) load(p, (const char *const[]){__VA_ARGS__, NULL})

static void refused(struct place *p, enum err e, enum err want, const char *part)
{
	assert_string_equal(err_name(e), err_name(want));
	if (!strstr(p->note.text, part))
		fail_msg("no \"%s\" in: %s", part, p->note.text);
}

static void test_environment(void **state)
{
	struct place *p = *state;

	assert_int_equal(LOAD(p, p->home, "AWS_ACCESS_KEY_ID=AKIA",
			      "AWS_SECRET_ACCESS_KEY=s/+=", "AWS_SESSION_TOKEN=tok"),
			 ERR_OK);
	assert_int_equal(p->s.source, AWS_SOURCE_ENVIRONMENT);
	assert_string_equal((const char *)p->s.keys.id.p, "AKIA");
	assert_string_equal((const char *)p->s.keys.secret.p, "s/+=");
	assert_string_equal((const char *)p->s.keys.token.p, "tok");
	assert_string_equal(p->s.metadata_url, "http://169.254.169.254");
	refused(p, LOAD(p, p->home, "AWS_ACCESS_KEY_ID=AKIA"), ERR_CONFIG_VALUE,
		"AWS_SECRET_ACCESS_KEY is not");
	refused(p, LOAD(p, p->home, "AWS_SECRET_ACCESS_KEY=s", "AWS_ACCESS_KEY_ID="),
		ERR_CONFIG_VALUE, "AWS_ACCESS_KEY_ID is not");
	refused(p, LOAD(p, "AWS_ACCESS_KEY_ID=A B", "AWS_SECRET_ACCESS_KEY=hidden"),
		ERR_CONFIG_VALUE, "well formed");
	assert_null(strstr(p->note.text, "hidden"));
}

static void test_profiles(void **state)
{
	struct place *p = *state;
	struct aws_key_set k;

	write_file(p->credentials, "[default]\naws_access_key_id=D\naws_secret_access_key=DS\n"
				   "[half]\naws_access_key_id=H\n");
	write_file(p->config, "[default]\nregion=eu-west-1\nendpoint_url=http://127.0.0.1:1\n"
			      "[profile work]\naws_access_key_id=W\naws_secret_access_key=WS\n"
			      "aws_session_token=WT\n"
			      "[profile sso]\nsso_session=x\n"
			      "[profile role]\nrole_arn=arn:aws:iam::1:role/r\n"
			      "[profile chain]\nrole_arn=r\nsource_profile=default\n"
			      "[profile web]\nrole_arn=arn:aws:iam::1:role/w\n"
			      "web_identity_token_file=/token\nrole_session_name=me\n");
	assert_int_equal(LOAD(p, p->home), ERR_OK);
	assert_int_equal(p->s.source, AWS_SOURCE_PROFILE);
	assert_string_equal(p->s.region, "eu-west-1");
	assert_string_equal(p->s.endpoint, "http://127.0.0.1:1");
	assert_int_equal(aws_settings_profile_keys(&k, &p->s, &p->note), ERR_OK);
	assert_string_equal((const char *)k.id.p, "D");
	assert_null(k.token.p);
	aws_key_set_free(&k);
	/* The files as they are now. */
	write_file(p->credentials, "[default]\naws_access_key_id=E\naws_secret_access_key=ES\n");
	assert_int_equal(aws_settings_profile_keys(&k, &p->s, &p->note), ERR_OK);
	assert_string_equal((const char *)k.id.p, "E");
	aws_key_set_free(&k);
	write_file(p->credentials, "");
	refused(p, aws_settings_profile_keys(&k, &p->s, &p->note), ERR_CONFIG_VALUE,
		"profile default");

	write_file(p->credentials, "[half]\naws_access_key_id=H\n");
	assert_int_equal(LOAD(p, p->home, "AWS_PROFILE=work"), ERR_OK);
	assert_int_equal(aws_settings_profile_keys(&k, &p->s, &p->note), ERR_OK);
	assert_string_equal((const char *)k.id.p, "W");
	assert_string_equal((const char *)k.token.p, "WT");
	aws_key_set_free(&k);
	refused(p, LOAD(p, p->home, "AWS_PROFILE=half"), ERR_CONFIG_VALUE, "profile half");
	refused(p, LOAD(p, p->home, "AWS_PROFILE=nobody"), ERR_CONFIG_VALUE, "nobody");
	refused(p, LOAD(p, p->home, "AWS_PROFILE=sso"), ERR_CONFIG_VALUE, "sso_session");
	refused(p, LOAD(p, p->home, "AWS_PROFILE=chain"), ERR_CONFIG_VALUE, "source_profile");
	refused(p, LOAD(p, p->home, "AWS_PROFILE=role"), ERR_CONFIG_VALUE, "role_arn");
	assert_int_equal(LOAD(p, p->home, "AWS_PROFILE=web"), ERR_OK);
	assert_int_equal(p->s.source, AWS_SOURCE_WEB_IDENTITY);
	assert_string_equal(p->s.token_file, "/token");
	assert_string_equal(p->s.session_name, "me");
	/* The environment is before any profile. */
	assert_int_equal(LOAD(p, p->home, "AWS_PROFILE=work", "AWS_ACCESS_KEY_ID=A",
			      "AWS_SECRET_ACCESS_KEY=S"),
			 ERR_OK);
	assert_int_equal(p->s.source, AWS_SOURCE_ENVIRONMENT);
}

static void test_named_files(void **state)
{
	struct place *p = *state;
	char variable[128];

	write_file(p->config, "[default]\naws_access_key_id=F\naws_secret_access_key=FS\n");
	snprintf(variable, sizeof(variable), "AWS_SHARED_CREDENTIALS_FILE=%s", p->config);
	assert_int_equal(LOAD(p, variable), ERR_OK);
	assert_int_equal(p->s.source, AWS_SOURCE_PROFILE);
	/* Who names a file means it. */
	refused(p, LOAD(p, "AWS_SHARED_CREDENTIALS_FILE=/nowhere/c"), ERR_CONFIG_FILE,
		"/nowhere/c");
	refused(p, LOAD(p, "AWS_CONFIG_FILE=/nowhere/d"), ERR_CONFIG_FILE, "/nowhere/d");
}

#define ROLE  "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/kms"
#define TOKEN "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/token"
#define FULL  "AWS_CONTAINER_CREDENTIALS_FULL_URI="

static void test_other_sources(void **state)
{
	static const char *const safe[] = {
		FULL "https://anybody.example/c",  FULL "http://127.0.0.1:80/c",
		FULL "http://localhost/c",         FULL "http://[::1]:1/c",
		FULL "http://169.254.170.23/v1/c", FULL "http://[fd00:ec2::23]/v1/c",
	};
	static const char *const unsafe[] = {
		FULL "http://anybody.example/c",    FULL "http://127.0.0.1.example/c",
		FULL "http://localhost@example/c",  FULL "ftp://127.0.0.1/c",
		FULL "http://169.254.170.234/v1/c", FULL "127.0.0.1/c",
	};
	struct place *p = *state;

	assert_int_equal(LOAD(p, TOKEN, ROLE, FULL "http://localhost/"), ERR_OK);
	assert_int_equal(p->s.source, AWS_SOURCE_WEB_IDENTITY);
	assert_string_equal(p->s.session_name, "claviger");
	refused(p, LOAD(p, TOKEN), ERR_CONFIG_VALUE, "AWS_ROLE_ARN");

	assert_int_equal(LOAD(p, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/c?id=1",
			      "AWS_CONTAINER_AUTHORIZATION_TOKEN=t"),
			 ERR_OK);
	assert_int_equal(p->s.source, AWS_SOURCE_CONTAINER);
	assert_string_equal(p->s.container_url, "http://169.254.170.2/v2/c?id=1");
	assert_string_equal((const char *)p->s.container_token.p, "t");
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		if (LOAD(p, safe[i]) != ERR_OK)
			fail_msg("%s", safe[i]);
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		refused(p, LOAD(p, unsafe[i]), ERR_CONFIG_VALUE, "expected https");

	assert_int_equal(load(p, NULL), ERR_OK);
	assert_int_equal(p->s.source, AWS_SOURCE_MACHINE);
	assert_int_equal(LOAD(p, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=ipv6"), ERR_OK);
	assert_string_equal(p->s.metadata_url, "http://[fd00:ec2::254]");
	assert_int_equal(LOAD(p, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:5//"), ERR_OK);
	assert_string_equal(p->s.metadata_url, "http://127.0.0.1:5");
	refused(p, LOAD(p, "AWS_EC2_METADATA_DISABLED=TRUE"), ERR_CONFIG_VALUE,
		"no AWS credentials");
}

static void test_region_and_endpoints(void **state)
{
	struct place *p = *state;
	CLEANUP(buf_free) struct buf out = buf_make(256);
	const char *got;

	assert_int_equal(LOAD(p, "AWS_DEFAULT_REGION=us-east-2", "AWS_REGION=eu-north-1",
			      "AWS_ENDPOINT_URL=http://all", "AWS_ENDPOINT_URL_KMS=http://kms"),
			 ERR_OK);
	assert_string_equal(p->s.region, "eu-north-1");
	assert_string_equal(p->s.endpoint, "http://kms");
	assert_string_equal(p->s.sts_endpoint, "http://all");
	assert_int_equal(LOAD(p, "AWS_DEFAULT_REGION=us-east-2",
			      "AWS_REGION=", "AWS_ENDPOINT_URL_STS=http://sts",
			      "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"),
			 ERR_OK);
	assert_string_equal(p->s.region, "us-east-2");
	assert_null(p->s.sts_endpoint);
	refused(p, LOAD(p, "AWS_REGION=evil.example/"), ERR_CONFIG_VALUE, "AWS_REGION");
	assert_int_equal(aws_endpoint(&out, "kms", "evil.example"), ERR_CONFIG_VALUE);
	assert_int_equal(aws_endpoint(&out, "kms", ""), ERR_CONFIG_VALUE);
	assert_int_equal(aws_endpoint(&out, "kms", "eu-west-1"), ERR_OK);
	assert_int_equal(aws_endpoint(&out, "sts", "cn-north-1"), ERR_OK);
	assert_int_equal(buf_cstr(&out, &got), ERR_OK);
	assert_string_equal(got, "https://kms.eu-west-1.amazonaws.com"
				 "https://sts.cn-north-1.amazonaws.com.cn");
}

static void test_tokens(void **state)
{
	struct place *p = *state;
	struct secret token = {0};

	write_file(p->config, "eyJ.a-b_c\r\n");
	assert_int_equal(aws_token_read(&token, p->config, &p->note), ERR_OK);
	assert_string_equal((const char *)token.p, "eyJ.a-b_c");
	secret_free(&token);
	write_file(p->config, "a\nb");
	refused(p, aws_token_read(&token, p->config, &p->note), ERR_CONFIG_FILE, "holds no token");
	write_file(p->config, " \n");
	refused(p, aws_token_read(&token, p->config, &p->note), ERR_CONFIG_FILE, "holds no token");
	refused(p, aws_token_read(&token, "/nowhere/t", &p->note), ERR_CONFIG_FILE, "/nowhere/t");
	assert_null(token.p);
}

static void test_wiping(void **state)
{
	char secret[] = "AWS_SECRET_ACCESS_KEY=abc", token[] = "AWS_SESSION_TOKEN=def";
	char other[] = "AWS_ACCESS_KEY_ID=ghi", container[] = "AWS_CONTAINER_AUTHORIZATION_TOKEN=j";
	char *env[] = {secret, token, other, container, NULL};

	(void)state;
	aws_env_wipe(env);
	assert_string_equal(secret, "AWS_SECRET_ACCESS_KEY=");
	assert_string_equal(token, "AWS_SESSION_TOKEN=");
	assert_string_equal(other, "AWS_ACCESS_KEY_ID=ghi");
	assert_string_equal(container, "AWS_CONTAINER_AUTHORIZATION_TOKEN=");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_environment),   T(test_profiles), T(test_named_files),
		T(test_other_sources), T(test_tokens),   T(test_region_and_endpoints),
		T(test_wiping),
	};

	return cmocka_run_group_tests_name("aws_settings", tests, NULL, NULL);
}
