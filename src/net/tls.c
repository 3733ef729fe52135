/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/tls_internal.h"

enum {
	CHAIN_DEPTH_MAX = 4,
	DAY_S = 24 * 60 * 60
};

struct tls {
	char *cert_file;
	char *key_file;
	char *ca_file;
	char **identities;
	size_t identities_n;
	struct tls_anchors *anchors; /* without ca_file */
	SSL_CTX *ctx;
	int64_t not_after_s;
	char common_name[TLS_NAME_SIZE];
};

/* What our own certificate says. */
struct own {
	int64_t not_after_s;
	char common_name[TLS_NAME_SIZE];
};

static const uint8_t ALPN_H2[] = "\x02h2";

/* ---- files ---- */

static enum err fd_read_all(struct buf *out, int fd)
{
	for (;;) {
		uint8_t chunk[4096];
		ssize_t n = read(fd, chunk, sizeof(chunk));
		enum err e = ERR_OK;

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			e = buf_add(out, bytes_from(chunk, (size_t)n));
		OPENSSL_cleanse(chunk, sizeof(chunk));
		if (e != ERR_OK || n <= 0)
			return n < 0 ? ERR_IO : e;
	}
}

/* The whole file as a BIO over `out`. `secret`: nobody but the owner and its group may read it. */
static enum err pem_read(struct buf *out, const char *path, bool secret, struct err_note *note)
{
	/* Not blocking: a FIFO in this place must not hang the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	enum err e;

	if (fd < 0)
		return err_say(note, ERR_CONFIG_FILE, "cannot read %s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		e = err_say(note, ERR_CONFIG_FILE, "%s is no regular file", path);
	else if (secret && (st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		e = err_say(note, ERR_CONFIG_FILE,
			    "%s holds a private key and is open to others (mode %04o): chmod 600",
			    path, (unsigned)st.st_mode & 07777);
	else if (fd_read_all(out, fd) != ERR_OK)
		e = err_say(note, ERR_CONFIG_FILE, "cannot read %s, or it is bigger than %d bytes",
			    path, TLS_FILE_SIZE_MAX);
	else
		e = ERR_OK;
	close(fd);
	return e;
}

static enum err openssl_say(struct err_note *note, enum err e, const char *path, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return err_say(note, e, "%s: %s%s%s", path, what, reason ? ": " : "", reason ? reason : "");
}

int tls_no_passphrase(char *place, int n, int writing, void *ctx)
{
	(void)place;
	(void)n;
	(void)writing;
	(void)ctx;
	return -1;
}

/* Certificates in the order of the file; the stack owns them. */
static enum err certs_load(STACK_OF(X509) * certs, const char *path, struct err_note *note)
{
	CLEANUP(buf_free) struct buf pem = buf_make(TLS_FILE_SIZE_MAX);
	enum err e = ERR_OK;
	X509 *x;
	BIO *bio;

	TRY(pem_read(&pem, path, false, note));
	bio = BIO_new_mem_buf(pem.p ? (const void *)pem.p : "", (int)pem.n);
	if (!bio)
		return err_say(note, ERR_NOMEM, "out of memory");
	ERR_clear_error();
	while (e == ERR_OK && (x = PEM_read_bio_X509(bio, NULL, tls_no_passphrase, NULL)))
		if (sk_X509_push(certs, x) <= 0) {
			X509_free(x);
			e = err_say(note, ERR_NOMEM, "out of memory");
		}
	/* The end of the file is said as "no start line"; anything else is a broken certificate. */
	if (e == ERR_OK && ERR_peek_last_error() != 0 &&
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		e = openssl_say(note, ERR_CONFIG_FILE, path, "a certificate does not decode");
	else if (e == ERR_OK && sk_X509_num(certs) == 0)
		e = err_say(note, ERR_CONFIG_FILE, "%s has no certificate (PEM)", path);
	ERR_clear_error();
	BIO_free(bio);
	return e;
}

static enum err key_load(EVP_PKEY **ret_key, const char *path, struct err_note *note)
{
	CLEANUP(buf_wipe) struct buf pem = buf_make(TLS_FILE_SIZE_MAX);
	EVP_PKEY *key;
	BIO *bio;

