/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * What a node has promised and what it has answered, in its database.
 *
 *   - pending -> done -> evicted
 *   - pending -> failed -> evicted
 *   - failed -> pending: the same id, asked for again; of decryptions only
 *
 * A request is pending from the commit that lets PublicDecrypt answer; a result exists from the
 * commit that lets it be given out. Eviction drops message and result; id and digest of the content
 * stay for ever, so that no id is ever answered twice with different content.
 *
 * A key generation uses up a preprocessing: in the commit that accepts it.
 *
 * Where nodes decrypt together, an id names sessions between them, and a session is used for one
 * thing: which ciphertexts under which key of which epoch is stored in the commit that accepts a
 * request, and stays for ever. A failed id can come again then with the same ciphertexts only.
 *
 * Each call submits one batch; the decoder of the same name reads its result in the callback. Loop
 * thread. Errors of the submitting calls are those of store_submit, and ERR_NOMEM.
 */
#ifndef CORE_REQUEST_STORE_H
#define CORE_REQUEST_STORE_H

#include "base/u256.h"
#include "core/request_kind.h"
#include "net/loop.h"
#include "store/store.h"

/* Stored numbers: append only. */
enum request_state {
	REQUEST_PENDING = 0,
	REQUEST_DONE = 1,
	REQUEST_FAILED = 2,
	REQUEST_EVICTED = 3,
};

struct request_name {
	enum request_kind kind;
	struct hash32 id;
};

/* Opens and migrates; see store_sqlite_open. */
enum err request_store_open(struct store **ret_store, struct loop *loop, const char *path,
			    struct err_note *note) MUST_USE;

/* ---- admission ---- */

struct request_offer {
	struct request_name name;
	struct hash32 digest;
	struct bytes message; /* copied */
	int64_t now_ms;
	bool lookup_only; /* the node is full: see what is known, add nothing */

	/* Of a preprocessing: the parameters to remember. Of a key generation: which preprocessing
	 * it uses up; nothing is added unless that one is done and not used. */
	uint32_t params;
	struct hash32 preproc_id;

	/* Of a decryption by a committee: what the sessions of this id are used for. */
	bool sessions;
	struct hash32 session_use;
};

enum preproc_state {
	PREPROC_UNKNOWN, /* or failed */
	PREPROC_PENDING,
	PREPROC_READY,
	PREPROC_USED,
};

struct request_admission {
	bool inserted;  /* new: to be computed */
	bool restarted; /* had failed: to be computed again, now with this content */
	bool known;     /* state and digest are set */
	enum request_state state;
	struct hash32 digest; /* of what is stored */

	/* Of a key generation: its preprocessing, as it was before, or by now if `inserted`. */
	enum preproc_state preproc;
	uint32_t preproc_params;

	/* With `sessions`: for what they are used, by this request or another. */
	bool session_used;
	struct hash32 session_use;
};

enum err request_store_admit(struct store *s, const struct request_offer *offer,
			     store_done_fn *done, void *ctx) MUST_USE;
enum err request_store_admitted(struct request_admission *ret,
				const struct store_result *result) MUST_USE;

/* ---- asking ---- */

/* Views are valid during the callback. */
struct request_found {
	bool known;
	enum request_state state;
	struct bytes message; /* pending */
	struct bytes answer;  /* done */
	struct bytes error;   /* failed: for people */
	enum err cause;       /* failed: ERR_CANCELLED if it was aborted */
};

enum err request_store_find(struct store *s, struct request_name name, store_done_fn *done,
			    void *ctx) MUST_USE;
enum err request_store_found(struct request_found *ret, const struct store_result *result) MUST_USE;

/* ---- end of the work ---- */

struct request_success {
	struct bytes answer;

	/* Of a public decryption by a committee, or empty: what we said to the other nodes, for who
	 * was away (word_store.h). */
	struct bytes words;
	size_t sessions_n;
	struct hash32 context_id;
	int64_t linger_ms;
};

/* Only from pending: otherwise the result is ERR_STATE_MOVED. */
enum err request_store_complete(struct store *s, struct request_name name,
				const struct request_success *success, int64_t now_ms,
				store_done_fn *done, void *ctx) MUST_USE;
struct request_failure {
	enum err cause;
	const char *error; /* for people */
};
enum err request_store_fail(struct store *s, struct request_name name,
			    const struct request_failure *failure, int64_t now_ms,
			    store_done_fn *done, void *ctx) MUST_USE;

/* The n that ended longest ago. How many it were: rows[0].changed. */
enum err request_store_evict(struct store *s, enum request_kind kind, size_t n, store_done_fn *done,
			     void *ctx) MUST_USE;

/* ---- start ---- */

/* Result: rows[0] the number of done and failed requests of each kind; rows[1] the pending ones
 * with their sizes, oldest first. ERR_CORRUPT for a kind that this build does not know. */
enum err request_store_survey(struct store *s, store_done_fn *done, void *ctx) MUST_USE;

struct request_pending {
	struct request_name name;
	size_t message_n;
	struct hash32 preproc_id; /* of a key generation, as is the next */
	uint32_t preproc_params;
};
enum err request_store_surveyed(size_t ret_finished[REQUEST_KINDS],
				const struct store_result *result) MUST_USE;
enum err request_store_pending(struct request_pending *ret, const struct store_result *result,
			       size_t at) MUST_USE;

/* ---- without the service ---- */

/* Every key and CRS generation of the database at `path`: read only, without its lock, also of an
 * older version. ERR_CONFIG_FILE: there is no such file. */
typedef void request_seen_fn(void *ctx, struct request_name name, enum request_state state);
enum err request_store_list(const char *path, request_seen_fn *each, void *ctx,
			    struct err_note *note) MUST_USE;

#endif
