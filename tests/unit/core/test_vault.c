/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* The vault and the signing key in it: published objects byte for byte, permissions, nothing
 * overwritten. */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/limits.h"
#include "base/rng.h"
#include "codec/safe_serialize.h"
#include "support.h"

struct world {
	struct folder folder;
	char path[128];
	struct vault private_vault, public_vault;
	struct ecdsa *ecdsa;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	folder_make(&w->folder);
	(void)snprintf(w->path, sizeof(w->path), "%s/deep/keys", w->folder.path);
	w->private_vault = (struct vault){.path = w->path, .prefix = "PRIV", .private = true};
	w->public_vault = (struct vault){.path = w->path, .prefix = "PUB"};
	OK(ecdsa_new(&w->ecdsa, (uint8_t[32]){3}));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	ecdsa_free(w->ecdsa);
	folder_remove(&w->folder);
	free(w);
	return 0;
}

static const struct vault_name object_name = {.type = "SigningKey", .id = {{[31] = 9}}};

static void object_path(char out[512], const struct world *w, const struct vault *v,
			const char *type, struct hash32 id)
{
	char text[REQUEST_ID_TEXT_SIZE];

	(void)w;
	request_id_text(text, id);
	(void)snprintf(out, 512, "%s/%s/%s/%s", v->path, v->prefix, type, text);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (unsigned)st.st_mode & 07777;
}

/* The body of what is stored is the object that upstream published; the header names its type. */
static void test_published_objects(void **state)
{
	struct world *w = *state;
	struct buf secret = vector_read("core/kms_private_sig_key.bcode");
	struct buf public = vector_read("core/kms_public_sig_key.bcode");
	struct buf encoded = buf_make(512), header = buf_make(512);
	struct bincode_writer hw = {.out = &header};
	struct signing_key key;

	test_signer(&key, w->ecdsa);
	assert_memory_equal(key.key.p, &secret.p[12], 32);

	OK(signing_key_encode_private(&encoded, &key));
	safe_serialize_begin(&hw, "PrivateSigKey");
	assert_int_equal(encoded.n, header.n + secret.n);
	assert_memory_equal(encoded.p, header.p, header.n);
	assert_memory_equal(&encoded.p[header.n], secret.p, secret.n);

	/* The published keys are not a pair; the public form is checked with the published point.
	 */
	struct public_key33 pk;

	buf_clear(&encoded);
	buf_clear(&header);
	assert_int_equal(public.n, 12 + sizeof(pk.b));
	memcpy(pk.b, &public.p[12], sizeof(pk.b));
	OK(signing_key_encode_public(&encoded, pk));
	safe_serialize_begin(&hw, "PublicSigKey");
	assert_int_equal(encoded.n, header.n + public.n);
	assert_memory_equal(&encoded.p[header.n], public.p, public.n);

	signing_key_free(&key);
	buf_free(&secret);
	buf_free(&public);
	buf_free(&encoded);
	buf_free(&header);
}

