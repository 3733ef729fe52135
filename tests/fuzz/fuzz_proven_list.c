/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Users' inputs with proofs. What is read is written again with the same bytes, but for older
 * versions; the list inside has room for its items.
 *
 * Input: edits of tests/vectors/tfhe/proven_2048_0.bin.
 */
#include "fhe/proven_list.h"
#include "fuzz.h"

/* Written twice: the same, and of the first no byte but versions differs. */
static void check_written(const struct fhe_proven_list *l, struct bytes in)
{
	CLEANUP(buf_free) struct buf once = buf_make(2 * in.n);
	CLEANUP(buf_free) struct buf twice = buf_make(2 * in.n);
	struct fhe_proven_list again;
	size_t differ = 0;

	FUZZ_OK(fhe_proven_list_write(l, &once));
	CHECK(once.n == in.n);
	for (size_t i = 0; i < in.n; i++)
		differ += once.p[i] != in.p[i];
	CHECK(differ <= l->items.n + l->parts.n);
	FUZZ_OK(fhe_proven_list_read(&again, buf_view(&once), NULL));
	FUZZ_OK(fhe_proven_list_write(&again, &twice));
	CHECK(bytes_eq_var(buf_view(&once), buf_view(&twice)));
}

static void check_inner(const struct fhe_proven_list *l)
{
	struct fhe_compact_list list;
	struct err_note note = {0};
	struct fhe_items items;
	struct fhe_item item;
	uint64_t blocks = 0;

	if (fhe_proven_list_inner(l, &list, &note) != ERR_OK) {
		CHECK(l->parts.n != 1 && note.text[0]);
		return;
	}
	items = list.items;
	while (fhe_items_next(&items, &item))
		blocks += item.blocks;
	CHECK(blocks <= list.count * (list.degree == 15 ? 2 : 1));
	CHECK(list.words.n / 8 >= list.count + list.lwe_size - 1);
	CHECK(bytes_eq_var(list.tag, l->tag));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fhe_proven_list l;
	struct err_note note = {0};

	if (n > 4096)
		return 0;

	struct bytes in = fuzz_patch(fuzz_vector("tfhe/proven_2048_0.bin"), bytes_from(p, n));

	if (fhe_proven_list_read(&l, in, &note) == ERR_OK) {
		check_written(&l, in);
		check_inner(&l);
	} else {
		CHECK(note.text[0]);
	}
	fuzz_free(in);
	return 0;
}
