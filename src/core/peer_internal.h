/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside of the transport between nodes: peer_net.c has the whole and its contexts, peer_port.c
 * what comes in, peer_out.c what goes out to one peer, peer_run.c the sessions that run,
 * peer_sessions.c those that do not run yet or any more, peer_probe.c the asking. Nobody else
 * includes this.
 */
#ifndef CORE_PEER_INTERNAL_H
#define CORE_PEER_INTERNAL_H

#include "base/limits.h"
#include "core/peer_net.h"
#include "core/peer_table.h"
#include "core/peer_wire.h"
#include "mpc/session.h"
#include "net/channel.h"
#include "net/grpc_server.h"
#include "net/tls.h"

/* ---- what goes out ---- */

/* Which list of its peer a message is in. */
enum out_state {
	OUT_WAITING, /* to be sent */
	OUT_SPARE,   /* to be sent, but its session is over */
	OUT_DELAYED, /* the peer is there and would not have it now: later again */
	OUT_FLYING,  /* a call has it */
	OUT_KEPT,    /* delivered; kept in case the peer begins anew */
	OUT_STATES
};

/* A gRPC message, of one word to all: kept once, however many peers it goes to. */
struct peer_body {
	unsigned users;
	uint64_t round;
	size_t value_n; /* stands at the end of it */
	struct buf b;
};

struct peer_out {
	struct peer_out *next, *prev;
	struct peer_out *next_of_run; /* of the same run to the same peer */
	struct peer *peer;
	struct peer_run *run;
	unsigned party;
	enum out_state state;
	bool keep; /* after delivery: who begins an asynchronous round anew may need it */
	struct peer_body *body;
	int64_t attempts; /* that the peer answered with an error */
	int64_t due_ms;   /* OUT_DELAYED */
	int64_t sent_ms;  /* the last time; the peer had it later, if at all */
	bool again;       /* OUT_FLYING: once more after that */
	struct rpc_ticket ticket;
};

struct out_list {
	struct peer_out *first, *last;
	size_t n, bytes;
};

/* One remote party, in however many contexts it is. */
struct peer {
	struct peer_net *net;
	struct peer *next;
	char identity[MPC_NAME_SIZE];
	char host[MPC_NAME_SIZE];
	unsigned port;
	struct buf ca_pem;
	bool wanted; /* by some context; for context_set alone */
	struct channel *channel;

	struct out_list out[OUT_STATES];
	unsigned failures; /* to reach it, in a row */
	int64_t retry_ms;  /* no try before */
	struct timer timer;
	bool reached;
	bool lost;        /* words of it were thrown away before their session began here */
	int64_t heard_ms; /* -1: never */
	int64_t since_ms; /* its newest connection to us */

	size_t parked_sessions; /* not begun here, with messages of this peer */
	size_t parked_bytes;    /* in them, and for rounds to come of those that run */
};

/* ---- what runs ---- */

struct peer_run {
	struct peer_node node;
	struct peer_run *next, *prev; /* among those that run, or in the order of their end */
	struct peer_net *net;
	struct hash32 context_id;
	struct mpc_group group;
	struct peer *party[MPC_PARTIES_MAX]; /* NULL: ourselves */
	struct mpc_session *session;         /* NULL: over */
	struct mpc_protocol *protocol;
	int64_t round_timeout_ms, idle_timeout_ms;
	peer_done_fn *done;
	void *ctx;
	enum err err;
	bool synchronous; /* over: its last round was */
	int64_t start_ms, heard_ms, over_ms;
	struct timer timer; /* of the round; then for `done` */
	size_t parked[MPC_PARTIES_MAX];
	struct peer_out *out[MPC_PARTIES_MAX];
	size_t outs_n;
};

struct run_list {
	struct peer_run *first, *last;
	size_t n;
};

/* ---- the whole ---- */

struct parked_session;
struct completed;
struct peer_probe;

