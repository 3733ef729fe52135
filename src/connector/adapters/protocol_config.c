/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/adapters/protocol_config.h"

#include "base/limits.h"
#include "crypto/keccak.h"

enum {
	CONTENT_MAX = 2 << 20,
	SCRATCH_MAX = 8 << 20,
};

#define NODES       "(address,address,string,string,int32,string,bytes,string)[]"
#define THRESHOLDS  "(uint256,uint256,uint256,uint256)"
#define PCRS        "(bytes,bytes,bytes)[]"
#define INFO        NODES "," THRESHOLDS ",string," PCRS
#define NEW_CONTEXT "NewKmsContext(uint256,uint256," INFO ")"

struct hash32 new_context_topic(void)
{
	return abi_topic(NEW_CONTEXT);
}

/* ---- events ---- */

static enum err set(struct arena *a, struct operation *op, struct buf *content)
{
	enum err e = arena_copy(a, &op->content, buf_view(content));

	buf_free(content);
	if (e == ERR_OK)
		op->key.content_digest = keccak256(op->content);
	return e;
}

static enum err add_u256(struct buf *out, struct u256 v)
{
	uint8_t be[32];

	u256_to_be(be, v);
	return buf_add(out, BYTES_OF(be));
}

/* What no context came before: 0x07 and zeros. */
static bool is_no_context(struct u256 id)
{
	uint8_t be[32] = {7};

	return u256_eq(id, u256_from_be(be));
}

/*
 * The first context is in use from the beginning: nobody is to do anything about it, but it is the
 * one before the second. Content: previous context || abi.encode(nodes, thresholds, version, PCRs).
 */
static enum err decode_context(struct arena *a, const struct abi_value *args, struct operation *op)
{
	const struct abi_value *v = args->items;
	struct buf content CLEANUP(buf_free) = buf_make(CONTENT_MAX);
	const struct abi_value info = abi_items(&v[2], 4);
	const struct abi_type *type;

	op->key.request_id = v[0].word;
	if (is_no_context(v[1].word))
		op->key.kind = 0;
	TRY(abi_type_parse(a, &type, "(" INFO ")"));
	TRY(add_u256(&content, v[1].word));
	TRY(abi_encode(&content, type, &info));
	TRY(set(a, op, &content));

	struct new_context c;
	return new_context_decode(a, &c, op->content) == ERR_OK ? ERR_OK : ERR_MALFORMED;
}

/* (kmsContextId, epochId, previousContextId, previousEpochId, materialBlockNumber) */
static enum err decode_epoch(struct arena *a, const struct abi_value *args, struct operation *op)
{
	const struct abi_value *v = args->items;
	struct buf content CLEANUP(buf_free) = buf_make(CONTENT_MAX);
	uint64_t block;

	op->key.request_id = v[1].word;
	if (u256_to_u64(&block, v[4].word) != ERR_OK || block > INT64_MAX)
		return ERR_MALFORMED;
	TRY(add_u256(&content, v[0].word));
	TRY(add_u256(&content, v[2].word));
	TRY(add_u256(&content, v[3].word));
	TRY(buf_add_u64be(&content, block));
	return set(a, op, &content);
}

static enum err decode_destroyed(struct arena *a, const struct abi_value *args,
				 struct operation *op)
{
	struct buf content CLEANUP(buf_free) = buf_make(CONTENT_MAX);

	op->key.request_id = args->items[0].word;
	TRY(add_u256(&content, args->items[0].word));
	return set(a, op, &content);
}

const struct event_row protocol_config_events[PROTOCOL_CONFIG_EVENTS_N] = {
	{
		.signature = NEW_CONTEXT,
		.indexed = 3,
		.kind = OP_KIND_NEW_CONTEXT,
		.generation = "v0.14 ...",
		.decode = decode_context,
	},
	{
		.signature = "NewKmsEpoch(uint256,uint256,uint256,uint256,uint256)",
		.indexed = 3,
		.kind = OP_KIND_NEW_EPOCH,
		.generation = "v0.14 ...",
		.decode = decode_epoch,
	},
	{
		.signature = "KmsContextDestroyed(uint256)",
		.indexed = 1,
		.kind = OP_KIND_CONTEXT_DESTROYED,
		.generation = "v0.13 ...",
		.decode = decode_destroyed,
	},
	{
		.signature = "KmsEpochDestroyed(uint256)",
		.indexed = 1,
		.kind = OP_KIND_EPOCH_DESTROYED,
		.generation = "v0.14 ...",
		.decode = decode_destroyed,
	},
};

