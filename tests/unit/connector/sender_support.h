/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* A sender in the simulated world: a chain that takes transactions, answers in the database. */
#ifndef TEST_CONNECTOR_SENDER_SUPPORT_H
#define TEST_CONNECTOR_SENDER_SUPPORT_H

#include "sim_pool.h"
#include "world.h"

struct sender_fixture {
	struct world w;
	struct sim_pool pool;
	struct provider *provider;
	struct signer *signer;
	struct sender *sender;
	unsigned starts;
	char owner[32];

	/* a signer that waits or fails, before the real one */
	struct signer stalling;
	unsigned stall_n; /* so many signatures never come */
	unsigned fail_n;  /* so many fail */
	unsigned hold_n;  /* so many (the last of them) come with sender_unhold */
	struct sender_held {
		struct hash32 digest;
		signer_done_fn *done;
		void *ctx;
	} held;
};

void sender_setup(struct sender_fixture *f, uint64_t seed);
void sender_teardown(struct sender_fixture *f);

/* As a process does: release what an earlier one had, start. */
void sender_begin(struct sender_fixture *f);
/* As SIGKILL does, but that what was submitted to the store is committed. */
void sender_kill(struct sender_fixture *f);

void sender_unhold(struct sender_fixture *f);

/* Operations `first` .. `first + n - 1` in state answered. */
void sender_answers(struct sender_fixture *f, uint64_t first, uint64_t n);
/* The same of one user decryption; its result is no multiple of 32 bytes. */
void sender_user_answer(struct sender_fixture *f, uint64_t id);

int64_t sender_ops(struct sender_fixture *f, const char *state);
int64_t sender_txs(struct sender_fixture *f, const char *state);
bool sender_wait(struct sender_fixture *f, const char *state, int64_t n, int64_t ms);

#endif
