/* SPDX-License-Identifier: BSD-3-Clause-Clear */
#ifndef SIM_CORE_INTERNAL_H
#define SIM_CORE_INTERNAL_H

#include "kms.v1.pb-c.h"
#include "net/protobuf.h"
#include "sim.h"

/* A request that it knows, and has not forgotten; NULL: none. */
struct core_known *core_known(struct sim *s, enum op_kind kind, uint64_t id);
/* What it says to a request: OK, or that it has it already, or the id for something else. */
enum grpc_status core_remember(struct sim *s, enum op_kind kind, uint64_t id, struct hash32 content,
			       struct bytes message);
uint64_t core_id(struct sim *s, const Kms__V1__RequestId *id);
const ProtobufCMessage *core_unpack(struct arena *memory, const ProtobufCMessageDescriptor *d,
				    struct bytes message);

/* The spy: its request exists (on some branch), is of these handles, may be answered, and these are
 * the ciphertexts. The context that is named, as an index. */
struct request *core_spy(struct sim *s, enum op_kind kind, uint64_t id,
			 Kms__V1__TypedCiphertext *const *cts, size_t n,
			 struct hash32 handles[HANDLES_MAX]);
size_t core_context(struct sim *s, const struct request *r, const Kms__V1__RequestId *context);

/* Under the key of that context, now and then under another one. */
void core_sign(struct sim *s, struct signature65 *ret_sig, size_t context, struct hash32 digest);
void core_key(const struct sim *s, uint8_t key[41], size_t context);

/* One function of the core: a request, or what becomes of one. */
struct core_rpc {
	const char *name;
	enum op_kind kind;
	enum grpc_status (*send)(struct sim *s, const struct core_rpc *rpc, struct bytes message);
	void (*respond)(struct sim *s, const struct core_known *k, struct buf *out); /* or this */
};
extern const struct core_rpc core_key_rpcs[];
extern const size_t core_key_rpcs_n;

enum grpc_status core_send_user(struct sim *s, const struct core_rpc *rpc, struct bytes message);
void core_respond_user(struct sim *s, const struct core_known *k, struct buf *out);

#endif
