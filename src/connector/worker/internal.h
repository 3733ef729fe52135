/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * Inside worker/ only: the worker, its jobs, and how their steps hand over.
 *
 * A job is one claimed operation in memory. It goes permission -> ciphertexts -> core, each step
 * ends by calling the next or one of work_retry, work_end. Both give the row back; the job is freed
 * when that is stored. A row that was further already enters later: `computing` asks the core for
 * its result first.
 */
#ifndef CONNECTOR_WORKER_INTERNAL_H
#define CONNECTOR_WORKER_INTERNAL_H

#include "base/limits.h"
#include "connector/adapters/decryption.h"
#include "connector/adapters/protocol_config.h"
#include "connector/service.h"
#include "connector/worker/attestation.h"
#include "connector/worker/buckets.h"
#include "connector/worker/http_queue.h"
#include "connector/worker/proof.h"
#include "connector/worker/registry.h"
#include "eth/eip712.h"

enum {
	JOB_TIME_MAX_MS = 5 * 60 * 1000, /* longer than any sane pass; then the row goes back */
	LEASE_MS = 20 * 60 * 1000, /* longer than a job may live, with the longest core deadline */
	RENEW_MS = 8 * 1000,
	JOB_BYTES_MAX = 64 << 20, /* the arena of one job: rows of 1024 handles, 64 buckets each */
};

/* A chain. That its endpoints serve it is the provider's to see to, before every read that follows
 * a new connection: worker_start insists on it. */
struct endpoint {
	struct provider *provider;
	struct chain_id chain;
	bool singly; /* its node takes no questions in bulk */
};

/* A core, and how it does. */
struct core_state {
	struct breaker breaker;
	bool no_sync; /* it has no synchronous calls */
};

struct worker {
	struct connector_env env;
	struct scope calls;
	struct timer poll, renewal;
	int64_t poll_at_ms; /* monotonic; when the timer fires */
	struct job *jobs;
	size_t jobs_n;
	bool released, claiming, claim_again, draining;
	int64_t claim_failures;
	struct registry *registry;
	struct buckets buckets;
	struct http_queue gets;
	struct cache cache;
	struct core_state *cores; /* as env.cores */
	struct budget budget;
	struct endpoint *hosts; /* as env.hosts */
	struct endpoint ethereum, gateway;

	/* the last signer that the gateway said is one of this KMS, in which context */
	struct registered {
		int64_t until_ms; /* monotonic; 0 = none */
		struct chain_id chain;
		struct address signer;
		bool has_context;
		struct u256 context;
	} registered;
};

struct ct; /* one handle's ciphertext on its way */
struct acl;
struct acl_rule;

/* What a core's reply holds, checked but for its signature. */
struct core_reply {
	struct bytes result;           /* as it goes on chain */
	struct bytes verification_key; /* of the core, as it says */
	struct bytes external_signature, extra_data;
	struct hash32 digest; /* what the external signature signs */
};

/*
 * What a worker does differently for each kind of operation. Those with `read` are decryptions:
 * their steps are written for handles and ciphertexts; of the others a part that is NULL is none.
 */
struct work_kind {
	enum event_source
		source; /* the contract that asks for it, and under whose domain is signed */
	enum err (*decode)(struct job *j); /* the stored content, into the job */
	void (*check)(struct job *j);      /* -> work_permitted */
	void (*rules)(struct job *j);      /* decryptions: -> permission_ask */
	/* Calls that say whether the chain's state agrees; counted in j->pending. */
	enum err (*confirm)(struct job *j);
	enum op_kind given_up_by;          /* the kind of event that gives it up, or 0 */
	void (*prepare)(struct job *j);    /* what the core is to be given -> work_fetched */
	const char *send_path, *poll_path; /* without the latter: accepted is done */
	const char *sync_path;             /* both in one call; NULL: there is none */
	/* The packed request for the core; the ciphertexts are in j->cts. */
	enum err (*pack)(struct job *j, struct buf *out);
	/* What the core must have before: sent first, by the same path. */
	enum err (*pack_before)(struct job *j, struct buf *out);
	/* What the core does not know is what was to be: NOT_FOUND is success. */
	bool gone_is_done;
	/* The core has another request under this id: FAILED_PRECONDITION ends it. */
	bool id_may_be_taken;
	/* The core's reply: the result that goes on chain, and what is signed. */
	enum err (*read)(struct core_reply *ret, struct arena *a, const struct job *j,
			 struct bytes message, struct err_note *note);
	/* Checks the reply and makes the answer, in j->answer_bytes and j->signer. Without it the
	 * chain waits for none. */
	enum err (*accept)(struct job *j, struct bytes message, struct err_note *note);
	bool signer_is_new; /* its registration cannot be asked yet: the gas estimate decides */
};
extern const struct work_kind work_kinds[OP_KINDS];

