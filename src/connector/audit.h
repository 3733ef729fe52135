/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The audit log: what this node has done with its key, in an order that cannot be changed unseen.
 *
 * A record is written by the same batch as the deed it tells of, so neither is there without the
 * other. Soon after, the auditor seals it: it gets the next number, and the hash
 *
 *   SHA-256("claviger audit 1\n" || hash before || number || time || event || detail || ref ||
 *           chain || request id || content digest)
 *
 * with numbers as 8 bytes, big-endian, and each text and blob behind its length as such a number.
 * Whoever changes, removes or adds a sealed record has to change all hashes behind it; the last one
 * is in the service's log every hour and in `status`, so that they would differ from what others
 * have seen. Records that are not sealed yet, those of the last second, are not protected.
 *
 * There are no values in it: no plaintext, share, key, signature or user, no text from outside.
 * `ref` is the digest of a proof or of the configuration, a transaction's hash or a signer's
 * address.
 *
 * Several processes may seal; a compare-and-set on the head says who did.
 */
#ifndef CONNECTOR_AUDIT_H
#define CONNECTOR_AUDIT_H

#include "connector/service.h"

/* The move of an operation, where it is one to remember. */
enum err audit_add_move(struct store_batch *b, int64_t id, enum op_state from,
			const struct op_change *change, int64_t now_ms) MUST_USE;

/* Rows that op_add_withdraw is about to withdraw: before it, in its batch. */
enum err audit_add_withdraw(struct store_batch *b, struct chain_id chain, struct block_number after,
			    int64_t now_ms) MUST_USE;

/* A transaction is signed and will be broadcast. Operation 0: it fills a gap. */
enum err audit_add_tx(struct store_batch *b, int64_t operation, struct chain_id chain,
		      struct hash32 tx, int64_t now_ms) MUST_USE;

/* Something else; `event` and `detail` are ours. */
enum err audit_add_event(struct store_batch *b, const char *event, const char *detail,
			 struct bytes ref, int64_t now_ms) MUST_USE;

/* Of all that is configured and no secret: two runs with one digest had one configuration. */
enum err audit_config_digest(struct hash32 *ret_digest, const struct connector_config *c) MUST_USE;

/* ---- sealing ---- */

struct auditor;

/* Records the start: program, configuration, signer. Then seals. */
enum err auditor_start(struct auditor **ret_auditor, const struct connector_env *env,
		       const char *program) MUST_USE;
void auditor_event(struct auditor *a, const char *event, const char *detail); /* NULL: nothing */
void auditor_stop(struct auditor *a);

/* ---- looking ---- */

struct audit_place {
	int64_t seq;
	struct hash32 hash;
};
struct audit_report {
	struct audit_place first; /* where the kept part begins; seq 0: nothing was given up */
	struct audit_place head;
	int64_t records, waiting; /* sealed and there; not sealed yet */
};

/* `expected`: a place that somebody has seen; NULL: none. ERR_CORRUPT: the note says what is wrong
 * with which record. Errors of store_query. */
enum err audit_verify(struct audit_report *ret_report, const char *database,
		      const struct audit_place *expected, struct err_note *note) MUST_USE;

/* "17:0x…", as the log says it. */
enum err audit_place_parse(struct audit_place *ret_place, const char *text) MUST_USE;

/* ---- inside, and for tests ---- */

struct audit_record {
	int64_t at_ms, chain;
	struct bytes event, detail, ref, request_id, content_digest;
};
/* The columns behind `seq`, in the order of AUDIT_COLUMNS. ERR_CORRUPT. */
#define AUDIT_COLUMNS "at_ms, event, detail, ref, chain, request_id, content_digest"
enum {
	AUDIT_COLUMNS_N = 7
};
enum err audit_record_read(struct audit_record *ret, const struct store_value *cells) MUST_USE;
enum err audit_record_hash(struct hash32 *ret_hash, struct hash32 before, int64_t seq,
			   const struct audit_record *r) MUST_USE;

#endif
