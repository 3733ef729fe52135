/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Core to core: our protocols (`mpc/protocol.h`) between nodes, over gRPC with mutual TLS
 * (`ddec_networking.gnetworking`, as the published implementation speaks it).
 *
 * One per node: the port for peers, a connection to each of them, the sessions that run. A peer is
 * who its certificate says: signed by the certificate of that party in a context, or it itself; its
 * subject's common name is the party's identity, and is among its subjectAltNames. The sender in a
 * message must be that name.
 *
 *  - A message is sent until its receiver has it, with back-off, over as many connections as that
 *    takes, while the session may need it: until `linger_ms` after its end, or
 *    PEER_SYNC_LINGER_MS if its last round was a synchronous one. Sending twice is harmless. A
 *    peer that begins a session anew (it was restarted) gets ours again.
 *  - A message for a session that has not begun here is kept: so many sessions and bytes of a peer,
 *    for `parked_ms` since the last of the peers joined. One for a session that is over is answered
 *    so, for `completed_ms`.
 *  - What waits for a peer is bounded, and what a peer makes us keep; nobody else's share is used.
 *  - Deadlines are on the loop's monotonic clock.
 *
 * Loop thread only. No function of this header calls back from inside the call.
 */
#ifndef CORE_PEER_NET_H
#define CORE_PEER_NET_H

#include "base/rng.h"
#include "core/mpc_context.h"
#include "mpc/hash.h"
#include "mpc/protocol.h"
#include "net/loop.h"

struct peer_net;

/* Something that an operator should read; one line. `peer`: an identity or an address. */
typedef void peer_note_fn(void *ctx, const char *peer, const char *what);

/* A peer, which is who it says, asks; the answer is appended. Nothing: no answer to this. */
typedef void peer_answer_fn(void *ctx, struct bytes question, struct buf *answer);

struct peer_net_options {
	struct loop *loop;
	struct rng *rng;    /* for jitter and payloads; NULL: rng_system() */
	const char *listen; /* "0.0.0.0:50001"; port 0: any */

	/* PEM. The certificate's common name is our identity in every context. */
	const char *cert_file, *key_file;
	/* Instead of both: no TLS, everybody is who he says. Both ends on loopback only. */
	bool plaintext_loopback;

	/* 0 = the value of base/limits.h (PEER_...) */
	int64_t first_retry_ms, retry_cap_ms; /* between two tries to reach a peer */
	int64_t linger_ms;                    /* after a session's end, for who was away */
	int64_t parked_ms;                    /* a session that does not begin here */
	int64_t completed_ms;                 /* how long its id is known to be over */
	int64_t call_ms;                      /* one try of one message */
	size_t parked_sessions;               /* of one peer */

	peer_note_fn *note; /* may be NULL */
	void *note_ctx;
	peer_answer_fn *answer; /* may be NULL */
	void *answer_ctx;
};

/* Listens when it returns. ERR_CONFIG_* with a note. */
enum err peer_net_new(struct peer_net **ret_net, const struct peer_net_options *options,
		      struct err_note *note) MUST_USE;

/* At once. Runs end without their `done`; what is not delivered is not. */
void peer_net_free(struct peer_net *net);

unsigned peer_net_port(const struct peer_net *net);

/*
 * Our certificate and key from their files again; then everybody proves himself anew, while what
 * is under way ends where it is. On failure all stays as it was. Errors as peer_net_new.
 */
enum err peer_net_reload(struct peer_net *net, struct err_note *note) MUST_USE;
int64_t peer_net_cert_not_after_s(const struct peer_net *net); /* 0 without TLS */

/*
 * New, or instead of the one with its id; copied. Where contexts differ about a party (certificate
 * or place), the one that was set last counts, from the next connection on; those that stand take
 * no new messages. ERR_CONFIG_VALUE with a note: not a committee, a party twice, a certificate that
 * does not decode or is not that party's; ERR_BUSY: PEER_CONTEXTS_MAX are there.
 */
enum err peer_net_context_set(struct peer_net *net, const struct mpc_context *context,
			      struct err_note *note) MUST_USE;

/* Its runs end: ERR_CANCELLED. Unknown ids are fine. */
void peer_net_context_drop(struct peer_net *net, const struct hash32 *context_id);

/* NULL: there is none with this id. Valid until it is set again or dropped. */
const struct mpc_context *peer_net_context(const struct peer_net *net,
					   const struct hash32 *context_id);

/* ---- running a protocol ---- */

struct peer_run;

/*
 * ERR_OK: the protocol is done, its result is the protocol's own. ERR_TIMEOUT: an asynchronous
 * round in which nothing came for idle_timeout_ms. ERR_CANCELLED: the context was dropped. Others:
 * the protocol's. The run is gone. Anything may be done in it, freeing the net too.
 */
typedef void peer_done_fn(void *ctx, enum err e);

