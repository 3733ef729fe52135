/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Three object stores. Where an object is late, other bytes or of an absurd size was decided when
 * its ciphertext was made. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "sim.h"

static struct ciphertext *find(struct sim *s, const char *path, bool *ret_attested)
{
	uint8_t key[32];
	size_t n = strlen(path);

	*ret_attested = strncmp(path, "/ct128/", 7) == 0;
	const char *hex = *ret_attested ? path + 7 : path + 1;

	if (n < 65 || hex_decode_fixed(key, 32, bytes_from(hex, 64)) != ERR_OK)
		return NULL;
	for (size_t i = 0; i < s->cts_n; i++) {
		struct ciphertext *ct = s->cts[i];

		if (memcmp(*ret_attested ? ct->handle.b : ct->digest.b, key, 32) == 0)
			return ct;
	}
	return NULL;
}

static void header(struct http_answer *a, const char *name, const char *text)
{
	CHECK(a->headers_n < ARRAY_LEN(a->headers));
	a->headers[a->headers_n++] = (struct http_header){name, text};
}

void bucket_serve(struct sim *s, size_t bucket, const struct http_question *q,
		  struct http_answer *a)
{
	const char *path = &q->url[strlen(s->bucket_urls[bucket])];
	bool attested, head = strcmp(q->method, "HEAD") == 0;
	struct ciphertext *ct = find(s, path, &attested);
	int64_t now_ms = s->loop.now_ms;

	a->status = 404;
	if (!ct || (!s->calm && ct->at[bucket].missing_until_ms > now_ms))
		return;
	a->status = 200;
	bool huge = ct->at[bucket].huge && !s->calm;
	(void)snprintf(a->size_text, sizeof(a->size_text), "%zu",
		       huge ? (size_t)1 << 40 : ct->body.n);
	header(a, "content-length", a->size_text);
	header(a, "x-amz-meta-ct-format", "compressed_on_cpu");
	if (attested)
		header(a, "x-amz-meta-ct-attestation", attestation_of(s, ct, bucket));
	if (head)
		return;
	CHECK(buf_add(&a->body, buf_view(&ct->body)) == ERR_OK);
	if (!s->calm && ct->at[bucket].corrupt_until_ms > now_ms)
		a->body.p[sim_below(s, a->body.n)] ^= 1;
}
