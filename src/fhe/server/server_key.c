/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/server/server_key.h"

#include <stdlib.h>

#include "fhe/server/server_key_internal.h"

/* Which of the named sets is it? If none: what keeps the key from being the one whose small key is
 * as long. */
static enum err params_find(struct fhe_server_key *k, enum fhe_key_object object,
			    struct err_note *note)
{
	struct err_note nearest = {0};

	for (const struct fhe_param_set *s = fhe_param_sets; s->name; s++) {
		struct err_note why = {0};

		if (fhe_key_set_check(&k->set, object, s->params, &why) == ERR_OK) {
			k->params = *s->params;
			fhe_parts_of(&k->parts, s->params);
			return ERR_OK;
		}
		if (!nearest.text[0] &&
		    k->set.parts[FHE_PART_KEY_SWITCH].size == s->params->compute.lwe_dimension + 1)
			nearest = why;
	}
	return err_say(note, ERR_MISMATCH, "server key: %s",
		       nearest.text[0] ? nearest.text : "not of a known parameter set");
}

static enum err squash_load(struct fhe_server_key *k, const struct fhe_server_options *o)
{
	const struct fhe_part_shape *shapes = k->parts.shape;
	const struct fhe_seeded *parts = k->set.parts;

	TRY(fhe_key_switch_new(&k->key_switch, &shapes[FHE_PART_KEY_SWITCH],
			       &parts[FHE_PART_KEY_SWITCH]));
	TRY(fhe_rounding_new(&k->squash_rounding, &k->params.sns.mod_switch, k->key_switch.output,
			     &shapes[FHE_PART_SQUASH_ZEROS], &parts[FHE_PART_SQUASH_ZEROS]));
	return fhe_bootstrap_new(&k->squash, &shapes[FHE_PART_SQUASH], &parts[FHE_PART_SQUASH],
				 o->threads, o->portable);
}

static enum err expand_load(struct fhe_server_key *k, const struct fhe_server_options *o)
{
	const struct fhe_part_shape *shapes = k->parts.shape;
	const struct fhe_seeded *parts = k->set.parts;

	TRY(fhe_key_switch_new(&k->pke_key_switch, &shapes[FHE_PART_PKE_KEY_SWITCH],
			       &parts[FHE_PART_PKE_KEY_SWITCH]));
	TRY(fhe_rounding_new(&k->rounding, &k->params.compute.mod_switch, k->pke_key_switch.output,
			     &shapes[FHE_PART_BOOTSTRAP_ZEROS], &parts[FHE_PART_BOOTSTRAP_ZEROS]));
	return fhe_bootstrap_new(&k->bootstrap, &shapes[FHE_PART_BOOTSTRAP],
				 &parts[FHE_PART_BOOTSTRAP], o->threads, o->portable);
}

static enum err key_load(struct fhe_server_key *k, enum fhe_key_object object,
			 struct bytes serialized, const struct fhe_server_options *o,
			 struct err_note *note)
{
	if (object == FHE_OBJECT_PUBLIC_KEY || o->uses == 0)
		return err_say(note, ERR_RANGE, "server key: a public key cannot be used as one");
	TRY(fhe_key_set_read(&k->set, object, serialized, note));
	TRY(params_find(k, object, note));
	if (o->uses & FHE_SERVER_SQUASH) {
		if (!k->params.has_sns)
			return err_say(note, ERR_UNSUPPORTED, "server key: no noise squashing key");
		TRY(squash_load(k, o));
	}
	if (o->uses & FHE_SERVER_EXPAND) {
		if (!k->params.has_pke)
			return err_say(note, ERR_UNSUPPORTED,
				       "server key: no public key switching key");
		TRY(expand_load(k, o));
	}
	k->uses = o->uses;
	return ERR_OK;
}

enum err fhe_server_key_new(struct fhe_server_key **ret_key, enum fhe_key_object object,
			    struct bytes serialized, const struct fhe_server_options *options,
			    struct err_note *note)
{
	struct fhe_server_key *k = calloc(1, sizeof(*k));
	enum err e;

	if (!k)
		return ERR_NOMEM;
	e = key_load(k, object, serialized, options, note);
	if (e != ERR_OK) {
		fhe_server_key_free(k);
		return e;
	}
	*ret_key = k;
	return ERR_OK;
}

void fhe_server_key_free(struct fhe_server_key *k)
{
	if (!k)
		return;
	fhe_key_switch_free(&k->key_switch);
	fhe_rounding_free(&k->squash_rounding);
	fhe_bootstrap_free(k->squash);
	fhe_key_switch_free(&k->pke_key_switch);
	fhe_rounding_free(&k->rounding);
	fhe_bootstrap_free(k->bootstrap);
	free(k);
}

const struct fhe_params *fhe_server_key_params(const struct fhe_server_key *k)
{
	return &k->params;
}

struct bytes fhe_server_key_tag(const struct fhe_server_key *k)
{
	return k->set.tag;
}

const char *fhe_server_key_kernel(const struct fhe_server_key *k)
{
	return fhe_bootstrap_kernel(k->squash ? k->squash : k->bootstrap);
}

static uint64_t key_switch_memory(const struct fhe_key_switch *ks)
{
	return (uint64_t)ks->input * ks->level * (ks->output + 1) * sizeof(*ks->rows);
}

uint64_t fhe_server_key_memory(const struct fhe_server_key *k)
{
	return key_switch_memory(&k->key_switch) + key_switch_memory(&k->pke_key_switch) +
	       (k->squash ? fhe_bootstrap_memory(k->squash) : 0) +
	       (k->bootstrap ? fhe_bootstrap_memory(k->bootstrap) : 0);
}
