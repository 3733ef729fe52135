/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The object with one party's shares: its form, where it lies, what is refused. And what the files
 * of several parties tell: those of any t nothing, those of t + 1 the whole key.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/safe_serialize.h"
#include "support.h"
#include "support_threshold.h"

enum {
	SHARE_SIZE = 92
};

static struct rng *test_rng(struct rng_seeded *r)
{
	const char *given = getenv("SEED");

	return rng_seeded_init(r, given ? strtoull(given, NULL, 10) : 1);
}

/* Where the shares of each key lie in an object: a second reading. */
struct places {
	size_t at[FHE_KEY_COUNT], n[FHE_KEY_COUNT];
	size_t group_at, params_at, metadata_at;
};

static struct places places_of(struct bytes object)
{
	static const char *const names[] = {"claviger::FheKeyShares", NULL};
	struct reader r = reader_of(object);
	struct fhe_params params;
	struct places p;
	size_t index;

	OK(safe_serialize_open(&r, names, &index, NULL));
	assert_int_equal(reader_u32le(&r), 0);
	p.group_at = reader_offset(&r);
	(void)reader_bytes(&r, 10);
	p.params_at = reader_offset(&r);
	layout_read(&r, &fhe_params_layout, &params, NULL);
	for (unsigned id = 0; id < FHE_KEY_COUNT; id++) {
		p.n[id] = (size_t)reader_u64le(&r);
		p.at[id] = reader_offset(&r);
		(void)reader_bytes(&r, p.n[id] * SHARE_SIZE);
	}
	p.metadata_at = reader_offset(&r);
	assert_int_equal(r.err, ERR_OK);
	return p;
}

static struct gr share_at(const struct committee *c, unsigned party, const struct places *p,
			  enum fhe_key_id id, size_t i)
{
	struct bytes object = buf_view(&c->objects[party - 1]);

	return gr_get(bytes_sub(object, p->at[id] + i * SHARE_SIZE + 16, GR_SIZE).p);
}

/* ---- form ---- */

static void test_form(void **state)
{
	static const uint8_t head[16] = {[8] = 4};
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct committee c;

	(void)state;
	committee_make(&c, committee_key(&fhe_params_v1_7, rng), 4, 1, rng);
	for (unsigned party = 1; party <= 4; party++) {
		struct bytes object = buf_view(&c.objects[party - 1]);
		const struct mpc_group *g = threshold_key_group(c.keys[party - 1]);
		const uint8_t tail[12] = {[4] = (uint8_t)party};
		struct places p = places_of(object);
		size_t total = 0;

		assert_true(g->n == 4 && g->t == 1 && g->me == party);
		assert_true(hash32_eq(threshold_key_id(c.keys[party - 1]), c.metadata.key_id));
		assert_memory_equal(threshold_key_params(c.keys[party - 1]), &fhe_params_v1_7,
				    sizeof(fhe_params_v1_7));
		assert_true(hash32_eq(threshold_key_metadata(c.keys[party - 1])->preproc_id,
				      c.metadata.preproc_id));
		for (unsigned id = 0; id < FHE_KEY_COUNT; id++) {
			assert_int_equal(p.n[id], fhe_params_key_bits(&fhe_params_v1_7,
								      (enum fhe_key_id)id));
			total += p.n[id];
			for (size_t i = 0; i < p.n[id]; i++) {
				const uint8_t *share = &object.p[p.at[id] + i * SHARE_SIZE];

				assert_memory_equal(share, head, sizeof(head));
				assert_memory_equal(&share[80], tail, sizeof(tail));
			}
		}
		assert_int_equal(total, 17196);
		assert_true(object.n < VAULT_OBJECT_SIZE_MAX / 2);
	}
	committee_free(&c);
}

/* Every parameter set goes there and back. */
static void test_parameters(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);

	(void)state;
	for (const struct fhe_param_set *s = fhe_param_sets; s->name; s++) {
		struct committee c;

		committee_make(&c, committee_key(s->params, rng), 4, 1, rng);
		assert_memory_equal(threshold_key_params(c.keys[2]), s->params, sizeof(*s->params));
		committee_free(&c);
	}
}

/* ---- refusals ---- */

static enum err try_object(struct bytes object)
{
	struct threshold_key *k = NULL;
	struct err_note note = {0};
	enum err e = threshold_key_read(&k, object, &note);

	assert_true((e == ERR_OK) == (k != NULL));
	assert_true(e == ERR_OK || note.text[0]);
	threshold_key_free(k);
	return e;
}

