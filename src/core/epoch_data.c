/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/epoch_data.h"

#include "codec/safe_serialize.h"
#include "core/request_id.h"

#define NAME "claviger::EpochData"

enum {
	VERSION = 0
};

/* Keys of the sets that a party of the group is in. */
static unsigned keys_of(const struct mpc_group *g)
{
	return mpc_sets_n(g) * (g->n - g->t) / g->n;
}

static void body_read(struct reader *r, struct epoch_data *d, struct err_note *note)
{
	struct bytes id = reader_bytes(r, sizeof(d->context_id.b));
	struct mpc_group g = {.n = reader_u8(r), .t = reader_u8(r)};
	uint64_t me = reader_u64le(r), n = reader_u64le(r);
	struct bytes keys;

	if (r->err != ERR_OK)
		return;
	g.me = me <= MPC_PARTIES_MAX ? (unsigned)me : 0;
	if (mpc_group_check(&g, note) != ERR_OK) {
		reader_fail(r, err_prefix(note, ERR_MALFORMED, NAME));
		return;
	}
	if (n != keys_of(&g)) {
		reader_fail(r, err_say(note, ERR_MALFORMED,
				       NAME ": %llu keys, a party of %u, %u hostile, has %u",
				       (unsigned long long)n, g.n, g.t, keys_of(&g)));
		return;
	}
	keys = reader_bytes(r, (size_t)n * PRSS_KEY_SIZE);
	if (r->err != ERR_OK)
		return;
	memcpy(d->context_id.b, id.p, id.n);
	reader_fail(r, prss_new(&d->prss, &g, keys));
}

enum err epoch_data_read(struct epoch_data *ret_data, struct bytes object, struct err_note *note)
{
	static const char *const names[] = {NAME, NULL};
	CLEANUP(epoch_data_free) struct epoch_data d = {0};
	struct reader r = reader_of(object);
	size_t index;

	if (object.n > EPOCH_DATA_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, NAME ": %zu bytes", object.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	bincode_expect_u32(&r, VERSION);
	if (r.err == ERR_UNSUPPORTED)
		return err_say(note, r.err, NAME ": another version");
	body_read(&r, &d, note);
	if (reader_end(&r) != ERR_OK)
		return note && note->text[0]
			       ? reader_end(&r)
			       : err_say(note, reader_end(&r), NAME ": ends at the wrong byte");
	*ret_data = d;
	d.prss = NULL; /* handed over */
	return ERR_OK;
}

void epoch_data_free(struct epoch_data *d)
{
	if (!d)
		return;
	prss_free(d->prss);
	*d = (struct epoch_data){0};
}

enum err epoch_data_write(struct hash32 context_id, const struct prss *prss, struct buf *out)
{
	const struct mpc_group *g = prss_group(prss);
	struct bincode_writer w = {.out = out};

	/* At once: a buffer that grows leaves copies behind. */
	TRY(buf_reserve(out, prss_keys(prss).n + 256));
	safe_serialize_begin(&w, NAME);
	bincode_put_u32(&w, VERSION);
	bincode_put_raw(&w, BYTES_OF(context_id.b));
	bincode_put_u8(&w, (uint8_t)g->n);
	bincode_put_u8(&w, (uint8_t)g->t);
	bincode_put_u64(&w, g->me);
	bincode_put_u64(&w, prss_keys_n(prss));
	bincode_put_raw(&w, prss_keys(prss));
	return bincode_end(&w);
}

/* ---- the vault ---- */

enum err epoch_data_load(struct epoch_data *ret_data, const struct vault *private_vault,
			 struct hash32 epoch_id, struct err_note *note)
{
	const struct vault_name name = {.type = EPOCH_DATA_TYPE, .id = epoch_id};
	CLEANUP(secret_free) struct secret object = {0};
	char text[REQUEST_ID_TEXT_SIZE];
	enum err e;

	TRY(vault_read_secret(&object, private_vault, &name, note));
	e = epoch_data_read(ret_data, secret_view(&object), note);
	if (e == ERR_OK || e == ERR_NOMEM)
		return e;
	request_id_text(text, epoch_id);
	return err_prefix(note, ERR_CORRUPT, "epoch %s", text);
}

enum err epoch_data_store(const struct vault *private_vault, struct hash32 epoch_id,
			  struct hash32 context_id, const struct prss *prss, struct err_note *note)
{
	const struct vault_name name = {.type = EPOCH_DATA_TYPE, .id = epoch_id};
	CLEANUP(buf_wipe) struct buf object = buf_make(EPOCH_DATA_SIZE_MAX);

	TRY(epoch_data_write(context_id, prss, &object));
	return vault_write(private_vault, &name, buf_view(&object), note);
}
