/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* Committees of real nodes over real sockets: protocols run to their end, also when somebody is
 * late, absent or new; and the time is kept. */
#include "base/limits.h"
#include "core/opening.h"
#include "mpc/wire.h"
#include "peer_world.h"

#include <stdio.h>
#include <stdlib.h>

static int setup_four(void **state)
{
	static struct world w;

	w = (struct world){0};
	world_make(&w, 4, 1);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* ---- all well ---- */

static void test_opening(void **state)
{
	struct world *w = *state;

	for (unsigned p = 1; p <= 4; p++)
		world_open(w, p, world_session(1), true);
	world_wait(w, 20000);
	for (unsigned p = 1; p <= 4; p++) {
		struct peer_net_counts c = world_counts(w, p);

		assert_true(world_opened(w, p));
		assert_int_equal(c.runs_done, 1);
		assert_int_equal(c.received, 3);
		assert_int_equal(c.refused_malformed + c.refused_sender + c.refused_stranger +
					 c.refused_limit,
				 0);
		assert_int_equal(c.dropped_outgoing, 0);
		assert_int_equal(c.connections_refused, 0);
	}
}

static void test_many_sessions_at_once(void **state)
{
	struct world *w = *state;

	for (uint8_t i = 0; i < 50; i++) {
		for (unsigned p = 1; p <= 4; p++)
			world_open(w, 1 + (p + i) % 4, world_session((uint8_t)(100 + i)), false);
		world_wait(w, 20000);
		for (unsigned p = 1; p <= 4; p++)
			assert_true(world_opened(w, p));
	}
	assert_int_equal(world_counts(w, 1).runs_done, 50);
}

static void test_prss_of_four(void **state)
{
	struct world *w = *state;

	for (unsigned p = 1; p <= 4; p++)
		world_prss(w, p, world_session(2), 5, 20000);
	world_wait(w, 60000);
	world_check_keys(w, 0xf);
}

static void prss_of(unsigned n, unsigned t)
{
	static struct world w;

	w = (struct world){0};
	world_make(&w, n, t);
	for (unsigned p = 1; p <= n; p++)
		world_prss(&w, p, world_session(3), 6, 60000);
	world_wait(&w, 300000);
	world_check_keys(&w, (mpc_set)((1u << n) - 1));
	for (unsigned p = 1; p <= n; p++)
		assert_int_equal(world_counts(&w, p).dropped_outgoing, 0);
	world_free(&w);
}

/* Thirteen echo three gigabytes to each other: on demand. */
static void test_prss_of_more(void **state)
{
	(void)state;
	if (getenv("PEER_LONG"))
		prss_of(13, 4);
	else
		prss_of(7, 2);
}

static void test_opening_of_thirteen(void **state)
{
	static struct world w;

	(void)state;
	w = (struct world){0};
	world_make(&w, 13, 4);
	for (uint8_t i = 1; i <= 5; i++) {
		for (unsigned p = 1; p <= 13; p++)
			world_open(&w, p, world_session(i), false);
		world_wait(&w, 60000);
		for (unsigned p = 1; p <= 13; p++)
			assert_true(world_opened(&w, p));
	}
	world_free(&w);
}

static void test_plain_text(void **state)
{
	static struct world w;

	(void)state;
	w = (struct world){.options = {.plaintext_loopback = true}};
	world_make(&w, 4, 1);
	for (unsigned p = 1; p <= 4; p++)
		world_open(&w, p, world_session(4), false);
	world_wait(&w, 20000);
	for (unsigned p = 1; p <= 4; p++)
		assert_true(world_opened(&w, p));
	world_free(&w);
}

static void test_plain_text_is_local(void **state)
{
	struct peer_net_options o = {.listen = "0.0.0.0:0", .plaintext_loopback = true};
	struct world *w = *state;
	struct err_note note = {0};
	struct peer_net *net;

	o.loop = w->loop;
	assert_int_equal(peer_net_new(&net, &o, &note), ERR_CONFIG_VALUE);
	assert_non_null(strstr(note.text, "loopback"));
}

/* ---- late and absent ---- */

/* Two begin, and their words for the others are kept; whoever begins later finds them. */
static void test_parked(void **state)
{
	struct world *w = *state;

	world_open(w, 1, world_session(5), false);
	world_open(w, 2, world_session(5), false);
	for (int i = 0; i < 1000 && world_counts(w, 3).parked + world_counts(w, 4).parked < 4; i++)
		run_for(w->loop, 5);
	assert_int_equal(world_counts(w, 3).parked_sessions, 1);
	assert_int_equal(world_counts(w, 3).parked, 2);
	assert_true(world_counts(w, 3).parked_bytes > 0);
	assert_non_null(w->node[0].run);
	assert_int_equal(peer_run_silent(w->node[0].run), 0xc);

	world_open(w, 3, world_session(5), false);
	world_wait(w, 20000);
	world_open(w, 4, world_session(5), false);
	world_wait(w, 20000);
	for (unsigned p = 1; p <= 4; p++)
		assert_true(world_opened(w, p));
	assert_int_equal(world_counts(w, 3).parked_sessions + world_counts(w, 3).parked_bytes, 0);
	assert_int_equal(world_counts(w, 4).parked_sessions + world_counts(w, 4).parked_bytes, 0);
}

static void test_parked_expires(void **state)
{
	struct world *w = *state;

	world_node_stop(w, 3);
	w->options.parked_ms = 50;
	world_node_start(w, 3);
	world_open(w, 1, world_session(6), false);
	for (int i = 0; i < 2000 && world_counts(w, 3).parked_expired == 0; i++)
		run_for(w->loop, 5);
	assert_int_equal(world_counts(w, 3).parked_expired, 1);
	assert_int_equal(world_counts(w, 3).parked_sessions + world_counts(w, 3).parked_bytes, 0);
	peer_run_cancel(w->node[0].run);
	w->node[0].run = NULL;
}

/*
 * A liar speaks of a session long before it is one: its word must not take the others' along when
 * its time is up.
 */
static void test_parked_by_a_liar_first(void **state)
{
	struct world *w = *state;
	struct world_client liar;
	int64_t begin_ms;

	world_node_stop(w, 3);
	world_node_stop(w, 4);
	w->options.parked_ms = 3000;
	world_node_start(w, 3);
	world_client_make(&liar, w, "p4.test", 3);
	world_client_say(&liar, "p4.test", world_session(11), 1, BYTES_LIT("early"));
	world_client_wait(&liar);
	begin_ms = clock_mono_ms(loop_clock(w->loop));
	run_for(w->loop, 2000);
	world_open(w, 1, world_session(11), false);
	world_open(w, 2, world_session(11), false);
	while (clock_mono_ms(loop_clock(w->loop)) < begin_ms + 3200)
		run_for(w->loop, 20);
	assert_int_equal(world_counts(w, 3).parked_sessions, 1);
	assert_int_equal(world_counts(w, 3).parked_expired, 0);
	world_open(w, 3, world_session(11), false);
	world_wait(w, 20000);
	for (unsigned p = 1; p <= 3; p++)
		assert_true(world_opened(w, p));
	world_client_free(&liar);
}

/* What was thrown away because it came too early is had again. */
static void test_parked_expires_and_begins(void **state)
{
	struct world *w = *state;
	uint64_t parked;

	world_node_stop(w, 3);
	world_node_stop(w, 4);
	w->options.parked_ms = 50;
	world_node_start(w, 3);
	/* Its connections to the others are older than what follows. */
	for (unsigned p = 1; p <= 3; p++)
		world_open(w, p, world_session(13), false);
	world_wait(w, 20000);
	parked = world_counts(w, 3).parked;
	world_open(w, 1, world_session(12), false);
	world_open(w, 2, world_session(12), false);
	for (int i = 0; i < 2000 && world_counts(w, 3).parked < parked + 2; i++)
		run_for(w->loop, 5);
	for (int i = 0; i < 2000 && world_counts(w, 3).parked_sessions > 0; i++)
		run_for(w->loop, 5);
	assert_true(world_counts(w, 3).parked_expired > 0);
	world_open(w, 3, world_session(12), false);
	world_wait(w, 20000);
	for (unsigned p = 1; p <= 3; p++)
		assert_true(world_opened(w, p));
	assert_true(world_counts(w, 1).resent + world_counts(w, 2).resent >= 2);
}

/* One is not there at all: the others do not notice; when it comes it gets everything. */
static void test_absent_one_catches_up(void **state)
{
	struct world *w = *state;

	world_node_stop(w, 4);
	for (unsigned p = 1; p <= 3; p++)
		world_open(w, p, world_session(7), false);
	world_wait(w, 20000);
	assert_true(world_counts(w, 1).queued_bytes > 0);
	assert_false(peer_net_peer(w->node[0].net, &w->context.id, 4).reached);
	world_node_start(w, 4);
	world_open(w, 4, world_session(7), false);
	world_wait(w, 20000);
	for (unsigned p = 1; p <= 4; p++)
		assert_true(world_opened(w, p));
}

static enum err linger(const struct world *w, unsigned party, struct mpc_session_id id,
		       int64_t age_ms, bool say)
{
	CLEANUP(buf_free) struct buf value = buf_make(mpc_wire_rings_size(WORLD_SECRETS));
	struct peer_word word = {.context_id = w->context.id,
				 .session = id,
				 .round = 1,
				 .age_ms = age_ms,
				 .say = say};

	assert_int_equal(mpc_wire_put_rings(&value, w->shares[party - 1], WORLD_SECRETS), ERR_OK);
	word.value = buf_view(&value);
	return peer_net_linger(w->node[party - 1].net, &word);
}

/* Three have finished it in a process that is gone, and the fourth begins after that, or before:
 * its word is here already when theirs comes back. */
static void test_words_of_an_earlier_process(void **state)
{
	struct world *w = *state;
	struct peer_word nowhere = {.context_id = {{9}}, .session = world_session(9), .round = 1};

	for (unsigned p = 1; p <= 3; p++)
		assert_int_equal(linger(w, p, world_session(1), 1000, false), ERR_OK);
	run_for(w->loop, 100);
	assert_int_equal(world_counts(w, 1).sent, 0); /* nobody has asked for it */
	world_open(w, 4, world_session(1), false);
	world_wait(w, 20000);
	assert_true(world_opened(w, 4));

	world_open(w, 4, world_session(2), false);
	for (unsigned p = 1; p <= 3; p++)
		for (int i = 0; i < 2000 && world_counts(w, p).parked_sessions == 0; i++)
			run_for(w->loop, 5);
	for (unsigned p = 1; p <= 3; p++)
		assert_int_equal(world_counts(w, p).parked_sessions, 1);
	for (unsigned p = 1; p <= 3; p++)
		assert_int_equal(linger(w, p, world_session(2), 0, false), ERR_OK);
	world_wait(w, 20000);
	assert_true(world_opened(w, 4));
	for (unsigned p = 1; p <= 4; p++)
		assert_int_equal(world_counts(w, p).parked_sessions, 0);

	assert_int_equal(linger(w, 1, world_session(2), 0, false), ERR_CONFLICT);
	assert_int_equal(linger(w, 4, world_session(2), 0, false), ERR_CONFLICT);
	assert_int_equal(peer_net_linger(w->node[0].net, &nowhere), ERR_NOT_FOUND);
}

/* They had the word of the fourth, and were killed before it had theirs. One word of another
 * session tells it that they are new. */
static void test_word_that_tells_all(void **state)
{
	struct world *w = *state;

	world_open(w, 4, world_session(1), false);
	for (int i = 0; i < 2000 && world_counts(w, 4).sent < 3; i++)
		run_for(w->loop, 5);
	assert_int_equal(world_counts(w, 4).sent, 3);
	for (unsigned p = 1; p <= 3; p++)
		world_node_stop(w, p);
	run_for(w->loop, 50);
	for (unsigned p = 1; p <= 3; p++) {
		world_node_start(w, p);
		assert_int_equal(linger(w, p, world_session(1), 0, false), ERR_OK);
		assert_int_equal(linger(w, p, world_session(2), 0, true), ERR_OK);
	}
	world_wait(w, 20000);
	assert_true(world_opened(w, 4));
	assert_true(world_counts(w, 4).resent >= 2);
}

static void test_words_that_are_damaged(void **state)
{
	struct world *w = *state;
	struct opening_words words = {.context_id = w->context.id, .n = 1};

	assert_int_equal(opening_words_linger(w->node[0].net, &words), ERR_TRUNCATED);
	words.words = BYTES_LIT("\4\0\0\0wor");
	assert_int_equal(opening_words_linger(w->node[0].net, &words), ERR_TRUNCATED);
	words.words = BYTES_LIT("\4\0\0\0word, and more");
	assert_int_equal(opening_words_linger(w->node[0].net, &words), ERR_MALFORMED);
	words.id.b[0] = 1;
	words.words = BYTES_LIT("\4\0\0\0word");
	assert_int_equal(opening_words_linger(w->node[0].net, &words), ERR_OK);
	assert_int_equal(opening_words_linger(w->node[0].net, &words), ERR_CONFLICT);
}

/* Not for longer than if the process had lived. */
static void test_words_that_are_too_old(void **state)
{
	struct world *w = *state;

	assert_int_equal(linger(w, 1, world_session(1), PEER_LINGER_MS, true), ERR_OK);
	assert_int_equal(world_counts(w, 1).queued_bytes, 0);
	run_for(w->loop, 200);
	assert_int_equal(world_counts(w, 1).sent, 0);
	/* It is over all the same. */
	assert_int_equal(linger(w, 1, world_session(1), 0, true), ERR_CONFLICT);
	peer_net_forget(w->node[0].net, &(struct mpc_session_id){{1, 1, 2, 3}});
	assert_int_equal(linger(w, 1, world_session(1), 0, true), ERR_OK);
	assert_true(world_counts(w, 1).queued_bytes > 0);
}

/* Synchronous: the round ends without it. */
static void test_deadline(void **state)
{
	struct world *w = *state;

	world_node_stop(w, 4);
	for (unsigned p = 1; p <= 3; p++)
		world_prss(w, p, world_session(8), 9, 1500);
	world_wait(w, 60000);
	world_check_keys(w, 0x7);
}

static void on_ended(void *ctx, enum err e)
{
	*(enum err *)ctx = e;
}

static void test_idle_and_drop(void **state)
{
	struct world *w = *state;
	struct mpc_open_task task = {.group = {4, 1, 1}};
	enum err ended[2] = {ERR_OK, ERR_OK};
	struct peer_run_options o = {
		.context_id = w->context.id,
		.session = world_session(9),
		.round_timeout_ms = 1000,
		.idle_timeout_ms = 50,
		.done = on_ended,
		.ctx = &ended[0],
	};
	struct mpc_open *open[2];
	struct peer_run *run;

	mpc_open_to(&task, 0xf, w->shares[0], WORLD_SECRETS);
	assert_int_equal(mpc_open_new(&open[0], &task), ERR_OK);
	assert_int_equal(mpc_open_new(&open[1], &task), ERR_OK);
	o.protocol = mpc_open_protocol(open[0]);
	assert_int_equal(peer_net_run(&run, w->node[0].net, &o), ERR_OK);
	for (int i = 0; i < 1000 && ended[0] == ERR_OK; i++)
		run_for(w->loop, 5);
	assert_int_equal(ended[0], ERR_TIMEOUT);
	assert_int_equal(peer_net_run(&run, w->node[0].net, &o), ERR_CONFLICT);

	o.session = world_session(10);
	o.protocol = mpc_open_protocol(open[1]);
	o.idle_timeout_ms = 60000;
	o.ctx = &ended[1];
	assert_int_equal(peer_net_run(&run, w->node[0].net, &o), ERR_OK);
	assert_int_equal(peer_net_run(&run, w->node[0].net, &o), ERR_CONFLICT);
	peer_net_context_drop(w->node[0].net, &w->context.id);
	assert_int_equal(ended[1], ERR_OK); /* later */
	run_for(w->loop, 20);
	assert_int_equal(ended[1], ERR_CANCELLED);
	assert_int_equal(peer_net_run(&run, w->node[0].net, &o), ERR_NOT_FOUND);
	assert_null(peer_net_context(w->node[0].net, &w->context.id));
	assert_int_equal(world_counts(w, 1).runs_failed, 2);
	mpc_open_free(open[0]);
	mpc_open_free(open[1]);
}

/* Chatter about a session that has too few nodes is no reason to wait longer for them. */
static void test_chatter_does_not_keep_waiting(void **state)
{
	struct world *w = *state;
	struct mpc_open_task task = {.group = {4, 1, 1}};
	enum err ended = ERR_OK;
	struct peer_run_options o = {
		.context_id = w->context.id,
		.session = world_session(12),
		.round_timeout_ms = 1000,
		.idle_timeout_ms = 1500,
		.done = on_ended,
		.ctx = &ended,
	};
	struct world_client c;
	struct mpc_open *open;
	struct peer_run *run;

	world_node_stop(w, 4);
	world_client_make(&c, w, "p4.test", 1);
	mpc_open_to(&task, 0xf, w->shares[0], WORLD_SECRETS);
	assert_int_equal(mpc_open_new(&open, &task), ERR_OK);
	o.protocol = mpc_open_protocol(open);
	assert_int_equal(peer_net_run(&run, w->node[0].net, &o), ERR_OK);
	for (uint64_t i = 0; i < 1000 && ended == ERR_OK; i++) {
		world_client_say(&c, "p4.test", o.session, i % 40, BYTES_LIT("and another thing"));
		world_client_wait(&c);
		run_for(w->loop, 10);
	}
	assert_int_equal(ended, ERR_TIMEOUT);
	mpc_open_free(open);
	world_client_free(&c);
}

/* ---- asking ---- */

static void on_probe(void *ctx, const struct peer_probe_result *result)
{
	struct world *w = ctx;

	w->probe = *result;
	loop_stop(w->loop);
}

static void test_probe(void **state)
{
	struct world *w = *state;
	struct peer_probe_options o = {.context_id = w->context.id,
				       .party = 2,
				       .payload_size = 1 << 20,
				       .timeout_ms = 20000,
				       .done = on_probe,
				       .ctx = w};
	struct peer_probe *probe;

	assert_int_equal(peer_net_probe(&probe, w->node[0].net, &o), ERR_OK);
	run_guarded(w->loop, 20000);
	assert_int_equal(w->probe.err, ERR_OK);
	assert_int_equal(w->probe.party, 2);
	assert_true(w->probe.us > 0);
	assert_true(peer_net_peer(w->node[1].net, &w->context.id, 1).heard_ms >= 0);

	world_node_stop(w, 2);
	assert_int_equal(peer_net_probe(&probe, w->node[0].net, &o), ERR_OK);
	run_guarded(w->loop, 20000);
	assert_int_equal(w->probe.err, ERR_UNAVAILABLE);
	assert_true(w->probe.text[0] != '\0');

	assert_int_equal(peer_net_probe(&probe, w->node[0].net, &o), ERR_OK);
	peer_probe_cancel(probe);
	assert_int_equal(peer_net_probe(&probe, w->node[0].net, &o), ERR_OK);
	peer_net_context_drop(w->node[0].net, &w->context.id);
	run_guarded(w->loop, 20000);
	assert_int_equal(w->probe.err, ERR_UNAVAILABLE);
	o.party = 1;
	assert_int_equal(peer_net_probe(&probe, w->node[0].net, &o), ERR_NOT_FOUND);
}

static void test_metrics(void **state)
{
	struct buf out = buf_make(1 << 16);
	struct world *w = *state;
	const char *text;

	for (unsigned p = 1; p <= 4; p++)
		world_open(w, p, world_session(11), true);
	world_wait(w, 20000);
	for (int i = 0; i < 2000 && world_counts(w, 1).sent < 3;
	     i++) /* it may hear before it is told */
		run_for(w->loop, 5);
	assert_int_equal(peer_net_metrics_print(&out, w->node[0].net, "kms_"), ERR_OK);
	assert_int_equal(buf_cstr(&out, &text), ERR_OK);
	assert_non_null(strstr(text, "\nkms_peer_received_total 3\n"));
	assert_non_null(strstr(text, "\nkms_peer_refused_total{why=\"sender\"} 0\n"));
	assert_non_null(strstr(text, "\nkms_peer_reached{peer=\"p2.test\"} 1\n"));
	buf_free(&out);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, setup_four, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_opening),
		WORLD_TEST(test_many_sessions_at_once),
		WORLD_TEST(test_prss_of_four),
		cmocka_unit_test(test_prss_of_more),
		cmocka_unit_test(test_opening_of_thirteen),
		cmocka_unit_test(test_plain_text),
		WORLD_TEST(test_plain_text_is_local),
		WORLD_TEST(test_parked),
		WORLD_TEST(test_parked_expires),
		WORLD_TEST(test_parked_by_a_liar_first),
		WORLD_TEST(test_parked_expires_and_begins),
		WORLD_TEST(test_absent_one_catches_up),
		WORLD_TEST(test_words_of_an_earlier_process),
		WORLD_TEST(test_word_that_tells_all),
		WORLD_TEST(test_words_that_are_damaged),
		WORLD_TEST(test_words_that_are_too_old),
		WORLD_TEST(test_deadline),
		WORLD_TEST(test_idle_and_drop),
		WORLD_TEST(test_chatter_does_not_keep_waiting),
		WORLD_TEST(test_probe),
		WORLD_TEST(test_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
