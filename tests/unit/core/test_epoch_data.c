/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What is kept of an epoch: there and back, what lies where, what is refused. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/epoch_data.h"
#include "support.h"
#include "support_threshold.h"

static const struct hash32 context = {{7, 7}};

static void same(const struct prss *a, const struct prss *b)
{
	const struct mpc_group *g = prss_group(a), *h = prss_group(b);

	assert_true(g->n == h->n && g->t == h->t && g->me == h->me);
	assert_true(bytes_eq_var(prss_keys(a), prss_keys(b)));
}

static void test_there_and_back(void **state)
{
	static const struct {
		unsigned n, t;
	} sizes[] = {{4, 1}, {7, 2}, {10, 3}, {13, 4}, {15, 4}};
	struct rng_seeded seeded;
	struct rng *rng = rng_seeded_init(&seeded, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct prss *all[MPC_PARTIES_MAX];

		OK(threshold_deal_prss(all, sizes[i].n, sizes[i].t, rng));
		for (unsigned p = 0; p < sizes[i].n; p++) {
			CLEANUP(buf_wipe) struct buf object = buf_make(EPOCH_DATA_SIZE_MAX);
			CLEANUP(epoch_data_free) struct epoch_data d = {0};

			OK(epoch_data_write(context, all[p], &object));
			/* header, version, context, n, t, me, count, keys */
			assert_int_equal(object.n,
					 53 + 4 + 32 + 1 + 1 + 8 + 8 + 16 * prss_keys_n(all[p]));
			OK(epoch_data_read(&d, buf_view(&object), NULL));
			assert_true(hash32_eq(d.context_id, context));
			same(d.prss, all[p]);
		}
		for (unsigned p = 0; p < sizes[i].n; p++)
			prss_free(all[p]);
	}
}

static enum err try_object(struct bytes object)
{
	struct epoch_data d = {0};
	struct err_note note = {0};
	enum err e = epoch_data_read(&d, object, &note);

	assert_true((e == ERR_OK) == (d.prss != NULL));
	assert_true(e == ERR_OK || note.text[0]);
	epoch_data_free(&d);
	return e;
}

static enum err changed(const struct buf *object, size_t at, uint8_t to)
{
	uint8_t was = object->p[at];
	enum err e;

	object->p[at] = to;
	e = try_object(buf_view(object));
	object->p[at] = was;
	return e;
}

static void test_refuses(void **state)
{
	struct rng_seeded seeded;
	struct buf o = buf_make(EPOCH_DATA_SIZE_MAX + 1);
	struct prss *all[MPC_PARTIES_MAX];
	size_t body = 53;

	(void)state;
	OK(threshold_deal_prss(all, 13, 4, rng_seeded_init(&seeded, 1)));
	OK(epoch_data_write(context, all[4], &o));
	for (size_t n = 0; n < o.n; n += n < 200 ? 1 : 61)
		assert_int_not_equal(try_object(bytes_sub(buf_view(&o), 0, n)), ERR_OK);
	assert_int_equal(changed(&o, body - 1, 'X'), ERR_MISMATCH);
	assert_int_equal(changed(&o, body, 1), ERR_UNSUPPORTED);
	assert_int_equal(changed(&o, body + 36, 12), ERR_MALFORMED); /* n */
	assert_int_equal(changed(&o, body + 36, 15), ERR_MALFORMED); /* other keys then */
	assert_int_equal(changed(&o, body + 36, 255), ERR_MALFORMED);
	assert_int_equal(changed(&o, body + 37, 0), ERR_MALFORMED);  /* t */
	assert_int_equal(changed(&o, body + 38, 14), ERR_MALFORMED); /* me */
	assert_int_equal(changed(&o, body + 38, 0), ERR_MALFORMED);
	assert_int_equal(changed(&o, body + 45, 1), ERR_MALFORMED);
	assert_int_equal(changed(&o, body + 46, 1), ERR_MALFORMED); /* keys */
	assert_int_equal(changed(&o, body + 53, 1), ERR_MALFORMED);
	OK(changed(&o, body + 54, 1)); /* a key is any 16 bytes */
	OK(buf_add_u8(&o, 0));
	assert_int_equal(try_object(buf_view(&o)), ERR_MALFORMED);
	OK(buf_add_zero(&o, EPOCH_DATA_SIZE_MAX + 1 - o.n));
	assert_int_equal(try_object(buf_view(&o)), ERR_TOO_BIG);
	buf_wipe(&o);
	for (unsigned p = 0; p < 13; p++)
		prss_free(all[p]);
}

static void test_vault(void **state)
{
	const struct hash32 epoch = request_id_default_epoch;
	struct rng_seeded seeded;
	struct err_note note = {0};
	struct prss *all[MPC_PARTIES_MAX];
	struct epoch_data d = {0};
	char path[512], text[REQUEST_ID_TEXT_SIZE];
	struct folder folder;
	struct stat st;

	(void)state;
	folder_make(&folder);
	OK(threshold_deal_prss(all, 4, 1, rng_seeded_init(&seeded, 1)));

	const struct vault v = {folder.path, "PRIV", true};

	assert_int_equal(epoch_data_load(&d, &v, epoch, &note), ERR_NOT_FOUND);
	OK(epoch_data_store(&v, epoch, context, all[1], &note));
	assert_int_equal(epoch_data_store(&v, epoch, context, all[2], &note), ERR_ALREADY_DONE);
	OK(epoch_data_load(&d, &v, epoch, &note));
	same(d.prss, all[1]);
	epoch_data_free(&d);
	assert_null(d.prss);

	request_id_text(text, epoch);
	(void)snprintf(path, sizeof(path), "%s/PRIV/EpochData/%s", folder.path, text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(epoch_data_load(&d, &v, epoch, &note), ERR_CORRUPT);
	assert_non_null(strstr(note.text, text));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(epoch_data_load(&d, &v, epoch, &note), ERR_CONFIG_FILE);
	for (unsigned p = 0; p < 4; p++)
		prss_free(all[p]);
	folder_remove(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_vault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
