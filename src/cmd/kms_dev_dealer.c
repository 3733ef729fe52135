/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms-dev-dealer: FHE keys in the clear for the local network, and the ciphertexts that a
 * coprocessor would hold there. Built only with the local network, never installed. Exit codes: 0
 * done, 1 failed, 2 not understood.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/limits.h"
#include "base/rng.h"
#include "cmd/kms_dev_deal.h"
#include "cmd/kms_dev_files.h"
#include "cmd/kms_dev_inspect.h"
#include "crypto/sha.h"
#include "fhe/dealer/dealer.h"
#include "fhe/keygen/keygen.h"

enum {
	EXIT_USAGE = 2,
	KEY_SET_THREADS = 2,
};

/* The epoch that a KMS starts with. */
static const char epoch_default[] =
	"0800000000000000000000000000000000000000000000000000000000000001";

static const char usage_text[] =
	"usage: kms-dev-dealer COMMAND [OPTIONS]\n"
	"\n"
	"Deals FHE keys in the clear for a local network. Never use its keys for anything else.\n"
	"\n"
	"  keygen --key-id HEX64 --out DIR [--params default|v1_6|test] [--epoch HEX64]\n"
	"         [--key-set]\n"
	"      make a key: DIR/client_key.bin, DIR/public_key.bin and the two objects of a\n"
	"      centralised KMS, DIR/PRIV/FhePrivateKey/EPOCH/KEY and DIR/PUB/PublicKey/KEY;\n"
	"      with --key-set also what coprocessors compute with, DIR/key_set.bin (511 MB for\n"
	"      production parameters)\n"
	"  deal --client-key FILE --parties N --threshold T --out DIR [--epoch HEX64]\n"
	"       [--public-key FILE]\n"
	"      cut a key (a client_key.bin, or the object of a centralised KMS) into the shares\n"
	"      of N nodes, of which any T + 1 together have the key again:\n"
	"      DIR/PRIV-pI/FheKeyShares/EPOCH/KEY for I from 1 to N, and DIR/PUB-pI/PublicKey/KEY\n"
	"      if there is a public key\n"
	"  squash --client-key FILE --list FILE --out DIR\n"
	"      decrypt a CompactCiphertextList and write each value as the ct128 that a\n"
	"      coprocessor would store, DIR/INDEX.ct128; one JSON line per value\n"
	"  decrypt --client-key FILE --type TYPE FILE\n"
	"      decrypt a ct128 and print its value, big endian\n"
	"  inspect FILE\n"
	"      say what a serialised TFHE object is\n"
	"  --help, --version\n";

/* ---- client keys ---- */

static void client_key_free(struct fhe_client_key **k)
{
	fhe_client_key_free(*k);
}

/* ---- keygen ---- */

struct keygen_options {
	const char *key_id, *out, *params, *epoch;
	bool key_set;
};

static enum err vault_write(const struct keygen_options *o, const struct fhe_client_key *key,
			    struct bytes public_key, struct err_note *note)
{
	CLEANUP(buf_wipe) struct buf handles = buf_make(DEV_HANDLES_SIZE_MAX);
	struct fhe_key_metadata m = {.digests_n = 1, .digests[0].pub_data = FHE_PUB_PUBLIC_KEY};
	char name[DEV_PATH_SIZE_MAX];

	memcpy(m.key_id.b, fhe_client_key_tag(key).p, sizeof(m.key_id.b));
	TRY(kms_digest(&m.digests[0].digest, "PDAT_KEY", public_key));
	TRY(kms_fhe_key_handles_write(key, &m, &handles));
	(void)snprintf(name, sizeof(name), "PRIV/FhePrivateKey/%s/%s", o->epoch, o->key_id);
	TRY(dev_file_write(o->out, name, 0600, buf_view(&handles), note));
	(void)snprintf(name, sizeof(name), "PUB/PublicKey/%s", o->key_id);
	return dev_file_write(o->out, name, 0644, public_key, note);
}

static void keygen_free(struct fhe_keygen **g)
{
	fhe_keygen_free(*g);
}

static enum err key_set_write(const struct keygen_options *o, const struct fhe_keygen *g,
			      struct err_note *note)
{
	char path[DEV_PATH_SIZE_MAX];
	struct fhe_file_sink sink;
	enum err e;
	int fd;

