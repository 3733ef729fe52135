/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "provider_support.h"

#include <stdio.h>
#include <stdlib.h>

int rig_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	const struct provider_options o = {
		.url = "http://rpc.example/",
		.chain_id.v = 54321,
		.timeout_ms = RIG_TIMEOUT_MS,
		.in_flight_max = RIG_IN_FLIGHT,
	};

	assert_non_null(r);
	assert_ok(provider_new(&r->p, fake_transport_init(&r->t), fake_clock_init(&r->clock), &o,
			       NULL));
	*state = r;
	return 0;
}

int rig_teardown(void **state)
{
	struct rig *r = *state;

	provider_free(r->p);
	fake_transport_clear(&r->t);
	free(r);
	return 0;
}

static struct seen *keep(void *ctx, const struct provider_error *e)
{
	struct seen *s = ctx;

	s->calls++;
	s->err = e->err;
	s->code = e->rpc_code;
	snprintf(s->note, sizeof(s->note), "%s", e->note.text);
	snprintf(s->message, sizeof(s->message), "%s", e->rpc_message);
	assert_true(e->revert_data.n <= sizeof(s->revert));
	s->revert_n = e->revert_data.n;
	if (s->revert_n > 0)
		memcpy(s->revert, e->revert_data.p, s->revert_n);
	if (s->after)
		s->after(s->after_ctx);
	return s;
}

void seen_json(void *ctx, const struct provider_error *e, const json_t *result)
{
	keep(ctx, e)->given = result;
}

void seen_u64(void *ctx, const struct provider_error *e, uint64_t value)
{
	keep(ctx, e)->value = value;
}

void seen_head(void *ctx, const struct provider_error *e, const struct block_head *head)
{
	struct seen *s = keep(ctx, e);

	assert_int_equal(head != NULL, e->err == ERR_OK);
	if (head)
		s->head = *head;
}

void seen_bytes(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct seen *s = keep(ctx, e);

	assert_true(data.n <= sizeof(s->bytes));
	s->bytes_n = data.n;
	if (data.n > 0)
		memcpy(s->bytes, data.p, data.n);
}

void seen_logs(void *ctx, const struct provider_error *e, const struct event_log *logs, size_t n)
{
	struct seen *s = keep(ctx, e);

	assert_true(e->err == ERR_OK || n == 0);
	s->logs_n = n;
	for (size_t i = 0; i < n && i < ARRAY_LEN(s->logs); i++) {
		s->logs[i] = logs[i];
		s->logs[i].data.p = NULL;
		s->logs_first_byte[i] = logs[i].data.n > 0 ? logs[i].data.p[0] : 0;
	}
}

void seen_fee(void *ctx, const struct provider_error *e, const struct fee_history *fee)
{
	struct seen *s = keep(ctx, e);

	assert_int_equal(fee != NULL, e->err == ERR_OK);
	if (fee)
		s->fee = *fee;
}

void seen_hash(void *ctx, const struct provider_error *e, const struct hash32 *hash)
{
	struct seen *s = keep(ctx, e);

	assert_int_equal(hash != NULL, e->err == ERR_OK);
	if (hash)
		s->hash = *hash;
}

void seen_receipt(void *ctx, const struct provider_error *e, const struct receipt *receipt)
{
	struct seen *s = keep(ctx, e);

	assert_true(e->err == ERR_OK || !receipt);
	s->given = receipt;
	if (receipt)
		s->receipt = *receipt;
}

void seen_transaction(void *ctx, const struct provider_error *e, const struct transaction *tx)
{
	struct seen *s = keep(ctx, e);

	assert_true(e->err == ERR_OK || !tx);
	s->given = tx;
	if (!tx)
		return;
	s->transaction = *tx;
	assert_true(tx->input.n <= sizeof(s->bytes));
	s->bytes_n = tx->input.n;
	if (tx->input.n > 0)
		memcpy(s->bytes, tx->input.p, tx->input.n);
}
