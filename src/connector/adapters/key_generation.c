/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/adapters/key_generation.h"

#include "base/limits.h"
#include "crypto/keccak.h"

enum {
	CONTENT_MAX = 1 << 16,
	SCRATCH_MAX = 1 << 20,
	PARAMS_N = 2
};

/* ---- content: u8 form || first || second || u8 parameters || u32 length || extra data ---- */

enum {
	FORM_GATEWAY = 1,
	FORM_HOST = 2
};

enum err key_request_encode(struct buf *out, const struct key_request *r)
{
	uint8_t first[32], second[32];

	if (r->extra_data.n > CORE_EXTRA_DATA_MAX)
		return ERR_TOO_BIG;
	u256_to_be(first, r->first);
	u256_to_be(second, r->second);
	TRY(buf_add_u8(out, r->host ? FORM_HOST : FORM_GATEWAY));
	TRY(buf_add(out, BYTES_OF(first)));
	TRY(buf_add(out, BYTES_OF(second)));
	TRY(buf_add_u8(out, r->params));
	TRY(buf_add_u32be(out, (uint32_t)r->extra_data.n));
	return buf_add(out, r->extra_data);
}

static struct u256 read_u256(struct reader *r)
{
	struct bytes b = reader_bytes(r, 32);

	return b.n == 32 ? u256_from_be(b.p) : U256_ZERO;
}

enum err key_request_decode(struct key_request *ret, struct bytes content)
{
	struct reader r = reader_of(content);
	uint8_t form = reader_u8(&r);
	struct key_request k = {.host = form == FORM_HOST};

	k.first = read_u256(&r);
	k.second = read_u256(&r);
	k.params = reader_u8(&r);
	k.extra_data = reader_bytes(&r, reader_u32be(&r));
	if (reader_end(&r) != ERR_OK || form < FORM_GATEWAY || form > FORM_HOST ||
	    k.params >= PARAMS_N)
		return ERR_CORRUPT;
	*ret = k;
	return ERR_OK;
}

struct u256 prss_init_id(void)
{
	return u256_from_u64(1);
}

/* ---- events ---- */

static enum err set(struct arena *a, struct operation *op, struct u256 id,
		    const struct key_request *r)
{
	struct buf content CLEANUP(buf_free) = buf_make(CONTENT_MAX);

	op->key.request_id = id;
	TRY(key_request_encode(&content, r));
	TRY(arena_copy(a, &op->content, buf_view(&content)));
	op->key.content_digest = keccak256(op->content);
	return ERR_OK;
}

static enum err read_params(uint8_t *ret_params, const struct abi_value *v)
{
	uint64_t params;

	if (u256_to_u64(&params, v->word) != ERR_OK || params >= PARAMS_N)
		return ERR_MALFORMED;
	*ret_params = (uint8_t)params;
	return ERR_OK;
}

/* (prepKeygenId, paramsType, extraData) */
static enum err decode_prep(struct arena *a, const struct abi_value *args, struct operation *op)
{
	const struct abi_value *v = args->items;
	struct key_request r = {.host = true, .extra_data = v[2].bytes};

	TRY(read_params(&r.params, &v[1]));
	return set(a, op, v[0].word, &r);
}

/* (prepKeygenId, epochId, paramsType) */
static enum err decode_prep_gateway(struct arena *a, const struct abi_value *args,
				    struct operation *op)
{
	const struct abi_value *v = args->items;
	struct key_request r = {.second = v[1].word};

	TRY(read_params(&r.params, &v[2]));
	return set(a, op, v[0].word, &r);
}

/* (prepKeygenId, keyId, extraData) */
static enum err decode_keygen(struct arena *a, const struct abi_value *args, struct operation *op)
{
	const struct abi_value *v = args->items;
	const struct key_request r = {.host = true, .first = v[0].word, .extra_data = v[2].bytes};

	return set(a, op, v[1].word, &r);
}

static enum err decode_keygen_gateway(struct arena *a, const struct abi_value *args,
				      struct operation *op)
{
	const struct key_request r = {.first = args->items[0].word};

