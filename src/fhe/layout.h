/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Layouts: the byte form of a TFHE object as one table, from which both the reader and the writer
 * work, so that they cannot drift apart. A row is one field: what it looks like on the wire, where
 * it lives in the C struct, and which values we accept. Source of all rows: tfhe-rs 1.6 to 1.7
 * "versionize" forms, in bincode (see codec/bincode.h).
 *
 * Reading never allocates: arrays become views into the input. Internal to fhe/.
 */
#ifndef FHE_LAYOUT_H
#define FHE_LAYOUT_H

#include "codec/bincode.h"
#include "fhe/source.h"

enum layout_kind {
	LAYOUT_VERSION,    /* u32 in [min, max], not stored; written as max */
	LAYOUT_READ,       /* the same, stored: which version it was: uint32_t */
	LAYOUT_BYTE,       /* u8 in [min, max], not stored; written as max */
	LAYOUT_VARIANT,    /* u32 version 0, u32 in [min, max]: uint32_t */
	LAYOUT_COUNT,      /* u32 version 0, u64 in [min, max]: uint64_t */
	LAYOUT_U64,        /* bare u64 in [min, max]: uint64_t */
	LAYOUT_F64,        /* bare f64: double */
	LAYOUT_V0_F64,     /* u32 version 0, f64: double */
	LAYOUT_TUNIFORM,   /* DynamicDistribution::TUniform, bound_log2 in [min, max]: uint32_t */
	LAYOUT_MODULUS,    /* native ciphertext modulus of `max` bits, not stored */
	LAYOUT_MOD_SWITCH, /* ModulusSwitchType: struct fhe_mod_switch */
	LAYOUT_EXPANSION,  /* CompactCiphertextListExpansionKind: uint32_t variant 0 or 1 */
	LAYOUT_SEED,       /* CompressionSeed: struct fhe_seed */
	LAYOUT_WORDS,  /* u64 count in [min, max], words of `width` bytes: struct bytes, a view */
	LAYOUT_KEY,    /* the same, each word 0 or 1: struct fhe_key_part */
	LAYOUT_BYTES,  /* u64 length in [min, max], bytes: struct bytes, a view */
	LAYOUT_TAG,    /* u32 version 0, u64 length <= max, bytes: struct bytes, a view */
	LAYOUT_OPTION, /* u8 0 or 1: bool; `sub` follows if 1. Without `sub` only 0 is accepted,
			  nothing stored */
	LAYOUT_WHEN,   /* `sub` follows if the uint32_t at `offset`, read before, is `min` */
	LAYOUT_SINCE,  /* `sub` follows if the uint32_t of a LAYOUT_READ at `offset` is at least
			  `min`; always written */
	LAYOUT_SUB,    /* `sub`, on the nested struct at `offset` */
	LAYOUT_ARRAY,  /* u64 count in [min, max], and as often `sub`, on an array of structs of
			  `width` bytes at `offset`; the count is the size_t at `count` */
	LAYOUT_LIST,   /* the same of any length, not stored but visited: struct layout_list */
	LAYOUT_ONE,    /* a list of one, without a count: struct layout_list */
	LAYOUT_ITEMS,  /* Vec<DataKind>: struct fhe_items */
	LAYOUT_POINT,  /* a point of BLS12-446 in G1 (width 1) or G2 (2), not compressed: struct
			  bytes, a view of all of it */
	LAYOUT_AT,     /* nothing; where the next field stands: size_t */
	LAYOUT_KINDS,
};

struct layout;

struct layout_row {
	enum layout_kind kind;
	const char *name;
	size_t offset;
	uint64_t min, max;
	unsigned width;
	const struct layout *sub; /* for OPTION, WHEN and SINCE: works on the same struct */
	size_t count;
};

struct layout {
	const char *name;
	const struct layout_row *rows;
	size_t rows_n;
};

/*
 * Structs one after the other, each as `layout` says, still to be visited. What was read is a view
 * of the input; `at` is the byte that it begins at. What is to be written may be made on the way by
 * `make`; without it and without a view, `n` structs of zeros.
 */
struct layout_list {
	uint64_t n;
	struct bytes encoded;
	const struct layout *layout;
	size_t at;
	void (*make)(const void *context, uint64_t i, void *ret_item);
	const void *context;
};

