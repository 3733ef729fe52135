/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Objects of the vault, as files. A signing key that is loaded is stored again with the same bytes;
 * a public object is accepted exactly when it is the one that belongs to the key; an FHE key lies
 * under its own name.
 *
 * Input: u8 which object || edits.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/safe_serialize.h"
#include "core/key_ring.h"
#include "core/request_id.h"
#include "core/signing_key.h"
#include "fuzz.h"

static char folder[] = "/tmp/claviger-fuzz-XXXXXX";
static const struct hash32 key_id = {{[0] = 4, [31] = 1}};

static void folder_remove(void)
{
	static const char *const parts[] = {"FhePrivateKey", "SigningKey",   "VerfKey",
					    "VerfAddress",   "TypedVerfKey", "TypedVerfAddress"};
	char path[512], epoch[REQUEST_ID_TEXT_SIZE], key[REQUEST_ID_TEXT_SIZE];

	request_id_text(epoch, request_id_default_epoch);
	request_id_text(key, key_id);
	(void)snprintf(path, sizeof(path), "%s/V/FhePrivateKey/%s/%s", folder, epoch, key);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/V/FhePrivateKey/%s", folder, epoch);
	(void)rmdir(path);
	request_id_text(key, request_id_signing_key);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		(void)snprintf(path, sizeof(path), "%s/V/%s/%s", folder, parts[i], key);
		(void)unlink(path);
		(void)snprintf(path, sizeof(path), "%s/V/%s", folder, parts[i]);
		(void)rmdir(path);
	}
	(void)snprintf(path, sizeof(path), "%s/V", folder);
	(void)rmdir(path);
	(void)rmdir(folder);
}

/* The folders are there from the first object on; later ones replace the file. */
static void put(const char *type, const struct hash32 *epoch, struct hash32 id,
		struct bytes content)
{
	const struct vault v = {folder, "V", true};
	const struct vault_name name = {type, epoch, id};
	char path[512], epoch_text[REQUEST_ID_TEXT_SIZE] = "", id_text[REQUEST_ID_TEXT_SIZE];

	if (epoch)
		request_id_text(epoch_text, *epoch);
	request_id_text(id_text, id);
	(void)snprintf(path, sizeof(path), "%s/V/%s/%s%s%s", folder, type, epoch_text,
		       epoch ? "/" : "", id_text);

	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0) {
		FUZZ_OK(vault_write(&v, &name, content, NULL));
		return;
	}
	CHECK(content.n == 0 || write(fd, content.p, content.n) == (ssize_t)content.n);
	CHECK(close(fd) == 0);
}

static struct bytes signing_object(void)
{
	static struct buf object;
	struct bincode_writer w = {.out = &object};

	if (object.n > 0)
		return buf_view(&object);
	object = buf_make(512);
	safe_serialize_begin(&w, "PrivateSigKey");
	bincode_put_raw(&w, fuzz_vector("core/kms_private_sig_key.bcode"));
	FUZZ_OK(bincode_end(&w));
	return buf_view(&object);
}

static enum err load(struct signing_key *k, struct bytes object)
{
	static struct ecdsa *ecdsa;
	const struct vault v = {folder, "V", true};

	if (!ecdsa)
		FUZZ_OK(ecdsa_new(&ecdsa, (const uint8_t[32]){1}));
	put("SigningKey", NULL, request_id_signing_key, object);
	return signing_key_load(k, ecdsa, &v, NULL);
}

static void try_signing_key(struct bytes script)
{
	CLEANUP(signing_key_free) struct signing_key k = {0};
	CLEANUP(buf_wipe) struct buf out = buf_make(512);
	struct bytes object = fuzz_patch(signing_object(), script);

	if (load(&k, object) == ERR_OK) {
		FUZZ_OK(signing_key_encode_private(&out, &k));
		CHECK(bytes_eq_var(buf_view(&out), object));
	} else {
		CHECK(!k.key.p);
	}
	fuzz_free(object);
}

static void try_public(uint8_t which, struct bytes script)
{
	CLEANUP(signing_key_free) struct signing_key k = {0};
	CLEANUP(buf_free) struct buf right = buf_make(512);
	const struct vault v = {folder, "V", false};
	const char *type = signing_key_public_types[which % 4];
	const struct vault_name name = {type, NULL, request_id_signing_key};
	struct signing_key_public found;

	FUZZ_OK(load(&k, signing_object()));
	FUZZ_OK(signing_key_public_sync(&found, &k, &v, true, NULL));
	FUZZ_OK(vault_read(&right, &v, &name, NULL));

	struct bytes object = fuzz_patch(buf_view(&right), script);
	bool newline = object.n == right.n + 1 && object.p[right.n] == '\n' &&
		       memcmp(object.p, right.p, right.n) == 0;
	bool same = bytes_eq_var(object, buf_view(&right));

	put(type, NULL, request_id_signing_key, object);
	CHECK((signing_key_public_sync(&found, &k, &v, false, NULL) == ERR_OK) ==
	      (same || newline));
	put(type, NULL, request_id_signing_key, buf_view(&right));
	fuzz_free(object);
}

static struct bytes key_object(void)
{
	static const char *const names[] = {"high_level_api::ClientKey", NULL};
	static struct buf object;
	struct bincode_writer w = {.out = &object};
	struct reader r = reader_of(fuzz_vector("tfhe/ck_test.bin"));
	size_t index;

	if (object.n > 0)
		return buf_view(&object);
	FUZZ_OK(safe_serialize_open(&r, names, &index, NULL));
	object = buf_make(1 << 20);
	safe_serialize_begin(&w, "KmsFheKeyHandles");
	bincode_put_u32(&w, 1);
	bincode_put_raw(&w, r.in);
	bincode_put_u8(&w, 0);
	bincode_put_u32(&w, 0);
	bincode_put_u32(&w, 0);
	bincode_put_u32(&w, 3);
	bincode_put_raw(&w, BYTES_OF(key_id.b));
	FUZZ_OK(bincode_end(&w));
	FUZZ_OK(buf_add_zero(&object, 32 + 8 + 1 + 8 + 8));
	return buf_view(&object);
}

static void try_ring(struct bytes script)
{
	CLEANUP(key_ring_free) struct key_ring ring = {0};
	CLEANUP(kms_fhe_key_handles_free) struct fhe_key_handles h = {0};
	const struct vault v = {folder, "V", true};
	struct bytes object = fuzz_patch(key_object(), script);

	put("FhePrivateKey", &request_id_default_epoch, key_id, object);

	enum err read = kms_fhe_key_handles_read(&h, object, NULL);
	enum err e = key_ring_load(&ring, &v, NULL);
	bool good = read == ERR_OK && hash32_eq(h.metadata.key_id, key_id);

	CHECK((e == ERR_OK) == good && (good || e == ERR_CORRUPT));
	CHECK(!good || (ring.n == 1 && key_ring_has_epoch(&ring, request_id_default_epoch) &&
			key_ring_find(&ring, request_id_default_epoch, key_id)));
	CHECK(!key_ring_find(&ring, request_id_default_epoch, (struct hash32){{1}}));
	fuzz_free(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool made;
	struct bytes in = bytes_from(p, n < 2048 ? n : 2048);
	uint8_t which = fuzz_u8(&in);

	if (!made) {
		CHECK(mkdtemp(folder));
		CHECK(atexit(folder_remove) == 0);
		made = true;
	}
	if (which % 3 == 0)
		try_signing_key(in);
	else if (which % 3 == 1)
		try_public(which / 3, in);
	else
		try_ring(in);
	return 0;
}
