/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A server of the simulated world: a chain as a sender of transactions sees it. One account, a pool
 * that keeps what comes too early, blocks that hold one transaction each, and one contract that
 * takes each answer once. Every raw transaction is decoded and its signature checked.
 */
#ifndef TEST_CONNECTOR_SIM_POOL_H
#define TEST_CONNECTOR_SIM_POOL_H

#include "sim.h"

enum {
	SIM_POOL_TXS_MAX = 2048
};

struct sim_pool_tx {
	struct hash32 hash;
	uint64_t nonce, gas;
	struct u256 fee_max, priority;
	bool answers; /* a call of the contract; else a transfer */
	uint64_t id;
	uint8_t selector[4];
	bool waiting, mined, success;
	struct hash32 call; /* of receiver and data */
	uint64_t block;
	struct hash32 block_hash;
	unsigned sends; /* how often these bytes came */
};

struct sim_pool {
	struct sim *sim;
	const struct ecdsa *ecdsa;
	uint64_t chain_id;
	struct address contract, account;
	struct sim_pool_tx txs[SIM_POOL_TXS_MAX];
	size_t txs_n;
	uint64_t count; /* transactions of the account in blocks */
	uint64_t head;
	uint64_t branch; /* a re-organisation begins the next one */
	uint64_t base_fee;
	uint64_t fee_floor;       /* below it nothing is mined */
	uint64_t replace_percent; /* what a replacement must offer of the fees before; 110 */

	/* faults */
	enum err down;         /* every request ends so, unheard */
	unsigned lost_sends;   /* so many eth_sendRawTransaction are done, and the reply is lost */
	const char *refuse;    /* eth_sendRawTransaction is answered by this error … */
	unsigned refuse_n;     /* … so often; */
	uint64_t refuse_nonce; /* … for this nonce only, UINT64_MAX = all */
	const char *revert;    /* eth_estimateGas reverts with this error's selector */
	bool revert_mined;     /* transactions are mined and reverted */
	bool idle;             /* nothing is mined */
	bool receipts_hidden;
	unsigned receipts_hidden_n; /* the next ones */
	bool receipts_invented;     /* what is not mined has one */
	bool sync;                  /* eth_sendRawTransactionSync is there */
	bool is_done;               /* eth_call says: one */
	bool no_tries;              /* an answer by eth_call never has enough gas */
	const char *fee_said;       /* eth_feeHistory says this base fee */
	uint64_t gas_said;          /* eth_estimateGas says this of an answer; 0 = the truth */
	uint64_t count_said;        /* eth_getTransactionCount says this … */
	unsigned count_said_n;      /* … so often */
	unsigned revert_n;          /* `revert` so often; 0 = always */
	unsigned chance_lost, chance_down; /* of 100 requests */
	struct rng_seeded rng;

	/* looks at the world at the moment that a transaction comes */
	void (*on_send)(void *ctx, const struct sim_pool_tx *t, struct bytes raw);
	void *on_send_ctx;

	unsigned requests, estimates, fees, sends, syncs, counts, receipts, calls, tries;
	uint64_t last_nonces[SIM_POOL_TXS_MAX]; /* in the order of first arrival */
	size_t last_nonces_n;
};

void sim_pool_init(struct sim_pool *p, struct sim *s, struct sim_net *n, const char *url,
		   uint64_t chain_id, const struct ecdsa *ecdsa);
void sim_pool_mine(struct sim_pool *p); /* what can be */
/* Somebody else sends a transaction of the account, and it is mined. */
void sim_pool_foreign(struct sim_pool *p);
/* The last `n` transactions are in no block any more; they wait again, or are forgotten. */
void sim_pool_reorg(struct sim_pool *p, uint64_t n, bool forgotten);
void sim_pool_blocks(struct sim_pool *p, uint64_t n); /* empty ones */
bool sim_pool_answered(const struct sim_pool *p, uint64_t id);
/* Mined transactions that answer `id`; all = also reverted ones. */
unsigned sim_pool_count(const struct sim_pool *p, uint64_t id, bool all);

#endif
