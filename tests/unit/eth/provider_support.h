/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A provider on the scripted transport, and callbacks that keep what they were told. */
#ifndef TESTS_ETH_PROVIDER_SUPPORT_H
#define TESTS_ETH_PROVIDER_SUPPORT_H

#include "eth/provider.h"
#include "support.h"

enum {
	RIG_IN_FLIGHT = 3,
	RIG_TIMEOUT_MS = 5000
};

#define OK_U64 "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"0x10\"}"

struct rig {
	struct fake_clock clock;
	struct fake_transport t;
	struct provider *p;
	unsigned rounds;
};

int rig_setup(void **state);
int rig_teardown(void **state);
#define WITH_RIG(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* What a callback was told, copied. */
struct seen {
	unsigned calls;
	enum err err;
	char note[ERR_NOTE_SIZE];
	int64_t code;
	char message[128];
	uint8_t revert[256];
	size_t revert_n;
	uint64_t value;
	bool given; /* the pointer was not NULL */
	struct block_head head;
	struct fee_history fee;
	struct receipt receipt;
	struct transaction transaction; /* its input is in `bytes` */
	struct hash32 hash;
	uint8_t bytes[256];
	size_t bytes_n;
	struct event_log logs[8]; /* data: not copied, its length only */
	uint8_t logs_first_byte[8];
	size_t logs_n;
	void (*after)(void *ctx); /* called by each callback, if set */
	void *after_ctx;
};

void seen_json(void *ctx, const struct provider_error *e, const json_t *result);
void seen_u64(void *ctx, const struct provider_error *e, uint64_t value);
void seen_head(void *ctx, const struct provider_error *e, const struct block_head *head);
void seen_bytes(void *ctx, const struct provider_error *e, struct bytes data);
void seen_logs(void *ctx, const struct provider_error *e, const struct event_log *logs, size_t n);
void seen_fee(void *ctx, const struct provider_error *e, const struct fee_history *fee);
void seen_hash(void *ctx, const struct provider_error *e, const struct hash32 *hash);
void seen_receipt(void *ctx, const struct provider_error *e, const struct receipt *receipt);
void seen_transaction(void *ctx, const struct provider_error *e, const struct transaction *tx);

#endif