/* One byte changed, and changed back. */
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
	struct rng *rng = test_rng(&seeded);
	struct committee c;
	struct places p;
	struct buf *o;

	(void)state;
	committee_make(&c, committee_key(&fhe_params_test, rng), 13, 4, rng);
	o = &c.objects[4];
	p = places_of(buf_view(o));
	OK(try_object(buf_view(o)));
	for (size_t n = 0; n < o->n; n += n < 400 || n + 400 > o->n ? 1 : 997)
		assert_int_not_equal(try_object(bytes_sub(buf_view(o), 0, n)), ERR_OK);
	assert_int_equal(changed(o, p.group_at - 4, 1), ERR_UNSUPPORTED);  /* version */
	assert_int_equal(changed(o, p.group_at - 5, 'X'), ERR_MISMATCH);   /* another object */
	assert_int_equal(changed(o, p.group_at, 12), ERR_MALFORMED);       /* 12 < 3 t + 1 */
	assert_int_equal(changed(o, p.group_at, 16), ERR_MALFORMED);       /* too many */
	assert_int_equal(changed(o, p.group_at + 1, 0), ERR_MALFORMED);    /* t */
	assert_int_equal(changed(o, p.group_at + 2, 14), ERR_MALFORMED);   /* me */
	assert_int_equal(changed(o, p.group_at + 2, 6), ERR_MALFORMED);    /* somebody else's */
	assert_int_equal(changed(o, p.group_at + 9, 1), ERR_MALFORMED);    /* me, far off */
	assert_int_equal(changed(o, p.at[0] - 8, 2), ERR_MALFORMED);       /* a bit too many */
	assert_int_equal(changed(o, p.at[1] - 1, 0xff), ERR_MALFORMED);    /* very many */
	assert_int_equal(changed(o, p.at[4] + 92 * 3, 1), ERR_MALFORMED);  /* Share V1 */
	assert_int_equal(changed(o, p.at[4] + 92 + 88, 9), ERR_MALFORMED); /* far role */
	assert_int_equal(changed(o, p.metadata_at, 1), ERR_UNSUPPORTED);
	OK(changed(o, p.at[4] + 16, 0)); /* of a share's numbers each is as good as any */

	OK(buf_add_u8(o, 0));
	assert_int_equal(try_object(buf_view(o)), ERR_MALFORMED);
	committee_free(&c);
}

/* ---- the vault ---- */

static size_t locked_kilobytes(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long found = 0;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmLck: %lu", &found);
	fclose(f);
	return found;
}

