/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Key generation against tfhe-rs 1.7.0: private seed 00 01 .. 0f, tag "xof-tag". With the argument
 * "default" the production set (half a gigabyte, in the slow suite), else the set "test".
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/sha.h"
#include "fhe/keygen/keygen.h"
#include "fhe_test.h"

struct known {
	const struct fhe_params *params;
	const char *client_key, *public_key, *key_set; /* SHA-256 of the stored objects */
	uint64_t key_set_size;
};

static const struct known known_test = {
	&fhe_params_test,
	"f15492e77d49af29307d0c2e6be46bfd46af06dbba014a626626e350b142d2a9",
	"2bd63efb6a7b2e687a4ce702caf38bec4bb8a5a8adafbdff6838b6efb936be61",
	"2f68c6191a6b6d93e4f443c96c84db98d24dd274d4d307bfa84f1866ba23f236",
	2661223,
};
static const struct known known_default = {
	&fhe_params_v1_7,
	"9f436ae6a1450668011c2e5316e2e24548ff54536f3fa5804854f4d3d4e99f32",
	"e3cbb83022ed000ac8654cda339d723147d7341631b06b9cb565f06763652d76",
	"d9c90e477f9170c36819b6a5b35fbd7f398437c56d41d68f8f5c8e7c8acd2aae",
	511412591,
};

/* ---- a seed that is no secret: only tests have one ---- */

static void counting_fill(struct rng *r, uint8_t *out, size_t n)
{
	(void)r;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)i;
}

static struct fhe_keygen *keygen_new(const struct fhe_params *params)
{
	static const struct rng_ops ops = {.fill = counting_fill};
	static struct rng rng = {.ops = &ops};
	struct err_note note = {0};
	struct fhe_keygen *g;

	if (fhe_keygen_new(&g, params, BYTES_LIT("xof-tag"), &rng, &note) != ERR_OK)
		fail_msg("%s", note.text);
	return g;
}

/* ---- where the pieces go: hashed, counted ---- */

struct hash_sink {
	struct fhe_sink base;
	EVP_MD_CTX *ctx;
	uint64_t size, fail_at;
};

static enum err hash_write(struct fhe_sink *base, struct bytes piece, struct err_note *note)
{
	struct hash_sink *s = CONTAINER_OF(base, struct hash_sink, base);

	s->size += piece.n;
	if (s->fail_at && s->size >= s->fail_at)
		return err_say(note, ERR_CANCELLED, "enough");
	assert_int_equal(EVP_DigestUpdate(s->ctx, piece.p, piece.n), 1);
	return ERR_OK;
}

static struct hash_sink hash_sink_new(void)
{
	static const struct fhe_sink_ops ops = {.write = hash_write};
	struct hash_sink s = {.base = {.ops = &ops}, .ctx = EVP_MD_CTX_new()};

	assert_non_null(s.ctx);
	assert_int_equal(EVP_DigestInit_ex2(s.ctx, EVP_sha256(), NULL), 1);
	return s;
}

static void hash_sink_end(struct hash_sink *s, const char *want)
{
	uint8_t digest[32];
	char text[65];

	assert_int_equal(EVP_DigestFinal_ex(s->ctx, digest, NULL), 1);
	hex_encode(text, BYTES_OF(digest));
	if (want)
		assert_string_equal(text, want);
	EVP_MD_CTX_free(s->ctx);
}

static void assert_sha256(struct bytes b, const char *want)
{
	struct hash32 h;
	char text[65];

	assert_ok(sha256(&h, &b, 1));
	hex_encode(text, BYTES_OF(h.b));
	assert_string_equal(text, want);
}

/* ---- known answers ---- */

static void known_answers(void **state)
{
	const struct known *known = *state;
	struct fhe_keygen *g = keygen_new(known->params);
	struct buf out = buf_make(CLIENT_KEY_SIZE_MAX);
	struct hash_sink sink = hash_sink_new();

	assert_ok(fhe_client_key_write(fhe_keygen_client_key(g), &out));
	assert_sha256(buf_view(&out), known->client_key);
	buf_clear(&out);
	assert_ok(fhe_keygen_write_public_key(g, &out));
	assert_sha256(buf_view(&out), known->public_key);
	assert_ok(fhe_keygen_write(g, FHE_OBJECT_KEY_SET, &sink.base, 2, NULL));
	assert_int_equal(sink.size, known->key_set_size);
	hash_sink_end(&sink, known->key_set);
	fhe_keygen_free(g);
	buf_wipe(&out);
}

