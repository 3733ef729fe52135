/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The event table: what contracts tell, of every generation that we serve. A log becomes an
 * operation by the row of its topic, in the table of the contract that it comes from.
 */
#ifndef CONNECTOR_ADAPTERS_EVENTS_H
#define CONNECTOR_ADAPTERS_EVENTS_H

#include "connector/operation.h"
#include "eth/abi.h"
#include "eth/provider.h"

/*
 * All generations of one event decode to the same content, so that their content digest is one. A
 * row names either the tuple of its data, then its only topic is the request id, or which of its
 * arguments are topics, then `decode` gets all arguments and sets the id.
 */
struct event_row {
	const char *signature; /* canonical, topic0 = keccak256 of it */
	const char *data_type; /* tuple of the arguments that are not indexed; NULL: by `indexed` */
	uint32_t indexed;      /* bit i: argument i is a topic */
	enum op_kind kind;
	const char *generation; /* "v0.9 … v0.15", "v0.15 …" */
	/* May set the kind to 0: there is nothing to do. */
	enum err (*decode)(struct arena *a, const struct abi_value *args, struct operation *ret_op);
};

struct event_table {
	const struct event_row *rows;
	size_t n;
};

/* The contracts whose events are read. */
enum event_source {
	EVENTS_DECRYPTION,
	EVENTS_KMS_GENERATION,
	EVENTS_PROTOCOL_CONFIG,
	EVENT_SOURCES
};
extern const struct event_table event_tables[EVENT_SOURCES];

struct event_contract {
	struct address address;
	enum event_source source;
};

/* topic0 of each row of the contracts' tables, for the log filter. */
enum err events_topics(struct arena *a, const struct event_contract *contracts, size_t contracts_n,
		       const struct hash32 **ret_topics, size_t *ret_n) MUST_USE;

/*
 * One log -> one operation in state seen (key, content, materials, block attributes; memory in the
 * arena), or of kind 0: nothing to do. ERR_UNSUPPORTED for a contract or topic that is not ours,
 * ERR_MALFORMED with a note for what must go to quarantine.
 */
enum err events_decode_log(struct arena *a, struct operation *ret_op, struct chain_id chain,
			   const struct event_contract *contracts, size_t contracts_n,
			   const struct event_log *log, struct err_note *note) MUST_USE;

/* The same by one table, whatever contract the log is from. */
enum err event_table_decode(const struct event_table *table, struct arena *a,
			    struct operation *ret_op, struct chain_id chain,
			    const struct event_log *log, struct err_note *note) MUST_USE;

#endif