static void test_ids(void **state)
{
	(void)state;
	struct hash32 id, derived;
	char text[REQUEST_ID_TEXT_SIZE];

	OK(request_id_derive(&derived, "SIGNING_KEY_ID"));
	assert_memory_equal(derived.b, request_id_signing_key.b, 32);
	OK(request_id_derive(&derived, "SIGNING_KEY_ID_Ed25519"));
	request_id_text(text, derived);
	assert_string_equal(text,
			    "ab71324874cb68940288a7262f9af0f984a2a55c529d9728d03310dfc91a2b41");

	const char *good =
		"  0x0700000000000000000000000000000000000000000000000000000000ABcdef\t\n";

	OK(request_id_parse(&id, bytes_str(good)));
	request_id_text(text, id);
	assert_string_equal(text,
			    "0700000000000000000000000000000000000000000000000000000000abcdef");

	const char *bad[] = {
		"",
		"0x",
		"07",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"070000000000000000000000000000000000000000000000000000000000000",
		"07000000000000000000000000000000000000000000000000000000000000010",
		"0x0x0000000000000000000000000000000000000000000000000000000000000001",
		"070000000000000000000000000000 0000000000000000000000000000000001",
		"g700000000000000000000000000000000000000000000000000000000000001",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(request_id_parse(&id, bytes_str(bad[i])), ERR_BAD_REQUEST);
}

static void test_never_overwritten(void **state)
{
	struct world *w = *state;
	struct buf back = buf_make(64);
	struct secret s = {0};
	char path[512];

	assert_int_equal(vault_read_secret(&s, &w->private_vault, &object_name, NULL),
			 ERR_NOT_FOUND);
	OK(vault_write(&w->private_vault, &object_name, BYTES_LIT("first"), NULL));
	assert_int_equal(vault_write(&w->private_vault, &object_name, BYTES_LIT("second"), NULL),
			 ERR_ALREADY_DONE);
	OK(vault_read_secret(&s, &w->private_vault, &object_name, NULL));
	assert_true(secret_eq(secret_view(&s), BYTES_LIT("first")));
	secret_free(&s);

	object_path(path, w, &w->private_vault, object_name.type, object_name.id);
	assert_int_equal(mode_of(path), 0600);
	*strrchr(path, '/') = '\0';
	assert_int_equal(mode_of(path), 0700);

	OK(vault_write(&w->public_vault, &object_name, BYTES_LIT("open"), NULL));
	OK(vault_read(&back, &w->public_vault, &object_name, NULL));
	assert_true(bytes_eq_var(buf_view(&back), BYTES_LIT("open")));
	object_path(path, w, &w->public_vault, object_name.type, object_name.id);
	assert_int_equal(mode_of(path), 0644);
	buf_free(&back);
}

static void test_permissions(void **state)
{
	struct world *w = *state;
	static const unsigned modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0777};
	struct err_note note;
	struct secret s = {0};
	char path[512];

	OK(vault_write(&w->private_vault, &object_name, BYTES_LIT("key"), NULL));
	object_path(path, w, &w->private_vault, object_name.type, object_name.id);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_int_equal(vault_read_secret(&s, &w->private_vault, &object_name, &note),
				 ERR_CONFIG_FILE);
		assert_non_null(strstr(note.text, "chmod 600"));
	}
	assert_int_equal(chmod(path, 0400), 0);
	OK(vault_read_secret(&s, &w->private_vault, &object_name, NULL));
	secret_free(&s);

	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
		assert_int_equal(vault_read_secret(&s, &w->private_vault, &object_name, &note),
				 ERR_CONFIG_FILE);
		assert_non_null(strstr(note.text, "belongs to user 12345"));
	}
}

/* As another user; 0: could be read. Only for root. */
static int read_as(uid_t user, gid_t group, const struct vault *v)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct secret s = {0};

		if (setgroups(0, NULL) != 0 || setgid(group) != 0 || setuid(user) != 0)
			_exit(3);
		_exit(vault_read_secret(&s, v, &object_name, NULL) == ERR_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A mounted secret: a link to a link to a file of root's, which our group may read. */
static void test_mounted_secrets(void **state)
{
	enum {
		GROUP = 2000,
		USER = 1000
	};
	static const struct {
		mode_t mode;
		uid_t owner;
		gid_t group; /* of the reader */
		int expected;
	} rows[] = {
		{0440, 0, GROUP, 0},        {0640, 0, GROUP, 0},    {0440, 0, GROUP + 1, 1},
		{0660, 0, GROUP, 1},        {0444, 0, GROUP, 1},    {0644, 0, GROUP, 1},
		{0450, 0, GROUP, 1},        {0400, USER, GROUP, 0}, {0440, USER, GROUP, 1},
		{0440, USER + 1, GROUP, 1}, {0644, USER, GROUP, 1}, {0777, USER, GROUP, 1},
	};
	struct world *w = *state;
	struct err_note note = {0};
	struct secret s = {0};
	char path[512], data[512], file[600];
	int fd;

	/* The folder is made by writing; then the object becomes a link. */
	OK(vault_write(&w->private_vault, &object_name, BYTES_LIT("key"), NULL));
	object_path(path, w, &w->private_vault, object_name.type, object_name.id);
	(void)snprintf(data, sizeof(data), "%s/PRIV/SigningKey/..2026", w->path);
	(void)snprintf(file, sizeof(file), "%s/key", data);
	assert_int_equal(mkdir(data, 0755), 0);
	assert_int_equal(rename(path, file), 0);
	(void)snprintf(data, sizeof(data), "%s/PRIV/SigningKey/..data", w->path);
	assert_int_equal(symlink("..2026", data), 0);
	assert_int_equal(symlink("..data/key", path), 0);
	OK(vault_read_secret(&s, &w->private_vault, &object_name, NULL));
	assert_true(secret_eq(secret_view(&s), BYTES_LIT("key")));
	secret_free(&s);
	/* The link's own mode is 0777; that of the file counts. */
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(vault_read_secret(&s, &w->private_vault, &object_name, &note),
			 ERR_CONFIG_FILE);
	assert_non_null(strstr(note.text, "open to other users (mode 0644)"));
	if (geteuid() != 0)
		return;
	/* The way to it is open. */
	for (char *c = &file[strlen(w->folder.path)]; *c; c++)
		if (*c == '/') {
			*c = '\0';
			assert_int_equal(chmod(file, 0755), 0);
			*c = '/';
		}
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(fchown(fd, rows[i].owner, GROUP), 0);
		assert_int_equal(fchmod(fd, rows[i].mode), 0);
		if (read_as(USER, rows[i].group, &w->private_vault) != rows[i].expected)
			fail_msg("mode %04o, owner %u", (unsigned)rows[i].mode,
				 (unsigned)rows[i].owner);
	}
	(void)close(fd);
}

