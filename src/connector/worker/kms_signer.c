/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Is the key that signed one of this KMS? A core with a key that nobody registered (a wrong file, a
 * wrong endpoint, a rotation half done) signs well, and the gateway would revert every answer of
 * it. So the gateway is asked first, once in a while for each key; until it says yes the row waits.
 *
 * The context is the one that the contract will take: what the extra data names, else the current.
 */
#include "base/hex.h"
#include "connector/adapters/views.h"
#include "connector/worker/internal.h"

enum {
	CALL_BYTES_MAX = 256
};

static bool is_registered(const struct job *j)
{
	const struct registered *r = &j->worker->registered;

	return clock_mono_ms(j->worker->env.clock) < r->until_ms &&
	       address_eq(r->signer, j->signer) && r->has_context == j->extra.has_context &&
	       u256_eq(r->context, j->extra.context) && r->chain.v == j->op.key.chain.v;
}

/* ProtocolConfig has the same views; it is asked where it is what the contract itself will ask. */
static bool asks_ethereum(const struct job *j)
{
	return j->worker->ethereum.provider && j->op.key.chain.v != j->worker->gateway.chain.v;
}

static void refuse(struct job *j)
{
	char signer[41];

	metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS, METRIC_CHECK_SIGNATURE);
	hex_encode(signer, BYTES_OF(j->signer.b));
	work_retry(j, ERR_NOT_READY, "the core signs as 0x%s, which is no KMS signer of %s%s",
		   signer, asks_ethereum(j) ? "ProtocolConfig" : "GatewayConfig",
		   j->extra.has_context ? " in the request's context" : "");
}

static void on_answer(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct job *j = ticket_close(ctx, NULL);
	bool yes = false;

	if (!j)
		return;
	/* A contract of another generation, without this view, or a node that will not say: then
	 * the gas estimate decides. */
	bool no_view =
		e->err == ERR_REMOTE ? e->revert_data.n == 0 : e->err == ERR_OK && data.n == 0;
	enum err err = e->err == ERR_OK && !no_view ? view_bool_result(&yes, data) : e->err;
	if (err != ERR_OK && !no_view && e->err != ERR_REMOTE) {
		metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS,
			    METRIC_CHECK_NETWORK);
		work_retry(j, err_class(err) == ERR_CLASS_SOURCE ? ERR_UNAVAILABLE : err,
			   "isKmsSigner: %s", e->err != ERR_OK ? e->note.text : err_name(err));
		return;
	}
	if (!yes && !no_view) {
		refuse(j);
		return;
	}
	if (yes)
		j->worker->registered = (struct registered){
			.until_ms = clock_mono_ms(j->worker->env.clock) +
				    j->worker->env.config->copro_registry_refresh_ms,
			.chain = j->op.key.chain,
			.signer = j->signer,
			.has_context = j->extra.has_context,
			.context = j->extra.context,
		};
	work_answered(j);
}

static enum err ask(struct job *j)
{
	struct buf data CLEANUP(buf_free) = buf_make(CALL_BYTES_MAX);
	const struct connector_config *c = j->worker->env.config;
	bool ethereum = asks_ethereum(j);
	struct endpoint *at = ethereum ? &j->worker->ethereum : &j->worker->gateway;

	if (j->extra.has_context)
		TRY(gateway_config_is_kms_signer_for_context_call(&data, j->extra.context,
								  j->signer));
	else
		TRY(gateway_config_is_kms_signer_call(&data, j->signer));

	const struct call_msg msg = {
		.to = ethereum ? c->protocol_config_contract.address
			       : c->gateway_config_contract.address,
		.data = buf_view(&data),
	};
	struct ticket *t = scope_open(&j->calls, j->worker->env.inflight, j, 0);
	enum err e = t ? provider_call(at->provider, &msg, (struct block_tag){.kind = BLOCK_LATEST},
				       on_answer, t)
		       : ERR_NOMEM;

	if (e != ERR_OK && t)
		(void)ticket_close(t, NULL);
	return e;
}

void signer_check(struct job *j)
{
	if (is_registered(j)) {
		work_answered(j);
		return;
	}
	enum err e = ask(j);
	if (e != ERR_OK)
		work_retry(j, e, "isKmsSigner: not sent");
}