/* Streamed: the whole process stays far below the object, secrets included. */
static void memory(void **state)
{
	struct rusage usage;

	(void)state;
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	assert_true(usage.ru_maxrss < 64 << 10);
}

/* ---- the set "test", piece by piece ---- */

static struct buf key_set_of(const struct fhe_keygen *g, enum fhe_key_object object,
			     unsigned threads)
{
	struct buf out = buf_make(4 << 20);
	struct fhe_buf_sink sink;

	assert_ok(fhe_keygen_write(g, object, fhe_buf_sink_init(&sink, &out), threads, NULL));
	return out;
}

static void threads_do_not_matter(void **state)
{
	struct fhe_keygen *g = keygen_new(&fhe_params_test);

	(void)state;
	for (unsigned threads = 1; threads <= FHE_KEYGEN_THREADS_MAX; threads *= 4) {
		struct buf out = key_set_of(g, FHE_OBJECT_KEY_SET, threads);

		assert_sha256(buf_view(&out), known_test.key_set);
		buf_free(&out);
	}
	fhe_keygen_free(g);
}

/* Each of the three objects is read again, fits its parameters, and is written the same. */
static void objects_are_read_again(void **state)
{
	struct fhe_keygen *g = keygen_new(&fhe_params_test);

	(void)state;
	for (int i = FHE_OBJECT_PUBLIC_KEY; i <= FHE_OBJECT_KEY_SET; i++) {
		enum fhe_key_object object = (enum fhe_key_object)i;
		struct buf out = key_set_of(g, object, 2), again = buf_make(4 << 20);
		struct err_note note = {0};
		struct fhe_key_set set;

		if (fhe_key_set_read(&set, object, buf_view(&out), &note) != ERR_OK ||
		    (object == FHE_OBJECT_KEY_SET &&
		     fhe_key_set_check(&set, object, &fhe_params_test, &note) != ERR_OK))
			fail_msg("%s", note.text);
		assert_ok(fhe_key_set_write(&set, object, &again));
		assert_bytes_equal(buf_view(&again), buf_view(&out));
		buf_free(&again);
		buf_free(&out);
	}
	fhe_keygen_free(g);
}

/* The public key alone and inside the set expand to the same. */
static void public_key_of_the_set(void **state)
{
	struct fhe_keygen *g = keygen_new(&fhe_params_test);
	struct buf object = key_set_of(g, FHE_OBJECT_KEY_SET, 1), out = buf_make(1 << 20);
	struct fhe_key_set set;

	(void)state;
	assert_ok(fhe_key_set_read(&set, FHE_OBJECT_KEY_SET, buf_view(&object), NULL));
	assert_ok(fhe_compact_public_key_expand(&set, &out));
	assert_sha256(buf_view(&out), known_test.public_key);
	buf_free(&out);
	buf_free(&object);
	fhe_keygen_free(g);
}

static void file_and_digest(void **state)
{
	char path[] = "/tmp/claviger-keygen-XXXXXX";
	int fd = mkstemp(path), full = open("/dev/full", O_WRONLY);
	struct fhe_keygen *g = keygen_new(&fhe_params_test);
	struct buf object = key_set_of(g, FHE_OBJECT_KEY_SET, 1);
	struct kms_digest_stream *stream;
	struct hash32 digest, want;
	struct fhe_file_sink sink;
	struct err_note note = {0};

	(void)state;
	assert_true(fd >= 0 && full >= 0);
	assert_int_equal(unlink(path), 0);
	assert_ok(kms_digest_stream_new(&stream, "PDAT_KEY"));
	assert_ok(fhe_keygen_write(g, FHE_OBJECT_KEY_SET, fhe_file_sink_init(&sink, fd, stream), 2,
				   &note));
	assert_ok(kms_digest_stream_final(stream, &digest));
	kms_digest_stream_free(stream);
	assert_ok(kms_digest(&want, "PDAT_KEY", buf_view(&object)));
	assert_memory_equal(digest.b, want.b, sizeof(want.b));
	assert_int_equal(sink.size, object.n);
	assert_int_equal(lseek(fd, 0, SEEK_END), (off_t)object.n);

	assert_int_equal(fhe_keygen_write(g, FHE_OBJECT_KEY_SET,
					  fhe_file_sink_init(&sink, full, NULL), 2, &note),
			 ERR_IO);
	assert_non_null(strstr(note.text, "No space left"));
	close(fd);
	close(full);
	buf_free(&object);
	fhe_keygen_free(g);
}

