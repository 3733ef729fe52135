/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The C side of crs.test.mjs. usage:
 *   crs_peer make SET BITS FILE   a new CRS, by system randomness; prints its digest
 *   crs_peer copy FROM TO         reads and checks a CRS, writes what was read; prints its numbers
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config.h"
#include "base/rng.h"
#include "crypto/sha.h"
#include "fhe/crs.h"
#include "fhe/keygen/sink.h"

enum {
	THREADS = 2
};

static int refuse(const struct err_note *note)
{
	fprintf(stderr, "%s\n", note->text);
	return EXIT_FAILURE;
}

static void store(const char *path, const struct buf *b)
{
	struct fhe_file_sink sink;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	CHECK(fd >= 0);
	CHECK(fhe_sink_write(fhe_file_sink_init(&sink, fd, NULL), buf_view(b), NULL) == ERR_OK);
	CHECK(close(fd) == 0);
}

static int make(const char *set, const char *bits, const char *path)
{
	CLEANUP(buf_free) struct buf out = buf_make(FHE_CRS_SIZE_MAX);
	const struct fhe_params *params = fhe_params_by_name(set);
	struct err_note note = {0};
	struct fhe_crs c;
	struct hash32 digest;

	CHECK(params);
	if (fhe_crs_describe(&c, &params->pke, (uint32_t)strtoul(bits, NULL, 10), &note) != ERR_OK)
		return refuse(&note);
	c.has_sid = true;
	rng_fill(rng_system(), (uint8_t *)&c.sid_low, sizeof(c.sid_low));
	rng_fill(rng_system(), (uint8_t *)&c.sid_high, sizeof(c.sid_high));
	CHECK(fhe_crs_make(&c, rng_system(), THREADS, &out) == ERR_OK);
	CHECK(kms_digest(&digest, FHE_CRS_DSEP, buf_view(&out)) == ERR_OK);
	store(path, &out);
	for (size_t i = 0; i < sizeof(digest.b); i++)
		printf("%02x", digest.b[i]);
	putchar('\n');
	return EXIT_SUCCESS;
}

static int copy(const char *from, const char *to)
{
	CLEANUP(buf_free) struct buf in = buf_make(FHE_CRS_SIZE_MAX);
	CLEANUP(buf_free) struct buf out = buf_make(FHE_CRS_SIZE_MAX);
	struct err_note note = {0};
	struct fhe_crs c;

	CHECK(config_read_file(&in, from, NULL) == ERR_OK);
	if (fhe_crs_read(&c, buf_view(&in), &note) != ERR_OK ||
	    fhe_crs_check(&c, THREADS, &note) != ERR_OK)
		return refuse(&note);
	CHECK(fhe_crs_write(&c, &out) == ERR_OK);
	store(to, &out);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", c.d, c.n, fhe_crs_bits(&c));
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "make") == 0)
		return make(argv[2], argv[3], argv[4]);
	if (argc == 4 && strcmp(argv[1], "copy") == 0)
		return copy(argv[2], argv[3]);
	fputs("usage: crs_peer make SET BITS FILE | copy FROM TO\n", stderr);
	return 2;
}
