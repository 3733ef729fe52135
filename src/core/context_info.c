/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/context_info.h"

#include <stdlib.h>

#include "codec/safe_serialize.h"
#include "core/request_id.h"
#include "net/protobuf.h"

#define NAME "kms::ContextInfo"

enum {
	TEXT_MAX = 2048,
	CERT_MAX = 64 << 10,
	DIGESTS_MAX = 16,
	SIGNERS_MAX = 64,
	NODE_VERSION = 2,
	SCHEME_ECDSA = 0,
};

/* ---- from a message ---- */

static void option_put(struct bincode_writer *w, bool some, struct bytes value)
{
	bincode_put_u8(w, some);
	if (some)
		bincode_put_vec(w, value);
}

static void digest_put(struct bincode_writer *w, uint32_t scheme, struct bytes digest)
{
	bincode_put_u32(w, 0);
	bincode_put_u32(w, scheme);
	bincode_put_vec(w, digest);
}

static bool has_address(const Kms__V1__MpcNode *n)
{
	return n->signer_address_presence_case ==
	       KMS__V1__MPC_NODE__SIGNER_ADDRESS_PRESENCE_SIGNER_ADDRESS;
}

static const Kms__V1__SchemeDigest *digest_find(const Kms__V1__MpcNode *n, int scheme)
{
	for (size_t i = 0; i < n->n_scheme_digests; i++)
		if ((int)n->scheme_digests[i]->scheme == scheme)
			return n->scheme_digests[i];
	return NULL;
}

/* By scheme, each once; the signer's address is that of ECDSA. */
static void digests_put(struct bincode_writer *w, const Kms__V1__MpcNode *n)
{
	const Kms__V1__SchemeDigest *ecdsa = digest_find(n, SCHEME_ECDSA);
	uint64_t count = has_address(n) && !ecdsa;

	for (int scheme = 0; scheme < DIGESTS_MAX; scheme++)
		count += digest_find(n, scheme) != NULL;
	bincode_put_u32(w, 0);
	bincode_put_u64(w, count);
	if (has_address(n) && !ecdsa)
		digest_put(w, SCHEME_ECDSA, protobuf_view(n->signer_address));
	for (int scheme = 0; scheme < DIGESTS_MAX; scheme++)
		if (digest_find(n, scheme))
			digest_put(w, (uint32_t)scheme,
				   protobuf_view(digest_find(n, scheme)->digest));
}

static enum err node_check(const Kms__V1__MpcNode *n, struct err_note *note)
{
	const Kms__V1__SchemeDigest *ecdsa = digest_find(n, SCHEME_ECDSA);

	if (n->party_id < 1)
		return err_say(note, ERR_BAD_REQUEST, "party_id %d, expected a number from 1",
			       (int)n->party_id);
	if (has_address(n) && n->signer_address.len != sizeof(struct address))
		return err_say(note, ERR_BAD_REQUEST, "signer_address has %zu bytes, not 20",
			       n->signer_address.len);
	if (has_address(n) && ecdsa &&
	    !bytes_eq_var(protobuf_view(ecdsa->digest), protobuf_view(n->signer_address)))
		return err_say(note, ERR_BAD_REQUEST,
			       "signer_address and the digest of the ECDSA key differ");
	for (size_t i = 0; i < n->n_extra_signer_addresses; i++)
		if (n->extra_signer_addresses[i].len != sizeof(struct address))
			return err_say(note, ERR_BAD_REQUEST,
				       "extra_signer_addresses[%zu] has %zu bytes, not 20", i,
				       n->extra_signer_addresses[i].len);
	for (size_t i = 0; i < n->n_scheme_digests; i++)
		if (digest_find(n, (int)n->scheme_digests[i]->scheme) != n->scheme_digests[i] ||
		    (unsigned)n->scheme_digests[i]->scheme >= DIGESTS_MAX)
			return err_say(note, ERR_BAD_REQUEST,
				       "scheme_digests[%zu]: expected each scheme once", i);
	return ERR_OK;
}

static void node_put(struct bincode_writer *w, const Kms__V1__MpcNode *n)
{
	bool prefix = n->public_storage_prefix_presence_case ==
		      KMS__V1__MPC_NODE__PUBLIC_STORAGE_PREFIX_PRESENCE_PUBLIC_STORAGE_PREFIX;

	bincode_put_u32(w, NODE_VERSION);
	bincode_put_str(w, n->mpc_identity);
	bincode_put_u32(w, (uint32_t)n->party_id);
	bincode_put_str(w, n->external_url);
	option_put(w, n->ca_cert_presence_case == KMS__V1__MPC_NODE__CA_CERT_PRESENCE_CA_CERT,
		   protobuf_view(n->ca_cert));
	bincode_put_str(w, n->public_storage_url);
	option_put(w, prefix, prefix ? bytes_str(n->public_storage_prefix) : BYTES_NONE);
	bincode_put_u64(w, n->n_extra_signer_addresses);
	for (size_t i = 0; i < n->n_extra_signer_addresses; i++)
		bincode_put_vec(w, protobuf_view(n->extra_signer_addresses[i]));
	digests_put(w, n);
}