struct job {
	struct worker *worker;
	const struct work_kind *kind;
	struct job *prev, *next;
	struct arena arena;
	struct operation op;
	struct decryption_request request;
	struct extra_data extra;
	const struct sns_material *materials; /* one per handle, or NULL */
	struct proof *proof;
	struct scope calls;
	struct timer deadline;

	/* permission */
	struct endpoint **hosts;  /* of each handle */
	struct block_head *heads; /* of each handle's host chain, as read in this pass */
	size_t heads_pending;
	struct acl *acl; /* the rules */
	size_t pending;  /* parts: the rules, signature and context where they are asked for */
	const struct acl_rule *denied_by; /* NULL: the signature */
	bool second_read;
	bool request_dated; /* request_time_s is the time stamp of the request's gateway block */
	uint64_t request_time_s;

	/* ciphertexts */
	struct registry_waiter registry_waiter;
	struct registry_snapshot *registry;
	struct ct *cts; /* one per handle, or NULL */
	size_t located, fetched;
	struct budget_claim memory;

	/* core */
	struct channel *rpc_channel; /* a call runs */
	struct rpc_ticket rpc;
	bool sent; /* in this pass */
	int64_t polled_at_ms;
	uint64_t polls;        /* in this pass that found nothing yet */
	bool sent_before;      /* kind->pack_before, in this pass */
	struct address signer; /* of the answer in answer_bytes, which is checked but for this */

	/* what is no decryption */
	bool gives_id;     /* the move takes the id for this content */
	bool id_missed;    /* it could not: is it another's, or is the row? */
	struct u256 shard; /* an id: which core */
	struct key_request key;
	struct new_context context,
		previous;            /* the content; the context before, as the chain tells */
	struct hash32 previous_hash; /* what the contract keeps of the latter */
	struct new_epoch epoch;
	struct key_info *keys; /* of a new epoch: what it takes over */
	struct epoch_crs *crss;
	size_t keys_n, crss_n;

	struct trace_span span, stage;

	/* the row's next move */
	struct op_change change;
	char reason[REASON_SIZE_MAX + 1];
	struct buf proof_bytes, answer_bytes;
	void (*moved)(struct job *j);
	struct timer move_retry;
};

/* ---- worker.c ---- */
void worker_job_gone(struct worker *w, struct job *j,
		     int64_t due_in_ms); /* frees it; -1 = no need to look again */

/* Jobs of this kind and id, or (by_first) whose content names it first, are forgotten: their rows
 * have ended. */
void worker_forget(struct worker *w, enum op_kind kind, struct u256 id, bool by_first);
/* Works another job on the same id with other content? */
bool worker_has_rival(const struct worker *w, const struct job *j);

/* ---- job.c ---- */
enum err work_new(struct job **ret_job, struct worker *w, const struct operation *op) MUST_USE;
void work_start(struct job *j);
enum err decryption_decode(struct job *j) MUST_USE;
void work_free(struct job *j); /* silently: the row keeps its lease */

/* Store a move of the row and go on with `moved`; views in j->change must stay. */
void work_move(struct job *j, void (*moved)(struct job *j));

/* Give the row back to be tried again later, or to end as failed where retry says so. */
void work_retry(struct job *j, enum err e, const char *fmt, ...) PRINTF(3, 4);
/* The same, soon and uncounted: the core is still computing. */
void work_retry_soon(struct job *j, enum err e, const char *fmt, ...) PRINTF(3, 4);
/* The ACL says no, for now. */
void work_denied(struct job *j, const char *fmt, ...) PRINTF(2, 3);
/* A terminal state, with its reason. */
void work_end(struct job *j, enum op_state to, enum err e, const char *fmt, ...) PRINTF(4, 5);

/* ---- tracing.c ---- */
void work_traced(struct job *j);
void work_stage_over(struct job *j); /* its state has changed */
void work_trace_end(struct job *j);

/* ---- permission.c ---- */
enum {
	PERMISSION_CALL_MAX = 512 /* call data without a signature */
};
void permission_start(struct job *j); /* -> work_permitted */
void work_permitted(struct job *j);
void permission_ask(struct job *j); /* a pass over the rules */
/* A call of this pass; whoever makes it counts it in j->pending, alone or as a whole. */
enum err permission_call(struct job *j, struct endpoint *at, struct call_msg msg,
			 const struct buf *data, struct block_tag tag, provider_bytes_fn *done,
			 size_t index) MUST_USE;
struct block_tag permission_head(const struct job *j, size_t handle);
/* The context and epoch of the extra data, if any; counted in j->pending. */
enum err permission_context(struct job *j) MUST_USE;
struct address permission_acl_of(const struct job *j, const struct endpoint *host);
void permission_part_done(struct job *j);
void permission_denied(struct job *j, size_t handle, const struct acl_rule *rule);
void permission_network_failed(struct job *j, enum err e, const char *what, const char *detail);
void public_rules(struct job *j);

