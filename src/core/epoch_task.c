/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One epoch being set up: asking, attempting, keeping. */
#include <malloc.h>

#include "base/limits.h"
#include "core/epoch_setup_internal.h"
#include "core/request_id.h"

enum {
	EPOCH_ASK_MS = 5000
};

static const struct mpc_context *context_of(const struct epoch_task *t)
{
	return committees_context(t->setup->o.committee, t->record.context_id);
}

static void ask(void *ctx);

static void ask_later(struct epoch_task *t)
{
	const struct epoch_setup *s = t->setup;

	if (!s->stopped && t->stage != EPOCH_WORD_DONE && !t->timer.armed)
		clock_timer_set(loop_clock(s->o.loop), &t->timer, s->o.poll_ms, ask, t);
}

static void attempt_drop(struct epoch_task *t)
{
	if (t->run)
		peer_run_cancel(t->run);
	t->run = NULL;
	mpc_prss_init_free(t->init);
	t->init = NULL;
}

void epoch_task_halt(struct epoch_task *t)
{
	clock_timer_cancel(loop_clock(t->setup->o.loop), &t->timer);
	for (size_t i = 0; i < MPC_PARTIES_MAX; i++) {
		if (t->probes[i])
			peer_probe_cancel(t->probes[i]);
		t->probes[i] = NULL;
	}
	t->asked_n = 0;
	attempt_drop(t);
}

void epoch_task_nothing(struct epoch_task *t, enum err e)
{
	(void)t;
	(void)e;
}

static void say(const struct epoch_task *t, const char *what, enum err e, const char *detail)
{
	char id[REQUEST_ID_TEXT_SIZE];

	request_id_text(id, t->record.id);
	if (e == ERR_OK)
		LOG_INFO(t->setup->o.log, what, log_s("epoch_id", id),
			 log_i("attempt", (int64_t)t->attempt));
	else
		LOG_WARN(t->setup->o.log, what, log_s("epoch_id", id),
			 log_i("attempt", (int64_t)t->attempt), log_e(e), log_s("detail", detail));
}

/* ---- keeping ---- */

/* Pool thread. */
static void keep(void *job)
{
	struct epoch_task *t = job;
	const struct vault *v = &t->setup->o.private_vault;
	const struct vault_name draft = {.type = EPOCH_DRAFT_TYPE, .id = t->record.id};
	CLEANUP(buf_wipe) struct buf object = buf_make(EPOCH_DATA_SIZE_MAX);

	if (t->final) {
		t->err = epoch_data_store(v, t->record.id, t->record.context_id, t->prss, &t->note);
		if (t->err == ERR_OK || t->err == ERR_ALREADY_DONE)
			t->err = vault_remove(v, &draft, &t->note);
		return;
	}
	t->err = epoch_data_write(t->record.context_id, t->prss, &object);
	if (t->err == ERR_OK) /* of an attempt that came to nothing */
		t->err = vault_remove(v, &draft, &t->note);
	if (t->err == ERR_OK)
		t->err = vault_write(v, &draft, buf_view(&object), &t->note);
}

static void raise_to(struct epoch_task *t, uint64_t attempt);

static void on_done(struct epoch_task *t, enum err e)
{
	t->busy = false;
	if (e != ERR_OK) { /* the vault has it: that counts after the next start */
		ask_later(t);
		return;
	}
	t->record.phase = EPOCH_DONE;
	t->stage = EPOCH_WORD_DONE;
	committees_epoch_ready(t->setup->o.committee, t->record.id, t->prss);
	t->prss = NULL;
	say(t, "An epoch is set up", ERR_OK, "");
}

static void on_prepared(struct epoch_task *t, enum err e)
{
	t->busy = false;
	if (e != ERR_OK) {
		raise_to(t, t->attempt + 1);
		return;
	}
	t->record.phase = EPOCH_PREPARED;
	t->stage = EPOCH_WORD_PREPARED;
	say(t, "An epoch's set-up is whole here", ERR_OK, "");
	ask_later(t);
}

