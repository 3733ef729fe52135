/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The one nonce allocator of an account: nonces that were given back and never broadcast first, the
 * smallest of them first, then the next new one. It only counts; what a nonce is used for is a row
 * of table tx.
 *
 * All-zero is an allocator at nonce 0. Every taken nonce is either spent (a transaction of it may
 * be known to somebody) or given back (certainly not).
 */
#ifndef CONNECTOR_SENDER_NONCES_H
#define CONNECTOR_SENDER_NONCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nonces {
	uint64_t next;
	uint64_t *back; /* given back, ascending */
	size_t back_n, cap;
	size_t taken_n; /* neither spent nor given back yet: there is room for them in `back` */
};

/* ERR_NOMEM: nothing is taken. */
enum err nonces_take(struct nonces *n, uint64_t *ret_nonce) MUST_USE;
void nonces_spend(struct nonces *n);
void nonces_give_back(struct nonces *n, uint64_t nonce);

/* As the database has it: every nonce from `next` on is new; this one is free. ERR_NOMEM. */
void nonces_load_next(struct nonces *n, uint64_t next);
enum err nonces_load_free(struct nonces *n, uint64_t nonce) MUST_USE;

/* The chain knows transactions with all nonces below `count`: whoever sent them, they are used. */
void nonces_raise(struct nonces *n, uint64_t count);

/* Far fewer are used than was believed: the next new one is `next`, what was given back from there
 * on is forgotten. */
void nonces_lower(struct nonces *n, uint64_t next);

bool nonces_is_free(const struct nonces *n, uint64_t nonce);
size_t nonces_free_below(const struct nonces *n, uint64_t nonce);
bool nonces_lowest_free(const struct nonces *n, uint64_t *ret_nonce);
void nonces_free(struct nonces *n);

#endif