static void test_vault(void **state)
{
	struct hash32 epoch = request_id_default_epoch, other = request_number(3);
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct threshold_key *k = NULL;
	struct err_note note = {0};
	struct folder folder;
	struct committee c;
	char path[512], text[REQUEST_ID_TEXT_SIZE], epoch_text[REQUEST_ID_TEXT_SIZE];

	(void)state;
	folder_make(&folder);
	committee_make(&c, committee_key(&fhe_params_v1_7, rng), 4, 1, rng);

	const struct vault v = {folder.path, "PRIV", true};
	struct vault_name name = {THRESHOLD_KEY_TYPE, &epoch, c.metadata.key_id};
	unsigned failed = secret_lock_failed();
	size_t before;

	assert_int_equal(threshold_key_load(&k, &v, epoch, c.metadata.key_id, &note),
			 ERR_NOT_FOUND);
	OK(vault_write(&v, &name, buf_view(&c.objects[0]), &note));
	before = locked_kilobytes();
	OK(threshold_key_load(&k, &v, epoch, c.metadata.key_id, &note));
	/* What is kept is locked: 10240 shares of 64 bytes. */
	if (secret_lock_failed() == failed)
		assert_true(locked_kilobytes() - before >= 640);
	else
		print_message("# the machine does not lock memory\n");
	threshold_key_free(k);

	name.id = other;
	OK(vault_write(&v, &name, buf_view(&c.objects[0]), &note));
	assert_int_equal(threshold_key_load(&k, &v, epoch, other, &note), ERR_CORRUPT);
	assert_non_null(strstr(note.text, "another key"));

	request_id_text(text, c.metadata.key_id);
	request_id_text(epoch_text, epoch);
	(void)snprintf(path, sizeof(path), "%s/PRIV/FheKeyShares/%s/%s", folder.path, epoch_text,
		       text);

	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(threshold_key_load(&k, &v, epoch, c.metadata.key_id, &note),
			 ERR_CONFIG_FILE);
	assert_int_equal(truncate(path, 5000), 0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(threshold_key_load(&k, &v, epoch, c.metadata.key_id, &note), ERR_CORRUPT);
	committee_free(&c);
	folder_remove(&folder);
}

/* ---- what files tell ---- */

/* f(0) of the polynomial of degree k - 1 through the shares of k parties. */
static struct gr interpolate(const struct committee *c, mpc_set parties, const struct places *p,
			     enum fhe_key_id id, size_t i)
{
	struct gr shares[MPC_PARTIES_MAX], secret;
	struct shamir_basis b;

	OK(shamir_basis_init(&b, parties, mpc_set_size(parties) - 1));
	for (unsigned party = 1; party <= c->n; party++)
		shares[party - 1] = mpc_set_has(parties, party) ? share_at(c, party, p, id, i)
								: (struct gr){{0}};
	OK(shamir_open_var(&b, &secret, NULL, shares, 0, 0));
	return secret;
}

static bool is_bit(const struct gr *a)
{
	return gr_is_scalar_var(a) && a->c[0] <= 1;
}

/*
 * The files of any 4 nodes do not suffice to decrypt; with 9 they do, and in fact with 5: the
 * degree is 4. Of four files nothing can be told: to each bit, 0 or 1, there is a fifth share that
 * makes the four those of that bit.
 */
static void test_four_files_are_nothing(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	unsigned subsets = 0;
	struct committee c;
	struct places p;

	(void)state;
	committee_make(&c, committee_key(&fhe_params_test, rng), 13, 4, rng);
	p = places_of(buf_view(&c.objects[0]));
	for (mpc_set four = 0; four < 1 << 13; four++) {
		struct shamir_basis b;

		if (mpc_set_size(four) != 4)
			continue;
		subsets++;
		assert_int_equal(shamir_basis_init(&b, four, 4), ERR_RANGE);
		for (size_t i = 0; i < 8; i++) {
			struct gr guess = interpolate(&c, four, &p, FHE_KEY_SNS, i);

			assert_false(is_bit(&guess));
		}
	}
	assert_int_equal(subsets, 715);

	/* The polynomials through four shares and (0, bit): each has a share for the fifth. */
	const mpc_set four = 0x0f, five = 0x1f;
	struct gr wanted[MPC_PARTIES_MAX], shares[MPC_PARTIES_MAX], secret;
	struct shamir_basis b;

	OK(shamir_basis_init(&b, five, 4));
	for (unsigned bit = 0; bit <= 1; bit++) {
		struct gr factor, difference;

		memset(wanted, 0, sizeof(wanted));
		for (unsigned party = 1; party <= 5; party++)
			wanted[party - 1] = mpc_set_has(four, party)
						    ? share_at(&c, party, &p, FHE_KEY_SNS, 0)
						    : (struct gr){{0}};
		memcpy(shares, wanted, sizeof(shares));
		OK(shamir_open_var(&b, &secret, NULL, shares, 0, 0));
		difference = gr_scalar(bit);
		difference = gr_sub(difference, secret);
		OK(gr_inv(&factor, &b.secret[4]));
		shares[4] = gr_mul(&difference, &factor);
		OK(shamir_open_var(&b, &secret, NULL, shares, 0, 0));
		assert_true(is_bit(&secret) && secret.c[0] == bit);
	}
	committee_free(&c);
}

/* A thief with k files decrypts: the key made of them, and a ciphertext of the whole key. */
static bool thief_decrypts(const struct committee *c, mpc_set files, struct rng *rng)
{
	struct places p = places_of(buf_view(&c->objects[0]));
	struct bytes bits = fhe_client_key_bits(c->clear, FHE_KEY_SNS);
	struct fhe_plaintext value = test_value(FHE_UINT64, rng), found;
	struct buf ct = test_encrypt(c->clear, FORM_EXPANDED, FHE_UINT64, &value, 0, rng);
	struct fhe_client_key *stolen;
	uint8_t *place;
	bool same;

	OK(fhe_client_key_alloc(&stolen, &c->clear->params, fhe_client_key_tag(c->clear)));
	place = (uint8_t *)(uintptr_t)fhe_client_key_bits(stolen, FHE_KEY_SNS).p;
	for (size_t i = 0; i < bits.n; i++) {
		struct gr bit = interpolate(c, files, &p, FHE_KEY_SNS, i);

		place[i] = (uint8_t)(bit.c[0] & 1);
	}
	OK(fhe_decrypt(stolen, &found, FHE_UINT64, FHE_BIG_EXPANDED, buf_view(&ct), NULL));
	same = memcmp(found.le, value.le, 8) == 0 && memcmp(place, bits.p, bits.n) == 0;
	buf_free(&ct);
	fhe_client_key_free(stolen);
	return same;
}

static void test_thieves(void **state)
{
	struct rng_seeded seeded;
	struct rng *rng = test_rng(&seeded);
	struct committee c;

	(void)state;
	committee_make(&c, committee_key(&fhe_params_test, rng), 13, 4, rng);
	for (unsigned files = 1; files <= 13; files++)
		for (unsigned again = 0; again < 4; again++) {
			mpc_set who = 0;

			while (mpc_set_size(who) < files)
				who |= mpc_set_of(1 + (unsigned)rng_below(rng, 13));
			assert_int_equal(thief_decrypts(&c, who, rng), files >= 5);
		}
	committee_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_vault),
		cmocka_unit_test(test_four_files_are_nothing),
		cmocka_unit_test(test_thieves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