	return set(a, op, args->items[1].word, &r);
}

/* (crsId, maxBitLength, paramsType, extraData) */
static enum err decode_crsgen(struct arena *a, const struct abi_value *args, struct operation *op)
{
	const struct abi_value *v = args->items;
	struct key_request r = {.host = true, .first = v[1].word, .extra_data = v[3].bytes};

	TRY(read_params(&r.params, &v[2]));
	return set(a, op, v[0].word, &r);
}

static enum err decode_crsgen_gateway(struct arena *a, const struct abi_value *args,
				      struct operation *op)
{
	struct key_request r = {.first = args->items[1].word};

	TRY(read_params(&r.params, &args->items[2]));
	return set(a, op, args->items[0].word, &r);
}

static enum err decode_abort(struct arena *a, const struct abi_value *args, struct operation *op)
{
	const struct key_request r = {.host = true};

	return set(a, op, args->items[0].word, &r);
}

static enum err decode_prss(struct arena *a, const struct abi_value *args, struct operation *op)
{
	const struct key_request r = {0};

	(void)args;
	return set(a, op, prss_init_id(), &r);
}

/* (prepKeygenId, keyId, keyReshareId, paramsType) */
static enum err decode_reshare(struct arena *a, const struct abi_value *args, struct operation *op)
{
	const struct abi_value *v = args->items;
	struct key_request r = {.first = v[0].word, .second = v[1].word};

	TRY(read_params(&r.params, &v[3]));
	return set(a, op, v[2].word, &r);
}

const struct event_row key_generation_events[KEY_GENERATION_EVENTS_N] = {
	{
		.signature = "PrepKeygenRequest(uint256,uint8,bytes)",
		.kind = OP_KIND_PREP_KEYGEN,
		.generation = "v0.13 ...",
		.decode = decode_prep,
	},
	{
		.signature = "KeygenRequest(uint256,uint256,bytes)",
		.kind = OP_KIND_KEYGEN,
		.generation = "v0.13 ...",
		.decode = decode_keygen,
	},
	{
		.signature = "CrsgenRequest(uint256,uint256,uint8,bytes)",
		.kind = OP_KIND_CRSGEN,
		.generation = "v0.13 ...",
		.decode = decode_crsgen,
	},
	{
		.signature = "AbortKeygen(uint256)",
		.kind = OP_KIND_ABORT_KEYGEN,
		.generation = "v0.14 ...",
		.decode = decode_abort,
	},
	{
		.signature = "AbortCrsgen(uint256)",
		.kind = OP_KIND_ABORT_CRSGEN,
		.generation = "v0.14 ...",
		.decode = decode_abort,
	},
	{
		.signature = "PrepKeygenRequest(uint256,uint256,uint8)",
		.kind = OP_KIND_PREP_KEYGEN,
		.generation = "v0.9 ... v0.12, gateway",
		.decode = decode_prep_gateway,
	},
	{
		.signature = "KeygenRequest(uint256,uint256)",
		.kind = OP_KIND_KEYGEN,
		.generation = "v0.9 ... v0.12, gateway",
		.decode = decode_keygen_gateway,
	},
	{
		.signature = "CrsgenRequest(uint256,uint256,uint8)",
		.kind = OP_KIND_CRSGEN,
		.generation = "v0.9 ... v0.12, gateway",
		.decode = decode_crsgen_gateway,
	},
	{
		.signature = "PRSSInit()",
		.kind = OP_KIND_PRSS_INIT,
		.generation = "v0.9.14 ... v0.12, gateway",
		.decode = decode_prss,
	},
	{
		.signature = "KeyReshareSameSet(uint256,uint256,uint256,uint8)",
		.kind = OP_KIND_KEY_RESHARE,
		.generation = "v0.9.14 ... v0.12, gateway",
		.decode = decode_reshare,
	},
};

/* ---- digests of a key ---- */

static const char *const key_types[] = {
	[0] = "ServerKey",
	[1] = "PublicKey",
	[3] = "CompressedXofKeySet",
};

