/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/acl.h"

#include <stdio.h>

#include "connector/adapters/views.h"
#include "connector/worker/acl_many.h"
#include "eth/text.h"

enum {
	CALLS_AT_ONCE = 64, /* in flight of one job; the provider's queue is everybody's */
	MANY_AT_ONCE = 192, /* questions in one call */
};
_Static_assert((int)MANY_AT_ONCE <= (int)ACL_MANY_MAX, "room for the answers");
_Static_assert((int)ACL_MANY_BYTES_MAX >= (int)ACL_MANY_CODE_SIZE + 20 +
						  (int)MANY_AT_ONCE * (int)ACL_QUESTION_BYTES_MAX,
	       "a constructor of no chain may be larger");

/* ---- rules ---- */

enum err acl_init(struct job *j)
{
	size_t n = j->request.handles_n, rules_max = n * ACL_RULES_PER_HANDLE_MAX;

	j->acl = arena_alloc(&j->arena, sizeof(*j->acl));
	if (!j->acl)
		return ERR_NOMEM;
	j->acl->rules = arena_alloc_array(&j->arena, rules_max, sizeof(*j->acl->rules));
	j->acl->rules_max = rules_max;
	j->acl->open = arena_alloc_array(&j->arena, n, sizeof(*j->acl->open));
	return j->acl->rules && j->acl->open ? ERR_OK : ERR_NOMEM;
}

void acl_rule_add(struct job *j, size_t handle, const struct acl_question *any_of, size_t n)
{
	struct acl *a = j->acl;

	CHECK(n > 0 && a->rules_n < a->rules_max && handle < j->request.handles_n);
	a->rules[a->rules_n++] = (struct acl_rule){.handle = handle, .any_of = any_of, .n = n};
}

enum err acl_rule_add_one(struct job *j, size_t handle, struct acl_question q)
{
	struct acl_question *copy = arena_alloc(&j->arena, sizeof(*copy));

	if (!copy)
		return ERR_NOMEM;
	*copy = q;
	acl_rule_add(j, handle, copy, 1);
	return ERR_OK;
}

void acl_rule_text(char out[REASON_SIZE_MAX], const struct acl_rule *r)
{
	const struct acl_question *q = &r->any_of[0];
	char account[ADDRESS_TEXT_SIZE], user[ADDRESS_TEXT_SIZE], contract[ADDRESS_TEXT_SIZE];

	address_to_text(account, q->account);
	address_to_text(user, q->user);
	address_to_text(contract, q->contract);
	if (r->n > 1)
		(void)snprintf(out, REASON_SIZE_MAX,
			       "allowed for any of the %zu contracts that the user has named",
			       r->n);
	else if (q->view == ACL_PUBLIC)
		(void)snprintf(out, REASON_SIZE_MAX, "allowed for decryption");
	else if (q->view == ACL_DELEGATED)
		(void)snprintf(out, REASON_SIZE_MAX, "delegated by %s to %s for contract %s",
			       account, user, contract);
	else
		(void)snprintf(out, REASON_SIZE_MAX, "allowed for %s %s",
			       q->view == ACL_USER ? "user" : "contract", account);
}

/* ---- questions ---- */

static enum err encode(struct buf *out, const struct acl_question *q, const struct hash32 *handle)
{
	switch (q->view) {
	case ACL_PUBLIC:
		return acl_is_allowed_for_decryption_call(out, handle);
	case ACL_USER:
	case ACL_CONTRACT:
		return acl_is_allowed_call(out, handle, q->account);
	case ACL_DELEGATED:
		break;
	}
	return acl_is_delegated_call(out, q->account, q->user, q->contract, handle);
}

static void on_answer(void *ctx, const struct provider_error *e, struct bytes data);

static const struct acl_rule *rule_of(const struct job *j, size_t ask)
{
	return &j->acl->rules[j->acl->asks[ask].rule];
}

static enum err encode_ask(struct buf *out, const struct job *j, size_t ask)
{
	const struct acl_rule *r = rule_of(j, ask);

	return encode(out, &r->any_of[j->acl->asks[ask].question], &j->request.handles[r->handle]);
}

/* Questions `from` to `from` + n, all of one chain: one by itself, several in one call. */
static enum err ask_some(struct job *j, size_t from, size_t n)
{
	struct buf data CLEANUP(buf_free) = buf_make(ACL_MANY_BYTES_MAX);
	struct buf one CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);
	size_t handle = rule_of(j, from)->handle;
	struct endpoint *host = j->hosts[handle];
	struct call_msg msg = {.to = permission_acl_of(j, host), .create = n > 1};

	if (n > 1)
		TRY(acl_many_begin(&data, msg.to));
	for (size_t i = 0; i < n; i++) {
		buf_clear(&one);
		TRY(encode_ask(&one, j, from + i));
		TRY(n > 1 ? acl_many_add(&data, buf_view(&one)) : buf_add(&data, buf_view(&one)));
	}
	return permission_call(j, host, msg, &data, permission_head(j, handle), on_answer,
			       from * (ACL_MANY_MAX + 1) + n);
}

