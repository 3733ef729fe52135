/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service.h"

enum block_tag_kind service_chain_head(const struct chain_finality *f)
{
	static const enum block_tag_kind tags[] = {
		[FINALITY_LATEST] = BLOCK_LATEST,
		[FINALITY_SAFE] = BLOCK_SAFE,
		[FINALITY_FINALIZED] = BLOCK_FINALIZED,
		[FINALITY_BLOCKS] = BLOCK_LATEST,
	};

	return tags[f->kind];
}

struct service_chain service_chain_gateway(const struct connector_env *env)
{
	const struct connector_config *c = env->config;

	return (struct service_chain){
		.name = "gateway",
		.started = "Started Decryption polling from block",
		.failed = "Polling the gateway failed, trying again",
		.provider = env->gateway,
		.id = {c->gateway_chain_id},
		.contracts = {c->decryption_contract.address},
		.contracts_n = 1,
		.head = service_chain_head(&c->gateway_final),
		.head_depth = c->gateway_final.blocks,
		.polling_ms = c->decryption_polling_ms,
		.from_block_given = c->decryption_from_block_number_given,
		.from_block = c->decryption_from_block_number,
		.confirmations = c->gateway_tx_required_confirmations,
		.metric = METRIC_CONTRACT_DECRYPTION,
		.answered = OP_TOPIC_ANSWERED,
	};
}

struct service_chain service_chain_of(const struct connector_env *env)
{
	return env->chain.provider ? env->chain : service_chain_gateway(env);
}
