/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms-dev-coprocessor: what the coprocessor of the local network computes, on ciphertexts alone: it
 * has public keys and no secret. Built only with the local network, never installed. Exit codes: 0
 * done, 1 failed, 2 not understood.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "cmd/kms_dev_coprocessor.h"
#include "cmd/kms_dev_files.h"
#include "codec/safe_serialize.h"
#include "fhe/expanded.h"

enum {
	EXIT_USAGE = 2,
	THREADS_MAX = 64,
};

static const char usage_text[] =
	"usage: kms-dev-coprocessor COMMAND --key-set FILE [OPTIONS]\n"
	"\n"
	"Computes on ciphertexts with public keys, as the coprocessor of a local network.\n"
	"\n"
	"  expand --list FILE --out DIR\n"
	"      each value of a CompactCiphertextList as FheUint or FheBool, DIR/INDEX.ct\n"
	"  squash (--list FILE | --ciphertext FILE) --out DIR\n"
	"      each value of a list, or one FheUint or FheBool, as the ct128 that a coprocessor\n"
	"      stores, DIR/INDEX.ct128; nothing is overwritten; one JSON line per value\n"
	"  serve --socket PATH\n"
	"      keep the keys in memory and answer on a Unix socket. A request is one JSON line\n"
	"      per connection, {\"list\": FILE, \"out\": DIR} or {\"ciphertext\": FILE, \"out\": "
	"DIR};\n"
	"      the answer {\"objects\": [what squash prints]} or {\"error\": TEXT}\n"
	"\n"
	"  --key-set FILE   CompressedXofKeySet or CompressedServerKey\n"
	"  --threads N      1 to 64; all CPUs otherwise\n"
	"  --help, --version\n"
	"\n"
	"With production parameters keys take 2 GB of memory, and a block of 4 bits 0.2 to 1 s of\n"
	"a CPU; with the set \"test\" nothing takes time.\n";

/* ---- the key set, mapped ---- */

struct mapping {
	void *p;
	size_t n;
};

static void mapping_free(struct mapping *m)
{
	if (m->p)
		(void)munmap(m->p, m->n);
}

static enum err mapping_open(struct mapping *ret_mapping, const char *path, struct err_note *note)
{
	struct mapping m = {0};
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_say(note, ERR_IO, "cannot read %s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    st.st_size > FHE_KEY_SET_SIZE_MAX) {
		(void)close(fd);
		return err_say(note, ERR_IO, "%s: not a file of 1 to %d bytes", path,
			       FHE_KEY_SET_SIZE_MAX);
	}
	m.n = (size_t)st.st_size;
	m.p = mmap(NULL, m.n, PROT_READ, MAP_PRIVATE, fd, 0);
	(void)close(fd);
	if (m.p == MAP_FAILED)
		return err_say(note, ERR_IO, "cannot map %s: %s", path, strerror(errno));
	*ret_mapping = m;
	return ERR_OK;
}

static void server_key_free(struct fhe_server_key **k)
{
	fhe_server_key_free(*k);
}

static enum err server_key_load(struct fhe_server_key **ret_key, const struct mapping *m,
				unsigned uses, unsigned threads, struct err_note *note)
{
	static const char *const names[] = {"high_level_api::CompressedXofKeySet",
					    "high_level_api::CompressedServerKey", NULL};
	const struct fhe_server_options o = {.uses = uses, .threads = threads};
	struct bytes serialized = bytes_from(m->p, m->n);
	struct reader r = reader_of(serialized);
	size_t index;

	TRY(safe_serialize_open(&r, names, &index, note));
	return fhe_server_key_new(ret_key, index == 0 ? FHE_OBJECT_KEY_SET : FHE_OBJECT_SERVER_KEY,
				  serialized, &o, note);
}

/* ---- the work ---- */

static enum err value_put(struct bytes ciphertext, struct fhe_item item, size_t index,
			  const char *out, const char *suffix, json_t *objects,
			  struct err_note *note)
{
	const struct fhe_type_row *type = fhe_item_type(item);
	char name[32], path[DEV_PATH_SIZE_MAX];

	if (!type)
		return err_say(note, ERR_UNSUPPORTED, "value %zu: %llu blocks are no type here",
			       index, (unsigned long long)item.blocks);
	(void)snprintf(name, sizeof(name), "%zu.%s", index, suffix);
	TRY(dev_path_print(path, out, name, note));
	TRY(dev_file_write(out, name, 0644, ciphertext, note));
	return json_array_append_new(objects, dev_object_json(index, type, path, ciphertext)) == 0
		       ? ERR_OK
		       : ERR_NOMEM;
}

static enum err value_squash(const struct dev_coprocessor *c, struct bytes ciphertext, size_t index,
			     const char *out, json_t *objects, struct err_note *note)
{
	CLEANUP(buf_free) struct buf list = buf_make(CIPHERTEXT_SIZE_MAX);
	CLEANUP(fhe_squashed_free) struct fhe_squashed s = {0};

	TRY(fhe_server_squash(c->key, ciphertext, c->threads, &s, note));
	TRY(fhe_server_compress(c->key, &s, c->threads, &list, note));
	return value_put(buf_view(&list), s.item, index, out, "ct128", objects, note);
}

static enum err item_take(const struct dev_coprocessor *c, const struct fhe_compact_list *list,
			  size_t index, const char *out, bool squash, json_t *objects,
			  struct err_note *note)
{
	CLEANUP(buf_free) struct buf ct = buf_make(CIPHERTEXT_SIZE_MAX);
	struct fhe_item item;
	uint64_t block;

	TRY(fhe_server_expand(c->key, list, index, c->threads, &ct, note));
	if (squash)
		return value_squash(c, buf_view(&ct), index, out, objects, note);
	TRY(fhe_compact_list_item(list, index, &item, &block, note));
	return value_put(buf_view(&ct), item, index, out, "ct", objects, note);
}

