/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the gateway is asked for, how it says so, and what becomes of it on another branch. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "connector/worker/attestation.h"
#include "crypto/keccak.h"
#include "eth/abi.h"
#include "sim.h"

#define LEGACY  "PublicDecryptionRequest(uint256,(bytes32,uint256,bytes32,address[])[],bytes)"
#define HANDLES "PublicDecryptionRequest(uint256,bytes32[],bytes)"

enum {
	KEY_ID = 4,
	BODY_MIN = 32,
	BODY_MAX = 2048,
	FHE_UINT64 = 5
};

/* ---- ciphertexts ---- */

static struct hash32 new_handle(struct sim *s)
{
	struct hash32 h;

	rng_fill(&s->rng.base, h.b, 21);
	h.b[21] = 0;
	for (unsigned i = 0; i < 8; i++)
		h.b[22 + i] = (uint8_t)((uint64_t)HOST_CHAIN >> (56 - 8 * i));
	h.b[30] = FHE_UINT64;
	h.b[31] = 0;
	return h;
}

const char *attestation_of(struct sim *s, struct ciphertext *ct, size_t i)
{
	struct attestation a = {
		.key_id = u256_from_u64(KEY_ID),
		.ciphertext_digest = keccak256(BYTES_LIT("the 64-bit ciphertext")),
		.sns_digest = ct->digest,
		.format = CT_COMPRESSED_ON_CPU,
		.signer = s->signers[i],
	};
	struct hash32 digest =
		attestation_digest(&a, &ct->handle, u256_from_u64(COPROCESSOR_CONTEXT_ID));
	char low[65], sns[65], signer[41], sig[131];

	if (ct->at[i].attestation[0] != '\0')
		return ct->at[i].attestation;
	CHECK(ecdsa_sign65(s->ecdsa, &a.signature, &s->coprocessor_keys[i], digest) == ERR_OK);
	hex_encode(low, BYTES_OF(a.ciphertext_digest.b));
	hex_encode(sns, BYTES_OF(a.sns_digest.b));
	hex_encode(signer, BYTES_OF(a.signer.b));
	hex_encode(sig, BYTES_OF(a.signature.b));
	(void)snprintf(ct->at[i].attestation, sizeof(ct->at[i].attestation),
		       "{\"version\":1,\"key_id\":\"0x%x\",\"ciphertext_digest\":\"0x%s\","
		       "\"sns_ciphertext_digest\":\"0x%s\",\"format\":\"compressed_on_cpu\","
		       "\"signer\":\"0x%s\",\"signature\":\"0x%s\"}",
		       (unsigned)KEY_ID, low, sns, signer, sig);
	return ct->at[i].attestation;
}

static void mishaps(struct sim *s, struct ciphertext *ct)
{
	for (size_t i = 0; i < COPROCESSORS; i++) {
		int64_t until_ms = s->loop.now_ms + fault_length(s, SECOND, 10 * MINUTE);

		if (fault(s, FAULT_BUCKET_MISSING))
			ct->at[i].missing_until_ms = until_ms;
		if (fault(s, FAULT_BUCKET_CORRUPT))
			ct->at[i].corrupt_until_ms = until_ms;
		ct->at[i].huge = fault(s, FAULT_BUCKET_HUGE);
	}
}

struct ciphertext *ciphertext_new(struct sim *s, bool allowed)
{
	struct ciphertext *ct = calloc(1, sizeof(*ct));
	size_t n = (size_t)sim_between(s, BODY_MIN, BODY_MAX);
	uint8_t *place;

	CHECK(ct != NULL);
	ct->handle = new_handle(s);
	ct->body = buf_make(BODY_MAX);
	CHECK(buf_add_space(&ct->body, n, &place) == ERR_OK);
	rng_fill(&s->rng.base, place, n);
	ct->digest = keccak256(buf_view(&ct->body));
	ct->allowed_from = !allowed                   ? UINT64_MAX
			   : fault(s, FAULT_ACL_LATE) ? s->host.head + 1 + sim_below(s, 20)
						      : s->host.head;
	mishaps(s, ct);
	if (s->cts_n == s->cts_cap) {
		s->cts_cap = s->cts_cap ? 2 * s->cts_cap : 64;
		s->cts = realloc(s->cts, s->cts_cap * sizeof(*s->cts));
		CHECK(s->cts != NULL);
	}
	s->cts[s->cts_n++] = ct;
	return ct;
}

