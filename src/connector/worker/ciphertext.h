/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside worker/ only: one handle's ciphertext, from the question where it is to its verified
 * bytes. */
#ifndef CONNECTOR_WORKER_CIPHERTEXT_H
#define CONNECTOR_WORKER_CIPHERTEXT_H

#include "connector/worker/internal.h"
#include "crypto/keccak.h"

/* One bucket that may have it. */
struct source {
	struct ct *ct;
	const struct bucket *bucket;
	const char *url;
	struct http_task task;
	bool bad;    /* failed in this round */
	bool usable; /* has the material that counts: by commitment every one, by attestation the
			winners */
	bool attested;
	struct attestation attestation;
	enum ct_format format;
	size_t size; /* as its HEAD said */
};

struct ct {
	struct job *job;
	size_t index;
	bool by_attestation; /* else by the gateway's commitment, which names digest and
				coprocessors */
	uint64_t round;
	bool definite;  /* some source answered, and not with what we need: not just a network that
			   is down */
	bool oversized; /* some source said a size that cannot be */
	struct source *sources; /* one per bucket of the registry */
	size_t sources_n;
	size_t asked;          /* HEADs that run */
	struct source *chosen; /* that `size` or `body` comes from */

	/* what it must be, once located */
	struct u256 key_id;
	struct hash32 digest;
	enum ct_format format;
	size_t size;
	bool located, fetched;
	struct buf body;

	/* the body, as far as it is hashed */
	struct keccak256 hash;
	size_t hashed;
	struct timer hash_timer;
};

/* ---- locate.c: HEADs; ends in ct_located or ct_lost ---- */
enum err ct_locate(struct ct *c) MUST_USE;
void ct_located(struct ct *c, struct source *s);
void ct_lost(struct ct *c, const char *why);

/* Marks every source good again for another round. */
void ct_forgive(struct ct *c);
/* For the bucket's breaker. */
void ct_bucket_answered(struct source *s, enum err e);
/* For people: a refusal is logged, now and then, and kept for the reason of the request. */
void ct_bucket_said(struct source *s, const struct http_reply *reply);

#endif
