/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Whose yes a user decryption needs.
 *
 * The older form: the contracts, the validity and the user's signature stand in the calldata only.
 * The gateway's contract has checked them, but that it did is one node's word, which could make up
 * log and transaction: all of it is checked again here, as the contract does, down to the signature
 * (by key only, it knows no contract wallets). The transaction must go straight to the Decryption
 * contract: otherwise anybody could put another calldata around it. The user and the contract must
 * both be allowed, or, if delegated, the ACL says it all.
 *
 * The unified form: the event says everything and the contract has checked nothing of it. Validity,
 * the user's signature (its own, or of a contract wallet at its address by ERC-1271), whether it
 * was declared void since; owner or delegation of each handle; the contracts that the user limits
 * it to.
 */
#include <inttypes.h>

#include "connector/adapters/user_decryption.h"
#include "connector/adapters/views.h"
#include "connector/worker/acl.h"
#include "eth/text.h"

enum {
	DAYS_MAX = 365, /* of the Decryption contract */
	DAY_S = 86400,
	V_EVEN = 27, /* what the contract takes, though the library takes more */
	V_ODD
};

static bool address_in(struct address a, const struct address *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (address_eq(a, list[i]))
			return true;
	return false;
}

/* What users sign is for the gateway's contract, but of the host chain. */
static struct eip712_domain signed_domain(const struct job *j)
{
	const struct connector_config *c = j->worker->env.config;

	return (struct eip712_domain){
		.name = bytes_str(c->decryption_contract.domain_name),
		.version = bytes_str(c->decryption_contract.domain_version),
		.chain_id = u256_from_u64(j->hosts[0]->chain.v),
		.verifying_contract = j->op.key.contract,
	};
}

/* Both ends belong to the time in which the signature holds; our clock decides, as everybody's
 * does. False: the job has ended. */
static bool in_time(struct job *j, struct u256 start_s, struct u256 duration_s)
{
	struct u256 now = u256_from_u64((uint64_t)clock_wall_ms(j->worker->env.clock) / 1000);
	struct u256 end;
	char text[U256_DEC_SIZE];

	if (u256_cmp(now, start_s) < 0) {
		u256_to_dec(text, start_s);
		work_retry(j, ERR_NOT_READY, "the user's signature holds from %s on", text);
		return false;
	}
	if (!u256_add(&end, start_s, duration_s) && u256_cmp(now, end) > 0) {
		u256_to_dec(text, end);
		work_end(j, OP_REFUSED, ERR_EXPIRED, "the user's signature held until %s", text);
		return false;
	}
	return true;
}

/* False: the job has ended. */
static bool not_its_own_contract(struct job *j, struct address user, const struct address *list,
				 size_t n)
{
	char text[ADDRESS_TEXT_SIZE];

	if (!address_in(user, list, n))
		return true;
	address_to_text(text, user);
	work_end(j, OP_REFUSED, ERR_BAD_REQUEST, "user %s is one of its allowed contracts", text);
	return false;
}

/* ---- the older form ---- */

/* What is signed is about these handles, through these contracts. False: the job has ended. */
static bool signed_for_pairs(struct job *j, const struct user_calldata *c)
{
	char chain[U256_DEC_SIZE], contract[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < c->pairs_n; i++) {
		if (!u256_eq(u256_from_u64(j->hosts[i]->chain.v), c->chain_id)) {
			u256_to_dec(chain, c->chain_id);
			work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
				 "handle %zu is of chain %" PRIu64 ", the signature for chain %s",
				 i, j->hosts[i]->chain.v, chain);
			return false;
		}
		if (!address_in(c->pairs[i].contract, c->contracts, c->contracts_n)) {
			address_to_text(contract, c->pairs[i].contract);
			work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
				 "contract %s of handle %zu is not one that the user has signed "
				 "for",
				 contract, i);
			return false;
		}
	}
	return not_its_own_contract(j, c->delegated ? c->delegator : c->user, c->contracts,
				    c->contracts_n);
}

/* False: the job has ended. */
static bool holds_now(struct job *j, const struct user_calldata *c)
{
	char text[U256_DEC_SIZE];
	uint64_t days;

	if (u256_to_u64(&days, c->duration_days) != ERR_OK || days < 1 || days > DAYS_MAX) {
		u256_to_dec(text, c->duration_days);
		work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
			 "the user's signature is for %s days, not for 1 to %d", text, DAYS_MAX);
		return false;
	}
	return in_time(j, c->start_s, u256_from_u64(days * DAY_S));
}

static bool is_signed_by(const struct job *j, struct bytes signature, const struct hash32 *digest,
			 struct address user)
{
	struct address signer;

