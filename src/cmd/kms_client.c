/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms-client: what the owner of a key or of a node does by hand. Exit code 0 done and well, 1 not
 * well or not possible (one line on stderr says what and where), 2 for bad usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/rng.h"
#include "base/secret.h"
#include "cmd/kms_client.h"
#include "codec/safe_serialize.h"
#include "fhe/audit.h"
#include "fhe/key_handles.h"
#include "fhe/team.h"

int client_misused(const struct client_command *c)
{
	(void)fprintf(stderr, "usage: %s %s\nTry %s --help.\n", client_program,
		      c ? c->usage : "COMMAND [OPTIONS]", client_program);
	return CLIENT_BAD_USAGE;
}

int client_version(void)
{
	(void)printf("%s %s\n", client_program, CLAVIGER_VERSION);
	return CLIENT_OK;
}

int client_failed(const char *what, enum err e, const struct err_note *note)
{
	(void)fprintf(stderr, "%s: %s: %s\n", client_program, what,
		      note->text[0] ? note->text : err_name(e));
	return CLIENT_FAILED;
}

/* ---- files ---- */

struct file {
	int fd;
	struct fhe_file_source source;
};

static void file_close(struct file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
}

static enum err file_open(struct file *f, const char *path, struct err_note *note)
{
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return err_say(note, ERR_IO, "%s", strerror(errno));
	return fhe_file_source_init(&f->source, f->fd, note);
}

/* A key and what is recorded beside it, if it comes out of a vault. */
static enum err key_parse(struct fhe_key_handles *ret_handles, struct bytes object,
			  struct err_note *note)
{
	static const char *const names[] = {"high_level_api::ClientKey", "KmsFheKeyHandles", NULL};
	struct reader r = reader_of(object);
	size_t index;

	TRY(safe_serialize_open(&r, names, &index, note));
	if (index == 1)
		return kms_fhe_key_handles_read(ret_handles, object, note);
	*ret_handles = (struct fhe_key_handles){0};
	return fhe_client_key_read(&ret_handles->client_key, object, note);
}

static enum err key_load(struct fhe_key_handles *ret_handles, const char *path,
			 struct err_note *note)
{
	CLEANUP(secret_free) struct secret object = {0};
	CLEANUP(file_close) struct file f = {.fd = -1};

	TRY(file_open(&f, path, note));
	if (f.source.base.size > VAULT_OBJECT_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "%llu bytes are no client key",
			       (unsigned long long)f.source.base.size);
	TRY(secret_alloc(&object, (size_t)f.source.base.size + 1));
	TRY(fhe_source_read(&f.source.base, 0, object.p, object.n - 1, note));
	return key_parse(ret_handles, bytes_from(object.p, object.n - 1), note);
}

/* ---- audit ---- */

/* What can be audited; the digest of which public object of a vault it has. */
static const struct {
	const char *name;
	enum fhe_key_object object;
	uint32_t pub_data;
} auditable[] = {
	{"high_level_api::CompressedXofKeySet", FHE_OBJECT_KEY_SET, FHE_PUB_COMPRESSED_XOF_KEY_SET},
	{"high_level_api::CompressedServerKey", FHE_OBJECT_SERVER_KEY, UINT32_MAX},
	{"high_level_api::CompressedCompactPublicKey", FHE_OBJECT_PUBLIC_KEY, UINT32_MAX},
};

struct audit_options {
	const char *key_file, *object_file;
	bool fast, as_json;
	unsigned threads;
};

/* What was found, and what became of it. */
struct audit_result {
	size_t kind; /* of auditable */
	struct fhe_audit audit;
	const struct hash32 *recorded; /* digest; NULL if there is none */
	enum err verdict;
	struct err_note note;
};

static enum err kind_find(size_t *ret_kind, const struct file *f, struct err_note *note)
{
	const char *names[ARRAY_LEN(auditable) + 1] = {NULL};
	uint8_t head[SAFE_SERIALIZE_NAME_MAX];
	uint64_t size = f->source.base.size;
	size_t n = size < sizeof(head) ? (size_t)size : sizeof(head);
	struct reader r;

	for (size_t i = 0; i < ARRAY_LEN(auditable); i++)
		names[i] = auditable[i].name;
	TRY(fhe_source_read(&f->source.base, 0, head, n, note));
	r = reader_of(bytes_from(head, n));
	return safe_serialize_open(&r, names, ret_kind, note);
}

static const struct hash32 *digest_recorded(const struct fhe_key_handles *h, uint32_t pub_data)
{
	for (size_t i = 0; i < h->metadata.digests_n; i++)
		if (h->metadata.digests[i].pub_data == pub_data)
			return &h->metadata.digests[i].digest;
	return NULL;
}

static enum err audit_judge(struct audit_result *r)
{
	TRY(fhe_audit_verdict(&r->audit, &r->note));
	if (r->recorded && !hash32_eq(*r->recorded, r->audit.digest))
		return err_say(&r->note, ERR_MISMATCH,
			       "every row that was read is sound, but the digest is not the one "
			       "that is recorded with the key");
	return ERR_OK;
}

