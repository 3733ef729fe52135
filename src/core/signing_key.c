/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "core/signing_key.h"

#include "codec/safe_serialize.h"
#include "core/request_id.h"
#include "eth/text.h"

enum {
	OBJECT_SIZE_MAX = 512
};

static const char private_type[] = "SigningKey";

static enum err key_complete(struct signing_key *k, const struct ecdsa *ecdsa)
{
	CLEANUP(secret32_wipe) struct secret32 scalar = signing_key_scalar(k);

	k->ecdsa = ecdsa;
	TRY(ecdsa_key_check(ecdsa, &scalar));
	TRY(ecdsa_public_key(ecdsa, &k->public_key, &scalar));
	return ecdsa_address(ecdsa, &k->address, &scalar);
}

enum err signing_key_generate(struct signing_key *ret_key, const struct ecdsa *ecdsa,
			      struct rng *rng)
{
	CLEANUP(signing_key_free) struct signing_key k = {0};
	enum err e;

	TRY(secret_alloc(&k.key, sizeof(struct secret32)));
	do {
		rng_fill(rng, k.key.p, k.key.n);
		e = key_complete(&k, ecdsa);
	} while (e == ERR_BAD_REQUEST); /* not below the group order: once in 2^128 */
	TRY(e);
	*ret_key = k;
	k = (struct signing_key){0};
	return ERR_OK;
}

enum err signing_key_load(struct signing_key *ret_key, const struct ecdsa *ecdsa,
			  const struct vault *private_vault, struct err_note *note)
{
	static const char *const names[] = {"PrivateSigKey", NULL};
	const struct vault_name name = {.type = private_type, .id = request_id_signing_key};
	CLEANUP(secret_free) struct secret object = {0};
	CLEANUP(signing_key_free) struct signing_key k = {0};
	size_t index;

	TRY(vault_read_secret(&object, private_vault, &name, note));

	struct reader r = reader_of(secret_view(&object));

	if (safe_serialize_open(&r, names, &index, note) != ERR_OK)
		return err_prefix(note, ERR_CORRUPT, "the signing key of the private vault");
	bincode_expect_u32(&r, 0);

	struct bytes scalar = bincode_vec(&r, sizeof(struct secret32));

	if (reader_end(&r) != ERR_OK || scalar.n != sizeof(struct secret32))
		return err_say(note, ERR_CORRUPT,
			       "the signing key of the private vault is no PrivateSigKey");
	TRY(secret_copy(&k.key, scalar));

	enum err e = key_complete(&k, ecdsa);

	if (e == ERR_BAD_REQUEST)
		return err_say(note, ERR_CORRUPT,
			       "the signing key of the private vault is no secp256k1 key");
	TRY(e);
	*ret_key = k;
	k = (struct signing_key){0};
	return ERR_OK;
}

void signing_key_free(struct signing_key *k)
{
	if (!k)
		return;
	secret_free(&k->key);
	*k = (struct signing_key){0};
}

struct secret32 signing_key_scalar(const struct signing_key *k)
{
	struct secret32 s;

	CHECK(k->key.n == sizeof(s.b));
	memcpy(s.b, k->key.p, sizeof(s.b));
	return s;
}

/* ---- forms ---- */

enum err signing_key_encode_private(struct buf *out, const struct signing_key *k)
{
	struct bincode_writer w = {.out = out};

	safe_serialize_begin(&w, "PrivateSigKey");
	bincode_put_u32(&w, 0);
	bincode_put_vec(&w, secret_view(&k->key));
	return bincode_end(&w);
}

enum err signing_key_encode_public(struct buf *out, struct public_key33 pk)
{
	struct bincode_writer w = {.out = out};

	safe_serialize_begin(&w, "PublicSigKey");
	bincode_put_u32(&w, 0);
	bincode_put_vec(&w, BYTES_OF(pk.b));
	return bincode_end(&w);
}

void signing_key_verification_key(uint8_t out[VERIFICATION_KEY_SIZE], const struct signing_key *k)
{
	static const uint8_t length[8] = {sizeof(struct public_key33)};

	memcpy(out, length, sizeof(length));
	memcpy(&out[sizeof(length)], k->public_key.b, sizeof(k->public_key.b));
}

static enum err encode_address(struct buf *out, const struct signing_key *k)
{
	char text[ADDRESS_TEXT_SIZE];

	address_to_text(text, k->address);
	return buf_add_str(out, text);
}

static enum err encode_verification(struct buf *out, const struct signing_key *k)
{
	return signing_key_encode_public(out, k->public_key);
}

/* ---- the vault's objects ---- */

static const struct {
	const char *type;
	enum err (*encode)(struct buf *out, const struct signing_key *k);
} public_rows[] = {
	{"VerfKey", encode_verification},
	{"VerfAddress", encode_address},
	{"TypedVerfKey", encode_verification},
	{"TypedVerfAddress", encode_address},
};

const char *const signing_key_public_types[] = {"VerfKey", "VerfAddress", "TypedVerfKey",
						"TypedVerfAddress", NULL};

enum err signing_key_store_private(const struct signing_key *k, const struct vault *private_vault,
				   struct err_note *note)
{
	const struct vault_name name = {.type = private_type, .id = request_id_signing_key};
	CLEANUP(buf_wipe) struct buf object = buf_make(OBJECT_SIZE_MAX);

	/* Room first, so that no growing leaves an unwiped copy behind. */
	TRY(buf_reserve(&object, OBJECT_SIZE_MAX));
	TRY(signing_key_encode_private(&object, k));
	return vault_write(private_vault, &name, buf_view(&object), note);
}

/* Text objects may end in a newline that an editor left. */
static struct bytes newline_strip(struct bytes b)
{
	return b.n > 0 && b.p[b.n - 1] == '\n' ? bytes_sub(b, 0, b.n - 1) : b;
}

enum err signing_key_public_sync(struct signing_key_public *ret_found, const struct signing_key *k,
				 const struct vault *public_vault, bool write,
				 struct err_note *note)
{
	struct signing_key_public found = {0};

	for (size_t i = 0; i < ARRAY_LEN(public_rows); i++) {
		const struct vault_name name = {.type = public_rows[i].type,
						.id = request_id_signing_key};
		CLEANUP(buf_free) struct buf want = buf_make(OBJECT_SIZE_MAX);
		CLEANUP(buf_free) struct buf have = buf_make(OBJECT_SIZE_MAX);

		TRY(public_rows[i].encode(&want, k));

		enum err e = vault_read(&have, public_vault, &name, note);

		if (e == ERR_NOT_FOUND) {
			found.missing++;
			if (!write)
				continue;
			TRY(vault_write(public_vault, &name, buf_view(&want), note));
			found.written++;
			continue;
		}
		if (e != ERR_OK && e != ERR_TOO_BIG)
			return e;
		if (e == ERR_TOO_BIG ||
		    (!bytes_eq_var(buf_view(&have), buf_view(&want)) &&
		     !bytes_eq_var(newline_strip(buf_view(&have)), buf_view(&want))))
			return err_say(note, ERR_CONFIG_VALUE,
				       "%s in the public vault does not belong to the signing key "
				       "in the private one",
				       name.type);
		found.present++;
	}
	*ret_found = found;
	return ERR_OK;
}
