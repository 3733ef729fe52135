/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "base/hex.h"
#include "connector/worker/acl_many.h"
#include "eth/abi.h"
#include "rpc.h"

/* Selectors are hashes, and asked for all the time. */
bool is_call(struct bytes data, const char *signature)
{
	static struct {
		const char *signature;
		uint8_t selector[4];
	} known[48];
	size_t i = 0;

	while (i < ARRAY_LEN(known) && known[i].signature && known[i].signature != signature)
		i++;
	CHECK(i < ARRAY_LEN(known));
	if (!known[i].signature) {
		known[i].signature = signature;
		abi_selector(known[i].selector, signature);
	}
	return data.n >= 4 && memcmp(data.p, known[i].selector, 4) == 0;
}

struct hash32 call_word(struct bytes data, size_t i)
{
	struct bytes b = bytes_sub(data, 4 + 32 * i, 32);
	struct hash32 h;

	CHECK(b.n == 32);
	memcpy(h.b, b.p, 32);
	return h;
}

uint64_t call_number(struct bytes data, size_t i)
{
	uint64_t v;

	CHECK(u256_to_u64(&v, u256_from_be(call_word(data, i).b)) == ERR_OK);
	return v;
}

void give(struct buf *out, const char *type_text, const struct abi_value *items, size_t n)
{
	CLEANUP(arena_free) struct arena a = arena_make(1 << 20);
	const struct abi_value tuple = abi_items(items, n);
	const struct abi_type *type;

	CHECK(abi_type_parse(&a, &type, type_text) == ERR_OK);
	CHECK(abi_encode(out, type, &tuple) == ERR_OK);
}

void give_number(struct buf *out, uint64_t v)
{
	uint8_t word[32];

	u256_to_be(word, u256_from_u64(v));
	CHECK(buf_add(out, BYTES_OF(word)) == ERR_OK);
}

static void give_addresses(struct buf *out, const struct address *list)
{
	struct abi_value items[COPROCESSORS];

	for (size_t i = 0; i < COPROCESSORS; i++)
		items[i] = abi_address(list[i]);
	const struct abi_value v = abi_items(items, COPROCESSORS);
	give(out, "(address[])", &v, 1);
}

static bool give_coprocessor(const struct sim *s, struct bytes data, struct buf *out)
{
	struct hash32 word = call_word(data, 0);

	for (size_t i = 0; i < COPROCESSORS; i++) {
		if (memcmp(&word.b[12], s->tx_senders[i].b, 20) != 0)
			continue;
		const struct abi_value f[] = {abi_address(s->tx_senders[i]),
					      abi_address(s->signers[i]),
					      abi_bytes(bytes_str(s->bucket_urls[i]))};
		const struct abi_value v = abi_items(f, ARRAY_LEN(f));

		give(out, "((address,address,string))", &v, 1);
		return true;
	}
	return false;
}

static bool gateway_view(struct endpoint *e, struct address to, struct bytes data, uint64_t block,
			 struct buf *out)
{
	const struct sim *s = e->chain->sim;

	if (address_eq(to, s->kms_generation))
		return keys_view(e->chain, data, block, out);
	if (!address_eq(to, s->gateway_config))
		return false;
	if (context_view(e->chain, data, block, out))
		return true;
	if (is_call(data, "getCoprocessorSigners()"))
		give_addresses(out, s->signers);
	else if (is_call(data, "getCoprocessorTxSenders()"))
		give_addresses(out, s->tx_senders);
	else if (is_call(data, "getCoprocessorMajorityThreshold()"))
		give_number(out, 2);
	else
		return is_call(data, "getCoprocessor(address)") && give_coprocessor(s, data, out);
	return true;
}

static bool acl_says(struct endpoint *e, const struct ciphertext *ct, struct bytes data,
		     uint64_t block)
{
	struct sim *s = e->chain->sim;
	const struct plant *plant = s->plant;
	bool allowed = ct && ct->allowed_from <= block && user_may(ct, data);

	if (plant && plant->flips && strcmp(plant->flips, "acl") == 0 && sim_chance(s, 5))
		allowed = true;
	if (e->lies && sim_chance(s, 50))
		allowed = !allowed;
	return allowed;
}

static bool acl_view(struct endpoint *e, struct bytes data, uint64_t block, struct buf *out)
{
	static const struct {
		const char *signature;
		size_t handle; /* which argument */
	} views[] = {
		{"isAllowedForDecryption(bytes32)", 0},
		{"isAllowed(bytes32,address)", 0},
		{"isHandleDelegatedForUserDecryption(address,address,address,bytes32)", 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (is_call(data, views[i].signature)) {
			struct hash32 handle = call_word(data, views[i].handle);
			const struct ciphertext *ct = ciphertext_of(e->chain->sim, &handle);

			give_number(out, acl_says(e, ct, data, block) ? 1 : 0);
			return true;
		}
	if (!is_call(data, "decryptionSignatureInvalidatedBefore(address)"))
		return false;
	give_number(out, 0);
	return true;
}

static bool view(struct endpoint *e, struct address to, struct bytes data, uint64_t block,
		 struct buf *out)
{
	struct sim *s = e->chain->sim;

	if (e->chain == &s->gateway)
		return gateway_view(e, to, data, block, out);
	if (address_eq(to, s->kms_generation))
		return keys_view(e->chain, data, block, out);
	if (address_eq(to, s->protocol_config))
		return context_view(e->chain, data, block, out) ||
		       protocol_view(e->chain, data, block, out);
	return address_eq(to, s->acl) && acl_view(e, data, block, out);
}

/* What the constructor of acl_many.c does: a byte for each question. */
static bool ask_many(struct endpoint *e, struct bytes code, uint64_t block, struct buf *out)
{
	CLEANUP(buf_free) struct buf word = buf_make(32);
	struct reader r = reader_of(code);
	struct address to;

	CHECK(bytes_eq_var(reader_bytes(&r, ACL_MANY_CODE_SIZE), BYTES_OF(acl_many_code)));
	if (!e->chain->creates)
		return false;
	memcpy(to.b, reader_bytes(&r, sizeof(to.b)).p, sizeof(to.b));
	while (r.in.n > 0) {
		size_t n = reader_u8(&r);
		uint8_t says = ACL_SAID_NOTHING;

		n = n << 8 | reader_u8(&r);
		buf_clear(&word);
		if (view(e, to, reader_bytes(&r, n), block, &word))
			says = word.p[31] ? ACL_SAID_YES : ACL_SAID_NO;
		CHECK(buf_add_u8(out, says) == ERR_OK);
	}
	return reader_end(&r) == ERR_OK;
}

void contracts_call(const struct rpc_ask *q, struct buf *out, struct rpc_error *ret_error)
{
	CLEANUP(buf_free) struct buf data = buf_make(1 << 20);
	CLEANUP(buf_free) struct buf result = buf_make(1 << 20);
	struct bytes to_text = rpc_member(q, "to");
	uint64_t block = rpc_block(q->e, rpc_param(q, 1));
	struct address to;
	bool ok;

	CHECK(hex_decode(&data, rpc_member(q, "data")) == ERR_OK);
	if (block > endpoint_head(q->e)) {
		ret_error->message = "header not found";
		return;
	}
	if (to_text.n > 0)
		CHECK(hex_decode_fixed(to.b, sizeof(to.b), to_text) == ERR_OK);
	ok = to_text.n == 0 ? ask_many(q->e, buf_view(&data), block, &result)
			    : view(q->e, to, buf_view(&data), block, &result);
	if (ok)
		rpc_add_hex(out, buf_view(&result));
	else
		ret_error->message = "execution reverted";
}
