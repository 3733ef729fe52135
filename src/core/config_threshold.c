/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/config_threshold.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/config.h"
#include "base/limits.h"
#include "core/request_id.h"
#include "eth/text.h"

enum {
	PEER_PEM_MAX = 64 << 10
};

bool config_is_address(const char *address, bool *ret_v6, bool *ret_loopback)
{
	struct in6_addr v6;
	struct in_addr v4;

	*ret_v6 = inet_pton(AF_INET6, address, &v6) == 1;
	if (*ret_v6)
		*ret_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
	else if (inet_pton(AF_INET, address, &v4) == 1)
		*ret_loopback = ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	else
		return false;
	return true;
}

static bool is_here(const char *host)
{
	bool v6, loopback;

	if (strcmp(host, "localhost") == 0)
		return true;
	return config_is_address(host, &v6, &loopback) && loopback;
}

/* ---- the list of peers ---- */

struct peers {
	struct threshold_config *c;
	struct arena *arena;
	struct err_note *note;
	size_t at;
};

static enum err refuse(const struct peers *p, const char *key, const char *expected)
{
	return err_say(p->note, ERR_CONFIG_VALUE, "[%zu].%s: expected %s", p->at, key, expected);
}

/* NULL stays NULL: not given. */
static enum err text_read(char **ret_text, const struct peers *p, const json_t *o, const char *key,
			  const char *name, size_t max)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		return ERR_OK;
	if (!json_is_string(v) || json_string_length(v) == 0 || json_string_length(v) > max)
		return refuse(p, name, "text, not too long");
	*ret_text =
		arena_strndup(p->arena, bytes_from(json_string_value(v), json_string_length(v)));
	return *ret_text ? ERR_OK : ERR_NOMEM;
}

static enum err number_read(uint64_t *ret_number, const struct peers *p, const json_t *o,
			    const char *key, uint64_t max)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 1 ||
	    (uint64_t)json_integer_value(v) > max)
		return refuse(p, key, max == 65535 ? "a port" : "the number of a party, from 1");
	*ret_number = (uint64_t)json_integer_value(v);
	return ERR_OK;
}

static enum err cert_read(struct threshold_peer *peer, const struct peers *p, const json_t *o)
{
	const json_t *cert = json_object_get(o, "tls_cert");

	if (!cert)
		return ERR_OK;
	if (!json_is_object(cert) || json_object_size(cert) != 1)
		return refuse(p, "tls_cert", "either path or pem");
	TRY(text_read(&peer->cert_path, p, cert, "path", "tls_cert.path", 1024));
	TRY(text_read(&peer->cert_pem, p, cert, "pem", "tls_cert.pem", PEER_PEM_MAX));
	return peer->cert_path || peer->cert_pem ? ERR_OK
						 : refuse(p, "tls_cert", "either path or pem");
}

static enum err peer_read(const struct peers *p, const json_t *o)
{
	static const char *const keys[] = {"party_id", "address",  "mpc_identity",
					   "port",     "tls_cert", "verification_address"};
	struct threshold_peer peer = {0};
	size_t known = 0;

	if (!json_is_object(o))
		return refuse(p, "party_id", "a table");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		known += json_object_get(o, keys[i]) != NULL;
	if (known != json_object_size(o))
		return refuse(p, "*", "no other keys than those of a peer");
	TRY(number_read(&peer.party_id, p, o, "party_id", p->c->peers_n));
	TRY(number_read(&peer.port, p, o, "port", 65535));
	TRY(text_read(&peer.address, p, o, "address", "address", MPC_NAME_SIZE - 1));
	if (!peer.address)
		return refuse(p, "address", "a host");
	peer.identity = peer.address;
	TRY(text_read(&peer.identity, p, o, "mpc_identity", "mpc_identity", MPC_NAME_SIZE - 1));
	TRY(text_read(&peer.signer, p, o, "verification_address", "verification_address", 64));
	TRY(cert_read(&peer, p, o));
	if (p->c->peers[peer.party_id - 1].party_id != 0)
		return refuse(p, "party_id", "each number once");
	p->c->peers[peer.party_id - 1] = peer;
	return ERR_OK;
}

