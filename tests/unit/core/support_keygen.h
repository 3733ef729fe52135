/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* What the tests of key and CRS generation share: requests, and a look into the vaults. */
#ifndef TEST_CORE_SUPPORT_KEYGEN_H
#define TEST_CORE_SUPPORT_KEYGEN_H

#include "support.h"
#include "support_program.h"

#define RPC_PREPROC        "/kms_service.v1.CoreServiceEndpoint/KeyGenPreproc"
#define RPC_PREPROC_RESULT "/kms_service.v1.CoreServiceEndpoint/GetKeyGenPreprocResult"
#define RPC_KEYGEN         "/kms_service.v1.CoreServiceEndpoint/KeyGen"
#define RPC_KEYGEN_RESULT  "/kms_service.v1.CoreServiceEndpoint/GetKeyGenResult"
#define RPC_KEYGEN_ABORT   "/kms_service.v1.CoreServiceEndpoint/AbortKeyGen"
#define RPC_CRSGEN         "/kms_service.v1.CoreServiceEndpoint/CrsGen"
#define RPC_CRSGEN_RESULT  "/kms_service.v1.CoreServiceEndpoint/GetCrsGenResult"
#define RPC_CRSGEN_ABORT   "/kms_service.v1.CoreServiceEndpoint/AbortCrsGen"

/* A fixture as the state, with the test key in its vault. */
int key_setup(void **state);
int key_teardown(void **state);

/* kms-server in the fixture's folder, with its vault and database; f->channel leads to it. */
void server_up(struct fixture *f, struct process *server);
void server_kill(struct fixture *f, struct process *server);

/* 02, default context, default epoch */
struct bytes test_extra_data(void);

/* Both requests for one key; all-valid, test parameters; a test changes what it is about. */
struct key_call {
	struct hash32 preproc_id, id;
	struct bytes extra;
	uint8_t epoch;                        /* 0: none named; else the last byte of one */
	Kms__V1__FheParameter preproc_params; /* of the preprocessing */
	Kms__V1__FheParameter params;         /* of the key generation, if has_params */
	bool has_params, no_domain, added;
	Kms__V1__KeySetType type;
	Kms__V1__KeyGenSecretKeyConfig secret;
	Kms__V1__CompressedKeyConfig compressed;
	Kms__V1__SigningSchemeType scheme;
	size_t schemes_n;
	bool has_bits; /* of a CRS */
	uint32_t bits;
};
struct key_call key_call_make(unsigned number);
struct buf key_call_pack_preproc(const struct key_call *c);
struct buf key_call_pack_keygen(const struct key_call *c);

enum grpc_status key_call_preproc(struct fixture *f, const struct key_call *c);
enum grpc_status key_call_preproc_result(struct fixture *f, const struct key_call *c,
					 struct buf *ret_reply);
enum grpc_status key_call_keygen(struct fixture *f, const struct key_call *c);
enum grpc_status key_call_abort(struct fixture *f, const struct key_call *c);
enum grpc_status key_call_result(struct fixture *f, const struct key_call *c,
				 struct buf *ret_reply);
/* The result, once it is there. */
enum grpc_status key_call_wait(struct fixture *f, const struct key_call *c, struct buf *ret_reply);

/* All of it, from the preprocessing to the result. */
void key_test_make(struct fixture *f, const struct key_call *c, struct buf *ret_reply);

/* A CRS is asked for by the same fields: `id`, `params`, `bits`. For 64 bits. */
struct key_call crs_call_make(unsigned number);
struct buf crs_call_pack(const struct key_call *c);
enum grpc_status crs_call(struct fixture *f, const struct key_call *c);
enum grpc_status crs_call_abort(struct fixture *f, const struct key_call *c);
enum grpc_status crs_call_result(struct fixture *f, const struct key_call *c,
				 struct buf *ret_reply);
enum grpc_status crs_call_wait(struct fixture *f, const struct key_call *c, struct buf *ret_reply);

void crs_test_make(struct fixture *f, const struct key_call *c, struct buf *ret_reply);

/* ---- the database ---- */

/* As if the process had been killed before its commit: the one request of this kind that has a
 * result has none. `message` is that request's. */
void result_forget(struct fixture *f, enum request_kind kind, struct buf message);
/* As if it had been lost, while the node is down. */
void database_lose(const struct fixture *f);

/* ---- the vaults ---- */

/* Of a private object in the default epoch. */
void private_path(char path[512], const struct fixture *f, const char *type, struct hash32 id);
/* An object that a dead writer had begun, beside the whole one. */
void partial_leave(const char *path);
/* One byte of it becomes another. */
void object_damage(const char *path);

void object_path(char path[512], const struct fixture *f, const char *prefix, const char *type,
		 struct hash32 id);
/* How many objects of a key there are, public and private; how many partial ones at all. */
unsigned objects_of(const struct fixture *f, struct hash32 id);
unsigned crs_objects_of(const struct fixture *f, struct hash32 id);
unsigned objects_partial(const struct fixture *f);
/* Until a partial key set has some bytes. */
void long_run_wait(struct fixture *f);

/* ---- answers ---- */

/* EIP-712 PrepKeygenVerification in the domain of these requests, by a path of its own. */
struct hash32 key_test_preproc_digest(struct hash32 id, struct bytes extra);
/* Is it the node's? */
void key_test_signature(ProtobufCBinaryData signature, struct hash32 digest);
/* A KeyGenResult against its request, the files against it, and against each other. */
void key_test_check(const struct fixture *f, struct bytes reply, const struct key_call *c);
/* The same of a CrsGenResult. */
void crs_test_check(const struct fixture *f, struct bytes reply, const struct key_call *c);

#endif
