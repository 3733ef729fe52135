/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/proof.h"

#include <inttypes.h>

#include "base/hex.h"
#include "base/limits.h"

struct handle_proof {
	bool permitted;
	struct chain_id chain;
	struct block_number block;
	struct hash32 block_hash;
	bool bound;
	struct u256 key_id;
	struct hash32 digest;
	enum proof_source source;
};

enum {
	PROOF_PARTS = PROOF_ORIGIN | PROOF_SINGLE | PROOF_CONFIRMED
};

struct proof {
	struct hash32 content_digest;
	size_t n;
	unsigned parts; /* PROOF_…, where n is 0 */
	struct handle_proof *v;
};

enum err proof_new(struct arena *a, struct proof **ret_proof, struct hash32 content_digest,
		   size_t handles_n)
{
	struct proof *p = arena_alloc(a, sizeof(*p));

	if (!p)
		return ERR_NOMEM;
	*p = (struct proof){.content_digest = content_digest, .n = handles_n};
	p->v = arena_alloc_array(a, handles_n, sizeof(*p->v));
	if (!p->v)
		return ERR_NOMEM;
	*ret_proof = p;
	return ERR_OK;
}

void proof_permit(struct proof *p, size_t i, struct chain_id chain, struct block_number block,
		  struct hash32 hash)
{
	CHECK(i < p->n);
	p->v[i].permitted = true;
	p->v[i].chain = chain;
	p->v[i].block = block;
	p->v[i].block_hash = hash;
}

void proof_bind(struct proof *p, size_t i, struct u256 key_id, struct hash32 digest,
		enum proof_source source)
{
	CHECK(i < p->n);
	p->v[i].bound = true;
	p->v[i].key_id = key_id;
	p->v[i].digest = digest;
	p->v[i].source = source;
}

void proof_note(struct proof *p, enum proof_part part)
{
	CHECK(p->n == 0);
	p->parts |= part;
}

bool proof_permitted(const struct proof *p)
{
	if (p->n == 0)
		return p->parts == PROOF_PARTS;
	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].permitted)
			return false;
	return true;
}

bool proof_complete(const struct proof *p, const struct hash32 *content_digest, size_t handles_n)
{
	if (!p || p->n != handles_n || !hash32_eq(p->content_digest, *content_digest) ||
	    !proof_permitted(p))
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].bound)
			return false;
	return true;
}

/* ---- stored form: version 1 || content digest || u32 n || n x (flags, chain, block, hash, key id,
 * digest, source), or u8 parts where n is 0 ---- */

enum {
	VERSION = 1,
	PERMITTED = 1,
	BOUND = 2
};

static enum err encode_one(const struct handle_proof *h, struct buf *out)
{
	uint8_t key_id[32];

	u256_to_be(key_id, h->key_id);
	TRY(buf_add_u8(out, (uint8_t)((h->permitted ? PERMITTED : 0) | (h->bound ? BOUND : 0))));
	TRY(buf_add_u64be(out, h->chain.v));
	TRY(buf_add_u64be(out, h->block.v));
	TRY(buf_add(out, BYTES_OF(h->block_hash.b)));
	TRY(buf_add(out, BYTES_OF(key_id)));
	TRY(buf_add(out, BYTES_OF(h->digest.b)));
	return buf_add_u8(out, (uint8_t)h->source);
}

enum err proof_encode(const struct proof *p, struct buf *out)
{
	TRY(buf_add_u8(out, VERSION));
	TRY(buf_add(out, BYTES_OF(p->content_digest.b)));
	TRY(buf_add_u32be(out, (uint32_t)p->n));
	if (p->n == 0)
		return buf_add_u8(out, (uint8_t)p->parts);
	for (size_t i = 0; i < p->n; i++)
		TRY(encode_one(&p->v[i], out));
	return ERR_OK;
}

static struct hash32 read_hash(struct reader *r)
{
	struct bytes b = reader_bytes(r, 32);
	struct hash32 h = {{0}};

	if (b.n == sizeof(h.b))
		memcpy(h.b, b.p, sizeof(h.b));
	return h;
}

static void decode_one(struct handle_proof *h, struct reader *r)
{
	uint8_t flags = reader_u8(r);

	h->permitted = (flags & PERMITTED) != 0;
	h->bound = (flags & BOUND) != 0;
	h->chain.v = reader_u64be(r);
	h->block.v = reader_u64be(r);
	h->block_hash = read_hash(r);
	h->key_id = u256_from_be(read_hash(r).b);
	h->digest = read_hash(r);
	h->source = (enum proof_source)reader_u8(r);
	if (flags > (PERMITTED | BOUND) || (unsigned)h->source > PROOF_ATTESTATION)
		reader_fail(r, ERR_CORRUPT);
}

static enum err decode(struct arena *a, struct proof **ret_proof, struct bytes stored)
{
	struct reader r = reader_of(stored);
	uint8_t version = reader_u8(&r);
	struct hash32 digest = read_hash(&r);
	uint32_t n = reader_u32be(&r);
	struct proof *p;

	if (r.err != ERR_OK || version != VERSION || n > HANDLES_PER_REQUEST_MAX)
		return ERR_CORRUPT;
	TRY(proof_new(a, &p, digest, n));
	if (n == 0)
		p->parts = reader_u8(&r);
	if (p->parts > PROOF_PARTS)
		return ERR_CORRUPT;
	for (uint32_t i = 0; i < n; i++)
		decode_one(&p->v[i], &r);
	if (reader_end(&r) != ERR_OK)
		return ERR_CORRUPT;
	*ret_proof = p;
	return ERR_OK;
}

enum err proof_decode(struct arena *a, struct proof **ret_proof, struct bytes stored,
		      struct hash32 content_digest, size_t handles_n)
{
	struct proof *p;

	TRY(decode(a, &p, stored));
	if (!hash32_eq(p->content_digest, content_digest) || p->n != handles_n)
		return ERR_CORRUPT;
	*ret_proof = p;
	return ERR_OK;
}

static enum err describe_one(struct buf *out, size_t i, const struct handle_proof *h)
{
	TRY(buf_addf(out, "handle %zu: ", i));
	if (h->permitted) {
		TRY(buf_addf(out, "allowed on chain %" PRIu64 " at block %" PRIu64 " ", h->chain.v,
			     h->block.v));
		TRY(hex_add(out, BYTES_OF(h->block_hash.b), true));
	}
	if (h->bound) {
		TRY(buf_addf(out, "; ciphertext digest "));
		TRY(hex_add(out, BYTES_OF(h->digest.b), true));
		TRY(buf_addf(out, " by %s",
			     h->source == PROOF_COMMITMENT ? "gateway commitment"
							   : "attestations"));
	}
	return buf_add_u8(out, '\n');
}

static enum err describe_parts(struct buf *out, unsigned parts)
{
	static const struct {
		enum proof_part part;
		const char *text;
	} texts[] = {
		{PROOF_ORIGIN, "asked by the configured contract\n"},
		{PROOF_SINGLE, "the only content of its id\n"},
		{PROOF_CONFIRMED, "confirmed by the chain's state\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if ((parts & texts[i].part) != 0)
			TRY(buf_add_str(out, texts[i].text));
	return ERR_OK;
}

enum err proof_describe(struct buf *out, struct bytes stored)
{
	struct arena arena CLEANUP(arena_free) = arena_make(1 << 20);
	struct proof *p;

	TRY(decode(&arena, &p, stored));
	for (size_t i = 0; i < p->n; i++)
		TRY(describe_one(out, i, &p->v[i]));
	if (p->n == 0)
		TRY(describe_parts(out, p->parts));
	return ERR_OK;
}