struct peer_run_options {
	struct hash32 context_id; /* we are in it */
	struct mpc_session_id session;
	struct mpc_protocol *protocol; /* borrowed until `done` or peer_run_cancel */
	/* The r-th round of a synchronous protocol ends (r + 1) of these after the start. > 0 */
	int64_t round_timeout_ms;
	int64_t idle_timeout_ms; /* > 0 */
	peer_done_fn *done;      /* once, later, unless cancelled */
	void *ctx;
};

/*
 * Begins: the first round is sent, unless `done` comes first. That a session id was used is stored
 * by the caller before. ERR_NOT_FOUND: no such context, or we are not in it. ERR_CONFLICT: this
 * session runs, or is over here and its id is still known. ERR_BUSY: PEER_RUNS_MAX run.
 */
enum err peer_net_run(struct peer_run **ret_run, struct peer_net *net,
		      const struct peer_run_options *options) MUST_USE;

/*
 * A session that is over here may begin anew: its user will say the same again, or nothing was
 * said. Who has finished it sends what it said as long as it lingers there.
 */
void peer_net_forget(struct peer_net *net, const struct mpc_session_id *session);

/*
 * What an earlier process of this node said in the one asynchronous round of a session that is
 * over: it lingers for what is left of linger_ms since the session's end, for who speaks in that
 * session. With `say` it is sent to all at once, which tells them that this process is a new one:
 * they say again what they said in the sessions that run there, and so get all that lingers here.
 */
struct peer_word {
	struct hash32 context_id;
	struct mpc_session_id session;
	uint64_t round;     /* 1 is the first */
	struct bytes value; /* copied */
	int64_t age_ms;     /* since the end; in the order of their end */
	bool say;
};

/* ERR_NOT_FOUND: no such context, or we are not in it. ERR_CONFLICT: it runs or is over here. */
enum err peer_net_linger(struct peer_net *net, const struct peer_word *word) MUST_USE;

/* No `done`. The session's id counts as over. */
void peer_run_cancel(struct peer_run *run);

/* For a status page: the round that runs, and whose word it still waits for. */
uint64_t peer_run_round(const struct peer_run *run);
mpc_set peer_run_silent(const struct peer_run *run);

/* ---- asking whether a peer is there; measuring the way ---- */

struct peer_probe;

struct peer_probe_result {
	unsigned party;      /* in the context */
	enum err err;        /* ERR_OK: it answered. ERR_TIMEOUT, ERR_UNAVAILABLE, ERR_REMOTE */
	char text[96];       /* then why; "" */
	struct bytes answer; /* to the question; valid in the call; none: it has no answers */
	int64_t us;          /* from the call to its answer or failure */
};
typedef void peer_probe_fn(void *ctx, const struct peer_probe_result *result);

/*
 * One HealthCheck with `payload_size` random bytes to one party of a context; the time of the
 * handshake is in it when there is no connection yet. ERR_NOT_FOUND: no such context or party, or
 * it is we; ERR_RANGE: more than PEER_MESSAGE_MAX bytes, or timeout_ms < 1.
 */
struct peer_probe_options {
	struct hash32 context_id;
	unsigned party;
	size_t payload_size;
	struct bytes question; /* instead of random bytes, if not empty; copied */
	int64_t timeout_ms;
	peer_probe_fn *done; /* once, later, unless cancelled */
	void *ctx;
};
enum err peer_net_probe(struct peer_probe **ret_probe, struct peer_net *net,
			const struct peer_probe_options *options) MUST_USE;
void peer_probe_cancel(struct peer_probe *probe);

/* ---- what it does, for metrics ---- */

struct peer_net_counts {
	uint64_t sent, sent_bytes;         /* messages that their receiver took */
	uint64_t retries;                  /* sent again after a failure */
	uint64_t resent;                   /* sent again to a peer that began anew */
	uint64_t received, received_bytes; /* messages that were taken in */
	uint64_t parked, parked_expired;   /* kept for a session to come; thrown away again */
	uint64_t late;                     /* for a session that was over */
	uint64_t refused_malformed, refused_sender, refused_stranger;
	uint64_t refused_limit;    /* a peer had its share of sessions or bytes */
	uint64_t dropped_outgoing; /* the queue for a peer was full, or it never came back */
	uint64_t connections_refused;
	uint64_t runs_done, runs_failed;
	/* now */
	size_t runs, parked_sessions, parked_bytes, queued_bytes, completed;
};
struct peer_net_counts peer_net_counts(const struct peer_net *net);

/* What is known of a peer without asking it. */
struct peer_state {
	const char *identity;
	bool reached;        /* the last try to send it something succeeded */
	int64_t heard_ms;    /* since it last said something; -1: never */
	size_t queued_bytes; /* wait for it */
	unsigned failures;   /* in a row */
};
struct peer_state peer_net_peer(const struct peer_net *net, const struct hash32 *context_id,
				unsigned party);

/* The same in Prometheus' text format, appended; names begin with `prefix`. */
enum err peer_net_metrics_print(struct buf *out, const struct peer_net *net,
				const char *prefix) MUST_USE;

#endif