static enum err audit_run(struct audit_result *r, const struct audit_options *o,
			  const struct fhe_key_handles *key, struct err_note *note)
{
	CLEANUP(file_close) struct file f = {.fd = -1};
	struct fhe_audit_options options = {
		.fast = o->fast, .rng = rng_system(), .threads = o->threads};

	TRY(file_open(&f, o->object_file, note));
	TRY(kind_find(&r->kind, &f, note));
	options.object = auditable[r->kind].object;
	TRY(fhe_audit_run(&r->audit, key->client_key, &f.source.base, &options, note));
	r->recorded = digest_recorded(key, auditable[r->kind].pub_data);
	r->verdict = audit_judge(r);
	return ERR_OK;
}

/* ---- its report ---- */

static void part_print(const struct fhe_audit_part *p)
{
	double bound = (double)(UINT64_C(1) << p->noise);

	(void)printf("%-32s %8" PRIu64 " %8" PRIu64 " %11" PRIu64
		     "   2^%-3u %7.3f %9.4f %9.4f   %s\n",
		     p->name, p->rows, p->rows_read, p->coefficients, p->noise,
		     (double)p->noise_max / bound, p->mean / bound,
		     p->variance / p->variance_expected, fhe_audit_fault_name(p->fault));
	if (p->wrong_messages + p->too_large > 0)
		(void)printf("%-32s row %" PRIu64 ", coefficient %" PRIu64 ", byte %" PRIu64
			     ": the first of %" PRIu64 " with another message and %" PRIu64
			     " with too much noise\n",
			     "", p->first_row, p->first_coefficient, p->first_at, p->wrong_messages,
			     p->too_large);
}

static void report_print(const struct audit_result *r, const struct audit_options *o)
{
	char digest[2 * sizeof(r->audit.digest.b) + 1];

	hex_encode(digest, BYTES_OF(r->audit.digest.b));
	(void)printf("%s, %" PRIu64 " bytes, %s audit\n", strrchr(auditable[r->kind].name, ':') + 1,
		     r->audit.size, o->fast ? "fast" : "full");
	(void)printf("digest 0x%s%s\n\n", digest,
		     !r->recorded ? ""
		     : hash32_eq(*r->recorded, r->audit.digest)
			     ? ", as recorded with the key"
			     : ", not the one recorded with the key");
	(void)printf("%-32s %8s %8s %11s   %-5s %7s %9s %9s\n", "part", "rows", "read", "numbers",
		     "noise", "largest", "mean", "variance");
	for (int i = 0; i < FHE_PART_COUNT; i++)
		if (r->audit.parts[i].rows > 0)
			part_print(&r->audit.parts[i]);
	(void)printf("\nlargest and mean in parts of the bound, variance in parts of what it must "
		     "be\n%s\n",
		     r->verdict == ERR_OK ? "sound" : "NOT SOUND");
}

static json_t *part_json(const struct fhe_audit_part *p)
{
	json_t *v = json_pack("{s:s, s:I, s:I, s:I, s:i, s:I, s:f, s:f, s:f, s:I, s:I, s:s}",
			      "part", p->name, "rows", (json_int_t)p->rows, "rows_read",
			      (json_int_t)p->rows_read, "coefficients", (json_int_t)p->coefficients,
			      "bound_log2", (int)p->noise, "noise_max", (json_int_t)p->noise_max,
			      "mean", p->mean, "variance", p->variance, "variance_expected",
			      p->variance_expected, "wrong_messages", (json_int_t)p->wrong_messages,
			      "noise_too_large", (json_int_t)p->too_large, "verdict",
			      fhe_audit_fault_name(p->fault));

	if (v && p->wrong_messages + p->too_large > 0)
		(void)json_object_set_new(v, "first",
					  json_pack("{s:I, s:I, s:I}", "row",
						    (json_int_t)p->first_row, "coefficient",
						    (json_int_t)p->first_coefficient, "byte",
						    (json_int_t)p->first_at));
	return v;
}

static enum err report_json(const struct audit_result *r, const struct audit_options *o)
{
	CLEANUP(json_free_ptr) json_t *all = NULL;
	CLEANUP(buf_free) struct buf text = buf_make(1 << 16);
	char digest[2 * sizeof(r->audit.digest.b) + 1];
	json_t *parts = json_array();
	const char *line;