static void kept(void *job)
{
	struct epoch_task *t = job;
	struct epoch_record r = t->record;

	if (t->err != ERR_OK) {
		say(t, "An epoch could not be written to the vault", t->err, t->note.text);
		t->busy = false;
		if (t->final)
			ask_later(t);
		else
			raise_to(t, t->attempt + 1);
		return;
	}
	r.phase = t->final ? EPOCH_DONE : EPOCH_PREPARED;
	epoch_task_store(t, &r, t->final ? on_done : on_prepared);
}

static void keep_begin(struct epoch_task *t, bool final)
{
	t->final = final;
	t->busy = true;
	if (pool_submit(t->setup->o.pool, keep, kept, t) == ERR_OK)
		return;
	t->busy = false;
	if (final)
		ask_later(t);
	else
		raise_to(t, t->attempt + 1);
}

/* ---- an attempt ---- */

static void attempt_over(void *ctx, enum err e)
{
	struct epoch_task *t = ctx;

	t->run = NULL;
	if (e == ERR_OK)
		e = mpc_prss_init_result(t->init, &t->prss);
	attempt_drop(t);
	/* Hundreds of megabytes went through the heap; they must not set the size of the node, even
	 * if the attempt failed and the next one waits for who is missing. */
	(void)malloc_trim(0);
	if (e == ERR_OK) {
		keep_begin(t, false);
		return;
	}
	say(t, "An attempt to set up an epoch failed", e, "");
	raise_to(t, t->attempt + 1);
}

static enum err attempt_run(struct epoch_task *t)
{
	const struct epoch_setup *s = t->setup;
	const struct mpc_group g = mpc_context_group(context_of(t));
	struct peer_run_options run = {
		.context_id = t->record.context_id,
		.round_timeout_ms = s->o.round_timeout_ms,
		.idle_timeout_ms = s->o.round_timeout_ms,
		.done = attempt_over,
		.ctx = t,
	};

	TRY(mpc_session_id_of(&run.session, t->record.id.b, epoch_session_index(t->attempt)));
	TRY(mpc_prss_init_new(&t->init, &g, s->o.rng));
	run.protocol = mpc_prss_init_protocol(t->init);
	return peer_net_run(&t->run, s->o.peers, &run);
}

/* It is stored that it was begun. */
static void on_stored_begin(struct epoch_task *t, enum err e)
{
	t->busy = false;
	if (t->setup->stopped)
		return;
	if (e != ERR_OK) {
		ask_later(t);
		return;
	}
	t->record.attempt = (int64_t)t->attempt;
	e = attempt_run(t);
	if (e != ERR_OK) {
		attempt_drop(t);
		say(t, "An attempt to set up an epoch could not begin", e, "");
		raise_to(t, t->attempt + 1);
		return;
	}
	t->stage = EPOCH_WORD_RUNNING;
	say(t, "Setting up an epoch with the other nodes", ERR_OK, "");
	ask_later(t);
}

static void begin(struct epoch_task *t)
{
	struct epoch_record r = t->record;

	t->busy = true;
	r.attempt = (int64_t)t->attempt;
	r.phase = EPOCH_TRYING;
	epoch_task_store(t, &r, on_stored_begin);
}

/* ---- TRYING a higher one ---- */

static void on_raised(struct epoch_task *t, enum err e)
{
	t->busy = false;
	if (e == ERR_OK) {
		prss_free(t->prss); /* what was prepared */
		t->prss = NULL;
		t->record.attempt = (int64_t)t->next_attempt - 1;
		t->record.phase = EPOCH_TRYING;
		t->stage = EPOCH_WORD_TRYING;
		t->attempt = t->next_attempt;
	}
	ask_later(t);
}

