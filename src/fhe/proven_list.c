/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "fhe/proven_list.h"

#include "base/limits.h"
#include "codec/safe_serialize.h"

/* ---- layout: tfhe-rs 1.6/1.7 ---- */

enum {
	HASH_CONFIG_MAX = 2, /* that of tfhe-zk-pok 0.8 */
	G1 = 1,
	G2 = 2,
};

#define VERSION(text, v)                                                                           \
	{                                                                                          \
		.kind = LAYOUT_VERSION, .name = text, .min = (v), .max = (v)                       \
	}
#define P(f) .offset = offsetof(struct fhe_proof, f)
#define POINT(text, group, i)                                                                      \
	{                                                                                          \
		.kind = LAYOUT_POINT, .name = text, P(points[i]), .width = (group)                 \
	}
#define LOAD_POINT(text, group, i)                                                                 \
	{                                                                                          \
		.kind = LAYOUT_POINT, .name = text, P(load_points[i]), .width = (group)            \
	}

static const struct layout_row load_rows[] = {
	VERSION("ComputeLoadProofFields version", 0),
	LOAD_POINT("C_hat_h3", G2, 0),
	LOAD_POINT("C_hat_w", G2, 1),
};
static const struct layout load_layout = LAYOUT_OF("ComputeLoadProofFields", load_rows);

static const struct layout_row proof_rows[] = {
	VERSION("CompactPkeProof version", 2),
	VERSION("CompactPkeProof variant (PkeV2)", 1),
	VERSION("Proof version", 3),
	POINT("C_hat_e", G2, 0),
	POINT("C_e", G1, 1),
	POINT("C_r_tilde", G1, 2),
	POINT("C_R", G1, 3),
	POINT("C_hat_bin", G2, 4),
	POINT("C_y", G1, 5),
	POINT("C_h1", G1, 6),
	POINT("C_h2", G1, 7),
	POINT("C_hat_t", G2, 8),
	POINT("pi", G1, 9),
	POINT("pi_kzg", G1, 10),
	{.kind = LAYOUT_OPTION,
	 .name = "compute_load_proof_fields",
	 P(has_load),
	 .sub = &load_layout},
	{.kind = LAYOUT_VARIANT, .name = "hash_config", P(hash_config), .max = HASH_CONFIG_MAX},
};
static const struct layout proof_layout = LAYOUT_OF("CompactPkeProof", proof_rows);

static const struct layout_row part_rows[] = {
	{.kind = LAYOUT_SUB,
	 .name = "list",
	 .offset = offsetof(struct fhe_proven_part, list),
	 .sub = &fhe_compact_part_layout},
	{.kind = LAYOUT_SUB,
	 .name = "proof",
	 .offset = offsetof(struct fhe_proven_part, proof),
	 .sub = &proof_layout},
};
static const struct layout part_layout = LAYOUT_OF("ProvenCompactCiphertextList", part_rows);

#define L(f) .name = #f, .offset = offsetof(struct fhe_proven_list, f)
static const struct layout_row list_rows[] = {
	VERSION("ProvenCompactCiphertextList version", 0),
	VERSION("ProvenCompactCiphertextList (integer) version", 0),
	VERSION("ProvenCompactCiphertextList (shortint) version", 0),
	{.kind = LAYOUT_LIST,
	 L(parts),
	 .min = 1,
	 .max = FHE_PROVEN_PARTS_MAX,
	 .width = sizeof(struct fhe_proven_part),
	 .sub = &part_layout},
	{.kind = LAYOUT_ITEMS, L(items)},
	{.kind = LAYOUT_TAG, L(tag), .max = FHE_TAG_SIZE_MAX},
};
static const struct layout list_layout = LAYOUT_OF("ProvenCompactCiphertextList", list_rows);

static const char list_name[] = "high_level_api::ProvenCompactCiphertextList";

/* ---- reading and writing ---- */

/* The last entry of a packed part may hold one block. */
static enum err list_check(const struct fhe_proven_list *l, struct err_note *note)
{
	struct layout_list parts = l->parts;
	struct fhe_proven_part part;
	uint64_t blocks = fhe_items_blocks(l->items), room = 0;

	while (layout_list_next(&parts, &part)) {
		TRY(fhe_compact_part_check(&part.list, note));
		room += part.list.count * (fhe_compact_list_packed(&part.list) ? 2 : 1);
	}
	if (blocks > room || blocks + l->parts.n < room)
		return err_say(
			note, ERR_MALFORMED,
			"ProvenCompactCiphertextList: room for %llu blocks, but the items at "
			"byte %zu have %llu",
			(unsigned long long)room, l->items.at, (unsigned long long)blocks);
	return ERR_OK;
}

enum err fhe_proven_list_read(struct fhe_proven_list *ret_list, struct bytes serialized,
			      struct err_note *note)
{
	static const char *const names[] = {list_name, NULL};
	struct fhe_proven_list l = {0};
	struct reader r = reader_of(serialized);
	size_t index;

	if (serialized.n > CIPHERTEXT_SIZE_MAX)
		return err_say(note, ERR_TOO_BIG, "ProvenCompactCiphertextList: %zu bytes",
			       serialized.n);
	TRY(safe_serialize_open(&r, names, &index, note));
	layout_read(&r, &list_layout, &l, note);
	TRY(layout_end(&r, "ProvenCompactCiphertextList", note));
	TRY(list_check(&l, note));
	*ret_list = l;
	return ERR_OK;
}

enum err fhe_proven_list_write(const struct fhe_proven_list *l, struct buf *out)
{
	struct bincode_writer w = {.out = out};

	safe_serialize_begin(&w, list_name);
	layout_write(&w, &list_layout, l);
	return bincode_end(&w);
}

enum err fhe_proven_list_inner(const struct fhe_proven_list *l, struct fhe_compact_list *ret_list,
			       struct err_note *note)
{
	struct layout_list parts = l->parts;
	struct fhe_proven_part part;

	if (parts.n != 1)
		return err_say(note, ERR_UNSUPPORTED, "a proven list of %llu parts",
			       (unsigned long long)parts.n);
	CHECK(layout_list_next(&parts, &part));
	*ret_list = part.list;
	ret_list->items = l->items;
	ret_list->tag = l->tag;
	return ERR_OK;
}
