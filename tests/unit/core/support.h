/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the tests of the core share: a folder, a vault with known keys, requests, a node and calls
 * to it. */
#ifndef TEST_CORE_SUPPORT_H
#define TEST_CORE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/decryption_request.h"
#include "core/node.h"
#include "core/request_id.h"
#include "eth/text.h"
#include "kms.v1.pb-c.h"

#define RPC_DECRYPT      "/kms_service.v1.CoreServiceEndpoint/PublicDecrypt"
#define RPC_RESULT       "/kms_service.v1.CoreServiceEndpoint/GetPublicDecryptionResult"
#define RPC_SYNC         "/kms_service.v1.CoreServiceEndpoint/PublicDecryptSync"
#define RPC_USER_DECRYPT "/kms_service.v1.CoreServiceEndpoint/UserDecrypt"
#define RPC_USER_RESULT  "/kms_service.v1.CoreServiceEndpoint/GetUserDecryptionResult"
#define RPC_USER_SYNC    "/kms_service.v1.CoreServiceEndpoint/UserDecryptSync"
#define RPC_HEALTH       "/grpc.health.v1.Health/Check"

#define OK(x) assert_int_equal((x), ERR_OK)

/* What nat_*_csq64 decrypt to. */
#define VALUE_U64 UINT64_C(0x0123456789abcdef)

/* ---- files ---- */

struct folder {
	char path[64];
};
void folder_make(struct folder *f);
void folder_remove(struct folder *f);

/* From tests/vectors; the caller frees. */
struct buf vector_read(const char *name);

/* ---- keys ---- */

enum key_set {
	KEY_TEST,
	KEY_FULL
};

/* A KmsFheKeyHandles around a client key of tests/vectors/tfhe. */
struct buf key_object(enum key_set set, struct hash32 key_id);

/* <folder>/keys with the signing key of the published test object, its public objects and one FHE
 * key. */
void vault_fill(const struct folder *f, enum key_set set);
extern const struct hash32 test_key_id;

/* The secret of that signing key, and its address. */
void test_signer(struct signing_key *ret_key, struct ecdsa *ecdsa);

/* ---- requests ---- */

enum {
	ITEMS_MAX = 8
};

/* Who reads a user decryption. */
struct test_user {
	uint8_t enc_key[ENC_KEY_SIZE];
	uint8_t dk[MLKEM_512_DK_SIZE];
	struct address address;
	char text[ADDRESS_TEXT_SIZE];
};
void test_user_make(struct test_user *u, uint8_t number);

/*
 * All-valid after request_init; a test changes what it is about. Points into itself. A user
 * decryption is packed from the same fields, and has `client` and `enc_key` in addition.
 */
struct request {
	enum request_kind kind;
	Kms__V1__PublicDecryptionRequest m;
	char *client;
	struct bytes enc_key;
	Kms__V1__RequestId id, key_id, context_id, epoch_id;
	Kms__V1__Eip712DomainMsg domain;
	Kms__V1__TypedCiphertext items[ITEMS_MAX], *list[ITEMS_MAX];
	Kms__V1__SigningSchemeType schemes[4];
	char id_text[REQUEST_ID_TEXT_SIZE], key_text[REQUEST_ID_TEXT_SIZE];
	char context_text[REQUEST_ID_TEXT_SIZE], epoch_text[REQUEST_ID_TEXT_SIZE];
	uint8_t chain_id[2];
	uint8_t handles[ITEMS_MAX][32];
};
void request_init(struct request *r, unsigned number, struct bytes ciphertext);
void request_init_user(struct request *r, unsigned number, struct bytes ciphertext,
		       const struct test_user *user);
struct buf request_pack(const struct request *r);

/* 02 00…00 number */
struct hash32 request_number(unsigned number);
struct buf id_pack(struct hash32 id);

/* ---- a node and calls ---- */

struct fixture {
	struct folder folder;
	struct loop *loop;
	struct log log;
	struct core_config config;
	struct peers peers; /* that it is given */
	struct node *node;
	struct channel *channel;
};

/* Folder, vault and configuration; then node_up starts it, as often as wanted. */
void fixture_make(struct fixture *f, enum key_set set);
void fixture_remove(struct fixture *f);
void node_up(struct fixture *f);
void node_down(struct fixture *f); /* clean stop */

struct call {
	struct loop *loop;
	bool done, waited;
	enum grpc_status status;
	char text[256];
	struct buf reply;
};
void call_start(struct call *c, struct loop *loop, struct channel *channel, const char *path,
		struct bytes message, int64_t timeout_ms);
void call_wait(struct call *c);
void call_free(struct call *c);

/* One call; the reply is dropped unless asked for. */
enum grpc_status call_once(struct fixture *f, const char *path, struct bytes message,
			   struct buf *ret_reply);
enum grpc_status call_request(struct fixture *f, const char *path, const struct request *r);
enum grpc_status call_result(struct fixture *f, unsigned number, struct buf *ret_reply);
enum grpc_status call_user_result(struct fixture *f, unsigned number, struct buf *ret_reply);

/* Let the loop run for a while. */
void loop_pause(struct loop *loop, int64_t ms);

/* Decode an answer and check all of it against request and value. */
void answer_check(struct bytes reply, const struct request *r, uint64_t value);

/* The bincode of an answer's payload, made from its fields one by one. */
void user_payload_encode(struct buf *out, const Kms__V1__UserDecryptionResponsePayload *p);

/* Go the user's way: signatures, link, every value. */
void user_answer_check(struct bytes reply, const struct request *r, const struct test_user *user,
		       uint64_t value);

#endif
