/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the fhe tests share. Vectors: tests/vectors/tfhe, see the README there. */
#ifndef FHE_TEST_H
#define FHE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "fhe/dealer/dealer.h"

#define assert_ok(expression) assert_int_equal((expression), ERR_OK)

/* A whole vector file; buf_free it. */
static inline struct buf vector_read(const char *name)
{
	struct buf b = buf_make(4 << 20);
	char path[1024], chunk[4096];
	const char *dir = getenv("VECTORS");
	FILE *f;
	size_t n;

	assert_non_null(dir);
	(void)snprintf(path, sizeof(path), "%s/tfhe/%s", dir, name);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("no vector %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		assert_ok(buf_add(&b, bytes_from(chunk, n)));
	fclose(f);
	return b;
}

static inline struct fhe_client_key *client_key_of(const char *name)
{
	struct buf b = vector_read(name);
	struct fhe_client_key *k = NULL;
	struct err_note note = {0};

	if (fhe_client_key_read(&k, buf_view(&b), &note) != ERR_OK)
		fail_msg("%s: %s", name, note.text);
	buf_free(&b);
	return k;
}

static inline void assert_bytes_equal(struct bytes a, struct bytes b)
{
	assert_int_equal(a.n, b.n);
	if (a.n)
		assert_memory_equal(a.p, b.p, a.n);
}

/* A copy in a block of exactly its size, so that the sanitizer sees a read past the end. */
static inline struct bytes exact_copy(struct bytes b)
{
	uint8_t *p = malloc(b.n ? b.n : 1);

	assert_non_null(p);
	if (b.n)
		memcpy(p, b.p, b.n);
	return bytes_from(p, b.n);
}

static inline void exact_free(struct bytes b)
{
	free((void *)(uintptr_t)b.p);
}

/* Reads an object that it need not accept, and forgets it. */
typedef enum err try_fn(struct bytes object, void *ctx);

/* Every 64th truncation must be an error, and so must one byte too many. */
static inline void truncations_fail(struct bytes object, try_fn *try, void *ctx)
{
	uint8_t *p = malloc(object.n + 1);

	assert_non_null(p);
	for (size_t n = 0; n < object.n; n += 64) {
		struct bytes cut = exact_copy(bytes_sub(object, 0, n));

		assert_int_not_equal(try(cut, ctx), ERR_OK);
		exact_free(cut);
	}
	memcpy(p, object.p, object.n);
	p[object.n] = 0;
	assert_int_equal(try(bytes_from(p, object.n + 1), ctx), ERR_MALFORMED);
	free(p);
}

/*
 * Bytes outside the long arrays are overwritten with values that break lengths; the answer may be
 * any, memory safety is what the sanitizers judge. `skip_from` to `skip_to` is array content.
 */
static inline void corruptions_are_safe(struct bytes object, size_t skip_from, size_t skip_to,
					try_fn *try, void *ctx)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	struct bytes copy = exact_copy(object);
	uint8_t *p = (uint8_t *)(uintptr_t)copy.p;

	for (size_t at = 0; at < object.n; at++) {
		if (at == skip_from)
			at = skip_to;
		for (size_t v = 0; v < sizeof(values); v++) {
			p[at] = values[v];
			(void)try(copy, ctx);
		}
		p[at] = object.p[at];
	}
	exact_free(copy);
}

#endif