struct peer_net {
	struct loop *loop;
	struct clock *clock;
	struct rng *rng;
	struct peer_net_options opt; /* no zeros; strings not owned: do not use */
	struct tls *tls;             /* NULL: plain text */
	struct grpc_server *server;
	struct peer *peers;
	struct mpc_context context[PEER_CONTEXTS_MAX]; /* the last was set last */
	size_t contexts_n;

	struct peer_table runs; /* also those that are over and linger */
	struct run_list active, over;
	struct timer linger;
	struct timer quiet;
	struct peer_table parked;
	struct parked_session *parked_first, *parked_last; /* by age */
	struct timer parked_timer;
	struct peer_table completed;
	struct completed *completed_first, *completed_last; /* by age */
	struct peer_probe *probes;
	struct peer_net_counts counts;
};

static inline int64_t peer_now_ms(struct peer_net *net)
{
	return clock_mono_ms(net->clock);
}

/* peer_net.c */
struct peer *peer_find(struct peer_net *net, const char *identity);
const struct mpc_context *peer_context_find(const struct peer_net *net, const struct hash32 *id);
void peer_say(struct peer_net *net, const char *peer, const char *what);
/* Our name towards the peers of this context. */
const char *peer_own_identity(const struct mpc_context *c);

/* peer_port.c */
enum err peer_port_open(struct peer_net *net, const char *listen, struct err_note *note) MUST_USE;

/* peer_out.c */
enum err peer_out_add(struct peer_run *run, unsigned party, const char *sender, uint64_t round,
		      struct bytes value, bool keep) MUST_USE;
/* As if the peer had it from an earlier process; peer_out_run_over must follow. */
enum err peer_out_keep(struct peer_run *run, unsigned party, const char *sender, uint64_t round,
		       struct bytes value) MUST_USE;
void peer_out_run_over(struct peer_run *run); /* what waits may still be sent, after the rest */
void peer_out_drop(struct peer_run *run, unsigned party);
void peer_out_drop_all(struct peer_run *run);
/* The peer's connection was made at since_ms: what it had before, it may have lost. */
void peer_out_again(struct peer_run *run, unsigned party, int64_t since_ms);
void peer_out_heard(struct peer *p); /* it lives: no reason to wait */
void peer_out_pump(struct peer *p);
void peer_out_ground(struct peer *p); /* takes back what is flying: the channel goes */

/* peer_run.c */
/* A message for a run: how it is answered, or ERR_BUSY, ERR_NOT_FOUND (not in this session). */
enum err peer_run_receive(enum peer_status *ret, struct peer_run *run, struct peer *from,
			  const struct peer_message *m, int64_t since_ms) MUST_USE;
/* It has a new connection, maybe a new process: it gets our words again in all that runs. */
void peer_runs_again(struct peer *from, int64_t since_ms);
/* Of this context: those that run end with ERR_CANCELLED, nothing more is sent. */
void peer_runs_stop(struct peer_net *net, const struct hash32 *context_id);
void peer_runs_free(struct peer_net *net);

/* peer_sessions.c */
enum err peer_park(struct peer_net *net, struct peer *from, const struct peer_message *m) MUST_USE;
/* Each to fn, in the order of arrival; then they are gone. */
typedef enum err peer_parked_fn(void *ctx, struct peer *from, uint64_t round, struct bytes value);
enum err peer_unpark(struct peer_net *net, const struct mpc_session_id *id, peer_parked_fn *fn,
		     void *ctx) MUST_USE;
void peer_parked_forget(struct peer_net *net, const struct peer *from); /* NULL: all */
void peer_completed_add(struct peer_net *net, const struct mpc_session_id *id);
void peer_completed_remove(struct peer_net *net, const struct mpc_session_id *id);
bool peer_is_completed(struct peer_net *net, const struct mpc_session_id *id);
void peer_completed_free(struct peer_net *net);

/* peer_probe.c */
void peer_probes_cancel(struct peer_net *net, const struct peer *p); /* NULL: all, silently */

#endif