static void pcr_put(struct bincode_writer *w, const Kms__V1__PcrValues *p)
{
	bincode_put_u32(w, 0);
	bincode_put_vec(w, protobuf_view(p->pcr0));
	bincode_put_vec(w, protobuf_view(p->pcr1));
	bincode_put_vec(w, protobuf_view(p->pcr2));
}

/* "v1.2.3-tag": what is missing is 0. */
static enum err version_put(struct bincode_writer *w, const char *text, struct err_note *note)
{
	uint32_t number[3] = {0};
	const char *at = text;

	at += strncmp(at, "v.", 2) == 0 ? 2 : *at == 'v';
	for (unsigned i = 0; i < 3; i++) {
		char *end;
		unsigned long v = strtoul(at, &end, 10);

		if (end == at || *at < '0' || *at > '9' || v > UINT32_MAX)
			return err_say(note, ERR_BAD_REQUEST,
				       "software_version is not one like 1.2.3");
		number[i] = (uint32_t)v;
		at = end;
		if (*at != '.')
			break;
		at++;
	}
	if (*at != '\0' && *at != '-')
		return err_say(note, ERR_BAD_REQUEST, "software_version is not one like 1.2.3");
	bincode_put_u32(w, 0);
	for (unsigned i = 0; i < 3; i++)
		bincode_put_u32(w, number[i]);
	option_put(w, *at == '-', *at == '-' ? bytes_str(at + 1) : BYTES_NONE);
	return ERR_OK;
}

enum err context_info_write(struct buf *out, const Kms__V1__MpcContext *m, struct err_note *note)
{
	struct bincode_writer w = {.out = out};
	struct hash32 id;

	if (!m->context_id || request_id_parse(&id, bytes_str(m->context_id->request_id)) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST,
			       "context_id is not an identifier of 64 hexadecimal digits");
	if (m->threshold < 1)
		return err_say(note, ERR_BAD_REQUEST, "threshold %d, expected at least 1",
			       (int)m->threshold);
	safe_serialize_begin(&w, NAME);
	bincode_put_u32(&w, 0);
	bincode_put_u64(&w, m->n_mpc_nodes);
	for (size_t i = 0; i < m->n_mpc_nodes; i++) {
		enum err e = node_check(m->mpc_nodes[i], note);

		if (e != ERR_OK)
			return err_prefix(note, e, "mpc_nodes[%zu]", i);
		node_put(&w, m->mpc_nodes[i]);
	}
	bincode_put_raw(&w, BYTES_OF(id.b));
	TRY(version_put(&w, m->software_version, note));
	bincode_put_u32(&w, (uint32_t)m->threshold);
	bincode_put_u64(&w, m->n_pcr_values);
	for (size_t i = 0; i < m->n_pcr_values; i++)
		pcr_put(&w, m->pcr_values[i]);
	return bincode_end(&w);
}

/* ---- out of the vault ---- */

static bool text_copy(char *to, size_t size, struct bytes text)
{
	if (text.n == 0 || text.n >= size || memchr(text.p, 0, text.n))
		return false;
	memcpy(to, text.p, text.n);
	to[text.n] = '\0';
	return true;
}

/* "https://host:port" and what may follow. */
static bool place_read(struct mpc_context_party *p, struct bytes url)
{
	char text[TEXT_MAX + 1], *host, *port, *end;
	unsigned long n;

	if (!text_copy(text, sizeof(text), url))
		return false;
	host = strstr(text, "://");
	host = host ? host + 3 : NULL;
	if (!host)
		return false;
	host[strcspn(host, "/?#")] = '\0';
	port = strrchr(host, ':');
	if (!port)
		return false;
	*port++ = '\0';
	n = strtoul(port, &end, 10);
	if (end == port || *end != '\0' || n < 1 || n > 65535)
		return false;
	if (host[0] == '[' && host[strlen(host) - 1] == ']') { /* an IPv6 address */
		host[strlen(host) - 1] = '\0';
		host++;
	}
	p->port = (unsigned)n;
	return text_copy(p->host, sizeof(p->host), bytes_str(host));
}

