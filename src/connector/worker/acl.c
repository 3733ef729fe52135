/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/worker/acl.h"

#include <stdio.h>

#include "connector/adapters/views.h"
#include "eth/text.h"

enum {
	RULES_AT_ONCE = 256, /* in flight of one job; the provider's queue is everybody's */
};

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

static enum err ask_rule(struct job *j, size_t i)
{
	struct buf data CLEANUP(buf_free) = buf_make(PERMISSION_CALL_MAX);
	const struct acl_rule *r = &j->acl->rules[i];
	struct endpoint *host = j->hosts[r->handle];
	const struct call_msg msg = {.to = permission_acl_of(j, host)};

	TRY(encode(&data, &r->any_of[r->at], &j->request.handles[r->handle]));
	return permission_call(j, host, msg, &data, permission_head(j, r->handle), on_answer, i);
}

static enum err ask_next(struct job *j)
{
	if (j->acl->next == j->acl->rules_n)
		return ERR_OK;
	return ask_rule(j, j->acl->next++);
}

static enum err rule_allowed(struct job *j, const struct acl_rule *r)
{
	struct acl *a = j->acl;
	const struct block_head *head = &j->heads[r->handle];

	if (--a->open[r->handle] == 0)
		proof_permit(j->proof, r->handle, j->hosts[r->handle]->chain, head->number,
			     head->hash);
	if (++a->yes_n == a->rules_n) {
		permission_part_done(j);
		return ERR_OK;
	}
	return ask_next(j);
}

static void on_answer(void *ctx, const struct provider_error *e, struct bytes data)
{
	size_t i;
	struct job *j = ticket_close(ctx, &i);
	bool allowed = false;

	if (!j)
		return;
	struct acl_rule *r = &j->acl->rules[i];
	enum err err = e->err != ERR_OK ? e->err : view_bool_result(&allowed, data);
	if (err != ERR_OK) {
		permission_network_failed(j, err, "permission of a handle",
					  e->err != ERR_OK ? e->note.text : err_name(err));
		return;
	}
	if (!allowed && r->at + 1 == r->n) {
		permission_denied(j, r->handle, r);
		return;
	}
	if (!allowed)
		r->at++;
	err = allowed ? rule_allowed(j, r) : ask_rule(j, i);
	if (err != ERR_OK)
		permission_network_failed(j, err, "permission of a handle", "not sent");
}

enum err acl_ask(struct job *j)
{
	struct acl *a = j->acl;

	a->next = a->yes_n = 0;
	memset(a->open, 0, j->request.handles_n * sizeof(*a->open));
	for (size_t i = 0; i < a->rules_n; i++) {
		a->rules[i].at = 0;
		a->open[a->rules[i].handle]++;
	}
	for (size_t i = 0; i < RULES_AT_ONCE; i++)
		TRY(ask_next(j));
	return ERR_OK;
}