/* ---- user_rules.c ---- */
void user_rules(struct job *j);
/* Of the unified form: is the signature the user's, and not void? Nothing for other requests. */
enum err user_signature_ask(struct job *j) MUST_USE;

/* ---- ciphertext.c ---- */
void ciphertexts_start(struct job *j); /* -> work_fetched */
void work_fetched(struct job *j);
void ciphertexts_drop(struct job *j); /* cancels what runs, frees what came */

/* ---- core_call.c ---- */
void core_ask(struct job *j, const struct proof *proof); /* -> core_poll */
void core_poll(struct job *j,
	       const struct proof *proof); /* -> work_answered, or ciphertexts_start if it forgot */
void core_cancel(struct job *j);
void work_answered(struct job *j); /* with j->answer_bytes */
void work_done(struct job *j);     /* the chain waits for no answer */

/* ---- core_request.c ---- */
enum err core_id_pack(struct buf *out, struct u256 id) MUST_USE;
enum err public_request_pack(struct job *j, struct buf *out) MUST_USE;
enum err user_request_pack(struct job *j, struct buf *out) MUST_USE;

/* ---- core_answer.c: is this the answer to what we asked? ---- */
/* work_kind.accept of decryptions. */
enum err decryption_accept(struct job *j, struct bytes message, struct err_note *note) MUST_USE;
/* Who signed it: a form that contracts take, or ERR_MISMATCH. */
enum err core_signer(struct address *ret_signer, const struct job *j, struct bytes signature,
		     struct hash32 digest, struct err_note *note) MUST_USE;
/* For it: the request's handles as a bytes32[]; the domain that the core signs under. */
enum err core_handles_value(struct abi_value *ret_value, struct arena *a,
			    const struct job *j) MUST_USE;
struct eip712_domain core_domain(const struct job *j);

/* ---- core_public.c, core_user.c: work_kind.read; what it gives lies in the arena ---- */
enum err public_reply_read(struct core_reply *ret, struct arena *a, const struct job *j,
			   struct bytes message, struct err_note *note) MUST_USE;
enum err user_reply_read(struct core_reply *ret, struct arena *a, const struct job *j,
			 struct bytes message, struct err_note *note) MUST_USE;

/* ---- kms_signer.c ---- */
void signer_check(struct job *j); /* j->signer -> work_answered */

/* ---- management.c: what is no decryption ---- */
enum err key_decode(struct job *j) MUST_USE;
enum err keygen_decode(struct job *j) MUST_USE;
enum err context_decode(struct job *j) MUST_USE;
enum err epoch_decode(struct job *j) MUST_USE;
enum err destroyed_decode(struct job *j) MUST_USE;
void management_check(struct job *j);
/* The move that takes the id came too late: whose is it? Ends the job. */
void management_missed(struct job *j);
void abort_prepare(struct job *j);
/* The contract's row in the configuration; NULL: none. */
const struct contract_config *job_contract(const struct job *j);

/* ---- confirm.c: work_kind.confirm ---- */
enum err abort_confirm(struct job *j) MUST_USE;
enum err context_confirm(struct job *j) MUST_USE;
enum err epoch_confirm(struct job *j) MUST_USE;
enum err context_destroyed_confirm(struct job *j) MUST_USE;
enum err epoch_destroyed_confirm(struct job *j) MUST_USE;

/* ---- materials.c: work_kind.prepare ---- */
void context_prepare(struct job *j);
void epoch_prepare(struct job *j);

/* ---- core_keys.c ---- */
enum err prep_keygen_pack(struct job *j, struct buf *out) MUST_USE;
enum err keygen_pack(struct job *j, struct buf *out) MUST_USE;
enum err crsgen_pack(struct job *j, struct buf *out) MUST_USE;
enum err id_pack(struct job *j, struct buf *out) MUST_USE;
enum err prss_init_pack(struct job *j, struct buf *out) MUST_USE;
enum err reshare_pack(struct job *j, struct buf *out) MUST_USE;
enum err prep_keygen_accept(struct job *j, struct bytes message, struct err_note *note) MUST_USE;
enum err keygen_accept(struct job *j, struct bytes message, struct err_note *note) MUST_USE;
enum err crsgen_accept(struct job *j, struct bytes message, struct err_note *note) MUST_USE;

/* ---- core_contexts.c ---- */
enum err context_pack(struct job *j, struct buf *out) MUST_USE;
enum err context_pack_before(struct job *j, struct buf *out) MUST_USE;
enum err epoch_pack(struct job *j, struct buf *out) MUST_USE;
enum err context_destroyed_pack(struct job *j, struct buf *out) MUST_USE;
enum err epoch_destroyed_pack(struct job *j, struct buf *out) MUST_USE;
enum err context_accept(struct job *j, struct bytes message, struct err_note *note) MUST_USE;
enum err epoch_accept(struct job *j, struct bytes message, struct err_note *note) MUST_USE;

#endif
