/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/adapters/decryption.h"

#include "base/limits.h"
#include "crypto/keccak.h"

/* ---- canonical encodings ---- */

/*
 * content = u32 n || n handles || u32 length || extra data, all big endian. It holds nothing that
 * differs between the forms of one event, so that its digest is the request's identity.
 */
static enum err content_encode(struct buf *out, const struct hash32 *handles, size_t n,
			       struct bytes extra_data)
{
	TRY(buf_add_u32be(out, (uint32_t)n));
	for (size_t i = 0; i < n; i++)
		TRY(buf_add(out, BYTES_OF(handles[i].b)));
	TRY(buf_add_u32be(out, (uint32_t)extra_data.n));
	return buf_add(out, extra_data);
}

static struct hash32 read_hash(struct reader *r)
{
	struct bytes b = reader_bytes(r, 32);
	struct hash32 h = {{0}};

	if (b.n == sizeof(h.b))
		memcpy(h.b, b.p, sizeof(h.b));
	return h;
}

enum err public_decryption_decode(struct arena *a, struct public_decryption *ret,
				  struct bytes content)
{
	struct reader r = reader_of(content);
	uint32_t n = reader_u32be(&r);

	if (r.err != ERR_OK || n == 0 || n > HANDLES_PER_REQUEST_MAX)
		return ERR_CORRUPT;

	struct hash32 *handles = arena_alloc_array(a, n, sizeof(*handles));
	if (!handles)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < n; i++)
		handles[i] = read_hash(&r);
	struct bytes extra_data = reader_bytes(&r, reader_u32be(&r));
	if (reader_end(&r) != ERR_OK)
		return ERR_CORRUPT;
	*ret = (struct public_decryption){
		.handles = handles, .handles_n = n, .extra_data = extra_data};
	return ERR_OK;
}

/* materials = u32 n || n x (handle || key id || digest || u32 k || k addresses); empty if the event
 * carried none. */
static enum err materials_encode(struct buf *out, const struct abi_value *rows)
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

/* ---- events ---- */

enum {
	OPERATION_BYTES_MAX = 4 << 20
};

static enum err keep(struct arena *a, struct bytes *ret, struct buf *from)
{
	enum err e = arena_copy(a, ret, buf_view(from));

	buf_free(from);
	return e;
}

static enum err set_content(struct arena *a, struct operation *op, const struct hash32 *handles,
			    size_t n, struct bytes extra_data)
{
	struct buf content CLEANUP(buf_free) = buf_make(OPERATION_BYTES_MAX);

	TRY(content_encode(&content, handles, n, extra_data));
	TRY(keep(a, &op->content, &content));
	op->key.content_digest = keccak256(op->content);
	return ERR_OK;
}

static enum err handles_alloc(struct arena *a, struct hash32 **ret_handles, size_t n)
{
	if (n == 0)
		return ERR_MALFORMED;
	if (n > HANDLES_PER_REQUEST_MAX)
		return ERR_TOO_BIG;
	*ret_handles = arena_alloc_array(a, n, sizeof(**ret_handles));
	return *ret_handles ? ERR_OK : ERR_NOMEM;
}

/* (bytes32[] ctHandles, bytes extraData) */
static enum err decode_handles(struct arena *a, const struct abi_value *args,
			       const struct event_log *log, struct operation *ret_op)
{
	const struct abi_value *list = &args->items[0];
	struct hash32 *handles;

	(void)log;
	TRY(handles_alloc(a, &handles, list->items_n));
	for (size_t i = 0; i < list->items_n; i++)
		handles[i] = abi_as_hash(&list->items[i]);
	return set_content(a, ret_op, handles, list->items_n, args->items[1].bytes);
}

/* ((bytes32 ctHandle, uint256 keyId, bytes32 digest, address[] coprocessors)[], bytes extraData) */
static enum err decode_materials(struct arena *a, const struct abi_value *args,
				 const struct event_log *log, struct operation *ret_op)
{
	struct buf materials CLEANUP(buf_free) = buf_make(OPERATION_BYTES_MAX);
	const struct abi_value *list = &args->items[0];
	struct hash32 *handles;

	(void)log;
	TRY(handles_alloc(a, &handles, list->items_n));
	for (size_t i = 0; i < list->items_n; i++)
		handles[i] = abi_as_hash(&list->items[i].items[0]);
	TRY(materials_encode(&materials, list));
	TRY(keep(a, &ret_op->materials, &materials));
	return set_content(a, ret_op, handles, list->items_n, args->items[1].bytes);
}

