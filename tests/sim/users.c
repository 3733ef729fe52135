/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What users ask for: for themselves, by delegation, in the unified form. What they sign is made
 * here, with the event and with the calldata that the older forms have it in; some lie about it.
 */
#include "connector/adapters/user_decryption.h"
#include "crypto/keccak.h"
#include "eth/abi.h"
#include "sim.h"

enum {
	USER_KEY_FILL = 0x22,
	OTHER_KEY_FILL = 0x23,
	LONG_AGO_S = 3 * 86400,
	BEGUN_S = 3600,
	DAY_S = 86400
};

#define MATERIALS "(bytes32,uint256,bytes32,address[])[]"
#define ENTRIES   "(bytes32,address,address)[]"
#define PAYLOAD   "(address,bytes,address[],(uint256,uint256),bytes,bytes)"
#define PAIRS     "(bytes32,address)[]"
#define DIRECT                                                                                     \
	"userDecryptionRequest(" PAIRS ",(uint256,uint256),(uint256,address[]),address,bytes,"     \
	"bytes,bytes)"
#define DELEGATED                                                                                  \
	"delegatedUserDecryptionRequest(" PAIRS ",(uint256,uint256),(address,address),"            \
	"(uint256,address[]),bytes,bytes,bytes)"

/* ---- who may ---- */

static bool word_is(struct bytes call, size_t i, struct address a)
{
	struct hash32 w = call_word(call, i);

	return memcmp(&w.b[12], a.b, sizeof(a.b)) == 0;
}

bool user_may(const struct ciphertext *ct, struct bytes call)
{
	const struct user_truth *u = ct->user;

	if (is_call(call, "isAllowedForDecryption(bytes32)"))
		return !u;
	if (!u)
		return false;
	if (is_call(call, "isAllowed(bytes32,address)"))
		return word_is(call, 1, u->contract) ||
		       (address_eq(u->owner, u->user) && word_is(call, 1, u->user));
	return !address_eq(u->owner, u->user) && word_is(call, 0, u->owner) &&
	       word_is(call, 1, u->user) && word_is(call, 2, u->contract);
}

/* ---- what is signed ---- */

static struct eip712_domain signed_domain(const struct sim *s)
{
	struct eip712_domain d = s->domain;

	d.chain_id = u256_from_u64(HOST_CHAIN);
	return d;
}

static void sign(struct sim *s, struct user_truth *u, struct hash32 digest)
{
	struct secret32 key;

	memset(key.b, u->fault == USER_FORGED ? OTHER_KEY_FILL : USER_KEY_FILL, sizeof(key.b));
	CHECK(ecdsa_sign65(s->ecdsa, &u->signature, &key, digest) == ERR_OK);
}

static struct user_truth *truth_new(struct sim *s)
{
	struct user_truth *u = arena_alloc(&s->kept, sizeof(*u));
	struct secret32 key;
	uint8_t public_key[48];

	CHECK(u != NULL);
	*u = (struct user_truth){.form = (enum user_form)more_below(s, USER_FORMS), .days = 1};
	if (more_chance(s, 10))
		u->fault = more_chance(s, 50) ? USER_FORGED : USER_EXPIRED;
	memset(key.b, USER_KEY_FILL, sizeof(key.b));
	CHECK(ecdsa_address(s->ecdsa, &u->user, &key) == ERR_OK);
	u->owner = u->user;
	if (u->form == USER_DELEGATED || (u->form == USER_UNIFIED && more_chance(s, 50)))
		memset(u->owner.b, 0x0e, sizeof(u->owner.b));
	memset(u->contract.b, 0xda, sizeof(u->contract.b));
	rng_fill(&s->more.base, public_key, sizeof(public_key));
	CHECK(arena_copy(&s->kept, &u->public_key, BYTES_OF(public_key)) == ERR_OK);
	u->start_s = (uint64_t)(loop_wall_ms(&s->loop) / 1000) -
		     (u->fault == USER_EXPIRED ? LONG_AGO_S : BEGUN_S);
	return u;
}

/* ---- the older forms: it stands in the calldata ---- */

