/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/threshold_key.h"

#include <stdlib.h>

#include "codec/safe_serialize.h"
#include "core/request_id.h"
#include "core/threshold_key_internal.h"

#define NAME "claviger::FheKeyShares"

enum {
	VERSION = 0,
	HEAD_SIZE = 16, /* of a share, before its numbers */
	TAIL_SIZE = 12, /* and after them */
	SHARE_SIZE = HEAD_SIZE + GR_SIZE + TAIL_SIZE,
	REST_SIZE_MAX = 1 << 16 /* of an object, besides the shares */
};

static const char *const key_names[FHE_KEY_COUNT] = {
	[FHE_KEY_LWE] = "LWE key",
	[FHE_KEY_GLWE] = "GLWE key",
	[FHE_KEY_COMPRESSION] = "compression key",
	[FHE_KEY_PKE] = "compact private key",
	[FHE_KEY_SNS] = "noise-squashing key",
	[FHE_KEY_SNS_COMPRESSION] = "noise-squashing-compression key",
	[FHE_KEY_OPRF] = "OPRF key",
};

/* What decryption needs. */
static bool is_kept(enum fhe_key_id id)
{
	return id == FHE_KEY_SNS || id == FHE_KEY_SNS_COMPRESSION;
}

/* ---- one share ---- */

/* Share V0, ResiduePoly V0, four numbers; then Role V0, the party. */
static void frame_make(uint8_t head[HEAD_SIZE], uint8_t tail[TAIL_SIZE], unsigned party)
{
	memset(head, 0, HEAD_SIZE);
	head[8] = GR_DEGREE;
	memset(tail, 0, TAIL_SIZE);
	tail[4] = (uint8_t)party;
}

/* Views of n shares' elements, with everything around them checked; NULL after an error. */
static const uint8_t *shares_read(struct reader *r, size_t n, unsigned me, enum fhe_key_id id,
				  struct err_note *note)
{
	uint8_t head[HEAD_SIZE], tail[TAIL_SIZE];
	struct bytes all;

	if (r->err == ERR_OK && n > THRESHOLD_KEY_SIZE_MAX / SHARE_SIZE)
		reader_fail(r, err_say(note, ERR_TOO_BIG, NAME ": %zu shares of the %s", n,
				       key_names[id]));
	all = reader_bytes(r, n * SHARE_SIZE);
	if (r->err != ERR_OK)
		return NULL;
	frame_make(head, tail, me);
	for (size_t i = 0; i < n; i++) {
		struct bytes share = bytes_sub(all, i * SHARE_SIZE, SHARE_SIZE);

		if (memcmp(share.p, head, HEAD_SIZE) == 0 &&
		    memcmp(&share.p[HEAD_SIZE + GR_SIZE], tail, TAIL_SIZE) == 0)
			continue;
		reader_fail(r, err_say(note, ERR_MALFORMED,
				       NAME ": share %zu of the %s is not one of party %u", i,
				       key_names[id], me));
		return NULL;
	}
	return all.p;
}

static void share_write(struct bincode_writer *w, const struct gr *share, unsigned party)
{
	uint8_t b[SHARE_SIZE];

	frame_make(b, &b[HEAD_SIZE + GR_SIZE], party);
	gr_put(&b[HEAD_SIZE], share);
	bincode_put_raw(w, BYTES_OF(b));
	secret_wipe(b, sizeof(b));
}

/* ---- reading ---- */

static enum err key_keep(struct mpc_key_share **ret, const uint8_t *shares, size_t n)
{
	CLEANUP(secret_free) struct secret elements = {0};

	TRY(secret_alloc(&elements, n * GR_SIZE));
	for (size_t i = 0; i < n; i++)
		memcpy(&elements.p[i * GR_SIZE], &shares[i * SHARE_SIZE + HEAD_SIZE], GR_SIZE);
	return mpc_key_share_new(ret, secret_view(&elements));
}

static void keys_read(struct reader *r, struct threshold_key *k, struct err_note *note)
{
	for (unsigned i = 0; i < FHE_KEY_COUNT && r->err == ERR_OK; i++) {
		enum fhe_key_id id = (enum fhe_key_id)i;
		size_t want = fhe_params_key_bits(&k->params, id);
		uint64_t n = reader_u64le(r);
		const uint8_t *shares;

		if (r->err == ERR_OK && n != want)
			reader_fail(r, err_say(note, ERR_MALFORMED,
					       NAME ": %llu shares of the %s, which has %zu bits",
					       (unsigned long long)n, key_names[id], want));
		shares = shares_read(r, want, k->group.me, id, note);
		if (shares && is_kept(id) && want > 0)
			reader_fail(r, key_keep(&k->keys[id], shares, want));
	}
}

static void group_read(struct reader *r, struct mpc_group *g, struct err_note *note)
{
	uint64_t me;

	g->n = reader_u8(r);
	g->t = reader_u8(r);
	me = reader_u64le(r);
	g->me = me <= MPC_PARTIES_MAX ? (unsigned)me : 0;
	if (r->err == ERR_OK && mpc_group_check(g, note) != ERR_OK)
		reader_fail(r, err_prefix(note, ERR_MALFORMED, NAME));
}

