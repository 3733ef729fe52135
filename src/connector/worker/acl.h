/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside worker/ only: what the ACL of a handle's host chain must say before the handle may be
 * decrypted.
 *
 * A rule is a question that must be answered yes, or a list of questions of which one must be. All
 * questions of a chain go in one call (acl_many.h), and no rule is passed over: a handle is
 * permitted when each of its rules has its yes.
 */
#ifndef CONNECTOR_WORKER_ACL_H
#define CONNECTOR_WORKER_ACL_H

#include "connector/worker/internal.h"

enum acl_view {
	ACL_PUBLIC,    /* isAllowedForDecryption(handle) */
	ACL_USER,      /* isAllowed(handle, account) */
	ACL_CONTRACT,  /* the same of a contract */
	ACL_DELEGATED, /* isHandleDelegatedForUserDecryption(account, user, contract, handle) */
};

struct acl_question {
	enum acl_view view;
	struct address account;  /* ACL_USER, ACL_CONTRACT; of ACL_DELEGATED the delegator */
	struct address user;     /* ACL_DELEGATED */
	struct address contract; /* ACL_DELEGATED */
};

struct acl_rule {
	size_t handle;
	const struct acl_question *any_of;
	size_t n, no_n; /* so many have said no in this pass */
	bool yes;
};

/* One question of a rule. */
struct acl_ask {
	size_t rule, question;
};

/* All rules of a job, and how far a pass is. */
struct acl {
	struct acl_rule *rules;
	size_t rules_n, rules_max;
	uint16_t *open; /* of each handle: rules that have not said yes */
	struct acl_ask *asks;
	size_t asks_n;
	size_t next;  /* the first of them that was not asked */
	size_t yes_n; /* rules */
};

enum {
	ACL_RULES_PER_HANDLE_MAX = 2,
	ACL_QUESTION_BYTES_MAX = 2 + 4 + 4 * 32, /* of the longest view, with its length */
};

/* Room for every handle; before the first acl_rule_add. ERR_NOMEM. */
enum err acl_init(struct job *j) MUST_USE;
/* `any_of` must live as long as the job; n > 0. */
void acl_rule_add(struct job *j, size_t handle, const struct acl_question *any_of, size_t n);
/* A rule of one question, which is copied. ERR_NOMEM. */
enum err acl_rule_add_one(struct job *j, size_t handle, struct acl_question q) MUST_USE;

/* ---- acl.c ---- */

/* Ask all rules at the heads in j->heads: permits in j->proof what they allow, then
 * permission_part_done; or permission_denied with the rule. */
enum err acl_ask(struct job *j) MUST_USE;

/* What a rule demands: "allowed for user 0x…", for a sentence with "is" or "is not". */
void acl_rule_text(char out[REASON_SIZE_MAX], const struct acl_rule *r);

#endif