static void test_odd_objects(void **state)
{
	struct world *w = *state;
	struct secret s = {0};
	struct vault_name other = object_name;
	char path[512];
	int fd;

	OK(vault_write(&w->private_vault, &object_name, BYTES_LIT("key"), NULL));
	object_path(path, w, &w->private_vault, object_name.type, object_name.id);
	assert_int_equal(truncate(path, VAULT_OBJECT_SIZE_MAX + 1), 0);
	assert_int_equal(vault_read_secret(&s, &w->private_vault, &object_name, NULL), ERR_TOO_BIG);

	other.id.b[31] = 10; /* a pipe must not block us */
	object_path(path, w, &w->private_vault, other.type, other.id);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(vault_read_secret(&s, &w->private_vault, &other, NULL), ERR_CONFIG_FILE);

	other.id.b[31] = 11;
	object_path(path, w, &w->private_vault, other.type, other.id);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(vault_read_secret(&s, &w->private_vault, &other, NULL), ERR_CONFIG_FILE);

	other.id.b[31] =
		12; /* what a killed writer of our process number left behind is no obstacle */
	object_path(path, w, &w->private_vault, other.type, other.id);
	(void)snprintf(&path[strlen(path)], 64, ".%ld.partial", (long)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	OK(vault_write(&w->private_vault, &other, BYTES_LIT("key"), NULL));
	assert_int_equal(access(path, F_OK), -1);
}

static void test_list(void **state)
{
	struct world *w = *state;
	static const uint8_t order[] = {7, 3, 200, 1};
	struct vault_ids ids;
	char path[512];
	int fd;

	OK(vault_list(&ids, &w->private_vault, "FhePrivateKey", NULL, NULL));
	assert_int_equal(ids.n, 0);
	vault_ids_free(&ids);
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		const struct vault_name name = {.type = "FhePrivateKey",
						.epoch = &request_id_default_epoch,
						.id = {{[0] = order[i]}}};

		OK(vault_write(&w->private_vault, &name, BYTES_LIT("x"), NULL));
	}
	/* A stray file must not stop a node from starting. */
	(void)snprintf(path, sizeof(path), "%s/PRIV/FhePrivateKey/README", w->path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);

	OK(vault_list(&ids, &w->private_vault, "FhePrivateKey", NULL, NULL));
	assert_int_equal(ids.n, 1);
	assert_memory_equal(ids.v[0].b, request_id_default_epoch.b, 32);
	vault_ids_free(&ids);
	OK(vault_list(&ids, &w->private_vault, "FhePrivateKey", &request_id_default_epoch, NULL));
	assert_int_equal(ids.n, 4);
	assert_int_equal(ids.v[0].b[0], 1);
	assert_int_equal(ids.v[3].b[0], 200);
	vault_ids_free(&ids);
}

