/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "net/tls_internal.h"

/* Of GENERAL_NAME; "" for kinds that are no names of machines, and for text that is not plain. */
static void general_name_text(const GENERAL_NAME *g, char out[TLS_NAME_SIZE])
{
	const ASN1_STRING *s;
	int type;

	out[0] = '\0';
	s = GENERAL_NAME_get0_value(g, &type);
	if (type == GEN_IPADD) {
		int n = ASN1_STRING_length(s);

		if (n == 4 || n == 16)
			(void)inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), out,
					TLS_NAME_SIZE);
	} else if (type == GEN_DNS || type == GEN_URI) {
		struct bytes text =
			bytes_from(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));

		for (size_t i = 0; i < text.n; i++)
			if (text.p[i] <= ' ' || text.p[i] >= 0x7f)
				return;
		if (text.n < TLS_NAME_SIZE)
			(void)snprintf(out, TLS_NAME_SIZE, "%.*s", (int)text.n,
				       (const char *)text.p);
	}
}

/* A URI counts as a whole; hosts as RFC 9525 has them, addresses by value. */
static bool cert_has(const X509 *cert, const GENERAL_NAMES *names, const char *wanted,
		     bool wildcards)
{
	X509 *c = (X509 *)(uintptr_t)cert;
	unsigned char address[16];
	char text[TLS_NAME_SIZE];

	if (strstr(wanted, "://")) {
		for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
			const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

			general_name_text(g, text);
			if (g->type == GEN_URI && strcmp(text, wanted) == 0)
				return true;
		}
		return false;
	}
	if (inet_pton(AF_INET, wanted, address) == 1 || inet_pton(AF_INET6, wanted, address) == 1)
		return X509_check_ip_asc(c, wanted, 0) == 1;
	return X509_check_host(c, wanted, 0,
			       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
				       (wildcards ? X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
						  : X509_CHECK_FLAG_NO_WILDCARDS),
			       NULL) == 1;
}

static bool names_first(const GENERAL_NAMES *names, char out[TLS_NAME_SIZE])
{
	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !out[0]; i++)
		general_name_text(sk_GENERAL_NAME_value(names, i), out);
	return out[0] != '\0';
}

bool tls_common_name_of(const X509_NAME *name, char ret_name[TLS_NAME_SIZE])
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *s;
	struct bytes text;

	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return false;
	s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	text = bytes_from(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
	if (text.n == 0 || text.n >= TLS_NAME_SIZE)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f)
			return false;
	(void)snprintf(ret_name, TLS_NAME_SIZE, "%.*s", (int)text.n, (const char *)text.p);
	return true;
}

/* Byte for byte: an identity is one name, not one of its spellings. */
static bool names_have_dns(const GENERAL_NAMES *names, const char *wanted)
{
	char text[TLS_NAME_SIZE];

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		general_name_text(g, text);
		if (g->type == GEN_DNS && strcmp(text, wanted) == 0)
			return true;
	}
	return false;
}

bool tls_peer_common_name(const X509 *cert, char ret_name[TLS_NAME_SIZE],
			  char ret_why[TLS_TEXT_SIZE])
{
	GENERAL_NAMES *names;
	char name[TLS_NAME_SIZE];
	bool found;

	if (!tls_common_name_of(X509_get_subject_name(cert), name)) {
		(void)snprintf(ret_why, TLS_TEXT_SIZE,
			       "its certificate has no usable common name, or several");
		return false;
	}
	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	found = names_have_dns(names, name);
	GENERAL_NAMES_free(names);
	if (found)
		memcpy(ret_name, name, TLS_NAME_SIZE);
	else
		(void)snprintf(ret_why, TLS_TEXT_SIZE,
			       "its certificate's common name \"%.60s\" is not among its "
			       "subjectAltNames",
			       name);
	return found;
}

bool tls_peer_name(const X509 *cert, struct tls_names wanted, bool wildcards,
		   char ret_name[TLS_NAME_SIZE], char ret_why[TLS_TEXT_SIZE])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char first[TLS_NAME_SIZE];
	bool found = false;

	if (!names_first(names, first)) {
		(void)snprintf(ret_why, TLS_TEXT_SIZE,
			       "its certificate has no usable subjectAltName");
	} else if (wanted.n == 0) {
		memcpy(ret_name, first, TLS_NAME_SIZE);
		found = true;
	}
	for (size_t i = 0; i < wanted.n && !found && first[0]; i++) {
		found = cert_has(cert, names, wanted.v[i], wildcards);
		if (found)
			(void)snprintf(ret_name, TLS_NAME_SIZE, "%s", wanted.v[i]);
	}
	if (!found && first[0])
		(void)snprintf(ret_why, TLS_TEXT_SIZE,
			       "its certificate is for \"%.60s\", wanted is \"%.60s\"%s", first,
			       wanted.v[0], wanted.n > 1 ? " or another of the list" : "");
	GENERAL_NAMES_free(names);
	return found;
}