/* Nothing below will be whole here any more: stored, then said. */
static void raise_to(struct epoch_task *t, uint64_t attempt)
{
	struct epoch_record r = t->record;

	attempt_drop(t);
	t->busy = true;
	t->next_attempt = attempt;
	r.attempt = (int64_t)attempt - 1;
	r.phase = EPOCH_TRYING;
	if (t->record.attempt == r.attempt && t->record.phase == r.phase)
		on_raised(t, ERR_OK); /* stored when it was begun */
	else
		epoch_task_store(t, &r, on_raised);
}

/* ---- asking ---- */

static void stranded(struct epoch_task *t)
{
	if (!t->stranded_told)
		say(t,
		    "The other nodes have set up this epoch without us, or a node says so: it will "
		    "not decrypt here",
		    ERR_CONFLICT, "");
	t->stranded_told = true;
}

/* Once for each that is missing, not once a second. */
static void missing_tell(struct epoch_task *t)
{
	const struct mpc_context *c = context_of(t);
	mpc_set missing = 0;

	for (unsigned i = 1; i <= c->n; i++)
		if (i != c->me && t->words[i - 1].stage <= EPOCH_WORD_ABSENT)
			missing |= mpc_set_of(i);
	for (unsigned i = 1; i <= c->n; i++)
		if (mpc_set_has(missing & (mpc_set)~t->missing_told, i))
			LOG_INFO(t->setup->o.log, "The set-up of an epoch waits for a node",
				 log_s("identity", c->party[i - 1].identity),
				 log_s("why", t->words[i - 1].stage == EPOCH_WORD_ABSENT
						      ? "it does not know the epoch"
						      : "no answer"));
	t->missing_told = missing;
}

static void decide(struct epoch_task *t)
{
	const struct mpc_context *c = context_of(t);
	const struct epoch_word mine = {t->stage, t->attempt};
	struct epoch_word others[MPC_PARTIES_MAX];
	uint64_t attempt = 0;
	size_t n = 0;

	missing_tell(t);
	for (unsigned i = 1; i <= c->n; i++)
		if (i != c->me)
			others[n++] = t->words[i - 1];
	switch (epoch_decide(&mine, others, n, &attempt)) {
	case EPOCH_RAISE:
	case EPOCH_LEAVE:
		raise_to(t, attempt);
		return;
	case EPOCH_BEGIN:
		begin(t);
		return;
	case EPOCH_COMMIT:
		keep_begin(t, true);
		return;
	case EPOCH_STRANDED:
		stranded(t);
		break;
	case EPOCH_WAIT:
		break;
	}
	ask_later(t);
}

static void answered(void *ctx, const struct peer_probe_result *result)
{
	struct epoch_task *t = ctx;

	t->probes[result->party - 1] = NULL;
	t->words[result->party - 1] = result->err == ERR_OK
					      ? epoch_answer_read(result->answer)
					      : (struct epoch_word){.stage = EPOCH_WORD_SILENT};
	if (--t->asked_n > 0)
		return;
	if (t->busy) /* it ended while we asked: what was heard is older than what we say */
		ask_later(t);
	else
		decide(t);
}

static void ask(void *ctx)
{
	struct epoch_task *t = ctx;
	const struct epoch_setup *s = t->setup;
	const struct mpc_context *c = context_of(t);
	uint8_t question[EPOCH_QUESTION_SIZE];

	if (!c || c->me == 0 || t->busy || t->asked_n > 0) {
		ask_later(t);
		return;
	}
	epoch_question_write(question, c->id, t->record.id);
	for (unsigned i = 1; i <= c->n; i++) {
		const struct peer_probe_options probe = {
			.context_id = c->id,
			.party = i,
			.question = BYTES_OF(question),
			.timeout_ms = EPOCH_ASK_MS,
			.done = answered,
			.ctx = t,
		};

		t->words[i - 1] = (struct epoch_word){.stage = EPOCH_WORD_SILENT};
		if (i != c->me && peer_net_probe(&t->probes[i - 1], s->o.peers, &probe) == ERR_OK)
			t->asked_n++;
	}
	if (t->asked_n == 0)
		ask_later(t);
}

void epoch_task_poll(struct epoch_task *t)
{
	if (!t->setup->stopped)
		ask(t);
}
