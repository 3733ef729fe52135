/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What stands in for others while the connector is measured, at a cost that leaves the machine to
 * it: a KMS core behind real gRPC that decrypts nothing and signs well, and an HTTP server on a
 * thread of its own.
 */
#ifndef TESTS_BENCH_STANDIN_H
#define TESTS_BENCH_STANDIN_H

#include "crypto/ecdsa.h"
#include "net/grpc_server.h"

/* ---- a core ---- */

struct standin_core;

/*
 * Public decryptions only: any ciphertext is the value 42. It forgets the oldest of
 * STANDIN_CORE_KEPT requests. Aborts the process where it cannot go on.
 */
enum {
	STANDIN_CORE_KEPT = 1 << 16
};
struct standin_core *standin_core_start(struct loop *loop, const char *listen,
					const struct ecdsa *ecdsa, const struct secret32 *key);
uint64_t standin_core_served(const struct standin_core *c);
uint64_t standin_core_bytes(const struct standin_core *c); /* of requests */

/* ---- HTTP ---- */

struct standin_reply {
	int status;
	struct bytes body; /* good until the next call; `lasting`: for ever */
	bool lasting;
	struct http_field {
		const char *name, *value;
	} fields[4];
	size_t fields_n;
};

/* On the server's thread; `fields`: x-amz-meta-* of a PUT. */
struct standin_request {
	const char *method, *path;
	struct bytes body;
	struct http_field fields[4];
	size_t fields_n;
};
typedef void standin_http_fn(void *ctx, const struct standin_request *req,
			     struct standin_reply *ret);

/* Never ends; port 0: any. Returns the port. */
unsigned standin_http_start(const char *address, unsigned port, standin_http_fn *fn, void *ctx);

/* An object store in memory: PUT, HEAD and GET of any path. ctx is one of its own. */
struct standin_objects;
struct standin_objects *standin_objects_new(void);
void standin_objects_serve(void *objects, const struct standin_request *req,
			   struct standin_reply *ret);
#endif
