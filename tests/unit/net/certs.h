/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Authorities and certificates, made where they are needed: no key is ever committed. */
#ifndef TEST_NET_CERTS_H
#define TEST_NET_CERTS_H

#include <openssl/x509.h>
#include <stdbool.h>

enum {
	CERT_PATH_SIZE = 256
};

/* A folder of its own below TMPDIR; what is in it goes with it. */
struct certs {
	char dir[CERT_PATH_SIZE];
};

struct authority {
	X509 *cert;
	EVP_PKEY *key;
};

struct cert_plan {
	const char *san; /* "DNS:localhost,IP:127.0.0.1"; NULL = no subjectAltName */
	long begin_s;    /* from now */
	long end_s;      /* from now; 0 = in a day */
	const char *eku; /* "serverAuth"; NULL = for both */
};

/* All abort the process when they fail. */
void certs_make(struct certs *c);
void certs_free(struct certs *c);

/* dir/name */
const char *certs_path(const struct certs *c, char place[CERT_PATH_SIZE], const char *name);

/* P-256; writes NAME.pem. */
struct authority authority_make(const struct certs *c, const char *name);
void authority_free(struct authority *a);

/* Writes NAME.pem, and NAME.key with mode 0600. */
void authority_issue(const struct authority *a, const struct certs *c, const char *name,
		     const struct cert_plan *plan);

#endif