const struct event_row decryption_events[] = {
	{
		.signature = "PublicDecryptionRequest(uint256,bytes32[],bytes)",
		.data_type = "(bytes32[],bytes)",
		.kind = OP_KIND_PUBLIC_DECRYPTION,
		.generation = "v0.15 ...",
		.decode = decode_handles,
	},
	{
		.signature = "PublicDecryptionRequest(uint256,(bytes32,uint256,bytes32,address[])[]"
			     ",bytes)",
		.data_type = "((bytes32,uint256,bytes32,address[])[],bytes)",
		.kind = OP_KIND_PUBLIC_DECRYPTION,
		.generation = "v0.9 ... v0.15",
		.decode = decode_materials,
	},
};
const size_t decryption_events_n = ARRAY_LEN(decryption_events);

enum err decryption_topics(struct arena *a, const struct hash32 **ret_topics, size_t *ret_n)
{
	struct hash32 *topics = arena_alloc_array(a, ARRAY_LEN(decryption_events), sizeof(*topics));

	if (!topics)
		return ERR_NOMEM;
	for (size_t i = 0; i < ARRAY_LEN(decryption_events); i++)
		topics[i] = abi_topic(decryption_events[i].signature);
	*ret_topics = topics;
	*ret_n = ARRAY_LEN(decryption_events);
	return ERR_OK;
}

static const struct event_row *event_of(const struct event_log *log)
{
	for (size_t i = 0; log->topics_n > 0 && i < ARRAY_LEN(decryption_events); i++)
		if (hash32_eq(abi_topic(decryption_events[i].signature), log->topics[0]))
			return &decryption_events[i];
	return NULL;
}

static enum err decode_data(struct arena *a, const struct event_row *row,
			    const struct event_log *log, struct operation *op)
{
	const struct abi_type *type;
	const struct abi_value *args;

	TRY(abi_type_parse(a, &type, row->data_type));
	TRY(abi_decode(a, &args, type, log->data));
	return row->decode(a, args, log, op);
}

enum err decryption_decode_log(struct arena *a, struct operation *ret_op, struct chain_id chain,
			       const struct event_log *log, struct err_note *note)
{
	const struct event_row *row = event_of(log);
	struct operation op = {
		.state = OP_SEEN,
		.block = log->block,
		.block_hash = log->block_hash,
		.tx_hash = log->tx_hash,
		.log_index = log->log_index,
	};

	if (!row)
		return ERR_UNSUPPORTED;
	if (log->topics_n != 2)
		return err_say(note, ERR_MALFORMED, "%s: %u topics, 2 expected", row->signature,
			       log->topics_n);
	enum err e = decode_data(a, row, log, &op);
	/* Whatever the log's own content breaks is one thing to the caller; only our own trouble is
	 * another. */
	if (err_class(e) == ERR_CLASS_INTERNAL && e != ERR_RANGE)
		return e;
	if (e != ERR_OK)
		return err_say(note, ERR_MALFORMED, "%s: %s", row->signature, err_name(e));
	op.key.chain = chain;
	op.key.contract = log->address;
	op.key.kind = row->kind;
	op.key.request_id = u256_from_be(log->topics[1].b);
	*ret_op = op;
	return ERR_OK;
}

/* ---- handles and extra data ---- */

struct chain_id handle_chain_id(const struct hash32 *handle)
{
	struct reader r = reader_of(bytes_sub(BYTES_OF(handle->b), 22, 8));

	return (struct chain_id){reader_u64be(&r)};
}

unsigned handle_fhe_type(const struct hash32 *handle)
{
	return handle->b[30];
}

enum err extra_data_parse(struct extra_data *ret, struct bytes extra_data)
{
	struct reader r = reader_of(extra_data);
	struct extra_data x = {0};
	uint8_t version = extra_data.n > 0 ? reader_u8(&r) : 0;

	/* What follows the known fields is ignored, as all readers of this format do. */
	if (version > 2)
		return ERR_BAD_REQUEST;
	if (version >= 1) {
		x.has_context = true;
		x.context = u256_from_be(read_hash(&r).b);
	}
	if (version >= 2) {
		x.has_epoch = true;
		x.epoch = u256_from_be(read_hash(&r).b);
	}
	if (r.err != ERR_OK)
		return ERR_BAD_REQUEST;
	*ret = x;
	return ERR_OK;
}

struct bytes extra_data_for_core(struct bytes extra_data)
{
	return extra_data.n == 1 && extra_data.p[0] == 0 ? BYTES_NONE : extra_data;
}
