/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Inside the set-up of epochs: one epoch. */
#ifndef CORE_EPOCH_SETUP_INTERNAL_H
#define CORE_EPOCH_SETUP_INTERNAL_H

#include "core/epoch_data.h"
#include "core/epoch_setup.h"
#include "core/epoch_word.h"
#include "mpc/prss_init.h"

/* What is whole here and may not be whole everywhere; the same form as EpochData. */
#define EPOCH_DRAFT_TYPE "EpochDraft"

struct epoch_task {
	struct epoch_task *next;
	struct epoch_setup *setup;
	struct epoch_record record; /* as it is stored */

	/* What we say. */
	enum epoch_stage stage;
	uint64_t attempt;

	/* An attempt. */
	struct mpc_prss_init *init;
	struct peer_run *run;
	struct prss *prss; /* whole here */

	/* A round of questions. */
	struct timer timer;
	struct peer_probe *probes[MPC_PARTIES_MAX];
	struct epoch_word words[MPC_PARTIES_MAX];
	unsigned asked_n;
	bool stranded_told;
	mpc_set missing_told; /* who was named in the log as not there */

	bool busy; /* on the way to pool or store */
	uint64_t next_attempt;
	void (*stored)(struct epoch_task *t, enum err e);
	epoch_begun_fn *begun;
	void *begun_ctx;

	/* The pool's. */
	bool final; /* EpochData, not the draft */
	enum err err;
	struct err_note note;
};

struct epoch_setup {
	struct epoch_setup_options o;
	struct epoch_task *tasks;
	bool ready, stopped;
};

struct epoch_task *epoch_task_find(const struct epoch_setup *s, struct hash32 id);
/* Then next(t, what became of it), now or later. */
void epoch_task_store(struct epoch_task *t, const struct epoch_record *r,
		      void (*next)(struct epoch_task *t, enum err e));

/* ---- epoch_task.c ---- */

/* Ask the others, now and again, until it is done. */
void epoch_task_poll(struct epoch_task *t);
void epoch_task_halt(struct epoch_task *t);
void epoch_task_nothing(struct epoch_task *t, enum err e);

#endif
