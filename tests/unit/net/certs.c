/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "certs.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

void certs_make(struct certs *c)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(c->dir, sizeof(c->dir), "%s/claviger-certs-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(c->dir) != NULL);
}

void certs_free(struct certs *c)
{
	char path[CERT_PATH_SIZE];
	DIR *d = opendir(c->dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			(void)unlink(certs_path(c, path, e->d_name));
	if (d)
		(void)closedir(d);
	(void)rmdir(c->dir);
}

const char *certs_path(const struct certs *c, char place[CERT_PATH_SIZE], const char *name)
{
	int n = snprintf(place, CERT_PATH_SIZE, "%s/%s", c->dir, name);

	CHECK(n > 0 && n < CERT_PATH_SIZE);
	return place;
}

static FILE *file_open(const struct certs *c, const char *name, const char *suffix, mode_t mode)
{
	char path[CERT_PATH_SIZE], full[CERT_PATH_SIZE + 16];
	int fd;
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s.%s", certs_path(c, path, name), suffix);
	(void)unlink(full);
	fd = open(full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	CHECK(fd >= 0 && fchmod(fd, mode) == 0);
	f = fdopen(fd, "w");
	CHECK(f != NULL);
	return f;
}

static void cert_write(const struct certs *c, const char *name, X509 *x)
{
	FILE *f = file_open(c, name, "pem", 0644);

	CHECK(PEM_write_X509(f, x) == 1 && fclose(f) == 0);
}

static void extension_add(X509 *x, X509 *issuer, int nid, const char *text)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
	CHECK(e != NULL && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static X509 *cert_base(EVP_PKEY *key, const char *common_name, long begin_s, long end_s)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_NAME_new();
	uint8_t serial[8];
	BIGNUM *n;

	CHECK(x && subject && RAND_bytes(serial, sizeof(serial)) == 1);
	n = BN_bin2bn(serial, sizeof(serial), NULL);
	CHECK(n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL);
	BN_free(n);
	CHECK(X509_set_version(x, X509_VERSION_3) == 1 &&
	      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					 (const unsigned char *)common_name, -1, -1, 0) == 1 &&
	      X509_set_subject_name(x, subject) == 1 && X509_set_pubkey(x, key) == 1 &&
	      X509_gmtime_adj(X509_getm_notBefore(x), begin_s) != NULL &&
	      X509_gmtime_adj(X509_getm_notAfter(x), end_s) != NULL);
	X509_NAME_free(subject);
	return x;
}

struct authority authority_make(const struct certs *c, const char *name)
{
	struct authority a = {.key = EVP_EC_gen("P-256")};

	CHECK(a.key != NULL);
	a.cert = cert_base(a.key, name, -3600, 86400);
	CHECK(X509_set_issuer_name(a.cert, X509_get_subject_name(a.cert)) == 1);
	extension_add(a.cert, a.cert, NID_basic_constraints, "critical,CA:TRUE");
	extension_add(a.cert, a.cert, NID_key_usage, "critical,keyCertSign");
	extension_add(a.cert, a.cert, NID_subject_key_identifier, "hash");
	CHECK(X509_sign(a.cert, a.key, EVP_sha256()) > 0);
	cert_write(c, name, a.cert);
	return a;
}

void authority_free(struct authority *a)
{
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
	*a = (struct authority){0};
}

void authority_issue(const struct authority *a, const struct certs *c, const char *name,
		     const struct cert_plan *plan)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f;
	X509 *x;

	CHECK(key != NULL);
	x = cert_base(key, name, plan->begin_s, plan->end_s ? plan->end_s : 86400);
	CHECK(X509_set_issuer_name(x, X509_get_subject_name(a->cert)) == 1);
	extension_add(x, a->cert, NID_basic_constraints, "critical,CA:FALSE");
	extension_add(x, a->cert, NID_key_usage, "critical,digitalSignature");
	extension_add(x, a->cert, NID_ext_key_usage,
		      plan->eku ? plan->eku : "serverAuth,clientAuth");
	extension_add(x, a->cert, NID_authority_key_identifier, "keyid");
	if (plan->san)
		extension_add(x, a->cert, NID_subject_alt_name, plan->san);
	CHECK(X509_sign(x, a->key, EVP_sha256()) > 0);
	cert_write(c, name, x);
	f = file_open(c, name, "key", 0600);
	CHECK(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
	X509_free(x);
	EVP_PKEY_free(key);
}
