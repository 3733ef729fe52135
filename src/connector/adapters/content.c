/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/adapters/content.h"

#include "base/limits.h"

static struct hash32 read_hash(struct reader *r)
{
	struct bytes b = reader_bytes(r, 32);
	struct hash32 h = {{0}};

	if (b.n == sizeof(h.b))
		memcpy(h.b, b.p, sizeof(h.b));
	return h;
}

static struct address read_address(struct reader *r)
{
	struct bytes b = reader_bytes(r, 20);
	struct address a = {{0}};

	if (b.n == sizeof(a.b))
		memcpy(a.b, b.p, sizeof(a.b));
	return a;
}

static struct u256 read_u256(struct reader *r)
{
	return u256_from_be(read_hash(r).b);
}

static enum err add_u256(struct buf *out, struct u256 v)
{
	uint8_t be[32];

	u256_to_be(be, v);
	return buf_add(out, BYTES_OF(be));
}

static enum err add_vec(struct buf *out, struct bytes v)
{
	TRY(buf_add_u32be(out, (uint32_t)v.n));
	return buf_add(out, v);
}

/* ---- content ---- */

/*
 * All big endian:
 *
 *	u32 n || n handles || u32 length || extra data
 *
 * and of a user decryption
 *
 *	u8 form || user || u32 length || public key
 *
 * and, where the form is unified,
 *
 *	n x (contract || owner) || u32 k || k addresses || start || duration || u32 length ||
 * signature
 *
 * It holds nothing that differs between the generations of one event, so that its digest is the
 * request's identity.
 */
enum {
	FORM_PAIRS = 1,
	FORM_UNIFIED = 2
};

static enum err unified_encode(struct buf *out, const struct user_request *u, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		TRY(buf_add(out, BYTES_OF(u->entries[i].contract.b)));
		TRY(buf_add(out, BYTES_OF(u->entries[i].owner.b)));
	}
	TRY(buf_add_u32be(out, (uint32_t)u->allowed_contracts_n));
	for (size_t i = 0; i < u->allowed_contracts_n; i++)
		TRY(buf_add(out, BYTES_OF(u->allowed_contracts[i].b)));
	TRY(add_u256(out, u->start_s));
	TRY(add_u256(out, u->duration_s));
	return add_vec(out, u->signature);
}

enum err content_handles(struct bytes *ret_handles, struct bytes content)
{
	struct reader r = reader_of(content);
	uint32_t n = reader_u32be(&r);

	if (r.err != ERR_OK || n > HANDLES_PER_REQUEST_MAX)
		return ERR_MALFORMED;
	struct bytes handles = reader_bytes(&r, (size_t)n * 32);
	if (r.err != ERR_OK)
		return ERR_MALFORMED;
	*ret_handles = handles;
	return ERR_OK;
}

enum err content_encode(struct buf *out, const struct decryption_request *r)
{
	const struct user_request *u = r->user;

	TRY(buf_add_u32be(out, (uint32_t)r->handles_n));
	for (size_t i = 0; i < r->handles_n; i++)
		TRY(buf_add(out, BYTES_OF(r->handles[i].b)));
	TRY(add_vec(out, r->extra_data));
	if (!u)
		return ERR_OK;
	TRY(buf_add_u8(out, u->unified ? FORM_UNIFIED : FORM_PAIRS));
	TRY(buf_add(out, BYTES_OF(u->user.b)));
	TRY(add_vec(out, u->public_key));
	return u->unified ? unified_encode(out, u, r->handles_n) : ERR_OK;
}

static enum err unified_decode(struct arena *a, struct user_request *u, struct reader *r, size_t n)
{
	struct user_entry *entries = arena_alloc_array(a, n, sizeof(*entries));

	if (!entries)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		entries[i].contract = read_address(r);
		entries[i].owner = read_address(r);
	}
	u->entries = entries;
	u->allowed_contracts_n = reader_u32be(r);
	if (r->err != ERR_OK || u->allowed_contracts_n > USER_CONTRACTS_MAX)
		return ERR_CORRUPT;

	struct address *allowed = arena_alloc_array(a, u->allowed_contracts_n, sizeof(*allowed));

	if (!allowed)
		return ERR_NOMEM;
	for (size_t i = 0; i < u->allowed_contracts_n; i++)
		allowed[i] = read_address(r);
	u->allowed_contracts = allowed;
	u->start_s = read_u256(r);
	u->duration_s = read_u256(r);
	u->signature = reader_bytes(r, reader_u32be(r));
	return ERR_OK;
}

