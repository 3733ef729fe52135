/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The C side of ciphertexts.test.mjs. usage:
 *   ciphertext_peer list KEY FILE...    the items of compact and proven lists
 *   ciphertext_peer value KEY FILE...   FheBool, FheUint, FheInt
 *   ciphertext_peer encrypt KEY DIR     reads lines "kind blocks hex" and writes DIR/0, DIR/1, ...
 * The first two print such lines. Kinds: 0 unsigned, 1 signed (two's complement), 2 Boolean; hex is
 * little endian, four blocks a byte. What is read is written again and must be the same.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/rng.h"
#include "fhe/dealer/dealer.h"
#include "fhe/expanded.h"
#include "fhe/keygen/sink.h"
#include "fhe/negacyclic.h"
#include "fhe/proven_list.h"

enum {
	DELTA_LOG = 59,
	BLOCKS_MAX = 128,
};

static struct err_note note;

static void must(enum err e)
{
	if (e == ERR_OK)
		return;
	fprintf(stderr, "%s: %s\n", err_name(e), note.text);
	exit(EXIT_FAILURE);
}

static void value_print(uint32_t kind, uint64_t blocks, const uint8_t *le)
{
	printf("%" PRIu32 " %" PRIu64 " ", kind, blocks);
	for (size_t i = 0; i < (blocks + 3) / 4; i++)
		printf("%02x", le[i]);
	putchar('\n');
}

static void same(const struct buf *written, const struct buf *read)
{
	CHECK(bytes_eq_var(buf_view(written), buf_view(read)));
}

/* ---- lists ---- */

static void list_print(const struct fhe_client_key *k, const struct buf *in)
{
	CLEANUP(buf_free) struct buf out = buf_make(CIPHERTEXT_SIZE_MAX);
	struct fhe_proven_list proven;
	struct fhe_compact_list list;
	struct fhe_plaintext v;
	struct fhe_item item;

	if (fhe_proven_list_read(&proven, buf_view(in), NULL) == ERR_OK) {
		must(fhe_proven_list_write(&proven, &out));
		must(fhe_proven_list_inner(&proven, &list, &note));
	} else {
		must(fhe_compact_list_read(&list, buf_view(in), &note));
		must(fhe_compact_list_write(&list, &out));
	}
	same(&out, in);
	for (size_t i = 0; i < list.items.n; i++) {
		must(fhe_compact_list_decrypt_item(k, &list, i, &item, &v, &note));
		value_print(item.kind, item.blocks, v.le);
	}
}

/* ---- values ---- */

static void value_decrypt(const struct fhe_client_key *k, const struct buf *in)
{
	CLEANUP(buf_free) struct buf out = buf_make(CIPHERTEXT_SIZE_MAX);
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_GLWE);
	uint8_t le[BLOCKS_MAX / 4] = {0};
	struct fhe_expanded v;
	struct fhe_block block;

	must(fhe_small_expanded_read(&v, &k->params, buf_view(in), &note));
	must(fhe_small_expanded_rewrite(&v, &out));
	same(&out, in);
	CHECK(v.radix_blocks <= BLOCKS_MAX);
	for (size_t i = 0; fhe_blocks_next(&v.blocks, &block); i++) {
		uint64_t phase = fhe_word_u64(block.words.p, key.n) -
				 fhe_rotated_dot_u64(block.words.p, key.p, key.n, 0);
		uint64_t m = (phase + (UINT64_C(1) << (DELTA_LOG - 1))) >> DELTA_LOG & 15;

		CHECK(m < 4);
		le[i / 4] |= (uint8_t)(m << (2 * (i % 4)));
	}
	value_print(v.kind, v.radix_blocks, le);
}

/* ---- encryption ---- */

static void block_encrypt(const struct fhe_client_key *k, uint64_t m, struct aes_ctr *stream,
			  struct buf *words)
{
	struct bytes key = fhe_client_key_bits(k, FHE_KEY_GLWE);
	uint8_t *p;
	int64_t e;

	must(buf_add_space(words, 8 * (key.n + 1), &p));
	must(aes_ctr_fill(stream, p, 8 * key.n));
	must(fhe_tuniform_draw(stream, k->params.compute.glwe_noise, &e));
	fhe_word_put_u64(p, key.n,
			 fhe_rotated_dot_u64(p, key.p, key.n, 0) + (m << DELTA_LOG) + (uint64_t)e);
}

static void store(const char *dir, size_t i, const struct buf *b)
{
	struct fhe_file_sink sink;
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%zu", dir, i);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	must(fhe_sink_write(fhe_file_sink_init(&sink, fd, NULL), buf_view(b), &note));
	CHECK(close(fd) == 0);
}

/* "kind blocks hex" */
static bool item_read(char *line, uint32_t *ret_kind, uint64_t *ret_blocks, const char **ret_hex)
{
	const char *words[3];
	char *rest = line;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!(words[i] = strtok_r(rest, " \n", &rest)))
			return false;
	*ret_kind = (uint32_t)strtoul(words[0], NULL, 10);
	*ret_blocks = strtoull(words[1], NULL, 10);
	*ret_hex = words[2];
	return true;
}

static void encrypt(const struct fhe_client_key *k, const char *dir)
{
	CLEANUP(fhe_stream_free) struct aes_ctr *stream = NULL;
	size_t dimension = fhe_client_key_bits(k, FHE_KEY_GLWE).n, n = 0;
	char line[256];
	const char *hex;
	uint32_t kind;
	uint64_t blocks;

	must(fhe_stream_new_random(&stream, rng_system()));
	while (fgets(line, sizeof(line), stdin) && item_read(line, &kind, &blocks, &hex)) {
		CLEANUP(buf_free) struct buf words = buf_make(8 * BLOCKS_MAX * (dimension + 1));
		CLEANUP(buf_free) struct buf out = buf_make(CIPHERTEXT_SIZE_MAX);
		uint8_t le[BLOCKS_MAX / 4] = {0};

		CHECK(blocks >= 1 && blocks <= BLOCKS_MAX);
		must(hex_decode_fixed(le, (size_t)(blocks + 3) / 4, bytes_str(hex)));
		for (size_t i = 0; i < blocks; i++)
			block_encrypt(k, le[i / 4] >> (2 * (i % 4)) & 3, stream, &words);
		must(fhe_small_expanded_write(
			&(struct fhe_blocks_words){.item = {.kind = kind, .blocks = blocks},
						   .words = buf_view(&words),
						   .block_size = 8 * (dimension + 1)},
			k->tag, &out));
		store(dir, n++, &out);
	}
	printf("%zu\n", n);
}

int main(int argc, char **argv)
{
	CLEANUP(buf_wipe) struct buf b = buf_make(CLIENT_KEY_SIZE_MAX);
	struct fhe_client_key *k = NULL;

	if (argc < 4) {
		fputs("usage: ciphertext_peer list|value|encrypt KEY FILE...\n", stderr);
		return 2;
	}
	must(config_read_file(&b, argv[2], &note));
	must(fhe_client_key_read(&k, buf_view(&b), &note));
	if (strcmp(argv[1], "encrypt") == 0)
		encrypt(k, argv[3]);
	for (int i = 3; i < argc && strcmp(argv[1], "encrypt") != 0; i++) {
		CLEANUP(buf_free) struct buf in = buf_make(CIPHERTEXT_SIZE_MAX);

		must(config_read_file(&in, argv[i], &note));
		(strcmp(argv[1], "list") == 0 ? list_print : value_decrypt)(k, &in);
	}
	fhe_client_key_free(k);
	return EXIT_SUCCESS;
}
