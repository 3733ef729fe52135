/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The C side of keygen.test.mjs: a fresh key of a parameter set, by system randomness, as the
 * objects that node-tfhe can load, and of the set "test" the key set. usage: keygen_peer SET DIR
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "crypto/sha.h"
#include "fhe/key_handles.h"
#include "fhe/keygen/keygen.h"

static int file_new(const char *dir, const char *name)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	return fd;
}

static void buf_store(const char *dir, const char *name, const struct buf *b)
{
	struct fhe_file_sink sink;
	int fd = file_new(dir, name);

	CHECK(fhe_sink_write(fhe_file_sink_init(&sink, fd, NULL), buf_view(b), NULL) == ERR_OK);
	CHECK(close(fd) == 0);
}

static struct hash32 object_store(const char *dir, const char *name, const struct fhe_keygen *g,
				  enum fhe_key_object object)
{
	struct kms_digest_stream *stream;
	struct fhe_file_sink sink;
	struct hash32 digest;
	int fd = file_new(dir, name);

	CHECK(kms_digest_stream_new(&stream, "PDAT_KEY") == ERR_OK);
	CHECK(fhe_keygen_write(g, object, fhe_file_sink_init(&sink, fd, stream), 2, NULL) ==
	      ERR_OK);
	CHECK(kms_digest_stream_final(stream, &digest) == ERR_OK);
	kms_digest_stream_free(stream);
	CHECK(close(fd) == 0);
	return digest;
}

/* The key set, and the client key with its digest as a vault has them. */
static void key_set_store(const char *dir, const struct fhe_keygen *g)
{
	struct fhe_key_metadata m = {
		.digests = {{.pub_data = FHE_PUB_COMPRESSED_XOF_KEY_SET}},
		.digests_n = 1,
	};
	struct buf out = buf_make(2 * CLIENT_KEY_SIZE_MAX);

	m.digests[0].digest = object_store(dir, "key_set.bin", g, FHE_OBJECT_KEY_SET);
	CHECK(kms_fhe_key_handles_write(fhe_keygen_client_key(g), &m, &out) == ERR_OK);
	buf_store(dir, "handles.bin", &out);
	buf_wipe(&out);
}

int main(int argc, char **argv)
{
	const struct fhe_params *params = argc == 3 ? fhe_params_by_name(argv[1]) : NULL;
	struct buf out = buf_make(CLIENT_KEY_SIZE_MAX);
	struct err_note note = {0};
	struct fhe_keygen *g;

	if (!params) {
		fputs("usage: keygen_peer SET DIR\n", stderr);
		return 2;
	}
	if (fhe_keygen_new(&g, params, BYTES_LIT("interop"), rng_system(), &note) != ERR_OK) {
		fprintf(stderr, "%s\n", note.text);
		return EXIT_FAILURE;
	}
	CHECK(fhe_client_key_write(fhe_keygen_client_key(g), &out) == ERR_OK);
	buf_store(argv[2], "client_key.bin", &out);
	buf_wipe(&out);
	CHECK(fhe_keygen_write_public_key(g, &out) == ERR_OK);
	buf_store(argv[2], "public_key.bin", &out);
	buf_free(&out);
	(void)object_store(argv[2], "compressed_public_key.bin", g, FHE_OBJECT_PUBLIC_KEY);
	if (params == &fhe_params_test) {
		(void)object_store(argv[2], "server_key.bin", g, FHE_OBJECT_SERVER_KEY);
		key_set_store(argv[2], g);
	}
	fhe_keygen_free(g);
	return EXIT_SUCCESS;
}
