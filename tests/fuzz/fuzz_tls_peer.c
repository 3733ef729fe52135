/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The subjectAltName of a certificate. A name that is found stands in the extension, is printable,
 * and with names wanted it is one of them.
 *
 * Input: line: a wanted name, or none || DER of the extension.
 */
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "fuzz.h"
#include "net/tls_internal.h"

static X509 *certificate(struct bytes san)
{
	X509 *cert = X509_new();
	ASN1_OCTET_STRING *der = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;

	CHECK(cert && der && ASN1_OCTET_STRING_set(der, san.p, (int)san.n) == 1);
	ext = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, der);
	CHECK(ext && X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(der);
	return cert;
}

static bool is_ip(const char *name)
{
	return strspn(name, "0123456789.") == strlen(name) || strchr(name, ':');
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = bytes_from(p, n < 4096 ? n : 4096);
	struct bytes line = fuzz_line(&in);
	char name[TLS_NAME_SIZE] = "", any[TLS_NAME_SIZE] = "", why[TLS_TEXT_SIZE] = "";

	if ((line.n > 0 && memchr(line.p, 0, line.n)) || line.n >= TLS_NAME_SIZE)
		return 0;

	char *text = fuzz_cstr(line);
	const char *const list[] = {"unmatched.example", text};
	const struct tls_names wanted = {list, 2}, none = {NULL, 0};
	X509 *cert = certificate(in);
	bool has_any = tls_peer_name(cert, none, false, any, why);

	CHECK(has_any == (any[0] != 0) && has_any == (why[0] == 0));
	for (const char *c = any; *c; c++)
		CHECK(*c > ' ' && *c < 0x7f);
	CHECK(is_ip(any) || fuzz_holds(in, bytes_str(any)));

	bool exactly = tls_peer_name(cert, wanted, false, name, why);
	bool found = tls_peer_name(cert, wanted, true, name, why);

	CHECK(!exactly || found); /* a wildcard only adds */
	CHECK(!found || (has_any && (strcmp(name, list[0]) == 0 || strcmp(name, list[1]) == 0)));
	CHECK(found || why[0]);
	if (found && strstr(name, "://"))
		CHECK(fuzz_holds(in, bytes_str(name)));
	X509_free(cert);
	free(text);
	return 0;
}