static void test_signing_key_life(void **state)
{
	struct world *w = *state;
	struct signing_key made, loaded, other;
	struct signing_key_public found;
	struct err_note note;

	assert_int_equal(signing_key_load(&loaded, w->ecdsa, &w->private_vault, NULL),
			 ERR_NOT_FOUND);
	OK(signing_key_generate(&made, w->ecdsa, rng_system()));
	OK(signing_key_generate(&other, w->ecdsa, rng_system()));
	assert_memory_not_equal(made.key.p, other.key.p, 32);
	OK(signing_key_store_private(&made, &w->private_vault, NULL));
	assert_int_equal(signing_key_store_private(&other, &w->private_vault, NULL),
			 ERR_ALREADY_DONE);
	OK(signing_key_load(&loaded, w->ecdsa, &w->private_vault, NULL));
	assert_memory_equal(loaded.address.b, made.address.b, 20);

	OK(signing_key_public_sync(&found, &made, &w->public_vault, false, NULL));
	assert_int_equal(found.missing, 4);
	OK(signing_key_public_sync(&found, &made, &w->public_vault, true, NULL));
	assert_int_equal(found.written, 4);
	OK(signing_key_public_sync(&found, &made, &w->public_vault, true, NULL));
	assert_int_equal(found.present, 4);
	assert_int_equal(found.written, 0);
	assert_int_equal(signing_key_public_sync(&found, &other, &w->public_vault, true, &note),
			 ERR_CONFIG_VALUE);
	assert_non_null(strstr(note.text, "VerfKey"));
	signing_key_free(&made);
	signing_key_free(&loaded);
	signing_key_free(&other);
}

static void test_bad_signing_keys(void **state)
{
	struct world *w = *state;
	const struct vault_name name = {.type = "SigningKey", .id = request_id_signing_key};
	static const struct {
		const char *type;
		uint32_t version;
		size_t n;
		uint8_t fill;
		size_t extra;
	} rows[] = {
		{"PublicSigKey", 0, 32, 1, 0},    {"PrivateSigKey", 1, 32, 1, 0},
		{"PrivateSigKey", 0, 31, 1, 0},   {"PrivateSigKey", 0, 33, 1, 0},
		{"PrivateSigKey", 0, 32, 0, 0},   /* zero */
		{"PrivateSigKey", 0, 32, 255, 0}, /* above the group order */
		{"PrivateSigKey", 0, 32, 1, 1},
	};
	char path[512];

	object_path(path, w, &w->private_vault, name.type, name.id);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf object = buf_make(512);
		struct bincode_writer bw = {.out = &object};
		struct signing_key key;
		uint8_t scalar[64];

		memset(scalar, rows[i].fill, sizeof(scalar));
		safe_serialize_begin(&bw, rows[i].type);
		bincode_put_u32(&bw, rows[i].version);
		bincode_put_vec(&bw, bytes_from(scalar, rows[i].n));
		OK(buf_add_zero(&object, rows[i].extra));
		(void)unlink(path);
		OK(vault_write(&w->private_vault, &name, buf_view(&object), NULL));
		assert_int_equal(signing_key_load(&key, w->ecdsa, &w->private_vault, NULL),
				 ERR_CORRUPT);
		buf_free(&object);
	}
}

static void test_key_ring(void **state)
{
	struct world *w = *state;
	const struct vault_name name = {
		.type = "FhePrivateKey", .epoch = &request_id_default_epoch, .id = test_key_id};
	const struct hash32 other = {{[0] = 5}};
	struct vault_name misnamed = name;
	struct buf object = key_object(KEY_TEST, test_key_id);
	struct err_note note;
	struct key_ring ring;

	OK(key_ring_load(&ring, &w->private_vault, NULL));
	assert_int_equal(ring.n, 0);
	assert_true(key_ring_has_epoch(&ring, request_id_default_epoch));
	key_ring_free(&ring);

	OK(vault_write(&w->private_vault, &name, buf_view(&object), NULL));
	OK(key_ring_load(&ring, &w->private_vault, NULL));
	assert_int_equal(ring.n, 1);
	assert_non_null(key_ring_find(&ring, request_id_default_epoch, test_key_id));
	assert_null(key_ring_find(&ring, request_id_default_epoch, other));
	assert_null(key_ring_find(&ring, other, test_key_id));
	assert_false(key_ring_has_epoch(&ring, other));
	key_ring_free(&ring);

	misnamed.id = other;
	OK(vault_write(&w->private_vault, &misnamed, buf_view(&object), NULL));
	assert_int_equal(key_ring_load(&ring, &w->private_vault, &note), ERR_CORRUPT);
	assert_non_null(strstr(note.text, "another key"));
	buf_free(&object);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_published_objects), CASE(test_ids),
		CASE(test_never_overwritten), CASE(test_permissions),
		CASE(test_mounted_secrets),   CASE(test_list),
		CASE(test_odd_objects),       CASE(test_list),
		CASE(test_signing_key_life),  CASE(test_bad_signing_keys),
		CASE(test_key_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