enum {
	LAYOUT_ITEM_MAX = 512, /* bytes of such a struct */
};

/* The next one; false at the end. Of a list that was read. */
bool layout_list_next(struct layout_list *list, void *ret_item);

/* A binary secret key: where its words stand in the input (reading), its bits one per byte (in
 * memory and for writing). */
struct fhe_key_part {
	struct bytes words;
	struct bytes bits; /* secret */
	unsigned width;
	size_t at; /* in the input */
};

/* Where the masks of a seeded ("compressed") object come from: a seed of tfhe-csprng and the place
 * in its stream. */
enum fhe_seed_kind {
	FHE_SEED_CTR = 0, /* 16 bytes */
	FHE_SEED_XOF = 1, /* domain separator (8 bytes) and seed */
};

enum {
	FHE_SEED_CTR_SIZE = 16,
	FHE_SEED_DSEP_SIZE = 8,
	FHE_SEED_SIZE_MAX = 64,
	FHE_SEED_BLOCK_MAX = 0x7fffffff, /* 32 GB of masks */
};

struct fhe_seed {
	uint32_t kind;
	struct bytes bytes;
	uint64_t block, byte; /* AES block, byte in it */
};

/* Arrays whose content is not in memory: where it belongs in what was written, and which array. */
enum {
	LAYOUT_GAPS_MAX = 16
};

struct layout_gap {
	size_t at; /* bytes of the output that come before the content */
	const struct bytes *words;
};

struct layout_gaps {
	struct layout_gap gap[LAYOUT_GAPS_MAX];
	size_t n;
};

#define LAYOUT_OF(title, table)                                                                    \
	{                                                                                          \
		.name = (title), .rows = (table), .rows_n = ARRAY_LEN(table)                       \
	}

/*
 * Latches like every reader: ERR_UNSUPPORTED for a version, variant or value outside its row,
 * ERR_TOO_BIG for a count past its maximum, ERR_TRUNCATED, ERR_MALFORMED. The note names object,
 * field, its place in the input and what was found.
 */
void layout_read(struct reader *r, const struct layout *l, void *object, struct err_note *note);

/*
 * The end of `object`: as reader_end. The note gets words if nothing more exact was said.
 */
enum err layout_end(const struct reader *r, const char *object, struct err_note *note) MUST_USE;

/*
 * Reading an object that is too large for memory. `frame` takes what stands around the arrays, at
 * most LAYOUT_FRAME_MAX (its maximum must allow that); views other than of LAYOUT_WORDS point into
 * it. Of LAYOUT_WORDS the view has a length and no pointer, and `gaps` says which byte of the input
 * they begin at.
 */
enum {
	LAYOUT_WINDOW = 4096, /* more than what can stand between two arrays */
	LAYOUT_FRAME_MAX = (LAYOUT_GAPS_MAX + 1) * LAYOUT_WINDOW,
};

struct layout_stream {
	const struct fhe_source *source;
	struct buf *frame;
	struct layout_gaps *gaps;
};

/* The reader stands at the beginning of the input. ERR_NOMEM, ERR_TOO_BIG, errors of the source. */
enum err layout_stream_open(struct reader *ret_reader, const struct layout_stream *s,
			    struct err_note *note) MUST_USE;

/* As layout_read, with the reader of layout_stream_open. */
void layout_read_frame(struct reader *r, const struct layout *l, void *object,
		       struct layout_stream *stream, struct err_note *note);

/* The object's values must satisfy the rows. */
void layout_write(struct bincode_writer *w, const struct layout *l, const void *object);

/*
 * The same for an object that is too large for memory: of LAYOUT_WORDS with a length but no pointer
 * only the count is written, and `gaps` says where the content has to go. In order of the output.
 */
void layout_write_frame(struct bincode_writer *w, const struct layout *l, const void *object,
			struct layout_gaps *gaps);

/* Are the numbers of an object (not of its sub-layouts) inside their rows? ERR_UNSUPPORTED; the
 * note names the field. */
enum err layout_check(const struct layout *l, const void *object, struct err_note *note) MUST_USE;

#endif