static void sign_calldata(struct sim *s, const struct request *r)
{
	struct user_truth *u = r->user;
	const struct eip712_domain domain = signed_domain(s);
	const struct user_calldata c = {
		.delegated = u->form == USER_DELEGATED,
		.delegator = u->owner,
		.user = u->user,
		.public_key = u->public_key,
		.chain_id = u256_from_u64(HOST_CHAIN),
		.contracts = &u->contract,
		.contracts_n = 1,
		.start_s = u256_from_u64(u->start_s),
		.duration_days = u256_from_u64(u->days),
		.extra_data = r->extra_data,
	};
	struct hash32 digest;

	CHECK(user_calldata_digest(&digest, &domain, &c) == ERR_OK);
	sign(s, u, digest);
}

static void make_calldata(struct sim *s, struct request *r)
{
	CLEANUP(arena_free) struct arena a = arena_make(1 << 20);
	CLEANUP(buf_free) struct buf out = buf_make(1 << 16);
	struct user_truth *u = r->user;
	struct abi_value fields[HANDLES_MAX][2], pairs[HANDLES_MAX];
	const struct abi_value validity[] = {abi_uint(u256_from_u64(u->start_s)),
					     abi_uint(u256_from_u64(u->days))};
	const struct abi_value accounts[] = {abi_address(u->owner), abi_address(u->user)};
	const struct abi_value contract = abi_address(u->contract);
	const struct abi_value contracts[] = {abi_uint(u256_from_u64(HOST_CHAIN)),
					      abi_items(&contract, 1)};
	bool delegated = u->form == USER_DELEGATED;

	for (size_t i = 0; i < r->cts_n; i++) {
		fields[i][0] = abi_hash(&r->cts[i]->handle);
		fields[i][1] = contract;
		pairs[i] = abi_items(fields[i], 2);
	}
	sign_calldata(s, r);
	const struct abi_value args[] = {
		abi_items(pairs, r->cts_n),
		abi_items(validity, 2),
		delegated ? abi_items(accounts, 2) : abi_items(contracts, 2),
		delegated ? abi_items(contracts, 2) : abi_address(u->user),
		abi_bytes(u->public_key),
		abi_bytes(BYTES_OF(u->signature.b)),
		abi_bytes(r->extra_data),
	};
	CHECK(abi_encode_call(&a, &out, delegated ? DELEGATED : DIRECT, args, ARRAY_LEN(args)) ==
	      ERR_OK);
	CHECK(arena_copy(&s->kept, &u->calldata, buf_view(&out)) == ERR_OK);
}

/* ---- events ---- */

struct parts {
	struct abi_value senders[COPROCESSORS], materials[HANDLES_MAX][4], rows[HANDLES_MAX];
	struct abi_value handles[HANDLES_MAX], fields[HANDLES_MAX][3], entries[HANDLES_MAX];
	struct abi_value contract, validity[2], payload[6];
};

static void parts_fill(struct sim *s, struct parts *p, const struct request *r)
{
	const struct user_truth *u = r->user;

	for (size_t i = 0; i < COPROCESSORS; i++)
		p->senders[i] = abi_address(s->tx_senders[i]);
	for (size_t i = 0; i < r->cts_n; i++) {
		p->handles[i] = abi_hash(&r->cts[i]->handle);
		p->materials[i][0] = p->fields[i][0] = p->handles[i];
		p->materials[i][1] = abi_uint(u256_from_u64(4));
		p->materials[i][2] = abi_hash(&r->cts[i]->digest);
		p->materials[i][3] = abi_items(p->senders, COPROCESSORS);
		p->rows[i] = abi_items(p->materials[i], 4);
		p->fields[i][1] = abi_address(u->contract);
		p->fields[i][2] = abi_address(u->owner);
		p->entries[i] = abi_items(p->fields[i], 3);
	}
	p->contract = abi_address(u->contract);
	p->validity[0] = abi_uint(u256_from_u64(u->start_s));
	p->validity[1] = abi_uint(u256_from_u64(u->days * DAY_S));
	p->payload[0] = abi_address(u->user);
	p->payload[1] = abi_bytes(u->public_key);
	p->payload[2] = abi_items(&p->contract, 1);
	p->payload[3] = abi_items(p->validity, 2);
	p->payload[4] = abi_bytes(r->extra_data);
	p->payload[5] = abi_bytes(BYTES_OF(u->signature.b));
}

