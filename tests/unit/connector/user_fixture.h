/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/* One user and its request, in the simulated world of one worker. */
#ifndef TEST_CONNECTOR_USER_FIXTURE_H
#define TEST_CONNECTOR_USER_FIXTURE_H

#include "connector/adapters/user_decryption.h"
#include "worker_fixture.h"

/* The world's wall clock begins there; the start of what users sign. */
enum {
	BEGUN_S = 1700000000
};

static const uint8_t public_key[] = "the user's key for the answer";
static const struct address dapp = {{0xda}}, dapp2 = {{0xdb}}, delegator = {{0xde, 1}};
static const struct secret32 user_key = {{0x22, 7}};

/* One user, one request. */
struct asked {
	struct user_request user;
	struct user_entry entries[WORLD_HANDLES_MAX];
	struct address allowed[2];
	struct hash32 handles[WORLD_HANDLES_MAX];
	struct signature65 signature;
	struct decryption_request r;

	/* What of the older form stands in the calldata only, and what a liar puts there. */
	struct {
		struct u256 start_s, duration_days, chain_id, signed_chain_id;
		struct address contracts[2]; /* else: the pairs' */
		size_t contracts_n;
		struct secret32 key;
		struct bytes signed_key, signed_extra; /* other ones than are sent */
		struct bytes extra_data;               /* another one than the event's */
		size_t signature_n;
		bool low_v;
	} call;
};

static inline void ask_init(struct fixture *f, struct asked *q)
{
	memset(q, 0, sizeof(*q));
	assert_int_equal(ecdsa_address(f->w.ecdsa, &q->user.user, &user_key), ERR_OK);
	q->user.public_key = BYTES_OF(public_key);
	q->handles[0] = f->handle;
	q->r = (struct decryption_request){.handles = q->handles,
					   .handles_n = 1,
					   .extra_data = BYTES_LIT("\0"),
					   .user = &q->user};
	q->call.start_s = u256_from_u64(BEGUN_S);
	q->call.duration_days = u256_from_u64(1);
	q->call.chain_id = q->call.signed_chain_id = u256_from_u64(WORLD_HOST_CHAIN);
	q->call.key = user_key;
	q->call.signature_n = sizeof(q->signature.b);
}

static inline void insert_user(struct fixture *f, const struct asked *q)
{
	world_insert_user(&f->w, 1, &q->r, 0, BYTES_OF(body));
}

static inline void assert_answered(struct fixture *f)
{
	if (!world_wait_state(&f->w, 1, "answered", 5000))
		fail_msg("%s: %s", world_state(&f->w, 1), world_reason(&f->w, 1));
}

/* Refused for this reason, and the core was asked nothing. */
static inline void assert_refused(struct fixture *f, const char *reason)
{
	if (!world_wait_state(&f->w, 1, "refused", 1000))
		fail_msg("%s: %s", world_state(&f->w, 1), world_reason(&f->w, 1));
	if (!strstr(world_reason(&f->w, 1), reason))
		fail_msg("%s", world_reason(&f->w, 1));
	assert_int_equal(f->w.core.sends + f->w.core.polls, 0);
}

/* It waits for what may still come. */
static inline void assert_waits(struct fixture *f, const char *reason)
{
	if (!is_in(f, "seen") || !strstr(world_reason(&f->w, 1), reason))
		fail_msg("%s: %s", world_state(&f->w, 1), world_reason(&f->w, 1));
	assert_int_equal(f->w.core.sends, 0);
}

#endif
