/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The library on its own: makes a key with parameters for tests and writes its objects, or opens a
 * ciphertext.
 *
 *	example make DIR
 *	example open CLIENT_KEY TYPE CIPHERTEXT
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/secret.h"
#include "fhe/decrypt.h"
#include "fhe/keygen/keygen.h"
#include "fhe/params.h"

static int failed(const char *what, enum err e, const struct err_note *note)
{
	(void)fprintf(stderr, "example: %s: %s%s%s\n", what, err_name(e), note->text[0] ? ": " : "",
		      note->text);
	return 1;
}

/* ---- keys ---- */

/* The key set goes to a file in pieces: with production parameters it has 511 MB. */
static enum err write_key_set(const struct fhe_keygen *g, const char *dir, struct err_note *note)
{
	struct fhe_file_sink sink;
	char path[4096];
	int fd;
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/key_set.bin", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_say(note, ERR_IO, "%s: not made", path);
	e = fhe_keygen_write(g, FHE_OBJECT_KEY_SET, fhe_file_sink_init(&sink, fd, NULL), 2, note);
	if (close(fd) != 0 && e == ERR_OK)
		e = ERR_IO;
	return e;
}

static enum err write_bytes(const char *dir, const char *name, mode_t mode, struct bytes b)
{
	char path[4096];
	int fd;
	bool whole;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return ERR_IO;
	whole = write(fd, b.p, b.n) == (ssize_t)b.n;
	return close(fd) == 0 && whole ? ERR_OK : ERR_IO;
}

static int make(const char *dir)
{
	struct buf public_key CLEANUP(buf_free) = buf_make(16 << 20);
	struct buf client_key CLEANUP(buf_wipe) = buf_make(16 << 20); /* a secret */
	struct fhe_keygen *g = NULL;
	struct err_note note = {0};
	enum err e =
		fhe_keygen_new(&g, &fhe_params_test, BYTES_LIT("example"), rng_system(), &note);

	if (e == ERR_OK)
		e = write_key_set(g, dir, &note);
	if (e == ERR_OK)
		e = fhe_keygen_write_public_key(g, &public_key);
	if (e == ERR_OK)
		e = write_bytes(dir, "public_key.bin", 0644, buf_view(&public_key));
	if (e == ERR_OK)
		e = fhe_client_key_write(fhe_keygen_client_key(g), &client_key);
	if (e == ERR_OK)
		e = write_bytes(dir, "client_key.bin", 0600, buf_view(&client_key));
	fhe_keygen_free(g);
	return e == ERR_OK ? 0 : failed(dir, e, &note);
}

/* ---- a ciphertext ---- */

static enum err read_file(const char *path, struct buf *out)
{
	uint8_t piece[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum err e = fd < 0 ? ERR_IO : ERR_OK;
	ssize_t n;

	while (e == ERR_OK && (n = read(fd, piece, sizeof(piece))) != 0)
		e = n < 0 ? ERR_IO : buf_add(out, bytes_from(piece, (size_t)n));
	if (fd >= 0)
		(void)close(fd);
	secret_wipe(piece, sizeof(piece));
	return e;
}

static int open_ciphertext(const char *key_path, const char *type_name, const char *path)
{
	const struct fhe_type_row *type = fhe_type_by_name(bytes_str(type_name));
	struct buf key_bytes CLEANUP(buf_wipe) = buf_make(16 << 20);
	struct buf ciphertext CLEANUP(buf_free) = buf_make(16 << 20);
	struct fhe_client_key *key = NULL;
	struct fhe_plaintext value;
	struct err_note note = {0};
	const char *what = key_path;
	enum err e = type ? read_file(key_path, &key_bytes) : ERR_UNSUPPORTED;

	if (e == ERR_OK)
		e = fhe_client_key_read(&key, buf_view(&key_bytes), &note);
	if (e == ERR_OK)
		e = read_file(what = path, &ciphertext);
	if (e == ERR_OK)
		e = fhe_decrypt(key, &value, type->type, FHE_SMALL_EXPANDED, buf_view(&ciphertext),
				&note);
	fhe_client_key_free(key);
	if (e != ERR_OK)
		return failed(what, e, &note);
	for (size_t i = value.n; i > 0; i--)
		(void)printf("%02x", value.le[i - 1]);
	(void)printf("\n");
	secret_wipe(&value, sizeof(value));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "make") == 0)
		return make(argv[2]);
	if (argc == 5 && strcmp(argv[1], "open") == 0)
		return open_ciphertext(argv[2], argv[3], argv[4]);
	(void)fprintf(stderr, "usage: example make DIR | open CLIENT_KEY TYPE CIPHERTEXT\n");
	return 2;
}
