/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "cmd/kms_dev_deal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/limits.h"
#include "cmd/kms_dev_files.h"
#include "codec/safe_serialize.h"
#include "core/dealer/deal.h"
#include "crypto/sha.h"

/* ---- the whole key ---- */

static void client_key_free(struct fhe_client_key **k)
{
	fhe_client_key_free(*k);
}

/* Its id is the tag; nothing is known of the preprocessing. */
static enum err metadata_of_tag(struct fhe_key_metadata *ret_metadata,
				const struct fhe_client_key *key, const char *path,
				struct err_note *note)
{
	struct bytes tag = fhe_client_key_tag(key);
	struct fhe_key_metadata m = {0};

	if (tag.n != sizeof(m.key_id.b))
		return err_say(note, ERR_MISMATCH, "%s: the tag is no key id", path);
	memcpy(m.key_id.b, tag.p, tag.n);
	*ret_metadata = m;
	return ERR_OK;
}

enum err dev_client_key_load(struct fhe_client_key **ret_key, struct fhe_key_metadata *ret_metadata,
			     const char *path, struct err_note *note)
{
	static const char *const names[] = {"high_level_api::ClientKey", "KmsFheKeyHandles", NULL};
	CLEANUP(buf_wipe) struct buf b = buf_make(DEV_HANDLES_SIZE_MAX);
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles h = {0};
	struct reader r;
	size_t index;

	TRY(dev_file_read(&b, path, note));
	r = reader_of(buf_view(&b));
	TRY(safe_serialize_open(&r, names, &index, note));
	if (index == 1) {
		TRY(kms_fhe_key_handles_read(&h, buf_view(&b), note));
	} else {
		TRY(fhe_client_key_read(&h.client_key, buf_view(&b), note));
		if (ret_metadata)
			TRY(metadata_of_tag(&h.metadata, h.client_key, path, note));
	}
	if (ret_metadata)
		*ret_metadata = h.metadata;
	*ret_key = h.client_key;
	h.client_key = NULL; /* handed over */
	return ERR_OK;
}

/* ---- the objects of the parties ---- */

struct committee {
	unsigned n, t;
	struct hash32 epoch;
	struct fhe_client_key *key;
	struct fhe_key_metadata metadata;
	struct buf public_key; /* empty if there is none */
	struct buf objects[MPC_PARTIES_MAX];
};

static struct committee committee_make(void)
{
	struct committee c = {.public_key = buf_make(CLIENT_KEY_SIZE_MAX)};

	for (unsigned p = 0; p < MPC_PARTIES_MAX; p++)
		c.objects[p] = buf_make(THRESHOLD_KEY_SIZE_MAX);
	return c;
}

static void committee_free(struct committee *c)
{
	client_key_free(&c->key);
	buf_free(&c->public_key);
	for (unsigned p = 0; p < MPC_PARTIES_MAX; p++)
		buf_wipe(&c->objects[p]);
}

static bool number_read(unsigned *ret_number, const char *text)
{
	char *end;
	unsigned long n = text && *text ? strtoul(text, &end, 10) : 0;

	if (!text || !*text || *end || n > MPC_PARTIES_MAX)
		return false;
	*ret_number = (unsigned)n;
	return true;
}

static enum err options_read(struct committee *c, const struct dev_deal_options *o,
			     struct err_note *note)
{
	if (!o->client_key || !o->out || !number_read(&c->n, o->parties) ||
	    !number_read(&c->t, o->threshold))
		return err_say(note, ERR_BAD_REQUEST,
			       "deal needs --client-key, --parties (up to %d), --threshold and "
			       "--out",
			       MPC_PARTIES_MAX);
	if (strlen(o->epoch) != 64 ||
	    hex_decode_fixed(c->epoch.b, 32, bytes_str(o->epoch)) != ERR_OK)
		return err_say(note, ERR_BAD_REQUEST, "--epoch takes 64 hexadecimal digits");
	return ERR_OK;
}

/* Nobody signed these: the nodes' own keys are not the dealer's. */
static enum err metadata_make(struct committee *c, const struct dev_deal_options *o,
			      struct err_note *note)
{
	c->metadata.attestation = (struct fhe_attestation){0};
	if (!o->public_key)
		return ERR_OK;
	TRY(dev_file_read(&c->public_key, o->public_key, note));
	c->metadata.digests_n = 1;
	c->metadata.digests[0].pub_data = FHE_PUB_PUBLIC_KEY;
	return kms_digest(&c->metadata.digests[0].digest, "PDAT_KEY", buf_view(&c->public_key));
}

static enum err party_write(const struct committee *c, unsigned party,
			    const struct dev_deal_options *o, struct err_note *note)
{
	char name[DEV_PATH_SIZE_MAX], key[2 * sizeof(struct hash32) + 1];

	hex_encode(key, BYTES_OF(c->metadata.key_id.b));
	(void)snprintf(name, sizeof(name), "PRIV-p%u/" THRESHOLD_KEY_TYPE "/%s/%s", party, o->epoch,
		       key);
	TRY(dev_file_write(o->out, name, 0600, buf_view(&c->objects[party - 1]), note));
	if (c->public_key.n == 0)
		return ERR_OK;
	(void)snprintf(name, sizeof(name), "PUB-p%u/PublicKey/%s", party, key);
	return dev_file_write(o->out, name, 0644, buf_view(&c->public_key), note);
}

enum err dev_deal(const struct dev_deal_options *o, struct err_note *note)
{
	CLEANUP(committee_free) struct committee c = committee_make();

	TRY(options_read(&c, o, note));
	TRY(dev_client_key_load(&c.key, &c.metadata, o->client_key, note));
	TRY(metadata_make(&c, o, note));
	TRY(threshold_deal(c.objects, c.key, &c.metadata, c.n, c.t, rng_system(), note));
	for (unsigned party = 1; party <= c.n; party++)
		TRY(party_write(&c, party, o, note));
	return ERR_OK;
}