	/* In one piece, so that growing leaves no copy behind. */
	if (buf_reserve(&pem, TLS_FILE_SIZE_MAX) != ERR_OK)
		return err_say(note, ERR_NOMEM, "out of memory");
	TRY(pem_read(&pem, path, true, note));
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (!bio)
		return err_say(note, ERR_NOMEM, "out of memory");
	ERR_clear_error();
	key = PEM_read_bio_PrivateKey(bio, NULL, tls_no_passphrase, NULL);
	BIO_free(bio);
	if (!key)
		return openssl_say(note, ERR_CONFIG_FILE, path, "no unencrypted private key (PEM)");
	*ret_key = key;
	return ERR_OK;
}

/* ---- context ---- */

/* The client's offer, against the one protocol that we speak. */
static int on_alpn(SSL *ssl, const unsigned char **ret_chosen, unsigned char *ret_n,
		   const unsigned char *offer, unsigned offer_n, void *ctx)
{
	unsigned char *chosen = NULL;

	(void)ssl;
	(void)ctx;
	if (SSL_select_next_proto(&chosen, ret_n, ALPN_H2, sizeof(ALPN_H2) - 1, offer, offer_n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_chosen = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static enum err ctx_base(SSL_CTX **ret_ctx, struct err_note *note)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	/* No tickets and no cache: a resumed session would skip the other side's certificate. */
	if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1 ||
	    SSL_CTX_set_alpn_protos(ctx, ALPN_H2, sizeof(ALPN_H2) - 1) != 0) {
		SSL_CTX_free(ctx);
		ERR_clear_error();
		return err_say(note, ERR_NOMEM, "TLS 1.3 is not to be had");
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH_MAX);
	*ret_ctx = ctx;
	return ERR_OK;
}

static enum err ctx_add_authorities(SSL_CTX *ctx, const char *path, struct err_note *note)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	enum err e =
		certs ? certs_load(certs, path, note) : err_say(note, ERR_NOMEM, "out of memory");

	for (int i = 0; e == ERR_OK && i < sk_X509_num(certs); i++)
		if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), sk_X509_value(certs, i)) != 1)
			e = openssl_say(note, ERR_CONFIG_FILE, path,
					"a certificate cannot be used");
	sk_X509_pop_free(certs, X509_free);
	return e;
}

static enum err cert_check_dates(const X509 *x, const char *path, struct err_note *note)
{
	if (X509_cmp_current_time(X509_get0_notBefore(x)) >= 0)
		return err_say(note, ERR_CONFIG_VALUE, "%s: the certificate is not valid yet",
			       path);
	if (X509_cmp_current_time(X509_get0_notAfter(x)) <= 0)
		return err_say(note, ERR_CONFIG_VALUE, "%s: the certificate has expired", path);
	return ERR_OK;
}

static enum err ctx_use_certs(SSL_CTX *ctx, const struct tls *t, const STACK_OF(X509) * certs,
			      struct err_note *note)
{
	TRY(cert_check_dates(sk_X509_value(certs, 0), t->cert_file, note));
	if (SSL_CTX_use_certificate(ctx, sk_X509_value(certs, 0)) != 1)
		return openssl_say(note, ERR_CONFIG_VALUE, t->cert_file,
				   "the certificate cannot be used");
	for (int i = 1; i < sk_X509_num(certs); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(certs, i)) != 1)
			return openssl_say(note, ERR_CONFIG_VALUE, t->cert_file,
					   "an intermediate certificate cannot be used");
	return ERR_OK;
}

static struct own own_of(const X509 *cert)
{
	struct own own = {.not_after_s = tls_cert_not_after_s(cert)};
	char why[TLS_TEXT_SIZE];

	if (!tls_peer_common_name(cert, own.common_name, why))
		own.common_name[0] = '\0';
	return own;
}

static enum err ctx_add_own(SSL_CTX *ctx, const struct tls *t, struct own *ret_own,
			    struct err_note *note)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	EVP_PKEY *key = NULL;
	enum err e = certs ? certs_load(certs, t->cert_file, note)
			   : err_say(note, ERR_NOMEM, "out of memory");

	if (e == ERR_OK)
		e = ctx_use_certs(ctx, t, certs, note);
	if (e == ERR_OK)
		e = key_load(&key, t->key_file, note);
	if (e == ERR_OK &&
	    (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)) {
		ERR_clear_error();
		e = err_say(note, ERR_CONFIG_VALUE, "%s is not the key of the certificate in %s",
			    t->key_file, t->cert_file);
	}
	if (e == ERR_OK)
		*ret_own = own_of(sk_X509_value(certs, 0));
	EVP_PKEY_free(key);
	sk_X509_pop_free(certs, X509_free);
	return e;
}

