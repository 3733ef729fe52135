/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/service.h"

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
		.head = BLOCK_LATEST,
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