struct ciphertext *ciphertext_of(struct sim *s, const struct hash32 *handle)
{
	for (size_t i = 0; i < s->cts_n; i++)
		if (hash32_eq(s->cts[i]->handle, *handle))
			return s->cts[i];
	return NULL;
}

/* ---- logs ---- */

struct bytes encode_kept(struct sim *s, const char *type_text, const struct abi_value *items,
			 size_t n)
{
	CLEANUP(arena_free) struct arena a = arena_make(1 << 20);
	CLEANUP(buf_free) struct buf out = buf_make(1 << 16);
	const struct abi_value tuple = abi_items(items, n);
	const struct abi_type *type;
	struct bytes kept;

	CHECK(abi_type_parse(&a, &type, type_text) == ERR_OK);
	CHECK(abi_encode(&out, type, &tuple) == ERR_OK);
	CHECK(arena_copy(&s->kept, &kept, buf_view(&out)) == ERR_OK);
	return kept;
}

static void add_log(struct request *r, const char *signature, struct bytes data)
{
	struct request_log *l = &r->logs[r->logs_n++];

	*l = (struct request_log){.topics = {abi_topic(signature)}, .topics_n = 2, .data = data};
	u256_to_be(l->topics[1].b, u256_from_u64(r->id));
}

static void encode_public(struct sim *s, struct request *r, bool legacy, bool handles)
{
	struct abi_value rows[HANDLES_MAX], fields[HANDLES_MAX][4], plain[HANDLES_MAX];
	struct abi_value senders[COPROCESSORS];

	for (size_t i = 0; i < COPROCESSORS; i++)
		senders[i] = abi_address(s->tx_senders[i]);
	for (size_t i = 0; i < r->cts_n; i++) {
		plain[i] = abi_hash(&r->cts[i]->handle);
		fields[i][0] = plain[i];
		fields[i][1] = abi_uint(u256_from_u64(KEY_ID));
		fields[i][2] = abi_hash(&r->cts[i]->digest);
		fields[i][3] = abi_items(senders, COPROCESSORS);
		rows[i] = abi_items(fields[i], 4);
	}
	const struct abi_value old[] = {abi_items(rows, r->cts_n), abi_bytes(r->extra_data)};
	const struct abi_value new[] = {abi_items(plain, r->cts_n), abi_bytes(r->extra_data)};

	if (legacy)
		add_log(r, LEGACY,
			encode_kept(s, "((bytes32,uint256,bytes32,address[])[],bytes)", old, 2));
	if (handles)
		add_log(r, HANDLES, encode_kept(s, "(bytes32[],bytes)", new, 2));
}

void request_include(struct request *r, uint64_t block)
{
	r->block = block;
	for (size_t i = 0; i < r->logs_n; i++) {
		struct chain_log log = {.address = r->contract,
					.topics_n = r->logs[i].topics_n,
					.data = r->logs[i].data,
					.tx = r->tx};

		memcpy(log.topics, r->logs[i].topics, sizeof(log.topics));
		chain_add_log(r->chain, block, &log);
	}
	sim_trace(r->chain->sim, "%s %llu: %zu handles, %s, in block %llu of %s",
		  op_kind_name(r->kind), (unsigned long long)r->id, r->cts_n,
		  r->allowed ? "allowed" : "not allowed", (unsigned long long)block,
		  r->chain->name);
}

void request_undecodable(struct sim *s)
{
	struct chain_log log = {.address = s->decryption, .topics_n = 2, .undecodable = true};
	struct bytes kept;

	log.topics[0] = abi_topic(HANDLES);
	u256_to_be(log.topics[1].b, u256_from_u64(sim_below(s, 1000)));
	CHECK(arena_copy(&s->kept, &kept, BYTES_LIT("no words of an ABI")) == ERR_OK);
	log.data = kept;
	s->undecodable++;
	chain_mine(&s->gateway); /* nobody has read a block that still changes */
	chain_add_log(&s->gateway, s->gateway.head, &log);
}

/* ---- requests ---- */

struct request *request_add(struct sim *s, const struct request *from)
{
	struct request *r = malloc(sizeof(*r));

	CHECK(r != NULL);
	*r = *from;
	if (s->requests_n == s->requests_cap) {
		s->requests_cap = s->requests_cap ? 2 * s->requests_cap : 64;
		s->requests = realloc(s->requests, s->requests_cap * sizeof(*s->requests));
		CHECK(s->requests != NULL);
	}
	s->requests[s->requests_n++] = r;
	return r;
}