/* What we can decrypt with. */
static void params_read(struct reader *r, struct fhe_params *p, struct err_note *note)
{
	layout_read(r, &fhe_params_layout, p, note);
	if (r->err != ERR_OK)
		return;
	reader_fail(r, fhe_params_check(p, note));
	if (r->err == ERR_OK &&
	    (!p->has_sns || fhe_params_key_bits(p, FHE_KEY_SNS) > MPC_LWE_DIMENSION_MAX ||
	     fhe_params_key_bits(p, FHE_KEY_SNS_COMPRESSION) > MPC_LWE_DIMENSION_MAX ||
	     p->sns_compression.glwe_dimension > MPC_MASK_RUNS_MAX / 2))
		reader_fail(r,
			    err_say(note, ERR_UNSUPPORTED,
				    NAME ": no noise-squashing keys, or larger ones than we have "
					 "room for"));
}

enum err threshold_key_read(struct threshold_key **ret_key, struct bytes object,
			    struct err_note *note)
{
	static const char *const names[] = {NAME, NULL};
	CLEANUP(threshold_key_cleanup) struct threshold_key *k = NULL;
	struct reader r = reader_of(object);
	size_t index;

	if (object.n > THRESHOLD_KEY_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, NAME ": %zu bytes", object.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	bincode_expect_u32(&r, VERSION);
	if (r.err == ERR_UNSUPPORTED)
		return err_say(note, r.err, NAME ": another version");
	k = calloc(1, sizeof(*k));
	if (!k)
		return ERR_NOMEM;
	group_read(&r, &k->group, note);
	params_read(&r, &k->params, note);
	keys_read(&r, k, note);
	if (r.err == ERR_OK)
		fhe_key_metadata_read(&r, &k->metadata, NAME, note);
	TRY(layout_end(&r, NAME, note));
	*ret_key = k;
	k = NULL; /* handed over */
	return ERR_OK;
}

void threshold_key_free(struct threshold_key *k)
{
	if (!k)
		return;
	for (unsigned i = 0; i < FHE_KEY_COUNT; i++)
		mpc_key_share_free(k->keys[i]);
	free(k);
}

void threshold_key_cleanup(struct threshold_key **k)
{
	threshold_key_free(*k);
}

enum err threshold_key_load(struct threshold_key **ret_key, const struct vault *private_vault,
			    struct hash32 epoch_id, struct hash32 key_id, struct err_note *note)
{
	const struct vault_name name = {
		.type = THRESHOLD_KEY_TYPE, .epoch = &epoch_id, .id = key_id};
	CLEANUP(secret_free) struct secret object = {0};
	CLEANUP(threshold_key_cleanup) struct threshold_key *k = NULL;
	char text[REQUEST_ID_TEXT_SIZE];
	enum err e;

	request_id_text(text, key_id);
	TRY(vault_read_secret(&object, private_vault, &name, note));
	e = threshold_key_read(&k, secret_view(&object), note);
	if (e == ERR_NOMEM)
		return e;
	if (e != ERR_OK)
		return err_prefix(note, ERR_CORRUPT, "shares of FHE key %s", text);
	if (!hash32_eq(k->metadata.key_id, key_id))
		return err_say(note, ERR_CORRUPT,
			       "shares of FHE key %s: the object says that it is another key",
			       text);
	*ret_key = k;
	k = NULL;
	return ERR_OK;
}

/* ---- what it says ---- */

struct hash32 threshold_key_id(const struct threshold_key *k)
{
	return k->metadata.key_id;
}

const struct fhe_key_metadata *threshold_key_metadata(const struct threshold_key *k)
{
	return &k->metadata;
}

const struct fhe_params *threshold_key_params(const struct threshold_key *k)
{
	return &k->params;
}

const struct mpc_group *threshold_key_group(const struct threshold_key *k)
{
	return &k->group;
}

/* ---- writing ---- */

enum err threshold_key_write(const struct threshold_key_parts *parts, struct buf *out)
{
	struct bincode_writer w = {.out = out};
	size_t shares = 0;

	for (unsigned i = 0; i < FHE_KEY_COUNT; i++)
		shares += fhe_params_key_bits(parts->params, (enum fhe_key_id)i);
	/* At once: a buffer that grows leaves copies behind. */
	TRY(buf_reserve(out, shares * SHARE_SIZE + REST_SIZE_MAX));
	safe_serialize_begin(&w, NAME);
	bincode_put_u32(&w, VERSION);
	bincode_put_u8(&w, (uint8_t)parts->group.n);
	bincode_put_u8(&w, (uint8_t)parts->group.t);
	bincode_put_u64(&w, parts->group.me);
	layout_write(&w, &fhe_params_layout, parts->params);
	for (unsigned i = 0; i < FHE_KEY_COUNT; i++) {
		size_t n = fhe_params_key_bits(parts->params, (enum fhe_key_id)i);

		bincode_put_u64(&w, n);
		for (size_t bit = 0; bit < n; bit++)
			share_write(&w, &parts->shares[i][bit], parts->group.me);
	}
	fhe_key_metadata_write(&w, parts->metadata);
	return bincode_end(&w);
}