enum err dev_coprocessor_run(const struct dev_coprocessor *c, const struct dev_request *r,
			     json_t *objects, struct err_note *note)
{
	CLEANUP(buf_free) struct buf in = buf_make(CIPHERTEXT_SIZE_MAX);
	struct fhe_compact_list list;

	if (!r->out || !r->list == !r->ciphertext)
		return err_say(note, ERR_BAD_REQUEST,
			       "a list or a ciphertext is needed, and a directory for the result");
	TRY(dev_file_read(&in, r->list ? r->list : r->ciphertext, note));
	if (r->ciphertext)
		return value_squash(c, buf_view(&in), 0, r->out, objects, note);
	TRY(fhe_compact_list_read(&list, buf_view(&in), note));
	for (size_t i = 0; i < list.items.n; i++)
		TRY(item_take(c, &list, i, r->out, !r->expand_only, objects, note));
	return ERR_OK;
}

/* Prints every object on a line of its own. */
static enum err run_and_print(const struct dev_coprocessor *c, const struct dev_request *r,
			      struct err_note *note)
{
	CLEANUP(json_free_ptr) json_t *objects = json_array();

	if (!objects)
		return ERR_NOMEM;
	TRY(dev_coprocessor_run(c, r, objects, note));
	for (size_t i = 0; i < json_array_size(objects); i++)
		TRY(dev_line_print(json_incref(json_array_get(objects, i))));
	return ERR_OK;
}

/* ---- main ---- */

enum option_code {
	OPTION_HELP = 'h',
	OPTION_VERSION = 'V',
	OPTION_KEY_SET = 256,
	OPTION_LIST,
	OPTION_CIPHERTEXT,
	OPTION_OUT,
	OPTION_SOCKET,
	OPTION_THREADS,
	OPTION_END,
};

static const struct option options[] = {
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"key-set", required_argument, NULL, OPTION_KEY_SET},
	{"list", required_argument, NULL, OPTION_LIST},
	{"ciphertext", required_argument, NULL, OPTION_CIPHERTEXT},
	{"out", required_argument, NULL, OPTION_OUT},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"threads", required_argument, NULL, OPTION_THREADS},
	{NULL, 0, NULL, 0},
};

static const struct command {
	const char *name;
	unsigned uses;
	bool serve, expand_only;
} commands[] = {
	{"expand", FHE_SERVER_EXPAND, false, true},
	{"squash", FHE_SERVER_SQUASH | FHE_SERVER_EXPAND, false, false},
	{"serve", FHE_SERVER_SQUASH | FHE_SERVER_EXPAND, true, false},
};

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static enum err threads_read(unsigned *ret_threads, const char *text, struct err_note *note)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), n;
	char *end;

	errno = 0;
	n = text ? strtol(text, &end, 10) : cpus;
	if (text && (errno || *end || end == text || n < 1 || n > THREADS_MAX))
		return err_say(note, ERR_BAD_REQUEST, "--threads takes 1 to %d", THREADS_MAX);
	*ret_threads = n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
	return ERR_OK;
}

static enum err command_run(const struct command *command, const char *const given[],
			    struct err_note *note)
{
#define GIVEN(code) given[(code)-OPTION_KEY_SET]
	CLEANUP(mapping_free) struct mapping set = {0};
	CLEANUP(server_key_free) struct fhe_server_key *key = NULL;
	const struct dev_request request = {.list = GIVEN(OPTION_LIST),
					    .ciphertext = GIVEN(OPTION_CIPHERTEXT),
					    .out = GIVEN(OPTION_OUT),
					    .expand_only = command->expand_only};
	struct dev_coprocessor c;

	TRY(threads_read(&c.threads, GIVEN(OPTION_THREADS), note));
	if (!GIVEN(OPTION_KEY_SET))
		return err_say(note, ERR_BAD_REQUEST, "--key-set is needed");
	if (command->serve ? !GIVEN(OPTION_SOCKET)
			   : !request.out || !request.list == !request.ciphertext ||
				     (command->expand_only && !request.list))
		return err_say(note, ERR_BAD_REQUEST, "%s: options are missing; see --help",
			       command->name);
	TRY(mapping_open(&set, GIVEN(OPTION_KEY_SET), note));
	TRY(server_key_load(&key, &set, command->uses, c.threads, note));
	c.key = key;
	if (command->serve)
		return dev_coprocessor_serve(&c, GIVEN(OPTION_SOCKET), note);
	return run_and_print(&c, &request, note);
#undef GIVEN
}

int main(int argc, char **argv)
{
	const char *given[OPTION_END - OPTION_KEY_SET] = {0};
	const struct command *command;
	struct err_note note = {0};
	enum err e;
	int c;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		if (c == OPTION_HELP || c == OPTION_VERSION) {
			fputs(c == OPTION_HELP ? usage_text
					       : "kms-dev-coprocessor " CLAVIGER_VERSION "\n",
			      stdout);
			return EXIT_SUCCESS;
		}
		if (c < OPTION_KEY_SET)
			return EXIT_USAGE; /* getopt said why */
		given[c - OPTION_KEY_SET] = optarg;
	}
	command = command_find(optind < argc ? argv[optind] : NULL);
	if (!command || argc - optind > 1) {
		fputs("kms-dev-coprocessor: one command is needed; see --help\n", stderr);
		return EXIT_USAGE;
	}
	e = command_run(command, given, &note);
	if (e == ERR_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "kms-dev-coprocessor: %s\n", note.text[0] ? note.text : err_name(e));
	return e == ERR_BAD_REQUEST ? EXIT_USAGE : EXIT_FAILURE;
}
