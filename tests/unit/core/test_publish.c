/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Something new into vaults that another server uses, too: what that one made is never removed. And
 * into vaults on a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "core/key_publish.h"
#include "support.h"

enum {
	SERVERS = 4,
	TYPES = 2,
};

struct world {
	struct folder folder;
	struct vaults vaults;
	atomic_bool stop;
	atomic_int making, made, read, together;
	bool foreign; /* objects that another server puts there while this one makes its own */
};

static const struct publish_name thing = {
	.form = &publish_crs_form, .epoch_id = {{8, [31] = 1}}, .id = {{5, [31] = 1}}};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	folder_make(&w->folder);
	w->vaults.private =
		(struct vault){.path = w->folder.path, .prefix = "PRIV", .private = true};
	w->vaults.public = (struct vault){.path = w->folder.path, .prefix = "PUB"};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	folder_remove(&w->folder);
	free(w);
	return 0;
}

static struct vault_name public_name(void)
{
	return (struct vault_name){.type = "CRS", .id = thing.id};
}

static bool is_there(const struct world *w, const struct publish_name *n)
{
	const struct vault_name public = public_name();

	return publish_is_ended(&w->vaults, n) && vault_exists(&w->vaults.public, &public);
}

static void foreign_put(const struct world *w, const struct publish_name *n)
{
	const struct vault_name names[TYPES] = {public_name(), publish_private_name(n)};
	const struct vault *const vaults[TYPES] = {&w->vaults.public, &w->vaults.private};

	for (unsigned i = 0; i < TYPES; i++)
		OK(vault_write(vaults[i], &names[i], BYTES_LIT("theirs"), NULL));
}

static enum err make(const struct publish *p, void *ctx, struct err_note *note)
{
	const struct vault_name public = public_name(), private = publish_private_name(&thing);
	struct world *w = ctx;

	if (atomic_fetch_add(&w->making, 1) > 0)
		atomic_fetch_add(&w->together, 1);
	if (w->foreign)
		foreign_put(w, &thing);
	(void)usleep(100 * 1000);
	atomic_fetch_sub(&w->making, 1);
	TRY(vault_write(&p->vaults->public, &public, BYTES_LIT("ours"), note));
	TRY(vault_write(&p->vaults->private, &private, BYTES_LIT("ours"), note));
	atomic_fetch_add(&w->made, 1);
	return ERR_OK;
}

static enum err look(const struct publish *p, void *ctx, struct err_note *note)
{
	struct world *w = ctx;

	(void)p;
	(void)note;
	atomic_fetch_add(&w->read, 1);
	return ERR_OK;
}

static enum err run(struct world *w, struct err_note *note)
{
	const struct publish p = {.vaults = &w->vaults, .threads = 1, .stop = &w->stop};
	const struct publish_steps steps = {.make = make, .read = look, .ctx = w};

	return publish_run(&p, &thing, &steps, note);
}

static void *server(void *ctx)
{
	struct err_note note;

	return run(ctx, &note) == ERR_OK ? ctx : NULL;
}

/* The same id asked of several servers at the same time: one thing, and all give it out. */
static void test_one_at_a_time(void **state)
{
	struct world *w = *state;
	pthread_t threads[SERVERS];
	void *ended[SERVERS];

	for (unsigned i = 0; i < SERVERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, server, w), 0);
	for (unsigned i = 0; i < SERVERS; i++)
		assert_int_equal(pthread_join(threads[i], &ended[i]), 0);
	for (unsigned i = 0; i < SERVERS; i++)
		assert_ptr_equal(ended[i], w);
	assert_int_equal(w->together, 0);
	assert_int_equal(w->made, 1);
	assert_int_equal(w->read, SERVERS);
	assert_true(is_there(w, &thing));
}

/* Who waits can be told to stop. */
static void test_withdrawn_while_waiting(void **state)
{
	struct world *w = *state;
	struct err_note note;
	int fd;

	OK(vault_lock_type(&fd, &w->vaults.private, thing.form->private_type, NULL));
	atomic_store(&w->stop, true);
	assert_int_equal(run(w, &note), ERR_CANCELLED);
	assert_int_equal(w->made, 0);
	assert_int_equal(close(fd), 0);
}

/* Where locks do not work another may come in between. */
static void test_foreign_object_stays(void **state)
{
	struct world *w = *state;
	struct err_note note;

	w->foreign = true;
	assert_int_equal(run(w, &note), ERR_ALREADY_DONE);
	assert_true(is_there(w, &thing));
}