	if (signature.n != sizeof(struct signature65) ||
	    (signature.p[signature.n - 1] != V_EVEN && signature.p[signature.n - 1] != V_ODD))
		return false;
	return ecdsa_recover(j->worker->env.ecdsa, &signer, signature, *digest) == ERR_OK &&
	       address_eq(signer, user);
}

/* ERR_BAD_REQUEST: the job has ended. */
static enum err calldata_signed(struct job *j, const struct user_calldata *c)
{
	const struct eip712_domain domain = signed_domain(j);
	char user[ADDRESS_TEXT_SIZE];
	struct hash32 digest;

	TRY(user_calldata_digest(&digest, &domain, c));
	if (is_signed_by(j, c->signature, &digest, c->user))
		return ERR_OK;
	metrics_inc(j->worker->env.metrics, METRIC_WORKER_CHECK_ERRORS, METRIC_CHECK_SIGNATURE);
	address_to_text(user, c->user);
	work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
		 "the signature in the calldata is not user %s's of this request", user);
	return ERR_BAD_REQUEST;
}

/* In this order: what time it is matters only to what is truly signed. Errors as above. */
static enum err calldata_check(struct job *j, const struct user_calldata *c)
{
	if (!signed_for_pairs(j, c))
		return ERR_BAD_REQUEST;
	TRY(calldata_signed(j, c));
	return holds_now(j, c) ? ERR_OK : ERR_BAD_REQUEST;
}

static enum err pair_rules(struct job *j, const struct user_calldata *c)
{
	TRY(acl_init(j));
	for (size_t i = 0; i < c->pairs_n; i++) {
		struct address contract = c->pairs[i].contract;

		if (c->delegated) {
			TRY(acl_rule_add_one(j, i,
					     (struct acl_question){.view = ACL_DELEGATED,
								   .account = c->delegator,
								   .user = c->user,
								   .contract = contract}));
			continue;
		}
		TRY(acl_rule_add_one(j, i,
				     (struct acl_question){.view = ACL_USER, .account = c->user}));
		TRY(acl_rule_add_one(
			j, i, (struct acl_question){.view = ACL_CONTRACT, .account = contract}));
	}
	return ERR_OK;
}

/* Says with which end: the calldata is on chain and will not change. */
static enum err calldata_read(struct user_calldata *ret, struct job *j,
			      const struct transaction *tx)
{
	struct bytes input;
	enum err e;

	if (tx->creates || !address_eq(tx->to, j->op.key.contract)) {
		work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
			 "the transaction of the request is not to the Decryption contract itself: "
			 "its calldata proves nothing");
		return ERR_BAD_REQUEST;
	}
	TRY(arena_copy(&j->arena, &input, tx->input));
	e = user_calldata_decode(&j->arena, ret, input);
	if (e == ERR_NOMEM)
		return e;
	if (e != ERR_OK || !user_calldata_is_of(ret, &j->request)) {
		work_end(j, OP_REFUSED, ERR_BAD_REQUEST, "the calldata of the request %s",
			 e == ERR_OK            ? "does not say what its event says"
			 : e == ERR_UNSUPPORTED ? "is of no known request function"
						: "cannot be decoded");
		return ERR_BAD_REQUEST;
	}
	return ERR_OK;
}

static void on_transaction(void *ctx, const struct provider_error *e, const struct transaction *tx)
{
	struct job *j = ticket_close(ctx, NULL);
	struct user_calldata calldata;

	if (!j)
		return;
	if (e->err != ERR_OK) {
		permission_network_failed(j, e->err, "transaction of the request", e->note.text);
		return;
	}
	if (!tx) {
		/* The node that is asked now lags behind the one that gave us the event. */
		permission_network_failed(j, ERR_NOT_READY, "transaction of the request",
					  "the gateway's node does not know it (yet)");
		return;
	}
	enum err err = calldata_read(&calldata, j, tx);
	if (err == ERR_OK)
		err = calldata_check(j, &calldata);
	if (err == ERR_BAD_REQUEST)
		return;
	if (err == ERR_OK)
		err = pair_rules(j, &calldata);
	if (err == ERR_OK)
		permission_ask(j);
	else
		work_retry(j, err, "the rules of the request: %s", err_name(err));
}

static void ask_transaction(struct job *j)
{
	struct ticket *t = scope_open(&j->calls, j->worker->env.inflight, j, 0);
	enum err e = t ? provider_transaction(j->worker->gateway.provider, j->op.tx_hash,
					      on_transaction, t)
		       : ERR_NOMEM;

	if (e == ERR_OK)
		return;
	if (t)
		(void)ticket_close(t, NULL);
	permission_network_failed(j, e, "transaction of the request", "not sent");
}

/* ---- the unified form ---- */