static void add_log(struct sim *s, struct request *r, bool materials)
{
	static const char *const types[2][2] = {
		{"(bytes32[],address,bytes,bytes)", "(" MATERIALS ",address,bytes,bytes)"},
		{"(" ENTRIES "," PAYLOAD ")", "(" MATERIALS "," ENTRIES "," PAYLOAD ")"},
	};
	static const char *const signatures[2][2] = {
		{"UserDecryptionRequest(uint256,bytes32[],address,bytes,bytes)",
		 "UserDecryptionRequest(uint256," MATERIALS ",address,bytes,bytes)"},
		{"UserDecryptionRequest(uint256," ENTRIES "," PAYLOAD ")",
		 "UserDecryptionRequest(uint256," MATERIALS "," ENTRIES "," PAYLOAD ")"},
	};
	bool unified = r->user->form == USER_UNIFIED;
	struct request_log *l = &r->logs[r->logs_n++];
	struct abi_value args[4];
	struct parts p;
	size_t n = 0;

	parts_fill(s, &p, r);
	if (materials)
		args[n++] = abi_items(p.rows, r->cts_n);
	if (unified) {
		args[n++] = abi_items(p.entries, r->cts_n);
		args[n++] = abi_items(p.payload, ARRAY_LEN(p.payload));
	} else {
		if (!materials)
			args[n++] = abi_items(p.handles, r->cts_n);
		args[n++] = abi_address(r->user->user);
		args[n++] = abi_bytes(r->user->public_key);
		args[n++] = abi_bytes(r->extra_data);
	}
	*l = (struct request_log){.topics = {abi_topic(signatures[unified][materials])},
				  .topics_n = 2};
	u256_to_be(l->topics[1].b, u256_from_u64(r->id));
	l->data = encode_kept(s, types[unified][materials], args, n);
}

static void sign_unified(struct sim *s, const struct request *r)
{
	struct user_truth *u = r->user;
	const struct eip712_domain domain = signed_domain(s);
	const struct user_request asked = {
		.user = u->user,
		.public_key = u->public_key,
		.unified = true,
		.allowed_contracts = &u->contract,
		.allowed_contracts_n = 1,
		.start_s = u256_from_u64(u->start_s),
		.duration_s = u256_from_u64(u->days * DAY_S),
	};
	const struct decryption_request request = {.extra_data = r->extra_data, .user = &asked};
	struct hash32 digest;

	CHECK(user_signature_digest(&digest, &domain, &request) == ERR_OK);
	sign(s, u, digest);
}

void user_ask(struct sim *s, struct request *r, bool both)
{
	const uint64_t seed[] = {s->seed, r->id, s->requests_n};
	bool materials = more_chance(s, 50);

	r->kind = OP_KIND_USER_DECRYPTION;
	r->user = truth_new(s);
	r->tx = keccak256(bytes_from(seed, sizeof(seed)));
	for (size_t i = 0; i < r->cts_n; i++)
		r->cts[i]->user = r->user;
	if (r->user->form == USER_UNIFIED)
		sign_unified(s, r);
	else
		make_calldata(s, r);
	if (r->user->fault != USER_HONEST)
		r->allowed = false;
	if (both || materials)
		add_log(s, r, true);
	if (both || !materials)
		add_log(s, r, false);
}

/* ---- answers ---- */

struct hash32 user_answer_digest(struct sim *s, const struct request *r, struct bytes share,
				 struct bytes extra)
{
	struct abi_value handles[HANDLES_MAX];
	struct hash32 digest;

	for (size_t i = 0; i < r->cts_n; i++)
		handles[i] = abi_hash(&r->cts[i]->handle);
	const struct abi_value values[] = {abi_bytes(r->user->public_key),
					   abi_items(handles, r->cts_n), abi_bytes(share),
					   abi_bytes(extra)};
	CHECK(eip712_digest(&digest, &s->domain, EIP712_USER_RESPONSE, values, 4) == ERR_OK);
	return digest;
}
