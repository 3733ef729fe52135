/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The spy at the core: what stands in the database when a call arrives. Nothing that is about to be
 * computed may be without a complete proof, which names its own content and, of a decryption, the
 * digest of every ciphertext that goes out.
 */
#include <stdio.h>

#include "base/hex.h"
#include "base/limits.h"
#include "connector/worker/proof.h"
#include "crypto/keccak.h"
#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "world.h"

enum {
	MEMORY_MAX = 16 << 20
};

/* What one row says. */
struct seen_rows {
	unsigned n;
	struct buf described; /* what the proofs of all rows say */
};

static void check_row(void *ctx, const struct store_value *cells, size_t n)
{
	struct arena a CLEANUP(arena_free) = arena_make(MEMORY_MAX);
	struct seen_rows *rows = ctx;
	struct decryption_request request = {0};
	enum op_kind kind;
	struct hash32 digest;
	struct proof *p = NULL;

	assert_int_equal(n, 4);
	assert_int_equal(op_kind_from_name(&kind, cells[0].b), ERR_OK);
	assert_int_equal(cells[1].b.n, sizeof(digest.b));
	memcpy(digest.b, cells[1].b.p, sizeof(digest.b));
	if (!op_kind_is_slow(kind))
		assert_int_equal(decryption_request_decode(&a, &request, kind, cells[3].b), ERR_OK);
	if (proof_decode(&a, &p, cells[2].b, digest, request.handles_n) != ERR_OK ||
	    !proof_complete(p, &digest, request.handles_n))
		fail_msg("the core is called without the record of a complete proof");
	assert_int_equal(proof_describe(&rows->described, cells[2].b), ERR_OK);
	rows->n++;
}

static void read_rows(struct world *w, const char *where, struct seen_rows *rows)
{
	struct err_note note = {0};
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT kind, content_digest, proof, content FROM operation"
		       " WHERE state = 'computing'%s",
		       where);
	if (store_sqlite_query(w->sim.path, sql, NULL, 0, check_row, rows, &note) != ERR_OK)
		fail_msg("%s: %s", sql, note.text);
	if (rows->n == 0)
		fail_msg("the core is called, and no row says so (%s)", where);
}

/* The ciphertext goes out with the digest that a proof has. */
static void check_ciphertext(const struct seen_rows *rows, const Kms__V1__TypedCiphertext *c)
{
	struct hash32 digest = keccak256(protobuf_view(c->ciphertext));
	char hex[65], want[96];
	const char *text;

	hex_encode(hex, BYTES_OF(digest.b));
	(void)snprintf(want, sizeof(want), "; ciphertext digest 0x%s by ", hex);
	struct buf copy CLEANUP(buf_free) = buf_make(MEMORY_MAX);
	assert_int_equal(buf_add(&copy, buf_view(&rows->described)), ERR_OK);
	assert_int_equal(buf_cstr(&copy, &text), ERR_OK);
	if (!strstr(text, want))
		fail_msg("the core is given bytes that no proof names");
}

static void check_decryption(struct world *w, const char *id, struct seen_rows *rows)
{
	char where[128];

	assert_int_equal(strlen(id), 64);
	(void)snprintf(where, sizeof(where), " AND request_id = x'%s'", id);
	read_rows(w, where, rows);
}

static void check_public(struct world *w, const ProtobufCMessage *base, struct seen_rows *rows)
{
	const Kms__V1__PublicDecryptionRequest *q = (const Kms__V1__PublicDecryptionRequest *)base;

	check_decryption(w, q->request_id->request_id, rows);
	for (size_t i = 0; i < q->n_ciphertexts; i++)
		check_ciphertext(rows, q->ciphertexts[i]);
}

static void check_user(struct world *w, const ProtobufCMessage *base, struct seen_rows *rows)
{
	const Kms__V1__UserDecryptionRequest *q = (const Kms__V1__UserDecryptionRequest *)base;

	check_decryption(w, q->request_id->request_id, rows);
	for (size_t i = 0; i < q->n_typed_ciphertexts; i++)
		check_ciphertext(rows, q->typed_ciphertexts[i]);
}

static void check_poll(struct world *w, const ProtobufCMessage *base, struct seen_rows *rows)
{
	check_decryption(w, ((const Kms__V1__RequestId *)base)->request_id, rows);
}

void spy_on_core(void *ctx, const struct rpc_call *call)
{
	struct arena memory CLEANUP(arena_free) = protobuf_arena(call->message);
	struct seen_rows rows = {.described = buf_make(MEMORY_MAX)};
	bool about_decryption = strstr(call->path, "Decrypt") != NULL;
	bool poll = strstr(call->path, "/Get") != NULL;
	bool user = strstr(call->path, "/User") != NULL;
	ProtobufCMessage *base;

	if (!about_decryption) {
		read_rows(ctx, "", &rows);
	} else {
		assert_int_equal(
			protobuf_unpack(&base,
					poll   ? &kms__v1__request_id__descriptor
					: user ? &kms__v1__user_decryption_request__descriptor
					       : &kms__v1__public_decryption_request__descriptor,
					call->message, &memory),
			ERR_OK);
		(poll ? check_poll : user ? check_user : check_public)(ctx, base, &rows);
	}
	buf_free(&rows.described);
}