static bool well_formed(struct job *j)
{
	const struct user_request *u = j->request.user;

	for (size_t i = 1; i < j->request.handles_n; i++)
		if (j->hosts[i] != j->hosts[0]) {
			work_end(j, OP_REFUSED, ERR_BAD_REQUEST,
				 "handles of chains %" PRIu64 " and %" PRIu64
				 " under one signature, which is for one chain",
				 j->hosts[0]->chain.v, j->hosts[i]->chain.v);
			return false;
		}
	return not_its_own_contract(j, u->user, u->allowed_contracts, u->allowed_contracts_n);
}

static enum err unified_rules(struct job *j)
{
	const struct user_request *u = j->request.user;
	struct acl_question *allowed =
		arena_alloc_array(&j->arena, u->allowed_contracts_n, sizeof(*allowed));

	TRY(acl_init(j));
	if (!allowed)
		return ERR_NOMEM;
	for (size_t i = 0; i < u->allowed_contracts_n; i++)
		allowed[i] = (struct acl_question){.view = ACL_CONTRACT,
						   .account = u->allowed_contracts[i]};
	for (size_t i = 0; i < j->request.handles_n; i++) {
		const struct user_entry *entry = &u->entries[i];
		bool own = address_eq(entry->owner, u->user);

		TRY(acl_rule_add_one(j, i,
				     (struct acl_question){.view = own ? ACL_USER : ACL_DELEGATED,
							   .account = entry->owner,
							   .user = u->user,
							   .contract = entry->contract}));
		if (u->allowed_contracts_n > 0)
			acl_rule_add(j, i, allowed, u->allowed_contracts_n);
	}
	return ERR_OK;
}

/* ---- the user's signature ---- */

static bool is_revert(const struct provider_error *e)
{
	return e->err == ERR_REMOTE &&
	       (e->revert_data.n > 0 || strcasestr(e->rpc_message, "revert"));
}

static void on_wallet(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct job *j = ticket_close(ctx, NULL);

	if (!j)
		return;
	if (e->err != ERR_OK && !is_revert(e))
		permission_network_failed(j, e->err, "isValidSignature", e->note.text);
	else if (e->err == ERR_OK && account_says_valid(data))
		permission_part_done(j);
	else
		permission_denied(j, 0, NULL);
}

static void on_void_before(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct job *j = ticket_close(ctx, NULL);
	struct u256 before = U256_ZERO;
	char user[ADDRESS_TEXT_SIZE];

	if (!j)
		return;
	enum err err = e->err != ERR_OK ? e->err : view_u256_result(&before, data);
	if (err != ERR_OK) {
		permission_network_failed(j, err, "decryptionSignatureInvalidatedBefore",
					  e->err != ERR_OK ? e->note.text : err_name(err));
	} else if (u256_cmp(j->request.user->start_s, before) < 0) {
		/* No node can say so too early: it only ever grows. */
		address_to_text(user, j->request.user->user);
		work_end(j, OP_REFUSED, ERR_NOT_ALLOWED,
			 "user %s has declared its earlier signatures void", user);
	} else {
		permission_part_done(j);
	}
}

static enum err ask_wallet(struct job *j, const struct hash32 *digest)
{
	const struct user_request *u = j->request.user;
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX + u->signature.n);
	const struct call_msg msg = {.to = u->user,
				     .gas = j->worker->env.config->erc1271_gas_limit};

	TRY(account_is_valid_signature_call(&data, digest, u->signature));
	TRY(permission_call(j, j->hosts[0], msg, &data, permission_head(j, 0), on_wallet, 0));
	j->pending++;
	return ERR_OK;
}

enum err user_signature_ask(struct job *j)
{
	const struct user_request *u = j->request.user;
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);
	const struct call_msg msg = {.to = permission_acl_of(j, j->hosts[0])};
	const struct eip712_domain domain = signed_domain(j);
	struct hash32 digest;
	struct address signer;

	if (!u || !u->unified)
		return ERR_OK;
	TRY(user_signature_digest(&digest, &domain, &j->request));
	if (ecdsa_recover(j->worker->env.ecdsa, &signer, u->signature, digest) != ERR_OK ||
	    !address_eq(signer, u->user))
		TRY(ask_wallet(j, &digest));
	TRY(acl_signatures_void_before_call(&data, u->user));
	TRY(permission_call(j, j->hosts[0], msg, &data, permission_head(j, 0), on_void_before, 0));
	j->pending++;
	return ERR_OK;
}

void user_rules(struct job *j)
{
	enum err e;

	if (!j->request.user->unified) {
		ask_transaction(j);
		return;
	}
	if (!well_formed(j) || !in_time(j, j->request.user->start_s, j->request.user->duration_s))
		return;
	e = unified_rules(j);
	if (e == ERR_OK)
		permission_ask(j);
	else
		work_retry(j, e, "the rules of the request: %s", err_name(e));
}
