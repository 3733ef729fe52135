/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service.h"

enum block_tag_kind service_chain_head(const struct chain_finality *f)
{
	static const enum block_tag_kind tags[] = {
		[FINALITY_LATEST] = BLOCK_LATEST,
		[FINALITY_SAFE] = BLOCK_SAFE,
		[FINALITY_FINALIZED] = BLOCK_FINALIZED,
		[FINALITY_BLOCKS] = BLOCK_LATEST,
		[FINALITY_ARBITRUM_L1] = BLOCK_LATEST,
		[FINALITY_ARBITRUM_CONFIRMED] = BLOCK_LATEST,
	};

	return tags[f->kind];
}

static void contract_add(struct service_chain *chain, struct address address,
			 enum event_source source)
{
	chain->contracts[chain->contracts_n++] = (struct event_contract){address, source};
}

struct service_chain service_chain_gateway(const struct connector_env *env)
{
	const struct connector_config *c = env->config;

	struct service_chain chain = {
		.name = "gateway",
		.started = "Started Decryption polling from block",
		.failed = "Polling the gateway failed, trying again",
		.provider = env->gateway,
		.id = {c->gateway_chain_id},
		.head = service_chain_head(&c->gateway_final),
		.head_depth = c->gateway_final.blocks,
		.head_posted = c->gateway_final.kind == FINALITY_ARBITRUM_L1,
		.parent = c->gateway_final.kind == FINALITY_ARBITRUM_CONFIRMED ? env->parent : NULL,
		.rollup = c->gateway_parent_rollup,
		.polling_ms = c->decryption_polling_ms,
		.from_block_given = c->decryption_from_block_number_given,
		.from_block = c->decryption_from_block_number,
		.confirmations = c->gateway_tx_required_confirmations,
		.metric = METRIC_CONTRACT_DECRYPTION,
		.answered = OP_TOPIC_ANSWERED,
	};

	contract_add(&chain, c->decryption_contract.address, EVENTS_DECRYPTION);
	if (c->kms_generation_given && c->kms_generation_on_gateway)
		contract_add(&chain, c->kms_generation_contract.address, EVENTS_KMS_GENERATION);
	return chain;
}

struct service_chain service_chain_ethereum(const struct connector_env *env,
					    struct provider *provider)
{
	const struct connector_config *c = env->config;
	struct service_chain chain = {
		.name = "ethereum",
		.started = "Started Ethereum polling from block",
		.failed = "Polling the ethereum chain failed, trying again",
		.provider = provider,
		.id = {c->ethereum_chain_id},
		.head = service_chain_head(&c->ethereum_final),
		.head_depth = c->ethereum_final.blocks,
		.head_posted = c->ethereum_final.kind == FINALITY_ARBITRUM_L1,
		.polling_ms = c->key_management_polling_ms,
		.from_block_given = c->kms_operation_from_block_number_given,
		.from_block = c->kms_operation_from_block_number,
		.confirmations = c->ethereum_tx_required_confirmations,
		.metric = METRIC_CONTRACT_ETHEREUM,
		.answered = OP_TOPIC_ANSWERED_ETHEREUM,
	};

	if (c->kms_generation_given && !c->kms_generation_on_gateway)
		contract_add(&chain, c->kms_generation_contract.address, EVENTS_KMS_GENERATION);
	if (c->protocol_config_given)
		contract_add(&chain, c->protocol_config_contract.address, EVENTS_PROTOCOL_CONFIG);
	return chain;
}

struct service_chain service_chain_of(const struct connector_env *env)
{
	return env->chain.provider ? env->chain : service_chain_gateway(env);
}
