/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The newest block of an Arbitrum chain that is in a batch posted to its parent chain: what the
 * sequencer alone can no longer take back. The node says it of one block at a time, through its
 * virtual contract NodeInterface (Arbitrum Nitro), so it is searched for.
 */
#include "connector/listener/internal.h"
#include "eth/abi.h"

enum {
	POSTED_EVERY_MS = 5000, /* batches come every few minutes */
	FIRST_STEP = 1024,
};

static void search(struct listener *l);

/* A revert says that no batch has it; and so does any other error of the node's own: too little is
 * read then, never too much. */
static void on_batch(void *ctx, const struct provider_error *e, struct bytes data)
{
	struct listener *l = ticket_close(ctx, NULL);
	struct posted *p;

	if (!l)
		return;
	p = &l->posted;
	if (e->err != ERR_OK && e->err != ERR_REMOTE) {
		listener_round_failed(l, e->err, "findBatchContainingBlock", e->note.text);
		return;
	}
	if (e->err == ERR_OK && data.n == 32) {
		p->known = true;
		p->newest = p->asked;
		p->step *= 2;
	} else {
		p->beyond = p->asked;
	}
	search(l);
}

static enum err ask(struct listener *l, struct ticket *t, uint64_t block)
{
	struct call_msg msg = {.to.b[19] = 0xc8};
	struct buf data CLEANUP(buf_free) = buf_make(64);
	uint8_t selector[4], word[32];

	u256_to_be(word, u256_from_u64(block));
	abi_selector(selector, "findBatchContainingBlock(uint64)");
	TRY(buf_add(&data, BYTES_OF(selector)));
	TRY(buf_add(&data, BYTES_OF(word)));
	msg.data = buf_view(&data);
	return provider_call(l->env.chain.provider, &msg, (struct block_tag){.kind = BLOCK_LATEST},
			     on_batch, t);
}

/* Steps that double until one is too far, then halves. */
static void search(struct listener *l)
{
	struct posted *p = &l->posted;
	uint64_t from = p->known ? p->newest : 0, room = p->beyond - from;

	if (room <= 1) {
		p->due_ms = clock_mono_ms(l->env.clock) + POSTED_EVERY_MS;
		if (p->known)
			listener_have_posted(l, (struct block_number){p->newest});
		else
			listener_round_idle(l);
		return;
	}
	p->asked = room > p->step ? from + p->step : from + room / 2;

	struct ticket *t = scope_open(&l->calls, l->env.inflight, l, 0);
	listener_submitted(l, t, t ? ask(l, t, p->asked) : ERR_NOMEM, "findBatchContainingBlock");
}

void listener_find_posted(struct listener *l, struct block_number head)
{
	struct posted *p = &l->posted;

	if (p->known && p->newest > head.v)
		p->known = false; /* taken back after all */
	if (p->known && clock_mono_ms(l->env.clock) < p->due_ms) {
		listener_have_posted(l, (struct block_number){p->newest});
		return;
	}
	p->beyond = head.v + 1;
	p->step = FIRST_STEP;
	search(l);
}
