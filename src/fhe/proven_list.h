/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * ProvenCompactCiphertextList: compact lists, each with a proof (tfhe-zk-pok, "pke v2") that it is
 * one. Coprocessors verify the proofs; here they are read for their form alone, so that the lists
 * inside can be had and the whole be written again.
 */
#ifndef FHE_PROVEN_LIST_H
#define FHE_PROVEN_LIST_H

#include "fhe/compact_list.h"

enum {
	FHE_PROOF_POINTS = 11,
	FHE_PROOF_LOAD_POINTS = 2,
};

/* Views of points as they are serialised. */
struct fhe_proof {
	struct bytes points[FHE_PROOF_POINTS];
	bool has_load; /* the prover computed more, so that the verifier need not */
	struct bytes load_points[FHE_PROOF_LOAD_POINTS];
	uint32_t hash_config;
};

/* A compact list without items and tag, and its proof. */
struct fhe_proven_part {
	struct fhe_compact_list list;
	struct fhe_proof proof;
};

struct fhe_proven_list {
	struct layout_list parts; /* of struct fhe_proven_part */
	struct fhe_items items;   /* of all parts together */
	struct bytes tag;
};

/* From safe_serialize("high_level_api::ProvenCompactCiphertextList"). All sizes are checked. Views
 * into `serialized`. */
enum err fhe_proven_list_read(struct fhe_proven_list *ret_list, struct bytes serialized,
			      struct err_note *note) MUST_USE;

/* Appends the safe_serialize form, in the newest version. */
enum err fhe_proven_list_write(const struct fhe_proven_list *l, struct buf *out) MUST_USE;

/* The list inside, with items and tag. ERR_UNSUPPORTED if there are several. */
enum err fhe_proven_list_inner(const struct fhe_proven_list *l, struct fhe_compact_list *ret_list,
			       struct err_note *note) MUST_USE;

#endif