static void digests_read(struct mpc_context_party *p, struct reader *r)
{
	bincode_expect_u32(r, 0);

	uint64_t n = bincode_len(r, DIGESTS_MAX);

	for (uint64_t i = 0; i < n; i++) {
		bincode_expect_u32(r, 0);

		uint32_t scheme = bincode_tag(r, DIGESTS_MAX);
		struct bytes digest = bincode_vec(r, TEXT_MAX);

		if (scheme == SCHEME_ECDSA && digest.n == sizeof(p->signer.b))
			memcpy(p->signer.b, digest.p, digest.n);
	}
}

static enum err node_read(struct mpc_context *c, struct reader *r, struct err_note *note)
{
	struct mpc_context_party p = {.ca_pem = buf_make(CERT_MAX)};
	struct bytes identity, url, cert = BYTES_NONE;
	uint64_t signers;
	uint32_t party;
	enum err e;

	bincode_expect_u32(r, NODE_VERSION);
	identity = bincode_vec(r, TEXT_MAX);
	party = reader_u32le(r);
	url = bincode_vec(r, TEXT_MAX);
	if (bincode_option(r))
		cert = bincode_vec(r, CERT_MAX);
	(void)bincode_vec(r, TEXT_MAX);
	if (bincode_option(r))
		(void)bincode_vec(r, TEXT_MAX);
	signers = bincode_len(r, SIGNERS_MAX);
	for (uint64_t i = 0; i < signers; i++)
		(void)bincode_vec(r, sizeof(struct address));
	digests_read(&p, r);
	TRY(r->err);
	if (party < 1 || party > c->n || c->party[party - 1].port != 0)
		return err_say(note, ERR_BAD_REQUEST,
			       "party_id %u, expected each number from 1 to %u once", party, c->n);
	if (!text_copy(p.identity, sizeof(p.identity), identity) ||
	    mpc_context_find(c, p.identity) != 0)
		return err_say(note, ERR_BAD_REQUEST, "mpc_identity of party %u, expected its own",
			       party);
	if (!place_read(&p, url))
		return err_say(note, ERR_BAD_REQUEST,
			       "external_url of party %u, expected one with host and port", party);
	e = buf_add(&p.ca_pem, cert);
	if (e == ERR_OK)
		c->party[party - 1] = p;
	return e;
}

static enum err rest_read(struct mpc_context *c, struct reader *r, struct err_note *note)
{
	struct bytes id = reader_bytes(r, sizeof(c->id.b));
	struct mpc_group g = {.me = 1};

	if (id.n == sizeof(c->id.b))
		memcpy(c->id.b, id.p, id.n);
	bincode_expect_u32(r, 0);
	for (unsigned i = 0; i < 3; i++)
		(void)reader_u32le(r);
	if (bincode_option(r))
		(void)bincode_vec(r, TEXT_MAX);
	c->threshold = reader_u32le(r);

	uint64_t pcrs = bincode_len(r, 1024);

	TRY(r->err);
	if (pcrs > 0)
		return err_say(note, ERR_STATE_MOVED,
			       "the context asks its nodes to attest what they run (pcr_values), "
			       "and this node cannot");
	TRY(reader_end(r));
	g.n = c->n;
	g.t = c->threshold;
	if (c->n != 3 * c->threshold + 1 || mpc_group_check(&g, NULL) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST,
			       "%u nodes with threshold %u, expected 3 * threshold + 1", c->n,
			       c->threshold);
	return ERR_OK;
}

static enum err context_read(struct mpc_context *c, struct reader *r, struct err_note *note)
{
	uint64_t n;

	bincode_expect_u32(r, 0);
	n = bincode_len(r, 1024);
	TRY(r->err);
	if (n > MPC_PARTIES_MAX)
		return err_say(note, ERR_BAD_REQUEST, "%llu nodes, at most %d are served",
			       (unsigned long long)n, MPC_PARTIES_MAX);
	c->n = (unsigned)n;
	for (unsigned i = 0; i < c->n; i++)
		TRY(node_read(c, r, note));
	return rest_read(c, r, note);
}

enum err context_info_read(struct mpc_context *ret, struct bytes object, struct address signer,
			   struct err_note *note)
{
	static const char *const names[] = {NAME, NULL};
	struct reader r = reader_of(object);
	struct mpc_context c = {0};
	size_t index;
	enum err e;

	TRY(safe_serialize_open(&r, names, &index, note));
	e = context_read(&c, &r, note);
	if (e != ERR_OK) {
		mpc_context_clear(&c);
		return note && note->text[0] ? e : err_say(note, e, "not a ContextInfo");
	}
	for (unsigned i = 0; i < c.n; i++)
		if (address_eq(c.party[i].signer, signer))
			c.me = i + 1;
	*ret = c;
	return ERR_OK;
}
