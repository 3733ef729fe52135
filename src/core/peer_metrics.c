/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the transport between nodes does, for people. */
#include "core/peer_internal.h"

static size_t queued_bytes(const struct peer *p)
{
	size_t n = 0;

	for (size_t i = 0; i < OUT_STATES; i++)
		n += i == OUT_KEPT ? 0 : p->out[i].bytes;
	return n;
}

struct peer_net_counts peer_net_counts(const struct peer_net *net)
{
	struct peer_net_counts c = net->counts;

	c.runs = net->active.n;
	c.parked_sessions = net->parked.n;
	c.completed = net->completed.n;
	c.queued_bytes = 0;
	for (const struct peer *p = net->peers; p; p = p->next)
		c.queued_bytes += queued_bytes(p);
	return c;
}

struct peer_state peer_net_peer(const struct peer_net *net, const struct hash32 *context_id,
				unsigned party)
{
	const struct mpc_context *c = peer_context_find(net, context_id);
	const struct peer *p = net->peers;

	if (!c || party < 1 || party > c->n)
		return (struct peer_state){.identity = "", .heard_ms = -1};
	while (p && strcmp(p->identity, c->party[party - 1].identity) != 0)
		p = p->next;
	if (!p)
		return (struct peer_state){.identity = c->party[party - 1].identity,
					   .heard_ms = -1};
	return (struct peer_state){
		.identity = c->party[party - 1].identity,
		.reached = p->reached,
		.heard_ms = p->heard_ms < 0 ? -1 : clock_mono_ms(net->clock) - p->heard_ms,
		.queued_bytes = queued_bytes(p),
		.failures = p->failures,
	};
}

struct row {
	const char *name, *type, *help;
	uint64_t value;
};

static enum err rows_print(struct buf *out, const char *prefix, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		TRY(buf_addf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n%s%s %llu\n", prefix,
			     rows[i].name, rows[i].help, prefix, rows[i].name, rows[i].type, prefix,
			     rows[i].name, (unsigned long long)rows[i].value));
	return ERR_OK;
}

static enum err totals_print(struct buf *out, const struct peer_net *net, const char *prefix)
{
	const struct peer_net_counts c = peer_net_counts(net);
	const struct row rows[] = {
		{"peer_sent_total", "counter", "Messages that a peer took.", c.sent},
		{"peer_sent_bytes_total", "counter", "Their bytes.", c.sent_bytes},
		{"peer_retries_total", "counter", "Tries to send a message that failed.",
		 c.retries},
		{"peer_resent_total", "counter",
		 "Messages sent again because the peer may have lost them.", c.resent},
		{"peer_received_total", "counter", "Messages of peers that were taken in.",
		 c.received},
		{"peer_received_bytes_total", "counter", "Their bytes.", c.received_bytes},
		{"peer_parked_total", "counter", "Messages kept for a session not begun here.",
		 c.parked},
		{"peer_parked_expired_total", "counter",
		 "Sessions that never began here, with what was kept for them.", c.parked_expired},
		{"peer_late_total", "counter", "Messages for a session that was over.", c.late},
		{"peer_dropped_total", "counter", "Messages of ours that a peer never got.",
		 c.dropped_outgoing},
		{"peer_connections_refused_total", "counter",
		 "Connections of peers turned away or ended for a fault.", c.connections_refused},
		{"peer_runs_done_total", "counter", "Protocols that ended well.", c.runs_done},
		{"peer_runs_failed_total", "counter", "Protocols that ended otherwise.",
		 c.runs_failed},
		{"peer_runs", "gauge", "Protocols that run.", c.runs},
		{"peer_parked_sessions", "gauge", "Sessions not begun here with messages kept.",
		 c.parked_sessions},
		{"peer_parked_bytes", "gauge", "Bytes kept for sessions and rounds to come.",
		 c.parked_bytes},
		{"peer_queued_bytes", "gauge", "Bytes that wait for peers.", c.queued_bytes},
		{"peer_completed_sessions", "gauge", "Sessions known to be over.", c.completed},
	};

	return rows_print(out, prefix, rows, ARRAY_LEN(rows));
}

static enum err refused_print(struct buf *out, const struct peer_net *net, const char *prefix)
{
	const struct {
		const char *why;
		uint64_t value;
	} rows[] = {
		{"malformed", net->counts.refused_malformed},
		{"sender", net->counts.refused_sender},
		{"stranger", net->counts.refused_stranger},
		{"limit", net->counts.refused_limit},
	};

	TRY(buf_addf(out, "# HELP %speer_refused_total Messages of peers that were not taken.\n",
		     prefix));
	TRY(buf_addf(out, "# TYPE %speer_refused_total counter\n", prefix));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		TRY(buf_addf(out, "%speer_refused_total{why=\"%s\"} %llu\n", prefix, rows[i].why,
			     (unsigned long long)rows[i].value));
	return ERR_OK;
}

/* Identities are plain text without quotes that Prometheus would mind (tls_identity_is_sound lets
 * '"' and '\' through: they are left out). */
static enum err label_add(struct buf *out, const char *identity)
{
	for (; *identity; identity++)
		if (*identity != '"' && *identity != '\\')
			TRY(buf_add_u8(out, (uint8_t)*identity));
	return ERR_OK;
}

static enum err peers_print(struct buf *out, const struct peer_net *net, const char *prefix)
{
	TRY(buf_addf(out,
		     "# HELP %speer_reached Did the last try to send to it succeed?\n"
		     "# TYPE %speer_reached gauge\n",
		     prefix, prefix));
	for (const struct peer *p = net->peers; p; p = p->next) {
		TRY(buf_addf(out, "%speer_reached{peer=\"", prefix));
		TRY(label_add(out, p->identity));
		TRY(buf_addf(out, "\"} %d\n", p->reached ? 1 : 0));
	}
	return ERR_OK;
}

enum err peer_net_metrics_print(struct buf *out, const struct peer_net *net, const char *prefix)
{
	TRY(totals_print(out, net, prefix));
	TRY(refused_print(out, net, prefix));
	return peers_print(out, net, prefix);
}