static enum err user_decode(struct arena *a, const struct user_request **ret_user, struct reader *r,
			    size_t n)
{
	struct user_request *u = arena_alloc(a, sizeof(*u));
	uint8_t form = reader_u8(r);

	if (!u)
		return ERR_NOMEM;
	if (form != FORM_PAIRS && form != FORM_UNIFIED)
		return ERR_CORRUPT;
	*u = (struct user_request){.unified = form == FORM_UNIFIED};
	u->user = read_address(r);
	u->public_key = reader_bytes(r, reader_u32be(r));
	if (u->unified)
		TRY(unified_decode(a, u, r, n));
	*ret_user = u;
	return ERR_OK;
}

enum err decryption_request_decode(struct arena *a, struct decryption_request *ret,
				   enum op_kind kind, struct bytes content)
{
	struct reader r = reader_of(content);
	struct decryption_request out = {.handles_n = reader_u32be(&r)};

	if (r.err != ERR_OK || out.handles_n == 0 || out.handles_n > HANDLES_PER_REQUEST_MAX)
		return ERR_CORRUPT;

	struct hash32 *handles = arena_alloc_array(a, out.handles_n, sizeof(*handles));

	if (!handles)
		return ERR_NOMEM;
	for (size_t i = 0; i < out.handles_n; i++)
		handles[i] = read_hash(&r);
	out.handles = handles;
	out.extra_data = reader_bytes(&r, reader_u32be(&r));
	if (kind == OP_KIND_USER_DECRYPTION)
		TRY(user_decode(a, &out.user, &r, out.handles_n));
	if (reader_end(&r) != ERR_OK)
		return ERR_CORRUPT;
	*ret = out;
	return ERR_OK;
}

/* ---- materials ---- */

/* materials = u32 n || n x (handle || key id || digest || u32 k || k addresses); empty if the event
 * carried none. */
enum err materials_encode(struct buf *out, const struct abi_value *rows)
{
	TRY(buf_add_u32be(out, (uint32_t)rows->items_n));
	for (size_t i = 0; i < rows->items_n; i++) {
		const struct abi_value *f = rows->items[i].items;
		uint8_t key_id[32];

		u256_to_be(key_id, f[1].word);
		TRY(buf_add(out, f[0].bytes));
		TRY(buf_add(out, BYTES_OF(key_id)));
		TRY(buf_add(out, f[2].bytes));
		if (f[3].items_n > COPROCESSORS_MAX)
			return ERR_TOO_BIG;
		TRY(buf_add_u32be(out, (uint32_t)f[3].items_n));
		for (size_t k = 0; k < f[3].items_n; k++) {
			struct address coprocessor = abi_as_address(&f[3].items[k]);

			TRY(buf_add(out, BYTES_OF(coprocessor.b)));
		}
	}
	return ERR_OK;
}

static enum err material_read(struct arena *a, struct sns_material *m, struct reader *r)
{
	m->handle = read_hash(r);
	m->key_id = u256_from_be(read_hash(r).b);
	m->digest = read_hash(r);
	m->coprocessors_n = reader_u32be(r);
	if (r->err != ERR_OK || m->coprocessors_n > COPROCESSORS_MAX)
		return ERR_CORRUPT;

	struct address *list = arena_alloc_array(a, m->coprocessors_n, sizeof(*list));
	if (!list)
		return ERR_NOMEM;
	for (size_t k = 0; k < m->coprocessors_n; k++) {
		struct bytes b = reader_bytes(r, sizeof(list[k].b));

		if (b.n == sizeof(list[k].b))
			memcpy(list[k].b, b.p, b.n);
	}
	m->coprocessors = list;
	return ERR_OK;
}

enum err sns_materials_decode(struct arena *a, const struct sns_material **ret_rows, size_t *ret_n,
			      struct bytes materials)
{
	struct reader r = reader_of(materials);

	if (materials.n == 0) {
		*ret_rows = NULL;
		*ret_n = 0;
		return ERR_OK;
	}
	uint32_t n = reader_u32be(&r);
	if (r.err != ERR_OK || n > HANDLES_PER_REQUEST_MAX)
		return ERR_CORRUPT;
	struct sns_material *rows = arena_alloc_array(a, n, sizeof(*rows));
	if (!rows)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < n; i++)
		TRY(material_read(a, &rows[i], &r));
	if (reader_end(&r) != ERR_OK)
		return ERR_CORRUPT;
	*ret_rows = rows;
	*ret_n = n;
	return ERR_OK;
}
