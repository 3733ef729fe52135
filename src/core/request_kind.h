/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What a node is asked for. Stored numbers: append only. */
#ifndef CORE_REQUEST_KIND_H
#define CORE_REQUEST_KIND_H

enum request_kind {
	REQUEST_PUBLIC_DECRYPTION = 1,
	REQUEST_USER_DECRYPTION = 2,
	REQUEST_KEYGEN_PREPROC = 3,
	REQUEST_KEYGEN = 4,
	REQUEST_CRSGEN = 5,
	REQUEST_KINDS, /* size of a table by kind; its entry 0 is empty */
};

#define FOR_EACH_REQUEST_KIND(k)                                                                   \
	for (enum request_kind k = REQUEST_PUBLIC_DECRYPTION; k < REQUEST_KINDS; k++)

#endif