/* Wherever the sink says no, that is the end, and what it says is the result. */
static void cancelled(void **state)
{
	struct fhe_keygen *g = keygen_new(&fhe_params_test);

	(void)state;
	for (uint64_t at = 1; at < known_test.key_set_size; at += known_test.key_set_size / 23) {
		struct hash_sink sink = hash_sink_new();
		struct err_note note = {0};

		sink.fail_at = at;
		assert_int_equal(fhe_keygen_write(g, FHE_OBJECT_KEY_SET, &sink.base, 2, &note),
				 ERR_CANCELLED);
		assert_string_equal(note.text, "enough");
		hash_sink_end(&sink, NULL);
	}
	fhe_keygen_free(g);
}

/* Two keys by system randomness have nothing in common. */
static void system_randomness(void **state)
{
	struct fhe_keygen *g[2];
	struct bytes a, b;
	size_t ones = 0, equal = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_ok(fhe_keygen_new(&g[i], &fhe_params_v1_7, BYTES_LIT("x"), rng_system(),
					 NULL));
	a = secret_view(&fhe_keygen_client_key(g[0])->secret);
	b = secret_view(&fhe_keygen_client_key(g[1])->secret);
	for (size_t i = 0; i < a.n; i++) {
		assert_true(a.p[i] <= 1);
		ones += a.p[i];
		equal += a.p[i] == b.p[i];
	}
	/* 17 000 coins: both counts are within 8 standard deviations of half. */
	assert_in_range(ones, a.n / 2 - 550, a.n / 2 + 550);
	assert_in_range(equal, a.n / 2 - 550, a.n / 2 + 550);
	fhe_keygen_free(g[0]);
	fhe_keygen_free(g[1]);
}

static void refusals(void **state)
{
	struct fhe_params params = fhe_params_test;
	struct fhe_keygen *g = NULL;
	struct err_note note = {0};
	struct buf out = buf_make(1 << 20);
	struct fhe_buf_sink sink;
	uint8_t tag[FHE_TAG_SIZE_MAX + 1] = {0};

	(void)state;
	params.compute.polynomial_size = 300;
	assert_int_equal(fhe_keygen_new(&g, &params, BYTES_NONE, rng_system(), &note),
			 ERR_UNSUPPORTED);
	assert_string_equal(note.text, "FHE parameters: compute polynomial_size");
	assert_int_equal(fhe_keygen_new(&g, &fhe_params_test, BYTES_OF(tag), rng_system(), &note),
			 ERR_TOO_BIG);
	assert_null(g);

	params = fhe_params_test;
	params.has_pke = false;
	assert_ok(fhe_keygen_new(&g, &params, BYTES_NONE, rng_system(), &note));
	assert_int_equal(
		fhe_keygen_write(g, FHE_OBJECT_KEY_SET, fhe_buf_sink_init(&sink, &out), 1, &note),
		ERR_UNSUPPORTED);
	assert_int_equal(fhe_keygen_write(g, FHE_OBJECT_SERVER_KEY, &sink.base, 0, &note),
			 ERR_RANGE);
	assert_int_equal(fhe_keygen_write(g, FHE_OBJECT_SERVER_KEY, &sink.base,
					  FHE_KEYGEN_THREADS_MAX + 1, &note),
			 ERR_RANGE);
	assert_int_equal(out.n, 0);
	fhe_keygen_free(g);
	fhe_keygen_free(NULL);
	buf_free(&out);
}

int main(int argc, char **argv)
{
	bool is_default = argc > 1 && strcmp(argv[1], "default") == 0;
	const struct CMUnitTest slow[] = {
		cmocka_unit_test_prestate(known_answers, (void *)(uintptr_t)&known_default),
		cmocka_unit_test(memory),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(known_answers, (void *)(uintptr_t)&known_test),
		cmocka_unit_test(threads_do_not_matter),
		cmocka_unit_test(objects_are_read_again),
		cmocka_unit_test(public_key_of_the_set),
		cmocka_unit_test(file_and_digest),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(system_randomness),
		cmocka_unit_test(refusals),
	};

	return is_default ? cmocka_run_group_tests_name("default", slow, NULL, NULL)
			  : cmocka_run_group_tests_name("test", tests, NULL, NULL);
}
