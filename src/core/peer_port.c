/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What peers ask of us. The status codes are those of the published implementation. */
#include <stdio.h>

#include "core/peer_internal.h"

/* Who called: the name in the tag must be the certificate's, and a party of some context. */
static struct peer *peer_of(struct peer_net *net, struct grpc_call *call, const char *sender)
{
	struct grpc_peer who = grpc_call_peer(call);
	char text[TLS_NAME_SIZE + 64];
	struct peer *p;

	if (net->tls && (!who.authenticated || strcmp(who.name, sender) != 0)) {
		net->counts.refused_sender++;
		(void)snprintf(text, sizeof(text), "says that it is \"%.80s\"", sender);
		peer_say(net, who.name, text);
		grpc_call_fail(call, GRPC_UNAUTHENTICATED,
			       "the sender is not who the certificate names");
		return NULL;
	}
	p = peer_find(net, sender);
	if (!p) {
		net->counts.refused_stranger++;
		grpc_call_fail(call, GRPC_NOT_FOUND, "no party of a context here");
		return NULL;
	}
	peer_out_heard(p);
	if (who.since_ms > p->since_ms) {
		p->since_ms = who.since_ms;
		peer_runs_again(p, who.since_ms);
	}
	return p;
}

static void malformed(struct peer_net *net, struct grpc_call *call)
{
	net->counts.refused_malformed++;
	grpc_call_fail(call, GRPC_ABORTED, "the tag does not decode");
}

static enum err deliver(enum peer_status *ret, struct peer_net *net, struct peer *from,
			const struct peer_message *m, int64_t since_ms)
{
	struct peer_node *node = peer_table_find(&net->runs, &m->session);

	if (node)
		return peer_run_receive(ret, CONTAINER_OF(node, struct peer_run, node), from, m,
					since_ms);
	if (peer_is_completed(net, &m->session)) {
		net->counts.late++;
		*ret = PEER_COMPLETED;
		return ERR_OK;
	}
	TRY(peer_park(net, from, m));
	*ret = PEER_INACTIVE;
	return ERR_OK;
}

static void on_send_value(void *ctx, struct grpc_call *call)
{
	struct peer_net *net = ctx;
	struct bytes request = grpc_call_request(call);
	enum peer_status status = PEER_ACTIVE;
	struct peer_message m;
	struct peer *from;
	enum err e;

	if (peer_wire_read(&m, request) != ERR_OK) {
		malformed(net, call);
		return;
	}
	from = peer_of(net, call, m.sender);
	if (!from)
		return;
	e = deliver(&status, net, from, &m, grpc_call_peer(call).since_ms);
	if (e == ERR_OK) {
		net->counts.received++;
		net->counts.received_bytes += request.n;
		grpc_call_reply(call, peer_wire_status(status));
	} else if (e == ERR_NOT_FOUND) {
		net->counts.refused_stranger++;
		grpc_call_fail(call, GRPC_NOT_FOUND, "the sender is not in this session");
	} else {
		net->counts.refused_limit++;
		grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED,
			       "too much is kept for this sender already");
	}
}

static void on_health(void *ctx, struct grpc_call *call)
{
	struct peer_net *net = ctx;
	CLEANUP(buf_free) struct buf answer = buf_make(PEER_ANSWER_MAX);
	CLEANUP(buf_free) struct buf reply = buf_make(PEER_ANSWER_MAX + PEER_WIRE_EXTRA);
	struct bytes question;
	char sender[MPC_NAME_SIZE];

	if (peer_wire_read_health(sender, &question, grpc_call_request(call)) != ERR_OK) {
		malformed(net, call);
		return;
	}
	if (!peer_of(net, call, sender))
		return;
	if (net->opt.answer)
		net->opt.answer(net->opt.answer_ctx, question, &answer);
	if (peer_wire_write_answer(&reply, buf_view(&answer)) == ERR_OK)
		grpc_call_reply(call, buf_view(&reply));
	else
		grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
}

static void on_refused(void *ctx, const char *peer, const char *why)
{
	struct peer_net *net = ctx;

	net->counts.connections_refused++;
	peer_say(net, peer, why);
}

enum err peer_port_open(struct peer_net *net, const char *listen, struct err_note *note)
{
	static const struct grpc_method METHODS[] = {
		{PEER_PATH_SEND, on_send_value, PEER_MESSAGE_MAX + PEER_WIRE_EXTRA},
		{PEER_PATH_HEALTH, on_health, PEER_MESSAGE_MAX + PEER_WIRE_EXTRA},
	};
	const struct grpc_server_options options = {
		.listen = listen,
		.methods = METHODS,
		.methods_n = ARRAY_LEN(METHODS),
		.ctx = net,
		.tls = net->tls,
		.refused = on_refused,
		/* Everybody has a share of his own: nobody's fills anybody else's. */
		.limits = {.peer_in_flight_bytes = PEER_IN_FLIGHT_BYTES_MAX,
			   .in_flight_bytes = (size_t)MPC_PARTIES_MAX * PEER_IN_FLIGHT_BYTES_MAX},

	};

	return grpc_server_new(&net->server, net->loop, &options, note);
}
