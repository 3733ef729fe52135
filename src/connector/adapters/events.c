/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/adapters/events.h"

#include "connector/adapters/decryption.h"
#include "connector/adapters/key_generation.h"
#include "connector/adapters/protocol_config.h"

enum {
	TOPICS_MAX = 4
};

const struct event_table event_tables[EVENT_SOURCES] = {
	[EVENTS_DECRYPTION] = {decryption_events, DECRYPTION_EVENTS_N},
	[EVENTS_KMS_GENERATION] = {key_generation_events, KEY_GENERATION_EVENTS_N},
	[EVENTS_PROTOCOL_CONFIG] = {protocol_config_events, PROTOCOL_CONFIG_EVENTS_N},
};

enum err events_topics(struct arena *a, const struct event_contract *contracts, size_t contracts_n,
		       const struct hash32 **ret_topics, size_t *ret_n)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < contracts_n; i++)
		n += event_tables[contracts[i].source].n;

	struct hash32 *topics = arena_alloc_array(a, n, sizeof(*topics));
	if (!topics)
		return ERR_NOMEM;
	for (size_t i = 0; i < contracts_n; i++) {
		const struct event_table *t = &event_tables[contracts[i].source];

		for (size_t k = 0; k < t->n; k++)
			topics[at++] = abi_topic(t->rows[k].signature);
	}
	*ret_topics = topics;
	*ret_n = n;
	return ERR_OK;
}

static const struct event_row *row_of(const struct event_table *t, const struct event_log *log)
{
	for (size_t i = 0; log->topics_n > 0 && i < t->n; i++)
		if (hash32_eq(abi_topic(t->rows[i].signature), log->topics[0]))
			return &t->rows[i];
	return NULL;
}

static unsigned topics_of(const struct event_row *row)
{
	unsigned n = row->data_type ? 2 : 1;

	for (uint32_t mask = row->data_type ? 0 : row->indexed; mask != 0; mask >>= 1)
		n += mask & 1;
	return n;
}

static enum err decode_args(struct arena *a, const struct event_row *row,
			    const struct event_log *log, const struct abi_value **ret_args)
{
	const struct abi_type *type;

	if (row->data_type) {
		TRY(abi_type_parse(a, &type, row->data_type));
		return abi_decode(a, ret_args, type, log->data);
	}
	TRY(abi_signature_parse(a, &type, row->signature));
	return abi_decode_event(a, ret_args, type, row->indexed, &log->topics[1], log->topics_n - 1,
				log->data);
}

enum err event_table_decode(const struct event_table *table, struct arena *a,
			    struct operation *ret_op, struct chain_id chain,
			    const struct event_log *log, struct err_note *note)
{
	const struct event_row *row = row_of(table, log);
	const struct abi_value *args;
	struct operation op = {
		.state = OP_SEEN,
		.block = log->block,
		.block_hash = log->block_hash,
		.tx_hash = log->tx_hash,
		.log_index = log->log_index,
	};

	if (!row)
		return ERR_UNSUPPORTED;
	if (log->topics_n != topics_of(row) || log->topics_n > TOPICS_MAX)
		return err_say(note, ERR_MALFORMED, "%s: %u topics, %u expected", row->signature,
			       log->topics_n, topics_of(row));
	op.key.chain = chain;
	op.key.contract = log->address;
	op.key.kind = row->kind;
	if (row->data_type)
		op.key.request_id = u256_from_be(log->topics[1].b);
	enum err e = decode_args(a, row, log, &args);
	if (e == ERR_OK)
		e = row->decode(a, args, &op);
	/* Whatever the log's own content breaks is one thing to the caller; only our own trouble is
	 * another. */
	if (err_class(e) == ERR_CLASS_INTERNAL && e != ERR_RANGE)
		return e;
	if (e != ERR_OK)
		return err_say(note, ERR_MALFORMED, "%s: %s", row->signature, err_name(e));
	*ret_op = op;
	return ERR_OK;
}

enum err events_decode_log(struct arena *a, struct operation *ret_op, struct chain_id chain,
			   const struct event_contract *contracts, size_t contracts_n,
			   const struct event_log *log, struct err_note *note)
{
	for (size_t i = 0; i < contracts_n; i++)
		if (address_eq(contracts[i].address, log->address))
			return event_table_decode(&event_tables[contracts[i].source], a, ret_op,
						  chain, log, note);
	return ERR_UNSUPPORTED;
}
