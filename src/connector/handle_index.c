/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/handle_index.h"

#include "connector/adapters/decryption.h"

static const char insert_sql[] = "INSERT INTO operation_handle (request_id, handle) VALUES"
				 " ($1, $2), ($3, $4), ($5, $6), ($7, $8),"
				 " ($9, $10), ($11, $12), ($13, $14), ($15, $16),"
				 " ($17, $18), ($19, $20), ($21, $22), ($23, $24),"
				 " ($25, $26), ($27, $28), ($29, $30), ($31, $32),"
				 " ($33, $34), ($35, $36), ($37, $38), ($39, $40),"
				 " ($41, $42), ($43, $44), ($45, $46), ($47, $48),"
				 " ($49, $50), ($51, $52), ($53, $54), ($55, $56),"
				 " ($57, $58), ($59, $60), ($61, $62), ($63, $64)"
				 " ON CONFLICT (request_id, handle) DO NOTHING";

const char handle_index_find_sql[] =
	"SELECT id, kind, content FROM operation WHERE id IN (SELECT o.id FROM operation_handle h"
	" JOIN operation o ON o.request_id = h.request_id WHERE h.handle = $1"
	" UNION SELECT o.id FROM operation o WHERE o.id <= (SELECT max(last) FROM"
	" operation_unindexed)) ORDER BY id DESC";

enum err handle_index_flush(struct handle_index *h, struct store_batch *b)
{
	struct store_value args[2 * HANDLE_PAIRS_MAX];

	if (h->n == 0)
		return ERR_OK;
	/* The last one again where there are fewer: that changes nothing. */
	for (size_t i = 0; i < HANDLE_PAIRS_MAX; i++) {
		const struct handle_pair *p = &h->pairs[i < h->n ? i : h->n - 1];

		args[2 * i] = store_blob(BYTES_OF(p->request_id));
		args[2 * i + 1] = store_blob(BYTES_OF(p->handle));
	}
	h->n = 0;
	return store_batch_add(b, insert_sql, args, ARRAY_LEN(args), STORE_ANY);
}

enum err handle_index_add(struct handle_index *h, struct store_batch *b, const struct operation *op,
			  size_t *ret_statements)
{
	struct bytes handles;
	size_t statements = 0;

	*ret_statements = 0;
	if (op_kind_is_slow(op->key.kind))
		return ERR_OK;
	TRY(content_handles(&handles, op->content));
	for (size_t at = 0; at + 32 <= handles.n; at += 32) {
		struct handle_pair *p = &h->pairs[h->n++];

		u256_to_be(p->request_id, op->key.request_id);
		memcpy(p->handle, &handles.p[at], sizeof(p->handle));
		if (h->n < HANDLE_PAIRS_MAX)
			continue;
		TRY(handle_index_flush(h, b));
		statements++;
	}
	*ret_statements = statements;
	return ERR_OK;
}