static void test_other_epoch(void **state)
{
	struct publish_name other = thing;
	struct world *w = *state;
	struct err_note note;

	other.epoch_id.b[31] = 2;
	foreign_put(w, &other);
	assert_int_equal(run(w, &note), ERR_ALREADY_DONE);
	assert_non_null(strstr(note.text, "another epoch"));
	assert_int_equal(w->made, 0);
	assert_true(is_there(w, &other));
}

/* A vault that cannot be looked at is not an empty one. */
static void test_unreadable_is_taken(void **state)
{
	struct world *w = *state;
	char prefix[256], type[300];

	(void)snprintf(prefix, sizeof(prefix), "%s/PRIV", w->folder.path);
	(void)snprintf(type, sizeof(type), "%s/%s", prefix, thing.form->private_type);
	assert_false(publish_is_taken(&w->vaults, &thing));
	assert_int_equal(mkdir(prefix, 0700), 0);
	assert_int_equal(symlink(thing.form->private_type, type), 0); /* to itself */
	assert_true(publish_is_ended(&w->vaults, &thing));
	assert_true(publish_is_taken(&w->vaults, &thing));
}

/* ---- a full disk ---- */

enum {
	PAGE = 4096,
	DISK_PAGES = 1024,
	FREE_MIN = 640, /* the key set alone has 650; with both other objects it is 658 */
	FREE_MAX = 662,
};

/* Only this process sees it; false where that is not allowed. */
static bool disk_mount(const struct world *w)
{
	char options[64];

	(void)snprintf(options, sizeof(options), "size=%dk,mode=0700", DISK_PAGES * PAGE / 1024);
	if (unshare(CLONE_NEWNS) != 0)
		return false;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 && errno != EINVAL)
		return false;
	return mount("tmpfs", w->folder.path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

static void ballast_put(const struct world *w, unsigned pages)
{
	static const uint8_t zeros[PAGE];
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/ballast", w->folder.path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < pages; i++)
		assert_int_equal(write(fd, zeros, sizeof(zeros)), PAGE);
	assert_int_equal(close(fd), 0);
}

static enum err file_count(void *ctx, const struct vault_file *file, struct err_note *note)
{
	(void)file;
	(void)note;
	++*(unsigned *)ctx;
	return ERR_OK;
}

static unsigned files_of(const struct world *w)
{
	unsigned n = 0;

	OK(vault_walk(&w->vaults.public, file_count, &n, NULL));
	OK(vault_walk(&w->vaults.private, file_count, &n, NULL));
	return n;
}

/* Whichever object is the one that has no room: none of the key is left. */
static void test_disk_full(void **state)
{
	struct world *w = *state;
	struct signing_key signer;
	struct ecdsa *ecdsa;
	unsigned failed = 0;

	if (!disk_mount(w)) {
		print_message("# no file system can be mounted here\n");
		skip();
	}
	OK(ecdsa_new(&ecdsa, (uint8_t[32]){1}));
	test_signer(&signer, ecdsa);

	const struct publish p = {.vaults = &w->vaults,
				  .signer = &signer,
				  .rng = rng_system(),
				  .threads = 1,
				  .stop = &w->stop};
	enum err e = ERR_IO;

	for (unsigned pages = FREE_MIN; pages <= FREE_MAX && e == ERR_IO; pages++) {
		const struct key_request r = {
			.kind = REQUEST_KEYGEN,
			.id = thing.id,
			.preproc_id = {{3, [31] = 1}},
			.where = {request_id_default_context, request_id_default_epoch},
			.domain = {.name = BYTES_LIT("n"), .version = BYTES_LIT("1")},
		};
		CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles handles = {0};
		struct err_note note;

		ballast_put(w, DISK_PAGES - pages);
		e = key_publish(&handles, &p, &r, KEY_PARAMS_TEST, &note);
		failed += e == ERR_IO;
		assert_int_equal(files_of(w), e == ERR_OK ? 3 : 0);
	}
	print_message("# %u times too full\n", failed);
	assert_int_equal(e, ERR_OK);
	assert_true(failed >= 12); /* also between key set and public key, and between that and the
				    * private object */
	signing_key_free(&signer);
	ecdsa_free(ecdsa);
	assert_int_equal(umount(w->folder.path), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_one_at_a_time),        CASE(test_withdrawn_while_waiting),
		CASE(test_foreign_object_stays), CASE(test_other_epoch),
		CASE(test_unreadable_is_taken),  CASE(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