	for (int i = 0; i < FHE_PART_COUNT; i++)
		if (r->audit.parts[i].rows > 0)
			(void)json_array_append_new(parts, part_json(&r->audit.parts[i]));
	hex_encode(digest, BYTES_OF(r->audit.digest.b));
	all = json_pack("{s:s, s:I, s:s, s:s+, s:b, s:o}", "object", auditable[r->kind].name,
			"size", (json_int_t)r->audit.size, "audit", o->fast ? "fast" : "full",
			"digest", "0x", digest, "sound", r->verdict == ERR_OK, "parts", parts);
	if (!all)
		return ERR_NOMEM;
	if (r->recorded)
		(void)json_object_set_new(all, "digest_as_recorded",
					  json_boolean(hash32_eq(*r->recorded, r->audit.digest)));
	TRY(json_print(&text, all));
	TRY(buf_cstr(&text, &line));
	return puts(line) < 0 ? ERR_IO : ERR_OK;
}

static unsigned threads_default(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > FHE_TEAM_THREADS_MAX ? FHE_TEAM_THREADS_MAX : (unsigned)n;
}

static int audit_do(const struct audit_options *o)
{
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles key = {0};
	struct audit_result r = {0};
	struct err_note note = {0};
	enum err e = key_load(&key, o->key_file, &note);

	if (e != ERR_OK)
		return client_failed(o->key_file, e, &note);
	e = audit_run(&r, o, &key, &note);
	if (e != ERR_OK)
		return client_failed(o->object_file, e, &note);
	if (o->as_json)
		e = report_json(&r, o);
	else
		report_print(&r, o);
	if (e != ERR_OK || fflush(stdout) != 0)
		return client_failed("standard output", e == ERR_OK ? ERR_IO : e, &note);
	return r.verdict == ERR_OK ? CLIENT_OK : client_failed(o->object_file, r.verdict, &r.note);
}

/* "1" to "64". */
static bool threads_read(unsigned *ret_threads, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '1' || text[0] > '9' || *end != '\0' || n > FHE_TEAM_THREADS_MAX)
		return false;
	*ret_threads = (unsigned)n;
	return true;
}

static int audit(const struct client_command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{"client-key", required_argument, NULL, 'k'},
		{"fast", no_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{"threads", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	struct audit_options o = {.threads = threads_default()};

	for (int c; (c = getopt_long(argc, argv, "k:fjt:hV", options, NULL)) != -1;) {
		if (c == 'k')
			o.key_file = optarg;
		else if (c == 'f')
			o.fast = true;
		else if (c == 'j')
			o.as_json = true;
		else if (c == 'V')
			return client_version();
		else if (c == 'h')
			return printf("usage: %s %s\n\n%s", client_program, self->usage,
				      self->help) < 0;
		else if (c != 't' || !threads_read(&o.threads, optarg))
			return client_misused(self);
	}
	if (optind + 1 != argc || !o.key_file)
		return client_misused(self);
	o.object_file = argv[optind];
	return audit_do(&o);
}

/* ---- the commands ---- */

static const struct client_command commands[] = {
	{"audit", "audit KEYFILE --client-key FILE [--fast] [--json] [--threads N]",
	 "Does a set of public keys belong to a client key? The masks of KEYFILE are made again, "
	 "its\n"
	 "rows are decrypted, and what remains must be noise of the size that the parameters say.\n"
	 "\n"
	 "  KEYFILE             a CompressedXofKeySet, CompressedServerKey or\n"
	 "                      CompressedCompactPublicKey of tfhe-rs 1.6 or 1.7\n"
	 "  -k, --client-key FILE\n"
	 "                      a ClientKey, or the object FhePrivateKey/<epoch>/<key> of a vault; "
	 "with\n"
	 "                      the latter, the digest is compared with the recorded one, too\n"
	 "  -f, --fast          of every part the first row, the last and 256 at random, and the "
	 "digest\n"
	 "                      of all; can miss single wrong rows\n"
	 "  -j, --json          the report as one JSON object\n"
	 "  -t, --threads N     1 to 64; as many as there are CPUs\n"
	 "\n"
	 "Exit code 0: sound. 1: not sound, or no audit was possible; stderr says what is wrong, "
	 "and\n"
	 "where. Whoever may have files of his own choice audited can learn the client key from "
	 "the\n"
	 "answers: let nobody but the owner of the key see them.\n",
	 audit},
	{"status", "status --core URL [OPTIONS] [--store TYPE | ID...]", client_status_help,
	 client_status},
	{"materials", "materials --core URL [OPTIONS]", client_materials_help, client_materials},
	{"health", "health --core URL [OPTIONS]", client_health_help, client_health},
};

static int help(void)
{
	(void)printf("usage: %s COMMAND [OPTIONS]\n\nWhat the owner of a key or of a node does by "
		     "hand.\n\n",
		     client_program);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)printf("%s %s\n\n%s", client_program, commands[i].usage, commands[i].help);
	(void)printf("\n-h, --help; -V, --version\n");
	return CLIENT_OK;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
		return help();
	if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0)
		return client_version();
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(&commands[i], argc - 1, argv + 1);
	if (name[0] && name[0] != '-')
		(void)fprintf(
			stderr,
			"%s: \"%s\" is no command, expected audit, status, materials or health\n",
			client_program, name);
	return client_misused(NULL);
}
