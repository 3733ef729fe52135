/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Trust where every name has its own certificate that vouches for it. There is one step from the
 * anchor to who comes, and it is checked here: OpenSSL's way of building chains would take a
 * certificate for self-signed whose subject and issuer have the same name, as a party's have.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "net/tls_internal.h"

enum {
	SECURITY_BITS_MIN = 112 /* of a signature: no SHA-1, no RSA below 2048 bits */
};

struct anchor {
	char name[TLS_NAME_SIZE];
	X509 *cert;
};

struct tls_anchors {
	size_t n;
	struct anchor v[];
};

void tls_anchors_free(struct tls_anchors *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		X509_free(a->v[i].cert);
	free(a);
}

static const struct anchor *anchor_find(const struct tls_anchors *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].name, name) == 0)
			return &a->v[i];
	return NULL;
}

/* One certificate, and no second one behind it. */
static X509 *pem_one(struct bytes pem)
{
	BIO *bio =
		pem.n > 0 && pem.n <= TLS_FILE_SIZE_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, tls_no_passphrase, NULL) : NULL;
	X509 *more = cert ? PEM_read_bio_X509(bio, NULL, tls_no_passphrase, NULL) : NULL;

	if (more) {
		X509_free(more);
		X509_free(cert);
		cert = NULL;
	}
	BIO_free(bio);
	ERR_clear_error();
	return cert;
}

/* "example.com" may vouch for "example.com" and for "core1.example.com". */
static bool name_may_vouch(const char *anchor, const char *name)
{
	const char *dot = strchr(name, '.');

	return strcmp(anchor, name) == 0 || (dot && strcmp(anchor, dot + 1) == 0);
}

static enum err anchor_load(struct anchor *ret, const struct tls_anchor *from,
			    struct err_note *note)
{
	char subject[TLS_NAME_SIZE];

	if (!tls_identity_is_sound(from->name))
		return err_say(note, ERR_CONFIG_VALUE, "\"%.80s\" is no identity", from->name);
	(void)snprintf(ret->name, sizeof(ret->name), "%s", from->name);
	ret->cert = pem_one(from->ca_pem);
	if (!ret->cert)
		return err_say(note, ERR_CONFIG_VALUE, "%.80s: not one certificate (PEM)",
			       from->name);
	if (!tls_common_name_of(X509_get_subject_name(ret->cert), subject) ||
	    !name_may_vouch(subject, from->name))
		return err_say(note, ERR_CONFIG_VALUE,
			       "%.80s: its certificate is not for that name (its common name "
			       "must be it, or what stands behind its first dot)",
			       from->name);
	return ERR_OK;
}

enum err tls_anchors_make(struct tls_anchors **ret, const struct tls_anchor *anchors, size_t n,
			  struct err_note *note)
{
	struct tls_anchors *a;
	enum err e = ERR_OK;

	if (n > TLS_IDENTITIES_MAX)
		return err_say(note, ERR_CONFIG_VALUE, "more than %d identities",
			       TLS_IDENTITIES_MAX);
	a = calloc(1, sizeof(*a) + n * sizeof(a->v[0]));
	if (!a)
		return err_say(note, ERR_NOMEM, "out of memory");
	while (a->n < n && e == ERR_OK) {
		struct anchor *next = &a->v[a->n];

		if (anchor_find(a, anchors[a->n].name))
			e = err_say(note, ERR_CONFIG_VALUE, "\"%.80s\" is there twice",
				    anchors[a->n].name);
		else
			e = anchor_load(next, &anchors[a->n], note);
		a->n++;
	}
	if (e != ERR_OK) {
		tls_anchors_free(a);
		return e;
	}
	*ret = a;
	return ERR_OK;
}

/* By the key, and by nothing weaker than what TLS would take. */
static bool is_signed_by(X509 *cert, X509 *anchor)
{
	EVP_PKEY *key = X509_get0_pubkey(anchor);
	uint32_t flags = 0;
	int bits = 0;
	bool good = key &&
		    X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(anchor)) == 0 &&
		    X509_get_signature_info(cert, NULL, NULL, &bits, &flags) == 1 &&
		    bits >= SECURITY_BITS_MIN &&
		    EVP_PKEY_get_security_bits(key) >= SECURITY_BITS_MIN &&
		    X509_verify(cert, key) == 1;

	ERR_clear_error();
	return good;
}

bool tls_anchors_vouch(const struct tls_anchors *a, X509 *cert, char ret_name[TLS_NAME_SIZE],
		       char ret_why[TLS_TEXT_SIZE])
{
	const struct anchor *anchor;
	char name[TLS_NAME_SIZE];

	if (!tls_peer_common_name(cert, name, ret_why))
		return false;
	anchor = anchor_find(a, name);
	if (!anchor) {
		(void)snprintf(ret_why, TLS_TEXT_SIZE, "its name \"%.60s\" is not one of ours",
			       name);
		return false;
	}
	if (X509_cmp(cert, anchor->cert) != 0 && !is_signed_by(cert, anchor->cert)) {
		(void)snprintf(ret_why, TLS_TEXT_SIZE,
			       "its certificate for \"%.60s\" is not signed by that party", name);
		return false;
	}
	memcpy(ret_name, name, TLS_NAME_SIZE);
	return true;
}