/* ---- content ---- */

static struct u256 read_u256(struct reader *r)
{
	struct bytes b = reader_bytes(r, 32);

	return b.n == 32 ? u256_from_be(b.p) : U256_ZERO;
}

struct hash32 new_context_info_hash(struct bytes content)
{
	return keccak256(content.n > 32 ? bytes_sub(content, 32, content.n - 32) : BYTES_NONE);
}

/* An int32 as its word has it: the ABI walker has checked the range. */
static int32_t as_int32(struct u256 word)
{
	return (int32_t)(uint32_t)word.w[0];
}

static struct kms_node_params node_of(const struct abi_value *f)
{
	return (struct kms_node_params){
		.tx_sender = abi_as_address(&f[0]),
		.signer = abi_as_address(&f[1]),
		.ip_address = f[2].bytes,
		.storage_url = f[3].bytes,
		.party_id = as_int32(f[4].word),
		.mpc_identity = f[5].bytes,
		.ca_cert = f[6].bytes,
		.storage_prefix = f[7].bytes,
	};
}

static enum err lists_decode(struct arena *a, struct new_context *c, const struct abi_value *nodes,
			     const struct abi_value *pcrs)
{
	struct kms_node_params *n = arena_alloc_array(a, nodes->items_n, sizeof(*n));
	struct pcr_values *p = arena_alloc_array(a, pcrs->items_n, sizeof(*p));

	if (!n || !p)
		return ERR_NOMEM;
	for (size_t i = 0; i < nodes->items_n; i++)
		n[i] = node_of(nodes->items[i].items);
	for (size_t i = 0; i < pcrs->items_n; i++)
		for (size_t k = 0; k < ARRAY_LEN(p[i].pcr); k++)
			p[i].pcr[k] = pcrs->items[i].items[k].bytes;
	c->nodes = n;
	c->nodes_n = nodes->items_n;
	c->pcrs = p;
	c->pcrs_n = pcrs->items_n;
	return ERR_OK;
}

enum err new_context_decode(struct arena *a, struct new_context *ret, struct bytes content)
{
	struct reader r = reader_of(content);
	struct new_context c = {.previous = read_u256(&r)};
	const struct abi_type *type;
	const struct abi_value *v;
	uint64_t threshold;

	if (r.err != ERR_OK)
		return ERR_CORRUPT;
	TRY(abi_type_parse(a, &type, "(" INFO ")"));
	if (abi_decode(a, &v, type, bytes_sub(content, 32, content.n - 32)) != ERR_OK)
		return ERR_CORRUPT;

	const struct abi_value *f = v->items;
	if (u256_to_u64(&threshold, f[1].items[3].word) != ERR_OK || threshold > INT32_MAX)
		return ERR_TOO_BIG;
	c.threshold = (int32_t)threshold;
	c.software_version = f[2].bytes;
	TRY(lists_decode(a, &c, &f[0], &f[3]));
	*ret = c;
	return ERR_OK;
}

enum err new_epoch_decode(struct new_epoch *ret, struct bytes content)
{
	struct reader r = reader_of(content);
	struct new_epoch e = {.context = read_u256(&r)};

	e.previous_context = read_u256(&r);
	e.previous_epoch = read_u256(&r);
	e.material_block.v = reader_u64be(&r);
	if (reader_end(&r) != ERR_OK)
		return ERR_CORRUPT;
	*ret = e;
	return ERR_OK;
}

void epoch_extra_data(uint8_t out[EPOCH_EXTRA_DATA_SIZE], struct u256 context, struct u256 epoch)
{
	out[0] = 2;
	u256_to_be(&out[1], context);
	u256_to_be(&out[33], epoch);
}

/* ---- answers ---- */

static enum err call(struct buf *out, const char *signature, const struct abi_value *args, size_t n)
{
	struct arena a CLEANUP(arena_free) = arena_make(SCRATCH_MAX);

	return abi_encode_call(&a, out, signature, args, n);
}

enum err confirm_context_call(struct buf *out, struct u256 context)
{
	const struct abi_value args[] = {abi_uint(context)};