/* The context that it names, and the one that the contract pins it to. */
static void in_context(struct sim *s, struct request *r)
{
	r->context = context_current(s, &s->gateway, s->gateway.head);
	if (s->faults.on[FAULT_CONTEXT_SWITCH] && (s->rotates || more_chance(s, 70)))
		r->extra_data = context_extra_data(s, r->context, false);
}

static struct request *new_request(struct sim *s, uint64_t id, bool user)
{
	bool twice = fault(s, FAULT_LOG_TWICE), legacy = sim_chance(s, 50);
	struct request r = {.kind = OP_KIND_PUBLIC_DECRYPTION,
			    .chain = &s->gateway,
			    .contract = s->decryption,
			    .id = id,
			    .allowed = sim_chance(s, 85)};
	size_t n = 1 + sim_below(s, HANDLES_MAX);

	for (size_t i = 0; i < n; i++) /* one "no" is enough */
		r.cts[r.cts_n++] = ciphertext_new(s, r.allowed || i > 0);
	in_context(s, &r);
	if (user)
		user_ask(s, &r, twice);
	else
		encode_public(s, &r, legacy || twice, !legacy || twice);
	return request_add(s, &r);
}

static void on_request(void *ctx)
{
	struct sim *s = ctx;
	unsigned burst = sim_chance(s, 10) ? (unsigned)sim_between(s, 2, 15) : 1;

	if (s->calm)
		return;
	chain_mine(&s->gateway);
	for (unsigned i = 0; i < burst; i++)
		request_include(new_request(s, ++s->next_id,
					    s->faults.on[FAULT_USERS] && more_chance(s, 50)),
				s->gateway.head);
	(void)loop_after(&s->loop, NULL, sim_between(s, 1, 2 * s->request_every_ms), on_request, s);
}

void requests_begin(struct sim *s)
{
	s->request_every_ms = sim_between(s, 10, 60) * SECOND;
	(void)loop_after(&s->loop, NULL, sim_between(s, 1, s->request_every_ms), on_request, s);
}

struct request *request_at(struct chain *c, enum op_kind kind, uint64_t id)
{
	const struct sim *s = c->sim;

	for (size_t i = s->requests_n; i-- > 0;)
		if (s->requests[i]->id == id && s->requests[i]->block != UINT64_MAX &&
		    s->requests[i]->kind == kind && s->requests[i]->chain == c)
			return s->requests[i];
	return NULL;
}

bool request_wants_answer(const struct request *r)
{
	return r->kind <= OP_KIND_NEW_EPOCH;
}

/* ---- another branch ---- */

void requests_unmine(struct chain *c, uint64_t from_block)
{
	struct sim *s = c->sim;

	for (size_t i = 0; i < s->requests_n; i++)
		if (s->requests[i]->chain == c && s->requests[i]->block != UINT64_MAX &&
		    s->requests[i]->block >= from_block) {
			s->requests[i]->block = UINT64_MAX;
			s->requests[i]->withdrawn = true;
		}
	for (uint64_t n = from_block; n <= c->head; n++)
		for (size_t i = 0; i < c->v[n].logs_n; i++)
			s->undecodable -= c->v[n].logs[i].undecodable;
}

/* Governance repeats what it has asked for; users may not. */
static bool is_dropped(struct sim *s, struct request *r)
{
	if (op_kind_is_slow(r->kind) || !fault(s, FAULT_REORG_DROPS))
		return false;
	r->dropped = true;
	return true;
}

/* What is not on the branch now never will be. */
void requests_remine(struct chain *c, uint64_t from_block)
{
	struct sim *s = c->sim;
	uint64_t blocks = c->head - from_block + 1;
	size_t n = s->requests_n;

	for (size_t i = 0; i < n; i++) {
		struct request *r = s->requests[i];

		if (r->chain != c || !r->withdrawn || r->block != UINT64_MAX || r->dropped)
			continue;
		if (is_dropped(s, r)) {
			if (fault(s, FAULT_REORG_REUSES))
				request_include(new_request(s, r->id, r->user != NULL),
						from_block + sim_below(s, blocks));
			continue;
		}
		r->withdrawn = false;
		request_include(r, op_kind_is_slow(r->kind) ? from_block + more_below(s, blocks)
							    : from_block + sim_below(s, blocks));
	}
}

void requests_free(struct sim *s)
{
	for (size_t i = 0; i < s->requests_n; i++)
		free(s->requests[i]);
	for (size_t i = 0; i < s->cts_n; i++) {
		buf_free(&s->cts[i]->body);
		free(s->cts[i]);
	}
	free(s->requests);
	free(s->cts);
}
