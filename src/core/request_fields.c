/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/request_fields.h"

#include "base/limits.h"
#include "core/request_id.h"
#include "eth/text.h"
#include "net/protobuf.h"

/* extra_data: a version byte, then the context, then the epoch. */
enum {
	EXTRA_V0_SIZE = 1,
	EXTRA_V1_SIZE = 1 + 32,
	EXTRA_V2_SIZE = 1 + 32 + 32,
};

enum err field_id(struct hash32 *ret_id, const Kms__V1__RequestId *id, const char *field,
		  struct err_note *note)
{
	if (!id)
		return err_say(note, ERR_BAD_REQUEST, "%s is missing", field);
	if (request_id_parse(ret_id, bytes_str(id->request_id)) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST,
			       "%s is not an identifier of 64 hexadecimal digits", field);
	return ERR_OK;
}

enum err field_where(struct request_where *ret_where, const Kms__V1__RequestId *context_id,
		     const Kms__V1__RequestId *epoch_id, struct err_note *note)
{
	struct request_where where = {request_id_default_context, request_id_default_epoch};

	if (context_id)
		TRY(field_id(&where.context_id, context_id, "context_id", note));
	if (epoch_id)
		TRY(field_id(&where.epoch_id, epoch_id, "epoch_id", note));
	*ret_where = where;
	return ERR_OK;
}

static enum err committee_where_known(const struct request_where *where, const struct committees *c,
				      struct err_note *note)
{
	const struct committee_epoch *e = committees_epoch(c, where->epoch_id);

	if (!committees_context(c, where->context_id))
		return err_say(note, ERR_NOT_FOUND, "context_id is not known to this node");
	if (!e || !hash32_eq(e->context_id, where->context_id))
		return err_say(note, ERR_NOT_FOUND, "epoch_id is not known to this node");
	if (!committees_prss(e))
		return err_say(note, ERR_NOT_READY, "the set-up of this epoch is under way");
	return ERR_OK;
}

enum err field_where_known(const struct request_where *where, const struct key_ring *keys,
			   struct err_note *note)
{
	if (keys->committee)
		return committee_where_known(where, keys->committee, note);
	if (!hash32_eq(where->context_id, request_id_default_context))
		return err_say(note, ERR_NOT_FOUND, "context_id is not known to this node");
	if (!key_ring_has_epoch(keys, where->epoch_id))
		return err_say(note, ERR_NOT_FOUND, "epoch_id is not known to this node");
	return ERR_OK;
}

enum err field_domain(struct eip712_domain *ret_domain, const Kms__V1__Eip712DomainMsg *d,
		      struct err_note *note)
{
	struct eip712_domain domain = {0};

	if (!d)
		return err_say(note, ERR_BAD_REQUEST, "domain is missing");
	domain.name = bytes_str(d->name);
	domain.version = bytes_str(d->version);
	if (domain.name.n > CORE_DOMAIN_TEXT_MAX || domain.version.n > CORE_DOMAIN_TEXT_MAX)
		return err_say(note, ERR_BAD_REQUEST,
			       "domain.name or domain.version is longer than %d bytes",
			       CORE_DOMAIN_TEXT_MAX);
	if (d->chain_id.len == 0 ||
	    u256_from_bytes_be(&domain.chain_id, protobuf_view(d->chain_id)) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST, "domain.chain_id has %zu bytes, not 1 to 32",
			       d->chain_id.len);
	if (address_parse_checksum(&domain.verifying_contract, bytes_str(d->verifying_contract)) !=
	    ERR_OK)
		return err_say(note, ERR_BAD_REQUEST,
			       "domain.verifying_contract is not an EIP-55 address");
	if (d->salt_presence_case == KMS__V1__EIP712_DOMAIN_MSG__SALT_PRESENCE_SALT) {
		if (d->salt.len != sizeof(domain.salt.b))
			return err_say(note, ERR_BAD_REQUEST, "domain.salt has %zu bytes, not 32",
				       d->salt.len);
		memcpy(domain.salt.b, d->salt.data, sizeof(domain.salt.b));
		domain.has_salt = true;
	}
	*ret_domain = domain;
	return ERR_OK;
}

void field_domain_put(struct bincode_writer *w, const struct eip712_domain *d)
{
	uint8_t chain_id[32];

	u256_to_be(chain_id, d->chain_id);
	bincode_put_vec(w, d->name);
	bincode_put_vec(w, d->version);
	bincode_put_raw(w, BYTES_OF(chain_id));
	bincode_put_raw(w, BYTES_OF(d->verifying_contract.b));
	bincode_put_u8(w, d->has_salt);
	bincode_put_raw(w, BYTES_OF(d->salt.b));
}

enum err field_extra_data(struct bytes *ret_extra, ProtobufCBinaryData field, struct err_note *note)
{
	if (field.len > CORE_EXTRA_DATA_MAX)
		return err_say(note, ERR_BAD_REQUEST, "extra_data has more than %d bytes",
			       CORE_EXTRA_DATA_MAX);
	*ret_extra = protobuf_view(field);
	return ERR_OK;
}

enum err field_schemes(bool *ret_wants_ecdsa, const Kms__V1__SigningSchemeType *schemes, size_t n,
		       struct err_note *note)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned)schemes[i] > KMS__V1__SIGNING_SCHEME_TYPE__MLDSA87)
			return err_say(note, ERR_BAD_REQUEST,
				       "signing_schemes has the unknown number %d",
				       (int)schemes[i]);
	for (size_t i = 0; i < n; i++)
		if (schemes[i] != KMS__V1__SIGNING_SCHEME_TYPE__ECDSA256K1)
			return err_say(note, ERR_UNSUPPORTED,
				       "this node signs with ECDSA256K1 only");
	*ret_wants_ecdsa = n > 0;
	return ERR_OK;
}

/* Upstream signs the bytes whatever they say, and so must we: the client's contract checks them. */
bool extra_data_fits(struct bytes extra_data, const struct request_where *where)
{
	struct reader in = reader_of(extra_data);
	uint8_t version = reader_u8(&in);

	if (extra_data.n == 0 || (version == 0 && extra_data.n == EXTRA_V0_SIZE))
		return true;
	if (!(version == 1 && extra_data.n == EXTRA_V1_SIZE) &&
	    !(version == 2 && extra_data.n == EXTRA_V2_SIZE))
		return false;
	if (!bytes_eq_var(reader_bytes(&in, 32), BYTES_OF(where->context_id.b)))
		return false;
	return version == 1 || bytes_eq_var(reader_bytes(&in, 32), BYTES_OF(where->epoch_id.b));
}