enum err tls_reload(struct tls *t, struct err_note *note)
{
	struct own own = {0};
	SSL_CTX *ctx = NULL;
	enum err e;

	TRY(ctx_base(&ctx, note));
	e = ctx_add_own(ctx, t, &own, note);
	if (e == ERR_OK && t->ca_file)
		e = ctx_add_authorities(ctx, t->ca_file, note);
	else if (e == ERR_OK)
		SSL_CTX_set_cert_verify_callback(ctx, tls_verify_anchored, t);
	if (e != ERR_OK) {
		SSL_CTX_free(ctx);
		return e;
	}
	SSL_CTX_free(t->ctx); /* connections hold it as long as they need it */
	t->ctx = ctx;
	t->not_after_s = own.not_after_s;
	memcpy(t->common_name, own.common_name, sizeof(t->common_name));
	return ERR_OK;
}

enum err tls_anchors_set(struct tls *t, const struct tls_anchor *anchors, size_t n,
			 struct err_note *note)
{
	struct tls_anchors *a;

	CHECK(!t->ca_file);
	TRY(tls_anchors_make(&a, anchors, n, note));
	tls_anchors_free(t->anchors);
	t->anchors = a;
	return ERR_OK;
}

const struct tls_anchors *tls_anchors(const struct tls *t)
{
	return t->anchors;
}

const char *tls_common_name(const struct tls *t)
{
	return t->common_name;
}

/* ---- life ---- */

bool tls_identity_is_sound(const char *identity)
{
	/* A leading dot would mean a whole domain to OpenSSL. */
	if (!identity[0] || identity[0] == '.' || strlen(identity) >= TLS_NAME_SIZE)
		return false;
	for (const char *c = identity; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '*' || (*c == ',' && !strstr(identity, "://")))
			return false;
	return true;
}

static enum err identities_copy(struct tls *t, const struct tls_options *o, struct err_note *note)
{
	if (o->identities_n > TLS_IDENTITIES_MAX)
		return err_say(note, ERR_CONFIG_VALUE, "more than %d identities",
			       TLS_IDENTITIES_MAX);
	t->identities = calloc(o->identities_n + 1, sizeof(*t->identities));
	if (!t->identities)
		return err_say(note, ERR_NOMEM, "out of memory");
	for (; t->identities_n < o->identities_n; t->identities_n++) {
		const char *name = o->identities[t->identities_n];

		if (!tls_identity_is_sound(name))
			return err_say(note, ERR_CONFIG_VALUE, "\"%.80s\" is no identity", name);
		t->identities[t->identities_n] = strdup(name);
		if (!t->identities[t->identities_n])
			return err_say(note, ERR_NOMEM, "out of memory");
	}
	return ERR_OK;
}

enum err tls_new(struct tls **ret_tls, const struct tls_options *options, struct err_note *note)
{
	struct tls *t = calloc(1, sizeof(*t));
	enum err e;

	if (!t)
		return err_say(note, ERR_NOMEM, "out of memory");
	t->cert_file = strdup(options->cert_file);
	t->key_file = strdup(options->key_file);
	t->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
	if (!t->cert_file || !t->key_file || (options->ca_file && !t->ca_file))
		e = err_say(note, ERR_NOMEM, "out of memory");
	else
		e = identities_copy(t, options, note);
	if (e == ERR_OK && !t->ca_file)
		e = tls_anchors_make(&t->anchors, NULL, 0, note);
	if (e == ERR_OK)
		e = tls_reload(t, note);
	if (e != ERR_OK) {
		tls_free(t);
		return e;
	}
	*ret_tls = t;
	return ERR_OK;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	tls_anchors_free(t->anchors);
	for (size_t i = 0; i < t->identities_n; i++)
		free(t->identities[i]);
	free(t->identities);
	free(t->cert_file);
	free(t->key_file);
	free(t->ca_file);
	free(t);
}

int64_t tls_not_after_s(const struct tls *t)
{
	return t->not_after_s;
}

int64_t tls_days_left(const struct tls *t, int64_t now_s)
{
	int64_t left_s = t->not_after_s - now_s;

	return left_s < 0 ? -1 - (-1 - left_s) / DAY_S : left_s / DAY_S;
}

SSL *tls_ssl_new(const struct tls *t)
{
	return SSL_new(t->ctx);
}

struct tls_names tls_identities(const struct tls *t)
{
	return (struct tls_names){(const char *const *)t->identities, t->identities_n};
}
