/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * A worker alone: the real store, event loop, HTTP and gRPC. What it asks stands in another
 * process: chains and buckets behind HTTP on loopback, a core behind gRPC on a Unix socket that
 * decrypts nothing and signs every answer.
 */
#ifndef TESTS_BENCH_STAGE_H
#define TESTS_BENCH_STAGE_H

#include <sys/types.h>

#include "../unit/connector/world.h"
#include "net/loop.h"

enum {
	STAGE_OBJECTS = 16, /* ciphertexts, of which each row asks for one; none is cached */
	STAGE_PATH_SIZE = 128
};

struct worker_stage {
	size_t size;     /* of a ciphertext */
	const char *url; /* of the database; NULL: SQLite in /tmp */
	struct world *w;
	struct loop *loop;
	struct transport *transport;
	struct store *store;
	struct worker *worker;
	struct operation templates[STAGE_OBJECTS];
	struct arena kept;
	uint64_t inserted, answered_before;
	size_t waiting;
	char dir[STAGE_PATH_SIZE];
	unsigned port;
	pid_t standin;
};

/* size and url are set. Everything but the worker is there afterwards. */
void stage_open(struct worker_stage *s);
void stage_close(struct worker_stage *s);

/* So many more rows `seen`, in batches of 1000; returns when they are stored. */
void stage_insert(struct worker_stage *s, size_t n);
/* The same in one batch, with a wake of the worker; returns at once. */
void stage_offer(struct worker_stage *s, size_t n);
/* Run what is in `batch`, wait for its end; `rows`: of its first statement, may be NULL. */
void stage_store(struct worker_stage *s, struct store_batch *batch, size_t *rows);

uint64_t stage_answered(const struct worker_stage *s);

double stage_now_s(void);
double stage_cpu_s(void);               /* of this process so far */
long stage_memory_kib(const char *key); /* of /proc/self/smaps_rollup */

#endif