enum err key_type_from_name(uint8_t *ret_type, const char *name)
{
	for (uint8_t i = 0; i < ARRAY_LEN(key_types); i++)
		if (key_types[i] && strcmp(key_types[i], name) == 0) {
			*ret_type = i;
			return ERR_OK;
		}
	return ERR_UNSUPPORTED;
}

enum err key_type_name(const char **ret_name, uint8_t type)
{
	if (type >= ARRAY_LEN(key_types) || !key_types[type])
		return ERR_UNSUPPORTED;
	*ret_name = key_types[type];
	return ERR_OK;
}

enum err key_digests_value(struct arena *a, struct abi_value *ret, const struct key_digest *digests,
			   size_t n)
{
	struct abi_value *rows = arena_alloc_array(a, n, sizeof(*rows));
	struct abi_value *fields = arena_alloc_array(a, 2 * n, sizeof(*fields));

	if (!rows || !fields)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		fields[2 * i] = abi_uint(u256_from_u64(digests[i].type));
		fields[2 * i + 1] = abi_bytes(digests[i].digest);
		rows[i] = abi_items(&fields[2 * i], 2);
	}
	*ret = abi_items(rows, n);
	return ERR_OK;
}

/* ---- what nodes sign ---- */

#define KEY_DIGEST "KeyDigest(uint8 keyType,bytes digest)"

/* By form: [0] the gateway's, without the last member. */
static const char *const prep_types[] = {
	"PrepKeygenVerification(uint256 prepKeygenId)",
	"PrepKeygenVerification(uint256 prepKeygenId,bytes extraData)",
};
static const char *const keygen_types[] = {
	"KeygenVerification(uint256 prepKeygenId,uint256 keyId,KeyDigest[] keyDigests)" KEY_DIGEST,
	"KeygenVerification(uint256 prepKeygenId,uint256 keyId,KeyDigest[] keyDigests,"
	"bytes extraData)" KEY_DIGEST,
};
static const char *const crsgen_types[] = {
	"CrsgenVerification(uint256 crsId,uint256 maxBitLength,bytes crsDigest)",
	"CrsgenVerification(uint256 crsId,uint256 maxBitLength,bytes crsDigest,bytes extraData)",
};

/* `values` ends with the extra data. */
static enum err sign_digest(struct hash32 *ret, const struct eip712_domain *d,
			    const char *const types[2], const struct key_request *r,
			    const struct abi_value *values, size_t n)
{
	return eip712_digest(ret, d, types[r->host ? 1 : 0], values, r->host ? n : n - 1);
}

enum err prep_keygen_digest(struct hash32 *ret, const struct eip712_domain *d, struct u256 id,
			    const struct key_request *r)
{
	const struct abi_value values[] = {abi_uint(id), abi_bytes(r->extra_data)};

	return sign_digest(ret, d, prep_types, r, values, ARRAY_LEN(values));
}

enum err keygen_digest(struct hash32 *ret, const struct eip712_domain *d, struct u256 prep_id,
		       struct u256 key_id, const struct key_digest *digests, size_t n,
		       const struct key_request *r)
{
	struct arena a CLEANUP(arena_free) = arena_make(SCRATCH_MAX);
	struct abi_value list;

	TRY(key_digests_value(&a, &list, digests, n));

	const struct abi_value values[] = {abi_uint(prep_id), abi_uint(key_id), list,
					   abi_bytes(r->extra_data)};
	return sign_digest(ret, d, keygen_types, r, values, ARRAY_LEN(values));
}

enum err crsgen_digest(struct hash32 *ret, const struct eip712_domain *d, struct u256 id,
		       struct u256 bits, struct bytes crs_digest, const struct key_request *r)
{
	const struct abi_value values[] = {abi_uint(id), abi_uint(bits), abi_bytes(crs_digest),
					   abi_bytes(r->extra_data)};

	return sign_digest(ret, d, crsgen_types, r, values, ARRAY_LEN(values));
}
