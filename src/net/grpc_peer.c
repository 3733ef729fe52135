/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/grpc_server_internal.h"

/* Who has an IPv6 address has 2^64 of them: its network is the peer. */
static void address_v6(char ret_name[TLS_NAME_SIZE], struct in6_addr a)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (IN6_IS_ADDR_V4MAPPED(&a)) {
		(void)inet_ntop(AF_INET, &a.s6_addr[12], ret_name, TLS_NAME_SIZE);
	} else if (IN6_IS_ADDR_LOOPBACK(&a)) {
		(void)inet_ntop(AF_INET6, &a, ret_name, TLS_NAME_SIZE);
	} else {
		memset(&a.s6_addr[8], 0, 8);
		(void)inet_ntop(AF_INET6, &a, text, sizeof(text));
		(void)snprintf(ret_name, TLS_NAME_SIZE, "%s/64", text);
	}
}

void grpc_peer_address(char ret_name[TLS_NAME_SIZE], const struct sockaddr *sa)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&v4, sa, sizeof(v4));
		(void)inet_ntop(AF_INET, &v4.sin_addr, ret_name, TLS_NAME_SIZE);
		break;
	case AF_INET6:
		memcpy(&v6, sa, sizeof(v6));
		address_v6(ret_name, v6.sin6_addr);
		break;
	default:
		(void)snprintf(ret_name, TLS_NAME_SIZE, "unknown");
		break;
	}
}

void grpc_peer_unix(char ret_name[TLS_NAME_SIZE], int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && n == sizeof(who))
		(void)snprintf(ret_name, TLS_NAME_SIZE, "unix:%u", (unsigned)who.uid);
	else
		(void)snprintf(ret_name, TLS_NAME_SIZE, "unix");
}

static void peer_free_if_unused(struct grpc_peer_entry *p)
{
	struct grpc_peer_entry **at = &p->server->peers;

	if (p->connections > 0 || p->calls > 0)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free(p);
}

/* Few: bounded by connections and held calls. */
struct grpc_peer_entry *grpc_peer_connected(struct grpc_server *s, const char *name,
					    bool authenticated)
{
	struct grpc_peer_entry *p = s->peers;

	while (p && (p->authenticated != authenticated || strcmp(p->name, name) != 0))
		p = p->next;
	if (p && p->connections >= s->limits.peer_connections)
		return NULL;
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		p->server = s;
		p->authenticated = authenticated;
		(void)snprintf(p->name, sizeof(p->name), "%s", name);
		p->next = s->peers;
		s->peers = p;
	}
	p->connections++;
	return p;
}

void grpc_peer_disconnected(struct grpc_peer_entry *p)
{
	p->connections--;
	peer_free_if_unused(p);
}

bool grpc_peer_call_begins(struct grpc_peer_entry *p)
{
	return ++p->calls <= p->server->limits.peer_calls;
}

void grpc_peer_call_ends(struct grpc_peer_entry *p)
{
	p->calls--;
	peer_free_if_unused(p);
}

static size_t room(size_t max, size_t used)
{
	return used < max ? max - used : 0;
}

size_t grpc_peer_room(const struct grpc_peer_entry *p)
{
	const struct grpc_server *s = p->server;
	size_t of_peer = room(s->limits.peer_in_flight_bytes, p->in_flight);
	size_t of_all = room(s->limits.in_flight_bytes, s->in_flight);

	return of_peer < of_all ? of_peer : of_all;
}

void grpc_peer_charge(struct grpc_peer_entry *p, size_t n)
{
	p->in_flight += n;
	p->server->in_flight += n;
}

void grpc_peer_discharge(struct grpc_peer_entry *p, size_t n)
{
	p->in_flight -= n;
	p->server->in_flight -= n;
}
