/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * kms-gen-keys: the signing key of a node and its public objects. What is there is checked, never
 * overwritten; what is missing is written, so that running it again completes an interrupted run.
 * Exit code as kms-server.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "core/config.h"
#include "core/request_id.h"
#include "core/signing_key.h"
#include "eth/text.h"

extern char **environ;

static const char usage[] =
	"usage: kms-gen-keys [-f FILE]\n"
	"\n"
	"Makes the signing key of a KMS node, or checks the one that is there.\n"
	"\n"
	"  -f, --config-file FILE  configuration, TOML\n"
	"  -h, --help              this text and all configuration keys\n"
	"  -V, --version           version\n"
	"\n"
	"Where keys are written must be said, in FILE or by the environment:\n"
	"KMS_GEN_KEYS__PUBLIC_VAULT__STORAGE__FILE__PATH and the same with PRIVATE_VAULT.\n";

struct keygen {
	const struct keygen_config *config;
	struct vault private_vault, public_vault;
	struct ecdsa *ecdsa;
};

static int help_print(void)
{
	CLEANUP(buf_free) struct buf text = buf_make(1 << 20);

	if (config_reference(&keygen_config_table, &text) != ERR_OK)
		return 1;
	(void)printf("%s\nConfiguration:\n\n%.*s", usage, (int)text.n, (const char *)text.p);
	return 0;
}

/* ---- show_existing ---- */

/* "<type>, <id>[, <value>]": the value only of public text objects. */
static enum err type_show(size_t *shown, const struct vault *v, const char *type, bool text,
			  struct err_note *note)
{
	CLEANUP(vault_ids_free) struct vault_ids ids = {0};

	TRY(vault_list(&ids, v, type, NULL, note));
	for (size_t i = 0; i < ids.n; i++) {
		const struct vault_name name = {.type = type, .id = ids.v[i]};
		CLEANUP(buf_free) struct buf value = buf_make(256);
		char id[REQUEST_ID_TEXT_SIZE];

		request_id_text(id, ids.v[i]);
		if (text)
			TRY(vault_read(&value, v, &name, note));
		(void)printf("%s, %s%s%.*s\n", type, id, text ? ", " : "", (int)value.n,
			     (const char *)value.p);
	}
	*shown += ids.n;
	return ERR_OK;
}

static enum err existing_show(const struct keygen *k, struct err_note *note)
{
	size_t shown = 0;

	TRY(type_show(&shown, &k->private_vault, "SigningKey", false, note));
	for (size_t i = 0; signing_key_public_types[i]; i++) {
		const char *type = signing_key_public_types[i];

		TRY(type_show(&shown, &k->public_vault, type, strstr(type, "Address") != NULL,
			      note));
	}
	if (shown == 0)
		(void)puts("no keys yet");
	return ERR_OK;
}

/* ---- making ---- */

/* Without the private key, public objects mean that a key was lost: a fresh one beside them would
 * hide that. */
static enum err nothing_public(const struct keygen *k, struct err_note *note)
{
	for (size_t i = 0; signing_key_public_types[i]; i++) {
		const struct vault_name name = {.type = signing_key_public_types[i],
						.id = request_id_signing_key};
		CLEANUP(buf_free) struct buf object = buf_make(1 << 12);
		enum err e = vault_read(&object, &k->public_vault, &name, note);

		if (e == ERR_OK || e == ERR_TOO_BIG)
			return err_say(note, ERR_CONFIG_VALUE,
				       "the public vault has a %s but the private vault no "
				       "SigningKey: restore it, or "
				       "use an empty vault",
				       name.type);
		if (e != ERR_NOT_FOUND)
			return e;
	}
	return ERR_OK;
}

static enum err key_open(struct signing_key *ret_key, const struct keygen *k, bool *ret_made,
			 struct err_note *note)
{
	CLEANUP(signing_key_free) struct signing_key key = {0};
	enum err e = signing_key_load(ret_key, k->ecdsa, &k->private_vault, note);

	*ret_made = false;
	if (e != ERR_NOT_FOUND)
		return e;
	if (k->config->repopulate)
		return err_prefix(note, ERR_CONFIG_VALUE, "keygen.repopulate needs a signing key");
	TRY(nothing_public(k, note));
	TRY(signing_key_generate(&key, k->ecdsa, rng_system()));
	TRY(signing_key_store_private(&key, &k->private_vault, note));
	*ret_made = true;
	*ret_key = key;
	key = (struct signing_key){0};
	return ERR_OK;
}

/* A path that means the same wherever it is read. */
static void vault_show(const char *what, const struct vault *v)
{
	char *folder = realpath(v->path, NULL);

	(void)printf("%s: %s/%s\n", what, folder ? folder : v->path, v->prefix);
	free(folder);
}

static enum err keys_make(const struct keygen *k, struct err_note *note)
{
	CLEANUP(signing_key_free) struct signing_key key = {0};
	struct signing_key_public found;
	char address[ADDRESS_TEXT_SIZE];
	bool made;

	TRY(key_open(&key, k, &made, note));
	TRY(signing_key_public_sync(&found, &key, &k->public_vault, true, note));
	address_to_text(address, key.address);
	(void)printf("signing key %s: %s; public objects: %u there, %u written\n", address,
		     made ? "made" : "there already", found.present, found.written);
	vault_show("private vault", &k->private_vault);
	vault_show("public vault", &k->public_vault);
	return ERR_OK;
}

static enum err keygen_run(const char *config_file, struct err_note *note)
{
	CLEANUP(arena_free) struct arena arena = arena_make(1 << 20);
	struct keygen_config config = {0};
	struct keygen k = {.config = &config};
	uint8_t seed[32];

	TRY(core_config_read(&keygen_config_table, config_file, (const char *const *)environ,
			     &config, &arena, note));
	k.private_vault = core_config_vault(&config.private_vault, true);
	k.public_vault = core_config_vault(&config.public_vault, false);
	if (config.show_existing)
		return existing_show(&k, note);
	rng_fill(rng_system(), seed, sizeof(seed));
	TRY(ecdsa_new(&k.ecdsa, seed));

	enum err e = keys_make(&k, note);

	secret_wipe(seed, sizeof(seed));
	ecdsa_free(k.ecdsa);
	return e;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config-file", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char *config_file = NULL;
	struct err_note note = {0};

	(void)umask(022);
	for (int c; (c = getopt_long(argc, argv, "f:hV", options, NULL)) != -1;) {
		switch (c) {
		case 'f':
			config_file = optarg;
			break;
		case 'h':
			return help_print();
		case 'V':
			(void)puts("kms-gen-keys " CLAVIGER_VERSION);
			return 0;
		default:
			(void)fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fputs(usage, stderr);
		return 2;
	}

	enum err e = keygen_run(config_file, &note);

	if (e != ERR_OK)
		(void)fprintf(stderr, "kms-gen-keys: %s: %s\n", err_name(e), note.text);
	return e == ERR_OK ? 0 : 1;
}
