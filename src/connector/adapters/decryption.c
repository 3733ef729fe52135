/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/adapters/decryption.h"

#include "base/limits.h"
#include "connector/adapters/content.h"
#include "crypto/keccak.h"

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

static enum err set_content(struct arena *a, struct operation *op,
			    const struct decryption_request *r)
{
	struct buf content CLEANUP(buf_free) = buf_make(OPERATION_BYTES_MAX);

	TRY(content_encode(&content, r));
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

/* bytes32[] ctHandles */
static enum err handles_of(struct arena *a, struct decryption_request *r,
			   const struct abi_value *list)
{
	struct hash32 *handles;

	TRY(handles_alloc(a, &handles, list->items_n));
	for (size_t i = 0; i < list->items_n; i++)
		handles[i] = abi_as_hash(&list->items[i]);
	r->handles = handles;
	r->handles_n = list->items_n;
	return ERR_OK;
}

/* (bytes32 ctHandle, …)[]: handles first, whatever else is there */
static enum err handles_of_rows(struct arena *a, struct decryption_request *r,
				const struct abi_value *list)
{
	struct hash32 *handles;

	TRY(handles_alloc(a, &handles, list->items_n));
	for (size_t i = 0; i < list->items_n; i++)
		handles[i] = abi_as_hash(&list->items[i].items[0]);
	r->handles = handles;
	r->handles_n = list->items_n;
	return ERR_OK;
}

/* (bytes32 ctHandle, uint256 keyId, bytes32 digest, address[] coprocessors)[] */
static enum err keep_materials(struct arena *a, struct operation *op, const struct abi_value *list)
{
	struct buf materials CLEANUP(buf_free) = buf_make(OPERATION_BYTES_MAX);

	TRY(materials_encode(&materials, list));
	return keep(a, &op->materials, &materials);
}

/* (bytes32[] ctHandles, bytes extraData) */
static enum err decode_public(struct arena *a, const struct abi_value *args, struct operation *op)
{
	struct decryption_request r = {.extra_data = args->items[1].bytes};

	TRY(handles_of(a, &r, &args->items[0]));
	return set_content(a, op, &r);
}

static enum err decode_public_materials(struct arena *a, const struct abi_value *args,
					struct operation *op)
{
	struct decryption_request r = {.extra_data = args->items[1].bytes};

	TRY(handles_of_rows(a, &r, &args->items[0]));
	TRY(keep_materials(a, op, &args->items[0]));
	return set_content(a, op, &r);
}

/* (…, address userAddress, bytes publicKey, bytes extraData) */
static struct user_request pairs_of(const struct abi_value *args)
{
	return (struct user_request){
		.user = abi_as_address(&args->items[1]),
		.public_key = args->items[2].bytes,
	};
}

static enum err decode_user(struct arena *a, const struct abi_value *args, struct operation *op)
{
	const struct user_request user = pairs_of(args);
	struct decryption_request r = {.extra_data = args->items[3].bytes, .user = &user};

	TRY(handles_of(a, &r, &args->items[0]));
	return set_content(a, op, &r);
}

static enum err decode_user_materials(struct arena *a, const struct abi_value *args,
				      struct operation *op)
{
	const struct user_request user = pairs_of(args);
	struct decryption_request r = {.extra_data = args->items[3].bytes, .user = &user};

	TRY(handles_of_rows(a, &r, &args->items[0]));
	TRY(keep_materials(a, op, &args->items[0]));
	return set_content(a, op, &r);
}

/*
 * handles: (bytes32 handle, address contractAddress, address ownerAddress)[]
 * payload: (address userAddress, bytes publicKey, address[] allowedContracts,
 *	(uint256 startTimestamp, uint256 durationSeconds), bytes extraData, bytes signature)
 */
static enum err unified_content(struct arena *a, struct operation *op,
				const struct abi_value *handles, const struct abi_value *payload)
{
	const struct abi_value *f = payload->items, *allowed = &f[2];
	struct user_entry *entries = arena_alloc_array(a, handles->items_n, sizeof(*entries));
	struct address *contracts = arena_alloc_array(a, allowed->items_n, sizeof(*contracts));
	struct user_request user = {
		.user = abi_as_address(&f[0]),
		.public_key = f[1].bytes,
		.unified = true,
		.entries = entries,
		.allowed_contracts = contracts,
		.allowed_contracts_n = allowed->items_n,
		.start_s = f[3].items[0].word,
		.duration_s = f[3].items[1].word,
		.signature = f[5].bytes,
	};
	struct decryption_request r = {.extra_data = f[4].bytes, .user = &user};

	if (!entries || !contracts)
		return ERR_NOMEM;
	if (allowed->items_n > USER_CONTRACTS_MAX)
		return ERR_TOO_BIG;
	TRY(handles_of_rows(a, &r, handles));
	for (size_t i = 0; i < handles->items_n; i++) {
		entries[i].contract = abi_as_address(&handles->items[i].items[1]);
		entries[i].owner = abi_as_address(&handles->items[i].items[2]);
	}
	for (size_t i = 0; i < allowed->items_n; i++)
		contracts[i] = abi_as_address(&allowed->items[i]);
	return set_content(a, op, &r);
}

static enum err decode_unified(struct arena *a, const struct abi_value *args, struct operation *op)
{
	return unified_content(a, op, &args->items[0], &args->items[1]);
}

static enum err decode_unified_materials(struct arena *a, const struct abi_value *args,
					 struct operation *op)
{
	const struct abi_value *materials = &args->items[0], *handles = &args->items[1];

	if (materials->items_n != handles->items_n)
		return ERR_MALFORMED;
	for (size_t i = 0; i < handles->items_n; i++)
		if (!hash32_eq(abi_as_hash(&materials->items[i].items[0]),
			       abi_as_hash(&handles->items[i].items[0])))
			return ERR_MALFORMED;
	TRY(keep_materials(a, op, materials));
	return unified_content(a, op, handles, &args->items[2]);
}

#define MATERIALS "(bytes32,uint256,bytes32,address[])[]"
#define ENTRIES   "(bytes32,address,address)[]"
#define PAYLOAD   "(address,bytes,address[],(uint256,uint256),bytes,bytes)"

const struct event_row decryption_events[DECRYPTION_EVENTS_N] = {
	{
		.signature = "PublicDecryptionRequest(uint256,bytes32[],bytes)",
		.data_type = "(bytes32[],bytes)",
		.kind = OP_KIND_PUBLIC_DECRYPTION,
		.generation = "v0.15 ...",
		.decode = decode_public,
	},
	{
		.signature = "PublicDecryptionRequest(uint256," MATERIALS ",bytes)",
		.data_type = "(" MATERIALS ",bytes)",
		.kind = OP_KIND_PUBLIC_DECRYPTION,
		.generation = "v0.9 ... v0.15",
		.decode = decode_public_materials,
	},
	{
		.signature = "UserDecryptionRequest(uint256,bytes32[],address,bytes,bytes)",
		.data_type = "(bytes32[],address,bytes,bytes)",
		.kind = OP_KIND_USER_DECRYPTION,
		.generation = "v0.15 ...",
		.decode = decode_user,
	},
	{
		.signature = "UserDecryptionRequest(uint256," MATERIALS ",address,bytes,bytes)",
		.data_type = "(" MATERIALS ",address,bytes,bytes)",
		.kind = OP_KIND_USER_DECRYPTION,
		.generation = "v0.9 ... v0.15",
		.decode = decode_user_materials,
	},
	{
		.signature = "UserDecryptionRequest(uint256," ENTRIES "," PAYLOAD ")",
		.data_type = "(" ENTRIES "," PAYLOAD ")",
		.kind = OP_KIND_USER_DECRYPTION,
		.generation = "v0.15 ...",
		.decode = decode_unified,
	},
	{
		.signature = "UserDecryptionRequest(uint256," MATERIALS "," ENTRIES "," PAYLOAD ")",
		.data_type = "(" MATERIALS "," ENTRIES "," PAYLOAD ")",
		.kind = OP_KIND_USER_DECRYPTION,
		.generation = "v0.14 ... v0.15",
		.decode = decode_unified_materials,
	},
};

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

static struct u256 read_u256(struct reader *r)
{
	struct bytes b = reader_bytes(r, 32);

	return b.n == 32 ? u256_from_be(b.p) : (struct u256){{0}};
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
		x.context = read_u256(&r);
	}
	if (version >= 2) {
		x.has_epoch = true;
		x.epoch = read_u256(&r);
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
