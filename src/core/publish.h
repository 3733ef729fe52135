/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Something new into the vaults, a key or a CRS. In this order:
 *
 *   - public: its objects <type>/<id>
 *   - private: <type>/<epoch>/<id>, with their digests and the signature. This object is the end:
 *     who finds it finds all of them, and no second thing is ever made for the id
 *
 * Public objects without the private one are what a killed process left; the next run of the same
 * request removes them and starts again. On a pool thread; one run of a form at a time, of all
 * servers on a vault (a lock on the private type's folder): others wait, and find what was made.
 */
#ifndef CORE_PUBLISH_H
#define CORE_PUBLISH_H

#include <stdatomic.h>

#include "core/signing_key.h"
#include "core/vault.h"

enum {
	PUBLISH_TYPES_MAX = 4
};

/* Of what objects a kind of thing consists. */
struct publish_form {
	const char *name;                            /* "key" */
	const char *public_types[PUBLISH_TYPES_MAX]; /* written here; ends with NULL */
	const char *other_types[PUBLISH_TYPES_MAX];  /* only the other implementation writes them,
						      * but they take an id as well */
	const char *private_type;
	const char *digest_dsep; /* of its public objects */
	size_t object_size_max;
};
extern const struct publish_form publish_key_form, publish_crs_form;
extern const struct publish_form *const publish_forms[];
extern const size_t publish_forms_n;

/* Which one. */
struct publish_name {
	const struct publish_form *form;
	struct hash32 epoch_id, id;
};

/* What a run works with; all borrowed and immutable but `stop`. */
struct publish {
	const struct vaults *vaults;
	const struct signing_key *signer;
	struct rng *rng; /* rng_system() */
	unsigned threads;
	const atomic_bool *stop; /* ERR_CANCELLED soon after it became true, nothing left behind */
};
enum err publish_stop_check(const struct publish *p, struct err_note *note) MUST_USE;

/* Both work with `ctx`. */
struct publish_steps {
	/* All objects, the private one last. None of them is there. */
	enum err (*make)(const struct publish *p, void *ctx, struct err_note *note);
	/* What is in the vaults, and belongs to this request. */
	enum err (*read)(const struct publish *p, void *ctx, struct err_note *note);
	void *ctx;
};

/*
 * The whole of it, or the end of what an earlier run did: the last step is to read. If a new one is
 * not made to its end, no object of it remains. Errors of the steps, ERR_IO. ERR_ALREADY_DONE: an
 * object of this id is somebody else's; nothing was removed.
 */
enum err publish_run(const struct publish *p, const struct publish_name *name,
		     const struct publish_steps *steps, struct err_note *note) MUST_USE;

/* Its private object. Points into `n`. */
struct vault_name publish_private_name(const struct publish_name *n);

/* Is its end there? Is there any object of this id at all? */
bool publish_is_ended(const struct vaults *v, const struct publish_name *n);
bool publish_is_taken(const struct vaults *v, const struct publish_name *n);

/* The private object first: without it the others mean nothing. */
enum err publish_remove(const struct vaults *v, const struct publish_name *n,
			struct err_note *note) MUST_USE;

/* Is the public object what was signed? ERR_CORRUPT if it is another or gone. */
enum err publish_digest_check(const struct vaults *v, const struct publish_name *n,
			      const char *type, struct hash32 digest,
			      struct err_note *note) MUST_USE;

/* What killed writers left in the folders that are written here. Only by who has the vault for
 * himself. */
enum err publish_sweep(const struct vaults *v, size_t *ret_removed, struct err_note *note) MUST_USE;

#endif