enum err threshold_peers_read(struct threshold_config *c, struct arena *arena,
			      struct err_note *note)
{
	CLEANUP(json_free_ptr) json_t *list = c->peers_json;
	struct peers p = {.c = c, .arena = arena, .note = note};

	c->peers_json = NULL;
	if (!list)
		return ERR_OK;
	if (!json_is_array(list) || json_array_size(list) > MPC_PARTIES_MAX)
		return err_say(note, ERR_CONFIG_VALUE, "expected a list of tables");
	c->peers_n = json_array_size(list);
	for (p.at = 0; p.at < c->peers_n; p.at++)
		TRY(peer_read(&p, json_array_get(list, p.at)));
	return ERR_OK;
}

/* ---- checks ---- */

/* What stands there without the key that makes a committee of it. */
static const char *stray(const struct threshold_config *c)
{
	return c->listen_address ? "threshold.listen_address"
	       : c->peers_n > 0  ? "threshold.peers"
	       : c->my_id        ? "threshold.my_id"
	       : c->cert         ? "threshold.tls.manual.cert.path"
	       : c->key          ? "threshold.tls.manual.key.path"
	       : c->auto_json    ? "threshold.tls.auto"
	       : c->listen_port  ? "threshold.listen_port"
				 : NULL;
}

/* Everybody is who he says: nobody else may reach the ports. */
static enum err plaintext_check(const struct threshold_config *c, const char **ret_path,
				struct err_note *note)
{
	*ret_path = "threshold.plaintext_loopback";
	if (!c->plaintext_loopback)
		return err_say(note, ERR_CONFIG_VALUE,
			       "found no [threshold.tls.manual] either, expected one of them: the "
			       "certificate tells who a node is");
	if (!is_here(c->listen_address))
		return err_say(note, ERR_CONFIG_VALUE,
			       "found true beside listen_address = \"%.60s\", expected a loopback "
			       "address",
			       c->listen_address);
	for (size_t i = 0; i < c->peers_n; i++)
		if (!is_here(c->peers[i].address))
			return err_say(note, ERR_CONFIG_VALUE,
				       "found true, and party %zu at \"%.60s\", expected loopback "
				       "addresses only",
				       i + 1, c->peers[i].address);
	return ERR_OK;
}

static enum err tls_check(const struct threshold_config *c, const char **ret_path,
			  struct err_note *note)
{
	*ret_path = "threshold.tls.auto";
	if (c->auto_json)
		return err_say(note, ERR_CONFIG_VALUE,
			       "this node cannot attest what it runs; expected [threshold.tls."
			       "manual]");
	*ret_path = "threshold.tls.manual.key.pem";
	if (c->key_pem || c->cert_pem)
		return err_say(
			note, ERR_CONFIG_VALUE,
			"found PEM text, expected cert.path and key.path: a private key does "
			"not stand in a configuration");
	*ret_path = c->cert ? "threshold.tls.manual.cert.path" : "threshold.tls.manual.key.path";
	if (!c->cert != !c->key)
		return err_say(note, ERR_CONFIG_VALUE,
			       "found one of cert.path and key.path, expected both");
	if (!c->cert)
		return plaintext_check(c, ret_path, note);
	if (c->plaintext_loopback)
		return err_say(note, ERR_CONFIG_VALUE,
			       "found beside plaintext_loopback = true, expected one of them");
	*ret_path = "threshold.peers";
	for (size_t i = 0; i < c->peers_n; i++)
		if (!c->peers[i].cert_path && !c->peers[i].cert_pem)
			return err_say(note, ERR_CONFIG_VALUE,
				       "party %zu has no tls_cert, expected it beside "
				       "[threshold.tls.manual]",
				       i + 1);
	return ERR_OK;
}

