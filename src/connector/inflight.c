/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "connector/inflight.h"

#include <stdlib.h>

struct ticket {
	struct ticket *next, **link;             /* in the table */
	struct ticket *scope_next, **scope_link; /* in the scope; link NULL once cancelled */
	struct inflight *table;
	void *owner;
	size_t index;
};

struct ticket *scope_open(struct scope *s, struct inflight *table, void *owner, size_t index)
{
	struct ticket *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->table = table;
	t->owner = owner;
	t->index = index;

	t->next = table->first;
	t->link = &table->first;
	if (t->next)
		t->next->link = &t->next;
	table->first = t;

	t->scope_next = s->first;
	t->scope_link = &s->first;
	if (t->scope_next)
		t->scope_next->scope_link = &t->scope_next;
	s->first = t;
	return t;
}

static void leave_scope(struct ticket *t)
{
	if (!t->scope_link)
		return;
	*t->scope_link = t->scope_next;
	if (t->scope_next)
		t->scope_next->scope_link = t->scope_link;
	t->scope_next = NULL;
	t->scope_link = NULL;
}

void scope_cancel(struct scope *s)
{
	while (s->first) {
		struct ticket *t = s->first;

		leave_scope(t);
		t->owner = NULL;
	}
}

void *ticket_close(struct ticket *t, size_t *ret_index)
{
	void *owner = t->owner;

	if (ret_index)
		*ret_index = t->index;
	leave_scope(t);
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	free(t);
	return owner;
}

void inflight_free(struct inflight *table)
{
	while (table->first)
		(void)ticket_close(table->first, NULL);
}
