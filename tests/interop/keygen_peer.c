/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The C side of keygen.test.mjs: a fresh key of a parameter set, by system randomness, as the
 * objects that node-tfhe can load. usage: keygen_peer SET DIR
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
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

static void object_store(const char *dir, const char *name, const struct fhe_keygen *g,
			 enum fhe_key_object object)
{
	struct fhe_file_sink sink;
	int fd = file_new(dir, name);

	CHECK(fhe_keygen_write(g, object, fhe_file_sink_init(&sink, fd, NULL), 2, NULL) == ERR_OK);
	CHECK(close(fd) == 0);
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
	object_store(argv[2], "compressed_public_key.bin", g, FHE_OBJECT_PUBLIC_KEY);
	if (params == &fhe_params_test)
		object_store(argv[2], "server_key.bin", g, FHE_OBJECT_SERVER_KEY);
	fhe_keygen_free(g);
	return EXIT_SUCCESS;
}