static enum err peers_check(const struct threshold_config *c, const char **ret_path,
			    struct err_note *note)
{
	*ret_path = "threshold.peers";
	if (c->peers_n == 0)
		return ERR_OK;
	if (c->peers_n != 3 * c->threshold + 1)
		return err_say(note, ERR_CONFIG_VALUE,
			       "found %zu nodes, expected 3 * threshold + 1 = %llu", c->peers_n,
			       (unsigned long long)(3 * c->threshold + 1));
	for (size_t i = 0; i < c->peers_n; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(c->peers[i].identity, c->peers[j].identity) == 0)
				return err_say(note, ERR_CONFIG_VALUE,
					       "parties %zu and %zu have the same mpc_identity, "
					       "expected each once",
					       j + 1, i + 1);
	*ret_path = "threshold.my_id";
	if (c->my_id == 0 || c->my_id > c->peers_n)
		return err_say(note, ERR_CONFIG_VALUE,
			       "found %llu, expected this node's party_id among the peers",
			       (unsigned long long)c->my_id);
	return ERR_OK;
}

enum err threshold_config_check(const struct threshold_config *c, const char **ret_path,
				struct err_note *note)
{
	bool v6, loopback;

	if (!c->given && stray(c)) {
		*ret_path = stray(c);
		return err_say(note, ERR_CONFIG_VALUE,
			       "found without threshold.threshold, expected that beside it");
	}
	if (!c->given)
		return ERR_OK;
	*ret_path = "threshold.listen_address";
	if (!c->listen_address || !config_is_address(c->listen_address, &v6, &loopback))
		return err_say(note, ERR_CONFIG_VALUE, "found \"%.60s\", expected an IP address",
			       c->listen_address ? c->listen_address : "");
	*ret_path = "threshold.decryption_mode";
	if (strcmp(c->decryption_mode, "BitDecSmall") == 0)
		return err_say(note, ERR_CONFIG_VALUE,
			       "found BitDecSmall, expected NoiseFloodSmall: ciphertexts that are "
			       "not squashed are not served");
	if (strcmp(c->decryption_mode, "NoiseFloodSmall") != 0)
		return err_say(note, ERR_CONFIG_VALUE, "found \"%.40s\", expected NoiseFloodSmall",
			       c->decryption_mode);
	TRY(tls_check(c, ret_path, note));
	return peers_check(c, ret_path, note);
}

/* ---- what it means ---- */

static enum err party_fill(struct mpc_context_party *to, const struct threshold_peer *from,
			   struct err_note *note)
{
	(void)snprintf(to->identity, sizeof(to->identity), "%s", from->identity);
	(void)snprintf(to->host, sizeof(to->host), "%s", from->address);
	to->port = (unsigned)from->port;
	to->ca_pem = buf_make(PEER_PEM_MAX);
	if (from->signer && address_parse_checksum(&to->signer, bytes_str(from->signer)) != ERR_OK)
		return err_say(note, ERR_CONFIG_VALUE,
			       "threshold.peers: verification_address of %.60s is not an EIP-55 "
			       "address",
			       from->identity);
	if (from->cert_path)
		return config_read_file(&to->ca_pem, from->cert_path, note);
	if (from->cert_pem)
		return buf_add(&to->ca_pem, bytes_str(from->cert_pem));
	return ERR_OK;
}

enum err threshold_config_context(struct mpc_context *ret, const struct threshold_config *c,
				  struct err_note *note)
{
	struct mpc_context x = {
		.id = request_id_default_context,
		.threshold = (unsigned)c->threshold,
		.me = (unsigned)c->my_id,
		.n = (unsigned)c->peers_n,
	};
	enum err e = ERR_OK;

	for (size_t i = 0; i < c->peers_n && e == ERR_OK; i++)
		e = party_fill(&x.party[i], &c->peers[i], note);
	if (e != ERR_OK) {
		mpc_context_clear(&x);
		return e;
	}
	*ret = x;
	return ERR_OK;
}

enum err threshold_config_listen(struct buf *out, const struct threshold_config *c)
{
	bool v6, loopback;

	if (!config_is_address(c->listen_address, &v6, &loopback))
		return ERR_CONFIG_VALUE;
	return buf_addf(out, v6 ? "[%s]:%llu" : "%s:%llu", c->listen_address,
			(unsigned long long)c->listen_port);
}