/* The next that were not asked, as many as go into one call. */
static enum err ask_next(struct job *j)
{
	struct acl *a = j->acl;
	size_t from = a->next, n = 0;

	if (from == a->asks_n)
		return ERR_OK;

	const struct endpoint *host = j->hosts[rule_of(j, from)->handle];
	size_t most = host->singly ? 1 : MANY_AT_ONCE;
	while (n < most && from + n < a->asks_n && j->hosts[rule_of(j, from + n)->handle] == host)
		n++;
	a->next += n;
	return ask_some(j, from, n);
}

static void rule_allowed(struct job *j, struct acl_rule *r)
{
	struct acl *a = j->acl;
	const struct block_head *head = &j->heads[r->handle];

	r->yes = true;
	a->yes_n++;
	if (--a->open[r->handle] == 0)
		proof_permit(j->proof, r->handle, j->hosts[r->handle]->chain, head->number,
			     head->hash);
}

/* False: the pass has ended. */
static bool take_answer(struct job *j, size_t ask, enum acl_said said)
{
	struct acl_rule *r = &j->acl->rules[j->acl->asks[ask].rule];

	if (said == ACL_SAID_NOTHING) {
		permission_network_failed(j, ERR_MALFORMED, "permission of a handle",
					  "the ACL gives no answer");
		return false;
	}
	if (said == ACL_SAID_YES && !r->yes)
		rule_allowed(j, r);
	if (said == ACL_SAID_NO && ++r->no_n == r->n) {
		permission_denied(j, r->handle, r);
		return false;
	}
	return true;
}

static enum err read_answer(enum acl_said said[ACL_MANY_MAX], struct bytes data, size_t n)
{
	bool yes;

	if (n == 1) {
		TRY(view_bool_result(&yes, data));
		said[0] = yes ? ACL_SAID_YES : ACL_SAID_NO;
		return ERR_OK;
	}
	TRY(acl_many_read(data, n));
	for (size_t i = 0; i < n; i++)
		said[i] = (enum acl_said)data.p[i];
	return ERR_OK;
}

/* A node that does not run what is no contract's: each question by itself then, from now on. */
static enum err ask_singly(struct job *j, size_t from, size_t n)
{
	struct endpoint *host = j->hosts[rule_of(j, from)->handle];

	if (!host->singly)
		LOG_INFO(j->worker->env.log,
			 "A host chain's node does not take many questions in one call, each is "
			 "asked by itself",
			 log_s("endpoint", provider_host(host->provider)));
	host->singly = true;
	for (size_t i = 0; i < n; i++)
		TRY(ask_some(j, from + i, 1));
	return ERR_OK;
}

static void on_answer(void *ctx, const struct provider_error *e, struct bytes data)
{
	enum acl_said said[ACL_MANY_MAX];
	size_t index;
	struct job *j = ticket_close(ctx, &index);

	if (!j)
		return;
	size_t from = index / (ACL_MANY_MAX + 1), n = index % (ACL_MANY_MAX + 1);
	bool singly = n > 1 && e->err == ERR_REMOTE;
	enum err err = singly             ? ask_singly(j, from, n)
		       : e->err == ERR_OK ? read_answer(said, data, n)
					  : e->err;

	if (err != ERR_OK) {
		permission_network_failed(j, err, "permission of a handle",
					  e->err != ERR_OK ? e->note.text : err_name(err));
		return;
	}
	if (singly)
		return;
	for (size_t i = 0; i < n; i++)
		if (!take_answer(j, from + i, said[i]))
			return;
	if (j->acl->yes_n == j->acl->rules_n) {
		permission_part_done(j);
		return;
	}
	err = ask_next(j);
	if (err != ERR_OK)
		permission_network_failed(j, err, "permission of a handle", "not sent");
}

/* All questions of all rules, those of one chain beside each other. */
static enum err list_asks(struct job *j)
{
	struct acl *a = j->acl;
	size_t total = 0;

	for (size_t i = 0; i < a->rules_n; i++)
		total += a->rules[i].n;
	a->asks = arena_alloc_array(&j->arena, total, sizeof(*a->asks));
	if (!a->asks)
		return ERR_NOMEM;
	for (size_t k = 0; k < j->worker->env.hosts_n; k++)
		for (size_t i = 0; i < a->rules_n; i++)
			for (size_t q = 0; j->hosts[a->rules[i].handle] == &j->worker->hosts[k] &&
					   q < a->rules[i].n;
			     q++)
				a->asks[a->asks_n++] = (struct acl_ask){i, q};
	return ERR_OK;
}

enum err acl_ask(struct job *j)
{
	struct acl *a = j->acl;

	a->next = a->yes_n = 0;
	memset(a->open, 0, j->request.handles_n * sizeof(*a->open));
	for (size_t i = 0; i < a->rules_n; i++) {
		a->rules[i].no_n = 0;
		a->rules[i].yes = false;
		a->open[a->rules[i].handle]++;
	}
	if (!a->asks)
		TRY(list_asks(j));
	for (size_t i = 0; i < CALLS_AT_ONCE; i++)
		TRY(ask_next(j));
	return ERR_OK;
}