	TRY(dev_path_print(path, o->out, "key_set.bin", note));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_say(note, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	e = fhe_keygen_write(g, FHE_OBJECT_KEY_SET, fhe_file_sink_init(&sink, fd, NULL),
			     KEY_SET_THREADS, note);
	if (close(fd) != 0 && e == ERR_OK)
		e = err_say(note, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	return e;
}

static enum err keygen_write(const struct keygen_options *o, const struct fhe_keygen *g,
			     struct err_note *note)
{
	const struct fhe_client_key *key = fhe_keygen_client_key(g);
	CLEANUP(buf_wipe) struct buf client = buf_make(CLIENT_KEY_SIZE_MAX);
	CLEANUP(buf_free) struct buf public = buf_make(CLIENT_KEY_SIZE_MAX);

	TRY(fhe_client_key_write(key, &client));
	TRY(fhe_keygen_write_public_key(g, &public));
	TRY(dev_file_write(o->out, "client_key.bin", 0600, buf_view(&client), note));
	TRY(dev_file_write(o->out, "public_key.bin", 0644, buf_view(&public), note));
	if (o->key_set)
		TRY(key_set_write(o, g, note));
	return vault_write(o, key, buf_view(&public), note);
}

static enum err keygen(const struct keygen_options *o, struct err_note *note)
{
	CLEANUP(keygen_free) struct fhe_keygen *g = NULL;
	const struct fhe_params *params = fhe_params_by_name(o->params);
	struct hash32 id, epoch;

	if (!o->key_id || !o->out)
		return err_say(note, ERR_BAD_REQUEST, "keygen needs --key-id and --out");
	if (!params || strlen(o->key_id) != 64 ||
	    hex_decode_fixed(id.b, 32, bytes_str(o->key_id)) != ERR_OK || strlen(o->epoch) != 64 ||
	    hex_decode_fixed(epoch.b, 32, bytes_str(o->epoch)) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST,
			       "--key-id and --epoch take 64 hexadecimal digits, --params one of "
			       "default, v1_6, test");
	TRY(fhe_keygen_new(&g, params, BYTES_OF(id.b), rng_system(), note));
	return keygen_write(o, g, note);
}

/* ---- squash ---- */

struct squash_options {
	const char *client_key, *list, *out;
};

static enum err squash_item(const struct squash_options *o, const struct fhe_client_key *key,
			    const struct fhe_compact_list *list, size_t index,
			    struct err_note *note)
{
	CLEANUP(buf_free) struct buf ciphertext = buf_make(CIPHERTEXT_SIZE_MAX);
	const struct fhe_type_row *type;
	struct fhe_plaintext value;
	char name[32], path[DEV_PATH_SIZE_MAX];
	enum err e;

	TRY(fhe_compact_list_decrypt(key, list, index, &type, &value, note));
	e = fhe_squashed_list_encrypt(key, type, &value, rng_system(), &ciphertext);
	secret_wipe(&value, sizeof(value));
	if (e != ERR_OK)
		return err_say(note, e, "item %zu (%s) cannot be encrypted under this key: %s",
			       index, type->name, err_name(e));
	(void)snprintf(name, sizeof(name), "%zu.ct128", index);
	TRY(dev_path_print(path, o->out, name, note));
	TRY(dev_file_write(o->out, name, 0644, buf_view(&ciphertext), note));
	return dev_line_print(dev_object_json(index, type, path, buf_view(&ciphertext)));
}

static enum err squash(const struct squash_options *o, struct err_note *note)
{
	CLEANUP(buf_free) struct buf list_bytes = buf_make(CIPHERTEXT_SIZE_MAX);
	CLEANUP(client_key_free) struct fhe_client_key *key = NULL;
	struct fhe_compact_list list;

	if (!o->client_key || !o->list || !o->out)
		return err_say(note, ERR_BAD_REQUEST,
			       "squash needs --client-key, --list and --out");
	TRY(dev_client_key_load(&key, NULL, o->client_key, note));
	TRY(dev_file_read(&list_bytes, o->list, note));
	TRY(fhe_compact_list_read(&list, buf_view(&list_bytes), note));
	for (size_t i = 0; i < list.items.n; i++)
		TRY(squash_item(o, key, &list, i, note));
	return ERR_OK;
}

/* ---- decrypt ---- */

struct decrypt_options {
	const char *client_key, *type, *ciphertext;
};

static void value_print(const struct fhe_plaintext *v)
{
	fputs("0x", stdout);
	for (size_t i = v->n; i > 0; i--)
		printf("%02x", v->le[i - 1]);
	putchar('\n');
}

static enum err decrypt(const struct decrypt_options *o, struct err_note *note)
{
	CLEANUP(buf_free) struct buf ciphertext = buf_make(CIPHERTEXT_SIZE_MAX);
	CLEANUP(client_key_free) struct fhe_client_key *key = NULL;
	const struct fhe_type_row *type = fhe_type_by_name(bytes_str(o->type));
	struct fhe_plaintext value;

	if (!o->client_key || !o->ciphertext || !type)
		return err_say(note, ERR_BAD_REQUEST,
			       "decrypt needs --client-key, --type (such as uint64) and a file");
	TRY(dev_client_key_load(&key, NULL, o->client_key, note));
	TRY(dev_file_read(&ciphertext, o->ciphertext, note));
	TRY(fhe_decrypt(key, &value, type->type, FHE_BIG_COMPRESSED, buf_view(&ciphertext), note));
	value_print(&value);
	secret_wipe(&value, sizeof(value));
	return ERR_OK;
}

/* ---- inspect ---- */

static enum err inspect(const char *path, struct err_note *note)
{
	CLEANUP(buf_wipe) struct buf object = buf_make(CIPHERTEXT_SIZE_MAX);

	if (!path)
		return err_say(note, ERR_BAD_REQUEST, "inspect needs a file");
	TRY(dev_file_read(&object, path, note));
	return kms_dev_inspect(buf_view(&object), note);
}

/* ---- main ---- */

enum option_code {
	OPTION_HELP = 'h',
	OPTION_VERSION = 'V',
	OPTION_KEY_ID = 256,
	OPTION_OUT,
	OPTION_PARAMS,
	OPTION_EPOCH,
	OPTION_CLIENT_KEY,
	OPTION_LIST,
	OPTION_TYPE,
	OPTION_KEY_SET,
	OPTION_PARTIES,
	OPTION_THRESHOLD,
	OPTION_PUBLIC_KEY,
	OPTION_LAST = OPTION_PUBLIC_KEY,
};

static const struct option options[] = {
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"key-id", required_argument, NULL, OPTION_KEY_ID},
	{"out", required_argument, NULL, OPTION_OUT},
	{"params", required_argument, NULL, OPTION_PARAMS},
	{"epoch", required_argument, NULL, OPTION_EPOCH},
	{"client-key", required_argument, NULL, OPTION_CLIENT_KEY},
	{"list", required_argument, NULL, OPTION_LIST},
	{"type", required_argument, NULL, OPTION_TYPE},
	{"key-set", no_argument, NULL, OPTION_KEY_SET},
	{"parties", required_argument, NULL, OPTION_PARTIES},
	{"threshold", required_argument, NULL, OPTION_THRESHOLD},
	{"public-key", required_argument, NULL, OPTION_PUBLIC_KEY},
	{NULL, 0, NULL, 0},
};

static enum err command_run(const char *command, const char *const given[], const char *argument,
			    struct err_note *note)
{
#define GIVEN(code) given[(code)-OPTION_KEY_ID]
	if (command && strcmp(command, "keygen") == 0 && !argument)
		return keygen(&(struct keygen_options){GIVEN(OPTION_KEY_ID), GIVEN(OPTION_OUT),
						       GIVEN(OPTION_PARAMS), GIVEN(OPTION_EPOCH),
						       GIVEN(OPTION_KEY_SET) != NULL},
			      note);
	if (command && strcmp(command, "deal") == 0 && !argument)
		return dev_deal(&(struct dev_deal_options){.client_key = GIVEN(OPTION_CLIENT_KEY),
							   .public_key = GIVEN(OPTION_PUBLIC_KEY),
							   .parties = GIVEN(OPTION_PARTIES),
							   .threshold = GIVEN(OPTION_THRESHOLD),
							   .epoch = GIVEN(OPTION_EPOCH),
							   .out = GIVEN(OPTION_OUT)},
				note);
	if (command && strcmp(command, "squash") == 0 && !argument)
		return squash(&(struct squash_options){GIVEN(OPTION_CLIENT_KEY), GIVEN(OPTION_LIST),
						       GIVEN(OPTION_OUT)},
			      note);
	if (command && strcmp(command, "decrypt") == 0)
		return decrypt(&(struct decrypt_options){GIVEN(OPTION_CLIENT_KEY),
							 GIVEN(OPTION_TYPE), argument},
			       note);
	if (command && strcmp(command, "inspect") == 0)
		return inspect(argument, note);
#undef GIVEN
	return err_say(note, ERR_BAD_REQUEST, "%s; see --help",
		       command ? "no such command" : "no command");
}

int main(int argc, char **argv)
{
	const char *given[OPTION_LAST - OPTION_KEY_ID + 1] = {
		[OPTION_PARAMS - OPTION_KEY_ID] = "default",
		[OPTION_EPOCH - OPTION_KEY_ID] = epoch_default};
	struct err_note note = {0};
	enum err e;
	int c;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		if (c == OPTION_HELP || c == OPTION_VERSION) {
			fputs(c == OPTION_HELP ? usage_text
					       : "kms-dev-dealer " CLAVIGER_VERSION "\n",
			      stdout);
			return EXIT_SUCCESS;
		}
		if (c < OPTION_KEY_ID)
			return EXIT_USAGE; /* getopt said why */
		given[c - OPTION_KEY_ID] = optarg ? optarg : "";
	}
	if (argc - optind > 2) {
		fputs("kms-dev-dealer: too many arguments; see --help\n", stderr);
		return EXIT_USAGE;
	}
	e = command_run(optind < argc ? argv[optind] : NULL, given,
			optind + 1 < argc ? argv[optind + 1] : NULL, &note);
	if (e == ERR_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "kms-dev-dealer: %s\n", note.text[0] ? note.text : err_name(e));
	return e == ERR_BAD_REQUEST ? EXIT_USAGE : EXIT_FAILURE;
}
