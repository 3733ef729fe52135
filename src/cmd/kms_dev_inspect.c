/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#include "cmd/kms_dev_inspect.h"

#include <stdio.h>

#include "base/hex.h"
#include "codec/safe_serialize.h"
#include "fhe/dealer/dealer.h"
#include "fhe/squashed_list.h"

static void client_key_free(struct fhe_client_key **k)
{
	fhe_client_key_free(*k);
}

static enum err tag_print(struct bytes tag)
{
	CLEANUP(buf_free) struct buf text = buf_make(2 * FHE_TAG_SIZE_MAX + 3);
	const char *out;

	TRY(hex_add(&text, tag, true));
	TRY(buf_cstr(&text, &out));
	printf("tag %s\n", out);
	return ERR_OK;
}

static void items_print(struct fhe_items items)
{
	struct fhe_item item;

	for (size_t i = 0; fhe_items_next(&items, &item); i++) {
		const struct fhe_type_row *type = fhe_item_type(item);

		printf("item %zu: %s, %llu blocks\n", i,
		       type ? type->name : "of a type that FHEVM does not use",
		       (unsigned long long)item.blocks);
	}
}

static enum err inspect_client_key(struct bytes object, struct err_note *note)
{
	static const char *const names[FHE_KEY_COUNT] = {"lwe",
							 "glwe",
							 "compression",
							 "compact",
							 "noise squashing",
							 "noise squashing compression",
							 "oprf"};
	CLEANUP(client_key_free) struct fhe_client_key *key = NULL;

	TRY(fhe_client_key_read(&key, object, note));
	for (int i = 0; i < FHE_KEY_COUNT; i++)
		printf("%s key: %zu bits\n", names[i],
		       fhe_params_key_bits(&key->params, (enum fhe_key_id)i));
	return tag_print(fhe_client_key_tag(key));
}

static enum err inspect_public_key(struct bytes object, struct err_note *note)
{
	struct fhe_compact_public_key key;

	TRY(fhe_compact_public_key_read(&key, object, note));
	printf("dimension %llu, noise TUniform(%u)\n", (unsigned long long)key.params.dimension,
	       key.params.noise);
	return tag_print(key.tag);
}

static enum err inspect_compact_list(struct bytes object, struct err_note *note)
{
	struct fhe_compact_list list;

	TRY(fhe_compact_list_read(&list, object, note));
	printf("%llu ciphertexts of dimension %llu\n", (unsigned long long)list.count,
	       (unsigned long long)(list.lwe_size - 1));
	items_print(list.items);
	return tag_print(list.tag);
}

static enum err inspect_squashed_list(struct bytes object, struct err_note *note)
{
	struct fhe_packed_list list;
	enum err e = fhe_squashed_list_read(&list, &fhe_params_v1_7, object, note);

	if (e == ERR_MISMATCH)
		e = fhe_squashed_list_read(&list, &fhe_params_test, object, note);
	TRY(e);
	for (size_t i = 0; i < list.glwe_n; i++)
		printf("GLWE of dimension %llu x %llu with %llu bodies\n",
		       (unsigned long long)list.glwe[i].glwe_dimension,
		       (unsigned long long)list.glwe[i].polynomial_size,
		       (unsigned long long)list.glwe[i].bodies);
	items_print(list.items);
	return tag_print(list.tag);
}

static enum err inspect_key_handles(struct bytes object, struct err_note *note)
{
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles h = {0};

	TRY(kms_fhe_key_handles_read(&h, object, note));
	printf("%zu public objects\n", h.metadata.digests_n);
	return tag_print(BYTES_OF(h.metadata.key_id.b));
}

struct inspector {
	const char *name;
	enum err (*run)(struct bytes object, struct err_note *note);
};

static const struct inspector inspectors[] = {
	{"high_level_api::ClientKey", inspect_client_key},
	{"high_level_api::CompactPublicKey", inspect_public_key},
	{"high_level_api::CompactCiphertextList", inspect_compact_list},
	{FHE_SQUASHED_LIST_NAME, inspect_squashed_list},
	{"KmsFheKeyHandles", inspect_key_handles},
};

enum err kms_dev_inspect(struct bytes object, struct err_note *note)
{
	const char *names[ARRAY_LEN(inspectors) + 1] = {NULL};
	struct reader r = reader_of(object);
	size_t index;

	for (size_t i = 0; i < ARRAY_LEN(inspectors); i++)
		names[i] = inspectors[i].name;
	TRY(safe_serialize_open(&r, names, &index, note));
	printf("%s, %zu bytes\n", names[index], object.n);
	return inspectors[index].run(object, note);
}