	return call(out, "confirmKmsContextCreation(uint256)", args, ARRAY_LEN(args));
}

static enum err key_value(struct arena *a, struct abi_value *ret, const struct epoch_key *k)
{
	struct abi_value *f = arena_alloc_array(a, 4, sizeof(*f));

	if (!f)
		return ERR_NOMEM;
	f[0] = abi_uint(k->prep_id);
	f[1] = abi_uint(k->key_id);
	TRY(key_digests_value(a, &f[2], k->digests, k->digests_n));
	f[3] = abi_bytes(k->signature);
	*ret = abi_items(f, 4);
	return ERR_OK;
}

static enum err crs_value(struct arena *a, struct abi_value *ret, const struct epoch_crs *c)
{
	struct abi_value *f = arena_alloc_array(a, 4, sizeof(*f));

	if (!f)
		return ERR_NOMEM;
	f[0] = abi_uint(c->crs_id);
	f[1] = abi_uint(c->max_bits);
	f[2] = abi_bytes(c->digest);
	f[3] = abi_bytes(c->signature);
	*ret = abi_items(f, 4);
	return ERR_OK;
}

enum err confirm_epoch_call(struct buf *out, struct u256 epoch, const struct epoch_key *keys,
			    size_t keys_n, const struct epoch_crs *crss, size_t crss_n)
{
	struct arena a CLEANUP(arena_free) = arena_make(SCRATCH_MAX);
	struct abi_value *k = arena_alloc_array(&a, keys_n, sizeof(*k));
	struct abi_value *c = arena_alloc_array(&a, crss_n, sizeof(*c));

	if (!k || !c)
		return ERR_NOMEM;
	for (size_t i = 0; i < keys_n; i++)
		TRY(key_value(&a, &k[i], &keys[i]));
	for (size_t i = 0; i < crss_n; i++)
		TRY(crs_value(&a, &c[i], &crss[i]));

	const struct abi_value args[] = {abi_uint(epoch), abi_items(k, keys_n),
					 abi_items(c, crss_n)};
	return call(out,
		    "confirmEpochActivation(uint256,(uint256,uint256,(uint8,bytes)[],bytes)[],"
		    "(uint256,uint256,bytes,bytes)[])",
		    args, ARRAY_LEN(args));
}

/* ---- views ---- */

static enum err result(struct arena *a, const struct abi_value **ret, const char *type_text,
		       struct bytes data)
{
	const struct abi_type *type;

	if (data.n == 0)
		return ERR_MALFORMED;
	TRY(abi_type_parse(a, &type, type_text));
	return abi_decode(a, ret, type, data);
}

enum err context_anchor_call(struct buf *out, struct u256 context)
{
	const struct abi_value args[] = {abi_uint(context)};

	return call(out, "getKmsContextAnchor(uint256)", args, ARRAY_LEN(args));
}

enum err context_anchor_result(struct block_number *ret_block, struct hash32 *ret_hash,
			       struct bytes data)
{
	struct arena a CLEANUP(arena_free) = arena_make(SCRATCH_MAX);
	const struct abi_value *v;
	uint64_t block;

	TRY(result(&a, &v, "(uint256,bytes32)", data));
	if (u256_to_u64(&block, v->items[0].word) != ERR_OK || block > INT64_MAX)
		return ERR_MALFORMED;
	ret_block->v = block;
	*ret_hash = abi_as_hash(&v->items[1]);
	return ERR_OK;
}

enum err is_live_context_call(struct buf *out, struct u256 context)
{
	const struct abi_value args[] = {abi_uint(context)};

	return call(out, "isLiveKmsContext(uint256)", args, ARRAY_LEN(args));
}

enum err current_context_and_epoch_call(struct buf *out)
{
	return call(out, "getCurrentKmsContextAndEpoch()", NULL, 0);
}

enum err current_context_and_epoch_result(struct u256 *ret_context, struct u256 *ret_epoch,
					  struct bytes data)
{
	struct arena a CLEANUP(arena_free) = arena_make(SCRATCH_MAX);
	const struct abi_value *v;

	TRY(result(&a, &v, "(uint256,uint256)", data));
	*ret_context = v->items[0].word;
	*ret_epoch = v->items[1].word;
	return ERR_OK;
}
